/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's configuration: defaults, each key, what is refused, and memory that runs out. */
#include "attest/config.h"
#include "core/limits.h"
#include "core/text.h"
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"

static struct assay_err err;

static const char full[] = "schema: assay.agent/1\n"
			   "tpm: {tcti: \"swtpm:path=/s\", key: handle, handle: \"0x81010010\", certificates: ak.pem}\n"
			   "banks: [sha1, sha384]\n"
			   "log: /l\n"
			   "firmware_log: /f\n"
			   "pcrs: {disk: 12, sentinel: 12, tls: 11, request: 1, container: 2, code: 3, weights: 4, input: 5,\n"
			   "  configuration: 6, output: 7, timing: 8, compute: 0}\n"
			   "containers: /c\n"
			   "manifest: base\n"
			   "tls: {names: [a, b.example], certificate: /cert, key: /key, owner: 0}\n"
			   "serve: {listen: \"[::1]:1\", queue: 1}\n";

static void test_full(void **state)
{
	static const unsigned plan[] = { 12, 12, 11, 1, 2, 3, 4, 4, 5, 6, 7, 8, 0 };
	ASSAY_AUTO(assay_agent_config) *c = NULL;

	(void)state;
	if (assay_agent_config_parse(full, strlen(full), &c, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(c->tcti, "swtpm:path=/s");
	assert_true(c->has_key);
	assert_int_equal(c->key, ASSAY_AK_HANDLE);
	assert_string_equal(assay_ak_source_name(c->key), "handle");
	assert_int_equal(c->handle, 0x81010010);
	assert_string_equal(c->certificates, "ak.pem");
	assert_int_equal(c->banks, ASSAY_BANK_BIT(ASSAY_SHA1) | ASSAY_BANK_BIT(ASSAY_SHA384));
	assert_string_equal(c->log, "/l");
	assert_string_equal(c->firmware_log, "/f");
	assert_memory_equal(c->pcrs, plan, sizeof(plan));
	assert_string_equal(c->containers, "/c");
	assert_string_equal(c->manifest, "base");
	assert_int_equal(c->n_tls_names, 2);
	assert_string_equal(c->tls_names[1], "b.example");
	assert_string_equal(c->tls_certificate, "/cert");
	assert_string_equal(c->tls_key, "/key");
	assert_int_equal(c->tls_owner, 0);
	assert_string_equal(c->listen, "[::1]:1");
	assert_int_equal(c->queue, 1);
}

/* The plan of docs/PROOF.md. */
static void test_defaults(void **state)
{
	static const unsigned plan[] = { 15, 15, 15, 14, 14, 14, 14, 14, 14, 14, 8, 8, 8 };
	ASSAY_AUTO(assay_agent_config) *a = NULL;
	ASSAY_AUTO(assay_agent_config) *b = NULL;

	(void)state;
	assert_int_equal(assay_agent_config_default(&a, &err), 0);
	assert_int_equal(assay_agent_config_parse("schema: assay.agent/1\n", 22, &b, &err), 0);
	for (const struct assay_agent_config *c = a;; c = b) {
		assert_string_equal(c->tcti, "device:/dev/tpmrm0");
		assert_false(c->has_key);
		assert_int_equal(c->banks, ASSAY_BANK_BIT(ASSAY_SHA256));
		assert_string_equal(c->log, "/run/assay/runtime.cel");
		assert_null(c->firmware_log);
		assert_memory_equal(c->pcrs, plan, sizeof(plan));
		assert_null(c->containers);
		assert_null(c->manifest);
		assert_int_equal(c->n_tls_names, 1);
		assert_string_equal(c->tls_names[0], "localhost");
		assert_string_equal(c->tls_certificate, "/run/assay/tls/cert.pem");
		assert_string_equal(c->tls_key, "/run/assay/tls/key.pem");
		assert_int_equal(c->tls_owner, 65534);
		assert_string_equal(c->listen, "127.0.0.1:8081");
		assert_int_equal(c->queue, 256);
		if (c == b)
			break;
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
		{ "", "" },
		{ "[]", "" },
		{ "tpm: {}\n", "'schema' is missing" },
		{ "schema: assay.agent/2\n", "schema is not assay.agent/1" },
		{ "schema: assay.agent/1\nlogs: /x\n", "line 2: unknown key 'logs'" },
		{ "schema: assay.agent/1\ntpm: {tct: x}\n", "unknown key 'tct' in tpm" },
		{ "schema: assay.agent/1\ntpm: x\n", "tpm" },
		{ "schema: assay.agent/1\ntpm: {key: aws}\n", "line 2: a key is one of azure, gcp, ek, handle" },
		{ "schema: assay.agent/1\ntpm: {key: handle}\n", "needs a 'handle'" },
		{ "schema: assay.agent/1\ntpm: {key: handle, handle: 0x80000000}\n", "0x81" },
		{ "schema: assay.agent/1\ntpm: {handle: 0x181000000}\n", "'handle' is to be a number" },
		{ "schema: assay.agent/1\ntpm: {tcti: \"\"}\n", "'tcti' is empty" },
		{ "schema: assay.agent/1\nbanks: []\n", "not empty" },
		{ "schema: assay.agent/1\nbanks: sha256\n", "a list" },
		{ "schema: assay.agent/1\nbanks: [SHA256]\n", "a bank is one of" },
		{ "schema: assay.agent/1\nbanks: [sha256, sha256]\n", "there twice" },
		{ "schema: assay.agent/1\nbanks: [[sha256]]\n", "no text" },
		{ "schema: assay.agent/1\nlog: runtime.cel\n", "begin with /" },
		{ "schema: assay.agent/1\nlog: [x]\n", "plain value" },
		{ "schema: assay.agent/1\npcrs: {disk: 14}\n", "disk and sentinel have to be one PCR" },
		{ "schema: assay.agent/1\npcrs: {sentinel: 14}\n", "disk and sentinel have to be one PCR" },
		{ "schema: assay.agent/1\npcrs: {output: 16}\n", "0 to 15" },
		{ "schema: assay.agent/1\npcrs: {outputs: 8}\n", "unknown key 'outputs'" },
		{ "schema: assay.agent/1\npcrs: {output: -1}\n", "0 to 15" },
		{ "schema: assay.agent/1\ntls: {names: []}\n", "not empty" },
		{ "schema: assay.agent/1\ntls: {names: [\"\"]}\n", "no text" },
		{ "schema: assay.agent/1\ntls: {owner: 4294967295}\n", "'owner'" },
		{ "schema: assay.agent/1\ntls: {key: key.pem}\n", "begin with /" },
		{ "schema: assay.agent/1\nserve: {queue: 0}\n", "at least 1" },
		{ "schema: assay.agent/1\nserve: {queue: 65537}\n", "'queue'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ASSAY_AUTO(assay_agent_config) *c = NULL;

		if (assay_agent_config_parse(bad[i].text, strlen(bad[i].text), &c, &err) == 0)
			fail_msg("taken: %s", bad[i].text);
		assert_null(c);
		if (!strstr(err.msg, bad[i].words))
			fail_msg("%s: %s", bad[i].text, err.msg);
	}
}

static void test_ceilings(void **state)
{
	(void)state;
	for (unsigned n = ASSAY_AGENT_MAX_NAMES - 1; n <= ASSAY_AGENT_MAX_NAMES + 1; n++) {
		ASSAY_AUTO(assay_agent_config) *c = NULL;
		struct assay_str s = { 0 };

		assay_str_add(&s, "schema: assay.agent/1\ntls: {names: [a");
		for (unsigned i = 1; i < n; i++)
			assay_str_add(&s, ", a%u", i);
		assay_str_add(&s, "]}\n");
		assert_int_equal(assay_agent_config_parse(s.p, s.len, &c, &err), n > ASSAY_AGENT_MAX_NAMES ? -1 : 0);
		if (n > ASSAY_AGENT_MAX_NAMES)
			assert_int_equal(err.code, ASSAY_E_LIMIT);
		assay_str_clear(&s);
	}
	for (unsigned n = ASSAY_AGENT_MAX_QUEUE - 1; n <= ASSAY_AGENT_MAX_QUEUE + 1; n++) {
		ASSAY_AUTO(assay_agent_config) *c = NULL;
		char text[80];

		snprintf(text, sizeof(text), "schema: assay.agent/1\nserve: {queue: %u}\n", n);
		assert_int_equal(assay_agent_config_parse(text, strlen(text), &c, &err), n > ASSAY_AGENT_MAX_QUEUE ? -1 : 0);
	}
}

/* Cut anywhere it is refused, or says less; nothing else may come of it. */
static void test_cut(void **state)
{
	(void)state;
	for (size_t n = 0; n < strlen(full); n++) {
		ASSAY_AUTO(assay_agent_config) *c = NULL;

		if (assay_agent_config_parse(full, n, &c, &err) < 0)
			assert_null(c);
		else
			assert_non_null(c->listen);
	}
}

static int parse_full(struct assay_err *e)
{
	ASSAY_AUTO(assay_agent_config) *c = NULL;

	return assay_agent_config_parse(full, strlen(full), &c, e);
}

static int defaults(struct assay_err *e)
{
	ASSAY_AUTO(assay_agent_config) *c = NULL;

	return assay_agent_config_default(&c, e);
}

static void test_memory(void **state)
{
	(void)state;
	unit_alloc_each(parse_full, true);
	unit_alloc_each(defaults, true);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_full),	 cmocka_unit_test(test_defaults), cmocka_unit_test(test_refused),
	cmocka_unit_test(test_ceilings), cmocka_unit_test(test_cut),	  cmocka_unit_test(test_memory),
};

UNIT_MAIN(tests)
