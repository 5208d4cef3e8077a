/* SPDX-License-Identifier: Apache-2.0 */
/* Disk image headers and tables: whole, cut at each length, at and past each ceiling, pointing elsewhere. */
#include "core/limits.h"
#include "tests/unit/alloc.h"
#include "tests/unit/disk_image.h"
#include "tests/unit/unit.h"

typedef enum assay_code check_fn(const uint8_t *p, size_t len, char *ret_msg);

static enum assay_code told(int rc, const struct assay_err *err, char *msg)
{
	if (msg)
		snprintf(msg, sizeof(err->msg), "%s", rc < 0 ? err->msg : "");
	return rc < 0 ? err->code : ASSAY_OK;
}

static enum assay_code check_qcow2(const uint8_t *p, size_t len, char *msg)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_err err = { 0 };
	struct assay_qcow2 q;

	assert_int_equal(assay_src_from_mem(p, len, &src, NULL), 0);
	return told(assay_qcow2_open(src, &q, &err) < 0 ? -1 : assay_qcow2_check(src, &q, 0, &err),
		    &err, msg);
}

static enum assay_code check_vhd(const uint8_t *p, size_t len, char *msg)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_err err = { 0 };
	struct assay_vhd v;

	assert_int_equal(assay_src_from_mem(p, len, &src, NULL), 0);
	return told(assay_vhd_check(src, &v, &err), &err, msg);
}

static enum assay_code check_vhdx(const uint8_t *p, size_t len, char *msg)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_err err = { 0 };
	struct assay_vhdx v;

	assert_int_equal(assay_src_from_mem(p, len, &src, NULL), 0);
	return told(assay_vhdx_check(src, &v, &err), &err, msg);
}

static enum assay_code check_vmdk(const uint8_t *p, size_t len, char *msg)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_err err = { 0 };
	struct assay_vmdk v;

	assert_int_equal(assay_src_from_mem(p, len, &src, NULL), 0);
	return told(assay_vmdk_check(src, &v, &err), &err, msg);
}

/* Whole it passes; cut anywhere (from the end, or in the first 70,000 bytes) it does not. */
static void each_cut(struct disk_image i, check_fn *check)
{
	char msg[512];
	size_t step = i.len > 100000 ? 511 : 1;

	if (check(i.p, i.len, msg) != ASSAY_OK)
		fail_msg("whole: %s", msg);
	for (size_t n = 0; n < i.len; n += n + 600 > i.len || n < 600 ? 1 : step) {
		/* Of its own length: what reads past the end is seen by the sanitizers. */
		uint8_t *copy = malloc(n ? n : 1);

		assert_non_null(copy);
		memcpy(copy, i.p, n);
		if (check(copy, n, NULL) != ASSAY_E_CORRUPT)
			fail_msg("%zu of %zu bytes: not refused as corrupt", n, i.len);
		free(copy);
	}
	free(i.p);
}

static void test_cuts(void **state)
{
	(void)state;
	each_cut(image_qcow2(), check_qcow2);
	each_cut(image_vhd(), check_vhd);
	each_cut(image_vhdx(), check_vhdx);
	each_cut(image_vmdk(), check_vmdk);
}

/* One change, and what comes of it. */
static void expect(struct disk_image i, check_fn *check, enum assay_code code, const char *word)
{
	char msg[512];
	const enum assay_code got = check(i.p, i.len, msg);

	free(i.p);
	if (got != code || !strstr(msg, word))
		fail_msg("code %d, wanted %d with '%s': %s", got, code, word, msg);
}

static struct disk_image qcow2_be32(size_t at, uint32_t v)
{
	struct disk_image i = image_qcow2();

	assay_put_be32(i.p + at, v);
	return i;
}

static struct disk_image qcow2_be64(size_t at, uint64_t v)
{
	struct disk_image i = image_qcow2();

	put_be64(i.p + at, v);
	return i;
}

