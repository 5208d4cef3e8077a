/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From logs to PCRs. Three judges that we did not write: libtpms, a TPM 2.0 running in this
 * process; PCR values read from real machines (shared data); and the machine's reset values.
 */
#include <libtpms/tpm_library.h>
#include <libtpms/tpm_error.h>
#include <libtpms/tpm_memory.h>
#include <libtpms/tpm_nvfilename.h>
#include <libtpms/tpm_tis.h>

#include "core/json.h"
#include "tests/unit/log_build.h"
#include "tpm/eventlog.h"

#define SHA1 ASSAY_BANK_BIT(ASSAY_SHA1)
#define SHA256 ASSAY_BANK_BIT(ASSAY_SHA256)
#define SHA384 ASSAY_BANK_BIT(ASSAY_SHA384)
#define SHA512 ASSAY_BANK_BIT(ASSAY_SHA512)

static struct assay_err err;

/* --- a TPM in this process ---------------------------------------------------------------------
 */

static TPM_MODIFIER_INDICATOR locality;

static TPM_RESULT nvram_init(void)
{
	return TPM_SUCCESS;
}

/* What survives a power cycle: the PCR banks that were allocated. */
static unsigned char nvram[1 << 16];
static uint32_t nvram_size;

static TPM_RESULT nvram_load(unsigned char **data, uint32_t *length, uint32_t number,
			     const char *name)
{
	(void)number;
	if (nvram_size == 0 || strcmp(name, TPM_PERMANENT_ALL_NAME) != 0)
		return TPM_RETRY; /* none: be manufactured afresh */
	*data = malloc(nvram_size);
	if (!*data)
		return TPM_SIZE;
	memcpy(*data, nvram, nvram_size);
	*length = nvram_size;
	return TPM_SUCCESS;
}

static TPM_RESULT nvram_store(const unsigned char *data, uint32_t length, uint32_t number,
			      const char *name)
{
	(void)number;
	if (strcmp(name, TPM_PERMANENT_ALL_NAME) != 0)
		return TPM_SUCCESS;
	assert_true(length <= sizeof(nvram));
	memcpy(nvram, data, length);
	nvram_size = length;
	return TPM_SUCCESS;
}

static TPM_RESULT nvram_delete(uint32_t number, const char *name, TPM_BOOL must_exist)
{
	(void)number, (void)name, (void)must_exist;
	return TPM_SUCCESS;
}

static TPM_RESULT get_locality(TPM_MODIFIER_INDICATOR *ret, uint32_t number)
{
	(void)number;
	*ret = locality;
	return TPM_SUCCESS;
}

static TPM_RESULT get_presence(TPM_BOOL *ret, uint32_t number)
{
	(void)number;
	*ret = 1;
	return TPM_SUCCESS;
}

static unsigned char *response;
static uint32_t response_size, response_room;

/* Sends a command; its first six bytes after the tag are filled in here. */
static void tpm_send(struct log_build *command, uint16_t tag, uint32_t code)
{
	assay_put_be32(command->p + 2, (uint32_t)command->len);
	command->p[0] = (uint8_t)(tag >> 8);
	command->p[1] = (uint8_t)tag;
	assay_put_be32(command->p + 6, code);
	assert_int_equal(TPMLIB_Process(&response, &response_size, &response_room, command->p,
					(uint32_t)command->len),
			 TPM_SUCCESS);
	free(command->p);

	struct assay_cur c = assay_cur_make(response, response_size, 0);

	assay_cur_skip(&c, 2);
	assert_int_equal(assay_cur_be32(&c), response_size);
	assert_int_equal(assay_cur_be32(&c), 0);
}

static void log_be16(struct log_build *b, uint16_t v)
{
	const uint8_t p[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	log_bytes(b, p, 2);
}

static void log_be32(struct log_build *b, uint32_t v)
{
	uint8_t p[4];

	assay_put_be32(p, v);
	log_bytes(b, p, 4);
}

/* An empty password session. */
static void log_session(struct log_build *b)
{
	log_be32(b, 9);
	log_be32(b, 0x40000009); /* TPM_RS_PW */
	log_fill(b, 0, 5);
}

static void tpm_power(unsigned startup_locality, const char *hcrtm);

/* A TPM with all four banks: they are allocated in one life and there in the next. */
static void tpm_start(unsigned startup_locality, const char *hcrtm)
{
	struct log_build command = { 0 };

	tpm_power(0, NULL);
	log_fill(&command, 0, 10);
	log_be32(&command, 0x4000000c); /* TPM_RH_PLATFORM */
	log_session(&command);
	log_be32(&command, ASSAY_N_BANKS);
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		log_be16(&command, assay_bank_tcg_id((enum assay_bank)b));
		log_bytes(&command, "\3\377\377\377", 4);
	}
	tpm_send(&command, 0x8002, 0x12b); /* TPM2_PCR_Allocate */
	command = (struct log_build){ 0 };
	log_fill(&command, 0, 10);
	log_be16(&command, 0);
	tpm_send(&command, 0x8001, 0x145); /* TPM2_Shutdown */
	TPMLIB_Terminate();
	tpm_power(startup_locality, hcrtm);
}

