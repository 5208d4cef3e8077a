/* SPDX-License-Identifier: Apache-2.0 */
/* Listings of trees as mtree(5), and their digests. mtree(8) reads them in tests/cli/tree.bats. */
#include "tests/unit/alloc.h"
#include "tests/unit/squashfs_image.h"

#include <inttypes.h>

#include "core/digest.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/text.h"
#include "measure/fs/tree.h"

static struct assay_fs *must_open(const struct sqfs_image *s)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_fs *fs = NULL;
	struct assay_err err;

	assert_int_equal(assay_src_from_mem(s->p, s->size, &src, &err), 0);
	if (assay_fs_open(src, &fs, &err) < 0)
		fail_msg("%s", err.msg);
	return fs;
}

static int collect(const char *line, size_t len, void *arg, struct assay_err *err)
{
	(void)err;
	assert_int_equal(strlen(line), len);
	assert_int_equal(line[len - 1], '\n');
	assay_str_add_n(arg, line, len);
	return 0;
}

static void tree_is(const struct sqfs_image *s, const char *path, const char *want, uint64_t names,
		    uint64_t files, uint64_t bytes)
{
	ASSAY_AUTO(assay_fs) *fs = must_open(s);

	for (unsigned threads = 1; threads <= 3; threads++) {
		struct assay_str got = { 0 };
		struct assay_fs_tree tree, silent;
		struct assay_digests digest;
		struct assay_err err;

		assay_hash_set_threads(threads);
		if (assay_fs_tree_digest(fs, path, collect, &got, &tree, &err) < 0)
			fail_msg("%s", err.msg);
		assert_string_equal(got.p, want);
		assert_int_equal(assay_digest_mem(ASSAY_BANK_BIT(ASSAY_SHA256), want, strlen(want),
						  &digest, &err),
				 0);
		assert_memory_equal(tree.sha256, digest.d[ASSAY_SHA256], 32);
		assert_int_equal(tree.names, names);
		assert_int_equal(tree.files, files);
		assert_int_equal(tree.bytes, bytes);
		assert_int_equal(assay_fs_tree_digest(fs, path, NULL, NULL, &silent, &err), 0);
		assert_memory_equal(&silent, &tree, sizeof(tree));
		assay_str_clear(&got);
	}
	assay_hash_set_threads(0);
}

static void tree_fails(const struct sqfs_image *s, enum assay_code code, const char *text)
{
	ASSAY_AUTO(assay_fs) *fs = must_open(s);

	for (unsigned threads = 1; threads <= 2; threads++) {
		struct assay_fs_tree tree = { .names = 77 };
		struct assay_err err;

		assay_hash_set_threads(threads);
		assert_int_equal(assay_fs_tree_digest(fs, "/", NULL, NULL, &tree, &err), -1);
		assert_int_equal(tree.names, 77);
		if (!strstr(err.msg, text))
			fail_msg("'%s' is not in '%s'", text, err.msg);
		assert_int_equal(err.code, code);
	}
	assay_hash_set_threads(0);
}

#define OWN "uid=77 gid=1000 time=1700000000.000000000"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* Digests of files by coreutils. */
static const char sample[] =
	"#mtree\n"
	". type=dir mode=0755 " OWN "\n"
	"./a type=file mode=0644 " OWN
	" size=12388 "
	"sha256digest=dc90f0f33a2113ce8e84b0e5a53f622de6aeedc285bd1bd2c137d1906cb1cfb0\n"
	"./b type=file mode=0644 " OWN
	" size=50 sha256digest=463411b6e6de57f9ede6f5e1dec39c9a94a7f13c20a8dc08ecb896f9e62612fd\n"
	"./c type=file mode=0644 " OWN
	" size=200 sha256digest=8ca9bfd43d61bf0ab214f1b75fb137479da5ed86dd0ab570d4fa70eb1594c268\n"
	"./d type=dir mode=0755 " OWN "\n"
	"./d/e type=file mode=0644 " OWN " size=0 sha256digest=" EMPTY "\n"
	"./f type=link mode=0777 " OWN " link=d/e\n"
	"./g type=block mode=0600 " OWN " device=native,8,74565\n"
	"./h type=char mode=0600 " OWN " device=native,1,3\n"
	"./i type=fifo mode=0600 " OWN "\n"
	"./j type=socket mode=0600 " OWN "\n"
	"./k type=file mode=0644 " OWN " size=0 sha256digest=" EMPTY "\n";

