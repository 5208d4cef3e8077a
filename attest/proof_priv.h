/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ASSAY_ATTEST_PROOF_PRIV_H
#define ASSAY_ATTEST_PROOF_PRIV_H

#include "attest/ak.h"
#include "attest/proof.h"
#include "tpm/cel.h"

/* What one proof is about. */
struct assay_evidence {
	const struct assay_agent_config *config;
	const struct assay_ak *ak;
	const struct assay_cel *log;
	const uint8_t *nonce;
	size_t nonce_len;
	char *tls; /* the certificate in use, PEM as OpenSSL writes it; NULL: none */
	uint8_t *message, *signature;
	size_t message_len, signature_len;
	struct assay_pcrs pcrs;
};

/* PCRs and banks that a quote in this format is of. */
uint32_t assay_proof_format_pcrs(enum assay_proof_format format);
unsigned assay_proof_format_banks(enum assay_proof_format format, const struct assay_agent_config *config);

/* ASSAY_E_UNSUPPORTED when what is in the log cannot be said in that format: asked before the TPM is. */
int assay_proof_can_say(enum assay_proof_format format, const struct assay_cel *log, struct assay_err *err) ASSAY_MUST;
/* The older formats' files. */
int assay_proof_aicert(const struct assay_evidence *e, struct assay_json **ret, struct assay_err *err) ASSAY_MUST;
int assay_proof_blindllama(const struct assay_evidence *e, struct assay_json **ret, struct assay_err *err) ASSAY_MUST;

/* A string with the base64 of some bytes; NULL when out of memory, which assay_json_set() remembers. */
struct assay_json *assay_proof_base64_node(const void *p, size_t n);

#endif
