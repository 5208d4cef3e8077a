/* SPDX-License-Identifier: Apache-2.0 */
/* Runtime events: what is extended, the shapes of what they say, and their words. */
#include "core/limits.h"
#include "tests/unit/alloc.h"
#include "tests/unit/unit.h"
#include "tpm/runtime.h"

static struct assay_err err;

static struct assay_runtime_event event_of(enum assay_carrier carrier, const char *text)
{
	return (struct assay_runtime_event){ carrier, text, strlen(text) };
}

/* printf '%s' TEXT | sha1sum, sha256sum, … */
static void test_digests(void **state)
{
	static const char root[] = "a591a6d40bf420404a011733cfb7b190d62c65bf0bcda32b57b277d9ad9f146e";
	struct assay_runtime_event ev = event_of(ASSAY_CARRY_EVENT, "Hello World");
	struct assay_digests d;
	char hex[ASSAY_HEX_MAX];

	(void)state;
	assert_int_equal(assay_runtime_digests(&ev, ASSAY_ALL_BANKS, &d, &err), 0);
	assert_int_equal(d.banks, ASSAY_ALL_BANKS);
	assert_string_equal(assay_hex(d.d[ASSAY_SHA1], 20, hex), "0a4d55a8d778e5022fab701977c5d840bbc486d0");
	assert_string_equal(assay_hex(d.d[ASSAY_SHA256], 32, hex), root);

	/* Itself in the bank of its size; sha1 of its 32 bytes in another. */
	ev = event_of(ASSAY_CARRY_ROOT_HASH, root);
	assert_int_equal(assay_runtime_digests(&ev, ASSAY_BANK_BIT(ASSAY_SHA1) | ASSAY_BANK_BIT(ASSAY_SHA256), &d, &err), 0);
	assert_string_equal(assay_hex(d.d[ASSAY_SHA256], 32, hex), root);
	assert_string_equal(assay_hex(d.d[ASSAY_SHA1], 20, hex), "76009775d239cbd4a5f6b895174ea17814a7c5b4");

	ev = event_of(ASSAY_CARRY_SENTINEL, "");
	assert_int_equal(assay_runtime_digests(&ev, ASSAY_ALL_BANKS, &d, &err), 0);
	for (size_t i = 0; i < sizeof(d.d); i++)
		assert_int_equal(((const uint8_t *)d.d)[i], 0);
}

static void refused(enum assay_carrier carrier, const char *text, enum assay_code code)
{
	const struct assay_runtime_event ev = event_of(carrier, text);

	if (assay_runtime_parse(&ev, NULL, NULL, &err) == 0)
		fail_msg("taken: %s", text);
	if (err.code != code)
		fail_msg("code %d, %s: %s", (int)err.code, err.msg, text);
}

static void test_carriers_refused(void **state)
{
	static const char root[] = "a591a6d40bf420404a011733cfb7b190d62c65bf0bcda32b57b277d9ad9f146e";
	char cut[sizeof(root) + 1];

	(void)state;
	for (size_t n = 0; n < sizeof(root) - 1; n++) {
		if (n == 40)
			continue; /* that of a bank, too */
		memcpy(cut, root, n);
		cut[n] = '\0';
		refused(ASSAY_CARRY_ROOT_HASH, cut, ASSAY_E_CORRUPT);
	}
	memcpy(cut, root, sizeof(root));
	cut[0] = 'A';
	refused(ASSAY_CARRY_ROOT_HASH, cut, ASSAY_E_CORRUPT);
	cut[0] = 'g';
	refused(ASSAY_CARRY_ROOT_HASH, cut, ASSAY_E_CORRUPT);
	memset(cut, '0', sizeof(root) - 1);
	refused(ASSAY_CARRY_ROOT_HASH, cut, ASSAY_E_CORRUPT);
	refused(ASSAY_CARRY_SENTINEL, " ", ASSAY_E_CORRUPT);
	refused(ASSAY_CARRY_CERTIFICATE, "", ASSAY_E_CORRUPT);
	refused(ASSAY_CARRY_CERTIFICATE, "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", ASSAY_E_CORRUPT);
	refused(ASSAY_CARRY_CERTIFICATE, "-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n\n", ASSAY_E_CORRUPT);
	refused(ASSAY_CARRY_CERTIFICATE, "-----BEGIN CERTIFICATE-----\nYWJ\n-----END CERTIFICATE-----\n", ASSAY_E_CORRUPT);
	refused(ASSAY_CARRY_CERTIFICATE, " -----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n", ASSAY_E_CORRUPT);
	refused(ASSAY_CARRY_CERTIFICATE,
		"-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n"
		"-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n", ASSAY_E_CORRUPT);
}

