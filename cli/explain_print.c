/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/explain.h"

#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "tpm/event.h"

static const char *const row_names[] = {
	[ASSAY_ROW_SAME] = "same",
	[ASSAY_ROW_CHANGED] = "changed",
	[ASSAY_ROW_ONLY_PREDICTED] = "only predicted",
	[ASSAY_ROW_ONLY_LOGGED] = "only logged",
};

/* --- for people --------------------------------------------------------------------------------- */

/* Text out of files, in one line in which nothing steers a terminal; letters of any script stay. */
void assay_cli_print_safe(const char *s)
{
	size_t left = strlen(s);

	while (left > 0) {
		uint32_t c;
		const size_t n = assay_utf8_next(s, left, &c);

		if (n == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0))
			printf("\\x%02x", (unsigned char)*s);
		else if (c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
			printf("\\u{%x}", c);
		else
			fwrite(s, 1, n, stdout);
		if (n > 1 && c < 0xa0) /* C1 in two bytes */
			printf("\\x%02x", (unsigned char)s[1]);
		s += n ? n : 1;
		left -= n ? n : 1;
	}
}

static void print_line(const char *before, const char *words)
{
	printf("%s", before);
	assay_cli_print_safe(words);
	putchar('\n');
}

static const char *short_hex(const struct assay_digests *d, enum assay_bank bank, char *dst)
{
	if (!d || !(d->banks & ASSAY_BANK_BIT(bank)))
		return "-";
	assay_hex(d->d[bank], 8, dst);
	return dst;
}

static int print_row(const struct assay_row *row, enum assay_bank bank, struct assay_err *err)
{
	const uint32_t type = row->real ? row->real->type : row->pred->type;
	const char *name = assay_event_type_name(type);
	ASSAY_AUTO_FREE char *words = row->real ? assay_event_describe(row->real) : NULL;
	char unknown[16], a[ASSAY_HEX_MAX], b[ASSAY_HEX_MAX];

	if (row->real && !words)
		return assay_fail_mem(err);
	if (!name)
		snprintf(unknown, sizeof(unknown), "0x%08x", type);
	printf("  %-14s  %3zu  %-32s  %-16s  ", row_names[row->kind], row->real ? row->n_real : row->n_pred,
	       name ? name : unknown, short_hex(row->real ? &row->real->digests : &row->pred->values[0], bank, a));
	if (words)
		assay_cli_print_safe(words);
	if (!row->real || row->kind == ASSAY_ROW_CHANGED) {
		if (row->kind == ASSAY_ROW_CHANGED)
			printf("\n  %14s  %3s  %32s  %-16s  ", "", "", "expected",
			       short_hex(&row->pred->values[0], bank, b));
		assay_cli_print_safe(row->pred->source);
		if (row->pred->detail) {
			printf(": ");
			assay_cli_print_safe(row->pred->detail);
		}
		if (row->pred->n_values > 1)
			printf(" (one of %zu accepted)", row->pred->n_values);
	}
	putchar('\n');
	return 0;
}

static enum assay_bank shown_bank(const struct assay_cli_explained *a)
{
	const struct assay_comparison *c = &a->e->cells;

	for (size_t i = 0; i < c->n; i++)
		if (c->cells[i].bank == ASSAY_SHA256)
			return ASSAY_SHA256;
	return c->n ? c->cells[0].bank : ASSAY_SHA256;
}

static int print_pcr(const struct assay_cli_explained *a, unsigned pcr, struct assay_err *err)
{
	const struct assay_explained_pcr *p = &a->e->pcr[pcr];
	const bool rows = p->verdict == ASSAY_EXPLAINED_DIFFERS || p->log_disagrees;

	printf("%sPCR %-2u %s; %zu event%s", rows ? "\n" : "", pcr, assay_explained_name(p->verdict), p->events.n,
	       p->events.n == 1 ? "" : "s");
	if (p->events.differing && p->verdict != ASSAY_EXPLAINED_NOT_PREDICTED)
		printf(", %zu not the same", p->events.differing);
	if (p->events.by_place)
		printf(" (too many to look for ones in between: paired by their place)");
	if (p->log_disagrees)
		printf("; the log does not lead to the register");
	if (p->note) {
		printf("; ");
		assay_cli_print_safe(p->note);
	}
	putchar('\n');
	if (!rows)
		return 0;
	for (size_t i = 0; i < p->events.n; i++)
		if (print_row(&p->events.rows[i], shown_bank(a), err) < 0)
			return -1;
	putchar('\n');
	return 0;
}

static void print_choice(const struct assay_cli_explained *a)
{
	const char *name = assay_json_str(assay_json_get(a->p->platform, "name"));

	if (a->m) {
		printf("manifest ");
		assay_cli_print_safe(a->m->name);
		printf(" release %llu, ", (unsigned long long)a->m->release);
	}
	printf("platform ");
	assay_cli_print_safe(name ? name : "without a name");
	if (a->chosen) {
		printf(": %s of ", a->tie ? "the first that agrees best" : "the one that agrees best");
		for (size_t i = 0; i < a->n_choices; i++) {
			printf("%s", i ? ", " : "");
			assay_cli_print_safe(a->choices[i].platform);
			printf(" (%zu of %zu)", a->choices[i].equal, a->choices[i].compared);
		}
		printf("%s; --platform takes another", a->tie ? "; another agrees as well" : "");
	}
	putchar('\n');
}

