/* SPDX-License-Identifier: Apache-2.0 */
/* ext4: where its own structures lie. */
#include <stdlib.h>

#include "measure/fs/ext4_priv.h"

#define INODE_GROWING 7
#define INODE_JOURNAL 8
#define FLAG_INODES_UNUSED 0x1 /* the table was never written */

static int add_blocks(const struct ext4 *fs, struct assay_fs_layout *to, uint64_t block, uint64_t n,
		      const char *what, struct assay_err *err)
{
	return assay_fs_layout_add(to, block << fs->sb.block_bits, n << fs->sb.block_bits, what,
				   err);
}

static int add_list(struct assay_fs_layout *to, const struct assay_extents *list, const char *what,
		    struct assay_err *err)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->e[i].off != ASSAY_SRC_HOLE &&
		    assay_fs_layout_add(to, list->e[i].off, list->e[i].len, what, err) < 0)
			return -1;
	return 0;
}

/* Superblock, descriptors of groups and their copies. */
static int add_descriptors(const struct ext4 *fs, uint32_t group, struct assay_fs_layout *to,
			   struct assay_err *err)
{
	const struct assay_ext4_super *sb = &fs->sb;
	const uint32_t per_block = (1U << sb->block_bits) / sb->desc_size;
	const uint32_t n = (sb->n_groups - 1) / per_block + 1;
	const bool meta = sb->incompat & EXT4_INCOMPAT_META_BG;
	const uint32_t together = meta && sb->first_meta_bg < n ? sb->first_meta_bg : n;
	const uint64_t first = sb->first_block + (uint64_t)group * sb->blocks_per_group;
	const bool has_super = assay_ext4_has_super(sb, group);
	const uint64_t table = group == 0 ? assay_ext4_desc_block(fs, 0) : first + has_super;

	if (group == 0 && (assay_fs_layout_add(to, 0, ASSAY_EXT4_SUPER_AT, "boot block", err) < 0 ||
			   assay_fs_layout_add(to, ASSAY_EXT4_SUPER_AT, ASSAY_EXT4_SUPER_SIZE,
					       "superblock", err) < 0))
		return -1;
	if (group > 0 && has_super && add_blocks(fs, to, first, 1, "superblock's copy", err) < 0)
		return -1;
	if (has_super && add_blocks(fs, to, table, together, "group descriptors", err) < 0)
		return -1;
	/* In the first, second and last of the groups that they describe. */
	const uint32_t member = group % per_block;
	if (meta && group / per_block >= sb->first_meta_bg &&
	    (member < 2 || member == per_block - 1))
		return add_blocks(fs, to, table, 1, "group descriptors", err);
	return 0;
}

/* Inodes that make no sense are not in use, or whoever comes to them by a name will say so. */
static int pass_on(const struct assay_err *why, struct assay_err *err)
{
	if (why->code != ASSAY_E_NOMEM && why->code != ASSAY_E_IO)
		return 0;
	if (err)
		*err = *why;
	return -1;
}

/* What a tree or a list of blocks takes, and the data of what is no file with a name. */
static int add_inode(const struct ext4 *fs, const struct ext4_node *node,
		     struct assay_fs_layout *to, struct assay_err *err)
{
	struct assay_extents data = { 0 }, lists = { 0 };
	const char *what = "data without a name";
	struct assay_err why;
	int rc = 0;

	if (node->i.attributes && node->i.attributes < fs->sb.n_blocks &&
	    add_blocks(fs, to, node->i.attributes, 1, "extended attributes", err) < 0)
		return -1;
	if (node->number == INODE_JOURNAL)
		what = "journal";
	else if (node->number == INODE_GROWING)
		what = "room for group descriptors";
	else if (node->i.st.kind == ASSAY_FS_DIR)
		what = "directory";
	else if (node->i.st.kind == ASSAY_FS_SYMLINK)
		what = "symbolic link";
	if (node->i.st.kind == ASSAY_FS_OTHER ||
	    (node->i.st.kind == ASSAY_FS_SYMLINK && node->i.size < ASSAY_EXT4_I_BLOCK) ||
	    node->i.flags & EXT4_FL_INLINE_DATA)
		return 0;
	if (assay_ext4_map_with_lists(fs, node, &data, &lists, &why) < 0)
		rc = pass_on(&why, err);
	else if (add_list(to, &data, what, err) < 0 ||
		 add_list(to, &lists, "lists of blocks", err) < 0)
		rc = -1;
	free(data.e);
	free(lists.e);
	return rc;
}

static int add_inodes(const struct ext4 *fs, uint32_t group, struct assay_fs_layout *to,
		      struct assay_err *err)
{
	const uint32_t n = fs->sb.inodes_per_group;
	struct assay_err why;

	for (uint32_t i = 1; i <= n; i++) {
		struct ext4_node node;

		if (assay_ext4_any_node(fs, group * n + i, &node, &why) < 0) {
			if (pass_on(&why, err) < 0)
				return -1;
		} else if (add_inode(fs, &node, to, err) < 0) {
			return -1;
		}
	}
	return 0;
}

int assay_ext4_layout(void *data, struct assay_fs_layout *to, struct assay_err *err)
{
	const struct ext4 *fs = data;
	const struct assay_ext4_super *sb = &fs->sb;
	const uint64_t block = assay_ext4_block_size(fs);
	const uint64_t inode_blocks =
		((uint64_t)sb->inodes_per_group * sb->inode_size - 1) / block + 1;
	const bool flags_count = sb->ro_compat & (EXT4_RO_METADATA_CSUM | EXT4_RO_GDT_CSUM);

	for (uint32_t g = 0; g < sb->n_groups; g++) {
		struct ext4_group group;

		if (assay_ext4_group(fs, g, &group, err) < 0 ||
		    add_descriptors(fs, g, to, err) < 0 ||
		    add_blocks(fs, to, group.block_bitmap, 1, "block bitmap", err) < 0 ||
		    add_blocks(fs, to, group.inode_bitmap, 1, "inode bitmap", err) < 0 ||
		    add_blocks(fs, to, group.inodes, inode_blocks, "inodes", err) < 0)
			return -1;
		if (flags_count && group.flags & FLAG_INODES_UNUSED)
			continue;
		if (add_inodes(fs, g, to, err) < 0)
			return -1;
	}
	return 0;
}
