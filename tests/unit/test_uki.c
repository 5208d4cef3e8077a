/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "core/limits.h"
#include "measure/pe/uki_memo.h"
#include "tests/unit/pe_build.h"

struct file {
	struct peb b;
	struct assay_src *src;
	struct assay_pe *pe;
};

/* Takes the builder over. */
static void open_file(struct file *f, struct peb *b)
{
	struct assay_err err;

	f->b = *b;
	assert_int_equal(assay_src_from_mem(f->b.p, f->b.len, &f->src, &err), 0);
	if (assay_pe_open(f->src, &f->pe, &err) < 0)
		fail_msg("%s", err.msg);
}

static void close_file(struct file *f)
{
	assay_pe_free(&f->pe);
	assay_src_free(&f->src);
	peb_free(&f->b);
}

/* --- what a file is -----------------------------------------------------------------------------
 */

struct look {
	enum assay_efi_kind kind;
	const char *magic, *version;
	unsigned major;
};

static void looks(struct peb *b, struct look want)
{
	struct file f;
	struct assay_efi_info info;
	struct assay_err err;

	open_file(&f, b);
	if (assay_efi_identify(f.pe, &info, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(assay_efi_kind_name(info.kind), assay_efi_kind_name(want.kind));
	if (want.magic)
		assert_string_equal(info.magic, want.magic);
	else
		assert_null(info.magic);
	if (want.version)
		assert_string_equal(info.version, want.version);
	else
		assert_null(info.version);
	assert_int_equal(info.major, want.major);
	assay_efi_info_clear(&info);
	close_file(&f);
}

static struct peb file_of(const char *const sections[][2])
{
	struct peb b;

	peb_start(&b, true, 16, 16);
	peb_text(&b, ".text", "code");
	for (size_t i = 0; sections[i][0]; i++)
		peb_text(&b, sections[i][0], sections[i][1]);
	return b;
}
#define FILE_OF(...) file_of((const char *const[][2]){ __VA_ARGS__, { NULL, NULL } })

#define SBAT1 "sbat,1,SBAT Version,sbat,1,https://x\n"

static void kinds(void **state)
{
	struct peb b;

	(void)state;
	b = FILE_OF({ ".sdmagic", "#### LoaderInfo: systemd-stub 257.9-1~deb13u1 ####" },
		    { ".linux", "k" });
	looks(&b, (struct look){ ASSAY_EFI_UKI, "systemd-stub 257.9-1~deb13u1", "257.9-1~deb13u1",
				 257 });
	b = FILE_OF({ ".sbat", SBAT1 "systemd-stub,1,The systemd Developers,systemd,258,u\n" },
		    { ".linux", "k" });
	looks(&b, (struct look){ ASSAY_EFI_UKI, NULL, "258", 258 });
	b = FILE_OF({ ".sbat", SBAT1 "systemd-stub,1,d,systemd,258,u\n"
				     "systemd-stub.arch,1,Arch,systemd,258.1-1,u\n" },
		    { ".linux", "k" });
	looks(&b, (struct look){ ASSAY_EFI_UKI, NULL, "258.1-1", 258 });
	b = FILE_OF({ ".sbat", SBAT1 "systemd,1,d,systemd,252,u\n"
				     "systemd.debian,1,Debian,systemd,252.39-1~deb12u2,u\n" },
		    { ".linux", "k" });
	looks(&b, (struct look){ ASSAY_EFI_UKI, NULL, "252.39-1~deb12u2", 252 });
	b = FILE_OF({ ".sdmagic", "#### LoaderInfo: other-stub 9 ####" },
		    { ".sbat", SBAT1 "systemd-stub,1,d,systemd,258,u\n" }, { ".linux", "k" });
	looks(&b, (struct look){ ASSAY_EFI_UKI, "other-stub 9", NULL, 0 });
	b = FILE_OF({ ".linux", "k" });
	looks(&b, (struct look){ ASSAY_EFI_UKI, NULL, NULL, 0 });
	b = FILE_OF({ ".linux", "k" }, { ".sdmagic", "#### LoaderInfo: systemd-stub v260 ####" });
	looks(&b, (struct look){ ASSAY_EFI_UKI, "systemd-stub v260", "v260", 260 });
	b = FILE_OF({ ".linux", "k" }, { ".sdmagic", "#### LoaderInfo: systemd-stub 260" });
	looks(&b, (struct look){ ASSAY_EFI_UKI, NULL, NULL, 0 });
	b = FILE_OF({ ".linux", "k" }, { ".sbat", "not CSV" });
	looks(&b, (struct look){ ASSAY_EFI_UKI, NULL, NULL, 0 });

	b = FILE_OF({ ".sdmagic", "#### LoaderInfo: systemd-boot 252.39-1~deb12u2 ####" });
	looks(&b, (struct look){ ASSAY_EFI_SDBOOT, "systemd-boot 252.39-1~deb12u2",
				 "252.39-1~deb12u2", 252 });
	b = FILE_OF({ ".sbat", SBAT1 "systemd-boot,1,d,systemd,257,u\n" });
	looks(&b, (struct look){ ASSAY_EFI_SDBOOT, NULL, "257", 257 });
	b = FILE_OF({ ".sdmagic", "#### LoaderInfo: systemd-addon 257 ####" }, { ".cmdline", "x" });
	looks(&b, (struct look){ ASSAY_EFI_ADDON, "systemd-addon 257", "257", 257 });
	b = FILE_OF({ ".cmdline", "x" });
	looks(&b, (struct look){ ASSAY_EFI_ADDON, NULL, NULL, 0 });
	b = FILE_OF({ ".sdmagic", "#### LoaderInfo: systemd-stub 257 ####" });
	looks(&b, (struct look){ ASSAY_EFI_OTHER, "systemd-stub 257", "257", 257 });

	b = FILE_OF({ ".sbat", SBAT1 "shim,4,UEFI shim,shim,1,u\nshim.debian,1,D,shim,16.1,u\n" },
		    { ".vendor_cert", "c" });
	looks(&b, (struct look){ ASSAY_EFI_SHIM, NULL, "16.1", 16 });
	b = FILE_OF({ ".sbat", SBAT1 "shim,4,UEFI shim,shim,1,u\nshim.debian,1,D,shim,16.1,u\n" });
	looks(&b, (struct look){ ASSAY_EFI_OTHER, NULL, NULL, 0 });
	b = FILE_OF({ ".sbat", SBAT1 "grub,5,FSF,grub,2.12,u\n" });
	looks(&b, (struct look){ ASSAY_EFI_GRUB, NULL, "2.12", 2 });
	b = FILE_OF({ "mods", "m" });
	looks(&b, (struct look){ ASSAY_EFI_GRUB, NULL, NULL, 0 });
	b = FILE_OF({ ".data", "d" });
	looks(&b, (struct look){ ASSAY_EFI_OTHER, NULL, NULL, 0 });
}

/* --- kernels ------------------------------------------------------------------------------------
 */

static struct peb kernel(uint16_t pointer, uint8_t setup_sects, const char *version)
{
	struct peb b;

	peb_start(&b, true, 5, 8); /* its section table ends before 0x1f1 */
	assert_true(b.table + 2 * 40 < 0x1f1);
	peb_grow(&b, 0x1000);
	b.headers = 0x1000;
	assay_put_le32(b.p + PEB_OPT + 60, 0x1000);
	b.p[0x1f1] = setup_sects;
	memcpy(b.p + 0x202, "HdrS", 4);
	assay_put_le16(b.p + 0x206, 0x020f);
	assay_put_le16(b.p + 0x20e, pointer);
	if (version)
		strcpy((char *)b.p + pointer + 0x200, version);
	peb_fill(&b, ".text", 5000, 3);
	return b;
}

static void kernel_gives(struct peb *b, const char *want, enum assay_code code)
{
	struct file f;
	struct assay_err err = { 0 };
	char *version = NULL;
	bool is = false;

	open_file(&f, b);
	assert_int_equal(assay_linux_detect(f.src, &is, &err), 0);
	assert_true(is);
	if (code == ASSAY_OK) {
		assert_int_equal(assay_linux_version(f.src, &version, &err), 0);
		if (want)
			assert_string_equal(version, want);
		else
			assert_null(version);
	} else {
		assert_int_equal(assay_linux_version(f.src, &version, &err), -1);
		assert_int_equal(err.code, code);
		assert_null(version);
	}
	free(version);
	close_file(&f);
}

static void kernels(void **state)
{
	char text[ASSAY_LINUX_VERSION_MAX + 1];
	struct peb b;

	(void)state;
	b = kernel(0x300, 7, "6.12.48 (x@y) #1 SMP");
	kernel_gives(&b, "6.12.48 (x@y) #1 SMP", ASSAY_OK);
	b = kernel(0, 7, NULL);
	kernel_gives(&b, NULL, ASSAY_OK);
	b = kernel(0x300, 7, "6.12.48");
	assay_put_le16(b.p + 0x206, 0x01ff);
	kernel_gives(&b, NULL, ASSAY_OK);
	/* 3 sectors of setup code end at 0x800: the pointer 0x600 is just past, 0 means 4 of them.
	 */
	b = kernel(0x600, 3, "6");
	kernel_gives(&b, NULL, ASSAY_E_CORRUPT);
	b = kernel(0x5fe, 3, "6");
	kernel_gives(&b, "6", ASSAY_OK);
	b = kernel(0x600, 0, "6");
	kernel_gives(&b, "6", ASSAY_OK);
	b = kernel(0xff00, 255, NULL);
	kernel_gives(&b, NULL, ASSAY_E_CORRUPT);
	memset(text, 'v', sizeof(text));
	text[ASSAY_LINUX_VERSION_MAX - 1] = '\0';
	b = kernel(0x300, 15, text);
	kernel_gives(&b, text, ASSAY_OK);
	text[ASSAY_LINUX_VERSION_MAX - 1] = 'v';
	text[ASSAY_LINUX_VERSION_MAX] = '\0';
	b = kernel(0x300, 15, text);
	kernel_gives(&b, NULL, ASSAY_E_CORRUPT);

	b = FILE_OF({ ".data", "d" });
	memcpy(b.p + 0x38, "ARM\x64", 4);
	kernel_gives(&b, NULL, ASSAY_OK);
	b = kernel(0x300, 7, "6.12.48 (x@y)");
	looks(&b, (struct look){ ASSAY_EFI_LINUX, NULL, NULL, 0 });
}

static void short_kernels(void **state)
{
	struct peb b = kernel(0x300, 7, "6.12.48");

	(void)state;
	for (size_t len = 0; len < 0x600; len++) {
		uint8_t *copy = malloc(len ? len : 1);
		struct assay_src *src;
		struct assay_err err;
		char *version = NULL;
		bool is;

		assert_non_null(copy);
		memcpy(copy, b.p, len);
		assert_int_equal(assay_src_from_mem(copy, len, &src, &err), 0);
		assert_int_equal(assay_linux_detect(src, &is, &err), 0);
		assert_int_equal(is, len >= 0x206);
		if (assay_linux_version(src, &version, &err) == 0 && len > 0x507)
			assert_string_equal(version, "6.12.48");
		else if (len >= 0x210 && len <= 0x507)
			assert_null(version);
		free(version);
		assay_src_free(&src);
		free(copy);
	}
	peb_free(&b);
}

/* --- views --------------------------------------------------------------------------------------
 */

/* The text of a section, or NULL. */
static void has(const struct file *f, const struct assay_uki_view *v, enum assay_uki_section s,
		const char *want)
{
	if (!want) {
		assert_null(v->s[s]);
		return;
	}
	assert_non_null(v->s[s]);
	assert_memory_equal(f->b.p + v->s[s]->raw_offset, want, strlen(want) + 1);
}

static void view_of(struct peb *b, size_t profile, struct file *f, struct assay_uki_view *v)
{
	struct assay_err err;

	open_file(f, b);
	if (assay_uki_view(f->pe, profile, v, &err) < 0)
		fail_msg("%s", err.msg);
}

static void names(void **state)
{
	/* systemd's enum UnifiedSection in v258 (src/fundamental/uki.h). */
	static const char *const order[] = { ".linux",	 ".osrel",  ".cmdline", ".initrd",
					     ".ucode",	 ".splash", ".dtb",	".uname",
					     ".sbat",	 ".pcrsig", ".pcrpkey", ".profile",
					     ".dtbauto", ".hwids",  ".efifw" };

	(void)state;
	assert_int_equal(sizeof(order) / sizeof(*order), ASSAY_UKI_N_SECTIONS);
	for (unsigned i = 0; i < ASSAY_UKI_N_SECTIONS; i++)
		assert_string_equal(assay_uki_section_name(i), order[i]);
	assert_null(assay_uki_section_name(ASSAY_UKI_N_SECTIONS));
}

static void plain_view(void **state)
{
	struct peb b = FILE_OF({ ".linux", "k" }, { ".cmdline", "c" }, { ".dtbauto", "d1" },
			       { ".dtbauto", "d2" }, { ".osrel", "" });
	struct assay_uki_view v;
	struct assay_err err;
	struct file f;

	(void)state;
	view_of(&b, 0, &f, &v);
	has(&f, &v, ASSAY_UKI_LINUX, "k");
	has(&f, &v, ASSAY_UKI_CMDLINE, "c");
	has(&f, &v, ASSAY_UKI_INITRD, NULL);
	has(&f, &v, ASSAY_UKI_OSREL, NULL); /* empty is absent */
	has(&f, &v, ASSAY_UKI_DTBAUTO, "d1");
	assert_int_equal(v.n_dtbauto, 2);
	assert_int_equal(v.n_efifw, 0);
	assert_int_equal(assay_uki_view(f.pe, 1, &v, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
	close_file(&f);
}

static void profiles(void **state)
{
	static const struct {
		const char *cmdline, *profile, *uname;
	} want[] = { { "one", "ID=1", "u" }, { "base", "ID=2", "u" }, { NULL, "ID=3", "u3" } };
	struct assay_err err;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct peb b =
			FILE_OF({ ".linux", "k" }, { ".cmdline", "base" }, { ".uname", "u" },
				{ ".profile", "ID=1" }, { ".cmdline", "one" },
				{ ".profile", "ID=2" }, { ".efifw", "f" }, { ".profile", "ID=3" },
				{ ".cmdline", "" }, { ".uname", "u3" });
		struct assay_uki_view v;
		struct file f;

		if (i == 3) {
			open_file(&f, &b);
			assert_int_equal(assay_uki_view(f.pe, i, &v, &err), -1);
			assert_int_equal(err.code, ASSAY_E_NOTFOUND);
			close_file(&f);
			break;
		}
		view_of(&b, i, &f, &v);
		has(&f, &v, ASSAY_UKI_LINUX, "k");
		has(&f, &v, ASSAY_UKI_CMDLINE, want[i].cmdline);
		has(&f, &v, ASSAY_UKI_PROFILE, want[i].profile);
		has(&f, &v, ASSAY_UKI_UNAME, want[i].uname);
		assert_int_equal(v.n_efifw, i == 1);
		close_file(&f);
	}
}

static void twice(void **state)
{
	struct peb b = FILE_OF({ ".linux", "k" }, { ".cmdline", "1" }, { ".cmdline", "2" });
	struct assay_uki_view v;
	struct assay_err err;
	struct file f;

	(void)state;
	open_file(&f, &b);
	assert_int_equal(assay_uki_view(f.pe, 0, &v, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	assert_int_equal(err.at, f.pe->sections[3].raw_offset);
	assert_non_null(strstr(err.msg, ".cmdline stands twice"));
	close_file(&f);

	b = FILE_OF({ ".linux", "k" }, { ".profile", "1" }, { ".uname", "1" }, { ".uname", "2" });
	open_file(&f, &b);
	assert_int_equal(assay_uki_view(f.pe, 0, &v, &err), -1);
	assert_non_null(strstr(err.msg, "profile 0: "));
	close_file(&f);
}

static void profile_ceiling(void **state)
{
	(void)state;
	for (int more = -1; more <= 1; more++) {
		const unsigned n = (unsigned)(ASSAY_UKI_MAX_PROFILES + more);
		struct peb b;
		struct assay_uki_view v;
		struct assay_err err;
		struct file f;

		peb_start(&b, true, 16, n);
		for (unsigned i = 0; i < n; i++)
			peb_row(&b, ".profile", 4, 0, 0);
		open_file(&f, &b);
		assert_int_equal(assay_uki_view(f.pe, n - 1, &v, &err), more <= 0 ? 0 : -1);
		if (more > 0)
			assert_int_equal(err.code, ASSAY_E_LIMIT);
		close_file(&f);
	}
}

/* --- digests ------------------------------------------------------------------------------------
 */

static void digest_is(const struct assay_digests *d, unsigned banks, const void *p, size_t len)
{
	struct assay_digests want;
	struct assay_err err;

	assert_int_equal(assay_digest_mem(banks, p, len, &want, &err), 0);
	assert_true(assay_digests_equal(d, &want));
}

/* A UKI whose .linux is a PE file of its own, followed by padding. */
static struct peb uki(struct peb *inner)
{
	struct peb b;

	peb_start(&b, true, 5, 8);
	peb_start(inner, true, 6, 4);
	peb_fill(inner, ".text", 3000, 9);
	peb_tail(inner, 77, 4);
	peb_section(&b, ".linux", inner->p, inner->len);
	peb_text(&b, ".cmdline", "console=ttyS0");
	peb_text(&b, ".initrd", "an initrd, more or less");
	peb_text(&b, ".osrel", "ID=test\n");
	assay_put_le32(peb_header(&b, 3) + 8, 600); /* zeros beyond what the file has */
	return b;
}

static void hashes(void **state)
{
	const unsigned banks = ASSAY_ALL_BANKS;
	struct peb inner, b = uki(&inner);
	struct assay_digests authenticode, sections[2], inner_digest;
	struct assay_uki_hashes h;
	struct assay_uki_view v;
	struct assay_err err;
	struct file f, k;
	uint8_t osrel[600] = "ID=test\n";

	(void)state;
	view_of(&b, 0, &f, &v);
	assert_int_equal(assay_uki_hash(f.pe, &v, banks, true, true, ", and a tail", 12, &h, &err),
			 0);
	assert_int_equal(assay_authenticode(f.pe, banks, &authenticode, &err), 0);
	assert_true(assay_digests_equal(&h.authenticode, &authenticode));
	digest_is(&h.section[ASSAY_UKI_LINUX], banks, inner.p, inner.len);
	digest_is(&h.section[ASSAY_UKI_CMDLINE], banks, "console=ttyS0", 13);
	digest_is(&h.section[ASSAY_UKI_INITRD], banks, "an initrd, more or less", 23);
	digest_is(&h.initrd_tail, banks, "an initrd, more or less, and a tail", 35);
	digest_is(&h.section[ASSAY_UKI_OSREL], banks, osrel, sizeof(osrel));
	assert_int_equal(h.section[ASSAY_UKI_UNAME].banks, 0);

	open_file(&k, &inner);
	assert_int_equal(assay_authenticode(k.pe, banks, &inner_digest, &err), 0);
	assert_true(assay_digests_equal(&h.inner, &inner_digest));
	close_file(&k);

	/* What is kept answers the same question, and no other. */
	{
		static const struct {
			const char *path, *tail;
			unsigned banks;
			bool inner, without_osrel;
		} asks[] = {
			{ "/a", "tail", ASSAY_ALL_BANKS, true, false }, { "/b", "tail", ASSAY_ALL_BANKS, true, false },
			{ "/a", "liat", ASSAY_ALL_BANKS, true, false }, { "/a", NULL, ASSAY_ALL_BANKS, true, false },
			{ "/a", "", ASSAY_ALL_BANKS, true, false },	{ "/a", "tail", 2, true, false },
			{ "/a", "tail", ASSAY_ALL_BANKS, false, false }, { "/a", "tail", ASSAY_ALL_BANKS, true, true },
		};
		const size_t n = sizeof(asks) / sizeof(asks[0]);
		ASSAY_AUTO(assay_uki_memo) *memo = NULL;

		for (size_t i = 0; i < 20 * n; i++) {
			const char *tail = asks[i % n].tail;
			const size_t len = tail ? strlen(tail) : 0;
			struct assay_uki_view some = v;
			struct assay_uki_hashes kept, fresh;

			if (asks[i % n].without_osrel)
				some.s[ASSAY_UKI_OSREL] = NULL;
			memset(&kept, 1, sizeof(kept));
			assert_int_equal(assay_uki_memo_hash(&memo, asks[i % n].path, f.pe, &some, asks[i % n].banks,
							     asks[i % n].inner, tail != NULL, tail, len, &kept, &err),
					 0);
			assert_int_equal(assay_uki_hash(f.pe, &some, asks[i % n].banks, asks[i % n].inner, tail != NULL,
							tail, len, &fresh, &err),
					 0);
			assert_memory_equal(&kept, &fresh, sizeof(kept));
		}
		/* More than it keeps. */
		for (size_t i = 0; i < 2 * ASSAY_UKI_MEMO_MAX; i++) {
			struct assay_uki_hashes kept, fresh;
			char tail[8];

			snprintf(tail, sizeof(tail), "%zu", i % (ASSAY_UKI_MEMO_MAX + 8));
			assert_int_equal(assay_uki_memo_hash(&memo, "/c", f.pe, &v, 1, false, true, tail, strlen(tail), &kept, &err), 0);
			assert_int_equal(assay_uki_hash(f.pe, &v, 1, false, true, tail, strlen(tail), &fresh, &err), 0);
			assert_memory_equal(&kept, &fresh, sizeof(kept));
		}
	}

	/* Nothing that was not asked for. */
	assert_int_equal(assay_uki_hash(f.pe, &v, ASSAY_BANK_BIT(ASSAY_SHA1), false, false, NULL, 0,
					&h, &err),
			 0);
	assert_int_equal(h.inner.banks, 0);
	assert_int_equal(h.initrd_tail.banks, 0);
	assert_int_equal(h.authenticode.banks, ASSAY_BANK_BIT(ASSAY_SHA1));

	/* No initrd of its own: the tail alone is handed over. */
	v.s[ASSAY_UKI_INITRD] = NULL;
	assert_int_equal(assay_uki_hash(f.pe, &v, banks, false, true, "tail", 4, &h, &err), 0);
	digest_is(&h.initrd_tail, banks, "tail", 4);
	assert_int_equal(h.section[ASSAY_UKI_INITRD].banks, 0);

	const struct assay_pe_section *list[] = { &f.pe->sections[2], &f.pe->sections[1] };
	assert_int_equal(assay_pe_hash(f.pe, banks, list, 2, &authenticode, sections, &err), 0);
	digest_is(&sections[0], banks, "an initrd, more or less", 23);
	digest_is(&sections[1], banks, "console=ttyS0", 13);
	assert_int_equal(assay_pe_hash(f.pe, banks, NULL, 0, &authenticode, NULL, &err), 0);
	close_file(&f);
}

static void inner_refused(void **state)
{
	struct peb inner, b = uki(&inner);
	struct assay_uki_hashes h;
	struct assay_uki_view v;
	struct assay_err err;
	struct file f;

	(void)state;
	/* More in memory than in the file: what LoadImage() would get is not in the file. */
	assay_put_le32(peb_header(&b, 0) + 8, 100000);
	view_of(&b, 0, &f, &v);
	assert_int_equal(assay_uki_hash(f.pe, &v, 1, true, false, NULL, 0, &h, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	assert_int_equal(assay_uki_hash(f.pe, &v, 1, false, false, NULL, 0, &h, &err), 0);
	v.s[ASSAY_UKI_LINUX] = NULL;
	assert_int_equal(assay_uki_hash(f.pe, &v, 1, true, false, NULL, 0, &h, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
	close_file(&f);
	peb_free(&inner);

	b = FILE_OF({ ".linux",
		      "No PE file, and long enough for a DOS header, which has 64 bytes in all" });
	view_of(&b, 0, &f, &v);
	assert_int_equal(assay_uki_hash(f.pe, &v, 1, true, false, NULL, 0, &h, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	assert_non_null(strstr(err.msg, "section .linux: "));
	assert_int_equal(err.at, f.pe->sections[1].raw_offset);
	close_file(&f);
}

static void zeros_ceiling(void **state)
{
	(void)state;
	for (int more = -1; more <= 1; more++) {
		struct peb b;
		struct assay_uki_hashes h;
		struct assay_uki_view v;
		struct assay_err err;
		struct file f;

		peb_start(&b, true, 16, 4);
		peb_text(&b, ".cmdline", "x");
		assay_put_le32(peb_header(&b, 0) + 8, ASSAY_PE_MAX_ZEROS + 512 + (uint32_t)more);
		view_of(&b, 0, &f, &v);
		assert_int_equal(assay_uki_hash(f.pe, &v, ASSAY_BANK_BIT(ASSAY_SHA256), false,
						false, NULL, 0, &h, &err),
				 more <= 0 ? 0 : -1);
		if (more > 0)
			assert_int_equal(err.code, ASSAY_E_LIMIT);
		close_file(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),	 cmocka_unit_test(kernels),
		cmocka_unit_test(short_kernels), cmocka_unit_test(names),
		cmocka_unit_test(plain_view),	 cmocka_unit_test(profiles),
		cmocka_unit_test(twice),	 cmocka_unit_test(profile_ceiling),
		cmocka_unit_test(hashes),	 cmocka_unit_test(inner_refused),
		cmocka_unit_test(zeros_ceiling),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("uki", tests, NULL, NULL);
}
