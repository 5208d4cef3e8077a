/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is packed as a stream: layers, and archives as a whole. By libarchive, in constant memory.
 *
 * The filter is named to libarchive by us, from the first bytes. Left to look for itself it would
 * go on unpacking what is packed twice, and could start programs.
 */
#ifndef ASSAY_MEASURE_CONTAINER_UNPACK_H
#define ASSAY_MEASURE_CONTAINER_UNPACK_H

#include "measure/container/container.h"

/* Told by the first bytes: Docker, containers/image and we look at the same ones. */
enum assay_packing assay_packing_of(const uint8_t *p, size_t len);
int assay_packing_of_src(struct assay_src *src, enum assay_packing *ret,
			 struct assay_err *err) ASSAY_MUST;

struct assay_unpack;

/* Every byte of the file as it lies there, in order; or NULL. */
typedef int assay_unpack_seen(void *arg, const void *p, size_t len, struct assay_err *err);

/* src is borrowed. */
int assay_unpack_open(struct assay_src *src, enum assay_packing packing, assay_unpack_seen *seen,
		      void *arg, struct assay_unpack **ret, struct assay_err *err) ASSAY_MUST;
/* The next unpacked bytes, borrowed until the next call; none at the end. */
int assay_unpack_next(struct assay_unpack *u, const void **ret, size_t *ret_len,
		      struct assay_err *err) ASSAY_MUST;
/* After a failure: why the stream cannot be unpacked (ASSAY_E_CORRUPT), or NULL when it is not the
 * stream's fault. */
const char *assay_unpack_damage(const struct assay_unpack *u);
/* What lies behind the stream is seen too. */
int assay_unpack_drain(struct assay_unpack *u, struct assay_err *err) ASSAY_MUST;
void assay_unpack_free(struct assay_unpack **u);
ASSAY_DEFINE_AUTO(assay_unpack)

#endif
