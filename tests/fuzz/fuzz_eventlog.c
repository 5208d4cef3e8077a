/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_eventlog_parse, assay_eventlog_replay, assay_eventlog_replay_rtmrs,
 * assay_event_describe, assay_event_match. Of what was parsed, everything works: a register has a
 * value or a reason, and every event has words.
 */
#include <stdlib.h>

#include "tpm/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct assay_eventlog *log, const struct assay_pcrs *pcrs,
		  struct assay_replay_reasons *reasons)
{
	const unsigned n = log->format == ASSAY_LOG_CCEL ? ASSAY_N_RTMRS : ASSAY_N_PCRS;

	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		for (unsigned i = 0; i < n; i++) {
			if (!(pcrs->have[b] & 1U << i) != !!reasons->why[b][i])
				abort();
		}
	}
	assay_replay_reasons_free(reasons);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_eventlog) *log = NULL;
	struct assay_replay_reasons reasons;
	struct assay_pcrs pcrs;

	if (assay_eventlog_parse(data, size, &log, NULL) < 0)
		return 0;
	if (log->end > size || log->n == 0)
		abort();
	if (log->format == ASSAY_LOG_CCEL) {
		if (assay_eventlog_replay(log, ASSAY_ALL_BANKS, &pcrs, &reasons, NULL) == 0 ||
		    assay_eventlog_replay_rtmrs(log, ASSAY_ALL_BANKS, &pcrs, &reasons, NULL) < 0)
			abort();
	} else if (assay_eventlog_replay(log, ASSAY_ALL_BANKS, &pcrs, &reasons, NULL) < 0) {
		abort();
	}
	check(log, &pcrs, &reasons);
	for (size_t i = 0; i < log->n; i++) {
		ASSAY_AUTO_FREE char *words = assay_event_describe(&log->events[i]);
		enum assay_event_match match;

		if (!words || assay_event_match(&log->events[i], &match, NULL) < 0)
			abort();
	}
	return 0;
}
