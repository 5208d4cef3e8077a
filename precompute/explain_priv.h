/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that look for causes share. */
#ifndef ASSAY_PRECOMPUTE_EXPLAIN_PRIV_H
#define ASSAY_PRECOMPUTE_EXPLAIN_PRIV_H

#include "core/text.h"
#include "precompute/explain.h"
#include "tpm/event.h"

struct assay_explainer {
	const struct assay_explain_input *in;
	struct assay_explanation *e;
	enum assay_bank bank; /* digests are told in this one */
	const char *made_for; /* the platform's name */
	uint32_t untrusted;   /* bit i: the log does not lead to PCR i's register, though it has to */
	bool rest;	      /* the rules are through: what nobody claimed is told as it is */
	/* What has been found so far. */
	bool other_firmware;  /* and not the same one with other memory or CPUs */
	bool other_device;    /* an option ROM or a boot option more, or fewer */
	bool secure_boot_set; /* Secure Boot went on or off */
	bool other_program;   /* boot loader, UKI or kernel */
	bool other_uki;
	bool addon;			  /* beside the UKI, more or fewer */
	bool other_cmdline, other_initrd; /* and it has been said why */
	struct assay_err *err;
};

/* The rules, in this order. Each claims the rows that it explains; what nobody claims becomes a cause of its own. */
int assay_explain_platform(struct assay_explainer *x) ASSAY_MUST;
int assay_explain_image(struct assay_explainer *x) ASSAY_MUST;

/* --- what they share ---------------------------------------------------------------------------- */

/*
 * A cause at a row (NULL: at the PCR as a whole), "PCR 4, event 3: " and the words; it claims the row. Words of NULL
 * count as out of memory; they are taken over.
 */
int assay_explain_add(struct assay_explainer *x, enum assay_cause_kind kind, bool follows, unsigned pcr,
		      const struct assay_row *row, char *words) ASSAY_MUST;
/* Claims one more row for the cause that was added last. */
void assay_explain_claim(struct assay_explainer *x, unsigned pcr, const struct assay_row *row);

/*
 * The next row of a PCR from *at on that is not the same and that no cause has; NULL: no more. Moves *at past it. Rules
 * see nothing of a PCR with more events than ASSAY_EXPLAIN_MAX_EVENTS.
 */
const struct assay_row *assay_explain_next(const struct assay_explainer *x, unsigned pcr, size_t *at);
/* How many of them there are. */
size_t assay_explain_open(const struct assay_explainer *x, unsigned pcr);

/* The event's kind, of whichever side there is. */
uint32_t assay_row_type(const struct assay_row *row);
/* "0a1b2c3d4e5f6071…" of either side; "-" where there is none. Into dst, of ASSAY_SHORT_HEX bytes. */
#define ASSAY_SHORT_HEX 24
const char *assay_row_short(const struct assay_explainer *x, const struct assay_row *row, bool real, char *dst);
/* What was predicted, in words, or ""; borrowed. */
const char *assay_row_detail(const struct assay_row *row);

/* explain_gpt.c: how the partition table of an event differs from the one in the facts. Fresh memory. */
char *assay_explain_gpt(const struct assay_explainer *x, const struct assay_row *row);

/* explain_config.c: PCR 1 and the machine's memory. */
int assay_explain_boot_options(struct assay_explainer *x) ASSAY_MUST;
int assay_explain_acpi(struct assay_explainer *x) ASSAY_MUST;
/*
 * "more memory than the profile's machine (-m 1024), for programs were loaded up to 0x7dd18000"; "" when it cannot be
 * told. Fresh memory.
 */
char *assay_explain_memory(const struct assay_explainer *x);
/* What stands behind "variable NAME (GUID): "; all of it where there is no such thing. */
const char *assay_explain_value(const char *words);
bool assay_explain_is_variable(const char *words, const char *name);

/* Boot options that were tried in vain (PCR 4): how many more than predicted; negative: fewer. */
int assay_explain_tries(const struct assay_explainer *x);
void assay_explain_claim_actions(struct assay_explainer *x);
bool assay_row_is_action(const struct assay_row *row, const char *text);

/* explain_handed.c: loader.conf, what lies beside a UKI, what the kernel was handed, who vouched, and the exit. */
int assay_explain_loader_conf(struct assay_explainer *x) ASSAY_MUST;
int assay_explain_handed(struct assay_explainer *x) ASSAY_MUST;

#endif
