/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values against what is expected: for each PCR, 0 to 15, the value at the end of the boot, extended by the records of
 * the runtime log. Records are in PCRs that the boot leaves at zero, so that the log is replayed once for all boots.
 */
#include <stdlib.h>
#include <string.h>

#include "tpm/event.h"
#include "verify/judge_priv.h"

#define BOOT_PCRS ASSAY_PREDICTED_PCRS
#define STRONG_BANKS (ASSAY_ALL_BANKS & ~ASSAY_BANK_BIT(ASSAY_SHA1))
#define RESET_TO_ONES 0x7e0000U /* 17 to 22 */

struct machine {
	const struct assay_proof_policy *policy;
	struct assay_proof_verdict *v;
	size_t records[ASSAY_N_PCRS];
	struct assay_pcrs after; /* where the log leads to, from reset values; only PCRs with records */
};

/* --- one cell -------------------------------------------------------------------------------------- */

static bool is_zero(const uint8_t *p, size_t n)
{
	uint8_t all = 0;

	for (size_t i = 0; i < n; i++)
		all |= p[i];
	return all == 0;
}

/* What the boot leaves in a PCR: so many values; NULL: none is known. */
static const uint8_t *boot_values(const struct machine *m, const struct assay_expectation *e, unsigned pcr, enum assay_bank bank,
				  size_t *ret_n, size_t *ret_stride)
{
	const struct assay_prediction *p = e->prediction;

	*ret_n = 0;
	*ret_stride = 0;
	if (!p) {
		if (!(e->values->have[bank] >> pcr & 1U))
			return NULL;
		*ret_n = 1;
		return e->values->v[bank][pcr];
	}
	if (pcr >= BOOT_PCRS || !(p->banks & ASSAY_BANK_BIT(bank)))
		return NULL;
	for (size_t i = 0; pcr == 11 && m->policy->phase && i < p->n_phases; i++) {
		if (strcmp(p->phases[i].name, m->policy->phase) == 0) {
			*ret_n = 1;
			return p->phases[i].pcr11.d[bank];
		}
	}
	/* A phase that the prediction does not have is no reason to expect another one. */
	if (p->pcr[pcr].n == 0 || (pcr == 11 && m->policy->phase))
		return NULL;
	*ret_n = p->pcr[pcr].n;
	*ret_stride = sizeof(p->pcr[pcr].v[0]);
	return p->pcr[pcr].v[0].d[bank];
}

/* Is there anything to hold a PCR against? */
static bool is_wanted(const struct machine *m, const struct assay_expectation *e, unsigned pcr)
{
	return e->prediction ? pcr < BOOT_PCRS : m->records[pcr] > 0 || ((e->values->have[ASSAY_SHA256] | e->values->have[ASSAY_SHA384] |
									    e->values->have[ASSAY_SHA512]) >> pcr & 1U);
}

static void judge_cell(const struct machine *m, const struct assay_expectation *e, struct assay_judged_pcr *c)
{
	const size_t size = assay_bank_size(c->bank);
	size_t n, stride;
	const uint8_t *boot = boot_values(m, e, c->pcr, c->bank, &n, &stride);

	c->verdict = ASSAY_JUDGED_NOT;
	c->has_expected = false;
	c->n_accepted = n;
	c->records = m->records[c->pcr];
	if (!is_wanted(m, e, c->pcr) || (e->prediction && !(e->prediction->banks & ASSAY_BANK_BIT(c->bank))))
		return;
	if (!e->prediction && !boot && c->records == 0)
		return; /* of another bank than the list */
	if (e->prediction && !boot) {
		c->verdict = (m->policy->ignored >> c->pcr & 1U) != 0 ? ASSAY_JUDGED_IGNORED : ASSAY_JUDGED_NOT_PREDICTED;
		return;
	}
	/* A log without SHA-1 says nothing about that bank; the stronger ones are judged. */
	if (c->bank == ASSAY_SHA1 && c->records > 0 && !(m->after.have[c->bank] >> c->pcr & 1U))
		return;
	c->has_expected = true;
	if (c->records > 0) {
		const bool known = (m->after.have[c->bank] >> c->pcr & 1U) != 0 && (!boot || is_zero(boot, size));

		memcpy(c->expected, known ? m->after.v[c->bank][c->pcr] : boot ? boot : m->after.v[c->bank][c->pcr], size);
		c->verdict = known && memcmp(c->expected, c->quoted, size) == 0 ? ASSAY_JUDGED_EQUAL : ASSAY_JUDGED_DIFFERENT;
		return;
	}
	memcpy(c->expected, boot, size);
	c->verdict = ASSAY_JUDGED_DIFFERENT;
	for (size_t i = 0; i < n; i++)
		if (memcmp(boot + i * stride, c->quoted, size) == 0)
			c->verdict = ASSAY_JUDGED_EQUAL;
}

