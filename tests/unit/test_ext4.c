/* SPDX-License-Identifier: Apache-2.0 */
/* ext2 and ext4 written byte by byte. What mke2fs writes is in tests/cli/ext4.bats. */
#include <sys/stat.h>

#include "core/limits.h"
#include "measure/disk/crc32.h"
#include "measure/fs/ext4.h"
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

#define INODES 32
#define TABLE 5	    /* block of the inodes */
#define ROOT_DIR 20 /* block of the root directory */
#define FILE_DATA 30
#define FIRST_INODE 11
#define FILE_INODE 12
#define LINK_INODE 13
#define DIR_INODE 14

#define FEATURE_COMPAT 92
#define FEATURE_INCOMPAT 96
#define FEATURE_RO 100
#define FILETYPE 0x2
#define EXTENTS 0x40
#define INLINE_DATA 0x8000
#define METADATA_CSUM 0x400
#define FL_EXTENTS 0x80000
#define FL_INLINE 0x10000000

static uint8_t *image;
static size_t image_size;
static uint32_t bs, inode_size;

static uint8_t *super(void)
{
	return image + 1024;
}

static uint8_t *block(uint32_t n)
{
	return image + (size_t)n * bs;
}

static uint8_t *inode(uint32_t n)
{
	return block(TABLE) + (size_t)(n - 1) * inode_size;
}

static void feature(uint32_t at, uint32_t bits)
{
	assay_put_le32(super() + at, bits);
}

static uint8_t *put_inode(uint32_t n, unsigned mode, uint64_t size)
{
	uint8_t *p = inode(n);

	memset(p, 0, inode_size);
	assay_put_le16(p, (uint16_t)mode);
	assay_put_le32(p + 4, (uint32_t)size);
	assay_put_le32(p + 108, (uint32_t)(size >> 32));
	assay_put_le16(p + 26, 1);
	return p;
}

/* An entry at `p`; returns where the next goes. */
static uint8_t *entry(uint8_t *p, uint32_t n, unsigned type, const char *name, size_t len)
{
	assay_put_le32(p, n);
	assay_put_le16(p + 4, (uint16_t)len);
	p[6] = (uint8_t)strlen(name);
	p[7] = (uint8_t)type;
	memcpy(p + 8, name, strlen(name));
	return p + len;
}

/* ext2 with blocks of 2^bits bytes: /dir, /file ("f" in blocks 30, 31, 32), /link. */
static void make_sized(unsigned bits, uint32_t n_blocks, uint32_t isize)
{
	uint8_t *p;

	bs = 1U << bits;
	inode_size = isize;
	free(image);
	image_size = (size_t)n_blocks * bs;
	image = calloc(1, image_size);
	assert_non_null(image);
	p = super();
	assay_put_le32(p, INODES * (bs / 1024));
	assay_put_le32(p + 4, n_blocks);
	assay_put_le32(p + 20, bs == 1024);
	assay_put_le32(p + 24, bits - 10);
	assay_put_le32(p + 28, bits - 10);
	assay_put_le32(p + 32, bs * 8);
	assay_put_le32(p + 36, bs * 8);
	assay_put_le32(p + 40, INODES * (bs / 1024));
	assay_put_le16(p + 56, 0xef53);
	assay_put_le32(p + 76, 1);
	assay_put_le32(p + 84, FIRST_INODE);
	assay_put_le16(p + 88, (uint16_t)inode_size);
	feature(FEATURE_INCOMPAT, FILETYPE);
	assay_put_le32(block(bs == 1024 ? 2 : 1) + 8, TABLE);

	assay_put_le32(put_inode(2, S_IFDIR | 0755, bs) + 40, ROOT_DIR);
	p = entry(block(ROOT_DIR), 2, 2, ".", 12);
	p = entry(p, 2, 2, "..", 12);
	p = entry(p, DIR_INODE, 2, "dir", 12);
	p = entry(p, FILE_INODE, 1, "file", 12);
	p = entry(p, 0, 0, "gone", 12); /* deleted */
	entry(p, LINK_INODE, 7, "link", bs - 60);
	p = put_inode(FILE_INODE, S_IFREG | 0644, 2 * bs + 100);
	for (uint32_t i = 0; i < 3; i++)
		assay_put_le32(p + 40 + 4 * i, FILE_DATA + i);
	memset(block(FILE_DATA), 'f', 2 * bs + 100);
	memset(block(FILE_DATA + 2) + 100, 'X', bs - 100);
	memcpy(put_inode(LINK_INODE, S_IFLNK | 0777, 8) + 40, "dir/none", 8);
	assay_put_le32(put_inode(DIR_INODE, S_IFDIR, bs) + 40, ROOT_DIR + 1);
	p = entry(block(ROOT_DIR + 1), DIR_INODE, 2, ".", 12);
	entry(p, 2, 2, "..", bs - 12);
}

static void make(void)
{
	make_sized(10, 256, 128);
}

/* The same with extents: FILE_INODE has a header for `n` entries, depth as given. */
static uint8_t *make_extents(unsigned n, unsigned depth, uint64_t size)
{
	uint8_t *p;

	make();
	feature(FEATURE_INCOMPAT, FILETYPE | EXTENTS);
	p = put_inode(FILE_INODE, S_IFREG, size);
	assay_put_le32(p + 32, FL_EXTENTS);
	assay_put_le16(p + 40, 0xf30a);
	assay_put_le16(p + 42, (uint16_t)n);
	assay_put_le16(p + 44, 4);
	assay_put_le16(p + 46, (uint16_t)depth);
	return p + 52;
}

static uint8_t *extent(uint8_t *p, uint32_t first, uint32_t len, uint64_t start)
{
	assay_put_le32(p, first);
	assay_put_le16(p + 4, (uint16_t)len);
	assay_put_le16(p + 6, (uint16_t)(start >> 32));
	assay_put_le32(p + 8, (uint32_t)start);
	return p + 12;
}

static uint8_t *header(uint8_t *p, unsigned n, unsigned max, unsigned depth)
{
	assay_put_le16(p, 0xf30a);
	assay_put_le16(p + 2, (uint16_t)n);
	assay_put_le16(p + 4, (uint16_t)max);
	assay_put_le16(p + 6, (uint16_t)depth);
	return p + 12;
}

static uint8_t *index_entry(uint8_t *p, uint32_t first, uint32_t where)
{
	assay_put_le32(p, first);
	assay_put_le32(p + 4, where);
	return p + 12;
}

static int open_image(struct assay_fs **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	if (assay_src_from_mem(image, image_size, &src, err) < 0)
		return -1;
	return assay_fs_open(src, ret, err);
}

static struct assay_fs *must_open(void)
{
	struct assay_fs *fs = NULL;
	struct assay_err err;

