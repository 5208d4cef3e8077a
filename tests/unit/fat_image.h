/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small FAT volumes in memory, written entry by entry: also such as no tool would write. Only the
 * first FAT is filled; the second holds nonsense, which nobody is to read.
 */
#ifndef ASSAY_TESTS_FAT_IMAGE_H
#define ASSAY_TESTS_FAT_IMAGE_H

#include "tests/unit/unit.h"

#include "core/cur.h"
#include "core/src.h"

struct fat_image {
	uint8_t *p;
	size_t size;
	unsigned bits;
	uint32_t sector; /* bytes; one sector is one cluster */
	uint32_t fat_off;
	uint32_t fat_size;
	uint32_t root_off;
	uint32_t data_off;
	uint32_t n_clusters;
};

#define FAT_EOC 0x0fffffff
#define FAT_BAD 0x0ffffff7

static inline uint8_t *fat_cluster(const struct fat_image *f, uint32_t c)
{
	return f->p + f->data_off + (size_t)(c - 2) * f->sector;
}

static inline void fat_set(const struct fat_image *f, uint32_t c, uint32_t v)
{
	uint8_t *fat = f->p + f->fat_off;

	if (f->bits == 32) {
		assay_put_le32(fat + 4 * (size_t)c,
			       v | 0xf0000000); /* the top four bits are not ours */
	} else if (f->bits == 16) {
		assay_put_le16(fat + 2 * (size_t)c, (uint16_t)v);
	} else {
		uint8_t *e = fat + c + c / 2;

		v &= 0xfff;
		if (c & 1) {
			e[0] = (uint8_t)((e[0] & 0x0f) | v << 4);
			e[1] = (uint8_t)(v >> 4);
		} else {
			e[0] = (uint8_t)v;
			e[1] = (uint8_t)((e[1] & 0xf0) | v >> 8);
		}
	}
}

/* Each cluster leads to the next named; 0 ends the list, and the chain. */
static inline void fat_chain(const struct fat_image *f, const uint32_t *c)
{
	for (; *c; c++)
		fat_set(f, *c, c[1] ? c[1] : FAT_EOC);
}
#define FAT_CHAIN(f, ...) fat_chain(f, (const uint32_t[]){ __VA_ARGS__, 0 })

static inline struct fat_image fat_make_sized(unsigned bits, uint32_t sector, uint32_t n_clusters)
{
	struct fat_image f = { .bits = bits, .sector = sector, .n_clusters = n_clusters };
	const uint32_t reserved = bits == 32 ? 32 : 1, root_entries = bits == 32 ? 0 : sector / 8;
	const uint32_t fat_sectors =
		(uint32_t)((((uint64_t)n_clusters + 2) * bits / 8) / sector + 1);
	const uint32_t sectors =
		reserved + 2 * fat_sectors + root_entries * 32 / sector + n_clusters;
	uint8_t *b;

	f.fat_off = reserved * sector;
	f.fat_size = fat_sectors * sector;
	f.root_off = f.fat_off + 2 * f.fat_size;
	f.data_off = f.root_off + root_entries * 32;
	f.size = (size_t)sectors * sector;
	f.p = b = calloc(1, f.size);
	assert_non_null(b);
	memcpy(b, "\xeb\x58\x90TESTFAT ", 11);
	assay_put_le16(b + 11, (uint16_t)sector);
	b[13] = 1;
	assay_put_le16(b + 14, (uint16_t)reserved);
	b[16] = 2;
	assay_put_le16(b + 17, (uint16_t)root_entries);
	if (sectors < 0x10000 && bits != 32)
		assay_put_le16(b + 19, (uint16_t)sectors);
	else
		assay_put_le32(b + 32, sectors);
	b[21] = 0xf8;
	if (bits == 32) {
		assay_put_le32(b + 36, fat_sectors);
		assay_put_le32(b + 44, 2);
		f.root_off = f.data_off;
	} else {
		assay_put_le16(b + 22, (uint16_t)fat_sectors);
	}
	b[510] = 0x55;
	b[511] = 0xaa;
	memset(b + f.fat_off + f.fat_size, 0x5a, f.fat_size);
	if (bits == 32)
		fat_set(&f, 2, FAT_EOC);
	return f;
}

static inline struct fat_image fat_make(unsigned bits)
{
	return fat_make_sized(bits, 512, bits == 12 ? 400 : bits == 16 ? 4200 : 65600);
}

/* The i-th entry of the root directory (in its first 512 bytes). */
static inline uint8_t *fat_root(const struct fat_image *f, unsigned i)
{
	return f->p + f->root_off + 32 * (size_t)i;
}

static inline void fat_put(const struct fat_image *f, uint8_t *entry, const char *name11,
			   uint8_t attr, uint32_t cluster, uint32_t size)
{
	memset(entry, 0, 32);
	memcpy(entry, name11, 11);
	entry[11] = attr;
	assay_put_le16(entry + 20, f->bits == 32 ? (uint16_t)(cluster >> 16) : 0xbeef);
	assay_put_le16(entry + 26, (uint16_t)cluster);
	assay_put_le32(entry + 28, size);
}

static inline uint8_t fat_sum(const char *name11)
{
	uint8_t sum = 0;

	for (int i = 0; i < 11; i++)
		sum = (uint8_t)(((sum & 1) << 7) + (sum >> 1) + (uint8_t)name11[i]);
	return sum;
}

/* One long-name entry: 13 units from `units`, padded as usual. */
static inline void fat_put_lfn(uint8_t *entry, uint8_t ordinal, uint8_t sum, const uint16_t *units,
			       size_t n)
{
	static const int place[13] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30 };

	memset(entry, 0, 32);
	entry[0] = ordinal;
	entry[11] = 0x0f;
	entry[13] = sum;
	for (size_t i = 0; i < 13; i++)
		assay_put_le16(entry + place[i], i < n ? units[i] : i == n ? 0 : 0xffff);
}

/* A whole long name in front of its 8.3 entry; returns the place behind. */
static inline uint8_t *fat_put_long(const struct fat_image *f, uint8_t *at, const uint16_t *name,
				    size_t n, const char *name11, uint8_t attr, uint32_t cluster,
				    uint32_t size)
{
	const unsigned k = (unsigned)((n + 12) / 13);

	for (unsigned i = k; i > 0; i--, at += 32)
		fat_put_lfn(at, (uint8_t)(i | (i == k ? 0x40 : 0)), fat_sum(name11),
			    name + 13 * (size_t)(i - 1), n - 13 * (size_t)(i - 1));
	fat_put(f, at, name11, attr, cluster, size);
	return at + 32;
}

/* The same with a name in ASCII. */
static inline uint8_t *fat_put_ascii(const struct fat_image *f, uint8_t *at, const char *name,
				     const char *name11, uint8_t attr, uint32_t cluster,
				     uint32_t size)
{
	uint16_t units[300];
	size_t n = 0;

	for (; name[n]; n++)
		units[n] = (uint8_t)name[n];
	return fat_put_long(f, at, units, n, name11, attr, cluster, size);
}

#endif
