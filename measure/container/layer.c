/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests of layers, as they lie in the archive and unpacked. Threads take one layer after another,
 * the largest first; memory use does not depend on sizes.
 *
 * The filter is named to libarchive by us, from the first bytes. Left to look for itself it would
 * go on unpacking what is packed twice, and could start programs.
 */
#include "measure/container/archive_lib.h"
#include "measure/container/container_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "core/hash.h"
#include "core/limits.h"
#include "core/log.h"

#define BLOCK ((size_t)256 << 10)
#define MAX_THREADS 16
#define ZSTD_MAX_WINDOW (UINT64_C(128) << 20)

const char *assay_packing_name(enum assay_packing packing)
{
	static const char *const names[] = { "unknown", "none", "gzip", "zstd" };

	return names[packing];
}

enum assay_packing assay_packing_of(const uint8_t *p, size_t len, const char **ret_refused)
{
	*ret_refused = NULL;
	if (len >= 3 && memcmp(p, "\x1f\x8b\x08", 3) == 0)
		return ASSAY_PACKING_GZIP;
	if (len >= 4 && memcmp(p, "\x28\xb5\x2f\xfd", 4) == 0)
		return ASSAY_PACKING_ZSTD;
	/* A zstd stream may begin with a skippable frame (RFC 8878, 3.1.2). */
	if (len >= 4 && (p[0] & 0xf0) == 0x50 && memcmp(p + 1, "\x2a\x4d\x18", 3) == 0)
		return ASSAY_PACKING_ZSTD;
	/* These Docker unpacks and containerd does not. */
	if (len >= 6 && memcmp(p,
			       "\xfd"
			       "7zXZ\0",
			       6) == 0)
		*ret_refused = "xz";
	else if (len >= 3 && memcmp(p, "BZh", 3) == 0)
		*ret_refused = "bzip2";
	return *ret_refused ? ASSAY_PACKING_UNKNOWN : ASSAY_PACKING_NONE;
}

/* --- one layer ---------------------------------------------------------------------------------
 */

struct run {
	const struct assay_store *store;
	struct assay_container_blob *blobs;
	size_t *order; /* largest first */
	size_t n;
	uint64_t max_layer;
	uint64_t total;

	pthread_mutex_t lock; /* guards all below */
	size_t next;
	uint64_t done;
	size_t failed; /* the first blob that failed, n if none did */
	struct assay_err err;
};

/* A layer being read: what libarchive's callback needs. */
struct reading {
	struct run *run;
	struct assay_src *src;
	uint64_t at;
	uint8_t *buf;
	EVP_MD_CTX *packed;
	EVP_MD_CTX *unpacked;
	struct assay_err *err;
	bool failed; /* in our own callback: err says why */
	const struct assay_archive_lib *lib; /* when it is packed */
};

static int fail_evp(struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_CRYPTO, ASSAY_NO_OFFSET, "SHA-256 failed");
}

/* The next block of the layer's file; 0 at its end, -1 with err. */
static ssize_t next_block(struct reading *r)
{
	const uint64_t left = assay_src_size(r->src) - r->at;
	const size_t n = left < BLOCK ? (size_t)left : BLOCK;

	if (n == 0)
		return 0;
	if (assay_src_read(r->src, r->at, r->buf, n, r->err) < 0)
		return -1;
	if (EVP_DigestUpdate(r->packed, r->buf, n) != 1)
		return fail_evp(r->err);
	r->at += n;
	pthread_mutex_lock(&r->run->lock);
	r->run->done += n;
	assay_progress(r->run->done, r->run->total);
	pthread_mutex_unlock(&r->run->lock);
	return (ssize_t)n;
}

static la_ssize_t read_callback(struct archive *a, void *arg, const void **buf)
{
	struct reading *r = arg;
	const ssize_t n = next_block(r);

	*buf = r->buf;
	if (n < 0) {
		r->failed = true;
		r->lib->set_error(a, EIO, "cannot read");
		return ARCHIVE_FATAL;
	}
	return n;
}

static int too_large(const struct reading *r, struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_LIMIT, assay_src_origin(r->src, 0),
			  "unpacks to more than %" PRIu64 " bytes", r->run->max_layer);
}

/* What libarchive could not do: the layer's fault, or not. */
static int fail_archive(struct reading *r, struct archive *a, struct assay_container_blob *blob)
{
	const char *why = r->lib->error_string(a);
	/* A window of more than 128 MiB: not damaged, but not for us. */
	const bool window = why && strstr(why, "memory");

	if (r->failed)
		return -1;
	if (r->lib->error_number(a) == ENOMEM)
		return assay_fail_mem(r->err);
	if (window)
		return assay_fail(r->err, ASSAY_E_UNSUPPORTED, assay_src_origin(r->src, 0), "%s",
				  why);
	/*
	 * A stream that breaks off before its first byte and one of no bytes look alike here:
	 * libarchive has no format for either, and with its format "empty" takes both for empty.
	 */
	if (!why || blob->unpacked == 0)
		why = "nothing can be unpacked";
	blob->damage = strdup(why);
	return blob->damage ? 0 : assay_fail_mem(r->err);
}

