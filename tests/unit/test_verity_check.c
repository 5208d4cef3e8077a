/* SPDX-License-Identifier: Apache-2.0 */
/* Data and trees, whole and with faults. */
#include "tests/unit/verity_build.h"
#include "tests/unit/alloc.h"

#include "core/hash.h"
#include "core/log.h"

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
				struct verity_tree *t =
					verity_make((enum assay_bank)bank, done % 5 != 0, dbs, hbs,
						    counts[c], salts[done % 4], 0);
				assay_hash_set_threads(done % 3 + 1);
				assert_int_equal(verity_check(t, &r, &err), 0);
				assert_true(r.verified);
				assert_int_equal(r.n_faults, 0);
				assert_memory_equal(r.data_root, t->root,
						    verity_digest_size(&t->p));
				assert_memory_equal(r.tree_root, t->root,
						    verity_digest_size(&t->p));
				assert_int_equal(r.levels, counts[c] == 1	    ? 0
							   : counts[c] <= per	    ? 1
							   : counts[c] <= per * per ? 2
										    : 3);
				verity_drop(t);
				done++;
			}
		}
	}
	assay_hash_set_threads(0);
	assert_true(done > 100);
}

/* 8 digests in a block: 70 data blocks, 9 blocks on level 1, 2 on level 2, 1 on level 3. */
static struct verity_tree *three_levels(void)
{
	return verity_make(ASSAY_SHA512, 1, 512, 512, 70, 16, 0);
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
	struct verity_tree *t = three_levels();
	struct assay_verity_report r;
	struct assay_err err;

	(void)state;
	for (size_t i = 0; i < t->data_size; i += 37) {
		const uint8_t bit = (uint8_t)(1 << (i % 8));

		t->mem[VERITY_SHIFT + i] ^= bit;
		assert_int_equal(verity_check(t, &r, &err), 0);
		one_fault(&r, 0, i / 512, VERITY_SHIFT + i / 512 * 512);
		assert_memory_equal(r.tree_root, t->root, 64);
		assert_memory_not_equal(r.data_root, t->root, 64);
		t->mem[VERITY_SHIFT + i] ^= bit;
	}
	verity_drop(t);
}

