/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "cli/ca.h"
#include "core/clock.h"
#include "verify/ca.h"

static int challenge(const char *dir, const char *path, const char *trust, const char *out)
{
	ASSAY_AUTO(assay_anchors) *anchors = assay_anchors_new();
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO_FREE char *request = NULL;
	struct assay_err err;
	size_t len;

	if (!anchors) {
		assay_fail_mem(&err);
		return assay_cli_fail(NULL, &err);
	}
	/* It names the file itself. */
	if (assay_anchors_load(anchors, trust, &err) < 0)
		return assay_cli_fail(NULL, &err);
	if (assay_cli_read_small(path, &request, &len, &err) < 0 ||
	    assay_akca_challenge(dir, request, len, anchors, assay_clock_now(), &json, &err) < 0)
		return assay_cli_refused(path, &err);
	return assay_cli_write_json(json, out);
}

int assay_cmd_ca_challenge(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "ek-trust", required_argument, NULL, 't' },
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	const char *trust = NULL, *out = "-";
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "o:", opts)) != -1) {
		if (ch == 't')
			trust = optarg;
		else if (ch == 'o')
			out = optarg;
		else
			return assay_cli_usage(verb);
	}
	if (argc - optind != 2)
		return assay_cli_usage(verb);
	if (!trust)
		return assay_cli_usage_msg(verb, "--ek-trust is missing: whose TPMs are trusted");
	umask(077);
	return challenge(argv[optind], argv[optind + 1], trust, out);
}
