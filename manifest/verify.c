/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "manifest/key_priv.h"

const char *assay_refusal_name(enum assay_refusal refusal)
{
	static const char *const names[ASSAY_N_REFUSALS] = {
		[ASSAY_REFUSED_NOT] = "",
		[ASSAY_REFUSED_UNSIGNED] = "no-signature",
		[ASSAY_REFUSED_KEY] = "wrong-key",
		[ASSAY_REFUSED_IDENTITY] = "wrong-identity",
		[ASSAY_REFUSED_CHAIN] = "bad-certificate",
		[ASSAY_REFUSED_THRESHOLD] = "below-threshold",
		[ASSAY_REFUSED_EXTRA] = "contradiction",
		[ASSAY_REFUSED_SIGNATURE] = "bad-signature",
		[ASSAY_REFUSED_NAME] = "wrong-name",
		[ASSAY_REFUSED_EARLY] = "not-yet-valid",
		[ASSAY_REFUSED_EXPIRED] = "expired",
		[ASSAY_REFUSED_RELEASE] = "release-too-low",
		[ASSAY_REFUSED_ROLLBACK] = "rolled-back",
		[ASSAY_REFUSED_REPLACED] = "release-replaced",
	};

	return names[refusal];
}

void assay_verdict_free(struct assay_verdict **vp)
{
	struct assay_verdict *v = vp ? assay_steal(vp) : NULL;

	if (!v)
		return;
	assay_manifest_free(&v->manifest);
	assay_envelope_free(&v->env);
	free(v->sigs);
	free(v);
}

void assay_verdict_refuse(struct assay_verdict *v, enum assay_refusal refusal, const char *fmt, ...)
{
	va_list ap;

	if (v->refusal != ASSAY_REFUSED_NOT)
		return;
	v->refusal = refusal;
	va_start(ap, fmt);
	vsnprintf(v->reason, sizeof(v->reason), fmt, ap);
	va_end(ap);
}

/* --- one signature ------------------------------------------------------------------------------ */

struct pae {
	uint8_t *p;
	size_t len;
};

__attribute__((format(printf, 3, 4))) static void say(struct assay_verified_sig *r, enum assay_refusal why,
						      const char *fmt, ...)
{
	va_list ap;

	r->why = why;
	va_start(ap, fmt);
	vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
}

/* Each given key is tried on each signature: what the envelope says about keys chooses nothing. */
static int find_key(const struct assay_envelope_sig *s, const struct pae *pae, const struct assay_verify_policy *policy,
		    struct assay_verified_sig *r, struct assay_err *err)
{
	for (size_t k = 0; k < policy->n_keys; k++) {
		const struct assay_key *key = policy->keys[k];
		bool good;

		if (assay_key_verify(key, s->sig, s->sig_len, pae->p, pae->len, &good, err) < 0)
			return -1;
		if (good) {
			r->given = k;
			r->kind = key->kind;
			memcpy(r->key, key->id, sizeof(r->key));
			return 0;
		}
	}
	return 0;
}

static bool names_given_key(const char *keyid, const struct assay_verify_policy *policy)
{
	for (size_t k = 0; k < policy->n_keys; k++)
		if (strcmp(policy->keys[k]->id, keyid) == 0)
			return true;
	return false;
}

/* What the certificate beside a signature is worth. */
struct certified {
	struct assay_chain *chain;
	struct assay_key *key;
	struct assay_chain_verdict v;
	bool good;	 /* the signature is by its key */
	bool plain;	 /* no byte in its text is without meaning */
	size_t identity; /* index into policy->identities, or SIZE_MAX */
};

static int certify(const struct assay_envelope_sig *s, const struct pae *pae, const struct assay_verify_policy *policy,
		   struct certified *ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_err own;

	if (assay_chain_parse(s->cert, strlen(s->cert), &ret->chain, &own) < 0 ||
	    assay_chain_key(ret->chain, &ret->key, &own) < 0) {
		snprintf(ret->v.why, sizeof(ret->v.why), "%.150s", own.msg);
		return own.code == ASSAY_E_NOMEM ? assay_fail_mem(err) : 0;
	}
	if (assay_chain_judge(ret->chain, policy->ca, policy->at, &ret->v, err) < 0)
		return -1;
	if (!ret->v.good)
		return 0;
	if (assay_key_verify(ret->key, s->sig, s->sig_len, pae->p, pae->len, &ret->good, err) < 0)
		return -1;
	text = assay_chain_text(ret->chain, true);
	if (!text)
		return assay_fail_mem(err);
	ret->plain = strcmp(text, s->cert) == 0;
	for (size_t i = policy->n_identities; i-- > 0;)
		if (assay_chain_is_of(ret->chain, policy->identities[i]))
			ret->identity = i;
	return 0;
}

