/* SPDX-License-Identifier: Apache-2.0 */
#include "core/src.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "core/limits.h"
#include "core/num.h"

enum kind { KIND_FILE, KIND_MEM, KIND_SLICE, KIND_EXTENTS, KIND_JOINED, KIND_OPS };

/* One extent of an extents source, with where it starts in that source. */
struct piece {
	uint64_t start;
	uint64_t off; /* of a hole: where the extent before it ends */
	uint64_t len;
	bool hole;
};

struct assay_src {
	atomic_uint refs;
	enum kind kind;
	uint64_t size;
	struct assay_src *parent; /* SLICE, EXTENTS: owned reference */
	int fd;			  /* FILE */
	const uint8_t *mem;	  /* MEM */
	uint64_t off;		  /* SLICE */
	struct piece *pieces;	  /* EXTENTS */
	size_t n_pieces;
	struct assay_src **parts; /* JOINED: owned references */
	size_t n_parts;
	const struct assay_src_ops *ops; /* OPS */
	void *data;
};

static struct assay_src *new_src(enum kind kind, uint64_t size, struct assay_err *err)
{
	struct assay_src *src = calloc(1, sizeof(*src));

	if (!src) {
		assay_fail_mem(err);
		return NULL;
	}
	atomic_init(&src->refs, 1);
	src->kind = kind;
	src->size = size;
	src->fd = -1;
	return src;
}

struct assay_src *assay_src_ref(struct assay_src *src)
{
	atomic_fetch_add_explicit(&src->refs, 1, memory_order_relaxed);
	return src;
}

void assay_src_free(struct assay_src **srcp)
{
	struct assay_src *src = srcp ? assay_steal(srcp) : NULL;

	/* Up the parents in a loop: a chain of slices may be long, the stack is not. */
	while (src && atomic_fetch_sub_explicit(&src->refs, 1, memory_order_acq_rel) == 1) {
		struct assay_src *parent = src->parent;

		if (src->fd >= 0)
			close(src->fd);
		free(src->pieces);
		for (size_t i = 0; i < src->n_parts; i++)
			assay_src_free(&src->parts[i]);
		free(src->parts);
		if (src->ops)
			src->ops->free(src->data);
		free(src);
		src = parent;
	}
}

/* --- files and block devices -------------------------------------------------------------------
 */

static const char *kind_of_file(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a pipe";
	case S_IFSOCK:
		return "a socket";
	case S_IFCHR:
		return "a character device";
	default:
		return "of no known kind";
	}
}

static int block_size(int fd, uint64_t *ret, struct assay_err *err)
{
	uint64_t size;
	off_t end;

	if (ioctl(fd, BLKGETSIZE64, &size) == 0) {
		*ret = size;
		return 0;
	}
	end = lseek(fd, 0, SEEK_END);
	if (end < 0)
		return assay_fail_sys(err, "cannot find the device's size");
	*ret = (uint64_t)end;
	return 0;
}

static int file_size(int fd, uint64_t *ret, struct assay_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return assay_fail_sys(err, "cannot stat");
	if (S_ISREG(st.st_mode)) {
		*ret = (uint64_t)st.st_size;
		return 0;
	}
	if (S_ISBLK(st.st_mode))
		return block_size(fd, ret, err);
	return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
			  "is %s; a regular file or a block device is needed",
			  kind_of_file(st.st_mode));
}

int assay_src_open_file(const char *path, struct assay_src **ret, struct assay_err *err)
{
	/* O_NONBLOCK: a pipe without a writer is to be refused, not waited for. */
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return assay_fail_sys(err, "cannot open");
	return assay_src_from_fd(fd, ret, err);
}

int assay_src_from_fd(int fd, struct assay_src **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = new_src(KIND_FILE, 0, err);

	if (!src) {
		close(fd);
		return -1;
	}
	src->fd = fd;
	if (file_size(src->fd, &src->size, err) < 0)
		return -1;
	*ret = assay_steal(&src);
	return 0;
}

