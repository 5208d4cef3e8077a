/* SPDX-License-Identifier: Apache-2.0 */
/* Which PCRs move, and which change moves them: two predictions for one platform, event by event. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "manifest/diff_priv.h"
#include "tpm/event.h"

#define IMA_PCR 10U

/* An event that the two sides do not have alike. */
struct differing {
	const struct assay_pred_event *a, *b; /* one may be NULL */
};

struct comparison {
	const struct assay_prediction *p[2];
	unsigned banks; /* of both */
	struct differing *d;
	size_t n;
};

static bool same_values(const struct assay_digests *x, size_t n, const struct assay_digests *y, size_t k, unsigned banks)
{
	if (n != k)
		return false;
	for (size_t i = 0; i < n; i++)
		for (int b = 0; b < ASSAY_N_BANKS; b++)
			if (banks & ASSAY_BANK_BIT(b) && memcmp(x[i].d[b], y[i].d[b], assay_bank_size((enum assay_bank)b)) != 0)
				return false;
	return true;
}

/* --- aligning ----------------------------------------------------------------------------------- */

struct list {
	const struct assay_pred_event **e;
	size_t n;
};

static int events_of(const struct assay_prediction *p, unsigned pcr, struct list *ret, struct assay_err *err)
{
	ret->e = calloc(p->n + 1, sizeof(*ret->e));
	ret->n = 0;
	if (!ret->e)
		return assay_fail_mem(err);
	for (size_t i = 0; i < p->n; i++)
		if (p->events[i].pcr == pcr)
			ret->e[ret->n++] = &p->events[i];
	return 0;
}

static bool same_event(const struct assay_pred_event *a, const struct assay_pred_event *b, unsigned banks)
{
	return a->type == b->type && same_values(a->values, a->n_values, b->values, b->n_values, banks);
}

/* Of one place: type and source are the same. A section's name and its content have one source. */
static bool same_place(const struct assay_pred_event *a, const struct assay_pred_event *b)
{
	const char *x = a->detail ? a->detail : "", *y = b->detail ? b->detail : "";

	return a->type == b->type && strcmp(a->source, b->source) == 0 && strncmp(x, y, 16) == 0;
}

static int add_differing(struct comparison *c, const struct assay_pred_event *a, const struct assay_pred_event *b,
			 struct assay_err *err)
{
	struct differing *more = reallocarray(c->d, c->n + 1, sizeof(*more));

	if (!more)
		return assay_fail_mem(err);
	c->d = more;
	c->d[c->n++] = (struct differing){ a, b };
	return 0;
}

/*
 * Between two events that are alike: those of one place are one that changed, the others came or went. Lists of events
 * are short, and those that differ shorter.
 */
static int add_gap(struct comparison *c, const struct list *a, size_t i, size_t i_end, const struct list *b, size_t k,
		   size_t k_end, struct assay_err *err)
{
	for (; i < i_end; i++) {
		size_t m = k;

		while (m < k_end && !same_place(a->e[i], b->e[m]))
			m++;
		if (m == k_end) {
			if (add_differing(c, a->e[i], NULL, err) < 0)
				return -1;
			continue;
		}
		for (; k < m; k++)
			if (add_differing(c, NULL, b->e[k], err) < 0)
				return -1;
		if (add_differing(c, a->e[i], b->e[m], err) < 0)
			return -1;
		k = m + 1;
	}
	for (; k < k_end; k++)
		if (add_differing(c, NULL, b->e[k], err) < 0)
			return -1;
	return 0;
}

