/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/log_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "core/limits.h"
#include "core/text.h"

void assay_log_file_free(struct assay_log_file **p)
{
	struct assay_log_file *f = p ? assay_steal(p) : NULL;

	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	if (f->lock >= 0)
		close(f->lock);
	free(f->path);
	free(f);
}

/* --- folders ------------------------------------------------------------------------------------ */

/* The folder that `path` lies in. */
static char *folder_of(const char *path)
{
	char *folder = assay_strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (slash)
		slash[slash == folder] = '\0';
	return folder;
}

/* What was made in a folder, or renamed, is there after a power cut only when the folder is synced. */
static int sync_folder(const char *path, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *folder = folder_of(path);
	int fd, r;

	if (!folder)
		return assay_fail_mem(err);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return assay_fail_sys(err, "%s", folder);
	r = fsync(fd);
	if (r < 0)
		assay_fail_sys(err, "%s: cannot sync", folder);
	close(fd);
	return r;
}

static int make_folder(const char *path, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *folder = folder_of(path);

	if (!folder)
		return assay_fail_mem(err);
	if (mkdir(folder, 0755) == 0)
		return sync_folder(folder, err);
	return errno == EEXIST ? 0 : assay_fail_sys(err, "%s", folder);
}

/* --- the lock ----------------------------------------------------------------------------------- */

enum { LOCK_POLL_MS = 10, LOCK_WAIT_MS = 30000 };

static int take_lock(int fd, const char *path, struct assay_err *err)
{
	static const struct timespec pause = { .tv_nsec = LOCK_POLL_MS * 1000000L };

	for (unsigned ms = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; ms += LOCK_POLL_MS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return assay_fail_sys(err, "%s.lock", path);
		if (ms >= LOCK_WAIT_MS)
			return assay_fail(err, ASSAY_E_IO, ASSAY_NO_OFFSET, "%s.lock: another agent has held it for %d seconds",
					  path, LOCK_WAIT_MS / 1000);
		nanosleep(&pause, NULL);
	}
	return 0;
}

int assay_log_file_lock(const char *path, struct assay_log_file **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_log_file) *f = calloc(1, sizeof(*f));
	ASSAY_AUTO_FREE char *name = assay_asprintf("%s.lock", path);

	if (!f || !name)
		return assay_fail_mem(err);
	f->fd = f->lock = -1;
	f->path = assay_strdup(path);
	if (!f->path)
		return assay_fail_mem(err);
	if (make_folder(path, err) < 0)
		return -1;
	f->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	if (f->lock < 0)
		return assay_fail_sys(err, "%s", name);
	if (take_lock(f->lock, path, err) < 0)
		return -1;
	*ret = assay_steal(&f);
	return 0;
}

/* --- reading ------------------------------------------------------------------------------------ */

static int read_whole(int fd, char *buf, size_t len, struct assay_err *err)
{
	for (size_t done = 0; done < len;) {
		const ssize_t n = pread(fd, buf + done, len - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return assay_fail_sys(err, "cannot read");
		if (n == 0)
			return assay_fail(err, ASSAY_E_IO, done, "the log became shorter while it was read");
		done += (size_t)n;
	}
	return 0;
}

static int read_open(struct assay_log_file *f, char **ret_text, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *text = NULL;
	struct stat st;
	const char *end;

	f->fd = open(f->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	if (f->fd < 0 && errno == ENOENT)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "there is no log");
	if (f->fd < 0 || fstat(f->fd, &st) < 0)
		return assay_fail_sys(err, "cannot open");
	if (!S_ISREG(st.st_mode))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "not a regular file");
	if (st.st_size > ASSAY_JSON_MAX_FILE)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "a log of more than %u bytes", ASSAY_JSON_MAX_FILE);
	f->found = (uint64_t)st.st_size;
	text = malloc((size_t)f->found + 1);
	if (!text)
		return assay_fail_mem(err);
	if (read_whole(f->fd, text, (size_t)f->found, err) < 0)
		return -1;
	end = memrchr(text, '\n', (size_t)f->found);
	f->size = end ? (uint64_t)(end - text) + 1 : 0;
	text[f->size] = '\0';
	*ret_text = assay_steal(&text);
	return 0;
}

int assay_log_file_read(struct assay_log_file *f, char **ret_text, struct assay_err *err)
{
	return read_open(f, ret_text, err) < 0 ? assay_wrap(err, "%s", f->path) : 0;
}

/* --- writing ------------------------------------------------------------------------------------ */

static int write_at(int fd, const char *p, size_t len, uint64_t at, struct assay_err *err)
{
	while (len > 0) {
		const ssize_t n = pwrite(fd, p, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return assay_fail_sys(err, "cannot write");
		p += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	/* On some file systems (tmpfs) this does nothing, and need not. */
	return fdatasync(fd) < 0 ? assay_fail_sys(err, "cannot sync") : 0;
}

static int create(struct assay_log_file *f, const char *temp, const char *line, size_t len, struct assay_err *err)
{
	f->fd = open(temp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0644);
	if (f->fd < 0)
		return assay_fail_sys(err, "cannot create");
	if (write_at(f->fd, line, len, 0, err) < 0)
		return -1;
	if (rename(temp, f->path) < 0)
		return assay_fail_sys(err, "cannot rename");
	f->size = f->found = len;
	return sync_folder(f->path, err);
}

int assay_log_file_create(struct assay_log_file *f, const char *line, size_t len, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *temp = assay_asprintf("%s.new", f->path);

	if (!temp)
		return assay_fail_mem(err);
	if (create(f, temp, line, len, err) == 0)
		return 0;
	unlink(temp);
	return assay_wrap(err, "%s", f->path);
}

static int cut(struct assay_log_file *f, uint64_t size, struct assay_err *err)
{
	if (ftruncate(f->fd, (off_t)size) < 0 || fdatasync(f->fd) < 0)
		return assay_fail_sys(err, "%s: cannot cut", f->path);
	f->size = f->found = size;
	return 0;
}

int assay_log_file_mend(struct assay_log_file *f, struct assay_err *err)
{
	if (f->found > f->size)
		return cut(f, f->size, err);
	return fdatasync(f->fd) < 0 ? assay_fail_sys(err, "%s: cannot sync", f->path) : 0;
}

int assay_log_file_append(struct assay_log_file *f, const char *line, size_t len, bool *ret_torn, struct assay_err *err)
{
	*ret_torn = false;
	if (f->size + len > ASSAY_JSON_MAX_FILE)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%s: a log of more than %u bytes", f->path,
				  ASSAY_JSON_MAX_FILE);
	if (write_at(f->fd, line, len, f->size, err) == 0) {
		f->size = f->found = f->size + len;
		return 0;
	}
	*ret_torn = cut(f, f->size, NULL) < 0;
	return assay_wrap(err, "%s", f->path);
}

int assay_log_file_take_back(struct assay_log_file *f, size_t len, struct assay_err *err)
{
	return cut(f, f->size - len, err);
}

int assay_log_file_move(struct assay_log_file *f, char **ret_path, struct assay_err *err)
{
	for (unsigned i = 1; i < 10000; i++) {
		ASSAY_AUTO_FREE char *to = assay_asprintf("%s.%u", f->path, i);
		struct stat st;

		if (!to)
			return assay_fail_mem(err);
		if (lstat(to, &st) == 0)
			continue;
		if (rename(f->path, to) < 0)
			return assay_fail_sys(err, "%s", to);
		if (sync_folder(f->path, err) < 0)
			return -1;
		*ret_path = assay_steal(&to);
		return 0;
	}
	return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%s: too many that were set aside", f->path);
}
