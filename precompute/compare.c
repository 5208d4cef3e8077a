/* SPDX-License-Identifier: Apache-2.0 */
#include "precompute/compare.h"

#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "tpm/event.h"

void assay_comparison_clear(struct assay_comparison *c)
{
	for (size_t i = 0; i < c->n_remarks; i++)
		free(c->remarks[i]);
	free(c->remarks);
	free(c->cells);
	memset(c, 0, sizeof(*c));
}

static const struct assay_phase *find_phase(const struct assay_prediction *p, const char *name)
{
	for (size_t i = 0; i < p->n_phases; i++)
		if (strcmp(p->phases[i].name, name) == 0)
			return &p->phases[i];
	return NULL;
}

/* A differing PCR 11 may be that of a later moment. */
static int phase_remark(const struct assay_prediction *p, struct assay_cell *cell,
			struct assay_comparison *ret, struct assay_err *err)
{
	for (size_t i = 0; i < p->n_phases; i++) {
		const struct assay_phase *ph = &p->phases[i];

		if (!(ph->pcr11.banks & ASSAY_BANK_BIT(cell->bank)) ||
		    memcmp(ph->pcr11.d[cell->bank], cell->actual, assay_bank_size(cell->bank)) != 0)
			continue;
		char *text = assay_asprintf("this is the value after phase %s (--phase %s)", ph->name,
					    ph->name);
		char **grown = text ? reallocarray(ret->remarks, ret->n_remarks + 1, sizeof(*grown)) :
				      NULL;
		if (!grown) {
			free(text);
			return assay_fail_mem(err);
		}
		ret->remarks = grown;
		ret->remarks[ret->n_remarks++] = text;
		cell->remark = text;
		return 0;
	}
	return 0;
}

static int judge(const struct assay_prediction *p, const struct assay_pcrs *actual,
		 const struct assay_phase *phase, bool from_log, struct assay_cell *cell,
		 struct assay_comparison *ret, struct assay_err *err)
{
	const struct assay_pcr_values *v = &p->pcr[cell->pcr];
	const struct assay_digests *expected = v->v;
	size_t n = v->n;
	size_t size = assay_bank_size(cell->bank);

	if (phase && cell->pcr == 11) {
		expected = &phase->pcr11;
		n = 1;
	}
	if (actual->have[cell->bank] & (1U << cell->pcr))
		cell->actual = actual->v[cell->bank][cell->pcr];
	cell->n_expected = n;
	if (n == 0) {
		cell->verdict = ASSAY_CELL_NOT_PREDICTED;
		cell->remark = v->reason ? v->reason : assay_pcr_status_name(v->status);
		ret->not_predicted++;
		return 0;
	}
	cell->expected = expected[0].d[cell->bank];
	if (from_log && cell->pcr == 10) {
		cell->actual = NULL;
		cell->remark = "IMA's events are not in the firmware's log";
	}
	if (!cell->actual) {
		cell->verdict = ASSAY_CELL_NOT_GIVEN;
		ret->not_given++;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		if (assay_bytes_equal(expected[i].d[cell->bank], cell->actual, size)) {
			cell->verdict = ASSAY_CELL_EQUAL;
			cell->expected = expected[i].d[cell->bank];
			ret->equal++;
			return 0;
		}
	cell->verdict = ASSAY_CELL_DIFFERENT;
	cell->remark = v->reason;
	ret->different++;
	return cell->pcr == 11 ? phase_remark(p, cell, ret, err) : 0;
}

int assay_compare(const struct assay_prediction *p, const struct assay_pcrs *actual,
		  const char *phase, bool from_log, struct assay_comparison *ret,
		  struct assay_err *err)
{
	const struct assay_phase *ph = NULL;
	struct assay_comparison c = { 0 };

	if (phase && !(ph = find_phase(p, phase)))
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "the prediction has no phase '%s'", phase);
	c.cells = calloc((size_t)ASSAY_N_BANKS * ASSAY_PREDICTED_PCRS, sizeof(*c.cells));
	if (!c.cells)
		return assay_fail_mem(err);
	for (int b = 0; b < ASSAY_N_BANKS; b++) {
		if (!(p->banks & ASSAY_BANK_BIT(b)))
			continue;
		for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
			struct assay_cell *cell = &c.cells[c.n++];

			cell->bank = (enum assay_bank)b;
			cell->pcr = i;
			if (judge(p, actual, ph, from_log, cell, &c, err) < 0) {
				assay_comparison_clear(&c);
				return -1;
			}
		}
	}
	*ret = c;
	return 0;
}

/* --- events ------------------------------------------------------------------------------------- */

/* The next event of this PCR from *at on, which moves past it; NULL: none. */
static const struct assay_pred_event *next_predicted(const struct assay_prediction *p, unsigned pcr,
						     size_t *at)
{
	while (*at < p->n)
		if (p->events[(*at)++].pcr == pcr)
			return &p->events[*at - 1];
	return NULL;
}

static const struct assay_event *next_logged(const struct assay_eventlog *log, unsigned pcr, size_t *at)
{
	while (*at < log->n) {
		const struct assay_event *ev = &log->events[(*at)++];

		if (ev->pcr == pcr && ev->type != EV_NO_ACTION)
			return ev;
	}
	return NULL;
}

static const char *type_name(uint32_t type)
{
	const char *name = assay_event_type_name(type);

	return name ? name : "an event of unknown type";
}

static bool same(const struct assay_pred_event *ev, const struct assay_event *real,
		 enum assay_bank bank)
{
	if (!(real->digests.banks & ASSAY_BANK_BIT(bank)))
		return false;
	for (size_t i = 0; i < ev->n_values; i++)
		if (memcmp(ev->values[i].d[bank], real->digests.d[bank], assay_bank_size(bank)) == 0)
			return true;
	return false;
}

int assay_compare_events(const struct assay_prediction *p, const struct assay_eventlog *log,
			 unsigned pcr, enum assay_bank bank, char **ret, struct assay_err *err)
{
	size_t ours = 0, theirs = 0;

	for (size_t i = 0;; i++) {
		const struct assay_pred_event *ev = next_predicted(p, pcr, &ours);
		const struct assay_event *real = next_logged(log, pcr, &theirs);
		char expected[ASSAY_HEX_MAX] = "", actual[ASSAY_HEX_MAX] = "";
		size_t size = assay_bank_size(bank);

		*ret = NULL;
		if (!ev && !real)
			return 0;
		if (ev && real && same(ev, real, bank))
			continue;
		ASSAY_AUTO_FREE char *words = real ? assay_event_describe(real) : NULL;
		if (real && !words)
			return assay_fail_mem(err);
		if (ev)
			assay_hex(ev->values[0].d[bank], size, expected);
		if (real)
			assay_hex(real->digests.d[bank], size, actual);
		if (!real)
			*ret = assay_asprintf("event %zu is missing: predicted %s (%s%s%s), %s", i + 1,
					      type_name(ev->type), ev->source,
					      ev->detail ? ": " : "", ev->detail ? ev->detail : "",
					      expected);
		else if (!ev)
			*ret = assay_asprintf("event %zu is one more: the machine measured %s (%s), %s", i + 1,
					      type_name(real->type), words, actual);
		else
			*ret = assay_asprintf("event %zu: the machine measured %s (%s), %s; predicted was %s "
					      "(%s%s%s), %s",
					      i + 1, type_name(real->type), words, actual,
					      type_name(ev->type), ev->source,
					      ev->detail ? ": " : "", ev->detail ? ev->detail : "",
					      expected);
		return *ret ? 0 : assay_fail_mem(err);
	}
}
