/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base64.h"
#include "core/limits.h"
#include "core/src.h"
#include "core/text.h"

void assay_envelope_free(struct assay_envelope **envp)
{
	struct assay_envelope *env = envp ? assay_steal(envp) : NULL;

	if (!env)
		return;
	for (size_t i = 0; i < env->n_sigs; i++) {
		free(env->sigs[i].keyid);
		free(env->sigs[i].sig);
		free(env->sigs[i].cert);
	}
	free(env->sigs);
	free(env->payload_type);
	free(env->payload);
	free(env->unknown);
	free(env);
}

static void *copy_bytes(const void *p, size_t n)
{
	char *copy = malloc(n + 1);

	if (copy) {
		if (n > 0)
			memcpy(copy, p, n);
		copy[n] = '\0';
	}
	return copy;
}

int assay_envelope_new(const char *payload_type, const void *payload, size_t len, struct assay_envelope **ret,
		       struct assay_err *err)
{
	ASSAY_AUTO(assay_envelope) *env = calloc(1, sizeof(*env));

	if (!env)
		return assay_fail_mem(err);
	env->payload_type = assay_strdup(payload_type);
	env->payload = copy_bytes(payload, len);
	env->payload_len = len;
	if (!env->payload_type || !env->payload)
		return assay_fail_mem(err);
	*ret = assay_steal(&env);
	return 0;
}

/* Room for one more, which is zero. */
static int add_slot(struct assay_envelope *env, struct assay_envelope_sig **ret, struct assay_err *err)
{
	struct assay_envelope_sig *more;

	if (env->n_sigs >= ASSAY_DSSE_MAX_SIGNATURES)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "DSSE envelope: more than %u signatures",
				  ASSAY_DSSE_MAX_SIGNATURES);
	more = realloc(env->sigs, (env->n_sigs + 1) * sizeof(*more));
	if (!more)
		return assay_fail_mem(err);
	env->sigs = more;
	*ret = &more[env->n_sigs++];
	memset(*ret, 0, sizeof(**ret));
	return 0;
}

int assay_envelope_add(struct assay_envelope *env, const char *keyid, const void *sig, size_t sig_len,
		       const char *cert, struct assay_err *err)
{
	struct assay_envelope_sig *slot;

	if (add_slot(env, &slot, err) < 0)
		return -1;
	slot->keyid = assay_strdup(keyid);
	slot->sig = copy_bytes(sig, sig_len);
	slot->sig_len = sig_len;
	slot->cert = cert ? assay_strdup(cert) : NULL;
	if (slot->keyid && slot->sig && (slot->cert || !cert))
		return 0;
	/* The half of one goes again. */
	free(slot->keyid);
	free(slot->sig);
	free(slot->cert);
	env->n_sigs--;
	return assay_fail_mem(err);
}

/* --- reading ------------------------------------------------------------------------------------ */

/* "payload of the DSSE envelope: …": `what` is the noun. */
static int string_of(const struct assay_json *o, const char *key, const char *what, const char **ret,
		     struct assay_err *err)
{
	const struct assay_json *node = assay_json_get(o, key);

	*ret = assay_json_str(node);
	if (*ret)
		return 0;
	return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s: %s \"%s\"", what,
			  node ? "no text in" : "no", key);
}

/* Either alphabet (RFC 4648, sections 4 and 5), not a mixture of both. */
static int base64_of(const char *text, const char *what, uint8_t **ret, size_t *ret_len, struct assay_err *err)
{
	const size_t len = strlen(text);
	ASSAY_AUTO_FREE char *standard = NULL;

	if (strpbrk(text, "-_") && !strpbrk(text, "+/")) {
		standard = assay_strdup(text);
		if (!standard)
			return assay_fail_mem(err);
		for (char *p = standard; *p; p++)
			*p = *p == '-' ? '+' : *p == '_' ? '/' : *p;
		text = standard;
	}
	if (assay_base64_decode(text, len, ret, ret_len, err) == 0)
		return 0;
	/* The offset is one in this text, not one of the file. */
	if (err && err->at != ASSAY_NO_OFFSET) {
		const uint64_t at = err->at;

		err->at = ASSAY_NO_OFFSET;
		return assay_wrap(err, "%s: character %llu", what, (unsigned long long)at);
	}
	return assay_wrap(err, "%s", what);
}

static int parse_sig(const struct assay_json *o, size_t index, struct assay_envelope *env, struct assay_err *err)
{
	struct assay_envelope_sig *slot;
	const char *sig, *keyid = "";
	char what[64];

	snprintf(what, sizeof(what), "DSSE envelope: signature %zu", index + 1);
	if (!assay_json_is_object(o))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s: not an object", what);
	if (add_slot(env, &slot, err) < 0 || string_of(o, "sig", what, &sig, err) < 0 ||
	    base64_of(sig, what, &slot->sig, &slot->sig_len, err) < 0)
		return -1;
	if (slot->sig_len > ASSAY_DSSE_MAX_SIGNATURE)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%s: %zu bytes", what, slot->sig_len);
	if (assay_json_get(o, "keyid") && string_of(o, "keyid", what, &keyid, err) < 0)
		return -1;
	slot->keyid = assay_strdup(keyid);
	if (!slot->keyid)
		return assay_fail_mem(err);
	if (assay_json_get(o, "cert")) {
		const char *cert;

		if (string_of(o, "cert", what, &cert, err) < 0)
			return -1;
		if (strlen(cert) > ASSAY_DSSE_MAX_CERTS)
			return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%s: %zu bytes of certificates",
					  what, strlen(cert));
		slot->cert = assay_strdup(cert);
		if (!slot->cert)
			return assay_fail_mem(err);
	}
	return 0;
}

