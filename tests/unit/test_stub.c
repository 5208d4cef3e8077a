/* SPDX-License-Identifier: Apache-2.0 */
/* UKIs that the firmware starts: what the stub heeds, hands over, and what is refused by name. */
#include "precompute/chain/stub_priv.h"
#include "precompute/cpio.h"
#include "tests/unit/chain_run.h"

#define BOOT "/EFI/BOOT/BOOTX64.EFI"
#define STUB_252 "systemd-stub 252.39-1~deb12u2"
#define STUB_257 "systemd-stub 257.13-1~deb13u1"

static const struct chain_run plain = { 0 };

/* Starts this command line out of .cmdline; the kernel is handed `expected`, NULL: nothing. */
static void cmdline_case(const char *stub, const char *cmdline, size_t len, const char *expected)
{
	ASSAY_AUTO(assay_prediction) *p = NULL;
	struct peb uki;

	build_uki(&uki, stub, BUILD_DEBIAN_6_12, NULL);
	if (cmdline)
		peb_section(&uki, ".cmdline", cmdline, len);
	const struct disk_file files[] = { CHAIN_FILE(BOOT, uki) };
	p = chain_ok(&plain, files, 1);
	if (expected)
		chain_is_utf16(p, 9, 0, expected);
	assert_int_equal(chain_count(p, 9), expected ? 2 : 1);
	assert_int_equal(p->pcr[12].status, ASSAY_PCR_ZERO);
	peb_free(&uki);
}

#define CASE(stub, text, expected) cmdline_case(stub, text, sizeof(text) - 1, expected)

static void test_mangling(void **state)
{
	(void)state;
	CASE(STUB_252, "quiet", "quiet");
	CASE(STUB_257, "quiet", "quiet");
	CASE(STUB_252, " \t a\x01 b \n\n", "   a  b");
	CASE(STUB_257, " \t a\x01 b \n\n", "a  b");
	/* DEL is a blank to 257 alone. */
	CASE(STUB_252,
	     "\x7f"
	     "a\x7f"
	     "b\x7f",
	     "\x7f"
	     "a\x7f"
	     "b\x7f");
	CASE(STUB_257,
	     "\x7f"
	     "a\x7f"
	     "b\x7f",
	     "a b");
	/* Conversion ends at a NUL. */
	CASE(STUB_252, "one\0two", "one");
	CASE(STUB_257, "one\0two", "one");
	/* Blanks alone: an empty command line, which is measured with its NUL. */
	CASE(STUB_252, " \n", "");
	CASE(STUB_257, " \n", "");
	CASE(STUB_257, "\0quiet", "");
	/* In the basic plane. */
	CASE(STUB_252, "n=\xc3\xa9", "n=\xe9");
	CASE(STUB_257, "n=\xc3\xa9", "n=\xe9");
	cmdline_case(STUB_252, NULL, 0, NULL);
	cmdline_case(STUB_257, NULL, 0, NULL);
}

static void cmdline_refused(const char *cmdline, const char *words)
{
	struct peb uki;

	build_uki(&uki, STUB_257, BUILD_DEBIAN_6_12, cmdline);
	const struct disk_file files[] = { CHAIN_FILE(BOOT, uki) };
	chain_refused(&plain, files, 1, words);
	peb_free(&uki);
}

static void test_cmdline_refused(void **state)
{
	char text[2049];

	(void)state;
	cmdline_refused("a=\xf0\x9f\x98\x80", "beyond U+FFFF");
	cmdline_refused("a=\xff", "not UTF-8");
	cmdline_refused("a=\xed\xa0\x80", "not UTF-8");
	memset(text, 'x', sizeof(text));
	text[2048] = '\0';
	cmdline_refused(text, "2048 bytes, and the kernel cuts its command line at 2047");
	text[2047] = '\0';
	cmdline_case(STUB_257, text, 2047, text);
}

