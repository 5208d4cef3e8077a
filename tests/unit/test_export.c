/* SPDX-License-Identifier: Apache-2.0 */
/* Exports: running out of memory in each form, ceilings, and firmware that measures in another order. */
#include <fcntl.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "core/cbor.h"
#include "core/limits.h"
#include "core/text.h"
#include "manifest/export.h"
#include "tests/unit/alloc.h"
#include "tests/unit/chain_run.h"

#define BOOT "/EFI/BOOT/BOOTX64.EFI"

static struct assay_err err;
static struct peb uki;
static char key[] = "/tmp/test-export-XXXXXX";

static void make_key(void)
{
	EVP_PKEY *pkey = EVP_RSA_gen(2048);
	const int fd = mkstemp(key);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

	assert_non_null(pkey);
	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
	EVP_PKEY_free(pkey);
}

static int setup(void **state)
{
	(void)state;
	build_uki(&uki, "systemd-stub 257.13", BUILD_DEBIAN_6_12, "quiet");
	make_key();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	peb_free(&uki);
	unlink(key);
	return 0;
}

static struct assay_prediction *predict(const char *platform)
{
	const struct disk_file files[] = { CHAIN_FILE(BOOT, uki) };
	const struct chain_run r = { .platform = platform };

	return chain_ok(&r, files, 1);
}

#define HEAD "schema: assay.platform/1\nname: p\narch: x86-64\nbanks: [sha1, sha256, sha384]\nsecure_boot: false\n"
#define TAIL "  - {slot: gpt}\n  - {slot: boot, tries: 0}\n  - {slot: exit}\n"

static const struct assay_prediction *now; /* for run() */
static const struct assay_export_format *format;

static int run(struct assay_err *e)
{
	const struct assay_export_request req = { .prediction = now, .key = format->key ? key : NULL };
	struct assay_export out;
	const int rc = assay_export(format, &req, &out, e);

	if (rc == 0)
		assert_true(out.n > 0);
	else
		assert_true(out.n == 0 && !out.files && !out.notes);
	assay_export_clear(&out);
	return rc;
}

static void test_table(void **state)
{
	(void)state;
	size_t n;
	const struct assay_export_format *f = assay_export_formats(&n);

	assert_true(n >= 8);
	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(assay_export_format(f[i].name), &f[i]);
		for (size_t k = 0; k < i; k++)
			assert_true(strcmp(f[k].name, f[i].name) < 0);
	}
	assert_null(assay_export_format("nonesuch"));
}

static void test_out_of_memory(void **state)
{
	(void)state;
	ASSAY_AUTO(assay_prediction) *p = predict(HEAD "events:\n" TAIL);
	size_t n;
	const struct assay_export_format *f = assay_export_formats(&n);

	now = p;
	for (size_t i = 0; i < n; i++) {
		format = &f[i];
		if (run(&err) < 0)
			fail_msg("%s: %s", f[i].name, err.msg);
		/* What hashes: OpenSSL keeps what it made once, and gives it up when it fails. Keys: test_sign.c. */
		if (!f[i].key)
			unit_alloc_each(run, !f[i].directory);
	}
}

/* The names of the files, one blank between them. */
static char *pcrlock_names(const char *platform)
{
	ASSAY_AUTO(assay_prediction) *p = predict(platform);
	const struct assay_export_request req = { .prediction = p };
	struct assay_export out;
	struct assay_str s = { 0 };

	if (assay_export(assay_export_format("pcrlock"), &req, &out, &err) < 0)
		return NULL;
	for (size_t i = 0; i < out.n; i++)
		assay_str_add(&s, "%s%s", i ? " " : "", out.files[i].name);
	assay_export_clear(&out);
	return assay_str_steal(&s);
}

#define SEPARATOR(pcr) "  - {pcr: " #pcr ", type: EV_SEPARATOR, hex: 00000000}\n"
#define BOOTED                                                                                     \
	"650-uki-pcr4.pcrlock 650-uki-pcr11.pcrlock 700-action-efi-exit-boot-services.pcrlock 710-kernel-cmdline.pcrlock " \
	"720-kernel-initrd.pcrlock"

