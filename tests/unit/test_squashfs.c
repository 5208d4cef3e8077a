/* SPDX-License-Identifier: Apache-2.0 */
/* squashfs images written byte by byte. What mksquashfs writes is in tests/cli/squashfs.bats. */
#include "tests/unit/alloc.h"
#include "tests/unit/squashfs_image.h"

#include <inttypes.h>
#include <pthread.h>
#include <sys/stat.h>

#include "core/hash.h"
#include "core/limits.h"
#include "measure/fs/blocks.h"
#include "measure/fs/fs_priv.h"
#include "measure/fs/squashfs.h"

static int open_bytes(const uint8_t *p, size_t n, struct assay_fs **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	if (assay_src_from_mem(p, n, &src, err) < 0)
		return -1;
	return assay_fs_open(src, ret, err);
}

static struct assay_fs *must_open(const struct sqfs_image *s)
{
	struct assay_fs *fs = NULL;
	struct assay_err err;

	if (open_bytes(s->p, s->size, &fs, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(assay_fs_name(fs), "squashfs");
	return fs;
}

static void says(const struct assay_err *err, enum assay_code code, const char *text)
{
	if (!strstr(err->msg, text))
		fail_msg("'%s' is not in '%s'", text, err->msg);
	assert_int_equal(err->code, code);
}

static void open_fails(const struct sqfs_image *s, enum assay_code code, uint64_t at,
		       const char *text)
{
	struct assay_fs *fs = NULL;
	struct assay_err err;

	if (open_bytes(s->p, s->size, &fs, &err) == 0)
		fail_msg("opened, without: %s", text);
	says(&err, code, text);
	if (at != ASSAY_NO_OFFSET && err.at != at)
		fail_msg("%s: at %" PRIu64 ", not %" PRIu64, err.msg, err.at, at);
}

/* Opens the file, or says why it or its reading fails. */
static int read_whole(struct assay_fs *fs, const char *path, uint8_t *buf, size_t max, size_t *ret,
		      struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	if (assay_fs_file(fs, path, &src, NULL, err) < 0)
		return -1;
	*ret = (size_t)assay_src_size(src);
	assert_true(*ret <= max);
	return assay_src_read(src, 0, buf, *ret, err);
}

static void file_fails(const struct sqfs_image *s, const char *path, enum assay_code code,
		       const char *text)
{
	ASSAY_AUTO(assay_fs) *fs = must_open(s);
	uint8_t buf[SQFS_A_SIZE];
	struct assay_err err;
	size_t n;

	if (read_whole(fs, path, buf, sizeof(buf), &n, &err) == 0)
		fail_msg("%s could be read, without: %s", path, text);
	says(&err, code, text);
}

static void list_fails(const struct sqfs_image *s, enum assay_code code, const char *text)
{
	ASSAY_AUTO(assay_fs) *fs = must_open(s);
	struct assay_dir dir = { .n = 77 };
	struct assay_fs_stat st;
	struct assay_err err;

	assert_int_equal(assay_fs_list(fs, "/", &dir, &err), -1);
	assert_int_equal(dir.n, 77);
	says(&err, code, text);
	/* A search does not get past it either. */
	assert_int_equal(assay_fs_lstat(fs, "/a", &st, &err), -1);
	says(&err, code, text);
}

static void want_a(uint8_t *want)
{
	memset(want, 'P', SQFS_BS);
	memset(want + SQFS_BS, 0, SQFS_BS);
	memset(want + 2 * SQFS_BS, 'R', SQFS_BS);
	memset(want + 3 * SQFS_BS, 'x', 100);
}

/* --- contents ---- */

static void test_files(void **state)
{
	struct sqfs_image *s = sqfs_sample();
	ASSAY_AUTO(assay_fs) *fs = must_open(s);
	ASSAY_AUTO(assay_src) *a = NULL;
	static uint8_t want[SQFS_A_SIZE], got[SQFS_A_SIZE];
	struct assay_err err;
	size_t n;

	(void)state;
	want_a(want);
	assert_int_equal(assay_fs_file(fs, "/a", &a, NULL, &err), 0);
	assert_int_equal(assay_src_size(a), SQFS_A_SIZE);
	if (assay_src_read(a, 0, got, SQFS_A_SIZE, &err) < 0)
		fail_msg("%s", err.msg);
	assert_memory_equal(got, want, SQFS_A_SIZE);
	/* In pieces of any length, from anywhere. */
	for (size_t step = 1; step < 5000; step += 613) {
		memset(got, 0xee, sizeof(got));
		for (size_t off = 0; off < SQFS_A_SIZE; off += step)
			assert_int_equal(
				assay_src_read(a, off, got + off,
					       SQFS_A_SIZE - off < step ? SQFS_A_SIZE - off : step,
					       &err),
				0);
		assert_memory_equal(got, want, SQFS_A_SIZE);
	}
	assert_int_equal(read_whole(fs, "/b", got, sizeof(got), &n, &err), 0);
	assert_int_equal(n, 50);
	memset(want, 'R', 50);
	assert_memory_equal(got, want, 50);
	assert_int_equal(read_whole(fs, "/c", got, sizeof(got), &n, &err), 0);
	assert_int_equal(n, 200);
	memset(want, 'y', 200);
	assert_memory_equal(got, want, 200);
	assert_int_equal(read_whole(fs, "/f", got, sizeof(got), &n, &err), 0);
	assert_int_equal(n, 0);
	/* A file outlives its filesystem. */
	assay_fs_free(&fs);
	want_a(want);
	assert_int_equal(assay_src_read(a, 0, got, SQFS_A_SIZE, &err), 0);
	assert_memory_equal(got, want, SQFS_A_SIZE);
	sqfs_end(s);
}

static void stat_is(struct assay_fs *fs, const char *path, struct assay_fs_stat want)
{
	struct assay_fs_stat st;
	struct assay_err err;

	if (assay_fs_lstat(fs, path, &st, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(st.kind, want.kind);
	assert_int_equal(st.mode, want.mode);
	assert_int_equal(st.size, want.size);
	assert_int_equal(st.links, want.links);
	assert_int_equal(st.major, want.major);
	assert_int_equal(st.minor, want.minor);
	assert_int_equal(st.inode, want.inode);
	assert_int_equal(st.uid, 77);
	assert_int_equal(st.gid, 1000);
	assert_int_equal(st.mtime, 1700000000);
}

static void test_stat(void **state)
{
	struct sqfs_image *s = sqfs_sample();
	ASSAY_AUTO(assay_fs) *fs = must_open(s);
	struct assay_dir dir;
	struct assay_err err;
	char *target;

	(void)state;
	stat_is(fs, "/",
		(struct assay_fs_stat){ ASSAY_FS_DIR, .mode = S_IFDIR | 0755, .links = 2,
					.inode = 12 });
	stat_is(fs, "/a",
		(struct assay_fs_stat){ ASSAY_FS_FILE, .mode = S_IFREG | 0644, .size = SQFS_A_SIZE,
					.links = 1, .inode = 2 });
	stat_is(fs, "/d",
		(struct assay_fs_stat){ ASSAY_FS_DIR, .mode = S_IFDIR | 0755, .links = 2,
					.inode = 5 });
	stat_is(fs, "/f",
		(struct assay_fs_stat){ ASSAY_FS_SYMLINK, .mode = S_IFLNK | 0777, .size = 3,
					.links = 1, .inode = 6 });
	stat_is(fs, "/g",
		(struct assay_fs_stat){ ASSAY_FS_OTHER, .mode = S_IFBLK | 0600, .links = 1,
					.major = 8, .minor = 0x12345, .inode = 7 });
	stat_is(fs, "/h",
		(struct assay_fs_stat){ ASSAY_FS_OTHER, .mode = S_IFCHR | 0600, .links = 1,
					.major = 1, .minor = 3, .inode = 8 });
	stat_is(fs, "/i",
		(struct assay_fs_stat){ ASSAY_FS_OTHER, .mode = S_IFIFO | 0600, .links = 1,
					.inode = 9 });
	stat_is(fs, "/j",
		(struct assay_fs_stat){ ASSAY_FS_OTHER, .mode = S_IFSOCK | 0600, .links = 1,
					.inode = 10 });
	assert_int_equal(assay_fs_list(fs, "/", &dir, &err), 0);
	assert_int_equal(dir.n, 10);
	assert_string_equal(dir.e[3].name, "d");
	assert_int_equal(dir.e[3].kind, ASSAY_FS_DIR);
	assert_int_equal(dir.e[4].kind, ASSAY_FS_SYMLINK);
	assert_int_equal(dir.e[8].kind, ASSAY_FS_OTHER);
	assert_int_equal(dir.e[9].kind, ASSAY_FS_FILE);
	assay_dir_clear(&dir);
	assert_int_equal(assay_fs_readlink(fs, "/f", &target, &err), 0);
	assert_string_equal(target, "d/e");
	free(target);
	sqfs_end(s);
}

static void extents_are(struct assay_fs *fs, const char *path, const struct assay_extent *want,
			size_t n)
{
	struct assay_extent *e = NULL;
	struct assay_err err;
	uint64_t node;
	size_t got;

	assert_int_equal(assay_fs_resolve(fs, path, true, &node, NULL, &err), 0);
	assert_int_equal(fs->ops->nodes->extents(fs->data, node, &e, &got, &err), 0);
	assert_int_equal(got, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(e[i].off, want[i].off);
		assert_int_equal(e[i].len, want[i].len);
	}
	free(e);
}

static void test_extents(void **state)
{
	struct sqfs_image *s = sqfs_sample();
	ASSAY_AUTO(assay_fs) *fs = must_open(s);
	const uint64_t b = 96 + sizeof(sqfs_packed) + SQFS_BS;

	(void)state;
	extents_are(fs, "/a", (struct assay_extent[]){ { 96, b - 96 }, { b + 50, 300 } }, 2);
	extents_are(fs, "/b", (struct assay_extent[]){ { b, 50 } }, 1);
	extents_are(fs, "/c", (struct assay_extent[]){ { b + 50, 300 } }, 1);
	extents_are(fs, "/d/e", NULL, 0);
	sqfs_end(s);
}

/* A directory and an inode table of many metadata blocks; entries that lie across two of them. */
static void test_many(void **state)
{
	struct sqfs_image *s = sqfs_begin();
	static struct sqfs_listing l;
	struct assay_dir dir;
	struct assay_err err;
	char name[64], path[80];

	(void)state;
	memset(&l, 0, sizeof(l));
	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "a file with number %04d", i);
		sqfs_entry(&l, name, sqfs_file(s, 0, 0, SQFS_NO_FRAG, 0, NULL, 0), 2);
	}
	sqfs_finish(s, sqfs_dir(s, &l, 0));
	ASSAY_AUTO(assay_fs) *fs = must_open(s);
	assert_int_equal(assay_fs_list(fs, "/", &dir, &err), 0);
	assert_int_equal(dir.n, 1500);
	for (int i = 0; i < 1500; i++) {
		struct assay_fs_stat st;

		snprintf(path, sizeof(path), "/a file with number %04d", i);
		assert_string_equal(dir.e[i].name, path + 1);
		assert_int_equal(assay_fs_lstat(fs, path, &st, &err), 0);
		assert_int_equal(st.inode, i + 1);
	}
	assay_dir_clear(&dir);
	sqfs_end(s);
}

/* --- the superblock ---- */

static void test_super(void **state)
{
	static const struct {
		uint64_t at;
		const char *width;
		uint64_t value;
		enum assay_code code;
		const char *text;
	} faults[] = {
		{ 4, "4", 0, ASSAY_E_CORRUPT, "squashfs without inodes" },
		{ 12, "4", 8192, ASSAY_E_CORRUPT, "blocks of 8192 bytes, 2 to the 12" },
		{ 22, "2", 13, ASSAY_E_CORRUPT, "blocks of 4096 bytes, 2 to the 13" },
		{ 20, "2", 0, ASSAY_E_UNSUPPORTED, "compression number 0" },
		{ 20, "2", 7, ASSAY_E_UNSUPPORTED, "compression number 7" },
		{ 20, "2", 3, ASSAY_E_UNSUPPORTED, "packed with lzo" },
		{ 26, "2", 0, ASSAY_E_CORRUPT, "squashfs without owners" },
		{ 28, "2", 3, ASSAY_E_UNSUPPORTED, "squashfs 3.0" },
		{ 30, "2", 1, ASSAY_E_UNSUPPORTED, "squashfs 4.1" },
		{ 40, "8", 95, ASSAY_E_CORRUPT, "squashfs of 95 bytes" },
		{ 40, "8", UINT64_MAX, ASSAY_E_CORRUPT, "squashfs of 18446744073709551615 bytes" },
		{ 48, "8", UINT64_MAX, ASSAY_E_CORRUPT, "id table at 18446744073709551615" },
		{ 56, "8", UINT64_MAX - 1, ASSAY_E_CORRUPT, "attribute table at" },
		{ 64, "8", 95, ASSAY_E_CORRUPT, "inode table at 95" },
		{ 64, "8", UINT64_MAX, ASSAY_E_CORRUPT, "inode table at 18446744073709551615" },
		{ 72, "8", UINT64_MAX, ASSAY_E_CORRUPT, "directory table at 18446744073709551615" },
		{ 80, "8", UINT64_MAX, ASSAY_E_CORRUPT, "1 fragments and no table of them" },
		{ 80, "8", 96, ASSAY_E_CORRUPT, "fragment table at 96" },
		{ 88, "8", 96, ASSAY_E_CORRUPT, "export table at 96" },
		{ 16, "4", UINT32_MAX, ASSAY_E_CORRUPT, "fragment table at" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct sqfs_image *s = sqfs_sample();

		sqfs_put(s->p + faults[i].at, faults[i].width, faults[i].value);
		open_fails(s, faults[i].code, ASSAY_NO_OFFSET, faults[i].text);
		sqfs_end(s);
	}
	/* The root is no directory; it is nothing. */
	struct sqfs_image *s = sqfs_sample();

	sqfs_put(s->p + 32, "8", SQFS_U(0));
	open_fails(s, ASSAY_E_CORRUPT, 32, "root is no directory");
	sqfs_put(s->p + 32, "8", SQFS_U(s->dir_table - s->inode_table) << 16);
	open_fails(s, ASSAY_E_CORRUPT, s->dir_table, "behind its table's end");
	sqfs_put(s->p + 32, "8", SQFS_U(8191));
	open_fails(s, ASSAY_E_CORRUPT, s->inode_table, "inode: at 8191 of a metadata block of");
	sqfs_put(s->p + 32, "8", UINT64_MAX);
	open_fails(s, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "behind its table's end");
	sqfs_end(s);
}

static void test_block_sizes(void **state)
{
	(void)state;
	for (unsigned log = 11; log <= 21; log++) {
		struct sqfs_image *s = sqfs_sample();
		struct assay_fs *fs = NULL;
		struct assay_err err;

		sqfs_put(s->p + 12, "4", SQFS_U(1) << log);
		sqfs_put(s->p + 22, "2", SQFS_U(log));
		const int rc = open_bytes(s->p, s->size, &fs, &err);

		assert_int_equal(rc, log >= 12 && log <= 20 ? 0 : -1);
		assay_fs_free(&fs);
		sqfs_end(s);
	}
}

/* --- cut ---- */

static unsigned walk(struct assay_fs *fs, const char *path, struct assay_err *err)
{
	static uint8_t got[SQFS_A_SIZE], want[SQFS_A_SIZE];
	struct assay_dir dir;
	unsigned good = 0;
	size_t n;

	if (assay_fs_list(fs, path, &dir, err) < 0) {
		assert_int_equal(err->code, ASSAY_E_CORRUPT);
		return 0;
	}
	for (size_t i = 0; i < dir.n; i++) {
		char sub[64];
		struct assay_fs_stat st;

		snprintf(sub, sizeof(sub), "%s/%s", path[1] ? path : "", dir.e[i].name);
		if (assay_fs_lstat(fs, sub, &st, err) < 0) {
			assert_int_equal(err->code, ASSAY_E_CORRUPT);
			continue;
		}
		good++;
		if (st.kind == ASSAY_FS_DIR)
			good += walk(fs, sub, err);
		if (st.kind != ASSAY_FS_FILE)
			continue;
		if (read_whole(fs, sub, got, sizeof(got), &n, err) < 0) {
			assert_int_equal(err->code, ASSAY_E_CORRUPT);
			good--;
		} else if (strcmp(sub, "/a") == 0) {
			want_a(want);
			assert_int_equal(n, SQFS_A_SIZE);
			assert_memory_equal(got, want, n);
		}
	}
	assay_dir_clear(&dir);
	return good;
}

static void test_cut(void **state)
{
	struct sqfs_image *s = sqfs_sample();
	const size_t whole = s->size;

	(void)state;
	for (size_t len = 0; len <= whole; len++) {
		struct assay_fs *fs = NULL;
		struct assay_err err;

		/* As it is: the superblock says how long it is to be. */
		if (len < whole) {
			assert_int_equal(open_bytes(s->p, len, &fs, &err), -1);
			assert_int_equal(err.code,
					 len < 4 ? len ? ASSAY_E_UNSUPPORTED : ASSAY_E_CORRUPT
						 : ASSAY_E_CORRUPT);
		}
		/* And with that changed. Only what was cut off is missed. */
		if (len < 96)
			continue;
		uint8_t *copy = malloc(len);

		assert_non_null(copy);
		memcpy(copy, s->p, len);
		sqfs_put(copy + 40, "8", SQFS_U(len));
		const int rc = open_bytes(copy, len, &fs, &err);

		assert_int_equal(rc, len == whole ? 0 : -1);
		if (rc < 0)
			assert_int_equal(err.code, ASSAY_E_CORRUPT);
		else
			assert_int_equal(walk(fs, "/", &err), 11);
		assay_fs_free(&fs);
		free(copy);
	}
	sqfs_end(s);
}

/* Each byte of the tables changed, to some values: whatever comes of it has a name. */
static void test_changed(void **state)
{
	static const uint8_t masks[] = { 0x01, 0x10, 0x80, 0xff };
	struct sqfs_image *s = sqfs_sample();
	unsigned differ = 0;

	(void)state;
	for (size_t at = 0; at < s->size; at++) {
		if (at == 96)
			at = s->inode_table;
		for (size_t i = 0; i < sizeof(masks); i++) {
			struct assay_fs *fs = NULL;
			struct assay_err err = { 0 };

			s->p[at] ^= masks[i];
			if (open_bytes(s->p, s->size, &fs, &err) == 0) {
				struct assay_dir dir;

				if (assay_fs_list(fs, "/", &dir, &err) == 0) {
					for (size_t e = 0; e < dir.n; e++) {
						struct assay_src *src = NULL;
						char sub[300];

						snprintf(sub, sizeof(sub), "/%s", dir.e[e].name);
						differ += assay_fs_file(fs, sub, &src, NULL, &err) <
							  0;
						assay_src_free(&src);
					}
					assay_dir_clear(&dir);
				}
			} else {
				differ++;
				assert_true(err.code == ASSAY_E_CORRUPT ||
					    err.code == ASSAY_E_UNSUPPORTED);
			}
			assay_fs_free(&fs);
			s->p[at] ^= masks[i];
		}
	}
	assert_true(differ > 1000);
	sqfs_end(s);
}

/* --- inodes, block lists, fragments ---- */

/* The sample with one inode's bytes changed: where /a's lies is known. */
#define A_INODE 32 /* after /d/e's */
static void inode_fault(size_t off, const char *width, uint64_t v, const char *text)
{
	struct sqfs_image *s = sqfs_sample();

	sqfs_put(s->p + s->inode_table + 2 + A_INODE + off, width, v);
	file_fails(s, "/a", ASSAY_E_CORRUPT, text);
	sqfs_end(s);
}

static void test_inodes(void **state)
{
	(void)state;
	inode_fault(0, "2", 0, "inode of type 0");
	inode_fault(0, "2", 15, "inode of type 15");
	inode_fault(4, "2", 2, "owner 2 of a table of 2");
	inode_fault(6, "2", 0xffff, "owner 65535 of a table of 2");
	inode_fault(12, "4", 0, "inode number 0 of 12");
	inode_fault(12, "4", 13, "inode number 13 of 12");
	inode_fault(16, "4", UINT32_MAX, "block 0, 28 bytes at 4294967295, leaves the filesystem");
	inode_fault(20, "4", 1, "fragment 1 of a table of 1");
	inode_fault(24, "4", 201, "100 bytes at 201 leave fragment 0");
	inode_fault(24, "4", UINT32_MAX, "100 bytes at 4294967295 leave fragment 0");
	inode_fault(32, "4", 4097, "data block of 4097 packed bytes, limit 4096");
	inode_fault(32, "4", UINT32_C(0x02000001), "data block of 33554433 packed bytes");
	inode_fault(32, "4", 27, "27 bytes of gzip do not unpack");
	inode_fault(32, "4", sizeof(sqfs_packed) | SQFS_RAW,
		    "a block of 4096 bytes has 28 on the disk");
	inode_fault(40, "4", 4095 | SQFS_RAW, "a block of 4096 bytes has 4095 on the disk");
}

/* A packed block that is shorter, or longer, than what the file has there. */
static void test_lengths(void **state)
{
	(void)state;
	for (int more = -1; more <= 1; more++) {
		struct sqfs_image *s = sqfs_begin();
		static struct sqfs_listing l;
		const uint64_t at = sqfs_data(s, sqfs_packed, sizeof(sqfs_packed));
		const uint32_t words[] = { sizeof(sqfs_packed), 0 };

		memset(&l, 0, sizeof(l));
		sqfs_entry(
			&l, "a",
			sqfs_file(s, at, SQFS_BS + more, SQFS_NO_FRAG, 0, words, more > 0 ? 2 : 1),
			2);
		sqfs_finish(s, sqfs_dir(s, &l, 0));
		if (more < 0)
			file_fails(s, "/a", ASSAY_E_CORRUPT,
				   "a block of 4095 bytes unpacks to 4096");
		else
			assay_fs_free(&(struct assay_fs *){ must_open(s) });
		sqfs_end(s);
	}
	/* An end in a packed fragment, up to its last byte and one more. */
	for (uint32_t off = SQFS_BS - 100; off <= SQFS_BS - 99; off++) {
		struct sqfs_image *s = sqfs_begin();
		static struct sqfs_listing l;
		const uint32_t frag = sqfs_fragment(
			s, sqfs_data(s, sqfs_packed, sizeof(sqfs_packed)), sizeof(sqfs_packed));

		memset(&l, 0, sizeof(l));
		sqfs_entry(&l, "a", sqfs_file(s, 0, 100, frag, off, NULL, 0), 2);
		sqfs_finish(s, sqfs_dir(s, &l, 0));
		if (off > SQFS_BS - 100) {
			file_fails(s, "/a", ASSAY_E_CORRUPT, "100 bytes at 3997 leave fragment 0");
		} else {
			ASSAY_AUTO(assay_fs) *fs = must_open(s);
			uint8_t buf[100], want[100];
			struct assay_err err;
			size_t n;

			memset(want, 'P', 100);
			assert_int_equal(read_whole(fs, "/a", buf, sizeof(buf), &n, &err), 0);
			assert_memory_equal(buf, want, 100);
		}
		sqfs_end(s);
	}
}

static void test_fragment_table(void **state)
{
	struct sqfs_image *s = sqfs_sample();

	(void)state;
	sqfs_put(s->p + s->frag_blocks + 2, "8", UINT64_MAX);
	file_fails(s, "/c", ASSAY_E_CORRUPT, "fragment 0, 300 bytes at 18446744073709551615");
	sqfs_put(s->p + s->frag_blocks + 2, "84", SQFS_U(96), SQFS_U(SQFS_RAW));
	file_fails(s, "/c", ASSAY_E_CORRUPT, "fragment 0, 0 bytes at 96");
	sqfs_put(s->p + s->frag_blocks + 2, "84", SQFS_U(96), SQFS_U(299 | SQFS_RAW));
	file_fails(s, "/c", ASSAY_E_CORRUPT, "200 bytes at 100 leave fragment 0");
	sqfs_put(s->p + s->frag_table, "8", s->frag_table);
	file_fails(s, "/c", ASSAY_E_CORRUPT, "fragment table: at");
	sqfs_end(s);
}

static void test_metadata(void **state)
{
	struct sqfs_image *s = sqfs_sample();
	uint8_t *head = s->p + s->dir_table;

	(void)state;
	sqfs_put(head, "2", SQFS_U(0x8000));
	list_fails(s, ASSAY_E_CORRUPT, "metadata block of 0 bytes");
	sqfs_put(head, "2", SQFS_U(0x8000 | 8193));
	list_fails(s, ASSAY_E_CORRUPT, "metadata block of 8193 bytes, limit 8192");
	sqfs_put(head, "2", SQFS_U(0x8000 | 8192));
	list_fails(s, ASSAY_E_CORRUPT, "metadata block of 8192 bytes leaves the filesystem");
	sqfs_put(head, "2", SQFS_U(50));
	list_fails(s, ASSAY_E_CORRUPT, "directory: metadata block: 50 bytes of gzip do not unpack");
	sqfs_end(s);
}

/* --- directories ---- */

static void names(const char *one, size_t one_len, const char *two, const char *text)
{
	struct sqfs_image *s = sqfs_begin();
	static struct sqfs_listing l;
	const uint64_t f = sqfs_file(s, 0, 0, SQFS_NO_FRAG, 0, NULL, 0);

	memset(&l, 0, sizeof(l));
	sqfs_entry_n(&l, one, one_len, f, 2);
	sqfs_entry(&l, two, f, 2);
	sqfs_finish(s, sqfs_dir(s, &l, 0));
	if (text) {
		list_fails(s, ASSAY_E_CORRUPT, text);
	} else {
		ASSAY_AUTO(assay_fs) *fs = must_open(s);
		struct assay_dir dir;
		struct assay_err err;

		assert_int_equal(assay_fs_list(fs, "/", &dir, &err), 0);
		assert_int_equal(dir.n, 2);
		assay_dir_clear(&dir);
	}
	sqfs_end(s);
}

static void test_names(void **state)
{
	char longest[257];

	(void)state;
	memset(longest, 'L', sizeof(longest));
	names("a", 1, "b", NULL);
	names("a", 1, "aa", NULL);
	names("\x7f", 1, "\x80\xff", NULL);
	names(longest, 256, "z", NULL);
	names(longest, 257, "z", "a name of 257 bytes");
	names("a/b", 3, "z", "a NUL or '/'");
	names("a\0b", 3, "z", "a NUL or '/'");
	names(".", 1, "z", "is \".\" or \"..\"");
	names("..", 2, "z", "is \".\" or \"..\"");
	names("...", 3, "z", NULL);
	names("b", 1, "a", "names do not ascend");
	names("b", 1, "b", "names do not ascend");
	names("\x80", 1, "a", "names do not ascend");
}

static void listing_fault(size_t off, const char *width, uint64_t v, uint32_t claimed,
			  enum assay_code code, const char *text)
{
	struct sqfs_image *s = sqfs_begin();
	static struct sqfs_listing l;

	memset(&l, 0, sizeof(l));
	sqfs_entry(&l, "a", sqfs_file(s, 0, 0, SQFS_NO_FRAG, 0, NULL, 0), 2);
	if (width)
		sqfs_put(l.b + off, width, v);
	sqfs_finish(s, sqfs_dir(s, &l, claimed));
	if (text) {
		list_fails(s, code, text);
	} else {
		ASSAY_AUTO(assay_fs) *fs = must_open(s);
		struct assay_dir dir;
		struct assay_err err;

		assert_int_equal(assay_fs_list(fs, "/", &dir, &err), 0);
		assert_int_equal(dir.n, claimed > 3);
		assay_dir_clear(&dir);
	}
	sqfs_end(s);
}

static void test_listings(void **state)
{
	const uint32_t full = 3 + 12 + 8 + 1;

	(void)state;
	listing_fault(0, NULL, 0, full, ASSAY_OK, NULL);
	listing_fault(0, NULL, 0, 1, ASSAY_OK, NULL);
	listing_fault(0, NULL, 0, 3, ASSAY_OK, NULL);
	for (uint32_t size = 4; size < full; size++)
		listing_fault(0, NULL, 0, size, ASSAY_E_CORRUPT,
			      size < 3 + 12	  ? "directory header cut short"
			      : size < 3 + 12 + 8 ? "directory entry cut short"
						  : "a name of 1 bytes, 0 left");
	listing_fault(0, NULL, 0, full + 1, ASSAY_E_CORRUPT, "directory header cut short");
	listing_fault(0, "4", 1, full, ASSAY_E_CORRUPT, "directory entry cut short");
	listing_fault(0, "4", 256, full, ASSAY_E_CORRUPT, "directory header for 257 entries");
	listing_fault(0, "4", UINT32_MAX, full, ASSAY_E_CORRUPT,
		      "directory header for 4294967296 entries");
	listing_fault(0, NULL, 0, ASSAY_SQFS_MAX_DIR, ASSAY_E_CORRUPT, "directory");
	listing_fault(0, NULL, 0, ASSAY_SQFS_MAX_DIR + 1, ASSAY_E_LIMIT,
		      "directory of 16777217 bytes");
	listing_fault(12, "2", 0x1000, full, ASSAY_OK, NULL); /* found when the node is looked at */
}

static void test_entry_type(void **state)
{
	(void)state;
	for (unsigned type = 0; type <= 8; type++) {
		struct sqfs_image *s = sqfs_begin();
		static struct sqfs_listing l;
		struct assay_dir dir;
		struct assay_err err;

		memset(&l, 0, sizeof(l));
		sqfs_entry(&l, "a", sqfs_file(s, 0, 0, SQFS_NO_FRAG, 0, NULL, 0), type);
		sqfs_finish(s, sqfs_dir(s, &l, 0));
		ASSAY_AUTO(assay_fs) *fs = must_open(s);
		if (type >= 1 && type <= 7) {
			assert_int_equal(assay_fs_list(fs, "/", &dir, &err), 0);
			assay_dir_clear(&dir);
		} else {
			assert_int_equal(assay_fs_list(fs, "/", &dir, &err), -1);
			says(&err, ASSAY_E_CORRUPT, "directory entry of type");
		}
		sqfs_end(s);
	}
}

/* --- ceilings ---- */

static void test_link_ceiling(void **state)
{
	(void)state;
	for (int more = -1; more <= 1; more++) {
		struct sqfs_image *s = sqfs_begin();
		static struct sqfs_listing l;
		char target[ASSAY_FS_MAX_PATH + 1];
		const size_t len = ASSAY_FS_MAX_PATH + more;
		struct assay_err err;
		char *got = NULL;

		memset(target, 't', sizeof(target));
		memset(&l, 0, sizeof(l));
		sqfs_entry(&l, "a", sqfs_link(s, target, len), 3);
		sqfs_finish(s, sqfs_dir(s, &l, 0));
		ASSAY_AUTO(assay_fs) *fs = must_open(s);
		const int rc = assay_fs_readlink(fs, "/a", &got, &err);

		assert_int_equal(rc, more > 0 ? -1 : 0);
		if (rc == 0)
			assert_int_equal(strlen(got), len);
		else
			says(&err, ASSAY_E_LIMIT, "a path of 4097 bytes");
		free(got);
		sqfs_end(s);
	}
	struct sqfs_image *s = sqfs_begin();
	static struct sqfs_listing l;
	struct assay_err err;
	char *got = NULL;

	memset(&l, 0, sizeof(l));
	sqfs_entry(&l, "a", sqfs_link(s, "x\0y", 3), 3);
	sqfs_finish(s, sqfs_dir(s, &l, 0));
	ASSAY_AUTO(assay_fs) *fs = must_open(s);
	assert_int_equal(assay_fs_readlink(fs, "/a", &got, &err), -1);
	says(&err, ASSAY_E_CORRUPT, "a NUL in its target");
	sqfs_end(s);
}

/* The extended inode's 64-bit size; there are no blocks behind it. */
static void test_blocks_ceiling(void **state)
{
	(void)state;
	for (int more = -1; more <= 1; more++) {
		struct sqfs_image *s = sqfs_begin();
		static struct sqfs_listing l;
		const uint64_t size = ((uint64_t)ASSAY_SQFS_MAX_BLOCKS + more) * SQFS_BS;
		const uint64_t ref = sqfs_inode(s, 9, 0644);

		s->n_inodes +=
			sqfs_put(s->inodes + s->n_inodes, "8884444", SQFS_U(96), size, SQFS_U(0),
				 SQFS_U(1), SQFS_U(SQFS_NO_FRAG), SQFS_U(0), SQFS_U(SQFS_NO_FRAG));
		memset(&l, 0, sizeof(l));
		sqfs_entry(&l, "a", ref, 2);
		sqfs_finish(s, sqfs_dir(s, &l, 0));
		if (more < 0)
			file_fails(s, "/a", ASSAY_E_CORRUPT, "block list: at");
		else
			file_fails(s, "/a", ASSAY_E_LIMIT, "limit 4194304 blocks of 4096");
		sqfs_end(s);
	}
}

/* --- the cache ---- */

#define BLOCK 1000
static atomic_uint unpacked;
static int fake_unpack(void *vol, const struct assay_block *b, uint8_t *out, size_t max,
		       size_t *ret_len, struct assay_err *err)
{
	(void)vol;
	assert_true(max >= BLOCK);
	atomic_fetch_add(&unpacked, 1);
	if (b->at % 97 == 13)
		return assay_fail(err, ASSAY_E_CORRUPT, b->at, "number %u is bad", (unsigned)b->at);
	for (size_t i = 0; i < BLOCK; i++)
		out[i] = (uint8_t)(b->at * 7 + i);
	*ret_len = BLOCK;
	return 0;
}

struct reader {
	struct assay_blocks *blocks;
	unsigned seed;
};

static void *read_many(void *arg)
{
	struct reader *r = arg;
	unsigned x = r->seed;

	for (int i = 0; i < 3000; i++) {
		struct assay_block b[40];
		uint8_t buf[BLOCK];
		struct assay_err err;

		x = x * 1103515245 + 12345;
		const unsigned nr = (x >> 16) % 300, off = (x >> 8) % BLOCK;

		for (unsigned k = 0; k < 40; k++)
			b[k] = (struct assay_block){ .at = nr + k, .packed = 5 };
		if (i % 3 == 0)
			assay_blocks_ahead(r->blocks, b, 40);
		const int rc = assay_blocks_read(r->blocks, b, i % 2 ? BLOCK : 0, off, buf,
						 BLOCK - off, 0, &err);

		if (rc != (nr % 97 == 13 ? -1 : 0))
			return "wrong verdict";
		for (unsigned k = 0; rc == 0 && k < BLOCK - off; k++)
			if (buf[k] != (uint8_t)(nr * 7 + off + k))
				return "wrong bytes";
	}
	return NULL;
}

static void test_cache(void **state)
{
	struct assay_blocks *blocks = NULL;
	struct reader readers[4];
	pthread_t threads[4];
	struct assay_err err;
	uint8_t buf[8];

	(void)state;
	for (unsigned hashers = 1; hashers <= 3; hashers += 2) {
		assay_hash_set_threads(hashers);
		assert_int_equal(
			assay_blocks_new((size_t)1 << 20, fake_unpack, NULL, &blocks, &err), 0);
		for (unsigned i = 0; i < 4; i++) {
			readers[i] = (struct reader){ blocks, i * 77 + 1 };
			assert_int_equal(pthread_create(&threads[i], NULL, read_many, &readers[i]),
					 0);
		}
		for (unsigned i = 0; i < 4; i++) {
			void *why;

			pthread_join(threads[i], &why);
			if (why)
				fail_msg("%s", (char *)why);
		}
		assay_blocks_free(&blocks);
	}
	assay_hash_set_threads(0);

	/* Once unpacked, it stays; lengths are held to. */
	const struct assay_block b = { .at = 4, .packed = 5 };

	assert_int_equal(assay_blocks_new(4096, fake_unpack, NULL, &blocks, &err), 0);
	unpacked = 0;
	for (int i = 0; i < 5; i++)
		assert_int_equal(assay_blocks_read(blocks, &b, BLOCK, 0, buf, 8, 0, &err), 0);
	assert_int_equal(unpacked, 1);
	assert_int_equal(assay_blocks_read(blocks, &b, BLOCK, BLOCK - 8, buf, 8, 0, &err), 0);
	assert_int_equal(assay_blocks_read(blocks, &b, BLOCK, BLOCK - 7, buf, 8, 99, &err), -1);
	says(&err, ASSAY_E_CORRUPT, "8 bytes wanted at 993");
	assert_int_equal(err.at, 99);
	assert_int_equal(assay_blocks_read(blocks, &b, BLOCK - 1, 0, buf, 8, 0, &err), -1);
	says(&err, ASSAY_E_CORRUPT, "a block of 999 bytes unpacks to 1000");
	/* Two that start at one place are two. */
	assert_int_equal(unpacked, 1);
	assert_int_equal(assay_blocks_read(blocks, &(struct assay_block){ .at = 4, .packed = 6 },
					   BLOCK, 0, buf, 8, 0, &err),
			 0);
	assert_int_equal(unpacked, 2);
	assay_blocks_free(&blocks);
}

/* --- memory ---- */

static struct sqfs_image *memory_image;
static int use_once(struct assay_err *err)
{
	ASSAY_AUTO(assay_fs) *fs = NULL;
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE char *target = NULL;
	struct assay_dir dir;
	static uint8_t buf[SQFS_A_SIZE];

	if (open_bytes(memory_image->p, memory_image->size, &fs, err) < 0 ||
	    assay_fs_list(fs, "/", &dir, err) < 0)
		return -1;
	assay_dir_clear(&dir);
	if (assay_fs_readlink(fs, "/f", &target, err) < 0 ||
	    assay_fs_file(fs, "/a", &src, NULL, err) < 0)
		return -1;
	return assay_src_read(src, 0, buf, sizeof(buf), err);
}

static void test_memory(void **state)
{
	(void)state;
	memory_image = sqfs_sample();
	assay_hash_set_threads(1);
	unit_alloc_each(use_once, true);
	assay_hash_set_threads(0);
	sqfs_end(memory_image);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_files),
	cmocka_unit_test(test_stat),
	cmocka_unit_test(test_extents),
	cmocka_unit_test(test_many),
	cmocka_unit_test(test_super),
	cmocka_unit_test(test_block_sizes),
	cmocka_unit_test(test_cut),
	cmocka_unit_test(test_changed),
	cmocka_unit_test(test_inodes),
	cmocka_unit_test(test_lengths),
	cmocka_unit_test(test_fragment_table),
	cmocka_unit_test(test_metadata),
	cmocka_unit_test(test_names),
	cmocka_unit_test(test_listings),
	cmocka_unit_test(test_entry_type),
	cmocka_unit_test(test_link_ceiling),
	cmocka_unit_test(test_blocks_ceiling),
	cmocka_unit_test(test_cache),
	cmocka_unit_test(test_memory),
};

UNIT_MAIN(tests)
