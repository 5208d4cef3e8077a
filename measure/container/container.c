/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/container/container.h"

#include <stdlib.h>
#include <string.h>

#include "core/digest.h"
#include "core/limits.h"
#include "measure/container/container_priv.h"

static int check_image(const struct assay_containers *c, struct assay_container_image *image,
		       struct assay_err *err)
{
	for (size_t i = 0; i < image->n_layers; i++) {
		struct assay_container_layer *layer = &image->layers[i];
		const struct assay_container_blob *blob = &c->blobs[layer->blob];
		uint8_t claim[32];

		layer->state = !blob->damage && memcmp(blob->sha256, layer->diff_id, 32) == 0
				       ? ASSAY_LAYER_SAME
				       : ASSAY_LAYER_DIFFERENT;
		if (assay_blob_claim(blob->path, claim) &&
		    memcmp(claim, blob->packed_sha256, 32) != 0 &&
		    assay_container_disagree(image, err,
					     "the bytes of layer %zu are not of the digest in its "
					     "name, %s",
					     i, blob->path) < 0)
			return -1;
	}
	return 0;
}

/* --- reading -----------------------------------------------------------------------------------
 */

void assay_reading_clear(struct assay_reading *r)
{
	assay_containers_free(&r->c);
	assay_store_free(&r->store);
}

static int collect(struct assay_reading *r, struct assay_err *err)
{
	r->c = calloc(1, sizeof(*r->c));
	if (!r->c)
		return assay_fail_mem(err);
	return assay_images_collect(r->store, r->c, err);
}

int assay_reading_tar(struct assay_reading *r, struct assay_src *src, struct assay_err *err)
{
	if (assay_store_open_tar(src, &r->store, &r->spooled, err) < 0)
		return -1;
	return collect(r, err);
}

int assay_reading_fs(struct assay_reading *r, struct assay_fs *fs, const char *path,
		     struct assay_err *err)
{
	if (assay_store_open_fs(fs, path, &r->store, err) < 0)
		return -1;
	return collect(r, err);
}

static int finish(struct assay_reading *r, const struct assay_layer_job *jobs,
		  struct assay_err *err)
{
	for (size_t i = 0; i < r->c->n_blobs && !r->failed; i++) {
		r->failed = jobs[i].failed;
		if (r->failed)
			r->err = jobs[i].err;
	}
	r->c->checked = true;
	for (size_t i = 0; i < r->c->n_images && !r->failed; i++)
		if (check_image(r->c, &r->c->images[i], err) < 0)
			return -1;
	return 0;
}

int assay_readings_hash(struct assay_reading *r, size_t n, const struct assay_container_opts *opts,
			struct assay_err *err)
{
	const uint64_t max = opts->max_layer ? opts->max_layer : ASSAY_CONTAINER_MAX_LAYER;
	ASSAY_AUTO_FREE struct assay_layer_job *jobs = NULL;
	size_t n_jobs = 0, at = 0;

	if (opts->ids_only)
		return 0;
	for (size_t i = 0; i < n; i++)
		n_jobs += r[i].store ? r[i].c->n_blobs : 0;
	jobs = calloc(n_jobs ? n_jobs : 1, sizeof(*jobs));
	if (!jobs)
		return assay_fail_mem(err);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; r[i].store && j < r[i].c->n_blobs; j++)
			jobs[at++] = (struct assay_layer_job){ .store = r[i].store,
							       .blob = &r[i].c->blobs[j] };
	if (assay_layers_hash(jobs, n_jobs, max, err) < 0)
		return -1;
	at = 0;
	for (size_t i = 0; i < n; i++) {
		if (!r[i].store)
			continue;
		if (finish(&r[i], jobs + at, err) < 0)
			return -1;
		at += r[i].c->n_blobs;
	}
	return 0;
}

static int hash_one(struct assay_reading *r, const struct assay_container_opts *opts,
		    struct assay_containers **ret, struct assay_err *err)
{
	if (assay_readings_hash(r, 1, opts, err) < 0)
		return -1;
	if (r->failed) {
		if (err)
			*err = r->err;
		return -1;
	}
	*ret = assay_steal(&r->c);
	return 0;
}

