/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and NV indexes of a TPM, and its quotes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <tss2/tss2_mu.h>

#include "attest/device_priv.h"

enum { MAX_ATTEMPTS = 16 };

bool assay_tpm_is_absent(TSS2_RC rc)
{
	/* TPM_RC_HANDLE of the first handle or of none; a resource manager answers for the TPM. */
	const TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;

	return (layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_TPM_RC_LAYER) && (rc & 0x80) != 0 &&
	       (rc & 0xbf) == TPM2_RC_HANDLE;
}

/* --- keys --------------------------------------------------------------------------------------- */

void assay_tpm_key_free(struct assay_tpm_key_handle **keyp)
{
	struct assay_tpm_key_handle *key = keyp ? assay_steal(keyp) : NULL;

	if (!key)
		return;
	/* A TPM that is gone has no key any more either. */
	if (key->transient)
		(void)Esys_FlushContext(key->tpm->esys, key->tr);
	else
		(void)Esys_TR_Close(key->tpm->esys, &key->tr);
	Esys_Free(key->public);
	free(key);
}

int assay_tpm_key_wrap(struct assay_tpm *tpm, ESYS_TR tr, bool transient, TPM2B_PUBLIC *public,
		       struct assay_tpm_key_handle **ret, struct assay_err *err)
{
	struct assay_tpm_key_handle *key = calloc(1, sizeof(*key));

	if (!key) {
		if (transient)
			(void)Esys_FlushContext(tpm->esys, tr);
		else
			(void)Esys_TR_Close(tpm->esys, &tr);
		Esys_Free(public);
		return assay_fail_mem(err);
	}
	key->tpm = tpm;
	key->tr = tr;
	key->transient = transient;
	key->public = public;
	*ret = key;
	return 0;
}

/* The object behind a handle: a key or an NV index. */
static int object(struct assay_tpm *tpm, uint32_t handle, const char *what, ESYS_TR *ret, struct assay_err *err)
{
	struct assay_tpm_wait wait = { 0 };
	TSS2_RC rc;

	do
		rc = Esys_TR_FromTPMPublic(tpm->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ret);
	while (assay_tpm_again(&wait, rc));
	if (assay_tpm_is_absent(rc))
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "the TPM has no %s 0x%08" PRIx32, what, handle);
	if (rc != TSS2_RC_SUCCESS) {
		assay_tpm_fail(err, "cannot be looked at", rc);
		return assay_wrap(err, "%s 0x%08" PRIx32, what, handle);
	}
	return 0;
}

int assay_tpm_key_persistent(struct assay_tpm *tpm, uint32_t handle, struct assay_tpm_key_handle **ret, struct assay_err *err)
{
	struct assay_tpm_wait wait = { 0 };
	TPM2B_PUBLIC *public = NULL;
	ESYS_TR tr = ESYS_TR_NONE;
	TSS2_RC rc;

	if (handle >> 24 != TPM2_HT_PERSISTENT)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "0x%08" PRIx32 " is no handle of a persistent key (0x81…)",
				  handle);
	if (object(tpm, handle, "key", &tr, err) < 0)
		return -1;
	do
		rc = Esys_ReadPublic(tpm->esys, tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL, NULL);
	while (assay_tpm_again(&wait, rc));
	if (rc != TSS2_RC_SUCCESS) {
		(void)Esys_TR_Close(tpm->esys, &tr);
		return assay_tpm_fail(err, "TPM2_ReadPublic", rc);
	}
	return assay_tpm_key_wrap(tpm, tr, false, public, ret, err);
}

int assay_tpm_key_primary(struct assay_tpm *tpm, const TPM2B_PUBLIC *in, struct assay_tpm_key_handle **ret,
			  struct assay_err *err)
{
	static const TPM2B_SENSITIVE_CREATE no_secret;
	static const TPM2B_DATA no_data;
	static const TPML_PCR_SELECTION no_pcrs;
	struct assay_tpm_wait wait = { 0 };
	TPM2B_PUBLIC *public = NULL;
	ESYS_TR tr = ESYS_TR_NONE;
	TSS2_RC rc;

