/* SPDX-License-Identifier: Apache-2.0 */
/* EROFS images written byte by byte. What mkfs.erofs writes is in tests/cli/erofs.bats. */
#include <sys/stat.h>

#include "core/limits.h"
#include "measure/disk/crc32.h"
#include "measure/fs/erofs.h"
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

/* An image of 512-byte blocks: inodes from block 4 on, 16 to a block. */
#define BLOCK 512
#define META (4 * BLOCK)
#define N_BLOCKS 64
#define SIZE (N_BLOCKS * BLOCK)
#define ROOT 1
#define PLAIN 0
#define INLINE 4
#define CHUNKS 8

static uint8_t *image;
static size_t image_size;

static void seal(void)
{
	const size_t block = (size_t)1 << image[1024 + 12];
	const size_t len = block > 1024 ? block - 1024 : block;

	assay_put_le32(image + 1028, 0);
	assay_put_le32(image + 1028, assay_crc32c(UINT32_MAX, image + 1024, len));
}

static uint8_t *inode_at(uint64_t nid)
{
	return image + META + 32 * nid;
}

static uint8_t *compact(uint64_t nid, unsigned layout, unsigned mode, uint32_t size, uint32_t data)
{
	uint8_t *p = inode_at(nid);

	memset(p, 0, 32);
	assay_put_le16(p, (uint16_t)layout);
	assay_put_le16(p + 4, (uint16_t)mode);
	assay_put_le16(p + 6, 1);
	assay_put_le32(p + 8, size);
	assay_put_le32(p + 16, data);
	return p;
}

static uint8_t *extended(uint64_t nid, unsigned layout, unsigned mode, uint64_t size, uint32_t data)
{
	uint8_t *p = inode_at(nid);

	memset(p, 0, 64);
	assay_put_le16(p, (uint16_t)(layout | 1));
	assay_put_le16(p + 4, (uint16_t)mode);
	assay_put_le64(p + 8, size);
	assay_put_le32(p + 16, data);
	return p;
}

/* Entry i of n in the directory's block at `p`; names follow each other from where `*used` is. */
static void entry(uint8_t *p, unsigned i, uint64_t nid, unsigned type, const char *name,
		  size_t *used)
{
	assay_put_le64(p + 12 * i, nid);
	assay_put_le16(p + 12 * i + 8, (uint16_t)*used);
	p[12 * i + 10] = (uint8_t)type;
	memcpy(p + *used, name, strlen(name));
	*used += strlen(name);
}

/*
 * /, 600 bytes: "." ".." "dir" in its first block (block 20), "file" and "link" in the second,
 * beside the inode.
 */
