/* SPDX-License-Identifier: Apache-2.0 */
/* An archive's files in a folder of a disk's filesystem. */
#include "measure/container/store_priv.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "measure/fs/fs.h"

struct folder {
	struct assay_fs *fs; /* borrowed */
	char *path;
	pthread_mutex_t lock; /* a filesystem looks names up for one at a time */
};

/* Part by part: what a link leads to may be any file of the filesystem. */
static int check_parts(struct folder *f, char *path, size_t from, struct assay_err *err)
{
	struct assay_fs_stat st;

	for (char *p = path + from; p;) {
		char *slash = strchr(p, '/');

		if (slash)
			*slash = '\0';
		if (assay_fs_lstat(f->fs, path, &st, err) < 0)
			return -1;
		if (st.kind != (slash ? ASSAY_FS_DIR : ASSAY_FS_FILE))
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "is a link, or lies below what is no folder");
		if (slash)
			*slash = '/';
		p = slash ? slash + 1 : NULL;
	}
	return 0;
}

static int folder_open(void *data, const char *name, struct assay_src **ret, struct assay_err *err)
{
	struct folder *f = data;
	const bool top = strcmp(f->path, "/") == 0;
	ASSAY_AUTO_FREE char *path = assay_asprintf("%s/%s", top ? "" : f->path, name);

	if (!path)
		return assay_fail_mem(err);
	pthread_mutex_lock(&f->lock);
	int rc = check_parts(f, path, strlen(path) - strlen(name), err);
	if (rc == 0)
		rc = assay_fs_file(f->fs, path, ret, NULL, err);
	pthread_mutex_unlock(&f->lock);
	return rc;
}

static void folder_free(void *data)
{
	struct folder *f = data;

	pthread_mutex_destroy(&f->lock);
	free(f->path);
	free(f);
}

static const struct assay_store_ops folder_ops = { NULL, folder_open, folder_free };

int assay_store_open_fs(struct assay_fs *fs, const char *path, struct assay_store **ret,
			struct assay_err *err)
{
	struct folder *f = calloc(1, sizeof(*f));

	if (!f)
		return assay_fail_mem(err);
	f->fs = fs;
	f->path = assay_strdup(path);
	if (!f->path) {
		free(f);
		return assay_fail_mem(err);
	}
	pthread_mutex_init(&f->lock, NULL);
	return assay_store_new(&folder_ops, f, ret, err);
}
