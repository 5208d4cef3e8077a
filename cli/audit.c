/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/disk.h"
#include "cli/profiles.h"
#include "cli/release.h"
#include "core/clock.h"
#include "core/text.h"

#define AUDIT_SCHEMA "assay.audit/1"
#define VALUE_MAX 200 /* characters of a value in words; --json has all of it */

struct options {
	struct assay_cli_paths data, platforms;
	struct assay_disk_opts disk;
	const char *file, *path; /* the manifest; the disk */
	const char *name, *not_before, *expires;
	uint64_t release;
	bool json;
};

/* All that is open while a manifest is audited. */
struct audit {
	const struct options *o;
	struct assay_manifest *manifest;
	struct assay_src *disk;
	struct assay_cli_release r;
	struct assay_cli_profiles profiles;
	struct assay_audit *result;
};

static const char *verdict(const struct assay_audit *a)
{
	if (a->count[ASSAY_CLAIM_DIFFERS])
		return "differs";
	return a->count[ASSAY_CLAIM_NOT_RECOMPUTED] ? "incomplete" : "agrees";
}

/* The name that the manifest has for the i-th data disk that was given; NULL: it has none. */
static const char *data_as(const struct audit *a, size_t i)
{
	const size_t k = a->result->data_index[i];
	const struct assay_json *image = assay_json_get(assay_json_at(a->manifest->data, k), "image");

	return k == SIZE_MAX ? NULL : assay_json_str(assay_json_get(image, "name"));
}

/* --- in words ----------------------------------------------------------------------------------- */

static void print_value(const struct assay_json *v)
{
	const char *s = assay_json_str(v);
	bool flag;
	int64_t n;

	if (s) {
		ASSAY_AUTO_FREE char *some = strndup(s, VALUE_MAX);

		assay_cli_print_foreign(some ? some : "");
		if (strlen(s) > VALUE_MAX)
			fputs("...", stdout);
		if (!*s)
			fputs("an empty text", stdout);
	} else if (assay_json_get_int(v, &n)) {
		printf("%" PRId64, n);
	} else if (assay_json_get_bool(v, &flag)) {
		fputs(flag ? "true" : "false", stdout);
	} else if (assay_json_is_object(v)) {
		printf("an object of %zu members", assay_json_len(v));
	} else if (assay_json_is_array(v)) {
		printf("a list of %zu", assay_json_len(v));
	} else {
		fputs("null", stdout); /* or a text with a NUL, which --json shows */
	}
}

static void print_difference(const struct assay_claim *c)
{
	if (!c->manifest && !c->recomputed) /* a broken link, and the like: `why` says all */
		return;
	fputs(": ", stdout);
	if (!c->manifest) {
		fputs("the manifest lacks it, recomputed ", stdout);
		print_value(c->recomputed);
		return;
	}
	fputs("the manifest says ", stdout);
	print_value(c->manifest);
	if (c->recomputed) {
		fputs(", recomputed ", stdout);
		print_value(c->recomputed);
	} else {
		fputs(", which was not found", stdout);
	}
}

/* Words of ours, with names out of files in them. */
static void print_why(const char *s)
{
	while (*s) {
		const size_t n = strcspn(s, "'\"");
		ASSAY_AUTO_FREE char *some = strndup(s, n);

		assay_cli_print_foreign(some ? some : "");
		s += n;
		if (*s)
			putchar(*s++);
	}
}

static void print_claim(const struct assay_claim *c)
{
	printf("%-15s ", assay_claim_state_name(c->state));
	assay_cli_print_foreign(c->what);
	if (c->state == ASSAY_CLAIM_DIFFERS) {
		print_difference(c);
	} else if (c->manifest) {
		fputs(": ", stdout);
		print_value(c->manifest);
	} else if (c->values) {
		printf(", %zu value%s", c->values, c->values == 1 ? "" : "s");
	}
	if (c->why) {
		fputs("; ", stdout);
		print_why(c->why);
	}
	if (c->state == ASSAY_CLAIM_DIFFERS) {
		fputs("  (", stdout);
		assay_cli_print_foreign(c->path);
		putchar(')');
	}
	putchar('\n');
}

static void print_disk(const char *key, const char *path, const char *as)
{
	printf("%-15s ", key);
	assay_cli_print_foreign(path);
	if (as) {
		fputs(" as ", stdout);
		assay_cli_print_foreign(as);
	} else {
		fputs(", which the manifest does not know", stdout);
	}
	putchar('\n');
}

