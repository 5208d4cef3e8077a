/* SPDX-License-Identifier: Apache-2.0 */
/*
 * squashfs images written byte by byte. Inodes and directories are collected in two tables of raw
 * metadata blocks, so that references are known when they are made; sqfs_finish() lays them out.
 */
#ifndef ASSAY_TESTS_SQUASHFS_IMAGE_H
#define ASSAY_TESTS_SQUASHFS_IMAGE_H

#include "core/cur.h"
#include "tests/unit/unit.h"

#define SQFS_BS 4096U
#define SQFS_META 8192U
#define SQFS_RAW (1U << 24)
#define SQFS_NO_FRAG 0xffffffffU

/* 4096 times 'P', packed by zlib. */
static const uint8_t sqfs_packed[] = { 0x78, 0xda, 0xed, 0xc1, 0x01, 0x0d, 0x00, 0x00, 0x00, 0xc2,
				       0xa0, 0x8a, 0xef, 0x9f, 0xc6, 0x1e, 0x0e, 0x28, 0x00, 0x00,
				       0x00, 0xe0, 0xdd, 0x00, 0xe8, 0x3c, 0x00, 0x4c };

struct sqfs_image {
	uint8_t *p; /* when finished */
	size_t size;
	uint8_t data[1 << 16];
	size_t n_data;
	uint8_t inodes[1 << 17];
	size_t n_inodes;
	uint8_t dirs[1 << 17];
	size_t n_dirs;
	uint8_t frags[1024];
	size_t n_frags;
	uint32_t count; /* of inodes */
	/* where finish put them */
	uint64_t inode_table, dir_table, frag_blocks, frag_table, id_blocks, id_table;
};

/* A listing under construction. */
struct sqfs_listing {
	uint8_t b[1 << 16];
	size_t n, head;
	unsigned count;
};

/* Integers of given widths: "1248" digits say how many bytes each takes. */
static inline size_t sqfs_put(uint8_t *to, const char *widths, ...)
{
	va_list ap;
	size_t n = 0;

	va_start(ap, widths);
	for (; *widths; widths++) {
		const uint64_t v = va_arg(ap, uint64_t);

		for (int i = 0; i < *widths - '0'; i++)
			to[n++] = (uint8_t)(v >> 8 * i);
	}
	va_end(ap);
	return n;
}
#define SQFS_U(v) ((uint64_t)(v))

static inline struct sqfs_image *sqfs_begin(void)
{
	struct sqfs_image *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->n_data = 96;
	return s;
}

/* Returns where it lies. */
static inline uint64_t sqfs_data(struct sqfs_image *s, const void *p, size_t n)
{
	const size_t at = s->n_data;

	assert_true(at + n <= sizeof(s->data));
	memcpy(s->data + at, p, n);
	s->n_data += n;
	return at;
}

static inline uint64_t sqfs_ref(size_t off)
{
	return SQFS_U(off / SQFS_META * (SQFS_META + 2)) << 16 | off % SQFS_META;
}

/* The head of an inode; returns its reference. */
static inline uint64_t sqfs_inode(struct sqfs_image *s, unsigned type, unsigned mode)
{
	const uint64_t ref = sqfs_ref(s->n_inodes);

	s->count++;
	s->n_inodes += sqfs_put(s->inodes + s->n_inodes, "222244", SQFS_U(type), SQFS_U(mode),
				SQFS_U(1), SQFS_U(0), SQFS_U(1700000000), SQFS_U(s->count));
	return ref;
}

static inline uint64_t sqfs_file(struct sqfs_image *s, uint64_t start, uint32_t size, uint32_t frag,
				 uint32_t frag_off, const uint32_t *words, size_t n)
{
	const uint64_t ref = sqfs_inode(s, 2, 0644);

	s->n_inodes += sqfs_put(s->inodes + s->n_inodes, "4444", start, SQFS_U(frag),
				SQFS_U(frag_off), SQFS_U(size));
	for (size_t i = 0; i < n; i++)
		s->n_inodes += sqfs_put(s->inodes + s->n_inodes, "4", SQFS_U(words[i]));
	return ref;
}

