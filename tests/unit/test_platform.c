/* SPDX-License-Identifier: Apache-2.0 */
/* Platform profiles: what is read and written, and everything that is refused. */
#include "core/limits.h"
#include "core/text.h"
#include "precompute/platform.h"
#include "tests/unit/alloc.h"

#define S1 "df3f619804a92fdb4057192dc43dd748ea778adc52bc498ce80524c014b81119"
#define S2 "3d6772b4f84ed47595d72a2c4c5ffd15f5bb72c7507fe26f2aaee2c69d5633ba"
/* UEFI_VARIABLE_DATA of SecureBoot with the data byte 0, and with 1 */
#define VAR                                                                                        \
	"61dfe48bca93d211aa0d00e098032b8c0a000000000000000100000000000000530065006300750072006500" \
	"42"                                                                                       \
	"006f006f007400"
#define OFF_SHA256 "115aa827dbccfb44d216ad9ecfda56bdea620b860a94bed5b7a27bba1c4d02d8"

#define HEAD "schema: assay.platform/1\nname: test\narch: x86-64\nbanks: [sha256]\n"
#define SLOTS "  - {slot: gpt}\n  - {slot: boot, tries: 0}\n  - {slot: exit}\n"
#define EVENT "  - {pcr: 0, type: EV_SEPARATOR, digests: {sha256: " S1 "}}\n"

static const char full[] =
	"schema: assay.platform/1\n"
	"name: full\n"
	"description: every key there is\n"
	"arch: aarch64\n"
	"banks: [sha1, sha256]\n"
	"startup_locality: 3\n"
	"secure_boot: true\n"
	"origin:\n"
	"  kind: probe\n"
	"  date: 2026-11-21\n"
	"  firmware: [{file: OVMF.fd, sha256: " S1 ", size: 12}]\n"
	"  qemu: {version: QEMU 7, arguments: [\"-m 1\", \"-smp 1\"]}\n"
	"  log: {sha256: " S1 "}\n"
	"  probe: {file: p.efi, sha256: " S2 "}\n"
	"  sources: [a, b]\n"
	"  note: n\n"
	"events:\n"
	"  - {pcr: 0, type: EV_S_CRTM_VERSION, digests: {sha1: "
	"9069ca78e7450a285173431b3e52c5c25299e473, "
	"sha256: " S1 "}, note: first}\n"
	"  - {pcr: 0, type: 0x80000099, text: abc}\n"
	"  - pcr: 0\n"
	"    type: EV_S_CRTM_VERSION\n"
	"    accept:\n"
	"      - {utf16: v1, note: one}\n"
	"      - {utf16: v2}\n"
	"      - {hex: 0A0b}\n"
	"      - {digests: {sha1: 9069ca78e7450a285173431b3e52c5c25299e473, sha256: " S1 "}}\n"
	"    note: changes\n"
	"  - {pcr: 7, type: EV_EFI_VARIABLE_DRIVER_CONFIG, hex: " VAR "01, data: " VAR "01}\n"
	"  - {slot: gpt, note: the disk}\n"
	"  - {slot: boot, tries: 2}\n"
	"  - {slot: exit}\n"
	"unknown:\n"
	"  - {pcr: 1, reason: why}\n";

static struct assay_err err;

static struct assay_platform *parse(const char *text)
{
	struct assay_platform *p = NULL;

	if (assay_platform_parse(text, strlen(text), &p, &err) < 0)
		fail_msg("%s", err.msg);
	return p;
}

/* Expects a refusal with these words, and that nothing was returned. */
static void refused(const char *text, const char *words)
{
	struct assay_platform *untouched = (struct assay_platform *)&err;

	assert_int_equal(assay_platform_parse(text, strlen(text), &untouched, &err), -1);
	assert_ptr_equal(untouched, &err);
	if (!strstr(err.msg, words))
		fail_msg("'%s' is not in: %s", words, err.msg);
	if (strncmp(err.msg, "line ", 5) != 0)
		fail_msg("no line in: %s", err.msg);
	assert_true(err.at <= strlen(text));
}

