/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/cert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "core/limits.h"
#include "core/src.h"
#include "core/text.h"
#include "manifest/key_priv.h"

struct assay_chain {
	STACK_OF(X509) *certs; /* at least one */
};
struct assay_ca {
	STACK_OF(X509) *certs;
};

static void free_certs(STACK_OF(X509) *certs)
{
	sk_X509_pop_free(certs, X509_free);
}

void assay_chain_free(struct assay_chain **chainp)
{
	struct assay_chain *chain = chainp ? assay_steal(chainp) : NULL;

	if (chain)
		free_certs(chain->certs);
	free(chain);
}

void assay_ca_free(struct assay_ca **cap)
{
	struct assay_ca *ca = cap ? assay_steal(cap) : NULL;

	if (ca)
		free_certs(ca->certs);
	free(ca);
}

/* --- reading ------------------------------------------------------------------------------------ */

/* Certificates are not encrypted. (A pem_password_cb of openssl's.) */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

/* 1: one more in *ret. 0: there is none. -1: it is no certificate. */
static int next_cert(BIO *bio, X509 **ret)
{
	X509 *x = X509_new_ex(assay_key_lib(), NULL);

	ERR_clear_error();
	if (x && PEM_read_bio_X509(bio, &x, no_passphrase, NULL)) {
		*ret = x;
		return 1;
	}
	X509_free(x);
	return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ? 0 : -1;
}

static int read_certs(const void *pem, size_t len, unsigned limit, STACK_OF(X509) **ret, struct assay_err *err)
{
	STACK_OF(X509) *certs = sk_X509_new_null();
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	X509 *x = NULL;
	int r = certs && bio ? 1 : -1;

	while (r > 0) {
		r = next_cert(bio, &x);
		if (r > 0 && (sk_X509_num(certs) >= (int)limit || sk_X509_push(certs, x) <= 0)) {
			X509_free(x);
			r = -2;
		}
	}
	const int n = certs ? sk_X509_num(certs) : 0;
	BIO_free(bio);
	if (r == 0 && n > 0) {
		ERR_clear_error();
		*ret = certs;
		return 0;
	}
	free_certs(certs);
	if (r == -2 && n >= (int)limit)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "more than %u certificates", limit);
	if (r == 0)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no certificate in it");
	r = assay_fail_openssl(err, "certificate %d cannot be read", n + 1);
	if (err && err->code == ASSAY_E_CRYPTO)
		err->code = ASSAY_E_CORRUPT;
	return r;
}

static int load_certs(const char *path, unsigned limit, STACK_OF(X509) **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *pem = NULL;

	if (assay_src_open_file(path, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), ASSAY_CA_MAX_FILE, &pem, err) < 0)
		return -1;
	return read_certs(pem, (size_t)assay_src_size(src), limit, ret, err);
}

int assay_ca_load(const char *path, struct assay_ca **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_ca) *ca = calloc(1, sizeof(*ca));

	if (!ca)
		return assay_fail_mem(err);
	if (load_certs(path, ASSAY_CA_MAX_CERTS, &ca->certs, err) < 0)
		return -1;
	*ret = assay_steal(&ca);
	return 0;
}

int assay_ca_parse(const char *pem, size_t len, struct assay_ca **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_ca) *ca = calloc(1, sizeof(*ca));

	if (!ca)
		return assay_fail_mem(err);
	if (len > ASSAY_CA_MAX_FILE)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%zu bytes of certificates", len);
	if (read_certs(pem, len, ASSAY_CA_MAX_CERTS, &ca->certs, err) < 0)
		return -1;
	*ret = assay_steal(&ca);
	return 0;
}

int assay_chain_parse(const char *pem, size_t len, struct assay_chain **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_chain) *chain = calloc(1, sizeof(*chain));

	if (!chain)
		return assay_fail_mem(err);
	if (len > ASSAY_DSSE_MAX_CERTS)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%zu bytes of certificates", len);
	if (read_certs(pem, len, ASSAY_CHAIN_MAX_CERTS, &chain->certs, err) < 0)
		return -1;
	*ret = assay_steal(&chain);
	return 0;
}

