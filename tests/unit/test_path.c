/* SPDX-License-Identifier: Apache-2.0 */
/* Paths and symbolic links, over a filesystem in memory: a table of nodes. */
#include "tests/unit/alloc.h"

#include "core/limits.h"
#include "core/text.h"
#include "measure/fs/fs_priv.h"

struct node {
	uint64_t nr, parent;
	enum assay_fs_kind kind;
	const char *name;
	const char *target; /* of a link */
};

struct table {
	const struct node *n;
	size_t len;
	unsigned links; /* how often one was read */
};

#define ROOT 100

static uint64_t root(const void *fs)
{
	(void)fs;
	return ROOT;
}

static const struct node *find(const struct table *t, uint64_t nr)
{
	for (size_t i = 0; i < t->len; i++)
		if (t->n[i].nr == nr)
			return &t->n[i];
	fail_msg("node %u asked for", (unsigned)nr);
	return NULL;
}

static int stat_node(void *fs, uint64_t nr, struct assay_fs_stat *ret, struct assay_err *err)
{
	(void)err;
	*ret = (struct assay_fs_stat){ .kind = nr == ROOT ? ASSAY_FS_DIR : find(fs, nr)->kind,
				       .size = nr,
				       .inode = nr };
	return 0;
}

static int list(void *fs, uint64_t nr, struct assay_dir *ret, struct assay_err *err)
{
	const struct table *t = fs;
	struct assay_dir d = { .e = calloc(t->len + 1, sizeof(*d.e)) };

	if (!d.e)
		return assay_fail_mem(err);
	for (size_t i = 0; i < t->len; i++) {
		if (t->n[i].parent != nr)
			continue;
		d.e[d.n] = (struct assay_dirent){ .name = strdup(t->n[i].name),
						  .kind = t->n[i].kind,
						  .node = t->n[i].nr };
		if (!d.e[d.n++].name) {
			assay_dir_clear(&d);
			return assay_fail_mem(err);
		}
	}
	*ret = d;
	return 0;
}

static int lookup(void *fs, uint64_t dir, const char *name, uint64_t *ret, struct assay_err *err)
{
	const struct table *t = fs;

	for (size_t i = 0; i < t->len; i++) {
		if (t->n[i].parent != dir || strcmp(t->n[i].name, name) != 0)
			continue;
		*ret = t->n[i].nr;
		return 0;
	}
	return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no such file");
}

static int read_link(void *fs, uint64_t nr, char **ret, struct assay_err *err)
{
	struct table *t = fs;

	t->links++;
	*ret = assay_strdup(find(t, nr)->target);
	return *ret ? 0 : assay_fail_mem(err);
}

static int open_node(void *fs, uint64_t nr, struct assay_src **ret, struct assay_err *err)
{
	(void)fs;
	return assay_src_from_mem("0123456789abcdefghijklmnopqrstuvwxyz", nr % 30, ret, err);
}

static const struct assay_fs_nodes by_list = {
	.root = root, .stat = stat_node, .list = list, .readlink = read_link, .open = open_node
};
static const struct assay_fs_nodes by_lookup = { .root = root,
						 .stat = stat_node,
						 .list = list,
						 .lookup = lookup,
						 .readlink = read_link,
						 .open = open_node };
static const struct assay_fs_ops ops[] = { { .name = "listed", .nodes = &by_list },
					   { .name = "looked up", .nodes = &by_lookup } };

#define D ASSAY_FS_DIR
#define F ASSAY_FS_FILE
#define L ASSAY_FS_SYMLINK
#define O ASSAY_FS_OTHER

static const struct node tree[] = {
	{ 1, ROOT, D, "usr", NULL },
	{ 2, 1, D, "bin", NULL },
	{ 3, 2, F, "sh", NULL },
	{ 4, ROOT, L, "bin", "usr/bin" },
	{ 5, ROOT, L, "abs", "/usr/bin/sh" },
	{ 6, 2, L, "up", "../../etc/./conf" },
	{ 7, ROOT, D, "etc", NULL },
	{ 8, 7, F, "conf", NULL },
	{ 9, 7, L, "above", "../../../../../etc/conf" },
	{ 10, 7, L, "self", "self" },
	{ 11, 7, L, "ping", "pong" },
	{ 12, 7, L, "pong", "/etc/ping" },
	{ 13, 7, L, "dangling", "nowhere" },
	{ 14, 7, L, "slash", "conf/" },
	{ 15, 7, L, "dir", "//usr//bin/" },
	{ 16, 7, L, "empty", "" },
	{ 17, 7, O, "tty", NULL },
	{ 18, 7, L, "root", "/" },
	{ 19, 7, L, "dots", "../.." },
	{ 20, 7, L, "absup", "/../usr/../etc/conf" },
	{ 21, ROOT, D, "...", NULL },
	{ 22, 21, F, "..x", NULL },
	{ 23, 7, L, "twice", "root/bin/up" },
	{ 24, 7, L, "via", "conf/../conf" },
	{ 25, 7, L, "here", "." },
};

