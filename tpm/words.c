/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/words_priv.h"

#include <string.h>

#include "core/guid.h"

static void add_safe(struct assay_str *s, uint32_t c)
{
	if (c == '\n' || c == '\r' || c == '\t')
		assay_str_add(s, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
	else if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		assay_str_add(s, "\\x%02x", c);
	else if ((c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
		 (c >= 0x2060 && c <= 0x206f) || c == 0xfeff)
		assay_str_add(s, "\\u{%x}", c);
	else
		assay_str_add_char(s, c);
}

static bool all_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] != 0)
			return false;
	}
	return true;
}

/* After a text's end: nothing for NULs, a count for anything else. */
static void add_rest(struct assay_str *s, const uint8_t *p, size_t len)
{
	if (!all_zero(p, len))
		assay_str_add(s, "[and %zu more bytes]", len);
}

/* One character of UTF-16LE; lone surrogates come out as they are (and are then no character). */
static uint32_t next_utf16(const uint8_t *p, size_t len, size_t *used)
{
	const uint32_t c = (uint32_t)(p[0] | p[1] << 8);

	*used = 2;
	if (c >= 0xd800 && c <= 0xdbff && len >= 4) {
		const uint32_t low = (uint32_t)(p[2] | p[3] << 8);

		if (low >= 0xdc00 && low <= 0xdfff) {
			*used = 4;
			return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	return c;
}

void assay_words_utf16(struct assay_str *s, const uint8_t *p, size_t len)
{
	size_t i = 0;

	while (len - i >= 2 && i < ASSAY_WORDS_MAX_TEXT) {
		size_t used;
		const uint32_t c = next_utf16(p + i, len - i, &used);

		if (c == 0)
			break;
		add_safe(s, c);
		i += used;
	}
	add_rest(s, p + i, len - i);
}

void assay_words_utf8(struct assay_str *s, const uint8_t *p, size_t len)
{
	size_t i = 0;

	while (i < len && i < ASSAY_WORDS_MAX_TEXT && p[i] != 0) {
		uint32_t c = 0;
		const size_t used = assay_utf8_next((const char *)p + i, len - i, &c);

		if (used == 0)
			assay_str_add(s, "\\x%02x", p[i]);
		else
			add_safe(s, c);
		i += used ? used : 1;
	}
	add_rest(s, p + i, len - i);
}

void assay_words_hex(struct assay_str *s, const uint8_t *p, size_t len)
{
	const size_t n = len > ASSAY_WORDS_MAX_HEX ? ASSAY_WORDS_MAX_HEX : len;
	char hex[2 * ASSAY_WORDS_MAX_HEX + 1];

	assay_str_add(s, "%zu byte%s", len, len == 1 ? "" : "s");
	if (n)
		assay_str_add(s, " %s%s", assay_hex(p, n, hex), n < len ? "…" : "");
}

bool assay_words_is_utf8(const uint8_t *p, size_t len)
{
	size_t i = 0;

	while (i < len && p[i] != 0) {
		uint32_t c = 0;
		const size_t used = assay_utf8_next((const char *)p + i, len - i, &c);

		if (used == 0 || (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
			return false;
		i += used;
	}
	return i > 0 && all_zero(p + i, len - i);
}

/*
 * UTF-16 when it starts with a character of ASCII and has no control characters before its end. Two
 * letters of ASCII make one character of UTF-16, but never one below 0x80.
 */
bool assay_words_is_utf16(const uint8_t *p, size_t len)
{
	size_t i = 0;

	if (len < 2 || p[1] != 0)
		return false;
	while (len - i >= 2) {
		size_t used;
		const uint32_t c = next_utf16(p + i, len - i, &used);

		if (c == 0)
			break;
		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || (c >= 0x7f && c < 0xa0) ||
		    (c >= 0xd800 && c <= 0xdfff))
			return false;
		i += used;
	}
	return i > 0 && all_zero(p + i, len - i);
}

/* Length of a NUL-terminated name in ASCII that binary data starts with ("GCE NonHostInfo"), or 0.
 */
static size_t name_before_data(const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len && p[n] >= 0x20 && p[n] < 0x7f)
		n++;
	return n >= 6 && n < len && p[n] == 0 ? n : 0;
}

void assay_words_guess(struct assay_str *s, const uint8_t *p, size_t len)
{
	size_t name;

	/* One letter and a NUL are more often the end of an ASCII string than UTF-16. */
	if (assay_words_is_utf16(p, len) && !(len == 2 && assay_words_is_utf8(p, len))) {
		assay_str_add(s, "\"");
		assay_words_utf16(s, p, len);
		assay_str_add(s, "\"");
	} else if (assay_words_is_utf8(p, len)) {
		assay_str_add(s, "\"");
		assay_words_utf8(s, p, len);
		assay_str_add(s, "\"");
	} else if ((name = name_before_data(p, len)) != 0) {
		assay_str_add(s, "\"");
		assay_words_utf8(s, p, name);
		assay_str_add(s, "\" and ");
		assay_words_hex(s, p + name + 1, len - name - 1);
	} else {
		assay_words_hex(s, p, len);
	}
}

void assay_words_guid(struct assay_str *s, const uint8_t guid[16])
{
	static const struct {
		const char *guid;
		const char *name;
	} known[] = {
		{ "8be4df61-93ca-11d2-aa0d-00e098032b8c", "EFI global" },
		{ "d719b2cb-3d3a-4596-a3bc-dad00e67656f", "image security" },
		{ "605dab50-e046-4300-abb6-3dd810dd8b23", "shim" },
		{ "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f", "systemd-boot" },
		{ "77fa9abd-0359-4d32-bd60-28f4e78f784b", "Microsoft" },
		{ "eb9d2d30-2d88-11d3-9a16-0090273fc14d", "ACPI 1.0 table" },
		{ "8868e871-e4f1-11d3-bc22-0080c73c8881", "ACPI 2.0 table" },
		{ "eb9d2d31-2d88-11d3-9a16-0090273fc14d", "SMBIOS table" },
		{ "f2fd1544-9794-4a2c-992e-e5bbcf20e394", "SMBIOS 3 table" },
	};
	char text[37];

	assay_guid_text(guid, text);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].guid, text) == 0) {
			assay_str_add(s, "%s", known[i].name);
			return;
		}
	}
	assay_str_add(s, "%s", text);
}

void assay_words_malformed(struct assay_str *s, const struct assay_err *err)
{
	assay_str_add(s, "malformed: %s", err->msg);
	if (err->at != ASSAY_NO_OFFSET)
		assay_str_add(s, " (at byte 0x%llx)", (unsigned long long)err->at);
}
