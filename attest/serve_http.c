/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked, and what is answered. */
#include "attest/serve_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>

#include "core/digest.h"
#include "core/json.h"
#include "core/log.h"

#define PROOF_PATH "/.well-known/assay/proof"
#define OTHER_PATH "/attestation.json"

void assay_serve_doc_unref(struct assay_serve_doc **doc)
{
	if (*doc && --(*doc)->refs == 0) {
		free((*doc)->text);
		free(*doc);
	}
	*doc = NULL;
}

/* --- answers ------------------------------------------------------------------------------------ */

static void sent(struct evhttp_request *req, void *arg)
{
	struct assay_serve_conn *conn = arg;

	(void)req;
	conn->busy = false;
}

/* The one place where an answer leaves. body may be NULL. */
static void answer(struct assay_server *s, struct assay_serve_conn *conn, struct evhttp_request *req, int code,
		   const char *reason, struct evbuffer *body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);

	evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	if (s->draining)
		evhttp_add_header(headers, "Connection", "close");
	if (body && evhttp_request_get_command(req) == EVHTTP_REQ_HEAD) {
		char len[24];

		snprintf(len, sizeof(len), "%zu", evbuffer_get_length(body));
		evhttp_add_header(headers, "Content-Length", len);
		evbuffer_drain(body, evbuffer_get_length(body));
	}
	conn->waiting = false;
	conn->deadline_ms = assay_serve_now_ms() + 1000ULL * s->opt.timeout;
	evhttp_request_set_on_complete_cb(req, sent, conn);
	evhttp_send_reply(req, code, reason, body);
}

static void answer_error(struct assay_server *s, struct assay_serve_conn *conn, struct evhttp_request *req, int code,
			 const char *reason, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
static void answer_error(struct assay_server *s, struct assay_serve_conn *conn, struct evhttp_request *req, int code,
			 const char *reason, const char *fmt, ...)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	ASSAY_AUTO(assay_json) *o = assay_json_object();
	struct evbuffer *body = evbuffer_new();
	ASSAY_AUTO_FREE char *text = NULL;
	char msg[sizeof(((struct assay_err *)0)->msg) + 64];
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	assay_json_set_str(o, "error", msg);
	if (body && assay_json_dump(o, &text, &len, NULL) == 0)
		evbuffer_add(body, text, len);
	evhttp_add_header(headers, "Content-Type", "application/json");
	evhttp_add_header(headers, "Cache-Control", "no-store");
	answer(s, conn, req, code, reason, body);
	if (body)
		evbuffer_free(body);
}

/* 503, and when to come again. */
static void answer_later(struct assay_server *s, struct assay_serve_conn *conn, struct evhttp_request *req, unsigned seconds,
			 const char *msg)
{
	char text[24];

	snprintf(text, sizeof(text), "%u", seconds < 1 ? 1 : seconds > 120 ? 120 : seconds);
	evhttp_add_header(evhttp_request_get_output_headers(req), "Retry-After", text);
	answer_error(s, conn, req, HTTP_SERVUNAVAIL, "Service Unavailable", "%s", msg);
}

/* What the prover says; the TPM may answer again soon, other failures stay. */
static void answer_failure(struct assay_server *s, struct assay_serve_conn *conn, struct evhttp_request *req,
			   const struct assay_err *err)
{
	if (err->code == ASSAY_E_TPM) {
		char msg[sizeof(err->msg) + 32];

		snprintf(msg, sizeof(msg), "no proof: %s", err->msg);
		answer_later(s, conn, req, 5, msg);
	} else {
		answer_error(s, conn, req, HTTP_INTERNAL, "Internal Server Error", "no proof: %s", err->msg);
	}
}

static void free_text(const void *p, size_t len, void *arg)
{
	(void)p;
	(void)len;
	free(arg);
}

static void free_ref(const void *p, size_t len, void *arg)
{
	struct assay_serve_doc *doc = arg;

	(void)p;
	(void)len;
	assay_serve_doc_unref(&doc);
}

