/* SPDX-License-Identifier: Apache-2.0 */
/* The ways from a file to the disk in it: measure/disk/open.c chooses one. */
#ifndef ASSAY_MEASURE_DISK_OPEN_PRIV_H
#define ASSAY_MEASURE_DISK_OPEN_PRIV_H

#include "measure/disk/open.h"

/* A file being opened as a disk. */
struct assay_disk_file {
	const char *path;
	const struct assay_disk_opts *opts;
	int fd; /* borrowed */
	struct assay_src *src;
};

/* Each: the disk, and its format's name. */
typedef int assay_disk_open_fn(const struct assay_disk_file *file, struct assay_src **ret,
			       const char **ret_format, struct assay_err *err);
assay_disk_open_fn assay_disk_open_qcow2;
assay_disk_open_fn assay_disk_open_vhd;
assay_disk_open_fn assay_disk_open_vhdx;
assay_disk_open_fn assay_disk_open_vmdk;
assay_disk_open_fn assay_disk_open_vmdk_extents; /* a text descriptor */
assay_disk_open_fn assay_disk_open_gzip;
assay_disk_open_fn assay_disk_open_xz;
assay_disk_open_fn assay_disk_open_zstd;

/* A file that an image names, from the image's own folder: opened, or refused. The caller closes *ret_fd. */
int assay_disk_open_named(const char *image_path, const char *name, char **ret_path, int *ret_fd,
			  struct assay_src **ret, struct assay_err *err) ASSAY_MUST;

#endif
