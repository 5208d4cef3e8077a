/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that talks to a TPM: through the TPM2 software stack (ESYS). */
#ifndef ASSAY_ATTEST_DEVICE_H
#define ASSAY_ATTEST_DEVICE_H

#include "tpm/pcr.h"

struct assay_tpm;

/*
 * `tcti`: "device:/dev/tpmrm0" or "swtpm:path=SOCKET"; NULL: the kernel's resource manager. Other kinds are
 * refused: the one that starts programs has a heap overflow in tpm2-tss up to 4.1.3.
 */
int assay_tpm_open(const char *tcti, struct assay_tpm **ret, struct assay_err *err) ASSAY_MUST;
void assay_tpm_free(struct assay_tpm **tpm);
ASSAY_DEFINE_AUTO(assay_tpm)

/* All PCRs of every active bank that we know, of one moment (TPM2_GetCapability TPM_CAP_PCRS, TPM2_PCR_Read). */
int assay_tpm_read_pcrs(struct assay_tpm *tpm, struct assay_pcrs *ret, struct assay_err *err) ASSAY_MUST;

#endif
