/* SPDX-License-Identifier: Apache-2.0 */
/* What certs.c and verify.c share: the PKCS#7 SignedData of an Authenticode signature. */
#ifndef ASSAY_MEASURE_PE_PKCS7_PRIV_H
#define ASSAY_MEASURE_PE_PKCS7_PRIV_H

#include <stdbool.h>

#include <openssl/pkcs7.h>

#include "core/digest.h"

struct assay_spc {
	const char *alg;	/* OpenSSL's short name in lower case: "sha256" */
	const uint8_t *digest;	/* inside the PKCS7 */
	size_t digest_len;	/* at most ASSAY_MAX_DIGEST */
	const uint8_t *content; /* the whole SpcIndirectDataContent, its SEQUENCE header included */
	size_t content_len;
};

/* NULL when the bytes do not begin with a PKCS#7 SignedData with content. */
PKCS7 *assay_pkcs7_parse(const uint8_t *data, size_t len);
/* Its SpcIndirectDataContent, borrowed from p7; false when it has none, or a digest that we do not
 * know. */
bool assay_pkcs7_spc(const PKCS7 *p7, struct assay_spc *ret);

#endif
