/* SPDX-License-Identifier: Apache-2.0 */
/* systemd-boot: what it measures itself, what it hands over, and what is refused by name. */
#include "tests/unit/chain_run.h"

#define BOOT "/EFI/BOOT/BOOTX64.EFI"
#define LOADER_252 "systemd-boot 252.39-1~deb12u2"
#define LOADER_257 "systemd-boot 257.13-1~deb13u1"
#define STUB_252 "systemd-stub 252.39-1~deb12u2"
#define STUB_257 "systemd-stub 257.13-1~deb13u1"

static const struct chain_run plain = { 0 };

struct parts {
	struct peb old, new; /* boot loaders */
	struct peb uki_252, uki_257, profiles, kernel;
};

static int setup(void **state)
{
	struct parts *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	build_systemd(&p->old, LOADER_252);
	build_systemd(&p->new, LOADER_257);
	build_uki(&p->uki_252, STUB_252, BUILD_DEBIAN_6_1, " own\n");
	build_uki(&p->uki_257, STUB_257, BUILD_DEBIAN_6_12, " own\n");
	build_uki(&p->profiles, STUB_257, BUILD_DEBIAN_6_12, "base");
	peb_text(&p->profiles, ".profile", "ID=zero\n");
	peb_text(&p->profiles, ".profile", "ID=one\n");
	peb_text(&p->profiles, ".cmdline", "first");
	build_kernel(&p->kernel, BUILD_DEBIAN_6_12);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct parts *p = *state;

	peb_free(&p->old);
	peb_free(&p->new);
	peb_free(&p->uki_252);
	peb_free(&p->uki_257);
	peb_free(&p->profiles);
	peb_free(&p->kernel);
	free(p);
	return 0;
}

#define LOADER_CONF "/loader/loader.conf"
#define ENTRY "/loader/entries/e.conf"

/* 252 does not measure loader.conf; the UKI's command line comes by it, measured by both. */
static void test_uki_252(void **state)
{
	struct parts *k = *state;
	ASSAY_AUTO(assay_prediction) *p = NULL;
	const struct disk_file files[] = { CHAIN_FILE(BOOT, k->old),
					   CHAIN_TEXT(LOADER_CONF, "timeout 0\n"),
					   CHAIN_FILE("/EFI/Linux/u.efi", k->uki_252) };

	p = chain_ok(&plain, files, 3);
	assert_int_equal(chain_count(p, 12), 2);
	chain_is_utf16(p, 12, 0, " own");
	chain_is_utf16(p, 12, 1, " own");
	chain_is_utf16(p, 9, 0, " own");
	assert_int_equal(chain_count(p, 5), 3); /* GPT, exit twice */
	assert_int_equal(chain_count(p, 4), 3); /* loader, UKI, kernel */
	assert_string_equal(assay_json_str(assay_json_get(p->image, "entry")), "u.efi");
}

static void test_uki_257(void **state)
{
	struct parts *k = *state;
	ASSAY_AUTO(assay_prediction) *p = NULL;
	const struct disk_file files[] = { CHAIN_FILE(BOOT, k->new),
					   CHAIN_TEXT(LOADER_CONF, "timeout 0\n"),
					   CHAIN_FILE("/EFI/Linux/u.efi", k->uki_257) };

	p = chain_ok(&plain, files, 3);
	assert_int_equal(chain_count(p, 12), 0);
	chain_is_utf16(p, 9, 0, "own");
	assert_int_equal(chain_count(p, 5), 4);
	chain_is(p, 5, 1, "timeout 0\n", 10);
	assay_prediction_free(&p);
	/* An empty one is measured too, a missing one is not. */
	const struct disk_file empty[] = { CHAIN_FILE(BOOT, k->new), CHAIN_TEXT(LOADER_CONF, ""),
					   CHAIN_FILE("/EFI/Linux/u.efi", k->uki_257) };
	p = chain_ok(&plain, empty, 3);
	chain_is(p, 5, 1, "", 0);
	assay_prediction_free(&p);
	const struct disk_file none[] = { CHAIN_FILE(BOOT, k->new),
					  CHAIN_FILE("/EFI/Linux/u.efi", k->uki_257) };
	p = chain_ok(&plain, none, 2);
	assert_int_equal(chain_count(p, 5), 3);
}

