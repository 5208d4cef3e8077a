/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slot holds one block. It is free, or queued for a worker, or somebody unpacks into it, or it is
 * ready; then it stays until it is the one that was not used for longest. A block that was unpacked
 * ahead is not thrown out for another one ahead, and those are half of the slots at most.
 */
#include "measure/fs/blocks.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/limits.h"

#define MIN_SLOTS 16U
#define MAX_SLOTS 128U
#define MAX_WORKERS 16U

enum state { FREE, QUEUED, BUSY, READY };

struct slot {
	enum state state;
	struct assay_block key;
	bool ahead;    /* asked for ahead, and not yet used */
	unsigned pins; /* readers that copy out of it just now */
	uint64_t used; /* when it was last */
	size_t len;
	uint8_t *data; /* NULL until first needed */
};

struct assay_blocks {
	size_t max;
	assay_unpack_fn *unpack;
	void *vol;
	size_t n_slots;

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t ready; /* a slot became ready or free */
	pthread_cond_t work;  /* a slot was queued, or the end has come */
	struct slot slots[MAX_SLOTS];
	size_t queue[MAX_SLOTS]; /* a ring */
	size_t queue_at, queue_n;
	size_t n_ahead;
	uint64_t clock;
	bool started, stop;
	pthread_t workers[MAX_WORKERS];
	unsigned n_workers;
};

int assay_blocks_new(size_t max, assay_unpack_fn *unpack, void *vol, struct assay_blocks **ret,
		     struct assay_err *err)
{
	struct assay_blocks *b = calloc(1, sizeof(*b));

	if (!b)
		return assay_fail_mem(err);
	b->max = max;
	b->unpack = unpack;
	b->vol = vol;
	b->n_slots = ASSAY_FS_BLOCK_CACHE / max;
	if (b->n_slots < MIN_SLOTS)
		b->n_slots = MIN_SLOTS;
	if (b->n_slots > MAX_SLOTS)
		b->n_slots = MAX_SLOTS;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->ready, NULL);
	pthread_cond_init(&b->work, NULL);
	*ret = b;
	return 0;
}

