/* SPDX-License-Identifier: Apache-2.0 */
/* FAT volumes written byte by byte. What mtools and mkfs.vfat write is in tests/cli/disk.bats. */
#include "tests/unit/fat_image.h"

#include "core/limits.h"
#include "measure/fs/fat.h"

static int open_image(const struct fat_image *f, struct assay_fs **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	assert_int_equal(assay_src_from_mem(f->p, f->size, &src, err), 0);
	return assay_fs_open(src, ret, err);
}

static struct assay_fs *must_open(const struct fat_image *f)
{
	struct assay_fs *fs = NULL;
	struct assay_err err;

	if (open_image(f, &fs, &err) < 0)
		fail_msg("%s", err.msg);
	return fs;
}

static void says(const struct assay_err *err, enum assay_code code, const char *text)
{
	if (!strstr(err->msg, text))
		fail_msg("'%s' is not in '%s'", text, err->msg);
	assert_int_equal(err->code, code);
}

static void file_fails(struct assay_fs *fs, const char *path, enum assay_code code,
		       const char *text)
{
	struct assay_src *src = (struct assay_src *)fs;
	char *spelled = (char *)fs;
	struct assay_err err;

	assert_int_equal(assay_fs_file(fs, path, &src, &spelled, &err), -1);
	assert_ptr_equal(src, fs);
	assert_ptr_equal(spelled, fs);
	says(&err, code, text);
}

static void list_fails(struct assay_fs *fs, const char *path, enum assay_code code,
		       const char *text)
{
	struct assay_dir dir = { .n = 77 };
	struct assay_err err;

	assert_int_equal(assay_fs_list(fs, path, &dir, &err), -1);
	assert_int_equal(dir.n, 77);
	says(&err, code, text);
}

/* The file is found, is spelled so on the disk, and starts with this byte (0: it is empty). */
static void is_file(struct assay_fs *fs, const char *path, const char *spelled, uint8_t first)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE char *name = NULL;
	struct assay_err err;
	uint8_t b;

	if (assay_fs_file(fs, path, &src, &name, &err) < 0)
		fail_msg("%s: %s", path, err.msg);
	assert_string_equal(name, spelled);
	if (first == 0) {
		assert_int_equal(assay_src_size(src), 0);
		return;
	}
	assert_int_equal(assay_src_read(src, 0, &b, 1, &err), 0);
	assert_int_equal(b, first);
}

static void done(struct fat_image *f, struct assay_fs *fs)
{
	assay_fs_free(&fs);
	free(f->p);
}

/* --- contents ---- */

static void test_files(void **state)
{
	(void)state;
	for (unsigned bits = 12; bits <= 32; bits += bits == 12 ? 4 : 16) {
		struct fat_image f = fat_make(bits);
		/* Pieces of all kinds: beside each other, backwards, across the FAT's middle. */
		static const uint32_t scattered[] = {
			10, 11, 12, 340, 341, 342, 20, 19, 18, 399, 0
		};
		const uint32_t size = 9 * 512 + 100;
		ASSAY_AUTO(assay_src) *src = NULL;
		struct assay_err err;
		uint8_t got[10 * 512], want[10 * 512];

		for (int i = 0; i < 10; i++) {
			memset(fat_cluster(&f, scattered[i]), i + 1, 512);
			memset(want + 512 * i, i + 1, 512);
		}
		fat_chain(&f, scattered);
		fat_put(&f, fat_root(&f, 0), "LABEL      ", 0x08, 0, 0);
		fat_put(&f, fat_root(&f, 1), "SCATTER BIN", 0x20, 10, size);
		fat_put(&f, fat_root(&f, 2), "EMPTY      ", 0x20, 0, 0);
		fat_put(&f, fat_root(&f, 3), "FULL    BIN", 0x20, 10, 10 * 512);
		fat_put(&f, fat_root(&f, 4), "SHORTER BIN", 0x20, 10, 512); /* than its chain */

		struct assay_fs *fs = must_open(&f);
		assert_string_equal(assay_fs_name(fs), bits == 12   ? "FAT12"
						       : bits == 16 ? "FAT16"
								    : "FAT32");
		assert_int_equal(assay_fat_sector_size(fs), 512);
		assert_int_equal(assay_fs_file(fs, "/SCATTER.BIN", &src, NULL, &err), 0);
		assert_int_equal(assay_src_size(src), size);
		assert_int_equal(assay_src_read(src, 0, got, size, &err), 0);
		assert_memory_equal(got, want, size);
		/* Errors point into the image. */
		assert_int_equal(assay_src_origin(src, 4 * 512 + 3),
				 (size_t)(fat_cluster(&f, 341) + 3 - f.p));
		assay_src_free(&src);
		assert_int_equal(assay_fs_file(fs, "/FULL.BIN", &src, NULL, &err), 0);
		assert_int_equal(assay_src_read(src, 0, got, sizeof(got), &err), 0);
		assert_memory_equal(got, want, sizeof(want));
		is_file(fs, "/EMPTY", "/EMPTY", 0);
		is_file(fs, "/SHORTER.BIN", "/SHORTER.BIN", 1);
		file_fails(fs, "/LABEL", ASSAY_E_NOTFOUND, "no such file: /LABEL");
		done(&f, fs);
	}
}

