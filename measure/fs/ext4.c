/* SPDX-License-Identifier: Apache-2.0 */
/* ext4: the superblock, and the row. */
#include "measure/fs/ext4_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "measure/disk/crc32.h"

#define MAGIC 0xef53
#define REV_DYNAMIC 1
#define OLD_INODE_SIZE 128
#define OLD_FIRST_INODE 11
#define MAX_BLOCK_BITS 16
#define MAX_CLUSTER_BITS 29
#define DESC_SIZE 32
#define DESC_SIZE_64BIT 64
#define CHECKSUM_AT 1020
#define CRC32C 1

static const struct {
	uint32_t bit;
	const char *what;
} refused_incompat[] = {
	{ EXT4_INCOMPAT_COMPRESSION, "compression" },
	{ EXT4_INCOMPAT_JOURNAL_DEV, "nothing but a journal of another filesystem (journal_dev)" },
	{ EXT4_INCOMPAT_DIRDATA, "data in directories (dirdata)" },
};

#define INCOMPAT_READ                                                                              \
	(EXT4_INCOMPAT_FILETYPE | EXT4_INCOMPAT_META_BG | EXT4_INCOMPAT_EXTENTS |                  \
	 EXT4_INCOMPAT_64BIT | EXT4_INCOMPAT_MMP | EXT4_INCOMPAT_FLEX_BG |                         \
	 EXT4_INCOMPAT_EA_INODE | EXT4_INCOMPAT_CSUM_SEED | EXT4_INCOMPAT_LARGEDIR |               \
	 EXT4_INCOMPAT_INLINE_DATA | EXT4_INCOMPAT_ENCRYPT | EXT4_INCOMPAT_CASEFOLD)
/* sparse_super to orphan_present; of those, snapshots are nobody's any more. */
#define RO_COMPAT_READ (0x1ffffU & ~(uint32_t)EXT4_RO_HAS_SNAPSHOT)

static int check_features(const struct assay_ext4_super *sb, uint64_t at, struct assay_err *err)
{
	/* First, since it is no matter of what this reader knows. */
	if (sb->incompat & EXT4_INCOMPAT_RECOVER)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at + 96,
				  "its journal has to be replayed first: a mount would show other "
				  "bytes (mount it once, or e2fsck -p)");
	for (size_t i = 0; i < sizeof(refused_incompat) / sizeof(refused_incompat[0]); i++)
		if (sb->incompat & refused_incompat[i].bit)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, at + 96, "unsupported: %s",
					  refused_incompat[i].what);
	if (sb->incompat & ~(uint32_t)INCOMPAT_READ)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at + 96,
				  "unknown incompatible features: 0x%" PRIx32,
				  sb->incompat & ~(uint32_t)INCOMPAT_READ);
	if (sb->ro_compat & EXT4_RO_HAS_SNAPSHOT)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at + 100, "unsupported: snapshots");
	if (sb->ro_compat & ~RO_COMPAT_READ)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at + 100,
				  "unknown read-only compatible features: 0x%" PRIx32,
				  sb->ro_compat & ~RO_COMPAT_READ);
	return 0;
}

static bool power_of_two(uint32_t v)
{
	return v != 0 && (v & (v - 1)) == 0;
}

/* Sizes against each other, as ext4_fill_super() wants them. */
static int check_geometry(struct assay_ext4_super *sb, uint32_t cluster_bits,
			  uint32_t clusters_per_group, uint64_t at, struct assay_err *err)
{
	const uint64_t block = 1ULL << sb->block_bits;
	const uint32_t per_block = (uint32_t)(block / sb->inode_size);
	const bool bigalloc = sb->ro_compat & EXT4_RO_BIGALLOC;
	uint64_t groups;

	if (cluster_bits < sb->block_bits || cluster_bits > MAX_CLUSTER_BITS ||
	    (!bigalloc && cluster_bits != sb->block_bits))
		return assay_fail(err, ASSAY_E_CORRUPT, at + 28,
				  "clusters of 2^%" PRIu32 " bytes over blocks of 2^%u",
				  cluster_bits, sb->block_bits);
	if (sb->blocks_per_group == 0 || clusters_per_group > block * 8 ||
	    (uint64_t)clusters_per_group << (cluster_bits - sb->block_bits) != sb->blocks_per_group)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 32, "%" PRIu32 " blocks in a group",
				  sb->blocks_per_group);
	if (sb->inodes_per_group < per_block || sb->inodes_per_group > block * 8)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 40, "%" PRIu32 " inodes in a group",
				  sb->inodes_per_group);
	if (sb->first_block >= sb->n_blocks || (block == 1024 && sb->first_block == 0 && !bigalloc))
		return assay_fail(err, ASSAY_E_CORRUPT, at + 20, "the first block is %" PRIu32,
				  sb->first_block);
	groups = (sb->n_blocks - sb->first_block - 1) / sb->blocks_per_group + 1;
	if (groups * sb->inodes_per_group != sb->n_inodes)
		return assay_fail(err, ASSAY_E_CORRUPT, at,
				  "%" PRIu32 " inodes, where %" PRIu64 " groups have %" PRIu32
				  " each",
				  sb->n_inodes, groups, sb->inodes_per_group);
	sb->n_groups = (uint32_t)groups;
	return 0;
}

