/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/links.h"

#include <stdio.h>

#include "cli/cli.h"

int assay_cli_links_judge(const char *path, const struct assay_links *links)
{
	int rc = ASSAY_EXIT_OK;

	for (size_t i = 0; i < links->n; i++) {
		const struct assay_link *l = &links->l[i];
		struct assay_err err;

		if (l->state != ASSAY_LINK_BROKEN && l->state != ASSAY_LINK_UNCHECKED)
			continue;
		assay_fail(&err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET, "%s: %s: %s: %s",
			   l->state == ASSAY_LINK_BROKEN ? "broken link" : "link that cannot be checked",
			   assay_link_kind_name(l->kind), l->what, l->why);
		assay_cli_fail(path, &err);
		if (l->state == ASSAY_LINK_BROKEN)
			rc = ASSAY_EXIT_MISMATCH;
		else if (rc == ASSAY_EXIT_OK && l->kind <= ASSAY_LINK_VERITY)
			rc = ASSAY_EXIT_FAIL;
	}
	return rc;
}

void assay_cli_links_print(const struct assay_links *links)
{
	static const char *const states[] = {
		[ASSAY_LINK_OK] = "ok",
		[ASSAY_LINK_BROKEN] = "BROKEN",
		[ASSAY_LINK_UNCHECKED] = "unchecked",
		[ASSAY_LINK_OPEN] = "open",
	};

	puts("the chain");
	for (size_t i = 0; i < links->n; i++) {
		const struct assay_link *l = &links->l[i];

		printf("  %-9s  %-22s", states[l->state], assay_link_kind_name(l->kind));
		printf("  %s%s%s\n", l->what, l->by ? "  <- " : "", l->by ? l->by : "");
		if (l->why)
			printf("             %s\n", l->why);
	}
}
