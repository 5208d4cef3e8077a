/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is measured after the boot: kinds of events, what of each is hashed, and what it says (docs/PROOF.md). The guest
 * writes them, the client reads them; both have the rules from here.
 *
 * An event carries exactly the bytes that were measured, so that whoever has the log can compute its digest:
 *
 *   "event"        a JSON text {"event_type": …, "content": …}; extended is its digest in each bank
 *   "certificate"  a certificate as PEM text; extended is the text's digest in each bank
 *   "root_hash"    the root hash of dm-verity; extended is it itself in the banks of its size, its digest in the others
 *   "sentinel"     ends the set-up; extended are zeros
 */
#ifndef ASSAY_TPM_RUNTIME_H
#define ASSAY_TPM_RUNTIME_H

#include "core/digest.h"
#include "core/json.h"

/* How an event is carried; the name is the one member of the record's content. */
enum assay_carrier { ASSAY_CARRY_EVENT, ASSAY_CARRY_CERTIFICATE, ASSAY_CARRY_ROOT_HASH, ASSAY_CARRY_SENTINEL, ASSAY_N_CARRIERS };
const char *assay_carrier_name(enum assay_carrier carrier); /* "root_hash" */
bool assay_carrier_from_name(const char *name, enum assay_carrier *ret);

/*
 * What it is about. The names of those that AICert has are AICert's event types; `plan` names in a PCR plan (attest/config.h)
 * and in documents are in the second column.
 */
enum assay_runtime_kind {
	ASSAY_RUN_DISK,		 /* root_hash	disk		application disk */
	ASSAY_RUN_SENTINEL,	 /* sentinel	sentinel */
	ASSAY_RUN_TLS,		 /* certificate	tls		the certificate that the machine serves with */
	ASSAY_RUN_REQUEST,	 /* "build_request"	request	what a job was asked to do */
	ASSAY_RUN_CONTAINER,	 /* "input_image"	container */
	ASSAY_RUN_CODE,		 /* "server_code"	code	a tree of files */
	ASSAY_RUN_WEIGHTS_FILE,	 /* "weights_file"	weights */
	ASSAY_RUN_WEIGHTS_TREE,	 /* "weights_tree"	weights */
	ASSAY_RUN_INPUT,	 /* "input_resource"	input */
	ASSAY_RUN_CONFIGURATION, /* "configuration"; AICert's "axolotl_configuration" is read as one	configuration */
	ASSAY_RUN_OUTPUTS,	 /* "outputs"		output */
	ASSAY_RUN_TIMING,	 /* "timing"		timing */
	ASSAY_RUN_COMPUTE,	 /* "compute_consumed"	compute */
	ASSAY_N_RUNTIME_KINDS
};
const char *assay_runtime_kind_name(enum assay_runtime_kind kind); /* "weights_tree", "disk", "sentinel", "tls" */
bool assay_runtime_kind_from_name(const char *name, enum assay_runtime_kind *ret);

/* One event: `text` is what is carried (root hash: lower-case hex; sentinel: ""). */
struct assay_runtime_event {
	enum assay_carrier carrier;
	const char *text;
	size_t len;
};

/* What is extended, in each bank of the mask. ASSAY_E_CORRUPT: a root hash that is none, or all zeros. */
int assay_runtime_digests(const struct assay_runtime_event *ev, unsigned banks, struct assay_digests *ret,
			  struct assay_err *err) ASSAY_MUST;

/*
 * What it says, checked against the kind's shape (docs/PROOF.md has them): members that are missing, of another kind or
 * not known are ASSAY_E_CORRUPT; an event type that is not known is ASSAY_E_UNSUPPORTED, with its name. *ret_content: the
 * "content" of an "event", NULL for the other carriers; reals in it come as strings of their text.
 */
int assay_runtime_parse(const struct assay_runtime_event *ev, enum assay_runtime_kind *ret_kind,
			struct assay_json **ret_content, struct assay_err *err) ASSAY_MUST;

/* The event in words, one line, safe on a terminal: "container @local/caddy:1 is sha256:d355…". Fresh; NULL: no memory. */
char *assay_runtime_describe(const struct assay_runtime_event *ev);

#endif
