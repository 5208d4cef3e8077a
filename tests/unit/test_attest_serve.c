/* SPDX-License-Identifier: Apache-2.0 */
/* The server with a prover that does as it is told; its clients are plain sockets. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include "attest/serve.h"
#include "attest/serve_priv.h"
#include "core/digest.h"
#include "core/text.h"
#include "tests/unit/unit.h"

/* --- a prover ------------------------------------------------------------------------------------ */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t change;
	bool shut;	      /* proofs wait at the gate */
	int at_gate;	      /* now */
	int made;	      /* so far */
	enum assay_code fail; /* instead */
	char nonces[4096];    /* of fresh ones, in order, each with a blank */
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER };

static int prove(void *arg, enum assay_served what, const uint8_t *nonce, size_t nonce_len, char **ret, size_t *ret_len,
		 struct assay_err *err)
{
	char hex[2 * ASSAY_SERVE_NONCE_MAX + 1] = "";
	int r = 0;

	assert_ptr_equal(arg, &fake);
	assert_int_equal(nonce_len > 0, what == ASSAY_SERVED_FRESH);
	if (nonce)
		assay_hex(nonce, nonce_len, hex);
	pthread_mutex_lock(&fake.lock);
	fake.at_gate++;
	pthread_cond_broadcast(&fake.change);
	while (fake.shut)
		pthread_cond_wait(&fake.change, &fake.lock);
	fake.at_gate--;
	fake.made++;
	if (nonce && strlen(fake.nonces) + strlen(hex) + 2 < sizeof(fake.nonces))
		strcat(strcat(fake.nonces, hex), " ");
	if (fake.fail != ASSAY_OK)
		r = assay_fail(err, fake.fail, ASSAY_NO_OFFSET, "TPM2_Quote: \"so\" it is");
	else
		*ret = assay_asprintf("{\"what\":%d,\"n\":%d,\"nonce\":\"%s\"}\n", (int)what, fake.made, hex);
	pthread_mutex_unlock(&fake.lock);
	if (r == 0)
		*ret_len = strlen(*ret);
	return r;
}

static void gate(bool shut)
{
	pthread_mutex_lock(&fake.lock);
	fake.shut = shut;
	pthread_cond_broadcast(&fake.change);
	pthread_mutex_unlock(&fake.lock);
}

static void wait_at_gate(void)
{
	pthread_mutex_lock(&fake.lock);
	while (fake.at_gate == 0)
		pthread_cond_wait(&fake.change, &fake.lock);
	pthread_mutex_unlock(&fake.lock);
}

static void set_fail(enum assay_code code)
{
	pthread_mutex_lock(&fake.lock);
	fake.fail = code;
	pthread_mutex_unlock(&fake.lock);
}

/* --- a server ------------------------------------------------------------------------------------ */

static struct assay_server *server;
static pthread_t thread;
static struct assay_serve_options opt;
static bool other;
static int run_result;
static uint16_t port;

static int set_up(void **state)
{
	(void)state;
	gate(false);
	fake.made = 0;
	fake.fail = ASSAY_OK;
	fake.nonces[0] = '\0';
	other = false;
	opt = (struct assay_serve_options){ .listen = "127.0.0.1:0", .queue = 4, .connections = 64, .max_age = 3600,
					    .timeout = 60 };
	return 0;
}

static int make_server(struct assay_err *err)
{
	const struct assay_prover prover = { .prove = prove, .arg = &fake, .other = other };

	return assay_server_new(&opt, &prover, &server, err);
}

static void *run_server(void *arg)
{
	struct assay_err *err = arg;

	run_result = assay_server_run(server, err);
	return NULL;
}

static struct assay_err run_err;

static void start(void)
{
	struct assay_err err;

	if (make_server(&err) < 0)
		fail_msg("%s", err.msg);
	port = (uint16_t)atoi(strrchr(assay_server_address(server), ':') + 1);
	assert_int_equal(pthread_create(&thread, NULL, run_server, &run_err), 0);
}

static void stop(void)
{
	assay_server_stop(server);
	pthread_join(thread, NULL);
	assert_int_equal(run_result, 0);
	assay_server_free(&server);
}

/* --- a client ------------------------------------------------------------------------------------ */