#define H "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define EVENT(type, content) "{\"event_type\": \"" type "\", \"content\": " content "}"

/* One of each kind, and its words. The AICert ones have the form of its published samples. */
static const struct {
	enum assay_carrier carrier;
	enum assay_runtime_kind kind;
	const char *text, *words;
} good[] = {
	{ ASSAY_CARRY_ROOT_HASH, ASSAY_RUN_DISK, H, "application disk, root hash " H },
	{ ASSAY_CARRY_SENTINEL, ASSAY_RUN_SENTINEL, "", "the set-up has ended" },
	{ ASSAY_CARRY_CERTIFICATE, ASSAY_RUN_TLS, "-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n",
	  "TLS certificate, fingerprint sha256:" H },
	{ ASSAY_CARRY_CERTIFICATE, ASSAY_RUN_TLS, "-----BEGIN CERTIFICATE-----\r\nYW\nJj\r\n-----END CERTIFICATE-----",
	  "TLS certificate, fingerprint sha256:" H },
	{ ASSAY_CARRY_EVENT, ASSAY_RUN_REQUEST, EVENT("build_request", "{\"b\": 1.50, \"a\": \"\\u001b[2J\"}"),
	  "request {\"a\":\"\\u001b[2J\",\"b\":\"1.50\"}" },
	{ ASSAY_CARRY_EVENT, ASSAY_RUN_CONTAINER,
	  EVENT("input_image", "{\"spec\":{\"image_name\":\"@local/caddy:1\"},\"resolved\":{\"id\":\"sha256:" H "\"}}"),
	  "container @local/caddy:1 is sha256:" H },
	{ ASSAY_CARRY_EVENT, ASSAY_RUN_CODE,
	  EVENT("server_code", "{\"spec\":{\"path\":\"/srv\"},\"resolved\":{\"hash\":\"sha256:" H "\",\"files\":12}}"),
	  "server code /srv: 12 files, sha256:" H },
	{ ASSAY_CARRY_EVENT, ASSAY_RUN_WEIGHTS_FILE,
	  EVENT("weights_file", "{\"spec\":{\"path\":\"/m\"},\"resolved\":{\"hash\":\"sha256:" H "\",\"size\":3}}"),
	  "weights /m: 3 bytes, sha256:" H },
	{ ASSAY_CARRY_EVENT, ASSAY_RUN_WEIGHTS_FILE,
	  EVENT("weights_file", "{\"spec\":{\"path\":\"/m\"},\"resolved\":{\"fsverity\":\"sha256:" H "\",\"size\":3}}"),
	  "weights /m: 3 bytes, fs-verity sha256:" H },
	{ ASSAY_CARRY_EVENT, ASSAY_RUN_WEIGHTS_TREE,
	  EVENT("weights_tree", "{\"spec\":{\"path\":\"/m\"},\"resolved\":{\"hash\":\"sha256:" H "\",\"files\":1}}"),
	  "weights /m: 1 file, sha256:" H },
	{ ASSAY_CARRY_EVENT, ASSAY_RUN_WEIGHTS_TREE,
	  EVENT("weights_tree", "{\"spec\":{\"path\":\"/m\"},\"resolved\":{\"fsverity\":\"sha256:" H "\",\"files\":2}}"),
	  "weights /m: 2 files, fs-verity sha256:" H },
	{ ASSAY_CARRY_EVENT, ASSAY_RUN_INPUT,
	  EVENT("input_resource", "{\"spec\": {\"resource_proto\": {\"resource_type\": \"model\", \"repo\": \"https://h.example/T\", "
				  "\"hash\": \"036fa4651240b9a1487f709833b9e4b96b4c1574\", \"path\": \"model/T\"}}, \"resolved\": "
				  "{\"hash\": \"sha1:b'036fa4651240b9a1487f709833b9e4b96b4c1574\\\\n'\"}}"),
	  "input model model/T from https://h.example/T at 036fa4651240b9a1487f709833b9e4b96b4c1574: "
	  "sha1:036fa4651240b9a1487f709833b9e4b96b4c1574" },
	{ ASSAY_CARRY_EVENT, ASSAY_RUN_INPUT,
	  EVENT("input_resource", "{\"spec\":{\"resource_proto\":{\"resource_type\":\"dataset\",\"path\":\"d\"}},"
				  "\"resolved\":{\"hash\":\"sha256:" H "\"}}"),
	  "input dataset d: sha256:" H },
	{ ASSAY_CARRY_EVENT, ASSAY_RUN_CONFIGURATION,
	  EVENT("configuration", "{\"spec\":{\"path\":\"c.yaml\"},\"resolved\":{\"hash\":\"sha256:" H "\"}}"),
	  "configuration c.yaml: sha256:" H },
	{ ASSAY_CARRY_EVENT, ASSAY_RUN_CONFIGURATION,
	  EVENT("axolotl_configuration", "{\"spec\": {\"config_file\": {\"learning_rate\": 0.0002, \"fsdp\": null}}, "
					 "\"resolved\": {\"hash\": \"" H "\"}}"),
	  "configuration: sha256:" H },
	{ ASSAY_CARRY_EVENT, ASSAY_RUN_OUTPUTS,
	  EVENT("outputs", "[{\"spec\": {\"path\": \"a.zip\"}, \"resolved\": {\"hash\": \"" H "\"}},"
			   "{\"spec\": {\"path\": \"b\"}, \"resolved\": {\"hash\": \"sha256:" H "\"}}]"),
	  "output a.zip: sha256:" H ", output b: sha256:" H },
	{ ASSAY_CARRY_EVENT, ASSAY_RUN_TIMING, EVENT("timing", "{\"finetune_time\": 12.75}"), "it took 12.75 seconds" },
	{ ASSAY_CARRY_EVENT, ASSAY_RUN_COMPUTE, EVENT("compute_consumed", "{\"total_flos\": 1.5e+17}"),
	  "compute consumed: 1.5e+17 floating-point operations" },
	{ ASSAY_CARRY_EVENT, ASSAY_RUN_COMPUTE, EVENT("compute_consumed", "{\"total_flos\": 99999999999999999999}"),
	  "compute consumed: 99999999999999999999 floating-point operations" },
};

