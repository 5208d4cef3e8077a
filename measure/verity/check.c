/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches and folding. A batch is some blocks of data, a slot the digests of one batch. Every
 * thread does the same: if the next batch in order has its digests and nobody is folding, it folds
 * them into the tree; else, if a slot is free, it hashes the next batch; else it waits. So there
 * are a few slots and one block of each level in memory, whatever the size of the device.
 *
 * Folding makes each block of the tree out of its children's digests and reads the stored one. Two
 * digests go up from it, that of the block made and that of the block stored, which differ only
 * where something is wrong; so the root that the data has is known although the stored tree is
 * broken, and what the stored tree says about each of its blocks is known too.
 *
 * Two blocks of data are hashed at a time where that is faster (core/sha256x2.h), and a block of
 * zeros, of which sparse disks are full, is hashed once.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/num.h"
#include "core/sha256x2.h"
#include "measure/verity/verity_priv.h"

/* What a batch is read into stays in a core's second-level cache, with what else is there. */
#define BATCH ((size_t)64 << 10)
#define MAX_THREADS 16
#define MAX_SLOTS (2 * MAX_THREADS + 2)
/* With less data than this, starting threads costs more than it gains. */
#define SMALL ((uint64_t)1 << 20)

/* One block of a level that is being made. */
struct level {
	uint8_t *made;	/* its children's digests, each made out of the data */
	uint8_t *found; /* its children's digests, as they are stored; of data the same */
	uint64_t index;
	size_t n;
};

struct run {
	struct assay_src *data, *hash;
	const struct assay_verity_params *p;
	const uint8_t *root;
	struct verity_shape shape;
	bool two_streams;
	struct assay_sha256x2 salt;	    /* when two_streams */
	uint8_t of_zeros[ASSAY_MAX_DIGEST]; /* digest of a data block of zeros */
	size_t batch;			    /* blocks of data in one */
	uint64_t n_batches;
	uint8_t *slots[MAX_SLOTS]; /* digests */
	size_t n_slots;

	pthread_mutex_t lock; /* guards these: */
	pthread_cond_t changed;
	bool ready[MAX_SLOTS];
	uint64_t next;	 /* batch to hash */
	uint64_t folded; /* batches that are in the tree */
	bool folding;
	bool failed;
	struct assay_err err;

	/* Of the one who is folding: */
	struct level levels[VERITY_MAX_LEVELS + 1];
	uint8_t *stored; /* the block being compared */
	uint8_t *above;	 /* a block on the way up to the root */
	struct assay_verity_report *report;
};

/* --- judging ------------------------------------------------------------------------------------
 */

static void add_fault(struct run *run, enum assay_verity_fault_kind kind, unsigned level,
		      uint64_t block)
{
	struct assay_verity_report *r = run->report;
	const size_t size = level == 0 ? run->p->data_block_size : run->p->hash_block_size;
	struct assay_src *src = level == 0 ? run->data : run->hash;

	if (r->n_faults++ >= ASSAY_VERITY_MAX_FAULTS)
		return;
	r->faults[r->n_faults - 1] = (struct assay_verity_fault){
		.kind = kind,
		.level = level,
		.block = block,
		.offset = assay_src_origin(src, run->shape.level[level].offset + block * size),
		.size = size,
	};
}

static int read_tree(struct run *run, unsigned level, uint64_t index, uint8_t *buf,
		     struct assay_err *err)
{
	const size_t size = run->p->hash_block_size;

	if (assay_src_read(run->hash, run->shape.level[level].offset + index * size, buf, size,
			   err) < 0)
		return assay_wrap(err, "dm-verity hash tree, level %u, block %" PRIu64, level,
				  index);
	return 0;
}

/* Is this the digest of that block, by the stored blocks from there up to the root hash? */
static int fits(struct run *run, unsigned level, uint64_t index, const uint8_t *digest, bool *ret,
		struct assay_err *err)
{
	const struct verity_shape *s = &run->shape;
	uint8_t d[ASSAY_MAX_DIGEST];

