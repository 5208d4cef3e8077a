/* SPDX-License-Identifier: Apache-2.0 */
/* Making a manifest's statement again, as far as it can be made. */
#include "manifest/audit_priv.h"

#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/text.h"
#include "manifest/make_priv.h"

const char *assay_claim_state_name(enum assay_claim_state state)
{
	static const char *const names[] = {
		[ASSAY_CLAIM_AGREES] = "agrees",
		[ASSAY_CLAIM_DECLARED] = "declared",
		[ASSAY_CLAIM_NOT_RECOMPUTED] = "not recomputed",
		[ASSAY_CLAIM_DIFFERS] = "differs",
	};

	return names[state];
}

void assay_audit_free(struct assay_audit **auditp)
{
	struct assay_audit *audit = auditp ? assay_steal(auditp) : NULL;

	if (!audit)
		return;
	for (size_t i = 0; i < audit->n; i++) {
		free(audit->claims[i].path);
		free(audit->claims[i].what);
		free(audit->claims[i].why);
	}
	free(audit->claims);
	free(audit->data_index);
	assay_json_free(&audit->recomputed);
	free(audit);
}

int assay_audit_claim(struct assay_audit *audit, struct assay_claim claim, struct assay_err *err)
{
	struct assay_claim *more = NULL;

	/* Room for twice as many whenever they fill it: at 1, 2, 4, … */
	if (claim.path && claim.what) {
		more = audit->claims;
		if ((audit->n & (audit->n - 1)) == 0)
			more = realloc(audit->claims, (audit->n ? 2 * audit->n : 1) * sizeof(*more));
	}
	if (!more) {
		free(claim.path);
		free(claim.what);
		free(claim.why);
		return assay_fail_mem(err);
	}
	audit->claims = more;
	more[audit->n++] = claim;
	audit->count[claim.state]++;
	return 0;
}

static const struct assay_json *member(const struct assay_json *o, const char *a, const char *b)
{
	return assay_json_get(assay_json_get(o, a), b);
}

static const char *hex_of(const struct assay_json *facts)
{
	return assay_json_str(assay_json_get(member(facts, "image", "digest"), "sha256"));
}

/* --- what the manifest says of how it was made -------------------------------------------------- */

static void read_options(const struct assay_json *o, struct assay_precompute_options *ret)
{
	const struct assay_json *banks = assay_json_get(o, "banks");

	*ret = (struct assay_precompute_options){
		.boot = assay_json_str(assay_json_get(o, "boot")),
		.entry = assay_json_str(assay_json_get(o, "entry")),
		.assume_stub = assay_json_str(assay_json_get(o, "assume_stub")),
		.assume_kernel = assay_json_str(assay_json_get(o, "assume_kernel")),
	};
	/* What is no bank, or stands there twice, will differ from the list that is written of them. */
	for (size_t i = 0; i < assay_json_len(banks); i++) {
		const char *name = assay_json_str(assay_json_at(banks, i));
		enum assay_bank bank;

		if (name && assay_bank_from_name(name, &bank))
			ret->banks |= ASSAY_BANK_BIT(bank);
	}
}

static int describe(struct assay_audit_work *w, struct assay_err *err)
{
	const struct assay_audit_expect *e = &w->in->expect;
	const struct assay_json *tool = assay_json_get(w->m->predicate, "tool");
	const struct assay_manifest_input in = {
		.name = e->name ? e->name : w->m->name,
		.release = e->release ? e->release : w->m->release,
		.not_before = e->not_before >= 0 ? e->not_before : w->m->not_before,
		.expires = e->expires >= 0 ? e->expires : w->m->expires,
		.precompute = w->options,
	};
	static const char *const said[] = { "name", "version" };
	struct assay_json *o = assay_json_object();

	w->predicate = assay_json_object();
	assay_manifest_describe(&in, w->predicate);
	/* Another tool, or version, may have said the same. */
	for (size_t i = 0; i < 2; i++) {
		const struct assay_json *value = assay_json_get(tool, said[i]);
		const struct assay_json *own = member(w->predicate, "tool", said[i]);

		assay_json_set(o, said[i], assay_json_copy(assay_json_str(value) ? value : own));
	}
	assay_json_set(w->predicate, "tool", o);
	return w->predicate ? 0 : assay_fail_mem(err);
}

/* --- disks -------------------------------------------------------------------------------------- */

