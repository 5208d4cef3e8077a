/* SPDX-License-Identifier: Apache-2.0 */
#include "precompute/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "precompute/explain_priv.h"

static const char *const cause_names[] = {
	[ASSAY_CAUSE_LOG] = "log",
	[ASSAY_CAUSE_FIRMWARE] = "firmware",
	[ASSAY_CAUSE_SECURE_BOOT] = "secure-boot",
	[ASSAY_CAUSE_OPTION_ROM] = "option-rom",
	[ASSAY_CAUSE_BOOT_OPTION] = "boot-option",
	[ASSAY_CAUSE_CONFIGURATION] = "configuration",
	[ASSAY_CAUSE_BOOT_ATTEMPT] = "boot-attempt",
	[ASSAY_CAUSE_PARTITION_TABLE] = "partition-table",
	[ASSAY_CAUSE_BOOT_LOADER] = "boot-loader",
	[ASSAY_CAUSE_UKI] = "uki",
	[ASSAY_CAUSE_KERNEL] = "kernel",
	[ASSAY_CAUSE_LOADER_CONF] = "loader-conf",
	[ASSAY_CAUSE_CMDLINE] = "cmdline",
	[ASSAY_CAUSE_INITRD] = "initrd",
	[ASSAY_CAUSE_SIDECAR] = "sidecar",
	[ASSAY_CAUSE_PHASE] = "phase",
	[ASSAY_CAUSE_RUNTIME] = "runtime",
	[ASSAY_CAUSE_OTHER] = "other",
};

static const char *const verdict_names[] = {
	[ASSAY_EXPLAINED_AGREES] = "agrees",
	[ASSAY_EXPLAINED_DIFFERS] = "differs",
	[ASSAY_EXPLAINED_NOT_PREDICTED] = "not predicted",
	[ASSAY_EXPLAINED_NOT_COMPARED] = "not compared",
};

const char *assay_cause_name(enum assay_cause_kind kind)
{
	return cause_names[kind];
}

const char *assay_explained_name(enum assay_explained_verdict verdict)
{
	return verdict_names[verdict];
}

void assay_explanation_free(struct assay_explanation **ep)
{
	struct assay_explanation *e = ep ? assay_steal(ep) : NULL;

	if (!e)
		return;
	for (size_t i = 0; i < e->n_causes; i++)
		free(e->causes[i].words);
	free(e->causes);
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
		assay_alignment_clear(&e->pcr[i].events);
		free(e->pcr[i].causes);
		free(e->pcr[i].note);
	}
	assay_comparison_clear(&e->cells);
	free(e);
}

/* --- what rules share --------------------------------------------------------------------------- */

void assay_explain_claim(struct assay_explainer *x, unsigned pcr, const struct assay_row *row)
{
	struct assay_explained_pcr *p = &x->e->pcr[pcr];

	p->causes[row - p->events.rows] = x->e->n_causes;
}

int assay_explain_add(struct assay_explainer *x, enum assay_cause_kind kind, bool follows, unsigned pcr,
		      const struct assay_row *row, char *words)
{
	struct assay_explanation *e = x->e;
	ASSAY_AUTO_FREE char *given = words;
	struct assay_cause *more = e->causes;

	if (!words)
		return assay_fail_mem(x->err);
	if ((e->n_causes & (e->n_causes - 1)) == 0) { /* full at every power of two */
		more = reallocarray(more, e->n_causes ? 2 * e->n_causes : 1, sizeof(*more));
		if (!more)
			return assay_fail_mem(x->err);
		e->causes = more;
	}

	const size_t event = !row ? 0 : row->real ? row->n_real : row->n_pred;
	char *line = event ? assay_asprintf("PCR %u, event %zu: %s", pcr, event, given)
			   : assay_asprintf("PCR %u: %s", pcr, given);

	if (!line)
		return assay_fail_mem(x->err);
	more[e->n_causes++] =
		(struct assay_cause){ .kind = kind, .pcr = pcr, .event = event, .follows = follows, .words = line };
	if (row)
		assay_explain_claim(x, pcr, row);
	return 0;
}