	if (open_image(&fs, &err) < 0)
		fail_msg("%s", err.msg);
	return fs;
}

static void says(const struct assay_err *err, enum assay_code code, const char *text)
{
	if (!strstr(err->msg, text))
		fail_msg("'%s' is not in '%s'", text, err->msg);
	assert_int_equal(err->code, code);
}

static void open_fails(enum assay_code code, const char *text)
{
	struct assay_fs *fs = NULL;
	struct assay_err err;

	assert_int_equal(open_image(&fs, &err), -1);
	assert_null(fs);
	says(&err, code, text);
}

static void file_fails(enum assay_code code, const char *text)
{
	ASSAY_AUTO(assay_fs) *fs = must_open();
	struct assay_src *src = NULL;
	struct assay_err err;

	assert_int_equal(assay_fs_file(fs, "/file", &src, NULL, &err), -1);
	assert_null(src);
	says(&err, code, text);
}

static void list_fails(enum assay_code code, const char *text)
{
	ASSAY_AUTO(assay_fs) *fs = must_open();
	struct assay_dir dir = { .n = 77 };
	struct assay_err err;
	struct assay_src *src;

	assert_int_equal(assay_fs_list(fs, "/", &dir, &err), -1);
	assert_int_equal(dir.n, 77);
	says(&err, code, text);
	assert_int_equal(assay_fs_file(fs, "/file", &src, NULL, &err), -1);
	says(&err, code, text);
}

static void link_fails(enum assay_code code, const char *text)
{
	ASSAY_AUTO(assay_fs) *fs = must_open();
	char *target = NULL;
	struct assay_err err;

	assert_int_equal(assay_fs_readlink(fs, "/link", &target, &err), -1);
	assert_null(target);
	says(&err, code, text);
}

static struct assay_src *file(void)
{
	ASSAY_AUTO(assay_fs) *fs = must_open();
	struct assay_src *src = NULL;
	struct assay_err err;

	if (assay_fs_file(fs, "/file", &src, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	return src;
}

static void file_opens(void)
{
	ASSAY_AUTO(assay_src) *src = file();

	assert_non_null(src);
}

static void is_all(struct assay_src *src, uint64_t off, size_t len, int byte)
{
	uint8_t got[4096], want[4096];

	assert_true(len <= sizeof(got));
	memset(want, byte, len);
	assert_int_equal(assay_src_read(src, off, got, len, NULL), 0);
	assert_memory_equal(got, want, len);
}

/* --- what is there ---- */

static void test_tree(void **state)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE char *target = NULL;
	struct assay_fs_stat st;
	struct assay_dir dir;
	struct assay_err err;
	struct assay_fs *fs;

	(void)state;
	for (unsigned bits = 10; bits <= 16; bits++) {
		make_sized(bits, 64, 128);
		fs = must_open();
		assert_string_equal(assay_fs_name(fs), "ext2");
		assert_int_equal(assay_fs_list(fs, "/", &dir, &err), 0);
		assert_int_equal(dir.n, 3);
		assert_string_equal(dir.e[0].name, "dir");
		assert_int_equal(dir.e[0].kind, ASSAY_FS_DIR);
		assert_string_equal(dir.e[1].name, "file");
		assert_int_equal(dir.e[1].kind, ASSAY_FS_FILE);
		assert_int_equal(dir.e[1].node, FILE_INODE);
		assert_string_equal(dir.e[2].name, "link");
		assert_int_equal(dir.e[2].kind, ASSAY_FS_SYMLINK);
		assay_dir_clear(&dir);
		assert_int_equal(assay_fs_list(fs, "/dir", &dir, &err), 0);
		assert_int_equal(dir.n, 0);
		assay_dir_clear(&dir);
		assert_int_equal(assay_fs_readlink(fs, "/link", &target, &err), 0);
		assert_string_equal(target, "dir/none");
		free(assay_steal(&target));
		assert_int_equal(assay_fs_lstat(fs, "/gone", &st, &err), -1);
		says(&err, ASSAY_E_NOTFOUND, "no such file");
		assert_int_equal(assay_fs_file(fs, "/file", &src, NULL, &err), 0);
		/* The source outlives the filesystem. */
		assay_fs_free(&fs);
		assert_int_equal(assay_src_size(src), 2 * bs + 100);
		is_all(src, 2 * bs - 100, 200, 'f');
		assert_int_equal(assay_src_origin(src, 600), FILE_DATA * bs + 600);
		assay_src_free(&src);
	}
}

static void test_names_of_types(void **state)
{
	ASSAY_AUTO(assay_fs) *ext3 = NULL;
	ASSAY_AUTO(assay_fs) *ext4 = NULL;
	struct assay_err err;

	(void)state;
	make();
	feature(FEATURE_COMPAT, 4);
	assert_int_equal(open_image(&ext3, &err), 0);
	assert_string_equal(assay_fs_name(ext3), "ext3");
	feature(FEATURE_RO, 8);
	assert_int_equal(open_image(&ext4, &err), 0);
	assert_string_equal(assay_fs_name(ext4), "ext4");
}

static void test_inodes(void **state)
{
	static const struct {
		unsigned mode;
		uint32_t old, new, major, minor;
	} devices[] = {
		{ S_IFCHR | 0600, 0x0501, 0x99, 5, 1 },
		{ S_IFBLK | 0600, 0, 0x10311234, 0x112, 0x10334 },
		{ S_IFIFO | 0600, 0x0501, 0, 0, 0 },
		{ S_IFSOCK | 0600, 0, 0x801, 0, 0 },
	};
	struct assay_fs_stat st;
	struct assay_err err;
	uint8_t *p;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		make();
		p = put_inode(FILE_INODE, devices[i].mode, 0);
		assay_put_le32(p + 40, devices[i].old);
		assay_put_le32(p + 44, devices[i].new);
		ASSAY_AUTO(assay_fs) *fs = must_open();

		assert_int_equal(assay_fs_lstat(fs, "/file", &st, &err), 0);
		assert_int_equal(st.kind, ASSAY_FS_OTHER);
		assert_int_equal(st.major, devices[i].major);
		assert_int_equal(st.minor, devices[i].minor);
	}
	/* Owners of 32 bits, times before 1970 and after 2038, a size of 40 bits. */
	make_sized(10, 256, 256);
	feature(FEATURE_INCOMPAT, FILETYPE | EXTENTS);
	p = put_inode(FILE_INODE, S_IFREG | 04755, 0x123456789aULL);
	assay_put_le16(p + 2, 0x1234);
	assay_put_le16(p + 24, 0x5678);
	assay_put_le16(p + 120, 1);
	assay_put_le16(p + 122, 2);
	assay_put_le16(p + 26, 300);
	assay_put_le32(p + 16, (uint32_t)-5);
	ASSAY_AUTO(assay_fs) *fs = must_open();
	assert_int_equal(assay_fs_lstat(fs, "/file", &st, &err), 0);
	assert_int_equal(st.size, 0x123456789aULL);
	assert_int_equal(st.mode, S_IFREG | 04755);
	assert_int_equal(st.uid, 0x11234);
	assert_int_equal(st.gid, 0x25678);
	assert_int_equal(st.links, 300);
	assert_int_equal(st.mtime, -5);
	assert_int_equal(st.inode, FILE_INODE);
	assay_put_le16(p + 128, 8);
	assay_put_le32(p + 136, 0xfffffffd);
	assert_int_equal(assay_fs_lstat(fs, "/file", &st, &err), 0);
	assert_int_equal(st.mtime, -5); /* the field is not among them yet */
	assert_int_equal(st.mtime_nsec, 0);
	assay_put_le16(p + 128, 12);
	assert_int_equal(assay_fs_lstat(fs, "/file", &st, &err), 0);
	assert_int_equal(st.mtime, (1LL << 32) - 5);
	assert_int_equal(st.mtime_nsec, 0x3fffffff);
}

