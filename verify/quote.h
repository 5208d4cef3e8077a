/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the quote is by the key, and whether the values are those of the quote. Bytes are taken apart by tpm/quote.h. */
#ifndef ASSAY_VERIFY_QUOTE_H
#define ASSAY_VERIFY_QUOTE_H

#include "verify/chain.h"
#include "verify/verdict.h"

/*
 * The attestation key, as the TPM has it, against its certificate: the same key; restricted, for signing, made by the TPM
 * and kept in it. Refuses in the verdict.
 */
int assay_ak_judge(const struct assay_proof *proof, X509 *leaf, struct assay_proof_verdict *v, struct assay_err *err) ASSAY_MUST;
/* Signature over the message by the leaf's key, RSASSA, RSAPSS or ECDSA with SHA-256 or stronger; what it says into v->quote. */
int assay_quote_judge(const struct assay_proof *proof, X509 *leaf, struct assay_proof_verdict *v, struct assay_err *err) ASSAY_MUST;
/* The values are those that are selected, no more and no fewer, and have the signed digest. */
int assay_values_judge(const struct assay_proof *proof, struct assay_proof_verdict *v, struct assay_err *err) ASSAY_MUST;
/* "RSASSA" */
const char *assay_sig_scheme_words(enum assay_sig_scheme scheme);
/* extraData is that of nonce and certificate; the nonce is the caller's (NULL: none was asked for). */
int assay_fresh_judge(const struct assay_proof *proof, const uint8_t *nonce, size_t nonce_len, struct assay_proof_verdict *v,
		      struct assay_err *err) ASSAY_MUST;

#endif
