/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filesystems: one ops row for each, over a source (a partition's slice, or anything else).
 * Paths are absolute with '/'. A file is a source made of its extents: no copy is made.
 */
#ifndef ASSAY_MEASURE_FS_FS_H
#define ASSAY_MEASURE_FS_FS_H

#include <stdbool.h>

#include "core/src.h"

struct assay_fs;

struct assay_dirent {
	char *name; /* UTF-8, as on the disk */
	bool dir;
	uint64_t size;
};

struct assay_dir {
	struct assay_dirent *e; /* in the order of the disk, without "." and ".." */
	size_t n;
};

struct assay_fs_ops {
	const char *name; /* "vfat" */
	/* Does it look like one? Looks at magic bytes only. */
	bool (*probe)(struct assay_src *src);
	int (*open)(struct assay_src *src, void **ret, struct assay_err *err);
	const char *(*label)(const void *fs); /* "FAT32" */
	int (*list)(void *fs, const char *path, struct assay_dir *ret, struct assay_err *err);
	/* `ret_path`, when not NULL: the path as spelled on the disk; fresh memory. */
	int (*file)(void *fs, const char *path, struct assay_src **ret, char **ret_path,
		    struct assay_err *err);
	void (*free)(void *fs);
};

extern const struct assay_fs_ops assay_fat_ops;

/* Finds the row that knows these bytes; ASSAY_E_UNSUPPORTED names what it is when we can tell
 * (LUKS, NTFS, exFAT, ext4, …), "unknown filesystem" otherwise. */
int assay_fs_open(struct assay_src *src, struct assay_fs **ret, struct assay_err *err) ASSAY_MUST;
void assay_fs_free(struct assay_fs **fs);
ASSAY_DEFINE_AUTO(assay_fs)
const char *assay_fs_name(const struct assay_fs *fs); /* "FAT32" */

/* ASSAY_E_NOTFOUND when a component is missing or is not a directory. */
int assay_fs_list(struct assay_fs *fs, const char *path, struct assay_dir *ret,
		  struct assay_err *err) ASSAY_MUST;
void assay_dir_clear(struct assay_dir *dir);
int assay_fs_file(struct assay_fs *fs, const char *path, struct assay_src **ret, char **ret_path,
		  struct assay_err *err) ASSAY_MUST;

#endif
