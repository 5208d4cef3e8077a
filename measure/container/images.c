/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which images an archive holds: manifest.json (Docker Image Specification v1.2, "Combined Image
 * JSON + Filesystem Changeset Format") and index.json with what hangs on it (OCI Image Format 1.1,
 * image-layout, image-index, manifest, config).
 */
#include "measure/container/container_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/digest.h"
#include "core/limits.h"
#include "core/text.h"
#include "measure/container/images_priv.h"

int assay_collect_sha256(const void *p, size_t len, uint8_t *out, struct assay_err *err)
{
	const struct assay_part part = { p, len };

	return assay_digest_one(ASSAY_SHA256, &part, 1, out, err);
}

/* What a configuration's file name claims: HEX.json, sha256:HEX, blobs/sha256/HEX. */
static bool config_claim(const char *path, uint8_t ret[32])
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	if (strncmp(name, "sha256:", 7) == 0)
		name += 7;
	const size_t len = strlen(name);
	if (len != 64 && !(len == 69 && strcmp(name + 64, ".json") == 0))
		return false;
	return assay_unhex(name, 64, ret, 32);
}

/* --- files of the archive ----------------------------------------------------------------------
 */

int assay_collect_read(struct assay_collect *k, const char *path, uint8_t **ret, size_t *ret_len,
		       uint64_t *ret_at, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	if (assay_store_open(k->store, path, &src, err) < 0)
		return -1;
	*ret_at = assay_src_origin(src, 0);
	*ret_len = (size_t)assay_src_size(src);
	return assay_src_read_alloc(src, 0, assay_src_size(src), ASSAY_CONTAINER_MAX_JSON, ret,
				    err);
}

int assay_collect_parse(const uint8_t *text, size_t len, uint64_t at, struct assay_json **ret,
			struct assay_err *err)
{
	if (assay_json_parse((const char *)text, len, ret, err) == 0)
		return 0;
	if (err->at != ASSAY_NO_OFFSET)
		err->at += at;
	return -1;
}

int assay_collect_json(struct assay_collect *k, const char *path, struct assay_json **ret,
		       struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *text = NULL;
	size_t len;
	uint64_t at;

	if (assay_collect_read(k, path, &text, &len, &at, err) < 0 ||
	    assay_collect_parse(text, len, at, ret, err) < 0)
		return assay_container_wrap(err, "file", path);
	return 0;
}

int assay_collect_has(struct assay_collect *k, const char *path, bool *ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	*ret = assay_store_open(k->store, path, &src, err) == 0;
	if (*ret || err->code == ASSAY_E_NOTFOUND)
		return 0;
	return assay_container_wrap(err, "file", path);
}

/* The blob of that path; images that share a layer share it. */
int assay_collect_blob(struct assay_collect *k, const char *path, size_t *ret,
		       struct assay_err *err)
{
	struct assay_containers *c = k->c;
	ASSAY_AUTO_FREE char *found = NULL;

	if (assay_store_find(k->store, path, &found, err) < 0)
		return assay_container_wrap(err, "layer", path);
	for (size_t i = 0; i < c->n_blobs; i++) {
		if (strcmp(c->blobs[i].path, found) == 0) {
			*ret = i;
			return 0;
		}
	}
	struct assay_container_blob *more = realloc(c->blobs, (c->n_blobs + 1) * sizeof(*more));
	if (!more)
		return assay_fail_mem(err);
	c->blobs = more;
	c->blobs[c->n_blobs] = (struct assay_container_blob){ .path = assay_steal(&found) };
	*ret = c->n_blobs++;
	return 0;
}

/* --- an image ----------------------------------------------------------------------------------
 */

static int copy_text(const struct assay_json *obj, const char *key, char **ret,
		     struct assay_err *err)
{
	const struct assay_json *node;

	if (assay_ci_get(obj, key, &node, err) < 0)
		return -1;
	if (!node || !assay_json_str(node))
		return 0;
	*ret = assay_strdup(assay_json_str(node));
	return *ret ? 0 : assay_fail_mem(err);
}

static int parse_config(const struct assay_json *config, struct assay_container_image *image,
			struct assay_err *err)
{
	const struct assay_json *rootfs, *type, *ids;

