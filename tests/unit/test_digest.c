/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <strings.h>

#include "core/digest.h"
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

/* FIPS 180-4 examples (NIST "Example Values"): "abc", nothing, and the two-block message. */
static const struct {
	const char *text;
	const char *hex[ASSAY_N_BANKS];
} vectors[] = {
	{ "abc",
	  { "a9993e364706816aba3e25717850c26c9cd0d89d",
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	    "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
	    "8086072ba1e7cc2358baeca134c825a7",
	    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" } },
	{ "",
	  { "da39a3ee5e6b4b0d3255bfef95601890afd80709",
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	    "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
	    "274edebfe76f65fbd51ad2f14898b95b",
	    "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
	    "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e" } },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	  { "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
	    "3391fdddfc8dc7393707a65b1b4709397cf8b1d162af05abfe8f450de5f36bc6"
	    "b0455a8520bc4e6f5fe95b1fe3c8452b",
	    "204a8fc6dda82f0a0ced7beb8e08a41657c16ef468b228a8279be331a703c335"
	    "96fd15c13b1b07f9aa1d3bea57789ca031ad85c7a71dd70354ec631238ca3445" } },
};

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const size_t len = strlen(vectors[i].text);
		struct assay_digests d;
		struct assay_err err;
		char hex[ASSAY_HEX_MAX];

		assert_int_equal(assay_digest_mem(ASSAY_ALL_BANKS, vectors[i].text, len, &d, &err),
				 0);
		assert_int_equal(d.banks, ASSAY_ALL_BANKS);
		for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
			assert_string_equal(assay_hex(d.d[b], assay_bank_size(b), hex),
					    vectors[i].hex[b]);
	}
}

/* Cut anywhere, the parts have the digest of the whole. */
static void test_parts(void **state)
{
	const char *text = vectors[2].text;
	const size_t len = strlen(text);
	struct assay_digests whole, d;
	struct assay_err err;

	(void)state;
	assert_int_equal(assay_digest_mem(ASSAY_ALL_BANKS, text, len, &whole, &err), 0);
	for (size_t cut = 0; cut <= len; cut++) {
		const struct assay_part parts[] = { { text, cut },
						    { NULL, 0 },
						    { text + cut, len - cut } };
		uint8_t one[32];

		assert_int_equal(assay_digest_parts(ASSAY_ALL_BANKS, parts, 3, &d, &err), 0);
		assert_true(assay_digests_equal(&whole, &d));
		assert_int_equal(assay_digest_one(ASSAY_SHA256, parts, 3, one, &err), 0);
		assert_memory_equal(one, whole.d[ASSAY_SHA256], 32);
	}
}

static void test_banks_asked_for(void **state)
{
	static const uint8_t none[ASSAY_MAX_DIGEST];
	struct assay_digests d, before;
	struct assay_err err;

	(void)state;
	assert_int_equal(assay_digest_mem(ASSAY_BANK_BIT(ASSAY_SHA384), "abc", 3, &d, &err), 0);
	assert_int_equal(d.banks, ASSAY_BANK_BIT(ASSAY_SHA384));
	assert_memory_equal(d.d[ASSAY_SHA1], none, sizeof(none));
	assert_memory_equal(d.d[ASSAY_SHA384] + 48, none, 16);
	before = d;
	assert_int_equal(assay_digest_mem(ASSAY_ALL_BANKS + 1, "abc", 3, &d, &err), -1);
	assert_int_equal(err.code, ASSAY_E_USAGE);
	assert_memory_equal(&before, &d, sizeof(d));
}

