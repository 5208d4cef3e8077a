/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "core/limits.h"
#include "measure/pe/pe.h"
#include "tests/unit/pe_build.h"

/* Opens a copy of exactly len bytes, so that a sanitizer sees a read past its end. */
static int open_bytes(const uint8_t *p, size_t len, struct assay_pe **ret, uint8_t **copy,
		      struct assay_err *err)
{
	struct assay_src *src;
	struct assay_err ignored;
	int r;

	*copy = malloc(len ? len : 1);
	assert_non_null(*copy);
	memcpy(*copy, p, len);
	assert_int_equal(assay_src_from_mem(*copy, len, &src, &ignored), 0);
	r = assay_pe_open(src, ret, err);
	assay_src_free(&src);
	return r;
}

static void refused(const struct peb *b, size_t len, enum assay_code code, uint64_t at,
		    const char *msg)
{
	struct assay_pe *pe = NULL;
	struct assay_err err = { 0 };
	uint8_t *copy;

	assert_int_equal(open_bytes(b->p, len, &pe, &copy, &err), -1);
	if (!strstr(err.msg, msg))
		print_message("# '%s' lacks '%s'\n", err.msg, msg);
	assert_non_null(strstr(err.msg, msg));
	assert_int_equal(err.code, code);
	if (at != ASSAY_NO_OFFSET)
		assert_int_equal(err.at, at);
	assert_null(pe);
	free(copy);
}

