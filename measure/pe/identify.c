/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a UEFI program is: by the marks that its makers put there. systemd's parts carry .sdmagic,
 * "#### LoaderInfo: systemd-stub 257.9-1 ####" (systemd-stub(7), systemd-boot(7)); shim and GRUB
 * their SBAT component, older ones a section of their own; kernels their boot header.
 */
#include "measure/pe/uki.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"

#define MAGIC_BEGIN "#### LoaderInfo: "
#define MAGIC_END " ####"

const char *assay_efi_kind_name(enum assay_efi_kind kind)
{
	switch (kind) {
	case ASSAY_EFI_OTHER:
		return "other";
	case ASSAY_EFI_UKI:
		return "uki";
	case ASSAY_EFI_ADDON:
		return "addon";
	case ASSAY_EFI_SDBOOT:
		return "systemd-boot";
	case ASSAY_EFI_SHIM:
		return "shim";
	case ASSAY_EFI_GRUB:
		return "grub";
	case ASSAY_EFI_LINUX:
		return "linux";
	}
	return "other";
}

static int read_magic(const struct assay_pe *pe, char **ret, struct assay_err *err)
{
	const struct assay_pe_section *s = assay_pe_section(pe, ".sdmagic");
	ASSAY_AUTO_FREE uint8_t *p = NULL;
	const char *begin, *end;
	size_t len;

	*ret = NULL;
	if (!s)
		return 0;
	if (assay_pe_section_read(pe, s, ASSAY_SDMAGIC_MAX, &p, &len, err) < 0)
		return -1;
	begin = strstr((const char *)p, MAGIC_BEGIN);
	if (!begin)
		return 0;
	begin += strlen(MAGIC_BEGIN);
	end = strstr(begin, MAGIC_END);
	if (!end)
		return 0;
	*ret = strndup(begin, (size_t)(end - begin));
	return *ret ? 0 : assay_fail_mem(err);
}

/* A SBAT that cannot be read is a fact about the file, and no reason not to measure it. */
static int read_sbat(const struct assay_pe *pe, struct assay_efi_info *info, struct assay_err *err)
{
	const struct assay_pe_section *s = assay_pe_section(pe, ".sbat");
	ASSAY_AUTO_FREE uint8_t *p = NULL;
	struct assay_err why = { 0 };
	size_t len;

	if (!s)
		return 0;
	if (assay_pe_section_read(pe, s, ASSAY_SBAT_MAX_SIZE, &p, &len, &why) == 0 &&
	    assay_sbat_parse((const char *)p, len, assay_src_origin(pe->src, s->raw_offset),
			     &info->sbat, &why) == 0)
		return 0;
	if (why.code == ASSAY_E_NOMEM || why.code == ASSAY_E_IO) {
		if (err)
			*err = why;
		return -1;
	}
	info->sbat_error = assay_strdup(why.msg);
	return info->sbat_error ? 0 : assay_fail_mem(err);
}

/* "systemd-stub 257.9" is of "systemd-stub"; what follows is its version. */
static const char *magic_version(const char *magic, const char *program)
{
	const size_t n = strlen(program);

	if (!magic || strncmp(magic, program, n) != 0 || magic[n] != ' ')
		return NULL;
	return magic + n + 1;
}

/*
 * The version by SBAT: the distribution's row ("shim.debian"), which has its package's version, or
 * the project's own.
 */
static const char *sbat_version(const struct assay_sbat *sbat, const char *component)
{
	const struct assay_sbat_row *own = assay_sbat_find(sbat, component);
	const size_t n = strlen(component);

	if (!own)
		return NULL;
	for (size_t i = 0; i < sbat->n; i++) {
		const struct assay_sbat_row *row = &sbat->rows[i];

		if (strncmp(row->component, component, n) == 0 && row->component[n] == '.')
			return row->version;
	}
	return own->version;
}

static unsigned leading_number(const char *version)
{
	unsigned v = 0;

	if (*version == 'v')
		version++;
	while (*version >= '0' && *version <= '9' && v < 100000)
		v = v * 10 + (unsigned)(*version++ - '0');
	return v;
}

