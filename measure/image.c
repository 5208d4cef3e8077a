/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/image.h"

#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"

int assay_image_open(struct assay_src *disk, const char *name, struct assay_image **ret,
		     struct assay_err *err)
{
	ASSAY_AUTO(assay_image) *image = calloc(1, sizeof(*image));
	ASSAY_AUTO(assay_src) *part = NULL;

	if (!image)
		return assay_fail_mem(err);
	image->disk = assay_src_ref(disk);
	image->file = (struct assay_disk_info){ "raw", assay_src_size(disk) };
	image->name = assay_strdup(name);
	if (!image->name)
		return assay_fail_mem(err);
	if (assay_gpt_open(disk, &image->gpt, err) < 0)
		return -1;
	for (size_t i = 0; i < image->gpt->n_parts; i++) {
		if (!assay_gpt_is_esp(&image->gpt->parts[i]))
			continue;
		if (image->n_esps++ == 0)
			image->esp = &image->gpt->parts[i];
	}
	if (!image->esp)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "no EFI system partition among the %zu partitions of the GPT",
				  image->gpt->n_parts);
	if (assay_src_slice(disk, image->esp->offset, image->esp->size, &part, err) < 0 ||
	    assay_fs_open_fat(part, &image->fs, err) < 0)
		return assay_wrap(err, "partition %u (ESP)", image->esp->index);
	*ret = assay_steal(&image);
	return 0;
}

void assay_image_free(struct assay_image **p)
{
	struct assay_image *image = *p;

	if (!image)
		return;
	assay_uki_memo_free(&image->ukis);
	assay_fs_free(&image->fs);
	assay_gpt_free(&image->gpt);
	assay_src_free(&image->disk);
	free(image->name);
	free(image);
	*p = NULL;
}

int assay_image_efi(struct assay_image *image, const char *path, struct assay_efi_file **ret,
		    struct assay_err *err)
{
	ASSAY_AUTO(assay_efi_file) *file = calloc(1, sizeof(*file));

	if (!file)
		return assay_fail_mem(err);
	if (assay_fs_file(image->fs, path, &file->src, &file->path, err) < 0)
		return assay_wrap(err, "partition %u (ESP)", image->esp->index);
	if (assay_pe_open(file->src, &file->pe, err) < 0 ||
	    assay_efi_identify(file->pe, &file->info, err) < 0)
		return assay_wrap(err, "partition %u (ESP): %s", image->esp->index, file->path);
	*ret = assay_steal(&file);
	return 0;
}

void assay_efi_file_free(struct assay_efi_file **p)
{
	struct assay_efi_file *file = *p;

	if (!file)
		return;
	assay_efi_info_clear(&file->info);
	assay_pe_free(&file->pe);
	assay_src_free(&file->src);
	free(file->path);
	free(file);
	*p = NULL;
}

/* UEFI 2.10, 3.5.1.1, table 3.1 */
static const struct {
	const char *arch;
	const char *path;
} removable[] = {
	{ "x86-64", "/EFI/BOOT/BOOTX64.EFI" },
	{ "aarch64", "/EFI/BOOT/BOOTAA64.EFI" },
};

int assay_image_boot_path(struct assay_image *image, const char *arch, char **ret,
			  struct assay_err *err)
{
	const size_t n = sizeof(removable) / sizeof(removable[0]);
	char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		ASSAY_AUTO(assay_src) *src = NULL;
		ASSAY_AUTO_FREE char *path = NULL;

		if (arch && strcmp(arch, removable[i].arch) != 0)
			continue;
		if (assay_fs_file(image->fs, removable[i].path, &src, &path, err) < 0) {
			if (err->code == ASSAY_E_NOTFOUND)
				continue;
			free(found);
			return assay_wrap(err, "partition %u (ESP)", image->esp->index);
		}
		if (found) {
			free(found);
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "boot files for several architectures are there; which one "
					  "starts is the platform's to say");
		}
		found = assay_steal(&path);
	}
	if (!found && arch)
		for (size_t i = 0; i < n; i++)
			if (strcmp(arch, removable[i].arch) == 0)
				return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
						  "partition %u (ESP): no boot file %s",
						  image->esp->index, removable[i].path);
	if (!found)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "partition %u (ESP): no boot file /EFI/BOOT/BOOTX64.EFI nor "
				  "BOOTAA64.EFI",
				  image->esp->index);
	*ret = found;
	return 0;
}

int assay_image_read(struct assay_image *image, const char *path, uint64_t limit, uint8_t **ret,
		     size_t *ret_len, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	if (assay_fs_file(image->fs, path, &src, NULL, err) < 0)
		return assay_wrap(err, "partition %u (ESP)", image->esp->index);
	uint64_t size = assay_src_size(src);
	if (assay_src_read_alloc(src, 0, size, limit, ret, err) < 0)
		return assay_wrap(err, "partition %u (ESP): %s", image->esp->index, path);
	*ret_len = (size_t)size;
	return 0;
}