/* --- one boot --------------------------------------------------------------------------------------- */

struct score {
	size_t equal, bad;
};

/* The cells of a PCR in the strong banks: 0: none of them says anything. */
static size_t strong_cells(const struct assay_proof_verdict *v, unsigned pcr)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n_pcrs; i++)
		n += v->pcrs[i].pcr == pcr && v->pcrs[i].bank != ASSAY_SHA1 && v->pcrs[i].verdict != ASSAY_JUDGED_NOT;
	return n;
}

/* A record in a PCR that the boot extends, or whose value nobody compares. */
static bool is_misplaced(const struct machine *m, const struct assay_expectation *e, unsigned pcr)
{
	size_t n, stride;

	if (m->records[pcr] == 0)
		return false;
	for (int b = ASSAY_SHA256; b < ASSAY_N_BANKS; b++) {
		const uint8_t *boot = boot_values(m, e, pcr, (enum assay_bank)b, &n, &stride);

		if (boot)
			return n != 1 || !is_zero(boot, assay_bank_size((enum assay_bank)b));
	}
	return e->prediction != NULL;
}

static struct score compare(const struct machine *m, const struct assay_expectation *e)
{
	struct score s = { 0 };

	for (size_t i = 0; i < m->v->n_pcrs; i++) {
		struct assay_judged_pcr *c = &m->v->pcrs[i];

		judge_cell(m, e, c);
		s.equal += c->verdict == ASSAY_JUDGED_EQUAL;
		s.bad += c->verdict == ASSAY_JUDGED_DIFFERENT || c->verdict == ASSAY_JUDGED_NOT_PREDICTED;
	}
	for (unsigned i = 0; i < ASSAY_N_PCRS; i++) {
		s.bad += is_wanted(m, e, i) && strong_cells(m->v, i) == 0;
		s.bad += is_misplaced(m, e, i);
	}
	return s;
}

/* --- reasons ----------------------------------------------------------------------------------------- */

/* What a value alone tells. */
static const char *const pcr_words[BOOT_PCRS] = {
	[0] = "firmware",
	[1] = "the machine's configuration",
	[2] = "option ROMs",
	[3] = "option ROMs' configuration",
	[4] = "boot loader, UKI or kernel",
	[5] = "partition table or boot loader's configuration",
	[6] = "the vendor's",
	[7] = "Secure Boot's state and keys",
	[8] = "boot loader's commands",
	[9] = "command line or initrd as the kernel was handed them",
	[10] = "IMA",
	[11] = "UKI: kernel, command line, initrd",
	[12] = "command line or credentials from outside the UKI",
	[13] = "system extensions",
	[14] = "shim's keys, or the runtime log",
	[15] = "the system's identity, or the runtime log",
};

