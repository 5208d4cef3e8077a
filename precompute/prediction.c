/* SPDX-License-Identifier: Apache-2.0 */
#include "precompute/prediction.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "tpm/event.h"

static const char *const status_names[] = {
	[ASSAY_PCR_ZERO] = "zero",	 [ASSAY_PCR_PLATFORM] = "platform",
	[ASSAY_PCR_IMAGE] = "image",	 [ASSAY_PCR_RUNTIME] = "runtime",
	[ASSAY_PCR_UNKNOWN] = "unknown", [ASSAY_PCR_UNPREDICTABLE] = "not predictable",
};

const char *assay_pcr_status_name(enum assay_pcr_status status)
{
	return status_names[status];
}

void assay_prediction_free(struct assay_prediction **pp)
{
	struct assay_prediction *p = *pp;

	if (!p)
		return;
	assay_json_free(&p->image);
	assay_json_free(&p->platform);
	for (size_t i = 0; i < p->n; i++) {
		free(p->events[i].values);
		free(p->events[i].source);
		free(p->events[i].detail);
	}
	free(p->events);
	for (size_t i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
		free(p->pcr[i].reason);
		free(p->pcr[i].v);
	}
	for (size_t i = 0; i < p->n_phases; i++)
		free(p->phases[i].name);
	free(p->phases);
	free(p);
	*pp = NULL;
}

static struct assay_pred_event *grow(struct assay_prediction *p)
{
	struct assay_pred_event *grown;

	if ((p->n & (p->n - 1)) == 0) { /* full at every power of two */
		grown = reallocarray(p->events, p->n ? 2 * p->n : 1, sizeof(*grown));
		if (!grown)
			return NULL;
		p->events = grown;
	}
	struct assay_pred_event *ev = &p->events[p->n++];
	memset(ev, 0, sizeof(*ev));
	return ev;
}

int assay_prediction_add_set(struct assay_prediction *p, unsigned pcr, uint32_t type,
			     const struct assay_digests *values, size_t n, bool image, char *source,
			     char *detail, struct assay_err *err)
{
	struct assay_pred_event *ev = source && n > 0 ? grow(p) : NULL;

	if (!ev) {
		free(source);
		free(detail);
		return assay_fail_mem(err);
	}
	ev->pcr = pcr;
	ev->type = type;
	ev->image = image;
	ev->source = source;
	ev->detail = detail;
	ev->values = calloc(n, sizeof(*values));
	if (!ev->values)
		return assay_fail_mem(err);
	memcpy(ev->values, values, n * sizeof(*values));
	ev->n_values = n;
	return 0;
}

int assay_prediction_add(struct assay_prediction *p, unsigned pcr, uint32_t type,
			 const struct assay_digests *d, bool image, char *source, char *detail,
			 struct assay_err *err)
{
	return assay_prediction_add_set(p, pcr, type, d, 1, image, source, detail, err);
}

/* --- out ---------------------------------------------------------------------------------------- */

static struct assay_digests masked(const struct assay_digests *d, unsigned banks)
{
	struct assay_digests m = *d;

	m.banks &= banks;
	return m;
}

static struct assay_json *event_json(const struct assay_prediction *p,
				     const struct assay_pred_event *ev)
{
	struct assay_json *o = assay_json_object();
	const char *name = assay_event_type_name(ev->type);
	char number[16];

	snprintf(number, sizeof(number), "0x%08" PRIx32, ev->type);
	assay_json_set_str(o, "type", name ? name : number);
	assay_json_set_str(o, "source", ev->source);
	if (ev->detail)
		assay_json_set_str(o, "detail", ev->detail);
	if (ev->n_values == 1) {
		struct assay_digests d = masked(&ev->values[0], p->banks);

		assay_json_set(o, "digests", assay_json_digests(&d));
	} else {
		struct assay_json *set = assay_json_array();

		for (size_t i = 0; i < ev->n_values; i++) {
			struct assay_digests d = masked(&ev->values[i], p->banks);

			assay_json_append(set, assay_json_digests(&d));
		}
		assay_json_set(o, "accepted", set);
	}
	return o;
}

