/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/credential.h"

#include <stdlib.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "core/cur.h"
#include "core/ossl.h"

enum { ALG_AES = 0x0006, ALG_NULL = 0x0010, ALG_OAEP = 0x0017, ALG_ECDH = 0x0019, ALG_CFB = 0x0043 };
#define IDENTITY "IDENTITY" /* its NUL is part of the label */

/* --- keys as OpenSSL has them -------------------------------------------------------------------- */

static bool same_number(const BIGNUM *n, const uint8_t *p, size_t len)
{
	BIGNUM *other = BN_bin2bn(p, (int)len, NULL);
	const bool same = other && n && BN_cmp(n, other) == 0;

	BN_free(other);
	return same;
}

bool assay_tpm_public_is(const struct assay_tpm_public *pub, EVP_PKEY *pkey)
{
	const bool rsa = pub->kind == ASSAY_TPM_RSA;
	BIGNUM *a = NULL, *b = NULL;
	bool same = false;

	if (EVP_PKEY_get_base_id(pkey) != (rsa ? EVP_PKEY_RSA : EVP_PKEY_EC))
		return false;
	if (rsa) {
		same = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &a) > 0 &&
		       EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &b) > 0 && same_number(a, pub->n, pub->n_len) &&
		       BN_is_word(b, pub->exponent);
	} else {
		same = EVP_PKEY_get_bits(pkey) == (int)pub->bits && EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_X, &a) > 0 &&
		       EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &b) > 0 && same_number(a, pub->x, pub->x_len) &&
		       same_number(b, pub->y, pub->y_len);
	}
	BN_free(a);
	BN_free(b);
	ERR_clear_error();
	return same;
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *bld)
{
	OSSL_PARAM *params = bld ? OSSL_PARAM_BLD_to_param(bld) : NULL;
	EVP_PKEY_CTX *ctx = params ? EVP_PKEY_CTX_new_from_name(assay_ossl_lib(), type, NULL) : NULL;
	EVP_PKEY *pkey = NULL;

	if (ctx && EVP_PKEY_fromdata_init(ctx) > 0)
		(void)!EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return pkey;
}

static EVP_PKEY *rsa_key(const struct assay_tpm_public *ek)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *n = BN_bin2bn(ek->n, (int)ek->n_len, NULL), *e = BN_new();
	EVP_PKEY *pkey = NULL;

	if (bld && n && e && BN_set_word(e, ek->exponent) && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e))
		pkey = from_params("RSA", bld);
	OSSL_PARAM_BLD_free(bld);
	BN_free(n);
	BN_free(e);
	return pkey;
}

static const char *curve_name(uint16_t curve)
{
	return curve == 3 ? "P-256" : curve == 4 ? "P-384" : "P-521";
}

static EVP_PKEY *ecc_key(const struct assay_tpm_public *ek)
{
	const size_t field = (ek->bits + 7) / 8;
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	uint8_t point[1 + 2 * 66] = { 4 };
	EVP_PKEY *pkey = NULL;

	memcpy(point + 1 + field - ek->x_len, ek->x, ek->x_len);
	memcpy(point + 1 + 2 * field - ek->y_len, ek->y, ek->y_len);
	if (bld && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, curve_name(ek->curve), 0) &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * field))
		pkey = from_params("EC", bld);
	OSSL_PARAM_BLD_free(bld);
	return pkey;
}

EVP_PKEY *assay_tpm_public_key(const struct assay_tpm_public *public)
{
	return public->kind == ASSAY_TPM_RSA ? rsa_key(public) : ecc_key(public);
}

/* --- key derivation ----------------------------------------------------------------------------- */

/* The MAC of several buffers; out: assay_bank_size() bytes. */
static int hmac(enum assay_bank hash, const uint8_t *key, size_t key_len, const struct assay_part *parts, size_t n, uint8_t *out,
		struct assay_err *err)
{
	const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)assay_bank_name(hash), 0),
				      OSSL_PARAM_END };
	EVP_MAC *mac = EVP_MAC_fetch(assay_ossl_lib(), "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	bool ok = ctx && EVP_MAC_init(ctx, key, key_len, params) > 0;
	size_t len = 0;

	for (size_t i = 0; ok && i < n; i++)
		ok = EVP_MAC_update(ctx, parts[i].p, parts[i].len) > 0;
	ok = ok && EVP_MAC_final(ctx, out, &len, assay_bank_size(hash)) > 0 && len == assay_bank_size(hash);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return ok ? 0 : assay_fail_openssl(err, "HMAC");
}

