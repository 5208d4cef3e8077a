/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/src.h"
#include "core/text.h"

#define MAX_SERIAL (64U << 20)
#define TPM_START_SECONDS 15
#define HELPER_SECONDS 60

extern char **environ;

struct assay_machine {
	char *folder, *serial, *state, *socket;
	pid_t qemu, tpm;
	struct sigaction old[3];
};

/* --- signals ------------------------------------------------------------------------------------
 */

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
#define N_SIGNALS (sizeof(signals) / sizeof(signals[0]))

static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
	caught = sig;
}

static int fail_if_caught(struct assay_err *err)
{
	return caught ? assay_fail(err, ASSAY_E_IO, ASSAY_NO_OFFSET, "interrupted") : 0;
}

/* --- children -----------------------------------------------------------------------------------
 */

/* stdout and stderr go to `output`, stdin comes from nowhere. */
static int spawn(char *const argv[], const char *output, pid_t *ret, struct assay_err *err)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t defaults;
	int r;

	if (posix_spawn_file_actions_init(&files) != 0)
		return assay_fail_mem(err);
	if (posix_spawnattr_init(&attr) != 0) {
		posix_spawn_file_actions_destroy(&files);
		return assay_fail_mem(err);
	}
	sigemptyset(&defaults);
	for (size_t i = 0; i < N_SIGNALS; i++)
		sigaddset(&defaults, signals[i]);
	r = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, output,
						     O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(&attr, &defaults);
	if (r == 0)
		r = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	if (r == 0)
		r = posix_spawnp(ret, argv[0], &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	errno = r;
	return r == 0 ? 0 : assay_fail_sys(err, "cannot start %s", argv[0]);
}

static void end(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
		;
	*pid = 0;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void nap(void)
{
	const struct timespec t = { 0, 50 * 1000 * 1000 };

	nanosleep(&t, NULL); /* a signal cuts it short, which is as well */
}

/* Has the child ended? Its wait status, and pid is forgotten. */
static bool has_ended(pid_t *pid, int *status)
{
	if (waitpid(*pid, status, WNOHANG) != *pid)
		return false;
	*pid = 0;
	return true;
}

static void show_seconds(const char *what, double since, int *last)
{
	const int seconds = (int)(now() - since);

	if (!assay_cli_stderr_is_terminal() || seconds == *last)
		return;
	*last = seconds;
	fprintf(stderr, "\r%s: %d s", what, seconds);
}

static void clear_seconds(void)
{
	if (assay_cli_stderr_is_terminal())
		fputs("\r\033[K", stderr);
}

/* 0 with the wait status; 1 when the time is over (the child still runs). */
static int wait_for(pid_t *pid, unsigned seconds, const char *what, int *status,
		    struct assay_err *err)
{
	const double start = now();
	int last = -1, r = 0;

	while (!has_ended(pid, status)) {
		if (fail_if_caught(err) < 0)
			r = -1;
		else if (now() - start > seconds)
			r = 1;
		if (r != 0)
			break;
		if (what)
			show_seconds(what, start, &last);
		nap();
	}
	if (what)
		clear_seconds();
	return r;
}

/* The last line with something on it. */
static char *last_line(const char *path)
{
	ASSAY_AUTO_FREE uint8_t *text = NULL;
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_str s = { 0 };
	size_t from, to;

	if (assay_src_open_file(path, &src, NULL) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), MAX_SERIAL, &text, NULL) < 0)
		return assay_strdup("it said nothing");
	to = (size_t)assay_src_size(src);
	while (to > 0 && (text[to - 1] == '\n' || text[to - 1] == '\r' || text[to - 1] == ' '))
		to--;
	for (from = to; from > 0 && text[from - 1] != '\n'; from--)
		;
	if (to - from > 200)
		from = to - 200;
	if (from == to)
		return assay_strdup("it said nothing");
	assay_str_add_escaped(&s, text + from, to - from);
	return assay_str_steal(&s);
}

static int fail_child(const char *program, int status, const char *output, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *words = last_line(output);

	if (WIFSIGNALED(status))
		return assay_fail(err, ASSAY_E_TPM, ASSAY_NO_OFFSET,
				  "%s was ended by signal %d: %s", program, WTERMSIG(status),
				  words ? words : "");
	return assay_fail(err, ASSAY_E_TPM, ASSAY_NO_OFFSET, "%s ended with %d: %s", program,
			  WEXITSTATUS(status), words ? words : "");
}

int assay_machine_run(struct assay_machine *m, char *const argv[], char **ret,
		      struct assay_err *err)
{
	ASSAY_AUTO_FREE char *output = assay_asprintf("%s/output", m->folder);
	ASSAY_AUTO_FREE uint8_t *text = NULL;
	ASSAY_AUTO(assay_src) *src = NULL;
	int status = 0, r;
	pid_t pid = 0;

	if (!output)
		return assay_fail_mem(err);
	if (spawn(argv, output, &pid, err) < 0)
		return -1;
	r = wait_for(&pid, HELPER_SECONDS, NULL, &status, err);
	end(&pid);
	if (r > 0)
		return assay_fail(err, ASSAY_E_TPM, ASSAY_NO_OFFSET, "%s did not end within %d s",
				  argv[0], HELPER_SECONDS);
	if (r < 0)
		return -1;
	if (status != 0)
		return fail_child(argv[0], status, output, err);
	if (!ret)
		return 0;
	if (assay_src_open_file(output, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), MAX_SERIAL, &text, err) < 0)
		return -1;
	text[strcspn((const char *)text, "\r\n")] = '\0';
	*ret = assay_strdup((const char *)text);
	return *ret ? 0 : assay_fail_mem(err);
}

