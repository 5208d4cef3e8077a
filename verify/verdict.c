/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/text.h"
#include "verify/policy.h"
#include "verify/quote.h"

const char *assay_proof_refusal_name(enum assay_proof_refusal refusal)
{
	static const char *const names[ASSAY_N_PROOF_REFUSALS] = {
		[ASSAY_PROOF_GOOD] = "",
		[ASSAY_PROOF_MALFORMED] = "malformed",
		[ASSAY_PROOF_UNKNOWN] = "unknown-kind",
		[ASSAY_PROOF_NO_CERTIFICATE] = "no-certificate",
		[ASSAY_PROOF_BAD_CERTIFICATE] = "bad-certificate",
		[ASSAY_PROOF_UNTRUSTED] = "untrusted-key",
		[ASSAY_PROOF_CERT_TIME] = "certificate-time",
		[ASSAY_PROOF_CERT_USAGE] = "certificate-usage",
		[ASSAY_PROOF_CERT_EXTRA] = "certificate-extra",
		[ASSAY_PROOF_KEY_MISMATCH] = "key-mismatch",
		[ASSAY_PROOF_KEY_KIND] = "key-kind",
		[ASSAY_PROOF_WEAK] = "weak-algorithm",
		[ASSAY_PROOF_SIGNATURE] = "bad-signature",
		[ASSAY_PROOF_NO_QUOTE] = "no-quote",
		[ASSAY_PROOF_NONCE] = "nonce",
		[ASSAY_PROOF_BINDING] = "binding",
		[ASSAY_PROOF_EMPTY] = "empty-selection",
		[ASSAY_PROOF_NOT_SIGNED] = "pcr-not-signed",
		[ASSAY_PROOF_NOT_GIVEN] = "pcr-not-given",
		[ASSAY_PROOF_DIGEST] = "pcr-digest",
		[ASSAY_PROOF_MANIFEST] = "manifest",
		[ASSAY_PROOF_BANK] = "bank",
		[ASSAY_PROOF_PCR] = "pcr-mismatch",
		[ASSAY_PROOF_NOT_PREDICTED] = "pcr-not-predicted",
		[ASSAY_PROOF_TCG_LOG] = "tcg-log",
		[ASSAY_PROOF_HINT] = "other-manifest",
		[ASSAY_PROOF_LOG] = "runtime-log",
		[ASSAY_PROOF_LOG_VALUE] = "runtime-value",
		[ASSAY_PROOF_LOG_PLACE] = "runtime-place",
		[ASSAY_PROOF_EVENT] = "runtime-event",
		[ASSAY_PROOF_ORDER] = "runtime-order",
		[ASSAY_PROOF_DISK] = "unknown-disk",
		[ASSAY_PROOF_CONTAINER] = "unknown-container",
		[ASSAY_PROOF_TLS] = "tls-certificate",
		[ASSAY_PROOF_EXPECTED] = "expectation",
	};

	return names[refusal];
}

const char *assay_step_name(enum assay_step step)
{
	static const char *const names[ASSAY_N_STEPS] = {
		[ASSAY_STEP_FILE] = "file",	[ASSAY_STEP_KEY] = "attestation-key", [ASSAY_STEP_QUOTE] = "quote",
		[ASSAY_STEP_VALUES] = "values", [ASSAY_STEP_BOOT] = "boot",	      [ASSAY_STEP_RUNTIME] = "runtime",
	};

	return names[step];
}

const char *assay_pcr_verdict_name(enum assay_pcr_verdict verdict)
{
	static const char *const names[] = {
		[ASSAY_JUDGED_NOT] = "not-judged",
		[ASSAY_JUDGED_EQUAL] = "equal",
		[ASSAY_JUDGED_DIFFERENT] = "different",
		[ASSAY_JUDGED_NOT_PREDICTED] = "not-predicted",
		[ASSAY_JUDGED_IGNORED] = "ignored",
	};

	return names[verdict];
}

void assay_proof_verdict_free(struct assay_proof_verdict **vp)
{
	struct assay_proof_verdict *v = vp ? assay_steal(vp) : NULL;

	if (!v)
		return;
	for (size_t i = 0; i < v->n_reasons; i++)
		free(v->reasons[i].text);
	free(v->reasons);
	for (size_t i = 0; v->events && i < v->n_events; i++)
		assay_json_free(&v->events[i].content);
	free(v->events);
	free(v->claims);
	free(v->pcrs);
	free(v->tls_subject);
	assay_explanation_free(&v->explanation);
	assay_eventlog_free(&v->log);
	assay_way_clear(&v->way);
	assay_proof_free(&v->proof);
	free(v);
}

