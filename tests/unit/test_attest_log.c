/* SPDX-License-Identifier: Apache-2.0 */
/* A handle of the runtime log, against swtpm: what a program that keeps one open may do. (Crashes: measure_crash.bats.) */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "attest/log.h"
#include "core/text.h"
#include "tests/unit/unit.h"

#define ROOT "a591a6d40bf420404a011733cfb7b190d62c65bf0bcda32b57b277d9ad9f146e"

static struct assay_err err;
static char top[] = "/tmp/assay-log-XXXXXX";
static char tcti[140], socket_name[100];
static pid_t swtpm;

static void start(void)
{
	char state[140], server[140], control[140];
	int null;

	snprintf(state, sizeof(state), "dir=%s", top);
	snprintf(socket_name, sizeof(socket_name), "%s/tpm.sock", top);
	snprintf(server, sizeof(server), "type=unixio,path=%s", socket_name);
	snprintf(control, sizeof(control), "type=unixio,path=%s.ctrl", socket_name);
	snprintf(tcti, sizeof(tcti), "swtpm:path=%s", socket_name);
	unlink(socket_name);
	swtpm = fork();
	if (swtpm == 0) {
		null = open("/dev/null", O_RDWR);
		dup2(null, 1);
		dup2(null, 2);
		execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server, "--ctrl", control, "--flags",
		       "not-need-init,startup-clear", (char *)NULL);
		_exit(127);
	}
}

static void stop(void)
{
	if (swtpm <= 0)
		return;
	kill(swtpm, SIGKILL);
	waitpid(swtpm, NULL, 0);
	swtpm = 0;
}

/* A socket's name is there before anybody listens. */
static struct assay_tpm *connect_tpm(void)
{
	static const struct timespec pause = { .tv_nsec = 50000000 };
	struct assay_tpm *tpm = NULL;
	unsigned banks;

	for (unsigned i = 0; i < 200; i++) {
		if (assay_tpm_open(tcti, &tpm, &err) == 0 && assay_tpm_banks(tpm, &banks, &err) == 0)
			return tpm;
		assay_tpm_free(&tpm);
		nanosleep(&pause, NULL);
	}
	fail_msg("swtpm does not answer: %s", err.msg);
	return NULL;
}

static struct assay_agent_config *configure(void)
{
	struct assay_agent_config *c = NULL;
	char text[300];

	snprintf(text, sizeof(text), "schema: assay.agent/1\nlog: %s/run/log\n", top);
	assert_int_equal(assay_agent_config_parse(text, strlen(text), &c, &err), 0);
	return c;
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[100];

	(void)state;
	stop();
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command);
}

static int measure(struct assay_agent_log *log, enum assay_runtime_kind kind, enum assay_carrier carrier, const char *text)
{
	const struct assay_runtime_event ev = { carrier, text, strlen(text) };

	return assay_agent_measure(log, kind, &ev, &err);
}

static int timing(struct assay_agent_log *log, const char *seconds)
{
	ASSAY_AUTO(assay_json) *o = assay_json_object();

	assay_json_set(o, "finetune_time", assay_json_number(seconds));
	return assay_agent_measure_content(log, ASSAY_RUN_TIMING, o, &err);
}

#define PEM "-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n"
#define PEM2 "-----BEGIN CERTIFICATE-----\nYWJk\n-----END CERTIFICATE-----\n"