static void test_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const struct assay_runtime_event ev = event_of(good[i].carrier, good[i].text);
		ASSAY_AUTO(assay_json) *content = NULL;
		ASSAY_AUTO_FREE char *words = NULL;
		enum assay_runtime_kind kind;

		if (assay_runtime_parse(&ev, &kind, &content, &err) < 0)
			fail_msg("%s: %s", err.msg, good[i].text);
		assert_int_equal(kind, good[i].kind);
		assert_int_equal(assay_runtime_carrier(kind), good[i].carrier);
		assert_int_equal(content != NULL, good[i].carrier == ASSAY_CARRY_EVENT);
		words = assay_runtime_describe(&ev);
		assert_string_equal(words, good[i].words);
	}
}

static void test_names(void **state)
{
	enum assay_runtime_kind kind;
	enum assay_carrier carrier;

	(void)state;
	for (unsigned k = 0; k < ASSAY_N_RUNTIME_KINDS; k++) {
		assert_true(assay_runtime_kind_from_name(assay_runtime_kind_name((enum assay_runtime_kind)k), &kind));
		assert_int_equal(kind, k);
	}
	for (unsigned k = 0; k < ASSAY_N_CARRIERS; k++) {
		assert_true(assay_carrier_from_name(assay_carrier_name((enum assay_carrier)k), &carrier));
		assert_int_equal(carrier, k);
	}
	assert_false(assay_runtime_kind_from_name("weights", &kind));
	assert_false(assay_carrier_from_name("", &carrier));
	assert_string_equal(assay_runtime_plan_name(ASSAY_RUN_WEIGHTS_TREE), "weights");
}