/* A chain that leaves the window of the FAT kept in memory, there and back. */
static void test_window(void **state)
{
	struct fat_image f = fat_make(32);

	(void)state;
	FAT_CHAIN(&f, 8191, 8192, 65601, 8190, 16384, 5);
	*fat_cluster(&f, 8191) = 1;
	fat_put(&f, fat_root(&f, 0), "A          ", 0x20, 8191, 6 * 512);
	fat_put(&f, fat_root(&f, 1), "B          ", 0x20, 8191, 6 * 512 + 1);
	struct assay_fs *fs = must_open(&f);
	is_file(fs, "/A", "/A", 1);
	file_fails(fs, "/B", ASSAY_E_CORRUPT, "file /B: cluster chain ends after 6 of 7 clusters");
	done(&f, fs);
}

static void test_directories(void **state)
{
	(void)state;
	for (unsigned bits = 12; bits <= 32; bits += bits == 12 ? 4 : 16) {
		struct fat_image f = fat_make(bits);
		struct assay_dir dir;
		struct assay_err err;

		/* /EFI in two clusters, /EFI/boot, a file there. */
		FAT_CHAIN(&f, 30, 33);
		FAT_CHAIN(&f, 40);
		FAT_CHAIN(&f, 50);
		*fat_cluster(&f, 50) = 'M';
		fat_put(&f, fat_root(&f, 0), "EFI        ", 0x10, 30, 0);
		fat_put(&f, fat_cluster(&f, 30), ".          ", 0x10, 30, 0);
		fat_put(&f, fat_cluster(&f, 30) + 32, "..         ", 0x10, 0, 0);
		for (int i = 2; i < 16; i++)
			fat_put(&f, fat_cluster(&f, 30) + 32 * i,
				"\xe5"
				"BOOT      ",
				0x10, 40, 0);
		fat_put(&f, fat_cluster(&f, 33), "BOOT       ", 0x10, 40, 0);
		fat_put(&f, fat_cluster(&f, 33) + 32, "EMPTY   TXT", 0x20, 0, 0);
		fat_put(&f, fat_cluster(&f, 40), ".          ", 0x10, 40, 0);
		fat_put(&f, fat_cluster(&f, 40) + 32, "..         ", 0x10, 30, 0);
		fat_put_ascii(&f, fat_cluster(&f, 40) + 64, "Bootx64.efi", "BOOTX64 EFI", 0x20, 50,
			      2);

		struct assay_fs *fs = must_open(&f);
		is_file(fs, "/EFI/BOOT/BOOTX64.EFI", "/EFI/BOOT/Bootx64.efi", 'M');
		is_file(fs, "//efi///boot/bootX64.Efi", "/EFI/BOOT/Bootx64.efi", 'M');
		assert_int_equal(assay_fs_list(fs, "/efi/", &dir, &err), 0);
		assert_int_equal(dir.n, 2);
		assert_string_equal(dir.e[0].name, "BOOT");
		assert_int_equal(dir.e[0].kind, ASSAY_FS_DIR);
		assert_string_equal(dir.e[1].name, "EMPTY.TXT");
		assert_int_equal(dir.e[1].kind, ASSAY_FS_FILE);
		assay_dir_clear(&dir);
		assert_int_equal(assay_fs_list(fs, "/", &dir, &err), 0);
		assert_int_equal(dir.n, 1);
		assay_dir_clear(&dir);
		assert_int_equal(assay_fs_list(fs, "/efi/boot", &dir, &err), 0);
		assert_int_equal(dir.e[0].size, 2);
		assay_dir_clear(&dir);

		file_fails(fs, "EFI", ASSAY_E_USAGE, "does not start with '/'");
		file_fails(fs, "/", ASSAY_E_NOTFOUND, "/: is a directory");
		file_fails(fs, "/EFI", ASSAY_E_NOTFOUND, "/EFI: is a directory");
		file_fails(fs, "/EFI/NIX", ASSAY_E_NOTFOUND, "no such file: /EFI/NIX");
		file_fails(fs, "/EFI/BOOT/..", ASSAY_E_NOTFOUND, "no such file: /EFI/BOOT/..");
		file_fails(fs, "/./EFI", ASSAY_E_NOTFOUND, "no such file: /.");
		file_fails(fs, "/EFI/EMPTY.TXT/", ASSAY_E_NOTFOUND, "EMPTY.TXT: not a directory");
		file_fails(fs, "/EFI/EMPTY.TXT/X", ASSAY_E_NOTFOUND, "EMPTY.TXT: not a directory");
		list_fails(fs, "/EFI/EMPTY.TXT", ASSAY_E_NOTFOUND, "not a directory");
		list_fails(fs, "/NIX", ASSAY_E_NOTFOUND, "no such file");
		done(&f, fs);
	}
}

/* --- names ---- */

