/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 and points in time. */
#include <time.h>

#include "core/base64.h"
#include "core/clock.h"
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

static struct assay_err err;

/* RFC 4648, section 10. */
static const struct {
	const char *plain, *text;
} vectors[] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
};

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		ASSAY_AUTO_FREE char *text = assay_base64_encode(vectors[i].plain, strlen(vectors[i].plain));
		ASSAY_AUTO_FREE uint8_t *back = NULL;
		size_t n;

		assert_string_equal(text, vectors[i].text);
		assert_int_equal(assay_base64_decode(text, strlen(text), &back, &n, &err), 0);
		assert_int_equal(n, strlen(vectors[i].plain));
		assert_memory_equal(back, vectors[i].plain, n + 1);
	}
}

/* Every value of three bytes' parts, every length, there and back. */
static void test_round_trip(void **state)
{
	uint8_t bytes[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 37 + 11);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		ASSAY_AUTO_FREE char *text = assay_base64_encode(bytes, len);
		ASSAY_AUTO_FREE uint8_t *back = NULL;
		size_t n;

		assert_int_equal(assay_base64_decode(text, strlen(text), &back, &n, &err), 0);
		assert_int_equal(n, len);
		assert_memory_equal(back, bytes, n);
		/* Each cut length that is no multiple of 4 is refused. */
		for (size_t cut = 1; cut < 4 && cut < strlen(text); cut++) {
			uint8_t *none = NULL;

			assert_int_equal(assay_base64_decode(text, strlen(text) - cut, &none, &n, &err), -1);
			assert_int_equal(err.code, ASSAY_E_CORRUPT);
			assert_null(none);
		}
	}
}

/* One text for each sequence of bytes: whatever another text would decode to, it is refused. */
static void test_strict(void **state)
{
	static const struct {
		const char *text;
		uint64_t at;
	} bad[] = {
		{ "Zg=", 3 },	  { "Zg", 2 },	    { "Zh==", 1 },     { "Zm9=", 2 },	  { "Zg==Zg==", 2 },
		{ "=Zg=", 0 },	  { "====", 0 },    { "Zm9v\n\n\n\n", 4 }, { " Zg=", 0 }, { "Zm-v", 2 },
		{ "Zm_v", 2 },	  { "Z===", 1 },    { "Zm9vZ===", 5 }, { "Z\x80==", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t *none = NULL;
		size_t n;

		if (assay_base64_decode(bad[i].text, strlen(bad[i].text), &none, &n, &err) == 0)
			fail_msg("not refused: %s", bad[i].text);
		assert_int_equal(err.code, ASSAY_E_CORRUPT);
		if (err.at != bad[i].at)
			fail_msg("%s: at %llu: %s", bad[i].text, (unsigned long long)err.at, err.msg);
		assert_null(none);
	}
}

static int decode_once(struct assay_err *e)
{
	ASSAY_AUTO_FREE uint8_t *back = NULL;
	size_t n;

	return assay_base64_decode("Zm9vYmFy", 8, &back, &n, e);
}

static void test_memory(void **state)
{
	(void)state;
	unit_alloc_each(decode_once, true);
}

static void test_clock(void **state)
{
	static const int64_t times[] = { 0, 1, 951782399, 951782400, 1767225600, 4102444799, ASSAY_CLOCK_MAX };
	char text[ASSAY_CLOCK_TEXT];
	int64_t back;

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		const time_t t = (time_t)times[i];
		char theirs[64];

		assay_clock_text(times[i], text);
		strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%SZ", gmtime(&t));
		assert_string_equal(text, theirs);
		assert_int_equal(assay_clock_parse(text, &back, &err), 0);
		assert_int_equal(back, times[i]);
	}
	assert_string_equal(assay_clock_text(1767225600, text), "2026-01-01T00:00:00Z");
}

static void test_clock_bad(void **state)
{
	static const char *const bad[] = {
		"",
		"2026-11-22",
		"2026-11-22T08:00:00",
		"2026-11-22T08:00:00z",
		"2026-11-22 08:00:00Z",
		"2026-11-22T08:00:00+00:00",
		"2026-11-22T08:00:00.0Z",
		"2026-02-29T00:00:00Z",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-11-31T00:00:00Z",
		"2026-11-22T24:00:00Z",
		"2026-11-22T08:60:00Z",
		"2026-12-31T23:59:60Z",
		"1969-12-31T23:59:59Z",
		"2026-1 -22T08:00:00Z",
		"2026-+1-22T08:00:00Z",
		" 026-11-22T08:00:00Z",
		"0000-00-00T00:00:00Z",
	};
	int64_t t = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (assay_clock_parse(bad[i], &t, &err) == 0)
			fail_msg("not refused: %s", bad[i]);
		assert_int_equal(err.code, ASSAY_E_CORRUPT);
		assert_int_equal(t, 7);
	}
}

static void test_clock_option(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
	} good[] = {
		{ "2026-01-01T00:00:00Z", 1767225600 }, { "2026-01-01", 1767225600 }, { "@1767225600", 1767225600 },
		{ "+1d", 86500 },			{ "+2h", 7300 },	      { "@0", 0 },
	};
	static const char *const bad[] = { "", "@", "@-1", "@1x", "+1", "+d", "+1w", "-1d", "+99999999999d", "now", "2026-1-1",
					   "@999999999999" };
	int64_t t;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (assay_clock_option(good[i].text, 100, &t, &err) < 0)
			fail_msg("%s: %s", good[i].text, err.msg);
		assert_int_equal(t, good[i].want);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (assay_clock_option(bad[i], 100, &t, &err) == 0)
			fail_msg("not refused: %s", bad[i]);
		assert_int_equal(err.code, ASSAY_E_USAGE);
	}
	setenv("SOURCE_DATE_EPOCH", "1767225600", 1);
	assert_int_equal(assay_clock_epoch(&t, &err), 0);
	assert_int_equal(t, 1767225600);
	setenv("SOURCE_DATE_EPOCH", "yesterday", 1);
	assert_int_equal(assay_clock_epoch(&t, &err), -1);
	assert_int_equal(err.code, ASSAY_E_USAGE);
	unsetenv("SOURCE_DATE_EPOCH");
	assert_int_equal(assay_clock_epoch(&t, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors), cmocka_unit_test(test_round_trip), cmocka_unit_test(test_strict),
		cmocka_unit_test(test_memory),	cmocka_unit_test(test_clock),	   cmocka_unit_test(test_clock_bad),
		cmocka_unit_test(test_clock_option),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
