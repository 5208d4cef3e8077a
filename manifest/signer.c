/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys: signing, wherever the key is kept. */
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "core/limits.h"
#include "manifest/key_priv.h"

struct assay_signer {
	struct assay_key_home home;
	EVP_PKEY *pkey;
	struct assay_key *key;
};

void assay_signer_free(struct assay_signer **signerp)
{
	struct assay_signer *s = signerp ? assay_steal(signerp) : NULL;

	if (!s)
		return;
	assay_key_free(&s->key);
	EVP_PKEY_free(s->pkey);
	assay_key_home_clear(&s->home);
	free(s);
}

int assay_signer_load(const char *uri, const struct assay_secret *secret, struct assay_signer **ret,
		      struct assay_err *err)
{
	ASSAY_AUTO(assay_signer) *s = calloc(1, sizeof(*s));

	if (!s)
		return assay_fail_mem(err);
	if (assay_key_fetch(uri, true, secret, &s->home, &s->pkey, err) < 0 || assay_key_of(s->pkey, &s->key, err) < 0)
		return -1;
	*ret = assay_steal(&s);
	return 0;
}

const struct assay_key *assay_signer_key(const struct assay_signer *signer)
{
	return signer->key;
}

static int sign(struct assay_signer *s, const void *msg, size_t msg_len, uint8_t **ret, size_t *ret_len,
		struct assay_err *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	size_t len = 0;
	uint8_t *sig = NULL;
	int ok;

	if (!ctx)
		return assay_fail_mem(err);
	ok = EVP_DigestSignInit_ex(ctx, &pctx, assay_key_digest_name(s->key->kind), s->home.lib, s->home.properties,
				   s->pkey, NULL) > 0 &&
	     assay_key_set_padding(pctx, s->key->kind) && EVP_DigestSign(ctx, NULL, &len, msg, msg_len) > 0 &&
	     len > 0 && len <= ASSAY_DSSE_MAX_SIGNATURE;
	if (ok)
		sig = malloc(len);
	ok = sig && EVP_DigestSign(ctx, sig, &len, msg, msg_len) > 0;
	EVP_MD_CTX_free(ctx);
	if (!ok) {
		free(sig);
		return assay_fail_openssl(err, "cannot sign with an %s key", assay_key_kind_name(s->key->kind));
	}
	ERR_clear_error();
	*ret = sig;
	*ret_len = len;
	return 0;
}

int assay_signer_sign(struct assay_signer *signer, const void *msg, size_t msg_len, uint8_t **ret, size_t *ret_len,
		      struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *sig = NULL;
	bool good = false;
	size_t len = 0;

	if (sign(signer, msg, msg_len, &sig, &len, err) < 0 ||
	    assay_key_verify(signer->key, sig, len, msg, msg_len, &good, err) < 0)
		return -1;
	/* A token with another public key beside it, another salt, a fault while it computed. */
	if (!good)
		return assay_fail(err, ASSAY_E_CRYPTO, ASSAY_NO_OFFSET,
				  "what the key signed does not hold against its public key");
	*ret = assay_steal(&sig);
	*ret_len = len;
	return 0;
}
