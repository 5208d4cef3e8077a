/* SPDX-License-Identifier: Apache-2.0 */
#include "core/hash_priv.h"

#include <string.h>

bool assay_hash_parts_possible(const struct assay_extent *parts, size_t n, uint64_t size)
{
	struct assay_sha256_stream s;
	uint64_t end = 0;

	for (size_t i = 0; i < n; i++) {
		const struct assay_extent *e = &parts[i];

		if (e->off % 64 != 0 || e->len % 64 != 0 || e->len == 0 || e->off < end || e->off > size ||
		    e->len > size - e->off)
			return false;
		end = e->off + e->len;
	}
	return assay_sha256_stream_init(&s);
}

bool assay_hash_pair_init(struct assay_hash_pair *pair, const struct assay_hash_job *job)
{
	*pair = (struct assay_hash_pair){ .job = job };
	return assay_sha256_stream_init(&pair->whole) && assay_sha256_stream_init(&pair->part);
}

/* The part that has been hashed to its end. */
static void end_part(struct assay_hash_pair *pair)
{
	struct assay_digests *ret = &pair->job->ret_parts[pair->at++];

	*ret = (struct assay_digests){ .banks = ASSAY_BANK_BIT(ASSAY_SHA256) };
	assay_sha256_stream_end(&pair->part, "", 0, ret->d[ASSAY_SHA256]);
	(void)assay_sha256_stream_init(&pair->part); /* it could before */
}

void assay_hash_pair_update(struct assay_hash_pair *pair, uint64_t off, const uint8_t *p, size_t len)
{
	while (len > 0) {
		const struct assay_extent *e = pair->at < pair->job->n_parts ? &pair->job->parts[pair->at] : NULL;
		const bool inside = e && e->off <= off;
		/* Up to where the part ends, or the next begins. */
		const uint64_t stop = inside ? e->off + e->len : e ? e->off : UINT64_MAX;
		size_t n = stop - off < len ? (size_t)(stop - off) : len;

		if (inside) {
			assay_sha256_stream_two(&pair->whole, p, &pair->part, p, n);
			if (off + n == stop)
				end_part(pair);
		} else if (n >= 64) {
			n -= n % 64;
			assay_sha256_stream_one(&pair->whole, p, n);
		} else {
			memcpy(pair->rest, p, n); /* the end of it all */
			pair->n_rest = n;
		}
		off += n;
		p += n;
		len -= n;
	}
}

void assay_hash_pair_finish(struct assay_hash_pair *pair, uint8_t ret[32])
{
	assay_sha256_stream_end(&pair->whole, pair->rest, pair->n_rest, ret);
}
