/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/serve_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#include "core/limits.h"

#define TICK_MS 200

/* --- connections -------------------------------------------------------------------------------- */

/* Its callbacks are taken off it when libevent's HTTP is done with it. */
static bool conn_is_dead(const struct assay_serve_conn *c)
{
	bufferevent_event_cb event_cb = NULL;

	bufferevent_getcb(c->bev, NULL, NULL, &event_cb, NULL);
	return !event_cb;
}

static void conn_free(struct assay_server *s, struct assay_serve_conn *c)
{
	TAILQ_REMOVE(&s->conns, c, link);
	s->n_conns--;
	bufferevent_decref(c->bev);
	free(c);
}

static void bury(struct assay_server *s)
{
	struct assay_serve_conn *c, *next;

	for (c = TAILQ_FIRST(&s->conns); c; c = next) {
		next = TAILQ_NEXT(c, link);
		if (conn_is_dead(c))
			conn_free(s, c);
	}
}

/* libevent sees the end of it, and frees what it has of it. */
static void conn_close(struct assay_serve_conn *c)
{
	const evutil_socket_t fd = bufferevent_getfd(c->bev);

	c->deadline_ms = UINT64_MAX;
	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
}

static void listen_again(struct assay_server *s, bool on)
{
	struct evconnlistener *l = s->bound ? evhttp_bound_socket_get_listener(s->bound) : NULL;

	if (l && on)
		evconnlistener_enable(l);
	else if (l)
		evconnlistener_disable(l);
}

static void start_tick(struct assay_server *s, bool soon)
{
	const struct timeval t = { .tv_usec = 1000L * (soon ? 1 : TICK_MS) };

	if (soon || !evtimer_pending(s->tick, NULL))
		evtimer_add(s->tick, &t);
}

/* Who has been connected for longest without asking makes room for the next one. */
static void make_room(struct assay_server *s)
{
	struct assay_serve_conn *c;

	bury(s);
	if (s->n_conns + 1 < s->max_conns)
		return;
	TAILQ_FOREACH (c, &s->conns, link)
		if (!c->busy && c->deadline_ms != UINT64_MAX) {
			conn_close(c);
			start_tick(s, true);
			break;
		}
	/* Closed ones are buried by the tick; until then nobody else comes in. */
	listen_again(s, false);
}

/* Called for each connection that was accepted. On NULL libevent makes one, which then gets a plain 503. */
static struct bufferevent *on_accept(struct event_base *base, void *arg)
{
	struct assay_server *s = arg;
	struct assay_serve_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->bev = bufferevent_socket_new(base, -1, 0);
	if (!c->bev) {
		free(c);
		return NULL;
	}
	bufferevent_incref(c->bev);
	/* What may come before it is asked for. */
	bufferevent_setwatermark(c->bev, EV_READ, 0, 2 * ASSAY_SERVE_MAX_HEADERS);
	c->deadline_ms = assay_serve_now_ms() + 1000ULL * s->opt.timeout;
	/* Before it is in the list: it has no callbacks yet, and looks as if it were dead. */
	if (s->n_conns + 1 >= s->max_conns)
		make_room(s);
	TAILQ_INSERT_TAIL(&s->conns, c, link);
	s->n_conns++;
	start_tick(s, false);
	return c->bev;
}

/* No more descriptors, say: asking again at once would be in vain. */
static void accept_failed(struct evconnlistener *l, void *arg)
{
	(void)arg;
	evconnlistener_disable(l);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct assay_server *s = arg;
	const uint64_t now = assay_serve_now_ms();
	bool busy = false;
	struct assay_serve_conn *c;

	(void)fd;
	(void)what;
	assay_serve_expire(s, now);
	TAILQ_FOREACH (c, &s->conns, link)
		if (!c->waiting && now >= c->deadline_ms)
			conn_close(c);
	bury(s);
	TAILQ_FOREACH (c, &s->conns, link)
		busy |= c->busy;
	if (!s->draining && s->n_conns < s->max_conns)
		listen_again(s, true);
	if (s->draining && (!busy || now >= s->drain_until_ms))
		event_base_loopbreak(s->base);
	if (s->n_conns > 0 || s->draining)
		start_tick(s, false);
}

