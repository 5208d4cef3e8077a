/* SPDX-License-Identifier: Apache-2.0 */
#include "api/public_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/text.h"

struct assay_result {
	enum assay_status status;
	struct assay_policy *policy; /* the verdict points into it */
	struct assay_proof_verdict *verdict; /* NULL unless verified or refused */
	char *json;
	char message[1024];
};

const char *assay_version(void)
{
	return ASSAY_VERSION;
}

/* --- judging ------------------------------------------------------------------------------------ */

static int check_call(const struct assay_policy *policy, const void *proof, const void *nonce, size_t nonce_len,
		      const void *peer, size_t peer_len, struct assay_err *err)
{
	if (!policy)
		return assay_fail_mem(err);
	if (!policy->sealed)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "the policy is not sealed");
	if (!proof)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "no proof");
	if (nonce ? nonce_len < ASSAY_NONCE_MIN || nonce_len > ASSAY_NONCE_MAX : nonce_len != 0)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "a nonce of %zu bytes; %d to %d are taken", nonce_len,
				  ASSAY_NONCE_MIN, ASSAY_NONCE_MAX);
	if (peer ? peer_len == 0 : peer_len != 0)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "a peer's certificate without bytes");
	return 0;
}

static void could_not(struct assay_result *r, const struct assay_err *err)
{
	r->status = err->code == ASSAY_E_USAGE ? ASSAY_BAD_CALL : ASSAY_COULD_NOT;
	snprintf(r->message, sizeof(r->message), "%s", err->msg);
	if (err->at != ASSAY_NO_OFFSET) {
		const size_t n = strlen(r->message);

		snprintf(r->message + n, sizeof(r->message) - n, " (at byte 0x%" PRIx64 ")", err->at);
	}
}

/* A text with words of a proof in it, as one line that steers no terminal. */
static void one_line(char *text)
{
	size_t left = strlen(text);
	uint32_t c;

	for (char *p = text; *p;) {
		const size_t n = assay_utf8_next(p, left, &c);

		if (*p == '\n') {
			*p = '\0';
			return;
		}
		if (n == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0))
			memset(p, '?', n ? n : 1);
		p += n ? n : 1;
		left -= n ? n : 1;
	}
}

static void sum_up(struct assay_result *r)
{
	const struct assay_proof_verdict *v = r->verdict;

	if (assay_proof_verified(v)) {
		r->status = ASSAY_VERIFIED;
		if (v->boot && v->boot->name)
			snprintf(r->message, sizeof(r->message), "verified: %s, release %" PRIu64, v->boot->name,
				 v->boot->release);
		else
			snprintf(r->message, sizeof(r->message), "verified");
	} else if (v->n_reasons > 0) {
		r->status = ASSAY_REFUSED;
		snprintf(r->message, sizeof(r->message), "%s: %s", assay_proof_refusal_name(v->reasons[0].code),
			 v->reasons[0].text);
		one_line(r->message);
	} else {
		/* a reason that there was no memory for */
		r->status = ASSAY_COULD_NOT;
		snprintf(r->message, sizeof(r->message), "out of memory");
	}
}

enum assay_status assay_verify(const struct assay_policy *policy, const void *proof, size_t proof_len, const void *nonce,
			       size_t nonce_len, const void *peer, size_t peer_len, struct assay_result **result)
{
	struct assay_proof_request request = { .nonce = nonce, .nonce_len = nonce_len, .peer = peer, .peer_len = peer_len };
	struct assay_result *r;
	struct assay_err err;

	if (!result)
		return ASSAY_BAD_CALL;
	*result = r = calloc(1, sizeof(*r));
	if (!r)
		return ASSAY_COULD_NOT;
	if (check_call(policy, proof, nonce, nonce_len, peer, peer_len, &err) < 0) {
		could_not(r, &err);
		return r->status;
	}
	request.at = policy->has_time ? policy->at : assay_clock_now();
	r->policy = assay_policy_use(policy);
	if (assay_api_verify(policy->api, proof, proof_len, &request, &r->verdict, &err) < 0)
		could_not(r, &err);
	else
		sum_up(r);
	return r->status;
}

void assay_result_free(struct assay_result *result)
{
	if (!result)
		return;
	assay_proof_verdict_free(&result->verdict);
	assay_policy_free(result->policy);
	free(result->json);
	free(result);
}

/* --- what it says ------------------------------------------------------------------------------- */

static const struct assay_proof_verdict *verdict_of(const struct assay_result *result, enum assay_status status)
{
	return result && result->status == status ? result->verdict : NULL;
}

enum assay_status assay_result_status(const struct assay_result *result)
{
	return result ? result->status : ASSAY_COULD_NOT;
}

const char *assay_result_message(const struct assay_result *result)
{
	return result ? result->message : "out of memory";
}

size_t assay_result_refusals(const struct assay_result *result)
{
	const struct assay_proof_verdict *v = verdict_of(result, ASSAY_REFUSED);

	return v ? v->n_reasons : 0;
}

const char *assay_result_code(const struct assay_result *result, size_t i)
{
	const struct assay_proof_verdict *v = verdict_of(result, ASSAY_REFUSED);

	return v && i < v->n_reasons ? assay_proof_refusal_name(v->reasons[i].code) : NULL;
}

const char *assay_result_text(const struct assay_result *result, size_t i)
{
	const struct assay_proof_verdict *v = verdict_of(result, ASSAY_REFUSED);

	return v && i < v->n_reasons ? v->reasons[i].text : NULL;
}

const char *assay_result_json(struct assay_result *result)
{
	ASSAY_AUTO(assay_json) *json = NULL;
	struct assay_err err;
	size_t len;

	if (!result || (result->status != ASSAY_VERIFIED && result->status != ASSAY_REFUSED))
		return NULL;
	if (!result->json) {
		json = assay_proof_verdict_json(result->verdict);
		if (!json || assay_json_dump(json, &result->json, &len, &err) < 0)
			return NULL;
	}
	return result->json;
}

const char *assay_result_manifest(const struct assay_result *result)
{
	const struct assay_proof_verdict *v = verdict_of(result, ASSAY_VERIFIED);

	return v && v->boot ? v->boot->name : NULL;
}

uint64_t assay_result_release(const struct assay_result *result)
{
	const struct assay_proof_verdict *v = verdict_of(result, ASSAY_VERIFIED);

	return v && v->boot ? v->boot->release : 0;
}
