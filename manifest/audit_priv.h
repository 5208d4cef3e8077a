/* SPDX-License-Identifier: Apache-2.0 */
/* Between making the statement again and comparing it. */
#ifndef ASSAY_MANIFEST_AUDIT_PRIV_H
#define ASSAY_MANIFEST_AUDIT_PRIV_H

#include "manifest/audit.h"

/*
 * Parts of the recomputed statement that are the manifest's own, by path. The last that a path lies below counts; one
 * without `why` was recomputed after all.
 */
struct assay_audit_hole {
	char *path;
	char *why;
};
struct assay_audit_holes {
	struct assay_audit_hole *h;
	size_t n;
};
/* why is copied, path handed over (NULL counts as out of memory). */
int assay_audit_holes_add(struct assay_audit_holes *holes, char *path, const char *why,
			  struct assay_err *err) ASSAY_MUST;
void assay_audit_holes_clear(struct assay_audit_holes *holes);

/* What is at work: the statement grows from the disk upwards. */
struct assay_audit_work {
	const struct assay_audit_input *in;
	const struct assay_manifest *m;
	struct assay_audit *audit;
	struct assay_audit_holes holes;
	struct assay_precompute_options options; /* those of the manifest */
	struct assay_image *image;		 /* NULL: it cannot be opened */
	struct assay_links *links;
	struct assay_json *predicate; /* being made */
	char *no_facts;		      /* why there are none of the OS disk; NULL: there are */
};

#define ASSAY_AUDIT_NONE SIZE_MAX
/* What the statement calls its OS disk (ASSAY_AUDIT_NONE), or a data disk; never NULL. */
const char *assay_audit_disk_name(const struct assay_manifest *m, size_t data);
/* Once the statement is made: holes for its elements that follow from holes. */
int assay_audit_follow(struct assay_audit_work *w, struct assay_err *err) ASSAY_MUST;

/* Texts are handed over; a path or what of NULL counts as out of memory. */
int assay_audit_claim(struct assay_audit *audit, struct assay_claim claim, struct assay_err *err) ASSAY_MUST;

/* Adds a claim for all there is in the manifest's statement and in audit->recomputed. */
int assay_audit_compare(const struct assay_json *statement, const struct assay_audit_holes *holes,
			const struct assay_audit_expect *expect, struct assay_audit *audit,
			struct assay_err *err) ASSAY_MUST;

#endif