int assay_ext4_parse_super(struct assay_cur in, struct assay_ext4_super *ret, struct assay_err *err)
{
	const uint64_t at = in.at;
	struct assay_ext4_super sb = { 0 };
	const uint8_t *bytes = in.p;

	sb.n_inodes = assay_cur_le32(&in);
	sb.n_blocks = assay_cur_le32(&in);
	assay_cur_skip(&in, 12); /* reserved and free blocks, free inodes */
	sb.first_block = assay_cur_le32(&in);
	const uint32_t log_block = assay_cur_le32(&in);
	const uint32_t log_cluster = assay_cur_le32(&in);
	sb.blocks_per_group = assay_cur_le32(&in);
	const uint32_t clusters_per_group = assay_cur_le32(&in);
	sb.inodes_per_group = assay_cur_le32(&in);
	assay_cur_skip(&in, 12); /* times and number of mounts */
	const uint16_t magic = assay_cur_le16(&in);
	assay_cur_skip(&in, 18); /* state, errors, times of checks, creator */
	const uint32_t revision = assay_cur_le32(&in);
	assay_cur_skip(&in, 4); /* owner of what is reserved */
	sb.first_inode = assay_cur_le32(&in);
	sb.inode_size = assay_cur_le16(&in);
	assay_cur_skip(&in, 2); /* this superblock's group */
	sb.compat = assay_cur_le32(&in);
	sb.incompat = assay_cur_le32(&in);
	sb.ro_compat = assay_cur_le32(&in);
	assay_cur_copy(&in, sb.uuid, sizeof(sb.uuid));
	assay_cur_skip(&in, 134); /* names, preallocation, journal, hash of names */
	const uint32_t desc_size = assay_cur_le16(&in);
	assay_cur_skip(&in, 4); /* mount options */
	sb.first_meta_bg = assay_cur_le32(&in);
	assay_cur_skip(&in, 72); /* journal's backup */
	const uint64_t blocks_high = assay_cur_le32(&in);
	assay_cur_skip(&in, 33); /* reserved, hints, multiple mounts */
	const uint8_t checksum_type = assay_cur_u8(&in);
	assay_cur_skip(&in, 214); /* statistics, snapshots, errors, mount options, quota */
	sb.backups[0] = assay_cur_le32(&in);
	sb.backups[1] = assay_cur_le32(&in);
	assay_cur_skip(&in, 28); /* encryption, lost+found, project quota */
	sb.seed = assay_cur_le32(&in);
	assay_cur_skip(&in, 392);
	sb.checksum = assay_cur_le32(&in);
	if (assay_cur_done(&in, "ext4 superblock", err) < 0)
		return -1;

	if (magic != MAGIC)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 56, "no ext4 superblock");
	if (revision > REV_DYNAMIC)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at + 76, "revision %" PRIu32, revision);
	if (revision < REV_DYNAMIC) {
		sb.compat = sb.incompat = sb.ro_compat = 0;
		sb.inode_size = OLD_INODE_SIZE;
		sb.first_inode = OLD_FIRST_INODE;
	}
	if (sb.ro_compat & EXT4_RO_METADATA_CSUM) {
		if (checksum_type != CRC32C)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, at + 373,
					  "checksums of unknown type %u", checksum_type);
		const uint32_t crc = assay_crc32c(UINT32_MAX, bytes, CHECKSUM_AT);
		if (crc != sb.checksum)
			return assay_fail(err, ASSAY_E_CORRUPT, at + CHECKSUM_AT,
					  "the superblock's checksum is 0x%08" PRIx32
					  ", its bytes have 0x%08" PRIx32,
					  sb.checksum, crc);
	}
	if (check_features(&sb, at, err) < 0)
		return -1;
	if (log_block > MAX_BLOCK_BITS - 10 || log_cluster > MAX_CLUSTER_BITS - 10)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 24,
				  "blocks of 2^(10+%" PRIu32 "), clusters of 2^(10+%" PRIu32
				  ") bytes",
				  log_block, log_cluster);
	sb.block_bits = 10 + log_block;
	if (!power_of_two(sb.inode_size) || sb.inode_size < OLD_INODE_SIZE ||
	    sb.inode_size > 1U << sb.block_bits)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 88, "inodes of %" PRIu32 " bytes",
				  sb.inode_size);
	sb.desc_size = DESC_SIZE;
	if (sb.incompat & EXT4_INCOMPAT_64BIT) {
		sb.n_blocks |= blocks_high << 32;
		sb.desc_size = desc_size;
		if (!power_of_two(desc_size) || desc_size < DESC_SIZE_64BIT || desc_size > 1024)
			return assay_fail(err, ASSAY_E_CORRUPT, at + 254,
					  "group descriptors of %" PRIu32 " bytes", desc_size);
	}
	if (sb.n_blocks > (uint64_t)INT64_MAX >> sb.block_bits)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 4, "%" PRIu64 " blocks", sb.n_blocks);
	sb.cluster_size = 1U << (10 + log_cluster);
	if (check_geometry(&sb, 10 + log_cluster, clusters_per_group, at, err) < 0)
		return -1;
	if (!(sb.incompat & EXT4_INCOMPAT_CSUM_SEED))
		sb.seed = assay_crc32c(UINT32_MAX, sb.uuid, sizeof(sb.uuid));
	*ret = sb;
	return 0;
}