static int unpack_opened(struct reading *r, struct archive *a, struct assay_container_blob *blob)
{
	struct archive_entry *entry;
	int rc = r->lib->read_next_header(a, &entry);

	if (rc != ARCHIVE_OK)
		return fail_archive(r, a, blob);
	for (;;) {
		const void *p;
		size_t n;
		la_int64_t off;

		rc = r->lib->read_data_block(a, &p, &n, &off);
		if (rc == ARCHIVE_EOF)
			return 0;
		if (rc != ARCHIVE_OK)
			return fail_archive(r, a, blob);
		if (n > r->run->max_layer - blob->unpacked)
			return too_large(r, r->err);
		blob->unpacked += n;
		if (EVP_DigestUpdate(r->unpacked, p, n) != 1)
			return fail_evp(r->err);
	}
}

static int unpack(struct reading *r, struct assay_container_blob *blob)
{
	const bool gzip = blob->packing == ASSAY_PACKING_GZIP;
	struct archive *a;
	int rc = -1;

	if (assay_archive_lib_get(&r->lib, r->err) < 0)
		return -1;
	a = r->lib->read_new();
	if (!a)
		return assay_fail_mem(r->err);
	/* Anything but OK means: by an external program. */
	if (r->lib->read_append_filter(a, gzip ? ARCHIVE_FILTER_GZIP : ARCHIVE_FILTER_ZSTD) !=
	    ARCHIVE_OK)
		assay_fail(r->err, ASSAY_E_UNSUPPORTED, assay_src_origin(r->src, 0),
			   "libarchive was built without %s", assay_packing_name(blob->packing));
	else if (r->lib->read_support_format_raw(a) != ARCHIVE_OK ||
		 r->lib->read_set_callback_data(a, r) != ARCHIVE_OK ||
		 r->lib->read_set_read_callback(a, read_callback) != ARCHIVE_OK)
		assay_fail_mem(r->err);
	else if (r->lib->read_open1(a) != ARCHIVE_OK)
		rc = fail_archive(r, a, blob);
	else
		rc = unpack_opened(r, a, blob);
	r->lib->read_free(a);

	/* What follows the stream belongs to the file's own digest. */
	while (rc == 0) {
		const ssize_t n = next_block(r);

		if (n <= 0)
			return (int)n;
	}
	return rc;
}

static int hash_plain(struct reading *r, struct assay_container_blob *blob)
{
	ssize_t n;

	if (blob->size > r->run->max_layer)
		return too_large(r, r->err);
	while ((n = next_block(r)) > 0)
		;
	blob->unpacked = blob->size;
	return (int)n;
}

static int finish(EVP_MD_CTX *ctx, uint8_t *out, struct assay_err *err)
{
	return EVP_DigestFinal_ex(ctx, out, NULL) == 1 ? 0 : fail_evp(err);
}

/*
 * The window that the first frame asks for (RFC 8878, 3.1.1.1). Beyond
 * ZSTD_WINDOWLOG_LIMIT_DEFAULT, 128 MiB, libzstd refuses, and through libarchive that looks like
 * damage.
 */
static uint64_t zstd_window(struct assay_cur c)
{
	static const uint8_t dict_bytes[] = { 0, 1, 2, 4 };

	if (assay_cur_le32(&c) != 0xfd2fb528)
		return 0; /* a skippable frame */
	const uint8_t head = assay_cur_u8(&c);

	if (!(head & 0x20)) {
		const uint8_t w = assay_cur_u8(&c);
		const uint64_t base = UINT64_C(1) << (10 + (w >> 3));

		return c.bad ? 0 : base + base / 8 * (w & 7);
	}
	assay_cur_skip(&c, dict_bytes[head & 3]);
	switch (head >> 6) { /* a window of the size of the content */
	case 2:
		return assay_cur_le32(&c);
	case 3:
		return assay_cur_le64(&c);
	default:
		return 0; /* some KiB at most */
	}
}

