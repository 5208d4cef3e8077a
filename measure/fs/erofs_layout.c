/* SPDX-License-Identifier: Apache-2.0 */
/* EROFS: where its own structures lie. There is no table of inodes: they are found by their names.
 */
#include <stdlib.h>

#include "core/limits.h"
#include "measure/fs/erofs_priv.h"

static int add_extents(struct erofs *fs, const struct assay_erofs_inode *inode, uint64_t off,
		       struct assay_fs_layout *to, const char *what, struct assay_err *err)
{
	struct assay_extents list = { 0 };
	int rc = assay_erofs_map(fs, inode, off, &list, err);

	for (size_t i = 0; rc == 0 && i < list.n; i++)
		if (list.e[i].off != ASSAY_SRC_HOLE)
			rc = assay_fs_layout_add(to, list.e[i].off, list.e[i].len, what, err);
	free(list.e);
	return rc;
}

/* An inode with its attributes and its table of chunks; of what is no file, its data too. */
static int add_inode(struct erofs *fs, uint64_t nid, unsigned depth, struct assay_fs_layout *to,
		     struct assay_err *err)
{
	struct assay_erofs_inode inode;
	struct assay_dir dir = { 0 };
	uint64_t off;
	int rc = 0;

	if (depth > ASSAY_FS_MAX_DEPTH)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "more than %u levels",
				  ASSAY_FS_MAX_DEPTH);
	if (assay_erofs_inode(fs, nid, &inode, &off, err) < 0 ||
	    assay_fs_layout_add(to, off, inode.after, "inode", err) < 0)
		return -1;
	if (inode.layout == ASSAY_EROFS_CHUNKS) {
		uint64_t table, len;

		if (assay_erofs_chunk_table(fs, &inode, off, &table, &len, err) < 0 ||
		    assay_fs_layout_add(to, table, len, "chunk table", err) < 0)
			return -1;
	}
	if (inode.st.kind == ASSAY_FS_SYMLINK)
		return add_extents(fs, &inode, off, to, "symbolic link", err);
	if (inode.st.kind != ASSAY_FS_DIR)
		return 0;
	if (add_extents(fs, &inode, off, to, "directory", err) < 0 ||
	    assay_erofs_list(fs, nid, &dir, err) < 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < dir.n; i++)
		rc = add_inode(fs, dir.e[i].node, depth + 1, to, err);
	assay_dir_clear(&dir);
	return rc;
}

int assay_erofs_layout(void *data, struct assay_fs_layout *to, struct assay_err *err)
{
	struct erofs *fs = data;

	if (assay_fs_layout_add(to, ASSAY_EROFS_SUPER_AT, ASSAY_EROFS_SUPER_SIZE, "superblock",
				err) < 0)
		return -1;
	return add_inode(fs, fs->sb.root_nid, 0, to, err);
}