/* Direct blocks, one level, two and three, with holes of each kind. */
static void test_lists(void **state)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	const uint64_t one = 12, two = one + 256, three = two + 65536, end = three + (1U << 24);
	uint8_t *p;

	(void)state;
	make();
	p = put_inode(FILE_INODE, S_IFREG, end * 1024);
	assay_put_le32(p + 40, 40);
	assay_put_le32(p + 40 + 4 * 11, 41);
	assay_put_le32(p + 40 + 4 * 12, 50);
	assay_put_le32(block(50) + 4 * 255, 42);
	assay_put_le32(p + 40 + 4 * 13, 51);
	assay_put_le32(block(51) + 4 * 7, 52);
	assay_put_le32(block(52) + 4 * 9, 43);
	assay_put_le32(p + 40 + 4 * 14, 53);
	assay_put_le32(block(53) + 4 * 255, 54);
	assay_put_le32(block(54) + 4 * 255, 55);
	assay_put_le32(block(55) + 4 * 255, 44);
	for (int i = 0; i < 5; i++)
		memset(block(40 + i), 'a' + i, 1024);
	src = file();
	assert_int_equal(assay_src_size(src), end * 1024);
	is_all(src, 0, 1024, 'a');
	is_all(src, 1024, 1024, 0);
	is_all(src, 11 * 1024, 1024, 'b');
	is_all(src, one * 1024, 1024, 0);
	is_all(src, (two - 1) * 1024, 1024, 'c');
	is_all(src, two * 1024, 1024, 0);
	is_all(src, (two + 7 * 256 + 9) * 1024, 1024, 'd');
	is_all(src, (two + 7 * 256 + 10) * 1024, 1024, 0);
	is_all(src, three * 1024, 1024, 0);
	is_all(src, (end - 2) * 1024, 1024, 0);
	is_all(src, (end - 1) * 1024, 1024, 'e');
	/* One byte more has no place in the lists. */
	assay_put_le32(p + 4, (uint32_t)(end * 1024 + 1));
	file_fails(ASSAY_E_CORRUPT, "is more than lists of blocks hold");
}

static void test_bad_lists(void **state)
{
	static const uint32_t bad[] = { 1, 256, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		make();
		assay_put_le32(inode(FILE_INODE) + 40, bad[i]);
		file_fails(ASSAY_E_CORRUPT, "inode 12: 1 blocks at block");
		make();
		assay_put_le32(put_inode(FILE_INODE, S_IFREG, 20 * 1024) + 40 + 4 * 12, bad[i]);
		file_fails(ASSAY_E_CORRUPT, "inode 12: its blocks are listed in block");
	}
	make();
	assay_put_le32(inode(FILE_INODE) + 40, 255);
	file_opens();
	/* A list that lists itself has more blocks than there are. */
	make();
	assay_put_le32(put_inode(FILE_INODE, S_IFREG, 1 << 20) + 40 + 4 * 13, 50);
	for (int i = 0; i < 256; i++)
		assay_put_le32(block(50) + 4 * i, 50);
	file_fails(ASSAY_E_CORRUPT, "more blocks than the filesystem has");
	feature(FEATURE_RO, 0x4000); /* shared blocks: then it may */
	file_opens();
}

static void test_extents(void **state)
{
	ASSAY_AUTO(assay_src) *flat = NULL;
	ASSAY_AUTO(assay_src) *deep = NULL;
	ASSAY_AUTO(assay_src) *empty = NULL;
	uint8_t *p;

	(void)state;
	/* A hole, two blocks, one not written, one, and what lies beyond the size. */
	p = make_extents(4, 0, 6 * 1024 + 10);
	p = extent(p, 1, 2, 40);
	p = extent(p, 3, 32768 + 2, 50);
	p = extent(p, 6, 3, 60);
	extent(p, 9, 5, 9999999);
	memset(block(40), 'a', 2048);
	memset(block(50), 'b', 2048);
	memset(block(60), 'c', 1024);
	flat = file();
	assert_int_equal(assay_src_size(flat), 6 * 1024 + 10);
	is_all(flat, 0, 1024, 0);
	is_all(flat, 1024, 2048, 'a');
	is_all(flat, 3 * 1024, 3 * 1024, 0);
	is_all(flat, 6 * 1024, 10, 'c');

	/* Two levels of index. */
	p = make_extents(2, 2, 1000 * 1024);
	p = index_entry(p, 0, 70);
	index_entry(p, 500, 71);
	index_entry(header(block(70), 1, 84, 1), 0, 72);
	p = header(block(71), 2, 84, 1);
	p = index_entry(p, 500, 73);
	index_entry(p, 900, 74);
	extent(header(block(72), 1, 84, 0), 3, 1, 40);
	extent(header(block(73), 1, 84, 0), 500, 1, 41);
	p = header(block(74), 2, 84, 0);
	p = extent(p, 998, 1, 42);
	extent(p, 999, 1, 40);
	memset(block(40), 'x', 1024);
	memset(block(41), 'y', 1024);
	memset(block(42), 'z', 1024);
	deep = file();
	is_all(deep, 0, 3 * 1024, 0);
	is_all(deep, 3 * 1024, 1024, 'x');
	is_all(deep, 4 * 1024, 4096, 0);
	is_all(deep, 500 * 1024, 1024, 'y');
	is_all(deep, 998 * 1024, 1024, 'z');
	is_all(deep, 999 * 1024, 1024, 'x');

	/* Nothing at all: one hole of the largest size. */
	make_extents(0, 0, 1ULL << 42);
	empty = file();
	assert_int_equal(assay_src_size(empty), 1ULL << 42);
	is_all(empty, (1ULL << 42) - 10, 10, 0);
	make_extents(0, 0, (1ULL << 42) + 1);
	file_fails(ASSAY_E_CORRUPT, "is more than extents hold");
}

