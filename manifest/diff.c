/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/diff.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/limits.h"
#include "core/text.h"
#include "manifest/diff_priv.h"

/* --- building ----------------------------------------------------------------------------------- */

static void free_item(struct assay_diff_item *item)
{
	struct assay_diff_change *c = &item->change;

	free(c->what);
	free(c->text);
	for (size_t i = 0; i < c->n_details; i++)
		free(c->details[i]);
	free(c->details);
	free(c->pcrs);
	for (int i = 0; i < 2; i++)
		free(item->cause.path[i]);
	*item = (struct assay_diff_item){ 0 };
}

void assay_diff_free(struct assay_diff **diffp)
{
	struct assay_diff *d = diffp ? assay_steal(diffp) : NULL;

	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++) {
		free_item((struct assay_diff_item *)d->changes[i]);
		free(d->changes[i]);
	}
	free(d->changes);
	for (size_t i = 0; i < d->n_platforms; i++) {
		struct assay_diff_platform *p = &d->platforms[i];

		for (size_t k = 0; k < p->n_events; k++) {
			free(p->events[k].source);
			free(p->events[k].detail);
		}
		free(p->events);
		free(p->name);
	}
	free(d->platforms);
	for (size_t i = 0; i < d->n_notes; i++)
		free(d->notes[i]);
	free(d->notes);
	free(d);
}

static struct assay_diff_item *spare(struct assay_diff_work *w)
{
	w->bad = true;
	return &w->spare;
}

struct assay_diff_item *assay_diff_add(struct assay_diff_work *w, int rank, const char *kind, const char *what,
				       const char *text)
{
	struct assay_diff *d = w->diff;
	ASSAY_AUTO_FREE struct assay_diff_item *item = calloc(1, sizeof(*item));
	struct assay_diff_change **more = reallocarray(d->changes, d->n + 1, sizeof(struct assay_diff_change *));

	if (more)
		d->changes = more;
	if (!more || !item || !what || !text)
		return spare(w);
	item->change.rank = rank + (w->data_disk ? ASSAY_DIFF_DATA : 0);
	item->change.kind = kind;
	item->change.what = w->data_disk ? assay_asprintf("data disk %s: %s", w->data_disk, what) : assay_strdup(what);
	item->change.text = assay_strdup(text);
	if (!item->change.what || !item->change.text) {
		free_item(item);
		return spare(w);
	}
	d->changes[d->n++] = &item->change;
	return assay_steal(&item);
}

__attribute__((format(printf, 1, 0))) static char *vtext(const char *fmt, va_list ap)
{
	char *s;

	return vasprintf(&s, fmt, ap) < 0 ? NULL : s;
}

void assay_diff_detail(struct assay_diff_work *w, struct assay_diff_item *item, const char *fmt, ...)
{
	struct assay_diff_change *c = &item->change;
	va_list ap;

	if (c->n_details == ASSAY_DIFF_MAX_DETAILS) {
		c->n_more++;
		return;
	}
	char **more = reallocarray(c->details, c->n_details + 1, sizeof(*more));
	if (!more) {
		w->bad = true;
		return;
	}
	c->details = more;
	va_start(ap, fmt);
	more[c->n_details] = vtext(fmt, ap);
	va_end(ap);
	if (more[c->n_details])
		c->n_details++;
	else
		w->bad = true;
}

void assay_diff_note(struct assay_diff_work *w, const char *fmt, ...)
{
	struct assay_diff *d = w->diff;
	char **more = reallocarray(d->notes, d->n_notes + 1, sizeof(*more));
	va_list ap;

	if (!more) {
		w->bad = true;
		return;
	}
	d->notes = more;
	va_start(ap, fmt);
	more[d->n_notes] = vtext(fmt, ap);
	va_end(ap);
	if (more[d->n_notes])
		d->n_notes++;
	else
		w->bad = true;
}

