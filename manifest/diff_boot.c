/* SPDX-License-Identifier: Apache-2.0 */
/* What changed on the ESP: programs and their sections, files. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "manifest/diff_priv.h"

/* The two sides of one program. */
struct pair {
	const struct assay_json *p[2];
	const char *path[2];
	char of[300];	/* " of \EFI\Linux\x.efi" when it is not what boots, else "" */
	bool explained; /* something in it was told */
};

static struct assay_diff_item *add(struct assay_diff_work *w, struct pair *pair, int rank, const char *kind,
				   const char *what, const char *text, const char *section)
{
	ASSAY_AUTO_FREE char *full = assay_asprintf("%s%s", what, pair->of);
	struct assay_diff_item *item = assay_diff_add(w, rank, kind, full, text);

	item->cause.section = section;
	for (int i = 0; i < 2; i++)
		assay_diff_path(w, item, i, pair->path[i]);
	item->cause.program = true;
	pair->explained = true;
	return item;
}

/* --- sections ----------------------------------------------------------------------------------- */

/* The k-th section of this name: profiles repeat them. */
static const struct assay_json *section_of(const struct assay_json *program, const char *name, size_t k)
{
	const struct assay_json *list = assay_json_get(program, "sections");

	for (size_t i = 0; i < assay_json_len(list); i++)
		if (strcmp(assay_diff_str(assay_json_at(list, i), "name"), name) == 0 && k-- == 0)
			return assay_json_at(list, i);
	return NULL;
}

static bool section_differs(const struct pair *pair, const char *name, size_t k, bool *ret_here)
{
	const struct assay_json *a = section_of(pair->p[0], name, k), *b = section_of(pair->p[1], name, k);

	*ret_here = a || b;
	return !a != !b || !assay_diff_same(a, b, "digests");
}

/* --- command lines ------------------------------------------------------------------------------ */

struct words {
	struct {
		const char *p;
		size_t len;
		bool met;
	} w[1024]; /* ASSAY_CMDLINE_MAX bytes have no more; longer ones are not split */
	size_t n;
	bool whole; /* all of it */
};

static void split(const char *text, struct words *ret)
{
	ret->n = 0;
	ret->whole = true;
	while (*text) {
		const char *begin = text;
		bool quoted = false;

		for (; *text && (quoted || (*text != ' ' && *text != '\t' && *text != '\n')); text++)
			quoted ^= *text == '"';
		if (text > begin) {
			if (ret->n == sizeof(ret->w) / sizeof(ret->w[0])) {
				ret->whole = false;
				return;
			}
			ret->w[ret->n].p = begin;
			ret->w[ret->n].met = false;
			ret->w[ret->n++].len = (size_t)(text - begin);
		}
		text += *text != '\0';
	}
}

static bool is_key(const char *p, size_t len, const char *key)
{
	return len > strlen(key) && strncmp(p, key, strlen(key)) == 0;
}

/* A root hash that changed is a change of its own, which says more than the words. */
static bool told_elsewhere(const char *p, size_t len)
{
	return is_key(p, len, "roothash=") || is_key(p, len, "usrhash=");
}

static void add_words(struct assay_str *s, const struct words *w, char sign, bool hashes)
{
	for (size_t i = 0; i < w->n; i++)
		if (!w->w[i].met && (hashes || !told_elsewhere(w->w[i].p, w->w[i].len)))
			assay_str_add(s, "%s%c%.*s", s->len ? " " : "", sign, (int)w->w[i].len, w->w[i].p);
}

/* "+quiet -panic=-1"; "" when the words are the same but for root hashes, unless `hashes`. Fresh memory. */
static char *compare_words(const char *a, const char *b, bool hashes, bool *ret_same)
{
	ASSAY_AUTO_FREE struct words *x = calloc(2, sizeof(*x));
	struct assay_str s = { 0 };

	if (!x)
		return NULL;
	split(a, &x[0]);
	split(b, &x[1]);
	*ret_same = x[0].n == x[1].n;
	for (size_t i = 0; i < x[0].n; i++) {
		for (size_t k = 0; k < x[1].n && !x[0].w[i].met; k++)
			if (!x[1].w[k].met && x[0].w[i].len == x[1].w[k].len &&
			    memcmp(x[0].w[i].p, x[1].w[k].p, x[0].w[i].len) == 0)
				x[0].w[i].met = x[1].w[k].met = true;
		*ret_same = *ret_same && x[0].w[i].met;
	}
	if (!x[0].whole || !x[1].whole) {
		*ret_same = false;
		assay_str_add(&s, "too long to be compared word by word");
	}
	add_words(&s, &x[1], '+', hashes);
	add_words(&s, &x[0], '-', hashes);
	return assay_str_steal(&s);
}

