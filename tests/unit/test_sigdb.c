/* SPDX-License-Identifier: Apache-2.0 */
/* EFI signature databases: made ones, Microsoft's dbx update, a real db. */
#include "core/guid.h"
#include "core/limits.h"
#include "tests/unit/log_build.h"
#include "tpm/efi_sigdb.h"

#define SHA256_LIST "c1c41626-504c-4092-aca9-41f936934328"
#define X509_LIST "a5c059a1-94e4-4aa7-87b5-ab155c2bf072"
#define OTHER_LIST "00000000-0000-0000-0000-000000000001"

static struct assay_err err;

static void list(struct log_build *b, const char *type, size_t header, size_t n, size_t size,
		 uint8_t fill)
{
	uint8_t guid[16];

	assert_true(assay_guid_parse(type, guid));
	log_bytes(b, guid, 16);
	log_le32(b, (uint32_t)(28 + header + n * (16 + size)));
	log_le32(b, (uint32_t)header);
	log_le32(b, (uint32_t)(16 + size));
	log_fill(b, 0xdd, header);
	for (size_t i = 0; i < n; i++) {
		log_fill(b, (uint8_t)(fill + i), 16);
		log_fill(b, (uint8_t)(0x80 + fill + i), size);
	}
}

static struct log_build small(void)
{
	struct log_build b = { 0 };

	list(&b, SHA256_LIST, 0, 2, 32, 1);
	list(&b, X509_LIST, 0, 1, 5, 3);
	list(&b, OTHER_LIST, 7, 1, 1, 4);
	list(&b, OTHER_LIST, 0, 0, 1, 5);
	return b;
}

static void test_parse(void **state)
{
	struct log_build b = small();
	struct assay_sigdb db;

	(void)state;
	assert_int_equal(assay_sigdb_parse(b.p, b.len, 1000, &db, &err), 0);
	assert_int_equal(db.n_lists, 4);
	assert_int_equal(db.n, 4);
	assert_int_equal(db.sigs[0].kind, ASSAY_SIG_SHA256);
	assert_int_equal(db.sigs[1].list, 0);
	assert_int_equal(db.sigs[1].owner[15], 2);
	assert_int_equal(db.sigs[1].len, 32);
	assert_int_equal(db.sigs[1].data[0], 0x82);
	assert_int_equal(db.sigs[1].raw_len, 48);
	assert_ptr_equal(db.sigs[1].raw, b.p + 28 + 48);
	assert_int_equal(db.sigs[1].at, 1000 + 28 + 48);
	assert_int_equal(db.sigs[2].kind, ASSAY_SIG_X509);
	assert_int_equal(db.sigs[2].len, 5);
	assert_int_equal(db.sigs[3].kind, ASSAY_SIG_OTHER);
	assert_int_equal(db.sigs[3].list, 2);
	assert_int_equal(db.sigs[3].data[0], 0x84);
	assay_sigdb_free(&db);
	assay_sigdb_free(&db);

	assert_int_equal(assay_sigdb_parse(NULL, 0, 0, &db, &err), 0);
	assert_int_equal(db.n, 0);
	assert_int_equal(db.n_lists, 0);
	free(b.p);
}

static void test_cuts(void **state)
{
	struct log_build b = small();
	const size_t ends[] = { 0, 28 + 96, 28 + 96 + 28 + 21, 28 + 96 + 28 + 21 + 28 + 7 + 17 };

	(void)state;
	for (size_t cut = 0; cut < b.len; cut++) {
		uint8_t *p = malloc(cut ? cut : 1);
		struct assay_sigdb db = { .n = 77 };
		bool end = false;

		assert_non_null(p);
		memcpy(p, b.p, cut);
		for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
			end |= cut == ends[i];
		if (end) {
			assert_int_equal(assay_sigdb_parse(p, cut, 50, &db, &err), 0);
			assay_sigdb_free(&db);
		} else {
			assert_int_equal(assay_sigdb_parse(p, cut, 50, &db, &err), -1);
			assert_int_equal(err.code, ASSAY_E_CORRUPT);
			assert_true(err.at >= 50 && err.at <= 50 + cut);
			assert_int_equal(db.n, 77);
		}
		free(p);
	}
	free(b.p);
}

