/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every command line that a boot partition's programs and entries could start a kernel with: those
 * of UKIs, in each profile, alone and with the addons beside them (systemd-stub(7)), and the
 * options of Type #1 entries (UAPI.1). What is typed at a menu, kept in EFI variables or read by
 * other boot loaders is not among them.
 */
#ifndef ASSAY_MEASURE_BOOT_CMDLINES_H
#define ASSAY_MEASURE_BOOT_CMDLINES_H

#include "measure/fs/fs.h"

/* path: of the UKI or the entry. An error ends the search. */
typedef int assay_cmdline_fn(void *data, const char *path, const char *cmdline,
			     struct assay_err *err);

int assay_boot_cmdlines(struct assay_fs *fs, assay_cmdline_fn *fn, void *data,
			struct assay_err *err) ASSAY_MUST;
/* Of such a path: is it an entry's? */
bool assay_boot_is_entry(const char *path);

#endif