/* Does a pair of partitions take its root hash from this program? */
static bool has_verity(const struct assay_diff_work *w, const struct pair *pair)
{
	bool found[2] = { false, false };

	for (int i = 0; i < 2; i++) {
		const struct assay_json *list = assay_json_get(w->sides[i].facts, "verity");

		for (size_t k = 0; k < assay_json_len(list); k++)
			found[i] |= strcmp(assay_diff_str(assay_json_at(list, k), "source"), pair->path[i]) == 0 &&
				    assay_diff_int(assay_json_at(list, k), "partition") > 0;
	}
	return found[0] && found[1];
}

static void cmdline(struct assay_diff_work *w, struct pair *pair)
{
	const char *a = assay_diff_str(pair->p[0], "cmdline"), *b = assay_diff_str(pair->p[1], "cmdline");
	bool same, hashes = !has_verity(w, pair);
	ASSAY_AUTO_FREE char *text = compare_words(a, b, hashes, &same);

	if (!text) {
		w->bad = true;
		return;
	}
	if (!*text && !same) {
		pair->explained = true; /* root hashes alone */
		return;
	}
	const char *words = *text ? text :
			    strcmp(a, b) == 0 ? "the same text, other bytes behind it" :
						"the same words, in another order or with other blanks";
	struct assay_diff_item *item = add(w, pair, ASSAY_DIFF_CMDLINE, "command line", "command line", words, ".cmdline");
	item->cause.options = true;
}

/* --- a program ---------------------------------------------------------------------------------- */

static const char *release_of(const struct assay_json *p)
{
	const char *release = assay_diff_str(assay_json_get(p, "linux"), "release");

	return *release ? release : assay_diff_str(assay_json_get(p, "linux"), "version");
}

static void kernel(struct assay_diff_work *w, struct pair *pair, const char *section)
{
	const char *a = release_of(pair->p[0]), *b = release_of(pair->p[1]);
	const char *va = assay_diff_str(assay_json_get(pair->p[0], "linux"), "version");
	const char *vb = assay_diff_str(assay_json_get(pair->p[1], "linux"), "version");
	ASSAY_AUTO_FREE char *text = NULL;

	if (strcmp(a, b) != 0)
		text = assay_asprintf("%s -> %s", *a ? a : "of unknown release", *b ? b : "of unknown release");
	else if (strcmp(va, vb) != 0)
		text = assay_asprintf("%s, another build: %s -> %s", a, va, vb);
	else
		text = assay_asprintf("%s, the same version string, other bytes", *a ? a : "of unknown release");
	struct assay_diff_item *item = add(w, pair, ASSAY_DIFF_KERNEL, "kernel", "kernel", text, section);
	if (strcmp(a, b) != 0 && strcmp(va, vb) != 0 && (strcmp(a, va) != 0 || strcmp(b, vb) != 0)) {
		assay_diff_detail(w, item, "- %s", va);
		assay_diff_detail(w, item, "+ %s", vb);
	}
}

static void initrd(struct assay_diff_work *w, struct pair *pair)
{
	ASSAY_AUTO_FREE char *what = assay_asprintf("initrd%s", pair->of);
	struct assay_diff_item *item;

	assay_diff_initrd(w, what, assay_json_get(pair->p[0], "initrd"), assay_json_get(pair->p[1], "initrd"), &item);
	item->cause.section = ".initrd";
	for (int i = 0; i < 2; i++)
		assay_diff_path(w, item, i, pair->path[i]);
	pair->explained = true;
}

