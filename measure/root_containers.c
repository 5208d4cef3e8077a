/* SPDX-License-Identifier: Apache-2.0 */
/* The last links: container archives in a filesystem, their image IDs, and the file that lists these. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "measure/container/find.h"
#include "measure/links_priv.h"

struct job {
	struct assay_links *links;
	const struct assay_link_place *place;
	struct assay_found found;
	struct assay_measurements have, listed;
	struct assay_json *containers, *lists;
};

static char *place_text(const struct job *j)
{
	return j->place->part ? assay_asprintf("the filesystem of partition %u", j->place->part) :
				assay_strdup("the disk's filesystem");
}

static char *id_text(const uint8_t id[32])
{
	char hex[65];

	return assay_asprintf("sha256:%s", assay_hex(id, 32, hex));
}

/* --- archives ----------------------------------------------------------------------------------- */

static char *layer_fault(const struct assay_containers *c, const struct assay_container_image *image)
{
	for (size_t i = 0; i < image->n_layers; i++) {
		const struct assay_container_layer *l = &image->layers[i];
		const struct assay_container_blob *b = &c->blobs[l->blob];

		if (l->state == ASSAY_LAYER_SAME)
			continue;
		if (b->damage)
			return assay_asprintf("layer %zu, %s: %s", i + 1, b->path, b->damage);
		ASSAY_AUTO_FREE char *is = id_text(b->sha256), *wanted = id_text(l->diff_id);
		return is && wanted ? assay_asprintf("layer %zu, %s: it is %s, the configuration names %s", i + 1,
						     b->path, is, wanted) :
				      NULL;
	}
	return assay_strdup("its layers could not be checked");
}

static int image_link(struct job *j, const struct assay_found_archive *a,
		      const struct assay_container_image *image, struct assay_err *err)
{
	const bool right = assay_container_verified(a->containers, image);
	ASSAY_AUTO_FREE char *id = id_text(image->id);
	char *by = place_text(j), *what;

	if (!by || !id) {
		free(by);
		return assay_fail_mem(err);
	}
	what = assay_asprintf("%s: %s%s%s, %zu layer%s", a->path, image->names.n ? image->names.s[0] : "",
			      image->names.n ? " " : "", id, image->n_layers, image->n_layers == 1 ? "" : "s");
	return assay_links_add_at(j->links, j->place, ASSAY_LINK_CONTAINER,
				  right ? ASSAY_LINK_OK : ASSAY_LINK_BROKEN, what, by,
				  right ? NULL : layer_fault(a->containers, image), err);
}

static int archive_links(struct job *j, const struct assay_found_archive *a, struct assay_err *err)
{
	const struct assay_container_place place = { .archive = a->path,
						     .partition = j->place->part,
						     .root_hash = j->place->root_hash };

	if (a->containers) {
		assay_containers_json(a->containers, &place, j->containers);
		for (size_t i = 0; i < a->containers->n_images; i++)
			if (image_link(j, a, &a->containers->images[i], err) < 0)
				return -1;
		return 0;
	}
	if (assay_link_is_ours(&a->err)) {
		*err = a->err;
		return assay_wrap(err, "%s", a->path);
	}
	char *by = place_text(j);
	if (!by)
		return assay_fail_mem(err);
	return assay_links_add_at(j->links, j->place, ASSAY_LINK_CONTAINER, assay_link_state_of(&a->err),
				  assay_strdup(a->path), by, assay_link_why(&a->err), err);
}

/* --- container_measurements.json ---------------------------------------------------------------- */

/* On a root filesystem, on /usr by itself, and at the top of a disk that holds containers alone. */
static const char *const places[] = {
	"/usr/share/assay/container_measurements.json",
	"/share/assay/container_measurements.json",
	"/container_measurements.json",
};

static struct assay_json *entries_json(const struct assay_listed *e, size_t n)
{
	struct assay_json *list = assay_json_array();

	for (size_t i = 0; i < n; i++) {
		struct assay_json *o = assay_json_object();

		assay_json_set_str(o, "name", e[i].name);
		assay_json_set_str(o, "state", assay_listed_name(e[i].state));
		if (e[i].listed) {
			ASSAY_AUTO_FREE char *id = id_text(e[i].listed->id);
			assay_json_set_str(o, "listed", id);
		}
		if (e[i].found) {
			ASSAY_AUTO_FREE char *id = id_text(e[i].found->id);
			assay_json_set_str(o, "found", id);
			assay_json_set_str(o, "archive", e[i].found->archive);
		}
		assay_json_append(list, o);
	}
	return list;
}