/* A failure that becomes a claim; -1: one that ends the audit. */
static int excuse(const struct assay_err *why, char **ret, struct assay_err *err)
{
	if (why->code == ASSAY_E_NOMEM) {
		*err = *why;
		return -1;
	}
	*ret = assay_strdup(why->msg);
	return *ret ? 0 : assay_fail_mem(err);
}

/* The manifest's facts, but with digest and size of the disk that is there. */
static int only_digest(struct assay_src *disk, const struct assay_json *theirs, struct assay_json **ret,
		       struct assay_err *err)
{
	struct assay_json *o, *image;
	struct assay_digests d;

	if (assay_hash_src(disk, ASSAY_BANK_BIT(ASSAY_SHA256), &d, err) < 0)
		return -1;
	o = assay_json_is_object(theirs) ? assay_json_copy(theirs) : assay_json_object();
	image = assay_json_is_object(assay_json_get(theirs, "image")) ? assay_json_copy(assay_json_get(theirs, "image")) :
									assay_json_object();
	assay_json_set(image, "digest", assay_json_digests(&d));
	assay_json_set_int(image, "size", assay_src_size(disk));
	assay_json_set(o, "image", image);
	*ret = o;
	return 0;
}

/* All of it but digest and size is the manifest's own. */
static int hole_but_digest(struct assay_audit_work *w, const char *top, const char *why, struct assay_err *err)
{
	if (assay_audit_holes_add(&w->holes, assay_strdup(top), why, err) < 0 ||
	    assay_audit_holes_add(&w->holes, assay_asprintf("%s.image.digest", top), NULL, err) < 0 ||
	    assay_audit_holes_add(&w->holes, assay_asprintf("%s.image.size", top), NULL, err) < 0)
		return -1;
	return 0;
}

/* A claim that says why. */
static int add_reasoned(struct assay_audit_work *w, struct assay_claim claim, struct assay_err *err)
{
	if (claim.why)
		return assay_audit_claim(w->audit, claim, err);
	free(claim.path);
	free(claim.what);
	return assay_fail_mem(err);
}

/* A link that is broken differs, even if the manifest says that it is broken; and one that cannot be checked was not. */
static int judge(struct assay_audit_work *w, const struct assay_links *links, const char *top, struct assay_err *err)
{
	for (size_t i = 0; i < links->n; i++) {
		const struct assay_link *l = &links->l[i];
		const bool broken = l->state == ASSAY_LINK_BROKEN;
		struct assay_claim claim = { .state = broken ? ASSAY_CLAIM_DIFFERS : ASSAY_CLAIM_NOT_RECOMPUTED };

		if (!broken && (l->state != ASSAY_LINK_UNCHECKED || l->kind > ASSAY_LINK_VERITY))
			continue;
		claim.path = assay_asprintf("%s.chain[%zu]", top, i);
		claim.what = assay_asprintf("%s.chain[%zu]", top + strlen("predicate."), i);
		claim.why = assay_asprintf("%s: %s: %s: %s", broken ? "broken link" : "link that cannot be checked",
					   assay_link_kind_name(l->kind), l->what, l->why ? l->why : "");
		if (add_reasoned(w, claim, err) < 0)
			return -1;
	}
	return 0;
}

static int os_disk(struct assay_audit_work *w, struct assay_err *err)
{
	struct assay_json *facts = NULL;
	struct assay_err why;

	if (assay_image_open(w->in->disk, assay_audit_disk_name(w->m, ASSAY_AUDIT_NONE), &w->image, &why) < 0 ||
	    assay_manifest_facts(w->image, w->options.boot, &facts, &w->links, &why) < 0) {
		if (excuse(&why, &w->no_facts, err) < 0 || only_digest(w->in->disk, w->m->facts, &facts, err) < 0)
			return -1;
		assay_json_set(w->predicate, "facts", facts);
		return hole_but_digest(w, "predicate.facts", w->no_facts, err);
	}
	assay_json_set(w->predicate, "facts", facts);
	return judge(w, w->links, "predicate.facts", err);
}

/* --- data disks --------------------------------------------------------------------------------- */

/* One that was given, looked at once, under a name that it gets later. */
struct given {
	struct assay_json *facts;
	struct assay_links *links;
	char *why; /* why there are only digest and size in the facts */
	size_t index; /* in the manifest's list, or ASSAY_AUDIT_NONE */
};

