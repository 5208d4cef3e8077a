/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A proof as its file has it (docs/PROOF.md, docs/VERIFY.md). Nothing here is believed: it is what the signature and the
 * certificates are checked against. What a shape does not have is not there; nothing is guessed for it.
 */
#ifndef ASSAY_VERIFY_PROOF_H
#define ASSAY_VERIFY_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/json.h"
#include "tpm/cel.h"
#include "tpm/pcr.h"
#include "tpm/quote.h"

#define ASSAY_PROOF_SCHEMA "assay.proof/1"

enum assay_proof_shape {
	ASSAY_PROOF_1,		/* assay.proof/1 */
	ASSAY_PROOF_AICERT,	/* AICert: event_log, output_event_log, ca_cert */
	ASSAY_PROOF_AICERT_0,	/* the same before it had ca_cert and output_event_log */
	ASSAY_PROOF_BLINDLLAMA, /* BlindLlama v2 */
	ASSAY_N_PROOF_SHAPES
};
const char *assay_proof_shape_name(enum assay_proof_shape shape); /* "assay.proof/1", "aicert" */

struct assay_proof_bytes {
	uint8_t *p; /* NULL: not there */
	size_t len;
};

struct assay_proof {
	enum assay_proof_shape shape;
	struct assay_json *json;	 /* what is borrowed below points into it */
	const char *source;		 /* "azure", or NULL */
	struct assay_proof_bytes *certs; /* DER; the key's first; may be none */
	size_t n_certs;
	struct assay_proof_bytes ak_public; /* TPMT_PUBLIC or TPM2B_PUBLIC */
	struct assay_proof_bytes message, signature;
	struct assay_pcrs pcrs;
	struct assay_cel *log; /* in which PCR an event of the older shapes went: by their plan, or as the caller said */
	const char *manifest;  /* its name, or NULL */
	bool has_nonce;
	uint8_t nonce[ASSAY_NONCE_MAX];
	size_t nonce_len;
	struct assay_proof_bytes tls;	  /* DER; of assay.proof/1 alone */
	struct assay_proof_bytes tcg_log; /* of assay.proof/1 alone */
};

/*
 * ASSAY_E_CORRUPT and ASSAY_E_LIMIT: JSON, and no proof, or one that is malformed; ASSAY_E_UNSUPPORTED: of a kind that is
 * not known, or known and not taken; ASSAY_E_MISMATCH: a record of the runtime log that contradicts itself. What is no JSON
 * sets *ret_is_json to false. log_pcr: where the event log of an older shape went, all of it; -1: as its own plan says.
 */
int assay_proof_parse(const char *text, size_t len, int log_pcr, struct assay_proof **ret, bool *ret_is_json,
		      struct assay_err *err) ASSAY_MUST;
void assay_proof_free(struct assay_proof **proof);
ASSAY_DEFINE_AUTO(assay_proof)

/* One certificate as PEM and nothing else, in the one way that it is written; fresh DER. */
int assay_pem_certificate(const char *pem, size_t len, uint8_t **ret, size_t *ret_len, struct assay_err *err) ASSAY_MUST;

#endif