/* --- the loop ----------------------------------------------------------------------------------- */

static void fetch_done(struct assay_server *s)
{
	for (;;) {
		ASSAY_AUTO(assay_serve_job) *job = assay_serve_queue_done(s->queue);

		if (!job)
			return;
		assay_serve_is_made(s, job);
	}
}

static void drain(struct assay_server *s)
{
	if (s->draining)
		return;
	s->draining = true;
	/* Those who wait are told before: their deadlines come first. */
	s->drain_until_ms = assay_serve_now_ms() + 1000ULL * s->opt.timeout + 1000;
	evhttp_del_accept_socket(s->http, s->bound);
	s->bound = NULL;
	start_tick(s, false);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct assay_server *s = arg;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) < 0 && errno == EINTR)
		return;
	if (atomic_load(&s->stop))
		drain(s);
	fetch_done(s);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	drain(arg);
}

static int listen_at(struct assay_server *s, struct assay_err *err)
{
	struct sockaddr_storage ss;
	socklen_t got = sizeof(ss);
	char host[INET6_ADDRSTRLEN];
	struct evconnlistener *l;
	size_t len;

	if (assay_serve_address(s->opt.listen, s->opt.any_address, &ss, &len, err) < 0)
		return -1;
	l = evconnlistener_new_bind(s->base, NULL, NULL,
				    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, SOMAXCONN,
				    (struct sockaddr *)&ss, (int)len);
	if (!l)
		return assay_fail_sys(err, "cannot listen at %s", s->opt.listen);
	s->bound = evhttp_bind_listener(s->http, l);
	if (!s->bound) {
		evconnlistener_free(l);
		return assay_fail_mem(err);
	}
	evconnlistener_set_error_cb(l, accept_failed);
	if (getsockname(evconnlistener_get_fd(l), (struct sockaddr *)&ss, &got) < 0)
		return assay_fail_sys(err, "%s", s->opt.listen);
	if (ss.ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)&ss;

		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		snprintf(s->address, sizeof(s->address), "%s:%u", host, ntohs(v4->sin_port));
	} else {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&ss;

		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		snprintf(s->address, sizeof(s->address), "[%s]:%u", host, ntohs(v6->sin6_port));
	}
	return 0;
}

/* Descriptors that are left for connections, besides our own and the TPM's. */
static unsigned room_for(unsigned conns)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0 || lim.rlim_cur == RLIM_INFINITY || lim.rlim_cur >= conns + 64ULL)
		return conns;
	return lim.rlim_cur > 128 ? (unsigned)lim.rlim_cur - 64 : 64;
}

static int set_up_http(struct assay_server *s, struct assay_err *err)
{
	s->http = evhttp_new(s->base);
	if (!s->http)
		return assay_fail_mem(err);
	evhttp_set_max_headers_size(s->http, ASSAY_SERVE_MAX_HEADERS);
	evhttp_set_max_body_size(s->http, ASSAY_SERVE_MAX_BODY);
	/* Those that are not served are refused in our words. */
	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
						    EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
						    EVHTTP_REQ_PATCH);
	/* Deadlines are kept by the tick: libevent's begin anew with each byte. */
	evhttp_set_timeout(s->http, (int)s->opt.timeout + 30);
	evhttp_set_bevcb(s->http, on_accept, s);
	evhttp_set_gencb(s->http, assay_serve_on_request, s);
	return 0;
}

