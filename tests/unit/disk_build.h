/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole small disk in memory: a GPT, and on it an ESP (FAT12) with the files that are asked for.
 * Free of test libraries: fuzz targets use it too.
 */
#ifndef ASSAY_TESTS_DISK_BUILD_H
#define ASSAY_TESTS_DISK_BUILD_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cur.h"
#include "core/guid.h"
#include "measure/disk/crc32.h"

#define DISK_ESP "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
#define DISK_XBOOTLDR "bc13c2ff-59e6-4262-a352-b275fd6f7172"

struct disk_file {
	const char *path; /* "/EFI/BOOT/BOOTX64.EFI"; with '/' at the end: an empty folder */
	const void *data;
	size_t len;
};

enum {
	DISK_SECTOR = 512,
	DISK_CLUSTER = 4096,
	DISK_ROOT_ENTRIES = 512,
	DISK_FIRST_LBA = 40,
	DISK_MAX_NODES = 64,
};

struct disk_node {
	char name[256];
	size_t parent; /* 0: the root */
	int dir;
	const void *data;
	size_t len;
	uint32_t cluster;
	size_t fill; /* of a folder: bytes used */
};

struct disk_tree {
	struct disk_node n[DISK_MAX_NODES];
	size_t count;
	uint8_t *p; /* the volume */
	size_t size, data_off;
	uint32_t clusters, next;
};

static inline size_t disk_find(const struct disk_tree *t, size_t parent, const char *name,
			       size_t len)
{
	for (size_t i = 1; i < t->count; i++)
		if (t->n[i].parent == parent && strlen(t->n[i].name) == len &&
		    memcmp(t->n[i].name, name, len) == 0)
			return i;
	return 0;
}

static inline size_t disk_node_add(struct disk_tree *t, size_t parent, const char *name, size_t len)
{
	struct disk_node *n = &t->n[t->count];

	if (t->count == DISK_MAX_NODES || len >= sizeof(n->name))
		abort();
	memset(n, 0, sizeof(*n));
	memcpy(n->name, name, len);
	n->parent = parent;
	n->dir = 1;
	return t->count++;
}

static inline void disk_tree_add(struct disk_tree *t, const struct disk_file *f)
{
	size_t at = 0;

	for (const char *p = f->path + 1; *p;) {
		size_t len = strcspn(p, "/");
		size_t found = disk_find(t, at, p, len);

		at = found ? found : disk_node_add(t, at, p, len);
		p += len;
		if (*p) {
			p++;
			continue;
		}
		t->n[at].dir = 0;
		t->n[at].data = f->data;
		t->n[at].len = f->len;
	}
}

static inline size_t disk_bytes_of(const struct disk_tree *t, size_t i)
{
	size_t n = 64;

	if (!t->n[i].dir)
		return t->n[i].len;
	for (size_t k = 1; k < t->count; k++)
		if (t->n[k].parent == i)
			n += 32 * (1 + (strlen(t->n[k].name) + 12) / 13);
	return n;
}

static inline void disk_fat(struct disk_tree *t, uint32_t c, uint32_t v)
{
	uint8_t *e = t->p + DISK_SECTOR + c + c / 2;

	if (c & 1) {
		e[0] = (uint8_t)((e[0] & 0x0f) | v << 4);
		e[1] = (uint8_t)(v >> 4);
	} else {
		e[0] = (uint8_t)v;
		e[1] = (uint8_t)((e[1] & 0xf0) | (v >> 8 & 0xf));
	}
}

static inline uint8_t *disk_slot(struct disk_tree *t, size_t folder)
{
	struct disk_node *n = &t->n[folder];
	uint8_t *base = folder ? t->p + t->data_off + (size_t)(n->cluster - 2) * DISK_CLUSTER
			       : t->p + t->data_off - DISK_ROOT_ENTRIES * 32;

	n->fill += 32;
	return base + n->fill - 32;
}