static void flipped_tree(void **state)
{
	static const unsigned level_of[] = { 3, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
	static const unsigned block_of[] = { 0, 0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8 };
	struct verity_tree *t = three_levels();
	uint8_t *tree = t->mem + VERITY_SHIFT + t->data_size + 512;
	struct assay_verity_report r;
	struct assay_err err;

	(void)state;
	assert_int_equal(t->hash_size, 512 + sizeof(level_of) / sizeof(level_of[0]) * 512);
	for (size_t i = 0; i < t->hash_size - 512; i += 13) {
		const uint8_t bit = (uint8_t)(1 << (i % 8));

		tree[i] ^= bit;
		assert_int_equal(verity_check(t, &r, &err), 0);
		one_fault(&r, level_of[i / 512], block_of[i / 512],
			  VERITY_SHIFT + t->data_size + 512 + i / 512 * 512);
		/* The data is right, and that is known. */
		assert_memory_equal(r.data_root, t->root, 64);
		tree[i] ^= bit;
	}
	verity_drop(t);
}

/* Each bit of the superblock: refused, does not verify, or lies where nothing looks. */
static void flipped_superblock(void **state)
{
	struct verity_tree *t = three_levels();
	uint8_t *sb = t->mem + VERITY_SHIFT + t->data_size;

	(void)state;
	for (size_t i = 0; i < 512 * 8; i++) {
		const size_t at = i / 8;
		const bool nobodys = (at >= 16 && at < 32) || (at > 38 && at < 64) ||
				     (at >= 82 && at < 88) || at >= 88 + 16;
		struct assay_verity_report r;
		struct assay_err err;

		sb[at] ^= (uint8_t)(1 << (i % 8));
		const int rc = verity_check(t, &r, &err);
		if (nobodys != (rc == 0 && r.verified))
			fail_msg("bit %zu: %d, verified %d", i, rc, rc == 0 && r.verified);
		sb[at] ^= (uint8_t)(1 << (i % 8));
	}
	verity_drop(t);
}

/* Each bit of a device, its data, superblock and tree: the block it is in is named, or nothing
 * covers it. */
static void every_bit(void **state)
{
	/* 8 digests in a block: 9 data blocks, 2 on level 1, 1 on level 2. */
	struct verity_tree *t = verity_make(ASSAY_SHA512, 1, 512, 512, 9, 16, 0);
	static const unsigned level_of[] = { 2, 1, 1 }, block_of[] = { 0, 0, 1 };
	uint8_t *device = t->mem + VERITY_SHIFT;
	const size_t sb = t->data_size, first = sb + 512;
	size_t uncovered = 0;

	(void)state;
	assay_hash_set_threads(1);
	for (size_t bit = 0; bit < 8 * (t->data_size + t->hash_size); bit++) {
		const size_t at = bit / 8;
		struct assay_verity_report r;
		struct assay_err err;

		device[at] ^= (uint8_t)(1 << (bit % 8));
		const int rc = verity_check(t, &r, &err);
		device[at] ^= (uint8_t)(1 << (bit % 8));
		if (at < sb) {
			assert_int_equal(rc, 0);
			one_fault(&r, 0, at / 512, VERITY_SHIFT + at / 512 * 512);
		} else if (at >= first) {
			const size_t i = (at - first) / 512;

			assert_int_equal(rc, 0);
			one_fault(&r, level_of[i], block_of[i], VERITY_SHIFT + first + i * 512);
		} else if (rc == 0 && r.verified) {
			uncovered++;
		}
	}
	/* UUID, what follows the algorithm's end mark, padding, what follows the salt
	 * (flipped_superblock). */
	assert_int_equal(uncovered, 8 * (16 + (64 - 39) + 6 + (512 - 88 - 16)));
	assay_hash_set_threads(0);
	verity_drop(t);
}

static void several_faults(void **state)
{
	struct verity_tree *t = three_levels();
	uint8_t *tree = t->mem + VERITY_SHIFT + t->data_size + 512;
	struct assay_verity_report r;
	struct assay_err err;

	(void)state;
	/* A data block, and the tree block that has its digest: which data block it is nobody
	 * knows. */
	t->mem[VERITY_SHIFT + 9 * 512] ^= 1;
	tree[4 * 512 + 70] ^= 1; /* level 1, block 1: data blocks 8 to 15 */
	assert_int_equal(verity_check(t, &r, &err), 0);
	assert_false(r.verified);
	assert_int_equal(r.n_faults, 1);
	assert_int_equal(r.faults[0].level, 1);
	assert_int_equal(r.faults[0].block, 1);
	assert_int_equal(r.n_unjudged, 1);
	/* Another one, elsewhere, is known. */
	t->mem[VERITY_SHIFT + 69 * 512] ^= 1;
	assert_int_equal(verity_check(t, &r, &err), 0);
	assert_int_equal(r.n_faults, 2);
	assert_int_equal(r.faults[1].level, 0);
	assert_int_equal(r.faults[1].block, 69);
	verity_drop(t);

	/* All of the data: all are counted, the first are listed. */
	t = three_levels();
	memset(t->mem + VERITY_SHIFT, 0, t->data_size);
	assert_int_equal(verity_check(t, &r, &err), 0);
	assert_int_equal(r.n_faults, 70);
	assert_int_equal(r.faults[ASSAY_VERITY_MAX_FAULTS - 1].block, ASSAY_VERITY_MAX_FAULTS - 1);
	verity_drop(t);
}

static void another_root(void **state)
{
	for (uint64_t blocks = 1; blocks < 80; blocks += 69) {
		struct verity_tree *t = verity_make(ASSAY_SHA512, 1, 512, 512, blocks, 0, 0);
		struct assay_verity_report r;
		struct assay_err err;
		uint8_t root[64];

		(void)state;
		memcpy(root, t->root, 64);
		t->root[63] ^= 1;
		assert_int_equal(verity_check(t, &r, &err), 0);
		assert_false(r.verified);
		assert_int_equal(r.n_faults, 1);
		assert_int_equal(r.faults[0].kind,
				 blocks == 1 ? ASSAY_VERITY_BLOCK : ASSAY_VERITY_ROOT);
		assert_memory_equal(r.data_root, root, 64);
		assert_memory_equal(r.tree_root, root, 64);
		verity_drop(t);
	}
}

static void tree_root(void **state)
{
	struct verity_tree *t = three_levels();
	struct assay_verity_params p;
	uint8_t root[64];
	struct assay_err err;

	(void)state;
	assert_int_equal(assay_verity_open(t->hash, 0, &p, &err), 0);
	assert_int_equal(assay_verity_tree_root(t->hash, &p, root, &err), 0);
	assert_memory_equal(root, t->root, 64);
	verity_drop(t);
	t = verity_make(ASSAY_SHA256, 1, 512, 512, 1, 0, 0);
	assert_int_equal(assay_verity_open(t->hash, 0, &p, &err), 0);
	assert_int_equal(assay_verity_levels(&p), 0);
	assert_int_equal(assay_verity_tree_root(t->hash, &p, root, &err), -1);
	assert_int_equal(err.code, ASSAY_E_NOTFOUND);
	verity_drop(t);
}

static void spare_area(void **state)
{
	(void)state;
	for (int level = 1; level <= 3; level++) {
		struct verity_tree *t = verity_make(ASSAY_SHA512, 1, 512, 512, 70, 0, level);
		struct assay_verity_report r;
		struct assay_err err;

		assert_int_equal(verity_check(t, &r, &err), 0);
		assert_false(r.verified);
		assert_int_equal(r.n_faults, 1);
		assert_int_equal(r.faults[0].kind, ASSAY_VERITY_SPARE);
		assert_int_equal(r.faults[0].level, level);
		verity_drop(t);
	}
	/* sha384: 16 bytes between digests. */
	struct verity_tree *t = verity_make(ASSAY_SHA384, 1, 512, 512, 2, 0, 0);
	struct assay_verity_report r;
	struct assay_err err;

	t->mem[VERITY_SHIFT + t->data_size + 512 + 48] = 1;
	verity_digest(&t->p, t->mem + VERITY_SHIFT + t->data_size + 512, 512, t->root);
	assert_int_equal(verity_check(t, &r, &err), 0);
	assert_false(r.verified);
	assert_int_equal(r.faults[0].kind, ASSAY_VERITY_SPARE);
	verity_drop(t);
}

static void short_devices(void **state)
{
	struct verity_tree *t = three_levels();
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
		assert_int_equal(err.at, VERITY_SHIFT);
		assay_src_free(&cut);
	}
	verity_drop(t);
}

