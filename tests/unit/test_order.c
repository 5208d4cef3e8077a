/* SPDX-License-Identifier: Apache-2.0 */
/* Versions, patterns, and which entry comes first: systemd's own examples, and systemd-analyze. */
#include "tests/unit/unit.h"

#include <fnmatch.h>
#include <sys/wait.h>

#include "core/limits.h"
#include "measure/boot/order.h"

/* --- versions ---- */

static void check_chain(const char *const *rising, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++) {
			int r = assay_version_compare(rising[i], rising[k]);

			if ((r < 0) != (i < k) || (r > 0) != (i > k))
				fail_msg("'%s' against '%s': %d", rising[i], rising[k], r);
		}
}

static void test_versions(void **state)
{
	/* Version Format Specification (UAPI.10), "Examples"; and the table above
	 * strverscmp_improved(). Oldest first. */
	static const char *const spec[] = { "122.1",   "123~rc1-1", "123",     "123-a",
					    "123-a.1", "123-1",	    "123-1.1", "123^post1",
					    "123.a-1", "123.1-1",   "123a-1",  "124-1" };
	static const char *const kernels[] = { "6.1.0",	      "6.1.0-9", "6.1.0-10",
					       "6.1.0-13+b1", "6.9",	 "6.12~rc3",
					       "6.12",	      "6.12.1",	 "6.12.10" };

	(void)state;
	check_chain(spec, sizeof(spec) / sizeof(spec[0]));
	check_chain(kernels, sizeof(kernels) / sizeof(kernels[0]));
	/* From the specification: what is equal. */
	assert_int_equal(assay_version_compare("11", "11"), 0);
	assert_int_equal(assay_version_compare("bar-123", "bar-123"), 0);
	assert_int_equal(assay_version_compare("123_a", "123a"), 0);
	assert_int_equal(assay_version_compare("00123", "123"), 0);
	assert_int_equal(assay_version_compare("1_2", "1+2"), 0);
	assert_int_equal(assay_version_compare(NULL, ""), 0);
	assert_int_equal(assay_version_compare(NULL, "0"), -1);
	assert_int_equal(assay_version_compare("", "~"), 1);
	assert_int_equal(assay_version_compare("\xc3\xa4", ""), 0);
	assert_true(assay_version_compare("systemd-123", "systemd-123.1") < 0);
	assert_true(assay_version_compare("bar-123", "foo-123") < 0);
	assert_true(assay_version_compare("123.a", "123.1") < 0);
	assert_true(assay_version_compare("123a", "123") > 0);
	assert_true(assay_version_compare("123a", "123.a") > 0);
	assert_true(assay_version_compare("A", "a") < 0);
}

/* Made-up pairs, decided by systemd-analyze, which has the boot loader's own function. */
static void test_versions_oracle(void **state)
{
	static const char alphabet[] = "012910ab~-^._+B";
	uint32_t seed = 12345;

	(void)state;
	if (!unit_have("systemd-analyze"))
		unit_skip("systemd-analyze is not there");
	for (int i = 0; i < 200; i++) {
		char v[2][10], command[80];
		int want, r;

		for (int k = 0; k < 2; k++) {
			size_t n;

			seed = seed * 1103515245 + 12345;
			n = 1 + (seed >> 16) % 8;
			for (size_t c = 0; c < n; c++) {
				seed = seed * 1103515245 + 12345;
				v[k][c] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
			}
			v[k][n] = '\0';
		}
		snprintf(command, sizeof(command),
			 "systemd-analyze compare-versions -- '%s' '%s' >/dev/null", v[0], v[1]);
		r = system(command);
		assert_true(WIFEXITED(r));
		want = WEXITSTATUS(r) == 11 ? 1 : WEXITSTATUS(r) == 12 ? -1 : WEXITSTATUS(r);
		if (assay_version_compare(v[0], v[1]) != want)
			fail_msg("'%s' against '%s': systemd-analyze says %d", v[0], v[1], want);
	}
}

/* --- patterns ---- */