/* The longest list of events that both have in this order, in quadratic time behind a common begin and end. */
static int align(struct comparison *c, const struct list *a, const struct list *b, struct assay_err *err)
{
	size_t begin = 0, na = a->n, nb = b->n;

	while (begin < na && begin < nb && same_event(a->e[begin], b->e[begin], c->banks))
		begin++;
	while (na > begin && nb > begin && same_event(a->e[na - 1], b->e[nb - 1], c->banks)) {
		na--;
		nb--;
	}
	const size_t n = na - begin, k = nb - begin;
	if (n == 0 || k == 0 || n > 2048 || k > 2048)
		return add_gap(c, a, begin, na, b, begin, nb, err);
	ASSAY_AUTO_FREE uint16_t *best = calloc((n + 1) * (k + 1), sizeof(*best));
	if (!best)
		return assay_fail_mem(err);
	for (size_t i = n; i-- > 0;)
		for (size_t j = k; j-- > 0;) {
			uint16_t *at = &best[i * (k + 1) + j];

			*at = at[k + 1] > at[1] ? at[k + 1] : at[1];
			if (same_event(a->e[begin + i], b->e[begin + j], c->banks))
				*at = (uint16_t)(at[k + 2] + 1);
		}
	size_t i = 0, j = 0, from_i = 0, from_j = 0;
	while (i < n && j < k) {
		if (same_event(a->e[begin + i], b->e[begin + j], c->banks)) {
			if (add_gap(c, a, begin + from_i, begin + i, b, begin + from_j, begin + j, err) < 0)
				return -1;
			from_i = ++i;
			from_j = ++j;
		} else if (best[(i + 1) * (k + 1) + j] >= best[i * (k + 1) + j + 1]) {
			i++;
		} else {
			j++;
		}
	}
	return add_gap(c, a, begin + from_i, na, b, begin + from_j, nb, err);
}

static int compare_events(struct comparison *c, unsigned pcr, struct assay_err *err)
{
	struct list a = { 0 }, b = { 0 };
	int rc = events_of(c->p[0], pcr, &a, err);

	if (rc == 0)
		rc = events_of(c->p[1], pcr, &b, err);
	if (rc == 0)
		rc = align(c, &a, &b, err);
	free(a.e);
	free(b.e);
	return rc;
}

/* --- whose event is it -------------------------------------------------------------------------- */

/* What of the source is left behind this path; NULL when it is about something else. */
static const char *behind(const char *source, const char *path)
{
	const size_t len = path ? strlen(path) : 0;

	if (len == 0 || strncmp(source, path, len) != 0)
		return NULL;
	return source[len] == '\0' ? source + len : source[len] == ' ' || source[len] == ':' ? source + len + 1 : NULL;
}

static bool has_word(const char *text, const char *word)
{
	const size_t len = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += len)
		if (at[len] == '\0' || at[len] == ' ' || at[len] == ',')
			return true;
	return false;
}

/* systemd-stub packs these sections into archives that it puts behind the initrd. */
static bool is_packed(const char *section)
{
	static const char *const names[] = { ".osrel", ".pcrpkey", ".pcrsig", ".profile" };

	for (size_t i = 0; section && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(section, names[i]) == 0)
			return true;
	return false;
}

static const char made_archives[] = "cpio archives made by";

/* A file beside a UKI, or in loader/, that the stub packs: the source is the folder, or the initrd. */
static bool is_sidecar(const struct assay_diff_cause *cause, const char *path, const char *source)
{
	const size_t len = strlen(source);

	if (!path || cause->section)
		return false;
	if (strncmp(path, source, len) == 0 && path[len] == '\\')
		return true;
	return strstr(source, made_archives) &&
	       (strstr(path, ".extra.d\\") || strncmp(path, "\\loader\\credentials\\", 20) == 0 ||
		strncmp(path, "\\loader\\addons\\", 15) == 0 || strncmp(path, "\\loader\\extensions\\", 19) == 0);
}

static bool ends_in(const char *s, const char *end)
{
	const size_t n = strlen(s), k = strlen(end);

	return n >= k && strcmp(s + n - k, end) == 0;
}

