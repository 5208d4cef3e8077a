/* SPDX-License-Identifier: Apache-2.0 */
#include "core/text.h"
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

static void expect_utf8(const char *utf16, size_t len, const char *want)
{
	/* A copy of that length: a sanitizer sees a read past it. */
	uint8_t *copy = malloc(len ? len : 1);
	char *got;

	assert_non_null(copy);
	memcpy(copy, utf16, len);
	got = assay_utf16_to_utf8(copy, len);
	assert_non_null(got);
	assert_string_equal(got, want);
	free(got);
	free(copy);
}

#define BAD "\xef\xbf\xbd"

static void test_utf16_to_utf8(void **state)
{
	(void)state;
	expect_utf8("", 0, "");
	expect_utf8("\\\0E\0F\0I\0", 8, "\\EFI");
	expect_utf8("a\0\0\0b\0", 6, "a"); /* stops at a NUL */
	expect_utf8("\xe9\0\xac\x20", 4, "\xc3\xa9\xe2\x82\xac");
	expect_utf8("\x3d\xd8\x00\xde", 4, "\xf0\x9f\x98\x80"); /* U+1F600 */
	expect_utf8("\xff\xdb\xff\xdf", 4, "\xf4\x8f\xbf\xbf"); /* U+10FFFF */
	expect_utf8("\x3d\xd8", 2, BAD);			/* high alone at the end */
	expect_utf8("\x3d\xd8z\0", 4, BAD "z");			/* high, then a letter */
	expect_utf8("\x3d\xd8\x3d\xd8\x00\xde", 6, BAD "\xf0\x9f\x98\x80");
	expect_utf8("\x00\xde"
		    "a\0",
		    4, BAD "a");  /* low alone */
	expect_utf8("a", 1, BAD); /* half a unit */
	expect_utf8("a\0b", 3, "a" BAD);
	expect_utf8("\x3d\xd8\x00", 3, BAD BAD);
}

static void test_utf8_to_utf16(void **state)
{
	static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
	static const char want[] = "a\0\xe9\0\xac\x20\x3d\xd8\x00\xde";
	struct assay_err err;
	uint8_t *got = NULL;
	size_t len = 77;

	(void)state;
	assert_int_equal(assay_utf8_to_utf16(text, sizeof(text) - 1, &got, &len, &err), 0);
	assert_int_equal(len, sizeof(want) - 1);
	assert_memory_equal(got, want, len);
	free(got);
	assert_int_equal(assay_utf8_to_utf16("", 0, &got, &len, &err), 0);
	assert_int_equal(len, 0);
	assert_non_null(got);
	free(got);
	got = NULL;
	/* Each cut inside a character is an error. */
	for (size_t n = 0; n < sizeof(text); n++) {
		const bool whole = n == 0 || n == 1 || n == 3 || n == 6 || n == 10;

		assert_int_equal(assay_utf8_to_utf16(text, n, &got, &len, &err), whole ? 0 : -1);
		if (whole)
			free(assay_steal(&got));
		else
			assert_int_equal(err.code, ASSAY_E_CORRUPT);
	}
}

/* Every code point goes there and back; iconv agrees on what is UTF-8 in test_utf8_borders. */
static void test_round_trip(void **state)
{
	(void)state;
	for (uint32_t c = 1; c <= 0x10ffff; c++) {
		struct assay_str s = { 0 };
		struct assay_err err;
		uint8_t *utf16;
		uint32_t back;
		size_t len;
		char *again;

		assay_str_add_char(&s, c);
		assert_int_equal(assay_utf8_next(s.p, s.len, &back), s.len);
		if (c >= 0xd800 && c <= 0xdfff) {
			assert_int_equal(back, 0xfffd);
			assay_str_clear(&s);
			continue;
		}
		assert_int_equal(back, c);
		if (c % 17 == 0 || c < 0x900 || (c > 0xd000 && c < 0x10100)) {
			assert_int_equal(assay_utf8_to_utf16(s.p, s.len, &utf16, &len, &err), 0);
			assert_int_equal(len, c < 0x10000 ? 2 : 4);
			again = assay_utf16_to_utf8(utf16, len);
			assert_string_equal(again, s.p);
			free(again);
			free(utf16);
		}
		assay_str_clear(&s);
	}
}

