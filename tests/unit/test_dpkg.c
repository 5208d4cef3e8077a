/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

#include "core/limits.h"
#include "measure/packages/dpkg.h"

static const char two[] = "Package: libssl3\n"
			  "Status: install ok installed\n"
			  "Priority: optional\n"
			  "Architecture: amd64\n"
			  "Multi-Arch: same\n"
			  "Version: 1:3.5.1-1~deb13u1\n"
			  "Conffiles:\n"
			  " /etc/ssl/openssl.cnf 0123\n"
			  "Description: a library\n"
			  " of several lines\n"
			  " .\n"
			  "\n"
			  "package:adduser\n"
			  "STATUS: \t install  ok\tinstalled \n"
			  "Version: 3.152\n"
			  "Architecture: all\n";

static int parse(const char *text, size_t len, bool loose, struct assay_dpkg *to, struct assay_err *err)
{
	/* Exactly as large as the text, so that a sanitizer sees a read past its end. */
	char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	const int rc = assay_dpkg_parse(copy, len, loose, to, err);
	free(copy);
	return rc;
}

static void good(const char *text, bool loose, size_t want)
{
	struct assay_dpkg d = { 0 };
	struct assay_err err;

	assert_int_equal(parse(text, strlen(text), loose, &d, &err), 0);
	assert_int_equal(d.n, want);
	assay_dpkg_clear(&d);
	assert_null(d.p);
}

