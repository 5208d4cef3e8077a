/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/quote.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "core/ossl.h"
#include "core/cur.h"

/* --- the key ------------------------------------------------------------------------------------- */

/* A number of the key, big endian without leading zeros: is it these bytes? -1: the key has no such number. */
static int is_number(const EVP_PKEY *key, const char *param, const uint8_t *p, size_t len)
{
	BIGNUM *have = NULL, *given = BN_bin2bn(p, (int)len, NULL);
	const int r = given && EVP_PKEY_get_bn_param(key, param, &have) > 0 ? BN_cmp(have, given) == 0 : -1;

	BN_free(have);
	BN_free(given);
	return r;
}

static bool is_curve(const EVP_PKEY *key, uint16_t curve)
{
	static const struct {
		uint16_t id; /* TPM_ECC_CURVE (Part 4 of the algorithm registry) */
		const char *name;
	} curves[] = { { 0x0003, "prime256v1" }, { 0x0004, "secp384r1" }, { 0x0005, "secp521r1" } };
	char name[40];
	size_t n;

	if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, name, sizeof(name), &n) <= 0)
		return false;
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (curves[i].id == curve && strcmp(curves[i].name, name) == 0)
			return true;
	return false;
}

static bool is_key(const EVP_PKEY *key, const struct assay_tpm_public *pub)
{
	uint8_t e[4];

	if (pub->kind == ASSAY_TPM_RSA) {
		assay_put_be32(e, pub->exponent);
		return EVP_PKEY_is_a(key, "RSA") && is_number(key, OSSL_PKEY_PARAM_RSA_N, pub->n, pub->n_len) == 1 &&
		       is_number(key, OSSL_PKEY_PARAM_RSA_E, e, sizeof(e)) == 1;
	}
	return EVP_PKEY_is_a(key, "EC") && is_curve(key, pub->curve) &&
	       is_number(key, OSSL_PKEY_PARAM_EC_PUB_X, pub->x, pub->x_len) == 1 &&
	       is_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, pub->y, pub->y_len) == 1;
}

/* Attributes of an attestation key (TPMA_OBJECT, 8.3), all of which must be as they are here. */
static const struct {
	uint32_t bit;
	bool set;
	const char *words;
} attributes[] = {
	{ ASSAY_TPMA_SIGN, true, "it is no signing key" },
	{ ASSAY_TPMA_RESTRICTED, true, "it is not restricted, and signs whatever it is given" },
	{ ASSAY_TPMA_DECRYPT, false, "it decrypts" },
	{ ASSAY_TPMA_FIXED_TPM, true, "it can leave its TPM" },
	{ ASSAY_TPMA_FIXED_PARENT, true, "it can be moved to another parent" },
	{ ASSAY_TPMA_SENSITIVE_DATA_ORIGIN, true, "it was not made by the TPM" },
};

int assay_ak_judge(const struct assay_proof *proof, X509 *leaf, struct assay_proof_verdict *v, struct assay_err *err)
{
	const EVP_PKEY *key = X509_get0_pubkey(leaf);
	struct assay_tpm_public pub;
	struct assay_err own;

	if (!key) {
		assay_proof_refuse(v, ASSAY_STEP_KEY, ASSAY_PROOF_BAD_CERTIFICATE, "the key of its certificate cannot be read");
		ERR_clear_error();
		return 0;
	}
	if (!proof->ak_public.p)
		return 0;
	if (assay_tpm_public_parse(proof->ak_public.p, proof->ak_public.len, &pub, &own) < 0) {
		if (own.code == ASSAY_E_NOMEM)
			return assay_fail_mem(err);
		assay_proof_refuse(v, ASSAY_STEP_KEY, ASSAY_PROOF_MALFORMED, "ak.public: %s", own.msg);
		return 0;
	}
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
		if (((pub.attributes & attributes[i].bit) != 0) != attributes[i].set)
			assay_proof_refuse(v, ASSAY_STEP_KEY, ASSAY_PROOF_KEY_KIND, "ak.public is no attestation key: %s",
					   attributes[i].words);
	if (!is_key(key, &pub))
		assay_proof_refuse(v, ASSAY_STEP_KEY, ASSAY_PROOF_KEY_MISMATCH, "ak.public is not the key of its certificate");
	ERR_clear_error();
	return 0;
}

