/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base64.h"

#include <stdlib.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *assay_base64_encode(const void *p, size_t n)
{
	const uint8_t *in = p;
	char *text, *out;

	if (n > SIZE_MAX / 2)
		return NULL;
	text = malloc((n + 2) / 3 * 4 + 1);
	if (!text)
		return NULL;
	out = text;
	for (; n >= 3; n -= 3, in += 3) {
		*out++ = alphabet[in[0] >> 2];
		*out++ = alphabet[(in[0] & 3) << 4 | in[1] >> 4];
		*out++ = alphabet[(in[1] & 15) << 2 | in[2] >> 6];
		*out++ = alphabet[in[2] & 63];
	}
	if (n > 0) {
		const unsigned second = n == 2 ? in[1] : 0;

		*out++ = alphabet[in[0] >> 2];
		*out++ = alphabet[(in[0] & 3) << 4 | second >> 4];
		*out++ = n == 2 ? alphabet[(second & 15) << 2] : '=';
		*out++ = '=';
	}
	*out = '\0';
	return text;
}

/* One more than the six bits of a character; 0 for what is none. */
static const uint8_t values[256] = {
	['A'] = 1,  2,	3,  4,	5,  6,	7,  8,	9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
	['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
	['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, ['+'] = 63, ['/'] = 64,
};

/* The six bits of a character, or 64 and more. */
static unsigned value(char c)
{
	return values[(unsigned char)c] - 1U;
}

/* Groups of four characters in a row that are all good; returns how many characters. */
static size_t decode_groups(const char *text, size_t len, uint8_t *out)
{
	size_t i = 0;

	for (; i + 4 <= len; i += 4, out += 3) {
		const unsigned a = value(text[i]), b = value(text[i + 1]), c = value(text[i + 2]), d = value(text[i + 3]);
		const unsigned bits = a << 18 | b << 12 | c << 6 | d;

		if ((a | b | c | d) > 63)
			break;
		out[0] = (uint8_t)(bits >> 16);
		out[1] = (uint8_t)(bits >> 8);
		out[2] = (uint8_t)bits;
	}
	return i;
}

int assay_base64_decode(const char *text, size_t len, uint8_t **ret, size_t *ret_n, struct assay_err *err)
{
	size_t pad = 0, n = 0;

	if (len % 4 != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, len, "base64: %zu characters, no multiple of 4", len);
	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	ASSAY_AUTO_FREE uint8_t *out = malloc(len / 4 * 3 + 1);
	if (!out)
		return assay_fail_mem(err);
	/* What is left: the last group, or the first that has something wrong in it. */
	const size_t groups = len > 0 ? decode_groups(text, len - 4, out) : 0;
	n = groups / 4 * 3;
	for (size_t i = groups; i < len; i += 4) {
		const size_t chars = i + 4 == len ? 4 - pad : 4;
		uint32_t bits = 0;

		for (size_t k = 0; k < 4; k++) {
			const unsigned v = k < chars ? value(text[i + k]) : 0;

			if (v > 63)
				return assay_fail(err, ASSAY_E_CORRUPT, i + k, "base64: a character that is none of it");
			bits = bits << 6 | v;
		}
		if ((chars == 3 && (bits & 0xff) != 0) || (chars == 2 && (bits & 0xffff) != 0))
			return assay_fail(err, ASSAY_E_CORRUPT, i + chars - 1, "base64: bits after its end");
		for (size_t k = 0; k + 1 < chars; k++)
			out[n++] = (uint8_t)(bits >> (16 - 8 * k));
	}
	out[n] = 0;
	*ret = assay_steal(&out);
	*ret_n = n;
	return 0;
}