static void test_short_names(void **state)
{
	struct fat_image f = fat_make(16);

	(void)state;
	FAT_CHAIN(&f, 9);
	*fat_cluster(&f, 9) = 7;
#define SHORT(i_, name_, nt_)                                                                      \
	do {                                                                                       \
		fat_put(&f, fat_root(&f, i_), name_, 0x20, 9, 1);                                  \
		fat_root(&f, i_)[12] = nt_;                                                        \
	} while (0)
	SHORT(0, "ONE     TXT", 0x08);
	SHORT(1, "TWO     TXT", 0x10);
	SHORT(2, "THREE   TXT", 0x18);
	SHORT(3, "FOUR    TXT", 0x00);
	SHORT(4,
	      "\x05"
	      "IVE    TXT",
	      0x00);
	SHORT(5, "A B     TXT", 0x00);
	SHORT(6, "SIX     T  ", 0x00);
	SHORT(7, "\xc4\xd6\xdc        ", 0x00);
	SHORT(8,
	      "\xe5"
	      "OUR    TXT",
	      0x00);
	SHORT(9, "EIGHTCHREXT", 0x00);
	struct assay_fs *fs = must_open(&f);
	is_file(fs, "/One.Txt", "/one.TXT", 7);
	is_file(fs, "/two.TXT", "/TWO.txt", 7);
	is_file(fs, "/THREE.TXT", "/three.txt", 7);
	is_file(fs, "/four.txt", "/FOUR.TXT", 7);
	is_file(fs, "/\xc3\xa5IVE.TXT", "/\xc3\xa5IVE.TXT", 7); /* 0x05 stands for 0xe5 */
	is_file(fs, "/a b.txt", "/A B.TXT", 7);
	is_file(fs, "/six.t", "/SIX.T", 7);
	is_file(fs, "/\xc3\xa4\xc3\xb6\xc3\xbc", "/\xc3\x84\xc3\x96\xc3\x9c", 7);
	is_file(fs, "/eightchr.ext", "/EIGHTCHR.EXT", 7);
	file_fails(fs, "/\xc3\xa5OUR.TXT", ASSAY_E_NOTFOUND, "no such file");
	file_fails(fs, "/FOUR", ASSAY_E_NOTFOUND, "no such file");
	file_fails(fs, "/FOUR.TX", ASSAY_E_NOTFOUND, "no such file");
	file_fails(fs, "/FOURTXT", ASSAY_E_NOTFOUND, "no such file");
	file_fails(fs, "/FOUR    .TXT", ASSAY_E_NOTFOUND, "no such file");
	file_fails(fs, "/EIGHTCHREXT", ASSAY_E_NOTFOUND, "no such file");
	file_fails(fs, "/\xff", ASSAY_E_CORRUPT, "UTF-8");
	done(&f, fs);
}

static void test_long_names(void **state)
{
	struct fat_image f = fat_make(32);
	/* Ä, an o with a stroke that is Latin-1, Greek beta and sigma, a pair of surrogates */
	static const uint16_t foreign[] = { 0xc4, 0xf8, 0x3b2, 0x3c3, 0xd83d, 0xde00 };
	char max[256], path[300], name13[14] = "exactly13char";
	uint8_t *at;

	(void)state;
	FAT_CHAIN(&f, 2, 100, 101, 102, 103, 104); /* the root goes on behind */
	for (int i = 0; i < 5; i++)
		memset(fat_cluster(&f, 100 + i), 0xe5, 512);
	FAT_CHAIN(&f, 9);
	*fat_cluster(&f, 9) = 7;
	memset(max, 'm', 255);
	max[255] = '\0';
	at = fat_put_ascii(&f, fat_root(&f, 0), "A long name.efi", "ALONGN~1EFI", 0x20, 9, 1);
	at = fat_put_ascii(&f, at, name13, "EXACTL~1   ", 0x20, 9, 1);
	at = fat_put_long(&f, at, foreign, 6, "FOREIG~1   ", 0x20, 9, 1);
	for (; at < fat_root(&f, 16); at += 32)
		memset(at, 0xe5, 32);
	/* 255 units: twenty entries and the 8.3 one, over a cluster's edge. */
	(void)fat_put_ascii(&f, fat_cluster(&f, 100), max, "MMMMMM~1   ", 0x20, 9, 1);

	struct assay_fs *fs = must_open(&f);
	is_file(fs, "/a LONG name.EFI", "/A long name.efi", 7);
	is_file(fs, "/alongn~1.efi", "/A long name.efi", 7); /* by its 8.3 name */
	is_file(fs, "/EXACTLY13CHAR", "/exactly13char", 7);
	is_file(fs, "/\xc3\xa4\xc3\x98\xce\xb2\xcf\x83\xf0\x9f\x98\x80",
		"/\xc3\x84\xc3\xb8\xce\xb2\xcf\x83\xf0\x9f\x98\x80", 7);
	/* Beyond Latin-1, case counts: EDK2's collation folds no Greek. */
	file_fails(fs, "/\xc3\xa4\xc3\x98\xce\x92\xcf\x83\xf0\x9f\x98\x80", ASSAY_E_NOTFOUND,
		   "no such file");
	snprintf(path, sizeof(path), "/%s", max);
	is_file(fs, path, path, 7);
	file_fails(fs, "/ALONGN~1", ASSAY_E_NOTFOUND, "no such file");
	done(&f, fs);
}