/* Powers the TPM up; with an H-CRTM sequence before TPM2_Startup when there is data for one. */
static void tpm_power(unsigned startup_locality, const char *hcrtm)
{
	static struct libtpms_callbacks callbacks = {
		.sizeOfStruct = sizeof(callbacks),
		.tpm_nvram_init = nvram_init,
		.tpm_nvram_loaddata = nvram_load,
		.tpm_nvram_storedata = nvram_store,
		.tpm_nvram_deletename = nvram_delete,
		.tpm_io_getlocality = get_locality,
		.tpm_io_getphysicalpresence = get_presence,
	};
	struct log_build command = { 0 };

	assert_int_equal(TPMLIB_ChooseTPMVersion(TPMLIB_TPM_VERSION_2), TPM_SUCCESS);
	assert_int_equal(TPMLIB_RegisterCallbacks(&callbacks), TPM_SUCCESS);
	assert_int_equal(TPMLIB_MainInit(), TPM_SUCCESS);
	if (hcrtm) {
		locality = 4;
		assert_int_equal(TPM_IO_Hash_Start(), TPM_SUCCESS);
		assert_int_equal(
			TPM_IO_Hash_Data((const unsigned char *)hcrtm, (uint32_t)strlen(hcrtm)),
			TPM_SUCCESS);
		assert_int_equal(TPM_IO_Hash_End(), TPM_SUCCESS);
	}
	locality = startup_locality;
	log_fill(&command, 0, 10);
	log_be16(&command, 0);		   /* TPM_SU_CLEAR */
	tpm_send(&command, 0x8001, 0x144); /* TPM2_Startup */
	locality = 0;
}

static void tpm_extend(unsigned pcr, const struct assay_digests *d)
{
	struct log_build command = { 0 };
	uint32_t n = 0;

	for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
		n += d->banks >> b & 1U;
	log_fill(&command, 0, 10);
	log_be32(&command, pcr);
	log_session(&command);
	log_be32(&command, n);
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		if (!(d->banks & ASSAY_BANK_BIT(b)))
			continue;
		log_be16(&command, assay_bank_tcg_id((enum assay_bank)b));
		log_bytes(&command, d->d[b], assay_bank_size((enum assay_bank)b));
	}
	tpm_send(&command, 0x8002, 0x182); /* TPM2_PCR_Extend */
}

static void tpm_read(enum assay_bank bank, unsigned pcr, uint8_t *ret)
{
	struct log_build command = { 0 };
	uint8_t select[3] = { 0 };

	select[pcr / 8] = (uint8_t)(1U << pcr % 8);
	log_fill(&command, 0, 10);
	log_be32(&command, 1);
	log_be16(&command, assay_bank_tcg_id(bank));
	log_bytes(&command, "\3", 1);
	log_bytes(&command, select, 3);
	tpm_send(&command, 0x8001, 0x17e); /* TPM2_PCR_Read */

	struct assay_cur c = assay_cur_make(response, response_size, 0);

	assay_cur_skip(&c,
		       10 + 4 + 4 + 2 + 1); /* header, counter, one selection, its bank and size */
	assay_cur_copy(&c, select, 3);
	assert_int_equal(select[pcr / 8], 1U << pcr % 8);
	assert_int_equal(assay_cur_be32(&c), 1);
	assert_int_equal(assay_cur_be16(&c), assay_bank_size(bank));
	assay_cur_copy(&c, ret, assay_bank_size(bank));
	assert_int_equal(assay_cur_done(&c, "response", &err), 0);
}

static void tpm_stop(void)
{
	TPMLIB_Terminate();
	TPM_Free(response);
	response = NULL;
	response_size = response_room = 0;
}

