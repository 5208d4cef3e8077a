/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd's PCR signatures: the JSON that `systemd-measure sign` prints and .pcrsig holds. For each bank and phase the
 * policy digest of PCR 11 (TPM2_PolicyPCR; TPM 2.0 Library, part 3, 23.7), and a signature of it, RSASSA-PKCS1-v1_5 with
 * the bank's hash (systemd 257, src/measure/measure.c). Policies are of SHA-256 whatever the bank.
 */
#include "manifest/export/export_priv.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/rsa.h>

#include "core/base64.h"
#include "core/cur.h"
#include "core/digest.h"
#include "manifest/key_priv.h"

#define TPM_CC_POLICY_PCR 0x0000017fU
#define POLICY_SIZE 32

/* A private key, what it lives in, and its public half, which does not. */
struct signer {
	struct assay_key_home home;
	EVP_PKEY *pkey;
	struct assay_key *key;
	char pkfp[ASSAY_HEX_MAX];
};

static void signer_clear(struct signer *s)
{
	assay_key_free(&s->key);
	EVP_PKEY_free(s->pkey);
	assay_key_home_clear(&s->home);
}

static void ctx_auto(EVP_MD_CTX **c)
{
	EVP_MD_CTX_free(*c);
}

/* systemd's name for a key: SHA-256 of its RSAPublicKey (PKCS #1), without the SubjectPublicKeyInfo around it. */
static int fingerprint(EVP_PKEY *pkey, char hex[ASSAY_HEX_MAX], struct assay_err *err)
{
	struct assay_digests d;
	unsigned char *der = NULL;
	const int len = i2d_PublicKey(pkey, &der);

	if (len <= 0)
		return assay_fail_openssl(err, "the public key cannot be written");
	const int rc = assay_digest_mem(ASSAY_BANK_BIT(ASSAY_SHA256), der, (size_t)len, &d, err);
	OPENSSL_free(der);
	if (rc < 0)
		return -1;
	assay_hex(d.d[ASSAY_SHA256], POLICY_SIZE, hex);
	return 0;
}

static int signer_open(const struct assay_export_request *req, struct signer *ret, struct assay_err *err)
{
	if (assay_key_fetch(req->key, true, req->secret, &ret->home, &ret->pkey, err) < 0 ||
	    assay_key_of(ret->pkey, &ret->key, err) < 0)
		return -1;
	if (ret->key->kind != ASSAY_KEY_RSA)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "PCR signatures are made with RSA keys, not %s",
				  assay_key_kind_name(ret->key->kind));
	return fingerprint(ret->key->pkey, ret->pkfp, err);
}

/* H(zeros || TPM_CC_PolicyPCR || TPML_PCR_SELECTION {bank: 11} || H(value)) */
static int policy(enum assay_bank bank, const uint8_t *pcr11, uint8_t ret[POLICY_SIZE], struct assay_err *err)
{
	static const uint8_t zeros[POLICY_SIZE];
	const struct assay_part value = { pcr11, assay_bank_size(bank) };
	uint8_t head[4 + 4 + 2 + 1 + 3], pcrs[POLICY_SIZE];

	assay_put_be32(head, TPM_CC_POLICY_PCR);
	assay_put_be32(head + 4, 1); /* one selection */
	assay_put_be16(head + 8, assay_bank_tcg_id(bank));
	head[10] = 3; /* bytes of bitmap */
	memset(head + 11, 0, 3);
	head[11 + 11 / 8] = 1U << 11 % 8;
	if (assay_digest_one(ASSAY_SHA256, &value, 1, pcrs, err) < 0)
		return -1;
	const struct assay_part parts[] = { { zeros, POLICY_SIZE }, { head, sizeof(head) }, { pcrs, POLICY_SIZE } };
	return assay_digest_one(ASSAY_SHA256, parts, 3, ret, err);
}

static int sign(const struct signer *s, enum assay_bank bank, const uint8_t *digest, uint8_t *sig, size_t *len,
		struct assay_err *err)
{
	__attribute__((cleanup(ctx_auto))) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;

	if (!ctx)
		return assay_fail_mem(err);
	if (EVP_DigestSignInit_ex(ctx, &pctx, assay_bank_name(bank), s->home.lib, s->home.properties, s->pkey, NULL) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PADDING) <= 0 ||
	    EVP_DigestSign(ctx, sig, len, digest, POLICY_SIZE) <= 0)
		return assay_fail_openssl(err, "the key cannot sign with %s", assay_bank_name(bank));
	return 0;
}