/* Long names that do not belong to what follows: the 8.3 name counts. */
static void test_long_names_broken(void **state)
{
	static const uint16_t units[300] = { 'l', 'o', 'n', 'g' };
	const uint8_t sum = fat_sum("SHORT      ");

	(void)state;
#define LFN_CASE(found_, ...)                                                                      \
	do {                                                                                       \
		struct fat_image f = fat_make(12);                                                 \
		uint8_t *e = fat_root(&f, 0);                                                      \
		FAT_CHAIN(&f, 9);                                                                  \
		*fat_cluster(&f, 9) = 7;                                                           \
		__VA_ARGS__;                                                                       \
		struct assay_fs *fs = must_open(&f);                                               \
		is_file(fs, "/short", found_, 7);                                                  \
		if (strcmp(found_, "/SHORT") == 0)                                                 \
			file_fails(fs, "/long", ASSAY_E_NOTFOUND, "no such file");                 \
		done(&f, fs);                                                                      \
	} while (0)
#define PUT_SHORT(i_) fat_put(&f, e + 32 * (i_), "SHORT      ", 0x20, 9, 1)
	LFN_CASE("/long", fat_put_lfn(e, 0x41, sum, units, 4); PUT_SHORT(1));
	LFN_CASE("/SHORT", fat_put_lfn(e, 0x41, sum ^ 1, units, 4); PUT_SHORT(1));
	LFN_CASE("/SHORT", fat_put_lfn(e, 0x01, sum, units, 4); PUT_SHORT(1)); /* no last one */
	LFN_CASE("/SHORT", fat_put_lfn(e, 0x42, sum, units, 4); PUT_SHORT(1)); /* no first one */
	LFN_CASE("/SHORT", fat_put_lfn(e, 0x40, sum, units, 4); PUT_SHORT(1));
	LFN_CASE("/SHORT", fat_put_lfn(e, 0x41, sum, units, 4); e[26] = 1; PUT_SHORT(1));
	LFN_CASE("/SHORT", fat_put_lfn(e, 0x41, sum, units, 4); e[11] = 0x2f; PUT_SHORT(1));
	LFN_CASE("/SHORT", fat_put_lfn(e, 0x41, sum, units, 4); e[0] = 0xe5; PUT_SHORT(1));
	/* A deleted file, and an orphan, between the name and its entry. */
	LFN_CASE("/SHORT", fat_put_lfn(e, 0x41, sum, units, 4); e[32] = 0xe5; PUT_SHORT(2));
	LFN_CASE("/SHORT", fat_put_lfn(e, 0x41, sum, units, 4);
		 fat_put_lfn(e + 32, 0x41, 0, units, 4); PUT_SHORT(2));
	/* In the wrong order. */
	LFN_CASE("/SHORT", fat_put_lfn(e, 1, sum, units, 13);
		 fat_put_lfn(e + 32, 0x42, sum, units, 4); PUT_SHORT(2));
	/* An empty long name is none. */
	LFN_CASE("/SHORT", fat_put_lfn(e, 0x41, sum, units + 4, 0); PUT_SHORT(1));
	/* What stands before a complete name does not matter. */
	LFN_CASE("/long", fat_put_lfn(e, 0x42, 0, units, 4);
		 fat_put_lfn(e + 32, 0x41, sum, units, 4); PUT_SHORT(2));
	/* Twenty entries are a name, 21 are not. */
	for (int n = ASSAY_FAT_MAX_LFN_ENTRIES; n <= (int)ASSAY_FAT_MAX_LFN_ENTRIES + 1; n++) {
		struct fat_image f = fat_make(12);
		uint16_t full[13];
		struct assay_dir dir;
		struct assay_err err;

		for (int i = 0; i < 13; i++)
			full[i] = 'f';
		for (int i = n; i > 0; i--)
			fat_put_lfn(fat_root(&f, (unsigned)(n - i)),
				    (uint8_t)(i | (i == n ? 0x40 : 0)), sum, full, 13);
		fat_put(&f, fat_root(&f, (unsigned)n), "SHORT      ", 0x20, 9, 1);
		struct assay_fs *fs = must_open(&f);
		assert_int_equal(assay_fs_list(fs, "/", &dir, &err), 0);
		assert_int_equal(dir.n, 1);
		assert_int_equal(strlen(dir.e[0].name), n == ASSAY_FAT_MAX_LFN_ENTRIES ? 260 : 5);
		assay_dir_clear(&dir);
		done(&f, fs);
	}
}

/* The first match counts, by whichever name. */
static void test_first_match(void **state)
{
	struct fat_image f = fat_make(12);

	(void)state;
	FAT_CHAIN(&f, 9);
	FAT_CHAIN(&f, 10);
	*fat_cluster(&f, 9) = 1;
	*fat_cluster(&f, 10) = 2;
	uint8_t *at = fat_put_ascii(&f, fat_root(&f, 0), "other", "SAME       ", 0x20, 9, 1);
	(void)fat_put_ascii(&f, at, "same", "OTHER~1    ", 0x20, 10, 1);
	struct assay_fs *fs = must_open(&f);
	is_file(fs, "/same", "/other", 1);
	done(&f, fs);
}

