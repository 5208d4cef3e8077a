/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

char *assay_clock_text(int64_t seconds, char dst[ASSAY_CLOCK_TEXT])
{
	const time_t t = (time_t)seconds;
	struct tm tm;

	if (seconds < 0 || seconds > ASSAY_CLOCK_MAX || !gmtime_r(&t, &tm) ||
	    strftime(dst, ASSAY_CLOCK_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm) != ASSAY_CLOCK_TEXT - 1)
		memcpy(dst, "0000-00-00T00:00:00Z", ASSAY_CLOCK_TEXT);
	return dst;
}

int assay_clock_parse(const char *text, int64_t *ret, struct assay_err *err)
{
	char again[ASSAY_CLOCK_TEXT];
	int used = 0;
	struct tm tm = { 0 };
	time_t t;

	if (strlen(text) == ASSAY_CLOCK_TEXT - 1 &&
	    sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
		   &tm.tm_min, &tm.tm_sec, &used) == 6 &&
	    used == ASSAY_CLOCK_TEXT - 1) {
		tm.tm_year -= 1900;
		tm.tm_mon -= 1;
		t = timegm(&tm);
		/* Written again it is the same, or there is no such day, a leap second, a sign, white space. */
		if (t >= 0 && strcmp(assay_clock_text((int64_t)t, again), text) == 0) {
			*ret = (int64_t)t;
			return 0;
		}
	}
	return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
			  "\"%.40s\" is no time of the form 2026-11-22T08:00:00Z", text);
}

/* Digits and nothing else. */
static bool number(const char *text, size_t len, int64_t *ret)
{
	int64_t v = 0;

	if (len == 0 || len > 12)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		v = 10 * v + (text[i] - '0');
	}
	*ret = v;
	return v <= ASSAY_CLOCK_MAX;
}

int assay_clock_option(const char *text, int64_t base, int64_t *ret, struct assay_err *err)
{
	const size_t len = strlen(text);
	char full[ASSAY_CLOCK_TEXT];
	int64_t v;

	if (text[0] == '@' && number(text + 1, len - 1, ret))
		return 0;
	if (text[0] == '+' && len > 2 && (text[len - 1] == 'd' || text[len - 1] == 'h') &&
	    number(text + 1, len - 2, &v)) {
		const int64_t unit = text[len - 1] == 'd' ? 86400 : 3600;

		if (v > (ASSAY_CLOCK_MAX - base) / unit)
			return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "%s is after the year 9999", text);
		*ret = base + v * unit;
		return 0;
	}
	if (len == 10) {
		snprintf(full, sizeof(full), "%.10sT00:00:00Z", text);
		if (assay_clock_parse(full, ret, err) == 0)
			return 0;
	}
	if (assay_clock_parse(text, ret, err) == 0)
		return 0;
	return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
			  "\"%.40s\" is no time: write 2026-11-22T08:00:00Z, 2026-11-22, @SECONDS, +30d or +12h", text);
}

int assay_clock_epoch(int64_t *ret, struct assay_err *err)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");

	if (!text || !*text)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "SOURCE_DATE_EPOCH is not set");
	if (!number(text, strlen(text), ret))
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "SOURCE_DATE_EPOCH is no number of seconds: %.40s", text);
	return 0;
}

int64_t assay_clock_now(void)
{
	return (int64_t)time(NULL);
}
