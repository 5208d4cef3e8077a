/* SPDX-License-Identifier: Apache-2.0 */
/* Audits of a manifest that was made in memory: what agrees, what is not there, and running out of memory. */
#include "core/text.h"
#include "manifest/audit.h"
#include "tests/unit/alloc.h"
#include "tests/unit/chain_run.h"

#define BOOT "/EFI/BOOT/BOOTX64.EFI"

static struct assay_err err;
static struct peb uki;
static uint8_t *disk;
static size_t disk_len;
static struct assay_platform *platform;
static struct assay_manifest *manifest;
static const uint8_t zeros[4096];

struct given {
	size_t data, platforms;
	const char *data_name;
	struct assay_audit_expect expect;
};
static const struct given all = { 1, 1, "data.img", { .not_before = -1, .expires = -1 } };

static int make(struct assay_json **ret, struct assay_err *e)
{
	ASSAY_AUTO(assay_src) *src = NULL, *data = NULL;
	ASSAY_AUTO(assay_image) *image = NULL;

	if (assay_src_from_mem(disk, disk_len, &src, e) < 0 || assay_src_from_mem(zeros, sizeof(zeros), &data, e) < 0 ||
	    assay_image_open(src, "disk.img", &image, e) < 0)
		return -1;
	const struct assay_manifest_data more = { data, "data.img", { "raw", sizeof(zeros) } };
	const struct assay_manifest_input in = {
		.image = image,
		.data = &more,
		.n_data = 1,
		.platforms = &platform,
		.n_platforms = 1,
		.name = "base",
		.release = 2,
		.not_before = 1767225600,
		.expires = 1798761600,
	};
	return assay_manifest_make(&in, ret, NULL, e);
}

static int setup(void **state)
{
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	size_t len;

	(void)state;
	build_uki(&uki, "systemd-stub 257.13", BUILD_DEBIAN_6_12, "quiet");
	const struct disk_file files[] = { CHAIN_FILE(BOOT, uki), CHAIN_TEXT("/more", "text") };
	disk = disk_build(files, 2, NULL, 0, &disk_len);
	if (assay_platform_parse(build_platform, strlen(build_platform), &platform, &err) < 0 || make(&json, &err) < 0 ||
	    assay_json_dump(json, &text, &len, &err) < 0 || assay_manifest_parse(text, len, &manifest, &err) < 0) {
		print_error("%s\n", err.msg);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assay_manifest_free(&manifest);
	assay_platform_free(&platform);
	free(disk);
	peb_free(&uki);
	return 0;
}

/* The manifest against a disk of these bytes. */
static int audit_of(const struct assay_manifest *m, const void *bytes, size_t len, const struct given *g,
		    struct assay_audit **ret, struct assay_err *e)
{
	ASSAY_AUTO(assay_src) *src = NULL, *data = NULL;

	if (assay_src_from_mem(bytes, len, &src, e) < 0 || assay_src_from_mem(zeros, sizeof(zeros), &data, e) < 0)
		return -1;
	const struct assay_manifest_data more = { data, g->data_name, { "raw", sizeof(zeros) } };
	const struct assay_audit_input in = {
		.manifest = m,
		.disk = src,
		.data = &more,
		.n_data = g->data,
		.platforms = &platform,
		.n_platforms = g->platforms,
		.expect = g->expect,
	};
	return assay_audit_run(&in, ret, e);
}

static const struct assay_claim *claim(const struct assay_audit *a, const char *path)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->claims[i].path, path) == 0)
			return &a->claims[i];
	fail_msg("no claim %s", path);
	return NULL;
}

/* One value of the statement, told by its path, set to another; the rest as it is. */
static struct assay_manifest *changed(const char *from, const char *to)
{
	struct assay_manifest *m = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_str s = { 0 };
	size_t len;

	assert_int_equal(assay_json_dump(manifest->statement, &text, &len, &err), 0);
	char *at = strstr(text, from);
	assert_non_null(at);
	assay_str_add_n(&s, text, (size_t)(at - text));
	assay_str_add(&s, "%s%s", to, at + strlen(from));
	assert_false(s.bad);
	if (assay_manifest_parse(s.p, s.len, &m, &err) < 0)
		fail_msg("%s", err.msg);
	assay_str_clear(&s);
	return m;
}