static inline uint64_t sqfs_link(struct sqfs_image *s, const char *target, size_t len)
{
	const uint64_t ref = sqfs_inode(s, 3, 0777);

	s->n_inodes += sqfs_put(s->inodes + s->n_inodes, "44", SQFS_U(1), SQFS_U(len));
	memcpy(s->inodes + s->n_inodes, target, len);
	s->n_inodes += len;
	return ref;
}

static inline uint64_t sqfs_device(struct sqfs_image *s, unsigned type, uint32_t dev)
{
	const uint64_t ref = sqfs_inode(s, type, 0600);

	s->n_inodes += sqfs_put(s->inodes + s->n_inodes, "4", SQFS_U(1));
	if (type == 4 || type == 5)
		s->n_inodes += sqfs_put(s->inodes + s->n_inodes, "4", SQFS_U(dev));
	return ref;
}

static inline void sqfs_entry_n(struct sqfs_listing *l, const void *name, size_t len, uint64_t ref,
				unsigned type)
{
	const uint32_t block = (uint32_t)(ref >> 16);
	uint8_t *head = l->b + l->head;

	/* A header for each place of inodes, and for each 256 names. */
	if (l->n == 0 || l->count == 256 ||
	    (head[4] | head[5] << 8 | head[6] << 16 | (uint32_t)head[7] << 24) != block) {
		l->head = l->n;
		l->n += sqfs_put(l->b + l->n, "444", SQFS_U(0), SQFS_U(block), SQFS_U(1));
		l->count = 0;
	}
	sqfs_put(l->b + l->head, "4", SQFS_U(l->count++));
	l->n += sqfs_put(l->b + l->n, "2222", ref & 0xffff, SQFS_U(0), SQFS_U(type),
			 SQFS_U(len - 1));
	memcpy(l->b + l->n, name, len);
	l->n += len;
}

static inline void sqfs_entry(struct sqfs_listing *l, const char *name, uint64_t ref, unsigned type)
{
	sqfs_entry_n(l, name, strlen(name), ref, type);
}

/* A directory with this listing; `claimed`, when not 0, is what it says of its size. */
static inline uint64_t sqfs_dir(struct sqfs_image *s, const struct sqfs_listing *l,
				uint32_t claimed)
{
	const uint64_t at = sqfs_ref(s->n_dirs), ref = sqfs_inode(s, 8, 0755);

	assert_true(s->n_dirs + l->n <= sizeof(s->dirs));
	memcpy(s->dirs + s->n_dirs, l->b, l->n);
	s->n_dirs += l->n;
	s->n_inodes += sqfs_put(s->inodes + s->n_inodes, "4444224", SQFS_U(2),
				SQFS_U(claimed ? claimed : l->n + 3), at >> 16, SQFS_U(1),
				SQFS_U(0), at & 0xffff, SQFS_U(SQFS_NO_FRAG));
	return ref;
}

static inline uint32_t sqfs_fragment(struct sqfs_image *s, uint64_t at, uint32_t word)
{
	s->n_frags += sqfs_put(s->frags + s->n_frags, "844", at, SQFS_U(word), SQFS_U(0));
	return (uint32_t)(s->n_frags / 16 - 1);
}

static inline void sqfs_table(struct sqfs_image *s, const uint8_t *p, size_t n)
{
	do {
		const size_t part = n < SQFS_META ? n : SQFS_META;

		s->size += sqfs_put(s->p + s->size, "2", SQFS_U(part | 0x8000));
		memcpy(s->p + s->size, p, part);
		s->size += part;
		p += part;
		n -= part;
	} while (n > 0);
}

