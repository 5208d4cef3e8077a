/* SPDX-License-Identifier: Apache-2.0 */
/* The digest. Oracles, each skipped aloud where it is not installed: pesign and efitools. */
#include "core/limits.h"
#include "tests/unit/pe_file.h"

static void digests_of(const uint8_t *p, size_t len, struct assay_digests *ret)
{
	struct assay_err err;
	struct file f;

	open_bytes(&f, p, len);
	if (assay_authenticode(f.pe, ASSAY_ALL_BANKS, ret, &err) < 0)
		fail_msg("%s", err.msg);
	close_file(&f);
}

/*
 * pesign prints "hash: HEX" until 115 and "HEX x.efi" from 116 on, which also pads to 8 bytes, as
 * signing would, what is unsigned. Firmware does not: of 116 the padded file has to be as it says.
 */
static void same_as_pesign(const struct peb *b)
{
	static const enum assay_bank banks[] = { ASSAY_SHA1, ASSAY_SHA256 };
	const size_t padded_len = (b->len + 7) / 8 * 8;
	uint8_t *padded = calloc(1, padded_len);
	struct assay_digests plain, signable;

	assert_non_null(padded);
	memcpy(padded, b->p, b->len);
	digests_of(b->p, b->len, &plain);
	digests_of(padded, padded_len, &signable);
	free(padded);
	write_file("x.efi", b->p, b->len);
	for (size_t i = 0; i < 2; i++) {
		char command[128], line[256], hex[ASSAY_HEX_MAX];
		const struct assay_digests *d = &signable;
		char *got = line;

		snprintf(command, sizeof(command), "pesign -h -d %s -i x.efi",
			 assay_bank_name(banks[i]));
		assert_int_equal(run(command, line, sizeof(line)), 0);
		if (strncmp(line, "hash: ", 6) == 0) {
			d = &plain;
			got += 6;
		}
		got[strcspn(got, " \n")] = '\0';
		assert_string_equal(got, assay_hex(d->d[banks[i]], assay_bank_size(banks[i]), hex));
	}
}

static void lengths(void **state)
{
	(void)state;
	NEED("pesign");
	for (int plus = 0; plus < 2; plus++) {
		for (size_t tail = 0; tail <= 9; tail++) {
			struct peb b = sample(plus, 16);

			peb_tail(&b, tail, 3);
			same_as_pesign(&b);
			peb_free(&b);
		}
	}
}

static void signed_lengths(void **state)
{
	(void)state;
	NEED("pesign");
	for (size_t tail = 0; tail <= 8; tail++) {
		struct peb b = sample(true, 16);

		peb_tail(&b, tail, 3);
		peb_cert(&b, 2, "certainly no PKCS#7", 19);
		peb_cert(&b, 2, "nor this", 8);
		same_as_pesign(&b);
		peb_free(&b);
	}
}

/*
 * The table's order is not that of the file, and some sections have no data in it. pesign 0.112
 * hashes such a file in another order than firmware and efitools; efitools in turn pad to 8.
 */
static void order(void **state)
{
	struct peb b;
	uint8_t row[40];
	struct assay_digests d;
	struct assay_err err;
	struct file f;
	char line[256], want[256], hex[ASSAY_HEX_MAX];

	(void)state;
	NEED("hash-to-efi-sig-list");
	b = sample(true, 16);
	peb_row(&b, ".bss", 5000, 0, 0);
	peb_row(&b, ".bss2", 10, 0, 1 << 30);
	peb_fill(&b, ".last", 512, 5);
	memcpy(row, peb_header(&b, 0), 40);
	memcpy(peb_header(&b, 0), peb_header(&b, 4), 40);
	memcpy(peb_header(&b, 4), row, 40);
	peb_tail(&b, 24, 6);
	open_bytes(&f, b.p, b.len);
	assert_int_equal(assay_authenticode(f.pe, ASSAY_ALL_BANKS, &d, &err), 0);
	close_file(&f);
	write_file("x.efi", b.p, b.len);
	assert_int_equal(run("hash-to-efi-sig-list x.efi x.esl", line, sizeof(line)), 0);
	snprintf(want, sizeof(want), "HASH IS %s\n", assay_hex(d.d[ASSAY_SHA256], 32, hex));
	assert_string_equal(line, want);
	peb_free(&b);
}

/* Bytes between headers and sections, and between sections. */
static void gaps(void **state)
{
	(void)state;
	NEED("pesign");
	for (unsigned which = 0; which < 8; which++) {
		struct peb b;

		peb_start(&b, true, 16, 8);
		if (which & 1)
			peb_tail(&b, 1024, 3);
		peb_fill(&b, ".text", 1500, 1);
		if (which & 2)
			peb_tail(&b, 512, 4);
		peb_fill(&b, ".data", 600, 2);
		if (which & 4)
			peb_tail(&b, 333, 5);
		same_as_pesign(&b);
		if (which != 0 && which != 4) {
			peb_cert(&b, 2, "certificate", 11);
			same_as_pesign(&b);
		}
		peb_free(&b);
	}
}

