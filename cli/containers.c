/* SPDX-License-Identifier: Apache-2.0 */
/* assay containers: the images in container archives, their IDs, and whether their layers are
 * theirs. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/log.h"
#include "core/src.h"
#include "core/text.h"
#include "measure/container/container.h"

struct options {
	bool ids_only;
	bool json;
	bool measurements;
	const char *check; /* container_measurements.json, or NULL */
};

/* --- text ---------------------------------------------------------------------------------------
 */

/* Bytes out of a file, on their way to a terminal. */
static void print_foreign(const char *s)
{
	struct assay_str text = { 0 };

	assay_str_add_escaped(&text, s, strlen(s));
	fputs(text.p ? text.p : "", stdout);
	assay_str_clear(&text);
}

static void print_line(const char *label, const char *text)
{
	printf("  %-9s ", label);
	print_foreign(text);
	putchar('\n');
}

static void print_layer(const struct assay_containers *c, const struct assay_container_image *image,
			size_t i)
{
	const struct assay_container_layer *layer = &image->layers[i];
	const struct assay_container_blob *blob = &c->blobs[layer->blob];
	char want[ASSAY_HEX_MAX], got[ASSAY_HEX_MAX];

	assay_hex(layer->diff_id, 32, want);
	printf("  %-9s ", "layer");
	if (layer->state != ASSAY_LAYER_DIFFERENT)
		printf("sha256:%s%s\n", want,
		       layer->state == ASSAY_LAYER_SAME ? "" : ", not checked");
	else if (blob->damage)
		printf("sha256:%s, DAMAGED: %s\n", want, blob->damage);
	else
		printf("sha256:%s, DIFFERENT: sha256:%s\n", want, assay_hex(blob->sha256, 32, got));
}

static void print_containers(const struct assay_containers *c, const char *path)
{
	printf("%s\n", path);
	for (size_t i = 0; i < c->n_images; i++) {
		const struct assay_container_image *image = &c->images[i];
		char hex[ASSAY_HEX_MAX];

		printf("  %-9s sha256:%s\n", image->attestation ? "attestation" : "image",
		       assay_hex(image->id, 32, hex));
		for (size_t j = 0; j < image->names.n; j++)
			print_line("name", image->names.s[j]);
		for (size_t j = 0; j < image->n_layers; j++)
			print_layer(c, image, j);
		for (size_t j = 0; j < image->disagreements.n; j++)
			print_line("but", image->disagreements.s[j]);
	}
}

/* --- measurements -------------------------------------------------------------------------------
 */

/* Both are sorted. Differences go to stdout, one on a line. */
static bool compare(const struct assay_measurements *want, const struct assay_measurements *have)
{
	char a[ASSAY_HEX_MAX], b[ASSAY_HEX_MAX];
	size_t i = 0, j = 0;
	bool same = true;

	while (i < want->n || j < have->n) {
		const int c = i == want->n   ? 1
			      : j == have->n ? -1
					     : strcmp(want->m[i].name, have->m[j].name);

		if (c < 0) {
			printf("%s: in no archive\n", want->m[i++].name);
			same = false;
		} else if (c > 0) {
			printf("%s: sha256:%s, not listed\n", have->m[j].name,
			       assay_hex(have->m[j].id, 32, b));
			j++;
			same = false;
		} else {
			const bool equal = memcmp(want->m[i].id, have->m[j].id, 32) == 0;

			printf("%s: sha256:%s%s%s\n", want->m[i].name,
			       assay_hex(have->m[j].id, 32, b),
			       equal ? "" : ", DIFFERENT: listed is sha256:",
			       equal ? "" : assay_hex(want->m[i].id, 32, a));
			same = same && equal;
			i++;
			j++;
		}
	}
	return same;
}

