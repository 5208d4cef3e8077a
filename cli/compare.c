/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/prediction.h"
#include "precompute/explain.h"

struct options {
	const char *pcrs, *log, *phase, *platform;
	bool json;
};

static const char *const verdicts[] = {
	[ASSAY_CELL_EQUAL] = "equal",
	[ASSAY_CELL_DIFFERENT] = "DIFFERENT",
	[ASSAY_CELL_NOT_GIVEN] = "not given",
	[ASSAY_CELL_NOT_PREDICTED] = "not predicted",
};

static void print_cell(const struct assay_cell *c)
{
	size_t size = assay_bank_size(c->bank);
	char a[ASSAY_HEX_MAX] = "-", b[ASSAY_HEX_MAX] = "-";
	int width = (int)(2 * size);

	if (c->expected)
		assay_hex(c->expected, size, a);
	if (c->actual)
		assay_hex(c->actual, size, b);
	if (c->verdict == ASSAY_CELL_EQUAL) {
		printf("%-7s %3u  %-*s  equal\n", assay_bank_name(c->bank), c->pcr, width, a);
		return;
	}
	printf("%-7s %3u  %-*s  %s%s%s\n", assay_bank_name(c->bank), c->pcr, width, a,
	       verdicts[c->verdict], c->remark ? ": " : "", c->remark ? c->remark : "");
	if (c->n_expected > 1)
		printf("%13s(one of %zu accepted values)\n", "", c->n_expected);
	if (c->verdict == ASSAY_CELL_DIFFERENT)
		printf("%13s%-*s  is the machine's\n", "", width, b);
}

static int explain(const struct assay_prediction *p, const struct assay_comparison *c,
		   const struct assay_eventlog *log, struct assay_err *err)
{
	uint32_t done = 0;

	for (size_t i = 0; i < c->n; i++) {
		const struct assay_cell *cell = &c->cells[i];
		ASSAY_AUTO_FREE char *words = NULL;

		if (cell->verdict != ASSAY_CELL_DIFFERENT || (done & (1U << cell->pcr)))
			continue;
		done |= 1U << cell->pcr;
		if (assay_compare_events(p, log, cell->pcr, cell->bank, &words, err) < 0)
			return -1;
		printf("PCR %u: %s\n", cell->pcr,
		       words ? words : "every event is as predicted; the log does not tell why");
	}
	return 0;
}

static struct assay_json *comparison_json(const struct assay_comparison *c)
{
	struct assay_json *o = assay_json_object();
	struct assay_json *cells = assay_json_array();

	for (size_t i = 0; i < c->n; i++) {
		const struct assay_cell *cell = &c->cells[i];
		size_t size = assay_bank_size(cell->bank);
		struct assay_json *j = assay_json_object();

		assay_json_set_str(j, "bank", assay_bank_name(cell->bank));
		assay_json_set_int(j, "pcr", cell->pcr);
		assay_json_set_str(j, "verdict",
				   cell->verdict == ASSAY_CELL_DIFFERENT ? "different" :
									   verdicts[cell->verdict]);
		if (cell->expected)
			assay_json_set(j, "expected", assay_json_hex(cell->expected, size));
		if (cell->actual)
			assay_json_set(j, "actual", assay_json_hex(cell->actual, size));
		if (cell->remark)
			assay_json_set_str(j, "remark", cell->remark);
		assay_json_append(cells, j);
	}
	assay_json_set_str(o, "schema", "assay.comparison/1");
	assay_json_set(o, "cells", cells);
	assay_json_set_int(o, "equal", c->equal);
	assay_json_set_int(o, "different", c->different);
	assay_json_set_int(o, "not_given", c->not_given);
	assay_json_set_int(o, "not_predicted", c->not_predicted);
	return o;
}

static int report(const struct options *o, const struct assay_prediction *p,
		  const struct assay_comparison *c, const struct assay_eventlog *log)
{
	struct assay_err err;

	if (c->equal + c->different == 0) {
		assay_fail(&err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
			   "there is nothing to compare: no PCR of a predicted bank is given");
		return assay_cli_fail(o->log ? o->log : o->pcrs, &err);
	}
	if (o->json) {
		ASSAY_AUTO(assay_json) *json = comparison_json(c);

		if (assay_cli_write_json(json, "-") != ASSAY_EXIT_OK)
			return ASSAY_EXIT_FAIL;
	} else {
		for (size_t i = 0; i < c->n; i++)
			print_cell(&c->cells[i]);
		if (log && explain(p, c, log, &err) < 0)
			return assay_cli_fail(o->log, &err);
		printf("%zu compared: %zu equal, %zu different; %zu not given, %zu not predicted\n",
		       c->equal + c->different, c->equal, c->different, c->not_given,
		       c->not_predicted);
	}
	return c->different ? ASSAY_EXIT_MISMATCH : ASSAY_EXIT_OK;
}

int assay_cmd_compare(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "pcrs", required_argument, NULL, 'p' },
		{ "log", required_argument, NULL, 'l' },
		{ "phase", required_argument, NULL, 'P' },
		{ "platform", required_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	ASSAY_AUTO(assay_prediction) *p = NULL;
	ASSAY_AUTO(assay_eventlog) *log = NULL;
	ASSAY_AUTO_FREE struct assay_pcrs *actual = calloc(1, sizeof(*actual));
	struct assay_comparison c = { 0 };
	struct options o = { 0 };
	struct assay_err err;
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "", opts)) != -1) {
		switch (ch) {
		case 'p':
			o.pcrs = optarg;
			break;
		case 'l':
			o.log = optarg;
			break;
		case 'P':
			o.phase = optarg;
			break;
		case 'f':
			o.platform = optarg;
			break;
		case 'j':
			o.json = true;
			break;
		default:
			return assay_cli_usage(verb);
		}
	}
	if (argc - optind != 1 || !o.pcrs == !o.log)
		return assay_cli_usage(verb);
	const char *path = argv[optind];

	if (!actual) {
		assay_fail_mem(&err);
		return assay_cli_fail(path, &err);
	}
	if (assay_cli_prediction_load(path, o.platform, &p, &err) < 0)
		return assay_cli_fail(path, &err);
	if (o.pcrs && assay_cli_pcrs_load(o.pcrs, actual, &err) < 0)
		return assay_cli_fail(o.pcrs, &err);
	if (o.log && (assay_eventlog_load(o.log, &log, &err) < 0 ||
		      assay_explain_replay(log, p->banks, actual, &err) < 0))
		return assay_cli_fail(o.log, &err);
	if (assay_compare(p, actual, o.phase, log != NULL, &c, &err) < 0)
		return assay_cli_fail(path, &err);
	int rc = report(&o, p, &c, log);
	assay_comparison_clear(&c);
	return rc;
}
