/* SPDX-License-Identifier: Apache-2.0 */
/* Files hashed on all cores, against sha256sum and fsverity where they are; and tables of dm-verity. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "attest/dm.h"
#include "attest/files.h"
#include "core/digest.h"
#include "core/hash.h"
#include "core/limits.h"
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

static struct assay_err err;
static char top[] = "/tmp/assay-files-XXXXXX";

static void put(const char *name, size_t size)
{
	char path[300];
	uint32_t x = (uint32_t)size * 2654435761U + 1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	f = fopen(path, "w");
	assert_non_null(f);
	for (size_t i = 0; i < size; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		fputc((int)(x & 255), f);
	}
	fclose(f);
}

static int set_up(void **state)
{
	static const size_t sizes[] = { 0,     1,     63,     64,	65,	4095,	4096,	4097,	65535,	65536,
					65537, 65600, 131072, 131073, 524287, 524288, 524289, 1000000, 3000000 };
	char name[32];

	(void)state;
	assert_non_null(mkdtemp(top));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(name, sizeof(name), "f%zu", sizes[i]);
		put(name, sizes[i]);
	}
	return 0;
}

static int tear_down(void **state)
{
	char command[300];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command);
}

/* The lines that a program prints for each file in the tree, in order: digest, two blanks, path. */
static void against(const char *command, bool fsverity)
{
	for (unsigned threads = 1; threads <= 5; threads++) {
		ASSAY_AUTO(assay_files) *files = NULL;
		char line[400], want[400], hex[ASSAY_HEX_MAX], shell[600];
		FILE *p;

		assay_hash_set_threads(threads);
		assert_int_equal(assay_files_list(top, &files, &err), 0);
		assert_true(files->tree);
		if (assay_files_hash(files, fsverity, &err) < 0)
			fail_msg("%s", err.msg);
		snprintf(shell, sizeof(shell), "cd '%s' && find . -type f -printf '%%P\\n' | LC_ALL=C sort | %s", top, command);
		p = popen(shell, "r");
		assert_non_null(p);
		for (size_t i = 0; i < files->n; i++) {
			snprintf(want, sizeof(want), "%s  %s\n", assay_hex(files->files[i].digest, 32, hex), files->files[i].path);
			assert_non_null(fgets(line, sizeof(line), p));
			assert_string_equal(want, line);
		}
		assert_null(fgets(line, sizeof(line), p));
		assert_int_equal(pclose(p), 0);
	}
	assay_hash_set_threads(0);
}

static void test_sha256(void **state)
{
	(void)state;
	against("xargs sha256sum", false);
}

static void test_fsverity(void **state)
{
	(void)state;
	if (!unit_have("fsverity"))
		unit_skip("fsverity is not installed");
	against("while read -r f; do echo \"$(fsverity digest --compact $f)  $f\"; done", true);
}

/* SHA-256 of the descriptor of an empty file: as the kernel's own documentation computes, by hashlib. */
static void test_empty(void **state)
{
	ASSAY_AUTO(assay_files) *files = NULL;
	char path[300], hex[ASSAY_HEX_MAX];

	(void)state;
	snprintf(path, sizeof(path), "%s/f0", top);
	assert_int_equal(assay_files_list(path, &files, &err), 0);
	assert_false(files->tree);
	assert_int_equal(files->n, 1);
	assert_int_equal(assay_files_hash(files, true, &err), 0);
	assert_string_equal(assay_hex(files->files[0].digest, 32, hex), "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95");
}