static struct assay_json *pcrs_json(const struct assay_prediction *p)
{
	struct assay_json *pcrs = assay_json_array();

	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
		struct assay_json *o = assay_json_object();
		struct assay_json *events = assay_json_array();

		assay_json_set_int(o, "pcr", i);
		assay_json_set_str(o, "status", assay_pcr_status_name(p->pcr[i].status));
		if (p->pcr[i].reason)
			assay_json_set_str(o, "reason", p->pcr[i].reason);
		for (size_t k = 0; k < p->n; k++)
			if (p->events[k].pcr == i)
				assay_json_append(events, event_json(p, &p->events[k]));
		assay_json_set(o, "events", events);
		assay_json_append(pcrs, o);
	}
	return pcrs;
}

/* One object for each bank: {"4": fn(values of PCR 4)} for the PCRs that have `many` or exactly one value. */
static struct assay_json *banks_json(const struct assay_prediction *p, bool many, bool *ret_any)
{
	struct assay_json *banks = assay_json_object();

	*ret_any = false;
	for (int b = 0; b < ASSAY_N_BANKS; b++) {
		if (!(p->banks & ASSAY_BANK_BIT(b)))
			continue;
		struct assay_json *o = assay_json_object();
		size_t size = assay_bank_size((enum assay_bank)b);

		for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
			const struct assay_pcr_values *v = &p->pcr[i];
			char key[4] = { 0 };

			if (v->n == 0 || (v->n > 1) != many)
				continue;
			if (i >= 10)
				key[0] = '1';
			key[i >= 10] = (char)('0' + i % 10);
			*ret_any = true;
			if (!many) {
				assay_json_set(o, key, assay_json_hex(v->v[0].d[b], size));
				continue;
			}
			struct assay_json *set = assay_json_array();
			for (size_t k = 0; k < v->n; k++)
				assay_json_append(set, assay_json_hex(v->v[k].d[b], size));
			assay_json_set(o, key, set);
		}
		assay_json_set(banks, assay_bank_name((enum assay_bank)b), o);
	}
	return banks;
}

struct assay_json *assay_prediction_json(const struct assay_prediction *p)
{
	struct assay_json *o = assay_json_object();
	bool any;

	assay_json_set_str(o, "schema", ASSAY_PREDICTION_SCHEMA);
	assay_json_set(o, "image", assay_json_copy(p->image));
	assay_json_set(o, "platform", assay_json_copy(p->platform));
	assay_json_set(o, "banks", banks_json(p, false, &any));
	struct assay_json *accepted = banks_json(p, true, &any);
	if (any)
		assay_json_set(o, "accepted", accepted);
	else
		assay_json_free(&accepted);
	assay_json_set(o, "pcrs", pcrs_json(p));
	if (p->n_phases) {
		struct assay_json *phases = assay_json_array();

		for (size_t i = 0; i < p->n_phases; i++) {
			struct assay_digests d = masked(&p->phases[i].pcr11, p->banks);
			struct assay_json *ph = assay_json_object();

			assay_json_set_str(ph, "phase", p->phases[i].name);
			assay_json_set(ph, "pcr11", assay_json_digests(&d));
			assay_json_append(phases, ph);
		}
		assay_json_set(o, "phases", phases);
	}
	return o;
}

/* --- in ----------------------------------------------------------------------------------------- */

static int bad(struct assay_err *err, const char *what)
{
	return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "prediction: %s", what);
}

static int hex_into(const struct assay_json *node, enum assay_bank bank, struct assay_digests *ret,
		    struct assay_err *err)
{
	const char *hex = assay_json_str(node);

