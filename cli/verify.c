/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/limits.h"
#include "core/src.h"

struct options {
	struct assay_cli_trust trust;
	uint8_t nonce[ASSAY_NONCE_MAX];
	size_t nonce_len;
	bool has_nonce, json;
	const char *tls;
};

int assay_cli_read_file(const char *path, uint64_t max, char **ret, size_t *ret_len, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	uint8_t *p;

	if (assay_src_open_file(path, &src, err) < 0 || assay_src_read_alloc(src, 0, assay_src_size(src), max, &p, err) < 0)
		return -1;
	*ret = (char *)p;
	*ret_len = (size_t)assay_src_size(src);
	return 0;
}

/* --- what is trusted and expected ------------------------------------------------------------------- */

void assay_cli_trust_clear(struct assay_cli_trust *t)
{
	assay_cli_paths_clear(&t->manifests);
	assay_cli_paths_clear(&t->keys);
	assay_cli_paths_clear(&t->identities);
	assay_cli_paths_clear(&t->anchors);
	assay_cli_paths_clear(&t->expected);
	assay_cli_paths_clear(&t->ignored);
}

static int add(struct assay_cli_paths *paths, char *arg)
{
	struct assay_err err;

	return assay_cli_paths_add(paths, arg, &err) < 0 ? assay_cli_fail(NULL, &err) : ASSAY_EXIT_OK;
}

int assay_cli_trust_option(const struct assay_verb *verb, int ch, char *arg, struct assay_cli_trust *t)
{
	struct assay_err err;

	switch (ch) {
	case 0x100:
		return add(&t->manifests, arg);
	case 0x101:
		return add(&t->keys, arg);
	case 0x102:
		t->ca = arg;
		return ASSAY_EXIT_OK;
	case 0x103:
		return add(&t->identities, arg);
	case 0x104:
		return add(&t->anchors, arg);
	case 0x105:
		if (assay_clock_option(arg, assay_clock_now(), &t->at, &err) < 0)
			return assay_cli_usage_msg(verb, "--at: %s", err.msg);
		return ASSAY_EXIT_OK;
	case 0x106:
		return add(&t->expected, arg);
	case 0x107:
		t->state = arg;
		return ASSAY_EXIT_OK;
	case 0x108:
		if (!assay_cli_release_number(arg, &t->min_release))
			return assay_cli_usage_msg(verb, "--min-release: a number from 1 on, not '%s'", arg);
		return ASSAY_EXIT_OK;
	case 0x109:
		t->platform = arg;
		return ASSAY_EXIT_OK;
	case 0x10a:
		t->phase = arg;
		return ASSAY_EXIT_OK;
	case 0x10b:
		return add(&t->ignored, arg);
	default:
		return assay_cli_usage(verb);
	}
}

static int check_trust(const struct assay_verb *verb, const struct assay_cli_trust *t)
{
	if (t->anchors.n == 0)
		return assay_cli_usage_msg(verb, "--trust DIR is missing: whose attestation keys count");
	if (t->pcrs && (t->manifests.n || t->keys.n || t->identities.n || t->ca || t->state || t->min_release || t->platform))
		return assay_cli_usage_msg(verb, "--pcrs is for old proofs, without a manifest and what goes with it");
	if (t->pcrs)
		return ASSAY_EXIT_OK;
	if (t->manifests.n == 0)
		return assay_cli_usage_msg(verb, "--manifest FILE is missing: what the machine has to run");
	if (!t->ca != (t->identities.n == 0))
		return assay_cli_usage_msg(verb, "--ca FILE and --identity NAME belong together");
	if (t->keys.n + t->identities.n == 0)
		return assay_cli_usage_msg(verb, "neither --key PUB nor --ca CA.pem --identity NAME says who may sign manifests");
	return ASSAY_EXIT_OK;
}

static int pcr_number(const char *text, unsigned *ret)
{
	const size_t n = strlen(text);

	if (n < 1 || n > 2 || strspn(text, "0123456789") != n)
		return -1;
	*ret = (unsigned)strtoul(text, NULL, 10);
	return *ret < ASSAY_N_PCRS ? 0 : -1;
}

