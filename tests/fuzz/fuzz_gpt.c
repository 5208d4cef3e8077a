/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_gpt_open, assay_gpt_parse_header.
 *
 * The input is the start of a disk (MBR, header, entries) and its last sector; first byte: how it
 * is laid out. Checksums of header and entries are put right, so that mutants get past them.
 */
#include <stdlib.h>
#include <string.h>

#include "core/cur.h"
#include "core/limits.h"
#include "measure/disk/crc32.h"
#include "measure/disk/gpt.h"

#define DISK (1U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void seal(uint8_t *disk, uint32_t ss, uint64_t lba)
{
	uint8_t *h = disk + lba * ss;
	struct assay_cur c = assay_cur_make(h, 92, 0);

	assay_cur_skip(&c, 12);
	uint32_t header_size = assay_cur_le32(&c);
	assay_cur_skip(&c, 56);
	uint64_t entries = assay_cur_le64(&c);
	uint64_t bytes = (uint64_t)assay_cur_le32(&c) * assay_cur_le32(&c);

	if (entries < DISK / ss && bytes <= DISK - entries * ss && bytes <= ASSAY_GPT_MAX_TABLE)
		assay_put_le32(h + 88, assay_crc32(0, disk + entries * ss, bytes));
	memset(h + 16, 0, 4);
	if (header_size <= ss)
		assay_put_le32(h + 16, assay_crc32(0, h, header_size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_gpt) *gpt = NULL;
	struct assay_err err;
	uint8_t *disk;

	if (size < 1)
		return 0;
	const uint8_t how = data[0];
	const uint32_t ss = how & 1 ? 4096 : 512;
	disk = calloc(1, DISK);
	if (!disk)
		abort();
	data++;
	size--;
	if (size > DISK - 4096)
		size = DISK - 4096;
	/* The last 92 bytes are the backup header when there is enough for both. */
	size_t tail = size > 1024 ? 92 : 0;
	memcpy(disk, data, size - tail);
	memcpy(disk + DISK - ss, data + size - tail, tail);
	if (how & 2)
		seal(disk, ss, 1);
	if (how & 4)
		seal(disk, ss, DISK / ss - 1);
	const size_t disk_size = how & 8 ? size : DISK;
	if (assay_src_from_mem(disk, disk_size, &src, &err) == 0 &&
	    assay_gpt_open(src, &gpt, &err) == 0) {
		for (size_t i = 0; i < gpt->n_parts; i++) {
			const struct assay_gpt_part *p = &gpt->parts[i];

			/* What is let through lies on the disk and is in order. */
			if (p->offset > disk_size || p->size > disk_size - p->offset ||
			    p->size == 0)
				abort();
			(void)assay_gpt_type_name(p->type);
		}
		if ((gpt->backup == ASSAY_GPT_BACKUP_SAME) != !gpt->backup_why)
			abort();
	}
	assay_gpt_free(&gpt);
	assay_src_free(&src);
	free(disk);
	return 0;
}
