/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/regions.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"

struct label {
	enum assay_measured measured;
	char *what;
	char *by;
};

struct claims {
	struct assay_region *e;
	size_t n, cap;
};

struct assay_regions {
	uint64_t size;
	struct label *labels; /* the first: nobody's */
	size_t n_labels, cap_labels;
	struct claims layers[ASSAY_N_LAYERS];
	size_t n_claims;
};

const char *assay_measured_name(enum assay_measured measured)
{
	static const char *const names[] = { "no", "partly", "yes" };

	return names[measured];
}

int assay_regions_new(uint64_t disk_size, struct assay_regions **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_regions) *r = calloc(1, sizeof(*r));
	unsigned nobodys;

	if (!r)
		return assay_fail_mem(err);
	r->size = disk_size;
	if (assay_regions_label(r, ASSAY_MEASURED_NO, NULL, &nobodys, err, "unused, in no partition") < 0)
		return -1;
	*ret = assay_steal(&r);
	return 0;
}

void assay_regions_free(struct assay_regions **rp)
{
	struct assay_regions *r = *rp;

	*rp = NULL;
	if (!r)
		return;
	for (size_t i = 0; i < r->n_labels; i++) {
		free(r->labels[i].what);
		free(r->labels[i].by);
	}
	free(r->labels);
	for (size_t i = 0; i < ASSAY_N_LAYERS; i++)
		free(r->layers[i].e);
	free(r);
}

int assay_regions_label(struct assay_regions *r, enum assay_measured measured, const char *by,
			unsigned *ret, struct assay_err *err, const char *fmt, ...)
{
	va_list ap;

	if (r->n_labels == r->cap_labels) {
		size_t cap = r->cap_labels ? 2 * r->cap_labels : 16;
		struct label *grown = reallocarray(r->labels, cap, sizeof(*grown));

		if (!grown)
			return assay_fail_mem(err);
		r->labels = grown;
		r->cap_labels = cap;
	}
	struct label *l = &r->labels[r->n_labels++];
	*l = (struct label){ .measured = measured };
	va_start(ap, fmt);
	int n = vasprintf(&l->what, fmt, ap);
	va_end(ap);
	if (n < 0)
		l->what = NULL;
	if (by)
		l->by = assay_strdup(by);
	if (!l->what || (by && !l->by))
		return assay_fail_mem(err);
	*ret = (unsigned)(r->n_labels - 1);
	return 0;
}

int assay_regions_claim(struct assay_regions *r, enum assay_region_layer layer, uint64_t offset,
			uint64_t size, unsigned label, struct assay_err *err)
{
	struct claims *c = &r->layers[layer];
	struct assay_region *last = c->n ? &c->e[c->n - 1] : NULL;

	if (offset >= r->size || size == 0)
		return 0;
	if (size > r->size - offset)
		size = r->size - offset;
	if (last && last->label == label && last->offset + last->size == offset) {
		last->size += size;
		return 0;
	}
	if (r->n_claims >= ASSAY_REGIONS_MAX)
		return assay_fail(err, ASSAY_E_LIMIT, offset, "more than %u regions on the disk",
				  ASSAY_REGIONS_MAX);
	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 64;
		struct assay_region *grown = reallocarray(c->e, cap, sizeof(*grown));

		if (!grown)
			return assay_fail_mem(err);
		c->e = grown;
		c->cap = cap;
	}
	c->e[c->n++] = (struct assay_region){ .offset = offset, .size = size, .label = label };
	r->n_claims++;
	return 0;
}

int assay_regions_claim_src(struct assay_regions *r, enum assay_region_layer layer,
			    const struct assay_src *disk, const struct assay_src *src, uint64_t off,
			    uint64_t len, unsigned label, struct assay_err *err)
{
	if (!assay_src_within(src, disk))
		return 0;
	while (len > 0) {
		bool hole;
		uint64_t n = assay_src_stretch(src, off, &hole);

		if (n == 0)
			return 0;
		if (n > len)
			n = len;
		if (!hole &&
		    assay_regions_claim(r, layer, assay_src_origin(src, off), n, label, err) < 0)
			return -1;
		off += n;
		len -= n;
	}
	return 0;
}

void assay_regions_drop(struct assay_regions *r, enum assay_region_layer layer, uint64_t offset,
			uint64_t size)
{
	for (size_t l = (size_t)layer + 1; l < ASSAY_N_LAYERS; l++) {
		struct claims *c = &r->layers[l];
		size_t kept = 0;

		for (size_t i = 0; i < c->n; i++)
			if (c->e[i].offset < offset || c->e[i].offset - offset >= size)
				c->e[kept++] = c->e[i];
		r->n_claims -= c->n - kept;
		c->n = kept;
	}
}

