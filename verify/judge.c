/* SPDX-License-Identifier: Apache-2.0 */
/* One step after another; each rests on those before it, and nothing is said about what rests on a step that failed. */
#include <stdlib.h>
#include <string.h>

#include "verify/judge_priv.h"
#include "verify/quote.h"

static int read_proof(const char *text, size_t len, const struct assay_proof_policy *policy, struct assay_proof_verdict *v,
		      struct assay_err *err)
{
	struct assay_err own;
	bool is_json;

	if (assay_proof_parse(text, len, policy->log_pcr, &v->proof, &is_json, &own) == 0)
		return 0;
	/* Whatever is JSON has been looked at, and is no proof that is taken. */
	if (is_json && (own.code == ASSAY_E_CORRUPT || own.code == ASSAY_E_LIMIT || own.code == ASSAY_E_UNSUPPORTED ||
			own.code == ASSAY_E_MISMATCH || own.code == ASSAY_E_NOTFOUND)) {
		assay_proof_refuse(v, ASSAY_STEP_FILE,
				   own.code == ASSAY_E_UNSUPPORTED ? ASSAY_PROOF_UNKNOWN :
				   own.code == ASSAY_E_MISMATCH	   ? ASSAY_PROOF_LOG :
								     ASSAY_PROOF_MALFORMED,
				   "%s", own.msg);
		return 0;
	}
	if (err)
		*err = own;
	return -1;
}

static int judge_key(const struct assay_proof_policy *policy, const struct assay_proof_request *request,
		     struct assay_proof_verdict *v, struct assay_err *err)
{
	static const enum assay_proof_refusal codes[] = {
		[ASSAY_WAY_NONE] = ASSAY_PROOF_NO_CERTIFICATE, [ASSAY_WAY_UNREADABLE] = ASSAY_PROOF_BAD_CERTIFICATE,
		[ASSAY_WAY_NOWHERE] = ASSAY_PROOF_UNTRUSTED,   [ASSAY_WAY_TIME] = ASSAY_PROOF_CERT_TIME,
		[ASSAY_WAY_USAGE] = ASSAY_PROOF_CERT_USAGE,    [ASSAY_WAY_EXTRA] = ASSAY_PROOF_CERT_EXTRA,
	};

	v->reached = ASSAY_STEP_KEY;
	if (assay_way_judge(policy->anchors, v->proof, request->at, &v->way, err) < 0)
		return -1;
	if (v->way.way != ASSAY_WAY_GOOD)
		assay_proof_refuse(v, ASSAY_STEP_KEY, codes[v->way.way], "%s", v->way.why);
	return v->way.leaf ? assay_ak_judge(v->proof, v->way.leaf, v, err) : 0;
}

static int judge(const char *text, size_t len, const struct assay_proof_policy *policy,
		 const struct assay_proof_request *request, struct assay_proof_verdict *v, struct assay_err *err)
{
	if (read_proof(text, len, policy, v, err) < 0)
		return -1;
	if (!assay_proof_verified(v))
		return 0;
	if (judge_key(policy, request, v, err) < 0)
		return -1;
	if (!assay_proof_verified(v))
		return 0;
	v->reached = ASSAY_STEP_QUOTE;
	if (assay_quote_judge(v->proof, v->way.leaf, v, err) < 0)
		return -1;
	if (!assay_proof_verified(v))
		return 0;
	/* What is in the log is needed for what a quote of an older shape is bound to; its faults count later. */
	if (assay_runtime_read(policy->anchors, v, err) < 0 ||
	    assay_fresh_judge(v->proof, request->nonce, request->nonce_len, v, err) < 0)
		return -1;
	if (v->step_bad[ASSAY_STEP_QUOTE])
		return 0;
	v->reached = ASSAY_STEP_VALUES;
	if (assay_values_judge(v->proof, v, err) < 0)
		return -1;
	if (v->step_bad[ASSAY_STEP_VALUES])
		return 0;
	v->reached = ASSAY_STEP_RUNTIME;
	if (assay_boot_judge(policy, request, v, err) < 0)
		return -1;
	return assay_runtime_judge(policy, request, v, err);
}

/* In the order of the steps. What a log says counts nothing where the values are not those that were signed. */
static void sort_reasons(struct assay_proof_verdict *v)
{
	const bool drop = v->reached < ASSAY_STEP_RUNTIME;
	size_t n = 0;

	for (size_t i = 0; i < v->n_reasons; i++) {
		const struct assay_reason r = v->reasons[i];
		size_t at = n;

		if (drop && r.step == ASSAY_STEP_RUNTIME) {
			free(r.text);
			continue;
		}
		for (; at > 0 && v->reasons[at - 1].step > r.step; at--)
			v->reasons[at] = v->reasons[at - 1];
		v->reasons[at] = r;
		n++;
	}
	v->n_reasons = n;
}

int assay_proof_judge(const char *text, size_t len, const struct assay_proof_policy *policy,
		      const struct assay_proof_request *request, struct assay_proof_verdict **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_proof_verdict) *v = calloc(1, sizeof(*v));

	if (!v)
		return assay_fail_mem(err);
	v->at = request->at;
	if (judge(text, len, policy, request, v, err) < 0)
		return -1;
	if (v->oom)
		return assay_fail_mem(err);
	sort_reasons(v);
	*ret = assay_steal(&v);
	return 0;
}
