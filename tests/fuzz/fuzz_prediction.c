/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Predictions read back: whatever is accepted is written and read again, and is the same text.
 * Target functions: assay_prediction_parse, assay_prediction_json, assay_compare.
 */
#include <stdlib.h>
#include <string.h>

#include "precompute/compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct assay_prediction *p)
{
	ASSAY_AUTO(assay_json) *json = assay_prediction_json(p);
	ASSAY_AUTO(assay_json) *back = NULL;
	ASSAY_AUTO(assay_json) *again = NULL;
	ASSAY_AUTO(assay_prediction) *q = NULL;
	ASSAY_AUTO_FREE char *one = NULL, *two = NULL;
	ASSAY_AUTO_FREE struct assay_pcrs *regs = calloc(1, sizeof(*regs));
	struct assay_comparison c;
	struct assay_err err;
	size_t len, len2;

	if (!regs || assay_json_dump(json, &one, &len, &err) < 0)
		abort();
	if (assay_json_parse(one, len, &back, &err) < 0 ||
	    assay_prediction_parse(back, &q, &err) < 0)
		abort();
	again = assay_prediction_json(q);
	if (assay_json_dump(again, &two, &len2, &err) < 0 || len != len2 ||
	    memcmp(one, two, len) != 0)
		abort();
	regs->have[ASSAY_SHA256] = 0xffff;
	if (assay_compare(p, regs, NULL, false, &c, &err) == 0)
		assay_comparison_clear(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO(assay_prediction) *p = NULL;
	struct assay_err err;

	if (assay_json_parse((const char *)data, size, &json, &err) == 0 &&
	    assay_prediction_parse(json, &p, &err) == 0)
		check(p);
	return 0;
}
