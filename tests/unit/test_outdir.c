/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of output files: whole or absent. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/outdir.h"
#include "core/text.h"
#include "tests/unit/alloc.h"

static char top[] = "/tmp/test-outdir-XXXXXX";
static struct assay_err err;

/* Without memory, for it may have run out. */
static void remove_tree(const char *path)
{
	char command[256];

	assert_true(snprintf(command, sizeof(command), "rm -rf '%s'", path) < (int)sizeof(command));
	assert_int_equal(system(command), 0);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(strrchr(top, '-'), "-XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	remove_tree(top);
	return 0;
}

static char *below(const char *name)
{
	char *path = assay_asprintf("%s/%s", top, name);

	assert_non_null(path);
	return path;
}

/* How many names a directory has; -1 when it is none. */
static int entries(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	if (!d)
		return -1;
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static int make(const char *path, bool commit, struct assay_err *e)
{
	ASSAY_AUTO(assay_outdir) *dir = NULL;

	if (assay_outdir_open(path, &dir, e) < 0 || assay_outdir_add(dir, "a", "one", 3, e) < 0 ||
	    assay_outdir_add(dir, "d/b", "", 0, e) < 0 || assay_outdir_add(dir, "d/c", "x\0y", 3, e) < 0)
		return -1;
	return commit ? assay_outdir_commit(dir, e) : 0;
}

static void test_whole(void **state)
{
	(void)state;
	ASSAY_AUTO_FREE char *path = below("whole"), *slashes = below("whole//"), *file = below("whole/d/c");
	struct stat st;

	assert_int_equal(make(slashes, true, &err), 0);
	assert_int_equal(entries(path), 2);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_size, 3);
	assert_int_equal(entries(top), 1);
	/* What is there stays, and the mistake is named. */
	assert_int_equal(make(path, true, &err), -1);
	assert_int_equal(err.code, ASSAY_E_USAGE);
	assert_string_equal(err.msg, "is there already, and not empty");
	assert_int_equal(entries(top), 1);
	remove_tree(path);
	/* In the place of an empty one. */
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(make(path, true, &err), 0);
	assert_int_equal(entries(path), 2);
	remove_tree(path);
}

static void test_absent(void **state)
{
	(void)state;
	ASSAY_AUTO_FREE char *path = below("absent"), *inside = below("none/there"), *file = below("file");

	assert_int_equal(make(path, false, &err), 0);
	assert_int_equal(entries(top), 0);
	assert_int_equal(make(inside, true, &err), -1);
	assert_int_equal(err.code, ASSAY_E_IO);
	assert_int_equal(make("", true, &err), -1);
	assert_int_equal(err.code, ASSAY_E_USAGE);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(make(file, true, &err), -1);
	assert_int_equal(err.code, ASSAY_E_USAGE);
	assert_string_equal(err.msg, "is there already, and is no directory");
	unlink(file);
}

/* Somebody puts a file there in the meantime. */
static void test_raced(void **state)
{
	(void)state;
	ASSAY_AUTO_FREE char *path = below("raced"), *file = below("raced/mine");
	ASSAY_AUTO(assay_outdir) *dir = NULL;

	assert_int_equal(assay_outdir_open(path, &dir, &err), 0);
	assert_int_equal(assay_outdir_add(dir, "a", "one", 3, &err), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(assay_outdir_commit(dir, &err), -1);
	assert_int_equal(err.code, ASSAY_E_IO);
	assay_outdir_free(&dir);
	assert_int_equal(entries(path), 1);
	assert_int_equal(entries(top), 1);
	remove_tree(path);
}

/* A name in a folder that is a file. */
static void test_clash(void **state)
{
	(void)state;
	ASSAY_AUTO_FREE char *path = below("clash");
	ASSAY_AUTO(assay_outdir) *dir = NULL;

	assert_int_equal(assay_outdir_open(path, &dir, &err), 0);
	assert_int_equal(assay_outdir_add(dir, "a", "one", 3, &err), 0);
	assert_int_equal(assay_outdir_add(dir, "a/b", "two", 3, &err), -1);
	assay_outdir_free(&dir);
	assay_outdir_free(&dir);
	assay_outdir_free(NULL);
	assert_int_equal(entries(top), 0);
}

static int one_run(struct assay_err *e)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/memory", top);
	const int rc = make(path, true, e);
	if (rc == 0)
		remove_tree(path);
	return rc;
}

static void test_out_of_memory(void **state)
{
	(void)state;
	unit_alloc_each(one_run, true);
	assert_int_equal(entries(top), 0);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	WITH_DIR(test_whole), WITH_DIR(test_absent),	    WITH_DIR(test_raced),
	WITH_DIR(test_clash), WITH_DIR(test_out_of_memory),
};

UNIT_MAIN(tests)
