/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts: who counts, every refusal, every byte of an envelope changed, and running out of memory. */
#include <ctype.h>

#include "core/base64.h"
#include "core/limits.h"
#include "tests/unit/alloc.h"
#include "tests/unit/sign_build.h"

static struct assay_err err;
static struct sign_pair alice, bob, carol;
static const struct assay_key *keys[3]; /* alice's, bob's, carol's */

static int setup(void **state)
{
	(void)state;
	sign_pair(&alice, "ED25519");
	sign_pair(&bob, "P-256");
	sign_pair(&carol, "RSA");
	keys[0] = alice.key;
	keys[1] = bob.key;
	keys[2] = carol.key;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sign_pair_free(&alice);
	sign_pair_free(&bob);
	sign_pair_free(&carol);
	return 0;
}

static struct assay_verify_policy policy_of(size_t n, unsigned threshold)
{
	return (struct assay_verify_policy){ .keys = keys, .n_keys = n, .threshold = threshold, .at = SIGN_AT };
}

static struct assay_verdict *judge(const char *text, size_t len, const struct assay_verify_policy *p)
{
	struct assay_verdict *v;

	if (assay_manifest_verify(text, len, p, &v, &err) < 0)
		fail_msg("%s", err.msg);
	return v;
}

static void expect(const char *text, size_t len, const struct assay_verify_policy *p, enum assay_refusal refusal,
		   unsigned counted)
{
	ASSAY_AUTO(assay_verdict) *v = judge(text, len, p);

	if (v->refusal != refusal || v->counted != counted)
		fail_msg("%s: %s, %u counted, expected %s, %u", assay_refusal_name(v->refusal), v->reason, v->counted,
			 assay_refusal_name(refusal), counted);
	assert_int_equal(*v->reason == '\0', refusal == ASSAY_REFUSED_NOT);
}

static char *both_text(size_t *len)
{
	struct sign_pair *const both[] = { &alice, &bob };

	return sign_text(ASSAY_INTOTO_PAYLOAD, sign_statement, both, 2, len);
}

static void test_threshold(void **state)
{
	struct sign_pair *const twice[] = { &bob, &bob };
	struct assay_verify_policy p = policy_of(3, 2);
	size_t len, twice_len;
	ASSAY_AUTO_FREE char *text = both_text(&len);
	ASSAY_AUTO_FREE char *doubled = sign_text(ASSAY_INTOTO_PAYLOAD, sign_statement, twice, 2, &twice_len);
	ASSAY_AUTO_FREE char *none = sign_text(ASSAY_INTOTO_PAYLOAD, sign_statement, NULL, 0, &len);
	const size_t none_len = len;

	(void)state;
	len = strlen(text);
	expect(text, len, &p, ASSAY_REFUSED_NOT, 2);
	p.threshold = 3;
	expect(text, len, &p, ASSAY_REFUSED_THRESHOLD, 2);
	p = policy_of(1, 1);
	expect(text, len, &p, ASSAY_REFUSED_NOT, 1);
	/* ECDSA signs the same bytes differently each time; the key is one. */
	p = policy_of(2, 1);
	expect(doubled, twice_len, &p, ASSAY_REFUSED_NOT, 1);
	p.threshold = 2;
	expect(doubled, twice_len, &p, ASSAY_REFUSED_THRESHOLD, 1);
	/* The same key given twice. */
	const struct assay_key *again[] = { bob.key, bob.key };
	p.keys = again;
	expect(doubled, twice_len, &p, ASSAY_REFUSED_THRESHOLD, 1);
	p = policy_of(1, 1);
	expect(doubled, twice_len, &p, ASSAY_REFUSED_KEY, 0);
	expect(none, none_len, &p, ASSAY_REFUSED_UNSIGNED, 0);
	expect(sign_statement, strlen(sign_statement), &p, ASSAY_REFUSED_UNSIGNED, 0);
}

static void test_manifest(void **state)
{
	struct assay_verify_policy p = policy_of(2, 2);
	size_t len;
	ASSAY_AUTO_FREE char *text = both_text(&len);
	ASSAY_AUTO(assay_verdict) *v = judge(text, len, &p);

	(void)state;
	assert_string_equal(v->manifest->name, "base");
	assert_int_equal(v->manifest->release, 7);
	assert_int_equal(v->sigs[0].given, 0);
	assert_int_equal(v->sigs[1].given, 1);
	assert_string_equal(v->sigs[1].key, bob.key->id);
	p.name = "base";
	p.min_release = 7;
	expect(text, len, &p, ASSAY_REFUSED_NOT, 2);
	p.name = "bas";
	expect(text, len, &p, ASSAY_REFUSED_NAME, 2);
	p.name = NULL;
	p.min_release = 8;
	expect(text, len, &p, ASSAY_REFUSED_RELEASE, 2);
	p.min_release = 0;
	for (int d = -1; d <= 1; d++) {
		p.at = SIGN_FROM + d;
		expect(text, len, &p, d < 0 ? ASSAY_REFUSED_EARLY : ASSAY_REFUSED_NOT, 2);
		p.at = SIGN_UNTIL + d;
		expect(text, len, &p, d > 0 ? ASSAY_REFUSED_EXPIRED : ASSAY_REFUSED_NOT, 2);
	}
}

