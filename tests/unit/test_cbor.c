/* SPDX-License-Identifier: Apache-2.0 */
/* CBOR: the vectors of RFC 8949, appendix A, for what is used here, and everything that is refused. */
#include "core/cbor.h"
#include "core/digest.h"
#include "core/limits.h"
#include "tests/unit/alloc.h"

static struct assay_err err;

static size_t unhex(const char *hex, uint8_t *dst)
{
	const size_t n = strlen(hex) / 2;

	assert_true(assay_unhex(hex, strlen(hex), dst, n));
	return n;
}

/* Reads it; writes the same bytes. */
static struct assay_cbor *same(const char *hex)
{
	struct assay_cbor *node = NULL;
	ASSAY_AUTO_FREE uint8_t *out = NULL;
	uint8_t in[512];
	size_t n = unhex(hex, in), len;

	if (assay_cbor_parse(in, n, &node, &err) < 0)
		fail_msg("%s: %s", hex, err.msg);
	assert_int_equal(assay_cbor_write(node, &out, &len, &err), 0);
	assert_int_equal(len, n);
	assert_memory_equal(out, in, n);
	return node;
}

static void test_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		uint64_t n;
		bool negative;
	} vectors[] = {
		{ "00", 0 },
		{ "01", 1 },
		{ "0a", 10 },
		{ "17", 23 },
		{ "1818", 24 },
		{ "1819", 25 },
		{ "1864", 100 },
		{ "1903e8", 1000 },
		{ "1a000f4240", 1000000 },
		{ "1b000000e8d4a51000", 1000000000000 },
		{ "1bffffffffffffffff", UINT64_MAX },
		{ "3bffffffffffffffff", UINT64_MAX, true },
		{ "20", 0, true },
		{ "29", 9, true },
		{ "3863", 99, true },
		{ "3903e7", 999, true },
		/* around each length */
		{ "18ff", 255 },
		{ "190100", 256 },
		{ "19ffff", 65535 },
		{ "1a00010000", 65536 },
		{ "1affffffff", UINT32_MAX },
		{ "1b0000000100000000", UINT32_MAX + 1ULL },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		ASSAY_AUTO(assay_cbor) *node = same(vectors[i].hex);

		assert_int_equal(node->kind, vectors[i].negative ? ASSAY_CBOR_NINT : ASSAY_CBOR_UINT);
		assert_true(node->n == vectors[i].n);
	}
}

