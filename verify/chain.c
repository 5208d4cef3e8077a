/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/chain.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
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
#include "core/ossl.h"
#include "core/src.h"
#include "core/text.h"
#include "verify/chain_priv.h"

/*
 * Certificates that have been taken apart: OpenSSL 3.0 needs 100 us for the public key of each, and a machine's are the same
 * in each of its proofs. Found by their very bytes; what is thought of them is found out anew each time.
 */
#define CACHED 64U
struct cache {
	pthread_mutex_t lock;
	struct {
		uint8_t *der;
		size_t len;
		X509 *x;
	} certs[CACHED];
	unsigned next;
};

struct assay_anchors {
	struct cache *cache;
	X509_STORE *store;
	STACK_OF(X509) *roots, *helpers;
	ASN1_OBJECT *aik, *document; /* tcg-kp-AIKCertificate, Microsoft's documentSigning */
};

struct assay_anchors *assay_anchors_new(void)
{
	struct assay_anchors *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->cache = calloc(1, sizeof(*a->cache));
	if (a->cache)
		pthread_mutex_init(&a->cache->lock, NULL);
	a->store = X509_STORE_new();
	a->roots = sk_X509_new_null();
	a->helpers = sk_X509_new_null();
	a->aik = OBJ_txt2obj("2.23.133.8.3", 1);
	a->document = OBJ_txt2obj("1.3.6.1.4.1.311.10.3.12", 1);
	if (!a->cache || !a->store || !a->roots || !a->helpers || !a->aik || !a->document)
		assay_anchors_free(&a);
	return a;
}

void assay_anchors_free(struct assay_anchors **ap)
{
	struct assay_anchors *a = ap ? assay_steal(ap) : NULL;

	if (!a)
		return;
	for (unsigned i = 0; a->cache && i < CACHED; i++) {
		free(a->cache->certs[i].der);
		X509_free(a->cache->certs[i].x);
	}
	if (a->cache)
		pthread_mutex_destroy(&a->cache->lock);
	free(a->cache);
	X509_STORE_free(a->store);
	sk_X509_pop_free(a->roots, X509_free);
	sk_X509_pop_free(a->helpers, X509_free);
	ASN1_OBJECT_free(a->aik);
	ASN1_OBJECT_free(a->document);
	free(a);
}

X509_STORE *assay_anchors_store(const struct assay_anchors *anchors)
{
	return anchors->store;
}

STACK_OF(X509) *assay_anchors_helpers(const struct assay_anchors *anchors)
{
	return anchors->helpers;
}

size_t assay_anchors_n(const struct assay_anchors *anchors)
{
	return (size_t)sk_X509_num(anchors->roots);
}

/* --- what is trusted ---------------------------------------------------------------------------- */

static X509 *new_cert(void)
{
	OSSL_LIB_CTX *lib = assay_ossl_lib();

	return lib ? X509_new_ex(lib, NULL) : NULL;
}

/* Just one certificate and nothing behind it. NULL: it is none, or no memory. */
static X509 *parse_der(const uint8_t *p, size_t len)
{
	X509 *x = new_cert();
	const unsigned char *at = p;

	if (!x)
		return NULL;
	if (!d2i_X509(&x, &at, (long)len) || at != p + len) {
		X509_free(x);
		return NULL;
	}
	/* Looks at its extensions, once and for all threads. */
	(void)X509_check_purpose(x, -1, -1);
	return x;
}

static X509 *find_cached(struct cache *c, const uint8_t *p, size_t len)
{
	X509 *x = NULL;

	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < CACHED && !x; i++)
		if (c->certs[i].x && c->certs[i].len == len && memcmp(c->certs[i].der, p, len) == 0 && X509_up_ref(c->certs[i].x) == 1)
			x = c->certs[i].x;
	pthread_mutex_unlock(&c->lock);
	return x;
}

/* It need not be kept. */
static void keep(struct cache *c, const uint8_t *p, size_t len, X509 *x)
{
	uint8_t *der = malloc(len);

	if (!der || X509_up_ref(x) != 1) {
		free(der);
		return;
	}
	memcpy(der, p, len);
	pthread_mutex_lock(&c->lock);
	uint8_t *old = c->certs[c->next].der;
	X509 *old_x = c->certs[c->next].x;
	c->certs[c->next].der = der;
	c->certs[c->next].len = len;
	c->certs[c->next].x = x;
	c->next = (c->next + 1) % CACHED;
	pthread_mutex_unlock(&c->lock);
	free(old);
	X509_free(old_x);
}

