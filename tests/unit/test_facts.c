/* SPDX-License-Identifier: Apache-2.0 */
/* The facts of small disks in memory: programs, files, what is broken, what nothing covers; and the map of their bytes. */
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

#include "core/hash.h"
#include "core/limits.h"
#include "measure/links.h"
#include "tests/unit/chain_build.h"

#define ROOT_X64 "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"

static struct peb uki;
static struct assay_err err;
static struct assay_json *facts;
static struct assay_links *links;
static uint8_t *disk;
static size_t disk_len;

static int build(void **state)
{
	(void)state;
	build_uki(&uki, "systemd-stub 257.13", BUILD_DEBIAN_6_12, "quiet");
	return 0;
}

static int unbuild(void **state)
{
	(void)state;
	peb_free(&uki);
	return 0;
}

static int clear(void **state)
{
	(void)state;
	assay_json_free(&facts);
	assay_links_free(&links);
	free(disk);
	disk = NULL;
	return 0;
}

static int measure(const char *boot, unsigned banks)
{
	const struct assay_facts_options options = { .boot = boot, .banks = banks };
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_image) *image = NULL;

	assay_json_free(&facts);
	assay_links_free(&links);
	memset(&err, 0, sizeof(err));
	if (assay_src_from_mem(disk, disk_len, &src, &err) < 0 || assay_image_open(src, "d.raw", &image, &err) < 0)
		return -1;
	return assay_image_facts(image, &options, &facts, &links, &err);
}

static const struct assay_json *in(const struct assay_json *o, const char *a, const char *b)
{
	return assay_json_get(assay_json_get(o, a), b);
}

static uint64_t number(const struct assay_json *o, const char *key)
{
	int64_t v = -1;

	assert_true(assay_json_get_int(assay_json_get(o, key), &v));
	return (uint64_t)v;
}

static const char *text(const struct assay_json *o, const char *key)
{
	const char *s = assay_json_str(assay_json_get(o, key));

	assert_non_null(s);
	return s;
}

/* The n-th region that has these words. */
static const struct assay_json *region(const char *words, size_t n)
{
	const struct assay_json *list = assay_json_get(facts, "regions");

	for (size_t i = 0; i < assay_json_len(list); i++)
		if (strstr(text(assay_json_at(list, i), "what"), words) && n-- == 0)
			return assay_json_at(list, i);
	fail_msg("no region '%s'", words);
	return NULL;
}

