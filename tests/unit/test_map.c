/* SPDX-License-Identifier: Apache-2.0 */
/* Walks through trees, and maps of what the bytes of a filesystem are: squashfs, and a made-up row.
 */
#include "tests/unit/alloc.h"
#include "tests/unit/squashfs_image.h"

#include <inttypes.h>

#include "core/limits.h"
#include "core/text.h"
#include "measure/fs/fs_priv.h"
#include "measure/fs/map.h"
#include "measure/fs/walk.h"

static struct assay_fs *must_open(const struct sqfs_image *s, size_t size)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_fs *fs = NULL;
	struct assay_err err;

	assert_int_equal(assay_src_from_mem(s->p, size, &src, &err), 0);
	if (assay_fs_open(src, &fs, &err) < 0)
		fail_msg("%s", err.msg);
	return fs;
}

static int collect(const struct assay_fs_entry *e, void *arg, struct assay_err *err)
{
	(void)err;
	assay_str_add(arg, "%s ", e->path);
	return 0;
}

static void walk_is(const struct sqfs_image *s, const char *path, const char *want)
{
	ASSAY_AUTO(assay_fs) *fs = must_open(s, s->size);
	struct assay_str got = { 0 };
	struct assay_err err;

	if (assay_fs_walk(fs, path, collect, &got, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(got.p, want);
	assay_str_clear(&got);
}

static void walk_fails(const struct sqfs_image *s, enum assay_code code, const char *text)
{
	ASSAY_AUTO(assay_fs) *fs = must_open(s, s->size);
	struct assay_str got = { 0 };
	struct assay_err err;

	assert_int_equal(assay_fs_walk(fs, "/", collect, &got, &err), -1);
	assay_str_clear(&got);
	if (!strstr(err.msg, text))
		fail_msg("'%s' is not in '%s'", text, err.msg);
	assert_int_equal(err.code, code);
}

static struct sqfs_listing *listing(void)
{
	struct sqfs_listing *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	return l;
}

/* --- walks ---- */

static void test_order(void **state)
{
	struct sqfs_image *s = sqfs_begin();
	struct sqfs_listing *sub = listing(), *top = listing();
	const uint64_t f = sqfs_file(s, 0, 0, SQFS_NO_FRAG, 0, NULL, 0);

	(void)state;
	sqfs_entry(sub, "\x01", f, 2);
	sqfs_entry(sub, "b", f, 2);
	const uint64_t d = sqfs_dir(s, sub, 0);

	sqfs_entry(top, "a", d, 1);
	sqfs_entry(top, "a-b", f, 2);
	sqfs_entry(top, "aa", f, 2);
	sqfs_entry(top, "l", sqfs_link(s, "a", 1), 3);
	sqfs_finish(s, sqfs_dir(s, top, 0));
	walk_is(s, "/", "/ /a /a/\x01 /a/b /a-b /aa /l ");
	walk_is(s, "//", "/ /a /a/\x01 /a/b /a-b /aa /l ");
	walk_is(s, "/a", "/a /a/\x01 /a/b ");
	walk_is(s, "/l", "/a /a/\x01 /a/b ");
	walk_is(s, "/l/", "/a /a/\x01 /a/b ");
	walk_is(s, "/l/..", "/ /a /a/\x01 /a/b /a-b /aa /l ");

	ASSAY_AUTO(assay_fs) *fs = must_open(s, s->size);
	struct assay_str got = { 0 };
	struct assay_err err;

	assert_int_equal(assay_fs_walk(fs, "/aa", collect, &got, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
	assert_int_equal(got.len, 0);
	sqfs_end(s);
	free(sub);
	free(top);
}

static void test_odd_trees(void **state)
{
	struct sqfs_image *s = sqfs_begin();
	struct sqfs_listing *sub = listing(), *top = listing();

	(void)state;
	const uint64_t d = sqfs_dir(s, sub, 0);

	sqfs_entry(top, "a", d, 1);
	sqfs_entry(top, "b", d, 1);
	sqfs_finish(s, sqfs_dir(s, top, 0));
	walk_fails(s, ASSAY_E_CORRUPT, "/b: a directory that has another name too");
	sqfs_end(s);

	/* One that is in itself: its own reference is known beforehand. */
	memset(top, 0, sizeof(*top));
	s = sqfs_begin();
	sqfs_entry(top, "a", sqfs_ref(0), 1);
	sqfs_finish(s, sqfs_dir(s, top, 0));
	walk_fails(s, ASSAY_E_CORRUPT, "/a: a directory that has another name too");
	sqfs_end(s);

	memset(top, 0, sizeof(*top));
	s = sqfs_begin();
	sqfs_entry(top, "a", sqfs_link(s, "x", 1), 2);
	sqfs_finish(s, sqfs_dir(s, top, 0));
	walk_fails(s, ASSAY_E_CORRUPT, "/a: its directory and its inode disagree");
	sqfs_end(s);

	memset(top, 0, sizeof(*top));
	s = sqfs_begin();
	sqfs_entry(top, "a", 0x7fff, 2);
	sqfs_finish(s, sqfs_dir(s, top, 0));
	walk_fails(s, ASSAY_E_CORRUPT, "/a: inode: at 32767 of a metadata block");
	sqfs_end(s);
	free(sub);
	free(top);
}

static void test_depth(void **state)
{
	(void)state;
	for (unsigned levels = ASSAY_FS_MAX_DEPTH - 1; levels <= ASSAY_FS_MAX_DEPTH + 1; levels++) {
		struct sqfs_image *s = sqfs_begin();
		struct sqfs_listing *l = listing();
		uint64_t d = sqfs_file(s, 0, 0, SQFS_NO_FRAG, 0, NULL, 0);

		for (unsigned i = 0; i < levels; i++) {
			memset(l, 0, sizeof(*l));
			sqfs_entry(l, "x", d, i ? 1 : 2);
			d = sqfs_dir(s, l, 0);
		}
		sqfs_finish(s, d);
		if (levels <= ASSAY_FS_MAX_DEPTH) {
			ASSAY_AUTO(assay_fs) *fs = must_open(s, s->size);
			struct assay_str got = { 0 };
			struct assay_err err;

			assert_int_equal(assay_fs_walk(fs, "/", collect, &got, &err), 0);
			assay_str_clear(&got);
		} else {
			walk_fails(s, ASSAY_E_LIMIT, "more than 64 levels");
		}
		sqfs_end(s);
		free(l);
	}
}

/* --- a made-up row: directories of SIDE names, SIDE of them, and a file in any number of pieces
 * ---- */

#define SIDE 2048U
struct made_up {
	size_t names;  /* in all, without the root */
	size_t pieces; /* of the file that is the only name, when it is 1 */
};

static uint64_t made_root(const void *fs)
{
	(void)fs;
	return 0;
}

static int made_stat(void *fs, uint64_t node, struct assay_fs_stat *ret, struct assay_err *err)
{
	const struct made_up *m = fs;

	(void)err;
	*ret = (struct assay_fs_stat){ .kind = node == 0 || (m->pieces == 0 && node <= SIDE)
						       ? ASSAY_FS_DIR
						       : ASSAY_FS_FILE,
				       .size = m->pieces };
	return 0;
}

/* Nodes 1 to SIDE are in the root; the others are dealt out in order. */
static int made_list(void *fs, uint64_t node, struct assay_dir *ret, struct assay_err *err)
{
	const struct made_up *m = fs;
	const size_t first = node == 0 ? 1 : SIDE + 1 + (size_t)(node - 1) * SIDE;
	struct assay_dir d = { 0 };

	d.e = calloc(SIDE, sizeof(*d.e));
	if (!d.e)
		return assay_fail_mem(err);
	for (size_t i = first; i < first + SIDE && i <= m->names; i++) {
		d.e[d.n] = (struct assay_dirent){
			.kind = m->pieces == 0 && i <= SIDE ? ASSAY_FS_DIR : ASSAY_FS_FILE,
			.node = i,
			.name = malloc(8),
		};
		assert_non_null(d.e[d.n].name);
		snprintf(d.e[d.n++].name, 8, "%zu", i - first);
	}
	*ret = d;
	return 0;
}

/* Single bytes, each second one, backwards. */
static int made_extents(void *fs, uint64_t node, struct assay_extent **ret, size_t *ret_n,
			struct assay_err *err)
{
	const struct made_up *m = fs;
	struct assay_extent *e = calloc(m->pieces, sizeof(*e));

	(void)node;
	if (!e)
		return assay_fail_mem(err);
	for (size_t i = 0; i < m->pieces; i++)
		e[i] = (struct assay_extent){ .off = 2 * (m->pieces - i), .len = 1 };
	*ret = e;
	*ret_n = m->pieces;
	return 0;
}

static const struct assay_fs_nodes made_nodes = {
	.root = made_root, .stat = made_stat, .list = made_list, .extents = made_extents
};
static const struct assay_fs_ops made_ops = { .name = "made up", .nodes = &made_nodes };

static int count(const struct assay_fs_entry *e, void *arg, struct assay_err *err)
{
	(void)e;
	(void)err;
	++*(size_t *)arg;
	return 0;
}

static void test_names_ceiling(void **state)
{
	(void)state;
	/* The root is one too. */
	for (int more = 0; more <= 1; more++) {
		struct made_up m = { .names = ASSAY_FS_MAX_NODES - 1 + more };
		struct assay_fs fs = { .ops = &made_ops, .data = &m };
		struct assay_err err;
		size_t n = 0;

		assert_int_equal(assay_fs_walk(&fs, "/", count, &n, &err), -more);
		assert_int_equal(n, ASSAY_FS_MAX_NODES);
		if (more)
			assert_int_equal(err.code, ASSAY_E_LIMIT);
	}
}

static void test_pieces_ceiling(void **state)
{
	(void)state;
	for (int more = -1; more <= 1; more++) {
		struct made_up m = { .names = 1, .pieces = ASSAY_FS_MAX_REGIONS + more };
		struct assay_fs fs = { .ops = &made_ops, .data = &m };
		ASSAY_AUTO(assay_fs_map) *map = NULL;
		struct assay_err err;
		static uint8_t zeros[2 * (ASSAY_FS_MAX_REGIONS + 3)];

		assert_int_equal(assay_src_from_mem(zeros, 2 * m.pieces + 2, &fs.src, &err), 0);
		assert_int_equal(assay_fs_map_new(&fs, &map, &err), more > 0 ? -1 : 0);
		assay_src_free(&fs.src);
		if (more > 0) {
			assert_int_equal(err.code, ASSAY_E_LIMIT);
			continue;
		}
		assert_int_equal(map->n, 2 * m.pieces + 1);
		for (uint64_t off = 0; off < 2 * m.pieces + 2; off += 977) {
			const struct assay_fs_region *r = assay_fs_map_find(map, off);

			assert_non_null(r);
			assert_true(off >= r->off && off - r->off < r->len);
			assert_string_equal(r->what, off >= 2 && off % 2 == 0 ? "data" : "unused");
		}
		assert_null(assay_fs_map_find(map, 2 * m.pieces + 2));
	}
}

/* --- maps ---- */

static char *map_text(struct assay_fs *fs)
{
	ASSAY_AUTO(assay_fs_map) *map = NULL;
	struct assay_str s = { 0 };
	struct assay_err err;
	uint64_t at = 0;

	if (assay_fs_map_new(fs, &map, &err) < 0)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < map->n; i++) {
		const struct assay_fs_region *r = &map->r[i];

		assert_int_equal(r->off, at);
		assert_true(r->len > 0);
		at += r->len;
		assay_str_add(&s, "%" PRIu64 " %s", r->len, r->what);
		if (r->path)
			assay_str_add(&s, " %s", r->path);
		if (r->more)
			assay_str_add(&s, " +%" PRIu32, r->more);
		assay_str_add(&s, "\n");
		for (uint64_t off = r->off; off < r->off + r->len; off++)
			assert_ptr_equal(assay_fs_map_find(map, off), r);
	}
	assert_int_equal(at, assay_src_size(fs->src));
	assert_null(assay_fs_map_find(map, at));
	return assay_str_steal(&s);
}

static void test_squashfs(void **state)
{
	struct sqfs_image *s = sqfs_sample();
	uint8_t *longer = calloc(1, s->size + 1000);
	ASSAY_AUTO_FREE char *got = NULL;
	char want[2000];

	(void)state;
	assert_non_null(longer);
	memcpy(longer, s->p, s->size);
	free(s->p);
	s->p = longer;
	ASSAY_AUTO(assay_fs) *fs = must_open(s, s->size + 1000);
	snprintf(want, sizeof(want),
		 "96 superblock\n%zu data /a\n50 data /b\n300 data shared by files /a +1\n"
		 "%" PRIu64 " inode table\n%" PRIu64
		 " directory table\n26 fragment table\n18 id table\n"
		 "1000 padding\n",
		 sizeof(sqfs_packed) + SQFS_BS, s->dir_table - s->inode_table,
		 s->frag_blocks - s->dir_table);
	got = map_text(fs);
	assert_string_equal(got, want);
	sqfs_end(s);
}

/* Options, an export table, attributes, bytes of nobody, a file's blocks in another one's, and in a
 * table. */
static void test_squashfs_odd(void **state)
{
	struct sqfs_image *s = sqfs_begin();
	struct sqfs_listing *l = listing();
	const uint8_t bytes[1000] = { 8, 0x80 };
	const uint32_t w300 = 300 | SQFS_RAW, w100 = 100 | SQFS_RAW;

	(void)state;
	sqfs_data(s, bytes, 1000); /* "options" of 8 bytes, then files' */
	sqfs_entry(l, "a", sqfs_file(s, 200, 300, SQFS_NO_FRAG, 0, &w300, 1), 2);
	sqfs_entry(l, "b", sqfs_file(s, 450, 100, SQFS_NO_FRAG, 0, &w100, 1), 2);
	sqfs_entry(l, "c", sqfs_file(s, 200, 300, SQFS_NO_FRAG, 0, &w300, 1), 2);
	sqfs_entry(l, "d", sqfs_file(s, 1096, 100, SQFS_NO_FRAG, 0, &w100, 1), 2);
	sqfs_finish(s, sqfs_dir(s, l, 0));
	sqfs_put(s->p + 24, "2", SQFS_U(0x0400));
	ASSAY_AUTO(assay_fs) *fs = must_open(s, s->size);
	ASSAY_AUTO_FREE char *got = map_text(fs);
	char want[2000];

	snprintf(want, sizeof(want),
		 "96 superblock\n10 compression options\n94 unused\n300 data shared by files /a "
		 "+2\n50 data /b\n"
		 "546 unused\n100 data /d\n%" PRIu64 " inode table\n%" PRIu64
		 " directory table\n18 id table\n",
		 s->dir_table - s->inode_table - 100, s->id_blocks - s->dir_table);
	assert_string_equal(got, want);
	sqfs_end(s);
	free(l);
}

static struct sqfs_image *memory_image;
static int map_once(struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_fs) *fs = NULL;
	ASSAY_AUTO(assay_fs_map) *map = NULL;

	if (assay_src_from_mem(memory_image->p, memory_image->size, &src, err) < 0 ||
	    assay_fs_open(src, &fs, err) < 0)
		return -1;
	return assay_fs_map_new(fs, &map, err);
}

static void test_memory(void **state)
{
	(void)state;
	memory_image = sqfs_sample();
	unit_alloc_each(map_once, true);
	sqfs_end(memory_image);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_order),	       cmocka_unit_test(test_odd_trees),
	cmocka_unit_test(test_depth),	       cmocka_unit_test(test_names_ceiling),
	cmocka_unit_test(test_pieces_ceiling), cmocka_unit_test(test_squashfs),
	cmocka_unit_test(test_squashfs_odd),   cmocka_unit_test(test_memory),
};

UNIT_MAIN(tests)