static int look(const struct assay_manifest_data *data, struct given *g, struct assay_err *err)
{
	struct assay_err why;

	g->index = ASSAY_AUDIT_NONE;
	if (assay_manifest_data_facts(data, &g->facts, &g->links, &why) == 0)
		return 0;
	if (excuse(&why, &g->why, err) < 0)
		return -1;
	return only_digest(data->disk, NULL, &g->facts, err);
}

static bool same_digest(const struct assay_audit_work *w, const struct given *g, size_t i, size_t k)
{
	const char *a = hex_of(g[i].facts), *b = hex_of(assay_json_at(w->m->data, k));

	return a && b && strcmp(a, b) == 0;
}

static bool same_name(const struct assay_audit_work *w, const struct given *g, size_t i, size_t k)
{
	(void)g;
	return strcmp(w->in->data[i].name, assay_audit_disk_name(w->m, k)) == 0;
}

static bool in_order(const struct assay_audit_work *w, const struct given *g, size_t i, size_t k)
{
	(void)w;
	(void)g;
	(void)i;
	(void)k;
	return true;
}

/* Which of the manifest's disks each one is: by digest, else by name, else in order. */
static void assign(const struct assay_audit_work *w, struct given *given)
{
	static bool (*const same[])(const struct assay_audit_work *, const struct given *, size_t, size_t) = { same_digest, same_name,
												 in_order };
	const size_t n = w->in->n_data, n_theirs = assay_json_len(w->m->data);

	for (size_t rule = 0; rule < sizeof(same) / sizeof(same[0]); rule++)
		for (size_t k = 0; k < n_theirs; k++) {
			size_t found = ASSAY_AUDIT_NONE;
			bool taken = false;

			for (size_t i = 0; i < n; i++) {
				taken = taken || given[i].index == k;
				if (found == ASSAY_AUDIT_NONE && given[i].index == ASSAY_AUDIT_NONE && same[rule](w, given, i, k))
					found = i;
			}
			if (!taken && found != ASSAY_AUDIT_NONE)
				given[found].index = k;
		}
}

/* The facts of one, under the name that the manifest gives it. */
static int one_data(struct assay_audit_work *w, struct given *g, const char *name, size_t k, struct assay_json *list,
		    struct assay_err *err)
{
	ASSAY_AUTO_FREE char *top = assay_asprintf("predicate.data[%zu]", k);
	struct assay_json *image = assay_json_copy(assay_json_get(g->facts, "image"));
	struct assay_json *o;

	assay_json_set_str(image, "name", name);
	if (g->why && assay_json_is_object(assay_json_at(w->m->data, k))) {
		struct assay_json *own = assay_json_copy(assay_json_get(assay_json_at(w->m->data, k), "image"));

		/* Digest and size are known; all else is as the manifest has it. */
		o = assay_json_copy(assay_json_at(w->m->data, k));
		if (assay_json_is_object(own)) {
			assay_json_set(own, "digest", assay_json_copy(assay_json_get(image, "digest")));
			assay_json_set(own, "size", assay_json_copy(assay_json_get(image, "size")));
			assay_json_free(&image);
			image = own;
		} else {
			assay_json_free(&own);
		}
	} else {
		o = assay_steal(&g->facts);
	}
	assay_json_set(o, "image", image);
	assay_json_append(list, o);
	if (!top)
		return assay_fail_mem(err);
	if (g->why)
		return hole_but_digest(w, top, g->why, err);
	return judge(w, g->links, top, err);
}

static int take_data(struct assay_audit_work *w, struct given *given, struct assay_json *list, struct assay_err *err)
{
	const size_t n = w->in->n_data, n_theirs = assay_json_len(w->m->data);
	size_t more = n_theirs;

	for (size_t i = 0; i < n; i++)
		if (look(&w->in->data[i], &given[i], err) < 0)
			return -1;
	assign(w, given);
	for (size_t k = 0; k < n_theirs; k++) {
		size_t i = 0;

		while (i < n && given[i].index != k)
			i++;
		if (i < n) {
			if (one_data(w, &given[i], assay_audit_disk_name(w->m, k), k, list, err) < 0)
				return -1;
			continue;
		}
		const struct assay_json *theirs = assay_json_at(w->m->data, k);

		assay_json_append(list, assay_json_is_object(theirs) ? assay_json_copy(theirs) : assay_json_object());
		if (assay_audit_holes_add(&w->holes, assay_asprintf("predicate.data[%zu]", k),
					  "this data disk was not given", err) < 0)
			return -1;
	}
	/* Those that the manifest does not know. */
	for (size_t i = 0; i < n; i++) {
		w->audit->data_index[i] = given[i].index;
		if (given[i].index == ASSAY_AUDIT_NONE &&
		    one_data(w, &given[i], w->in->data[i].name, more++, list, err) < 0)
			return -1;
	}
	return 0;
}