/* --- the signature ------------------------------------------------------------------------------- */

/* Fetched once: each fetch takes longer than hashing a quote. */
struct digests {
	pthread_once_t once;
	EVP_MD *md[ASSAY_N_BANKS];
};
static struct digests digests = { .once = PTHREAD_ONCE_INIT };

static void fetch(void)
{
	for (int b = 0; b < ASSAY_N_BANKS; b++)
		digests.md[b] = EVP_MD_fetch(assay_ossl_lib(), assay_bank_name((enum assay_bank)b), NULL);
}

/* r and s as DER (SEC 1, C.8); fresh. */
static int ecdsa_der(const struct assay_tpm_signature *s, unsigned char **ret, size_t *ret_len)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(s->r, (int)s->r_len, NULL), *t = BN_bin2bn(s->s, (int)s->s_len, NULL);
	int n = -1;

	if (sig && r && t && ECDSA_SIG_set0(sig, r, t) == 1) {
		r = t = NULL;
		n = i2d_ECDSA_SIG(sig, ret);
	}
	BN_free(r);
	BN_free(t);
	ECDSA_SIG_free(sig);
	*ret_len = n > 0 ? (size_t)n : 0;
	return n > 0 ? 0 : -1;
}

static bool set_scheme(EVP_PKEY_CTX *ctx, const struct assay_tpm_signature *s, const EVP_MD *md)
{
	const int padding = s->scheme == ASSAY_SIG_RSASSA ? RSA_PKCS1_PADDING : RSA_PKCS1_PSS_PADDING;

	if (EVP_PKEY_CTX_set_signature_md(ctx, md) <= 0)
		return false;
	if (s->scheme == ASSAY_SIG_ECDSA)
		return true;
	/* The salt is as long as the TPM likes: of the digest, or as much as fits (Part 1, B.7). */
	return EVP_PKEY_CTX_set_rsa_padding(ctx, padding) > 0 &&
	       (s->scheme == ASSAY_SIG_RSASSA || (EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) > 0 &&
						  EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_AUTO) > 0));
}

/* -1: OpenSSL could not say. */
static int check(EVP_PKEY *key, const struct assay_tpm_signature *s, const uint8_t *p, size_t len, bool *ret_good)
{
	const struct assay_part part = { p, len };
	unsigned char *der = NULL;
	size_t der_len = 0;
	uint8_t digest[ASSAY_MAX_DIGEST];
	EVP_PKEY_CTX *ctx = NULL;
	int r = -1;

	(void)pthread_once(&digests.once, fetch);
	const EVP_MD *md = digests.md[s->hash];
	if (!md || assay_digest_one(s->hash, &part, 1, digest, NULL) < 0 ||
	    (s->scheme == ASSAY_SIG_ECDSA && ecdsa_der(s, &der, &der_len) < 0))
		goto out;
	ctx = EVP_PKEY_CTX_new_from_pkey(assay_ossl_lib(), key, NULL);
	if (!ctx || EVP_PKEY_verify_init(ctx) <= 0 || !set_scheme(ctx, s, md))
		goto out;
	*ret_good = EVP_PKEY_verify(ctx, der ? der : s->rsa, der ? der_len : s->rsa_len, digest, assay_bank_size(s->hash)) == 1;
	r = *ret_good || ERR_GET_REASON(ERR_peek_last_error()) != ERR_R_MALLOC_FAILURE ? 0 : -1;
out:
	EVP_PKEY_CTX_free(ctx);
	OPENSSL_free(der);
	return r;
}

/* Does the key sign so? */
static bool fits(const EVP_PKEY *key, const struct assay_tpm_signature *s)
{
	return s->scheme == ASSAY_SIG_ECDSA ? EVP_PKEY_is_a(key, "EC") : EVP_PKEY_is_a(key, "RSA");
}

static const char *const scheme_names[] = {
	[ASSAY_SIG_RSASSA] = "RSASSA",
	[ASSAY_SIG_RSAPSS] = "RSAPSS",
	[ASSAY_SIG_ECDSA] = "ECDSA",
};