static int finish_measurements(const struct options *o, const struct assay_measurements *m)
{
	struct assay_measurements want = { 0 };
	struct assay_err err;

	if (!o->check) {
		ASSAY_AUTO(assay_json) *json = assay_measurements_json(m);

		return assay_cli_write_json(json, "-");
	}
	if (assay_measurements_load(o->check, &want, &err) < 0)
		return assay_cli_fail(o->check, &err);
	const bool same = compare(&want, m);
	assay_measurements_clear(&want);
	return same ? ASSAY_EXIT_OK : ASSAY_EXIT_MISMATCH;
}

/* --- the verb -----------------------------------------------------------------------------------
 */

static int read_archive(const char *path, const struct options *o, struct assay_containers **ret,
			struct assay_err *err)
{
	const struct assay_container_opts opts = { .ids_only = o->ids_only };
	ASSAY_AUTO(assay_src) *src = NULL;
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return assay_containers_read_folder(path, &opts, ret, err);
	if (assay_src_open_file(path, &src, err) < 0)
		return -1;
	return assay_containers_read(src, &opts, ret, err);
}

/* The layers of all images, and what else disagrees: told on stderr where stdout is for a program.
 */
static bool all_verified(const struct options *o, const struct assay_containers *c,
			 const char *path)
{
	bool good = true;

	for (size_t i = 0; i < c->n_images; i++) {
		const struct assay_container_image *image = &c->images[i];
		const bool right = !c->checked || assay_container_verified(c, image);
		char hex[ASSAY_HEX_MAX];

		if (!right && (o->json || o->measurements || o->check))
			assay_log(ASSAY_LOG_WARNING,
				  "%s: a layer of sha256:%s is not what its configuration names",
				  path, assay_hex(image->id, 32, hex));
		good = good && right;
	}
	return good;
}

static int run(const struct options *o, int n, char **paths)
{
	ASSAY_AUTO(assay_json) *list = assay_json_array();
	struct assay_measurements m = { 0 };
	const bool measures = o->measurements || o->check;
	int rc = ASSAY_EXIT_OK;
	bool good = true;

	for (int i = 0; i < n; i++) {
		ASSAY_AUTO(assay_containers) *c = NULL;
		struct assay_err err;

		if (read_archive(paths[i], o, &c, &err) < 0 ||
		    (measures && assay_measurements_add(&m, c, &err) < 0)) {
			rc = assay_cli_fail(paths[i], &err);
			continue;
		}
		good = all_verified(o, c, paths[i]) && good;
		if (measures)
			continue;
		if (o->json)
			assay_containers_json(c, paths[i], list);
		else
			print_containers(c, paths[i]);
	}
	/* Half a list of measurements, or one with wrong layers, is not to be used by anybody. */
	if (measures && rc == ASSAY_EXIT_OK && good)
		rc = finish_measurements(o, &m);
	else if (o->json && !measures && (rc == ASSAY_EXIT_OK || n > 1)) {
		const int written = assay_cli_write_json(list, "-");

		if (written != ASSAY_EXIT_OK)
			rc = written;
	}
	assay_measurements_clear(&m);
	return rc == ASSAY_EXIT_OK && !good ? ASSAY_EXIT_MISMATCH : rc;
}

int assay_cmd_containers(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "ids-only", no_argument, NULL, 'i' },
		{ "json", no_argument, NULL, 'j' },
		{ "measurements", no_argument, NULL, 'm' },
		{ "check", required_argument, NULL, 'c' },
		{ 0 },
	};
	struct options o = { 0 };
	int c;

	while ((c = assay_cli_getopt(verb, argc, argv, "", opts)) != -1) {
		switch (c) {
		case 'i':
			o.ids_only = true;
			break;
		case 'j':
			o.json = true;
			break;
		case 'm':
			o.measurements = true;
			break;
		case 'c':
			o.check = optarg;
			break;
		default:
			return assay_cli_usage(verb);
		}
	}
	if (o.measurements && o.check)
		return assay_cli_usage_msg(verb, "--measurements and --check do not go together");
	if (o.json && (o.measurements || o.check))
		return assay_cli_usage_msg(verb,
					   "--json does not go with --measurements or --check");
	if (optind == argc)
		return assay_cli_usage_msg(verb, "a container archive is missing");
	return run(&o, argc - optind, argv + optind);
}
