/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/explain.h"
#include "cli/prediction.h"

struct options {
	const char *log, *pcrs, *platform, *phase;
	bool json;
};

/* --- which prediction --------------------------------------------------------------------------- */

/* What agrees: cells, and of as many the one with more equal events. */
static uint64_t score(const struct assay_explanation *e)
{
	uint64_t same = 0;

	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++)
		same += e->pcr[i].events.n - e->pcr[i].events.differing;
	return ((uint64_t)e->cells.equal << 32) + same;
}

/* One of a manifest's predictions; what it has in its favour goes into a->choice. */
static int consider(const struct assay_manifest *m, size_t i, const struct assay_explain_input *in, uint64_t *best,
		    struct assay_cli_explained *a, struct assay_err *err)
{
	const char *name = assay_manifest_platform(assay_json_at(m->predictions, i));
	struct assay_cli_choice *c = &a->choices[a->n_choices];
	ASSAY_AUTO(assay_prediction) *p = NULL;
	ASSAY_AUTO(assay_explanation) *e = NULL;
	struct assay_explain_input mine = *in;

	if (assay_manifest_prediction(m, name, &p, NULL, err) < 0)
		return -1;
	mine.prediction = p;
	*c = (struct assay_cli_choice){ .platform = name };
	if (assay_explain(&mine, &e, err) < 0) {
		if (err->code != ASSAY_E_NOTFOUND)
			return -1;
		a->n_choices++;
		return 0;
	}
	c->equal = e->cells.equal;
	c->compared = e->cells.equal + e->cells.different;
	a->n_choices++;
	if (a->e && score(e) == *best)
		a->tie = true;
	if (a->e && score(e) <= *best)
		return 0;
	*best = score(e);
	a->tie = false;
	a->chosen = name;
	assay_explanation_free(&a->e);
	assay_prediction_free(&a->p);
	a->e = assay_steal(&e);
	a->p = assay_steal(&p);
	return 0;
}

static int explain(const char *path, const struct options *o, struct assay_explain_input *in,
		   struct assay_cli_explained *a, struct assay_err *err)
{
	uint64_t best = 0;
	size_t n;

	if (assay_cli_prediction_open(path, &a->p, &a->m, err) < 0)
		return -1;
	n = a->m ? assay_json_len(a->m->predictions) : 1;
	if (a->m)
		in->facts = a->m->facts;
	if (o->platform || n == 1) {
		if ((a->m && assay_manifest_prediction(a->m, o->platform, &a->p, NULL, err) < 0) ||
		    assay_cli_prediction_check(a->p, o->platform, err) < 0)
			return -1;
		in->prediction = a->p;
		return assay_explain(in, &a->e, err);
	}
	a->choices = calloc(n, sizeof(*a->choices));
	if (!a->choices)
		return assay_fail_mem(err);
	for (size_t i = 0; i < n; i++)
		if (consider(a->m, i, in, &best, a, err) < 0)
			return -1;
	/* All that was wrong with each of them is that there is nothing to compare. */
	return a->e ? 0 : -1;
}

static void clear(struct assay_cli_explained *a)
{
	assay_explanation_free(&a->e);
	assay_prediction_free(&a->p);
	assay_manifest_free(&a->m);
	free(a->choices);
}

static int run(const char *path, const struct options *o, struct assay_cli_explained *a)
{
	ASSAY_AUTO(assay_eventlog) *log = NULL;
	ASSAY_AUTO_FREE struct assay_pcrs *pcrs = o->pcrs ? calloc(1, sizeof(*pcrs)) : NULL;
	struct assay_explain_input in = { .pcrs = pcrs, .phase = o->phase };
	struct assay_err err;

	if (o->pcrs && !pcrs) {
		assay_fail_mem(&err);
		return assay_cli_fail(path, &err);
	}
	if (assay_eventlog_load(o->log, &log, &err) < 0)
		return assay_cli_fail(o->log, &err);
	if (o->pcrs && assay_cli_pcrs_load(o->pcrs, pcrs, &err) < 0)
		return assay_cli_fail(o->pcrs, &err);
	in.log = log;
	if (explain(path, o, &in, a, &err) < 0)
		return assay_cli_fail(path, &err);
	if (o->json) {
		ASSAY_AUTO(assay_json) *json = assay_cli_explained_json(a);

		if (assay_cli_write_json(json, "-") != ASSAY_EXIT_OK)
			return ASSAY_EXIT_FAIL;
	} else if (assay_cli_explained_print(a, &err) < 0) {
		return assay_cli_fail(path, &err);
	}
	return a->e->differs ? ASSAY_EXIT_MISMATCH : ASSAY_EXIT_OK;
}

int assay_cmd_explain(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "log", required_argument, NULL, 'l' },      { "pcrs", required_argument, NULL, 'p' },
		{ "platform", required_argument, NULL, 'f' }, { "phase", required_argument, NULL, 'P' },
		{ "json", no_argument, NULL, 'j' },	      { 0 },
	};
	struct assay_cli_explained a = { 0 };
	struct options o = { 0 };
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "", opts)) != -1) {
		switch (ch) {
		case 'l':
			o.log = optarg;
			break;
		case 'p':
			o.pcrs = optarg;
			break;
		case 'f':
			o.platform = optarg;
			break;
		case 'P':
			o.phase = optarg;
			break;
		case 'j':
			o.json = true;
			break;
		default:
			return assay_cli_usage(verb);
		}
	}
	if (argc - optind != 1 || !o.log)
		return assay_cli_usage(verb);
	/* The firmware's log ends before the first phase. */
	if (o.phase && !o.pcrs)
		return assay_cli_usage_msg(verb, "--phase is of the registers that --pcrs gives");
	const int rc = run(argv[optind], &o, &a);

	clear(&a);
	return rc;
}
