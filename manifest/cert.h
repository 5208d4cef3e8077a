/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates of signers (X.509, RFC 5280). The only anchors are those of the file that is given; the machine's own
 * are not looked at. Nobody is asked whether a certificate has been revoked.
 */
#ifndef ASSAY_MANIFEST_CERT_H
#define ASSAY_MANIFEST_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "manifest/key.h"

/* --- what is trusted ---------------------------------------------------------------------------- */

struct assay_ca;
/* A PEM file; each certificate in it is an anchor. */
int assay_ca_load(const char *path, struct assay_ca **ret, struct assay_err *err) ASSAY_MUST;
int assay_ca_parse(const char *pem, size_t len, struct assay_ca **ret, struct assay_err *err) ASSAY_MUST;
void assay_ca_free(struct assay_ca **ca);
ASSAY_DEFINE_AUTO(assay_ca)

/* --- a signer's --------------------------------------------------------------------------------- */

struct assay_chain; /* the signer's certificate and those that lead to its CA */
int assay_chain_parse(const char *pem, size_t len, struct assay_chain **ret, struct assay_err *err) ASSAY_MUST;
int assay_chain_load(const char *path, struct assay_chain **ret, struct assay_err *err) ASSAY_MUST;
void assay_chain_free(struct assay_chain **chain);
ASSAY_DEFINE_AUTO(assay_chain)

/* The public key of the first. */
int assay_chain_key(const struct assay_chain *chain, struct assay_key **ret, struct assay_err *err) ASSAY_MUST;
/* As PEM and nothing else; with_root: also a last one that signed itself. Fresh; NULL when out of memory. */
char *assay_chain_text(const struct assay_chain *chain, bool with_root);
/* Whether it can be of use to a signer: the first may sign code, each is issued by the next. ASSAY_E_USAGE says what not. */
int assay_chain_check(const struct assay_chain *chain, struct assay_err *err) ASSAY_MUST;

struct assay_chain_verdict {
	bool good;
	bool all_used;	/* each certificate is on the way to the anchor */
	char why[160];	/* when it is not good */
};
/*
 * Leads to an anchor at that time (RFC 5280, 6: signatures, validity, CA constraints, name constraints; keys and digests
 * of 112 bits or more), and may sign this: keyUsage, where there is one, has digitalSignature; extendedKeyUsage, where
 * there is one, has codeSigning, in CAs below the anchor too.
 */
int assay_chain_judge(const struct assay_chain *chain, const struct assay_ca *ca, int64_t at,
		      struct assay_chain_verdict *ret, struct assay_err *err) ASSAY_MUST;
/*
 * Whether the first is of that name, byte for byte: an email address, URI or DNS name among its subjectAltNames;
 * without that extension its only common name.
 */
bool assay_chain_is_of(const struct assay_chain *chain, const char *name);
/* "a@example.com, https://…": these names, for messages. Fresh; NULL when out of memory. */
char *assay_chain_names(const struct assay_chain *chain);

#endif
