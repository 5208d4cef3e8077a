/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that uses jansson itself, with memory functions of its own: what is its own stays so, whoever came first.
 * jansson keeps one pair for the process, so the order of the tests matters.
 */
#include <jansson.h>

#include "core/json.h"
#include "tests/unit/unit.h"

#define MARK 0x7fa11a5b0b0b5eedULL

static long in_use;

static void *own_malloc(size_t size)
{
	uint64_t *p = malloc(size + 16);

	if (!p)
		return NULL;
	p[0] = MARK;
	in_use++;
	return p + 2;
}

static void own_free(void *q)
{
	uint64_t *p = q;

	if (!q)
		return;
	if (p[-2] != MARK)
		fail_msg("memory that is not the program's");
	p[-2] = 0;
	in_use--;
	free(p - 2);
}

static void parse_one(void)
{
	static const char text[] = "{\"a\":[1,2,{\"b\":\"some text that is longer than others are\"}],\"c\":null}";
	ASSAY_AUTO(assay_json) *node = NULL;
	struct assay_err err;

	assert_int_equal(assay_json_parse(text, strlen(text), &node, &err), 0);
	assert_int_equal(assay_json_parse("{\"a\":", 5, &node, &err), -1);
}

static void test_program_came_first(void **state)
{
	json_t *before, *after;

	(void)state;
	json_set_alloc_funcs(own_malloc, own_free);
	before = json_pack("{s:[i,i]}", "x", 1, 2);
	assert_non_null(before);
	assert_true(in_use > 0);
	parse_one();
	after = json_pack("{s:s}", "y", "z");
	assert_non_null(after);
	json_decref(before);
	json_decref(after);
	assert_int_equal(in_use, 0);
}

static void test_program_came_later(void **state)
{
	(void)state;
	json_set_alloc_funcs(own_malloc, own_free);
	parse_one();
	assert_int_equal(in_use, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_program_came_first),
	cmocka_unit_test(test_program_came_later),
};

UNIT_MAIN(tests)