static void test_agrees(void **state)
{
	ASSAY_AUTO(assay_audit) *a = NULL;
	size_t counted = 0, values = 0;

	(void)state;
	if (audit_of(manifest, disk, disk_len, &all, &a, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(a->count[ASSAY_CLAIM_DIFFERS], 0);
	assert_int_equal(a->count[ASSAY_CLAIM_NOT_RECOMPUTED], 0);
	assert_int_equal(a->count[ASSAY_CLAIM_DECLARED], 6);
	assert_int_equal(claim(a, "predicate.predictions[0].banks.sha256.4")->values, 1);
	assert_int_equal(claim(a, "predicate.release")->state, ASSAY_CLAIM_DECLARED);
	assert_string_equal(claim(a, "predicate.data[0].image.digest")->what, "data[data.img].image.digest");
	assert_int_equal(a->data_index[0], 0);
	for (size_t i = 0; i < ASSAY_N_CLAIM_STATES; i++)
		counted += a->count[i];
	assert_int_equal(counted, a->n);
	for (size_t i = 0; i < a->n; i++) {
		values += a->claims[i].values;
		assert_true(i == 0 || a->claims[i - 1].state <= a->claims[i].state);
	}
	assert_true(values > 200);
}

static void test_expected(void **state)
{
	struct given g = all;

	(void)state;
	g.expect = (struct assay_audit_expect){ "base", 2, 1767225600, 1798761600 };
	for (int wrong = -1; wrong < 4; wrong++) {
		static const char *const paths[] = { "predicate.name", "predicate.release", "predicate.validity.notBefore",
						     "predicate.validity.expires" };
		ASSAY_AUTO(assay_audit) *a = NULL;
		struct given one = g;

		one.expect.name = wrong == 0 ? "other" : g.expect.name;
		one.expect.release += wrong == 1;
		one.expect.not_before += wrong == 2;
		one.expect.expires += wrong == 3;
		assert_int_equal(audit_of(manifest, disk, disk_len, &one, &a, &err), 0);
		assert_int_equal(a->count[ASSAY_CLAIM_DECLARED], 2);
		assert_int_equal(a->count[ASSAY_CLAIM_DIFFERS], wrong >= 0);
		for (int i = 0; i < 4; i++)
			assert_int_equal(claim(a, paths[i])->state,
					 i == wrong ? ASSAY_CLAIM_DIFFERS : ASSAY_CLAIM_AGREES);
	}
}

static void test_not_given(void **state)
{
	(void)state;
	for (size_t which = 0; which < 3; which++) {
		ASSAY_AUTO(assay_audit) *a = NULL;
		const struct given g = { which == 1 || which == 2, which == 0, "x", all.expect };

		assert_int_equal(audit_of(manifest, disk, disk_len, &g, &a, &err), 0);
		assert_int_equal(a->count[ASSAY_CLAIM_DIFFERS], 0);
		if (which == 0) { /* no data disk */
			assert_int_equal(claim(a, "predicate.data[0]")->state, ASSAY_CLAIM_NOT_RECOMPUTED);
			assert_int_equal(claim(a, "predicate.predictions[0].image")->state, ASSAY_CLAIM_AGREES);
			assert_int_equal(claim(a, "predicate.inputs[1]")->state, ASSAY_CLAIM_NOT_RECOMPUTED);
		} else { /* no profile; the data disk has another name */
			assert_int_equal(claim(a, "predicate.predictions[0]")->state, ASSAY_CLAIM_NOT_RECOMPUTED);
			assert_int_equal(claim(a, "predicate.data[0].image.name")->state, ASSAY_CLAIM_AGREES);
		}
	}
}

/* Bytes that are no disk: its digest is said, and nothing that was not looked at agrees. */
static void test_no_disk(void **state)
{
	ASSAY_AUTO(assay_audit) *a = NULL;

	(void)state;
	assert_int_equal(audit_of(manifest, zeros, sizeof(zeros), &all, &a, &err), 0);
	assert_int_equal(claim(a, "predicate.facts.image.digest.sha256")->state, ASSAY_CLAIM_DIFFERS);
	assert_int_equal(claim(a, "predicate.facts.image.size")->state, ASSAY_CLAIM_DIFFERS);
	assert_int_equal(claim(a, "subject[0].digest.sha256")->state, ASSAY_CLAIM_DIFFERS);
	assert_int_equal(claim(a, "subject[1]")->state, ASSAY_CLAIM_NOT_RECOMPUTED);
	assert_int_equal(claim(a, "predicate.facts.gpt")->state, ASSAY_CLAIM_NOT_RECOMPUTED);
	assert_int_equal(claim(a, "predicate.predictions[0]")->state, ASSAY_CLAIM_NOT_RECOMPUTED);
	assert_int_equal(claim(a, "predicate.data[0].image.digest")->state, ASSAY_CLAIM_AGREES);
	assert_string_equal(claim(a, "predicate.data[0].image.digest")->what, "data[data.img].image.digest");
}

static void test_changed(void **state)
{
	static const struct {
		const char *from, *to, *path, *what;
	} cases[] = {
		{ "\"cmdline\": \"quiet\"", "\"cmdline\": \"debug\"", "predicate.facts.esp.programs[0].cmdline",
		  "facts.esp.programs[" BOOT "].cmdline" },
		{ "\"boot\": ", "\"boot!\": 1, \"boot\": ", "predicate.facts[\"boot!\"]", "facts.boot!" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ASSAY_AUTO(assay_audit) *a = NULL;
		ASSAY_AUTO(assay_manifest) *m = NULL;

		m = changed(cases[i].from, cases[i].to);
		assert_int_equal(audit_of(m, disk, disk_len, &all, &a, &err), 0);
		assert_int_equal(a->count[ASSAY_CLAIM_DIFFERS], 1);
		assert_int_equal(claim(a, cases[i].path)->state, ASSAY_CLAIM_DIFFERS);
		assert_string_equal(claim(a, cases[i].path)->what, cases[i].what);
	}
}

/* A member by another name: one that the manifest lacks, and one that was not found. */
static void test_renamed(void **state)
{
	ASSAY_AUTO(assay_manifest) *m = changed("\"cmdline\": \"quiet\"", "\"cmdlinf\": \"quiet\"");
	ASSAY_AUTO(assay_audit) *a = NULL;

	(void)state;
	assert_int_equal(audit_of(m, disk, disk_len, &all, &a, &err), 0);
	assert_int_equal(a->count[ASSAY_CLAIM_DIFFERS], 2);
	assert_null(claim(a, "predicate.facts.esp.programs[0].cmdline")->manifest);
	assert_non_null(claim(a, "predicate.facts.esp.programs[0].cmdline")->recomputed);
	assert_null(claim(a, "predicate.facts.esp.programs[0].cmdlinf")->recomputed);
	assert_non_null(claim(a, "predicate.facts.esp.programs[0].cmdlinf")->manifest);
}

/* Out of memory is never a difference. */
static int audit_once(struct assay_err *e)
{
	ASSAY_AUTO(assay_audit) *a = NULL;

	if (audit_of(manifest, disk, disk_len, &all, &a, e) < 0)
		return -1;
	assert_int_equal(a->count[ASSAY_CLAIM_DIFFERS], 0);
	if (a->count[ASSAY_CLAIM_NOT_RECOMPUTED]) /* a library ran out of it, and said something else */
		return assay_fail_mem(e);
	return 0;
}

static int audit_of_nothing(struct assay_err *e)
{
	ASSAY_AUTO(assay_audit) *a = NULL;
	const struct given g = { 0, 0, "x", all.expect };

	if (audit_of(manifest, zeros, sizeof(zeros), &g, &a, e) < 0)
		return -1;
	assert_int_equal(a->count[ASSAY_CLAIM_DIFFERS], 4);
	return 0;
}

static void test_memory(void **state)
{
	(void)state;
	unit_alloc_each(audit_once, false);
	unit_alloc_each(audit_of_nothing, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agrees), cmocka_unit_test(test_expected), cmocka_unit_test(test_not_given),
		cmocka_unit_test(test_no_disk), cmocka_unit_test(test_changed), cmocka_unit_test(test_renamed),
		cmocka_unit_test(test_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