/* What follows "--" is for init; before it, noinitrd keeps the initrd away. */
static void test_noinitrd(void **state)
{
	static const struct {
		const char *cmdline;
		size_t events;
	} cases[] = {
		{ "noinitrd", 1 },	    { "a noinitrd=x", 1 }, { "\"noinitrd\"", 1 },
		{ "a -- noinitrd", 2 },	    { "noinitrdx", 2 },	   { "\"a noinitrd\"", 2 },
		{ "a\xc2\xa0noinitrd", 1 }, /* 0xa0 is a blank to the kernel */
	};

	(void)state;
	for (size_t i = 0; i < CHAIN_N(cases); i++) {
		ASSAY_AUTO(assay_prediction) *p = NULL;
		struct peb uki;

		build_uki(&uki, STUB_252, BUILD_DEBIAN_6_1, cases[i].cmdline);
		const struct disk_file files[] = { CHAIN_FILE(BOOT, uki) };
		p = chain_ok(&plain, files, 1);
		assert_int_equal(chain_count(p, 9), cases[i].events);
		peb_free(&uki);
	}
}

/* .initrd of build_uki(), padded to 4, and then what else is handed over. */
static void initrd_start(struct assay_str *s)
{
	uint8_t initrd[1001];

	peb_pattern(initrd, sizeof(initrd), 5);
	assay_str_add_n(s, initrd, sizeof(initrd));
	assay_str_add_n(s, "\0\0\0", 3);
}

static void add_cpio(struct assay_str *s, const char *dir, unsigned dir_mode, unsigned mode,
		     const struct assay_cpio_file *files, size_t n)
{
	assert_int_equal(assay_cpio_append(s, dir, dir_mode, mode, files, n, &run_err), 0);
}

#define OSREL "ID=test\nNAME=Test\nVERSION_ID=1\n"

static void test_handed_over(void **state)
{
	ASSAY_AUTO(assay_prediction) *p = NULL;
	const struct assay_cpio_file osrel = { "os-release", OSREL, strlen(OSREL) };
	const struct assay_cpio_file sig = { "tpm2-pcr-signature.json", "{}", 2 };
	const struct assay_cpio_file key = { "tpm2-pcr-public-key.pem", "key", 3 };
	struct assay_str s = { 0 };
	struct peb uki;

	(void)state;
	/* 252: .initrd alone goes as it is, without padding. */
	build_uki(&uki, STUB_252, BUILD_DEBIAN_6_12, "a");
	const struct disk_file alone[] = { CHAIN_FILE(BOOT, uki) };
	p = chain_ok(&plain, alone, 1);
	initrd_start(&s);
	chain_is(p, 9, 1, s.p, s.len - 3);
	assay_prediction_free(&p);
	/* With .pcrsig and .pcrpkey: their archives behind it, in that order. */
	peb_text(&uki, ".pcrpkey", "key");
	peb_text(&uki, ".pcrsig", "{}");
	const struct disk_file two[] = { CHAIN_FILE(BOOT, uki) };
	p = chain_ok(&plain, two, 1);
	add_cpio(&s, ".extra", 0555, 0444, &sig, 1);
	add_cpio(&s, ".extra", 0555, 0444, &key, 1);
	chain_is(p, 9, 1, s.p, s.len);
	assay_prediction_free(&p);
	assay_str_clear(&s);
	peb_free(&uki);
	/* 257: .ucode first, padded; os-release behind the rest. */
	build_uki(&uki, STUB_257, BUILD_DEBIAN_6_12, "a");
	peb_text(&uki, ".ucode", "micro");
	const struct disk_file ucode[] = { CHAIN_FILE(BOOT, uki) };
	p = chain_ok(&plain, ucode, 1);
	assay_str_add_n(&s, "micro\0\0\0", 8);
	initrd_start(&s);
	add_cpio(&s, ".extra", 0555, 0444, &osrel, 1);
	chain_is(p, 9, 1, s.p, s.len);
	assay_str_clear(&s);
	peb_free(&uki);
}

