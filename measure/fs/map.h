/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the bytes of a filesystem's source are, from the first to the last: files by their extents,
 * and what the filesystem's row says of its own structures. Made once, by a walk through the tree.
 */
#ifndef ASSAY_MEASURE_FS_MAP_H
#define ASSAY_MEASURE_FS_MAP_H

#include "measure/fs/fs.h"

struct assay_fs_region {
	uint64_t off, len;
	/* "data" of a file, "data shared by files" (squashfs's fragments, copies, hard links),
	 * "inode table", …, "unused"; lives as long as the program. */
	const char *what;
	const char *path; /* the first file by the order of a walk; NULL: of no file */
	uint32_t more;	  /* further paths that have some of it */
};

struct assay_fs_map {
	struct assay_fs_region
		*r; /* ascending, without gaps, the last ends where the source does */
	size_t n;
	char **paths;
	size_t n_paths;
};

/*
 * Filesystems with nodes (ASSAY_E_UNSUPPORTED for others). ASSAY_E_LIMIT after
 * ASSAY_FS_MAX_REGIONS. A file whose extents cannot be told fails the whole.
 */
int assay_fs_map_new(struct assay_fs *fs, struct assay_fs_map **ret,
		     struct assay_err *err) ASSAY_MUST;
void assay_fs_map_free(struct assay_fs_map **map);
ASSAY_DEFINE_AUTO(assay_fs_map)
/* The region that has this byte; NULL behind the end. The regions after it follow it in map->r. */
const struct assay_fs_region *assay_fs_map_find(const struct assay_fs_map *map, uint64_t off);

#endif