static int set_up_events(struct assay_server *s, struct assay_err *err)
{
	s->wake_event = event_new(s->base, s->wake, EV_READ | EV_PERSIST, on_wake, s);
	s->tick = evtimer_new(s->base, on_tick, s);
	if (!s->wake_event || !s->tick || event_add(s->wake_event, NULL) < 0)
		return assay_fail_mem(err);
	if (!s->opt.signals)
		return 0;
	s->on_term = evsignal_new(s->base, SIGTERM, on_signal, s);
	s->on_int = evsignal_new(s->base, SIGINT, on_signal, s);
	if (!s->on_term || !s->on_int || event_add(s->on_term, NULL) < 0 || event_add(s->on_int, NULL) < 0)
		return assay_fail_mem(err);
	return 0;
}

/* The first one, before anybody is told that we are there. */
static int first_proof(struct assay_server *s, struct assay_err *err)
{
	const uint64_t until = assay_serve_now_ms() + 1000ULL * s->opt.timeout;
	const struct timespec pause = { .tv_nsec = 2000000 };

	if (!assay_serve_make_latest(s, ASSAY_SERVED_LATEST))
		return assay_fail_mem(err);
	for (;;) {
		ASSAY_AUTO(assay_serve_job) *job = assay_serve_queue_done(s->queue);

		if (job && job->rc < 0) {
			*err = job->err;
			return -1;
		}
		if (job) {
			assay_serve_is_made(s, job);
			return job->rc < 0 ? assay_fail_mem(err) : 0;
		}
		if (assay_serve_now_ms() >= until)
			return assay_fail(err, ASSAY_E_TPM, ASSAY_NO_OFFSET,
					  "the first proof was not made within %u seconds", s->opt.timeout);
		nanosleep(&pause, NULL);
	}
}

int assay_server_new(const struct assay_serve_options *opt, const struct assay_prover *prover,
		     struct assay_server **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_server) *s = calloc(1, sizeof(*s));

	if (!s)
		return assay_fail_mem(err);
	TAILQ_INIT(&s->conns);
	TAILQ_INIT(&s->waits);
	s->opt = *opt;
	s->other = prover->other;
	s->max_conns = room_for(opt->connections);
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake < 0)
		return assay_fail_sys(err, "eventfd");
	s->base = event_base_new();
	if (!s->base)
		return assay_fail_mem(err);
	if (set_up_http(s, err) < 0 || set_up_events(s, err) < 0 || listen_at(s, err) < 0 ||
	    assay_serve_queue_new(prover, opt->queue, s->wake, &s->queue, err) < 0 || first_proof(s, err) < 0)
		return -1;
	*ret = assay_steal(&s);
	return 0;
}

const char *assay_server_address(const struct assay_server *s)
{
	return s->address;
}

int assay_server_run(struct assay_server *s, struct assay_err *err)
{
	if (event_base_dispatch(s->base) < 0)
		return assay_fail(err, ASSAY_E_IO, ASSAY_NO_OFFSET, "libevent's loop failed");
	return assay_serve_queue_stop(s->queue, s->opt.timeout, err);
}

void assay_server_stop(struct assay_server *s)
{
	const uint64_t one = 1;
	const int saved = errno;

	atomic_store(&s->stop, true);
	const ssize_t n = write(s->wake, &one, sizeof(one));
	(void)n;
	errno = saved;
}

void assay_server_free(struct assay_server **p)
{
	struct assay_server *s = *p;
	struct assay_serve_conn *c;

	if (!s)
		return;
	/* Connections give back what waits in the queue, so it goes after them. */
	if (s->http)
		evhttp_free(s->http);
	assay_serve_queue_free(&s->queue);
	while ((c = TAILQ_FIRST(&s->conns)))
		conn_free(s, c);
	struct event *events[] = { s->wake_event, s->tick, s->on_term, s->on_int };
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i])
			event_free(events[i]);
	if (s->base)
		event_base_free(s->base);
	for (int i = 0; i < ASSAY_N_SERVED; i++)
		assay_serve_doc_unref(&s->docs[i]);
	if (s->wake >= 0)
		close(s->wake);
	free(s);
	*p = NULL;
}
