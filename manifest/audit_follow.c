/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the statement that were not made again, and what follows from them. */
#include "manifest/audit_priv.h"

#include <stdlib.h>
#include <string.h>

#include "core/text.h"

int assay_audit_holes_add(struct assay_audit_holes *holes, char *path, const char *why, struct assay_err *err)
{
	struct assay_audit_hole *more = realloc(holes->h, (holes->n + 1) * sizeof(*more));
	char *copy = why ? assay_strdup(why) : NULL;

	if (more)
		holes->h = more;
	if (!more || !path || (why && !copy)) {
		free(path);
		free(copy);
		return assay_fail_mem(err);
	}
	more[holes->n++] = (struct assay_audit_hole){ path, copy };
	return 0;
}

void assay_audit_holes_clear(struct assay_audit_holes *holes)
{
	for (size_t i = 0; i < holes->n; i++) {
		free(holes->h[i].path);
		free(holes->h[i].why);
	}
	free(holes->h);
	*holes = (struct assay_audit_holes){ 0 };
}

/* --- names of disks ----------------------------------------------------------------------------- */

static const struct assay_json *member(const struct assay_json *o, const char *a, const char *b)
{
	return assay_json_get(assay_json_get(o, a), b);
}

/* The name that most of these have; of several the one that comes first. One that was changed then differs by itself. */
static const char *most(const char *const *names, size_t n)
{
	const char *best = NULL;
	size_t best_votes = 0;

	for (size_t i = 0; i < n; i++) {
		size_t votes = 0;

		for (size_t k = 0; names[i] && k < n; k++)
			votes += names[k] && strcmp(names[i], names[k]) == 0;
		if (votes > best_votes) {
			best = names[i];
			best_votes = votes;
		}
	}
	return best ? best : "";
}

const char *assay_audit_disk_name(const struct assay_manifest *m, size_t data)
{
	const struct assay_json *inputs = assay_json_get(m->predicate, "inputs");
	const size_t n = assay_json_len(m->subject), n_data = assay_json_len(m->data);
	const char *names[3];

	if (data == ASSAY_AUDIT_NONE) {
		names[0] = assay_json_str(member(m->facts, "image", "name"));
		names[1] = assay_json_str(assay_json_get(assay_json_at(m->subject, 0), "name"));
		names[2] = assay_json_str(assay_json_get(assay_json_at(inputs, 0), "name"));
	} else {
		names[0] = assay_json_str(member(assay_json_at(m->data, data), "image", "name"));
		/* They are the last subjects. */
		names[1] = assay_json_str(assay_json_get(assay_json_at(m->subject, n - n_data + data), "name"));
		names[2] = assay_json_str(assay_json_get(assay_json_at(inputs, 1 + data), "name"));
	}
	return most(names, 3);
}

/* --- what follows from parts that were not made ------------------------------------------------- */

/* Why nothing is known of the disk of that name; NULL: it is. */
static const char *disk_why(const struct assay_audit_work *w, const char *name)
{
	if (!name)
		return NULL;
	if (w->no_facts && strcmp(name, assay_audit_disk_name(w->m, ASSAY_AUDIT_NONE)) == 0)
		return w->no_facts;
	for (size_t k = 0; k < assay_json_len(w->m->data); k++) {
		ASSAY_AUTO_FREE char *top = assay_asprintf("predicate.data[%zu]", k);

		for (size_t i = 0; top && i < w->holes.n; i++)
			if (strcmp(w->holes.h[i].path, top) == 0 && strcmp(assay_audit_disk_name(w->m, k), name) == 0)
				return w->holes.h[i].why;
	}
	return NULL;
}

static const char *platform_why(const struct assay_audit_work *w, const char *name)
{
	for (size_t k = 0; name && k < assay_json_len(w->m->predictions); k++) {
		ASSAY_AUTO_FREE char *top = assay_asprintf("predicate.predictions[%zu]", k);

		for (size_t i = 0; top && i < w->holes.n; i++)
			if (strcmp(w->holes.h[i].path, top) == 0 &&
			    strcmp(assay_manifest_platform(assay_json_at(w->m->predictions, k)), name) == 0)
				return w->holes.h[i].why;
	}
	return NULL;
}

/* A digest that was made is known even where facts are not: of a disk that was given. */
static bool digest_known(const struct assay_audit_work *w, const char *name)
{
	if (w->no_facts && strcmp(name, assay_audit_disk_name(w->m, ASSAY_AUDIT_NONE)) == 0)
		return true;
	for (size_t i = 0; i < w->in->n_data; i++)
		if (w->audit->data_index[i] != ASSAY_AUDIT_NONE && strcmp(assay_audit_disk_name(w->m, w->audit->data_index[i]), name) == 0)
			return true;
	return false;
}

static const char *input_why(const struct assay_audit_work *w, const struct assay_json *o)
{
	const char *kind = assay_json_str(assay_json_get(o, "kind"));
	const char *name = assay_json_str(assay_json_get(o, "name"));

	if (!kind)
		return NULL;
	if (strcmp(kind, "disk") == 0 || strcmp(kind, "data") == 0)
		return name && !digest_known(w, name) ? disk_why(w, name) : NULL;
	return platform_why(w, strcmp(kind, "platform") == 0 ? name : assay_json_str(assay_json_get(o, "platform")));
}

static const char *subject_why(const struct assay_audit_work *w, const struct assay_json *o)
{
	const char *name = assay_json_str(assay_json_get(o, "name"));
	const char *sharp = name ? strrchr(name, '#') : NULL;

	if (!name || digest_known(w, name))
		return NULL;
	if (disk_why(w, name))
		return disk_why(w, name);
	/* A partition of the OS disk. */
	return sharp && strncmp(sharp, "#partition", 10) == 0 ? w->no_facts : NULL;
}

static const char *summary_why(const struct assay_audit_work *w, const struct assay_json *o)
{
	return disk_why(w, assay_json_str(assay_json_get(o, "disk")));
}

static int follow(struct assay_audit_work *w, const struct assay_json *list, const char *path,
		  const char *(*why)(const struct assay_audit_work *, const struct assay_json *), struct assay_err *err)
{
	for (size_t i = 0; i < assay_json_len(list); i++) {
		const char *text = why(w, assay_json_at(list, i));

		if (text && assay_audit_holes_add(&w->holes, assay_asprintf("%s[%zu]", path, i), text, err) < 0)
			return -1;
	}
	return 0;
}

int assay_audit_follow(struct assay_audit_work *w, struct assay_err *err)
{
	const struct assay_json *statement = w->audit->recomputed;
	const struct assay_json *o = assay_json_get(statement, "predicate");

	if (follow(w, assay_json_get(statement, "subject"), "subject", subject_why, err) < 0 ||
	    follow(w, assay_json_get(o, "inputs"), "predicate.inputs", input_why, err) < 0 ||
	    follow(w, assay_json_get(o, "containers"), "predicate.containers", summary_why, err) < 0 ||
	    follow(w, assay_json_get(o, "verity"), "predicate.verity", summary_why, err) < 0)
		return -1;
	return 0;
}

