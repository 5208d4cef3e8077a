/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a UKI was hashed to, kept: predictions of one image for several platforms hash the same bytes in the same banks.
 */
#ifndef ASSAY_MEASURE_PE_UKI_MEMO_H
#define ASSAY_MEASURE_PE_UKI_MEMO_H

#include "measure/pe/uki.h"

struct assay_uki_memo; /* an empty one is NULL */

void assay_uki_memo_free(struct assay_uki_memo **memo);
ASSAY_DEFINE_AUTO(assay_uki_memo)

/*
 * assay_uki_hash(), unless *memo has the answer to just this question: the file of that path, these sections, banks and
 * tail. One memo is for one disk, whose files do not change.
 */
int assay_uki_memo_hash(struct assay_uki_memo **memo, const char *path, const struct assay_pe *pe,
			const struct assay_uki_view *view, unsigned banks, bool inner, bool with_tail, const void *tail,
			size_t tail_len, struct assay_uki_hashes *ret, struct assay_err *err) ASSAY_MUST;

#endif
