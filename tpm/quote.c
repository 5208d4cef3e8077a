/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/quote.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/cur.h"

#define ATTEST_MAGIC 0xff544347U /* TPM_GENERATED_VALUE: nothing that the TPM did not make begins so and is signed */
#define ST_ATTEST_QUOTE 0x8018U
#define MAX_SELECT 4 /* octets of a PCR bitmap: 32 PCRs are the most that implementations have */

static const char *attest_name(uint16_t type)
{
	switch (type) {
	case 0x8014:
		return "TPM_ST_ATTEST_NV";
	case 0x8015:
		return "TPM_ST_ATTEST_COMMAND_AUDIT";
	case 0x8016:
		return "TPM_ST_ATTEST_SESSION_AUDIT";
	case 0x8017:
		return "TPM_ST_ATTEST_CERTIFY";
	case 0x8019:
		return "TPM_ST_ATTEST_TIME";
	case 0x801a:
		return "TPM_ST_ATTEST_CREATION";
	case 0x801c:
		return "TPM_ST_ATTEST_NV_DIGEST";
	default:
		return "an unknown type";
	}
}

/* A TPM2B into an array of `max` bytes. */
static int sized(struct assay_cur *c, const char *what, uint8_t *dst, size_t max, size_t *ret_len, struct assay_err *err)
{
	const uint64_t at = c->at;
	const uint16_t size = assay_cur_be16(c);

	if (size > max)
		return assay_fail(err, ASSAY_E_CORRUPT, at, "%s of %u bytes in a quote, at most %zu", what, size, max);
	assay_cur_copy(c, dst, size);
	*ret_len = size;
	return 0;
}

static int parse_selection(struct assay_cur *c, struct assay_quote *q, struct assay_err *err)
{
	struct assay_pcr_selection *sel = &q->selections[q->n_selections];
	const uint64_t at = c->at;

	sel->hash = assay_cur_be16(c);
	const uint8_t size = assay_cur_u8(c);
	if (size > MAX_SELECT)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 2, "a PCR selection of %u octets, at most %d", size, MAX_SELECT);
	for (unsigned i = 0; i < size; i++)
		sel->pcrs |= (uint32_t)assay_cur_u8(c) << 8 * i;
	if (c->bad)
		return 0; /* the caller says where */
	if (sel->pcrs & ~ASSAY_ALL_PCRS)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "a quote of PCRs past 23 (selection 0x%08" PRIx32 ")", sel->pcrs);
	sel->known = assay_bank_from_tcg_id(sel->hash, &sel->bank);
	for (size_t i = 0; i < q->n_selections; i++)
		if (q->selections[i].hash == sel->hash)
			return assay_fail(err, ASSAY_E_CORRUPT, at, "a quote selects bank 0x%04x twice", sel->hash);
	q->n_selections++;
	return 0;
}

int assay_quote_parse(const uint8_t *p, size_t len, struct assay_quote *ret, struct assay_err *err)
{
	struct assay_cur c = assay_cur_make(p, len, 0);
	struct assay_quote q = { 0 };

	const uint32_t magic = assay_cur_be32(&c);
	const uint16_t type = assay_cur_be16(&c);
	if (!c.bad && magic != ATTEST_MAGIC)
		return assay_fail(err, ASSAY_E_CORRUPT, 0, "not of a TPM: magic 0x%08" PRIx32, magic);
	if (!c.bad && type != ST_ATTEST_QUOTE)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, 4, "an attestation that is no quote: %s (0x%04x)",
				  attest_name(type), type);
	if (sized(&c, "the signer's name", q.signer, sizeof(q.signer), &q.signer_len, err) < 0 ||
	    sized(&c, "extraData", q.extra, sizeof(q.extra), &q.extra_len, err) < 0)
		return -1;
	q.clock = assay_cur_be64(&c);
	q.reset_count = assay_cur_be32(&c);
	q.restart_count = assay_cur_be32(&c);
	const uint64_t safe_at = c.at;
	const uint8_t safe = assay_cur_u8(&c);
	if (safe > 1)
		return assay_fail(err, ASSAY_E_CORRUPT, safe_at, "clockInfo.safe is %u, neither 0 nor 1", safe);
	q.safe = safe != 0;
	q.firmware_version = assay_cur_be64(&c);
	const uint64_t count_at = c.at;
	const uint32_t count = assay_cur_be32(&c);
	if (count > ASSAY_QUOTE_MAX_SELECTIONS)
		return assay_fail(err, ASSAY_E_LIMIT, count_at, "%" PRIu32 " PCR selections in a quote, at most %d", count,
				  ASSAY_QUOTE_MAX_SELECTIONS);
	for (uint32_t i = 0; i < count && !c.bad; i++)
		if (parse_selection(&c, &q, err) < 0)
			return -1;
	if (sized(&c, "the PCRs' digest", q.pcr_digest, sizeof(q.pcr_digest), &q.pcr_digest_len, err) < 0 ||
	    assay_cur_done(&c, "quote", err) < 0)
		return -1;
	if (c.left != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, c.at, "%zu bytes after the quote", c.left);
	*ret = q;
	return 0;
}

int assay_quote_digest(const struct assay_quote *quote, const struct assay_pcrs *pcrs, enum assay_bank hash, uint8_t *ret,
		       struct assay_err *err)
{
	struct assay_part parts[ASSAY_N_BANKS * ASSAY_N_PCRS];
	size_t n = 0;

	for (size_t s = 0; s < quote->n_selections; s++) {
		const struct assay_pcr_selection *sel = &quote->selections[s];

		if (sel->pcrs != 0 && !sel->known)
			return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "the quote is of a bank 0x%04x, which is not known",
					  sel->hash);
		for (unsigned i = 0; i < ASSAY_N_PCRS; i++) {
			if (!(sel->pcrs & 1U << i))
				continue;
			if (!(pcrs->have[sel->bank] & 1U << i))
				return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
						  "the quote is of PCR %u of bank %s, which has no value here", i,
						  assay_bank_name(sel->bank));
			parts[n].p = pcrs->v[sel->bank][i];
			parts[n++].len = assay_bank_size(sel->bank);
		}
	}
	return assay_digest_one(hash, parts, n, ret, err);
}

int assay_quote_extra(const uint8_t *nonce, size_t nonce_len, const uint8_t tls_sha256[32], uint8_t ret[32],
		      struct assay_err *err)
{
	const struct assay_part parts[] = { { nonce, nonce_len }, { tls_sha256, 32 } };

	if (nonce_len > ASSAY_NONCE_MAX)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "a nonce of %zu bytes, at most %d", nonce_len,
				  ASSAY_NONCE_MAX);
	return assay_digest_one(ASSAY_SHA256, parts, 2, ret, err);
}
