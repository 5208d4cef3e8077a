/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: all of measure/fs/ext4*.c. The input is an image in pieces, since filesystems
 * are mostly zeros: each piece is its place (two bytes: units of 128 bytes), its length (two
 * bytes), its bytes. The superblock's checksum is put right.
 */
#include <stdlib.h>
#include <string.h>

#include "core/cur.h"
#include "measure/disk/crc32.h"
#include "tests/fuzz/fs_walk.h"

#define IMAGE (256U << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct assay_cur c = assay_cur_make(data, size, 0);
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *image = calloc(1, IMAGE);
	struct assay_err err;

	if (!image)
		abort();
	while (c.left > 4) {
		const size_t place = (size_t)assay_cur_le16(&c) * 128;
		size_t len = assay_cur_le16(&c);

		len = len < c.left ? len : c.left;
		len = place >= IMAGE ? 0 : len < IMAGE - place ? len : IMAGE - place;
		memcpy(image + (len ? place : 0), assay_cur_take(&c, len), len);
	}
	assay_put_le32(image + 1024 + 1020, assay_crc32c(UINT32_MAX, image + 1024, 1020));
	if (assay_src_from_mem(image, IMAGE, &src, &err) == 0)
		fs_walk(&assay_ext4_ops, src);
	return 0;
}
