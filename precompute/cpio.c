/* SPDX-License-Identifier: Apache-2.0 */
#include "precompute/cpio.h"

#include <string.h>

enum { REGULAR = 0100000, FOLDER = 0040000 };

/* Padding counts from the start of the archive, which is where the stub's buffer starts. */
static void pad4(struct assay_str *out, size_t start)
{
	static const char zeros[4];
	size_t rest = (out->len - start) % 4;

	if (rest)
		assay_str_add_n(out, zeros, 4 - rest);
}

static void header(struct assay_str *out, unsigned inode, unsigned mode, size_t size, size_t name_size)
{
	/* inode mode uid gid nlink mtime size devmajor devminor rdevmajor rdevminor namesize check */
	assay_str_add(out, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", inode, mode,
		      0U, 0U, 1U, 0U, (unsigned)size, 0U, 0U, 0U, 0U, (unsigned)name_size, 0U);
}

static void folder(struct assay_str *out, size_t start, const char *path, size_t len, unsigned mode,
		   unsigned *inode)
{
	header(out, (*inode)++, mode | FOLDER, 0, len + 1);
	assay_str_add_n(out, path, len);
	assay_str_add_n(out, "", 1);
	pad4(out, start);
}

int assay_cpio_append(struct assay_str *out, const char *dir, unsigned dir_mode, unsigned file_mode,
		      const struct assay_cpio_file *files, size_t n, struct assay_err *err)
{
	const size_t start = out->len;
	unsigned inode = 1;

	for (const char *slash = strchr(dir, '/'); slash; slash = strchr(slash + 1, '/'))
		if (slash > dir)
			folder(out, start, dir, (size_t)(slash - dir), 0555, &inode);
	folder(out, start, dir, strlen(dir), dir_mode, &inode);

	for (size_t i = 0; i < n; i++) {
		size_t name_size = strlen(dir) + 1 + strlen(files[i].name) + 1;

		if (files[i].len > UINT32_MAX)
			return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
					  "%s: %zu bytes, more than a cpio archive can hold",
					  files[i].name, files[i].len);
		header(out, inode++, file_mode | REGULAR, files[i].len, name_size);
		assay_str_add(out, "%s/%s", dir, files[i].name);
		assay_str_add_n(out, "", 1);
		pad4(out, start);
		assay_str_add_n(out, files[i].data, files[i].len);
		pad4(out, start);
	}
	/* The trailer has inode 0 and mode 0; its name size is written in upper case. */
	assay_str_add(out, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x0000000B%08x", 0U, 0U, 0U,
		      0U, 1U, 0U, 0U, 0U, 0U, 0U, 0U, 0U);
	assay_str_add_n(out, "TRAILER!!!\0\0\0\0", 14);
	return out->bad ? assay_fail_mem(err) : 0;
}
