/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_verity_parse, assay_verity_open, assay_verity_tree_root,
 * assay_verity_check.
 *
 * The input's first two bytes, little-endian, are the length of the data device, which follows; the
 * rest is the hash device. It is checked against the root hash that its own tree has: what verifies
 * must then have the same root made out of the data, and no faults.
 */
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "measure/verity/verity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_src) *whole = NULL;
	ASSAY_AUTO(assay_src) *blocks = NULL;
	ASSAY_AUTO(assay_src) *hash = NULL;
	struct assay_verity_params params;
	struct assay_verity_report report;
	uint8_t root[ASSAY_MAX_DIGEST] = { 0 };
	struct assay_err err;

	if (size < 2)
		return 0;
	assay_hash_set_threads(1);
	size_t n = (size_t)(data[0] | data[1] << 8);
	n = n < size - 2 ? n : size - 2;
	if (assay_src_from_mem(data + 2, size - 2, &whole, &err) < 0 ||
	    assay_src_slice(whole, 0, n, &blocks, &err) < 0 ||
	    assay_src_slice(whole, n, size - 2 - n, &hash, &err) < 0)
		abort();
	if (assay_verity_open(hash, 0, &params, &err) < 0)
		return 0;
	if (assay_verity_tree_root(hash, &params, root, &err) < 0 && err.code != ASSAY_E_NOTFOUND)
		abort();
	if (assay_verity_check(blocks, hash, &params, root, &report, &err) < 0)
		return 0;
	const size_t len = assay_bank_size(params.bank);
	if (report.verified != (memcmp(report.data_root, root, len) == 0 &&
				memcmp(report.tree_root, root, len) == 0 && report.n_faults == 0))
		abort();
	if (!report.verified && report.n_faults == 0)
		abort();
	for (size_t i = 0; i < report.n_faults && i < ASSAY_VERITY_MAX_FAULTS; i++)
		if (report.faults[i].offset + report.faults[i].size > size - 2 ||
		    report.faults[i].level > report.levels)
			abort();
	return 0;
}
