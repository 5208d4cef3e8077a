/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests of layers, as they lie in the archive and unpacked; those of several archives together. A
 * thread unpacks one layer after another, the largest first, and then joins those that hash what is
 * not packed. Memory use does not depend on sizes.
 */
#include "measure/container/layer_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/limits.h"
#include "core/log.h"
#include "core/text.h"
#include "measure/container/unpack.h"

#define MAX_THREADS 16

int assay_layer_fail_evp(struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_CRYPTO, ASSAY_NO_OFFSET, "SHA-256 failed");
}

int assay_layer_too_large(const struct assay_layer_run *run, struct assay_src *src,
			  struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_LIMIT, assay_src_origin(src, 0),
			  "unpacks to more than %" PRIu64 " bytes", run->max_layer);
}

/* One that fails stops none of the others: what is told does not depend on who was faster. */
void assay_layer_end(struct assay_layer_job *job, int rc)
{
	if (rc == 0)
		return;
	job->failed = true;
	assay_container_wrap(&job->err, "layer", job->blob->path);
}

void assay_layer_progress(struct assay_layer_run *run, size_t n)
{
	pthread_mutex_lock(&run->lock);
	run->done += n;
	assay_progress(run->done, run->total);
	pthread_mutex_unlock(&run->lock);
}

/* --- packed layers -----------------------------------------------------------------------------
 */

struct unpacker {
	struct assay_layer_run *run;
	EVP_MD_CTX *packed;
	EVP_MD_CTX *unpacked;
};

/* Each byte of the file. */
static int seen(void *arg, const void *p, size_t n, struct assay_err *err)
{
	struct unpacker *w = arg;

	if (EVP_DigestUpdate(w->packed, p, n) != 1)
		return assay_layer_fail_evp(err);
	assay_layer_progress(w->run, n);
	return 0;
}

static int hash_unpacked(struct unpacker *w, struct assay_unpack *u, struct assay_src *src,
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
			return assay_layer_too_large(w->run, src, err);
		blob->unpacked += n;
		if (EVP_DigestUpdate(w->unpacked, p, n) != 1)
			return assay_layer_fail_evp(err);
	}
}

static int hash_stream(struct unpacker *w, struct assay_src *src, struct assay_container_blob *blob,
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

static int hash_packed(struct unpacker *w, const struct assay_layer_job *job, struct assay_err *err)
{
	struct assay_container_blob *blob = job->blob;
	ASSAY_AUTO(assay_src) *src = NULL;

	if (!w->packed || !w->unpacked)
		return assay_fail_mem(err);
	if (assay_store_open(job->store, blob->path, &src, err) < 0)
		return -1;
	blob->size = assay_src_size(src);
	blob->at = assay_src_origin(src, 0);
	if (EVP_DigestInit_ex(w->packed, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestInit_ex(w->unpacked, EVP_sha256(), NULL) != 1)
		return assay_layer_fail_evp(err);
	if (hash_stream(w, src, blob, err) < 0)
		return -1;
	if (EVP_DigestFinal_ex(w->packed, blob->packed_sha256, NULL) != 1 ||
	    (!blob->damage && EVP_DigestFinal_ex(w->unpacked, blob->sha256, NULL) != 1))
		return assay_layer_fail_evp(err);
	return 0;
}

/* --- all of them -------------------------------------------------------------------------------
 */

static void *work(void *arg)
{
	struct assay_layer_run *run = arg;
	struct unpacker w = { .run = run };

	for (;;) {
		pthread_mutex_lock(&run->lock);
		struct assay_layer_job *job =
			run->next < run->n_packed ? run->packed[run->next++] : NULL;
		pthread_mutex_unlock(&run->lock);

		if (!job)
			break;
		if (!w.packed)
			w.packed = EVP_MD_CTX_new();
		if (!w.unpacked)
			w.unpacked = EVP_MD_CTX_new();
		assay_layer_end(job, hash_packed(&w, job, &job->err));
	}
	EVP_MD_CTX_free(w.packed);
	EVP_MD_CTX_free(w.unpacked);
	if (run->n_plain > 0)
		assay_plain_work(run);
	return NULL;
}

struct sized {
	struct assay_layer_job *job;
	uint64_t size;
};

static int compare_sizes(const void *a, const void *b)
{
	const struct sized *x = a, *y = b;

	if (x->size != y->size)
		return x->size < y->size ? 1 : -1;
	return (x->job > y->job) - (x->job < y->job);
}

static int look_at(struct assay_layer_job *job, uint64_t *ret_size)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	if (assay_store_open(job->store, job->blob->path, &src, &job->err) < 0 ||
	    assay_packing_of_src(src, &job->blob->packing, &job->err) < 0)
		return -1;
	*ret_size = assay_src_size(src);
	return 0;
}

static int add_plain(struct assay_layer_run *run, const struct sized *s, struct assay_err *err)
{
	struct assay_plain *p = &run->plain[run->n_plain++];

	*p = (struct assay_plain){ .job = s->job, .size = s->size };
	if (assay_sha256_stream_init(&p->stream))
		return 0;
	p->ctx = EVP_MD_CTX_new();
	return p->ctx ? 0 : assay_fail_mem(err);
}

static int share_out(struct assay_layer_run *run, struct assay_layer_job *jobs, size_t n,
		     struct assay_err *err)
{
	ASSAY_AUTO_FREE struct sized *s = calloc(n, sizeof(*s));
	size_t good = 0;

	run->packed = calloc(n, sizeof(*run->packed));
	run->plain = calloc(n, sizeof(*run->plain));
	if (!s || !run->packed || !run->plain)
		return assay_fail_mem(err);
	for (size_t i = 0; i < n; i++) {
		s[good].job = &jobs[i];
		const int rc = look_at(&jobs[i], &s[good].size);

		assay_layer_end(&jobs[i], rc);
		run->total += rc == 0 ? s[good].size : 0;
		good += rc == 0;
	}
	qsort(s, good, sizeof(*s), compare_sizes);
	for (size_t i = 0; i < good; i++) {
		if (s[i].job->blob->packing != ASSAY_PACKING_NONE)
			run->packed[run->n_packed++] = s[i].job;
		else if (add_plain(run, &s[i], err) < 0)
			return -1;
	}
	run->left = run->n_plain;
	return 0;
}

static void run_threads(struct assay_layer_run *run, size_t wanted)
{
	pthread_t others[MAX_THREADS];
	size_t started = 0;

	pthread_mutex_init(&run->lock, NULL);
	pthread_cond_init(&run->changed, NULL);
	if (wanted > MAX_THREADS)
		wanted = MAX_THREADS;
	while (started + 1 < wanted && pthread_create(&others[started], NULL, work, run) == 0)
		started++;
	work(run);
	while (started > 0)
		pthread_join(others[--started], NULL);
	pthread_cond_destroy(&run->changed);
	pthread_mutex_destroy(&run->lock);
}

int assay_layers_hash(struct assay_layer_job *jobs, size_t n, uint64_t max_layer,
		      struct assay_err *err)
{
	struct assay_layer_run run = { .max_layer = max_layer };
	const size_t threads = assay_hash_threads();
	int rc;

	if (n == 0)
		return 0;
	rc = share_out(&run, jobs, n, err);
	if (rc == 0)
		run_threads(&run, threads < n ? threads : n);
	for (size_t i = 0; i < run.n_plain; i++)
		EVP_MD_CTX_free(run.plain[i].ctx);
	free(run.plain);
	free(run.packed);
	return rc;
}
