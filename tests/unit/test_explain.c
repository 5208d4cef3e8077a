/* SPDX-License-Identifier: Apache-2.0 */
/* Two machines that differ in one thing, and what is said to be the cause. */
#include "core/limits.h"
#include "precompute/explain.h"
#include "tests/unit/alloc.h"
#include "tests/unit/log_of.h"

#define BOOT "/EFI/BOOT/BOOTX64.EFI"
#define STUB "systemd-stub 257.13-1~deb13u1"

static const char zeros[4];
#define SEPARATOR(pcr)                                                                                                 \
	{                                                                                                              \
		pcr, EV_SEPARATOR, zeros, 4                                                                            \
	}
#define CALLING LOG_TEXT(4, EV_EFI_ACTION, "Calling EFI Application from Boot Option")

/* UEFI_PLATFORM_FIRMWARE_BLOB; its digest here is of these bytes. */
#define BLOB(at)                                                                                                       \
	"\0\0" at "\0\0\0\0\0"                                                                                         \
	"\0\0\x0e\0\0\0\0\0"

static const struct log_fact facts[] = {
	LOG_TEXT(0, EV_S_CRTM_VERSION, "1\0.\0000\0\0\0"),
	LOG_TEXT(0, EV_EFI_PLATFORM_FIRMWARE_BLOB, BLOB("\x82")),
	LOG_TEXT(0, EV_EFI_PLATFORM_FIRMWARE_BLOB, BLOB("\x90")),
	LOG_TEXT(1, EV_PLATFORM_CONFIG_FLAGS, "ACPI DATA"),
	LOG_TEXT(1, EV_PLATFORM_CONFIG_FLAGS, "ACPI DATA"),
	CALLING,
	SEPARATOR(0),
	SEPARATOR(1),
	SEPARATOR(2),
	SEPARATOR(4),
	SEPARATOR(7),
};
#define N_FACTS (sizeof(facts) / sizeof(facts[0]))

static struct assay_err err;

static struct machine plain(void)
{
	return (struct machine){ .facts = facts, .n_facts = N_FACTS };
}

/* Boots a UKI with this command line and kernel. */
static void boot_uki(struct machine *m, const char *version, const char *cmdline)
{
	struct peb uki;

	build_uki(&uki, STUB, version, cmdline);
	const struct disk_file files[] = { CHAIN_FILE(BOOT, uki) };
	machine_boot(m, files, 1);
	peb_free(&uki);
}

static struct machine plain_uki(void)
{
	struct machine m = plain();

	boot_uki(&m, BUILD_DEBIAN_6_12, "quiet");
	return m;
}

static struct assay_explanation *explain(const struct machine *predicted, const struct machine *real, bool pcrs)
{
	const struct assay_explain_input in = {
		.prediction = predicted->p, .facts = predicted->disk, .log = real->log, .pcrs = pcrs ? real->pcrs : NULL
	};
	struct assay_explanation *e = NULL;

	if (assay_explain(&in, &e, &err) < 0)
		fail_msg("%s", err.msg);
	return e;
}

/* Every row that is not the same has a cause; every PCR that differs is spoken of. */
static void check_whole(const struct assay_explanation *e)
{
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
		const struct assay_explained_pcr *p = &e->pcr[i];
		bool said = false;

		for (size_t k = 0; k < p->events.n; k++) {
			if (p->verdict != ASSAY_EXPLAINED_NOT_PREDICTED)
				assert_int_equal(p->causes[k] == 0, p->events.rows[k].kind == ASSAY_ROW_SAME);
			assert_true(p->causes[k] <= e->n_causes);
			said |= p->causes[k] != 0;
		}
		for (size_t k = 0; k < e->n_causes; k++)
			said |= e->causes[k].pcr == i;
		assert_true(said || p->verdict != ASSAY_EXPLAINED_DIFFERS);
	}
	for (size_t k = 0; k < e->n_causes; k++) {
		const struct assay_explained_pcr *p = &e->pcr[e->causes[k].pcr];
		bool mine = e->causes[k].event == 0;

		assert_true(k == 0 || e->causes[k - 1].follows <= e->causes[k].follows);
		/* The row that it is at is its own. */
		for (size_t i = 0; i < p->events.n; i++)
			mine |= p->causes[i] == k + 1 &&
				(p->events.rows[i].real ? p->events.rows[i].n_real : p->events.rows[i].n_pred) ==
					e->causes[k].event;
		assert_true(mine);
	}
}

