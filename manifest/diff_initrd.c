/* SPDX-License-Identifier: Apache-2.0 */
/* Two initrds by what is in them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "manifest/diff_priv.h"
#include "measure/initrd/modules.h"

/* --- names as paths ----------------------------------------------------------------------------- */

struct flat {
	struct assay_json *out; /* path to what it is */
	const char *release;	/* the one folder of lib/modules; its name becomes "*" in paths; or NULL */
	size_t release_len;
	const char *dir;
};

/* The release of the only folder in lib/modules; NULL when there are none or several. */
struct releases {
	const char *p;
	size_t len;
	bool several;
};

static int find_release(const char *dir, const struct assay_json *value, void *arg)
{
	struct releases *r = arg;
	ASSAY_AUTO_FREE char *probe = assay_asprintf("%s/x.ko", dir);
	const char *release;
	size_t len;

	(void)value;
	if (!probe || !assay_module_path(probe, &release, &len))
		return 0;
	release = dir + (release - probe);
	r->several = r->several || (r->p && (r->len != len || memcmp(r->p, release, len) != 0));
	r->p = release;
	r->len = len;
	return 0;
}

static struct releases release_of(const struct assay_json *names)
{
	struct releases r = { 0 };

	(void)assay_json_each(names, find_release, &r);
	return r.several ? (struct releases){ 0 } : r;
}

static int flatten_name(const char *name, const struct assay_json *value, void *arg)
{
	struct flat *f = arg;
	const bool top = strcmp(f->dir, ".") == 0, self = strcmp(name, ".") == 0;
	struct assay_str path = { 0 };
	ASSAY_AUTO_FREE char *text = NULL;
	const char *at = f->release ? f->release : NULL;

	if (!top && at) {
		/* "usr/lib/modules/6.12.0/kernel" without the release, which is another one on the other side. */
		const char *found = strstr(f->dir, "lib/modules/");

		found = found ? found + strlen("lib/modules/") : NULL;
		if (found && strncmp(found, at, f->release_len) == 0 &&
		    (found[f->release_len] == '/' || found[f->release_len] == '\0'))
			assay_str_add(&path, "%.*s*%s", (int)(found - f->dir), f->dir, found + f->release_len);
		else
			assay_str_add(&path, "%s", f->dir);
	} else if (!top) {
		assay_str_add(&path, "%s", f->dir);
	}
	if (!self)
		assay_str_add(&path, "%s%s", path.len ? "/" : "", name);
	else if (top)
		assay_str_add(&path, ".");
	text = assay_str_steal(&path);
	if (text)
		assay_json_set(f->out, text, assay_json_copy(value));
	else
		assay_json_set(f->out, "", NULL);
	return 0;
}

static int flatten_folder(const char *dir, const struct assay_json *value, void *arg)
{
	struct flat *f = arg;

	f->dir = dir;
	/* A folder that is as usual says nothing of itself. */
	if (!assay_json_get(value, ".") && strcmp(dir, ".") != 0) {
		struct assay_json *usual = assay_json_string("dir");

		(void)flatten_name(".", usual, f);
		assay_json_free(&usual);
	}
	return assay_json_each(value, flatten_name, f);
}

/* --- files -------------------------------------------------------------------------------------- */

struct counts {
	size_t changed, added, removed;
	struct assay_diff_item *item;
};

static const char *last_word(const char *s)
{
	const char *blank = strrchr(s, ' ');

	return blank ? blank + 1 : s;
}

static void one_file(struct assay_diff_work *w, const char *path, const struct assay_json *a,
		     const struct assay_json *b, void *arg)
{
	const char *x = assay_json_str(a) ? assay_json_str(a) : "", *y = assay_json_str(b) ? assay_json_str(b) : "";
	struct counts *c = arg;

	if (a && b) {
		if (strcmp(x, y) == 0)
			return;
		c->changed++;
		/* Two digests are no news to people; what else is told, is. */
		if (strcmp(x, last_word(x)) == 0 && strcmp(y, last_word(y)) == 0)
			assay_diff_detail(w, c->item, "~ %s", path);
		else if (strcmp(last_word(x), last_word(y)) != 0 && strlen(last_word(x)) == 64 && strlen(last_word(y)) == 64)
			assay_diff_detail(w, c->item, "~ %s: %.*s-> %.*sother content", path, (int)(last_word(x) - x), x,
					  (int)(last_word(y) - y), y);
		else
			assay_diff_detail(w, c->item, "~ %s: %s -> %s", path, x, y);
	} else {
		c->added += !a;
		c->removed += !b;
		assay_diff_detail(w, c->item, "%c %s", a ? '-' : '+', path);
	}
}

/* --- modules ------------------------------------------------------------------------------------ */

struct modules {
	struct assay_json *names; /* "virtio_gpu" to true */
};

static int find_module(const char *path, const struct assay_json *value, void *arg)
{
	struct modules *m = arg;
	const char *base = strrchr(path, '/'), *release;
	size_t len;

	(void)value;
	if (!base || !assay_module_path(path, &release, &len))
		return 0;
	ASSAY_AUTO_FREE char *name = strndup(base + 1, (size_t)(strstr(base, ".ko") - base - 1));
	assay_json_set(m->names, name ? name : "", name ? assay_json_bool(true) : NULL);
	return 0;
}

struct module_words {
	struct assay_str plus, minus;
	size_t n_plus, n_minus;
};

