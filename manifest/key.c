/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys: which kinds there are, their names, what is by them. */
#include "manifest/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "core/digest.h"
#include "core/limits.h"
#include "core/ossl.h"
#include "core/src.h"
#include "manifest/key_priv.h"

static const struct kind {
	const char *name;
	const char *type; /* OpenSSL's words */
	const char *md;	  /* NULL: the scheme has its own */
	const char *group;
	/* What stands before the point in a SubjectPublicKeyInfo (RFC 8410, 4; RFC 5480, 2; the point uncompressed). */
	uint8_t head[26];
	size_t head_len, point_len;
} kinds[ASSAY_N_KEY_KINDS] = {
	[ASSAY_KEY_ED25519] = { "Ed25519", "ED25519", NULL, NULL,
				{ 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 }, 12, 32 },
	[ASSAY_KEY_P256] = { "ECDSA P-256", "EC", "SHA256", "prime256v1",
			     { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
			       0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00 },
			     26, 65 },
	[ASSAY_KEY_P384] = { "ECDSA P-384", "EC", "SHA384", "secp384r1",
			     { 0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
			       0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00 },
			     23, 97 },
	[ASSAY_KEY_RSA] = { "RSA-PSS", "RSA", "SHA256", NULL, { 0 }, 0, 0 },
};

const char *assay_key_kind_name(enum assay_key_kind kind)
{
	return kinds[kind].name;
}

const char *assay_key_digest_name(enum assay_key_kind kind)
{
	return kinds[kind].md;
}

bool assay_key_set_padding(EVP_PKEY_CTX *ctx, enum assay_key_kind kind)
{
	/* MGF1's digest cannot be set in a TPM (-2): it is that of the message. The signer checks what came out. */
	return kind != ASSAY_KEY_RSA || (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
					 EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, 32) > 0 &&
					 EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, "SHA256", NULL) != 0);
}

OSSL_LIB_CTX *assay_key_lib(void)
{
	return assay_ossl_lib();
}

void assay_key_free(struct assay_key **keyp)
{
	struct assay_key *key = keyp ? assay_steal(keyp) : NULL;

	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	free(key);
}

int assay_key_sha256(const void *p, size_t len, char ret[ASSAY_KEY_ID], struct assay_err *err)
{
	OSSL_LIB_CTX *lib = assay_key_lib();
	uint8_t digest[32];
	size_t n = 0;

	if (!lib || EVP_Q_digest(lib, "SHA256", NULL, p, len, digest, &n) <= 0 || n != sizeof(digest))
		return assay_fail_openssl(err, "cannot compute a SHA-256");
	assay_hex(digest, sizeof(digest), ret);
	return 0;
}

/* A key of a point in the default provider, which checks that the point is on its curve. */
static EVP_PKEY *build(enum assay_key_kind kind, uint8_t *point, size_t len)
{
	OSSL_LIB_CTX *lib = assay_key_lib();
	EVP_PKEY_CTX *ctx = lib ? EVP_PKEY_CTX_new_from_name(lib, kinds[kind].type, NULL) : NULL;
	OSSL_PARAM params[3], *p = params;
	EVP_PKEY *pkey = NULL;

	*p++ = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, len);
	if (kinds[kind].group)
		*p++ = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)kinds[kind].group, 0);
	*p = OSSL_PARAM_construct_end();
	if (!ctx || EVP_PKEY_fromdata_init(ctx) <= 0 || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) <= 0)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

/* 1: the SubjectPublicKeyInfo is one of the usual ones, and *ret the key. 0: it is not. */
static int of_spki(uint8_t *der, size_t len, struct assay_key **ret, struct assay_err *err)
{
	for (unsigned k = 0; k < ASSAY_N_KEY_KINDS; k++) {
		const struct kind *kind = &kinds[k];

		if (kind->head_len == 0 || len != kind->head_len + kind->point_len || memcmp(der, kind->head, kind->head_len) != 0)
			continue;
		if (kind->group && der[kind->head_len] != POINT_CONVERSION_UNCOMPRESSED)
			return 0;
		ASSAY_AUTO(assay_key) *key = calloc(1, sizeof(*key));
		if (!key)
			return assay_fail_mem(err);
		key->kind = (enum assay_key_kind)k;
		key->pkey = build(key->kind, der + kind->head_len, kind->point_len);
		if (!key->pkey)
			return 0;
		key->bits = (unsigned)EVP_PKEY_get_bits(key->pkey);
		if (assay_key_sha256(der, len, key->id, err) < 0)
			return -1;
		*ret = assay_steal(&key);
		return 1;
	}
	return 0;
}

