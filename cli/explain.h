/* SPDX-License-Identifier: Apache-2.0 */
/* An explanation on its way to people and programs. */
#ifndef ASSAY_CLI_EXPLAIN_H
#define ASSAY_CLI_EXPLAIN_H

#include "manifest/manifest.h"
#include "precompute/explain.h"

/* How well one prediction of a manifest agrees. */
struct assay_cli_choice {
	const char *platform; /* borrowed */
	size_t equal, compared;
};

struct assay_cli_explained {
	struct assay_manifest *m; /* NULL: a prediction alone */
	struct assay_prediction *p;
	struct assay_explanation *e;
	/* Where nobody said which: those that were considered, and the one taken. */
	struct assay_cli_choice *choices;
	size_t n_choices;
	const char *chosen; /* NULL: there was no choice */
	bool tie;	    /* another agrees as well */
};

/* Text in one line in which nothing steers a terminal; letters of any script stay. */
void assay_cli_print_safe(const char *s);

int assay_cli_explained_print(const struct assay_cli_explained *a, struct assay_err *err) ASSAY_MUST;
/* assay.explanation/1 */
struct assay_json *assay_cli_explained_json(const struct assay_cli_explained *a);

#endif
