/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/proof.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "attest/log.h"
#include "attest/proof_priv.h"
#include "core/base64.h"
#include "core/limits.h"
#include "core/text.h"

static const char *const formats[] = { "assay", "aicert", "blindllama" };

const char *assay_proof_format_name(enum assay_proof_format format)
{
	return formats[format];
}

bool assay_proof_format_from_name(const char *name, enum assay_proof_format *ret)
{
	for (int i = 0; i < ASSAY_N_PROOF_FORMATS; i++)
		if (strcmp(formats[i], name) == 0) {
			*ret = (enum assay_proof_format)i;
			return true;
		}
	return false;
}

struct assay_json *assay_proof_base64_node(const void *p, size_t n)
{
	ASSAY_AUTO_FREE char *text = assay_base64_encode(p, n);

	return text ? assay_json_string(text) : NULL;
}

/* --- the maker ---------------------------------------------------------------------------------- */

struct assay_proof_maker {
	const struct assay_agent_config *config;
	struct assay_tpm *tpm;
	struct assay_ak *ak;
};

/* The key goes first: it is in the TPM. */
static void disconnect(struct assay_proof_maker *maker)
{
	assay_ak_free(&maker->ak);
	assay_tpm_free(&maker->tpm);
}

static int reconnect(struct assay_proof_maker *maker, struct assay_err *err)
{
	if (maker->ak)
		return 0;
	disconnect(maker);
	if (assay_tpm_open(maker->config->tcti, &maker->tpm, err) < 0 ||
	    assay_ak_open(maker->tpm, maker->config, &maker->ak, err) < 0) {
		disconnect(maker);
		return -1;
	}
	return 0;
}

/*
 * The kernel's resource manager serves many at a time; other ways to a TPM one alone, who is not to keep it: others who have
 * the log's lock would wait for it.
 */
static bool is_shared(const char *tcti)
{
	return !tcti || strncmp(tcti, "device:/dev/tpmrm", 17) == 0;
}

int assay_proof_maker_open(const struct assay_agent_config *config, struct assay_proof_maker **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_proof_maker) *maker = calloc(1, sizeof(*maker));
	ASSAY_AUTO(assay_log_file) *lock = NULL;

	if (!maker)
		return assay_fail_mem(err);
	maker->config = config;
	if (assay_agent_log_lock(config, &lock, err) < 0 || reconnect(maker, err) < 0)
		return -1;
	if (!is_shared(config->tcti))
		disconnect(maker);
	*ret = assay_steal(&maker);
	return 0;
}

void assay_proof_maker_free(struct assay_proof_maker **makerp)
{
	struct assay_proof_maker *maker = makerp ? assay_steal(makerp) : NULL;

	if (!maker)
		return;
	disconnect(maker);
	free(maker);
}

/* --- what goes in ------------------------------------------------------------------------------- */

/* The firmware's log; securityfs does not know its size. *ret NULL: there is none. */
static int read_firmware_log(const char *path, uint8_t **ret, size_t *ret_len, struct assay_err *err)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSAY_AUTO_FREE uint8_t *buf = NULL;
	size_t len = 0, cap = 0;
	ssize_t n = 1;

	if (fd < 0)
		return errno == ENOENT ? 0 : assay_fail_sys(err, "%s", path);
	while (n > 0 && len <= ASSAY_EVENTLOG_MAX) {
		if (len == cap) {
			uint8_t *grown = realloc(buf, cap ? 2 * cap : 65536);

			if (!grown) {
				close(fd);
				return assay_fail_mem(err);
			}
			buf = grown;
			cap = cap ? 2 * cap : 65536;
		}
		n = read(fd, buf + len, cap - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	if (n < 0) {
		assay_fail_sys(err, "%s", path);
		close(fd);
		return -1;
	}
	close(fd);
	if (len > ASSAY_EVENTLOG_MAX)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%s: more than %u bytes", path, ASSAY_EVENTLOG_MAX);
	/* Azure has the file, and nothing in it. */
	if (len > 0)
		*ret = assay_steal(&buf);
	*ret_len = len;
	return 0;
}

/* SHA-256 of a certificate in DER, and its PEM in the one way that it is written. */
static int tls_of(const char *pem, uint8_t ret_sha256[32], char **ret_pem, struct assay_err *err)
{
	BIO *in = BIO_new_mem_buf(pem, -1), *out = BIO_new(BIO_s_mem());
	X509 *x = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
	unsigned char *der = NULL;
	const int len = x ? i2d_X509(x, &der) : -1;
	char *p = NULL, *text = NULL;
	int r = -1;

	if (len > 0 && out && PEM_write_bio_X509(out, x) > 0) {
		const long n = BIO_get_mem_data(out, &p);
		const struct assay_part part = { der, (size_t)len };

		text = assay_asprintf("%.*s", (int)n, p);
		r = text ? assay_digest_one(ASSAY_SHA256, &part, 1, ret_sha256, err) : assay_fail_mem(err);
	} else {
		(void)assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "the TLS certificate in the runtime log cannot be read");
	}
	OPENSSL_free(der);
	X509_free(x);
	BIO_free(in);
	BIO_free(out);
	ERR_clear_error();
	if (r < 0)
		free(text);
	else
		*ret_pem = text;
	return r;
}

