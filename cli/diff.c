/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/disk.h"
#include "cli/release.h"
#include "core/text.h"
#include "manifest/diff.h"

struct options {
	struct assay_cli_paths platforms;
	struct assay_disk_opts disk;
	bool json;
};

/* What a side owns. */
struct side {
	const char *path;
	struct assay_manifest *manifest;
	struct assay_src *disk;
	struct assay_image *image;
	struct assay_disk_info info;
	struct assay_json *facts, *data; /* of a disk */
	struct assay_prediction **predictions;
	size_t n_predictions;
};

static void clear(struct side *s)
{
	for (size_t i = 0; i < s->n_predictions; i++)
		assay_prediction_free(&s->predictions[i]);
	free(s->predictions);
	assay_json_free(&s->facts);
	assay_json_free(&s->data);
	assay_image_free(&s->image);
	assay_src_free(&s->disk);
	assay_manifest_free(&s->manifest);
}

/* --- opening ------------------------------------------------------------------------------------ */

/* A manifest is JSON, and no disk begins so. */
static int is_manifest(const char *path, bool *ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	char head[64];

	if (assay_src_open_file(path, &src, err) < 0)
		return -1;
	const size_t n = assay_src_size(src) < sizeof(head) ? (size_t)assay_src_size(src) : sizeof(head);
	if (assay_src_read(src, 0, head, n, err) < 0)
		return -1;
	*ret = false;
	for (size_t i = 0; i < n; i++) {
		if (strchr(" \t\r\n", head[i]) && head[i])
			continue;
		*ret = head[i] == '{';
		break;
	}
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int open_side(struct side *s, const struct assay_disk_opts *opts, struct assay_err *err)
{
	bool manifest;

	if (is_manifest(s->path, &manifest, err) < 0)
		return -1;
	if (manifest)
		return assay_manifest_load(s->path, &s->manifest, err);
	if (assay_disk_open(s->path, opts, &s->disk, &s->info, err) < 0)
		return -1;
	if (assay_image_open(s->disk, base_name(s->path), &s->image, err) == 0) {
		s->image->file = s->info;
		s->image->initrds = true;
		return 0;
	}
	/* Without a partition table, or without an ESP: a data disk. */
	return err->code == ASSAY_E_NOTFOUND ? 0 : -1;
}

/* --- measuring ---------------------------------------------------------------------------------- */

static const char *option(const struct assay_json *options, const char *key)
{
	return assay_json_str(assay_json_get(options, key));
}

/* A manifest's own options hold for the disk that it is compared with. */
static void take_options(const struct assay_manifest *m, struct assay_precompute_options *ret)
{
	const struct assay_json *o = m ? assay_json_get(m->predicate, "options") : NULL;

	ret->boot = option(o, "boot");
	ret->entry = option(o, "entry");
	ret->assume_stub = option(o, "assume_stub");
	ret->assume_kernel = option(o, "assume_kernel");
}

static int measure(struct side *s, const struct assay_precompute_options *pre, struct assay_err *err)
{
	const struct assay_facts_options options = {
		.boot = pre->boot,
		.banks = ASSAY_BANK_BIT(ASSAY_SHA256),
		.partitions = true,
	};
	ASSAY_AUTO(assay_links) *links = NULL;
	struct assay_json *data = NULL;

	if (s->image)
		return assay_image_facts(s->image, &options, &s->facts, &links, err);
	if (assay_data_facts(s->disk, base_name(s->path), &s->info, &options, &data, &links, err) < 0)
		return -1;
	s->data = assay_json_array();
	assay_json_append(s->data, data);
	return s->data ? 0 : assay_fail_mem(err);
}

static int predict(struct side *s, const struct assay_precompute_options *given,
		   struct assay_platform *const *platforms, size_t n, struct assay_err *err)
{
	struct assay_precompute_options pre = *given;

	/* Facts tell which links hold; what a machine measures does not depend on them. */
	pre.skip_chain = true;
	pre.no_image_digest = true;
	for (size_t i = 0; i < n; i++) {
		if (assay_precompute(s->image, platforms[i], &pre, &s->predictions[i], err) < 0)
			return assay_wrap(err, "platform %s", platforms[i]->name);
		s->n_predictions++;
	}
	return 0;
}

static int read_predictions(struct side *s, struct assay_err *err)
{
	const struct assay_json *list = s->manifest->predictions;

	for (size_t i = 0; i < assay_json_len(list); i++) {
		if (assay_manifest_prediction(s->manifest, assay_manifest_platform(assay_json_at(list, i)),
					      &s->predictions[i], NULL, err) < 0)
			return -1;
		s->n_predictions++;
	}
	return 0;
}

/* `other`: the side that it is compared with. */
static int fill(struct side *s, const struct side *other, struct assay_platform *const *platforms, size_t n,
		struct assay_err *err)
{
	const size_t room = s->manifest ? assay_json_len(s->manifest->predictions) : n;
	struct assay_precompute_options pre = { 0 };

	s->predictions = calloc(room + 1, sizeof(struct assay_prediction *));
	if (!s->predictions)
		return assay_fail_mem(err);
	if (s->manifest)
		return read_predictions(s, err);
	take_options(other->manifest, &pre);
	if (measure(s, &pre, err) < 0)
		return -1;
	return s->image ? predict(s, &pre, platforms, n, err) : 0;
}

/* --- words -------------------------------------------------------------------------------------- */

/* Quotes and backslashes are what paths and command lines are made of: they stay, and nothing else that steers. */
static void print_words(const char *s)
{
	for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
		if (*p >= 0x20 && *p < 0x7f)
			putchar(*p);
		else
			printf("\\x%02x", *p);
	}
}

