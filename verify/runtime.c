/* SPDX-License-Identifier: Apache-2.0 */
/* What came after the boot: events, what they say that things were, the order they have to be in. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "core/clock.h"
#include "core/ossl.h"
#include "core/text.h"
#include "verify/judge_priv.h"

/* --- what an event says ------------------------------------------------------------------------------ */

static const char *member(const struct assay_json *o, const char *parent, const char *name)
{
	return assay_json_str(assay_json_get(assay_json_get(o, parent), name));
}

static int add_claim(struct assay_proof_verdict *v, const struct assay_claim *claim, struct assay_err *err)
{
	if (v->n_claims == v->cap_claims) {
		const size_t cap = v->cap_claims ? 2 * v->cap_claims : 16;
		struct assay_claim *more = realloc(v->claims, cap * sizeof(*more));

		if (!more)
			return assay_fail_mem(err);
		v->claims = more;
		v->cap_claims = cap;
	}
	v->claims[v->n_claims++] = *claim;
	return 0;
}

/* One thing: {"spec", "resolved"}. Shapes have been checked (tpm/runtime.h). */
static struct assay_claim claim_of(enum assay_runtime_kind kind, const struct assay_json *o)
{
	const struct assay_json *proto = assay_json_get(assay_json_get(o, "spec"), "resource_proto");
	struct assay_claim c = { .kind = kind, .name = member(o, "spec", "path"), .digest = member(o, "resolved", "hash") };

	if (kind == ASSAY_RUN_CONTAINER) {
		c.name = member(o, "spec", "image_name");
		c.digest = member(o, "resolved", "id");
	} else if (kind == ASSAY_RUN_INPUT) {
		c.name = assay_json_str(assay_json_get(proto, "path"));
		c.repo = assay_json_str(assay_json_get(proto, "repo"));
		c.commit = assay_json_str(assay_json_get(proto, "hash"));
	} else if (kind == ASSAY_RUN_WEIGHTS_FILE && !c.digest) {
		c.digest = member(o, "resolved", "fsverity");
		c.fsverity = true;
	}
	return c;
}

static int add_claims(struct assay_proof_verdict *v, struct assay_judged_event *e, const struct assay_runtime_event *ev,
		      struct assay_err *err)
{
	struct assay_claim c = { .kind = e->kind };

	e->first_claim = v->n_claims;
	switch (e->kind) {
	case ASSAY_RUN_DISK:
		c.digest = ev->text;
		if (add_claim(v, &c, err) < 0)
			return -1;
		break;
	case ASSAY_RUN_CONTAINER:
	case ASSAY_RUN_CODE:
	case ASSAY_RUN_WEIGHTS_FILE:
	case ASSAY_RUN_WEIGHTS_TREE:
	case ASSAY_RUN_INPUT:
	case ASSAY_RUN_CONFIGURATION:
		c = claim_of(e->kind, e->content);
		if (add_claim(v, &c, err) < 0)
			return -1;
		break;
	case ASSAY_RUN_OUTPUTS:
		for (size_t i = 0; i < assay_json_len(e->content); i++) {
			c = claim_of(e->kind, assay_json_at(e->content, i));
			if (add_claim(v, &c, err) < 0)
				return -1;
		}
		break;
	default:
		break;
	}
	e->n_claims = v->n_claims - e->first_claim;
	return 0;
}

