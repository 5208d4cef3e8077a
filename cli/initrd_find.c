/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/initrd_find.h"

#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "measure/boot/initrds.h"

static int of_uki(const struct assay_pe *pe, const char *path, struct assay_found_initrd *f,
		  struct assay_err *err)
{
	struct assay_uki_view view;

	if (assay_uki_view(pe, 0, &view, err) < 0 || assay_uki_initrd(pe, 0, &f->src, err) < 0 ||
	    assay_uki_kernel_facts(pe, 0, &f->kernel, err) < 0)
		return -1;
	f->has_kernel = true;
	f->from = assay_asprintf("%s%s%s%s", path ? path : "", path ? ": " : "",
				 view.s[ASSAY_UKI_UCODE] ? ".ucode, " : "",
				 view.s[ASSAY_UKI_INITRD] ? ".initrd" : "no .initrd");
	return f->from ? 0 : assay_fail_mem(err);
}

/* --- on a disk ---------------------------------------------------------------------------------- */

static int no_initrd(const struct assay_efi_file *file, struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "%s: %s; which initrd goes with it "
			  "is not known", file->path, assay_efi_kind_name(file->info.kind));
}

static int of_efi(struct assay_image *image, const char *path, struct assay_found_initrd *f,
		  struct assay_err *err)
{
	ASSAY_AUTO(assay_efi_file) *file = NULL;

	if (assay_image_efi(image, path, &file, err) < 0)
		return -1;
	if (file->info.kind != ASSAY_EFI_UKI)
		return no_initrd(file, err);
	if (of_uki(file->pe, file->path, f, err) < 0)
		return assay_wrap(err, "%s", file->path);
	return 0;
}

static int of_linux(struct assay_image *image, struct assay_efi_file *loader, enum assay_sdboot rules,
		    const struct assay_boot_entry *entry, const char *target, const char *conf,
		    struct assay_found_initrd *f, struct assay_err *err)
{
	ASSAY_AUTO(assay_efi_file) *kernel = NULL;

	if (assay_image_efi(image, target, &kernel, err) < 0)
		return -1;
	if (entry->kind != ASSAY_ENTRY_LINUX || kernel->info.kind != ASSAY_EFI_LINUX)
		return kernel->info.kind == ASSAY_EFI_UKI && entry->n_initrds == 0 ?
			       of_efi(image, target, f, err) :
			       no_initrd(kernel, err);
	if (entry->n_initrds == 0)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "%s: no initrd", conf);
	if (assay_boot_initrds(image->fs, rules, loader->info.version, entry, &f->src, err) < 0 ||
	    assay_kernel_facts(kernel->src, NULL, &f->kernel, err) < 0)
		return -1;
	f->has_kernel = true;
	f->from = assay_strdup(conf);
	return f->from ? 0 : assay_fail_mem(err);
}

static int of_entry(struct assay_image *image, struct assay_efi_file *loader, enum assay_sdboot rules,
		    const char *conf, struct assay_found_initrd *f, struct assay_err *err)
{
	ASSAY_AUTO(assay_boot_entry) *entry = NULL;
	ASSAY_AUTO_FREE uint8_t *text = NULL;
	ASSAY_AUTO_FREE char *target = NULL;
	const char *slash = strrchr(conf, '/'), *why = NULL;
	const char *machine = assay_pe_machine_name(loader->pe->machine);
	size_t len;

	if (assay_image_read(image, conf, ASSAY_LOADER_MAX_FILE, &text, &len, err) < 0)
		return -1;
	if (assay_boot_entry_type1(rules, slash ? slash + 1 : conf, text, len,
				   machine && strcmp(machine, "AArch64") == 0 ? "aa64" : "x64", NULL, &entry,
				   &why, err) < 0)
		return assay_wrap(err, "%s", conf);
	if (!entry)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "%s: systemd-boot makes no entry of it: %s",
				  conf, why ? why : "");
	if (assay_boot_path(entry->loader, &target, err) < 0)
		return assay_wrap(err, "%s", conf);
	return of_linux(image, loader, rules, entry, target, conf, f, err);
}

/* The files of a folder that the boot loader looks at; the path of the last one. */
static int count(struct assay_image *image, enum assay_sdboot rules, const char *folder,
		 const char *suffix, size_t *n, char **ret, struct assay_err *err)
{
	struct assay_dir dir = { 0 };
	int rc = 0;

	if (assay_fs_list(image->fs, folder, &dir, err) < 0)
		return err->code == ASSAY_E_NOTFOUND ? 0 : -1;
	for (size_t i = 0; rc == 0 && i < dir.n; i++) {
		if (dir.e[i].kind == ASSAY_FS_DIR || !assay_boot_entry_name(rules, dir.e[i].name, suffix))
			continue;
		++*n;
		free(*ret);
		*ret = assay_asprintf("%s/%s", folder, dir.e[i].name);
		rc = *ret ? 0 : assay_fail_mem(err);
	}
	assay_dir_clear(&dir);
	return rc;
}

