/* SPDX-License-Identifier: Apache-2.0 */
#include "core/text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cur.h"
#include "core/num.h"

#define REPLACEMENT 0xfffdU

static bool is_surrogate(uint32_t c)
{
	return c >= 0xd800 && c <= 0xdfff;
}

/* --- the growing string ------------------------------------------------------------------------
 */

/* Room for n more bytes and the NUL. */
static bool grow(struct assay_str *s, size_t n)
{
	uint64_t need;
	size_t cap = s->cap ? s->cap : 64;
	char *p;

	if (s->bad)
		return false;
	if (assay_add_overflows(s->len, n, &need) || need > SIZE_MAX / 4) {
		s->bad = 1;
		return false;
	}
	need++;
	if (need <= s->cap)
		return true;
	while (cap < need)
		cap *= 2;
	p = realloc(s->p, cap);
	if (!p) {
		s->bad = 1;
		return false;
	}
	s->p = p;
	s->cap = cap;
	return true;
}

void assay_str_add_n(struct assay_str *s, const void *p, size_t n)
{
	if (n == 0 || !grow(s, n))
		return;
	memcpy(s->p + s->len, p, n);
	s->len += n;
	s->p[s->len] = '\0';
}

void assay_str_add(struct assay_str *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		s->bad = 1;
	if (n <= 0 || !grow(s, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(s->p + s->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	s->len += (size_t)n;
}

void assay_str_add_char(struct assay_str *s, uint32_t c)
{
	char b[4];
	size_t n = 0;

	if (is_surrogate(c) || c > 0x10ffff)
		c = REPLACEMENT;
	if (c < 0x80) {
		b[n++] = (char)c;
	} else if (c < 0x800) {
		b[n++] = (char)(0xc0 | c >> 6);
		b[n++] = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		b[n++] = (char)(0xe0 | c >> 12);
		b[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		b[n++] = (char)(0x80 | (c & 0x3f));
	} else {
		b[n++] = (char)(0xf0 | c >> 18);
		b[n++] = (char)(0x80 | (c >> 12 & 0x3f));
		b[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		b[n++] = (char)(0x80 | (c & 0x3f));
	}
	assay_str_add_n(s, b, n);
}

void assay_str_add_utf8(struct assay_str *s, const char *p, size_t n)
{
	size_t good = 0; /* bytes from p on that are characters */

	while (good < n) {
		uint32_t c;

		if ((signed char)p[good] >= 0) { /* ASCII */
			good++;
			continue;
		}
		const size_t len = assay_utf8_next(p + good, n - good, &c);

		good += len;
		if (len > 0)
			continue;
		assay_str_add_n(s, p, good);
		assay_str_add_char(s, REPLACEMENT);
		p += good + 1;
		n -= good + 1;
		good = 0;
	}
	assay_str_add_n(s, p, good);
}

void assay_str_add_escaped(struct assay_str *s, const void *p, size_t n)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < n; i++) {
		if (b[i] >= 0x20 && b[i] < 0x7f && b[i] != '\\' && b[i] != '"' && b[i] != '\'')
			assay_str_add_n(s, &b[i], 1);
		else
			assay_str_add(s, "\\x%02x", b[i]);
	}
}

char *assay_str_steal(struct assay_str *s)
{
	char *p = NULL;

	if (s->bad)
		free(s->p);
	else
		p = s->p ? s->p : calloc(1, 1);
	*s = (struct assay_str){ 0 };
	return p;
}

void assay_str_clear(struct assay_str *s)
{
	free(s->p);
	*s = (struct assay_str){ 0 };
}

char *assay_strdup(const char *s)
{
	return strdup(s);
}

char *assay_asprintf(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : text;
}

/* --- encodings ---------------------------------------------------------------------------------
 */

/* Unicode 15, table 3-7: which bytes may follow which. */
size_t assay_utf8_next(const char *p, size_t left, uint32_t *ret)
{
	const unsigned char *b = (const unsigned char *)p;
	unsigned lo = 0x80, hi = 0xbf; /* what the second byte may be */
	size_t len;
	uint32_t c;

	if (b[0] < 0x80) {
		*ret = b[0];
		return 1;
	} else if (b[0] >= 0xc2 && b[0] <= 0xdf) {
		len = 2;
		c = b[0] & 0x1fU;
	} else if (b[0] >= 0xe0 && b[0] <= 0xef) {
		len = 3;
		c = b[0] & 0x0fU;
		if (b[0] == 0xe0)
			lo = 0xa0;
		else if (b[0] == 0xed)
			hi = 0x9f;
	} else if (b[0] >= 0xf0 && b[0] <= 0xf4) {
		len = 4;
		c = b[0] & 0x07U;
		if (b[0] == 0xf0)
			lo = 0x90;
		else if (b[0] == 0xf4)
			hi = 0x8f;
	} else {
		return 0;
	}
	if (left < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if (b[i] < lo || b[i] > hi)
			return 0;
		c = c << 6 | (b[i] & 0x3fU);
		lo = 0x80;
		hi = 0xbf;
	}
	*ret = c;
	return len;
}

char *assay_utf16_to_utf8(const uint8_t *p, size_t len)
{
	struct assay_cur in = assay_cur_make(p, len, 0);
	struct assay_str s = { 0 };

	while (in.left >= 2) {
		uint32_t c = assay_cur_le16(&in);

		if (c == 0)
			return assay_str_steal(&s);
		if (c >= 0xd800 && c <= 0xdbff && in.left >= 2) {
			struct assay_cur ahead = in;
			const uint32_t low = assay_cur_le16(&ahead);

			if (low >= 0xdc00 && low <= 0xdfff) {
				c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
				in = ahead;
			}
		}
		assay_str_add_char(&s, c);
	}
	if (in.left == 1)
		assay_str_add_char(&s, REPLACEMENT);
	return assay_str_steal(&s);
}

int assay_utf8_to_utf16(const char *s, size_t len, uint8_t **ret, size_t *ret_len,
			struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *buf = NULL;
	size_t n = 0;

	/* No character takes more than twice its bytes. */
	if (len > SIZE_MAX / 4)
		return assay_fail_mem(err);
	buf = malloc(2 * len + 1);
	if (!buf)
		return assay_fail_mem(err);
	for (size_t i = 0; i < len;) {
		uint32_t c;
		const size_t step = assay_utf8_next(s + i, len - i, &c);

		if (step == 0)
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
					  "not UTF-8: byte 0x%02x at place %zu of the text",
					  (unsigned char)s[i], i);
		if (c >= 0x10000) {
			c -= 0x10000;
			assay_put_le16(buf + n, (uint16_t)(0xd800 | c >> 10));
			n += 2;
			c = 0xdc00 | (c & 0x3ff);
		}
		assay_put_le16(buf + n, (uint16_t)c);
		n += 2;
		i += step;
	}
	*ret_len = n;
	*ret = assay_steal(&buf);
	return 0;
}
