/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificate table, and signatures: made by sbsign, which is skipped aloud where it is not
 * installed, and Microsoft's of Debian's shim.
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>

#include "core/limits.h"
#include "tests/unit/pe_file.h"

/* --- the certificate table ----------------------------------------------------------------------
 */

static int read_certs(const struct peb *b, struct assay_pe_certs *certs, struct assay_err *err)
{
	struct file f;
	int r;

	open_bytes(&f, b->p, b->len);
	r = assay_pe_certs_read(f.pe, certs, err);
	close_file(&f);
	return r;
}

static void table(void **state)
{
	struct peb b = sample(true, 16);
	struct assay_pe_certs certs;
	struct assay_err err;

	(void)state;
	assert_int_equal(read_certs(&b, &certs, &err), 0);
	assert_int_equal(certs.n, 0);
	peb_cert(&b, 2, "first of them", 13);
	const size_t second = b.len;
	peb_cert(&b, 0x0ef1, "2", 1);
	assert_int_equal(read_certs(&b, &certs, &err), 0);
	assert_int_equal(certs.n, 2);
	assert_int_equal(certs.c[0].size, 13);
	assert_memory_equal(certs.c[0].data, "first of them", 13);
	assert_null(certs.c[0].signer);
	assert_null(certs.c[0].digest_alg);
	assert_int_equal(certs.c[1].type, 0x0ef1);
	assert_int_equal(certs.c[1].revision, 0x0200);
	assert_int_equal(certs.c[1].offset, second + 8);
	assert_int_equal(certs.c[1].size, 1);
	assay_pe_certs_clear(&certs);
	assert_null(certs.c);
	peb_free(&b);
}

/* The table ends with the file, so a shorter one needs its directory entry shortened too. */
static void table_cuts(void **state)
{
	struct peb b = sample(true, 16);
	const size_t at = b.len;

	(void)state;
	peb_cert(&b, 2, "abcdefgh", 8);
	peb_cert(&b, 2, "abc", 3);
	for (size_t len = 1; at + len < b.len; len++) {
		struct peb cut = { .p = b.p, .len = at + len };
		struct assay_pe_certs certs;
		struct assay_err err;

		assay_put_le32(b.p + b.dirs + 36, (uint32_t)len);
		if (len == 16) {
			assert_int_equal(read_certs(&cut, &certs, &err), 0);
			assert_int_equal(certs.n, 1);
			assay_pe_certs_clear(&certs);
			continue;
		}
		assert_int_equal(read_certs(&cut, &certs, &err), -1);
		assert_int_equal(err.code, ASSAY_E_CORRUPT);
		assert_non_null(strstr(err.msg, "cut short"));
		assert_true(err.at >= at && err.at <= at + len);
	}
	peb_free(&b);
}

static void table_lengths(void **state)
{
	static const uint32_t bad[] = { 0, 1, 7, 8, 17, 0x7fffffff, UINT32_MAX - 7, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct peb b = sample(true, 16);
		const size_t at = b.len;
		struct assay_pe_certs certs;
		struct assay_err err;

		peb_cert(&b, 2, "abcdefgh", 8);
		assay_put_le32(b.p + at, bad[i]);
		assert_int_equal(read_certs(&b, &certs, &err), -1);
		assert_int_equal(err.code, ASSAY_E_CORRUPT);
		peb_free(&b);
	}
}

static void table_ceilings(void **state)
{
	struct assay_pe_certs certs;
	struct assay_err err;

	(void)state;
	for (int more = -1; more <= 1; more++) {
		struct peb b = sample(true, 16);

		for (int i = 0; i < ASSAY_PE_MAX_CERTS + more; i++)
			peb_cert(&b, 2, "x", 1);
		assert_int_equal(read_certs(&b, &certs, &err), more <= 0 ? 0 : -1);
		if (more <= 0)
			assay_pe_certs_clear(&certs);
		else
			assert_int_equal(err.code, ASSAY_E_LIMIT);
		peb_free(&b);
	}
	for (int more = -8; more <= 8; more += 8) {
		struct peb b = sample(true, 16);
		const size_t len = (size_t)((int)ASSAY_PE_MAX_CERT_TABLE - 8 + more);
		uint8_t *data = calloc(1, len);

		assert_non_null(data);
		peb_cert(&b, 2, data, len);
		assert_int_equal(read_certs(&b, &certs, &err), more <= 0 ? 0 : -1);
		if (more <= 0)
			assay_pe_certs_clear(&certs);
		else
			assert_int_equal(err.code, ASSAY_E_LIMIT);
		free(data);
		peb_free(&b);
	}
}

