/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_qcow2_open, assay_qcow2_check, assay_vhd_check, assay_vhdx_check,
 * assay_vhdx_parse_metadata, assay_vmdk_check, assay_vmdk_parse_descriptor.
 *
 * First byte: 0 the input is a file, 1 a VHDX's metadata region, 2 a VMDK's descriptor. A VHD's checksums are put right, so
 * that mutants get past them.
 */
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "measure/disk/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void seal(uint8_t *p, size_t len, size_t at)
{
	uint32_t sum = 0;

	memset(p + at, 0, 4);
	for (size_t i = 0; i < len; i++)
		sum += p[i];
	assay_put_be32(p + at, ~sum);
}

static void check_file(uint8_t *p, size_t size)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_qcow2 q;
	struct assay_vhd vhd;
	struct assay_vhdx vhdx;
	struct assay_vmdk vmdk;
	struct assay_err err;

	if (size >= 2048 && memcmp(p, "conectix", 8) == 0) {
		seal(p, 512, 64);
		seal(p + 512, 1024, 36);
		memcpy(p + size - 512, p, 512);
	}
	if (assay_src_from_mem(p, size, &src, &err) < 0)
		return;
	if (assay_qcow2_open(src, &q, &err) == 0) {
		/* What is let through can be asked for. */
		if (q.size > ASSAY_DISK_MAX_SIZE || strlen(q.backing) >= sizeof(q.backing))
			abort();
		/* A small file with a long table takes no other path at its end. */
		if (q.size < 1ULL << 32)
			(void)!assay_qcow2_check(src, &q, size, &err);
	}
	if (assay_vhd_check(src, &vhd, &err) == 0 && (vhd.size > ASSAY_DISK_MAX_SIZE || vhd.size == 0))
		abort();
	if (assay_vhdx_check(src, &vhdx, &err) == 0 && vhdx.size > ASSAY_DISK_MAX_SIZE)
		abort();
	if (assay_vmdk_check(src, &vmdk, &err) == 0 && vmdk.size > ASSAY_DISK_MAX_SIZE)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct assay_vmdk_descriptor d;
	struct assay_vhdx vhdx = { 0 };
	struct assay_err err;
	uint8_t *copy;

	if (size < 2)
		return 0;
	copy = malloc(size - 1);
	if (!copy)
		abort();
	memcpy(copy, data + 1, size - 1);
	if (data[0] == 0) {
		check_file(copy, size - 1);
	} else if (data[0] == 1) {
		(void)!assay_vhdx_parse_metadata(assay_cur_make(copy, size - 1, 0), &vhdx, &err);
	} else if (assay_vmdk_parse_descriptor((char *)copy, size - 1, 0, &d, &err) == 0) {
		if (d.n == 0 || d.size > ASSAY_DISK_MAX_SIZE)
			abort();
		assay_vmdk_descriptor_clear(&d);
	}
	free(copy);
	return 0;
}