/* One field of a good list set to a bad value. */
static void refused(size_t at, uint32_t value, const char *words)
{
	struct log_build b = { 0 };
	struct assay_sigdb db;

	list(&b, SHA256_LIST, 0, 2, 32, 1);
	assay_put_le32(b.p + at, value);
	assert_int_equal(assay_sigdb_parse(b.p, b.len, 0, &db, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	if (!strstr(err.msg, words))
		fail_msg("'%s' is not in: %s", words, err.msg);
	free(b.p);
}

static void test_bad_fields(void **state)
{
	struct log_build b = { 0 };
	struct assay_sigdb db;

	(void)state;
	refused(16, 27, "EFI_SIGNATURE_LIST of 27 bytes");
	refused(16, 0, "EFI_SIGNATURE_LIST of 0 bytes");
	refused(16, 28 + 97, "signatures of an EFI_SIGNATURE_LIST cut short");
	refused(16, UINT32_MAX, "signatures of an EFI_SIGNATURE_LIST cut short");
	refused(16, 28 + 95, "95 bytes are no multiple");
	refused(20, 97, "signature header of an EFI_SIGNATURE_LIST cut short");
	refused(20, UINT32_MAX, "signature header of an EFI_SIGNATURE_LIST cut short");
	refused(24, 0, "signatures of 0 bytes");
	refused(24, 16, "signatures of 16 bytes");
	refused(24, 96, "80 bytes for one SHA-256 hash");
	refused(24, UINT32_MAX, "4294967279 bytes for one SHA-256 hash");

	list(&b, X509_LIST, 0, 1, 5, 1);
	assay_put_le32(b.p + 24, UINT32_MAX);
	assert_int_equal(assay_sigdb_parse(b.p, b.len, 0, &db, &err), -1);
	assert_non_null(strstr(err.msg, "no multiple"));
	free(b.p);
}

static void test_ceilings(void **state)
{
	(void)state;
	for (size_t n = ASSAY_SIGDB_MAX_ENTRIES - 1; n <= ASSAY_SIGDB_MAX_ENTRIES + 1; n++) {
		struct log_build b = { 0 };
		struct assay_sigdb db;
		int r;

		list(&b, OTHER_LIST, 0, n, 1, 1);
		r = assay_sigdb_parse(b.p, b.len, 0, &db, &err);
		if (n <= ASSAY_SIGDB_MAX_ENTRIES) {
			assert_int_equal(r, 0);
			assert_int_equal(db.n, n);
			assay_sigdb_free(&db);
		} else {
			assert_int_equal(r, -1);
			assert_int_equal(err.code, ASSAY_E_LIMIT);
		}
		free(b.p);
	}
	for (size_t n = ASSAY_SIGDB_MAX - 1; n <= ASSAY_SIGDB_MAX + 1; n++) {
		struct log_build b = { 0 };
		struct assay_sigdb db;
		int r;

		list(&b, X509_LIST, 0, 1, n - 28 - 16, 1);
		assert_int_equal(b.len, n);
		r = assay_sigdb_parse(b.p, b.len, 0, &db, &err);
		assert_int_equal(r, n <= ASSAY_SIGDB_MAX ? 0 : -1);
		if (r == 0)
			assay_sigdb_free(&db);
		else
			assert_int_equal(err.code, ASSAY_E_LIMIT);
		free(b.p);
	}
}

static uint8_t *read_shared(const char *name, size_t *len)
{
	char path[512];
	uint8_t *p;
	FILE *f;

	if (!unit_shared(name, path, sizeof(path)))
		return NULL;
	f = fopen(path, "rb");
	assert_non_null(f);
	p = malloc(1 << 20);
	assert_non_null(p);
	*len = fread(p, 1, 1 << 20, f);
	fclose(f);
	return p;
}

/* A Red Hat test machine's db: efivarfs puts four bytes of attributes before the value. */
static void test_real_db(void **state)
{
	static const char name[] = "data/efivars/rhboot-db-d719b2cb-3d3a-4596-a3bc-dad00e67656f";
	struct assay_sigdb db;
	size_t len = 0;
	uint8_t *p = read_shared(name, &len);

	(void)state;
	if (!p)
		unit_skip("no shared %s", name);
	assert_int_equal(assay_sigdb_parse(p + 4, len - 4, 4, &db, &err), 0);
	assert_true(db.n >= 2);
	for (size_t i = 0; i < db.n; i++) {
		char *subject = NULL;

		if (db.sigs[i].kind == ASSAY_SIG_SHA256)
			continue;
		assert_int_equal(db.sigs[i].kind, ASSAY_SIG_X509);
		subject = assay_cert_name(db.sigs[i].data, db.sigs[i].len);
		assert_non_null(subject);
		print_message("# %s\n", subject);
		free(subject);
	}
	assay_sigdb_free(&db);
	for (size_t cut = 0; cut < len - 4; cut++) {
		if (assay_sigdb_parse(p + 4, cut, 4, &db, &err) == 0)
			assay_sigdb_free(&db);
	}
	free(p);
}

/* EFI_VARIABLE_AUTHENTICATION_2: a time, a WIN_CERTIFICATE with its length, then the lists. */
static void test_real_dbx(void **state)
{
	static const char name[] = "data/efivars/microsoft-DBXUpdate.bin";
	struct assay_sigdb db;
	size_t len = 0;
	uint8_t *p = read_shared(name, &len);
	struct assay_cur c;
	size_t hashes = 0;

	(void)state;
	if (!p)
		unit_skip("no shared %s", name);
	c = assay_cur_make(p + 16, 4, 16);

	const size_t at = 16 + assay_cur_le32(&c);

	assert_true(at < len);
	assert_int_equal(assay_sigdb_parse(p + at, len - at, at, &db, &err), 0);
	for (size_t i = 0; i < db.n; i++)
		hashes += db.sigs[i].kind == ASSAY_SIG_SHA256;
	print_message("# %zu signatures, %zu of them SHA-256 hashes\n", db.n, hashes);
	/* The rest of the file is one list of 28 + n * 48 bytes if hashes are all there is. */
	if (db.n_lists == 1 && hashes == db.n)
		assert_int_equal(len - at, 28 + 48 * hashes);
	assert_true(hashes > 200);
	assay_sigdb_free(&db);
	free(p);
}

static void test_cert_name(void **state)
{
	(void)state;
	assert_null(assay_cert_name(NULL, 0));
	assert_null(assay_cert_name((const uint8_t *)"0\202\1\0", 4));
}

static void test_names(void **state)
{
	(void)state;
	for (unsigned k = 0; k < ASSAY_N_SIG_KINDS; k++)
		assert_true(strlen(assay_sig_kind_name((enum assay_sig_kind)k)) > 5);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_parse),	   cmocka_unit_test(test_cuts),
	cmocka_unit_test(test_bad_fields), cmocka_unit_test(test_ceilings),
	cmocka_unit_test(test_real_db),	   cmocka_unit_test(test_real_dbx),
	cmocka_unit_test(test_cert_name),  cmocka_unit_test(test_names),
};

UNIT_MAIN(tests)
