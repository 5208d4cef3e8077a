/* SPDX-License-Identifier: Apache-2.0 */
/* Trees made here by the book, level by level with all of it in memory; veritysetup's are in
 * verity.bats. */
#include "tests/unit/unit.h"
#include "tests/unit/alloc.h"

#include <openssl/evp.h>

#include "core/hash.h"
#include "measure/verity/verity.h"

#define SHIFT 4096 /* data and tree are slices of one memory, the data from here on */

struct tree {
	struct assay_verity_params p;
	uint8_t *mem;
	size_t data_size, hash_size; /* the hash device: a superblock, then the tree */
	uint8_t root[64];
	struct assay_src *whole, *data, *hash;
};

static size_t digest_size(const struct assay_verity_params *p)
{
	return p->bank == ASSAY_SHA256 ? 32 : p->bank == ASSAY_SHA384 ? 48 : 64;
}

static void digest(const struct assay_verity_params *p, const void *block, size_t len, uint8_t *ret)
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

static void put(uint8_t *p, uint64_t v, int n)
{
	for (int i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static void put_superblock(uint8_t *sb, const struct assay_verity_params *p)
{
	memset(sb, 0, 512);
	memcpy(sb, "verity\0\0", 8);
	put(sb + 8, 1, 4);
	put(sb + 12, p->hash_type, 4);
	memset(sb + 16, 0xab, 16);
	strcpy((char *)sb + 32, p->bank == ASSAY_SHA256	  ? "sha256"
				: p->bank == ASSAY_SHA384 ? "sha384"
							  : "sha512");
	put(sb + 64, p->data_block_size, 4);
	put(sb + 68, p->hash_block_size, 4);
	put(sb + 72, p->data_blocks, 8);
	put(sb + 80, p->salt_size, 2);
	memcpy(sb + 88, p->salt, p->salt_size);
}

/* Into `tree`, which is at the hash device's first block behind the superblock. Returns its size.
 */
static size_t build(const struct assay_verity_params *p, const uint8_t *data, uint8_t *tree,
		    uint8_t *root, int spare_level)
{
	size_t per = 1, stride = digest_size(p), n = p->data_blocks, size = p->data_block_size;
	size_t blocks[32], total = 0, levels = 0;
	uint8_t *below = NULL;

	while (per * 2 * digest_size(p) <= p->hash_block_size)
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
			digest(p, (l ? below : data) + i * size, size,
			       level + i / per * p->hash_block_size + i % per * stride);
		if (spare_level == (int)l + 1)
			level[p->hash_block_size * blocks[l] - 1] = 1;
		below = level;
		n = blocks[l];
		size = p->hash_block_size;
		end -= blocks[l];
	}
	digest(p, levels ? below : data, size, root);
	return total * p->hash_block_size;
}

static struct tree *make(enum assay_bank bank, unsigned type, uint32_t dbs, uint32_t hbs,
			 uint64_t blocks, size_t salt, int spare_level)
{
	struct tree *t = calloc(1, sizeof(*t));
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
	t->hash_size = first + build(&t->p, NULL, NULL, NULL, 0);
	t->mem = calloc(1, SHIFT + t->data_size + t->hash_size);
	for (size_t i = 0; i < t->data_size; i++)
		t->mem[SHIFT + i] = (uint8_t)(i * 31 + i / 251 + i / 65521);
	put_superblock(t->mem + SHIFT + t->data_size, &t->p);
	build(&t->p, t->mem + SHIFT, t->mem + SHIFT + t->data_size + first, t->root, spare_level);
	assert_int_equal(
		assay_src_from_mem(t->mem, SHIFT + t->data_size + t->hash_size, &t->whole, &err),
		0);
	assert_int_equal(assay_src_slice(t->whole, SHIFT, t->data_size, &t->data, &err), 0);
	assert_int_equal(
		assay_src_slice(t->whole, SHIFT + t->data_size, t->hash_size, &t->hash, &err), 0);
	return t;
}

static void drop(struct tree *t)
{
	assay_src_free(&t->data);
	assay_src_free(&t->hash);
	assay_src_free(&t->whole);
	free(t->mem);
	free(t);
}

static int check(struct tree *t, struct assay_verity_report *r, struct assay_err *err)
{
	struct assay_verity_params p;

	if (assay_verity_open(t->hash, 0, &p, err) < 0)
		return -1;
	return assay_verity_check(t->data, t->hash, &p, t->root, r, err);
}

/* --- superblocks --------------------------------------------------------------------------------
 */

static void make_superblock(uint8_t *sb)
{
	struct assay_verity_params p = { .bank = ASSAY_SHA256,
					 .hash_type = 1,
					 .data_block_size = 4096,
					 .hash_block_size = 1024,
					 .data_blocks = 77,
					 .salt_size = 20 };

	memset(p.salt, 9, p.salt_size);
	put_superblock(sb, &p);
}

static enum assay_code parse(const uint8_t *sb, size_t len, struct assay_verity_params *ret)
{
	struct assay_err err = { 0 };

	return assay_verity_parse(assay_cur_make(sb, len, 0), ret, &err) < 0 ? err.code : ASSAY_OK;
}

static void superblock(void **state)
{
	struct assay_verity_params p;
	uint8_t sb[512];

	(void)state;
	make_superblock(sb);
	sb[88 + 20] = 1; /* behind the salt: nobody's */
	assert_int_equal(parse(sb, 512, &p), ASSAY_OK);
	assert_int_equal(p.bank, ASSAY_SHA256);
	assert_int_equal(p.hash_type, 1);
	assert_int_equal(p.data_block_size, 4096);
	assert_int_equal(p.hash_block_size, 1024);
	assert_int_equal(p.data_blocks, 77);
	assert_int_equal(p.salt_size, 20);
	assert_int_equal(p.salt[19], 9);
	assert_int_equal(p.salt[20], 0);
	assert_true(p.superblock);
	assert_int_equal(p.uuid[15], 0xab);
}

static void superblock_cut(void **state)
{
	struct assay_verity_params p, before;
	uint8_t sb[512];

	(void)state;
	make_superblock(sb);
	memset(&p, 0x5a, sizeof(p));
	before = p;
	for (size_t len = 0; len < 512; len++) {
		/* Its own allocation: a read past it is seen under ASan. */
		uint8_t *cut = malloc(len ? len : 1);
		struct assay_err err;
		struct assay_src *src;

		memcpy(cut, sb, len);
		assert_int_equal(parse(cut, len, &p), ASSAY_E_CORRUPT);
		assert_int_equal(assay_src_from_mem(cut, len, &src, &err), 0);
		assert_int_equal(assay_verity_open(src, 0, &p, &err), -1);
		assert_int_equal(err.code, ASSAY_E_CORRUPT);
		assay_src_free(&src);
		free(cut);
		assert_memory_equal(&p, &before, sizeof(p));
	}
}

static void superblock_fields(void **state)
{
	static const struct {
		int at, len;
		uint64_t value;
		enum assay_code code;
	} rows[] = {
		{ 0, 1, 'V', ASSAY_E_NOTFOUND },
		{ 7, 1, 1, ASSAY_E_NOTFOUND },
		{ 8, 4, 0, ASSAY_E_UNSUPPORTED },
		{ 8, 4, 2, ASSAY_E_UNSUPPORTED },
		{ 12, 4, 0, ASSAY_OK },
		{ 12, 4, 2, ASSAY_E_UNSUPPORTED },
		{ 64, 4, 256, ASSAY_E_CORRUPT },
		{ 64, 4, 511, ASSAY_E_CORRUPT },
		{ 64, 4, 512, ASSAY_OK },
		{ 64, 4, 513, ASSAY_E_CORRUPT },
		{ 64, 4, 3072, ASSAY_E_CORRUPT },
		{ 64, 4, 512 << 10, ASSAY_OK },
		{ 64, 4, 1 << 20, ASSAY_E_CORRUPT },
		{ 64, 4, 0, ASSAY_E_CORRUPT },
		{ 64, 4, 1U << 31, ASSAY_E_CORRUPT },
		{ 68, 4, 256, ASSAY_E_CORRUPT },
		{ 68, 4, 511, ASSAY_E_CORRUPT },
		{ 68, 4, 512, ASSAY_OK },
		{ 68, 4, 513, ASSAY_E_CORRUPT },
		{ 68, 4, 512 << 10, ASSAY_OK },
		{ 68, 4, (512 << 10) + 1, ASSAY_E_CORRUPT },
		{ 68, 4, 1 << 20, ASSAY_E_CORRUPT },
		{ 72, 8, 0, ASSAY_E_CORRUPT },
		{ 72, 8, 1, ASSAY_OK },
		{ 72, 8, UINT64_MAX, ASSAY_OK },
		{ 80, 2, 0, ASSAY_OK },
		{ 80, 2, 255, ASSAY_OK },
		{ 80, 2, 256, ASSAY_OK },
		{ 80, 2, 257, ASSAY_E_CORRUPT },
		{ 80, 2, 65535, ASSAY_E_CORRUPT },
	};
	static const struct {
		const char *name;
		enum assay_code code;
	} names[] = {
		{ "sha256", ASSAY_OK },
		{ "sha384", ASSAY_OK },
		{ "sha512", ASSAY_OK },
		{ "sha1", ASSAY_E_UNSUPPORTED },
		{ "SHA256", ASSAY_E_UNSUPPORTED },
		{ "sha-256", ASSAY_E_UNSUPPORTED },
		{ "sha2", ASSAY_E_UNSUPPORTED },
		{ "", ASSAY_E_UNSUPPORTED },
		{ "blake2b-256", ASSAY_E_UNSUPPORTED },
		{ "sha256sha256sha256sha256sha256sh", ASSAY_E_UNSUPPORTED },
	};
	struct assay_verity_params p;
	uint8_t sb[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make_superblock(sb);
		put(sb + rows[i].at, rows[i].value, rows[i].len);
		assert_int_equal(parse(sb, 512, &p), rows[i].code);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		make_superblock(sb);
		memset(sb + 32, 0, 32);
		memcpy(sb + 32, names[i].name, strlen(names[i].name));
		assert_int_equal(parse(sb, 512, &p), names[i].code);
	}
}

/* Sizes that would overflow are refused before anything is allocated or read. */
static void absurd_sizes(void **state)
{
	static const uint64_t blocks[] = { UINT64_MAX, UINT64_MAX / 512, UINT64_C(1) << 63,
					   UINT64_C(1) << 40 };

	(void)state;
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		for (uint32_t size = 512; size <= 512 << 10; size *= 2) {
			struct tree *t = make(ASSAY_SHA512, 1, 512, 512, 9, 0, 0);
			struct assay_verity_params p = t->p;
			struct assay_verity_report r;
			struct assay_err err;

			p.data_blocks = blocks[i];
			p.data_block_size = size;
			p.hash_start = 512;
			assert_int_equal(assay_verity_params_check(t->hash, &p, &err), -1);
			assert_int_equal(err.code, ASSAY_E_CORRUPT);
			assert_int_equal(
				assay_verity_check(t->data, t->hash, &p, t->root, &r, &err), -1);
			p.hash_block_size = size;
			p.hash_start = size;
			assert_int_equal(
				assay_verity_check(t->data, t->hash, &p, t->root, &r, &err), -1);
			drop(t);
		}
	}
}

