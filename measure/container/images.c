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

struct collect {
	const struct assay_store *store;
	struct assay_containers *c;
	unsigned descriptors;
	struct assay_strings remarks; /* about the archive as a whole */
};

static int sha256(const void *p, size_t len, uint8_t *out, struct assay_err *err)
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

static int read_blob(struct collect *k, const char *path, uint8_t **ret, size_t *ret_len,
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

static int parse_at(const uint8_t *text, size_t len, uint64_t at, struct assay_json **ret,
		    struct assay_err *err)
{
	if (assay_json_parse((const char *)text, len, ret, err) == 0)
		return 0;
	if (err->at != ASSAY_NO_OFFSET)
		err->at += at;
	return -1;
}

static int read_json(struct collect *k, const char *path, struct assay_json **ret,
		     struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *text = NULL;
	size_t len;
	uint64_t at;

	if (read_blob(k, path, &text, &len, &at, err) < 0 || parse_at(text, len, at, ret, err) < 0)
		return assay_container_wrap(err, "file", path);
	return 0;
}

static int has_file(struct collect *k, const char *path, bool *ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	*ret = assay_store_open(k->store, path, &src, err) == 0;
	if (*ret || err->code == ASSAY_E_NOTFOUND)
		return 0;
	return assay_container_wrap(err, "file", path);
}

/* The blob of that path; images that share a layer share it. */
static int add_blob(struct collect *k, const char *path, size_t *ret, struct assay_err *err)
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
		const char *id = assay_json_str(assay_json_at(ids, i));

		if (!id || !assay_digest_parse(id, image->layers[i].diff_id))
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "diff ID %zu is no sha256 digest", i);
	}
	return 0;
}

/* ID, and what the configuration says. */
static int read_config(struct collect *k, const char *path, struct assay_container_image *image,
		       struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *text = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;
	uint8_t claim[32];
	uint64_t at;
	size_t len;

	if (read_blob(k, path, &text, &len, &at, err) < 0 ||
	    sha256(text, len, image->id, err) < 0 || parse_at(text, len, at, &json, err) < 0 ||
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
static int add_image(struct collect *k, struct assay_container_image *image, struct assay_err *err)
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

static int check_count(const struct assay_container_image *image, size_t n, struct assay_err *err)
{
	if (image->n_layers == n)
		return 0;
	return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
			  "%zu layers, but the configuration names %zu", n, image->n_layers);
}

/* --- manifest.json -----------------------------------------------------------------------------
 */

static int docker_image(struct collect *k, const struct assay_json *entry,
			struct assay_container_image *image, struct assay_err *err)
{
	const struct assay_json *config, *layers, *tags;

	if (assay_ci_need(entry, "Config", ASSAY_CI_STRING, &config, err) < 0 ||
	    assay_ci_need(entry, "Layers", ASSAY_CI_ARRAY, &layers, err) < 0 ||
	    assay_ci_get(entry, "RepoTags", &tags, err) < 0 ||
	    read_config(k, assay_json_str(config), image, err) < 0 ||
	    check_count(image, assay_json_len(layers), err) < 0)
		return -1;
	image->in_manifest = true;
	for (size_t i = 0; i < image->n_layers; i++) {
		const char *path = assay_json_str(assay_json_at(layers, i));

		if (!path)
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
					  "JSON: a layer without a path");
		if (add_blob(k, path, &image->layers[i].blob, err) < 0)
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

static int docker_archive(struct collect *k, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *list = NULL;

	if (read_json(k, "manifest.json", &list, err) < 0)
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
				      : add_image(k, &image, err);

		assay_container_image_clear(&image);
		if (r < 0)
			return assay_wrap(err, "manifest.json: image %zu", i);
	}
	return 0;
}

/* --- OCI layout --------------------------------------------------------------------------------
 */

struct descriptor {
	uint8_t digest[32];
	char path[80];
	int64_t size;
	const char *name; /* or NULL */
	bool attestation;
};

static int parse_descriptor(struct collect *k, const struct assay_json *node,
			    struct descriptor *ret, struct assay_err *err)
{
	const struct assay_json *digest, *size, *notes, *name, *type;
	char hex[ASSAY_HEX_MAX];
	struct descriptor d = { 0 };

	if (++k->descriptors > ASSAY_CONTAINER_MAX_DESCRIPTORS)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "more than %u descriptors",
				  ASSAY_CONTAINER_MAX_DESCRIPTORS);
	if (assay_ci_need(node, "digest", ASSAY_CI_STRING, &digest, err) < 0 ||
	    assay_ci_get(node, "size", &size, err) < 0 ||
	    assay_ci_get(node, "annotations", &notes, err) < 0)
		return -1;
	if (!assay_digest_parse(assay_json_str(digest), d.digest))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "JSON: a digest that is no sha256 digest");
	if (!size || !assay_json_get_int(size, &d.size) || d.size < 0)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
				  "JSON: a descriptor without a size");
	snprintf(d.path, sizeof(d.path), "blobs/sha256/%s", assay_hex(d.digest, 32, hex));
	if (notes && assay_json_is_object(notes)) {
		name = assay_json_get(notes, "io.containerd.image.name");
		if (!name)
			name = assay_json_get(notes, "org.opencontainers.image.ref.name");
		d.name = name ? assay_json_str(name) : NULL;
		type = assay_json_get(notes, "vnd.docker.reference.type");
		d.attestation = type && assay_json_str(type) &&
				strcmp(assay_json_str(type), "attestation-manifest") == 0;
	}
	*ret = d;
	return 0;
}

