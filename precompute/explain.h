/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A prediction against a real machine's event log: per PCR the events of both beside each other, and above them what
 * made them differ. Of what differs, some is the cause of the rest: another command line is a section of the UKI
 * (PCR 11), with it another UKI (PCR 4), and in the end what the kernel was handed (PCR 9). Causes are named in the
 * order of the boot, the platform before the image; what follows from them is said to.
 */
#ifndef ASSAY_PRECOMPUTE_EXPLAIN_H
#define ASSAY_PRECOMPUTE_EXPLAIN_H

#include "precompute/align.h"
#include "precompute/compare.h"

struct assay_explain_input {
	const struct assay_prediction *prediction;
	const struct assay_json *facts; /* assay.facts/1 of the predicted disk; NULL: not at hand */
	const struct assay_eventlog *log;
	const struct assay_pcrs *pcrs; /* the machine's registers; NULL: those that the log leads to */
	const char *phase;	       /* of PCR 11 in `pcrs`; NULL: at the kernel's start */
};

enum assay_cause_kind {
	ASSAY_CAUSE_LOG, /* the log is not of this boot, or was changed */
	ASSAY_CAUSE_FIRMWARE,
	ASSAY_CAUSE_SECURE_BOOT,
	ASSAY_CAUSE_OPTION_ROM,
	ASSAY_CAUSE_BOOT_OPTION,
	ASSAY_CAUSE_CONFIGURATION, /* tables, settings: what firmware measures of the machine */
	ASSAY_CAUSE_BOOT_ATTEMPT,
	ASSAY_CAUSE_PARTITION_TABLE,
	ASSAY_CAUSE_BOOT_LOADER,
	ASSAY_CAUSE_UKI,
	ASSAY_CAUSE_KERNEL,
	ASSAY_CAUSE_LOADER_CONF,
	ASSAY_CAUSE_CMDLINE,
	ASSAY_CAUSE_INITRD,
	ASSAY_CAUSE_SIDECAR, /* credentials, extensions */
	ASSAY_CAUSE_PHASE,
	ASSAY_CAUSE_RUNTIME, /* measured after the firmware's log ended */
	ASSAY_CAUSE_OTHER,   /* nothing more is known than the event itself */
};
const char *assay_cause_name(enum assay_cause_kind kind); /* "partition-table" */

struct assay_cause {
	enum assay_cause_kind kind;
	unsigned pcr;
	size_t event; /* its number in the PCR, in the log or else in the prediction, from 1; 0: none */
	bool follows; /* from another cause */
	char *words;  /* one line, with the PCR and event in front */
};

enum assay_explained_verdict {
	ASSAY_EXPLAINED_AGREES,
	ASSAY_EXPLAINED_DIFFERS,
	ASSAY_EXPLAINED_NOT_PREDICTED,
	ASSAY_EXPLAINED_NOT_COMPARED, /* neither registers nor log tell */
};
const char *assay_explained_name(enum assay_explained_verdict verdict);

struct assay_explained_pcr {
	enum assay_explained_verdict verdict;
	struct assay_alignment events;
	size_t *causes;	    /* per row: 1 + index of its cause; 0: none (it is the same, or the PCR is not predicted) */
	bool log_disagrees; /* the log does not lead to the register that is given */
	char *note;	    /* why there is no verdict, or what else is known; or NULL */
};

struct assay_explanation {
	struct assay_cause *causes; /* causes before what follows from them; each in the order of the boot */
	size_t n_causes;
	struct assay_explained_pcr pcr[ASSAY_PREDICTED_PCRS];
	struct assay_comparison cells; /* the registers, bank by bank */
	bool from_log;		       /* they are those that the log leads to */
	bool differs;		       /* a cell does, or the log disagrees with a register */
};

/*
 * ASSAY_E_NOTFOUND when there is nothing to compare: no PCR of a predicted bank. The result points into prediction and
 * log, which have to outlive it.
 */
int assay_explain(const struct assay_explain_input *in, struct assay_explanation **ret,
		  struct assay_err *err) ASSAY_MUST;
void assay_explanation_free(struct assay_explanation **e);
ASSAY_DEFINE_AUTO(assay_explanation)

/* The registers that a log leads to when nothing comes behind it; what no event extends is at its reset value. */
int assay_explain_replay(const struct assay_eventlog *log, unsigned banks, struct assay_pcrs *ret,
			 struct assay_err *err) ASSAY_MUST;

#endif
