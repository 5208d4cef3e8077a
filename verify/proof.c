/* SPDX-License-Identifier: Apache-2.0 */
/* Members, Base64, hex: assay.proof/1. The older shapes are in proof_old.c. */
#include "verify/proof.h"

#include <stdlib.h>
#include <string.h>

#include "core/base64.h"
#include "core/limits.h"
#include "core/text.h"
#include "verify/proof_priv.h"

const char *assay_proof_shape_name(enum assay_proof_shape shape)
{
	static const char *const names[ASSAY_N_PROOF_SHAPES] = {
		[ASSAY_PROOF_1] = ASSAY_PROOF_SCHEMA,
		[ASSAY_PROOF_AICERT] = "aicert",
		[ASSAY_PROOF_AICERT_0] = "aicert-early",
		[ASSAY_PROOF_BLINDLLAMA] = "blindllama-v2",
	};

	return names[shape];
}

void assay_proof_free(struct assay_proof **pp)
{
	struct assay_proof *p = pp ? assay_steal(pp) : NULL;

	if (!p)
		return;
	for (size_t i = 0; i < p->n_certs; i++)
		free(p->certs[i].p);
	free(p->certs);
	free(p->ak_public.p);
	free(p->message.p);
	free(p->signature.p);
	free(p->tls.p);
	free(p->tcg_log.p);
	assay_cel_free(&p->log);
	assay_json_free(&p->json);
	free(p);
}

/* --- what both kinds of file need ---------------------------------------------------------------- */

int assay_proof_members(const struct assay_json *o, const char *what, const char *const *names, size_t n,
			struct assay_err *err)
{
	if (!assay_json_is_object(o))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s is no object", what);
	for (size_t i = 0; i < n; i++)
		if (!assay_json_get(o, names[i]))
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s has no \"%s\"", what, names[i]);
	if (assay_json_len(o) != n)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s has a member that is not known", what);
	return 0;
}

int assay_proof_base64(const struct assay_json *node, const char *what, size_t max, struct assay_proof_bytes *ret,
		       struct assay_err *err)
{
	const char *text = assay_json_str(node);
	uint8_t *p;
	size_t n;

	if (!text)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s is no string", what);
	if (strlen(text) / 4 * 3 > max + 3)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%s: %zu characters of Base64 for at most %zu bytes", what,
				  strlen(text), max);
	if (assay_base64_decode(text, strlen(text), &p, &n, err) < 0)
		return assay_wrap(err, "%s", what);
	if (n == 0 || n > max) {
		free(p);
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s has %zu bytes", what, n);
	}
	*ret = (struct assay_proof_bytes){ p, n };
	return 0;
}

bool assay_proof_unhex(const char *hex, uint8_t *dst, size_t n)
{
	/* Lower case alone: of two ways to write a value one is refused. */
	return hex && strspn(hex, "0123456789abcdef") == 2 * n && assay_unhex(hex, strlen(hex), dst, n);
}

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----\n"
#define PEM_END "-----END CERTIFICATE-----\n"

int assay_pem_certificate(const char *pem, size_t len, uint8_t **ret, size_t *ret_len, struct assay_err *err)
{
	const size_t begin = strlen(PEM_BEGIN), end = strlen(PEM_END);
	ASSAY_AUTO_FREE char *text = NULL;
	size_t n = 0, column = 0;

	/* The newline at the end may be missing. */
	const bool open = len > 0 && pem[len - 1] != '\n';
	const size_t tail = open ? end - 1 : end;

	if (len > ASSAY_PROOF_MAX_CERT * 2)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "a certificate of %zu characters", len);
	if (len <= begin + tail || memcmp(pem, PEM_BEGIN, begin) != 0 || memcmp(pem + len - tail, PEM_END, tail) != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "no certificate in PEM, or more than that");
	text = malloc(len);
	if (!text)
		return assay_fail_mem(err);
	/* Lines of 64 (RFC 7468, 3), the last of them shorter. */
	for (size_t i = begin; i < len - tail; i++) {
		const bool newline = pem[i] == '\n';

		if (newline != (column == 64) && !(newline && column > 0 && i + 1 == len - tail))
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "PEM whose lines are not of 64 characters");
		column = newline ? 0 : column + 1;
		if (!newline)
			text[n++] = pem[i];
	}
	if (column != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "PEM that does not end with a line");
	return assay_base64_decode(text, n, ret, ret_len, err);
}

/* Appended to p->certs, which has room. */
int assay_proof_add_pem(struct assay_proof *p, const struct assay_json *node, struct assay_err *err)
{
	struct assay_proof_bytes *c = &p->certs[p->n_certs];
	size_t len;
	const char *pem = assay_json_text(node, &len);

	if (!pem)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "certificate %zu is no string", p->n_certs + 1);
	if (p->shape == ASSAY_PROOF_1 && (len == 0 || pem[len - 1] != '\n'))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "certificate %zu does not end with a newline", p->n_certs + 1);
	if (assay_pem_certificate(pem, len, &c->p, &c->len, err) < 0)
		return assay_wrap(err, "certificate %zu", p->n_certs + 1);
	p->n_certs++;
	return 0;
}

