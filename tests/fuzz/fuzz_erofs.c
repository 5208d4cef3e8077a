/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: all of measure/fs/erofs*.c. The input is an image without its first 1024 bytes,
 * which erofs does not look at; the superblock's checksum is put right.
 */
#include <stdlib.h>
#include <string.h>

#include "core/cur.h"
#include "measure/disk/crc32.h"
#include "tests/fuzz/fs_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *image = malloc(size + 1024);
	struct assay_err err;

	if (!image)
		abort();
	memset(image, 0, 1024);
	memcpy(image + 1024, data, size);
	if (size > 128 && image[1036] < 17) {
		const size_t block = (size_t)1 << image[1036];
		const size_t len = block > 1024 ? block - 1024 : block;

		if (len <= size) {
			assay_put_le32(image + 1028, 0);
			assay_put_le32(image + 1028, assay_crc32c(UINT32_MAX, image + 1024, len));
		}
	}
	if (assay_src_from_mem(image, size + 1024, &src, &err) == 0)
		fs_walk(&assay_erofs_ops, src);
	return 0;
}
