/* SPDX-License-Identifier: Apache-2.0 */
/* squashfs: the superblock, and the row of operations. See squashfs.h for the rules. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "measure/fs/fs_priv.h"
#include "measure/fs/squashfs_priv.h"

#define MIN_BLOCK_LOG 12
#define MAX_BLOCK_LOG 20

/* Metadata blocks that hold `n` entries of `size` bytes, and so the index's entries. */
static uint64_t index_entries(uint64_t n, uint64_t size)
{
	return (n * size + SQFS_META_MAX - 1) / SQFS_META_MAX;
}

static int check_table(const struct assay_sqfs_super *s, uint64_t at, uint64_t n, const char *what,
		       uint64_t field, struct assay_err *err)
{
	if (at < s->dir_table || !assay_range_inside(at, n * 8, s->size))
		return assay_fail(err, ASSAY_E_CORRUPT, field,
				  "squashfs: %s at %" PRIu64
				  " is not between the directory table at %" PRIu64
				  " and the end at %" PRIu64,
				  what, at, s->dir_table, s->size);
	return 0;
}

static void lower(uint64_t *least, uint64_t v)
{
	if (v < *least)
		*least = v;
}

static int check_tables(struct assay_sqfs_super *s, uint64_t start, struct assay_err *err)
{
	if (s->inode_table < ASSAY_SQFS_SUPER || s->inode_table >= s->dir_table ||
	    s->dir_table > s->size)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 64,
				  "squashfs: inode table at %" PRIu64
				  ", directory table at %" PRIu64 " of %" PRIu64,
				  s->inode_table, s->dir_table, s->size);
	if (s->fragments > 0 && s->fragment_table == ASSAY_SQFS_NONE)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 80,
				  "squashfs with %" PRIu32 " fragments and no table of them",
				  s->fragments);
	if (check_table(s, s->id_table, index_entries(s->ids, 4), "id table", start + 48, err) < 0)
		return -1;
	s->dir_end = s->id_table;
	if (s->fragments == 0)
		s->fragment_table = ASSAY_SQFS_NONE;
	else if (check_table(s, s->fragment_table, index_entries(s->fragments, 16),
			     "fragment table", start + 80, err) < 0)
		return -1;
	if (s->export_table != ASSAY_SQFS_NONE &&
	    check_table(s, s->export_table, index_entries(s->inodes, 8), "export table", start + 88,
			err) < 0)
		return -1;
	/* Two words and an index, whose length stands in them: nobody reads it here. */
	if (s->xattr_table != ASSAY_SQFS_NONE &&
	    check_table(s, s->xattr_table, 2, "attribute table", start + 56, err) < 0)
		return -1;
	lower(&s->dir_end, s->fragment_table);
	lower(&s->dir_end, s->export_table);
	lower(&s->dir_end, s->xattr_table);
	return 0;
}

int assay_sqfs_parse_super(struct assay_cur in, uint64_t holder, struct assay_sqfs_super *ret,
			   struct assay_err *err)
{
	const uint64_t start = in.at;
	struct assay_sqfs_super s = { 0 };
	uint8_t magic[4];

	assay_cur_copy(&in, magic, sizeof(magic));
	s.inodes = assay_cur_le32(&in);
	assay_cur_skip(&in, 4); /* when it was made */
	s.block_size = assay_cur_le32(&in);
	s.fragments = assay_cur_le32(&in);
	s.packer = assay_cur_le16(&in);
	const uint16_t block_log = assay_cur_le16(&in);

	s.flags = assay_cur_le16(&in);
	s.ids = assay_cur_le16(&in);
	const uint16_t major = assay_cur_le16(&in), minor = assay_cur_le16(&in);

	s.root = assay_cur_le64(&in);
	s.size = assay_cur_le64(&in);
	s.id_table = assay_cur_le64(&in);
	s.xattr_table = assay_cur_le64(&in);
	s.inode_table = assay_cur_le64(&in);
	s.dir_table = assay_cur_le64(&in);
	s.fragment_table = assay_cur_le64(&in);
	s.export_table = assay_cur_le64(&in);
	if (assay_cur_done(&in, "squashfs superblock", err) < 0)
		return -1;

	if (memcmp(magic, "hsqs", 4) != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, start, "no squashfs magic");
	if (major != 4 || minor != 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, start + 28, "squashfs %u.%u", major,
				  minor);
	if (!assay_sqfs_packer_name(s.packer))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, start + 20,
				  "squashfs packed with compression number %u", s.packer);
	if (block_log < MIN_BLOCK_LOG || block_log > MAX_BLOCK_LOG ||
	    s.block_size != UINT32_C(1) << block_log)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 12,
				  "squashfs with blocks of %" PRIu32 " bytes, 2 to the %u",
				  s.block_size, block_log);
	if (s.inodes == 0 || s.ids == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, start + (s.inodes ? 26 : 4),
				  "squashfs without %s", s.inodes ? "owners" : "inodes");
	if (s.size < ASSAY_SQFS_SUPER || s.size > holder)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 40,
				  "squashfs of %" PRIu64 " bytes in %" PRIu64, s.size, holder);
	if (check_tables(&s, start, err) < 0)
		return -1;
	*ret = s;
	return 0;
}

