/* SPDX-License-Identifier: Apache-2.0 */
#include "precompute/learn.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "precompute/platform_priv.h"

/* TCG PC Client PFP 1.06, 10.4.4: measured without a NUL. */
#define CALLING "Calling EFI Application from Boot Option"
#define RETURNING "Returning from EFI Application from Boot Option"
#define EXIT_INVOKED "Exit Boot Services Invocation"

struct learner {
	const struct assay_eventlog *log;
	size_t boot;   /* the boot application's event */
	size_t before; /* the event of PCR 4 before it (and before those of vain tries); SIZE_MAX:
			  none */
	size_t last_pcr4; /* the event of PCR 4 right before it; SIZE_MAX: none */
	unsigned tries;
	size_t gpt; /* SIZE_MAX: none that can be trusted */
	struct assay_platform *p;
	struct assay_err *err;
};

static bool is_extended(const struct assay_event *e)
{
	return e->type != EV_NO_ACTION && e->pcr < ASSAY_PLATFORM_N_PCRS;
}

/* In all banks that both have, and at least one. */
static bool same_digests(const struct assay_digests *a, const struct assay_digests *b)
{
	const unsigned banks = a->banks & b->banks;

	for (unsigned i = 0; i < ASSAY_N_BANKS; i++)
		if ((banks & ASSAY_BANK_BIT(i)) &&
		    !assay_bytes_equal(a->d[i], b->d[i], assay_bank_size(i)))
			return false;
	return banks != 0;
}

/* Told by its digest: the data of an event is only a claim. */
static int is_action(const struct learner *l, const struct assay_event *e, const char *text,
		     bool *ret)
{
	struct assay_digests d;

	*ret = false;
	if (e->type != EV_EFI_ACTION)
		return 0;
	if (assay_digest_mem(l->log->banks, text, strlen(text), &d, l->err) < 0)
		return -1;
	*ret = same_digests(&e->digests, &d);
	return 0;
}

static int find_boot(struct learner *l, const struct assay_digests *boot)
{
	l->boot = SIZE_MAX;
	for (size_t i = 0; i < l->log->n; i++) {
		const struct assay_event *e = &l->log->events[i];

		if (e->pcr != 4 || e->type != EV_EFI_BOOT_SERVICES_APPLICATION ||
		    !same_digests(&e->digests, boot))
			continue;
		if (l->boot != SIZE_MAX)
			return assay_fail(l->err, ASSAY_E_UNSUPPORTED, e->at,
					  "the boot application is measured twice, first at byte "
					  "0x%" PRIx64,
					  l->log->events[l->boot].at);
		l->boot = i;
	}
	if (l->boot == SIZE_MAX)
		return assay_fail(l->err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "no event in PCR 4 has the boot application's digest");
	return 0;
}

/* The event of PCR 4 before event i. */
static size_t pcr4_before(const struct learner *l, size_t i)
{
	while (i-- > 0)
		if (l->log->events[i].pcr == 4 && is_extended(&l->log->events[i]))
			return i;
	return SIZE_MAX;
}

/* Pairs of "Returning ...", "Calling ..." right before the boot application are tries in vain. */
static int find_tries(struct learner *l)
{
	l->last_pcr4 = l->before = pcr4_before(l, l->boot);
	while (l->before != SIZE_MAX) {
		const size_t earlier = pcr4_before(l, l->before);
		bool calling, returning;

		if (earlier == SIZE_MAX)
			break;
		if (is_action(l, &l->log->events[l->before], CALLING, &calling) < 0 ||
		    is_action(l, &l->log->events[earlier], RETURNING, &returning) < 0)
			return -1;
		if (!calling || !returning)
			break;
		l->tries++;
		l->before = pcr4_before(l, earlier);
	}
	if (l->tries > ASSAY_PLATFORM_MAX_TRIES)
		return assay_fail(l->err, ASSAY_E_LIMIT, l->log->events[l->boot].at,
				  "%u boot options tried in vain, limit %d", l->tries,
				  ASSAY_PLATFORM_MAX_TRIES);
	return 0;
}

static int set_unknown(struct learner *l, unsigned pcr, char *reason)
{
	if (!reason)
		return assay_fail_mem(l->err);
	free(l->p->unknown[pcr]);
	l->p->unknown[pcr] = reason;
	return 0;
}

