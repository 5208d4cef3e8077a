/* SPDX-License-Identifier: Apache-2.0 */
/* Shared between erofs.c (superblock, inodes), erofs_map.c (where bytes lie) and erofs_dir.c
 * (names). */
#ifndef ASSAY_MEASURE_FS_EROFS_PRIV_H
#define ASSAY_MEASURE_FS_EROFS_PRIV_H

#include "measure/fs/erofs.h"
#include "measure/fs/fs_priv.h"

struct erofs {
	struct assay_src *src;
	struct assay_erofs_super sb;
};

/* --- erofs.c --- */

/* `ret_off`: where it starts in the filesystem. */
int assay_erofs_inode(const struct erofs *fs, uint64_t nid, struct assay_erofs_inode *ret,
		      uint64_t *ret_off, struct assay_err *err) ASSAY_MUST;

/* --- erofs_map.c --- */

/* Where the bytes of an inode at `off` lie, holes included; they make up its size. */
int assay_erofs_map(const struct erofs *fs, const struct assay_erofs_inode *inode, uint64_t off,
		    struct assay_extents *ret, struct assay_err *err) ASSAY_MUST;
/* Of an inode whose data are in chunks: the table that says where. */
int assay_erofs_chunk_table(const struct erofs *fs, const struct assay_erofs_inode *inode,
			    uint64_t off, uint64_t *ret_off, uint64_t *ret_len,
			    struct assay_err *err) ASSAY_MUST;
/* The same as a source. */
int assay_erofs_data(const struct erofs *fs, const struct assay_erofs_inode *inode, uint64_t off,
		     struct assay_src **ret, struct assay_err *err) ASSAY_MUST;

/* --- erofs_dir.c --- */

int assay_erofs_list(void *fs, uint64_t nid, struct assay_dir *ret,
		     struct assay_err *err) ASSAY_MUST;
int assay_erofs_lookup(void *fs, uint64_t dir, const char *name, uint64_t *ret,
		       struct assay_err *err) ASSAY_MUST;

/* --- erofs_layout.c --- */

int assay_erofs_layout(void *fs, struct assay_fs_layout *to, struct assay_err *err) ASSAY_MUST;

#endif
