/* SPDX-License-Identifier: Apache-2.0 */
/* Endorsement keys, and keys under them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <tss2/tss2_mu.h>

#include "attest/device_priv.h"

/* TPM2_PolicySecret(TPM_RH_ENDORSEMENT), SHA-256: "PolicyA" of the EK Credential Profile, B.6.2. */
static const TPM2B_DIGEST policy_a = {
	.size = 32,
	.buffer = { 0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24,
		    0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa },
};

int assay_tpm_key_ek(struct assay_tpm *tpm, enum assay_tpm_key kind, struct assay_tpm_key_handle **ret, struct assay_err *err)
{
	TPM2B_PUBLIC in = {
		.publicArea = {
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
					    TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
			.authPolicy = policy_a,
			.parameters.asymDetail = {
				.symmetric = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB },
				.scheme.scheme = TPM2_ALG_NULL,
			},
		},
	};
	TPMT_PUBLIC *p = &in.publicArea;

	/* The unique fields are zeros of the key's size: they go into the key's derivation. */
	if (kind == ASSAY_TPM_RSA) {
		p->type = TPM2_ALG_RSA;
		p->parameters.rsaDetail.keyBits = 2048;
		p->unique.rsa.size = 256;
	} else {
		p->type = TPM2_ALG_ECC;
		p->parameters.eccDetail.curveID = TPM2_ECC_NIST_P256;
		p->parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
		p->unique.ecc.x.size = 32;
		p->unique.ecc.y.size = 32;
	}
	return assay_tpm_key_primary(tpm, &in, ret, err);
}

/* A session that has fulfilled PolicyA. To be flushed after its use: ESYS has sessions go on. */
static int policy_session(struct assay_tpm *tpm, ESYS_TR *ret, struct assay_err *err)
{
	static const TPMT_SYM_DEF plain = { .algorithm = TPM2_ALG_NULL };
	struct assay_tpm_wait wait = { 0 }, again = { 0 };
	TSS2_RC rc;

	do
		rc = Esys_StartAuthSession(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
					   TPM2_SE_POLICY, &plain, TPM2_ALG_SHA256, ret);
	while (assay_tpm_again(&wait, rc));
	if (rc != TSS2_RC_SUCCESS)
		return assay_tpm_fail(err, "TPM2_StartAuthSession", rc);
	do
		rc = Esys_PolicySecret(tpm->esys, ESYS_TR_RH_ENDORSEMENT, *ret, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
				       NULL, NULL, 0, NULL, NULL);
	while (assay_tpm_again(&again, rc));
	if (rc != TSS2_RC_SUCCESS) {
		(void)Esys_FlushContext(tpm->esys, *ret);
		return assay_tpm_fail(err, "TPM2_PolicySecret", rc);
	}
	return 0;
}

static int create(struct assay_tpm *tpm, ESYS_TR ek, const TPM2B_PUBLIC *in, TPM2B_PRIVATE **ret_private,
		  TPM2B_PUBLIC **ret_public, struct assay_err *err)
{
	static const TPM2B_SENSITIVE_CREATE no_secret;
	static const TPM2B_DATA no_data;
	static const TPML_PCR_SELECTION no_pcrs;
	struct assay_tpm_wait wait = { 0 };
	ESYS_TR session;
	TSS2_RC rc;

	if (policy_session(tpm, &session, err) < 0)
		return -1;
	do
		rc = Esys_Create(tpm->esys, ek, session, ESYS_TR_NONE, ESYS_TR_NONE, &no_secret, in, &no_data, &no_pcrs, ret_private,
				 ret_public, NULL, NULL, NULL);
	while (assay_tpm_again(&wait, rc));
	(void)Esys_FlushContext(tpm->esys, session);
	return rc == TSS2_RC_SUCCESS ? 0 : assay_tpm_fail(err, "TPM2_Create", rc);
}

static int load(struct assay_tpm *tpm, ESYS_TR ek, const TPM2B_PRIVATE *private, const TPM2B_PUBLIC *public, ESYS_TR *ret,
		struct assay_err *err)
{
	struct assay_tpm_wait wait = { 0 };
	ESYS_TR session;
	TSS2_RC rc;

	if (policy_session(tpm, &session, err) < 0)
		return -1;
	do
		rc = Esys_Load(tpm->esys, ek, session, ESYS_TR_NONE, ESYS_TR_NONE, private, public, ret);
	while (assay_tpm_again(&wait, rc));
	(void)Esys_FlushContext(tpm->esys, session);
	return rc == TSS2_RC_SUCCESS ? 0 : assay_tpm_fail(err, "TPM2_Load", rc);
}

static int persist(struct assay_tpm *tpm, ESYS_TR loaded, uint32_t handle, struct assay_err *err)
{
	struct assay_tpm_wait wait = { 0 };
	ESYS_TR kept = ESYS_TR_NONE;
	TSS2_RC rc;

	do
		rc = Esys_EvictControl(tpm->esys, ESYS_TR_RH_OWNER, loaded, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, handle, &kept);
	while (assay_tpm_again(&wait, rc));
	if (rc != TSS2_RC_SUCCESS)
		return assay_tpm_fail(err, "TPM2_EvictControl", rc);
	(void)Esys_TR_Close(tpm->esys, &kept);
	return 0;
}

