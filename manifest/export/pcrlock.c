/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd-pcrlock: a directory of components (systemd.pcrlock(5)), each the measurements of one part of the boot, event by
 * event. Their names are systemd's where it has one for the part: a file of ours then stands in for its own. A component
 * with sets of accepted values becomes a directory of variants.
 *
 * A component's measurements are looked for in the machine's log in their order (event_log_match_component_variant() of
 * systemd 257), and predictions extend them component by component, in the order of their names. A prediction knows the
 * order within a PCR and not across them, so each component is of one PCR; but for the separators, which systemd has in
 * one component, by ascending PCRs.
 */
#include "manifest/export/export_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "tpm/event.h"
#include "tpm/pcr.h"

enum part {
	SB_POLICY,
	CODE_EARLY,
	CONFIG_EARLY,
	ACTION,
	SB_SEPARATOR,
	SEPARATOR,
	CODE_LATE,
	CONFIG_LATE,
	GPT,
	SB_AUTHORITY,
	UKI,
	EXIT,
	CMDLINE,
	INITRD,
	N_PARTS,
};

static const char *const names[N_PARTS] = {
	[SB_POLICY] = "240-secureboot-policy",
	[CODE_EARLY] = "250-firmware-code-early",
	[CONFIG_EARLY] = "250-firmware-config-early",
	[ACTION] = "350-action-efi-application",
	[SB_SEPARATOR] = "400-secureboot-separator",
	[SEPARATOR] = "500-separator",
	[CODE_LATE] = "550-firmware-code-late",
	[CONFIG_LATE] = "550-firmware-config-late",
	[GPT] = "600-gpt",
	[SB_AUTHORITY] = "620-secureboot-authority",
	[UKI] = "650-uki",
	[EXIT] = "700-action-efi-exit-boot-services",
	[CMDLINE] = "710-kernel-cmdline",
	[INITRD] = "720-kernel-initrd",
};

/* Parts whose measurements go into more than one PCR, in an order that is not known. */
static bool several_pcrs(enum part part)
{
	return part == CODE_EARLY || part == CONFIG_EARLY || part == CODE_LATE || part == CONFIG_LATE || part == UKI;
}

/* --- which part an event is of ------------------------------------------------------------------ */

static enum part part_of(const struct assay_pred_event *ev, bool after_separator)
{
	switch (ev->pcr) {
	case 0:
	case 2:
		if (ev->type == EV_SEPARATOR)
			return SEPARATOR;
		return after_separator ? CODE_LATE : CODE_EARLY;
	case 1:
	case 3:
	case 6:
		if (ev->type == EV_SEPARATOR)
			return SEPARATOR;
		return after_separator ? CONFIG_LATE : CONFIG_EARLY;
	case 4:
		if (ev->type == EV_SEPARATOR)
			return SEPARATOR;
		return ev->type == EV_EFI_ACTION && !after_separator ? ACTION : UKI;
	case 5:
		if (ev->type == EV_SEPARATOR)
			return SEPARATOR;
		if (ev->type == EV_EFI_GPT_EVENT)
			return GPT;
		if (!after_separator)
			return CONFIG_EARLY;
		return ev->type == EV_EFI_ACTION ? EXIT : UKI;
	case 7:
		if (ev->type == EV_SEPARATOR)
			return SB_SEPARATOR;
		return after_separator ? SB_AUTHORITY : SB_POLICY;
	case 9:
		return ev->detail && strncmp(ev->detail, "Linux initrd", 12) == 0 ? INITRD : CMDLINE;
	default:
		return UKI;
	}
}

/*
 * One part for each event. Within a PCR parts never go back, whatever order the firmware measures in: an event that would
 * is put into the part that its PCR has come to.
 */
static void assign(const struct assay_prediction *p, enum part *parts)
{
	for (unsigned pcr = 0; pcr < ASSAY_PREDICTED_PCRS; pcr++) {
		enum part last = SB_POLICY;
		bool after = false;

		for (size_t i = 0; i < p->n; i++) {
			if (p->events[i].pcr != pcr)
				continue;
			const enum part part = part_of(&p->events[i], after);

			after = after || p->events[i].type == EV_SEPARATOR;
			last = part > last ? part : last;
			parts[i] = last;
		}
	}
}

