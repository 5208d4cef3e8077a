/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk is read in windows of equal size, through several connections: each has its part of the disk, its lock, and a
 * few windows, some of them on their way. Who reads on gets the next ones fetched ahead, so that the helper works while
 * we hash. What the server calls zeros is not fetched at all.
 */
#include "measure/disk/nbd.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure/disk/helper.h"
#include "measure/disk/nbd_lib.h"

#define CONNECTIONS 4
#define WINDOW ((size_t)256 << 10)
#define WINDOWS 8
#define AHEAD 4
/* Consecutive bytes that belong to one connection. */
#define REGION ((uint64_t)64 << 20)
/* What one question about zeros asks for, and how many answers are kept. */
#define ASK ((uint64_t)1 << 30)
#define MAX_RUNS 1024

enum state { EMPTY, COMING, HERE };

struct window {
	enum state state;
	uint64_t start;
	size_t len;
	bool zeros; /* no buffer was filled */
	int64_t cookie;
	uint64_t used; /* the larger, the later */
	uint8_t *buf;
};

/* Bytes up to `end` that are alike. */
struct run {
	uint64_t end;
	bool zeros;
};

struct conn {
	pthread_mutex_t lock;
	struct nbd_handle *h;
	struct window w[WINDOWS];
	uint64_t clock;
	uint64_t expected; /* where reading goes on, if it goes on */
	bool told;	   /* the server tells of zeros */
	uint64_t asked;	   /* the runs are those from here */
	struct run runs[MAX_RUNS];
	size_t n_runs;
};

struct nbd_disk {
	const struct assay_nbd_lib *lib;
	struct assay_helper *helper;
	uint64_t size;
	uint8_t *bufs;
	struct conn conn[CONNECTIONS];
};

static void disk_free(void *data)
{
	struct nbd_disk *d = data;

	for (size_t i = 0; i < CONNECTIONS; i++) {
		if (d->conn[i].h)
			d->lib->close(d->conn[i].h);
		pthread_mutex_destroy(&d->conn[i].lock);
	}
	assay_helper_free(&d->helper);
	free(d->bufs);
	free(d);
}

static int fail_nbd(struct nbd_disk *d, uint64_t at, const char *what, struct assay_err *err)
{
	const char *why = d->lib->get_error();

	assay_fail(err, ASSAY_E_IO, at, "%s: %s", what, why ? why : "no reason given");
	return assay_helper_explain(d->helper, err);
}

/* --- zeros --------------------------------------------------------------------------------------
 */

static int note_runs(void *data, const char *context, uint64_t off, uint32_t *entries, size_t n,
		     int *error)
{
	struct conn *c = data;

	(void)error;
	if (strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0)
		return 0;
	c->n_runs = 0;
	for (size_t i = 0; i + 1 < n && c->n_runs < MAX_RUNS; i += 2) {
		const bool zeros = entries[i + 1] & LIBNBD_STATE_ZERO;

		off += entries[i];
		if (c->n_runs > 0 && c->runs[c->n_runs - 1].zeros == zeros)
			c->runs[c->n_runs - 1].end = off;
		else
			c->runs[c->n_runs++] = (struct run){ off, zeros };
	}
	return 0;
}

/* Is all of this zeros, by the server's word? It is asked when what it said has been used up. */
static bool is_zeros(struct nbd_disk *d, struct conn *c, uint64_t off, size_t len)
{
	if (!c->told)
		return false;
	if (off < c->asked || c->n_runs == 0 || off >= c->runs[c->n_runs - 1].end) {
		const uint64_t left = d->size - off;
		const nbd_extent_callback note = { .callback = note_runs, .user_data = c };

		c->n_runs = 0;
		c->asked = off;
		/* It need not tell: then everything is read. */
		if (d->lib->block_status(c->h, left < ASK ? left : ASK, off, note, 0) < 0)
			c->told = false;
	}
	for (size_t i = 0; i < c->n_runs; i++) {
		if (off < c->runs[i].end)
			return c->runs[i].zeros && len <= c->runs[i].end - off;
	}
	return false;
}

/* --- windows ------------------------------------------------------------------------------------
 */

static struct window *find(struct conn *c, uint64_t start)
{
	for (size_t i = 0; i < WINDOWS; i++)
		if (c->w[i].state != EMPTY && c->w[i].start == start)
			return &c->w[i];
	return NULL;
}

/* The one that was not used for longest, but `keep`; one that is on its way only when all others are. */
static struct window *oldest(struct conn *c, const struct window *keep)
{
	struct window *best = NULL;

	for (size_t i = 0; i < WINDOWS; i++) {
		struct window *w = &c->w[i];
		const bool coming = w->state == COMING;

		if (w == keep)
			continue;
		if (!best ||
		    (coming == (best->state == COMING) ? w->used < best->used : !coming))
			best = w;
	}
	return best;
}

static int wait_for(struct nbd_disk *d, struct conn *c, struct window *w, struct assay_err *err)
{
	while (w->state == COMING) {
		const int done = d->lib->aio_command_completed(c->h, (uint64_t)w->cookie);

		if (done > 0) {
			w->state = HERE;
		} else if (done < 0 || d->lib->poll(c->h, -1) < 0) {
			w->state = EMPTY;
			return fail_nbd(d, w->start, "cannot read the disk", err);
		}
	}
	return 0;
}