/* A fresh one: its text goes to the answer without a copy. */
static void answer_fresh(struct assay_server *s, struct assay_serve_conn *conn, struct evhttp_request *req,
			 struct assay_serve_job *job)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	struct evbuffer *body = evbuffer_new();

	if (!body || evbuffer_add_reference(body, job->text, job->len, free_text, job->text) < 0) {
		answer_error(s, conn, req, HTTP_INTERNAL, "Internal Server Error", "no proof: out of memory");
	} else {
		job->text = NULL;
		evhttp_add_header(headers, "Content-Type", "application/json");
		evhttp_add_header(headers, "Cache-Control", "no-store");
		answer(s, conn, req, HTTP_OK, "OK", body);
	}
	if (body)
		evbuffer_free(body);
}

static void answer_doc(struct assay_server *s, struct assay_serve_conn *conn, struct evhttp_request *req, struct assay_serve_doc *doc)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	const char *has = evhttp_find_header(evhttp_request_get_input_headers(req), "If-None-Match");
	struct evbuffer *body;

	evhttp_add_header(headers, "ETag", doc->etag);
	evhttp_add_header(headers, "Cache-Control", "no-cache");
	if (has && strstr(has, doc->etag)) {
		answer(s, conn, req, HTTP_NOTMODIFIED, "Not Modified", NULL);
		return;
	}
	body = evbuffer_new();
	doc->refs++;
	if (!body || evbuffer_add_reference(body, doc->text, doc->len, free_ref, doc) < 0) {
		assay_serve_doc_unref(&doc);
		answer_error(s, conn, req, HTTP_INTERNAL, "Internal Server Error", "no proof: out of memory");
	} else {
		evhttp_add_header(headers, "Content-Type", "application/json");
		answer(s, conn, req, HTTP_OK, "OK", body);
	}
	if (body)
		evbuffer_free(body);
}

/* --- requests that wait ------------------------------------------------------------------------- */

/* Ends the waiting, in whatever way; the request itself is the caller's. */
static void wait_end(struct assay_serve_wait *w)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(w->req);

	TAILQ_REMOVE(&w->server->waits, w, link);
	if (evcon)
		evhttp_connection_set_closecb(evcon, NULL, NULL);
	if (w->job) {
		if (assay_serve_queue_remove(w->server->queue, w->job))
			assay_serve_job_free(&w->job);
		else
			w->job->owner = NULL;
	}
	free(w);
}

/* The client is gone. */
static void closed(struct evhttp_connection *evcon, void *arg)
{
	struct assay_serve_wait *w = arg;
	struct evhttp_request *req = w->req;

	(void)evcon;
	wait_end(w);
	/* libevent has taken it off its connection then, and left it to whom it had handed it. */
	if (!evhttp_request_get_connection(req))
		evhttp_request_free(req);
}

/*
 * libevent's HTTP does not read while an answer is awaited, and so would learn of a client's end only when it writes to it.
 * What else comes meanwhile, requests that follow, stays in the buffer: libevent would exit if it were told of them.
 */
static void listen_for_end(struct bufferevent *bev)
{
	bufferevent_data_cb write_cb;
	bufferevent_event_cb event_cb;
	void *arg;

	bufferevent_getcb(bev, NULL, &write_cb, &event_cb, &arg);
	bufferevent_setcb(bev, NULL, write_cb, event_cb, arg);
	bufferevent_enable(bev, EV_READ);
}

static struct assay_serve_wait *wait_begin(struct assay_server *s, struct assay_serve_conn *conn, struct evhttp_request *req,
			       enum assay_served what)
{
	struct assay_serve_wait *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->server = s;
	w->req = req;
	w->conn = conn;
	w->what = what;
	w->deadline_ms = assay_serve_now_ms() + 1000ULL * s->opt.timeout;
	conn->waiting = true;
	TAILQ_INSERT_TAIL(&s->waits, w, link);
	listen_for_end(conn->bev);
	evhttp_connection_set_closecb(evhttp_request_get_connection(req), closed, w);
	return w;
}

static void look_at_watched(const struct assay_server *s, struct stat *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (s->opt.watch && stat(s->opt.watch, ret) < 0)
		memset(ret, 0, sizeof(*ret));
}

static bool doc_is_good(const struct assay_server *s, const struct assay_serve_doc *doc)
{
	struct stat now;

	if (!doc || assay_serve_now_ms() - doc->made_ms > 1000ULL * s->opt.max_age)
		return false;
	look_at_watched(s, &now);
	return now.st_size == doc->seen.st_size && now.st_ino == doc->seen.st_ino && now.st_dev == doc->seen.st_dev &&
	       now.st_mtim.tv_sec == doc->seen.st_mtim.tv_sec && now.st_mtim.tv_nsec == doc->seen.st_mtim.tv_nsec;
}