	if (!hex || !assay_unhex(hex, strlen(hex), ret->d[bank], assay_bank_size(bank)))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
				  "prediction: a %s value is not %zu hex digits",
				  assay_bank_name(bank), 2 * assay_bank_size(bank));
	ret->banks |= ASSAY_BANK_BIT(bank);
	return 0;
}

/* One digest in each bank of the prediction, and no other. */
static int digests_in(const struct assay_json *o, unsigned banks, struct assay_digests *ret,
		      struct assay_err *err)
{
	memset(ret, 0, sizeof(*ret));
	if (!assay_json_is_object(o))
		return bad(err, "digests are not an object");
	for (int b = 0; b < ASSAY_N_BANKS; b++) {
		const struct assay_json *v = assay_json_get(o, assay_bank_name((enum assay_bank)b));

		if (v && hex_into(v, (enum assay_bank)b, ret, err) < 0)
			return -1;
	}
	if (ret->banks != banks || assay_json_len(o) != (size_t)__builtin_popcount(banks))
		return bad(err, "digests are not in the banks of the prediction");
	return 0;
}

/* The value sets of one PCR, out of "banks" or "accepted". */
static int values_in(const struct assay_json *banks, const struct assay_json *accepted, unsigned pcr,
		     unsigned mask, struct assay_pcr_values *ret, struct assay_err *err)
{
	bool first = true;
	char key[4];

	snprintf(key, sizeof(key), "%u", pcr);
	for (int b = 0; b < ASSAY_N_BANKS; b++) {
		if (!(mask & ASSAY_BANK_BIT(b)))
			continue;
		const char *name = assay_bank_name((enum assay_bank)b);
		const struct assay_json *one = assay_json_get(assay_json_get(banks, name), key);
		const struct assay_json *set = assay_json_get(assay_json_get(accepted, name), key);
		size_t n = one ? 1 : assay_json_len(set);

		if (one && set)
			return bad(err, "a PCR has a value and a set of accepted ones");
		if (set && (!assay_json_is_array(set) || n < 2))
			return bad(err, "a set of accepted values is not a list of two or more");
		if (n > ASSAY_MAX_ACCEPTED)
			return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
					  "prediction: PCR %u has %zu accepted values, limit %d", pcr,
					  n, ASSAY_MAX_ACCEPTED);
		if (first && n > 0) {
			ret->v = calloc(n, sizeof(*ret->v));
			if (!ret->v)
				return assay_fail_mem(err);
			ret->n = n;
		}
		first = false;
		if (n != ret->n)
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
					  "prediction: PCR %u has %zu values in %s and %zu elsewhere",
					  pcr, n, name, ret->n);
		for (size_t i = 0; i < n; i++)
			if (hex_into(one ? one : assay_json_at(set, i), (enum assay_bank)b,
				     &ret->v[i], err) < 0)
				return -1;
	}
	return 0;
}

static int event_in(struct assay_prediction *p, unsigned pcr, const struct assay_json *o,
		    struct assay_err *err)
{
	const char *type = assay_json_str(assay_json_get(o, "type"));
	const char *source = assay_json_str(assay_json_get(o, "source"));
	const char *detail = assay_json_str(assay_json_get(o, "detail"));
	const struct assay_json *accepted = assay_json_get(o, "accepted");
	size_t n = accepted ? assay_json_len(accepted) : 1;
	uint32_t number;

	if (!type || !assay_event_type_from_name(type, &number) || !source)
		return bad(err, "an event has no type or no source");
	if (n > ASSAY_MAX_ACCEPTED || (accepted && (n < 2 || !assay_json_is_array(accepted))))
		return bad(err, "an event has fewer than two accepted values, or too many");
	if (accepted && assay_json_get(o, "digests"))
		return bad(err, "an event has digests and accepted ones");
	ASSAY_AUTO_FREE struct assay_digests *values = calloc(n, sizeof(*values));
	if (!values)
		return assay_fail_mem(err);
	for (size_t i = 0; i < n; i++)
		if (digests_in(accepted ? assay_json_at(accepted, i) : assay_json_get(o, "digests"),
			       p->banks, &values[i], err) < 0)
			return -1;
	return assay_prediction_add_set(p, pcr, number, values, n, false, assay_strdup(source),
					detail ? assay_strdup(detail) : NULL, err);
}

