/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/prediction.h"
#include "cli/secret.h"
#include "core/out.h"
#include "core/outdir.h"
#include "core/text.h"
#include "manifest/export.h"

struct options {
	const struct assay_export_format *format;
	const char *platform, *out, *passphrase_file;
	struct assay_export_request req;
};

static int write_file(const struct assay_export_file *file, const char *path, struct assay_err *err)
{
	ASSAY_AUTO(assay_out) *out = NULL;

	if (assay_out_open(path, &out, err) < 0)
		return -1;
	assay_out_write(out, file->data, file->len);
	return assay_out_commit(out, err);
}

static int write_files(const struct assay_export *e, const char *path, struct assay_err *err)
{
	ASSAY_AUTO(assay_outdir) *dir = NULL;

	if (assay_outdir_open(path, &dir, err) < 0)
		return -1;
	for (size_t i = 0; i < e->n; i++)
		if (assay_outdir_add(dir, e->files[i].name, e->files[i].data, e->files[i].len, err) < 0)
			return -1;
	return assay_outdir_commit(dir, err);
}

static int export(const struct assay_verb *verb, const struct options *o, const char *path)
{
	const char *out = o->out ? o->out : "-";
	ASSAY_AUTO(assay_prediction) *p = NULL;
	ASSAY_AUTO(assay_manifest) *m = NULL;
	const struct assay_secret secret = assay_cli_secret(o->passphrase_file);
	struct assay_export_request req = o->req;
	struct assay_export e = { 0 };
	struct assay_err err;
	int rc = ASSAY_EXIT_OK;

	if (assay_cli_prediction_load_with(path, o->platform, &p, &m, &err) < 0)
		return err.code == ASSAY_E_USAGE ? assay_cli_usage_msg(verb, "%s", err.msg) : assay_cli_fail(path, &err);
	req.prediction = p;
	req.manifest = m;
	req.secret = &secret;
	if (assay_export(o->format, &req, &e, &err) < 0)
		return err.code == ASSAY_E_USAGE ? assay_cli_usage_msg(verb, "%s", err.msg) : assay_cli_fail(path, &err);
	for (size_t i = 0; i < e.n_notes; i++)
		fprintf(stderr, "assay export: %s: %s\n", path, e.notes[i]);
	if (o->format->directory ? write_files(&e, out, &err) < 0 : write_file(&e.files[0], out, &err) < 0)
		rc = assay_cli_fail(out, &err);
	assay_export_clear(&e);
	return rc;
}

/* "0,4-7" */
static bool parse_pcrs(const char *text, uint32_t *ret)
{
	uint32_t mask = 0;

	do {
		char *end;
		unsigned long first, last;

		if (*text < '0' || *text > '9')
			return false;
		first = last = strtoul(text, &end, 10);
		if (*end == '-') {
			text = end + 1;
			if (*text < '0' || *text > '9')
				return false;
			last = strtoul(text, &end, 10);
		}
		if (last >= ASSAY_N_PCRS || first > last || (*end != '\0' && *end != ','))
			return false;
		for (unsigned long i = first; i <= last; i++)
			mask |= 1U << i;
		text = end;
	} while (*text++ == ',');
	*ret = mask;
	return true;
}

static int unknown_format(const struct assay_verb *verb, const char *name)
{
	const struct assay_export_format *formats;
	struct assay_str s = { 0 };
	size_t n;

	formats = assay_export_formats(&n);
	for (size_t i = 0; i < n; i++)
		assay_str_add(&s, "%s%s", i ? ", " : "", formats[i].name);
	ASSAY_AUTO_FREE char *names = assay_str_steal(&s);

	return assay_cli_usage_msg(verb, "no format '%s'; there are %s", name, names ? names : "others");
}

int assay_cmd_export(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "format", required_argument, NULL, 'f' },
		{ "platform", required_argument, NULL, 'p' },
		{ "bank", required_argument, NULL, 'b' },
		{ "pcrs", required_argument, NULL, 'P' },
		{ "phase", required_argument, NULL, 'h' },
		{ "key", required_argument, NULL, 'k' },
		{ "passphrase-file", required_argument, NULL, 's' },
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	struct options o = { 0 };
	struct assay_err err;
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "o:", opts)) != -1) {
		switch (ch) {
		case 'f':
			o.format = assay_export_format(optarg);
			if (!o.format)
				return unknown_format(verb, optarg);
			break;
		case 'p':
			o.platform = optarg;
			break;
		case 'b':
			if (assay_bank_list(optarg, &o.req.banks, &err) < 0)
				return assay_cli_usage_msg(verb, "%s", err.msg);
			break;
		case 'P':
			if (!parse_pcrs(optarg, &o.req.pcrs))
				return assay_cli_usage_msg(verb, "--pcrs: PCRs like 0,4-7, not '%s'", optarg);
			break;
		case 'h':
			o.req.phase = optarg;
			break;
		case 'k':
			o.req.key = optarg;
			break;
		case 's':
			o.passphrase_file = optarg;
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
	if (!o.format)
		return assay_cli_usage_msg(verb, "--format FORMAT is missing");
	if (o.format->directory && (!o.out || strcmp(o.out, "-") == 0))
		return assay_cli_usage_msg(verb, "%s is a directory: -o DIR is missing", o.format->name);
	return export(verb, &o, argv[optind]);
}
