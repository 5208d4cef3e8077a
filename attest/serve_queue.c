/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/serve_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct assay_serve_queue {
	struct assay_prover prover;
	unsigned bound;
	int wake;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t change;
	/* Under the lock: */
	struct assay_serve_job *first, *last; /* waiting */
	size_t waiting;
	struct assay_serve_job *done, *done_last;
	size_t n_done;
	bool busy, stop, ended;
	bool orphan; /* nobody waits for the thread */
	unsigned took_ms; /* a proof, smoothed */
};

struct assay_serve_job *assay_serve_job_new(enum assay_served what, const uint8_t *nonce, size_t nonce_len)
{
	struct assay_serve_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->what = what;
	if (nonce_len > 0)
		memcpy(job->nonce, nonce, nonce_len);
	job->nonce_len = nonce_len;
	return job;
}

void assay_serve_job_free(struct assay_serve_job **p)
{
	if (!*p)
		return;
	free((*p)->text);
	free(*p);
	*p = NULL;
}

uint64_t assay_serve_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Appends to a list of which the lock is held. */
static void append(struct assay_serve_job **first, struct assay_serve_job **last, struct assay_serve_job *job)
{
	job->next = NULL;
	if (*last)
		(*last)->next = job;
	else
		*first = job;
	*last = job;
}

static struct assay_serve_job *take(struct assay_serve_job **first, struct assay_serve_job **last)
{
	struct assay_serve_job *job = *first;

	if (!job)
		return NULL;
	*first = job->next;
	if (!*first)
		*last = NULL;
	job->next = NULL;
	return job;
}

static void free_list(struct assay_serve_job *job)
{
	while (job) {
		struct assay_serve_job *next = job->next;

		assay_serve_job_free(&job);
		job = next;
	}
}

/* All of it; nobody else has it any more. */
static void destroy(struct assay_serve_queue *q)
{
	free_list(q->first);
	free_list(q->done);
	pthread_cond_destroy(&q->change);
	pthread_mutex_destroy(&q->lock);
	close(q->wake);
	free(q);
}

static void *work(void *arg)
{
	struct assay_serve_queue *q = arg;

	pthread_mutex_lock(&q->lock);
	for (;;) {
		struct assay_serve_job *job;

		while (!q->first && !q->stop)
			pthread_cond_wait(&q->change, &q->lock);
		if (q->stop)
			break;
		job = take(&q->first, &q->last);
		q->waiting--;
		q->busy = true;
		pthread_mutex_unlock(&q->lock);

		const uint64_t began = assay_serve_now_ms();
		job->rc = q->prover.prove(q->prover.arg, job->what, job->nonce_len ? job->nonce : NULL, job->nonce_len,
					  &job->text, &job->len, &job->err);
		const uint64_t took = assay_serve_now_ms() - began;

		pthread_mutex_lock(&q->lock);
		q->took_ms = q->took_ms ? (unsigned)((3 * (uint64_t)q->took_ms + took) / 4) : (unsigned)took;
		q->busy = false;
		append(&q->done, &q->done_last, job);
		q->n_done++;
		/* It can only fail when it is full, and then the loop will look anyway. */
		const ssize_t n = write(q->wake, &(uint64_t){ 1 }, sizeof(uint64_t));
		(void)n;
	}
	q->ended = true;
	const bool orphan = q->orphan;
	pthread_cond_broadcast(&q->change);
	pthread_mutex_unlock(&q->lock);
	if (orphan)
		destroy(q);
	return NULL;
}

int assay_serve_queue_new(const struct assay_prover *prover, unsigned bound, int wake, struct assay_serve_queue **ret,
			  struct assay_err *err)
{
	ASSAY_AUTO_FREE struct assay_serve_queue *q = calloc(1, sizeof(*q));
	pthread_condattr_t attr;
	sigset_t all, old;

