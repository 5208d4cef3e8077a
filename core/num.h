/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overflow-checked arithmetic; there is no other arithmetic on untrusted sizes.
 * Each returns true when the result did NOT fit (as the compiler's own builtins do).
 */
#ifndef ASSAY_CORE_NUM_H
#define ASSAY_CORE_NUM_H

#include <stdbool.h>
#include <stdint.h>

static inline bool assay_add_overflows(uint64_t a, uint64_t b, uint64_t *ret)
{
	return __builtin_add_overflow(a, b, ret);
}

static inline bool assay_mul_overflows(uint64_t a, uint64_t b, uint64_t *ret)
{
	return __builtin_mul_overflow(a, b, ret);
}

/* Round up to a multiple of `to` (any value but 0). */
static inline bool assay_align_overflows(uint64_t a, uint64_t to, uint64_t *ret)
{
	uint64_t rest = a % to;

	return __builtin_add_overflow(a, rest ? to - rest : 0, ret);
}

/* Does [off, off + len) lie inside [0, size)? An empty range at the end does. */
static inline bool assay_range_inside(uint64_t off, uint64_t len, uint64_t size)
{
	return off <= size && len <= size - off;
}

#endif
