/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ext2, ext3 and ext4, as a read-only mount shows them (Linux Documentation/filesystems/ext4; where
 * it leaves room, fs/ext4 decides):
 *
 * - A journal is never replayed: a filesystem that needs it is refused by name, since a mount would
 * show another.
 * - Checksums of superblock, group descriptors, inodes, extent blocks and directory blocks are
 * checked where the filesystem has them.
 * - Files by extents, by block lists (ext2, ext3) and inside the inode; holes and extents that were
 * not written yet read as zeros, and nothing beyond the size is read.
 * - Directories are read from front to back; the hash tree over them is an index that is checked
 * for damage alone.
 * - What is encrypted is refused by name. In directories that ignore case only the exact spelling
 * is found.
 */
#ifndef ASSAY_MEASURE_FS_EXT4_H
#define ASSAY_MEASURE_FS_EXT4_H

#include "core/cur.h"
#include "measure/fs/fs.h"

#define ASSAY_EXT4_SUPER_AT 1024
#define ASSAY_EXT4_SUPER_SIZE 1024

struct assay_ext4_super {
	uint32_t compat, incompat, ro_compat;
	unsigned block_bits;
	uint64_t n_blocks;
	uint32_t n_inodes;
	uint32_t n_groups;
	uint32_t first_block; /* of the first group */
	uint32_t blocks_per_group;
	uint32_t inodes_per_group;
	uint32_t first_inode; /* those below, but for the root, have no names */
	uint32_t inode_size;
	uint32_t cluster_size;
	uint32_t desc_size;	/* of a group descriptor */
	uint32_t first_meta_bg; /* from this block of descriptors on they lie in their groups */
	uint32_t backups[2];	/* groups with a superblock (sparse_super2) */
	uint8_t uuid[16];
	uint32_t seed;	   /* of the checksums */
	uint32_t checksum; /* the superblock's own */
};

/* Looks at bytes only. ASSAY_E_UNSUPPORTED names the feature that is refused. */
int assay_ext4_parse_super(struct assay_cur in, struct assay_ext4_super *ret,
			   struct assay_err *err) ASSAY_MUST;

#define ASSAY_EXT4_I_BLOCK 60

struct assay_ext4_inode {
	struct assay_fs_stat st; /* without its number */
	uint64_t size;		 /* of anything */
	uint32_t flags;
	uint32_t generation;
	uint64_t n_sectors;  /* that its data and attributes take, as the inode counts them */
	uint64_t attributes; /* block of extended attributes, or 0 */
	uint8_t block[ASSAY_EXT4_I_BLOCK];
	uint32_t extra; /* bytes of fixed fields after the first 128 */
};

/* An inode's inode_size bytes. Checksums are the caller's to check. */
int assay_ext4_parse_inode(struct assay_cur in, const struct assay_ext4_super *sb,
			   struct assay_ext4_inode *ret, struct assay_err *err) ASSAY_MUST;

#endif