static void print_audit(const struct audit *a)
{
	const struct assay_json *image = assay_json_get(a->manifest->facts, "image");
	const char *as = assay_json_str(assay_json_get(image, "name"));

	printf("%-15s %s, release %" PRIu64 "\n", "manifest", a->manifest->name, a->manifest->release);
	printf("%-15s not checked here: assay manifest verify does that\n", "signatures");
	print_disk("disk", a->o->path, as ? as : "");
	for (size_t i = 0; i < a->r.n_data; i++)
		print_disk("data", a->o->data.p[i], data_as(a, i));
	for (size_t i = 0; i < a->r.n_platforms; i++) {
		printf("%-15s ", "profile");
		assay_cli_print_foreign(a->r.platforms[i]->name);
		fputs(": ", stdout);
		assay_cli_print_foreign(a->profiles.p[i].path);
		puts(a->profiles.p[i].found ? ", found beside the manifest" : "");
	}
	putchar('\n');
	for (size_t i = 0; i < a->result->n; i++)
		print_claim(&a->result->claims[i]);
	printf("%zu claims: %zu agree, %zu declared, %zu not recomputed, %zu differ\n", a->result->n,
	       a->result->count[ASSAY_CLAIM_AGREES], a->result->count[ASSAY_CLAIM_DECLARED],
	       a->result->count[ASSAY_CLAIM_NOT_RECOMPUTED], a->result->count[ASSAY_CLAIM_DIFFERS]);
}

/* --- as JSON ------------------------------------------------------------------------------------ */

static struct assay_json *claim_json(const struct assay_claim *c)
{
	struct assay_json *o = assay_json_object();

	assay_json_set_str(o, "state", assay_claim_state_name(c->state));
	assay_json_set_str(o, "path", c->path);
	assay_json_set_str(o, "what", c->what);
	assay_json_set_int(o, "values", c->values);
	if (c->manifest)
		assay_json_set(o, "manifest", assay_json_copy(c->manifest));
	if (c->recomputed)
		assay_json_set(o, "recomputed", assay_json_copy(c->recomputed));
	if (c->why)
		assay_json_set_str(o, "why", c->why);
	return o;
}

static struct assay_json *disk_json(const char *kind, const char *file, const char *as)
{
	struct assay_json *o = assay_json_object();

	assay_json_set_str(o, "kind", kind);
	assay_json_set_str(o, "file", file);
	if (as)
		assay_json_set_str(o, "as", as);
	return o;
}

static struct assay_json *audit_json(const struct audit *a)
{
	static const char *const keys[] = { "agrees", "declared", "not_recomputed", "differs" };
	const struct assay_json *image = assay_json_get(a->manifest->facts, "image");
	struct assay_json *o = assay_json_object();
	struct assay_json *disks = assay_json_array(), *profiles = assay_json_array();
	struct assay_json *claims = assay_json_array(), *count = assay_json_object();

	assay_json_append(disks, disk_json("disk", a->o->path, assay_json_str(assay_json_get(image, "name"))));
	for (size_t i = 0; i < a->r.n_data; i++)
		assay_json_append(disks, disk_json("data", a->o->data.p[i], data_as(a, i)));
	for (size_t i = 0; i < a->r.n_platforms; i++) {
		struct assay_json *p = assay_json_object();

		assay_json_set_str(p, "platform", a->r.platforms[i]->name);
		assay_json_set_str(p, "file", a->profiles.p[i].path);
		assay_json_set(p, "digest", assay_json_digests(&a->r.platforms[i]->digest));
		assay_json_set_bool(p, "given", !a->profiles.p[i].found);
		assay_json_append(profiles, p);
	}
	for (size_t i = 0; i < a->result->n; i++)
		assay_json_append(claims, claim_json(&a->result->claims[i]));
	for (int i = 0; i < ASSAY_N_CLAIM_STATES; i++)
		assay_json_set_int(count, keys[i], a->result->count[i]);
	assay_json_set_str(o, "schema", AUDIT_SCHEMA);
	assay_json_set_str(o, "name", a->manifest->name);
	assay_json_set_int(o, "release", a->manifest->release);
	assay_json_set_str(o, "verdict", verdict(a->result));
	assay_json_set_bool(o, "signatures_checked", false);
	assay_json_set(o, "disks", disks);
	assay_json_set(o, "profiles", profiles);
	assay_json_set(o, "count", count);
	assay_json_set(o, "claims", claims);
	return o;
}

/* --- the verb ----------------------------------------------------------------------------------- */

