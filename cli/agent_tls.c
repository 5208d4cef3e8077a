/* SPDX-License-Identifier: Apache-2.0 */
/* assay-agent tls: the key and the certificate that the machine serves with. */
#include <stdio.h>
#include <stdlib.h>

#include "attest/tls.h"
#include "cli/agent.h"
#include "core/clock.h"

static int measure(void *arg, const char *pem, size_t len, struct assay_err *err)
{
	const struct assay_runtime_event ev = { ASSAY_CARRY_CERTIFICATE, pem, len };

	return assay_agent_measure(arg, ASSAY_RUN_TLS, &ev, err);
}

static int get_days(const char *text, unsigned *ret)
{
	char *end;
	const unsigned long v = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || v == 0 || v > ASSAY_TLS_MAX_DAYS)
		return -1;
	*ret = (unsigned)v;
	return 0;
}

int assay_cmd_agent_tls(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "days", required_argument, NULL, 'd' },
		{ "renew", no_argument, NULL, 'r' },
		{ "allow-disk", no_argument, NULL, 'a' },
		{ 0 },
	};
	static const char *const words[] = { [ASSAY_TLS_THERE] = "there", [ASSAY_TLS_COMPLETED] = "completed",
					     [ASSAY_TLS_MADE] = "made" };
	struct assay_tls_options opt = { .days = ASSAY_TLS_DAYS, .now = assay_clock_now() };
	/* In this order: the lock is given back last. */
	ASSAY_AUTO(assay_agent_log) *log = NULL;
	ASSAY_AUTO(assay_agent) *agent = NULL;
	const char *config = NULL;
	enum assay_tls_done done;
	char hex[ASSAY_HEX_MAX];
	struct assay_err err;
	uint8_t sha256[32];
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "", opts)) != -1) {
		if (ch == 'c')
			config = optarg;
		else if (ch == 'd' && get_days(optarg, &opt.days) < 0)
			return assay_cli_usage_msg(verb, "--days %s: 1 to %u", optarg, ASSAY_TLS_MAX_DAYS);
		else if (ch == 'r')
			opt.renew = true;
		else if (ch == 'a')
			opt.allow_disk = true;
		else if (ch != 'd')
			return assay_cli_usage(verb);
	}
	if (argc != optind)
		return assay_cli_usage(verb);
	/* The log's lock keeps two of us apart. */
	if (assay_agent_open_locked(config, &agent, &err) < 0 ||
	    assay_agent_log_open_locked(agent->config, &agent->lock, agent->tpm, &log, &err) < 0)
		return assay_cli_fail(NULL, &err);
	opt.names = (const char *const *)agent->config->tls_names;
	opt.n_names = agent->config->n_tls_names;
	opt.certificate = agent->config->tls_certificate;
	opt.key = agent->config->tls_key;
	opt.owner = agent->config->tls_owner;
	if (assay_tls_ensure(&opt, assay_agent_log_cel(log), measure, log, &done, sha256, &err) < 0)
		return assay_cli_fail(NULL, &err);
	printf("%s\tsha256:%s\t%s\n", words[done], assay_hex(sha256, sizeof(sha256), hex), opt.certificate);
	return ASSAY_EXIT_OK;
}