/* --- signatures ---------------------------------------------------------------------------------
 */

struct identity {
	EVP_PKEY *key;
	X509 *cert;
	uint8_t *der;
	size_t der_len;
};

/* A certificate that ran out in 1971; as an authority, or not. NAME.key and NAME.pem in the folder.
 */
static struct identity make_identity(const char *name, const struct identity *issuer, bool ca)
{
	struct identity id = { .key = EVP_RSA_gen(2048), .cert = X509_new() };
	X509_NAME *subject = X509_NAME_new();
	X509_EXTENSION *ext;
	char path[256], file[64];
	FILE *f;
	int len;

	assert_non_null(id.key);
	assert_true(X509_set_version(id.cert, 2));
	assert_true(ASN1_INTEGER_set(X509_get_serialNumber(id.cert), name[0]));
	assert_true(ASN1_TIME_set(X509_getm_notBefore(id.cert), 1000) != NULL);
	assert_true(ASN1_TIME_set(X509_getm_notAfter(id.cert), 86400 * 400) != NULL);
	assert_true(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name,
					       -1, -1, 0));
	assert_true(X509_set_subject_name(id.cert, subject));
	assert_true(X509_set_issuer_name(id.cert,
					 issuer ? X509_get_subject_name(issuer->cert) : subject));
	assert_true(X509_set_pubkey(id.cert, id.key));
	ext = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
				  ca ? "critical,CA:TRUE" : "CA:FALSE");
	assert_true(X509_add_ext(id.cert, ext, -1));
	X509_EXTENSION_free(ext);
	/* Not for signing code: firmware does not mind. */
	ext = X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, "serverAuth");
	if (!ca)
		assert_true(X509_add_ext(id.cert, ext, -1));
	X509_EXTENSION_free(ext);
	assert_true(X509_sign(id.cert, issuer ? issuer->key : id.key, EVP_sha256()) > 0);
	len = i2d_X509(id.cert, &id.der);
	assert_true(len > 0);
	id.der_len = (size_t)len;
	X509_NAME_free(subject);

	snprintf(file, sizeof(file), "%s.key", name);
	path_of(path, file);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(PEM_write_PrivateKey(f, id.key, NULL, NULL, 0, NULL, NULL));
	fclose(f);
	snprintf(file, sizeof(file), "%s.pem", name);
	path_of(path, file);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(PEM_write_X509(f, id.cert));
	fclose(f);
	return id;
}

static void free_identity(struct identity *id)
{
	EVP_PKEY_free(id->key);
	X509_free(id->cert);
	OPENSSL_free(id->der);
}

static bool accepts(const struct assay_pe_cert *c, const struct assay_digests *image,
		    const struct identity *id)
{
	struct assay_err err;
	bool ret = false;

	if (assay_pe_cert_verify(c, image, id->der, id->der_len, &ret, &err) < 0)
		fail_msg("%s", err.msg);
	return ret;
}

