/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "core/err.h"
#include "tests/unit/unit.h"

static void test_fail(void **state)
{
	struct assay_err err;

	(void)state;
	assert_int_equal(assay_fail(&err, ASSAY_E_CORRUPT, 0x1a4f0, "%s cut short", "GPT"), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	assert_int_equal(err.sys, 0);
	assert_int_equal(err.at, 0x1a4f0);
	assert_string_equal(err.msg, "GPT cut short");
}

static void test_null(void **state)
{
	(void)state;
	assert_int_equal(assay_fail(NULL, ASSAY_E_IO, 0, "x"), -1);
	assert_int_equal(assay_fail_sys(NULL, "x"), -1);
	assert_int_equal(assay_fail_mem(NULL), -1);
	assert_int_equal(assay_wrap(NULL, "x"), -1);
}

static void test_fail_sys(void **state)
{
	struct assay_err err;

	(void)state;
	errno = ENOENT;
	assert_int_equal(assay_fail_sys(&err, "cannot open"), -1);
	assert_int_equal(err.code, ASSAY_E_IO);
	assert_int_equal(err.sys, ENOENT);
	assert_true(err.at == ASSAY_NO_OFFSET);
	assert_string_equal(err.msg, "cannot open: No such file or directory");
	assert_int_equal(assay_fail_mem(&err), -1);
	assert_int_equal(err.code, ASSAY_E_NOMEM);
	assert_int_equal(err.sys, 0);
}

static void test_wrap(void **state)
{
	struct assay_err err;

	(void)state;
	assay_fail(&err, ASSAY_E_LIMIT, 7, "too deep");
	assert_int_equal(assay_wrap(&err, "/EFI/%s", "BOOT"), -1);
	assert_int_equal(assay_wrap(&err, "partition %d", 1), -1);
	assert_string_equal(err.msg, "partition 1: /EFI/BOOT: too deep");
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	assert_int_equal(err.at, 7);
}

/* The text of an error may be an argument of the next. */
static void test_own_text(void **state)
{
	struct assay_err err;

	(void)state;
	assay_fail(&err, ASSAY_E_IO, 1, "inner");
	assay_fail(&err, ASSAY_E_CORRUPT, 2, "outer (%s)", err.msg);
	assert_string_equal(err.msg, "outer (inner)");
	assay_wrap(&err, "[%s]", err.msg);
	assert_string_equal(err.msg, "[outer (inner)]: outer (inner)");
}

/* Texts that are too long lose their ends, contexts before causes; the NUL is always there. */
static void test_long(void **state)
{
	static char text[2000];
	struct assay_err err;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	assay_fail(&err, ASSAY_E_IO, 0, "%s", text);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	for (size_t n = 0; n < sizeof(err.msg); n++) {
		assay_fail(&err, ASSAY_E_IO, 0, "the cause");
		assay_wrap(&err, "%.*s", (int)n, text);
		assert_true(strlen(err.msg) < sizeof(err.msg));
		assert_non_null(strstr(err.msg, ": the cause"));
		errno = EIO;
		assay_fail_sys(&err, "%.*s", (int)n, text);
		assert_true(strlen(err.msg) < sizeof(err.msg));
	}
	assay_fail(&err, ASSAY_E_IO, 0, "%.400s", text);
	assay_wrap(&err, "%s", text);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
}

static void test_free_auto(void **state)
{
	(void)state;
	ASSAY_AUTO_FREE char *null = NULL;
	ASSAY_AUTO_FREE char *owned = malloc(10);
	ASSAY_AUTO_FREE char *given = malloc(10);
	char *taken = assay_steal(&given);

	assert_null(given);
	assert_non_null(owned);
	assert_null(null);
	free(taken);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_fail),	  cmocka_unit_test(test_null),
	cmocka_unit_test(test_fail_sys),  cmocka_unit_test(test_wrap),
	cmocka_unit_test(test_own_text),  cmocka_unit_test(test_long),
	cmocka_unit_test(test_free_auto),
};

UNIT_MAIN(tests)
