/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that sign and keys that check, through OpenSSL: PEM and DER files, tokens (pkcs11: URIs, RFC 7512), TPMs. Four
 * kinds are taken, each with one way of signing; anything else is refused by name:
 *
 *   Ed25519       (RFC 8032)
 *   ECDSA P-256   with SHA-256, ECDSA P-384 with SHA-384, signatures in DER (FIPS 186-5, SEC 1 C.8)
 *   RSA-PSS       with SHA-256, MGF1 of it, a salt of 32 bytes, 2048 bits or more (RFC 8017, 8.1)
 *
 * Nothing here depends on the machine's openssl.cnf, but what a token or a TPM needs from it. Private keys are never
 * written.
 */
#ifndef ASSAY_MANIFEST_KEY_H
#define ASSAY_MANIFEST_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

#define ASSAY_KEY_ID 65 /* lower-case hex of SHA-256, and its NUL */

enum assay_key_kind { ASSAY_KEY_ED25519, ASSAY_KEY_P256, ASSAY_KEY_P384, ASSAY_KEY_RSA, ASSAY_N_KEY_KINDS };

/* --- public ------------------------------------------------------------------------------------- */

struct assay_key {
	enum assay_key_kind kind;
	unsigned bits;
	char id[ASSAY_KEY_ID]; /* SHA-256 of the SubjectPublicKeyInfo in DER, points uncompressed */
	struct evp_pkey_st *pkey;
};

/* "Ed25519", "ECDSA P-256", "ECDSA P-384", "RSA-PSS". */
const char *assay_key_kind_name(enum assay_key_kind kind);

/* A file with a public key (PEM or DER), or a pkcs11: URI. Private keys and certificates are refused by name. */
int assay_key_load(const char *uri, struct assay_key **ret, struct assay_err *err) ASSAY_MUST;
/* The public half of what OpenSSL has, wherever it is kept. */
int assay_key_of(struct evp_pkey_st *pkey, struct assay_key **ret, struct assay_err *err) ASSAY_MUST;
void assay_key_free(struct assay_key **key);
ASSAY_DEFINE_AUTO(assay_key)

/* *ret_good: whether sig is this key's over the message. -1 only when that could not be found out. */
int assay_key_verify(const struct assay_key *key, const void *sig, size_t sig_len, const void *msg, size_t msg_len,
		     bool *ret_good, struct assay_err *err) ASSAY_MUST;

/* --- private ------------------------------------------------------------------------------------ */

/*
 * Who knows the passphrase of a file or the PIN of a token: writes at most size bytes for `what`, returns how many, or
 * -1. They are cleansed after use. NULL: nobody, and a key that asks for one is refused.
 */
struct assay_secret {
	int (*ask)(void *arg, const char *what, char *buf, size_t size);
	void *arg;
};

struct assay_signer; /* a private key, or the way to it */

/*
 * A file (PEM or DER; "TSS2 PRIVATE KEY" for the TPM that made it), pkcs11:…, or handle:0x81… of a TPM. Tokens need
 * OpenSSL's provider pkcs11, TPMs its provider tpm2.
 */
int assay_signer_load(const char *uri, const struct assay_secret *secret, struct assay_signer **ret,
		      struct assay_err *err) ASSAY_MUST;
/* Borrowed. */
const struct assay_key *assay_signer_key(const struct assay_signer *signer);
/* Fresh bytes, which have been checked with the public key. */
int assay_signer_sign(struct assay_signer *signer, const void *msg, size_t msg_len, uint8_t **ret, size_t *ret_len,
		      struct assay_err *err) ASSAY_MUST;
void assay_signer_free(struct assay_signer **signer);
ASSAY_DEFINE_AUTO(assay_signer)

/* A URI without what is secret in it (pin-value, RFC 7512 2.4), for messages. Fresh; NULL when out of memory. */
char *assay_key_uri_text(const char *uri);

#endif