static void test_bad_extents(void **state)
{
	uint8_t *p;

	(void)state;
	extent(make_extents(1, 0, 1024), 0, 0, 40);
	file_fails(ASSAY_E_CORRUPT, "an extent of 0 blocks at block 0");
	extent(make_extents(1, 0, 1024), UINT32_MAX, 2, 40);
	file_fails(ASSAY_E_CORRUPT, "an extent of 2 blocks at block 4294967295");
	extent(make_extents(1, 0, 1024), 0, 1, 256);
	file_fails(ASSAY_E_CORRUPT, "1 blocks at block 256 of 256");
	extent(make_extents(1, 0, 2048), 0, 2, 255);
	file_fails(ASSAY_E_CORRUPT, "2 blocks at block 255 of 256");
	extent(make_extents(1, 0, 1024), 0, 1, 1);
	file_fails(ASSAY_E_CORRUPT, "1 blocks at block 1 of 256");
	extent(make_extents(1, 0, 1024), 0, 1, 40 | 1ULL << 32);
	file_fails(ASSAY_E_CORRUPT, "1 blocks at block 4294967336 of 256");
	p = extent(make_extents(2, 0, 4096), 0, 3, 40);
	extent(p, 2, 1, 50);
	file_fails(ASSAY_E_CORRUPT,
		   "an extent of 3 blocks at block 0 of the file, between 0 and 2");
	p = extent(make_extents(2, 0, 4096), 5, 1, 40);
	extent(p, 2, 1, 50);
	file_fails(ASSAY_E_CORRUPT, "an extent of 1 blocks at block 5");
	/* A file's blocks more often than they exist. */
	p = extent(make_extents(2, 0, 400 * 1024), 0, 200, 40);
	extent(p, 200, 200, 40);
	file_fails(ASSAY_E_CORRUPT, "more blocks than the filesystem has");

	/* The header: magic, entries, room, depth. */
	make_extents(1, 0, 1024)[-12] = 0;
	file_fails(ASSAY_E_CORRUPT, "extent header 0xf300");
	make_extents(5, 0, 1024);
	file_fails(ASSAY_E_CORRUPT, "with 5 of 4 entries");
	assay_put_le16(make_extents(1, 0, 1024) - 8, 5);
	file_fails(ASSAY_E_CORRUPT, "of 5 entries, room for 4");
	assay_put_le16(make_extents(0, 0, 1024) - 8, 0);
	file_fails(ASSAY_E_CORRUPT, "of 0 entries");
	make_extents(1, 6, 1024);
	file_fails(ASSAY_E_CORRUPT, "a tree of extents of depth 6");
	make_extents(0, 1, 1024);
	file_fails(ASSAY_E_CORRUPT, "a tree of extents of depth 1 with 0 entries");

	/* Its blocks: place, header, depth, none, one that is its own child, ranges. */
	index_entry(make_extents(1, 1, 1024), 0, 256);
	file_fails(ASSAY_E_CORRUPT, "its blocks are listed in block 256 of 256");
	index_entry(make_extents(1, 1, 1024), 0, 1);
	file_fails(ASSAY_E_CORRUPT, "its blocks are listed in block 1 of 256");
	index_entry(make_extents(1, 1, 1024), 0, 70);
	file_fails(ASSAY_E_CORRUPT, "extent header 0x0000");
	index_entry(make_extents(1, 1, 1024), 0, 70);
	header(block(70), 1, 85, 0);
	file_fails(ASSAY_E_CORRUPT, "of 85 entries, room for 84");
	index_entry(make_extents(1, 1, 1024), 0, 70);
	header(block(70), 0, 84, 0);
	file_fails(ASSAY_E_CORRUPT, "an extent block of depth 0 with 0 entries");
	index_entry(make_extents(1, 2, 1024), 0, 70);
	index_entry(header(block(70), 1, 84, 1), 0, 70);
	file_fails(ASSAY_E_CORRUPT,
		   "an extent block of depth 1 with 1 entries, below one of depth 1");
	index_entry(make_extents(1, 1, 1024), 5, 70);
	extent(header(block(70), 1, 84, 0), 4, 1, 40);
	file_fails(ASSAY_E_CORRUPT, "an extent of 1 blocks at block 4 of the file, between 5 and");
	p = index_entry(make_extents(2, 1, 1024), 0, 70);
	index_entry(p, 10, 71);
	extent(header(block(70), 1, 84, 0), 9, 2, 40);
	file_fails(ASSAY_E_CORRUPT,
		   "an extent of 2 blocks at block 9 of the file, between 0 and 10");
	p = index_entry(make_extents(2, 1, 1024), 10, 70);
	index_entry(p, 10, 71);
	file_fails(ASSAY_E_CORRUPT, "extents of blocks 10 to 10 inside those of");
}

/* --- inside inodes ---- */

/* FILE_INODE with system.data of `value` bytes; the attribute starts at 160. */
static uint8_t *make_inline(unsigned mode, uint32_t size, uint32_t value)
{
	uint8_t *p;

	make_sized(10, 256, 256);
	feature(FEATURE_INCOMPAT, FILETYPE | INLINE_DATA);
	p = put_inode(FILE_INODE, mode, size);
	assay_put_le32(p + 32, FL_INLINE);
	assay_put_le16(p + 128, 32);
	assay_put_le32(p + 160, 0xea020000);
	/* Another attribute first. */
	p[164] = 3;
	p[165] = 1;
	memcpy(p + 164 + 16, "abc", 3);
	p[184] = 4;
	p[185] = 7;
	assay_put_le16(p + 186, (uint16_t)(value ? 256 - 164 - value : 0));
	assay_put_le32(p + 192, value);
	memcpy(p + 200, "data", 4);
	return p;
}

