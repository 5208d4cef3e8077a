/* SPDX-License-Identifier: Apache-2.0 */
/* assay-agent key: an attestation key under the TPM's endorsement key, for a CA of one's own (tpm/enroll.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

#include "attest/ak.h"
#include "cli/agent.h"
#include "core/limits.h"
#include "core/src.h"
#include "tpm/enroll.h"

/* Certificates of endorsement keys (EK Credential Profile 2.5, 2.2.1.4): RSA-2048, ECC NIST P-256. */
static const uint32_t ek_certificates[] = { [ASSAY_TPM_RSA] = 0x01c00002, [ASSAY_TPM_ECC] = 0x01c0000a };

struct options {
	const char *config, *out;
	bool ek_given, key_given, replace;
	enum assay_tpm_key ek, key;
};

static uint32_t handle_of(const struct assay_agent_config *config)
{
	return config->handle ? config->handle : ASSAY_AK_HANDLE_DEFAULT;
}

/* The endorsement key that is asked for, or the one that has a certificate; *ret_pem NULL when none has. */
static int find_ek(struct assay_tpm *tpm, struct options *o, char **ret_pem, struct assay_err *err)
{
	static const enum assay_tpm_key kinds[] = { ASSAY_TPM_RSA, ASSAY_TPM_ECC };

	for (size_t i = 0; i < 2; i++) {
		struct assay_err why;

		if (o->ek_given && o->ek != kinds[i])
			continue;
		if (assay_ak_nv_certificate(tpm, ek_certificates[kinds[i]], ret_pem, &why) == 0) {
			o->ek = kinds[i];
			return 0;
		}
		if (why.code != ASSAY_E_NOTFOUND) {
			*err = why;
			return -1;
		}
	}
	return 0;
}

static int find_key(struct assay_tpm *tpm, const struct options *o, struct assay_tpm_key_handle *ek, uint32_t handle,
		    struct assay_tpm_key_handle **ret, struct assay_err *err)
{
	struct assay_err why;

	if (o->replace && assay_tpm_key_evict(tpm, handle, &why) < 0 && why.code != ASSAY_E_NOTFOUND) {
		*err = why;
		return -1;
	}
	if (assay_tpm_key_persistent(tpm, handle, ret, &why) == 0) {
		fprintf(stderr, "assay-agent key create: the key at 0x%08x is used (--replace makes a new one)\n", handle);
		return 0;
	}
	if (why.code != ASSAY_E_NOTFOUND) {
		*err = why;
		return -1;
	}
	return assay_tpm_key_create(tpm, ek, o->key_given ? o->key : o->ek, handle, ret, err);
}

static int make_request(struct assay_agent *agent, struct options *o, struct assay_json **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_tpm_key_handle) *ek = NULL;
	ASSAY_AUTO(assay_tpm_key_handle) *ak = NULL;
	ASSAY_AUTO_FREE uint8_t *ek_public = NULL, *ak_public = NULL;
	ASSAY_AUTO_FREE char *pem = NULL;
	size_t ek_len, ak_len;
	struct assay_tpm_public public;

	if (find_ek(agent->tpm, o, &pem, err) < 0 || assay_tpm_key_ek(agent->tpm, o->ek, &ek, err) < 0 ||
	    assay_tpm_key_public(ek, &ek_public, &ek_len, err) < 0 || assay_tpm_public_parse(ek_public, ek_len, &public, err) < 0)
		return -1;
	/* A TPM whose maker has put a template of his own into NV makes another key by the default one. */
	if (pem && assay_ak_match(pem, &public, "the endorsement key's certificate", err) < 0)
		return -1;
	if (find_key(agent->tpm, o, ek, handle_of(agent->config), &ak, err) < 0 ||
	    assay_tpm_key_public(ak, &ak_public, &ak_len, err) < 0 || assay_tpm_public_parse(ak_public, ak_len, &public, err) < 0 ||
	    assay_tpm_public_attests(&public, err) < 0)
		return -1;
	if (!pem)
		fprintf(stderr, "assay-agent key create: the TPM has no certificate of its endorsement key in NV\n");
	return assay_enroll_request_json(ak_public, ak_len, ek_public, ek_len, pem, ret, err);
}

static bool kind_from_name(const char *name, enum assay_tpm_key *ret)
{
	*ret = strcmp(name, "ecc") == 0 ? ASSAY_TPM_ECC : ASSAY_TPM_RSA;
	return strcmp(name, "rsa") == 0 || strcmp(name, "ecc") == 0;
}

