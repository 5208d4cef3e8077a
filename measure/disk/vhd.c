/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/disk/format.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/num.h"

#define FIXED 2
#define DYNAMIC 3
#define DIFFERENCING 4
#define HEADER 1024U
#define UNUSED 0xffffffffU
#define SECTOR 512U

/* The ones' complement of the sum of all bytes, those of the checksum (at `skip`) left out. */
static uint32_t checksum(const uint8_t *p, size_t len, size_t skip)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		if (i < skip || i >= skip + 4)
			sum += p[i];
	return ~sum;
}

int assay_vhd_parse_footer(struct assay_cur in, struct assay_vhd *ret, struct assay_err *err)
{
	struct assay_vhd v = { 0 };
	const uint64_t at = in.at;
	struct assay_cur c = in;
	uint8_t cookie[8];

	assay_cur_copy(&c, cookie, sizeof(cookie));
	assay_cur_skip(&c, 4); /* features */
	const uint32_t version = assay_cur_be32(&c);
	v.header_offset = assay_cur_be64(&c);
	assay_cur_skip(&c, 4 + 4 + 4 + 4 + 8); /* time, creator, version, system, first size */
	v.size = assay_cur_be64(&c);
	assay_cur_skip(&c, 4); /* geometry: only IDE drives of old go by it */
	const uint32_t type = assay_cur_be32(&c);
	const uint32_t sum = assay_cur_be32(&c);
	assay_cur_skip(&c, 16); /* UUID */
	const uint8_t saved = assay_cur_u8(&c);
	assay_cur_skip(&c, ASSAY_VHD_FOOTER - 85);
	if (assay_cur_done(&c, "VHD footer", err) < 0)
		return -1;
	if (memcmp(cookie, "conectix", 8) != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, at, "no VHD footer");
	if (checksum(in.p, ASSAY_VHD_FOOTER, 64) != sum)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 64, "VHD footer's checksum is wrong");
	if (version >> 16 != 1)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at + 12, "VHD version 0x%08" PRIx32,
				  version);
	if (type == DIFFERENCING)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at + 60,
				  "differencing VHD: most of its disk is in another file; merge them");
	if (type != FIXED && type != DYNAMIC)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at + 60, "VHD of type %" PRIu32, type);
	if (saved)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at + 84,
				  "VHD of a machine that is suspended");
	if (v.size == 0 || v.size % SECTOR != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 48, "VHD: a disk of %" PRIu64 " bytes",
				  v.size);
	if (v.size > ASSAY_DISK_MAX_SIZE)
		return assay_fail(err, ASSAY_E_LIMIT, at + 48,
				  "a disk of %" PRIu64 " bytes, limit %llu", v.size,
				  ASSAY_DISK_MAX_SIZE);
	v.fixed = type == FIXED;
	*ret = v;
	return 0;
}

int assay_vhd_parse_header(struct assay_cur in, struct assay_vhd *ret, struct assay_err *err)
{
	struct assay_vhd v = *ret;
	const uint64_t at = in.at;
	struct assay_cur c = in;
	uint8_t cookie[8];

	assay_cur_copy(&c, cookie, sizeof(cookie));
	assay_cur_skip(&c, 8);
	v.bat_offset = assay_cur_be64(&c);
	const uint32_t version = assay_cur_be32(&c);
	v.bat_entries = assay_cur_be32(&c);
	v.block_size = assay_cur_be32(&c);
	const uint32_t sum = assay_cur_be32(&c);
	assay_cur_skip(&c, HEADER - 40);
	if (assay_cur_done(&c, "VHD header", err) < 0)
		return -1;
	if (memcmp(cookie, "cxsparse", 8) != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, at, "no VHD dynamic disk header");
	if (checksum(in.p, HEADER, 36) != sum)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 36, "VHD header's checksum is wrong");
	if (version >> 16 != 1)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at + 24, "VHD header version 0x%08" PRIx32,
				  version);
	/* Below 4 KiB, a block has no whole byte of bitmap, and readers differ about its length. */
	if (v.block_size < 8 * SECTOR || (v.block_size & (v.block_size - 1)) != 0 ||
	    v.block_size > (256U << 20))
		return assay_fail(err, ASSAY_E_CORRUPT, at + 32, "VHD: blocks of %" PRIu32 " bytes",
				  v.block_size);
	if ((v.size + v.block_size - 1) / v.block_size > v.bat_entries)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 28,
				  "VHD: %" PRIu32 " blocks are too few for a disk of %" PRIu64 " bytes",
				  v.bat_entries, v.size);
	*ret = v;
	return 0;
}

/* --- blocks ------------------------------------------------------------------------------------- */

