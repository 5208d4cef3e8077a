/* SPDX-License-Identifier: Apache-2.0 */
/* The files of AICert and of BlindLlama-v2, as their programs wrote and read them. */
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "attest/proof_priv.h"

/* AICert's PCRs; what BlindLlama has is in 15 too. */
#define INPUTS 14
#define OUTPUTS 8
#define CERTIFICATE 15

uint32_t assay_proof_format_pcrs(enum assay_proof_format format)
{
	return format == ASSAY_PROOF_FORMAT_AICERT ? ASSAY_ALL_PCRS : 0xffff;
}

unsigned assay_proof_format_banks(enum assay_proof_format format, const struct assay_agent_config *config)
{
	return format == ASSAY_PROOF_FORMAT_ASSAY ? config->banks : ASSAY_BANK_BIT(ASSAY_SHA256);
}

static int cannot_say(enum assay_proof_format format, const struct assay_cel_record *r, struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
			  "format %s has no place for record %llu of the runtime log (%s in PCR %u)", assay_proof_format_name(format),
			  (unsigned long long)r->recnum, assay_carrier_name(r->event.carrier), r->pcr);
}

static int can_say_aicert(const struct assay_cel *log, struct assay_err *err)
{
	bool certificate = false;

	for (size_t i = 0; i < log->n; i++) {
		const struct assay_cel_record *r = &log->records[i];

		if (r->event.carrier == ASSAY_CARRY_EVENT && (r->pcr == INPUTS || r->pcr == OUTPUTS))
			continue;
		/* One, extended from zero. */
		if (r->event.carrier != ASSAY_CARRY_CERTIFICATE || r->pcr != CERTIFICATE || certificate)
			return cannot_say(ASSAY_PROOF_FORMAT_AICERT, r, err);
		certificate = true;
	}
	return 0;
}

static int can_say_blindllama(const struct assay_cel *log, struct assay_err *err)
{
	static const enum assay_carrier all[] = { ASSAY_CARRY_ROOT_HASH, ASSAY_CARRY_SENTINEL, ASSAY_CARRY_CERTIFICATE };

	for (size_t i = 0; i < log->n; i++) {
		const struct assay_cel_record *r = &log->records[i];

		if (i >= 3 || r->event.carrier != all[i] || r->pcr != CERTIFICATE ||
		    (i == 0 && r->event.len != 2 * assay_bank_size(ASSAY_SHA256)))
			return cannot_say(ASSAY_PROOF_FORMAT_BLINDLLAMA, r, err);
	}
	if (log->n < 3)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "format blindllama needs a disk, the sentinel and a certificate: the runtime log has no %s",
				  assay_carrier_name(all[log->n]));
	return 0;
}

int assay_proof_can_say(enum assay_proof_format format, const struct assay_cel *log, struct assay_err *err)
{
	switch (format) {
	case ASSAY_PROOF_FORMAT_AICERT:
		return can_say_aicert(log, err);
	case ASSAY_PROOF_FORMAT_BLINDLLAMA:
		return can_say_blindllama(log, err);
	default:
		return 0;
	}
}

/* message, signature and pcr; each in an object of its own, or as it is. */
static int quote_node(const struct assay_evidence *e, bool wrapped, struct assay_json **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *quote = assay_json_object();
	ASSAY_AUTO_FREE uint8_t *values = NULL;
	struct assay_quote q;
	size_t values_len;

	if (assay_quote_parse(e->message, e->message_len, &q, err) < 0 ||
	    assay_serialized_pcrs_write(&q, &e->pcrs, &values, &values_len, err) < 0)
		return -1;
	const struct {
		const char *name;
		const uint8_t *p;
		size_t len;
	} parts[] = { { "message", e->message, e->message_len },
		      { "signature", e->signature, e->signature_len },
		      { "pcr", values, values_len } };
	for (size_t i = 0; i < 3; i++) {
		struct assay_json *text = assay_proof_base64_node(parts[i].p, parts[i].len);

		if (wrapped) {
			struct assay_json *o = assay_json_object();

			assay_json_set(o, "base64", text);
			text = o;
		}
		assay_json_set(quote, parts[i].name, text);
	}
	*ret = assay_steal(&quote);
	return 0;
}

/* {"base64": …} of a certificate in DER; NULL when out of memory. */
static struct assay_json *der_node(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	struct assay_json *o = NULL;
	unsigned char *der = NULL;
	const int len = x ? i2d_X509(x, &der) : -1;

	if (len > 0) {
		o = assay_json_object();
		assay_json_set(o, "base64", assay_proof_base64_node(der, (size_t)len));
	}
	OPENSSL_free(der);
	X509_free(x);
	BIO_free(bio);
	ERR_clear_error();
	return o;
}

int assay_proof_aicert(const struct assay_evidence *e, struct assay_json **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *o = assay_json_object(), *quote = NULL;
	struct assay_json *inputs = assay_json_array(), *outputs = assay_json_array(), *chain = assay_json_array(),
			  *ra = assay_json_object(), *certificate = NULL;

	for (size_t i = 0; i < e->log->n; i++) {
		const struct assay_cel_record *r = &e->log->records[i];
		struct assay_json *text = assay_json_string_n(r->event.text, r->event.len);

		if (r->pcr == CERTIFICATE)
			certificate = text; /* just one, or assay_proof_can_say() had refused */
		else
			assay_json_append(r->pcr == OUTPUTS ? outputs : inputs, text);
	}
	for (size_t i = 0; i < e->ak->n_certificates; i++)
		assay_json_append(chain, der_node(e->ak->certificates[i]));
	assay_json_set(o, "ca_cert", certificate ? certificate : assay_json_string(""));
	assay_json_set(o, "event_log", inputs);
	assay_json_set(o, "output_event_log", outputs);
	assay_json_set(ra, "cert_chain", chain);
	if (quote_node(e, true, &quote, err) < 0) {
		assay_json_free(&ra);
		return -1;
	}
	assay_json_set(ra, "quote", assay_steal(&quote));
	assay_json_set(o, "remote_attestation", ra);
	*ret = assay_steal(&o);
	return 0;
}

int assay_proof_blindllama(const struct assay_evidence *e, struct assay_json **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *o = assay_json_object(), *quote = NULL;
	const struct assay_cel_record *r = e->log->records;

	if (quote_node(e, false, &quote, err) < 0)
		return -1;
	struct assay_json *chain = assay_json_array();
	for (size_t i = 0; i < e->ak->n_certificates; i++)
		assay_json_append(chain, assay_json_string(e->ak->certificates[i]));
	assay_json_set(o, "application_disk_roothash", assay_json_string_n(r[0].event.text, r[0].event.len));
	assay_json_set(o, "webserver_rootca", assay_json_string_n(r[2].event.text, r[2].event.len));
	assay_json_set(o, "cert_chain", chain);
	assay_json_set(o, "quote", assay_steal(&quote));
	*ret = assay_steal(&o);
	return 0;
}
