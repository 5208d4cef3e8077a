/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/releases.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/file.h>

#include "core/limits.h"
#include "core/out.h"
#include "core/src.h"
#include "core/text.h"

/*
 * The file itself is replaced, so it cannot be what is locked. Two names of one file (a symbolic link) have one lock.
 * Returns a descriptor.
 */
static int lock(const char *path, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *real = realpath(path, NULL);
	ASSAY_AUTO_FREE char *name = NULL;
	int fd, r;

	if (!real && errno != ENOENT)
		return assay_fail_sys(err, "cannot resolve");
	name = assay_asprintf("%s.lock", real ? real : path);
	if (!name)
		return assay_fail_mem(err);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return assay_fail_sys(err, "cannot make its lock");
	do
		r = flock(fd, LOCK_EX);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return fd;
	(void)assay_fail_sys(err, "cannot lock it");
	close(fd);
	return -1;
}

static int malformed(const char *what, struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "releases: %s", what);
}

static bool is_digest(const char *s)
{
	return s && strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

static int check_entry(const char *key, const struct assay_json *value, void *arg)
{
	int64_t release;

	(void)key;
	(void)arg;
	return !assay_json_get_int(assay_json_get(value, "release"), &release) || release < 1 ||
	       !is_digest(assay_json_str(assay_json_get(value, "payload")));
}

/* Strictly: what cannot be read must not be taken for a file without releases. */
static int check(const struct assay_json *o, struct assay_err *err)
{
	const char *schema = assay_json_str(assay_json_get(o, "schema"));
	const struct assay_json *images = assay_json_get(o, "images");

	if (!schema)
		return malformed("no \"schema\"", err);
	if (strcmp(schema, ASSAY_RELEASES_SCHEMA) != 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "releases: schema is \"%.80s\", not \"%s\"", schema,
				  ASSAY_RELEASES_SCHEMA);
	if (!assay_json_is_object(images))
		return malformed("no \"images\"", err);
	if (assay_json_each(images, check_entry, NULL) != 0)
		return malformed("an image without release or payload", err);
	return 0;
}

static int load(const char *path, struct assay_json **ret, bool *ret_new, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_json) *o = NULL;
	ASSAY_AUTO_FREE uint8_t *text = NULL;
	struct assay_err own;

	*ret_new = false;
	if (assay_src_open_file(path, &src, &own) < 0) {
		if (own.sys != ENOENT) {
			if (err)
				*err = own;
			return -1;
		}
		*ret_new = true;
		o = assay_json_object();
		assay_json_set_str(o, "schema", ASSAY_RELEASES_SCHEMA);
		assay_json_set(o, "images", assay_json_object());
	} else if (assay_src_read_alloc(src, 0, assay_src_size(src), ASSAY_RELEASES_MAX_FILE, &text, err) < 0 ||
		   assay_json_parse((const char *)text, (size_t)assay_src_size(src), &o, err) < 0 || check(o, err) < 0) {
		return -1;
	}
	*ret = assay_steal(&o);
	return 0;
}

static int store(const char *path, const struct assay_json *old, const struct assay_verdict *v, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *o = assay_json_object();
	ASSAY_AUTO(assay_out) *out = NULL;
	struct assay_json *images = assay_json_copy(assay_json_get(old, "images"));
	struct assay_json *entry = assay_json_object();

	assay_json_set_int(entry, "release", v->manifest->release);
	assay_json_set_str(entry, "payload", v->payload_sha256);
	assay_json_set(images, v->manifest->name, entry);
	assay_json_set_str(o, "schema", ASSAY_RELEASES_SCHEMA);
	assay_json_set(o, "images", images);
	if (assay_out_open(path, &out, err) < 0 || assay_json_write(o, out, err) < 0 || assay_out_commit(out, err) < 0)
		return -1;
	return 0;
}

static int accept_locked(const char *path, struct assay_verdict *v, bool *ret_new, struct assay_err *err)
{
	const struct assay_manifest *m = v->manifest;
	ASSAY_AUTO(assay_json) *o = NULL;
	int64_t seen = 0;

	if (load(path, &o, ret_new, err) < 0)
		return -1;
	const struct assay_json *entry = assay_json_get(assay_json_get(o, "images"), m->name);
	const char *payload = assay_json_str(assay_json_get(entry, "payload"));
	if (assay_json_get_int(assay_json_get(entry, "release"), &seen)) {
		if (m->release < (uint64_t)seen)
			assay_verdict_refuse(v, ASSAY_REFUSED_ROLLBACK, "release %" PRIu64 " of %s, and %" PRId64 " was accepted before",
					     m->release, m->name, seen);
		else if (m->release == (uint64_t)seen && strcmp(payload, v->payload_sha256) != 0)
			assay_verdict_refuse(v, ASSAY_REFUSED_REPLACED,
					     "release %" PRIu64 " of %s was accepted before with payload sha256 %s", m->release,
					     m->name, payload);
		if (m->release <= (uint64_t)seen)
			return 0;
	}
	return store(path, o, v, err);
}

int assay_releases_accept(const char *path, struct assay_verdict *v, bool *ret_new, struct assay_err *err)
{
	int fd, r;

	if (v->refusal != ASSAY_REFUSED_NOT) {
		*ret_new = false;
		return 0;
	}
	fd = lock(path, err);
	if (fd < 0)
		return -1;
	r = accept_locked(path, v, ret_new, err);
	close(fd);
	return r;
}