	do
		rc = Esys_CreatePrimary(tpm->esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
					&no_secret, in, &no_data, &no_pcrs, &tr, &public, NULL, NULL, NULL);
	while (assay_tpm_again(&wait, rc));
	if (rc != TSS2_RC_SUCCESS)
		return assay_tpm_fail(err, "TPM2_CreatePrimary", rc);
	return assay_tpm_key_wrap(tpm, tr, true, public, ret, err);
}

int assay_tpm_key_template(struct assay_tpm *tpm, uint32_t nv, struct assay_tpm_key_handle **ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *p = NULL;
	struct assay_tpm_public checked;
	TPM2B_PUBLIC in = { 0 };
	size_t len, at = 0;

	if (assay_tpm_nv_read(tpm, nv, &p, &len, err) < 0)
		return -1;
	/* Ours is the strict one; what it has taken MU reads too. */
	if (assay_tpm_public_parse(p, len, &checked, err) < 0)
		return assay_wrap(err, "the template in NV 0x%08" PRIx32, nv);
	const size_t skip = len >= 2 && (size_t)(p[0] << 8 | p[1]) == len - 2 ? 2 : 0;
	const TSS2_RC rc = Tss2_MU_TPMT_PUBLIC_Unmarshal(p + skip, len - skip, &at, &in.publicArea);
	if (rc != TSS2_RC_SUCCESS || at != len - skip) {
		assay_tpm_fail(err, "cannot be read", rc);
		return assay_wrap(err, "the template in NV 0x%08" PRIx32, nv);
	}
	return assay_tpm_key_primary(tpm, &in, ret, err);
}

int assay_tpm_key_public(const struct assay_tpm_key_handle *key, uint8_t **ret, size_t *ret_len, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *buf = malloc(sizeof(TPM2B_PUBLIC));
	size_t at = 0;

	if (!buf)
		return assay_fail_mem(err);
	const TSS2_RC rc = Tss2_MU_TPM2B_PUBLIC_Marshal(key->public, buf, sizeof(TPM2B_PUBLIC), &at);
	if (rc != TSS2_RC_SUCCESS)
		return assay_tpm_fail(err, "the key's public half", rc);
	*ret = assay_steal(&buf);
	*ret_len = at;
	return 0;
}

/* --- NV ----------------------------------------------------------------------------------------- */

/* TPM_PT_NV_BUFFER_MAX: how much one read gives. */
static int nv_piece(struct assay_tpm *tpm, uint16_t *ret, struct assay_err *err)
{
	struct assay_tpm_wait wait = { 0 };
	TPMS_CAPABILITY_DATA *data = NULL;
	TPMI_YES_NO more;
	TSS2_RC rc;

	do
		rc = Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_TPM_PROPERTIES,
					TPM2_PT_NV_BUFFER_MAX, 1, &more, &data);
	while (assay_tpm_again(&wait, rc));
	if (rc != TSS2_RC_SUCCESS)
		return assay_tpm_fail(err, "TPM2_GetCapability(TPM_PT_NV_BUFFER_MAX)", rc);
	const TPML_TAGGED_TPM_PROPERTY *props = &data->data.tpmProperties;
	uint32_t max = 512; /* older ones do not say */
	if (props->count > 0 && props->tpmProperty[0].property == TPM2_PT_NV_BUFFER_MAX && props->tpmProperty[0].value > 0)
		max = props->tpmProperty[0].value;
	Esys_Free(data);
	*ret = (uint16_t)(max > TPM2_MAX_NV_BUFFER_SIZE ? TPM2_MAX_NV_BUFFER_SIZE : max);
	return 0;
}

/* Size of an index, and whose authorization reads it. */
static int nv_look(struct assay_tpm *tpm, ESYS_TR tr, uint16_t *ret_size, ESYS_TR *ret_auth, struct assay_err *err)
{
	struct assay_tpm_wait wait = { 0 };
	TPM2B_NV_PUBLIC *public = NULL;
	TSS2_RC rc;

	do
		rc = Esys_NV_ReadPublic(tpm->esys, tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL);
	while (assay_tpm_again(&wait, rc));
	if (rc != TSS2_RC_SUCCESS)
		return assay_tpm_fail(err, "TPM2_NV_ReadPublic", rc);
	const TPMA_NV attributes = public->nvPublic.attributes;
	*ret_size = public->nvPublic.dataSize;
	Esys_Free(public);
	if (!(attributes & TPMA_NV_WRITTEN))
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "nothing has been written to it");
	if (attributes & TPMA_NV_AUTHREAD)
		*ret_auth = tr;
	else if (attributes & TPMA_NV_OWNERREAD)
		*ret_auth = ESYS_TR_RH_OWNER;
	else
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "only a policy or the platform may read it");
	return 0;
}

