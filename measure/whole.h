/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The digest of a whole disk, and those of its partitions, made beside other work on it: one bank keeps one core busy, and what both read is in the
 * page cache.
 */
#ifndef ASSAY_MEASURE_WHOLE_H
#define ASSAY_MEASURE_WHOLE_H

#include <pthread.h>
#include <stdbool.h>

#include "core/hash.h"
#include "measure/disk/gpt.h"

struct assay_whole {
	struct assay_src *disk;
	unsigned banks;
	struct assay_digests digests; /* once it is finished */
	const struct assay_gpt *gpt;  /* its partitions are hashed in the same pass; NULL: they are not */
	struct assay_digests *parts;  /* one for each of them, once it is finished */
	int rc;
	struct assay_err err;
	pthread_t thread;
	bool started;
};

/* gpt may be NULL; w is filled anew. */
void assay_whole_start(struct assay_whole *w, struct assay_src *disk, const struct assay_gpt *gpt, unsigned banks);
/*
 * Always to be called, and assay_whole_clear() after it. `wanted`: false when something else has failed, and then -1
 * without a word.
 */
int assay_whole_finish(struct assay_whole *w, bool wanted, struct assay_err *err) ASSAY_MUST;

void assay_whole_clear(struct assay_whole *w);

#endif