static void one_module(struct assay_diff_work *w, const char *name, const struct assay_json *a,
		       const struct assay_json *b, void *arg)
{
	struct module_words *m = arg;

	(void)w;
	if (a && b)
		return;
	size_t *n = a ? &m->n_minus : &m->n_plus;
	struct assay_str *s = a ? &m->minus : &m->plus;
	/* Some names in the line; all are among the files. */
	if ((*n)++ < 4)
		assay_str_add(s, "%s%s", *n > 1 ? ", " : "", name);
	else if (*n == 5)
		assay_str_add(s, ", ...");
}

static void module_text(struct assay_diff_work *w, const struct assay_json *const files[2], struct assay_str *text)
{
	struct modules m[2] = { { assay_json_object() }, { assay_json_object() } };
	struct module_words words = { 0 };

	for (int i = 0; i < 2; i++)
		(void)assay_json_each(files[i], find_module, &m[i]);
	assay_diff_pairs(w, m[0].names, m[1].names, one_module, &words);
	if (words.n_plus)
		assay_str_add(text, "%s+%zu module%s (%s)", text->len ? ", " : "", words.n_plus, words.n_plus > 1 ? "s" : "",
			      words.plus.p ? words.plus.p : "");
	if (words.n_minus)
		assay_str_add(text, "%s-%zu module%s (%s)", text->len ? ", " : "", words.n_minus,
			      words.n_minus > 1 ? "s" : "", words.minus.p ? words.minus.p : "");
	assay_str_clear(&words.plus);
	assay_str_clear(&words.minus);
	for (int i = 0; i < 2; i++)
		assay_json_free(&m[i].names);
}

/* --- the whole ---------------------------------------------------------------------------------- */

static void by_names(struct assay_diff_work *w, struct assay_diff_item *item, const struct assay_json *names[2],
		     struct assay_str *text)
{
	struct releases r[2] = { release_of(names[0]), release_of(names[1]) };
	const bool other = r[0].p && r[1].p && (r[0].len != r[1].len || memcmp(r[0].p, r[1].p, r[0].len) != 0);
	struct assay_json *files[2] = { assay_json_object(), assay_json_object() };
	struct counts c = { .item = item };

	for (int i = 0; i < 2; i++) {
		struct flat f = { .out = files[i], .release = other ? r[i].p : NULL, .release_len = r[i].len };

		(void)assay_json_each(names[i], flatten_folder, &f);
	}
	assay_diff_pairs(w, files[0], files[1], one_file, &c);
	if (c.changed)
		assay_str_add(text, "%zu file%s changed", c.changed, c.changed > 1 ? "s" : "");
	if (c.added || c.removed) {
		assay_str_add(text, "%s", text->len ? ", " : "");
		if (c.added)
			assay_str_add(text, "+%zu", c.added);
		if (c.removed)
			assay_str_add(text, "%s-%zu", c.added ? " " : "", c.removed);
		assay_str_add(text, " file%s", c.added + c.removed > 1 ? "s" : "");
	}
	module_text(w, (const struct assay_json *const[]){ files[0], files[1] }, text);
	if (other)
		assay_str_add(text, "%smodules of %.*s -> %.*s", text->len ? ", " : "", (int)r[0].len, r[0].p, (int)r[1].len,
			      r[1].p);
	for (int i = 0; i < 2; i++)
		assay_json_free(&files[i]);
}

static char *packing_of(const struct assay_json *initrd)
{
	const struct assay_json *list = assay_json_get(initrd, "archives");
	struct assay_str s = { 0 };

	for (size_t i = 0; i < assay_json_len(list) && i < 8; i++)
		assay_str_add(&s, "%s%s", i ? "+" : "", assay_diff_str(assay_json_at(list, i), "compression"));
	return assay_str_steal(&s);
}

static void by_counts(const struct assay_json *a, const struct assay_json *b, struct assay_str *text)
{
	const struct assay_json *x = assay_json_get(a, "tree"), *y = assay_json_get(b, "tree");

	if (!x || !y) {
		assay_str_add(text, "other bytes; %s: %s", x ? "B cannot be unpacked" : "A cannot be unpacked",
			      assay_diff_str(x ? b : a, "error"));
		return;
	}
	assay_str_add(text, "other files, %" PRId64 " -> %" PRId64 " names; which, is not in %s (%s)",
		      assay_diff_int(x, "files"), assay_diff_int(y, "files"), assay_json_get(a, "names") ? "B" : "A",
		      assay_diff_str(assay_json_get(a, "names") ? b : a, "names_left_out"));
}

void assay_diff_initrd(struct assay_diff_work *w, const char *what, const struct assay_json *a,
		       const struct assay_json *b, struct assay_diff_item **ret)
{
	const struct assay_json *names[2] = { assay_json_get(a, "names"), assay_json_get(b, "names") };
	const struct assay_json *x = assay_json_get(a, "tree"), *y = assay_json_get(b, "tree");
	struct assay_diff_item *item = assay_diff_add(w, ASSAY_DIFF_INITRD, "initrd", what, "");
	struct assay_str text = { 0 };

	if (x && y && assay_diff_same(x, y, "sha256")) {
		ASSAY_AUTO_FREE char *from = packing_of(a), *to = packing_of(b);

		if (!from || !to)
			w->bad = true;
		else if (strcmp(from, to) != 0)
			assay_str_add(&text, "the same files, packed otherwise: %s -> %s", from, to);
		else if (!assay_diff_same(a, b, "bootconfig"))
			assay_str_add(&text, "the same files, another bootconfig");
		else
			assay_str_add(&text, "the same files, packed otherwise or with other times");
	} else if (names[0] && names[1]) {
		by_names(w, item, names, &text);
	} else {
		by_counts(a, b, &text);
	}
	free(item->change.text);
	item->change.text = assay_str_steal(&text);
	w->bad = w->bad || !item->change.text;
	*ret = item;
}