const struct assay_row *assay_explain_next(const struct assay_explainer *x, unsigned pcr, size_t *at)
{
	const struct assay_explained_pcr *p = &x->e->pcr[pcr];

	if (p->verdict == ASSAY_EXPLAINED_NOT_PREDICTED || p->log_disagrees ||
	    (p->events.n > ASSAY_EXPLAIN_MAX_EVENTS && !x->rest))
		return NULL;
	while (*at < p->events.n) {
		const size_t i = (*at)++;

		if (p->events.rows[i].kind != ASSAY_ROW_SAME && p->causes[i] == 0)
			return &p->events.rows[i];
	}
	return NULL;
}

size_t assay_explain_open(const struct assay_explainer *x, unsigned pcr)
{
	size_t n = 0;

	for (size_t at = 0; assay_explain_next(x, pcr, &at);)
		n++;
	return n;
}

uint32_t assay_row_type(const struct assay_row *row)
{
	return row->real ? row->real->type : row->pred->type;
}

const char *assay_row_detail(const struct assay_row *row)
{
	return row->pred && row->pred->detail ? row->pred->detail : "";
}

const char *assay_row_short(const struct assay_explainer *x, const struct assay_row *row, bool real, char *dst)
{
	const struct assay_digests *d =
		real ? (row->real ? &row->real->digests : NULL) : (row->pred ? &row->pred->values[0] : NULL);

	if (!d || !(d->banks & ASSAY_BANK_BIT(x->bank)))
		return "-";
	assay_hex(d->d[x->bank], 8, dst);
	memcpy(dst + 16, "…", sizeof("…"));
	return dst;
}

/* --- registers and log -------------------------------------------------------------------------- */

int assay_explain_replay(const struct assay_eventlog *log, unsigned banks, struct assay_pcrs *ret,
			 struct assay_err *err)
{
	struct assay_replay_reasons reasons = { 0 };

	if (assay_eventlog_replay(log, banks, ret, &reasons, err) < 0)
		return -1;
	for (int b = 0; b < ASSAY_N_BANKS; b++)
		ret->have[b] |= reasons.untouched[b];
	assay_replay_reasons_free(&reasons);
	return 0;
}

/* The log leads to the register, in every bank in which both are known. */
static bool leads_to(const struct assay_pcrs *log, const struct assay_pcrs *regs, unsigned pcr)
{
	for (int b = 0; b < ASSAY_N_BANKS; b++)
		if ((log->have[b] & regs->have[b] & (1U << pcr)) &&
		    memcmp(log->v[b][pcr], regs->v[b][pcr], assay_bank_size((enum assay_bank)b)) != 0)
			return false;
	return true;
}

/* The phase whose words, measured after the log's end, lead to the register of PCR 11; NULL in *ret: none. */
static int find_phase(const struct assay_prediction *p, const struct assay_pcrs *log, const struct assay_pcrs *regs,
		      const char **ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE struct assay_pcrs *at = malloc(sizeof(*at));

	if (!at)
		return assay_fail_mem(err);
	*at = *log;
	*ret = NULL;
	for (size_t i = 0; i < p->n_phases && !*ret; i++) {
		const char *colon = strrchr(p->phases[i].name, ':');
		const char *word = colon ? colon + 1 : p->phases[i].name;
		struct assay_digests d;

		if (assay_digest_mem(ASSAY_ALL_BANKS, word, strlen(word), &d, err) < 0)
			return -1;
		for (int b = 0; b < ASSAY_N_BANKS; b++)
			if ((at->have[b] & (1U << 11)) && assay_pcr_extend(at, (enum assay_bank)b, 11, d.d[b], err) < 0)
				return -1;
		if (leads_to(at, regs, 11))
			*ret = p->phases[i].name;
	}
	return 0;
}

/* "0, 1 and 7" */
static char *pcr_list(uint32_t pcrs)
{
	struct assay_str s = { 0 };
	unsigned left = (unsigned)__builtin_popcount(pcrs);

	for (unsigned i = 0; i < ASSAY_N_PCRS; i++) {
		if (!(pcrs & (1U << i)))
			continue;
		left--;
		assay_str_add(&s, "%u%s", i, left > 1 ? ", " : left == 1 ? " and " : "");
	}
	return assay_str_steal(&s);
}

