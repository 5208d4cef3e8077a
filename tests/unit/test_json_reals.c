/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that are no integers of 64 bits, as their text; and JSON on one line. The strict parser refuses what it did. */
#include "core/json.h"
#include "core/limits.h"
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

static struct assay_err err;

/* What came of it, on one line; fresh. */
static char *line_of(const char *text)
{
	ASSAY_AUTO(assay_json) *node = NULL;
	char *line = NULL;
	size_t len;

	if (assay_json_parse_reals(text, strlen(text), &node, &err) < 0)
		return NULL;
	assert_int_equal(assay_json_dump_line(node, &line, &len, &err), 0);
	assert_int_equal(line[len - 1], '\n');
	line[len - 1] = '\0';
	return line;
}

static void test_numbers(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "[1.5]", "[\"1.5\"]" },
		{ "[0.0002,-0.0,1e5,1E-5,1.25e+17,-1.0E0]", "[\"0.0002\",\"-0.0\",\"1e5\",\"1E-5\",\"1.25e+17\",\"-1.0E0\"]" },
		{ "[9223372036854775807,-9223372036854775808]", "[9223372036854775807,-9223372036854775808]" },
		{ "[9223372036854775808,-9223372036854775809]", "[\"9223372036854775808\",\"-9223372036854775809\"]" },
		{ "[99999999999999999999999999]", "[\"99999999999999999999999999\"]" },
		{ "[0, -0, 12]", "[0,0,12]" },
		{ "{ \"a\" : 1.5 , \"b\" : [ { \"c\" : 2.5 } ] }", "{\"a\":\"1.5\",\"b\":[{\"c\":\"2.5\"}]}" },
		{ "[\"1.5\", \"a 2.5 b\", \"\\\" 3.5\", \"\\\\\", 4.5]", "[\"1.5\",\"a 2.5 b\",\"\\\" 3.5\",\"\\\\\",\"4.5\"]" },
		{ "[true, false, null]", "[true,false,null]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ASSAY_AUTO_FREE char *line = line_of(cases[i].in);

		if (!line)
			fail_msg("%s: %s", cases[i].in, err.msg);
		assert_string_equal(line, cases[i].out);
	}
}

static void test_refused(void **state)
{
	/* What the strict parser refuses besides is refused here. */
	static const char *const bad[] = {
		"[01.5]", "[1.]", "[.5]", "[+1.5]", "[1e]", "[1.5e+]", "[-]", "[1.5.5]", "[1.5 2.5]", "{1.5:1}",
		"{1.5 : 1}", "{99999999999999999999:1}", "[1.5", "[1.5\"x\"]", "[\"x\"1.5]", "[1.5x]", "[x1.5]",
		"[0x1.5]", "[NaN]", "[1.5, Infinity]", "{\"a\":1.5,\"a\":1.5}", "[1.5]]", "[\"\\ud800\", 1.5]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ASSAY_AUTO_FREE char *line = line_of(bad[i]);

		if (line)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(err.code, ASSAY_E_CORRUPT);
		if (err.at != ASSAY_NO_OFFSET && err.at > strlen(bad[i]))
			fail_msg("%s: at %llu", bad[i], (unsigned long long)err.at);
	}
	/* The same fault behind reals is told at its own place. */
	assert_null(line_of("[1, 12, 123, x]"));
	const uint64_t at = err.at;

	assert_null(line_of("[1.5,1.25,1.5, x]"));
	assert_int_equal(err.at, at + 2);
	/* The strict one has none of it. */
	ASSAY_AUTO(assay_json) *node = NULL;

	assert_int_equal(assay_json_parse("[1.5]", 5, &node, &err), -1);
	assert_int_equal(assay_json_parse("[9223372036854775808]", 21, &node, &err), -1);
}

static void test_cut(void **state)
{
	static const char text[] = "{\"a\": 1.5, \"b\": [2.5e10, \"3.5\"], \"c\": 123456789012345678901}";

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		ASSAY_AUTO(assay_json) *node = NULL;

		assert_int_equal(assay_json_parse_reals(text, n, &node, &err), -1);
	}
}

static void test_is_number(void **state)
{
	(void)state;
	assert_true(assay_json_is_number("0", 1));
	assert_true(assay_json_is_number("-1.5e+3", 7));
	assert_false(assay_json_is_number("", 0));
	assert_false(assay_json_is_number("1 ", 2));
	assert_false(assay_json_is_number("01", 2));
	assert_false(assay_json_is_number("1.", 2));
	assert_false(assay_json_is_number("nan", 3));
	assert_false(assay_json_is_number("1\0002", 3));
	assert_null(assay_json_number("1,\"x\":2"));
}

/* Ceilings stay those of the strict parser: depth, and bytes. */
static void test_ceilings(void **state)
{
	ASSAY_AUTO_FREE char *text = malloc(ASSAY_JSON_MAX_FILE + 2);

	(void)state;
	for (unsigned depth = ASSAY_JSON_MAX_DEPTH; depth <= ASSAY_JSON_MAX_DEPTH + 1; depth++) {
		ASSAY_AUTO(assay_json) *node = NULL;

		memset(text, '[', depth);
		memcpy(text + depth, "1.5", 3);
		memset(text + depth + 3, ']', depth);
		assert_int_equal(assay_json_parse_reals(text, 2 * depth + 3, &node, &err), depth > ASSAY_JSON_MAX_DEPTH ? -1 : 0);
	}
	for (unsigned over = 0; over <= 1; over++) {
		ASSAY_AUTO(assay_json) *node = NULL;
		const size_t len = ASSAY_JSON_MAX_FILE - 2 + over; /* the quotes count */

		memset(text, ' ', len);
		memcpy(text, "[1.5]", 5);
		if (assay_json_parse_reals(text, len, &node, &err) != (over ? -1 : 0))
			fail_msg("%u: %s", over, err.msg);
	}
}

static int once(struct assay_err *e)
{
	ASSAY_AUTO(assay_json) *node = NULL;
	ASSAY_AUTO(assay_json) *built = assay_json_object();
	ASSAY_AUTO_FREE char *line = NULL;
	size_t len;

	if (assay_json_parse_reals("{\"a\":[1.5,\"x\"]}", 15, &node, e) < 0)
		return -1;
	assay_json_set(built, "n", assay_json_number("2.5"));
	assay_json_set(built, "copy", assay_json_copy(node));
	return assay_json_dump_line(built, &line, &len, e);
}

static void test_memory(void **state)
{
	(void)state;
	unit_alloc_each(once, true);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_numbers),	  cmocka_unit_test(test_refused),  cmocka_unit_test(test_cut),
	cmocka_unit_test(test_is_number), cmocka_unit_test(test_ceilings), cmocka_unit_test(test_memory),
};

UNIT_MAIN(tests)
