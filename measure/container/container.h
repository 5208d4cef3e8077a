/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Container images in archives: what `docker save`, `podman save`, skopeo and umoci write, as a tar
 * file or as a folder. Nothing is extracted.
 *
 * The image ID is the SHA-256 of the configuration's bytes; the configuration names the digests of
 * the layers, unpacked. What file names, manifests and indexes say about digests is not believed:
 * where they disagree with the bytes, that is a fact in the image's `disagreements`.
 */
#ifndef ASSAY_MEASURE_CONTAINER_CONTAINER_H
#define ASSAY_MEASURE_CONTAINER_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/json.h"
#include "core/src.h"

enum assay_packing {
	ASSAY_PACKING_UNKNOWN,
	ASSAY_PACKING_NONE,
	ASSAY_PACKING_GZIP,
	ASSAY_PACKING_ZSTD,
	ASSAY_PACKING_XZ,
	ASSAY_PACKING_BZIP2
};
const char *assay_packing_name(enum assay_packing packing); /* "none", "gzip", … */

/* A layer's file; images may share it. */
struct assay_container_blob {
	char *path; /* in the archive, links followed */
	/* All below is known after hashing only (not with ids_only). */
	enum assay_packing packing;
	uint64_t at;	   /* of its first byte in the outermost file */
	uint64_t size;	   /* as it lies there */
	uint64_t unpacked; /* bytes */
	uint8_t packed_sha256[32];
	uint8_t sha256[32]; /* of the unpacked bytes */
	char *damage;	    /* why it cannot be unpacked, or NULL; then there is no sha256 */
};

enum assay_layer_state { ASSAY_LAYER_UNCHECKED, ASSAY_LAYER_SAME, ASSAY_LAYER_DIFFERENT };

struct assay_container_layer {
	size_t blob; /* in assay_containers.blobs */
	uint8_t diff_id[32];
	enum assay_layer_state state;
};

struct assay_strings {
	char **s;
	size_t n;
};

struct assay_container_image {
	uint8_t id[32];
	char *config; /* its path in the archive */
	char *os;     /* as the configuration has them, or NULL */
	char *architecture;
	bool attestation; /* marked as what BuildKit says about another image */
	bool in_manifest; /* listed by manifest.json */
	bool in_index;	  /* listed by index.json */
	struct assay_strings names;
	struct assay_strings disagreements;
	struct assay_container_layer *layers; /* the lowest first */
	size_t n_layers;
};

struct assay_containers {
	struct assay_container_image
		*images; /* in the order of manifest.json, then of index.json */
	size_t n_images;
	struct assay_container_blob *blobs;
	size_t n_blobs;
	bool checked; /* layers were hashed */
};

struct assay_container_opts {
	bool ids_only;	    /* leave the layers alone: reads headers, manifests, configurations */
	uint64_t max_layer; /* unpacked bytes; 0: ASSAY_CONTAINER_MAX_LAYER */
};

/*
 * A tar file: docker-archive, OCI layout, or both in one. One that is packed as a whole is unpacked
 * into a file without a name in TMPDIR or /var/tmp; offsets then are those in that. Disks are
 * refused.
 */
int assay_containers_read(struct assay_src *src, const struct assay_container_opts *opts,
			  struct assay_containers **ret, struct assay_err *err) ASSAY_MUST;
/* A folder with the same. No symbolic link in it is followed. */
int assay_containers_read_folder(const char *path, const struct assay_container_opts *opts,
				 struct assay_containers **ret, struct assay_err *err) ASSAY_MUST;
void assay_containers_free(struct assay_containers **c);
ASSAY_DEFINE_AUTO(assay_containers)

/* Have all layers the digests that the configuration names? false also when unchecked. */
bool assay_container_verified(const struct assay_containers *c,
			      const struct assay_container_image *image);

/* Where an archive is, for people and programs. */
struct assay_container_place {
	const char *archive; /* a file of this machine, or a path in a disk's filesystem */
	const char *disk;    /* that disk, or NULL */
	unsigned partition;  /* of it; 0: it has none, the filesystem begins with the disk */
	const char *root_hash; /* in hex, of the hash tree that covers it; NULL: not known */
};
/* One object for each image, appended to list. */
void assay_containers_json(const struct assay_containers *c,
			   const struct assay_container_place *place, struct assay_json *list);

/*
 * Container measurements: {"@local/NAME:TAG": "sha256:…"}, as AICert's verifier reads them. A name
 * loses docker.io/library/ and localhost/, which containerd and podman put before names without a
 * registry.
 */
struct assay_measurement {
	char *name; /* "@local/NAME:TAG" */
	uint8_t id[32];
	/* Where it is out of an archive, else NULL and false: */
	char *archive; /* the first one, as its reader calls it */
	bool verified; /* all layers were hashed and are right, in each archive with that name */
};
struct assay_measurements {
	struct assay_measurement *m; /* by name, ascending */
	size_t n;
};
/*
 * Adds an archive's images. ASSAY_E_UNSUPPORTED for one without a name or without a tag in it,
 * ASSAY_E_CORRUPT when a name is given to two IDs. Attestations (BuildKit) are left out.
 */
int assay_measurements_add(struct assay_measurements *m, const struct assay_containers *c,
			   const char *archive, struct assay_err *err) ASSAY_MUST;
int assay_measurements_parse(const char *text, size_t len, struct assay_measurements *ret,
			     struct assay_err *err) ASSAY_MUST;
int assay_measurements_load(const char *path, struct assay_measurements *ret,
			    struct assay_err *err) ASSAY_MUST;
/* What assay_src_read() gives of a file of this machine or of a disk. */
int assay_measurements_read(struct assay_src *src, struct assay_measurements *ret,
			    struct assay_err *err) ASSAY_MUST;
struct assay_json *assay_measurements_json(const struct assay_measurements *m);
void assay_measurements_clear(struct assay_measurements *m);

enum assay_listed_state {
	ASSAY_LISTED_AGREES,
	ASSAY_LISTED_DIFFERS,
	ASSAY_LISTED_MISSING,  /* listed, and in no archive */
	ASSAY_LISTED_UNLISTED, /* in an archive, and not listed */
};
const char *assay_listed_name(enum assay_listed_state state); /* "agrees", … */

/* A name of either list. Both are borrowed. */
struct assay_listed {
	const char *name;
	enum assay_listed_state state;
	const struct assay_measurement *listed; /* or NULL */
	const struct assay_measurement *found;	/* or NULL */
};
/* Every name once, ascending; caller frees. */
int assay_measurements_compare(const struct assay_measurements *listed,
			       const struct assay_measurements *found, struct assay_listed **ret,
			       size_t *ret_n, struct assay_err *err) ASSAY_MUST;

#endif