static void test_odd_names(void **state)
{
	static const uint16_t slash[] = { 'a', '/', 'b' }, back[] = { 'a', '\\' }, esc[] = { 0x1b },
			      lone[] = { 'x', 0xd800 };

	(void)state;
	struct fat_image f = fat_make(12);
	(void)fat_put_long(&f, fat_root(&f, 0), slash, 3, "ODD        ", 0x20, 0, 0);
	struct assay_fs *fs = must_open(&f);
	list_fails(fs, "/", ASSAY_E_CORRUPT, "character 0x2f in its name");
	done(&f, fs);
	f = fat_make(12);
	(void)fat_put_long(&f, fat_root(&f, 0), back, 2, "ODD        ", 0x20, 0, 0);
	fs = must_open(&f);
	list_fails(fs, "/", ASSAY_E_CORRUPT, "character 0x5c in its name");
	done(&f, fs);
	f = fat_make(12);
	(void)fat_put_long(&f, fat_root(&f, 0), esc, 1, "ODD        ", 0x20, 0, 0);
	fs = must_open(&f);
	list_fails(fs, "/", ASSAY_E_CORRUPT, "character 0x1b in its name");
	done(&f, fs);
	f = fat_make(12);
	(void)fat_put_long(&f, fat_root(&f, 0), lone, 2, "ODD        ", 0x20, 0, 0);
	fs = must_open(&f);
	is_file(fs, "/odd", "/x\xef\xbf\xbd", 0);
	done(&f, fs);
}

/* --- chains ---- */

static void test_chains(void **state)
{
	(void)state;
	for (unsigned bits = 12; bits <= 32; bits += bits == 12 ? 4 : 16) {
		struct fat_image f = fat_make(bits);

		FAT_CHAIN(&f, 10, 11);
		fat_put(&f, fat_root(&f, 0), "SHORT      ", 0x20, 10, 1025);
		fat_set(&f, 12, 12);
		fat_put(&f, fat_root(&f, 1), "SELF       ", 0x20, 12, 1024);
		FAT_CHAIN(&f, 20, 21, 22, 23);
		fat_set(&f, 23, 21);
		fat_put(&f, fat_root(&f, 2), "LOOP       ", 0x20, 20, 100 * 512);
		/* Too short for a walk to come round, long enough to use a cluster twice. */
		fat_put(&f, fat_root(&f, 3), "LOOPCUT    ", 0x20, 20, 5 * 512);
		fat_put(&f, fat_root(&f, 4), "LOOPFIT    ", 0x20, 20, 4 * 512);
		*fat_cluster(&f, 20) = 4;

		struct assay_fs *fs = must_open(&f);
		file_fails(fs, "/short", ASSAY_E_CORRUPT,
			   "file /SHORT: cluster chain ends after 2 of 3 clusters");
		file_fails(fs, "/self", ASSAY_E_CORRUPT, "cluster chain from 12 loops");
		file_fails(fs, "/loop", ASSAY_E_CORRUPT, "cluster chain from 20 loops");
		file_fails(fs, "/loopcut", ASSAY_E_CORRUPT, "cluster chain from 20 loops");
		is_file(fs, "/loopfit", "/LOOPFIT", 4);
		done(&f, fs);
	}
}

static void test_chain_ends(void **state)
{
	(void)state;
	for (unsigned bits = 12; bits <= 32; bits += bits == 12 ? 4 : 16) {
		struct fat_image f = fat_make(bits);
		const uint32_t last = f.n_clusters + 1;
		char text[80];

		fat_set(&f, 30, FAT_BAD);
		fat_put(&f, fat_root(&f, 5), "BAD        ", 0x20, 30, 1024);
		for (unsigned i = 0; i < 5; i++)
			fat_put(&f, fat_root(&f, i), "\xe5          ", 0x20, 0, 0);
		fat_put(&f, fat_root(&f, 6), "FREE       ", 0x20, 31, 1024);
		fat_set(&f, 32, last + 1);
		fat_put(&f, fat_root(&f, 7), "BEYOND     ", 0x20, 32, 1024);
		fat_set(&f, 33, last);
		*fat_cluster(&f, 33) = 9;
		fat_put(&f, fat_root(&f, 8), "LAST       ", 0x20, 33, 1024);
		fat_put(&f, fat_root(&f, 9), "NOWHERE    ", 0x20, 0, 1);
		fat_put(&f, fat_root(&f, 10), "ONE        ", 0x20, 1, 1);
		fat_put(&f, fat_root(&f, 11), "HUGE       ", 0x20, 10, 0xffffffff);
		fat_set(&f, 40, 41);
		fat_set(&f, 41, 40);
		memset(fat_cluster(&f, 40), 0xe5, 1024);
		fat_put(&f, fat_root(&f, 12), "DIRLOOP    ", 0x10, 40, 0);
		fat_put(&f, fat_root(&f, 13), "DIRZERO    ", 0x10, 0, 0);
		fat_put(&f, fat_root(&f, 14), "DIRFREE    ", 0x10, 31, 0);
		memset(fat_cluster(&f, 31), 0xe5, 512);

		struct assay_fs *fs = must_open(&f);
		file_fails(fs, "/bad", ASSAY_E_CORRUPT, "leads to a bad cluster");
		file_fails(fs, "/free", ASSAY_E_CORRUPT, "leads to cluster 0, there are 2 to");
		snprintf(text, sizeof(text), "leads to cluster %u, there are 2 to %u", last + 1,
			 last);
		file_fails(fs, "/beyond", ASSAY_E_CORRUPT, text);
		is_file(fs, "/last", "/LAST", 9);
		file_fails(fs, "/nowhere", ASSAY_E_CORRUPT, "leads to cluster 0");
		file_fails(fs, "/one", ASSAY_E_CORRUPT, "leads to cluster 1");
		file_fails(fs, "/huge", ASSAY_E_CORRUPT, "size 4294967295 needs 8388608 clusters");
		list_fails(fs, "/dirloop", ASSAY_E_CORRUPT, "cluster chain from 40 loops");
		file_fails(fs, "/dirloop/x", ASSAY_E_CORRUPT, "directory /DIRLOOP: cluster chain");
		list_fails(fs, "/dirzero", ASSAY_E_CORRUPT, "starts at cluster 0");
		list_fails(fs, "/dirfree", ASSAY_E_CORRUPT, "leads to cluster 0");
		done(&f, fs);
	}
}