X509 *assay_anchors_cert(const struct assay_anchors *a, const uint8_t *p, size_t len)
{
	X509 *x = find_cached(a->cache, p, len);

	if (!x) {
		x = parse_der(p, len);
		if (x)
			keep(a->cache, p, len, x);
	}
	return x;
}

static bool is_among(const STACK_OF(X509) *certs, X509 *x)
{
	for (int i = 0; i < sk_X509_num(certs); i++)
		if (X509_cmp(x, sk_X509_value(certs, i)) == 0)
			return true;
	return false;
}

/* Takes it over. */
static int add(struct assay_anchors *a, X509 *x, struct assay_err *err)
{
	const uint32_t flags = X509_get_extension_flags(x);
	STACK_OF(X509) *into = (flags & EXFLAG_SS) != 0 ? a->roots : a->helpers;

	if (is_among(into, x)) {
		X509_free(x);
		return 0;
	}
	if (sk_X509_num(a->roots) + sk_X509_num(a->helpers) >= (int)ASSAY_CA_MAX_CERTS) {
		X509_free(x);
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "more than %u certificates", ASSAY_CA_MAX_CERTS);
	}
	if (into == a->roots && X509_STORE_add_cert(a->store, x) <= 0) {
		X509_free(x);
		return assay_fail_openssl(err, "a certificate cannot be taken");
	}
	if (sk_X509_push(into, x) <= 0) {
		X509_free(x);
		return assay_fail_mem(err);
	}
	return 0;
}

static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static int add_pem(struct assay_anchors *a, const void *p, size_t len, size_t *ret_n, struct assay_err *err)
{
	BIO *bio = BIO_new_mem_buf(p, (int)len);
	int r = bio ? 0 : -1;

	while (r == 0) {
		X509 *x = new_cert();

		ERR_clear_error();
		if (!x || !PEM_read_bio_X509(bio, &x, no_passphrase, NULL)) {
			X509_free(x);
			r = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ? 1 : -1;
			break;
		}
		(void)X509_check_purpose(x, -1, -1);
		if (add(a, x, err) < 0) {
			BIO_free(bio);
			return -1;
		}
		++*ret_n;
	}
	BIO_free(bio);
	if (r < 0) {
		(void)assay_fail_openssl(err, "certificate %zu cannot be read", *ret_n + 1);
		if (err && err->code == ASSAY_E_CRYPTO)
			err->code = ASSAY_E_CORRUPT;
		return -1;
	}
	ERR_clear_error();
	return 0;
}

int assay_anchors_add(struct assay_anchors *a, const char *name, const void *p, size_t len, struct assay_err *err)
{
	size_t n = 0;

	if (len > ASSAY_CA_MAX_FILE)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%s: %zu bytes of certificates, limit %u", name, len,
				  ASSAY_CA_MAX_FILE);
	/* DER begins with a SEQUENCE, which no text does that is PEM. */
	if (len > 0 && *(const uint8_t *)p == 0x30) {
		X509 *x = parse_der(p, len);

		if (x) {
			ERR_clear_error();
			return add(a, x, err) < 0 ? assay_wrap(err, "%s", name) : 0;
		}
	}
	if (add_pem(a, p, len, &n, err) < 0)
		return assay_wrap(err, "%s", name);
	if (n == 0)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "%s: no certificate in it", name);
	return 0;
}

static int load_file(struct assay_anchors *a, const char *path, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *p = NULL;

	if (assay_src_open_file(path, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), ASSAY_CA_MAX_FILE, &p, err) < 0)
		return assay_wrap(err, "%s", path);
	return assay_anchors_add(a, path, p, (size_t)assay_src_size(src), err);
}

static bool is_certificate_name(const char *name)
{
	static const char *const ends[] = { ".pem", ".crt", ".cer", ".der" };
	const size_t n = strlen(name);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (n > 4 && name[0] != '.' && strcmp(name + n - 4, ends[i]) == 0)
			return true;
	return false;
}

