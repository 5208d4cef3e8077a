/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_platform_learn. The boot application is whatever the log's first
 * application in PCR 4 is; what is learned is written, and reads again.
 */
#include <stdlib.h>
#include <string.h>

#include "precompute/learn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct assay_digests *first_app(const struct assay_eventlog *log)
{
	for (size_t i = 0; i < log->n; i++)
		if (log->events[i].pcr == 4 &&
		    log->events[i].type == EV_EFI_BOOT_SERVICES_APPLICATION)
			return &log->events[i].digests;
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_eventlog) *log = NULL;
	ASSAY_AUTO(assay_platform) *p = NULL;
	ASSAY_AUTO(assay_platform) *again = NULL;
	ASSAY_AUTO(assay_out) *out = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_err err;
	size_t len;

	if (assay_eventlog_parse(data, size, &log, &err) < 0 || !first_app(log) ||
	    assay_platform_learn(log, first_app(log), "fuzz", "x86-64", NULL, &p, &err) < 0)
		return 0;
	if (assay_out_memory(&out, &err) < 0 || assay_platform_write(p, out, &err) < 0 ||
	    assay_out_steal(out, &text, &len, &err) < 0)
		abort();
	/* A log of millions of bytes may make a profile past the ceiling of YAML files; nothing
	 * else. */
	if (assay_platform_parse(text, len, &again, &err) < 0 && err.code != ASSAY_E_LIMIT)
		abort();
	return 0;
}
