/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "cli/secret.h"
#include "manifest/sign.h"

struct options {
	const char *key, *cert, *out, *passphrase_file;
};

static int sign(const struct options *o, const char *path)
{
	ASSAY_AUTO(assay_envelope) *env = NULL;
	ASSAY_AUTO(assay_signer) *signer = NULL;
	ASSAY_AUTO(assay_chain) *chain = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO_FREE char *key_text = assay_key_uri_text(o->key);
	const struct assay_secret secret = assay_cli_secret(o->passphrase_file);
	const char *out = o->out ? o->out : path;
	struct assay_err err;
	int rc;

	if (!key_text) {
		(void)assay_fail_mem(&err);
		return assay_cli_fail(NULL, &err);
	}
	if (assay_envelope_load(path, &env, &err) < 0)
		return assay_cli_fail(path, &err);
	if (o->cert && assay_chain_load(o->cert, &chain, &err) < 0)
		return assay_cli_fail(o->cert, &err);
	if (assay_signer_load(o->key, &secret, &signer, &err) < 0)
		return assay_cli_fail(key_text, &err);
	if (assay_manifest_sign(env, signer, chain, &err) < 0)
		return assay_cli_fail(path, &err);
	json = assay_envelope_json(env);
	rc = assay_cli_write_json(json, out);
	if (rc == ASSAY_EXIT_OK && strcmp(out, "-") != 0)
		printf("signed with %s key %s\n", assay_key_kind_name(assay_signer_key(signer)->kind),
			assay_signer_key(signer)->id);
	return rc;
}

int assay_cmd_manifest_sign(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "key", required_argument, NULL, 'k' },
		{ "cert", required_argument, NULL, 'c' },
		{ "passphrase-file", required_argument, NULL, 'p' },
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	struct options o = { 0 };
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "o:", opts)) != -1) {
		if (ch == 'k')
			o.key = optarg;
		else if (ch == 'c')
			o.cert = optarg;
		else if (ch == 'p')
			o.passphrase_file = optarg;
		else if (ch == 'o')
			o.out = optarg;
		else
			return assay_cli_usage(verb);
	}
	if (argc - optind != 1)
		return assay_cli_usage(verb);
	if (!o.key)
		return assay_cli_usage_msg(verb, "--key URI is missing");
	return sign(&o, argv[optind]);
}