static void test_sample(void **state)
{
	struct sqfs_image *s = sqfs_sample();

	(void)state;
	tree_is(s, "/", sample, 12, 5, SQFS_A_SIZE + 50 + 200);
	tree_is(s, "/d",
		"#mtree\n. type=dir mode=0755 " OWN "\n./e type=file mode=0644 " OWN
		" size=0 sha256digest=" EMPTY "\n",
		2, 1, 0);
	sqfs_end(s);
}

static void test_names_and_links(void **state)
{
	struct sqfs_image *s = sqfs_begin();
	struct sqfs_listing *l = calloc(1, sizeof(*l));
	const uint32_t word = 5 | SQFS_RAW;
	const uint64_t at = sqfs_data(s, "hello", 5);

	(void)state;
	assert_non_null(l);
	/* An extended inode with three names, two of them here. */
	const uint64_t hard = sqfs_inode(s, 9, 06755);

	s->n_inodes +=
		sqfs_put(s->inodes + s->n_inodes, "88844444", at, SQFS_U(5), SQFS_U(0), SQFS_U(3),
			 SQFS_U(SQFS_NO_FRAG), SQFS_U(0), SQFS_U(SQFS_NO_FRAG), SQFS_U(word));
	sqfs_entry(l, "\x01\t\n ~\x7f\x80\xff", sqfs_link(s, "#=*?[\\ x", 8), 3);
	sqfs_entry(l, "!\"$%&'()+,-.", hard, 2);
	sqfs_entry(l, "#=*?[\\]^{|}", hard, 2);
	sqfs_finish(s, sqfs_dir(s, l, 0));
	tree_is(s, "/",
		"#mtree\n. type=dir mode=0755 " OWN "\n"
		"./\\001\\011\\012\\040~\\177\\200\\377 type=link mode=0777 " OWN
		" link=\\043\\075\\052\\077\\133\\134\\040x\n"
		"./!\"$%&'()+,-. type=file mode=6755 " OWN
		" nlink=3 size=5 "
		"sha256digest=2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\n"
		"# hard link to ./!\"$%&'()+,-.:\n"
		"./\\043\\075\\052\\077\\133\\134]^{|} type=file mode=6755 " OWN
		" nlink=3 size=5 "
		"sha256digest=2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\n",
		4, 1, 5);
	sqfs_end(s);
	free(l);
}

/* More names than the ring has places, files and others, some of them links. */
static void test_many(void **state)
{
	struct sqfs_image *s = sqfs_begin();
	struct sqfs_listing *l = calloc(1, sizeof(*l));
	struct assay_str want = { 0 };
	uint8_t bytes[600];
	uint64_t sum = 0;

	(void)state;
	assert_non_null(l);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * i);
	const uint64_t at = sqfs_data(s, bytes, sizeof(bytes));

	assay_str_add(&want, "#mtree\n. type=dir mode=0755 " OWN "\n");
	for (unsigned i = 0; i < 600; i++) {
		const uint32_t word = (600 - i) | SQFS_RAW;
		struct assay_digests d;
		char name[8], hex[ASSAY_HEX_MAX];
		struct assay_err err;

		snprintf(name, sizeof(name), "%03u", i);
		if (i % 5 == 4) {
			sqfs_entry(l, name, sqfs_device(s, 6, 0), 6);
			assay_str_add(&want, "./%s type=fifo mode=0600 " OWN "\n", name);
			continue;
		}
		sum += 600 - i;
		sqfs_entry(l, name, sqfs_file(s, at + i, 600 - i, SQFS_NO_FRAG, 0, &word, 1), 2);
		assert_int_equal(assay_digest_mem(ASSAY_BANK_BIT(ASSAY_SHA256), bytes + i, 600 - i,
						  &d, &err),
				 0);
		assay_str_add(&want, "./%s type=file mode=0644 " OWN " size=%u sha256digest=%s\n",
			      name, 600 - i, assay_hex(d.d[ASSAY_SHA256], 32, hex));
	}
	sqfs_finish(s, sqfs_dir(s, l, 0));
	tree_is(s, "/", want.p, 601, 480, sum);
	assay_str_clear(&want);
	sqfs_end(s);
	free(l);
}

