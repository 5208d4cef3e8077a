/* SPDX-License-Identifier: Apache-2.0 */
#include "precompute/compare.h"

#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "precompute/align.h"

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

int assay_compare_events(const struct assay_prediction *p, const struct assay_eventlog *log,
			 unsigned pcr, enum assay_bank bank, char **ret, struct assay_err *err)
{
	struct assay_alignment a;
	char *words = NULL;
	size_t i = 0;

	if (assay_align(p, log, pcr, ASSAY_BANK_BIT(bank), &a, err) < 0)
		return -1;
	while (i < a.n && a.rows[i].kind == ASSAY_ROW_SAME)
		i++;
	if (i < a.n)
		words = assay_row_words(&a.rows[i], bank);
	const bool failed = i < a.n && !words;
	assay_alignment_clear(&a);
	if (failed)
		return assay_fail_mem(err);
	*ret = words;
	return 0;
}