/* Each prefix of each text is refused, or says the same (a certificate's last newline). */
static void test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		for (size_t n = 0; n < strlen(good[i].text); n++) {
			const struct assay_runtime_event ev = { good[i].carrier, good[i].text, n };
			ASSAY_AUTO_FREE char *words = NULL;

			if (good[i].carrier == ASSAY_CARRY_CERTIFICATE && good[i].text[n] == '\n' && n + 1 == strlen(good[i].text))
				continue;
			if (good[i].carrier == ASSAY_CARRY_ROOT_HASH && n == 40)
				continue;
			assert_int_equal(assay_runtime_parse(&ev, NULL, NULL, &err), -1);
			words = assay_runtime_describe(&ev);
			assert_int_equal(strncmp(words, "not understood: ", 16), 0);
		}
	}
}

static void test_shapes_refused(void **state)
{
	static const char *const corrupt[] = {
		"{\"content\":{}}",
		"{\"event_type\":\"build_request\"}",
		"{\"event_type\":\"build_request\",\"content\":[]}",
		"{\"event_type\":\"build_request\",\"content\":{},\"more\":1}",
		"{\"event_type\":1,\"content\":{}}",
		"[]",
		EVENT("input_image", "{\"spec\":{\"image_name\":\"\"},\"resolved\":{\"id\":\"sha256:" H "\"}}"),
		EVENT("input_image", "{\"spec\":{\"image_name\":\"a\"},\"resolved\":{\"id\":\"" H "\"}}"),
		EVENT("input_image", "{\"spec\":{\"image_name\":\"a\"},\"resolved\":{\"id\":\"sha256:" H "\",\"x\":1}}"),
		EVENT("input_image", "{\"spec\":{\"image_name\":\"a\",\"y\":2},\"resolved\":{\"id\":\"sha256:" H "\"}}"),
		EVENT("input_image", "{\"spec\":{\"image_name\":\"a\"}}"),
		EVENT("weights_file", "{\"spec\":{\"path\":\"m\"},\"resolved\":{\"size\":3}}"),
		EVENT("weights_file", "{\"spec\":{\"path\":\"m\"},\"resolved\":{\"size\":3,\"hash\":\"sha256:" H
				      "\",\"fsverity\":\"sha256:" H "\"}}"),
		EVENT("weights_file", "{\"spec\":{\"path\":\"m\"},\"resolved\":{\"size\":-3,\"hash\":\"sha256:" H "\"}}"),
		EVENT("weights_file", "{\"spec\":{\"path\":\"m\"},\"resolved\":{\"size\":3.0,\"hash\":\"sha256:" H "\"}}"),
		EVENT("configuration", "{\"spec\":{},\"resolved\":{\"hash\":\"" H "\"}}"),
		EVENT("outputs", "[]"),
		EVENT("outputs", "{}"),
		EVENT("outputs", "[1]"),
		EVENT("timing", "{\"finetune_time\":-1}"),
		EVENT("timing", "{\"finetune_time\":-1.5}"),
		EVENT("timing", "{\"finetune_time\":\"soon\"}"),
		EVENT("timing", "{\"finetune_time\":null}"),
		EVENT("compute_consumed", "{}"),
		EVENT("compute_consumed", "{\"total_flos\":01}"),
		EVENT("build_request", "{\"a\":1,\"a\":2}"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(corrupt) / sizeof(corrupt[0]); i++)
		refused(ASSAY_CARRY_EVENT, corrupt[i], ASSAY_E_CORRUPT);
	refused(ASSAY_CARRY_EVENT, EVENT("disk", "{}"), ASSAY_E_UNSUPPORTED);
	refused(ASSAY_CARRY_EVENT, EVENT("start_build", "{}"), ASSAY_E_UNSUPPORTED);
	refused(ASSAY_CARRY_EVENT, "{\"event_type\":\"start\\u001b[2Jbuild\"}", ASSAY_E_UNSUPPORTED);
	assert_null(strchr(err.msg, '\033'));
}

static void test_hash(void **state)
{
	static const char *const bad[] = { "", "sha256:", "sha1:" H, "sha512:" H, "SHA256:" H, H "0", "sha256:" H " ",
					   "sha1:b'036fa4651240b9a1487f709833b9e4b96b4c1574'",
					   "036fa4651240b9a1487f709833b9e4b96b4c1574",
					   "sha1:036FA4651240b9a1487f709833b9e4b96b4c1574" };
	enum assay_bank bank;
	char hex[ASSAY_HEX_MAX];

	(void)state;
	assert_true(assay_runtime_hash("sha256:" H, &bank, hex));
	assert_int_equal(bank, ASSAY_SHA256);
	assert_string_equal(hex, H);
	assert_true(assay_runtime_hash(H, &bank, hex));
	assert_true(assay_runtime_hash("sha1:036fa4651240b9a1487f709833b9e4b96b4c1574", &bank, hex));
	assert_int_equal(bank, ASSAY_SHA1);
	assert_true(assay_runtime_hash("sha1:b'036fa4651240b9a1487f709833b9e4b96b4c1574\\n'", &bank, hex));
	assert_string_equal(hex, "036fa4651240b9a1487f709833b9e4b96b4c1574");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(assay_runtime_hash(bad[i], &bank, hex));
}

static void test_text(void **state)
{
	ASSAY_AUTO(assay_json) *o = assay_json_object();
	ASSAY_AUTO_FREE char *text = NULL;

	(void)state;
	assay_json_set(o, "total_flos", assay_json_number("1.25e9"));
	assert_int_equal(assay_runtime_text(ASSAY_RUN_COMPUTE, o, &text, &err), 0);
	assert_string_equal(text, "{\"content\":{\"total_flos\":1.25e9},\"event_type\":\"compute_consumed\"}");
	assert_int_equal(assay_runtime_text(ASSAY_RUN_TIMING, o, &text, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	assert_int_equal(assay_runtime_text(ASSAY_RUN_DISK, o, &text, &err), -1);
	assert_int_equal(err.code, ASSAY_E_USAGE);
}

static void test_ceiling(void **state)
{
	ASSAY_AUTO_FREE char *text = malloc(ASSAY_RUNTIME_MAX_TEXT + 2);
	struct assay_runtime_event ev = { ASSAY_CARRY_EVENT, text, 0 };
	static const char start[] = "{\"event_type\":\"build_request\",\"content\":{}";
	struct assay_digests d;

	(void)state;
	for (int over = -1; over <= 1; over++) {
		ev.len = (size_t)((int)ASSAY_RUNTIME_MAX_TEXT + over);
		memset(text, ' ', ev.len);
		memcpy(text, start, sizeof(start) - 1);
		text[ev.len - 1] = '}';
		assert_int_equal(assay_runtime_digests(&ev, 1, &d, &err), over > 0 ? -1 : 0);
		assert_int_equal(assay_runtime_parse(&ev, NULL, NULL, &err), over > 0 ? -1 : 0);
		if (over > 0)
			assert_int_equal(err.code, ASSAY_E_LIMIT);
	}
}

static int everything(struct assay_err *e)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const struct assay_runtime_event ev = event_of(good[i].carrier, good[i].text);
		ASSAY_AUTO(assay_json) *content = NULL;
		ASSAY_AUTO_FREE char *words = NULL;
		enum assay_runtime_kind kind;

		if (assay_runtime_parse(&ev, &kind, &content, e) < 0)
			return -1;
		words = assay_runtime_describe(&ev);
		if (!words)
			return assay_fail_mem(e);
	}
	return 0;
}

static void test_alloc(void **state)
{
	(void)state;
	unit_alloc_each(everything, false); /* OpenSSL keeps and frees some of its own */
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_digests),	 cmocka_unit_test(test_carriers_refused), cmocka_unit_test(test_kinds),
	cmocka_unit_test(test_names),	 cmocka_unit_test(test_cut),		  cmocka_unit_test(test_shapes_refused),
	cmocka_unit_test(test_hash),	 cmocka_unit_test(test_text),		  cmocka_unit_test(test_ceiling),
	cmocka_unit_test(test_alloc),
};

UNIT_MAIN(tests)
