/* SPDX-License-Identifier: Apache-2.0 */
/* Which filesystem of a disk a verb looks into: --part. */
#ifndef ASSAY_CLI_PART_H
#define ASSAY_CLI_PART_H

#include "cli/disk.h"
#include "measure/fs/fs.h"

/* "esp", "root", "usr", or a number; 0 is the whole file. ASSAY_PART_DEFAULT is the ESP, or, where
 * there is no partition table but a filesystem, that. */
#define ASSAY_PART_DEFAULT (-1)
#define ASSAY_PART_ESP (-2)
#define ASSAY_PART_ROOT (-3)
#define ASSAY_PART_USR (-4)
#define ASSAY_PART_WHOLE 0

/* false: it is none of these. */
bool assay_cli_part(const char *text, int *ret);
int assay_cli_part_open(const char *disk, const struct assay_disk_opts *opts, int part,
			struct assay_fs **ret, struct assay_err *err) ASSAY_MUST;

#endif