static void test_others(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		enum assay_cbor_kind kind;
		size_t len, items;
	} vectors[] = {
		{ "f4", ASSAY_CBOR_SIMPLE },
		{ "f5", ASSAY_CBOR_SIMPLE },
		{ "f6", ASSAY_CBOR_SIMPLE },
		{ "40", ASSAY_CBOR_BYTES },
		{ "4401020304", ASSAY_CBOR_BYTES, 4 },
		{ "60", ASSAY_CBOR_TEXT },
		{ "6161", ASSAY_CBOR_TEXT, 1 },
		{ "6449455446", ASSAY_CBOR_TEXT, 4 },
		{ "62225c", ASSAY_CBOR_TEXT, 2 },
		{ "62c3bc", ASSAY_CBOR_TEXT, 2 },
		{ "63e6b0b4", ASSAY_CBOR_TEXT, 3 },
		{ "64f0908591", ASSAY_CBOR_TEXT, 4 },
		{ "c074323031332d30332d32315432303a30343a30305a", ASSAY_CBOR_TAG, 0, 1 },
		{ "c11a514b67b0", ASSAY_CBOR_TAG, 0, 1 },
		{ "d74401020304", ASSAY_CBOR_TAG, 0, 1 },
		{ "d818456449455446", ASSAY_CBOR_TAG, 0, 1 },
		{ "d82076687474703a2f2f7777772e6578616d706c652e636f6d", ASSAY_CBOR_TAG, 0, 1 },
		{ "80", ASSAY_CBOR_ARRAY },
		{ "83010203", ASSAY_CBOR_ARRAY, 0, 3 },
		{ "8301820203820405", ASSAY_CBOR_ARRAY, 0, 3 },
		{ "98190102030405060708090a0b0c0d0e0f101112131415161718181819", ASSAY_CBOR_ARRAY, 0, 25 },
		{ "a0", ASSAY_CBOR_MAP },
		{ "a201020304", ASSAY_CBOR_MAP, 0, 4 },
		{ "a26161016162820203", ASSAY_CBOR_MAP, 0, 4 },
		{ "826161a161626163", ASSAY_CBOR_ARRAY, 0, 2 },
		{ "a56161614161626142616361436164614461656145", ASSAY_CBOR_MAP, 0, 10 },
		/* RFC 8949, 4.2.1: the order of its example */
		{ "a80a001864002000617a0062616100811864008120" "00f400", ASSAY_CBOR_MAP, 0, 16 },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		ASSAY_AUTO(assay_cbor) *node = same(vectors[i].hex);

		assert_int_equal(node->kind, vectors[i].kind);
		assert_int_equal(node->len, vectors[i].len);
		assert_int_equal(node->n_items, vectors[i].items);
	}
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		enum assay_code code;
		const char *word;
	} bad[] = {
		{ "", ASSAY_E_CORRUPT, "cut short" },
		/* not the shortest */
		{ "1800", ASSAY_E_CORRUPT, "shortest" },
		{ "1817", ASSAY_E_CORRUPT, "shortest" },
		{ "1900ff", ASSAY_E_CORRUPT, "shortest" },
		{ "1a0000ffff", ASSAY_E_CORRUPT, "shortest" },
		{ "1b00000000ffffffff", ASSAY_E_CORRUPT, "shortest" },
		{ "3800", ASSAY_E_CORRUPT, "shortest" },
		{ "580100", ASSAY_E_CORRUPT, "shortest" },
		{ "780161", ASSAY_E_CORRUPT, "shortest" },
		{ "980100", ASSAY_E_CORRUPT, "shortest" },
		{ "b8010000", ASSAY_E_CORRUPT, "shortest" },
		{ "d81700", ASSAY_E_CORRUPT, "shortest" },
		/* reserved, indefinite */
		{ "1c", ASSAY_E_CORRUPT, "reserved" },
		{ "1e", ASSAY_E_CORRUPT, "reserved" },
		{ "5f4101ff", ASSAY_E_UNSUPPORTED, "indefinite" },
		{ "7f6161ff", ASSAY_E_UNSUPPORTED, "indefinite" },
		{ "9fff", ASSAY_E_UNSUPPORTED, "indefinite" },
		{ "bfff", ASSAY_E_UNSUPPORTED, "indefinite" },
		{ "ff", ASSAY_E_UNSUPPORTED, "indefinite" },
		{ "81ff", ASSAY_E_UNSUPPORTED, "indefinite" },
		/* floats, simple values */
		{ "f90000", ASSAY_E_UNSUPPORTED, "float" },
		{ "fa47c35000", ASSAY_E_UNSUPPORTED, "float" },
		{ "fb3ff199999999999a", ASSAY_E_UNSUPPORTED, "float" },
		{ "f7", ASSAY_E_UNSUPPORTED, "simple" },
		{ "f0", ASSAY_E_UNSUPPORTED, "simple" },
		{ "f8ff", ASSAY_E_UNSUPPORTED, "simple" },
		{ "f814", ASSAY_E_UNSUPPORTED, "simple" },
		/* maps */
		{ "a201020104", ASSAY_E_CORRUPT, "twice" },
		{ "a203040102", ASSAY_E_CORRUPT, "order" },
		{ "a2616200616100", ASSAY_E_CORRUPT, "order" },
		{ "a262616100617a00", ASSAY_E_CORRUPT, "order" },
		{ "a220000a00", ASSAY_E_CORRUPT, "order" },
		/* text */
		{ "61ff", ASSAY_E_CORRUPT, "UTF-8" },
		{ "62c080", ASSAY_E_CORRUPT, "UTF-8" },
		{ "63eda080", ASSAY_E_CORRUPT, "UTF-8" },
		{ "61c3", ASSAY_E_CORRUPT, "UTF-8" },
		/* more, less */
		{ "0000", ASSAY_E_CORRUPT, "behind" },
		{ "8000", ASSAY_E_CORRUPT, "behind" },
		{ "9b7fffffffffffffff", ASSAY_E_CORRUPT, "cut short" },
		{ "bb8000000000000000", ASSAY_E_CORRUPT, "cut short" },
		{ "5bffffffffffffffff", ASSAY_E_CORRUPT, "cut short" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct assay_cbor *node = NULL;
		uint8_t in[64];
		const size_t n = unhex(bad[i].hex, in);

		if (assay_cbor_parse(in, n, &node, &err) == 0)
			fail_msg("%s was read", bad[i].hex);
		if (err.code != bad[i].code || !strstr(err.msg, bad[i].word))
			fail_msg("%s: %s", bad[i].hex, err.msg);
		assert_null(node);
	}
}