static int report(const struct audit *a)
{
	if (a->o->json) {
		ASSAY_AUTO(assay_json) *json = audit_json(a);

		if (assay_cli_write_json(json, "-") != ASSAY_EXIT_OK)
			return ASSAY_EXIT_FAIL;
	} else {
		print_audit(a);
	}
	if (a->result->count[ASSAY_CLAIM_DIFFERS])
		return ASSAY_EXIT_MISMATCH;
	return a->result->count[ASSAY_CLAIM_NOT_RECOMPUTED] ? ASSAY_EXIT_FAIL : ASSAY_EXIT_OK;
}

static int expect(const struct assay_verb *verb, const struct options *o, struct assay_audit_expect *ret)
{
	struct assay_err err;

	*ret = (struct assay_audit_expect){ .name = o->name, .release = o->release, .not_before = -1, .expires = -1 };
	if (o->not_before && assay_clock_option(o->not_before, 0, &ret->not_before, &err) < 0)
		return assay_cli_usage_msg(verb, "--not-before: %s", err.msg);
	if (o->expires && *o->expires == '+' && !o->not_before)
		return assay_cli_usage_msg(verb, "--expires %s is from --not-before on, which is missing", o->expires);
	if (o->expires && assay_clock_option(o->expires, ret->not_before, &ret->expires, &err) < 0)
		return assay_cli_usage_msg(verb, "--expires: %s", err.msg);
	return ASSAY_EXIT_OK;
}

static int audit(const struct assay_verb *verb, struct audit *a)
{
	const struct options *o = a->o;
	struct assay_audit_input in = { 0 };
	struct assay_err err;
	int rc = expect(verb, o, &in.expect);

	if (rc != ASSAY_EXIT_OK)
		return rc;
	if (assay_manifest_load(o->file, &a->manifest, &err) < 0)
		return assay_cli_fail(o->file, &err);
	if (assay_cli_disk_open(o->path, &o->disk, &a->disk, &err) < 0)
		return assay_cli_fail(o->path, &err);
	if (assay_src_size(a->disk) == 0) {
		assay_fail(&err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "an empty file is no disk");
		return assay_cli_fail(o->path, &err);
	}
	rc = assay_cli_release_data(&o->data, &o->disk, &a->r);
	if (rc == ASSAY_EXIT_OK)
		rc = assay_cli_release_platforms(&o->platforms, &a->r);
	if (rc == ASSAY_EXIT_OK)
		rc = assay_cli_profiles_find(o->file, a->manifest, &o->platforms, &a->r, &a->profiles);
	if (rc != ASSAY_EXIT_OK)
		return rc;
	in.manifest = a->manifest;
	in.disk = a->disk;
	in.data = a->r.data;
	in.n_data = a->r.n_data;
	in.platforms = a->r.platforms;
	in.n_platforms = a->r.n_platforms;
	if (assay_audit_run(&in, &a->result, &err) < 0)
		return assay_cli_fail(o->path, &err);
	return report(a);
}

static int parse(const struct assay_verb *verb, int argc, char **argv, struct options *o)
{
	static const struct option opts[] = {
		ASSAY_CLI_DISK_OPTION,
		{ "disk", required_argument, NULL, 'D' },
		{ "data", required_argument, NULL, 'd' },
		{ "platform", required_argument, NULL, 'p' },
		{ "name", required_argument, NULL, 'n' },
		{ "release", required_argument, NULL, 'r' },
		{ "not-before", required_argument, NULL, 'f' },
		{ "expires", required_argument, NULL, 'x' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	struct assay_err err;
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "", opts)) != -1) {
		switch (ch) {
		case ASSAY_CLI_ALLOW_BACKING:
			o->disk.allow_backing = true;
			break;
		case 'D':
			if (o->path)
				return assay_cli_usage_msg(verb, "--disk stands there twice");
			o->path = optarg;
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
		case 'j':
			o->json = true;
			break;
		default:
			return assay_cli_usage(verb);
		}
	}
	if (argc - optind != 1)
		return assay_cli_usage(verb);
	o->file = argv[optind];
	if (!o->path)
		return assay_cli_usage_msg(verb, "--disk DISK is missing");
	return ASSAY_EXIT_OK;
}

int assay_cmd_audit(const struct assay_verb *verb, int argc, char **argv)
{
	struct options o = { 0 };
	struct audit a = { .o = &o };
	int rc = parse(verb, argc, argv, &o);

	if (rc == ASSAY_EXIT_OK)
		rc = audit(verb, &a);
	assay_audit_free(&a.result);
	assay_cli_profiles_clear(&a.profiles);
	assay_cli_release_clear(&a.r);
	assay_src_free(&a.disk);
	assay_manifest_free(&a.manifest);
	assay_cli_paths_clear(&o.platforms);
	assay_cli_paths_clear(&o.data);
	return rc;
}
