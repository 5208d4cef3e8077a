/* SPDX-License-Identifier: Apache-2.0 */
/* Opening OS disks, and what firmware starts on them. */
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

#include "core/limits.h"
#include "measure/image.h"
#include "tests/unit/chain_build.h"

#define HOME "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"

static struct peb uki;
static struct assay_err err;

static int build(void **state)
{
	(void)state;
	build_uki(&uki, "systemd-stub 257.13", BUILD_DEBIAN_6_12, "quiet");
	return 0;
}

static int unbuild(void **state)
{
	(void)state;
	peb_free(&uki);
	return 0;
}

/* A disk with these files; the bytes are in *ret_bytes. */
static struct assay_image *open_files(const struct disk_file *files, size_t n, const char *const *more, size_t n_more,
				      uint8_t **ret_bytes)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_image *image = NULL;
	size_t len;

	*ret_bytes = disk_build(files, n, more, n_more, &len);
	memset(&err, 0, sizeof(err));
	assert_int_equal(assay_src_from_mem(*ret_bytes, len, &src, NULL), 0);
	if (assay_image_open(src, "disk.raw", &image, &err) < 0)
		assert_null(image);
	return image;
}

static void test_open(void **state)
{
	const struct disk_file files[] = { { "/EFI/BOOT/BOOTX64.EFI", uki.p, uki.len }, { "/note", "words", 5 } };
	const char *const more[] = { HOME, DISK_ESP };
	ASSAY_AUTO_FREE uint8_t *bytes = NULL;
	ASSAY_AUTO_FREE uint8_t *text = NULL;
	ASSAY_AUTO(assay_efi_file) *file = NULL;
	ASSAY_AUTO(assay_image) *image = open_files(files, 2, more, 2, &bytes);
	size_t len;

	(void)state;
	assert_non_null(image);
	assert_string_equal(image->name, "disk.raw");
	assert_int_equal(image->gpt->n_parts, 3);
	assert_int_equal(image->n_esps, 2);
	assert_ptr_equal(image->esp, &image->gpt->parts[0]); /* the first of them */
	assert_string_equal(assay_fs_name(image->fs), "FAT12");

	assert_int_equal(assay_image_read(image, "/note", 5, &text, &len, &err), 0);
	assert_int_equal(len, 5);
	assert_string_equal((char *)text, "words");
	assert_int_equal(assay_image_read(image, "/note", 4, &bytes, &len, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	assert_int_equal(assay_image_read(image, "/none", 5, &bytes, &len, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
	assert_non_null(strstr(err.msg, "partition 1 (ESP)"));

	/* firmware's names know no case; the path is the disk's */
	assert_int_equal(assay_image_efi(image, "/efi/boot/bootx64.efi", &file, &err), 0);
	assert_string_equal(file->path, "/EFI/BOOT/BOOTX64.EFI");
	assert_int_equal(file->info.kind, ASSAY_EFI_UKI);
	assert_int_equal(assay_src_size(file->src), uki.len);
	assay_efi_file_free(&file);
	assert_int_equal(assay_image_efi(image, "/note", &file, &err), -1);
	assert_null(file);
	assert_non_null(strstr(err.msg, "partition 1 (ESP): /note"));
}

static void test_without_esp(void **state)
{
	const struct disk_file files[] = { { "/note", "words", 5 } };
	ASSAY_AUTO_FREE uint8_t *bytes = NULL;
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_image) *image = NULL;
	size_t len;

	(void)state;
	bytes = disk_build(files, 1, NULL, 0, &len);
	/* the ESP becomes a home, with the checksums that belong to it */
	assert_true(assay_guid_parse(HOME, bytes + 1024));
	assay_put_le32(bytes + 512 + 88, assay_crc32(0, bytes + 1024, 128 * 128));
	assay_put_le32(bytes + 512 + 16, 0);
	assay_put_le32(bytes + 512 + 16, assay_crc32(0, bytes + 512, 92));
	assert_int_equal(assay_src_from_mem(bytes, len, &src, NULL), 0);
	assert_int_equal(assay_image_open(src, "d", &image, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
	assert_string_equal(err.msg, "no EFI system partition among the 1 partitions of the GPT");

	/* an ESP that is no FAT */
	assert_true(assay_guid_parse(DISK_ESP, bytes + 1024));
	assay_put_le32(bytes + 512 + 88, assay_crc32(0, bytes + 1024, 128 * 128));
	assay_put_le32(bytes + 512 + 16, 0);
	assay_put_le32(bytes + 512 + 16, assay_crc32(0, bytes + 512, 92));
	memset(bytes + DISK_FIRST_LBA * 512, 0x11, 512);
	assert_int_equal(assay_image_open(src, "d", &image, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "partition 1 (ESP)"));
}

static void boot_path(const struct disk_file *files, size_t n, const char *arch, const char *want)
{
	ASSAY_AUTO_FREE uint8_t *bytes = NULL;
	ASSAY_AUTO(assay_image) *image = open_files(files, n, NULL, 0, &bytes);
	ASSAY_AUTO_FREE char *path = NULL;

	assert_non_null(image);
	if (assay_image_boot_path(image, arch, &path, &err) == 0) {
		assert_string_equal(path, want);
	} else {
		assert_null(path);
		if (!strstr(err.msg, want))
			fail_msg("'%s' is not in '%s'", want, err.msg);
	}
}

static void test_boot_path(void **state)
{
	const struct disk_file x64 = { "/EFI/Boot/bootx64.efi", "MZ", 2 }, aa64 = { "/EFI/BOOT/BOOTAA64.EFI", "MZ", 2 },
			       other = { "/EFI/BOOT/other", "MZ", 2 };
	const struct disk_file both[] = { x64, { "/EFI/Boot/BOOTAA64.EFI", "MZ", 2 } };

	(void)state;
	boot_path(&x64, 1, NULL, "/EFI/Boot/bootx64.efi");
	boot_path(&x64, 1, "x86-64", "/EFI/Boot/bootx64.efi");
	boot_path(&aa64, 1, NULL, "/EFI/BOOT/BOOTAA64.EFI");
	boot_path(&x64, 1, "aarch64", "no boot file /EFI/BOOT/BOOTAA64.EFI");
	boot_path(&x64, 1, "riscv64", "no boot file /EFI/BOOT/BOOTX64.EFI nor BOOTAA64.EFI");
	boot_path(&other, 1, NULL, "no boot file /EFI/BOOT/BOOTX64.EFI nor BOOTAA64.EFI");
	boot_path(both, 2, NULL, "boot files for several architectures");
	boot_path(both, 2, "aarch64", "/EFI/Boot/BOOTAA64.EFI");
}

static uint8_t *memory_disk;
static size_t memory_len;

static int whole(struct assay_err *e)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_image) *image = NULL;
	ASSAY_AUTO(assay_efi_file) *file = NULL;
	ASSAY_AUTO_FREE char *path = NULL;

	return assay_src_from_mem(memory_disk, memory_len, &src, e) < 0 || assay_image_open(src, "d", &image, e) < 0 ||
			       assay_image_boot_path(image, NULL, &path, e) < 0 ||
			       assay_image_efi(image, path, &file, e) < 0 ?
		       -1 :
		       0;
}

static void test_out_of_memory(void **state)
{
	const struct disk_file files[] = { { "/EFI/BOOT/BOOTX64.EFI", uki.p, uki.len } };

	(void)state;
	memory_disk = disk_build(files, 1, NULL, 0, &memory_len);
	unit_alloc_each(whole, true);
	free(memory_disk);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_open),
	cmocka_unit_test(test_without_esp),
	cmocka_unit_test(test_boot_path),
	cmocka_unit_test(test_out_of_memory),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, build, unbuild);
}
