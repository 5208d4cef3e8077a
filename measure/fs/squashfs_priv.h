/* SPDX-License-Identifier: Apache-2.0 */
/* Shared between squashfs.c (superblock, the row), _meta.c, _inode.c, _dir.c and _data.c. */
#ifndef ASSAY_MEASURE_FS_SQUASHFS_PRIV_H
#define ASSAY_MEASURE_FS_SQUASHFS_PRIV_H

#include <stdatomic.h>

#include "core/limits.h"
#include "measure/fs/blocks.h"
#include "measure/fs/squashfs.h"
#include "measure/fs/squashfs_lib.h"

#define SQFS_META_MAX 8192
#define SQFS_META_SLOTS 128 /* 1 MiB: a directory's inodes lie together */
#define SQFS_NO_FRAGMENT UINT32_MAX

/* A metadata block, unpacked. */
struct sqfs_meta {
	uint64_t at;
	uint64_t next; /* where the one after it lies */
	size_t len;
	uint8_t data[SQFS_META_MAX];
};

struct squashfs {
	atomic_uint refs; /* the row's, and one of each open file */
	struct assay_src *src;
	struct assay_sqfs_super super;
	struct assay_sqfs_packer *packer;
	struct assay_blocks *blocks;
	struct sqfs_meta *meta[SQFS_META_SLOTS]; /* one thread at a time */
};

void assay_sqfs_unref(struct squashfs *sq);

/* --- squashfs_meta.c --- */

/* A place in metadata; reading moves it on. */
struct sqfs_pos {
	uint64_t block; /* in the filesystem's source */
	size_t off;
	uint64_t end; /* of the table: no block starts there or later */
};
int assay_sqfs_meta_read(struct squashfs *sq, struct sqfs_pos *pos, void *buf, size_t len,
			 const char *what, struct assay_err *err) ASSAY_MUST;
/* Where it is, for errors: the packed block's place in the outermost file. */
uint64_t assay_sqfs_meta_at(const struct squashfs *sq, const struct sqfs_pos *pos);
/* Entry `i` of a table that has an index of metadata blocks; `size` divides SQFS_META_MAX. */
int assay_sqfs_table_read(struct squashfs *sq, uint64_t index, uint32_t i, void *buf, size_t size,
			  const char *what, struct assay_err *err) ASSAY_MUST;

/* --- squashfs_inode.c --- */

struct sqfs_inode {
	struct assay_fs_stat st;
	struct sqfs_pos rest; /* behind the fixed fields: block list, link's target */
	uint64_t at;	      /* of the inode, for errors */
	uint16_t type;	      /* the basic one, 1 to 7 */
	/* of a directory */
	uint32_t dir_block, dir_off, dir_size;
	/* of a file */
	uint64_t start;
	uint32_t fragment, fragment_off;
	/* of a symbolic link */
	uint32_t target_len;
};
int assay_sqfs_inode(struct squashfs *sq, uint64_t node, struct sqfs_inode *ret,
		     struct assay_err *err) ASSAY_MUST;

/* --- squashfs_dir.c --- */

int assay_sqfs_list(void *fs, uint64_t node, struct assay_dir *ret,
		    struct assay_err *err) ASSAY_MUST;
int assay_sqfs_lookup(void *fs, uint64_t dir, const char *name, uint64_t *ret,
		      struct assay_err *err) ASSAY_MUST;

/* --- squashfs_data.c --- */

int assay_sqfs_open_file(void *fs, uint64_t node, struct assay_src **ret,
			 struct assay_err *err) ASSAY_MUST;
int assay_sqfs_extents(void *fs, uint64_t node, struct assay_extent **ret, size_t *ret_n,
		       struct assay_err *err) ASSAY_MUST;
assay_unpack_fn assay_sqfs_unpack_block;

/* --- squashfs_layout.c --- */

int assay_sqfs_layout(void *fs, struct assay_fs_layout *to, struct assay_err *err) ASSAY_MUST;

#endif
