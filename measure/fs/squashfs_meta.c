/* SPDX-License-Identifier: Apache-2.0 */
/* squashfs: metadata blocks of up to 8192 bytes, packed or not, and tables made of them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "measure/fs/squashfs_priv.h"

#define META_RAW 0x8000

uint64_t assay_sqfs_meta_at(const struct squashfs *sq, const struct sqfs_pos *pos)
{
	return assay_src_origin(sq->src, pos->block);
}

static int load(struct squashfs *sq, uint64_t at, struct sqfs_meta *m, struct assay_err *err)
{
	const uint64_t where = assay_src_origin(sq->src, at);
	uint8_t packed[SQFS_META_MAX], head[2];

	if (!assay_range_inside(at, sizeof(head), sq->super.size))
		return assay_fail(err, ASSAY_E_CORRUPT, where,
				  "metadata block at %" PRIu64 " of %" PRIu64 " bytes", at,
				  sq->super.size);
	if (assay_src_read(sq->src, at, head, sizeof(head), err) < 0)
		return -1;
	struct assay_cur c = assay_cur_make(head, sizeof(head), where);
	const uint16_t word = assay_cur_le16(&c);
	const size_t len = word & ~META_RAW;

	if (assay_cur_done(&c, "metadata block", err) < 0)
		return -1;
	if (len == 0 || len > SQFS_META_MAX)
		return assay_fail(err, ASSAY_E_CORRUPT, where,
				  "metadata block of %zu bytes, limit %d", len, SQFS_META_MAX);
	if (!assay_range_inside(at + sizeof(head), len, sq->super.size))
		return assay_fail(err, ASSAY_E_CORRUPT, where,
				  "metadata block of %zu bytes leaves the filesystem of %" PRIu64,
				  len, sq->super.size);
	if (assay_src_read(sq->src, at + sizeof(head), word & META_RAW ? m->data : packed, len,
			   err) < 0)
		return -1;
	m->len = len;
	if (!(word & META_RAW) && assay_sqfs_unpack(sq->packer, packed, len, m->data,
						    sizeof(m->data), &m->len, where, err) < 0)
		return assay_wrap(err, "metadata block");
	m->at = at;
	m->next = at + sizeof(head) + len;
	return 0;
}

static int get(struct squashfs *sq, uint64_t at, const struct sqfs_meta **ret,
	       struct assay_err *err)
{
	/* Blocks lie two bytes or more apart; the multiplier spreads them (Knuth, 6.4). */
	struct sqfs_meta **slot =
		&sq->meta[(uint32_t)(at * UINT64_C(0x9e3779b97f4a7c15) >> 32) % SQFS_META_SLOTS];

	if (!*slot) {
		*slot = malloc(sizeof(**slot));
		if (!*slot)
			return assay_fail_mem(err);
		(*slot)->at = ASSAY_SQFS_NONE;
	}
	if ((*slot)->at != at) {
		(*slot)->at = ASSAY_SQFS_NONE;
		if (load(sq, at, *slot, err) < 0)
			return -1;
	}
	*ret = *slot;
	return 0;
}

int assay_sqfs_meta_read(struct squashfs *sq, struct sqfs_pos *pos, void *buf, size_t len,
			 const char *what, struct assay_err *err)
{
	uint8_t *to = buf;

	while (len > 0) {
		const struct sqfs_meta *m = NULL;

		if (pos->block >= pos->end)
			return assay_fail(err, ASSAY_E_CORRUPT, assay_sqfs_meta_at(sq, pos),
					  "%s: at %" PRIu64 ", behind its table's end at %" PRIu64,
					  what, pos->block, pos->end);
		if (get(sq, pos->block, &m, err) < 0)
			return assay_wrap(err, "%s", what);
		if (pos->off > m->len)
			return assay_fail(err, ASSAY_E_CORRUPT, assay_sqfs_meta_at(sq, pos),
					  "%s: at %zu of a metadata block of %zu bytes", what,
					  pos->off, m->len);
		const size_t n = m->len - pos->off < len ? m->len - pos->off : len;

		memcpy(to, m->data + pos->off, n);
		to += n;
		len -= n;
		pos->off += n;
		if (pos->off == m->len) {
			pos->block = m->next;
			pos->off = 0;
		}
	}
	return 0;
}

int assay_sqfs_table_read(struct squashfs *sq, uint64_t index, uint32_t i, void *buf, size_t size,
			  const char *what, struct assay_err *err)
{
	const uint32_t each = (uint32_t)(SQFS_META_MAX / size);
	/* The index was seen to lie inside the filesystem when that was opened. */
	const uint64_t place = index + (uint64_t)(i / each) * 8;
	struct sqfs_pos pos = { .off = i % each * size, .end = index };
	uint8_t b[8];

	if (assay_src_read(sq->src, place, b, sizeof(b), err) < 0)
		return assay_wrap(err, "%s", what);
	struct assay_cur c = assay_cur_make(b, sizeof(b), assay_src_origin(sq->src, place));

	pos.block = assay_cur_le64(&c);
	if (assay_cur_done(&c, what, err) < 0)
		return -1;
	return assay_sqfs_meta_read(sq, &pos, buf, size, what, err);
}