/* os-release, uname: texts that facts have. */
static void text_section(struct assay_diff_work *w, struct pair *pair, const char *name, const char *key)
{
	const char *a = assay_diff_str(pair->p[0], key), *b = assay_diff_str(pair->p[1], key);
	struct assay_diff_item *item;

	if (strcmp(name, ".uname") == 0) {
		ASSAY_AUTO_FREE char *text = assay_asprintf("%s -> %s", *a ? a : "none", *b ? b : "none");

		(void)add(w, pair, ASSAY_DIFF_SECTION, "section", name, text, name);
		return;
	}
	item = add(w, pair, ASSAY_DIFF_SECTION, "section", name, "other text", name);
	/* Lines that only one of them has. */
	for (int side = 0; side < 2; side++) {
		const char *line = side ? b : a, *other = side ? a : b;

		for (size_t n; *line; line += n + (line[n] != '\0')) {
			n = strcspn(line, "\n");
			bool found = false;

			for (const char *o = other; *o && !found;) {
				const size_t k = strcspn(o, "\n");

				found = k == n && memcmp(o, line, n) == 0;
				o += k + (o[k] != '\0');
			}
			if (!found && n > 0)
				assay_diff_detail(w, item, "%c %.*s", side ? '+' : '-', (int)n, line);
		}
	}
}

static void section(struct assay_diff_work *w, struct pair *pair, const char *name, size_t k)
{
	static const struct {
		const char *name, *key;
	} texts[] = { { ".osrel", "os_release" }, { ".uname", "uname" } };
	static const char *const names[] = { ".splash", ".dtb",	    ".ucode",	".pcrsig",  ".pcrpkey", ".sbat",
					     ".profile", ".dtbauto", ".hwids", ".efifw" };
	const struct assay_json *a = section_of(pair->p[0], name, k), *b = section_of(pair->p[1], name, k);
	ASSAY_AUTO_FREE char *text = NULL, *what = NULL;
	const char *fixed = NULL;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strcmp(texts[i].name, name) != 0)
			continue;
		fixed = texts[i].name;
		if (k == 0 && a && b)
			text_section(w, pair, fixed, texts[i].key);
		if (k == 0 && a && b)
			return;
	}
	for (size_t i = 0; !fixed && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			fixed = names[i];
	static const char *const whole[] = { ".linux", ".initrd", ".cmdline" };
	for (size_t i = 0; !fixed && i < 3; i++)
		if (strcmp(whole[i], name) == 0)
			fixed = whole[i];
	what = k ? assay_asprintf("%s (number %zu)", name, k + 1) : assay_strdup(name);
	if (!a || !b)
		text = assay_strdup(a ? "removed" : "added");
	else
		text = assay_asprintf("other content, %" PRId64 " -> %" PRId64 " bytes", assay_diff_int(a, "virtual_size"),
				      assay_diff_int(b, "virtual_size"));
	(void)add(w, pair, ASSAY_DIFF_SECTION, "section", what ? what : "", text, fixed);
}

static bool has_both(const struct pair *pair, const char *name)
{
	return section_of(pair->p[0], name, 0) && section_of(pair->p[1], name, 0);
}

static void one_section(struct assay_diff_work *w, struct pair *pair, const char *name, size_t k)
{
	if (k == 0 && strcmp(name, ".linux") == 0 && has_both(pair, name))
		kernel(w, pair, ".linux");
	else if (k == 0 && strcmp(name, ".initrd") == 0 && has_both(pair, name))
		initrd(w, pair);
	else if (k == 0 && strcmp(name, ".cmdline") == 0)
		cmdline(w, pair);
	else
		section(w, pair, name, k);
}

/* Each name and number of both tables once. */
static void sections(struct assay_diff_work *w, struct pair *pair)
{
	for (int side = 0; side < 2; side++) {
		const struct assay_json *list = assay_json_get(pair->p[side], "sections");

		for (size_t i = 0; i < assay_json_len(list); i++) {
			const char *name = assay_diff_str(assay_json_at(list, i), "name");
			size_t k = 0;
			bool here;

			for (size_t j = 0; j < i; j++)
				k += strcmp(assay_diff_str(assay_json_at(list, j), "name"), name) == 0;
			if (side == 1 && section_of(pair->p[0], name, k))
				continue;
			if (section_differs(pair, name, k, &here))
				one_section(w, pair, name, k);
		}
	}
}

static const char *kind_of(const struct assay_json *p)
{
	return assay_diff_str(p, "kind");
}