void assay_proof_refuse(struct assay_proof_verdict *v, enum assay_step step, enum assay_proof_refusal code, const char *fmt, ...)
{
	struct assay_reason *more = realloc(v->reasons, (v->n_reasons + 1) * sizeof(*more));
	char *text = NULL;
	va_list ap;

	v->step_bad[step] = true;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (more)
		v->reasons = more;
	if (!more || !text) {
		free(text);
		v->oom = true;
		return;
	}
	v->reasons[v->n_reasons++] = (struct assay_reason){ code, step, text };
}

/* --- assay.verdict/1 ------------------------------------------------------------------------------ */

static struct assay_json *reasons_json(const struct assay_proof_verdict *v)
{
	struct assay_json *list = assay_json_array();

	for (size_t i = 0; i < v->n_reasons; i++) {
		struct assay_json *o = assay_json_object();

		assay_json_set_str(o, "code", assay_proof_refusal_name(v->reasons[i].code));
		assay_json_set_str(o, "step", assay_step_name(v->reasons[i].step));
		assay_json_set_str(o, "text", v->reasons[i].text);
		assay_json_append(list, o);
	}
	return list;
}

static void set_time(struct assay_json *o, const char *key, int64_t at)
{
	char text[ASSAY_CLOCK_TEXT];

	assay_json_set_str(o, key, at >= 0 && at <= ASSAY_CLOCK_MAX ? assay_clock_text(at, text) : NULL);
}

static struct assay_json *key_json(const struct assay_proof_verdict *v)
{
	const struct assay_judged_way *w = &v->way;
	struct assay_json *o;

	if (!w->leaf)
		return assay_json_null();
	o = assay_json_object();
	assay_json_set_str(o, "source", v->proof->source);
	assay_json_set_str(o, "subject", w->subject);
	set_time(o, "not_before", w->not_before);
	set_time(o, "not_after", w->not_after);
	assay_json_set_str(o, "anchor", w->n ? w->anchor : NULL);
	assay_json_set(o, "anchor_sha256", w->n ? assay_json_hex(w->anchor_sha256, 32) : assay_json_null());
	assay_json_set_bool(o, "public_signed", v->public_signed);
	return o;
}

static struct assay_json *quote_json(const struct assay_proof_verdict *v)
{
	struct assay_json *o;

	if (!v->has_quote)
		return assay_json_null();
	o = assay_json_object();
	assay_json_set_str(o, "scheme", assay_sig_scheme_words(v->signature.scheme));
	assay_json_set_str(o, "hash", assay_bank_name(v->signature.hash));
	assay_json_set(o, "signer", assay_json_hex(v->quote.signer, v->quote.signer_len));
	assay_json_set(o, "extra_data", assay_json_hex(v->quote.extra, v->quote.extra_len));
	assay_json_set_int(o, "clock", v->quote.clock);
	assay_json_set_int(o, "reset_count", v->quote.reset_count);
	assay_json_set_int(o, "restart_count", v->quote.restart_count);
	assay_json_set_bool(o, "safe", v->quote.safe);
	return o;
}

static struct assay_json *manifest_json(const struct assay_proof_verdict *v)
{
	const struct assay_expectation *e = v->boot;
	struct assay_json *o;

	if (!e || !e->name)
		return assay_json_null();
	o = assay_json_object();
	assay_json_set_str(o, "name", e->name);
	assay_json_set_int(o, "release", e->release);
	assay_json_set_str(o, "platform", e->platform);
	assay_json_set_bool(o, "matched", v->matched);
	return o;
}

static struct assay_json *pcrs_json(const struct assay_proof_verdict *v)
{
	struct assay_json *list = assay_json_array();

	for (size_t i = 0; i < v->n_pcrs; i++) {
		const struct assay_judged_pcr *p = &v->pcrs[i];
		const size_t size = assay_bank_size(p->bank);
		struct assay_json *o = assay_json_object();

		assay_json_set_int(o, "pcr", p->pcr);
		assay_json_set_str(o, "bank", assay_bank_name(p->bank));
		assay_json_set_str(o, "verdict", assay_pcr_verdict_name(p->verdict));
		assay_json_set(o, "expected", p->has_expected ? assay_json_hex(p->expected, size) : assay_json_null());
		assay_json_set_int(o, "accepted", p->n_accepted);
		assay_json_set(o, "quoted", assay_json_hex(p->quoted, size));
		assay_json_set_int(o, "records", p->records);
		assay_json_append(list, o);
	}
	return list;
}

