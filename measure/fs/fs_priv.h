/* SPDX-License-Identifier: Apache-2.0 */
/* Shared inside measure/fs. */
#ifndef ASSAY_MEASURE_FS_FS_PRIV_H
#define ASSAY_MEASURE_FS_FS_PRIV_H

#include "measure/fs/fs.h"

struct assay_fs {
	const struct assay_fs_ops *ops;
	void *data;
	struct assay_src *src;
};

/* map.c, for a row's layout(): these bytes are part of a structure. `what` lives as long as the program. */
int assay_fs_layout_add(struct assay_fs_layout *l, uint64_t off, uint64_t len, const char *what,
			struct assay_err *err) ASSAY_MUST;

/*
 * path.c: the node that a path leads to. `follow`: the last component too. `ret_path`, when not NULL: the path without
 * links; fresh memory.
 */
int assay_fs_resolve(struct assay_fs *fs, const char *path, bool follow, uint64_t *ret,
		     char **ret_path, struct assay_err *err) ASSAY_MUST;

/* lists.c: the kind that a mode (as st_mode) tells; -1 when it is none. */
int assay_fs_kind_of(uint32_t mode, enum assay_fs_kind *ret) ASSAY_MUST;

/* lists.c: where the bytes of a file lie, neighbours that touch joined. ASSAY_E_LIMIT past ASSAY_SRC_MAX_EXTENTS. */
struct assay_extents {
	struct assay_extent *e;
	size_t n;
	size_t cap;
};
int assay_extents_add(struct assay_extents *list, uint64_t off, uint64_t len,
		      struct assay_err *err) ASSAY_MUST;
void assay_extents_drop_holes(struct assay_extents *list);

/* lists.c: a directory that grows. */
struct assay_names {
	struct assay_dir dir;
	size_t cap;
};
int assay_names_add(struct assay_names *list, const char *name, size_t len, enum assay_fs_kind kind,
		    uint64_t node, struct assay_err *err) ASSAY_MUST;

#endif
