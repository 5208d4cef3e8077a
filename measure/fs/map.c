/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/fs/map.h"

#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/num.h"
#include "core/text.h"
#include "measure/fs/fs_priv.h"
#include "measure/fs/walk.h"

#define NO_PATH UINT32_MAX

struct claim {
	uint64_t off, len;
	const char *what; /* NULL: a file's data */
	uint32_t path;	  /* which of map->paths */
};

struct assay_fs_layout {
	struct claim *e;
	size_t n, cap;
	uint64_t size; /* of the source */
};

struct build {
	struct assay_fs *fs;
	struct assay_fs_map *map;
	struct assay_fs_layout own, files;
	size_t cap_paths, cap_regions;
};

static int add(struct assay_fs_layout *l, uint64_t off, uint64_t len, const char *what,
	       uint32_t path, struct assay_err *err)
{
	if (off >= l->size || len == 0)
		return 0;
	if (len > l->size - off)
		len = l->size - off;
	if (l->n == ASSAY_FS_MAX_REGIONS)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "files in more than %u pieces", ASSAY_FS_MAX_REGIONS);
	if (l->n == l->cap) {
		const size_t cap = l->cap ? 2 * l->cap : 64;
		struct claim *e = reallocarray(l->e, cap, sizeof(*e));

		if (!e)
			return assay_fail_mem(err);
		l->e = e;
		l->cap = cap;
	}
	l->e[l->n++] = (struct claim){ .off = off, .len = len, .what = what, .path = path };
	return 0;
}

int assay_fs_layout_add(struct assay_fs_layout *l, uint64_t off, uint64_t len, const char *what,
			struct assay_err *err)
{
	return add(l, off, len, what, NO_PATH, err);
}

/* --- files ---- */

static int add_file(const struct assay_fs_entry *e, void *arg, struct assay_err *err)
{
	struct build *b = arg;
	struct assay_fs_map *map = b->map;
	ASSAY_AUTO_FREE struct assay_extent *x = NULL;
	size_t n = 0;

	if (e->st.kind != ASSAY_FS_FILE || e->st.size == 0)
		return 0;
	if (b->fs->ops->nodes->extents(b->fs->data, e->node, &x, &n, err) < 0)
		return assay_wrap(err, "%s", e->path);
	if (n == 0)
		return 0;
	if (map->n_paths == b->cap_paths) {
		const size_t cap = b->cap_paths ? 2 * b->cap_paths : 64;
		char **p = reallocarray(map->paths, cap, sizeof(*p));

		if (!p)
			return assay_fail_mem(err);
		map->paths = p;
		b->cap_paths = cap;
	}
	map->paths[map->n_paths] = assay_strdup(e->path);
	if (!map->paths[map->n_paths])
		return assay_fail_mem(err);
	map->n_paths++;
	for (size_t i = 0; i < n; i++)
		if (x[i].off != ASSAY_SRC_HOLE &&
		    add(&b->files, x[i].off, x[i].len, NULL, (uint32_t)(map->n_paths - 1), err) < 0)
			return -1;
	return 0;
}

/* --- one list ---- */

static int by_offset(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	if (x->off != y->off)
		return x->off < y->off ? -1 : 1;
	/* At one place the longer counts; of equal ones the file that came first. */
	if (x->len != y->len)
		return x->len > y->len ? -1 : 1;
	return x->path < y->path ? -1 : x->path > y->path;
}

static int put(struct build *b, uint64_t off, uint64_t len, const char *what, const char *path,
	       struct assay_err *err)
{
	struct assay_fs_map *map = b->map;
	struct assay_fs_region *last = map->n ? &map->r[map->n - 1] : NULL;

