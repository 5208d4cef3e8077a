/* SPDX-License-Identifier: Apache-2.0 */
/* assay containers: the images in container archives and disks, their IDs, and whether their layers
 * are theirs. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/disk.h"
#include "core/log.h"
#include "core/src.h"
#include "core/text.h"
#include "measure/container/find.h"
#include "measure/disk/gpt.h"

struct options {
	bool ids_only;
	bool json;
	bool measurements;
	const char *check; /* container_measurements.json, or NULL */
	struct assay_disk_opts disk;
};

/* --- text ---------------------------------------------------------------------------------------
 */

static void print_line(const char *label, const char *text)
{
	printf("  %-9s ", label);
	assay_cli_print_foreign(text);
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

/* Differences go to stdout, one on a line. */
static bool print_measured(const struct assay_listed *m)
{
	char a[ASSAY_HEX_MAX], b[ASSAY_HEX_MAX];

	printf("%s: ", m->name);
	switch (m->state) {
	case ASSAY_LISTED_MISSING:
		puts("in no archive");
		break;
	case ASSAY_LISTED_UNLISTED:
		printf("sha256:%s, not listed\n", assay_hex(m->found->id, 32, a));
		break;
	case ASSAY_LISTED_DIFFERS:
		printf("sha256:%s, DIFFERENT: listed is sha256:%s\n",
		       assay_hex(m->found->id, 32, a), assay_hex(m->listed->id, 32, b));
		break;
	case ASSAY_LISTED_AGREES:
		printf("sha256:%s\n", assay_hex(m->found->id, 32, a));
		break;
	}
	return m->state == ASSAY_LISTED_AGREES;
}

static int finish_measurements(const struct options *o, const struct assay_measurements *found)
{
	struct assay_measurements listed = { 0 };
	ASSAY_AUTO_FREE struct assay_listed *m = NULL;
	bool same = true;
	struct assay_err err;
	size_t n = 0;

	if (!o->check) {
		ASSAY_AUTO(assay_json) *json = assay_measurements_json(found);

		return assay_cli_write_json(json, "-");
	}
	if (assay_measurements_load(o->check, &listed, &err) < 0)
		return assay_cli_fail(o->check, &err);
	const int rc = assay_measurements_compare(&listed, found, &m, &n, &err);
	for (size_t i = 0; rc == 0 && i < n; i++)
		same = print_measured(&m[i]) && same;
	assay_measurements_clear(&listed);
	if (rc < 0)
		return assay_cli_fail(NULL, &err);
	return same ? ASSAY_EXIT_OK : ASSAY_EXIT_MISMATCH;
}

/* --- archives -----------------------------------------------------------------------------------
 */

struct session {
	const struct options *o;
	struct assay_json *list;
	struct assay_measurements m;
	int rc;
	bool good;
	size_t n; /* archives that could be read */
};

static bool measures(const struct session *s)
{
	return s->o->measurements || s->o->check;
}

/* "disk.raw: partition 2: /opt/web.tar": bytes out of a disk among it. NULL without memory. */
static char *place_text(const struct assay_container_place *place)
{
	struct assay_str s = { 0 };

	if (place->disk)
		assay_str_add(&s, "%s: ", place->disk);
	if (place->partition)
		assay_str_add(&s, "partition %u: ", place->partition);
	if (place->disk && place->archive)
		assay_str_add_escaped(&s, place->archive, strlen(place->archive));
	else if (place->archive)
		assay_str_add(&s, "%s", place->archive);
	return assay_str_steal(&s);
}

static void fail_at(struct session *s, const struct assay_container_place *place,
		    const struct assay_err *err)
{
	ASSAY_AUTO_FREE char *text = place_text(place);

	s->rc = assay_cli_fail(text, err);
}

/* The layers of all images, and what else disagrees: told on stderr where stdout is for a program.
 */
static bool all_verified(const struct session *s, const struct assay_containers *c,
			 const char *where)
{
	bool good = true;

	for (size_t i = 0; i < c->n_images; i++) {
		const struct assay_container_image *image = &c->images[i];
		const bool right = !c->checked || assay_container_verified(c, image);
		char hex[ASSAY_HEX_MAX];

		if (!right && (s->o->json || measures(s)))
			assay_log(ASSAY_LOG_WARNING,
				  "%s: a layer of sha256:%s is not what its configuration names",
				  where, assay_hex(image->id, 32, hex));
		good = good && right;
	}
	return good;
}

static void take(struct session *s, const struct assay_container_place *place,
		 const struct assay_containers *c)
{
	ASSAY_AUTO_FREE char *where = place_text(place);
	struct assay_err err;

	s->n++;
	s->good = all_verified(s, c, where ? where : "") && s->good;
	if (measures(s)) {
		if (assay_measurements_add(&s->m, c, place->archive, &err) < 0)
			fail_at(s, place, &err);
	} else if (s->o->json) {
		assay_containers_json(c, place, s->list);
	} else {
		print_containers(c, where ? where : "");
	}
}

/* --- what an argument can be --------------------------------------------------------------------
 */

static void visit_fs(struct session *s, struct assay_container_place place, struct assay_fs *fs)
{
	const struct assay_container_opts opts = { .ids_only = s->o->ids_only };
	struct assay_found found = { 0 };
	struct assay_err err;

	if (assay_containers_find(fs, &opts, &found, &err) < 0) {
		fail_at(s, &place, &err);
		return;
	}
	for (size_t i = 0; i < found.n; i++) {
		place.archive = found.a[i].path;
		if (found.a[i].containers)
			take(s, &place, found.a[i].containers);
		else
			fail_at(s, &place, &found.a[i].err);
	}
	assay_found_clear(&found);
}

/* Partitions that hold no files. */
static bool is_without_files(const struct assay_gpt_part *part)
{
	const char *type = assay_gpt_type_name(part->type);

	return type && (strstr(type, "verity") || strcmp(type, "Linux swap") == 0 ||
			strcmp(type, "BIOS boot") == 0 || strcmp(type, "Microsoft reserved") == 0);
}

static void visit_part(struct session *s, const char *path, struct assay_src *disk,
		       const struct assay_gpt_part *part)
{
	const struct assay_container_place place = { .disk = path, .partition = part->index };
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_fs) *fs = NULL;
	struct assay_err err;

	if (is_without_files(part))
		return;
	if (assay_src_slice(disk, part->offset, part->size, &src, &err) == 0 &&
	    assay_fs_open(src, &fs, &err) == 0) {
		visit_fs(s, place, fs);
		return;
	}
	/* A list of measurements without what may lie in there would be no list. */
	if (err.code == ASSAY_E_UNSUPPORTED && !measures(s))
		assay_log(ASSAY_LOG_WARNING, "%s: partition %u is not looked into: %s", path,
			  part->index, err.msg);
	else
		fail_at(s, &place, &err);
}