/* Events of AICert before it had those of today: told, and nothing more is known of them. */
static bool is_early_event(const struct assay_proof *proof, const struct assay_runtime_event *ev)
{
	static const char *const types[] = { "start_build", "pull_image", "git_clone", "build_artifacts" };
	ASSAY_AUTO(assay_json) *o = NULL;
	const char *type;

	if (proof->shape != ASSAY_PROOF_AICERT_0 || assay_json_parse(ev->text, ev->len, &o, NULL) < 0)
		return false;
	type = assay_json_str(assay_json_get(o, "event_type"));
	for (size_t i = 0; type && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

static int read_event(struct assay_proof_verdict *v, size_t i, struct assay_err *err)
{
	const struct assay_cel_record *r = &v->proof->log->records[i];
	struct assay_judged_event *e = &v->events[i];
	struct assay_err own;

	if (assay_runtime_parse(&r->event, &e->kind, &e->content, &own) == 0) {
		e->known = true;
		return add_claims(v, e, &r->event, err);
	}
	if (own.code == ASSAY_E_NOMEM)
		return assay_fail_mem(err);
	if (own.code != ASSAY_E_UNSUPPORTED || !is_early_event(v->proof, &r->event))
		assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_EVENT, "record %" PRIu64 ": %s", r->recnum, own.msg);
	return 0;
}

/* --- the TLS certificate ------------------------------------------------------------------------------ */

static int64_t seconds_of(const ASN1_TIME *t)
{
	struct tm tm;

	return t && ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : -1;
}

static char *subject_of(X509 *x)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p = NULL, *text = NULL;

	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) >= 0) {
		const long n = BIO_get_mem_data(bio, &p);

		text = assay_asprintf("%.*s", (int)n, p ? p : "");
	}
	BIO_free(bio);
	return text;
}

/* The last one that was measured. */
static int read_tls(const struct assay_anchors *anchors, struct assay_proof_verdict *v, struct assay_err *err)
{
	const struct assay_cel *log = v->proof->log;
	ASSAY_AUTO_FREE uint8_t *der = NULL;
	struct assay_err own;
	size_t at = log->n, len;

	while (at > 0 && !(v->events[at - 1].known && v->events[at - 1].kind == ASSAY_RUN_TLS))
		at--;
	if (at == 0)
		return 0;
	const struct assay_runtime_event *ev = &log->records[at - 1].event;
	if (assay_pem_certificate(ev->text, ev->len, &der, &len, &own) < 0) {
		if (own.code == ASSAY_E_NOMEM)
			return assay_fail_mem(err);
		assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_EVENT, "record %zu: %s", at - 1, own.msg);
		return 0;
	}
	const struct assay_part part = { der, len };
	X509 *x = assay_anchors_cert(anchors, der, len);
	if (!x) {
		const bool memory = ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;

		ERR_clear_error();
		if (memory)
			return assay_fail_mem(err);
		assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_EVENT, "record %zu: a certificate that cannot be read", at - 1);
		return 0;
	}
	v->tls_not_before = seconds_of(X509_get0_notBefore(x));
	v->tls_not_after = seconds_of(X509_get0_notAfter(x));
	v->tls_subject = subject_of(x);
	X509_free(x);
	if (!v->tls_subject)
		return assay_fail_mem(err);
	v->has_tls = true;
	return assay_digest_one(ASSAY_SHA256, &part, 1, v->tls_sha256, err);
}

int assay_runtime_read(const struct assay_anchors *anchors, struct assay_proof_verdict *v, struct assay_err *err)
{
	v->n_events = v->proof->log->n;
	v->events = calloc(v->n_events + 1, sizeof(*v->events));
	if (!v->events)
		return assay_fail_mem(err);
	for (size_t i = 0; i < v->n_events; i++)
		if (read_event(v, i, err) < 0)
			return -1;
	return read_tls(anchors, v, err);
}

static int digest_is(const struct assay_proof_verdict *v, const uint8_t *der, size_t len, bool *ret, struct assay_err *err)
{
	const struct assay_part part = { der, len };
	uint8_t digest[32];

	if (assay_digest_one(ASSAY_SHA256, &part, 1, digest, err) < 0)
		return -1;
	*ret = v->has_tls && assay_bytes_equal(digest, v->tls_sha256, sizeof(digest));
	return 0;
}