int assay_cli_explained_print(const struct assay_cli_explained *a, struct assay_err *err)
{
	const struct assay_explanation *e = a->e;

	if (!e->differs)
		printf("no PCR differs: %s\n",
		       e->from_log ? "the log leads to what is predicted" : "registers and log are as predicted");
	for (size_t i = 0; i < e->n_causes; i++)
		print_line(e->causes[i].follows ? "  from that: " : "", e->causes[i].words);
	putchar('\n');
	print_choice(a);
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++)
		if (print_pcr(a, i, err) < 0)
			return -1;
	printf("%zu compared: %zu equal, %zu different; %zu not given, %zu not predicted\n",
	       e->cells.equal + e->cells.different, e->cells.equal, e->cells.different, e->cells.not_given,
	       e->cells.not_predicted);
	return 0;
}

/* --- for programs ------------------------------------------------------------------------------- */

static struct assay_json *row_json(const struct assay_explained_pcr *p, size_t i)
{
	const struct assay_row *row = &p->events.rows[i];
	const uint32_t type = row->real ? row->real->type : row->pred->type;
	const char *name = assay_event_type_name(type);
	struct assay_json *o = assay_json_object();
	char unknown[16];

	snprintf(unknown, sizeof(unknown), "0x%08x", type);
	assay_json_set_str(o, "verdict", row_names[row->kind]);
	assay_json_set_str(o, "type", name ? name : unknown);
	if (row->pred) {
		struct assay_json *expected = assay_json_array();

		for (size_t k = 0; k < row->pred->n_values; k++)
			assay_json_append(expected, assay_json_digests(&row->pred->values[k]));
		assay_json_set_int(o, "predicted", row->n_pred);
		assay_json_set(o, "expected", expected);
		assay_json_set_str(o, "source", row->pred->source);
		if (row->pred->detail)
			assay_json_set_str(o, "detail", row->pred->detail);
	}
	if (row->real) {
		ASSAY_AUTO_FREE char *words = assay_event_describe(row->real);

		assay_json_set_int(o, "logged", row->n_real);
		assay_json_set(o, "actual", assay_json_digests(&row->real->digests));
		assay_json_set(o, "words", words ? assay_json_string(words) : NULL);
	}
	if (p->causes[i])
		assay_json_set_int(o, "cause", p->causes[i]);
	return o;
}

static struct assay_json *pcr_json(const struct assay_explained_pcr *p, unsigned pcr)
{
	struct assay_json *o = assay_json_object();
	struct assay_json *events = assay_json_array();

	for (size_t i = 0; i < p->events.n; i++)
		assay_json_append(events, row_json(p, i));
	assay_json_set_int(o, "pcr", pcr);
	assay_json_set_str(o, "verdict", assay_explained_name(p->verdict));
	if (p->log_disagrees)
		assay_json_set_bool(o, "log_disagrees", true);
	if (p->events.by_place)
		assay_json_set_bool(o, "by_place", true);
	if (p->note)
		assay_json_set_str(o, "note", p->note);
	assay_json_set(o, "events", events);
	return o;
}

static struct assay_json *causes_json(const struct assay_explanation *e)
{
	struct assay_json *causes = assay_json_array();

	for (size_t i = 0; i < e->n_causes; i++) {
		const struct assay_cause *c = &e->causes[i];
		struct assay_json *o = assay_json_object();

		assay_json_set_str(o, "kind", assay_cause_name(c->kind));
		assay_json_set_int(o, "pcr", c->pcr);
		if (c->event)
			assay_json_set_int(o, "event", c->event);
		assay_json_set_bool(o, "follows", c->follows);
		assay_json_set_str(o, "words", c->words);
		assay_json_append(causes, o);
	}
	return causes;
}

struct assay_json *assay_cli_explained_json(const struct assay_cli_explained *a)
{
	struct assay_json *o = assay_json_object();
	struct assay_json *pcrs = assay_json_array();
	const char *name = assay_json_str(assay_json_get(a->p->platform, "name"));

	assay_json_set_str(o, "schema", "assay.explanation/1");
	assay_json_set_bool(o, "differs", a->e->differs);
	assay_json_set_str(o, "platform", name ? name : "");
	assay_json_set_str(o, "registers", a->e->from_log ? "log" : "given");
	if (a->m) {
		struct assay_json *m = assay_json_object();

		assay_json_set_str(m, "name", a->m->name);
		assay_json_set_int(m, "release", a->m->release);
		assay_json_set(o, "manifest", m);
	}
	if (a->chosen) {
		struct assay_json *choices = assay_json_array();

		for (size_t i = 0; i < a->n_choices; i++) {
			struct assay_json *c = assay_json_object();

			assay_json_set_str(c, "platform", a->choices[i].platform);
			assay_json_set_int(c, "equal", a->choices[i].equal);
			assay_json_set_int(c, "compared", a->choices[i].compared);
			assay_json_append(choices, c);
		}
		assay_json_set(o, "choices", choices);
		assay_json_set_bool(o, "tie", a->tie);
	}
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++)
		assay_json_append(pcrs, pcr_json(&a->e->pcr[i], i));
	assay_json_set(o, "causes", causes_json(a->e));
	assay_json_set(o, "pcrs", pcrs);
	assay_json_set_int(o, "equal", a->e->cells.equal);
	assay_json_set_int(o, "different", a->e->cells.different);
	assay_json_set_int(o, "not_given", a->e->cells.not_given);
	assay_json_set_int(o, "not_predicted", a->e->cells.not_predicted);
	return o;
}