static void visit_disk(struct session *s, const char *path)
{
	const struct assay_container_place place = { .disk = path };
	ASSAY_AUTO(assay_src) *disk = NULL;
	ASSAY_AUTO(assay_gpt) *gpt = NULL;
	ASSAY_AUTO(assay_fs) *fs = NULL;
	struct assay_err err;

	if (assay_cli_disk_open(path, &s->o->disk, &disk, &err) < 0) {
		s->rc = assay_cli_fail(path, &err);
	} else if (assay_gpt_open(disk, &gpt, &err) == 0) {
		for (size_t i = 0; i < gpt->n_parts; i++)
			visit_part(s, path, disk, &gpt->parts[i]);
	} else if (err.code != ASSAY_E_NOTFOUND) {
		s->rc = assay_cli_fail(path, &err);
	} else if (assay_fs_open(disk, &fs, &err) == 0) {
		visit_fs(s, place, fs);
	} else {
		assay_wrap(&err, "neither a container archive nor a partitioned disk");
		s->rc = assay_cli_fail(path, &err);
	}
}

static void visit(struct session *s, const char *path)
{
	const struct assay_container_opts opts = { .ids_only = s->o->ids_only };
	const struct assay_container_place place = { .archive = path };
	ASSAY_AUTO(assay_containers) *c = NULL;
	ASSAY_AUTO(assay_src) *src = NULL;
	bool archive = false;
	struct assay_err err;
	struct stat st;
	int rc;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		rc = assay_containers_read_folder(path, &opts, &c, &err);
	} else {
		rc = assay_src_open_file(path, &src, &err);
		if (rc == 0)
			rc = assay_container_may_be(src, &archive, &err);
		if (rc == 0 && !archive) {
			const size_t before = s->n;
			const int failed = s->rc;

			visit_disk(s, path);
			if (s->n == before && s->rc == failed && !s->o->json && !measures(s))
				printf("%s: no container archive\n", path);
			return;
		}
		if (rc == 0)
			rc = assay_containers_read(src, &opts, &c, &err);
	}
	if (rc < 0)
		s->rc = assay_cli_fail(path, &err);
	else
		take(s, &place, c);
}

/* --- the verb -----------------------------------------------------------------------------------
 */

static int run(const struct options *o, int n, char **paths)
{
	ASSAY_AUTO(assay_json) *list = assay_json_array();
	struct session s = { .o = o, .list = list, .rc = ASSAY_EXIT_OK, .good = true };
	int written = ASSAY_EXIT_OK;

	for (int i = 0; i < n; i++)
		visit(&s, paths[i]);
	/* Half a list of measurements, or one with wrong layers, is not to be used by anybody. */
	if (measures(&s) && s.rc == ASSAY_EXIT_OK && s.good)
		s.rc = finish_measurements(o, &s.m);
	else if (o->json && (s.rc == ASSAY_EXIT_OK || assay_json_len(list) > 0))
		written = assay_cli_write_json(list, "-");
	assay_measurements_clear(&s.m);
	if (written != ASSAY_EXIT_OK)
		return written;
	return s.rc == ASSAY_EXIT_OK && !s.good ? ASSAY_EXIT_MISMATCH : s.rc;
}

int assay_cmd_containers(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		ASSAY_CLI_DISK_OPTION,
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
		case ASSAY_CLI_ALLOW_BACKING:
			o.disk.allow_backing = true;
			break;
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
		return assay_cli_usage_msg(verb, "a container archive or a disk is missing");
	return run(&o, argc - optind, argv + optind);
}
