/* SPDX-License-Identifier: Apache-2.0 */
/* PCR values: reset, extend, their text. A real TPM judges extends in test_replay.c. */
#include "core/limits.h"
#include "tests/unit/unit.h"
#include "tpm/pcr.h"

static struct assay_err err;

static void test_reset(void **state)
{
	struct assay_pcrs p;
	uint8_t ones[64];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	assay_pcrs_reset(&p, ASSAY_BANK_BIT(ASSAY_SHA1) | ASSAY_BANK_BIT(ASSAY_SHA384));
	assert_int_equal(p.banks, ASSAY_BANK_BIT(ASSAY_SHA1) | ASSAY_BANK_BIT(ASSAY_SHA384));
	assert_int_equal(p.have[ASSAY_SHA1], 0xffffff);
	assert_int_equal(p.have[ASSAY_SHA256], 0);
	for (unsigned i = 0; i < ASSAY_N_PCRS; i++) {
		const bool dynamic = i >= 17 && i <= 22;

		assert_int_equal(assay_pcr_is_zero(&p, ASSAY_SHA384, i), !dynamic);
		assert_false(assay_pcr_is_zero(&p, ASSAY_SHA256, i));
		if (dynamic)
			assert_memory_equal(p.v[ASSAY_SHA384][i], ones, 48);
	}
	assert_false(assay_pcr_is_zero(&p, ASSAY_SHA1, ASSAY_N_PCRS));
}

/*
 * PCRs 1, 2 and 3 of an Azure Trusted Launch VM hold the separator alone: 3d458cfe… is what such
 * machines report.
 */
static void test_separator(void **state)
{
	static const uint8_t zeros[4];
	struct assay_digests d;
	struct assay_pcrs p;
	char hex[ASSAY_HEX_MAX];

	(void)state;
	assay_pcrs_reset(&p, ASSAY_BANK_BIT(ASSAY_SHA1) | ASSAY_BANK_BIT(ASSAY_SHA256));
	assert_int_equal(assay_digest_mem(p.banks, zeros, sizeof(zeros), &d, &err), 0);
	assert_int_equal(assay_pcr_extend_all(&p, 3, &d, &err), 0);
	assert_string_equal(assay_hex(p.v[ASSAY_SHA256][3], 32, hex),
			    "3d458cfe55cc03ea1f443f1562beec8df51c75e14a9fcf9a7234a13f198e7969");
	assert_string_equal(assay_hex(p.v[ASSAY_SHA1][3], 20, hex),
			    "b2a83b0ebf2f8374299a5b2bdfc31ea955ad7236");
	assert_true(assay_pcr_is_zero(&p, ASSAY_SHA256, 2));
}

