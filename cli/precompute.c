/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/disk.h"
#include "cli/prediction.h"
#include "core/out.h"
#include "precompute/precompute.h"

struct options {
	struct assay_precompute_options pre;
	struct assay_disk_opts disk;
	const char *platform;
	const char *out;
	bool json;
};

static int run(const struct options *o, const char *path)
{
	ASSAY_AUTO(assay_image) *image = NULL;
	ASSAY_AUTO(assay_platform) *platform = NULL;
	ASSAY_AUTO(assay_prediction) *p = NULL;
	struct assay_err err;

	if (assay_platform_load(o->platform, &platform, &err) < 0)
		return assay_cli_fail(o->platform, &err);
	if (assay_cli_image_open(path, &o->disk, &image, &err) < 0)
		return assay_cli_fail(path, &err);
	if (assay_precompute(image, platform, &o->pre, &p, &err) < 0) {
		(void)assay_cli_fail(path, &err);
		return err.code == ASSAY_E_MISMATCH ? ASSAY_EXIT_MISMATCH : ASSAY_EXIT_FAIL;
	}
	if (o->json || o->out) {
		ASSAY_AUTO(assay_json) *json = assay_prediction_json(p);
		int rc = assay_cli_write_json(json, o->out ? o->out : "-");

		if (rc != ASSAY_EXIT_OK || o->json || strcmp(o->out, "-") == 0)
			return rc;
	}
	assay_cli_prediction_print(p);
	return ASSAY_EXIT_OK;
}

int assay_cmd_precompute(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		ASSAY_CLI_DISK_OPTION,
		{ "platform", required_argument, NULL, 'p' },
		{ "bank", required_argument, NULL, 'b' },
		{ "boot", required_argument, NULL, 'B' },
		{ "entry", required_argument, NULL, 'e' },
		{ "assume-stub", required_argument, NULL, 's' },
		{ "assume-kernel", required_argument, NULL, 'k' },
		{ "skip-chain", no_argument, NULL, 'c' },
		{ "no-image-digest", no_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	struct options o = { 0 };
	struct assay_err err;
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "o:", opts)) != -1) {
		switch (ch) {
		case ASSAY_CLI_ALLOW_BACKING:
			o.disk.allow_backing = true;
			break;
		case 'p':
			o.platform = optarg;
			break;
		case 'b':
			if (assay_bank_list(optarg, &o.pre.banks, &err) < 0)
				return assay_cli_usage_msg(verb, "%s", err.msg);
			break;
		case 'B':
			o.pre.boot = optarg;
			break;
		case 'e':
			o.pre.entry = optarg;
			break;
		case 's':
			o.pre.assume_stub = optarg;
			break;
		case 'k':
			o.pre.assume_kernel = optarg;
			break;
		case 'c':
			o.pre.skip_chain = true;
			break;
		case 'n':
			o.pre.no_image_digest = true;
			break;
		case 'j':
			o.json = true;
			break;
		case 'o':
			o.out = optarg;
			break;
		default:
			return assay_cli_usage(verb);
		}
	}
	if (argc - optind != 1)
		return assay_cli_usage(verb);
	if (!o.platform)
		return assay_cli_usage_msg(verb, "--platform FILE is missing");
	return run(&o, argv[optind]);
}