static void test_names(void **state)
{
	/* TPM_ALG_ID of the TCG Algorithm Registry. */
	static const struct {
		const char *name, *dashed;
		size_t size;
		uint16_t id;
	} rows[] = {
		{ "sha1", "SHA-1", 20, 4 },
		{ "sha256", "Sha-256", 32, 0xb },
		{ "sha384", "SHA-384", 48, 0xc },
		{ "sha512", "sha-512", 64, 0xd },
	};
	enum assay_bank bank;

	(void)state;
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		assert_string_equal(assay_bank_name(b), rows[b].name);
		assert_int_equal(assay_bank_size(b), rows[b].size);
		assert_int_equal(assay_bank_tcg_id(b), rows[b].id);
		assert_true(assay_bank_from_tcg_id(rows[b].id, &bank) && bank == b);
		assert_true(assay_bank_from_name(rows[b].name, &bank) && bank == b);
		assert_true(assay_bank_from_name(rows[b].dashed, &bank) && bank == b);
	}
	assert_false(assay_bank_from_tcg_id(0x12, &bank)); /* SM3 */
	assert_false(assay_bank_from_tcg_id(0, &bank));
	assert_false(assay_bank_from_name("sha25", &bank));
	assert_false(assay_bank_from_name("sha2567", &bank));
	assert_false(assay_bank_from_name("", &bank));
}

static void test_list(void **state)
{
	static const char *const bad[] = { "",	       ",",	     "sha1,", ",sha1",
					   "sha1,md5", "sha1,sha-1", "sha1 ", "sm3_256" };
	struct assay_err err;
	unsigned mask = 99;

	(void)state;
	assert_int_equal(assay_bank_list("sha1", &mask, &err), 0);
	assert_int_equal(mask, 1);
	assert_int_equal(assay_bank_list("SHA-512,sha1,sha256,sha384", &mask, &err), 0);
	assert_int_equal(mask, ASSAY_ALL_BANKS);
	mask = 99;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(assay_bank_list(bad[i], &mask, &err), -1);
		assert_int_equal(err.code, ASSAY_E_USAGE);
		assert_int_equal(mask, 99);
	}
	assert_int_equal(assay_bank_list("sha1,md5", &mask, &err), -1);
	assert_non_null(strstr(err.msg, "'md5'"));
}

static void test_equal(void **state)
{
	struct assay_digests a, b;
	struct assay_err err;

	(void)state;
	assert_int_equal(assay_digest_mem(3, "abc", 3, &a, &err), 0);
	b = a;
	assert_true(assay_digests_equal(&a, &b));
	for (size_t i = 0; i < 32; i++) {
		b = a;
		b.d[ASSAY_SHA256][i] ^= 1;
		assert_false(assay_digests_equal(&a, &b));
	}
	b = a;
	b.banks = 1;
	assert_false(assay_digests_equal(&a, &b));
	b = a;
	b.d[ASSAY_SHA512][0] ^= 1; /* not one of its banks */
	assert_true(assay_digests_equal(&a, &b));
	assert_true(assay_bytes_equal(NULL, NULL, 0));
	assert_true(assay_bytes_equal("abc", "abd", 2));
	assert_false(assay_bytes_equal("abc", "abd", 3));
}

static void test_hex(void **state)
{
	uint8_t all[256], back[256];
	char hex[513];

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	assay_hex(all, sizeof(all), hex);
	assert_int_equal(strlen(hex), 512);
	assert_int_equal(strncmp(hex + 2 * 0xab, "abacad", 6), 0);
	assert_true(assay_unhex(hex, 512, back, 256));
	assert_memory_equal(all, back, 256);
	for (size_t i = 0; i < 512; i++)
		hex[i] = (char)(hex[i] >= 'a' ? hex[i] - 32 : hex[i]);
	assert_true(assay_unhex(hex, 512, back, 256));
	assert_memory_equal(all, back, 256);
	assert_string_equal(assay_hex(NULL, 0, hex), "");
	assert_true(assay_unhex("", 0, back, 0));
	assert_false(assay_unhex("0", 1, back, 0));
	assert_false(assay_unhex("00", 2, back, 0));
	assert_false(assay_unhex("00", 2, back, 2));
	assert_false(assay_unhex("000", 3, back, 1));
	for (unsigned c = 0; c < 256; c++) {
		const char two[2] = { '0', (char)c };
		const bool digit = c != 0 && strchr("0123456789abcdefABCDEF", (int)c) != NULL;

		back[0] = 0x77;
		assert_int_equal(assay_unhex(two, 2, back, 1), digit);
		if (!digit)
			assert_int_equal(back[0], 0x77);
	}
}

