/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ASSAY_MEASURE_BOOT_INITRDS_H
#define ASSAY_MEASURE_BOOT_INITRDS_H

#include "measure/boot/loader.h"
#include "measure/fs/fs.h"

/*
 * The initrds of a Type 1 entry, joined and padded as the boot loader of this version does it; fs is
 * the filesystem that the entry lies on. ASSAY_E_UNSUPPORTED where its version's padding is not known.
 */
int assay_boot_initrds(struct assay_fs *fs, enum assay_sdboot rules, const char *version,
		       const struct assay_boot_entry *entry, struct assay_src **ret,
		       struct assay_err *err) ASSAY_MUST;

#endif