/* The first cause begins like this and has these words; so many causes are independent. */
static void first_is(const struct assay_explanation *e, enum assay_cause_kind kind, const char *start,
		     const char *words, size_t independent)
{
	size_t n = 0;

	check_whole(e);
	assert_true(e->differs);
	assert_true(e->n_causes > 0);
	for (size_t i = 0; i < e->n_causes; i++)
		n += !e->causes[i].follows;
	if (strncmp(e->causes[0].words, start, strlen(start)) != 0 || !strstr(e->causes[0].words, words) ||
	    e->causes[0].kind != kind || n != independent) {
		for (size_t i = 0; i < e->n_causes; i++)
			print_message("# %s%s (%s)\n", e->causes[i].follows ? "  " : "", e->causes[i].words,
				      assay_cause_name(e->causes[i].kind));
		fail_msg("wanted first, of %zu: %s … %s", independent, start, words);
	}
}

static bool has_words(const struct assay_explanation *e, const char *a, const char *b)
{
	for (size_t i = 0; i < e->n_causes; i++)
		if (strstr(e->causes[i].words, a) && strstr(e->causes[i].words, b))
			return true;
	return false;
}

static void test_agrees(void **state)
{
	struct machine m = plain_uki();

	(void)state;
	for (int pcrs = 0; pcrs < 2; pcrs++) {
		ASSAY_AUTO(assay_explanation) *e = explain(&m, &m, pcrs);

		assert_false(e->differs);
		assert_int_equal(e->n_causes, 0);
		assert_int_equal(e->cells.different, 0);
		assert_int_equal(e->cells.equal, 2 * (pcrs ? 16 : 15));
		check_whole(e);
	}
	machine_free(&m);
}

static void test_uki(void **state)
{
	struct machine a = plain_uki(), cmdline = plain(), kernel = plain();

	(void)state;
	boot_uki(&cmdline, BUILD_DEBIAN_6_12, "quiet debug");
	boot_uki(&kernel, BUILD_DEBIAN_6_1, "quiet");
	ASSAY_AUTO(assay_explanation) *e = explain(&a, &cmdline, true);

	first_is(e, ASSAY_CAUSE_UKI, "PCR 4, event 3: the machine loaded \\EFI\\BOOT\\BOOTX64.EFI with digest ",
		 "another UKI; its command line (.cmdline) differs; .linux, .osrel and .initrd are the same", 1);
	assert_true(has_words(e, "PCR 9, event 1", "follows from the other command line"));
	assert_true(has_words(e, "PCR 10", "follows from PCRs 4 and 9"));
	assay_explanation_free(&e);
	e = explain(&a, &kernel, false);
	first_is(e, ASSAY_CAUSE_UKI, "PCR 4, event 3: ",
		 "another UKI; its kernel (.linux) differs; .osrel, .cmdline and .initrd are the same", 1);
	assert_true(has_words(e, "PCR 4, event 4", "another kernel in the UKI; follows from the other UKI"));
	machine_free(&a);
	machine_free(&cmdline);
	machine_free(&kernel);
}

static void test_sections(void **state)
{
	struct machine a = plain_uki(), more = plain(), stub = plain();
	struct peb uki;

	(void)state;
	build_uki(&uki, STUB, BUILD_DEBIAN_6_12, "quiet");
	peb_text(&uki, ".uname", "6.12");
	const struct disk_file one[] = { CHAIN_FILE(BOOT, uki) };
	machine_boot(&more, one, 1);
	peb_free(&uki);
	build_uki(&uki, STUB, BUILD_DEBIAN_6_12, "quiet");
	peb_text(&uki, ".other", "not measured");
	const struct disk_file two[] = { CHAIN_FILE(BOOT, uki) };
	machine_boot(&stub, two, 1);
	peb_free(&uki);
	ASSAY_AUTO(assay_explanation) *e = explain(&a, &more, false);

	first_is(e, ASSAY_CAUSE_UKI, "PCR 4, event 3: ", "it measures a kernel release (.uname) more", 1);
	assay_explanation_free(&e);
	e = explain(&more, &a, false);
	first_is(e, ASSAY_CAUSE_UKI, "PCR 4, event 3: ", "it measures no kernel release (.uname)", 1);
	assay_explanation_free(&e);
	e = explain(&a, &stub, false);
	first_is(e, ASSAY_CAUSE_UKI, "PCR 4, event 3: ", "another systemd-stub, another signature", 1);
	machine_free(&a);
	machine_free(&more);
	machine_free(&stub);
}

