/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/prediction.h"
#include "core/clock.h"
#include "core/out.h"
#include "manifest/manifest.h"

/* "key     text", which comes out of the file. */
static void print_text(const char *key, const char *text)
{
	printf("%-10s ", key);
	assay_cli_print_line(text ? text : "");
	putchar('\n');
}

static const char *text_of(const struct assay_json *o, const char *key)
{
	const char *s = assay_json_str(assay_json_get(o, key));

	return s ? s : "";
}

static int print_digest(const char *key, const struct assay_json *value, void *arg)
{
	(void)arg;
	printf("           ");
	assay_cli_print_line(key);
	putchar(' ');
	assay_cli_print_line(assay_json_str(value) ? assay_json_str(value) : "");
	putchar('\n');
	return 0;
}

static void print_list(const char *key, const struct assay_json *list, const char *const *members, size_t n)
{
	for (size_t i = 0; i < assay_json_len(list); i++) {
		printf("%-10s", key);
		for (size_t k = 0; k < n; k++) {
			const struct assay_json *value = assay_json_get(assay_json_at(list, i), members[k]);
			int64_t number;

			if (assay_json_is_array(value))
				value = assay_json_at(value, 0);
			putchar(' ');
			if (assay_json_get_int(value, &number))
				printf("partition %" PRId64, number);
			else if (assay_json_str(value))
				assay_cli_print_line(assay_json_str(value));
		}
		putchar('\n');
	}
}

/* banks: those of the tables; 0: all. */
static int print_predictions(const struct assay_manifest *m, bool pcrs, unsigned banks, struct assay_err *err)
{
	for (size_t i = 0; i < assay_json_len(m->predictions); i++) {
		const char *name = assay_manifest_platform(assay_json_at(m->predictions, i));
		ASSAY_AUTO(assay_prediction) *p = NULL;
		unsigned known = 0;

		if (assay_manifest_prediction(m, name, &p, NULL, err) < 0)
			return -1;
		for (unsigned k = 0; k < ASSAY_PREDICTED_PCRS; k++)
			known += p->pcr[k].n > 0;
		printf("%-10s ", "platform");
		assay_cli_print_line(name);
		printf(": %u of %d PCRs have a value, banks", known, ASSAY_PREDICTED_PCRS);
		for (int b = 0; b < ASSAY_N_BANKS; b++)
			if (p->banks & ASSAY_BANK_BIT(b))
				printf(" %s", assay_bank_name((enum assay_bank)b));
		putchar('\n');
		if (pcrs) {
			p->banks &= banks ? banks : ASSAY_ALL_BANKS;
			putchar('\n');
			assay_cli_prediction_print(p);
		}
	}
	return 0;
}

static int print_manifest(const struct assay_envelope *env, const struct assay_manifest *m, bool pcrs, unsigned banks,
			  struct assay_err *err)
{
	static const char *const containers[] = { "names", "image_id", "disk", "archive" };
	static const char *const verity[] = { "root_hash", "disk", "partition" };
	const struct assay_json *tool = assay_json_get(m->predicate, "tool");
	char from[ASSAY_CLOCK_TEXT], until[ASSAY_CLOCK_TEXT];

	printf("%-10s %s, release %" PRIu64 "\n", "manifest", m->name, m->release);
	printf("%-10s from %s to %s\n", "valid", assay_clock_text(m->not_before, from),
	       assay_clock_text(m->expires, until));
	printf("%-10s ", "made by");
	assay_cli_print_line(text_of(tool, "name"));
	putchar(' ');
	assay_cli_print_line(text_of(tool, "version"));
	putchar('\n');
	for (size_t i = 0; i < assay_json_len(m->subject); i++) {
		print_text("subject", text_of(assay_json_at(m->subject, i), "name"));
		(void)assay_json_each(assay_json_get(assay_json_at(m->subject, i), "digest"), print_digest, NULL);
	}
	print_list("verity", assay_json_get(m->predicate, "verity"), verity, sizeof(verity) / sizeof(verity[0]));
	print_list("container", assay_json_get(m->predicate, "containers"), containers,
		   sizeof(containers) / sizeof(containers[0]));
	if (print_predictions(m, pcrs, banks, err) < 0)
		return -1;
	for (size_t i = 0; i < env->n_sigs; i++) {
		printf("%-10s key ", "signature");
		assay_cli_print_line(*env->sigs[i].keyid ? env->sigs[i].keyid : "without a name");
		puts(env->sigs[i].cert ? ", with a certificate; not checked here" : "; not checked here");
	}
	if (env->n_sigs == 0)
		printf("%-10s none\n", "signature");
	return 0;
}

int assay_cmd_manifest_show(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "pcrs", no_argument, NULL, 'p' },
		{ "bank", required_argument, NULL, 'b' },
		{ "statement", no_argument, NULL, 's' },
		{ 0 },
	};
	ASSAY_AUTO(assay_envelope) *env = NULL;
	ASSAY_AUTO(assay_manifest) *m = NULL;
	ASSAY_AUTO(assay_out) *out = NULL;
	bool pcrs = false, statement = false;
	unsigned banks = 0;
	struct assay_err err;
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "", opts)) != -1) {
		if (ch == 'p')
			pcrs = true;
		else if (ch == 's')
			statement = true;
		else if (ch != 'b')
			return assay_cli_usage(verb);
		else if (assay_bank_list(optarg, &banks, &err) < 0)
			return assay_cli_usage_msg(verb, "%s", err.msg);
	}
	if (banks && !pcrs)
		return assay_cli_usage_msg(verb, "--bank is for --pcrs");
	if (argc - optind != 1)
		return assay_cli_usage(verb);
	const char *path = argv[optind];

	if (assay_envelope_load(path, &env, &err) < 0 || assay_manifest_of(env, &m, &err) < 0)
		return assay_cli_fail(path, &err);
	if (!statement)
		return print_manifest(env, m, pcrs, banks, &err) < 0 ? assay_cli_fail(path, &err) : ASSAY_EXIT_OK;
	/* The bytes that are signed, not our way of writing them. */
	if (assay_out_open("-", &out, &err) < 0)
		return assay_cli_fail(path, &err);
	assay_out_write(out, env->payload, env->payload_len);
	return assay_out_commit(out, &err) < 0 ? assay_cli_fail("stdout", &err) : ASSAY_EXIT_OK;
}
