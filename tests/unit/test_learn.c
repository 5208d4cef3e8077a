/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles out of logs: logs built here, and logs of real machines with the PCRs they had. */
#include "core/limits.h"
#include "core/text.h"
#include "precompute/learn.h"
#include "tests/unit/alloc.h"
#include "tests/unit/log_build.h"

#define SHA1 ASSAY_BANK_BIT(ASSAY_SHA1)
#define SHA256 ASSAY_BANK_BIT(ASSAY_SHA256)
#define BANKS (SHA1 | SHA256)
#define CALLING "Calling EFI Application from Boot Option"
#define RETURNING "Returning from EFI Application from Boot Option"

static struct assay_err err;

static void text_event(struct log_build *b, uint32_t pcr, uint32_t type, const char *text)
{
	log_event_of(b, pcr, type, BANKS, text, strlen(text));
}

static void variable(struct log_build *b, uint32_t type, const char *guid, const char *name,
		     const void *data, size_t len)
{
	struct log_build var = log_variable(guid, name, data, len);

	log_event_of(b, 7, type, BANKS, var.p, var.len);
	free(var.p);
}

/* The order of EDK2 (FACTS: OVMF): CRTM, PCR 7, drivers, first "Calling", separators. */
static void start(struct log_build *b, uint8_t secure)
{
	log_header(b, BANKS);
	text_event(b, 0, EV_S_CRTM_VERSION, "1");
	variable(b, EV_EFI_VARIABLE_DRIVER_CONFIG, LOG_EFI_GLOBAL, "SecureBoot", &secure, 1);
	variable(b, EV_EFI_VARIABLE_DRIVER_CONFIG, LOG_IMAGE_SECURITY, "db", "keys", 4);
	text_event(b, 7, EV_SEPARATOR, "sep");
}

static void calling(struct log_build *b)
{
	text_event(b, 4, EV_EFI_ACTION, CALLING);
	for (uint32_t i = 0; i < 7; i++)
		text_event(b, i, EV_SEPARATOR, "sep");
}

static void boot_app(struct log_build *b)
{
	text_event(b, 4, EV_EFI_BOOT_SERVICES_APPLICATION, "probe");
}

static struct log_build usual(void)
{
	struct log_build b = { 0 };

	start(&b, 0);
	calling(&b);
	text_event(&b, 5, EV_EFI_GPT_EVENT, "gpt");
	boot_app(&b);
	return b;
}

static int learn_app(struct log_build *b, const char *app, struct assay_platform **ret)
{
	struct assay_eventlog *log = NULL;
	struct assay_digests d;
	int r;

	assert_int_equal(assay_digest_mem(ASSAY_ALL_BANKS, app, strlen(app), &d, NULL), 0);
	if (assay_eventlog_parse(b->p, b->len, &log, &err) < 0)
		fail_msg("%s", err.msg);
	r = assay_platform_learn(log, &d, "test", "x86-64", NULL, ret, &err);
	assay_eventlog_free(&log);
	free(b->p);
	*b = (struct log_build){ 0 };
	return r;
}

static struct assay_platform *learn(struct log_build *b)
{
	struct assay_platform *p = NULL;

	if (learn_app(b, "probe", &p) < 0)
		fail_msg("%s", err.msg);
	return p;
}

static void refused(struct log_build *b, enum assay_code code, const char *words)
{
	struct assay_platform *untouched = (struct assay_platform *)&err;

	assert_int_equal(learn_app(b, "probe", &untouched), -1);
	assert_ptr_equal(untouched, &err);
	if (!strstr(err.msg, words))
		fail_msg("'%s' is not in: %s", words, err.msg);
	assert_int_equal(err.code, code);
}

