/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/quote.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/cur.h"

/*
 * tpm2-tools writes TPML_PCR_SELECTION and TPML_DIGEST of tpm2-tss as the memory has them, with integers made little
 * endian: 16 slots for selections, blocks of 8 slots for digests.
 */
enum {
	SELECTIONS = 16,
	SELECTION_SIZE = 8, /* u16 hash, u8 sizeofSelect, u8[4], and one byte that aligns the next */
	HEAD_SIZE = 4 + SELECTIONS * SELECTION_SIZE + 4,
	BLOCK_DIGESTS = 8,
	SLOT_SIZE = 2 + ASSAY_MAX_DIGEST,
	BLOCK_SIZE = 4 + BLOCK_DIGESTS * SLOT_SIZE,
	MAX_BLOCKS = ASSAY_N_BANKS * ASSAY_N_PCRS, /* one PCR in each */
};

struct reader {
	struct assay_cur c;
	uint32_t blocks_left;
	unsigned left; /* digests of this block; the slots after them are unused */
	unsigned unused;
};

/* The next digest; NULL with *err set when there is none. */
static const uint8_t *next_digest(struct reader *r, size_t size, struct assay_err *err)
{
	while (r->left == 0) {
		assay_cur_skip(&r->c, r->unused * SLOT_SIZE);
		const uint64_t at = r->c.at;
		if (r->blocks_left == 0) {
			assay_fail(err, ASSAY_E_CORRUPT, at, "PCR values cut short: more are selected than there are");
			return NULL;
		}
		r->blocks_left--;
		const uint32_t n = assay_cur_le32(&r->c);
		if (n > BLOCK_DIGESTS) {
			assay_fail(err, ASSAY_E_CORRUPT, at, "%" PRIu32 " PCR values in a block of %d", n, BLOCK_DIGESTS);
			return NULL;
		}
		if (assay_cur_done(&r->c, "PCR values", err) < 0)
			return NULL;
		r->left = n;
		r->unused = BLOCK_DIGESTS - n;
	}
	r->left--;
	const uint64_t at = r->c.at;
	const uint16_t got = assay_cur_le16(&r->c);
	const uint8_t *p = assay_cur_take(&r->c, ASSAY_MAX_DIGEST);
	if (assay_cur_done(&r->c, "PCR values", err) < 0)
		return NULL;
	if (got != size) {
		assay_fail(err, ASSAY_E_CORRUPT, at, "a PCR value of %u bytes in a bank of %zu", got, size);
		return NULL;
	}
	return p;
}

static int parse_bank(struct reader *r, struct assay_cur *sel, struct assay_pcrs *pcrs, struct assay_err *err)
{
	const uint64_t at = sel->at;
	const uint16_t hash = assay_cur_le16(sel);
	const uint8_t size = assay_cur_u8(sel);
	const uint32_t bits = assay_cur_le32(sel);
	enum assay_bank bank;

	assay_cur_skip(sel, 1);
	if (size > 4)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 2, "a PCR selection of %u octets, at most 4", size);
	const uint32_t mask = size == 4 ? bits : bits & ((1U << 8 * size) - 1U);
	if (mask & ~ASSAY_ALL_PCRS)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "values of PCRs past 23 (selection 0x%08" PRIx32 ")", mask);
	if (mask == 0)
		return 0;
	if (!assay_bank_from_tcg_id(hash, &bank))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "PCR values of a bank 0x%04x", hash);
	if (pcrs->banks & ASSAY_BANK_BIT(bank))
		return assay_fail(err, ASSAY_E_CORRUPT, at, "bank %s twice", assay_bank_name(bank));
	pcrs->banks |= ASSAY_BANK_BIT(bank);
	for (unsigned i = 0; i < ASSAY_N_PCRS; i++) {
		if (!(mask & 1U << i))
			continue;
		const uint8_t *p = next_digest(r, assay_bank_size(bank), err);
		if (!p)
			return -1;
		memcpy(pcrs->v[bank][i], p, assay_bank_size(bank));
		pcrs->have[bank] |= 1U << i;
	}
	return 0;
}

