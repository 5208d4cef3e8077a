/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of the probe's report: a real capture, whose log replays to the PCRs that the TPM gave
 * the probe; reports written here, whole, cut, damaged and contradictory.
 */
#include "tests/unit/unit.h"

#include "core/limits.h"
#include "core/text.h"
#include "measure/disk/crc32.h"
#include "precompute/probelog.h"
#include "tpm/eventlog.h"

#define CORPUS "tests/corpus/probelog/"

/* One line, as the probe would sign it. */
static void add(struct assay_str *s, const char *body)
{
	assay_str_add(s, "@assay %s ", body);
	const size_t n = strlen(body) + 7;
	assay_str_add(s, "%08x\r\n", assay_crc32(0, s->p + s->len - n - 1, n));
}

/* A small report. Lines that begin with `without` are left out, `instead` takes their place. */
static struct assay_str report(const char *without, const char *instead)
{
	/* 24 PCRs of one bank: 480 bytes, of zeros */
	char zeros[] = "pcrs-sha1+000000 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		       "AAAAAAAAAAAAAAAAAAAAAAAA";
	const char *lines[] = {
		"begin 1 x64",
		"firmware-vendor EDK II",
		"firmware-revision 00010000",
		"uefi-revision 00020046",
		"secure-boot 00",
		"setup-mode absent",
		"source tcg2",
		"supported-banks 0000000f",
		"active-banks 00000001",
		"manufacturer 004d4249",
		"truncated 00",
		"PCRS",
		"log+000000 YWJjZGVm",
		"log+000006 Z2hpag==",
		"end log 0000000a 3981703a",
	};
	struct assay_str s = { 0 };

	assay_str_add(&s, "\033[2J\033[01;01Hnoise @assay noise\r\n");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (without != NULL && strncmp(lines[i], without, strlen(without)) == 0) {
			if (instead != NULL)
				add(&s, instead);
		} else if (strcmp(lines[i], "PCRS") == 0) {
			for (int at = 0; at < 480; at += 60) {
				char line[160];

				snprintf(line, sizeof(line), "pcrs-sha1+%06x %.80s", at,
					 zeros + 17);
				add(&s, line);
			}
		} else {
			add(&s, lines[i]);
		}
	}
	assert_false(s.bad);
	return s;
}

/* 0, or the error's code. Outputs stay as they were on failure. */
static enum assay_code parse(const void *p, size_t len, struct assay_err *err)
{
	uint8_t *const before = (uint8_t *)&len;
	struct assay_probe_info info = { .secure_boot = 77 };
	size_t n = 4711;
	uint8_t *log = before;

	/* A copy of its own size, so that a sanitizer sees a read past the end */
	uint8_t *copy = malloc(len ? len : 1);
	memcpy(copy, p, len);
	const int rc = assay_probelog_parse(copy, len, &log, &n, &info, err);
	free(copy);
	if (rc < 0) {
		assert_ptr_equal(log, before);
		assert_int_equal(n, 4711);
		assert_int_equal(info.secure_boot, 77);
		return err->code;
	}
	assert_int_equal(n, 10);
	assert_memory_equal(log, "abcdefghij", 10);
	assert_string_equal(info.arch, "x64");
	assert_string_equal(info.firmware_vendor, "EDK II");
	assert_int_equal(info.firmware_revision, 0x10000);
	assert_int_equal(info.secure_boot, 0);
	assert_int_equal(info.setup_mode, ASSAY_PROBE_ABSENT);
	assert_int_equal(info.pcrs.have[ASSAY_SHA1], ASSAY_ALL_PCRS);
	free(log);
	return ASSAY_OK;
}

static enum assay_code parse_str(struct assay_str s, struct assay_err *err)
{
	const enum assay_code code = parse(s.p, s.len, err);

	assay_str_clear(&s);
	return code;
}

static void test_whole(void **state)
{
	struct assay_err err;

	(void)state;
	assert_int_equal(parse_str(report(NULL, NULL), &err), ASSAY_OK);
}

