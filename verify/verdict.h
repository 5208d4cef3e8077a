/* SPDX-License-Identifier: Apache-2.0 */
/* What came out of checking a proof: what was found on the way, and each reason to refuse it. */
#ifndef ASSAY_VERIFY_VERDICT_H
#define ASSAY_VERIFY_VERDICT_H

#include "precompute/explain.h"
#include "tpm/eventlog.h"
#include "verify/chain.h"
#include "verify/proof.h"

/* Why a proof is refused. Names are for programs and stay; new ones go to the end. docs/VERIFY.md lists them. */
enum assay_proof_refusal {
	ASSAY_PROOF_GOOD = 0,
	/* the file */
	ASSAY_PROOF_MALFORMED,	  /* members are missing, unknown or of another kind */
	ASSAY_PROOF_UNKNOWN,	  /* JSON of another kind */
	/* 1: the attestation key */
	ASSAY_PROOF_NO_CERTIFICATE,
	ASSAY_PROOF_BAD_CERTIFICATE,
	ASSAY_PROOF_UNTRUSTED,	  /* its certificate leads to no anchor */
	ASSAY_PROOF_CERT_TIME,	  /* a certificate is expired, or not valid yet */
	ASSAY_PROOF_CERT_USAGE,
	ASSAY_PROOF_CERT_EXTRA,	  /* a certificate leads nowhere */
	ASSAY_PROOF_KEY_MISMATCH, /* ak.public is another key */
	ASSAY_PROOF_KEY_KIND,	  /* it is no restricted signing key of a TPM */
	/* 2: the quote */
	ASSAY_PROOF_WEAK,	  /* a digest below SHA-256, an RSA key below 2048 bits */
	ASSAY_PROOF_SIGNATURE,
	ASSAY_PROOF_NO_QUOTE,	  /* what is signed is no quote */
	ASSAY_PROOF_NONCE,	  /* not the nonce that was asked with */
	ASSAY_PROOF_BINDING,	  /* extraData is not that of nonce and TLS certificate */
	/* 3: the hashed values */
	ASSAY_PROOF_EMPTY,	  /* no PCR is signed */
	ASSAY_PROOF_NOT_SIGNED,	  /* a value outside of what is signed */
	ASSAY_PROOF_NOT_GIVEN,	  /* a signed PCR without a value */
	ASSAY_PROOF_DIGEST,	  /* they are not those that were signed */
	/* the boot */
	ASSAY_PROOF_MANIFEST,	  /* the manifest itself is refused */
	ASSAY_PROOF_BANK,	  /* a PCR is in no bank of SHA-256 or stronger that is signed and predicted */
	ASSAY_PROOF_PCR,	  /* another value than predicted */
	ASSAY_PROOF_NOT_PREDICTED,
	ASSAY_PROOF_TCG_LOG,	  /* the firmware's log does not lead to the values */
	ASSAY_PROOF_HINT,	  /* the machine says that it is for another manifest */
	/* what came after it */
	ASSAY_PROOF_LOG,	  /* the runtime log contradicts itself */
	ASSAY_PROOF_LOG_VALUE,	  /* it does not lead to the values: a record is missing, moved, added */
	ASSAY_PROOF_LOG_PLACE,	  /* a record in a PCR that belongs to the boot, or that nobody judges */
	ASSAY_PROOF_EVENT,	  /* an event that is not known, or malformed */
	ASSAY_PROOF_ORDER,	  /* a disk after the set-up ended; no end, or two */
	ASSAY_PROOF_DISK,	  /* a disk that is not in the manifest */
	ASSAY_PROOF_CONTAINER,	  /* a container that is not in the manifest */
	ASSAY_PROOF_TLS,	  /* the TLS certificate is not the measured one, or not valid, or not the peer's */
	ASSAY_PROOF_EXPECTED,	  /* what was expected is not there */
	ASSAY_N_PROOF_REFUSALS
};
const char *assay_proof_refusal_name(enum assay_proof_refusal refusal); /* "bad-signature" */