/* --- do the events lead to the values? ---------------------------------------------------------- */

/* Goes on to the next combination of accepted values; false after the last. */
static bool next_choice(const struct assay_pred_event *const *events, size_t *choice, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (++choice[i] < events[i]->n_values)
			return true;
		choice[i] = 0;
	}
	return false;
}

/* Their number; more than ASSAY_MAX_ACCEPTED are one more. */
static size_t count_choices(const struct assay_pred_event *const *events, size_t n)
{
	size_t total = 1;

	for (size_t i = 0; i < n && total <= ASSAY_MAX_ACCEPTED; i++)
		total *= events[i]->n_values;
	return total;
}

/* Every value that the events lead to from this reset value is an accepted one, and each of those is led to. */
static int leads_to(const struct assay_export_pick *pick, unsigned pcr, const struct assay_pred_event *const *events,
		    size_t n, uint8_t reset, bool *ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE struct assay_pcrs *regs = calloc(1, sizeof(*regs));
	ASSAY_AUTO_FREE size_t *choice = calloc(n + 1, sizeof(*choice));
	const size_t n_values = pick->pcr[pcr].n;
	bool seen[ASSAY_MAX_ACCEPTED] = { false };
	size_t n_seen = 0;

	if (!regs || !choice)
		return assay_fail_mem(err);
	*ret = false;
	do {
		struct assay_digests end = { .banks = pick->banks };
		size_t k = 0;

		assay_pcrs_reset(regs, pick->banks);
		for (int b = 0; b < ASSAY_N_BANKS; b++)
			if (pick->banks & ASSAY_BANK_BIT(b))
				regs->v[b][pcr][assay_bank_size((enum assay_bank)b) - 1] = reset;
		for (size_t i = 0; i < n; i++)
			if (assay_pcr_extend_all(regs, pcr, &events[i]->values[choice[i]], err) < 0)
				return -1;
		for (int b = 0; b < ASSAY_N_BANKS; b++)
			memcpy(end.d[b], regs->v[b][pcr], ASSAY_MAX_DIGEST);
		for (; k < n_values; k++) {
			struct assay_digests value = pick->pcr[pcr].v[k];

			value.banks = pick->banks;
			for (int b = 0; b < ASSAY_N_BANKS; b++)
				if (!(pick->banks & ASSAY_BANK_BIT(b)))
					memset(value.d[b], 0, ASSAY_MAX_DIGEST);
			if (assay_digests_equal(&end, &value))
				break;
		}
		if (k == n_values)
			return 0;
		n_seen += !seen[k];
		seen[k] = true;
	} while (next_choice(events, choice, n));
	*ret = n_seen == n_values;
	return 0;
}

static int check_pcr(const struct assay_prediction *p, const struct assay_export_pick *pick, unsigned pcr,
		     struct assay_err *err)
{
	static const uint8_t resets[] = { 0, 3, 4 }; /* PCR 0: localities of TPM2_Startup (PFP 1.06, 10.4.5.3) */
	ASSAY_AUTO_FREE const struct assay_pred_event **events = calloc(p->n + 1, sizeof(*events));
	bool good = false;
	size_t n = 0;

	if (!events)
		return assay_fail_mem(err);
	for (size_t i = 0; i < p->n; i++)
		if (p->events[i].pcr == pcr)
			events[n++] = &p->events[i];
	if (count_choices(events, n) > ASSAY_MAX_ACCEPTED)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "PCR %u: more combinations of its events' accepted values than %d", pcr, ASSAY_MAX_ACCEPTED);
	for (size_t i = 0; i < (pcr == 0 ? sizeof(resets) : 1) && !good; i++)
		if (leads_to(pick, pcr, events, n, resets[i], &good, err) < 0)
			return -1;
	if (!good)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
				  "PCR %u: its events do not lead to its golden values", pcr);
	return 0;
}

/* --- out ---------------------------------------------------------------------------------------- */

static struct assay_json *record(const struct assay_pred_event *ev, size_t choice, unsigned banks)
{
	struct assay_json *o = assay_json_object();
	struct assay_json *digests = assay_json_array();

