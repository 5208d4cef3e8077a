/* SPDX-License-Identifier: Apache-2.0 */
#include "precompute/align.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/limits.h"
#include "core/text.h"
#include "tpm/event.h"

void assay_alignment_clear(struct assay_alignment *a)
{
	free(a->rows);
	memset(a, 0, sizeof(*a));
}

/* --- names -------------------------------------------------------------------------------------- */

static char *copy_n(const char *s, size_t n)
{
	struct assay_str out = { 0 };

	assay_str_add_n(&out, s, n);
	return assay_str_steal(&out);
}

/*
 * Of an event in words (assay_event_describe()), which is what profiles keep of the platform's events: of a variable
 * all before its value, of a program the last part of its path, of anything else all of it.
 */
static char *name_of_words(const char *words)
{
	static const char *const programs[] = { "application ", "driver ", "runtime driver " };

	if (strncmp(words, "variable ", 9) == 0)
		return copy_n(words, strcspn(words, ":"));
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		if (strncmp(words, programs[i], strlen(programs[i])) != 0)
			continue;
		const char *path = words + strlen(programs[i]);
		const char *size = strstr(path, " (0x");
		const char *file = strstr(path, "/\\");

		path = file ? file + 1 : path;
		return copy_n(path, size && size > path ? (size_t)(size - path) : strlen(path));
	}
	if (strncmp(words, "GPT ", 4) == 0)
		return assay_strdup("GPT");
	return assay_strdup(words);
}

/* "X" of `before"X"after`: what stands between the first quotes and the last; else all of it. */
static char *quoted(const char *words)
{
	const char *from = strchr(words, '"');
	const char *to = from ? strrchr(words, '"') : NULL;

	return from && to > from ? copy_n(from + 1, (size_t)(to - from - 1)) : assay_strdup(words);
}

static bool is_text(uint32_t type)
{
	return type == EV_IPL || type == EV_EVENT_TAG || type == EV_EFI_ACTION || type == EV_ACTION;
}

char *assay_align_name_logged(const struct assay_event *ev)
{
	ASSAY_AUTO_FREE char *words = assay_event_describe(ev);

	if (!words)
		return NULL;
	return is_text(ev->type) ? quoted(words) : name_of_words(words);
}

/* The image's events say in `source` what they are of (precompute/chain/): a file and what of it. */
char *assay_align_name_predicted(const struct assay_pred_event *ev)
{
	const char *detail = ev->detail ? ev->detail : "";
	const char *blank = strrchr(ev->source, ' ');

	if (strncmp(ev->source, "platform ", 9) == 0)
		return is_text(ev->type) ? quoted(detail) : name_of_words(detail);
	if (ev->type == EV_EFI_GPT_EVENT)
		return assay_strdup("GPT");
	if (ev->pcr == 11 && blank)
		return assay_strdup(blank + 1);
	if (ev->pcr == 9)
		return assay_strdup(strncmp(detail, "LOADED_IMAGE", 12) == 0 ? "LOADED_IMAGE::LoadOptions"
									     : "Linux initrd");
	if (ev->type ==
	    EV_EFI_BOOT_SERVICES_APPLICATION) /* the kernel in a UKI is loaded from memory, without a path */
		return assay_strdup(blank && strcmp(blank, " .linux") == 0 ? "" : ev->source);
	if (ev->type == EV_EVENT_TAG && ev->pcr == 5)
		return assay_strdup("loader.conf");
	return quoted(detail);
}

/* --- alignment ---------------------------------------------------------------------------------- */

struct aligner {
	const struct assay_prediction *p;
	const struct assay_eventlog *log;
	unsigned pcr, banks;
	const struct assay_pred_event **pred;
	const struct assay_event **real;
	size_t n_pred, n_real;
	char **pred_names, **real_names; /* of the window; NULL outside */
	size_t from, pred_to, real_to;	 /* the window: what lies between the equal ends */
	struct assay_alignment out;
	struct assay_err *err;
};

static void clear(struct aligner *a)
{
	for (size_t i = 0; a->pred_names && i < a->n_pred; i++)
		free(a->pred_names[i]);
	for (size_t i = 0; a->real_names && i < a->n_real; i++)
		free(a->real_names[i]);
	free(a->pred_names);
	free(a->real_names);
	free(a->pred);
	free(a->real);
	assay_alignment_clear(&a->out);
}

