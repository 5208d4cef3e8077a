/* SPDX-License-Identifier: Apache-2.0 */
/* ext4: names. A directory is blocks of entries, each with its length; an index over them hides in
 * unused entries. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "measure/disk/crc32.h"
#include "measure/fs/ext4_priv.h"

#define DIRENT 8 /* bytes before the name */
#define DIRENT_MIN 12
#define TAIL_SIZE 12
#define TAIL_TYPE 0xde
#define DX_NODE_AT 8  /* of the count, behind one unused entry */
#define DX_ROOT_AT 32 /* behind "." and "..", and eight bytes of its own */
#define DX_ENTRY 8

struct name {
	uint32_t inode;
	uint8_t type;
	const char *p;
	size_t len;
	uint64_t at;
};
/* Returns 0 to go on, -1 on error. */
typedef int name_fn(const struct name *e, void *arg, struct assay_err *err);

struct visit {
	const struct ext4 *fs;
	const struct ext4_node *dir;
	name_fn *fn;
	void *arg;
	size_t n;
};

/* With blocks of 64 KiB the length would not fit: two low bits, always zero, are its bits 16
 * and 17. */
static uint32_t entry_len(uint32_t stored, uint64_t block)
{
	if (block < 65536)
		return stored;
	if (stored == 65535 || stored == 0)
		return (uint32_t)block;
	return (stored & 65532) | (stored & 3) << 16;
}

static int check_name(const struct visit *v, const struct name *e, struct assay_err *err)
{
	if (e->len == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, e->at, "an entry without a name");
	if (memchr(e->p, 0, e->len) || memchr(e->p, '/', e->len))
		return assay_fail(err, ASSAY_E_CORRUPT, e->at, "a name with a NUL or '/'");
	if (e->inode > v->fs->sb.n_inodes)
		return assay_fail(err, ASSAY_E_CORRUPT, e->at,
				  "'%.*s' leads to inode %" PRIu32 " of %" PRIu32, (int)e->len,
				  e->p, e->inode, v->fs->sb.n_inodes);
	return 0;
}

/* Entries that fill `c` to its end. */
static int visit_entries(struct visit *v, struct assay_cur c, struct assay_err *err)
{
	const uint64_t block = assay_ext4_block_size(v->fs);
	const bool typed = v->fs->sb.incompat & EXT4_INCOMPAT_FILETYPE;

	while (c.left > 0) {
		struct assay_cur e = c;
		struct name name = { .at = c.at };

		name.inode = assay_cur_le32(&e);
		const uint32_t len = entry_len(assay_cur_le16(&e), block);
		name.len = assay_cur_u8(&e);
		name.type = assay_cur_u8(&e);
		if (!typed && name.type != 0)
			return assay_fail(err, ASSAY_E_CORRUPT, c.at,
					  "a name of more than 255 bytes");
		if (e.bad || len < DIRENT_MIN || len % 4 != 0 || len > c.left ||
		    name.len > len - DIRENT)
			return assay_fail(err, ASSAY_E_CORRUPT, c.at,
					  "a directory's entry of %" PRIu32
					  " bytes with a name of %zu, "
					  "%zu left",
					  len, name.len, c.left);
		name.p = (const char *)assay_cur_take(&e, name.len);
		assay_cur_skip(&c, len);
		if (name.inode == 0)
			continue;
		if (check_name(v, &name, err) < 0)
			return -1;
		if (name.p[0] == '.' && (name.len == 1 || (name.len == 2 && name.p[1] == '.')))
			continue;
		if (v->n++ == ASSAY_FS_MAX_ENTRIES)
			return assay_fail(err, ASSAY_E_LIMIT, name.at,
					  "a directory of more than %u names",
					  ASSAY_FS_MAX_ENTRIES);
		if (v->fn(&name, v->arg, err) < 0)
			return -1;
	}
	return 0;
}

/* --- checksums ---- */

/* The index: root or inner node, with its count at `from`. */
static int check_index(const struct visit *v, struct assay_cur block, size_t from,
		       struct assay_err *err)
{
	static const uint8_t zeros[4];
	struct assay_cur c = block;
	uint32_t crc;