static void resolves(const char *path, bool follow, uint64_t node, const char *real)
{
	for (size_t i = 0; i < 2; i++) {
		struct table t = { tree, sizeof(tree) / sizeof(tree[0]), 0 };
		struct assay_fs fs = { .ops = &ops[i], .data = &t };
		ASSAY_AUTO_FREE char *got = NULL;
		uint64_t nr = 0;
		struct assay_err err;

		if (assay_fs_resolve(&fs, path, follow, &nr, &got, &err) < 0)
			fail_msg("%s, %s: %s", ops[i].name, path, err.msg);
		assert_int_equal(nr, node);
		assert_string_equal(got, real);
		assert_int_equal(assay_fs_resolve(&fs, path, follow, &nr, NULL, &err), 0);
	}
}

static void refused(const char *path, bool follow, enum assay_code code, const char *text)
{
	for (size_t i = 0; i < 2; i++) {
		struct table t = { tree, sizeof(tree) / sizeof(tree[0]), 0 };
		struct assay_fs fs = { .ops = &ops[i], .data = &t };
		char *got = (char *)&fs;
		uint64_t nr = 4711;
		struct assay_err err;

		if (assay_fs_resolve(&fs, path, follow, &nr, &got, &err) == 0)
			fail_msg("%s leads to %u", path, (unsigned)nr);
		assert_int_equal(nr, 4711);
		assert_ptr_equal(got, &fs);
		if (!strstr(err.msg, text) || !strstr(err.msg, path))
			fail_msg("'%s' and '%s' are not in '%s'", path, text, err.msg);
		assert_int_equal(err.code, code);
	}
}

static void test_plain(void **state)
{
	(void)state;
	resolves("/", true, ROOT, "/");
	resolves("", true, ROOT, "/");
	resolves("///", true, ROOT, "/");
	resolves("/usr", true, 1, "/usr");
	resolves("usr", true, 1, "/usr");
	resolves("/usr/", true, 1, "/usr");
	resolves("//usr///bin//sh", true, 3, "/usr/bin/sh");
	resolves("/usr/./bin/.", true, 2, "/usr/bin");
	resolves("/usr/bin/..", true, 1, "/usr");
	resolves("/usr/../etc/../usr/bin/sh", true, 3, "/usr/bin/sh");
	resolves("/..", true, ROOT, "/");
	resolves("/../../../etc/conf", true, 8, "/etc/conf");
	resolves("/.../..x", true, 22, "/.../..x");
	resolves("/etc/tty", true, 17, "/etc/tty");
	refused("/nothing", true, ASSAY_E_NOTFOUND, "no such file");
	refused("/usr/nothing/sh", true, ASSAY_E_NOTFOUND, "no such file");
	refused("/Usr", true, ASSAY_E_NOTFOUND, "no such file");
	refused("/etc/conf/", true, ASSAY_E_NOTFOUND, "not a directory");
	refused("/etc/conf/x", true, ASSAY_E_NOTFOUND, "not a directory");
	refused("/etc/conf/.", true, ASSAY_E_NOTFOUND, "not a directory");
	refused("/etc/conf/..", true, ASSAY_E_NOTFOUND, "not a directory");
	refused("/etc/tty/", true, ASSAY_E_NOTFOUND, "not a directory");
}

static void test_links(void **state)
{
	(void)state;
	resolves("/bin", true, 2, "/usr/bin");
	resolves("/bin", false, 4, "/bin");
	resolves("/bin/", false, 2, "/usr/bin"); /* as lstat() has it */
	resolves("/bin/sh", false, 3, "/usr/bin/sh");
	resolves("/bin/..", true, 1, "/usr"); /* where the link led, not where it lies */
	resolves("/abs", true, 3, "/usr/bin/sh");
	resolves("/abs", false, 5, "/abs");
	refused("/abs/", true, ASSAY_E_NOTFOUND, "not a directory");
	resolves("/bin/up", true, 8, "/etc/conf");
	resolves("/bin/up", false, 6, "/usr/bin/up");
	resolves("/etc/above", true, 8, "/etc/conf");
	resolves("/etc/absup", true, 8, "/etc/conf");
	resolves("/etc/dots", true, ROOT, "/");
	resolves("/etc/root", true, ROOT, "/");
	resolves("/etc/root/usr", true, 1, "/usr");
	resolves("/etc/dir", true, 2, "/usr/bin");
	resolves("/etc/dir/sh", true, 3, "/usr/bin/sh");
	resolves("/etc/twice", true, 8, "/etc/conf");
	resolves("/etc/here/here/conf", true, 8, "/etc/conf");
	refused("/etc/slash", true, ASSAY_E_NOTFOUND, "not a directory");
	refused("/etc/via", true, ASSAY_E_NOTFOUND, "not a directory");
	refused("/etc/dangling", true, ASSAY_E_NOTFOUND, "no such file");
	resolves("/etc/dangling", false, 13, "/etc/dangling");
	refused("/etc/empty", true, ASSAY_E_NOTFOUND, "an empty symbolic link");
	refused("/etc/self", true, ASSAY_E_LIMIT, "more than 40 symbolic links");
	refused("/etc/ping", true, ASSAY_E_LIMIT, "more than 40 symbolic links");
	refused("/etc/ping/x", false, ASSAY_E_LIMIT, "more than 40 symbolic links");
	resolves("/etc/ping", false, 11, "/etc/ping");
}