static int write_assay(const struct assay_evidence *e, struct assay_json **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *o = assay_json_object();
	ASSAY_AUTO_FREE uint8_t *tcg = NULL;
	size_t tcg_len = 0;

	if (e->config->firmware_log && read_firmware_log(e->config->firmware_log, &tcg, &tcg_len, err) < 0)
		return -1;
	struct assay_json *ak = assay_json_object(), *certificates = assay_json_array(), *quote = assay_json_object(),
			  *manifest = e->config->manifest ? assay_json_object() : NULL, *tls = e->tls ? assay_json_object() : NULL;

	for (size_t i = 0; i < e->ak->n_certificates; i++)
		assay_json_append(certificates, assay_json_string(e->ak->certificates[i]));
	assay_json_set_str(ak, "source", assay_ak_source_name(e->ak->source));
	assay_json_set(ak, "public", assay_proof_base64_node(e->ak->public_area, e->ak->public_len));
	assay_json_set(ak, "certificates", certificates);
	assay_json_set(quote, "message", assay_proof_base64_node(e->message, e->message_len));
	assay_json_set(quote, "signature", assay_proof_base64_node(e->signature, e->signature_len));
	assay_json_set_str(o, "schema", "assay.proof/1");
	assay_json_set(o, "ak", ak);
	if (manifest)
		assay_json_set_str(manifest, "name", e->config->manifest);
	assay_json_set(o, "manifest", e->config->manifest ? manifest : assay_json_null());
	assay_json_set(o, "nonce", e->nonce ? assay_json_hex(e->nonce, e->nonce_len) : assay_json_null());
	assay_json_set(o, "pcrs", assay_pcrs_json(&e->pcrs));
	assay_json_set(o, "quote", quote);
	assay_json_set(o, "runtime_log", assay_cel_json(e->log));
	assay_json_set(o, "tcg_log", tcg ? assay_proof_base64_node(tcg, tcg_len) : assay_json_null());
	if (tls)
		assay_json_set_str(tls, "certificate", e->tls);
	assay_json_set(o, "tls", e->tls ? tls : assay_json_null());
	*ret = assay_steal(&o);
	return 0;
}

static int write_format(enum assay_proof_format format, const struct assay_evidence *e, struct assay_json **ret, struct assay_err *err)
{
	switch (format) {
	case ASSAY_PROOF_FORMAT_AICERT:
		return assay_proof_aicert(e, ret, err);
	case ASSAY_PROOF_FORMAT_BLINDLLAMA:
		return assay_proof_blindllama(e, ret, err);
	default:
		return write_assay(e, ret, err);
	}
}

static void evidence_clear(struct assay_evidence *e)
{
	free(e->tls);
	free(e->message);
	free(e->signature);
}

static int make(struct assay_proof_maker *maker, enum assay_proof_format format, struct assay_evidence *e, char **ret,
		size_t *ret_len, struct assay_err *err)
{
	ASSAY_AUTO(assay_log_file) *lock = NULL;
	ASSAY_AUTO(assay_agent_log) *log = NULL;
	ASSAY_AUTO(assay_json) *o = NULL;
	uint8_t tls[32] = { 0 }, extra[32];

	/* The lock before the TPM: attest/log.h says why. */
	if (assay_agent_log_lock(maker->config, &lock, err) < 0 || reconnect(maker, err) < 0 ||
	    assay_agent_log_open_locked(maker->config, &lock, maker->tpm, &log, err) < 0)
		return -1;
	e->config = maker->config;
	e->ak = maker->ak;
	e->log = assay_agent_log_cel(log);
	const char *pem = assay_agent_log_certificate(log);
	/* The older formats sign neither, and their verifiers expect nothing. */
	const size_t extra_len = format == ASSAY_PROOF_FORMAT_ASSAY ? sizeof(extra) : 0;
	if (assay_proof_can_say(format, e->log, err) < 0 || (pem && tls_of(pem, tls, &e->tls, err) < 0) ||
	    assay_quote_extra(e->nonce, e->nonce_len, tls, extra, err) < 0 ||
	    assay_tpm_quote(maker->tpm, maker->ak->key, assay_proof_format_banks(format, maker->config),
			    assay_proof_format_pcrs(format), extra, extra_len, &e->message, &e->message_len, &e->signature,
			    &e->signature_len, &e->pcrs, err) < 0 ||
	    write_format(format, e, &o, err) < 0)
		return -1;
	return assay_json_dump(o, ret, ret_len, err);
}

int assay_proof_maker_make(struct assay_proof_maker *maker, enum assay_proof_format format, const uint8_t *nonce,
			   size_t nonce_len, char **ret, size_t *ret_len, struct assay_err *err)
{
	ASSAY_AUTO_FREE struct assay_evidence *e = calloc(1, sizeof(*e));
	struct assay_err why;

	if (!e)
		return assay_fail_mem(err);
	if (nonce && format != ASSAY_PROOF_FORMAT_ASSAY)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "format %s has no place for a nonce", formats[format]);
	e->nonce = nonce;
	e->nonce_len = nonce ? nonce_len : 0;
	const int r = make(maker, format, e, ret, ret_len, &why);
	evidence_clear(e);
	/* Whatever is wrong with the way to the TPM, the next call tries it from the start. */
	if (!is_shared(maker->config->tcti) || (r < 0 && why.code == ASSAY_E_TPM))
		disconnect(maker);
	if (r < 0 && err)
		*err = why;
	return r;
}
