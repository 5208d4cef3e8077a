/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A builder of PE files in memory, for tests: headers of 1 KiB or more, then sections at multiples
 * of 512, then whatever else. What it makes is sound; tests spoil it by hand.
 */
#ifndef ASSAY_TESTS_PE_BUILD_H
#define ASSAY_TESTS_PE_BUILD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/cur.h"

#define PEB_LFANEW 0x80
#define PEB_OPT (PEB_LFANEW + 24)

struct peb {
	uint8_t *p;
	size_t len;
	size_t dirs;  /* offset of the data directories */
	size_t table; /* of the section table */
	size_t headers;
	unsigned n;
	uint32_t next_va;
};

static inline void peb_grow(struct peb *b, size_t len)
{
	uint8_t *p = realloc(b->p, len);

	if (!p)
		abort();
	if (len > b->len)
		memset(p + b->len, 0, len - b->len);
	b->p = p;
	b->len = len;
}

/* n_dirs data directories and room for max_sections sections. */
static inline void peb_start(struct peb *b, bool plus, unsigned n_dirs, unsigned max_sections)
{
	const size_t fixed = plus ? 112 : 96;

	memset(b, 0, sizeof(*b));
	b->dirs = PEB_OPT + fixed;
	b->table = b->dirs + n_dirs * 8;
	b->headers = (b->table + max_sections * 40 + 511) / 512 * 512;
	b->next_va = 0x1000 + (uint32_t)b->headers / 4096 * 4096;
	peb_grow(b, b->headers);
	memcpy(b->p, "MZ", 2);
	assay_put_le32(b->p + 0x3c, PEB_LFANEW);
	memcpy(b->p + PEB_LFANEW, "PE\0\0", 4);
	assay_put_le16(b->p + PEB_LFANEW + 4, plus ? 0x8664 : 0x014c);
	assay_put_le16(b->p + PEB_LFANEW + 20, (uint16_t)(fixed + n_dirs * 8));
	assay_put_le16(b->p + PEB_LFANEW + 22, 0x0022);
	assay_put_le16(b->p + PEB_OPT, plus ? 0x20b : 0x10b);
	assay_put_le32(b->p + PEB_OPT + 32, 4096);
	assay_put_le32(b->p + PEB_OPT + 36, 512);
	assay_put_le32(b->p + PEB_OPT + 60, (uint32_t)b->headers);
	assay_put_le16(b->p + PEB_OPT + 68, 10);
	assay_put_le32(b->p + PEB_OPT + fixed - 4, n_dirs);
}

static inline uint8_t *peb_header(struct peb *b, unsigned i)
{
	return b->p + b->table + i * 40;
}

/* A row of the section table alone. */
static inline void peb_row(struct peb *b, const char *name, uint32_t vsize, uint32_t raw_size,
			   uint32_t raw_offset)
{
	uint8_t *h = peb_header(b, b->n++);

	memcpy(h, name, strnlen(name, 8));
	assay_put_le32(h + 8, vsize);
	assay_put_le32(h + 12, b->next_va);
	assay_put_le32(h + 16, raw_size);
	assay_put_le32(h + 20, raw_offset);
	assay_put_le32(h + 36, 0x40000040);
	b->next_va += (vsize + 4095) / 4096 * 4096;
	assay_put_le32(b->p + PEB_OPT + 56, b->next_va);
	assay_put_le16(b->p + PEB_LFANEW + 6, (uint16_t)b->n);
}

/* Data at the file's end, padded to 512, and its row. */
static inline void peb_section(struct peb *b, const char *name, const void *data, size_t len)
{
	const size_t at = b->len, raw = (len + 511) / 512 * 512;

	peb_grow(b, at + raw);
	if (len > 0)
		memcpy(b->p + at, data, len);
	peb_row(b, name, (uint32_t)len, (uint32_t)raw, (uint32_t)at);
}

static inline void peb_text(struct peb *b, const char *name, const char *text)
{
	peb_section(b, name, text, strlen(text));
}

/* Bytes that depend on their place, so that a wrong range gives a wrong digest. */
static inline void peb_pattern(uint8_t *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 31 + (i >> 8) * 7 + seed);
}

static inline void peb_fill(struct peb *b, const char *name, size_t len, unsigned seed)
{
	uint8_t *data = malloc(len ? len : 1);

	if (!data)
		abort();
	peb_pattern(data, len, seed);
	peb_section(b, name, data, len);
	free(data);
}

/* Bytes after the sections. */
static inline void peb_tail(struct peb *b, size_t len, unsigned seed)
{
	const size_t at = b->len;

	peb_grow(b, at + len);
	peb_pattern(b->p + at, len, seed);
}

/* One more entry of the certificate table, which begins at the next multiple of 8. */
static inline void peb_cert(struct peb *b, uint16_t type, const void *data, size_t len)
{
	uint8_t *dir;
	size_t at = (b->len + 7) / 8 * 8, size = (len + 8 + 7) / 8 * 8;
	struct assay_cur c;

	peb_grow(b, at + size);
	assay_put_le32(b->p + at, (uint32_t)len + 8);
	assay_put_le16(b->p + at + 4, 0x0200);
	assay_put_le16(b->p + at + 6, type);
	if (len > 0)
		memcpy(b->p + at + 8, data, len);
	dir = b->p + b->dirs + 32;
	c = assay_cur_make(dir, 8, 0);
	if (assay_cur_le32(&c) == 0)
		assay_put_le32(dir, (uint32_t)at);
	assay_put_le32(dir + 4, assay_cur_le32(&c) + (uint32_t)size);
}

static inline void peb_free(struct peb *b)
{
	free(b->p);
	memset(b, 0, sizeof(*b));
}

#endif