static int hash_opened(struct reading *r, struct assay_container_blob *blob)
{
	uint8_t head[18] = { 0 };
	const char *other;

	blob->size = assay_src_size(r->src);
	blob->at = assay_src_origin(r->src, 0);
	const size_t n = blob->size < sizeof(head) ? (size_t)blob->size : sizeof(head);

	if (assay_src_read(r->src, 0, head, n, r->err) < 0)
		return -1;
	blob->packing = assay_packing_of(head, n, &other);
	if (other)
		return assay_fail(r->err, ASSAY_E_UNSUPPORTED, blob->at, "packed with %s", other);
	if (blob->packing == ASSAY_PACKING_ZSTD &&
	    zstd_window(assay_cur_make(head, n, blob->at)) > ZSTD_MAX_WINDOW)
		return assay_fail(r->err, ASSAY_E_UNSUPPORTED, blob->at,
				  "zstd with a window of more than %" PRIu64 " bytes",
				  ZSTD_MAX_WINDOW);
	if (EVP_DigestInit_ex(r->packed, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestInit_ex(r->unpacked, EVP_sha256(), NULL) != 1)
		return fail_evp(r->err);
	if ((blob->packing == ASSAY_PACKING_NONE ? hash_plain(r, blob) : unpack(r, blob)) < 0 ||
	    finish(r->packed, blob->packed_sha256, r->err) < 0)
		return -1;
	if (blob->packing == ASSAY_PACKING_NONE)
		memcpy(blob->sha256, blob->packed_sha256, sizeof(blob->sha256));
	else if (!blob->damage)
		return finish(r->unpacked, blob->sha256, r->err);
	return 0;
}

static int hash_blob(struct reading *r, struct assay_container_blob *blob)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	if (assay_store_open(r->run->store, blob->path, &src, r->err) < 0)
		return -1;
	r->src = src;
	r->at = 0;
	r->failed = false;
	return hash_opened(r, blob);
}

/* --- all of them -------------------------------------------------------------------------------
 */

static void note_failure(struct run *run, size_t blob, const struct assay_err *err)
{
	pthread_mutex_lock(&run->lock);
	if (blob < run->failed) {
		run->failed = blob;
		run->err = *err;
	}
	pthread_mutex_unlock(&run->lock);
}

static void *worker(void *arg)
{
	struct run *run = arg;
	struct assay_err err;
	struct reading r = { .run = run,
			     .buf = malloc(BLOCK),
			     .packed = EVP_MD_CTX_new(),
			     .unpacked = EVP_MD_CTX_new(),
			     .err = &err };

	for (;;) {
		pthread_mutex_lock(&run->lock);
		const size_t i = run->next < run->n ? run->order[run->next++] : run->n;
		pthread_mutex_unlock(&run->lock);

		if (i == run->n)
			break;
		if (!r.buf || !r.packed || !r.unpacked)
			assay_fail_mem(&err);
		else if (hash_blob(&r, &run->blobs[i]) == 0)
			continue;
		assay_container_wrap(&err, "layer", run->blobs[i].path);
		/* The others go on: which failure is told does not depend on who was faster. */
		note_failure(run, i, &err);
	}
	free(r.buf);
	EVP_MD_CTX_free(r.packed);
	EVP_MD_CTX_free(r.unpacked);
	return NULL;
}

struct sized {
	size_t blob;
	uint64_t size;
};

static int compare_sizes(const void *a, const void *b)
{
	const struct sized *x = a, *y = b;

	if (x->size != y->size)
		return x->size < y->size ? 1 : -1;
	return (x->blob > y->blob) - (x->blob < y->blob);
}

static int make_order(struct run *run, struct assay_err *err)
{
	ASSAY_AUTO_FREE struct sized *s = calloc(run->n, sizeof(*s));

	if (!s)
		return assay_fail_mem(err);
	for (size_t i = 0; i < run->n; i++) {
		ASSAY_AUTO(assay_src) *src = NULL;

		if (assay_store_open(run->store, run->blobs[i].path, &src, err) < 0)
			return assay_container_wrap(err, "layer", run->blobs[i].path);
		s[i] = (struct sized){ i, assay_src_size(src) };
		run->total += s[i].size;
	}
	qsort(s, run->n, sizeof(*s), compare_sizes);
	run->order = calloc(run->n, sizeof(*run->order));
	if (!run->order)
		return assay_fail_mem(err);
	for (size_t i = 0; i < run->n; i++)
		run->order[i] = s[i].blob;
	return 0;
}

int assay_layers_hash(const struct assay_store *store, struct assay_container_blob *blobs, size_t n,
		      uint64_t max_layer, struct assay_err *err)
{
	struct run run = {
		.store = store, .blobs = blobs, .n = n, .max_layer = max_layer, .failed = n
	};
	pthread_t others[MAX_THREADS];
	size_t started = 0, wanted = assay_hash_threads();

	if (n == 0)
		return 0;
	if (make_order(&run, err) < 0)
		return -1;
	pthread_mutex_init(&run.lock, NULL);
	if (wanted > n)
		wanted = n;
	if (wanted > MAX_THREADS)
		wanted = MAX_THREADS;
	while (started + 1 < wanted && pthread_create(&others[started], NULL, worker, &run) == 0)
		started++;
	worker(&run);
	while (started > 0)
		pthread_join(others[--started], NULL);
	pthread_mutex_destroy(&run.lock);
	free(run.order);
	if (run.failed == n)
		return 0;
	if (err)
		*err = run.err;
	return -1;
}
