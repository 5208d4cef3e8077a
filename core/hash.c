/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lanes and slots. A lane is one (job, bank) pair with its digest context; a slot is one buffer of
 * a ring with the block that was last read into it. Every thread does the same: it takes the lane
 * that is furthest behind among those with something to hash; if there is none, or the ring is
 * about to run dry, and a slot is free and nobody is reading, it reads the next block; else it
 * waits. So reading overlaps hashing, lanes of unequal cost share the cores, and no lane runs ahead
 * of the slowest by more than the ring.
 */
#include "core/hash.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/digest_priv.h"
#include "core/hash_priv.h"
#include "core/log.h"
#include "core/num.h"

/* Blocks of this size stay in a core's second-level cache between reading and hashing. */
#define BLOCK ((size_t)256 << 10)
#define MAX_SLOTS 16
#define MAX_THREADS (MAX_SLOTS - 4)
/* Ranges nearer to each other than this are read in one go, with what lies between them. */
#define NEAR (16U << 10)
/* With less than this to hash, starting threads costs more than it gains. */
#define SMALL ((uint64_t)512 << 10)

/* What a lane wants next: an offset in the source, or one of these. */
#define WANT_ZEROS (UINT64_MAX - 1)
#define WANT_NOTHING UINT64_MAX

struct lane {
	const struct assay_hash_job *job;
	enum assay_bank bank;
	EVP_MD_CTX *ctx;
	struct assay_hash_pair *pair; /* instead of ctx, of a job with parts */
	uint64_t want;
	size_t range; /* the range that `want` lies in */
	uint64_t zeros_left;
	bool busy;
	uint8_t ret[ASSAY_MAX_DIGEST];
	uint8_t ret_tail[ASSAY_MAX_DIGEST];
};

struct slot {
	uint8_t *buf;
	uint64_t start, end; /* equal while the slot holds nothing */
};

struct run {
	struct assay_src *src;
	struct lane *lanes;
	size_t n_lanes;
	struct assay_extent *spans; /* what is read: the union of all ranges */
	size_t n_spans;
	uint64_t total; /* bytes of all spans */
	uint64_t work;	/* bytes of all lanes */
	uint8_t *bufs;
	struct slot slots[MAX_SLOTS];
	size_t n_slots;

	pthread_mutex_t lock; /* guards all below, lanes' want and busy, slots' start and end */
	pthread_cond_t changed;
	size_t span; /* next block to read: */
	uint64_t pos;
	bool reading;
	uint64_t done; /* bytes read */
	bool failed;
	struct assay_err err;
};

static const uint8_t zeros[65536];

static atomic_uint threads_wanted;

void assay_hash_set_threads(unsigned n)
{
	atomic_store(&threads_wanted, n);
}

unsigned assay_hash_threads(void)
{
	unsigned n = atomic_load(&threads_wanted);

	if (n == 0) {
		cpu_set_t cpus;

		CPU_ZERO(&cpus);
		/* Fails on machines with more cores than a cpu_set_t holds: those have enough. */
		n = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? (unsigned)CPU_COUNT(&cpus)
								   : MAX_THREADS;
	}
	return n > MAX_THREADS ? MAX_THREADS : n ? n : 1;
}

/* --- preparing ---------------------------------------------------------------------------------
 */

static int check_job(const struct assay_hash_job *job, size_t nr, uint64_t size,
		     struct assay_err *err)
{
	uint64_t end = 0;

	if (job->banks == 0 || job->banks & ~ASSAY_ALL_BANKS)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
				  "hashing, job %zu: no such banks: 0x%x", nr, job->banks);
	for (size_t i = 0; i < job->n_ranges; i++) {
		const struct assay_extent *r = &job->ranges[i];

		if (!assay_range_inside(r->off, r->len, size))
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
					  "hashing, job %zu: %" PRIu64 " bytes at %" PRIu64
					  " leave what holds them, which has %" PRIu64 " bytes",
					  nr, r->len, r->off, size);
		if (r->off < end)
			return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
					  "hashing, job %zu: range %zu begins at %" PRIu64
					  ", before the end of the one ahead of it, %" PRIu64,
					  nr, i, r->off, end);
		end = r->off + r->len;
	}
	if (job->n_parts > 0 &&
	    (job->banks != ASSAY_BANK_BIT(ASSAY_SHA256) || job->n_ranges != 1 || job->ranges[0].off != 0 ||
	     job->zeros > 0 || job->with_tail || !assay_hash_parts_possible(job->parts, job->n_parts, end)))
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "hashing, job %zu: such parts cannot be hashed", nr);
	return 0;
}