/* The signature is by no given key, so its certificate is all that speaks for it. */
static int take_certified(const struct certified *c, bool ignore_unsigned, struct assay_verified_sig *r,
			  struct assay_err *err)
{
	if (!c->v.good) {
		say(r, ASSAY_REFUSED_CHAIN, "its certificate: %s", c->v.why);
	} else if (!c->good) {
		say(r, ignore_unsigned ? ASSAY_REFUSED_KEY : ASSAY_REFUSED_SIGNATURE,
		    "not by the key of its certificate");
	} else {
		r->kind = c->key->kind;
		memcpy(r->key, c->key->id, sizeof(r->key));
		r->identity = c->identity;
	}
	if (!c->good || c->identity != SIZE_MAX)
		return 0;
	ASSAY_AUTO_FREE char *names = assay_chain_names(c->chain);
	if (!names)
		return assay_fail_mem(err);
	say(r, ASSAY_REFUSED_IDENTITY, "its certificate is of %.200s", *names ? names : "nobody");
	return 0;
}

static int check_cert(const struct assay_envelope_sig *s, const struct pae *pae, const struct assay_verify_policy *policy,
		      struct assay_verified_sig *r, struct assay_err *err)
{
	struct certified c = { .identity = SIZE_MAX };
	int n = certify(s, pae, policy, &c, err);

	if (n == 0 && !*r->key)
		n = take_certified(&c, policy->ignore_unsigned, r, err);
	else if (n == 0 && c.v.good && strcmp(c.key->id, r->key) == 0)
		r->identity = c.identity;
	else if (n == 0 && !policy->ignore_unsigned)
		say(r, ASSAY_REFUSED_EXTRA, "by a given key, but its certificate: %s",
		    c.v.good ? "of another key" : c.v.why);
	if (n == 0 && r->why == ASSAY_REFUSED_NOT && !policy->ignore_unsigned && !(c.plain && c.v.all_used))
		say(r, ASSAY_REFUSED_EXTRA, "%s", c.plain ? "a certificate that leads nowhere" :
							    "something between its certificates");
	assay_chain_free(&c.chain);
	assay_key_free(&c.key);
	return n;
}

static void check_unknown(const struct assay_envelope_sig *s, const struct assay_verify_policy *policy,
			  struct assay_verified_sig *r)
{
	if (names_given_key(s->keyid, policy) && !policy->ignore_unsigned)
		say(r, ASSAY_REFUSED_SIGNATURE, "names a given key, and is not by it");
	else if (*s->keyid)
		say(r, ASSAY_REFUSED_KEY, "by no given key, it names %.80s", s->keyid);
	else
		say(r, ASSAY_REFUSED_KEY, "by no given key");
}

static int check_sig(const struct assay_envelope_sig *s, const struct pae *pae, const struct assay_verify_policy *policy,
		     struct assay_verified_sig *r, struct assay_err *err)
{
	const bool judged = s->cert && policy->ca;

	r->given = SIZE_MAX;
	r->identity = SIZE_MAX;
	if (find_key(s, pae, policy, r, err) < 0 || (judged && check_cert(s, pae, policy, r, err) < 0))
		return -1;
	if (r->why != ASSAY_REFUSED_NOT)
		return 0;
	if (!*r->key)
		check_unknown(s, policy, r);
	else if (policy->ignore_unsigned)
		return 0;
	else if (*s->keyid && strcmp(s->keyid, r->key) != 0)
		say(r, ASSAY_REFUSED_EXTRA, "by key %.16s..., but it names %.80s", r->key, s->keyid);
	else if (s->cert && !judged)
		say(r, ASSAY_REFUSED_EXTRA, "by a given key, and with a certificate that nobody judges");
	return 0;
}

/* --- all of them -------------------------------------------------------------------------------- */

/* Two signatures of one signer are one: of one key, or of one name with two. */
static bool counted_before(const struct assay_verdict *v, size_t index)
{
	const struct assay_verified_sig *r = &v->sigs[index];

	for (size_t i = 0; i < index; i++)
		if (v->sigs[i].counted && (strcmp(v->sigs[i].key, r->key) == 0 ||
					   (r->identity != SIZE_MAX && v->sigs[i].identity == r->identity)))
			return true;
	return false;
}

