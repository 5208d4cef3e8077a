/* SPDX-License-Identifier: Apache-2.0 */
/* A source and parts of it, each byte in two streams at once: what core/hash.c does with a job that has parts. */
#ifndef ASSAY_CORE_HASH_PRIV_H
#define ASSAY_CORE_HASH_PRIV_H

#include "core/hash.h"
#include "core/sha256x2.h"

struct assay_hash_pair {
	const struct assay_hash_job *job;
	struct assay_sha256_stream whole, part;
	size_t at;	    /* the part that comes, or is being hashed */
	uint8_t rest[64];   /* what the whole ends with, past its last 64 bytes */
	size_t n_rest;
};

/* false: not on this processor. */
bool assay_hash_pair_init(struct assay_hash_pair *pair, const struct assay_hash_job *job);
/* The bytes at `off` of the source: all of it, one call after another, and all but the last a multiple of 64 long. */
void assay_hash_pair_update(struct assay_hash_pair *pair, uint64_t off, const uint8_t *p, size_t len);
void assay_hash_pair_finish(struct assay_hash_pair *pair, uint8_t ret[32]);

#endif
