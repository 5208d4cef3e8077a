/* SPDX-License-Identifier: Apache-2.0 */
/* Between files.c, files_hash.c and fsverity.c. */
#ifndef ASSAY_ATTEST_FILES_PRIV_H
#define ASSAY_ATTEST_FILES_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "attest/files.h"

/* Runs fn(arg) in `n` threads, the caller's among them, and waits for all. Fewer where the system gives no more. */
void assay_in_parallel(unsigned n, void *(*fn)(void *arg), void *arg);

/* The first failure of several threads; the others see `stop`. */
struct assay_shared_err {
	pthread_mutex_t lock;
	atomic_bool stop;
	struct assay_err err;
};
#define ASSAY_SHARED_ERR { .lock = PTHREAD_MUTEX_INITIALIZER }
void assay_shared_fail(struct assay_shared_err *shared, const struct assay_err *err);

/* Exactly len bytes at off, unless the file ends: *ret_len. */
int assay_read_at(int fd, uint8_t *buf, size_t len, uint64_t off, size_t *ret_len, struct assay_err *err) ASSAY_MUST;

/* The fs-verity digest of an open file of that size, on all cores. */
int assay_fsverity_digest(int fd, uint64_t size, uint8_t ret[32], struct assay_err *err) ASSAY_MUST;

#endif
