/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dm-verity devices in memory, made by the book, level by level with all of it in memory;
 * veritysetup's are in verity.bats.
 */
#ifndef ASSAY_TESTS_VERITY_BUILD_H
#define ASSAY_TESTS_VERITY_BUILD_H

#include "tests/unit/unit.h"

#include <openssl/evp.h>

#include "measure/verity/verity.h"

#define VERITY_SHIFT 4096 /* data and tree are slices of one memory, the data from here on */

struct verity_tree {
	struct assay_verity_params p;
	uint8_t *mem;
	size_t data_size, hash_size; /* the hash device: a superblock, then the tree */
	uint8_t root[64];
	struct assay_src *whole, *data, *hash;
};

static inline size_t verity_digest_size(const struct assay_verity_params *p)
{
	return p->bank == ASSAY_SHA256 ? 32 : p->bank == ASSAY_SHA384 ? 48 : 64;
}

static inline void verity_digest(const struct assay_verity_params *p, const void *block, size_t len,
				 uint8_t *ret)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const EVP_MD *md = p->bank == ASSAY_SHA256   ? EVP_sha256()
			   : p->bank == ASSAY_SHA384 ? EVP_sha384()
						     : EVP_sha512();

	assert_int_equal(EVP_DigestInit(ctx, md), 1);
	if (p->hash_type == 1)
		assert_int_equal(EVP_DigestUpdate(ctx, p->salt, p->salt_size), 1);
	assert_int_equal(EVP_DigestUpdate(ctx, block, len), 1);
	if (p->hash_type == 0)
		assert_int_equal(EVP_DigestUpdate(ctx, p->salt, p->salt_size), 1);
	assert_int_equal(EVP_DigestFinal(ctx, ret, NULL), 1);
	EVP_MD_CTX_free(ctx);
}

static inline void verity_put(uint8_t *p, uint64_t v, int n)
{
	for (int i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static inline void verity_put_superblock(uint8_t *sb, const struct assay_verity_params *p)
{
	memset(sb, 0, 512);
	memcpy(sb, "verity\0\0", 8);
	verity_put(sb + 8, 1, 4);
	verity_put(sb + 12, p->hash_type, 4);
	memset(sb + 16, 0xab, 16);
	strcpy((char *)sb + 32, p->bank == ASSAY_SHA256	  ? "sha256"
				: p->bank == ASSAY_SHA384 ? "sha384"
							  : "sha512");
	verity_put(sb + 64, p->data_block_size, 4);
	verity_put(sb + 68, p->hash_block_size, 4);
	verity_put(sb + 72, p->data_blocks, 8);
	verity_put(sb + 80, p->salt_size, 2);
	memcpy(sb + 88, p->salt, p->salt_size);
}

/* Into `tree`, which is at the hash device's first block behind the superblock. Returns its size.
 */
static inline size_t verity_build(const struct assay_verity_params *p, const uint8_t *data,
				  uint8_t *tree, uint8_t *root, int spare_level)
{
	size_t per = 1, stride = verity_digest_size(p), n = p->data_blocks,
	       size = p->data_block_size;
	size_t blocks[32], total = 0, levels = 0;
	uint8_t *below = NULL;

	while (per * 2 * verity_digest_size(p) <= p->hash_block_size)
		per *= 2;
	if (p->hash_type == 1)
		stride = p->bank == ASSAY_SHA256 ? 32 : 64;
	for (size_t b = n; b > 1; total += blocks[levels++])
		blocks[levels] = b = (b + per - 1) / per;
	if (!tree)
		return total * p->hash_block_size;
	size_t end = total;
	for (size_t l = 0; l < levels; l++) {
		uint8_t *level = tree + (end - blocks[l]) * p->hash_block_size;

		memset(level, 0, blocks[l] * p->hash_block_size);
		for (size_t i = 0; i < n; i++)
			verity_digest(p, (l ? below : data) + i * size, size,
				      level + i / per * p->hash_block_size + i % per * stride);
		if (spare_level == (int)l + 1)
			level[p->hash_block_size * blocks[l] - 1] = 1;
		below = level;
		n = blocks[l];
		size = p->hash_block_size;
		end -= blocks[l];
	}
	verity_digest(p, levels ? below : data, size, root);
	return total * p->hash_block_size;
}

static inline struct verity_tree *verity_make(enum assay_bank bank, unsigned type, uint32_t dbs,
					      uint32_t hbs, uint64_t blocks, size_t salt,
					      int spare_level)
{
	struct verity_tree *t = calloc(1, sizeof(*t));
	struct assay_err err;

	t->p = (struct assay_verity_params){ .bank = bank,
					     .hash_type = type,
					     .data_block_size = dbs,
					     .hash_block_size = hbs,
					     .data_blocks = blocks,
					     .salt_size = salt };
	for (size_t i = 0; i < salt; i++)
		t->p.salt[i] = (uint8_t)(i * 7 + 1);
	const size_t first = hbs < 512 ? 512 : hbs;
	t->data_size = dbs * blocks;
	t->hash_size = first + verity_build(&t->p, NULL, NULL, NULL, 0);
	t->mem = calloc(1, VERITY_SHIFT + t->data_size + t->hash_size);
	for (size_t i = 0; i < t->data_size; i++)
		t->mem[VERITY_SHIFT + i] = (uint8_t)(i * 31 + i / 251 + i / 65521);
	verity_put_superblock(t->mem + VERITY_SHIFT + t->data_size, &t->p);
	verity_build(&t->p, t->mem + VERITY_SHIFT, t->mem + VERITY_SHIFT + t->data_size + first,
		     t->root, spare_level);
	assert_int_equal(assay_src_from_mem(t->mem, VERITY_SHIFT + t->data_size + t->hash_size,
					    &t->whole, &err),
			 0);
	assert_int_equal(assay_src_slice(t->whole, VERITY_SHIFT, t->data_size, &t->data, &err), 0);
	assert_int_equal(assay_src_slice(t->whole, VERITY_SHIFT + t->data_size, t->hash_size,
					 &t->hash, &err),
			 0);
	return t;
}

static inline void verity_drop(struct verity_tree *t)
{
	assay_src_free(&t->data);
	assay_src_free(&t->hash);
	assay_src_free(&t->whole);
	free(t->mem);
	free(t);
}

static inline int verity_check(struct verity_tree *t, struct assay_verity_report *r,
			       struct assay_err *err)
{
	struct assay_verity_params p;

	if (assay_verity_open(t->hash, 0, &p, err) < 0)
		return -1;
	return assay_verity_check(t->data, t->hash, &p, t->root, r, err);
}

#endif