static void test_qcow2(void **state)
{
	struct disk_image i;

	(void)state;
	expect(qcow2_be32(0, 0), check_qcow2, ASSAY_E_CORRUPT, "magic");
	expect(qcow2_be32(4, 1), check_qcow2, ASSAY_E_UNSUPPORTED, "version 1");
	expect(qcow2_be32(4, 2), check_qcow2, ASSAY_OK, "");
	expect(qcow2_be32(32, 1), check_qcow2, ASSAY_E_UNSUPPORTED, "encrypted");
	expect(qcow2_be32(20, 8), check_qcow2, ASSAY_E_UNSUPPORTED, "clusters of 2^8");
	expect(qcow2_be32(20, 22), check_qcow2, ASSAY_E_UNSUPPORTED, "clusters of 2^22");
	expect(qcow2_be64(24, ASSAY_DISK_MAX_SIZE), check_qcow2, ASSAY_E_CORRUPT, "first-level");
	expect(qcow2_be64(24, ASSAY_DISK_MAX_SIZE + 1), check_qcow2, ASSAY_E_LIMIT, "limit");
	expect(qcow2_be32(36, ASSAY_QCOW2_MAX_L1), check_qcow2, ASSAY_OK, "");
	expect(qcow2_be32(36, ASSAY_QCOW2_MAX_L1 + 1), check_qcow2, ASSAY_E_LIMIT, "limit");
	expect(qcow2_be32(36, 0), check_qcow2, ASSAY_E_CORRUPT, "first-level");
	expect(qcow2_be64(72, 1), check_qcow2, ASSAY_E_UNSUPPORTED, "not closed");
	expect(qcow2_be64(72, 2), check_qcow2, ASSAY_E_UNSUPPORTED, "marked corrupt");
	expect(qcow2_be64(72, 8), check_qcow2, ASSAY_E_CORRUPT, "compression type");
	expect(qcow2_be64(72, 32), check_qcow2, ASSAY_E_UNSUPPORTED, "0x20");
	expect(qcow2_be64(72, 1ULL << 63), check_qcow2, ASSAY_E_UNSUPPORTED, "0x8000000000000000");
	expect(qcow2_be32(100, 96), check_qcow2, ASSAY_E_CORRUPT, "header of 96");
	expect(qcow2_be64(104, 2ULL << 56), check_qcow2, ASSAY_E_UNSUPPORTED, "type 2");
	/* Tables and clusters that lie askew or elsewhere. */
	expect(qcow2_be64(40, 513), check_qcow2, ASSAY_E_CORRUPT, "table at 513");
	expect(qcow2_be64(40, 512ULL << 40), check_qcow2, ASSAY_E_CORRUPT, "not whole");
	expect(qcow2_be64(512, 4096), check_qcow2, ASSAY_E_CORRUPT, "not whole");
	expect(qcow2_be64(512, 0), check_qcow2, ASSAY_OK, "");
	expect(qcow2_be64(1032, 2560), check_qcow2, ASSAY_E_CORRUPT, "disk has at 512 lies past");
	expect(qcow2_be64(1032, 2560 | 1), check_qcow2, ASSAY_OK, ""); /* reads as zeros */
	expect(qcow2_be64(1032, 0), check_qcow2, ASSAY_OK, "");
	/* Compressed: bits 0 to 60 the place, 61 one more sector. */
	expect(qcow2_be64(1032, 1ULL << 62 | 1536), check_qcow2, ASSAY_OK, "");
	expect(qcow2_be64(1032, 1ULL << 62 | 1ULL << 61 | 1536), check_qcow2, ASSAY_E_CORRUPT, "past");
	/* Beyond the disk's end nobody looks. */
	expect(qcow2_be64(1040, 1ULL << 40), check_qcow2, ASSAY_OK, "");

	/* Names: a backing file, its format, a NUL in it, one too long. */
	i = qcow2_be64(8, 480);
	assay_put_be32(i.p + 16, 6);
	memcpy(i.p + 480, "secret", 6);
	assay_put_be32(i.p + 112, 0xe2792aca);
	assay_put_be32(i.p + 116, 3);
	memcpy(i.p + 120, "raw", 3);
	struct assay_qcow2 q;

	assert_int_equal(assay_qcow2_parse(assay_cur_make(i.p, i.len, 0), &q, NULL), 0);
	assert_string_equal(q.backing, "secret");
	assert_string_equal(q.backing_format, "raw");
	i.p[482] = 0;
	expect(i, check_qcow2, ASSAY_E_CORRUPT, "NUL inside");
	i = qcow2_be64(8, 480);
	assay_put_be32(i.p + 16, 1024);
	expect(i, check_qcow2, ASSAY_E_LIMIT, "1024 bytes");
	expect(qcow2_be64(8, 100), check_qcow2, ASSAY_E_CORRUPT, "name at 100");
	expect(qcow2_be64(8, 513), check_qcow2, ASSAY_E_CORRUPT, "name at 513");
	i = qcow2_be32(112, 0x0537be77);
	assay_put_be32(i.p + 116, 8);
	expect(i, check_qcow2, ASSAY_E_UNSUPPORTED, "encrypted");
	i = qcow2_be32(112, 7);
	assay_put_be32(i.p + 116, 0x7fffffff);
	expect(i, check_qcow2, ASSAY_E_CORRUPT, "extension");
}

