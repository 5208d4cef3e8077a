/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proof files of AICert and BlindLlama v2, as their own programs wrote them:
 *
 *   AICert         {"ca_cert", "event_log": [text…], "output_event_log": [text…], "remote_attestation": {"quote", "cert_chain"}}
 *                  or "event_log" and "remote_attestation" alone; a certificate is {"base64": of DER or of PEM}
 *   BlindLlama v2  {"application_disk_roothash", "cert_chain": [PEM…], "quote", "webserver_rootca"}
 *
 * "quote" has "message", "signature" and "pcr", the last as tpm2_quote(1) writes it. Their events become records of a log
 * here, with the digests computed: the files have none.
 */
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "verify/proof_priv.h"

/* Where AICert's program extends. */
#define AICERT_INPUTS 14
#define AICERT_OUTPUTS 8
#define OLD_CERTIFICATE 15 /* BlindLlama's disk too */

static int add_event(struct assay_proof *p, enum assay_carrier carrier, unsigned pcr, const char *text, size_t len,
		     struct assay_err *err)
{
	const struct assay_runtime_event ev = { carrier, text, len };

	return assay_cel_add(p->log, pcr, &ev, p->pcrs.banks, NULL, err);
}

static int add_events(struct assay_proof *p, const struct assay_json *list, const char *what, unsigned pcr,
		      struct assay_err *err)
{
	size_t len;

	if (!assay_json_is_array(list))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s is no array", what);
	if (assay_json_len(list) > ASSAY_PROOF_MAX_OLD_EVENTS)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%s has %zu entries, limit %u", what, assay_json_len(list),
				  ASSAY_PROOF_MAX_OLD_EVENTS);
	for (size_t i = 0; i < assay_json_len(list); i++) {
		const char *text = assay_json_text(assay_json_at(list, i), &len);

		if (!text)
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s: entry %zu is no string", what, i);
		if (add_event(p, ASSAY_CARRY_EVENT, pcr, text, len, err) < 0)
			return assay_wrap(err, "%s: entry %zu", what, i);
	}
	return 0;
}

/* Text: PEM; a string of {"base64"}: DER, or PEM in it. */
static int read_quote(const struct assay_json *o, bool wrapped, struct assay_proof *p, struct assay_err *err)
{
	static const char *const names[] = { "message", "pcr", "signature" }, *const base64[] = { "base64" };
	struct assay_proof_bytes values = { 0 }, *const into[] = { &p->message, &values, &p->signature };
	int r = assay_proof_members(o, "quote", names, 3, err);

	for (size_t i = 0; r == 0 && i < 3; i++) {
		const struct assay_json *node = assay_json_get(o, names[i]);

		if (wrapped)
			r = assay_proof_members(node, names[i], base64, 1, err);
		if (r == 0)
			r = assay_proof_base64(wrapped ? assay_json_get(node, "base64") : node, names[i], ASSAY_PROOF_MAX_FIELD, into[i], err);
	}
	if (r == 0 && assay_serialized_pcrs_parse(values.p, values.len, &p->pcrs, err) < 0)
		r = assay_wrap(err, "quote.pcr");
	free(values.p);
	return r;
}

static int read_wrapped_cert(const struct assay_json *node, struct assay_proof *p, struct assay_err *err)
{
	static const char *const base64[] = { "base64" };
	struct assay_proof_bytes b, *c = &p->certs[p->n_certs];

	if (assay_proof_members(node, "a certificate", base64, 1, err) < 0 ||
	    assay_proof_base64(assay_json_get(node, "base64"), "a certificate", ASSAY_PROOF_MAX_CERT, &b, err) < 0)
		return -1;
	if (b.p[0] == '-') {
		const int r = assay_pem_certificate((const char *)b.p, b.len, &c->p, &c->len, err);

		free(b.p);
		if (r < 0)
			return assay_wrap(err, "certificate %zu", p->n_certs + 1);
	} else {
		*c = b;
	}
	p->n_certs++;
	return 0;
}

