/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events of one PCR that were predicted beside those that a log has: which are the same, which changed, which are
 * only here or only there. One event more or less does not make all that follow it differ.
 */
#ifndef ASSAY_PRECOMPUTE_ALIGN_H
#define ASSAY_PRECOMPUTE_ALIGN_H

#include "precompute/prediction.h"
#include "tpm/eventlog.h"

enum assay_row_kind {
	ASSAY_ROW_SAME,
	ASSAY_ROW_CHANGED, /* one that stands for the other, with another digest */
	ASSAY_ROW_ONLY_PREDICTED,
	ASSAY_ROW_ONLY_LOGGED,
};

struct assay_row {
	enum assay_row_kind kind;
	const struct assay_pred_event *pred; /* NULL in ONLY_LOGGED */
	const struct assay_event *real;	     /* NULL in ONLY_PREDICTED */
	size_t n_pred, n_real;		     /* numbers among the PCR's events, from 1; 0 where there is none */
	/* Where it stands in the log: its event's index there; that of the PCR's next one (or log->n) where it has
	 * none. */
	size_t at;
};

struct assay_alignment {
	struct assay_row *rows; /* in the order of both */
	size_t n;
	size_t differing; /* rows that are not SAME */
	bool by_place;	  /* too many events: those between the equal ends are paired one by one */
};

/*
 * Least number of changes, where a change between events of one kind and name is better than one between those of one
 * kind alone, and events of two kinds never stand for each other. `banks`: in which digests are compared; an event with
 * a digest in none of them equals nothing. EV_NO_ACTION is passed over, as no PCR is extended by it.
 */
int assay_align(const struct assay_prediction *p, const struct assay_eventlog *log, unsigned pcr, unsigned banks,
		struct assay_alignment *ret, struct assay_err *err) ASSAY_MUST;
void assay_alignment_clear(struct assay_alignment *a);

/*
 * What an event is called, so that two can be told to be about the same thing: "variable BootOrder (EFI global)",
 * ".cmdline", "\EFI\BOOT\BOOTX64.EFI". Fresh memory; NULL only when out of memory.
 */
char *assay_align_name_predicted(const struct assay_pred_event *ev);
char *assay_align_name_logged(const struct assay_event *ev);

/*
 * A row that is not the same, in words: both sides with their digests in this bank; with "event 3" in front, and
 * without. Fresh memory; NULL only when out of memory.
 */
char *assay_row_words(const struct assay_row *row, enum assay_bank bank);
char *assay_row_change(const struct assay_row *row, enum assay_bank bank);

#endif