const char *assay_sig_scheme_words(enum assay_sig_scheme scheme)
{
	return scheme_names[scheme];
}

/* The signer's name in the quote: that of a primary key is made of its hierarchy and its own name (Part 1, 26.5). */
static int compare_signer(const struct assay_proof *proof, struct assay_proof_verdict *v, struct assay_err *err)
{
	static const uint32_t hierarchies[] = { 0x40000001, 0x40000007, 0x4000000b, 0x4000000c };
	uint8_t name[66], qualified[2 + ASSAY_MAX_DIGEST], handle[4];
	enum assay_bank bank;
	size_t len;

	if (!proof->ak_public.p)
		return 0;
	if (assay_tpm_public_name(proof->ak_public.p, proof->ak_public.len, name, &len, err) < 0)
		return -1;
	if (len < 2 || !assay_bank_from_tcg_id((uint16_t)(name[0] << 8 | name[1]), &bank))
		return 0;
	memcpy(qualified, name, 2);
	for (size_t i = 0; i < sizeof(hierarchies) / sizeof(hierarchies[0]) && !v->public_signed; i++) {
		const struct assay_part parts[] = { { handle, 4 }, { name, len } };

		assay_put_be32(handle, hierarchies[i]);
		if (assay_digest_one(bank, parts, 2, qualified + 2, err) < 0)
			return -1;
		v->public_signed = v->quote.signer_len == len && memcmp(v->quote.signer, qualified, len) == 0;
	}
	return 0;
}

int assay_quote_judge(const struct assay_proof *proof, X509 *leaf, struct assay_proof_verdict *v, struct assay_err *err)
{
	EVP_PKEY *key = X509_get0_pubkey(leaf);
	struct assay_tpm_signature *s = &v->signature;
	struct assay_err own;
	bool good = false;

	if (assay_tpm_signature_parse(proof->signature.p, proof->signature.len, s, &own) < 0) {
		if (own.code == ASSAY_E_NOMEM)
			return assay_fail_mem(err);
		assay_proof_refuse(v, ASSAY_STEP_QUOTE, ASSAY_PROOF_SIGNATURE, "quote.signature: %s", own.msg);
		return 0;
	}
	if (s->hash == ASSAY_SHA1) {
		assay_proof_refuse(v, ASSAY_STEP_QUOTE, ASSAY_PROOF_WEAK, "it is signed with SHA-1");
		return 0;
	}
	if (EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) < 2048) {
		assay_proof_refuse(v, ASSAY_STEP_QUOTE, ASSAY_PROOF_WEAK, "its key is RSA with %d bits", EVP_PKEY_get_bits(key));
		return 0;
	}
	if (fits(key, s) && check(key, s, proof->message.p, proof->message.len, &good) < 0)
		return assay_fail_openssl(err, "cannot check the quote's signature");
	ERR_clear_error();
	if (!good) {
		assay_proof_refuse(v, ASSAY_STEP_QUOTE, ASSAY_PROOF_SIGNATURE,
				   "the quote is not signed by the key of the certificate (%s with %s)", scheme_names[s->scheme],
				   assay_bank_name(s->hash));
		return 0;
	}
	if (assay_quote_parse(proof->message.p, proof->message.len, &v->quote, &own) < 0) {
		if (own.code == ASSAY_E_NOMEM)
			return assay_fail_mem(err);
		assay_proof_refuse(v, ASSAY_STEP_QUOTE, ASSAY_PROOF_NO_QUOTE, "quote.message: %s", own.msg);
		return 0;
	}
	v->has_quote = true;
	return compare_signer(proof, v, err);
}

/* --- what it says --------------------------------------------------------------------------------- */

int assay_fresh_judge(const struct assay_proof *proof, const uint8_t *nonce, size_t nonce_len, struct assay_proof_verdict *v,
		      struct assay_err *err)
{
	uint8_t tls[32] = { 0 }, extra[32];
	const bool old = proof->shape != ASSAY_PROOF_1;
	const struct assay_part part = { proof->tls.p, proof->tls.len };