static void test_partitions(void **state)
{
	static const char *const types[] = { "4f68bce3-e8cd-4db1-96e7-fbcaf984b709" };
	struct machine a = plain_uki(), b = plain();

	(void)state;
	b.parts = types;
	b.n_parts = 1;
	boot_uki(&b, BUILD_DEBIAN_6_12, "quiet");
	ASSAY_AUTO(assay_explanation) *e = explain(&a, &b, true);

	first_is(e, ASSAY_CAUSE_PARTITION_TABLE,
		 "PCR 5, event 1: another partition table: ", "a partition is one more: ", 1);
	assay_explanation_free(&e);
	e = explain(&b, &a, false);
	first_is(e, ASSAY_CAUSE_PARTITION_TABLE,
		 "PCR 5, event 1: another partition table: ", "a partition is missing: ", 1);
	assay_explanation_free(&e);
	assay_json_free(&a.disk);
	e = explain(&a, &b, false);
	first_is(e, ASSAY_CAUSE_PARTITION_TABLE, "PCR 5, event 1: another partition table: ", "has 2 partitions: ", 1);
	machine_free(&a);
	machine_free(&b);
}

/* One word of the facts is another: that is what is said to differ. */
static void one_fact_of_gpt(struct machine *a, const struct machine *b, const char *from, const char *to,
			    const char *words)
{
	const struct assay_json *disk = a->disk;
	ASSAY_AUTO(assay_json) *spoiled = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_str s = { 0 };
	size_t len;
	char *at;

	assert_int_equal(assay_json_dump(disk, &text, &len, &err), 0);
	at = strstr(text, "\"gpt\": {");
	assert_non_null(at);
	at = strstr(at, from);
	assert_non_null(at);
	assay_str_add_n(&s, text, (size_t)(at - text));
	assay_str_add(&s, "%s%s", to, at + strlen(from));
	assert_int_equal(assay_json_parse(s.p, s.len, &spoiled, &err), 0);
	assay_str_clear(&s);
	const struct assay_explain_input in = { .prediction = a->p, .facts = spoiled, .log = b->log };
	ASSAY_AUTO(assay_explanation) *e = NULL;

	assert_int_equal(assay_explain(&in, &e, &err), 0);
	first_is(e, ASSAY_CAUSE_PARTITION_TABLE, "PCR 5, event 1: another partition table: ", words, 1);
}

static void test_partition_words(void **state)
{
	struct machine a = plain_uki(), b = plain_uki();

	(void)state;
	/* The predicted digest is another, the facts say why. */
	for (size_t i = 0; i < a.p->n; i++)
		if (a.p->events[i].type == EV_EFI_GPT_EVENT)
			a.p->events[i].values[0].d[ASSAY_SHA256][0] ^= 1;
	a.p->pcr[5].v[0].d[ASSAY_SHA256][0] ^= 1;
	one_fact_of_gpt(&a, &b, "\"name\": \"", "\"name\": \"other", "partition 1 (");
	one_fact_of_gpt(&a, &b, "\"attributes\": \"0", "\"attributes\": \"1",
			"has attributes 0x0, expected 0x1000000000000000");
	one_fact_of_gpt(&a, &b, "\"type\": \"c12a7328", "\"type\": \"c12a7329", "is of type c12a7328-");
	one_fact_of_gpt(&a, &b, "\"first_lba\": ", "\"first_lba\": 1", "sectors from ");
	one_fact_of_gpt(&a, &b, "\"disk_guid\": \"d1", "\"disk_guid\": \"d2", "the disk's GUID is ");
	one_fact_of_gpt(&a, &b, "\"sector_size\"", "\"sector_size\"", "its partitions are the same");
	one_fact_of_gpt(&a, &b, "\"index\"", "\"indices\"", "a manifest would tell");
	machine_free(&a);
	machine_free(&b);
}