static bool has_value(enum assay_pcr_status status)
{
	return status == ASSAY_PCR_ZERO || status == ASSAY_PCR_PLATFORM || status == ASSAY_PCR_IMAGE;
}

static int pcr_in(struct assay_prediction *p, const struct assay_json *root,
		  const struct assay_json *o, uint32_t *seen, struct assay_err *err)
{
	const char *status = assay_json_str(assay_json_get(o, "status"));
	const char *reason = assay_json_str(assay_json_get(o, "reason"));
	const struct assay_json *events = assay_json_get(o, "events");
	int64_t pcr;

	if (!assay_json_get_int(assay_json_get(o, "pcr"), &pcr) || pcr < 0 ||
	    pcr >= ASSAY_PREDICTED_PCRS || !status || !assay_json_is_array(events))
		return bad(err, "a member of \"pcrs\" lacks its number, status or events");
	if (*seen & (1U << pcr))
		return bad(err, "a PCR stands twice in \"pcrs\"");
	*seen |= 1U << pcr;
	struct assay_pcr_values *v = &p->pcr[pcr];
	bool known = false;
	for (unsigned s = 0; s < sizeof(status_names) / sizeof(status_names[0]); s++)
		if (strcmp(status, status_names[s]) == 0) {
			v->status = (enum assay_pcr_status)s;
			known = true;
		}
	if (!known)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "prediction: PCR %d has an unknown status '%s'", (int)pcr, status);
	if (reason && !(v->reason = assay_strdup(reason)))
		return assay_fail_mem(err);
	if (values_in(assay_json_get(root, "banks"), assay_json_get(root, "accepted"), (unsigned)pcr,
		      p->banks, v, err) < 0)
		return -1;
	if (has_value(v->status) != (v->n > 0))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
				  "prediction: PCR %d is '%s', and %s", (int)pcr, status,
				  v->n ? "has a value" : "has none");
	if (assay_json_len(events) > ASSAY_PREDICTION_MAX_EVENTS)
		return bad(err, "too many events");
	for (size_t i = 0; i < assay_json_len(events); i++)
		if (event_in(p, (unsigned)pcr, assay_json_at(events, i), err) < 0)
			return -1;
	return 0;
}

static int phase_in(struct assay_prediction *p, const struct assay_json *o, struct assay_err *err)
{
	const char *name = assay_json_str(assay_json_get(o, "phase"));
	struct assay_phase *ph = &p->phases[p->n_phases];

	if (!name)
		return bad(err, "a phase has no name");
	if (digests_in(assay_json_get(o, "pcr11"), p->banks, &ph->pcr11, err) < 0)
		return -1;
	ph->name = assay_strdup(name);
	if (!ph->name)
		return assay_fail_mem(err);
	p->n_phases++;
	return 0;
}

static int phases_in(struct assay_prediction *p, const struct assay_json *phases, struct assay_err *err)
{
	size_t n = assay_json_len(phases);

	if (!assay_json_is_array(phases) || n == 0 || n > ASSAY_MAX_PHASES)
		return bad(err, "\"phases\" is not a short list");
	p->phases = calloc(n, sizeof(*p->phases));
	if (!p->phases)
		return assay_fail_mem(err);
	for (size_t i = 0; i < n; i++)
		if (phase_in(p, assay_json_at(phases, i), err) < 0)
			return -1;
	return 0;
}