static bool names_path(const struct assay_diff_cause *cause, const char *path, const struct assay_pred_event *e, bool one_sided)
{
	const char *rest = behind(e->source, path);

	if (is_sidecar(cause, path, e->source))
		return true;
	if (!rest)
		return false;
	if (cause->structure && one_sided)
		return true;
	if (*rest == '\0' && e->type == EV_EFI_BOOT_SERVICES_APPLICATION)
		return !cause->not_whole;
	if (*rest == '\0')
		return cause->section ? strcmp(cause->section, ".cmdline") == 0 : !cause->not_whole;
	if (cause->section)
		return has_word(rest, cause->section) || (is_packed(cause->section) && strstr(rest, made_archives));
	return !cause->not_whole && strcmp(rest, "initrd") != 0 && *rest != '.' && *rest != '(';
}

/* "\loader\entries\x.conf: initrd": the files that it names; which, facts do not tell. */
static bool is_entry_initrd(const struct assay_diff_cause *cause, const char *path, const char *source)
{
	return path && !cause->section && !cause->program && !cause->not_whole && ends_in(source, ".conf: initrd") &&
	       (strncmp(path, "\\loader\\", 8) != 0 || behind(source, path));
}

static bool explains(const struct assay_diff_cause *cause, const struct assay_pred_event *e, bool one_sided)
{
	const bool authority = ends_in(e->source, ", db");

	if (cause->gpt && e->type == EV_EFI_GPT_EVENT)
		return true;
	if (strncmp(e->source, "platform ", 9) == 0 && !authority)
		return cause->platform && strcmp(e->source + 9, cause->platform) == 0;
	if (cause->options && (strstr(e->source, ": LoadOptions)") || strstr(e->source, " handed over")))
		return true;
	/* loader.conf, which systemd-boot measures from 257 on: with another kind of program nobody does. */
	if (cause->options && cause->structure && one_sided && strncmp(e->source, "\\loader\\", 8) == 0)
		return true;
	for (int i = 0; i < 2; i++) {
		const char *path = cause->path[i];

		if (names_path(cause, path, e, one_sided) || is_entry_initrd(cause, path, e->source))
			return true;
		if (path && authority && e->detail && !cause->section) {
			ASSAY_AUTO_FREE char *slashes = assay_strdup(path);

			for (char *p = slashes; p && *p; p++)
				if (*p == '\\')
					*p = '/';
			if (ends_in(e->detail, path) || (slashes && ends_in(e->detail, slashes)))
				return true;
		}
	}
	return false;
}

/* --- one platform ------------------------------------------------------------------------------- */

static struct assay_diff_item *item_at(const struct assay_diff_work *w, size_t i)
{
	return (struct assay_diff_item *)w->diff->changes[i];
}

static const struct assay_pred_event *side_of(const struct differing *d, int side)
{
	return side ? d->b : d->a;
}

static bool explained_by(const struct assay_diff_item *item, const struct differing *d)
{
	const bool one_sided = !d->a || !d->b;

	return (d->a && explains(&item->cause, d->a, one_sided)) || (d->b && explains(&item->cause, d->b, one_sided));
}

/* An event that nothing that changed accounts for; IMA's follows from the others. */
static void add_unexplained(struct assay_diff_work *w, const struct differing *d, uint32_t **ret_pcrs)
{
	const struct assay_pred_event *e = d->b ? d->b : d->a;
	const char *state = d->a && d->b ? "" : d->a ? " (no longer)" : " (new)";
	ASSAY_AUTO_FREE char *what = assay_asprintf("PCR %u", e->pcr);
	ASSAY_AUTO_FREE char *text =
		assay_asprintf("%s%s%s%s", e->source, e->detail ? ": " : "", e->detail ? e->detail : "", state);

	/* Once, whatever the number of platforms. */
	for (size_t i = 0; i < w->diff->n; i++) {
		struct assay_diff_item *item = item_at(w, i);

		if (item->cause.other_events && what && text && strcmp(item->change.what, what) == 0 &&
		    strcmp(item->change.text, text) == 0) {
			*ret_pcrs = item->change.pcrs;
			return;
		}
	}
	struct assay_diff_item *item = assay_diff_add(w, ASSAY_DIFF_EVENT, "event", what, text);
	item->cause.other_events = true;
	if (!item->change.pcrs)
		item->change.pcrs = calloc(w->diff->n_platforms, sizeof(uint32_t));
	w->bad = w->bad || !item->change.pcrs;
	*ret_pcrs = item->change.pcrs;
}