static const char qemu[] = "origin:\n  kind: probe\n  date: 2026-11-22\n  firmware:\n    - {file: a/OVMF.fd, sha256: "
			   "624e06de18b4fa535e90db7160d00d3d07d206422b89999bf1e27d920264e4e0}\n"
			   "  qemu: {version: \"7\", arguments: [\"-m 512\", \"-smp 1\"]}\n";

/* A platform whose fact `at` (or, after N_FACTS, one more at its end) is another. */
static struct machine other_fact(size_t at, struct log_fact fact)
{
	static struct log_fact copies[8][N_FACTS + 1];
	static size_t used;
	struct log_fact *mine = copies[used++ % 8];
	struct machine m = plain();

	memcpy(mine, facts, sizeof(facts));
	mine[at] = fact;
	m.facts = mine;
	m.n_facts = at == N_FACTS ? N_FACTS + 1 : N_FACTS;
	boot_uki(&m, BUILD_DEBIAN_6_12, "quiet");
	return m;
}

static void one_fact(size_t at, struct log_fact fact, enum assay_cause_kind kind, const char *start, const char *words)
{
	struct machine a = plain(), b = other_fact(at, fact);

	a.origin = qemu;
	boot_uki(&a, BUILD_DEBIAN_6_12, "quiet");
	ASSAY_AUTO(assay_explanation) *e = explain(&a, &b, true);

	first_is(e, kind, start, words, 1);
	machine_free(&a);
	machine_free(&b);
}

static void test_platform(void **state)
{
	struct log_build variable = log_variable(LOG_EFI_GLOBAL, "SecureBoot", "\1", 1);
	struct log_build image = log_image("\\rom.efi");

	(void)state;
	one_fact(0, (struct log_fact)LOG_TEXT(0, EV_S_CRTM_VERSION, "2\0\0\0"), ASSAY_CAUSE_FIRMWARE,
		 "PCR 0, event 1: ",
		 "another firmware: firmware version \"2\", expected firmware version \"1.0\" (profile small, made for "
		 "OVMF.fd, sha256 "
		 "624e06de18b4fa53…)");
	one_fact(2, (struct log_fact)LOG_TEXT(0, EV_EFI_PLATFORM_FIRMWARE_BLOB, BLOB("\x91")), ASSAY_CAUSE_FIRMWARE,
		 "PCR 0, event 3: ", "another firmware");
	/* Programs lie at 976 MiB, the profile's machine has 512. */
	one_fact(4, (struct log_fact)LOG_TEXT(1, EV_PLATFORM_CONFIG_FLAGS, "ACPI DATA "), ASSAY_CAUSE_CONFIGURATION,
		 "PCR 1, event 2: ", "more memory");
	one_fact(N_FACTS, (struct log_fact)LOG_TEXT(1, EV_EFI_HANDOFF_TABLES, "\0\0\0\0\0\0\0"),
		 ASSAY_CAUSE_CONFIGURATION, "PCR 1, event 4: ", "one more: the machine measured EV_EFI_HANDOFF_TABLES");
	one_fact(N_FACTS, (struct log_fact){ 7, EV_EFI_VARIABLE_DRIVER_CONFIG, variable.p, variable.len },
		 ASSAY_CAUSE_SECURE_BOOT,
		 "PCR 7, event 2: ", "Secure Boot is on, the profile (small) is of a machine where it is off");
	one_fact(N_FACTS, (struct log_fact){ 2, EV_EFI_BOOT_SERVICES_DRIVER, image.p, image.len },
		 ASSAY_CAUSE_OPTION_ROM, "PCR 2, event 2: ", "one option ROM more than predicted: driver \\rom.efi");
	one_fact(8, (struct log_fact)LOG_TEXT(2, EV_SEPARATOR, "\1\0\0\0"), ASSAY_CAUSE_FIRMWARE,
		 "PCR 2, event 1: ", "an error in the firmware");
	one_fact(N_FACTS, (struct log_fact)LOG_TEXT(6, EV_COMPACT_HASH, "vendor"), ASSAY_CAUSE_OTHER,
		 "PCR 6, event 1: ", "one more: the machine measured EV_COMPACT_HASH (hash of \"vendor\")");
	free(variable.p);
	free(image.p);
}

