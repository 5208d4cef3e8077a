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

/*
 * A member, NULL where there is none or a null. Go, in which the other tools are written, does not
 * tell "Config" from "config"; a key that only such readers take for the wanted one is refused.
 */
int assay_ci_get(const struct assay_json *obj, const char *key, const struct assay_json **ret,
		 struct assay_err *err) ASSAY_MUST;
enum assay_ci_kind { ASSAY_CI_STRING, ASSAY_CI_ARRAY, ASSAY_CI_OBJECT };
int assay_ci_need(const struct assay_json *obj, const char *key, enum assay_ci_kind kind,
		  const struct assay_json **ret, struct assay_err *err) ASSAY_MUST;

#endif
