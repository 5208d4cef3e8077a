/* SPDX-License-Identifier: Apache-2.0 */
/* Shared inside measure/verity: finding pairs. */
#ifndef ASSAY_MEASURE_VERITY_PAIR_PRIV_H
#define ASSAY_MEASURE_VERITY_PAIR_PRIV_H

#include "measure/verity/pair.h"

struct verity_search {
	struct assay_src *disk;
	struct assay_gpt *gpt;
	struct assay_verity_pairs *pairs;
	bool data_disk; /* there is a pair on it, whatever its UUIDs say */
};

/* A new, empty pair at the end of the list; ASSAY_E_LIMIT. */
int assay_verity_new_pair(struct verity_search *s, struct assay_verity_pair **ret,
			  struct assay_err *err) ASSAY_MUST;
void assay_verity_set_data(struct assay_verity_pair *pair, const struct assay_gpt_part *part);
void assay_verity_set_hash(struct assay_verity_pair *pair, const struct assay_gpt_part *part);

/* uuid.c: the partition whose UUID these 128 bits of a root hash are. NULL: *why tells "no" or
 * "more than one". */
const struct assay_gpt_part *assay_verity_by_half(const struct assay_gpt *gpt,
						  const uint8_t half[16], const char **why);
/* uuid.c: adds the pairs that are found by UUIDs, but those whose tree is known already. */
int assay_verity_find_by_uuid(struct verity_search *s, struct assay_err *err) ASSAY_MUST;

#endif