	if (!q)
		return assay_fail_mem(err);
	q->prover = *prover;
	q->bound = bound;
	q->wake = fcntl(wake, F_DUPFD_CLOEXEC, 0);
	if (q->wake < 0)
		return assay_fail_sys(err, "cannot have another descriptor");
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->change, &attr);
	pthread_condattr_destroy(&attr);
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	const int sys = pthread_create(&q->thread, NULL, work, q);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (sys != 0) {
		pthread_cond_destroy(&q->change);
		pthread_mutex_destroy(&q->lock);
		close(q->wake);
		errno = sys;
		return assay_fail_sys(err, "cannot start a thread");
	}
	*ret = assay_steal(&q);
	return 0;
}

bool assay_serve_queue_put(struct assay_serve_queue *q, struct assay_serve_job *job, bool urgent)
{
	bool taken = true;

	pthread_mutex_lock(&q->lock);
	if (urgent) {
		job->next = q->first;
		q->first = job;
		if (!q->last)
			q->last = job;
	} else if (q->waiting < q->bound) {
		append(&q->first, &q->last, job);
	} else {
		taken = false;
	}
	if (taken) {
		q->waiting++;
		pthread_cond_signal(&q->change);
	}
	pthread_mutex_unlock(&q->lock);
	return taken;
}

bool assay_serve_queue_remove(struct assay_serve_queue *q, struct assay_serve_job *job)
{
	struct assay_serve_job *before = NULL;
	bool found = false;

	pthread_mutex_lock(&q->lock);
	for (struct assay_serve_job *j = q->first; j; before = j, j = j->next) {
		if (j != job)
			continue;
		*(before ? &before->next : &q->first) = j->next;
		if (q->last == j)
			q->last = before;
		j->next = NULL;
		q->waiting--;
		found = true;
		break;
	}
	pthread_mutex_unlock(&q->lock);
	return found;
}

struct assay_serve_job *assay_serve_queue_done(struct assay_serve_queue *q)
{
	pthread_mutex_lock(&q->lock);
	struct assay_serve_job *job = take(&q->done, &q->done_last);
	if (job)
		q->n_done--;
	pthread_mutex_unlock(&q->lock);
	return job;
}

size_t assay_serve_queue_len(struct assay_serve_queue *q)
{
	pthread_mutex_lock(&q->lock);
	const size_t n = q->waiting + (q->busy ? 1 : 0) + q->n_done;
	pthread_mutex_unlock(&q->lock);
	return n;
}

unsigned assay_serve_queue_delay(struct assay_serve_queue *q)
{
	pthread_mutex_lock(&q->lock);
	const uint64_t ms = (uint64_t)(q->waiting + (q->busy ? 1 : 0)) * q->took_ms;
	pthread_mutex_unlock(&q->lock);
	return ms > 3600000 ? 3600000 : (unsigned)ms;
}

int assay_serve_queue_stop(struct assay_serve_queue *q, unsigned seconds, struct assay_err *err)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_cond_broadcast(&q->change);
	while (!q->ended && r == 0)
		r = pthread_cond_timedwait(&q->change, &q->lock, &until);
	const bool ended = q->ended;
	pthread_mutex_unlock(&q->lock);
	if (!ended)
		return assay_fail(err, ASSAY_E_TPM, ASSAY_NO_OFFSET,
				  "the proof that was being made did not end within %u seconds", seconds);
	return 0;
}

void assay_serve_queue_free(struct assay_serve_queue **p)
{
	struct assay_serve_queue *q = *p;

	if (!q)
		return;
	*p = NULL;
	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_cond_broadcast(&q->change);
	const bool ended = q->ended;
	q->orphan = !ended;
	const pthread_t thread = q->thread;
	pthread_mutex_unlock(&q->lock);
	/* Past the lock it may be gone: the thread frees what it leaves. */
	if (!ended) {
		pthread_detach(thread);
		return;
	}
	pthread_join(thread, NULL);
	destroy(q);
}
