/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "core/out.h"
#include "core/text.h"

static const char *program_name = "assay";
static const char *verb_name;
static bool option_told; /* what is wrong with an option has been said */

static void print_log(enum assay_log_level level, const char *text, void *arg)
{
	(void)arg;
	fprintf(stderr, "%s%s%s: %s%s\n", program_name, verb_name ? " " : "",
		verb_name ? verb_name : "", level == ASSAY_LOG_WARNING ? "warning: " : "", text);
}

static void print_progress(uint64_t done, uint64_t total, void *arg)
{
	static atomic_uint last = 101; /* a disk is hashed beside its parts */
	unsigned percent = total ? (unsigned)(done / (total / 100 + 1)) : 100;

	(void)arg;
	if (total < (64U << 20) || percent == last)
		return;
	last = percent;
	if (done >= total)
		fputs("\r\033[K", stderr);
	else
		fprintf(stderr, "\rreading %3u%% of %" PRIu64 " MB", percent, total / 1000000);
}

bool assay_cli_stderr_is_terminal(void)
{
	return isatty(STDERR_FILENO);
}

static void print_help(const char *page, const struct assay_verb *verbs)
{
	printf("Usage: %s VERB [OPTION]... [ARGUMENT]...\n\n", program_name);
	for (const struct assay_verb *v = verbs; v->name; v++)
		printf("  %-16s %s\n", v->name, v->help);
	printf("\n  %s VERB --help   how to call one of them\n  %s --version\n\n", program_name,
	       program_name);
	printf("Exit status: 0 done or matches, 1 could not, 2 usage, 3 checked and does not match.\n"
	       "Manual page: %s\n",
	       page);
}

static void print_verb_help(const struct assay_verb *v)
{
	printf("Usage: %s %s %s\n\n%s.\n\nManual page: ", program_name, v->name, v->synopsis, v->help);
	if (v->page)
		printf("%s\n", v->page);
	else
		printf("%s-%.*s(1)\n", program_name, (int)strcspn(v->name, " "), v->name);
}

/* Words of a verb's name that argv matches: 1 or 2, or 0. */
static int verb_words(const struct assay_verb *v, int argc, char **argv)
{
	const char *space = strchr(v->name, ' ');

	if (!space)
		return strcmp(v->name, argv[1]) == 0 ? 1 : 0;
	size_t n = (size_t)(space - v->name);
	if (strlen(argv[1]) != n || strncmp(argv[1], v->name, n) != 0)
		return 0;
	return argc > 2 && strcmp(space + 1, argv[2]) == 0 ? 2 : 0;
}

static bool is_group(const struct assay_verb *verbs, const char *word)
{
	size_t n = strlen(word);

	for (const struct assay_verb *v = verbs; v->name; v++)
		if (strncmp(v->name, word, n) == 0 && v->name[n] == ' ')
			return true;
	return false;
}

static void print_group_help(const struct assay_verb *verbs, const char *word)
{
	const size_t n = strlen(word);

	for (const struct assay_verb *v = verbs; v->name; v++)
		if (strncmp(v->name, word, n) == 0 && v->name[n] == ' ')
			printf("  %s %s %s\n        %s\n", program_name, v->name, v->synopsis, v->help);
}

static int dispatch(const char *page, const struct assay_verb *verbs, int argc, char **argv)
{
	const char *program = program_name;

	if (argc >= 2 && strcmp(argv[1], "--help") == 0) {
		print_help(page, verbs);
		return ASSAY_EXIT_OK;
	}
	if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
		printf("%s %s\n", program, ASSAY_VERSION);
		return ASSAY_EXIT_OK;
	}
	if (argc < 2) {
		fprintf(stderr, "%s: a verb is missing\nTry '%s --help'.\n", program, program);
		return ASSAY_EXIT_USAGE;
	}
	for (const struct assay_verb *v = verbs; v->name; v++) {
		int words = verb_words(v, argc, argv);

		if (words == 0)
			continue;
		verb_name = v->name;
		argc -= words;
		argv += words;
		for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
			if (strcmp(argv[i], "--help") != 0)
				continue;
			print_verb_help(v);
			return ASSAY_EXIT_OK;
		}
		return v->run(v, argc, argv);
	}
	if (is_group(verbs, argv[1])) {
		if (argc > 2 && strcmp(argv[2], "--help") == 0) {
			print_group_help(verbs, argv[1]);
			return ASSAY_EXIT_OK;
		}
		if (argc > 2)
			fprintf(stderr, "%s: no verb '%s %s'\n", program, argv[1], argv[2]);
		else
			fprintf(stderr, "%s: a verb is missing after '%s'\n", program, argv[1]);
	} else {
		fprintf(stderr, "%s: no verb '%s'\n", program, argv[1]);
	}
	fprintf(stderr, "Try '%s --help'.\n", program);
	return ASSAY_EXIT_USAGE;
}

