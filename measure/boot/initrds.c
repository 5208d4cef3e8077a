/* SPDX-License-Identifier: Apache-2.0 */
/* The initrds of a Type 1 entry as systemd-boot joins them (src/boot/boot.c, initrd_prepare()). */
#include "measure/boot/initrds.h"

#include <stdlib.h>
#include <string.h>

static int add(struct assay_fs *fs, enum assay_sdboot rules, const char *version,
	       const struct assay_boot_entry *entry, size_t i, struct assay_src **parts, size_t *n,
	       struct assay_err *err)
{
	ASSAY_AUTO_FREE char *path = NULL;

	if (assay_boot_path(entry->initrds[i], &path, err) < 0)
		return -1;
	if (assay_fs_file(fs, path, &parts[*n], NULL, err) < 0)
		return assay_wrap(err, "entry %s: initrd", entry->id);
	const size_t rest = (size_t)(assay_src_size(parts[*n]) % 4);
	++*n;
	if (rest == 0 || rules == ASSAY_SDBOOT_252)
		return 0;
	if (i + 1 < entry->n_initrds) {
		if (assay_src_from_mem("\0\0\0", 4 - rest, &parts[*n], err) < 0)
			return -1;
		++*n;
		return 0;
	}
	/* 257 itself padded the last one too; 257.1 on does not. */
	if (version && strncmp(version, "257.", 4) == 0)
		return 0;
	return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
			  "entry %s: whether systemd-boot %s pads an initrd whose length is no multiple of 4 "
			  "is not known",
			  entry->id, version ? version : "of unknown version");
}

int assay_boot_initrds(struct assay_fs *fs, enum assay_sdboot rules, const char *version,
		       const struct assay_boot_entry *entry, struct assay_src **ret, struct assay_err *err)
{
	struct assay_src **parts = calloc(2 * entry->n_initrds + 1, sizeof(struct assay_src *));
	size_t n = 0;
	int rc = 0;

	if (!parts)
		return assay_fail_mem(err);
	for (size_t i = 0; rc == 0 && i < entry->n_initrds; i++)
		rc = add(fs, rules, version, entry, i, parts, &n, err);
	if (rc == 0)
		rc = assay_src_join(parts, n, ret, err);
	for (size_t i = 0; i < 2 * entry->n_initrds; i++)
		assay_src_free(&parts[i]);
	free(parts);
	return rc;
}
