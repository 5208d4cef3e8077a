/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ASSAY_ATTEST_TLS_PRIV_H
#define ASSAY_ATTEST_TLS_PRIV_H

#include "attest/tls.h"

/* Is the certificate of this key? False also when one of the two is none. */
bool assay_tls_is_pair(const char *certificate, size_t certificate_len, const char *key, size_t key_len);
/* Valid now, and of the options' names; ASSAY_E_MISMATCH says what is not so. *ret_sha256: of its DER. */
int assay_tls_check(const struct assay_tls_options *opt, const char *certificate, size_t len, uint8_t ret_sha256[32],
		    struct assay_err *err) ASSAY_MUST;

#endif