static void test_refused(void **state)
{
	char path[400], sub[300];
	ASSAY_AUTO(assay_files) *files = NULL;

	(void)state;
	assert_int_equal(assay_files_list("/nonexistent", &files, &err), -1);
	assert_int_equal(err.sys, ENOENT);
	assert_int_equal(assay_files_list("/dev/null", &files, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);

	snprintf(sub, sizeof(sub), "%s/../%s-refused", top, strrchr(top, '/') + 1);
	for (int i = 0; i < 5; i++) {
		static const char *const names[] = { "link", "pipe", "a\\b", "a\nb", "a\xff" };

		assert_int_equal(mkdir(sub, 0755), 0);
		snprintf(path, sizeof(path), "%s/%s", sub, names[i]);
		if (i == 0)
			assert_int_equal(symlink("target", path), 0);
		else if (i == 1)
			assert_int_equal(mkfifo(path, 0600), 0);
		else
			assert_true(close(open(path, O_CREAT | O_WRONLY, 0600)) == 0);
		assert_int_equal(assay_files_list(sub, &files, &err), -1);
		assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
		unlink(path);
		rmdir(sub);
	}
	/* Empty is no failure: a tree of nothing. */
	assert_int_equal(mkdir(sub, 0755), 0);
	assert_int_equal(assay_files_list(sub, &files, &err), 0);
	assert_int_equal(files->n, 0);
	assert_int_equal(assay_files_hash(files, false, &err), 0);
	rmdir(sub);
}

/* A file that another has become, or that has another size when it is read. */
static void test_changed(void **state)
{
	char path[300];

	(void)state;
	for (int fsverity = 0; fsverity < 2; fsverity++) {
		ASSAY_AUTO(assay_files) *files = NULL;

		put("changing", 100);
		snprintf(path, sizeof(path), "%s/changing", top);
		assert_int_equal(assay_files_list(top, &files, &err), 0);
		unlink(path);
		assert_int_equal(assay_files_hash(files, fsverity, &err), -1);
		assert_int_equal(err.sys, ENOENT);
		assert_non_null(strstr(err.msg, "changing"));
		assert_int_equal(symlink("f1", path), 0);
		assert_int_equal(assay_files_hash(files, fsverity, &err), -1);
		unlink(path);
	}
}

static void test_depth(void **state)
{
	char path[ASSAY_FS_MAX_DEPTH * 2 + 400];
	size_t len;
	ASSAY_AUTO(assay_files) *files = NULL;
	char command[300];

	(void)state;
	len = (size_t)snprintf(path, sizeof(path), "%s/deep", top);
	assert_int_equal(mkdir(path, 0755), 0);
	for (unsigned i = 0; i < ASSAY_FS_MAX_DEPTH; i++) {
		len += (size_t)snprintf(path + len, sizeof(path) - len, "/d");
		assert_int_equal(mkdir(path, 0755), 0);
	}
	snprintf(path, sizeof(path), "%s/deep", top);
	assert_int_equal(assay_files_list(path, &files, &err), 0);
	assert_int_equal(assay_files_list(top, &files, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	snprintf(command, sizeof(command), "rm -rf '%s/deep'", top);
	assert_int_equal(system(command), 0);
}

static void test_many(void **state)
{
	char folder[300], path[400], command[400];
	ASSAY_AUTO(assay_files) *files = NULL;

	(void)state;
	snprintf(folder, sizeof(folder), "%s-many", top);
	assert_int_equal(mkdir(folder, 0755), 0);
	for (unsigned i = 0; i <= ASSAY_RUNTIME_MAX_ITEMS; i++) {
		if (i == ASSAY_RUNTIME_MAX_ITEMS) {
			assert_int_equal(assay_files_list(folder, &files, &err), 0);
			assert_int_equal(files->n, ASSAY_RUNTIME_MAX_ITEMS);
			assay_files_free(&files);
		}
		snprintf(path, sizeof(path), "%s/%u", folder, i);
		assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
	}
	assert_int_equal(assay_files_list(folder, &files, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	assert_int_equal(system(command), 0);
}

static void test_dm(void **state)
{
	/* As the kernel's documentation has one. */
	static const char line[] =
		"1 /dev/sda1 /dev/sda2 4096 4096 262144 1 sha256 "
		"4392712ba01368efdf14b05c76f9e4df0d53664630b5d48632ed17a137f39076 "
		"1234000000000000000000000000000000000000000000000000000000000000";
	char text[400], hex[ASSAY_HEX_MAX];

	(void)state;
	assert_int_equal(assay_dm_verity_parse(line, hex, &err), 0);
	assert_string_equal(hex, "4392712ba01368efdf14b05c76f9e4df0d53664630b5d48632ed17a137f39076");
	snprintf(text, sizeof(text), "%s 2 panic_on_corruption use_fec_from_device /dev/x", line);
	assert_int_equal(assay_dm_verity_parse(text, hex, &err), 0);
	snprintf(text, sizeof(text), "%s 1 ignore_corruption", line);
	assert_int_equal(assay_dm_verity_parse(text, hex, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	/* Cut before the digest's end it has none, or a shorter one; behind it, the rest is nothing to us. */
	const size_t start = (size_t)(strstr(line, "4392712") - line);
	for (size_t n = 0; n < sizeof(line); n++) {
		const bool whole = n >= start + 64 || n == start + 40;

		memcpy(text, line, n);
		text[n] = '\0';
		assert_int_equal(assay_dm_verity_parse(text, hex, &err), whole ? 0 : -1);
	}
	assert_int_equal(assay_dm_root_hash("", hex, &err), -1);
	assert_int_equal(assay_dm_root_hash("assay-none", hex, &err), -1);
}

static int everything(struct assay_err *e)
{
	ASSAY_AUTO(assay_files) *files = NULL;
	uint8_t digest[32];

	if (assay_files_list(top, &files, e) < 0 || assay_files_hash(files, false, e) < 0 ||
	    assay_files_tree_digest(files, digest, e) < 0 || assay_files_hash(files, true, e) < 0)
		return -1;
	return 0;
}

static void test_memory(void **state)
{
	(void)state;
	assay_hash_set_threads(1);
	unit_alloc_each(everything, false); /* OpenSSL keeps and frees some of its own */
	assay_hash_set_threads(0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_sha256),	cmocka_unit_test(test_fsverity), cmocka_unit_test(test_empty),
	cmocka_unit_test(test_refused), cmocka_unit_test(test_changed),	 cmocka_unit_test(test_depth),
	cmocka_unit_test(test_many),	cmocka_unit_test(test_dm),	 cmocka_unit_test(test_memory),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