static void test_patterns(void **state)
{
	/* The cases of systemd's own test for efi_fnmatch() are of this kind; fnmatch(3) agrees. */
	static const struct {
		const char *pattern, *text;
		bool match;
	} rows[] = {
		{ "", "", true },
		{ "abc", "abc", true },
		{ "aBc", "abc", false },
		{ "b", "a", false },
		{ "", "b", false },
		{ "abc", "a", false },
		{ "a?c", "azc", true },
		{ "???", "?.9", true },
		{ "1?", "1", false },
		{ "***", "", true },
		{ "*", "123", true },
		{ "**", "abcd", true },
		{ "*b*", "abcd", true },
		{ "abc*d", "abc", false },
		{ "start*end", "startend", true },
		{ "start*end", "startendstartend", true },
		{ "start*end", "startendstart", false },
		{ "*.conf", "arch-6.1.conf", true },
		{ "debian-*", "debian", false },
		{ "a*b*c", "axxbyyc", true },
		{ "a*b*c", "axxcyyb", false },
		{ "*aab", "aaab", true },
		{ "a**?**?**b", "axyb", true },
		{ "[ab]", "a", true },
		{ "[ab]", "c", false },
		{ "[a-c]x", "bx", true },
		{ "[a-c]x", "dx", false },
		{ "[a-c-f]", "e", false },
		{ "[a-c-f]", "-", true },
		{ "[]]", "]", true },
		{ "[]-a]", "^", true },
		{ "[a-]", "-", true },
		{ "[a", "a", false },
		{ "[", "[", false },
		{ "[\\]]", "]", true },
		{ "\\*", "*", true },
		{ "\\*", "a", false },
		{ "\\", "\\", false },
		{ "a\\b", "ab", true },
		{ "?", "\xc3\xa4", true },
		{ "?", "\xf0\x9f\x98\x80", false },
		{ "??", "\xf0\x9f\x98\x80", true },
	};
	struct assay_err err;
	bool match;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(assay_boot_match(rows[i].pattern, rows[i].text, &match, &err), 0);
		if (match != rows[i].match)
			fail_msg("'%s' on '%s'", rows[i].pattern, rows[i].text);
	}
}

/* Stars and question marks: fnmatch(3) is the oracle. */
static void test_patterns_oracle(void **state)
{
	uint32_t seed = 99;
	struct assay_err err;
	bool match;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char pattern[9] = "", text[9] = "";

		for (int k = 0; k < 8; k++) {
			seed = seed * 1103515245 + 12345;
			pattern[k] = "ab*?*a0"[(seed >> 16) % 7];
			seed = seed * 1103515245 + 12345;
			text[k] = "ababa0"[(seed >> 16) % 6];
			if (pattern[k] == '0')
				pattern[k] = '\0';
			if (text[k] == '0')
				text[k] = '\0';
		}
		assert_int_equal(assay_boot_match(pattern, text, &match, &err), 0);
		if (match != (fnmatch(pattern, text, 0) == 0))
			fail_msg("'%s' on '%s'", pattern, text);
	}
}

/* --- the choice ---- */

/* An entry by its id, and more of it; without and with a boot counter. */
#define E(id_, ...)                                                                                \
	(&(const struct assay_boot_entry){                                                         \
		.file = (char *)"f", .id = id_, .tries_left = -1, .tries_done = -1, __VA_ARGS__ })
#define COUNTED(id_, left_, done_, ...)                                                            \
	(&(const struct assay_boot_entry){ .file = (char *)"f",                                    \
					   .id = id_,                                              \
					   .tries_left = left_,                                    \
					   .tries_done = done_,                                    \
					   __VA_ARGS__ })

static void chooses(const char *pattern, const struct assay_boot_entry *const *e, size_t n,
		    size_t want, const char *why)
{
	struct assay_loader_conf conf = { .default_entry = (char *)pattern };
	ASSAY_AUTO(assay_boot_choice) *c = NULL;
	struct assay_err err;

	if (assay_boot_choose(pattern ? &conf : NULL, e, n, &c, &err) < 0)
		fail_msg("%s", err.msg);
	if (c->chosen != want)
		fail_msg("chose %s: %s", e[c->chosen]->id, c->why);
	assert_string_equal(c->why, why);
	assert_int_equal(c->n, n);
}

static void refuses(const struct assay_loader_conf *conf, const struct assay_boot_entry *const *e,
		    size_t n, enum assay_code code, const char *text)
{
	struct assay_boot_choice *c = (struct assay_boot_choice *)&c;
	struct assay_err err;

	assert_int_equal(assay_boot_choose(conf, e, n, &c, &err), -1);
	assert_ptr_equal(c, &c);
	assert_int_equal(err.code, code);
	if (!strstr(err.msg, text))
		fail_msg("%s", err.msg);
}