static void make(void)
{
	uint8_t *p;
	size_t used;

	free(image);
	image_size = SIZE;
	image = calloc(1, SIZE);
	assert_non_null(image);
	assay_put_le32(image + 1024, 0xe0f5e1e2);
	assay_put_le32(image + 1032, 1);
	image[1036] = 9;
	assay_put_le16(image + 1038, ROOT);
	assay_put_le64(image + 1048, 1700000000);
	assay_put_le32(image + 1060, N_BLOCKS);
	assay_put_le32(image + 1064, META / BLOCK);
	compact(ROOT, INLINE, S_IFDIR | 0755, BLOCK + 32, 20);
	p = image + 20 * BLOCK;
	used = 36;
	entry(p, 0, ROOT, 2, ".", &used);
	entry(p, 1, ROOT, 2, "..", &used);
	entry(p, 2, 16, 2, "dir", &used);
	p = inode_at(ROOT) + 32;
	used = 24;
	entry(p, 0, 18, 1, "file", &used);
	entry(p, 1, 19, 7, "link", &used);
	/* An empty directory has no bytes here; the kernel asks for none. */
	compact(16, PLAIN, S_IFDIR | 0700, 0, 0);
	compact(18, PLAIN, S_IFREG | 0644, 700, 30);
	memset(image + 30 * BLOCK, 'f', 700);
	compact(19, INLINE, S_IFLNK | 0777, 8, 0);
	memcpy(inode_at(19) + 32, "dir/none", 8);
	seal();
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

static void file_fails(const char *path, enum assay_code code, const char *text)
{
	ASSAY_AUTO(assay_fs) *fs = must_open();
	struct assay_src *src = NULL;
	struct assay_err err;

	assert_int_equal(assay_fs_file(fs, path, &src, NULL, &err), -1);
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
	/* No name of it can be had either. */
	assert_int_equal(assay_fs_file(fs, "/file", &src, NULL, &err), -1);
	says(&err, code, text);
}

static struct assay_src *file(const char *path)
{
	ASSAY_AUTO(assay_fs) *fs = must_open();
	struct assay_src *src = NULL;
	struct assay_err err;

	if (assay_fs_file(fs, path, &src, NULL, &err) < 0)
		fail_msg("%s: %s", path, err.msg);
	return src;
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
	struct assay_dir dir;
	struct assay_fs_stat st;
	struct assay_err err;
	struct assay_fs *fs;

	(void)state;
	make();
	fs = must_open();
	assert_string_equal(assay_fs_name(fs), "erofs");
	assert_int_equal(assay_fs_list(fs, "/", &dir, &err), 0);
	assert_int_equal(dir.n, 3);
	assert_string_equal(dir.e[0].name, "dir");
	assert_int_equal(dir.e[0].kind, ASSAY_FS_DIR);
	assert_string_equal(dir.e[1].name, "file");
	assert_int_equal(dir.e[1].kind, ASSAY_FS_FILE);
	assert_int_equal(dir.e[1].node, 18);
	assert_string_equal(dir.e[2].name, "link");
	assert_int_equal(dir.e[2].kind, ASSAY_FS_SYMLINK);
	assay_dir_clear(&dir);
	assert_int_equal(assay_fs_list(fs, "/dir", &dir, &err), 0);
	assert_int_equal(dir.n, 0);
	assay_dir_clear(&dir);
	assert_int_equal(assay_fs_readlink(fs, "/link", &target, &err), 0);
	assert_string_equal(target, "dir/none");
	assert_int_equal(assay_fs_lstat(fs, "/file", &st, &err), 0);
	assert_int_equal(st.size, 700);
	assert_int_equal(st.mode, S_IFREG | 0644);
	assert_int_equal(st.mtime, 1700000000);
	assert_int_equal(st.inode, 18);
	assert_int_equal(st.links, 1);
	assert_int_equal(assay_fs_lstat(fs, "/fil", &st, &err), -1);
	says(&err, ASSAY_E_NOTFOUND, "no such file");
	assert_int_equal(assay_fs_lstat(fs, "/file2", &st, &err), -1);
	assert_int_equal(assay_fs_file(fs, "/file", &src, NULL, &err), 0);
	assay_fs_free(&fs);
	/* The source outlives the filesystem. */
	assert_int_equal(assay_src_size(src), 700);
	is_all(src, 0, 700, 'f');
	assert_int_equal(assay_src_origin(src, 600), 30 * BLOCK + 600);
}

static void test_inodes(void **state)
{
	static const struct {
		unsigned mode;
		uint32_t data, major, minor;
		uint64_t size;
	} devices[] = {
		{ S_IFCHR | 0600, 0x10311234, 0x112, 0x10334, 0 },
		{ S_IFBLK | 0600, 0x00000801, 8, 1, 0 },
		{ S_IFIFO | 0600, 0x00000801, 0, 0, 0 },
		{ S_IFSOCK | 0600, 0x00000801, 0, 0, 0 },
	};
	struct assay_fs_stat st;
	struct assay_err err;
	uint8_t *p;

	(void)state;
	make();
	p = extended(18, PLAIN, S_IFREG | 04755, 0x123456789aULL, 0);
	assay_put_le32(p + 24, 70000);
	assay_put_le32(p + 28, 80000);
	assay_put_le64(p + 32, (uint64_t)-5);
	assay_put_le32(p + 40, 123456789);
	assay_put_le32(p + 44, 90000);
	{
		ASSAY_AUTO(assay_fs) *fs = must_open();

		assert_int_equal(assay_fs_lstat(fs, "/file", &st, &err), 0);
		assert_int_equal(st.size, 0x123456789aULL);
		assert_int_equal(st.mode, S_IFREG | 04755);
		assert_int_equal(st.uid, 70000);
		assert_int_equal(st.gid, 80000);
		assert_int_equal(st.mtime, -5);
		assert_int_equal(st.mtime_nsec, 123456789);
		assert_int_equal(st.links, 90000);
	}
	for (size_t i = 0; i < 4; i++) {
		make();
		compact(18, PLAIN, devices[i].mode, 0, devices[i].data);
		ASSAY_AUTO(assay_fs) *fs = must_open();

		assert_int_equal(assay_fs_lstat(fs, "/file", &st, &err), 0);
		assert_int_equal(st.kind, ASSAY_FS_OTHER);
		assert_int_equal(st.major, devices[i].major);
		assert_int_equal(st.minor, devices[i].minor);
	}
}

static void test_contents(void **state)
{
	ASSAY_AUTO(assay_src) *tail = NULL;
	ASSAY_AUTO(assay_src) *chunks = NULL;
	ASSAY_AUTO(assay_src) *indexed = NULL;
	ASSAY_AUTO(assay_src) *large = NULL;
	uint8_t *p;

	(void)state;
	/* Two blocks and a tail, behind 16 bytes of attributes. */
	make();
	p = compact(18, INLINE, S_IFREG, 2 * BLOCK + 100, 40);
	assay_put_le16(p + 2, 2);
	memset(p + 32 + 16, 't', 100);
	memset(image + 40 * BLOCK, 'a', 2 * BLOCK);
	tail = file("/file");
	assert_int_equal(assay_src_size(tail), 2 * BLOCK + 100);
	is_all(tail, 0, 2 * BLOCK, 'a');
	is_all(tail, 2 * BLOCK, 100, 't');

	/* Chunks of two blocks: a hole, data, data elsewhere, and a hole of 10 bytes. */
	make();
	p = compact(18, CHUNKS, S_IFREG, 3 * 1024 + 10, 1);
	assay_put_le16(p + 2, 1); /* 12 bytes of attributes: the table starts at 44 */
	assay_put_le32(p + 44, UINT32_MAX);
	assay_put_le32(p + 48, 50);
	assay_put_le32(p + 52, 46);
	assay_put_le32(p + 56, UINT32_MAX);
	memset(image + 50 * BLOCK, 'b', 1024);
	memset(image + 46 * BLOCK, 'c', 1024);
	chunks = file("/file");
	assert_int_equal(assay_src_size(chunks), 3 * 1024 + 10);
	is_all(chunks, 0, 1024, 0);
	is_all(chunks, 1024, 1024, 'b');
	is_all(chunks, 2048, 1024, 'c');
	is_all(chunks, 3072, 10, 0);

	/* The same with entries of eight bytes, which start at a multiple of eight. */
	make();
	p = compact(18, CHUNKS, S_IFREG, 1024 + 10, 0x21);
	assay_put_le16(p + 2, 1);
	assay_put_le32(p + 48 + 4, 50);
	assay_put_le32(p + 56 + 4, N_BLOCKS - 1);
	memset(image + 50 * BLOCK, 'd', 1024);
	memset(image + (N_BLOCKS - 1) * BLOCK, 'e', 10);
	indexed = file("/file");
	is_all(indexed, 0, 1024, 'd');
	is_all(indexed, 1024, 10, 'e');

	/* 5 TiB in chunks of 2^40 bytes. */
	make();
	p = extended(18, CHUNKS, S_IFREG, 5ULL << 40, 31);
	memset(p + 64, 0xff, 20);
	large = file("/file");
	assert_int_equal(assay_src_size(large), 5ULL << 40);
	is_all(large, (5ULL << 40) - 100, 100, 0);
}

static void test_extents(void **state)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE struct assay_extent *e = NULL;
	struct assay_err err;
	void *fs;
	uint8_t *p;
	size_t n;

	(void)state;
	make();
	p = compact(18, CHUNKS, S_IFREG, 4 * BLOCK + 7, 0);
	assay_put_le32(p + 32, 50);
	assay_put_le32(p + 36, 51);
	assay_put_le32(p + 40, UINT32_MAX);
	assay_put_le32(p + 44, 52);
	assay_put_le32(p + 48, 50);
	assert_int_equal(assay_src_from_mem(image, image_size, &src, &err), 0);
	assert_int_equal(assay_erofs_ops.open(src, &fs, &err), 0);
	assert_int_equal(assay_erofs_ops.nodes->extents(fs, 18, &e, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_int_equal(e[0].off, 50 * BLOCK);
	assert_int_equal(e[0].len, 2 * BLOCK);
	assert_int_equal(e[1].off, 52 * BLOCK);
	assert_int_equal(e[1].len, BLOCK);
	assert_int_equal(e[2].off, 50 * BLOCK);
	assert_int_equal(e[2].len, 7);
	assert_int_equal(assay_erofs_ops.nodes->extents(fs, ROOT, &e, &n, &err), -1);
	says(&err, ASSAY_E_NOTFOUND, "inode 1 is no file");
	assay_erofs_ops.free(fs);
}

/* --- what is refused ---- */

static void test_super(void **state)
{
	static const struct {
		uint32_t bit;
		const char *text;
	} features[] = {
		{ 0x80, "48-bit block addresses" },
		{ 0x100, "metabox" },
		{ 0x200, "unknown incompatible features of erofs: 0x200" },
		{ 0x80000000, "0x80000000" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		make();
		assay_put_le32(image + 1104, features[i].bit);
		seal();
		open_fails(ASSAY_E_UNSUPPORTED, features[i].text);
	}
	/* One bit means a second compression as well as devices: their number tells. */
	make();
	assay_put_le32(image + 1104, 0x7f);
	seal();
	assay_src_free(&(struct assay_src *){ file("/file") });
	assay_put_le16(image + 1110, 2);
	seal();
	open_fails(ASSAY_E_UNSUPPORTED, "2 further devices (blobs)");
	make();
	image[1114] = 1;
	seal();
	open_fails(ASSAY_E_UNSUPPORTED, "directory blocks larger");

	for (unsigned bits = 0; bits < 40; bits++) {
		if (bits >= 9 && bits <= 16)
			continue;
		make();
		image[1036] = (uint8_t)bits;
		open_fails(ASSAY_E_CORRUPT, "erofs blocks of 2^");
	}
	for (size_t at = 1024; at < 1024 + BLOCK; at++) {
		make();
		image[at] ^= 1;
		if (at < 1028 || at == 1032 || at == 1036)
			continue; /* the magic, whether there is a checksum, and its extent */
		if ((at >= 1105 && at <= 1107) || at == 1114)
			continue; /* refused before */
		open_fails(ASSAY_E_CORRUPT, "the superblock's checksum is 0x");
	}
	/* Without the feature nobody looks. */
	make();
	image[1032] = 0;
	image[1028] ^= 1;
	assay_src_free(&(struct assay_src *){ file("/file") });

	make();
	image_size = SIZE - 1;
	open_fails(ASSAY_E_CORRUPT,
		   "cut short: its superblock tells of 32768 bytes, there are 32767");
	make();
	assay_put_le16(image + 1038, 65535);
	seal();
	file_fails("/file", ASSAY_E_CORRUPT, "inode 65535 lies outside the filesystem");
	make();
	assay_put_le32(image + 1064, UINT32_MAX);
	seal();
	file_fails("/file", ASSAY_E_CORRUPT, "inode 1 lies outside the filesystem");
}

static void test_cut_short(void **state)
{
	struct assay_erofs_super sb;
	struct assay_erofs_inode inode;
	struct assay_err err;

	(void)state;
	make();
	for (size_t n = 0; n <= 128; n++) {
		const int rc =
			assay_erofs_parse_super(assay_cur_make(image + 1024, n, 1024), &sb, &err);

		assert_int_equal(rc, n < 128 ? -1 : 0);
		if (rc < 0)
			says(&err, ASSAY_E_CORRUPT, "erofs superblock cut short");
	}
	extended(30, PLAIN, S_IFREG, 1, 1);
	for (size_t n = 0; n <= 64; n++) {
		const struct assay_cur small = assay_cur_make(inode_at(18), n, 0);
		const struct assay_cur large = assay_cur_make(inode_at(30), n, 0);

		assert_int_equal(assay_erofs_parse_inode(small, 0, &inode, &err), n < 32 ? -1 : 0);
		assert_int_equal(assay_erofs_parse_inode(large, 0, &inode, &err), n < 64 ? -1 : 0);
	}
	/* Whole images: they are told apart, or named. */
	for (size_t n = 1; n < SIZE; n += n < 2048 ? 1 : 100) {
		struct assay_fs *fs = NULL;

		image_size = n;
		assert_int_equal(open_image(&fs, &err), -1);
		assert_null(fs);
	}
	/* The compact inode ends the image; the extended one would leave it. */
	make();
	image_size = SIZE;
	for (int large = 0; large < 2; large++) {
		const uint64_t nid = (SIZE - META) / 32 - 1;

		if (large)
			assay_put_le16(compact(nid, 1, S_IFREG, 0, 0), 1);
		else
			compact(nid, PLAIN, S_IFREG, 0, 0);
		assay_put_le64(inode_at(ROOT) + 32, nid);
		if (large)
			file_fails("/file", ASSAY_E_CORRUPT, "erofs inode cut short");
		else
			assay_src_free(&(struct assay_src *){ file("/file") });
	}
}

static void test_bad_inodes(void **state)
{
	(void)state;
	for (unsigned format = 0; format < 0x10000; format += 2) {
		if (format <= CHUNKS)
			continue;
		if (format > 0x40 && (format & (format - 1)))
			continue;
		make();
		assay_put_le16(inode_at(18), (uint16_t)format);
		file_fails("/file", ASSAY_E_UNSUPPORTED, "inode 18: unknown inode format 0x");
	}
	for (unsigned type = 0; type < 16; type++) {
		if (type == 1 || type == 2 || type == 4 || type == 6 || type == 8 || type == 10 ||
		    type == 12)
			continue;
		make();
		assay_put_le16(inode_at(18) + 4, (uint16_t)(type << 12));
		file_fails("/file", ASSAY_E_CORRUPT, "inode 18: file type 0");
	}
	make();
	extended(18, PLAIN, S_IFREG, 1ULL << 63, 0);
	file_fails("/file", ASSAY_E_CORRUPT, "a size of 9223372036854775808 bytes");
	make();
	extended(18, PLAIN, S_IFREG, INT64_MAX, 0);
	file_fails("/file", ASSAY_E_CORRUPT, "leave what holds it");
	/* The last byte of the image, and one more. */
	make();
	compact(18, PLAIN, S_IFREG, BLOCK, N_BLOCKS - 1);
	assay_src_free(&(struct assay_src *){ file("/file") });
	compact(18, PLAIN, S_IFREG, BLOCK + 1, N_BLOCKS - 1);
	file_fails("/file", ASSAY_E_CORRUPT, "leave what holds it");

	/* A tail that fills its block, and one byte more: inode 18 is 64 bytes into a block. */
	make();
	compact(18, INLINE, S_IFREG, BLOCK - 96, 0);
	assay_src_free(&(struct assay_src *){ file("/file") });
	compact(18, INLINE, S_IFREG, BLOCK - 95, 0);
	file_fails("/file", ASSAY_E_CORRUPT, "data beside the inode crosses the end of a block");

	/* Somebody's entry says a file, and it is a directory. */
	make();
	compact(18, PLAIN, S_IFDIR, 0, 0);
	file_fails("/file", ASSAY_E_NOTFOUND, "/file: not a file");
}

static void test_compressed(void **state)
{
	static const struct {
		uint8_t advise, algorithm, bits;
		const char *text;
	} files[] = {
		{ 0, 0, 0, "compressed with LZ4; erofs is read uncompressed only" },
		{ 0, 1, 0, "compressed with LZMA;" },
		{ 0, 2, 0, "compressed with deflate;" },
		{ 0, 0x23, 0, "compressed with zstd;" },
		{ 0, 4, 0, "compressed with an unknown algorithm;" },
		{ 8, 0, 0, "compressed with LZ4, its tail beside the inode;" },
		{ 0x20, 0, 0, "its tail packed with others (fragments);" },
		{ 0x10, 0, 0, "parts of clusters;" },
		{ 0, 0, 0x80, "compressed, and packed with others (fragments);" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		for (unsigned layout = 1; layout <= 3; layout += 2) {
			make();
			uint8_t *p = compact(18, layout << 1, S_IFREG, 700, 30);

			p[36] = files[i].advise;
			p[38] = files[i].algorithm;
			p[39] = files[i].bits;
			file_fails("/file", ASSAY_E_UNSUPPORTED, files[i].text);
			/* It is listed all the same. */
			ASSAY_AUTO(assay_fs) *fs = must_open();
			struct assay_fs_stat st;
			struct assay_err err;

			assert_int_equal(assay_fs_lstat(fs, "/file", &st, &err), 0);
			assert_int_equal(st.size, 700);
		}
	}
}

static void test_bad_chunks(void **state)
{
	uint8_t *p;

	(void)state;
	for (unsigned bit = 6; bit < 16; bit++) {
		make();
		compact(18, CHUNKS, S_IFREG, 10, 1U << bit);
		file_fails("/file", ASSAY_E_UNSUPPORTED, "unknown chunk format 0x");
	}
	make();
	p = compact(18, CHUNKS, S_IFREG, 10, 0x20);
	p[34] = 1;
	file_fails("/file", ASSAY_E_UNSUPPORTED, "chunk 0 lies on device 1 (a blob)");
	make();
	p = compact(18, CHUNKS, S_IFREG, 10, 0);
	assay_put_le32(p + 32, N_BLOCKS);
	file_fails("/file", ASSAY_E_CORRUPT, "leave what holds it");
	/* The table fills the image to its end, and does not. */
	for (uint64_t more = 0; more < 2; more++) {
		const uint64_t nid = (SIZE - META) / 32 - 4;

		make();
		p = extended(nid, CHUNKS, S_IFREG, (16 + more) * BLOCK, 0);
		memset(p + 64, 0xff, 64);
		assay_put_le64(inode_at(ROOT) + 32, nid);
		if (more)
			file_fails("/file", ASSAY_E_CORRUPT, "a table of 17 chunks leaves");
		else
			assay_src_free(&(struct assay_src *){ file("/file") });
	}
}

static void test_bad_names(void **state)
{
	uint8_t *first, *second;

	(void)state;
#define AGAIN()                                                                                    \
	make();                                                                                    \
	first = image + 20 * BLOCK;                                                                \
	second = inode_at(ROOT) + 32
	AGAIN();
	memcpy(second + 24, "filefile", 8);
	list_fails(ASSAY_E_CORRUPT, "inode 1: a directory's names do not ascend at 'file'");
	AGAIN();
	memcpy(second + 24, "dir\xff", 4);
	memcpy(first + 36 + 3, "dir\xff\xff", 5);
	list_fails(ASSAY_E_CORRUPT, "names do not ascend");
	AGAIN();
	second[25] = '/';
	list_fails(ASSAY_E_CORRUPT, "a name with a NUL or '/'");
	AGAIN();
	second[25] = 0;
	list_fails(ASSAY_E_CORRUPT, "a name with a NUL or '/'");
	AGAIN();
	second[28] = 0;
	list_fails(ASSAY_E_CORRUPT, "a name of 0 bytes");
	AGAIN();
	assay_put_le16(second + 20, 24);
	list_fails(ASSAY_E_CORRUPT, "name at byte 24 of 32, after one at 24");
	AGAIN();
	assay_put_le16(second + 20, 33);
	list_fails(ASSAY_E_CORRUPT, "name at byte 33 of 32, after one at 24");
	AGAIN();
	assay_put_le16(second + 20, 32);
	list_fails(ASSAY_E_CORRUPT, "a name of 0 bytes");
	for (unsigned off = 0; off < 40; off++) {
		if (off == 12 || off == 24)
			continue;
		AGAIN();
		assay_put_le16(second + 8, (uint16_t)off);
		list_fails(ASSAY_E_CORRUPT, "a directory's first name at byte");
	}
	/* Every cut of the directory: its last name may get shorter, nothing else is possible. */
	for (uint32_t size = BLOCK + 1; size < BLOCK + 32; size++) {
		AGAIN();
		assay_put_le32(inode_at(ROOT) + 8, size);
		if (size <= BLOCK + 28)
			list_fails(ASSAY_E_CORRUPT, "inode 1: a");
	}
#undef AGAIN
	/* 255 bytes, and one more. */
	for (unsigned len = 255; len <= 256; len++) {
		make();
		compact(ROOT, PLAIN, S_IFDIR, BLOCK, 20);
		uint8_t *p = image + 20 * BLOCK;

		memset(p, 0, BLOCK);
		assay_put_le64(p, 18);
		assay_put_le16(p + 8, 12);
		memset(p + 12, 'n', len);
		if (len > 255) {
			list_fails(ASSAY_E_CORRUPT, "a name of 256 bytes");
			continue;
		}
		ASSAY_AUTO(assay_fs) *fs = must_open();
		struct assay_dir dir;
		struct assay_err err;

		assert_int_equal(assay_fs_list(fs, "/", &dir, &err), 0);
		/* Without a type in the entry, the inode's. */
		assert_int_equal(dir.e[0].kind, ASSAY_FS_FILE);
		assert_int_equal(strlen(dir.e[0].name), 255);
		assay_dir_clear(&dir);
	}
}

static void test_links(void **state)
{
	struct assay_err err;
	char *target = NULL;

	(void)state;
	for (uint32_t len = ASSAY_FS_MAX_PATH - 1; len <= ASSAY_FS_MAX_PATH + 1; len++) {
		make();
		compact(19, PLAIN, S_IFLNK, len, 40);
		memset(image + 40 * BLOCK, 'l', len);
		ASSAY_AUTO(assay_fs) *fs = must_open();

		if (len <= ASSAY_FS_MAX_PATH) {
			assert_int_equal(assay_fs_readlink(fs, "/link", &target, &err), 0);
			assert_int_equal(strlen(target), len);
			free(target);
		} else {
			assert_int_equal(assay_fs_readlink(fs, "/link", &target, &err), -1);
			says(&err, ASSAY_E_LIMIT, "4097 bytes, limit 4096");
		}
	}
	make();
	inode_at(19)[34] = 0;
	ASSAY_AUTO(assay_fs) *fs = must_open();
	assert_int_equal(assay_fs_readlink(fs, "/link", &target, &err), -1);
	says(&err, ASSAY_E_CORRUPT, "inode 19: a NUL in a symbolic link's target");
}

/* --- ceilings ---- */

static void test_many_chunks(void **state)
{
	struct assay_err err;

	(void)state;
	for (uint64_t n = ASSAY_SRC_MAX_EXTENTS - 1; n <= ASSAY_SRC_MAX_EXTENTS + 1; n++) {
		make();
		image = realloc(image, SIZE + 4 * n);
		assert_non_null(image);
		image_size = SIZE + 4 * n;
		extended((SIZE - META) / 32 - 2, CHUNKS, S_IFREG, n * BLOCK, 0);
		assay_put_le64(inode_at(ROOT) + 32, (SIZE - META) / 32 - 2);
		/* No two beside each other. */
		for (uint64_t i = 0; i < n; i++)
			assay_put_le32(image + SIZE + 4 * i, i % 2 ? 41 : 40);
		memset(image + 40 * BLOCK, 'x', BLOCK);
		memset(image + 41 * BLOCK, 'y', BLOCK);
		if (n <= ASSAY_SRC_MAX_EXTENTS) {
			ASSAY_AUTO(assay_src) *src = file("/file");

			assert_int_equal(assay_src_size(src), n * BLOCK);
			is_all(src, (n - 1) * BLOCK, BLOCK, (n - 1) % 2 ? 'y' : 'x');
			continue;
		}
		ASSAY_AUTO(assay_fs) *fs = must_open();
		struct assay_src *src;

		assert_int_equal(assay_fs_file(fs, "/file", &src, NULL, &err), -1);
		says(&err, ASSAY_E_LIMIT, "4194305 chunks, limit 4194304");
	}
}

static void test_many_names(void **state)
{
	/* 26 names of six letters to each block of 512 bytes. */
	const uint32_t per_block = 26;

	(void)state;
	for (uint32_t n = ASSAY_FS_MAX_ENTRIES; n <= ASSAY_FS_MAX_ENTRIES + 1; n++) {
		const uint32_t blocks = (n + per_block - 1) / per_block;
		struct assay_dir dir;
		struct assay_err err;

		make();
		image_size = SIZE + (size_t)blocks * BLOCK;
		image = realloc(image, image_size);
		assert_non_null(image);
		memset(image + SIZE, 0, image_size - SIZE);
		compact(ROOT, PLAIN, S_IFDIR, blocks * BLOCK, N_BLOCKS);
		for (uint32_t b = 0; b < blocks; b++) {
			uint8_t *p = image + SIZE + (size_t)b * BLOCK;
			const uint32_t here = b + 1 < blocks ? per_block : n - b * per_block;
			size_t used = 12 * here;

			for (uint32_t i = 0; i < here; i++) {
				char name[16];

				snprintf(name, sizeof(name), "%07x", b * per_block + i);
				entry(p, i, 18, 1, name, &used);
			}
		}
		ASSAY_AUTO(assay_fs) *fs = must_open();

		if (n <= ASSAY_FS_MAX_ENTRIES) {
			assert_int_equal(assay_fs_list(fs, "/", &dir, &err), 0);
			assert_int_equal(dir.n, n);
			assert_string_equal(dir.e[n - 1].name, "00fffff");
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
	make();
	uint8_t *p = compact(18, CHUNKS, S_IFREG, 8 * BLOCK, 0);
	for (unsigned i = 0; i < 8; i++)
		assay_put_le32(p + 32 + 4 * i, 50 - i);
	compact(19, PLAIN, S_IFLNK, 8, 45);
	memcpy(image + 45 * BLOCK, "dir/none", 8);
	/* Inode 19 moves out of the table's way. */
	memcpy(inode_at(24), inode_at(19), 32);
	for (unsigned i = 0; i < 8; i++)
		assay_put_le32(p + 32 + 4 * i, 50 - i);
	assay_put_le64(inode_at(ROOT) + 32 + 12, 24);
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
		cmocka_unit_test(test_tree),	   cmocka_unit_test(test_inodes),
		cmocka_unit_test(test_contents),   cmocka_unit_test(test_extents),
		cmocka_unit_test(test_super),	   cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_bad_inodes), cmocka_unit_test(test_compressed),
		cmocka_unit_test(test_bad_chunks), cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_links),	   cmocka_unit_test(test_many_chunks),
		cmocka_unit_test(test_many_names), cmocka_unit_test(test_out_of_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, teardown);
}
