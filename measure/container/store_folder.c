/* SPDX-License-Identifier: Apache-2.0 */
/* An archive's files in a folder of this machine. */
#include "measure/container/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/text.h"

struct folder {
	int fd;
};

static int fail_open(struct assay_err *err)
{
	if (errno == ENOENT)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "is not in the folder");
	if (errno == ELOOP || errno == ENOTDIR)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "is a link, or lies below what is no folder");
	return assay_fail_sys(err, "cannot open");
}

/* Part by part, no link followed: nothing outside the folder is read. */
static int open_below(int top, const char *clean, int *ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *path = assay_strdup(clean);
	char *part = path, *slash;
	int dir = top;

	if (!path)
		return assay_fail_mem(err);
	while ((slash = strchr(part, '/'))) {
		*slash = '\0';
		const int next = openat(dir, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		const int saved = errno;

		if (dir != top)
			close(dir);
		if (next < 0) {
			errno = saved;
			return fail_open(err);
		}
		dir = next;
		part = slash + 1;
	}
	const int fd = openat(dir, *part ? part : ".",
			      O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	const int saved = errno;

	if (dir != top)
		close(dir);
	errno = saved;
	if (fd < 0)
		return fail_open(err);
	*ret = fd;
	return 0;
}

static int folder_open(void *data, const char *name, struct assay_src **ret, struct assay_err *err)
{
	const struct folder *folder = data;
	int fd = -1;

	if (open_below(folder->fd, name, &fd, err) < 0)
		return -1;
	return assay_src_from_fd(fd, ret, err);
}

static void folder_free(void *data)
{
	struct folder *folder = data;

	close(folder->fd);
	free(folder);
}

static const struct assay_store_ops folder_ops = { NULL, folder_open, folder_free };

int assay_store_open_folder(const char *path, struct assay_store **ret, struct assay_err *err)
{
	struct folder *folder;
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return assay_fail_sys(err, "cannot open");
	folder = calloc(1, sizeof(*folder));
	if (!folder) {
		close(fd);
		return assay_fail_mem(err);
	}
	folder->fd = fd;
	return assay_store_new(&folder_ops, folder, ret, err);
}
