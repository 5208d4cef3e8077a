/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests of layers, as they lie in the archive and unpacked. Threads take one layer after another,
 * of whichever archive, the largest first; memory use does not depend on sizes.
 */
#include "measure/container/container_priv.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "core/hash.h"
#include "core/limits.h"
#include "core/log.h"
#include "core/text.h"
#include "measure/container/unpack.h"

#define BLOCK ((size_t)256 << 10)
#define MAX_THREADS 16

struct run {
	struct assay_layer_job *jobs;
	size_t *order; /* largest first */
	size_t n;
	uint64_t max_layer;
	uint64_t total;

	pthread_mutex_t lock; /* guards all below */
	size_t next;
	uint64_t done;
};

/* What a thread has. */
struct worker {
	struct run *run;
	uint8_t *buf;
	EVP_MD_CTX *packed;
	EVP_MD_CTX *unpacked;
};

static int fail_evp(struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_CRYPTO, ASSAY_NO_OFFSET, "SHA-256 failed");
}

/* --- one layer ---------------------------------------------------------------------------------
 */

static int too_large(const struct run *run, struct assay_src *src, struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_LIMIT, assay_src_origin(src, 0),
			  "unpacks to more than %" PRIu64 " bytes", run->max_layer);
}

/* Each byte of the file, packed or not. */
static int seen(void *arg, const void *p, size_t n, struct assay_err *err)
{
	struct worker *w = arg;

	if (EVP_DigestUpdate(w->packed, p, n) != 1)
		return fail_evp(err);
	pthread_mutex_lock(&w->run->lock);
	w->run->done += n;
	assay_progress(w->run->done, w->run->total);
	pthread_mutex_unlock(&w->run->lock);
	return 0;
}

static int hash_unpacked(struct worker *w, struct assay_unpack *u, struct assay_src *src,
			 struct assay_container_blob *blob, struct assay_err *err)
{
	const void *p;
	size_t n;

	for (;;) {
		if (assay_unpack_next(u, &p, &n, err) < 0)
			return -1;
		if (n == 0)
			return 0;
		if (n > w->run->max_layer - blob->unpacked)
			return too_large(w->run, src, err);
		blob->unpacked += n;
		if (EVP_DigestUpdate(w->unpacked, p, n) != 1)
			return fail_evp(err);
	}
}

static int hash_packed(struct worker *w, struct assay_src *src, struct assay_container_blob *blob,
		       struct assay_err *err)
{
	ASSAY_AUTO(assay_unpack) *u = NULL;

	if (assay_unpack_open(src, blob->packing, seen, w, &u, err) < 0)
		return -1;
	if (hash_unpacked(w, u, src, blob, err) < 0) {
		if (!assay_unpack_damage(u))
			return -1;
		blob->damage = assay_strdup(assay_unpack_damage(u));
		if (!blob->damage)
			return assay_fail_mem(err);
	}
	/* What follows the stream belongs to the file's own digest. */
	return assay_unpack_drain(u, err);
}

static int hash_plain(struct worker *w, struct assay_src *src, struct assay_container_blob *blob,
		      struct assay_err *err)
{
	if (blob->size > w->run->max_layer)
		return too_large(w->run, src, err);
	for (uint64_t at = 0; at < blob->size; at += BLOCK) {
		const size_t n = blob->size - at < BLOCK ? (size_t)(blob->size - at) : BLOCK;

		if (assay_src_read(src, at, w->buf, n, err) < 0 || seen(w, w->buf, n, err) < 0)
			return -1;
	}
	blob->unpacked = blob->size;
	return 0;
}

static int finish(EVP_MD_CTX *ctx, uint8_t *out, struct assay_err *err)
{
	return EVP_DigestFinal_ex(ctx, out, NULL) == 1 ? 0 : fail_evp(err);
}

