/* SPDX-License-Identifier: Apache-2.0 */
/* loader.conf and entries as systemd-boot 252 and 257 read them. */
#include "tests/unit/unit.h"

#include "core/limits.h"
#include "measure/boot/loader.h"

#define V252 ASSAY_SDBOOT_252
#define V257 ASSAY_SDBOOT_257

static struct assay_loader_conf *conf_of(enum assay_sdboot rules, const char *text)
{
	struct assay_loader_conf *c = NULL;
	struct assay_err err;

	if (assay_loader_conf_parse(rules, text, strlen(text), &c, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(c->len, strlen(text));
	assert_memory_equal(c->bytes, text, c->len);
	return c;
}

static void text_is(const char *got, const char *want)
{
	if (!want)
		assert_null(got);
	else if (!got)
		fail_msg("nothing, not '%s'", want);
	else
		assert_string_equal(got, want);
}

static void default_is(enum assay_sdboot rules, const char *text, const char *want)
{
	ASSAY_AUTO(assay_loader_conf) *c = conf_of(rules, text);

	text_is(c->default_entry, want);
}

static void test_lines(void **state)
{
	(void)state;
	for (enum assay_sdboot v = V252; v <= V257; v++) {
		default_is(v, "", NULL);
		default_is(v, "default a.conf", "a.conf");
		default_is(v, "default a.conf\n", "a.conf");
		default_is(v, "default\ta.conf\r\ntimeout 3\r\n", "a.conf");
		default_is(v, "timeout 3\rdefault a.conf\r", "a.conf");
		default_is(v, "  \t default \t  a b \t \n", "a b");
		default_is(v, "#default a\n", NULL);
		default_is(v, "  # default a\n", NULL);
		default_is(v, "default #a\n", "#a"); /* no comment */
		default_is(v, "default a # b\n", "a # b");
		default_is(v, "default a\ndefault b\n", "b");
		default_is(v, "default\n", NULL);
		default_is(v, "default a\ndefault   \n",
			   "a"); /* no value: the line is passed over */
		default_is(v, "default \"\"\n", NULL);
		default_is(v, "default a\ndefault \"\"\n", NULL); /* an empty one takes it back */
		default_is(v, "default=a\n", NULL);
		default_is(v, "Default a\n", NULL);
		default_is(v, "default FOO-Bar*.Conf\n", "foo-bar*.conf");
		default_is(v, "default \xc3\x84X\n", "\xc3\x84x"); /* ASCII alone */
		default_is(v, "default \"a b\"\n", "a b");
		default_is(v, "default \"a\n", "\"a");
		default_is(v, "default a\"\n", "a\"");
		default_is(v, "default \"\n", NULL); /* a lone quote is both of them */
		default_is(v, "default @saved\n", "@saved");
		default_is(v, "default @SAVED\n", "@saved");
		default_is(v, "default a\ndefault @other\n", "a");
		default_is(v, "default a\n\n\n\ntimeout 1", "a");
	}
	/* Single quotes came off after 252. */
	default_is(V252, "default 'a b'\n", "'a b'");
	default_is(V257, "default 'a b'\n", "a b");
	default_is(V257, "default 'a b\"\n", "'a b\"");
}

static void test_nul(void **state)
{
	static const char text[] = "default a\n\0default b\n";
	ASSAY_AUTO(assay_loader_conf) *c = NULL;
	struct assay_err err;

	(void)state;
	assert_int_equal(assay_loader_conf_parse(V257, text, sizeof(text) - 1, &c, &err), 0);
	assert_string_equal(c->default_entry, "a");
	assert_int_equal(c->len, sizeof(text) - 1); /* measured whole */
	assay_loader_conf_free(&c);
	assert_int_equal(assay_loader_conf_parse(V257, NULL, 0, &c, &err), 0);
	assert_int_equal(c->len, 0);
}

/* What xstr8_to_16() makes of bytes. */
static void test_text(void **state)
{
	(void)state;
	default_is(V257, "default a\xff\x62\n", "ab");	   /* no start byte */
	default_is(V257, "default a\xc3\x62\x63\n", "ac"); /* the sequence goes whole */
	default_is(V257, "default a\xc3\n", "a");
	default_is(V257, "default a\xf0\x9f\x98\x80z\n", "az");	    /* beyond U+FFFF */
	default_is(V257, "default a\xed\xa0\x80z\n", "az");	    /* a surrogate */
	default_is(V257, "default a\xc1\xa1z\n", "aaz");	    /* overlong: taken */
	default_is(V257, "default a\xe0\x83\xa4z\n", "a\xc3\xa4z"); /* another */
	default_is(V257, "default a\xc0\x80z\n", "a");		    /* U+0000 ends it */
	default_is(V257, "default \xff\n", ""); /* nothing left, but not nothing */
	default_is(V257, "default \xf8\x88\x80\x80\x80z\n", "z");
	default_is(V257, "default \xfc\x84\x80\x80\x80\x80z\n", "z");
}

static void timeout_is(enum assay_sdboot rules, const char *text, enum assay_loader_timeout want,
		       uint64_t sec)
{
	ASSAY_AUTO(assay_loader_conf) *c = conf_of(rules, text);

	assert_int_equal(c->timeout, want);
	if (want == ASSAY_TIMEOUT_SECONDS)
		assert_int_equal(c->timeout_sec, sec);
}

static void test_timeout(void **state)
{
	(void)state;
	for (enum assay_sdboot v = V252; v <= V257; v++) {
		timeout_is(v, "", ASSAY_TIMEOUT_NONE, 0);
		timeout_is(v, "timeout 0", ASSAY_TIMEOUT_NONE, 0);
		timeout_is(v, "timeout 5", ASSAY_TIMEOUT_SECONDS, 5);
		timeout_is(v, "timeout 5s", ASSAY_TIMEOUT_NONE, 0);
		timeout_is(v, "timeout 3\ntimeout x", ASSAY_TIMEOUT_SECONDS, 3);
		timeout_is(v, "timeout menu-force", ASSAY_TIMEOUT_FOREVER, 0);
		timeout_is(v, "timeout menu-force\ntimeout menu-hidden", ASSAY_TIMEOUT_NONE, 0);
		timeout_is(v, "timeout 4294967294", ASSAY_TIMEOUT_SECONDS, 4294967294);
		timeout_is(v, "timeout 4294967295", ASSAY_TIMEOUT_FOREVER, 0);
		timeout_is(v, "timeout 3\ntimeout 4294967296", ASSAY_TIMEOUT_SECONDS, 3);
		timeout_is(v, "timeout 3\ntimeout 18446744073709551616", ASSAY_TIMEOUT_SECONDS, 3);
	}
	timeout_is(V252, "timeout 3\ntimeout menu-disabled", ASSAY_TIMEOUT_SECONDS, 3);
	timeout_is(V257, "timeout 3\ntimeout menu-disabled", ASSAY_TIMEOUT_NONE, 0);
}

static void test_enroll(void **state)
{
	ASSAY_AUTO(assay_loader_conf) *a = conf_of(V252, "secure-boot-enroll if-safe");
	ASSAY_AUTO(assay_loader_conf) *b = conf_of(V257, "secure-boot-enroll if-safe");
	ASSAY_AUTO(assay_loader_conf) *c =
		conf_of(V257, "secure-boot-enroll off\nsecure-boot-enroll always");

	(void)state;
	assert_null(a->secure_boot_enroll);
	assert_string_equal(b->secure_boot_enroll, "if-safe");
	assert_string_equal(c->secure_boot_enroll, "off");
}

static void test_ceilings(void **state)
{
	char *big = malloc(ASSAY_LOADER_MAX_FILE + 1);
	ASSAY_AUTO(assay_loader_conf) *c = NULL;
	struct assay_err err;

	(void)state;
	assert_non_null(big);
	memset(big, '#', ASSAY_LOADER_MAX_FILE + 1);
	assert_int_equal(assay_loader_conf_parse(V257, big, ASSAY_LOADER_MAX_FILE, &c, &err), 0);
	assay_loader_conf_free(&c);
	assert_int_equal(assay_loader_conf_parse(V257, big, ASSAY_LOADER_MAX_FILE + 1, &c, &err),
			 -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);

	for (unsigned n = ASSAY_LOADER_MAX_INITRDS - 1; n <= ASSAY_LOADER_MAX_INITRDS + 1; n++) {
		ASSAY_AUTO(assay_boot_entry) *e = NULL;
		size_t len = (size_t)sprintf(big, "linux /l\n");

		for (unsigned i = 0; i < n; i++)
			len += (size_t)sprintf(big + len, "initrd /i%u\n", i);
		int rc = assay_boot_entry_type1(V257, "a.conf", big, len, "x64", NULL, &e, NULL,
						&err);
		assert_int_equal(rc, n > ASSAY_LOADER_MAX_INITRDS ? -1 : 0);
		if (rc < 0)
			assert_int_equal(err.code, ASSAY_E_LIMIT);
		else
			assert_int_equal(e->n_initrds, n);
	}
	free(big);
}

/* --- type #1 ---- */

static struct assay_boot_entry *entry_of(enum assay_sdboot rules, const char *file,
					 const char *text, const char **why)
{
	struct assay_boot_entry *e = NULL;
	struct assay_err err;

	if (assay_boot_entry_type1(rules, file, text, strlen(text), "x64",
				   "\\EFI\\systemd\\systemd-bootx64.efi", &e, why, &err) < 0)
		fail_msg("%s", err.msg);
	return e;
}

/* The example of the Boot Loader Specification (UAPI.1), type #1. */
static const char bls[] =
	"# /boot/loader/entries/6a9857a393724b7a981ebb5b8495b9ea-3.8.0-2.fc19.x86_64.conf\n"
	"title        Fedora 19 (Rawhide)\n"
	"sort-key     fedora\n"
	"machine-id   6a9857a393724b7a981ebb5b8495b9ea\n"
	"version      3.8.0-2.fc19.x86_64\n"
	"options      root=UUID=6d3376e4-fc93-4509-95ec-a21d68011da2 quiet\n"
	"architecture x64\n"
	"linux        /6a98/3.8.0-2.fc19.x86_64/linux\n"
	"initrd       /6a98/3.8.0-2.fc19.x86_64/initrd\n";

static void test_type1(void **state)
{
	(void)state;
	for (enum assay_sdboot v = V252; v <= V257; v++) {
		const char *why = "not set";
		ASSAY_AUTO(assay_boot_entry) *e = entry_of(v, "Fedora-19.conf", bls, &why);

		assert_null(why);
		assert_int_equal(e->kind, ASSAY_ENTRY_LINUX);
		assert_string_equal(e->file, "Fedora-19.conf");
		assert_string_equal(e->id, "fedora-19.conf");
		assert_string_equal(e->title, "Fedora 19 (Rawhide)");
		assert_string_equal(e->sort_key, "fedora");
		assert_string_equal(e->machine_id, "6a9857a393724b7a981ebb5b8495b9ea");
		assert_string_equal(e->version, "3.8.0-2.fc19.x86_64");
		assert_string_equal(e->options,
				    "root=UUID=6d3376e4-fc93-4509-95ec-a21d68011da2 quiet");
		assert_string_equal(e->loader, "\\6a98\\3.8.0-2.fc19.x86_64\\linux");
		assert_int_equal(e->n_initrds, 1);
		assert_string_equal(e->initrds[0], "\\6a98\\3.8.0-2.fc19.x86_64\\initrd");
		assert_int_equal(e->tries_left, -1);
	}
}

static void test_type1_more(void **state)
{
	ASSAY_AUTO(assay_boot_entry) *e = entry_of(
		V252, "a.conf",
		"linux /first\nlinux //EFI///Debian\\\\l\\x\ninitrd /a\ninitrd b\ninitrd /c/\n"
		"options a  b\noptions \"c\"\noptions d\ndevicetree /dt/x\nsort-key a\nsort-key b\n"
		"unknown x\nARCHITECTURE y\nefi\n",
		NULL);

	(void)state;
	assert_string_equal(e->loader, "\\EFI\\Debian\\l\\x");
	assert_int_equal(e->n_initrds, 3);
	assert_string_equal(e->initrds[1], "b");
	assert_string_equal(e->initrds[2], "\\c\\");
	assert_string_equal(e->options, "a  b c d");
	assert_string_equal(e->devicetree, "\\dt\\x");
	assert_string_equal(e->sort_key, "b");
	assay_boot_entry_free(&e);

	/* The last of linux and efi counts. */
	e = entry_of(V257, "a.conf", "linux /l\nefi /e.efi\n", NULL);
	assert_int_equal(e->kind, ASSAY_ENTRY_EFI);
	assert_string_equal(e->loader, "\\e.efi");
}

static void skipped(const char *text, const char *reason)
{
	const char *why = NULL;
	ASSAY_AUTO(assay_boot_entry) *e = entry_of(V257, "a.conf", text, &why);

	assert_null(e);
	assert_non_null(why);
	if (!strstr(why, reason))
		fail_msg("%s", why);
}

static void test_type1_skipped(void **state)
{
	(void)state;
	skipped("", "neither linux nor efi");
	skipped("title only\n", "neither linux nor efi");
	skipped("efi /efi/SYSTEMD/systemd-bootx64.EFI\n", "the boot loader itself");
	skipped("linux /l\narchitecture aa64\n", "another architecture");
	skipped("architecture aa64\ninitrd \"\"\n", "another architecture"); /* stops there */
	ASSAY_AUTO(assay_boot_entry) *e =
		entry_of(V257, "a.conf", "linux /l\narchitecture X64\n", NULL);
	assert_non_null(e);
}

static void refused(const char *text, const char *reason)
{
	struct assay_boot_entry *e = (struct assay_boot_entry *)&e;
	struct assay_err err;

	assert_int_equal(assay_boot_entry_type1(V257, "a.conf", text, strlen(text), "x64", NULL, &e,
						NULL, &err),
			 -1);
	assert_ptr_equal(e, &e);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	if (!strstr(err.msg, reason))
		fail_msg("%s", err.msg);
}

static void test_type1_refused(void **state)
{
	(void)state;
	refused("linux \"\"\n", "line 1: linux is empty");
	refused("title a\n\nlinux /a\ninitrd \"\"\n", "line 4: initrd is empty");
	refused("linux /a\noptions a\noptions \"\"\n", "line 3: empty options");
}

/* Boot counting: the names of the boot loader's own comment. */
static void counts(enum assay_sdboot v, const char *file, int left, int tries_done, const char *id)
{
	ASSAY_AUTO(assay_boot_entry) *e = entry_of(v, file, "linux /l\n", NULL);

	assert_int_equal(e->tries_left, left);
	assert_int_equal(e->tries_done, tries_done);
	assert_string_equal(e->id, id);
	assert_string_equal(e->file, file);
}

static void test_counters(void **state)
{
	(void)state;
	for (enum assay_sdboot v = V252; v <= V257; v++) {
		counts(v, "Foo.conf", -1, -1, "foo.conf");
		counts(v, "foo+x.conf", -1, -1, "foo+x.conf");
		counts(v, "foo+3-.conf", -1, -1, "foo+3-.conf");
		counts(v, "foo+3-1-1.conf", -1, -1, "foo+3-1-1.conf");
		counts(v, "foo+.conf", -1, -1, "foo+.conf");
		counts(v, "foo+3x.conf", -1, -1, "foo+3x.conf");
		counts(v, "foo+2147483648.conf", -1, -1, "foo+2147483648.conf");
		counts(v, "foo+1-2147483648.conf", -1, -1, "foo+1-2147483648.conf");
		counts(v, "foo+3+x.conf", -1, -1, "foo+3+x.conf"); /* the last + counts */
	}
	/* 252 keeps the counter in the id; 257 drops it, and does not lower the case any more. */
	counts(V252, "Foo+3.conf", 3, 0, "foo+3.conf");
	counts(V257, "Foo+3.conf", 3, 0, "Foo.conf");
	counts(V252, "foo+2-1.CONF", 2, 1, "foo+2-1.conf");
	counts(V257, "Foo+2-1.CONF", 2, 1, "Foo.conf");
	counts(V257, "foo+0-3.conf", 0, 3, "foo.conf");
	counts(V257, "foo+2147483647-2147483647.conf", 2147483647, 2147483647, "foo.conf");
	counts(V257, "a+b+1.conf", 1, 0, "a+b.conf");
}

static void test_names(void **state)
{
	(void)state;
	for (enum assay_sdboot v = V252; v <= V257; v++) {
		assert_true(assay_boot_entry_name(v, "a.conf", ".conf"));
		assert_true(assay_boot_entry_name(v, "a.CONF", ".conf"));
		assert_false(assay_boot_entry_name(v, ".conf", ".conf"));
		assert_false(assay_boot_entry_name(v, ".a.conf", ".conf"));
		assert_false(assay_boot_entry_name(v, "a.conf~", ".conf"));
		assert_false(assay_boot_entry_name(v, "conf", ".conf"));
		assert_false(assay_boot_entry_name(v, "auto-x.efi", ".efi"));
		assert_true(assay_boot_entry_name(v, "auto.efi", ".efi"));
	}
	assert_true(assay_boot_entry_name(V252, "Auto-x.efi", ".efi"));
	assert_false(assay_boot_entry_name(V257, "Auto-x.efi", ".efi"));
}

/* --- UKIs ---- */

static struct assay_boot_entry *uki(enum assay_sdboot rules, const char *file, const char *osrel,
				    unsigned number, const char *profile, const char **why)
{
	struct assay_boot_entry *e = NULL;
	struct assay_err err;

	if (assay_boot_entry_uki(rules, file, osrel, osrel ? strlen(osrel) : 0, number, profile,
				 profile ? strlen(profile) : 0, &e, why, &err) < 0)
		fail_msg("%s", err.msg);
	return e;
}

static void test_uki(void **state)
{
	static const char debian[] = "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n"
				     "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"13\"\n"
				     "VERSION=\"13 (trixie)\"\nID=debian\n";

	(void)state;
	for (enum assay_sdboot v = V252; v <= V257; v++) {
		const char *why = NULL;
		ASSAY_AUTO(assay_boot_entry) *e = uki(v, "Debian-6.12.efi", debian, 0, NULL, &why);

		assert_null(why);
		assert_int_equal(e->kind, ASSAY_ENTRY_UKI);
		assert_string_equal(e->id, "debian-6.12.efi");
		assert_null(e->id_without_profile);
		assert_string_equal(e->title, "Debian GNU/Linux 13 (trixie)");
		assert_string_equal(e->version, "13 (trixie)");
		assert_string_equal(e->sort_key, "debian");
		assert_string_equal(e->loader, "\\EFI\\Linux\\Debian-6.12.efi");
		assay_boot_entry_free(&e);

		e = uki(v, "a.efi", "IMAGE_ID=img\nIMAGE_VERSION=7\nVERSION=1\nID=x\nBUILD_ID=b", 0,
			NULL, &why);
		assert_string_equal(e->title, "img");
		assert_string_equal(e->version, "7");
		assert_string_equal(e->sort_key, "img");
		assay_boot_entry_free(&e);
		e = uki(v, "a.efi", "NAME=n\nBUILD_ID=b", 0, NULL, &why);
		assert_string_equal(e->title, "n");
		assert_string_equal(e->version, "b");
		assert_null(e->sort_key);
		assay_boot_entry_free(&e);
		e = uki(v, "a+2-1.efi", "NAME=n", 0, NULL, &why);
		assert_int_equal(e->tries_left, 2);
		assert_string_equal(e->id, v == V252 ? "a+2-1.efi" : "a.efi");
		assert_string_equal(e->loader, "\\EFI\\Linux\\a+2-1.efi");
		assay_boot_entry_free(&e);

		assert_null(uki(v, "a.efi", NULL, 0, NULL, &why));
		assert_string_equal(why, "it has no .osrel section");
		assert_null(uki(v, "a.efi", "VERSION=1\n", 0, NULL, &why));
		assert_non_null(strstr(why, "none of PRETTY_NAME"));
	}
	ASSAY_AUTO(assay_boot_entry) *e = uki(V252, "a.efi", "ID='debian'\n", 0, NULL, NULL);
	assert_string_equal(e->sort_key, "'debian'");
	assay_boot_entry_free(&e);
	e = uki(V257, "a.efi", "ID='debian'\n", 0, NULL, NULL);
	assert_string_equal(e->sort_key, "debian");
}

static void profile_is(const char *file, unsigned number, const char *profile, const char *id,
		       const char *title, const char *without)
{
	ASSAY_AUTO(assay_boot_entry) *e =
		uki(V257, file, "NAME=OS\nID=os\n", number, profile, NULL);

	assert_string_equal(e->id, id);
	assert_string_equal(e->title, title);
	text_is(e->id_without_profile, without);
	assert_int_equal(e->profile, number);
}

static void test_profiles(void **state)
{
	const char *why = NULL;

	(void)state;
	assert_null(uki(V252, "U.efi", "NAME=OS", 1, "ID=x", &why));
	assert_non_null(strstr(why, "no profiles"));
	profile_is("U.efi", 0, NULL, "u.efi", "OS", NULL);
	profile_is("U.efi", 0, "ID=main\nTITLE=Main", "u.efi", "OS (Main)", NULL);
	profile_is("U.efi", 0, "ID=main", "u.efi", "OS", NULL);
	profile_is("U.efi", 1, "ID=Reset\nTITLE='Factory reset'", "u.efi@reset",
		   "OS (Factory reset)", "u.efi");
	profile_is("U.efi", 1, "ID=reset", "u.efi@reset", "OS (reset)", "u.efi");
	profile_is("U.efi", 2, NULL, "u.efi@2", "OS (Profile #3)", "u.efi");
	/* A counter takes the profile's name away again. */
	profile_is("U+3.efi", 2, NULL, "U.efi", "OS (Profile #3)", "u+3.efi");
}

static void test_paths(void **state)
{
	ASSAY_AUTO_FREE char *path = NULL;
	struct assay_err err;

	(void)state;
	assert_int_equal(assay_boot_path("\\EFI\\Linux\\x.efi", &path, &err), 0);
	assert_string_equal(path, "/EFI/Linux/x.efi");
	free(path);
	assert_int_equal(assay_boot_path("vmlinuz", &path, &err), 0);
	assert_string_equal(path, "/vmlinuz");
	free(path);
	assert_int_equal(assay_boot_path("\\a..b\\.c\\...", &path, &err), 0);
	assert_string_equal(path, "/a..b/.c/...");
	assert_int_equal(assay_boot_path("\\EFI\\..\\x", &(char *){ NULL }, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	assert_int_equal(assay_boot_path(".", &(char *){ NULL }, &err), -1);
}

static void test_rules(void **state)
{
	enum assay_sdboot rules;
	struct assay_err err;

	(void)state;
	assert_int_equal(assay_sdboot_rules(252, &rules, &err), 0);
	assert_int_equal(rules, V252);
	assert_int_equal(assay_sdboot_rules(257, &rules, &err), 0);
	assert_int_equal(rules, V257);
	for (unsigned v = 250; v < 262; v++) {
		if (v == 252 || v == 257)
			continue;
		assert_int_equal(assay_sdboot_rules(v, &rules, &err), -1);
		assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_lines),	      cmocka_unit_test(test_nul),
	cmocka_unit_test(test_text),	      cmocka_unit_test(test_timeout),
	cmocka_unit_test(test_enroll),	      cmocka_unit_test(test_ceilings),
	cmocka_unit_test(test_type1),	      cmocka_unit_test(test_type1_more),
	cmocka_unit_test(test_type1_skipped), cmocka_unit_test(test_type1_refused),
	cmocka_unit_test(test_counters),      cmocka_unit_test(test_names),
	cmocka_unit_test(test_uki),	      cmocka_unit_test(test_profiles),
	cmocka_unit_test(test_paths),	      cmocka_unit_test(test_rules),
};

UNIT_MAIN(tests)