/*
 * The usual public keys in their usual form, a PEM file with nothing else in it, without OpenSSL's decoders: they would
 * take as long as all the rest of a verification. 0: it is something else.
 */
static int load_quickly(const char *uri, struct assay_key **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *text = NULL;
	unsigned char *der = NULL;
	char *name = NULL, *header = NULL;
	long len;
	int r = 0;

	/* What cannot be read is told by the slower way. */
	if (strncmp(uri, "pkcs11:", 7) == 0 || assay_src_open_file(uri, &src, NULL) < 0 || assay_src_size(src) > 1024 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), 1024, &text, NULL) < 0)
		return 0;
	BIO *bio = BIO_new_mem_buf(text, (int)assay_src_size(src));
	if (bio && PEM_read_bio(bio, &name, &header, &der, &len) && strcmp(name, "PUBLIC KEY") == 0 && !*header && len > 0 &&
	    BIO_eof(bio))
		r = of_spki(der, (size_t)len, ret, err);
	BIO_free(bio);
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(der);
	ERR_clear_error();
	return r;
}

int assay_key_load(const char *uri, struct assay_key **ret, struct assay_err *err)
{
	struct assay_key_home home = { 0 };
	EVP_PKEY *pkey = NULL;
	int r = load_quickly(uri, ret, err);

	if (r != 0)
		return r > 0 ? 0 : -1;
	r = assay_key_fetch(uri, false, NULL, &home, &pkey, err);
	if (r == 0)
		r = assay_key_of(pkey, ret, err);
	EVP_PKEY_free(pkey);
	assay_key_home_clear(&home);
	return r;
}

/* --- of any provider's key ---------------------------------------------------------------------- */

static int refuse(const char *what, struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
			  "%s: Ed25519, ECDSA P-256 and P-384, and RSA with 2048 bits or more sign manifests", what);
}

static int kind_of_ec(EVP_PKEY *pkey, enum assay_key_kind *ret, struct assay_err *err)
{
	char group[64] = "", what[128];
	int is_explicit = 0;

	/* Parameters spelled out may be anybody's (CVE-2020-0601), even when they look like those of a known curve. */
	if (EVP_PKEY_get_int_param(pkey, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &is_explicit) && is_explicit)
		return refuse("an EC key with parameters spelled out", err);
	if (!EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), NULL))
		return assay_fail_openssl(err, "an EC key without the name of its curve");
	for (unsigned k = 0; k < ASSAY_N_KEY_KINDS; k++) {
		if (kinds[k].group && strcmp(group, kinds[k].group) == 0) {
			*ret = (enum assay_key_kind)k;
			return 0;
		}
	}
	if (strcmp(group, "P-256") == 0 || strcmp(group, "P-384") == 0) {
		*ret = strcmp(group, "P-256") == 0 ? ASSAY_KEY_P256 : ASSAY_KEY_P384;
		return 0;
	}
	snprintf(what, sizeof(what), "an EC key on curve %s", group);
	return refuse(what, err);
}

static int kind_of(EVP_PKEY *pkey, enum assay_key_kind *ret, struct assay_err *err)
{
	const char *type = EVP_PKEY_get0_type_name(pkey);
	char what[128];

	if (EVP_PKEY_is_a(pkey, "ED25519")) {
		*ret = ASSAY_KEY_ED25519;
		return 0;
	}
	if (EVP_PKEY_is_a(pkey, "EC"))
		return kind_of_ec(pkey, ret, err);
	if (EVP_PKEY_is_a(pkey, "RSA")) {
		*ret = ASSAY_KEY_RSA;
		return 0;
	}
	snprintf(what, sizeof(what), "a key of kind %s", type ? type : "unknown");
	return refuse(what, err);
}

