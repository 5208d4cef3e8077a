/* SPDX-License-Identifier: Apache-2.0 */
/* assay-agent: the guest's program. Links core, tpm and attest alone. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "attest/device.h"
#include "cli/agent.h"

static void print_pcrs(const struct assay_pcrs *pcrs)
{
	char hex[ASSAY_HEX_MAX];

	for (int b = 0; b < ASSAY_N_BANKS; b++)
		for (unsigned i = 0; i < ASSAY_N_PCRS; i++)
			if (pcrs->have[b] & (1U << i))
				printf("%s %u %s\n", assay_bank_name((enum assay_bank)b), i,
				       assay_hex(pcrs->v[b][i], assay_bank_size((enum assay_bank)b),
						 hex));
}

static int cmd_pcrs(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "tcti", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	ASSAY_AUTO(assay_tpm) *tpm = NULL;
	ASSAY_AUTO_FREE struct assay_pcrs *pcrs = calloc(1, sizeof(*pcrs));
	const char *tcti = NULL;
	bool json = false;
	struct assay_err err;
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "", opts)) != -1) {
		if (ch == 't')
			tcti = optarg;
		else if (ch == 'j')
			json = true;
		else
			return assay_cli_usage(verb);
	}
	if (argc != optind)
		return assay_cli_usage(verb);
	if (!pcrs) {
		assay_fail_mem(&err);
		return assay_cli_fail(NULL, &err);
	}
	if (assay_tpm_open(tcti, &tpm, &err) < 0 || assay_tpm_read_pcrs(tpm, pcrs, &err) < 0)
		return assay_cli_fail(NULL, &err);
	if (json) {
		ASSAY_AUTO(assay_json) *o = assay_json_object();

		assay_json_set(o, "banks", assay_pcrs_json(pcrs));
		return assay_cli_write_json(o, "-");
	}
	print_pcrs(pcrs);
	return ASSAY_EXIT_OK;
}

static const struct assay_verb verbs[] = {
	{ "pcrs", "[--tcti TCTI] [--json]", "Print the PCRs of every bank, as the TPM has them", cmd_pcrs,
	  "assay-agent(8)" },
	{ "log", "[--config FILE] [--json | --set-aside]", "Show the runtime log, and whether the TPM agrees", assay_cmd_agent_log,
	  "assay-agent(8)" },
	{ "measure disk", "[--config FILE] ROOTHASH | --dm NAME", "Measure the application disk", assay_cmd_measure_disk,
	  "assay-agent(8)" },
	{ "measure sentinel", "[--config FILE]", "Measure that the set-up has ended", assay_cmd_measure_sentinel,
	  "assay-agent(8)" },
	{ "measure container", "[--config FILE] [--list FILE] NAME ID", "Measure a container of the list",
	  assay_cmd_measure_container, "assay-agent(8)" },
	{ "measure containers", "[--config FILE] [LIST]", "Measure all containers of the list",
	  assay_cmd_measure_containers, "assay-agent(8)" },
	{ "measure code", "[--config FILE] DIR", "Measure the server's code, a tree of files", assay_cmd_measure_code,
	  "assay-agent(8)" },
	{ "measure weights", "[--config FILE] [--fsverity] PATH...", "Measure a model's weights: each file, and their tree",
	  assay_cmd_measure_weights, "assay-agent(8)" },
	{ "measure input", "[--config FILE] --type TYPE [--repo URL] [--commit SHA1] PATH", "Measure what a job is given",
	  assay_cmd_measure_input, "assay-agent(8)" },
	{ "measure configuration", "[--config FILE] [FILE]", "Measure a job's configuration, or the agent's", assay_cmd_measure_configuration,
	  "assay-agent(8)" },
	{ "measure outputs", "[--config FILE] PATH...", "Measure what a job has made", assay_cmd_measure_outputs,
	  "assay-agent(8)" },
	{ "measure request", "[--config FILE] FILE", "Measure what a job was asked to do", assay_cmd_measure_request,
	  "assay-agent(8)" },
	{ "measure timing", "[--config FILE] SECONDS", "Measure how long a job took", assay_cmd_measure_timing,
	  "assay-agent(8)" },
	{ "measure compute", "[--config FILE] FLOS", "Measure the compute that a job consumed", assay_cmd_measure_compute,
	  "assay-agent(8)" },
	{ "measure certificate", "[--config FILE] FILE", "Measure the certificate that TLS is served with",
	  assay_cmd_measure_certificate, "assay-agent(8)" },
	{ "key create", "[--config FILE] [--ek rsa|ecc] [--key rsa|ecc] [--replace] [-o REQUEST]",
	  "Make an attestation key under the TPM's endorsement key, and ask for its certificate", assay_cmd_key_create,
	  "assay-agent(8)" },
	{ "key activate", "[--config FILE] [-o ANSWER] CHALLENGE", "Answer a CA's challenge", assay_cmd_key_activate,
	  "assay-agent(8)" },
	{ "proof", "[--config FILE] [--nonce HEX] [--format FORMAT] [-o FILE]", "Write a proof of what runs on this machine",
	  assay_cmd_agent_proof, "assay-agent(8)" },
	{ "tls", "[--config FILE] [--days N] [--renew] [--allow-disk]", "Make the TLS key and certificate, measure, publish them",
	  assay_cmd_agent_tls, "assay-agent(8)" },
	{ "serve", "[--config FILE] [--listen ADDRESS:PORT] [--any-address]", "Answer requests for proofs over HTTP",
	  assay_cmd_agent_serve, "assay-agent(8)" },
	{ 0 },
};

int main(int argc, char **argv)
{
	return assay_cli_dispatch("assay-agent", "assay-agent(8)", verbs, argc, argv);
}
