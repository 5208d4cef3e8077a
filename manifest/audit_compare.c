/* SPDX-License-Identifier: Apache-2.0 */
/* Two statements, member by member: what agrees in groups, what differs down to the single value. */
#include "manifest/audit_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

/* Members whose children are claims of their own. "[]": any element; "*": any member. */
static const char *const groups[] = {
	"",
	"subject",
	"predicate",
	"predicate.validity",
	"predicate.tool",
	"predicate.options",
	"predicate.facts",
	"predicate.facts.image",
	"predicate.facts.chain",
	"predicate.facts.containers",
	"predicate.facts.container_measurements",
	"predicate.facts.esp",
	"predicate.facts.esp.files",
	"predicate.facts.esp.programs",
	"predicate.facts.filesystems",
	"predicate.facts.verity",
	"predicate.data",
	"predicate.data[]",
	"predicate.data[].image",
	"predicate.data[].chain",
	"predicate.data[].containers",
	"predicate.data[].filesystems",
	"predicate.data[].verity",
	"predicate.predictions",
	"predicate.predictions[]",
	"predicate.predictions[].accepted",
	"predicate.predictions[].accepted.*",
	"predicate.predictions[].banks",
	"predicate.predictions[].banks.*",
	"predicate.predictions[].pcrs",
	"predicate.predictions[].phases",
	"predicate.inputs",
	"predicate.containers",
	"predicate.verity",
};

/* From the root to a node: one of these on the stack for each level; the reader of JSON has a ceiling on them. */
struct step {
	const struct step *up;
	const char *key; /* NULL: an element */
	size_t index;
	const struct assay_json *theirs, *ours; /* one of them may be NULL */
};

struct walk {
	const struct assay_audit_holes *holes;
	const struct assay_audit_expect *expect;
	struct assay_audit *audit;
	size_t same; /* values that agree in a group of which others differ */
	struct assay_err *err;
};

/* --- paths -------------------------------------------------------------------------------------- */

static bool plain(const char *key)
{
	return *key && key[strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0';
}

static void add_path(const struct step *s, struct assay_str *ret)
{
	if (!s->up)
		return;
	add_path(s->up, ret);
	if (!s->key) {
		assay_str_add(ret, "[%zu]", s->index);
	} else if (plain(s->key)) {
		assay_str_add(ret, "%s%s", ret->len ? "." : "", s->key);
	} else {
		assay_str_add(ret, "[\"");
		assay_str_add_escaped(ret, s->key, strlen(s->key));
		assay_str_add(ret, "\"]");
	}
}

static char *path_of(const struct step *s)
{
	struct assay_str text = { 0 };

	add_path(s, &text);
	return assay_str_steal(&text);
}

static bool match(const char *pattern, const char *path)
{
	while (*pattern) {
		if (*pattern == '*') {
			path += strcspn(path, ".[");
			pattern++;
		} else if (*pattern != *path++) {
			return false;
		} else if (*pattern++ == '[') {
			path += strspn(path, "0123456789");
		}
	}
	return *path == '\0';
}

static bool is_group(const char *path)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (match(groups[i], path))
			return true;
	return false;
}

/* Is it this path, or below it? */
static bool below(const char *path, const char *top)
{
	const size_t n = strlen(top);

	return strncmp(path, top, n) == 0 && (path[n] == '\0' || path[n] == '.' || path[n] == '[' || n == 0);
}

/* Why this was not recomputed; NULL when it was. *ret_all: nor was anything below it. */
static const char *hole(const struct walk *w, const char *path, bool *ret_all)
{
	const char *why = NULL;

	*ret_all = false;
	for (size_t i = 0; i < w->holes->n; i++) {
		const struct assay_audit_hole *h = &w->holes->h[i];

		if (below(path, h->path)) {
			why = h->why;
			*ret_all = strcmp(path, h->path) == 0;
		} else if (below(h->path, path)) {
			*ret_all = false;
		}
	}
	return why;
}

/* --- in words ----------------------------------------------------------------------------------- */

/* What an element of a list is called; NULL: it has no name. Two may have the same: paths tell them apart. */
static const char *name_of(const struct assay_json *o)
{
	static const char *const keys[] = { "name", "path", "archive", "program", "phase", "link", "kind" };
	const char *s = NULL;

	for (size_t i = 0; !s && i < sizeof(keys) / sizeof(keys[0]); i++)
		s = assay_json_str(assay_json_get(o, keys[i]));
	if (!s)
		s = assay_manifest_platform(o);
	return s ? s : assay_json_str(assay_json_get(assay_json_get(o, "image"), "name")); /* a data disk */
}

static void add_words(const struct step *s, struct assay_str *ret);