static void version(struct assay_diff_work *w, struct pair *pair)
{
	const char *a = assay_diff_str(pair->p[0], "magic"), *b = assay_diff_str(pair->p[1], "magic");
	const bool stub = strcmp(kind_of(pair->p[1]), "uki") == 0;
	struct assay_diff_item *item;
	ASSAY_AUTO_FREE char *text = NULL;

	if (!*a)
		a = assay_diff_str(pair->p[0], "version");
	if (!*b)
		b = assay_diff_str(pair->p[1], "version");
	if (strcmp(a, b) == 0)
		return;
	text = assay_asprintf("%s -> %s", *a ? a : "unknown", *b ? b : "unknown");
	item = add(w, pair, ASSAY_DIFF_VERSION, "version", stub ? "boot stub" : "program", text, NULL);
	/* Another version measures other things. */
	item->cause.structure = true;
}

static void signatures(struct assay_diff_work *w, struct pair *pair)
{
	const struct assay_json *a = assay_json_get(pair->p[0], "signatures"), *b = assay_json_get(pair->p[1], "signatures");
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_diff_item *item;

	if (assay_json_equal(a, b))
		return;
	if (assay_json_len(a) != assay_json_len(b))
		text = assay_asprintf("%zu -> %zu", assay_json_len(a), assay_json_len(b));
	else
		text = assay_strdup("by others, or made anew");
	item = add(w, pair, ASSAY_DIFF_PROGRAM, "signatures", "signatures", text, NULL);
	item->cause.not_whole = true;
}

static void program(struct assay_diff_work *w, const struct assay_json *a, const struct assay_json *b)
{
	struct pair pair = { .p = { a, b }, .path = { assay_diff_str(a, "path"), assay_diff_str(b, "path") } };
	const bool boots = strcmp(assay_diff_str(w->sides[0].facts, "boot"), pair.path[0]) == 0 &&
			   strcmp(assay_diff_str(w->sides[1].facts, "boot"), pair.path[1]) == 0;

	if (assay_json_equal(a, b))
		return;
	if (!boots) {
		snprintf(pair.of, sizeof(pair.of), " of %s", pair.path[1]);
		for (char *p = pair.of; *p; p++)
			if (*p == '/')
				*p = '\\';
	}
	if (strcmp(kind_of(a), kind_of(b)) != 0) {
		ASSAY_AUTO_FREE char *text = assay_asprintf("%s -> %s", kind_of(a), kind_of(b));
		struct assay_diff_item *item =
			add(w, &pair, ASSAY_DIFF_BOOT, "program", "kind of program", text, NULL);

		/* There is little to compare in two programs that have nothing to do with each other. */
		item->cause.structure = true;
		item->cause.options = true;
		return;
	}
	sections(w, &pair);
	if (strcmp(kind_of(a), "linux") == 0 && strcmp(kind_of(b), "linux") == 0 && !assay_diff_same(a, b, "authenticode"))
		kernel(w, &pair, NULL);
	version(w, &pair);
	/* .sbat and offsets follow from the above. */
	if (!pair.explained && !assay_diff_same(a, b, "authenticode")) {
		struct assay_diff_item *item =
			add(w, &pair, ASSAY_DIFF_PROGRAM, "program", "program",
			    "other code or headers: another Authenticode digest", NULL);

		if (!*pair.of) {
			free(item->change.what);
			item->change.what = assay_asprintf("program %s", item->cause.path[1] ? item->cause.path[1] : "");
			w->bad = w->bad || !item->change.what;
		}
	}
	signatures(w, &pair);
}

/* --- the ESP ------------------------------------------------------------------------------------ */

/* Of kind UKI, with a path that the other side does not have: the only one there is, or NULL. */
static const struct assay_json *lone_uki(const struct assay_json *list, const struct assay_json *other)
{
	const struct assay_json *found = NULL;

	for (size_t i = 0; i < assay_json_len(list); i++) {
		const struct assay_json *p = assay_json_at(list, i);

		if (strcmp(kind_of(p), "uki") != 0 || assay_diff_find(other, "path", assay_diff_str(p, "path")))
			continue;
		if (found)
			return NULL;
		found = p;
	}
	return found;
}

static struct assay_diff_item *esp_line(struct assay_diff_work *w, char sign, const char *path, const char *more, int side)
{
	ASSAY_AUTO_FREE char *text = assay_asprintf("%c %s%s", sign, path, more);
	struct assay_diff_item *item;