static int dial(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	const struct timeval patience = { .tv_sec = 100 };
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* All that comes until the other side ends. */
static char *hear(int fd)
{
	static char got[65536];
	size_t n = 0;

	for (;;) {
		const ssize_t k = recv(fd, got + n, sizeof(got) - 1 - n, 0);

		if (k < 0 && errno == ECONNRESET)
			break;
		if (k < 0)
			fail_msg("recv: %s", strerror(errno));
		if (k == 0)
			break;
		n += (size_t)k;
	}
	got[n] = '\0';
	close(fd);
	return got;
}

static int ask_for(const char *method, const char *target)
{
	char text[8192];
	const int fd = dial();

	snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n\r\n", method,
		 target);
	say(fd, text);
	return fd;
}

static const char *ask(const char *method, const char *target)
{
	return hear(ask_for(method, target));
}

static int code_of(const char *got)
{
	int code = 0;

	assert_int_equal(sscanf(got, "HTTP/1.%*d %d ", &code), 1);
	return code;
}

static const char *body_of(const char *got)
{
	const char *p = strstr(got, "\r\n\r\n");

	assert_non_null(p);
	return p + 4;
}

#define WANT(got, part)                                                                            \
	do {                                                                                       \
		if (!strstr(got, part))                                                            \
			fail_msg("no '%s' in: %s", part, got);                                     \
	} while (0)

#define PROOF "/.well-known/assay/proof"
#define NONCE(c) PROOF "?nonce=" c c c c c c c c "00000000"

/* --- words ---------------------------------------------------------------------------------------- */

static void addresses(void **state)
{
	static const struct {
		const char *text;
		int loopback; /* -1: none at all */
	} rows[] = {
		{ "127.0.0.1:0", 1 },	     { "127.0.0.1:65535", 1 },	 { "127.8.9.1:80", 1 },	  { "[::1]:8081", 1 },
		{ "0.0.0.0:80", 0 },	     { "192.0.2.1:80", 0 },	 { "[::]:80", 0 },	  { "[2001:db8::1]:80", 0 },
		{ "128.0.0.1:80", 0 },	     { "[::ffff:127.0.0.1]:80", 0 }, { "127.0.0.1", -1 },  { "127.0.0.1:", -1 },
		{ "127.0.0.1:65536", -1 },   { "127.0.0.1:-1", -1 },	 { "127.0.0.1:+1", -1 },  { "127.0.0.1: 1", -1 },
		{ "127.0.0.1:1 ", -1 },	     { "127.0.0.1:000080", -1 }, { "localhost:80", -1 },  { ":80", -1 },
		{ "", -1 },		     { "[]:80", -1 },		 { "[::1:80", -1 },	  { "::1:80", -1 },
		{ "[127.0.0.1]:80", -1 },    { "127.1:80", -1 },	 { "[::1%lo]:80", -1 },
	};
	struct sockaddr_storage ss;
	struct assay_err err;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("# %s\n", rows[i].text);
		assert_int_equal(assay_serve_address(rows[i].text, false, &ss, &len, &err), rows[i].loopback == 1 ? 0 : -1);
		if (rows[i].loopback != 1)
			assert_int_equal(err.code, ASSAY_E_USAGE);
		if (rows[i].loopback == 0)
			WANT(err.msg, "not an address of the loopback interface");
		assert_int_equal(assay_serve_address(rows[i].text, true, &ss, &len, &err), rows[i].loopback >= 0 ? 0 : -1);
	}
}

static void queries(void **state)
{
	uint8_t nonce[ASSAY_SERVE_NONCE_MAX];
	char text[200] = "nonce=";
	struct assay_err err;
	size_t len;

	(void)state;
	for (size_t n = 0; n < 140; n++) {
		memset(text + 6, 'a', n);
		text[6 + n] = '\0';
		const bool good = n >= 16 && n <= 128 && n % 2 == 0;
		assert_int_equal(assay_serve_query(text, nonce, &len, &err), good ? 0 : -1);
		if (good)
			assert_int_equal(len, n / 2);
	}
	assert_int_equal(assay_serve_query("nonce=0123456789AbCdEf", nonce, &len, &err), 0);
	assert_memory_equal(nonce, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8);
	static const char *const bad[] = { "",
					   "nonce",
					   "nonce=",
					   "Nonce=0123456789abcdef",
					   "nonce=0123456789abcdeg",
					   "nonce=0123456789abcdef&",
					   "nonce=0123456789abcdef&nonce=0123456789abcdef",
					   "x=1&nonce=0123456789abcdef",
					   "nonce=0x123456789abcdef",
					   "nonce=%30123456789abcdef",
					   "nonce=0123456789abcdef ",
					   " nonce=0123456789abcdef" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(assay_serve_query(bad[i], nonce, &len, &err), -1);
		assert_int_equal(err.code, ASSAY_E_USAGE);
	}
}