static void test_vhd(void **state)
{
	struct disk_image i = image_of(1024 + 512);

	(void)state;
	vhd_footer(i.p + 1024, 1024, 2);
	expect(i, check_vhd, ASSAY_OK, "");
	i = image_of(1024 + 512);
	vhd_footer(i.p + 1024, 512, 2);
	expect(i, check_vhd, ASSAY_E_CORRUPT, "fixed disk of 512");
	i = image_vhd();
	i.p[60]++;
	expect(i, check_vhd, ASSAY_E_CORRUPT, "not the same");
	i = image_vhd();
	vhd_footer(i.p, 5120, 4);
	vhd_footer(i.p + i.len - 512, 5120, 4);
	expect(i, check_vhd, ASSAY_E_UNSUPPORTED, "differencing");
	i = image_vhd();
	vhd_footer(i.p, ASSAY_DISK_MAX_SIZE + 512, 3);
	memcpy(i.p + i.len - 512, i.p, 512);
	expect(i, check_vhd, ASSAY_E_LIMIT, "limit");
	i = image_vhd();
	vhd_footer(i.p, ASSAY_DISK_MAX_SIZE, 3);
	memcpy(i.p + i.len - 512, i.p, 512);
	expect(i, check_vhd, ASSAY_E_CORRUPT, "too few");
	i = image_vhd();
	i.p[i.len - 1]++;
	expect(i, check_vhd, ASSAY_E_CORRUPT, "checksum");
	i = image_vhd();
	i.p[600]++;
	expect(i, check_vhd, ASSAY_E_CORRUPT, "header's checksum");
	/* The second block past the end; a bitmap that disowns a sector, empty and not. */
	i = image_vhd();
	assay_put_be32(i.p + 1540, 13);
	expect(i, check_vhd, ASSAY_E_CORRUPT, "disk has at 4096 lies past");
	i = image_vhd();
	i.p[2048] = 0xfe;
	expect(i, check_vhd, ASSAY_OK, "");
	i = image_vhd();
	i.p[2048] = 0xfe;
	i.p[2048 + 512 + 4095] = 1;
	expect(i, check_vhd, ASSAY_E_UNSUPPORTED, "not zeros");
}

static void test_vhdx(void **state)
{
	struct disk_image i = image_vhdx();

	(void)state;
	i.p[65536 + 100] = 1; /* the first header is damaged: the second counts */
	expect(i, check_vhdx, ASSAY_OK, "");
	i = image_vhdx();
	i.p[65536 + 100] = i.p[131072 + 100] = 1;
	expect(i, check_vhdx, ASSAY_E_CORRUPT, "CRC");
	i = image_vhdx();
	i.p[131072 + 48] = 1; /* a log */
	vhdx_seal(i.p + 131072, 4096);
	expect(i, check_vhdx, ASSAY_E_UNSUPPORTED, "log");
	i = image_vhdx();
	i.p[65536 + 48] = 1; /* in the older header: of no account */
	vhdx_seal(i.p + 65536, 4096);
	expect(i, check_vhdx, ASSAY_OK, "");
	i = image_vhdx();
	i.p[196608 + 40]++;
	vhdx_seal(i.p + 196608, 65536);
	expect(i, check_vhdx, ASSAY_E_CORRUPT, "not the same");
	i = image_vhdx();
	i.p[196608 + 100]++; /* damaged: the second table counts */
	expect(i, check_vhdx, ASSAY_OK, "");
	i = image_vhdx();
	i.p[VHDX_METADATA + 4096 + 4] = 2;
	expect(i, check_vhdx, ASSAY_E_UNSUPPORTED, "differencing");
	i = image_vhdx();
	i.p[VHDX_METADATA + 32]++;
	expect(i, check_vhdx, ASSAY_E_UNSUPPORTED, "unknown metadata");
	i = image_vhdx();
	assay_put_le64(i.p + VHDX_METADATA + 4104, ASSAY_DISK_MAX_SIZE + 512);
	expect(i, check_vhdx, ASSAY_E_LIMIT, "limit");
	i = image_vhdx();
	assay_put_le64(i.p + VHDX_METADATA + 4104, ASSAY_DISK_MAX_SIZE);
	expect(i, check_vhdx, ASSAY_E_CORRUPT, "disk has at 0 lies past");
}

