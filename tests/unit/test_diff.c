/* SPDX-License-Identifier: Apache-2.0 */
/* What changed between two facts, and which PCRs move: events put down to changes, and running out of memory. */
#include "core/text.h"
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

#include "manifest/diff.h"

#define UKI "/EFI/BOOT/BOOTX64.EFI"
#define EFI "\\\\EFI\\\\BOOT\\\\BOOTX64.EFI"

/* Of one side: a digest for each of the things that may change. */
struct parts {
	const char *kernel, *cmdline, *initrd, *osrel, *stub, *root, *guid, *version, *image, *other;
};
static const struct parts plain = { "6.12.0", "quiet roothash=11", "1", "1", "257", "11", "1", "1", "a", "1" };

static const char *hash(const char *text)
{
	static char hex[8][65];
	static unsigned at;
	struct assay_digests d;

	assert_int_equal(assay_digest_mem(ASSAY_BANK_BIT(ASSAY_SHA256), text, strlen(text), &d, NULL), 0);
	at = (at + 1) % 8;
	return assay_hex(d.d[ASSAY_SHA256], 32, hex[at]);
}

static char *facts_text(const struct parts *p)
{
	struct assay_str s = { 0 };

	assay_str_add(&s, "{\"boot\": \"" UKI "\", \"image\": {\"digest\": {\"sha256\": \"%s\"}, \"size\": 9},", hash(p->image));
	assay_str_add(&s, "\"esp\": {\"files\": [{\"path\": \"/x\", \"size\": 1, \"digest\": {\"sha256\": \"%s\"}}], \"programs\": [{", hash("x"));
	assay_str_add(&s, "\"path\": \"" UKI "\", \"kind\": \"uki\", \"cmdline\": \"%s\", \"magic\": \"systemd-stub %s\", \"os_release\": \"V=%s\",",
		      p->cmdline, p->stub, p->osrel);
	assay_str_add(&s, "\"linux\": {\"release\": \"%s\", \"version\": \"%s x\"}, \"initrd\": {\"tree\": {\"sha256\": \"%s\"}, \"names\": {", p->kernel,
		      p->kernel, hash(p->initrd));
	assay_str_add(&s, "\"bin\": {\"sh\": \"%s\"}, \"lib/modules/%s\": {\"a.ko\": \"%s\"}}}, \"sections\": [", hash(p->initrd), p->kernel, hash("a"));
	assay_str_add(&s, "{\"name\": \".linux\", \"digests\": {\"sha256\": \"%s\"}}, {\"name\": \".cmdline\", \"digests\": {\"sha256\": \"%s\"}},",
		      hash(p->kernel), hash(p->cmdline));
	assay_str_add(&s, "{\"name\": \".initrd\", \"digests\": {\"sha256\": \"%s\"}}, {\"name\": \".osrel\", \"digests\": {\"sha256\": \"%s\"}}]}]},",
		      hash(p->initrd), hash(p->osrel));
	assay_str_add(&s, "\"gpt\": {\"header\": \"%s\", \"partitions\": [{\"index\": 1, \"guid\": \"%s\"}]},", p->guid, p->guid);
	assay_str_add(&s, "\"verity\": [{\"partition\": 2, \"source\": \"" UKI "\", \"root_hash\": \"%s\"}],", p->root);
	assay_str_add(&s, "\"filesystems\": [{\"partition\": 2, \"tree\": {\"sha256\": \"%s\", \"names\": 1}, \"packages\": [{\"path\": \"/s\", \"installed\": {\"p:all\": \"%s\"}}]}],",
		      hash(p->root), p->version);
	assay_str_add(&s, "\"containers\": [{\"archive\": \"/c\", \"names\": [\"c:1\"], \"partition\": 2, \"image_id\": \"%s\"}], \"chain\": [],", hash(p->root));
	assay_str_add(&s, "\"other\": {\"deep\": [1, {\"x\": \"%s\"}]}}", p->other);
	return assay_str_steal(&s);
}

static void add_event(struct assay_str *s, const char *type, const char *source, const char *detail, const char *of)
{
	assay_str_add(s, "%s{\"type\": \"%s\", \"source\": \"%s\", \"detail\": \"%s\", \"image\": true, \"digests\": {\"sha256\": \"%s\"}}",
		      s->len && s->p[s->len - 1] == '}' ? "," : "", type, source, detail, hash(of));
}

/* What a stub of 257 would measure of it; the values of PCRs need only be others when the events are. */
static struct assay_prediction *predict(const struct parts *p, const char *platform)
{
	struct assay_str events[16] = { { 0 } }, s = { 0 };
	ASSAY_AUTO_FREE char *all = assay_asprintf("%s %s %s %s %s", p->kernel, p->cmdline, p->initrd, p->osrel, p->stub);
	ASSAY_AUTO_FREE char *tail = assay_asprintf("%s %s", p->initrd, p->osrel);
	ASSAY_AUTO(assay_json) *json = NULL;
	struct assay_prediction *ret = NULL;
	struct assay_err err;

