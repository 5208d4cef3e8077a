/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/fs/walk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "measure/fs/fs_priv.h"

/* Directories that were entered: open addressing, at most half full. 0 is none, nodes are kept plus
 * one. */
struct seen {
	uint64_t *slots;
	size_t cap, n;
};

struct walk {
	struct assay_fs *fs;
	assay_fs_walk_fn *fn;
	void *arg;
	struct seen seen;
	struct assay_str path;
	size_t names;
};

static bool put(uint64_t *slots, size_t cap, uint64_t key)
{
	/* Knuth, 6.4: the multiplier spreads neighbours. */
	size_t i = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 20) % cap;

	while (slots[i] != 0 && slots[i] != key)
		i = (i + 1) % cap;
	if (slots[i] == key)
		return false;
	slots[i] = key;
	return true;
}

/* *ret: it was not there yet. */
static int see(struct seen *s, uint64_t node, bool *ret, struct assay_err *err)
{
	if (2 * (s->n + 1) > s->cap) {
		const size_t cap = s->cap ? 2 * s->cap : 256;
		uint64_t *slots = calloc(cap, sizeof(*slots));

		if (!slots)
			return assay_fail_mem(err);
		for (size_t i = 0; i < s->cap; i++)
			if (s->slots[i] != 0)
				(void)put(slots, cap, s->slots[i]);
		free(s->slots);
		s->slots = slots;
		s->cap = cap;
	}
	*ret = put(s->slots, s->cap, node + 1);
	s->n += *ret;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct assay_dirent *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static const char *path_of(const struct walk *w)
{
	return w->path.len ? w->path.p : "/";
}

static int read_dir(struct walk *w, uint64_t node, struct assay_dir *ret, struct assay_err *err)
{
	const struct assay_fs_ops *ops = w->fs->ops;
	const int rc = ops->nodes ? ops->nodes->list(w->fs->data, node, ret, err)
				  : ops->list(w->fs->data, path_of(w), ret, err);

	if (rc < 0)
		return -1;
	if (ret->n > 1)
		qsort(ret->e, ret->n, sizeof(*ret->e), by_name);
	return 0;
}

static int visit(struct walk *w, struct assay_fs_entry *e, unsigned depth, struct assay_err *err);

static int visit_child(struct walk *w, const struct assay_dirent *d, unsigned depth,
		       struct assay_err *err)
{
	const struct assay_fs_nodes *nodes = w->fs->ops->nodes;
	struct assay_fs_entry e = { .node = d->node };
	const size_t len = w->path.len;
	int rc = 0;

	assay_str_add(&w->path, "/%s", d->name);
	if (w->path.bad)
		return assay_fail_mem(err);
	if (!nodes)
		e.st = (struct assay_fs_stat){ .kind = d->kind, .size = d->size };
	else
		rc = nodes->stat(w->fs->data, d->node, &e.st, err);
	if (rc == 0 && e.st.kind != d->kind)
		rc = assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
				"its directory and its inode disagree on what it is");
	if (rc < 0)
		assay_wrap(err, "%s", path_of(w));
	else
		rc = visit(w, &e, depth, err);
	w->path.len = len;
	w->path.p[len] = 0;
	return rc;
}

static int visit(struct walk *w, struct assay_fs_entry *e, unsigned depth, struct assay_err *err)
{
	struct assay_dir dir = { 0 };
	bool fresh = true;
	int rc;

	if (w->names++ == ASSAY_FS_MAX_NODES)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%s: more than %u names",
				  path_of(w), ASSAY_FS_MAX_NODES);
	if (depth > ASSAY_FS_MAX_DEPTH)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%s: more than %u levels",
				  path_of(w), ASSAY_FS_MAX_DEPTH);
	e->path = path_of(w);
	if (w->fn(e, w->arg, err) < 0)
		return -1;
	if (e->st.kind != ASSAY_FS_DIR)
		return 0;
	if (w->fs->ops->nodes && see(&w->seen, e->node, &fresh, err) < 0)
		return -1;
	if (!fresh)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
				  "%s: a directory that has another name too", path_of(w));
	if (read_dir(w, e->node, &dir, err) < 0)
		return assay_wrap(err, "%s", path_of(w));
	rc = 0;
	for (size_t i = 0; i < dir.n && rc == 0; i++)
		rc = visit_child(w, &dir.e[i], depth + 1, err);
	assay_dir_clear(&dir);
	return rc;
}

static int start(struct walk *w, const char *path, struct assay_fs_entry *top,
		 struct assay_err *err)
{
	const struct assay_fs_nodes *nodes = w->fs->ops->nodes;
	ASSAY_AUTO_FREE char *real = NULL;

	if (!nodes) {
		if (assay_fs_lstat(w->fs, path, &top->st, err) < 0)
			return -1;
		assay_str_add(&w->path, "%s", path);
	} else {
		if (assay_fs_resolve(w->fs, path, true, &top->node, &real, err) < 0)
			return -1;
		if (nodes->stat(w->fs->data, top->node, &top->st, err) < 0)
			return assay_wrap(err, "%s", real);
		assay_str_add(&w->path, "%s", real);
	}
	if (w->path.bad)
		return assay_fail_mem(err);
	/* A name is put behind a slash; the root is the empty path. */
	while (w->path.len > 0 && w->path.p[w->path.len - 1] == '/')
		w->path.p[--w->path.len] = 0;
	if (top->st.kind != ASSAY_FS_DIR)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "%s: not a directory",
				  path);
	return 0;
}

int assay_fs_walk(struct assay_fs *fs, const char *path, assay_fs_walk_fn *fn, void *arg,
		  struct assay_err *err)
{
	struct walk w = { .fs = fs, .fn = fn, .arg = arg };
	struct assay_fs_entry top = { 0 };
	int rc = start(&w, path, &top, err);

	if (rc == 0)
		rc = visit(&w, &top, 0, err);
	assay_str_clear(&w.path);
	free(w.seen.slots);
	return rc;
}