static void opens(const struct peb *b)
{
	struct assay_pe *pe = NULL;
	struct assay_err err = { 0 };
	uint8_t *copy;

	if (open_bytes(b->p, b->len, &pe, &copy, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(pe->n_sections, b->n);
	assay_pe_free(&pe);
	assert_null(pe);
	free(copy);
}

static struct peb sample(bool plus)
{
	struct peb b;

	peb_start(&b, plus, 16, 4);
	assay_put_le32(b.p + PEB_LFANEW + 8, 0x5f000001);
	assay_put_le32(b.p + PEB_OPT + 64, 0xcafe);
	peb_fill(&b, ".text", 700, 1);
	peb_fill(&b, ".longest", 512, 2);
	return b;
}

static void fields(void **state)
{
	(void)state;
	for (int plus = 0; plus < 2; plus++) {
		struct peb b = sample(plus);
		struct assay_pe *pe;
		struct assay_err err;
		uint8_t *copy;

		assert_int_equal(open_bytes(b.p, b.len, &pe, &copy, &err), 0);
		assert_int_equal(pe->plus, plus);
		assert_int_equal(pe->machine, plus ? 0x8664 : 0x014c);
		assert_string_equal(assay_pe_machine_name(pe->machine), plus ? "x86-64" : "x86");
		assert_int_equal(pe->timestamp, 0x5f000001);
		assert_int_equal(pe->subsystem, 10);
		assert_string_equal(assay_pe_subsystem_name(10), "EFI application");
		assert_int_equal(pe->checksum, 0xcafe);
		assert_int_equal(pe->checksum_offset, PEB_OPT + 64);
		assert_int_equal(pe->cert_dir_offset, b.dirs + 32);
		assert_int_equal(pe->size_of_headers, b.headers);
		assert_int_equal(pe->n_sections, 2);
		assert_string_equal(pe->sections[0].name, ".text");
		assert_int_equal(pe->sections[0].virtual_size, 700);
		assert_int_equal(pe->sections[0].raw_size, 1024);
		assert_int_equal(pe->sections[0].raw_offset, b.headers);
		assert_string_equal(pe->sections[1].name, ".longest");
		assert_ptr_equal(assay_pe_section(pe, ".longest"), &pe->sections[1]);
		assert_null(assay_pe_section(pe, ".long"));
		assert_null(assay_pe_section(pe, ".longest2"));
		assay_pe_free(&pe);
		free(copy);
		peb_free(&b);
	}
}

/* Every byte of this file belongs to a header or a section, so no cut may pass. */
static void every_cut(void **state)
{
	(void)state;
	for (int plus = 0; plus < 2; plus++) {
		struct peb b = sample(plus);

		opens(&b);
		for (size_t len = 0; len < b.len; len++)
			refused(&b, len, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "cut short");
		peb_free(&b);
	}
}

static void certificate_cut(void **state)
{
	struct peb b = sample(true);

	(void)state;
	peb_cert(&b, 2, "0123456789", 10);
	opens(&b);
	refused(&b, b.len - 1, ASSAY_E_CORRUPT, b.dirs + 32, "certificate table cut short");
	peb_free(&b);
}

/* One 16 or 32-bit field set to a value. */
static void spoiled(size_t off, unsigned width, uint32_t value, enum assay_code code, uint64_t at,
		    const char *msg)
{
	struct peb b = sample(true);

	if (width == 2)
		assay_put_le16(b.p + off, (uint16_t)value);
	else
		assay_put_le32(b.p + off, value);
	refused(&b, b.len, code, at, msg);
	peb_free(&b);
}

static void bad_headers(void **state)
{
	struct peb b = sample(true);
	const size_t len = b.len, table = b.table, headers = b.headers;

	(void)state;
	peb_free(&b);
	spoiled(0, 2, 0x4d5b, ASSAY_E_CORRUPT, 0, "MZ");
	spoiled(0x3c, 4, (uint32_t)len + 1, ASSAY_E_CORRUPT, len, "cut short");
	spoiled(0x3c, 4, (uint32_t)len, ASSAY_E_CORRUPT, len, "PE header cut short");
	spoiled(0x3c, 4, UINT32_MAX, ASSAY_E_CORRUPT, len, "cut short");
	spoiled(0x3c, 4, 0, ASSAY_E_CORRUPT, 0, "PE signature");
	spoiled(PEB_LFANEW, 4, 0x4551, ASSAY_E_CORRUPT, PEB_LFANEW, "PE signature");
	spoiled(PEB_LFANEW + 6, 2, 0, ASSAY_E_CORRUPT, PEB_LFANEW + 6, "no sections");
	spoiled(PEB_LFANEW + 20, 2, 0, ASSAY_E_CORRUPT, PEB_OPT, "optional header cut short");
	spoiled(PEB_LFANEW + 20, 2, 111, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
		"optional header cut short");
	spoiled(PEB_LFANEW + 20, 2, 112, ASSAY_E_CORRUPT, PEB_OPT + 108, "do not fit");
	spoiled(PEB_LFANEW + 20, 2, 239, ASSAY_E_CORRUPT, PEB_OPT + 108, "do not fit");
	spoiled(PEB_OPT, 2, 0x107, ASSAY_E_UNSUPPORTED, PEB_OPT, "magic 0x0107");
	spoiled(PEB_OPT + 108, 4, 17, ASSAY_E_UNSUPPORTED, PEB_OPT + 108, "17 data directories");
	spoiled(PEB_OPT + 60, 4, (uint32_t)table + 79, ASSAY_E_CORRUPT, PEB_OPT + 60,
		"section table");
	spoiled(PEB_OPT + 60, 4, (uint32_t)len + 1, ASSAY_E_CORRUPT, PEB_OPT + 60,
		"headers cut short");
	spoiled(table + 16, 4, (uint32_t)(len - headers) + 1, ASSAY_E_CORRUPT, table,
		"section .text cut short");
	spoiled(table + 40 + 20, 4, UINT32_MAX, ASSAY_E_CORRUPT, table + 40,
		"section .longest cut short");
	spoiled(PEB_OPT + 112 + 36, 4, (uint32_t)len + 1, ASSAY_E_CORRUPT, PEB_OPT + 112 + 32,
		"certificate table cut short");

	b = sample(false);
	assay_put_le16(b.p + PEB_LFANEW + 4, 0x0200);
	refused(&b, b.len, ASSAY_E_UNSUPPORTED, PEB_OPT, "Itanium");
	peb_free(&b);
}

/* A section table of rows without data. */
static struct peb many_sections(unsigned n)
{
	struct peb b;

	peb_start(&b, true, 16, n);
	for (unsigned i = 0; i < n; i++)
		peb_row(&b, ".bss", 16, 0, 0);
	return b;
}

static void section_ceiling(void **state)
{
	(void)state;
	for (int more = -1; more <= 1; more++) {
		struct peb b = many_sections((unsigned)(ASSAY_PE_MAX_SECTIONS + more));

		if (more <= 0)
			opens(&b);
		else
			refused(&b, b.len, ASSAY_E_LIMIT, PEB_LFANEW + 6, "4097 sections");
		peb_free(&b);
	}
}

static void content(void **state)
{
	struct peb b;
	struct assay_pe *pe;
	struct assay_err err;
	uint8_t *copy, *p;
	size_t len;

	(void)state;
	peb_start(&b, true, 16, 4);
	peb_text(&b, ".exact", "hello");
	peb_text(&b, ".more", "zeros follow");
	assay_put_le32(peb_header(&b, 1) + 8, 1000);
	peb_text(&b, ".none", "all of it");
	assay_put_le32(peb_header(&b, 2) + 8, 0);
	assert_int_equal(open_bytes(b.p, b.len, &pe, &copy, &err), 0);

	const struct assay_pe_section *s = pe->sections;
	assert_int_equal(assay_pe_section_size(&s[0]), 5);
	assert_int_equal(assay_pe_section_file_size(&s[0]), 5);
	assert_int_equal(assay_pe_section_size(&s[1]), 1000);
	assert_int_equal(assay_pe_section_file_size(&s[1]), 512);
	assert_int_equal(assay_pe_section_size(&s[2]), 512);
	assert_int_equal(assay_pe_section_file_size(&s[2]), 512);

	assert_int_equal(assay_pe_section_read(pe, &s[0], 5, &p, &len, &err), 0);
	assert_int_equal(len, 5);
	assert_string_equal((char *)p, "hello");
	free(p);
	assert_int_equal(assay_pe_section_read(pe, &s[1], 1000, &p, &len, &err), 0);
	assert_int_equal(len, 1000);
	assert_string_equal((char *)p, "zeros follow");
	for (size_t i = 12; i <= 1000; i++)
		assert_int_equal(p[i], 0);
	free(p);
	assert_int_equal(assay_pe_section_read(pe, &s[1], 999, &p, &len, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	assert_int_equal(err.at, s[1].raw_offset);
	assay_pe_free(&pe);
	free(copy);
	peb_free(&b);
}

static void long_names(void **state)
{
	struct peb b;
	struct assay_pe *pe;
	struct assay_err err;
	uint8_t *copy;
	char name[16];

	(void)state;
	peb_start(&b, true, 16, 8);
	peb_text(&b, "/4", "x");
	peb_text(&b, "/17", "x");
	peb_text(&b, "/9999999", "x");
	peb_text(&b, "/x", "x");
	peb_text(&b, "/", "x");
	peb_text(&b, ".plain", "x");
	assay_put_le32(b.p + PEB_LFANEW + 12, (uint32_t)b.len);
	assay_put_le32(b.p + PEB_LFANEW + 16, 2); /* symbols of 18 bytes */
	const size_t at = b.len + 36;
	const char strings[] = "\x20\0\0\0.vendor_cert\0.much_longer_than_it";
	peb_grow(&b, at + sizeof(strings) - 1); /* the last one ends with the file */
	memcpy(b.p + at, strings, sizeof(strings) - 1);
	assert_int_equal(open_bytes(b.p, b.len, &pe, &copy, &err), 0);

	static const char *const want[] = {
		".vendor_cert", ".much_longer_th", "/9999999", "/x", "/", ".plain"
	};
	for (size_t i = 0; i < 6; i++)
		assert_string_equal(
			assay_pe_section_long_name(pe, &pe->sections[i], name, sizeof(name)),
			want[i]);
	assert_string_equal(assay_pe_section_long_name(pe, &pe->sections[5], name, 3), ".p");
	assay_pe_free(&pe);
	free(copy);
	peb_free(&b);
}

/* The definition, one word at a time, carry by carry. */
static uint32_t slow_checksum(const struct peb *b)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < b->len; i += 2) {
		uint32_t word = b->p[i];

		if (i + 1 < b->len)
			word |= (uint32_t)b->p[i + 1] << 8;
		if (i >= PEB_OPT + 64 && i < PEB_OPT + 68)
			continue;
		sum += word;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum + (uint32_t)b->len;
}

static void checksum(void **state)
{
	(void)state;
	for (size_t more = 0; more < 70; more++) {
		struct peb b = sample(true);
		struct assay_pe *pe;
		struct assay_err err;
		uint8_t *copy;
		uint32_t sum;

		/* A block's end, and some bytes around it. */
		peb_tail(&b, more < 35 ? more : (256U << 10) - b.len + more - 50, 7);
		assert_int_equal(open_bytes(b.p, b.len, &pe, &copy, &err), 0);
		assert_int_equal(assay_pe_checksum(pe, &sum, &err), 0);
		assert_int_equal(sum, slow_checksum(&b));
		assay_pe_free(&pe);
		free(copy);
		peb_free(&b);
	}
}

/* Errors count from the begin of the outermost file. */
static void offsets(void **state)
{
	struct peb b = sample(true);
	uint8_t *disk = calloc(1, 5000 + b.len);
	struct assay_src *outer, *slice;
	struct assay_pe *pe;
	struct assay_err err;

	(void)state;
	assert_non_null(disk);
	b.p[PEB_LFANEW] = 'X';
	memcpy(disk + 5000, b.p, b.len);
	assert_int_equal(assay_src_from_mem(disk, 5000 + b.len, &outer, &err), 0);
	assert_int_equal(assay_src_slice(outer, 5000, b.len, &slice, &err), 0);
	assert_int_equal(assay_pe_open(slice, &pe, &err), -1);
	assert_int_equal(err.at, 5000 + PEB_LFANEW);
	assay_src_free(&slice);
	assay_src_free(&outer);
	free(disk);
	peb_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),	   cmocka_unit_test(every_cut),
		cmocka_unit_test(certificate_cut), cmocka_unit_test(bad_headers),
		cmocka_unit_test(section_ceiling), cmocka_unit_test(content),
		cmocka_unit_test(long_names),	   cmocka_unit_test(checksum),
		cmocka_unit_test(offsets),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pe", tests, NULL, NULL);
}
