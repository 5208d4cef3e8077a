/* SPDX-License-Identifier: Apache-2.0 */
/* What filesystems with inodes share: kinds, extents of a file, names of a directory. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/limits.h"
#include "measure/fs/fs_priv.h"

int assay_fs_kind_of(uint32_t mode, enum assay_fs_kind *ret)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		*ret = ASSAY_FS_FILE;
		return 0;
	case S_IFDIR:
		*ret = ASSAY_FS_DIR;
		return 0;
	case S_IFLNK:
		*ret = ASSAY_FS_SYMLINK;
		return 0;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		*ret = ASSAY_FS_OTHER;
		return 0;
	default:
		return -1;
	}
}

int assay_extents_add(struct assay_extents *list, uint64_t off, uint64_t len, struct assay_err *err)
{
	struct assay_extent *last = list->n ? &list->e[list->n - 1] : NULL;

	if (len == 0)
		return 0;
	if (last &&
	    (off == ASSAY_SRC_HOLE ? last->off == ASSAY_SRC_HOLE
				   : last->off != ASSAY_SRC_HOLE && last->off + last->len == off)) {
		last->len += len;
		return 0;
	}
	if (list->n == list->cap) {
		const size_t cap = list->cap ? list->cap * 2 : 4;
		struct assay_extent *e;

		if (list->n >= ASSAY_SRC_MAX_EXTENTS)
			return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
					  "more than %u extents", ASSAY_SRC_MAX_EXTENTS);
		e = realloc(list->e, cap * sizeof(*e));
		if (!e)
			return assay_fail_mem(err);
		list->e = e;
		list->cap = cap;
	}
	list->e[list->n++] = (struct assay_extent){ .off = off, .len = len };
	return 0;
}

void assay_extents_drop_holes(struct assay_extents *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->n; i++)
		if (list->e[i].off != ASSAY_SRC_HOLE)
			list->e[kept++] = list->e[i];
	list->n = kept;
}

int assay_names_add(struct assay_names *list, const char *name, size_t len, enum assay_fs_kind kind,
		    uint64_t node, struct assay_err *err)
{
	char *copy;

	if (list->dir.n == list->cap) {
		const size_t cap = list->cap ? list->cap * 2 : 16;
		struct assay_dirent *grown = realloc(list->dir.e, cap * sizeof(*grown));

		if (!grown)
			return assay_fail_mem(err);
		list->dir.e = grown;
		list->cap = cap;
	}
	copy = strndup(name, len);
	if (!copy)
		return assay_fail_mem(err);
	list->dir.e[list->dir.n++] =
		(struct assay_dirent){ .name = copy, .kind = kind, .node = node };
	return 0;
}