int assay_chain_load(const char *path, struct assay_chain **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_chain) *chain = calloc(1, sizeof(*chain));

	if (!chain)
		return assay_fail_mem(err);
	if (load_certs(path, ASSAY_CHAIN_MAX_CERTS, &chain->certs, err) < 0)
		return -1;
	*ret = assay_steal(&chain);
	return 0;
}

int assay_chain_key(const struct assay_chain *chain, struct assay_key **ret, struct assay_err *err)
{
	EVP_PKEY *pkey = X509_get0_pubkey(sk_X509_value(chain->certs, 0));

	if (!pkey)
		return assay_fail_openssl(err, "a certificate whose key cannot be read");
	return assay_key_of(pkey, ret, err);
}

static bool is_root(X509 *x)
{
	return X509_check_purpose(x, -1, -1) == 1 && (X509_get_extension_flags(x) & EXFLAG_SS) != 0;
}

char *assay_chain_text(const struct assay_chain *chain, bool with_root)
{
	BIO *bio = BIO_new(BIO_s_mem());
	const int n = sk_X509_num(chain->certs);
	bool ok = bio != NULL;
	char *p = NULL, *text = NULL;

	for (int i = 0; ok && i < n; i++) {
		X509 *x = sk_X509_value(chain->certs, i);

		if (with_root || i == 0 || i + 1 < n || !is_root(x))
			ok = PEM_write_bio_X509(bio, x) > 0;
	}
	if (ok) {
		const long len = BIO_get_mem_data(bio, &p);

		text = assay_asprintf("%.*s", (int)len, p);
	}
	BIO_free(bio);
	ERR_clear_error();
	return text;
}

/* --- judging ------------------------------------------------------------------------------------ */

/* What is wrong with the purposes of a certificate, or NULL. OpenSSL gives no usage at all for one it cannot read. */
static const char *wrong_usage(X509 *x, bool is_signer)
{
	const uint32_t flags = X509_get_extension_flags(x);

	if (is_signer && (X509_get_key_usage(x) & KU_DIGITAL_SIGNATURE) == 0)
		return "its keyUsage has no digitalSignature";
	if ((flags & EXFLAG_XKUSAGE) != 0 &&
	    (X509_get_extended_key_usage(x) & (XKU_CODE_SIGN | (is_signer ? 0U : XKU_ANYEKU))) == 0)
		return "its extendedKeyUsage has no codeSigning";
	return NULL;
}

int assay_chain_check(const struct assay_chain *chain, struct assay_err *err)
{
	const char *wrong = wrong_usage(sk_X509_value(chain->certs, 0), true);

	if (wrong)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "certificate 1 is not one to sign with: %s", wrong);
	for (int i = 0; i + 1 < sk_X509_num(chain->certs); i++)
		if (X509_check_issued(sk_X509_value(chain->certs, i + 1), sk_X509_value(chain->certs, i)) != X509_V_OK)
			return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
					  "certificate %d did not issue certificate %d: the signer's stands first, each CA's behind "
					  "what it issued",
					  i + 2, i + 1);
	return 0;
}

/* Is it among the first n? */
static bool is_among(X509 *x, STACK_OF(X509) *certs, int n)
{
	for (int i = 0; i < n; i++)
		if (X509_cmp(x, sk_X509_value(certs, i)) == 0)
			return true;
	return false;
}

/* The way to the anchor has been found: the purposes of what is on it. */
static void judge_way(const struct assay_chain *chain, STACK_OF(X509) *way, struct assay_chain_verdict *ret)
{
	const int n = sk_X509_num(way);

	ret->good = true;
	ret->all_used = true; /* each once */
	for (int i = 0; i < n && ret->good; i++) {
		const char *wrong = i == 0 || i + 1 < n ? wrong_usage(sk_X509_value(way, i), i == 0) : NULL;

		if (wrong) {
			ret->good = false;
			snprintf(ret->why, sizeof(ret->why), "%s%s", i == 0 ? "" : "a CA of its: ", wrong);
		}
	}
	for (int i = 0; i < sk_X509_num(chain->certs); i++) {
		X509 *x = sk_X509_value(chain->certs, i);

		ret->all_used = ret->all_used && is_among(x, way, n) && !is_among(x, chain->certs, i);
	}
}