static int compare_extents(const void *a, const void *b)
{
	const struct assay_extent *x = a, *y = b;

	return (x->off > y->off) - (x->off < y->off);
}

/* The union of all ranges, ascending, with near ones joined. */
static int make_spans(struct run *run, const struct assay_hash_job *jobs, size_t n,
		      struct assay_err *err)
{
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < n; i++)
		count += jobs[i].n_ranges;
	run->spans = malloc((count ? count : 1) * sizeof(*run->spans));
	if (!run->spans)
		return assay_fail_mem(err);
	count = 0;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < jobs[i].n_ranges; j++) {
			if (jobs[i].ranges[j].len > 0)
				run->spans[count++] = jobs[i].ranges[j];
		}
	}
	if (count == 0)
		return 0;
	qsort(run->spans, count, sizeof(*run->spans), compare_extents);
	for (size_t i = 1; i < count; i++) {
		struct assay_extent *last = &run->spans[kept];
		const struct assay_extent *next = &run->spans[i];
		const uint64_t last_end = last->off + last->len;
		const uint64_t next_end = next->off + next->len;

		if (next->off > last_end && next->off - last_end > NEAR)
			run->spans[++kept] = *next;
		else if (next_end > last_end)
			last->len = next_end - last->off;
	}
	run->n_spans = kept + 1;
	for (size_t i = 0; i < run->n_spans; i++)
		run->total += run->spans[i].len;
	run->pos = run->spans[0].off;
	return 0;
}

/* Past ranges that have nothing to give. */
static void settle(struct lane *lane)
{
	const struct assay_hash_job *job = lane->job;

	while (lane->range < job->n_ranges && job->ranges[lane->range].len == 0)
		lane->range++;
	if (lane->range < job->n_ranges)
		lane->want = job->ranges[lane->range].off;
	else
		lane->want = WANT_ZEROS; /* which also finishes it, with zero zeros too */
}

static int make_lanes(struct run *run, const struct assay_hash_job *jobs, size_t n,
		      struct assay_err *err)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += (size_t)__builtin_popcount(jobs[i].banks);
	run->lanes = calloc(count ? count : 1, sizeof(*run->lanes));
	if (!run->lanes)
		return assay_fail_mem(err);
	for (size_t i = 0; i < n; i++) {
		uint64_t bytes = jobs[i].zeros;

		for (size_t j = 0; j < jobs[i].n_ranges; j++)
			bytes += jobs[i].ranges[j].len;
		for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
			struct lane *lane = &run->lanes[run->n_lanes];
			const EVP_MD *md;

			if (!(jobs[i].banks & ASSAY_BANK_BIT(b)))
				continue;
			run->n_lanes++;
			lane->job = &jobs[i];
			lane->bank = (enum assay_bank)b;
			lane->zeros_left = jobs[i].zeros;
			settle(lane);
			run->work += bytes;
			if (jobs[i].n_parts > 0) {
				lane->pair = malloc(sizeof(*lane->pair));
				if (!lane->pair)
					return assay_fail_mem(err);
				(void)assay_hash_pair_init(lane->pair, &jobs[i]); /* check_job() has asked */
				continue;
			}
			md = assay_bank_md(lane->bank, err);
			if (!md)
				return -1;
			lane->ctx = EVP_MD_CTX_new();
			if (!lane->ctx)
				return assay_fail_mem(err);
			if (EVP_DigestInit_ex2(lane->ctx, md, NULL) != 1)
				return assay_fail_crypto(err, assay_bank_name(lane->bank));
		}
	}
	return 0;
}