/* The first name about which the two lists disagree; NULL: out of memory. */
static char *difference(const struct assay_listed *e)
{
	ASSAY_AUTO_FREE char *listed = e->listed ? id_text(e->listed->id) : assay_strdup("nothing");
	ASSAY_AUTO_FREE char *found = e->found ? assay_asprintf("%s is ", e->found->archive) :
						 assay_strdup("no archive has it");
	ASSAY_AUTO_FREE char *id = e->found ? id_text(e->found->id) : assay_strdup("");

	return listed && found && id ? assay_asprintf("%s: %s listed, %s%s", e->name, listed, found, id) : NULL;
}

static int compare(struct job *j, const char *path, struct assay_json *o, struct assay_err *err)
{
	ASSAY_AUTO_FREE struct assay_listed *e = NULL;
	char *by, *why = NULL;
	size_t n, different = 0;

	if (assay_measurements_compare(&j->listed, &j->have, &e, &n, err) < 0)
		return -1;
	assay_json_set(o, "entries", entries_json(e, n));
	for (size_t i = 0; i < n; i++) {
		if (e[i].state == ASSAY_LISTED_AGREES || different++ > 0)
			continue;
		why = difference(&e[i]);
		if (!why)
			return assay_fail_mem(err);
	}
	by = place_text(j);
	if (!by) {
		free(why);
		return assay_fail_mem(err);
	}
	return assay_links_add_at(j->links, j->place, ASSAY_LINK_MEASUREMENTS,
				  different ? ASSAY_LINK_BROKEN : ASSAY_LINK_OK,
				  assay_asprintf("%s: %zu of %zu images agree", path, n - different, n), by, why,
				  err);
}

/* The file, or that there is none although there are archives. */
static int measurements_link(struct job *j, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_err why = { .at = ASSAY_NO_OFFSET };
	const char *path = NULL;

	for (size_t i = 0; !src && i < sizeof(places) / sizeof(places[0]); i++) {
		path = places[i];
		if (assay_fs_file(j->place->fs, path, &src, NULL, &why) < 0 && why.code != ASSAY_E_NOTFOUND)
			break;
	}
	if (!src && why.code == ASSAY_E_NOTFOUND)
		return j->found.n == 0 ? 0 :
					 assay_links_add_at(j->links, j->place, ASSAY_LINK_MEASUREMENTS,
							    ASSAY_LINK_OPEN, assay_strdup("the image IDs"), NULL,
							    assay_strdup("no container_measurements.json lists "
									 "them"),
							    err);
	ASSAY_AUTO(assay_json) *o = assay_json_object();
	if (j->place->part)
		assay_json_set_int(o, "partition", j->place->part);
	assay_json_set_str(o, "path", path);
	if (j->place->root_hash)
		assay_json_set_str(o, "root_hash", j->place->root_hash);
	if (src && assay_measurements_read(src, &j->listed, &why) == 0 &&
	    assay_found_measurements(&j->found, &j->have, &why) == 0) {
		const int rc = compare(j, path, o, err);

		assay_json_append(j->lists, assay_steal(&o));
		return rc;
	}
	if (assay_link_is_ours(&why)) {
		*err = why;
		return assay_wrap(err, "%s", path);
	}
	assay_json_set_str(o, "error", why.msg);
	assay_json_append(j->lists, assay_steal(&o));
	char *by = place_text(j);
	if (!by)
		return assay_fail_mem(err);
	return assay_links_add_at(j->links, j->place, ASSAY_LINK_MEASUREMENTS, assay_link_state_of(&why),
				  assay_strdup(path), by, assay_link_why(&why), err);
}

static int run(struct job *j, struct assay_err *err)
{
	for (size_t i = 0; i < j->found.n; i++)
		if (archive_links(j, &j->found.a[i], err) < 0)
			return -1;
	return measurements_link(j, err);
}

int assay_links_containers(struct assay_links *links, const struct assay_link_place *place,
			   struct assay_json *containers, struct assay_json *lists, struct assay_err *err)
{
	static const struct assay_container_opts opts = { 0 };
	struct job j = { .links = links, .place = place, .containers = containers, .lists = lists };

	if (assay_containers_find(place->fs, &opts, &j.found, err) < 0)
		return -1;
	const int rc = run(&j, err);
	assay_measurements_clear(&j.have);
	assay_measurements_clear(&j.listed);
	assay_found_clear(&j.found);
	return rc;
}
