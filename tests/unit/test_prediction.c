/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions: written and read back, everything malformed, accepted sets, and running out of
 * memory. */
#include "core/limits.h"
#include "core/text.h"
#include "tests/unit/alloc.h"
#include "tests/unit/chain_run.h"

#define BOOT "/EFI/BOOT/BOOTX64.EFI"

static struct assay_err err;
static struct peb uki;

static int setup(void **state)
{
	(void)state;
	build_uki(&uki, "systemd-stub 257.13", BUILD_DEBIAN_6_12, "quiet");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	peb_free(&uki);
	return 0;
}

/* Accepted values: n of them in PCR 0, m in PCR 2; an event type without a name. */
static char *platform_text(size_t n, size_t m)
{
	struct assay_str s = { 0 };

	assay_str_add(&s,
		      "schema: assay.platform/1\nname: sets\narch: x86-64\nbanks: [sha1, sha256]\n"
		      "secure_boot: false\nevents:\n"
		      "  - {pcr: 0, type: 0x80000099, text: x}\n");
	for (int pcr = 0; pcr <= 2; pcr += 2) {
		size_t count = pcr ? m : n;

		assay_str_add(&s, "  - pcr: %d\n    type: EV_S_CRTM_VERSION\n    accept:\n", pcr);
		for (size_t i = 0; i < count; i++)
			assay_str_add(&s, "      - {text: v%zu}\n", i);
	}
	assay_str_add(&s, "  - {slot: gpt}\n  - {slot: boot, tries: 1}\n  - {slot: exit}\n"
			  "unknown:\n  - {pcr: 1, reason: nobody looked}\n");
	return assay_str_steal(&s);
}

static struct assay_prediction *predict(const char *platform)
{
	const struct disk_file files[] = { CHAIN_FILE(BOOT, uki) };
	const struct chain_run r = { .platform = platform };

	return chain_ok(&r, files, 1);
}

static char *dump(const struct assay_prediction *p)
{
	ASSAY_AUTO(assay_json) *json = assay_prediction_json(p);
	char *text;
	size_t len;

	assert_int_equal(assay_json_dump(json, &text, &len, &err), 0);
	return text;
}

static int parse(const char *text, struct assay_prediction **ret)
{
	ASSAY_AUTO(assay_json) *json = NULL;

	if (assay_json_parse(text, strlen(text), &json, &err) < 0)
		fail_msg("%s", err.msg);
	return assay_prediction_parse(json, ret, &err);
}

static void round_trip(const char *platform)
{
	ASSAY_AUTO(assay_prediction) *p = predict(platform);
	ASSAY_AUTO(assay_prediction) *q = NULL;
	ASSAY_AUTO_FREE char *text = dump(p);
	ASSAY_AUTO_FREE char *again = NULL;

	if (parse(text, &q) < 0)
		fail_msg("%s", err.msg);
	again = dump(q);
	assert_string_equal(text, again);
	assert_int_equal(p->n, q->n);
	assert_int_equal(p->n_phases, q->n_phases);
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
		assert_int_equal(p->pcr[i].status, q->pcr[i].status);
		assert_int_equal(p->pcr[i].n, q->pcr[i].n);
		for (size_t k = 0; k < chain_count(p, i); k++)
			assert_int_equal(chain_event(p, i, k)->image, chain_event(q, i, k)->image);
	}
}

static void test_round_trip(void **state)
{
	ASSAY_AUTO_FREE char *sets = platform_text(3, 2);

	(void)state;
	round_trip(build_platform);
	round_trip(sets);
}

/* Sets multiply; IMA has a value for each combination, and none past the ceiling. */
static void test_sets(void **state)
{
	static const struct {
		size_t n, m, ima;
	} cases[] = { { 2, 2, 0 }, { 3, 1, 0 }, { 64, 1, 0 } };

	(void)state;
	for (size_t i = 0; i < CHAIN_N(cases); i++) {
		ASSAY_AUTO_FREE char *text =
			platform_text(cases[i].n, cases[i].m > 1 ? cases[i].m : 2);
		ASSAY_AUTO(assay_prediction) *p = predict(text);

		assert_int_equal(p->pcr[0].n, cases[i].n);
		/* PCR 1 is unknown, and with it IMA's aggregate. */
		assert_int_equal(p->pcr[1].status, ASSAY_PCR_UNKNOWN);
		assert_string_equal(p->pcr[1].reason, "nobody looked");
		assert_int_equal(p->pcr[10].status, ASSAY_PCR_UNKNOWN);
		assert_non_null(strstr(p->pcr[10].reason, "PCR 1 has no value"));
	}
}