int assay_tpm_key_create(struct assay_tpm *tpm, struct assay_tpm_key_handle *ek, enum assay_tpm_key kind, uint32_t handle,
			 struct assay_tpm_key_handle **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_tpm_key_handle) *there = NULL;
	ASSAY_AUTO_FREE TPM2B_PRIVATE *private = NULL;
	ASSAY_AUTO_FREE TPM2B_PUBLIC *public = NULL;
	TPM2B_PUBLIC in = {
		.publicArea = {
			.nameAlg = TPM2_ALG_SHA256,
			/* noDA: it has no authorization that one could try to guess, and must not be locked with those that have. */
			.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
					    TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED |
					    TPMA_OBJECT_SIGN_ENCRYPT,
			.parameters.asymDetail.symmetric.algorithm = TPM2_ALG_NULL,
		},
	};
	TPMT_PUBLIC *p = &in.publicArea;
	struct assay_err why;
	ESYS_TR loaded = ESYS_TR_NONE;

	if (assay_tpm_key_persistent(tpm, handle, &there, &why) == 0)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "there is a key at 0x%08" PRIx32 " already", handle);
	if (why.code != ASSAY_E_NOTFOUND) {
		*err = why;
		return -1;
	}
	if (kind == ASSAY_TPM_RSA) {
		p->type = TPM2_ALG_RSA;
		p->parameters.rsaDetail.scheme.scheme = TPM2_ALG_RSASSA;
		p->parameters.rsaDetail.scheme.details.rsassa.hashAlg = TPM2_ALG_SHA256;
		p->parameters.rsaDetail.keyBits = 2048;
	} else {
		p->type = TPM2_ALG_ECC;
		p->parameters.eccDetail.scheme.scheme = TPM2_ALG_ECDSA;
		p->parameters.eccDetail.scheme.details.ecdsa.hashAlg = TPM2_ALG_SHA256;
		p->parameters.eccDetail.curveID = TPM2_ECC_NIST_P256;
		p->parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
	}
	if (create(tpm, ek->tr, &in, &private, &public, err) < 0 || load(tpm, ek->tr, private, public, &loaded, err) < 0)
		return -1;
	const int r = persist(tpm, loaded, handle, err);
	(void)Esys_FlushContext(tpm->esys, loaded);
	return r < 0 ? -1 : assay_tpm_key_persistent(tpm, handle, ret, err);
}

int assay_tpm_key_evict(struct assay_tpm *tpm, uint32_t handle, struct assay_err *err)
{
	ASSAY_AUTO(assay_tpm_key_handle) *key = NULL;
	struct assay_tpm_wait wait = { 0 };
	ESYS_TR gone = ESYS_TR_NONE;
	TSS2_RC rc;

	if (assay_tpm_key_persistent(tpm, handle, &key, err) < 0)
		return -1;
	do
		rc = Esys_EvictControl(tpm->esys, ESYS_TR_RH_OWNER, key->tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, handle, &gone);
	while (assay_tpm_again(&wait, rc));
	if (rc != TSS2_RC_SUCCESS)
		return assay_tpm_fail(err, "TPM2_EvictControl", rc);
	return 0;
}

/* What TPMs answer to a credential that is not theirs: its seed does not decrypt, or its MAC is of another name. */
static bool is_foreign(TSS2_RC rc)
{
	const TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;

	if ((layer != TSS2_TPM_RC_LAYER && layer != TSS2_RESMGR_TPM_RC_LAYER) || (rc & TPM2_RC_FMT1) == 0)
		return false;
	switch (rc & 0xbf) {
	case TPM2_RC_INTEGRITY:
	case TPM2_RC_VALUE:
	case TPM2_RC_SIZE:
	case TPM2_RC_ECC_POINT:
	case TPM2_RC_INSUFFICIENT:
		return true;
	default:
		return false;
	}
}

int assay_tpm_key_activate(struct assay_tpm *tpm, struct assay_tpm_key_handle *key, struct assay_tpm_key_handle *ek,
			   const uint8_t *blob, size_t blob_len, const uint8_t *seed, size_t seed_len,
			   uint8_t ret_secret[ASSAY_MAX_DIGEST], size_t *ret_secret_len, struct assay_err *err)
{
	ASSAY_AUTO_FREE TPM2B_DIGEST *secret = NULL;
	struct assay_tpm_wait wait = { 0 };
	TPM2B_ENCRYPTED_SECRET encrypted;
	TPM2B_ID_OBJECT id;
	size_t at = 0, end = 0;
	ESYS_TR session;
	TSS2_RC rc;

	if (Tss2_MU_TPM2B_ID_OBJECT_Unmarshal(blob, blob_len, &at, &id) != TSS2_RC_SUCCESS || at != blob_len ||
	    Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(seed, seed_len, &end, &encrypted) != TSS2_RC_SUCCESS || end != seed_len)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "the challenge has no credential of a TPM");
	if (policy_session(tpm, &session, err) < 0)
		return -1;
	do
		rc = Esys_ActivateCredential(tpm->esys, key->tr, ek->tr, ESYS_TR_PASSWORD, session, ESYS_TR_NONE, &id, &encrypted,
					     &secret);
	while (assay_tpm_again(&wait, rc));
	(void)Esys_FlushContext(tpm->esys, session);
	if (is_foreign(rc))
		return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET,
				  "the challenge is for another TPM, or for another key of this one");
	if (rc != TSS2_RC_SUCCESS)
		return assay_tpm_fail(err, "TPM2_ActivateCredential", rc);
	memcpy(ret_secret, secret->buffer, secret->size);
	*ret_secret_len = secret->size;
	return 0;
}
