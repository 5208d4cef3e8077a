/* SPDX-License-Identifier: Apache-2.0 */
/* Target functions: assay_yaml_parse, assay_yaml_write. What is read and written, reads the same.
 */
#include <stdlib.h>
#include <string.h>

#include "core/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const struct assay_yaml *a, const struct assay_yaml *b)
{
	if (a->kind != b->kind || a->n != b->n || !a->key != !b->key ||
	    (a->key && strcmp(a->key, b->key) != 0) ||
	    (a->kind == ASSAY_YAML_SCALAR && strcmp(a->scalar, b->scalar) != 0))
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!same(a->items[i], b->items[i]))
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_yaml) *first = NULL;
	ASSAY_AUTO(assay_yaml) *second = NULL;
	ASSAY_AUTO(assay_out) *out = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_err err;
	size_t len;

	if (assay_yaml_parse((const char *)data, size, &first, &err) < 0)
		return 0;
	if (assay_out_memory(&out, &err) < 0)
		abort();
	assay_yaml_write(first, out);
	if (assay_out_steal(out, &text, &len, &err) < 0 ||
	    assay_yaml_parse(text, len, &second, &err) < 0 || !same(first, second))
		abort();
	return 0;
}
