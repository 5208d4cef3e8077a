/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of `assay-agent measure`. */
#ifndef ASSAY_CLI_AGENT_PRIV_H
#define ASSAY_CLI_AGENT_PRIV_H

#include "cli/agent.h"

/* Events that one call measures, in order. Sticky: out of memory comes out of assay_measured_events(). */
struct assay_events {
	struct assay_event_item {
		enum assay_runtime_kind kind;
		char *text;
	} *items;
	size_t n, cap;
	bool no_memory;
};
void assay_events_clear(struct assay_events *events);
/* Hands the text over; NULL counts as out of memory. */
void assay_events_add(struct assay_events *events, enum assay_runtime_kind kind, char *text);
/* The same of a content that becomes an event's text; the content is handed over. */
int assay_events_add_content(struct assay_events *events, enum assay_runtime_kind kind, struct assay_json *content,
			     struct assay_err *err) ASSAY_MUST;
/* Opens configuration, TPM and log, measures them all, and says each in words. Returns an exit code. */
int assay_events_measure(struct assay_events *events, const char *config);

#endif
