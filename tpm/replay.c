/* SPDX-License-Identifier: Apache-2.0 */
/* From an event log to the registers it ends with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "tpm/event.h"
#include "tpm/eventlog.h"

/* Which registers of the log become which of the result. */
struct window {
	uint32_t first; /* register index in the log of index 0 in the result */
	uint32_t n;
	bool pcrs;
};

struct replay {
	const struct assay_eventlog *log;
	struct window win;
	struct assay_pcrs pcrs;
	struct assay_replay_reasons reasons;
};

/* The register's value is not known; the first reason stays. */
static int give_up(struct replay *r, unsigned bank, uint32_t index, char *why,
		   struct assay_err *err)
{
	if (!why)
		return assay_fail_mem(err);
	r->pcrs.have[bank] &= ~(1U << index);
	if (r->reasons.why[bank][index])
		free(why);
	else
		r->reasons.why[bank][index] = why;
	return 0;
}

static char *banks_text(unsigned banks)
{
	struct assay_str s = { 0 };

	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		if (banks & ASSAY_BANK_BIT(b))
			assay_str_add(&s, "%s%s", s.len ? ", " : "",
				      assay_bank_name((enum assay_bank)b));
	}
	if (s.len == 0)
		assay_str_add(&s, "none that assay knows");
	return assay_str_steal(&s);
}

static char *why_no_bank(const struct assay_eventlog *log, unsigned bank)
{
	const char *name = assay_bank_name((enum assay_bank)bank);
	char *announced;
	char *why;

	if (log->banks & ASSAY_BANK_BIT(bank))
		return assay_asprintf(
			"the log's header announces %s, and no event has such a digest", name);
	announced = banks_text(log->banks);
	why = announced ? assay_asprintf("the log has no %s digests (it announces: %s)", name,
					 announced)
			: NULL;
	free(announced);
	return why;
}

/* Where the registers of one bank start, and which of them are lost from the outset. */
static int start_bank(struct replay *r, unsigned bank, struct assay_err *err)
{
	const struct assay_eventlog *log = r->log;

	for (uint32_t i = 0; i < r->win.n; i++) {
		if (!(log->carried & ASSAY_BANK_BIT(bank)) &&
		    give_up(r, bank, i, why_no_bank(log, bank), err) < 0)
			return -1;
	}
	if (!r->win.pcrs)
		return 0;
	if (log->startup_unclear)
		return give_up(r, bank, 0, assay_strdup(log->startup_unclear), err);
	/* TPM 2.0 Library, Part 3, 9.3: the locality is PCR 0's last byte after TPM2_Startup. */
	r->pcrs.v[bank][0][assay_bank_size((enum assay_bank)bank) - 1] = (uint8_t)log->locality;
	return 0;
}

static char *why_no_digest(const struct assay_event *ev, size_t number, unsigned bank)
{
	const char *type = assay_event_type_name(ev->type);

	return assay_asprintf("event %zu (%s, at byte 0x%llx) has no %s digest", number,
			      type ? type : "of unknown type", (unsigned long long)ev->at,
			      assay_bank_name((enum assay_bank)bank));
}

static int replay_event(struct replay *r, size_t number, unsigned bank, uint32_t *touched,
			struct assay_err *err)
{
	const struct assay_event *ev = &r->log->events[number];
	const uint32_t i = ev->pcr - r->win.first;

	if (ev->type == EV_NO_ACTION || ev->pcr < r->win.first || i >= r->win.n)
		return 0;
	*touched |= 1U << i;
	if (r->win.pcrs && i >= 17 && i <= 22)
		return give_up(r, bank, i,
			       assay_strdup("a dynamic launch resets it, at a point that the log "
					    "does not tell"),
			       err);
	if (!(ev->digests.banks & ASSAY_BANK_BIT(bank)))
		return give_up(r, bank, i, why_no_digest(ev, number, bank), err);
	if (!(r->pcrs.have[bank] & 1U << i))
		return 0;
	return assay_pcr_extend(&r->pcrs, (enum assay_bank)bank, i, ev->digests.d[bank], err);
}

static int replay_bank(struct replay *r, unsigned bank, struct assay_err *err)
{
	uint32_t touched = 0;

	r->pcrs.have[bank] &= (1U << r->win.n) - 1U;
	if (start_bank(r, bank, err) < 0)
		return -1;
	for (size_t n = 0; n < r->log->n; n++) {
		if (replay_event(r, n, bank, &touched, err) < 0)
			return -1;
	}
	for (uint32_t i = 0; i < r->win.n; i++) {
		if (touched & 1U << i)
			continue;
		if (r->pcrs.have[bank] & 1U << i)
			r->reasons.untouched[bank] |= 1U << i;
		if (give_up(r, bank, i, assay_strdup("no event of the log extends it"), err) < 0)
			return -1;
	}
	return 0;
}

static int replay(const struct assay_eventlog *log, struct window win, unsigned banks,
		  struct assay_pcrs *ret, struct assay_replay_reasons *reasons,
		  struct assay_err *err)
{
	struct replay r = { .log = log, .win = win };

	assay_pcrs_reset(&r.pcrs, banks);
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		if ((banks & ASSAY_BANK_BIT(b)) && replay_bank(&r, b, err) < 0) {
			assay_replay_reasons_free(&r.reasons);
			return -1;
		}
	}
	*ret = r.pcrs;
	if (reasons)
		*reasons = r.reasons;
	else
		assay_replay_reasons_free(&r.reasons);
	return 0;
}

int assay_eventlog_replay(const struct assay_eventlog *log, unsigned banks, struct assay_pcrs *ret,
			  struct assay_replay_reasons *reasons, struct assay_err *err)
{
	if (log->format == ASSAY_LOG_CCEL)
		return assay_fail(
			err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
			"a CCEL: its events extend the RTMRs of a confidential VM, not PCRs");
	return replay(log, (struct window){ 0, ASSAY_N_PCRS, true }, banks, ret, reasons, err);
}

int assay_eventlog_replay_rtmrs(const struct assay_eventlog *log, unsigned banks,
				struct assay_pcrs *ret, struct assay_replay_reasons *reasons,
				struct assay_err *err)
{
	if (log->format != ASSAY_LOG_CCEL)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "a log of PCRs, not a CCEL: it has no RTMRs");
	/* Register 0 is MRTD, the measurement of the VM's initial memory: no event extends it. */
	return replay(log, (struct window){ 1, ASSAY_N_RTMRS, false }, banks, ret, reasons, err);
}

void assay_replay_reasons_free(struct assay_replay_reasons *r)
{
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		for (unsigned i = 0; i < ASSAY_N_PCRS; i++)
			free(r->why[b][i]);
	}
	memset(r, 0, sizeof(*r));
}