static void test_label_as_end(void **state)
{
	struct fat_image f = fat_make(12);

	(void)state;
	fat_put(&f, fat_root(&f, 0), "\0ABEL      ", 0x08, 0, 0);
	fat_put(&f, fat_root(&f, 1), "HIDDEN     ", 0x20, 0, 0);
	struct assay_fs *fs = must_open(&f);
	list_fails(fs, "/", ASSAY_E_CORRUPT, "ends in an entry marked as volume label");
	done(&f, fs);
}

/* --- ceilings ---- */

static void test_directory_ceiling(void **state)
{
	const uint32_t clusters = ASSAY_FAT_MAX_DIR_ENTRIES / 16;

	(void)state;
	for (uint32_t extra = 0; extra < 2; extra++) {
		struct fat_image f = fat_make(32);
		struct assay_dir dir;
		struct assay_err err;

		fat_put(&f, fat_root(&f, 0), "BIG        ", 0x10, 100, 0);
		for (uint32_t i = 0; i < clusters + extra; i++) {
			fat_set(&f, 100 + i, i + 1 < clusters + extra ? 101 + i : FAT_EOC);
			memset(fat_cluster(&f, 100 + i), 0xe5, 512);
		}
		fat_put(&f, fat_cluster(&f, 100 + clusters) - 32, "FINAL      ", 0x20, 0, 0);
		struct assay_fs *fs = must_open(&f);
		if (extra == 0) {
			assert_int_equal(assay_fs_list(fs, "/big", &dir, &err), 0);
			assert_int_equal(dir.n, 1);
			assay_dir_clear(&dir);
			is_file(fs, "/big/final", "/BIG/FINAL", 0);
		} else {
			list_fails(fs, "/big", ASSAY_E_LIMIT,
				   "directory of more than 65536 entries");
		}
		done(&f, fs);
	}
}

static void test_runs_ceiling(void **state)
{
	struct fat_image f = fat_make_sized(32, 512, 2 * ASSAY_FAT_MAX_RUNS + 100);

	(void)state;
	/* Every second cluster: as many runs as clusters. */
	for (uint32_t i = 0; i <= ASSAY_FAT_MAX_RUNS; i++)
		fat_set(&f, 5 + 2 * i, 7 + 2 * i);
	*fat_cluster(&f, 5) = 1;
	fat_put(&f, fat_root(&f, 0), "FITS       ", 0x20, 5, ASSAY_FAT_MAX_RUNS * 512);
	fat_put(&f, fat_root(&f, 1), "MORE       ", 0x20, 5, ASSAY_FAT_MAX_RUNS * 512 + 1);
	fat_put(&f, fat_root(&f, 2), "LESS       ", 0x20, 5, ASSAY_FAT_MAX_RUNS * 512 - 512);
	struct assay_fs *fs = must_open(&f);
	is_file(fs, "/less", "/LESS", 1);
	is_file(fs, "/fits", "/FITS", 1);
	file_fails(fs, "/more", ASSAY_E_LIMIT, "file in more than 262144 pieces");
	done(&f, fs);
}