/* Unicode 15, table 3-7, at its borders. */
static void test_utf8_borders(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{ "\x7f", 1 },
		{ "\x80", 0 },
		{ "\xbf", 0 },
		{ "\xc0\x80", 0 },
		{ "\xc1\xbf", 0 },
		{ "\xc2\x80", 2 },
		{ "\xc2\x7f", 0 },
		{ "\xc2\xc0", 0 },
		{ "\xdf\xbf", 2 },
		{ "\xe0\x9f\xbf", 0 },
		{ "\xe0\xa0\x80", 3 },
		{ "\xed\x9f\xbf", 3 },
		{ "\xed\xa0\x80", 0 },
		{ "\xee\x80\x80", 3 },
		{ "\xef\xbf\xbf", 3 },
		{ "\xe1\x80", 0 },
		{ "\xe1\x80\xc0", 0 },
		{ "\xf0\x8f\xbf\xbf", 0 },
		{ "\xf0\x90\x80\x80", 4 },
		{ "\xf4\x8f\xbf\xbf", 4 },
		{ "\xf4\x90\x80\x80", 0 },
		{ "\xf5\x80\x80\x80", 0 },
		{ "\xff", 0 },
		{ "\xf1\x80\x80\x7f", 0 },
	};
	uint32_t c;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(assay_utf8_next(rows[i].bytes, strlen(rows[i].bytes), &c),
				 rows[i].len);
}

static void test_str(void **state)
{
	struct assay_str s = { 0 };
	char *p;

	(void)state;
	p = assay_str_steal(&s);
	assert_string_equal(p, "");
	free(p);
	for (int i = 0; i < 1000; i++)
		assay_str_add(&s, "%d,", i);
	assert_int_equal(s.len, 3890);
	assert_int_equal(strlen(s.p), s.len);
	assert_int_equal(strncmp(s.p, "0,1,2,", 6), 0);
	p = assay_str_steal(&s);
	assert_null(s.p);
	assert_int_equal(s.len, 0);
	free(p);
	assay_str_add_n(&s, "a\0b", 3);
	assay_str_add(&s, "%s", "");
	assert_int_equal(s.len, 3);
	assert_memory_equal(s.p, "a\0b\0", 4);
	assay_str_clear(&s);
	assert_null(s.p);
	assay_str_clear(&s);
}

static void test_escaped(void **state)
{
	struct assay_str s = { 0 };

	(void)state;
	assay_str_add_escaped(&s, "a b\n\\\"'~\x7f\xff\0", 11);
	assert_string_equal(s.p, "a b\\x0a\\x5c\\x22\\x27~\\x7f\\xff\\x00");
	assay_str_clear(&s);
	assay_str_add_utf8(&s, "a\xff\xe2\x82z\xc3\xa9", 7);
	assert_string_equal(s.p, "a" BAD BAD BAD "z\xc3\xa9");
	assay_str_clear(&s);
}

static int build(struct assay_err *err)
{
	struct assay_str s = { 0 };
	ASSAY_AUTO_FREE char *a = NULL;
	ASSAY_AUTO_FREE char *b = NULL;
	ASSAY_AUTO_FREE uint8_t *wide = NULL;
	size_t len;

	for (int i = 0; i < 100; i++) {
		assay_str_add(&s, "%d", i);
		assay_str_add_escaped(&s, "\n", 1);
		assay_str_add_char(&s, 0x1f600);
	}
	a = assay_str_steal(&s);
	if (!a)
		return assay_fail_mem(err);
	if (assay_utf8_to_utf16(a, strlen(a), &wide, &len, err) < 0)
		return -1;
	b = assay_utf16_to_utf8(wide, len);
	if (!b)
		return assay_fail_mem(err);
	assert_string_equal(a, b);
	return 0;
}

static void test_out_of_memory(void **state)
{
	(void)state;
	unit_alloc_each(build, true);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_utf16_to_utf8), cmocka_unit_test(test_utf8_to_utf16),
	cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_utf8_borders),
	cmocka_unit_test(test_str),	      cmocka_unit_test(test_escaped),
	cmocka_unit_test(test_out_of_memory),
};

UNIT_MAIN(tests)
