/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two libarchive readers, one behind the other: the first unpacks, the second (for a tar file) reads what the first gives.
 * So every unpacked byte passes through our hands, and a gzip stream's checksum, which libarchive does not look at, is
 * checked by us. Filters and formats are named to libarchive; left to look for itself it could start programs.
 */
#include "measure/disk/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cur.h"
#include "core/limits.h"
#include "core/log.h"
#include "core/temp.h"
#include "core/text.h"
#include "measure/archive_lib.h"
#include "measure/disk/crc32.h"

#define BLOCK ((size_t)256 << 10)
/* A hole is a multiple of this, in the common filesystems. */
#define PAGE 4096
#define MEMBER "disk.raw"

/* --- the file it goes to ------------------------------------------------------------------------
 */

struct sink {
	int fd;
	uint64_t limit;
	const char *dir;
};

static int sink_open(struct sink *s, struct assay_err *err)
{
	s->dir = assay_temp_folder();
	return assay_temp_open(&s->fd, err);
}

static bool all_zeros(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static int write_all(const struct sink *s, uint64_t off, const uint8_t *p, size_t n,
		     struct assay_err *err)
{
	while (n > 0) {
		const ssize_t done = pwrite(s->fd, p, n, (off_t)off);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return assay_fail_sys(err, "cannot write a temporary file in %s", s->dir);
		off += (uint64_t)done;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static int sink_check(const struct sink *s, uint64_t off, uint64_t n, struct assay_err *err)
{
	if (off > s->limit || n > s->limit - off)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "unpacks to more than %" PRIu64 " bytes", s->limit);
	return 0;
}

/* Runs of pages with anything in them are written, the others left out. */
static int sink_put(const struct sink *s, uint64_t off, const uint8_t *p, size_t n,
		    struct assay_err *err)
{
	size_t from = 0, at = 0;

	if (sink_check(s, off, n, err) < 0)
		return -1;
	while (at < n) {
		const size_t room = PAGE - (size_t)((off + at) % PAGE);
		const size_t len = room < n - at ? room : n - at;

		if (all_zeros(p + at, len)) {
			if (write_all(s, off + from, p + from, at - from, err) < 0)
				return -1;
			from = at + len;
		}
		at += len;
	}
	return write_all(s, off + from, p + from, n - from, err);
}

static int sink_finish(const struct sink *s, uint64_t size, struct assay_err *err)
{
	if (sink_check(s, size, 0, err) < 0)
		return -1;
	return ftruncate(s->fd, (off_t)size) < 0
		       ? assay_fail_sys(err, "cannot write a temporary file in %s", s->dir)
		       : 0;
}

/* --- unpacking ----------------------------------------------------------------------------------
 */

struct stream {
	const struct assay_archive_lib *lib;
	struct assay_src *src;
	enum assay_packer packer;
	struct archive *a;
	uint64_t at; /* read so far, of the packed file */
	uint8_t *buf;
	uint64_t total; /* unpacked so far */
	uint32_t crc;
	bool failed; /* err says why */
	bool ended;
	struct assay_err *err;
	/* A block that was looked at and is still to be given. */
	const uint8_t *held;
	size_t held_len;
};

static const char *packer_name(enum assay_packer packer)
{
	static const char *const names[] = { "gzip", "xz", "zstd" };

	return names[packer];
}

/* From one reader of libarchive to the next: err has been set. */
static la_ssize_t pass_failure(const struct stream *s, struct archive *a)
{
	s->lib->set_error(a, EIO, "cannot read");
	return ARCHIVE_FATAL;
}

static la_ssize_t read_packed(struct archive *a, void *arg, const void **buf)
{
	struct stream *s = arg;
	const uint64_t left = assay_src_size(s->src) - s->at;
	const size_t n = left < BLOCK ? (size_t)left : BLOCK;

	*buf = s->buf;
	if (n > 0 && assay_src_read(s->src, s->at, s->buf, n, s->err) < 0) {
		s->failed = true;
		return pass_failure(s, a);
	}
	s->at += n;
	assay_progress(s->at, assay_src_size(s->src));
	return (la_ssize_t)n;
}

static int fail_archive(struct stream *s, struct archive *a, const char *what)
{
	const char *why = s->lib->error_string(a);

	if (s->failed)
		return -1;
	s->failed = true;
	if (s->lib->error_number(a) == ENOMEM)
		return assay_fail_mem(s->err);
	return assay_fail(s->err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s: %s", what,
			  why ? why : "nothing can be unpacked");
}

static int stream_open(struct stream *s)
{
	static const int filters[] = { ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_ZSTD };
	struct archive_entry *entry;

	s->buf = malloc(BLOCK);
	s->a = s->buf ? s->lib->read_new() : NULL;
	if (!s->a)
		return assay_fail_mem(s->err);
	/* Anything but OK means: by an external program. */
	if (s->lib->read_append_filter(s->a, filters[s->packer]) != ARCHIVE_OK)
		return assay_fail(s->err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "libarchive was built without %s", packer_name(s->packer));
	if (s->lib->read_support_format_raw(s->a) != ARCHIVE_OK ||
	    s->lib->read_set_callback_data(s->a, s) != ARCHIVE_OK ||
	    s->lib->read_set_read_callback(s->a, read_packed) != ARCHIVE_OK)
		return assay_fail_mem(s->err);
	if (s->lib->read_open1(s->a) != ARCHIVE_OK ||
	    s->lib->read_next_header(s->a, &entry) != ARCHIVE_OK)
		return fail_archive(s, s->a, packer_name(s->packer));
	return 0;
}

/*
 * A gzip file ends with CRC and length of what it holds (RFC 1952, 2.3.1). One of several members does not, nor one with
 * something behind it: gzip itself would go on with the next, or warn.
 */
static int check_gzip(struct stream *s)
{
	const uint64_t size = assay_src_size(s->src);
	uint8_t tail[8];

	if (assay_src_read(s->src, size - sizeof(tail), tail, sizeof(tail), s->err) < 0)
		return -1;
	struct assay_cur c = assay_cur_make(tail, sizeof(tail), size - sizeof(tail));
	const uint32_t crc = assay_cur_le32(&c);
	const uint32_t len = assay_cur_le32(&c);

	if (crc != s->crc || len != (uint32_t)s->total)
		return assay_fail(s->err, ASSAY_E_CORRUPT, size - sizeof(tail),
				  "gzip: the checksum at its end is not that of what was unpacked: it is "
				  "damaged, has several members, or something follows it");
	return 0;
}

static int stream_finish(struct stream *s)
{
	const int64_t used = s->lib->filter_bytes(s->a, -1);

	s->ended = true;
	if (s->packer == ASSAY_PACKER_GZIP && check_gzip(s) < 0) {
		s->failed = true;
		return -1;
	}
	if (used >= 0 && (uint64_t)used != assay_src_size(s->src)) {
		s->failed = true;
		return assay_fail(s->err, ASSAY_E_CORRUPT, (uint64_t)used,
				  "%s: something follows the packed data", packer_name(s->packer));
	}
	return 0;
}

/* The next block: its length, 0 at the end, -1. */
static ssize_t stream_next(struct stream *s, const uint8_t **ret)
{
	const void *p;
	la_int64_t off;
	size_t n;
	int rc;

	if (s->failed)
		return -1;
	if (s->held_len > 0) {
		n = s->held_len;
		*ret = s->held;
		s->held_len = 0;
		return (ssize_t)n;
	}
	do {
		if (s->ended)
			return 0;
		rc = s->lib->read_data_block(s->a, &p, &n, &off);
		if (rc == ARCHIVE_EOF)
			return stream_finish(s);
		if (rc != ARCHIVE_OK)
			return fail_archive(s, s->a, packer_name(s->packer));
	} while (n == 0);
	if (s->packer == ASSAY_PACKER_GZIP)
		s->crc = assay_crc32(s->crc, p, n);
	s->total += n;
	*ret = p;
	return (ssize_t)n;
}

static int stream_peek(struct stream *s)
{
	const uint8_t *p = NULL;
	const ssize_t n = stream_next(s, &p);

	if (n < 0)
		return -1;
	s->held = p;
	s->held_len = (size_t)n;
	return 0;
}

static void stream_close(struct stream *s)
{
	if (s->a)
		s->lib->read_free(s->a);
	free(s->buf);
}

/* --- what is in it ------------------------------------------------------------------------------
 */

static int copy_raw(struct stream *s, const struct sink *sink)
{
	const uint8_t *p;
	uint64_t off = 0;
	ssize_t n;

	while ((n = stream_next(s, &p)) > 0) {
		if (sink_put(sink, off, p, (size_t)n, s->err) < 0)
			return -1;
		off += (uint64_t)n;
	}
	return n < 0 ? -1 : sink_finish(sink, off, s->err);
}

static la_ssize_t read_unpacked(struct archive *a, void *arg, const void **buf)
{
	struct stream *s = arg;
	const uint8_t *p = NULL;
	const ssize_t n = stream_next(s, &p);

	*buf = p;
	return n < 0 ? pass_failure(s, a) : (la_ssize_t)n;
}

static int fail_member(struct stream *s, const char *what, const char *name)
{
	struct assay_str text = { 0 };

	assay_str_add_escaped(&text, name ? name : "", name ? strlen(name) : 0);
	s->failed = true;
	assay_fail(s->err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
		   "%s '%s' in the tar file, which is to hold " MEMBER " alone", what,
		   text.p ? text.p : "");
	assay_str_clear(&text);
	return -1;
}

static int copy_member(struct stream *s, struct archive *a, const struct sink *sink)
{
	struct archive_entry *entry;
	const char *name;
	const void *p;
	la_int64_t off;
	uint64_t size;
	size_t n;
	int rc;

	if (s->lib->read_next_header(a, &entry) != ARCHIVE_OK)
		return fail_archive(s, a, "tar");
	name = s->lib->entry_pathname(entry);
	if (name && strncmp(name, "./", 2) == 0)
		name += 2;
	if (!name || strcmp(name, MEMBER) != 0 || s->lib->entry_filetype(entry) != AE_IFREG ||
	    !s->lib->entry_size_is_set(entry) || s->lib->entry_size(entry) < 0)
		return fail_member(s, "there is", name);
	size = (uint64_t)s->lib->entry_size(entry);
	/* Holes are left out: a member may be a sparse one. */
	while ((rc = s->lib->read_data_block(a, &p, &n, &off)) == ARCHIVE_OK) {
		if (off < 0 || (uint64_t)off > size || n > size - (uint64_t)off)
			return assay_fail(s->err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
					  "tar: " MEMBER " leaves its size");
		if (sink_put(sink, (uint64_t)off, p, n, s->err) < 0)
			return -1;
	}
	if (rc != ARCHIVE_EOF)
		return fail_archive(s, a, "tar");
	rc = s->lib->read_next_header(a, &entry);
	if (rc == ARCHIVE_OK)
		return fail_member(s, "there is also", s->lib->entry_pathname(entry));
	if (rc != ARCHIVE_EOF)
		return fail_archive(s, a, "tar");
	return sink_finish(sink, size, s->err);
}

/* To the end of what is packed, for its checksum's sake; a tar file ends with zeros. */
static int drain(struct stream *s)
{
	const uint8_t *p;
	ssize_t n;

	while ((n = stream_next(s, &p)) > 0) {
		if (!all_zeros(p, (size_t)n))
			return assay_fail(s->err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
					  "something follows the tar file");
	}
	return (int)n;
}

static int copy_tar(struct stream *s, const struct sink *sink)
{
	struct archive *a = s->lib->read_new();
	int rc;

	if (!a)
		return assay_fail_mem(s->err);
	if (s->lib->read_support_format_tar(a) != ARCHIVE_OK ||
	    s->lib->read_set_callback_data(a, s) != ARCHIVE_OK ||
	    s->lib->read_set_read_callback(a, read_unpacked) != ARCHIVE_OK)
		rc = assay_fail_mem(s->err);
	else if (s->lib->read_open1(a) != ARCHIVE_OK)
		rc = fail_archive(s, a, "tar");
	else
		rc = copy_member(s, a, sink);
	s->lib->read_free(a);
	return rc < 0 ? -1 : drain(s);
}

static bool is_tar(const struct stream *s)
{
	return s->held_len >= 512 && memcmp(s->held + 257, "ustar", 5) == 0;
}

int assay_disk_unpack(struct assay_src *packed, enum assay_packer packer, uint64_t limit,
		      struct assay_src **ret, bool *ret_tar, struct assay_err *err)
{
	struct assay_err own;
	struct stream s = { .src = packed, .packer = packer, .err = err ? err : &own };
	struct sink sink = { .fd = -1, .limit = limit };
	bool tar = false;
	int rc;

	if (assay_archive_lib_get(&s.lib, s.err) < 0 || sink_open(&sink, s.err) < 0)
		return -1;
	rc = stream_open(&s);
	if (rc == 0)
		rc = stream_peek(&s);
	if (rc == 0) {
		tar = is_tar(&s);
		rc = tar ? copy_tar(&s, &sink) : copy_raw(&s, &sink);
	}
	stream_close(&s);
	if (rc < 0) {
		close(sink.fd);
		return -1;
	}
	*ret_tar = tar;
	return assay_src_from_fd(sink.fd, ret, s.err);
}