/* "0:EV_S_CRTM_VERSION 7:… gpt boot/2 exit" without the EV_ and EFI_ of the names */
static char *shape(const struct assay_platform *p)
{
	struct assay_str s = { 0 };

	for (size_t i = 0; i < p->n; i++) {
		const struct assay_platform_event *e = &p->events[i];
		const char *sep = i ? " " : "";

		if (e->slot == ASSAY_SLOT_GPT)
			assay_str_add(&s, "%sgpt", sep);
		else if (e->slot == ASSAY_SLOT_BOOT)
			assay_str_add(&s, "%sboot/%u", sep, e->tries);
		else if (e->slot == ASSAY_SLOT_EXIT)
			assay_str_add(&s, "%sexit", sep);
		else
			assay_str_add(&s, "%s%u:%x", sep, e->pcr, (unsigned)e->type);
	}
	return assay_str_steal(&s);
}

static void expect_shape(struct assay_platform **p, const char *want)
{
	char *is = shape(*p);

	assert_string_equal(is, want);
	free(is);
	assay_platform_free(p);
}

#define HEAD "0:8 7:80000001 7:80000001 7:4 "
#define SEPARATORS "0:4 1:4 2:4 3:4 4:4 5:4 6:4 "

static void test_usual(void **state)
{
	struct log_build b = usual();
	struct assay_platform *p = learn(&b);
	struct assay_event_variable var;

	(void)state;
	assert_int_equal(p->banks, BANKS);
	assert_int_equal(p->secure_boot, 0);
	assert_int_equal(p->locality, 0);
	assert_true(assay_platform_variable(p, "db", &var));
	assert_int_equal(var.data_len, 4);
	assert_memory_equal(var.data, "keys", 4);
	assert_null(p->events[0].data);
	assert_string_equal(p->name, "test");
	for (unsigned i = 0; i < ASSAY_N_PCRS; i++)
		assert_null(p->unknown[i]);
	for (size_t i = 0; i < p->n; i++)
		if (p->events[i].slot == ASSAY_SLOT_NONE)
			assert_non_null(p->events[i].note);
	expect_shape(&p, HEAD "4:80000007 " SEPARATORS "gpt boot/0 exit");
}

