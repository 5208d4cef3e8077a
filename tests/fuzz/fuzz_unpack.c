/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_disk_unpack, and libarchive behind it.
 *
 * First byte: the packer. A gzip file's checksum cannot be put right here: what is behind it are the seeds' paths.
 */
#include <stdlib.h>

#include "core/src.h"
#include "measure/disk/unpack.h"

#define LIMIT (1U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_src) *packed = NULL;
	ASSAY_AUTO(assay_src) *disk = NULL;
	struct assay_err err;
	bool tar;

	if (size < 1 || data[0] > ASSAY_PACKER_ZSTD)
		return 0;
	if (assay_src_from_mem(data + 1, size - 1, &packed, &err) == 0 &&
	    assay_disk_unpack(packed, (enum assay_packer)data[0], LIMIT, &disk, &tar, &err) == 0 &&
	    assay_src_size(disk) > LIMIT)
		abort();
	return 0;
}
