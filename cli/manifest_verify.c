/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/release.h"
#include "core/clock.h"
#include "core/limits.h"
#include "core/src.h"
#include "manifest/verify.h"

struct options {
	struct assay_cli_paths keys;
	struct assay_verify_policy policy;
	bool json;
};

/* --- output ------------------------------------------------------------------------------------- */

static void print_sig(const struct assay_verdict *v, size_t i, const struct options *o)
{
	const struct assay_verified_sig *r = &v->sigs[i];

	printf("signature  ");
	if (*r->key)
		printf("%s key %s", assay_key_kind_name(r->kind), r->key);
	if (r->given != SIZE_MAX) {
		printf(", given as ");
		assay_cli_print_line(o->keys.p[r->given]);
	}
	if (*r->text) {
		printf("%s", *r->key ? ": " : "");
		assay_cli_print_line(r->text);
	}
	putchar('\n');
}

static void print_text(const struct assay_verdict *v, const struct options *o)
{
	char from[ASSAY_CLOCK_TEXT], until[ASSAY_CLOCK_TEXT], at[ASSAY_CLOCK_TEXT];
	const struct assay_manifest *m = v->manifest;

	if (m) {
		printf("manifest   %s, release %" PRIu64 "\n", m->name, m->release);
		printf("valid      from %s to %s, judged at %s\n", assay_clock_text(m->not_before, from),
		       assay_clock_text(m->expires, until), assay_clock_text(o->policy.at, at));
	}
	printf("payload    sha256 %s\n", v->payload_sha256);
	for (size_t i = 0; i < v->n_sigs; i++)
		print_sig(v, i, o);
	if (v->refusal == ASSAY_REFUSED_NOT) {
		printf("verified   signed by %u of %u wanted\n", v->counted, v->threshold);
		return;
	}
	printf("REFUSED    %s: ", assay_refusal_name(v->refusal));
	assay_cli_print_line(v->reason);
	putchar('\n');
}

/* --- the work ------------------------------------------------------------------------------------ */

static int load_keys(const struct assay_cli_paths *paths, struct assay_key **keys)
{
	struct assay_err err;

	for (size_t i = 0; i < paths->n; i++)
		if (assay_key_load(paths->p[i], &keys[i], &err) < 0)
			return assay_cli_fail(paths->p[i], &err);
	return ASSAY_EXIT_OK;
}

static int read_file(const char *path, uint8_t **ret, size_t *ret_len, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	/* Base64 takes a third more. */
	if (assay_src_open_file(path, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), 2 * ASSAY_MANIFEST_MAX, ret, err) < 0)
		return -1;
	*ret_len = (size_t)assay_src_size(src);
	return 0;
}

static int judge(struct options *o, const char *path)
{
	ASSAY_AUTO(assay_verdict) *v = NULL;
	ASSAY_AUTO_FREE uint8_t *text = NULL;
	struct assay_err err;
	size_t len;

	if (read_file(path, &text, &len, &err) < 0 ||
	    assay_manifest_verify((const char *)text, len, &o->policy, &v, &err) < 0)
		return assay_cli_fail(path, &err);
	print_text(v, o);
	return v->refusal == ASSAY_REFUSED_NOT ? ASSAY_EXIT_OK : ASSAY_EXIT_MISMATCH;
}

static int verify(struct options *o, const char *path)
{
	struct assay_key **keys = calloc(o->keys.n + 1, sizeof(*keys));
	struct assay_err err;
	int rc;

	if (!keys) {
		(void)assay_fail_mem(&err);
		return assay_cli_fail(NULL, &err);
	}
	rc = load_keys(&o->keys, keys);
	o->policy.keys = (const struct assay_key *const *)keys;
	o->policy.n_keys = o->keys.n;
	if (rc == ASSAY_EXIT_OK)
		rc = judge(o, path);
	for (size_t i = 0; i < o->keys.n; i++)
		assay_key_free(&keys[i]);
	free(keys);
	return rc;
}

static bool number(const char *text, uint64_t *ret)
{
	char *end;

	if (*text < '1' || *text > '9' || strlen(text) > 18)
		return false;
	*ret = strtoull(text, &end, 10);
	return *end == '\0';
}

static int parse(const struct assay_verb *verb, int argc, char **argv, struct options *o)
{
	static const struct option opts[] = {
		{ "key", required_argument, NULL, 'k' },
		{ "threshold", required_argument, NULL, 't' },
		{ "name", required_argument, NULL, 'n' },
		{ "min-release", required_argument, NULL, 'r' },
		{ "at", required_argument, NULL, 'a' },
		{ "ignore-unsigned", no_argument, NULL, 'u' },
		{ 0 },
	};
	const int64_t now = assay_clock_now();
	struct assay_verify_policy *p = &o->policy;
	struct assay_err err;
	uint64_t v;
	int ch;

	p->threshold = 1;
	p->at = now;
	while ((ch = assay_cli_getopt(verb, argc, argv, "", opts)) != -1) {
		switch (ch) {
		case 'k':
			if (assay_cli_paths_add(&o->keys, optarg, &err) < 0)
				return assay_cli_fail(NULL, &err);
			break;
		case 't':
			if (!number(optarg, &v) || v > ASSAY_DSSE_MAX_SIGNATURES)
				return assay_cli_usage_msg(verb, "--threshold: a number from 1 to %u, not '%s'",
							   ASSAY_DSSE_MAX_SIGNATURES, optarg);
			p->threshold = (unsigned)v;
			break;
		case 'n':
			p->name = optarg;
			if (assay_manifest_check_name(optarg, &err) < 0)
				return assay_cli_usage_msg(verb, "--name: %s", err.msg);
			break;
		case 'r':
			if (!number(optarg, &p->min_release))
				return assay_cli_usage_msg(verb, "--min-release: a number from 1 on, not '%s'", optarg);
			break;
		case 'a':
			if (assay_clock_option(optarg, now, &p->at, &err) < 0)
				return assay_cli_usage_msg(verb, "--at: %s", err.msg);
			break;
		case 'u':
			p->ignore_unsigned = true;
			break;
		default:
			return assay_cli_usage(verb);
		}
	}
	if (argc - optind != 1)
		return assay_cli_usage(verb);
	if (o->keys.n == 0)
		return assay_cli_usage_msg(verb, "--key PUB is missing");
	if (p->threshold > o->keys.n)
		return assay_cli_usage_msg(verb, "--threshold %u cannot be reached with %zu keys", p->threshold, o->keys.n);
	return ASSAY_EXIT_OK;
}

int assay_cmd_manifest_verify(const struct assay_verb *verb, int argc, char **argv)
{
	struct options o = { 0 };
	int rc = parse(verb, argc, argv, &o);

	if (rc == ASSAY_EXIT_OK)
		rc = verify(&o, argv[optind]);
	assay_cli_paths_clear(&o.keys);
	return rc;
}
