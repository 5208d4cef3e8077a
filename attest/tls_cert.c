/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and certificates in memory. */
#include "attest/tls_priv.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define DAY 86400

static inline void free_key(EVP_PKEY **p)
{
	EVP_PKEY_free(*p);
}
static inline void free_cert(X509 **p)
{
	X509_free(*p);
}
static inline void free_names(GENERAL_NAMES **p)
{
	GENERAL_NAMES_free(*p);
}
static inline void free_bio(BIO **p)
{
	BIO_free_all(*p);
}
#define AUTO(fn) __attribute__((cleanup(fn)))

static int fail_ssl(struct assay_err *err, const char *what)
{
	const unsigned long e = ERR_peek_last_error();
	char text[200] = "no reason given";

	if (e != 0)
		ERR_error_string_n(e, text, sizeof(text));
	ERR_clear_error();
	return assay_fail(err, ASSAY_E_CRYPTO, ASSAY_NO_OFFSET, "%s: %s", what, text);
}

/* --- names -------------------------------------------------------------------------------------- */

/* Labels of letters, digits and hyphens; the first may be an asterisk (RFC 6125). */
static bool is_dns_name(const char *s)
{
	size_t label = 0;
	bool letter = false;

	if (strlen(s) > 253)
		return false;
	if (s[0] == '*' && s[1] == '.')
		s += 2;
	for (;; s++) {
		const char c = *s;

		if (c == '.' || c == '\0') {
			if (label == 0 || label > 63 || s[-1] == '-')
				return false;
			if (c == '\0')
				return letter; /* digits alone would be an address, and not a good one */
			label = 0;
			letter = false;
			continue;
		}
		letter |= (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c == '-' && label > 0)))
			return false;
		label++;
	}
}

static int make_names(const struct assay_tls_options *opt, GENERAL_NAMES **ret, struct assay_err *err)
{
	AUTO(free_names) GENERAL_NAMES *names = GENERAL_NAMES_new();

	if (!names)
		return assay_fail_mem(err);
	for (size_t i = 0; i < opt->n_names; i++) {
		const char *text = opt->names[i];
		ASN1_STRING *value = a2i_IPADDRESS(text);
		const int kind = value ? GEN_IPADD : GEN_DNS;
		GENERAL_NAME *name = GENERAL_NAME_new();

		ERR_clear_error();
		if (!value && !is_dns_name(text)) {
			GENERAL_NAME_free(name);
			return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
					  "'%s' is neither a DNS name nor an IP address", text);
		}
		if (!value) {
			value = ASN1_IA5STRING_new();
			if (value && !ASN1_STRING_set(value, text, -1)) {
				ASN1_STRING_free(value);
				value = NULL;
			}
		}
		if (!name || !value || !sk_GENERAL_NAME_push(names, name)) {
			ASN1_STRING_free(value);
			GENERAL_NAME_free(name);
			return assay_fail_mem(err);
		}
		GENERAL_NAME_set0_value(name, kind, value);
	}
	if (opt->n_names == 0)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "a certificate of no name");
	*ret = names;
	names = NULL;
	return 0;
}

/* --- making ------------------------------------------------------------------------------------- */

static int add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	const int ok = ext && X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return ok;
}

/* 127 bits, never zero: positive, and at most 20 bytes (RFC 5280, 4.1.2.2). */
static int set_serial(X509 *cert)
{
	unsigned char serial[16];

	if (RAND_bytes(serial, sizeof(serial)) != 1)
		return 0;
	serial[0] = (unsigned char)((serial[0] & 0x3f) | 0x40);
	BIGNUM *bn = BN_bin2bn(serial, sizeof(serial), NULL);
	const int ok = bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert));
	BN_free(bn);
	return ok;
}

static int fill_certificate(X509 *cert, EVP_PKEY *key, const GENERAL_NAMES *names, const struct assay_tls_options *opt)
{
	/* The clock of a guest that has just started may be behind or ahead of the clients'. */
	const time_t from = (time_t)opt->now - DAY;
	const time_t to = (time_t)opt->now + (time_t)opt->days * DAY;
	X509_NAME *subject = X509_get_subject_name(cert);
	/* A common name ends at 64 characters; clients look at the subjectAltName. */
	const char *cn = strlen(opt->names[0]) <= 64 ? opt->names[0] : "assay";

	return X509_set_version(cert, X509_VERSION_3) && set_serial(cert) && ASN1_TIME_set(X509_getm_notBefore(cert), from) &&
	       ASN1_TIME_set(X509_getm_notAfter(cert), to) && X509_set_pubkey(cert, key) &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0) &&
	       X509_set_issuer_name(cert, subject) && add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(cert, NID_ext_key_usage, "serverAuth") &&
	       add_extension(cert, NID_subject_key_identifier, "hash") &&
	       X509_add1_ext_i2d(cert, NID_subject_alt_name, (void *)names, 0, X509V3_ADD_DEFAULT) == 1 &&
	       X509_sign(cert, key, EVP_sha256()) > 0;
}