/* --- trees --------------------------------------------------------------------------------------
 */

static void whole_trees(void **state)
{
	static const uint32_t sizes[][2] = {
		{ 512, 512 },	 { 4096, 4096 },  { 512, 4096 },   { 4096, 512 },
		{ 1024, 65536 }, { 65536, 1024 }, { 524288, 512 }, { 512, 524288 },
	};
	static const size_t salts[] = { 0, 1, 32, 256 };
	unsigned done = 0;

	(void)state;
	for (unsigned bank = ASSAY_SHA256; bank <= ASSAY_SHA512; bank++) {
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			const uint32_t dbs = sizes[s][0], hbs = sizes[s][1];
			uint64_t per = 1;

			while (per * 2 *
				       (bank == ASSAY_SHA256   ? 32
					: bank == ASSAY_SHA384 ? 48
							       : 64) <=
			       hbs)
				per *= 2;
			const uint64_t counts[] = { 1,	     2,	      per - 1,	 per,
						    per + 1, per * 2, per * per, per * per + 1 };
			for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
				struct assay_verity_report r;
				struct assay_err err;

				if (counts[c] * dbs > 9 << 20)
					continue;
				struct tree *t = make((enum assay_bank)bank, done % 5 != 0, dbs,
						      hbs, counts[c], salts[done % 4], 0);
				assay_hash_set_threads(done % 3 + 1);
				assert_int_equal(check(t, &r, &err), 0);
				assert_true(r.verified);
				assert_int_equal(r.n_faults, 0);
				assert_memory_equal(r.data_root, t->root, digest_size(&t->p));
				assert_memory_equal(r.tree_root, t->root, digest_size(&t->p));
				assert_int_equal(r.levels, counts[c] == 1	    ? 0
							   : counts[c] <= per	    ? 1
							   : counts[c] <= per * per ? 2
										    : 3);
				drop(t);
				done++;
			}
		}
	}
	assay_hash_set_threads(0);
	assert_true(done > 100);
}

