/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime log as CEL-JSON: written, read back, cut anywhere, and replayed; libtpms judges in test_replay.c. */
#include "core/limits.h"
#include "core/text.h"
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"
#include "tpm/cel.h"

#define ROOT "a591a6d40bf420404a011733cfb7b190d62c65bf0bcda32b57b277d9ad9f146e"
#define TWO (ASSAY_BANK_BIT(ASSAY_SHA1) | ASSAY_BANK_BIT(ASSAY_SHA256))

static struct assay_err err;

#define TEXT(s) s, sizeof(s) - 1
static const struct {
	unsigned pcr;
	struct assay_runtime_event ev;
} events[] = {
	{ 15, { ASSAY_CARRY_ROOT_HASH, TEXT(ROOT) } },
	{ 15, { ASSAY_CARRY_SENTINEL, TEXT("") } },
	{ 15, { ASSAY_CARRY_CERTIFICATE, TEXT("-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n") } },
	{ 14, { ASSAY_CARRY_EVENT, TEXT("{\"event_type\":\"build_request\",\"content\":{\"n\":\"\xc3\xa4\"}}") } },
	{ 8, { ASSAY_CARRY_EVENT, TEXT("{\"event_type\":\"timing\",\"content\":{\"finetune_time\":1.5}}") } },
};
#define N (sizeof(events) / sizeof(events[0]))

static int fill(unsigned banks, struct assay_cel **ret, struct assay_err *e)
{
	ASSAY_AUTO(assay_cel) *cel = assay_cel_new();

	if (!cel)
		return assay_fail_mem(e);
	for (size_t i = 0; i < N; i++) {
		const struct assay_cel_record *r;

		if (assay_cel_add(cel, events[i].pcr, &events[i].ev, banks, &r, e) < 0)
			return -1;
		assert_int_equal(r->recnum, i);
	}
	*ret = assay_steal(&cel);
	return 0;
}

static void test_there_and_back(void **state)
{
	ASSAY_AUTO(assay_cel) *cel = NULL;
	ASSAY_AUTO(assay_cel) *back = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO(assay_json) *read = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	size_t len;

	(void)state;
	for (size_t i = 0; i < N; i++)
		assert_int_equal(events[i].ev.len, strlen(events[i].ev.text));
	assert_int_equal(fill(TWO, &cel, &err), 0);
	json = assay_cel_json(cel);
	assert_int_equal(assay_json_dump_line(json, &text, &len, &err), 0);
	assert_int_equal(assay_json_parse(text, len, &read, &err), 0);
	assert_int_equal(assay_cel_parse(read, &back, &err), 0);
	assert_int_equal(back->n, N);
	assert_int_equal(back->banks, TWO);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(back->records[i].pcr, events[i].pcr);
		assert_int_equal(back->records[i].recnum, i);
		assert_int_equal(back->records[i].event.carrier, events[i].ev.carrier);
		assert_string_equal(back->records[i].event.text, events[i].ev.text);
		assert_true(assay_digests_equal(&back->records[i].digests, &cel->records[i].digests));
	}
}

/* As in docs/PROOF.md. */
static void test_line(void **state)
{
	static const char want[] =
		"{\"content\":{\"sentinel\":\"\"},\"content_type\":\"assay\",\"digests\":[{\"digest\":"
		"\"0000000000000000000000000000000000000000000000000000000000000000\",\"hashAlg\":\"sha256\"}],\"pcr\":15,\"recnum\":0}\n";
	ASSAY_AUTO(assay_cel) *cel = assay_cel_new();
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	size_t len;

	(void)state;
	assert_int_equal(assay_cel_add(cel, 15, &events[1].ev, ASSAY_BANK_BIT(ASSAY_SHA256), NULL, &err), 0);
	json = assay_cel_record_json(&cel->records[0]);
	assert_int_equal(assay_json_dump_line(json, &text, &len, &err), 0);
	assert_string_equal(text, want);
	assert_int_equal(len, sizeof(want) - 1);
	/* Cut anywhere, it is no record. */
	for (size_t n = 0; n < len - 1; n++) {
		ASSAY_AUTO(assay_json) *cut = NULL;

		assert_int_equal(assay_json_parse(text, n, &cut, &err), -1);
	}
}

