/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: where an archive's files are found, and hashing of layers.
 */
#ifndef ASSAY_MEASURE_CONTAINER_CONTAINER_PRIV_H
#define ASSAY_MEASURE_CONTAINER_CONTAINER_PRIV_H

#include "core/cur.h"
#include "core/src.h"
#include "measure/container/container.h"

/* --- tar.c --- */

struct assay_tar_header {
	char name[257]; /* prefix and name */
	char link[101];
	uint64_t size;
	uint8_t type;
	bool zero; /* a block of zeros: nothing else is set */
};
/* One block of 512 bytes. Looks at bytes only. */
int assay_tar_parse_header(struct assay_cur in, struct assay_tar_header *ret,
			   struct assay_err *err) ASSAY_MUST;

enum assay_tar_kind {
	ASSAY_TAR_FILE,
	ASSAY_TAR_FOLDER,
	ASSAY_TAR_HARDLINK,
	ASSAY_TAR_SYMLINK,
	ASSAY_TAR_OTHER
};

struct assay_tar_entry {
	char *name; /* clean: no ".", no "..", no double or outer slash */
	char *link; /* HARDLINK, SYMLINK: as the archive has it */
	enum assay_tar_kind kind;
	uint64_t header; /* where its header is, for messages */
	uint64_t off, size;
};

struct assay_tar {
	struct assay_src *src;
	struct assay_tar_entry *entries; /* by name, ascending */
	size_t n, cap;
};
/* Reads headers only, seeking from one to the next. */
int assay_tar_open(struct assay_src *src, struct assay_tar **ret, struct assay_err *err) ASSAY_MUST;
void assay_tar_free(struct assay_tar **tar);
ASSAY_DEFINE_AUTO(assay_tar)
/* The regular file of that name, links followed; borrowed. ASSAY_E_NOTFOUND. */
int assay_tar_find(const struct assay_tar *tar, const char *name,
		   const struct assay_tar_entry **ret, struct assay_err *err) ASSAY_MUST;

/*
 * Clean path of `path` as seen from the folder `base` (NULL: the top). ".." is followed when `up`,
 * and refused otherwise; leaving the top is refused.
 */
int assay_tar_clean(const char *base, size_t base_len, const char *path, bool up, uint64_t at,
		    char **ret, struct assay_err *err) ASSAY_MUST;

/* --- store.c: the files of an archive, be it a tar file or a folder --- */

struct assay_store;
struct assay_fs;
/* Packed as a whole: unpacked into a temporary file (spool.c) that the store keeps. */
int assay_store_open_tar(struct assay_src *src, struct assay_store **ret, bool *ret_spooled,
			 struct assay_err *err) ASSAY_MUST;
int assay_store_open_folder(const char *path, struct assay_store **ret,
			    struct assay_err *err) ASSAY_MUST;
/* Its folder is the one that `path` names without any link. fs is borrowed. */
int assay_store_open_fs(struct assay_fs *fs, const char *path, struct assay_store **ret,
			struct assay_err *err) ASSAY_MUST;
void assay_store_free(struct assay_store **store);
ASSAY_DEFINE_AUTO(assay_store)
/* One name for one file, whatever link leads to it; caller frees. */
int assay_store_find(const struct assay_store *store, const char *name, char **ret,
		     struct assay_err *err) ASSAY_MUST;
int assay_store_open(const struct assay_store *store, const char *name, struct assay_src **ret,
		     struct assay_err *err) ASSAY_MUST;

/* --- layer.c --- */

struct assay_layer_job {
	const struct assay_store *store;
	struct assay_container_blob *blob;
	bool failed; /* err says why; damage is no failure */
	struct assay_err err;
};
/* Fills in what a hash tells about each blob, several at a time. Fails itself without memory only.
 */
int assay_layers_hash(struct assay_layer_job *jobs, size_t n, uint64_t max_layer,
		      struct assay_err *err) ASSAY_MUST;

/* --- container.c --- */

/* An archive on its way: opened, its images known, its layers hashed. Begins as zeros. */
struct assay_reading {
	struct assay_store *store;
	struct assay_containers *c;
	bool spooled; /* the store is a temporary file */
	bool failed;  /* a layer could not be read: err */
	struct assay_err err;
};
int assay_reading_tar(struct assay_reading *r, struct assay_src *src,
		      struct assay_err *err) ASSAY_MUST;
int assay_reading_fs(struct assay_reading *r, struct assay_fs *fs, const char *path,
		     struct assay_err *err) ASSAY_MUST;
/* All that have a store, together, unless opts says IDs only. Fails itself without memory only. */
int assay_readings_hash(struct assay_reading *r, size_t n, const struct assay_container_opts *opts,
			struct assay_err *err) ASSAY_MUST;
void assay_reading_clear(struct assay_reading *r);

/* --- scan.c --- */

/* Does a tar file, packed or not, hold images? Fails when it is a tar file that cannot be gone
 * through. */
int assay_container_is(struct assay_src *src, bool *ret, struct assay_err *err) ASSAY_MUST;

/* --- images.c --- */

int assay_images_collect(const struct assay_store *store, struct assay_containers *c,
			 struct assay_err *err) ASSAY_MUST;
/* "NOUN PATH: " before the message; the path may hold any bytes. Always -1. */
int assay_container_wrap(struct assay_err *err, const char *noun, const char *path);
/* A remark about an image. */
int assay_container_disagree(struct assay_container_image *image, struct assay_err *err,
			     const char *fmt, ...) __attribute__((format(printf, 3, 4))) ASSAY_MUST;
/* The digest that "blobs/sha256/HEX" claims. */
bool assay_blob_claim(const char *path, uint8_t ret[32]);

#endif