int assay_proof_room_for_certs(struct assay_proof *p, const struct assay_json *list, struct assay_err *err)
{
	if (!assay_json_is_array(list))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "the certificates are no array");
	if (assay_json_len(list) > ASSAY_CHAIN_MAX_CERTS)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%zu certificates, limit %u", assay_json_len(list),
				  ASSAY_CHAIN_MAX_CERTS);
	p->certs = calloc(assay_json_len(list) + 1, sizeof(*p->certs));
	return p->certs ? 0 : assay_fail_mem(err);
}

/* --- assay.proof/1 ------------------------------------------------------------------------------- */

static int read_ak(const struct assay_json *o, struct assay_proof *p, struct assay_err *err)
{
	static const char *const names[] = { "certificates", "public", "source" };
	static const char *const sources[] = { "azure", "ek", "gcp", "handle" };
	const struct assay_json *list = assay_json_get(o, "certificates");
	const char *source = assay_json_str(assay_json_get(o, "source"));

	if (assay_proof_members(o, "ak", names, 3, err) < 0)
		return -1;
	for (size_t i = 0; source && i < sizeof(sources) / sizeof(sources[0]); i++)
		if (strcmp(source, sources[i]) == 0)
			p->source = source;
	if (!p->source)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "ak.source is none that is known");
	if (assay_proof_base64(assay_json_get(o, "public"), "ak.public", ASSAY_PROOF_MAX_FIELD, &p->ak_public, err) < 0 ||
	    assay_proof_room_for_certs(p, list, err) < 0)
		return -1;
	for (size_t i = 0; i < assay_json_len(list); i++)
		if (assay_proof_add_pem(p, assay_json_at(list, i), err) < 0)
			return assay_wrap(err, "ak");
	return 0;
}

static int read_quote(const struct assay_json *o, struct assay_proof *p, struct assay_err *err)
{
	static const char *const names[] = { "message", "signature" };

	if (assay_proof_members(o, "quote", names, 2, err) < 0)
		return -1;
	if (assay_proof_base64(assay_json_get(o, "message"), "quote.message", ASSAY_PROOF_MAX_FIELD, &p->message, err) < 0)
		return -1;
	return assay_proof_base64(assay_json_get(o, "signature"), "quote.signature", ASSAY_PROOF_MAX_FIELD, &p->signature, err);
}

struct values {
	struct assay_pcrs *pcrs;
	enum assay_bank bank;
	struct assay_err *err;
};

/* "0" to "23", in the one way that they are written. */
bool assay_proof_pcr_number(const char *key, unsigned *ret)
{
	const size_t n = strlen(key);

	if (n < 1 || n > 2 || strspn(key, "0123456789") != n || (n == 2 && key[0] == '0'))
		return false;
	*ret = n == 1 ? (unsigned)(key[0] - '0') : 10U * (unsigned)(key[0] - '0') + (unsigned)(key[1] - '0');
	return *ret < ASSAY_N_PCRS;
}

static int read_value(const char *key, const struct assay_json *value, void *arg)
{
	struct values *v = arg;
	unsigned pcr;

	if (!assay_proof_pcr_number(key, &pcr))
		return assay_fail(v->err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "pcrs: bank %s has a member that is no PCR",
				  assay_bank_name(v->bank));
	if (!assay_proof_unhex(assay_json_str(value), v->pcrs->v[v->bank][pcr], assay_bank_size(v->bank)))
		return assay_fail(v->err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "pcrs: PCR %u of bank %s is not %zu digits of lower-case hex",
				  pcr, assay_bank_name(v->bank), 2 * assay_bank_size(v->bank));
	v->pcrs->have[v->bank] |= 1U << pcr;
	return 0;
}

static int read_bank(const char *key, const struct assay_json *value, void *arg)
{
	struct values *v = arg;

	if (!assay_bank_from_name(key, &v->bank) || strcmp(assay_bank_name(v->bank), key) != 0)
		return assay_fail(v->err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "pcrs: a bank that is not known");
	if (!assay_json_is_object(value) || assay_json_len(value) == 0)
		return assay_fail(v->err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "pcrs: bank %s is no object with values", key);
	v->pcrs->banks |= ASSAY_BANK_BIT(v->bank);
	return assay_json_each(value, read_value, v);
}

static int read_pcrs(const struct assay_json *o, struct assay_proof *p, struct assay_err *err)
{
	struct values v = { .pcrs = &p->pcrs, .err = err };

	if (!assay_json_is_object(o))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "pcrs is no object");
	return assay_json_each(o, read_bank, &v);
}