static void test_every_cut(void **state)
{
	struct assay_str s = report(NULL, NULL);
	struct assay_err err;

	(void)state;
	/* The last two bytes are the end of the last line */
	for (size_t len = 0; len < s.len - 2; len++)
		assert_int_not_equal(parse(s.p, len, &err), ASSAY_OK);
	assert_int_equal(parse(s.p, s.len - 2, &err), ASSAY_OK);
	assay_str_clear(&s);
}

static void test_every_byte_damaged(void **state)
{
	struct assay_str s = report(NULL, NULL);
	struct assay_err err;
	const size_t start = (size_t)(strstr(s.p, "@assay begin") - s.p);

	(void)state;
	for (size_t i = start; i < s.len; i++) {
		const char was = s.p[i];
		const bool line_end = was == '\r' || was == '\n';

		s.p[i] ^= 0x01;
		/* CR and LF are no part of the line; one of them is enough */
		assert_int_equal(parse(s.p, s.len, &err) == ASSAY_OK,
				 line_end && i > 0 && (was == '\n' || s.p[i] < ' '));
		s.p[i] = was;
	}
	assay_str_clear(&s);
}

static void test_every_line_lost(void **state)
{
	static const char *const keys[] = { "begin",	     "firmware-vendor", "firmware-revision",
					    "uefi-revision", "secure-boot",	"setup-mode",
					    "source",	     "supported-banks", "active-banks",
					    "manufacturer",  "truncated",	"PCRS",
					    "log+000000",    "log+000006",	"end" };
	struct assay_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		assert_int_not_equal(parse_str(report(keys[i], NULL), &err), ASSAY_OK);
		if (strcmp(keys[i], "log+000000") == 0)
			assert_string_equal(err.msg, "probe report: a gap in the log: 0x000000 "
						     "wanted, 0x000006 found");
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *without, *instead;
		enum assay_code code;
		const char *says;
	} rows[] = {
		{ "begin", "begin 2 x64", ASSAY_E_UNSUPPORTED, "not of version 1" },
		{ "begin", "begin 1 a-long-name", ASSAY_E_CORRUPT, "the architecture is 11" },
		{ "firmware-revision", "firmware-revision 1", ASSAY_E_CORRUPT, "not 8 hex digits" },
		{ "firmware-revision", "firmware-revision 0001000G", ASSAY_E_CORRUPT, "not 8 hex" },
		{ "secure-boot", "secure-boot maybe", ASSAY_E_CORRUPT, "not 2 hex digits" },
		{ "source", "source tea", ASSAY_E_UNSUPPORTED, "unknown source \"tea\"" },
		{ "active-banks", "active-banks 00000003", ASSAY_E_CORRUPT, "PCRs is missing" },
		{ "log+000006", "log+000006 Z2hpag=", ASSAY_E_CORRUPT, "base64" },
		{ "log+000006", "log+000006 Z2hpah==", ASSAY_E_CORRUPT, "base64" },
		{ "log+000006", "log+000006 Z2h*ag==", ASSAY_E_CORRUPT, "base64" },
		{ "log+000006", "log+000006 =2hpag==", ASSAY_E_CORRUPT, "base64" },
		{ "log+000006", "log+6 Z2hpag==", ASSAY_E_CORRUPT, "base64" },
		{ "log+000006", "log+000007 Z2hpag==", ASSAY_E_CORRUPT, "a gap in the log" },
		{ "log+000006", "log+000005 Z2hpag==", ASSAY_E_CORRUPT, "two contents" },
		{ "log+000006", "log+000006 Z2hpaw==", ASSAY_E_CORRUPT, "the log's CRC" },
		{ "log+000006", "log+000006 Z2hp", ASSAY_E_CORRUPT, "a part of the log" },
		{ "log+000006", "source cc", ASSAY_E_CORRUPT, "source has two values" },
		{ "end", "end log 0000000b 3981703a", ASSAY_E_CORRUPT, "a part of the log" },
		{ "end", "end log 0000000a", ASSAY_E_CORRUPT, "length and CRC" },
		{ "end", "end none", ASSAY_E_CORRUPT, "the reason why" },
	};
	struct assay_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse_str(report(rows[i].without, rows[i].instead), &err),
				 rows[i].code);
		if (strstr(err.msg, rows[i].says) == NULL)
			fail_msg("row %zu: \"%s\" does not say \"%s\"", i, err.msg, rows[i].says);
	}
}

