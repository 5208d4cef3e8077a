/* SPDX-License-Identifier: Apache-2.0 */
/* squashfs: inodes. */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "measure/fs/squashfs_priv.h"

#define HEAD 16
#define LONGEST 40 /* of what follows the head, up to lists and names */

enum { DIR = 1, FILE_ = 2, SYMLINK = 3, BLOCK = 4, CHAR = 5, FIFO = 6, SOCKET = 7 };
#define EXTENDED 7 /* extended types are basic ones plus this */

/* Bytes after the head, up to lists and names. */
static const uint8_t lengths[] = {
	[DIR] = 16,
	[FILE_] = 16,
	[SYMLINK] = 8,
	[BLOCK] = 8,
	[CHAR] = 8,
	[FIFO] = 4,
	[SOCKET] = 4,
	[DIR + EXTENDED] = 24,
	[FILE_ + EXTENDED] = 40,
	[SYMLINK + EXTENDED] = 8, /* the attributes follow the target */
	[BLOCK + EXTENDED] = 12,
	[CHAR + EXTENDED] = 12,
	[FIFO + EXTENDED] = 8,
	[SOCKET + EXTENDED] = 8,
};

static void decode_dir(struct assay_cur *c, bool extended, struct sqfs_inode *in)
{
	if (!extended) {
		in->dir_block = assay_cur_le32(c);
		in->st.links = assay_cur_le32(c);
		in->dir_size = assay_cur_le16(c);
		in->dir_off = assay_cur_le16(c);
		assay_cur_skip(c, 4); /* parent */
	} else {
		in->st.links = assay_cur_le32(c);
		in->dir_size = assay_cur_le32(c);
		in->dir_block = assay_cur_le32(c);
		assay_cur_skip(c, 4 + 2); /* parent, index entries */
		in->dir_off = assay_cur_le16(c);
		assay_cur_skip(c, 4); /* attributes */
	}
	in->st.kind = ASSAY_FS_DIR;
	in->st.mode |= S_IFDIR;
}

static void decode_file(struct assay_cur *c, bool extended, struct sqfs_inode *in)
{
	if (!extended) {
		in->start = assay_cur_le32(c);
		in->fragment = assay_cur_le32(c);
		in->fragment_off = assay_cur_le32(c);
		in->st.size = assay_cur_le32(c);
		in->st.links = 1;
	} else {
		in->start = assay_cur_le64(c);
		in->st.size = assay_cur_le64(c);
		assay_cur_skip(c, 8); /* bytes in holes */
		in->st.links = assay_cur_le32(c);
		in->fragment = assay_cur_le32(c);
		in->fragment_off = assay_cur_le32(c);
		assay_cur_skip(c, 4); /* attributes */
	}
	in->st.kind = ASSAY_FS_FILE;
	in->st.mode |= S_IFREG;
}

static void decode_other(struct assay_cur *c, uint16_t type, bool extended, struct sqfs_inode *in)
{
	in->st.kind = ASSAY_FS_OTHER;
	in->st.links = assay_cur_le32(c);
	switch (type) {
	case SYMLINK:
		in->target_len = assay_cur_le32(c);
		in->st.size = in->target_len;
		in->st.kind = ASSAY_FS_SYMLINK;
		in->st.mode |= S_IFLNK;
		return;
	case FIFO:
		in->st.mode |= S_IFIFO;
		break;
	case SOCKET:
		in->st.mode |= S_IFSOCK;
		break;
	default: {
		/* As the kernel's new_encode_dev() packs it: 12 bits of major among 20 of minor. */
		const uint32_t dev = assay_cur_le32(c);

		in->st.major = dev >> 8 & 0xfff;
		in->st.minor = (dev & 0xff) | (dev >> 12 & 0xfff00);
		in->st.mode |= type == BLOCK ? S_IFBLK : S_IFCHR;
	}
	}
	if (extended)
		assay_cur_skip(c, 4); /* attributes */
}

static int read_id(struct squashfs *sq, uint16_t i, uint64_t at, uint32_t *ret,
		   struct assay_err *err)
{
	uint8_t b[4];

	if (i >= sq->super.ids)
		return assay_fail(err, ASSAY_E_CORRUPT, at, "inode: owner %u of a table of %u", i,
				  sq->super.ids);
	if (assay_sqfs_table_read(sq, sq->super.id_table, i, b, sizeof(b), "id table", err) < 0)
		return -1;
	struct assay_cur c = assay_cur_make(b, sizeof(b), at);

	*ret = assay_cur_le32(&c);
	return assay_cur_done(&c, "id table", err);
}

int assay_sqfs_inode(struct squashfs *sq, uint64_t node, struct sqfs_inode *ret,
		     struct assay_err *err)
{
	struct sqfs_inode in = { 0 };
	struct sqfs_pos pos = { .block = sq->super.inode_table + (node >> 16),
				.off = node & 0xffff,
				.end = sq->super.dir_table };
	uint8_t b[HEAD + LONGEST];
	uint16_t uid, gid;

	in.at = assay_sqfs_meta_at(sq, &pos);
	if (assay_sqfs_meta_read(sq, &pos, b, HEAD, "inode", err) < 0)
		return -1;
	struct assay_cur c = assay_cur_make(b, HEAD, in.at);

	in.type = assay_cur_le16(&c);
	in.st.mode = assay_cur_le16(&c) & 07777;
	uid = assay_cur_le16(&c);
	gid = assay_cur_le16(&c);
	in.st.mtime = assay_cur_le32(&c);
	in.st.inode = assay_cur_le32(&c);
	if (assay_cur_done(&c, "inode", err) < 0)
		return -1;
	if (in.type >= sizeof(lengths) || lengths[in.type] == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, in.at, "inode of type %u", in.type);
	if (in.st.inode == 0 || in.st.inode > sq->super.inodes)
		return assay_fail(err, ASSAY_E_CORRUPT, in.at,
				  "inode number %" PRIu64 " of %" PRIu32, in.st.inode,
				  sq->super.inodes);
	if (assay_sqfs_meta_read(sq, &pos, b + HEAD, lengths[in.type], "inode", err) < 0)
		return -1;
	c = assay_cur_make(b + HEAD, lengths[in.type], in.at);
	const bool extended = in.type > EXTENDED;

	if (extended)
		in.type -= EXTENDED;
	if (in.type == DIR)
		decode_dir(&c, extended, &in);
	else if (in.type == FILE_)
		decode_file(&c, extended, &in);
	else
		decode_other(&c, in.type, extended, &in);
	if (assay_cur_done(&c, "inode", err) < 0 || read_id(sq, uid, in.at, &in.st.uid, err) < 0 ||
	    read_id(sq, gid, in.at, &in.st.gid, err) < 0)
		return -1;
	in.rest = pos;
	*ret = in;
	return 0;
}
