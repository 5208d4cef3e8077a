/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Initrds in memory: framing, what the kernel makes of members that touch each other, and each thing that is refused.
 * Other readers of the same archives: tests/cli/initrd.bats.
 */
#include "measure/initrd/initrd.h"
#include "core/limits.h"
#include "measure/initrd/cpio.h"
#include "measure/initrd/report.h"
#include "precompute/cpio.h"
#include "tests/unit/alloc.h"
#include "tests/unit/cpio_build.h"

#include <zlib.h>

static int read_opts(const void *p, size_t n, const struct assay_initrd_opts *opts,
		     struct assay_initrd **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	assert_int_equal(assay_src_from_mem(p, n, &src, err), 0);
	return assay_initrd_read(src, opts, ret, err);
}

static struct assay_initrd *read_str(const struct assay_str *s)
{
	struct assay_initrd *in = NULL;
	struct assay_err err;

	assert_false(s->bad);
	if (read_opts(s->p, s->len, NULL, &in, &err) < 0)
		fail_msg("%s", err.msg);
	return in;
}

/* Reading fails with this code, these words, at this byte. */
static void refused(const struct assay_str *s, enum assay_code code, uint64_t at, const char *words)
{
	struct assay_initrd *in = NULL;
	struct assay_err err;

	assert_int_equal(read_opts(s->p, s->len, NULL, &in, &err), -1);
	if (err.code != code || !strstr(err.msg, words) || err.at != at)
		fail_msg("code %d at %lld: %s", (int)err.code, (long long)err.at, err.msg);
	assert_null(in);
}

static char *mtree(const struct assay_initrd *in)
{
	struct assay_initrd_list list;
	struct assay_str s = { 0 };
	struct assay_err err;

	assert_int_equal(assay_initrd_files(in, &list, &err), 0);
	assert_int_equal(assay_initrd_mtree(&list, &s, &err), 0);
	assay_initrd_list_clear(&list);
	return assay_str_steal(&s);
}

#define HELLO "sha256=5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
#define EMPTY "sha256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void is_tree(const struct assay_str *s, const char *expected)
{
	ASSAY_AUTO(assay_initrd) *in = read_str(s);
	char *text = mtree(in);

	assert_string_equal(text, expected);
	free(text);
}

static void gzip(struct assay_str *out, const void *p, size_t n)
{
	uLong bound = compressBound(n) + 64;
	uint8_t *buf = malloc(bound);
	z_stream z = { 0 };

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)p;
	z.avail_in = (uInt)n;
	z.next_out = buf;
	z.avail_out = (uInt)bound;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	assay_str_add_n(out, buf, bound - z.avail_out);
	deflateEnd(&z);
	free(buf);
}

/* --- framing ------------------------------------------------------------------------------------ */

static void test_plain(void **state)
{
	struct assay_str s = { 0 };

	(void)state;
	cpio_add(&s, ".", .mode = S_IFDIR | 0755);
	cpio_add(&s, "etc", .mode = S_IFDIR | 0755, .uid = 1, .gid = 2, .mtime = 77);
	cpio_add(&s, "etc/hello", "hello\n", .mode = S_IFREG | 04711);
	cpio_add(&s, "etc/empty");
	cpio_add(&s, "etc/a b#\n", "hello\n");
	cpio_add(&s, "link", "etc/hello", .mode = S_IFLNK | 0777);
	cpio_add(&s, "null", .mode = S_IFCHR | 0666, .rmajor = 1, .rminor = 3);
	cpio_add(&s, "disk", .mode = S_IFBLK | 0660, .rmajor = 8);
	cpio_add(&s, "pipe", .mode = S_IFIFO | 0600);
	cpio_add(&s, "sock", .mode = S_IFSOCK | 0600);
	cpio_trailer(&s);
	is_tree(&s, ". uid=0 gid=0 mode=0755 type=dir\n"
		    "./disk uid=0 gid=0 mode=0660 type=block device=linux,8,0\n"
		    "./etc uid=1 gid=2 mode=0755 type=dir\n"
		    "./etc/a\\040b\\043\\012 uid=0 gid=0 mode=0644 type=file size=6 " HELLO "\n"
		    "./etc/empty uid=0 gid=0 mode=0644 type=file size=0 " EMPTY "\n"
		    "./etc/hello uid=0 gid=0 mode=04711 type=file size=6 " HELLO "\n"
		    "./link uid=0 gid=0 mode=0777 type=link link=etc/hello\n"
		    "./null uid=0 gid=0 mode=0666 type=char device=linux,1,3\n"
		    "./pipe uid=0 gid=0 mode=0600 type=fifo\n"
		    "./sock uid=0 gid=0 mode=0600 type=socket\n");
	assay_str_clear(&s);
}