/* --- the row ---- */

/*
 * Two bytes are a weak sign: 512 bytes into a FAT they are as likely as any other two. Revision and
 * sizes have to be possible too.
 */
static bool ext4_probe(struct assay_src *src)
{
	uint8_t b[ASSAY_EXT4_SUPER_SIZE];

	if (assay_src_size(src) < ASSAY_EXT4_SUPER_AT + sizeof(b) ||
	    assay_src_read(src, ASSAY_EXT4_SUPER_AT, b, sizeof(b), NULL) < 0)
		return false;
	struct assay_cur c = assay_cur_make(b, sizeof(b), 0);
	assay_cur_skip(&c, 4);
	const uint32_t blocks = assay_cur_le32(&c);
	assay_cur_skip(&c, 12);
	const uint32_t first_block = assay_cur_le32(&c);
	const uint32_t log_block = assay_cur_le32(&c);
	assay_cur_skip(&c, 28);
	const uint16_t magic = assay_cur_le16(&c);
	assay_cur_skip(&c, 18);
	const uint32_t revision = assay_cur_le32(&c);
	return magic == MAGIC && blocks > 0 && first_block <= 2 &&
	       log_block <= MAX_BLOCK_BITS - 10 && revision <= REV_DYNAMIC;
}

static int ext4_open(struct assay_src *src, void **ret, struct assay_err *err)
{
	const uint64_t at = assay_src_origin(src, ASSAY_EXT4_SUPER_AT);
	uint8_t b[ASSAY_EXT4_SUPER_SIZE];
	struct assay_ext4_super sb;
	struct ext4 *fs;

	if (assay_src_read(src, ASSAY_EXT4_SUPER_AT, b, sizeof(b), err) < 0 ||
	    assay_ext4_parse_super(assay_cur_make(b, sizeof(b), at), &sb, err) < 0)
		return assay_wrap(err, "ext4");
	if (sb.n_blocks << sb.block_bits > assay_src_size(src))
		return assay_fail(err, ASSAY_E_CORRUPT, at + 4,
				  "ext4: cut short: its superblock tells of %" PRIu64
				  " bytes, there are %" PRIu64,
				  sb.n_blocks << sb.block_bits, assay_src_size(src));
	fs = calloc(1, sizeof(*fs));
	if (!fs)
		return assay_fail_mem(err);
	fs->src = assay_src_ref(src);
	fs->sb = sb;
	*ret = fs;
	return 0;
}

static void ext4_free(void *data)
{
	struct ext4 *fs = data;

	assay_src_free(&fs->src);
	free(fs);
}

/* By what older kernels could mount, as libblkid tells them apart. */
static const char *ext4_label(const void *data)
{
	const struct assay_ext4_super *sb = &((const struct ext4 *)data)->sb;

	if (sb->incompat & ~(uint32_t)(EXT4_INCOMPAT_FILETYPE | EXT4_INCOMPAT_META_BG) ||
	    sb->ro_compat &
		    ~(uint32_t)(EXT4_RO_SPARSE_SUPER | EXT4_RO_LARGE_FILE | EXT4_RO_BTREE_DIR))
		return "ext4";
	return sb->compat & EXT4_COMPAT_JOURNAL ? "ext3" : "ext2";
}

static uint64_t ext4_root(const void *data)
{
	(void)data;
	return EXT4_ROOT;
}

