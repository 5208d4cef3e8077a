/* SPDX-License-Identifier: Apache-2.0 */
#include "core/outdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "core/out.h"
#include "core/text.h"

struct made {
	char *path;
	bool folder;
};

struct assay_outdir {
	char *path, *temp, *parent;
	struct made *made; /* in the order in which they are removed backwards */
	size_t n;
	bool done;
};

/* A directory with nothing in it, or nothing at all. */
static int check_place(const char *path, struct assay_err *err)
{
	bool empty = true;
	DIR *d = opendir(path);

	if (!d && errno == ENOENT)
		return 0;
	if (!d && errno == ENOTDIR)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "is there already, and is no directory");
	if (!d)
		return errno == ENOMEM ? assay_fail_mem(err) : assay_fail_sys(err, "cannot look at it");
	for (const struct dirent *e = readdir(d); e; e = readdir(d))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			empty = false;
	closedir(d);
	if (!empty)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "is there already, and not empty");
	return 0;
}

static int make_temp(struct assay_outdir *dir, struct assay_err *err)
{
	for (int tries = 0; tries < 100; tries++) {
		uint64_t r;

		if (getrandom(&r, sizeof(r), 0) != sizeof(r))
			return assay_fail_sys(err, "cannot get a random name");
		free(dir->temp);
		dir->temp = assay_asprintf("%s/.assay-%016" PRIx64, dir->parent, r);
		if (!dir->temp)
			return assay_fail_mem(err);
		if (mkdir(dir->temp, 0777) == 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	int rc = assay_fail_sys(err, "cannot make a directory beside it");
	free(assay_steal(&dir->temp));
	return rc;
}

int assay_outdir_open(const char *path, struct assay_outdir **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_outdir) *dir = calloc(1, sizeof(*dir));
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (len == 0)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "not a directory's name");
	if (dir)
		dir->path = assay_asprintf("%.*s", (int)len, path);
	if (!dir || !dir->path)
		return assay_fail_mem(err);
	const char *slash = strrchr(dir->path, '/');
	dir->parent = !slash ? assay_strdup(".") :
		      slash == dir->path ? assay_strdup("/") :
					   assay_asprintf("%.*s", (int)(slash - dir->path), dir->path);
	if (!dir->parent)
		return assay_fail_mem(err);
	if (check_place(dir->path, err) < 0 || make_temp(dir, err) < 0)
		return -1;
	*ret = assay_steal(&dir);
	return 0;
}

/* Takes the path, on success. */
static int remember(struct assay_outdir *dir, char *path, bool folder, struct assay_err *err)
{
	struct made *grown = reallocarray(dir->made, dir->n + 1, sizeof(*grown));

	if (!grown)
		return assay_fail_mem(err);
	dir->made = grown;
	dir->made[dir->n++] = (struct made){ path, folder };
	return 0;
}

static int sync_folder(const char *path, struct assay_err *err)
{
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == EACCES ? 0 : assay_fail_sys(err, "cannot open %s", path);
	/* EINVAL says that this directory cannot be synced at all. */
	const int rc = fsync(fd) < 0 && errno != EINVAL ? assay_fail_sys(err, "cannot sync %s", path) : 0;
	close(fd);
	return rc;
}

/* The folder of "DIR/NAME", if it is not there yet. */
static int make_folder(struct assay_outdir *dir, const char *name, size_t len, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *path = assay_asprintf("%s/%.*s", dir->temp, (int)len, name);

	if (!path)
		return assay_fail_mem(err);
	if (mkdir(path, 0777) < 0)
		return errno == EEXIST ? 0 : assay_fail_sys(err, "%.*s: cannot make the directory", (int)len, name);
	if (remember(dir, path, true, err) < 0) {
		rmdir(path);
		return -1;
	}
	path = NULL;
	return 0;
}

int assay_outdir_add(struct assay_outdir *dir, const char *name, const void *data, size_t len, struct assay_err *err)
{
	ASSAY_AUTO(assay_out) *out = NULL;
	ASSAY_AUTO_FREE char *path = assay_asprintf("%s/%s", dir->temp, name);
	const char *slash = strchr(name, '/');

	if (!path)
		return assay_fail_mem(err);
	if (slash && make_folder(dir, name, (size_t)(slash - name), err) < 0)
		return -1;
	if (assay_out_open(path, &out, err) < 0)
		return assay_wrap(err, "%s", name);
	assay_out_write(out, data, len);
	if (remember(dir, path, false, err) < 0)
		return -1;
	path = NULL;
	if (assay_out_commit(out, err) < 0)
		return assay_wrap(err, "%s", name);
	return 0;
}

int assay_outdir_commit(struct assay_outdir *dir, struct assay_err *err)
{
	for (size_t i = 0; i < dir->n; i++)
		if (dir->made[i].folder && sync_folder(dir->made[i].path, err) < 0)
			return -1;
	if (sync_folder(dir->temp, err) < 0)
		return -1;
	/* In the place of an empty directory, too (rename(2)). */
	if (rename(dir->temp, dir->path) < 0)
		return assay_fail_sys(err, "cannot rename the finished directory");
	dir->done = true;
	return sync_folder(dir->parent, err);
}

void assay_outdir_free(struct assay_outdir **dirp)
{
	struct assay_outdir *dir = dirp ? assay_steal(dirp) : NULL;

	if (!dir)
		return;
	for (size_t i = dir->n; i-- > 0;) {
		if (!dir->done && dir->made[i].folder)
			rmdir(dir->made[i].path);
		else if (!dir->done)
			unlink(dir->made[i].path);
		free(dir->made[i].path);
	}
	free(dir->made);
	if (dir->temp && !dir->done)
		rmdir(dir->temp);
	free(dir->temp);
	free(dir->path);
	free(dir->parent);
	free(dir);
}
