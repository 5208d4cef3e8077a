/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_fs_open, assay_fs_list, assay_fs_lstat, assay_fs_readlink, assay_fs_file
 * on squashfs, assay_fs_map_new, assay_fs_tree_digest: measure/fs/squashfs*.c, blocks.c, path.c,
 * walk.c, map.c, tree.c, and libsquashfs's decompressors behind them.
 *
 * The input is an image. The tree is gone through within bounds, and every file read; what can be
 * read is read twice, in pieces of other lengths, and is the same. A map has no gaps. A tree's
 * digest, or why there is none, is the same with and without threads.
 */
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/text.h"
#include "measure/fs/map.h"
#include "measure/fs/tree.h"
#include "measure/fs/walk.h"

#define CALLS 300
#define READ_MAX (2U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct walk {
	struct assay_fs *fs;
	unsigned calls;
};

/* 0 on the first failure, else a sum over all bytes. */
static uint64_t sum(struct assay_src *file, size_t step)
{
	static uint8_t buf[READ_MAX];
	uint64_t v = 1469598103934665603U, size = assay_src_size(file);
	struct assay_err err;

	if (size > READ_MAX)
		size = READ_MAX;
	for (uint64_t off = 0; off < size; off += step) {
		const size_t n = size - off < step ? (size_t)(size - off) : step;

		if (assay_src_read(file, off, buf, n, &err) < 0)
			return 0;
		for (size_t i = 0; i < n; i++)
			v = (v ^ buf[i]) * 1099511628211U;
	}
	return v;
}

static void read_file(struct walk *w, const char *path)
{
	ASSAY_AUTO(assay_src) *file = NULL;
	ASSAY_AUTO_FREE char *spelled = NULL;
	struct assay_err err;

	if (assay_fs_file(w->fs, path, &file, &spelled, &err) < 0)
		return;
	if (sum(file, 300000) != sum(file, 5001))
		abort();
}

static void look(struct walk *w, const char *path, unsigned depth)
{
	struct assay_fs_stat st;
	struct assay_dir dir;
	struct assay_err err;
	char *target = NULL;

	if (depth > 8 || w->calls++ > CALLS || assay_fs_lstat(w->fs, path, &st, &err) < 0)
		return;
	if (assay_fs_readlink(w->fs, path, &target, &err) == 0)
		free(target);
	if (st.kind != ASSAY_FS_DIR) {
		read_file(w, path);
		return;
	}
	if (assay_fs_list(w->fs, path, &dir, &err) < 0)
		return;
	for (size_t i = 0; i < dir.n && w->calls < CALLS; i++) {
		char *sub = assay_asprintf("%s/%s", path[1] ? path : "", dir.e[i].name);

		if (!sub)
			abort();
		look(w, sub, depth + 1);
		free(sub);
	}
	assay_dir_clear(&dir);
}

static void map(struct assay_fs *fs, size_t size)
{
	ASSAY_AUTO(assay_fs_map) *m = NULL;
	struct assay_err err;
	uint64_t at = 0;

	if (assay_fs_map_new(fs, &m, &err) < 0)
		return;
	for (size_t i = 0; i < m->n; i++) {
		if (m->r[i].off != at || m->r[i].len == 0)
			abort();
		at += m->r[i].len;
	}
	if (at != size)
		abort();
}

static int add_size(const struct assay_fs_entry *e, void *arg, struct assay_err *err)
{
	uint64_t *sum = arg;

	(void)err;
	*sum = *sum > READ_MAX || e->st.size > READ_MAX ? READ_MAX + 1 : *sum + e->st.size;
	return 0;
}

static void digest(struct assay_fs *fs)
{
	struct assay_fs_tree one, two;
	struct assay_err err, err2;
	uint64_t sum = 0;

	/* Terabytes of holes fit into an input. */
	if (assay_fs_walk(fs, "/", add_size, &sum, &err) < 0 || sum > READ_MAX)
		return;
	assay_hash_set_threads(1);
	const int rc = assay_fs_tree_digest(fs, "/", NULL, NULL, &one, &err);

	assay_hash_set_threads(2);
	if (assay_fs_tree_digest(fs, "/", NULL, NULL, &two, &err2) != rc ||
	    (rc == 0 && memcmp(&one, &two, sizeof(one)) != 0) ||
	    (rc < 0 && strcmp(err.msg, err2.msg) != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_fs) *fs = NULL;
	struct assay_err err;

	if (assay_src_from_mem(data, size, &src, &err) == 0 && assay_fs_open(src, &fs, &err) == 0) {
		struct walk w = { .fs = fs };

		look(&w, "/", 0);
		map(fs, size);
		digest(fs);
	}
	return 0;
}