static int find_unknown(const char *key, const struct assay_json *value, void *arg)
{
	static const char *const known[] = { "payload", "payloadType", "signatures", "sig", "keyid", "cert" };
	const char **ret = arg;

	(void)value;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(key, known[i]) == 0)
			return 0;
	*ret = key;
	return 1;
}

static int note_unknown(const struct assay_json *o, struct assay_envelope *env, struct assay_err *err)
{
	const struct assay_json *sigs = assay_json_get(o, "signatures");
	const char *key = NULL;

	(void)assay_json_each(o, find_unknown, &key);
	for (size_t i = 0; i < assay_json_len(sigs) && !key; i++)
		(void)assay_json_each(assay_json_at(sigs, i), find_unknown, &key);
	if (!key)
		return 0;
	env->unknown = assay_strdup(key);
	return env->unknown ? 0 : assay_fail_mem(err);
}

static int from_json(const struct assay_json *o, struct assay_envelope **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_envelope) *env = calloc(1, sizeof(*env));
	const struct assay_json *sigs = assay_json_get(o, "signatures");
	const char *type, *payload;

	if (!env)
		return assay_fail_mem(err);
	if (string_of(o, "payloadType", "DSSE envelope", &type, err) < 0 ||
	    string_of(o, "payload", "DSSE envelope", &payload, err) < 0 ||
	    base64_of(payload, "DSSE envelope: payload", &env->payload, &env->payload_len, err) < 0)
		return -1;
	if (env->payload_len > ASSAY_MANIFEST_MAX)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "DSSE envelope: a payload of %zu bytes",
				  env->payload_len);
	env->payload_type = assay_strdup(type);
	if (!env->payload_type)
		return assay_fail_mem(err);
	if (!assay_json_is_array(sigs))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "DSSE envelope: no list of \"signatures\"");
	for (size_t i = 0; i < assay_json_len(sigs); i++)
		if (parse_sig(assay_json_at(sigs, i), i, env, err) < 0)
			return -1;
	if (note_unknown(o, env, err) < 0)
		return -1;
	*ret = assay_steal(&env);
	return 0;
}

int assay_envelope_parse(const char *text, size_t len, struct assay_envelope **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *o = NULL;

	if (assay_json_parse(text, len, &o, err) < 0)
		return -1;
	return from_json(o, ret, err);
}

int assay_envelope_read(const char *text, size_t len, struct assay_envelope **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *o = NULL;

	if (assay_json_parse(text, len, &o, err) < 0)
		return -1;
	if (assay_json_get(o, "_type") && !assay_json_get(o, "payload"))
		return assay_envelope_new(ASSAY_INTOTO_PAYLOAD, text, len, ret, err);
	return from_json(o, ret, err);
}

int assay_envelope_load(const char *path, struct assay_envelope **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *text = NULL;

	/* Base64 takes a third more. */
	if (assay_src_open_file(path, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), 2 * ASSAY_MANIFEST_MAX, &text, err) < 0)
		return -1;
	return assay_envelope_read((const char *)text, (size_t)assay_src_size(src), ret, err);
}

/* --- writing ------------------------------------------------------------------------------------ */

static void set_base64(struct assay_json *o, const char *key, const void *p, size_t n)
{
	ASSAY_AUTO_FREE char *text = assay_base64_encode(p, n);

	assay_json_set(o, key, text ? assay_json_string(text) : NULL);
}

struct assay_json *assay_envelope_json(const struct assay_envelope *env)
{
	struct assay_json *o = assay_json_object();
	struct assay_json *sigs = assay_json_array();

	for (size_t i = 0; i < env->n_sigs; i++) {
		const struct assay_envelope_sig *s = &env->sigs[i];
		struct assay_json *j = assay_json_object();

		if (*s->keyid)
			assay_json_set_str(j, "keyid", s->keyid);
		set_base64(j, "sig", s->sig, s->sig_len);
		if (s->cert)
			assay_json_set_str(j, "cert", s->cert);
		assay_json_append(sigs, j);
	}
	assay_json_set_str(o, "payloadType", env->payload_type);
	set_base64(o, "payload", env->payload, env->payload_len);
	assay_json_set(o, "signatures", sigs);
	return o;
}

int assay_envelope_pae(const struct assay_envelope *env, uint8_t **ret, size_t *ret_len, struct assay_err *err)
{
	struct assay_str s = { 0 };

	assay_str_add(&s, "DSSEv1 %zu %s %zu ", strlen(env->payload_type), env->payload_type, env->payload_len);
	assay_str_add_n(&s, env->payload, env->payload_len);
	const size_t len = s.len;
	char *text = assay_str_steal(&s);
	if (!text)
		return assay_fail_mem(err);
	*ret = (uint8_t *)text;
	*ret_len = len;
	return 0;
}