/* OVMF's first volume has another digest, and its words are the same: not another firmware. */
static void test_first_volume(void **state)
{
	struct machine a = plain(), b = plain_uki();

	(void)state;
	a.origin = qemu;
	boot_uki(&a, BUILD_DEBIAN_6_12, "quiet");
	for (size_t i = 0; i < b.log->n; i++)
		if (b.log->events[i].type == EV_EFI_PLATFORM_FIRMWARE_BLOB) {
			b.log->events[i].digests.d[ASSAY_SHA256][0] ^= 1;
			break;
		}
	ASSAY_AUTO(assay_explanation) *e = explain(&a, &b, false);

	first_is(e, ASSAY_CAUSE_CONFIGURATION, "PCR 0, event 2: ",
		 "version and the other volume are the same: probably another memory size, number of CPUs or machine "
		 "type, which "
		 "OVMF's first volume depends on; more memory than the profile's machine (-m 512)",
		 1);
	machine_free(&a);
	machine_free(&b);
}

static void test_tries(void **state)
{
	struct machine a = plain_uki(), b = plain();

	(void)state;
	b.tries = 2;
	boot_uki(&b, BUILD_DEBIAN_6_12, "quiet");
	ASSAY_AUTO(assay_explanation) *e = explain(&a, &b, true);

	first_is(e, ASSAY_CAUSE_BOOT_ATTEMPT, "PCR 4, event 3: ", "the firmware tried 2 boot options more", 1);
	assay_explanation_free(&e);
	e = explain(&b, &a, true);
	first_is(e, ASSAY_CAUSE_BOOT_ATTEMPT, "PCR 4, event ", "the firmware tried 2 boot options fewer", 1);
	machine_free(&a);
	machine_free(&b);
}

/* Two things at once are two causes, the platform's first. */
static void test_two_causes(void **state)
{
	struct machine a = plain_uki(), b = plain();

	(void)state;
	b.tries = 1;
	boot_uki(&b, BUILD_DEBIAN_6_12, "debug");
	ASSAY_AUTO(assay_explanation) *e = explain(&a, &b, false);

	first_is(e, ASSAY_CAUSE_BOOT_ATTEMPT, "PCR 4, event 3: ", "tried 1 boot option more", 2);
	assert_int_equal(e->causes[1].kind, ASSAY_CAUSE_UKI);
	assay_explanation_free(&e);
	/* One that follows is found before one that does not. */
	machine_free(&b);
	b = plain();
	boot_uki(&b, BUILD_DEBIAN_6_1, "quiet");
	b.log->n--;
	e = explain(&a, &b, false);
	first_is(e, ASSAY_CAUSE_UKI, "PCR 4, event 3: ", "its kernel (.linux) differs", 2);
	assert_int_equal(e->causes[1].pcr, 5);
	assert_int_equal(e->n_causes, 3);
	machine_free(&a);
	machine_free(&b);
}