static bool is_null(const struct assay_json *node)
{
	int64_t integer;
	size_t len;
	bool b;

	return !assay_json_is_object(node) && !assay_json_is_array(node) && !assay_json_text(node, &len) &&
	       !assay_json_get_int(node, &integer) && !assay_json_get_bool(node, &b);
}

static int read_nonce(const struct assay_json *node, struct assay_proof *p, struct assay_err *err)
{
	const char *hex = assay_json_str(node);

	if (is_null(node))
		return 0;
	p->nonce_len = hex ? strlen(hex) / 2 : 0;
	p->has_nonce = true;
	if (p->nonce_len == 0 || p->nonce_len > ASSAY_NONCE_MAX || !assay_proof_unhex(hex, p->nonce, p->nonce_len))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "nonce is not 1 to %d bytes in lower-case hex", ASSAY_NONCE_MAX);
	return 0;
}

static int read_manifest(const struct assay_json *node, struct assay_proof *p, struct assay_err *err)
{
	static const char *const names[] = { "name" };

	if (is_null(node))
		return 0;
	if (assay_proof_members(node, "manifest", names, 1, err) < 0)
		return -1;
	p->manifest = assay_json_str(assay_json_get(node, "name"));
	return p->manifest ? 0 : assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "manifest.name is no string");
}

static int read_tls(const struct assay_json *node, struct assay_proof *p, struct assay_err *err)
{
	static const char *const names[] = { "certificate" };
	size_t len;

	if (is_null(node))
		return 0;
	if (assay_proof_members(node, "tls", names, 1, err) < 0)
		return -1;
	const char *pem = assay_json_text(assay_json_get(node, "certificate"), &len);
	if (!pem || len == 0 || pem[len - 1] != '\n')
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "tls.certificate is no string that ends with a newline");
	if (assay_pem_certificate(pem, len, &p->tls.p, &p->tls.len, err) < 0)
		return assay_wrap(err, "tls.certificate");
	return 0;
}

static int read_proof(const struct assay_json *o, struct assay_proof *p, struct assay_err *err)
{
	static const char *const names[] = { "ak",	    "manifest", "nonce", "pcrs", "quote",
					     "runtime_log", "schema",	"tcg_log", "tls" };
	const struct assay_json *log = assay_json_get(o, "tcg_log");

	if (assay_proof_members(o, "the proof", names, sizeof(names) / sizeof(names[0]), err) < 0 ||
	    read_ak(assay_json_get(o, "ak"), p, err) < 0 || read_quote(assay_json_get(o, "quote"), p, err) < 0 ||
	    read_pcrs(assay_json_get(o, "pcrs"), p, err) < 0 || read_nonce(assay_json_get(o, "nonce"), p, err) < 0 ||
	    read_manifest(assay_json_get(o, "manifest"), p, err) < 0 || read_tls(assay_json_get(o, "tls"), p, err) < 0)
		return -1;
	if (!is_null(log) && assay_proof_base64(log, "tcg_log", ASSAY_EVENTLOG_MAX, &p->tcg_log, err) < 0)
		return -1;
	if (assay_cel_parse(assay_json_get(o, "runtime_log"), &p->log, err) < 0)
		return assay_wrap(err, "runtime_log");
	return 0;
}

int assay_proof_parse(const char *text, size_t len, int log_pcr, struct assay_proof **ret, bool *ret_is_json,
		      struct assay_err *err)
{
	ASSAY_AUTO(assay_proof) *p = calloc(1, sizeof(*p));
	const char *schema;
	bool is_known = false;
	int r;

	*ret_is_json = false;
	if (!p)
		return assay_fail_mem(err);
	if (len > ASSAY_PROOF_MAX_FILE)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%zu bytes, limit %u", len, ASSAY_PROOF_MAX_FILE);
	if (assay_json_parse(text, len, &p->json, err) < 0)
		return -1;
	*ret_is_json = true;
	schema = assay_json_str(assay_json_get(p->json, "schema"));
	if (schema && strcmp(schema, ASSAY_PROOF_SCHEMA) == 0) {
		is_known = true;
		r = read_proof(p->json, p, err);
	} else if (assay_json_get(p->json, "schema")) {
		r = assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "its schema is \"%.80s\", not \"%s\"", schema ? schema : "",
			       ASSAY_PROOF_SCHEMA);
	} else {
		r = assay_proof_read_old(p, log_pcr, &is_known, err);
	}
	if (r < 0) {
		/* Something in it is not known; what it is as a whole is. */
		if (err && err->code == ASSAY_E_UNSUPPORTED && is_known)
			err->code = ASSAY_E_CORRUPT;
		return -1;
	}
	*ret = assay_steal(&p);
	return 0;
}
