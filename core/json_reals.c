/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON with numbers that we do not count with: reals, and integers of more than 64 bits. The strict
 * parser gets each as a string of its text; nothing else about the text changes.
 */
#include "core/json.h"

#include <stdlib.h>
#include <string.h>

#include "core/json_priv.h"
#include "core/limits.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t digits(const char *p, size_t len)
{
	size_t n = 0;

	while (n < len && is_digit(p[n]))
		n++;
	return n;
}

/* RFC 8259, 6: how long the number is that p begins with; 0 where none does. */
static size_t number(const char *p, size_t len, bool *ret_integer)
{
	size_t at = len > 0 && p[0] == '-', n = digits(p + at, len - at);

	if (n == 0 || (n > 1 && p[at] == '0'))
		return 0;
	at += n;
	*ret_integer = true;
	if (at < len && p[at] == '.') {
		n = digits(p + at + 1, len - at - 1);
		if (n == 0)
			return 0;
		at += 1 + n;
		*ret_integer = false;
	}
	if (at < len && (p[at] == 'e' || p[at] == 'E')) {
		const size_t sign = at + 1 < len && (p[at + 1] == '+' || p[at + 1] == '-');

		n = digits(p + at + 1 + sign, len - at - 1 - sign);
		if (n == 0)
			return 0;
		at += 1 + sign + n;
		*ret_integer = false;
	}
	return at;
}

bool assay_json_is_number(const char *text, size_t len)
{
	bool integer;

	return len > 0 && number(text, len, &integer) == len;
}

/* Are these digits, with a sign or not, an int64_t? */
static bool fits(const char *p, size_t len)
{
	const bool minus = p[0] == '-';
	uint64_t v = 0;

	for (size_t i = minus; i < len; i++)
		if (__builtin_mul_overflow(v, 10U, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(p[i] - '0'), &v))
			return false;
	return v <= (uint64_t)INT64_MAX + minus;
}

static bool is_key(const char *p, size_t len)
{
	size_t i = 0;

	while (i < len && (p[i] == ' ' || p[i] == '\t' || p[i] == '\n' || p[i] == '\r'))
		i++;
	return i < len && p[i] == ':';
}

/*
 * The length of a number at text[i] that becomes a string, else 0. What is no number by the grammar
 * stays as it is, and so does one in the place of a key: the parser refuses them where they stand.
 */
static size_t to_quote(const char *text, size_t len, size_t i)
{
	bool integer = true;
	size_t n;

	if (text[i] != '-' && !is_digit(text[i]))
		return 0;
	n = number(text + i, len - i, &integer);
	if (n == 0 || (integer && fits(text + i, n)) || is_key(text + i + n, len - i - n))
		return 0;
	return n;
}

static bool in_word(char c)
{
	return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
	       c == '+' || c == '-';
}

/* The end of what begins at i, a string, a word or one other character: no number begins inside of
 * it. */
static size_t token_end(const char *text, size_t len, size_t i)
{
	const bool string = text[i] == '"', word = in_word(text[i]);

	for (i++; i < len && (string || word); i++) {
		if (word && !in_word(text[i]))
			return i;
		if (string && text[i] == '"')
			return i + 1;
		i += string && text[i] == '\\';
	}
	return i < len ? i : len;
}

/*
 * Writes the text with its numbers quoted to `out` (NULL: counts), until `until` bytes are out.
 * Returns how many bytes of the text they are of; *ret_out: how many bytes are out.
 */
static size_t quote(const char *text, size_t len, char *out, size_t until, size_t *ret_out)
{
	size_t o = 0, i = 0;

	while (i < len && o < until) {
		const size_t n = to_quote(text, len, i), end = n ? i + n : token_end(text, len, i);

		if (!n && end - i > until - o) {
			i += until - o;
			o = until;
			break;
		}
		if (out) {
			memcpy(out + o + (n != 0), text + i, end - i);
			if (n)
				out[o] = out[o + n + 1] = '"';
		}
		o += end - i + (n ? 2 : 0);
		i = end;
	}
	*ret_out = o;
	return i;
}

int assay_json_parse_reals(const char *text, size_t len, struct assay_json **ret,
			   struct assay_err *err)
{
	ASSAY_AUTO_FREE char *quoted = NULL;
	size_t n = 0;

	if (len > ASSAY_JSON_MAX_FILE)
		return assay_json_parse(text, len, ret, err);
	/* That takes no reals, so there are none. */
	struct assay_json *usual = assay_json_parse_fast(text, len);

	if (usual) {
		*ret = usual;
		return 0;
	}
	quote(text, len, NULL, SIZE_MAX, &n);
	if (n == len)
		return assay_json_parse(text, len, ret, err);
	quoted = malloc(n);
	if (!quoted)
		return assay_fail_mem(err);
	quote(text, len, quoted, SIZE_MAX, &n);
	if (assay_json_parse(quoted, n, ret, err) == 0)
		return 0;
	/* Places are told in the text as it came. */
	if (err && err->at != ASSAY_NO_OFFSET)
		err->at = quote(text, len, NULL, (size_t)err->at, &n);
	return -1;
}