static void claim_all(struct assay_explainer *x, unsigned pcr)
{
	const struct assay_explained_pcr *p = &x->e->pcr[pcr];

	for (size_t i = 0; i < p->events.n; i++)
		if (p->events.rows[i].kind != ASSAY_ROW_SAME)
			assay_explain_claim(x, pcr, &p->events.rows[i]);
}

/*
 * PCRs 0 to 7 are firmware's alone: their log has to lead to them (PFP 1.06, 3.3). What user space measures comes after
 * the log's end, so that the others may have gone on: 11 with systemd's phases, 10 with IMA.
 */
static int check_log(struct assay_explainer *x, const struct assay_pcrs *log)
{
	const struct assay_pcrs *regs = x->in->pcrs;
	uint32_t wrong = 0;
	const char *phase = NULL;

	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++)
		if (i != 10 && !leads_to(log, regs, i))
			wrong |= 1U << i;
	if (wrong & (1U << 11)) {
		if (find_phase(x->in->prediction, log, regs, &phase, x->err) < 0)
			return -1;
		if (phase) {
			wrong &= ~(1U << 11);
			x->e->pcr[11].note = assay_asprintf("the register is that of the log and phase %s", phase);
			if (!x->e->pcr[11].note)
				return assay_fail_mem(x->err);
		}
	}
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++)
		x->e->pcr[i].log_disagrees = wrong >> i & 1U;
	/* Not firmware's, and the register is as predicted: nothing came later, so it is the log that is not. */
	if (!(wrong & 0xff))
		for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++)
			if (x->e->pcr[i].verdict != ASSAY_EXPLAINED_AGREES)
				wrong &= ~(1U << i);
	x->untrusted = wrong;
	if (!wrong)
		return 0;
	x->e->differs = true;

	const unsigned first = (unsigned)__builtin_ctz(wrong);
	ASSAY_AUTO_FREE char *list = pcr_list(wrong);
	if (!list)
		return assay_fail_mem(x->err);
	if (assay_explain_add(
		    x, ASSAY_CAUSE_LOG, false, first, NULL,
		    assay_asprintf("the log does not lead to the register%s of PCR%s %s: it is not of this boot, or "
				   "was changed, and cannot be trusted for %s",
				   wrong & (wrong - 1) ? "s" : "", wrong & (wrong - 1) ? "s" : "", list,
				   wrong & (wrong - 1) ? "them" : "it")) < 0)
		return -1;
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++)
		if (wrong & (1U << i))
			claim_all(x, i);
	return 0;
}

/* --- verdicts ----------------------------------------------------------------------------------- */

static void judge(struct assay_explanation *e)
{
	bool equal[ASSAY_PREDICTED_PCRS] = { 0 }, predicted[ASSAY_PREDICTED_PCRS] = { 0 },
	     different[ASSAY_PREDICTED_PCRS] = { 0 };

	for (size_t i = 0; i < e->cells.n; i++) {
		const struct assay_cell *c = &e->cells.cells[i];

		equal[c->pcr] |= c->verdict == ASSAY_CELL_EQUAL;
		different[c->pcr] |= c->verdict == ASSAY_CELL_DIFFERENT;
		predicted[c->pcr] |= c->verdict != ASSAY_CELL_NOT_PREDICTED;
	}
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++)
		e->pcr[i].verdict = different[i]    ? ASSAY_EXPLAINED_DIFFERS
				    : equal[i]	    ? ASSAY_EXPLAINED_AGREES
				    : !predicted[i] ? ASSAY_EXPLAINED_NOT_PREDICTED
						    : ASSAY_EXPLAINED_NOT_COMPARED;
	e->differs |= e->cells.different > 0;
}

/* Why there is no verdict. */
static int notes(struct assay_explainer *x)
{
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
		struct assay_explained_pcr *p = &x->e->pcr[i];
		const char *why = NULL;

		for (size_t k = 0; k < x->e->cells.n && !why; k++)
			if (x->e->cells.cells[k].pcr == i && x->e->cells.cells[k].verdict >= ASSAY_CELL_NOT_GIVEN)
				why = x->e->cells.cells[k].remark;
		if (p->verdict == ASSAY_EXPLAINED_NOT_COMPARED && !why)
			why = x->e->from_log ? "the log does not lead to a value" : "the register is not given";
		if (p->verdict < ASSAY_EXPLAINED_NOT_PREDICTED || p->note || !why)
			continue;
		p->note = assay_strdup(why);
		if (!p->note)
			return assay_fail_mem(x->err);
	}
	return 0;
}

