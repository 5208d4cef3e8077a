/* SPDX-License-Identifier: Apache-2.0 */
/* Container archives in a filesystem, which is a table here; and lists of measurements against what
 * was found. */
#include "tests/unit/alloc.h"
#include "tests/unit/container_build.h"

#include "core/hash.h"
#include "core/limits.h"
#include "core/text.h"
#include "measure/container/container_priv.h"
#include "measure/container/find.h"
#include "measure/container/store_priv.h"
#include "measure/fs/fs_priv.h"

/* --- a filesystem: paths and bytes -------------------------------------------------------------
 */

struct node {
	const char *path; /* "/a/b" */
	enum assay_fs_kind kind;
	const void *data; /* or a link's target */
	size_t len;
	bool bad; /* cannot be read */
};

struct table {
	struct node n[32];
	size_t used;
	unsigned wide; /* as many more names of one archive in the root */
	const struct tar *tar;
};

#define MADE (UINT64_C(1) << 32) /* the node of them all */

static uint64_t table_root(const void *fs)
{
	(void)fs;
	return 0;
}

static int table_stat(void *fs, uint64_t node, struct assay_fs_stat *ret, struct assay_err *err)
{
	const struct table *t = fs;

	(void)err;
	*ret = (struct assay_fs_stat){ .kind = ASSAY_FS_DIR };
	if (node != 0 && node < MADE)
		*ret = (struct assay_fs_stat){ .kind = t->n[node - 1].kind,
					       .size = t->n[node - 1].len };
	if (node == MADE)
		ret->kind = ASSAY_FS_FILE;
	return 0;
}

static bool lies_in(const char *path, const char *folder)
{
	const size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && path[len] == '/' && !strchr(path + len + 1, '/');
}

static int add_name(struct assay_dir *dir, char *name, enum assay_fs_kind kind, uint64_t node,
		    struct assay_err *err)
{
	struct assay_dirent *more = realloc(dir->e, (dir->n + 1) * sizeof(*more));

	if (more)
		dir->e = more;
	if (!more || !name) {
		free(name);
		return assay_fail_mem(err);
	}
	more[dir->n++] = (struct assay_dirent){ .name = name, .kind = kind, .node = node };
	return 0;
}

static int table_list(void *fs, uint64_t node, struct assay_dir *ret, struct assay_err *err)
{
	const struct table *t = fs;
	const char *folder = node ? t->n[node - 1].path : "";
	struct assay_dir dir = { 0 };
	int rc = 0;

	for (size_t i = 0; i < t->used && rc == 0; i++)
		if (lies_in(t->n[i].path, folder))
			rc = add_name(&dir, assay_strdup(strrchr(t->n[i].path, '/') + 1),
				      t->n[i].kind, i + 1, err);
	for (unsigned i = 0; node == 0 && i < t->wide && rc == 0; i++)
		rc = add_name(&dir, assay_asprintf("m%u.tar", i), ASSAY_FS_FILE, MADE, err);
	if (rc < 0)
		assay_dir_clear(&dir);
	else
		*ret = dir;
	return rc;
}

static int table_lookup(void *fs, uint64_t dir, const char *name, uint64_t *ret,
			struct assay_err *err)
{
	const struct table *t = fs;

	if (name[0] == 'm' && t->wide > 0) {
		*ret = MADE;
		return 0;
	}
	for (size_t i = 0; i < t->used; i++) {
		if (!lies_in(t->n[i].path, dir ? t->n[dir - 1].path : "") ||
		    strcmp(strrchr(t->n[i].path, '/') + 1, name) != 0)
			continue;
		*ret = i + 1;
		return 0;
	}
	return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no such file");
}

static int table_readlink(void *fs, uint64_t node, char **ret, struct assay_err *err)
{
	const struct table *t = fs;

	*ret = assay_strdup(t->n[node - 1].data);
	return *ret ? 0 : assay_fail_mem(err);
}

static int table_open(void *fs, uint64_t node, struct assay_src **ret, struct assay_err *err)
{
	const struct table *t = fs;

	if (node == MADE)
		return assay_src_from_mem(t->tar->p, t->tar->n, ret, err);
	const struct node *n = &t->n[node - 1];

	if (n->bad)
		return assay_fail(err, ASSAY_E_IO, 77, "cannot be read");
	return assay_src_from_mem(n->data, n->len, ret, err);
}

