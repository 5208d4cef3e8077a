/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CoRIM (draft-ietf-rats-corim-11), unsigned: CBOR tag 501 around one CoMID with a reference triple for each state that is
 * accepted, for a digests-type may hold an algorithm once (7.7) and other states stand in triples of their own (5.1.5).
 * PCRs are integrity registers (5.1.4.7), the environment is a class of machines: the image's name and the platform's.
 * Algorithms are named by IANA's registry of Named Information hashes, which does not have SHA-1.
 */
#include "manifest/export/export_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/cbor.h"
#include "core/limits.h"
#include "core/text.h"

enum {
	TAG_TIME = 1,	/* RFC 8949, 3.4.2 */
	TAG_CORIM = 501,
	TAG_COMID = 506,
};

/* Appendix A of the draft: the members of its maps. */
enum { CORIM_ID = 0, CORIM_TAGS = 1, CORIM_VALIDITY = 4 };
enum { VALID_FROM = 0, VALID_UNTIL = 1 };
enum { COMID_IDENTITY = 1, COMID_TRIPLES = 4 };
enum { TAG_ID = 0, TAG_VERSION = 1 };
enum { TRIPLES_REFERENCE = 0 };
enum { ENV_CLASS = 0, CLASS_VENDOR = 1, CLASS_MODEL = 2 };
enum { MEASUREMENT_VALUES = 1, VALUES_REGISTERS = 14 };

static const struct {
	enum assay_bank bank;
	unsigned id;
} algorithms[] = { { ASSAY_SHA256, 1 }, { ASSAY_SHA384, 7 }, { ASSAY_SHA512, 8 } };
#define N_ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

static void put(struct assay_cbor *map, unsigned key, struct assay_cbor *value)
{
	assay_cbor_put(map, assay_cbor_uint(key), value);
}

/* One value of one register, in each bank. */
static struct assay_cbor *digests(const struct assay_digests *d, unsigned banks)
{
	struct assay_cbor *list = assay_cbor_array();

	for (size_t i = 0; i < N_ALGORITHMS; i++) {
		const enum assay_bank b = algorithms[i].bank;

		if (!(banks & ASSAY_BANK_BIT(b)))
			continue;
		struct assay_cbor *digest = assay_cbor_array();

		assay_cbor_append(digest, assay_cbor_uint(algorithms[i].id));
		assay_cbor_append(digest, assay_cbor_bytes(d->d[b], assay_bank_size(b)));
		assay_cbor_append(list, digest);
	}
	return list;
}

/* [environment, [{values: {registers: {…}}}]]: the k-th state, of each PCR one accepted value. */
static struct assay_cbor *triple(const struct assay_export_request *req, const struct assay_export_pick *pick, size_t k)
{
	struct assay_cbor *registers = assay_cbor_map(), *values = assay_cbor_map(), *measurement = assay_cbor_map();
	struct assay_cbor *class = assay_cbor_map(), *environment = assay_cbor_map();
	struct assay_cbor *claims = assay_cbor_array(), *record = assay_cbor_array();

	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++) {
		if (!(pick->pcrs & (1U << i)))
			continue;
		put(registers, i, digests(&pick->pcr[i].v[k % pick->pcr[i].n], pick->banks));
		k /= pick->pcr[i].n;
	}
	put(values, VALUES_REGISTERS, registers);
	put(measurement, MEASUREMENT_VALUES, values);
	assay_cbor_append(claims, measurement);
	put(class, CLASS_VENDOR, assay_cbor_text(assay_export_image(req)));
	put(class, CLASS_MODEL, assay_cbor_text(assay_export_platform(req)));
	put(environment, ENV_CLASS, class);
	assay_cbor_append(record, environment);
	assay_cbor_append(record, claims);
	return record;
}

