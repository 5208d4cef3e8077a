/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One good proof (tests/corpus/proof, made by tests/cli/make_proof.py), and what becomes of it: cut at each length, each of
 * many mutations, out of memory, in many threads. What each refusal is for is in tests/cli/verify.bats.
 */
#include <pthread.h>

#include "api/verify_priv.h"
#include "tests/unit/alloc.h"

#define AT 1795348800 /* 2026-11-22 */

static char *good;
static size_t good_len;
static struct assay_api_policy *policy;

static char *read_file(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "rb");
	char *p = malloc(1 << 20);

	if (!f || !p)
		fail_msg("%s", path);
	*ret_len = fread(p, 1, 1 << 20, f);
	fclose(f);
	return p;
}

/* The proof's own values are the list that it is held against. */
static struct assay_api_policy *make_policy(const char *proof, size_t len, int log_pcr)
{
	struct assay_api_policy *p;
	struct assay_proof *parsed;
	struct assay_err err;
	bool is_json;

	assert_int_equal(assay_api_policy_new(&p, &err), 0);
	if (assay_api_add_trust(p, "tests/corpus/ak_chain/root.pem", &err) < 0 ||
	    assay_proof_parse(proof, len, log_pcr, &parsed, &is_json, &err) < 0)
		fail_msg("%s", err.msg);
	p->values = calloc(1, sizeof(*p->values));
	p->boots = calloc(1, sizeof(*p->boots));
	*p->values = parsed->pcrs;
	/* What the log goes into is zero at the end of the boot. */
	for (size_t i = 0; i < parsed->log->n; i++)
		memset(p->values->v[ASSAY_SHA256][parsed->log->records[i].pcr], 0, 32);
	p->boots[0].values = p->values;
	p->n_boots = 1;
	if (log_pcr >= 0)
		assert_int_equal(assay_api_set_log_pcr(p, (unsigned)log_pcr, &err), 0);
	assay_proof_free(&parsed);
	return p;
}

static int setup(void **state)
{
	(void)state;
	good = read_file("tests/corpus/proof/good.json", &good_len);
	policy = make_policy(good, good_len, -1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assay_api_policy_free(&policy);
	free(good);
	return 0;
}

/* 1: verified; 0: refused; -1: nothing could be said. */
static int judge(const char *text, size_t len)
{
	const struct assay_proof_request request = { .at = AT };
	ASSAY_AUTO(assay_proof_verdict) *v = NULL;
	struct assay_err err;

	if (assay_api_verify(policy, text, len, &request, &v, &err) < 0)
		return -1;
	assert_true(assay_proof_verified(v) || (v->n_reasons > 0 && *v->reasons[0].text));
	return assay_proof_verified(v);
}

static void test_good(void **state)
{
	static const char *const files[] = { "good", "aicert", "aicert-early", "blindllama" };
	const struct assay_proof_request request = { .at = AT };

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		ASSAY_AUTO(assay_proof_verdict) *v = NULL;
		ASSAY_AUTO(assay_json) *json = NULL;
		char path[80];
		struct assay_err err;
		size_t len;

		snprintf(path, sizeof(path), "tests/corpus/proof/%s.json", files[i]);
		char *text = read_file(path, &len);
		struct assay_api_policy *p = make_policy(text, len, -1);

		if (assay_api_verify(p, text, len, &request, &v, &err) < 0)
			fail_msg("%s: %s", path, err.msg);
		if (!assay_proof_verified(v))
			fail_msg("%s: %s", path, v->reasons[0].text);
		json = assay_proof_verdict_json(v);
		assert_non_null(json);
		assay_proof_verdict_free(&v);
		assay_api_policy_free(&p);
		free(text);
	}
}

static void test_cut(void **state)
{
	(void)state;
	/* The newline at the end is all that may be missing. */
	for (size_t n = 0; n < good_len - 1; n++) {
		ASSAY_AUTO_FREE char *copy = malloc(n + 1);

		memcpy(copy, good, n);
		assert_int_not_equal(judge(copy, n), 1);
	}
	assert_int_equal(judge(good, good_len - 1), 1);
}