/* Every PCR that was replayed is what the TPM holds; says how many were compared. */
static unsigned tpm_agrees(const struct assay_pcrs *p)
{
	unsigned n = 0;

	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		for (unsigned i = 0; i < ASSAY_N_PCRS; i++) {
			uint8_t v[ASSAY_MAX_DIGEST];

			if (!(p->have[b] & 1U << i))
				continue;
			tpm_read((enum assay_bank)b, i, v);
			assert_memory_equal(p->v[b][i], v, assay_bank_size((enum assay_bank)b));
			n++;
		}
	}
	return n;
}

/* --- against the TPM ---------------------------------------------------------------------------
 */

static uint32_t seed = 1;

static uint32_t rnd(void)
{
	seed = seed * 1664525U + 1013904223U;
	return seed >> 8;
}

static void test_reset_values(void **state)
{
	struct assay_pcrs p;

	(void)state;
	tpm_start(0, NULL);
	assay_pcrs_reset(&p, ASSAY_ALL_BANKS);
	assert_int_equal(tpm_agrees(&p), 4 * ASSAY_N_PCRS);
	tpm_stop();
}

/* The same random events into the TPM and into a log. EV_NO_ACTION goes into the log alone. */
static void test_random_extends(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		const unsigned startup = round == 1 ? 3 : 0;
		ASSAY_AUTO(assay_eventlog) *log = NULL;
		struct assay_replay_reasons reasons;
		struct log_build b = { 0 };
		struct assay_pcrs p;

		tpm_start(startup, NULL);
		log_header(&b, ASSAY_ALL_BANKS);
		if (startup)
			log_locality(&b, ASSAY_ALL_BANKS, (uint8_t)startup);
		for (unsigned i = 0; i < 2000; i++) {
			const uint32_t r = rnd() % 18;
			const unsigned pcr = r == 17 ? 23 : r;
			struct assay_digests d = { .banks = ASSAY_ALL_BANKS };

			for (unsigned k = 0; k < ASSAY_N_BANKS; k++) {
				for (size_t j = 0; j < assay_bank_size((enum assay_bank)k); j++)
					d.d[k][j] = (uint8_t)rnd();
			}
			if (rnd() % 8 == 0) {
				log_event(&b, pcr, EV_NO_ACTION, &d, "nobody extends this", 19);
				continue;
			}
			log_event(&b, pcr, EV_IPL, &d, &r, sizeof(r));
			tpm_extend(pcr, &d);
		}
		assert_int_equal(assay_eventlog_parse(b.p, b.len, &log, &err), 0);
		assert_int_equal(assay_eventlog_replay(log, ASSAY_ALL_BANKS, &p, &reasons, &err),
				 0);
		assert_int_equal(tpm_agrees(&p), 4 * 18);
		assay_replay_reasons_free(&reasons);
		free(b.p);
		tpm_stop();
	}
}

static void test_startup_locality(void **state)
{
	(void)state;
	for (unsigned startup = 0; startup <= 3; startup += 3) {
		ASSAY_AUTO(assay_eventlog) *log = NULL;
		struct log_build b = { 0 };
		struct assay_digests d;
		struct assay_pcrs p;

		assert_int_equal(assay_digest_mem(ASSAY_ALL_BANKS, "x", 1, &d, &err), 0);
		tpm_start(startup, NULL);
		tpm_extend(0, &d);
		log_header(&b, ASSAY_ALL_BANKS);
		log_event(&b, 0, EV_S_CRTM_CONTENTS, &d, "x", 1);
		log_locality(&b, ASSAY_ALL_BANKS, (uint8_t)startup); /* its place does not matter */
		assert_int_equal(assay_eventlog_parse(b.p, b.len, &log, &err), 0);
		assert_int_equal(assay_eventlog_replay(log, ASSAY_ALL_BANKS, &p, NULL, &err), 0);
		assert_int_equal(tpm_agrees(&p), 4);
		free(b.p);
		tpm_stop();
	}
}

