/* SPDX-License-Identifier: Apache-2.0 */
/* The two halves of a machine: its boot, and what came after. */
#ifndef ASSAY_VERIFY_JUDGE_PRIV_H
#define ASSAY_VERIFY_JUDGE_PRIV_H

#include "verify/policy.h"

/* Kinds, contents and claims of all events, and the TLS certificate that was measured last; refuses what is not known. */
int assay_runtime_read(const struct assay_anchors *anchors, struct assay_proof_verdict *v, struct assay_err *err) ASSAY_MUST;
/* The rest of what is said about events: order, TLS, what the caller expects, and what the boot's manifest knows. */
int assay_runtime_judge(const struct assay_proof_policy *policy, const struct assay_proof_request *request,
			struct assay_proof_verdict *v, struct assay_err *err) ASSAY_MUST;
/* Whether a boot that the PCRs match holds for the rest, too; with `say` it refuses what does not. */
bool assay_runtime_fits(const struct assay_proof_policy *policy, const struct assay_expectation *boot, int64_t at,
			struct assay_proof_verdict *v, bool say);

/* Each PCR against the boots that would be accepted, each extended by the runtime log. */
int assay_boot_judge(const struct assay_proof_policy *policy, const struct assay_proof_request *request,
		     struct assay_proof_verdict *v, struct assay_err *err) ASSAY_MUST;
/* Where a log that does not lead to a PCR's value may have been changed: a text, or NULL. */
char *assay_boot_search(const struct assay_cel *log, unsigned pcr, enum assay_bank bank, const uint8_t *quoted);

#endif