static void combinations(size_t n, size_t m, size_t expected)
{
	ASSAY_AUTO_FREE char *text = platform_text(n, m);
	ASSAY_AUTO(assay_prediction) *p = NULL;
	char *unknown = strstr(text, "unknown:");

	*unknown = '\0';
	p = predict(text);
	assert_int_equal(p->pcr[10].n, expected);
	assert_int_equal(p->pcr[10].status, expected ? ASSAY_PCR_IMAGE : ASSAY_PCR_UNPREDICTABLE);
	for (size_t i = 0; i < expected; i++)
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(p->pcr[10].v[i].d[ASSAY_SHA256],
						p->pcr[10].v[k].d[ASSAY_SHA256], 32);
}

static void test_combinations(void **state)
{
	(void)state;
	combinations(2, 3, 6);
	combinations(32, 2, ASSAY_MAX_ACCEPTED);
	combinations(33, 2, 0);
	combinations(64, 64, 0);
}

/* Two sets in one PCR: to the ceiling, and one past it. */
static void test_ceiling(void **state)
{
	const struct disk_file files[] = { CHAIN_FILE(BOOT, uki) };

	(void)state;
	for (size_t n = 32; n <= 33; n++) {
		struct assay_str s = { 0 };
		struct chain_run r = { 0 };
		ASSAY_AUTO_FREE char *text = NULL;
		ASSAY_AUTO(assay_prediction) *p = NULL;

		assay_str_add(&s,
			      "schema: assay.platform/1\nname: c\narch: x86-64\nbanks: [sha256]\n"
			      "secure_boot: false\nevents:\n");
		for (int set = 0; set < 2; set++) {
			assay_str_add(&s, "  - pcr: 0\n    type: EV_S_CRTM_VERSION\n    accept:\n");
			for (size_t i = 0; i < (set ? 2 : n); i++)
				assay_str_add(&s, "      - {text: v%d.%zu}\n", set, i);
		}
		assay_str_add(&s,
			      "  - {slot: gpt}\n  - {slot: boot, tries: 0}\n  - {slot: exit}\n");
		text = assay_str_steal(&s);
		r.platform = text;
		if (n == 32) {
			p = chain_ok(&r, files, 1);
			assert_int_equal(p->pcr[0].n, 64);
			continue;
		}
		chain_refused(&r, files, 1, "PCR 0: more than 64 accepted values");
		assert_int_equal(run_err.code, ASSAY_E_LIMIT);
	}
}

/* The prediction's text with the first `from` changed into `to`. */
static void malformed(const char *text, const char *from, const char *to, const char *words)
{
	const char *at = strstr(text, from);
	ASSAY_AUTO(assay_prediction) *p = NULL;
	ASSAY_AUTO_FREE char *bad = NULL;

	if (!at)
		fail_msg("no '%s'", from);
	bad = assay_asprintf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	if (parse(bad, &p) == 0)
		fail_msg("not refused: '%s' for '%s'", to, from);
	assert_null(p);
	if (!strstr(err.msg, words))
		fail_msg("'%s' is not in '%s'", words, err.msg);
}

static void test_malformed(void **state)
{
	ASSAY_AUTO(assay_prediction) *p = predict(build_platform);
	ASSAY_AUTO_FREE char *text = dump(p);
	ASSAY_AUTO_FREE char *sets_platform = platform_text(3, 2);
	ASSAY_AUTO(assay_prediction) *sets = predict(sets_platform);
	ASSAY_AUTO_FREE char *many = dump(sets);

	(void)state;
	malformed(text, "\"schema\": \"assay.pred", "\"schemo\": \"assay.pred",
		  "is this a prediction");
	malformed(text, "assay.prediction/1", "assay.prediction/2", "schema 'assay.prediction/2'");
	malformed(text, "\"banks\":", "\"bonks\":", "no \"banks\"");
	malformed(text, "\"pcrs\":", "\"pcrz\":", "no \"banks\" or no \"pcrs\"");
	malformed(text, "\"image\":", "\"imago\":", "no \"image\"");
	malformed(text, "\"platform\": {", "\"platforn\": {", "no \"platform\"");
	malformed(text, "\"sha1\": {\n      \"0\"", "\"sha9\": {\n      \"0\"", "prediction: ");
	malformed(text, "\"sha1\": {\n      \"0\"", "\"sha1\": {\n      \"16\"",
		  "prediction: PCR 0");
	malformed(text, "\"pcr\": 3", "\"pcr\": 2", "twice");
	malformed(text, "\"pcr\": 3", "\"pcr\": 16", "lacks its number");
	malformed(text, "\"pcr\": 3", "\"pcr\": -1", "lacks its number");
	malformed(text, "\"status\": \"zero\"", "\"status\": \"nought\"",
		  "unknown status 'nought'");
	malformed(text, "\"status\": \"zero\"", "\"status\": \"unknown\"",
		  "'unknown', and has a value");
	malformed(many, "\"status\": \"unknown\"", "\"status\": \"zero\"", "'zero', and has none");
	malformed(text, "\"type\": \"EV_", "\"type\": \"XX_", "no type");
	malformed(text, "\"source\":", "\"sourze\":", "no source");
	malformed(text, "\"digests\":", "\"digestz\":", "digests are not an object");
	malformed(text, "\"phase\":", "\"phaze\":", "a phase has no name");
	malformed(text, "\"pcr11\":", "\"pcr12\":", "digests are not an object");
	malformed(text, "\"phases\": [", "\"phases\": [], \"x\": [", "not a short list");
	malformed(many, "\"accepted\": {\n    \"sha1\"", "\"accepted\": {\n    \"sha3\"",
		  "prediction: ");
	malformed(many, "\"accepted\": {", "\"accepted\": [], \"x\": {", "prediction: PCR 0");
}