/* Registers that the log does not lead to. */
static void test_registers(void **state)
{
	struct machine a = plain_uki(), b = plain();
	const char *words[] = { "enter-initrd", "leave-initrd" };

	(void)state;
	boot_uki(&b, BUILD_DEBIAN_6_12, "quiet");
	b.pcrs->v[ASSAY_SHA256][2][0] ^= 1;
	ASSAY_AUTO(assay_explanation) *e = explain(&a, &b, true);

	first_is(e, ASSAY_CAUSE_LOG, "PCR 2: ", "the log does not lead to the register of PCR 2: ", 1);
	assert_true(e->pcr[2].log_disagrees);
	assay_explanation_free(&e);
	b.pcrs->v[ASSAY_SHA256][2][0] ^= 1;
	/* The log has another command line than the registers that are as predicted, PCR 9's too. */
	struct machine c = plain();

	boot_uki(&c, BUILD_DEBIAN_6_12, "debug");
	struct assay_explain_input other = { .prediction = a.p, .log = c.log, .pcrs = a.pcrs };
	for (int k = ASSAY_SHA1; k <= ASSAY_SHA256; k++) /* of PCRs 9 and 11 alone */
		a.pcrs->have[k] = 1U << 9 | 1U << 11;
	assert_int_equal(assay_explain(&other, &e, &err), 0);
	first_is(e, ASSAY_CAUSE_LOG, "PCR 9: ", "the log does not lead to the registers of PCRs 9 and 11: ", 2);
	assert_int_equal(e->causes[1].pcr, 4); /* whose register is not given */
	assay_explanation_free(&e);
	machine_free(&c);
	/* systemd came as far as leave-initrd. */
	for (size_t i = 0; i < 2; i++) {
		struct assay_digests d;

		assert_int_equal(assay_digest_mem(LOG_BANKS, words[i], strlen(words[i]), &d, &err), 0);
		for (int k = ASSAY_SHA1; k <= ASSAY_SHA256; k++)
			assert_int_equal(assay_pcr_extend(b.pcrs, (enum assay_bank)k, 11, d.d[k], &err), 0);
	}
	e = explain(&a, &b, true);
	first_is(e, ASSAY_CAUSE_PHASE, "PCR 11: ", "phase enter-initrd:leave-initrd", 1);
	assay_explanation_free(&e);

	struct assay_explain_input in = {
		.prediction = a.p, .log = b.log, .pcrs = b.pcrs, .phase = "enter-initrd:leave-initrd"
	};
	assert_int_equal(assay_explain(&in, &e, &err), 0);
	assert_false(e->differs);
	assay_explanation_free(&e);
	in.phase = "no such phase";
	assert_int_equal(assay_explain(&in, &e, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
	/* An application measured, and IMA. */
	memcpy(b.pcrs->v[ASSAY_SHA256][11], a.p->pcr[11].v[0].d[ASSAY_SHA256], 32);
	memcpy(b.pcrs->v[ASSAY_SHA1][11], a.p->pcr[11].v[0].d[ASSAY_SHA1], 20);
	b.pcrs->v[ASSAY_SHA256][15][0] ^= 1;
	b.pcrs->v[ASSAY_SHA256][10][0] ^= 1;
	e = explain(&a, &b, true);
	first_is(e, ASSAY_CAUSE_RUNTIME, "PCR 10: ", "it is IMA", 2);
	assert_true(has_words(e, "PCR 15", "measured after the log's end"));
	assay_explanation_free(&e);
	/* Nothing of a bank that both have. */
	b.pcrs->have[ASSAY_SHA1] = b.pcrs->have[ASSAY_SHA256] = 0;
	in = (struct assay_explain_input){ .prediction = a.p, .log = b.log, .pcrs = b.pcrs };
	assert_int_equal(assay_explain(&in, &e, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
	machine_free(&a);
	machine_free(&b);
}

static void test_locality(void **state)
{
	struct machine a = plain_uki(), b = plain();
	struct log_build with = { 0 };
	uint8_t *header;

	(void)state;
	boot_uki(&b, BUILD_DEBIAN_6_12, "quiet");
	/* The header again, a startup locality behind it, and the rest. */
	const size_t at = (size_t)b.log->events[1].at;
	log_bytes(&with, b.log_bytes.p, at);
	log_locality(&with, LOG_BANKS, 3);
	log_bytes(&with, b.log_bytes.p + at, b.log_bytes.len - at);
	header = b.log_bytes.p;
	b.log_bytes = with;
	assay_eventlog_free(&b.log);
	assert_int_equal(assay_eventlog_parse(with.p, with.len, &b.log, &err), 0);
	ASSAY_AUTO(assay_explanation) *e = explain(&a, &b, false);

	first_is(e, ASSAY_CAUSE_FIRMWARE, "PCR 0: ", "started from locality 3, the profile's machine starts it from 0",
		 1);
	free(header);
	machine_free(&a);
	machine_free(&b);
}

/* --- systemd-boot ------------------------------------------------------------------------------- */

#define LOADER_257 "systemd-boot 257.13-1~deb13u1"

struct entry {
	const char *loader, *conf, *options, *kernel;
};

static struct machine boot_entry(struct entry k)
{
	struct machine m = plain();
	struct peb loader, kernel;
	char text[256];

	build_systemd(&loader, k.loader ? k.loader : LOADER_257);
	build_kernel(&kernel, k.kernel ? k.kernel : BUILD_DEBIAN_6_12);
	snprintf(text, sizeof(text), "title t\nlinux /k\ninitrd /i\noptions %s\n", k.options ? k.options : "quiet");
	const struct disk_file files[] = { CHAIN_FILE(BOOT, loader),
					   { "/loader/loader.conf", k.conf ? k.conf : "timeout 0\n",
					     strlen(k.conf ? k.conf : "timeout 0\n") },
					   { "/loader/entries/e.conf", text, strlen(text) },
					   CHAIN_FILE("/k", kernel),
					   CHAIN_TEXT("/i", "an initrd") };
	machine_boot(&m, files, CHAIN_N(files));
	peb_free(&loader);
	peb_free(&kernel);
	return m;
}

static void one_entry(struct entry k, enum assay_cause_kind kind, const char *start, const char *words)
{
	struct machine a = boot_entry((struct entry){ 0 }), b = boot_entry(k);
	ASSAY_AUTO(assay_explanation) *e = explain(&a, &b, true);

	first_is(e, kind, start, words, 1);
	machine_free(&a);
	machine_free(&b);
}

static void test_entries(void **state)
{
	(void)state;
	one_entry((struct entry){ .conf = "timeout 1\n" }, ASSAY_CAUSE_LOADER_CONF,
		  "PCR 5, event 2: ", "another \\loader\\loader.conf");
	one_entry((struct entry){ .options = "quiet debug" }, ASSAY_CAUSE_CMDLINE, "PCR 12, event 1: ",
		  "another command line: \"initrd=\\i quiet debug\", expected \"initrd=\\i quiet\"; they part at "
		  "\"quiet\" and \"quiet\"");
	one_entry((struct entry){ .options = "quick" }, ASSAY_CAUSE_CMDLINE,
		  "PCR 12, event 1: ", "; they part at \"quick\" and \"quiet\"");
	one_entry((struct entry){ .kernel = BUILD_DEBIAN_6_1 }, ASSAY_CAUSE_KERNEL,
		  "PCR 4, event 4: ", "another kernel");
	one_entry((struct entry){ .loader = "systemd-boot 257.9-1~deb13u1" }, ASSAY_CAUSE_BOOT_LOADER,
		  "PCR 4, event 3: ", "another boot loader");
}

/* Each of a chain's files is a cause of its own, in the order in which they are read. */
static void test_all_of_an_entry(void **state)
{
	static const enum assay_cause_kind want[] = { ASSAY_CAUSE_BOOT_LOADER, ASSAY_CAUSE_LOADER_CONF,
						      ASSAY_CAUSE_KERNEL, ASSAY_CAUSE_CMDLINE };
	struct machine a = boot_entry((struct entry){ 0 });
	struct machine b =
		boot_entry((struct entry){ "systemd-boot 257.9-1~deb13u1", "timeout 1\n", "debug", BUILD_DEBIAN_6_1 });
	ASSAY_AUTO(assay_explanation) *e = explain(&a, &b, true);

	(void)state;
	first_is(e, ASSAY_CAUSE_BOOT_LOADER, "PCR 4, event 3: ", "another boot loader", 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(e->causes[i].kind, want[i]);
	machine_free(&a);
	machine_free(&b);
}

/* --- robustness --------------------------------------------------------------------------------- */

/* Each event of the log left out, doubled, or of another digest: told, and nothing hidden. */
static void test_each_event(void **state)
{
	struct machine m = plain_uki();
	const struct assay_eventlog *log = m.log;

	(void)state;
	for (size_t i = 1; i < log->n; i++) {
		for (int how = 0; how < 3; how++) {
			struct assay_eventlog mine = *log;
			struct assay_explain_input in = { .prediction = m.p, .facts = m.disk, .log = &mine };
			ASSAY_AUTO(assay_explanation) *e = NULL;

			mine.events = calloc(log->n + 1, sizeof(*mine.events));
			assert_non_null(mine.events);
			mine.n = 0;
			for (size_t k = 0; k < log->n; k++) {
				if (k == i && how == 0)
					continue;
				mine.events[mine.n++] = log->events[k];
				if (k == i && how == 1)
					mine.events[mine.n++] = log->events[k];
				if (k == i && how == 2)
					mine.events[mine.n - 1].digests.d[ASSAY_SHA256][0] ^= 1;
			}
			assert_int_equal(assay_explain(&in, &e, &err), 0);
			assert_true(e->differs);
			check_whole(e);
			assert_true(e->n_causes > 0);
			assert_int_equal(e->pcr[log->events[i].pcr].verdict, ASSAY_EXPLAINED_DIFFERS);
			assert_false(e->causes[0].follows);
			assay_explanation_free(&e);
			free(mine.events);
		}
	}
	machine_free(&m);
}

/* Separators with an error are one cause; of so many that nobody reasons about them, each is told. */
static void test_ceiling(void **state)
{
	struct machine m = plain_uki();

	(void)state;
	for (size_t over = 0; over < 2; over++) {
		const size_t more = ASSAY_EXPLAIN_MAX_EVENTS - 3 + over; /* PCR 1 has three events of its own */
		struct assay_eventlog log = *m.log;
		struct assay_explain_input in = { .prediction = m.p, .log = &log };
		ASSAY_AUTO(assay_explanation) *e = NULL;

		log.events = calloc(log.n + more, sizeof(*log.events));
		assert_non_null(log.events);
		memcpy(log.events, m.log->events, log.n * sizeof(*log.events));
		for (size_t i = 0; i < more; i++) {
			log.events[log.n] = m.log->events[1];
			log.events[log.n].pcr = 1;
			log.events[log.n++].type = EV_SEPARATOR;
		}
		assert_int_equal(assay_explain(&in, &e, &err), 0);
		assert_int_equal(e->pcr[1].events.n, 3 + more);
		assert_int_equal(e->n_causes, over ? more : 1);
		for (size_t k = 0; k < e->pcr[1].events.n; k++)
			assert_int_equal(e->pcr[1].causes[k] == 0, e->pcr[1].events.rows[k].kind == ASSAY_ROW_SAME);
		assay_explanation_free(&e);
		free(log.events);
	}
	machine_free(&m);
}

static struct machine given, booted;

static int explain_again(struct assay_err *e)
{
	const struct assay_explain_input in = {
		.prediction = given.p, .facts = given.disk, .log = booted.log, .pcrs = booted.pcrs
	};
	struct assay_explanation *out = NULL;
	const int rc = assay_explain(&in, &out, e);

	assay_explanation_free(&out);
	return rc;
}

static void test_memory(void **state)
{
	static const char *const types[] = { "4f68bce3-e8cd-4db1-96e7-fbcaf984b709" };

	(void)state;
	given = plain_uki();
	booted = plain();
	booted.tries = 1;
	booted.parts = types;
	booted.n_parts = 1;
	boot_uki(&booted, BUILD_DEBIAN_6_1, "debug");
	unit_alloc_each(explain_again, false); /* OpenSSL keeps and frees some of its own */
	machine_free(&given);
	machine_free(&booted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agrees),		cmocka_unit_test(test_uki),
		cmocka_unit_test(test_sections),	cmocka_unit_test(test_partitions),
		cmocka_unit_test(test_platform),	cmocka_unit_test(test_tries),
		cmocka_unit_test(test_first_volume),	cmocka_unit_test(test_two_causes),
		cmocka_unit_test(test_registers),	cmocka_unit_test(test_locality),
		cmocka_unit_test(test_entries),		cmocka_unit_test(test_all_of_an_entry),
		cmocka_unit_test(test_partition_words), cmocka_unit_test(test_each_event),
		cmocka_unit_test(test_ceiling),		cmocka_unit_test(test_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