	add_event(&events[0], "EV_S_CRTM_VERSION", "platform small", "firmware", platform);
	add_event(&events[4], "EV_EFI_BOOT_SERVICES_APPLICATION", EFI, "Authenticode digest", all);
	add_event(&events[4], "EV_EFI_BOOT_SERVICES_APPLICATION", EFI " .linux", "the inner kernel's", p->kernel);
	add_event(&events[5], "EV_EFI_GPT_EVENT", "the disk's primary GPT", "", p->guid);
	add_event(&events[9], "EV_EVENT_TAG", EFI " .cmdline", "LoadOptions", p->cmdline);
	add_event(&events[9], "EV_EVENT_TAG", EFI " .initrd and 660 bytes of cpio archives made by systemd-stub", "initrd", tail);
	add_event(&events[11], "EV_IPL", EFI " .linux", "the section's content", p->kernel);
	add_event(&events[11], "EV_IPL", EFI " .osrel", "the section's content", p->osrel);
	add_event(&events[11], "EV_IPL", EFI " .cmdline", "the section's content", p->cmdline);
	add_event(&events[11], "EV_IPL", EFI " .initrd", "the section's content", p->initrd);
	if (strcmp(p->stub, "257") != 0)
		add_event(&events[11], "EV_IPL", EFI " .new", "the section's content", p->stub);
	assay_str_add(&s, "{\"schema\": \"assay.prediction/1\", \"image\": {}, \"platform\": {\"name\": \"small\"}, \"banks\": {\"sha256\": {");
	for (unsigned i = 0; i < 16; i++)
		assay_str_add(&s, "%s\"%u\": \"%s\"", i ? "," : "", i, hash(events[i].p ? events[i].p : ""));
	assay_str_add(&s, "}}, \"pcrs\": [");
	for (unsigned i = 0; i < 16; i++) {
		assay_str_add(&s, "%s{\"pcr\": %u, \"status\": \"image\", \"events\": [%s]}", i ? "," : "", i, events[i].p ? events[i].p : "");
		assay_str_clear(&events[i]);
	}
	assay_str_add(&s, "]}");
	if (assay_json_parse(s.p, s.len, &json, &err) < 0 || assay_prediction_parse(json, &ret, &err) < 0)
		fail_msg("%s", err.msg);
	assay_str_clear(&s);
	return ret;
}

/* --- two sides ---- */

static struct assay_json *side_facts[2];
static struct assay_prediction *side_predictions[2];

static void make(const struct parts *b, const char *platform)
{
	const struct parts *p[2] = { &plain, b };

	for (int i = 0; i < 2; i++) {
		ASSAY_AUTO_FREE char *text = facts_text(p[i]);
		struct assay_err err;

		if (assay_json_parse(text, strlen(text), &side_facts[i], &err) < 0)
			fail_msg("%s", err.msg);
		side_predictions[i] = predict(p[i], i ? platform : "1");
	}
}

static int clear(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		assay_json_free(&side_facts[i]);
		assay_prediction_free(&side_predictions[i]);
	}
	return 0;
}

static int compare(struct assay_diff **ret, struct assay_err *err)
{
	const struct assay_diff_side sides[2] = {
		{ .facts = side_facts[0], .predictions = &side_predictions[0], .n_predictions = 1 },
		{ .facts = side_facts[1], .predictions = &side_predictions[1], .n_predictions = 1 },
	};

	return assay_diff_make(sides, ret, err);
}

#define P(i) (1U << (i))

/* The n-th change is this one and moves these PCRs. */
static void is_change(const struct assay_diff *d, size_t n, const char *what, const char *text, uint32_t pcrs)
{
	if (n >= d->n)
		fail_msg("there is no change %zu: %s", n, what);
	assert_string_equal(d->changes[n]->what, what);
	if (!strstr(d->changes[n]->text, text))
		fail_msg("'%s' is not in '%s'", text, d->changes[n]->text);
	if (d->changes[n]->pcrs[0] != pcrs)
		fail_msg("%s moves %x, not %x", what, (unsigned)d->changes[n]->pcrs[0], (unsigned)pcrs);
}

static struct assay_diff *differs(const struct parts *b, const char *platform, size_t n, uint32_t moved)
{
	struct assay_diff *d = NULL;
	struct assay_err err;

	(void)clear(NULL);
	make(b, platform);
	assert_int_equal(compare(&d, &err), 0);
	assert_int_equal(d->n, n);
	assert_int_equal(d->platforms[0].moved, moved);
	return d;
}

static void test_same(void **state)
{
	ASSAY_AUTO(assay_diff) *d = differs(&plain, "1", 0, 0);

	(void)state;
	assert_int_equal(d->n_platforms, 1);
}

