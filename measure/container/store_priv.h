/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of places that an archive's files can lie in. */
#ifndef ASSAY_MEASURE_CONTAINER_STORE_PRIV_H
#define ASSAY_MEASURE_CONTAINER_STORE_PRIV_H

#include "measure/container/container_priv.h"

struct assay_store_ops {
	/* NULL: the clean name is the one name. */
	int (*find)(void *data, const char *name, char **ret, struct assay_err *err);
	/* From several threads at a time. The name is clean. */
	int (*open)(void *data, const char *name, struct assay_src **ret, struct assay_err *err);
	void (*free)(void *data);
};

/* Owns data from then on, also when it fails. */
int assay_store_new(const struct assay_store_ops *ops, void *data, struct assay_store **ret,
		    struct assay_err *err) ASSAY_MUST;

/*
 * spool.c: a packed archive unpacked into a file without a name, in TMPDIR or /var/tmp; it is gone
 * with the source. ASSAY_E_LIMIT past `limit` bytes.
 */
int assay_spool(struct assay_src *packed, enum assay_packing packing, uint64_t limit,
		struct assay_src **ret, struct assay_err *err) ASSAY_MUST;

#endif
