/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources: things that can be read at an offset. A disk, a partition of it, a file in that
 * partition, a section of that file are all sources; none of them is a copy.
 *
 * Sources are reference-counted: a slice keeps its parent alive, and free drops one reference.
 * Reads are thread-safe (pread underneath).
 */
#ifndef ASSAY_CORE_SRC_H
#define ASSAY_CORE_SRC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

struct assay_src;

/* A regular file or block device, read-only. Directories, pipes and the like are refused. */
int assay_src_open_file(const char *path, struct assay_src **ret, struct assay_err *err) ASSAY_MUST;
/* An open file of those kinds; the source owns the descriptor, on failure too. */
int assay_src_from_fd(int fd, struct assay_src **ret, struct assay_err *err) ASSAY_MUST;
/* Memory that outlives the source (borrowed). */
int assay_src_from_mem(const void *p, size_t len, struct assay_src **ret,
		       struct assay_err *err) ASSAY_MUST;
/* Part of another source; refuses (ASSAY_E_CORRUPT) to leave its parent. */
int assay_src_slice(struct assay_src *parent, uint64_t off, uint64_t len, struct assay_src **ret,
		    struct assay_err *err) ASSAY_MUST;

struct assay_extent {
	uint64_t off; /* in the parent, or ASSAY_SRC_HOLE: bytes that lie nowhere and read as zeros */
	uint64_t len;
};
#define ASSAY_SRC_HOLE UINT64_MAX
/*
 * Extents of a parent, one after another, as one source of their summed length (a file in a
 * filesystem). The array is copied, neighbours that touch are joined; each must be a hole or lie inside
 * the parent, else ASSAY_E_CORRUPT.
 */
int assay_src_extents(struct assay_src *parent, const struct assay_extent *e, size_t n,
		      struct assay_src **ret, struct assay_err *err) ASSAY_MUST;

/*
 * Sources one after another as one (files that a boot loader concatenates). Offsets in errors are
 * those within the joined bytes: it has no single outermost file.
 */
int assay_src_join(struct assay_src *const *parts, size_t n, struct assay_src **ret,
		   struct assay_err *err) ASSAY_MUST;

/*
 * Bytes that come from elsewhere: a file that is unpacked as it is read, a disk behind a server. read() gets ranges
 * that lie inside `size`, from several threads at a time, and fills them whole or fails; what it says for `at` in an
 * error is where the fault lies in what it makes them from. They count as an outermost file. free() is called once,
 * also when this fails.
 */
struct assay_src_ops {
	int (*read)(void *data, uint64_t off, uint8_t *buf, size_t len, struct assay_err *err);
	void (*free)(void *data);
};
int assay_src_from_ops(const struct assay_src_ops *ops, void *data, uint64_t size,
		       struct assay_src **ret, struct assay_err *err) ASSAY_MUST;

struct assay_src *assay_src_ref(struct assay_src *src);
void assay_src_free(struct assay_src **src);
ASSAY_DEFINE_AUTO(assay_src)

uint64_t assay_src_size(const struct assay_src *src);
/*
 * Where byte `off` of this source lies in the outermost file: what errors carry as `at`. For one in a hole, where the
 * bytes before the hole end.
 */
uint64_t assay_src_origin(const struct assay_src *src, uint64_t off);
/* How many bytes from `off` on lie one behind the other in the outermost file, or in one hole; 0 past the end. */
uint64_t assay_src_stretch(const struct assay_src *src, uint64_t off, bool *ret_hole);
/* Is it cut out of this outermost source, or that source itself? */
bool assay_src_within(const struct assay_src *src, const struct assay_src *outer);

/* Reads exactly len bytes or fails: ASSAY_E_CORRUPT when the range leaves the source. */
int assay_src_read(struct assay_src *src, uint64_t off, void *buf, size_t len,
		   struct assay_err *err) ASSAY_MUST;
/* The same into fresh memory (len bytes + one NUL after them), with a ceiling: ASSAY_E_LIMIT. */
int assay_src_read_alloc(struct assay_src *src, uint64_t off, uint64_t len, uint64_t limit,
			 uint8_t **ret, struct assay_err *err) ASSAY_MUST;

#endif