/* One manifest has each name once: subjects are told apart by it. */
static int check_names(struct assay_audit_work *w, struct assay_err *err)
{
	for (size_t k = 0; k < assay_json_len(w->m->data); k++) {
		const char *name = assay_audit_disk_name(w->m, k);
		struct assay_claim claim = { .state = ASSAY_CLAIM_DIFFERS };
		bool twice = strcmp(name, assay_audit_disk_name(w->m, ASSAY_AUDIT_NONE)) == 0;

		for (size_t i = 0; i < k; i++)
			twice = twice || strcmp(name, assay_audit_disk_name(w->m, i)) == 0;
		if (!twice)
			continue;
		claim.path = assay_asprintf("predicate.data[%zu].image.name", k);
		claim.what = assay_asprintf("data[%zu].image.name", k);
		claim.why = assay_strdup("another disk of the manifest has this name");
		if (add_reasoned(w, claim, err) < 0)
			return -1;
	}
	return 0;
}

static int data_disks(struct assay_audit_work *w, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *list = assay_json_array();
	ASSAY_AUTO_FREE struct given *given = calloc(w->in->n_data + 1, sizeof(*given));
	int rc;

	w->audit->data_index = calloc(w->in->n_data + 1, sizeof(size_t));
	if (!given || !w->audit->data_index)
		return assay_fail_mem(err);
	rc = check_names(w, err) < 0 ? -1 : take_data(w, given, list, err);
	for (size_t i = 0; i < w->in->n_data; i++) {
		assay_json_free(&given[i].facts);
		assay_links_free(&given[i].links);
		free(given[i].why);
	}
	assay_json_set(w->predicate, "data", assay_steal(&list));
	return rc;
}

/* --- platforms ---------------------------------------------------------------------------------- */

static bool is_for(const struct assay_platform *p, const struct assay_json *prediction)
{
	return strcmp(p->name, assay_manifest_platform(prediction)) == 0;
}

/* Is it the profile whose digest the prediction has, and for none by its name? */
static bool is_of_digest(const struct assay_audit_work *w, const struct assay_platform *p,
			 const struct assay_json *prediction)
{
	const struct assay_json *digest = member(prediction, "platform", "digest");
	const char *theirs = assay_json_str(assay_json_get(digest, "sha256"));
	char hex[ASSAY_HEX_MAX];

	for (size_t k = 0; k < assay_json_len(w->m->predictions); k++)
		if (is_for(p, assay_json_at(w->m->predictions, k)))
			return false;
	return theirs && strcmp(assay_hex(p->digest.d[ASSAY_SHA256], assay_bank_size(ASSAY_SHA256), hex), theirs) == 0;
}

/* The profile that a prediction is of: by its name, else by its digest. */
static const struct assay_platform *platform(const struct assay_audit_work *w, const struct assay_json *prediction)
{
	for (size_t i = 0; i < w->in->n_platforms; i++)
		if (is_for(w->in->platforms[i], prediction))
			return w->in->platforms[i];
	for (size_t i = 0; i < w->in->n_platforms; i++)
		if (is_of_digest(w, w->in->platforms[i], prediction))
			return w->in->platforms[i];
	return NULL;
}

/* NULL in *ret and *ret_why said: it cannot be predicted. */
static int predict(struct assay_audit_work *w, const struct assay_platform *p, struct assay_json **ret, char **ret_why,
		   struct assay_err *err)
{
	struct assay_precompute_options options = w->options;
	const struct assay_json *facts = assay_json_get(w->predicate, "facts");
	struct assay_err why;
	int rc;