	if (len == 0)
		return 0;
	if (last && !path && !last->path && strcmp(last->what, what) == 0) {
		last->len += len;
		return 0;
	}
	if (map->n == b->cap_regions) {
		const size_t cap = b->cap_regions ? 2 * b->cap_regions : 64;
		struct assay_fs_region *r = reallocarray(map->r, cap, sizeof(*r));

		if (!r)
			return assay_fail_mem(err);
		map->r = r;
		b->cap_regions = cap;
	}
	map->r[map->n++] =
		(struct assay_fs_region){ .off = off, .len = len, .what = what, .path = path };
	return 0;
}

/* What is of no file, from `at` up to `end`: the row's own structures, and "unused" between them.
 */
static int put_own(struct build *b, size_t *next, uint64_t at, uint64_t end, struct assay_err *err)
{
	for (; *next < b->own.n && at < end; ++*next) {
		const struct claim *c = &b->own.e[*next];
		uint64_t from = c->off > at ? c->off : at, to = c->off + c->len;

		if (to <= at)
			continue;
		if (from > end)
			from = end;
		if (to > end)
			to = end;
		if (put(b, at, from - at, "unused", NULL, err) < 0 ||
		    put(b, from, to - from, c->what, NULL, err) < 0)
			return -1;
		at = to > from ? to : from;
		if (c->off + c->len > end)
			break; /* more of it behind the file */
	}
	return put(b, at, end - at, "unused", NULL, err);
}

static int merge(struct build *b, struct assay_err *err)
{
	uint64_t at = 0;
	size_t own = 0;

	if (b->own.n > 1)
		qsort(b->own.e, b->own.n, sizeof(struct claim), by_offset);
	if (b->files.n > 1)
		qsort(b->files.e, b->files.n, sizeof(struct claim), by_offset);
	for (size_t i = 0; i < b->files.n; i++) {
		const struct claim *c = &b->files.e[i];
		uint64_t from = c->off, end = c->off + c->len;

		if (from < at) {
			/* The last region is a file's: it reaches up to `at`. */
			b->map->r[b->map->n - 1].what = "data shared by files";
			b->map->r[b->map->n - 1].more++;
			from = at;
		}
		if (end <= from)
			continue;
		if (put_own(b, &own, at, from, err) < 0 ||
		    put(b, from, end - from, "data", b->map->paths[c->path], err) < 0)
			return -1;
		at = end;
	}
	return put_own(b, &own, at, b->own.size, err);
}

int assay_fs_map_new(struct assay_fs *fs, struct assay_fs_map **ret, struct assay_err *err)
{
	const uint64_t size = fs->src ? assay_src_size(fs->src) : 0;
	struct build b = { .fs = fs, .own.size = size, .files.size = size };
	ASSAY_AUTO(assay_fs_map) *map = NULL;
	int rc = 0;

	if (!fs->ops->nodes)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "no map of %s",
				  assay_fs_name(fs));
	map = calloc(1, sizeof(*map));
	if (!map)
		return assay_fail_mem(err);
	b.map = map;
	if (fs->ops->layout)
		rc = fs->ops->layout(fs->data, &b.own, err);
	if (rc == 0)
		rc = assay_fs_walk(fs, "/", add_file, &b, err);
	if (rc == 0)
		rc = merge(&b, err);
	free(b.own.e);
	free(b.files.e);
	if (rc < 0)
		return -1;
	*ret = assay_steal(&map);
	return 0;
}

void assay_fs_map_free(struct assay_fs_map **mp)
{
	struct assay_fs_map *map = assay_steal(mp);

	if (!map)
		return;
	for (size_t i = 0; i < map->n_paths; i++)
		free(map->paths[i]);
	free(map->paths);
	free(map->r);
	free(map);
}

const struct assay_fs_region *assay_fs_map_find(const struct assay_fs_map *map, uint64_t off)
{
	size_t lo = 0, hi = map->n;

	if (hi == 0 || off >= map->r[hi - 1].off + map->r[hi - 1].len)
		return NULL;
	while (hi - lo > 1) {
		const size_t mid = lo + (hi - lo) / 2;

		if (map->r[mid].off <= off)
			lo = mid;
		else
			hi = mid;
	}
	return &map->r[lo];
}