void assay_diff_path(struct assay_diff_work *w, struct assay_diff_item *item, int side, const char *path)
{
	char *copy = assay_strdup(path);

	for (char *p = copy; p && *p; p++)
		if (*p == '/')
			*p = '\\';
	free(item->cause.path[side]);
	item->cause.path[side] = copy;
	w->bad = w->bad || !copy;
}

struct each {
	struct assay_diff_work *w;
	const struct assay_json *other;
	assay_diff_pair_fn *fn;
	void *arg;
	bool second;
};

static int each_key(const char *key, const struct assay_json *value, void *arg)
{
	struct each *e = arg;
	const struct assay_json *other = assay_json_get(e->other, key);

	if (!e->second)
		e->fn(e->w, key, value, other, e->arg);
	else if (!other)
		e->fn(e->w, key, NULL, value, e->arg);
	return 0;
}

void assay_diff_pairs(struct assay_diff_work *w, const struct assay_json *a, const struct assay_json *b,
		      assay_diff_pair_fn *fn, void *arg)
{
	struct each e = { w, b, fn, arg, false };

	if (assay_json_is_object(a))
		(void)assay_json_each(a, each_key, &e);
	e.second = true;
	e.other = a;
	if (assay_json_is_object(b))
		(void)assay_json_each(b, each_key, &e);
}

const char *assay_diff_str(const struct assay_json *o, const char *key)
{
	const char *s = assay_json_str(assay_json_get(o, key));

	return s ? s : "";
}

int64_t assay_diff_int(const struct assay_json *o, const char *key)
{
	int64_t v;

	return assay_json_get_int(assay_json_get(o, key), &v) ? v : -1;
}

bool assay_diff_same(const struct assay_json *a, const struct assay_json *b, const char *key)
{
	const struct assay_json *x = assay_json_get(a, key), *y = assay_json_get(b, key);

	return x || y ? assay_json_equal(x, y) : true;
}

const struct assay_json *assay_diff_find(const struct assay_json *list, const char *key, const char *value)
{
	for (size_t i = 0; i < assay_json_len(list); i++)
		if (strcmp(assay_diff_str(assay_json_at(list, i), key), value) == 0)
			return assay_json_at(list, i);
	return NULL;
}

/* --- manifests ---------------------------------------------------------------------------------- */

static void arrow(struct assay_diff_work *w, const char *what, const char *from, const char *to)
{
	ASSAY_AUTO_FREE char *text = assay_asprintf("%s -> %s", from, to);

	if (strcmp(from, to) != 0)
		(void)assay_diff_add(w, ASSAY_DIFF_MANIFEST, "manifest", what, text);
}

static void manifests(struct assay_diff_work *w, const struct assay_manifest *a, const struct assay_manifest *b)
{
	char from[2][ASSAY_CLOCK_TEXT], until[2][ASSAY_CLOCK_TEXT];
	char release[2][24];
	const struct assay_manifest *m[2] = { a, b };

	for (int i = 0; i < 2; i++) {
		snprintf(release[i], sizeof(release[i]), "%" PRIu64, m[i]->release);
		assay_clock_text(m[i]->not_before, from[i]);
		assay_clock_text(m[i]->expires, until[i]);
	}
	arrow(w, "name", a->name, b->name);
	arrow(w, "release", release[0], release[1]);
	arrow(w, "valid from", from[0], from[1]);
	arrow(w, "expires", until[0], until[1]);
	arrow(w, "made by", assay_diff_str(assay_json_get(a->predicate, "tool"), "version"),
	      assay_diff_str(assay_json_get(b->predicate, "tool"), "version"));
	if (!assay_diff_same(a->predicate, b->predicate, "options"))
		(void)assay_diff_add(w, ASSAY_DIFF_MANIFEST, "manifest", "options of the prediction", "others");
}

/* --- facts that nothing above speaks of --------------------------------------------------------- */

struct leaves {
	struct assay_diff_item *item;
	char *path;
	unsigned depth;
};

static void any_leaf(struct assay_diff_work *w, const char *path, const struct assay_json *a, const struct assay_json *b,
		     struct assay_diff_item *item, unsigned depth);

