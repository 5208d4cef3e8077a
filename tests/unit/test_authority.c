/* SPDX-License-Identifier: Apache-2.0 */
/* Secure Boot: who vouches for a program, what of it is measured, and whom the firmware refuses. */
#include "core/text.h"
#include "tests/unit/chain_run.h"
#include "tests/unit/pe_file.h"
#include "tpm/event_build.h"

#define BOOT "/EFI/BOOT/BOOTX64.EFI"
#define IMAGE_SECURITY_DATABASE "d719b2cb-3d3a-4596-a3bc-dad00e67656f"
#define SHA1_LIST "826ca512-cf10-4ac9-b187-be01496631bd"
#define SHA256_LIST "c1c41626-504c-4092-aca9-41f936934328"
#define SHA384_LIST "ff3e5307-9fd0-48c9-85f1-8ad56c701e01"
#define X509_LIST "a5c059a1-94e4-4aa7-87b5-ab155c2bf072"
#define X509_SHA256_LIST "3bd2a492-96c0-4079-b420-fcf98ef103ed"

static struct peb loader, uki;
static struct assay_digests loader_digest, uki_digest;

static void digest_of(const struct peb *b, struct assay_digests *ret)
{
	struct file f;

	open_bytes(&f, b->p, b->len);
	assert_int_equal(assay_authenticode(f.pe, ASSAY_ALL_BANKS, ret, &run_err), 0);
	close_file(&f);
}

static int start(void **state)
{
	build_systemd(&loader, "systemd-boot 257.13");
	build_uki(&uki, "systemd-stub 257.13", BUILD_DEBIAN_6_12, "quiet");
	digest_of(&loader, &loader_digest);
	digest_of(&uki, &uki_digest);
	return setup(state);
}

static int stop(void **state)
{
	peb_free(&loader);
	peb_free(&uki);
	return teardown(state);
}

/* One EFI_SIGNATURE_LIST of one entry. */
static void add_list(struct assay_str *s, const char *type, const void *data, size_t len)
{
	uint8_t head[28 + 16];

	assert_true(assay_guid_parse(type, head));
	assay_put_le32(head + 16, (uint32_t)(sizeof(head) + len));
	assay_put_le32(head + 20, 0);
	assay_put_le32(head + 24, (uint32_t)(16 + len));
	memset(head + 28, 0x77, 16);
	assay_str_add_n(s, head, sizeof(head));
	assay_str_add_n(s, data, len);
}

static void add_variable(struct assay_str *yaml, const char *name, const struct assay_str *value)
{
	uint8_t guid[16], *data;
	size_t len;

	assert_true(assay_guid_parse(IMAGE_SECURITY_DATABASE, guid));
	assert_int_equal(assay_event_build_variable(guid, name, value->len ? value->p : "",
						    value->len, &data, &len, &run_err),
			 0);
	assay_str_add(yaml, "  - {pcr: 7, type: EV_EFI_VARIABLE_DRIVER_CONFIG, hex: ");
	for (int twice = 0; twice < 2; twice++) {
		for (size_t i = 0; i < len; i++)
			assay_str_add(yaml, "%02x", data[i]);
		assay_str_add(yaml, twice ? "}\n" : ", data: ");
	}
	free(data);
}

static char *platform_of(const char *banks, const struct assay_str *db, const struct assay_str *dbx)
{
	struct assay_str s = { 0 };

	assay_str_add(&s,
		      "schema: assay.platform/1\nname: sb\narch: x86-64\nbanks: [%s]\n"
		      "secure_boot: true\nevents:\n",
		      banks);
	if (db)
		add_variable(&s, "db", db);
	if (dbx)
		add_variable(&s, "dbx", dbx);
	assay_str_add(&s, "  - {slot: gpt}\n  - {slot: boot, tries: 0}\n  - {slot: exit}\n");
	return assay_str_steal(&s);
}

/* EV_EFI_VARIABLE_AUTHORITY of an entry that add_list() made. */
static void is_authority(const struct assay_prediction *p, size_t n, const void *entry, size_t len)
{
	uint8_t guid[16], raw[4096], *data;
	size_t data_len;

	assert_true(len + 16 <= sizeof(raw));
	memset(raw, 0x77, 16);
	memcpy(raw + 16, entry, len);
	assert_true(assay_guid_parse(IMAGE_SECURITY_DATABASE, guid));
	assert_int_equal(
		assay_event_build_variable(guid, "db", raw, len + 16, &data, &data_len, &run_err),
		0);
	chain_is(p, 7, n, data, data_len);
	free(data);
}

