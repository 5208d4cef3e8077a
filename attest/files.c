/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "core/digest.h"
#include "core/limits.h"
#include "core/text.h"

void assay_files_free(struct assay_files **p)
{
	struct assay_files *f = p ? assay_steal(p) : NULL;

	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++)
		free(f->files[i].path);
	free(f->files);
	free(f->top);
	free(f);
}

static int add(struct assay_files *f, const char *path, uint64_t size, struct assay_err *err)
{
	uint32_t c;

	for (size_t i = 0, n; path[i]; i += n) {
		n = assay_utf8_next(path + i, strlen(path + i), &c);
		if (n == 0 || c < 0x20 || c == 0x7f || c == '\\')
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "a name with bytes that are not UTF-8, a backslash or a control character");
	}
	if (f->n >= ASSAY_RUNTIME_MAX_ITEMS)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "more than %u files", ASSAY_RUNTIME_MAX_ITEMS);
	if ((f->n & (f->n - 1)) == 0) {
		struct assay_file *more = realloc(f->files, (f->n ? 2 * f->n : 1) * sizeof(*more));

		if (!more)
			return assay_fail_mem(err);
		f->files = more;
	}
	f->files[f->n] = (struct assay_file){ .path = assay_strdup(path), .size = size };
	return f->files[f->n].path ? (f->n++, 0) : assay_fail_mem(err);
}

static int walk(struct assay_files *f, int parent, const char *name, const char *path, unsigned depth, struct assay_err *err);

static int visit(struct assay_files *f, int folder, const char *name, const char *path, unsigned depth, struct assay_err *err)
{
	struct stat st;

	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return assay_fail_sys(err, "%s", path);
	if (S_ISDIR(st.st_mode))
		return walk(f, folder, name, path, depth + 1, err);
	if (!S_ISREG(st.st_mode))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "%s: %s is refused", path,
				  S_ISLNK(st.st_mode) ? "a symbolic link" : "a special file");
	return add(f, path, (uint64_t)st.st_size, err) < 0 ? assay_wrap(err, "%s", path) : 0;
}

/* path: from the top, "" for the top itself. */
static int walk(struct assay_files *f, int parent, const char *name, const char *path, unsigned depth, struct assay_err *err)
{
	const struct dirent *e;
	DIR *dir;
	int fd, r = 0;

	if (depth > ASSAY_FS_MAX_DEPTH)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%s: folders deeper than %u", path, ASSAY_FS_MAX_DEPTH);
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (depth ? O_NOFOLLOW : 0));
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (errno == ENOMEM)
			assay_fail_mem(err);
		else
			assay_fail_sys(err, "%s", *path ? path : ".");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (r == 0 && (errno = 0, e = readdir(dir)) != NULL) {
		ASSAY_AUTO_FREE char *below = NULL;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		below = *path ? assay_asprintf("%s/%s", path, e->d_name) : assay_strdup(e->d_name);
		r = below ? visit(f, dirfd(dir), e->d_name, below, depth, err) : assay_fail_mem(err);
	}
	if (r == 0 && errno != 0)
		r = assay_fail_sys(err, "%s", *path ? path : ".");
	closedir(dir);
	return r;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct assay_file *)a)->path, ((const struct assay_file *)b)->path);
}

int assay_files_list(const char *path, struct assay_files **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_files) *f = calloc(1, sizeof(*f));
	struct stat st;

	if (!f)
		return assay_fail_mem(err);
	if (stat(path, &st) < 0)
		return assay_fail_sys(err, "%s", path);
	f->tree = S_ISDIR(st.st_mode);
	if (f->tree) {
		f->top = assay_strdup(path);
		if (!f->top)
			return assay_fail_mem(err);
		for (size_t n = strlen(f->top); n > 1 && f->top[n - 1] == '/'; n--)
			f->top[n - 1] = '\0';
		if (walk(f, AT_FDCWD, path, "", 0, err) < 0)
			return assay_wrap(err, "%s", path);
		if (f->n > 0)
			qsort(f->files, f->n, sizeof(*f->files), compare);
	} else if (!S_ISREG(st.st_mode)) {
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "%s: neither a file nor a folder", path);
	} else if (add(f, path, (uint64_t)st.st_size, err) < 0) {
		return assay_wrap(err, "%s", path);
	}
	*ret = assay_steal(&f);
	return 0;
}

int assay_files_tree_digest(const struct assay_files *f, uint8_t ret[32], struct assay_err *err)
{
	struct assay_digests d;
	struct assay_str s = { 0 };
	char hex[ASSAY_HEX_MAX];
	int r;

	for (size_t i = 0; i < f->n; i++)
		assay_str_add(&s, "%s  %s\n", assay_hex(f->files[i].digest, sizeof(f->files[i].digest), hex), f->files[i].path);
	r = s.bad ? assay_fail_mem(err) : assay_digest_mem(ASSAY_BANK_BIT(ASSAY_SHA256), s.p ? s.p : "", s.len, &d, err);
	assay_str_clear(&s);
	if (r == 0)
		memcpy(ret, d.d[ASSAY_SHA256], 32);
	return r;
}
