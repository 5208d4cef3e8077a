/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers that are not packed: as many at a time as threads can hash, two on each where there are
 * more of them than threads (core/sha256x2.h). A thread takes a piece of one or two, gives them
 * back, and looks again: always those with most left to do, so that all end together.
 */
#include "measure/container/layer_priv.h"

#include <stdlib.h>
#include <string.h>

#define PIECE ((size_t)128 << 10)
#define PIECES 8 /* until they are given back */
/* How far from the first one that is not done: what is begun is kept open. */
#define WINDOW 64

static bool is_idle(const struct assay_plain *p)
{
	return !p->busy && !p->over;
}

/* The one with most left. */
static struct assay_plain *pick(struct assay_layer_run *run)
{
	struct assay_plain *best = NULL;

	while (run->first < run->n_plain && run->plain[run->first].over)
		run->first++;
	for (size_t i = run->first; i < run->n_plain && i < run->first + WINDOW; i++) {
		struct assay_plain *p = &run->plain[i];

		if (is_idle(p) && (!best || p->size - p->at > best->size - best->at))
			best = p;
	}
	if (best)
		best->busy = true;
	return best;
}

/* One, or two when no other thread goes without; NULL: all are done. */
static struct assay_plain *take(struct assay_layer_run *run, struct assay_plain **ret_other)
{
	struct assay_plain *p = NULL;

	*ret_other = NULL;
	pthread_mutex_lock(&run->lock);
	while (run->left > 0 && !(p = pick(run)))
		pthread_cond_wait(&run->changed, &run->lock);
	if (p && !p->ctx && run->threads + run->pairs < run->left)
		*ret_other = pick(run);
	run->pairs += *ret_other != NULL;
	pthread_mutex_unlock(&run->lock);
	return p;
}

static void release(struct assay_layer_run *run, struct assay_plain *p)
{
	p->busy = false;
	p->over = p->done;
	run->left -= p->over;
}

static void give_back(struct assay_layer_run *run, struct assay_plain *p, struct assay_plain *other)
{
	pthread_mutex_lock(&run->lock);
	release(run, p);
	if (other) {
		release(run, other);
		run->pairs--;
	}
	pthread_cond_broadcast(&run->changed);
	pthread_mutex_unlock(&run->lock);
}

/* --- one or two pieces -------------------------------------------------------------------------
 */

static int begin(const struct assay_layer_run *run, struct assay_plain *p, struct assay_err *err)
{
	struct assay_container_blob *blob = p->job->blob;

	if (p->src)
		return 0;
	if (assay_store_open(p->job->store, blob->path, &p->src, err) < 0)
		return -1;
	blob->packing = ASSAY_PACKING_NONE;
	blob->size = p->size;
	blob->at = assay_src_origin(p->src, 0);
	if (p->size > run->max_layer)
		return assay_layer_too_large(run, p->src, err);
	if (p->size != assay_src_size(p->src))
		return assay_fail(err, ASSAY_E_IO, ASSAY_NO_OFFSET,
				  "its size changes as it is read");
	if (p->ctx && EVP_DigestInit_ex(p->ctx, EVP_sha256(), NULL) != 1)
		return assay_layer_fail_evp(err);
	return 0;
}

static int end(struct assay_plain *p, const uint8_t *buf, size_t n, struct assay_err *err)
{
	struct assay_container_blob *blob = p->job->blob;

	if (!p->ctx)
		assay_sha256_stream_end(&p->stream, buf, n, blob->sha256);
	else if (EVP_DigestUpdate(p->ctx, buf, n) != 1 ||
		 EVP_DigestFinal_ex(p->ctx, blob->sha256, NULL) != 1)
		return assay_layer_fail_evp(err);
	memcpy(blob->packed_sha256, blob->sha256, sizeof(blob->sha256));
	blob->unpacked = p->size;
	p->done = true;
	return 0;
}

static size_t piece(const struct assay_plain *p)
{
	return p->size - p->at < PIECE ? (size_t)(p->size - p->at) : PIECE;
}

static int read_piece(const struct assay_layer_run *run, struct assay_plain *p, uint8_t *buf,
		      struct assay_err *err)
{
	if (begin(run, p, err) < 0)
		return -1;
	return assay_src_read(p->src, p->at, buf, piece(p), err);
}

static int hash_piece(struct assay_layer_run *run, struct assay_plain *p, const uint8_t *buf,
		      struct assay_err *err)
{
	const size_t n = piece(p);

	p->at += n;
	assay_layer_progress(run, n);
	if (p->at == p->size)
		return end(p, buf, n, err);
	if (!p->ctx)
		assay_sha256_stream_one(&p->stream, buf, n);
	else if (EVP_DigestUpdate(p->ctx, buf, n) != 1)
		return assay_layer_fail_evp(err);
	return 0;
}

static void settle(struct assay_plain *p, int rc)
{
	if (rc < 0)
		p->done = true;
	if (p->done)
		assay_src_free(&p->src);
	assay_layer_end(p->job, rc);
}

/* A whole piece of both, or else one of either. */
static void step(struct assay_layer_run *run, struct assay_plain *a, struct assay_plain *b,
		 uint8_t *buf)
{
	uint8_t *const buf_b = buf + PIECE;
	int rc_a = 0, rc_b = 0;

	if (!a->done)
		rc_a = read_piece(run, a, buf, &a->job->err);
	if (b && !b->done)
		rc_b = read_piece(run, b, buf_b, &b->job->err);
	/* The last piece may have any length, and has its padding. */
	if (b && !a->done && !b->done && rc_a == 0 && rc_b == 0 && a->size - a->at > PIECE &&
	    b->size - b->at > PIECE) {
		assay_sha256_stream_two(&a->stream, buf, &b->stream, buf_b, PIECE);
		a->at += PIECE;
		b->at += PIECE;
		assay_layer_progress(run, 2 * PIECE);
		return;
	}
	if (!a->done) {
		if (rc_a == 0)
			rc_a = hash_piece(run, a, buf, &a->job->err);
		settle(a, rc_a);
	}
	if (b && !b->done) {
		if (rc_b == 0)
			rc_b = hash_piece(run, b, buf_b, &b->job->err);
		settle(b, rc_b);
	}
}

void assay_plain_work(struct assay_layer_run *run)
{
	uint8_t *buf = malloc(2 * PIECE);
	struct assay_plain *a, *b;

	pthread_mutex_lock(&run->lock);
	run->threads++;
	pthread_mutex_unlock(&run->lock);
	while ((a = take(run, &b))) {
		for (int i = 0; buf && i < PIECES && !(a->done && (!b || b->done)); i++)
			step(run, a, b, buf);
		if (!buf)
			settle(a, assay_fail_mem(&a->job->err));
		if (!buf && b)
			settle(b, assay_fail_mem(&b->job->err));
		give_back(run, a, b);
	}
	pthread_mutex_lock(&run->lock);
	run->threads--;
	pthread_mutex_unlock(&run->lock);
	free(buf);
}