static int make_slots(struct run *run, unsigned threads, struct assay_err *err)
{
	size_t size = 0;

	if (run->n_spans == 0)
		return 0;
	run->n_slots = threads > 1 ? threads + 4 : 1;
	for (size_t i = 0; i < run->n_spans && size < BLOCK; i++) {
		if (run->spans[i].len > size)
			size = run->spans[i].len < BLOCK ? (size_t)run->spans[i].len : BLOCK;
	}
	run->bufs = malloc(run->n_slots * size);
	if (!run->bufs)
		return assay_fail_mem(err);
	for (size_t i = 0; i < run->n_slots; i++)
		run->slots[i].buf = run->bufs + i * size;
	return 0;
}

/* --- hashing, without the lock -----------------------------------------------------------------
 */

static int update(struct lane *lane, EVP_MD_CTX *ctx, const void *p, size_t len,
		  struct assay_err *err)
{
	if (len != 0 && EVP_DigestUpdate(ctx, p, len) != 1)
		return assay_fail_crypto(err, assay_bank_name(lane->bank));
	return 0;
}

/* All that the lane wants of one block. *want is where it goes on. */
static int hash_block(struct lane *lane, const struct slot *slot, uint64_t *want,
		      struct assay_err *err)
{
	const struct assay_hash_job *job = lane->job;
	struct lane next = { .job = job, .range = lane->range, .want = lane->want };

	while (next.want < slot->end) {
		const struct assay_extent *r = &job->ranges[next.range];
		const uint64_t range_end = r->off + r->len;
		const uint64_t stop = range_end < slot->end ? range_end : slot->end;

		if (lane->pair)
			assay_hash_pair_update(lane->pair, next.want, slot->buf + (next.want - slot->start),
					       (size_t)(stop - next.want));
		else if (update(lane, lane->ctx, slot->buf + (next.want - slot->start),
				(size_t)(stop - next.want), err) < 0)
			return -1;
		next.want = stop;
		if (stop == range_end) {
			next.range++;
			settle(&next);
		}
	}
	lane->range = next.range;
	*want = next.want;
	return 0;
}

static int finish(struct lane *lane, struct assay_err *err)
{
	const char *name = assay_bank_name(lane->bank);
	const struct assay_hash_job *job = lane->job;
	EVP_MD_CTX *on = NULL;
	int r = -1;

	if (lane->pair) {
		assay_hash_pair_finish(lane->pair, lane->ret);
		return 0;
	}
	if (job->with_tail) {
		on = EVP_MD_CTX_new();
		if (!on)
			return assay_fail_mem(err);
		if (EVP_MD_CTX_copy_ex(on, lane->ctx) != 1) {
			assay_fail_crypto(err, name);
			goto out;
		}
		if (update(lane, on, job->tail, job->tail_len, err) < 0)
			goto out;
		if (EVP_DigestFinal_ex(on, lane->ret_tail, NULL) != 1) {
			assay_fail_crypto(err, name);
			goto out;
		}
	}
	if (EVP_DigestFinal_ex(lane->ctx, lane->ret, NULL) != 1)
		assay_fail_crypto(err, name);
	else
		r = 0;
out:
	EVP_MD_CTX_free(on);
	return r;
}

/* Up to one block of zeros; the last one ends the lane. */
static int hash_zeros(struct lane *lane, uint64_t *want, struct assay_err *err)
{
	for (size_t room = BLOCK; room > 0 && lane->zeros_left > 0;) {
		const size_t n =
			lane->zeros_left < sizeof(zeros) ? (size_t)lane->zeros_left : sizeof(zeros);

		if (update(lane, lane->ctx, zeros, n, err) < 0)
			return -1;
		lane->zeros_left -= n;
		room -= n < room ? n : room;
	}
	*want = WANT_ZEROS;
	if (lane->zeros_left > 0)
		return 0;
	*want = WANT_NOTHING;
	return finish(lane, err);
}

/* --- the common loop, with the lock ------------------------------------------------------------
 */

static void fail_run(struct run *run, const struct assay_err *err)
{
	if (!run->failed) {
		run->failed = true;
		run->err = *err;
	}
}

/* The first byte that some lane still needs. */
static uint64_t lowest_want(const struct run *run)
{
	uint64_t low = WANT_NOTHING;

	for (size_t i = 0; i < run->n_lanes; i++) {
		if (run->lanes[i].want < low)
			low = run->lanes[i].want;
	}
	return low;
}

