/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking one compressed stream, as Linux does it to an initrd (lib/decompress*.c): told by its
 * first two bytes, and exactly one stream, so that the caller learns where it ends. One gzip member,
 * one xz or lzma or bzip2 stream, one zstd frame; lz4 in its old form, which ends at a block of size
 * zero or with the file. libarchive reads on over ends of streams, which the kernel does not.
 */
#ifndef ASSAY_MEASURE_UNPACK_UNPACK_H
#define ASSAY_MEASURE_UNPACK_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/src.h"

enum assay_codec {
	ASSAY_CODEC_NONE,
	ASSAY_CODEC_GZIP,
	ASSAY_CODEC_BZIP2,
	ASSAY_CODEC_LZMA,
	ASSAY_CODEC_XZ,
	ASSAY_CODEC_LZO, /* known by name, not unpacked */
	ASSAY_CODEC_LZ4,
	ASSAY_CODEC_ZSTD,
	ASSAY_N_CODECS,
};
const char *assay_codec_name(enum assay_codec codec); /* "gzip"; "none" */
/* The first two bytes decide, as in the kernel; fewer are ASSAY_CODEC_NONE. */
enum assay_codec assay_codec_of(const uint8_t *p, size_t len);

struct assay_unpack_opts {
	uint64_t max_out; /* ASSAY_E_LIMIT past it */
	/* Take what user space unpacks and the kernel does not: xz with CRC64 or SHA-256, gzip headers
	 * with extra fields or comments. */
	bool lenient;
	/* What was unpacked, block by block; not 0 stops, with its *err. */
	int (*take)(void *arg, const uint8_t *p, size_t n, struct assay_err *err);
	void *arg;
};

/*
 * One stream of src from byte `off` on. *ret_used: how many bytes it has. A stream that is cut
 * short or damaged: ASSAY_E_CORRUPT; what the kernel cannot read: ASSAY_E_UNSUPPORTED. Memory does not depend
 * on the stream's size.
 */
int assay_unpack(struct assay_src *src, uint64_t off, enum assay_codec codec,
		 const struct assay_unpack_opts *opts, uint64_t *ret_used,
		 struct assay_err *err) ASSAY_MUST;

#endif
