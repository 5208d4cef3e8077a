/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/disk/format.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/num.h"
#include "measure/disk/crc32.h"

#define HEADER 4096U
#define TABLE (64U << 10)
/* Metadata items lie behind the table, in the region; the largest are parent locators. */
#define METADATA (1U << 20)
#define MAX_REGIONS 2047U
#define MAX_ITEMS 2047U

/* Of a block, in the allocation table (2.5.1.1). */
enum { NOT_PRESENT, UNDEFINED, ZERO, UNMAPPED, PRESENT = 6, PARTIALLY = 7 };

static const uint8_t region_bat[16] = { 0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0x00, 0x42,
					0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08 };
static const uint8_t region_metadata[16] = { 0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b,
					     0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e };
static const uint8_t item_file[16] = { 0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d,
				       0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b };
static const uint8_t item_size[16] = { 0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48,
				       0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8 };
static const uint8_t item_sector[16] = { 0x1d, 0xbf, 0x41, 0x81, 0x6f, 0xa9, 0x09, 0x47,
					 0xba, 0x47, 0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f };
static const uint8_t item_physical[16] = { 0xc7, 0x48, 0xa3, 0xcd, 0x5d, 0x44, 0x71, 0x44,
					   0x9c, 0xc9, 0xe9, 0x88, 0x52, 0x51, 0xc5, 0x56 };
static const uint8_t item_page83[16] = { 0xab, 0x12, 0xca, 0xbe, 0xe6, 0xb2, 0x23, 0x45,
					 0x93, 0xef, 0xc3, 0x09, 0xe0, 0x00, 0xc7, 0x46 };
static const uint8_t item_parent[16] = { 0x2d, 0x5f, 0xd3, 0xa8, 0x0b, 0xb3, 0x4d, 0x45,
					 0xab, 0xf7, 0xd3, 0xd8, 0x48, 0x34, 0xab, 0x0c };

/* CRC-32C of a structure whose own checksum, at byte 4, counts as zeros. */
static bool checksum_is_right(const uint8_t *p, size_t len)
{
	static const uint8_t zeros[4];
	struct assay_cur c = assay_cur_make(p + 4, 4, 0);
	uint32_t crc = assay_crc32c(0xffffffff, p, 4);

	crc = assay_crc32c(crc, zeros, sizeof(zeros));
	return ~assay_crc32c(crc, p + 8, len - 8) == assay_cur_le32(&c);
}

int assay_vhdx_parse_header(struct assay_cur in, struct assay_vhdx_header *ret,
			    struct assay_err *err)
{
	static const uint8_t none[16];
	struct assay_vhdx_header h = { 0 };
	struct assay_cur c = in;
	uint8_t sig[4], log[16];

	assay_cur_copy(&c, sig, sizeof(sig));
	assay_cur_skip(&c, 4);
	h.sequence = assay_cur_le64(&c);
	assay_cur_skip(&c, 16 + 16); /* GUIDs of the file and of its data */
	assay_cur_copy(&c, log, sizeof(log));
	assay_cur_skip(&c, 2);
	const uint16_t version = assay_cur_le16(&c);
	assay_cur_skip(&c, HEADER - 68);
	if (assay_cur_done(&c, "VHDX header", err) < 0)
		return -1;
	if (memcmp(sig, "head", 4) != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, in.at, "no VHDX header");
	if (!checksum_is_right(in.p, HEADER))
		return assay_fail(err, ASSAY_E_CORRUPT, in.at + 4, "VHDX header's CRC is wrong");
	if (version != 1)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, in.at + 66, "VHDX version %u", version);
	h.has_log = memcmp(log, none, sizeof(log)) != 0;
	*ret = h;
	return 0;
}

int assay_vhdx_parse_regions(struct assay_cur in, struct assay_vhdx *ret, struct assay_err *err)
{
	struct assay_vhdx v = *ret;
	struct assay_cur c = in;
	uint8_t sig[4];

	assay_cur_copy(&c, sig, sizeof(sig));
	assay_cur_skip(&c, 4);
	const uint32_t n = assay_cur_le32(&c);
	assay_cur_skip(&c, 4);
	if (assay_cur_done(&c, "VHDX region table", err) < 0)
		return -1;
	if (in.left != TABLE || memcmp(sig, "regi", 4) != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, in.at, "no VHDX region table");
	if (!checksum_is_right(in.p, TABLE))
		return assay_fail(err, ASSAY_E_CORRUPT, in.at + 4, "VHDX region table's CRC is wrong");
	if (n > MAX_REGIONS)
		return assay_fail(err, ASSAY_E_LIMIT, in.at + 8, "VHDX with %" PRIu32 " regions", n);
	for (uint32_t i = 0; i < n; i++) {
		const uint64_t at = c.at;
		uint8_t guid[16];

		assay_cur_copy(&c, guid, sizeof(guid));
		const uint64_t offset = assay_cur_le64(&c);
		const uint32_t len = assay_cur_le32(&c);
		const uint32_t required = assay_cur_le32(&c) & 1;

		if (assay_cur_done(&c, "VHDX region table", err) < 0)
			return -1;
		if (memcmp(guid, region_bat, 16) == 0 && v.bat_offset == 0) {
			v.bat_offset = offset;
			v.bat_len = len;
		} else if (memcmp(guid, region_metadata, 16) == 0 && v.metadata_offset == 0) {
			v.metadata_offset = offset;
			v.metadata_len = len;
		} else if (required) {
			return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "VHDX with an unknown region");
		}
	}
	if (v.bat_offset == 0 || v.metadata_offset == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, in.at,
				  "VHDX without a block table or without metadata");
	*ret = v;
	return 0;
}

