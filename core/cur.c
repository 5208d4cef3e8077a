/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cur.h"

#include <inttypes.h>
#include <string.h>

static const uint8_t nothing[1];

struct assay_cur assay_cur_make(const void *p, size_t len, uint64_t at)
{
	return (struct assay_cur){ .p = len ? p : nothing, .left = len, .at = at };
}

/* The first short read is the one worth telling about; after it nothing is left. */
static void spoil(struct assay_cur *c, uint64_t want)
{
	if (!c->bad) {
		c->bad = true;
		c->bad_at = c->at;
		c->bad_want = want;
		c->bad_left = c->left;
	}
	c->p = nothing;
	c->left = 0;
}

const uint8_t *assay_cur_take(struct assay_cur *c, uint64_t n)
{
	const uint8_t *p = c->p ? c->p : nothing;

	if (n > c->left) {
		spoil(c, n);
		return NULL;
	}
	if (n != 0) {
		c->p += n;
		c->left -= (size_t)n;
		c->at += n;
	}
	return p;
}

/* Bytes are put together one by one, so neither alignment nor the host's byte order matters. */
static uint64_t little(struct assay_cur *c, unsigned n)
{
	const uint8_t *p = assay_cur_take(c, n);
	uint64_t v = 0;

	if (!p)
		return 0;
	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

static uint64_t big(struct assay_cur *c, unsigned n)
{
	const uint8_t *p = assay_cur_take(c, n);
	uint64_t v = 0;

	if (!p)
		return 0;
	for (unsigned i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t assay_cur_u8(struct assay_cur *c)
{
	return (uint8_t)little(c, 1);
}

uint16_t assay_cur_le16(struct assay_cur *c)
{
	return (uint16_t)little(c, 2);
}

uint32_t assay_cur_le32(struct assay_cur *c)
{
	return (uint32_t)little(c, 4);
}

uint64_t assay_cur_le64(struct assay_cur *c)
{
	return little(c, 8);
}

uint16_t assay_cur_be16(struct assay_cur *c)
{
	return (uint16_t)big(c, 2);
}

uint32_t assay_cur_be32(struct assay_cur *c)
{
	return (uint32_t)big(c, 4);
}

uint64_t assay_cur_be64(struct assay_cur *c)
{
	return big(c, 8);
}

void assay_cur_copy(struct assay_cur *c, void *dst, size_t n)
{
	const uint8_t *p = assay_cur_take(c, n);

	if (n == 0)
		return;
	if (p)
		memcpy(dst, p, n);
	else
		memset(dst, 0, n);
}

void assay_cur_skip(struct assay_cur *c, uint64_t n)
{
	(void)assay_cur_take(c, n);
}

struct assay_cur assay_cur_sub(struct assay_cur *c, uint64_t n)
{
	const uint64_t at = c->at;
	const uint8_t *p = assay_cur_take(c, n);
	struct assay_cur sub = { .p = nothing, .at = at };

	if (p && !c->bad)
		return assay_cur_make(p, (size_t)n, at);
	sub.bad = true;
	sub.bad_at = c->bad_at;
	sub.bad_want = c->bad_want;
	sub.bad_left = c->bad_left;
	return sub;
}

int assay_cur_done(const struct assay_cur *c, const char *what, struct assay_err *err)
{
	if (!c->bad)
		return 0;
	return assay_fail(err, ASSAY_E_CORRUPT, c->bad_at,
			  "%s cut short: %" PRIu64 " bytes wanted, %zu left", what, c->bad_want,
			  c->bad_left);
}

static void put_little(uint8_t *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void put_big(uint8_t *p, uint64_t v, unsigned n)
{
	while (n-- > 0) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

void assay_put_le16(uint8_t *p, uint16_t v)
{
	put_little(p, v, 2);
}

void assay_put_le32(uint8_t *p, uint32_t v)
{
	put_little(p, v, 4);
}

void assay_put_le64(uint8_t *p, uint64_t v)
{
	put_little(p, v, 8);
}

void assay_put_be16(uint8_t *p, uint16_t v)
{
	put_big(p, v, 2);
}

void assay_put_be32(uint8_t *p, uint32_t v)
{
	put_big(p, v, 4);
}