/* Has a latest proof made, once for all who wait for it. */
bool assay_serve_make_latest(struct assay_server *s, enum assay_served what)
{
	struct assay_serve_job *job;

	if (s->making[what])
		return true;
	job = assay_serve_job_new(what, NULL, 0);
	if (!job)
		return false;
	look_at_watched(s, &s->seen[what]);
	s->making[what] = true;
	assay_serve_queue_put(s->queue, job, true);
	return true;
}

static void request_latest(struct assay_server *s, struct assay_serve_conn *conn, struct evhttp_request *req,
			   enum assay_served what)
{
	if (what == ASSAY_SERVED_OTHER && !s->other)
		what = ASSAY_SERVED_LATEST;
	if (doc_is_good(s, s->docs[what])) {
		answer_doc(s, conn, req, s->docs[what]);
		return;
	}
	if (!assay_serve_make_latest(s, what) || !wait_begin(s, conn, req, what))
		answer_error(s, conn, req, HTTP_INTERNAL, "Internal Server Error", "no proof: out of memory");
}

static void request_fresh(struct assay_server *s, struct assay_serve_conn *conn, struct evhttp_request *req, const char *query)
{
	uint8_t nonce[ASSAY_SERVE_NONCE_MAX];
	size_t nonce_len;
	struct assay_err err;

	if (assay_serve_query(query, nonce, &nonce_len, &err) < 0) {
		answer_error(s, conn, req, HTTP_BADREQUEST, "Bad Request", "%s", err.msg);
		return;
	}
	/* Nobody would see the proof: its headers are no reason to bother the TPM. */
	if (evhttp_request_get_command(req) == EVHTTP_REQ_HEAD) {
		struct evkeyvalq *headers = evhttp_request_get_output_headers(req);

		evhttp_add_header(headers, "Content-Type", "application/json");
		evhttp_add_header(headers, "Cache-Control", "no-store");
		answer(s, conn, req, HTTP_OK, "OK", NULL);
		return;
	}
	ASSAY_AUTO(assay_serve_job) *job = assay_serve_job_new(ASSAY_SERVED_FRESH, nonce, nonce_len);
	struct assay_serve_wait *w = job ? wait_begin(s, conn, req, ASSAY_SERVED_FRESH) : NULL;
	if (!w) {
		answer_error(s, conn, req, HTTP_INTERNAL, "Internal Server Error", "no proof: out of memory");
		return;
	}
	job->owner = w;
	if (!assay_serve_queue_put(s->queue, job, false)) {
		wait_end(w);
		answer_later(s, conn, req, assay_serve_queue_delay(s->queue) / 1000 + 1,
			     "too many requests wait for a proof; come again");
		return;
	}
	w->job = assay_steal(&job);
}

static struct assay_serve_conn *conn_of(struct assay_server *s, struct evhttp_request *req)
{
	struct bufferevent *bev = evhttp_connection_get_bufferevent(evhttp_request_get_connection(req));
	struct assay_serve_conn *c;

	TAILQ_FOREACH (c, &s->conns, link)
		if (c->bev == bev)
			return c;
	return NULL;
}

void assay_serve_on_request(struct evhttp_request *req, void *arg)
{
	struct assay_server *s = arg;
	struct assay_serve_conn *conn = conn_of(s, req);
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
	const enum evhttp_cmd_type method = evhttp_request_get_command(req);

	/* There was no memory to follow it with. */
	if (!conn) {
		evhttp_send_error(req, HTTP_SERVUNAVAIL, NULL);
		return;
	}
	conn->busy = true;
	const bool proof = path && strcmp(path, PROOF_PATH) == 0;
	const bool other = path && strcmp(path, OTHER_PATH) == 0;
	if (!proof && !other) {
		answer_error(s, conn, req, HTTP_NOTFOUND, "Not Found", "there is " PROOF_PATH ", and " OTHER_PATH);
		return;
	}
	if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
		evhttp_add_header(evhttp_request_get_output_headers(req), "Allow", "GET, HEAD");
		answer_error(s, conn, req, HTTP_BADMETHOD, "Method Not Allowed", "GET and HEAD are the methods there are");
		return;
	}
	if (s->draining)
		answer_later(s, conn, req, 1, "the server is ending");
	else if (proof && query && query[0] != '\0')
		request_fresh(s, conn, req, query);
	else if (other && query && query[0] != '\0')
		answer_error(s, conn, req, HTTP_BADREQUEST, "Bad Request", OTHER_PATH " has no parameters");
	else
		request_latest(s, conn, req, other ? ASSAY_SERVED_OTHER : ASSAY_SERVED_LATEST);
}

