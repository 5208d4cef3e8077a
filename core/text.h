/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text between encodings: UTF-16LE as UEFI has it, UTF-8 as we print it, and a growing string.
 */
#ifndef ASSAY_CORE_TEXT_H
#define ASSAY_CORE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

/* UTF-16LE bytes to fresh UTF-8; lone surrogates become U+FFFD. Stops at a NUL or after len bytes. */
char *assay_utf16_to_utf8(const uint8_t *p, size_t len);
/*
 * UTF-8 to fresh UTF-16LE bytes, without a NUL. ASSAY_E_CORRUPT on bad UTF-8.
 */
int assay_utf8_to_utf16(const char *s, size_t len, uint8_t **ret, size_t *ret_len,
			struct assay_err *err) ASSAY_MUST;

/*
 * One character of UTF-8: its length in bytes (1 to 4), or 0 when p starts with none (bytes that are
 * cut short, overlong, a surrogate, past U+10FFFF). left is at least 1.
 */
size_t assay_utf8_next(const char *p, size_t left, uint32_t *ret);

/* A string that grows. Sticky: after out of memory `bad` is set and appends do nothing. */
struct assay_str {
	char *p; /* NUL-terminated, or NULL while empty */
	size_t len;
	size_t cap;
	int bad;
};
void assay_str_add(struct assay_str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void assay_str_add_n(struct assay_str *s, const void *p, size_t n);
/* One Unicode character as UTF-8; what is none becomes U+FFFD. */
void assay_str_add_char(struct assay_str *s, uint32_t c);
/* Text that ought to be UTF-8: each byte that belongs to no character becomes U+FFFD. */
void assay_str_add_utf8(struct assay_str *s, const char *p, size_t n);
/* Printable ASCII as it is; everything else, backslash and quotes as \xNN. */
void assay_str_add_escaped(struct assay_str *s, const void *p, size_t n);
/* Hands the string over ("" when empty); NULL when out of memory struck. */
char *assay_str_steal(struct assay_str *s);
void assay_str_clear(struct assay_str *s);

/* strdup and asprintf that return NULL on failure. */
char *assay_strdup(const char *s);
char *assay_asprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
