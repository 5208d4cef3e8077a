/* SPDX-License-Identifier: Apache-2.0 */
/* The files, and the order in which they come to be. */
#include "attest/tls_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/magic.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "core/limits.h"
#include "core/log.h"
#include "core/text.h"

/* A file, by its folder's descriptor and its name. */
struct place {
	const char *path; /* borrowed, for messages */
	int dir;
	const char *name; /* in path */
	char *next;	  /* NAME.new */
};

static void place_close(struct place *at)
{
	if (at->dir >= 0)
		close(at->dir);
	free(at->next);
}

static int place_open(const char *path, struct place *ret, struct assay_err *err)
{
	const char *slash = strrchr(path, '/');
	ASSAY_AUTO_FREE char *dir = slash ? assay_asprintf("%.*s", (int)(slash == path ? 1 : slash - path), path)
					  : assay_strdup(".");

	ret->path = path;
	ret->name = slash ? slash + 1 : path;
	ret->next = assay_asprintf("%s.new", ret->name);
	if (!dir || !ret->next)
		return assay_fail_mem(err);
	ret->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return ret->dir < 0 ? assay_fail_sys(err, "%s: cannot open its folder", path) : 0;
}

/* What lies there must be gone when the machine is. */
static int check_memory(const struct place *at, struct assay_err *err)
{
	struct statfs fs;

	if (fstatfs(at->dir, &fs) < 0)
		return assay_fail_sys(err, "%s: cannot tell its file system", at->path);
	if (fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%s: a private key is to lie on tmpfs or ramfs, and this is another file system", at->path);
	return 0;
}

/* A certificate, or a key: some hundred bytes. Fresh, with a NUL; NULL in *ret when there is none. */
static int slurp(const struct place *at, const char *name, struct stat *ret_st, char **ret, size_t *ret_len,
		 struct assay_err *err)
{
	const int fd = openat(at->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	size_t n = 0;
	int r = 0;

	*ret = NULL;
	*ret_len = 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : assay_fail_sys(err, "%s: cannot open %s", at->path, name);
	if (fstat(fd, ret_st) < 0)
		r = assay_fail_sys(err, "%s: %s", at->path, name);
	else if (!S_ISREG(ret_st->st_mode) || ret_st->st_size > ASSAY_KEY_MAX_FILE)
		r = assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "%s: %s is no file of a key or certificate", at->path, name);
	char *text = r == 0 ? malloc((size_t)ret_st->st_size + 1) : NULL;
	if (r == 0 && !text)
		r = assay_fail_mem(err);
	while (r == 0 && n < (size_t)ret_st->st_size) {
		const ssize_t k = read(fd, text + n, (size_t)ret_st->st_size - n);

		if (k < 0)
			r = assay_fail_sys(err, "%s: cannot read %s", at->path, name);
		if (k <= 0)
			break;
		n += (size_t)k;
	}
	close(fd);
	if (r < 0) {
		free(text);
		return -1;
	}
	text[n] = '\0';
	*ret = text;
	*ret_len = n;
	return 0;
}

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

/* NAME.new, of its mode and owner from the start, and on the medium when this returns. */
static int write_next(const struct place *at, const char *text, size_t len, mode_t mode, const uint32_t *owner,
		      struct assay_err *err)
{
	if (unlinkat(at->dir, at->next, 0) < 0 && errno != ENOENT)
		return assay_fail_sys(err, "%s: cannot remove what an earlier start left behind", at->path);
	const int fd = openat(at->dir, at->next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
	if (fd < 0)
		return assay_fail_sys(err, "%s: cannot make a file beside it", at->path);
	int r = 0;
	if (write_all(fd, text, len) < 0 || fsync(fd) < 0)
		r = assay_fail_sys(err, "%s: cannot write", at->path);
	else if (fchmod(fd, mode) < 0)
		r = assay_fail_sys(err, "%s: cannot set its mode", at->path);
	else if (owner && fchown(fd, *owner, (gid_t)-1) < 0)
		r = assay_fail_sys(err, "%s: cannot give it to user %u", at->path, *owner);
	close(fd);
	if (r < 0)
		unlinkat(at->dir, at->next, 0);
	return r;
}

/* NAME.new becomes NAME. */
static int put_in_place(const struct place *at, struct assay_err *err)
{
	if (renameat(at->dir, at->next, at->dir, at->name) < 0)
		return assay_fail_sys(err, "%s: cannot put it in its place", at->path);
	/* Not every file system syncs a folder; a rename that is lost is found by the next start. */
	const int r = fsync(at->dir);
	(void)r;
	return 0;
}

/* --- the log ------------------------------------------------------------------------------------ */

static const struct assay_runtime_event *last_certificate(const struct assay_cel *log)
{
	for (size_t i = log->n; i > 0; i--)
		if (log->records[i - 1].event.carrier == ASSAY_CARRY_CERTIFICATE)
			return &log->records[i - 1].event;
	return NULL;
}

static bool is_of_any(const struct assay_cel *log, const char *key, size_t key_len)
{
	for (size_t i = 0; i < log->n; i++) {
		const struct assay_runtime_event *ev = &log->records[i].event;

		if (ev->carrier == ASSAY_CARRY_CERTIFICATE && assay_tls_is_pair(ev->text, ev->len, key, key_len))
			return true;
	}
	return false;
}

/* --- all of it ---------------------------------------------------------------------------------- */

struct secret {
	char *text;
	size_t len;
	struct stat st;
};

static void secret_wipe(struct secret *s)
{
	if (s->text)
		OPENSSL_cleanse(s->text, s->len);
	free(s->text);
}

/* Whoever could read a key could speak for the machine. */
static int check_key_file(const struct assay_tls_options *opt, const struct secret *key, struct assay_err *err)
{
	if ((key->st.st_mode & 07777) != 0400 || key->st.st_uid != opt->owner)
		return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET,
				  "%s: a key in use has mode 0400 and is user %u's; this one has %04o and is user %u's", opt->key,
				  opt->owner, key->st.st_mode & 07777, key->st.st_uid);
	return 0;
}

/* Certificates are public, and whole or absent like everything else. */
static int publish(const struct place *at, const char *pem, size_t len, bool *ret_written, struct assay_err *err)
{
	struct stat st;
	char *has;
	size_t n;

	if (slurp(at, at->name, &st, &has, &n, err) < 0)
		return -1;
	const bool same = has && n == len && memcmp(has, pem, len) == 0;
	free(has);
	*ret_written = !same;
	if (same)
		return 0;
	if (write_next(at, pem, len, 0444, NULL, err) < 0)
		return -1;
	return put_in_place(at, err);
}

/*
 * The log's last certificate, when its key is there: everything after its measurement is done, if it is not done yet.
 * *ret: false when there is no such certificate, or it cannot serve.
 */
static int complete(const struct assay_tls_options *opt, const struct assay_cel *log, const struct place *key_at,
		    const struct place *cert_at, struct secret *key, struct secret *next, bool *ret, bool *ret_written,
		    uint8_t ret_sha256[32], struct assay_err *err)
{
	const struct assay_runtime_event *last = last_certificate(log);
	struct assay_err why;

	*ret = false;
	if (key->text && last && !assay_tls_is_pair(last->text, last->len, key->text, key->len) &&
	    !(next->text && assay_tls_is_pair(last->text, last->len, next->text, next->len)) &&
	    is_of_any(log, key->text, key->len))
		return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET,
				  "%s: the key is that of an earlier certificate of the log, not of the last one", opt->key);
	if (!last || opt->renew)
		return 0;
	const bool in_next = next->text && assay_tls_is_pair(last->text, last->len, next->text, next->len);
	const bool in_place = key->text && assay_tls_is_pair(last->text, last->len, key->text, key->len);
	if (!in_next && !in_place) {
		assay_log(ASSAY_LOG_WARNING, "the key of the certificate that was measured is gone: a new one is made");
		return 0;
	}
	if (assay_tls_check(opt, last->text, last->len, ret_sha256, &why) < 0) {
		if (why.code != ASSAY_E_MISMATCH) {
			*err = why;
			return -1;
		}
		assay_log(ASSAY_LOG_WARNING, "%s: a new one is made", why.msg);
		return 0;
	}
	if (check_key_file(opt, in_place ? key : next, err) < 0)
		return -1;
	/* Beside one in use, a key of no certificate. */
	if (in_place && next->text)
		unlinkat(key_at->dir, key_at->next, 0);
	if (!in_place && put_in_place(key_at, err) < 0)
		return -1;
	if (publish(cert_at, last->text, last->len, ret_written, err) < 0)
		return -1;
	*ret_written |= !in_place;
	*ret = true;
	return 0;
}