static int read_file(struct assay_src *src, uint64_t off, uint8_t *buf, size_t len,
		     struct assay_err *err)
{
	while (len > 0) {
		const ssize_t n = pread(src->fd, buf, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			assay_fail_sys(err, "cannot read %zu bytes", len);
			if (err)
				err->at = off;
			return -1;
		}
		if (n == 0)
			return assay_fail(err, ASSAY_E_IO, off,
					  "the file became shorter while it was read: "
					  "%zu bytes wanted, none left",
					  len);
		buf += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* --- memory, slices, extents -------------------------------------------------------------------
 */

int assay_src_from_mem(const void *p, size_t len, struct assay_src **ret, struct assay_err *err)
{
	struct assay_src *src = new_src(KIND_MEM, len, err);

	if (!src)
		return -1;
	src->mem = p;
	*ret = src;
	return 0;
}

int assay_src_slice(struct assay_src *parent, uint64_t off, uint64_t len, struct assay_src **ret,
		    struct assay_err *err)
{
	struct assay_src *src;

	if (!assay_range_inside(off, len, parent->size))
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(parent, off),
				  "a range of %" PRIu64 " bytes at %" PRIu64
				  " leaves what holds it, which has %" PRIu64 " bytes",
				  len, off, parent->size);
	src = new_src(KIND_SLICE, len, err);
	if (!src)
		return -1;
	/* A slice of a slice hangs on the outer one's parent: reads take one step. */
	if (parent->kind == KIND_SLICE) {
		off += parent->off;
		parent = parent->parent;
	}
	src->parent = assay_src_ref(parent);
	src->off = off;
	*ret = src;
	return 0;
}

int assay_src_extents(struct assay_src *parent, const struct assay_extent *e, size_t n,
		      struct assay_src **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct piece *last = NULL, *fitted;

	if (n > ASSAY_SRC_MAX_EXTENTS)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%zu extents, limit %u", n,
				  ASSAY_SRC_MAX_EXTENTS);
	src = new_src(KIND_EXTENTS, 0, err);
	if (!src)
		return -1;
	src->pieces = malloc((n ? n : 1) * sizeof(*src->pieces));
	if (!src->pieces)
		return assay_fail_mem(err);

	for (size_t i = 0; i < n; i++) {
		const uint64_t start = src->size;
		const bool hole = e[i].off == ASSAY_SRC_HOLE;
		const uint64_t end = !last ? 0 : last->hole ? last->off : last->off + last->len;

		if (!hole && !assay_range_inside(e[i].off, e[i].len, parent->size))
			return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(parent, e[i].off),
					  "extent %zu: %" PRIu64 " bytes at %" PRIu64
					  " leave what holds it, which has %" PRIu64 " bytes",
					  i, e[i].len, e[i].off, parent->size);
		if (e[i].len == 0)
			continue;
		if (assay_add_overflows(src->size, e[i].len, &src->size))
			return assay_fail(err, ASSAY_E_CORRUPT,
					  assay_src_origin(parent, hole ? end : e[i].off),
					  "extent %zu: the extents' sum exceeds 64 bits", i);
		if (last && last->hole == hole && (hole || end == e[i].off)) {
			last->len += e[i].len;
			continue;
		}
		last = &src->pieces[src->n_pieces++];
		*last = (struct piece){ .start = start,
					.off = hole ? end : e[i].off,
					.len = e[i].len,
					.hole = hole };
	}

	/* Joining may have left most of the array unused; keeping it too large is no failure. */
	fitted = realloc(src->pieces, (src->n_pieces ? src->n_pieces : 1) * sizeof(*fitted));
	if (fitted)
		src->pieces = fitted;
	src->parent = assay_src_ref(parent);
	*ret = assay_steal(&src);
	return 0;
}

int assay_src_join(struct assay_src *const *parts, size_t n, struct assay_src **ret,
		   struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	if (n > ASSAY_SRC_MAX_PARTS)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%zu parts, limit %u", n,
				  ASSAY_SRC_MAX_PARTS);
	src = new_src(KIND_JOINED, 0, err);
	if (!src)
		return -1;
	src->parts = calloc(n ? n : 1, sizeof(struct assay_src *));
	if (!src->parts)
		return assay_fail_mem(err);
	for (size_t i = 0; i < n; i++) {
		if (assay_add_overflows(src->size, parts[i]->size, &src->size))
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
					  "part %zu: the parts' sum exceeds 64 bits", i);
		src->parts[src->n_parts++] = assay_src_ref(parts[i]);
	}
	*ret = assay_steal(&src);
	return 0;
}

int assay_src_from_ops(const struct assay_src_ops *ops, void *data, uint64_t size,
		       struct assay_src **ret, struct assay_err *err)
{
	struct assay_src *src = new_src(KIND_OPS, size, err);

	if (!src) {
		ops->free(data);
		return -1;
	}
	src->ops = ops;
	src->data = data;
	*ret = src;
	return 0;
}