static void test_no_log(void **state)
{
	struct assay_str s = { 0 };
	struct assay_err err;

	(void)state;
	add(&s, "begin 1 x64");
	add(&s, "firmware-vendor X");
	add(&s, "firmware-revision 00000000");
	add(&s, "uefi-revision 00020046");
	add(&s, "secure-boot 00");
	add(&s, "setup-mode 00");
	add(&s, "source none");
	add(&s, "supported-banks 00000000");
	add(&s, "active-banks 00000000");
	add(&s, "manufacturer 00000000");
	add(&s, "truncated 00");
	add(&s, "error no TPM at all");
	add(&s, "end none");
	assert_int_equal(parse_str(s, &err), ASSAY_E_NOTFOUND);
	assert_string_equal(err.msg, "the probe found no event log: no TPM at all");
	assert_int_equal(parse("", 0, &err), ASSAY_E_NOTFOUND);
	assert_int_equal(parse("nothing here", 12, &err), ASSAY_E_NOTFOUND);
}

static void test_unreadable_bank(void **state)
{
	struct assay_str s = report("PCRS", "pcrs-sha1 unreadable");
	struct assay_probe_info info;
	struct assay_err err;
	uint8_t *log;
	size_t n;

	(void)state;
	assert_int_equal(assay_probelog_parse((uint8_t *)s.p, s.len, &log, &n, &info, &err), 0);
	assert_int_equal(info.pcrs.banks, 0);
	free(log);
	assay_str_clear(&s);
}

/* Two ports on one wire: each line is there twice. */
static void test_doubled_lines(void **state)
{
	struct assay_str s = report(NULL, NULL), twice = { 0 };
	struct assay_err err;

	(void)state;
	for (const char *p = s.p; *p != '\0';) {
		const size_t n = (size_t)(strchr(p, '\n') + 1 - p);

		assay_str_add_n(&twice, p, n);
		assay_str_add_n(&twice, p, n);
		p += n;
	}
	assay_str_clear(&s);
	assert_int_equal(parse_str(twice, &err), ASSAY_OK);
}

/* The console of a cloud keeps earlier boots. */
static void test_last_report_counts(void **state)
{
	struct assay_str old = report("log+000006", "log+000006 Z2hpaw=="),
			 new = report(NULL, NULL);
	struct assay_str s = { 0 };
	struct assay_err err;

	(void)state;
	assay_str_add_n(&s, old.p, old.len);
	assay_str_add_n(&s, new.p, new.len);
	assert_int_equal(parse(s.p, s.len, &err), ASSAY_OK);
	/* and a last one that is not whole is not made up for by an earlier one */
	assert_int_equal(parse(s.p, s.len - 20, &err), ASSAY_E_CORRUPT);
	assay_str_clear(&old);
	assay_str_clear(&new);
	assay_str_clear(&s);
}