/* Into any window but `keep`, which somebody is about to read. */
static int fetch(struct nbd_disk *d, struct conn *c, uint64_t start, const struct window *keep,
		 struct window **ret, struct assay_err *err)
{
	struct window *w = oldest(c, keep);

	/* Fetched in vain: whether that failed is of no interest. */
	(void)wait_for(d, c, w, NULL);
	w->state = EMPTY;
	w->start = start;
	w->len = d->size - start < WINDOW ? (size_t)(d->size - start) : WINDOW;
	w->used = ++c->clock;
	w->zeros = is_zeros(d, c, start, w->len);
	if (w->zeros) {
		w->state = HERE;
	} else {
		w->cookie = d->lib->aio_pread(c->h, w->buf, w->len, start, NBD_NULL_COMPLETION, 0);
		if (w->cookie < 0)
			return fail_nbd(d, start, "cannot read the disk", err);
		w->state = COMING;
	}
	if (ret)
		*ret = w;
	return 0;
}

static int get(struct nbd_disk *d, struct conn *c, uint64_t start, struct window **ret,
	       struct assay_err *err)
{
	const uint64_t part_end = start - start % REGION + REGION;
	const bool goes_on = start == c->expected;
	struct window *w = find(c, start);

	if (!w && fetch(d, c, start, NULL, &w, err) < 0)
		return -1;
	w->used = ++c->clock;
	for (uint64_t next = start + WINDOW;
	     goes_on && next <= start + AHEAD * WINDOW && next < part_end && next < d->size;
	     next += WINDOW) {
		if (!find(c, next) && fetch(d, c, next, w, NULL, err) < 0)
			return -1;
	}
	c->expected = start + WINDOW;
	*ret = w;
	return wait_for(d, c, w, err);
}

static int disk_read(void *data, uint64_t off, uint8_t *buf, size_t len, struct assay_err *err)
{
	struct nbd_disk *d = data;

	while (len > 0) {
		struct conn *c = &d->conn[off / REGION % CONNECTIONS];
		const size_t skip = off % WINDOW;
		const size_t n = WINDOW - skip < len ? WINDOW - skip : len;
		struct window *w;
		int rc;

		pthread_mutex_lock(&c->lock);
		rc = get(d, c, off - skip, &w, err);
		if (rc == 0 && w->zeros)
			memset(buf, 0, n);
		else if (rc == 0)
			memcpy(buf, w->buf + skip, n);
		pthread_mutex_unlock(&c->lock);
		if (rc < 0)
			return -1;
		off += n;
		buf += n;
		len -= n;
	}
	return 0;
}

/* --- opening ------------------------------------------------------------------------------------
 */

static int connect_all(struct nbd_disk *d, int *socks, struct assay_err *err)
{
	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct conn *c = &d->conn[i];

		c->h = d->lib->create();
		if (!c->h)
			return assay_fail_mem(err);
		/* Without it, everything is read. */
		(void)d->lib->add_meta_context(c->h, LIBNBD_CONTEXT_BASE_ALLOCATION);
		const int sock = socks[i];

		socks[i] = -1; /* libnbd's, on failure too */
		if (d->lib->connect_socket(c->h, sock) < 0) {
			assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "the image cannot be opened");
			return assay_helper_explain(d->helper, err);
		}
		c->told = d->lib->can_meta_context(c->h, LIBNBD_CONTEXT_BASE_ALLOCATION) > 0;
	}
	const int64_t size = d->lib->get_size(d->conn[0].h);

	if (size < 0)
		return fail_nbd(d, ASSAY_NO_OFFSET, "no size", err);
	if ((uint64_t)size != d->size)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "its headers tell of a disk of %" PRIu64
				  " bytes, and qemu-nbd sees one of %" PRId64,
				  d->size, size);
	return 0;
}

int assay_nbd_open(const char *disk, const int *fds, size_t n_fds, uint64_t size,
		   struct assay_src **ret, struct assay_err *err)
{
	static const struct assay_src_ops ops = { .read = disk_read, .free = disk_free };
	struct nbd_disk *d = calloc(1, sizeof(*d));
	int socks[CONNECTIONS], rc;

	if (!d)
		return assay_fail_mem(err);
	d->size = size;
	for (size_t i = 0; i < CONNECTIONS; i++) {
		pthread_mutex_init(&d->conn[i].lock, NULL);
		d->conn[i].expected = UINT64_MAX;
		socks[i] = -1;
	}
	d->bufs = malloc(CONNECTIONS * WINDOWS * WINDOW);
	if (!d->bufs)
		rc = assay_fail_mem(err);
	else
		rc = assay_nbd_lib_get(&d->lib, err);
	for (size_t i = 0; rc == 0 && i < CONNECTIONS * WINDOWS; i++)
		d->conn[i / WINDOWS].w[i % WINDOWS].buf = d->bufs + i * WINDOW;
	if (rc == 0)
		rc = assay_helper_start(disk, fds, n_fds, socks, CONNECTIONS, &d->helper, err);
	if (rc == 0)
		rc = connect_all(d, socks, err);
	if (rc < 0) {
		for (size_t i = 0; i < CONNECTIONS; i++) {
			if (socks[i] >= 0)
				close(socks[i]);
		}
		disk_free(d);
		return -1;
	}
	return assay_src_from_ops(&ops, d, size, ret, err);
}