static void notify(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/assay-test-XXXXXX";
	struct assay_err err;
	char got[100];

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(assay_serve_notify("READY=1", &err), 0);
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(assay_serve_notify("READY=1", &err), -1);
	assert_non_null(mkdtemp(dir));
	for (int abstract = 0; abstract < 2; abstract++) {
		char path[sizeof(sa.sun_path)];
		const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

		snprintf(path, sizeof(path), "%s%s/n", abstract ? "@" : "", dir);
		setenv("NOTIFY_SOCKET", path, 1);
		assert_int_equal(assay_serve_notify("READY=1", &err), -1);
		memset(sa.sun_path, 0, sizeof(sa.sun_path));
		strcpy(sa.sun_path, path);
		if (abstract)
			sa.sun_path[0] = '\0';
		assert_int_equal(bind(fd, (struct sockaddr *)&sa,
				      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + !abstract)),
				 0);
		assert_int_equal(assay_serve_notify("READY=1", &err), 0);
		assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), 7);
		assert_memory_equal(got, "READY=1", 7);
		close(fd);
		if (!abstract)
			unlink(path);
	}
	rmdir(dir);
	unsetenv("NOTIFY_SOCKET");
}

/* --- over HTTP ----------------------------------------------------------------------------------- */

static void answers(void **state)
{
	char etag[100], text[500];
	const char *got, *p;

	(void)state;
	start();
	got = ask("GET", PROOF);
	assert_int_equal(code_of(got), 200);
	WANT(got, "\r\nContent-Type: application/json\r\n");
	WANT(got, "\r\nCache-Control: no-cache\r\n");
	assert_string_equal(body_of(got), "{\"what\":1,\"n\":1,\"nonce\":\"\"}\n");
	p = strstr(got, "\r\nETag: ");
	assert_non_null(p);
	assert_int_equal(sscanf(p, "\r\nETag: %99[^\r]", etag), 1);
	assert_int_equal(strlen(etag), 66);

	got = ask("GET", PROOF "?");
	assert_string_equal(body_of(got), "{\"what\":1,\"n\":1,\"nonce\":\"\"}\n");
	got = ask("GET", "http://else.where:99" PROOF);
	assert_string_equal(body_of(got), "{\"what\":1,\"n\":1,\"nonce\":\"\"}\n");
	got = ask("GET", "/attestation.json");
	assert_string_equal(body_of(got), "{\"what\":1,\"n\":1,\"nonce\":\"\"}\n");

	got = ask("HEAD", PROOF);
	assert_int_equal(code_of(got), 200);
	WANT(got, "\r\nContent-Length: 28\r\n");
	WANT(got, etag);
	assert_string_equal(body_of(got), "");
	snprintf(text, sizeof(text), "GET " PROOF " HTTP/1.1\r\nIf-None-Match: \"x\", %s\r\nConnection: close\r\n\r\n",
		 etag);
	int fd = dial();
	say(fd, text);
	got = hear(fd);
	assert_int_equal(code_of(got), 304);
	assert_string_equal(body_of(got), "");

	got = ask("GET", NONCE("1A"));
	assert_int_equal(code_of(got), 200);
	WANT(got, "\r\nContent-Type: application/json\r\n");
	WANT(got, "\r\nCache-Control: no-store\r\n");
	assert_null(strstr(got, "ETag"));
	assert_string_equal(body_of(got), "{\"what\":0,\"n\":2,\"nonce\":\"1a1a1a1a1a1a1a1a00000000\"}\n");
	got = ask("HEAD", NONCE("1a"));
	assert_int_equal(code_of(got), 200);
	assert_string_equal(body_of(got), "");
	assert_int_equal(fake.made, 2);

	static const struct {
		const char *method, *target;
		int code;
	} rows[] = {
		{ "GET", "/", 404 },
		{ "GET", PROOF "/", 404 },
		{ "GET", "/.well-known/assay/../assay/proof", 404 },
		{ "GET", "/.well-known//assay/proof", 404 },
		{ "GET", "/.well-known/assay/%70roof", 404 },
		{ "GET", "/attestation.jso", 404 },
		{ "POST", "/", 404 },
		{ "GET", PROOF "?nonce=", 400 },
		{ "GET", PROOF "?nonce=0123456789abcde", 400 },
		{ "GET", PROOF "?nonce=0123456789abcdeg", 400 },
		{ "GET", PROOF "?other=0123456789abcdef", 400 },
		{ "HEAD", PROOF "?nonce=12", 400 },
		{ "GET", "/attestation.json?nonce=0123456789abcdef", 400 },
		{ "POST", PROOF, 405 },
		{ "PUT", PROOF, 405 },
		{ "DELETE", PROOF, 405 },
		{ "OPTIONS", PROOF, 405 },
		{ "PATCH", PROOF, 405 },
		{ "TRACE", PROOF, 405 },
		{ "POST", "/attestation.json", 405 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		got = ask(rows[i].method, rows[i].target);
		if (code_of(got) != rows[i].code)
			fail_msg("%s %s: %s", rows[i].method, rows[i].target, got);
		WANT(got, "\r\nContent-Type: application/json\r\n");
		WANT(got, "\r\nCache-Control: no-store\r\n");
		if (strcmp(rows[i].method, "HEAD") != 0)
			assert_memory_equal(body_of(got), "{\n  \"error\": \"", 14);
		if (rows[i].code == 405)
			WANT(got, "\r\nAllow: GET, HEAD\r\n");
	}
	assert_int_equal(fake.made, 2);
	stop();
}

static void other_format(void **state)
{
	(void)state;
	other = true;
	start();
	assert_string_equal(body_of(ask("GET", "/attestation.json")), "{\"what\":2,\"n\":2,\"nonce\":\"\"}\n");
	assert_string_equal(body_of(ask("GET", "/attestation.json")), "{\"what\":2,\"n\":2,\"nonce\":\"\"}\n");
	assert_string_equal(body_of(ask("GET", PROOF)), "{\"what\":1,\"n\":1,\"nonce\":\"\"}\n");
	stop();
}

static void one_connection_many_requests(void **state)
{
	const char *got, *p;
	int n = 0;

	(void)state;
	start();
	int fd = dial();
	say(fd, "GET " NONCE("aa") " HTTP/1.1\r\n\r\nGET " NONCE("bb") " HTTP/1.1\r\n\r\nGET /x HTTP/1.1\r\n\r\n"
		"GET " PROOF " HTTP/1.1\r\nConnection: close\r\n\r\n");
	got = hear(fd);
	for (p = got; (p = strstr(p, "HTTP/1.1 ")); p++)
		n++;
	assert_int_equal(n, 4);
	WANT(got, "\"n\":2,\"nonce\":\"aaaa");
	WANT(got, "\"n\":3,\"nonce\":\"bbbb");
	fd = dial();
	say(fd, "GET " PROOF " HTTP/1.0\r\n\r\n");
	assert_int_equal(code_of(hear(fd)), 200);
	stop();
}

static void what_is_no_http(void **state)
{
	static char big[ASSAY_SERVE_NONCE_MAX * 1024 + 300];
	const char *got;
	int fd;

	(void)state;
	start();
	static const char *const bad[] = { "\r\n\r\n", "GET\r\n\r\n", "GET " PROOF "\r\n\r\n", "\x16\x03\x01\r\n\r\n",
					   "GET " PROOF " HTTP/9.9\r\n\r\n", "FOO " PROOF " HTTP/1.1\r\nConnection: close\r\n\r\n",
					   "GET " PROOF " HTTP/1.1\r\nno colon\r\n\r\n",
					   "GET http://[::1 HTTP/1.1\r\n\r\n" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fd = dial();
		say(fd, bad[i]);
		shutdown(fd, SHUT_WR);
		got = hear(fd);
		if (got[0] != '\0' && (code_of(got) < 400 || code_of(got) > 599))
			fail_msg("%zu: %s", i, got);
	}
	/* Headers and bodies have an end. */
	fd = dial();
	say(fd, "GET " PROOF " HTTP/1.1\r\nX: ");
	memset(big, 'x', sizeof(big) - 1);
	send(fd, big, strlen(big), MSG_NOSIGNAL);
	got = hear(fd);
	assert_true(got[0] == '\0' || code_of(got) >= 400);
	fd = dial();
	say(fd, "POST " PROOF " HTTP/1.1\r\nContent-Length: 99999999999\r\nConnection: close\r\n\r\n");
	got = hear(fd);
	assert_true(got[0] == '\0' || code_of(got) >= 400);
	fd = dial();
	say(fd, "POST " PROOF " HTTP/1.1\r\nContent-Length: 4\r\nConnection: close\r\n\r\nabcd");
	assert_int_equal(code_of(hear(fd)), 405);
	assert_int_equal(code_of(ask("GET", PROOF)), 200);
	stop();
}

static void latest_is_made_again(void **state)
{
	char file[] = "/tmp/assay-test-XXXXXX";
	const int fd = mkstemp(file);

	(void)state;
	assert_true(fd >= 0);
	opt.watch = file;
	start();
	WANT(ask("GET", PROOF), "\"n\":1,");
	WANT(ask("GET", PROOF), "\"n\":1,");
	assert_int_equal(write(fd, "record\n", 7), 7);
	WANT(ask("GET", PROOF), "\"n\":2,");
	WANT(ask("GET", PROOF), "\"n\":2,");
	/* Grown, and no proof can be made: the old one is not given for it. */
	assert_int_equal(write(fd, "record\n", 7), 7);
	set_fail(ASSAY_E_TPM);
	assert_int_equal(code_of(ask("GET", PROOF)), 503);
	set_fail(ASSAY_OK);
	assert_int_equal(code_of(ask("GET", PROOF)), 200);
	close(fd);
	unlink(file);
	WANT(ask("GET", PROOF), "\"n\":5,");
	stop();
	opt.watch = NULL;
	opt.max_age = 0;
	start();
	usleep(20000);
	const int before = fake.made;
	assert_int_equal(code_of(ask("GET", PROOF)), 200);
	assert_int_equal(fake.made, before + 1);
	stop();
}

/* Many who ask for the latest while it is made: one proof for all. */
static void latest_is_made_once(void **state)
{
	int fds[20];

	(void)state;
	opt.max_age = 0;
	start();
	usleep(20000);
	gate(true);
	for (int i = 0; i < 20; i++)
		fds[i] = ask_for("GET", PROOF);
	/* All of them have come in when one that came later is told something. */
	assert_int_equal(code_of(ask("GET", "/x")), 404);
	wait_at_gate();
	gate(false);
	for (int i = 0; i < 20; i++)
		WANT(hear(fds[i]), "\"n\":2,");
	stop();
}

static void queue_has_a_bound(void **state)
{
	char target[100], want[60];
	int fds[5];

	(void)state;
	start();
	gate(true);
	for (int i = 0; i < 5; i++) {
		snprintf(target, sizeof(target), PROOF "?nonce=%02d11223344556677", i);
		fds[i] = ask_for("GET", target);
		if (i == 0)
			wait_at_gate();
		else
			assert_int_equal(code_of(ask("GET", "/x")), 404);
	}
	/* One is being made, four wait. */
	for (int i = 0; i < 3; i++) {
		const char *got = ask("GET", NONCE("cc"));

		assert_int_equal(code_of(got), 503);
		WANT(got, "\r\nRetry-After: ");
		WANT(got, "too many requests wait");
	}
	gate(false);
	for (int i = 0; i < 5; i++) {
		snprintf(want, sizeof(want), "\"nonce\":\"%02d11223344556677\"", i);
		WANT(hear(fds[i]), want);
	}
	assert_null(strstr(fake.nonces, "cccc"));
	stop();
}

static void who_went_away_is_dropped(void **state)
{
	int a, b, d;

	(void)state;
	opt.queue = 1;
	opt.timeout = 600;
	start();
	gate(true);
	a = ask_for("GET", NONCE("aa"));
	wait_at_gate();
	b = ask_for("GET", NONCE("bb"));
	assert_int_equal(code_of(ask("GET", "/x")), 404);
	assert_int_equal(code_of(ask("GET", NONCE("dd"))), 503);
	close(b);
	for (;;) {
		struct pollfd p = { .events = POLLIN };

		d = p.fd = ask_for("GET", NONCE("dd"));
		if (poll(&p, 1, 200) == 0)
			break;
		assert_int_equal(code_of(hear(d)), 503);
	}
	gate(false);
	assert_int_equal(code_of(hear(a)), 200);
	assert_int_equal(code_of(hear(d)), 200);
	assert_null(strstr(fake.nonces, "bbbb"));
	/* Those who send more while they wait are heard later, however much it is. */
	gate(true);
	a = ask_for("GET", NONCE("aa"));
	wait_at_gate();
	b = dial();
	say(b, "GET " NONCE("bb") " HTTP/1.1\r\n\r\n");
	for (int i = 0; i < 1000; i++)
		if (send(b, "GET /x HTTP/1.1\r\nX: 2345678901234567890123456789012345678901234567890\r\n\r\n", 73,
			 MSG_NOSIGNAL | MSG_DONTWAIT) != 73)
			break;
	assert_int_equal(code_of(ask("GET", "/x")), 404);
	gate(false);
	assert_int_equal(code_of(hear(a)), 200);
	char first[13];
	assert_int_equal(recv(b, first, 12, MSG_WAITALL), 12);
	assert_memory_equal(first, "HTTP/1.1 200", 12);
	close(b);
	/* One whose proof is being made goes away, too. */
	gate(true);
	a = ask_for("GET", NONCE("aa"));
	wait_at_gate();
	close(a);
	assert_int_equal(code_of(ask("GET", "/x")), 404);
	gate(false);
	assert_int_equal(code_of(ask("GET", NONCE("ee"))), 200);
	stop();
}

static void failures(void **state)
{
	const char *got;

	(void)state;
	start();
	set_fail(ASSAY_E_TPM);
	got = ask("GET", NONCE("aa"));
	assert_int_equal(code_of(got), 503);
	WANT(got, "\r\nRetry-After: 5\r\n");
	assert_string_equal(body_of(got), "{\n  \"error\": \"no proof: TPM2_Quote: \\\"so\\\" it is\"\n}\n");
	set_fail(ASSAY_E_IO);
	got = ask("GET", NONCE("aa"));
	assert_int_equal(code_of(got), 500);
	assert_null(strstr(got, "Retry-After"));
	/* What was made before is good still. */
	assert_int_equal(code_of(ask("GET", PROOF)), 200);
	set_fail(ASSAY_OK);
	assert_int_equal(code_of(ask("GET", NONCE("aa"))), 200);
	stop();

	struct assay_err err;
	set_fail(ASSAY_E_TPM);
	assert_int_equal(make_server(&err), -1);
	assert_int_equal(err.code, ASSAY_E_TPM);
	WANT(err.msg, "TPM2_Quote");
	set_fail(ASSAY_OK);
	opt.listen = "0.0.0.0:0";
	assert_int_equal(make_server(&err), -1);
	assert_int_equal(err.code, ASSAY_E_USAGE);
	opt.any_address = true;
	assert_int_equal(make_server(&err), 0);
	assay_server_free(&server);
	opt.listen = "[::1]:0";
	if (make_server(&err) == 0) {
		assert_memory_equal(assay_server_address(server), "[::1]:", 6);
		assay_server_free(&server);
	}
}

static void a_port_that_is_taken(void **state)
{
	struct assay_server *first;
	struct assay_err err;
	char address[40];

	(void)state;
	assert_int_equal(make_server(&err), 0);
	first = server;
	snprintf(address, sizeof(address), "%s", assay_server_address(first));
	opt.listen = address;
	assert_int_equal(make_server(&err), -1);
	assert_int_equal(err.code, ASSAY_E_IO);
	WANT(err.msg, address);
	assay_server_free(&first);
}

static void requests_time_out(void **state)
{
	int a, b;

	(void)state;
	opt.timeout = 1;
	start();
	gate(true);
	a = ask_for("GET", NONCE("aa"));
	wait_at_gate();
	b = ask_for("GET", NONCE("bb"));
	const char *got = hear(a);
	assert_int_equal(code_of(got), 503);
	WANT(got, "no proof was made in time");
	assert_int_equal(code_of(hear(b)), 503);
	assert_int_equal(code_of(ask("GET", PROOF)), 200);
	gate(false);
	assert_int_equal(code_of(ask("GET", NONCE("cc"))), 200);
	/* b was taken out of the queue; a was under way. */
	assert_string_equal(fake.nonces, "aaaaaaaaaaaaaaaa00000000 cccccccccccccccc00000000 ");
	stop();
}

static void slow_clients_stop_nobody(void **state)
{
	int fds[200];

	(void)state;
	opt.connections = 16;
	opt.timeout = 1;
	start();
	for (int i = 0; i < 200; i++) {
		fds[i] = dial();
		send(fds[i], "GET / HTTP/1.1\r\nX: ", 19, MSG_NOSIGNAL);
		if (i % 20 == 19)
			assert_int_equal(code_of(ask("GET", NONCE("aa"))), 200);
	}
	for (int i = 0; i < 200; i++)
		close(fds[i]);
	/* A byte now and then does not keep a connection open. */
	const int fd = dial();
	say(fd, "GET / HTTP/1.1\r\nX: ");
	for (int i = 0;; i++) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		assert_true(i < 600);
		if (send(fd, "x", 1, MSG_NOSIGNAL) < 0 || poll(&p, 1, 100) > 0)
			break;
	}
	close(fd);
	/* Nor does asking and not reading, or being idle after an answer. */
	const int idle = dial();
	say(idle, "GET " PROOF " HTTP/1.1\r\n\r\n");
	WANT(hear(idle), "200 OK");
	stop();
}