static void test_programs_and_files(void **state)
{
	const struct disk_file files[] = { { "/EFI/BOOT/BOOTX64.EFI", uki.p, uki.len },
					   { "/EFI/bad.efi", "MZ and no more", 14 },
					   { "/a.txt", "words", 5 } };
	uint8_t sha[32];
	char hex[65];
	const struct assay_part whole = { NULL, 0 };
	struct assay_part part = whole;

	(void)state;
	disk = disk_build(files, 3, NULL, 0, &disk_len);
	assert_int_equal(measure(NULL, ASSAY_BANK_BIT(ASSAY_SHA1)), 0);
	assert_string_equal(text(facts, "schema"), "assay.facts/1");
	assert_string_equal(text(facts, "boot"), "/EFI/BOOT/BOOTX64.EFI");
	assert_int_equal(number(assay_json_get(facts, "image"), "size"), disk_len);
	part = (struct assay_part){ disk, disk_len };
	assert_int_equal(assay_digest_one(ASSAY_SHA256, &part, 1, sha, NULL), 0);
	assert_string_equal(text(in(facts, "image", "digest"), "sha256"), assay_hex(sha, 32, hex));
	assert_int_equal(assay_json_len(in(facts, "esp", "programs")), 1);
	const struct assay_json *program = assay_json_at(in(facts, "esp", "programs"), 0);
	assert_string_equal(text(program, "cmdline"), "quiet");
	assert_null(assay_json_get(assay_json_get(program, "authenticode"), "sha256")); /* not asked for */
	/* sorted; a program that cannot be read is a file with an error */
	const struct assay_json *list = in(facts, "esp", "files");
	assert_int_equal(assay_json_len(list), 2);
	assert_string_equal(text(assay_json_at(list, 0), "path"), "/EFI/bad.efi");
	assert_non_null(strstr(text(assay_json_at(list, 0), "error"), "/EFI/bad.efi"));
	part = (struct assay_part){ "words", 5 };
	assert_int_equal(assay_digest_one(ASSAY_SHA1, &part, 1, sha, NULL), 0);
	assert_string_equal(text(assay_json_get(assay_json_at(list, 1), "digest"), "sha1"), assay_hex(sha, 20, hex));

	/* what boots has to be readable */
	assert_int_equal(measure("/EFI/bad.efi", ASSAY_BANK_BIT(ASSAY_SHA1)), -1);
	assert_non_null(strstr(err.msg, "/EFI/bad.efi"));
	assert_int_equal(measure("/none", ASSAY_BANK_BIT(ASSAY_SHA1)), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
}

/* Each region against the bytes that are there. */
static void test_regions(void **state)
{
	const struct disk_file files[] = { { "/EFI/BOOT/BOOTX64.EFI", uki.p, uki.len }, { "/a.txt", "words", 5 } };
	const char *const more[] = { "0fc63daf-8483-4772-8e79-3d69d8477de4" };
	const struct assay_json *r;

	(void)state;
	disk = disk_build(files, 2, more, 1, &disk_len);
	assert_int_equal(measure(NULL, ASSAY_BANK_BIT(ASSAY_SHA256)), 0);
	r = region("GPT header", 0);
	assert_int_equal(number(r, "offset"), 512);
	assert_int_equal(number(r, "size"), 92);
	assert_string_equal(assay_json_str(assay_json_at(assay_json_get(r, "by"), 0)), "PCR 5");
	r = region("GPT entries", 0);
	assert_int_equal(number(r, "size"), 2 * 128);
	assert_string_equal(text(r, "measured"), "yes");
	r = region("GPT entries that are not used", 0);
	assert_int_equal(number(r, "size"), 126 * 128);
	assert_string_equal(text(r, "measured"), "partly");
	r = region("/a.txt", 0);
	assert_int_equal(number(r, "size"), 5);
	assert_memory_equal(disk + number(r, "offset"), "words", 5);
	r = region("behind the end of /a.txt", 0);
	assert_int_equal(number(r, "size"), DISK_CLUSTER - 5);
	assert_string_equal(text(r, "measured"), "no");
	r = region("section .cmdline", 0);
	assert_int_equal(number(r, "size"), 5);
	assert_memory_equal(disk + number(r, "offset"), "quiet", 5);
	assert_string_equal(assay_json_str(assay_json_at(assay_json_get(r, "by"), 1)), "PCR 11");
	r = region("boot sector", 0);
	assert_memory_equal(disk + number(r, "offset") + 3, "TESTDISK", 8);
	r = region("partition 2", 0);
	assert_int_equal(number(r, "size"), DISK_SECTOR);
	assert_string_equal(text(r, "measured"), "no");
}

static void test_open_links(void **state)
{
	const struct disk_file files[] = { { "/EFI/BOOT/BOOTX64.EFI", uki.p, uki.len } };
	const char *const more[] = { ROOT_X64 };

	(void)state;
	disk = disk_build(files, 1, NULL, 0, &disk_len);
	assert_int_equal(measure(NULL, ASSAY_BANK_BIT(ASSAY_SHA1)), 0);
	assert_int_equal(links->n, 1);
	assert_int_equal(links->l[0].kind, ASSAY_LINK_VERITY);
	assert_int_equal(links->l[0].state, ASSAY_LINK_OPEN);
	free(disk);

	/* a root of zeros: nothing vouches for it, and it is no filesystem */
	disk = disk_build(files, 1, more, 1, &disk_len);
	assert_int_equal(measure(NULL, ASSAY_BANK_BIT(ASSAY_SHA1)), 0);
	assert_int_equal(links->n, 2);
	assert_int_equal(links->l[0].state, ASSAY_LINK_OPEN);
	assert_int_equal(links->l[1].kind, ASSAY_LINK_FILESYSTEM);
	assert_int_equal(links->l[1].state, ASSAY_LINK_OPEN);
	assert_string_equal(text(region("partition 2", 0), "measured"), "partly");
}

/* A command line that names a root hash which the disk has not; a name that would steer a terminal. */
static void test_broken_link(void **state)
{
	static const char cmdline[] =
		"roothash=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	struct peb named;

	(void)state;
	build_uki(&named, "systemd-stub 257.13", BUILD_DEBIAN_6_12, cmdline);
	const struct disk_file files[] = { { "/EFI/BOOT/BOOTX64.EFI", named.p, named.len } };
	disk = disk_build(files, 1, NULL, 0, &disk_len);
	assert_int_equal(measure(NULL, ASSAY_BANK_BIT(ASSAY_SHA1)), 0);
	assert_int_equal(links->n, 1);
	assert_int_equal(links->l[0].kind, ASSAY_LINK_ROOT_HASH);
	assert_int_equal(links->l[0].state, ASSAY_LINK_BROKEN);
	assert_string_equal(links->l[0].by, "PCR 11: .cmdline of /EFI/BOOT/BOOTX64.EFI");
	assert_non_null(strstr(links->l[0].why, "no partition has the UUID"));
	assert_int_equal(links->l[0].root_hash_size, 32);

	assert_int_equal(assay_links_add(links, ASSAY_LINK_CONTAINER, ASSAY_LINK_OK,
					 strdup("a\x1b[2Jb \xc3\xa9 \xff\xc2\x9b"), NULL, NULL, NULL, &err), 0);
	assert_string_equal(links->l[1].what, "a\\x1b[2Jb \xc3\xa9 \\xff\\xc2\\x9b");
	/* one that is not ok has to say why */
	assert_int_equal(assay_links_add(links, ASSAY_LINK_CONTAINER, ASSAY_LINK_BROKEN, strdup("a"), NULL, NULL, NULL,
					 &err), -1);
	peb_free(&named);
}

/* Many small files: each has its own place. */
static void test_many_files(void **state)
{
	struct disk_file files[40];
	char names[40][32];

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		snprintf(names[i], sizeof(names[i]), "/f%zu.", i);
		files[i] = (struct disk_file){ names[i], "x", 1 };
	}
	files[0] = (struct disk_file){ "/EFI/BOOT/BOOTX64.EFI", uki.p, uki.len };
	disk = disk_build(files, 40, NULL, 0, &disk_len);
	assert_int_equal(measure(NULL, ASSAY_BANK_BIT(ASSAY_SHA1)), 0);
	for (size_t i = 1; i < 40; i++)
		assert_int_equal(number(region(names[i], 0), "size"), 1);
}