static void test_path_ceilings(void **state)
{
	struct fat_image f = fat_make(12);
	char path[ASSAY_FS_MAX_PATH + 2] = "";
	struct assay_dir dir;
	struct assay_err err;

	(void)state;
	/* A directory that holds itself. */
	FAT_CHAIN(&f, 9);
	fat_put(&f, fat_root(&f, 0), "D          ", 0x10, 9, 0);
	fat_put(&f, fat_cluster(&f, 9), "D          ", 0x10, 9, 0);
	struct assay_fs *fs = must_open(&f);
	for (unsigned i = 0; i < ASSAY_FS_MAX_DEPTH; i++)
		strcat(path, "/D");
	assert_int_equal(assay_fs_list(fs, path, &dir, &err), 0);
	assay_dir_clear(&dir);
	strcat(path, "/D");
	list_fails(fs, path, ASSAY_E_LIMIT, "more than 64 components");

	memset(path, '/', ASSAY_FS_MAX_PATH);
	path[ASSAY_FS_MAX_PATH] = '\0';
	assert_int_equal(assay_fs_list(fs, path, &dir, &err), 0);
	assay_dir_clear(&dir);
	path[ASSAY_FS_MAX_PATH] = '/';
	path[ASSAY_FS_MAX_PATH + 1] = '\0';
	list_fails(fs, path, ASSAY_E_LIMIT, "path of 4097 bytes");
	done(&f, fs);
}

/* --- the boot sector ---- */

static void bpb_fails(struct fat_image f, enum assay_code code, uint64_t at, const char *text)
{
	struct assay_fs *fs = (struct assay_fs *)&f;
	struct assay_err err;

	assert_int_equal(open_image(&f, &fs, &err), -1);
	assert_ptr_equal(fs, &f);
	says(&err, code, text);
	assert_int_equal(err.at, at);
	free(f.p);
}

static void test_bpb(void **state)
{
	struct fat_image f;

	(void)state;
#define BPB(bits_, code_, at_, text_, ...)                                                         \
	do {                                                                                       \
		f = fat_make(bits_);                                                               \
		memcpy(f.p + (bits_ == 32 ? 82 : 54), bits_ == 32 ? "FAT32   " : "FAT16   ", 8);   \
		__VA_ARGS__;                                                                       \
		bpb_fails(f, code_, at_, text_);                                                   \
	} while (0)
	BPB(16, ASSAY_E_CORRUPT, 0, "without a jump", f.p[0] = 0);
	BPB(16, ASSAY_E_CORRUPT, 510, "end mark", f.p[511] = 0);
	BPB(16, ASSAY_E_CORRUPT, 11, "sector size 256", assay_put_le16(f.p + 11, 256));
	BPB(16, ASSAY_E_CORRUPT, 11, "sector size 0", assay_put_le16(f.p + 11, 0));
	BPB(16, ASSAY_E_CORRUPT, 11, "sector size 513", assay_put_le16(f.p + 11, 513));
	BPB(16, ASSAY_E_CORRUPT, 11, "sector size 8192", assay_put_le16(f.p + 11, 8192));
	BPB(16, ASSAY_E_CORRUPT, 13, "0 sectors in a cluster", f.p[13] = 0);
	BPB(16, ASSAY_E_CORRUPT, 13, "3 sectors in a cluster", f.p[13] = 3);
	BPB(16, ASSAY_E_CORRUPT, 14, "without reserved", assay_put_le16(f.p + 14, 0));
	BPB(16, ASSAY_E_CORRUPT, 16, "without a FAT", f.p[16] = 0);
	BPB(16, ASSAY_E_CORRUPT, 17, "without root directory", assay_put_le16(f.p + 17, 0));
	BPB(16, ASSAY_E_CORRUPT, 21, "media byte 0xf7", f.p[21] = 0xf7);
	BPB(16, ASSAY_E_CORRUPT, 32, "of no sectors", assay_put_le16(f.p + 19, 0));
	BPB(16, ASSAY_E_CORRUPT, 32, "bytes in", assay_put_le16(f.p + 19, 0xffff));
	BPB(16, ASSAY_E_CORRUPT, 32, "bytes in", f.size--);
	BPB(16, ASSAY_E_CORRUPT, 22, "leave no room", assay_put_le16(f.p + 22, 0xffff));
	BPB(16, ASSAY_E_CORRUPT, 22, "too small for", assay_put_le16(f.p + 22, 8));
	BPB(16, ASSAY_E_CORRUPT, 32, "without a cluster",
	    assay_put_le16(f.p + 19, (uint16_t)(f.data_off / 512)));
	BPB(16, ASSAY_E_CORRUPT, 22, "more than 65524", assay_put_le16(f.p + 19, 0);
	    assay_put_le32(f.p + 32, 70000); f.p = realloc(f.p, 70000 * 512); f.size = 70000 * 512);
	BPB(32, ASSAY_E_CORRUPT, 36, "FAT of size 0", assay_put_le32(f.p + 36, 0));
	BPB(32, ASSAY_E_CORRUPT, 17, "FAT32 with 1 root", assay_put_le16(f.p + 17, 1));
	BPB(32, ASSAY_E_UNSUPPORTED, 42, "version 0x0001", f.p[42] = 1);
	BPB(32, ASSAY_E_UNSUPPORTED, 40, "mirroring off (FAT 1 is active)", f.p[40] = 0x81);
	BPB(32, ASSAY_E_CORRUPT, 44, "root directory at cluster 1", assay_put_le32(f.p + 44, 1));
	BPB(32, ASSAY_E_CORRUPT, 44, "root directory at cluster 65602",
	    assay_put_le32(f.p + 44, f.n_clusters + 2));
	BPB(32, ASSAY_E_CORRUPT, 36, "too small for", assay_put_le32(f.p + 36, 8));
	f = fat_make_sized(32, 512, 65524);
	bpb_fails(f, ASSAY_E_UNSUPPORTED, 36, "FAT32 with 65524 clusters, fewer than 65525");
}

