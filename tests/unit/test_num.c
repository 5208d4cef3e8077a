/* SPDX-License-Identifier: Apache-2.0 */
#include "core/num.h"
#include "tests/unit/unit.h"

#define MAX UINT64_MAX

static void test_add(void **state)
{
	uint64_t v;

	(void)state;
	assert_false(assay_add_overflows(MAX - 1, 1, &v));
	assert_true(v == MAX);
	assert_true(assay_add_overflows(MAX, 1, &v));
	assert_true(assay_add_overflows(1, MAX, &v));
	assert_false(assay_add_overflows(0, 0, &v));
	assert_true(v == 0);
}

static void test_mul(void **state)
{
	uint64_t v;

	(void)state;
	assert_false(assay_mul_overflows(1ULL << 32, (1ULL << 32) - 1, &v));
	assert_true(v == 0xffffffff00000000);
	assert_true(assay_mul_overflows(1ULL << 32, 1ULL << 32, &v));
	assert_false(assay_mul_overflows(MAX, 0, &v));
	assert_true(v == 0);
}

static void test_align(void **state)
{
	static const struct {
		uint64_t a, to, want;
	} rows[] = {
		{ 0, 512, 0 },	    { 1, 512, 512 },
		{ 511, 512, 512 },  { 512, 512, 512 },
		{ 513, 512, 1024 }, { 7, 3, 9 },
		{ MAX, 1, MAX },    { MAX - 511, 512, MAX - 511 },
	};
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_false(assay_align_overflows(rows[i].a, rows[i].to, &v));
		assert_true(v == rows[i].want);
	}
	assert_true(assay_align_overflows(MAX, 512, &v));
	assert_true(assay_align_overflows(MAX - 510, 512, &v));
}

static void test_inside(void **state)
{
	(void)state;
	assert_true(assay_range_inside(0, 0, 0));
	assert_true(assay_range_inside(10, 0, 10));
	assert_false(assay_range_inside(11, 0, 10));
	assert_true(assay_range_inside(0, 10, 10));
	assert_false(assay_range_inside(0, 11, 10));
	assert_false(assay_range_inside(1, 10, 10));
	assert_false(assay_range_inside(1, MAX, 10));
	assert_false(assay_range_inside(MAX, 1, 10));
	assert_false(assay_range_inside(MAX, MAX, MAX));
	assert_true(assay_range_inside(0, MAX, MAX));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_add),
	cmocka_unit_test(test_mul),
	cmocka_unit_test(test_align),
	cmocka_unit_test(test_inside),
};

UNIT_MAIN(tests)