/* "predictions[NAME] PCR 4 sha256", "… PCR 4 event 2"; false when it is nothing of that kind. */
static bool add_pcr(const struct step *s, struct assay_str *ret)
{
	const struct step *up = s->up, *up2 = up->up, *up3 = up2 ? up2->up : NULL;
	int64_t pcr;

	if (!up->key || !up2)
		return false;
	/* pcrs[4] */
	if (!s->key && strcmp(up->key, "pcrs") == 0 &&
	    (assay_json_get_int(assay_json_get(s->theirs, "pcr"), &pcr) ||
	     assay_json_get_int(assay_json_get(s->ours, "pcr"), &pcr))) {
		add_words(up2, ret);
		assay_str_add(ret, " PCR %" PRId64, pcr);
		return true;
	}
	/* pcrs[4].events[1] */
	if (!s->key && strcmp(up->key, "events") == 0 && !up2->key) {
		add_words(up2, ret);
		assay_str_add(ret, " event %zu", s->index + 1);
		return true;
	}
	/* banks.sha256.4 */
	if (s->key && up2->key && up3 && !up3->key &&
	    (strcmp(up2->key, "banks") == 0 || strcmp(up2->key, "accepted") == 0)) {
		add_words(up3, ret);
		assay_str_add(ret, " PCR %s %s", s->key, up->key);
		return true;
	}
	return false;
}

static void add_words(const struct step *s, struct assay_str *ret)
{
	const char *name;
	int64_t part;

	if (!s->up || (!s->up->up && s->key && strcmp(s->key, "predicate") == 0))
		return;
	if (add_pcr(s, ret))
		return;
	add_words(s->up, ret);
	if (s->key) {
		/* "event 2 digests", but "image.digest" */
		const bool word = !s->up->key && s->up->up && s->up->up->key &&
				  (strcmp(s->up->up->key, "events") == 0 || strcmp(s->up->up->key, "pcrs") == 0);

		assay_str_add(ret, "%s%s", ret->len == 0 ? "" : word ? " " : ".", s->key);
		return;
	}
	name = name_of(s->theirs);
	name = name ? name : name_of(s->ours);
	if (name)
		assay_str_add(ret, "[%s]", name);
	else if (assay_json_get_int(assay_json_get(s->theirs, "partition"), &part))
		assay_str_add(ret, "[partition %" PRId64 "]", part);
	else
		assay_str_add(ret, "[%zu]", s->index);
}

static char *words_of(const struct step *s)
{
	struct assay_str text = { 0 };

	add_words(s, &text);
	return assay_str_steal(&text);
}

/* --- claims ------------------------------------------------------------------------------------- */

static int count_member(const char *key, const struct assay_json *value, void *arg);

static size_t count(const struct assay_json *node)
{
	size_t n = 0;

	if (!node)
		return 0;
	if (assay_json_is_object(node))
		(void)assay_json_each(node, count_member, &n);
	else if (assay_json_is_array(node))
		for (size_t i = 0; i < assay_json_len(node); i++)
			n += count(assay_json_at(node, i));
	else
		n = 1;
	return n;
}

static int count_member(const char *key, const struct assay_json *value, void *arg)
{
	(void)key;
	*(size_t *)arg += count(value);
	return 0;
}

static bool is_single(const struct assay_json *node)
{
	return node && !assay_json_is_object(node) && !assay_json_is_array(node);
}

/* A claim about a node; why may be NULL. */
static int add(struct walk *w, const struct step *s, enum assay_claim_state state, size_t values, const char *why)
{
	const bool shown = state == ASSAY_CLAIM_DIFFERS || is_single(s->theirs);
	struct assay_claim claim = {
		.state = state,
		.path = path_of(s),
		.what = words_of(s),
		.values = values,
		.manifest = shown ? s->theirs : NULL,
		.recomputed = shown ? s->ours : NULL,
	};

	if (why) {
		claim.why = assay_strdup(why);
		if (!claim.why) {
			free(claim.path);
			free(claim.what);
			return assay_fail_mem(w->err);
		}
	}
	if (state == ASSAY_CLAIM_DECLARED || state == ASSAY_CLAIM_NOT_RECOMPUTED)
		claim.recomputed = NULL;
	return assay_audit_claim(w->audit, claim, w->err);
}

/* --- both trees at once ------------------------------------------------------------------------- */

typedef int visit_fn(struct walk *w, const struct step *s);

struct members {
	struct walk *w;
	const struct step *up;
	visit_fn *visit;
	bool lacking; /* the second time round: members of ours that theirs lacks */
};

static int visit_member(const char *key, const struct assay_json *value, void *arg)
{
	const struct members *m = arg;
	struct step s = { .up = m->up, .key = key };

	s.theirs = m->lacking ? assay_json_get(m->up->theirs, key) : value;
	s.ours = m->lacking ? value : assay_json_get(m->up->ours, key);
	if (m->lacking && s.theirs)
		return 0;
	return m->visit(m->w, &s);
}

