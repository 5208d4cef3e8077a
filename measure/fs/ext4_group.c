/* SPDX-License-Identifier: Apache-2.0 */
/* ext4: groups of blocks, and what describes them. */
#include <inttypes.h>

#include "core/num.h"
#include "measure/disk/crc32.h"
#include "measure/fs/ext4_priv.h"

#define MAX_DESC 1024
#define DESC_CHECKSUM 30
#define DESC_HALF 32

static bool power_of(uint32_t n, uint32_t base)
{
	while (n % base == 0)
		n /= base;
	return n == 1;
}

bool assay_ext4_has_super(const struct assay_ext4_super *sb, uint32_t group)
{
	if (group == 0)
		return true;
	if (sb->compat & EXT4_COMPAT_SPARSE_SUPER2)
		return group == sb->backups[0] || group == sb->backups[1];
	if (group == 1 || !(sb->ro_compat & EXT4_RO_SPARSE_SUPER))
		return true;
	return power_of(group, 3) || power_of(group, 5) || power_of(group, 7);
}

uint64_t assay_ext4_desc_block(const struct ext4 *fs, uint32_t group)
{
	const struct assay_ext4_super *sb = &fs->sb;
	const uint32_t per_block = (1U << sb->block_bits) / sb->desc_size;
	const uint32_t nr = group / per_block;

	if (!(sb->incompat & EXT4_INCOMPAT_META_BG) || nr < sb->first_meta_bg)
		return (ASSAY_EXT4_SUPER_AT >> sb->block_bits) + nr + 1;
	/* In the first of the groups that it describes, behind a superblock if there is one. */
	uint64_t block = sb->first_block + (uint64_t)nr * per_block * sb->blocks_per_group +
			 assay_ext4_has_super(sb, nr * per_block);
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

int assay_ext4_group(const struct ext4 *fs, uint32_t group, struct ext4_group *ret,
		     struct assay_err *err)
{
	const struct assay_ext4_super *sb = &fs->sb;
	const uint32_t per_block = (1U << sb->block_bits) / sb->desc_size;
	const uint64_t off = (assay_ext4_desc_block(fs, group) << sb->block_bits) +
			     (uint64_t)(group % per_block) * sb->desc_size;
	const uint64_t n =
		((uint64_t)sb->inodes_per_group * sb->inode_size - 1) / assay_ext4_block_size(fs) +
		1;
	uint8_t b[MAX_DESC];
	struct ext4_group g;
	uint64_t at;

	if (!assay_range_inside(off, sb->desc_size, assay_src_size(fs->src)))
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(fs->src, 0),
				  "the descriptor of group %" PRIu32 " lies outside", group);
	at = assay_src_origin(fs->src, off);
	if (assay_src_read(fs->src, off, b, sb->desc_size, err) < 0)
		return -1;
	struct assay_cur c = assay_cur_make(b, sb->desc_size, at);
	g.block_bitmap = assay_cur_le32(&c);
	g.inode_bitmap = assay_cur_le32(&c);
	g.inodes = assay_cur_le32(&c);
	assay_cur_skip(&c, 6); /* what is free */
	g.flags = assay_cur_le16(&c);
	assay_cur_skip(&c, DESC_CHECKSUM - 20);
	const uint16_t checksum = assay_cur_le16(&c);
	if (sb->desc_size > DESC_HALF) {
		g.block_bitmap |= (uint64_t)assay_cur_le32(&c) << 32;
		g.inode_bitmap |= (uint64_t)assay_cur_le32(&c) << 32;
		g.inodes |= (uint64_t)assay_cur_le32(&c) << 32;
	}
	if (assay_cur_done(&c, "group descriptor", err) < 0)
		return -1;
	if (!desc_matches(sb, group, b, checksum))
		return assay_fail(err, ASSAY_E_CORRUPT, at + DESC_CHECKSUM,
				  "the checksum of group %" PRIu32 "'s descriptor is wrong", group);
	if (g.inodes <= sb->first_block || !assay_range_inside(g.inodes, n, sb->n_blocks))
		return assay_fail(err, ASSAY_E_CORRUPT, at + 8,
				  "the inodes of group %" PRIu32 " start at block %" PRIu64
				  " of %" PRIu64,
				  group, g.inodes, sb->n_blocks);
	*ret = g;
	return 0;
}
