/* SPDX-License-Identifier: Apache-2.0 */
/* Target functions: assay_sbat_parse. */
#include "measure/pe/sbat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct assay_sbat sbat;
	struct assay_err err;

	if (assay_sbat_parse((const char *)data, size, 0, &sbat, &err) == 0) {
		assay_sbat_find(&sbat, "shim");
		assay_sbat_clear(&sbat);
	}
	return 0;
}