	assay_cur_skip(&c, from);
	const uint32_t limit = assay_cur_le16(&c);
	const uint32_t count = assay_cur_le16(&c);
	const size_t tail = from + (size_t)limit * DX_ENTRY;
	if (c.bad || count == 0 || count > limit || tail + 8 > block.left)
		return assay_fail(err, ASSAY_E_CORRUPT, block.at + from,
				  "a directory's index with %" PRIu32 " of %" PRIu32 " entries",
				  count, limit);
	crc = assay_crc32c(v->dir->seed, block.p, from + (size_t)count * DX_ENTRY);
	crc = assay_crc32c(crc, block.p + tail, 4);
	crc = assay_crc32c(crc, zeros, sizeof(zeros));
	c = block;
	assay_cur_skip(&c, tail + 4);
	if (crc != assay_cur_le32(&c))
		return assay_fail(err, ASSAY_E_CORRUPT, block.at + tail + 4,
				  "the checksum of a directory's index is wrong");
	return 0;
}

/* The tail looks like an unused entry; `ret`: the block without it. */
static int check_leaf(const struct visit *v, struct assay_cur block, struct assay_cur *ret,
		      struct assay_err *err)
{
	const size_t used = block.left - TAIL_SIZE;
	struct assay_cur entries = assay_cur_sub(&block, used);
	struct assay_cur c = block;

	const uint32_t inode = assay_cur_le32(&c);
	const uint16_t len = assay_cur_le16(&c);
	const uint8_t name_len = assay_cur_u8(&c);
	const uint8_t type = assay_cur_u8(&c);
	const uint32_t stored = assay_cur_le32(&c);
	if (inode != 0 || len != TAIL_SIZE || name_len != 0 || type != TAIL_TYPE)
		return assay_fail(err, ASSAY_E_CORRUPT, block.at,
				  "a directory's block without a checksum");
	if (assay_crc32c(v->dir->seed, entries.p, used) != stored)
		return assay_fail(err, ASSAY_E_CORRUPT, block.at + 8,
				  "the checksum of a directory's block is wrong");
	*ret = entries;
	return 0;
}

static int visit_block(struct visit *v, struct assay_cur block, bool first, struct assay_err *err)
{
	if (assay_ext4_has_csums(v->fs)) {
		struct assay_cur c = block;
		const uint32_t inode = assay_cur_le32(&c);
		const uint32_t len = entry_len(assay_cur_le16(&c), block.left);
		const bool index = v->dir->i.flags & EXT4_FL_INDEX;

		if (index && first)
			return check_index(v, block, DX_ROOT_AT, err);
		if (index && inode == 0 && len == block.left)
			return check_index(v, block, DX_NODE_AT, err);
		if (check_leaf(v, block, &block, err) < 0)
			return -1;
	}
	return visit_entries(v, block, err);
}

/* --- a whole directory ---- */

static int visit_blocks(struct visit *v, struct assay_err *err)
{
	const uint64_t block = assay_ext4_block_size(v->fs);
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *p = NULL;
	struct assay_extents list = { 0 };
	bool holes = false;

	if (v->dir->i.size % block != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(v->fs->src, v->dir->off),
				  "a directory of %" PRIu64 " bytes", v->dir->i.size);
	if (assay_ext4_map(v->fs, v->dir, &list, err) < 0) {
		free(list.e);
		return -1;
	}
	for (size_t i = 0; i < list.n; i++)
		holes = holes || list.e[i].off == ASSAY_SRC_HOLE;
	const int rc = assay_src_extents(v->fs->src, list.e, list.n, &src, err);
	free(list.e);
	if (rc < 0)
		return -1;
	if (holes)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(v->fs->src, v->dir->off),
				  "a directory with a hole");
	p = malloc(block);
	if (!p)
		return assay_fail_mem(err);
	for (uint64_t off = 0; off < v->dir->i.size; off += block) {
		if (assay_src_read(src, off, p, block, err) < 0 ||
		    visit_block(v, assay_cur_make(p, block, assay_src_origin(src, off)), off == 0,
				err) < 0)
			return -1;
	}
	return 0;
}

/* Entries behind the parent's number in the inode, and more of them among its attributes. */
static int visit_inline(struct visit *v, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *p = NULL;
	const uint64_t size = v->dir->i.size;

	if (assay_ext4_data(v->fs, v->dir, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, size, ASSAY_EXT4_I_BLOCK + v->fs->sb.inode_size, &p, err) <
		    0)
		return -1;
	if (size < ASSAY_EXT4_I_BLOCK)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(src, 0),
				  "a directory of %" PRIu64 " bytes inside the inode", size);
	if (visit_entries(v,
			  assay_cur_make(p + 4, ASSAY_EXT4_I_BLOCK - 4, assay_src_origin(src, 4)),
			  err) < 0)
		return -1;
	return visit_entries(v,
			     assay_cur_make(p + ASSAY_EXT4_I_BLOCK, size - ASSAY_EXT4_I_BLOCK,
					    assay_src_origin(src, ASSAY_EXT4_I_BLOCK)),
			     err);
}

