/* SPDX-License-Identifier: Apache-2.0 */
/* Target functions: assay_cbor_parse, assay_cbor_write. There is one form: what is read, written again, is the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "core/cbor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_cbor) *node = NULL;
	ASSAY_AUTO_FREE uint8_t *out = NULL;
	struct assay_err err;
	size_t len;

	if (assay_cbor_parse(data, size, &node, &err) < 0)
		return 0;
	if (assay_cbor_write(node, &out, &len, &err) < 0 || len != size || memcmp(out, data, len) != 0)
		abort();
	return 0;
}