static int judge_tls(const struct assay_proof_request *request, struct assay_proof_verdict *v, struct assay_err *err)
{
	const struct assay_proof *p = v->proof;
	char text[ASSAY_CLOCK_TEXT];
	bool same;

	if (p->tls.p) {
		if (digest_is(v, p->tls.p, p->tls.len, &same, err) < 0)
			return -1;
		if (!same)
			assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_TLS, "the TLS certificate of the proof is not %s",
					   v->has_tls ? "the last that was measured" : "among what was measured");
	} else if (p->shape == ASSAY_PROOF_1 && v->has_tls) {
		assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_TLS, "a TLS certificate was measured, and the proof is bound to none");
	}
	if (v->has_tls && (request->at < v->tls_not_before || request->at > v->tls_not_after))
		assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_TLS, "the TLS certificate is %s at %s",
				   request->at < v->tls_not_before ? "not valid yet" : "expired", assay_clock_text(request->at, text));
	if (!request->peer)
		return 0;
	if (p->shape != ASSAY_PROOF_1) {
		assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_TLS,
				   "a proof of this shape has the certificate of a CA: it says nothing about a server's own");
		return 0;
	}
	if (digest_is(v, request->peer, request->peer_len, &same, err) < 0)
		return -1;
	if (!same)
		assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_TLS,
				   "the server's TLS certificate is not the one that the machine measured: somebody is in between, or it is of "
				   "another machine");
	return 0;
}

/* --- order --------------------------------------------------------------------------------------------- */

static void judge_order(struct assay_proof_verdict *v)
{
	const struct assay_cel *log = v->proof->log;
	size_t sentinels = 0, disks = 0, first = 0;

	for (size_t i = 0; i < v->n_events; i++) {
		const struct assay_judged_event *e = &v->events[i];

		if (!e->known)
			continue;
		if (e->kind != ASSAY_RUN_DISK && e->kind != ASSAY_RUN_SENTINEL)
			continue;
		/* What is signed is the order within a PCR: in another one the sentinel would close nothing. */
		if (sentinels + disks == 0)
			first = i;
		else if (log->records[i].pcr != log->records[first].pcr)
			assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_ORDER,
					   "record %zu is in PCR %u, record %zu in PCR %u: nothing says which was first", i,
					   log->records[i].pcr, first, log->records[first].pcr);
		if (e->kind == ASSAY_RUN_SENTINEL) {
			if (++sentinels == 2)
				assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_ORDER, "record %zu: the set-up ends a second time", i);
			continue;
		}
		disks++;
		if (sentinels > 0)
			assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_ORDER, "record %zu: a disk after the set-up had ended", i);
	}
	if (disks > 0 && sentinels == 0)
		assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_ORDER, "a disk, and the set-up has not ended: no sentinel");
}

/* --- what is expected ------------------------------------------------------------------------------------ */

static const enum assay_runtime_kind kinds_of[ASSAY_N_EXPECTS][2] = {
	[ASSAY_EXPECT_ROOT_HASH] = { ASSAY_RUN_DISK, ASSAY_RUN_DISK },
	[ASSAY_EXPECT_CONTAINER] = { ASSAY_RUN_CONTAINER, ASSAY_RUN_CONTAINER },
	[ASSAY_EXPECT_INPUT] = { ASSAY_RUN_INPUT, ASSAY_RUN_INPUT },
	[ASSAY_EXPECT_OUTPUT] = { ASSAY_RUN_OUTPUTS, ASSAY_RUN_OUTPUTS },
	[ASSAY_EXPECT_WEIGHTS] = { ASSAY_RUN_WEIGHTS_FILE, ASSAY_RUN_WEIGHTS_TREE },
	[ASSAY_EXPECT_CODE] = { ASSAY_RUN_CODE, ASSAY_RUN_CODE },
	[ASSAY_EXPECT_CONFIGURATION] = { ASSAY_RUN_CONFIGURATION, ASSAY_RUN_CONFIGURATION },
};

