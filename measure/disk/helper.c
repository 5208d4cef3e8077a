/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/disk/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "core/text.h"
#include "measure/disk/sandbox.h"

#define PROGRAM "qemu-nbd"
#define MAX_FDS 16
/* A helper that fails says why and ends; this long we wait for it. */
#define LAST_WORDS_MS 2000

struct assay_helper {
	pid_t pid;
	int said; /* its standard error */
};

void assay_helper_free(struct assay_helper **p)
{
	struct assay_helper *h = p ? assay_steal(p) : NULL;

	if (!h)
		return;
	if (h->pid > 0) {
		kill(h->pid, SIGKILL);
		while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (h->said >= 0)
		close(h->said);
	free(h);
}

/* --- what it says -------------------------------------------------------------------------------
 */

/*
 * "qemu-nbd: Failed to blk_new_open 'json:{…}': Why" is about Why.
 */
static const char *gist(char *text)
{
	char *why;

	text[strcspn(text, "\n")] = '\0';
	why = strstr(text, "}': ");
	if (why)
		return why + 4;
	return strncmp(text, PROGRAM ": ", sizeof(PROGRAM) + 1) == 0 ? text + sizeof(PROGRAM) + 1
								     : text;
}

int assay_helper_explain(struct assay_helper *h, struct assay_err *err)
{
	char buf[2048];
	size_t n = 0;

	if (!err)
		return -1;
	while (n < sizeof(buf) - 1) {
		struct pollfd p = { .fd = h->said, .events = POLLIN };
		const ssize_t got =
			poll(&p, 1, LAST_WORDS_MS) > 0 ? read(h->said, buf + n, sizeof(buf) - 1 - n) : 0;

		if (got <= 0)
			break;
		n += (size_t)got;
		if (memchr(buf, '\n', n))
			break;
	}
	buf[n] = '\0';
	if (n == 0)
		return -1;
	const char *why = gist(buf);
	const size_t used = strlen(err->msg);

	/* It may quote the image. */
	for (size_t i = 0; i < n; i++)
		if (buf[i] < 0x20 || buf[i] > 0x7e)
			buf[i] = buf[i] ? '?' : '\0';
	snprintf(err->msg + used, sizeof(err->msg) - used, ": " PROGRAM " says: %s", why);
	return -1;
}

/* --- finding it ---------------------------------------------------------------------------------
 */

static int find_program(char **ret, struct assay_err *err)
{
	const char *path = getenv("PATH");

	for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
		const size_t n = strcspn(p, ":");
		ASSAY_AUTO_FREE char *full = assay_asprintf("%.*s/" PROGRAM, (int)n, p);

		if (!full)
			return assay_fail_mem(err);
		if (*full == '/' && access(full, X_OK) == 0) {
			*ret = realpath(full, NULL);
			return *ret ? 0 : assay_fail_mem(err);
		}
		p += n + (p[n] == ':');
	}
	return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
			  "a disk in this format needs " PROGRAM ", which is not installed");
}

/* --- sockets ------------------------------------------------------------------------------------
 */

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/*
 * A listening socket, and connections to it that wait to be accepted. Its name lies in a folder of ours, and is gone
 * before anybody else could use it.
 */
