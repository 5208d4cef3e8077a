/* SPDX-License-Identifier: Apache-2.0 */
/* Package databases in a filesystem that this file makes up: what memory and a bad disk do to them. */
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

#include "core/text.h"
#include "measure/fs/fs_priv.h"
#include "measure/packages/packages.h"

struct file {
	const char *path, *text; /* text NULL: cannot be read */
};

static int fake_file(void *data, const char *path, struct assay_src **ret, char **ret_path, struct assay_err *err)
{
	(void)ret_path;
	for (const struct file *f = data; f->path; f++) {
		if (strcmp(f->path, path) != 0)
			continue;
		if (!f->text)
			return assay_fail(err, ASSAY_E_IO, 7, "the disk is bad");
		return assay_src_from_mem(f->text, strlen(f->text), ret, err);
	}
	return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no such file");
}

static int fake_list(void *data, const char *path, struct assay_dir *ret, struct assay_err *err)
{
	struct assay_names names = { 0 };
	const size_t len = strlen(path);

	for (const struct file *f = data; f->path; f++) {
		if (strncmp(f->path, path, len) != 0 || f->path[len] != '/' || strchr(f->path + len + 1, '/'))
			continue;
		if (assay_names_add(&names, f->path + len + 1, strlen(f->path + len + 1), ASSAY_FS_FILE, 0, err) < 0) {
			assay_dir_clear(&names.dir);
			return -1;
		}
	}
	if (names.dir.n == 0)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no such folder");
	*ret = names.dir;
	return 0;
}

static const struct assay_fs_ops ops = { .name = "made up", .list = fake_list, .file = fake_file };

static const struct file both[] = {
	{ "/var/lib/dpkg/status", "Package: b\nStatus: install ok unpacked\nVersion: 2\nArchitecture: all\n\n"
				  "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n" },
	{ "/var/lib/dpkg/updates/tmp.i", "" },
	{ "/var/lib/dpkg/status.d/c", "Package: c\nVersion: 3" },
	{ "/var/lib/dpkg/status.d/c.md5sums", "x" },
	{ "/lib/apk/db/installed", "" },
	{ 0 },
};

static int facts(const struct file *files, struct assay_json *o, struct assay_err *err)
{
	struct assay_fs fs = { .ops = &ops, .data = (void *)files };

	return assay_packages_facts(&fs, o, err);
}

static void test_found(void **state)
{
	ASSAY_AUTO(assay_json) *o = assay_json_object();
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_err err;
	size_t len;

	(void)state;
	assert_int_equal(facts(both, o, &err), 0);
	assert_int_equal(assay_json_dump(o, &text, &len, &err), 0);
	assert_string_equal(text, "{\n  \"packages\": [\n"
				  "    {\n      \"installed\": {\n        \"a:amd64\": \"1\",\n        \"b:all\": \"2 unpacked\"\n      },\n"
				  "      \"kind\": \"dpkg\",\n      \"path\": \"/var/lib/dpkg/status\"\n    },\n"
				  "    {\n      \"installed\": {\n        \"c\": \"3\"\n      },\n"
				  "      \"kind\": \"dpkg\",\n      \"path\": \"/var/lib/dpkg/status.d\"\n    },\n"
				  "    {\n      \"kind\": \"apk\",\n      \"path\": \"/lib/apk/db/installed\"\n    }\n  ]\n}\n");
}

static void test_none(void **state)
{
	static const struct file none[] = { { "/etc/passwd", "x" }, { 0 } };
	ASSAY_AUTO(assay_json) *o = assay_json_object();
	struct assay_err err;

	(void)state;
	assert_int_equal(facts(none, o, &err), 0);
	assert_int_equal(assay_json_len(o), 0);
}

/* A disk that fails is no database that is bad. */
static void test_bad_disk(void **state)
{
	static const struct file bad[][2] = {
		{ { "/var/lib/dpkg/status", NULL }, { 0 } },
		{ { "/var/lib/dpkg/status.d/c", NULL }, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		ASSAY_AUTO(assay_json) *o = assay_json_object();
		struct assay_err err;

		assert_int_equal(facts(bad[i], o, &err), -1);
		assert_int_equal(err.code, ASSAY_E_IO);
	}
}

static int once(struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *o = assay_json_object();
	ASSAY_AUTO_FREE char *text = NULL;
	size_t len;

	if (facts(both, o, err) < 0 || assay_json_dump(o, &text, &len, err) < 0)
		return -1;
	/* Nothing may be missing without a word. */
	if (!strstr(text, "\"a:amd64\"") || !strstr(text, "\"c\"") || !strstr(text, "apk"))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "something is missing");
	return 0;
}

static void test_memory(void **state)
{
	(void)state;
	unit_alloc_each(once, true);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_found),
	cmocka_unit_test(test_none),
	cmocka_unit_test(test_bad_disk),
	cmocka_unit_test(test_memory),
};

UNIT_MAIN(tests)
