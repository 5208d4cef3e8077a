/* SPDX-License-Identifier: Apache-2.0 */
/* Registers against predictions, cell by cell, and where two event lists part. */
#include "precompute/compare.h"
#include "tests/unit/chain_run.h"

#define BOOT "/EFI/BOOT/BOOTX64.EFI"

static struct assay_err err;

static struct assay_prediction *predict(const char *platform)
{
	struct chain_run r = { .platform = platform };
	struct assay_prediction *p;
	struct peb uki;

	build_uki(&uki, "systemd-stub 257.13", BUILD_DEBIAN_6_12, "quiet");
	const struct disk_file files[] = { CHAIN_FILE(BOOT, uki) };
	p = chain_ok(&r, files, 1);
	peb_free(&uki);
	return p;
}

/* The registers that were predicted. */
static struct assay_pcrs *registers(const struct assay_prediction *p)
{
	struct assay_pcrs *regs = calloc(1, sizeof(*regs));

	assert_non_null(regs);
	for (int b = 0; b < ASSAY_N_BANKS; b++)
		for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS && (p->banks & ASSAY_BANK_BIT(b));
		     i++)
			if (p->pcr[i].n) {
				memcpy(regs->v[b][i], p->pcr[i].v[p->pcr[i].n - 1].d[b],
				       ASSAY_MAX_DIGEST);
				regs->have[b] |= 1U << i;
			}
	return regs;
}

static const struct assay_cell *cell(const struct assay_comparison *c, enum assay_bank bank,
				     unsigned pcr)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->cells[i].bank == bank && c->cells[i].pcr == pcr)
			return &c->cells[i];
	fail_msg("no cell");
	return NULL;
}

static void test_cells(void **state)
{
	ASSAY_AUTO(assay_prediction) *p = predict(NULL);
	ASSAY_AUTO_FREE struct assay_pcrs *regs = registers(p);
	struct assay_comparison c;

	(void)state;
	assert_int_equal(assay_compare(p, regs, NULL, false, &c, &err), 0);
	assert_int_equal(c.equal, 48);
	assert_int_equal(c.n, 48);
	assay_comparison_clear(&c);
	/* Every single cell tells. */
	for (unsigned i = 0; i < 48; i++) {
		uint8_t *byte =
			&regs->v[i / 16][i % 16][assay_bank_size((enum assay_bank)(i / 16)) - 1];

		*byte ^= 1;
		assert_int_equal(assay_compare(p, regs, NULL, false, &c, &err), 0);
		assert_int_equal(c.equal, 47);
		assert_int_equal(c.different, 1);
		assert_int_equal(c.cells[i].verdict, ASSAY_CELL_DIFFERENT);
		assay_comparison_clear(&c);
		*byte ^= 1;
	}
	regs->have[ASSAY_SHA1] = 0;
	regs->have[ASSAY_SHA256] &= ~1U;
	assert_int_equal(assay_compare(p, regs, NULL, true, &c, &err), 0);
	assert_int_equal(c.equal, 48 - 16 - 1 - 2);
	assert_int_equal(c.not_given, 16 + 1 + 2);
	assert_int_equal(cell(&c, ASSAY_SHA256, 10)->verdict, ASSAY_CELL_NOT_GIVEN);
	assert_non_null(strstr(cell(&c, ASSAY_SHA256, 10)->remark, "not in the firmware's log"));
	assay_comparison_clear(&c);
}

