/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "measure/verity/verity_priv.h"

static const uint8_t signature[8] = { 'v', 'e', 'r', 'i', 't', 'y', 0, 0 };

static bool block_size_ok(uint32_t size)
{
	return size >= ASSAY_VERITY_MIN_BLOCK && size <= ASSAY_VERITY_MAX_BLOCK &&
	       (size & (size - 1)) == 0;
}

/* `at`: where the superblock has them, the data's first; ASSAY_NO_OFFSET when there is none. */
static int check_values(const struct assay_verity_params *p, uint64_t at, struct assay_err *err)
{
	const bool on_disk = at != ASSAY_NO_OFFSET;

	if (p->bank == ASSAY_SHA1)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, on_disk ? at + 32 : at,
				  "dm-verity with sha1, whose collisions let blocks be exchanged");
	if (p->hash_type > 1)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, on_disk ? at + 12 : at,
				  "dm-verity hash type %u", p->hash_type);
	if (!block_size_ok(p->data_block_size))
		return assay_fail(err, ASSAY_E_CORRUPT, on_disk ? at + 64 : at,
				  "dm-verity data blocks of %" PRIu32 " bytes", p->data_block_size);
	if (!block_size_ok(p->hash_block_size))
		return assay_fail(err, ASSAY_E_CORRUPT, on_disk ? at + 68 : at,
				  "dm-verity hash blocks of %" PRIu32 " bytes", p->hash_block_size);
	if (p->data_blocks == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, on_disk ? at + 72 : at,
				  "dm-verity over no data blocks");
	if (p->salt_size > ASSAY_VERITY_MAX_SALT)
		return assay_fail(err, ASSAY_E_CORRUPT, on_disk ? at + 80 : at,
				  "dm-verity salt of %zu bytes, %u is the most", p->salt_size,
				  ASSAY_VERITY_MAX_SALT);
	return 0;
}

int assay_verity_parse(struct assay_cur in, struct assay_verity_params *ret, struct assay_err *err)
{
	const uint64_t start = in.at;
	struct assay_verity_params p = { .superblock = true };
	char algorithm[33] = { 0 };
	uint8_t sig[sizeof(signature)];

	assay_cur_copy(&in, sig, sizeof(sig));
	uint32_t version = assay_cur_le32(&in);
	p.hash_type = assay_cur_le32(&in);
	assay_cur_copy(&in, p.uuid, sizeof(p.uuid));
	assay_cur_copy(&in, algorithm, sizeof(algorithm) - 1);
	p.data_block_size = assay_cur_le32(&in);
	p.hash_block_size = assay_cur_le32(&in);
	p.data_blocks = assay_cur_le64(&in);
	p.salt_size = assay_cur_le16(&in);
	assay_cur_skip(&in, 6);
	assay_cur_copy(&in, p.salt, sizeof(p.salt));
	assay_cur_skip(&in, 168);
	if (assay_cur_done(&in, "dm-verity superblock", err) < 0)
		return -1;

	if (memcmp(sig, signature, sizeof(sig)) != 0)
		return assay_fail(err, ASSAY_E_NOTFOUND, start, "no dm-verity superblock");
	if (version != 1)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, start + 8,
				  "dm-verity superblock version %" PRIu32, version);
	/* Only as cryptsetup writes them: the kernel knows no "SHA256". */
	if (!assay_bank_from_name(algorithm, &p.bank) ||
	    strcmp(algorithm, assay_bank_name(p.bank)) != 0) {
		for (char *c = algorithm; *c; c++)
			if (*c < 0x20 || *c > 0x7e)
				*c = '?';
		return assay_fail(err, ASSAY_E_UNSUPPORTED, start + 32,
				  "dm-verity with hash algorithm '%s'", algorithm);
	}
	if (check_values(&p, start, err) < 0)
		return -1;
	memset(p.salt + p.salt_size, 0, sizeof(p.salt) - p.salt_size);
	*ret = p;
	return 0;
}

int assay_verity_open(struct assay_src *hash, uint64_t offset, struct assay_verity_params *ret,
		      struct assay_err *err)
{
	uint8_t bytes[ASSAY_VERITY_SUPERBLOCK];
	struct assay_verity_params p;