/* 257 starts a stub of 252 without options, 252 one of 257 with them. */
static void test_mixed(void **state)
{
	struct parts *k = *state;
	ASSAY_AUTO(assay_prediction) *p = NULL;
	const struct disk_file new[] = { CHAIN_FILE(BOOT, k->new),
					 CHAIN_FILE("/EFI/Linux/u.efi", k->uki_252) };
	const struct disk_file old[] = { CHAIN_FILE(BOOT, k->old),
					 CHAIN_FILE("/EFI/Linux/u.efi", k->uki_257) };

	p = chain_ok(&plain, new, 2);
	assert_int_equal(chain_count(p, 12), 0);
	chain_is_utf16(p, 9, 0, " own");
	assay_prediction_free(&p);
	p = chain_ok(&plain, old, 2);
	assert_int_equal(chain_count(p, 12), 2);
	chain_is_utf16(p, 12, 0, " own");
	chain_is_utf16(p, 12, 1, "own");
	chain_is_utf16(p, 9, 0, "own");
}

static void test_profiles(void **state)
{
	struct parts *k = *state;
	ASSAY_AUTO(assay_prediction) *p = NULL;
	struct chain_run r = { .options = { .entry = "u.efi" } };
	const struct disk_file files[] = { CHAIN_FILE(BOOT, k->new),
					   CHAIN_FILE("/EFI/Linux/u.efi", k->profiles) };

	p = chain_ok(&plain, files, 2);
	assert_int_equal(chain_count(p, 12), 0);
	chain_is_utf16(p, 9, 0, "base");
	assay_prediction_free(&p);
	/* The second: its number by the loader and by the stub. */
	r.options.entry = "u.efi@one";
	p = chain_ok(&r, files, 2);
	assert_int_equal(chain_count(p, 12), 2);
	chain_is_utf16(p, 12, 0, "@1");
	chain_is_utf16(p, 12, 1, "1");
	chain_is_utf16(p, 9, 0, "first");
	assay_prediction_free(&p);
	/* By hand in a Type 1 entry, with options of its own behind one blank. */
	const struct disk_file type1[] = {
		CHAIN_FILE(BOOT, k->new), CHAIN_FILE("/u.efi", k->profiles),
		CHAIN_TEXT(ENTRY, "title t\nefi /u.efi\noptions @1  more\n")
	};
	p = chain_ok(&plain, type1, 3);
	assert_int_equal(chain_count(p, 12), 3);
	chain_is_utf16(p, 12, 0, "@1  more");
	chain_is_utf16(p, 12, 1, "1");
	chain_is_utf16(p, 12, 2, "more");
	chain_is_utf16(p, 9, 0, "more");
	assay_prediction_free(&p);
	const struct disk_file beyond[] = { CHAIN_FILE(BOOT, k->new),
					    CHAIN_FILE("/u.efi", k->profiles),
					    CHAIN_TEXT(ENTRY, "efi /u.efi\noptions @2\n") };
	chain_refused(&plain, beyond, 3, "no profile 2");
	/* What is no number is a command line, and so is everything to a stub of 252. */
	const struct disk_file word[] = { CHAIN_FILE(BOOT, k->new),
					  CHAIN_FILE("/u.efi", k->profiles),
					  CHAIN_TEXT(ENTRY, "efi /u.efi\noptions @1x\n") };
	p = chain_ok(&plain, word, 3);
	chain_is_utf16(p, 9, 0, "@1x");
	assay_prediction_free(&p);
	const struct disk_file old[] = { CHAIN_FILE(BOOT, k->new), CHAIN_FILE("/u.efi", k->uki_252),
					 CHAIN_TEXT(ENTRY, "efi /u.efi\noptions @1 a\n") };
	p = chain_ok(&plain, old, 3);
	chain_is_utf16(p, 9, 0, "@1 a");
}

