/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths in filesystems whose names lead to nodes. The way from the root to where we are is kept as a list of steps, so
 * that ".." goes back where we came from (not where the disk's own ".." entry says) and never above the root.
 */
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "measure/fs/fs_priv.h"

struct step {
	char *name;
	uint64_t node;
};

struct way {
	struct step at[ASSAY_FS_MAX_DEPTH]; /* below the root */
	size_t n;
	unsigned links;
	char *left; /* what of the path is still to be gone */
};

static void way_clear(struct way *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->at[i].name);
	free(w->left);
}

static int find(struct assay_fs *fs, uint64_t dir, const char *name, uint64_t *ret,
		struct assay_err *err)
{
	const struct assay_fs_nodes *nodes = fs->ops->nodes;
	struct assay_dir list = { 0 };
	int rc = -1;

	if (nodes->lookup)
		return nodes->lookup(fs->data, dir, name, ret, err);
	if (nodes->list(fs->data, dir, &list, err) < 0)
		return -1;
	for (size_t i = 0; rc < 0 && i < list.n; i++) {
		if (strcmp(list.e[i].name, name) != 0)
			continue;
		*ret = list.e[i].node;
		rc = 0;
	}
	assay_dir_clear(&list);
	return rc == 0 ? 0 : assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no such file");
}

/* The link's target goes in front of what is left; an absolute one starts anew at the root. */
static int follow_link(struct assay_fs *fs, struct way *w, uint64_t node, bool must_be_dir,
		       struct assay_err *err)
{
	ASSAY_AUTO_FREE char *target = NULL;
	char *left;

	if (w->links++ == ASSAY_FS_MAX_LINKS)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "more than %u symbolic links on the way", ASSAY_FS_MAX_LINKS);
	if (fs->ops->nodes->readlink(fs->data, node, &target, err) < 0)
		return -1;
	if (!*target)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "an empty symbolic link");
	if (strlen(target) + strlen(w->left) + 1 > ASSAY_FS_MAX_PATH)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "a path of more than %u bytes", ASSAY_FS_MAX_PATH);
	while (*target == '/' && w->n > 0)
		free(w->at[--w->n].name);
	left = assay_asprintf("%s%s%s", target, must_be_dir ? "/" : "", w->left);
	if (!left)
		return assay_fail_mem(err);
	free(w->left);
	w->left = left;
	return 0;
}

/* One component, taken off w->left. */
static int take_step(struct assay_fs *fs, struct way *w, bool follow, struct assay_err *err)
{
	const uint64_t here = w->n ? w->at[w->n - 1].node : fs->ops->nodes->root(fs->data);
	const size_t len = strcspn(w->left, "/");
	ASSAY_AUTO_FREE char *name = assay_asprintf("%.*s", (int)len, w->left);
	const size_t skip = len + strspn(w->left + len, "/");
	const bool must_be_dir = w->left[len] == '/'; /* also at the end: "link/" */
	struct assay_fs_stat st;
	uint64_t node;

	if (!name)
		return assay_fail_mem(err);
	memmove(w->left, w->left + skip, strlen(w->left + skip) + 1);
	if (fs->ops->nodes->stat(fs->data, here, &st, err) < 0)
		return -1;
	if (st.kind != ASSAY_FS_DIR)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "not a directory");
	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0) {
		if (w->n > 0)
			free(w->at[--w->n].name);
		return 0;
	}
	if (find(fs, here, name, &node, err) < 0 ||
	    fs->ops->nodes->stat(fs->data, node, &st, err) < 0)
		return -1;
	if (st.kind == ASSAY_FS_SYMLINK && (follow || must_be_dir))
		return follow_link(fs, w, node, must_be_dir, err);
	if (must_be_dir && st.kind != ASSAY_FS_DIR)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "not a directory");
	if (w->n == ASSAY_FS_MAX_DEPTH)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "more than %u levels",
				  ASSAY_FS_MAX_DEPTH);
	w->at[w->n++] = (struct step){ .name = assay_steal(&name), .node = node };
	return 0;
}

static int way_text(const struct way *w, char **ret, struct assay_err *err)
{
	struct assay_str s = { 0 };

	for (size_t i = 0; i < w->n; i++)
		assay_str_add(&s, "/%s", w->at[i].name);
	if (w->n == 0)
		assay_str_add(&s, "/");
	*ret = assay_str_steal(&s);
	return *ret ? 0 : assay_fail_mem(err);
}

int assay_fs_resolve(struct assay_fs *fs, const char *path, bool follow, uint64_t *ret,
		     char **ret_path, struct assay_err *err)
{
	struct way w = { 0 };
	int rc = 0;

	if (strlen(path) > ASSAY_FS_MAX_PATH)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "a path of more than %u bytes", ASSAY_FS_MAX_PATH);
	w.left = assay_strdup(path + strspn(path, "/"));
	if (!w.left)
		return assay_fail_mem(err);
	while (rc == 0 && w.left[strspn(w.left, "/")]) {
		const size_t slashes = strspn(w.left, "/");

		memmove(w.left, w.left + slashes, strlen(w.left + slashes) + 1);
		rc = take_step(fs, &w, follow, err);
	}
	if (rc < 0)
		assay_wrap(err, "%s", path);
	else if (ret_path)
		rc = way_text(&w, ret_path, err);
	if (rc == 0)
		*ret = w.n ? w.at[w.n - 1].node : fs->ops->nodes->root(fs->data);
	way_clear(&w);
	return rc;
}