static void test_vhdx_blocks(void **state)
{
	static const struct {
		uint64_t entry;
		enum assay_code code;
	} cases[] = {
		{ 0, ASSAY_OK },
		{ 1, ASSAY_E_UNSUPPORTED },
		{ 2, ASSAY_OK },
		{ 3, ASSAY_OK },
		{ 1U << 20 | 3, ASSAY_E_UNSUPPORTED },
		{ 4, ASSAY_E_UNSUPPORTED },
		{ 2U << 20 | 6, ASSAY_E_CORRUPT },
		{ 1U << 20 | 7, ASSAY_E_UNSUPPORTED },
	};

	(void)state;
	for (size_t n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
		struct disk_image i = image_vhdx();

		assay_put_le64(i.p + VHDX_BAT, cases[n].entry);
		expect(i, check_vhdx, cases[n].code, "");
	}
}

static void test_vmdk(void **state)
{
	struct disk_image i = image_vmdk();

	(void)state;
	assay_put_le64(i.p + 12, 0);
	expect(i, check_vmdk, ASSAY_E_UNSUPPORTED, "without a capacity");
	i = image_vmdk();
	assay_put_le64(i.p + 12, ASSAY_DISK_MAX_SIZE / 512 + 1);
	expect(i, check_vmdk, ASSAY_E_LIMIT, "limit");
	i = image_vmdk();
	assay_put_le64(i.p + 12, ASSAY_DISK_MAX_SIZE / 512);
	expect(i, check_vmdk, ASSAY_E_UNSUPPORTED, "another disk");
	i = image_vmdk();
	assay_put_le64(i.p + 20, 3);
	expect(i, check_vmdk, ASSAY_E_CORRUPT, "grains of 3");
	i = image_vmdk();
	assay_put_le32(i.p + 44, 513);
	expect(i, check_vmdk, ASSAY_E_CORRUPT, "513 entries");
	i = image_vmdk();
	i.p[74] = '\n';
	expect(i, check_vmdk, ASSAY_E_CORRUPT, "line ends");
	i = image_vmdk();
	assay_put_le32(i.p + 1540, 13);
	expect(i, check_vmdk, ASSAY_E_CORRUPT, "disk has at 4096 lies past");
	i = image_vmdk();
	assay_put_le32(i.p + 1536, 0);
	expect(i, check_vmdk, ASSAY_OK, "");
	i = image_vmdk();
	assay_put_le32(i.p + 1024, 1U << 20);
	expect(i, check_vmdk, ASSAY_E_CORRUPT, "disk has at 0 lies past");
	i = image_vmdk();
	assay_put_le64(i.p + 28, 0);
	expect(i, check_vmdk, ASSAY_E_UNSUPPORTED, "part of a disk");
	i = image_vmdk();
	i.p[10] = 3; /* compressed, with markers; the algorithm is none */
	expect(i, check_vmdk, ASSAY_E_UNSUPPORTED, "compression");
	i = image_vmdk();
	i.p[10] = 3;
	i.p[77] = 1; /* the type is still that of one that is not compressed */
	expect(i, check_vmdk, ASSAY_E_UNSUPPORTED, "VMDK of type 'monolithicSparse'");
	/* Grains that say where they belong: the second one lies. */
	for (unsigned lie = 0; lie < 2; lie++) {
		i = image_vmdk();
		i.p[10] = 3;
		i.p[77] = 1;
		memcpy(strstr((char *)i.p + 512, "monolithicSparse\""), "streamOptimized\" ", 17);
		assay_put_le32(i.p + 2048 + 8, 100);
		assay_put_le64(i.p + 2048 + 4096, 8 + lie);
		assay_put_le32(i.p + 2048 + 4096 + 8, 500);
		expect(i, check_vmdk, lie ? ASSAY_E_CORRUPT : ASSAY_OK, lie ? "says it is for 9" : "");
	}
}

static enum assay_code text_of(const char *text, struct assay_vmdk_descriptor *d, char *msg)
{
	struct assay_err err = { 0 };

	return told(assay_vmdk_parse_descriptor(text, strlen(text), 0, d, &err), &err, msg);
}

