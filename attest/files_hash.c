/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many files on all cores. A worker has two lanes, a file in each; their blocks go through the processor's SHA
 * instructions in turns. Without such instructions one lane is OpenSSL's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include "attest/files_priv.h"
#include "core/digest.h"
#include "core/hash.h"
#include "core/sha256x2.h"

#define CHUNK ((size_t)64 << 10) /* two of them stay in a core's cache; larger ones were no faster */

/* --- threads ------------------------------------------------------------------------------------ */

void assay_in_parallel(unsigned n, void *(*fn)(void *arg), void *arg)
{
	ASSAY_AUTO_FREE pthread_t *threads = n > 1 ? calloc(n - 1, sizeof(*threads)) : NULL;
	unsigned started = 0;

	while (threads && started < n - 1 && pthread_create(&threads[started], NULL, fn, arg) == 0)
		started++;
	fn(arg);
	while (started > 0)
		pthread_join(threads[--started], NULL);
}

void assay_shared_fail(struct assay_shared_err *shared, const struct assay_err *err)
{
	pthread_mutex_lock(&shared->lock);
	if (!atomic_exchange(&shared->stop, true))
		shared->err = *err;
	pthread_mutex_unlock(&shared->lock);
}

int assay_read_at(int fd, uint8_t *buf, size_t len, uint64_t off, size_t *ret_len, struct assay_err *err)
{
	size_t done = 0;

	while (done < len) {
		const ssize_t n = pread(fd, buf + done, len - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return assay_fail_sys(err, "cannot read");
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*ret_len = done;
	return 0;
}

/* --- lanes -------------------------------------------------------------------------------------- */

struct job {
	struct assay_files *files;
	int top; /* where the paths begin */
	size_t *order; /* the largest first: nobody is to be left with it at the end */
	atomic_size_t next;
	unsigned threads;
	struct assay_shared_err failed;
};

struct lane {
	struct assay_file *file; /* NULL: it has none */
	int fd;
	struct assay_sha256_stream sha;
	EVP_MD_CTX *evp; /* where the processor has no instructions */
	uint8_t *buf;
	size_t pos, len; /* what is left in buf */
	uint64_t off;
	bool end;
};

static int open_file(const struct job *job, const char *path, int *ret, uint64_t *ret_size, struct assay_err *err)
{
	struct stat st;
	const int fd = openat(job->top, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (job->files->top ? O_NOFOLLOW : 0));

	if (fd < 0)
		return assay_fail_sys(err, "cannot open");
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return assay_fail(err, ASSAY_E_IO, ASSAY_NO_OFFSET, "it was a file a moment ago");
	}
	*ret = fd;
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

static int begin(const struct job *job, struct lane *lane, struct assay_file *file, struct assay_err *err)
{
	if (open_file(job, file->path, &lane->fd, &file->size, err) < 0)
		return -1;
	(void)posix_fadvise(lane->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	lane->file = file;
	lane->pos = lane->len = 0;
	lane->off = 0;
	lane->end = false;
	if (assay_sha256_stream_init(&lane->sha))
		return 0;
	if (!lane->evp)
		lane->evp = EVP_MD_CTX_new();
	if (!lane->evp || EVP_DigestInit_ex(lane->evp, EVP_sha256(), NULL) != 1)
		return assay_fail(err, ASSAY_E_CRYPTO, ASSAY_NO_OFFSET, "SHA-256 cannot be begun");
	return 0;
}

static int finish(struct lane *lane, struct assay_err *err)
{
	struct assay_file *file = lane->file;

	if (lane->evp) {
		if (EVP_DigestFinal_ex(lane->evp, file->digest, NULL) != 1)
			return assay_fail(err, ASSAY_E_CRYPTO, ASSAY_NO_OFFSET, "SHA-256 cannot be ended");
	} else {
		assay_sha256_stream_end(&lane->sha, lane->buf + lane->pos, lane->len, file->digest);
	}
	close(lane->fd);
	lane->fd = -1;
	lane->file = NULL;
	return lane->off == file->size ? 0 : assay_fail(err, ASSAY_E_IO, lane->off, "its size changed while it was read");
}

/* Fills the buffer; what is left of a file at its end are less than 64 bytes, or none. */
static int fill(struct lane *lane, struct assay_err *err)
{
	size_t n;

	if (assay_read_at(lane->fd, lane->buf, CHUNK, lane->off, &n, err) < 0)
		return -1;
	lane->pos = 0;
	lane->len = n;
	lane->off += n;
	lane->end = n < CHUNK;
	if (!lane->evp)
		return 0;
	if (EVP_DigestUpdate(lane->evp, lane->buf, n) != 1)
		return assay_fail(err, ASSAY_E_CRYPTO, ASSAY_NO_OFFSET, "SHA-256 cannot go on");
	lane->len = 0;
	return 0;
}

static void hash_both(struct lane *a, struct lane *b)
{
	const size_t n = (a->len < b->len ? a->len : b->len) & ~(size_t)63;

	assay_sha256_stream_two(&a->sha, a->buf + a->pos, &b->sha, b->buf + b->pos, n);
	a->pos += n;
	b->pos += n;
	a->len -= n;
	b->len -= n;
}

static void hash_one(struct lane *lane)
{
	const size_t n = lane->len & ~(size_t)63;

	assay_sha256_stream_one(&lane->sha, lane->buf + lane->pos, n);
	lane->pos += n;
	lane->len -= n;
}

/* A lane without blocks gets some: of its file, or of the next. */
static int feed(struct job *job, struct lane *lane, bool second, struct assay_err *err)
{
	const struct assay_file *name;

	while (lane->len < 64) {
		int r = 0;

		if (lane->file && lane->end) {
			name = lane->file;
			r = finish(lane, err);
		} else if (lane->file) {
			name = lane->file;
			r = fill(lane, err);
		} else {
			size_t i = atomic_load(&job->next);

			/* A second one is for when each of the others can have a first. */
			do {
				if (i >= job->files->n || (second && job->files->n - i < job->threads))
					return 0;
			} while (!atomic_compare_exchange_weak(&job->next, &i, i + 1));
			name = &job->files->files[job->order[i]];
			r = begin(job, lane, &job->files->files[job->order[i]], err);
		}
		if (r < 0)
			return assay_wrap(err, "%s", name->path);
	}
	return 0;
}

static int work(struct job *job, struct lane lanes[2], struct assay_err *err)
{
	const bool two = assay_sha256_stream_init(&lanes[0].sha);

	for (int i = 0; i < 2; i++) {
		lanes[i].buf = malloc(CHUNK);
		if (!lanes[i].buf)
			return assay_fail_mem(err);
	}
	while (!atomic_load(&job->failed.stop)) {
		if (feed(job, &lanes[0], false, err) < 0 || (two && feed(job, &lanes[1], true, err) < 0))
			return -1;
		if (lanes[0].file && lanes[1].file)
			hash_both(&lanes[0], &lanes[1]);
		else if (lanes[0].file || lanes[1].file)
			hash_one(lanes[0].file ? &lanes[0] : &lanes[1]);
		else
			return 0;
	}
	return 0;
}

static void *run_worker(void *arg)
{
	struct job *job = arg;
	struct lane lanes[2] = { { .fd = -1 }, { .fd = -1 } };
	struct assay_err err;

	if (work(job, lanes, &err) < 0)
		assay_shared_fail(&job->failed, &err);
	for (int i = 0; i < 2; i++) {
		if (lanes[i].fd >= 0)
			close(lanes[i].fd);
		EVP_MD_CTX_free(lanes[i].evp);
		free(lanes[i].buf);
	}
	return NULL;
}

/* --- all ---------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b, void *arg)
{
	const struct assay_file *files = arg;
	const uint64_t x = files[*(const size_t *)a].size, y = files[*(const size_t *)b].size;

	return x < y ? 1 : x > y ? -1 : 0;
}

static int hash_all(struct job *job, struct assay_err *err)
{
	struct assay_files *files = job->files;
	ASSAY_AUTO_FREE size_t *order = calloc(files->n + 1, sizeof(*order));

	if (!order)
		return assay_fail_mem(err);
	for (size_t i = 0; i < files->n; i++)
		order[i] = i;
	qsort_r(order, files->n, sizeof(*order), by_size, files->files);
	job->order = order;
	job->threads = assay_hash_threads();
	assay_in_parallel(job->threads < files->n ? job->threads : (unsigned)files->n, run_worker, job);
	if (!atomic_load(&job->failed.stop))
		return 0;
	if (err)
		*err = job->failed.err;
	return -1;
}

/* One after another: each is shared out to all cores. */
static int measure_all(const struct job *job, struct assay_err *err)
{
	for (size_t i = 0; i < job->files->n; i++) {
		struct assay_file *file = &job->files->files[i];
		int fd, r;

		r = open_file(job, file->path, &fd, &file->size, err);
		if (r == 0) {
			r = assay_fsverity_digest(fd, file->size, file->digest, err);
			close(fd);
		}
		if (r < 0)
			return assay_wrap(err, "%s", file->path);
	}
	return 0;
}

int assay_files_hash(struct assay_files *files, bool fsverity, struct assay_err *err)
{
	struct job job = { .files = files, .top = AT_FDCWD, .failed = ASSAY_SHARED_ERR };
	int r;

	if (files->top) {
		job.top = open(files->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (job.top < 0)
			return assay_fail_sys(err, "%s", files->top);
	}
	files->fsverity = fsverity;
	r = files->n == 0 ? 0 : fsverity ? measure_all(&job, err) : hash_all(&job, err);
	if (files->top) {
		close(job.top);
		if (r < 0)
			assay_wrap(err, "%s", files->top);
	}
	return r;
}