static void test_rules(void **state)
{
	ASSAY_AUTO(assay_agent_config) *c = configure();
	ASSAY_AUTO(assay_tpm) *tpm = NULL;
	ASSAY_AUTO(assay_agent_log) *log = NULL;
	struct assay_pcrs pcrs, replayed;

	(void)state;
	if (!unit_have("swtpm"))
		unit_skip("swtpm is not installed");
	start();
	tpm = connect_tpm();
	if (assay_agent_log_open(c, tpm, &log, &err) < 0)
		fail_msg("%s", err.msg);
	assert_null(assay_agent_log_certificate(log));
	assert_int_equal(measure(log, ASSAY_RUN_DISK, ASSAY_CARRY_ROOT_HASH, ROOT), 0);
	assert_int_equal(measure(log, ASSAY_RUN_TLS, ASSAY_CARRY_CERTIFICATE, PEM), 0);
	assert_int_equal(measure(log, ASSAY_RUN_TLS, ASSAY_CARRY_CERTIFICATE, PEM2), 0);
	assert_string_equal(assay_agent_log_certificate(log), PEM2);
	/* What an event says decides, not what its caller says. */
	assert_int_equal(measure(log, ASSAY_RUN_DISK, ASSAY_CARRY_CERTIFICATE, PEM), -1);
	assert_int_equal(err.code, ASSAY_E_USAGE);
	assert_int_equal(measure(log, ASSAY_RUN_CODE, ASSAY_CARRY_EVENT,
				 "{\"event_type\":\"timing\",\"content\":{\"finetune_time\":1}}"), -1);
	assert_int_equal(err.code, ASSAY_E_USAGE);
	assert_int_equal(measure(log, ASSAY_RUN_SENTINEL, ASSAY_CARRY_SENTINEL, ""), 0);
	assert_int_equal(measure(log, ASSAY_RUN_SENTINEL, ASSAY_CARRY_SENTINEL, ""), -1);
	assert_int_equal(err.code, ASSAY_E_USAGE);
	assert_int_equal(measure(log, ASSAY_RUN_DISK, ASSAY_CARRY_ROOT_HASH, ROOT), -1);
	assert_int_equal(err.code, ASSAY_E_USAGE);
	assert_int_equal(timing(log, "1.5"), 0);

	assert_int_equal(assay_agent_log_cel(log)->n, 5);
	assert_int_equal(assay_tpm_read_pcrs(tpm, &pcrs, &err), 0);
	assay_pcrs_reset(&replayed, pcrs.banks);
	assert_int_equal(assay_cel_replay(assay_agent_log_cel(log), SIZE_MAX, &replayed, &err), 0);
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
		for (unsigned i = 8; i < 16; i++)
			if (pcrs.have[b] & 1U << i)
				assert_memory_equal(pcrs.v[b][i], replayed.v[b][i], assay_bank_size((enum assay_bank)b));
}

/* The handle's TPM dies: it says that nobody knows, and takes nothing more. */
static void test_broken(void **state)
{
	ASSAY_AUTO(assay_agent_config) *c = configure();
	ASSAY_AUTO(assay_tpm) *tpm = NULL;
	ASSAY_AUTO(assay_agent_log) *log = NULL;
	size_t n;

	(void)state;
	if (!unit_have("swtpm"))
		unit_skip("swtpm is not installed");
	tpm = connect_tpm();
	assert_int_equal(assay_agent_log_open(c, tpm, &log, &err), 0);
	n = assay_agent_log_cel(log)->n;
	stop();
	assert_int_equal(timing(log, "2"), -1);
	assert_int_equal(err.code, ASSAY_E_TPM);
	assert_non_null(strstr(err.msg, "the next start finds out"));
	assert_int_equal(timing(log, "3"), -1);
	assert_non_null(strstr(err.msg, "has to be opened again first"));
	assert_int_equal(assay_agent_log_cel(log)->n, n + 1);
}

/* Nobody listens where the TPM was; with it back, the log is of an earlier boot. */
static void test_earlier(void **state)
{
	ASSAY_AUTO(assay_agent_config) *c = configure();
	ASSAY_AUTO(assay_tpm) *tpm = NULL;
	ASSAY_AUTO(assay_agent_log) *log = NULL;
	ASSAY_AUTO(assay_log_file) *lock = NULL;
	ASSAY_AUTO(assay_cel) *cel = NULL;
	ASSAY_AUTO_FREE char *moved = NULL;
	enum assay_log_state how;
	struct assay_err why = { 0 };

	(void)state;
	if (!unit_have("swtpm"))
		unit_skip("swtpm is not installed");
	start();
	tpm = connect_tpm();
	assert_int_equal(assay_agent_log_open(c, tpm, &log, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	assert_null(log);
	assert_int_equal(assay_agent_log_lock(c, &lock, &err), 0);
	assert_int_equal(assay_agent_log_look(c, &lock, tpm, &cel, &how, &why, &err), 0);
	assert_null(lock);
	assert_int_equal(how, ASSAY_LOG_EARLIER);
	assert_int_equal(cel->n, 6);
	assert_int_equal(assay_agent_log_lock(c, &lock, &err), 0);
	assert_int_equal(assay_agent_log_set_aside(c, &lock, tpm, &moved, &err), 0);
	assert_int_equal(access(moved, R_OK), 0);
	assert_int_equal(assay_agent_log_open(c, tpm, &log, &err), 0);
	assert_int_equal(assay_agent_log_cel(log)->n, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_rules),
	cmocka_unit_test(test_broken),
	cmocka_unit_test(test_earlier),
};

int main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
