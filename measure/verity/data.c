/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data disks. One with a partition table has pairs; one without is a device of its own, as
 * `veritysetup format DEVICE DEVICE --hash-offset=N` makes it: the data, a superblock, the tree.
 * The superblock does not say where it lies, but how much data there is.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "measure/verity/pair_priv.h"
#include "measure/verity/verity_priv.h"

static int block_root(struct assay_src *disk, const struct assay_verity_params *p,
		      uint8_t ret[ASSAY_MAX_DIGEST], struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *block = NULL;

	if (assay_src_read_alloc(disk, 0, p->data_block_size, ASSAY_VERITY_MAX_BLOCK, &block, err) <
	    0)
		return -1;
	return assay_verity_digest(p, block, p->data_block_size, ret, err);
}

#define CHUNK ((size_t)1 << 20)

/* Is there a superblock at `at` that speaks of as much data as lies before it, but for padding
 * below one block? */
static int probe(struct assay_src *disk, uint64_t at, bool *ret, struct assay_err *err)
{
	struct assay_verity_params p;
	struct assay_err why = { 0 };
	uint64_t size;

	*ret = false;
	if (assay_verity_open(disk, at, &p, &why) < 0) {
		if (why.code == ASSAY_E_IO || why.code == ASSAY_E_NOMEM) {
			if (err)
				*err = why;
			return -1;
		}
		return 0;
	}
	*ret = !assay_mul_overflows(p.data_blocks, p.data_block_size, &size) && size <= at &&
	       at - size < ASSAY_VERITY_MAX_BLOCK;
	return 0;
}

/*
 * Every place where one can lie. Where is no matter of trust: the root hash is. But a file that
 * happens to look like one must not stand in for the true one, so all of the disk is looked at.
 */
static int find_superblock(struct assay_src *disk, uint64_t *ret, struct assay_err *err)
{
	const uint64_t size = assay_src_size(disk);
	ASSAY_AUTO_FREE uint8_t *buf = malloc(CHUNK);
	uint64_t found = 0;

	if (!buf)
		return assay_fail_mem(err);
	for (uint64_t start = 0; start < size; start += CHUNK) {
		const size_t n = size - start < CHUNK ? (size_t)(size - start) : CHUNK;

		if (assay_src_read(disk, start, buf, n, err) < 0)
			return -1;
		for (size_t i = 0; i + ASSAY_VERITY_SUPERBLOCK <= n; i += ASSAY_VERITY_SUPERBLOCK) {
			bool there;

			if (memcmp(buf + i, "verity\0", 8) != 0)
				continue;
			if (probe(disk, start + i, &there, err) < 0)
				return -1;
			if (there && found)
				return assay_fail(
					err, ASSAY_E_UNSUPPORTED, start + i,
					"dm-verity superblocks here and at byte 0x%" PRIx64
					": which one counts has to be said",
					found);
			if (there)
				found = start + i;
		}
	}
	if (!found)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "no partition table, and no dm-verity superblock behind data");
	*ret = found;
	return 0;
}

/* The whole disk as one device. Its root hash is what its own tree says. */
static int add_device(struct verity_search *s, uint64_t superblock, struct assay_err *err)
{
	struct assay_verity_pair *pair;

	if (superblock == ASSAY_NO_OFFSET && find_superblock(s->disk, &superblock, err) < 0)
		return -1;
	if (assay_verity_new_pair(s, &pair, err) < 0 ||
	    assay_verity_open(s->disk, superblock, &pair->params, err) < 0)
		return -1;
	pair->generic = true;
	pair->data_size = pair->hash_size = assay_src_size(s->disk);
	pair->superblock = superblock;
	pair->root_hash_size = assay_bank_size(pair->params.bank);
	/* One block of data has no tree: its digest is the root hash. */
	if (assay_verity_levels(&pair->params) == 0)
		return block_root(s->disk, &pair->params, pair->root_hash, err);
	return assay_verity_tree_root(s->disk, &pair->params, pair->root_hash, err);
}

static int find(struct verity_search *s, uint64_t superblock, struct assay_err *err)
{
	struct assay_err why;

	s->data_disk = true;
	if (superblock != ASSAY_NO_OFFSET)
		return add_device(s, superblock, err);
	if (assay_gpt_open(s->disk, &s->gpt, &why) == 0) {
		if (assay_verity_find_by_uuid(s, err) < 0)
			return -1;
		if (s->pairs->n == 0)
			return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
					  "none of %zu partitions is for dm-verity",
					  s->gpt->n_parts);
		return 0;
	}
	if (why.code == ASSAY_E_NOTFOUND)
		return add_device(s, superblock, err);
	if (err)
		*err = why;
	return -1;
}

int assay_verity_pairs_of_data(struct assay_src *disk, uint64_t superblock,
			       struct assay_verity_pairs **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_verity_pairs) *pairs = calloc(1, sizeof(*pairs));
	struct verity_search s = { .disk = disk, .pairs = pairs };

	if (!pairs)
		return assay_fail_mem(err);
	const int rc = find(&s, superblock, err);
	assay_gpt_free(&s.gpt);
	if (rc < 0)
		return -1;
	*ret = assay_steal(&pairs);
	return 0;
}