/* The order of PCR 12 and 13, sorted names, and what is passed over. */
static void sidecars(const char *stub, bool confext)
{
	ASSAY_AUTO(assay_prediction) *p = NULL;
	const struct assay_cpio_file creds[] = { { "B.CRED", "bb", 2 }, { "a.cred", "a", 1 } };
	const struct assay_cpio_file global[] = { { "g.cred", "", 0 } };
	const struct assay_cpio_file exts[] = { { "c.confext.raw", "conf", 4 },
						{ "s.raw", "sys", 3 } };
	struct assay_str s = { 0 }, one = { 0 };
	struct peb uki;

	build_uki(&uki, stub, BUILD_DEBIAN_6_12, "a");
#define EXTRA BOOT ".extra.d/"
	const struct disk_file files[] = {
		CHAIN_FILE(BOOT, uki),
		CHAIN_TEXT(EXTRA "s.raw", "sys"),
		CHAIN_TEXT(EXTRA "c.confext.raw", "conf"),
		CHAIN_TEXT(EXTRA "a.cred", "a"),
		CHAIN_TEXT(EXTRA "B.CRED", "bb"),
		CHAIN_TEXT(EXTRA ".hidden.cred", "no"),
		CHAIN_TEXT(EXTRA "\xe9.cred", "no"),
		CHAIN_TEXT(EXTRA "note.txt", "no"),
		CHAIN_TEXT(EXTRA "dir.cred/x", "no"),
		CHAIN_TEXT("/loader/credentials/g.cred", ""),
	};
	p = chain_ok(&plain, files, CHAIN_N(files));
	initrd_start(&s);
	add_cpio(&one, ".extra/credentials", 0500, 0400, creds, 2);
	chain_is(p, 12, 0, one.p, one.len);
	assay_str_add_n(&s, one.p, one.len);
	assay_str_clear(&one);
	add_cpio(&one, ".extra/global_credentials", 0500, 0400, global, 1);
	chain_is(p, 12, 1, one.p, one.len);
	assay_str_add_n(&s, one.p, one.len);
	assay_str_clear(&one);
	add_cpio(&one, ".extra/sysext", 0555, 0444, confext ? exts + 1 : exts, confext ? 1 : 2);
	chain_is(p, 13, 0, one.p, one.len);
	assay_str_add_n(&s, one.p, one.len);
	assay_str_clear(&one);
	if (confext) {
		const struct assay_cpio_file osrel = { "os-release", OSREL, strlen(OSREL) };

		add_cpio(&one, ".extra/confext", 0555, 0444, exts, 1);
		chain_is(p, 12, 2, one.p, one.len);
		assay_str_add_n(&s, one.p, one.len);
		assay_str_clear(&one);
		add_cpio(&s, ".extra", 0555, 0444, &osrel, 1);
	}
	assert_int_equal(chain_count(p, 12), confext ? 3 : 2);
	assert_int_equal(chain_count(p, 13), 1);
	chain_is(p, 9, 1, s.p, s.len);
	assay_str_clear(&s);
	peb_free(&uki);
}

static void test_sidecars(void **state)
{
	(void)state;
	sidecars(STUB_252, false);
	sidecars(STUB_257, true);
}

static void test_no_sidecars(void **state)
{
	ASSAY_AUTO(assay_prediction) *p = NULL;
	struct peb uki;

	(void)state;
	build_uki(&uki, STUB_257, BUILD_DEBIAN_6_12, "a");
	const struct disk_file files[] = { CHAIN_FILE(BOOT, uki),
					   { EXTRA, NULL, 0 },
					   { "/loader/addons/", NULL, 0 } };
	p = chain_ok(&plain, files, CHAIN_N(files));
	assert_int_equal(chain_count(p, 12) + chain_count(p, 13), 0);
	peb_free(&uki);
}

static void test_plain_name(void **state)
{
	static const char *const cases[][2] = {
		{ "/EFI/Linux/a+3-1.efi", "/EFI/Linux/a.efi" },
		{ "/EFI/Linux/a+3.efi", "/EFI/Linux/a.efi" },
		{ "/EFI/Linux/a+3", "/EFI/Linux/a" },
		{ "/EFI/Linux/a+x.efi", "/EFI/Linux/a+x.efi" },
		{ "/EFI/Linux/a+.efi", "/EFI/Linux/a+.efi" },
		{ "/EFI/Linux/a+3-.efi", "/EFI/Linux/a+3-.efi" },
		{ "/EFI/Linux/a+3-x.efi", "/EFI/Linux/a+3-x.efi" },
		/* The first '+' decides, a folder's included. */
		{ "/EFI/Linux/a+1+3.efi", "/EFI/Linux/a+1+3.efi" },
		{ "/E+FI/a+3.efi", "/E+FI/a+3.efi" },
		{ "/E+2.x/a+3.efi", "/E.x/a+3.efi" },
		{ "/a+18446744073709551615.efi", "/a.efi" },
		{ "/a+18446744073709551616.efi", "/a+18446744073709551616.efi" },
		{ "/a.efi", "/a.efi" },
	};

	(void)state;
	for (size_t i = 0; i < CHAIN_N(cases); i++) {
		ASSAY_AUTO_FREE char *name = assay_stub_plain_name(cases[i][0]);

		assert_string_equal(name, cases[i][1]);
	}
}

