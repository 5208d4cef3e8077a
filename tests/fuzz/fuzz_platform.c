/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_platform_parse, assay_platform_write, assay_platform_variable. A profile
 * that is read is written, reads the same again, and is then written to the very same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "precompute/platform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_event(const struct assay_platform_event *a, const struct assay_platform_event *b)
{
	if (a->slot != b->slot || a->tries != b->tries || a->pcr != b->pcr || a->type != b->type ||
	    a->n_values != b->n_values || a->data_len != b->data_len)
		return false;
	for (size_t i = 0; i < a->n_values; i++)
		if (!assay_digests_equal(&a->values[i].digests, &b->values[i].digests))
			return false;
	return a->data_len == 0 || memcmp(a->data, b->data, a->data_len) == 0;
}

static bool same(const struct assay_platform *a, const struct assay_platform *b)
{
	if (a->n != b->n || a->banks != b->banks || a->locality != b->locality ||
	    a->hcrtm != b->hcrtm || a->secure_boot != b->secure_boot)
		return false;
	for (unsigned i = 0; i < ASSAY_N_PCRS; i++)
		if (!a->unknown[i] != !b->unknown[i])
			return false;
	for (size_t i = 0; i < a->n; i++)
		if (!same_event(&a->events[i], &b->events[i]))
			return false;
	return true;
}

static char *write_text(const struct assay_platform *p, size_t *len)
{
	ASSAY_AUTO(assay_out) *out = NULL;
	struct assay_err err;
	char *text;

	if (assay_out_memory(&out, &err) < 0 || assay_platform_write(p, out, &err) < 0 ||
	    assay_out_steal(out, &text, len, &err) < 0)
		abort();
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_platform) *first = NULL;
	ASSAY_AUTO(assay_platform) *second = NULL;
	ASSAY_AUTO_FREE char *text = NULL, *again = NULL;
	struct assay_event_variable var;
	struct assay_err err;
	size_t len, again_len;

	if (assay_platform_parse((const char *)data, size, &first, &err) < 0)
		return 0;
	(void)assay_platform_variable(first, "db", &var);
	text = write_text(first, &len);
	if (assay_platform_parse(text, len, &second, &err) < 0 || !same(first, second))
		abort();
	again = write_text(second, &again_len);
	if (again_len != len || memcmp(text, again, len) != 0)
		abort();
	return 0;
}
