/* SPDX-License-Identifier: Apache-2.0 */
/* Target functions: assay_envelope_read, assay_envelope_json, assay_envelope_pae. What is written reads the same. */
#include <stdlib.h>
#include <string.h>

#include "manifest/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_envelope) *env = NULL, *again = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO_FREE uint8_t *a = NULL, *b = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_err err;
	size_t a_len, b_len, len;

	if (assay_envelope_read((const char *)data, size, &env, &err) < 0)
		return 0;
	json = assay_envelope_json(env);
	if (assay_envelope_pae(env, &a, &a_len, &err) < 0 || assay_json_dump(json, &text, &len, &err) < 0 ||
	    assay_envelope_read(text, len, &again, &err) < 0 || assay_envelope_pae(again, &b, &b_len, &err) < 0)
		abort();
	if (a_len != b_len || memcmp(a, b, a_len) != 0 || env->n_sigs != again->n_sigs || again->unknown)
		abort();
	return 0;
}
