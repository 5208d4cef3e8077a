/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials and the files of a CA for attestation keys. The oracle for KDFa is OpenSSL's KBKDF (SP 800-108); credentials are
 * opened here step by step, and by TPMs in tests/cli/ca.bats.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "core/limits.h"
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"
#include "tpm/credential.h"
#include "tpm/enroll.h"

static struct assay_err err;

static char *corpus(const char *name, size_t *ret_len)
{
	char path[128];
	char *buf = malloc(65536);

	snprintf(path, sizeof(path), "tests/corpus/ca_request/%s", name);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	assert_non_null(buf);
	const size_t n = fread(buf, 1, 65536, f);
	fclose(f);
	assert_true(n > 1 && n < 65536);
	memmove(buf, buf + 1, n - 1);
	*ret_len = n - 1;
	buf[n - 1] = 0;
	return buf;
}

/* --- key derivation ----------------------------------------------------------------------------- */

static void kbkdf(const char *md, const uint8_t *key, size_t key_len, const char *label, const uint8_t *context, size_t context_len,
		  uint8_t *out, size_t out_len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "KBKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MODE, (char *)"counter", 0),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MAC, (char *)"HMAC", 0),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)md, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key, key_len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)label, strlen(label)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)context, context_len),
		OSSL_PARAM_construct_end(),
	};

	assert_non_null(ctx);
	assert_int_equal(EVP_KDF_derive(ctx, out, out_len, params), 1);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

static void test_kdfa(void **state)
{
	static const enum assay_bank banks[] = { ASSAY_SHA1, ASSAY_SHA256, ASSAY_SHA384, ASSAY_SHA512 };
	uint8_t key[48], context[80], ours[64], theirs[64];

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 7 + 3);
	for (size_t i = 0; i < sizeof(context); i++)
		context[i] = (uint8_t)(i * 13 + 1);
	for (size_t b = 0; b < 4; b++)
		for (size_t bytes = 1; bytes <= 64; bytes++) {
			const struct assay_part u = { context, 34 }, v = { context + 34, 46 };

			assert_int_equal(assay_kdfa(banks[b], key, sizeof(key), "STORAGE", &u, &v, bytes, ours, &err), 0);
			kbkdf(assay_bank_name(banks[b]), key, sizeof(key), "STORAGE", context, 80, theirs, bytes);
			assert_memory_equal(ours, theirs, bytes);
			assert_int_equal(assay_kdfa(banks[b], key, 20, "INTEGRITY", NULL, NULL, bytes, ours, &err), 0);
			kbkdf(assay_bank_name(banks[b]), key, 20, "INTEGRITY", context, 0, theirs, bytes);
			assert_memory_equal(ours, theirs, bytes);
		}
}

/* --- credentials -------------------------------------------------------------------------------- */

/* Opens a credential as a TPM would that has this RSA key. */
static void open_credential(EVP_PKEY *pkey, const struct assay_credential *c, const char *md, const uint8_t *name, size_t name_len,
			    uint8_t *out, size_t want)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	uint8_t seed[512], aes[16], mac_key[64], context[66], mac[64];
	size_t seed_len = sizeof(seed), mac_len = 0;
	int n = 0;
	enum assay_bank bank;

	assert_true(assay_bank_from_name(md, &bank));
	const size_t size = assay_bank_size(bank);
	assert_int_equal(EVP_PKEY_decrypt_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, md, NULL), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, md, NULL), 1);
	assert_int_equal(EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, OPENSSL_memdup("IDENTITY", 9), 9), 1);
	assert_int_equal(c->seed[0] << 8 | c->seed[1], c->seed_len - 2);
	assert_int_equal(EVP_PKEY_decrypt(ctx, seed, &seed_len, c->seed + 2, c->seed_len - 2), 1);
	EVP_PKEY_CTX_free(ctx);
	assert_int_equal(seed_len, size);
	memcpy(context, name, name_len);
	kbkdf(md, seed, size, "STORAGE", context, name_len, aes, 16);
	kbkdf(md, seed, size, "INTEGRITY", context, 0, mac_key, size);
	assert_int_equal(c->blob[0] << 8 | c->blob[1], c->blob_len - 2);
	assert_int_equal(c->blob[2] << 8 | c->blob[3], size);
	const uint8_t *encrypted = c->blob + 4 + size;
	const size_t encrypted_len = c->blob_len - 4 - size;
	uint8_t maced[256];
	memcpy(maced, encrypted, encrypted_len);
	memcpy(maced + encrypted_len, name, name_len);
	assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, md, NULL, mac_key, size, maced, encrypted_len + name_len, mac, sizeof(mac), &mac_len));
	assert_int_equal(mac_len, size);
	assert_memory_equal(mac, c->blob + 4, size);
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	uint8_t iv[16] = { 0 }, plain[128];
	assert_int_equal(EVP_DecryptInit_ex(cipher, EVP_aes_128_cfb128(), NULL, aes, iv), 1);
	assert_int_equal(EVP_DecryptUpdate(cipher, plain, &n, encrypted, (int)encrypted_len), 1);
	EVP_CIPHER_CTX_free(cipher);
	assert_int_equal(n, want + 2);
	assert_int_equal(plain[0] << 8 | plain[1], want);
	memcpy(out, plain + 2, want);
}

