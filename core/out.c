/* SPDX-License-Identifier: Apache-2.0 */
#include "core/out.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "core/text.h"

/* Everything that opens a path happens in assay_out_open(): afterwards a sandbox may be entered. */
struct assay_out {
	int fd;	      /* the temporary, or the direct target */
	int dir;      /* the target's directory; -1 for a direct target */
	bool direct;  /* stdout, a device, a pipe: buffered whole, written at commit */
	bool keep_fd; /* stdout is not ours to close */
	bool temp_exists;
	char *name; /* in dir: what the temporary is renamed to */
	char temp[32];
	int sys; /* errno of the first failed write */
	struct assay_str buf;
};

/* Temporaries are written in pieces of this size, so that long outputs take little memory. */
#define FLUSH_AT 65536

static int write_all(int fd, const char *p, size_t len)
{
	while (len > 0) {
		const ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC;
		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int make_temp(struct assay_out *out, const struct stat *old, struct assay_err *err)
{
	/* Until the old file's mode is known to be on it, nobody else may read a replacement. */
	const mode_t mode = old ? 0600 : 0666;

	for (int tries = 0; tries < 100; tries++) {
		uint64_t r;

		if (getrandom(&r, sizeof(r), 0) != sizeof(r))
			return assay_fail_sys(err, "cannot get a random name");
		snprintf(out->temp, sizeof(out->temp), ".assay-%016" PRIx64, r);
		out->fd =
			openat(out->dir, out->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		if (out->fd >= 0)
			break;
		if (errno != EEXIST)
			return assay_fail_sys(err, "cannot make a file beside it");
	}
	if (out->fd < 0)
		return assay_fail_sys(err, "cannot make a file beside it");
	out->temp_exists = true;
	if (old && fchmod(out->fd, old->st_mode & 07777) < 0)
		return assay_fail_sys(err, "cannot set the mode of the file beside it");
	return 0;
}

/* Splits path and opens its directory. */
static int open_dir(struct assay_out *out, const char *path, struct assay_err *err)
{
	const char *slash = strrchr(path, '/');
	ASSAY_AUTO_FREE char *dir = NULL;

	out->name = assay_strdup(slash ? slash + 1 : path);
	dir = slash ? assay_asprintf("%.*s", (int)(slash == path ? 1 : slash - path), path)
		    : assay_strdup(".");
	if (!out->name || !dir)
		return assay_fail_mem(err);
	if (out->name[0] == '\0')
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "not a file's name");
	out->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* A directory one may write but not list: it cannot be synced then, and that is all. */
	if (out->dir < 0 && errno == EACCES)
		out->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (out->dir < 0)
		return assay_fail_sys(err, "cannot open its directory");
	return 0;
}

static int open_target(struct assay_out *out, const char *path, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *real = NULL;
	const struct stat *old = NULL;
	struct stat st;

	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "is a directory");
		if (!S_ISREG(st.st_mode)) {
			out->direct = true;
			out->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
			if (out->fd < 0)
				return assay_fail_sys(err, "cannot open for writing");
			return 0;
		}
		/* Behind a symbolic link it is the file that is replaced, not the link. */
		real = realpath(path, NULL);
		if (!real)
			return errno == ENOMEM ? assay_fail_mem(err)
					       : assay_fail_sys(err, "cannot resolve");
		path = real;
		old = &st;
	} else if (errno != ENOENT) {
		return assay_fail_sys(err, "cannot look at it");
	}
	if (open_dir(out, path, err) < 0)
		return -1;
	return make_temp(out, old, err);
}

int assay_out_open(const char *path, struct assay_out **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_out) *out = calloc(1, sizeof(*out));

	if (!out)
		return assay_fail_mem(err);
	out->fd = -1;
	out->dir = -1;
	if (strcmp(path, "-") == 0) {
		out->fd = STDOUT_FILENO;
		out->direct = true;
		out->keep_fd = true;
	} else if (open_target(out, path, err) < 0) {
		return -1;
	}
	*ret = assay_steal(&out);
	return 0;
}

int assay_out_memory(struct assay_out **ret, struct assay_err *err)
{
	struct assay_out *out = calloc(1, sizeof(*out));

	if (!out)
		return assay_fail_mem(err);
	out->fd = -1;
	out->dir = -1;
	out->direct = true;
	*ret = out;
	return 0;
}

static void remember(struct assay_out *out, int sys)
{
	if (!out->sys)
		out->sys = sys;
}

static void flush(struct assay_out *out)
{
	if (!out->sys && out->buf.len > 0 && write_all(out->fd, out->buf.p, out->buf.len) < 0)
		remember(out, errno);
	out->buf.len = 0;
}

void assay_out_write(struct assay_out *out, const void *p, size_t len)
{
	if (out->sys)
		return;
	assay_str_add_n(&out->buf, p, len);
	if (out->buf.bad)
		remember(out, ENOMEM);
	else if (!out->direct && out->buf.len >= FLUSH_AT)
		flush(out);
}

void assay_out_printf(struct assay_out *out, const char *fmt, ...)
{
	ASSAY_AUTO_FREE char *text = NULL;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0) {
		text = NULL;
		remember(out, ENOMEM);
		return;
	}
	assay_out_write(out, text, (size_t)len);
}

static int fail_write(struct assay_out *out, struct assay_err *err)
{
	if (out->sys == ENOMEM)
		return assay_fail_mem(err);
	errno = out->sys;
	return assay_fail_sys(err, "cannot write");
}

int assay_out_steal(struct assay_out *out, char **ret, size_t *ret_len, struct assay_err *err)
{
	const size_t len = out->buf.len;
	char *p;

	if (out->sys)
		return fail_write(out, err);
	p = assay_str_steal(&out->buf);
	if (!p)
		return assay_fail_mem(err);
	*ret = p;
	*ret_len = len;
	return 0;
}

int assay_out_commit(struct assay_out *out, struct assay_err *err)
{
	int fd;

	flush(out);
	if (out->sys)
		return fail_write(out, err);
	if (out->direct)
		return 0;

	if (fsync(out->fd) < 0)
		return assay_fail_sys(err, "cannot sync");
	/* Some filesystems tell only now that the bytes did not fit. Linux frees the number anyway.
	 */
	fd = out->fd;
	out->fd = -1;
	if (close(fd) < 0)
		return assay_fail_sys(err, "cannot write");
	if (renameat(out->dir, out->temp, out->dir, out->name) < 0)
		return assay_fail_sys(err, "cannot rename the finished file");
	out->temp_exists = false;
	/* The name is there; EBADF and EINVAL say that this directory cannot be synced at all. */
	if (fsync(out->dir) < 0 && errno != EBADF && errno != EINVAL)
		return assay_fail_sys(err, "cannot sync its directory");
	return 0;
}

void assay_out_free(struct assay_out **outp)
{
	struct assay_out *out = outp ? assay_steal(outp) : NULL;

	if (!out)
		return;
	if (out->fd >= 0 && !out->keep_fd)
		close(out->fd);
	if (out->temp_exists)
		unlinkat(out->dir, out->temp, 0);
	if (out->dir >= 0)
		close(out->dir);
	free(out->name);
	assay_str_clear(&out->buf);
	free(out);
}
