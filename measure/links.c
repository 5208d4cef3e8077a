/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/links.h"

#include <stdlib.h>
#include <string.h>

#include "core/text.h"

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

int assay_links_add(struct assay_links *links, enum assay_link_kind kind, enum assay_link_state state,
		    char *what, char *by, char *why, struct assay_link **ret, struct assay_err *err)
{
	const bool whole = what && (why || state == ASSAY_LINK_OK);
	struct assay_link *grown =
		whole ? reallocarray(links->l, links->n + 1, sizeof(*grown)) : NULL;

	if (!grown) {
		free(what);
		free(by);
		free(why);
		return assay_fail_mem(err);
	}
	links->l = grown;
	struct assay_link *l = &grown[links->n++];
	*l = (struct assay_link){ .kind = kind, .state = state, .what = what, .by = by, .why = why };
	if (ret)
		*ret = l;
	return 0;
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