static void test_protective_mbr(void **state)
{
	static const struct assay_precompute_options options = { 0 };
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_image) *image = NULL;
	ASSAY_AUTO(assay_platform) *platform = NULL;
	ASSAY_AUTO(assay_prediction) *p = NULL;
	const struct disk_file files[] = { CHAIN_FILE(BOOT, uki) };
	size_t len;
	uint8_t *disk = disk_build(files, 1, NULL, 0, &len);

	(void)state;
	disk[450] = 0x83;
	assert_int_equal(
		assay_platform_parse(build_platform, strlen(build_platform), &platform, &err), 0);
	assert_int_equal(assay_src_from_mem(disk, len, &src, &err), 0);
	assert_int_equal(assay_image_open(src, "d", &image, &err), 0);
	assert_int_equal(assay_precompute(image, platform, &options, &p, &err), -1);
	assert_non_null(strstr(err.msg, "no protective MBR record"));
	assay_image_free(&image);
	assay_src_free(&src);
	free(disk);
}

static const char *alloc_text;
static size_t alloc_len;

static int parse_once(struct assay_err *e)
{
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO(assay_prediction) *p = NULL;

	if (assay_json_parse(alloc_text, alloc_len, &json, e) < 0)
		return -1;
	return assay_prediction_parse(json, &p, e);
}

static uint8_t *alloc_disk;

static int precompute_once(struct assay_err *e)
{
	static const struct assay_precompute_options options = { 0 };
	ASSAY_AUTO(assay_src) *disk = NULL;
	ASSAY_AUTO(assay_image) *image = NULL;
	ASSAY_AUTO(assay_platform) *platform = NULL;
	ASSAY_AUTO(assay_prediction) *p = NULL;

	if (assay_platform_parse(build_platform, strlen(build_platform), &platform, e) < 0 ||
	    assay_src_from_mem(alloc_disk, alloc_len, &disk, e) < 0 ||
	    assay_image_open(disk, "d", &image, e) < 0)
		return -1;
	return assay_precompute(image, platform, &options, &p, e);
}

static void test_memory_parse(void **state)
{
	if (!UNIT_ALLOC_WORKS)
		unit_skip("allocations cannot be made to fail under a sanitizer");
	ASSAY_AUTO(assay_prediction) *p = predict(build_platform);
	ASSAY_AUTO_FREE char *text = dump(p);

	(void)state;
	alloc_text = text;
	alloc_len = strlen(text);
	unit_alloc_each(parse_once, true);
}

static void test_memory_precompute(void **state)
{
	if (!UNIT_ALLOC_WORKS)
		unit_skip("allocations cannot be made to fail under a sanitizer");
	struct peb loader;

	(void)state;
	build_systemd(&loader, "systemd-boot 257.13");
	const struct disk_file files[] = { CHAIN_FILE(BOOT, loader),
					   CHAIN_FILE("/EFI/Linux/u.efi", uki),
					   CHAIN_TEXT("/loader/loader.conf", "timeout 0\n"),
					   CHAIN_TEXT("/EFI/Linux/u.efi.extra.d/c.cred", "c") };
	alloc_disk = disk_build(files, 4, NULL, 0, &alloc_len);
	unit_alloc_each(precompute_once, false);
	free(alloc_disk);
	peb_free(&loader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_sets),
		cmocka_unit_test(test_combinations),   cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_protective_mbr), cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_memory_parse),   cmocka_unit_test(test_memory_precompute),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