/* --- one list out of all layers ----------------------------------------------------------------- */

static int by_offset(const void *a, const void *b)
{
	const struct assay_region *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	/* Of two at one place the longer first, so that the order is the same everywhere. */
	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	return x->label < y->label ? -1 : x->label > y->label;
}

static bool same_label(const struct assay_regions *r, unsigned a, unsigned b)
{
	const struct label *x = &r->labels[a], *y = &r->labels[b];

	return a == b || (x->measured == y->measured && strcmp(x->what, y->what) == 0 &&
			  strcmp(x->by ? x->by : "", y->by ? y->by : "") == 0);
}

static void put(const struct assay_regions *r, struct claims *out, uint64_t offset, uint64_t end,
		unsigned label)
{
	struct assay_region *last = out->n ? &out->e[out->n - 1] : NULL;

	if (end <= offset)
		return;
	if (last && same_label(r, last->label, label)) {
		last->size = end - last->offset;
		return;
	}
	out->e[out->n++] = (struct assay_region){ .offset = offset, .size = end - offset, .label = label };
}

/* The finer claims over a gapless list. A claim cuts what it lies on into at most two more. */
static int lay_over(const struct assay_regions *r, struct claims *base, const struct claims *over,
		    struct assay_err *err)
{
	ASSAY_AUTO_FREE struct assay_region *sorted = calloc(over->n ? over->n : 1, sizeof(*sorted));
	struct claims out = { .e = calloc(base->n + 2 * over->n + 1, sizeof(*out.e)) };
	uint64_t at = 0;
	size_t b = 0;

	if (!sorted || !out.e) {
		free(out.e);
		return assay_fail_mem(err);
	}
	if (over->n)
		memcpy(sorted, over->e, over->n * sizeof(*sorted));
	qsort(sorted, over->n, sizeof(*sorted), by_offset);
	for (size_t i = 0; i <= over->n; i++) {
		const uint64_t start = i < over->n ? sorted[i].offset : r->size;

		for (; b < base->n && at < start; b++) {
			const uint64_t end = base->e[b].offset + base->e[b].size;

			if (end <= at)
				continue;
			put(r, &out, at, end < start ? end : start, base->e[b].label);
			at = end < start ? end : start;
			if (end > start)
				break;
		}
		if (i < over->n) {
			const uint64_t end = sorted[i].offset + sorted[i].size;

			put(r, &out, at, end, sorted[i].label);
			if (at < end)
				at = end;
		}
	}
	free(base->e);
	*base = out;
	return 0;
}

int assay_regions_list(struct assay_regions *r, struct assay_region **ret, size_t *ret_n,
		       struct assay_err *err)
{
	struct claims all = { .e = calloc(1, sizeof(*all.e)) };

	if (!all.e)
		return assay_fail_mem(err);
	put(r, &all, 0, r->size, 0);
	for (size_t l = 0; l < ASSAY_N_LAYERS; l++) {
		if (lay_over(r, &all, &r->layers[l], err) < 0) {
			free(all.e);
			return -1;
		}
	}
	*ret = all.e;
	*ret_n = all.n;
	return 0;
}

enum assay_measured assay_regions_measured(const struct assay_regions *r, unsigned label)
{
	return r->labels[label].measured;
}

const char *assay_regions_what(const struct assay_regions *r, unsigned label)
{
	return r->labels[label].what;
}

int assay_regions_json(struct assay_regions *r, struct assay_json **ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE struct assay_region *list = NULL;
	size_t n;

	if (assay_regions_list(r, &list, &n, err) < 0)
		return -1;
	struct assay_json *array = assay_json_array();
	for (size_t i = 0; i < n; i++) {
		const struct label *l = &r->labels[list[i].label];
		struct assay_json *o = assay_json_object();
		struct assay_json *by = assay_json_array();

		assay_json_set_int(o, "offset", list[i].offset);
		assay_json_set_int(o, "size", list[i].size);
		assay_json_set_str(o, "what", l->what);
		assay_json_set_str(o, "measured", assay_measured_name(l->measured));
		for (const char *p = l->by; p && *p;) {
			const size_t len = strcspn(p, "\n");

			assay_json_append(by, assay_json_string_n(p, len));
			p += len + (p[len] != 0);
		}
		assay_json_set(o, "by", by);
		assay_json_append(array, o);
	}
	*ret = array;
	return 0;
}
