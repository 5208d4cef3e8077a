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

/* From '+' to 'z'. A table, for what comes next is anybody's guess, the processor's too. */
static const uint8_t values[] = {
	62, 64, 64, 64, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64,
	64, 64, 64, 64, 64, 64, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
	10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
	64, 64, 64, 64, 64, 64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35,
	36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,
};

/* The six bits of a character, or 64. */
static unsigned value(char c)
{
	const unsigned at = (unsigned)(unsigned char)c - '+';

	return at < sizeof(values) ? values[at] : 64;
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
	for (size_t i = 0; i < len; i += 4) {
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
