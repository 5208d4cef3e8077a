/* SPDX-License-Identifier: Apache-2.0 */
/* index.json and what hangs on it: OCI Image Format 1.1, image-layout, image-index, manifest. */
#include "measure/container/container_priv.h"

#include <stdio.h>
#include <string.h>

#include "core/digest.h"
#include "core/limits.h"
#include "measure/container/images_priv.h"

struct descriptor {
	uint8_t digest[32];
	char path[80];
	int64_t size;
	const char *name; /* or NULL */
	bool attestation;
};

static int parse_descriptor(struct assay_collect *k, const struct assay_json *node,
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
	if (assay_digest_need(assay_json_str(digest), "a digest", d.digest, err) < 0)
		return -1;
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

/* Layers that nobody can check here, by what they are called (OCI 1.1, layer, "Non-Distributable
 * Layers"). */
static int check_layer(struct assay_collect *k, const struct assay_json *node,
		       const struct descriptor *d, struct assay_err *err)
{
	const struct assay_json *type;
	bool there;

	if (assay_ci_get(node, "mediaType", &type, err) < 0)
		return -1;
	const char *text = type ? assay_json_str(type) : NULL;

	if (text && strstr(text, "+encrypted"))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "layer %s is encrypted", d->path);
	if (!text || (!strstr(text, "nondistributable") && !strstr(text, "foreign")))
		return 0;
	if (assay_collect_has(k, d->path, &there, err) < 0)
		return -1;
	if (!there)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "layer %s is a foreign one, to be had elsewhere", d->path);
	return 0;
}

static int oci_image(struct assay_collect *k, const struct assay_json *manifest,
		     const struct descriptor *d, const char *name, bool right,
		     struct assay_container_image *image, struct assay_err *err)
{
	const struct assay_json *config, *layers;
	struct descriptor cd, ld;

	if (assay_ci_need(manifest, "config", ASSAY_CI_OBJECT, &config, err) < 0 ||
	    assay_ci_need(manifest, "layers", ASSAY_CI_ARRAY, &layers, err) < 0 ||
	    parse_descriptor(k, config, &cd, err) < 0 ||
	    assay_collect_config(k, cd.path, image, err) < 0 ||
	    assay_collect_count(image, assay_json_len(layers), err) < 0)
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
		    check_layer(k, assay_json_at(layers, i), &ld, err) < 0 ||
		    assay_collect_blob(k, ld.path, &image->layers[i].blob, err) < 0)
			return -1;
	return 0;
}

static int oci_index(struct assay_collect *k, const struct assay_json *index, const char *name,
		     unsigned depth, struct assay_err *err);

/* What lies under a descriptor: a manifest, or a further index. */
static int oci_file(struct assay_collect *k, const struct descriptor *d, const char *name,
		    unsigned depth, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *text = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;
	const struct assay_json *manifests, *config;
	struct assay_container_image image = { 0 };
	uint8_t digest[32];
	uint64_t at;
	size_t len;

	if (assay_collect_read(k, d->path, &text, &len, &at, err) < 0 ||
	    assay_collect_sha256(text, len, digest, err) < 0 ||
	    assay_collect_parse(text, len, at, &json, err) < 0 ||
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
			      : assay_collect_image(k, &image, err);

	assay_container_image_clear(&image);
	return r;
}

static int oci_index(struct assay_collect *k, const struct assay_json *index, const char *name,
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
		    assay_collect_has(k, d.path, &there, err) < 0)
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

int assay_collect_oci(struct assay_collect *k, bool *ret_lists, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *layout = NULL, *index = NULL;
	const struct assay_json *version, *list;

	if (assay_collect_json(k, "oci-layout", &layout, err) < 0)
		return -1;
	if (assay_ci_need(layout, "imageLayoutVersion", ASSAY_CI_STRING, &version, err) < 0)
		return assay_wrap(err, "oci-layout");
	if (strcmp(assay_json_str(version), "1.0.0") != 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "oci-layout: not of version 1.0.0");
	if (assay_collect_json(k, "index.json", &index, err) < 0)
		return -1;
	if (oci_index(k, index, NULL, 0, err) < 0)
		return assay_wrap(err, "index.json");
	list = assay_json_get(index, "manifests");
	*ret_lists = list && assay_json_len(list) > 0;
	return 0;
}
