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

static int read_store(const struct assay_store *store, const struct assay_container_opts *opts,
		      struct assay_containers **ret, struct assay_err *err)
{
	const uint64_t max = opts->max_layer ? opts->max_layer : ASSAY_CONTAINER_MAX_LAYER;
	ASSAY_AUTO(assay_containers) *c = calloc(1, sizeof(*c));

	if (!c)
		return assay_fail_mem(err);
	if (assay_images_collect(store, c, err) < 0)
		return -1;
	c->checked = !opts->ids_only;
	if (c->checked && assay_layers_hash(store, c->blobs, c->n_blobs, max, err) < 0)
		return -1;
	for (size_t i = 0; c->checked && i < c->n_images; i++)
		if (check_image(c, &c->images[i], err) < 0)
			return -1;
	*ret = assay_steal(&c);
	return 0;
}

int assay_containers_read(struct assay_src *src, const struct assay_container_opts *opts,
			  struct assay_containers **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_store) *store = NULL;

	if (assay_store_open_tar(src, &store, err) < 0)
		return -1;
	return read_store(store, opts, ret, err);
}

int assay_containers_read_folder(const char *path, const struct assay_container_opts *opts,
				 struct assay_containers **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_store) *store = NULL;

	if (assay_store_open_folder(path, &store, err) < 0)
		return -1;
	return read_store(store, opts, ret, err);
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

void assay_containers_json(const struct assay_containers *c, const char *archive,
			   struct assay_json *list)
{
	for (size_t i = 0; i < c->n_images; i++) {
		const struct assay_container_image *image = &c->images[i];
		struct assay_json *obj = assay_json_object(), *layers = assay_json_array();

		assay_json_set_str(obj, "archive", archive);
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
