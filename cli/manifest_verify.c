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
#include "manifest/releases.h"

struct options {
	struct assay_cli_paths keys, identities;
	struct assay_verify_policy policy;
	const char *ca, *state;
	bool json;
};

/* --- output ------------------------------------------------------------------------------------- */

static void print_sig(const struct assay_verified_sig *r, const struct options *o)
{
	printf("signature  ");
	if (*r->key)
		printf("%s key %s", assay_key_kind_name(r->kind), r->key);
	if (r->given != SIZE_MAX) {
		printf(", given as ");
		assay_cli_print_line(o->keys.p[r->given]);
	}
	if (r->identity != SIZE_MAX) {
		printf(", certified as ");
		assay_cli_print_line(o->identities.p[r->identity]);
	}
	if (*r->text) {
		printf("%snot counted: ", *r->key ? "; " : "");
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
		print_sig(&v->sigs[i], o);
	if (v->refusal != ASSAY_REFUSED_NOT) {
		printf("REFUSED    %s: ", assay_refusal_name(v->refusal));
		assay_cli_print_line(v->reason);
		putchar('\n');
		return;
	}
	printf("verified   %u %s, %u wanted; valid then%s%s%s\n", v->counted, v->counted == 1 ? "signer" : "signers",
	       v->threshold, o->policy.name ? "; the name" : "", o->policy.min_release ? "; the lowest release" : "",
	       o->state ? "; no older than what was accepted before" : "");
}

static struct assay_json *sig_json(const struct assay_verified_sig *r, const struct options *o)
{
	struct assay_json *j = assay_json_object();

	assay_json_set_bool(j, "counted", r->counted);
	assay_json_set_str(j, "key", *r->key ? r->key : NULL);
	assay_json_set_str(j, "kind", *r->key ? assay_key_kind_name(r->kind) : NULL);
	assay_json_set_str(j, "given", r->given != SIZE_MAX ? o->keys.p[r->given] : NULL);
	assay_json_set_str(j, "identity", r->identity != SIZE_MAX ? o->identities.p[r->identity] : NULL);
	assay_json_set_str(j, "refusal", r->why != ASSAY_REFUSED_NOT ? assay_refusal_name(r->why) : NULL);
	assay_json_set_str(j, "reason", *r->text ? r->text : NULL);
	return j;
}

static struct assay_json *manifest_json(const struct assay_manifest *m)
{
	struct assay_json *j = assay_json_object();
	char text[ASSAY_CLOCK_TEXT];

	assay_json_set_str(j, "name", m->name);
	assay_json_set_int(j, "release", m->release);
	assay_json_set_str(j, "not_before", assay_clock_text(m->not_before, text));
	assay_json_set_str(j, "expires", assay_clock_text(m->expires, text));
	return j;
}

static int print_json(const struct assay_verdict *v, const struct options *o)
{
	ASSAY_AUTO(assay_json) *j = assay_json_object();
	struct assay_json *sigs = assay_json_array();
	char text[ASSAY_CLOCK_TEXT];

	for (size_t i = 0; i < v->n_sigs; i++)
		assay_json_append(sigs, sig_json(&v->sigs[i], o));
	assay_json_set_str(j, "schema", "assay.verification/1");
	assay_json_set_bool(j, "verified", v->refusal == ASSAY_REFUSED_NOT);
	assay_json_set_str(j, "refusal", v->refusal != ASSAY_REFUSED_NOT ? assay_refusal_name(v->refusal) : NULL);
	assay_json_set_str(j, "reason", v->refusal != ASSAY_REFUSED_NOT ? v->reason : NULL);
	assay_json_set_str(j, "at", assay_clock_text(o->policy.at, text));
	assay_json_set_int(j, "counted", v->counted);
	assay_json_set_int(j, "threshold", v->threshold);
	assay_json_set_str(j, "payload_sha256", v->payload_sha256);
	assay_json_set(j, "manifest", v->manifest ? manifest_json(v->manifest) : assay_json_null());
	assay_json_set(j, "signatures", sigs);
	return assay_cli_write_json(j, "-");
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
	bool is_new = false;
	size_t len;
	int rc = ASSAY_EXIT_OK;

	if (read_file(path, &text, &len, &err) < 0 ||
	    assay_manifest_verify((const char *)text, len, &o->policy, &v, &err) < 0)
		return assay_cli_fail(path, &err);
	if (o->state && assay_releases_accept(o->state, v, &is_new, &err) < 0)
		return assay_cli_fail(o->state, &err);
	if (o->json)
		rc = print_json(v, o);
	else
		print_text(v, o);
	if (rc != ASSAY_EXIT_OK)
		return rc;
	return v->refusal == ASSAY_REFUSED_NOT ? ASSAY_EXIT_OK : ASSAY_EXIT_MISMATCH;
}

static int verify(struct options *o, const char *path)
{
	ASSAY_AUTO(assay_ca) *ca = NULL;
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
	if (rc == ASSAY_EXIT_OK && o->ca && assay_ca_load(o->ca, &ca, &err) < 0)
		rc = assay_cli_fail(o->ca, &err);
	o->policy.ca = ca;
	o->policy.identities = (const char *const *)o->identities.p;
	o->policy.n_identities = o->identities.n;
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

static int check_options(const struct assay_verb *verb, const struct options *o)
{
	const size_t n = o->keys.n + o->identities.n;

	if (!o->ca != (o->identities.n == 0))
		return assay_cli_usage_msg(verb, "--ca FILE and --identity NAME belong together");
	if (n == 0)
		return assay_cli_usage_msg(verb, "neither --key PUB nor --ca CA.pem --identity NAME says who may sign");
	if (o->policy.threshold > n)
		return assay_cli_usage_msg(verb, "--threshold %u cannot be reached with %zu who may sign",
					   o->policy.threshold, n);
	return ASSAY_EXIT_OK;
}

static int parse(const struct assay_verb *verb, int argc, char **argv, struct options *o)
{
	static const struct option opts[] = {
		{ "key", required_argument, NULL, 'k' },
		{ "ca", required_argument, NULL, 'c' },
		{ "identity", required_argument, NULL, 'i' },
		{ "state", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
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
		case 'i':
			if (assay_cli_paths_add(ch == 'k' ? &o->keys : &o->identities, optarg, &err) < 0)
				return assay_cli_fail(NULL, &err);
			break;
		case 'c':
			o->ca = optarg;
			break;
		case 's':
			o->state = optarg;
			break;
		case 'j':
			o->json = true;
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
	return check_options(verb, o);
}

int assay_cmd_manifest_verify(const struct assay_verb *verb, int argc, char **argv)
{
	struct options o = { 0 };
	int rc = parse(verb, argc, argv, &o);

	if (rc == ASSAY_EXIT_OK)
		rc = verify(&o, argv[optind]);
	assay_cli_paths_clear(&o.keys);
	assay_cli_paths_clear(&o.identities);
	return rc;
}