void assay_blocks_free(struct assay_blocks **bp)
{
	struct assay_blocks *b = assay_steal(bp);

	if (!b)
		return;
	pthread_mutex_lock(&b->lock);
	b->stop = true;
	pthread_cond_broadcast(&b->work);
	pthread_mutex_unlock(&b->lock);
	for (unsigned i = 0; i < b->n_workers; i++)
		pthread_join(b->workers[i], NULL);
	for (size_t i = 0; i < b->n_slots; i++)
		free(b->slots[i].data);
	pthread_cond_destroy(&b->work);
	pthread_cond_destroy(&b->ready);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

/* --- with the lock held ---- */

static struct slot *find(struct assay_blocks *b, const struct assay_block *key)
{
	for (size_t i = 0; i < b->n_slots; i++)
		if (b->slots[i].state != FREE && b->slots[i].key.at == key->at &&
		    b->slots[i].key.packed == key->packed)
			return &b->slots[i];
	return NULL;
}

static void no_longer_ahead(struct assay_blocks *b, struct slot *s)
{
	b->n_ahead -= s->ahead;
	s->ahead = false;
}

/* A slot for something new, emptied; NULL when there is none just now. */
static struct slot *take(struct assay_blocks *b, bool for_ahead)
{
	struct slot *oldest = NULL;

	for (size_t i = 0; i < b->n_slots; i++) {
		struct slot *s = &b->slots[i];

		if (s->state == FREE)
			return s;
		if (s->state != READY || s->pins > 0 || (for_ahead && s->ahead))
			continue;
		if (!oldest || s->used < oldest->used)
			oldest = s;
	}
	if (oldest) {
		no_longer_ahead(b, oldest);
		oldest->state = FREE;
	}
	return oldest;
}

/* Unpack into the slot. The lock is let go of meanwhile. */
static int fill(struct assay_blocks *b, struct slot *s, struct assay_err *err)
{
	int rc = 0;

	s->state = BUSY;
	pthread_mutex_unlock(&b->lock);
	if (!s->data)
		s->data = malloc(b->max);
	if (!s->data)
		rc = assay_fail_mem(err);
	else
		rc = b->unpack(b->vol, &s->key, s->data, b->max, &s->len, err);
	pthread_mutex_lock(&b->lock);
	if (rc < 0)
		no_longer_ahead(b, s);
	s->state = rc < 0 ? FREE : READY;
	s->used = ++b->clock;
	pthread_cond_broadcast(&b->ready);
	return rc;
}

/* --- reading ---- */

/* The block's slot, pinned. */
static int get(struct assay_blocks *b, const struct assay_block *key, struct slot **ret,
	       struct assay_err *err)
{
	for (;;) {
		struct slot *s = find(b, key);

		if (s && s->state == BUSY) {
			/* If it fails there, it is free after this, and fails here again by name.
			 */
			pthread_cond_wait(&b->ready, &b->lock);
			continue;
		}
		if (!s) {
			s = take(b, false);
			if (!s) {
				pthread_cond_wait(&b->ready, &b->lock);
				continue;
			}
			s->key = *key;
		}
		/* Queued: the worker that comes to it later sees that it no longer is. */
		if (s->state != READY && fill(b, s, err) < 0)
			return -1;
		no_longer_ahead(b, s);
		s->used = ++b->clock;
		s->pins++;
		*ret = s;
		return 0;
	}
}

int assay_blocks_read(struct assay_blocks *b, const struct assay_block *key, size_t whole,
		      size_t off, uint8_t *buf, size_t len, uint64_t at, struct assay_err *err)
{
	struct slot *s = NULL;
	int rc;

	pthread_mutex_lock(&b->lock);
	rc = get(b, key, &s, err);
	pthread_mutex_unlock(&b->lock);
	if (rc < 0)
		return -1;
	if (whole > 0 && s->len != whole)
		rc = assay_fail(err, ASSAY_E_CORRUPT, at, "a block of %zu bytes unpacks to %zu",
				whole, s->len);
	else if (off > s->len || len > s->len - off)
		rc = assay_fail(err, ASSAY_E_CORRUPT, at,
				"%zu bytes wanted at %zu of a block that unpacks to %zu", len, off,
				s->len);
	else
		memcpy(buf, s->data + off, len);
	pthread_mutex_lock(&b->lock);
	if (--s->pins == 0)
		pthread_cond_broadcast(&b->ready);
	pthread_mutex_unlock(&b->lock);
	return rc;
}

/* --- running ahead ---- */

static void *worker(void *arg)
{
	struct assay_blocks *b = arg;

	pthread_mutex_lock(&b->lock);
	while (!b->stop) {
		if (b->queue_n == 0) {
			pthread_cond_wait(&b->work, &b->lock);
			continue;
		}
		struct slot *s = &b->slots[b->queue[b->queue_at]];

		b->queue_at = (b->queue_at + 1) % MAX_SLOTS;
		b->queue_n--;
		if (s->state == QUEUED)
			(void)fill(b, s, NULL);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

/* Without threads, blocks are unpacked when they are read. */
static void start(struct assay_blocks *b)
{
	const unsigned n = assay_hash_threads();

	b->started = true;
	while (n > 1 && b->n_workers < n && b->n_workers < MAX_WORKERS &&
	       pthread_create(&b->workers[b->n_workers], NULL, worker, b) == 0)
		b->n_workers++;
}

size_t assay_blocks_run(const struct assay_blocks *b)
{
	return assay_hash_threads() > 1 ? b->n_slots / 2 : 0;
}

void assay_blocks_ahead(struct assay_blocks *b, const struct assay_block *keys, size_t n)
{
	pthread_mutex_lock(&b->lock);
	if (!b->started && n > 0)
		start(b);
	for (size_t i = 0; i < n && b->n_workers > 0; i++) {
		struct slot *s;

		if (find(b, &keys[i]))
			continue;
		/* A slot that was taken over while queued may stand in the ring twice. */
		if (b->n_ahead >= b->n_slots / 2 || b->queue_n == MAX_SLOTS)
			break;
		s = take(b, true);
		if (!s)
			break;
		s->key = keys[i];
		s->state = QUEUED;
		s->ahead = true;
		b->n_ahead++;
		b->queue[(b->queue_at + b->queue_n++) % MAX_SLOTS] = (size_t)(s - b->slots);
		pthread_cond_signal(&b->work);
	}
	pthread_mutex_unlock(&b->lock);
}
