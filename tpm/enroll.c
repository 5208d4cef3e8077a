/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/enroll.h"

#include <stdlib.h>
#include <string.h>

#include "core/base64.h"
#include "core/limits.h"
#include "core/text.h"

#define REQUEST "assay.ak-request/1"
#define CHALLENGE "assay.ak-challenge/1"
#define ANSWER "assay.ak-answer/1"

static struct assay_json *base64_node(const uint8_t *p, size_t n)
{
	ASSAY_AUTO_FREE char *text = assay_base64_encode(p, n);

	return text ? assay_json_string(text) : NULL;
}

/* --- reading ------------------------------------------------------------------------------------ */

/* An object with just these members; names end with NULL. */
static int members(const struct assay_json *o, const char *what, const char *const *names, struct assay_err *err)
{
	size_t n = 0;

	if (!assay_json_is_object(o))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s is no object", what);
	for (; names[n]; n++)
		if (!assay_json_get(o, names[n]))
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s has no '%s'", what, names[n]);
	if (assay_json_len(o) != n)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s has members that are not known", what);
	return 0;
}

static int open_file(const char *text, size_t len, const char *schema, struct assay_json **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *o = NULL;

	if (len > ASSAY_ENROLL_MAX_FILE)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%zu bytes, at most %u", len, ASSAY_ENROLL_MAX_FILE);
	if (assay_json_parse(text, len, &o, err) < 0)
		return -1;
	const char *is = assay_json_str(assay_json_get(o, "schema"));
	if (!is || strcmp(is, schema) != 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "schema is not %s", schema);
	*ret = assay_steal(&o);
	return 0;
}

static int get_base64(const struct assay_json *o, const char *name, uint8_t **ret, size_t *ret_len, struct assay_err *err)
{
	size_t len;
	const char *text = assay_json_text(assay_json_get(o, name), &len);

	if (!text)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "'%s' is no string", name);
	if (assay_base64_decode(text, len, ret, ret_len, err) < 0)
		return assay_wrap(err, "'%s'", name);
	return 0;
}

static int get_id(const struct assay_json *o, char ret[ASSAY_ENROLL_ID], struct assay_err *err)
{
	const char *id = assay_json_str(assay_json_get(o, "id"));

	/* It becomes a file's name. */
	if (!id || strlen(id) != ASSAY_ENROLL_ID - 1 || strspn(id, "0123456789abcdef") != ASSAY_ENROLL_ID - 1)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "'id' is not 64 lower-case hex digits");
	memcpy(ret, id, ASSAY_ENROLL_ID);
	return 0;
}

/* --- requests ----------------------------------------------------------------------------------- */

void assay_enroll_request_free(struct assay_enroll_request **rp)
{
	struct assay_enroll_request *r = rp ? assay_steal(rp) : NULL;

	if (!r)
		return;
	free(r->ak_public);
	free(r->ek_public);
	free(r->ek_certificate);
	free(r);
}

static int parse_keys(const struct assay_json *ak, const struct assay_json *ek, struct assay_enroll_request *r, struct assay_err *err)
{
	const char *name = assay_json_str(assay_json_get(ak, "name"));
	uint8_t said[66];

	if (get_base64(ak, "public", &r->ak_public, &r->ak_public_len, err) < 0 ||
	    assay_tpm_public_parse(r->ak_public, r->ak_public_len, &r->ak, err) < 0 ||
	    assay_tpm_public_name(r->ak_public, r->ak_public_len, r->ak_name, &r->ak_name_len, err) < 0)
		return assay_wrap(err, "ak");
	if (!name || strlen(name) != 2 * r->ak_name_len || !assay_unhex(name, strlen(name), said, r->ak_name_len) ||
	    memcmp(said, r->ak_name, r->ak_name_len) != 0)
		return assay_fail(err, ASSAY_E_MISMATCH, ASSAY_NO_OFFSET, "ak: its name is not that of the key");
	if (get_base64(ek, "public", &r->ek_public, &r->ek_public_len, err) < 0 ||
	    assay_tpm_public_parse(r->ek_public, r->ek_public_len, &r->ek, err) < 0)
		return assay_wrap(err, "ek");
	return 0;
}

int assay_enroll_request_parse(const char *text, size_t len, struct assay_enroll_request **ret, struct assay_err *err)
{
	static const char *const top[] = { "schema", "ak", "ek", NULL };
	static const char *const in_ak[] = { "public", "name", NULL }, *const in_ek[] = { "public", "certificate", NULL };
	ASSAY_AUTO(assay_enroll_request) *r = calloc(1, sizeof(*r));
	ASSAY_AUTO(assay_json) *o = NULL;

	if (!r)
		return assay_fail_mem(err);
	if (open_file(text, len, REQUEST, &o, err) < 0 || members(o, "the request", top, err) < 0)
		return -1;
	const struct assay_json *ak = assay_json_get(o, "ak"), *ek = assay_json_get(o, "ek");
	if (members(ak, "ak", in_ak, err) < 0 || members(ek, "ek", in_ek, err) < 0 || parse_keys(ak, ek, r, err) < 0)
		return -1;
	const struct assay_json *certificate = assay_json_get(ek, "certificate");
	ASSAY_AUTO(assay_json) *none = assay_json_null();
	if (!assay_json_equal(certificate, none)) {
		const char *pem = assay_json_str(certificate);

		if (!pem)
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "ek: 'certificate' is neither a string nor null");
		r->ek_certificate = assay_strdup(pem);
		if (!r->ek_certificate)
			return assay_fail_mem(err);
	}
	*ret = assay_steal(&r);
	return 0;
}