static const char *const cause_words[] = {
	[ASSAY_CAUSE_LOG] = "the firmware's log is not of this boot",
	[ASSAY_CAUSE_FIRMWARE] = "another firmware",
	[ASSAY_CAUSE_SECURE_BOOT] = "other Secure Boot variables",
	[ASSAY_CAUSE_OPTION_ROM] = "another option ROM",
	[ASSAY_CAUSE_BOOT_OPTION] = "another boot option",
	[ASSAY_CAUSE_CONFIGURATION] = "another configuration of the machine",
	[ASSAY_CAUSE_BOOT_ATTEMPT] = "another attempt to boot came first",
	[ASSAY_CAUSE_PARTITION_TABLE] = "another partition table",
	[ASSAY_CAUSE_BOOT_LOADER] = "another boot loader",
	[ASSAY_CAUSE_UKI] = "another UKI",
	[ASSAY_CAUSE_KERNEL] = "another kernel",
	[ASSAY_CAUSE_LOADER_CONF] = "another loader.conf",
	[ASSAY_CAUSE_CMDLINE] = "another command line",
	[ASSAY_CAUSE_INITRD] = "another initrd",
	[ASSAY_CAUSE_SIDECAR] = "credentials, addons or extensions",
	[ASSAY_CAUSE_PHASE] = "another boot phase",
	[ASSAY_CAUSE_RUNTIME] = "something measured after the boot",
	[ASSAY_CAUSE_OTHER] = "another event",
};

/* A UKI is another one for what is in it, if the log tells that. */
static enum assay_cause_kind lead_of(const struct assay_explanation *e, size_t i)
{
	const enum assay_cause_kind kind = e->causes[i].kind;

	for (size_t k = i + 1; kind == ASSAY_CAUSE_UKI && k < e->n_causes; k++)
		if (e->causes[k].follows && (e->causes[k].kind == ASSAY_CAUSE_KERNEL || e->causes[k].kind == ASSAY_CAUSE_CMDLINE ||
					     e->causes[k].kind == ASSAY_CAUSE_INITRD))
			return e->causes[k].kind;
	return kind;
}

/* The first cause that does not follow from another one leads. */
static void tell_causes(struct assay_proof_verdict *v)
{
	for (size_t i = 0; v->explanation && i < v->explanation->n_causes; i++) {
		const struct assay_cause *c = &v->explanation->causes[i];

		if (!c->follows)
			assay_proof_refuse(v, ASSAY_STEP_BOOT, ASSAY_PROOF_PCR, "%s: %s", cause_words[lead_of(v->explanation, i)], c->words);
	}
}

static bool is_explained(const struct assay_proof_verdict *v, unsigned pcr)
{
	for (size_t i = 0; v->explanation && i < v->explanation->n_causes; i++)
		if (v->explanation->causes[i].pcr == pcr)
			return true;
	return false;
}

/* Does the firmware's log have events in it? */
static bool is_in_boot_log(const struct assay_proof_verdict *v, unsigned pcr)
{
	for (size_t i = 0; v->log && i < v->log->n; i++)
		if (v->log->events[i].pcr == pcr && v->log->events[i].type != EV_NO_ACTION)
			return true;
	return false;
}

/* A PCR that the boot leaves at zero: what is in it came later, and should be in the log. */
static bool is_runtime_value(const struct machine *m, const struct assay_expectation *e, const struct assay_judged_pcr *c)
{
	return c->records > 0 || (e->prediction && c->has_expected && c->pcr != 12 && c->pcr != 13 &&
				  is_zero(c->expected, assay_bank_size(c->bank)) && !is_in_boot_log(m->v, c->pcr));
}

static void refuse_log_value(struct assay_proof_verdict *v, const struct assay_judged_pcr *c)
{
	ASSAY_AUTO_FREE char *where = c->records ? assay_boot_search(v->proof->log, c->pcr, c->bank, c->quoted) : NULL;

	if (c->records == 0)
		assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_LOG_VALUE,
				   "PCR %u has been extended, and no record of the runtime log tells by what", c->pcr);
	else
		assay_proof_refuse(v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_LOG_VALUE,
				   "the runtime log does not lead to the value of PCR %u (%s): %s", c->pcr, assay_bank_name(c->bank),
				   where ? where : "a record is missing, or has been changed");
}