static void test_inline(void **state)
{
	ASSAY_AUTO(assay_src) *six = NULL;
	ASSAY_AUTO(assay_src) *more = NULL;
	ASSAY_AUTO(assay_src) *hole = NULL;
	struct assay_dir dir;
	struct assay_err err;
	uint8_t *p;

	(void)state;
	/* Six bytes are six bytes, whatever stands behind them. */
	p = make_inline(S_IFREG, 6, 0);
	memset(p + 40, 'i', 60);
	six = file();
	assert_int_equal(assay_src_size(six), 6);
	is_all(six, 0, 6, 'i');
	p = make_inline(S_IFREG, 90, 40);
	memset(p + 40, 'i', 60);
	memset(p + 216, 'j', 40);
	more = file();
	assert_int_equal(assay_src_size(more), 90);
	is_all(more, 0, 60, 'i');
	is_all(more, 60, 30, 'j');
	p = make_inline(S_IFREG, 5000, 40);
	memset(p + 216, 'j', 40);
	hole = file();
	assert_int_equal(assay_src_size(hole), 5000);
	is_all(hole, 60, 40, 'j');
	is_all(hole, 100, 4000, 0);

	p = make_inline(S_IFREG, 90, 40);
	p[187] = 1;
	file_fails(ASSAY_E_CORRUPT, "no data among its extended attributes");
	p = make_inline(S_IFREG, 90, 41); /* to the inode's end, and past it */
	file_opens();
	assay_put_le32(inode(FILE_INODE) + 192, 42);
	file_fails(ASSAY_E_CORRUPT, "no data among its extended attributes");
	p = make_inline(S_IFREG, 90, 40);
	p[188] = 1; /* in another inode */
	file_fails(ASSAY_E_CORRUPT, "no data among its extended attributes");
	p = make_inline(S_IFREG, 90, 40);
	p[185] = 6;
	file_fails(ASSAY_E_CORRUPT, "no data among its extended attributes");
	p = make_inline(S_IFREG, 90, 40);
	p[164] = 255;
	file_fails(ASSAY_E_CORRUPT, "an extended attribute cut short");
	p = make_inline(S_IFREG, 90, 40);
	p[160] = 1;
	file_fails(ASSAY_E_CORRUPT, "no extended attributes");
	make_inline(S_IFREG, 90, 40);
	feature(FEATURE_INCOMPAT, FILETYPE);
	file_fails(ASSAY_E_CORRUPT, "data inside the inode, which is not to have any there");
	p = make_inline(S_IFREG, 90, 40);
	assay_put_le32(p + 32, FL_INLINE | FL_EXTENTS);
	file_fails(ASSAY_E_CORRUPT, "data inside the inode, which is not to have any there");

	/* A directory: the parent, then entries; more entries in the attribute. */
	p = make_inline(S_IFDIR, 100, 40);
	assay_put_le32(p + 40, 2);
	entry(p + 44, FILE_INODE, 1, "first", 56);
	entry(p + 216, FILE_INODE, 1, "second", 40);
	ASSAY_AUTO(assay_fs) *fs = must_open();
	assert_int_equal(assay_fs_list(fs, "/file", &dir, &err), 0);
	assert_int_equal(dir.n, 2);
	assert_string_equal(dir.e[0].name, "first");
	assert_string_equal(dir.e[1].name, "second");
	assay_dir_clear(&dir);
	assay_put_le32(inode(FILE_INODE) + 4, 101);
	assert_int_equal(assay_fs_list(fs, "/file", &dir, &err), -1);
	says(&err, ASSAY_E_CORRUPT, "a size of 101 bytes, where the inode has 100");
	assay_put_le32(inode(FILE_INODE) + 4, 59);
	assert_int_equal(assay_fs_list(fs, "/file", &dir, &err), -1);
	says(&err, ASSAY_E_CORRUPT, "a directory of 59 bytes inside the inode");
}

/* --- what is refused ---- */