static void blame(struct assay_diff_work *w, const struct comparison *c, size_t platform)
{
	const size_t n = w->diff->n;

	for (size_t i = 0; i < c->n; i++) {
		const struct differing *d = &c->d[i];
		const unsigned pcr = d->a ? d->a->pcr : d->b->pcr;
		bool found = false;

		for (size_t k = 0; k < n; k++) {
			struct assay_diff_item *item = item_at(w, k);

			if (item->cause.other_events || !explained_by(item, d))
				continue;
			item->change.pcrs[platform] |= 1U << pcr;
			found = true;
		}
		uint32_t *pcrs = NULL;
		if (!found && pcr != IMA_PCR)
			add_unexplained(w, d, &pcrs);
		if (pcrs)
			pcrs[platform] |= 1U << pcr;
	}
	/* What lies under a root hash moves what the root hash moves. */
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++) {
			const struct assay_diff_item *hash = item_at(w, k);
			struct assay_diff_item *item = item_at(w, i);

			if (hash->cause.root_hash && item->cause.root_hash_of == hash->cause.root_hash)
				item->change.pcrs[platform] |= hash->change.pcrs[platform];
		}
}

/* IMA's boot_aggregate is over PCR 0 to 9: who moves one of these moves it. */
static void blame_ima(struct assay_diff_work *w, const struct comparison *c, size_t platform)
{
	bool differs = false;

	for (size_t i = 0; i < c->n; i++)
		differs = differs || (c->d[i].a ? c->d[i].a : c->d[i].b)->pcr == IMA_PCR;
	for (size_t i = 0; differs && i < w->diff->n; i++) {
		struct assay_diff_item *item = item_at(w, i);

		if (item->change.pcrs && item->change.pcrs[platform] & 0x3ffU)
			item->change.pcrs[platform] |= 1U << IMA_PCR;
	}
}

static int keep_events(const struct comparison *c, struct assay_diff_platform *to, struct assay_err *err)
{
	to->events = calloc(c->n + 1, sizeof(*to->events));
	if (!to->events)
		return assay_fail_mem(err);
	for (size_t i = 0; i < c->n; i++) {
		const struct differing *d = &c->d[i];
		const struct assay_pred_event *e = side_of(d, d->b != NULL);
		struct assay_diff_event *ev = &to->events[i];

		ev->pcr = e->pcr;
		ev->state = d->a && d->b ? "changed" : d->a ? "removed" : "added";
		ev->source = assay_strdup(e->source);
		ev->detail = e->detail ? assay_strdup(e->detail) : NULL;
		to->n_events = i + 1;
		if (!ev->source || (e->detail && !ev->detail))
			return assay_fail_mem(err);
	}
	return 0;
}

/* Without an event that tells why: a locality, a status. */
static void moved_by_nothing(struct assay_diff_work *w, const struct comparison *c, unsigned pcr, size_t platform)
{
	const struct assay_pcr_values *a = &c->p[0]->pcr[pcr], *b = &c->p[1]->pcr[pcr];
	ASSAY_AUTO_FREE char *what = assay_asprintf("PCR %u", pcr);
	ASSAY_AUTO_FREE char *text = NULL;

	for (size_t i = 0; i < w->diff->n; i++)
		if (item_at(w, i)->change.pcrs && item_at(w, i)->change.pcrs[platform] & 1U << pcr)
			return;
	if (!a->n != !b->n)
		text = assay_asprintf("has a value on one side only: %s -> %s%s%s", assay_pcr_status_name(a->status),
				      assay_pcr_status_name(b->status), a->reason || b->reason ? ": " : "",
				      b->reason ? b->reason : a->reason ? a->reason : "");
	else
		text = assay_strdup("another value, by the same events");
	struct assay_diff_item *item = assay_diff_add(w, ASSAY_DIFF_EVENT, "event", what, text);
	item->cause.other_events = true;
	if (!item->change.pcrs)
		item->change.pcrs = calloc(w->diff->n_platforms, sizeof(uint32_t));
	if (item->change.pcrs)
		item->change.pcrs[platform] |= 1U << pcr;
	w->bad = w->bad || !item->change.pcrs;
}