int assay_kdfa(enum assay_bank hash, const uint8_t *key, size_t key_len, const char *label, const struct assay_part *u,
	       const struct assay_part *v, size_t bytes, uint8_t *ret, struct assay_err *err)
{
	const size_t step = assay_bank_size(hash);
	uint8_t counter[4], bits[4], block[ASSAY_MAX_DIGEST];

	assay_put_be32(bits, (uint32_t)(8 * bytes));
	for (size_t done = 0, i = 1; done < bytes; done += step, i++) {
		struct assay_part parts[5] = { { counter, 4 }, { label, strlen(label) + 1 } };
		size_t n = 2;

		assay_put_be32(counter, (uint32_t)i);
		if (u)
			parts[n++] = *u;
		if (v)
			parts[n++] = *v;
		parts[n++] = (struct assay_part){ bits, 4 };
		if (hmac(hash, key, key_len, parts, n, block, err) < 0)
			return -1;
		memcpy(ret + done, block, bytes - done < step ? bytes - done : step);
	}
	OPENSSL_cleanse(block, sizeof(block));
	return 0;
}

/* --- the seed ----------------------------------------------------------------------------------- */

/* RSAES-OAEP with the EK's name algorithm for both hashes (Part 1, B.4, B.10.4). */
static int seed_rsa(const struct assay_tpm_public *ek, enum assay_bank hash, const uint8_t *seed, struct assay_credential *ret,
		    struct assay_err *err)
{
	EVP_PKEY *pkey = assay_tpm_public_key(ek);
	EVP_PKEY_CTX *ctx = pkey ? EVP_PKEY_CTX_new_from_pkey(assay_ossl_lib(), pkey, NULL) : NULL;
	char *label = OPENSSL_memdup(IDENTITY, sizeof(IDENTITY));
	size_t len = sizeof(ret->seed) - 2;
	bool ok = ctx && label && EVP_PKEY_encrypt_init(ctx) > 0 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
		  EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, assay_bank_name(hash), NULL) > 0 &&
		  EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, assay_bank_name(hash), NULL) > 0;

	if (ok && EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, label, sizeof(IDENTITY)) > 0)
		label = NULL; /* the context's now */
	else
		ok = false;
	ok = ok && EVP_PKEY_encrypt(ctx, ret->seed + 2, &len, seed, assay_bank_size(hash)) > 0;
	OPENSSL_free(label);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	if (!ok)
		return assay_fail_openssl(err, "cannot encrypt for the endorsement key");
	assay_put_be16(ret->seed, (uint16_t)len);
	ret->seed_len = 2 + len;
	return 0;
}

/* A point's coordinate as long as the field. */
static bool coordinate(EVP_PKEY *pkey, const char *name, uint8_t *out, size_t field)
{
	BIGNUM *n = NULL;
	const bool ok = EVP_PKEY_get_bn_param(pkey, name, &n) > 0 && BN_bn2binpad(n, out, (int)field) == (int)field;

	BN_free(n);
	return ok;
}

/* ECDH with a key of this moment, and KDFe (Part 1, C.6.4, 11.4.10.3): the seed is as long as the hash, so one step gives it. */
static int seed_ecc(const struct assay_tpm_public *ek, enum assay_bank hash, uint8_t *seed, struct assay_credential *ret,
		    struct assay_err *err)
{
	static const uint8_t one[4] = { 0, 0, 0, 1 };
	const size_t field = (ek->bits + 7) / 8;
	EVP_PKEY *theirs = assay_tpm_public_key(ek), *ours = theirs ? EVP_PKEY_Q_keygen(assay_ossl_lib(), NULL, "EC", curve_name(ek->curve)) :
								NULL;
	EVP_PKEY_CTX *ctx = ours ? EVP_PKEY_CTX_new_from_pkey(assay_ossl_lib(), ours, NULL) : NULL;
	uint8_t z[66], x[66], y[66], their_x[66];
	size_t z_len = sizeof(z);
	int r = -1;

	if (ctx && EVP_PKEY_derive_init(ctx) > 0 && EVP_PKEY_derive_set_peer(ctx, theirs) > 0 &&
	    EVP_PKEY_derive(ctx, z, &z_len) > 0 && z_len == field && coordinate(ours, OSSL_PKEY_PARAM_EC_PUB_X, x, field) &&
	    coordinate(ours, OSSL_PKEY_PARAM_EC_PUB_Y, y, field) && coordinate(theirs, OSSL_PKEY_PARAM_EC_PUB_X, their_x, field)) {
		const struct assay_part parts[] = {
			{ one, 4 }, { z, field }, { IDENTITY, sizeof(IDENTITY) }, { x, field }, { their_x, field },
		};

		r = assay_digest_one(hash, parts, 5, seed, err);
		assay_put_be16(ret->seed, (uint16_t)(4 + 2 * field));
		assay_put_be16(ret->seed + 2, (uint16_t)field);
		memcpy(ret->seed + 4, x, field);
		assay_put_be16(ret->seed + 4 + field, (uint16_t)field);
		memcpy(ret->seed + 6 + field, y, field);
		ret->seed_len = 6 + 2 * field;
	} else {
		(void)assay_fail_openssl(err, "cannot agree on a key with the endorsement key");
	}
	OPENSSL_cleanse(z, sizeof(z));
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(ours);
	EVP_PKEY_free(theirs);
	return r;
}