	memcpy(d, digest, s->digest);
	for (; level < s->levels; level++) {
		const size_t place = (size_t)(index & ((UINT64_C(1) << s->bits) - 1));

		index >>= s->bits;
		if (read_tree(run, level + 1, index, run->above, err) < 0)
			return -1;
		if (!assay_bytes_equal(run->above + place * s->stride, d, s->digest)) {
			*ret = false;
			return 0;
		}
		if (assay_verity_digest(run->p, run->above, run->p->hash_block_size, d, err) < 0)
			return -1;
	}
	*ret = assay_bytes_equal(d, run->root, s->digest);
	return 0;
}

/* The stored block of this level is not what its children lead to. made, found: see push(). */
static int judge(struct run *run, unsigned l, const uint8_t *made, const uint8_t *found,
		 struct assay_err *err)
{
	const struct verity_shape *s = &run->shape;
	struct level *level = &run->levels[l];
	uint8_t *spare = run->stored;
	bool stored_fits, made_fits;
	uint64_t wrong = 0;

	if (fits(run, l, level->index, found, &stored_fits, err) < 0 ||
	    fits(run, l, level->index, made, &made_fits, err) < 0)
		return -1;
	for (size_t i = 0; i < level->n; i++) {
		if (assay_bytes_equal(level->found + i * s->stride, run->stored + i * s->stride,
				      s->digest))
			continue;
		wrong++;
		if (stored_fits)
			add_fault(run, ASSAY_VERITY_BLOCK, l - 1, (level->index << s->bits) + i);
	}
	if (!stored_fits) {
		/* Its own fault is found one level up. */
		if (!made_fits)
			run->report->n_unjudged += wrong;
		return 0;
	}
	for (size_t i = 0; i < level->n; i++)
		memset(spare + i * s->stride, 0, s->digest);
	for (size_t i = 0; i < run->p->hash_block_size; i++) {
		if (spare[i] != 0) {
			add_fault(run, ASSAY_VERITY_SPARE, l, level->index);
			break;
		}
	}
	return 0;
}

/* --- folding ------------------------------------------------------------------------------------
 */

static int finish_block(struct run *run, unsigned l, uint8_t *made, uint8_t *found,
			struct assay_err *err)
{
	const size_t size = run->p->hash_block_size;
	struct level *level = &run->levels[l];

	if (read_tree(run, l, level->index, run->stored, err) < 0 ||
	    assay_verity_digest(run->p, run->stored, size, found, err) < 0)
		return -1;
	if (memcmp(level->made, run->stored, size) == 0) {
		memcpy(made, found, run->shape.digest);
		if (memcmp(level->found, run->stored, size) == 0)
			return 0;
	} else if (assay_verity_digest(run->p, level->made, size, made, err) < 0) {
		return -1;
	}
	return judge(run, l, made, found, err);
}

/*
 * The digest of the next block below level l: made out of the data, and of the block that is stored
 * (of a data block both are the same). Past the topmost level they are root hashes.
 */
static int push(struct run *run, unsigned l, const uint8_t *made, const uint8_t *found,
		struct assay_err *err)
{
	const struct verity_shape *s = &run->shape;
	uint8_t up_made[ASSAY_MAX_DIGEST], up_found[ASSAY_MAX_DIGEST];

	for (; l <= s->levels; l++) {
		struct level *level = &run->levels[l];

		memcpy(level->made + level->n * s->stride, made, s->digest);
		memcpy(level->found + level->n * s->stride, found, s->digest);
		level->n++;
		if (level->n < (size_t)1 << s->bits &&
		    (level->index << s->bits) + level->n < s->level[l - 1].blocks)
			return 0;
		if (finish_block(run, l, up_made, up_found, err) < 0)
			return -1;
		memset(level->made, 0, run->p->hash_block_size);
		memset(level->found, 0, run->p->hash_block_size);
		level->index++;
		level->n = 0;
		made = up_made;
		found = up_found;
	}
	memcpy(run->report->data_root, made, s->digest);
	memcpy(run->report->tree_root, found, s->digest);
	return 0;
}

static uint64_t batch_blocks(const struct run *run, uint64_t nr)
{
	const uint64_t left = run->p->data_blocks - nr * run->batch;

	return left < run->batch ? left : run->batch;
}