static int compare_platform(struct assay_diff_work *w, struct comparison *c, size_t platform, struct assay_err *err)
{
	struct assay_diff_platform *to = &w->diff->platforms[platform];

	for (unsigned pcr = 0; pcr < ASSAY_PREDICTED_PCRS; pcr++) {
		const struct assay_pcr_values *a = &c->p[0]->pcr[pcr], *b = &c->p[1]->pcr[pcr];

		if (same_values(a->v, a->n, b->v, b->n, c->banks))
			continue;
		to->moved |= 1U << pcr;
		if (compare_events(c, pcr, err) < 0)
			return -1;
	}
	blame(w, c, platform);
	blame_ima(w, c, platform);
	for (unsigned pcr = 0; pcr < ASSAY_PREDICTED_PCRS; pcr++)
		if (to->moved & 1U << pcr)
			moved_by_nothing(w, c, pcr, platform);
	return keep_events(c, to, err);
}

/* --- platforms ---------------------------------------------------------------------------------- */

static const char *name_of(const struct assay_prediction *p)
{
	return assay_diff_str(p->platform, "name");
}

static const struct assay_prediction *of_platform(const struct assay_diff_side *side, const char *name)
{
	for (size_t i = 0; i < side->n_predictions; i++)
		if (strcmp(name_of(side->predictions[i]), name) == 0)
			return side->predictions[i];
	return NULL;
}

static const char *sha256_of(const struct assay_json *o)
{
	return assay_diff_str(assay_json_get(o, "digest"), "sha256");
}

/* ".../OVMF_CODE_4M.fd": where somebody had it does not matter. */
static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void origins(struct assay_diff_work *w, struct assay_diff_item *item, const struct assay_json *a,
		    const struct assay_json *b)
{
	const struct assay_json *x = assay_json_get(a, "firmware"), *y = assay_json_get(b, "firmware");
	static const char *const keys[] = { "probe", "log" };

	for (size_t i = 0; i < assay_json_len(x) || i < assay_json_len(y); i++) {
		const struct assay_json *p = assay_json_at(x, i), *q = assay_json_at(y, i);

		if (!assay_json_equal(assay_json_get(p, "sha256"), assay_json_get(q, "sha256")))
			assay_diff_detail(w, item, "~ firmware %s: sha256 %s -> %s", base_name(assay_diff_str(q ? q : p, "file")),
					  p ? assay_diff_str(p, "sha256") : "none", q ? assay_diff_str(q, "sha256") : "none");
	}
	for (size_t i = 0; i < 2; i++)
		if (!assay_diff_same(assay_json_get(a, keys[i]), assay_json_get(b, keys[i]), "sha256"))
			assay_diff_detail(w, item, "~ %s: sha256 %s -> %s", keys[i],
					  assay_diff_str(assay_json_get(a, keys[i]), "sha256"),
					  assay_diff_str(assay_json_get(b, keys[i]), "sha256"));
}