/* Where the types meet (FAT specification, 3.5), and each sector size. */
static void test_types(void **state)
{
	static const struct {
		unsigned bits;
		uint32_t clusters;
		const char *name;
	} rows[] = {
		{ 12, 1, "FAT12" },	{ 12, 4084, "FAT12" },	{ 16, 4085, "FAT16" },
		{ 16, 65524, "FAT16" }, { 32, 65525, "FAT32" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fat_image f = fat_make_sized(rows[i].bits, 512, rows[i].clusters);
		struct assay_fs *fs = must_open(&f);

		assert_string_equal(assay_fs_name(fs), rows[i].name);
		done(&f, fs);
	}
	for (uint32_t sector = 512; sector <= 4096; sector *= 2) {
		struct fat_image f = fat_make_sized(16, sector, 5000);
		struct assay_fs *fs;

		FAT_CHAIN(&f, 7, 5001);
		*fat_cluster(&f, 7) = 3;
		fat_put(&f, fat_root(&f, 0), "FILE       ", 0x20, 7, sector + 1);
		fs = must_open(&f);
		assert_int_equal(assay_fat_sector_size(fs), sector);
		is_file(fs, "/file", "/FILE", 3);
		done(&f, fs);
	}
}

static void test_boot_sector_cut(void **state)
{
	struct fat_image f = fat_make(16);
	struct assay_fat_bpb bpb, untouched;
	struct assay_err err;

	(void)state;
	memset(&bpb, 0x5a, sizeof(bpb));
	untouched = bpb;
	for (size_t n = 0; n < 512; n++) {
		assert_int_equal(assay_fat_parse_bpb(assay_cur_make(f.p, n, 0), f.size, &bpb, &err),
				 -1);
		says(&err, ASSAY_E_CORRUPT, "FAT boot sector cut short");
		assert_memory_equal(&bpb, &untouched, sizeof(bpb));
	}
	assert_int_equal(assay_fat_parse_bpb(assay_cur_make(f.p, 512, 0), f.size, &bpb, &err), 0);
	free(f.p);
}

/* A volume cut off anywhere is refused at once. */
static void test_volume_cut(void **state)
{
	struct fat_image f = fat_make(12);

	(void)state;
	for (size_t n = 0; n < f.size; n += 97) {
		struct fat_image cut = f;
		struct assay_fs *fs = NULL;
		struct assay_err err;

		cut.size = n;
		assert_int_equal(open_image(&cut, &fs, &err), -1);
	}
	free(f.p);
}

static void other(size_t off, const void *magic, size_t len, const char *text)
{
	struct fat_image f = { .p = calloc(1, 70000), .size = 70000 };

	memcpy(f.p + off, magic, len);
	bpb_fails(f, ASSAY_E_UNSUPPORTED, 0, text);
}

static void test_other_filesystems(void **state)
{
	struct fat_image f = { .p = calloc(1, 1), .size = 0 };

	(void)state;
	bpb_fails(f, ASSAY_E_CORRUPT, 0, "it is empty");
	other(0, "", 0, "unknown filesystem: it starts with zeros");
	other(5, "x", 1, "unknown filesystem");
	other(0, "LUKS\xba\xbe", 6, "unsupported: this is an encrypted filesystem (LUKS)");
	other(0, "\xeb\x58\x90-FVE-FS-", 11, "an encrypted filesystem (BitLocker)");
	other(0, "\xeb\x52\x90NTFS    ", 11, "unsupported: this is NTFS");
	other(0,
	      "\xeb\x76\x90"
	      "EXFAT   ",
	      11, "unsupported: this is exFAT");
	other(1080, "\x53\xef", 2, "ext2, ext3 or ext4");
	other(0, "sqsh", 4, "squashfs of a big-endian machine");
	other(0, "XFSB", 4, "XFS");
	other(65600, "_BHRfS_M", 8, "btrfs");
	other(0, "verity\0\0", 8, "a dm-verity hash tree");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_files),
	cmocka_unit_test(test_window),
	cmocka_unit_test(test_directories),
	cmocka_unit_test(test_short_names),
	cmocka_unit_test(test_long_names),
	cmocka_unit_test(test_long_names_broken),
	cmocka_unit_test(test_first_match),
	cmocka_unit_test(test_odd_names),
	cmocka_unit_test(test_chains),
	cmocka_unit_test(test_chain_ends),
	cmocka_unit_test(test_label_as_end),
	cmocka_unit_test(test_directory_ceiling),
	cmocka_unit_test(test_runs_ceiling),
	cmocka_unit_test(test_path_ceilings),
	cmocka_unit_test(test_bpb),
	cmocka_unit_test(test_types),
	cmocka_unit_test(test_boot_sector_cut),
	cmocka_unit_test(test_volume_cut),
	cmocka_unit_test(test_other_filesystems),
};

UNIT_MAIN(tests)
