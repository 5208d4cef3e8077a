/* SPDX-License-Identifier: Apache-2.0 */
/* EROFS: names. A directory is blocks, each of them entries of 12 bytes, and after the last one
 * their names. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "measure/fs/erofs_priv.h"

#define DIRENT 12
#define NAME_MAX_BYTES 255

/* The entry's place and name; `end` is where the next name starts, or 0 for the last. */
static int take_name(const struct assay_cur *block, size_t from, size_t end,
		     struct assay_erofs_name *e, struct assay_err *err)
{
	const size_t max = (end ? end : block->left) - from;

	e->name = (const char *)block->p + from;
	e->len = end ? max : strnlen(e->name, max);
	if (e->len == 0 || e->len > NAME_MAX_BYTES)
		return assay_fail(err, ASSAY_E_CORRUPT, block->at + from,
				  "a name of %zu bytes in a directory", e->len);
	if (memchr(e->name, 0, e->len) || memchr(e->name, '/', e->len))
		return assay_fail(err, ASSAY_E_CORRUPT, block->at + from,
				  "a name with a NUL or '/' in a directory");
	return 0;
}

int assay_erofs_parse_names(struct assay_cur in, assay_erofs_name_fn *fn, void *arg,
			    struct assay_err *err)
{
	const struct assay_cur block = in;
	struct assay_cur next = in;
	uint16_t from, end;

	assay_cur_skip(&next, 8);
	from = assay_cur_le16(&next);
	if (assay_cur_done(&next, "a directory's entry", err) < 0)
		return -1;
	/* The first name starts where the entries end. */
	if (from < DIRENT || from % DIRENT != 0 || from >= block.left)
		return assay_fail(err, ASSAY_E_CORRUPT, block.at + 8,
				  "a directory's first name at byte %u of %zu", from, block.left);
	for (size_t n = from / DIRENT; n > 0; n--) {
		struct assay_erofs_name e = { .at = in.at };

		e.nid = assay_cur_le64(&in);
		assay_cur_skip(&in, 2);
		e.type = assay_cur_u8(&in);
		assay_cur_skip(&in, 1);
		next = in;
		assay_cur_skip(&next, 8);
		end = n > 1 ? assay_cur_le16(&next) : 0;
		if (n > 1 && (end <= from || end > block.left))
			return assay_fail(err, ASSAY_E_CORRUPT, in.at + 8,
					  "a directory's name at byte %u of %zu, after one at %u",
					  end, block.left, from);
		if (take_name(&block, from, end, &e, err) < 0 || fn(&e, arg, err) < 0)
			return -1;
		from = end;
	}
	return 0;
}

/* --- a whole directory ---- */

struct visit {
	assay_erofs_name_fn *fn;
	void *arg;
	size_t n;
	char last[NAME_MAX_BYTES];
	size_t last_len;
};

static int compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	const int c = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return c ? c : (a_len > b_len) - (a_len < b_len);
}

/* The kernel finds names by halving; what is out of order would be listed and not be found, or
 * twice. */
static int visit_name(const struct assay_erofs_name *e, void *arg, struct assay_err *err)
{
	struct visit *v = arg;

	if (v->n > 0 && compare(v->last, v->last_len, e->name, e->len) >= 0)
		return assay_fail(err, ASSAY_E_CORRUPT, e->at,
				  "a directory's names do not ascend at '%.*s'", (int)e->len,
				  e->name);
	if (v->n++ == ASSAY_FS_MAX_ENTRIES)
		return assay_fail(err, ASSAY_E_LIMIT, e->at, "a directory of more than %u names",
				  ASSAY_FS_MAX_ENTRIES);
	memcpy(v->last, e->name, e->len);
	v->last_len = e->len;
	if (e->name[0] == '.' && (e->len == 1 || (e->len == 2 && e->name[1] == '.')))
		return 0;
	return v->fn(e, v->arg, err);
}

static int visit(const struct erofs *fs, uint64_t nid, assay_erofs_name_fn *fn, void *arg,
		 struct assay_err *err)
{
	const uint64_t block = 1ULL << fs->sb.block_bits;
	struct visit v = { .fn = fn, .arg = arg };
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *p = NULL;
	struct assay_erofs_inode inode;
	uint64_t off;

	if (assay_erofs_inode(fs, nid, &inode, &off, err) < 0)
		return -1;
	if (inode.st.kind != ASSAY_FS_DIR)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(fs->src, off),
				  "inode %" PRIu64 " is no directory", nid);
	if (assay_erofs_data(fs, &inode, off, &src, err) < 0)
		return assay_wrap(err, "inode %" PRIu64, nid);
	p = malloc(block);
	if (!p)
		return assay_fail_mem(err);
	for (uint64_t at = 0; at < inode.size; at += block) {
		const size_t len = inode.size - at < block ? (size_t)(inode.size - at) : block;

		if (assay_src_read(src, at, p, len, err) < 0 ||
		    assay_erofs_parse_names(assay_cur_make(p, len, assay_src_origin(src, at)),
					    visit_name, &v, err) < 0)
			return assay_wrap(err, "inode %" PRIu64, nid);
	}
	return 0;
}

struct listing {
	const struct erofs *fs;
	struct assay_names names;
};

static int kind_of(const struct erofs *fs, const struct assay_erofs_name *e,
		   enum assay_fs_kind *ret, struct assay_err *err)
{
	static const enum assay_fs_kind kinds[] = {
		[1] = ASSAY_FS_FILE,	[2] = ASSAY_FS_DIR,   [3] = ASSAY_FS_OTHER,
		[4] = ASSAY_FS_OTHER,	[5] = ASSAY_FS_OTHER, [6] = ASSAY_FS_OTHER,
		[7] = ASSAY_FS_SYMLINK,
	};
	struct assay_erofs_inode inode;
	uint64_t off;

	if (e->type > 0 && e->type < sizeof(kinds) / sizeof(kinds[0])) {
		*ret = kinds[e->type];
		return 0;
	}
	if (assay_erofs_inode(fs, e->nid, &inode, &off, err) < 0)
		return -1;
	*ret = inode.st.kind;
	return 0;
}

static int add_name(const struct assay_erofs_name *e, void *arg, struct assay_err *err)
{
	struct listing *l = arg;
	enum assay_fs_kind kind;

	if (kind_of(l->fs, e, &kind, err) < 0)
		return -1;
	return assay_names_add(&l->names, e->name, e->len, kind, e->nid, err);
}

int assay_erofs_list(void *fs, uint64_t nid, struct assay_dir *ret, struct assay_err *err)
{
	struct listing l = { .fs = fs };

	if (visit(fs, nid, add_name, &l, err) < 0) {
		assay_dir_clear(&l.names.dir);
		return -1;
	}
	*ret = l.names.dir;
	return 0;
}

struct wanted {
	const char *name;
	size_t len;
	bool found;
	uint64_t nid;
};

static int match_name(const struct assay_erofs_name *e, void *arg, struct assay_err *err)
{
	struct wanted *w = arg;

	(void)err;
	if (compare(e->name, e->len, w->name, w->len) == 0) {
		w->found = true;
		w->nid = e->nid;
	}
	return 0;
}

/* All names are looked at, so that a directory out of order has no names at all. */
int assay_erofs_lookup(void *fs, uint64_t dir, const char *name, uint64_t *ret,
		       struct assay_err *err)
{
	struct wanted w = { .name = name, .len = strlen(name) };

	if (visit(fs, dir, match_name, &w, err) < 0)
		return -1;
	if (!w.found)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no such file");
	*ret = w.nid;
	return 0;
}