/* The public key's own parameters, n and e or a point, out of all that its provider tells of it. */
static bool push_public(const OSSL_PARAM *all, enum assay_key_kind kind, OSSL_PARAM_BLD *bld, BIGNUM **n, BIGNUM **e)
{
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(all, kind == ASSAY_KEY_RSA ? OSSL_PKEY_PARAM_RSA_N :
										   OSSL_PKEY_PARAM_PUB_KEY);
	const OSSL_PARAM *exponent = OSSL_PARAM_locate_const(all, OSSL_PKEY_PARAM_RSA_E);

	if (!p)
		return false;
	if (kind == ASSAY_KEY_RSA)
		return exponent && OSSL_PARAM_get_BN(p, n) && OSSL_PARAM_get_BN(exponent, e) &&
		       OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, *n) &&
		       OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, *e);
	if (kinds[kind].group &&
	    !OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, kinds[kind].group, 0))
		return false;
	return p->data_type == OSSL_PARAM_OCTET_STRING && p->data &&
	       OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, p->data, p->data_size);
}

static EVP_PKEY *rebuild(EVP_PKEY *from, enum assay_key_kind kind)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	OSSL_LIB_CTX *lib = assay_key_lib();
	EVP_PKEY_CTX *ctx = lib ? EVP_PKEY_CTX_new_from_name(lib, kinds[kind].type, NULL) : NULL;
	BIGNUM *n = NULL, *e = NULL;
	OSSL_PARAM *all = NULL, *params = NULL;
	EVP_PKEY *pkey = NULL;

	if (bld && ctx && EVP_PKEY_todata(from, EVP_PKEY_PUBLIC_KEY, &all) > 0 && push_public(all, kind, bld, &n, &e))
		params = OSSL_PARAM_BLD_to_param(bld);
	if (params && (EVP_PKEY_fromdata_init(ctx) <= 0 || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) <= 0))
		pkey = NULL;
	/* The name of a key does not depend on how somebody wrote its point. */
	if (pkey && kinds[kind].group &&
	    !EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed")) {
		EVP_PKEY_free(pkey);
		pkey = NULL;
	}
	OSSL_PARAM_free(all);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(ctx);
	BN_free(n);
	BN_free(e);
	return pkey;
}

int assay_key_of(EVP_PKEY *pkey, struct assay_key **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_key) *key = calloc(1, sizeof(*key));
	unsigned char *der = NULL;
	char what[64];

	if (!key)
		return assay_fail_mem(err);
	if (kind_of(pkey, &key->kind, err) < 0)
		return -1;
	key->pkey = rebuild(pkey, key->kind);
	if (!key->pkey)
		return assay_fail_openssl(err, "cannot get the public key of an %s key", kinds[key->kind].name);
	key->bits = (unsigned)EVP_PKEY_get_bits(key->pkey);
	if (key->kind == ASSAY_KEY_RSA && (key->bits < 2048 || key->bits > ASSAY_KEY_MAX_RSA_BITS)) {
		snprintf(what, sizeof(what), "an RSA key with %u bits", key->bits);
		return refuse(what, err);
	}
	const int len = i2d_PUBKEY(key->pkey, &der);
	if (len <= 0)
		return assay_fail_openssl(err, "cannot encode a public key");
	const int r = assay_key_sha256(der, (size_t)len, key->id, err);
	OPENSSL_free(der);
	if (r < 0)
		return -1;
	*ret = assay_steal(&key);
	return 0;
}

/* --- checking ----------------------------------------------------------------------------------- */

int assay_key_verify(const struct assay_key *key, const void *sig, size_t sig_len, const void *msg, size_t msg_len,
		     bool *ret_good, struct assay_err *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	int good = -1;

	if (!ctx)
		return assay_fail_mem(err);
	if (EVP_DigestVerifyInit_ex(ctx, &pctx, kinds[key->kind].md, assay_key_lib(), NULL, key->pkey, NULL) > 0 &&
	    assay_key_set_padding(pctx, key->kind)) {
		good = EVP_DigestVerify(ctx, sig, sig_len, msg, msg_len);
		/* Bytes that are no signature at all give less than 0, and are as little this key's. */
		*ret_good = good == 1;
		good = good == 1 || ERR_GET_REASON(ERR_peek_last_error()) != ERR_R_MALLOC_FAILURE ? 1 : -1;
	}
	EVP_MD_CTX_free(ctx);
	if (good < 0)
		return assay_fail_openssl(err, "cannot check an %s signature", kinds[key->kind].name);
	ERR_clear_error();
	return 0;
}