/* The hardware hashes the first code before TPM2_Startup: PCR 0 then starts at 4. */
static void test_hcrtm(void **state)
{
	static const char code[] = "the first code that runs";
	ASSAY_AUTO(assay_eventlog) *log = NULL;
	struct log_build b = { 0 };
	struct assay_digests d, more;
	struct assay_pcrs p;

	(void)state;
	assert_int_equal(assay_digest_mem(ASSAY_ALL_BANKS, code, strlen(code), &d, &err), 0);
	assert_int_equal(assay_digest_mem(ASSAY_ALL_BANKS, "x", 1, &more, &err), 0);
	tpm_start(0, code);
	tpm_extend(0, &more);
	log_header(&b, ASSAY_ALL_BANKS);
	log_event(&b, 0, EV_EFI_HCRTM_EVENT, &d, "HCRTM", 5);
	log_event(&b, 0, EV_S_CRTM_CONTENTS, &more, "x", 1);
	assert_int_equal(assay_eventlog_parse(b.p, b.len, &log, &err), 0);
	assert_int_equal(assay_eventlog_replay(log, ASSAY_ALL_BANKS, &p, NULL, &err), 0);
	assert_int_equal(tpm_agrees(&p), 4);
	free(b.p);
	tpm_stop();
}

/* --- what cannot be replayed -------------------------------------------------------------------
 */

static struct log_build built;
static struct assay_eventlog *log_;
static struct assay_pcrs pcrs;
static struct assay_replay_reasons reasons_;

static void replay(unsigned banks)
{
	assert_int_equal(assay_eventlog_parse(built.p, built.len, &log_, &err), 0);
	assert_int_equal(assay_eventlog_replay(log_, banks, &pcrs, &reasons_, &err), 0);
	/* A PCR has a value or a reason, in the banks asked for, and never both. */
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		const bool asked = banks & ASSAY_BANK_BIT(b);

		for (unsigned i = 0; i < ASSAY_N_PCRS; i++) {
			const bool have = pcrs.have[b] & 1U << i;

			assert_int_equal(have || reasons_.why[b][i], asked);
			assert_false(have && reasons_.why[b][i]);
			assert_false(have && (reasons_.untouched[b] & 1U << i));
		}
	}
	assert_int_equal(pcrs.banks, banks);
}

static int teardown(void **state)
{
	(void)state;
	assay_replay_reasons_free(&reasons_);
	assay_eventlog_free(&log_);
	free(built.p);
	built = (struct log_build){ 0 };
	return 0;
}

static void test_untouched(void **state)
{
	(void)state;
	log_header(&built, SHA256);
	log_event_of(&built, 4, EV_SEPARATOR, SHA256, "\0\0\0", 4);
	replay(SHA256);
	assert_int_equal(pcrs.have[ASSAY_SHA256], 1 << 4);
	assert_string_equal(reasons_.why[ASSAY_SHA256][10], "no event of the log extends it");
	assert_int_equal(reasons_.untouched[ASSAY_SHA256], 0xffffef);
}

static void test_lacking_digest(void **state)
{
	(void)state;
	log_header(&built, SHA1 | SHA256);
	log_event_of(&built, 1, EV_IPL, SHA1 | SHA256, "a", 1);
	log_event_of(&built, 2, EV_IPL, SHA1 | SHA256, "b", 1);
	const size_t at = built.len;
	log_event_of(&built, 2, EV_IPL, SHA256, "c", 1);
	log_event_of(&built, 2, EV_IPL, SHA1 | SHA256, "d", 1);
	replay(SHA1 | SHA256);
	assert_int_equal(pcrs.have[ASSAY_SHA256], 1 << 1 | 1 << 2);
	assert_int_equal(pcrs.have[ASSAY_SHA1], 1 << 1);

	char why[100];

	snprintf(why, sizeof(why), "event 3 (EV_IPL, at byte 0x%zx) has no sha1 digest", at);
	assert_string_equal(reasons_.why[ASSAY_SHA1][2], why);
	assert_int_equal(reasons_.untouched[ASSAY_SHA1], 0xffffff & ~6);
}

static void test_missing_bank(void **state)
{
	(void)state;
	log_header(&built, SHA1 | SHA256);
	log_event_of(&built, 1, EV_IPL, SHA256, "a", 1);
	replay(SHA1 | SHA256 | SHA512);
	assert_int_equal(pcrs.have[ASSAY_SHA1], 0);
	assert_int_equal(pcrs.have[ASSAY_SHA256], 2);
	assert_int_equal(pcrs.have[ASSAY_SHA512], 0);
	for (unsigned i = 0; i < ASSAY_N_PCRS; i++) {
		assert_string_equal(
			reasons_.why[ASSAY_SHA1][i],
			"the log's header announces sha1, and no event has such a digest");
		assert_string_equal(reasons_.why[ASSAY_SHA512][i],
				    "the log has no sha512 digests (it announces: sha1, sha256)");
	}
	assert_int_equal(reasons_.untouched[ASSAY_SHA1], 0);
	assert_int_equal(reasons_.untouched[ASSAY_SHA512], 0);
}

