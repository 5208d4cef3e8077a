/* SPDX-License-Identifier: Apache-2.0 */
/* Between tar.c, the table of contents, and tar_header.c, what is in one header. */
#ifndef ASSAY_MEASURE_CONTAINER_TAR_PRIV_H
#define ASSAY_MEASURE_CONTAINER_TAR_PRIV_H

#include "measure/container/container_priv.h"

#define ASSAY_TAR_BLOCK 512U

/* What headers before a header say about it; NULL and false where they say nothing. */
struct assay_tar_extras {
	char *name;
	char *link;
	bool has_size;
	uint64_t size;
};
/* Is it such a header? */
bool assay_tar_is_extra(const struct assay_tar_header *h);
/* Adds the one whose data is at `off`. */
int assay_tar_read_extra(struct assay_src *src, uint64_t off, const struct assay_tar_header *h,
			 struct assay_tar_extras *x, struct assay_err *err) ASSAY_MUST;
void assay_tar_extras_clear(struct assay_tar_extras *x);

/* ASSAY_E_LIMIT: a name beyond ASSAY_TAR_MAX_NAME. */
int assay_tar_long_name(uint64_t at, struct assay_err *err);

#endif