static void test_parts(void **state)
{
	(void)state;
	static const struct {
		const char *platform, *names;
	} rows[] = {
		{ HEAD "events:\n  - {pcr: 4, type: EV_EFI_ACTION, text: Calling}\n" SEPARATOR(4) SEPARATOR(5) TAIL,
		  "350-action-efi-application.pcrlock 500-separator.pcrlock 600-gpt.pcrlock " BOOTED },
		/* Azure has no action; an action after the separator is of the boot. */
		{ HEAD "events:\n" SEPARATOR(4) SEPARATOR(5) "  - {pcr: 4, type: EV_EFI_ACTION, text: Calling}\n" TAIL,
		  "500-separator.pcrlock 600-gpt.pcrlock " BOOTED },
		{ HEAD "events:\n  - {pcr: 0, type: EV_S_CRTM_VERSION, text: v}\n" SEPARATOR(0)
		  "  - {pcr: 0, type: EV_POST_CODE, text: late}\n  - {pcr: 7, type: EV_EFI_VARIABLE_DRIVER_CONFIG, text: x}\n"
		  SEPARATOR(7) SEPARATOR(4) SEPARATOR(5) TAIL,
		  "240-secureboot-policy.pcrlock 250-firmware-code-early-pcr0.pcrlock 400-secureboot-separator.pcrlock "
		  "500-separator.pcrlock 550-firmware-code-late-pcr0.pcrlock 600-gpt.pcrlock " BOOTED },
		/* A set of versions, and in another PCR another one. */
		{ HEAD "events:\n  - {pcr: 0, type: EV_S_CRTM_VERSION, accept: [{text: a}, {text: b}]}\n"
		  "  - {pcr: 2, type: EV_POST_CODE, accept: [{text: a}, {text: b}, {text: c}]}\n" SEPARATOR(4) SEPARATOR(5) TAIL,
		  "250-firmware-code-early-pcr0.pcrlock.d/01.pcrlock 250-firmware-code-early-pcr0.pcrlock.d/02.pcrlock "
		  "250-firmware-code-early-pcr2.pcrlock.d/01.pcrlock 250-firmware-code-early-pcr2.pcrlock.d/02.pcrlock "
		  "250-firmware-code-early-pcr2.pcrlock.d/03.pcrlock 500-separator.pcrlock 600-gpt.pcrlock " BOOTED },
		/* The TPM was started at locality 3. */
		{ HEAD "startup_locality: 3\nevents:\n  - {pcr: 0, type: EV_S_CRTM_VERSION, text: v}\n" SEPARATOR(4) SEPARATOR(5) TAIL,
		  "250-firmware-code-early-pcr0.pcrlock 500-separator.pcrlock 600-gpt.pcrlock " BOOTED },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ASSAY_AUTO_FREE char *names = pcrlock_names(rows[i].platform);

		if (!names)
			fail_msg("row %zu: %s", i, err.msg);
		if (strcmp(names, rows[i].names) != 0)
			fail_msg("row %zu: %s", i, names);
	}
}

/* n accepted values in PCR 2, m in PCR 3. */
static struct assay_prediction *sets(size_t n, size_t m)
{
	struct assay_str s = { 0 };

	assay_str_add(&s, HEAD "events:\n");
	for (int pcr = 2; pcr <= 3; pcr++) {
		assay_str_add(&s, "  - pcr: %d\n    type: EV_POST_CODE\n    accept:\n", pcr);
		for (size_t i = 0; i < (pcr == 2 ? n : m); i++)
			assay_str_add(&s, "      - {text: v%zu}\n", i);
	}
	assay_str_add(&s, TAIL);
	ASSAY_AUTO_FREE char *text = assay_str_steal(&s);
	return predict(text);
}

static void test_ceilings(void **state)
{
	(void)state;
	static const struct {
		size_t n, m;
		bool good;
	} rows[] = { { 21, 3, true }, { 32, 2, true }, { 13, 5, false } };

	assert_int_equal(ASSAY_MAX_ACCEPTED, 64); /* the rows are one below, at, and one past it */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ASSAY_AUTO(assay_prediction) *p = sets(rows[i].n, rows[i].m);
		const struct assay_export_request req = { .prediction = p, .pcrs = 1U << 2 | 1U << 3 | 1U << 4 };
		ASSAY_AUTO(assay_cbor) *rim = NULL, *mid = NULL;
		struct assay_export out;
		const int rc = assay_export(assay_export_format("corim"), &req, &out, &err);

		assert_int_equal(rc, rows[i].good ? 0 : -1);
		if (rc < 0) {
			assert_int_equal(err.code, ASSAY_E_LIMIT);
			continue;
		}
		assert_int_equal(assay_cbor_parse(out.files[0].data, out.files[0].len, &rim, &err), 0);
		const struct assay_cbor *tags = assay_cbor_get(assay_cbor_tagged(rim, 501), 1);
		const struct assay_cbor *inner = assay_cbor_tagged(tags->items[0], 506);
		assert_int_equal(assay_cbor_parse(inner->p, inner->len, &mid, &err), 0);
		assert_int_equal(assay_cbor_get(assay_cbor_get(mid, 4), 0)->n_items, rows[i].n * rows[i].m);
		assay_export_clear(&out);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_table),
	cmocka_unit_test(test_out_of_memory),
	cmocka_unit_test(test_parts),
	cmocka_unit_test(test_ceilings),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