#define D256 "{\"digest\":\"" ROOT "\",\"hashAlg\":\"sha256\"}"
#define REC(content, type, digests, pcr, recnum)                                                                       \
	"{\"content\":" content ",\"content_type\":" type ",\"digests\":" digests ",\"pcr\":" pcr ",\"recnum\":" recnum "}"
#define DISK "{\"root_hash\":\"" ROOT "\"}"

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		enum assay_code code;
	} bad[] = {
		{ "{}", ASSAY_E_CORRUPT },
		{ "[]", ASSAY_E_CORRUPT },
		{ REC(DISK, "\"assay\"", "[" D256 "]", "15", "1"), ASSAY_E_CORRUPT },
		{ REC(DISK, "\"assay\"", "[" D256 "]", "15", "-1"), ASSAY_E_CORRUPT },
		{ REC(DISK, "\"assay\"", "[" D256 "]", "15", "\"0\""), ASSAY_E_CORRUPT },
		{ REC(DISK, "\"assay\"", "[" D256 "]", "24", "0"), ASSAY_E_UNSUPPORTED },
		{ REC(DISK, "\"assay\"", "[" D256 "]", "4294967311", "0"), ASSAY_E_UNSUPPORTED },
		{ REC(DISK, "\"assay\"", "[" D256 "]", "-1", "0"), ASSAY_E_CORRUPT },
		{ REC(DISK, "\"assay\"", "[" D256 "]", "null", "0"), ASSAY_E_CORRUPT },
		{ REC(DISK, "\"assay\"", "[]", "15", "0"), ASSAY_E_CORRUPT },
		{ REC(DISK, "\"assay\"", "{}", "15", "0"), ASSAY_E_CORRUPT },
		{ REC(DISK, "\"assay\"", "[" D256 "," D256 "]", "15", "0"), ASSAY_E_CORRUPT },
		{ REC(DISK, "\"assay\"", "[1]", "15", "0"), ASSAY_E_CORRUPT },
		{ REC(DISK, "\"assay\"", "[{\"digest\":\"00\",\"hashAlg\":\"sha256\"}]", "15", "0"), ASSAY_E_CORRUPT },
		{ REC(DISK, "\"assay\"", "[{\"digest\":\"" ROOT "\",\"hashAlg\":\"SHA256\"}]", "15", "0"), ASSAY_E_UNSUPPORTED },
		{ REC(DISK, "\"assay\"", "[{\"digest\":\"" ROOT "\",\"hashAlg\":\"sm3_256\"}]", "15", "0"), ASSAY_E_UNSUPPORTED },
		{ REC("{\"sentinel\":\"\"}", "\"assay\"", "[" D256 "]", "15", "0"), ASSAY_E_MISMATCH },
		{ REC("{\"sentinel\":\"x\"}", "\"assay\"", "[" D256 "]", "15", "0"), ASSAY_E_CORRUPT },
		{ REC("{\"sentinel\":null}", "\"assay\"", "[" D256 "]", "15", "0"), ASSAY_E_CORRUPT },
		{ REC("{\"other\":\"\"}", "\"assay\"", "[" D256 "]", "15", "0"), ASSAY_E_UNSUPPORTED },
		{ REC("{\"root_hash\":\"" ROOT "\",\"event\":\"\"}", "\"assay\"", "[" D256 "]", "15", "0"), ASSAY_E_CORRUPT },
		{ REC(DISK, "\"pcclient_std\"", "[" D256 "]", "15", "0"), ASSAY_E_UNSUPPORTED },
		{ REC(DISK, "\"assay\",\"more\":1", "[" D256 "]", "15", "0"), ASSAY_E_CORRUPT },
	};
	ASSAY_AUTO(assay_json) *good = NULL;
	ASSAY_AUTO(assay_cel) *cel = assay_cel_new();

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ASSAY_AUTO(assay_json) *json = NULL;

		assert_int_equal(assay_json_parse(bad[i].text, strlen(bad[i].text), &json, &err), 0);
		if (assay_cel_parse_record(cel, json, &err) == 0)
			fail_msg("taken: %s", bad[i].text);
		if (err.code != bad[i].code)
			fail_msg("code %d, %s: %s", (int)err.code, err.msg, bad[i].text);
		assert_int_equal(strncmp(err.msg, "record 0: ", 10), 0);
	}
	assert_int_equal(cel->n, 0);
	assert_int_equal(assay_json_parse(REC(DISK, "\"assay\"", "[" D256 "]", "23", "0"),
					  strlen(REC(DISK, "\"assay\"", "[" D256 "]", "23", "0")), &good, &err), 0);
	assert_int_equal(assay_cel_parse_record(cel, good, &err), 0);
	/* Once more it is no second record. */
	assert_int_equal(assay_cel_parse_record(cel, good, &err), -1);
	/* Other banks than the first record. */
	assert_int_equal(assay_cel_add(cel, 15, &events[1].ev, TWO, NULL, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	/* Text that JSON cannot give back. */
	assert_int_equal(assay_cel_add(cel, 15, &(struct assay_runtime_event){ ASSAY_CARRY_EVENT, "\xff", 1 },
				       ASSAY_BANK_BIT(ASSAY_SHA256), NULL, &err), -1);
	assert_int_equal(cel->n, 1);
}

static void test_ceiling(void **state)
{
	ASSAY_AUTO(assay_cel) *cel = assay_cel_new();

	(void)state;
	for (unsigned i = 0; i < ASSAY_CEL_MAX_RECORDS; i++)
		assert_int_equal(assay_cel_add(cel, 15, &events[1].ev, ASSAY_BANK_BIT(ASSAY_SHA256), NULL, &err), 0);
	assert_int_equal(assay_cel_add(cel, 15, &events[1].ev, ASSAY_BANK_BIT(ASSAY_SHA256), NULL, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
}

/*
 * By Python: A = sha256(zeros || ROOT), B = sha256(A || zeros), C = sha256(B || sha256(the certificate's text)).
 */
static void test_replay(void **state)
{
	ASSAY_AUTO(assay_cel) *cel = NULL;
	struct assay_pcrs p;
	char hex[ASSAY_HEX_MAX];

	(void)state;
	assert_int_equal(fill(TWO, &cel, &err), 0);
	assay_pcrs_reset(&p, TWO);
	assert_int_equal(assay_cel_replay(cel, 1, &p, &err), 0);
	assert_string_equal(assay_hex(p.v[ASSAY_SHA256][15], 32, hex), "e7a2fba19f58b4584b776e3a8d52a941bf322360ee5f193472806cf96a4d3943");
	assay_pcrs_reset(&p, TWO);
	assert_int_equal(assay_cel_replay(cel, 3, &p, &err), 0);
	assert_string_equal(assay_hex(p.v[ASSAY_SHA256][15], 32, hex), "6c8592c5aebf918362c55f86ff0a92bcde6377ddad89e31536a935878cd83fad");
	assert_true(assay_pcr_is_zero(&p, ASSAY_SHA256, 14));
	/* More than there are is all of them. */
	assert_int_equal(assay_cel_replay(cel, SIZE_MAX, &p, &err), 0);
	assert_false(assay_pcr_is_zero(&p, ASSAY_SHA1, 14));

	/* A bank that the log has not; a PCR without a value; in one bank alone. */
	assay_pcrs_reset(&p, ASSAY_BANK_BIT(ASSAY_SHA384));
	assert_int_equal(assay_cel_replay(cel, 1, &p, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	assay_pcrs_reset(&p, TWO);
	p.have[ASSAY_SHA1] = p.have[ASSAY_SHA256] = ~(1U << 15) & ASSAY_ALL_PCRS;
	assert_int_equal(assay_cel_replay(cel, 1, &p, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	assay_pcrs_reset(&p, ASSAY_BANK_BIT(ASSAY_SHA1));
	assert_int_equal(assay_cel_replay(cel, N, &p, &err), 0);
}

static int everything(struct assay_err *e)
{
	ASSAY_AUTO(assay_cel) *cel = NULL;
	ASSAY_AUTO(assay_cel) *back = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;

	if (fill(TWO, &cel, e) < 0)
		return -1;
	json = assay_cel_json(cel);
	if (!json)
		return assay_fail_mem(e);
	/* What was built with holes in it is found when it is written. */
	ASSAY_AUTO_FREE char *text = NULL;
	size_t len;

	if (assay_json_dump_line(json, &text, &len, e) < 0)
		return -1;
	return assay_cel_parse(json, &back, e);
}

static void test_alloc(void **state)
{
	(void)state;
	unit_alloc_each(everything, false); /* OpenSSL keeps and frees some of its own */
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_line),   cmocka_unit_test(test_refused),
	cmocka_unit_test(test_ceiling),	       cmocka_unit_test(test_replay), cmocka_unit_test(test_alloc),
};

UNIT_MAIN(tests)