	if (assay_ci_get(config, "rootfs", &rootfs, err) < 0)
		return -1;
	if (!rootfs)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "is no image's configuration: it has no rootfs");
	if (assay_ci_need(rootfs, "type", ASSAY_CI_STRING, &type, err) < 0 ||
	    assay_ci_need(rootfs, "diff_ids", ASSAY_CI_ARRAY, &ids, err) < 0 ||
	    copy_text(config, "os", &image->os, err) < 0 ||
	    copy_text(config, "architecture", &image->architecture, err) < 0)
		return -1;
	if (strcmp(assay_json_str(type), "layers") != 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "its rootfs is not of type \"layers\"");
	if (assay_json_len(ids) > ASSAY_CONTAINER_MAX_LAYERS)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%zu layers, limit %u",
				  assay_json_len(ids), ASSAY_CONTAINER_MAX_LAYERS);
	image->n_layers = assay_json_len(ids);
	image->layers = calloc(image->n_layers ? image->n_layers : 1, sizeof(*image->layers));
	if (!image->layers)
		return assay_fail_mem(err);
	for (size_t i = 0; i < image->n_layers; i++) {
		if (assay_digest_need(assay_json_str(assay_json_at(ids, i)), "a diff ID",
				      image->layers[i].diff_id, err) < 0)
			return -1;
	}
	return 0;
}

/* ID, and what the configuration says. */
int assay_collect_config(struct assay_collect *k, const char *path,
			 struct assay_container_image *image, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *text = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;
	uint8_t claim[32];
	uint64_t at;
	size_t len;

	if (assay_collect_read(k, path, &text, &len, &at, err) < 0 ||
	    assay_collect_sha256(text, len, image->id, err) < 0 ||
	    assay_collect_parse(text, len, at, &json, err) < 0 ||
	    parse_config(json, image, err) < 0)
		return assay_container_wrap(err, "configuration", path);
	image->config = assay_strdup(path);
	if (!image->config)
		return assay_fail_mem(err);
	if (config_claim(path, claim) && memcmp(claim, image->id, 32) != 0)
		return assay_container_disagree(
			image, err,
			"the configuration's bytes are not of the digest in "
			"its name, %s",
			path);
	return 0;
}

static bool same_files(const struct assay_container_image *a, const struct assay_container_image *b)
{
	if (memcmp(a->id, b->id, 32) != 0 || a->n_layers != b->n_layers)
		return false;
	for (size_t i = 0; i < a->n_layers; i++)
		if (a->layers[i].blob != b->layers[i].blob)
			return false;
	return true;
}

static int merge(struct assay_container_image *to, const struct assay_container_image *from,
		 struct assay_err *err)
{
	to->in_manifest |= from->in_manifest;
	to->in_index |= from->in_index;
	to->attestation &= from->attestation;
	for (size_t i = 0; i < from->names.n; i++)
		if (assay_strings_add_once(&to->names, from->names.s[i], err) < 0)
			return -1;
	for (size_t i = 0; i < from->disagreements.n; i++)
		if (assay_strings_add_once(&to->disagreements, from->disagreements.s[i], err) < 0)
			return -1;
	return 0;
}

/* Takes the image over, or merges it with one that has the same ID and the same layer files. */
int assay_collect_image(struct assay_collect *k, struct assay_container_image *image,
			struct assay_err *err)
{
	struct assay_containers *c = k->c;

	for (size_t i = 0; i < c->n_images; i++)
		if (same_files(&c->images[i], image))
			return merge(&c->images[i], image, err);
	if (c->n_images == ASSAY_CONTAINER_MAX_IMAGES)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "more than %u images",
				  ASSAY_CONTAINER_MAX_IMAGES);
	struct assay_container_image *more = realloc(c->images, (c->n_images + 1) * sizeof(*more));
	if (!more)
		return assay_fail_mem(err);
	c->images = more;
	c->images[c->n_images++] = *image;
	*image = (struct assay_container_image){ 0 };
	return 0;
}

