/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that is packed with gzip, xz or zstd, or is the one member "disk.raw" of a tar file that is: unpacked into a
 * temporary file without a name, in which zeros take no room.
 */
#ifndef ASSAY_MEASURE_DISK_UNPACK_H
#define ASSAY_MEASURE_DISK_UNPACK_H

#include <stdbool.h>

#include "core/src.h"

enum assay_packer { ASSAY_PACKER_GZIP, ASSAY_PACKER_XZ, ASSAY_PACKER_ZSTD };

/* *ret_tar: it was in a tar file. limit: of the disk's size, ASSAY_DISK_MAX_UNPACKED but for tests. */
int assay_disk_unpack(struct assay_src *packed, enum assay_packer packer, uint64_t limit,
		      struct assay_src **ret, bool *ret_tar, struct assay_err *err) ASSAY_MUST;

#endif