/* --- the credential ----------------------------------------------------------------------------- */

static int encrypt(unsigned bits, const uint8_t *key, uint8_t *p, size_t len, struct assay_err *err)
{
	static const uint8_t no_iv[16];
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(assay_ossl_lib(), bits == 256 ? "AES-256-CFB" : bits == 192 ? "AES-192-CFB" : "AES-128-CFB",
					      NULL);
	EVP_CIPHER_CTX *ctx = cipher ? EVP_CIPHER_CTX_new() : NULL;
	int n = 0;
	const bool ok = ctx && EVP_EncryptInit_ex2(ctx, cipher, key, no_iv, NULL) > 0 && EVP_EncryptUpdate(ctx, p, &n, p, (int)len) > 0 &&
			n == (int)len;

	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
	return ok ? 0 : assay_fail_openssl(err, "AES-CFB");
}

static int check_ek(const struct assay_tpm_public *ek, enum assay_bank *ret_hash, struct assay_err *err)
{
	const uint32_t wanted = ASSAY_TPMA_RESTRICTED | ASSAY_TPMA_DECRYPT;

	if ((ek->attributes & (wanted | ASSAY_TPMA_SIGN)) != wanted)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "the endorsement key is no restricted decryption key");
	if (ek->symmetric != ALG_AES || ek->symmetric_mode != ALG_CFB ||
	    (ek->symmetric_bits != 128 && ek->symmetric_bits != 192 && ek->symmetric_bits != 256))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "the endorsement key does not protect others by AES-CFB");
	if (!assay_bank_from_tcg_id(ek->name_alg, ret_hash))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "the endorsement key's name is by hash 0x%04x", ek->name_alg);
	/* A scheme of its own would have another hash. */
	if (ek->scheme != ALG_NULL)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "the endorsement key has a scheme (0x%04x)", ek->scheme);
	if (ek->kind == ASSAY_TPM_RSA ? ek->n_len == 0 || ek->bits < 2048 : ek->x_len == 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "the endorsement key is %s",
				  ek->kind == ASSAY_TPM_RSA && ek->n_len ? "shorter than 2048 bits" : "a template");
	return 0;
}

int assay_credential_make(const struct assay_tpm_public *ek, const uint8_t *name, size_t name_len, const uint8_t *secret,
			  size_t secret_len, struct assay_credential *ret, struct assay_err *err)
{
	struct assay_credential c = { 0 };
	uint8_t seed[ASSAY_MAX_DIGEST], aes[32], mac_key[ASSAY_MAX_DIGEST];
	const struct assay_part of_name = { name, name_len };
	enum assay_bank hash;
	int r;

	if (check_ek(ek, &hash, err) < 0)
		return -1;
	const size_t size = assay_bank_size(hash);
	if (secret_len == 0 || secret_len > size)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "a secret of %zu bytes: 1 to %zu", secret_len, size);
	if (ek->kind == ASSAY_TPM_RSA) {
		if (RAND_priv_bytes_ex(assay_ossl_lib(), seed, size, 0) <= 0)
			return assay_fail_openssl(err, "random bytes");
		r = seed_rsa(ek, hash, seed, &c, err);
	} else {
		r = seed_ecc(ek, hash, seed, &c, err);
	}
	/* TPMS_ID_OBJECT: the MAC in front, over what is encrypted and the name. */
	uint8_t *encrypted = c.blob + 4 + size;
	const size_t encrypted_len = 2 + secret_len;
	assay_put_be16(c.blob, (uint16_t)(2 + size + encrypted_len));
	assay_put_be16(c.blob + 2, (uint16_t)size);
	assay_put_be16(encrypted, (uint16_t)secret_len);
	memcpy(encrypted + 2, secret, secret_len);
	c.blob_len = 4 + size + encrypted_len;
	const struct assay_part maced[] = { { encrypted, encrypted_len }, of_name };
	if (r == 0)
		r = assay_kdfa(hash, seed, size, "STORAGE", &of_name, NULL, ek->symmetric_bits / 8U, aes, err);
	if (r == 0)
		r = encrypt(ek->symmetric_bits, aes, encrypted, encrypted_len, err);
	if (r == 0)
		r = assay_kdfa(hash, seed, size, "INTEGRITY", NULL, NULL, size, mac_key, err);
	if (r == 0)
		r = hmac(hash, mac_key, size, maced, 2, c.blob + 4, err);
	OPENSSL_cleanse(seed, sizeof(seed));
	OPENSSL_cleanse(aes, sizeof(aes));
	OPENSSL_cleanse(mac_key, sizeof(mac_key));
	if (r < 0)
		return -1;
	*ret = c;
	return 0;
}
