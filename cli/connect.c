/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/rand.h>

#include "cli/https.h"
#include "core/clock.h"
#include "core/limits.h"
#include "core/text.h"

#define PROOF_PATH "/.well-known/assay/proof"
#define NONCE_BYTES 32

struct options {
	struct assay_cli_trust trust;
	const char *get, *output, *save;
	uint64_t timeout, max_size; /* seconds, bytes */
	bool any_name, json;
};

/* What one verification needs, and what came of it. */
struct visit {
	const struct options *o;
	struct assay_api_policy *policy;
	struct assay_origin origin;
	struct assay_https *https;
	uint8_t nonce[NONCE_BYTES];
	char *proof;
	size_t proof_len;
	struct assay_proof_verdict *verdict;
	uint64_t deadline; /* milliseconds; of CLOCK_MONOTONIC */
};

static void leave(struct visit *v)
{
	assay_https_free(&v->https);
	assay_proof_verdict_free(&v->verdict);
	free(v->proof);
	v->proof = NULL;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- the proof -------------------------------------------------------------------------------------- */

static int ask_once(struct visit *v, struct assay_https_answer *answer, struct assay_err *err)
{
	ASSAY_AUTO(assay_out) *out = NULL;
	char path[sizeof(PROOF_PATH) + 7 + 2 * NONCE_BYTES], hex[2 * NONCE_BYTES + 1];
	const uint64_t now = now_ms();

	if (now >= v->deadline)
		return assay_fail(err, ASSAY_E_IO, ASSAY_NO_OFFSET, "no proof within %" PRIu64 " seconds", v->o->timeout);
	if (RAND_bytes(v->nonce, NONCE_BYTES) != 1)
		return assay_fail(err, ASSAY_E_CRYPTO, ASSAY_NO_OFFSET, "no random bytes");
	snprintf(path, sizeof(path), PROOF_PATH "?nonce=%s", assay_hex(v->nonce, NONCE_BYTES, hex));
	leave(v);
	if (assay_https_new(&v->origin, &v->https, err) < 0 || assay_out_memory(&out, err) < 0)
		return -1;
	const struct assay_https_get get = { .path = path, .out = out, .max = ASSAY_PROOF_MAX_FILE,
					     .timeout_ms = (long)(v->deadline - now) };
	if (assay_https_get(v->https, &get, answer, err) < 0)
		return -1;
	return assay_out_steal(out, &v->proof, &v->proof_len, err);
}

/* A busy server is asked again when it says so. Each time it is another connection, and another nonce. */
static int ask(struct visit *v, struct assay_err *err)
{
	struct assay_https_answer answer;

	for (unsigned i = 0;; i++) {
		if (ask_once(v, &answer, err) < 0)
			return -1;
		if (answer.status == 200)
			return 0;
		const uint64_t wait = (answer.retry_after ? answer.retry_after : 1) * 1000;

		if (answer.status != 503 || i == ASSAY_CONNECT_MAX_RETRIES)
			return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "%s: the server answers %ld", PROOF_PATH,
					  answer.status);
		if (answer.retry_after > ASSAY_CONNECT_MAX_TIMEOUT || now_ms() + wait >= v->deadline)
			return assay_fail(err, ASSAY_E_IO, ASSAY_NO_OFFSET,
					  "the server is busy for %" PRIu64 " seconds more, and %" PRIu64 " were to be waited at most",
					  answer.retry_after, v->o->timeout);
		const struct timespec pause = { .tv_sec = (time_t)(wait / 1000) };

		nanosleep(&pause, NULL);
	}
}

static int judge(struct visit *v, struct assay_err *err)
{
	struct assay_proof_request request = { .at = v->o->trust.at, .nonce = v->nonce, .nonce_len = NONCE_BYTES };

	request.peer = assay_https_peer(v->https, &request.peer_len);
	return assay_api_verify(v->policy, v->proof, v->proof_len, &request, &v->verdict, err);
}

/* --- what is told ----------------------------------------------------------------------------------- */

/* What is of the proof steers no terminal. */
static void tell_line(const char *what, const char *text)
{
	struct assay_str line = { 0 };

	assay_str_add_escaped(&line, text, strlen(text));
	fprintf(stderr, "%s%s\n", what, line.p ? line.p : "");
	assay_str_clear(&line);
}