static void refuse_cell(const struct machine *m, const struct assay_expectation *e, const struct assay_judged_pcr *c)
{
	char expected[ASSAY_HEX_MAX], quoted[ASSAY_HEX_MAX];
	const size_t size = assay_bank_size(c->bank);

	if (c->verdict == ASSAY_JUDGED_NOT_PREDICTED) {
		const char *why = c->pcr < BOOT_PCRS ? e->prediction->pcr[c->pcr].reason : NULL;

		assay_proof_refuse(m->v, ASSAY_STEP_BOOT, ASSAY_PROOF_NOT_PREDICTED, "PCR %u (%s): the manifest predicts no value%s%s",
				   c->pcr, assay_bank_name(c->bank), why ? ": " : "", why ? why : "");
	} else if (is_misplaced(m, e, c->pcr)) {
		return; /* has been told */
	} else if (is_runtime_value(m, e, c)) {
		refuse_log_value(m->v, c);
	} else if (!is_explained(m->v, c->pcr)) {
		assay_proof_refuse(m->v, ASSAY_STEP_BOOT, ASSAY_PROOF_PCR, "PCR %u (%s) differs%s%s: expected %s%s, quoted %s", c->pcr,
				   assay_bank_name(c->bank), c->pcr < BOOT_PCRS ? ": " : "", c->pcr < BOOT_PCRS ? pcr_words[c->pcr] : "",
				   assay_hex(c->expected, size, expected), c->n_accepted > 1 ? " or another" : "",
				   assay_hex(c->quoted, size, quoted));
	}
}

/* One bank stands for all of them, a strong one if there is one. */
static bool is_told(const struct assay_proof_verdict *v, size_t i)
{
	for (size_t k = 0; k < v->n_pcrs; k++)
		if (v->pcrs[k].pcr == v->pcrs[i].pcr && v->pcrs[k].verdict == v->pcrs[i].verdict && v->pcrs[k].bank != ASSAY_SHA1 &&
		    (k < i || v->pcrs[i].bank == ASSAY_SHA1))
			return false;
	return true;
}

static void refuse_boot(const struct machine *m, const struct assay_expectation *e)
{
	tell_causes(m->v);
	for (unsigned i = 0; i < ASSAY_N_PCRS; i++) {
		if (is_misplaced(m, e, i))
			assay_proof_refuse(m->v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_LOG_PLACE,
					   "the runtime log has records of PCR %u, which %s", i,
					   i < BOOT_PCRS ? "the boot does not leave at zero" : "is not judged");
		if (is_wanted(m, e, i) && strong_cells(m->v, i) == 0)
			assay_proof_refuse(m->v, ASSAY_STEP_BOOT, ASSAY_PROOF_BANK,
					   "PCR %u is signed in no bank of SHA-256 or stronger that has an expected value", i);
	}
	for (size_t i = 0; i < m->v->n_pcrs; i++) {
		const struct assay_judged_pcr *c = &m->v->pcrs[i];

		if ((c->verdict == ASSAY_JUDGED_DIFFERENT || c->verdict == ASSAY_JUDGED_NOT_PREDICTED) && is_told(m->v, i))
			refuse_cell(m, e, c);
	}
}

/* --- the firmware's log ------------------------------------------------------------------------------- */

/* PCRs as they were before the runtime log, as far as that can be told. */
static void before_runtime(const struct machine *m, struct assay_pcrs *ret)
{
	*ret = m->v->proof->pcrs;
	for (int b = 0; b < ASSAY_N_BANKS; b++)
		for (unsigned i = 0; i < ASSAY_N_PCRS; i++)
			if ((ret->have[b] & m->after.have[b]) >> i & 1U && memcmp(ret->v[b][i], m->after.v[b][i], ASSAY_MAX_DIGEST) == 0)
				memset(ret->v[b][i], 0, ASSAY_MAX_DIGEST);
}

/* A log without any event of a PCR that the boot does not leave at zero: its end is missing. IMA's PCR 10 is in no such log. */
static bool lacks(const struct machine *m, const struct assay_replay_reasons *r, int bank, unsigned pcr)
{
	size_t n, stride;
	const uint8_t *boot = boot_values(m, m->v->boot, pcr, (enum assay_bank)bank, &n, &stride);

	return pcr != 10 && (r->untouched[bank] >> pcr & 1U) && boot && !is_zero(boot, assay_bank_size((enum assay_bank)bank));
}

