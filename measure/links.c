/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/links.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "measure/links_priv.h"

const char *assay_link_kind_name(enum assay_link_kind kind)
{
	static const char *const names[] = { "root hash", "verity", "filesystem", "container",
					     "container measurements" };

	return names[kind];
}

const char *assay_link_state_name(enum assay_link_state state)
{
	static const char *const names[] = { "ok", "broken", "unchecked", "open" };

	return names[state];
}

void assay_links_free(struct assay_links **lp)
{
	struct assay_links *links = *lp;

	*lp = NULL;
	if (!links)
		return;
	for (size_t i = 0; i < links->n; i++) {
		free(links->l[i].what);
		free(links->l[i].by);
		free(links->l[i].why);
	}
	free(links->l);
	free(links);
}

/* Paths and names of the disk are in it: controls, and what is no UTF-8, as \xNN. Takes the text over. */
static char *cleaned(char *text)
{
	struct assay_str out = { 0 };
	size_t left = text ? strlen(text) : 0;

	for (const char *p = text; left > 0;) {
		uint32_t c = 0;
		size_t n = assay_utf8_next(p, left, &c);
		const bool good = n > 0 && c >= 0x20 && (c < 0x7f || c >= 0xa0);

		if (good)
			assay_str_add_n(&out, p, n);
		else
			for (size_t i = 0; i < (n ? n : 1); i++)
				assay_str_add(&out, "\\x%02x", (unsigned char)p[i]);
		n = n ? n : 1;
		p += n;
		left -= n;
	}
	free(text);
	return text ? assay_str_steal(&out) : NULL;
}

int assay_links_add(struct assay_links *links, enum assay_link_kind kind, enum assay_link_state state,
		    char *what, char *by, char *why, struct assay_link **ret, struct assay_err *err)
{
	struct assay_link *grown = reallocarray(links->l, links->n + 1, sizeof(*grown));
	const bool has_by = by != NULL;

	what = cleaned(what);
	by = cleaned(by);
	why = cleaned(why);
	if (grown)
		links->l = grown;
	if (!grown || !what || (has_by && !by) || (!why && state != ASSAY_LINK_OK)) {
		free(what);
		free(by);
		free(why);
		return assay_fail_mem(err);
	}
	struct assay_link *l = &links->l[links->n++];
	*l = (struct assay_link){ .kind = kind, .state = state, .what = what, .by = by, .why = why };
	if (ret)
		*ret = l;
	return 0;
}

int assay_links_add_at(struct assay_links *links, const struct assay_link_place *place,
		       enum assay_link_kind kind, enum assay_link_state state, char *what, char *by, char *why,
		       struct assay_err *err)
{
	struct assay_link *l;

	if (assay_links_add(links, kind, state, what, by, why, &l, err) < 0)
		return -1;
	if (place->pair) {
		l->usr = place->pair->usr;
		memcpy(l->root_hash, place->pair->root_hash, sizeof(l->root_hash));
		l->root_hash_size = place->pair->root_hash_size;
	}
	return 0;
}

bool assay_link_is_ours(const struct assay_err *err)
{
	return err->code == ASSAY_E_IO || err->code == ASSAY_E_NOMEM || err->code == ASSAY_E_CRYPTO;
}

enum assay_link_state assay_link_state_of(const struct assay_err *err)
{
	return err->code == ASSAY_E_UNSUPPORTED || err->code == ASSAY_E_LIMIT ? ASSAY_LINK_UNCHECKED :
										ASSAY_LINK_BROKEN;
}

char *assay_link_why(const struct assay_err *err)
{
	return err->at == ASSAY_NO_OFFSET ? assay_strdup(err->msg) :
					    assay_asprintf("%s (at byte 0x%" PRIx64 ")", err->msg, err->at);
}

struct assay_json *assay_links_json(const struct assay_links *links)
{
	struct assay_json *list = assay_json_array();

	for (size_t i = 0; i < links->n; i++) {
		const struct assay_link *l = &links->l[i];
		struct assay_json *o = assay_json_object();

		assay_json_set_str(o, "link", assay_link_kind_name(l->kind));
		assay_json_set_str(o, "state", assay_link_state_name(l->state));
		assay_json_set_str(o, "what", l->what);
		assay_json_set_str(o, "by", l->by);
		if (l->why)
			assay_json_set_str(o, "why", l->why);
		assay_json_append(list, o);
	}
	return list;
}
