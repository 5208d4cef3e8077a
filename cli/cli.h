/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs share: dispatch, usage, failures, exit codes. One file for each verb: cli/VERB.c. */
#ifndef ASSAY_CLI_CLI_H
#define ASSAY_CLI_CLI_H

#include <getopt.h>
#include <stdbool.h>

#include "core/digest.h"
#include "core/err.h"
#include "core/json.h"

enum assay_exit {
	ASSAY_EXIT_OK = 0,	 /* done, or it matches */
	ASSAY_EXIT_FAIL = 1,	 /* could not */
	ASSAY_EXIT_USAGE = 2,	 /* the call's words are off */
	ASSAY_EXIT_MISMATCH = 3, /* checked, and it does not match */
};

struct assay_verb {
	const char *name;     /* "log show": two words for a verb of a group */
	const char *synopsis; /* "LOG [--json]" */
	const char *help;     /* one line */
	int (*run)(const struct assay_verb *verb, int argc, char **argv); /* argv[0] is the verb */
	const char *page; /* manual page, if not PROGRAM-FIRSTWORD(1) */
};

/* Runs the verb that argv names; knows --help, --version, and VERB --help. page: the program's. */
int assay_cli_dispatch(const char *program, const char *page, const struct assay_verb *verbs, int argc,
		       char **argv);

/* "assay pe: FILE: message (at byte 0x1a4f0)" to stderr; returns ASSAY_EXIT_FAIL. path may be NULL. */
int assay_cli_fail(const char *path, const struct assay_err *err);
/* getopt_long(), with its complaints in one line and as ours; '?' is answered by assay_cli_usage(). */
int assay_cli_getopt(const struct assay_verb *verb, int argc, char **argv, const char *letters,
		     const struct option *opts);
/* One line and "Try 'assay pe --help'" to stderr; returns ASSAY_EXIT_USAGE. */
int assay_cli_usage(const struct assay_verb *verb);
/* The same with what is wrong. */
int assay_cli_usage_msg(const struct assay_verb *verb, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Writes the node to `path` ("-": stdout), whole or not at all; returns an exit code. */
int assay_cli_write_json(const struct assay_json *node, const char *path);

/* Terminal columns for bars and tables; 0 when stderr is no terminal. */
bool assay_cli_stderr_is_terminal(void);

/* Text out of a file, on its way to a terminal: escaped, nothing in it steers. */
void assay_cli_print_foreign(const char *s);
/* The same of its first line. */
void assay_cli_print_line(const char *s);

/* Verbs, each in the file of its name. */
int assay_cmd_connect(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_pe(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_log_show(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_log_replay(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_ls(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_cat(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_verity(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_initrd(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_measure(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_precompute(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_compare(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_explain(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_containers(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_export(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_manifest_create(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_diff(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_manifest_show(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_manifest_sign(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_manifest_verify(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_audit(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_verify(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_ca_init(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_ca_challenge(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_ca_issue(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_platform_probe(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_platform_learn(const struct assay_verb *verb, int argc, char **argv);
int assay_cmd_platform_show(const struct assay_verb *verb, int argc, char **argv);

#endif