static int find_gpt(struct learner *l)
{
	size_t n = 0, n2 = 0;

	l->gpt = SIZE_MAX;
	for (size_t i = 0; i < l->boot; i++) {
		const struct assay_event *e = &l->log->events[i];

		if (e->pcr != 5)
			continue;
		n2 += e->type == EV_EFI_GPT_EVENT2;
		if (e->type != EV_EFI_GPT_EVENT)
			continue;
		n++;
		l->gpt = i;
	}
	if (n == 1 && n2 == 0)
		return 0;
	l->gpt = SIZE_MAX;
	if (n2 > 0)
		return set_unknown(l, 5,
				   assay_strdup("the log has an EV_EFI_GPT_EVENT2, whose place "
						"assay cannot fill"));
	if (n > 1)
		return set_unknown(
			l, 5,
			assay_asprintf("the log has %zu GPT events before the boot "
				       "application; which is the boot disk's is not told",
				       n));
	return set_unknown(l, 5,
			   assay_strdup("the log has no GPT event before the boot application"));
}

/* What comes after the boot application is the image's, if it is where images measure. */
static int check_later(const struct learner *l)
{
	for (size_t i = l->boot + 1; i < l->log->n; i++) {
		const struct assay_event *e = &l->log->events[i];

		if (is_extended(e) && (e->pcr <= 3 || e->pcr == 6))
			return assay_fail(
				l->err, ASSAY_E_UNSUPPORTED, e->at,
				"an event in PCR %u (%s) after the boot application", e->pcr,
				assay_event_type_name(e->type) ? assay_event_type_name(e->type)
							       : "of unknown type");
	}
	return 0;
}

/* Did the boot application bring event i? */
static int is_boots_authority(const struct learner *l, size_t i, bool *ret)
{
	const struct assay_event *e = &l->log->events[i];

	*ret = e->pcr == 7 && e->type == EV_EFI_VARIABLE_AUTHORITY && i < l->boot &&
	       (l->last_pcr4 == SIZE_MAX || i > l->last_pcr4);
	if (!*ret)
		return 0;
	for (size_t k = i + 1; k < l->boot; k++)
		if (l->log->events[k].pcr == 2 && is_extended(&l->log->events[k]))
			return assay_fail(l->err, ASSAY_E_UNSUPPORTED, e->at,
					  "this authority may be a driver's (at byte 0x%" PRIx64
					  ") or the boot application's",
					  l->log->events[k].at);
	return 0;
}

static struct assay_platform_event *add(struct learner *l, enum assay_slot slot)
{
	struct assay_platform_event *e = &l->p->events[l->p->n++];

	e->slot = slot;
	return e;
}

static int keep_data(struct learner *l, const struct assay_event *e,
		     struct assay_platform_event *to)
{
	struct assay_digests d;

	if (e->pcr != 7 ||
	    (e->type != EV_EFI_VARIABLE_DRIVER_CONFIG && e->type != EV_EFI_VARIABLE_AUTHORITY))
		return 0;
	if (e->data_len > ASSAY_PLATFORM_MAX_DATA)
		return assay_fail(l->err, ASSAY_E_LIMIT, e->at,
				  "an event of PCR 7 with %" PRIu32 " bytes of data, limit %d",
				  e->data_len, ASSAY_PLATFORM_MAX_DATA);
	if (assay_digest_mem(l->p->banks, e->data, e->data_len, &d, l->err) < 0)
		return -1;
	/* Some firmware logs other bytes than it hashes: those say nothing. */
	if (!assay_digests_equal(&d, &to->values[0].digests))
		return 0;
	to->data = malloc(e->data_len + 1U);
	if (!to->data)
		return assay_fail_mem(l->err);
	if (e->data_len)
		memcpy(to->data, e->data, e->data_len);
	to->data_len = e->data_len;
	return 0;
}