static void print_mask(uint32_t mask)
{
	const char *sep = "PCR ";

	if (!mask)
		printf("no PCR");
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
		if (!(mask & 1U << i))
			continue;
		printf("%s%u", sep, i);
		sep = ", ";
	}
}

/* "  (PCR 4, 9)"; where platforms differ, each for itself. */
static void print_pcrs(const struct assay_diff *d, const struct assay_diff_change *c)
{
	bool alike = true;

	if (d->n_platforms == 0 || !c->pcrs || strcmp(c->kind, "manifest") == 0)
		return;
	for (size_t i = 1; i < d->n_platforms; i++)
		alike = alike && c->pcrs[i] == c->pcrs[0];
	printf("  (");
	for (size_t i = 0; i < (alike ? 1 : d->n_platforms); i++) {
		printf("%s", i ? "; " : "");
		print_mask(c->pcrs[i]);
		if (!alike) {
			printf(" on ");
			print_words(d->platforms[i].name);
		}
	}
	putchar(')');
}

static void print_change(const struct assay_diff *d, const struct assay_diff_change *c)
{
	print_words(c->what);
	printf(": ");
	print_words(c->text);
	print_pcrs(d, c);
	putchar('\n');
	for (size_t i = 0; i < c->n_details; i++) {
		printf("    ");
		print_words(c->details[i]);
		putchar('\n');
	}
	if (c->n_more)
		printf("    and %zu more\n", c->n_more);
}

static void print(const struct assay_diff *d)
{
	for (size_t i = 0; i < d->n; i++)
		print_change(d, d->changes[i]);
	if (d->n == 0)
		puts("the same");
	for (size_t i = 0; i < d->n_platforms; i++) {
		printf("on platform ");
		print_words(d->platforms[i].name);
		printf(": ");
		print_mask(d->platforms[i].moved);
		puts(d->platforms[i].moved & (d->platforms[i].moved - 1) ? " move" : " moves");
	}
	for (size_t i = 0; i < d->n_notes; i++) {
		printf("not compared: ");
		print_words(d->notes[i]);
		putchar('\n');
	}
	if (d->n && d->n_platforms == 0)
		puts("not compared: PCRs; --platform FILE.yaml names the machine to compare them on");
}

/* --- the verb ----------------------------------------------------------------------------------- */

static struct assay_json *side_json(const struct side *s)
{
	struct assay_json *o = assay_json_object();

	assay_json_set_str(o, "name", base_name(s->path));
	assay_json_set_str(o, "kind", s->manifest ? "manifest" : s->image ? "disk" : "data disk");
	return o;
}