int assay_cmd_key_create(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "config", required_argument, NULL, 'c' },   { "ek", required_argument, NULL, 'e' },
		{ "key", required_argument, NULL, 'k' },      { "replace", no_argument, NULL, 'r' },
		{ "output", required_argument, NULL, 'o' },   { 0 },
	};
	ASSAY_AUTO(assay_agent) *agent = NULL;
	ASSAY_AUTO(assay_json) *request = NULL;
	struct options o = { .out = "-" };
	struct assay_err err;
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "o:", opts)) != -1) {
		switch (ch) {
		case 'c':
			o.config = optarg;
			break;
		case 'e':
			o.ek_given = true;
			if (!kind_from_name(optarg, &o.ek))
				return assay_cli_usage_msg(verb, "--ek is rsa or ecc");
			break;
		case 'k':
			o.key_given = true;
			if (!kind_from_name(optarg, &o.key))
				return assay_cli_usage_msg(verb, "--key is rsa or ecc");
			break;
		case 'r':
			o.replace = true;
			break;
		case 'o':
			o.out = optarg;
			break;
		default:
			return assay_cli_usage(verb);
		}
	}
	if (argc != optind)
		return assay_cli_usage(verb);
	if (assay_agent_open(o.config, &agent, &err) < 0 || make_request(agent, &o, &request, &err) < 0)
		return assay_cli_fail(NULL, &err);
	return assay_cli_write_json(request, o.out);
}

/* --- activate ----------------------------------------------------------------------------------- */

static int load_challenge(const char *path, struct assay_enroll_challenge **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *p = NULL;

	if (assay_src_open_file(path, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), ASSAY_ENROLL_MAX_FILE, &p, err) < 0)
		return -1;
	return assay_enroll_challenge_parse((const char *)p, (size_t)assay_src_size(src), ret, err);
}

static int answer(struct assay_agent *agent, const struct assay_enroll_challenge *c, struct assay_json **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_tpm_key_handle) *ek = NULL;
	ASSAY_AUTO(assay_tpm_key_handle) *ak = NULL;
	ASSAY_AUTO_FREE uint8_t *public = NULL;
	struct assay_enroll_answer a;
	uint8_t secret[ASSAY_MAX_DIGEST], name[66];
	size_t len, name_len;

	if (assay_tpm_key_persistent(agent->tpm, handle_of(agent->config), &ak, err) < 0 ||
	    assay_tpm_key_ek(agent->tpm, c->ek, &ek, err) < 0 || assay_tpm_key_public(ek, &public, &len, err) < 0 ||
	    assay_tpm_public_name(public, len, name, &name_len, err) < 0)
		return -1;
	/* libtpms goes into failure mode, until its reset, when it is to decrypt what is for another RSA key. */
	if (name_len != c->ek_name_len || memcmp(name, c->ek_name, name_len) != 0)
		return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET, "the challenge is for another TPM");
	if (assay_tpm_key_activate(agent->tpm, ak, ek, c->blob, c->blob_len, c->seed, c->seed_len, secret, &len, err) < 0)
		return -1;
	if (len != sizeof(a.secret))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "a secret of %zu bytes, not %zu", len, sizeof(a.secret));
	memcpy(a.id, c->id, sizeof(a.id));
	memcpy(a.secret, secret, sizeof(a.secret));
	*ret = assay_enroll_answer_json(&a);
	OPENSSL_cleanse(secret, sizeof(secret));
	OPENSSL_cleanse(&a, sizeof(a));
	return 0;
}

int assay_cmd_key_activate(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	ASSAY_AUTO(assay_enroll_challenge) *challenge = NULL;
	ASSAY_AUTO(assay_agent) *agent = NULL;
	ASSAY_AUTO(assay_json) *json = NULL;
	const char *config = NULL, *out = "-";
	struct assay_err err;
	int ch;

	while ((ch = assay_cli_getopt(verb, argc, argv, "o:", opts)) != -1) {
		if (ch == 'c')
			config = optarg;
		else if (ch == 'o')
			out = optarg;
		else
			return assay_cli_usage(verb);
	}
	if (argc - optind != 1)
		return assay_cli_usage(verb);
	if (load_challenge(argv[optind], &challenge, &err) < 0)
		return assay_cli_fail(argv[optind], &err);
	if (assay_agent_open(config, &agent, &err) < 0 || answer(agent, challenge, &json, &err) < 0)
		return assay_cli_fail(NULL, &err);
	return assay_cli_write_json(json, out);
}
