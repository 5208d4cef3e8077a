/* SPDX-License-Identifier: Apache-2.0 */
/* Target function: assay_pcrs_parse. */
#include <stdlib.h>

#include "tpm/pcr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct assay_pcrs pcrs;

	if (assay_pcrs_parse((const char *)data, size, &pcrs, NULL) < 0)
		return 0;
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		if ((pcrs.have[b] & ~ASSAY_ALL_PCRS) != 0 ||
		    (pcrs.have[b] != 0) != ((pcrs.banks & ASSAY_BANK_BIT(b)) != 0))
			abort();
	}
	return 0;
}