/* The long name, backwards, and the short entry, whose name is its number. */
static inline void disk_enter(struct disk_tree *t, size_t i)
{
	static const int place[13] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30 };
	const struct disk_node *n = &t->n[i];
	const size_t len = strlen(n->name), k = (len + 12) / 13;
	char short_name[32];
	uint8_t sum = 0, *e;

	snprintf(short_name, sizeof(short_name), "F%07zu   ", i);
	for (int b = 0; b < 11; b++)
		sum = (uint8_t)(((sum & 1) << 7) + (sum >> 1) + (uint8_t)short_name[b]);
	for (size_t part = k; part > 0; part--) {
		e = disk_slot(t, n->parent);
		e[0] = (uint8_t)(part | (part == k ? 0x40 : 0));
		e[11] = 0x0f;
		e[13] = sum;
		for (size_t c = 0; c < 13; c++) {
			size_t at = 13 * (part - 1) + c;

			assay_put_le16(e + place[c], at < len	 ? (uint8_t)n->name[at]
						     : at == len ? 0
								 : 0xffff);
		}
	}
	e = disk_slot(t, n->parent);
	memcpy(e, short_name, 11);
	e[11] = n->dir ? 0x10 : 0x20;
	assay_put_le16(e + 26, (uint16_t)n->cluster);
	assay_put_le32(e + 28, n->dir ? 0 : (uint32_t)n->len);
}

static inline void disk_boot_sector(struct disk_tree *t, uint32_t fat_sectors)
{
	uint8_t *b = t->p;

	memcpy(b, "\xeb\x3c\x90TESTDISK", 11);
	assay_put_le16(b + 11, DISK_SECTOR);
	b[13] = DISK_CLUSTER / DISK_SECTOR;
	assay_put_le16(b + 14, 1);
	b[16] = 1;
	assay_put_le16(b + 17, DISK_ROOT_ENTRIES);
	assay_put_le32(b + 32, (uint32_t)(t->size / DISK_SECTOR));
	b[21] = 0xf8;
	assay_put_le16(b + 22, (uint16_t)fat_sectors);
	b[510] = 0x55;
	b[511] = 0xaa;
}

/* The volume; every folder and file in one piece. Caller frees. */
static inline uint8_t *disk_volume(const struct disk_file *files, size_t n, size_t *ret_len)
{
	struct disk_tree *t = calloc(1, sizeof(*t));
	uint32_t fat_sectors;
	uint8_t *p;

	if (!t)
		abort();
	t->count = 1;
	t->n[0].dir = 1;
	for (size_t i = 0; i < n; i++)
		disk_tree_add(t, &files[i]);
	t->next = 2;
	for (size_t i = 1; i < t->count; i++) {
		uint32_t need = (uint32_t)((disk_bytes_of(t, i) + DISK_CLUSTER - 1) / DISK_CLUSTER);

		t->n[i].cluster = need ? t->next : 0;
		t->next += need;
	}
	t->clusters = t->next + 2;
	fat_sectors = (t->clusters * 3 / 2 + DISK_SECTOR) / DISK_SECTOR;
	t->data_off = (1 + fat_sectors) * DISK_SECTOR + DISK_ROOT_ENTRIES * 32;
	t->size = t->data_off + (size_t)(t->clusters - 2) * DISK_CLUSTER;
	t->p = calloc(1, t->size);
	if (!t->p)
		abort();
	disk_boot_sector(t, fat_sectors);
	disk_fat(t, 0, 0xff8);
	disk_fat(t, 1, 0xfff);
	for (size_t i = 1; i < t->count; i++) {
		size_t left = disk_bytes_of(t, i);

		for (uint32_t c = t->n[i].cluster; left > 0; c++) {
			left = left > DISK_CLUSTER ? left - DISK_CLUSTER : 0;
			disk_fat(t, c, left ? c + 1 : 0xfff);
		}
		if (!t->n[i].dir && t->n[i].len)
			memcpy(t->p + t->data_off + (size_t)(t->n[i].cluster - 2) * DISK_CLUSTER,
			       t->n[i].data, t->n[i].len);
		if (t->n[i].dir) {
			uint8_t *dot = disk_slot(t, i), *dots = disk_slot(t, i);

			memcpy(dot, ".          \x10", 12);
			assay_put_le16(dot + 26, (uint16_t)t->n[i].cluster);
			memcpy(dots, "..         \x10", 12);
			assay_put_le16(dots + 26, (uint16_t)t->n[t->n[i].parent].cluster);
		}
	}
	for (size_t i = 1; i < t->count; i++)
		disk_enter(t, i);
	p = t->p;
	*ret_len = t->size;
	free(t);
	return p;
}