static struct assay_json *causes_json(const struct assay_proof_verdict *v)
{
	struct assay_json *list = assay_json_array();

	for (size_t i = 0; v->explanation && i < v->explanation->n_causes; i++) {
		const struct assay_cause *c = &v->explanation->causes[i];
		struct assay_json *o = assay_json_object();

		assay_json_set_str(o, "cause", assay_cause_name(c->kind));
		assay_json_set_int(o, "pcr", c->pcr);
		assay_json_set_bool(o, "follows", c->follows);
		assay_json_set_str(o, "words", c->words);
		assay_json_append(list, o);
	}
	return list;
}

static struct assay_json *events_json(const struct assay_proof_verdict *v)
{
	struct assay_json *list = assay_json_array();

	for (size_t i = 0; i < v->n_events; i++) {
		const struct assay_cel_record *r = &v->proof->log->records[i];
		const struct assay_judged_event *e = &v->events[i];
		ASSAY_AUTO_FREE char *words = e->known ? assay_runtime_describe(&r->event) : NULL;
		struct assay_json *o = assay_json_object();

		assay_json_set_int(o, "recnum", r->recnum);
		assay_json_set_int(o, "pcr", r->pcr);
		assay_json_set_str(o, "kind", e->known ? assay_runtime_kind_name(e->kind) : NULL);
		/* What is not known is as it was measured. */
		assay_json_set(o, "words", e->known ? words ? assay_json_string(words) : NULL :
						      assay_json_string_n(r->event.text, r->event.len));
		assay_json_set(o, "content", e->content ? assay_json_copy(e->content) : assay_json_null());
		assay_json_append(list, o);
	}
	return list;
}

static struct assay_json *claims_json(const struct assay_proof_verdict *v)
{
	struct assay_json *list = assay_json_array();

	for (size_t i = 0; i < v->n_claims; i++) {
		const struct assay_claim *c = &v->claims[i];
		struct assay_json *o = assay_json_object();

		assay_json_set_str(o, "kind", assay_runtime_kind_name(c->kind));
		assay_json_set_str(o, "name", c->name);
		assay_json_set_str(o, "digest", c->digest);
		assay_json_set_bool(o, "fsverity", c->fsverity);
		assay_json_set_str(o, "repo", c->repo);
		assay_json_set_str(o, "commit", c->commit);
		assay_json_append(list, o);
	}
	return list;
}

static struct assay_json *tls_json(const struct assay_proof_verdict *v)
{
	struct assay_json *o;

	if (!v->has_tls)
		return assay_json_null();
	o = assay_json_object();
	assay_json_set(o, "sha256", assay_json_hex(v->tls_sha256, 32));
	assay_json_set_str(o, "subject", v->tls_subject);
	set_time(o, "not_before", v->tls_not_before);
	set_time(o, "not_after", v->tls_not_after);
	return o;
}

static struct assay_json *nonce_json(const struct assay_proof_verdict *v)
{
	struct assay_json *o = assay_json_object();

	assay_json_set_bool(o, "asked", v->nonce_asked);
	assay_json_set(o, "answered", v->proof && v->proof->has_nonce ? assay_json_hex(v->proof->nonce, v->proof->nonce_len) :
									assay_json_null());
	return o;
}

struct assay_json *assay_proof_verdict_json(const struct assay_proof_verdict *v)
{
	struct assay_json *o = assay_json_object(), *log;

	if (v->oom) {
		assay_json_free(&o);
		return NULL;
	}
	assay_json_set_str(o, "schema", "assay.verdict/1");
	assay_json_set_bool(o, "verified", assay_proof_verified(v));
	assay_json_set(o, "reasons", reasons_json(v));
	assay_json_set_str(o, "reached", assay_step_name(v->reached));
	set_time(o, "at", v->at);
	assay_json_set_str(o, "shape", v->proof ? assay_proof_shape_name(v->proof->shape) : NULL);
	assay_json_set(o, "key", key_json(v));
	assay_json_set(o, "quote", quote_json(v));
	assay_json_set(o, "manifest", manifest_json(v));
	assay_json_set(o, "pcrs", pcrs_json(v));
	if (v->log) {
		log = assay_json_object();
		assay_json_set_bool(log, "agrees", v->log_agrees);
	} else {
		log = assay_json_null();
	}
	assay_json_set(o, "tcg_log", log);
	assay_json_set(o, "causes", causes_json(v));
	assay_json_set(o, "events", events_json(v));
	assay_json_set(o, "claims", claims_json(v));
	assay_json_set(o, "tls", tls_json(v));
	assay_json_set(o, "nonce", nonce_json(v));
	return o;
}