	*ret = NULL;
	if (w->no_facts) {
		*ret_why = assay_asprintf("the facts of the disk could not be made: %s", w->no_facts);
		return *ret_why ? 0 : assay_fail_mem(err);
	}
	rc = assay_manifest_predict(w->image, p, &options, w->links, facts, ret, &why);
	if (rc < 0 && why.code == ASSAY_E_MISMATCH) {
		/* That the chain is broken is a claim already; PCRs say what else differs. */
		options.skip_chain = true;
		rc = assay_manifest_predict(w->image, p, &options, w->links, facts, ret, &why);
	}
	return rc < 0 ? excuse(&why, ret_why, err) : 0;
}

/* The manifest's own prediction stands in for one that was not made. */
static int hole_prediction(struct assay_audit_work *w, struct assay_json *list, size_t i, const char *why, struct assay_err *err)
{
	assay_json_append(list, assay_json_copy(assay_json_at(w->m->predictions, i)));
	return assay_audit_holes_add(&w->holes, assay_asprintf("predicate.predictions[%zu]", i), why, err);
}

static int predictions(struct assay_audit_work *w, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *list = assay_json_array();

	for (size_t i = 0; i < assay_json_len(w->m->predictions); i++) {
		const struct assay_platform *p = platform(w, assay_json_at(w->m->predictions, i));
		ASSAY_AUTO_FREE char *why = NULL;
		struct assay_json *made = NULL;

		if (p && predict(w, p, &made, &why, err) < 0)
			return -1;
		if (made)
			assay_json_append(list, made);
		else if (hole_prediction(w, list, i, why ? why : "no profile of this platform was given", err) < 0)
			return -1;
	}
	/* Those that the manifest does not know. */
	for (size_t i = 0; i < w->in->n_platforms; i++) {
		const struct assay_platform *p = w->in->platforms[i];
		ASSAY_AUTO_FREE char *why = NULL;
		struct assay_json *made;
		bool known = false;

		for (size_t k = 0; k < assay_json_len(w->m->predictions); k++)
			known = known || platform(w, assay_json_at(w->m->predictions, k)) == p;
		if (known)
			continue;
		if (predict(w, p, &made, &why, err) < 0)
			return -1;
		if (made)
			assay_json_append(list, made);
	}
	assay_json_set(w->predicate, "predictions", assay_steal(&list));
	return 0;
}

/* --- all of it ---------------------------------------------------------------------------------- */

/* What differs comes last, where the eye falls. Each state keeps its order. */
static int sort(struct assay_audit *audit, struct assay_err *err)
{
	struct assay_claim *sorted = calloc(audit->n + 1, sizeof(*sorted));
	size_t n = 0;

	if (!sorted)
		return assay_fail_mem(err);
	for (int state = 0; state < ASSAY_N_CLAIM_STATES; state++)
		for (size_t i = 0; i < audit->n; i++)
			if ((int)audit->claims[i].state == state)
				sorted[n++] = audit->claims[i];
	free(audit->claims);
	audit->claims = sorted;
	return 0;
}

static int run(struct assay_audit_work *w, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *copy = NULL;

	read_options(assay_json_get(w->m->predicate, "options"), &w->options);
	if (describe(w, err) < 0 || os_disk(w, err) < 0 || data_disks(w, err) < 0 || predictions(w, err) < 0 ||
	    assay_manifest_finish(assay_steal(&w->predicate), &w->audit->recomputed, err) < 0)
		return -1;
	/* What ran out of memory has no copy; it is not to be taken for a difference. */
	copy = assay_json_copy(w->audit->recomputed);
	if (!copy)
		return assay_fail_mem(err);
	if (assay_audit_follow(w, err) < 0 ||
	    assay_audit_compare(w->m->statement, &w->holes, &w->in->expect, w->audit, err) < 0)
		return -1;
	return sort(w->audit, err);
}

int assay_audit_run(const struct assay_audit_input *in, struct assay_audit **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_audit) *audit = calloc(1, sizeof(*audit));
	struct assay_audit_work w = { .in = in, .m = in->manifest, .audit = audit };
	struct assay_err own;
	int rc;

	err = err ? err : &own;
	if (!audit)
		return assay_fail_mem(err);
	rc = run(&w, err);
	assay_image_free(&w.image);
	assay_links_free(&w.links);
	assay_json_free(&w.predicate);
	assay_audit_holes_clear(&w.holes);
	free(w.no_facts);
	if (rc < 0)
		return -1;
	*ret = assay_steal(&audit);
	return 0;
}
