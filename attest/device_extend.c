/* SPDX-License-Identifier: Apache-2.0 */
/* Extending PCRs, and a TPM that is busy. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tss2/tss2_rc.h>

#include "attest/device_priv.h"

int assay_tpm_fail(struct assay_err *err, const char *what, TSS2_RC rc)
{
	return assay_fail(err, ASSAY_E_TPM, ASSAY_NO_OFFSET, "%s: %s", what, Tss2_RC_Decode(rc));
}

/* The command was not begun, or is to be sent again to go on (TPM 2.0 Library, Part 2, 6.6.3: warnings). */
static bool is_busy(TSS2_RC rc)
{
	const TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;

	if (layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_TPM_RC_LAYER) {
		switch (rc & ~TSS2_RC_LAYER_MASK) {
		case TPM2_RC_RETRY:
		case TPM2_RC_YIELDED:
		case TPM2_RC_TESTING:
		case TPM2_RC_NV_RATE:
		case TPM2_RC_NV_UNAVAILABLE:
		case TPM2_RC_MEMORY:
		case TPM2_RC_OBJECT_MEMORY:
		case TPM2_RC_SESSION_MEMORY:
		case TPM2_RC_OBJECT_HANDLES:
		case TPM2_RC_SESSION_HANDLES:
		case TPM2_RC_CONTEXT_GAP:
			return true;
		default:
			return false;
		}
	}
	return rc == TSS2_ESYS_RC_TRY_AGAIN || rc == TSS2_TCTI_RC_TRY_AGAIN;
}

enum { FIRST_MS = 5, MOST_MS = 500, ALL_MS = 10000 };

bool assay_tpm_again(struct assay_tpm_wait *wait, TSS2_RC rc)
{
	struct timespec t;

	if (!is_busy(rc) || wait->slept_ms >= ALL_MS)
		return false;
	if (wait->next_ms == 0)
		wait->next_ms = FIRST_MS;
	t.tv_sec = wait->next_ms / 1000;
	t.tv_nsec = (long)(wait->next_ms % 1000) * 1000000;
	nanosleep(&t, NULL);
	wait->slept_ms += wait->next_ms;
	wait->next_ms = wait->next_ms * 2 > MOST_MS ? MOST_MS : wait->next_ms * 2;
	return true;
}

int assay_tpm_extend(struct assay_tpm *tpm, unsigned pcr, const struct assay_digests *d, struct assay_err *err)
{
	TPML_DIGEST_VALUES values = { 0 };
	struct assay_tpm_wait wait = { 0 };
	TSS2_RC rc;

	if (pcr >= ASSAY_N_PCRS)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "PCR %u: there are 0 to %d", pcr, ASSAY_N_PCRS - 1);
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		const enum assay_bank bank = (enum assay_bank)b;

		if (!(d->banks & ASSAY_BANK_BIT(b)))
			continue;
		values.digests[values.count].hashAlg = assay_bank_tcg_id(bank);
		memcpy(&values.digests[values.count].digest, d->d[b], assay_bank_size(bank));
		values.count++;
	}
	do
		rc = Esys_PCR_Extend(tpm->esys, ESYS_TR_PCR0 + pcr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &values);
	while (assay_tpm_again(&wait, rc));
	if (rc != TSS2_RC_SUCCESS)
		return assay_tpm_fail(err, "TPM2_PCR_Extend", rc);
	return 0;
}

int assay_tpm_boot_count(struct assay_tpm *tpm, uint32_t *ret_reset, uint32_t *ret_restart, struct assay_err *err)
{
	struct assay_tpm_wait wait = { 0 };
	TPMS_TIME_INFO *now = NULL;
	TSS2_RC rc;

	do
		rc = Esys_ReadClock(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &now);
	while (assay_tpm_again(&wait, rc));
	if (rc != TSS2_RC_SUCCESS)
		return assay_tpm_fail(err, "TPM2_ReadClock", rc);
	*ret_reset = now->clockInfo.resetCount;
	*ret_restart = now->clockInfo.restartCount;
	Esys_Free(now);
	return 0;
}
