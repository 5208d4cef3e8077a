/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packed blocks of a filesystem, unpacked: a cache of constant size, and threads that run ahead of
 * whoever reads from front to back. All functions may be called from several threads.
 */
#ifndef ASSAY_MEASURE_FS_BLOCKS_H
#define ASSAY_MEASURE_FS_BLOCKS_H

#include "core/src.h"

struct assay_block {
	uint64_t at;	 /* in the filesystem's source */
	uint32_t packed; /* bytes there */
};

/* Unpacks a block into `out`, which has room for `max` bytes. Called from several threads. */
typedef int assay_unpack_fn(void *vol, const struct assay_block *b, uint8_t *out, size_t max,
			    size_t *ret_len, struct assay_err *err);

struct assay_blocks;
/* `max`: the length of the longest block. `vol` outlives the cache. */
int assay_blocks_new(size_t max, assay_unpack_fn *unpack, void *vol, struct assay_blocks **ret,
		     struct assay_err *err) ASSAY_MUST;
void assay_blocks_free(struct assay_blocks **blocks);

/*
 * Bytes of a block. ASSAY_E_CORRUPT with `at`, which is for errors only, when it does not reach
 * that far, or when it unpacks to something else than `whole` bytes (0: any number).
 */
int assay_blocks_read(struct assay_blocks *blocks, const struct assay_block *b, size_t whole,
		      size_t off, uint8_t *buf, size_t len, uint64_t at,
		      struct assay_err *err) ASSAY_MUST;

/* How many blocks it pays to ask for ahead; 0: none (there is one core). */
size_t assay_blocks_run(const struct assay_blocks *blocks);
/* These will be wanted soon, in this order. They may be unpacked by the time, or not. */
void assay_blocks_ahead(struct assay_blocks *blocks, const struct assay_block *b, size_t n);

#endif
