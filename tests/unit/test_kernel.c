/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel command lines, and IMA's boot_aggregate. */
#include "precompute/kernel.h"
#include "tests/unit/chain_build.h"
#include "tests/unit/unit.h"

#define SHA1 ASSAY_BANK_BIT(ASSAY_SHA1)
#define SHA256 ASSAY_BANK_BIT(ASSAY_SHA256)
#define SHA384 ASSAY_BANK_BIT(ASSAY_SHA384)
#define SHA512 ASSAY_BANK_BIT(ASSAY_SHA512)

static struct assay_err err;

static void test_words(void **state)
{
	static const struct {
		const char *cmdline, *word;
		bool has;
	} cases[] = {
		{ "", "a", false },
		{ "  ", "a", false },
		{ "a", "a", true },
		{ "\ta\n", "a", true },
		{ "b a=1 c", "a", true },
		{ "ab", "a", false },
		{ "a", "ab", false },
		{ "x-y_z", "x_y-z", true },
		{ "\"a b\" c", "a", false },
		{ "\"a b\" c", "c", true },
		{ "\"a\"", "a", true },
		{ "\"a=b c\"", "a", true },
		{ "a=\"b c\" d", "c", false },
		{ "a=\"b c\" d", "d", true },
		{ "a\"", "a", false },
		{ "=a", "a", false },
		{ "b=a", "a", false },
		{ "-- a", "a", false },
		{ "--=1 a", "a", true },
		{ "--x a", "a", true },
		{ "\"--\" a", "a", false },
		{ "b\xa0"
		  "a",
		  "a", true },
		{ "b\va\fc", "a", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (assay_cmdline_has(cases[i].cmdline, cases[i].word) != cases[i].has)
			fail_msg("'%s' in '%s'", cases[i].word, cases[i].cmdline);
}

static void test_rules(void **state)
{
	(void)state;
	assert_string_equal(assay_kernel_rules_find("6.1.0-40-amd64 (x)", NULL)->series, "6.1");
	assert_string_equal(assay_kernel_rules_find("6.12.48", NULL)->series, "6.12");
	assert_string_equal(assay_kernel_rules_find("6.1", NULL)->series, "6.1");
	assert_null(assay_kernel_rules_find("6.10.1", NULL));
	assert_null(assay_kernel_rules_find("6.120.1", NULL));
	assert_null(assay_kernel_rules_find("16.1.1", NULL));
	assert_null(assay_kernel_rules_find(NULL, NULL));
	assert_string_equal(assay_kernel_rules_find("9.9", "6.12")->series, "6.12");
	assert_string_equal(assay_kernel_rules_find(NULL, "6.1")->series, "6.1");
	assert_null(assay_kernel_rules_find("9.9", "9.9"));
}

static struct assay_pcrs *make_pcrs(void)
{
	struct assay_pcrs *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	for (int b = 0; b < ASSAY_N_BANKS; b++)
		for (int i = 0; i < 24; i++)
			memset(p->v[b][i], 16 * b + i + 1, ASSAY_MAX_DIGEST);
	return p;
}

static int aggregate(const char *version, const char *cmdline, unsigned active, unsigned banks,
		     struct assay_digests *ret)
{
	struct assay_pcrs *p = make_pcrs();
	const struct assay_kernel_rules *rules = assay_kernel_rules_find(version, NULL);
	int rc = assay_ima_boot_aggregate(rules, version, cmdline, active, p, banks, ret, &err);

	free(p);
	return rc;
}

/* The template's bytes by hand; their hash in this bank, filled up with zeros to the bank's size.
 */
static void expect(const struct assay_digests *d, enum assay_bank in, enum assay_bank with,
		   enum assay_bank over, bool sig)
{
	const size_t size = assay_bank_size(over), n = over == ASSAY_SHA1 ? 8 : 10;
	uint8_t regs[10 * ASSAY_MAX_DIGEST], data[256], *p = data;
	uint8_t expected[ASSAY_MAX_DIGEST] = { 0 };
	struct assay_digests h;
	int alg;

	for (size_t i = 0; i < n; i++)
		memset(regs + i * size, 16 * (int)over + (int)i + 1, size);
	assert_int_equal(assay_digest_mem(ASSAY_BANK_BIT(over), regs, n * size, &h, &err), 0);
	alg = sprintf((char *)p + 4, "%s:", assay_bank_name(over)) + 1;
	assay_put_le32(p, (uint32_t)(alg + size));
	p += 4 + alg;
	p = mempcpy(p, h.d[over], size);
	p = mempcpy(p, "\x0f\0\0\0boot_aggregate\0", 19);
	if (sig)
		p = mempcpy(p, "\0\0\0\0", 4);
	assert_int_equal(assay_digest_mem(ASSAY_BANK_BIT(with), data, (size_t)(p - data), &h, &err),
			 0);
	memcpy(expected, h.d[with], assay_bank_size(with));
	assert_memory_equal(d->d[in], expected, assay_bank_size(in));
}

static void test_aggregate(void **state)
{
	const unsigned all = SHA1 | SHA256 | SHA384 | SHA512;
	struct assay_digests d;

	(void)state;
	assert_int_equal(aggregate(BUILD_DEBIAN_6_12, NULL, all, all, &d), 0);
	for (int b = 0; b < ASSAY_N_BANKS; b++)
		expect(&d, b, b, ASSAY_SHA256, true);
	/* 6.1 has SHA-384 and SHA-512 as modules: the SHA-1 of it, and zeros. */
	assert_int_equal(aggregate(BUILD_DEBIAN_6_1, "quiet", all, all, &d), 0);
	expect(&d, ASSAY_SHA1, ASSAY_SHA1, ASSAY_SHA256, true);
	expect(&d, ASSAY_SHA256, ASSAY_SHA256, ASSAY_SHA256, true);
	expect(&d, ASSAY_SHA384, ASSAY_SHA1, ASSAY_SHA256, true);
	expect(&d, ASSAY_SHA512, ASSAY_SHA1, ASSAY_SHA256, true);
	assert_int_equal(aggregate(BUILD_DEBIAN_6_12, "ima_template=ima-ng", all, all, &d), 0);
	expect(&d, ASSAY_SHA256, ASSAY_SHA256, ASSAY_SHA256, false);
	assert_int_equal(aggregate(BUILD_DEBIAN_6_12, "ima-hash=sha384", all, all, &d), 0);
	expect(&d, ASSAY_SHA256, ASSAY_SHA256, ASSAY_SHA384, true);
	/* PCR 8 and 9 are not in SHA-1's. */
	assert_int_equal(aggregate(BUILD_DEBIAN_6_12, "ima_hash=\"sha1\"", all, all, &d), 0);
	expect(&d, ASSAY_SHA256, ASSAY_SHA256, ASSAY_SHA1, true);
	/* The first of several counts. */
	assert_int_equal(
		aggregate(BUILD_DEBIAN_6_12,
			  "ima_hash=sha1 ima_hash=sha512 ima_template=ima-ng ima_template=ima", all,
			  all, &d),
		0);
	expect(&d, ASSAY_SHA256, ASSAY_SHA256, ASSAY_SHA1, false);
	/* Without IMA's own bank SHA-256's, and without that SHA-1's. */
	assert_int_equal(aggregate(BUILD_DEBIAN_6_12, "ima_hash=sha512", SHA1 | SHA256, SHA256, &d),
			 0);
	expect(&d, ASSAY_SHA256, ASSAY_SHA256, ASSAY_SHA256, true);
	assert_int_equal(aggregate(BUILD_DEBIAN_6_12, NULL, SHA1 | SHA384, SHA1 | SHA384, &d), 0);
	expect(&d, ASSAY_SHA384, ASSAY_SHA384, ASSAY_SHA1, true);
	assert_int_equal(aggregate(BUILD_DEBIAN_6_12, "-- ima_policy=tcb", all, all, &d), 0);
}

static void test_refused(void **state)
{
	static const struct {
		const char *version, *cmdline;
		unsigned active, banks;
		const char *words;
	} cases[] = {
		{ BUILD_DEBIAN_6_12, "ima_policy=tcb", SHA256, SHA256,
		  "loads an IMA policy (ima_policy)" },
		{ BUILD_DEBIAN_6_12, "ima-policy=tcb", SHA256, SHA256, "policy (ima-policy)" },
		{ BUILD_DEBIAN_6_12, "a ima_tcb", SHA256, SHA256, "policy (ima_tcb)" },
		{ BUILD_DEBIAN_6_12, "ima_tcbx", SHA256, SHA256, "policy (ima_tcbx)" },
		{ BUILD_DEBIAN_6_12, "ima_appraise=fix", SHA256, SHA256, "policy (ima_appraise)" },
		{ BUILD_DEBIAN_6_12, "ima_appraise_tcb", SHA256, SHA256,
		  "policy (ima_appraise_tcb)" },
		{ BUILD_DEBIAN_6_12, "a\xa0ima_tcb", SHA256, SHA256, "policy (ima_tcb)" },
		{ BUILD_DEBIAN_6_12, "ima_template=ima", SHA256, SHA256, "template other than" },
		{ BUILD_DEBIAN_6_12, "ima_template=ima-ngv2", SHA256, SHA256,
		  "template other than" },
		{ BUILD_DEBIAN_6_12, "ima_template_fmt=d|n", SHA256, SHA256,
		  "what ima_template_fmt" },
		{ BUILD_DEBIAN_6_12, "ima_canonical_fmt", SHA256, SHA256,
		  "what ima_canonical_fmt" },
		{ BUILD_DEBIAN_6_12, "ima_hash=md5", SHA256, SHA256, "hash other than" },
		{ BUILD_DEBIAN_6_12, "ima_hash=sha-1", SHA256, SHA256, "hash other than" },
		{ BUILD_DEBIAN_6_12, "ima_hash=sha2567", SHA256, SHA256, "hash other than" },
		{ BUILD_DEBIAN_6_12, "ima_hash=", SHA256, SHA256, "hash other than" },
		{ BUILD_DEBIAN_6_12, "lsm=ima", SHA256, SHA256, "what lsm on" },
		{ BUILD_DEBIAN_6_12, "bootconfig", SHA256, SHA256, "what bootconfig on" },
		{ BUILD_DEBIAN_6_1, "ima_hash=sha384", SHA256 | SHA384, SHA256 | SHA384,
		  "has not at that time" },
		{ BUILD_DEBIAN_6_12, NULL, SHA384, SHA384, "neither a SHA-1 nor" },
		{ BUILD_DEBIAN_6_12, "ima_hash=sha384", SHA256 | SHA384, SHA256,
		  "over bank sha384" },
		{ "6.12.48 (someone@else) amd64", NULL, SHA256, SHA256, "configured is not known" },
		{ "6.12.48+deb13-arm64 (debian-kernel@lists.debian.org)", NULL, SHA256, SHA256,
		  "configured is not known" },
	};
	struct assay_digests d;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (aggregate(cases[i].version, cases[i].cmdline, cases[i].active, cases[i].banks,
			      &d) == 0)
			fail_msg("not refused: %s", cases[i].words);
		assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
		if (!strstr(err.msg, cases[i].words))
			fail_msg("'%s' is not in '%s'", cases[i].words, err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_aggregate),
		cmocka_unit_test(test_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
