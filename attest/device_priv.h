/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that talk to a TPM share: device.c, device_extend.c, device_key.c. */
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

#endif