int assay_anchors_load(struct assay_anchors *a, const char *path, struct assay_err *err)
{
	DIR *dir = opendir(path);
	int r = 0;

	if (!dir && errno != ENOTDIR)
		return assay_fail_sys(err, "%s: cannot open", path);
	if (!dir)
		r = load_file(a, path, err);
	for (const struct dirent *e; dir && r == 0 && (errno = 0, e = readdir(dir)) != NULL;) {
		ASSAY_AUTO_FREE char *file = is_certificate_name(e->d_name) ? assay_asprintf("%s/%s", path, e->d_name) : NULL;

		if (file)
			r = load_file(a, file, err);
		else if (is_certificate_name(e->d_name))
			r = assay_fail_mem(err);
	}
	if (dir)
		closedir(dir);
	if (r == 0 && assay_anchors_n(a) == 0)
		r = assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "%s: no certificate that is issued by itself, so no anchor", path);
	return r;
}

/* --- a key's ------------------------------------------------------------------------------------- */

void assay_way_clear(struct assay_judged_way *way)
{
	X509_free(way->leaf);
	way->leaf = NULL;
}

static int refuse(struct assay_judged_way *w, enum assay_way way, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int refuse(struct assay_judged_way *w, enum assay_way way, const char *fmt, ...)
{
	va_list ap;

	w->way = way;
	va_start(ap, fmt);
	vsnprintf(w->why, sizeof(w->why), fmt, ap);
	va_end(ap);
	return 0;
}

static void name_of(X509 *x, char *dst, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p = NULL;
	long n = 0;

	/* Everything but printable ASCII is escaped. */
	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_get_mem_data(bio, &p);
	snprintf(dst, size, "%.*s", (int)n, p ? p : "");
	BIO_free(bio);
}

static int64_t seconds_of(const ASN1_TIME *t)
{
	struct tm tm;

	return t && ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* 1: has one of those wanted; 0: has others; -1: has none at all. */
static int extended_usage(const struct assay_anchors *a, X509 *x, bool old)
{
	int critical = 0;
	EXTENDED_KEY_USAGE *eku = X509_get_ext_d2i(x, NID_ext_key_usage, &critical, NULL);
	int found = eku ? 0 : critical == -1 ? -1 : 0;

	for (int i = 0; i < sk_ASN1_OBJECT_num(eku); i++) {
		const ASN1_OBJECT *o = sk_ASN1_OBJECT_value(eku, i);

		if (OBJ_cmp(o, a->aik) == 0 || (old && OBJ_cmp(o, a->document) == 0))
			found = 1;
	}
	EXTENDED_KEY_USAGE_free(eku);
	return found;
}

static int judge_leaf(const struct assay_anchors *a, X509 *x, bool old, struct assay_judged_way *w)
{
	const uint32_t flags = X509_get_extension_flags(x);

	if ((flags & EXFLAG_CA) != 0)
		return refuse(w, ASSAY_WAY_USAGE, "its certificate is that of a CA");
	if ((flags & EXFLAG_KUSAGE) != 0 && (X509_get_key_usage(x) & KU_DIGITAL_SIGNATURE) == 0)
		return refuse(w, ASSAY_WAY_USAGE, "its keyUsage has no digitalSignature");
	if (extended_usage(a, x, old) == 0)
		return refuse(w, ASSAY_WAY_USAGE, "its extendedKeyUsage has no tcg-kp-AIKCertificate (2.23.133.8.3)");
	return 0;
}

/* Each certificate of the proof is on the way, and once. */
static bool all_used(X509 *leaf, const STACK_OF(X509) *untrusted, int n, const STACK_OF(X509) *way, int *ret_at)
{
	for (int i = 0; i < n; i++) {
		X509 *x = sk_X509_value(untrusted, i);

		*ret_at = i + 2;
		if (!is_among(way, x) || X509_cmp(x, leaf) == 0)
			return false;
		for (int k = 0; k < i; k++)
			if (X509_cmp(x, sk_X509_value(untrusted, k)) == 0)
				return false;
	}
	return true;
}

static int judge_way(const struct assay_anchors *a, X509_STORE_CTX *ctx, const STACK_OF(X509) *untrusted, int n, bool old,
		     struct assay_judged_way *w)
{
	const STACK_OF(X509) *way = X509_STORE_CTX_get0_chain(ctx);
	X509 *anchor = sk_X509_value(way, sk_X509_num(way) - 1);
	unsigned len = 0;
	int at = 0;

	w->n = (size_t)sk_X509_num(way);
	name_of(anchor, w->anchor, sizeof(w->anchor));
	if (X509_digest(anchor, EVP_sha256(), w->anchor_sha256, &len) != 1)
		return -1;
	judge_leaf(a, w->leaf, old, w);
	if (w->way == ASSAY_WAY_GOOD && !all_used(w->leaf, untrusted, n, way, &at))
		return refuse(w, ASSAY_WAY_EXTRA, "certificate %d of the proof is not on the way to the anchor", at);
	return 0;
}

static bool is_about_time(int code)
{
	return code == X509_V_ERR_CERT_HAS_EXPIRED || code == X509_V_ERR_CERT_NOT_YET_VALID ||
	       code == X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD || code == X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD;
}

static void refuse_by_openssl(X509_STORE_CTX *ctx, struct assay_judged_way *w)
{
	const int code = X509_STORE_CTX_get_error(ctx), depth = X509_STORE_CTX_get_error_depth(ctx);
	X509 *x = X509_STORE_CTX_get_current_cert(ctx);
	char who[160] = "";

	if (x)
		name_of(x, who, sizeof(who));
	refuse(w, is_about_time(code) ? ASSAY_WAY_TIME : ASSAY_WAY_NOWHERE, "%s (certificate %d of the way%s%.140s)",
	       X509_verify_cert_error_string(code), depth + 1, *who ? ": " : "", who);
}

static int build(const struct assay_anchors *a, STACK_OF(X509) *untrusted, int n, bool old, int64_t at,
		 struct assay_judged_way *w, struct assay_err *err)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(assay_ossl_lib(), NULL);
	int r = -1;

	ERR_clear_error();
	for (int i = 0; ctx && i < sk_X509_num(a->helpers); i++)
		if (sk_X509_push(untrusted, sk_X509_value(a->helpers, i)) <= 0)
			goto out;
	if (!ctx || X509_STORE_CTX_init(ctx, a->store, w->leaf, untrusted) <= 0)
		goto out;
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)at);
	/* Level 2: 112 bits, so no SHA-1, no RSA of 1024. */
	X509_VERIFY_PARAM_set_auth_level(param, 2);
	X509_VERIFY_PARAM_set_depth(param, (int)ASSAY_CHAIN_MAX_CERTS);
	const bool good = X509_verify_cert(ctx) == 1 && X509_STORE_CTX_get_error(ctx) == X509_V_OK;
	if (!good && X509_STORE_CTX_get_error(ctx) == X509_V_ERR_OUT_OF_MEM)
		goto out;
	r = 0;
	if (good)
		r = judge_way(a, ctx, untrusted, n, old, w);
	else
		refuse_by_openssl(ctx, w);
