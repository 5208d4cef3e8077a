/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/out.h"
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

static char dir[] = "/tmp/assay-test-XXXXXX";
static char path[100];

static int set_up(void **state)
{
	(void)state;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/out", dir);
	umask(022);
	return 0;
}

static int tear_down(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static size_t count_files(void)
{
	DIR *d = opendir(dir);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void expect_file(const char *name, const char *want)
{
	char got[200] = "";
	FILE *f = fopen(name, "r");
	size_t n;

	assert_non_null(f);
	n = fread(got, 1, sizeof(got) - 1, f);
	fclose(f);
	assert_int_equal(n, strlen(want));
	assert_string_equal(got, want);
}

static void put_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static mode_t mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	return st.st_mode & 07777;
}

static void test_new(void **state)
{
	ASSAY_AUTO(assay_out) *out = NULL;

	(void)state;
	assert_int_equal(assay_out_open(path, &out, NULL), 0);
	assay_out_write(out, "a", 1);
	assay_out_printf(out, "%d", 23);
	assay_out_write(out, "", 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(assay_out_commit(out, NULL), 0);
	expect_file(path, "a23");
	assert_int_equal(mode_of(path), 0644);
	assay_out_free(&out);
	assert_null(out);
	assert_int_equal(count_files(), 1);
	expect_file(path, "a23");
}

static void test_dropped(void **state)
{
	ASSAY_AUTO(assay_out) *out = NULL;

	(void)state;
	put_file(path, "old");
	assert_int_equal(assay_out_open(path, &out, NULL), 0);
	assay_out_write(out, "new", 3);
	assay_out_free(&out);
	expect_file(path, "old");
	assert_int_equal(count_files(), 1);
	assay_out_free(&out);
	assay_out_free(NULL);
}

static void test_replaced(void **state)
{
	ASSAY_AUTO(assay_out) *out = NULL;

	(void)state;
	put_file(path, "old");
	chmod(path, 0600);
	assert_int_equal(assay_out_open(path, &out, NULL), 0);
	assay_out_write(out, "new", 3);
	expect_file(path, "old");
	assert_int_equal(assay_out_commit(out, NULL), 0);
	expect_file(path, "new");
	assert_int_equal(mode_of(path), 0600);
	assert_int_equal(count_files(), 1);
}

static void test_mode_and_umask(void **state)
{
	ASSAY_AUTO(assay_out) *out = NULL;

	(void)state;
	umask(077);
	assert_int_equal(assay_out_open(path, &out, NULL), 0);
	assert_int_equal(assay_out_commit(out, NULL), 0);
	umask(022);
	assert_int_equal(mode_of(path), 0600);
	expect_file(path, "");
	assay_out_free(&out);
	chmod(path, 0664);
	assert_int_equal(assay_out_open(path, &out, NULL), 0);
	assert_int_equal(assay_out_commit(out, NULL), 0);
	assert_int_equal(mode_of(path), 0664);
}

static void test_link(void **state)
{
	ASSAY_AUTO(assay_out) *out = NULL;
	char name[120];
	struct stat st;

	(void)state;
	put_file(path, "old");
	snprintf(name, sizeof(name), "%s/link", dir);
	assert_int_equal(symlink("out", name), 0);
	assert_int_equal(assay_out_open(name, &out, NULL), 0);
	assay_out_write(out, "new", 3);
	assert_int_equal(assay_out_commit(out, NULL), 0);
	expect_file(path, "new");
	assert_int_equal(lstat(name, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

/* A directory that was left meanwhile is still where the file goes. */
static void test_relative(void **state)
{
	ASSAY_AUTO(assay_out) *out = NULL;
	const int old = open(".", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(assay_out_open("out", &out, NULL), 0);
	assert_int_equal(fchdir(old), 0);
	close(old);
	assay_out_write(out, "x", 1);
	assert_int_equal(assay_out_commit(out, NULL), 0);
	expect_file(path, "x");
}

static void test_refused(void **state)
{
	struct assay_out *out = NULL;
	struct assay_err err;
	char name[300];

	(void)state;
	assert_int_equal(assay_out_open(dir, &out, &err), -1);
	assert_int_equal(err.code, ASSAY_E_USAGE);
	snprintf(name, sizeof(name), "%s/none/out", dir);
	assert_int_equal(assay_out_open(name, &out, &err), -1);
	assert_int_equal(err.code, ASSAY_E_IO);
	assert_int_equal(err.sys, ENOENT);
	snprintf(name, sizeof(name), "%s/none/", dir);
	assert_int_equal(assay_out_open(name, &out, &err), -1);
	assert_int_equal(assay_out_open("", &out, &err), -1);
	put_file(path, "x");
	snprintf(name, sizeof(name), "%s/out/below", dir);
	assert_int_equal(assay_out_open(name, &out, &err), -1);
	assert_int_equal(err.sys, ENOTDIR);
	assert_null(out);
	assert_int_equal(count_files(), 1);
}

static void test_large(void **state)
{
	ASSAY_AUTO(assay_out) *out = NULL;
	char block[1001];
	struct stat st;

	(void)state;
	memset(block, 'z', sizeof(block));
	assert_int_equal(assay_out_open(path, &out, NULL), 0);
	for (int i = 0; i < 1000; i++)
		assay_out_write(out, block, sizeof(block));
	assert_int_equal(assay_out_commit(out, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 1001000);
}

static void test_devices(void **state)
{
	ASSAY_AUTO(assay_out) *out = NULL;
	struct assay_err err;
	struct stat st;

	(void)state;
	assert_int_equal(assay_out_open("/dev/null", &out, NULL), 0);
	assay_out_write(out, "x", 1);
	assert_int_equal(assay_out_commit(out, NULL), 0);
	assay_out_free(&out);
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	if (access("/dev/full", W_OK) < 0)
		unit_skip("there is no /dev/full");
	assert_int_equal(assay_out_open("/dev/full", &out, NULL), 0);
	assay_out_write(out, "x", 1);
	assert_int_equal(assay_out_commit(out, &err), -1);
	assert_int_equal(err.code, ASSAY_E_IO);
	assert_int_equal(err.sys, ENOSPC);
	assert_int_equal(assay_out_commit(out, &err), -1);
}

/* A file that may not grow: nothing is left, the old one is as it was, wherever writing stops. */
static void test_no_room(void **state)
{
	static const size_t sizes[] = { 1001, 65536, 70000, 200000 };
	struct rlimit old, small;
	char block[1001];

	(void)state;
	memset(block, 'z', sizeof(block));
	put_file(path, "old");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		ASSAY_AUTO(assay_out) *out = NULL;
		struct assay_err err;
		int r;

		assert_int_equal(assay_out_open(path, &out, NULL), 0);
		small = old;
		small.rlim_cur = sizes[i] - 1;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		for (size_t n = 0; n < sizes[i]; n += sizeof(block))
			assay_out_write(out, block, sizeof(block));
		r = assay_out_commit(out, &err);
		setrlimit(RLIMIT_FSIZE, &old);
		assert_int_equal(r, -1);
		assert_int_equal(err.code, ASSAY_E_IO);
		assert_int_equal(err.sys, EFBIG);
		assay_out_free(&out);
		expect_file(path, "old");
		assert_int_equal(count_files(), 1);
	}
	signal(SIGXFSZ, SIG_DFL);
}

/* "-" comes out whole at commit, or not at all. */
static void test_stdout(void **state)
{
	for (int commit = 0; commit < 2; commit++) {
		int fds[2], status;
		char got[200001];
		size_t n = 0;
		ssize_t step;
		pid_t pid;

		(void)state;
		assert_int_equal(pipe(fds), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			struct assay_out *out = NULL;
			char block[1000];

			memset(block, 'q', sizeof(block));
			dup2(fds[1], 1);
			close(fds[0]);
			close(fds[1]);
			if (assay_out_open("-", &out, NULL) < 0)
				_exit(1);
			for (int i = 0; i < 200; i++)
				assay_out_write(out, block, sizeof(block));
			if (commit && assay_out_commit(out, NULL) < 0)
				_exit(2);
			assay_out_free(&out);
			_exit(fcntl(1, F_GETFD) < 0 ? 3 : 0); /* not ours to close */
		}
		close(fds[1]);
		while ((step = read(fds[0], got + n, sizeof(got) - n)) > 0)
			n += (size_t)step;
		close(fds[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_int_equal(n, commit ? 200000 : 0);
	}
}

static void test_memory(void **state)
{
	ASSAY_AUTO(assay_out) *out = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	size_t len;

	(void)state;
	assert_int_equal(assay_out_memory(&out, NULL), 0);
	assay_out_printf(out, "%s", "hello");
	assay_out_write(out, "\0!", 2);
	assert_int_equal(assay_out_steal(out, &text, &len, NULL), 0);
	assert_int_equal(len, 7);
	assert_memory_equal(text, "hello\0!\0", 8);
}

static int write_some(struct assay_err *err)
{
	ASSAY_AUTO(assay_out) *out = NULL;

	if (assay_out_open(path, &out, err) < 0)
		return -1;
	assay_out_write(out, "some", 4);
	assay_out_printf(out, "%0300d", 1);
	return assay_out_commit(out, err);
}

static void test_out_of_memory(void **state)
{
	(void)state;
	unit_alloc_each(write_some, true);
	assert_int_equal(count_files(), 1);
	put_file(path, "old");
	unit_alloc_each(write_some, true);
	assert_int_equal(count_files(), 1);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	WITH_DIR(test_new),	      WITH_DIR(test_dropped),
	WITH_DIR(test_replaced),      WITH_DIR(test_mode_and_umask),
	WITH_DIR(test_link),	      WITH_DIR(test_relative),
	WITH_DIR(test_refused),	      WITH_DIR(test_large),
	WITH_DIR(test_devices),	      WITH_DIR(test_no_room),
	WITH_DIR(test_stdout),	      WITH_DIR(test_memory),
	WITH_DIR(test_out_of_memory),
};

UNIT_MAIN(tests)
