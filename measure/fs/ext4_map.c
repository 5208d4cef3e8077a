/* SPDX-License-Identifier: Apache-2.0 */
/* ext4: where the bytes of an inode lie: trees of extents, lists of blocks, the inode itself. */
#include <inttypes.h>
#include <stdlib.h>

#include "core/limits.h"
#include "core/num.h"
#include "measure/disk/crc32.h"
#include "measure/fs/ext4_priv.h"

#define EXTENT_MAGIC 0xf30a
#define EXTENT_SIZE 12 /* of a header, an index and an extent */
#define EXTENT_MAX_DEPTH 5
#define EXTENT_WRITTEN 32768 /* longer ones: that much more than an extent not written yet */

#define N_DIRECT 12
#define N_LEVELS 3

/* A file as it is put together, front to back. */
struct build {
	const struct ext4 *fs;
	const struct ext4_node *node;
	struct assay_extents *list;
	struct assay_extents *lists; /* NULL: nobody wants to know */
	uint64_t n_blocks;	     /* of the file, by its size */
	uint64_t next;		     /* block of the file that comes next */
	uint64_t taken;		     /* blocks that it has on the disk */
	uint32_t n_entries;
};

static uint64_t node_at(const struct build *b)
{
	return assay_src_origin(b->fs->src, b->node->off);
}

/* `len` blocks of the file from `next` on, at block `start` of the disk or nowhere; the last may be
 * part of one. */
static int add_blocks(struct build *b, uint64_t start, uint64_t len, struct assay_err *err)
{
	const struct assay_ext4_super *sb = &b->fs->sb;
	const uint64_t left = b->node->i.size - (b->next << sb->block_bits);
	const uint64_t bytes = len << sb->block_bits;

	b->next += len;
	if (start == ASSAY_SRC_HOLE)
		return assay_extents_add(b->list, start, bytes < left ? bytes : left, err);
	if (start <= sb->first_block || !assay_range_inside(start, len, sb->n_blocks))
		return assay_fail(err, ASSAY_E_CORRUPT, node_at(b),
				  "%" PRIu64 " blocks at block %" PRIu64 " of %" PRIu64, len, start,
				  sb->n_blocks);
	/* No file has more blocks than there are, but where blocks may be shared. */
	b->taken += len;
	if (b->taken > sb->n_blocks && !(sb->ro_compat & EXT4_RO_SHARED_BLOCKS))
		return assay_fail(err, ASSAY_E_CORRUPT, node_at(b),
				  "more blocks than the filesystem has");
	return assay_extents_add(b->list, start << sb->block_bits, bytes < left ? bytes : left,
				 err);
}

static int hole_until(struct build *b, uint64_t block, struct assay_err *err)
{
	return block > b->next ? add_blocks(b, ASSAY_SRC_HOLE, block - b->next, err) : 0;
}

/* A block that says where others are. */
static int read_list(const struct build *b, uint64_t block, uint8_t *p, struct assay_err *err)
{
	const uint64_t size = assay_ext4_block_size(b->fs);
	const uint64_t off = block << b->fs->sb.block_bits;

	if (block <= b->fs->sb.first_block || block >= b->fs->sb.n_blocks)
		return assay_fail(err, ASSAY_E_CORRUPT, node_at(b),
				  "its blocks are listed in block %" PRIu64 " of %" PRIu64, block,
				  b->fs->sb.n_blocks);
	if (b->lists && assay_extents_add(b->lists, off, size, err) < 0)
		return -1;
	return assay_src_read(b->fs->src, off, p, size, err);
}

/* --- extents ---- */

struct extent_header {
	uint16_t n, max, depth;
};

static int take_header(struct assay_cur *c, unsigned max_room, struct extent_header *ret,
		       struct assay_err *err)
{
	const uint64_t at = c->at;
	const uint16_t magic = assay_cur_le16(c);
	struct extent_header h;

	h.n = assay_cur_le16(c);
	h.max = assay_cur_le16(c);
	h.depth = assay_cur_le16(c);
	assay_cur_skip(c, 4); /* generation */
	if (assay_cur_done(c, "extent header", err) < 0)
		return -1;
	if (magic != EXTENT_MAGIC || h.max == 0 || h.max > max_room || h.n > h.max)
		return assay_fail(err, ASSAY_E_CORRUPT, at,
				  "extent header 0x%04x with %u of %u entries, room for %u", magic,
				  h.n, h.max, max_room);
	*ret = h;
	return 0;
}

static int take_extent(struct build *b, struct assay_cur *c, uint64_t from, uint64_t to,
		       struct assay_err *err)
{
	const uint64_t at = c->at;
	const uint64_t first = assay_cur_le32(c);
	uint64_t len = assay_cur_le16(c);
	const uint64_t high = assay_cur_le16(c);
	uint64_t start = assay_cur_le32(c) | high << 32;
	const bool written = len <= EXTENT_WRITTEN;