/* {1: [h'0102', "x", 1(5), -3, false], "k": {}} */
static struct assay_cbor *build(void)
{
	struct assay_cbor *map = assay_cbor_map(), *array = assay_cbor_array();

	assay_cbor_put(map, assay_cbor_text("k"), assay_cbor_map());
	assay_cbor_append(array, assay_cbor_bytes("\1\2", 2));
	assay_cbor_append(array, assay_cbor_text("x"));
	assay_cbor_append(array, assay_cbor_tag(1, assay_cbor_uint(5)));
	assay_cbor_append(array, assay_cbor_int(-3));
	assay_cbor_append(array, assay_cbor_simple(20));
	assay_cbor_put(map, assay_cbor_int(1), array);
	return map;
}
static const char built[] = "a20185420102" "6178" "c105" "22" "f4" "616ba0";

static void test_build(void **state)
{
	(void)state;
	ASSAY_AUTO(assay_cbor) *node = build();
	ASSAY_AUTO_FREE uint8_t *out = NULL;
	uint8_t want[64];
	const size_t n = unhex(built, want);
	size_t len;

	assert_int_equal(assay_cbor_write(node, &out, &len, &err), 0);
	assert_int_equal(len, n);
	assert_memory_equal(out, want, n);
	assert_int_equal(assay_cbor_get(node, 1)->n_items, 5);
	assert_null(assay_cbor_get(node, 2));
	assert_null(assay_cbor_get(assay_cbor_get(node, 1), 1));
	assert_null(assay_cbor_get(NULL, 1));
	const struct assay_cbor *tag = assay_cbor_get(node, 1)->items[2];
	assert_int_equal(assay_cbor_tagged(tag, 1)->n, 5);
	assert_null(assay_cbor_tagged(tag, 2));
	assert_null(assay_cbor_tagged(node, 1));
}

