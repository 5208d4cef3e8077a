/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashing ranges of a source: one read feeds every digest asked for, in every bank, on every core.
 *
 * A job is a list of ranges whose concatenation is hashed. Several jobs over one source (the
 * Authenticode digest of a UKI, each of its sections, its inner kernel) are run together: the
 * source is read once, front to back, in blocks of constant number, and worker threads take the
 * (job, bank) pairs. Memory use does not depend on sizes.
 *
 * A job can go on after its ranges: with `tail`, the state at their end is copied and fed `tail`,
 * giving a second digest (the initrd section of a UKI is hashed once for PCR 11, and with what the
 * stub appends to it for PCR 9).
 */
#ifndef ASSAY_CORE_HASH_H
#define ASSAY_CORE_HASH_H

#include "core/digest.h"
#include "core/src.h"

struct assay_hash_job {
	unsigned banks;
	const struct assay_extent *ranges; /* ascending and disjoint, inside the source */
	size_t n_ranges;
	uint64_t zeros; /* zero bytes after the ranges (a section's virtual size beyond its data) */

	bool with_tail;
	const void *tail;
	size_t tail_len;

	/*
	 * Parts of the one range, hashed with it in the same step where assay_hash_parts_possible(): two streams on one
	 * core take little more time than one. In sha256 alone, without zeros and tail.
	 */
	const struct assay_extent *parts;
	size_t n_parts;
	struct assay_digests *ret_parts; /* one for each, the caller's */

	struct assay_digests ret;      /* ranges + zeros */
	struct assay_digests ret_tail; /* ranges + zeros + tail, when with_tail */
};

/* Run all jobs over one source. On failure no job's results are to be used. */
int assay_hash_run(struct assay_src *src, struct assay_hash_job *jobs, size_t n,
		   struct assay_err *err) ASSAY_MUST;

/*
 * Can these be the parts of a job over `size` bytes? They ascend, do not overlap, are not empty, and begin and end at
 * multiples of 64; and the processor has instructions for it.
 */
bool assay_hash_parts_possible(const struct assay_extent *parts, size_t n, uint64_t size);

/* The whole of a source. */
int assay_hash_src(struct assay_src *src, unsigned banks, struct assay_digests *ret,
		   struct assay_err *err) ASSAY_MUST;

/* How many threads hash (default: the cores this process may use); 1 for everything in the caller's. */
void assay_hash_set_threads(unsigned n);
/* How many that are: at least 1. */
unsigned assay_hash_threads(void);

#endif