int assay_cli_dispatch(const char *program, const char *page, const struct assay_verb *verbs, int argc,
		       char **argv)
{
	program_name = program;
	assay_log_set(print_log, assay_cli_stderr_is_terminal() ? print_progress : NULL, NULL);

	int rc = dispatch(page, verbs, argc, argv);
	/* A result that did not reach its reader is a failure, not a success. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && rc == ASSAY_EXIT_OK) {
		fprintf(stderr, "%s%s%s: cannot write to standard output\n", program,
			verb_name ? " " : "", verb_name ? verb_name : "");
		rc = ASSAY_EXIT_FAIL;
	}
	return rc;
}

int assay_cli_fail(const char *path, const struct assay_err *err)
{
	fprintf(stderr, "%s%s%s: %s%s%s", program_name, verb_name ? " " : "",
		verb_name ? verb_name : "", path ? path : "", path ? ": " : "", err->msg);
	if (err->at != ASSAY_NO_OFFSET)
		fprintf(stderr, " (at byte 0x%" PRIx64 ")", err->at);
	fputc('\n', stderr);
	return ASSAY_EXIT_FAIL;
}

int assay_cli_getopt(const struct assay_verb *verb, int argc, char **argv, const char *letters,
		     const struct option *opts)
{
	opterr = 0;
	const int c = getopt_long(argc, argv, letters, opts, NULL);
	const char *word = argv[optind - 1];
	const char *equals = strchr(word, '=');

	if (c != '?')
		return c;
	option_told = true;
	if (optopt == 0)
		assay_cli_usage_msg(verb, "no option '%s'", word);
	else if (strncmp(word, "--", 2) == 0 && equals)
		assay_cli_usage_msg(verb, "option '%.*s' takes no argument", (int)(equals - word), word);
	else if (strncmp(word, "--", 2) == 0)
		assay_cli_usage_msg(verb, "option '%s' wants an argument", word);
	else if (strchr(letters, optopt))
		assay_cli_usage_msg(verb, "option '-%c' wants an argument", optopt);
	else
		assay_cli_usage_msg(verb, "no option '-%c'", optopt);
	return c;
}

int assay_cli_usage(const struct assay_verb *verb)
{
	if (option_told)
		return ASSAY_EXIT_USAGE;
	fprintf(stderr, "Usage: %s %s %s\nTry '%s %s --help'.\n", program_name, verb->name,
		verb->synopsis, program_name, verb->name);
	return ASSAY_EXIT_USAGE;
}

int assay_cli_usage_msg(const struct assay_verb *verb, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s %s: ", program_name, verb->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTry '%s %s --help'.\n", program_name, verb->name);
	return ASSAY_EXIT_USAGE;
}

int assay_cli_write_json(const struct assay_json *node, const char *path)
{
	ASSAY_AUTO(assay_out) *out = NULL;
	struct assay_err err;

	if (assay_out_open(path, &out, &err) < 0 || assay_json_write(node, out, &err) < 0 ||
	    assay_out_commit(out, &err) < 0)
		return assay_cli_fail(path, &err);
	return ASSAY_EXIT_OK;
}

static void print_escaped(const char *s, size_t len)
{
	struct assay_str text = { 0 };

	assay_str_add_escaped(&text, s, len);
	fputs(text.p ? text.p : "", stdout);
	assay_str_clear(&text);
}

void assay_cli_print_foreign(const char *s)
{
	print_escaped(s, strlen(s));
}

void assay_cli_print_line(const char *s)
{
	print_escaped(s, strcspn(s, "\n"));
}
