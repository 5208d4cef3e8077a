/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/limits.h"
#include "measure/pe/sbat.h"

/* Debian 13's systemd-stub, as its package has it. */
static const char stub[] =
	"sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n"
	"systemd-stub,1,The systemd Developers,systemd,257,https://systemd.io/\n"
	"systemd-stub.debian,1,Debian GNU/Linux,systemd,257.13-1~deb13u1,"
	"https://tracker.debian.org/pkg/systemd\n";

static int parse(const char *text, size_t len, struct assay_sbat *ret, struct assay_err *err)
{
	/* Exactly as large as the text, so that a sanitizer sees a read past its end. */
	char *copy = malloc(len ? len : 1);
	int r;

	assert_non_null(copy);
	memcpy(copy, text, len);
	r = assay_sbat_parse(copy, len, 1000, ret, err);
	free(copy);
	return r;
}

static void good(const char *text, size_t len, size_t want_rows)
{
	struct assay_sbat sbat;
	struct assay_err err;

	assert_int_equal(parse(text, len, &sbat, &err), 0);
	assert_int_equal(sbat.n, want_rows);
	assay_sbat_clear(&sbat);
	assert_null(sbat.rows);
}

static void bad(const char *text, enum assay_code code, uint64_t at, const char *msg)
{
	struct assay_sbat sbat = { .n = 99 };
	struct assay_err err;

	assert_int_equal(parse(text, strlen(text), &sbat, &err), -1);
	assert_int_equal(err.code, code);
	assert_int_equal(err.at, at);
	assert_non_null(strstr(err.msg, msg));
	assert_int_equal(sbat.n, 99);
}

static void rows(void **state)
{
	struct assay_sbat sbat;
	struct assay_err err;

	(void)state;
	assert_int_equal(parse(stub, sizeof(stub) - 1, &sbat, &err), 0);
	assert_int_equal(sbat.n, 3);
	const struct assay_sbat_row *row = assay_sbat_find(&sbat, "systemd-stub.debian");
	assert_non_null(row);
	assert_int_equal(row->generation, 1);
	assert_string_equal(row->vendor, "Debian GNU/Linux");
	assert_string_equal(row->package, "systemd");
	assert_string_equal(row->version, "257.13-1~deb13u1");
	assert_string_equal(row->url, "https://tracker.debian.org/pkg/systemd");
	assert_null(assay_sbat_find(&sbat, "systemd"));
	assay_sbat_clear(&sbat);
}

static void shapes(void **state)
{
	(void)state;
	good("", 0, 0);
	good("\0\0\0\0", 4, 0);
	good("\n\r\n \n", 5, 0);
	good("a,1,v,p,1,u", 11, 1);
	good("a,1,v,p,1,u\r\n", 13, 1);
	good("\xef\xbb\xbf"
	     "a,1,v,p,1,u\n",
	     15, 1);
	good("a,1,v,p,1,u\n\0junk", 17, 1);
	good("a,1,,,,", 7, 1);
	good("a,1,v,p,1,u,more,and more", 25, 1);
	good(" a , 1 ,v,p,1,u", 15, 1);
	good("a,2147483647,v,p,1,u", 20, 1);
}

static void refused(void **state)
{
	(void)state;
	bad("a,1,v,p,1", ASSAY_E_CORRUPT, 1000, "line 1: 5 fields");
	bad("a,1,v,p,1,u\nb\n", ASSAY_E_CORRUPT, 1012, "line 2: 1 fields");
	bad(",1,v,p,1,u", ASSAY_E_CORRUPT, 1000, "no component");
	bad("a,0,v,p,1,u", ASSAY_E_CORRUPT, 1000, "generation");
	bad("a,,v,p,1,u", ASSAY_E_CORRUPT, 1000, "generation");
	bad("a,-1,v,p,1,u", ASSAY_E_CORRUPT, 1000, "generation");
	bad("a,1x,v,p,1,u", ASSAY_E_CORRUPT, 1000, "generation");
	bad("a,2147483648,v,p,1,u", ASSAY_E_CORRUPT, 1000, "generation");
	bad("a,99999999999,v,p,1,u", ASSAY_E_CORRUPT, 1000, "generation");
}

/* A cut inside a line either leaves six fields or is refused. */
static void every_cut(void **state)
{
	size_t commas = 0;

	(void)state;
	for (size_t len = 0; len < sizeof(stub) - 1; len++) {
		struct assay_sbat sbat;
		struct assay_err err;
		const int want = commas == 0 || commas == 5 ? 0 : -1;
		const int r = parse(stub, len, &sbat, &err);

		if (len > 0 && stub[len - 1] == '\n')
			assert_int_equal(commas, 0);
		/* "sbat" without any comma is a line of one field. */
		if (commas == 0 && len > 0 && stub[len - 1] != '\n')
			assert_int_equal(r, -1);
		else
			assert_int_equal(r, want);
		if (r == 0)
			assay_sbat_clear(&sbat);
		commas = stub[len] == '\n' ? 0 : commas + (stub[len] == ',');
	}
}

static void ceilings(void **state)
{
	const char row[] = "a,1,v,p,1,u\n";
	const size_t n = sizeof(row) - 1;
	char *text = malloc(ASSAY_SBAT_MAX_SIZE + 1);
	struct assay_sbat sbat;
	struct assay_err err;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i <= ASSAY_SBAT_MAX_ROWS; i++)
		memcpy(text + i * n, row, n);
	good(text, (ASSAY_SBAT_MAX_ROWS - 1) * n, ASSAY_SBAT_MAX_ROWS - 1);
	good(text, ASSAY_SBAT_MAX_ROWS * n, ASSAY_SBAT_MAX_ROWS);
	assert_int_equal(parse(text, (ASSAY_SBAT_MAX_ROWS + 1) * n, &sbat, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);

	memset(text, '\n', ASSAY_SBAT_MAX_SIZE + 1);
	good(text, ASSAY_SBAT_MAX_SIZE - 1, 0);
	good(text, ASSAY_SBAT_MAX_SIZE, 0);
	assert_int_equal(parse(text, ASSAY_SBAT_MAX_SIZE + 1, &sbat, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),	     cmocka_unit_test(shapes),	 cmocka_unit_test(refused),
		cmocka_unit_test(every_cut), cmocka_unit_test(ceilings),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("sbat", tests, NULL, NULL);
}
