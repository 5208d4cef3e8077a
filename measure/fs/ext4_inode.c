/* SPDX-License-Identifier: Apache-2.0 */
/* ext4: inodes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/num.h"
#include "measure/disk/crc32.h"
#include "measure/fs/ext4_priv.h"

#define OLD_SIZE 128
#define I_BLOCK_AT 40
#define CHECKSUM_LOW 124
#define CHECKSUM_HIGH 130
#define MTIME_EXTRA 136

/* --- inodes ---- */

/* In the block list's place: a number of 8 + 8 bits, or behind it one of 12 + 20. */
static void take_device(struct assay_ext4_inode *inode)
{
	struct assay_cur c = assay_cur_make(inode->block, sizeof(inode->block), 0);
	const uint32_t old = assay_cur_le32(&c);
	const uint32_t new = assay_cur_le32(&c);

	if (old) {
		inode->st.major = (old >> 8) & 0xff;
		inode->st.minor = old & 0xff;
	} else {
		inode->st.major = (new >> 8) & 0xfff;
		inode->st.minor = (new & 0xff) | ((new >> 12) & 0xfff00);
	}
}

int assay_ext4_parse_inode(struct assay_cur in, const struct assay_ext4_super *sb,
			   struct assay_ext4_inode *ret, struct assay_err *err)
{
	const uint64_t at = in.at;
	struct assay_ext4_inode inode = { 0 };
	struct assay_cur more = in;

	inode.st.mode = assay_cur_le16(&in);
	inode.st.uid = assay_cur_le16(&in);
	inode.size = assay_cur_le32(&in);
	assay_cur_skip(&in, 8); /* access and change */
	inode.st.mtime = (int32_t)assay_cur_le32(&in);
	assay_cur_skip(&in, 4); /* deletion */
	inode.st.gid = assay_cur_le16(&in);
	inode.st.links = assay_cur_le16(&in);
	inode.n_sectors = assay_cur_le32(&in);
	inode.flags = assay_cur_le32(&in);
	assay_cur_skip(&in, 4);
	assay_cur_copy(&in, inode.block, sizeof(inode.block));
	inode.generation = assay_cur_le32(&in);
	inode.attributes = assay_cur_le32(&in);
	const uint64_t size_high = assay_cur_le32(&in);
	assay_cur_skip(&in, 4);
	const uint64_t sectors_high = assay_cur_le16(&in);
	const uint64_t attributes_high = assay_cur_le16(&in);
	inode.st.uid |= (uint32_t)assay_cur_le16(&in) << 16;
	inode.st.gid |= (uint32_t)assay_cur_le16(&in) << 16;
	assay_cur_skip(&in, 4);
	if (sb->inode_size > OLD_SIZE)
		inode.extra = assay_cur_le16(&in);
	assay_cur_skip(&more, sb->inode_size);
	if (assay_cur_done(&in, "inode", err) < 0 || assay_cur_done(&more, "inode", err) < 0)
		return -1;

	if (inode.extra % 4 != 0 || inode.extra > sb->inode_size - OLD_SIZE)
		return assay_fail(err, ASSAY_E_CORRUPT, at + OLD_SIZE,
				  "%" PRIu32 " bytes of extra fields", inode.extra);
	if (assay_fs_kind_of(inode.st.mode, &inode.st.kind) < 0)
		return assay_fail(err, ASSAY_E_CORRUPT, at, "file type 0%o",
				  inode.st.mode & S_IFMT);
	if (inode.st.links == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 26, "it is deleted");
	if (inode.st.kind == ASSAY_FS_FILE || sb->incompat & EXT4_INCOMPAT_LARGEDIR)
		inode.size |= size_high << 32;
	if (inode.size > INT64_MAX)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 4, "a size of %" PRIu64 " bytes",
				  inode.size);
	if (sb->ro_compat & EXT4_RO_HUGE_FILE)
		inode.n_sectors |= sectors_high << 32;
	if (sb->incompat & EXT4_INCOMPAT_64BIT)
		inode.attributes |= attributes_high << 32;
	if (inode.extra >= MTIME_EXTRA + 4 - OLD_SIZE) {
		/* The two lowest bits are seconds' bits 32 and 33, the others nanoseconds. */
		assay_cur_skip(&in, MTIME_EXTRA - OLD_SIZE - 2);
		const uint32_t extra = assay_cur_le32(&in);

		inode.st.mtime += (int64_t)(extra & 3) << 32;
		inode.st.mtime_nsec = extra >> 2;
	}
	if (inode.st.kind == ASSAY_FS_FILE || inode.st.kind == ASSAY_FS_SYMLINK)
		inode.st.size = inode.size;
	if (S_ISCHR(inode.st.mode) || S_ISBLK(inode.st.mode))
		take_device(&inode);
	*ret = inode;
	return 0;
}

