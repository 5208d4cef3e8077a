/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "core/temp.h"

static size_t names_in(const char *folder)
{
	DIR *d = opendir(folder);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void nameless(void **state)
{
	char folder[] = "/tmp/assay-temp-XXXXXX", text[3] = "";
	struct assay_err err;
	struct stat st;
	int fd = -1;

	(void)state;
	assert_non_null(mkdtemp(folder));
	setenv("TMPDIR", folder, 1);
	assert_string_equal(assay_temp_folder(), folder);
	assert_int_equal(assay_temp_open(&fd, &err), 0);
	assert_int_equal(names_in(folder), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(fd, "ab", 2), 2);
	assert_int_equal(pread(fd, text, 2, 0), 2);
	assert_string_equal(text, "ab");
	close(fd);

	assert_int_equal(rmdir(folder), 0);
	fd = -1;
	assert_int_equal(assay_temp_open(&fd, &err), -1);
	assert_int_equal(fd, -1);
	assert_non_null(strstr(err.msg, folder));
	unsetenv("TMPDIR");
	assert_string_equal(assay_temp_folder(), "/var/tmp");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(nameless),
};

UNIT_MAIN(tests)