enum assay_step {
	ASSAY_STEP_FILE,
	ASSAY_STEP_KEY,
	ASSAY_STEP_QUOTE,
	ASSAY_STEP_VALUES,
	ASSAY_STEP_BOOT,
	ASSAY_STEP_RUNTIME,
	ASSAY_N_STEPS,
};
const char *assay_step_name(enum assay_step step); /* "attestation-key" */

struct assay_reason {
	enum assay_proof_refusal code;
	enum assay_step step;
	char *text; /* one line; parts of it are of foreign origin */
};

enum assay_pcr_verdict {
	ASSAY_JUDGED_NOT, /* not compared: outside 0 to 15, or nobody said what to expect */
	ASSAY_JUDGED_EQUAL,
	ASSAY_JUDGED_DIFFERENT,
	ASSAY_JUDGED_NOT_PREDICTED,
	ASSAY_JUDGED_IGNORED, /* not predicted, and the caller does not mind */
};
const char *assay_pcr_verdict_name(enum assay_pcr_verdict verdict); /* "equal" */

/* One cell: a PCR in a bank that is signed. */
struct assay_judged_pcr {
	unsigned pcr;
	enum assay_bank bank;
	enum assay_pcr_verdict verdict;
	const uint8_t *quoted;
	uint8_t expected[ASSAY_MAX_DIGEST]; /* the first accepted one, extended by the log; where has_expected */
	bool has_expected;
	size_t n_accepted;
	size_t records; /* of the runtime log that are in it */
};

/* What an event says that something was: "input" "model/x" "sha256:…". Borrowed from its content. */
struct assay_claim {
	enum assay_runtime_kind kind;
	const char *name;   /* path; container's name; NULL for disk and TLS */
	const char *digest; /* as the log has it: "sha256:…", "sha1:…", hex of a root hash */
	bool fsverity;
	const char *repo, *commit; /* of an input; or NULL */
};

struct assay_judged_event {
	bool known; /* else: of the early AICert shape, which is not one of ours */
	enum assay_runtime_kind kind;
	struct assay_json *content; /* NULL: a certificate, root hash, sentinel */
	size_t first_claim, n_claims;
};

struct assay_expectation;

struct assay_proof_verdict {
	struct assay_reason *reasons; /* none: verified */
	size_t n_reasons;
	bool oom; /* one could not be written down */
	enum assay_step reached; /* the last that was looked at */
	bool step_bad[ASSAY_N_STEPS];
	int64_t at;

	struct assay_proof *proof; /* NULL when it is none */
	struct assay_judged_way way;
	bool has_quote;
	struct assay_quote quote;
	struct assay_tpm_signature signature;
	bool public_signed; /* ak.public's name is in the quote: a primary key */
	bool nonce_asked;   /* the caller gave one, and it is in the quote */

	const struct assay_expectation *boot; /* that all PCRs match, or the one that comes closest; NULL: none */
	bool matched; /* all PCRs are as it says */
	struct assay_judged_pcr *pcrs;
	size_t n_pcrs;
	struct assay_eventlog *log; /* NULL: there is none */
	bool log_agrees;
	struct assay_explanation *explanation; /* of what differs; points into boot and log */

	struct assay_judged_event *events; /* one for each record */
	size_t n_events;
	struct assay_claim *claims;
	size_t n_claims, cap_claims;
	bool has_tls;
	uint8_t tls_sha256[32]; /* of the last measured certificate, in DER */
	int64_t tls_not_before, tls_not_after;
	char *tls_subject;
};

void assay_proof_verdict_free(struct assay_proof_verdict **v);
ASSAY_DEFINE_AUTO(assay_proof_verdict)

static inline bool assay_proof_verified(const struct assay_proof_verdict *v)
{
	return v->n_reasons == 0 && !v->oom;
}

/* One more reason, found in this step. Out of memory is remembered, and refuses too. */
void assay_proof_refuse(struct assay_proof_verdict *v, enum assay_step step, enum assay_proof_refusal code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* assay.verdict/1 (docs/schemas/verdict-1.json). Fresh; NULL when there is no memory. */
struct assay_json *assay_proof_verdict_json(const struct assay_proof_verdict *v);

#endif
