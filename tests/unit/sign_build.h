/* SPDX-License-Identifier: Apache-2.0 */
/* Keys made by OpenSSL, in files that have no names, and the smallest manifest there is. */
#ifndef ASSAY_TESTS_SIGN_BUILD_H
#define ASSAY_TESTS_SIGN_BUILD_H

#include <fcntl.h>
#include <sys/mman.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "core/text.h"
#include "manifest/sign.h"
#include "manifest/verify.h"
#include "tests/unit/unit.h"

#define SIGN_STATEMENT(name, release, from, until)                                                                     \
	"{\"_type\":\"https://in-toto.io/Statement/v1\",\"predicate\":{\"data\":[],\"facts\":{},\"name\":\"" name          \
	"\",\"predictions\":[{\"platform\":{\"name\":\"p\"}}],\"release\":" release                                      \
	",\"schema\":\"assay.manifest/1\",\"validity\":{\"expires\":\"" until "\",\"notBefore\":\"" from                  \
	"\"}},\"predicateType\":\"urn:assay:golden-manifest:1\",\"subject\":[{\"digest\":{\"sha256\":\"00\"},\"name\":\"d\"}]}"
#define SIGN_FROM 1767225600  /* 2026-01-01 */
#define SIGN_UNTIL 1798761600 /* 2027-01-01 */
#define SIGN_AT 1780000000
static const char sign_statement[] __attribute__((unused)) =
	SIGN_STATEMENT("base", "7", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");

/* A file of these bytes: its path into `path`. It is there until the program ends. */
static inline void sign_file(const void *p, size_t len, char path[64])
{
	const int fd = memfd_create("key", 0);

	assert_true(fd >= 0 && write(fd, p, len) == (ssize_t)len);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
}

static inline EVP_PKEY *sign_keygen(const char *kind)
{
	EVP_PKEY *key = strcmp(kind, "RSA") == 0      ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048) :
			strcmp(kind, "RSA1024") == 0  ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024) :
			strcmp(kind, "RSA-PSS") == 0  ? NULL :
			kind[0] == 'P' || kind[0] == 's' ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind) :
							   EVP_PKEY_Q_keygen(NULL, NULL, kind);

	if (!key && strcmp(kind, "RSA-PSS") == 0) {
		EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);

		assert_true(EVP_PKEY_keygen_init(ctx) > 0 && EVP_PKEY_keygen(ctx, &key) > 0);
		EVP_PKEY_CTX_free(ctx);
	}
	assert_non_null(key);
	return key;
}

static inline void sign_bio_file(BIO *bio, char path[64])
{
	char *p;
	const long len = BIO_get_mem_data(bio, &p);

	sign_file(p, (size_t)len, path);
	BIO_free(bio);
}

/* Both halves as PEM files; passphrase may be NULL. */
static inline void sign_pem(EVP_PKEY *key, const char *passphrase, char private[64], char public[64])
{
	BIO *a = BIO_new(BIO_s_mem()), *b = BIO_new(BIO_s_mem());

	assert_true(PEM_write_bio_PKCS8PrivateKey(a, key, passphrase ? EVP_aes_256_cbc() : NULL, passphrase,
						  passphrase ? (int)strlen(passphrase) : 0, NULL, NULL));
	assert_true(PEM_write_bio_PUBKEY(b, key));
	sign_bio_file(a, private);
	sign_bio_file(b, public);
}

struct sign_pair {
	struct assay_signer *signer;
	struct assay_key *key;
	char private[64], public[64];
};

static inline void sign_pair(struct sign_pair *p, const char *kind)
{
	EVP_PKEY *pkey = sign_keygen(kind);
	struct assay_err e;

	sign_pem(pkey, NULL, p->private, p->public);
	EVP_PKEY_free(pkey);
	if (assay_signer_load(p->private, NULL, &p->signer, &e) < 0 || assay_key_load(p->public, &p->key, &e) < 0)
		fail_msg("%s: %s", kind, e.msg);
}

static inline void sign_pair_free(struct sign_pair *p)
{
	assay_signer_free(&p->signer);
	assay_key_free(&p->key);
}

/* The envelope of a payload with these signers, as text. */
static inline char *sign_text(const char *type, const char *payload, struct sign_pair *const *signers, size_t n,
			      size_t *ret_len)
{
	ASSAY_AUTO(assay_envelope) *env = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;
	struct assay_err e;
	char *text = NULL;

	assert_int_equal(assay_envelope_new(type, payload, strlen(payload), &env, &e), 0);
	for (size_t i = 0; i < n; i++) {
		ASSAY_AUTO_FREE uint8_t *pae = NULL;
		ASSAY_AUTO_FREE uint8_t *sig = NULL;
		size_t pae_len, sig_len;

		assert_int_equal(assay_envelope_pae(env, &pae, &pae_len, &e), 0);
		assert_int_equal(assay_signer_sign(signers[i]->signer, pae, pae_len, &sig, &sig_len, &e), 0);
		assert_int_equal(assay_envelope_add(env, signers[i]->key->id, sig, sig_len, NULL, &e), 0);
	}
	json = assay_envelope_json(env);
	assert_int_equal(assay_json_dump(json, &text, ret_len, &e), 0);
	return text;
}

#endif