static void test_dynamic_launch(void **state)
{
	(void)state;
	log_header(&built, SHA256);
	log_event_of(&built, 17, EV_IPL, SHA256, "a", 1);
	log_event_of(&built, 16, EV_IPL, SHA256, "a", 1);
	replay(SHA256);
	assert_int_equal(pcrs.have[ASSAY_SHA256], 1 << 16);
	assert_non_null(strstr(reasons_.why[ASSAY_SHA256][17], "dynamic launch"));
	assert_false(reasons_.untouched[ASSAY_SHA256] & 1 << 17);
	assert_true(reasons_.untouched[ASSAY_SHA256] & 1 << 18);
}

static void test_unclear_startup(void **state)
{
	(void)state;
	log_header(&built, SHA256);
	log_locality(&built, SHA256, 2);
	log_event_of(&built, 0, EV_IPL, SHA256, "a", 1);
	log_event_of(&built, 1, EV_IPL, SHA256, "a", 1);
	replay(SHA256);
	assert_int_equal(pcrs.have[ASSAY_SHA256], 1 << 1);
	assert_non_null(strstr(reasons_.why[ASSAY_SHA256][0], "StartupLocality"));
}

static void test_ccel(void **state)
{
	struct assay_digests d;
	struct assay_pcrs expected;

	(void)state;
	assert_int_equal(assay_digest_mem(SHA384, "a", 1, &d, &err), 0);
	log_header(&built, SHA384);
	log_event(&built, 0, EV_IPL, &d, "a", 1);
	log_event(&built, 1, EV_IPL, &d, "a", 1);
	log_event(&built, 4, EV_IPL, &d, "a", 1);
	assert_int_equal(assay_eventlog_parse(built.p, built.len, &log_, &err), 0);
	assert_int_equal(log_->format, ASSAY_LOG_CCEL);
	pcrs.banks = 77;
	assert_int_equal(assay_eventlog_replay(log_, SHA384, &pcrs, NULL, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	assert_int_equal(pcrs.banks, 77);

	assert_int_equal(assay_eventlog_replay_rtmrs(log_, SHA384, &pcrs, &reasons_, &err), 0);
	assay_pcrs_reset(&expected, SHA384);
	assert_int_equal(assay_pcr_extend(&expected, ASSAY_SHA384, 0, d.d[ASSAY_SHA384], &err), 0);
	assert_int_equal(pcrs.have[ASSAY_SHA384], 1 << 0 | 1 << 3);
	assert_memory_equal(pcrs.v[ASSAY_SHA384][0], expected.v[ASSAY_SHA384][0], 48);
	assert_memory_equal(pcrs.v[ASSAY_SHA384][3], expected.v[ASSAY_SHA384][0], 48);
	assert_int_equal(reasons_.untouched[ASSAY_SHA384], 1 << 1 | 1 << 2);
	for (unsigned i = ASSAY_N_RTMRS; i < ASSAY_N_PCRS; i++)
		assert_null(reasons_.why[ASSAY_SHA384][i]);
}

static void test_rtmrs_of_pcrs(void **state)
{
	(void)state;
	log_event12(&built, 0, EV_IPL, "12345678901234567890", "a", 1);
	assert_int_equal(assay_eventlog_parse(built.p, built.len, &log_, &err), 0);
	assert_int_equal(assay_eventlog_replay_rtmrs(log_, SHA1, &pcrs, NULL, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
}

/* --- real machines -----------------------------------------------------------------------------
 */

/* Machine and log disagree, or the log is silent and the PCR was extended all the same: why. */
static const struct {
	const char *log;
	unsigned pcr;
	const char *why;
} explained[] = {
	{ "immune-gmbh-issue926-x1carbon-ancient.eventlog.bin", 10,
	  "Linux's IMA extends it after the firmware's log has ended" },
	{ "immune-gmbh-test-HP-EliteBook-830-G6-baseline.eventlog.bin", 10,
	  "Linux's IMA extends it after the firmware's log has ended" },
};

struct machine {
	const char *name;
	enum assay_bank bank;
	struct assay_pcrs pcrs;
	struct assay_pcrs reset;
	struct assay_replay_reasons reasons;
	unsigned equal, silent, explained;
};

static const char *explanation(const struct machine *m, unsigned pcr)
{
	for (size_t i = 0; i < sizeof(explained) / sizeof(explained[0]); i++) {
		if (strcmp(explained[i].log, m->name) == 0 && explained[i].pcr == pcr)
			return explained[i].why;
	}
	return NULL;
}

static int compare_pcr(const char *key, const struct assay_json *value, void *arg)
{
	struct machine *m = arg;
	const unsigned pcr = (unsigned)strtoul(key, NULL, 10);
	const size_t size = assay_bank_size(m->bank);
	const char *hex = assay_json_str(value);
	const char *why = explanation(m, pcr);
	uint8_t v[ASSAY_MAX_DIGEST];

	assert_true(pcr < ASSAY_N_PCRS);
	assert_non_null(hex);
	assert_true(assay_unhex(hex, strlen(hex), v, size));
	if (m->pcrs.have[m->bank] & 1U << pcr) {
		if (memcmp(m->pcrs.v[m->bank][pcr], v, size) != 0)
			fail_msg("%s: %s PCR %u is not what the machine has", m->name,
				 assay_bank_name(m->bank), pcr);
		assert_null(why);
		m->equal++;
		return 0;
	}
	assert_non_null(m->reasons.why[m->bank][pcr]);
	if (why) {
		assert_memory_not_equal(m->reset.v[m->bank][pcr], v, size);
		print_message("# %s: %s PCR %u: not replayed: %s: %s\n", m->name,
			      assay_bank_name(m->bank), pcr, m->reasons.why[m->bank][pcr], why);
		m->explained++;
		return 0;
	}
	/* The log is silent, and rightly: the machine's PCR still is at its reset value. */
	assert_true(m->reasons.untouched[m->bank] & 1U << pcr);
	assert_memory_equal(m->reset.v[m->bank][pcr], v, size);
	m->silent++;
	return 0;
}

static const struct assay_eventlog *machines_log;

static int compare_bank(const char *key, const struct assay_json *value, void *arg)
{
	struct machine *m = arg;

	assert_true(assay_bank_from_name(key, &m->bank));
	assert_int_equal(assay_eventlog_replay(machines_log, ASSAY_BANK_BIT(m->bank), &m->pcrs,
					       &m->reasons, &err),
			 0);
	assay_pcrs_reset(&m->reset, ASSAY_BANK_BIT(m->bank));
	assay_json_each(value, compare_pcr, m);
	assay_replay_reasons_free(&m->reasons);
	return 0;
}

static unsigned machines, machines_equal;

static int compare_machine(const char *key, const struct assay_json *value, void *arg)
{
	ASSAY_AUTO(assay_eventlog) *log = NULL;
	struct machine m = { .name = key };
	char name[256], path[512];

	(void)arg;
	snprintf(name, sizeof(name), "data/eventlogs/%s", key);
	assert_true(unit_shared(name, path, sizeof(path)));
	if (assay_eventlog_load(path, &log, &err) < 0)
		fail_msg("%s: %s", key, err.msg);
	machines_log = log;
	assay_json_each(assay_json_get(value, "pcrs"), compare_bank, &m);
	print_message("# %s: %u equal, %u not logged and at reset, %u explained\n", key, m.equal,
		      m.silent, m.explained);
	assert_true(m.equal > 0);
	machines++;
	machines_equal += m.equal;
	return 0;
}

static void test_real_machines(void **state)
{
	ASSAY_AUTO(assay_json) *known = NULL;
	char path[512];

	(void)state;
	if (!unit_shared("data/eventlogs/known-pcrs.json", path, sizeof(path)))
		unit_skip("no shared data/eventlogs/known-pcrs.json");
	if (assay_json_load(path, &known, &err) < 0)
		fail_msg("%s", err.msg);
	machines = machines_equal = 0;
	assay_json_each(known, compare_machine, NULL);
	print_message("# %u machines, %u PCRs equal\n", machines, machines_equal);
	assert_true(machines == assay_json_len(known) && machines > 0);
}

#define T(f) cmocka_unit_test_teardown(f, teardown)
static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_reset_values),
	cmocka_unit_test(test_random_extends),
	cmocka_unit_test(test_startup_locality),
	cmocka_unit_test(test_hcrtm),
	T(test_untouched),
	T(test_lacking_digest),
	T(test_missing_bank),
	T(test_dynamic_launch),
	T(test_unclear_startup),
	T(test_ccel),
	T(test_rtmrs_of_pcrs),
	cmocka_unit_test(test_real_machines),
};

UNIT_MAIN(tests)