/* When the body has standard output: the verdict in brief, aside. */
static int tell_aside(const struct assay_proof_verdict *verdict)
{
	for (size_t i = 0; i < verdict->n_reasons; i++) {
		fprintf(stderr, "REFUSED    %s", assay_proof_refusal_name(verdict->reasons[i].code));
		tell_line(": ", verdict->reasons[i].text);
	}
	if (assay_proof_verified(verdict) && verdict->boot)
		fprintf(stderr, "verified   %s, release %" PRIu64 "\n", verdict->boot->name, verdict->boot->release);
	return ASSAY_EXIT_OK;
}

static int tell(const struct visit *v)
{
	ASSAY_AUTO(assay_json) *json = NULL;
	ASSAY_AUTO_FREE char *text = NULL;
	struct assay_err err;
	size_t len;

	if (!v->o->get || v->o->output) {
		if (!v->o->json)
			return assay_cli_verdict_print(v->verdict, &err) < 0 ? assay_cli_fail(NULL, &err) : ASSAY_EXIT_OK;
		json = assay_proof_verdict_json(v->verdict);
		return assay_cli_write_json(json, "-");
	}
	if (!v->o->json)
		return tell_aside(v->verdict);
	json = assay_proof_verdict_json(v->verdict);
	if (assay_json_dump(json, &text, &len, &err) < 0)
		return assay_cli_fail(NULL, &err);
	fputs(text, stderr);
	return ASSAY_EXIT_OK;
}

static int save(const struct visit *v)
{
	ASSAY_AUTO(assay_out) *out = NULL;
	struct assay_err err;

	if (!v->o->save)
		return ASSAY_EXIT_OK;
	if (assay_out_open(v->o->save, &out, &err) < 0)
		return assay_cli_fail(v->o->save, &err);
	assay_out_write(out, v->proof, v->proof_len);
	return assay_out_commit(out, &err) < 0 ? assay_cli_fail(v->o->save, &err) : ASSAY_EXIT_OK;
}

/* --- the visit -------------------------------------------------------------------------------------- */

static int meet(struct visit *v)
{
	struct assay_err err;
	int rc;

	v->deadline = now_ms() + v->o->timeout * 1000;
	if (ask(v, &err) < 0)
		return assay_cli_fail(v->origin.url, &err);
	rc = save(v);
	if (rc != ASSAY_EXIT_OK)
		return rc;
	if (!v->o->any_name && !assay_https_is_for(v->https, v->origin.host)) {
		(void)assay_fail(&err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET, "its certificate is not for %s", v->origin.host);
		(void)assay_cli_fail(v->origin.url, &err);
		return ASSAY_EXIT_MISMATCH;
	}
	if (judge(v, &err) < 0)
		return assay_cli_fail(v->origin.url, &err);
	if (!assay_proof_verified(v->verdict)) {
		rc = tell(v);
		return rc != ASSAY_EXIT_OK ? rc : ASSAY_EXIT_MISMATCH;
	}
	return ASSAY_EXIT_OK;
}

/* *ret_gone: the connection that was verified is closed, and nothing has come of it. */
static int fetch(struct visit *v, bool *ret_gone)
{
	ASSAY_AUTO(assay_out) *out = NULL;
	const char *path = v->o->output ? v->o->output : "-";
	struct assay_https_answer answer;
	struct assay_err err;

	if (assay_out_open(path, &out, &err) < 0)
		return assay_cli_fail(path, &err);
	const struct assay_https_get get = { .path = v->o->get, .out = out, .max = v->o->max_size,
					     .timeout_ms = (long)(v->o->timeout * 1000), .patient = true };
	if (assay_https_get(v->https, &get, &answer, &err) < 0) {
		*ret_gone = answer.gone;
		return answer.gone ? ASSAY_EXIT_FAIL : assay_cli_fail(v->origin.url, &err);
	}
	if (answer.status != 200) {
		(void)assay_fail(&err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "%s: the server answers %ld", v->o->get, answer.status);
		return assay_cli_fail(v->origin.url, &err);
	}
	return assay_out_commit(out, &err) < 0 ? assay_cli_fail(path, &err) : ASSAY_EXIT_OK;
}

