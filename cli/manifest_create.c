/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/disk.h"
#include "cli/links.h"
#include "cli/release.h"
#include "core/clock.h"
#include "core/text.h"

#define DEFAULT_VALIDITY "+365d"

struct options {
	struct assay_cli_paths data, platforms;
	struct assay_disk_opts disk;
	struct assay_precompute_options pre;
	const char *name, *not_before, *expires, *out;
	uint64_t release;
	bool statement;
};

static int write_result(struct assay_json *statement, const struct options *o)
{
	ASSAY_AUTO(assay_envelope) *env = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	const char *out = o->out ? o->out : "-";
	struct assay_err err;
	size_t len;

	if (o->statement)
		return assay_cli_write_json(statement, out);
	if (assay_json_dump(statement, &text, &len, &err) < 0 ||
	    assay_envelope_new(ASSAY_INTOTO_PAYLOAD, text, len, &env, &err) < 0)
		return assay_cli_fail(out, &err);
	json = assay_envelope_json(env);
	return assay_cli_write_json(json, out);
}

static int create(const struct assay_verb *verb, const struct options *o, const char *disk)
{
	ASSAY_AUTO(assay_json) *statement = NULL;
	ASSAY_AUTO(assay_links) *links = NULL;
	struct assay_cli_release r;
	struct assay_err err;
	int64_t from, until;

	if (o->not_before ? assay_clock_option(o->not_before, 0, &from, &err) < 0 :
			    assay_clock_epoch(&from, &err) < 0) {
		if (err.code == ASSAY_E_NOTFOUND)
			return assay_cli_usage_msg(verb, "neither --not-before nor SOURCE_DATE_EPOCH says from when "
							 "the manifest is valid");
		return assay_cli_usage_msg(verb, "%s", err.msg);
	}
	if (assay_clock_option(o->expires ? o->expires : DEFAULT_VALIDITY, from, &until, &err) < 0)
		return assay_cli_usage_msg(verb, "%s", err.msg);
	int rc = assay_cli_release_open(disk, NULL, &o->data, &o->platforms, &o->disk, &r);
	if (rc == ASSAY_EXIT_OK) {
		r.in.name = o->name;
		r.in.release = o->release;
		r.in.not_before = from;
		r.in.expires = until;
		r.in.precompute = o->pre;
		if (assay_manifest_make(&r.in, &statement, &links, &err) < 0) {
			rc = assay_cli_fail(disk, &err);
			if (err.code == ASSAY_E_MISMATCH)
				rc = ASSAY_EXIT_MISMATCH;
		} else {
			rc = assay_cli_links_judge(disk, links);
		}
	}
	assay_cli_release_clear(&r);
	return rc == ASSAY_EXIT_OK ? write_result(statement, o) : rc;
}

static int parse(const struct assay_verb *verb, int argc, char **argv, struct options *o)
{
	static const struct option opts[] = {
		ASSAY_CLI_DISK_OPTION,
		{ "platform", required_argument, NULL, 'p' },
		{ "data", required_argument, NULL, 'd' },
		{ "name", required_argument, NULL, 'n' },
		{ "release", required_argument, NULL, 'r' },
		{ "not-before", required_argument, NULL, 'f' },
		{ "expires", required_argument, NULL, 'x' },
		{ "bank", required_argument, NULL, 'b' },
		{ "boot", required_argument, NULL, 'B' },
		{ "entry", required_argument, NULL, 'e' },
		{ "assume-stub", required_argument, NULL, 's' },
		{ "assume-kernel", required_argument, NULL, 'k' },
		{ "statement", no_argument, NULL, 'S' },
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	struct assay_err err;
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "o:", opts)) != -1) {
		switch (ch) {
		case ASSAY_CLI_ALLOW_BACKING:
			o->disk.allow_backing = true;
			break;
		case 'p':
		case 'd':
			if (assay_cli_paths_add(ch == 'p' ? &o->platforms : &o->data, optarg, &err) < 0)
				return assay_cli_fail(NULL, &err);
			break;
		case 'n':
			o->name = optarg;
			if (assay_manifest_check_name(optarg, &err) < 0)
				return assay_cli_usage_msg(verb, "--name: %s", err.msg);
			break;
		case 'r':
			if (!assay_cli_release_number(optarg, &o->release))
				return assay_cli_usage_msg(verb, "--release: a number from 1 on, not '%s'", optarg);
			break;
		case 'f':
			o->not_before = optarg;
			break;
		case 'x':
			o->expires = optarg;
			break;
		case 'b':
			if (assay_bank_list(optarg, &o->pre.banks, &err) < 0)
				return assay_cli_usage_msg(verb, "%s", err.msg);
			break;
		case 'B':
			for (char *c = optarg; *c; c++)
				if (*c == '\\')
					*c = '/';
			o->pre.boot = optarg;
			break;
		case 'e':
			o->pre.entry = optarg;
			break;
		case 's':
			o->pre.assume_stub = optarg;
			break;
		case 'k':
			o->pre.assume_kernel = optarg;
			break;
		case 'S':
			o->statement = true;
			break;
		case 'o':
			o->out = optarg;
			break;
		default:
			return assay_cli_usage(verb);
		}
	}
	if (argc - optind != 1)
		return assay_cli_usage(verb);
	if (o->platforms.n == 0)
		return assay_cli_usage_msg(verb, "--platform FILE is missing");
	if (!o->name)
		return assay_cli_usage_msg(verb, "--name NAME is missing");
	if (o->release == 0)
		return assay_cli_usage_msg(verb, "--release N is missing");
	return ASSAY_EXIT_OK;
}

int assay_cmd_manifest_create(const struct assay_verb *verb, int argc, char **argv)
{
	struct options o = { 0 };
	int rc = parse(verb, argc, argv, &o);

	if (rc == ASSAY_EXIT_OK)
		rc = create(verb, &o, argv[optind]);
	assay_cli_paths_clear(&o.platforms);
	assay_cli_paths_clear(&o.data);
	return rc;
}