static const struct assay_fs_nodes nodes = { .root = table_root,
					     .stat = table_stat,
					     .list = table_list,
					     .lookup = table_lookup,
					     .readlink = table_readlink,
					     .open = table_open };
static const struct assay_fs_ops ops = { .name = "table", .nodes = &nodes };

static struct node *put(struct table *t, const char *path, enum assay_fs_kind kind,
			const void *data, size_t len)
{
	assert_true(t->used < sizeof(t->n) / sizeof(t->n[0]));
	t->n[t->used] = (struct node){ path, kind, data, len, false };
	return &t->n[t->used++];
}

static void put_tar(struct table *t, const char *path, const struct tar *tar)
{
	put(t, path, ASSAY_FS_FILE, tar->p, tar->n);
}

static int find(struct table *t, struct assay_found *ret, struct assay_err *err)
{
	const struct assay_container_opts opts = { 0 };
	struct assay_fs fs = { &ops, t };

	return assay_containers_find(&fs, &opts, ret, err);
}

static struct assay_found found_in(struct table *t, size_t n)
{
	struct assay_found found = { 0 };
	struct assay_err err = { 0 };

	if (find(t, &found, &err) < 0)
		fail_msg("%s", err.msg);
	if (found.n != n)
		fail_msg("%zu found, the first is %s", found.n, found.n ? found.a[0].path : "none");
	return found;
}

/* --- what is found -----------------------------------------------------------------------------
 */

/* An OCI layout of one image without layers, below /oci. */
#define CONFIG "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}"
static char manifest[300], list[300], config_path[100], manifest_path[100];

static void make_layout(void)
{
	char hex[65];

	tar_hex_of(CONFIG, strlen(CONFIG), hex);
	snprintf(config_path, sizeof(config_path), "/oci/blobs/sha256/%s", hex);
	snprintf(manifest, sizeof(manifest),
		 "{\"config\":{\"digest\":\"sha256:%s\",\"size\":%zu},\"layers\":[]}", hex,
		 strlen(CONFIG));
	tar_hex_of(manifest, strlen(manifest), hex);
	snprintf(manifest_path, sizeof(manifest_path), "/oci/blobs/sha256/%s", hex);
	snprintf(list, sizeof(list),
		 "{\"manifests\":[{\"digest\":\"sha256:%s\",\"size\":%zu,\"annotations\":"
		 "{\"org.opencontainers.image.ref.name\":\"b:1\"}}]}",
		 hex, strlen(manifest));
}

static void put_layout(struct table *t)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";

	make_layout();
	put(t, "/oci", ASSAY_FS_DIR, NULL, 0);
	put(t, "/oci/blobs", ASSAY_FS_DIR, NULL, 0);
	put(t, "/oci/blobs/sha256", ASSAY_FS_DIR, NULL, 0);
	put(t, config_path, ASSAY_FS_FILE, CONFIG, strlen(CONFIG));
	put(t, manifest_path, ASSAY_FS_FILE, manifest, strlen(manifest));
	put(t, "/oci/index.json", ASSAY_FS_FILE, list, strlen(list));
	put(t, "/oci/oci-layout", ASSAY_FS_FILE, layout, strlen(layout));
}

static uint8_t packed[4096];
static size_t packed_len;

static void read_packed(void)
{
	FILE *f = fopen("tests/corpus/container/packed", "rb");

	assert_non_null(f);
	packed_len = fread(packed, 1, sizeof(packed), f);
	assert_true(packed_len > 100 && packed_len < sizeof(packed));
	fclose(f);
}