static void test_features(void **state)
{
	static const struct {
		uint32_t at, bits;
		const char *text;
	} refused[] = {
		{ FEATURE_INCOMPAT, 0x0001, "unsupported: compression" },
		{ FEATURE_INCOMPAT, 0x0004, "its journal has to be replayed first" },
		{ FEATURE_INCOMPAT, 0x0008, "nothing but a journal of another filesystem" },
		{ FEATURE_INCOMPAT, 0x0020, "unknown incompatible features: 0x20" },
		{ FEATURE_INCOMPAT, 0x0800, "unknown incompatible features: 0x800" },
		{ FEATURE_INCOMPAT, 0x1000, "dirdata" },
		{ FEATURE_INCOMPAT, 0x40000, "unknown incompatible features: 0x40000" },
		{ FEATURE_INCOMPAT, 0x80000004, "its journal has to be replayed first" },
		{ FEATURE_RO, 0x0080, "unsupported: snapshots" },
		{ FEATURE_RO, 0x20000, "unknown read-only compatible features: 0x20000" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		make();
		feature(refused[i].at, refused[i].bits);
		open_fails(ASSAY_E_UNSUPPORTED, refused[i].text);
	}
	/* What is only for writers, or shows at each inode. */
	make();
	feature(FEATURE_COMPAT, UINT32_MAX & ~0x200U);
	feature(FEATURE_INCOMPAT, 0x3e742 & ~0x2000U);
	feature(FEATURE_RO, 0x1ffff & ~0x690U);
	file_opens();
	/* Before there were features. */
	make();
	feature(FEATURE_INCOMPAT, UINT32_MAX);
	assay_put_le32(super() + 76, 0);
	/* Then types of entries belong to the length of their name. */
	file_fails(ASSAY_E_CORRUPT, "a name of more than 255 bytes");
	for (uint8_t *p = block(ROOT_DIR); p < block(ROOT_DIR + 1); p += 12)
		p[7] = 0;
	file_opens();
}

static void test_geometry(void **state)
{
	static const struct {
		uint32_t at, value;
		const char *text;
	} bad[] = {
		{ 24, 0x40000007, "unsupported: this is ext2, ext3 or ext4" },
		{ 28, 1, "clusters of 2^11 bytes over blocks of 2^10" },
		{ 28, 20, "clusters of 2^(10+20) bytes" },
		{ 32, 0, "0 blocks in a group" },
		{ 32, 8193, "8193 blocks in a group" },
		{ 36, 8191, "8192 blocks in a group" },
		{ 40, 7, "7 inodes in a group" },
		{ 40, 8193, "8193 inodes in a group" },
		{ 40, 33, "32 inodes, where 1 groups have 33 each" },
		{ 0, 64, "64 inodes, where 1 groups have 32 each" },
		{ 20, 0, "the first block is 0" },
		{ 4, 8194, "32 inodes, where 2 groups have 32 each" },
		{ 4, 257, "cut short: its superblock tells of 263168 bytes, there are 262144" },
		{ 88, 127, "inodes of 127 bytes" },
		{ 88, 64, "inodes of 64 bytes" },
		{ 88, 2048, "inodes of 2048 bytes" },
		{ 88, 192, "inodes of 192 bytes" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct assay_fs *fs = NULL;
		struct assay_err err;

		make();
		assay_put_le32(super() + bad[i].at, bad[i].value);
		assert_int_equal(open_image(&fs, &err), -1);
		says(&err, i == 0 ? ASSAY_E_UNSUPPORTED : ASSAY_E_CORRUPT, bad[i].text);
	}
	for (uint32_t size = 0; size <= 4096; size += 16) {
		make();
		feature(FEATURE_INCOMPAT, FILETYPE | 0x80);
		assay_put_le16(super() + 254, (uint16_t)size);
		if (size == 64 || size == 128 || size == 256 || size == 512 || size == 1024)
			file_opens();
		else
			open_fails(ASSAY_E_CORRUPT, "group descriptors of");
	}
	make();
	feature(FEATURE_INCOMPAT, FILETYPE | 0x80);
	assay_put_le16(super() + 254, 64);
	assay_put_le32(super() + 336, UINT32_MAX);
	open_fails(ASSAY_E_CORRUPT, "blocks");
	/* The inodes' place. */
	static const uint32_t tables[] = { 0, 1, 253, UINT32_MAX };
	for (size_t i = 0; i < 4; i++) {
		make();
		assay_put_le32(block(2) + 8, tables[i]);
		file_fails(ASSAY_E_CORRUPT, "inode 2: the inodes of group 0 start at block");
	}
	make();
	memcpy(block(252), block(TABLE), 4 * 1024);
	assay_put_le32(block(2) + 8, 252);
	file_opens();
}

static void test_cut_short(void **state)
{
	struct assay_ext4_super sb = { 0 };
	struct assay_ext4_inode parsed;
	struct assay_err err;

	(void)state;
	make();
	for (size_t n = 0; n <= 1024; n++) {
		const int rc = assay_ext4_parse_super(assay_cur_make(super(), n, 1024), &sb, &err);

		assert_int_equal(rc, n < 1024 ? -1 : 0);
		if (rc < 0)
			says(&err, ASSAY_E_CORRUPT, "ext4 superblock cut short");
	}
	for (uint32_t size = 128; size <= 256; size += 128) {
		make_sized(10, 256, size);
		sb.inode_size = size;
		for (size_t n = 0; n <= 256; n++)
			assert_int_equal(
				assay_ext4_parse_inode(assay_cur_make(inode(FILE_INODE), n, 0), &sb,
						       &parsed, &err),
				n < size ? -1 : 0);
	}
	make();
	for (size_t n = 1; n < 256 * 1024; n += n < 4096 ? 1 : 1000) {
		struct assay_fs *fs = NULL;

		image_size = n;
		assert_int_equal(open_image(&fs, &err), -1);
		assert_null(fs);
	}
}

static void test_bad_inodes(void **state)
{
	uint8_t *p;

	(void)state;
	for (unsigned type = 0; type < 16; type++) {
		if (type == 1 || type == 2 || type == 4 || type == 6 || type == 8 || type == 10 ||
		    type == 12)
			continue;
		make();
		assay_put_le16(inode(FILE_INODE), (uint16_t)(type << 12));
		file_fails(ASSAY_E_CORRUPT, "inode 12: file type 0");
	}
	make();
	assay_put_le16(inode(FILE_INODE) + 26, 0);
	file_fails(ASSAY_E_CORRUPT, "inode 12: it is deleted");
	make();
	assay_put_le32(inode(FILE_INODE) + 108, 0x80000000);
	file_fails(ASSAY_E_CORRUPT, "a size of 9223372036854777");
	make();
	assay_put_le32(inode(FILE_INODE) + 32, 0x200000);
	file_fails(ASSAY_E_CORRUPT, "it holds an extended attribute, and has a name");
	make();
	assay_put_le32(inode(FILE_INODE) + 32, 0x800);
	file_fails(ASSAY_E_UNSUPPORTED, "inode 12: encrypted (fscrypt)");
	make();
	assay_put_le32(inode(2) + 32, 0x800);
	list_fails(ASSAY_E_UNSUPPORTED, "inode 2: encrypted (fscrypt)");
	make();
	assay_put_le32(inode(LINK_INODE) + 32, 0x800);
	link_fails(ASSAY_E_UNSUPPORTED, "inode 13: encrypted (fscrypt)");
	static const uint32_t extras[] = { 1, 2, 3, 130, 132, 65532 };
	for (size_t i = 0; i < 6; i++) {
		make_sized(10, 256, 256);
		assay_put_le16(inode(FILE_INODE) + 128, (uint16_t)extras[i]);
		file_fails(ASSAY_E_CORRUPT, "bytes of extra fields");
	}
	assay_put_le16(inode(FILE_INODE) + 128, 128);
	file_opens();
	/* Names for inodes that have none, or that are not there. */
	static const uint32_t numbers[] = { 1, 3, 10 };
	for (size_t i = 0; i < 3; i++) {
		make();
		p = block(ROOT_DIR) + 36;
		assay_put_le32(p, numbers[i]);
		file_fails(ASSAY_E_CORRUPT, "a name for inode");
	}
	make();
	assay_put_le32(block(ROOT_DIR) + 36, 33);
	list_fails(ASSAY_E_CORRUPT, "'file' leads to inode 33 of 32");
	make();
	put_inode(2, S_IFREG, 0);
	file_fails(ASSAY_E_NOTFOUND, "not a directory");
}

static void test_links(void **state)
{
	struct assay_err err;
	uint8_t *p;

	(void)state;
	/* 59 bytes fit; longer ones take a block. */
	for (uint32_t len = 58; len <= 61; len++) {
		ASSAY_AUTO_FREE char *target = NULL;

		make();
		p = put_inode(LINK_INODE, S_IFLNK, len);
		if (len < 60) {
			memset(p + 40, 'l', len);
		} else {
			assay_put_le32(p + 28, 2);
			assay_put_le32(p + 40, 40);
			memset(block(40), 'l', len);
		}
		ASSAY_AUTO(assay_fs) *fs = must_open();
		assert_int_equal(assay_fs_readlink(fs, "/link", &target, &err), 0);
		assert_int_equal(strlen(target), len);
		/* Kernels tell by the sectors, tools by the size. */
		assay_put_le32(p + 28, len < 60 ? 2 : 0);
		link_fails(ASSAY_E_CORRUPT, "a symbolic link of");
	}
	/* Sectors of its attributes do not count. */
	make();
	p = inode(LINK_INODE);
	assay_put_le32(p + 28, 2);
	assay_put_le32(p + 104, 45);
	ASSAY_AUTO(assay_fs) *fs = must_open();
	ASSAY_AUTO_FREE char *target = NULL;
	assert_int_equal(assay_fs_readlink(fs, "/link", &target, &err), 0);
	assert_string_equal(target, "dir/none");
	make();
	inode(LINK_INODE)[43] = 0;
	link_fails(ASSAY_E_CORRUPT, "inode 13: a NUL in a symbolic link's target");
	for (uint32_t len = ASSAY_FS_MAX_PATH; len <= ASSAY_FS_MAX_PATH + 1; len++) {
		make();
		p = put_inode(LINK_INODE, S_IFLNK, len);
		assay_put_le32(p + 28, 10);
		for (uint32_t i = 0; i < 5; i++)
			assay_put_le32(p + 40 + 4 * i, 40 + i);
		memset(block(40), 'l', 5 * 1024);
		if (len > ASSAY_FS_MAX_PATH) {
			link_fails(ASSAY_E_LIMIT, "4097 bytes, limit 4096");
			continue;
		}
		ASSAY_AUTO(assay_fs) *at_limit = must_open();
		ASSAY_AUTO_FREE char *text = NULL;
		assert_int_equal(assay_fs_readlink(at_limit, "/link", &text, &err), 0);
		assert_int_equal(strlen(text), len);
	}
}

static void test_bad_names(void **state)
{
	uint8_t *file_entry;

	(void)state;
#define AGAIN() (make(), file_entry = block(ROOT_DIR) + 36)
	static const uint16_t lengths[] = { 0, 4, 8, 11, 13, 14, 1024 - 32, 65535 };
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		AGAIN();
		assay_put_le16(file_entry + 4, lengths[i]);
		list_fails(ASSAY_E_CORRUPT, "inode 2: a directory's entry of");
	}
	AGAIN();
	file_entry[6] = 5; /* into the next entry */
	list_fails(ASSAY_E_CORRUPT, "with a name of 5, ");
	AGAIN();
	file_entry[6] = 0;
	list_fails(ASSAY_E_CORRUPT, "an entry without a name");
	AGAIN();
	file_entry[9] = '/';
	list_fails(ASSAY_E_CORRUPT, "a name with a NUL or '/'");
	AGAIN();
	file_entry[9] = 0;
	list_fails(ASSAY_E_CORRUPT, "a name with a NUL or '/'");
	AGAIN();
	memcpy(block(ROOT_DIR) + 60 + 8, "file", 4);
	list_fails(ASSAY_E_CORRUPT, "inode 2: two entries of the name 'file'");
	AGAIN();
	assay_put_le32(inode(2) + 4, 1023);
	list_fails(ASSAY_E_CORRUPT, "a directory of 1023 bytes");
	AGAIN();
	assay_put_le32(inode(2) + 4, 2048);
	list_fails(ASSAY_E_CORRUPT, "a directory with a hole");
	AGAIN();
	file_entry[7] = 99; /* of a type that nobody knows: the inode's counts */
	ASSAY_AUTO(assay_fs) *fs = must_open();
	struct assay_dir dir;
	struct assay_err err;
	assert_int_equal(assay_fs_list(fs, "/", &dir, &err), 0);
	assert_int_equal(dir.e[1].kind, ASSAY_FS_FILE);
	assay_dir_clear(&dir);
#undef AGAIN
	/* Where case is ignored, what is not spelled so may still be there. */
	make();
	assay_put_le32(inode(2) + 32, 0x40000000);
	file_opens();
	ASSAY_AUTO(assay_fs) *folded = must_open();
	struct assay_fs_stat st;
	assert_int_equal(assay_fs_lstat(folded, "/FILE", &st, &err), -1);
	says(&err, ASSAY_E_UNSUPPORTED, "ignores case (casefold)");
}

/* --- checksums ---- */

/* A directory's block, an extent block, two inodes, a descriptor and the superblock, all with what
 * they should have. */
static void make_checksums(void)
{
	static const uint32_t numbers[] = { 2, FILE_INODE, LINK_INODE, DIR_INODE };
	uint32_t seed, node_seed[4];
	uint8_t le[4], *p;

	index_entry(make_extents(1, 1, 1024), 0, 70);
	extent(header(block(70), 1, 84, 0), 0, 1, 40);
	feature(FEATURE_RO, METADATA_CSUM);
	super()[373] = 1;
	memcpy(super() + 104, "0123456789abcdef", 16);
	seed = assay_crc32c(UINT32_MAX, super() + 104, 16);
	/* Room for the tails. */
	assay_put_le16(block(ROOT_DIR) + 60 + 4, 1024 - 60 - 12);
	assay_put_le16(block(ROOT_DIR + 1) + 12 + 4, 1024 - 12 - 12);
	for (int i = 0; i < 4; i++) {
		p = inode(numbers[i]);
		assay_put_le32(p + 100, 1000 + numbers[i]);
		assay_put_le32(le, numbers[i]);
		node_seed[i] = assay_crc32c(assay_crc32c(seed, le, 4), p + 100, 4);
		assay_put_le16(p + 124, 0);
		assay_put_le16(p + 124, (uint16_t)assay_crc32c(node_seed[i], p, 128));
	}
	for (int i = 0; i < 2; i++) {
		p = block(ROOT_DIR + i) + 1024 - 12;
		memset(p, 0, 12);
		p[4] = 12;
		p[7] = 0xde;
		assay_put_le32(p + 8,
			       assay_crc32c(node_seed[i ? 3 : 0], block(ROOT_DIR + i), 1012));
	}
	assay_put_le32(block(70) + 1020, assay_crc32c(node_seed[1], block(70), 1020));
	p = block(2);
	assay_put_le16(p + 30, 0);
	assay_put_le32(le, 0);
	assay_put_le16(p + 30, (uint16_t)assay_crc32c(assay_crc32c(seed, le, 4), p, 32));
	assay_put_le32(super() + 1020, assay_crc32c(UINT32_MAX, super(), 1020));
}

static void test_checksums(void **state)
{
	(void)state;
	make_checksums();
	file_opens();
	super()[373] = 2;
	open_fails(ASSAY_E_UNSUPPORTED, "checksums of unknown type 2");
	/* Each bit of what is covered. */
	for (size_t i = 0; i < 1024; i++) {
		struct assay_fs *fs = NULL;
		struct assay_err err;

		if (i == FEATURE_RO + 1)
			continue; /* that there are checksums */
		make_checksums();
		super()[i] ^= 4;
		assert_int_equal(open_image(&fs, &err), -1);
	}
	for (size_t i = 0; i < 32; i++) {
		make_checksums();
		block(2)[i] ^= 4;
		file_fails(ASSAY_E_CORRUPT, "the checksum of group 0's descriptor is wrong");
	}
	for (size_t i = 0; i < 128; i++) {
		ASSAY_AUTO(assay_fs) *fs = NULL;
		struct assay_fs_stat st;
		struct assay_err err;

		make_checksums();
		inode(FILE_INODE)[i] ^= 4;
		assert_int_equal(open_image(&fs, &err), 0);
		if (i == 126 || i == 127)
			continue; /* covered too, see below */
		assert_int_equal(assay_fs_lstat(fs, "/file", &st, &err), -1);
	}
	make_checksums();
	inode(FILE_INODE)[126] ^= 4;
	file_fails(ASSAY_E_CORRUPT, "inode 12: its checksum is wrong");
	for (size_t i = 0; i < 1024; i++) {
		make_checksums();
		block(70)[i] ^= 4;
		file_fails(ASSAY_E_CORRUPT, "inode 12: ");
		make_checksums();
		block(ROOT_DIR)[i] ^= 4;
		list_fails(ASSAY_E_CORRUPT, "inode 2: ");
	}
}

/* CRC-16 of a descriptor, against a value that mke2fs has written for group 0 of this filesystem.
 */
static void test_old_checksums(void **state)
{
	(void)state;
	make();
	feature(FEATURE_RO, 0x10);
	assay_put_le16(block(2) + 30, 0);
	file_fails(ASSAY_E_CORRUPT, "the checksum of group 0's descriptor is wrong");
}

/* --- ceilings ---- */

static void test_many_extents(void **state)
{
	/* Blocks of 64 KiB hold 5460 extents; four of the root's indexes lead to as many leaves as
	 * it takes. */
	const uint32_t per_block = 65536 / 12 - 1;

	(void)state;
	for (uint32_t more = 0; more < 2; more++) {
		struct assay_fs *fs;
		struct assay_src *src = NULL;
		struct assay_err err;
		uint32_t left = ASSAY_SRC_MAX_EXTENTS + more, at = 0, leaf = 100;
		uint8_t *p, *mid;

		make_sized(16, 1024, 128);
		feature(FEATURE_INCOMPAT, FILETYPE | EXTENTS);
		feature(FEATURE_RO, 0x4000);
		/* Indexes count as well. */
		left -= 1 + (left + per_block - 1) / per_block;
		p = put_inode(FILE_INODE, S_IFREG, (uint64_t)left << 16);
		assay_put_le32(p + 32, FL_EXTENTS);
		index_entry(header(p + 40, 1, 4, 2), 0, 99);
		mid = header(block(99), 0, per_block, 1);
		for (; left > 0; leaf++) {
			const uint32_t n = left < per_block ? left : per_block;

			mid = index_entry(mid, at, leaf);
			assay_put_le16(block(99) + 2, (uint16_t)(leaf - 99));
			p = header(block(leaf), n, per_block, 0);
			for (uint32_t i = 0; i < n; i++, at++)
				p = extent(p, at, 1, at % 2 ? 40 : 42);
			left -= n;
		}
		fs = must_open();
		if (more) {
			assert_int_equal(assay_fs_file(fs, "/file", &src, NULL, &err), -1);
			says(&err, ASSAY_E_LIMIT, "more than 4194304 extents");
		} else {
			assert_int_equal(assay_fs_file(fs, "/file", &src, NULL, &err), 0);
			assert_int_equal(assay_src_size(src), (uint64_t)at << 16);
		}
		assay_src_free(&src);
		assay_fs_free(&fs);
	}
}

static void test_many_names(void **state)
{
	(void)state;
	for (uint32_t n = ASSAY_FS_MAX_ENTRIES; n <= ASSAY_FS_MAX_ENTRIES + 1; n++) {
		const uint32_t blocks = (n + 4095) / 4096; /* of 64 KiB, 16 bytes to a name */
		struct assay_dir dir;
		struct assay_err err;
		uint8_t *p;

		make_sized(16, 64 + blocks, 128);
		feature(FEATURE_INCOMPAT, FILETYPE | EXTENTS);
		p = put_inode(2, S_IFDIR, (uint64_t)blocks * 65536);
		assay_put_le32(p + 32, FL_EXTENTS);
		extent(header(p + 40, 1, 4, 0), 0, blocks, 64);
		p = block(64);
		for (uint32_t i = 0; i < blocks * 4096; i++) {
			char name[16];

			snprintf(name, sizeof(name), "%07x", i);
			p = entry(p, i < n ? FILE_INODE : 0, 1, name, 16);
		}
		ASSAY_AUTO(assay_fs) *fs = must_open();

		if (n <= ASSAY_FS_MAX_ENTRIES) {
			assert_int_equal(assay_fs_list(fs, "/", &dir, &err), 0);
			assert_int_equal(dir.n, n);
			assay_dir_clear(&dir);
		} else {
			assert_int_equal(assay_fs_list(fs, "/", &dir, &err), -1);
			says(&err, ASSAY_E_LIMIT, "a directory of more than 1048576 names");
		}
	}
}

static int everything(struct assay_err *err)
{
	ASSAY_AUTO(assay_fs) *fs = NULL;
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE char *target = NULL;
	ASSAY_AUTO_FREE char *real = NULL;
	struct assay_dir dir;

	if (open_image(&fs, err) < 0 || assay_fs_list(fs, "/", &dir, err) < 0)
		return -1;
	assay_dir_clear(&dir);
	if (assay_fs_file(fs, "/file", &src, &real, err) < 0 ||
	    assay_fs_readlink(fs, "/link", &target, err) < 0)
		return -1;
	return 0;
}

static void test_out_of_memory(void **state)
{
	(void)state;
	index_entry(make_extents(1, 1, 1024), 0, 70);
	extent(header(block(70), 1, 84, 0), 0, 1, 40);
	unit_alloc_each(everything, true);
	make_inline(S_IFREG, 90, 40);
	unit_alloc_each(everything, true);
	make();
	uint8_t *p = put_inode(LINK_INODE, S_IFLNK, 70);
	assay_put_le32(p + 28, 2);
	assay_put_le32(p + 40, 40);
	memset(block(40), 'l', 70);
	p = put_inode(FILE_INODE, S_IFREG, 1 << 20);
	assay_put_le32(p + 40 + 4 * 12, 50);
	for (int i = 0; i < 20; i++)
		assay_put_le32(block(50) + 4 * i, 100 - 2 * i);
	unit_alloc_each(everything, true);
}

static int teardown(void **state)
{
	(void)state;
	free(image);
	image = NULL;
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),	      cmocka_unit_test(test_names_of_types),
		cmocka_unit_test(test_inodes),	      cmocka_unit_test(test_lists),
		cmocka_unit_test(test_bad_lists),     cmocka_unit_test(test_extents),
		cmocka_unit_test(test_bad_extents),   cmocka_unit_test(test_inline),
		cmocka_unit_test(test_features),      cmocka_unit_test(test_geometry),
		cmocka_unit_test(test_cut_short),     cmocka_unit_test(test_bad_inodes),
		cmocka_unit_test(test_links),	      cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_checksums),     cmocka_unit_test(test_old_checksums),
		cmocka_unit_test(test_many_extents),  cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_out_of_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, teardown);
}