static void test_type1(void **state)
{
	struct parts *k = *state;
	ASSAY_AUTO(assay_prediction) *p = NULL;
	const struct disk_file files[] = {
		CHAIN_FILE(BOOT, k->new),
		CHAIN_FILE("/vmlinuz", k->kernel),
		CHAIN_TEXT("/one", "abcde"),
		CHAIN_TEXT("/two", "xyz"),
		CHAIN_TEXT(ENTRY,
			   "linux /vmlinuz\ninitrd /one\ninitrd /two\noptions a  b\noptions c\n"),
	};
	struct disk_file old[CHAIN_N(files)];

	p = chain_ok(&plain, files, CHAIN_N(files));
	chain_is_utf16(p, 12, 0, "initrd=\\one initrd=\\two a  b c");
	assert_int_equal(chain_count(p, 12), 1);
	chain_is_utf16(p, 9, 0, "initrd=\\one initrd=\\two a  b c");
	/* Each but the last is filled up to 4 bytes; 252 joins them as they are. */
	chain_is(p, 9, 1, "abcde\0\0\0xyz", 11);
	assert_int_equal(chain_count(p, 4), 2);
	assert_int_equal(chain_count(p, 11), 0);
	assert_int_equal(p->n_phases, 0);
	assay_prediction_free(&p);
	memcpy(old, files, sizeof(files));
	old[0] = (struct disk_file)CHAIN_FILE(BOOT, k->old);
	p = chain_ok(&plain, old, CHAIN_N(files));
	chain_is(p, 9, 1, "abcdexyz", 8);
	assay_prediction_free(&p);
	/* No initrd, no options: nothing in PCR 12, and nothing in 9. */
	const struct disk_file bare[] = { CHAIN_FILE(BOOT, k->new),
					  CHAIN_FILE("/vmlinuz", k->kernel),
					  CHAIN_TEXT(ENTRY, "linux /vmlinuz\n") };
	p = chain_ok(&plain, bare, 3);
	assert_int_equal(chain_count(p, 12) + chain_count(p, 9), 0);
	assay_prediction_free(&p);
	/* Empty initrds are named, and not there. */
	const struct disk_file empty[] = { CHAIN_FILE(BOOT, k->new),
					   CHAIN_FILE("/vmlinuz", k->kernel), CHAIN_TEXT("/e", ""),
					   CHAIN_TEXT(ENTRY, "linux /vmlinuz\ninitrd /e\n") };
	p = chain_ok(&plain, empty, 4);
	chain_is_utf16(p, 12, 0, "initrd=\\e");
	assert_int_equal(chain_count(p, 9), 1);
	assay_prediction_free(&p);
	/* Those of an `efi` entry are not heeded. */
	const struct disk_file efi[] = {
		CHAIN_FILE(BOOT, k->new), CHAIN_FILE("/vmlinuz", k->kernel),
		CHAIN_TEXT("/one", "abcde"),
		CHAIN_TEXT(ENTRY, "efi /vmlinuz\ninitrd /one\noptions a\n")
	};
	p = chain_ok(&plain, efi, 4);
	chain_is_utf16(p, 12, 0, "a");
	assert_int_equal(chain_count(p, 9), 1);
}

