/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TPM2_MakeCredential without a TPM (TPM 2.0 Library, Part 1, 24 "Credential Protection"): a secret that only the TPM with
 * this endorsement key gives back, and only when it also has a key of this name.
 */
#ifndef ASSAY_TPM_CREDENTIAL_H
#define ASSAY_TPM_CREDENTIAL_H

#include <openssl/types.h>

#include "tpm/quote.h"

/* Are both the same public key? */
bool assay_tpm_public_is(const struct assay_tpm_public *public, EVP_PKEY *pkey);

/* It as OpenSSL has keys, fresh; NULL when OpenSSL does not take it (a point off its curve), or there is no memory. */
EVP_PKEY *assay_tpm_public_key(const struct assay_tpm_public *public);

struct assay_credential {
	uint8_t blob[2 + 2 + ASSAY_MAX_DIGEST + 2 + ASSAY_MAX_DIGEST]; /* TPM2B_ID_OBJECT: MAC, and the secret encrypted */
	size_t blob_len;
	uint8_t seed[2 + 512]; /* TPM2B_ENCRYPTED_SECRET: by RSAES-OAEP, or a point of ECDH */
	size_t seed_len;
};

/*
 * ek: a restricted decryption key with AES-CFB, RSA or ECC. name: of the other key (assay_tpm_public_name()). secret: 1 byte
 * up to the digest of the EK's name algorithm. ASSAY_E_UNSUPPORTED says what about the EK is not taken.
 */
int assay_credential_make(const struct assay_tpm_public *ek, const uint8_t *name, size_t name_len, const uint8_t *secret,
			  size_t secret_len, struct assay_credential *ret, struct assay_err *err) ASSAY_MUST;

/*
 * KDFa (Part 1, 11.4.10.2): HMAC in counter mode (SP 800-108) over label, NUL, both contexts; `bytes` of it, at most 64.
 */
int assay_kdfa(enum assay_bank hash, const uint8_t *key, size_t key_len, const char *label, const struct assay_part *u,
	       const struct assay_part *v, size_t bytes, uint8_t *ret, struct assay_err *err) ASSAY_MUST;

#endif