	for (char *p = text; p && *p; p++)
		if (*p == '/')
			*p = '\\';
	item = assay_diff_add(w, ASSAY_DIFF_ESP, "esp", "ESP", text);
	for (int i = 0; i < 2; i++)
		if (side < 0 || side == i)
			assay_diff_path(w, item, i, path);
	item->cause.structure = true;
	item->cause.options = strncmp(path, "/loader/entries/", 16) == 0;
	return item;
}

static void programs(struct assay_diff_work *w, const struct assay_json *a, const struct assay_json *b)
{
	const struct assay_json *x = lone_uki(a, b), *y = lone_uki(b, a);

	if (x && y) {
		ASSAY_AUTO_FREE char *text = assay_asprintf("%s -> %s", assay_diff_str(x, "path"), assay_diff_str(y, "path"));
		struct assay_diff_item *item;

		for (char *p = text; p && *p; p++)
			if (*p == '/')
				*p = '\\';
		item = assay_diff_add(w, ASSAY_DIFF_ESP, "esp", "ESP: a unified kernel image has another path", text);
		assay_diff_path(w, item, 0, assay_diff_str(x, "path"));
		assay_diff_path(w, item, 1, assay_diff_str(y, "path"));
		item->cause.not_whole = true;
		item->cause.structure = true;
		program(w, x, y);
	} else {
		x = y = NULL;
	}
	for (size_t i = 0; i < assay_json_len(a); i++) {
		const struct assay_json *p = assay_json_at(a, i);
		const struct assay_json *q = assay_diff_find(b, "path", assay_diff_str(p, "path"));

		if (q)
			program(w, p, q);
		else if (p != x)
			esp_line(w, '-', assay_diff_str(p, "path"), "", 0)->cause.program = true;
	}
	for (size_t i = 0; i < assay_json_len(b); i++) {
		const struct assay_json *p = assay_json_at(b, i);

		if (p != y && !assay_diff_find(a, "path", assay_diff_str(p, "path")))
			esp_line(w, '+', assay_diff_str(p, "path"), "", 1)->cause.program = true;
	}
}

static void files(struct assay_diff_work *w, const struct assay_json *a, const struct assay_json *b)
{
	for (size_t i = 0; i < assay_json_len(a); i++) {
		const struct assay_json *p = assay_json_at(a, i);
		const char *path = assay_diff_str(p, "path");
		const struct assay_json *q = assay_diff_find(b, "path", path);
		ASSAY_AUTO_FREE char *more = NULL;

		if (!q) {
			(void)esp_line(w, '-', path, "", 0);
		} else if (!assay_diff_same(p, q, "digest")) {
			more = assay_asprintf(": other content, %" PRId64 " -> %" PRId64 " bytes", assay_diff_int(p, "size"),
					      assay_diff_int(q, "size"));
			(void)esp_line(w, '~', path, more ? more : "", -1);
		}
	}
	for (size_t i = 0; i < assay_json_len(b); i++) {
		const char *path = assay_diff_str(assay_json_at(b, i), "path");

		if (!assay_diff_find(a, "path", path))
			(void)esp_line(w, '+', path, "", 1);
	}
}

void assay_diff_boot(struct assay_diff_work *w, const struct assay_json *a, const struct assay_json *b)
{
	const struct assay_json *x = assay_json_get(a, "esp"), *y = assay_json_get(b, "esp");
	const char *from = assay_diff_str(a, "boot"), *to = assay_diff_str(b, "boot");

	if (strcmp(from, to) != 0) {
		ASSAY_AUTO_FREE char *text = assay_asprintf("%s -> %s", from, to);
		struct assay_diff_item *item = assay_diff_add(w, ASSAY_DIFF_BOOT, "boot", "what firmware starts", text);

		assay_diff_path(w, item, 0, from);
		assay_diff_path(w, item, 1, to);
		item->cause.structure = true;
	}
	programs(w, assay_json_get(x, "programs"), assay_json_get(y, "programs"));
	files(w, assay_json_get(x, "files"), assay_json_get(y, "files"));
	if (!assay_diff_same(x, y, "filesystem")) {
		ASSAY_AUTO_FREE char *text =
			assay_asprintf("%s -> %s", assay_diff_str(x, "filesystem"), assay_diff_str(y, "filesystem"));

		(void)assay_diff_add(w, ASSAY_DIFF_ESP, "esp", "ESP: filesystem", text);
	}
}
