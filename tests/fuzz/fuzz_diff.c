/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_diff_make, assay_diff_json.
 *
 * Two JSON values, a NUL between them, as the facts of two sides: those of manifests that nobody has checked may be
 * anything. What is compared with itself is the same, and the other way round there are changes, too, or none.
 */
#include <stdlib.h>
#include <string.h>

#include "manifest/diff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t compare(const struct assay_json *a, const struct assay_json *b)
{
	const struct assay_diff_side sides[2] = { { .facts = a }, { .facts = b } };
	ASSAY_AUTO(assay_diff) *diff = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_err err;
	size_t len;

	if (assay_diff_make(sides, &diff, &err) < 0)
		abort();
	json = assay_diff_json(diff);
	if (assay_json_dump(json, &text, &len, &err) < 0)
		abort();
	return diff->n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_json) *a = NULL;
	ASSAY_AUTO(assay_json) *b = NULL;
	const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
	struct assay_err err;

	if (!nul || assay_json_parse((const char *)data, (size_t)(nul - data), &a, &err) < 0 ||
	    assay_json_parse((const char *)nul + 1, size - (size_t)(nul - data) - 1, &b, &err) < 0 ||
	    !assay_json_is_object(a) || !assay_json_is_object(b))
		return 0;
	if (compare(a, a) != 0 || (compare(a, b) == 0) != (compare(b, a) == 0))
		abort();
	return 0;
}
