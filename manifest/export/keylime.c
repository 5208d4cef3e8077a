/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keylime: a tpm_policy as its verifier takes it (REST API, "tpm_policy" of POST /agents), with the mask of the PCRs that
 * the agent is to quote. It does not name the bank: that is the agent's tpm_hash_alg. PCR 10 is IMA's there, checked by
 * a runtime policy, and a policy with a value for it is refused.
 */
#include "manifest/export/export_priv.h"

#include <inttypes.h>
#include <stdio.h>

int assay_export_keylime(const struct assay_export_format *format, const struct assay_export_request *req,
			 struct assay_export *ret, struct assay_err *err)
{
	static const struct assay_export_rule rule = {
		.pcrs = ASSAY_EXPORT_PCRS,
		.sets = true,
		.one_bank = true,
		.never = 1U << 10,
		.why = "keylime checks it by IMA's log",
	};
	struct assay_export_pick pick;
	char mask[16];

	if (assay_export_choose(format, &rule, req, ret, &pick, err) < 0)
		return -1;
	struct assay_json *top = assay_json_object();

	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
		char key[4];

		snprintf(key, sizeof(key), "%u", i);
		if (pick.pcrs & (1U << i))
			assay_json_set(top, key, assay_export_values(&pick, i, assay_export_bank(&pick)));
	}
	snprintf(mask, sizeof(mask), "0x%" PRIX32, pick.pcrs);
	assay_json_set_str(top, "mask", mask);
	return assay_export_add_json(ret, NULL, top, err);
}