static void test_build_bad(void **state)
{
	(void)state;
	ASSAY_AUTO(assay_cbor) *twice = assay_cbor_map(), *text = assay_cbor_text("\xff"), *hole = assay_cbor_array();
	uint8_t *out = NULL;
	size_t len;

	assay_cbor_put(twice, assay_cbor_uint(1), assay_cbor_uint(1));
	assay_cbor_put(twice, assay_cbor_int(1), assay_cbor_uint(2));
	assert_int_equal(assay_cbor_write(twice, &out, &len, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	assert_int_equal(assay_cbor_write(text, &out, &len, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	assay_cbor_append(hole, NULL);
	assert_int_equal(assay_cbor_write(hole, &out, &len, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOMEM);
	assert_int_equal(assay_cbor_write(NULL, &out, &len, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOMEM);
	assay_cbor_append(NULL, assay_cbor_uint(1));
	assay_cbor_free(NULL);
	assert_null(out);
}

static void test_cuts(void **state)
{
	(void)state;
	uint8_t in[64];
	const size_t n = unhex(built, in);

	for (size_t cut = 0; cut < n; cut++) {
		struct assay_cbor *node = NULL;

		assert_int_equal(assay_cbor_parse(in, cut, &node, &err), -1);
		assert_int_equal(err.code, ASSAY_E_CORRUPT);
		assert_non_null(strstr(err.msg, "cut short"));
		assert_null(node);
	}
}

/* n levels around a 0. */
static int nested(size_t n, uint8_t head)
{
	ASSAY_AUTO_FREE uint8_t *in = malloc(n + 1);
	ASSAY_AUTO(assay_cbor) *node = NULL;

	assert_non_null(in);
	memset(in, head, n);
	in[n] = 0;
	return assay_cbor_parse(in, n + 1, &node, &err);
}

static void test_ceilings(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const uint8_t head = i ? 0xc1 : 0x81;

		assert_int_equal(nested(ASSAY_CBOR_MAX_DEPTH - 1, head), 0);
		assert_int_equal(nested(ASSAY_CBOR_MAX_DEPTH, head), 0);
		assert_int_equal(nested(ASSAY_CBOR_MAX_DEPTH + 1, head), -1);
		assert_int_equal(err.code, ASSAY_E_LIMIT);
	}
	/* An array of zeros: it and they are the items. */
	for (size_t n = ASSAY_CBOR_MAX_NODES - 2; n <= ASSAY_CBOR_MAX_NODES; n++) {
		ASSAY_AUTO_FREE uint8_t *in = calloc(n + 5, 1);
		ASSAY_AUTO(assay_cbor) *node = NULL;

		assert_non_null(in);
		in[0] = 0x9a;
		for (int k = 0; k < 4; k++)
			in[1 + k] = (uint8_t)(n >> (24 - 8 * k));
		assert_int_equal(assay_cbor_parse(in, n + 5, &node, &err), n < ASSAY_CBOR_MAX_NODES ? 0 : -1);
		if (n == ASSAY_CBOR_MAX_NODES)
			assert_int_equal(err.code, ASSAY_E_LIMIT);
	}
	/* A byte string that fills it all, and one more. */
	for (size_t size = ASSAY_CBOR_MAX_SIZE - 1; size <= ASSAY_CBOR_MAX_SIZE + 1; size++) {
		ASSAY_AUTO_FREE uint8_t *in = calloc(size, 1);
		ASSAY_AUTO(assay_cbor) *node = NULL;

		assert_non_null(in);
		in[0] = 0x5a;
		for (int k = 0; k < 4; k++)
			in[1 + k] = (uint8_t)((size - 5) >> (24 - 8 * k));
		assert_int_equal(assay_cbor_parse(in, size, &node, &err), size <= ASSAY_CBOR_MAX_SIZE ? 0 : -1);
		if (size > ASSAY_CBOR_MAX_SIZE)
			assert_int_equal(err.code, ASSAY_E_LIMIT);
	}
}

static int read_and_write(struct assay_err *e)
{
	ASSAY_AUTO(assay_cbor) *node = NULL;
	ASSAY_AUTO_FREE uint8_t *out = NULL;
	uint8_t in[64];
	size_t len;
	const size_t n = strlen(built) / 2;

	if (!assay_unhex(built, strlen(built), in, n))
		return -1;
	if (assay_cbor_parse(in, n, &node, e) < 0)
		return -1;
	return assay_cbor_write(node, &out, &len, e);
}

static int build_and_write(struct assay_err *e)
{
	ASSAY_AUTO(assay_cbor) *node = build();
	ASSAY_AUTO_FREE uint8_t *out = NULL;
	size_t len;

	return assay_cbor_write(node, &out, &len, e);
}

static void test_out_of_memory(void **state)
{
	(void)state;
	unit_alloc_each(read_and_write, true);
	unit_alloc_each(build_and_write, true);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_numbers),	  cmocka_unit_test(test_others),     cmocka_unit_test(test_refused),
	cmocka_unit_test(test_build),	  cmocka_unit_test(test_build_bad),  cmocka_unit_test(test_cuts),
	cmocka_unit_test(test_ceilings), cmocka_unit_test(test_out_of_memory),
};

UNIT_MAIN(tests)
