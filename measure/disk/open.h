/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk image, whatever form its file has: what comes out is the disk that a machine would see. The form is told by the
 * file's bytes, never by its name; what is none of the known ones is a raw disk (docs/FORMATS.md).
 */
#ifndef ASSAY_MEASURE_DISK_OPEN_H
#define ASSAY_MEASURE_DISK_OPEN_H

#include <stdbool.h>

#include "core/src.h"

struct assay_disk_opts {
	/* Files that the image names (a backing file, a data file, extents) may be read; else they are refused by name. */
	bool allow_backing;
};

struct assay_disk_info {
	const char *format; /* "raw", "qcow2", …: static */
	uint64_t file_size; /* of the file itself; the disk's size is the source's */
};

/* opts: NULL for none. The source may have a helper process behind it, which ends with it. */
int assay_disk_open(const char *path, const struct assay_disk_opts *opts, struct assay_src **ret,
		    struct assay_disk_info *ret_info, struct assay_err *err) ASSAY_MUST;

#endif
