/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What firmware hashes of a PE file: EDK2's MeasurePeImageAndExtend() (Tcg2Dxe) and HashPeImage()
 * (DxeImageVerificationLib), both after appendix A of the Authenticode specification. The steps'
 * numbers are those of that text.
 */
#include "measure/pe/pe.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/num.h"

static int by_offset(const void *a, const void *b)
{
	const struct assay_extent *x = a, *y = b;

	return (x->off > y->off) - (x->off < y->off);
}

static void add(struct assay_authenticode_plan *plan, uint64_t off, uint64_t end)
{
	if (end > off)
		plan->ranges[plan->n_ranges++] = (struct assay_extent){ off, end - off };
}

/* Steps 3 to 9: the headers without checksum and certificate directory entry. */
static void add_headers(const struct assay_pe *pe, struct assay_authenticode_plan *plan)
{
	const uint64_t after_checksum = pe->checksum_offset + 4;

	add(plan, 0, pe->checksum_offset);
	if (pe->cert_dir_offset != 0) {
		add(plan, after_checksum, pe->cert_dir_offset);
		add(plan, pe->cert_dir_offset + 8, pe->size_of_headers);
	} else {
		add(plan, after_checksum, pe->size_of_headers);
	}
}

/* Steps 11 to 15. *end is where the last of them ends. */
static int add_sections(const struct assay_pe *pe, struct assay_authenticode_plan *plan,
			uint64_t *end, struct assay_err *err)
{
	const size_t first = plan->n_ranges;

	for (size_t i = 0; i < pe->n_sections; i++)
		add(plan, pe->sections[i].raw_offset,
		    (uint64_t)pe->sections[i].raw_offset + pe->sections[i].raw_size);
	qsort(plan->ranges + first, plan->n_ranges - first, sizeof(*plan->ranges), by_offset);

	*end = pe->size_of_headers;
	for (size_t i = first; i < plan->n_ranges; i++) {
		const struct assay_extent *r = &plan->ranges[i];

		if (r->off < pe->size_of_headers)
			return assay_fail(err, ASSAY_E_UNSUPPORTED,
					  assay_src_origin(pe->src, r->off),
					  "Authenticode: a section of %" PRIu64 " bytes at %" PRIu64
					  " begins inside the headers, which have %" PRIu32,
					  r->len, r->off, pe->size_of_headers);
		if (r->off < *end)
			return assay_fail(err, ASSAY_E_UNSUPPORTED,
					  assay_src_origin(pe->src, r->off),
					  "Authenticode: a section at %" PRIu64
					  " overlaps the one that ends at %" PRIu64,
					  r->off, *end);
		plan->gaps += r->off - *end;
		*end = r->off + r->len;
	}
	return 0;
}

int assay_authenticode_plan(const struct assay_pe *pe, struct assay_authenticode_plan *ret,
			    struct assay_err *err)
{
	/* The headers in three parts, and what follows the sections. */
	ASSAY_AUTO_FREE struct assay_extent *ranges = calloc(pe->n_sections + 4, sizeof(*ranges));
	struct assay_authenticode_plan plan = { .ranges = ranges };
	uint64_t end, stop = assay_src_size(pe->src);

	if (!ranges)
		return assay_fail_mem(err);
	add_headers(pe, &plan);
	if (add_sections(pe, &plan, &end, err) < 0)
		return -1;

	/*
	 * Step 16. Firmware takes the table's size off the file's end and does not look at its
	 * offset; other tools look at the offset. Where both do not mean the same, no digest is
	 * right.
	 */
	if (pe->cert_size != 0) {
		if ((uint64_t)pe->cert_offset + pe->cert_size != stop)
			return assay_fail(err, ASSAY_E_UNSUPPORTED,
					  assay_src_origin(pe->src, pe->cert_dir_offset),
					  "Authenticode: the certificate table, %" PRIu32
					  " bytes at %" PRIu32
					  ", does not end the file, which has %" PRIu64,
					  pe->cert_size, pe->cert_offset, stop);
		if (pe->cert_offset < end)
			return assay_fail(err, ASSAY_E_UNSUPPORTED,
					  assay_src_origin(pe->src, pe->cert_dir_offset),
					  "Authenticode: the certificate table at %" PRIu32
					  " overlaps a section that ends at %" PRIu64,
					  pe->cert_offset, end);
		stop = pe->cert_offset;
	}
	if (plan.gaps == 0) {
		add(&plan, end, stop);
	} else {
		/* The count of bytes hashed falls short of the offset reached by the gaps. */
		const uint64_t counted = end - plan.gaps;
		uint8_t *tail;

		if (stop - counted > ASSAY_PE_MAX_GAP_TAIL)
			return assay_fail(err, ASSAY_E_LIMIT, assay_src_origin(pe->src, counted),
					  "Authenticode: %" PRIu64
					  " bytes lie between the sections, and %" PRIu64
					  " are to be hashed after them, limit %u",
					  plan.gaps, stop - counted, ASSAY_PE_MAX_GAP_TAIL);
		plan.tail_len = (size_t)(stop - counted);
		if (assay_src_read_alloc(pe->src, counted, plan.tail_len, ASSAY_PE_MAX_GAP_TAIL,
					 &tail, err) < 0)
			return -1;
		plan.tail = tail;
	}
	plan.ranges = assay_steal(&ranges);
	*ret = plan;
	return 0;
}

void assay_authenticode_plan_clear(struct assay_authenticode_plan *plan)
{
	free(plan->ranges);
	free(plan->tail);
	memset(plan, 0, sizeof(*plan));
}

struct assay_hash_job assay_authenticode_job(const struct assay_authenticode_plan *plan,
					     unsigned banks)
{
	return (struct assay_hash_job){
		.banks = banks,
		.ranges = plan->ranges,
		.n_ranges = plan->n_ranges,
		.with_tail = plan->tail != NULL,
		.tail = plan->tail,
		.tail_len = plan->tail_len,
	};
}

const struct assay_digests *assay_authenticode_result(const struct assay_hash_job *job)
{
	return job->with_tail ? &job->ret_tail : &job->ret;
}

int assay_authenticode(const struct assay_pe *pe, unsigned banks, struct assay_digests *ret,
		       struct assay_err *err)
{
	struct assay_authenticode_plan plan;

	if (assay_authenticode_plan(pe, &plan, err) < 0)
		return -1;
	struct assay_hash_job job = assay_authenticode_job(&plan, banks);
	int r = assay_hash_run(pe->src, &job, 1, err);
	if (r == 0)
		*ret = *assay_authenticode_result(&job);
	assay_authenticode_plan_clear(&plan);
	return r;
}
