/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules: their paths, the vermagic in an ELF file made here at each cut length and with each field wrong, and the
 * verdict on them.
 */
#include "measure/initrd/modules.h"
#include "core/cur.h"
#include "core/limits.h"
#include "core/text.h"
#include "measure/initrd/elf.h"
#include "measure/root_modules.h"
#include "tests/unit/alloc.h"

#include <zlib.h>

/* An ELF file of three sections, 64 or 32 bits wide: none, .modinfo, .shstrtab. */
struct elf_file {
	uint8_t p[1024];
	size_t len, table, entry;
	bool wide;
};

static void word(const struct elf_file *e, uint8_t *p, uint64_t v)
{
	if (e->wide)
		assay_put_le64(p, v);
	else
		assay_put_le32(p, (uint32_t)v);
}

static void put_section(struct elf_file *e, size_t i, uint32_t name, uint32_t type, uint64_t off, uint64_t size)
{
	uint8_t *s = e->p + e->table + i * e->entry;
	const size_t w = e->wide ? 8 : 4;

	assay_put_le32(s, name);
	assay_put_le32(s + 4, type);
	word(e, s + 8 + 2 * w, off);
	word(e, s + 8 + 3 * w, size);
}

static void make_elf(struct elf_file *e, bool wide, const char *info, size_t info_len)
{
	static const char names[] = "\0.modinfo\0.shstrtab";
	const size_t w = wide ? 8 : 4, info_at = 64;
	size_t tail;

	memset(e, 0, sizeof(*e));
	e->wide = wide;
	e->entry = wide ? 64 : 40;
	memcpy(e->p, "\177ELF", 4);
	e->p[4] = wide ? 2 : 1;
	e->p[5] = 1;
	memcpy(e->p + info_at, info, info_len);
	memcpy(e->p + info_at + info_len, names, sizeof(names));
	e->table = (info_at + info_len + sizeof(names) + 7) / 8 * 8;
	word(e, e->p + 24 + 2 * w, e->table);
	tail = 24 + 3 * w + 4 + 2 + 2 + 2;
	assay_put_le16(e->p + tail, (uint16_t)e->entry);
	assay_put_le16(e->p + tail + 2, 3);
	assay_put_le16(e->p + tail + 4, 2);
	put_section(e, 1, 1, 1, info_at, info_len);
	put_section(e, 2, 10, 3, info_at + info_len, sizeof(names));
	e->len = e->table + 3 * e->entry;
}

static const char info[] = "license=GPL\0xvermagic=no\0vermagic=6.1.0-9-amd64 SMP preempt mod_unload \0name=x";