static struct assay_tpm_public rsa_ek(EVP_PKEY *pkey, uint8_t *n, uint16_t name_alg)
{
	BIGNUM *bn = NULL;

	assert_int_equal(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &bn), 1);
	assert_int_equal(BN_bn2binpad(bn, n, 256), 256);
	BN_free(bn);
	return (struct assay_tpm_public){
		.kind = ASSAY_TPM_RSA,
		.name_alg = name_alg,
		.attributes = ASSAY_TPMA_RESTRICTED | ASSAY_TPMA_DECRYPT,
		.symmetric = 6,
		.symmetric_bits = 128,
		.symmetric_mode = 0x43,
		.scheme = 0x10,
		.bits = 2048,
		.exponent = 65537,
		.n = n,
		.n_len = 256,
	};
}

static void test_credential(void **state)
{
	EVP_PKEY *pkey = EVP_RSA_gen(2048);
	uint8_t n[256], name[66] = { 0, 11 }, secret[64], out[64];
	const struct {
		uint16_t alg;
		const char *md;
		size_t size;
	} rows[] = { { 0x04, "sha1", 20 }, { 0x0b, "sha256", 32 }, { 0x0c, "sha384", 48 }, { 0x0d, "sha512", 64 } };

	(void)state;
	assert_non_null(pkey);
	memset(secret, 0x5a, sizeof(secret));
	memset(name + 2, 0xa5, 32);
	for (size_t i = 0; i < 4; i++) {
		struct assay_tpm_public ek = rsa_ek(pkey, n, rows[i].alg);
		struct assay_credential c;

		assert_true(assay_tpm_public_is(&ek, pkey));
		for (size_t len = 1; len <= rows[i].size; len += rows[i].size - 1) {
			assert_int_equal(assay_credential_make(&ek, name, 34, secret, len, &c, &err), 0);
			open_credential(pkey, &c, rows[i].md, name, 34, out, len);
			assert_memory_equal(out, secret, len);
		}
		assert_int_equal(assay_credential_make(&ek, name, 34, secret, rows[i].size + 1, &c, &err), -1);
		assert_int_equal(err.code, ASSAY_E_USAGE);
		assert_int_equal(assay_credential_make(&ek, name, 34, secret, 0, &c, &err), -1);
		assert_int_equal(err.code, ASSAY_E_USAGE);
	}
	n[255] ^= 2;
	struct assay_tpm_public other = rsa_ek(pkey, n, 0x0b);
	n[255] ^= 2;
	assert_false(assay_tpm_public_is(&other, pkey));
	EVP_PKEY_free(pkey);
}

static void test_credential_refused(void **state)
{
	EVP_PKEY *pkey = EVP_RSA_gen(2048);
	uint8_t n[256], name[34] = { 0, 11 }, secret[32] = { 1 };
	const struct assay_tpm_public good = rsa_ek(pkey, n, 0x0b);
	struct assay_credential c;

	(void)state;
#define REFUSED(change, words)                                                                     \
	do {                                                                                       \
		struct assay_tpm_public ek = good;                                                 \
		change;                                                                            \
		assert_int_equal(assay_credential_make(&ek, name, 34, secret, 32, &c, &err), -1);  \
		assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);                                   \
		assert_string_equal(err.msg, words);                                               \
	} while (0)
	REFUSED(ek.attributes = ASSAY_TPMA_DECRYPT, "the endorsement key is no restricted decryption key");
	REFUSED(ek.attributes |= ASSAY_TPMA_SIGN, "the endorsement key is no restricted decryption key");
	REFUSED(ek.symmetric = 0x10, "the endorsement key does not protect others by AES-CFB");
	REFUSED(ek.symmetric_bits = 129, "the endorsement key does not protect others by AES-CFB");
	REFUSED(ek.symmetric_mode = 0x42, "the endorsement key does not protect others by AES-CFB");
	REFUSED(ek.name_alg = 0x12, "the endorsement key's name is by hash 0x0012");
	REFUSED(ek.scheme = 0x17, "the endorsement key has a scheme (0x0017)");
	REFUSED(ek.bits = 1024, "the endorsement key is shorter than 2048 bits");
	REFUSED(ek.n_len = 0, "the endorsement key is a template");
