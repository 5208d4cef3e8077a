/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A runtime log that does not lead to a PCR's value: would it, without one of its records, or with two of them in each
 * other's places? Then that is what somebody did. A record that is missing cannot be found.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "verify/judge_priv.h"

struct search {
	enum assay_bank bank;
	size_t size, n;
	const uint8_t *quoted;
	const uint8_t *digests[ASSAY_LOG_SEARCH_MAX];
	uint64_t recnum[ASSAY_LOG_SEARCH_MAX];
};

static bool extend(const struct search *s, uint8_t *value, const uint8_t *digest)
{
	const struct assay_part parts[] = { { value, s->size }, { digest, s->size } };
	uint8_t out[ASSAY_MAX_DIGEST];

	if (assay_digest_one(s->bank, parts, 2, out, NULL) < 0)
		return false;
	memcpy(value, out, s->size);
	return true;
}

/* The log leads there from `value`, when records i and k are in each other's places; those before `from` are in `value`. */
static bool leads(const struct search *s, const uint8_t *value, size_t from, size_t without, size_t i, size_t k)
{
	uint8_t now[ASSAY_MAX_DIGEST];

	memcpy(now, value, s->size);
	for (size_t at = from; at < s->n; at++)
		if (at != without && !extend(s, now, s->digests[at == i ? k : at == k ? i : at]))
			return false;
	return memcmp(now, s->quoted, s->size) == 0;
}

char *assay_boot_search(const struct assay_cel *log, unsigned pcr, enum assay_bank bank, const uint8_t *quoted)
{
	struct search s = { .bank = bank, .size = assay_bank_size(bank), .quoted = quoted };
	uint8_t value[ASSAY_MAX_DIGEST] = { 0 };

	for (size_t i = 0; i < log->n; i++) {
		if (log->records[i].pcr != pcr)
			continue;
		if (s.n == ASSAY_LOG_SEARCH_MAX || !(log->records[i].digests.banks & ASSAY_BANK_BIT(bank)))
			return NULL;
		s.recnum[s.n] = log->records[i].recnum;
		s.digests[s.n++] = log->records[i].digests.d[bank];
	}
	for (size_t i = 0; i < s.n; i++) {
		if (memcmp(value, quoted, s.size) == 0)
			return assay_asprintf("record %" PRIu64 " and what follows it were not measured", s.recnum[i]);
		if (leads(&s, value, i, i, i, i))
			return assay_asprintf("record %" PRIu64 " was not measured, the others lead to it", s.recnum[i]);
		for (size_t k = i + 1; k < s.n && (k == i + 1 || s.n <= ASSAY_LOG_SEARCH_MAX / 2); k++)
			if (leads(&s, value, i, SIZE_MAX, i, k))
				return assay_asprintf("records %" PRIu64 " and %" PRIu64 " are in each other's places", s.recnum[i],
						      s.recnum[k]);
		if (!extend(&s, value, s.digests[i]))
			return NULL;
	}
	return NULL;
}