static void gaps_told(void **state)
{
	struct assay_authenticode_plan plan;
	struct assay_err err;
	struct peb b;
	struct file f;

	(void)state;
	peb_start(&b, true, 16, 8);
	peb_tail(&b, 1024, 3);
	peb_fill(&b, ".text", 1500, 1);
	peb_tail(&b, 10, 3);
	open_bytes(&f, b.p, b.len);
	assert_int_equal(assay_authenticode_plan(f.pe, &plan, &err), 0);
	assert_int_equal(plan.gaps, 1024);
	assert_int_equal(plan.n_ranges, 4);
	/* What firmware takes for the rest: from headers + 1536 on. */
	assert_int_equal(plan.tail_len, 1024 + 10);
	assert_memory_equal(plan.tail, b.p + b.headers + 1536, plan.tail_len);
	assay_authenticode_plan_clear(&plan);
	close_file(&f);
	peb_free(&b);
}

/* Without a certificate directory nothing but the checksum is left out: one digest by hand. */
static void few_directories(void **state)
{
	(void)state;
	for (unsigned n = 0; n <= 5; n++) {
		struct peb b = sample(true, n);
		struct assay_digests d, want;
		struct assay_err err;
		struct file f;

		open_bytes(&f, b.p, b.len);
		assert_int_equal(f.pe->cert_dir_offset, n > 4 ? b.dirs + 32 : 0);
		const size_t after = PEB_OPT + 68, skip_at = n > 4 ? b.dirs + 32 : after;
		const size_t skipped = n > 4 ? 8 : 0;
		const struct assay_part parts[] = {
			{ b.p, PEB_OPT + 64 },
			{ b.p + after, skip_at - after },
			{ b.p + skip_at + skipped, b.len - skip_at - skipped },
		};
		assert_int_equal(assay_authenticode(f.pe, ASSAY_ALL_BANKS, &d, &err), 0);
		assert_int_equal(assay_digest_parts(ASSAY_ALL_BANKS, parts, 3, &want, &err), 0);
		assert_true(assay_digests_equal(&d, &want));
		close_file(&f);
		peb_free(&b);
	}
}

static void refuse(struct peb *b, enum assay_code code, uint64_t at, const char *msg)
{
	struct assay_authenticode_plan plan;
	struct assay_digests d;
	struct assay_err err;
	struct file f;

	open_bytes(&f, b->p, b->len);
	assert_int_equal(assay_authenticode_plan(f.pe, &plan, &err), -1);
	if (!strstr(err.msg, msg))
		print_message("# '%s' lacks '%s'\n", err.msg, msg);
	assert_non_null(strstr(err.msg, msg));
	assert_int_equal(err.code, code);
	assert_int_equal(err.at, at);
	assert_int_equal(assay_authenticode(f.pe, 1, &d, &err), -1);
	close_file(&f);
	peb_free(b);
}

static void refused(void **state)
{
	struct peb b = sample(true, 16);
	const uint32_t text = (uint32_t)b.headers, data = text + 1536;

	(void)state;
	assay_put_le32(peb_header(&b, 1) + 20, data - 1);
	refuse(&b, ASSAY_E_UNSUPPORTED, data - 1, "overlaps");
	b = sample(true, 16);
	assay_put_le32(peb_header(&b, 1) + 20, text);
	refuse(&b, ASSAY_E_UNSUPPORTED, text, "overlaps");
	b = sample(true, 16);
	assay_put_le32(peb_header(&b, 0) + 20, text - 1);
	refuse(&b, ASSAY_E_UNSUPPORTED, text - 1, "inside the headers");
	b = sample(true, 16);
	peb_cert(&b, 2, "cert", 4);
	peb_tail(&b, 8, 0);
	refuse(&b, ASSAY_E_UNSUPPORTED, b.dirs + 32, "does not end the file");
	b = sample(true, 16);
	assay_put_le32(b.p + b.dirs + 32, (uint32_t)b.len - 8);
	assay_put_le32(b.p + b.dirs + 36, 8);
	refuse(&b, ASSAY_E_UNSUPPORTED, b.dirs + 32, "overlaps a section");
}

static void gap_ceiling(void **state)
{
	(void)state;
	for (int more = -1; more <= 1; more++) {
		struct peb b;
		struct assay_authenticode_plan plan;
		struct assay_err err;
		struct file f;

		peb_start(&b, true, 16, 2);
		peb_tail(&b, 512, 1);
		peb_fill(&b, ".text", 512, 1);
		peb_tail(&b, (size_t)((int)ASSAY_PE_MAX_GAP_TAIL - 512 + more), 1);
		open_bytes(&f, b.p, b.len);
		if (more <= 0) {
			assert_int_equal(assay_authenticode_plan(f.pe, &plan, &err), 0);
			assert_int_equal(plan.tail_len, (int)ASSAY_PE_MAX_GAP_TAIL + more);
			assay_authenticode_plan_clear(&plan);
		} else {
			assert_int_equal(assay_authenticode_plan(f.pe, &plan, &err), -1);
			assert_int_equal(err.code, ASSAY_E_LIMIT);
		}
		close_file(&f);
		peb_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths),   cmocka_unit_test(signed_lengths),
		cmocka_unit_test(order),     cmocka_unit_test(gaps),
		cmocka_unit_test(gaps_told), cmocka_unit_test(few_directories),
		cmocka_unit_test(refused),   cmocka_unit_test(gap_ceiling),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("authenticode", tests, setup, teardown);
}
