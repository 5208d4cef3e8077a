/* SPDX-License-Identifier: Apache-2.0 */
/* Shared between ext4.c (superblock), ext4_inode.c, ext4_map.c (where bytes lie) and ext4_dir.c
 * (names). */
#ifndef ASSAY_MEASURE_FS_EXT4_PRIV_H
#define ASSAY_MEASURE_FS_EXT4_PRIV_H

#include "measure/fs/ext4.h"
#include "measure/fs/fs_priv.h"

#define EXT4_COMPAT_JOURNAL 0x0004
#define EXT4_COMPAT_SPARSE_SUPER2 0x0200

#define EXT4_INCOMPAT_COMPRESSION 0x0001
#define EXT4_INCOMPAT_FILETYPE 0x0002
#define EXT4_INCOMPAT_RECOVER 0x0004
#define EXT4_INCOMPAT_JOURNAL_DEV 0x0008
#define EXT4_INCOMPAT_META_BG 0x0010
#define EXT4_INCOMPAT_EXTENTS 0x0040
#define EXT4_INCOMPAT_64BIT 0x0080
#define EXT4_INCOMPAT_MMP 0x0100
#define EXT4_INCOMPAT_FLEX_BG 0x0200
#define EXT4_INCOMPAT_EA_INODE 0x0400
#define EXT4_INCOMPAT_DIRDATA 0x1000
#define EXT4_INCOMPAT_CSUM_SEED 0x2000
#define EXT4_INCOMPAT_LARGEDIR 0x4000
#define EXT4_INCOMPAT_INLINE_DATA 0x8000
#define EXT4_INCOMPAT_ENCRYPT 0x10000
#define EXT4_INCOMPAT_CASEFOLD 0x20000

#define EXT4_RO_SPARSE_SUPER 0x0001
#define EXT4_RO_LARGE_FILE 0x0002
#define EXT4_RO_BTREE_DIR 0x0004
#define EXT4_RO_HUGE_FILE 0x0008
#define EXT4_RO_GDT_CSUM 0x0010
#define EXT4_RO_HAS_SNAPSHOT 0x0080
#define EXT4_RO_BIGALLOC 0x0200
#define EXT4_RO_METADATA_CSUM 0x0400
#define EXT4_RO_SHARED_BLOCKS 0x4000

#define EXT4_FL_ENCRYPT 0x00000800
#define EXT4_FL_INDEX 0x00001000
#define EXT4_FL_EXTENTS 0x00080000
#define EXT4_FL_EA_INODE 0x00200000
#define EXT4_FL_INLINE_DATA 0x10000000
#define EXT4_FL_CASEFOLD 0x40000000

#define EXT4_ROOT 2

struct ext4 {
	struct assay_src *src;
	struct assay_ext4_super sb;
};

/* An inode and where it lies, with what the checksums of its blocks start from. */
struct ext4_node {
	uint32_t number;
	struct assay_ext4_inode i;
	uint64_t off; /* in the filesystem */
	uint32_t seed;
};

static inline uint64_t assay_ext4_block_size(const struct ext4 *fs)
{
	return 1ULL << fs->sb.block_bits;
}

static inline bool assay_ext4_has_csums(const struct ext4 *fs)
{
	return fs->sb.ro_compat & EXT4_RO_METADATA_CSUM;
}

/* --- ext4_group.c --- */

/* Blocks. */
struct ext4_group {
	uint64_t block_bitmap, inode_bitmap;
	uint64_t inodes; /* the first; all of them lie inside the filesystem */
	uint16_t flags;
};
int assay_ext4_group(const struct ext4 *fs, uint32_t group, struct ext4_group *ret,
		     struct assay_err *err) ASSAY_MUST;
bool assay_ext4_has_super(const struct assay_ext4_super *sb, uint32_t group);
/* The block that holds the descriptors of `group`. */
uint64_t assay_ext4_desc_block(const struct ext4 *fs, uint32_t group);

/* --- ext4_inode.c --- */

/* Of one that a name leads to. */

int assay_ext4_node(const struct ext4 *fs, uint64_t number, struct ext4_node *ret,
		    struct assay_err *err) ASSAY_MUST;
/* Reserved ones too: 1 to n_inodes. */
int assay_ext4_any_node(const struct ext4 *fs, uint32_t number, struct ext4_node *ret,
			struct assay_err *err) ASSAY_MUST;
/* Data inside the inode: the bytes that follow those in `block`, as a place in the filesystem. */
int assay_ext4_inline_rest(const struct ext4 *fs, const struct ext4_node *node, uint64_t *ret_off,
			   uint64_t *ret_len, struct assay_err *err) ASSAY_MUST;

/* --- ext4_map.c --- */

/* Where the bytes of a file, directory or link lie, holes included; they make up its size. */
int assay_ext4_map(const struct ext4 *fs, const struct ext4_node *node, struct assay_extents *ret,
		   struct assay_err *err) ASSAY_MUST;
/* The same; and to `lists` the blocks that say so. */
int assay_ext4_map_with_lists(const struct ext4 *fs, const struct ext4_node *node,
			      struct assay_extents *ret, struct assay_extents *lists,
			      struct assay_err *err) ASSAY_MUST;
/* The same as a source. */
int assay_ext4_data(const struct ext4 *fs, const struct ext4_node *node, struct assay_src **ret,
		    struct assay_err *err) ASSAY_MUST;

/* --- ext4_dir.c --- */

int assay_ext4_list(void *fs, uint64_t number, struct assay_dir *ret,
		    struct assay_err *err) ASSAY_MUST;
int assay_ext4_lookup(void *fs, uint64_t dir, const char *name, uint64_t *ret,
		      struct assay_err *err) ASSAY_MUST;

/* --- ext4_layout.c --- */

int assay_ext4_layout(void *fs, struct assay_fs_layout *to, struct assay_err *err) ASSAY_MUST;

#endif