/* The last piece that starts at or before off; the source is not empty. */
static size_t find_piece(const struct assay_src *src, uint64_t off)
{
	size_t lo = 0, hi = src->n_pieces;

	while (hi - lo > 1) {
		const size_t mid = lo + (hi - lo) / 2;

		if (src->pieces[mid].start <= off)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

uint64_t assay_src_size(const struct assay_src *src)
{
	return src->size;
}

uint64_t assay_src_origin(const struct assay_src *src, uint64_t off)
{
	for (; src->parent; src = src->parent) {
		if (src->kind == KIND_SLICE) {
			off += src->off;
		} else if (src->n_pieces > 0) {
			/* One past the end belongs to the last piece. */
			const struct piece *p = &src->pieces[find_piece(src, off)];

			off = p->hole ? p->off : p->off + (off - p->start);
		}
	}
	return off;
}

uint64_t assay_src_stretch(const struct assay_src *src, uint64_t off, bool *ret_hole)
{
	uint64_t len = off < src->size ? src->size - off : 0;

	*ret_hole = false;
	for (; src->parent && len > 0 && !*ret_hole; src = src->parent) {
		if (src->kind == KIND_SLICE) {
			off += src->off;
		} else {
			const struct piece *p = &src->pieces[find_piece(src, off)];
			const uint64_t left = p->len - (off - p->start);

			if (len > left)
				len = left;
			*ret_hole = p->hole;
			off = p->off + (off - p->start);
		}
	}
	return len;
}

bool assay_src_within(const struct assay_src *src, const struct assay_src *outer)
{
	while (src && src != outer)
		src = src->parent;
	return src != NULL;
}

/* --- reading -----------------------------------------------------------------------------------
 */

static int read_inside(struct assay_src *src, uint64_t off, uint8_t *buf, size_t len,
		       struct assay_err *err);

static int read_joined(struct assay_src *src, uint64_t off, uint8_t *buf, size_t len,
		       struct assay_err *err)
{
	for (size_t i = 0; len > 0; i++) {
		struct assay_src *part = src->parts[i];

		if (off >= part->size) {
			off -= part->size;
			continue;
		}
		const size_t n = part->size - off < len ? (size_t)(part->size - off) : len;

		if (read_inside(part, off, buf, n, err) < 0)
			return -1;
		buf += n;
		len -= n;
		off = 0;
	}
	return 0;
}

/* The range is known to lie inside src. */
static int read_inside(struct assay_src *src, uint64_t off, uint8_t *buf, size_t len,
		       struct assay_err *err)
{
	if (src->kind == KIND_SLICE) {
		off += src->off;
		src = src->parent;
	}
	if (len == 0)
		return 0;
	if (src->kind == KIND_FILE)
		return read_file(src, off, buf, len, err);
	if (src->kind == KIND_JOINED)
		return read_joined(src, off, buf, len, err);
	if (src->kind == KIND_OPS)
		return src->ops->read(src->data, off, buf, len, err);
	if (src->kind == KIND_MEM) {
		memcpy(buf, src->mem + off, len);
		return 0;
	}
	for (size_t i = find_piece(src, off); len > 0; i++) {
		const struct piece *p = &src->pieces[i];
		const uint64_t skip = off - p->start;
		const size_t n = p->len - skip < len ? (size_t)(p->len - skip) : len;

		if (p->hole)
			memset(buf, 0, n);
		else if (read_inside(src->parent, p->off + skip, buf, n, err) < 0)
			return -1;
		buf += n;
		off += n;
		len -= n;
	}
	return 0;
}

static int check_range(const struct assay_src *src, uint64_t off, uint64_t len,
		       struct assay_err *err)
{
	if (assay_range_inside(off, len, src->size))
		return 0;
	return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(src, off),
			  "cut short: %" PRIu64 " bytes wanted at %" PRIu64 ", %" PRIu64 " left",
			  len, off, off < src->size ? src->size - off : 0);
}

int assay_src_read(struct assay_src *src, uint64_t off, void *buf, size_t len,
		   struct assay_err *err)
{
	if (check_range(src, off, len, err) < 0)
		return -1;
	return read_inside(src, off, buf, len, err);
}

int assay_src_read_alloc(struct assay_src *src, uint64_t off, uint64_t len, uint64_t limit,
			 uint8_t **ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *buf = NULL;

	if (check_range(src, off, len, err) < 0)
		return -1;
	if (len > limit)
		return assay_fail(err, ASSAY_E_LIMIT, assay_src_origin(src, off),
				  "%" PRIu64 " bytes, limit %" PRIu64, len, limit);
	if (len >= SIZE_MAX)
		return assay_fail_mem(err);
	buf = malloc((size_t)len + 1);
	if (!buf)
		return assay_fail_mem(err);
	if (read_inside(src, off, buf, (size_t)len, err) < 0)
		return -1;
	buf[len] = '\0';
	*ret = assay_steal(&buf);
	return 0;
}