static int make_sockets(int *listener, int *conns, size_t n, struct assay_err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/assay-nbd-XXXXXX";
	size_t i = 0;
	bool good;

	if (!mkdtemp(dir))
		return assay_fail_sys(err, "cannot make a folder in /tmp");
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/s", dir);
	*listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	good = *listener >= 0 && bind(*listener, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
	       listen(*listener, (int)n) == 0;
	for (; good && i < n; i++) {
		conns[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (conns[i] < 0)
			break;
		if (connect(conns[i], (struct sockaddr *)&addr, sizeof(addr)) < 0) {
			close(conns[i]);
			break;
		}
	}
	if (i < n) {
		assay_fail_sys(err, "cannot make a socket");
		close_all(conns, i);
		close_all(listener, 1);
	}
	unlink(addr.sun_path);
	rmdir(dir);
	return i < n ? -1 : 0;
}

/* --- starting it --------------------------------------------------------------------------------
 */

struct start {
	char *program;
	char *argv[5];
	char pid_text[32]; /* LISTEN_PID=…: the child's own, set by the child */
	char *env[6];
	int listener;
	int said; /* where its standard error goes */
	int null;
	int ruleset;
	const int *fds;
	size_t n_fds;
	pid_t parent;
};

static void put_number(char *at, unsigned long v)
{
	char digits[24];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	while (n > 0)
		*at++ = digits[--n];
	*at = '\0';
}

static __attribute__((noreturn)) void child_fail(const char *what)
{
	/* Standard error is the pipe, or nobody's concern yet. */
	if (write(STDERR_FILENO, what, strlen(what)) > 0)
		(void)!write(STDERR_FILENO, "\n", 1);
	_exit(126);
}

/* Between fork and exec: system calls and nothing else. */
static __attribute__((noreturn)) void child(struct start *s)
{
	int high[ASSAY_HELPER_FD(MAX_FDS) + 1];
	const char *failed;
	const int from[] = { s->null, s->null, s->said, s->listener };
	const size_t n = (size_t)ASSAY_HELPER_FD(s->n_fds);
	sigset_t none;

	/* First out of the way of the numbers that they are to have, with the ruleset last. */
	for (size_t i = 0; i <= n; i++) {
		const int fd = i < 4 ? from[i] : i < n ? s->fds[i - 4] : s->ruleset;

		high[i] = i == n && fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 64);
		if (high[i] < 0 && i < n)
			child_fail("cannot copy a descriptor");
	}
	for (size_t i = 0; i < n; i++)
		if (dup2(high[i], (int)i) < 0)
			child_fail("cannot copy a descriptor");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		child_fail("cannot be tied to its parent");
	if (getppid() != s->parent)
		_exit(126);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	put_number(s->pid_text + strlen(s->pid_text), (unsigned long)getpid());
	failed = assay_sandbox_enter(high[n]);
	if (failed)
		child_fail(failed);
#ifdef __NR_close_range
	/* All of ours close themselves; a library's may not. */
	syscall(__NR_close_range, (unsigned)n, ~0U, 0);
#endif
	execve(s->program, s->argv, s->env);
	child_fail("cannot be started");
}

static int start(struct start *s, struct assay_helper *h, struct assay_err *err)
{
	int pipefd[2];

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return assay_fail_sys(err, "cannot make a pipe");
	h->said = pipefd[0];
	/* Nobody reads along: what does not fit is lost, and the helper does not wait. */
	fcntl(pipefd[1], F_SETFL, O_NONBLOCK);
	s->said = pipefd[1];
	s->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (s->null < 0) {
		close(pipefd[1]);
		return assay_fail_sys(err, "cannot open /dev/null");
	}
	s->parent = getpid();
	h->pid = fork();
	if (h->pid == 0)
		child(s);
	close(pipefd[1]);
	close(s->null);
	return h->pid > 0 ? 0 : assay_fail_sys(err, "cannot start " PROGRAM);
}

int assay_helper_start(const char *disk, const int *fds, size_t n_fds, int *conns, size_t n_conns,
		       struct assay_helper **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_helper) *h = calloc(1, sizeof(*h));
	ASSAY_AUTO_FREE char *program = NULL;
	ASSAY_AUTO_FREE char *name = NULL;
	ASSAY_AUTO_FREE char *shared = NULL;
	struct start s = { .fds = fds, .n_fds = n_fds, .ruleset = -1, .listener = -1 };
	int rc;

	if (!h)
		return assay_fail_mem(err);
	h->said = -1;
	if (n_fds > MAX_FDS)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%zu files, limit %d", n_fds,
				  MAX_FDS);
	if (find_program(&program, err) < 0)
		return -1;
	name = assay_asprintf("json:%s", disk);
	shared = assay_asprintf("--shared=%zu", n_conns);
	if (!name || !shared)
		return assay_fail_mem(err);
	s.program = program;
	s.argv[0] = (char[]){ PROGRAM };
	s.argv[1] = (char[]){ "--read-only" };
	s.argv[2] = shared;
	s.argv[3] = name;
	strcpy(s.pid_text, "LISTEN_PID=");
	s.env[0] = (char[]){ "LISTEN_FDS=1" };
	s.env[1] = s.pid_text;
	s.env[2] = (char[]){ "LC_ALL=C" };
	s.env[3] = (char[]){ "PATH=/usr/bin:/bin" };
	if (assay_sandbox_prepare(program, fds, n_fds, &s.ruleset, err) < 0)
		return -1;
	rc = make_sockets(&s.listener, conns, n_conns, err);
	if (rc == 0) {
		rc = start(&s, h, err);
		close(s.listener);
		if (rc < 0)
			close_all(conns, n_conns);
	}
	close_all(&s.ruleset, 1);
	if (rc < 0)
		return -1;
	*ret = assay_steal(&h);
	return 0;
}