static int nv_read(struct assay_tpm *tpm, ESYS_TR tr, uint8_t **ret, size_t *ret_len, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *buf = NULL;
	ESYS_TR auth = ESYS_TR_NONE;
	uint16_t size = 0, piece = 0;

	if (nv_look(tpm, tr, &size, &auth, err) < 0 || nv_piece(tpm, &piece, err) < 0)
		return -1;
	buf = calloc(1, (size_t)size + 1);
	if (!buf)
		return assay_fail_mem(err);
	for (uint32_t at = 0; at < size;) {
		const uint16_t want = (uint16_t)(size - at < piece ? size - at : piece);
		struct assay_tpm_wait wait = { 0 };
		TPM2B_MAX_NV_BUFFER *got = NULL;
		TSS2_RC rc;

		do
			rc = Esys_NV_Read(tpm->esys, auth, tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, want, (UINT16)at, &got);
		while (assay_tpm_again(&wait, rc));
		if (rc != TSS2_RC_SUCCESS)
			return assay_tpm_fail(err, "TPM2_NV_Read", rc);
		const uint16_t n = got->size;
		if (n == want)
			memcpy(buf + at, got->buffer, n);
		Esys_Free(got);
		if (n != want)
			return assay_fail(err, ASSAY_E_TPM, ASSAY_NO_OFFSET, "TPM2_NV_Read: %u bytes wanted, %u given", want, n);
		at += n;
	}
	*ret = assay_steal(&buf);
	*ret_len = size;
	return 0;
}

int assay_tpm_nv_read(struct assay_tpm *tpm, uint32_t nv, uint8_t **ret, size_t *ret_len, struct assay_err *err)
{
	ESYS_TR tr = ESYS_TR_NONE;

	if (nv >> 24 != TPM2_HT_NV_INDEX)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "0x%08" PRIx32 " is no NV index (0x01…)", nv);
	if (object(tpm, nv, "NV index", &tr, err) < 0)
		return -1;
	const int r = nv_read(tpm, tr, ret, ret_len, err);
	(void)Esys_TR_Close(tpm->esys, &tr);
	return r < 0 ? assay_wrap(err, "NV index 0x%08" PRIx32, nv) : 0;
}

/* --- quotes ------------------------------------------------------------------------------------- */

static int quote_once(struct assay_tpm *tpm, struct assay_tpm_key_handle *key, unsigned banks, uint32_t mask,
		      const TPM2B_DATA *extra, TPM2B_ATTEST **ret_message, TPMT_SIGNATURE **ret_signature, struct assay_err *err)
{
	static const TPMT_SIG_SCHEME of_key = { .scheme = TPM2_ALG_NULL };
	struct assay_tpm_wait wait = { 0 };
	TPML_PCR_SELECTION select = { 0 };
	TSS2_RC rc;

	for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
		if (banks & ASSAY_BANK_BIT(b))
			select.pcrSelections[select.count++] = (TPMS_PCR_SELECTION){
				.hash = assay_bank_tcg_id((enum assay_bank)b),
				.sizeofSelect = 3,
				.pcrSelect = { (BYTE)mask, (BYTE)(mask >> 8), (BYTE)(mask >> 16) },
			};
	do
		rc = Esys_Quote(tpm->esys, key->tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, extra, &of_key, &select,
				ret_message, ret_signature);
	while (assay_tpm_again(&wait, rc));
	if (rc != TSS2_RC_SUCCESS)
		return assay_tpm_fail(err, "TPM2_Quote", rc);
	return 0;
}

