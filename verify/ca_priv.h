/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ASSAY_VERIFY_CA_PRIV_H
#define ASSAY_VERIFY_CA_PRIV_H

#include <openssl/x509.h>

#include "tpm/quote.h"
#include "verify/ca.h"

/* Key and certificate of a CA. */
struct assay_akca {
	EVP_PKEY *key;
	X509 *cert;
};
/* Without issuer it signs itself. serial: 20 bytes. Fresh PEM of the certificate, and of the key where ret_key is given. */
int assay_akca_self(const char *cn, const uint8_t serial[20], int64_t now, unsigned days, char **ret_cert, char **ret_key,
		    struct assay_err *err) ASSAY_MUST;
int assay_akca_sign(const struct assay_akca *ca, const struct assay_tpm_public *ak, const char *cn, const uint8_t serial[20],
		    int64_t now, unsigned days, char **ret, struct assay_err *err) ASSAY_MUST;
int assay_akca_load(const char *dir, struct assay_akca *ret, struct assay_err *err) ASSAY_MUST;
void assay_akca_clear(struct assay_akca *ca);

/* Positive, unpredictable, 20 bytes at most in DER (RFC 5280, 4.1.2.2). */
int assay_akca_serial(uint8_t ret[20], struct assay_err *err) ASSAY_MUST;
/* The certificate of an endorsement key, PEM, against the anchors and the key. Refused: ASSAY_E_MISMATCH. */
int assay_akca_judge_ek(const char *pem, const struct assay_tpm_public *ek, const struct assay_anchors *trust, int64_t now,
			struct assay_err *err) ASSAY_MUST;

#endif