/* text with the first `from` replaced */
static char *with(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char *s;

	assert_non_null(at);
	s = assay_asprintf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	assert_non_null(s);
	return s;
}

static void refused_with(const char *text, const char *from, const char *to, const char *words)
{
	char *s = with(text, from, to);

	refused(s, words);
	free(s);
}

static char *write_text(const struct assay_platform *p)
{
	struct assay_out *out = NULL;
	char *text = NULL;
	size_t len;

	assert_int_equal(assay_out_memory(&out, &err), 0);
	assert_int_equal(assay_platform_write(p, out, &err), 0);
	assert_int_equal(assay_out_steal(out, &text, &len, &err), 0);
	assay_out_free(&out);
	return text;
}

static void test_read(void **state)
{
	struct assay_platform *p = parse(full);
	const struct assay_platform_event *e = p->events;
	struct assay_event_variable var;
	char hex[ASSAY_HEX_MAX];

	(void)state;
	assert_string_equal(p->name, "full");
	assert_string_equal(p->description, "every key there is");
	assert_string_equal(p->arch, "aarch64");
	assert_int_equal(p->banks, ASSAY_BANK_BIT(ASSAY_SHA1) | ASSAY_BANK_BIT(ASSAY_SHA256));
	assert_int_equal(p->locality, 3);
	assert_int_equal(p->secure_boot, 1);
	assert_false(p->hcrtm);
	assert_int_equal(p->n, 7);
	assert_int_equal(e[0].type, EV_S_CRTM_VERSION);
	assert_string_equal(e[0].note, "first");
	assert_string_equal(assay_hex(e[0].values[0].digests.d[ASSAY_SHA256], 32, hex), S1);
	assert_int_equal(e[1].type, 0x80000099);
	/* FIPS 180-4, example: SHA-256 of "abc" */
	assert_string_equal(assay_hex(e[1].values[0].digests.d[ASSAY_SHA256], 32, hex),
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(e[2].n_values, 4);
	/* printf 'v\0001\000\000\000' | sha256sum */
	assert_string_equal(assay_hex(e[2].values[0].digests.d[ASSAY_SHA256], 32, hex),
			    "5044804dd49e5286281fd6da51add5151f5b5976d358d23d7bc0471300c77b4e");
	assert_string_equal(e[2].values[2].hashed, "0a0b");
	assert_string_equal(assay_hex(e[2].values[2].digests.d[ASSAY_SHA1], 20, hex),
			    "e26e7b993570e35ea17c3ce9ef344cfd0ac55c62");
	assert_int_equal(e[4].slot, ASSAY_SLOT_GPT);
	assert_int_equal(e[5].slot, ASSAY_SLOT_BOOT);
	assert_int_equal(e[5].tries, 2);
	assert_int_equal(e[6].slot, ASSAY_SLOT_EXIT);
	assert_string_equal(p->unknown[1], "why");
	assert_null(p->unknown[0]);
	assert_true(assay_platform_variable(p, "SecureBoot", &var));
	assert_int_equal(var.data_len, 1);
	assert_int_equal(var.data[0], 1);
	assert_false(assay_platform_variable(p, "SecureBoo", &var));
	assert_false(assay_platform_variable(p, "db", &var));
	assert_int_equal(p->digest.banks, ASSAY_BANK_BIT(ASSAY_SHA256));
	assay_platform_free(&p);
	assert_null(p);
}

static void test_round_trip(void **state)
{
	struct assay_platform *p = parse(full), *again;
	char *text = write_text(p), *second;

	(void)state;
	again = parse(text);
	second = write_text(again);
	assert_string_equal(text, second);
	assert_int_equal(again->n, p->n);
	for (size_t i = 0; i < p->n; i++) {
		const struct assay_platform_event *a = &p->events[i], *b = &again->events[i];

		assert_int_equal(a->slot, b->slot);
		assert_int_equal(a->tries, b->tries);
		assert_int_equal(a->pcr, b->pcr);
		assert_int_equal(a->type, b->type);
		assert_int_equal(a->n_values, b->n_values);
		assert_int_equal(a->data_len, b->data_len);
		for (size_t k = 0; k < a->n_values; k++) {
			assert_true(
				assay_digests_equal(&a->values[k].digests, &b->values[k].digests));
			assert_int_equal(a->values[k].form, b->values[k].form);
		}
	}
	assert_int_equal(again->secure_boot, 1);
	assert_int_equal(again->locality, 3);
	assert_string_equal(again->unknown[1], "why");
	assert_non_null(strstr(text, "arguments:"));
	free(text);
	free(second);
	assay_platform_free(&p);
	assay_platform_free(&again);
}

/* A set of one value keeps that value's note. */
static void test_one_accepted(void **state)
{
	struct assay_platform *p =
		parse(HEAD "events:\n  - {pcr: 1, type: EV_ACTION, accept: [{text: a, "
			   "note: why}], note: what}\n" SLOTS);
	char *text = write_text(p);
	struct assay_platform *again = parse(text);

	(void)state;
	assert_string_equal(again->events[0].values[0].note, "why");
	assert_string_equal(again->events[0].note, "what");
	free(text);
	assay_platform_free(&p);
	assay_platform_free(&again);
}

static void test_secure_boot(void **state)
{
	static const char event[] =
		"  - {pcr: 7, type: EV_EFI_VARIABLE_DRIVER_CONFIG, digests: {sha256: " OFF_SHA256
		"}, data: " VAR "00}\n";
	char *text = assay_asprintf("%sevents:\n%s%s", HEAD, event, SLOTS);
	struct assay_platform *p = parse(text);
	char *on;

	(void)state;
	assert_int_equal(p->secure_boot, 0);
	assay_platform_free(&p);
	refused_with(text, "events:", "secure_boot: true\nevents:",
		     "secure_boot: the SecureBoot variable's event says off");
	on = with(text, "events:", "secure_boot: false\nevents:");
	p = parse(on);
	assert_int_equal(p->secure_boot, 0);
	assay_platform_free(&p);
	free(on);
	refused_with(text, VAR "00", VAR "01", "the digests are not those of the data");
	refused_with(text, VAR "00", VAR "0", "data is not hex");
	free(text);
	p = parse(HEAD "events:\n" SLOTS);
	assert_int_equal(p->secure_boot, -1);
	assay_platform_free(&p);
}

static void test_hcrtm(void **state)
{
	struct assay_platform *p =
		parse(HEAD "events:\n"
			   "  - {pcr: 0, type: EV_EFI_HCRTM_EVENT, text: x}\n" SLOTS);

	(void)state;
	assert_true(p->hcrtm);
	assay_platform_free(&p);
}

static void test_unknown_keys(void **state)
{
	(void)state;
	refused_with(full, "arch:", "pcrs: 1\narch:", "unknown key 'pcrs' in a platform profile");
	refused_with(full, "note: first", "nota: first", "unknown key 'nota' in an event");
	refused_with(full, "note: one", "nota: one", "unknown key 'nota' in an accepted value");
	refused_with(full, "gpt, note", "gpt, tries", "unknown key 'tries' in a slot");
	refused_with(full, "exit}", "exit, pcr: 5}", "unknown key 'pcr' in a slot");
	refused_with(full, "tries: 2", "trials: 2", "unknown key 'trials' in a slot");
	refused_with(full, "reason: why", "reasons: why", "unknown key 'reasons'");
	refused_with(full, "sha1: 9069", "md5: 9069", "unknown key 'md5' in digests");
	refused_with(full, "sha1: 9069", "SHA1: 9069", "unknown key 'SHA1' in digests");
	refused_with(full, "kind: probe", "kinds: probe", "unknown key 'kinds' in origin");
	refused_with(full, "file: OVMF.fd", "path: OVMF.fd", "unknown key 'path' in firmware");
	refused_with(full, "version: QEMU", "versions: QEMU", "unknown key 'versions' in qemu");
	refused_with(full, "log: {sha256", "log: {sha512", "unknown key 'sha512' in log");
	refused_with(full, "probe: {file", "probe: {name", "unknown key 'name' in probe");
	refused_with(full, "  note: n\n", "  remark: n\n", "unknown key 'remark' in origin");
	/* And where: the key's line. */
	refused_with(full, "note: first", "nota: first", "line 18:");
}

static void test_missing(void **state)
{
	static const char *const lines[] = { "schema: assay.platform/1\n", "name: full\n",
					     "arch: aarch64\n", "banks: [sha1, sha256]\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char key[32];

		snprintf(key, sizeof(key), "'%.*s'", (int)strcspn(lines[i], ":"), lines[i]);
		refused_with(full, lines[i], "", key);
	}
	refused(HEAD, "no 'events'");
	refused_with(full, "pcr: 0, type: EV_S_CRTM_VERSION", "type: EV_S_CRTM_VERSION", "'pcr'");
	refused_with(full, "pcr: 0, type: EV_S_CRTM_VERSION", "pcr: 0", "'type'");
	refused_with(full, ", text: abc", "", "no 'digests', 'text', 'utf16' or 'hex'");
	refused_with(full, "{pcr: 1, reason: why}", "{pcr: 1}", "'reason'");
	refused_with(full, "{pcr: 1, reason: why}", "{reason: why}", "'pcr'");
	refused_with(full, "  kind: probe\n", "", "no 'kind' in origin");
	refused_with(full, "  date: 2026-11-21\n", "", "no 'date' in origin");
	refused_with(full, "file: OVMF.fd, ", "", "no 'file' in firmware");
	refused_with(full, "version: QEMU 7, ", "", "no 'version' in qemu");
	refused_with(full, "  - {slot: boot, tries: 2}\n", "", "no slot 'boot'");
	refused_with(full, "  - {slot: gpt, note: the disk}\n", "",
		     "no slot 'gpt', and PCR 5 is not under 'unknown'");
	refused_with(full, "  - {slot: exit}\n", "", "no slot 'exit'");
}

static void test_pcr5_unknown(void **state)
{
	struct assay_platform *p =
		parse(HEAD "events:\n  - {slot: boot}\nunknown:\n  - {pcr: 5, reason: x}\n");

	(void)state;
	assert_int_equal(p->n, 1);
	assert_int_equal(p->events[0].tries, 0);
	assay_platform_free(&p);
}

static void test_bad_values(void **state)
{
	(void)state;
	refused_with(full, "assay.platform/1", "assay.platform/2",
		     "this assay reads assay.platform/1");
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	refused_with(full, "assay.platform/1", "assay.facts/1", "is no platform profile");
	refused_with(full, "name: full", "name: a/b", "letters, digits");
	refused_with(full, "name: full", "name: ''", "name is empty");
	refused_with(full, "arch: aarch64", "arch: arm", "x86-64 or aarch64");
	refused_with(full, "[sha1, sha256]", "[]", "'banks' is empty");
	refused_with(full, "[sha1, sha256]", "sha1", "banks has to be a list");
	refused_with(full, "[sha1, sha256]", "[sha1, sm3]", "unknown bank 'sm3'");
	refused_with(full, "[sha1, sha256]", "[sha1, sha1]", "bank sha1 given twice");
	refused_with(full, "[sha1, sha256]", "[sha256]", "sha1 is not in 'banks'");
	refused_with(full, "[sha1, sha256]", "[sha1, sha256, sha384]", "no sha384 digest");
	refused_with(full, "startup_locality: 3", "startup_locality: 5", "startup_locality");
	refused_with(full, "startup_locality: 3", "startup_locality: 1", "is 0, 3 or 4");
	refused_with(full, "secure_boot: true", "secure_boot: yes", "secure_boot");
	refused_with(full, "pcr: 0, type: EV_S", "pcr: 16, type: EV_S", "pcr");
	refused_with(full, "pcr: 0, type: EV_S", "pcr: -1, type: EV_S", "pcr");
	refused_with(full, "EV_S_CRTM_VERSION", "EV_S_CRTM", "unknown event type 'EV_S_CRTM'");
	refused_with(full, "EV_S_CRTM_VERSION", "EV_NO_ACTION", "EV_NO_ACTION extends nothing");
	refused_with(full, "0x80000099", "0x00000003", "EV_NO_ACTION extends nothing");
	refused_with(full, "0x80000099", "0x800000999", "unknown event type");
	refused_with(full, "hex: 0A0b", "hex: 0A0", "hex is not hex");
	refused_with(full, "hex: 0A0b", "hex: 0Ag0", "hex is not hex");
	refused_with(full, "hex: 0A0b", "hex: [0]", "hex has to be a text");
	refused_with(full, "text: abc", "text: abc, hex: 00", "both 'text' and 'hex'");
	refused_with(full, "utf16: v2", "utf16: v1", "the same value is accepted twice");
	refused_with(full, "    note: changes", "    text: x", "both 'accept' and 'text'");
	refused_with(full, "    note: changes", "    data: 00",
		     "'data' and a set of accepted values");
	refused_with(full, "slot: gpt", "slot: fat", "slot 'fat': gpt, boot or exit");
	refused_with(full, "{slot: exit}", "{slot: gpt}", "a second slot 'gpt'");
	refused_with(full, "{slot: gpt, note: the disk}", "{slot: exit}",
		     "slot 'boot' after slot 'exit'");
	refused_with(full, "{pcr: 1, reason: why}", "{pcr: 16, reason: why}", "pcr");
	refused_with(full, "{pcr: 1, reason: why}", "{pcr: 1, reason: ''}", "reason is empty");
	refused_with(full, "  - {pcr: 1, reason: why}\n",
		     "  - {pcr: 1, reason: why}\n  - {pcr: 1, reason: b}\n",
		     "PCR 1 is unknown twice");
	refused_with(full, "kind: probe", "kind: guess", "probe, learned or cited");
	refused_with(full, "2026-11-21", "21.11.2026", "YYYY-MM-DD");
	refused_with(full, "size: 12", "size: 1k", "is no number");
	refused_with(full, "log: {sha256: d", "log: {sha256: ", "64 hex digits");
	refused_with(full, "firmware: [", "firmware: [x, ", "firmware has to be a mapping");
	refused_with(full, "sources: [a, b]", "sources: a", "sources has to be a list");
	refused("- a\n", "a platform profile has to be a mapping");
	refused(HEAD "events: [a]\n", "an event has to be a mapping");
	refused(HEAD "events: {}\n", "events has to be a list");
}

static void test_digest_forms(void **state)
{
	static const char text[] = HEAD "events:\n" EVENT SLOTS;
	struct assay_platform *p = parse(text);

	(void)state;
	assay_platform_free(&p);
	refused_with(text, S1, "", "64 hex digits");
	refused_with(text, "119}", "11}", "64 hex digits");
	refused_with(text, "119}", "1190}", "64 hex digits");
	refused_with(text, "119}", "11g}", "64 hex digits");
	refused_with(text, "sha256: " S1, "sha256: [" S1 "]", "has to be a text");
	refused_with(text, "{sha256: " S1 "}", "{}", "no sha256 digest");
	refused_with(text, "{sha256: " S1 "}", S1, "digests has to be a mapping");
	refused_with(text, "sha256: " S1, "sha256: " S1 ", sha256: " S1, "given twice");
}

/* head, n times (before, number if wanted, after), tail. */
static char *repeat(const char *head, const char *before, const char *after, size_t n,
		    const char *tail)
{
	struct assay_str s = { 0 };

	assay_str_add(&s, "%s", head);
	for (size_t i = 0; i < n; i++) {
		assay_str_add(&s, "%s", before);
		if (after)
			assay_str_add(&s, "%zu%s", i, after);
	}
	assay_str_add(&s, "%s", tail);
	return assay_str_steal(&s);
}

/* n pass, one more does not. */
static void limit(const char *head, const char *before, const char *after, size_t n,
		  const char *tail)
{
	char *text = repeat(head, before, after, n, tail);
	struct assay_platform *p = parse(text);

	assay_platform_free(&p);
	free(text);
	text = repeat(head, before, after, n + 1, tail);
	assert_int_equal(assay_platform_parse(text, strlen(text), &p, &err), -1);
	assert_int_equal(err.code, ASSAY_E_LIMIT);
	free(text);
}

static void test_limits(void **state)
{
	(void)state;
	limit(HEAD "events:\n", "  - {pcr: 1, type: EV_ACTION, text: a", "}\n",
	      ASSAY_PLATFORM_MAX_EVENTS - 3, SLOTS);
	limit(HEAD "events:\n  - pcr: 0\n    type: EV_ACTION\n    accept:\n", "      - {text: a",
	      "}\n", ASSAY_PLATFORM_MAX_VALUES, SLOTS);
	limit(HEAD "events:\n  - {pcr: 0, type: EV_ACTION, hex: ", "00", NULL,
	      ASSAY_PLATFORM_MAX_DATA, "}\n" SLOTS);
	limit(HEAD "events:\n  - {pcr: 0, type: EV_ACTION, text: ", "x", NULL,
	      ASSAY_PLATFORM_MAX_DATA, "}\n" SLOTS);
	refused_with(full, "tries: 2", "tries: 65", "tries");
	assert_int_equal(ASSAY_PLATFORM_MAX_TRIES, 64);
	struct assay_platform *p;
	char *text = with(full, "tries: 2", "tries: 64");
	p = parse(text);
	assay_platform_free(&p);
	free(text);
}

/* Cut anywhere, a profile is refused or says the same as the whole; nothing in between. */
static void test_cut(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(full) - 1; n++) {
		char *copy = malloc(n ? n : 1);
		struct assay_platform *p = NULL;

		memcpy(copy, full, n);
		if (assay_platform_parse(copy, n, &p, &err) == 0) {
			/* Behind the last slot: only 'unknown', which is optional, is cut off. */
			assert_true(n >= (size_t)(strstr(full, "{slot: exit}") - full) + 12);
			assay_platform_free(&p);
		}
		free(copy);
	}
}

