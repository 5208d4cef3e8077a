/* SPDX-License-Identifier: Apache-2.0 */
/* A disk behind a qemu-nbd of our own, as a source. */
#ifndef ASSAY_MEASURE_DISK_NBD_H
#define ASSAY_MEASURE_DISK_NBD_H

#include "core/src.h"

/*
 * disk, fds: as assay_helper_start() has them. size: what we have read in the image's headers; a helper that sees another
 * size is refused, because one of us has misread it.
 */
int assay_nbd_open(const char *disk, const int *fds, size_t n_fds, uint64_t size,
		   struct assay_src **ret, struct assay_err *err) ASSAY_MUST;

#endif
