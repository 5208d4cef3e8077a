/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cur.h"
#include "tests/unit/unit.h"

static const uint8_t bytes[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x88 };

static void test_integers(void **state)
{
	const struct assay_cur start = assay_cur_make(bytes, sizeof(bytes), 100);
	struct assay_cur c;

	(void)state;
	c = start;
	assert_int_equal(assay_cur_u8(&c), 0x01);
	assert_int_equal(c.at, 101);
	c = start;
	assert_int_equal(assay_cur_le16(&c), 0x0201);
	assert_int_equal(assay_cur_be16(&c), 0x0304);
	c = start;
	assert_true(assay_cur_le32(&c) == 0x04030201);
	assert_true(assay_cur_be32(&c) == 0x05060788);
	c = start;
	assert_true(assay_cur_le64(&c) == 0x8807060504030201);
	assert_int_equal(c.at, 108);
	assert_int_equal(c.left, 0);
	c = start;
	assert_true(assay_cur_be64(&c) == 0x0102030405060788);
	assert_int_equal(assay_cur_done(&c, "thing", NULL), 0);
}

static uint64_t read_kind(struct assay_cur *c, unsigned kind)
{
	switch (kind) {
	case 0:
		return assay_cur_u8(c);
	case 1:
		return assay_cur_le16(c);
	case 2:
		return assay_cur_be16(c);
	case 3:
		return assay_cur_le32(c);
	case 4:
		return assay_cur_be32(c);
	case 5:
		return assay_cur_le64(c);
	default:
		return assay_cur_be64(c);
	}
}

/* Each integer at each cut length: zero and bad, or right and good. */
static void test_cut(void **state)
{
	static const size_t size[] = { 1, 2, 2, 4, 4, 8, 8 };

	(void)state;
	for (unsigned kind = 0; kind < 7; kind++) {
		for (size_t len = 0; len <= sizeof(bytes); len++) {
			/* A copy of that length: a sanitizer sees a read past it. */
			uint8_t *copy = malloc(len ? len : 1);
			struct assay_cur c;
			struct assay_err err;
			uint64_t v;
			char want[64];

			assert_non_null(copy);
			memcpy(copy, bytes, len);
			c = assay_cur_make(copy, len, 50);
			v = read_kind(&c, kind);
			if (len >= size[kind]) {
				assert_true(v != 0);
				assert_int_equal(assay_cur_done(&c, "thing", &err), 0);
				free(copy);
				continue;
			}
			assert_true(v == 0);
			assert_true(c.bad);
			assert_int_equal(assay_cur_done(&c, "thing", &err), -1);
			assert_int_equal(err.code, ASSAY_E_CORRUPT);
			assert_int_equal(err.at, 50);
			snprintf(want, sizeof(want), "thing cut short: %zu bytes wanted, %zu left",
				 size[kind], len);
			assert_string_equal(err.msg, want);
			free(copy);
		}
	}
}

/* The first short read is remembered, and nothing can be read after it. */
static void test_sticky(void **state)
{
	struct assay_cur c = assay_cur_make(bytes, 5, 0);
	struct assay_err err;
	uint8_t dst[4] = { 9, 9, 9, 9 };

	(void)state;
	assay_cur_skip(&c, 3);
	assert_int_equal(assay_cur_le32(&c), 0);
	assert_int_equal(assay_cur_u8(&c), 0);
	assert_int_equal(assay_cur_be64(&c), 0);
	assay_cur_copy(&c, dst, sizeof(dst));
	assert_memory_equal(dst, "\0\0\0\0", 4);
	assert_null(assay_cur_take(&c, 1));
	assert_int_equal(assay_cur_done(&c, "x", &err), -1);
	assert_int_equal(err.at, 3);
	assert_string_equal(err.msg, "x cut short: 4 bytes wanted, 2 left");
}

static void test_take_skip_copy(void **state)
{
	struct assay_cur c = assay_cur_make(bytes, sizeof(bytes), 0);
	uint8_t dst[3];

	(void)state;
	assert_ptr_equal(assay_cur_take(&c, 2), bytes);
	assay_cur_copy(&c, dst, sizeof(dst));
	assert_memory_equal(dst, bytes + 2, 3);
	assay_cur_skip(&c, 3);
	assert_int_equal(c.left, 0);
	assert_non_null(assay_cur_take(&c, 0));
	assay_cur_copy(&c, NULL, 0);
	assay_cur_skip(&c, 0);
	assert_int_equal(assay_cur_done(&c, "x", NULL), 0);
	assay_cur_skip(&c, UINT64_MAX);
	assert_int_equal(assay_cur_done(&c, "x", NULL), -1);
}

static void test_empty(void **state)
{
	struct assay_cur c = assay_cur_make(NULL, 0, 7);

	(void)state;
	assert_non_null(assay_cur_take(&c, 0));
	assert_int_equal(assay_cur_done(&c, "x", NULL), 0);
	assert_int_equal(assay_cur_u8(&c), 0);
	assert_true(c.bad);
	assert_int_equal(c.bad_at, 7);
	assert_non_null(assay_cur_take(&c, 0));
}

static void test_sub(void **state)
{
	struct assay_cur c = assay_cur_make(bytes, sizeof(bytes), 10);
	struct assay_cur s = assay_cur_sub(&c, 3);
	struct assay_err err;

	(void)state;
	assert_int_equal(s.left, 3);
	assert_int_equal(s.at, 10);
	assert_int_equal(c.at, 13);
	assert_int_equal(assay_cur_le16(&s), 0x0201);
	assert_int_equal(assay_cur_le16(&s), 0);
	assert_true(s.bad);
	assert_false(c.bad);
	assert_int_equal(s.bad_at, 12);

	s = assay_cur_sub(&c, 6);
	assert_true(s.bad);
	assert_true(c.bad);
	assert_int_equal(s.left, 0);
	assert_int_equal(assay_cur_done(&s, "x", &err), -1);
	assert_int_equal(err.at, 13);
	assert_string_equal(err.msg, "x cut short: 6 bytes wanted, 5 left");

	s = assay_cur_sub(&c, 0);
	assert_true(s.bad);
}

static void test_put(void **state)
{
	uint8_t b[8];
	struct assay_cur c;

	(void)state;
	assay_put_le16(b, 0x8001);
	assert_memory_equal(b, "\x01\x80", 2);
	assay_put_be16(b, 0x8001);
	assert_memory_equal(b, "\x80\x01", 2);
	assay_put_le32(b, 0x89abcdef);
	assert_memory_equal(b, "\xef\xcd\xab\x89", 4);
	assay_put_be32(b, 0x89abcdef);
	assert_memory_equal(b, "\x89\xab\xcd\xef", 4);
	assay_put_le64(b, 0x0123456789abcdef);
	c = assay_cur_make(b, 8, 0);
	assert_true(assay_cur_le64(&c) == 0x0123456789abcdef);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_integers), cmocka_unit_test(test_cut),
	cmocka_unit_test(test_sticky),	 cmocka_unit_test(test_take_skip_copy),
	cmocka_unit_test(test_empty),	 cmocka_unit_test(test_sub),
	cmocka_unit_test(test_put),
};

UNIT_MAIN(tests)