static void test_json(void **state)
{
	struct assay_platform *p = parse(full);
	struct assay_json *json = assay_platform_json(p);
	char *text = NULL;
	size_t len;

	(void)state;
	assert_int_equal(assay_json_dump(json, &text, &len, &err), 0);
	assert_non_null(strstr(text, "\"kind\": \"probe\""));
	assert_non_null(strstr(text, "\"secure_boot\": true"));
	assert_non_null(strstr(text, "\"-smp 1\""));
	free(text);
	assay_json_free(&json);
	assay_platform_free(&p);
}

static int use_platform(struct assay_err *e)
{
	ASSAY_AUTO(assay_platform) *p = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO(assay_out) *out = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	size_t len;

	if (assay_platform_parse(full, strlen(full), &p, e) < 0 || assay_out_memory(&out, e) < 0 ||
	    assay_platform_write(p, out, e) < 0 || assay_out_steal(out, &text, &len, e) < 0)
		return -1;
	json = assay_platform_json(p);
	free(text);
	text = NULL;
	return assay_json_dump(json, &text, &len, e);
}

static void test_out_of_memory(void **state)
{
	(void)state;
	/* OpenSSL keeps what it fetched: leaks are the sanitizer's business. */
	unit_alloc_each(use_platform, false);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_read),	     cmocka_unit_test(test_round_trip),
	cmocka_unit_test(test_one_accepted), cmocka_unit_test(test_secure_boot),
	cmocka_unit_test(test_hcrtm),	     cmocka_unit_test(test_unknown_keys),
	cmocka_unit_test(test_missing),	     cmocka_unit_test(test_pcr5_unknown),
	cmocka_unit_test(test_bad_values),   cmocka_unit_test(test_digest_forms),
	cmocka_unit_test(test_limits),	     cmocka_unit_test(test_cut),
	cmocka_unit_test(test_json),	     cmocka_unit_test(test_out_of_memory),
};

UNIT_MAIN(tests)