static int make(const struct assay_tls_options *opt, const struct place *key_at, const struct place *cert_at,
		assay_tls_measure_fn *measure, void *arg, uint8_t ret_sha256[32], struct assay_err *err)
{
	__attribute__((cleanup(secret_wipe))) struct secret key = { 0 };
	ASSAY_AUTO_FREE char *pem = NULL;
	size_t len;
	bool written;

	if (assay_tls_make(opt, &key.text, &key.len, &pem, &len, err) < 0 ||
	    assay_tls_check(opt, pem, len, ret_sha256, err) < 0 ||
	    write_next(key_at, key.text, key.len, 0400, &opt->owner, err) < 0 || measure(arg, pem, len, err) < 0 ||
	    put_in_place(key_at, err) < 0)
		return -1;
	return publish(cert_at, pem, len, &written, err);
}

int assay_tls_ensure(const struct assay_tls_options *opt, const struct assay_cel *log, assay_tls_measure_fn *measure,
		     void *arg, enum assay_tls_done *ret, uint8_t ret_sha256[32], struct assay_err *err)
{
	__attribute__((cleanup(secret_wipe))) struct secret key = { 0 };
	__attribute__((cleanup(secret_wipe))) struct secret next = { 0 };
	__attribute__((cleanup(place_close))) struct place key_at = { .dir = -1 };
	__attribute__((cleanup(place_close))) struct place cert_at = { .dir = -1 };
	bool there, written = false;

	if (strcmp(opt->key, opt->certificate) == 0)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "%s: key and certificate in one file", opt->key);
	if (place_open(opt->key, &key_at, err) < 0 || place_open(opt->certificate, &cert_at, err) < 0 ||
	    (!opt->allow_disk && check_memory(&key_at, err) < 0) ||
	    slurp(&key_at, key_at.name, &key.st, &key.text, &key.len, err) < 0 ||
	    slurp(&key_at, key_at.next, &next.st, &next.text, &next.len, err) < 0 ||
	    complete(opt, log, &key_at, &cert_at, &key, &next, &there, &written, ret_sha256, err) < 0)
		return -1;
	if (!there && make(opt, &key_at, &cert_at, measure, arg, ret_sha256, err) < 0)
		return -1;
	*ret = !there ? ASSAY_TLS_MADE : written ? ASSAY_TLS_COMPLETED : ASSAY_TLS_THERE;
	return 0;
}
