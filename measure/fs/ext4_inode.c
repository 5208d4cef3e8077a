/* SPDX-License-Identifier: Apache-2.0 */
/* ext4: group descriptors and inodes. */
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
#define MAX_DESC 1024
#define DESC_CHECKSUM 30
#define DESC_HALF 32

/* --- group descriptors ---- */

static bool power_of(uint32_t n, uint32_t base)
{
	while (n % base == 0)
		n /= base;
	return n == 1;
}

static bool has_super(const struct assay_ext4_super *sb, uint32_t group)
{
	if (group == 0)
		return true;
	if (sb->compat & EXT4_COMPAT_SPARSE_SUPER2)
		return group == sb->backups[0] || group == sb->backups[1];
	if (group == 1 || !(sb->ro_compat & EXT4_RO_SPARSE_SUPER))
		return true;
	return power_of(group, 3) || power_of(group, 5) || power_of(group, 7);
}

/* The block that holds the descriptors of `group`. */
static uint64_t desc_block(const struct ext4 *fs, uint32_t group)
{
	const struct assay_ext4_super *sb = &fs->sb;
	const uint32_t per_block = (1U << sb->block_bits) / sb->desc_size;
	const uint32_t nr = group / per_block;

	if (!(sb->incompat & EXT4_INCOMPAT_META_BG) || nr < sb->first_meta_bg)
		return (ASSAY_EXT4_SUPER_AT >> sb->block_bits) + nr + 1;
	/* In the first of the groups that it describes, behind a superblock if there is one. */
	uint64_t block = sb->first_block + (uint64_t)nr * per_block * sb->blocks_per_group +
			 has_super(sb, nr * per_block);
	/* Blocks of 1 KiB numbered from 0 (bigalloc): the first is the boot block. */
	if (sb->block_bits == 10 && nr == 0 && sb->first_block == 0)
		block++;
	return block;
}

/* CRC-16, reflected 0xa001, as uninit_bg has it. */
static uint16_t crc16(uint16_t crc, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)(crc >> 1 ^ (crc & 1 ? 0xa001 : 0));
	}
	return crc;
}

static bool desc_matches(const struct assay_ext4_super *sb, uint32_t group, const uint8_t *desc,
			 uint16_t checksum)
{
	static const uint8_t zeros[2];
	uint8_t number[4];

	assay_put_le32(number, group);
	if (sb->ro_compat & EXT4_RO_METADATA_CSUM) {
		uint32_t crc = assay_crc32c(sb->seed, number, sizeof(number));

		crc = assay_crc32c(crc, desc, DESC_CHECKSUM);
		crc = assay_crc32c(crc, zeros, sizeof(zeros));
		crc = assay_crc32c(crc, desc + DESC_HALF, sb->desc_size - DESC_HALF);
		return (crc & 0xffff) == checksum;
	}
	if (sb->ro_compat & EXT4_RO_GDT_CSUM) {
		uint16_t crc = crc16(UINT16_MAX, sb->uuid, sizeof(sb->uuid));

		crc = crc16(crc, number, sizeof(number));
		crc = crc16(crc, desc, DESC_CHECKSUM);
		crc = crc16(crc, desc + DESC_HALF, sb->desc_size - DESC_HALF);
		return crc == checksum;
	}
	return true;
}

/* The block where a group's inodes start. */
static int inode_table(const struct ext4 *fs, uint32_t group, uint64_t *ret, struct assay_err *err)
{
	const struct assay_ext4_super *sb = &fs->sb;
	const uint32_t per_block = (1U << sb->block_bits) / sb->desc_size;
	const uint64_t off = (desc_block(fs, group) << sb->block_bits) +
			     (uint64_t)(group % per_block) * sb->desc_size;
	const uint64_t n =
		((uint64_t)sb->inodes_per_group * sb->inode_size - 1) / assay_ext4_block_size(fs) +
		1;
	uint8_t b[MAX_DESC];
	uint64_t at;

	if (!assay_range_inside(off, sb->desc_size, assay_src_size(fs->src)))
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(fs->src, 0),
				  "the descriptor of group %" PRIu32 " lies outside", group);
	at = assay_src_origin(fs->src, off);
	if (assay_src_read(fs->src, off, b, sb->desc_size, err) < 0)
		return -1;
	struct assay_cur c = assay_cur_make(b, sb->desc_size, at);
	assay_cur_skip(&c, 8);
	uint64_t table = assay_cur_le32(&c);
	assay_cur_skip(&c, DESC_CHECKSUM - 12);
	const uint16_t checksum = assay_cur_le16(&c);
	if (sb->desc_size > DESC_HALF) {
		assay_cur_skip(&c, 8);
		table |= (uint64_t)assay_cur_le32(&c) << 32;
	}
	if (assay_cur_done(&c, "group descriptor", err) < 0)
		return -1;
	if (!desc_matches(sb, group, b, checksum))
		return assay_fail(err, ASSAY_E_CORRUPT, at + DESC_CHECKSUM,
				  "the checksum of group %" PRIu32 "'s descriptor is wrong", group);
	if (table <= sb->first_block || !assay_range_inside(table, n, sb->n_blocks))
		return assay_fail(err, ASSAY_E_CORRUPT, at + 8,
				  "the inodes of group %" PRIu32 " start at block %" PRIu64
				  " of %" PRIu64,
				  group, table, sb->n_blocks);
	*ret = table;
	return 0;
}

/* --- inodes ---- */

static int kind_of(uint32_t mode, enum assay_fs_kind *ret)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		*ret = ASSAY_FS_FILE;
		return 0;
	case S_IFDIR:
		*ret = ASSAY_FS_DIR;
		return 0;
	case S_IFLNK:
		*ret = ASSAY_FS_SYMLINK;
		return 0;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		*ret = ASSAY_FS_OTHER;
		return 0;
	default:
		return -1;
	}
}

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
	if (kind_of(inode.st.mode, &inode.st.kind) < 0)
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
		/* The two lowest bits are seconds' bits 32 and 33. */
		assay_cur_skip(&in, MTIME_EXTRA - OLD_SIZE - 2);
		inode.st.mtime += (int64_t)(assay_cur_le32(&in) & 3) << 32;
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

int assay_ext4_node(const struct ext4 *fs, uint64_t number, struct ext4_node *ret,
		    struct assay_err *err)
{
	const struct assay_ext4_super *sb = &fs->sb;
	ASSAY_AUTO_FREE uint8_t *b = NULL;
	struct ext4_node node = { 0 };
	uint64_t table = 0;

	if (number > sb->n_inodes || (number != EXT4_ROOT && number < sb->first_inode))
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(fs->src, 0),
				  "a name for inode %" PRIu64, number);
	node.number = (uint32_t)number;
	if (inode_table(fs, (node.number - 1) / sb->inodes_per_group, &table, err) < 0)
		return assay_wrap(err, "inode %" PRIu64, number);
	node.off = (table << sb->block_bits) +
		   (uint64_t)((node.number - 1) % sb->inodes_per_group) * sb->inode_size;
	if (assay_src_read_alloc(fs->src, node.off, sb->inode_size, sb->inode_size, &b, err) < 0 ||
	    take_node(fs, b, &node, err) < 0)
		return assay_wrap(err, "inode %" PRIu64, number);
	*ret = node;
	return 0;
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