int assay_serialized_pcrs_parse(const uint8_t *p, size_t len, struct assay_pcrs *ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE struct assay_pcrs *pcrs = calloc(1, sizeof(*pcrs));
	struct assay_cur c = assay_cur_make(p, len, 0);
	struct reader r = { 0 };

	if (!pcrs)
		return assay_fail_mem(err);
	const uint32_t n = assay_cur_le32(&c);
	struct assay_cur sel = assay_cur_sub(&c, SELECTIONS * SELECTION_SIZE);
	r.blocks_left = assay_cur_le32(&c);
	if (assay_cur_done(&c, "PCR values", err) < 0)
		return -1;
	if (n > SELECTIONS)
		return assay_fail(err, ASSAY_E_CORRUPT, 0, "%" PRIu32 " selections in %d slots", n, SELECTIONS);
	if (r.blocks_left > MAX_BLOCKS)
		return assay_fail(err, ASSAY_E_LIMIT, HEAD_SIZE - 4, "%" PRIu32 " blocks of PCR values, at most %d", r.blocks_left,
				  MAX_BLOCKS);
	r.c = c;
	for (uint32_t i = 0; i < n; i++)
		if (parse_bank(&r, &sel, pcrs, err) < 0)
			return -1;
	assay_cur_skip(&r.c, r.unused * SLOT_SIZE);
	if (assay_cur_done(&r.c, "PCR values", err) < 0)
		return -1;
	if (r.left != 0 || r.blocks_left != 0 || r.c.left != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, r.c.at, "more PCR values than are selected");
	*ret = *pcrs;
	return 0;
}

int assay_serialized_pcrs_write(const struct assay_quote *quote, const struct assay_pcrs *pcrs, uint8_t **ret,
				size_t *ret_len, struct assay_err *err)
{
	size_t n = 0;

	for (size_t s = 0; s < quote->n_selections; s++)
		n += (size_t)__builtin_popcount(quote->selections[s].pcrs);
	const size_t blocks = (n + BLOCK_DIGESTS - 1) / BLOCK_DIGESTS;
	const size_t len = HEAD_SIZE + blocks * BLOCK_SIZE;
	ASSAY_AUTO_FREE uint8_t *buf = calloc(1, len);
	if (!buf)
		return assay_fail_mem(err);
	assay_put_le32(buf, (uint32_t)quote->n_selections);
	assay_put_le32(buf + HEAD_SIZE - 4, (uint32_t)blocks);
	for (size_t b = 0; b < blocks; b++)
		assay_put_le32(buf + HEAD_SIZE + b * BLOCK_SIZE,
			       (uint32_t)(b + 1 < blocks ? BLOCK_DIGESTS : n - b * BLOCK_DIGESTS));
	n = 0;
	for (size_t s = 0; s < quote->n_selections; s++) {
		const struct assay_pcr_selection *sel = &quote->selections[s];
		uint8_t *slot = buf + 4 + s * SELECTION_SIZE;

		assay_put_le16(slot, sel->hash);
		slot[2] = 3;
		assay_put_le32(slot + 3, sel->pcrs);
		if (!sel->known && sel->pcrs != 0)
			return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "the quote is of a bank 0x%04x, which is not known",
					  sel->hash);
		for (unsigned i = 0; i < ASSAY_N_PCRS; i++) {
			if (!(sel->pcrs & 1U << i))
				continue;
			if (!(pcrs->have[sel->bank] & 1U << i))
				return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
						  "the quote is of PCR %u of bank %s, which has no value here", i,
						  assay_bank_name(sel->bank));
			uint8_t *dst = buf + HEAD_SIZE + n / BLOCK_DIGESTS * BLOCK_SIZE + 4 + n % BLOCK_DIGESTS * SLOT_SIZE;
			assay_put_le16(dst, (uint16_t)assay_bank_size(sel->bank));
			memcpy(dst + 2, pcrs->v[sel->bank][i], assay_bank_size(sel->bank));
			n++;
		}
	}
	*ret = assay_steal(&buf);
	*ret_len = len;
	return 0;
}