static int oci_image(struct collect *k, const struct assay_json *manifest,
		     const struct descriptor *d, const char *name, bool right,
		     struct assay_container_image *image, struct assay_err *err)
{
	const struct assay_json *config, *layers;
	struct descriptor cd, ld;

	if (assay_ci_need(manifest, "config", ASSAY_CI_OBJECT, &config, err) < 0 ||
	    assay_ci_need(manifest, "layers", ASSAY_CI_ARRAY, &layers, err) < 0 ||
	    parse_descriptor(k, config, &cd, err) < 0 || read_config(k, cd.path, image, err) < 0 ||
	    check_count(image, assay_json_len(layers), err) < 0)
		return -1;
	image->in_index = true;
	image->attestation = d->attestation;
	if (name && assay_strings_add_once(&image->names, name, err) < 0)
		return -1;
	if (!right &&
	    assay_container_disagree(image, err,
				     "the manifest's bytes are not of the digest or size in "
				     "the index, %s",
				     d->path) < 0)
		return -1;
	for (size_t i = 0; i < image->n_layers; i++)
		if (parse_descriptor(k, assay_json_at(layers, i), &ld, err) < 0 ||
		    add_blob(k, ld.path, &image->layers[i].blob, err) < 0)
			return -1;
	return 0;
}

static int oci_index(struct collect *k, const struct assay_json *index, const char *name,
		     unsigned depth, struct assay_err *err);

/* What lies under a descriptor: a manifest, or a further index. */
static int oci_file(struct collect *k, const struct descriptor *d, const char *name, unsigned depth,
		    struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *text = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;
	const struct assay_json *manifests, *config;
	struct assay_container_image image = { 0 };
	uint8_t digest[32];
	uint64_t at;
	size_t len;

	if (read_blob(k, d->path, &text, &len, &at, err) < 0 ||
	    sha256(text, len, digest, err) < 0 || parse_at(text, len, at, &json, err) < 0 ||
	    assay_ci_get(json, "manifests", &manifests, err) < 0 ||
	    assay_ci_get(json, "config", &config, err) < 0)
		return -1;
	const bool right = memcmp(digest, d->digest, 32) == 0 && (uint64_t)d->size == len;

	if (manifests && config)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at,
				  "is both a manifest and an index: readers differ");
	if (manifests) {
		if (!right &&
		    assay_strings_addf(&k->remarks, err,
				       "an index's bytes are not of the digest or size in "
				       "the index above it, %s",
				       d->path) < 0)
			return -1;
		return oci_index(k, json, name, depth + 1, err);
	}
	const int r = oci_image(k, json, d, name, right, &image, err) < 0
			      ? -1
			      : add_image(k, &image, err);

	assay_container_image_clear(&image);
	return r;
}

static int oci_index(struct collect *k, const struct assay_json *index, const char *name,
		     unsigned depth, struct assay_err *err)
{
	const struct assay_json *list;

	if (depth > ASSAY_CONTAINER_MAX_NESTING)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "indexes nested deeper than %u", ASSAY_CONTAINER_MAX_NESTING);
	/* null in what docker save writes for an image without a name */
	if (assay_ci_get(index, "manifests", &list, err) < 0)
		return -1;
	for (size_t i = 0; list && i < assay_json_len(list); i++) {
		struct descriptor d;
		bool there;

		if (parse_descriptor(k, assay_json_at(list, i), &d, err) < 0 ||
		    has_file(k, d.path, &there, err) < 0)
			return -1;
		/* docker save keeps the index of all platforms, and the files of one. */
		if (there && oci_file(k, &d, d.name ? d.name : name, depth, err) < 0)
			return assay_container_wrap(err, "manifest", d.path);
		if (!there && assay_strings_addf(&k->remarks, err,
						 "an index names %s, which is not in the archive",
						 d.path) < 0)
			return -1;
	}
	return 0;
}

static int oci_layout(struct collect *k, bool *ret_lists, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *layout = NULL, *index = NULL;
	const struct assay_json *version, *list;

	if (read_json(k, "oci-layout", &layout, err) < 0)
		return -1;
	if (assay_ci_need(layout, "imageLayoutVersion", ASSAY_CI_STRING, &version, err) < 0)
		return assay_wrap(err, "oci-layout");
	if (strcmp(assay_json_str(version), "1.0.0") != 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "oci-layout: not of version 1.0.0");
	if (read_json(k, "index.json", &index, err) < 0)
		return -1;
	if (oci_index(k, index, NULL, 0, err) < 0)
		return assay_wrap(err, "index.json");
	list = assay_json_get(index, "manifests");
	*ret_lists = list && assay_json_len(list) > 0;
	return 0;
}

/* --- both --------------------------------------------------------------------------------------
 */

/* Readers of the one list and readers of the other are to see the same images. */
static int compare_lists(struct collect *k, bool both, struct assay_err *err)
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

static int collect(struct collect *k, struct assay_err *err)
{
	bool docker, oci, lists = false;

	if (has_file(k, "manifest.json", &docker, err) < 0 ||
	    has_file(k, "oci-layout", &oci, err) < 0)
		return -1;
	if (!docker && !oci)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "has neither a manifest.json nor an oci-layout: no container "
				  "archive that is known here");
	if ((docker && docker_archive(k, err) < 0) || (oci && oci_layout(k, &lists, err) < 0))
		return -1;
	if (k->c->n_images == 0)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no image is in it");
	return compare_lists(k, docker && lists, err);
}

int assay_images_collect(const struct assay_store *store, struct assay_containers *c,
			 struct assay_err *err)
{
	struct collect k = { .store = store, .c = c };
	const int r = collect(&k, err);

	assay_strings_clear(&k.remarks);
	return r;
}