/* --- proofs that are made ----------------------------------------------------------------------- */

/* Once when it begins, once when it ends: a thousand clients are no reason for a thousand lines. */
static void say(struct assay_server *s, const struct assay_serve_job *job)
{
	if (job->rc < 0 && !s->failing)
		assay_log(ASSAY_LOG_WARNING, "no proof: %s", job->err.msg);
	else if (job->rc == 0 && s->failing)
		assay_log(ASSAY_LOG_INFO, "proofs are made again");
	s->failing = job->rc < 0;
}

/* The text is the document's then. */
static struct assay_serve_doc *doc_new(struct assay_serve_job *job, const struct stat *seen)
{
	struct assay_serve_doc *doc = calloc(1, sizeof(*doc));
	struct assay_digests d;
	char hex[ASSAY_HEX_MAX];

	if (!doc || assay_digest_mem(ASSAY_BANK_BIT(ASSAY_SHA256), job->text, job->len, &d, NULL) < 0) {
		free(doc);
		return NULL;
	}
	doc->refs = 1;
	doc->text = assay_steal(&job->text);
	doc->len = job->len;
	doc->made_ms = assay_serve_now_ms();
	doc->seen = *seen;
	snprintf(doc->etag, sizeof(doc->etag), "\"%s\"", assay_hex(d.d[ASSAY_SHA256], 32, hex));
	return doc;
}

static void latest_is_made(struct assay_server *s, struct assay_serve_job *job)
{
	struct assay_serve_wait *w, *next;
	struct assay_serve_doc *doc = NULL;

	s->making[job->what] = false;
	if (job->rc == 0) {
		doc = doc_new(job, &s->seen[job->what]);
		if (!doc)
			job->rc = assay_fail_mem(&job->err);
	}
	/* A proof that no longer says what is measured is not served on, not even when there is no other. */
	assay_serve_doc_unref(&s->docs[job->what]);
	s->docs[job->what] = doc;
	for (w = TAILQ_FIRST(&s->waits); w; w = next) {
		struct evhttp_request *req = w->req;
		struct assay_serve_conn *conn = w->conn;

		next = TAILQ_NEXT(w, link);
		if (w->what != job->what)
			continue;
		wait_end(w);
		if (doc)
			answer_doc(s, conn, req, doc);
		else
			answer_failure(s, conn, req, &job->err);
	}
}

static void fresh_is_made(struct assay_server *s, struct assay_serve_job *job)
{
	struct assay_serve_wait *w = job->owner;

	if (!w)
		return;
	struct evhttp_request *req = w->req;
	struct assay_serve_conn *conn = w->conn;
	w->job = NULL;
	wait_end(w);
	if (job->rc == 0)
		answer_fresh(s, conn, req, job);
	else
		answer_failure(s, conn, req, &job->err);
}

void assay_serve_is_made(struct assay_server *s, struct assay_serve_job *job)
{
	say(s, job);
	if (job->what == ASSAY_SERVED_FRESH)
		fresh_is_made(s, job);
	else
		latest_is_made(s, job);
}

void assay_serve_expire(struct assay_server *s, uint64_t now_ms)
{
	struct assay_serve_wait *w, *next;

	for (w = TAILQ_FIRST(&s->waits); w; w = next) {
		struct evhttp_request *req = w->req;
		struct assay_serve_conn *conn = w->conn;

		next = TAILQ_NEXT(w, link);
		if (now_ms < w->deadline_ms)
			continue;
		wait_end(w);
		answer_later(s, conn, req, assay_serve_queue_delay(s->queue) / 1000 + 1,
			     "no proof was made in time; come again");
	}
}
