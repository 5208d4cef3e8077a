/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_proof_parse, and what looks at a proof behind its signature: assay_runtime_read,
 * assay_boot_judge, assay_runtime_judge, assay_proof_verdict_json. Nothing is verified without a key.
 */
#include <stdlib.h>
#include <string.h>

#include "verify/judge_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const char *text, size_t size, int log_pcr, const struct assay_anchors *anchors)
{
	ASSAY_AUTO(assay_proof_verdict) *v = calloc(1, sizeof(*v));
	ASSAY_AUTO(assay_proof_verdict) *whole = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO_FREE char *out = NULL;
	struct assay_expectation boot = { 0 };
	const struct assay_proof_policy policy = { .anchors = anchors, .boots = &boot, .n_boots = 1, .log_pcr = log_pcr };
	const struct assay_proof_request request = { .at = 1795348800 };
	struct assay_err err;
	bool is_json;
	size_t len;

	if (assay_proof_judge(text, size, &policy, &request, &whole, &err) == 0 && assay_proof_verified(whole))
		abort();
	if (!v || assay_proof_parse(text, size, log_pcr, &v->proof, &is_json, &err) < 0)
		return;
	boot.values = &v->proof->pcrs;
	if (assay_runtime_read(anchors, v, &err) < 0 || assay_boot_judge(&policy, &request, v, &err) < 0 ||
	    assay_runtime_judge(&policy, &request, v, &err) < 0)
		return;
	v->reached = ASSAY_STEP_RUNTIME;
	json = assay_proof_verdict_json(v);
	if (assay_json_dump(json, &out, &len, &err) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct assay_anchors *anchors = assay_anchors_new();

	look((const char *)data, size, -1, anchors);
	look((const char *)data, size, 16, anchors);
	assay_anchors_free(&anchors);
	return 0;
}