static void profile(struct assay_diff_work *w, const struct assay_prediction *a, const struct assay_prediction *b)
{
	ASSAY_AUTO_FREE char *what = assay_asprintf("platform %s", name_of(a));
	ASSAY_AUTO_FREE char *text =
		assay_asprintf("another profile: sha256 %.12s... -> %.12s...", sha256_of(a->platform), sha256_of(b->platform));
	struct assay_diff_item *item;

	if (assay_json_equal(a->platform, b->platform))
		return;
	item = assay_diff_add(w, ASSAY_DIFF_PLATFORM, "platform", what, text);
	item->cause.platform = name_of(a);
	origins(w, item, assay_json_get(a->platform, "origin"), assay_json_get(b->platform, "origin"));
}

static void only_one(struct assay_diff_work *w, const char *name, int side)
{
	ASSAY_AUTO_FREE char *text = assay_asprintf("%c %s", side ? '+' : '-', name);

	if (w->sides[0].manifest && w->sides[1].manifest)
		(void)assay_diff_add(w, ASSAY_DIFF_PLATFORM, "platform", "platform", text);
	else
		assay_diff_note(w, "platform %s: only %s has a prediction for it", name, side ? "B" : "A");
}

static void entry(struct assay_diff_work *w, const struct assay_prediction *a, const struct assay_prediction *b)
{
	const char *from = assay_diff_str(a->image, "entry"), *to = assay_diff_str(b->image, "entry");
	ASSAY_AUTO_FREE char *text = assay_asprintf("%s -> %s", *from ? from : "none", *to ? to : "none");
	struct assay_diff_item *item;

	for (size_t i = 0; i < w->diff->n; i++)
		if (strcmp(item_at(w, i)->change.kind, "entry") == 0)
			return;
	if (strcmp(from, to) == 0)
		return;
	item = assay_diff_add(w, ASSAY_DIFF_BOOT, "entry", "what systemd-boot starts", text);
	item->cause.structure = true;
	item->cause.options = true;
	for (int i = 0; i < 2; i++) {
		ASSAY_AUTO_FREE char *uki = assay_asprintf("/EFI/Linux/%s", i ? to : from);

		assay_diff_path(w, item, i, uki ? uki : "");
		w->bad = w->bad || !uki;
	}
}

int assay_diff_pcrs(struct assay_diff_work *w, struct assay_err *err)
{
	const struct assay_diff_side *a = &w->sides[0], *b = &w->sides[1];
	struct assay_diff *diff = w->diff;

	diff->platforms = calloc(a->n_predictions + 1, sizeof(*diff->platforms));
	if (!diff->platforms)
		return assay_fail_mem(err);
	for (size_t i = 0; i < a->n_predictions; i++) {
		const struct assay_prediction *p = a->predictions[i], *q = of_platform(b, name_of(p));

		if (!q) {
			only_one(w, name_of(p), 0);
			continue;
		}
		profile(w, p, q);
		entry(w, p, q);
		diff->platforms[diff->n_platforms].name = assay_strdup(name_of(p));
		if (!diff->platforms[diff->n_platforms++].name)
			return assay_fail_mem(err);
	}
	for (size_t i = 0; i < b->n_predictions; i++)
		if (!of_platform(a, name_of(b->predictions[i])))
			only_one(w, name_of(b->predictions[i]), 1);
	for (size_t i = 0; i < diff->n && diff->n_platforms; i++) {
		diff->changes[i]->pcrs = calloc(diff->n_platforms, sizeof(uint32_t));
		if (!diff->changes[i]->pcrs)
			return assay_fail_mem(err);
	}
	for (size_t i = 0; i < diff->n_platforms; i++) {
		struct comparison c = { .p = { of_platform(a, diff->platforms[i].name), of_platform(b, diff->platforms[i].name) } };

		c.banks = c.p[0]->banks & c.p[1]->banks;
		if (c.p[0]->banks != c.p[1]->banks)
			assay_diff_note(w, "platform %s: banks of both sides only are compared", diff->platforms[i].name);
		const int rc = compare_platform(w, &c, i, err);
		free(c.d);
		if (rc < 0)
			return -1;
		/* The spare one has lent its numbers. */
		if (w->bad)
			return assay_fail_mem(err);
	}
	return 0;
}