static void archives_and_layouts(void **state)
{
	struct tar tar = tar_docker(1, "c", NULL);
	struct table t = { 0 };

	(void)state;
	tar_end(&tar);
	read_packed();
	put(&t, "/z", ASSAY_FS_DIR, NULL, 0);
	put_tar(&t, "/z/web.tar", &tar);
	put_tar(&t, "/z/WEB.TAR", &tar);
	put_tar(&t, "/z/.tar", &tar); /* hidden, and without an extension */
	put_tar(&t, "/z/web.tar.old", &tar);
	put(&t, "/z/packed.tgz", ASSAY_FS_FILE, packed, packed_len);
	put(&t, "/z/link.tar", ASSAY_FS_SYMLINK, "web.tar", 7);
	put(&t, "/z/dir.tar", ASSAY_FS_DIR, NULL, 0);
	put(&t, "/z/pipe.tar", ASSAY_FS_OTHER, NULL, 0);
	put_layout(&t);

	struct assay_found found = found_in(&t, 4);
	static const char *const paths[] = { "/oci", "/z/WEB.TAR", "/z/packed.tgz", "/z/web.tar" };

	for (size_t i = 0; i < found.n; i++) {
		assert_string_equal(found.a[i].path, paths[i]);
		assert_non_null(found.a[i].containers);
		assert_int_equal(found.a[i].containers->n_images, 1);
		assert_true(assay_container_verified(found.a[i].containers,
						     &found.a[i].containers->images[0]));
	}
	uint8_t id[32];

	SHA256((const uint8_t *)CONFIG, strlen(CONFIG), id);
	assert_memory_equal(found.a[0].containers->images[0].id, id, 32);
	assay_found_clear(&found);
	assert_null(found.a);
	free(tar.p);
}

static void others(void **state)
{
	struct tar plain = { 0 }, sparse = { 0 }, below = { 0 }, empty = { 0 }, pax = { 0 };
	struct table t = { 0 };

	(void)state;
	tar_member(&plain, '0', "README", "", "hello", 5);
	tar_end(&plain);
	/* A map that goes on in two blocks, then data; what follows is met at its place. */
	static uint8_t map[2 * 512 + 512];

	map[504] = 1;
	tar_member(&sparse, 'S', "sparse", "", "", 0);
	sparse.p[482] = 1;
	memcpy(sparse.p + 124, "00000000003", 12);
	tar_sum(sparse.p);
	tar_put(&sparse, map, sizeof(map));
	tar_member(&sparse, '0', "README", "", "", 0);
	tar_end(&sparse);
	tar_member(&below, '0', "d/manifest.json", "", "[]", 2);
	tar_member(&below, '2', "oci", "oci-layout", "", 0);
	tar_end(&below);
	tar_end(&empty);
	tar_member(&pax, 'x', "p", "", "22 GNU.sparse.major=1\n", 22);
	tar_member(&pax, '0', "GNUSparseFile.1/f", "", "data", 4);
	tar_end(&pax);
	put_tar(&t, "/plain.tar", &plain);
	put_tar(&t, "/sparse.tar", &sparse);
	put_tar(&t, "/below.tar", &below);
	put_tar(&t, "/empty.tar", &empty);
	put_tar(&t, "/pax.tar", &pax);
	put(&t, "/text.tar", ASSAY_FS_FILE, "no tar file at all", 18);
	put(&t, "/none.tar", ASSAY_FS_FILE, "", 0);

	struct assay_found found = found_in(&t, 0);

	assay_found_clear(&found);
	free(plain.p);
	free(sparse.p);
	free(below.p);
	free(empty.p);
	free(pax.p);
}

/* One archive is found, and cannot be read. */
static void broken(struct table *t, enum assay_code code, const char *msg)
{
	struct assay_found found = found_in(t, 1);

	assert_null(found.a[0].containers);
	if (found.a[0].err.code != code || !strstr(found.a[0].err.msg, msg))
		fail_msg("code %d, %s", (int)found.a[0].err.code, found.a[0].err.msg);
	assay_found_clear(&found);
}

static void broken_ones_are_named(void **state)
{
	struct tar tar = tar_docker(1, "c", NULL), sparse = { 0 };
	struct table t = { 0 };

	(void)state;
	tar_end(&tar);
	read_packed();
	put_tar(&t, "/a.tar", &tar);
	t.n[0].bad = true;
	broken(&t, ASSAY_E_IO, "cannot be read");

	/* Cut anywhere before its end, from the first whole header on. */
	t.n[0].bad = false;
	for (size_t len = 512; len < tar.n - 1024; len += 64) {
		t.n[0].len = len;
		broken(&t, ASSAY_E_CORRUPT, "");
	}
	/* A bit of the first header: of the checksum, of the magic. */
	t.n[0].len = tar.n;
	tar.p[148] ^= 1;
	broken(&t, ASSAY_E_CORRUPT, "checksum");
	tar.p[148] ^= 1;
	t.used = 0;
	put(&t, "/b.tar.gz", ASSAY_FS_FILE, packed, packed_len - 30);
	broken(&t, ASSAY_E_CORRUPT, "unpacked (gzip)");

	/* What may not be in a container archive, and may be in others. */
	t.used = 0;
	tar_member(&sparse, 'S', "sparse", "", "", 0);
	tar_put(&sparse, tar.p, tar.n);
	put_tar(&t, "/s.tar", &sparse);
	broken(&t, ASSAY_E_UNSUPPORTED, "sparse");

	/* A layout whose configuration is a link. */
	t.used = 0;
	put_layout(&t);
	t.n[3].kind = ASSAY_FS_SYMLINK;
	t.n[3].data = "/etc/passwd";
	broken(&t, ASSAY_E_UNSUPPORTED, "is a link");
	free(tar.p);
	free(sparse.p);
}