/* Signed, and not what is known here: no verdict. Not signed: nobody looks. */
static void test_payload(void **state)
{
	static const struct {
		const char *type, *payload;
		enum assay_code code;
	} rows[] = {
		{ "application/json", sign_statement, ASSAY_E_UNSUPPORTED },
		{ ASSAY_INTOTO_PAYLOAD, "{}", ASSAY_E_CORRUPT },
		{ ASSAY_INTOTO_PAYLOAD, "{\"_type\":\"https://in-toto.io/Statement/v2\"}", ASSAY_E_UNSUPPORTED },
		{ ASSAY_INTOTO_PAYLOAD, "{\"_type\":\"a\",\"_type\":\"a\"}", ASSAY_E_CORRUPT },
		{ ASSAY_INTOTO_PAYLOAD, "", ASSAY_E_CORRUPT },
	};
	const struct assay_verify_policy p = policy_of(1, 1);
	struct sign_pair *const good[] = { &alice }, *const bad[] = { &bob };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t good_len, bad_len;
		ASSAY_AUTO_FREE char *a = sign_text(rows[i].type, rows[i].payload, good, 1, &good_len);
		ASSAY_AUTO_FREE char *b = sign_text(rows[i].type, rows[i].payload, bad, 1, &bad_len);
		struct assay_verdict *v;

		assert_int_equal(assay_manifest_verify(a, good_len, &p, &v, &err), -1);
		assert_int_equal(err.code, rows[i].code);
		expect(b, bad_len, &p, ASSAY_REFUSED_KEY, 0);
	}
}

/* --- what nothing signs -------------------------------------------------------------------------- */

/* An envelope of the statement with one signature of alice's, one of bob's, both as told. */
struct hint {
	const char *keyid; /* NULL: the key's own */
	const char *cert;
	bool broken;
};

static char *hinted(const struct hint *a, const struct hint *b, const char *member, size_t *ret_len)
{
	ASSAY_AUTO(assay_envelope) *env = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO_FREE uint8_t *pae = NULL;
	struct sign_pair *const pairs[] = { &alice, &bob };
	const struct hint *const hints[] = { a, b };
	size_t pae_len;
	char *text = NULL;

	assert_int_equal(assay_envelope_new(ASSAY_INTOTO_PAYLOAD, sign_statement, strlen(sign_statement), &env, &err), 0);
	assert_int_equal(assay_envelope_pae(env, &pae, &pae_len, &err), 0);
	for (size_t i = 0; i < 2; i++) {
		ASSAY_AUTO_FREE uint8_t *sig = NULL;
		size_t len;

		if (!hints[i])
			continue;
		assert_int_equal(assay_signer_sign(pairs[i]->signer, pae, pae_len, &sig, &len, &err), 0);
		sig[len - 1] ^= hints[i]->broken;
		assert_int_equal(assay_envelope_add(env, hints[i]->keyid ? hints[i]->keyid : pairs[i]->key->id, sig, len,
						    hints[i]->cert, &err),
				 0);
	}
	json = assay_envelope_json(env);
	if (member)
		assay_json_set_str(json, member, "x");
	assert_int_equal(assay_json_dump(json, &text, ret_len, &err), 0);
	return text;
}

