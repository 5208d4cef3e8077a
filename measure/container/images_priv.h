/* SPDX-License-Identifier: Apache-2.0 */
/* What reading lists of images is made of: strings, digests as text, JSON as other readers see it.
 */
#ifndef ASSAY_MEASURE_CONTAINER_IMAGES_PRIV_H
#define ASSAY_MEASURE_CONTAINER_IMAGES_PRIV_H

#include "measure/container/container.h"

int assay_strings_add(struct assay_strings *list, const char *s, struct assay_err *err) ASSAY_MUST;
/* Unless it is there; ASSAY_CONTAINER_MAX_NAMES of them. */
int assay_strings_add_once(struct assay_strings *list, const char *s,
			   struct assay_err *err) ASSAY_MUST;
int assay_strings_addf(struct assay_strings *list, struct assay_err *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4))) ASSAY_MUST;
void assay_strings_clear(struct assay_strings *list);
void assay_container_image_clear(struct assay_container_image *image);

/* "sha256:" and 64 lower-case hex digits. */
bool assay_digest_parse(const char *s, uint8_t ret[32]);
/* The same, or ASSAY_E_UNSUPPORTED with what is there instead; s may be NULL. */
int assay_digest_need(const char *s, const char *what, uint8_t ret[32],
		      struct assay_err *err) ASSAY_MUST;

/*
 * A member, NULL where there is none or a null. Go, in which the other tools are written, does not
 * tell "Config" from "config"; a key that only such readers take for the wanted one is refused.
 */
int assay_ci_get(const struct assay_json *obj, const char *key, const struct assay_json **ret,
		 struct assay_err *err) ASSAY_MUST;
enum assay_ci_kind { ASSAY_CI_STRING, ASSAY_CI_ARRAY, ASSAY_CI_OBJECT };
int assay_ci_need(const struct assay_json *obj, const char *key, enum assay_ci_kind kind,
		  const struct assay_json **ret, struct assay_err *err) ASSAY_MUST;

/* --- images.c: an archive's images as they are found -------------------------------------------
 */

struct assay_collect {
	const struct assay_store *store;
	struct assay_containers *c;
	unsigned descriptors;
	struct assay_strings remarks; /* about the archive as a whole */
};

int assay_collect_sha256(const void *p, size_t len, uint8_t *out, struct assay_err *err) ASSAY_MUST;
/* A small file, and where it lies. */
int assay_collect_read(struct assay_collect *k, const char *path, uint8_t **ret, size_t *ret_len,
		       uint64_t *ret_at, struct assay_err *err) ASSAY_MUST;
/* JSON that was read at `at`. */
int assay_collect_parse(const uint8_t *text, size_t len, uint64_t at, struct assay_json **ret,
			struct assay_err *err) ASSAY_MUST;
int assay_collect_json(struct assay_collect *k, const char *path, struct assay_json **ret,
		       struct assay_err *err) ASSAY_MUST;
int assay_collect_has(struct assay_collect *k, const char *path, bool *ret,
		      struct assay_err *err) ASSAY_MUST;
/* The layer of that path; images that share one share it. */
int assay_collect_blob(struct assay_collect *k, const char *path, size_t *ret,
		       struct assay_err *err) ASSAY_MUST;
/* ID, and what the configuration says. */
int assay_collect_config(struct assay_collect *k, const char *path,
			 struct assay_container_image *image, struct assay_err *err) ASSAY_MUST;
/* As many layers as diff IDs? */
int assay_collect_count(const struct assay_container_image *image, size_t n,
			struct assay_err *err) ASSAY_MUST;
/* Takes the image over, or merges it with one that has the same ID and the same layer files. */
int assay_collect_image(struct assay_collect *k, struct assay_container_image *image,
			struct assay_err *err) ASSAY_MUST;

/* --- oci.c --- */

/* *ret_lists: index.json lists images. */
int assay_collect_oci(struct assay_collect *k, bool *ret_lists, struct assay_err *err) ASSAY_MUST;

#endif