/* --- what no event tells ------------------------------------------------------------------------ */

/* The value that PCR 0 was predicted to start at, told by what it leads to; -1: none of the known ones. */
static int predicted_start(const struct assay_explainer *x)
{
	static const int starts[] = { 0, 3, 4 };
	const struct assay_pcr_values *v = &x->in->prediction->pcr[0];
	const struct assay_alignment *a = &x->e->pcr[0].events;
	const size_t size = assay_bank_size(x->bank);

	for (size_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++) {
		uint8_t value[ASSAY_MAX_DIGEST] = { 0 };

		value[size - 1] = (uint8_t)starts[s];
		for (size_t i = 0; i < a->n; i++) {
			const struct assay_part parts[2] = { { value, size },
							     { a->rows[i].real->digests.d[x->bank], size } };

			if (assay_digest_one(x->bank, parts, 2, value, NULL) < 0)
				return -1;
		}
		for (size_t k = 0; k < v->n; k++)
			if (memcmp(v->v[k].d[x->bank], value, size) == 0)
				return starts[s];
	}
	return -1;
}

static int without_events(struct assay_explainer *x, unsigned pcr)
{
	static const char *const later[ASSAY_PREDICTED_PCRS] = {
		[8] = "a boot loader's commands",
		[9] = "NvPCRs or a boot loader's files",
		[12] = "configuration",
		[13] = "system extensions",
		[14] = "a boot loader's keys",
		[15] = "systemd's machine identity, file systems or volume keys, or an application",
	};
	const struct assay_explained_pcr *p = &x->e->pcr[pcr];

	if (pcr == 0 && x->in->log->locality != (unsigned)predicted_start(x) && !p->log_disagrees) {
		const int start = predicted_start(x);

		if (start >= 0)
			return assay_explain_add(x, ASSAY_CAUSE_FIRMWARE, false, 0, NULL,
						 assay_asprintf("the TPM was started from locality %u, the profile's "
								"machine starts it from %d; "
								"every event is as predicted",
								x->in->log->locality, start));
	}
	if (pcr == 11 && p->note)
		return assay_explain_add(
			x, ASSAY_CAUSE_PHASE, false, 11, NULL,
			assay_asprintf("%s: user space has come further than the value that was compared "
				       "(--phase chooses another)",
				       p->note));
	if (pcr >= 8 && p->log_disagrees)
		return assay_explain_add(
			x, ASSAY_CAUSE_RUNTIME, false, pcr, NULL,
			assay_asprintf("something was measured after the log's end%s%s: the log does not lead to "
				       "the register",
				       later[pcr] ? "; here come " : "", later[pcr] ? later[pcr] : ""));
	return assay_explain_add(
		x, ASSAY_CAUSE_OTHER, false, pcr, NULL,
		assay_strdup("it differs, though every event of the log is as predicted; the log does not "
			     "tell why"));
}

/* PCRs that differ, and no cause says so. */
static int silent(struct assay_explainer *x)
{
	uint32_t said = x->untrusted;
	uint32_t before = 0;

	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
		for (size_t k = 0; k < x->e->pcr[i].events.n; k++)
			if (x->e->pcr[i].causes[k])
				said |= 1U << i;
		if (i < 10 && x->e->pcr[i].verdict == ASSAY_EXPLAINED_DIFFERS)
			before |= 1U << i;
	}
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
		if (x->e->pcr[i].verdict != ASSAY_EXPLAINED_DIFFERS || (said & (1U << i)))
			continue;
		if (i != 10) {
			if (without_events(x, i) < 0)
				return -1;
			continue;
		}
		ASSAY_AUTO_FREE char *list = pcr_list(before);
		const char *reason = x->in->prediction->pcr[10].reason;

		if (!list)
			return assay_fail_mem(x->err);
		if (assay_explain_add(
			    x, before ? ASSAY_CAUSE_OTHER : ASSAY_CAUSE_RUNTIME, before != 0, 10, NULL,
			    before ? assay_asprintf("follows from PCR%s %s: IMA's boot aggregate is over PCRs 0 to 9",
						    before & (before - 1) ? "s" : "", list)
				   : assay_asprintf("PCRs 0 to 9 agree, so it is IMA: it measured more than its boot "
						    "aggregate, or the kernel is configured otherwise%s%s%s",
						    reason ? " (predicted " : "", reason ? reason : "",
						    reason ? ")" : "")) < 0)
			return -1;
	}
	return 0;
}

