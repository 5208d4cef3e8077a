/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/verity/pair.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "measure/verity/pair_priv.h"

int assay_verity_new_pair(struct verity_search *s, struct assay_verity_pair **ret,
			  struct assay_err *err)
{
	struct assay_verity_pair *grown;

	if (s->pairs->n >= ASSAY_VERITY_MAX_PAIRS)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "more than %d dm-verity root hashes", ASSAY_VERITY_MAX_PAIRS);
	grown = realloc(s->pairs->p, (s->pairs->n + 1) * sizeof(*grown));
	if (!grown)
		return assay_fail_mem(err);
	s->pairs->p = grown;
	*ret = &grown[s->pairs->n++];
	memset(*ret, 0, sizeof(**ret));
	(*ret)->err.at = ASSAY_NO_OFFSET;
	return 0;
}

void assay_verity_set_data(struct assay_verity_pair *pair, const struct assay_gpt_part *part)
{
	pair->data = part->index;
	pair->data_offset = part->offset;
	pair->data_size = part->size;
}

void assay_verity_set_hash(struct assay_verity_pair *pair, const struct assay_gpt_part *part)
{
	pair->hash = part->index;
	pair->hash_offset = part->offset;
	pair->hash_size = part->size;
}

void assay_verity_pair_clear(struct assay_verity_pair *pair)
{
	for (size_t i = 0; pair->owners && i < ASSAY_VERITY_MAX_FAULTS; i++)
		free(pair->owners[i].path);
	free(pair->owners);
	free(pair->source);
}

void assay_verity_pairs_free(struct assay_verity_pairs **p)
{
	struct assay_verity_pairs *pairs = assay_steal(p);

	if (!pairs)
		return;
	for (size_t i = 0; i < pairs->n; i++)
		assay_verity_pair_clear(&pairs->p[i]);
	free(pairs->p);
	free(pairs);
}

static int check(struct assay_src *disk, struct assay_verity_pair *pair, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *data = NULL;
	ASSAY_AUTO(assay_src) *hash = NULL;

	if (assay_src_slice(disk, pair->data_offset, pair->data_size, &data, err) < 0 ||
	    assay_src_slice(disk, pair->hash_offset, pair->hash_size, &hash, err) < 0 ||
	    assay_verity_open(hash, pair->superblock, &pair->params, err) < 0)
		return pair->hash ? assay_wrap(err, "partition %u", pair->hash) : -1;
	if (assay_bank_size(pair->params.bank) != pair->root_hash_size) {
		assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
			   "a tree of %s, and a root hash of %zu bytes",
			   assay_bank_name(pair->params.bank), pair->root_hash_size);
		return pair->hash ? assay_wrap(err, "partition %u", pair->hash) : -1;
	}
	if (assay_verity_check(data, hash, &pair->params, pair->root_hash, &pair->report, err) < 0)
		return pair->data ? assay_wrap(err, "partitions %u and %u", pair->data, pair->hash)
				  : -1;
	return 0;
}

void assay_verity_pair_check(struct assay_src *disk, struct assay_verity_pair *pair)
{
	if (pair->err.code == ASSAY_OK && check(disk, pair, &pair->err) == 0)
		pair->checked = true;
}