/* The checksum stands in two halves; small inodes have the lower one alone. */
static bool inode_matches(const struct ext4 *fs, const uint8_t *b, uint32_t extra, uint32_t seed)
{
	static const uint8_t zeros[2];
	struct assay_cur c = assay_cur_make(b, fs->sb.inode_size, 0);
	const uint32_t size = fs->sb.inode_size;
	const bool whole = extra >= CHECKSUM_HIGH + 2 - OLD_SIZE;
	uint32_t crc, stored;

	assay_cur_skip(&c, CHECKSUM_LOW);
	stored = assay_cur_le16(&c);
	crc = assay_crc32c(seed, b, CHECKSUM_LOW);
	crc = assay_crc32c(crc, zeros, sizeof(zeros));
	crc = assay_crc32c(crc, b + CHECKSUM_LOW + 2, OLD_SIZE - CHECKSUM_LOW - 2);
	if (!whole) {
		crc = assay_crc32c(crc, b + OLD_SIZE, size - OLD_SIZE);
		return (crc & 0xffff) == stored;
	}
	assay_cur_skip(&c, CHECKSUM_HIGH - CHECKSUM_LOW - 2);
	stored |= (uint32_t)assay_cur_le16(&c) << 16;
	crc = assay_crc32c(crc, b + OLD_SIZE, CHECKSUM_HIGH - OLD_SIZE);
	crc = assay_crc32c(crc, zeros, sizeof(zeros));
	crc = assay_crc32c(crc, b + CHECKSUM_HIGH + 2, size - CHECKSUM_HIGH - 2);
	return crc == stored;
}

static int take_node(const struct ext4 *fs, const uint8_t *b, struct ext4_node *node,
		     struct assay_err *err)
{
	const uint64_t at = assay_src_origin(fs->src, node->off);
	uint8_t le[4];

	if (assay_ext4_parse_inode(assay_cur_make(b, fs->sb.inode_size, at), &fs->sb, &node->i,
				   err) < 0)
		return -1;
	assay_put_le32(le, node->number);
	node->seed = assay_crc32c(fs->sb.seed, le, sizeof(le));
	assay_put_le32(le, node->i.generation);
	node->seed = assay_crc32c(node->seed, le, sizeof(le));
	if (assay_ext4_has_csums(fs) && !inode_matches(fs, b, node->i.extra, node->seed))
		return assay_fail(err, ASSAY_E_CORRUPT, at, "its checksum is wrong");
	if (node->i.flags & EXT4_FL_EA_INODE)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 32,
				  "it holds an extended attribute, and has a name");
	node->i.st.inode = node->number;
	return 0;
}

int assay_ext4_any_node(const struct ext4 *fs, uint32_t number, struct ext4_node *ret,
			struct assay_err *err)
{
	const struct assay_ext4_super *sb = &fs->sb;
	ASSAY_AUTO_FREE uint8_t *b = NULL;
	struct ext4_node node = { .number = number };
	struct ext4_group group;

	if (assay_ext4_group(fs, (number - 1) / sb->inodes_per_group, &group, err) < 0)
		return assay_wrap(err, "inode %" PRIu32, number);
	node.off = (group.inodes << sb->block_bits) +
		   (uint64_t)((node.number - 1) % sb->inodes_per_group) * sb->inode_size;
	if (assay_src_read_alloc(fs->src, node.off, sb->inode_size, sb->inode_size, &b, err) < 0 ||
	    take_node(fs, b, &node, err) < 0)
		return assay_wrap(err, "inode %" PRIu32, number);
	*ret = node;
	return 0;
}

int assay_ext4_node(const struct ext4 *fs, uint64_t number, struct ext4_node *ret,
		    struct assay_err *err)
{
	if (number > fs->sb.n_inodes || (number != EXT4_ROOT && number < fs->sb.first_inode))
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(fs->src, 0),
				  "a name for inode %" PRIu64, number);
	return assay_ext4_any_node(fs, (uint32_t)number, ret, err);
}

/* --- data inside the inode ---- */

#define ATTR_MAGIC 0xea020000
#define ATTR_SYSTEM 7

/* The attribute system.data, behind the fixed fields. */
int assay_ext4_inline_rest(const struct ext4 *fs, const struct ext4_node *node, uint64_t *ret_off,
			   uint64_t *ret_len, struct assay_err *err)
{
	const uint32_t from = OLD_SIZE + node->i.extra;
	ASSAY_AUTO_FREE uint8_t *b = NULL;
	struct assay_cur c, first;

	if (assay_src_read_alloc(fs->src, node->off, fs->sb.inode_size, fs->sb.inode_size, &b,
				 err) < 0)
		return -1;
	c = assay_cur_make(b, fs->sb.inode_size, assay_src_origin(fs->src, node->off));
	assay_cur_skip(&c, from);
	const uint32_t magic = assay_cur_le32(&c);
	if (c.bad || magic != ATTR_MAGIC)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(fs->src, node->off),
				  "no extended attributes, which its data is to be among");
	first = c; /* values count from here */
	/* Four bytes of zeros end the list. */
	while (c.left >= 4 && (c.p[0] | c.p[1] | c.p[2] | c.p[3]) != 0) {
		const uint8_t name_len = assay_cur_u8(&c);
		const uint8_t index = assay_cur_u8(&c);
		const uint32_t value = assay_cur_le16(&c);
		const uint32_t other = assay_cur_le32(&c);
		const uint32_t size = assay_cur_le32(&c);
		assay_cur_skip(&c, 4); /* hash */
		const uint8_t *name = assay_cur_take(&c, name_len);
		assay_cur_skip(&c, -(uint32_t)name_len & 3);
		if (c.bad)
			return assay_cur_done(&c, "an extended attribute", err);
		if (index != ATTR_SYSTEM || name_len != 4 || memcmp(name, "data", 4) != 0)
			continue;
		if (other != 0 || !assay_range_inside(value, size, first.left))
			break;
		*ret_off = node->off + from + 4 + value;
		*ret_len = size;
		return 0;
	}
	return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(fs->src, node->off),
			  "no data among its extended attributes");
}