static int visit(struct visit *v)
{
	bool gone = false;
	int rc = meet(v);

	if (rc == ASSAY_EXIT_OK && v->o->get) {
		rc = fetch(v, &gone);
		/* Servers close what has been idle; once more, from the nonce on. */
		if (gone) {
			gone = false;
			rc = meet(v);
			if (rc == ASSAY_EXIT_OK)
				rc = fetch(v, &gone);
		}
		if (gone) {
			struct assay_err err;

			(void)assay_fail(&err, ASSAY_E_IO, ASSAY_NO_OFFSET,
					 "the server closes each connection after its proof; nothing is sent over another");
			rc = assay_cli_fail(v->origin.url, &err);
		}
	}
	return rc != ASSAY_EXIT_OK ? rc : tell(v);
}

/* --- the verb --------------------------------------------------------------------------------------- */

static int number(const struct assay_verb *verb, const char *option, const char *text, uint64_t max, uint64_t *ret)
{
	const size_t n = strlen(text);

	if (n < 1 || n > 18 || strspn(text, "0123456789") != n || text[0] == '0' || strtoull(text, NULL, 10) > max)
		return assay_cli_usage_msg(verb, "--%s: a number from 1 to %" PRIu64 ", not '%s'", option, max, text);
	*ret = strtoull(text, NULL, 10);
	return ASSAY_EXIT_OK;
}

static int parse(const struct assay_verb *verb, int argc, char **argv, struct options *o)
{
	static const struct option opts[] = {
		ASSAY_CLI_TRUST_OPTIONS,
		{ "get", required_argument, NULL, 'g' },
		{ "output", required_argument, NULL, 'o' },
		{ "save-proof", required_argument, NULL, 'p' },
		{ "timeout", required_argument, NULL, 't' },
		{ "max-size", required_argument, NULL, 'm' },
		{ "any-name", no_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	int ch, rc = ASSAY_EXIT_OK;

	while (rc == ASSAY_EXIT_OK && (ch = assay_cli_getopt(verb, argc, argv, "o:", opts)) != -1) {
		switch (ch) {
		case 'g':
			o->get = optarg;
			break;
		case 'o':
			o->output = optarg;
			break;
		case 'p':
			o->save = optarg;
			break;
		case 't':
			rc = number(verb, "timeout", optarg, ASSAY_CONNECT_MAX_TIMEOUT, &o->timeout);
			break;
		case 'm':
			rc = number(verb, "max-size", optarg, INT64_MAX, &o->max_size);
			break;
		case 'n':
			o->any_name = true;
			break;
		case 'j':
			o->json = true;
			break;
		default:
			rc = assay_cli_trust_option(verb, ch, optarg, &o->trust);
		}
	}
	if (rc != ASSAY_EXIT_OK)
		return rc;
	if (argc - optind != 1)
		return assay_cli_usage(verb);
	if (o->output && !o->get)
		return assay_cli_usage_msg(verb, "-o FILE goes with --get PATH");
	if (o->get && (o->get[0] != '/' || strcspn(o->get, " #\t\r\n") != strlen(o->get)))
		return assay_cli_usage_msg(verb, "--get: a path that begins with a slash, not '%s'", o->get);
	return ASSAY_EXIT_OK;
}

static int connect_to(const struct assay_verb *verb, const struct options *o, const char *url)
{
	struct visit v = { .o = o };
	struct assay_err err;
	int rc = ASSAY_EXIT_OK;

	if (assay_origin_parse(url, &v.origin, &err) < 0)
		rc = err.code == ASSAY_E_USAGE ? assay_cli_usage_msg(verb, "%s", err.msg) : assay_cli_fail(NULL, &err);
	if (rc == ASSAY_EXIT_OK)
		rc = assay_cli_trust_open(verb, &o->trust, &v.policy);
	if (rc == ASSAY_EXIT_OK)
		rc = visit(&v);
	leave(&v);
	assay_api_policy_free(&v.policy);
	assay_origin_clear(&v.origin);
	return rc;
}

int assay_cmd_connect(const struct assay_verb *verb, int argc, char **argv)
{
	struct options o = { .timeout = 60, .max_size = ASSAY_CONNECT_MAX_BODY };
	int rc;

	o.trust.at = assay_clock_now();
	rc = parse(verb, argc, argv, &o);
	if (rc == ASSAY_EXIT_OK)
		rc = connect_to(verb, &o, argv[optind]);
	assay_cli_trust_clear(&o.trust);
	return rc;
}