	v->nonce_asked = nonce != NULL;
	if (nonce && !old && (!proof->has_nonce || proof->nonce_len != nonce_len || memcmp(proof->nonce, nonce, nonce_len) != 0)) {
		assay_proof_refuse(v, ASSAY_STEP_QUOTE, ASSAY_PROOF_NONCE, "%s",
				   proof->has_nonce ? "the proof answers another nonce: it is not fresh" :
						      "the proof answers no nonce: it is not fresh");
		return 0;
	}
	/* What signs no nonce is not asked for one. */
	if (old && !nonce)
		return 0;
	if (proof->tls.p && assay_digest_one(ASSAY_SHA256, &part, 1, tls, err) < 0)
		return -1;
	if (old && v->has_tls)
		memcpy(tls, v->tls_sha256, sizeof(tls));
	if (assay_quote_extra(old ? nonce : proof->has_nonce ? proof->nonce : NULL, old ? nonce_len : proof->nonce_len, tls, extra, err) < 0)
		return -1;
	if (v->quote.extra_len != sizeof(extra) || !assay_bytes_equal(v->quote.extra, extra, sizeof(extra)))
		assay_proof_refuse(v, ASSAY_STEP_QUOTE, old ? ASSAY_PROOF_NONCE : ASSAY_PROOF_BINDING,
				   old ? "the quote was not made for this nonce: it is not known to be fresh" :
					 "the quote was not made for this nonce and this TLS certificate");
	return 0;
}

/* --- the values ------------------------------------------------------------------------------------ */

int assay_values_judge(const struct assay_proof *proof, struct assay_proof_verdict *v, struct assay_err *err)
{
	const struct assay_pcrs *pcrs = &proof->pcrs;
	uint8_t digest[ASSAY_MAX_DIGEST];
	uint32_t signed_in[ASSAY_N_BANKS] = { 0 };
	bool any = false, bad = false;

	for (size_t i = 0; i < v->quote.n_selections; i++) {
		const struct assay_pcr_selection *s = &v->quote.selections[i];

		if (s->pcrs == 0)
			continue;
		any = true;
		if (s->known) {
			signed_in[s->bank] |= s->pcrs;
		} else {
			assay_proof_refuse(v, ASSAY_STEP_VALUES, ASSAY_PROOF_NOT_GIVEN, "it signs PCRs of a bank that is not known (0x%04x)",
					   s->hash);
			bad = true;
		}
	}
	if (!any) {
		assay_proof_refuse(v, ASSAY_STEP_VALUES, ASSAY_PROOF_EMPTY, "the quote signs no PCR at all");
		return 0;
	}
	for (int b = 0; b < ASSAY_N_BANKS; b++) {
		/* As masks: gcc 12.2 makes wrong code of comparing one bit of each (-O2: "bt" of one of them alone is left). */
		const uint32_t extra = pcrs->have[b] & ~signed_in[b], missing = signed_in[b] & ~pcrs->have[b];

		for (unsigned i = 0; i < ASSAY_N_PCRS; i++) {
			if (extra & 1U << i)
				assay_proof_refuse(v, ASSAY_STEP_VALUES, ASSAY_PROOF_NOT_SIGNED,
						   "the value of PCR %u in bank %s is not covered by the quote", i,
						   assay_bank_name((enum assay_bank)b));
			if (missing & 1U << i)
				assay_proof_refuse(v, ASSAY_STEP_VALUES, ASSAY_PROOF_NOT_GIVEN,
						   "PCR %u of bank %s is signed, and has no value in the proof", i,
						   assay_bank_name((enum assay_bank)b));
		}
		bad = bad || extra != 0 || missing != 0;
	}
	if (bad)
		return 0;
	if (assay_quote_digest(&v->quote, pcrs, v->signature.hash, digest, err) < 0)
		return -1;
	if (v->quote.pcr_digest_len != assay_bank_size(v->signature.hash) ||
	    !assay_bytes_equal(v->quote.pcr_digest, digest, v->quote.pcr_digest_len))
		assay_proof_refuse(v, ASSAY_STEP_VALUES, ASSAY_PROOF_DIGEST, "the values are not those that were signed");
	return 0;
}
