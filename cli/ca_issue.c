/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "cli/ca.h"
#include "core/clock.h"
#include "core/out.h"
#include "verify/ca.h"

static int issue(const char *dir, const char *request_path, const char *answer_path, unsigned days, const char *out_path)
{
	ASSAY_AUTO_FREE char *request = NULL, *answer = NULL, *pem = NULL;
	ASSAY_AUTO(assay_out) *out = NULL;
	size_t request_len, answer_len;
	struct assay_err err;

	if (assay_cli_read_small(request_path, &request, &request_len, &err) < 0)
		return assay_cli_fail(request_path, &err);
	if (assay_cli_read_small(answer_path, &answer, &answer_len, &err) < 0)
		return assay_cli_fail(answer_path, &err);
	/* An answer is taken once: that the certificate can be written is found out before. */
	if (assay_out_open(out_path, &out, &err) < 0)
		return assay_cli_fail(out_path, &err);
	if (assay_akca_issue(dir, request, request_len, answer, answer_len, assay_clock_now(), days, &pem, &err) < 0)
		return assay_cli_refused(NULL, &err);
	assay_out_write(out, pem, strlen(pem));
	if (assay_out_commit(out, &err) < 0)
		return assay_cli_fail(out_path, &err);
	return ASSAY_EXIT_OK;
}

int assay_cmd_ca_issue(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "days", required_argument, NULL, 'd' },
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	unsigned days = ASSAY_AKCA_ISSUE_DAYS;
	const char *out = "-";
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "o:", opts)) != -1) {
		if (ch == 'o')
			out = optarg;
		else if (ch == 'd' && !assay_cli_days(optarg, &days))
			return assay_cli_usage_msg(verb, "--days is 1 to %d", ASSAY_AKCA_MAX_DAYS);
		else if (ch != 'd')
			return assay_cli_usage(verb);
	}
	if (argc - optind != 3)
		return assay_cli_usage(verb);
	return issue(argv[optind], argv[optind + 1], argv[optind + 2], days, out);
}
