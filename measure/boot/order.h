/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which entry systemd-boot starts when nobody touches the keyboard and no EFI variable of its own
 * is set (LoaderEntryDefault, LoaderEntryOneShot and the like: a fresh variable store).
 */
#ifndef ASSAY_MEASURE_BOOT_ORDER_H
#define ASSAY_MEASURE_BOOT_ORDER_H

#include "measure/boot/loader.h"

struct assay_boot_choice {
	size_t chosen; /* index into the caller's entries */
	char *why; /* "loader.conf default 'foo*'", "first by version: 6.12.1 before 6.1.0", … */
	/* A counted entry is renamed at each boot; when its tries run out, another one comes first.
	 */
	bool counted;
	size_t *order; /* n indexes into the caller's entries, as the menu lists them */
	size_t n;
};
void assay_boot_choice_free(struct assay_boot_choice **choice);
ASSAY_DEFINE_AUTO(assay_boot_choice)

/*
 * entries: in the order the boot loader finds them (each directory's in the disk's order):
 * EFI/Linux of the ESP, loader/entries of the ESP, then both of XBOOTLDR. conf: NULL when there is
 * no loader.conf. ASSAY_E_NOTFOUND when there is no entry; ASSAY_E_UNSUPPORTED when the choice
 * depends on what the disk does not say (default @saved, a default that names an automatic entry, a
 * menu that waits for ever).
 */
int assay_boot_choose(const struct assay_loader_conf *conf,
		      const struct assay_boot_entry *const *entries, size_t n,
		      struct assay_boot_choice **ret, struct assay_err *err) ASSAY_MUST;

/* For --entry: the first entry in menu order whose id or file name is `id` (any case of ASCII). */
int assay_boot_choose_id(const char *id, const struct assay_boot_entry *const *entries, size_t n,
			 struct assay_boot_choice **ret, struct assay_err *err) ASSAY_MUST;

/* strverscmp_improved() (UAPI.10): below, above or 0; NULL is the empty string. */
int assay_version_compare(const char *a, const char *b);
/* efi_fnmatch(): ? * [] and backslash; case counts. Both UTF-8. */
int assay_boot_match(const char *pattern, const char *text, bool *ret,
		     struct assay_err *err) ASSAY_MUST;

#endif