static bool same_digest(const char *a, const char *b)
{
	char x[ASSAY_HEX_MAX], y[ASSAY_HEX_MAX];
	enum assay_bank p, q;

	return assay_runtime_hash(a, &p, x) && assay_runtime_hash(b, &q, y) && p == q && strcmp(x, y) == 0;
}

/* The claim is about what is expected; whether it says the same is another matter. */
static bool is_about(const struct assay_expected *e, const struct assay_claim *c)
{
	return (c->kind == kinds_of[e->what][0] || c->kind == kinds_of[e->what][1]) && (!c->name || strcmp(c->name, e->name) == 0);
}

static bool is_as_expected(const struct assay_expected *e, const struct assay_claim *c)
{
	if (e->what == ASSAY_EXPECT_ROOT_HASH)
		return strcmp(e->value, c->digest) == 0;
	return c->fsverity == e->fsverity && same_digest(e->value, c->digest);
}

static const char *const expect_names[ASSAY_N_EXPECTS] = {
	[ASSAY_EXPECT_ROOT_HASH] = "root_hash",	  [ASSAY_EXPECT_CONTAINER] = "container",
	[ASSAY_EXPECT_INPUT] = "input",		  [ASSAY_EXPECT_OUTPUT] = "output",
	[ASSAY_EXPECT_WEIGHTS] = "weights",	  [ASSAY_EXPECT_CODE] = "code",
	[ASSAY_EXPECT_CONFIGURATION] = "configuration", [ASSAY_EXPECT_TLS] = "tls",
	[ASSAY_EXPECT_MANIFEST] = "manifest",
};

/* Whatever the log says about it, it says as expected; and it says something. */
static void judge_claims(const struct assay_expected *e, struct assay_proof_verdict *v)
{
	const struct assay_claim *other = NULL;
	bool found = false;

	for (size_t i = 0; i < v->n_claims; i++) {
		const struct assay_claim *c = &v->claims[i];

		if (!is_about(e, c))
			continue;
		if (is_as_expected(e, c))
			found = true;
		else if (e->what != ASSAY_EXPECT_ROOT_HASH)
			other = c; /* there may be several disks */
	}
	if (other)
		assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_EXPECTED, "%s %s is %s%s, expected is %s%s", expect_names[e->what], e->name,
				   other->fsverity ? "fsverity:" : "", other->digest, e->fsverity ? "fsverity:" : "", e->value);
	else if (!found)
		assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_EXPECTED, "%s%s%s%s%s was expected, and was not measured",
				   expect_names[e->what], *e->name ? " " : "", e->name, *e->name ? ": " : " ", e->value);
}

static void judge_expected(const struct assay_proof_policy *policy, struct assay_proof_verdict *v)
{
	char hex[ASSAY_HEX_MAX], wanted[ASSAY_HEX_MAX];
	enum assay_bank bank;

	for (size_t i = 0; i < policy->n_expected; i++) {
		const struct assay_expected *e = &policy->expected[i];

		if (e->what == ASSAY_EXPECT_MANIFEST) {
			if (v->matched && (!v->boot->name || strcmp(v->boot->name, e->value) != 0))
				assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_EXPECTED, "the manifest is %s, expected is %s",
						   v->boot->name ? v->boot->name : "none", e->value);
		} else if (e->what == ASSAY_EXPECT_TLS) {
			if (!v->has_tls || !assay_runtime_hash(e->value, &bank, wanted) ||
			    strcmp(assay_hex(v->tls_sha256, 32, hex), wanted) != 0)
				assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_EXPECTED, "the TLS certificate is %s%s, expected is %s",
						   v->has_tls ? "sha256:" : "none", v->has_tls ? hex : "", e->value);
		} else {
			judge_claims(e, v);
		}
	}
}