/* With the public half: a token may have another beside the private one. */
static int check(const struct signer *s, enum assay_bank bank, const uint8_t *digest, const uint8_t *sig, size_t len,
		 struct assay_err *err)
{
	__attribute__((cleanup(ctx_auto))) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;

	if (!ctx)
		return assay_fail_mem(err);
	if (EVP_DigestVerifyInit_ex(ctx, &pctx, assay_bank_name(bank), assay_key_lib(), NULL, s->key->pkey, NULL) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PADDING) <= 0 ||
	    EVP_DigestVerify(ctx, sig, len, digest, POLICY_SIZE) != 1)
		return assay_fail_openssl(err, "what the key signed does not hold against its public key");
	return 0;
}

/* Base64 of the signature over the policy digest. */
static int sign_text(const struct signer *s, enum assay_bank bank, const uint8_t *digest, char **ret, struct assay_err *err)
{
	size_t len = (size_t)EVP_PKEY_get_size(s->key->pkey);
	ASSAY_AUTO_FREE uint8_t *sig = malloc(len);

	if (!sig)
		return assay_fail_mem(err);
	if (sign(s, bank, digest, sig, &len, err) < 0 || check(s, bank, digest, sig, len, err) < 0)
		return -1;
	*ret = assay_base64_encode(sig, len);
	return *ret ? 0 : assay_fail_mem(err);
}

static int add_entry(struct assay_json *list, const struct signer *s, enum assay_bank bank,
		     const struct assay_digests *pcr11, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *sig = NULL;
	uint8_t digest[POLICY_SIZE];

	if (policy(bank, pcr11->d[bank], digest, err) < 0 || sign_text(s, bank, digest, &sig, err) < 0)
		return -1;
	struct assay_json *o = assay_json_object();
	struct assay_json *pcrs = assay_json_array();

	assay_json_append(pcrs, assay_json_int(11));
	assay_json_set(o, "pcrs", pcrs);
	assay_json_set_str(o, "pkfp", s->pkfp);
	assay_json_set(o, "pol", assay_json_hex(digest, POLICY_SIZE));
	assay_json_set_str(o, "sig", sig);
	assay_json_append(list, o);
	return 0;
}

static int sign_phases(const struct assay_export_request *req, unsigned banks, const struct signer *s,
		       struct assay_json *top, struct assay_err *err)
{
	/* What systemd-measure signs when nobody names a phase. */
	static const char *const usual[] = {
		"enter-initrd",
		"enter-initrd:leave-initrd",
		"enter-initrd:leave-initrd:sysinit",
		"enter-initrd:leave-initrd:sysinit:ready",
	};
	const size_t n = req->phase ? 1 : sizeof(usual) / sizeof(usual[0]);

	for (int b = 0; b < ASSAY_N_BANKS; b++) {
		if (!(banks & ASSAY_BANK_BIT(b)))
			continue;
		ASSAY_AUTO(assay_json) *list = assay_json_array();

		for (size_t i = 0; i < n; i++) {
			const struct assay_phase *phase;

			if (assay_export_phase(req->prediction, req->phase ? req->phase : usual[i], &phase, err) < 0 ||
			    add_entry(list, s, (enum assay_bank)b, &phase->pcr11, err) < 0)
				return -1;
		}
		assay_json_set(top, assay_bank_name((enum assay_bank)b), assay_steal(&list));
	}
	return 0;
}

int assay_export_pcrsig(const struct assay_export_format *format, const struct assay_export_request *req,
			struct assay_export *ret, struct assay_err *err)
{
	static const struct assay_export_rule rule = { .pcrs = 1U << 11, .all = true };
	__attribute__((cleanup(signer_clear))) struct signer s = { 0 };
	ASSAY_AUTO(assay_json) *top = assay_json_object();
	struct assay_export_pick pick;

	if (req->pcrs & ~rule.pcrs)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "%s is of PCR 11, and of no other", format->name);
	if (assay_export_choose(format, &rule, req, ret, &pick, err) < 0)
		return -1;
	if (signer_open(req, &s, err) < 0) {
		ASSAY_AUTO_FREE char *uri = assay_key_uri_text(req->key);

		return assay_wrap(err, "%s", uri ? uri : "--key");
	}
	if (sign_phases(req, pick.banks, &s, top, err) < 0)
		return -1;
	return assay_export_add_json(ret, NULL, assay_steal(&top), err);
}
