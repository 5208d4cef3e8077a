/* SPDX-License-Identifier: Apache-2.0 */
/* Two streams of SHA-256 against OpenSSL's, and against NIST's published examples. */
#include "tests/unit/unit.h"

#include <openssl/evp.h>

#include "core/digest.h"
#include "core/sha256x2.h"

static void need(struct assay_sha256x2 *x, const void *prefix, size_t len)
{
	if (!assay_sha256x2_init(x, prefix, len))
		unit_skip("this processor has no SHA extensions");
}

static void oracle(const void *prefix, size_t n, const void *p, size_t len, uint8_t ret[32])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_int_equal(EVP_DigestInit(ctx, EVP_sha256()), 1);
	assert_int_equal(EVP_DigestUpdate(ctx, prefix, n), 1);
	assert_int_equal(EVP_DigestUpdate(ctx, p, len), 1);
	assert_int_equal(EVP_DigestFinal(ctx, ret, NULL), 1);
	EVP_MD_CTX_free(ctx);
}

/* NIST, "Cryptographic Standards and Guidelines: Examples with Intermediate Values", SHA-256, and
 * FIPS 180-2, B. */
static void nist(void **state)
{
	static const struct {
		const char *text, *hex;
	} rows[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};
	struct assay_sha256x2 x;
	uint8_t a[32], b[32];
	char hex[65];

	(void)state;
	need(&x, NULL, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const size_t len = strlen(rows[i].text);
		char other[64] = { 0 };

		/* Each in either stream, the other one busy with something else. */
		assay_sha256x2(&x, rows[i].text, other, len, a, b);
		assert_string_equal(assay_hex(a, 32, hex), rows[i].hex);
		assay_sha256x2(&x, other, rows[i].text, len, a, b);
		assert_string_equal(assay_hex(b, 32, hex), rows[i].hex);
	}
	/* A million times "a" */
	char *many = malloc(1000000);

	memset(many, 'a', 1000000);
	assay_sha256x2(&x, many, many, 1000000, a, b);
	assert_string_equal(assay_hex(a, 32, hex),
			    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	assert_memory_equal(a, b, 32);
	free(many);
}

static uint32_t seed = 1;
static uint32_t random32(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	return seed ^= seed << 5;
}

/* Each length around the padding's edges with each prefix, and long ones by chance; each in memory
 * of its own size. */
static void one(size_t prefix_len, size_t len, unsigned shift_a, unsigned shift_b)
{
	uint8_t *prefix = malloc(prefix_len + 1), *a = malloc(len + shift_a),
		*b = malloc(len + shift_b);
	uint8_t got_a[32], got_b[32], want[32];
	struct assay_sha256x2 x;

	for (size_t i = 0; i < prefix_len; i++)
		prefix[i] = (uint8_t)random32();
	for (size_t i = 0; i < len; i++) {
		a[shift_a + i] = (uint8_t)random32();
		b[shift_b + i] = (uint8_t)random32();
	}
	assert_true(assay_sha256x2_init(&x, prefix, prefix_len));
	assay_sha256x2(&x, a + shift_a, b + shift_b, len, got_a, got_b);
	oracle(prefix, prefix_len, a + shift_a, len, want);
	assert_memory_equal(got_a, want, 32);
	oracle(prefix, prefix_len, b + shift_b, len, want);
	assert_memory_equal(got_b, want, 32);
	free(prefix);
	free(a);
	free(b);
}

static void lengths(void **state)
{
	static const size_t prefixes[] = { 0, 1, 31, 32, 55, 56, 63, 64, 65, 128, 200, 255, 256 };
	struct assay_sha256x2 x;

	(void)state;
	need(&x, NULL, 0);
	for (size_t p = 0; p < sizeof(prefixes) / sizeof(prefixes[0]); p++)
		for (size_t len = 0; len < 200; len++)
			one(prefixes[p], len, (unsigned)(len % 16), (unsigned)(p % 16));
	for (int i = 0; i < 300; i++)
		one(random32() % 300, random32() % 20000, random32() % 64, random32() % 64);
}

/* Two messages in pieces, together and alone by turns, to ends of their own. */
static void pieces(void **state)
{
	struct assay_sha256x2 x;

	(void)state;
	need(&x, NULL, 0);
	for (int round = 0; round < 300; round++) {
		const size_t len_a = random32() % 5000, len_b = random32() % 5000;
		uint8_t *a = malloc(len_a + 1), *b = malloc(len_b + 1), got[32], want[32];
		struct assay_sha256_stream s_a, s_b;
		size_t at_a = 0, at_b = 0;

		for (size_t i = 0; i < len_a; i++)
			a[i] = (uint8_t)random32();
		for (size_t i = 0; i < len_b; i++)
			b[i] = (uint8_t)random32();
		assert_true(assay_sha256_stream_init(&s_a) && assay_sha256_stream_init(&s_b));
		for (;;) {
			const size_t n = 64 * (random32() % 8);

			if (n > len_a - at_a || n > len_b - at_b)
				break;
			assay_sha256_stream_two(&s_a, a + at_a, &s_b, b + at_b, n);
			at_a += n;
			at_b += n;
			if (len_a - at_a >= 64) {
				assay_sha256_stream_one(&s_a, a + at_a, 64);
				at_a += 64;
			}
		}
		assay_sha256_stream_end(&s_a, a + at_a, len_a - at_a, got);
		oracle(NULL, 0, a, len_a, want);
		assert_memory_equal(got, want, 32);
		assay_sha256_stream_end(&s_b, b + at_b, len_b - at_b, got);
		oracle(NULL, 0, b, len_b, want);
		assert_memory_equal(got, want, 32);
		free(a);
		free(b);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(nist),
	cmocka_unit_test(lengths),
	cmocka_unit_test(pieces),
};

UNIT_MAIN(tests)
