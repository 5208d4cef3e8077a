/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names in FAT directories: 8.3 with NT's lower-case flags, long names, and how firmware compares
 * them (EDK2: FatLoadLongNameEntry(), FatSearchODir(), FatCheckIs8Dot3Name(), and the English
 * Unicode collation).
 */
#include <stdlib.h>
#include <string.h>

#include "core/cur.h"
#include "core/text.h"
#include "measure/fs/fat_priv.h"

#define NT_LOWER_BASE 0x08
#define NT_LOWER_EXT 0x10
#define LFN_LAST 0x40

/* Upper case as EDK2's English collation has it: ASCII and Latin-1, nothing beyond. */
static uint16_t upper(uint16_t c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 0xe0 && c <= 0xf6) || (c >= 0xf8 && c <= 0xfe))
		return (uint16_t)(c - 0x20);
	return c;
}

static uint16_t lower(uint16_t c)
{
	if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xd6) || (c >= 0xd8 && c <= 0xde))
		return (uint16_t)(c + 0x20);
	return c;
}

/* FAT specification, section 7.2: what ties a long name to its 8.3 entry. */
static uint8_t checksum(const uint8_t *short_name)
{
	uint8_t sum = 0;

	for (int i = 0; i < FAT_SHORT; i++)
		sum = (uint8_t)((sum << 7 | sum >> 1) + short_name[i]);
	return sum;
}

static bool long_name(const uint8_t *entry, const uint8_t (*before)[FAT_DIRENT], size_t n_before,
		      struct fat_name *ret)
{
	static const uint8_t place[FAT_LFN_UNITS] = {
		1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30
	};
	const uint8_t sum = checksum(entry);

	ret->n = 0;
	for (size_t i = 0; i < n_before && i < ASSAY_FAT_MAX_LFN_ENTRIES; i++) {
		const uint8_t *l = before[i];

		/* Byte 12 is a type that nobody looks at; 26 and 27 are the cluster, always 0. */
		if (l[11] != FAT_ATTR_LFN || l[26] != 0 || l[27] != 0 || l[13] != sum ||
		    (l[0] & ~LFN_LAST) != (int)i + 1)
			return false;
		for (int k = 0; k < FAT_LFN_UNITS; k++)
			ret->u[ret->n++] = (uint16_t)(l[place[k]] | l[place[k] + 1] << 8);
		if (l[0] & LFN_LAST) {
			/* NUL ends it, unless all 13 places of the last entry are taken. */
			for (size_t k = 0; k < ret->n; k++)
				if (ret->u[k] == 0)
					ret->n = k;
			return ret->n > 0;
		}
	}
	return false;
}

static void short_part(const uint8_t *p, size_t len, bool to_lower, struct fat_name *ret)
{
	while (len > 0 && p[len - 1] == ' ')
		len--;
	for (size_t i = 0; i < len; i++)
		ret->u[ret->n++] = to_lower ? lower(p[i]) : p[i];
}

void assay_fat_entry_name(const uint8_t *entry, const uint8_t (*before)[FAT_DIRENT],
			  size_t n_before, struct fat_name *ret)
{
	uint8_t name[FAT_SHORT];

	if (long_name(entry, before, n_before, ret))
		return;
	memcpy(name, entry, sizeof(name));
	if (name[0] == 0x05) /* stands for 0xe5, which in this place would mean deleted */
		name[0] = 0xe5;
	ret->n = 0;
	short_part(name, 8, (entry[12] & NT_LOWER_BASE) != 0, ret);
	if (name[8] == ' ' && name[9] == ' ' && name[10] == ' ')
		return;
	ret->u[ret->n++] = '.';
	short_part(name + 8, 3, (entry[12] & NT_LOWER_EXT) != 0, ret);
}

/* Characters that EDK2 takes for an 8.3 name. */
static bool short_char(uint16_t c)
{
	if (c == 0 || c > 0xff)
		return false;
	if (c >= '0' && c <= '9')
		return true;
	if (c < 0x80 && strchr("\\_^$~!#%&-{}()@`'", c) != NULL)
		return true;
	return upper(c) != c || lower(c) != c;
}

static bool to_short(const struct fat_name *n, uint8_t *ret)
{
	size_t base = n->n, ext;

	for (size_t i = 0; i < n->n; i++)
		if (n->u[i] == '.')
			base = i;
	ext = base < n->n ? n->n - base - 1 : 0;
	if (base == 0 || base > 8 || ext > 3 || (base < n->n && ext == 0))
		return false;
	memset(ret, ' ', FAT_SHORT);
	for (size_t i = 0; i < n->n; i++) {
		if (i == base)
			continue;
		if (!short_char(n->u[i])) /* a second dot or a blank among them */
			return false;
		ret[i < base ? i : 8 + i - base - 1] = (uint8_t)upper(n->u[i]);
	}
	return true;
}

int assay_fat_wanted(const char *component, size_t len, struct fat_wanted *ret, bool *ret_possible,
		     struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *utf16 = NULL;
	size_t bytes;

	*ret_possible = false;
	if (len == 0 || (len <= 2 && memcmp(component, "..", len) == 0))
		return 0;
	if (assay_utf8_to_utf16(component, len, &utf16, &bytes, err) < 0)
		return -1;
	if (bytes / 2 > FAT_NAME_MAX)
		return 0;
	ret->name.n = bytes / 2;
	struct assay_cur c = assay_cur_make(utf16, bytes, ASSAY_NO_OFFSET);
	for (size_t i = 0; i < ret->name.n; i++)
		ret->name.u[i] = assay_cur_le16(&c);
	if (assay_cur_done(&c, "name", err) < 0)
		return -1;
	ret->has_short = to_short(&ret->name, ret->short_name);
	*ret_possible = true;
	return 0;
}

bool assay_fat_matches(const struct fat_wanted *wanted, const struct fat_entry *e)
{
	const struct fat_name *a = &wanted->name, *b = &e->name;
	size_t i = 0;

	if (wanted->has_short && memcmp(wanted->short_name, e->short_name, FAT_SHORT) == 0)
		return true;
	if (a->n != b->n)
		return false;
	while (i < a->n && upper(a->u[i]) == upper(b->u[i]))
		i++;
	return i == a->n;
}

char *assay_fat_name_utf8(const struct fat_name *name)
{
	uint8_t bytes[2 * FAT_NAME_MAX];

	for (size_t i = 0; i < name->n; i++)
		assay_put_le16(bytes + 2 * i, name->u[i]);
	return assay_utf16_to_utf8(bytes, 2 * name->n);
}