static bool is_entry(const char *path)
{
	const size_t n = strlen(path);

	return n > 5 && strcmp(path + n - 5, ".conf") == 0;
}

static int of_sdboot(struct assay_image *image, struct assay_efi_file *loader, const char *boot,
		     struct assay_found_initrd *f, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *only = NULL;
	enum assay_sdboot rules;
	size_t n = 0;

	if (assay_sdboot_rules(loader->info.major, &rules, err) < 0)
		return assay_wrap(err, "%s", loader->path);
	if (!boot) {
		if (count(image, rules, "/EFI/Linux", ".efi", &n, &only, err) < 0 ||
		    count(image, rules, "/loader/entries", ".conf", &n, &only, err) < 0)
			return -1;
		if (n != 1)
			return assay_fail(err, n ? ASSAY_E_UNSUPPORTED : ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
					  "%s: %s with %zu entries%s", loader->path,
					  assay_efi_kind_name(loader->info.kind), n,
					  n ? ": say which with --boot" : "");
		boot = only;
	}
	return is_entry(boot) ? of_entry(image, loader, rules, boot, f, err) : of_efi(image, boot, f, err);
}

static int of_disk(const char *path, const char *boot, const struct assay_disk_opts *disk,
		   struct assay_found_initrd *f, struct assay_err *err)
{
	ASSAY_AUTO(assay_image) *image = NULL;
	ASSAY_AUTO(assay_efi_file) *file = NULL;
	ASSAY_AUTO_FREE char *first = NULL;

	if (assay_cli_image_open(path, disk, &image, err) < 0)
		return -1;
	if (boot && !is_entry(boot))
		return of_efi(image, boot, f, err);
	if (assay_image_boot_path(image, NULL, &first, err) < 0 ||
	    assay_image_efi(image, first, &file, err) < 0)
		return -1;
	if (file->info.kind == ASSAY_EFI_SDBOOT)
		return of_sdboot(image, file, boot, f, err);
	if (boot)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%s is for systemd-boot; what starts is %s (%s)", boot, file->path,
				  assay_efi_kind_name(file->info.kind));
	return of_efi(image, first, f, err);
}

/* --- whatever it is ----------------------------------------------------------------------------- */

static bool is_program(struct assay_src *src)
{
	struct assay_err err;
	char magic[2];

	return assay_src_size(src) >= 2 && assay_src_read(src, 0, magic, 2, &err) == 0 &&
	       memcmp(magic, "MZ", 2) == 0;
}

static int of_program(struct assay_src *src, struct assay_found_initrd *f, struct assay_err *err)
{
	ASSAY_AUTO(assay_pe) *pe = NULL;
	struct assay_efi_info info;
	int rc;

	if (assay_pe_open(src, &pe, err) < 0 || assay_efi_identify(pe, &info, err) < 0)
		return -1;
	if (info.kind == ASSAY_EFI_UKI)
		rc = of_uki(pe, NULL, f, err);
	else
		rc = assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "a UEFI program without an initrd (%s)",
				assay_efi_kind_name(info.kind));
	assay_efi_info_clear(&info);
	return rc;
}

static int find(const char *path, const char *boot, const struct assay_disk_opts *disk,
		struct assay_found_initrd *f, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	if (assay_src_open_file(path, &src, err) < 0)
		return -1;
	const bool program = is_program(src);
	if (!program && !assay_initrd_detect(src))
		return of_disk(path, boot, disk, f, err);
	if (boot)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "--boot is for disks, and this is %s",
				  program ? "a program" : "an initrd");
	if (program)
		return of_program(src, f, err);
	f->src = assay_steal(&src);
	return 0;
}

int assay_cli_initrd_find(const char *path, const char *boot, const struct assay_disk_opts *disk,
			  struct assay_found_initrd *ret, struct assay_err *err)
{
	struct assay_found_initrd f = { 0 };

	if (find(path, boot, disk, &f, err) < 0) {
		assay_found_initrd_clear(&f);
		return -1;
	}
	*ret = f;
	return 0;
}

void assay_found_initrd_clear(struct assay_found_initrd *f)
{
	assay_src_free(&f->src);
	free(f->from);
	assay_kernel_facts_clear(&f->kernel);
	*f = (struct assay_found_initrd){ 0 };
}