static void stop_answers_what_waits(void **state)
{
	int a, b;

	(void)state;
	start();
	gate(true);
	a = ask_for("GET", NONCE("aa"));
	wait_at_gate();
	b = ask_for("GET", NONCE("bb"));
	assert_int_equal(code_of(ask("GET", "/x")), 404);
	assay_server_stop(server);
	/* Nobody listens any more. */
	for (;;) {
		struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
		const int fd = socket(AF_INET, SOCK_STREAM, 0);

		sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		const int r = connect(fd, (struct sockaddr *)&sa, sizeof(sa));
		close(fd);
		if (r < 0)
			break;
		usleep(10000);
	}
	gate(false);
	assert_int_equal(code_of(hear(a)), 200);
	assert_int_equal(code_of(hear(b)), 200);
	stop();
}

/* A TPM that never answers does not keep the machine from ending the service. */
static void stop_while_a_proof_hangs(void **state)
{
	(void)state;
	opt.timeout = 1;
	start();
	gate(true);
	const int a = ask_for("GET", NONCE("aa"));
	wait_at_gate();
	assay_server_stop(server);
	pthread_join(thread, NULL);
	assert_int_equal(run_result, -1);
	assert_int_equal(run_err.code, ASSAY_E_TPM);
	assert_int_equal(code_of(hear(a)), 503);
	assay_server_free(&server);
	gate(false);
	usleep(50000); /* its thread ends; what it holds is left behind, on purpose */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(queries),
		cmocka_unit_test(notify),
		cmocka_unit_test_setup(answers, set_up),
		cmocka_unit_test_setup(other_format, set_up),
		cmocka_unit_test_setup(one_connection_many_requests, set_up),
		cmocka_unit_test_setup(what_is_no_http, set_up),
		cmocka_unit_test_setup(latest_is_made_again, set_up),
		cmocka_unit_test_setup(latest_is_made_once, set_up),
		cmocka_unit_test_setup(queue_has_a_bound, set_up),
		cmocka_unit_test_setup(who_went_away_is_dropped, set_up),
		cmocka_unit_test_setup(failures, set_up),
		cmocka_unit_test_setup(a_port_that_is_taken, set_up),
		cmocka_unit_test_setup(requests_time_out, set_up),
		cmocka_unit_test_setup(slow_clients_stop_nobody, set_up),
		cmocka_unit_test_setup(stop_answers_what_waits, set_up),
		cmocka_unit_test_setup(stop_while_a_proof_hangs, set_up),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