static struct slot *free_slot(struct run *run)
{
	const uint64_t low = lowest_want(run);

	for (size_t i = 0; i < run->n_slots; i++) {
		if (run->slots[i].end <= low)
			return &run->slots[i];
	}
	return NULL;
}

static size_t free_slots(const struct run *run)
{
	const uint64_t low = lowest_want(run);
	size_t n = 0;

	for (size_t i = 0; i < run->n_slots; i++)
		n += run->slots[i].end <= low;
	return n;
}

static struct slot *slot_with(struct run *run, uint64_t off)
{
	for (size_t i = 0; i < run->n_slots; i++) {
		if (run->slots[i].start <= off && off < run->slots[i].end)
			return &run->slots[i];
	}
	return NULL;
}

/* The lane furthest behind that can go on now; *ret is its block (NULL: zeros). */
static struct lane *ready_lane(struct run *run, struct slot **ret)
{
	struct lane *best = NULL;
	struct slot *slot = NULL;

	for (size_t i = 0; i < run->n_lanes; i++) {
		struct lane *lane = &run->lanes[i];

		if (lane->busy || lane->want == WANT_NOTHING || (best && lane->want >= best->want))
			continue;
		if (lane->want != WANT_ZEROS) {
			struct slot *with = slot_with(run, lane->want);

			if (!with)
				continue;
			slot = with;
		}
		best = lane;
	}
	*ret = best && best->want != WANT_ZEROS ? slot : NULL;
	return best;
}

/* Is there less than a block to go on with, for the lane that is furthest ahead? */
static bool runs_dry(const struct run *run)
{
	uint64_t ahead = 0;
	size_t blocks = 0;

	for (size_t i = 0; i < run->n_lanes; i++) {
		const uint64_t want = run->lanes[i].want;

		if (want < WANT_ZEROS && want > ahead)
			ahead = want;
	}
	for (size_t i = 0; i < run->n_slots; i++)
		blocks += run->slots[i].end > ahead;
	return blocks < 2;
}

static void read_block(struct run *run, struct slot *slot)
{
	const struct assay_extent *span = &run->spans[run->span];
	const uint64_t left = span->off + span->len - run->pos;
	const size_t n = left < BLOCK ? (size_t)left : BLOCK;
	struct assay_err err;
	int r;

	/* Nobody else reads, and no lane wants anything that the slot held. */
	run->reading = true;
	slot->start = slot->end = 0;
	pthread_mutex_unlock(&run->lock);
	r = assay_src_read(run->src, run->pos, slot->buf, n, &err);
	pthread_mutex_lock(&run->lock);
	run->reading = false;
	if (r < 0) {
		fail_run(run, &err);
	} else {
		slot->start = run->pos;
		slot->end = run->pos + n;
		run->pos += n;
		run->done += n;
		if (n == left && ++run->span < run->n_spans)
			run->pos = run->spans[run->span].off;
	}
	pthread_cond_broadcast(&run->changed);
}

static void hash_lane(struct run *run, struct lane *lane, const struct slot *slot)
{
	uint64_t want = lane->want;
	struct assay_err err;
	int r;

	lane->busy = true;
	pthread_mutex_unlock(&run->lock);
	r = slot ? hash_block(lane, slot, &want, &err) : hash_zeros(lane, &want, &err);
	pthread_mutex_lock(&run->lock);
	lane->busy = false;
	lane->want = want;
	if (r < 0)
		fail_run(run, &err);
	/*
	 * The lane that is free again is taken at once, by this thread; sleepers are of use when
	 * there is much to read, or an end.
	 */
	if (r < 0 || want == WANT_NOTHING || 2 * free_slots(run) >= run->n_slots)
		pthread_cond_broadcast(&run->changed);
}