static void member(struct assay_diff_work *w, const char *key, const struct assay_json *a, const struct assay_json *b,
		   void *arg)
{
	struct leaves *l = arg;
	ASSAY_AUTO_FREE char *path = assay_asprintf("%s%s%s", l->path, *l->path ? "." : "", key);

	if (path)
		any_leaf(w, path, a, b, l->item, l->depth + 1);
	else
		w->bad = true;
}

static char *leaf_text(const struct assay_json *v)
{
	ASSAY_AUTO_FREE char *text = NULL;
	size_t len;

	if (!v)
		return assay_strdup("nothing");
	if (assay_json_dump(v, &text, &len, NULL) < 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return assay_steal(&text);
}

/* JSON that was read is at most ASSAY_JSON_MAX_DEPTH deep, and facts less. */
static void any_leaf(struct assay_diff_work *w, const char *path, const struct assay_json *a, const struct assay_json *b,
		     struct assay_diff_item *item, unsigned depth)
{
	if (assay_json_equal(a, b) || depth > ASSAY_JSON_MAX_DEPTH)
		return;
	if (assay_json_is_object(a) && assay_json_is_object(b)) {
		struct leaves l = { item, (char *)path, depth };

		assay_diff_pairs(w, a, b, member, &l);
		return;
	}
	if (assay_json_is_array(a) && assay_json_is_array(b) && assay_json_len(a) == assay_json_len(b)) {
		for (size_t i = 0; i < assay_json_len(a); i++) {
			ASSAY_AUTO_FREE char *at = assay_asprintf("%s[%zu]", path, i);

			if (at)
				any_leaf(w, at, assay_json_at(a, i), assay_json_at(b, i), item, depth + 1);
			else
				w->bad = true;
		}
		return;
	}
	ASSAY_AUTO_FREE char *x = leaf_text(a), *y = leaf_text(b);
	if (x && y)
		assay_diff_detail(w, item, "%s: %s -> %s", path, x, y);
	else
		w->bad = true;
}

/* Of the disk as a whole: its name, what it was packed in, its digest; what lies where; what was told already. */
static struct assay_json *without_whole(const struct assay_json *facts)
{
	static const char *const left_out[] = { "image", "regions" };
	struct assay_json *o = assay_json_copy(facts);

	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		assay_json_remove(o, left_out[i]);
	struct assay_json *gpt = assay_json_copy(assay_json_get(o, "gpt"));
	if (gpt) {
		struct assay_json *list = assay_json_array();
		const struct assay_json *parts = assay_json_get(gpt, "partitions");

		/* A disk that is measured for this may have them, or not. */
		for (size_t i = 0; i < assay_json_len(parts); i++) {
			struct assay_json *p = assay_json_copy(assay_json_at(parts, i));

			assay_json_remove(p, "digest");
			assay_json_append(list, p);
		}
		assay_json_set(gpt, "partitions", list);
		assay_json_set(o, "gpt", gpt);
	}
	return o;
}

static int other_facts(struct assay_diff_work *w, const struct assay_json *a, const struct assay_json *b,
		       struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *x = without_whole(a);
	ASSAY_AUTO(assay_json) *y = without_whole(b);

	if (!x || !y)
		return assay_fail_mem(err);
	if (assay_json_equal(x, y))
		return 0;
	struct assay_diff_item *item = assay_diff_add(w, ASSAY_DIFF_OTHER_FACTS, "facts", "facts", "these differ");
	any_leaf(w, "", x, y, item, 0);
	return 0;
}

/* --- the whole ---------------------------------------------------------------------------------- */

/* What nothing was found for above is looked at once more, fact by fact, and then byte by byte. */
static int compare_facts(struct assay_diff_work *w, const struct assay_json *a, const struct assay_json *b,
			 struct assay_src *const disks[2], struct assay_err *err)
{
	const size_t before = w->diff->n;

	if (assay_json_equal(a, b))
		return 0;
	assay_diff_boot(w, a, b);
	if (assay_diff_disk(w, a, b, disks, err) < 0)
		return -1;
	if (w->diff->n == before && other_facts(w, a, b, err) < 0)
		return -1;
	return w->diff->n == before ? assay_diff_bytes(w, a, b, disks, err) : 0;
}

static int compare_os(struct assay_diff_work *w, struct assay_err *err)
{
	struct assay_src *const disks[2] = { w->sides[0].disk, w->sides[1].disk };

	return compare_facts(w, w->sides[0].facts, w->sides[1].facts, disks, err);
}

/* --- data disks --------------------------------------------------------------------------------- */

static const char *disk_name(const struct assay_json *facts)
{
	return assay_diff_str(assay_json_get(facts, "image"), "name");
}

static const struct assay_json *by_name(const struct assay_json *data, const char *name)
{
	for (size_t i = 0; i < assay_json_len(data); i++)
		if (strcmp(disk_name(assay_json_at(data, i)), name) == 0)
			return assay_json_at(data, i);
	return NULL;
}

static int compare_data(struct assay_diff_work *w, const struct assay_json *a, const struct assay_json *b,
			struct assay_err *err)
{
	/* Two disks that are nothing else: they have no other name than their files'. */
	const bool alone = !w->sides[0].facts && !w->sides[1].facts;
	struct assay_src *const disks[2] = { alone ? w->sides[0].disk : NULL, alone ? w->sides[1].disk : NULL };

	const size_t before = w->diff->n;
	w->data_disk = alone ? NULL : disk_name(b);
	const int rc = compare_facts(w, a, b, disks, err);
	w->data_disk = NULL;
	/* No boot stage measures any of it. */
	for (size_t i = before; i < w->diff->n; i++) {
		struct assay_diff_cause *cause = &((struct assay_diff_item *)w->diff->changes[i])->cause;

		for (int k = 0; k < 2; k++)
			free(cause->path[k]);
		*cause = (struct assay_diff_cause){ 0 };
	}
	return rc;
}

static int data_disks(struct assay_diff_work *w, struct assay_err *err)
{
	const struct assay_json *a = w->sides[0].data, *b = w->sides[1].data;

	if (!a || !b) {
		if (assay_json_len(a) + assay_json_len(b) > 0)
			assay_diff_note(w, "data disks: only %s tells of any (%zu), they are not compared", a ? "A" : "B",
					assay_json_len(a) + assay_json_len(b));
		return 0;
	}
	if (assay_json_len(a) == 1 && assay_json_len(b) == 1 && !w->sides[0].facts && !w->sides[1].facts)
		return compare_data(w, assay_json_at(a, 0), assay_json_at(b, 0), err);
	for (size_t i = 0; i < assay_json_len(a); i++) {
		const struct assay_json *x = assay_json_at(a, i), *y = by_name(b, disk_name(x));

		ASSAY_AUTO_FREE char *text = assay_asprintf("- %s", disk_name(x));

		if (!y)
			(void)assay_diff_add(w, ASSAY_DIFF_DATA, "data disk", "data disk", text);
		else if (compare_data(w, x, y, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < assay_json_len(b); i++) {
		const char *name = disk_name(assay_json_at(b, i));
		ASSAY_AUTO_FREE char *text = assay_asprintf("+ %s", name);

		if (!by_name(a, name))
			(void)assay_diff_add(w, ASSAY_DIFF_DATA, "data disk", "data disk", text);
	}
	return 0;
}

/* --- in order ---------------------------------------------------------------------------------- */

static int compare_ranks(const void *a, const void *b)
{
	const struct assay_diff_change *x = *(struct assay_diff_change *const *)a;
	const struct assay_diff_change *y = *(struct assay_diff_change *const *)b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	const int what = strcmp(x->what, y->what);
	return what ? what : strcmp(x->text, y->text);
}

static int run(struct assay_diff_work *w, struct assay_err *err)
{
	const struct assay_diff_side *a = &w->sides[0], *b = &w->sides[1];

	if (!a->facts != !b->facts)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%s is a disk that nothing boots from, the other is not", a->facts ? "B" : "A");
	if ((a->facts && compare_os(w, err) < 0) || data_disks(w, err) < 0 || assay_diff_pcrs(w, err) < 0)
		return -1;
	if (a->manifest && b->manifest)
		manifests(w, a->manifest, b->manifest);
	if (w->bad)
		return assay_fail_mem(err);
	if (w->diff->n > 1)
		qsort(w->diff->changes, w->diff->n, sizeof(struct assay_diff_change *), compare_ranks);
	return 0;
}

int assay_diff_make(const struct assay_diff_side sides[2], struct assay_diff **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_diff) *diff = calloc(1, sizeof(*diff));
	struct assay_diff_work w = { .sides = sides, .diff = diff };

	if (!diff)
		return assay_fail_mem(err);
	const int rc = run(&w, err);
	free_item(&w.spare);
	if (rc < 0)
		return -1;
	*ret = assay_steal(&diff);
	return 0;
}

/* --- JSON --------------------------------------------------------------------------------------- */

static struct assay_json *pcrs_json(uint32_t mask)
{
	struct assay_json *list = assay_json_array();

	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++)
		if (mask & 1U << i)
			assay_json_append(list, assay_json_int(i));
	return list;
}

static struct assay_json *change_json(const struct assay_diff *d, const struct assay_diff_change *c)
{
	struct assay_json *o = assay_json_object();
	struct assay_json *details = assay_json_array();
	struct assay_json *pcrs = assay_json_object();

	assay_json_set_str(o, "kind", c->kind);
	assay_json_set_str(o, "what", c->what);
	assay_json_set_str(o, "text", c->text);
	for (size_t i = 0; i < c->n_details; i++)
		assay_json_append(details, assay_json_string(c->details[i]));
	assay_json_set(o, "details", details);
	assay_json_set_int(o, "more", c->n_more);
	for (size_t i = 0; i < d->n_platforms; i++)
		assay_json_set(pcrs, d->platforms[i].name, pcrs_json(c->pcrs ? c->pcrs[i] : 0));
	assay_json_set(o, "pcrs", pcrs);
	return o;
}

static struct assay_json *platform_json(const struct assay_diff_platform *p)
{
	struct assay_json *o = assay_json_object();
	struct assay_json *events = assay_json_array();

	assay_json_set_str(o, "name", p->name);
	assay_json_set(o, "moved", pcrs_json(p->moved));
	for (size_t i = 0; i < p->n_events; i++) {
		struct assay_json *e = assay_json_object();

		assay_json_set_int(e, "pcr", p->events[i].pcr);
		assay_json_set_str(e, "state", p->events[i].state);
		assay_json_set_str(e, "source", p->events[i].source);
		if (p->events[i].detail)
			assay_json_set_str(e, "detail", p->events[i].detail);
		assay_json_append(events, e);
	}
	assay_json_set(o, "events", events);
	return o;
}

struct assay_json *assay_diff_json(const struct assay_diff *d)
{
	struct assay_json *o = assay_json_object();
	struct assay_json *changes = assay_json_array();
	struct assay_json *platforms = assay_json_array();
	struct assay_json *notes = assay_json_array();

	assay_json_set_str(o, "schema", ASSAY_DIFF_SCHEMA);
	assay_json_set_bool(o, "same", d->n == 0);
	for (size_t i = 0; i < d->n; i++)
		assay_json_append(changes, change_json(d, d->changes[i]));
	assay_json_set(o, "changes", changes);
	for (size_t i = 0; i < d->n_platforms; i++)
		assay_json_append(platforms, platform_json(&d->platforms[i]));
	assay_json_set(o, "platforms", platforms);
	for (size_t i = 0; i < d->n_notes; i++)
		assay_json_append(notes, assay_json_string(d->notes[i]));
	assay_json_set(o, "notes", notes);
	return o;
}
