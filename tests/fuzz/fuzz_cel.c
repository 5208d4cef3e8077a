/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_cel_parse, assay_runtime_parse, assay_runtime_describe, assay_json_parse_reals. The input is a
 * runtime log, and an event's text.
 */
#include <stdlib.h>
#include <string.h>

#include "tpm/cel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is said of it is one line, and what the strict parser takes is the same to the other. */
static void look(const struct assay_runtime_event *ev)
{
	ASSAY_AUTO(assay_json) *content = NULL;
	ASSAY_AUTO(assay_json) *strict = NULL;
	ASSAY_AUTO(assay_json) *loose = NULL;
	ASSAY_AUTO_FREE char *words = assay_runtime_describe(ev);
	enum assay_runtime_kind kind;
	struct assay_err err;

	if (!words)
		abort();
	for (const char *p = words; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			abort();
	if (assay_runtime_parse(ev, &kind, &content, &err) == 0 &&
	    (kind >= ASSAY_N_RUNTIME_KINDS || (content != NULL) != (ev->carrier == ASSAY_CARRY_EVENT)))
		abort();
	if (assay_json_parse(ev->text, ev->len, &strict, &err) == 0 &&
	    (assay_json_parse_reals(ev->text, ev->len, &loose, &err) < 0 || !assay_json_equal(strict, loose)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO(assay_json) *again = NULL;
	ASSAY_AUTO(assay_cel) *cel = NULL;
	ASSAY_AUTO(assay_cel) *back = NULL;
	struct assay_pcrs pcrs;
	struct assay_err err;

	for (unsigned c = 0; c < ASSAY_N_CARRIERS; c++)
		look(&(struct assay_runtime_event){ (enum assay_carrier)c, (const char *)data, size });
	if (assay_json_parse((const char *)data, size, &json, &err) < 0 || assay_cel_parse(json, &cel, &err) < 0)
		return 0;
	for (size_t i = 0; i < cel->n; i++)
		look(&cel->records[i].event);
	again = assay_cel_json(cel);
	if (assay_cel_parse(again, &back, &err) < 0 || back->n != cel->n)
		abort();
	assay_pcrs_reset(&pcrs, cel->banks);
	if (assay_cel_replay(cel, cel->n, &pcrs, &err) < 0)
		abort();
	return 0;
}
