/* SPDX-License-Identifier: Apache-2.0 */
/* For fuzz targets: everything that a filesystem with nodes has, within bounds; what is a file is
 * read. */
#ifndef ASSAY_TESTS_FS_WALK_H
#define ASSAY_TESTS_FS_WALK_H

#include <stdlib.h>

#include "measure/fs/fs.h"

#define FS_WALK_CALLS 200
#define FS_WALK_DEPTH 8
#define FS_WALK_READ (1U << 20)

struct fs_walk {
	const struct assay_fs_nodes *nodes;
	void *fs;
	unsigned calls;
};

/* From the start, and at the end. A read may fail only where contents are unpacked or cut short. */
static inline void fs_walk_read(struct assay_src *file)
{
	static uint8_t buf[65536];
	const uint64_t size = assay_src_size(file);
	struct assay_err err;

	for (uint64_t off = 0; off < size && off < FS_WALK_READ; off += sizeof(buf)) {
		const uint64_t left = size - off;
		const size_t n = left < sizeof(buf) ? (size_t)left : sizeof(buf);

		if (assay_src_read(file, off, buf, n, &err) < 0)
			return;
	}
	if (size > 0 && assay_src_read(file, size - 1, buf, 1, &err) < 0)
		return;
}

static inline void fs_walk_node(struct fs_walk *w, uint64_t node, unsigned depth)
{
	ASSAY_AUTO(assay_src) *file = NULL;
	ASSAY_AUTO_FREE struct assay_extent *e = NULL;
	ASSAY_AUTO_FREE char *target = NULL;
	struct assay_fs_stat st;
	struct assay_err err;
	struct assay_dir dir;
	uint64_t found;
	size_t n;

	if (depth > FS_WALK_DEPTH || w->calls++ > FS_WALK_CALLS ||
	    w->nodes->stat(w->fs, node, &st, &err) < 0)
		return;
	if (st.kind == ASSAY_FS_SYMLINK)
		(void)!w->nodes->readlink(w->fs, node, &target, &err);
	if (st.kind == ASSAY_FS_FILE) {
		if (w->nodes->open(w->fs, node, &file, &err) == 0) {
			if (assay_src_size(file) != st.size)
				abort();
			fs_walk_read(file);
		}
		(void)!w->nodes->extents(w->fs, node, &e, &n, &err);
	}
	if (st.kind != ASSAY_FS_DIR || w->nodes->list(w->fs, node, &dir, &err) < 0)
		return;
	for (size_t i = 0; i < dir.n && w->calls < FS_WALK_CALLS; i++) {
		/* What is listed is found. */
		if (w->nodes->lookup &&
		    (w->nodes->lookup(w->fs, node, dir.e[i].name, &found, &err) < 0 ||
		     found != dir.e[i].node))
			abort();
		fs_walk_node(w, dir.e[i].node, depth + 1);
	}
	assay_dir_clear(&dir);
}

/* The row alone, without the probing of assay_fs_open(). */
static inline void fs_walk(const struct assay_fs_ops *ops, struct assay_src *src)
{
	struct fs_walk w = { .nodes = ops->nodes };
	struct assay_err err;

	if (!ops->probe(src) || ops->open(src, &w.fs, &err) < 0)
		return;
	(void)ops->label(w.fs);
	fs_walk_node(&w, w.nodes->root(w.fs), 0);
	ops->free(w.fs);
}

#endif