static void count(struct assay_verdict *v)
{
	for (size_t i = 0; i < v->n_sigs; i++) {
		struct assay_verified_sig *r = &v->sigs[i];

		if (r->why != ASSAY_REFUSED_NOT)
			continue;
		r->counted = !counted_before(v, i);
		if (r->counted)
			v->counted++;
		else
			say(r, ASSAY_REFUSED_NOT, "by a signer who has been counted");
	}
}

/* What is wrong with the envelope, however many good signatures it has; then whether they are enough. */
static void judge_sigs(struct assay_verdict *v, const struct assay_verify_policy *policy)
{
	const struct assay_verified_sig *worst = NULL;
	size_t at = 0;

	for (size_t i = 0; i < v->n_sigs; i++) {
		if (v->sigs[i].why != ASSAY_REFUSED_NOT && (!worst || v->sigs[i].why > worst->why)) {
			worst = &v->sigs[i];
			at = i + 1;
		}
	}
	if (v->n_sigs == 0)
		assay_verdict_refuse(v, ASSAY_REFUSED_UNSIGNED, "nobody has signed it");
	if (worst && (worst->why > ASSAY_REFUSED_THRESHOLD || v->counted == 0))
		assay_verdict_refuse(v, worst->why, "signature %zu: %s", at, worst->text);
	if (v->counted < policy->threshold)
		assay_verdict_refuse(v, ASSAY_REFUSED_THRESHOLD, "%u of %u signers", v->counted, policy->threshold);
	if (v->env->unknown && !policy->ignore_unsigned)
		assay_verdict_refuse(v, ASSAY_REFUSED_EXTRA, "a member of the envelope that nothing signs: \"%.80s\"",
				     v->env->unknown);
}

static int check_sigs(struct assay_verdict *v, const struct assay_verify_policy *policy, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *bytes = NULL;
	struct pae pae;

	if (assay_envelope_pae(v->env, &bytes, &pae.len, err) < 0)
		return -1;
	pae.p = bytes;
	for (size_t i = 0; i < v->n_sigs; i++)
		if (check_sig(&v->env->sigs[i], &pae, policy, &v->sigs[i], err) < 0)
			return assay_wrap(err, "signature %zu", i + 1);
	count(v);
	judge_sigs(v, policy);
	return 0;
}

/* --- what is signed ------------------------------------------------------------------------------ */

static void judge_manifest(struct assay_verdict *v, const struct assay_verify_policy *policy)
{
	const struct assay_manifest *m = v->manifest;
	char a[ASSAY_CLOCK_TEXT], b[ASSAY_CLOCK_TEXT];

	if (policy->name && strcmp(policy->name, m->name) != 0)
		assay_verdict_refuse(v, ASSAY_REFUSED_NAME, "it is of %s, not of %s", m->name, policy->name);
	if (policy->at < m->not_before)
		assay_verdict_refuse(v, ASSAY_REFUSED_EARLY, "valid from %s on, judged at %s",
				     assay_clock_text(m->not_before, a), assay_clock_text(policy->at, b));
	if (policy->at > m->expires)
		assay_verdict_refuse(v, ASSAY_REFUSED_EXPIRED, "valid until %s, judged at %s",
				     assay_clock_text(m->expires, a), assay_clock_text(policy->at, b));
	if (m->release < policy->min_release)
		assay_verdict_refuse(v, ASSAY_REFUSED_RELEASE, "release %" PRIu64 ", wanted is %" PRIu64 " or later",
				     m->release, policy->min_release);
}

int assay_manifest_verify(const char *text, size_t len, const struct assay_verify_policy *policy,
			  struct assay_verdict **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_verdict) *v = calloc(1, sizeof(*v));

	if (!v)
		return assay_fail_mem(err);
	v->threshold = policy->threshold;
	if (assay_envelope_read(text, len, &v->env, err) < 0)
		return -1;
	v->n_sigs = v->env->n_sigs;
	v->sigs = calloc(v->n_sigs + 1, sizeof(*v->sigs));
	if (!v->sigs)
		return assay_fail_mem(err);
	if (check_sigs(v, policy, err) < 0 || assay_key_sha256(v->env->payload, v->env->payload_len, v->payload_sha256, err) < 0)
		return -1;
	/* Nothing below looks at a payload that nobody vouches for. */
	if (v->refusal == ASSAY_REFUSED_NOT) {
		if (assay_manifest_of(v->env, &v->manifest, err) < 0)
			return -1;
		judge_manifest(v, policy);
	}
	*ret = assay_steal(&v);
	return 0;
}