/* Has the TPM signed what it was asked to? */
static int check_quote(const struct assay_quote *q, unsigned banks, uint32_t mask, const TPM2B_DATA *extra, struct assay_err *err)
{
	unsigned seen = 0;

	for (size_t i = 0; i < q->n_selections; i++)
		if (q->selections[i].known && q->selections[i].pcrs == mask)
			seen |= ASSAY_BANK_BIT(q->selections[i].bank);
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
		if ((banks & ~seen) & ASSAY_BANK_BIT(b))
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "the TPM does not quote bank %s: it is not active",
					  assay_bank_name((enum assay_bank)b));
	if (seen != banks || q->extra_len != extra->size || memcmp(q->extra, extra->buffer, q->extra_len) != 0)
		return assay_fail(err, ASSAY_E_TPM, ASSAY_NO_OFFSET, "the TPM signed something else than it was asked to");
	return 0;
}

/* The quote's bytes, checked, and whether `pcrs` are what it is of. */
static int compare(const TPM2B_ATTEST *message, const TPMT_SIGNATURE *signature, unsigned banks, uint32_t mask,
		   const TPM2B_DATA *extra, const struct assay_pcrs *pcrs, bool *ret_same, struct assay_err *err)
{
	enum assay_bank hash;
	struct assay_quote q;
	uint8_t digest[ASSAY_MAX_DIGEST];

	if (assay_quote_parse(message->attestationData, message->size, &q, err) < 0 || check_quote(&q, banks, mask, extra, err) < 0)
		return -1;
	if (!assay_bank_from_tcg_id(signature->signature.any.hashAlg, &hash))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "a key that signs by hash 0x%04x",
				  signature->signature.any.hashAlg);
	if (assay_quote_digest(&q, pcrs, hash, digest, err) < 0)
		return -1;
	*ret_same = q.pcr_digest_len == assay_bank_size(hash) && memcmp(digest, q.pcr_digest, q.pcr_digest_len) == 0;
	return 0;
}

int assay_tpm_quote(struct assay_tpm *tpm, struct assay_tpm_key_handle *key, unsigned banks, uint32_t pcr_mask,
		    const uint8_t *extra, size_t extra_len, uint8_t **ret_message, size_t *ret_message_len,
		    uint8_t **ret_signature, size_t *ret_signature_len, struct assay_pcrs *ret_pcrs, struct assay_err *err)
{
	ASSAY_AUTO_FREE struct assay_pcrs *pcrs = calloc(1, sizeof(*pcrs));
	ASSAY_AUTO_FREE uint8_t *bytes = malloc(sizeof(TPMT_SIGNATURE));
	TPM2B_DATA data = { .size = (UINT16)extra_len };

	if (!pcrs || !bytes)
		return assay_fail_mem(err);
	if (extra_len > sizeof(data.buffer))
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "extraData of %zu bytes, at most %zu", extra_len,
				  sizeof(data.buffer));
	if (extra_len > 0)
		memcpy(data.buffer, extra, extra_len);
	/* Values and quote are of one moment when their digest is the one that was signed. */
	for (int i = 0; i < MAX_ATTEMPTS; i++) {
		ASSAY_AUTO_FREE TPM2B_ATTEST *message = NULL;
		ASSAY_AUTO_FREE TPMT_SIGNATURE *signature = NULL;
		bool same = false;

		if (assay_tpm_read_some(tpm, banks, pcr_mask, pcrs, err) < 0 ||
		    quote_once(tpm, key, banks, pcr_mask, &data, &message, &signature, err) < 0 ||
		    compare(message, signature, banks, pcr_mask, &data, pcrs, &same, err) < 0)
			return -1;
		if (!same)
			continue;
		size_t at = 0;
		const TSS2_RC rc = Tss2_MU_TPMT_SIGNATURE_Marshal(signature, bytes, sizeof(TPMT_SIGNATURE), &at);
		if (rc != TSS2_RC_SUCCESS)
			return assay_tpm_fail(err, "the quote's signature", rc);
		uint8_t *copy = malloc(message->size);
		if (!copy)
			return assay_fail_mem(err);
		memcpy(copy, message->attestationData, message->size);
		*ret_message = copy;
		*ret_message_len = message->size;
		*ret_signature = assay_steal(&bytes);
		*ret_signature_len = at;
		*ret_pcrs = *pcrs;
		return 0;
	}
	return assay_fail(err, ASSAY_E_TPM, ASSAY_NO_OFFSET, "the PCRs changed between reading and quoting them, %d times",
			  MAX_ATTEMPTS);
}
