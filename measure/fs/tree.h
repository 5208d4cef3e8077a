/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree as text: an mtree(5) listing with each file's SHA-256, and that text's own SHA-256, which
 * stands for the tree. docs/FORMATS.md has its rules to the byte.
 */
#ifndef ASSAY_MEASURE_FS_TREE_H
#define ASSAY_MEASURE_FS_TREE_H

#include <stddef.h>

#include "measure/fs/fs.h"

struct assay_fs_tree {
	uint8_t sha256[32]; /* of the listing */
	uint64_t names;	    /* in it, "." among them */
	uint64_t files;	    /* hard links once */
	uint64_t bytes;	    /* of these files */
};

/* One line of the listing with its newline. */
typedef int assay_fs_tree_fn(const char *line, size_t len, void *arg, struct assay_err *err);

/*
 * The directory at `path`, which is "." in the listing, and all below it. Files are hashed on every
 * core, each byte once; memory use does not depend on their number, but for hard links. fn may be
 * NULL.
 */
int assay_fs_tree_digest(struct assay_fs *fs, const char *path, assay_fs_tree_fn *fn, void *arg,
			 struct assay_fs_tree *ret, struct assay_err *err) ASSAY_MUST;

#endif
