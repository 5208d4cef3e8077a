/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EROFS, as far as it is not compressed (Linux fs/erofs/erofs_fs.h; the kernel's reader decides
 * where the header leaves room):
 *
 * - Blocks of 512 bytes to 64 KiB, the superblock's checksum checked when it has one. One device
 * only: blobs beside the image, 48-bit block addresses and metadata boxes are refused by name.
 * - Inodes compact and extended; data plain, with its tail beside the inode, or in chunks (holes
 * read as zeros). A compressed file is listed, and refused by name when it is opened.
 * - Names in a directory must ascend, as the kernel's binary search takes for granted.
 */
#ifndef ASSAY_MEASURE_FS_EROFS_H
#define ASSAY_MEASURE_FS_EROFS_H

#include "core/cur.h"
#include "measure/fs/fs.h"

#define ASSAY_EROFS_SUPER_AT 1024
#define ASSAY_EROFS_SUPER_SIZE 128

struct assay_erofs_super {
	unsigned block_bits;
	bool has_checksum;
	uint32_t checksum;
	uint64_t root_nid;
	uint64_t meta_off; /* bytes: inode 0 */
	uint64_t size;	   /* bytes that the filesystem takes */
	int64_t build_time;
};

/* Looks at bytes only; the caller checks the checksum and the size against what it has. */
int assay_erofs_parse_super(struct assay_cur in, struct assay_erofs_super *ret,
			    struct assay_err *err) ASSAY_MUST;

enum assay_erofs_layout {
	ASSAY_EROFS_PLAIN = 0,
	ASSAY_EROFS_COMPRESSED_FULL = 1,
	ASSAY_EROFS_INLINE = 2,
	ASSAY_EROFS_COMPRESSED_COMPACT = 3,
	ASSAY_EROFS_CHUNKS = 4,
};

struct assay_erofs_inode {
	enum assay_erofs_layout layout;
	struct assay_fs_stat st; /* without its number */
	uint64_t size;		 /* of anything */
	uint32_t data;		 /* first block, device number or chunk format */
	uint32_t after;		 /* bytes of inode and extended attributes: what follows them */
};

/* An inode's first 32 or 64 bytes; `now` is what compact ones have as their time. */
int assay_erofs_parse_inode(struct assay_cur in, int64_t now, struct assay_erofs_inode *ret,
			    struct assay_err *err) ASSAY_MUST;

struct assay_erofs_name {
	uint64_t nid;
	uint8_t type;	  /* FT_* of the format: 1 file, 2 directory, 7 symbolic link */
	const char *name; /* borrowed, of `len` bytes, no NUL after them */
	size_t len;
	uint64_t at;
};
/* Returns 0 to go on, -1 on error. */
typedef int assay_erofs_name_fn(const struct assay_erofs_name *e, void *arg, struct assay_err *err);
/* Each name of one block of a directory, with "." and "..", in order. */
int assay_erofs_parse_names(struct assay_cur in, assay_erofs_name_fn *fn, void *arg,
			    struct assay_err *err) ASSAY_MUST;

#endif