static void refuse_log(const struct machine *m, const struct assay_replay_reasons *r, const struct assay_pcrs *before,
		       const struct assay_pcrs *replayed)
{
	struct assay_proof_verdict *v = m->v;

	v->log_agrees = true;
	for (int b = 0; b < ASSAY_N_BANKS; b++) {
		for (unsigned i = 0; i < BOOT_PCRS; i++) {
			const bool both = (replayed->have[b] & before->have[b]) >> i & 1U;
			/* Where the values differ, the cause of that comes first. */
			const bool missing = v->matched && lacks(m, r, b, i);

			/* With a phase PCR 11 has gone on since. */
			if (!missing &&
			    (!both || (i == 11 && m->policy->phase) || memcmp(replayed->v[b][i], before->v[b][i], ASSAY_MAX_DIGEST) == 0))
				continue;
			v->log_agrees = false;
			assay_proof_refuse(v, ASSAY_STEP_BOOT, ASSAY_PROOF_TCG_LOG, "the firmware's log %s PCR %u (%s)",
					   missing ? "has no event of" : "does not lead to the value of", i,
					   assay_bank_name((enum assay_bank)b));
		}
	}
}

static int compare_log(const struct machine *m, struct assay_err *err)
{
	struct assay_proof_verdict *v = m->v;
	struct assay_replay_reasons reasons = { 0 };
	ASSAY_AUTO_FREE struct assay_pcrs *pcrs = calloc(2, sizeof(*pcrs));
	unsigned banks;

	if (!pcrs)
		return assay_fail_mem(err);
	struct assay_pcrs *before = pcrs, *replayed = pcrs + 1;
	before_runtime(m, before);
	banks = v->log->carried & before->banks & STRONG_BANKS;
	if (v->log->format == ASSAY_LOG_CCEL || banks == 0) {
		assay_proof_refuse(v, ASSAY_STEP_BOOT, ASSAY_PROOF_TCG_LOG, "the firmware's log %s",
				   banks == 0 ? "is in no bank that is signed" : "is not of a TPM");
		return 0;
	}
	if (assay_eventlog_replay(v->log, banks, replayed, &reasons, err) < 0)
		return -1;
	refuse_log(m, &reasons, before, replayed);
	assay_replay_reasons_free(&reasons);
	return 0;
}

/* One that cannot be read refuses; there need not be one. */
static int read_log(const struct machine *m, struct assay_err *err)
{
	struct assay_proof_verdict *v = m->v;
	struct assay_err own;

	if (!v->proof->tcg_log.p)
		return 0;
	if (assay_eventlog_parse(v->proof->tcg_log.p, v->proof->tcg_log.len, &v->log, &own) == 0)
		return 0;
	if (own.code == ASSAY_E_NOMEM)
		return assay_fail_mem(err);
	assay_proof_refuse(v, ASSAY_STEP_BOOT, ASSAY_PROOF_TCG_LOG, "tcg_log: %s", own.msg);
	return 0;
}

static int explain(const struct machine *m, const struct assay_expectation *e, struct assay_err *err)
{
	ASSAY_AUTO_FREE struct assay_pcrs *before = calloc(1, sizeof(*before));
	const struct assay_explain_input in = { .prediction = e->prediction, .facts = e->facts, .log = m->v->log, .pcrs = before,
						.phase = m->policy->phase };
	struct assay_err own;

	if (!before)
		return assay_fail_mem(err);
	if (!e->prediction || !m->v->log || m->v->log->format == ASSAY_LOG_CCEL)
		return 0;
	before_runtime(m, before);
	/* What came after the boot is explained by its own log. */
	for (size_t i = 0; i < m->v->n_pcrs; i++)
		if (is_runtime_value(m, e, &m->v->pcrs[i]))
			memset(before->v[m->v->pcrs[i].bank][m->v->pcrs[i].pcr], 0, ASSAY_MAX_DIGEST);
	if (assay_explain(&in, &m->v->explanation, &own) == 0 || own.code != ASSAY_E_NOMEM)
		return 0;
	return assay_fail_mem(err);
}

/* --- all of it ---------------------------------------------------------------------------------------- */

