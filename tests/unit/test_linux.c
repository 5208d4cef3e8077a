/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of kernel images, field by field. */
#include "core/cur.h"
#include "measure/pe/uki.h"
#include "tests/unit/unit.h"

#define SIZE 4096

static int read_header(const uint8_t *p, size_t n, struct assay_linux_header *h, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	uint8_t *copy = malloc(n + 1); /* its end is watched by sanitizers */
	int rc;

	memcpy(copy, p, n);
	assert_int_equal(assay_src_from_mem(copy, n, &src, err), 0);
	rc = assay_linux_header_read(src, h, err);
	free(copy);
	return rc;
}

static void make_x86(uint8_t p[SIZE])
{
	memset(p, 0, SIZE);
	memcpy(p, "MZ", 2);
	p[0x1f1] = 1;
	assay_put_le32(p + 0x1f4, 100);
	p[0x200] = 0xeb;
	p[0x201] = 0x6a; /* the header ends at 0x26c */
	memcpy(p + 0x202, "HdrS", 4);
	assay_put_le16(p + 0x206, 0x020f);
	p[0x211] = 0x81;
	p[0x234] = 1;
	assay_put_le16(p + 0x236, 0x7f);
	assay_put_le32(p + 0x238, 2047);
	assay_put_le32(p + 0x248, 0x100);
	assay_put_le32(p + 0x24c, SIZE - 1024 - 0x100);
	assay_put_le32(p + 0x260, 0x123456);
}

static void test_x86(void **state)
{
	struct assay_linux_header h;
	struct assay_err err;
	uint8_t p[SIZE];

	(void)state;
	make_x86(p);
	assert_int_equal(read_header(p, SIZE, &h, &err), 0);
	assert_string_equal(h.arch, "x86");
	assert_int_equal(h.protocol, 0x020f);
	assert_int_equal(h.setup_sects, 1);
	assert_int_equal(h.syssize, 1600);
	assert_int_equal(h.loadflags, 0x81);
	assert_true(h.relocatable);
	assert_int_equal(h.xloadflags, 0x7f);
	assert_int_equal(h.cmdline_size, 2047);
	assert_int_equal(h.payload_offset, 1024 + 0x100);
	assert_int_equal(h.payload_size, SIZE - 1024 - 0x100);
	assert_int_equal(h.init_size, 0x123456);
	/* no sectors mean four */
	p[0x1f1] = 0;
	assay_put_le32(p + 0x24c, 1);
	assert_int_equal(read_header(p, SIZE, &h, &err), 0);
	assert_int_equal(h.setup_sects, 4);
	assert_int_equal(h.payload_offset, 5 * 512 + 0x100);
}

/* A field counts from the protocol on that has it, and inside the header. */
static void test_protocols(void **state)
{
	struct assay_linux_header h;
	struct assay_err err;
	uint8_t p[SIZE];

	(void)state;
	make_x86(p);
	assay_put_le16(p + 0x206, 0x0207);
	assert_int_equal(read_header(p, SIZE, &h, &err), 0);
	assert_int_equal(h.payload_size, 0);
	assert_int_equal(h.init_size, 0);
	assert_int_equal(h.cmdline_size, 2047);
	assay_put_le16(p + 0x206, 0x0209);
	assert_int_equal(read_header(p, SIZE, &h, &err), 0);
	assert_int_equal(h.payload_size, SIZE - 1024 - 0x100);
	assert_int_equal(h.init_size, 0);
	assert_int_equal(h.xloadflags, 0);
	assay_put_le16(p + 0x206, 0x0203);
	assert_int_equal(read_header(p, SIZE, &h, &err), 0);
	assert_int_equal(h.syssize, 0);
	make_x86(p);
	p[0x201] = 0x24c + 4 - 0x202;
	assert_int_equal(read_header(p, SIZE, &h, &err), 0);
	assert_int_equal(h.payload_size, SIZE - 1024 - 0x100);
	assert_int_equal(h.init_size, 0);
	p[0x201]--;
	assert_int_equal(read_header(p, SIZE, &h, &err), 0);
	assert_int_equal(h.payload_size, 0);
}

static void test_x86_refused(void **state)
{
	struct assay_linux_header h;
	struct assay_err err;
	uint8_t p[SIZE];

	(void)state;
	make_x86(p);
	assay_put_le32(p + 0x24c, SIZE - 1024 - 0x100 + 1);
	assert_int_equal(read_header(p, SIZE, &h, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	assert_int_equal(err.at, 0x248);
	assay_put_le32(p + 0x248, UINT32_MAX);
	assert_int_equal(read_header(p, SIZE, &h, &err), -1);
	make_x86(p);
	for (size_t n = 0; n < SIZE; n++) {
		const int rc = read_header(p, n, &h, &err);

		/* until the magic is there, it is nothing that is known; then, the payload is not in the file */
		if (n < 0x206)
			assert_true(rc < 0 && err.code == ASSAY_E_UNSUPPORTED);
		else if (n < 0x210 || n >= 0x250)
			assert_true(rc < 0 && err.code == ASSAY_E_CORRUPT);
	}
}

static void test_others(void **state)
{
	static const struct {
		const char *magic, *arch;
	} rows[] = { { "ARM\x64", "arm64" }, { "RSC\x05", "riscv" } };
	struct assay_linux_header h;
	struct assay_err err;
	uint8_t p[SIZE] = { 'M', 'Z' };

	(void)state;
	assert_int_equal(read_header(p, SIZE, &h, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	for (size_t i = 0; i < 2; i++) {
		memset(p, 0, SIZE);
		assay_put_le64(p + 8, 0x80000);
		assay_put_le64(p + 16, 0x1234567890);
		assay_put_le64(p + 24, 10);
		memcpy(p + 0x38, rows[i].magic, 4);
		for (size_t n = 0; n <= 0x40; n++) {
			const int rc = read_header(p, n, &h, &err);

			assert_int_equal(rc, n < 0x40 ? -1 : 0);
			if (rc < 0)
				assert_int_equal(err.code, n < 0x3c ? ASSAY_E_UNSUPPORTED : ASSAY_E_CORRUPT);
		}
		assert_string_equal(h.arch, rows[i].arch);
		assert_int_equal(h.text_offset, 0x80000);
		assert_int_equal(h.image_size, 0x1234567890);
		assert_int_equal(h.flags, 10);
		assert_int_equal(h.payload_size, 0);
	}
}

static void test_zboot(void **state)
{
	struct assay_linux_header h;
	struct assay_err err;
	uint8_t p[SIZE] = { 'M', 'Z', 0, 0, 'z', 'i', 'm', 'g' };

	(void)state;
	assay_put_le32(p + 8, 0x400);
	assay_put_le32(p + 12, SIZE - 0x400);
	memset(p + 24, 'g', 32);
	assert_int_equal(read_header(p, SIZE, &h, &err), 0);
	assert_string_equal(h.arch, "zboot");
	assert_int_equal(h.payload_offset, 0x400);
	assert_int_equal(h.payload_size, SIZE - 0x400);
	assert_string_equal(h.packing, "gggggggggggggggggggggggggggggggg");
	strcpy((char *)p + 24, "zstd22");
	assert_int_equal(read_header(p, SIZE, &h, &err), 0);
	assert_string_equal(h.packing, "zstd22");
	assert_int_equal(read_header(p, SIZE - 1, &h, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	assert_int_equal(read_header(p, 0x3f, &h, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_x86),    cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_x86_refused), cmocka_unit_test(test_others),
		cmocka_unit_test(test_zboot),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