/* What is learned can be written, and says the same when it is read. */
static void test_round_trip(void **state)
{
	struct log_build b = usual();
	struct assay_platform *p = learn(&b), *again = NULL;
	struct assay_out *out = NULL;
	char *text = NULL;
	size_t len;

	(void)state;
	assert_int_equal(assay_out_memory(&out, &err), 0);
	assert_int_equal(assay_platform_write(p, out, &err), 0);
	assert_int_equal(assay_out_steal(out, &text, &len, &err), 0);
	if (assay_platform_parse(text, len, &again, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(again->secure_boot, 0);
	for (size_t i = 0; i < p->n; i++)
		if (p->events[i].n_values)
			assert_true(assay_digests_equal(&p->events[i].values[0].digests,
							&again->events[i].values[0].digests));
	free(text);
	assay_out_free(&out);
	expect_shape(&again, HEAD "4:80000007 " SEPARATORS "gpt boot/0 exit");
	assay_platform_free(&p);
}

static void test_tries(void **state)
{
	struct assay_platform *p;

	(void)state;
	for (unsigned tries = 0; tries <= ASSAY_PLATFORM_MAX_TRIES + 1; tries++) {
		struct log_build b = { 0 };
		char want[256];

		start(&b, 0);
		calling(&b);
		for (unsigned i = 0; i < tries; i++) {
			text_event(&b, 4, EV_EFI_ACTION, RETURNING);
			text_event(&b, 4, EV_EFI_ACTION, CALLING);
		}
		text_event(&b, 5, EV_EFI_GPT_EVENT, "gpt");
		boot_app(&b);
		if (tries > ASSAY_PLATFORM_MAX_TRIES) {
			refused(&b, ASSAY_E_LIMIT, "65 boot options tried in vain");
			break;
		}
		p = learn(&b);
		snprintf(want, sizeof(want), HEAD "4:80000007 " SEPARATORS "gpt boot/%u exit",
			 tries);
		expect_shape(&p, want);
	}
}

/* "Calling" twice without a return between is no try in vain, but an event like any other. */
static void test_calling_twice(void **state)
{
	struct log_build b = { 0 };
	struct assay_platform *p;

	(void)state;
	start(&b, 0);
	calling(&b);
	text_event(&b, 4, EV_EFI_ACTION, CALLING);
	boot_app(&b);
	p = learn(&b);
	expect_shape(&p, HEAD "4:80000007 " SEPARATORS "4:80000007 boot/0 exit");

	/* The words alone do not make an action: its digest does. */
	start(&b, 0);
	calling(&b);
	struct assay_digests d;
	assert_int_equal(assay_digest_mem(BANKS, "else", 4, &d, NULL), 0);
	log_event(&b, 4, EV_EFI_ACTION, &d, RETURNING, strlen(RETURNING));
	text_event(&b, 4, EV_EFI_ACTION, CALLING);
	boot_app(&b);
	p = learn(&b);
	expect_shape(&p, HEAD "4:80000007 " SEPARATORS "4:80000007 4:80000007 boot/0 exit");
}

/* A boot option that ran and came back: what it measured is the platform's. */
static void test_other_app(void **state)
{
	struct log_build b = { 0 };
	struct assay_platform *p;

	(void)state;
	start(&b, 1);
	calling(&b);
	variable(&b, EV_EFI_VARIABLE_AUTHORITY, LOG_IMAGE_SECURITY, "db", "other", 5);
	text_event(&b, 4, EV_EFI_BOOT_SERVICES_APPLICATION, "other");
	text_event(&b, 4, EV_EFI_ACTION, RETURNING);
	text_event(&b, 4, EV_EFI_ACTION, CALLING);
	variable(&b, EV_EFI_VARIABLE_AUTHORITY, LOG_IMAGE_SECURITY, "db", "probe", 5);
	text_event(&b, 5, EV_EFI_GPT_EVENT, "gpt");
	boot_app(&b);
	p = learn(&b);
	expect_shape(&p, HEAD "4:80000007 " SEPARATORS "7:800000e0 4:80000003 gpt boot/1 exit");
}

static void test_authority(void **state)
{
	struct log_build b = { 0 };
	struct assay_platform *p;
	struct assay_event_variable var;

	(void)state;
	start(&b, 1);
	variable(&b, EV_EFI_VARIABLE_AUTHORITY, LOG_IMAGE_SECURITY, "db", "driver's", 8);
	text_event(&b, 2, EV_EFI_BOOT_SERVICES_DRIVER, "driver");
	calling(&b);
	variable(&b, EV_EFI_VARIABLE_AUTHORITY, LOG_IMAGE_SECURITY, "db", "probe's", 7);
	text_event(&b, 5, EV_EFI_GPT_EVENT, "gpt");
	boot_app(&b);
	variable(&b, EV_EFI_VARIABLE_AUTHORITY, LOG_IMAGE_SECURITY, "db", "shim's", 6);
	p = learn(&b);
	assert_int_equal(p->secure_boot, 1);
	/* Kept with its data: an image that the same key vouches for brings no second event. */
	assert_int_equal(p->events[4].type, EV_EFI_VARIABLE_AUTHORITY);
	assert_int_equal(
		assay_event_variable_parse(p->events[4].data, p->events[4].data_len, 0, &var, &err),
		0);
	assert_memory_equal(var.data, "driver's", 8);
	expect_shape(&p, HEAD "7:800000e0 2:80000004 4:80000007 " SEPARATORS "gpt boot/0 exit");

	start(&b, 1);
	calling(&b);
	variable(&b, EV_EFI_VARIABLE_AUTHORITY, LOG_IMAGE_SECURITY, "db", "whose?", 6);
	text_event(&b, 2, EV_EFI_BOOT_SERVICES_DRIVER, "late driver");
	boot_app(&b);
	refused(&b, ASSAY_E_UNSUPPORTED, "this authority may be a driver's");
}

static void test_later_events(void **state)
{
	static const uint32_t firmware[] = { 0, 1, 2, 3, 6 };
	struct log_build b = usual();
	struct assay_platform *p;

	(void)state;
	/* What an OS's boot goes on with is left out, exits included: the slot stands for them. */
	text_event(&b, 4, EV_EFI_BOOT_SERVICES_APPLICATION, "kernel");
	text_event(&b, 11, EV_IPL, ".linux");
	text_event(&b, 8, EV_IPL, "grub");
	text_event(&b, 5, EV_EFI_ACTION, "Exit Boot Services Invocation");
	text_event(&b, 5, EV_EFI_ACTION, "Exit Boot Services Returned with Success");
	log_no_action(&b, 0, BANKS, "later", 5);
	p = learn(&b);
	assert_non_null(strstr(p->events[p->n - 1].note, "as in the log"));
	expect_shape(&p, HEAD "4:80000007 " SEPARATORS "gpt boot/0 exit");
	for (size_t i = 0; i < sizeof(firmware) / sizeof(firmware[0]); i++) {
		b = usual();
		text_event(&b, firmware[i], EV_EFI_HANDOFF_TABLES, "late");
		refused(&b, ASSAY_E_UNSUPPORTED,
			"(EV_EFI_HANDOFF_TABLES) after the boot application");
	}
}

static void test_boot_app(void **state)
{
	struct log_build b = usual();
	struct assay_platform *p = NULL;

	(void)state;
	assert_int_equal(learn_app(&b, "another", &p), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
	b = usual();
	boot_app(&b);
	refused(&b, ASSAY_E_UNSUPPORTED, "measured twice");
	/* The right digest in another place is another thing. */
	start(&b, 0);
	text_event(&b, 2, EV_EFI_BOOT_SERVICES_APPLICATION, "probe");
	text_event(&b, 4, EV_EFI_BOOT_SERVICES_DRIVER, "probe");
	refused(&b, ASSAY_E_NOTFOUND, "no event in PCR 4");
}

static void test_gpt(void **state)
{
	struct log_build b = { 0 };
	struct assay_platform *p;

	(void)state;
	start(&b, 0);
	calling(&b);
	boot_app(&b);
	p = learn(&b);
	assert_string_equal(p->unknown[5], "the log has no GPT event before the boot application");
	expect_shape(&p, HEAD "4:80000007 " SEPARATORS "boot/0 exit");

	start(&b, 0);
	text_event(&b, 5, EV_EFI_GPT_EVENT, "one");
	text_event(&b, 5, EV_EFI_GPT_EVENT, "two");
	boot_app(&b);
	p = learn(&b);
	assert_non_null(strstr(p->unknown[5], "2 GPT events"));
	assay_platform_free(&p);

	start(&b, 0);
	text_event(&b, 5, EV_EFI_GPT_EVENT2, "new");
	boot_app(&b);
	p = learn(&b);
	assert_non_null(strstr(p->unknown[5], "EV_EFI_GPT_EVENT2"));
	assay_platform_free(&p);
}

static void test_start(void **state)
{
	struct log_build b = { 0 };
	struct assay_platform *p;

	(void)state;
	log_header(&b, BANKS);
	log_locality(&b, BANKS, 3);
	text_event(&b, 0, EV_S_CRTM_VERSION, "1");
	text_event(&b, 16, EV_EVENT_TAG, "debug PCR");
	boot_app(&b);
	p = learn(&b);
	assert_int_equal(p->locality, 3);
	assert_false(p->hcrtm);
	assert_int_equal(p->secure_boot, -1);
	expect_shape(&p, "0:8 boot/0 exit");

	log_header(&b, BANKS);
	text_event(&b, 0, EV_EFI_HCRTM_EVENT, "HCRTM");
	boot_app(&b);
	p = learn(&b);
	assert_true(p->hcrtm);
	expect_shape(&p, "0:80000010 boot/0 exit");
}

static void test_tcg12(void **state)
{
	struct log_build b = { 0 };
	struct assay_digests d;
	struct assay_platform *p;

	(void)state;
	assert_int_equal(assay_digest_mem(SHA1, "probe", 5, &d, NULL), 0);
	log_event12(&b, 0, EV_S_CRTM_VERSION, "12345678901234567890", "1", 1);
	log_event12(&b, 4, EV_EFI_BOOT_SERVICES_APPLICATION, d.d[ASSAY_SHA1], "", 0);
	p = learn(&b);
	assert_int_equal(p->banks, SHA1);
	assert_non_null(p->unknown[10]);
	expect_shape(&p, "0:8 boot/0 exit");
}

static void test_missing_digest(void **state)
{
	struct log_build b = { 0 };

	(void)state;
	log_header(&b, BANKS);
	log_event_of(&b, 0, EV_S_CRTM_VERSION, SHA1, "1", 1);
	boot_app(&b);
	refused(&b, ASSAY_E_UNSUPPORTED, "an event in PCR 0 without a sha256 digest");
}

/* Data that is not what was hashed says nothing about Secure Boot. */
static void test_untrue_data(void **state)
{
	struct log_build b = { 0 }, var = log_variable(LOG_EFI_GLOBAL, "SecureBoot", "\1", 1);
	struct assay_platform *p;
	struct assay_digests d;

	(void)state;
	assert_int_equal(assay_digest_mem(BANKS, "else", 4, &d, NULL), 0);
	log_header(&b, BANKS);
	log_event(&b, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, &d, var.p, var.len);
	boot_app(&b);
	p = learn(&b);
	assert_int_equal(p->secure_boot, -1);
	assert_null(p->events[0].data);
	assay_platform_free(&p);
	free(var.p);
}

static void data_of(size_t n, bool fits)
{
	struct log_build b = { 0 };
	uint8_t *data = calloc(1, n);
	struct assay_platform *p;

	log_header(&b, BANKS);
	log_event_of(&b, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, BANKS, data, n);
	boot_app(&b);
	if (fits) {
		p = learn(&b);
		assert_int_equal(p->events[0].data_len, n);
		assay_platform_free(&p);
	} else {
		refused(&b, ASSAY_E_LIMIT, "bytes of data");
	}
	free(data);
}

static void events_of(size_t n, bool fits)
{
	struct log_build b = { 0 };
	struct assay_platform *p;

	log_header(&b, BANKS);
	for (size_t i = 1; i < n; i++)
		text_event(&b, 1, EV_ACTION, "x");
	boot_app(&b);
	if (fits) {
		p = learn(&b);
		assert_int_equal(p->n, n + 1);
		assay_platform_free(&p);
	} else {
		refused(&b, ASSAY_E_LIMIT, "events before the boot application");
	}
}

static void test_limits(void **state)
{
	(void)state;
	data_of(ASSAY_PLATFORM_MAX_DATA - 1, true);
	data_of(ASSAY_PLATFORM_MAX_DATA, true);
	data_of(ASSAY_PLATFORM_MAX_DATA + 1, false);
	events_of(ASSAY_PLATFORM_MAX_EVENTS - 3, true);
	events_of(ASSAY_PLATFORM_MAX_EVENTS - 2, true);
	events_of(ASSAY_PLATFORM_MAX_EVENTS - 1, false);
}

/*
 * Real machines: their PCRs 0 to 3 and 6, read from the TPM, are what the learned profile's events
 * lead to, and PCR 4 too with the log's own boot applications in the slot.
 */
static const struct assay_event *first_app(const struct assay_eventlog *log)
{
	for (size_t i = 0; i < log->n; i++)
		if (log->events[i].pcr == 4 &&
		    log->events[i].type == EV_EFI_BOOT_SERVICES_APPLICATION)
			return &log->events[i];
	return NULL;
}

static unsigned compare_known(const struct assay_platform *p, const struct assay_json *known)
{
	struct assay_pcrs pcrs;
	unsigned compared = 0;

	assay_pcrs_reset(&pcrs, p->banks);
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
		pcrs.v[b][0][assay_bank_size(b) - 1] = (uint8_t)(p->hcrtm ? 4 : p->locality);
	for (size_t i = 0; i < p->n; i++)
		if (p->events[i].slot == ASSAY_SLOT_NONE)
			assert_int_equal(assay_pcr_extend_all(&pcrs, p->events[i].pcr,
							      &p->events[i].values[0].digests,
							      &err),
					 0);
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		const struct assay_json *bank = assay_json_get(known, assay_bank_name(b));

		if (!(p->banks & ASSAY_BANK_BIT(b)))
			continue;
		for (unsigned i = 0; i < 7; i++) {
			char index[8], hex[ASSAY_HEX_MAX];
			const char *want;

			snprintf(index, sizeof(index), "%u", i);
			want = assay_json_str(assay_json_get(bank, index));
			if (!want || i == 4 || i == 5 || p->unknown[i])
				continue;
			assay_hex(pcrs.v[b][i], assay_bank_size(b), hex);
			assert_string_equal(hex, want);
			compared++;
		}
	}
	return compared;
}

struct known_job {
	unsigned compared, learned;
};

static int known_log(const char *name, const struct assay_json *value, void *arg)
{
	struct assay_eventlog *log = NULL;
	struct assay_platform *p = NULL;
	struct known_job *job = arg;
	char file[300], path[512];

	snprintf(file, sizeof(file), "data/eventlogs/%s", name);
	assert_true(unit_shared(file, path, sizeof(path)));
	if (assay_eventlog_load(path, &log, &err) < 0)
		fail_msg("%s: %s", name, err.msg);
	if (!first_app(log)) {
		print_message("# %s: no boot application in it\n", name);
	} else if (assay_platform_learn(log, &first_app(log)->digests, "known", "x86-64", NULL, &p,
					&err) < 0) {
		print_message("# %s: refused: %s\n", name, err.msg);
		assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	} else {
		job->compared += compare_known(p, assay_json_get(value, "pcrs"));
		job->learned++;
	}
	assay_platform_free(&p);
	assay_eventlog_free(&log);
	return 0;
}

static void test_known(void **state)
{
	struct assay_json *known = NULL;
	struct known_job job = { 0 };
	char path[512];

	(void)state;
	if (!unit_shared("data/eventlogs/known-pcrs.json", path, sizeof(path)))
		unit_skip("no shared data: data/eventlogs/known-pcrs.json");
	assert_int_equal(assay_json_load(path, &known, &err), 0);
	assay_json_each(known, known_log, &job);
	print_message("# %u logs learned, %u PCRs as the machines had them\n", job.learned,
		      job.compared);
	assert_true(job.learned >= 5);
	assert_true(job.compared >= 30);
	assay_json_free(&known);
}

static struct log_build alloc_log;

static int use_learn(struct assay_err *e)
{
	ASSAY_AUTO(assay_eventlog) *log = NULL;
	ASSAY_AUTO(assay_platform) *p = NULL;
	struct assay_digests d;

	if (assay_digest_mem(BANKS, "probe", 5, &d, e) < 0 ||
	    assay_eventlog_parse(alloc_log.p, alloc_log.len, &log, e) < 0)
		return -1;
	return assay_platform_learn(log, &d, "test", "x86-64", NULL, &p, e);
}

static void test_out_of_memory(void **state)
{
	(void)state;
	alloc_log = usual();
	unit_alloc_each(use_learn, false);
	free(alloc_log.p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_usual),	      cmocka_unit_test(test_round_trip),
	cmocka_unit_test(test_tries),	      cmocka_unit_test(test_other_app),
	cmocka_unit_test(test_calling_twice), cmocka_unit_test(test_authority),
	cmocka_unit_test(test_later_events),  cmocka_unit_test(test_boot_app),
	cmocka_unit_test(test_gpt),	      cmocka_unit_test(test_start),
	cmocka_unit_test(test_tcg12),	      cmocka_unit_test(test_missing_digest),
	cmocka_unit_test(test_untrue_data),   cmocka_unit_test(test_limits),
	cmocka_unit_test(test_known),	      cmocka_unit_test(test_out_of_memory),
};

UNIT_MAIN(tests)