static int fold(struct run *run, uint64_t nr, const uint8_t *digests, struct assay_err *err)
{
	const uint64_t n = batch_blocks(run, nr);

	for (uint64_t i = 0; i < n; i++) {
		const uint8_t *d = digests + i * run->shape.digest;

		if (push(run, 1, d, d, err) < 0)
			return -1;
	}
	return 0;
}

static void judge_roots(struct run *run)
{
	struct assay_verity_report *r = run->report;
	const size_t n = run->shape.digest;
	const bool tree = assay_bytes_equal(r->tree_root, run->root, n);
	const bool data = assay_bytes_equal(r->data_root, run->root, n);

	if (!tree && (data || run->shape.levels == 0))
		add_fault(run, ASSAY_VERITY_BLOCK, run->shape.levels, 0);
	else if (!tree)
		add_fault(run, ASSAY_VERITY_ROOT, run->shape.levels, 0);
	r->verified = tree && data && r->n_faults == 0 && r->n_unjudged == 0;
}

/* --- hashing ------------------------------------------------------------------------------------
 */

static bool is_zeros(const uint8_t *p, size_t n)
{
	return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

static int hash_blocks(struct run *run, const uint8_t *buf, size_t n, uint8_t *digests,
		       struct assay_err *err)
{
	const size_t size = run->p->data_block_size, digest = run->shape.digest;
	const uint8_t *first = NULL; /* a block that waits for a second one */
	uint8_t *first_ret = NULL;

	for (; n > 0; n--, buf += size, digests += digest) {
		if (is_zeros(buf, size)) {
			memcpy(digests, run->of_zeros, digest);
		} else if (run->two_streams && !first) {
			first = buf;
			first_ret = digests;
		} else if (run->two_streams) {
			assay_sha256x2(&run->salt, first, buf, size, first_ret, digests);
			first = NULL;
		} else if (assay_verity_digest(run->p, buf, size, digests, err) < 0) {
			return -1;
		}
	}
	return first ? assay_verity_digest(run->p, first, size, first_ret, err) : 0;
}

static int hash_batch(struct run *run, uint64_t nr, uint8_t *buf, uint8_t *digests,
		      struct assay_err *err)
{
	const size_t size = run->p->data_block_size;
	const size_t n = (size_t)batch_blocks(run, nr);

	if (assay_src_read(run->data, nr * run->batch * size, buf, n * size, err) < 0)
		return assay_wrap(err, "dm-verity data");
	return hash_blocks(run, buf, n, digests, err);
}

/* Only the caller's own thread tells of progress. */
static void work(struct run *run, bool tell)
{
	const uint64_t bytes = run->batch * run->p->data_block_size;
	struct assay_err err = { 0 };
	uint8_t *buf = malloc(run->batch * run->p->data_block_size);
	int rc = buf ? 0 : assay_fail_mem(&err);

	pthread_mutex_lock(&run->lock);
	while (rc == 0 && !run->failed && run->folded < run->n_batches) {
		const size_t first = (size_t)(run->folded % run->n_slots);

		if (!run->folding && run->ready[first]) {
			run->folding = true;
			pthread_mutex_unlock(&run->lock);
			rc = fold(run, run->folded, run->slots[first], &err);
			pthread_mutex_lock(&run->lock);
			run->folding = false;
			run->ready[first] = false;
			run->folded++;
			pthread_cond_broadcast(&run->changed);
		} else if (run->next < run->n_batches && run->next - run->folded < run->n_slots) {
			const uint64_t nr = run->next++;
			const size_t slot = (size_t)(nr % run->n_slots);

			pthread_mutex_unlock(&run->lock);
			if (tell)
				assay_progress(nr * bytes,
					       run->p->data_blocks * run->p->data_block_size);
			rc = hash_batch(run, nr, buf, run->slots[slot], &err);
			pthread_mutex_lock(&run->lock);
			run->ready[slot] = true;
			pthread_cond_broadcast(&run->changed);
		} else {
			pthread_cond_wait(&run->changed, &run->lock);
		}
	}
	if (rc < 0 && !run->failed) {
		run->failed = true;
		run->err = err;
	}
	pthread_cond_broadcast(&run->changed);
	pthread_mutex_unlock(&run->lock);
	free(buf);
}

static void *worker(void *arg)
{
	work(arg, false);
	return NULL;
}

static int hash_zeros(struct run *run, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *zeros = calloc(1, run->p->data_block_size);

	if (!zeros)
		return assay_fail_mem(err);
	return assay_verity_digest(run->p, zeros, run->p->data_block_size, run->of_zeros, err);
}

static int prepare(struct run *run, unsigned threads, struct assay_err *err)
{
	const struct assay_verity_params *p = run->p;
	const size_t size = p->hash_block_size;

	if (hash_zeros(run, err) < 0)
		return -1;
	run->two_streams = p->bank == ASSAY_SHA256 && p->hash_type == 1 &&
			   assay_sha256x2_init(&run->salt, p->salt, p->salt_size);

	run->batch = BATCH / p->data_block_size;
	if (run->batch == 0)
		run->batch = 1;
	run->n_batches = p->data_blocks / run->batch + (p->data_blocks % run->batch != 0);
	run->n_slots = threads > 1 ? 2 * (size_t)threads + 2 : 1;
	for (size_t i = 0; i < run->n_slots; i++) {
		run->slots[i] = malloc(run->batch * run->shape.digest);
		if (!run->slots[i])
			return assay_fail_mem(err);
	}
	for (unsigned l = 1; l <= run->shape.levels; l++) {
		run->levels[l].made = calloc(1, size);
		run->levels[l].found = calloc(1, size);
		if (!run->levels[l].made || !run->levels[l].found)
			return assay_fail_mem(err);
	}
	run->stored = malloc(size);
	run->above = malloc(size);
	return run->stored && run->above ? 0 : assay_fail_mem(err);
}

static void clear(struct run *run)
{
	for (size_t i = 0; i < run->n_slots; i++)
		free(run->slots[i]);
	for (unsigned l = 1; l <= run->shape.levels; l++) {
		free(run->levels[l].made);
		free(run->levels[l].found);
	}
	free(run->stored);
	free(run->above);
	pthread_cond_destroy(&run->changed);
	pthread_mutex_destroy(&run->lock);
}

int assay_verity_check(struct assay_src *data, struct assay_src *hash,
		       const struct assay_verity_params *params, const uint8_t *root_hash,
		       struct assay_verity_report *ret, struct assay_err *err)
{
	struct assay_verity_report report = { 0 };
	struct run run = {
		.data = data, .hash = hash, .p = params, .root = root_hash, .report = &report
	};
	pthread_t threads[MAX_THREADS];
	unsigned n_threads = assay_hash_threads();
	unsigned started = 0;
	uint64_t size;

	if (assay_verity_params_check(hash, params, err) < 0 ||
	    assay_verity_shape(params, &run.shape, err) < 0)
		return -1;
	if (assay_mul_overflows(params->data_blocks, params->data_block_size, &size) ||
	    size > assay_src_size(data))
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(data, 0),
				  "dm-verity over %" PRIu64 " blocks of %" PRIu32
				  " bytes; the data device has %" PRIu64 " bytes",
				  params->data_blocks, params->data_block_size,
				  assay_src_size(data));
	report.levels = run.shape.levels;
	report.tree_blocks = run.shape.tree_blocks;
	if (size < SMALL)
		n_threads = 1;
	if (n_threads > MAX_THREADS)
		n_threads = MAX_THREADS;

	pthread_mutex_init(&run.lock, NULL);
	pthread_cond_init(&run.changed, NULL);
	int rc = prepare(&run, n_threads, err);
	if (rc == 0) {
		/* One that cannot be started is done without. */
		while (started + 1 < n_threads &&
		       pthread_create(&threads[started], NULL, worker, &run) == 0)
			started++;
		work(&run, true);
		for (unsigned i = 0; i < started; i++)
			pthread_join(threads[i], NULL);
		if (run.failed) {
			if (err)
				*err = run.err;
			rc = -1;
		}
	}
	assay_progress(size, size);
	if (rc == 0) {
		judge_roots(&run);
		*ret = report;
	}
	clear(&run);
	return rc;
}