static void test_phases(void **state)
{
	ASSAY_AUTO(assay_prediction) *p = predict(NULL);
	ASSAY_AUTO_FREE struct assay_pcrs *regs = registers(p);
	struct assay_comparison c;

	(void)state;
	memcpy(regs->v[ASSAY_SHA256][11], p->phases[1].pcr11.d[ASSAY_SHA256], 32);
	assert_int_equal(assay_compare(p, regs, NULL, false, &c, &err), 0);
	assert_int_equal(c.different, 1);
	assert_non_null(strstr(cell(&c, ASSAY_SHA256, 11)->remark,
			       "after phase enter-initrd:leave-initrd"));
	assay_comparison_clear(&c);
	assert_int_equal(assay_compare(p, regs, "enter-initrd:leave-initrd", false, &c, &err), 0);
	assert_int_equal(cell(&c, ASSAY_SHA256, 11)->verdict, ASSAY_CELL_EQUAL);
	assay_comparison_clear(&c);
	assert_int_equal(assay_compare(p, regs, "leave-initrd", false, &c, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
}

static const char sets[] =
	"schema: assay.platform/1\nname: s\narch: x86-64\nbanks: [sha256]\nsecure_boot: false\n"
	"events:\n  - {pcr: 0, type: EV_S_CRTM_VERSION, accept: [{text: a}, {text: b}]}\n"
	"  - {slot: gpt}\n  - {slot: boot, tries: 0}\n  - {slot: exit}\n"
	"unknown: [{pcr: 3, reason: secret}]\n";

static void test_sets(void **state)
{
	ASSAY_AUTO(assay_prediction) *p = predict(sets);
	ASSAY_AUTO_FREE struct assay_pcrs *regs = registers(p);
	struct assay_comparison c;

	(void)state;
	regs->have[ASSAY_SHA256] |= 1U << 3;
	assert_int_equal(assay_compare(p, regs, NULL, false, &c, &err), 0);
	assert_int_equal(cell(&c, ASSAY_SHA256, 0)->verdict, ASSAY_CELL_EQUAL);
	assert_int_equal(cell(&c, ASSAY_SHA256, 0)->n_expected, 2);
	assert_memory_equal(cell(&c, ASSAY_SHA256, 0)->expected, p->pcr[0].v[1].d[ASSAY_SHA256],
			    32);
	assert_int_equal(cell(&c, ASSAY_SHA256, 3)->verdict, ASSAY_CELL_NOT_PREDICTED);
	assert_string_equal(cell(&c, ASSAY_SHA256, 3)->remark, "secret");
	assert_int_equal(c.not_predicted, 2); /* and PCR 10 */
	assay_comparison_clear(&c);
}

/* A log out of the prediction itself, spoiled in each way. */
static void test_events(void **state)
{
	ASSAY_AUTO(assay_prediction) *p = predict(NULL);
	struct assay_event events[64];
	struct assay_eventlog log = { .events = events };
	char *words;

	(void)state;
	for (size_t i = 0; i < p->n; i++)
		events[log.n++] = (struct assay_event){ .pcr = p->events[i].pcr,
							.type = p->events[i].type,
							.digests = p->events[i].values[0],
							.data = (const uint8_t *)"" };
	assert_int_equal(assay_compare_events(p, &log, 4, ASSAY_SHA256, &words, &err), 0);
	assert_null(words);
	for (size_t i = 0; i < log.n; i++) {
		if (events[i].pcr != 4)
			continue;
		events[i].digests.d[ASSAY_SHA256][0] ^= 1;
		break;
	}
	assert_int_equal(assay_compare_events(p, &log, 4, ASSAY_SHA256, &words, &err), 0);
	assert_memory_equal(words, "event 1: the machine measured", 29);
	free(words);
	assert_int_equal(assay_compare_events(p, &log, 4, ASSAY_SHA384, &words, &err), 0);
	assert_null(words);
	/* A digest that is not there equals nothing. */
	for (size_t i = 0; i < log.n; i++)
		events[i].digests.banks &= ~ASSAY_BANK_BIT(ASSAY_SHA384);
	assert_int_equal(assay_compare_events(p, &log, 4, ASSAY_SHA384, &words, &err), 0);
	assert_non_null(words);
	free(words);
	log.n--; /* exit of boot services, in PCR 5 */
	while (events[log.n].pcr != 5)
		log.n--;
	assert_int_equal(assay_compare_events(p, &log, 5, ASSAY_SHA256, &words, &err), 0);
	assert_non_null(strstr(words, "is missing: predicted EV_EFI_ACTION"));
	free(words);
	events[log.n + 1] = events[log.n];
	events[log.n + 1].type = 0x80000099;
	log.n += 2;
	assert_int_equal(assay_compare_events(p, &log, 5, ASSAY_SHA256, &words, &err), 0);
	assert_non_null(strstr(words, "one more: the machine measured an event of unknown type"));
	free(words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_phases),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_events),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