static void bad(const char *text, bool loose, const char *msg)
{
	struct assay_dpkg d = { 0 };
	struct assay_err err;

	assert_int_equal(parse(text, strlen(text), loose, &d, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	if (!strstr(err.msg, msg))
		fail_msg("'%s' is not in '%s'", msg, err.msg);
	assay_dpkg_clear(&d);
}

static void packages(void **state)
{
	struct assay_dpkg d = { 0 };
	struct assay_err err;

	(void)state;
	assert_int_equal(parse(two, sizeof(two) - 1, false, &d, &err), 0);
	assert_int_equal(assay_dpkg_sort(&d, &err), 0);
	assert_int_equal(d.n, 2);
	assert_string_equal(d.p[0].name, "adduser");
	assert_string_equal(d.p[0].version, "3.152");
	assert_string_equal(d.p[0].arch, "all");
	assert_null(d.p[0].state);
	assert_string_equal(d.p[1].name, "libssl3");
	assert_string_equal(d.p[1].version, "1:3.5.1-1~deb13u1");
	/* Adding goes on; the same once more is refused, of another architecture it is another. */
	static const char more[] = "Package: libssl3\nVersion: 2\nArchitecture: i386\n";
	assert_int_equal(parse(more, sizeof(more) - 1, true, &d, &err), 0);
	assert_int_equal(assay_dpkg_sort(&d, &err), 0);
	assert_string_equal(d.p[1].arch, "amd64");
	assert_string_equal(d.p[2].arch, "i386");
	assert_int_equal(parse(more, sizeof(more) - 1, true, &d, &err), 0);
	assert_int_equal(assay_dpkg_sort(&d, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	assert_non_null(strstr(err.msg, "libssl3"));
	assay_dpkg_clear(&d);
}

static void states(void **state)
{
	static const struct {
		const char *name;
		bool here;
	} all[] = {
		{ "not-installed", false },  { "config-files", false },	   { "half-installed", true },
		{ "unpacked", true },	     { "half-configured", true },  { "triggers-awaited", true },
		{ "triggers-pending", true }, { "installed", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct assay_dpkg d = { 0 };
		struct assay_err err;
		char text[128];

		snprintf(text, sizeof(text), "Package: a\nVersion: 1\nStatus: deinstall ok %s\n", all[i].name);
		assert_int_equal(parse(text, strlen(text), false, &d, &err), 0);
		assert_int_equal(d.n, all[i].here);
		if (all[i].here && strcmp(all[i].name, "installed") != 0)
			assert_string_equal(d.p[0].state, all[i].name);
		assay_dpkg_clear(&d);
	}
	/* Of those that are not here nothing more is wanted. */
	good("Package: a\nStatus: purge ok not-installed\n", false, 0);
	good("Package: a\n", false, 0);
	good("Package: a\nVersion: 1\nArchitecture: amd64\n", false, 0);
	good("Package: a\nVersion: 1\nArchitecture: amd64", true, 1);
	good("Package: a\nVersion: 1\nStatus: deinstall ok config-files\n", true, 0);
}

static void shapes(void **state)
{
	(void)state;
	good("", false, 0);
	good("\n\n\n", false, 0);
	good("\n\nPackage: a\nStatus: x y installed\nVersion: 1\n\n\n\nPackage: b+.-_9\nStatus: x y installed\nVersion: 0:1~+-2\n",
	     false, 2);
	bad("Package: a", false, "line 1: the last line does not end");
	bad("Version: 1\nStatus: install ok installed\n", false, "line 1: a stanza without Package");
	bad("\nPackage: -a\n", false, "line 2: a Package");
	bad("Package: a/b\n", false, "Package");
	bad("Package:\n", false, "Package");
	bad("Package: a\nStatus: install ok installed\n", false, "line 1: a package without Version");
	bad("Package: a\nVersion: 1 2\n", true, "Version");
	bad("Package: a\nVersion: 1\r\n", true, "Version");
	bad("Package: a\nVersion:\n", true, "Version");
	bad("Package: a\nVersion: 1\nArchitecture: x/y\n", true, "Architecture");
	bad("Package: a\nStatus: ok installed\n", false, "three words");
	bad("Package: a\nStatus: a b c installed\n", false, "three words");
	bad("Package: a\nStatus: install ok Installed\n", false, "does not know");
	bad("Package: a\nPackage: b\n", false, "line 2: a field that is there twice");
	bad("Package: a\n b\n", false, "several lines");
	bad("Package: a\nX: 1\n \t\n", false, "line 3: a blank line in a field");
	bad(" a\n", false, "line 1: a continuation of nothing");
	bad("Package: a\n\n b\n", false, "line 3: a continuation of nothing");
	bad("Package: a\nno colon\n", false, "line 2: neither");
	bad("Package: a\n: x\n", false, "neither");
	bad("Package: a\n#x: y\n", false, "neither");
	bad("Package: a\n-x: y\n", false, "neither");
	bad("Package: a\nx y: z\n", false, "neither");
	bad("Package: a\n\x80x: z\n", false, "neither");

	struct assay_dpkg d = { 0 };
	struct assay_err err;
	assert_int_equal(parse("Package: a\nX: \0\n", 16, false, &d, &err), -1);
	assert_non_null(strstr(err.msg, "line 2: a NUL"));
}

/* A cut is refused, or falls between stanzas, or behind all fields that count. */
static void every_cut(void **state)
{
	const size_t status = (size_t)(strstr(two, "Priority") - two), version = (size_t)(strstr(two, "Conffiles") - two);
	const size_t second = (size_t)(strstr(two, "STATUS") - two), end = (size_t)(strstr(two, "Architecture: all") - two);

	(void)state;
	for (size_t len = 0; len < sizeof(two) - 1; len++) {
		struct assay_dpkg d = { 0 };
		struct assay_err err;
		const bool whole_line = len == 0 || two[len - 1] == '\n';
		/* Between Status and Version something is missing. */
		const bool missing = (len >= status && len < version) || (len > second && len < end);

		assert_int_equal(parse(two, len, false, &d, &err), whole_line && !missing ? 0 : -1);
		if (whole_line && !missing)
			assert_int_equal(d.n, len < version ? 0 : len < end ? 1 : 2);
		assay_dpkg_clear(&d);
	}
}

static void ceilings(void **state)
{
	static const char one[] = "Package: a\nVersion: 1\nStatus: a b installed\n\n";
	const size_t size = sizeof(one) - 1;
	char *text = malloc(size * (ASSAY_DPKG_MAX_PACKAGES + 1));
	struct assay_dpkg d = { 0 };
	struct assay_err err;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i <= ASSAY_DPKG_MAX_PACKAGES; i++)
		memcpy(text + i * size, one, size);
	for (size_t n = ASSAY_DPKG_MAX_PACKAGES - 1; n <= ASSAY_DPKG_MAX_PACKAGES; n++) {
		assert_int_equal(assay_dpkg_parse(text, size * n, false, &d, &err), 0);
		assert_int_equal(d.n, n);
		assay_dpkg_clear(&d);
	}
	assert_int_equal(assay_dpkg_parse(text, size * (ASSAY_DPKG_MAX_PACKAGES + 1), false, &d, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	assay_dpkg_clear(&d);
	free(text);

	text = malloc(ASSAY_DPKG_MAX_STATUS + 1U);
	assert_non_null(text);
	memset(text, '\n', ASSAY_DPKG_MAX_STATUS + 1U);
	assert_int_equal(assay_dpkg_parse(text, ASSAY_DPKG_MAX_STATUS - 1, false, &d, &err), 0);
	assert_int_equal(assay_dpkg_parse(text, ASSAY_DPKG_MAX_STATUS, false, &d, &err), 0);
	assert_int_equal(assay_dpkg_parse(text, ASSAY_DPKG_MAX_STATUS + 1U, false, &d, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	free(text);
}

static int once(struct assay_err *err)
{
	struct assay_dpkg d = { 0 };
	int rc = assay_dpkg_parse(two, sizeof(two) - 1, false, &d, err);

	if (rc == 0)
		rc = assay_dpkg_sort(&d, err);
	assay_dpkg_clear(&d);
	return rc;
}

static void memory(void **state)
{
	(void)state;
	unit_alloc_each(once, true);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(packages),  cmocka_unit_test(states),	 cmocka_unit_test(shapes),
	cmocka_unit_test(every_cut), cmocka_unit_test(ceilings), cmocka_unit_test(memory),
};

UNIT_MAIN(tests)