static int parse_item(const uint8_t guid[16], struct assay_cur data, bool required,
		      struct assay_vhdx *v, struct assay_err *err)
{
	if (memcmp(guid, item_file, 16) == 0) {
		v->block_size = assay_cur_le32(&data);
		const uint32_t flags = assay_cur_le32(&data);

		v->fixed = flags & 1;
		if (flags & 2)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, data.at - 4,
					  "differencing VHDX: most of its disk is in another file; merge "
					  "them");
	} else if (memcmp(guid, item_size, 16) == 0) {
		v->size = assay_cur_le64(&data);
	} else if (memcmp(guid, item_sector, 16) == 0) {
		v->sector_size = assay_cur_le32(&data);
	} else if (memcmp(guid, item_parent, 16) == 0) {
		return assay_fail(err, ASSAY_E_UNSUPPORTED, data.at,
				  "differencing VHDX: it names another file as its parent; merge them");
	} else if (required && memcmp(guid, item_physical, 16) != 0 &&
		   memcmp(guid, item_page83, 16) != 0) {
		return assay_fail(err, ASSAY_E_UNSUPPORTED, data.at, "VHDX with unknown metadata");
	}
	return assay_cur_done(&data, "VHDX metadata", err);
}

int assay_vhdx_parse_metadata(struct assay_cur in, struct assay_vhdx *ret, struct assay_err *err)
{
	struct assay_vhdx v = *ret;
	struct assay_cur c = in;
	uint8_t sig[8];

	assay_cur_copy(&c, sig, sizeof(sig));
	assay_cur_skip(&c, 2);
	const uint16_t n = assay_cur_le16(&c);
	assay_cur_skip(&c, 20);
	if (assay_cur_done(&c, "VHDX metadata", err) < 0)
		return -1;
	if (memcmp(sig, "metadata", 8) != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, in.at, "no VHDX metadata");
	if (n > MAX_ITEMS)
		return assay_fail(err, ASSAY_E_LIMIT, in.at + 10, "VHDX with %u items of metadata", n);
	for (unsigned i = 0; i < n; i++) {
		uint8_t guid[16];

		assay_cur_copy(&c, guid, sizeof(guid));
		const uint32_t offset = assay_cur_le32(&c);
		const uint32_t len = assay_cur_le32(&c);
		const bool required = assay_cur_le32(&c) & 4;
		struct assay_cur data = in;

		assay_cur_skip(&c, 4);
		if (assay_cur_done(&c, "VHDX metadata", err) < 0)
			return -1;
		assay_cur_skip(&data, offset);
		data = assay_cur_sub(&data, len);
		if (parse_item(guid, data, required, &v, err) < 0)
			return -1;
	}
	if (v.block_size < (1U << 20) || v.block_size > (256U << 20) ||
	    (v.block_size & (v.block_size - 1)) != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, in.at, "VHDX: blocks of %" PRIu32 " bytes",
				  v.block_size);
	if (v.sector_size != 512 && v.sector_size != 4096)
		return assay_fail(err, ASSAY_E_CORRUPT, in.at, "VHDX: sectors of %" PRIu32 " bytes",
				  v.sector_size);
	if (v.size == 0 || v.size % v.sector_size != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, in.at, "VHDX: a disk of %" PRIu64 " bytes",
				  v.size);
	if (v.size > ASSAY_DISK_MAX_SIZE)
		return assay_fail(err, ASSAY_E_LIMIT, in.at, "a disk of %" PRIu64 " bytes, limit %llu",
				  v.size, ASSAY_DISK_MAX_SIZE);
	*ret = v;
	return 0;
}

/* --- the file ----------------------------------------------------------------------------------- */

static int read_part(struct assay_src *file, uint64_t at, size_t len, uint8_t *buf,
		     struct assay_cur *ret, struct assay_err *err)
{
	if (assay_src_read(file, at, buf, len, err) < 0)
		return -1;
	*ret = assay_cur_make(buf, len, at);
	return 0;
}

