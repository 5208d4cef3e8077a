/* SPDX-License-Identifier: Apache-2.0 */
/*
 * squashfs 4.0 (Linux, Documentation/filesystems/squashfs.rst and fs/squashfs; where these leave
 * room, what mksquashfs writes):
 *
 * - A node is an inode's reference: the place of its metadata block in the inode table, times
 * 65536, and its place in that block.
 * - Names in a directory ascend, as the kernel's search wants it; a directory where they do not is
 *   refused: the kernel would list a name and not find it.
 * - A data block unpacks to exactly what the file has there. Compression options are passed over:
 *   none of them is needed to unpack.
 * - Extended attributes are not read.
 */
#ifndef ASSAY_MEASURE_FS_SQUASHFS_H
#define ASSAY_MEASURE_FS_SQUASHFS_H

#include "core/cur.h"
#include "measure/fs/fs.h"

#define ASSAY_SQFS_SUPER 96
#define ASSAY_SQFS_NONE UINT64_MAX /* a table that is not there */

struct assay_sqfs_super {
	uint32_t inodes;
	uint32_t block_size;
	uint32_t fragments;
	uint16_t packer; /* the number of the compression */
	uint16_t flags;
	uint16_t ids;
	uint64_t root;
	uint64_t size; /* of the filesystem; what follows is padding */
	uint64_t id_table, xattr_table, inode_table, dir_table, fragment_table, export_table;
	uint64_t dir_end; /* of the directory table: the next one, or its index, lies here */
};

/* The superblock's 96 bytes, against the size of what holds the filesystem. */
int assay_sqfs_parse_super(struct assay_cur in, uint64_t holder, struct assay_sqfs_super *ret,
			   struct assay_err *err) ASSAY_MUST;

#endif
