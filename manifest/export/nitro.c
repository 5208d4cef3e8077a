/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS NitroTPM: what nitro-tpm-pcr-compute 1.1.0 prints, and KMS key policies are made of (condition keys
 * kms:RecipientAttestation:NitroTPMPCR<N>). One value for each PCR, SHA-384.
 */
#include "manifest/export/export_priv.h"

#include <stdio.h>

int assay_export_nitro(const struct assay_export_format *format, const struct assay_export_request *req,
		       struct assay_export *ret, struct assay_err *err)
{
	static const struct assay_export_rule rule = {
		.pcrs = 1U << 4 | 1U << 7 | 1U << 12,
		.all = true,
		.one_bank = true,
		.bank = ASSAY_BANK_BIT(ASSAY_SHA384),
	};
	struct assay_export_pick pick;

	if (assay_export_choose(format, &rule, req, ret, &pick, err) < 0)
		return -1;
	struct assay_json *top = assay_json_object();
	struct assay_json *m = assay_json_object();

	assay_json_set_str(m, "HashAlgorithm", "SHA384");
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
		char key[8];

		snprintf(key, sizeof(key), "PCR%u", i);
		if (pick.pcrs & (1U << i))
			assay_json_set(m, key, assay_export_value(&pick, i, ASSAY_SHA384));
	}
	assay_json_set(top, "Measurements", m);
	return assay_export_add_json(ret, NULL, top, err);
}