/* What it says, whatever the blanks; the hint at a manifest, which a list of values cannot contradict, left out. */
static bool same_json(const char *text, size_t len)
{
	ASSAY_AUTO(assay_json) *a = NULL;
	ASSAY_AUTO(assay_json) *b = NULL;
	struct assay_err err;

	if (assay_json_parse(text, len, &a, &err) < 0 || assay_json_parse(good, good_len, &b, &err) < 0)
		return false;
	assay_json_remove(a, "manifest");
	assay_json_remove(b, "manifest");
	return assay_json_equal(a, b);
}

static void test_mutations(void **state)
{
	ASSAY_AUTO_FREE char *copy = malloc(good_len + 16);
	uint32_t seed = 1;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		size_t len = good_len, at, n;

		memcpy(copy, good, good_len);
		for (unsigned k = 0; k <= i % 3; k++) {
			seed = seed * 1664525 + 1013904223;
			at = (seed >> 8) % len;
			n = 1 + (seed >> 28) % 8;
			switch (seed >> 5 & 3) {
			case 0:
				copy[at] = (char)(copy[at] ^ 1 << (seed & 7));
				break;
			case 1:
				copy[at] = "0123456789abcdefABCDEF\"{}[],:+/="[seed >> 3 & 31];
				break;
			case 2:
				n = n < len - at ? n : len - at;
				memmove(copy + at, copy + at + n, len - at - n);
				len -= n;
				break;
			default:
				if (len + n <= good_len + 16) {
					memmove(copy + at + n, copy + at, len - at);
					len += n;
				}
			}
		}
		for (at = 0; at < len && at < good_len && copy[at] == good[at];)
			at++;
		if (judge(copy, len) == 1 && !same_json(copy, len))
			fail_msg("mutation %u is accepted, at %zu: %.*s", i, at, 60, copy + (at < 30 ? 0 : at - 30));
	}
}

static int verify_once(struct assay_err *err)
{
	const struct assay_proof_request request = { .at = AT };
	ASSAY_AUTO(assay_proof_verdict) *v = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;

	if (assay_api_verify(policy, good, good_len, &request, &v, err) < 0)
		return -1;
	/* Memory that OpenSSL lacked may look like a bad certificate; never like a good proof that is none. */
	if (!assay_proof_verified(v))
		return assay_fail(err, ASSAY_E_CRYPTO, ASSAY_NO_OFFSET, "%s", v->reasons[0].text);
	json = assay_proof_verdict_json(v);
	return json ? 0 : assay_fail_mem(err);
}

static void test_out_of_memory(void **state)
{
	(void)state;
	unit_alloc_each(verify_once, false);
}

static void *many(void *arg)
{
	long *bad = arg;

	for (int i = 0; i < 50; i++)
		*bad += judge(good, good_len) != 1;
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[4];
	long bad[4] = { 0 };

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, many, &bad[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(bad[i], 0);
	}
}

static void test_expected(void **state)
{
	static const struct {
		const char *text;
		enum assay_expect what;
		const char *name;
	} rows[] = {
		{ "input:a=b=sha1:0000000000000000000000000000000000000001", ASSAY_EXPECT_INPUT, "a=b" },
		{ "container:@local/x:1=sha256:0000000000000000000000000000000000000000000000000000000000000001", ASSAY_EXPECT_CONTAINER,
		  "@local/x:1" },
		{ "manifest=base", ASSAY_EXPECT_MANIFEST, "" },
		{ "weights:w=fsverity:sha256:0000000000000000000000000000000000000000000000000000000000000001", ASSAY_EXPECT_WEIGHTS, "w" },
	};
	static const char *const wrong[] = { "", "=", "input", "input=", "input:=x", "input:a=sha256:00", "tls:x=sha256:00", "manifest=",
					     "nothing=1", "root_hash=AA", "output:a=sha1:0000000000000000000000000000000000000001" };
	struct assay_expected e;
	struct assay_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(assay_expected_parse(rows[i].text, &e, &err), 0);
		assert_int_equal(e.what, rows[i].what);
		assert_string_equal(e.name, rows[i].name);
		assay_expected_clear(&e);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(assay_expected_parse(wrong[i], &e, &err), -1);
		assert_int_equal(err.code, ASSAY_E_USAGE);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_good),	      cmocka_unit_test(test_cut),     cmocka_unit_test(test_mutations),
	cmocka_unit_test(test_out_of_memory), cmocka_unit_test(test_threads), cmocka_unit_test(test_expected),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