	if (offset % ASSAY_VERITY_SUPERBLOCK != 0)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
				  "dm-verity superblocks lie at multiples of %u, not at %" PRIu64,
				  ASSAY_VERITY_SUPERBLOCK, offset);
	if (assay_src_read(hash, offset, bytes, sizeof(bytes), err) < 0)
		return assay_wrap(err, "dm-verity superblock");
	if (assay_verity_parse(assay_cur_make(bytes, sizeof(bytes), assay_src_origin(hash, offset)),
			       &p, err) < 0)
		return -1;
	if (assay_add_overflows(offset, ASSAY_VERITY_SUPERBLOCK, &p.hash_start) ||
	    assay_align_overflows(p.hash_start, p.hash_block_size, &p.hash_start))
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(hash, offset),
				  "no room for a hash tree behind its superblock");
	if (assay_verity_params_check(hash, &p, err) < 0)
		return -1;
	*ret = p;
	return 0;
}

/* --- the shape of the tree ----------------------------------------------------------------------
 */

int assay_verity_shape(const struct assay_verity_params *p, struct verity_shape *ret,
		       struct assay_err *err)
{
	struct verity_shape s = { .digest = assay_bank_size(p->bank) };
	uint64_t end, size;

	if (check_values(p, ASSAY_NO_OFFSET, err) < 0)
		return -1;
	if (p->hash_start % p->hash_block_size != 0)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
				  "a hash tree at %" PRIu64
				  ", which is no multiple of its blocks' size",
				  p->hash_start);
	while ((size_t)2 << s.bits <= p->hash_block_size / s.digest)
		s.bits++;
	s.stride = s.digest;
	if (p->hash_type == 1)
		for (s.stride = 1; s.stride < s.digest;)
			s.stride *= 2;
	s.level[0].blocks = p->data_blocks;
	for (uint64_t n = p->data_blocks; n > 1;) {
		n = (n >> s.bits) + ((n & ((UINT64_C(1) << s.bits) - 1)) != 0);
		s.level[++s.levels].blocks = n;
	}
	end = p->hash_start;
	for (unsigned l = s.levels; l > 0; l--) {
		s.level[l].offset = end;
		s.tree_blocks += s.level[l].blocks;
		if (assay_mul_overflows(s.level[l].blocks, p->hash_block_size, &size) ||
		    assay_add_overflows(end, size, &end))
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
					  "a hash tree over %" PRIu64 " blocks ends beyond 64 bits",
					  p->data_blocks);
	}
	*ret = s;
	return 0;
}

int assay_verity_params_check(struct assay_src *hash, const struct assay_verity_params *p,
			      struct assay_err *err)
{
	struct verity_shape s;

	if (assay_verity_shape(p, &s, err) < 0)
		return -1;
	/* Level 1 lies last. */
	if (s.levels > 0 &&
	    !assay_range_inside(s.level[1].offset, s.level[1].blocks * p->hash_block_size,
				assay_src_size(hash)))
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(hash, 0),
				  "a hash tree of %" PRIu64 " blocks at %" PRIu64
				  " leaves what holds it, which has %" PRIu64 " bytes",
				  s.tree_blocks, p->hash_start, assay_src_size(hash));
	return 0;
}

unsigned assay_verity_levels(const struct assay_verity_params *p)
{
	struct verity_shape s;

	return assay_verity_shape(p, &s, NULL) < 0 ? 0 : s.levels;
}

int assay_verity_digest(const struct assay_verity_params *p, const void *block, size_t len,
			uint8_t *ret, struct assay_err *err)
{
	const struct assay_part salt = { p->salt, p->salt_size };
	const struct assay_part data = { block, len };
	const struct assay_part parts[2] = { p->hash_type == 1 ? salt : data,
					     p->hash_type == 1 ? data : salt };

	return assay_digest_one(p->bank, parts, 2, ret, err);
}

int assay_verity_tree_root(struct assay_src *hash, const struct assay_verity_params *p,
			   uint8_t ret[ASSAY_MAX_DIGEST], struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *top = NULL;
	uint8_t digest[ASSAY_MAX_DIGEST] = { 0 };
	struct verity_shape s;

	if (assay_verity_shape(p, &s, err) < 0)
		return -1;
	if (s.levels == 0)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "one data block has no hash tree");
	if (assay_src_read_alloc(hash, p->hash_start, p->hash_block_size, ASSAY_VERITY_MAX_BLOCK,
				 &top, err) < 0)
		return assay_wrap(err, "dm-verity hash tree");
	if (assay_verity_digest(p, top, p->hash_block_size, digest, err) < 0)
		return -1;
	memcpy(ret, digest, sizeof(digest));
	return 0;
}