static int report(const struct options *o, const struct side s[2], const struct assay_diff *diff)
{
	const int rc = diff->n ? ASSAY_EXIT_MISMATCH : ASSAY_EXIT_OK;
	ASSAY_AUTO(assay_json) *json = NULL;

	if (!o->json) {
		print(diff);
		return rc;
	}
	json = assay_diff_json(diff);
	assay_json_set(json, "a", side_json(&s[0]));
	assay_json_set(json, "b", side_json(&s[1]));
	return assay_cli_write_json(json, "-") == ASSAY_EXIT_OK ? rc : ASSAY_EXIT_FAIL;
}

/* An OS disk is compared with OS disks only. */
static int check_kinds(const struct side s[2], struct assay_err *err)
{
	const bool os[2] = { s[0].manifest || s[0].image, s[1].manifest || s[1].image };

	if (os[0] == os[1])
		return ASSAY_EXIT_OK;
	assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "nothing boots from this disk, and from %s something does",
		   base_name(s[os[0] ? 0 : 1].path));
	return assay_cli_fail(s[os[0] ? 1 : 0].path, err);
}

static int run(const struct options *o, struct side s[2], struct assay_platform **platforms)
{
	struct assay_diff_side sides[2];
	ASSAY_AUTO(assay_diff) *diff = NULL;
	struct assay_err err;

	for (size_t i = 0; i < o->platforms.n; i++) {
		if (assay_platform_load(o->platforms.p[i], &platforms[i], &err) < 0)
			return assay_cli_fail(o->platforms.p[i], &err);
		for (size_t k = 0; k < i; k++)
			if (strcmp(platforms[i]->name, platforms[k]->name) == 0) {
				assay_fail(&err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "two profiles of platform %s", platforms[i]->name);
				return assay_cli_fail(o->platforms.p[i], &err);
			}
	}
	for (int i = 0; i < 2; i++)
		if (open_side(&s[i], &o->disk, &err) < 0)
			return assay_cli_fail(s[i].path, &err);
	if (check_kinds(s, &err) != ASSAY_EXIT_OK)
		return ASSAY_EXIT_FAIL;
	for (int i = 0; i < 2; i++) {
		if (fill(&s[i], &s[!i], platforms, o->platforms.n, &err) < 0)
			return assay_cli_fail(s[i].path, &err);
		sides[i] = (struct assay_diff_side){
			.manifest = s[i].manifest,
			.facts = s[i].manifest ? s[i].manifest->facts : s[i].facts,
			.data = s[i].manifest ? s[i].manifest->data : s[i].data,
			.disk = s[i].disk,
			.predictions = s[i].predictions,
			.n_predictions = s[i].n_predictions,
		};
	}
	if (assay_diff_make(sides, &diff, &err) < 0)
		return assay_cli_fail(NULL, &err);
	return report(o, s, diff);
}

int assay_cmd_diff(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		ASSAY_CLI_DISK_OPTION,
		{ "platform", required_argument, NULL, 'p' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	struct options o = { 0 };
	struct side s[2] = { { 0 } };
	struct assay_err err;
	int ch, rc = ASSAY_EXIT_OK;

	while (rc == ASSAY_EXIT_OK && (ch = assay_cli_getopt(verb, argc, argv, "", opts)) != -1) {
		if (ch == ASSAY_CLI_ALLOW_BACKING)
			o.disk.allow_backing = true;
		else if (ch == 'p')
			rc = assay_cli_paths_add(&o.platforms, optarg, &err) < 0 ? assay_cli_fail(NULL, &err) : rc;
		else if (ch == 'j')
			o.json = true;
		else
			rc = assay_cli_usage(verb);
	}
	if (rc == ASSAY_EXIT_OK && argc - optind != 2)
		rc = assay_cli_usage(verb);
	if (rc == ASSAY_EXIT_OK) {
		struct assay_platform **platforms = calloc(o.platforms.n + 1, sizeof(struct assay_platform *));

		s[0].path = argv[optind];
		s[1].path = argv[optind + 1];
		if (platforms) {
			rc = run(&o, s, platforms);
		} else {
			assay_fail_mem(&err);
			rc = assay_cli_fail(NULL, &err);
		}
		for (size_t i = 0; platforms && i < o.platforms.n; i++)
			assay_platform_free(&platforms[i]);
		free(platforms);
		clear(&s[0]);
		clear(&s[1]);
	}
	assay_cli_paths_clear(&o.platforms);
	return rc;
}