static void test_vermagic(void **state)
{
	struct elf_file e;
	struct assay_err err;
	char *v = NULL;

	(void)state;
	for (int wide = 0; wide < 2; wide++) {
		make_elf(&e, wide, info, sizeof(info));
		if (assay_module_vermagic(e.p, e.len, &v, &err) < 0)
			fail_msg("%s", err.msg);
		assert_string_equal(v, "6.1.0-9-amd64 SMP preempt mod_unload ");
		free(v);
		for (size_t n = 0; n < e.len; n++) {
			uint8_t *copy = malloc(n + 1);

			memcpy(copy, e.p, n);
			assert_int_equal(assay_module_vermagic(copy, n, &v, &err), -1);
			assert_int_equal(err.code, ASSAY_E_CORRUPT);
			free(copy);
		}
	}
	make_elf(&e, true, info, 12);
	assert_int_equal(assay_module_vermagic(e.p, e.len, &v, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
	make_elf(&e, true, info, 0);
	assert_int_equal(assay_module_vermagic(e.p, e.len, &v, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
	make_elf(&e, true, info, 11); /* without its NUL */
	assert_int_equal(assay_module_vermagic(e.p, e.len, &v, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
}

static void elf_refused(const struct elf_file *e, enum assay_code code, const char *words)
{
	struct assay_err err;
	char *v;

	assert_int_equal(assay_module_vermagic(e->p, e->len, &v, &err), -1);
	if (err.code != code || !strstr(err.msg, words))
		fail_msg("%d: %s", (int)err.code, err.msg);
}

static void test_elf_refused(void **state)
{
	struct elf_file e;

	(void)state;
	make_elf(&e, true, info, sizeof(info));
	e.p[0] = 0;
	elf_refused(&e, ASSAY_E_CORRUPT, "no ELF magic");
	make_elf(&e, true, info, sizeof(info));
	e.p[4] = 3;
	elf_refused(&e, ASSAY_E_CORRUPT, "ELF class 3");
	make_elf(&e, true, info, sizeof(info));
	e.p[5] = 2;
	elf_refused(&e, ASSAY_E_UNSUPPORTED, "big-endian");
	make_elf(&e, true, info, sizeof(info));
	assay_put_le16(e.p + 60, 0); /* how many */
	elf_refused(&e, ASSAY_E_UNSUPPORTED, "0 sections");
	make_elf(&e, true, info, sizeof(info));
	assay_put_le16(e.p + 60, ASSAY_ELF_MAX_SECTIONS + 1);
	elf_refused(&e, ASSAY_E_UNSUPPORTED, "65281 sections");
	assay_put_le16(e.p + 60, ASSAY_ELF_MAX_SECTIONS);
	elf_refused(&e, ASSAY_E_CORRUPT, "section table of 65280 entries");
	make_elf(&e, true, info, sizeof(info));
	assay_put_le16(e.p + 62, 3); /* which has the names */
	elf_refused(&e, ASSAY_E_CORRUPT, "section table");
	assay_put_le16(e.p + 62, 0xffff);
	elf_refused(&e, ASSAY_E_UNSUPPORTED, "more than its header can say");
	make_elf(&e, true, info, sizeof(info));
	assay_put_le16(e.p + 58, 63); /* size of an entry */
	elf_refused(&e, ASSAY_E_CORRUPT, "headers of 63 bytes");
	make_elf(&e, true, info, sizeof(info));
	assay_put_le64(e.p + 40, UINT64_MAX - 10); /* where they are */
	elf_refused(&e, ASSAY_E_CORRUPT, "section table");
	make_elf(&e, true, info, sizeof(info));
	put_section(&e, 1, 1, 1, UINT64_MAX, 2);
	elf_refused(&e, ASSAY_E_CORRUPT, "ELF section 1");
	put_section(&e, 1, 1, 8, 64, 2); /* SHT_NOBITS */
	elf_refused(&e, ASSAY_E_CORRUPT, "ELF section 1");
	put_section(&e, 1, 0xffffffff, 1, 64, 2); /* a name beyond the names */
	elf_refused(&e, ASSAY_E_NOTFOUND, "no ELF section .modinfo");
	put_section(&e, 2, 10, 3, 0, UINT64_MAX);
	elf_refused(&e, ASSAY_E_CORRUPT, "ELF section 2");
}

static void test_paths(void **state)
{
	static const struct {
		const char *path, *release;
	} rows[] = {
		{ "lib/modules/6.1/x.ko", "6.1" },
		{ "usr/lib/modules/6.1-a+b/kernel/drivers/x.ko.xz", "6.1-a+b" },
		{ "/usr/lib/modules/6.1/x.ko.zst", "6.1" },
		{ "lib/modules/6.1/x.ko.gz", "6.1" },
		{ "lib/modules/6.1/modules.dep", NULL },
		{ "lib/modules/6.1/.ko", NULL },
		{ "lib/modules/6.1/x.ko.bz2", NULL },
		{ "lib/modules//x.ko", NULL },
		{ "lib/modules/x.ko", NULL },
		{ "lib/modules/", NULL },
		{ "lib/modules", NULL },
		{ "opt/lib/modules/6.1/x.ko", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *release;
		size_t n;
		const bool is = assay_module_path(rows[i].path, &release, &n);

		if (is != (rows[i].release != NULL))
			fail_msg("%s", rows[i].path);
		if (is) {
			assert_int_equal(n, strlen(rows[i].release));
			assert_memory_equal(release, rows[i].release, n);
		}
	}
}

static void verdict(const struct assay_modules *m, const char *release, enum assay_modules_verdict want,
		    const char *words)
{
	enum assay_modules_verdict v;
	struct assay_err err;
	char *why;

	assert_int_equal(assay_modules_check(m, release, &v, &why, &err), 0);
	assert_int_equal(v, want);
	if (words)
		assert_string_equal(why, words);
	else
		assert_null(why);
	free(why);
}

static void test_verdicts(void **state)
{
	struct assay_modules m = { 0 };
	struct assay_err err;
	struct elf_file e;

	(void)state;
	verdict(&m, "6.12.31", ASSAY_MODULES_NONE, NULL);
	assert_int_equal(assay_modules_add(&m, "etc/passwd", NULL, 0, &err), 0);
	assert_int_equal(assay_modules_add(&m, "lib/modules/6.12.30/a.ko", NULL, 0, &err), 0);
	verdict(&m, NULL, ASSAY_MODULES_UNKNOWN, NULL);
	verdict(&m, "6.12.30", ASSAY_MODULES_MATCH, NULL);
	verdict(&m, "6.12.31", ASSAY_MODULES_MISMATCH, "modules for 6.12.30, kernel is 6.12.31");
	verdict(&m, "6.12.3", ASSAY_MODULES_MISMATCH, "modules for 6.12.30, kernel is 6.12.3");
	assert_int_equal(assay_modules_add(&m, "lib/modules/6.1/a.ko", NULL, 0, &err), 0);
	assay_modules_sort(&m);
	verdict(&m, "6.12.31", ASSAY_MODULES_MISMATCH, "modules for 6.1, 6.12.30, kernel is 6.12.31");
	verdict(&m, "6.1", ASSAY_MODULES_MATCH, NULL);
	/* vermagic of another kernel: in a folder that is not the kernel's, and in one that is */
	make_elf(&e, true, info, sizeof(info));
	assert_int_equal(assay_modules_add(&m, "lib/modules/6.12.30/b.ko", e.p, e.len, &err), 0);
	verdict(&m, "6.1", ASSAY_MODULES_MATCH, NULL);
	verdict(&m, "6.12.30", ASSAY_MODULES_MISMATCH,
		"1 modules of 6.12.30 are for another kernel: lib/modules/6.12.30/b.ko has vermagic "
		"\"6.1.0-9-amd64 SMP preempt mod_unload \"");
	/* the right one, plain and packed; and none at all */
	uint8_t packed[1024];
	uLongf len = sizeof(packed);
	z_stream z = { 0 };

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = e.p;
	z.avail_in = (uInt)e.len;
	z.next_out = packed;
	z.avail_out = sizeof(packed);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	len = sizeof(packed) - z.avail_out;
	deflateEnd(&z);
	assert_int_equal(assay_modules_add(&m, "lib/modules/6.1.0-9-amd64/b.ko", e.p, e.len, &err), 0);
	assert_int_equal(assay_modules_add(&m, "lib/modules/6.1.0-9-amd64/c.ko.gz", packed, len, &err), 0);
	assert_int_equal(assay_modules_add(&m, "lib/modules/6.1.0-9-amd64/d.ko.gz", packed, len - 9, &err), 0);
	assert_int_equal(m.r[2].modules, 3);
	assert_int_equal(m.r[2].checked, 2);
	assert_int_equal(m.r[2].others, 0);
	assert_int_equal(m.r[2].unreadable, 1);
	assert_non_null(strstr(m.r[2].unreadable_why, "cut short"));
	verdict(&m, "6.1.0-9-amd64", ASSAY_MODULES_MATCH, NULL);
	assay_modules_clear(&m);
}

static void test_release_limit(void **state)
{
	struct assay_modules m = { 0 };
	struct assay_err err;

	(void)state;
	for (unsigned i = 0; i <= ASSAY_MODULE_MAX_RELEASES; i++) {
		char path[64];

		snprintf(path, sizeof(path), "lib/modules/%u/a.ko", i);
		assert_int_equal(assay_modules_add(&m, path, NULL, 0, &err),
				 i < ASSAY_MODULE_MAX_RELEASES ? 0 : -1);
	}
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	assay_modules_clear(&m);
}

static int use_modules(struct assay_err *err)
{
	struct assay_modules m = { 0 };
	enum assay_modules_verdict v;
	struct elf_file e;
	char *why = NULL;
	int rc;

	make_elf(&e, true, info, sizeof(info));
	rc = assay_modules_add(&m, "lib/modules/6.1/a.ko", e.p, e.len, err);
	if (rc == 0)
		rc = assay_modules_add(&m, "lib/modules/6.1/b.ko", "junk", 4, err);
	if (rc == 0)
		rc = assay_modules_check(&m, "6.1", &v, &why, err);
	free(why);
	assay_modules_clear(&m);
	return rc;
}

static void test_memory(void **state)
{
	(void)state;
	unit_alloc_each(use_modules, true);
}

/* --- against the kernels of an ESP ---- */

static const char root_facts[] =
	"{\"esp\": {\"programs\": ["
	"{\"path\": \"/a.efi\", \"linux\": {\"release\": \"6.1\"}}, {\"path\": \"/b.efi\"},"
	"{\"path\": \"/c.efi\", \"linux\": {\"release\": null}},"
	"{\"path\": \"/d.efi\", \"linux\": {\"release\": \"6.2\"}}]},"
	"\"filesystems\": [{\"partition\": 2}, {\"partition\": 3, \"modules\": ["
	"{\"release\": \"6.10\", \"modules\": 1}, {\"release\": \"6.1\", \"modules\": 2}]}]}";

static int check_root(struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *facts = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	size_t len;

	return assay_json_parse(root_facts, strlen(root_facts), &facts, err) < 0 ||
			       assay_root_modules_check(facts, err) < 0 ?
		       -1 :
		       assay_json_dump(facts, &text, &len, err);
}

static void test_root(void **state)
{
	ASSAY_AUTO(assay_json) *facts = NULL;
	const struct assay_json *list, *o;
	int64_t part;

	(void)state;
	assert_int_equal(assay_json_parse(root_facts, strlen(root_facts), &facts, NULL), 0);
	assert_int_equal(assay_root_modules_check(facts, NULL), 0);
	list = assay_json_get(facts, "modules");
	assert_int_equal(assay_json_len(list), 2);
	o = assay_json_at(list, 0);
	assert_string_equal(assay_json_str(assay_json_get(o, "program")), "/a.efi");
	assert_string_equal(assay_json_str(assay_json_get(o, "verdict")), "match");
	assert_null(assay_json_get(o, "reason"));
	assert_true(assay_json_get_int(assay_json_get(o, "partition"), &part) && part == 3);
	o = assay_json_at(list, 1);
	assert_string_equal(assay_json_str(assay_json_get(o, "verdict")), "mismatch");
	assert_string_equal(assay_json_str(assay_json_get(o, "reason")), "modules for 6.10, 6.1, kernel is 6.2");
	unit_alloc_each(check_root, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vermagic), cmocka_unit_test(test_elf_refused),
		cmocka_unit_test(test_paths),	 cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_release_limit), cmocka_unit_test(test_memory),
		cmocka_unit_test(test_root),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