/* What the words of the call make of the policy; its mistakes are those of usage. */
static int set_words(const struct assay_verb *verb, const struct assay_cli_trust *t, struct assay_api_policy *p)
{
	struct assay_err err;
	unsigned pcr;

	for (size_t i = 0; i < t->ignored.n; i++)
		if (pcr_number(t->ignored.p[i], &pcr) < 0 || assay_api_ignore_pcr(p, pcr, &err) < 0)
			return assay_cli_usage_msg(verb, "--ignore-pcr: a number from 0 to 15, not '%s'", t->ignored.p[i]);
	if (t->log_pcr && (pcr_number(t->log_pcr, &pcr) < 0 || assay_api_set_log_pcr(p, pcr, &err) < 0))
		return assay_cli_usage_msg(verb, "--log-pcr: a number from 0 to 16, or 23, not '%s'", t->log_pcr);
	for (size_t i = 0; i < t->expected.n; i++)
		if (assay_api_expect(p, t->expected.p[i], &err) < 0)
			return err.code == ASSAY_E_USAGE ? assay_cli_usage_msg(verb, "--expect %s: %s", t->expected.p[i], err.msg) :
							   assay_cli_fail(NULL, &err);
	if ((t->phase && assay_api_set_phase(p, t->phase, &err) < 0) || (t->platform && assay_api_set_platform(p, t->platform, &err) < 0) ||
	    (t->state && assay_api_set_state(p, t->state, &err) < 0))
		return assay_cli_fail(NULL, &err);
	assay_api_set_min_release(p, t->min_release);
	return ASSAY_EXIT_OK;
}

static int read_manifest(const char *path, const struct assay_cli_trust *t, struct assay_api_policy *p, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *text = NULL;
	size_t len;

	/* Base64 takes a third more. */
	if (assay_cli_read_file(path, 2 * ASSAY_MANIFEST_MAX, &text, &len, err) < 0)
		return -1;
	return assay_api_add_manifest(p, text, len, t->at, err);
}

static int read_measurements(const char *path, struct assay_api_policy *p, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *text = NULL;
	size_t len;

	return assay_cli_read_file(path, ASSAY_PCRS_MAX_FILE, &text, &len, err) < 0 ? -1 : assay_api_set_measurements(p, text, len, err);
}

static int read_files(const struct assay_cli_trust *t, struct assay_api_policy *p)
{
	struct assay_err err;

	for (size_t i = 0; i < t->anchors.n; i++)
		if (assay_api_add_trust(p, t->anchors.p[i], &err) < 0)
			return assay_cli_fail(NULL, &err);
	for (size_t i = 0; i < t->keys.n; i++)
		if (assay_api_add_key(p, t->keys.p[i], &err) < 0)
			return assay_cli_fail(t->keys.p[i], &err);
	if (t->ca && assay_api_set_ca(p, t->ca, &err) < 0)
		return assay_cli_fail(t->ca, &err);
	for (size_t i = 0; i < t->identities.n; i++)
		if (assay_api_add_identity(p, t->identities.p[i], &err) < 0)
			return assay_cli_fail(NULL, &err);
	for (size_t i = 0; i < t->manifests.n; i++)
		if (read_manifest(t->manifests.p[i], t, p, &err) < 0)
			return assay_cli_fail(t->manifests.p[i], &err);
	if (t->pcrs && read_measurements(t->pcrs, p, &err) < 0)
		return assay_cli_fail(t->pcrs, &err);
	return ASSAY_EXIT_OK;
}

int assay_cli_trust_open(const struct assay_verb *verb, const struct assay_cli_trust *t, struct assay_api_policy **ret)
{
	ASSAY_AUTO(assay_api_policy) *p = NULL;
	struct assay_err err;
	int rc = check_trust(verb, t);

	if (rc != ASSAY_EXIT_OK)
		return rc;
	if (assay_api_policy_new(&p, &err) < 0)
		return assay_cli_fail(NULL, &err);
	rc = set_words(verb, t, p);
	if (rc == ASSAY_EXIT_OK)
		rc = read_files(t, p);
	if (rc == ASSAY_EXIT_OK)
		*ret = assay_steal(&p);
	return rc;
}

/* --- the verb ------------------------------------------------------------------------------------------ */

