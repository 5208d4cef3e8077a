/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of a CA for attestation keys, and those of endorsement keys. */
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "core/limits.h"
#include "core/ossl.h"
#include "core/src.h"
#include "core/text.h"
#include "tpm/credential.h"
#include "verify/ca_priv.h"
#include "verify/chain_priv.h"

#define EK_USAGE "2.23.133.8.1" /* tcg-kp-EKCertificate */
#define AK_USAGE "2.23.133.8.3" /* tcg-kp-AIKCertificate */
#define SKEW 300		/* seconds: a certificate is valid a little earlier, for clocks that are slow */

void assay_akca_clear(struct assay_akca *ca)
{
	EVP_PKEY_free(ca->key);
	X509_free(ca->cert);
	*ca = (struct assay_akca){ 0 };
}

int assay_akca_serial(uint8_t ret[20], struct assay_err *err)
{
	if (RAND_bytes_ex(assay_ossl_lib(), ret, 20, 0) <= 0)
		return assay_fail_openssl(err, "random bytes");
	ret[0] = (uint8_t)((ret[0] & 0x7f) | 0x40);
	return 0;
}

/* --- making ------------------------------------------------------------------------------------- */

static bool extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	const bool ok = e && X509_add_ext(x, e, -1) > 0;

	X509_EXTENSION_free(e);
	return ok;
}

static bool fill(X509 *x, const char *cn, const X509_NAME *issuer, EVP_PKEY *pkey, const uint8_t serial[20], int64_t now,
		 unsigned days)
{
	BIGNUM *n = BN_bin2bn(serial, 20, NULL);
	X509_NAME *name = X509_get_subject_name(x);
	const bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) && X509_set_version(x, X509_VERSION_3) > 0 &&
			X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0) > 0 &&
			X509_set_issuer_name(x, issuer ? issuer : name) > 0 &&
			ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(now - SKEW)) &&
			ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(now + (int64_t)days * 86400)) && X509_set_pubkey(x, pkey) > 0;

	BN_free(n);
	return ok;
}

static char *text_of(BIO *bio)
{
	char *p = NULL;
	const long len = BIO_get_mem_data(bio, &p);

	return assay_asprintf("%.*s", (int)len, p);
}

static char *pem_of(X509 *x)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = bio && PEM_write_bio_X509(bio, x) > 0 ? text_of(bio) : NULL;

	BIO_free(bio);
	return text;
}

static char *pem_of_key(EVP_PKEY *pkey)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = bio && PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) > 0 ? text_of(bio) : NULL;

	BIO_free(bio);
	return text;
}

int assay_akca_self(const char *cn, const uint8_t serial[20], int64_t now, unsigned days, char **ret_cert, char **ret_key,
		    struct assay_err *err)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(assay_ossl_lib(), NULL, "EC", "P-256");
	X509 *x = X509_new_ex(assay_ossl_lib(), NULL);
	char *cert = NULL, *key = NULL;

	if (pkey && x && fill(x, cn, NULL, pkey, serial, now, days) &&
	    extend(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	    extend(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") && extend(x, x, NID_subject_key_identifier, "hash") &&
	    X509_sign(x, pkey, EVP_sha256()) > 0) {
		cert = pem_of(x);
		key = pem_of_key(pkey);
	}
	X509_free(x);
	EVP_PKEY_free(pkey);
	if (!cert || !key) {
		free(cert);
		free(key);
		return assay_fail_openssl(err, "cannot make a CA's certificate");
	}
	*ret_cert = cert;
	*ret_key = key;
	return 0;
}

int assay_akca_sign(const struct assay_akca *ca, const struct assay_tpm_public *ak, const char *cn, const uint8_t serial[20],
		    int64_t now, unsigned days, char **ret, struct assay_err *err)
{
	EVP_PKEY *pkey = assay_tpm_public_key(ak);
	X509 *x = X509_new_ex(assay_ossl_lib(), NULL);
	char *pem = NULL;

	if (pkey && x && fill(x, cn, X509_get_subject_name(ca->cert), pkey, serial, now, days) &&
	    extend(x, ca->cert, NID_basic_constraints, "critical,CA:FALSE") &&
	    extend(x, ca->cert, NID_key_usage, "critical,digitalSignature") && extend(x, ca->cert, NID_ext_key_usage, AK_USAGE) &&
	    extend(x, ca->cert, NID_subject_key_identifier, "hash") && extend(x, ca->cert, NID_authority_key_identifier, "keyid:always") &&
	    X509_sign(x, ca->key, EVP_sha256()) > 0)
		pem = pem_of(x);
	X509_free(x);
	EVP_PKEY_free(pkey);
	if (!pem)
		return assay_fail_openssl(err, "cannot sign a certificate");
	*ret = pem;
	return 0;
}

/* --- reading ------------------------------------------------------------------------------------ */

static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static int read_file(const char *dir, const char *name, char **ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *path = assay_asprintf("%s/%s", dir, name);
	ASSAY_AUTO(assay_src) *src = NULL;
	uint8_t *p = NULL;

	if (!path)
		return assay_fail_mem(err);
	if (assay_src_open_file(path, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), ASSAY_ENROLL_MAX_FILE, &p, err) < 0)
		return assay_wrap(err, "%s", path);
	*ret = (char *)p;
	return 0;
}

