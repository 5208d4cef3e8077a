/* SPDX-License-Identifier: Apache-2.0 */
/* Between layer.c, which shares layers out to threads, and layer_plain.c, which hashes those that
 * are not packed. */
#ifndef ASSAY_MEASURE_CONTAINER_LAYER_PRIV_H
#define ASSAY_MEASURE_CONTAINER_LAYER_PRIV_H

#include <pthread.h>

#include <openssl/evp.h>

#include "core/sha256x2.h"
#include "measure/container/container_priv.h"

/* A layer that is not packed. */
struct assay_plain {
	struct assay_layer_job *job;
	uint64_t size;
	/* What follows is its thread's while it is busy. */
	struct assay_src *src; /* from its first block to its last */
	uint64_t at;
	struct assay_sha256_stream stream; /* or, without the processor's help, */
	EVP_MD_CTX *ctx;
	bool done;
	bool busy, over; /* under the run's lock */
};

struct assay_layer_run {
	uint64_t max_layer;
	uint64_t total;			 /* bytes, for progress */
	struct assay_layer_job **packed; /* the largest first */
	size_t n_packed;
	struct assay_plain *plain; /* the largest first */
	size_t n_plain;

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	size_t next; /* of packed */
	uint64_t done;
	size_t first;	/* of plain that is not done */
	size_t left;	/* of plain that are not done */
	size_t threads; /* that look for plain ones */
	size_t pairs;	/* threads that have two */
};

int assay_layer_fail_evp(struct assay_err *err);
/* Marks it as failed, if rc says so. */
void assay_layer_end(struct assay_layer_job *job, int rc);
int assay_layer_too_large(const struct assay_layer_run *run, struct assay_src *src,
			  struct assay_err *err);
/* So many bytes more have been hashed. */
void assay_layer_progress(struct assay_layer_run *run, size_t n);

/* What a thread does until all plain layers are done. */
void assay_plain_work(struct assay_layer_run *run);

#endif