	if (!written)
		len -= EXTENT_WRITTEN;
	if (len == 0 || first < from || first + len > to)
		return assay_fail(err, ASSAY_E_CORRUPT, at,
				  "an extent of %" PRIu64 " blocks at block %" PRIu64
				  " of the file, between %" PRIu64 " and %" PRIu64,
				  len, first, from, to);
	/* Extents may lie beyond the size: room set aside, or another's tree behind it (verity). */
	if (first >= b->n_blocks)
		return 0;
	if (len > b->n_blocks - first)
		len = b->n_blocks - first;
	if (hole_until(b, first, err) < 0)
		return -1;
	return add_blocks(b, written ? start : ASSAY_SRC_HOLE, len, err);
}

static int check_extent_block(const struct build *b, const uint8_t *p,
			      const struct extent_header *h, uint64_t at, struct assay_err *err)
{
	const uint64_t size = assay_ext4_block_size(b->fs);
	const uint64_t tail = EXTENT_SIZE * (1 + (uint64_t)h->max);

	if (!assay_ext4_has_csums(b->fs))
		return 0;
	struct assay_cur c = assay_cur_make(p, size, at);
	assay_cur_skip(&c, tail);
	const uint32_t stored = assay_cur_le32(&c);
	if (assay_cur_done(&c, "the checksum of an extent block", err) < 0)
		return -1;
	if (assay_crc32c(b->node->seed, p, tail) != stored)
		return assay_fail(err, ASSAY_E_CORRUPT, at + tail,
				  "the checksum of an extent block is wrong");
	return 0;
}

/*
 * A node of the tree, for blocks [from, to) of the file. Depths fall by one, and each entry starts
 * where the one before it ended or later, so that this ends.
 */
static int walk_extents(struct build *b, struct assay_cur c, const struct extent_header *h,
			uint64_t from, uint64_t to, struct assay_err *err)
{
	const uint64_t size = assay_ext4_block_size(b->fs);
	ASSAY_AUTO_FREE uint8_t *p = NULL;

	for (unsigned i = 0; i < h->n; i++) {
		if (b->n_entries++ == ASSAY_SRC_MAX_EXTENTS)
			return assay_fail(err, ASSAY_E_LIMIT, c.at, "more than %u extents",
					  ASSAY_SRC_MAX_EXTENTS);
		/* Where the next entry starts, this one has ended. */
		struct assay_cur next = c;
		uint64_t end = to;
		assay_cur_skip(&next, EXTENT_SIZE);
		if (i + 1U < h->n)
			end = assay_cur_le32(&next);
		if (h->depth == 0) {
			if (take_extent(b, &c, from, end, err) < 0)
				return -1;
			from = end;
			continue;
		}
		const uint64_t at = c.at;
		const uint64_t first = assay_cur_le32(&c);
		uint64_t block = assay_cur_le32(&c);
		block |= (uint64_t)assay_cur_le16(&c) << 32;
		assay_cur_skip(&c, 2);
		if (first < from || first >= end || end > to)
			return assay_fail(err, ASSAY_E_CORRUPT, at,
					  "extents of blocks %" PRIu64 " to %" PRIu64
					  " inside those of %" PRIu64 " to %" PRIu64,
					  first, end, from, to);
		p = p ? p : malloc(size);
		if (!p)
			return assay_fail_mem(err);
		if (read_list(b, block, p, err) < 0)
			return -1;
		const uint64_t block_at =
			assay_src_origin(b->fs->src, block << b->fs->sb.block_bits);
		struct assay_cur sub = assay_cur_make(p, size, block_at);
		struct extent_header child;
		if (take_header(&sub, (unsigned)(size / EXTENT_SIZE - 1), &child, err) < 0 ||
		    check_extent_block(b, p, &child, block_at, err) < 0)
			return -1;
		if (child.depth != h->depth - 1 || child.n == 0)
			return assay_fail(
				err, ASSAY_E_CORRUPT, block_at,
				"an extent block of depth %u with %u entries, below one of "
				"depth %u",
				child.depth, child.n, h->depth);
		if (walk_extents(b, sub, &child, first, end, err) < 0)
			return -1;
		from = end;
	}
	return 0;
}

static int map_extents(struct build *b, struct assay_err *err)
{
	struct assay_cur c = assay_cur_make(b->node->i.block, ASSAY_EXT4_I_BLOCK, node_at(b) + 40);
	struct extent_header h;

	if (take_header(&c, ASSAY_EXT4_I_BLOCK / EXTENT_SIZE - 1, &h, err) < 0)
		return -1;
	if (h.depth > EXTENT_MAX_DEPTH || (h.depth > 0 && h.n == 0))
		return assay_fail(err, ASSAY_E_CORRUPT, node_at(b) + 40,
				  "a tree of extents of depth %u with %u entries", h.depth, h.n);
	return walk_extents(b, c, &h, 0, 1ULL << 32, err);
}

/* --- lists of blocks ---- */