void assay_sqfs_unref(struct squashfs *sq)
{
	if (atomic_fetch_sub(&sq->refs, 1) != 1)
		return;
	assay_blocks_free(&sq->blocks); /* first: its threads use the others */
	assay_sqfs_packer_free(&sq->packer);
	for (size_t i = 0; i < SQFS_META_SLOTS; i++)
		free(sq->meta[i]);
	assay_src_free(&sq->src);
	free(sq);
}

/* --- the row ---- */

static bool probe(struct assay_src *src)
{
	uint8_t b[4];

	return assay_src_size(src) >= sizeof(b) &&
	       assay_src_read(src, 0, b, sizeof(b), NULL) == 0 && memcmp(b, "hsqs", 4) == 0;
}

static void close_fs(void *fs)
{
	assay_sqfs_unref(fs);
}

static int open_root(struct squashfs *sq, struct assay_err *err)
{
	const uint64_t at = assay_src_origin(sq->src, 0);
	struct sqfs_inode root;

	if (assay_sqfs_packer_new(sq->super.packer, sq->super.block_size, &sq->packer, err) < 0) {
		if (err && err->at == ASSAY_NO_OFFSET)
			err->at = at + 20;
		return -1;
	}
	if (assay_blocks_new(sq->super.block_size, assay_sqfs_unpack_block, sq, &sq->blocks, err) <
	    0)
		return -1;
	if (assay_sqfs_inode(sq, sq->super.root, &root, err) < 0)
		return assay_wrap(err, "squashfs root");
	if (root.st.kind != ASSAY_FS_DIR)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 32,
				  "squashfs whose root is no directory");
	return 0;
}

static int open_fs(struct assay_src *src, void **ret, struct assay_err *err)
{
	const uint64_t at = assay_src_origin(src, 0);
	uint8_t b[ASSAY_SQFS_SUPER];
	struct assay_sqfs_super super;
	struct squashfs *sq;

	if (assay_src_size(src) < sizeof(b))
		return assay_fail(err, ASSAY_E_CORRUPT, at,
				  "squashfs superblock cut short: %zu bytes wanted, %" PRIu64
				  " left",
				  sizeof(b), assay_src_size(src));
	if (assay_src_read(src, 0, b, sizeof(b), err) < 0 ||
	    assay_sqfs_parse_super(assay_cur_make(b, sizeof(b), at), assay_src_size(src), &super,
				   err) < 0)
		return -1;
	sq = calloc(1, sizeof(*sq));
	if (!sq)
		return assay_fail_mem(err);
	atomic_init(&sq->refs, 1);
	sq->src = assay_src_ref(src);
	sq->super = super;
	if (open_root(sq, err) < 0) {
		assay_sqfs_unref(sq);
		return -1;
	}
	*ret = sq;
	return 0;
}

static const char *label(const void *fs)
{
	(void)fs;
	return "squashfs";
}

static uint64_t root(const void *fs)
{
	const struct squashfs *sq = fs;

	return sq->super.root;
}

static int stat_node(void *fs, uint64_t node, struct assay_fs_stat *ret, struct assay_err *err)
{
	struct sqfs_inode in;

	if (assay_sqfs_inode(fs, node, &in, err) < 0)
		return -1;
	*ret = in.st;
	return 0;
}

static int read_link(void *fs, uint64_t node, char **ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *target = NULL;
	struct sqfs_inode in;

	if (assay_sqfs_inode(fs, node, &in, err) < 0)
		return -1;
	if (in.st.kind != ASSAY_FS_SYMLINK)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "not a symbolic link");
	if (in.target_len > ASSAY_FS_MAX_PATH)
		return assay_fail(err, ASSAY_E_LIMIT, in.at,
				  "symbolic link to a path of %" PRIu32 " bytes, limit %u",
				  in.target_len, ASSAY_FS_MAX_PATH);
	target = malloc((size_t)in.target_len + 1);
	if (!target)
		return assay_fail_mem(err);
	if (assay_sqfs_meta_read(fs, &in.rest, target, in.target_len, "symbolic link", err) < 0)
		return -1;
	target[in.target_len] = 0;
	if (strlen(target) != in.target_len)
		return assay_fail(err, ASSAY_E_CORRUPT, in.at,
				  "symbolic link with a NUL in its target");
	*ret = assay_steal(&target);
	return 0;
}

static const struct assay_fs_nodes nodes = {
	.root = root,
	.stat = stat_node,
	.list = assay_sqfs_list,
	.lookup = assay_sqfs_lookup,
	.readlink = read_link,
	.open = assay_sqfs_open_file,
	.extents = assay_sqfs_extents,
};

const struct assay_fs_ops assay_squashfs_ops = {
	.name = "squashfs",
	.probe = probe,
	.open = open_fs,
	.label = label,
	.free = close_fs,
	.layout = assay_sqfs_layout,
	.nodes = &nodes,
};