static int set_up(X509_STORE_CTX *ctx, X509_STORE *store, const struct assay_chain *chain, const struct assay_ca *ca,
		  int64_t at)
{
	for (int i = 0; i < sk_X509_num(ca->certs); i++)
		if (X509_STORE_add_cert(store, sk_X509_value(ca->certs, i)) <= 0)
			return -1;
	if (X509_STORE_CTX_init(ctx, store, sk_X509_value(chain->certs, 0), chain->certs) <= 0)
		return -1;
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)at);
	/* Whoever gives an intermediate CA as the anchor means it. Level 2: 112 bits, so no SHA-1, no RSA of 1024. */
	X509_VERIFY_PARAM_set_auth_level(param, 2);
	return X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) > 0 ? 0 : -1;
}

int assay_chain_judge(const struct assay_chain *chain, const struct assay_ca *ca, int64_t at,
		      struct assay_chain_verdict *ret, struct assay_err *err)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(assay_key_lib(), NULL);
	struct assay_chain_verdict v = { 0 };
	X509_STORE *store = X509_STORE_new();
	int r = -1;

	ERR_clear_error();
	if (ctx && store && set_up(ctx, store, chain, ca, at) == 0) {
		const bool ok = X509_verify_cert(ctx) == 1;
		const int code = X509_STORE_CTX_get_error(ctx);

		if (ok && code == X509_V_OK)
			judge_way(chain, X509_STORE_CTX_get0_chain(ctx), &v);
		else
			snprintf(v.why, sizeof(v.why), "%s (certificate %d of its chain)", X509_verify_cert_error_string(code),
				 X509_STORE_CTX_get_error_depth(ctx) + 1);
		r = code == X509_V_ERR_OUT_OF_MEM ? -1 : 0;
	}
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	if (r < 0)
		return assay_fail_openssl(err, "cannot check a certificate");
	ERR_clear_error();
	*ret = v;
	return 0;
}

/* --- names -------------------------------------------------------------------------------------- */

static bool each_name(X509 *x, bool (*fn)(const void *p, size_t n, void *arg), void *arg)
{
	int critical = 0;
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, &critical, NULL);
	bool found = false;

	if (!names && critical == -1) {
		X509_NAME *subject = X509_get_subject_name(x);
		const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
		unsigned char *utf8 = NULL;
		int len;

		/* Of two common names nobody knows which is meant. */
		if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
			return false;
		len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
		found = len > 0 && fn(utf8, (size_t)len, arg);
		OPENSSL_free(utf8);
		return found;
	}
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

		if (g->type == GEN_EMAIL || g->type == GEN_URI || g->type == GEN_DNS)
			found = fn(ASN1_STRING_get0_data(g->d.ia5), (size_t)ASN1_STRING_length(g->d.ia5), arg);
	}
	GENERAL_NAMES_free(names);
	return found;
}

static bool equals(const void *p, size_t n, void *arg)
{
	const char *name = arg;

	return n == strlen(name) && memcmp(p, name, n) == 0;
}

bool assay_chain_is_of(const struct assay_chain *chain, const char *name)
{
	ASSAY_AUTO_FREE char *copy = assay_strdup(name);
	const bool found = copy && *copy && each_name(sk_X509_value(chain->certs, 0), equals, copy);

	ERR_clear_error();
	return found;
}

static bool add_name(const void *p, size_t n, void *arg)
{
	struct assay_str *s = arg;

	assay_str_add(s, "%s", s->len ? ", " : "");
	assay_str_add_utf8(s, p, n);
	return false;
}

char *assay_chain_names(const struct assay_chain *chain)
{
	struct assay_str s = { 0 };

	(void)each_name(sk_X509_value(chain->certs, 0), add_name, &s);
	ERR_clear_error();
	return assay_str_steal(&s);
}
