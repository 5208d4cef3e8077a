/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests: made twice they are the same bytes, read back, everything malformed, and running out of memory. */
#include "core/clock.h"
#include "core/text.h"
#include "manifest/manifest.h"
#include "tests/unit/alloc.h"
#include "tests/unit/chain_run.h"

#define BOOT "/EFI/BOOT/BOOTX64.EFI"

static struct assay_err err;
static struct peb uki;
static uint8_t *disk;
static size_t disk_len;

static int setup(void **state)
{
	(void)state;
	build_uki(&uki, "systemd-stub 257.13", BUILD_DEBIAN_6_12, "quiet");
	const struct disk_file files[] = { CHAIN_FILE(BOOT, uki), CHAIN_TEXT("/more", "text") };
	disk = disk_build(files, 2, NULL, 0, &disk_len);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(disk);
	peb_free(&uki);
	return 0;
}

struct make {
	const char *file, *name;
	uint64_t release;
	int64_t from, until;
	size_t platforms, data;
	const char *data_name;
};
static const struct make plain = { "disk.img", "base", 1, 1767225600, 1798761600, 1, 1, "data.img" };

static int try_make(const struct make *m, struct assay_json **ret, struct assay_err *e)
{
	ASSAY_AUTO(assay_src) *src = NULL, *data = NULL;
	ASSAY_AUTO(assay_image) *image = NULL;
	ASSAY_AUTO(assay_platform) *platform = NULL;
	static const uint8_t zeros[4096];

	if (assay_platform_parse(build_platform, strlen(build_platform), &platform, e) < 0 ||
	    assay_src_from_mem(disk, disk_len, &src, e) < 0 || assay_src_from_mem(zeros, sizeof(zeros), &data, e) < 0 ||
	    assay_image_open(src, m->file, &image, e) < 0)
		return -1;
	struct assay_platform *const both[] = { platform, platform };
	const struct assay_manifest_data more = { data, m->data_name, { "raw", sizeof(zeros) } };
	const struct assay_manifest_input in = {
		.image = image,
		.data = &more,
		.n_data = m->data,
		.platforms = both,
		.n_platforms = m->platforms,
		.name = m->name,
		.release = m->release,
		.not_before = m->from,
		.expires = m->until,
	};
	return assay_manifest_make(&in, ret, NULL, e);
}

static char *make_text(const struct make *m, size_t *ret_len)
{
	ASSAY_AUTO(assay_json) *json = NULL;
	char *text;

	if (try_make(m, &json, &err) < 0 || assay_json_dump(json, &text, ret_len, &err) < 0)
		fail_msg("%s", err.msg);
	return text;
}