static void test_hashes(void **state)
{
	static const char *const banks[] = { "sha256", "sha1, sha384" };
	struct assay_str db = { 0 }, dbx = { 0 };
	const struct disk_file files[] = { CHAIN_FILE(BOOT, loader),
					   CHAIN_FILE("/EFI/Linux/u.efi", uki) };

	(void)state;
	add_list(&db, SHA256_LIST, loader_digest.d[ASSAY_SHA256], 32);
	add_list(&db, SHA256_LIST, uki_digest.d[ASSAY_SHA256], 32);
	add_list(&db, SHA384_LIST, uki_digest.d[ASSAY_SHA384], 48);
	for (size_t i = 0; i < 2; i++) {
		ASSAY_AUTO_FREE char *text = platform_of(banks[i], &db, &dbx);
		const struct chain_run r = { .platform = text };
		ASSAY_AUTO(assay_prediction) *p = chain_ok(&r, files, 2);

		/* db, dbx, the loader's, and the UKI's two, the longer hash first; whatever banks
		 * there are. */
		assert_int_equal(chain_count(p, 7), 5);
		/* The inner kernel is not measured with Secure Boot on. */
		assert_int_equal(chain_count(p, 4), 2);
		if (i == 0) {
			is_authority(p, 2, loader_digest.d[ASSAY_SHA256], 32);
			is_authority(p, 3, uki_digest.d[ASSAY_SHA384], 48);
			is_authority(p, 4, uki_digest.d[ASSAY_SHA256], 32);
			assert_non_null(p->pcr[10].reason);
		}
	}
	assay_str_clear(&db);
}

static void refused(const struct assay_str *db, const struct assay_str *dbx, const char *words)
{
	ASSAY_AUTO_FREE char *text = platform_of("sha256", db, dbx);
	const struct chain_run r = { .platform = text };
	const struct disk_file files[] = { CHAIN_FILE(BOOT, uki) };

	chain_refused(&r, files, 1, words);
	assert_int_equal(run_err.code, ASSAY_E_UNSUPPORTED);
}

static void test_refused(void **state)
{
	struct assay_str none = { 0 }, ours = { 0 }, other = { 0 }, sha1 = { 0 };

	(void)state;
	add_list(&ours, SHA256_LIST, uki_digest.d[ASSAY_SHA256], 32);
	add_list(&other, SHA256_LIST, loader_digest.d[ASSAY_SHA256], 32);
	add_list(&sha1, SHA1_LIST, uki_digest.d[ASSAY_SHA1], 20);
	refused(&none, &none, "it is not signed, and its hash is not in db");
	refused(&other, &none, "its hash is not in db");
	refused(&ours, &ours, "its hash is in dbx");
	refused(&sha1, &none, "SHA-1 hash is in db or dbx");
	refused(&ours, &sha1, "SHA-1 hash is in db or dbx");
	refused(NULL, &none, "does not hold the contents of db");
	refused(&ours, NULL, "does not hold the contents of dbx");
	assay_str_clear(&ours);
	assay_str_clear(&other);
	assay_str_clear(&sha1);
}

static uint8_t *made(const char *name, size_t *len)
{
	char path[256];
	uint8_t *p;

	path_of(path, name);
	p = read_file(path, len);
	assert_non_null(p);
	return p;
}

static void test_certificates(void **state)
{
	char line[512];
	struct assay_str none = { 0 }, db = { 0 }, two = { 0 }, time = { 0 };
	ASSAY_AUTO(assay_prediction) *p = NULL;
	size_t one_len, other_len, signed_len, tbs = 48;
	uint8_t hash_and_time[48] = { 1 };

	(void)state;
	NEED("openssl");
	NEED("sbsign");
	for (int i = 1; i <= 2; i++) {
		char command[512];

		snprintf(command, sizeof(command),
			 "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=c%d -days 9 -keyout "
			 "%d.key "
			 "-out %d.pem && openssl x509 -in %d.pem -outform DER -out %d.der",
			 i, i, i, i, i);
		assert_int_equal(run(command, line, sizeof(line)), 0);
	}
	write_file("u.efi", uki.p, uki.len);
	assert_int_equal(
		run("sbsign --key 2.key --cert 2.pem --output s.efi u.efi", line, sizeof(line)), 0);
	uint8_t *one = made("1.der", &one_len), *other = made("2.der", &other_len);
	uint8_t *sealed = made("s.efi", &signed_len);
	const struct disk_file files[] = { { BOOT, sealed, signed_len } };
	struct chain_run r = { 0 };

	add_list(&db, X509_LIST, one, one_len);
	add_list(&two, X509_LIST, one, one_len);
	add_list(&two, X509_LIST, other, other_len);
	add_list(&time, X509_SHA256_LIST, hash_and_time, tbs);
	ASSAY_AUTO_FREE char *good = platform_of("sha256", &two, &none);
	r.platform = good;
	p = chain_ok(&r, files, 1);
	assert_int_equal(chain_count(p, 7), 3);
	is_authority(p, 2, other, other_len);
	ASSAY_AUTO_FREE char *wrong = platform_of("sha256", &db, &none);
	r.platform = wrong;
	chain_refused(&r, files, 1, "none of its signatures chains");
	ASSAY_AUTO_FREE char *revoked = platform_of("sha256", &two, &two);
	r.platform = revoked;
	chain_refused(&r, files, 1, "a certificate of its signature is in dbx");
	ASSAY_AUTO_FREE char *timed = platform_of("sha256", &two, &time);
	r.platform = timed;
	chain_refused(&r, files, 1, "by hash and time");
	free(one);
	free(other);
	free(sealed);
	assay_str_clear(&db);
	assay_str_clear(&two);
	assay_str_clear(&time);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hashes),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_certificates),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, start, stop);
}
