/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests and signatures. Oracles, each skipped aloud where it is not installed: pesign for the
 * digest, sbsign to make signatures, and Debian's shim with Microsoft's signatures.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/wait.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>

#include "core/limits.h"
#include "measure/pe/pe.h"
#include "tests/unit/pe_build.h"

static char dir[] = "/tmp/assay-authenticode.XXXXXX";

struct file {
	uint8_t *p; /* a copy of exactly its size */
	struct assay_src *src;
	struct assay_pe *pe;
};

static void open_bytes(struct file *f, const uint8_t *p, size_t len)
{
	struct assay_err err;

	f->p = malloc(len);
	assert_non_null(f->p);
	memcpy(f->p, p, len);
	assert_int_equal(assay_src_from_mem(f->p, len, &f->src, &err), 0);
	if (assay_pe_open(f->src, &f->pe, &err) < 0)
		fail_msg("%s", err.msg);
}

static void close_file(struct file *f)
{
	assay_pe_free(&f->pe);
	assay_src_free(&f->src);
	free(f->p);
}

static void path_of(char path[256], const char *name)
{
	snprintf(path, 256, "%s/%s", dir, name);
}

static void write_file(const char *name, const void *p, size_t len)
{
	char path[256];
	FILE *f;

	path_of(path, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static uint8_t *read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p;
	long size;

	if (!f)
		return NULL;
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	size = ftell(f);
	assert_true(size >= 0);
	rewind(f);
	p = malloc((size_t)size + 1);
	assert_non_null(p);
	assert_int_equal(fread(p, 1, (size_t)size, f), (size_t)size);
	fclose(f);
	*len = (size_t)size;
	return p;
}

/* Runs a command in the folder; its exit status, and the first line that it prints. */
static int run(const char *command, char *line, size_t size)
{
	char text[1024];
	FILE *f;
	int status;

	snprintf(text, sizeof(text), "cd %s && { %s; } 2>/dev/null", dir, command);
	f = popen(text, "r");
	assert_non_null(f);
	if (!fgets(line, (int)size, f))
		line[0] = '\0';
	while (fgets(text, sizeof(text), f))
		;
	status = pclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool have(const char *tool)
{
	char command[64], line[256];

	snprintf(command, sizeof(command), "command -v %s", tool);
	return run(command, line, sizeof(line)) == 0;
}

#define NEED(tool)                                                                                 \
	do {                                                                                       \
		if (!have(tool)) {                                                                 \
			print_message("# SKIP %s: %s is not installed\n", __func__, tool);         \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

/* --- digests ------------------------------------------------------------------------------------
 */

static void same_as_pesign(const struct peb *b)
{
	static const enum assay_bank banks[] = { ASSAY_SHA1, ASSAY_SHA256 };
	struct assay_digests d;
	struct assay_err err;
	struct file f;

	open_bytes(&f, b->p, b->len);
	if (assay_authenticode(f.pe, ASSAY_ALL_BANKS, &d, &err) < 0)
		fail_msg("%s", err.msg);
	write_file("x.efi", b->p, b->len);
	for (size_t i = 0; i < 2; i++) {
		char command[128], line[256], want[256], hex[ASSAY_HEX_MAX];

		snprintf(command, sizeof(command), "pesign -h -d %s -i x.efi",
			 assay_bank_name(banks[i]));
		assert_int_equal(run(command, line, sizeof(line)), 0);
		assay_hex(d.d[banks[i]], assay_bank_size(banks[i]), hex);
		snprintf(want, sizeof(want), "hash: %s\n", hex);
		assert_string_equal(line, want);
	}
	close_file(&f);
}

static struct peb sample(bool plus, unsigned n_dirs)
{
	struct peb b;

	peb_start(&b, plus, n_dirs, 8);
	assay_put_le32(b.p + PEB_OPT + 64, 0x12345678);
	peb_fill(&b, ".text", 1500, 1);
	peb_fill(&b, ".data", 600, 2);
	return b;
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
	size_t len;
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
	size_t len, good[2] = { 0 };

	(void)state;
	snprintf(path, sizeof(path), "%s/data/pe/debian-shimx64.efi.signed",
		 shared ? shared : "../shared");
	p = read_file(path, &len);
	if (!p) {
		print_message("# SKIP microsoft: no %s\n", path);
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

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "x.efi",	 "x.esl",     "in.efi",	  "1.efi",
					     "2.efi",	 "root.key",  "root.pem", "leaf.key",
					     "leaf.pem", "other.key", "other.pem" };
	char path[256];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		path_of(path, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths),	 cmocka_unit_test(signed_lengths),
		cmocka_unit_test(order),	 cmocka_unit_test(gaps),
		cmocka_unit_test(gaps_told),	 cmocka_unit_test(few_directories),
		cmocka_unit_test(refused),	 cmocka_unit_test(gap_ceiling),
		cmocka_unit_test(table),	 cmocka_unit_test(table_cuts),
		cmocka_unit_test(table_lengths), cmocka_unit_test(table_ceilings),
		cmocka_unit_test(signatures),	 cmocka_unit_test(microsoft),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("authenticode", tests, setup, teardown);
}