static int hash_blob(struct worker *w, const struct assay_layer_job *job, struct assay_err *err)
{
	struct assay_container_blob *blob = job->blob;
	ASSAY_AUTO(assay_src) *src = NULL;

	if (!w->buf || !w->packed || !w->unpacked)
		return assay_fail_mem(err);
	if (assay_store_open(job->store, blob->path, &src, err) < 0 ||
	    assay_packing_of_src(src, &blob->packing, err) < 0)
		return -1;
	blob->size = assay_src_size(src);
	blob->at = assay_src_origin(src, 0);
	if (EVP_DigestInit_ex(w->packed, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestInit_ex(w->unpacked, EVP_sha256(), NULL) != 1)
		return fail_evp(err);
	if ((blob->packing == ASSAY_PACKING_NONE ? hash_plain : hash_packed)(w, src, blob, err) <
		    0 ||
	    finish(w->packed, blob->packed_sha256, err) < 0)
		return -1;
	if (blob->packing == ASSAY_PACKING_NONE)
		memcpy(blob->sha256, blob->packed_sha256, sizeof(blob->sha256));
	else if (!blob->damage)
		return finish(w->unpacked, blob->sha256, err);
	return 0;
}

/* --- all of them -------------------------------------------------------------------------------
 */

static void fail_job(struct assay_layer_job *job)
{
	job->failed = true;
	assay_container_wrap(&job->err, "layer", job->blob->path);
}

/* One that fails stops none of the others: what is told does not depend on who was faster. */
static void *work(void *arg)
{
	struct run *run = arg;
	struct worker w = { .run = run,
			    .buf = malloc(BLOCK),
			    .packed = EVP_MD_CTX_new(),
			    .unpacked = EVP_MD_CTX_new() };

	for (;;) {
		pthread_mutex_lock(&run->lock);
		const size_t i = run->next < run->n ? run->order[run->next++] : SIZE_MAX;
		pthread_mutex_unlock(&run->lock);

		if (i == SIZE_MAX)
			break;
		if (!run->jobs[i].failed && hash_blob(&w, &run->jobs[i], &run->jobs[i].err) < 0)
			fail_job(&run->jobs[i]);
	}
	free(w.buf);
	EVP_MD_CTX_free(w.packed);
	EVP_MD_CTX_free(w.unpacked);
	return NULL;
}

struct sized {
	size_t job;
	uint64_t size;
};

static int compare_sizes(const void *a, const void *b)
{
	const struct sized *x = a, *y = b;

	if (x->size != y->size)
		return x->size < y->size ? 1 : -1;
	return (x->job > y->job) - (x->job < y->job);
}

static int make_order(struct run *run, struct assay_err *err)
{
	ASSAY_AUTO_FREE struct sized *s = calloc(run->n, sizeof(*s));

	run->order = calloc(run->n, sizeof(*run->order));
	if (!s || !run->order)
		return assay_fail_mem(err);
	for (size_t i = 0; i < run->n; i++) {
		struct assay_layer_job *job = &run->jobs[i];
		ASSAY_AUTO(assay_src) *src = NULL;

		if (assay_store_open(job->store, job->blob->path, &src, &job->err) < 0)
			fail_job(job);
		s[i] = (struct sized){ i, src ? assay_src_size(src) : 0 };
		run->total += s[i].size;
	}
	qsort(s, run->n, sizeof(*s), compare_sizes);
	for (size_t i = 0; i < run->n; i++)
		run->order[i] = s[i].job;
	return 0;
}

int assay_layers_hash(struct assay_layer_job *jobs, size_t n, uint64_t max_layer,
		      struct assay_err *err)
{
	struct run run = { .jobs = jobs, .n = n, .max_layer = max_layer };
	pthread_t others[MAX_THREADS];
	size_t started = 0, wanted = assay_hash_threads();

	if (n == 0)
		return 0;
	if (make_order(&run, err) < 0) {
		free(run.order);
		return -1;
	}
	pthread_mutex_init(&run.lock, NULL);
	if (wanted > n)
		wanted = n;
	if (wanted > MAX_THREADS)
		wanted = MAX_THREADS;
	while (started + 1 < wanted && pthread_create(&others[started], NULL, work, &run) == 0)
		started++;
	work(&run);
	while (started > 0)
		pthread_join(others[--started], NULL);
	pthread_mutex_destroy(&run.lock);
	free(run.order);
	return 0;
}
