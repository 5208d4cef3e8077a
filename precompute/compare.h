/* SPDX-License-Identifier: Apache-2.0 */
/* A prediction against the registers of a machine, cell by cell, and against its event log. */
#ifndef ASSAY_PRECOMPUTE_COMPARE_H
#define ASSAY_PRECOMPUTE_COMPARE_H

#include "precompute/prediction.h"
#include "tpm/eventlog.h"

enum assay_cell_verdict {
	ASSAY_CELL_EQUAL,
	ASSAY_CELL_DIFFERENT,
	ASSAY_CELL_NOT_GIVEN,	  /* predicted, but the machine's values do not have it */
	ASSAY_CELL_NOT_PREDICTED, /* the prediction has no value, and says why */
};

struct assay_cell {
	enum assay_bank bank;
	unsigned pcr;
	enum assay_cell_verdict verdict;
	const uint8_t *expected; /* the first accepted value; NULL when there is none */
	size_t n_expected;
	const uint8_t *actual;	/* NULL when not given */
	const char *remark;	/* borrowed from prediction or comparison; may be NULL */
};

struct assay_comparison {
	struct assay_cell *cells; /* bank by bank, PCRs ascending */
	size_t n;
	size_t equal, different, not_given, not_predicted;
	char **remarks; /* owned texts */
	size_t n_remarks;
};

/*
 * `phase`: which value of PCR 11 is expected; NULL: the one at kernel hand-over. ASSAY_E_NOTFOUND when the prediction has
 * no such phase. `from_log`: the registers were replayed from a firmware log, which PCR 10 is not in.
 */
int assay_compare(const struct assay_prediction *p, const struct assay_pcrs *actual,
		  const char *phase, bool from_log, struct assay_comparison *ret,
		  struct assay_err *err) ASSAY_MUST;
void assay_comparison_clear(struct assay_comparison *c);

/*
 * The first event of a PCR in which prediction and log part, in words; fresh memory. NULL in *ret when they do not.
 */
int assay_compare_events(const struct assay_prediction *p, const struct assay_eventlog *log,
			 unsigned pcr, enum assay_bank bank, char **ret,
			 struct assay_err *err) ASSAY_MUST;

#endif