/* "banks" and "accepted" hold the values that were read, and nothing beside them. */
static int count_in(const struct assay_prediction *p, const struct assay_json *banks, bool many,
		    struct assay_err *err)
{
	size_t n = 0;

	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++)
		n += p->pcr[i].n > 0 && (p->pcr[i].n > 1) == many;
	if (!assay_json_is_object(banks) || assay_json_len(banks) != (size_t)__builtin_popcount(p->banks))
		return bad(err, many ? "\"accepted\" has other banks than \"banks\"" :
				       "no bank, or an unknown one");
	for (int b = 0; b < ASSAY_N_BANKS; b++) {
		const struct assay_json *o = assay_json_get(banks, assay_bank_name((enum assay_bank)b));

		if ((p->banks & ASSAY_BANK_BIT(b)) && (!assay_json_is_object(o) || assay_json_len(o) != n))
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
					  "prediction: bank %s holds something that is no PCR of it",
					  assay_bank_name((enum assay_bank)b));
	}
	return 0;
}

/* What is not of the platform is of the image: precompute.c and chain/ name their sources so. */
static int mark_image_events(struct assay_prediction *p, struct assay_err *err)
{
	const char *name = assay_json_str(assay_json_get(p->platform, "name"));
	ASSAY_AUTO_FREE char *source = assay_asprintf("platform %s", name ? name : "");

	if (!source)
		return assay_fail_mem(err);
	for (size_t i = 0; i < p->n; i++)
		p->events[i].image = strcmp(p->events[i].source, source) != 0;
	return 0;
}

int assay_prediction_parse(const struct assay_json *json, struct assay_prediction **ret,
			   struct assay_err *err)
{
	ASSAY_AUTO(assay_prediction) *p = calloc(1, sizeof(*p));
	const char *schema = assay_json_str(assay_json_get(json, "schema"));
	const struct assay_json *banks = assay_json_get(json, "banks");
	const struct assay_json *pcrs = assay_json_get(json, "pcrs");
	const struct assay_json *accepted = assay_json_get(json, "accepted");
	const struct assay_json *phases = assay_json_get(json, "phases");
	uint32_t seen = 0;

	if (!p)
		return assay_fail_mem(err);
	if (!schema)
		return bad(err, "no \"schema\"; is this a prediction?");
	if (strcmp(schema, ASSAY_PREDICTION_SCHEMA) != 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "schema '%s', this is not " ASSAY_PREDICTION_SCHEMA, schema);
	if (!assay_json_is_object(banks) || !assay_json_is_array(pcrs))
		return bad(err, "no \"banks\" or no \"pcrs\"");
	if (!assay_json_is_object(assay_json_get(json, "image")) ||
	    !assay_json_is_object(assay_json_get(json, "platform")))
		return bad(err, "no \"image\" or no \"platform\"");
	for (int b = 0; b < ASSAY_N_BANKS; b++)
		if (assay_json_get(banks, assay_bank_name((enum assay_bank)b)))
			p->banks |= ASSAY_BANK_BIT(b);
	if (p->banks == 0)
		return bad(err, "no bank that is known");
	for (size_t i = 0; i < assay_json_len(pcrs); i++)
		if (pcr_in(p, json, assay_json_at(pcrs, i), &seen, err) < 0)
			return -1;
	if (seen != (1U << ASSAY_PREDICTED_PCRS) - 1)
		return bad(err, "\"pcrs\" does not hold every PCR from 0 to 15");
	if (count_in(p, banks, false, err) < 0 || (accepted && count_in(p, accepted, true, err) < 0))
		return -1;
	if (phases && phases_in(p, phases, err) < 0)
		return -1;
	p->image = assay_json_copy(assay_json_get(json, "image"));
	p->platform = assay_json_copy(assay_json_get(json, "platform"));
	if (!p->image || !p->platform)
		return assay_fail_mem(err);
	if (mark_image_events(p, err) < 0)
		return -1;
	*ret = assay_steal(&p);
	return 0;
}
