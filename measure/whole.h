/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The digest of a whole disk, made beside other work on it: one bank keeps one core busy, and what both read is in the
 * page cache.
 */
#ifndef ASSAY_MEASURE_WHOLE_H
#define ASSAY_MEASURE_WHOLE_H

#include <pthread.h>
#include <stdbool.h>

#include "core/hash.h"

struct assay_whole {
	struct assay_src *disk;
	unsigned banks;
	struct assay_digests digests; /* once it is finished */
	int rc;
	struct assay_err err;
	pthread_t thread;
	bool started;
};

void assay_whole_start(struct assay_whole *w, struct assay_src *disk, unsigned banks);
/* Always to be called. `wanted`: false when something else has failed, and then -1 without a word. */
int assay_whole_finish(struct assay_whole *w, bool wanted, struct assay_err *err) ASSAY_MUST;

#endif
