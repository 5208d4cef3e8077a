/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AICert and BlindLlama: the file measurements_*.json that their verifiers carry, {"measurements": {"0": "<hex>"}}. They
 * compare each PCR that is in it with the SHA-256 bank of the quote, and look at no other.
 */
#include "manifest/export/export_priv.h"

#include <stdio.h>

int assay_export_aicert(const struct assay_export_format *format, const struct assay_export_request *req,
			struct assay_export *ret, struct assay_err *err)
{
	static const struct assay_export_rule rule = {
		.pcrs = 0x1f | 1U << 12 | 1U << 13, /* as their own script has them */
		.one_bank = true,
		.bank = ASSAY_BANK_BIT(ASSAY_SHA256),
	};
	struct assay_export_pick pick;

	if (assay_export_choose(format, &rule, req, ret, &pick, err) < 0)
		return -1;
	struct assay_json *top = assay_json_object();
	struct assay_json *m = assay_json_object();

	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
		char key[4];

		snprintf(key, sizeof(key), "%u", i);
		if (pick.pcrs & (1U << i))
			assay_json_set(m, key, assay_export_value(&pick, i, ASSAY_SHA256));
	}
	assay_json_set(top, "measurements", m);
	return assay_export_add_json(ret, NULL, top, err);
}