	assay_json_set_int(o, "pcr", ev->pcr);
	for (int b = 0; b < ASSAY_N_BANKS; b++) {
		if (!(banks & ASSAY_BANK_BIT(b)))
			continue;
		struct assay_json *d = assay_json_object();

		assay_json_set_str(d, "hashAlg", assay_bank_name((enum assay_bank)b));
		assay_json_set(d, "digest", assay_json_hex(ev->values[choice].d[b], assay_bank_size((enum assay_bank)b)));
		assay_json_append(digests, d);
	}
	assay_json_set(o, "digests", digests);
	return o;
}

static int write_component(const char *name, const struct assay_pred_event *const *events, size_t n, unsigned banks,
			   struct assay_export *ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE size_t *choice = calloc(n, sizeof(*choice));
	const size_t total = count_choices(events, n);
	unsigned k = 0;

	if (!choice)
		return assay_fail_mem(err);
	if (total > ASSAY_MAX_ACCEPTED)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%s: more than %d variants", name, ASSAY_MAX_ACCEPTED);
	do {
		struct assay_json *top = assay_json_object();
		struct assay_json *records = assay_json_array();
		char file[128];

		for (size_t i = 0; i < n; i++)
			assay_json_append(records, record(events[i], choice[i], banks));
		assay_json_set(top, "records", records);
		if (total == 1)
			snprintf(file, sizeof(file), "%s.pcrlock", name);
		else
			snprintf(file, sizeof(file), "%s.pcrlock.d/%02u.pcrlock", name, ++k);
		if (assay_export_add_json(ret, file, top, err) < 0)
			return -1;
	} while (next_choice(events, choice, n));
	return 0;
}

/* What these PCRs have of a part, if anything: events in the order of PCRs. */
static int write_part(const struct assay_prediction *p, const enum part *parts, enum part part, uint32_t pcrs,
		      unsigned banks, struct assay_export *ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE const struct assay_pred_event **events = calloc(p->n + 1, sizeof(*events));
	char name[64];
	size_t n = 0;

	if (!events)
		return assay_fail_mem(err);
	for (unsigned pcr = 0; pcr < ASSAY_PREDICTED_PCRS; pcr++)
		for (size_t i = 0; i < p->n; i++)
			if ((pcrs & (1U << pcr)) && p->events[i].pcr == pcr && parts[i] == part)
				events[n++] = &p->events[i];
	if (n == 0)
		return 0;
	if (several_pcrs(part))
		snprintf(name, sizeof(name), "%s-pcr%u", names[part], events[0]->pcr);
	else
		snprintf(name, sizeof(name), "%s", names[part]);
	return write_component(name, events, n, banks, ret, err);
}

int assay_export_pcrlock(const struct assay_export_format *format, const struct assay_export_request *req,
			 struct assay_export *ret, struct assay_err *err)
{
	static const struct assay_export_rule rule = {
		.pcrs = ASSAY_EXPORT_PCRS,
		.sets = true,
		.never = 1U << 10,
		.why = "IMA's events are in no log that systemd-pcrlock reads",
	};
	const struct assay_prediction *p = req->prediction;
	ASSAY_AUTO_FREE enum part *parts = calloc(p->n + 1, sizeof(*parts));
	struct assay_export_pick pick;

	if (!parts)
		return assay_fail_mem(err);
	if (assay_export_choose(format, &rule, req, ret, &pick, err) < 0)
		return -1;
	for (unsigned pcr = 0; pcr < ASSAY_PREDICTED_PCRS; pcr++)
		if ((pick.pcrs & (1U << pcr)) && check_pcr(p, &pick, pcr, err) < 0)
			return -1;
	assign(p, parts);
	for (unsigned part = 0; part < N_PARTS; part++) {
		uint32_t left = pick.pcrs;

		while (left) {
			/* PCR by PCR, or the separators of all. */
			const uint32_t now = part == SEPARATOR ? left : left & -left;

			left &= ~now;
			if (write_part(p, parts, part, now, pick.banks, ret, err) < 0)
				return -1;
		}
	}
	if (ret->n == 0)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "nothing is measured into these PCRs");
	return 0;
}