#define LIST(...)                                                                                  \
	(const struct assay_boot_entry *const[]){ __VA_ARGS__ },                                   \
		sizeof((const struct assay_boot_entry *const[]){ __VA_ARGS__ }) / sizeof(void *)

static void test_choice(void **state)
{
	(void)state;
	chooses(NULL, LIST(E("a.conf")), 0, "the only entry");
	/* Without sort keys: the newest name. */
	chooses(NULL, LIST(E("debian-6.1.0.conf"), E("debian-6.12.1.conf"), E("debian-6.9.conf")),
		1, "first by name: debian-6.12.1.conf before debian-6.9.conf");
	/* A sort key comes before none, whatever the names. */
	chooses(NULL, LIST(E("z.conf"), E("a.conf", .sort_key = "debian")), 1,
		"first by sort-key: debian before (none)");
	chooses(NULL, LIST(E("z.conf", .sort_key = "zebra"), E("a.conf", .sort_key = "antelope")),
		1, "first by sort-key: antelope before zebra");
	chooses(NULL,
		LIST(E("a", .sort_key = "d", .machine_id = "b"), E("b", .sort_key = "d"),
		     E("c", .sort_key = "d", .machine_id = "a")),
		1, "first by machine-id: (none) before a");
	chooses(NULL,
		LIST(E("b", .sort_key = "d", .version = "6.1.0"),
		     E("a", .sort_key = "d", .version = "6.12.1")),
		1, "first by version: 6.12.1 before 6.1.0");
	chooses(NULL, LIST(E("b", .sort_key = "d"), E("a", .sort_key = "d", .version = "6.12.1")),
		1, "first by version: 6.12.1 before (none)");
	chooses(NULL,
		LIST(E("a", .sort_key = "d", .version = "01"),
		     E("b", .sort_key = "d", .version = "1")),
		1, "first by name: b before a");
	/* Equal in all: the order of the directory. */
	chooses(NULL, LIST(E("a", .version = "1"), E("a", .version = "2")), 0,
		"first by place in the directory: a before a");
	/* Profiles of one UKI, in their order; the base has another rule, its id. */
	chooses(NULL,
		LIST(E("u.efi@2", .sort_key = "d", .id_without_profile = "u.efi", .profile = 2),
		     E("u.efi@1", .sort_key = "d", .id_without_profile = "u.efi", .profile = 1)),
		1, "first by profile: u.efi@1 before u.efi@2");
	chooses(NULL,
		LIST(E("u.efi", .sort_key = "d"),
		     E("u.efi@1", .sort_key = "d", .id_without_profile = "u.efi", .profile = 1)),
		0, "first by place in the directory: u.efi before u.efi@1");
}

static void test_counters(void **state)
{
	(void)state;
	/* No tries left: last, even without a sort key against one. */
	chooses(NULL,
		LIST(COUNTED("new.efi", 0, 3, .sort_key = "d", .version = "2"),
		     E("old.efi", .sort_key = "d", .version = "1")),
		1, "first by boot counter: f before f");
	/* But when there is nothing else, it starts. */
	chooses(NULL, LIST(COUNTED("new.efi", 0, 0)), 0, "the only entry");
	chooses(NULL, LIST(COUNTED("a", 1, 0), COUNTED("a", 2, 0)), 1,
		"first by boot counter: f before f");
	chooses(NULL, LIST(COUNTED("a", 1, 2), COUNTED("a", 1, 1)), 1,
		"first by boot counter: f before f");
	chooses(NULL, LIST(COUNTED("b", 1, 0), COUNTED("a", 9, 0)), 0, "first by name: b before a");

	ASSAY_AUTO(assay_boot_choice) *c = NULL;
	struct assay_err err;
	assert_int_equal(assay_boot_choose(NULL, LIST(COUNTED("a", 3, 0)), &c, &err), 0);
	assert_true(c->counted);
	assay_boot_choice_free(&c);
	assert_int_equal(assay_boot_choose(NULL, LIST(E("a")), &c, &err), 0);
	assert_false(c->counted);
}