static int collect(struct aligner *a)
{
	a->pred = calloc(a->p->n + 1, sizeof(*a->pred));
	a->real = calloc(a->log->n + 1, sizeof(*a->real));
	if (!a->pred || !a->real)
		return assay_fail_mem(a->err);
	for (size_t i = 0; i < a->p->n; i++)
		if (a->p->events[i].pcr == a->pcr && a->p->events[i].type != EV_NO_ACTION)
			a->pred[a->n_pred++] = &a->p->events[i];
	for (size_t i = 0; i < a->log->n; i++)
		if (a->log->events[i].pcr == a->pcr && a->log->events[i].type != EV_NO_ACTION)
			a->real[a->n_real++] = &a->log->events[i];
	return 0;
}

/* In every bank that both have, and at least one. */
static bool same(const struct aligner *a, const struct assay_pred_event *ev, const struct assay_event *real)
{
	for (size_t i = 0; i < ev->n_values; i++) {
		const struct assay_digests *d = &ev->values[i];
		const unsigned banks = a->banks & d->banks & real->digests.banks;
		bool equal = banks != 0;

		for (unsigned b = 0; b < ASSAY_N_BANKS && equal; b++)
			if (banks & ASSAY_BANK_BIT(b))
				equal = memcmp(d->d[b], real->digests.d[b], assay_bank_size((enum assay_bank)b)) == 0;
		if (equal)
			return true;
	}
	return false;
}

enum { COST_GAP = 2, COST_NAMED = 2, COST_KIND = 3, COST_NEVER = 5 };

/* What it costs that one stands for the other. A gap on either side costs 4 in all. */
static unsigned cost(const struct aligner *a, size_t i, size_t k)
{
	if (same(a, a->pred[i], a->real[k]))
		return 0;
	if (a->pred[i]->type != a->real[k]->type)
		return COST_NEVER;
	return strcasecmp(a->pred_names[i], a->real_names[k]) == 0 ? COST_NAMED : COST_KIND;
}

static int name_window(struct aligner *a)
{
	a->pred_names = calloc(a->n_pred + 1, sizeof(*a->pred_names));
	a->real_names = calloc(a->n_real + 1, sizeof(*a->real_names));
	if (!a->pred_names || !a->real_names)
		return assay_fail_mem(a->err);
	for (size_t i = a->from; i < a->pred_to; i++)
		if (!(a->pred_names[i] = assay_align_name_predicted(a->pred[i])))
			return assay_fail_mem(a->err);
	for (size_t k = a->from; k < a->real_to; k++)
		if (!(a->real_names[k] = assay_align_name_logged(a->real[k])))
			return assay_fail_mem(a->err);
	return 0;
}

/* Index SIZE_MAX: none on that side. */
static void add(struct aligner *a, size_t i, size_t k)
{
	struct assay_row *row = &a->out.rows[a->out.n++];

	*row = (struct assay_row){ .at = a->log->n };
	if (i != SIZE_MAX) {
		row->pred = a->pred[i];
		row->n_pred = i + 1;
	}
	if (k != SIZE_MAX) {
		row->real = a->real[k];
		row->n_real = k + 1;
		row->at = (size_t)(a->real[k] - a->log->events);
	}
	row->kind = i == SIZE_MAX		      ? ASSAY_ROW_ONLY_LOGGED
		    : k == SIZE_MAX		      ? ASSAY_ROW_ONLY_PREDICTED
		    : same(a, a->pred[i], a->real[k]) ? ASSAY_ROW_SAME
						      : ASSAY_ROW_CHANGED;
	a->out.differing += row->kind != ASSAY_ROW_SAME;
}

/* Too many to look at each pair: the n-th stands for the n-th. */
static void by_place(struct aligner *a)
{
	size_t i = a->from, k = a->from;

	a->out.by_place = true;
	while (i < a->pred_to || k < a->real_to) {
		const bool both = i < a->pred_to && k < a->real_to;

		if (both && (a->pred[i]->type == a->real[k]->type || same(a, a->pred[i], a->real[k]))) {
			add(a, i++, k++);
			continue;
		}
		if (i < a->pred_to)
			add(a, i++, SIZE_MAX);
		if (k < a->real_to)
			add(a, SIZE_MAX, k++);
	}
}

