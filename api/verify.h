/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes in, verdict out: the face of the library for programs (assay verify, assay connect, include/assay.h). A policy is
 * filled once: its manifests are verified and parsed, its anchors read. Nothing changes it afterwards, and any number of
 * threads may check proofs with it at the same time.
 */
#ifndef ASSAY_API_VERIFY_H
#define ASSAY_API_VERIFY_H

#include "manifest/verify.h"
#include "verify/policy.h"

struct assay_api_policy;
int assay_api_policy_new(struct assay_api_policy **ret, struct assay_err *err) ASSAY_MUST;
void assay_api_policy_free(struct assay_api_policy **policy);
ASSAY_DEFINE_AUTO(assay_api_policy)

/* --- filling it; not from several threads ------------------------------------------------------- */

/* Who may sign manifests. Any of them, one after another. `p`: PEM or DER bytes; uri: a file, or pkcs11: */
int assay_api_add_key(struct assay_api_policy *policy, const char *uri, struct assay_err *err) ASSAY_MUST;
int assay_api_add_key_mem(struct assay_api_policy *policy, const void *p, size_t len, struct assay_err *err) ASSAY_MUST;
int assay_api_set_ca(struct assay_api_policy *policy, const char *path, struct assay_err *err) ASSAY_MUST;
int assay_api_set_ca_mem(struct assay_api_policy *policy, const char *pem, size_t len, struct assay_err *err) ASSAY_MUST;
int assay_api_add_identity(struct assay_api_policy *policy, const char *name, struct assay_err *err) ASSAY_MUST;
/* The lowest release that is accepted; 0: any. Before the manifests, as are keys. */
void assay_api_set_min_release(struct assay_api_policy *policy, uint64_t min_release);
/* Distinct signers; 1 without this. The image that manifests have to be of. Before the manifests. */
void assay_api_set_threshold(struct assay_api_policy *policy, unsigned threshold);
int assay_api_set_name(struct assay_api_policy *policy, const char *name, struct assay_err *err) ASSAY_MUST;
/* Predictions for this platform alone; before the manifests. */
int assay_api_set_platform(struct assay_api_policy *policy, const char *platform, struct assay_err *err) ASSAY_MUST;
/* releases that have been accepted (manifest/releases.h); what a proof matched is written down there. */
int assay_api_set_state(struct assay_api_policy *policy, const char *path, struct assay_err *err) ASSAY_MUST;

/*
 * A signed manifest. Its signatures, and certificates of those who signed, are judged now, at `at`; its own validity again
 * each time a proof is checked. One that is refused is set aside, and no proof matches it: assay_api_manifest_refused().
 */
int assay_api_add_manifest(struct assay_api_policy *policy, const char *text, size_t len, int64_t at,
			   struct assay_err *err) ASSAY_MUST;
size_t assay_api_n_manifests(const struct assay_api_policy *policy);
/* Why a manifest was set aside, "rolled-back: …"; NULL: it was not. */
const char *assay_api_manifest_refused(const struct assay_api_policy *policy, size_t manifest);
/* An old proof's own list of values: {"measurements": {"0": "<hex>", …}}. Instead of manifests. */
int assay_api_set_measurements(struct assay_api_policy *policy, const char *text, size_t len, struct assay_err *err) ASSAY_MUST;
int assay_api_set_log_pcr(struct assay_api_policy *policy, unsigned pcr, struct assay_err *err) ASSAY_MUST;

/* Anchors of attestation keys: a file, or a folder of them (verify/chain.h). */
int assay_api_add_trust(struct assay_api_policy *policy, const char *path, struct assay_err *err) ASSAY_MUST;
int assay_api_add_trust_mem(struct assay_api_policy *policy, const void *p, size_t len, struct assay_err *err) ASSAY_MUST;
/* "root_hash=…", "container:@local/x:1=sha256:…" (verify/policy.h). */
int assay_api_expect(struct assay_api_policy *policy, const char *text, struct assay_err *err) ASSAY_MUST;
int assay_api_ignore_pcr(struct assay_api_policy *policy, unsigned pcr, struct assay_err *err) ASSAY_MUST;
int assay_api_set_phase(struct assay_api_policy *policy, const char *phase, struct assay_err *err) ASSAY_MUST;

/* --- checking; from any thread ------------------------------------------------------------------ */

/*
 * 0 with a verdict, whatever it is; -1 when nothing could be said. The verdict points into the policy, which has to outlive
 * it. With a state, whose file is locked, this writes to it.
 */
int assay_api_verify(const struct assay_api_policy *policy, const char *proof, size_t len,
		     const struct assay_proof_request *request, struct assay_proof_verdict **ret, struct assay_err *err) ASSAY_MUST;

#endif
