/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine's proofs (docs/PROOF.md): the TPM's quote, and what it is about. A maker keeps the way to the TPM, the
 * attestation key and its certificates, where the kernel's resource manager serves many at a time; a TPM that talks to one
 * alone is connected for each proof. Each proof is made of what log and PCRs are at that moment.
 */
#ifndef ASSAY_ATTEST_PROOF_H
#define ASSAY_ATTEST_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

enum assay_proof_format {
	ASSAY_PROOF_FORMAT_ASSAY,      /* assay.proof/1 */
	ASSAY_PROOF_FORMAT_AICERT,     /* AICert's: no nonce, no firmware log; PCR 15 for the TLS certificate alone */
	ASSAY_PROOF_FORMAT_BLINDLLAMA, /* BlindLlama-v2's: a disk, the sentinel, a TLS certificate in PCR 15, and nothing else */
	ASSAY_N_PROOF_FORMATS
};
const char *assay_proof_format_name(enum assay_proof_format format); /* "assay", "aicert", "blindllama" */
bool assay_proof_format_from_name(const char *name, enum assay_proof_format *ret);

struct assay_agent_config; /* attest/config.h */
struct assay_proof_maker;

/*
 * Opens the TPM and the key that the configuration names, and reads its certificates. The configuration is borrowed until
 * the maker is freed. Refused: a key that is not a restricted signing key which the TPM made and keeps (ASSAY_E_UNSUPPORTED),
 * a certificate of another key (ASSAY_E_MISMATCH), no key or no certificate where they ought to be (ASSAY_E_NOTFOUND).
 */
int assay_proof_maker_open(const struct assay_agent_config *config, struct assay_proof_maker **ret, struct assay_err *err) ASSAY_MUST;
void assay_proof_maker_free(struct assay_proof_maker **maker);
ASSAY_DEFINE_AUTO(assay_proof_maker)

/*
 * One proof, as the text of its file; fresh, with a NUL after it. nonce: NULL for none, else 1 to ASSAY_NONCE_MAX bytes.
 * The runtime log's lock is held meanwhile, so that quote and log agree. One call at a time on one maker, from any thread;
 * what it returned is the caller's alone. After ASSAY_E_TPM the next call opens the TPM anew. ASSAY_E_UNSUPPORTED: what
 * happened on this machine cannot be said in that format, and what it is.
 */
int assay_proof_maker_make(struct assay_proof_maker *maker, enum assay_proof_format format, const uint8_t *nonce,
			   size_t nonce_len, char **ret, size_t *ret_len, struct assay_err *err) ASSAY_MUST;

#endif