static void test_refusals(void **state)
{
	const struct assay_digests sha1 = { .banks = ASSAY_BANK_BIT(ASSAY_SHA1) };
	struct assay_pcrs p, before;

	(void)state;
	assay_pcrs_reset(&p, ASSAY_BANK_BIT(ASSAY_SHA1) | ASSAY_BANK_BIT(ASSAY_SHA256));
	before = p;
	assert_int_equal(assay_pcr_extend_all(&p, 0, &sha1, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	assert_string_equal(err.msg, "no sha256 digest to extend PCR 0 with");
	assert_memory_equal(&p, &before, sizeof(p));

	assert_int_equal(assay_pcr_extend(&p, ASSAY_SHA1, ASSAY_N_PCRS, sha1.d[0], &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	assert_int_equal(assay_pcr_extend(&p, ASSAY_SHA512, 0, sha1.d[0], &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	assert_memory_equal(&p, &before, sizeof(p));
}

#define SHA1_A "0102030405060708090a0b0c0d0e0f1011121314"
#define SHA1_B "ff02030405060708090a0b0c0d0e0f1011121314"

static void test_parse(void **state)
{
	static const char text[] =
		"# what a machine said\r\n"
		"\n"
		"  SHA1\t0   0102030405060708090A0B0C0D0E0F1011121314 # again\r\n"
		"sha1 0 " SHA1_A "\n"
		"Sha-256 23 "
		"3d458cfe55cc03ea1f443f1562beec8df51c75e14a9fcf9a7234a13f198e7969";
	struct assay_pcrs p;
	char hex[ASSAY_HEX_MAX];

	(void)state;
	assert_int_equal(assay_pcrs_parse(text, strlen(text), &p, &err), 0);
	assert_int_equal(p.banks, ASSAY_BANK_BIT(ASSAY_SHA1) | ASSAY_BANK_BIT(ASSAY_SHA256));
	assert_int_equal(p.have[ASSAY_SHA1], 1);
	assert_int_equal(p.have[ASSAY_SHA256], 1 << 23);
	assert_string_equal(assay_hex(p.v[ASSAY_SHA1][0], 20, hex), SHA1_A);

	assert_int_equal(assay_pcrs_parse("", 0, &p, &err), 0);
	assert_int_equal(p.banks, 0);
}

static void test_parse_bad(void **state)
{
	static const struct {
		const char *text;
		const char *msg;
		uint64_t at;
	} bad[] = {
		{ "sha1 0", "line 1: not of the form BANK INDEX HEX", 0 },
		{ "\nsha1 0 " SHA1_A " x", "line 2: not of the form BANK INDEX HEX", 1 },
		{ "md5 0 " SHA1_A, "line 1: no bank 'md5'", 0 },
		{ "averyveryverylongname 0 " SHA1_A, "line 1: no bank 'averyveryverylongname'", 0 },
		{ "sha1 24 " SHA1_A, "line 1: '24' is no PCR from 0 to 23", 0 },
		{ "sha1 00 " SHA1_A, "line 1: '00' is no PCR from 0 to 23", 0 },
		{ "sha1 -1 " SHA1_A, "line 1: '-1' is no PCR from 0 to 23", 0 },
		{ "sha1 100 " SHA1_A, "line 1: '100' is no PCR from 0 to 23", 0 },
		{ "sha1 0 " SHA1_A "00", "line 1: a sha1 value has 40 hex digits", 0 },
		{ "sha1 0 0g02030405060708090a0b0c0d0e0f1011121314",
		  "line 1: a sha1 value has 40 hex digits", 0 },
		{ "sha1 0 0x" SHA1_A, "line 1: hex digits without 0x, please", 0 },
		{ "sha1 0 " SHA1_A "\nsha1 0 " SHA1_B,
		  "line 2: sha1 PCR 0 given twice, with different values", 48 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct assay_pcrs p = { .banks = 77 };

		assert_int_equal(assay_pcrs_parse(bad[i].text, strlen(bad[i].text), &p, &err), -1);
		assert_int_equal(err.code, ASSAY_E_CORRUPT);
		assert_string_equal(err.msg, bad[i].msg);
		assert_int_equal(err.at, bad[i].at);
		assert_int_equal(p.banks, 77); /* untouched */
	}
}

static void test_parse_nul(void **state)
{
	static const char text[] = "sha1\0x 0 " SHA1_A;
	struct assay_pcrs p;

	(void)state;
	assert_int_equal(assay_pcrs_parse(text, sizeof(text) - 1, &p, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
}

static void test_parse_ceiling(void **state)
{
	char *text = malloc(ASSAY_PCRS_MAX_FILE + 1);
	struct assay_pcrs p;

	(void)state;
	assert_non_null(text);
	memset(text, '\n', ASSAY_PCRS_MAX_FILE + 1);
	assert_int_equal(assay_pcrs_parse(text, ASSAY_PCRS_MAX_FILE - 1, &p, &err), 0);
	assert_int_equal(assay_pcrs_parse(text, ASSAY_PCRS_MAX_FILE, &p, &err), 0);
	assert_int_equal(assay_pcrs_parse(text, ASSAY_PCRS_MAX_FILE + 1, &p, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	free(text);
}

static void test_json(void **state)
{
	static const char text[] = "sha1 10 " SHA1_A "\nsha1 9 " SHA1_B "\n";
	ASSAY_AUTO(assay_json) *json = NULL;
	struct assay_pcrs p;

	(void)state;
	assert_int_equal(assay_pcrs_parse(text, strlen(text), &p, &err), 0);
	json = assay_pcrs_json(&p);
	assert_int_equal(assay_json_len(json), 1);
	assert_int_equal(assay_json_len(assay_json_get(json, "sha1")), 2);
	assert_string_equal(assay_json_str(assay_json_get(assay_json_get(json, "sha1"), "10")),
			    SHA1_A);
	assert_string_equal(assay_json_str(assay_json_get(assay_json_get(json, "sha1"), "9")),
			    SHA1_B);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_reset),	      cmocka_unit_test(test_separator),
	cmocka_unit_test(test_refusals),      cmocka_unit_test(test_parse),
	cmocka_unit_test(test_parse_bad),     cmocka_unit_test(test_parse_nul),
	cmocka_unit_test(test_parse_ceiling), cmocka_unit_test(test_json),
};

UNIT_MAIN(tests)