static void test_descriptor(void **state)
{
	static const struct {
		const char *text, *word;
		enum assay_code code;
	} bad[] = {
		{ "", "no extent", ASSAY_E_CORRUPT },
		{ "createType=\"x\"\n", "no extent", ASSAY_E_CORRUPT },
		{ "RW 1 ZERO\n", "no createType", ASSAY_E_CORRUPT },
		{ "nothing\n", "without '='", ASSAY_E_CORRUPT },
		{ "RW x FLAT \"a\" 0\n", "without size", ASSAY_E_CORRUPT },
		{ "RW 0 FLAT \"a\" 0\n", "without size", ASSAY_E_CORRUPT },
		{ "RW 1 FLAT a 0\n", "without a file", ASSAY_E_CORRUPT },
		{ "RW 1 FLAT \"a\" x\n", "odd offset", ASSAY_E_CORRUPT },
		{ "RW 99999999999999999 FLAT \"a\" 0\n", "extents of more", ASSAY_E_LIMIT },
		{ "NOACCESS 1 FLAT \"a\" 0\n", "may not be read", ASSAY_E_UNSUPPORTED },
		{ "parentCID=12345678\n", "parent", ASSAY_E_UNSUPPORTED },
		{ "PARENTcid = \"0\"\n", "parent", ASSAY_E_UNSUPPORTED },
		{ "parentFileNameHint=\"base.vmdk\"\n", "parent", ASSAY_E_UNSUPPORTED },
	};
	struct assay_vmdk_descriptor d;
	char msg[512];

	(void)state;
	assert_int_equal(text_of("\r\n# x\nparentCID=FFFFFFFF\r\ncreateType = \"twoGb\"\n"
				 "RW 2 FLAT \"a b\" 7\r\nRDONLY 3 ZERO\n\tRW 1 VMFS \"c\"",
				 &d, msg),
			 ASSAY_OK);
	assert_string_equal(d.type, "twoGb");
	assert_int_equal(d.n, 3);
	assert_int_equal(d.size, 6 * 512);
	assert_string_equal(d.extents[0].file, "a b");
	assert_int_equal(d.extents[0].offset, 7 * 512);
	assert_int_equal(d.extents[1].kind, ASSAY_VMDK_ZERO);
	assert_null(d.extents[1].file);
	assert_int_equal(d.extents[2].kind, ASSAY_VMDK_OTHER);
	assay_vmdk_descriptor_clear(&d);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const enum assay_code code = text_of(bad[i].text, &d, msg);

		if (code != bad[i].code || !strstr(msg, bad[i].word))
			fail_msg("%s: %d, %s", bad[i].text, code, msg);
	}
	for (unsigned n = ASSAY_VMDK_MAX_EXTENTS; n <= ASSAY_VMDK_MAX_EXTENTS + 1; n++) {
		char *text = malloc(n * 10 + 20);

		assert_non_null(text);

		size_t len = (size_t)sprintf(text, "createType=x\n");

		for (unsigned i = 0; i < n; i++)
			len += (size_t)sprintf(text + len, "RW 1 ZERO\n");
		assert_int_equal(text_of(text, &d, msg),
				 n > ASSAY_VMDK_MAX_EXTENTS ? ASSAY_E_LIMIT : ASSAY_OK);
		if (n <= ASSAY_VMDK_MAX_EXTENTS)
			assay_vmdk_descriptor_clear(&d);
		free(text);
	}
}

static struct disk_image oom_image;
static check_fn *oom_check;

static int use_image(struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_qcow2 q;
	struct assay_vhd vhd;
	struct assay_vhdx vhdx;
	struct assay_vmdk vmdk;

	if (assay_src_from_mem(oom_image.p, oom_image.len, &src, err) < 0)
		return -1;
	if (oom_check == check_qcow2)
		return assay_qcow2_open(src, &q, err) < 0 ? -1 : assay_qcow2_check(src, &q, 0, err);
	if (oom_check == check_vhd)
		return assay_vhd_check(src, &vhd, err);
	if (oom_check == check_vhdx)
		return assay_vhdx_check(src, &vhdx, err);
	return assay_vmdk_check(src, &vmdk, err);
}

static void test_out_of_memory(void **state)
{
	const struct disk_image images[] = { image_qcow2(), image_vhd(), image_vhdx(), image_vmdk() };
	check_fn *const checks[] = { check_qcow2, check_vhd, check_vhdx, check_vmdk };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		oom_image = images[i];
		oom_check = checks[i];
		unit_alloc_each(use_image, true);
		free(images[i].p);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_cuts),	    cmocka_unit_test(test_qcow2),
	cmocka_unit_test(test_vhd),	    cmocka_unit_test(test_vhdx),
	cmocka_unit_test(test_vhdx_blocks), cmocka_unit_test(test_vmdk),
	cmocka_unit_test(test_descriptor),  cmocka_unit_test(test_out_of_memory),
};

UNIT_MAIN(tests)