static X509 *parse_cert(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *x = bio ? X509_new_ex(assay_ossl_lib(), NULL) : NULL;

	if (x && !PEM_read_bio_X509(bio, &x, no_passphrase, NULL)) {
		X509_free(x);
		x = NULL;
	}
	BIO_free(bio);
	return x;
}

int assay_akca_load(const char *dir, struct assay_akca *ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *cert = NULL, *key = NULL;
	struct assay_akca ca = { 0 };

	if (read_file(dir, "ca.pem", &cert, err) < 0 || read_file(dir, "ca.key", &key, err) < 0)
		return -1;
	BIO *bio = BIO_new_mem_buf(key, -1);
	ca.cert = parse_cert(cert);
	ca.key = bio ? PEM_read_bio_PrivateKey_ex(bio, NULL, no_passphrase, NULL, assay_ossl_lib(), NULL) : NULL;
	BIO_free(bio);
	if (!ca.cert || !ca.key || X509_check_private_key(ca.cert, ca.key) <= 0) {
		assay_akca_clear(&ca);
		(void)assay_fail_openssl(err, "%s: ca.pem and ca.key are no CA", dir);
		return -1;
	}
	*ret = ca;
	return 0;
}

/* --- endorsement keys --------------------------------------------------------------------------- */

static int refuse(struct assay_err *err, const char *why)
{
	ERR_clear_error();
	return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET, "the endorsement key's certificate %s", why);
}

static bool is_for_ek(X509 *x)
{
	ASN1_OBJECT *wanted = OBJ_txt2obj(EK_USAGE, 1);
	int critical = 0;
	EXTENDED_KEY_USAGE *eku = X509_get_ext_d2i(x, NID_ext_key_usage, &critical, NULL);
	bool found = wanted && !eku && critical == -1; /* older ones have none */

	for (int i = 0; wanted && i < sk_ASN1_OBJECT_num(eku); i++)
		found |= OBJ_cmp(sk_ASN1_OBJECT_value(eku, i), wanted) == 0;
	EXTENDED_KEY_USAGE_free(eku);
	ASN1_OBJECT_free(wanted);
	return found;
}

static int judge_chain(X509 *x, const struct assay_anchors *trust, int64_t now, struct assay_err *err)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(assay_ossl_lib(), NULL);
	int r = -1;

	if (ctx && X509_STORE_CTX_init(ctx, assay_anchors_store(trust), x, assay_anchors_helpers(trust)) > 0) {
		X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

		X509_VERIFY_PARAM_set_time(param, (time_t)now);
		X509_VERIFY_PARAM_set_auth_level(param, 2); /* 112 bits */
		if (X509_verify_cert(ctx) == 1) {
			r = 0;
		} else {
			ERR_clear_error();
			(void)assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET,
					 "the endorsement key's certificate leads to no trusted root: %s (certificate %d of its chain)",
					 X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)),
					 X509_STORE_CTX_get_error_depth(ctx) + 1);
		}
	} else {
		(void)assay_fail_openssl(err, "cannot check a certificate");
	}
	X509_STORE_CTX_free(ctx);
	return r;
}

int assay_akca_judge_ek(const char *pem, const struct assay_tpm_public *ek, const struct assay_anchors *trust, int64_t now,
			struct assay_err *err)
{
	X509 *x = parse_cert(pem);
	int r;

	if (!x)
		return refuse(err, "cannot be read");
	EVP_PKEY *pkey = X509_get0_pubkey(x);
	const uint32_t flags = X509_get_extension_flags(x);
	if (!pkey)
		r = refuse(err, "has a key that cannot be read");
	else if (!assay_tpm_public_is(ek, pkey))
		r = refuse(err, "is of another key");
	else if ((flags & EXFLAG_INVALID) != 0 || (flags & EXFLAG_CA) != 0 || !is_for_ek(x) ||
		 ((flags & EXFLAG_KUSAGE) != 0 && (X509_get_key_usage(x) & (KU_KEY_ENCIPHERMENT | KU_KEY_AGREEMENT)) == 0))
		r = refuse(err, "is not for an endorsement key (2.23.133.8.1, keyEncipherment or keyAgreement)");
	else
		r = judge_chain(x, trust, now, err);
	X509_free(x);
	ERR_clear_error();
	return r;
}