static int read_aicert(struct assay_proof *p, int log_pcr, struct assay_err *err)
{
	static const char *const all[] = { "ca_cert", "event_log", "output_event_log", "remote_attestation" };
	static const char *const early[] = { "event_log", "remote_attestation" }, *const three[] = { "ca_cert", "event_log", "remote_attestation" };
	static const char *const attestation[] = { "cert_chain", "quote" };
	const struct assay_json *o = p->json, *ra = assay_json_get(o, "remote_attestation"), *list = assay_json_get(ra, "cert_chain");
	const struct assay_json *ca = assay_json_get(o, "ca_cert"), *outputs = assay_json_get(o, "output_event_log");
	size_t len = 0;

	p->shape = ca ? ASSAY_PROOF_AICERT : ASSAY_PROOF_AICERT_0;
	if ((!ca && assay_proof_members(o, "the proof", early, 2, err) < 0) ||
	    (ca && assay_proof_members(o, "the proof", outputs ? all : three, outputs ? 4 : 3, err) < 0) ||
	    assay_proof_members(ra, "remote_attestation", attestation, 2, err) < 0 ||
	    read_quote(assay_json_get(ra, "quote"), true, p, err) < 0 || assay_proof_room_for_certs(p, list, err) < 0)
		return -1;
	for (size_t i = 0; i < assay_json_len(list); i++)
		if (read_wrapped_cert(assay_json_at(list, i), p, err) < 0)
			return -1;
	const char *pem = assay_json_text(ca, &len);
	if (ca && !pem)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "ca_cert is no string");
	if (add_events(p, assay_json_get(o, "event_log"), "event_log", log_pcr >= 0 ? (unsigned)log_pcr : AICERT_INPUTS, err) < 0 ||
	    (outputs && add_events(p, outputs, "output_event_log", log_pcr >= 0 ? (unsigned)log_pcr : AICERT_OUTPUTS, err) < 0))
		return -1;
	/* Empty: it served nobody. */
	if (len > 0 &&
	    add_event(p, ASSAY_CARRY_CERTIFICATE, log_pcr >= 0 ? (unsigned)log_pcr : OLD_CERTIFICATE, pem, len, err) < 0)
		return assay_wrap(err, "ca_cert");
	return 0;
}

static int read_blindllama(struct assay_proof *p, int log_pcr, struct assay_err *err)
{
	static const char *const names[] = { "application_disk_roothash", "cert_chain", "quote", "webserver_rootca" };
	const struct assay_json *o = p->json, *list = assay_json_get(o, "cert_chain");
	const unsigned pcr = log_pcr >= 0 ? (unsigned)log_pcr : OLD_CERTIFICATE;
	size_t hash_len, ca_len;

	p->shape = ASSAY_PROOF_BLINDLLAMA;
	if (assay_proof_members(o, "the proof", names, 4, err) < 0 || read_quote(assay_json_get(o, "quote"), false, p, err) < 0 ||
	    assay_proof_room_for_certs(p, list, err) < 0)
		return -1;
	for (size_t i = 0; i < assay_json_len(list); i++)
		if (assay_proof_add_pem(p, assay_json_at(list, i), err) < 0)
			return -1;
	const char *hash = assay_json_text(assay_json_get(o, "application_disk_roothash"), &hash_len);
	const char *ca = assay_json_text(assay_json_get(o, "webserver_rootca"), &ca_len);
	if (!hash || !ca)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s is no string",
				  hash ? "webserver_rootca" : "application_disk_roothash");
	if (add_event(p, ASSAY_CARRY_ROOT_HASH, pcr, hash, hash_len, err) < 0)
		return assay_wrap(err, "application_disk_roothash");
	if (add_event(p, ASSAY_CARRY_SENTINEL, pcr, "", 0, err) < 0)
		return -1;
	if (add_event(p, ASSAY_CARRY_CERTIFICATE, pcr, ca, ca_len, err) < 0)
		return assay_wrap(err, "webserver_rootca");
	return 0;
}

/* Files of others that are met beside proofs; each is refused by its name. */
static int refuse_by_name(const struct assay_json *o, struct assay_err *err)
{
	const char *what = assay_json_get(o, "hcl_report") && assay_json_get(o, "tpm_quote") ?
				   "evidence of confidential-containers for Azure's confidential VMs: a hardware report, which is not "
				   "judged here, vouches for its key" :
			   assay_json_get(o, "Static") && assay_json_get(o, "AK") && assay_json_get(o, "Quote") ?
				   "a dump of go-attestation: it has no certificate for its key" :
			   assay_json_get(o, "measurements") ? "a list of measurements" :
			   assay_json_get(o, "payloadType")  ? "an envelope of a manifest" :
							       "neither " ASSAY_PROOF_SCHEMA " nor a proof of AICert or BlindLlama";

	return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "it is %s", what);
}

int assay_proof_read_old(struct assay_proof *p, int log_pcr, bool *ret_known, struct assay_err *err)
{
	int r;

	p->log = assay_cel_new();
	if (!p->log)
		return assay_fail_mem(err);
	*ret_known = true;
	if (assay_json_get(p->json, "remote_attestation")) {
		r = read_aicert(p, log_pcr, err);
	} else if (assay_json_get(p->json, "webserver_rootca") || assay_json_get(p->json, "application_disk_roothash")) {
		r = read_blindllama(p, log_pcr, err);
	} else {
		*ret_known = false;
		r = refuse_by_name(p->json, err);
	}
	return r;
}
