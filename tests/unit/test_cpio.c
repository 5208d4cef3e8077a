/* SPDX-License-Identifier: Apache-2.0 */
/* The archives that systemd-stub makes, byte by byte. */
#include "precompute/cpio.h"
#include "tests/unit/unit.h"

#define ZERO "00000000"

static void test_bytes(void **state)
{
	/* clang-format off */
	static const char expected[] =
		"070701" "00000001" "0000416d" ZERO ZERO "00000001" ZERO ZERO ZERO ZERO ZERO ZERO "00000002" ZERO
		"a\0"
		"070701" "00000002" "00004140" ZERO ZERO "00000001" ZERO ZERO ZERO ZERO ZERO ZERO "00000004" ZERO
		"a/b\0\0\0"
		"070701" "00000003" "00008100" ZERO ZERO "00000001" ZERO "00000005" ZERO ZERO ZERO ZERO "00000006" ZERO
		"a/b/x\0" "hello\0\0\0"
		"070701" "00000004" "00008100" ZERO ZERO "00000001" ZERO ZERO ZERO ZERO ZERO ZERO "00000007" ZERO
		"a/b/yy\0\0\0\0"
		"070701" ZERO ZERO ZERO ZERO "00000001" ZERO ZERO ZERO ZERO ZERO ZERO "0000000B" ZERO
		"TRAILER!!!\0\0\0";
	/* clang-format on */
	const struct assay_cpio_file files[] = { { "x", "hello", 5 }, { "yy", "", 0 } };
	struct assay_str s = { 0 };
	struct assay_err err;

	(void)state;
	/* Padding counts from the archive's own start, wherever that is. */
	for (size_t before = 0; before < 4; before++) {
		const char *at;

		assay_str_add_n(&s, "zzz", before);
		assert_int_equal(assay_cpio_append(&s, "a/b", 0500, 0400, files, 2, &err), 0);
		at = s.p + before;
		assert_int_equal(s.len - before, sizeof(expected));
		assert_memory_equal(at, expected, sizeof(expected));
		assay_str_clear(&s);
	}
}

static void test_mode(void **state)
{
	const struct assay_cpio_file file = { "f", "x", 1 };
	struct assay_str s = { 0 };
	struct assay_err err;

	(void)state;
	assert_int_equal(assay_cpio_append(&s, ".extra/d", 0500, 0400, &file, 1, &err), 0);
	/* S_IFDIR | 0555, S_IFDIR | 0500, S_IFREG | 0400 */
	assert_memory_equal(s.p + 14, "0000416d", 8);
	assert_memory_equal(s.p + 120 + 14, "00004140", 8);
	assert_memory_equal(s.p + 120 + 120 + 14, "00008100", 8);
	assay_str_clear(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_mode),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