/* Edit distance from each place in the window to its end; then the way that costs least, from its start. */
static int window(struct aligner *a)
{
	const size_t rows = a->pred_to - a->from, cols = a->real_to - a->from;

	if (rows && cols > ASSAY_ALIGN_MAX_PAIRS / rows) {
		by_place(a);
		return 0;
	}
	ASSAY_AUTO_FREE uint32_t *d = calloc((rows + 1) * (cols + 1), sizeof(*d));
	ASSAY_AUTO_FREE uint8_t *c = malloc(rows * cols + 1);

	if (!d || !c)
		return assay_fail_mem(a->err);
	if (name_window(a) < 0)
		return -1;
#define D(i, k) d[(i) * (cols + 1) + (k)]
	for (size_t i = rows + 1; i-- > 0;) {
		for (size_t k = cols + 1; k-- > 0;) {
			if (i == rows || k == cols) {
				D(i, k) = (uint32_t)(COST_GAP * (rows - i + cols - k));
				continue;
			}
			const unsigned pair = cost(a, a->from + i, a->from + k);
			uint32_t best = D(i + 1, k) + COST_GAP;

			c[i * cols + k] = (uint8_t)pair;
			if (D(i, k + 1) + COST_GAP < best)
				best = D(i, k + 1) + COST_GAP;
			if (D(i + 1, k + 1) + pair < best)
				best = D(i + 1, k + 1) + pair;
			D(i, k) = best;
		}
	}
	for (size_t i = 0, k = 0; i < rows || k < cols;) {
		/* Of ways that cost the same: pairs first, then what is only predicted. */
		if (i < rows && k < cols && c[i * cols + k] != COST_NEVER &&
		    D(i, k) == D(i + 1, k + 1) + c[i * cols + k]) {
			add(a, a->from + i++, a->from + k++);
		} else if (i < rows && D(i, k) == D(i + 1, k) + COST_GAP) {
			add(a, a->from + i++, SIZE_MAX);
		} else {
			add(a, SIZE_MAX, a->from + k++);
		}
	}
#undef D
	return 0;
}

static int align(struct aligner *a)
{
	if (collect(a) < 0)
		return -1;
	a->out.rows = calloc(a->n_pred + a->n_real + 1, sizeof(*a->out.rows));
	if (!a->out.rows)
		return assay_fail_mem(a->err);
	while (a->from < a->n_pred && a->from < a->n_real && same(a, a->pred[a->from], a->real[a->from]))
		a->from++;
	a->pred_to = a->n_pred;
	a->real_to = a->n_real;
	while (a->pred_to > a->from && a->real_to > a->from &&
	       same(a, a->pred[a->pred_to - 1], a->real[a->real_to - 1])) {
		a->pred_to--;
		a->real_to--;
	}
	for (size_t i = 0; i < a->from; i++)
		add(a, i, i);
	if (window(a) < 0)
		return -1;
	for (size_t i = a->pred_to, k = a->real_to; i < a->n_pred; i++, k++)
		add(a, i, k);
	/* What the log has not stands where the next one of it does. */
	for (size_t i = a->out.n, at = a->log->n; i-- > 0;) {
		if (a->out.rows[i].real)
			at = a->out.rows[i].at;
		else
			a->out.rows[i].at = at;
	}
	return 0;
}

int assay_align(const struct assay_prediction *p, const struct assay_eventlog *log, unsigned pcr, unsigned banks,
		struct assay_alignment *ret, struct assay_err *err)
{
	struct aligner a = { .p = p, .log = log, .pcr = pcr, .banks = banks, .err = err };
	const int rc = align(&a);

	if (rc == 0) {
		*ret = a.out;
		memset(&a.out, 0, sizeof(a.out));
	}
	clear(&a);
	return rc;
}

/* --- words -------------------------------------------------------------------------------------- */

static const char *type_name(uint32_t type)
{
	const char *name = assay_event_type_name(type);

	return name ? name : "an event of unknown type";
}

char *assay_row_change(const struct assay_row *row, enum assay_bank bank)
{
	const struct assay_pred_event *ev = row->pred;
	const struct assay_event *real = row->real;
	char expected[ASSAY_HEX_MAX] = "", actual[ASSAY_HEX_MAX] = "";
	const size_t size = assay_bank_size(bank);
	ASSAY_AUTO_FREE char *words = real ? assay_event_describe(real) : NULL;
	const char *detail = ev && ev->detail ? ev->detail : "";

	if (real && !words)
		return NULL;
	if (ev)
		assay_hex(ev->values[0].d[bank], size, expected);
	if (real)
		assay_hex(real->digests.d[bank], size, actual);
	if (!real)
		return assay_asprintf("missing: predicted %s (%s%s%s), %s", type_name(ev->type), ev->source,
				      *detail ? ": " : "", detail, expected);
	if (!ev)
		return assay_asprintf("one more: the machine measured %s (%s), %s", type_name(real->type), words,
				      actual);
	return assay_asprintf("the machine measured %s (%s), %s; predicted was %s (%s%s%s), %s", type_name(real->type),
			      words, actual, type_name(ev->type), ev->source, *detail ? ": " : "", detail, expected);
}

char *assay_row_words(const struct assay_row *row, enum assay_bank bank)
{
	ASSAY_AUTO_FREE char *change = assay_row_change(row, bank);

	if (!change)
		return NULL;
	return assay_asprintf("event %zu%s %s", row->real ? row->n_real : row->n_pred,
			      row->real && row->pred ? ":" : " is", change);
}
