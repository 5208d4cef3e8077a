/* SPDX-License-Identifier: Apache-2.0 */
/* What the halves of runtime.h share: runtime.c (names, digests), runtime_parse.c (shapes), runtime_words.c. */
#ifndef ASSAY_TPM_RUNTIME_PRIV_H
#define ASSAY_TPM_RUNTIME_PRIV_H

#include "tpm/runtime.h"

/* SHA-256 of the certificate in DER. ASSAY_E_CORRUPT: the text is not one certificate in PEM (RFC 7468). */
int assay_runtime_fingerprint(const struct assay_runtime_event *ev, uint8_t ret[32], struct assay_err *err) ASSAY_MUST;

#endif