static void test_make(void **state)
{
	ASSAY_AUTO(assay_manifest) *m = NULL;
	ASSAY_AUTO(assay_prediction) *p = NULL, *none = NULL;
	size_t len, len2;
	ASSAY_AUTO_FREE char *one = make_text(&plain, &len);
	ASSAY_AUTO_FREE char *two = make_text(&plain, &len2);
	struct assay_digests d;
	char hex[ASSAY_HEX_MAX];

	(void)state;
	assert_string_equal(one, two);
	assert_int_equal(assay_manifest_parse(one, len, &m, &err), 0);
	assert_string_equal(m->name, "base");
	assert_int_equal(m->release, 1);
	assert_int_equal(m->not_before, plain.from);
	assert_int_equal(m->expires, plain.until);
	assert_int_equal(assay_json_len(m->data), 1);
	assert_int_equal(assay_json_len(m->subject), 3); /* disk, ESP, data disk */
	assert_int_equal(assay_digest_mem(ASSAY_BANK_BIT(ASSAY_SHA256), disk, disk_len, &d, &err), 0);
	assert_string_equal(assay_json_str(assay_json_get(assay_json_get(assay_json_at(m->subject, 0), "digest"), "sha256")),
			    assay_hex(d.d[ASSAY_SHA256], 32, hex));
	assert_null(assay_json_get(assay_json_get(m->facts, "image"), "format"));

	/* The prediction in it is the one that precompute makes by itself. */
	const struct chain_run r = { 0 };
	const struct disk_file files[] = { CHAIN_FILE(BOOT, uki), CHAIN_TEXT("/more", "text") };
	ASSAY_AUTO(assay_prediction) *alone = chain_ok(&r, files, 2);
	const struct assay_json *json;
	assert_int_equal(assay_manifest_prediction(m, NULL, &p, &json, &err), 0);
	ASSAY_AUTO(assay_json) *again = assay_prediction_json(alone);
	assert_true(assay_json_equal(json, again));
	assert_int_equal(assay_manifest_prediction(m, "elsewhere", &none, NULL, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
	assert_non_null(strstr(err.msg, assay_manifest_platform(json)));
}

static void refused(const struct make *m, const char *words)
{
	struct assay_json *json = NULL;

	if (try_make(m, &json, &err) == 0)
		fail_msg("not refused: %s", words);
	assert_int_equal(err.code, ASSAY_E_USAGE);
	if (!strstr(err.msg, words))
		fail_msg("'%s' is not in '%s'", words, err.msg);
}

static void test_make_refused(void **state)
{
	static const char *const names[] = { "", ".", "a/b", "-a", "a b", "\xc3\xa4", "../a" };
	struct make m;
	char name[130];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		m = plain;
		m.name = names[i];
		refused(&m, "a name has 1 to 128 characters");
	}
	memset(name, 'a', sizeof(name));
	name[129] = '\0';
	assert_int_equal(assay_manifest_check_name(name, &err), -1);
	assert_int_equal(assay_manifest_check_name(name + 1, &err), 0);
	m = plain, m.release = 0, refused(&m, "release numbers begin at 1");
	m = plain, m.until = m.from, refused(&m, "expire before it is valid");
	m = plain, m.until = ASSAY_CLOCK_MAX + 1, refused(&m, "expire before it is valid");
	m = plain, m.platforms = 0, refused(&m, "no platform");
	m = plain, m.platforms = 2, refused(&m, "two profiles of platform");
	m = plain, m.data_name = "disk.img", refused(&m, "two disks named disk.img");
}

/* --- everything malformed ----------------------------------------------------------------------- */

static struct assay_json *parsed(const char *text, size_t len)
{
	struct assay_json *o = NULL;

	assert_int_equal(assay_json_parse(text, len, &o, &err), 0);
	return o;
}

/* The statement with one member of one of its objects replaced; value NULL: without it. */
static void bad(const char *text, size_t len, const char *in, const char *key, struct assay_json *value,
		enum assay_code code, const char *words)
{
	ASSAY_AUTO(assay_json) *o = parsed(text, len);
	ASSAY_AUTO(assay_json) *predicate = assay_json_copy(assay_json_get(o, "predicate"));
	ASSAY_AUTO(assay_json) *validity = assay_json_copy(assay_json_get(predicate, "validity"));
	ASSAY_AUTO_FREE char *changed = NULL;
	struct assay_manifest *m = NULL;
	struct assay_json *of = strcmp(in, "validity") == 0 ? validity : *in ? predicate : o;
	size_t n;

	assay_json_remove(of, key);
	if (value)
		assay_json_set(of, key, value);
	if (of != o) {
		assay_json_set(predicate, "validity", assay_steal(&validity));
		assay_json_set(o, "predicate", assay_steal(&predicate));
	}
	assert_int_equal(assay_json_dump(o, &changed, &n, &err), 0);
	if (assay_manifest_parse(changed, n, &m, &err) == 0)
		fail_msg("not refused: %s %s: %s", in, key, words);
	assert_null(m);
	if (err.code != code || !strstr(err.msg, words))
		fail_msg("%s %s: '%s' is not in '%s', code %d", in, key, words, err.msg, (int)err.code);
}

static struct assay_json *list_of(struct assay_json *a, struct assay_json *b)
{
	struct assay_json *list = assay_json_array();

	assay_json_append(list, a);
	if (b)
		assay_json_append(list, b);
	return list;
}

static void test_malformed(void **state)
{
	size_t len;
	ASSAY_AUTO_FREE char *t = make_text(&plain, &len);
	ASSAY_AUTO(assay_json) *o = parsed(t, len);
	const struct assay_json *predictions = assay_json_get(assay_json_get(o, "predicate"), "predictions");
	const struct assay_json *one = assay_json_at(predictions, 0);

	(void)state;
	bad(t, len, "", "_type", NULL, ASSAY_E_CORRUPT, "no \"_type\"");
	bad(t, len, "", "_type", assay_json_string("https://in-toto.io/Statement/v2"), ASSAY_E_UNSUPPORTED, "Statement/v2");
	bad(t, len, "", "predicateType", assay_json_string("urn:assay:golden-manifest:2"), ASSAY_E_UNSUPPORTED, "manifest:2");
	bad(t, len, "", "predicate", NULL, ASSAY_E_CORRUPT, "no \"schema\"");
	bad(t, len, "", "subject", NULL, ASSAY_E_CORRUPT, "no subject");
	bad(t, len, "", "subject", assay_json_array(), ASSAY_E_CORRUPT, "no subject");
	bad(t, len, "", "subject", list_of(assay_json_object(), NULL), ASSAY_E_CORRUPT, "a subject without");
	bad(t, len, "predicate", "schema", assay_json_string("assay.manifest/2"), ASSAY_E_UNSUPPORTED, "assay.manifest/2");
	bad(t, len, "predicate", "schema", assay_json_int(1), ASSAY_E_CORRUPT, "no \"schema\"");
	bad(t, len, "predicate", "name", NULL, ASSAY_E_CORRUPT, "no name");
	bad(t, len, "predicate", "name", assay_json_string("../x"), ASSAY_E_CORRUPT, "a name has");
	bad(t, len, "predicate", "release", assay_json_int(0), ASSAY_E_CORRUPT, "no release number");
	bad(t, len, "predicate", "release", assay_json_string("1"), ASSAY_E_CORRUPT, "no release number");
	bad(t, len, "predicate", "facts", assay_json_array(), ASSAY_E_CORRUPT, "no facts");
	bad(t, len, "predicate", "data", NULL, ASSAY_E_CORRUPT, "no list of data disks");
	bad(t, len, "predicate", "predictions", assay_json_array(), ASSAY_E_CORRUPT, "no predictions");
	bad(t, len, "predicate", "predictions", assay_json_object(), ASSAY_E_CORRUPT, "no predictions");
	bad(t, len, "predicate", "predictions", list_of(assay_json_object(), NULL), ASSAY_E_CORRUPT, "without the name");
	bad(t, len, "predicate", "predictions", list_of(assay_json_copy(one), assay_json_copy(one)), ASSAY_E_CORRUPT,
	    "two predictions for platform");
	bad(t, len, "validity", "notBefore", NULL, ASSAY_E_CORRUPT, "notBefore");
	bad(t, len, "validity", "expires", assay_json_string("soon"), ASSAY_E_CORRUPT, "expires");
	bad(t, len, "validity", "expires", assay_json_string("2026-01-01T00:00:00Z"), ASSAY_E_CORRUPT, "expires before");
}

/* No cut of a statement is one. */
static void test_cuts(void **state)
{
	size_t len;
	ASSAY_AUTO_FREE char *text = make_text(&plain, &len);

	(void)state;
	for (size_t cut = 0; cut + 1 < len; cut += cut < 512 || cut + 512 > len ? 1 : 41) {
		struct assay_manifest *m = NULL;

		if (assay_manifest_parse(text, cut, &m, &err) == 0)
			fail_msg("cut at %zu it is read", cut);
		assert_null(m);
	}
}

/* --- running out of memory ---------------------------------------------------------------------- */

static char *memory_text;
static size_t memory_len;

static int parse_once(struct assay_err *e)
{
	ASSAY_AUTO(assay_manifest) *m = NULL;
	ASSAY_AUTO(assay_prediction) *p = NULL;

	if (assay_manifest_parse(memory_text, memory_len, &m, e) < 0)
		return -1;
	return assay_manifest_prediction(m, NULL, &p, NULL, e);
}

static int make_once(struct assay_err *e)
{
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	size_t len;

	return try_make(&plain, &json, e) < 0 ? -1 : assay_json_dump(json, &text, &len, e);
}

static void test_memory(void **state)
{
	(void)state;
	memory_text = make_text(&plain, &memory_len);
	unit_alloc_each(parse_once, true);
	unit_alloc_each(make_once, false);
	free(memory_text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_make), cmocka_unit_test(test_make_refused), cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_cuts), cmocka_unit_test(test_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