/* What a TPM does: new = H(old || digest). The known answer is of a zero PCR extended by zeros. */
static void test_extend(void **state)
{
	uint8_t pcr[32] = { 0 };
	const uint8_t zero[32] = { 0 };
	const struct assay_part parts[] = { { pcr, 32 }, { zero, 32 } };
	struct assay_err err;
	char hex[65];

	(void)state;
	assert_int_equal(assay_digest_one(ASSAY_SHA256, parts, 2, pcr, &err), 0);
	assert_string_equal(assay_hex(pcr, 32, hex), /* sha256 of 64 zero bytes */
			    "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b");
}

static void *hash_many(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		struct assay_digests d;
		char hex[ASSAY_HEX_MAX];

		if (assay_digest_mem(ASSAY_ALL_BANKS, "abc", 3, &d, NULL) < 0 ||
		    strcmp(assay_hex(d.d[1], 32, hex), vectors[0].hex[1]) != 0)
			return arg;
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hash_many, &threads), 0);
	for (int i = 0; i < 4; i++) {
		void *bad;

		assert_int_equal(pthread_join(threads[i], &bad), 0);
		assert_null(bad);
	}
}

/* Against the other implementation that is at hand: coreutils. */
static void test_coreutils(void **state)
{
	struct assay_digests d;
	struct assay_err err;
	uint8_t data[300];

	(void)state;
	if (!unit_have("sha1sum") || !unit_have("sha512sum"))
		unit_skip("sha1sum and its kin are missing");
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + 3);
	for (size_t len = 100; len < sizeof(data); len += 61) {
		assert_int_equal(assay_digest_mem(ASSAY_ALL_BANKS, data, len, &d, &err), 0);
		for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
			char path[] = "/tmp/assay-test-XXXXXX", command[100], hex[200] = "";
			char want[ASSAY_HEX_MAX];
			const int fd = mkstemp(path);
			FILE *p;

			assert_true(fd >= 0);
			assert_int_equal(write(fd, data, len), len);
			close(fd);
			snprintf(command, sizeof(command), "%ssum < %s", assay_bank_name(b), path);
			p = popen(command, "r");
			assert_non_null(p);
			assert_non_null(fgets(hex, sizeof(hex), p));
			pclose(p);
			unlink(path);
			assay_hex(d.d[b], assay_bank_size(b), want);
			assert_int_equal(strncmp(hex, want, strlen(want)), 0);
		}
	}
}

/* In a thread of its own each time, since the context is made once a thread. */
static void *digest_in_thread(void *arg)
{
	struct assay_digests d;

	return assay_digest_mem(ASSAY_ALL_BANKS, "abc", 3, &d, arg) < 0 ? arg : NULL;
}

static int digest_once(struct assay_err *err)
{
	pthread_t thread;
	void *bad;

	if (pthread_create(&thread, NULL, digest_in_thread, err) != 0)
		return assay_fail_mem(err);
	pthread_join(thread, &bad);
	return bad ? -1 : 0;
}

static void test_out_of_memory(void **state)
{
	(void)state;
	unit_alloc_each(digest_once, false);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_vectors),
	cmocka_unit_test(test_parts),
	cmocka_unit_test(test_banks_asked_for),
	cmocka_unit_test(test_names),
	cmocka_unit_test(test_list),
	cmocka_unit_test(test_equal),
	cmocka_unit_test(test_hex),
	cmocka_unit_test(test_extend),
	cmocka_unit_test(test_threads),
	cmocka_unit_test(test_coreutils),
	cmocka_unit_test(test_out_of_memory),
};

UNIT_MAIN(tests)
