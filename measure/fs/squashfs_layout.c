/* SPDX-License-Identifier: Apache-2.0 */
/* squashfs: where its own structures lie. */
#include "measure/fs/fs_priv.h"
#include "measure/fs/squashfs_priv.h"

#define FLAG_OPTIONS 0x0400 /* compression options behind the superblock */

static int le_at(struct squashfs *sq, uint64_t at, unsigned bytes, uint64_t *ret,
		 struct assay_err *err)
{
	uint8_t b[8];

	if (assay_src_read(sq->src, at, b, bytes, err) < 0)
		return -1;
	struct assay_cur c = assay_cur_make(b, bytes, assay_src_origin(sq->src, at));

	*ret = bytes == 2   ? assay_cur_le16(&c)
	       : bytes == 4 ? assay_cur_le32(&c)
			    : assay_cur_le64(&c);
	return assay_cur_done(&c, "squashfs table", err);
}

/* A table: its first metadata block lies where `first` bytes from its index begin to tell. */
static int add_table(struct squashfs *sq, struct assay_fs_layout *to, uint64_t index,
		     uint64_t first, uint64_t len, const char *what, uint64_t *dir_end,
		     struct assay_err *err)
{
	uint64_t start;

	if (index == ASSAY_SQFS_NONE)
		return 0;
	if (le_at(sq, index + first, 8, &start, err) < 0)
		return -1;
	/* An index that points elsewhere: whoever uses the table is told so. */
	if (start > index || start < sq->super.dir_table)
		start = index;
	if (start < *dir_end)
		*dir_end = start;
	return assay_fs_layout_add(to, start, index + len - start, what, err);
}

static uint64_t index_len(uint64_t n, uint64_t size)
{
	return (n * size + SQFS_META_MAX - 1) / SQFS_META_MAX * 8;
}

int assay_sqfs_layout(void *fs, struct assay_fs_layout *to, struct assay_err *err)
{
	struct squashfs *sq = fs;
	const struct assay_sqfs_super *s = &sq->super;
	uint64_t dir_end = s->dir_end, n;

	if (assay_fs_layout_add(to, 0, ASSAY_SQFS_SUPER, "superblock", err) < 0)
		return -1;
	if (s->flags & FLAG_OPTIONS && (le_at(sq, ASSAY_SQFS_SUPER, 2, &n, err) < 0 ||
					assay_fs_layout_add(to, ASSAY_SQFS_SUPER, 2 + (n & 0x7fff),
							    "compression options", err) < 0))
		return -1;
	if (add_table(sq, to, s->fragment_table, 0, index_len(s->fragments, 16), "fragment table",
		      &dir_end, err) < 0 ||
	    add_table(sq, to, s->export_table, 0, index_len(s->inodes, 8), "export table", &dir_end,
		      err) < 0 ||
	    add_table(sq, to, s->id_table, 0, index_len(s->ids, 4), "id table", &dir_end, err) < 0)
		return -1;
	if (s->xattr_table != ASSAY_SQFS_NONE) {
		if (le_at(sq, s->xattr_table + 8, 4, &n, err) < 0 ||
		    add_table(sq, to, s->xattr_table, 0, 16 + index_len(n, 16), "attribute table",
			      &dir_end, err) < 0)
			return -1;
	}
	if (assay_fs_layout_add(to, s->inode_table, s->dir_table - s->inode_table, "inode table",
				err) < 0 ||
	    assay_fs_layout_add(to, s->dir_table, dir_end - s->dir_table, "directory table", err) <
		    0)
		return -1;
	return assay_fs_layout_add(to, s->size, assay_src_size(sq->src) - s->size, "padding", err);
}
