/* SPDX-License-Identifier: Apache-2.0 */
/* assay-agent proof */
#include <stdlib.h>
#include <string.h>

#include "attest/proof.h"
#include "cli/agent.h"
#include "core/out.h"
#include "tpm/quote.h"

struct options {
	const char *config, *out;
	enum assay_proof_format format;
	bool with_nonce;
	uint8_t nonce[ASSAY_NONCE_MAX];
	size_t nonce_len;
};

static int prove(const struct options *o)
{
	ASSAY_AUTO(assay_agent_config) *config = NULL;
	ASSAY_AUTO(assay_proof_maker) *maker = NULL;
	ASSAY_AUTO(assay_out) *out = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_err err;
	size_t len;

	if (assay_agent_config_load(o->config, &config, &err) < 0 || assay_proof_maker_open(config, &maker, &err) < 0 ||
	    assay_proof_maker_make(maker, o->format, o->with_nonce ? o->nonce : NULL, o->nonce_len, &text, &len, &err) < 0)
		return assay_cli_fail(NULL, &err);
	if (assay_out_open(o->out, &out, &err) < 0)
		return assay_cli_fail(o->out, &err);
	assay_out_write(out, text, len);
	if (assay_out_commit(out, &err) < 0)
		return assay_cli_fail(o->out, &err);
	return ASSAY_EXIT_OK;
}

int assay_cmd_agent_proof(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "nonce", required_argument, NULL, 'n' },
		{ "format", required_argument, NULL, 'f' },
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	struct options o = { .out = "-" };
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "o:", opts)) != -1) {
		if (ch == 'c') {
			o.config = optarg;
		} else if (ch == 'n') {
			o.nonce_len = strlen(optarg) / 2;
			o.with_nonce = true;
			if (o.nonce_len < ASSAY_NONCE_MIN || o.nonce_len > ASSAY_NONCE_MAX ||
			    !assay_unhex(optarg, strlen(optarg), o.nonce, o.nonce_len))
				return assay_cli_usage_msg(verb, "a nonce is %d to %d hex digits", 2 * ASSAY_NONCE_MIN,
							   2 * ASSAY_NONCE_MAX);
		} else if (ch == 'f') {
			if (!assay_proof_format_from_name(optarg, &o.format))
				return assay_cli_usage_msg(verb, "unknown format '%s': assay, aicert, blindllama", optarg);
		} else if (ch == 'o') {
			o.out = optarg;
		} else {
			return assay_cli_usage(verb);
		}
	}
	if (argc != optind)
		return assay_cli_usage(verb);
	if (o.with_nonce && o.format != ASSAY_PROOF_FORMAT_ASSAY)
		return assay_cli_usage_msg(verb, "format %s has no place for a nonce", assay_proof_format_name(o.format));
	return prove(&o);
}