static void signatures(void **state)
{
	struct identity root, leaf, other;
	struct assay_pe_certs certs;
	struct assay_digests d;
	struct assay_err err;
	char line[256], path[256];
	struct peb b = sample(true, 16);
	struct file f;
	uint8_t *p;
	size_t len = 0;
	bool ret;

	(void)state;
	NEED("sbsign");
	root = make_identity("root", NULL, true);
	leaf = make_identity("leaf", &root, false);
	other = make_identity("other", NULL, true);
	write_file("in.efi", b.p, b.len);
	assert_int_equal(run("sbsign --key leaf.key --cert leaf.pem --output 1.efi in.efi", line,
			     sizeof(line)),
			 0);
	assert_int_equal(run("sbsign --key other.key --cert other.pem --output 2.efi 1.efi", line,
			     sizeof(line)),
			 0);
	path_of(path, "2.efi");
	p = read_file(path, &len);
	assert_non_null(p);
	open_bytes(&f, p, len);
	assert_int_equal(assay_pe_certs_read(f.pe, &certs, &err), 0);
	assert_int_equal(assay_authenticode(f.pe, ASSAY_ALL_BANKS, &d, &err), 0);
	assert_int_equal(certs.n, 2);
	assert_string_equal(certs.c[0].signer, "CN = leaf");
	assert_string_equal(certs.c[0].issuer, "CN = root");
	assert_string_equal(certs.c[1].signer, "CN = other");
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(certs.c[i].digest_alg, "sha256");
		assert_int_equal(certs.c[i].digest_len, 32);
		assert_memory_equal(certs.c[i].digest, d.d[ASSAY_SHA256], 32);
	}

	/* By its own certificate, by the one above it, and by nobody else's. */
	assert_true(accepts(&certs.c[0], &d, &leaf));
	assert_true(accepts(&certs.c[0], &d, &root));
	assert_false(accepts(&certs.c[0], &d, &other));
	assert_false(accepts(&certs.c[1], &d, &leaf));
	assert_false(accepts(&certs.c[1], &d, &root));
	assert_true(accepts(&certs.c[1], &d, &other));

	/* Another image; an image whose digest is not known; bytes that are no certificate. */
	d.d[ASSAY_SHA256][0] ^= 1;
	assert_false(accepts(&certs.c[0], &d, &leaf));
	d.d[ASSAY_SHA256][0] ^= 1;
	d.banks = ASSAY_BANK_BIT(ASSAY_SHA1);
	assert_int_equal(assay_pe_cert_verify(&certs.c[0], &d, leaf.der, leaf.der_len, &ret, &err),
			 -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
	d.banks = ASSAY_ALL_BANKS;
	assert_int_equal(assay_pe_cert_verify(&certs.c[0], &d, p, 100, &ret, &err), 0);
	assert_false(ret);

	/* Any byte of the signature changed: some do not matter, none does worse. */
	for (uint32_t i = 0; i < certs.c[0].size; i += 7) {
		certs.c[0].data[i] ^= 0x40;
		accepts(&certs.c[0], &d, &root);
		certs.c[0].data[i] ^= 0x40;
	}
	/* The last byte is of the signature value itself. */
	certs.c[0].data[certs.c[0].size - 1] ^= 1;
	assert_false(accepts(&certs.c[0], &d, &leaf));
	certs.c[0].data[certs.c[0].size - 1] ^= 1;

	/* Other types: passed over by firmware, or not known here. */
	certs.c[0].type = 0x0001;
	assert_false(accepts(&certs.c[0], &d, &leaf));
	certs.c[0].type = 0x0ef1;
	assert_int_equal(assay_pe_cert_verify(&certs.c[0], &d, leaf.der, leaf.der_len, &ret, &err),
			 -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);

	assay_pe_certs_clear(&certs);
	close_file(&f);
	free(p);
	peb_free(&b);
	free_identity(&root);
	free_identity(&leaf);
	free_identity(&other);
}

/* Each certificate that Microsoft's signatures carry, as if it were the only one in db. */
static void microsoft(void **state)
{
	const char *shared = getenv("ASSAY_SHARED");
	struct assay_pe_certs certs;
	struct assay_digests d;
	struct assay_err err;
	char path[512];
	struct file f;
	uint8_t *p;
	size_t len = 0, good[2] = { 0 };

	(void)state;
	snprintf(path, sizeof(path), "%s/data/pe/debian-shimx64.efi.signed",
		 shared ? shared : "../shared");
	p = read_file(path, &len);
	if (!p) {
		print_message("# skipped: no %s\n", path);
		skip();
	}
	open_bytes(&f, p, len);
	assert_int_equal(assay_pe_certs_read(f.pe, &certs, &err), 0);
	assert_int_equal(assay_authenticode(f.pe, ASSAY_ALL_BANKS, &d, &err), 0);
	assert_int_equal(certs.n, 2);
	assert_non_null(strstr(certs.c[0].signer, "Microsoft Windows UEFI Driver Publisher"));
	assert_non_null(strstr(certs.c[1].signer, "Microsoft UEFI CA 2023 signer"));
	for (size_t i = 0; i < 2; i++) {
		const uint8_t *q = certs.c[i].data;
		PKCS7 *p7 = d2i_PKCS7(NULL, &q, certs.c[i].size);

		assert_non_null(p7);
		assert_memory_equal(certs.c[i].digest, d.d[ASSAY_SHA256], 32);
		for (int j = 0; j < sk_X509_num(p7->d.sign->cert); j++) {
			X509 *x = sk_X509_value(p7->d.sign->cert, j);
			struct identity id = { .cert = x };

			id.der_len = (size_t)i2d_X509(x, &id.der);
			good[i] += accepts(&certs.c[i], &d, &id);
			assert_false(accepts(&certs.c[1 - i], &d, &id));
			OPENSSL_free(id.der);
		}
		/* The signer's own and the authority above it, neither of them self-signed. */
		assert_true(good[i] >= 2);
		PKCS7_free(p7);
	}
	assay_pe_certs_clear(&certs);
	close_file(&f);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),	 cmocka_unit_test(table_cuts),
		cmocka_unit_test(table_lengths), cmocka_unit_test(table_ceilings),
		cmocka_unit_test(signatures),	 cmocka_unit_test(microsoft),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pe_certs", tests, setup, teardown);
}