/* --- ceilings ----------------------------------------------------------------------------------
 */

static void check(struct table *t, int want, const char *msg)
{
	struct assay_found found = { 0 };
	struct assay_err err = { 0 };

	assert_int_equal(find(t, &found, &err), want);
	if (want < 0 && (err.code != ASSAY_E_LIMIT || !strstr(err.msg, msg)))
		fail_msg("code %d, %s", (int)err.code, err.msg);
	assay_found_clear(&found);
}

static void ceiling_of_archives(void **state)
{
	struct tar tar = tar_docker(0, "c", NULL);
	struct table t = { .tar = &tar, .wide = ASSAY_CONTAINER_MAX_ARCHIVES };

	(void)state;
	tar_end(&tar);
	check(&t, 0, "");
	t.wide++;
	check(&t, -1, "container archives");
	free(tar.p);
}

static void ceiling_of_unpacking(void **state)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_src) *plain = NULL;
	struct assay_src *none = NULL;
	struct assay_err err = { 0 };

	(void)state;
	read_packed();
	assert_int_equal(assay_src_from_mem(packed, packed_len, &src, &err), 0);
	assert_int_equal(assay_spool(src, ASSAY_PACKING_GZIP, 1 << 20, &plain, &err), 0);
	const uint64_t size = assay_src_size(plain);

	assay_src_free(&plain);
	assert_int_equal(assay_spool(src, ASSAY_PACKING_GZIP, size, &plain, &err), 0);
	assert_int_equal(assay_spool(src, ASSAY_PACKING_GZIP, size - 1, &none, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	assert_null(none);
}

/* A tar file of any number of empty folders, and manifest.json behind them. */
struct folders {
	uint8_t folder[512], last[512];
	uint64_t n;
};

static int folders_read(void *data, uint64_t off, uint8_t *buf, size_t len, struct assay_err *err)
{
	const struct folders *f = data;

	(void)err;
	/* A header at a time is asked for; the end is zeros. */
	memset(buf, 0, len);
	for (size_t at = 0; at + 512 <= len && off / 512 + at / 512 <= f->n; at += 512)
		memcpy(buf + at, off / 512 + at / 512 == f->n ? f->last : f->folder, 512);
	return 0;
}

static void folders_free(void *data)
{
	(void)data;
}

static void ceiling_of_headers(void **state)
{
	static const struct assay_src_ops folders_ops = { folders_read, folders_free };
	struct folders f = { .n = ASSAY_SCAN_MAX_ENTRIES - 1 };
	struct tar t = { 0 };
	struct assay_err err;
	bool is = false;

	(void)state;
	tar_member(&t, '5', "d", "", "", 0);
	tar_member(&t, '0', "manifest.json", "", "", 0);
	memcpy(f.folder, t.p, 512);
	memcpy(f.last, t.p + 512, 512);
	free(t.p);
	for (int over = 0; over < 2; over++, f.n++) {
		ASSAY_AUTO(assay_src) *src = NULL;

		assert_int_equal(assay_src_from_ops(&folders_ops, &f, (f.n + 3) * 512, &src, &err),
				 0);
		assert_int_equal(assay_container_is(src, &is, &err), -over);
		assert_true(is || over);
	}
	assert_int_equal(err.code, ASSAY_E_LIMIT);
}

/* --- measurements ------------------------------------------------------------------------------
 */

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void lists_compared(void **state)
{
	struct assay_measurements listed = { 0 }, have = { 0 };
	struct tar tar = tar_docker(1, "c", NULL);
	struct assay_listed *l = NULL;
	struct table t = { 0 };
	struct assay_err err;
	char id[65], text[600];
	size_t n;

	(void)state;
	tar_end(&tar);
	tar_hex_of(CONFIG, strlen(CONFIG), id);
	put_tar(&t, "/web.tar", &tar);
	put_layout(&t);
	struct assay_found found = found_in(&t, 2);

	assert_int_equal(assay_found_measurements(&found, &have, &err), 0);
	assert_int_equal(have.n, 2);
	assert_string_equal(have.m[0].name, "@local/a:1");
	assert_string_equal(have.m[0].archive, "/web.tar");
	assert_true(have.m[0].verified);
	assert_string_equal(have.m[1].archive, "/oci");

	snprintf(text, sizeof(text), "{\"@local/b:1\":\"sha256:%s\",\"@local/c:1\":\"sha256:%s\"}",
		 id, id);
	assert_int_equal(assay_measurements_parse(text, strlen(text), &listed, &err), 0);
	assert_int_equal(assay_measurements_compare(&listed, &have, &l, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_int_equal(l[0].state, ASSAY_LISTED_UNLISTED);
	assert_string_equal(l[0].name, "@local/a:1");
	assert_null(l[0].listed);
	assert_int_equal(l[1].state, ASSAY_LISTED_AGREES);
	assert_string_equal(l[1].found->archive, "/oci");
	assert_int_equal(l[2].state, ASSAY_LISTED_MISSING);
	assert_null(l[2].found);
	assert_string_equal(assay_listed_name(l[2].state), "missing");
	free(l);
	assay_measurements_clear(&listed);

	snprintf(text, sizeof(text),
		 "{\"@local/a:1\":\"sha256:" A64 "\",\"@local/b:1\":\"sha256:%s\"}", id);
	assert_int_equal(assay_measurements_parse(text, strlen(text), &listed, &err), 0);
	assert_int_equal(assay_measurements_compare(&listed, &have, &l, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_int_equal(l[0].state, ASSAY_LISTED_DIFFERS);
	assert_int_equal(l[1].state, ASSAY_LISTED_AGREES);
	free(l);
	assay_measurements_clear(&listed);
	assay_measurements_clear(&have);

	/* One that cannot be read: no list without it. */
	assay_found_clear(&found);
	t.n[0].len = 1000;
	found = found_in(&t, 2);
	assert_int_equal(assay_found_measurements(&found, &have, &err), -1);
	assert_non_null(strstr(err.msg, "/web.tar"));
	assay_found_clear(&found);
	free(tar.p);
}

/* --- memory ------------------------------------------------------------------------------------
 */

static struct table oom_table;

/* That memory ran out must not pass for damage. */
static void all_are_right(const struct assay_found *found)
{
	for (size_t i = 0; i < found->n; i++) {
		const struct assay_containers *c = found->a[i].containers;

		if (!c || !assay_container_verified(c, &c->images[0]))
			fail_msg("%s: %s", found->a[i].path,
				 c ? "a layer is not right" : found->a[i].err.msg);
	}
}

static int find_all(struct assay_err *err)
{
	struct assay_measurements m = { 0 }, none = { 0 };
	struct assay_found found = { 0 };
	struct assay_listed *l = NULL;
	size_t n;
	int rc = find(&oom_table, &found, err);

	if (rc == 0) {
		all_are_right(&found);
		rc = assay_found_measurements(&found, &m, err);
	}
	if (rc == 0)
		rc = assay_measurements_compare(&none, &m, &l, &n, err);
	free(l);
	assay_measurements_clear(&m);
	assay_found_clear(&found);
	return rc;
}

/* Nothing packed: libarchive ends the whole program when it has no memory for a string. */
static void out_of_memory(void **state)
{
	struct tar tar = tar_docker(2, "c", NULL);

	(void)state;
	tar_end(&tar);
	oom_table = (struct table){ 0 };
	put_tar(&oom_table, "/web.tar", &tar);
	put_layout(&oom_table);
	assay_hash_set_threads(1);
	unit_alloc_each(find_all, false); /* OpenSSL keeps and frees some of its own */
	assay_hash_set_threads(0);
	free(tar.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(archives_and_layouts),	 cmocka_unit_test(others),
		cmocka_unit_test(broken_ones_are_named), cmocka_unit_test(ceiling_of_archives),
		cmocka_unit_test(ceiling_of_unpacking),	 cmocka_unit_test(ceiling_of_headers),
		cmocka_unit_test(lists_compared),	 cmocka_unit_test(out_of_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("container_find", tests, NULL, NULL);
}