int assay_enroll_request_json(const uint8_t *ak_public, size_t ak_public_len, const uint8_t *ek_public, size_t ek_public_len,
			      const char *ek_certificate, struct assay_json **ret, struct assay_err *err)
{
	uint8_t name[66];
	size_t name_len;

	if (assay_tpm_public_name(ak_public, ak_public_len, name, &name_len, err) < 0)
		return -1;
	struct assay_json *o = assay_json_object(), *ak = assay_json_object(), *ek = assay_json_object();
	assay_json_set_str(o, "schema", REQUEST);
	assay_json_set(ak, "public", base64_node(ak_public, ak_public_len));
	assay_json_set(ak, "name", assay_json_hex(name, name_len));
	assay_json_set(ek, "public", base64_node(ek_public, ek_public_len));
	assay_json_set(ek, "certificate", assay_json_string(ek_certificate));
	assay_json_set(o, "ak", ak);
	assay_json_set(o, "ek", ek);
	*ret = o;
	return 0;
}

/* --- challenges --------------------------------------------------------------------------------- */

void assay_enroll_challenge_free(struct assay_enroll_challenge **cp)
{
	struct assay_enroll_challenge *c = cp ? assay_steal(cp) : NULL;

	if (!c)
		return;
	free(c->blob);
	free(c->seed);
	free(c);
}

int assay_enroll_challenge_parse(const char *text, size_t len, struct assay_enroll_challenge **ret, struct assay_err *err)
{
	static const char *const top[] = { "schema", "id", "ek", "ek_name", "blob", "seed", NULL };
	ASSAY_AUTO(assay_enroll_challenge) *c = calloc(1, sizeof(*c));
	ASSAY_AUTO(assay_json) *o = NULL;

	if (!c)
		return assay_fail_mem(err);
	if (open_file(text, len, CHALLENGE, &o, err) < 0 || members(o, "the challenge", top, err) < 0 || get_id(o, c->id, err) < 0)
		return -1;
	const char *ek = assay_json_str(assay_json_get(o, "ek"));
	if (!ek || (strcmp(ek, "rsa") != 0 && strcmp(ek, "ecc") != 0))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "'ek' is neither rsa nor ecc");
	c->ek = strcmp(ek, "rsa") == 0 ? ASSAY_TPM_RSA : ASSAY_TPM_ECC;
	const char *name = assay_json_str(assay_json_get(o, "ek_name"));
	c->ek_name_len = name ? strlen(name) / 2 : 0;
	if (!name || c->ek_name_len == 0 || c->ek_name_len > sizeof(c->ek_name) ||
	    !assay_unhex(name, strlen(name), c->ek_name, c->ek_name_len))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "'ek_name' is no name of a key");
	if (get_base64(o, "blob", &c->blob, &c->blob_len, err) < 0 || get_base64(o, "seed", &c->seed, &c->seed_len, err) < 0)
		return -1;
	*ret = assay_steal(&c);
	return 0;
}

struct assay_json *assay_enroll_challenge_json(const struct assay_enroll_challenge *c)
{
	struct assay_json *o = assay_json_object();

	assay_json_set_str(o, "schema", CHALLENGE);
	assay_json_set_str(o, "id", c->id);
	assay_json_set_str(o, "ek", c->ek == ASSAY_TPM_RSA ? "rsa" : "ecc");
	assay_json_set(o, "ek_name", assay_json_hex(c->ek_name, c->ek_name_len));
	assay_json_set(o, "blob", base64_node(c->blob, c->blob_len));
	assay_json_set(o, "seed", base64_node(c->seed, c->seed_len));
	return o;
}

/* --- answers ------------------------------------------------------------------------------------ */

int assay_enroll_answer_parse(const char *text, size_t len, struct assay_enroll_answer *ret, struct assay_err *err)
{
	static const char *const top[] = { "schema", "id", "secret", NULL };
	ASSAY_AUTO(assay_json) *o = NULL;
	struct assay_enroll_answer a;

	if (open_file(text, len, ANSWER, &o, err) < 0 || members(o, "the answer", top, err) < 0 || get_id(o, a.id, err) < 0)
		return -1;
	const char *secret = assay_json_str(assay_json_get(o, "secret"));
	if (!secret || !assay_unhex(secret, strlen(secret), a.secret, sizeof(a.secret)))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "'secret' is not %d hex digits", 2 * ASSAY_ENROLL_SECRET);
	*ret = a;
	return 0;
}

struct assay_json *assay_enroll_answer_json(const struct assay_enroll_answer *a)
{
	struct assay_json *o = assay_json_object();

	assay_json_set_str(o, "schema", ANSWER);
	assay_json_set_str(o, "id", a->id);
	assay_json_set(o, "secret", assay_json_hex(a->secret, sizeof(a->secret)));
	return o;
}
