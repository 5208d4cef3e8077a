/* SPDX-License-Identifier: Apache-2.0 */
/* Out of memory at each allocation of reading, replaying and describing a log. */
#include "tests/unit/alloc.h"
#include "tests/unit/log_build.h"
#include "tpm/efi_sigdb.h"
#include "tpm/event_build.h"

#define BANKS (ASSAY_BANK_BIT(ASSAY_SHA1) | ASSAY_BANK_BIT(ASSAY_SHA256))

static struct log_build built;

static int setup(void **state)
{
	struct log_build v = log_variable(LOG_EFI_GLOBAL, "SecureBoot", "\1", 1);

	(void)state;
	log_header(&built, BANKS);
	log_locality(&built, BANKS, 3);
	log_event_of(&built, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, BANKS, v.p, v.len);
	for (uint32_t i = 0; i < 70; i++) /* past the first size of the list of events */
		log_event_of(&built, i % 16, EV_IPL, i % 5 ? BANKS : ASSAY_BANK_BIT(ASSAY_SHA256),
			     &i, sizeof(i));
	free(v.p);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(built.p);
	return 0;
}

static int read_and_replay(struct assay_err *err)
{
	ASSAY_AUTO(assay_eventlog) *log = NULL;
	struct assay_replay_reasons reasons;
	struct assay_pcrs pcrs;

	if (assay_eventlog_parse(built.p, built.len, &log, err) < 0 ||
	    assay_eventlog_replay(log, ASSAY_ALL_BANKS, &pcrs, &reasons, err) < 0)
		return -1;
	assay_replay_reasons_free(&reasons);
	return 0;
}

static int describe(struct assay_err *err)
{
	ASSAY_AUTO(assay_eventlog) *log = NULL;

	if (assay_eventlog_parse(built.p, built.len, &log, err) < 0)
		return -1;
	for (size_t i = 0; i < 4; i++) {
		ASSAY_AUTO_FREE char *text = assay_event_describe(&log->events[i]);

		if (!text)
			return assay_fail_mem(err);
	}
	return 0;
}

static int build(struct assay_err *err)
{
	static const uint8_t guid[16] = { 1 }, header[ASSAY_GPT_EVENT_HEADER], entries[256] = { 1 };
	ASSAY_AUTO_FREE uint8_t *a = NULL;
	ASSAY_AUTO_FREE uint8_t *b = NULL;
	ASSAY_AUTO_FREE uint8_t *c = NULL;
	ASSAY_AUTO_FREE uint8_t *d = NULL;
	size_t n;

	return assay_event_build_gpt(header, entries, 2, 128, &a, &n, err) < 0 ||
			       assay_event_build_variable(guid, "db", "x", 1, &b, &n, err) < 0 ||
			       assay_event_build_tagged(1, "x", 1, &c, &n, err) < 0 ||
			       assay_event_build_utf16z("x", &d, &n, err) < 0
		       ? -1
		       : 0;
}

static int signatures(struct assay_err *err)
{
	static uint8_t list[28 + 40 * 17];
	struct assay_sigdb db;

	assay_put_le32(list + 16, sizeof(list));
	assay_put_le32(list + 24, 17);
	if (assay_sigdb_parse(list, sizeof(list), 0, &db, err) < 0)
		return -1;
	assay_sigdb_free(&db);
	return 0;
}

static void test_read_and_replay(void **state)
{
	(void)state;
	/* The crypto library keeps a context for later, so that frees and allocations need not
	 * pair. */
	unit_alloc_each(read_and_replay, false);
}

static void test_describe(void **state)
{
	(void)state;
	unit_alloc_each(describe, true);
}

static void test_build(void **state)
{
	(void)state;
	unit_alloc_each(build, true);
}

static void test_signatures(void **state)
{
	(void)state;
	unit_alloc_each(signatures, true);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_read_and_replay, setup, NULL),
	cmocka_unit_test(test_describe),
	cmocka_unit_test(test_build),
	cmocka_unit_test_setup_teardown(test_signatures, NULL, teardown),
};

UNIT_MAIN(tests)