static int ext4_stat(void *data, uint64_t number, struct assay_fs_stat *ret, struct assay_err *err)
{
	struct ext4_node node;

	if (assay_ext4_node(data, number, &node, err) < 0)
		return -1;
	*ret = node.i.st;
	return 0;
}

/* Short targets lie where the block list of others is; which those are, kernels tell by what the
 * inode takes. */
static int is_short_link(const struct ext4 *fs, const struct ext4_node *node, bool *ret,
			 struct assay_err *err)
{
	const uint64_t own = node->i.attributes ? fs->sb.cluster_size / 512 : 0;
	const bool fits = node->i.size < ASSAY_EXT4_I_BLOCK;

	if (node->i.flags & EXT4_FL_INLINE_DATA) {
		*ret = false;
		return 0;
	}
	*ret = fs->sb.incompat & EXT4_INCOMPAT_EA_INODE ? fits : node->i.n_sectors == own;
	if (*ret != fits)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(fs->src, node->off),
				  "a symbolic link of %" PRIu64 " bytes that takes %" PRIu64
				  " sectors",
				  node->i.size, node->i.n_sectors);
	return 0;
}

static int read_link(const struct ext4 *fs, const struct ext4_node *node, char **ret,
		     struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *p = NULL;
	bool is_short;

	if (node->i.flags & EXT4_FL_ENCRYPT)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, assay_src_origin(fs->src, node->off),
				  "encrypted (fscrypt)");
	if (is_short_link(fs, node, &is_short, err) < 0)
		return -1;
	if (is_short) {
		p = calloc(1, ASSAY_EXT4_I_BLOCK + 1);
		if (!p)
			return assay_fail_mem(err);
		memcpy(p, node->i.block, node->i.size);
	} else if (assay_ext4_data(fs, node, &src, err) < 0 ||
		   assay_src_read_alloc(src, 0, node->i.size, ASSAY_FS_MAX_PATH, &p, err) < 0) {
		return -1;
	}
	if (memchr(p, 0, node->i.size))
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(fs->src, node->off),
				  "a NUL in a symbolic link's target");
	*ret = (char *)assay_steal(&p);
	return 0;
}

static int ext4_readlink(void *data, uint64_t number, char **ret, struct assay_err *err)
{
	struct ext4_node node;

	if (assay_ext4_node(data, number, &node, err) < 0)
		return -1;
	if (node.i.st.kind != ASSAY_FS_SYMLINK)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "inode %" PRIu64 " is no symbolic link", number);
	if (read_link(data, &node, ret, err) < 0)
		return assay_wrap(err, "inode %" PRIu64, number);
	return 0;
}

static int find_file(struct ext4 *fs, uint64_t number, struct ext4_node *ret, struct assay_err *err)
{
	if (assay_ext4_node(fs, number, ret, err) < 0)
		return -1;
	if (ret->i.st.kind != ASSAY_FS_FILE)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "inode %" PRIu64 " is no file", number);
	if (ret->i.flags & EXT4_FL_ENCRYPT)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, assay_src_origin(fs->src, ret->off),
				  "inode %" PRIu64 ": encrypted (fscrypt)", number);
	return 0;
}

static int ext4_file(void *data, uint64_t number, struct assay_src **ret, struct assay_err *err)
{
	struct ext4_node node;

	if (find_file(data, number, &node, err) < 0)
		return -1;
	if (assay_ext4_data(data, &node, ret, err) < 0)
		return assay_wrap(err, "inode %" PRIu64, number);
	return 0;
}

static int ext4_extents(void *data, uint64_t number, struct assay_extent **ret, size_t *ret_n,
			struct assay_err *err)
{
	struct assay_extents list = { 0 };
	struct ext4_node node;

	if (find_file(data, number, &node, err) < 0)
		return -1;
	if (assay_ext4_map(data, &node, &list, err) < 0) {
		free(list.e);
		return assay_wrap(err, "inode %" PRIu64, number);
	}
	assay_extents_drop_holes(&list);
	*ret = list.e;
	*ret_n = list.n;
	return 0;
}

static const struct assay_fs_nodes nodes = {
	.root = ext4_root,
	.stat = ext4_stat,
	.list = assay_ext4_list,
	.lookup = assay_ext4_lookup,
	.readlink = ext4_readlink,
	.open = ext4_file,
	.extents = ext4_extents,
};

const struct assay_fs_ops assay_ext4_ops = {
	.name = "ext4",
	.probe = ext4_probe,
	.open = ext4_open,
	.label = ext4_label,
	.free = ext4_free,
	.layout = assay_ext4_layout,
	.nodes = &nodes,
};
