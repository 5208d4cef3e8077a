/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/sign.h"

#include <string.h>

#include "manifest/manifest.h"

/* One signature of a key is as good as two, and two would look like two signers. */
static int refuse_second(const struct assay_envelope *env, const struct assay_key *key, const void *pae, size_t len,
			 struct assay_err *err)
{
	for (size_t i = 0; i < env->n_sigs; i++) {
		const struct assay_envelope_sig *s = &env->sigs[i];
		bool good;

		if (assay_key_verify(key, s->sig, s->sig_len, pae, len, &good, err) < 0)
			return -1;
		if (good)
			return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
					  "signature %zu is by this key already", i + 1);
		if (strcmp(s->keyid, key->id) == 0)
			return assay_fail(err, ASSAY_E_CRYPTO, ASSAY_NO_OFFSET,
					  "signature %zu names this key, and is not by it", i + 1);
	}
	return 0;
}

/* The certificates as they go into the envelope: without a root, which nobody would believe from there. */
static int certs_of(const struct assay_chain *chain, const struct assay_key *key, char **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_key) *leaf = NULL;

	if (assay_chain_key(chain, &leaf, err) < 0)
		return assay_wrap(err, "certificate 1");
	if (strcmp(leaf->id, key->id) != 0)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "certificate 1 is of another key, %s", leaf->id);
	if (assay_chain_check(chain, err) < 0)
		return -1;
	*ret = assay_chain_text(chain, false);
	return *ret ? 0 : assay_fail_mem(err);
}

int assay_manifest_sign(struct assay_envelope *env, struct assay_signer *signer, const struct assay_chain *chain,
			struct assay_err *err)
{
	const struct assay_key *key = assay_signer_key(signer);
	ASSAY_AUTO(assay_manifest) *m = NULL;
	ASSAY_AUTO_FREE uint8_t *pae = NULL;
	ASSAY_AUTO_FREE uint8_t *sig = NULL;
	ASSAY_AUTO_FREE char *certs = NULL;
	size_t pae_len, sig_len;

	if (env->unknown)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "DSSE envelope: \"%.80s\" is not known here, and would be lost", env->unknown);
	if (chain && certs_of(chain, key, &certs, err) < 0)
		return -1;
	if (assay_manifest_of(env, &m, err) < 0 || assay_envelope_pae(env, &pae, &pae_len, err) < 0 ||
	    refuse_second(env, key, pae, pae_len, err) < 0 ||
	    assay_signer_sign(signer, pae, pae_len, &sig, &sig_len, err) < 0)
		return -1;
	return assay_envelope_add(env, key->id, sig, sig_len, certs, err);
}