static void test_archives(void **state)
{
	struct assay_str s = { 0 }, inner = { 0 };

	(void)state;
	/* plain, trailer, zeros; plain without trailer; packed, zeros of any length; packed; plain */
	cpio_add(&s, "kernel", .mode = S_IFDIR | 0755);
	cpio_add(&s, "kernel/x86", .mode = S_IFDIR | 0755);
	cpio_add(&s, "kernel/x86/microcode", .mode = S_IFDIR | 0755);
	cpio_add(&s, "kernel/x86/microcode/GenuineIntel.bin", "code");
	cpio_trailer(&s);
	const size_t first = s.len;
	assay_str_add_n(&s, "\0\0\0\0\0\0\0\0", 8);
	cpio_add(&s, "a", "hello\n");
	const size_t second = s.len;
	cpio_add(&inner, "b", "hello\n");
	cpio_trailer(&inner);
	cpio_add(&inner, "c", "hello\n");
	cpio_trailer(&inner);
	assay_str_add_n(&inner, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
	gzip(&s, inner.p, inner.len);
	const size_t third = s.len;
	assay_str_add_n(&s, "\0\0\0", 3);
	gzip(&s, inner.p, inner.len);
	const size_t fourth = s.len;
	cpio_pad(&s, 0);
	const size_t fifth = s.len;
	cpio_add(&s, "kernel/x86/microcode/late", "x");
	ASSAY_AUTO(assay_initrd) *in = read_str(&s);

	assert_int_equal(in->n_archives, 5);
	const struct assay_initrd_archive *a = in->archives;
	assert_int_equal(a[0].offset, 0);
	assert_int_equal(a[0].size, first);
	assert_true(a[0].early);
	assert_int_equal(a[0].trailers, 1);
	assert_int_equal(a[0].members, 4);
	assert_int_equal(a[1].offset, first + 8);
	assert_int_equal(a[1].size, second - first - 8);
	assert_false(a[1].early);
	assert_int_equal(a[1].trailers, 0);
	assert_int_equal(a[2].offset, second);
	assert_int_equal(a[2].size, third - second);
	assert_int_equal(a[2].codec, ASSAY_CODEC_GZIP);
	assert_int_equal(a[2].unpacked, inner.len);
	assert_int_equal(a[2].members, 2);
	assert_int_equal(a[2].trailers, 2);
	assert_int_equal(a[3].offset, third + 3);
	assert_int_equal(a[3].size, fourth - third - 3);
	assert_int_equal(a[4].offset, fifth);
	assert_int_equal(a[4].size, s.len - fifth);
	assert_false(a[4].early); /* behind packed ones nobody looks for it */
	assert_int_equal(in->unpacked, 2 * inner.len);
	assay_str_clear(&inner);
	assay_str_clear(&s);
}

static void test_framing_refused(void **state)
{
	struct assay_str s = { 0 }, inner = { 0 };

	(void)state;
	refused(&s, ASSAY_E_CORRUPT, 0, "no archive");
	assay_str_add_n(&s, "\0\0\0\0", 4);
	refused(&s, ASSAY_E_CORRUPT, 0, "no archive");
	assay_str_add(&s, "junk");
	refused(&s, ASSAY_E_CORRUPT, 4, "neither a cpio header nor");
	assay_str_clear(&s);
	/* A header at an odd place: between archives, and within one. */
	assay_str_add_n(&s, "\0", 1);
	cpio_add(&s, "a");
	refused(&s, ASSAY_E_CORRUPT, 1, "neither");
	assay_str_clear(&s);
	cpio_add(&s, "a");
	assay_str_add_n(&s, "\0\0", 2);
	const size_t odd = s.len;
	cpio_add_at(&s, odd, (struct cpio_member){ "b" });
	refused(&s, ASSAY_E_CORRUPT, odd, "no multiple of 4");
	assay_str_clear(&s);
	/* Something packed at an odd place behind a plain archive, which the kernel calls broken padding. */
	cpio_add(&inner, "b");
	cpio_add(&s, "a");
	assay_str_add_n(&s, "\0", 1);
	gzip(&s, inner.p, inner.len);
	refused(&s, ASSAY_E_CORRUPT, s.len - (s.len - odd + 1), "no multiple of 4");
	assay_str_clear(&s);
	/* Packed: junk behind the members, a member cut short, nothing, zeros first. */
	assay_str_add(&inner, "x");
	gzip(&s, inner.p, inner.len);
	refused(&s, ASSAY_E_CORRUPT, 0, "unpacked byte 112: no cpio header");
	assay_str_clear(&s);
	gzip(&s, inner.p, 100);
	refused(&s, ASSAY_E_CORRUPT, 0, "header cut short: 10 more");
	assay_str_clear(&s);
	gzip(&s, "", 0);
	refused(&s, ASSAY_E_CORRUPT, 0, "nothing in it");
	assay_str_clear(&s);
	gzip(&s, "\0\0\0\0", 4);
	refused(&s, ASSAY_E_CORRUPT, 0, "no cpio header");
	assay_str_clear(&s);
	assay_str_clear(&inner);
}

/* Two streams that share a member: libraries read on, the kernel does not. */
static void test_split_member(void **state)
{
	struct assay_str s = { 0 }, inner = { 0 };

	(void)state;
	cpio_add(&inner, "a", "hello\n");
	gzip(&s, inner.p, 60);
	gzip(&s, inner.p + 60, inner.len - 60);
	refused(&s, ASSAY_E_CORRUPT, 0, "cut short");
	assay_str_clear(&s);
	assay_str_clear(&inner);
}

static void test_every_cut(void **state)
{
	struct assay_str s = { 0 };
	size_t whole = 0;

	(void)state;
	cpio_add(&s, "d", .mode = S_IFDIR | 0755);
	const size_t one = s.len;
	cpio_add(&s, "d/f", "hello");
	const size_t data_end = s.len - 3, two = s.len;
	cpio_add(&s, "l", "target", .mode = S_IFLNK | 0777);
	const size_t link_end = s.len - 2, three = s.len;
	for (size_t n = 1; n < s.len; n++) {
		struct assay_initrd *in = NULL;
		struct assay_err err;
		const bool good = n == one || (n >= data_end && n <= two) || n >= link_end;

		uint8_t *copy = malloc(n); /* the end is watched by sanitizers */
		memcpy(copy, s.p, n);
		assert_int_equal(read_opts(copy, n, NULL, &in, &err), good ? 0 : -1);
		free(copy);
		whole += good;
		if (!good)
			assert_int_equal(err.code, ASSAY_E_CORRUPT);
		assay_initrd_free(&in);
	}
	assert_true(whole >= 6 && three == s.len);
	assay_str_clear(&s);
}

/* Bytes in pieces of any size come to the same. */
static int no_begin(void *arg, const struct assay_cpio_header *h, const char *name, const char *target,
		    uint64_t at, struct assay_err *err)
{
	(void)err;
	assay_str_add(arg, "%s %s %u %llu;", name, target ? target : "-", h->size, (unsigned long long)at);
	return 0;
}
static int no_data(void *arg, const uint8_t *p, size_t n, struct assay_err *err)
{
	(void)err;
	assay_str_add_n(arg, p, n);
	return 0;
}
static int no_end(void *arg, struct assay_err *err)
{
	(void)err;
	assay_str_add(arg, ".");
	return 0;
}

static void test_pieces(void **state)
{
	struct assay_str s = { 0 };
	char *first = NULL;

	(void)state;
	cpio_add(&s, "d", .mode = S_IFDIR | 0755);
	cpio_add(&s, "d/f", "hello");
	cpio_add(&s, "l", "target", .mode = S_IFLNK | 0777);
	cpio_trailer(&s);
	assay_str_add_n(&s, "\0\0\0\0", 4);
	cpio_add(&s, "sum", "\1\2\3", .magic = "070702", .check = 6);
	for (size_t step = 1; step <= s.len; step++) {
		struct assay_str told = { 0 };
		const struct assay_cpio_sink sink = { &told, no_begin, no_data, no_end };
		struct assay_cpio *c = malloc(sizeof(*c));
		struct assay_err err;

		assay_cpio_init(c, &sink);
		for (size_t at = 0; at < s.len; at += step) {
			const size_t n = s.len - at < step ? s.len - at : step;
			size_t used;

			assert_int_equal(assay_cpio_feed(c, (uint8_t *)s.p + at, n, &used, &err), 0);
			assert_int_equal(used, n);
		}
		assert_int_equal(assay_cpio_finish(c, &err), 0);
		free(c);
		if (!first)
			first = strdup(told.p);
		assert_string_equal(told.p, first);
		assay_str_clear(&told);
	}
	assert_string_equal(first, "d - 0 0;.d/f - 5 112;hello.l target 6 236;.TRAILER!!! - 0 356;.sum - 3 484;\1\2\3.");
	free(first);
	assay_str_clear(&s);
}

/* --- headers ------------------------------------------------------------------------------------ */

static void test_header(void **state)
{
	struct assay_cpio_header h;
	struct assay_str s = { 0 };
	struct assay_err err;

	(void)state;
	assay_str_add(&s, "070701" "00000001" "000081A4" "00000003" "00000004" "00000005" "0000000a" "ffffffff"
			  "00000007" "00000008" "00000009" "0000000B" "0000000c" "0000000D");
	assert_int_equal(s.len, ASSAY_CPIO_HEADER);
	assert_int_equal(assay_cpio_parse_header(assay_cur_make(s.p, s.len, 0), &h, &err), 0);
	assert_int_equal(h.ino, 1);
	assert_int_equal(h.mode, 0100644);
	assert_int_equal(h.uid, 3);
	assert_int_equal(h.gid, 4);
	assert_int_equal(h.nlink, 5);
	assert_int_equal(h.mtime, 10);
	assert_int_equal(h.size, UINT32_MAX);
	assert_int_equal(h.major, 7);
	assert_int_equal(h.minor, 8);
	assert_int_equal(h.rmajor, 9);
	assert_int_equal(h.rminor, 11);
	assert_int_equal(h.name_size, 12);
	assert_int_equal(h.check, 13);
	assert_false(h.summed);
	for (size_t n = 0; n < ASSAY_CPIO_HEADER; n++) {
		assert_int_equal(assay_cpio_parse_header(assay_cur_make(s.p, n, 0), &h, &err), -1);
		assert_non_null(strstr(err.msg, "cut short"));
	}
	/* Each digit of each field, replaced by what strtoul() would take or stop at. */
	for (size_t i = 6; i < ASSAY_CPIO_HEADER; i++) {
		static const char bad[] = " xg-+/:@`\0G";

		for (size_t b = 0; b < sizeof(bad) - 1; b++) {
			const char was = s.p[i];

			s.p[i] = bad[b];
			assert_int_equal(assay_cpio_parse_header(assay_cur_make(s.p, s.len, 1000), &h, &err), -1);
			assert_int_equal(err.code, ASSAY_E_CORRUPT);
			assert_int_equal(err.at, 1000 + 6 + (i - 6) / 8 * 8);
			s.p[i] = was;
		}
	}
	s.p[5] = '7';
	assert_int_equal(assay_cpio_parse_header(assay_cur_make(s.p, s.len, 0), &h, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	s.p[5] = '3';
	assert_int_equal(assay_cpio_parse_header(assay_cur_make(s.p, s.len, 0), &h, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	assay_str_clear(&s);
}

static void one(struct assay_str *s, struct cpio_member m, enum assay_code code, const char *words)
{
	assay_str_clear(s);
	cpio_add_at(s, 0, m);
	refused(s, code, 0, words);
	assay_str_clear(s);
}

static void test_members_refused(void **state)
{
	struct assay_str s = { 0 };

	(void)state;
	cpio_add(&s, "a");
	memcpy(s.p + 94, "00000000", 8);
	refused(&s, ASSAY_E_CORRUPT, 0, "without a name");
	one(&s, (struct cpio_member){ "abc", .name_size = 3 }, ASSAY_E_CORRUPT, "without its NUL");
	one(&s, (struct cpio_member){ "a", .name_size = 6 }, ASSAY_E_UNSUPPORTED, "NUL within its name");
	one(&s, (struct cpio_member){ "a", "x", .mode = S_IFDIR | 0755 }, ASSAY_E_UNSUPPORTED, "passes over it");
	one(&s, (struct cpio_member){ "a", "x", .mode = S_IFCHR | 0755 }, ASSAY_E_UNSUPPORTED, "passes over it");
	one(&s, (struct cpio_member){ "a", .mode = 0x10000 | S_IFREG }, ASSAY_E_UNSUPPORTED, "16 bits");
	one(&s, (struct cpio_member){ "a", .mode = S_IFLNK }, ASSAY_E_CORRUPT, "link to nothing");
	one(&s, (struct cpio_member){ "a", "x\0y", 3, .mode = S_IFLNK }, ASSAY_E_UNSUPPORTED, "NUL within a link");
	one(&s, (struct cpio_member){ "a", "\0", 1, .mode = S_IFLNK }, ASSAY_E_UNSUPPORTED, "NUL within a link");
	one(&s, (struct cpio_member){ "a", "abc", .magic = "070702", .check = 1 }, ASSAY_E_CORRUPT, "has the sum");
	one(&s, (struct cpio_member){ "a", .magic = "070702", .check = 1 }, ASSAY_E_CORRUPT, "has the sum");
	one(&s, (struct cpio_member){ "a", .magic = "070707" }, ASSAY_E_UNSUPPORTED, "old ASCII");
	/* the file size says more than there is */
	cpio_add(&s, "a", "x");
	memcpy(s.p + 54, "ffffffff", 8);
	refused(&s, ASSAY_E_CORRUPT, 0, "data cut short");
	assay_str_clear(&s);
}

static void refused_tree(const char *name, uint32_t mode, uint32_t uid, uint32_t rmajor, const char *words)
{
	struct assay_str s = { 0 };

	cpio_add(&s, name, .mode = mode, .uid = uid, .rmajor = rmajor);
	refused(&s, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, words);
	assay_str_clear(&s);
}

static void test_names_refused(void **state)
{
	(void)state;
	refused_tree("..", S_IFDIR, 0, 0, "\"..\"");
	refused_tree("a/../b", S_IFREG, 0, 0, "\"..\"");
	refused_tree("/..//b", S_IFREG, 0, 0, "\"..\"");
	refused_tree("a/", S_IFREG, 0, 0, "ends in a slash");
	refused_tree("a", S_IFREG, UINT32_MAX, 0, "owner of -1");
	refused_tree("a", S_IFCHR, 0, 0x1000, "device number");
}

static void test_names_taken(void **state)
{
	struct assay_str s = { 0 };

	(void)state;
	cpio_add(&s, "/d/", .mode = S_IFDIR | 0700);
	cpio_add(&s, "./d//...", "hello\n");
	cpio_add(&s, "/d/./x", "hello\n");
	cpio_add(&s, "dev/x", "hello\n"); /* the kernel has this folder of its own */
	is_tree(&s, "./d uid=0 gid=0 mode=0700 type=dir\n"
		    "./d/... uid=0 gid=0 mode=0644 type=file size=6 " HELLO "\n"
		    "./d/x uid=0 gid=0 mode=0644 type=file size=6 " HELLO "\n"
		    "./dev/x uid=0 gid=0 mode=0644 type=file size=6 " HELLO "\n");
	assay_str_clear(&s);
}

static void test_name_limit(void **state)
{
	char name[ASSAY_CPIO_MAX_NAME + 2];
	struct assay_str s = { 0 };
	const struct assay_cpio_sink sink = { &s, no_begin, no_data, no_end };
	struct assay_cpio *c = malloc(sizeof(*c));

	(void)state;
	/* The reader alone: 4096 bytes with the NUL, and one more. */
	for (size_t len = ASSAY_CPIO_MAX_NAME - 2; len <= ASSAY_CPIO_MAX_NAME; len++) {
		struct assay_str in = { 0 };
		struct assay_err err;
		size_t used;

		memset(name, 'n', len);
		name[len] = '\0';
		for (int link = 0; link < 2; link++) {
			cpio_add(&in, link ? "l" : name, link ? name : NULL, .mode = link ? S_IFLNK : 0);
			assay_cpio_init(c, &sink);
			/* a target has no NUL to count */
			const bool good = len < ASSAY_CPIO_MAX_NAME || link;
			assert_int_equal(assay_cpio_feed(c, (uint8_t *)in.p, in.len, &used, &err), good ? 0 : -1);
			assert_true(good || err.code == ASSAY_E_LIMIT);
			assay_str_clear(&in);
		}
	}
	memset(name, 'n', ASSAY_CPIO_MAX_NAME + 1);
	name[ASSAY_CPIO_MAX_NAME + 1] = '\0';
	assay_str_clear(&s);
	cpio_add(&s, "l", name, .mode = S_IFLNK);
	refused(&s, ASSAY_E_LIMIT, 0, "a symbolic link of 4097 bytes");
	assay_str_clear(&s);
	free(c);
}

/* --- what the kernel makes of it ---------------------------------------------------------------- */

static void test_later_wins(void **state)
{
	struct assay_str s = { 0 };
	size_t by;

	(void)state;
	cpio_add(&s, "a", "old");
	cpio_add(&s, "d", .mode = S_IFDIR | 0755);
	cpio_add(&s, "d", .mode = S_IFDIR | 0755);
	cpio_trailer(&s);
	cpio_add(&s, "a", "hello\n", .mode = S_IFREG | 0600);
	cpio_add(&s, "d", .mode = S_IFDIR | 0700, .uid = 5);
	cpio_add(&s, "x/y", "no folder");
	cpio_add(&s, "a/b", "a file is none");
	is_tree(&s, "./a uid=0 gid=0 mode=0600 type=file size=6 " HELLO "\n"
		    "./d uid=5 gid=0 mode=0700 type=dir\n");
	ASSAY_AUTO(assay_initrd) *in = read_str(&s);
	assert_string_equal(assay_initrd_fate(in, 0, &by), "replaced by a later member");
	assert_int_equal(by, 3);
	assert_string_equal(assay_initrd_fate(in, 1, &by), "replaced by a later member"); /* its mode is not its own */
	assert_null(assay_initrd_fate(in, 3, &by));
	assert_non_null(strstr(assay_initrd_fate(in, 5, &by), "no folder"));
	assert_non_null(strstr(assay_initrd_fate(in, 6, &by), "should be its folder"));
	assay_str_clear(&s);
}

static void test_kinds_change(void **state)
{
	struct assay_str s = { 0 };

	(void)state;
	/* A folder goes for a file only when it is empty; files and links go for anything. */
	cpio_add(&s, "full", .mode = S_IFDIR | 0755);
	cpio_add(&s, "full/x", "hello\n");
	cpio_add(&s, "empty", .mode = S_IFDIR | 0755);
	cpio_add(&s, "full", "no");
	cpio_add(&s, "empty", "hello\n");
	cpio_add(&s, "full", "nowhere", .mode = S_IFLNK | 0777, .uid = 9, .gid = 8);
	cpio_add(&s, "f", "file");
	cpio_add(&s, "f", "target", .mode = S_IFLNK | 0777);
	cpio_add(&s, "g", "target", .mode = S_IFLNK | 0777);
	cpio_add(&s, "g", "hello\n");
	cpio_add(&s, "h", "target", .mode = S_IFLNK | 0777);
	cpio_add(&s, "h", .mode = S_IFDIR | 0755);
	cpio_add(&s, "dev/console", .mode = S_IFCHR | 0666, .rmajor = 1, .rminor = 3);
	is_tree(&s, "./empty uid=0 gid=0 mode=0644 type=file size=6 " HELLO "\n"
		    "./f uid=0 gid=0 mode=0777 type=link link=target\n"
		    "./full uid=9 gid=8 mode=0755 type=dir\n"
		    "./full/x uid=0 gid=0 mode=0644 type=file size=6 " HELLO "\n"
		    "./g uid=0 gid=0 mode=0644 type=file size=6 " HELLO "\n"
		    "./h uid=0 gid=0 mode=0755 type=dir\n");
	assay_str_clear(&s);
}

static void test_through_links(void **state)
{
	struct assay_str s = { 0 };
	struct assay_err err;
	size_t member;

	(void)state;
	cpio_add(&s, "usr", .mode = S_IFDIR | 0755);
	cpio_add(&s, "usr/lib", .mode = S_IFDIR | 0755);
	cpio_add(&s, "lib", "usr/lib", .mode = S_IFLNK | 0777);
	cpio_add(&s, "usr/abs", "/lib", .mode = S_IFLNK | 0777);
	cpio_add(&s, "usr/up", "../usr/../lib/.", .mode = S_IFLNK | 0777);
	cpio_add(&s, "lib/a", "hello\n");
	cpio_add(&s, "usr/abs/b", "hello\n");
	cpio_add(&s, "usr/up/c", "hello\n");
	cpio_add(&s, "loop", "loop", .mode = S_IFLNK | 0777);
	cpio_add(&s, "loop/x", "lost");
	cpio_add(&s, "usr/lib/final", "../../lib/a", .mode = S_IFLNK | 0777);
	ASSAY_AUTO(assay_initrd) *in = read_str(&s);
	char *text = mtree(in);

	assert_non_null(strstr(text, "\n./usr/lib/a uid"));
	assert_non_null(strstr(text, "\n./usr/lib/b uid"));
	assert_non_null(strstr(text, "\n./usr/lib/c uid"));
	assert_null(strstr(text, "loop/x"));
	free(text);
	assert_int_equal(assay_initrd_find(in, "/lib/final", &member, &err), 0);
	assert_int_equal(member, 5);
	assert_int_equal(assay_initrd_find(in, "lib/../lib/b", &member, &err), 0);
	assert_int_equal(member, 6);
	assert_int_equal(assay_initrd_find(in, "usr", &member, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	assert_int_equal(assay_initrd_find(in, "loop", &member, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
	assay_str_clear(&s);
}

static void test_hard_links(void **state)
{
	struct assay_str s = { 0 };
	size_t by;

	(void)state;
	/* As GNU cpio writes them: the data with the last. */
	cpio_add(&s, "a", .ino = 7, .nlink = 3);
	cpio_add(&s, "b", .ino = 7, .nlink = 3);
	cpio_add(&s, "c", "hello\n", .ino = 7, .nlink = 3, .mode = S_IFREG | 0600);
	cpio_add(&s, "n1", .mode = S_IFCHR | 0600, .rmajor = 1, .ino = 9, .nlink = 2);
	cpio_add(&s, "n2", .mode = S_IFCHR | 0600, .rmajor = 1, .ino = 9, .nlink = 2);
	cpio_trailer(&s);
	/* Behind the trailer the same inode is another one. */
	cpio_add(&s, "d", "hello\n", .ino = 7, .nlink = 2);
	/* Its own name again: the kernel takes it away before it links to it. */
	cpio_add(&s, "d", "lost", .ino = 7, .nlink = 2);
	/* Data of a later link replace the first's; none leave them alone. */
	cpio_add(&s, "e", "first", .ino = 8, .nlink = 2);
	cpio_add(&s, "f", "hello\n", .ino = 8, .nlink = 2);
	cpio_add(&s, "g", .ino = 8, .nlink = 2, .mode = S_IFREG | 0700);
	/* And a file that is opened anew is emptied under all its names. */
	cpio_add(&s, "b", "bye");
	is_tree(&s,
		"./a uid=0 gid=0 mode=0644 type=file size=3 "
		"sha256=b49f425a7e1f9cff3856329ada223f2f9d368f15a00cf48df16ca95986137fe8 nlink=3\n"
		"./b uid=0 gid=0 mode=0644 type=file size=3 "
		"sha256=b49f425a7e1f9cff3856329ada223f2f9d368f15a00cf48df16ca95986137fe8 nlink=3\n"
		"./c uid=0 gid=0 mode=0644 type=file size=3 "
		"sha256=b49f425a7e1f9cff3856329ada223f2f9d368f15a00cf48df16ca95986137fe8 nlink=3\n"
		"./e uid=0 gid=0 mode=0700 type=file size=6 " HELLO " nlink=3\n"
		"./f uid=0 gid=0 mode=0700 type=file size=6 " HELLO " nlink=3\n"
		"./g uid=0 gid=0 mode=0700 type=file size=6 " HELLO " nlink=3\n"
		"./n1 uid=0 gid=0 mode=0600 type=char device=linux,1,0\n"
		"./n2 uid=0 gid=0 mode=0600 type=char device=linux,1,0\n");
	ASSAY_AUTO(assay_initrd) *in = read_str(&s);
	assert_non_null(strstr(assay_initrd_fate(in, 6, &by), "hard link to is gone"));
	assert_string_equal(assay_initrd_fate(in, 5, &by), "removed for a later member");
	assay_str_clear(&s);
}

static void test_bootconfig(void **state)
{
	static const char text[] = "kernel.foo = bar\n";
	struct assay_str s = { 0 };
	uint32_t sum = 0;
	uint8_t le[8];

	(void)state;
	for (size_t pad = 0; pad < 4; pad++) {
		sum = 0;
		for (const char *p = text; *p; p++)
			sum += (uint8_t)*p;
		cpio_add(&s, "a", "hello\n");
		const size_t at = s.len;
		assay_str_add(&s, "%s", text);
		assay_put_le32(le, (uint32_t)strlen(text));
		assay_put_le32(le + 4, sum);
		assay_str_add_n(&s, le, 8);
		assay_str_add(&s, "#BOOTCONFIG\n");
		assay_str_add_n(&s, "\0\0\0", pad);
		ASSAY_AUTO(assay_initrd) *in = read_str(&s);
		assert_true(in->has_bootconfig);
		assert_int_equal(in->bootconfig_offset, at);
		assert_int_equal(in->bootconfig_size, strlen(text));
		assert_string_equal(in->bootconfig, text);
		assert_int_equal(in->n_archives, 1);
		s.p[at] ^= 1;
		refused(&s, ASSAY_E_CORRUPT, at + strlen(text), "bootconfig: sum");
		s.p[at] ^= 1;
		s.p[at + strlen(text) + 1] = 1; /* longer than what is before it */
		refused(&s, ASSAY_E_CORRUPT, at + strlen(text), "bootconfig of");
		assay_str_clear(&s);
	}
}

/* --- the stub's own archives -------------------------------------------------------------------- */

static void test_stub_round_trip(void **state)
{
	const struct assay_cpio_file files[] = { { "os-release", "hello\n", 6 }, { "empty", "", 0 } };
	struct assay_str s = { 0 };
	struct assay_err err;

	(void)state;
	assert_int_equal(assay_cpio_append(&s, ".extra/deep", 0555, 0444, files, 2, &err), 0);
	is_tree(&s, "./.extra uid=0 gid=0 mode=0555 type=dir\n"
		    "./.extra/deep uid=0 gid=0 mode=0555 type=dir\n"
		    "./.extra/deep/empty uid=0 gid=0 mode=0444 type=file size=0 " EMPTY "\n"
		    "./.extra/deep/os-release uid=0 gid=0 mode=0444 type=file size=6 " HELLO "\n");
	ASSAY_AUTO(assay_initrd) *in = read_str(&s);
	assert_int_equal(in->n_archives, 1);
	assert_int_equal(in->archives[0].size, s.len);
	assert_int_equal(in->archives[0].trailers, 1);
	assay_str_clear(&s);
}

/* --- ceilings, memory --------------------------------------------------------------------------- */

static void test_unpacked_limit(void **state)
{
	struct assay_str s = { 0 }, inner = { 0 };
	struct assay_err err;

	(void)state;
	cpio_add(&inner, "a", "hello\n");
	gzip(&s, inner.p, inner.len);
	gzip(&s, inner.p, inner.len);
	for (int more = -1; more <= 1; more++) {
		const struct assay_initrd_opts opts = { .max_unpacked = 2 * inner.len + (size_t)more };
		struct assay_initrd *in = NULL;

		assert_int_equal(read_opts(s.p, s.len, &opts, &in, &err), more < 0 ? -1 : 0);
		if (more < 0)
			assert_int_equal(err.code, ASSAY_E_LIMIT);
		assay_initrd_free(&in);
	}
	assay_str_clear(&s);
	assay_str_clear(&inner);
}

static void test_members_limit(void **state)
{
	struct assay_str s = { 0 };
	struct assay_err err;
	struct assay_initrd *in = NULL;

	(void)state;
	cpio_add(&s, "d", .mode = S_IFDIR | 0755);
	const size_t one_len = s.len;
	char *many = malloc(one_len * (ASSAY_INITRD_MAX_MEMBERS + 1));
	assert_non_null(many);
	for (size_t i = 0; i <= ASSAY_INITRD_MAX_MEMBERS; i++)
		memcpy(many + i * one_len, s.p, one_len);
	assert_int_equal(read_opts(many, one_len * ASSAY_INITRD_MAX_MEMBERS, NULL, &in, &err), 0);
	assert_int_equal(in->n_members, ASSAY_INITRD_MAX_MEMBERS);
	assay_initrd_free(&in);
	assert_int_equal(read_opts(many, one_len * (ASSAY_INITRD_MAX_MEMBERS + 1), NULL, &in, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	free(many);
	assay_str_clear(&s);
}

static void test_archives_limit(void **state)
{
	struct assay_str s = { 0 };
	struct assay_err err;
	struct assay_initrd *in = NULL;

	(void)state;
	cpio_trailer(&s);
	const size_t one_len = s.len;
	char *many = malloc(one_len * (ASSAY_INITRD_MAX_ARCHIVES + 1));
	assert_non_null(many);
	for (size_t i = 0; i <= ASSAY_INITRD_MAX_ARCHIVES; i++)
		memcpy(many + i * one_len, s.p, one_len);
	assert_int_equal(read_opts(many, one_len * ASSAY_INITRD_MAX_ARCHIVES, NULL, &in, &err), 0);
	assert_int_equal(in->n_archives, ASSAY_INITRD_MAX_ARCHIVES);
	assay_initrd_free(&in);
	assert_int_equal(read_opts(many, one_len * (ASSAY_INITRD_MAX_ARCHIVES + 1), NULL, &in, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	free(many);
	assay_str_clear(&s);
}

static struct assay_str sample;

static int read_sample(struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_initrd_report) *r = NULL;
	ASSAY_AUTO(assay_json) *o = NULL;
	char *text = NULL;
	size_t len;

	if (assay_src_from_mem(sample.p, sample.len, &src, err) < 0 ||
	    assay_initrd_report_make(src, true, &r, err) < 0)
		return -1;
	o = assay_initrd_report_json(r, "6.1", true);
	if (assay_initrd_report_names(r, o, err) < 0)
		return -1;
	if (assay_json_dump(o, &text, &len, err) < 0)
		return -1;
	free(text);
	return 0;
}

static int read_no_digests(struct assay_err *err)
{
	const struct assay_initrd_opts opts = { .no_digests = true };
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_initrd) *in = NULL;
	struct assay_initrd_list list;

	if (assay_src_from_mem(sample.p, sample.len, &src, err) < 0 ||
	    assay_initrd_read(src, &opts, &in, err) < 0 || assay_initrd_files(in, &list, err) < 0)
		return -1;
	assay_initrd_list_clear(&list);
	return 0;
}

/* The names for facts, as text. */
static char *names_of(const struct assay_str *s)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_initrd_report) *r = NULL;
	ASSAY_AUTO(assay_json) *o = assay_json_object();
	struct assay_err err;
	char *text;
	size_t len;

	assert_int_equal(assay_src_from_mem(s->p, s->len, &src, &err), 0);
	assert_int_equal(assay_initrd_report_make(src, false, &r, &err), 0);
	assert_int_equal(assay_initrd_report_names(r, o, &err), 0);
	assert_int_equal(assay_json_dump(o, &text, &len, &err), 0);
	return text;
}

static void test_names_for_facts(void **state)
{
#define OF_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	static const char want[] = "{\n  \"names\": {\n"
				   "    \".\": {\n      \".\": \"dir\",\n      \"l\": \"link -> d/a b\"\n    },\n"
				   "    \"d\": {\n      \".\": \"dir mode=0700 uid=5\",\n"
				   "      \"a b\": \"" OF_ABC "\",\n"
				   "      \"c\": \"char mode=0600 device=5,1\",\n"
				   "      \"e\": \"mode=4755 gid=7 " OF_NOTHING "\",\n"
				   "      \"g\": \"nlink=2 " OF_ABC "\",\n      \"h\": \"nlink=2 " OF_ABC "\"\n    },\n"
				   "    \"d-\": {},\n    \"d/x\": {}\n  }\n}\n";
	struct assay_str s = { 0 };
	char *text;

	(void)state;
	cpio_add(&s, ".", .mode = S_IFDIR | 0755);
	cpio_add(&s, "d", .mode = S_IFDIR | 0700, .uid = 5);
	cpio_add(&s, "d/x", .mode = S_IFDIR | 0755);
	cpio_add(&s, "d-", .mode = S_IFDIR | 0755);
	cpio_add(&s, "d/a b", "abc");
	cpio_add(&s, "d/c", .mode = S_IFCHR | 0600, .rmajor = 5, .rminor = 1);
	cpio_add(&s, "d/e", .mode = S_IFREG | 04755, .gid = 7);
	cpio_add(&s, "d/g", .ino = 9, .nlink = 2);
	cpio_add(&s, "d/h", "abc", .ino = 9, .nlink = 2);
	cpio_add(&s, "l", "d/a b", .mode = S_IFLNK | 0777);
	cpio_trailer(&s);
	text = names_of(&s);
	assert_string_equal(text, want);
	free(text);
	assay_str_clear(&s);

	/* Two names that JSON could not tell apart, and a target. */
	cpio_add(&s, "a\xff", "abc");
	cpio_trailer(&s);
	text = names_of(&s);
	assert_string_equal(text, "{\n  \"names_left_out\": \"one is not UTF-8\"\n}\n");
	free(text);
	assay_str_clear(&s);
	cpio_add(&s, "a", "\xc3", .mode = S_IFLNK | 0777);
	cpio_trailer(&s);
	text = names_of(&s);
	assert_non_null(strstr(text, "UTF-8"));
	free(text);
	assay_str_clear(&s);
}

static void test_names_ceiling(void **state)
{
	(void)state;
	for (size_t n = ASSAY_INITRD_MAX_TOLD - 1; n <= ASSAY_INITRD_MAX_TOLD + 1; n++) {
		struct assay_str s = { 0 };

		for (size_t i = 0; i < n; i++) {
			char name[16];

			snprintf(name, sizeof(name), "%zu", i);
			cpio_add(&s, name, "abc");
		}
		cpio_trailer(&s);
		char *text = names_of(&s);
		assert_int_equal(strstr(text, "names_left_out") != NULL, n > ASSAY_INITRD_MAX_TOLD);
		assert_int_equal(strstr(text, "\"7\": \"" OF_ABC "\"") != NULL, n <= ASSAY_INITRD_MAX_TOLD);
		free(text);
		assay_str_clear(&s);
	}
}

static void test_memory(void **state)
{
	struct assay_str inner = { 0 };

	(void)state;
	cpio_add(&sample, "lib", .mode = S_IFDIR | 0755);
	cpio_add(&sample, "lib/modules", .mode = S_IFDIR | 0755);
	cpio_add(&sample, "lib/modules/6.1", .mode = S_IFDIR | 0755);
	cpio_add(&sample, "l", "lib/modules", .mode = S_IFLNK | 0755);
	cpio_add(&sample, "l/6.1/x.ko", "no module");
	cpio_add(&inner, "a", .ino = 7, .nlink = 2);
	cpio_add(&inner, "b", "hello\n", .ino = 7, .nlink = 2);
	cpio_add(&inner, "b", "again");
	gzip(&sample, inner.p, inner.len);
	unit_alloc_each(read_sample, false); /* OpenSSL keeps, and lets go of, some of its own */
	unit_alloc_each(read_no_digests, true);
	assay_str_clear(&sample);
	assay_str_clear(&inner);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_archives),
		cmocka_unit_test(test_framing_refused),
		cmocka_unit_test(test_split_member),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_members_refused),
		cmocka_unit_test(test_names_refused),
		cmocka_unit_test(test_names_taken),
		cmocka_unit_test(test_name_limit),
		cmocka_unit_test(test_later_wins),
		cmocka_unit_test(test_kinds_change),
		cmocka_unit_test(test_through_links),
		cmocka_unit_test(test_hard_links),
		cmocka_unit_test(test_bootconfig),
		cmocka_unit_test(test_stub_round_trip),
		cmocka_unit_test(test_unpacked_limit),
		cmocka_unit_test(test_members_limit),
		cmocka_unit_test(test_archives_limit),
		cmocka_unit_test(test_names_for_facts),
		cmocka_unit_test(test_names_ceiling),
		cmocka_unit_test(test_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
