/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that talk to a TPM share: device.c, device_extend.c, device_key.c, device_ek.c. */
#ifndef ASSAY_ATTEST_DEVICE_PRIV_H
#define ASSAY_ATTEST_DEVICE_PRIV_H

#include <tss2/tss2_esys.h>

#include "attest/device.h"

struct assay_tpm {
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
};

/* ASSAY_E_TPM "WHAT: <the stack's words>"; always -1. */
int assay_tpm_fail(struct assay_err *err, const char *what, TSS2_RC rc);

/*
 * Is this the answer of a TPM that is busy, or of a resource manager that is full, so that the command was not done and
 * is to be sent again? Sleeps a while first, longer each time, ten seconds in all; then, and for every other answer,
 * false. One struct, zeroed, for each command:
 *
 *   struct assay_tpm_wait wait = { 0 };
 *
 *   do
 *           rc = Esys_PCR_Extend(…);
 *   while (assay_tpm_again(&wait, rc));
 */
struct assay_tpm_wait {
	unsigned slept_ms;
	unsigned next_ms;
};
bool assay_tpm_again(struct assay_tpm_wait *wait, TSS2_RC rc);

/* These PCRs of these banks, all of one moment; what the TPM does not have is not in *ret. */
int assay_tpm_read_some(struct assay_tpm *tpm, unsigned banks, uint32_t mask, struct assay_pcrs *ret, struct assay_err *err) ASSAY_MUST;

struct assay_tpm_key_handle {
	struct assay_tpm *tpm;
	ESYS_TR tr;
	bool transient;
	TPM2B_PUBLIC *public;
};
/* Takes over the object and what it says of itself, on failure too. */
int assay_tpm_key_wrap(struct assay_tpm *tpm, ESYS_TR tr, bool transient, TPM2B_PUBLIC *public,
		       struct assay_tpm_key_handle **ret, struct assay_err *err) ASSAY_MUST;
/* TPM2_CreatePrimary in the endorsement hierarchy. */
int assay_tpm_key_primary(struct assay_tpm *tpm, const TPM2B_PUBLIC *in, struct assay_tpm_key_handle **ret,
			  struct assay_err *err) ASSAY_MUST;
/* Is there nothing with this handle? */
bool assay_tpm_is_absent(TSS2_RC rc);

#endif
