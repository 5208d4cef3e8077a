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

/* What it is about. The names of those that AICert has are AICert's event types. */
enum assay_runtime_kind {
	ASSAY_RUN_DISK,		 /* root_hash	application disk */
	ASSAY_RUN_SENTINEL,	 /* sentinel */
	ASSAY_RUN_TLS,		 /* certificate	the one that the machine serves with */
	ASSAY_RUN_REQUEST,	 /* "build_request"	what a job was asked to do */
	ASSAY_RUN_CONTAINER,	 /* "input_image" */
	ASSAY_RUN_CODE,		 /* "server_code"	a tree of files */
	ASSAY_RUN_WEIGHTS_FILE,	 /* "weights_file" */
	ASSAY_RUN_WEIGHTS_TREE,	 /* "weights_tree" */
	ASSAY_RUN_INPUT,	 /* "input_resource" */
	ASSAY_RUN_CONFIGURATION, /* "configuration"; AICert's "axolotl_configuration" is read as one */
	ASSAY_RUN_OUTPUTS,	 /* "outputs" */
	ASSAY_RUN_TIMING,	 /* "timing" */
	ASSAY_RUN_COMPUTE,	 /* "compute_consumed" */
	ASSAY_N_RUNTIME_KINDS
};
const char *assay_runtime_kind_name(enum assay_runtime_kind kind); /* "weights_tree", "disk", "sentinel", "tls" */
bool assay_runtime_kind_from_name(const char *name, enum assay_runtime_kind *ret);
/* In a PCR plan (attest/config.h): "disk", "weights" for both kinds of them, "output", "compute", … */
const char *assay_runtime_plan_name(enum assay_runtime_kind kind);
/* How events of this kind are carried. */
enum assay_carrier assay_runtime_carrier(enum assay_runtime_kind kind);

/* One event: `text` is what is carried (root hash: lower-case hex; sentinel: ""). */
struct assay_runtime_event {
	enum assay_carrier carrier;
	const char *text;
	size_t len;
};

/* What is extended, in each bank of the mask. ASSAY_E_CORRUPT: a root hash that is none, or all zeros; a sentinel with text. */
int assay_runtime_digests(const struct assay_runtime_event *ev, unsigned banks, struct assay_digests *ret,
			  struct assay_err *err) ASSAY_MUST;

/*
 * What it says, checked against the kind's shape (docs/PROOF.md has them): members that are missing, of another kind or
 * not known are ASSAY_E_CORRUPT; an event type that is not known is ASSAY_E_UNSUPPORTED, with its name. *ret_content: the
 * "content" of an "event", NULL for the other carriers; reals, and integers past 64 bits, come in it as strings of their
 * text. Both ret_ may be NULL.
 */
int assay_runtime_parse(const struct assay_runtime_event *ev, enum assay_runtime_kind *ret_kind,
			struct assay_json **ret_content, struct assay_err *err) ASSAY_MUST;

/*
 * A digest in an event's content: "sha256:<hex>", "sha1:<hex>" (a Git commit), and as AICert writes them: bare hex of
 * SHA-256, and sha1:b'<hex>\n' with these very characters. ret_hex: the hex alone.
 */
bool assay_runtime_hash(const char *text, enum assay_bank *ret_bank, char ret_hex[ASSAY_HEX_MAX]);

/*
 * The JSON text of an event that has this kind and content, on one line; fresh. Checked as assay_runtime_parse() does.
 * For kinds that are carried as "event" alone: ASSAY_E_USAGE else. `content` stays the caller's.
 */
int assay_runtime_text(enum assay_runtime_kind kind, const struct assay_json *content, char **ret, struct assay_err *err) ASSAY_MUST;

/* The event in words, one line, safe on a terminal: "container @local/caddy:1 is sha256:d355…". Fresh; NULL: no memory. */
char *assay_runtime_describe(const struct assay_runtime_event *ev);

#endif