/* --- ceilings ---- */

/* A chain of n links, l0 to l1 and so on, the last one to "end". */
static int follow_chain(unsigned n, struct assay_err *err)
{
	struct node nodes[ASSAY_FS_MAX_LINKS + 3];
	char names[ASSAY_FS_MAX_LINKS + 3][8];
	struct table t = { nodes, n + 1, 0 };
	struct assay_fs fs = { .ops = &ops[0], .data = &t };
	uint64_t nr = 0;

	for (unsigned i = 0; i <= n; i++) {
		if (i == n)
			strcpy(names[i], "end");
		else
			snprintf(names[i], sizeof(names[i]), "l%u", i);
	}
	for (unsigned i = 0; i <= n; i++)
		nodes[i] = (struct node){ i, ROOT, i == n ? F : L, names[i],
					  i == n ? NULL : names[i + 1] };
	const int rc = assay_fs_resolve(&fs, "/l0", true, &nr, NULL, err);

	if (rc == 0)
		assert_int_equal(nr, n);
	assert_true(t.links <= ASSAY_FS_MAX_LINKS);
	return rc;
}

static void test_link_ceiling(void **state)
{
	struct assay_err err;

	(void)state;
	assert_int_equal(follow_chain(ASSAY_FS_MAX_LINKS - 1, &err), 0);
	assert_int_equal(follow_chain(ASSAY_FS_MAX_LINKS, &err), 0);
	assert_int_equal(follow_chain(ASSAY_FS_MAX_LINKS + 1, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
}

/* Directories d in one another without end: node i's child is i + 1. */
static int go_down(unsigned n, struct assay_err *err)
{
	struct node nodes[ASSAY_FS_MAX_DEPTH + 2];
	struct table t = { nodes, ASSAY_FS_MAX_DEPTH + 2, 0 };
	struct assay_fs fs = { .ops = &ops[1], .data = &t };
	char path[3 * (ASSAY_FS_MAX_DEPTH + 2)] = "";
	uint64_t nr = 0;

	for (unsigned i = 0; i < t.len; i++)
		nodes[i] = (struct node){ i, i ? i - 1 : ROOT, D, "d", NULL };
	for (unsigned i = 0; i < n; i++)
		strcat(path, "/d");
	const int rc = assay_fs_resolve(&fs, path, true, &nr, NULL, err);

	if (rc == 0)
		assert_int_equal(nr, n - 1);
	return rc;
}

static void test_depth_ceiling(void **state)
{
	struct assay_err err;
	struct table t = { tree, sizeof(tree) / sizeof(tree[0]), 0 };
	struct assay_fs fs = { .ops = &ops[0], .data = &t };
	char path[8 * 200] = "";
	uint64_t nr;

	(void)state;
	assert_int_equal(go_down(ASSAY_FS_MAX_DEPTH - 1, &err), 0);
	assert_int_equal(go_down(ASSAY_FS_MAX_DEPTH, &err), 0);
	assert_int_equal(go_down(ASSAY_FS_MAX_DEPTH + 1, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	assert_non_null(strstr(err.msg, "more than 64 levels"));
	/* How deep it is counts, not how long the way was. */
	for (int i = 0; i < 200; i++)
		strcat(path, "/usr/..");
	assert_int_equal(assay_fs_resolve(&fs, path, true, &nr, NULL, &err), 0);
	assert_int_equal(nr, ROOT);
}

static void test_length_ceiling(void **state)
{
	struct table t = { tree, sizeof(tree) / sizeof(tree[0]), 0 };
	struct assay_fs fs = { .ops = &ops[0], .data = &t };
	char path[ASSAY_FS_MAX_PATH + 2];
	uint64_t nr;
	struct assay_err err;

	(void)state;
	memset(path, '/', sizeof(path));
	memcpy(path + sizeof(path) - 4, "usr", 4);
	assert_int_equal(strlen(path), ASSAY_FS_MAX_PATH + 1);
	assert_int_equal(assay_fs_resolve(&fs, path + 2, true, &nr, NULL, &err), 0);
	assert_int_equal(assay_fs_resolve(&fs, path + 1, true, &nr, NULL, &err), 0);
	assert_int_equal(nr, 1);
	assert_int_equal(assay_fs_resolve(&fs, path, true, &nr, NULL, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
}

/* A link's target, with what is still to be gone behind it, has the same ceiling. */
static void test_target_ceiling(void **state)
{
	(void)state;
	for (int more = -1; more <= 1; more++) {
		const size_t rest = strlen("sh");
		char target[ASSAY_FS_MAX_PATH + 2];
		const struct node nodes[] = { { 1, ROOT, D, "usr", NULL },
					      { 2, 1, F, "sh", NULL },
					      { 3, ROOT, L, "l", target } };
		struct table t = { nodes, 3, 0 };
		struct assay_fs fs = { .ops = &ops[0], .data = &t };
		/* target + '/' + rest */
		const size_t len = ASSAY_FS_MAX_PATH - 1 - rest + more;
		uint64_t nr = 0;
		struct assay_err err;

		memset(target, '/', len);
		memcpy(target + len - 3, "usr", 4);
		const int rc = assay_fs_resolve(&fs, "/l/sh", true, &nr, NULL, &err);

		assert_int_equal(rc, more > 0 ? -1 : 0);
		if (rc == 0)
			assert_int_equal(nr, 2);
		else
			assert_int_equal(err.code, ASSAY_E_LIMIT);
	}
}

/* --- what stands on it ---- */

static void test_calls(void **state)
{
	struct table t = { tree, sizeof(tree) / sizeof(tree[0]), 0 };
	struct assay_fs fs = { .ops = &ops[0], .data = &t };
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE char *path = NULL;
	struct assay_dir dir = { .n = 77 };
	struct assay_fs_stat st;
	struct assay_err err;
	char *text = NULL;

	(void)state;
	assert_int_equal(assay_fs_file(&fs, "/bin/up", &src, &path, &err), 0);
	assert_string_equal(path, "/etc/conf");
	assert_int_equal(assay_src_size(src), 8);
	assert_int_equal(assay_fs_file(&fs, "/bin", &src, NULL, &err), -1);
	assert_string_equal(err.msg, "/bin: not a file");
	assert_int_equal(assay_fs_file(&fs, "/etc/tty", &src, NULL, &err), -1);
	assert_string_equal(err.msg, "/etc/tty: not a file");

	assert_int_equal(assay_fs_list(&fs, "/etc/conf", &dir, &err), -1);
	assert_string_equal(err.msg, "/etc/conf: not a directory");
	assert_int_equal(dir.n, 77);
	assert_int_equal(assay_fs_list(&fs, "/bin", &dir, &err), 0);
	assert_int_equal(dir.n, 2);
	assert_string_equal(dir.e[0].name, "sh");
	assay_dir_clear(&dir);

	assert_int_equal(assay_fs_lstat(&fs, "/bin", &st, &err), 0);
	assert_int_equal(st.kind, ASSAY_FS_SYMLINK);
	assert_int_equal(assay_fs_lstat(&fs, "/bin/", &st, &err), 0);
	assert_int_equal(st.kind, ASSAY_FS_DIR);
	assert_int_equal(assay_fs_readlink(&fs, "/bin", &text, &err), 0);
	assert_string_equal(text, "usr/bin");
	free(text);
	assert_int_equal(assay_fs_readlink(&fs, "/usr", &text, &err), -1);
	assert_string_equal(err.msg, "/usr: not a symbolic link");
	assert_int_equal(assay_fs_readlink(&fs, "/none", &text, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
}

static int resolve_once(struct assay_err *err)
{
	struct table t = { tree, sizeof(tree) / sizeof(tree[0]), 0 };
	struct assay_fs fs = { .ops = &ops[0], .data = &t };
	ASSAY_AUTO_FREE char *path = NULL;
	uint64_t nr;

	return assay_fs_resolve(&fs, "/etc/twice", true, &nr, &path, err);
}

static void test_memory(void **state)
{
	(void)state;
	unit_alloc_each(resolve_once, true);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_plain),
	cmocka_unit_test(test_links),
	cmocka_unit_test(test_link_ceiling),
	cmocka_unit_test(test_depth_ceiling),
	cmocka_unit_test(test_length_ceiling),
	cmocka_unit_test(test_target_ceiling),
	cmocka_unit_test(test_calls),
	cmocka_unit_test(test_memory),
};

UNIT_MAIN(tests)
