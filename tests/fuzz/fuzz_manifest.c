/* SPDX-License-Identifier: Apache-2.0 */
/* Target functions: assay_manifest_parse, assay_manifest_prediction. */
#include <stdlib.h>

#include "manifest/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_manifest) *m = NULL;
	struct assay_err err;

	if (assay_manifest_parse((const char *)data, size, &m, &err) < 0)
		return 0;
	if (m->release < 1 || m->expires <= m->not_before || assay_json_len(m->predictions) == 0)
		abort();
	for (size_t i = 0; i < assay_json_len(m->predictions); i++) {
		ASSAY_AUTO(assay_prediction) *p = NULL;

		(void)!assay_manifest_prediction(m, assay_manifest_platform(assay_json_at(m->predictions, i)), &p, NULL, &err);
	}
	return 0;
}
