/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/container/container_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/limits.h"
#include "core/text.h"

struct assay_store {
	struct assay_tar *tar; /* or */
	int fd;		       /* a folder's, -1 */
};

void assay_store_free(struct assay_store **storep)
{
	struct assay_store *store = storep ? assay_steal(storep) : NULL;

	if (!store)
		return;
	assay_tar_free(&store->tar);
	if (store->fd >= 0)
		close(store->fd);
	free(store);
}

static struct assay_store *new_store(struct assay_err *err)
{
	struct assay_store *store = calloc(1, sizeof(*store));

	if (!store)
		assay_fail_mem(err);
	else
		store->fd = -1;
	return store;
}

/* --- is it a tar file at all? ------------------------------------------------------------------
 */

struct magic {
	uint64_t off;
	const char *bytes;
	size_t len;
	const char *what;
};

#define DISK " is a disk image; only container archives are looked into"
#define PACKED " is compressed; unpack it first, reading here and there needs that"
static const struct magic refused[] = {
	{ 512, "EFI PART", 8, "this" DISK },
	{ 4096, "EFI PART", 8, "this" DISK },
	{ 0, "QFI\xfb", 4, "this (qcow2)" DISK },
	{ 0, "KDMV", 4, "this (VMDK)" DISK },
	{ 0, "# Disk DescriptorFile", 21, "this (VMDK)" DISK },
	{ 0, "vhdxfile", 8, "this (VHDX)" DISK },
	{ 0, "conectix", 8, "this (VHD)" DISK },
	{ 0, "hsqs", 4, "this (squashfs)" DISK },
	{ 0, "\x1f\x8b", 2, "the archive (gzip)" PACKED },
	{ 0, "\x28\xb5\x2f\xfd", 4, "the archive (zstd)" PACKED },
	{ 0,
	  "\xfd"
	  "7zXZ",
	  5, "the archive (xz)" PACKED },
	{ 0, "BZh", 3, "the archive (bzip2)" PACKED },
};

static int check_magic(struct assay_src *src, struct assay_err *err)
{
	uint8_t head[4096 + 8] = { 0 };
	const uint64_t size = assay_src_size(src);

	if (size == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "is empty");
	if (assay_src_read(src, 0, head, size < sizeof(head) ? size : sizeof(head), err) < 0)
		return -1;
	/* A tar file may begin with any letters: those of a file's name. */
	if (size > 262 && memcmp(head + 257, "ustar", 5) == 0)
		return 0;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (memcmp(head + refused[i].off, refused[i].bytes, refused[i].len) == 0)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, refused[i].off, "%s",
					  refused[i].what);
	if (size >= 512 && head[510] == 0x55 && head[511] == 0xaa)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, 510, "this (MBR)" DISK);
	return 0;
}

int assay_store_open_tar(struct assay_src *src, struct assay_store **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_store) *store = new_store(err);

	if (!store || check_magic(src, err) < 0 || assay_tar_open(src, &store->tar, err) < 0)
		return -1;
	*ret = assay_steal(&store);
	return 0;
}

int assay_store_open_folder(const char *path, struct assay_store **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_store) *store = new_store(err);

	if (!store)
		return -1;
	store->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->fd < 0)
		return assay_fail_sys(err, "cannot open");
	*ret = assay_steal(&store);
	return 0;
}

/* --- files -------------------------------------------------------------------------------------
 */

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

int assay_store_find(const struct assay_store *store, const char *name, char **ret,
		     struct assay_err *err)
{
	const struct assay_tar_entry *e;

	if (!store->tar)
		return assay_tar_clean(NULL, 0, name, false, ASSAY_NO_OFFSET, ret, err);
	if (assay_tar_find(store->tar, name, &e, err) < 0)
		return -1;
	*ret = assay_strdup(e->name);
	return *ret ? 0 : assay_fail_mem(err);
}

int assay_store_open(const struct assay_store *store, const char *name, struct assay_src **ret,
		     struct assay_err *err)
{
	const struct assay_tar_entry *e;
	ASSAY_AUTO_FREE char *clean = NULL;
	int fd = -1;

	if (store->tar) {
		if (assay_tar_find(store->tar, name, &e, err) < 0)
			return -1;
		return assay_src_slice(store->tar->src, e->off, e->size, ret, err);
	}
	if (assay_tar_clean(NULL, 0, name, false, ASSAY_NO_OFFSET, &clean, err) < 0 ||
	    open_below(store->fd, clean, &fd, err) < 0)
		return -1;
	return assay_src_from_fd(fd, ret, err);
}