static void test_hints(void **state)
{
	const struct hint plain = { 0 }, nameless = { .keyid = "" }, other = { .keyid = bob.key->id },
			  foreign = { .keyid = "SHA256:abc" }, cert = { .cert = "x" }, broken = { .broken = true },
			  broken_nameless = { .keyid = "", .broken = true };
	static const struct hint *const none;
	const struct {
		const struct hint *a, *b;
		const char *member;
		enum assay_refusal strict, lenient;
		unsigned strict_n, lenient_n;
	} rows[] = {
		{ &plain, none, NULL, ASSAY_REFUSED_NOT, ASSAY_REFUSED_NOT, 1, 1 },
		{ &nameless, none, NULL, ASSAY_REFUSED_NOT, ASSAY_REFUSED_NOT, 1, 1 },
		{ &other, none, NULL, ASSAY_REFUSED_EXTRA, ASSAY_REFUSED_NOT, 0, 1 },
		{ &foreign, none, NULL, ASSAY_REFUSED_EXTRA, ASSAY_REFUSED_NOT, 0, 1 },
		{ &cert, none, NULL, ASSAY_REFUSED_EXTRA, ASSAY_REFUSED_NOT, 0, 1 },
		{ &plain, none, "x", ASSAY_REFUSED_EXTRA, ASSAY_REFUSED_NOT, 1, 1 },
		{ &broken, none, NULL, ASSAY_REFUSED_SIGNATURE, ASSAY_REFUSED_KEY, 0, 0 },
		{ &broken_nameless, none, NULL, ASSAY_REFUSED_KEY, ASSAY_REFUSED_KEY, 0, 0 },
		/* A second one that claims to be of a given key, or is by one and says otherwise, spoils it. */
		{ &plain, &broken, NULL, ASSAY_REFUSED_SIGNATURE, ASSAY_REFUSED_NOT, 1, 1 },
		{ &plain, &foreign, NULL, ASSAY_REFUSED_EXTRA, ASSAY_REFUSED_NOT, 1, 2 },
		{ &plain, &broken_nameless, NULL, ASSAY_REFUSED_NOT, ASSAY_REFUSED_NOT, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct assay_verify_policy p = policy_of(2, 1);
		size_t len;
		ASSAY_AUTO_FREE char *text = hinted(rows[i].a, rows[i].b, rows[i].member, &len);

		expect(text, len, &p, rows[i].strict, rows[i].strict_n);
		p.ignore_unsigned = true;
		expect(text, len, &p, rows[i].lenient, rows[i].lenient_n);
	}
}

/* --- every byte ---------------------------------------------------------------------------------- */

static bool same_envelope(const struct assay_envelope *a, const struct assay_envelope *b)
{
	if (strcmp(a->payload_type, b->payload_type) != 0 || a->payload_len != b->payload_len ||
	    memcmp(a->payload, b->payload, a->payload_len) != 0 || a->n_sigs != b->n_sigs || a->unknown || b->unknown)
		return false;
	for (size_t i = 0; i < a->n_sigs; i++)
		if (strcmp(a->sigs[i].keyid, b->sigs[i].keyid) != 0 || a->sigs[i].sig_len != b->sigs[i].sig_len ||
		    memcmp(a->sigs[i].sig, b->sigs[i].sig, a->sigs[i].sig_len) != 0 ||
		    strcmp(a->sigs[i].cert ? a->sigs[i].cert : "", b->sigs[i].cert ? b->sigs[i].cert : "") != 0)
			return false;
	return true;
}

/*
 * Each byte changed in each bit, and what is no letter or digit to each other value: nothing is accepted but what says
 * the same.
 */
static void test_every_byte(void **state)
{
	const struct assay_verify_policy p = policy_of(2, 2);
	size_t len, accepted = 0, tried = 0;
	ASSAY_AUTO_FREE char *text = both_text(&len);
	ASSAY_AUTO(assay_envelope) *env = NULL;

	(void)state;
	assert_int_equal(assay_envelope_parse(text, len, &env, &err), 0);
	for (size_t i = 0; i < len; i++) {
		const char was = text[i];

		for (unsigned c = 1; c < 256; c = isalnum((unsigned char)was) ? c << 1 : c + 1) {
			ASSAY_AUTO(assay_verdict) *v = NULL;

			text[i] = (char)(was ^ (int)c);
			tried++;
			if (assay_manifest_verify(text, len, &p, &v, &err) < 0 || v->refusal != ASSAY_REFUSED_NOT)
				continue;
			accepted++;
			if (!same_envelope(env, v->env))
				fail_msg("byte %zu: '%c' for '%c' is accepted", i, text[i], was);
			assert_true(strchr(" \t\r\n+/-_", was) && strchr(" \t\r\n+/-_", text[i]));
		}
		text[i] = was;
	}
	expect(text, len, &p, ASSAY_REFUSED_NOT, 2);
	print_message("# %zu changes, %zu accepted: white space, or Base64's other alphabet\n", tried, accepted);
}

static void test_cuts(void **state)
{
	const struct assay_verify_policy p = policy_of(2, 1);
	size_t len;
	ASSAY_AUTO_FREE char *text = both_text(&len);
	struct assay_verdict *v;

	(void)state;
	/* Its last byte is a newline. */
	for (size_t cut = 0; cut < len - 1; cut++) {
		ASSAY_AUTO_FREE char *copy = malloc(cut + 1);

		memcpy(copy, text, cut);
		assert_int_equal(assay_manifest_verify(copy, cut, &p, &v, &err), -1);
	}
}

static char *memory_text;
static size_t memory_len;

static int verify_once(struct assay_err *e)
{
	const struct assay_verify_policy p = policy_of(2, 2);
	ASSAY_AUTO(assay_verdict) *v = NULL;

	if (assay_manifest_verify(memory_text, memory_len, &p, &v, e) < 0)
		return -1;
	/* OpenSSL cannot always say that it is out of memory; then a signature is not good. Never the other way. */
	if (v->refusal == ASSAY_REFUSED_NOT)
		return 0;
	assert_true(v->refusal == ASSAY_REFUSED_SIGNATURE);
	return assay_fail(e, ASSAY_E_CRYPTO, ASSAY_NO_OFFSET, "%s", v->reason);
}

static void test_memory(void **state)
{
	(void)state;
	memory_text = both_text(&memory_len);
	unit_alloc_each(verify_once, false); /* OpenSSL keeps some for later */
	free(memory_text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threshold), cmocka_unit_test(test_manifest), cmocka_unit_test(test_payload),
		cmocka_unit_test(test_hints), cmocka_unit_test(test_every_byte), cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