/* Owners are 1000 and 77, in this order. */
static inline void sqfs_finish(struct sqfs_image *s, uint64_t root)
{
	uint8_t ids[8];

	s->p = calloc(1, s->n_data + s->n_inodes + s->n_dirs + 4096);
	assert_non_null(s->p);
	memcpy(s->p, s->data, s->n_data);
	s->size = s->n_data;
	s->inode_table = s->size;
	sqfs_table(s, s->inodes, s->n_inodes);
	s->dir_table = s->size;
	if (s->n_dirs > 0)
		sqfs_table(s, s->dirs, s->n_dirs);
	s->frag_blocks = s->size;
	if (s->n_frags > 0)
		sqfs_table(s, s->frags, s->n_frags);
	s->frag_table = s->size;
	if (s->n_frags > 0)
		s->size += sqfs_put(s->p + s->size, "8", s->frag_blocks);
	s->id_blocks = s->size;
	sqfs_put(ids, "44", SQFS_U(1000), SQFS_U(77));
	sqfs_table(s, ids, sizeof(ids));
	s->id_table = s->size;
	s->size += sqfs_put(s->p + s->size, "8", s->id_blocks);
	sqfs_put(s->p, "444442222228", SQFS_U(0x73717368), SQFS_U(s->count), SQFS_U(1700000000),
		 SQFS_U(SQFS_BS), SQFS_U(s->n_frags / 16), SQFS_U(1), SQFS_U(12), SQFS_U(0),
		 SQFS_U(2), SQFS_U(4), SQFS_U(0), root);
	sqfs_put(s->p + 40, "8888888", SQFS_U(s->size), s->id_table, UINT64_MAX, s->inode_table,
		 s->dir_table, s->n_frags ? s->frag_table : UINT64_MAX, UINT64_MAX);
}

static inline void sqfs_end(struct sqfs_image *s)
{
	free(s->p);
	free(s);
}

/*
 * One of each: /a a file with all kinds of blocks and an end in a fragment, /b one with an end of
 * its own, /c the fragment's other half, /d/e a directory's file, /f a link to it, /g a block
 * device, /h a character device, /i a pipe, /j a socket, /k an empty file.
 */
#define SQFS_A_SIZE (3 * SQFS_BS + 100)
static inline struct sqfs_image *sqfs_sample(void)
{
	struct sqfs_image *s = sqfs_begin();
	static struct sqfs_listing sub, top;
	uint8_t raw[SQFS_BS], end[300];

	memset(&sub, 0, sizeof(sub));
	memset(&top, 0, sizeof(top));
	memset(raw, 'R', sizeof(raw));
	memset(end, 'x', 100);
	memset(end + 100, 'y', 200);
	const uint64_t a = sqfs_data(s, sqfs_packed, sizeof(sqfs_packed));
	sqfs_data(s, raw, sizeof(raw));
	const uint64_t b = sqfs_data(s, raw, 50);
	const uint64_t f = sqfs_data(s, end, sizeof(end));
	const uint32_t frag = sqfs_fragment(s, f, sizeof(end) | SQFS_RAW);
	const uint32_t words[] = { sizeof(sqfs_packed), 0, SQFS_BS | SQFS_RAW };
	const uint32_t short_word = 50 | SQFS_RAW;

	sqfs_entry(&sub, "e", sqfs_file(s, 0, 0, SQFS_NO_FRAG, 0, NULL, 0), 2);
	sqfs_entry(&top, "a", sqfs_file(s, a, SQFS_A_SIZE, frag, 0, words, 3), 2);
	sqfs_entry(&top, "b", sqfs_file(s, b, 50, SQFS_NO_FRAG, 0, &short_word, 1), 2);
	sqfs_entry(&top, "c", sqfs_file(s, 0, 200, frag, 100, NULL, 0), 2);
	sqfs_entry(&top, "d", sqfs_dir(s, &sub, 0), 1);
	sqfs_entry(&top, "f", sqfs_link(s, "d/e", 3), 3);
	sqfs_entry(&top, "g", sqfs_device(s, 4, 0x12300845), 4); /* 8, 0x12345 */
	sqfs_entry(&top, "h", sqfs_device(s, 5, 0x00000103), 5); /* 1, 3 */
	sqfs_entry(&top, "i", sqfs_device(s, 6, 0), 6);
	sqfs_entry(&top, "j", sqfs_device(s, 7, 0), 7);
	sqfs_entry(&top, "k", sqfs_file(s, 0, 0, SQFS_NO_FRAG, 0, NULL, 0), 2);
	sqfs_finish(s, sqfs_dir(s, &top, 0));
	return s;
}

#endif
