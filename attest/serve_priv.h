/* SPDX-License-Identifier: Apache-2.0 */
/* The server's inside: connections and requests (libevent's thread), and the thread that makes proofs. */
#ifndef ASSAY_ATTEST_SERVE_PRIV_H
#define ASSAY_ATTEST_SERVE_PRIV_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "attest/serve.h"

/* --- the thread that makes proofs, and what waits for it (serve_queue.c) --- */

struct assay_serve_job {
	enum assay_served what;
	uint8_t nonce[ASSAY_SERVE_NONCE_MAX];
	size_t nonce_len;
	void *owner; /* the loop's; the worker never looks at it */
	int rc;	     /* when it is done: 0 and the text, or -1 and err */
	char *text;
	size_t len;
	struct assay_err err;
	struct assay_serve_job *next;
};
struct assay_serve_job *assay_serve_job_new(enum assay_served what, const uint8_t *nonce, size_t nonce_len);
void assay_serve_job_free(struct assay_serve_job **job);
ASSAY_DEFINE_AUTO(assay_serve_job)

struct assay_serve_queue;

/* Starts the thread. wake: an eventfd, written to when a job is done (it keeps a copy of it). */
int assay_serve_queue_new(const struct assay_prover *prover, unsigned bound, int wake, struct assay_serve_queue **ret,
			  struct assay_err *err) ASSAY_MUST;
/* Takes it at the end, or (urgent) in front of all and beyond the bound. False: full; the job is the caller's still. */
bool assay_serve_queue_put(struct assay_serve_queue *q, struct assay_serve_job *job, bool urgent);
/* Out of it, when it waits still: then it is the caller's again. False: under way, or done; it will come back. */
bool assay_serve_queue_remove(struct assay_serve_queue *q, struct assay_serve_job *job);
/* One that is done; NULL: none. */
struct assay_serve_job *assay_serve_queue_done(struct assay_serve_queue *q);
/* Jobs that wait, are under way, or are done and not fetched. */
size_t assay_serve_queue_len(struct assay_serve_queue *q);
/* Milliseconds until what waits now will have been done, as the last ones took. */
unsigned assay_serve_queue_delay(struct assay_serve_queue *q);
/* Ends the thread after the job under way, waiting `seconds` for that at most. ASSAY_E_TPM: it does not end. */
int assay_serve_queue_stop(struct assay_serve_queue *q, unsigned seconds, struct assay_err *err) ASSAY_MUST;
/* Stops it, too. A job under way is not waited for: its thread frees the queue when it is through. */
void assay_serve_queue_free(struct assay_serve_queue **q);

uint64_t assay_serve_now_ms(void); /* since some time */

/* "127.0.0.1:8081" to an address; loopback alone unless any. */
int assay_serve_address(const char *text, bool any, struct sockaddr_storage *ret, size_t *ret_len,
			struct assay_err *err) ASSAY_MUST;

/* --- the loop (serve.c) --- */

struct bufferevent;
struct evhttp_request;

/* A latest proof; shared by the answers that are on their way. Of the loop's thread alone, as all below. */
struct assay_serve_doc {
	unsigned refs;
	char *text;
	size_t len;
	char etag[2 * 32 + 3];
	uint64_t made_ms;
	struct stat seen; /* what is watched, as it was before the proof was made */
};

/* A connection, held on to by a reference of ours: libevent tells nobody when one begins or ends. */
struct assay_serve_conn {
	struct bufferevent *bev;
	bool waiting;	      /* for a proof */
	bool busy;	      /* from a request to the end of its answer */
	uint64_t deadline_ms; /* it is closed then, unless it waits */
	TAILQ_ENTRY(assay_serve_conn) link;
};

/* A request whose proof is being made. */
struct assay_serve_wait {
	struct assay_server *server;
	struct evhttp_request *req;
	struct assay_serve_conn *conn;
	enum assay_served what;
	struct assay_serve_job *job; /* its own, for a fresh one */
	uint64_t deadline_ms;
	TAILQ_ENTRY(assay_serve_wait) link;
};

struct assay_server {
	struct assay_serve_options opt;
	bool other;
	struct event_base *base;
	struct evhttp *http;
	struct evhttp_bound_socket *bound;
	struct event *wake_event, *tick, *on_term, *on_int;
	struct assay_serve_queue *queue;
	int wake;
	char address[INET6_ADDRSTRLEN + 10];
	unsigned max_conns, n_conns;
	TAILQ_HEAD(, assay_serve_conn) conns;
	TAILQ_HEAD(, assay_serve_wait) waits;
	struct assay_serve_doc *docs[ASSAY_N_SERVED];
	bool making[ASSAY_N_SERVED];
	struct stat seen[ASSAY_N_SERVED]; /* before the one that is being made */
	bool failing;			  /* the last proof could not be made: said once */
	atomic_bool stop;
	bool draining;
	uint64_t drain_until_ms;
};

/* --- requests and answers (serve_http.c) --- */

void assay_serve_doc_unref(struct assay_serve_doc **doc);
void assay_serve_on_request(struct evhttp_request *req, void *server);
/* Has a latest proof made, once for all who wait for it. False: no memory. */
bool assay_serve_make_latest(struct assay_server *s, enum assay_served what);
/* Answers all who waited for this. */
void assay_serve_is_made(struct assay_server *s, struct assay_serve_job *job);
/* Those who have waited for too long are sent away. */
void assay_serve_expire(struct assay_server *s, uint64_t now_ms);

#endif
