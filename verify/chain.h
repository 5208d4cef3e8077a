/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose the attestation key is: its certificate, and the way from there to an anchor (X.509, RFC 5280). The only anchors
 * are those that are given; the machine's own are not looked at. Nobody is asked whether a certificate has been revoked.
 */
#ifndef ASSAY_VERIFY_CHAIN_H
#define ASSAY_VERIFY_CHAIN_H

#include <stdbool.h>
#include <openssl/types.h>

#include "verify/proof.h"

/* --- what is trusted ---------------------------------------------------------------------------- */

struct assay_anchors;
struct assay_anchors *assay_anchors_new(void);
void assay_anchors_free(struct assay_anchors **anchors);
ASSAY_DEFINE_AUTO(assay_anchors)
/*
 * The certificates of a text (PEM, any number) or of some bytes (DER, one). Those that are issued by themselves are anchors,
 * the others help to find the way to one. `name`: of the file, for messages.
 */
int assay_anchors_add(struct assay_anchors *anchors, const char *name, const void *p, size_t len,
		      struct assay_err *err) ASSAY_MUST;
/* A file of those, or each file of a folder that is called *.pem, *.crt, *.cer or *.der. ASSAY_E_NOTFOUND: no anchor. */
int assay_anchors_load(struct assay_anchors *anchors, const char *path, struct assay_err *err) ASSAY_MUST;
/*
 * A certificate's bytes taken apart, to be freed by X509_free(); NULL: it is none, or no memory, as OpenSSL's queue says.
 * The last ones are kept and found again; nobody vouches for them. Thread-safe.
 */
X509 *assay_anchors_cert(const struct assay_anchors *anchors, const uint8_t *p, size_t len);
size_t assay_anchors_n(const struct assay_anchors *anchors);

/* --- a key's ------------------------------------------------------------------------------------- */

enum assay_way {
	ASSAY_WAY_GOOD,
	ASSAY_WAY_NONE,	      /* no certificate at all */
	ASSAY_WAY_UNREADABLE, /* one cannot be read */
	ASSAY_WAY_NOWHERE,    /* it leads to no anchor */
	ASSAY_WAY_TIME,	      /* one is expired, or not valid yet */
	ASSAY_WAY_USAGE,      /* the key's is not for this */
	ASSAY_WAY_EXTRA,      /* one is not on the way */
};

struct assay_judged_way {
	enum assay_way way;
	char why[256];		  /* in words, when it is not good */
	X509 *leaf;		  /* owned; NULL when there is none that can be read */
	char subject[160];	  /* of the leaf, RFC 2253 */
	char anchor[160];	  /* subject of the anchor; "" */
	uint8_t anchor_sha256[32];
	int64_t not_before, not_after; /* of the leaf */
	size_t n;		  /* certificates on the way, leaf and anchor with them */
};
/*
 * At that time: signatures, validity, CA constraints, keys and digests of 112 bits or more; the leaf's keyUsage, where there
 * is one, has digitalSignature, its extendedKeyUsage tcg-kp-AIKCertificate (2.23.133.8.3). A leaf of the older shapes may
 * have Microsoft's documentSigning instead: Azure's had no other in 2023.
 */
int assay_way_judge(const struct assay_anchors *anchors, const struct assay_proof *proof, int64_t at,
		    struct assay_judged_way *ret, struct assay_err *err) ASSAY_MUST;
void assay_way_clear(struct assay_judged_way *way);

#endif
