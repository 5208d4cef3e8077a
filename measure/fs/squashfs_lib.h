/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking by libsquashfs, which is loaded when the first squashfs is met: it brings a library for
 * each compression, and every other verb would pay for them at each start. What lies around the
 * packed blocks is read by ourselves: libsquashfs has no offsets in its errors and no ceilings.
 */
#ifndef ASSAY_MEASURE_FS_SQUASHFS_LIB_H
#define ASSAY_MEASURE_FS_SQUASHFS_LIB_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

/* "zstd"; NULL when the format knows no such number. */
const char *assay_sqfs_packer_name(unsigned id);

struct assay_sqfs_packer;
/* ASSAY_E_UNSUPPORTED when libsquashfs is not installed, or was built without this compression. */
int assay_sqfs_packer_new(unsigned id, uint32_t block_size, struct assay_sqfs_packer **ret,
			  struct assay_err *err) ASSAY_MUST;
void assay_sqfs_packer_free(struct assay_sqfs_packer **p);
ASSAY_DEFINE_AUTO(assay_sqfs_packer)
/* Several threads may unpack at a time. `at`: where the block lies, for errors. */
int assay_sqfs_unpack(struct assay_sqfs_packer *p, const uint8_t *in, size_t len, uint8_t *out,
		      size_t max, size_t *ret_len, uint64_t at, struct assay_err *err) ASSAY_MUST;

#endif
