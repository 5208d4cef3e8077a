/* SPDX-License-Identifier: Apache-2.0 */
/* squashfs: directories. Runs of entries, each behind a header that says where their inodes lie. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "measure/fs/squashfs_priv.h"

#define HEAD 12
#define ENTRY 8
#define RUN_MAX 256
#define NAME_MAX_ 256
/* A directory's size counts three bytes more than it has, for "." and "..". */
#define DOTS 3

struct entry {
	char name[NAME_MAX_ + 1];
	size_t len;
	uint16_t type;
	uint64_t node;
	uint64_t at;
};

/* 0 to go on, 1 to stop (which is no error), -1 on error. */
typedef int entry_fn(const struct entry *e, void *arg, struct assay_err *err);

static int check_name(const struct entry *e, const char *before, struct assay_err *err)
{
	if (memchr(e->name, '/', e->len) || memchr(e->name, 0, e->len) ||
	    strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0)
		return assay_fail(
			err, ASSAY_E_CORRUPT, e->at,
			"directory entry whose name has a NUL or '/', or is \".\" or \"..\"");
	if (strcmp(before, e->name) >= 0)
		return assay_fail(
			err, ASSAY_E_CORRUPT, e->at,
			"directory whose names do not ascend: the kernel would not find them");
	return 0;
}

static int visit_run(struct squashfs *sq, struct sqfs_pos *pos, uint32_t *left, struct entry *e,
		     entry_fn *fn, void *arg, struct assay_err *err)
{
	uint8_t head[HEAD], b[ENTRY];
	char before[sizeof(e->name)];
	uint32_t count, start;
	int rc;

	e->at = assay_sqfs_meta_at(sq, pos);
	if (*left < HEAD)
		return assay_fail(err, ASSAY_E_CORRUPT, e->at,
				  "directory header cut short: %d bytes wanted, %" PRIu32 " left",
				  HEAD, *left);
	if (assay_sqfs_meta_read(sq, pos, head, HEAD, "directory", err) < 0)
		return -1;
	*left -= HEAD;
	struct assay_cur c = assay_cur_make(head, HEAD, e->at);

	count = assay_cur_le32(&c);
	start = assay_cur_le32(&c);
	assay_cur_skip(&c, 4); /* inode number that the entries' are relative to */
	if (assay_cur_done(&c, "directory header", err) < 0)
		return -1;
	if (count >= RUN_MAX)
		return assay_fail(err, ASSAY_E_CORRUPT, e->at,
				  "directory header for %" PRIu64 " entries, limit %d",
				  (uint64_t)count + 1, RUN_MAX);
	for (uint32_t i = 0; i <= count; i++) {
		e->at = assay_sqfs_meta_at(sq, pos);
		if (*left < ENTRY)
			return assay_fail(err, ASSAY_E_CORRUPT, e->at,
					  "directory entry cut short: %d bytes wanted, %" PRIu32
					  " left",
					  ENTRY, *left);
		if (assay_sqfs_meta_read(sq, pos, b, ENTRY, "directory", err) < 0)
			return -1;
		*left -= ENTRY;
		c = assay_cur_make(b, ENTRY, e->at);
		e->node = (uint64_t)start << 16 | assay_cur_le16(&c);
		assay_cur_skip(&c, 2); /* inode number */
		e->type = assay_cur_le16(&c);
		const uint32_t len = (uint32_t)assay_cur_le16(&c) + 1;

		if (assay_cur_done(&c, "directory entry", err) < 0)
			return -1;
		if (len > NAME_MAX_ || len > *left)
			return assay_fail(err, ASSAY_E_CORRUPT, e->at,
					  "directory entry with a name of %" PRIu32
					  " bytes, %" PRIu32 " left, limit %d",
					  len, *left, NAME_MAX_);
		memcpy(before, e->name, e->len + 1);
		if (assay_sqfs_meta_read(sq, pos, e->name, len, "directory", err) < 0)
			return -1;
		*left -= len;
		e->len = len;
		e->name[len] = 0;
		if (check_name(e, before, err) < 0)
			return -1;
		rc = fn(e, arg, err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int visit(struct squashfs *sq, uint64_t node, entry_fn *fn, void *arg, struct assay_err *err)
{
	struct entry e = { .len = 0 };
	struct sqfs_inode in;
	struct sqfs_pos pos;
	uint32_t left;
	int rc = 0;

	if (assay_sqfs_inode(sq, node, &in, err) < 0)
		return -1;
	if (in.st.kind != ASSAY_FS_DIR)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "not a directory");
	if (in.dir_size > ASSAY_SQFS_MAX_DIR)
		return assay_fail(err, ASSAY_E_LIMIT, in.at,
				  "directory of %" PRIu32 " bytes, limit %u", in.dir_size,
				  ASSAY_SQFS_MAX_DIR);
	pos = (struct sqfs_pos){ .block = sq->super.dir_table + in.dir_block,
				 .off = in.dir_off,
				 .end = sq->super.dir_end };
	left = in.dir_size > DOTS ? in.dir_size - DOTS : 0;
	while (rc == 0 && left > 0)
		rc = visit_run(sq, &pos, &left, &e, fn, arg, err);
	return rc < 0 ? -1 : 0;
}

struct listing {
	struct assay_dir dir;
	size_t cap;
};

static int add(const struct entry *e, void *arg, struct assay_err *err)
{
	static const enum assay_fs_kind kinds[] = {
		[1] = ASSAY_FS_DIR,   [2] = ASSAY_FS_FILE,  [3] = ASSAY_FS_SYMLINK,
		[4] = ASSAY_FS_OTHER, [5] = ASSAY_FS_OTHER, [6] = ASSAY_FS_OTHER,
		[7] = ASSAY_FS_OTHER
	};
	struct listing *l = arg;
	char *name;

	if (e->type == 0 || e->type >= sizeof(kinds) / sizeof(kinds[0]))
		return assay_fail(err, ASSAY_E_CORRUPT, e->at, "directory entry of type %u",
				  e->type);
	if (l->dir.n == l->cap) {
		const size_t cap = l->cap ? 2 * l->cap : 16;
		struct assay_dirent *d = realloc(l->dir.e, cap * sizeof(*d));

		if (!d)
			return assay_fail_mem(err);
		l->dir.e = d;
		l->cap = cap;
	}
	name = strdup(e->name);
	if (!name)
		return assay_fail_mem(err);
	l->dir.e[l->dir.n++] =
		(struct assay_dirent){ .name = name, .kind = kinds[e->type], .node = e->node };
	return 0;
}

int assay_sqfs_list(void *fs, uint64_t node, struct assay_dir *ret, struct assay_err *err)
{
	struct listing l = { 0 };

	if (visit(fs, node, add, &l, err) < 0) {
		assay_dir_clear(&l.dir);
		return -1;
	}
	*ret = l.dir;
	return 0;
}

struct search {
	const char *name;
	bool hit;
	uint64_t node;
};

/* To the end, also after a hit: a directory that is not in order is refused whatever is asked of
 * it. */
static int compare(const struct entry *e, void *arg, struct assay_err *err)
{
	struct search *s = arg;

	(void)err;
	if (!s->hit && strcmp(e->name, s->name) == 0) {
		s->hit = true;
		s->node = e->node;
	}
	return 0;
}

int assay_sqfs_lookup(void *fs, uint64_t dir, const char *name, uint64_t *ret,
		      struct assay_err *err)
{
	struct search s = { .name = name };

	if (visit(fs, dir, compare, &s, err) < 0)
		return -1;
	if (!s.hit)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no such file");
	*ret = s.node;
	return 0;
}
