/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dl.h"
#include "tests/unit/unit.h"

static double (*cosine)(double);
static const char *(*version)(void);
static void *none;

static const struct assay_dl_symbol good[] = {
	{ "cos", (void **)&cosine },
	{ "gnu_get_libc_version", (void **)&version }, /* of a library that libm needs */
};
static const struct assay_dl_symbol bad[] = {
	{ "cos", (void **)&cosine },
	{ "no_such_function", &none },
};

static void test_loads(void **state)
{
	struct assay_dl dl = ASSAY_DL("libm.so.6", good);
	struct assay_err err;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(assay_dl_get(&dl, &err), 0);
	assert_true(cosine(0) == 1);
	assert_non_null(strchr(version(), '.'));
}

/* Each call says so, not the first alone. */
static void fails(struct assay_dl *dl, const char *text)
{
	struct assay_err err;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(assay_dl_get(dl, &err), -1);
		assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
		if (!strstr(err.msg, text))
			fail_msg("%s", err.msg);
	}
}

static void test_missing(void **state)
{
	struct assay_dl no_library = ASSAY_DL("libassay-none.so.1", good);
	struct assay_dl no_symbol = ASSAY_DL("libm.so.6", bad);

	(void)state;
	fails(&no_library, "libassay-none.so.1: cannot open shared object file");
	fails(&no_symbol, "libm.so.6 has no no_such_function");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_loads),
	cmocka_unit_test(test_missing),
};

UNIT_MAIN(tests)