static void test_default(void **state)
{
	struct assay_loader_conf conf = { 0 };

	(void)state;
	chooses("debian-6.1*",
		LIST(E("debian-6.9.conf"), E("debian-6.1.conf"), E("debian-6.12.conf")), 2,
		"loader.conf default 'debian-6.1*'");
	chooses("debian-6.9.conf",
		LIST(E("debian-6.9.conf"), E("debian-6.1.conf"), E("debian-6.12.conf")), 0,
		"loader.conf default 'debian-6.9.conf'");
	/* One without tries left is found too, in menu order. */
	chooses("new*", LIST(COUNTED("new.efi", 0, 0), E("old.efi")), 0,
		"loader.conf default 'new*'");
	/* 257 leaves the case of counted ids: a pattern in lower case misses them. */
	chooses("foo*", LIST(COUNTED("Foo.efi", 3, 0), E("bar.efi")), 1,
		"loader.conf default 'foo*' matches none; first by name: bar.efi before Foo.efi");
	chooses("nix", LIST(E("a"), E("b")), 1,
		"loader.conf default 'nix' matches none; first by name: b before a");
	chooses("*", LIST(E("a"), E("b")), 1, "loader.conf default '*'");

	conf.default_entry = (char *)"@saved";
	refuses(&conf, LIST(E("a")), ASSAY_E_UNSUPPORTED, "default @saved");
	conf.default_entry = (char *)"auto-windows";
	refuses(&conf, LIST(E("a")), ASSAY_E_UNSUPPORTED, "makes itself");
	conf.default_entry = (char *)"*shell*";
	refuses(&conf, LIST(E("a")), ASSAY_E_UNSUPPORTED, "makes itself");
	conf.default_entry = NULL;
	conf.timeout = ASSAY_TIMEOUT_FOREVER;
	refuses(&conf, LIST(E("a")), ASSAY_E_UNSUPPORTED, "menu-force");
	refuses(NULL, NULL, 0, ASSAY_E_NOTFOUND, "no boot entry");
}

static void test_asked_for(void **state)
{
	const struct assay_boot_entry renamed = { .id = "a.efi", .file = "a+2.efi" };
	ASSAY_AUTO(assay_boot_choice) *c = NULL;
	struct assay_err err;

	(void)state;
	assert_int_equal(assay_boot_choose_id("A.conf", LIST(E("b.conf"), E("a.conf")), &c, &err),
			 0);
	assert_int_equal(c->chosen, 1);
	assert_string_equal(c->why, "asked for");
	assay_boot_choice_free(&c);
	assert_int_equal(assay_boot_choose_id("a+2.efi", LIST(&renamed), &c, &err), 0);
	assay_boot_choice_free(&c);
	assert_int_equal(assay_boot_choose_id("c", LIST(E("b.conf"), E("a.conf")), &c, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
}

/* By insertion, as the boot loader sorts: an entry without a counter equals both of these, and the
 * relation is no order; each place is compared with its neighbour alone. */
static void test_menu_order(void **state)
{
	ASSAY_AUTO(assay_boot_choice) *c = NULL;
	struct assay_err err;

	(void)state;
	assert_int_equal(assay_boot_choose(NULL,
					   LIST(COUNTED("a", 1, 0), E("a"), COUNTED("a", 2, 0),
						E("b"), COUNTED("c", 0, 0)),
					   &c, &err),
			 0);
	assert_int_equal(c->order[0], 3);
	assert_int_equal(c->order[1], 0);
	assert_int_equal(c->order[2], 1);
	assert_int_equal(c->order[3], 2);
	assert_int_equal(c->order[4], 4);
}

static void test_ceiling(void **state)
{
	const struct assay_boot_entry *one = E("a");
	const struct assay_boot_entry **many =
		calloc(ASSAY_LOADER_MAX_ENTRIES + 1, sizeof(const struct assay_boot_entry *));
	ASSAY_AUTO(assay_boot_choice) *c = NULL;
	struct assay_err err;

	(void)state;
	assert_non_null(many);
	for (size_t i = 0; i <= ASSAY_LOADER_MAX_ENTRIES; i++)
		many[i] = one;
	assert_int_equal(assay_boot_choose(NULL, many, ASSAY_LOADER_MAX_ENTRIES, &c, &err), 0);
	refuses(NULL, many, ASSAY_LOADER_MAX_ENTRIES + 1, ASSAY_E_LIMIT, "4097 boot entries");
	free(many);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_versions),   cmocka_unit_test(test_versions_oracle),
	cmocka_unit_test(test_patterns),   cmocka_unit_test(test_patterns_oracle),
	cmocka_unit_test(test_choice),	   cmocka_unit_test(test_counters),
	cmocka_unit_test(test_default),	   cmocka_unit_test(test_asked_for),
	cmocka_unit_test(test_menu_order), cmocka_unit_test(test_ceiling),
};

UNIT_MAIN(tests)