static void test_refused(void **state)
{
	struct parts *k = *state;
	static const char *const xbootldr[] = { DISK_XBOOTLDR };
	static const char *const esp[] = { DISK_ESP };
	const struct disk_file uki = CHAIN_FILE("/EFI/Linux/u.efi", k->uki_257);
	const struct disk_file boot = CHAIN_FILE(BOOT, k->new);
	const struct disk_file kernel = CHAIN_FILE("/vmlinuz", k->kernel);
	struct chain_run r = { 0 };

	(void)state;
#define REFUSED(words, ...)                                                                        \
	do {                                                                                       \
		const struct disk_file f[] = { boot, __VA_ARGS__ };                                \
		chain_refused(&r, f, CHAIN_N(f), words);                                           \
	} while (0)
	REFUSED("drivers that systemd-boot loads", uki,
		CHAIN_TEXT("/EFI/systemd/drivers/d.efi", "x"));
	REFUSED("may enrol Secure Boot keys", uki, CHAIN_TEXT("/loader/keys/auto/db.auth", "x"));
	REFUSED("a device tree", kernel, CHAIN_TEXT("/d", "x"),
		CHAIN_TEXT(ENTRY, "linux /vmlinuz\ndevicetree /d\n"));
	REFUSED("initrds beside a UKI", CHAIN_TEXT("/i", "x"), CHAIN_FILE("/u.efi", k->uki_257),
		CHAIN_TEXT(ENTRY, "linux /u.efi\ninitrd /i\n"));
	REFUSED("entry e.conf: initrd", kernel,
		CHAIN_TEXT(ENTRY, "linux /vmlinuz\ninitrd /gone\n"));
	REFUSED("cannot be read", CHAIN_TEXT("/EFI/Linux/bad.efi", "MZ and no more"));
	REFUSED("neither a UKI nor a kernel (systemd-boot)", CHAIN_FILE("/b.efi", k->old),
		CHAIN_TEXT(ENTRY, "efi /b.efi\n"));
	REFUSED("no boot entry", CHAIN_TEXT(LOADER_CONF, "timeout 1\n"));
	r.options.entry = "gone";
	REFUSED("gone", uki);
	r.options.entry = NULL;
	r.more = xbootldr;
	r.n_more = 1;
	REFUSED("XBOOTLDR", uki);
	r.more = esp;
	REFUSED("2 EFI system partitions", uki);
}

/* Enrolment depends on version, loader.conf, and the firmware's mode. */
static void test_enrolment(void **state)
{
	struct parts *k = *state;
	static const struct {
		bool old;
		const char *conf;
		bool refused;
	} cases[] = {
		{ false, "timeout 0\n", true },
		{ false, "secure-boot-enroll off\n", false },
		{ false, "secure-boot-enroll manual\n", false },
		{ false, "secure-boot-enroll force\n", true },
		{ true, "timeout 0\n", false },
		{ true, "secure-boot-enroll force\n", true },
	};

	for (size_t i = 0; i < CHAIN_N(cases); i++) {
		ASSAY_AUTO(assay_prediction) *p = NULL;
		struct peb *loader = cases[i].old ? &k->old : &k->new;
		const struct disk_file files[] = {
			CHAIN_FILE(BOOT, *loader),
			CHAIN_FILE("/EFI/Linux/u.efi", k->uki_257),
			CHAIN_TEXT("/loader/keys/auto/db.auth", "x"),
			{ LOADER_CONF, cases[i].conf, strlen(cases[i].conf) },
		};

		if (cases[i].refused)
			chain_refused(&plain, files, CHAIN_N(files), "may enrol");
		else
			p = chain_ok(&plain, files, CHAIN_N(files));
	}
}

