/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent's verbs share; each is in cli/agent_VERB.c. */
#ifndef ASSAY_CLI_AGENT_H
#define ASSAY_CLI_AGENT_H

#include "attest/log.h"
#include "cli/cli.h"

/* Configuration and TPM of one call. */
struct assay_agent {
	struct assay_agent_config *config;
	struct assay_log_file *lock; /* of assay_agent_open_locked() */
	struct assay_tpm *tpm;
};
/* path: of --config, or NULL. */
int assay_agent_open(const char *path, struct assay_agent **ret, struct assay_err *err) ASSAY_MUST;
/* The same, with the log's lock, which is taken before the TPM is connected: for assay_agent_log_open_locked(). */
int assay_agent_open_locked(const char *path, struct assay_agent **ret, struct assay_err *err) ASSAY_MUST;
void assay_agent_free(struct assay_agent **agent);
ASSAY_DEFINE_AUTO(assay_agent)

int assay_cmd_agent_serve(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_agent_tls(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_agent_log(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_key_create(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_key_activate(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_agent_proof(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_measure_disk(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_measure_sentinel(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_measure_container(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_measure_containers(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_measure_code(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_measure_weights(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_measure_input(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_measure_configuration(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_measure_outputs(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_measure_request(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_measure_timing(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_measure_compute(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_measure_certificate(const struct assay_verb *verb, int argc, char **argv);

#endif