int assay_containers_read(struct assay_src *src, const struct assay_container_opts *opts,
			  struct assay_containers **ret, struct assay_err *err)
{
	struct assay_reading r = { 0 };
	int rc = assay_reading_tar(&r, src, err);

	if (rc == 0)
		rc = hash_one(&r, opts, ret, err);
	assay_reading_clear(&r);
	return rc;
}

int assay_containers_read_folder(const char *path, const struct assay_container_opts *opts,
				 struct assay_containers **ret, struct assay_err *err)
{
	struct assay_reading r = { 0 };
	int rc = assay_store_open_folder(path, &r.store, err);

	if (rc == 0)
		rc = collect(&r, err);
	if (rc == 0)
		rc = hash_one(&r, opts, ret, err);
	assay_reading_clear(&r);
	return rc;
}

bool assay_container_verified(const struct assay_containers *c,
			      const struct assay_container_image *image)
{
	for (size_t i = 0; i < image->n_layers; i++)
		if (image->layers[i].state != ASSAY_LAYER_SAME)
			return false;
	return c->checked;
}

/* --- JSON --------------------------------------------------------------------------------------
 */

static void set_digest(struct assay_json *obj, const char *key, const uint8_t digest[32])
{
	char text[7 + ASSAY_HEX_MAX] = "sha256:";

	assay_hex(digest, 32, text + 7);
	assay_json_set_str(obj, key, text);
}

static struct assay_json *strings(const struct assay_strings *list)
{
	struct assay_json *arr = assay_json_array();

	for (size_t i = 0; i < list->n; i++)
		assay_json_append(arr, assay_json_string(list->s[i]));
	return arr;
}

static struct assay_json *layer_json(const struct assay_containers *c,
				     const struct assay_container_layer *layer)
{
	const struct assay_container_blob *blob = &c->blobs[layer->blob];
	struct assay_json *obj = assay_json_object();

	assay_json_set_str(obj, "path", blob->path);
	set_digest(obj, "diff_id", layer->diff_id);
	if (layer->state == ASSAY_LAYER_UNCHECKED)
		return obj;
	assay_json_set_str(obj, "packing", assay_packing_name(blob->packing));
	assay_json_set_int(obj, "offset", blob->at);
	assay_json_set_int(obj, "size", blob->size);
	assay_json_set_bool(obj, "verified", layer->state == ASSAY_LAYER_SAME);
	if (blob->damage) {
		assay_json_set_str(obj, "damage", blob->damage);
	} else {
		assay_json_set_int(obj, "unpacked", blob->unpacked);
		set_digest(obj, "digest", blob->sha256);
	}
	return obj;
}

void assay_containers_json(const struct assay_containers *c,
			   const struct assay_container_place *place, struct assay_json *list)
{
	for (size_t i = 0; i < c->n_images; i++) {
		const struct assay_container_image *image = &c->images[i];
		struct assay_json *obj = assay_json_object(), *layers = assay_json_array();

		assay_json_set_str(obj, "archive", place->archive);
		if (place->disk)
			assay_json_set_str(obj, "disk", place->disk);
		if (place->partition)
			assay_json_set_int(obj, "partition", place->partition);
		if (place->root_hash)
			assay_json_set_str(obj, "root_hash", place->root_hash);
		set_digest(obj, "image_id", image->id);
		assay_json_set_str(obj, "config", image->config);
		assay_json_set(obj, "names", strings(&image->names));
		assay_json_set(obj, "disagreements", strings(&image->disagreements));
		if (image->os)
			assay_json_set_str(obj, "os", image->os);
		if (image->architecture)
			assay_json_set_str(obj, "architecture", image->architecture);
		if (image->attestation)
			assay_json_set_bool(obj, "attestation", true);
		assay_json_set(obj, "layers_verified",
			       c->checked ? assay_json_bool(assay_container_verified(c, image))
					  : assay_json_null());
		for (size_t j = 0; j < image->n_layers; j++)
			assay_json_append(layers, layer_json(c, &image->layers[j]));
		assay_json_set(obj, "layers", layers);
		assay_json_append(list, obj);
	}
}