/* The certificate of a TLS connection: PEM or DER. */
static int read_peer(const char *path, uint8_t **ret, size_t *ret_len, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *text = NULL;
	size_t len;

	if (assay_cli_read_file(path, ASSAY_PROOF_MAX_CERT, &text, &len, err) < 0)
		return -1;
	if (len > 0 && text[0] == '-')
		return assay_pem_certificate(text, len, ret, ret_len, err);
	if (len == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, 0, "it is empty");
	*ret = (uint8_t *)assay_steal(&text);
	*ret_len = len;
	return 0;
}

static int print(const struct assay_proof_verdict *v, const struct options *o)
{
	struct assay_err err;

	if (o->json) {
		ASSAY_AUTO(assay_json) *json = assay_proof_verdict_json(v);

		return assay_cli_write_json(json, "-");
	}
	return assay_cli_verdict_print(v, &err) < 0 ? assay_cli_fail(NULL, &err) : ASSAY_EXIT_OK;
}

static int verify(const struct assay_verb *verb, const struct options *o, const char *path)
{
	ASSAY_AUTO(assay_api_policy) *policy = NULL;
	ASSAY_AUTO(assay_proof_verdict) *v = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	ASSAY_AUTO_FREE uint8_t *peer = NULL;
	struct assay_proof_request request = { .at = o->trust.at, .nonce = o->has_nonce ? o->nonce : NULL, .nonce_len = o->nonce_len };
	struct assay_err err;
	size_t len;
	int rc = assay_cli_trust_open(verb, &o->trust, &policy);

	if (rc != ASSAY_EXIT_OK)
		return rc;
	if (o->tls && read_peer(o->tls, &peer, &request.peer_len, &err) < 0)
		return assay_cli_fail(o->tls, &err);
	request.peer = peer;
	if (assay_cli_read_file(path, ASSAY_PROOF_MAX_FILE, &text, &len, &err) < 0 ||
	    assay_api_verify(policy, text, len, &request, &v, &err) < 0)
		return assay_cli_fail(path, &err);
	rc = print(v, o);
	if (rc != ASSAY_EXIT_OK)
		return rc;
	return assay_proof_verified(v) ? ASSAY_EXIT_OK : ASSAY_EXIT_MISMATCH;
}

static int parse(const struct assay_verb *verb, int argc, char **argv, struct options *o)
{
	static const struct option opts[] = {
		ASSAY_CLI_TRUST_OPTIONS,	  { "nonce", required_argument, NULL, 'n' },
		{ "tls-cert", required_argument, NULL, 't' }, { "pcrs", required_argument, NULL, 'p' },
		{ "log-pcr", required_argument, NULL, 'l' },  { "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	int ch, rc = ASSAY_EXIT_OK;

	o->trust.at = assay_clock_now();
	while (rc == ASSAY_EXIT_OK && (ch = assay_cli_getopt(verb, argc, argv, "", opts)) != -1) {
		switch (ch) {
		case 'n':
			o->has_nonce = true;
			o->nonce_len = strlen(optarg) / 2;
			if (o->nonce_len < ASSAY_NONCE_MIN || o->nonce_len > ASSAY_NONCE_MAX ||
			    !assay_unhex(optarg, strlen(optarg), o->nonce, o->nonce_len))
				return assay_cli_usage_msg(verb, "--nonce: %d to %d bytes in hex, as the machine was asked with",
							   ASSAY_NONCE_MIN, ASSAY_NONCE_MAX);
			break;
		case 't':
			o->tls = optarg;
			break;
		case 'p':
			o->trust.pcrs = optarg;
			break;
		case 'l':
			o->trust.log_pcr = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		default:
			rc = assay_cli_trust_option(verb, ch, optarg, &o->trust);
		}
	}
	if (rc == ASSAY_EXIT_OK && argc - optind != 1)
		return assay_cli_usage(verb);
	return rc;
}

int assay_cmd_verify(const struct assay_verb *verb, int argc, char **argv)
{
	struct options o = { 0 };
	int rc = parse(verb, argc, argv, &o);

	if (rc == ASSAY_EXIT_OK)
		rc = verify(verb, &o, argv[optind]);
	assay_cli_trust_clear(&o.trust);
	return rc;
}