static int list_cells(struct assay_proof_verdict *v, struct assay_err *err)
{
	const struct assay_pcrs *pcrs = &v->proof->pcrs;

	v->pcrs = calloc((size_t)ASSAY_N_BANKS * ASSAY_N_PCRS, sizeof(*v->pcrs));
	if (!v->pcrs)
		return assay_fail_mem(err);
	for (int b = 0; b < ASSAY_N_BANKS; b++)
		for (unsigned i = 0; i < ASSAY_N_PCRS; i++)
			if (pcrs->have[b] >> i & 1U)
				v->pcrs[v->n_pcrs++] = (struct assay_judged_pcr){ .pcr = i, .bank = (enum assay_bank)b, .quoted = pcrs->v[b][i] };
	return 0;
}

/* Where the log leads to, in the signed banks that it has. */
static int replay(struct machine *m, struct assay_err *err)
{
	const struct assay_cel *log = m->v->proof->log;
	const struct assay_pcrs *pcrs = &m->v->proof->pcrs;

	for (size_t i = 0; i < log->n; i++)
		m->records[log->records[i].pcr]++;
	assay_pcrs_reset(&m->after, pcrs->banks & log->banks);
	for (int b = 0; b < ASSAY_N_BANKS; b++) {
		uint32_t with = 0;

		for (unsigned i = 0; i < ASSAY_N_PCRS; i++)
			with |= m->records[i] ? 1U << i : 0;
		if (log->n && pcrs->have[b] & with && b != ASSAY_SHA1 && !(log->banks & ASSAY_BANK_BIT(b)))
			assay_proof_refuse(m->v, ASSAY_STEP_RUNTIME, ASSAY_PROOF_LOG, "the runtime log has no digests in bank %s, which is signed",
					   assay_bank_name((enum assay_bank)b));
	}
	if (log->n && assay_cel_replay(log, log->n, &m->after, err) < 0)
		return -1;
	/* Only what it touched counts as known. */
	for (int b = 0; b < ASSAY_N_BANKS; b++)
		for (unsigned i = 0; i < ASSAY_N_PCRS; i++)
			if (m->records[i] == 0)
				m->after.have[b] &= ~(1U << i);
	return 0;
}

/* Of those that all PCRs match, the first that holds for the rest too; else the one that comes closest. */
static const struct assay_expectation *choose(const struct machine *m, const struct assay_proof_request *request, bool *ret_matched)
{
	const struct assay_expectation *best = NULL, *first = NULL;
	size_t most = 0;

	for (size_t i = 0; i < m->policy->n_boots; i++) {
		const struct assay_expectation *e = &m->policy->boots[i];
		const struct score s = compare(m, e);

		if (s.bad == 0 && assay_runtime_fits(m->policy, e, request->at, m->v, false)) {
			*ret_matched = true;
			return e;
		}
		if (s.bad == 0 && !first)
			first = e;
		if (!best || s.equal > most) {
			best = e;
			most = s.equal;
		}
	}
	*ret_matched = first != NULL;
	return first ? first : best;
}

int assay_boot_judge(const struct assay_proof_policy *policy, const struct assay_proof_request *request,
		     struct assay_proof_verdict *v, struct assay_err *err)
{
	ASSAY_AUTO_FREE struct machine *m = calloc(1, sizeof(*m));

	if (!m)
		return assay_fail_mem(err);
	m->policy = policy;
	m->v = v;
	if (list_cells(v, err) < 0 || replay(m, err) < 0 || read_log(m, err) < 0)
		return -1;
	if (policy->n_boots == 0) {
		assay_proof_refuse(v, ASSAY_STEP_BOOT, ASSAY_PROOF_MANIFEST, "there is no manifest to hold it against");
		return 0;
	}
	v->boot = choose(m, request, &v->matched);
	(void)compare(m, v->boot);
	if (v->log && compare_log(m, err) < 0)
		return -1;
	if (!v->matched) {
		if (explain(m, v->boot, err) < 0)
			return -1;
		refuse_boot(m, v->boot);
	}
	/* Whatever the above has overlooked: it is either matched, or there is a reason. */
	if (!v->matched && !v->step_bad[ASSAY_STEP_BOOT] && !v->step_bad[ASSAY_STEP_RUNTIME])
		assay_proof_refuse(v, ASSAY_STEP_BOOT, ASSAY_PROOF_PCR, "the values are none that are expected");
	return 0;
}
