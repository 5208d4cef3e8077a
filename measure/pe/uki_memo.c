/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/pe/uki_memo.h"

#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"

struct section {
	uint32_t raw_offset, raw_size, virtual_size;
	bool there;
};

struct entry {
	char *path;
	struct section sections[ASSAY_UKI_N_SECTIONS];
	unsigned banks;
	bool inner, with_tail;
	uint8_t *tail;
	size_t tail_len;
	struct assay_uki_hashes hashes;
};

struct assay_uki_memo {
	struct entry e[ASSAY_UKI_MEMO_MAX];
	size_t n;
};

void assay_uki_memo_free(struct assay_uki_memo **mp)
{
	struct assay_uki_memo *m = mp ? assay_steal(mp) : NULL;

	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++) {
		free(m->e[i].path);
		free(m->e[i].tail);
	}
	free(m);
}

static void sections_of(const struct assay_uki_view *view, struct section ret[ASSAY_UKI_N_SECTIONS])
{
	for (size_t i = 0; i < ASSAY_UKI_N_SECTIONS; i++) {
		const struct assay_pe_section *s = view->s[i];

		ret[i] = (struct section){ 0 };
		if (s)
			ret[i] = (struct section){ s->raw_offset, s->raw_size, s->virtual_size, true };
	}
}

static bool same_section(const struct section *a, const struct section *b)
{
	return a->there == b->there && a->raw_offset == b->raw_offset && a->raw_size == b->raw_size &&
	       a->virtual_size == b->virtual_size;
}

static bool same(const struct entry *a, const struct entry *b)
{
	for (size_t i = 0; i < ASSAY_UKI_N_SECTIONS; i++)
		if (!same_section(&a->sections[i], &b->sections[i]))
			return false;
	return a->banks == b->banks && a->inner == b->inner && a->with_tail == b->with_tail &&
	       a->tail_len == b->tail_len && (a->tail_len == 0 || memcmp(a->tail, b->tail, a->tail_len) == 0) &&
	       strcmp(a->path, b->path) == 0;
}

/* What cannot be kept is hashed once more the next time. */
static void keep(struct assay_uki_memo **memo, struct entry asked)
{
	struct assay_uki_memo *m = *memo;
	char *path = assay_strdup(asked.path);
	uint8_t *tail = malloc(asked.tail_len + 1);

	if (!m)
		m = *memo = calloc(1, sizeof(*m));
	if (!m || !path || !tail || m->n == ASSAY_UKI_MEMO_MAX) {
		free(path);
		free(tail);
		return;
	}
	if (asked.tail_len)
		memcpy(tail, asked.tail, asked.tail_len);
	asked.path = path;
	asked.tail = tail;
	m->e[m->n++] = asked;
}

int assay_uki_memo_hash(struct assay_uki_memo **memo, const char *path, const struct assay_pe *pe,
			const struct assay_uki_view *view, unsigned banks, bool inner, bool with_tail, const void *tail,
			size_t tail_len, struct assay_uki_hashes *ret, struct assay_err *err)
{
	/* Borrowed, and only read. */
	struct entry asked = { .path = (char *)path,
			       .banks = banks,
			       .inner = inner,
			       .with_tail = with_tail,
			       .tail = (uint8_t *)tail,
			       .tail_len = with_tail ? tail_len : 0 };

	sections_of(view, asked.sections);
	for (size_t i = 0; *memo && i < (*memo)->n; i++)
		if (same(&(*memo)->e[i], &asked)) {
			*ret = (*memo)->e[i].hashes;
			return 0;
		}
	if (assay_uki_hash(pe, view, banks, inner, with_tail, tail, tail_len, &asked.hashes, err) < 0)
		return -1;
	*ret = asked.hashes;
	keep(memo, asked);
	return 0;
}
