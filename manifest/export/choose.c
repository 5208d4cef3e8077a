/* SPDX-License-Identifier: Apache-2.0 */
/* Which golden values go into an export, and which cannot. */
#include "manifest/export/export_priv.h"

#include <string.h>

#include "core/text.h"

/* Text out of a file, in a message: nothing in it steers a terminal. */
static void add_foreign(struct assay_str *s, const char *text)
{
	for (; *text; text++)
		assay_str_add(s, *text >= 0x20 && *text < 0x7f ? "%c" : "\\x%02x", (unsigned char)*text);
}

/* "enter-initrd, enter-initrd:leave-initrd" */
static char *phase_names(const struct assay_prediction *p)
{
	struct assay_str s = { 0 };

	for (size_t i = 0; i < p->n_phases; i++) {
		assay_str_add(&s, i ? ", " : "");
		add_foreign(&s, p->phases[i].name);
	}
	return assay_str_steal(&s);
}

/* "'unknown', REASON": why a PCR has no value. */
static char *why_none(const struct assay_pcr_values *v)
{
	struct assay_str s = { 0 };

	assay_str_add(&s, "'%s'%s", assay_pcr_status_name(v->status), v->reason ? ", " : "");
	if (v->reason)
		add_foreign(&s, v->reason);
	return assay_str_steal(&s);
}

int assay_export_phase(const struct assay_prediction *p, const char *name, const struct assay_phase **ret,
		       struct assay_err *err)
{
	for (size_t i = 0; i < p->n_phases; i++)
		if (strcmp(p->phases[i].name, name) == 0) {
			*ret = &p->phases[i];
			return 0;
		}
	ASSAY_AUTO_FREE char *names = phase_names(p);
	ASSAY_AUTO_FREE char *why = why_none(&p->pcr[11]);

	if (!names || !why)
		return assay_fail_mem(err);
	if (p->n_phases == 0)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "the prediction has no phases; PCR 11 is %s in it", why);
	return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "the prediction has no phase '%s', but %s", name, names);
}

static char *bank_names(unsigned banks)
{
	struct assay_str s = { 0 };

	for (int b = 0; b < ASSAY_N_BANKS; b++)
		if (banks & ASSAY_BANK_BIT(b))
			assay_str_add(&s, "%s%s", s.len ? "," : "", assay_bank_name((enum assay_bank)b));
	return assay_str_steal(&s);
}

static bool is_one(unsigned banks)
{
	return (banks & (banks - 1)) == 0;
}

static int choose_banks(const struct assay_export_format *format, const struct assay_export_rule *rule,
			const struct assay_export_request *req, unsigned *ret, struct assay_err *err)
{
	const unsigned have = req->prediction->banks;
	ASSAY_AUTO_FREE char *names = bank_names(have);
	ASSAY_AUTO_FREE char *fixed = bank_names(rule->bank);
	unsigned want = req->banks;

	if (!names || !fixed)
		return assay_fail_mem(err);
	if (rule->bank && want && want != rule->bank)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "%s holds values of %s, and of no other bank",
				  format->name, fixed);
	if (rule->one_bank && !is_one(want))
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
				  "%s does not tell banks apart: name one of them", format->name);
	if (!want)
		want = rule->bank;
	if (!want)
		want = !rule->one_bank || is_one(have) ? have :
		       have & ASSAY_BANK_BIT(ASSAY_SHA256) ? ASSAY_BANK_BIT(ASSAY_SHA256) : 0;
	if (!want)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
				  "%s does not tell banks apart: name one of %s", format->name, names);
	if (want & ~have) {
		ASSAY_AUTO_FREE char *missing = bank_names(want & ~have);

		if (!missing)
			return assay_fail_mem(err);
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "the prediction has no value in bank %s, but in %s", missing, names);
	}
	*ret = want;
	return 0;
}

/* PCR i is wanted: takes it, leaves it out with a note, or refuses. */
static int choose_pcr(const struct assay_export_format *format, const struct assay_export_rule *rule,
		      const struct assay_export_request *req, unsigned i, struct assay_export *out,
		      struct assay_export_pick *pick, struct assay_err *err)
{
	const struct assay_pcr_values *v = &req->prediction->pcr[i];
	const bool named = req->pcrs != 0;

	if (rule->never & (1U << i)) {
		if (named)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "%s cannot hold PCR %u: %s",
					  format->name, i, rule->why);
		return assay_export_note(out, err, "PCR %u is left out: %s", i, rule->why);
	}
	if (v->n == 0) {
		ASSAY_AUTO_FREE char *why = why_none(v);

		if (!why)
			return assay_fail_mem(err);
		if (named || rule->all)
			return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "PCR %u has no golden value: it is %s",
					  i, why);
		return assay_export_note(out, err, "PCR %u is left out: it is %s", i, why);
	}
	/* With a phase there is one value, for phases are of one value. */
	if (v->n > 1 && pick->pcr[i].n == 0 && !rule->sets)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "PCR %u has %zu accepted values, and %s can hold one", i, v->n, format->name);
	pick->pcrs |= 1U << i;
	if (pick->pcr[i].n == 0) {
		pick->pcr[i].v = v->v;
		pick->pcr[i].n = v->n;
	}
	return 0;
}

int assay_export_choose(const struct assay_export_format *format, const struct assay_export_rule *rule,
			const struct assay_export_request *req, struct assay_export *out,
			struct assay_export_pick *ret, struct assay_err *err)
{
	const uint32_t want = req->pcrs ? req->pcrs : rule->pcrs;
	struct assay_export_pick pick = { 0 };
	const struct assay_phase *phase;

	if (want & ~ASSAY_EXPORT_PCRS)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "PCR %d has no golden value: predictions end with PCR %d",
				  __builtin_ctz(want & ~ASSAY_EXPORT_PCRS), ASSAY_PREDICTED_PCRS - 1);
	if (choose_banks(format, rule, req, &pick.banks, err) < 0)
		return -1;
	if (req->phase) {
		if (assay_export_phase(req->prediction, req->phase, &phase, err) < 0)
			return -1;
		if (!(want & (1U << 11)))
			return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
					  "a phase is of PCR 11, which is not among those wanted");
		pick.pcr[11].v = &phase->pcr11;
		pick.pcr[11].n = 1;
	}
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++)
		if ((want & (1U << i)) && choose_pcr(format, rule, req, i, out, &pick, err) < 0)
			return -1;
	if (pick.pcrs == 0)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "none of the PCRs has a golden value");
	*ret = pick;
	return 0;
}

enum assay_bank assay_export_bank(const struct assay_export_pick *pick)
{
	return (enum assay_bank)__builtin_ctz(pick->banks);
}