static int visit(struct ext4 *fs, uint64_t number, struct ext4_node *dir, name_fn *fn, void *arg,
		 struct assay_err *err)
{
	struct visit v = { .fs = fs, .dir = dir, .fn = fn, .arg = arg };

	if (assay_ext4_node(fs, number, dir, err) < 0)
		return -1;
	if (dir->i.st.kind != ASSAY_FS_DIR)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(fs->src, dir->off),
				  "inode %" PRIu64 " is no directory", number);
	if (dir->i.flags & EXT4_FL_ENCRYPT)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, assay_src_origin(fs->src, dir->off),
				  "inode %" PRIu64 ": encrypted (fscrypt)", number);
	if ((dir->i.flags & EXT4_FL_INLINE_DATA ? visit_inline(&v, err) : visit_blocks(&v, err)) <
	    0)
		return assay_wrap(err, "inode %" PRIu64, number);
	return 0;
}

struct listing {
	struct ext4 *fs;
	struct assay_names names;
};

static int add_name(const struct name *e, void *arg, struct assay_err *err)
{
	static const enum assay_fs_kind kinds[] = {
		[1] = ASSAY_FS_FILE,	[2] = ASSAY_FS_DIR,   [3] = ASSAY_FS_OTHER,
		[4] = ASSAY_FS_OTHER,	[5] = ASSAY_FS_OTHER, [6] = ASSAY_FS_OTHER,
		[7] = ASSAY_FS_SYMLINK,
	};
	struct listing *l = arg;
	struct ext4_node node;

	if (e->type > 0 && e->type < sizeof(kinds) / sizeof(kinds[0]))
		return assay_names_add(&l->names, e->p, e->len, kinds[e->type], e->inode, err);
	if (assay_ext4_node(l->fs, e->inode, &node, err) < 0)
		return -1;
	return assay_names_add(&l->names, e->p, e->len, node.i.st.kind, e->inode, err);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Of two entries with one name a kernel finds the one or the other. */
static int check_twins(const struct ext4 *fs, const struct ext4_node *node,
		       const struct assay_dir *dir, struct assay_err *err)
{
	ASSAY_AUTO_FREE const char **names = malloc((dir->n ? dir->n : 1) * sizeof(*names));

	if (!names)
		return assay_fail_mem(err);
	for (size_t i = 0; i < dir->n; i++)
		names[i] = dir->e[i].name;
	qsort(names, dir->n, sizeof(*names), by_name);
	for (size_t i = 1; i < dir->n; i++)
		if (strcmp(names[i - 1], names[i]) == 0)
			return assay_fail(err, ASSAY_E_CORRUPT,
					  assay_src_origin(fs->src, node->off),
					  "inode %" PRIu32 ": two entries of the name '%s'",
					  node->number, names[i]);
	return 0;
}

int assay_ext4_list(void *fs, uint64_t number, struct assay_dir *ret, struct assay_err *err)
{
	struct listing l = { .fs = fs };
	struct ext4_node dir;

	if (visit(fs, number, &dir, add_name, &l, err) < 0 ||
	    check_twins(fs, &dir, &l.names.dir, err) < 0) {
		assay_dir_clear(&l.names.dir);
		return -1;
	}
	*ret = l.names.dir;
	return 0;
}

struct wanted {
	const char *name;
	size_t len;
	unsigned found;
	uint64_t inode;
};

static int match_name(const struct name *e, void *arg, struct assay_err *err)
{
	struct wanted *w = arg;

	(void)err;
	if (e->len == w->len && memcmp(e->p, w->name, w->len) == 0) {
		w->found++;
		w->inode = e->inode;
	}
	return 0;
}

int assay_ext4_lookup(void *fs, uint64_t number, const char *name, uint64_t *ret,
		      struct assay_err *err)
{
	struct wanted w = { .name = name, .len = strlen(name) };
	struct ext4_node dir;

	if (visit(fs, number, &dir, match_name, &w, err) < 0)
		return -1;
	if (w.found > 1)
		return assay_fail(err, ASSAY_E_CORRUPT,
				  assay_src_origin(((struct ext4 *)fs)->src, dir.off),
				  "inode %" PRIu64 ": two entries of the name '%s'", number, name);
	if (w.found == 1) {
		*ret = w.inode;
		return 0;
	}
	if (dir.i.flags & EXT4_FL_CASEFOLD)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "no file of this spelling, in a directory that ignores case "
				  "(casefold)");
	return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no such file");
}
