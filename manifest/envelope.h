/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DSSE envelopes (github.com/secure-systems-lab/dsse, protocol.md and envelope.md, version 1.0.2): bytes, what kind of
 * bytes they are, and signatures over both. Nothing here looks into the payload, or knows what a key is.
 */
#ifndef ASSAY_MANIFEST_ENVELOPE_H
#define ASSAY_MANIFEST_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/json.h"

#define ASSAY_INTOTO_PAYLOAD "application/vnd.in-toto+json"

struct assay_envelope_sig {
	char *keyid; /* a hint, not signed; "" when there is none */
	uint8_t *sig;
	size_t sig_len;
	char *cert; /* "cert": the signer's certificate and those that lead to its CA, PEM; or NULL */
};

struct assay_envelope {
	char *payload_type;
	uint8_t *payload; /* with a NUL behind it */
	size_t payload_len;
	struct assay_envelope_sig *sigs;
	size_t n_sigs;
	char *unknown; /* a member that is not known here (readers are to pass over it); or NULL */
};

void assay_envelope_free(struct assay_envelope **env);
ASSAY_DEFINE_AUTO(assay_envelope)

/* A new one without signatures; the payload is copied. */
int assay_envelope_new(const char *payload_type, const void *payload, size_t len,
		       struct assay_envelope **ret, struct assay_err *err) ASSAY_MUST;
/* Adds a signature; all is copied. cert may be NULL. */
int assay_envelope_add(struct assay_envelope *env, const char *keyid, const void *sig, size_t sig_len,
		       const char *cert, struct assay_err *err) ASSAY_MUST;

/* Base64 of the standard or the URL alphabet, as DSSE allows. */
int assay_envelope_parse(const char *text, size_t len, struct assay_envelope **ret,
			 struct assay_err *err) ASSAY_MUST;
/* The same; what is no envelope but an in-toto Statement becomes an envelope without signatures. */
int assay_envelope_read(const char *text, size_t len, struct assay_envelope **ret, struct assay_err *err) ASSAY_MUST;
/* The same of a file. */
int assay_envelope_load(const char *path, struct assay_envelope **ret, struct assay_err *err) ASSAY_MUST;
struct assay_json *assay_envelope_json(const struct assay_envelope *env);

/* What is signed: "DSSEv1 LEN(type) type LEN(payload) payload". Fresh bytes. */
int assay_envelope_pae(const struct assay_envelope *env, uint8_t **ret, size_t *ret_len,
		       struct assay_err *err) ASSAY_MUST;

#endif
