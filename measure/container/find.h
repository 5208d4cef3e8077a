/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Container archives in a filesystem: files named *.tar, *.tar.gz and so on that hold images, and
 * folders with an OCI layout. No symbolic link is followed: what one leads to is found where it is.
 */
#ifndef ASSAY_MEASURE_CONTAINER_FIND_H
#define ASSAY_MEASURE_CONTAINER_FIND_H

#include "measure/container/container.h"
#include "measure/fs/fs.h"

struct assay_found_archive {
	char *path;			     /* in the filesystem: "/opt/web.tar" */
	struct assay_containers *containers; /* NULL: it cannot be read, */
	struct assay_err err;		     /* and why */
};

struct assay_found {
	struct assay_found_archive *a; /* by path, ascending */
	size_t n;
};

/*
 * Fails where the filesystem cannot be walked. Each archive's layers are hashed once, those of all
 * archives side by side. Other tar files and other files with such a name are not mentioned.
 */
int assay_containers_find(struct assay_fs *fs, const struct assay_container_opts *opts,
			  struct assay_found *ret, struct assay_err *err) ASSAY_MUST;
void assay_found_clear(struct assay_found *found);

/* Is it a tar file, packed or not, rather than a disk? Looks at its beginning only. */
int assay_container_may_be(struct assay_src *src, bool *ret, struct assay_err *err) ASSAY_MUST;

/* The names and IDs of all archives; one that cannot be read is an error here. */
int assay_found_measurements(const struct assay_found *found, struct assay_measurements *ret,
			     struct assay_err *err) ASSAY_MUST;

#endif
