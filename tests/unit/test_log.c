/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log.h"
#include "tests/unit/unit.h"

static char last[2000];
static enum assay_log_level last_level;
static uint64_t last_done, last_total;

static void on_log(enum assay_log_level level, const char *text, void *arg)
{
	assert_ptr_equal(arg, last);
	last_level = level;
	snprintf(last, sizeof(last), "%s", text);
}

static void on_progress(uint64_t done, uint64_t total, void *arg)
{
	assert_ptr_equal(arg, last);
	last_done = done;
	last_total = total;
}

static void test_silent(void **state)
{
	(void)state;
	assay_log_set(NULL, NULL, NULL);
	assay_log(ASSAY_LOG_WARNING, "nobody %s", "listens");
	assay_progress(1, 2);
}

static void test_heard(void **state)
{
	char text[3000];

	(void)state;
	assay_log_set(on_log, on_progress, last);
	assay_log(ASSAY_LOG_WARNING, "GPT of %s differs by %d", "disk.raw", 3);
	assert_string_equal(last, "GPT of disk.raw differs by 3");
	assert_int_equal(last_level, ASSAY_LOG_WARNING);
	assay_progress(UINT64_MAX - 1, UINT64_MAX);
	assert_true(last_done == UINT64_MAX - 1 && last_total == UINT64_MAX);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assay_log(ASSAY_LOG_INFO, "%s", text);
	assert_int_equal(last_level, ASSAY_LOG_INFO);
	assert_int_equal(strlen(last), 1023);
	assay_log_set(NULL, NULL, NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_silent),
	cmocka_unit_test(test_heard),
};

UNIT_MAIN(tests)