static int whole(struct assay_err *e)
{
	static const struct assay_facts_options options = { .banks = ASSAY_BANK_BIT(ASSAY_SHA256) };
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_image) *image = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO(assay_links) *chain = NULL;
	ASSAY_AUTO_FREE char *dump = NULL;
	size_t len;

	if (assay_src_from_mem(disk, disk_len, &src, e) < 0 || assay_image_open(src, "d", &image, e) < 0 ||
	    assay_image_facts(image, &options, &json, &chain, e) < 0)
		return -1;
	return assay_json_dump(json, &dump, &len, e);
}

static void test_out_of_memory(void **state)
{
	const struct disk_file files[] = { { "/EFI/BOOT/BOOTX64.EFI", uki.p, uki.len }, { "/a", "b", 1 } };
	const char *const more[] = { ROOT_X64 };

	(void)state;
	disk = disk_build(files, 2, more, 1, &disk_len);
	assay_hash_set_threads(1);
	unit_alloc_each(whole, true);
	assay_hash_set_threads(0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_teardown(test_programs_and_files, clear),
	cmocka_unit_test_teardown(test_regions, clear),
	cmocka_unit_test_teardown(test_open_links, clear),
	cmocka_unit_test_teardown(test_broken_link, clear),
	cmocka_unit_test_teardown(test_many_files, clear),
	cmocka_unit_test_teardown(test_out_of_memory, clear),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, build, unbuild);
}