static void without_superblock(void **state)
{
	struct verity_tree *t = three_levels();
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
	verity_drop(t);
}

static struct {
	uint64_t done, total;
	unsigned calls;
	bool back;
} seen;

static void on_progress(uint64_t done, uint64_t total, void *arg)
{
	(void)arg;
	seen.back |= done < seen.done || done > total;
	seen.done = done;
	seen.total = total;
	seen.calls++;
}

static void progress(void **state)
{
	struct verity_tree *t = verity_make(ASSAY_SHA256, 1, 4096, 4096, 512, 0, 0);
	struct assay_verity_report r;
	struct assay_err err;

	(void)state;
	for (unsigned threads = 1; threads <= 3; threads++) {
		memset(&seen, 0, sizeof(seen));
		assay_hash_set_threads(threads);
		assay_log_set(NULL, on_progress, NULL);
		assert_int_equal(verity_check(t, &r, &err), 0);
		assay_log_set(NULL, NULL, NULL);
		assert_false(seen.back);
		assert_true(seen.done == t->data_size && seen.total == t->data_size);
		/* Of one thread each batch is told; of several it is chance whose it is. */
		assert_true(seen.calls > (threads == 1 ? 2 : 0));
	}
	assay_hash_set_threads(0);
	verity_drop(t);
}

/* --- memory -------------------------------------------------------------------------------------
 */

static struct verity_tree *alloc_tree;

static int alloc_check(struct assay_err *err)
{
	struct assay_verity_report r;

	return verity_check(alloc_tree, &r, err);
}

static void out_of_memory(void **state)
{
	(void)state;
	alloc_tree = three_levels();
	alloc_tree->mem[VERITY_SHIFT] ^= 1;
	assay_hash_set_threads(1);
	/* OpenSSL keeps contexts, and drops what is in them when it runs out of memory. */
	unit_alloc_each(alloc_check, false);
	assay_hash_set_threads(0);
	verity_drop(alloc_tree);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(whole_trees),	      cmocka_unit_test(flipped_data),
	cmocka_unit_test(flipped_tree),	      cmocka_unit_test(flipped_superblock),
	cmocka_unit_test(every_bit),	      cmocka_unit_test(several_faults),
	cmocka_unit_test(another_root),	      cmocka_unit_test(tree_root),
	cmocka_unit_test(spare_area),	      cmocka_unit_test(short_devices),
	cmocka_unit_test(without_superblock), cmocka_unit_test(progress),
	cmocka_unit_test(out_of_memory),
};

UNIT_MAIN(tests)
