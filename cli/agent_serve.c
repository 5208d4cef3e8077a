/* SPDX-License-Identifier: Apache-2.0 */
/* assay-agent serve: proofs over HTTP. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "attest/proof.h"
#include "attest/serve.h"
#include "cli/agent.h"
#include "core/log.h"

/*
 * Whoever measures waits for the log's lock by asking every 10 ms; a server that is always asked would take it again at once.
 * So it leaves it alone for a moment, now and then.
 */
enum { HOLD_MS = 250, PAUSE_MS = 15 };

/* What the server's thread makes proofs with. */
struct maker {
	const struct assay_agent_config *config;
	struct assay_proof_maker *maker;
	struct timespec paused;
};

static void let_others_measure(struct maker *m)
{
	static const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((now.tv_sec - m->paused.tv_sec) * 1000 + (now.tv_nsec - m->paused.tv_nsec) / 1000000 < HOLD_MS)
		return;
	nanosleep(&pause, NULL);
	clock_gettime(CLOCK_MONOTONIC, &m->paused);
}

static int prove(void *arg, enum assay_served what, const uint8_t *nonce, size_t nonce_len, char **ret, size_t *ret_len,
		 struct assay_err *err)
{
	struct maker *m = arg;

	let_others_measure(m);
	if (!m->maker && assay_proof_maker_open(m->config, &m->maker, err) < 0)
		return -1;
	return assay_proof_maker_make(m->maker, what == ASSAY_SERVED_OTHER ? m->config->attestation : ASSAY_PROOF_FORMAT_ASSAY,
				      nonce, nonce_len, ret, ret_len, err);
}

/* Each connection is a descriptor; the usual soft limit of 1024 is for programs that use select(). */
static void raise_limit(unsigned connections)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0 || lim.rlim_cur == RLIM_INFINITY || lim.rlim_cur >= connections + 64ULL)
		return;
	lim.rlim_cur = connections + 64ULL < lim.rlim_max ? connections + 64ULL : lim.rlim_max;
	/* Without it there are fewer. */
	const int r = setrlimit(RLIMIT_NOFILE, &lim);
	(void)r;
}

static int serve(const struct assay_serve_options *opt, struct maker *m, struct assay_err *err)
{
	const struct assay_prover prover = { .prove = prove, .arg = m, .other = m->config->attestation != ASSAY_PROOF_FORMAT_ASSAY };
	ASSAY_AUTO(assay_server) *server = NULL;

	raise_limit(opt->connections);
	if (assay_server_new(opt, &prover, &server, err) < 0)
		return -1;
	/* For people, and for tests: the port may be any. */
	assay_log(ASSAY_LOG_INFO, "listening on %s", assay_server_address(server));
	if (assay_serve_notify("READY=1", err) < 0)
		return -1;
	return assay_server_run(server, err);
}

int assay_cmd_agent_serve(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "listen", required_argument, NULL, 'l' },
		{ "any-address", no_argument, NULL, 'a' },
		{ 0 },
	};
	ASSAY_AUTO(assay_agent_config) *config = NULL;
	const char *path = NULL, *listen = NULL;
	struct maker m = { 0 };
	bool any = false;
	struct assay_err err;
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "", opts)) != -1) {
		if (ch == 'c')
			path = optarg;
		else if (ch == 'l')
			listen = optarg;
		else if (ch == 'a')
			any = true;
		else
			return assay_cli_usage(verb);
	}
	if (argc != optind)
		return assay_cli_usage(verb);
	if (assay_agent_config_load(path, &config, &err) < 0)
		return assay_cli_fail(NULL, &err);
	const struct assay_serve_options opt = { .listen = listen ? listen : config->listen,
						 .any_address = any,
						 .watch = config->log,
						 .queue = config->queue,
						 .connections = config->connections,
						 .max_age = config->max_age,
						 .timeout = config->timeout,
						 .signals = true };
	m.config = config;
	const int r = serve(&opt, &m, &err);
	/* A thread that still makes a proof has it all; the process ends anyway. */
	if (r < 0 && err.code == ASSAY_E_TPM) {
		const int status = assay_cli_fail(NULL, &err);
		fflush(NULL);
		_Exit(status);
	}
	assay_proof_maker_free(&m.maker);
	return r < 0 ? assay_cli_fail(NULL, &err) : ASSAY_EXIT_OK;
}
