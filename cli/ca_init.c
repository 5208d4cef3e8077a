/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/ca.h"
#include "core/clock.h"
#include "core/limits.h"
#include "core/src.h"
#include "verify/ca.h"

int assay_cli_read_small(const char *path, char **ret, size_t *ret_len, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	uint8_t *p = NULL;

	if (assay_src_open_file(path, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), ASSAY_ENROLL_MAX_FILE, &p, err) < 0)
		return -1;
	*ret = (char *)p;
	*ret_len = (size_t)assay_src_size(src);
	return 0;
}

bool assay_cli_days(const char *text, unsigned *ret)
{
	unsigned v = 0;

	if (strlen(text) == 0 || strlen(text) > 5 || strspn(text, "0123456789") != strlen(text))
		return false;
	for (; *text; text++)
		v = v * 10 + (unsigned)(*text - '0');
	*ret = v;
	return v >= 1 && v <= ASSAY_AKCA_MAX_DAYS;
}

int assay_cli_refused(const char *path, const struct assay_err *err)
{
	(void)assay_cli_fail(path, err);
	return err->code == ASSAY_E_MISMATCH ? ASSAY_EXIT_MISMATCH : ASSAY_EXIT_FAIL;
}

int assay_cmd_ca_init(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "name", required_argument, NULL, 'n' },
		{ "days", required_argument, NULL, 'd' },
		{ 0 },
	};
	unsigned days = ASSAY_AKCA_DAYS;
	const char *name = NULL;
	struct assay_err err;
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "", opts)) != -1) {
		if (ch == 'n')
			name = optarg;
		else if (ch == 'd' && !assay_cli_days(optarg, &days))
			return assay_cli_usage_msg(verb, "--days is 1 to %d", ASSAY_AKCA_MAX_DAYS);
		else if (ch != 'd')
			return assay_cli_usage(verb);
	}
	if (argc - optind != 1)
		return assay_cli_usage(verb);
	if (!name || strlen(name) < 1 || strlen(name) > 64)
		return assay_cli_usage_msg(verb, "--name is 1 to 64 characters");
	/* There is a private key in it. */
	umask(077);
	if (assay_akca_init(argv[optind], name, assay_clock_now(), days, &err) < 0)
		return assay_cli_fail(argv[optind], &err);
	return ASSAY_EXIT_OK;
}