static bool is_expected(const struct assay_proof_policy *policy, const struct assay_claim *c)
{
	for (size_t i = 0; i < policy->n_expected; i++) {
		const struct assay_expected *e = &policy->expected[i];

		if (e->what != ASSAY_EXPECT_TLS && e->what != ASSAY_EXPECT_MANIFEST && is_about(e, c) && is_as_expected(e, c))
			return true;
	}
	return false;
}

/* --- what the manifest knows ------------------------------------------------------------------------------- */

static bool is_known_disk(const struct assay_expectation *boot, const struct assay_claim *c)
{
	for (size_t i = 0; i < boot->n_disks; i++)
		if (strcmp(boot->disks[i], c->digest) == 0)
			return true;
	return false;
}

/* *ret_id: what the manifest has under that name, or NULL. */
static bool is_known_container(const struct assay_expectation *boot, const struct assay_claim *c, const char **ret_id)
{
	*ret_id = NULL;
	for (size_t i = 0; i < boot->n_containers; i++) {
		if (strcmp(boot->containers[i].name, c->name) != 0)
			continue;
		if (same_digest(boot->containers[i].id, c->digest))
			return true;
		*ret_id = boot->containers[i].id;
	}
	return false;
}

bool assay_runtime_fits(const struct assay_proof_policy *policy, const struct assay_expectation *boot, int64_t at,
			struct assay_proof_verdict *v, bool say)
{
	char text[ASSAY_CLOCK_TEXT], limit[ASSAY_CLOCK_TEXT];
	const char *id;
	bool good = true;

	/* An old proof's list of values knows nothing but values. */
	if (!boot->prediction)
		return true;
	if (boot->refused) {
		good = false;
		if (say)
			assay_proof_refuse(v, ASSAY_STEP_BOOT, ASSAY_PROOF_MANIFEST, "the manifest of %s, release %" PRIu64 ": %s", boot->name,
					   boot->release, boot->refused);
	}
	if (at < boot->not_before || at > boot->expires) {
		const bool early = at < boot->not_before;

		good = false;
		if (say)
			assay_proof_refuse(v, ASSAY_STEP_BOOT, ASSAY_PROOF_MANIFEST, "the manifest of %s, release %" PRIu64 ": %s: valid %s %s, judged at %s",
					   boot->name, boot->release, early ? "not-yet-valid" : "expired", early ? "from" : "until",
					   assay_clock_text(early ? boot->not_before : boot->expires, limit), assay_clock_text(at, text));
	}
	if (v->proof->manifest && strcmp(v->proof->manifest, boot->name) != 0) {
		good = false;
		if (say)
			assay_proof_refuse(v, ASSAY_STEP_BOOT, ASSAY_PROOF_HINT, "it matches the manifest of %s, and says that it is for another: %.120s",
					   boot->name, v->proof->manifest);
	}
	for (size_t i = 0; i < v->n_claims; i++) {
		const struct assay_claim *c = &v->claims[i];

		if (c->kind == ASSAY_RUN_DISK && !is_known_disk(boot, c) && !is_expected(policy, c)) {
			good = false;
			if (say)
				assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_DISK,
						   "a disk with root hash %s, which is neither a data disk of the manifest nor expected", c->digest);
		}
		if (c->kind == ASSAY_RUN_CONTAINER && !is_known_container(boot, c, &id) && !is_expected(policy, c)) {
			good = false;
			if (say)
				assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_CONTAINER, "container %s is %s, %s%s", c->name, c->digest,
						   id ? "in the manifest it is " : "which is neither in the manifest nor expected", id ? id : "");
		}
	}
	return good;
}

int assay_runtime_judge(const struct assay_proof_policy *policy, const struct assay_proof_request *request,
			struct assay_proof_verdict *v, struct assay_err *err)
{
	judge_order(v);
	if (judge_tls(request, v, err) < 0)
		return -1;
	judge_expected(policy, v);
	if (v->matched)
		(void)assay_runtime_fits(policy, v->boot, request->at, v, true);
	return 0;
}
