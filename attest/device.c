/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/device.h"

#include <stdlib.h>
#include <string.h>

#include <tss2/tss2_tctildr.h>

#include "attest/device_priv.h"

#define DEFAULT_TCTI "device:/dev/tpmrm0"

int assay_tpm_open(const char *tcti, struct assay_tpm **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_tpm) *tpm = calloc(1, sizeof(*tpm));
	TSS2_RC rc;

	if (!tpm)
		return assay_fail_mem(err);
	if (!tcti)
		tcti = DEFAULT_TCTI;
	if (strncmp(tcti, "device:", 7) != 0 && strncmp(tcti, "swtpm:", 6) != 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "TCTI '%s': device: and swtpm: are the ones there are", tcti);
	/* Its log would go to stderr; failures come back as codes all the same. */
	setenv("TSS2_LOG", "all+NONE", 0);
	rc = Tss2_TctiLdr_Initialize(tcti, &tpm->tcti);
	if (rc != TSS2_RC_SUCCESS)
		return assay_tpm_fail(err, tcti, rc);
	rc = Esys_Initialize(&tpm->esys, tpm->tcti, NULL);
	if (rc != TSS2_RC_SUCCESS)
		return assay_tpm_fail(err, "cannot talk to the TPM", rc);
	*ret = assay_steal(&tpm);
	return 0;
}

void assay_tpm_free(struct assay_tpm **p)
{
	struct assay_tpm *tpm = *p;

	if (!tpm)
		return;
	if (tpm->esys)
		Esys_Finalize(&tpm->esys);
	if (tpm->tcti)
		Tss2_TctiLdr_Finalize(&tpm->tcti);
	free(tpm);
	*p = NULL;
}

int assay_tpm_banks(struct assay_tpm *tpm, unsigned *ret, struct assay_err *err)
{
	TPMS_CAPABILITY_DATA *data = NULL;
	TPMI_YES_NO more;
	unsigned banks = 0;
	struct assay_tpm_wait wait = { 0 };
	TSS2_RC rc;

	do
		rc = Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_PCRS, 0,
					TPM2_MAX_TPM_PROPERTIES, &more, &data);
	while (assay_tpm_again(&wait, rc));
	if (rc != TSS2_RC_SUCCESS)
		return assay_tpm_fail(err, "TPM2_GetCapability(TPM_CAP_PCRS)", rc);
	for (UINT32 i = 0; i < data->data.assignedPCR.count; i++) {
		const TPMS_PCR_SELECTION *sel = &data->data.assignedPCR.pcrSelections[i];
		enum assay_bank bank;
		bool any = false;

		for (UINT8 k = 0; k < sel->sizeofSelect; k++)
			any |= sel->pcrSelect[k] != 0;
		if (any && assay_bank_from_tcg_id(sel->hash, &bank))
			banks |= ASSAY_BANK_BIT(bank);
	}
	free(data);
	if (banks == 0)
		return assay_fail(err, ASSAY_E_TPM, ASSAY_NO_OFFSET, "no PCR bank is active");
	*ret = banks;
	return 0;
}

/*
 * One read gives at most eight; what came is taken out of the selection until nothing is left. *counter is the
 * TPM's pcrUpdateCounter of the first read, *moved whether a later one found another.
 */
static int read_bank(struct assay_tpm *tpm, enum assay_bank bank, uint32_t mask, struct assay_pcrs *ret,
		     uint32_t *counter, bool *moved, struct assay_err *err)
{
	TPML_PCR_SELECTION want = {
		.count = 1,
		.pcrSelections = { { .hash = assay_bank_tcg_id(bank),
				     .sizeofSelect = 3,
				     .pcrSelect = { (BYTE)mask, (BYTE)(mask >> 8), (BYTE)(mask >> 16) } } },
	};

	for (unsigned rounds = 0; rounds < ASSAY_N_PCRS; rounds++) {
		TPML_PCR_SELECTION *got = NULL;
		TPML_DIGEST *values = NULL;
		UINT32 now;
		UINT32 n = 0;
		struct assay_tpm_wait wait = { 0 };
		TSS2_RC rc;

		do
			rc = Esys_PCR_Read(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &want, &now, &got, &values);
		while (assay_tpm_again(&wait, rc));
		if (rc != TSS2_RC_SUCCESS)
			return assay_tpm_fail(err, "TPM2_PCR_Read", rc);
		if (*counter == 0)
			*counter = now;
		*moved |= now != *counter;
		const TPMS_PCR_SELECTION *sel = &got->pcrSelections[0];
		bool ours = got->count == 1 && sel->hash == assay_bank_tcg_id(bank);
		for (unsigned i = 0; ours && i < ASSAY_N_PCRS; i++) {
			if (i / 8 >= sel->sizeofSelect || !(sel->pcrSelect[i / 8] & (1U << i % 8)))
				continue;
			if (n >= values->count || values->digests[n].size != assay_bank_size(bank))
				break;
			memcpy(ret->v[bank][i], values->digests[n++].buffer, assay_bank_size(bank));
			ret->have[bank] |= 1U << i;
			want.pcrSelections[0].pcrSelect[i / 8] &= (BYTE)~(1U << i % 8);
		}
		free(got);
		free(values);
		const BYTE *left = want.pcrSelections[0].pcrSelect;
		if (n == 0 || !(left[0] | left[1] | left[2]))
			return 0;
	}
	return 0;
}

enum { MAX_ATTEMPTS = 16 };

int assay_tpm_read_pcrs(struct assay_tpm *tpm, struct assay_pcrs *ret, struct assay_err *err)
{
	unsigned banks = 0;

	if (assay_tpm_banks(tpm, &banks, err) < 0)
		return -1;
	return assay_tpm_read_some(tpm, banks, ASSAY_ALL_PCRS, ret, err);
}

int assay_tpm_read_some(struct assay_tpm *tpm, unsigned banks, uint32_t mask, struct assay_pcrs *ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE struct assay_pcrs *pcrs = calloc(1, sizeof(*pcrs));

	if (!pcrs)
		return assay_fail_mem(err);
	/* All values are of one moment: when something is extended meanwhile, they are read once more. */
	for (unsigned i = 0; i < MAX_ATTEMPTS; i++) {
		uint32_t counter = 0;
		bool moved = false;

		memset(pcrs, 0, sizeof(*pcrs));
		pcrs->banks = banks;
		for (int b = 0; b < ASSAY_N_BANKS; b++)
			if ((banks & ASSAY_BANK_BIT(b)) &&
			    read_bank(tpm, (enum assay_bank)b, mask, pcrs, &counter, &moved, err) < 0)
				return -1;
		if (!moved) {
			*ret = *pcrs;
			return 0;
		}
	}
	return assay_fail(err, ASSAY_E_TPM, ASSAY_NO_OFFSET,
			  "the PCRs changed while they were read, %d times", MAX_ATTEMPTS);
}
