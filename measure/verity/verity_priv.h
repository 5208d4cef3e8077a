/* SPDX-License-Identifier: Apache-2.0 */
/* Shared inside measure/verity: the shape of a tree, and the digest of a block. */
#ifndef ASSAY_MEASURE_VERITY_PRIV_H
#define ASSAY_MEASURE_VERITY_PRIV_H

#include "measure/verity/verity.h"

/* 512-byte hash blocks with 64-byte digests: 8 in a block, 22 levels over 2^64 data blocks. */
#define VERITY_MAX_LEVELS 22

struct verity_level {
	uint64_t blocks;
	uint64_t offset; /* on the hash device; of level 0, the data: 0 */
};

struct verity_shape {
	size_t digest; /* bytes of one */
	size_t stride; /* from one to the next */
	unsigned bits; /* 2^bits of them in a block */
	unsigned levels;
	uint64_t tree_blocks;
	struct verity_level level[VERITY_MAX_LEVELS + 1];
};

int assay_verity_shape(const struct assay_verity_params *params, struct verity_shape *ret,
		       struct assay_err *err) ASSAY_MUST;

/* Digest of one block with its salt. */
int assay_verity_digest(const struct assay_verity_params *params, const void *block, size_t len,
			uint8_t *ret, struct assay_err *err) ASSAY_MUST;

#endif
