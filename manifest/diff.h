/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two releases against each other: what changed, in words, and which PCRs each change moves. What moves is never inferred
 * from what changed: it is read off two predictions, event by event, and each event that differs is put down to the
 * changes that its source names. An event that no change accounts for is a change of its own.
 */
#ifndef ASSAY_MANIFEST_DIFF_H
#define ASSAY_MANIFEST_DIFF_H

#include "core/src.h"
#include "manifest/manifest.h"

#define ASSAY_DIFF_SCHEMA "assay.diff/1"

/* A manifest, or a disk with the same told about it: assay_facts_options.partitions, initrds unpacked. */
struct assay_diff_side {
	const struct assay_manifest *manifest; /* NULL: a disk */
	const struct assay_json *facts;	       /* assay.facts/1; NULL: a disk that nothing boots from */
	const struct assay_json *data;	       /* array of assay.data/1; NULL: not known */
	struct assay_src *disk;		       /* to look at trees and bytes; NULL for a manifest */
	struct assay_prediction *const *predictions;
	size_t n_predictions;
};

struct assay_diff_change {
	int rank;	  /* they are sorted by it: the most telling first */
	const char *kind; /* "kernel", "command line", …: of a fixed list, in docs/schemas/diff-1.json */
	char *what;	  /* "kernel of \EFI\BOOT\BOOTX64.EFI" */
	char *text;	  /* "6.12.117 -> 6.12.118" */
	char **details;	  /* "+ usr/bin/tool"; the first ASSAY_DIFF_MAX_DETAILS */
	size_t n_details, n_more;
	uint32_t *pcrs; /* for each platform that was compared: those that it moves, by bit */
};

struct assay_diff_event {
	unsigned pcr;
	const char *state; /* "changed", "added", "removed" */
	char *source, *detail;
};

/* A platform that both sides have a prediction for. */
struct assay_diff_platform {
	char *name;
	uint32_t moved;
	struct assay_diff_event *events; /* that differ, by PCR */
	size_t n_events;
};

struct assay_diff {
	struct assay_diff_change **changes; /* none: the two are the same */
	size_t n;
	struct assay_diff_platform *platforms;
	size_t n_platforms;
	char **notes; /* what was not compared, and why */
	size_t n_notes;
};

int assay_diff_make(const struct assay_diff_side sides[2], struct assay_diff **ret, struct assay_err *err) ASSAY_MUST;
void assay_diff_free(struct assay_diff **diff);
ASSAY_DEFINE_AUTO(assay_diff)

/* Member "changes", "platforms", "notes", "same" and "schema". */
struct assay_json *assay_diff_json(const struct assay_diff *diff);

#endif