/* Only the caller's own thread tells of progress. */
static void work(struct run *run, bool tell)
{
	uint64_t told = 0;

	pthread_mutex_lock(&run->lock);
	while (!run->failed && lowest_want(run) != WANT_NOTHING) {
		struct slot *room = NULL, *slot = NULL;
		struct lane *lane;

		if (tell && run->done != told) {
			told = run->done;
			pthread_mutex_unlock(&run->lock);
			assay_progress(told, run->total);
			pthread_mutex_lock(&run->lock);
		}
		if (!run->reading && run->span < run->n_spans)
			room = free_slot(run);
		lane = ready_lane(run, &slot);
		/*
		 * Who hashes goes on hashing, with the next block in hand, and leaves the reading
		 * to those who have nothing to hash: handing a lane over means waking a sleeper.
		 */
		if (room && (!lane || runs_dry(run))) {
			if (lane) /* for somebody else, then */
				pthread_cond_broadcast(&run->changed);
			read_block(run, room);
		} else if (lane)
			hash_lane(run, lane, slot);
		else if (!run->failed && lowest_want(run) != WANT_NOTHING)
			pthread_cond_wait(&run->changed, &run->lock);
	}
	pthread_mutex_unlock(&run->lock);
}

static void *worker(void *arg)
{
	work(arg, false);
	return NULL;
}

static int run_all(struct run *run, unsigned threads, struct assay_err *err)
{
	pthread_t others[MAX_THREADS];
	unsigned n = 0;

	/* A thread that cannot be had is one less; the caller's alone suffices. */
	while (n + 1 < threads && pthread_create(&others[n], NULL, worker, run) == 0)
		n++;
	work(run, true);
	while (n > 0)
		pthread_join(others[--n], NULL);
	if (run->failed) {
		if (err)
			*err = run->err;
		return -1;
	}
	assay_progress(run->total, run->total);
	return 0;
}

static int prepare_and_run(struct run *run, const struct assay_hash_job *jobs, size_t n,
			   struct assay_err *err)
{
	unsigned threads = 1;

	for (size_t i = 0; i < n; i++) {
		if (check_job(&jobs[i], i, assay_src_size(run->src), err) < 0)
			return -1;
	}
	if (make_spans(run, jobs, n, err) < 0 || make_lanes(run, jobs, n, err) < 0)
		return -1;
	if (run->work >= SMALL) {
		threads = assay_hash_threads();
		/* One more than lanes: it reads while they hash. */
		if (threads > run->n_lanes + 1)
			threads = (unsigned)run->n_lanes + 1;
	}
	if (make_slots(run, threads, err) < 0)
		return -1;
	return run_all(run, threads, err);
}

int assay_hash_run(struct assay_src *src, struct assay_hash_job *jobs, size_t n,
		   struct assay_err *err)
{
	struct run run = {
		.src = src,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};
	const int r = prepare_and_run(&run, jobs, n, err);

	if (r == 0) {
		for (size_t i = 0; i < n; i++) {
			jobs[i].ret = (struct assay_digests){ .banks = jobs[i].banks };
			jobs[i].ret_tail = (struct assay_digests){ 0 };
			if (jobs[i].with_tail)
				jobs[i].ret_tail.banks = jobs[i].banks;
		}
		for (size_t i = 0; i < run.n_lanes; i++) {
			const struct lane *lane = &run.lanes[i];
			struct assay_hash_job *job = &jobs[lane->job - jobs];

			memcpy(job->ret.d[lane->bank], lane->ret, sizeof(lane->ret));
			memcpy(job->ret_tail.d[lane->bank], lane->ret_tail, sizeof(lane->ret_tail));
		}
	}
	for (size_t i = 0; i < run.n_lanes; i++) {
		EVP_MD_CTX_free(run.lanes[i].ctx);
		free(run.lanes[i].pair);
	}
	free(run.lanes);
	free(run.spans);
	free(run.bufs);
	pthread_mutex_destroy(&run.lock);
	pthread_cond_destroy(&run.changed);
	return r;
}

int assay_hash_src(struct assay_src *src, unsigned banks, struct assay_digests *ret,
		   struct assay_err *err)
{
	const struct assay_extent all = { 0, assay_src_size(src) };
	struct assay_hash_job job = { .banks = banks, .ranges = &all, .n_ranges = 1 };

	if (assay_hash_run(src, &job, 1, err) < 0)
		return -1;
	*ret = job.ret;
	return 0;
}