/* Of two headers that counts which is valid and has the higher number (2.2.2). */
static int check_headers(struct assay_src *file, uint8_t *buf, struct assay_err *err)
{
	struct assay_vhdx_header best = { 0 }, h;
	unsigned good = 0;

	for (unsigned i = 1; i <= 2; i++) {
		struct assay_cur c;

		if (read_part(file, i * TABLE, HEADER, buf, &c, err) < 0)
			return -1;
		if (assay_vhdx_parse_header(c, &h, err) < 0)
			continue;
		if (good++ == 0 || h.sequence > best.sequence)
			best = h;
	}
	if (good == 0)
		return -1; /* err is that of the second */
	if (best.has_log)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, TABLE + 48,
				  "VHDX that was not closed: there is a log, which nobody has replayed");
	return 0;
}

/* Both tables are to say the same; a damaged one is passed over (2.2.3). */
static int check_regions(struct assay_src *file, uint8_t *buf, struct assay_vhdx *v,
			 struct assay_err *err)
{
	struct assay_vhdx a = *v, b = *v;
	struct assay_cur c;

	if (read_part(file, 3 * TABLE, TABLE, buf, &c, err) < 0)
		return -1;
	const bool first = assay_vhdx_parse_regions(c, &a, err) == 0;

	if (read_part(file, 4 * TABLE, TABLE, buf, &c, err) < 0)
		return -1;
	const bool second = assay_vhdx_parse_regions(c, &b, err) == 0;

	if (!first && !second)
		return -1;
	if (first && second &&
	    (a.bat_offset != b.bat_offset || a.bat_len != b.bat_len ||
	     a.metadata_offset != b.metadata_offset || a.metadata_len != b.metadata_len))
		return assay_fail(err, ASSAY_E_CORRUPT, 3 * TABLE,
				  "VHDX: its two region tables are not the same");
	*v = first ? a : b;
	return 0;
}

static int check_block(const struct assay_vhdx *v, uint64_t entry, uint64_t at, uint64_t guest,
		       uint64_t file_size, struct assay_err *err)
{
	const unsigned state = entry & 7;
	const uint64_t offset = entry & ~0xfffffULL;
	const uint64_t left = v->size - guest;

	switch (state) {
	case NOT_PRESENT:
	case ZERO:
		return 0;
	case UNMAPPED:
		/* Given up by the machine: zeros, or what was there before, where that still is. */
		if (offset == 0)
			return 0;
		break;
	case PRESENT:
		if (assay_range_inside(offset, left < v->block_size ? left : v->block_size, file_size))
			return 0;
		return assay_fail(err, ASSAY_E_CORRUPT, at,
				  "VHDX: what the disk has at %" PRIu64
				  " lies past the file's end: the file is not whole",
				  guest);
	}
	return assay_fail(err, ASSAY_E_UNSUPPORTED, at,
			  "VHDX: the disk's block at %" PRIu64 " is in state %u: its bytes are not given",
			  guest, state);
}

static int check_blocks(struct assay_src *file, const struct assay_vhdx *v, struct assay_err *err)
{
	/* After each `ratio` blocks comes an entry for their bitmap, which only a differencing one has. */
	const uint64_t ratio = ((uint64_t)v->sector_size << 23) / v->block_size;
	const uint64_t n = (v->size + v->block_size - 1) / v->block_size;

	for (uint64_t i = 0; i < n; i++) {
		const uint64_t nr = i + i / ratio;
		const uint64_t at = v->bat_offset + nr * 8;
		uint8_t entry[8];

		if (!assay_range_inside(nr * 8, 8, v->bat_len))
			return assay_fail(err, ASSAY_E_CORRUPT, v->bat_offset,
					  "VHDX: a block table of %" PRIu32
					  " bytes is too small for a disk of %" PRIu64,
					  v->bat_len, v->size);
		if (assay_src_read(file, at, entry, sizeof(entry), err) < 0)
			return -1;
		struct assay_cur c = assay_cur_make(entry, sizeof(entry), at);

		if (check_block(v, assay_cur_le64(&c), at, i * v->block_size, assay_src_size(file),
				err) < 0)
			return -1;
	}
	return 0;
}

int assay_vhdx_check(struct assay_src *file, struct assay_vhdx *ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *buf = malloc(METADATA);
	const uint64_t size = assay_src_size(file);
	struct assay_vhdx v = { 0 };
	struct assay_cur c;

	if (!buf)
		return assay_fail_mem(err);
	if (check_headers(file, buf, err) < 0 || check_regions(file, buf, &v, err) < 0)
		return -1;
	if (!assay_range_inside(v.bat_offset, v.bat_len, size) ||
	    !assay_range_inside(v.metadata_offset, v.metadata_len, size))
		return assay_fail(err, ASSAY_E_CORRUPT, 3 * TABLE,
				  "VHDX: a region lies past the file's end: the file is not whole");
	if (read_part(file, v.metadata_offset, v.metadata_len < METADATA ? v.metadata_len : METADATA,
		      buf, &c, err) < 0 ||
	    assay_vhdx_parse_metadata(c, &v, err) < 0 || check_blocks(file, &v, err) < 0)
		return -1;
	*ret = v;
	return 0;
}