#undef REFUSED
	EVP_PKEY_free(pkey);
}

/* A point that is not on its curve is not worked with. */
static void test_bad_point(void **state)
{
	uint8_t x[32] = { 1 }, y[32] = { 2 }, name[34] = { 0, 11 }, secret[32] = { 1 };
	const struct assay_tpm_public ek = {
		.kind = ASSAY_TPM_ECC,
		.name_alg = 0x0b,
		.attributes = ASSAY_TPMA_RESTRICTED | ASSAY_TPMA_DECRYPT,
		.symmetric = 6,
		.symmetric_bits = 128,
		.symmetric_mode = 0x43,
		.scheme = 0x10,
		.bits = 256,
		.curve = 3,
		.x = x,
		.x_len = 32,
		.y = y,
		.y_len = 32,
	};
	struct assay_credential c;

	(void)state;
	assert_null(assay_tpm_public_key(&ek));
	assert_int_equal(assay_credential_make(&ek, name, 34, secret, 32, &c, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CRYPTO);
}

/* --- files -------------------------------------------------------------------------------------- */

static void test_files(void **state)
{
	static const char *const requests[] = { "request-ek", "request-ek-ecc" }, *const challenges[] = { "challenge-ek", "challenge-ek-ecc" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		size_t n, back_len;
		ASSAY_AUTO_FREE char *text = corpus(requests[i], &n), *back = NULL;
		ASSAY_AUTO(assay_enroll_request) *r = NULL, *again = NULL;
		ASSAY_AUTO(assay_json) *o = NULL;

		assert_int_equal(assay_enroll_request_parse(text, n, &r, &err), 0);
		assert_int_equal(r->ek.kind, i == 0 ? ASSAY_TPM_RSA : ASSAY_TPM_ECC);
		assert_int_equal(assay_tpm_public_attests(&r->ak, &err), 0);
		assert_int_equal(r->ak_name_len, 34);
		assert_int_equal(assay_enroll_request_json(r->ak_public, r->ak_public_len, r->ek_public, r->ek_public_len,
							   r->ek_certificate, &o, &err), 0);
		assert_int_equal(assay_json_dump(o, &back, &back_len, &err), 0);
		assert_int_equal(assay_enroll_request_parse(back, back_len, &again, &err), 0);
		assert_string_equal(again->ek_certificate, r->ek_certificate);
		for (size_t cut = 0; cut < n - 2; cut++) { /* the last are "}" and a newline */
			ASSAY_AUTO(assay_enroll_request) *none = NULL;

			assert_int_equal(assay_enroll_request_parse(text, cut, &none, &err), -1);
			assert_null(none);
		}
	}
	for (size_t i = 0; i < 2; i++) {
		size_t n;
		ASSAY_AUTO_FREE char *text = corpus(challenges[i], &n);
		ASSAY_AUTO(assay_enroll_challenge) *c = NULL;

		assert_int_equal(assay_enroll_challenge_parse(text, n, &c, &err), 0);
		assert_int_equal(c->ek, i == 0 ? ASSAY_TPM_RSA : ASSAY_TPM_ECC);
		assert_int_equal(c->ek_name_len, 34);
		for (size_t cut = 0; cut < n - 2; cut++) {
			ASSAY_AUTO(assay_enroll_challenge) *none = NULL;

			assert_int_equal(assay_enroll_challenge_parse(text, cut, &none, &err), -1);
		}
	}
	size_t n;
	ASSAY_AUTO_FREE char *text = corpus("answer-ek", &n);
	struct assay_enroll_answer a;
	assert_int_equal(assay_enroll_answer_parse(text, n, &a, &err), 0);
	for (size_t cut = 0; cut < n - 2; cut++)
		assert_int_equal(assay_enroll_answer_parse(text, cut, &a, &err), -1);
}

static void test_files_bad(void **state)
{
	static const struct {
		const char *text, *msg;
	} answers[] = {
		{ "[]", "schema is not assay.ak-answer/1" },
		{ "{\"schema\":\"assay.ak-answer/2\"}", "schema is not assay.ak-answer/1" },
		{ "{\"schema\":\"assay.ak-answer/1\",\"id\":\"\"}", "the answer has no 'secret'" },
		{ "{\"schema\":\"assay.ak-answer/1\",\"id\":\"\",\"secret\":\"\",\"x\":1}", "the answer has members that are not known" },
		{ "{\"schema\":\"assay.ak-answer/1\",\"id\":\"../../../../../../../../../../../../../../../../../../../../etc/a\",\"secret\":\"\"}",
		  "'id' is not 64 lower-case hex digits" },
		{ "{\"schema\":\"assay.ak-answer/1\",\"id\":\"000000000000000000000000000000000000000000000000000000000000000A\",\"secret\":\"\"}",
		  "'id' is not 64 lower-case hex digits" },
		{ "{\"schema\":\"assay.ak-answer/1\",\"id\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"secret\":\"00\"}",
		  "'secret' is not 64 hex digits" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct assay_enroll_answer a;

		assert_int_equal(assay_enroll_answer_parse(answers[i].text, strlen(answers[i].text), &a, &err), -1);
		assert_string_equal(err.msg, answers[i].msg);
	}
	/* The ceiling: blanks after it are JSON, so one of just that size is taken. */
	size_t n;
	ASSAY_AUTO_FREE char *text = corpus("answer-ek", &n), *big = malloc(ASSAY_ENROLL_MAX_FILE + 1);
	struct assay_enroll_answer a;
	assert_non_null(big);
	memset(big, ' ', ASSAY_ENROLL_MAX_FILE + 1);
	memcpy(big, text, n);
	assert_int_equal(assay_enroll_answer_parse(big, ASSAY_ENROLL_MAX_FILE, &a, &err), 0);
	assert_int_equal(assay_enroll_answer_parse(big, ASSAY_ENROLL_MAX_FILE + 1, &a, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
}

/* --- memory ------------------------------------------------------------------------------------- */

static char *memory_text[3];
static size_t memory_len[3];

static int memory_files(struct assay_err *e)
{
	ASSAY_AUTO(assay_enroll_request) *r = NULL;
	ASSAY_AUTO(assay_enroll_challenge) *c = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	ASSAY_AUTO(assay_json) *o = NULL;
	struct assay_enroll_answer a;
	size_t n;

	if (assay_enroll_request_parse(memory_text[0], memory_len[0], &r, e) < 0 ||
	    assay_enroll_challenge_parse(memory_text[1], memory_len[1], &c, e) < 0 ||
	    assay_enroll_answer_parse(memory_text[2], memory_len[2], &a, e) < 0 ||
	    assay_enroll_request_json(r->ak_public, r->ak_public_len, r->ek_public, r->ek_public_len, r->ek_certificate, &o, e) < 0)
		return -1;
	return assay_json_dump(o, &text, &n, e);
}

static int memory_credential(struct assay_err *e)
{
	ASSAY_AUTO(assay_enroll_request) *r = NULL;
	struct assay_credential c;
	uint8_t secret[32] = { 0 };

	if (assay_enroll_request_parse(memory_text[0], memory_len[0], &r, e) < 0)
		return -1;
	return assay_credential_make(&r->ek, r->ak_name, r->ak_name_len, secret, 32, &c, e);
}

static void test_memory(void **state)
{
	(void)state;
	memory_text[0] = corpus("request-ek", &memory_len[0]);
	memory_text[1] = corpus("challenge-ek", &memory_len[1]);
	memory_text[2] = corpus("answer-ek", &memory_len[2]);
	unit_alloc_each(memory_files, false);
	unit_alloc_each(memory_credential, false);
	free(memory_text[0]);
	memory_text[0] = corpus("request-ek-ecc", &memory_len[0]);
	unit_alloc_each(memory_credential, false);
	for (size_t i = 0; i < 3; i++)
		free(memory_text[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kdfa),	  cmocka_unit_test(test_credential),
		cmocka_unit_test(test_credential_refused), cmocka_unit_test(test_bad_point),
		cmocka_unit_test(test_files),	  cmocka_unit_test(test_files_bad),
		cmocka_unit_test(test_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
