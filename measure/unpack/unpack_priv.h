/* SPDX-License-Identifier: Apache-2.0 */
/* Shared inside measure/unpack: unpack.c, and a file for each kind of stream. */
#ifndef ASSAY_MEASURE_UNPACK_UNPACK_PRIV_H
#define ASSAY_MEASURE_UNPACK_UNPACK_PRIV_H

#include "measure/unpack/unpack.h"

/* A stream on its way: what it may read, and where it may write. */
struct unpack_step {
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len;
	/* set by step(): */
	size_t used;
	size_t made;
	bool done;
};

struct unpack_ops {
	/* `head` are the first bytes of the stream, `len` of them: what is refused before anything is unpacked. */
	int (*open)(const uint8_t *head, size_t len, const struct assay_unpack_opts *opts, void **ret,
		    struct assay_err *err);
	/* As much as goes. An error's `at` is the caller's to set. */
	int (*step)(void *state, struct unpack_step *s, struct assay_err *err);
	void (*close)(void *state);
};
#define UNPACK_HEAD 16

extern const struct unpack_ops assay_unpack_gzip;
extern const struct unpack_ops assay_unpack_bzip2;
extern const struct unpack_ops assay_unpack_xz;
extern const struct unpack_ops assay_unpack_lzma;
extern const struct unpack_ops assay_unpack_zstd;

/* lz4 comes in blocks of up to 8 MiB that are unpacked whole. */
int assay_unpack_lz4(struct assay_src *src, uint64_t off, const struct assay_unpack_opts *opts,
		     uint64_t *ret_used, struct assay_err *err) ASSAY_MUST;
/* Counts what was unpacked against opts->max_out, and hands it on. */
int assay_unpack_give(const struct assay_unpack_opts *opts, uint64_t *made, const uint8_t *p, size_t n,
		      struct assay_err *err) ASSAY_MUST;

#endif