static bool all_zeros(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/*
 * A block begins with a bitmap: a sector whose bit is not set holds zeros. Readers differ: qemu does not look, others do.
 * Where it makes a difference, the image is refused.
 */
static int check_bitmap(struct assay_src *file, uint64_t at,
			uint64_t bitmap_len, uint64_t sectors, uint8_t *bitmap, struct assay_err *err)
{
	if (assay_src_read(file, at, bitmap, (size_t)bitmap_len, err) < 0)
		return -1;
	for (uint64_t i = 0; i < sectors; i++) {
		uint8_t sector[SECTOR];
		const uint64_t off = at + bitmap_len + i * SECTOR;

		if (bitmap[i / 8] & 0x80 >> i % 8)
			continue;
		if (assay_src_read(file, off, sector, sizeof(sector), err) < 0)
			return -1;
		if (!all_zeros(sector, sizeof(sector)))
			return assay_fail(err, ASSAY_E_UNSUPPORTED, off,
					  "VHD: a sector that its bitmap calls unused is not zeros");
	}
	return 0;
}

static int check_blocks(struct assay_src *file, const struct assay_vhd *v, struct assay_err *err)
{
	const uint64_t n = (v->size + v->block_size - 1) / v->block_size;
	const uint64_t bits = v->block_size / SECTOR / 8;
	const uint64_t bitmap_len = (bits + SECTOR - 1) / SECTOR * SECTOR;
	const uint64_t size = assay_src_size(file);
	ASSAY_AUTO_FREE uint8_t *bitmap = malloc(bitmap_len ? (size_t)bitmap_len : SECTOR);

	if (!bitmap)
		return assay_fail_mem(err);
	if (!assay_range_inside(v->bat_offset, n * 4, size))
		return assay_fail(err, ASSAY_E_CORRUPT, v->header_offset + 16,
				  "VHD: its block table lies past the file's end: the file is not whole");
	for (uint64_t i = 0; i < n; i++) {
		const uint64_t left = v->size - i * v->block_size;
		const uint64_t seen = left < v->block_size ? left : v->block_size;
		uint8_t entry[4];

		if (assay_src_read(file, v->bat_offset + i * 4, entry, sizeof(entry), err) < 0)
			return -1;
		struct assay_cur c = assay_cur_make(entry, sizeof(entry), v->bat_offset + i * 4);
		const uint64_t sector = assay_cur_be32(&c);

		if (sector == UNUSED)
			continue;
		if (!assay_range_inside(sector * SECTOR, bitmap_len + seen, size))
			return assay_fail(err, ASSAY_E_CORRUPT, v->bat_offset + i * 4,
					  "VHD: what the disk has at %" PRIu64
					  " lies past the file's end: the file is not whole",
					  i * v->block_size);
		if (check_bitmap(file, sector * SECTOR, bitmap_len, seen / SECTOR, bitmap, err) < 0)
			return -1;
	}
	return 0;
}

int assay_vhd_check(struct assay_src *file, struct assay_vhd *ret, struct assay_err *err)
{
	const uint64_t size = assay_src_size(file);
	uint8_t footer[ASSAY_VHD_FOOTER], copy[ASSAY_VHD_FOOTER], header[HEADER];
	struct assay_vhd v;

	if (size < ASSAY_VHD_FOOTER)
		return assay_fail(err, ASSAY_E_CORRUPT, 0, "VHD of %" PRIu64 " bytes", size);
	if (assay_src_read(file, size - sizeof(footer), footer, sizeof(footer), err) < 0 ||
	    assay_vhd_parse_footer(assay_cur_make(footer, sizeof(footer), size - sizeof(footer)), &v,
				   err) < 0)
		return -1;
	if (v.fixed) {
		if (v.size != size - ASSAY_VHD_FOOTER)
			return assay_fail(err, ASSAY_E_CORRUPT, size - sizeof(footer) + 48,
					  "VHD: a fixed disk of %" PRIu64 " bytes in a file of %" PRIu64,
					  v.size, size);
		*ret = v;
		return 0;
	}
	if (assay_src_read(file, 0, copy, sizeof(copy), err) < 0)
		return -1;
	if (memcmp(copy, footer, sizeof(copy)) != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, 0,
				  "VHD: footer and its copy at the head are not the same");
	if (!assay_range_inside(v.header_offset, HEADER, size))
		return assay_fail(err, ASSAY_E_CORRUPT, 16, "VHD: header at %" PRIu64,
				  v.header_offset);
	if (assay_src_read(file, v.header_offset, header, sizeof(header), err) < 0 ||
	    assay_vhd_parse_header(assay_cur_make(header, sizeof(header), v.header_offset), &v, err) <
		    0 ||
	    check_blocks(file, &v, err) < 0)
		return -1;
	*ret = v;
	return 0;
}