static int add_event(struct learner *l, const struct assay_event *e)
{
	const unsigned missing = l->p->banks & ~e->digests.banks;
	struct assay_platform_event *to;

	for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
		if (missing & ASSAY_BANK_BIT(b))
			return assay_fail(l->err, ASSAY_E_UNSUPPORTED, e->at,
					  "an event in PCR %u without a %s digest", e->pcr,
					  assay_bank_name(b));
	to = add(l, ASSAY_SLOT_NONE);
	to->pcr = e->pcr;
	to->type = e->type;
	to->values = calloc(1, sizeof(*to->values));
	if (!to->values)
		return assay_fail_mem(l->err);
	to->n_values = 1;
	to->values[0].digests.banks = l->p->banks;
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
		if (l->p->banks & ASSAY_BANK_BIT(b))
			memcpy(to->values[0].digests.d[b], e->digests.d[b], assay_bank_size(b));
	if (keep_data(l, e, to) < 0)
		return -1;
	to->note = assay_event_describe(e);
	if (!to->note)
		return assay_fail_mem(l->err);
	if (*to->note == '\0') {
		free(to->note);
		to->note = NULL;
	}
	return 0;
}

static int add_events(struct learner *l)
{
	bool exit_seen = false;

	for (size_t i = 0; i < l->boot; i++) {
		const struct assay_event *e = &l->log->events[i];
		bool boots;

		if (!is_extended(e))
			continue;
		/* The tries' own actions are told by the slot. */
		if (e->pcr == 4 && (l->before == SIZE_MAX || i > l->before))
			continue;
		if (is_boots_authority(l, i, &boots) < 0)
			return -1;
		if (boots)
			continue;
		if (i == l->gpt)
			add(l, ASSAY_SLOT_GPT);
		else if (add_event(l, e) < 0)
			return -1;
	}
	add(l, ASSAY_SLOT_BOOT)->tries = l->tries;
	for (size_t i = l->boot; i < l->log->n && !exit_seen; i++)
		if (l->log->events[i].pcr == 5 &&
		    is_action(l, &l->log->events[i], EXIT_INVOKED, &exit_seen) < 0)
			return -1;
	add(l, ASSAY_SLOT_EXIT)->note =
		assay_strdup(exit_seen ? "exit of boot services, as in the log"
				       : "exit of boot services; the log ends before it");
	return l->p->events[l->p->n - 1].note ? 0 : assay_fail_mem(l->err);
}

int assay_platform_learn(const struct assay_eventlog *log, const struct assay_digests *boot,
			 const char *name, const char *arch, struct assay_yaml *origin,
			 struct assay_platform **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_platform) *p = calloc(1, sizeof(*p));
	ASSAY_AUTO(assay_yaml) *given = origin;
	struct learner l = { .log = log, .p = p, .err = err };

	if (!p)
		return assay_fail_mem(err);
	if (log->format == ASSAY_LOG_CCEL)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "a CCEL log speaks of measurement registers, not of PCRs");
	if (log->locality != 0 && log->locality != 3 && log->locality != 4)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "StartupLocality %u",
				  log->locality);
	p->banks = log->banks;
	p->locality = log->locality;
	p->hcrtm = log->hcrtm;
	if (!p->banks)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "the log has no bank that assay knows");
	if (find_boot(&l, boot) < 0 || find_tries(&l) < 0 || find_gpt(&l) < 0 ||
	    check_later(&l) < 0)
		return -1;
	if (log->startup_unclear && set_unknown(&l, 0, assay_strdup(log->startup_unclear)) < 0)
		return -1;
	if (log->format == ASSAY_LOG_TCG12 &&
	    set_unknown(&l, 10,
			assay_strdup("a TCG 1.2 log does not tell which PCR banks are active, and "
				     "IMA's measurement depends on them")) < 0)
		return -1;
	if (l.boot + 2 > ASSAY_PLATFORM_MAX_EVENTS)
		return assay_fail(err, ASSAY_E_LIMIT, log->events[l.boot].at,
				  "%zu events before the boot application, limit %d", l.boot,
				  ASSAY_PLATFORM_MAX_EVENTS - 2);
	p->events = calloc(l.boot + 2, sizeof(*p->events));
	p->name = assay_strdup(name);
	p->arch = assay_strdup(arch);
	if (!p->events || !p->name || !p->arch)
		return assay_fail_mem(err);
	if (add_events(&l) < 0)
		return -1;
	assay_platform_find_secure_boot(p);
	p->origin = assay_steal(&given);
	*ret = assay_steal(&p);
	return 0;
}
