/* SPDX-License-Identifier: Apache-2.0 */
/* EROFS: where the bytes of an inode lie. */
#include <inttypes.h>
#include <stdlib.h>

#include "core/limits.h"
#include "core/num.h"
#include "measure/fs/erofs_priv.h"

#define CHUNK_BITS 0x1f
#define CHUNK_INDEXES 0x20
#define NULL_BLOCK UINT32_MAX
#define WINDOW 65536 /* of a table of chunks */

static int map_flat(const struct erofs *fs, const struct assay_erofs_inode *inode, uint64_t off,
		    struct assay_extents *ret, struct assay_err *err)
{
	const uint64_t block = 1ULL << fs->sb.block_bits;
	const uint64_t data = (uint64_t)inode->data << fs->sb.block_bits;
	/* The last block, whole or not, follows the inode. */
	const uint64_t tail = inode->layout == ASSAY_EROFS_INLINE && inode->size > 0
				      ? (inode->size - 1) % block + 1
				      : 0;
	const uint64_t tail_off = off + inode->after;

	if (tail > 0 && tail_off % block + tail > block)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(fs->src, off),
				  "data beside the inode crosses the end of a block");
	if (assay_extents_add(ret, data, inode->size - tail, err) < 0)
		return -1;
	return assay_extents_add(ret, tail_off, tail, err);
}

static uint64_t chunk_size(const struct erofs *fs, const struct assay_erofs_inode *inode)
{
	return 1ULL << (fs->sb.block_bits + (inode->data & CHUNK_BITS));
}

int assay_erofs_chunk_table(const struct erofs *fs, const struct assay_erofs_inode *inode,
			    uint64_t off, uint64_t *ret_off, uint64_t *ret_len,
			    struct assay_err *err)
{
	const uint64_t at = assay_src_origin(fs->src, off);
	const size_t unit = inode->data & CHUNK_INDEXES ? 8 : 4;
	const uint64_t chunk = chunk_size(fs, inode);
	const uint64_t n = inode->size / chunk + (inode->size % chunk != 0);
	uint64_t table;

	/* Bits above 16 belong to nobody. */
	if (inode->data & 0xffff & ~(uint32_t)(CHUNK_BITS | CHUNK_INDEXES))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "unknown chunk format 0x%04" PRIx32,
				  inode->data & 0xffff);
	if (n > ASSAY_SRC_MAX_EXTENTS)
		return assay_fail(err, ASSAY_E_LIMIT, at, "%" PRIu64 " chunks, limit %u", n,
				  ASSAY_SRC_MAX_EXTENTS);
	if (assay_align_overflows(off + inode->after, unit, &table) ||
	    !assay_range_inside(table, n * unit, assay_src_size(fs->src)))
		return assay_fail(err, ASSAY_E_CORRUPT, at,
				  "a table of %" PRIu64 " chunks leaves the filesystem", n);
	*ret_off = table;
	*ret_len = n * unit;
	return 0;
}

static int map_chunks(const struct erofs *fs, const struct assay_erofs_inode *inode, uint64_t off,
		      struct assay_extents *ret, struct assay_err *err)
{
	const bool indexes = inode->data & CHUNK_INDEXES;
	const size_t unit = indexes ? 8 : 4;
	const uint64_t chunk = chunk_size(fs, inode);
	uint64_t table = 0, n = 0, left = inode->size;
	ASSAY_AUTO_FREE uint8_t *window = NULL;
	struct assay_cur c = { 0 };

	if (assay_erofs_chunk_table(fs, inode, off, &table, &n, err) < 0)
		return -1;
	n /= unit;
	window = malloc(WINDOW);
	if (!window)
		return assay_fail_mem(err);
	for (uint64_t i = 0; i < n; i++) {
		const uint64_t here = table + i * unit;
		const uint64_t len = left < chunk ? left : chunk;
		uint16_t device = 0;

		if (i % (WINDOW / unit) == 0) {
			const uint64_t rest = (n - i) * unit;
			const size_t size = rest < WINDOW ? (size_t)rest : WINDOW;

			if (assay_src_read(fs->src, here, window, size, err) < 0)
				return -1;
			c = assay_cur_make(window, size, assay_src_origin(fs->src, here));
		}
		if (indexes) {
			assay_cur_skip(&c, 2);
			device = assay_cur_le16(&c);
		}
		const uint32_t first = assay_cur_le32(&c);
		if (device != 0)
			return assay_fail(
				err, ASSAY_E_UNSUPPORTED, assay_src_origin(fs->src, here + 2),
				"chunk %" PRIu64 " lies on device %u (a blob)", i, device);
		if (assay_extents_add(ret,
				      first == NULL_BLOCK ? ASSAY_SRC_HOLE
							  : (uint64_t)first << fs->sb.block_bits,
				      len, err) < 0)
			return -1;
		left -= len;
	}
	return 0;
}

static const char *algorithm(unsigned id)
{
	static const char *const names[] = { "LZ4", "LZMA", "deflate", "zstd" };

	return id < sizeof(names) / sizeof(names[0]) ? names[id] : "an unknown algorithm";
}

/* What a compressed file would need, from the eight bytes that follow its inode
 * (z_erofs_map_header). */
static int refuse_compressed(const struct erofs *fs, const struct assay_erofs_inode *inode,
			     uint64_t off, struct assay_err *err)
{
	const uint64_t at = assay_src_origin(fs->src, off);
	uint64_t place;
	uint8_t b[8];

	if (assay_align_overflows(off + inode->after, sizeof(b), &place) ||
	    assay_src_read(fs->src, place, b, sizeof(b), err) < 0)
		return -1;
	struct assay_cur c = assay_cur_make(b, sizeof(b), at);
	assay_cur_skip(&c, 4);
	const uint16_t advise = assay_cur_le16(&c);
	const uint8_t algorithms = assay_cur_u8(&c);
	const uint8_t cluster_bits = assay_cur_u8(&c);

	if (cluster_bits & 0x80)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at,
				  "compressed, and packed with others (fragments); erofs is read "
				  "uncompressed only");
	return assay_fail(err, ASSAY_E_UNSUPPORTED, at,
			  "compressed with %s%s%s%s; erofs is read uncompressed only",
			  algorithm(algorithms & 15),
			  advise & 0x08 ? ", its tail beside the inode" : "",
			  advise & 0x20 ? ", its tail packed with others (fragments)" : "",
			  advise & 0x10 ? ", parts of clusters" : "");
}

int assay_erofs_map(const struct erofs *fs, const struct assay_erofs_inode *inode, uint64_t off,
		    struct assay_extents *ret, struct assay_err *err)
{
	switch (inode->layout) {
	case ASSAY_EROFS_PLAIN:
	case ASSAY_EROFS_INLINE:
		return map_flat(fs, inode, off, ret, err);
	case ASSAY_EROFS_CHUNKS:
		return map_chunks(fs, inode, off, ret, err);
	case ASSAY_EROFS_COMPRESSED_FULL:
	case ASSAY_EROFS_COMPRESSED_COMPACT:
		break;
	}
	return refuse_compressed(fs, inode, off, err);
}

int assay_erofs_data(const struct erofs *fs, const struct assay_erofs_inode *inode, uint64_t off,
		     struct assay_src **ret, struct assay_err *err)
{
	struct assay_extents list = { 0 };
	int rc = assay_erofs_map(fs, inode, off, &list, err);

	if (rc == 0)
		rc = assay_src_extents(fs->src, list.e, list.n, ret, err);
	free(list.e);
	return rc;
}
