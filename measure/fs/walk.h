/* SPDX-License-Identifier: Apache-2.0 */
/* Going through a filesystem's tree: each name once, in an order that does not depend on the disk.
 */
#ifndef ASSAY_MEASURE_FS_WALK_H
#define ASSAY_MEASURE_FS_WALK_H

#include "measure/fs/fs.h"

struct assay_fs_entry {
	const char *path; /* absolute; without symbolic links */
	uint64_t node;	  /* filesystems with nodes */
	struct assay_fs_stat st;
};

typedef int assay_fs_walk_fn(const struct assay_fs_entry *e, void *arg, struct assay_err *err);

/*
 * The directory at `path` and all below it. Names of a directory ascend by their bytes, and a
 * directory comes directly before what is in it: paths ascend when '/' is taken for the least of
 * bytes. Symbolic links are not followed. ASSAY_E_CORRUPT when a directory has two names, or a
 * name's kind is not that of its node; ASSAY_E_LIMIT after ASSAY_FS_MAX_NODES names or below
 * ASSAY_FS_MAX_DEPTH levels. fn's -1 ends it.
 */
int assay_fs_walk(struct assay_fs *fs, const char *path, assay_fs_walk_fn *fn, void *arg,
		  struct assay_err *err) ASSAY_MUST;

#endif