/* --- the whole ---------------------------------------------------------------------------------- */

static int align_all(struct assay_explainer *x, unsigned banks)
{
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
		struct assay_explained_pcr *p = &x->e->pcr[i];

		if (assay_align(x->in->prediction, x->in->log, i, banks, &p->events, x->err) < 0)
			return assay_wrap(x->err, "PCR %u", i);
		p->causes = calloc(p->events.n + 1, sizeof(*p->causes));
		if (!p->causes)
			return assay_fail_mem(x->err);
	}
	return 0;
}

/* Causes first, then what follows; rows keep pointing at theirs. */
static int order(struct assay_explainer *x)
{
	struct assay_explanation *e = x->e;
	struct assay_cause *out = calloc(e->n_causes + 1, sizeof(*out));
	ASSAY_AUTO_FREE size_t *to = calloc(e->n_causes + 1, sizeof(*to));
	size_t n = 0;

	if (!out || !to) {
		free(out);
		return assay_fail_mem(x->err);
	}
	for (int follows = 0; follows < 2; follows++)
		for (size_t i = 0; i < e->n_causes; i++)
			if (e->causes[i].follows == (follows != 0)) {
				out[n] = e->causes[i];
				to[i + 1] = ++n;
			}
	free(e->causes);
	e->causes = out;
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++)
		for (size_t k = 0; k < e->pcr[i].events.n; k++)
			e->pcr[i].causes[k] = to[e->pcr[i].causes[k]];
	return 0;
}

static int explain(struct assay_explainer *x)
{
	const struct assay_prediction *p = x->in->prediction;
	const unsigned banks = p->banks & x->in->log->carried;
	ASSAY_AUTO_FREE struct assay_pcrs *replayed = calloc(1, sizeof(*replayed));

	if (!replayed)
		return assay_fail_mem(x->err);
	/* A CCEL is refused here: its registers are no PCRs. */
	if (assay_explain_replay(x->in->log, p->banks, replayed, x->err) < 0)
		return -1;
	if (!banks)
		return assay_fail(x->err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "the log has no digests in a bank of the prediction");
	x->bank = banks & ASSAY_BANK_BIT(ASSAY_SHA256) ? ASSAY_SHA256 : (enum assay_bank)__builtin_ctz(banks);
	x->e->from_log = !x->in->pcrs;
	if (assay_compare(p, x->in->pcrs ? x->in->pcrs : replayed, x->in->phase, !x->in->pcrs, &x->e->cells, x->err) <
	    0)
		return -1;
	if (x->e->cells.equal + x->e->cells.different == 0)
		return assay_fail(x->err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "there is nothing to compare: no PCR of a predicted bank is given");
	judge(x->e);
	if (align_all(x, banks) < 0 || (x->in->pcrs && check_log(x, replayed) < 0) || notes(x) < 0)
		return -1;
	if (!x->e->differs)
		return 0;
	if (assay_explain_platform(x) < 0 || assay_explain_image(x) < 0 || silent(x) < 0)
		return -1;
	return order(x);
}

int assay_explain(const struct assay_explain_input *in, struct assay_explanation **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_explanation) *e = calloc(1, sizeof(*e));
	struct assay_explainer x = { .in = in, .e = e, .err = err };

	if (!e)
		return assay_fail_mem(err);
	x.made_for = assay_json_str(assay_json_get(in->prediction->platform, "name"));
	if (!x.made_for)
		x.made_for = "";
	if (explain(&x) < 0)
		return -1;
	*ret = assay_steal(&e);
	return 0;
}