static void test_ceilings(void **state)
{
	struct assay_str s = report(NULL, NULL);
	struct assay_err err;

	(void)state;
	/* the text: to the ceiling with blanks before the report, and one past it */
	uint8_t *big = malloc(ASSAY_PROBELOG_MAX_TEXT + 1U);
	uint8_t *log;
	size_t n;
	struct assay_probe_info info;
	assert_non_null(big);
	memset(big, ' ', ASSAY_PROBELOG_MAX_TEXT + 1U);
	memcpy(big + ASSAY_PROBELOG_MAX_TEXT - s.len, s.p, s.len);
	assert_int_equal(
		assay_probelog_parse(big + 1, ASSAY_PROBELOG_MAX_TEXT - 1, &log, &n, &info, &err),
		0);
	free(log);
	assert_int_equal(assay_probelog_parse(big, ASSAY_PROBELOG_MAX_TEXT, &log, &n, &info, &err),
			 0);
	free(log);
	assert_int_equal(
		assay_probelog_parse(big, ASSAY_PROBELOG_MAX_TEXT + 1U, &log, &n, &info, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	free(big);
	assay_str_clear(&s);

	/* the line: "@assay x VALUE CRC" of 255, 256 and 257 characters; too long a one is not a
	 * line */
	for (int over = -1; over <= 1; over++) {
		char body[300];
		const int len = ASSAY_PROBELOG_MAX_LINE + over - 7 - 9;

		memset(body, 'v', sizeof(body));
		memcpy(body, "source ", 7);
		body[len] = '\0';
		s = report("source", body);
		assert_int_equal(parse_str(s, &err), ASSAY_E_CORRUPT);
		assert_non_null(strstr(err.msg, over <= 0 ? "characters" : "source missing"));
	}

	/* PCRs of one bank: 8 pieces of 60 bytes are all that fits */
	s = report("log+000000", "pcrs-sha1+0001e0 AAAA");
	assert_int_equal(parse_str(s, &err), ASSAY_E_LIMIT);
}

static void check_capture(const char *path, const char *arch)
{
	ASSAY_AUTO(assay_eventlog) *log = NULL;
	struct assay_replay_reasons reasons = { 0 };
	struct assay_probe_info info;
	struct assay_pcrs pcrs;
	struct assay_err err;
	uint8_t *bytes, text[65536];
	size_t n;

	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	const size_t len = fread(text, 1, sizeof(text), f);
	fclose(f);
	if (assay_probelog_parse(text, len, &bytes, &n, &info, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(info.arch, arch);
	assert_string_equal(info.firmware_vendor, "EDK II");
	assert_string_equal(info.source, "tcg2");
	assert_int_equal(info.setup_mode, 1);
	assert_false(info.truncated);
	assert_int_equal(info.pcrs.banks, info.active_banks);
	assert_int_equal(info.pcrs.banks, ASSAY_BANK_BIT(ASSAY_SHA1) |
						  ASSAY_BANK_BIT(ASSAY_SHA256) |
						  ASSAY_BANK_BIT(ASSAY_SHA384));

	/* The TPM's own values, and what the log comes to */
	assert_int_equal(assay_eventlog_parse(bytes, n, &log, &err), 0);
	assert_int_equal(assay_eventlog_replay(log, info.active_banks, &pcrs, &reasons, &err), 0);
	for (enum assay_bank b = 0; b < ASSAY_SHA512; b++)
		for (unsigned i = 0; i < ASSAY_N_PCRS; i++)
			assert_memory_equal(pcrs.v[b][i], info.pcrs.v[b][i], assay_bank_size(b));
	assay_replay_reasons_free(&reasons);
	free(bytes);
}

static void test_captures(void **state)
{
	(void)state;
	check_capture(CORPUS "q35-ovmf-2022.11", "x64");
	check_capture(CORPUS "virt-aavmf-2022.11", "aa64");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_whole),
	cmocka_unit_test(test_every_cut),
	cmocka_unit_test(test_every_byte_damaged),
	cmocka_unit_test(test_every_line_lost),
	cmocka_unit_test(test_refused),
	cmocka_unit_test(test_no_log),
	cmocka_unit_test(test_unreadable_bank),
	cmocka_unit_test(test_doubled_lines),
	cmocka_unit_test(test_last_report_counts),
	cmocka_unit_test(test_ceilings),
	cmocka_unit_test(test_captures),
};

UNIT_MAIN(tests)
