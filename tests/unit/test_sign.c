/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and signatures: the DSSE specification's example, each kind, kinds that are refused, passphrases, memory. */
#include "tests/unit/alloc.h"
#include "tests/unit/sign_build.h"

static struct assay_err err;
static const char *const kinds[] = { "ED25519", "P-256", "P-384", "RSA" };
enum { N_KINDS = 4 };

static uint8_t *unhex(const char *hex, size_t *ret_len)
{
	uint8_t *p = malloc(strlen(hex) / 2);

	*ret_len = strlen(hex) / 2;
	for (size_t i = 0; i < *ret_len; i++)
		assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &p[i]), 1);
	return p;
}

/* protocol.md, "Test Vectors": key, payload and signature; its signature is r and s, 32 bytes each, here in DER. */
static void test_vector(void **state)
{
	static const char spki[] = "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
				   "67cd390f77aa359cb08c2235f652270493a9ed832b0abcc01f70954c0390d238"
				   "0c782bd54e269125a44f4433aff1432ce94e12bca73aa67ac80cea12608ddf74";
	static const char der[] = "3044022003726ab101ad56c2763b6c6aac8e487275e2a79193a09dc5f859d9f8ef3c4a3b"
				  "022051eab0c06a369b64a7222537d4887a893dc200ae21060074d57825235b624864";
	ASSAY_AUTO(assay_envelope) *env = NULL;
	ASSAY_AUTO(assay_key) *key = NULL;
	ASSAY_AUTO_FREE uint8_t *pae = NULL, *sig = NULL, *pub = NULL;
	size_t pae_len, sig_len, pub_len;
	char path[64];
	bool good;

	(void)state;
	assert_int_equal(assay_envelope_new("http://example.com/HelloWorld", "hello world", 11, &env, &err), 0);
	assert_int_equal(assay_envelope_pae(env, &pae, &pae_len, &err), 0);
	assert_int_equal(pae_len, strlen("DSSEv1 29 http://example.com/HelloWorld 11 hello world"));
	assert_memory_equal(pae, "DSSEv1 29 http://example.com/HelloWorld 11 hello world", pae_len);
	pub = unhex(spki, &pub_len);
	sig = unhex(der, &sig_len);
	sign_file(pub, pub_len, path);
	if (assay_key_load(path, &key, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(key->kind, ASSAY_KEY_P256);
	/* printf SPKI | xxd -r -p | sha256sum */
	assert_string_equal(key->id, "f793580060562d6ff075d814ea698c282fcc779b0cde64d79ffc6301df00d14b");
	assert_int_equal(assay_key_verify(key, sig, sig_len, pae, pae_len, &good, &err), 0);
	assert_true(good);
	for (size_t i = 0; i < pae_len; i++) {
		pae[i] ^= 1;
		assert_int_equal(assay_key_verify(key, sig, sig_len, pae, pae_len, &good, &err), 0);
		assert_false(good);
		pae[i] ^= 1;
	}
}

static void test_kinds(void **state)
{
	static const char msg[] = "message";
	struct sign_pair pairs[N_KINDS];

	(void)state;
	for (size_t k = 0; k < N_KINDS; k++) {
		sign_pair(&pairs[k], kinds[k]);
		assert_int_equal(pairs[k].key->kind, k);
		assert_string_equal(assay_signer_key(pairs[k].signer)->id, pairs[k].key->id);
		assert_int_equal(strlen(pairs[k].key->id), 64);
	}
	for (size_t k = 0; k < N_KINDS; k++) {
		ASSAY_AUTO_FREE uint8_t *sig = NULL;
		size_t len;
		bool good;

		assert_int_equal(assay_signer_sign(pairs[k].signer, msg, sizeof(msg), &sig, &len, &err), 0);
		for (size_t other = 0; other < N_KINDS; other++) {
			assert_int_equal(assay_key_verify(pairs[other].key, sig, len, msg, sizeof(msg), &good, &err), 0);
			assert_int_equal(good, other == k);
		}
		for (size_t cut = 0; cut < len; cut++) {
			assert_int_equal(assay_key_verify(pairs[k].key, sig, cut, msg, sizeof(msg), &good, &err), 0);
			assert_false(good);
		}
		for (size_t bit = 0; bit < 8 * len; bit++) {
			sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(assay_key_verify(pairs[k].key, sig, len, msg, sizeof(msg), &good, &err), 0);
			assert_false(good);
			sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
	for (size_t k = 0; k < N_KINDS; k++)
		sign_pair_free(&pairs[k]);
}

static void expect_refused(EVP_PKEY *pkey, const char *word)
{
	ASSAY_AUTO(assay_signer) *signer = NULL;
	ASSAY_AUTO(assay_key) *key = NULL;
	char private[64], public[64];

	sign_pem(pkey, NULL, private, public);
	EVP_PKEY_free(pkey);
	assert_int_equal(assay_signer_load(private, NULL, &signer, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	if (!strstr(err.msg, word))
		fail_msg("no %s in: %s", word, err.msg);
	assert_int_equal(assay_key_load(public, &key, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	assert_non_null(strstr(err.msg, word));
}

static void test_refused_kinds(void **state)
{
	static const char *const none[][2] = { { "P-521", "secp521r1" }, { "secp256k1", "secp256k1" }, { "ED448", "ED448" },
					       { "RSA1024", "1024 bits" }, { "RSA-PSS", "RSA-PSS" } };
	EVP_PKEY *pkey;

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		expect_refused(sign_keygen(none[i][0]), none[i][1]);
	pkey = sign_keygen("P-256");
	assert_true(EVP_PKEY_set_utf8_string_param(pkey, "encoding", "explicit"));
	expect_refused(pkey, "spelled out");
}

/* The same key with its point compressed has the same name: it is one signer. */
static void test_compressed(void **state)
{
	EVP_PKEY *pkey = sign_keygen("P-256");
	ASSAY_AUTO(assay_key) *a = NULL, *b = NULL;
	char private[64], plain[64], compressed[64];

	(void)state;
	sign_pem(pkey, NULL, private, plain);
	assert_true(EVP_PKEY_set_utf8_string_param(pkey, "point-format", "compressed"));
	sign_pem(pkey, NULL, private, compressed);
	EVP_PKEY_free(pkey);
	assert_int_equal(assay_key_load(plain, &a, &err), 0);
	assert_int_equal(assay_key_load(compressed, &b, &err), 0);
	assert_string_equal(a->id, b->id);
}

struct answer {
	const char *text;
	unsigned asked;
};

static int answer(void *arg, const char *what, char *buf, size_t size)
{
	struct answer *a = arg;

	assert_true(strlen(a->text) <= size && strncmp(what, "/proc/", 6) == 0);
	a->asked++;
	memcpy(buf, a->text, strlen(a->text));
	return (int)strlen(a->text);
}

static void test_passphrase(void **state)
{
	ASSAY_AUTO(assay_signer) *signer = NULL;
	struct answer a = { "right", 0 };
	const struct assay_secret secret = { answer, &a };
	EVP_PKEY *pkey = sign_keygen("P-256");
	char private[64], public[64];

	(void)state;
	sign_pem(pkey, "right", private, public);
	EVP_PKEY_free(pkey);
	if (assay_signer_load(private, &secret, &signer, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(a.asked, 1);
	assay_signer_free(&signer);
	a = (struct answer){ "wrong", 0 };
	assert_int_equal(assay_signer_load(private, &secret, &signer, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CRYPTO);
	assert_non_null(strstr(err.msg, "wrong"));
	assert_int_equal(a.asked, 1);
	assert_int_equal(assay_signer_load(private, NULL, &signer, &err), -1);
	assert_non_null(strstr(err.msg, "asks for"));
}

static void test_files(void **state)
{
	static const char junk[] = "no key";
	ASSAY_AUTO(assay_signer) *signer = NULL;
	ASSAY_AUTO(assay_key) *key = NULL;
	struct sign_pair p;
	char path[64];

	(void)state;
	sign_pair(&p, "ED25519");
	assert_int_equal(assay_signer_load(p.public, NULL, &signer, &err), -1);
	assert_non_null(strstr(err.msg, "public key, where the private"));
	assert_int_equal(assay_key_load(p.private, &key, &err), -1);
	assert_non_null(strstr(err.msg, "private key, where the public"));
	sign_file(junk, sizeof(junk), path);
	assert_int_equal(assay_signer_load(path, NULL, &signer, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
	assert_int_equal(assay_key_load(path, &key, &err), -1);
	sign_file("", 0, path);
	assert_int_equal(assay_key_load(path, &key, &err), -1);
	assert_int_equal(assay_key_load("/nonesuch", &key, &err), -1);
	assert_int_equal(err.code, ASSAY_E_IO);
	sign_pair_free(&p);
}

static void test_uri_text(void **state)
{
	static const char *const pairs[][2] = {
		{ "key.pem", "key.pem" },
		{ "pkcs11:token=a?pin-value=1234", "pkcs11:token=a?pin-value=..." },
		{ "pkcs11:token=a?pin-value=1&module-name=x", "pkcs11:token=a?pin-value=.&module-name=x" },
		{ "pkcs11:a?pin-value=12345&pin-value=678", "pkcs11:a?pin-value=...&pin-value=..." },
		{ "pkcs11:a?pin-value=", "pkcs11:a?pin-value=" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		ASSAY_AUTO_FREE char *text = assay_key_uri_text(pairs[i][0]);

		assert_string_equal(text, pairs[i][1]);
	}
}

static struct sign_pair signer_pair;

static int sign_once(struct assay_err *e)
{
	ASSAY_AUTO(assay_envelope) *env = NULL;

	if (assay_envelope_new(ASSAY_INTOTO_PAYLOAD, sign_statement, strlen(sign_statement), &env, e) < 0)
		return -1;
	if (assay_manifest_sign(env, signer_pair.signer, NULL, e) == 0)
		return 0;
	assert_int_equal(env->n_sigs, 0);
	return -1;
}

static void test_sign(void **state)
{
	ASSAY_AUTO(assay_envelope) *env = NULL, *other = NULL, *odd = NULL;
	struct sign_pair p;

	(void)state;
	sign_pair(&p, "ED25519");
	assert_int_equal(assay_envelope_new(ASSAY_INTOTO_PAYLOAD, sign_statement, strlen(sign_statement), &env, &err), 0);
	assert_int_equal(assay_manifest_sign(env, p.signer, NULL, &err), 0);
	assert_int_equal(env->n_sigs, 1);
	assert_string_equal(env->sigs[0].keyid, p.key->id);
	/* Again: by its signature, whatever its key id says. */
	assert_int_equal(assay_manifest_sign(env, p.signer, NULL, &err), -1);
	assert_int_equal(err.code, ASSAY_E_USAGE);
	env->sigs[0].keyid[0] = '\0';
	assert_int_equal(assay_manifest_sign(env, p.signer, NULL, &err), -1);
	assert_non_null(strstr(err.msg, "already"));
	/* And by its key id, if the signature is not one. */
	strcpy(env->sigs[0].keyid, p.key->id); /* NOLINT: it was as long */
	env->sigs[0].sig[0] ^= 1;
	assert_int_equal(assay_manifest_sign(env, p.signer, NULL, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CRYPTO);
	assert_int_equal(env->n_sigs, 1);

	assert_int_equal(assay_envelope_new(ASSAY_INTOTO_PAYLOAD, "{}", 2, &other, &err), 0);
	assert_int_equal(assay_manifest_sign(other, p.signer, NULL, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	static const char unknown[] = "{\"payload\":\"e30=\",\"payloadType\":\"application/vnd.in-toto+json\",\"signatures\":[],\"x\":1}";
	assert_int_equal(assay_envelope_parse(unknown, strlen(unknown), &odd, &err), 0);
	assert_int_equal(assay_manifest_sign(odd, p.signer, NULL, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "\"x\""));
	sign_pair_free(&p);
}

/* Loading is left out: OpenSSL 3.0 itself falls over when its decoders run out of memory. */
static void test_memory(void **state)
{
	(void)state;
	for (size_t k = 0; k < N_KINDS; k++) {
		sign_pair(&signer_pair, kinds[k]);
		unit_alloc_each(sign_once, false);
		sign_pair_free(&signer_pair);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_vector), cmocka_unit_test(test_kinds), cmocka_unit_test(test_refused_kinds),
	cmocka_unit_test(test_compressed), cmocka_unit_test(test_passphrase), cmocka_unit_test(test_files),
	cmocka_unit_test(test_uri_text), cmocka_unit_test(test_sign), cmocka_unit_test(test_memory),
};
UNIT_MAIN(tests)