/* `level` 0: a block of the file; else one that lists blocks of the level below. */
static int walk_list(struct build *b, uint32_t block, unsigned level, struct assay_err *err)
{
	const unsigned bits = b->fs->sb.block_bits - 2; /* of the number of entries */
	const uint64_t left = b->n_blocks - b->next;
	const uint64_t covers = 1ULL << (bits * level);
	ASSAY_AUTO_FREE uint8_t *p = NULL;

	if (left == 0)
		return 0;
	if (block == 0)
		return add_blocks(b, ASSAY_SRC_HOLE, covers < left ? covers : left, err);
	if (level == 0)
		return add_blocks(b, block, 1, err);
	p = malloc(assay_ext4_block_size(b->fs));
	if (!p)
		return assay_fail_mem(err);
	if (read_list(b, block, p, err) < 0)
		return -1;
	struct assay_cur c = assay_cur_make(p, assay_ext4_block_size(b->fs), 0);
	for (uint64_t i = 0; i < 1ULL << bits && b->next < b->n_blocks; i++)
		if (walk_list(b, assay_cur_le32(&c), level - 1, err) < 0)
			return -1;
	return 0;
}

static int map_list(struct build *b, struct assay_err *err)
{
	struct assay_cur c = assay_cur_make(b->node->i.block, ASSAY_EXT4_I_BLOCK, 0);

	for (unsigned i = 0; i < N_DIRECT; i++)
		if (walk_list(b, assay_cur_le32(&c), 0, err) < 0)
			return -1;
	for (unsigned level = 1; level <= N_LEVELS; level++)
		if (walk_list(b, assay_cur_le32(&c), level, err) < 0)
			return -1;
	if (b->next < b->n_blocks)
		return assay_fail(err, ASSAY_E_CORRUPT, node_at(b),
				  "a size of %" PRIu64 " bytes is more than lists of blocks hold",
				  b->node->i.size);
	return 0;
}

/* --- inside the inode ---- */

static int map_inline(struct build *b, struct assay_err *err)
{
	const uint64_t size = b->node->i.size;
	const uint64_t here = size < ASSAY_EXT4_I_BLOCK ? size : ASSAY_EXT4_I_BLOCK;
	uint64_t rest, len;

	if (!(b->fs->sb.incompat & EXT4_INCOMPAT_INLINE_DATA) || b->node->i.flags & EXT4_FL_EXTENTS)
		return assay_fail(err, ASSAY_E_CORRUPT, node_at(b),
				  "data inside the inode, which is not to have any there");
	if (assay_ext4_inline_rest(b->fs, b->node, &rest, &len, err) < 0)
		return -1;
	if (len > size - here)
		len = size - here;
	/* mke2fs makes files of a single hole such; kernels read zeros. */
	const uint64_t hole = size - here - len;
	if (hole > 0 && b->node->i.st.kind != ASSAY_FS_FILE)
		return assay_fail(err, ASSAY_E_CORRUPT, node_at(b),
				  "a size of %" PRIu64 " bytes, where the inode has %" PRIu64, size,
				  here + len);
	if (assay_extents_add(b->list, b->node->off + 40, here, err) < 0 ||
	    assay_extents_add(b->list, rest, len, err) < 0)
		return -1;
	return assay_extents_add(b->list, ASSAY_SRC_HOLE, hole, err);
}

int assay_ext4_map_with_lists(const struct ext4 *fs, const struct ext4_node *node,
			      struct assay_extents *ret, struct assay_extents *lists,
			      struct assay_err *err)
{
	const uint64_t size = node->i.size;
	struct build b = { .fs = fs, .node = node, .list = ret, .lists = lists };

	b.n_blocks = (size >> fs->sb.block_bits) + (size % assay_ext4_block_size(fs) != 0);
	if (node->i.flags & EXT4_FL_INLINE_DATA)
		return map_inline(&b, err);
	if (!(node->i.flags & EXT4_FL_EXTENTS))
		return map_list(&b, err);
	/* Numbers of blocks of a file have 32 bits. */
	if (b.n_blocks > 1ULL << 32)
		return assay_fail(err, ASSAY_E_CORRUPT, node_at(&b),
				  "a size of %" PRIu64 " bytes is more than extents hold", size);
	if (map_extents(&b, err) < 0)
		return -1;
	return hole_until(&b, b.n_blocks, err);
}

int assay_ext4_map(const struct ext4 *fs, const struct ext4_node *node, struct assay_extents *ret,
		   struct assay_err *err)
{
	return assay_ext4_map_with_lists(fs, node, ret, NULL, err);
}

int assay_ext4_data(const struct ext4 *fs, const struct ext4_node *node, struct assay_src **ret,
		    struct assay_err *err)
{
	struct assay_extents list = { 0 };
	int rc = assay_ext4_map(fs, node, &list, err);

	if (rc == 0)
		rc = assay_src_extents(fs->src, list.e, list.n, ret, err);
	free(list.e);
	return rc;
}
