/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trustee's Reference Value Provider Service: a message with the payload of its "sample" extractor, Base64 of
 * {"tpm_pcr4": ["<hex>", …]} (rvps/src/lib.rs and extractors/sample). The names are those that its attestation policies
 * look up; a bank stands in none of them.
 */
#include "manifest/export/export_priv.h"

#include <stdio.h>

#include "core/base64.h"

static int payload(const struct assay_export_pick *pick, char **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *values = assay_json_object();
	ASSAY_AUTO_FREE char *text = NULL;
	size_t len;

	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
		char key[16];

		snprintf(key, sizeof(key), "tpm_pcr%u", i);
		if (pick->pcrs & (1U << i))
			assay_json_set(values, key, assay_export_values(pick, i, assay_export_bank(pick)));
	}
	if (assay_json_dump(values, &text, &len, err) < 0)
		return -1;
	*ret = assay_base64_encode(text, len);
	return *ret ? 0 : assay_fail_mem(err);
}

int assay_export_rvps(const struct assay_export_format *format, const struct assay_export_request *req,
		      struct assay_export *ret, struct assay_err *err)
{
	static const struct assay_export_rule rule = { .pcrs = ASSAY_EXPORT_PCRS, .sets = true, .one_bank = true };
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_export_pick pick;

	if (assay_export_choose(format, &rule, req, ret, &pick, err) < 0 || payload(&pick, &text, err) < 0)
		return -1;
	struct assay_json *top = assay_json_object();

	assay_json_set_str(top, "version", "0.1.0");
	assay_json_set_str(top, "type", "sample");
	assay_json_set_str(top, "payload", text);
	return assay_export_add_json(ret, NULL, top, err);
}