/* A partition behind the ESP, in whole sectors. */
struct disk_part {
	const char *type;
	const uint8_t *guid; /* as on the disk; NULL: some other one for each */
	const char *name;    /* ASCII; NULL: "p" */
	const void *data;
	size_t len;
};

/* The disk: the volume as an ESP, then more partitions. */
static inline uint8_t *disk_build_parts(const struct disk_file *files, size_t n,
					const struct disk_part *more, size_t n_more,
					size_t *ret_len)
{
	size_t volume_len;
	uint8_t *volume = disk_volume(files, n, &volume_len);
	const uint64_t sectors = volume_len / DISK_SECTOR;
	uint64_t first = DISK_FIRST_LBA, last = first + sectors + 33;
	uint8_t *p, *h, *e;

	for (size_t i = 0; i < n_more; i++)
		last += (more[i].len + DISK_SECTOR - 1) / DISK_SECTOR;
	p = calloc(1, (size_t)(last + 1) * DISK_SECTOR);
	if (!p)
		abort();
	p[446 + 4] = 0xee;
	assay_put_le32(p + 446 + 8, 1);
	assay_put_le32(p + 446 + 12, (uint32_t)last);
	p[510] = 0x55;
	p[511] = 0xaa;
	e = p + 2 * DISK_SECTOR;
	for (size_t i = 0; i <= n_more; i++, e += 128) {
		const struct disk_part esp = { DISK_ESP, NULL, NULL, volume, volume_len };
		const struct disk_part *part = i ? &more[i - 1] : &esp;
		const char *name = part->name ? part->name : "p";
		const uint64_t count = (part->len + DISK_SECTOR - 1) / DISK_SECTOR;

		if (!assay_guid_parse(part->type, e))
			abort();
		memset(e + 16, 0xa0 + (int)i, 16);
		if (part->guid)
			memcpy(e + 16, part->guid, 16);
		assay_put_le64(e + 32, first);
		assay_put_le64(e + 40, first + count - 1);
		for (size_t k = 0; k < 36 && name[k]; k++)
			e[56 + 2 * k] = (uint8_t)name[k];
		if (part->data)
			memcpy(p + first * DISK_SECTOR, part->data, part->len);
		first += count;
	}
	free(volume);
	h = p + DISK_SECTOR;
	memcpy(h, "EFI PART", 8);
	assay_put_le32(h + 8, 0x10000);
	assay_put_le32(h + 12, 92);
	assay_put_le64(h + 24, 1);
	assay_put_le64(h + 32, last);
	assay_put_le64(h + 40, 34);
	assay_put_le64(h + 48, last - 33);
	memset(h + 56, 0xd1, 16);
	assay_put_le64(h + 72, 2);
	assay_put_le32(h + 80, 128);
	assay_put_le32(h + 84, 128);
	assay_put_le32(h + 88, assay_crc32(0, p + 2 * DISK_SECTOR, 128 * 128));
	assay_put_le32(h + 16, assay_crc32(0, h, 92));
	*ret_len = (size_t)(last + 1) * DISK_SECTOR;
	return p;
}

/* The same with one more partition of a sector for each type named. */
static inline uint8_t *disk_build(const struct disk_file *files, size_t n, const char *const *more,
				  size_t n_more, size_t *ret_len)
{
	struct disk_part parts[8] = { { 0 } };

	if (n_more > 8)
		abort();
	for (size_t i = 0; i < n_more; i++)
		parts[i] = (struct disk_part){ .type = more[i], .len = DISK_SECTOR };
	return disk_build_parts(files, n, parts, n_more, ret_len);
}

#endif