static void test_kernel(void **state)
{
	struct parts b = plain;

	(void)state;
	b.kernel = "6.12.1";
	ASSAY_AUTO(assay_diff) *d = differs(&b, "1", 1, P(4) | P(11));
	is_change(d, 0, "kernel", "6.12.0 -> 6.12.1", P(4) | P(11));
	assert_int_equal(d->platforms[0].n_events, 3);
	assert_string_equal(d->platforms[0].events[0].state, "changed");
}

/* Two at a time: each has its own, and both have the program's digest and the initrd as it is handed over. */
static void test_two(void **state)
{
	struct parts b = plain;

	(void)state;
	b.initrd = "2";
	b.osrel = "2";
	ASSAY_AUTO(assay_diff) *d = differs(&b, "1", 2, P(4) | P(9) | P(11));
	is_change(d, 0, "initrd", "1 file changed", P(4) | P(9) | P(11));
	is_change(d, 1, ".osrel", "other text", P(4) | P(9) | P(11));
	clear(NULL);
	assay_diff_free(&d);
	b = plain;
	b.cmdline = "panic roothash=11";
	b.guid = "2";
	d = differs(&b, "1", 2, P(4) | P(5) | P(9) | P(11));
	is_change(d, 0, "command line", "+panic -quiet", P(4) | P(9) | P(11));
	is_change(d, 1, "partition table", "partition 1 GUID 1 -> 2", P(5));
}

static void test_stub(void **state)
{
	struct parts b = plain;

	(void)state;
	b.stub = "258";
	ASSAY_AUTO(assay_diff) *d = differs(&b, "1", 1, P(4) | P(11));
	is_change(d, 0, "boot stub", "systemd-stub 257 -> systemd-stub 258", P(4) | P(11));
	assert_string_equal(d->platforms[0].events[1].state, "added");
}

/* What lies under a root hash moves what it moves, and words of the command line are not told twice. */
static void test_root(void **state)
{
	struct parts b = plain;

	(void)state;
	b.root = "22";
	b.cmdline = "quiet roothash=22";
	b.version = "2";
	ASSAY_AUTO(assay_diff) *d = differs(&b, "1", 4, P(4) | P(9) | P(11));
	is_change(d, 0, "packages of partition 2", "p 1 -> 2", P(4) | P(9) | P(11));
	is_change(d, 1, "container c:1", "image ID", P(4) | P(9) | P(11));
	is_change(d, 2, "filesystem of partition 2", "other files", P(4) | P(9) | P(11));
	is_change(d, 3, "root hash of partition 2", "11 -> 22", P(4) | P(9) | P(11));
}

/* Events that no change accounts for are not dropped. */
static void test_unexplained(void **state)
{
	struct parts b = plain;

	(void)state;
	ASSAY_AUTO(assay_diff) *d = differs(&plain, "2", 1, P(0));
	is_change(d, 0, "PCR 0", "platform small: firmware", P(0));
	assay_diff_free(&d);
	b.image = "b";
	d = differs(&b, "1", 1, 0);
	is_change(d, 0, "unmeasured", "no fact is about", 0);
}

/* A fact that nothing speaks of is told by its path. */
static void test_other_facts(void **state)
{
	struct parts b = plain;

	(void)state;
	b.other = "2";
	ASSAY_AUTO(assay_diff) *d = differs(&b, "1", 1, 0);
	is_change(d, 0, "facts", "these differ", 0);
	assert_int_equal(d->changes[0]->n_details, 1);
	assert_string_equal(d->changes[0]->details[0], "other.deep[1].x: \"1\" -> \"2\"");
}

static int once(struct assay_err *err)
{
	ASSAY_AUTO(assay_diff) *d = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	size_t len;

	if (compare(&d, err) < 0)
		return -1;
	json = assay_diff_json(d);
	if (assay_json_dump(json, &text, &len, err) < 0)
		return -1;
	/* Nothing may be missing without a word. */
	if (d->n != 10 || !strstr(text, "+panic -quiet") || !strstr(text, "~ bin/sh"))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%zu changes: %.400s", d->n, text);
	return 0;
}

static void test_memory(void **state)
{
	const struct parts b = { "6.12.1", "panic roothash=22", "2", "2", "258", "22", "2", "2", "b", "2" };

	(void)state;
	clear(NULL);
	make(&b, "1");
	unit_alloc_each(once, true);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_teardown(test_same, clear),   cmocka_unit_test_teardown(test_kernel, clear),
	cmocka_unit_test_teardown(test_two, clear),    cmocka_unit_test_teardown(test_stub, clear),
	cmocka_unit_test_teardown(test_root, clear),   cmocka_unit_test_teardown(test_unexplained, clear),
	cmocka_unit_test_teardown(test_other_facts, clear), cmocka_unit_test_teardown(test_memory, clear),
};

UNIT_MAIN(tests)
