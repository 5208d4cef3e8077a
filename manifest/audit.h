/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The auditor: a manifest is made again from the disk, and each of its claims is held against what came out. Signatures
 * are no matter of this.
 */
#ifndef ASSAY_MANIFEST_AUDIT_H
#define ASSAY_MANIFEST_AUDIT_H

#include "manifest/manifest.h"

enum assay_claim_state {
	ASSAY_CLAIM_AGREES,
	ASSAY_CLAIM_DECLARED,	    /* what the signer says of itself, and no disk can show */
	ASSAY_CLAIM_NOT_RECOMPUTED, /* what it depends on was not given, or could not be read */
	ASSAY_CLAIM_DIFFERS,
	ASSAY_N_CLAIM_STATES,
};
const char *assay_claim_state_name(enum assay_claim_state state); /* "agrees", "not recomputed", … */

/* A value of the statement, or several that belong together and are in the same state. */
struct assay_claim {
	enum assay_claim_state state;
	char *path; /* "predicate.predictions[1].banks.sha256.4" */
	char *what; /* "predictions[q35-ovmf-2025.02] PCR 4 sha256"; text out of the manifest is in it as it stands there */
	char *why;  /* or NULL */
	size_t values; /* strings, numbers and booleans that it is about */
	/*
	 * What the manifest says and what was recomputed, borrowed from the two statements; NULL: it has no such member. Both
	 * NULL: the claim is about several values.
	 */
	const struct assay_json *manifest, *recomputed;
};

struct assay_audit {
	struct assay_json *recomputed; /* the statement as far as it could be made; the rest is the manifest's own */
	struct assay_claim *claims;    /* in the order of the states above, and in each in the order of the statement */
	size_t n;
	size_t count[ASSAY_N_CLAIM_STATES];
	/* For each data disk of the input, the index in the manifest's list that it was taken for. */
	size_t *data_index;
};
void assay_audit_free(struct assay_audit **audit);
ASSAY_DEFINE_AUTO(assay_audit)

/* What the auditor knows of the release; NULL, 0 and -1: nothing, and these members stay declared. */
struct assay_audit_expect {
	const char *name;
	uint64_t release;
	int64_t not_before, expires;
};

struct assay_audit_input {
	const struct assay_manifest *manifest;
	struct assay_src *disk;
	const struct assay_manifest_data *data; /* in any order; their names are used when no digest is the manifest's */
	size_t n_data;
	struct assay_platform *const *platforms; /* each name once */
	size_t n_platforms;
	struct assay_audit_expect expect;
};

/*
 * Names, options, validity are taken from the manifest, whatever the files are called. A broken link of a chain, bytes
 * that cannot be read, a platform or data disk that was not given: all become claims. -1 when memory or a read fails.
 * The manifest is to outlive *ret.
 */
int assay_audit_run(const struct assay_audit_input *in, struct assay_audit **ret, struct assay_err *err) ASSAY_MUST;

#endif