/* --- the machine --------------------------------------------------------------------------------
 */

static char *new_folder(struct assay_err *err)
{
	const char *tmp = getenv("TMPDIR");
	ASSAY_AUTO_FREE char *path = NULL;

	/* A socket's path has 107 bytes at most; "/tpm.sock" and the random part have to fit. */
	if (!tmp || tmp[0] != '/' || strlen(tmp) + 40 > sizeof(((struct sockaddr_un *)0)->sun_path))
		tmp = "/tmp";
	path = assay_asprintf("%s/assay-probe.XXXXXX", tmp);
	if (!path) {
		(void)assay_fail_mem(err);
		return NULL;
	}
	if (!mkdtemp(path)) {
		(void)assay_fail_sys(err, "cannot make a folder in %s", tmp);
		return NULL;
	}
	return assay_steal(&path);
}

int assay_machine_new(struct assay_machine **ret, struct assay_err *err)
{
	struct assay_machine *m = calloc(1, sizeof(*m));
	struct sigaction action = { .sa_handler = on_signal };

	if (!m)
		return assay_fail_mem(err);
	caught = 0;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < N_SIGNALS; i++) {
		sigaction(signals[i], NULL, &m->old[i]);
		if (m->old[i].sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
	m->folder = new_folder(err);
	if (m->folder) {
		m->serial = assay_asprintf("%s/serial", m->folder);
		m->state = assay_asprintf("%s/tpm", m->folder);
		m->socket = assay_asprintf("%s/tpm.sock", m->folder);
	}
	if (!m->folder || !m->serial || !m->state || !m->socket) {
		if (m->folder)
			(void)assay_fail_mem(err);
		assay_machine_free(&m);
		return -1;
	}
	*ret = m;
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	(void)remove(path);
	return 0;
}

void assay_machine_free(struct assay_machine **m)
{
	if (!m || !*m)
		return;
	end(&(*m)->qemu);
	end(&(*m)->tpm);
	if ((*m)->folder)
		nftw((*m)->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	for (size_t i = 0; i < N_SIGNALS; i++)
		sigaction(signals[i], &(*m)->old[i], NULL);
	free((*m)->folder);
	free((*m)->serial);
	free((*m)->state);
	free((*m)->socket);
	free(*m);
	*m = NULL;
	if (caught)
		raise(caught);
}

const char *assay_machine_folder(const struct assay_machine *m)
{
	return m->folder;
}

const char *assay_machine_tpm_socket(const struct assay_machine *m)
{
	return m->socket;
}

const char *assay_machine_serial(const struct assay_machine *m)
{
	return m->serial;
}

int assay_machine_start_tpm(struct assay_machine *m, const char *banks, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *state = assay_asprintf("dir=%s", m->state);
	ASSAY_AUTO_FREE char *control = assay_asprintf("type=unixio,path=%s", m->socket);
	ASSAY_AUTO_FREE char *output = assay_asprintf("%s/swtpm.log", m->folder);
	const double start = now();
	int status;

	if (!state || !control || !output)
		return assay_fail_mem(err);
	if (mkdir(m->state, 0700) < 0)
		return assay_fail_sys(err, "cannot make %s", m->state);
	char *setup[] = { "swtpm_setup", "--tpm2",	"--tpmstate",  m->state,
			  "--pcr-banks", (char *)banks, "--overwrite", NULL };
	char *serve[] = { "swtpm",  "socket", "--tpm2",	     "--tpmstate", state,
			  "--ctrl", control,  "--terminate", NULL };
	if (assay_machine_run(m, setup, NULL, err) < 0 || spawn(serve, output, &m->tpm, err) < 0)
		return -1;
	while (access(m->socket, F_OK) < 0) {
		if (fail_if_caught(err) < 0)
			return -1;
		if (has_ended(&m->tpm, &status))
			return fail_child("swtpm", status, output, err);
		if (now() - start > TPM_START_SECONDS)
			return assay_fail(err, ASSAY_E_TPM, ASSAY_NO_OFFSET,
					  "swtpm did not listen within %d s", TPM_START_SECONDS);
		nap();
	}
	return 0;
}

int assay_machine_boot(struct assay_machine *m, char *const argv[], unsigned timeout,
		       bool *timed_out, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *output = assay_asprintf("%s/qemu.log", m->folder);
	int status = 0, r;

	if (!output)
		return assay_fail_mem(err);
	if (spawn(argv, output, &m->qemu, err) < 0)
		return -1;
	r = wait_for(&m->qemu, timeout, "booting the probe", &status, err);
	end(&m->qemu);
	if (r < 0)
		return -1;
	if (r == 0 && status != 0)
		return fail_child(argv[0], status, output, err);
	*timed_out = r > 0;
	return 0;
}

int assay_machine_read_serial(const struct assay_machine *m, char **ret, size_t *ret_len,
			      struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	uint8_t *text;

	if (assay_src_open_file(m->serial, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), MAX_SERIAL, &text, err) < 0)
		return assay_wrap(err, "the serial port");
	*ret = (char *)text;
	*ret_len = (size_t)assay_src_size(src);
	return 0;
}