/* With a NUL behind it. */
static int bio_text(BIO *bio, char **ret, size_t *ret_len, struct assay_err *err)
{
	char *p;
	const long len = BIO_get_mem_data(bio, &p);

	if (len <= 0)
		return fail_ssl(err, "PEM");
	*ret = malloc((size_t)len + 1);
	if (!*ret)
		return assay_fail_mem(err);
	memcpy(*ret, p, (size_t)len);
	(*ret)[len] = '\0';
	*ret_len = (size_t)len;
	return 0;
}

int assay_tls_make(const struct assay_tls_options *opt, char **ret_key, size_t *ret_key_len, char **ret_certificate,
		   size_t *ret_certificate_len, struct assay_err *err)
{
	AUTO(free_names) GENERAL_NAMES *names = NULL;
	AUTO(free_cert) X509 *cert = NULL;
	AUTO(free_key) EVP_PKEY *key = NULL;
	/* It wipes what it held. */
	AUTO(free_bio) BIO *key_bio = NULL;
	AUTO(free_bio) BIO *cert_bio = NULL;
	ASSAY_AUTO_FREE char *cert_text = NULL;
	size_t cert_len;

	if (opt->days == 0 || opt->days > ASSAY_TLS_MAX_DAYS)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "a certificate is valid for 1 to %u days",
				  ASSAY_TLS_MAX_DAYS);
	if (make_names(opt, &names, err) < 0)
		return -1;
	key = EVP_EC_gen("P-256");
	if (!key)
		return fail_ssl(err, "a P-256 key");
	cert = X509_new();
	if (!cert || !fill_certificate(cert, key, names, opt))
		return fail_ssl(err, "a certificate");
	key_bio = BIO_new(BIO_s_secmem());
	cert_bio = BIO_new(BIO_s_mem());
	if (!key_bio || !cert_bio || !PEM_write_bio_PKCS8PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) ||
	    !PEM_write_bio_X509(cert_bio, cert))
		return fail_ssl(err, "PEM");
	if (bio_text(cert_bio, &cert_text, &cert_len, err) < 0 || bio_text(key_bio, ret_key, ret_key_len, err) < 0)
		return -1;
	*ret_certificate = assay_steal(&cert_text);
	*ret_certificate_len = cert_len;
	return 0;
}

/* --- looking ------------------------------------------------------------------------------------ */

static X509 *read_cert(const char *pem, size_t len)
{
	AUTO(free_bio) BIO *bio = len <= INT32_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;

	return bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
}

/* A key's file is ours and has no passphrase: nobody is to be asked for one. (A pem_password_cb.) */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

bool assay_tls_is_pair(const char *certificate, size_t certificate_len, const char *key, size_t key_len)
{
	AUTO(free_cert) X509 *cert = read_cert(certificate, certificate_len);
	AUTO(free_bio) BIO *bio = key_len <= INT32_MAX ? BIO_new_mem_buf(key, (int)key_len) : NULL;
	AUTO(free_key) EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	const bool is = cert && pkey && X509_check_private_key(cert, pkey) == 1;

	ERR_clear_error();
	return is;
}

static int same_names(X509 *cert, const GENERAL_NAMES *want, bool *ret, struct assay_err *err)
{
	int critical = 0;
	AUTO(free_names) GENERAL_NAMES *has = X509_get_ext_d2i(cert, NID_subject_alt_name, &critical, NULL);
	unsigned char *a = NULL, *b = NULL;
	const int n = has ? i2d_GENERAL_NAMES(has, &a) : 0;
	const int m = i2d_GENERAL_NAMES(want, &b);

	*ret = n > 0 && n == m && memcmp(a, b, (size_t)n) == 0;
	OPENSSL_free(a);
	OPENSSL_free(b);
	/* -1: it has none. */
	if (n < 0 || m <= 0 || (!has && critical != -1))
		return fail_ssl(err, "the certificate's names");
	return 0;
}

int assay_tls_check(const struct assay_tls_options *opt, const char *certificate, size_t len, uint8_t ret_sha256[32],
		    struct assay_err *err)
{
	AUTO(free_names) GENERAL_NAMES *names = NULL;
	AUTO(free_cert) X509 *cert = read_cert(certificate, len);
	time_t now = (time_t)opt->now;
	unsigned n = 32;
	bool same;

	if (!cert)
		return fail_ssl(err, "a certificate of the log");
	if (make_names(opt, &names, err) < 0)
		return -1;
	if (same_names(cert, names, &same, err) < 0)
		return -1;
	if (!same)
		return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET, "the certificate is of other names");
	const int from = X509_cmp_time(X509_get0_notBefore(cert), &now);
	const int to = X509_cmp_time(X509_get0_notAfter(cert), &now);
	if (from == 0 || to == 0)
		return fail_ssl(err, "the certificate's times");
	if (from > 0 || to < 0)
		return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET, "the certificate is not valid now");
	if (!X509_digest(cert, EVP_sha256(), ret_sha256, &n) || n != 32)
		return fail_ssl(err, "the certificate's digest");
	return 0;
}
