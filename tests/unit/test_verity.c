/* SPDX-License-Identifier: Apache-2.0 */
/* Superblocks, and what their parameters lead to. */
#include "tests/unit/verity_build.h"

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
	verity_put_superblock(sb, &p);
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
		verity_put(sb + rows[i].at, rows[i].value, rows[i].len);
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
			struct verity_tree *t = verity_make(ASSAY_SHA512, 1, 512, 512, 9, 0, 0);
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
			verity_drop(t);
		}
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(superblock),
	cmocka_unit_test(superblock_cut),
	cmocka_unit_test(superblock_fields),
	cmocka_unit_test(absurd_sizes),
};

UNIT_MAIN(tests)
