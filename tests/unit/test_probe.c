/* SPDX-License-Identifier: Apache-2.0 */
/* Which row takes which bytes, and which are refused because two would. */
#include "core/cur.h"
#include "measure/fs/fs.h"
#include "tests/unit/alloc.h"
#include "tests/unit/fat_image.h"

/* A superblock of ext2, of erofs: as little as a row opens. */
static void put_ext2(uint8_t *image, size_t size)
{
	uint8_t *p = image + 1024;

	memset(p, 0, 1024);
	assay_put_le32(p, 32);
	assay_put_le32(p + 4, (uint32_t)(size / 1024 < 8192 ? size / 1024 : 8192));
	assay_put_le32(p + 20, 1);
	assay_put_le32(p + 32, 8192);
	assay_put_le32(p + 36, 8192);
	assay_put_le32(p + 40, 32);
	assay_put_le16(p + 56, 0xef53);
	assay_put_le32(p + 76, 1);
	assay_put_le32(p + 84, 11);
	assay_put_le16(p + 88, 128);
}

static void put_erofs(uint8_t *image)
{
	uint8_t *p = image + 1024;

	memset(p, 0, 1024);
	assay_put_le32(p, 0xe0f5e1e2);
	p[12] = 12;
	assay_put_le32(p + 36, 1);
}

static void opens(const uint8_t *image, size_t size, const char *name)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_fs) *fs = NULL;
	struct assay_err err;

	assert_int_equal(assay_src_from_mem(image, size, &src, &err), 0);
	if (assay_fs_open(src, &fs, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(assay_fs_name(fs), name);
}

static void refused(const uint8_t *image, size_t size, enum assay_code code, const char *text)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_fs *fs = NULL;
	struct assay_err err;

	assert_int_equal(assay_src_from_mem(image, size, &src, &err), 0);
	assert_int_equal(assay_fs_open(src, &fs, &err), -1);
	assert_null(fs);
	if (!strstr(err.msg, text))
		fail_msg("'%s' is not in '%s'", text, err.msg);
	assert_int_equal(err.code, code);
	/* Whoever does not want to know why gets the same answer. */
	assert_int_equal(assay_fs_open(src, &fs, NULL), -1);
}

static void test_two_rows(void **state)
{
	struct fat_image f = fat_make(32);

	(void)state;
	opens(f.p, f.size, "FAT32");
	put_erofs(f.p);
	refused(f.p, f.size, ASSAY_E_UNSUPPORTED,
		"ambiguous: this is vfat, and it is erofs as well");
	put_ext2(f.p, f.size);
	refused(f.p, f.size, ASSAY_E_UNSUPPORTED,
		"ambiguous: this is vfat, and it is ext4 as well");
	/* One that we would not read is one as well. */
	assay_put_le32(f.p + 1024 + 96, 4);
	refused(f.p, f.size, ASSAY_E_UNSUPPORTED,
		"ambiguous: this is vfat, and it is ext4 as well");
	/* What is left of an earlier one, which does not fit any more, is not. */
	put_ext2(f.p, f.size);
	assay_put_le32(f.p + 1024 + 4, UINT32_MAX / 2);
	opens(f.p, f.size, "FAT32");
	put_erofs(f.p);
	assay_put_le32(f.p + 1024 + 36, UINT32_MAX);
	opens(f.p, f.size, "FAT32");
	/* Two bytes where ext2 has its own are no sign at all. */
	memset(f.p + 1024, 0xff, 1024);
	assay_put_le16(f.p + 1024 + 56, 0xef53);
	opens(f.p, f.size, "FAT32");
	free(f.p);
}

/* ext2 and erofs leave the first 1024 bytes to boot loaders, whose sectors may be like FAT's. */
static void test_boot_sectors(void **state)
{
	struct fat_image f = fat_make(16);

	(void)state;
	put_ext2(f.p, f.size);
	f.p[13] = 3; /* sectors of a cluster */
	opens(f.p, f.size, "ext2");
	put_erofs(f.p);
	opens(f.p, f.size, "erofs");
	/* Both damaged: the first is spoken of. */
	assay_put_le32(f.p + 1024 + 36, UINT32_MAX);
	refused(f.p, f.size, ASSAY_E_CORRUPT, "FAT with 3 sectors in a cluster");
	free(f.p);
}

static void test_other_signs(void **state)
{
	static const struct {
		size_t off;
		const char *bytes;
		const char *what;
	} signs[] = {
		{ 0, "LUKS\xba\xbe", "an encrypted filesystem (LUKS)" },
		{ 3, "-FVE-FS-", "an encrypted filesystem (BitLocker)" },
		{ 3, "NTFS    ", "NTFS" },
		{ 0, "XFSB", "XFS" },
		{ 536, "LVM2 001", "an LVM physical volume" },
		{ 4086, "SWAPSPACE2", "Linux swap" },
	};
	uint8_t *image = calloc(1, 1 << 20);
	char text[128];

	(void)state;
	assert_non_null(image);
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		memset(image, 0, 8192);
		put_ext2(image, 1 << 20);
		opens(image, 1 << 20, "ext2");
		memcpy(image + signs[i].off, signs[i].bytes, strlen(signs[i].bytes));
		snprintf(text, sizeof(text), "ambiguous: this is ext4, and it is %s as well",
			 signs[i].what);
		refused(image, 1 << 20, ASSAY_E_UNSUPPORTED, text);
	}
	/* Behind the headers lie files, and they may be anything. */
	memset(image, 0, 8192);
	put_ext2(image, 1 << 20);
	memcpy(image + 32769, "CD001", 5);
	memcpy(image + 65600, "_BHRfS_M", 8);
	memcpy(image + 4096, "\xfc\x4e\x2b\xa9", 4);
	opens(image, 1 << 20, "ext2");
	free(image);
}

static void test_fat_only(void **state)
{
	uint8_t *image = calloc(1, 1 << 20);
	struct fat_image f = fat_make(12);
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_src) *fat = NULL;
	ASSAY_AUTO(assay_fs) *fs = NULL;
	struct assay_err err;

	(void)state;
	put_ext2(image, 1 << 20);
	assert_int_equal(assay_src_from_mem(image, 1 << 20, &src, &err), 0);
	assert_int_equal(assay_fs_open_fat(src, &fs, &err), -1);
	assert_null(fs);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	assert_string_equal(err.msg, "unsupported: this is ext2; firmware reads FAT");
	assert_int_equal(assay_src_from_mem(f.p, f.size, &fat, &err), 0);
	assert_int_equal(assay_fs_open_fat(fat, &fs, &err), 0);
	assay_fs_free(&fs);
	free(image);
	free(f.p);
}

static uint8_t both[16384];

static int open_both(struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_fs) *fs = NULL;

	if (assay_src_from_mem(both, sizeof(both), &src, err) < 0)
		return -1;
	return assay_fs_open(src, &fs, err);
}

/* Out of memory is said, and is not taken for a row that does not know the bytes. */
static void test_out_of_memory(void **state)
{
	struct fat_image f = fat_make(16);

	(void)state;
	memcpy(both, f.p, 1024);
	free(f.p);
	put_erofs(both);
	unit_alloc_each(open_both, true);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_two_rows),      cmocka_unit_test(test_boot_sectors),
	cmocka_unit_test(test_other_signs),   cmocka_unit_test(test_fat_only),
	cmocka_unit_test(test_out_of_memory),
};

UNIT_MAIN(tests)