static void test_sections(void **state)
{
	static const struct {
		const char *stub;
		const char *names[14];
	} cases[] = {
		{ STUB_252,
		  { ".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb", ".pcrpkey" } },
		{ STUB_257,
		  { ".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb",
		    ".uname", ".sbat", ".pcrpkey" } },
	};

	(void)state;
	for (size_t i = 0; i < CHAIN_N(cases); i++) {
		ASSAY_AUTO(assay_prediction) *p = NULL;
		struct peb uki;
		size_t n = 0;

		build_uki(&uki, cases[i].stub, BUILD_DEBIAN_6_12, "a");
		peb_text(&uki, ".pcrsig", "sig");
		peb_text(&uki, ".pcrpkey", "pkey");
		peb_text(&uki, ".sbat", "sbat,1,x,sbat,1,x\n");
		peb_text(&uki, ".uname", "6.12");
		peb_text(&uki, ".dtb", "dtb");
		peb_text(&uki, ".splash", "splash");
		peb_text(&uki, ".ucode", "ucode");
		peb_text(&uki, ".other", "other");
		peb_section(&uki, ".empty", "", 0);
		const struct disk_file files[] = { CHAIN_FILE(BOOT, uki) };
		p = chain_ok(&plain, files, 1);
		for (; cases[i].names[n]; n++)
			chain_is(p, 11, 2 * n, cases[i].names[n], strlen(cases[i].names[n]) + 1);
		assert_int_equal(chain_count(p, 11), 2 * n);
		chain_is(p, 11, 3, OSREL, strlen(OSREL));
		assert_int_equal(p->n_phases, 6);
		assert_string_equal(p->phases[1].name, "enter-initrd:leave-initrd");
		peb_free(&uki);
	}
}

/* What a UKI is refused for, by the section that is in it. */
static void test_refused_sections(void **state)
{
	static const struct {
		const char *stub, *section, *words;
	} cases[] = {
		{ STUB_257, ".dtbauto", ".dtbauto" },
		{ STUB_257, ".hwids", ".hwids" },
		{ STUB_257, ".efifw", ".efifw" },
		{ STUB_252, ".profile", "which knows none" },
		{ STUB_252, ".linuxes", "takes for .linux" },
		{ STUB_252, ".dtb2", "takes for .dtb" },
		{ STUB_257, ".osrel", "stands twice" },
		{ "systemd-stub 300.1", NULL, "nobody has looked at what systemd-stub 300.1" },
		{ "systemd-stub 258", NULL, "nobody has looked at what systemd-stub 258" },
		{ "something else", NULL, "(no version)" },
	};

	(void)state;
	for (size_t i = 0; i < CHAIN_N(cases); i++) {
		struct peb uki;

		build_uki(&uki, cases[i].stub, BUILD_DEBIAN_6_12, "a");
		if (cases[i].section)
			peb_text(&uki, cases[i].section, "x");
		const struct disk_file files[] = { CHAIN_FILE(BOOT, uki) };
		chain_refused(&plain, files, 1, cases[i].words);
		assert_int_equal(run_err.code, i == 6 ? ASSAY_E_CORRUPT : ASSAY_E_UNSUPPORTED);
		peb_free(&uki);
	}
}

static void test_assume(void **state)
{
	ASSAY_AUTO(assay_prediction) *p = NULL;
	struct chain_run r = { .options = { .assume_stub = "257" } };
	struct peb uki;

	(void)state;
	build_uki(&uki, "systemd-stub 258.1", BUILD_DEBIAN_6_12, " a");
	const struct disk_file files[] = { CHAIN_FILE(BOOT, uki) };
	p = chain_ok(&r, files, 1);
	chain_is_utf16(p, 9, 0, "a");
	r.options.assume_stub = "256";
	chain_refused(&r, files, 1, "neither is the version '256'");
	peb_free(&uki);
	r.options.assume_stub = "257";
	build_uki(&uki, "systemd-stub 259", BUILD_DEBIAN_6_12, "a");
	const struct disk_file secret[] = { CHAIN_FILE(BOOT, uki) };
	chain_refused(&r, secret, 1, "boot secret");
	peb_free(&uki);
}