/* 506(bytes of the CoMID) */
static int comid(const struct assay_export_request *req, const struct assay_export_pick *pick, size_t states,
		 const char *id, struct assay_cbor **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_cbor) *top = assay_cbor_map();
	struct assay_cbor *identity = assay_cbor_map(), *triples = assay_cbor_map(), *records = assay_cbor_array();
	ASSAY_AUTO_FREE uint8_t *bytes = NULL;
	size_t len;

	for (size_t k = 0; k < states; k++)
		assay_cbor_append(records, triple(req, pick, k));
	put(triples, TRIPLES_REFERENCE, records);
	put(identity, TAG_ID, assay_cbor_text(id));
	if (req->manifest)
		put(identity, TAG_VERSION, assay_cbor_uint(req->manifest->release));
	put(top, COMID_IDENTITY, identity);
	put(top, COMID_TRIPLES, triples);
	if (assay_cbor_write(top, &bytes, &len, err) < 0)
		return -1;
	*ret = assay_cbor_tag(TAG_COMID, assay_cbor_bytes(bytes, len));
	return *ret ? 0 : assay_fail_mem(err);
}

static struct assay_cbor *validity(const struct assay_manifest *m)
{
	struct assay_cbor *map = assay_cbor_map();

	put(map, VALID_FROM, assay_cbor_tag(TAG_TIME, assay_cbor_int(m->not_before)));
	put(map, VALID_UNTIL, assay_cbor_tag(TAG_TIME, assay_cbor_int(m->expires)));
	return map;
}

/* "assay:base:12:q35", with a phase "assay:base:12:q35:enter-initrd" */
static char *make_id(const struct assay_export_request *req)
{
	struct assay_str s = { 0 };

	assay_str_add(&s, "assay:%s", assay_export_image(req));
	if (req->manifest)
		assay_str_add(&s, ":%" PRIu64, req->manifest->release);
	assay_str_add(&s, ":%s", assay_export_platform(req));
	if (req->phase)
		assay_str_add(&s, ":%s", req->phase);
	return assay_str_steal(&s);
}

static int write_corim(const struct assay_export_request *req, const struct assay_export_pick *pick, size_t states,
		       struct assay_export *ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *id = make_id(req);
	ASSAY_AUTO_FREE uint8_t *bytes = NULL;
	struct assay_cbor *tag = NULL;
	size_t len;

	if (!id)
		return assay_fail_mem(err);
	if (comid(req, pick, states, id, &tag, err) < 0)
		return -1;
	struct assay_cbor *map = assay_cbor_map(), *tags = assay_cbor_array();

	assay_cbor_append(tags, tag);
	put(map, CORIM_ID, assay_cbor_text(id));
	put(map, CORIM_TAGS, tags);
	if (req->manifest)
		put(map, CORIM_VALIDITY, validity(req->manifest));
	ASSAY_AUTO(assay_cbor) *top = assay_cbor_tag(TAG_CORIM, map);
	if (assay_cbor_write(top, &bytes, &len, err) < 0)
		return -1;
	return assay_export_add(ret, NULL, bytes, len, err);
}

int assay_export_corim(const struct assay_export_format *format, const struct assay_export_request *req,
		       struct assay_export *ret, struct assay_err *err)
{
	static const struct assay_export_rule rule = { .pcrs = ASSAY_EXPORT_PCRS, .sets = true };
	const unsigned sha1 = ASSAY_BANK_BIT(ASSAY_SHA1);
	struct assay_export_pick pick;
	size_t states = 1;

	if (!assay_export_image(req) || !assay_export_platform(req))
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "the prediction names no image, or no platform");
	if (assay_export_choose(format, &rule, req, ret, &pick, err) < 0)
		return -1;
	if ((req->banks & sha1) || pick.banks == sha1)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%s cannot hold values of sha1: its registry of algorithms does not have it", format->name);
	if ((pick.banks & sha1) &&
	    assay_export_note(ret, err, "bank sha1 is left out: the registry of algorithms does not have it") < 0)
		return -1;
	pick.banks &= ~sha1;
	for (unsigned i = 0; i < ASSAY_PREDICTED_PCRS; i++)
		if ((pick.pcrs & (1U << i)) && (states *= pick.pcr[i].n) > ASSAY_MAX_ACCEPTED)
			return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
					  "more combinations of accepted values than %d: name fewer PCRs", ASSAY_MAX_ACCEPTED);
	return write_corim(req, &pick, states, ret, err);
}