/* Every child of either, once. */
static int visit_children(struct walk *w, const struct step *s, visit_fn *visit)
{
	struct members m = { .w = w, .up = s, .visit = visit };

	if (assay_json_is_object(s->theirs)) {
		if (assay_json_each(s->theirs, visit_member, &m) != 0)
			return -1;
		m.lacking = true;
		return assay_json_each(s->ours, visit_member, &m) != 0 ? -1 : 0;
	}
	for (size_t i = 0; i < assay_json_len(s->theirs) || i < assay_json_len(s->ours); i++) {
		const struct step child = { .up = s,
					    .index = i,
					    .theirs = assay_json_at(s->theirs, i),
					    .ours = assay_json_at(s->ours, i) };

		if (visit(w, &child) < 0)
			return -1;
	}
	return 0;
}

static bool same_kind_of_list(const struct step *s)
{
	return (assay_json_is_object(s->theirs) && assay_json_is_object(s->ours)) ||
	       (assay_json_is_array(s->theirs) && assay_json_is_array(s->ours));
}

/* Down to what differs. */
static int leaves(struct walk *w, const struct step *s)
{
	if (assay_json_equal(s->theirs, s->ours)) {
		w->same += count(s->theirs);
		return 0;
	}
	if (same_kind_of_list(s))
		return visit_children(w, s, leaves);

	ASSAY_AUTO_FREE char *path = path_of(s);
	const size_t values = count(s->theirs ? s->theirs : s->ours);
	bool all;
	if (!path)
		return assay_fail_mem(w->err);
	return add(w, s, ASSAY_CLAIM_DIFFERS, values,
		   hole(w, path, &all) ? "it does not follow from the manifest's own facts" : NULL);
}

/* What no disk can show, as long as the auditor has not said what is expected. */
static bool is_declared(const struct walk *w, const char *path, const char **ret_why)
{
	const struct assay_audit_expect *e = w->expect;

	*ret_why = NULL;
	if (below(path, "predicate.options")) {
		*ret_why = "it was recomputed with it";
		return strcmp(path, "predicate.options") != 0;
	}
	return (strcmp(path, "predicate.name") == 0 && !e->name) ||
	       (strcmp(path, "predicate.release") == 0 && e->release == 0) ||
	       (strcmp(path, "predicate.validity.notBefore") == 0 && e->not_before < 0) ||
	       (strcmp(path, "predicate.validity.expires") == 0 && e->expires < 0) ||
	       strcmp(path, "predicate.tool.name") == 0 || strcmp(path, "predicate.tool.version") == 0;
}

static const char *remark(const char *path, const struct assay_json *value)
{
	const char *s = assay_json_str(value);

	if (match("predicate.predictions[].pcrs[]", path))
		return "its status and events";
	if (strcmp(path, "predicate.tool.name") == 0 && s && strcmp(s, "assay") != 0)
		return "this tool is called assay";
	if (strcmp(path, "predicate.tool.version") == 0 && s && strcmp(s, ASSAY_VERSION) != 0)
		return "this tool is " ASSAY_VERSION;
	return NULL;
}

/* A claim, or a group of them. */
static int node(struct walk *w, const struct step *s)
{
	ASSAY_AUTO_FREE char *path = path_of(s);
	const bool equal = assay_json_equal(s->theirs, s->ours);
	const char *why, *declared;
	bool all;

	if (!path)
		return assay_fail_mem(w->err);
	why = hole(w, path, &all);
	if (same_kind_of_list(s) && is_group(path) && !(why && all && equal) &&
	    assay_json_len(s->theirs) + assay_json_len(s->ours) > 0)
		return visit_children(w, s, node);
	if (equal && why)
		return add(w, s, ASSAY_CLAIM_NOT_RECOMPUTED, count(s->theirs), why);
	if (equal && is_declared(w, path, &declared))
		return add(w, s, ASSAY_CLAIM_DECLARED, count(s->theirs),
			   remark(path, s->theirs) ? remark(path, s->theirs) : declared);
	if (equal)
		return add(w, s, ASSAY_CLAIM_AGREES, count(s->theirs), remark(path, s->theirs));
	w->same = 0;
	if (leaves(w, s) < 0)
		return -1;
	if (w->same == 0)
		return 0;
	return add(w, s, why ? ASSAY_CLAIM_NOT_RECOMPUTED : ASSAY_CLAIM_AGREES, w->same, why ? why : "the rest of it");
}

int assay_audit_compare(const struct assay_json *statement, const struct assay_audit_holes *holes,
			const struct assay_audit_expect *expect, struct assay_audit *audit, struct assay_err *err)
{
	struct walk w = { .holes = holes, .expect = expect, .audit = audit, .err = err };
	const struct step root = { .theirs = statement, .ours = audit->recomputed };

	return node(&w, &root);
}
