/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assay.pcrs/1 (docs/schemas/pcrs-1.json): golden values and nothing else. A list even where one value is accepted, so
 * that nobody writes a reader that takes the first.
 */
#include "manifest/export/export_priv.h"

#include <stdio.h>

int assay_export_pcrs_json(const struct assay_export_format *format, const struct assay_export_request *req,
			   struct assay_export *ret, struct assay_err *err)
{
	static const struct assay_export_rule rule = { .pcrs = ASSAY_EXPORT_PCRS, .sets = true };
	struct assay_export_pick pick;

	if (assay_export_choose(format, &rule, req, ret, &pick, err) < 0)
		return -1;
	struct assay_json *top = assay_json_object();
	struct assay_json *banks = assay_json_object();
	struct assay_json *without = assay_json_object();

	for (int b = 0; b < ASSAY_N_BANKS; b++) {
		if (!(pick.banks & ASSAY_BANK_BIT(b)))
			continue;
		struct assay_json *bank = assay_json_object();

		for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
			char key[4];

			snprintf(key, sizeof(key), "%u", i);
			if (pick.pcrs & (1U << i))
				assay_json_set(bank, key, assay_export_values(&pick, i, (enum assay_bank)b));
		}
		assay_json_set(banks, assay_bank_name((enum assay_bank)b), bank);
	}
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
		const struct assay_pcr_values *v = &req->prediction->pcr[i];
		char key[4];

		snprintf(key, sizeof(key), "%u", i);
		if (v->n == 0)
			assay_json_set_str(without, key, v->reason ? v->reason : assay_pcr_status_name(v->status));
	}
	assay_json_set_str(top, "schema", "assay.pcrs/1");
	assay_json_set_str(top, "image", assay_export_image(req));
	if (req->manifest)
		assay_json_set_int(top, "release", req->manifest->release);
	assay_json_set_str(top, "platform", assay_export_platform(req));
	if (req->phase)
		assay_json_set_str(top, "phase", req->phase);
	assay_json_set(top, "banks", banks);
	assay_json_set(top, "without_value", without);
	return assay_export_add_json(ret, NULL, top, err);
}