static int set_version(struct assay_efi_info *info, const char *version, struct assay_err *err)
{
	if (!version || !*version)
		return 0;
	info->version = assay_strdup(version);
	if (!info->version)
		return assay_fail_mem(err);
	info->major = leading_number(version);
	return 0;
}

/* Of the stub in a UKI. Until 253 its SBAT component was that of systemd as a whole. */
static const char *stub_version(const struct assay_efi_info *info)
{
	const char *v = magic_version(info->magic, "systemd-stub");

	if (!v && !info->magic)
		v = sbat_version(&info->sbat, "systemd-stub");
	if (!v && !info->magic)
		v = sbat_version(&info->sbat, "systemd");
	return v;
}

/* shim's build links one SBAT into MokManager and fallback too; only shim has a vendor's
 * certificate. */
static bool has_vendor_cert(const struct assay_pe *pe)
{
	char name[16];

	for (size_t i = 0; i < pe->n_sections; i++) {
		assay_pe_section_long_name(pe, &pe->sections[i], name, sizeof(name));
		if (strncmp(name, ".vendor_cert", 8) == 0)
			return true;
	}
	return false;
}

static bool has_addon_section(const struct assay_pe *pe)
{
	static const enum assay_uki_section any[] = { ASSAY_UKI_CMDLINE, ASSAY_UKI_DTB,
						      ASSAY_UKI_DTBAUTO, ASSAY_UKI_INITRD,
						      ASSAY_UKI_UCODE,	 ASSAY_UKI_EFIFW };

	for (size_t i = 0; i < sizeof(any) / sizeof(*any); i++)
		if (assay_pe_section(pe, assay_uki_section_name(any[i])))
			return true;
	return false;
}

static int classify(const struct assay_pe *pe, struct assay_efi_info *info, struct assay_err *err)
{
	const char *version;
	bool is_linux;

	if (assay_pe_section(pe, assay_uki_section_name(ASSAY_UKI_LINUX))) {
		info->kind = ASSAY_EFI_UKI;
		return set_version(info, stub_version(info), err);
	}
	version = magic_version(info->magic, "systemd-boot");
	if (!version)
		version = sbat_version(&info->sbat, "systemd-boot");
	if (version) {
		info->kind = ASSAY_EFI_SDBOOT;
		return set_version(info, version, err);
	}
	version = magic_version(info->magic, "systemd-addon");
	if (version) {
		info->kind = ASSAY_EFI_ADDON;
		return set_version(info, version, err);
	}
	if (has_vendor_cert(pe)) {
		info->kind = ASSAY_EFI_SHIM;
		return set_version(info, sbat_version(&info->sbat, "shim"), err);
	}
	version = sbat_version(&info->sbat, "grub");
	if (version || assay_pe_section(pe, "mods")) {
		info->kind = ASSAY_EFI_GRUB;
		return set_version(info, version, err);
	}
	if (assay_linux_detect(pe->src, &is_linux, err) < 0)
		return -1;
	if (is_linux) {
		info->kind = ASSAY_EFI_LINUX;
		return assay_linux_version(pe->src, &info->kernel_version, err);
	}
	version = magic_version(info->magic, "systemd-stub");
	if (has_addon_section(pe))
		info->kind = ASSAY_EFI_ADDON;
	return set_version(info, version, err);
}

int assay_efi_identify(const struct assay_pe *pe, struct assay_efi_info *ret, struct assay_err *err)
{
	struct assay_efi_info info = { 0 };

	for (size_t i = 0; i < pe->n_sections; i++)
		if (strcmp(pe->sections[i].name, assay_uki_section_name(ASSAY_UKI_PROFILE)) == 0)
			info.n_profiles++;
	if (read_magic(pe, &info.magic, err) < 0 || read_sbat(pe, &info, err) < 0 ||
	    classify(pe, &info, err) < 0) {
		assay_efi_info_clear(&info);
		return -1;
	}
	*ret = info;
	return 0;
}

void assay_efi_info_clear(struct assay_efi_info *info)
{
	free(info->magic);
	free(info->version);
	free(info->sbat_error);
	free(info->kernel_version);
	assay_sbat_clear(&info->sbat);
	memset(info, 0, sizeof(*info));
}
