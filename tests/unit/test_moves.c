/* SPDX-License-Identifier: Apache-2.0 */
/* One byte of a disk is changed: exactly the PCRs that cover it move, in every bank. */
#include "tests/unit/chain_run.h"

#define BOOT "/EFI/BOOT/BOOTX64.EFI"

static const struct chain_run plain = { 0 };

static struct assay_prediction *predict(uint8_t *disk, size_t len)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_image) *image = NULL;
	ASSAY_AUTO(assay_platform) *platform = NULL;
	struct assay_prediction *p = NULL;

	if (assay_platform_parse(build_platform, strlen(build_platform), &platform, &run_err) < 0 ||
	    assay_src_from_mem(disk, len, &src, &run_err) < 0 ||
	    assay_image_open(src, "d", &image, &run_err) < 0 ||
	    assay_precompute(image, platform, &plain.options, &p, &run_err) < 0)
		fail_msg("%s", run_err.msg);
	return p;
}

/* The byte behind the begin of `text` on the disk is changed; `pcrs` move and no others. */
static void moves(const struct disk_file *files, size_t n, const char *text, uint32_t pcrs)
{
	ASSAY_AUTO(assay_prediction) *before = NULL;
	ASSAY_AUTO(assay_prediction) *after = NULL;
	size_t len;
	uint8_t *disk = disk_build(files, n, NULL, 0, &len);
	uint8_t *at = memmem(disk, len, text, strlen(text));

	assert_non_null(at);
	before = predict(disk, len);
	at[strlen(text) - 1] ^= 1;
	after = predict(disk, len);
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++)
		for (int b = 0; b < ASSAY_N_BANKS; b++) {
			bool same;

			if (!(before->banks & ASSAY_BANK_BIT(b)))
				continue;
			assert_int_equal(before->pcr[i].n, 1);
			assert_int_equal(after->pcr[i].n, 1);
			same = memcmp(before->pcr[i].v[0].d[b], after->pcr[i].v[0].d[b],
				      assay_bank_size((enum assay_bank)b)) == 0;
			if (same != !(pcrs & (1U << i)))
				fail_msg("'%s': PCR %u %s in %s", text, i, same ? "stays" : "moves",
					 assay_bank_name((enum assay_bank)b));
		}
	free(disk);
}

#define P(i) (1U << (i))

/* The program's own digest is in PCR 4; PCR 10 follows from all. */
static void test_uki(void **state)
{
	struct peb uki;

	(void)state;
	build_uki(&uki, "systemd-stub 257.13", BUILD_DEBIAN_6_12, "quiet splash");
	peb_text(&uki, ".pcrsig", "signature");
	peb_text(&uki, ".uname", "6.12-name");
	peb_text(&uki, ".sbat", "sbat,1,SBAT Version,sbat,1,url\n");
	const struct disk_file files[] = {
		CHAIN_FILE(BOOT, uki), CHAIN_TEXT(BOOT ".extra.d/a.cred", "credential"),
		CHAIN_TEXT(BOOT ".extra.d/a.raw", "extension"),
		CHAIN_TEXT(BOOT ".extra.d/b.confext.raw", "configuration"),
		CHAIN_TEXT("/other", "nothing of the boot")
	};

	moves(files, 5, "SMP Debian", P(4) | P(10) | P(11));
	moves(files, 5, "quiet sp", P(4) | P(9) | P(10) | P(11));
	moves(files, 5, "VERSION_ID=1", P(4) | P(9) | P(10) | P(11));
	moves(files, 5, "signat", P(4) | P(9) | P(10));
	moves(files, 5, "6.12-n", P(4) | P(10) | P(11));
	moves(files, 5, "SBAT Ver", P(4) | P(10) | P(11));
	moves(files, 5, "LoaderInfo: systemd-stub 257.1", P(4) | P(10));
	moves(files, 5, "credential", P(9) | P(10) | P(12));
	moves(files, 5, "extension", P(9) | P(10) | P(13));
	moves(files, 5, "configuration", P(9) | P(10) | P(12));
	moves(files, 5, "nothing of", 0);
	peb_free(&uki);
}

static void test_initrd(void **state)
{
	struct peb uki;

	(void)state;
	build_systemd(&uki, "systemd-stub 252.39");
	peb_text(&uki, ".initrd", "the initrd");
	struct peb kernel;
	build_kernel(&kernel, BUILD_DEBIAN_6_1);
	peb_section(&uki, ".linux", kernel.p, kernel.len);
	const struct disk_file files[] = { CHAIN_FILE(BOOT, uki) };
	moves(files, 1, "the ini", P(4) | P(9) | P(10) | P(11));
	peb_free(&kernel);
	peb_free(&uki);
}

static void test_sdboot(void **state)
{
	struct peb loader, kernel;

	(void)state;
	build_systemd(&loader, "systemd-boot 257.13");
	build_kernel(&kernel, BUILD_DEBIAN_6_12);
	const struct disk_file files[] = {
		CHAIN_FILE(BOOT, loader),
		CHAIN_FILE("/vmlinuz", kernel),
		CHAIN_TEXT("/loader/loader.conf", "timeout 0\n#comment"),
		CHAIN_TEXT("/loader/entries/e.conf",
			   "title T\nlinux /vmlinuz\ninitrd /i\noptions quiet\n"),
		CHAIN_TEXT("/i", "the initrd"),
	};
	/* PCR 5 takes part in IMA's aggregate, and so do all up to 9. */
	moves(files, 5, "#comm", P(5) | P(10));
	moves(files, 5, "options qui", P(9) | P(10) | P(12));
	moves(files, 5, "title T", 0);
	moves(files, 5, "the ini", P(9) | P(10));
	moves(files, 5, "SMP Debian", P(4) | P(10));
	peb_free(&kernel);
	peb_free(&loader);
}

/* A partition's name, with the checksums put right. */
static void test_gpt(void **state)
{
	ASSAY_AUTO(assay_prediction) *before = NULL;
	ASSAY_AUTO(assay_prediction) *after = NULL;
	struct peb uki;
	size_t len;

	(void)state;
	build_uki(&uki, "systemd-stub 257.13", BUILD_DEBIAN_6_12, "quiet");
	const struct disk_file files[] = { CHAIN_FILE(BOOT, uki) };
	uint8_t *disk = disk_build(files, 1, NULL, 0, &len);
	uint8_t *h = disk + DISK_SECTOR;

	before = predict(disk, len);
	disk[2 * DISK_SECTOR + 56] = 'q';
	assay_put_le32(h + 88, assay_crc32(0, disk + 2 * DISK_SECTOR, 128 * 128));
	assay_put_le32(h + 16, 0);
	assay_put_le32(h + 16, assay_crc32(0, h, 92));
	after = predict(disk, len);
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++)
		assert_int_equal(memcmp(before->pcr[i].v[0].d[ASSAY_SHA256],
					after->pcr[i].v[0].d[ASSAY_SHA256], 32) != 0,
				 i == 5 || i == 10);
	free(disk);
	peb_free(&uki);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uki),
		cmocka_unit_test(test_initrd),
		cmocka_unit_test(test_sdboot),
		cmocka_unit_test(test_gpt),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