out:
	X509_STORE_CTX_free(ctx);
	if (r < 0)
		return assay_fail_openssl(err, "cannot check a certificate");
	ERR_clear_error();
	return 0;
}

int assay_way_judge(const struct assay_anchors *a, const struct assay_proof *proof, int64_t at, struct assay_judged_way *ret,
		    struct assay_err *err)
{
	STACK_OF(X509) *untrusted = sk_X509_new_null();
	struct assay_judged_way w = { 0 };
	int r = 0, n = 0;

	if (!untrusted)
		return assay_fail_mem(err);
	if (proof->n_certs == 0)
		refuse(&w, ASSAY_WAY_NONE, "the proof has no certificate for its key");
	for (size_t i = 0; i < proof->n_certs && r == 0 && w.way == ASSAY_WAY_GOOD; i++) {
		X509 *x = assay_anchors_cert(a, proof->certs[i].p, proof->certs[i].len);

		if (!x && ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE) {
			r = assay_fail_mem(err);
		} else if (!x) {
			refuse(&w, ASSAY_WAY_UNREADABLE, "certificate %zu cannot be read", i + 1);
		} else if (i == 0) {
			w.leaf = x;
		} else if (sk_X509_push(untrusted, x) <= 0) {
			X509_free(x);
			r = assay_fail_mem(err);
		} else {
			n++;
		}
	}
	ERR_clear_error();
	if (w.leaf) {
		name_of(w.leaf, w.subject, sizeof(w.subject));
		w.not_before = seconds_of(X509_get0_notBefore(w.leaf));
		w.not_after = seconds_of(X509_get0_notAfter(w.leaf));
	}
	if (r == 0 && w.way == ASSAY_WAY_GOOD)
		r = build(a, untrusted, n, proof->shape != ASSAY_PROOF_1, at, &w, err);
	/* Those behind the proof's own belong to the anchors. */
	while (sk_X509_num(untrusted) > n)
		(void)sk_X509_pop(untrusted);
	sk_X509_pop_free(untrusted, X509_free);
	if (r < 0) {
		assay_way_clear(&w);
		return -1;
	}
	*ret = w;
	return 0;
}