int assay_collect_count(const struct assay_container_image *image, size_t n, struct assay_err *err)
{
	if (image->n_layers == n)
		return 0;
	return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
			  "%zu layers, but the configuration names %zu", n, image->n_layers);
}

/* --- manifest.json -----------------------------------------------------------------------------
 */

static int docker_image(struct assay_collect *k, const struct assay_json *entry,
			struct assay_container_image *image, struct assay_err *err)
{
	const struct assay_json *config, *layers, *tags;

	if (assay_ci_need(entry, "Config", ASSAY_CI_STRING, &config, err) < 0 ||
	    assay_ci_need(entry, "Layers", ASSAY_CI_ARRAY, &layers, err) < 0 ||
	    assay_ci_get(entry, "RepoTags", &tags, err) < 0 ||
	    assay_collect_config(k, assay_json_str(config), image, err) < 0 ||
	    assay_collect_count(image, assay_json_len(layers), err) < 0)
		return -1;
	image->in_manifest = true;
	for (size_t i = 0; i < image->n_layers; i++) {
		const char *path = assay_json_str(assay_json_at(layers, i));

		if (!path)
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
					  "JSON: a layer without a path");
		if (assay_collect_blob(k, path, &image->layers[i].blob, err) < 0)
			return -1;
	}
	for (size_t i = 0; tags && i < assay_json_len(tags); i++) {
		const char *tag = assay_json_str(assay_json_at(tags, i));

		if (!tag)
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
					  "JSON: a name that is no text");
		if (assay_strings_add_once(&image->names, tag, err) < 0)
			return -1;
	}
	return 0;
}

static int docker_archive(struct assay_collect *k, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *list = NULL;

	if (assay_collect_json(k, "manifest.json", &list, err) < 0)
		return -1;
	if (!assay_json_is_array(list))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
				  "manifest.json: no JSON array");
	if (assay_json_len(list) > ASSAY_CONTAINER_MAX_IMAGES)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "manifest.json: %zu images, limit %u", assay_json_len(list),
				  ASSAY_CONTAINER_MAX_IMAGES);
	for (size_t i = 0; i < assay_json_len(list); i++) {
		struct assay_container_image image = { 0 };
		const int r = docker_image(k, assay_json_at(list, i), &image, err) < 0
				      ? -1
				      : assay_collect_image(k, &image, err);

		assay_container_image_clear(&image);
		if (r < 0)
			return assay_wrap(err, "manifest.json: image %zu", i);
	}
	return 0;
}

/* --- both --------------------------------------------------------------------------------------
 */

/* Readers of the one list and readers of the other are to see the same images. */
static int compare_lists(struct assay_collect *k, bool both, struct assay_err *err)
{
	for (size_t i = 0; i < k->c->n_images; i++) {
		struct assay_container_image *image = &k->c->images[i];

		if (both && !image->in_index &&
		    assay_container_disagree(image, err,
					     "manifest.json lists it so, index.json does not") < 0)
			return -1;
		if (both && !image->in_manifest && !image->attestation &&
		    assay_container_disagree(image, err,
					     "index.json lists it so, manifest.json does not") < 0)
			return -1;
		for (size_t j = 0; j < k->remarks.n; j++)
			if (assay_strings_add_once(&image->disagreements, k->remarks.s[j], err) < 0)
				return -1;
	}
	return 0;
}

static int collect(struct assay_collect *k, struct assay_err *err)
{
	bool docker, oci, lists = false;

	if (assay_collect_has(k, "manifest.json", &docker, err) < 0 ||
	    assay_collect_has(k, "oci-layout", &oci, err) < 0)
		return -1;
	if (!docker && !oci)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "has neither a manifest.json nor an oci-layout: no container "
				  "archive that is known here");
	if ((docker && docker_archive(k, err) < 0) ||
	    (oci && assay_collect_oci(k, &lists, err) < 0))
		return -1;
	if (k->c->n_images == 0)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no image is in it");
	return compare_lists(k, docker && lists, err);
}

int assay_images_collect(const struct assay_store *store, struct assay_containers *c,
			 struct assay_err *err)
{
	struct assay_collect k = { .store = store, .c = c };
	const int r = collect(&k, err);

	assay_strings_clear(&k.remarks);
	return r;
}
