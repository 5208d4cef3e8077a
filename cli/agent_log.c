/* SPDX-License-Identifier: Apache-2.0 */
/* assay-agent log: the runtime log in words, and whether the TPM agrees. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/agent.h"

void assay_agent_free(struct assay_agent **p)
{
	struct assay_agent *agent = p ? assay_steal(p) : NULL;

	if (!agent)
		return;
	assay_tpm_free(&agent->tpm);
	assay_log_file_free(&agent->lock);
	assay_agent_config_free(&agent->config);
	free(agent);
}

static int open_agent(const char *path, bool locked, struct assay_agent **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_agent) *agent = calloc(1, sizeof(*agent));

	if (!agent)
		return assay_fail_mem(err);
	if (assay_agent_config_load(path, &agent->config, err) < 0 ||
	    (locked && assay_agent_log_lock(agent->config, &agent->lock, err) < 0) ||
	    assay_tpm_open(agent->config->tcti, &agent->tpm, err) < 0)
		return -1;
	*ret = assay_steal(&agent);
	return 0;
}

int assay_agent_open(const char *path, struct assay_agent **ret, struct assay_err *err)
{
	return open_agent(path, false, ret, err);
}

int assay_agent_open_locked(const char *path, struct assay_agent **ret, struct assay_err *err)
{
	return open_agent(path, true, ret, err);
}

static const char *const states[] = {
	[ASSAY_LOG_REPLAYS] = "replays",
	[ASSAY_LOG_PENDING] = "pending",
	[ASSAY_LOG_EARLIER] = "earlier boot",
	[ASSAY_LOG_DIFFERS] = "differs",
};

static int print_words(const struct assay_cel *cel)
{
	for (size_t i = 0; i < cel->n; i++) {
		ASSAY_AUTO_FREE char *words = assay_runtime_describe(&cel->records[i].event);

		if (!words)
			return -1;
		printf("%" PRIu64 "\tPCR %u\t%s\n", cel->records[i].recnum, cel->records[i].pcr, words);
	}
	return 0;
}

static int print_json(const struct assay_cel *cel, enum assay_log_state state, const struct assay_err *why)
{
	ASSAY_AUTO(assay_json) *o = assay_json_object();
	struct assay_json *events = assay_json_array();

	for (size_t i = 0; i < cel->n; i++) {
		struct assay_json *record = assay_cel_record_json(&cel->records[i]);
		ASSAY_AUTO_FREE char *words = assay_runtime_describe(&cel->records[i].event);

		assay_json_set(record, "description", words ? assay_json_string(words) : NULL);
		assay_json_append(events, record);
	}
	assay_json_set_str(o, "schema", "assay.agent-log/1");
	assay_json_set(o, "events", events);
	assay_json_set_str(o, "state", states[state]);
	assay_json_set_str(o, "reason", why->code == ASSAY_OK ? NULL : why->msg);
	return assay_cli_write_json(o, "-");
}

static int show(struct assay_agent *agent, bool json)
{
	ASSAY_AUTO(assay_cel) *cel = NULL;
	struct assay_err err, why = { 0 };
	enum assay_log_state state;

	if (assay_agent_log_look(agent->config, &agent->lock, agent->tpm, &cel, &state, &why, &err) < 0)
		return assay_cli_fail(NULL, &err);
	if (json && print_json(cel, state, &why) != ASSAY_EXIT_OK)
		return ASSAY_EXIT_FAIL;
	if (!json && print_words(cel) < 0) {
		assay_fail_mem(&err);
		return assay_cli_fail(NULL, &err);
	}
	if (!json && state == ASSAY_LOG_REPLAYS)
		printf("The TPM agrees.\n");
	if (!json && state == ASSAY_LOG_PENDING)
		printf("The TPM agrees, but for the last event: the next call that measures completes it.\n");
	if (state == ASSAY_LOG_REPLAYS || state == ASSAY_LOG_PENDING)
		return ASSAY_EXIT_OK;
	assay_cli_fail(NULL, &why);
	return ASSAY_EXIT_MISMATCH;
}

int assay_cmd_agent_log(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "set-aside", no_argument, NULL, 's' },
		{ 0 },
	};
	ASSAY_AUTO(assay_agent) *agent = NULL;
	ASSAY_AUTO_FREE char *moved = NULL;
	bool json = false, set_aside = false;
	const char *config = NULL;
	struct assay_err err;
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "", opts)) != -1) {
		if (ch == 'c')
			config = optarg;
		else if (ch == 'j')
			json = true;
		else if (ch == 's')
			set_aside = true;
		else
			return assay_cli_usage(verb);
	}
	if (argc != optind || (json && set_aside))
		return assay_cli_usage(verb);
	if (assay_agent_open_locked(config, &agent, &err) < 0)
		return assay_cli_fail(NULL, &err);
	if (!set_aside)
		return show(agent, json);
	if (assay_agent_log_set_aside(agent->config, &agent->lock, agent->tpm, &moved, &err) < 0)
		return assay_cli_fail(NULL, &err);
	printf("%s\n", moved);
	return ASSAY_EXIT_OK;
}
