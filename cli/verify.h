/* SPDX-License-Identifier: Apache-2.0 */
/* What verbs share that hold a machine's proof against manifests: their options, and the verdict for people. */
#ifndef ASSAY_CLI_VERIFY_H
#define ASSAY_CLI_VERIFY_H

#include "api/verify.h"
#include "cli/cli.h"
#include "cli/release.h"

struct assay_cli_trust {
	struct assay_cli_paths manifests, keys, identities, anchors, expected, ignored;
	const char *ca, *state, *platform, *phase, *pcrs, *log_pcr;
	uint64_t min_release;
	int64_t at; /* now, unless --at */
};

/* Rows of a getopt_long() table; the values are from 0x100 on. */
#define ASSAY_CLI_TRUST_OPTIONS                                                                                               \
	{ "manifest", required_argument, NULL, 0x100 }, { "key", required_argument, NULL, 0x101 },                            \
		{ "ca", required_argument, NULL, 0x102 }, { "identity", required_argument, NULL, 0x103 },                     \
		{ "trust", required_argument, NULL, 0x104 }, { "at", required_argument, NULL, 0x105 },                        \
		{ "expect", required_argument, NULL, 0x106 }, { "state", required_argument, NULL, 0x107 },                    \
		{ "min-release", required_argument, NULL, 0x108 }, { "platform", required_argument, NULL, 0x109 },            \
		{ "phase", required_argument, NULL, 0x10a }, { "ignore-pcr", required_argument, NULL, 0x10b }

/* One of those; ASSAY_EXIT_USAGE or _FAIL when it is wrong. */
int assay_cli_trust_option(const struct assay_verb *verb, int ch, char *arg, struct assay_cli_trust *t);
/* All that they name, read and verified. Says what is wrong; returns an exit code. */
int assay_cli_trust_open(const struct assay_verb *verb, const struct assay_cli_trust *t, struct assay_api_policy **ret);
void assay_cli_trust_clear(struct assay_cli_trust *t);

/* In words, to stdout. */
int assay_cli_verdict_print(const struct assay_proof_verdict *v, struct assay_err *err) ASSAY_MUST;

/* A whole file, up to `max` bytes. */
int assay_cli_read_file(const char *path, uint64_t max, char **ret, size_t *ret_len, struct assay_err *err) ASSAY_MUST;

#endif
