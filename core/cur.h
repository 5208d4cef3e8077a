/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bounds-checked cursor: the only place where bytes become integers.
 *
 * It is sticky. A read past the end yields zero and marks the cursor bad; a header is read straight
 * down and checked once, with assay_cur_done(), before any of its fields is used.
 */
#ifndef ASSAY_CORE_CUR_H
#define ASSAY_CORE_CUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

struct assay_cur {
	const uint8_t *p;
	size_t left;
	uint64_t at; /* absolute offset of *p in the outermost file */
	/* the first read that did not fit: */
	bool bad;
	uint64_t bad_at;
	uint64_t bad_want;
	size_t bad_left;
};

struct assay_cur assay_cur_make(const void *p, size_t len, uint64_t at);

uint8_t assay_cur_u8(struct assay_cur *c);
uint16_t assay_cur_le16(struct assay_cur *c);
uint32_t assay_cur_le32(struct assay_cur *c);
uint64_t assay_cur_le64(struct assay_cur *c);
uint16_t assay_cur_be16(struct assay_cur *c);
uint32_t assay_cur_be32(struct assay_cur *c);
uint64_t assay_cur_be64(struct assay_cur *c);

/* Copies n bytes; on a short read dst is zeroed. */
void assay_cur_copy(struct assay_cur *c, void *dst, size_t n);
void assay_cur_skip(struct assay_cur *c, uint64_t n);
/* Borrow the next n bytes (NULL when short; never NULL for n == 0) and move past them. */
const uint8_t *assay_cur_take(struct assay_cur *c, uint64_t n);
/* A cursor over the next n bytes, which c moves past. Short: an empty bad cursor, and c is bad. */
struct assay_cur assay_cur_sub(struct assay_cur *c, uint64_t n);

/* 0, or ASSAY_E_CORRUPT "WHAT cut short: N bytes wanted, M left" at the first short read. */
int assay_cur_done(const struct assay_cur *c, const char *what, struct assay_err *err) ASSAY_MUST;

/* The other direction: integers into bytes. Buffers are the caller's and long enough. */
void assay_put_le16(uint8_t *p, uint16_t v);
void assay_put_le32(uint8_t *p, uint32_t v);
void assay_put_le64(uint8_t *p, uint64_t v);
void assay_put_be16(uint8_t *p, uint16_t v);
void assay_put_be32(uint8_t *p, uint32_t v);

#endif
