/* SPDX-License-Identifier: Apache-2.0 */
/* Target functions: assay_anchors_add, assay_pem_certificate, assay_way_judge: a file of anchors that is a chain, too. */
#include <stdlib.h>
#include <string.h>

#include "verify/chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_anchors) *anchors = assay_anchors_new();
	struct assay_proof_bytes certs[3] = { 0 };
	struct assay_proof proof = { .certs = certs };
	struct assay_judged_way way;
	struct assay_err err;
	uint8_t *der = NULL;
	size_t len;

	if (!anchors)
		return 0;
	(void)!assay_anchors_add(anchors, "input", data, size, &err);
	if (assay_pem_certificate((const char *)data, size, &der, &len, &err) == 0)
		certs[proof.n_certs++] = (struct assay_proof_bytes){ der, len };
	/* As one, and as two of halves. */
	if (size > 0)
		certs[proof.n_certs++] = (struct assay_proof_bytes){ (uint8_t *)(uintptr_t)data, size };
	if (size > 1)
		certs[proof.n_certs++] = (struct assay_proof_bytes){ (uint8_t *)(uintptr_t)data, size / 2 };
	if (assay_way_judge(anchors, &proof, 1795348800, &way, &err) == 0)
		assay_way_clear(&way);
	free(der);
	return 0;
}