/* 8 digests in a block: 70 data blocks, 9 blocks on level 1, 2 on level 2, 1 on level 3. */
static struct tree *three_levels(void)
{
	return make(ASSAY_SHA512, 1, 512, 512, 70, 16, 0);
}

static void one_fault(const struct assay_verity_report *r, unsigned level, uint64_t block,
		      uint64_t offset)
{
	assert_false(r->verified);
	assert_int_equal(r->n_faults, 1);
	assert_int_equal(r->n_unjudged, 0);
	assert_int_equal(r->faults[0].kind, ASSAY_VERITY_BLOCK);
	assert_int_equal(r->faults[0].level, level);
	assert_int_equal(r->faults[0].block, block);
	assert_int_equal(r->faults[0].offset, offset);
	assert_int_equal(r->faults[0].size, 512);
}

static void flipped_data(void **state)
{
	struct tree *t = three_levels();
	struct assay_verity_report r;
	struct assay_err err;

	(void)state;
	for (size_t i = 0; i < t->data_size; i += 37) {
		const uint8_t bit = (uint8_t)(1 << (i % 8));

		t->mem[SHIFT + i] ^= bit;
		assert_int_equal(check(t, &r, &err), 0);
		one_fault(&r, 0, i / 512, SHIFT + i / 512 * 512);
		assert_memory_equal(r.tree_root, t->root, 64);
		assert_memory_not_equal(r.data_root, t->root, 64);
		t->mem[SHIFT + i] ^= bit;
	}
	drop(t);
}