static void test_addons(void **state)
{
	static const char *const places[] = { EXTRA "x.addon.efi", "/loader/addons/y.ADDON.EFI" };
	struct peb old, new;

	(void)state;
	build_uki(&old, STUB_252, BUILD_DEBIAN_6_12, "a");
	build_uki(&new, STUB_257, BUILD_DEBIAN_6_12, "a");
	for (size_t i = 0; i < 2; i++) {
		ASSAY_AUTO(assay_prediction) *p = NULL;
		const struct disk_file files[] = { CHAIN_FILE(BOOT, new), { places[i], "x", 1 } };
		const struct disk_file before[] = { CHAIN_FILE(BOOT, old), { places[i], "x", 1 } };

		chain_refused(&plain, files, 2, "addons beside a UKI");
		p = chain_ok(&plain, before, 2); /* which knows none */
	}
	peb_free(&old);
	peb_free(&new);
}

/* An unknown kernel costs PCR 9 and 10 their values, and nothing else. */
static void test_unknown_kernel(void **state)
{
	ASSAY_AUTO(assay_prediction) *p = NULL;
	struct chain_run r = { 0 };
	struct peb uki;

	(void)state;
	build_uki(&uki, STUB_257, "9.9.9 (x@y) #1", "a");
	const struct disk_file files[] = { CHAIN_FILE(BOOT, uki) };
	p = chain_ok(&r, files, 1);
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
		bool lost = i == 9 || i == 10;

		assert_int_equal(p->pcr[i].n, lost ? 0 : 1);
		if (lost) {
			assert_int_equal(p->pcr[i].status, ASSAY_PCR_UNPREDICTABLE);
			assert_non_null(p->pcr[i].reason);
		}
	}
	assert_non_null(strstr(p->pcr[9].reason, "9.9.9"));
	assay_prediction_free(&p);
	r.options.assume_kernel = "6.12";
	p = chain_ok(&r, files, 1);
	assert_int_equal(p->pcr[9].n, 1);
	/* Whose configuration nobody knows. */
	assert_int_equal(p->pcr[10].status, ASSAY_PCR_UNPREDICTABLE);
	peb_free(&uki);
}

static void test_inner_kernel(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *words;
	} cases[] = {
		{ PEB_OPT + 44, 0, "image version 0" },
		{ PEB_OPT + 68, 11, "subsystem 11" },
		{ PEB_LFANEW + 4, 0x4c, "machine 0x864c" },
		{ 4, 'z', "zboot" },
	};

	(void)state;
	for (size_t i = 0; i < CHAIN_N(cases); i++) {
		struct peb uki, kernel;

		build_kernel(&kernel, BUILD_DEBIAN_6_12);
		kernel.p[cases[i].at] = cases[i].value;
		if (cases[i].at == 4)
			memcpy(kernel.p + 4, "zimg", 4);
		build_systemd(&uki, STUB_257);
		peb_section(&uki, ".linux", kernel.p, kernel.len);
		const struct disk_file files[] = { CHAIN_FILE(BOOT, uki) };
		chain_refused(&plain, files, 1, cases[i].words);
		peb_free(&uki);
		peb_free(&kernel);
	}
}

static void test_outer(void **state)
{
	struct peb uki;

	(void)state;
	build_uki(&uki, STUB_257, BUILD_DEBIAN_6_12, "a");
	assay_put_le16(uki.p + PEB_OPT + 68, 11);
	const struct disk_file files[] = { CHAIN_FILE(BOOT, uki) };
	chain_refused(&plain, files, 1, "not an EFI application (subsystem 11)");
	assay_put_le16(uki.p + PEB_OPT + 68, 10);
	assay_put_le16(uki.p + PEB_LFANEW + 4, 0xaa64);
	chain_refused(&plain, files, 1, "machine 0xaa64");
	peb_free(&uki);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mangling),	 cmocka_unit_test(test_cmdline_refused),
		cmocka_unit_test(test_noinitrd),	 cmocka_unit_test(test_handed_over),
		cmocka_unit_test(test_sidecars),	 cmocka_unit_test(test_no_sidecars),
		cmocka_unit_test(test_plain_name),	 cmocka_unit_test(test_sections),
		cmocka_unit_test(test_refused_sections), cmocka_unit_test(test_assume),
		cmocka_unit_test(test_addons),		 cmocka_unit_test(test_unknown_kernel),
		cmocka_unit_test(test_inner_kernel),	 cmocka_unit_test(test_outer),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
