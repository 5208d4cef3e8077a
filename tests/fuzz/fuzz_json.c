/* SPDX-License-Identifier: Apache-2.0 */
/* Target functions: assay_json_parse, its fast and strict ways, assay_json_dump. What is read and written, reads the same. */
#include <stdlib.h>
#include <string.h>

#include "core/json_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_json) *first = NULL;
	ASSAY_AUTO(assay_json) *second = NULL;
	ASSAY_AUTO_FREE char *a = NULL;
	ASSAY_AUTO_FREE char *b = NULL;
	struct assay_err err;
	size_t a_len, b_len;

	/* The fast way takes nothing that the strict one does not, and makes the same of it. */
	ASSAY_AUTO(assay_json) *fast = assay_json_parse_fast((const char *)data, size);
	ASSAY_AUTO(assay_json) *strict = NULL;

	if (fast && (assay_json_parse_strict((const char *)data, size, &strict, &err) < 0 || !assay_json_equal(fast, strict)))
		abort();
	if (assay_json_parse((const char *)data, size, &first, &err) < 0)
		return 0;
	if (assay_json_dump(first, &a, &a_len, &err) < 0 ||
	    assay_json_parse(a, a_len, &second, &err) < 0 ||
	    assay_json_dump(second, &b, &b_len, &err) < 0)
		abort();
	if (a_len != b_len || memcmp(a, b, a_len) != 0)
		abort();
	return 0;
}