static int stop_at_c(const char *line, size_t len, void *arg, struct assay_err *err)
{
	(void)len;
	(void)arg;
	return strncmp(line, "./c", 3) == 0 ? assay_fail(err, ASSAY_E_IO, ASSAY_NO_OFFSET, "full")
					    : 0;
}

static void test_failures(void **state)
{
	struct sqfs_image *s = sqfs_sample();
	struct assay_fs_tree tree;
	struct assay_err err;

	(void)state;
	ASSAY_AUTO(assay_fs) *fs = must_open(s);
	assert_int_equal(assay_fs_tree_digest(fs, "/", stop_at_c, NULL, &tree, &err), -1);
	assert_string_equal(err.msg, "full");
	assert_int_equal(assay_fs_tree_digest(fs, "/a", NULL, NULL, &tree, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
	/* A packed block that is none. */
	memset(s->p + 96, 0, 10);
	tree_fails(s, ASSAY_E_CORRUPT, "/a: block 0: 28 bytes of gzip do not unpack");
	sqfs_end(s);
}

static void test_bytes_ceiling(void **state)
{
	(void)state;
	for (int more = 0; more <= 1; more++) {
		struct sqfs_image *s = sqfs_begin();
		struct sqfs_listing *l = calloc(1, sizeof(*l));
		const uint64_t ref = sqfs_inode(s, 9, 0644);

		assert_non_null(l);
		s->n_inodes +=
			sqfs_put(s->inodes + s->n_inodes, "8884444", SQFS_U(96),
				 SQFS_U(ASSAY_FS_MAX_TREE_BYTES + more), SQFS_U(0), SQFS_U(1),
				 SQFS_U(SQFS_NO_FRAG), SQFS_U(0), SQFS_U(SQFS_NO_FRAG));
		sqfs_entry(l, "a", ref, 2);
		sqfs_finish(s, sqfs_dir(s, l, 0));
		/* What is not too much for the tree is still too many blocks. */
		tree_fails(s, ASSAY_E_LIMIT,
			   more ? "/a: files of more than 2199023255552 bytes"
				: "limit 4194304 blocks");
		sqfs_end(s);
		free(l);
	}
}

static struct sqfs_image *memory_image;
static int digest_once(struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_fs) *fs = NULL;
	struct assay_fs_tree tree;

	if (assay_src_from_mem(memory_image->p, memory_image->size, &src, err) < 0 ||
	    assay_fs_open(src, &fs, err) < 0)
		return -1;
	return assay_fs_tree_digest(fs, "/", NULL, NULL, &tree, err);
}

static void test_memory(void **state)
{
	static struct sqfs_listing l; /* still there after a skip */

	(void)state;
	memory_image = sqfs_begin();
	const uint64_t hard = sqfs_inode(memory_image, 9, 0644);

	memory_image->n_inodes += sqfs_put(memory_image->inodes + memory_image->n_inodes, "8884444",
					   SQFS_U(96), SQFS_U(0), SQFS_U(0), SQFS_U(2),
					   SQFS_U(SQFS_NO_FRAG), SQFS_U(0), SQFS_U(SQFS_NO_FRAG));
	sqfs_entry(&l, "a", hard, 2);
	sqfs_entry(&l, "b", hard, 2);
	sqfs_entry(&l, "c", sqfs_link(memory_image, "a", 1), 3);
	sqfs_finish(memory_image, sqfs_dir(memory_image, &l, 0));
	assay_hash_set_threads(1);
	unit_alloc_each(digest_once, true);
	assay_hash_set_threads(0);
	sqfs_end(memory_image);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_sample),	      cmocka_unit_test(test_names_and_links),
	cmocka_unit_test(test_many),	      cmocka_unit_test(test_failures),
	cmocka_unit_test(test_bytes_ceiling), cmocka_unit_test(test_memory),
};

UNIT_MAIN(tests)