static void flipped_tree(void **state)
{
	static const unsigned level_of[] = { 3, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
	static const unsigned block_of[] = { 0, 0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8 };
	struct tree *t = three_levels();
	uint8_t *tree = t->mem + SHIFT + t->data_size + 512;
	struct assay_verity_report r;
	struct assay_err err;

	(void)state;
	assert_int_equal(t->hash_size, 512 + sizeof(level_of) / sizeof(level_of[0]) * 512);
	for (size_t i = 0; i < t->hash_size - 512; i += 13) {
		const uint8_t bit = (uint8_t)(1 << (i % 8));

		tree[i] ^= bit;
		assert_int_equal(check(t, &r, &err), 0);
		one_fault(&r, level_of[i / 512], block_of[i / 512],
			  SHIFT + t->data_size + 512 + i / 512 * 512);
		/* The data is right, and that is known. */
		assert_memory_equal(r.data_root, t->root, 64);
		tree[i] ^= bit;
	}
	drop(t);
}

/* Each bit of the superblock: refused, does not verify, or lies where nothing looks. */
static void flipped_superblock(void **state)
{
	struct tree *t = three_levels();
	uint8_t *sb = t->mem + SHIFT + t->data_size;

	(void)state;
	for (size_t i = 0; i < 512 * 8; i++) {
		const size_t at = i / 8;
		const bool nobodys = (at >= 16 && at < 32) || (at > 38 && at < 64) ||
				     (at >= 82 && at < 88) || at >= 88 + 16;
		struct assay_verity_report r;
		struct assay_err err;

		sb[at] ^= (uint8_t)(1 << (i % 8));
		const int rc = check(t, &r, &err);
		if (nobodys != (rc == 0 && r.verified))
			fail_msg("bit %zu: %d, verified %d", i, rc, rc == 0 && r.verified);
		sb[at] ^= (uint8_t)(1 << (i % 8));
	}
	drop(t);
}

static void several_faults(void **state)
{
	struct tree *t = three_levels();
	uint8_t *tree = t->mem + SHIFT + t->data_size + 512;
	struct assay_verity_report r;
	struct assay_err err;

	(void)state;
	/* A data block, and the tree block that has its digest: which data block it is nobody
	 * knows. */
	t->mem[SHIFT + 9 * 512] ^= 1;
	tree[4 * 512 + 70] ^= 1; /* level 1, block 1: data blocks 8 to 15 */
	assert_int_equal(check(t, &r, &err), 0);
	assert_false(r.verified);
	assert_int_equal(r.n_faults, 1);
	assert_int_equal(r.faults[0].level, 1);
	assert_int_equal(r.faults[0].block, 1);
	assert_int_equal(r.n_unjudged, 1);
	/* Another one, elsewhere, is known. */
	t->mem[SHIFT + 69 * 512] ^= 1;
	assert_int_equal(check(t, &r, &err), 0);
	assert_int_equal(r.n_faults, 2);
	assert_int_equal(r.faults[1].level, 0);
	assert_int_equal(r.faults[1].block, 69);
	drop(t);

	/* All of the data: all are counted, the first are listed. */
	t = three_levels();
	memset(t->mem + SHIFT, 0, t->data_size);
	assert_int_equal(check(t, &r, &err), 0);
	assert_int_equal(r.n_faults, 70);
	assert_int_equal(r.faults[ASSAY_VERITY_MAX_FAULTS - 1].block, ASSAY_VERITY_MAX_FAULTS - 1);
	drop(t);
}

static void another_root(void **state)
{
	for (uint64_t blocks = 1; blocks < 80; blocks += 69) {
		struct tree *t = make(ASSAY_SHA512, 1, 512, 512, blocks, 0, 0);
		struct assay_verity_report r;
		struct assay_err err;
		uint8_t root[64];

		(void)state;
		memcpy(root, t->root, 64);
		t->root[63] ^= 1;
		assert_int_equal(check(t, &r, &err), 0);
		assert_false(r.verified);
		assert_int_equal(r.n_faults, 1);
		assert_int_equal(r.faults[0].kind,
				 blocks == 1 ? ASSAY_VERITY_BLOCK : ASSAY_VERITY_ROOT);
		assert_memory_equal(r.data_root, root, 64);
		assert_memory_equal(r.tree_root, root, 64);
		drop(t);
	}
}

static void tree_root(void **state)
{
	struct tree *t = three_levels();
	struct assay_verity_params p;
	uint8_t root[64];
	struct assay_err err;

	(void)state;
	assert_int_equal(assay_verity_open(t->hash, 0, &p, &err), 0);
	assert_int_equal(assay_verity_tree_root(t->hash, &p, root, &err), 0);
	assert_memory_equal(root, t->root, 64);
	drop(t);
	t = make(ASSAY_SHA256, 1, 512, 512, 1, 0, 0);
	assert_int_equal(assay_verity_open(t->hash, 0, &p, &err), 0);
	assert_int_equal(assay_verity_levels(&p), 0);
	assert_int_equal(assay_verity_tree_root(t->hash, &p, root, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
	drop(t);
}

static void spare_area(void **state)
{
	(void)state;
	for (int level = 1; level <= 3; level++) {
		struct tree *t = make(ASSAY_SHA512, 1, 512, 512, 70, 0, level);
		struct assay_verity_report r;
		struct assay_err err;

		assert_int_equal(check(t, &r, &err), 0);
		assert_false(r.verified);
		assert_int_equal(r.n_faults, 1);
		assert_int_equal(r.faults[0].kind, ASSAY_VERITY_SPARE);
		assert_int_equal(r.faults[0].level, level);
		drop(t);
	}
	/* sha384: 16 bytes between digests. */
	struct tree *t = make(ASSAY_SHA384, 1, 512, 512, 2, 0, 0);
	struct assay_verity_report r;
	struct assay_err err;

	t->mem[SHIFT + t->data_size + 512 + 48] = 1;
	digest(&t->p, t->mem + SHIFT + t->data_size + 512, 512, t->root);
	assert_int_equal(check(t, &r, &err), 0);
	assert_false(r.verified);
	assert_int_equal(r.faults[0].kind, ASSAY_VERITY_SPARE);
	drop(t);
}

static void short_devices(void **state)
{
	struct tree *t = three_levels();
	struct assay_verity_params p;
	struct assay_verity_report r;
	struct assay_err err;

	(void)state;
	assert_int_equal(assay_verity_open(t->hash, 0, &p, &err), 0);
	for (size_t len = 0; len < t->hash_size; len += 511) {
		struct assay_src *cut;

		assert_int_equal(assay_src_slice(t->hash, 0, len, &cut, &err), 0);
		assert_int_equal(assay_verity_check(t->data, cut, &p, t->root, &r, &err), -1);
		assert_int_equal(err.code, ASSAY_E_CORRUPT);
		assay_src_free(&cut);
	}
	for (size_t len = 0; len < t->data_size; len += 511) {
		struct assay_src *cut;

		assert_int_equal(assay_src_slice(t->data, 0, len, &cut, &err), 0);
		assert_int_equal(assay_verity_check(cut, t->hash, &p, t->root, &r, &err), -1);
		assert_int_equal(err.code, ASSAY_E_CORRUPT);
		assert_int_equal(err.at, SHIFT);
		assay_src_free(&cut);
	}
	drop(t);
}

static void without_superblock(void **state)
{
	struct tree *t = three_levels();
	struct assay_verity_params p = t->p;
	struct assay_verity_report r;
	struct assay_err err;

	(void)state;
	p.hash_start = 512;
	assert_int_equal(assay_verity_check(t->data, t->hash, &p, t->root, &r, &err), 0);
	assert_true(r.verified);
	p.hash_start = 511;
	assert_int_equal(assay_verity_check(t->data, t->hash, &p, t->root, &r, &err), -1);
	assert_int_equal(err.code, ASSAY_E_USAGE);
	assert_int_equal(assay_verity_open(t->hash, 511, &p, &err), -1);
	assert_int_equal(err.code, ASSAY_E_USAGE);
	p = t->p;
	p.bank = ASSAY_SHA1;
	assert_int_equal(assay_verity_check(t->data, t->hash, &p, t->root, &r, &err), -1);
	assert_int_equal(err.code, ASSAY_E_UNSUPPORTED);
	drop(t);
}

/* --- memory -------------------------------------------------------------------------------------
 */

static struct tree *alloc_tree;

static int alloc_check(struct assay_err *err)
{
	struct assay_verity_report r;

	return check(alloc_tree, &r, err);
}

static void out_of_memory(void **state)
{
	(void)state;
	alloc_tree = three_levels();
	alloc_tree->mem[SHIFT] ^= 1;
	assay_hash_set_threads(1);
	/* OpenSSL keeps contexts, and drops what is in them when it runs out of memory. */
	unit_alloc_each(alloc_check, false);
	assay_hash_set_threads(0);
	drop(alloc_tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(superblock),	     cmocka_unit_test(superblock_cut),
		cmocka_unit_test(superblock_fields), cmocka_unit_test(absurd_sizes),
		cmocka_unit_test(whole_trees),	     cmocka_unit_test(flipped_data),
		cmocka_unit_test(flipped_tree),	     cmocka_unit_test(flipped_superblock),
		cmocka_unit_test(several_faults),    cmocka_unit_test(another_root),
		cmocka_unit_test(tree_root),	     cmocka_unit_test(spare_area),
		cmocka_unit_test(short_devices),     cmocka_unit_test(without_superblock),
		cmocka_unit_test(out_of_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
