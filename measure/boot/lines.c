/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines and strings as systemd-boot sees them. Function names in the comments are those of
 * src/boot/efi/efi-string.c (252.39) and src/boot/efi-string.c (257.13).
 */
#include "measure/boot/loader_priv.h"

#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"

static char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

void assay_boot_lower(char *s)
{
	for (; s && *s; s++)
		*s = ascii_lower(*s);
}

bool assay_boot_same_case(const char *a, const char *b)
{
	while (*a && ascii_lower(*a) == ascii_lower(*b)) {
		a++;
		b++;
	}
	return ascii_lower(*a) == ascii_lower(*b);
}

/* Length of a sequence by its first byte, and its first bits; 0 for what can start none. */
static unsigned utf8_start(uint8_t b, uint32_t *bits)
{
	static const struct {
		uint8_t mask, start;
	} rows[] = { { 0x80, 0x00 }, { 0xe0, 0xc0 }, { 0xf0, 0xe0 },
		     { 0xf8, 0xf0 }, { 0xfc, 0xf8 }, { 0xfe, 0xfc } };

	for (unsigned i = 0; i < 6; i++)
		if ((b & rows[i].mask) == rows[i].start) {
			*bits = b & (uint8_t)~rows[i].mask;
			return i + 1;
		}
	return 0;
}

/*
 * xstr8_to_16(): what UCS-2 can hold is kept (overlong forms too), all else is dropped, sequence by
 * sequence; U+0000 from an overlong form ends the string. The result is proper UTF-8.
 */
static char *keep_ucs2(const char *s)
{
	const uint8_t *p = (const uint8_t *)s;
	size_t n = strlen(s);
	struct assay_str out = { 0 };

	while (n > 0) {
		uint32_t c = 0;
		unsigned len = utf8_start(*p, &c);
		bool good = len > 0 && len <= n;
		uint8_t u[3];

		for (unsigned i = 1; good && i < len; i++) {
			good = (p[i] & 0xc0) == 0x80;
			c = c << 6 | (p[i] & 0x3f);
		}
		len = len ? len : 1;
		p += len < n ? len : n;
		n -= len < n ? len : n;
		if (!good || c > 0xffff || (c >= 0xd800 && c <= 0xdfff))
			continue;
		if (c == 0)
			break;
		if (c < 0x80) {
			u[0] = (uint8_t)c;
			assay_str_add_n(&out, u, 1);
		} else if (c < 0x800) {
			u[0] = (uint8_t)(0xc0 | c >> 6);
			u[1] = (uint8_t)(0x80 | (c & 0x3f));
			assay_str_add_n(&out, u, 2);
		} else {
			u[0] = (uint8_t)(0xe0 | c >> 12);
			u[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
			u[2] = (uint8_t)(0x80 | (c & 0x3f));
			assay_str_add_n(&out, u, 3);
		}
	}
	return assay_str_steal(&out);
}

/* A value becomes *dst; an empty one takes it away, as it gives a NULL in the boot loader. */
int assay_boot_set_text(char **dst, const char *value, struct assay_err *err)
{
	char *text = NULL;

	if (*value) {
		text = keep_ucs2(value);
		if (!text)
			return assay_fail_mem(err);
	}
	free(*dst);
	*dst = text;
	return 0;
}

/* convert_efi_path(): slashes turn round, doubled ones go. */
void assay_boot_turn_slashes(char *path)
{
	size_t n = 0;

	for (const char *p = path; *p; p++) {
		char c = *p == '/' ? '\\' : *p;

		if (c == '\\' && n > 0 && path[n - 1] == '\\')
			continue;
		path[n++] = c;
	}
	path[n] = '\0';
}

int assay_boot_lines_open(const void *p, size_t len, struct boot_lines *ret, struct assay_err *err)
{
	if (len > ASSAY_LOADER_MAX_FILE)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%zu bytes, limit %u", len,
				  ASSAY_LOADER_MAX_FILE);
	ret->text = malloc(len + 1);
	if (!ret->text)
		return assay_fail_mem(err);
	if (len)
		memcpy(ret->text, p, len);
	ret->text[len] = '\0';
	ret->pos = 0;
	ret->line = 0;
	return 0;
}

void assay_boot_lines_close(struct boot_lines *l)
{
	free(l->text);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_sep(char c, const char *sep)
{
	return c != '\0' && strchr(sep, c) != NULL;
}

/*
 * line_get_key_value(): the next line with a key and something after it. Either of CR and LF ends a
 * line; '#' starts a comment only as a line's first character; one pair of quotes around the value
 * is taken off (252: double ones; 257: single ones too).
 */
bool assay_boot_next_line(struct boot_lines *l, enum assay_sdboot rules, const char *sep,
			  char **key, char **value)
{
	for (;;) {
		char *line = l->text + l->pos;
		size_t len = strcspn(line, "\r\n");

		if (*line == '\0')
			return false;
		l->pos += len;
		if (l->text[l->pos])
			l->pos++;
		l->line++;
		while (len > 0 && is_blank(*line)) {
			line++;
			len--;
		}
		while (len > 0 && is_blank(line[len - 1]))
			len--;
		line[len] = '\0';
		if (*line == '#' || len == 0)
			continue;

		char *v = line;
		while (*v && !is_sep(*v, sep))
			v++;
		if (*v == '\0')
			continue;
		*v++ = '\0';
		while (is_sep(*v, sep))
			v++;
		char *last = line + len - 1;
		if ((*v == '"' && *last == '"') ||
		    (rules != ASSAY_SDBOOT_252 && *v == '\'' && *last == '\'')) {
			v++; /* a lone quote is both: the value is then empty */
			*last = '\0';
		}
		*key = line;
		*value = v;
		return true;
	}
}

/* parse_number8(): decimal digits to the end, or up to what *tail gets. */
bool assay_boot_number(const char *s, uint64_t *ret, const char **tail)
{
	uint64_t u = 0;

	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(u, 10, &u) ||
		    __builtin_add_overflow(u, (uint64_t)(*s - '0'), &u))
			return false;
	if (!tail && *s)
		return false;
	*ret = u;
	if (tail)
		*tail = s;
	return true;
}