static void test_counted(void **state)
{
	struct parts *k = *state;
	ASSAY_AUTO(assay_prediction) *p = NULL;
	bool counted = false;
	const struct disk_file new[] = { CHAIN_FILE(BOOT, k->new),
					 CHAIN_FILE("/EFI/Linux/u+3.efi", k->uki_257),
					 CHAIN_TEXT("/EFI/Linux/u.efi.extra.d/c.cred", "c") };
	const struct disk_file old[] = { CHAIN_FILE(BOOT, k->old),
					 CHAIN_FILE("/EFI/Linux/u+3.efi", k->uki_252),
					 CHAIN_TEXT("/EFI/Linux/u+3.efi.extra.d/c.cred", "c") };

	p = chain_ok(&plain, new, 3);
	assert_int_equal(chain_count(p, 12), 1);
	assert_true(assay_json_get_bool(assay_json_get(p->image, "entry_counted"), &counted));
	assert_true(counted);
	assay_prediction_free(&p);
	chain_refused(&plain, old, 3, "boot counter");
	p = chain_ok(&plain, old, 2);
}

/* Programs that start the chain and are known by name only, or not at all. */
static void test_first_program(void **state)
{
	static const struct {
		const char *magic, *section, *content, *words;
	} cases[] = {
		{ "none", ".vendor_cert", "x", "is shim" },
		{ "none", "mods", "x", "is GRUB" },
		{ "systemd-addon 257.9", ".cmdline", "x", "is an addon" },
		{ "none", ".other", "x", "is an unknown UEFI program" },
		{ "systemd-boot 300.1", ".other", "x", "300" },
		{ "systemd-boot 258", ".other", "x", "258" },
	};
	struct parts *k = *state;

	for (size_t i = 0; i < CHAIN_N(cases); i++) {
		struct peb b;

		build_systemd(&b, cases[i].magic);
		peb_text(&b, cases[i].section, cases[i].content);
		const struct disk_file files[] = { CHAIN_FILE(BOOT, b) };
		chain_refused(&plain, files, 1, cases[i].words);
		assert_int_equal(run_err.code, ASSAY_E_UNSUPPORTED);
		peb_free(&b);
	}
	const struct disk_file kernel[] = { CHAIN_FILE(BOOT, k->kernel) };
	chain_refused(&plain, kernel, 1, "a kernel that the firmware starts itself");
	const struct disk_file nothing[] = { CHAIN_TEXT("/EFI/BOOT/x", "x") };
	chain_refused(&plain, nothing, 1, "no boot file /EFI/BOOT/BOOTX64.EFI");
	assert_int_equal(run_err.code, ASSAY_E_NOTFOUND);
}

static void test_boot_and_assume(void **state)
{
	struct parts *k = *state;
	ASSAY_AUTO(assay_prediction) *p = NULL;
	struct chain_run r = { .options = { .boot = "\\efi\\x\\U.EFI" } };
	struct peb next;

	const struct disk_file files[] = { CHAIN_FILE("/EFI/X/u.efi", k->uki_257) };
	p = chain_ok(&r, files, 1);
	assert_string_equal(assay_json_str(assay_json_get(p->image, "boot")), "/EFI/X/u.efi");
	assay_prediction_free(&p);
	r = (struct chain_run){ .options = { .assume_stub = "257" } };
	build_systemd(&next, "systemd-boot 258.1");
	const struct disk_file newer[] = { CHAIN_FILE(BOOT, next),
					   CHAIN_FILE("/EFI/Linux/u.efi", k->uki_257) };
	p = chain_ok(&r, newer, 2);
	/* Whether that one pads, nobody knows. */
	const struct disk_file type1[] = { CHAIN_FILE(BOOT, next),
					   CHAIN_FILE("/vmlinuz", k->kernel),
					   CHAIN_TEXT("/i", "abcde"),
					   CHAIN_TEXT(ENTRY, "linux /vmlinuz\ninitrd /i\n") };
	chain_refused(&r, type1, 4, "no multiple of 4 is not known");
	peb_free(&next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uki_252),	      cmocka_unit_test(test_uki_257),
		cmocka_unit_test(test_mixed),	      cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_type1),	      cmocka_unit_test(test_refused),
		cmocka_unit_test(test_enrolment),     cmocka_unit_test(test_counted),
		cmocka_unit_test(test_first_program), cmocka_unit_test(test_boot_and_assume),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
