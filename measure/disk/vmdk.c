/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/disk/format.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/num.h"

#define SECTOR 512U
#define AT_END UINT64_MAX /* of the grain directory */
#define HAS_ZERO_GRAINS (1U << 2)
#define IS_COMPRESSED (1U << 16)
#define HAS_MARKERS (1U << 17)
#define DEFLATE 1
#define MARKER_FOOTER 3
#define MARKER 12U /* of a compressed grain: its place on the disk, its length */

/* --- header ------------------------------------------------------------------------------------- */

static int check_shape(struct assay_vmdk *v, uint64_t at, uint64_t capacity, uint64_t grain,
		       uint64_t descriptor, uint64_t descriptor_len, struct assay_err *err)
{
	/* qemu takes one without a capacity for a mere descriptor, and opens what that names. */
	if (capacity == 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at + 12, "VMDK without a capacity");
	if (capacity > ASSAY_DISK_MAX_SIZE / SECTOR)
		return assay_fail(err, ASSAY_E_LIMIT, at + 12,
				  "a disk of %" PRIu64 " sectors, limit %llu", capacity,
				  ASSAY_DISK_MAX_SIZE / SECTOR);
	if (grain < 1 || grain > 4096 || (grain & (grain - 1)) != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 20, "VMDK: grains of %" PRIu64 " sectors",
				  grain);
	if (v->per_table < 1 || v->per_table > 512)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 44,
				  "VMDK: grain tables of %" PRIu32 " entries", v->per_table);
	if (descriptor == 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at + 28,
				  "VMDK that is a part of a disk: the disk is what its descriptor names");
	if (descriptor > UINT64_MAX / SECTOR || descriptor_len > ASSAY_VMDK_MAX_DESCRIPTOR / SECTOR)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 28,
				  "VMDK: descriptor of %" PRIu64 " sectors at %" PRIu64, descriptor_len,
				  descriptor);
	v->size = capacity * SECTOR;
	v->grain = grain * SECTOR;
	v->descriptor = descriptor * SECTOR;
	v->descriptor_len = descriptor_len * SECTOR;
	return 0;
}

int assay_vmdk_parse_header(struct assay_cur in, struct assay_vmdk *ret, struct assay_err *err)
{
	struct assay_vmdk v = { 0 };
	struct assay_cur c = in;
	uint8_t magic[4], ends[4];

	assay_cur_copy(&c, magic, sizeof(magic));
	const uint32_t version = assay_cur_le32(&c);
	const uint32_t flags = assay_cur_le32(&c);
	const uint64_t capacity = assay_cur_le64(&c);
	const uint64_t grain = assay_cur_le64(&c);
	const uint64_t descriptor = assay_cur_le64(&c);
	const uint64_t descriptor_len = assay_cur_le64(&c);
	v.per_table = assay_cur_le32(&c);
	assay_cur_skip(&c, 8); /* the redundant directory */
	const uint64_t directory = assay_cur_le64(&c);
	assay_cur_skip(&c, 8 + 1); /* metadata, unclean shutdown */
	assay_cur_copy(&c, ends, sizeof(ends));
	const uint16_t algorithm = assay_cur_le16(&c);
	if (assay_cur_done(&c, "VMDK header", err) < 0)
		return -1;
	if (memcmp(magic, "KDMV", 4) != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, in.at, "no VMDK header");
	if (version < 1 || version > 3)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, in.at + 4, "VMDK version %" PRIu32, version);
	if ((flags & 1) && memcmp(ends, "\n \r\n", 4) != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, in.at + 73,
				  "VMDK that went through a conversion of line ends");
	v.zero_grains = flags & HAS_ZERO_GRAINS;
	v.compressed = flags & IS_COMPRESSED;
	if (v.compressed && (algorithm != DEFLATE || !(flags & HAS_MARKERS)))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, in.at + 77,
				  "VMDK with compression %u", algorithm);
	if (check_shape(&v, in.at, capacity, grain, descriptor, descriptor_len, err) < 0)
		return -1;
	if (directory != AT_END && (directory == 0 || directory > UINT64_MAX / SECTOR))
		return assay_fail(err, ASSAY_E_CORRUPT, in.at + 56, "VMDK: grain directory at %" PRIu64,
				  directory);
	v.directory = directory == AT_END ? 0 : directory * SECTOR;
	*ret = v;
	return 0;
}

/* --- grains ------------------------------------------------------------------------------------- */

static int cut_short(uint64_t at, uint64_t guest, struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_CORRUPT, at,
			  "VMDK: what the disk has at %" PRIu64 " lies past the file's end: the file is not "
			  "whole",
			  guest);
}

static int read_le32(struct assay_src *file, uint64_t at, uint32_t *ret, struct assay_err *err)
{
	uint8_t p[4];

	if (assay_src_read(file, at, p, sizeof(p), err) < 0)
		return -1;
	struct assay_cur c = assay_cur_make(p, sizeof(p), at);

	*ret = assay_cur_le32(&c);
	return 0;
}

static int check_compressed(struct assay_src *file, uint64_t at, uint64_t guest,
			    struct assay_err *err)
{
	uint8_t marker[MARKER];

	if (!assay_range_inside(at, MARKER, assay_src_size(file)))
		return cut_short(at, guest, err);
	if (assay_src_read(file, at, marker, sizeof(marker), err) < 0)
		return -1;
	struct assay_cur c = assay_cur_make(marker, sizeof(marker), at);
	const uint64_t place = assay_cur_le64(&c);
	const uint32_t len = assay_cur_le32(&c);

	if (place != guest / SECTOR)
		return assay_fail(err, ASSAY_E_CORRUPT, at,
				  "VMDK: the grain for the disk's sector %" PRIu64 " says it is for %" PRIu64,
				  guest / SECTOR, place);
	if (!assay_range_inside(at + MARKER, len, assay_src_size(file)))
		return cut_short(at, guest, err);
	return 0;
}

static int check_grain(struct assay_src *file, const struct assay_vmdk *v, uint32_t entry,
		       uint64_t entry_at, uint64_t guest, struct assay_err *err)
{
	const uint64_t at = (uint64_t)entry * SECTOR;
	const uint64_t left = v->size - guest;

	if (entry == 0 || (entry == 1 && v->zero_grains))
		return 0;
	if (v->compressed)
		return check_compressed(file, at, guest, err);
	if (!assay_range_inside(at, left < v->grain ? left : v->grain, assay_src_size(file)))
		return cut_short(entry_at, guest, err);
	return 0;
}

static int check_table(struct assay_src *file, const struct assay_vmdk *v, uint64_t table,
		       uint64_t table_at, uint64_t guest, struct assay_err *err)
{
	uint8_t buf[512 * 4];
	const size_t len = v->per_table * 4;

	if (!assay_range_inside(table, len, assay_src_size(file)))
		return cut_short(table_at, guest, err);
	if (assay_src_read(file, table, buf, len, err) < 0)
		return -1;
	struct assay_cur c = assay_cur_make(buf, len, table);

	for (uint32_t i = 0; i < v->per_table && guest < v->size; i++, guest += v->grain) {
		const uint64_t at = c.at;

		if (check_grain(file, v, assay_cur_le32(&c), at, guest, err) < 0)
			return -1;
	}
	return 0;
}

static int check_tables(struct assay_src *file, const struct assay_vmdk *v, struct assay_err *err)
{
	const uint64_t per_table = v->per_table * v->grain;
	const uint64_t n = v->size / per_table + (v->size % per_table != 0);

	if (!assay_range_inside(v->directory, n * 4, assay_src_size(file)))
		return cut_short(56, 0, err);
	for (uint64_t i = 0; i < n; i++) {
		const uint64_t at = v->directory + i * 4;
		uint32_t table;

		if (read_le32(file, at, &table, err) < 0)
			return -1;
		if (table != 0 && check_table(file, v, (uint64_t)table * SECTOR, at, i * per_table,
					      err) < 0)
			return -1;
	}
	return 0;
}

/* --- the file ----------------------------------------------------------------------------------- */

/* streamOptimized: written in one go, with a second header, a marker on each side, at the end. */
static int read_footer(struct assay_src *file, struct assay_vmdk *v, struct assay_err *err)
{
	const uint64_t size = assay_src_size(file);
	const struct assay_vmdk head = *v;
	uint8_t p[3 * SECTOR];

	if (size < sizeof(p) || size % SECTOR != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, size, "VMDK whose footer is missing: the file is "
							      "not whole");
	if (assay_src_read(file, size - sizeof(p), p, sizeof(p), err) < 0)
		return -1;
	struct assay_cur c = assay_cur_make(p, sizeof(p), size - sizeof(p));

	assay_cur_skip(&c, 8);
	const uint32_t len = assay_cur_le32(&c), type = assay_cur_le32(&c);
	if (len != 0 || type != MARKER_FOOTER || assay_vmdk_parse_header(
			assay_cur_make(p + SECTOR, SECTOR, size - 2 * SECTOR), v, err) < 0 ||
	    v->directory == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, size - sizeof(p),
				  "VMDK whose footer is missing: the file is not whole");
	if (v->size != head.size || v->grain != head.grain || v->per_table != head.per_table ||
	    v->compressed != head.compressed || v->zero_grains != head.zero_grains ||
	    v->descriptor != head.descriptor || v->descriptor_len != head.descriptor_len)
		return assay_fail(err, ASSAY_E_CORRUPT, size - 2 * SECTOR,
				  "VMDK: header and footer are not of one disk");
	return 0;
}

static int check_descriptor(struct assay_src *file, const struct assay_vmdk *v, struct assay_err *err)
{
	struct assay_vmdk_descriptor d = { 0 };
	ASSAY_AUTO_FREE uint8_t *text = NULL;
	const char *want = v->compressed ? "streamOptimized" : "monolithicSparse";
	int rc = 0;

	if (assay_src_read_alloc(file, v->descriptor, v->descriptor_len, ASSAY_VMDK_MAX_DESCRIPTOR,
				 &text, err) < 0 ||
	    assay_vmdk_parse_descriptor((char *)text, strnlen((char *)text, v->descriptor_len),
					v->descriptor, &d, err) < 0)
		return assay_wrap(err, "VMDK's descriptor");
	if (strcmp(d.type, want) != 0)
		rc = assay_fail(err, ASSAY_E_UNSUPPORTED, v->descriptor,
				"VMDK of type '%s', where %s is expected", d.type, want);
	else if (d.n != 1 || d.extents[0].kind != ASSAY_VMDK_SPARSE || d.size != v->size)
		rc = assay_fail(err, ASSAY_E_UNSUPPORTED, v->descriptor,
				"VMDK whose descriptor tells of another disk than the one in this file");
	assay_vmdk_descriptor_clear(&d);
	return rc;
}

int assay_vmdk_check(struct assay_src *file, struct assay_vmdk *ret, struct assay_err *err)
{
	uint8_t head[SECTOR];
	struct assay_vmdk v;

	if (assay_src_read(file, 0, head, sizeof(head), err) < 0 ||
	    assay_vmdk_parse_header(assay_cur_make(head, sizeof(head), 0), &v, err) < 0)
		return -1;
	if (v.directory == 0 && read_footer(file, &v, err) < 0)
		return -1;
	if (check_descriptor(file, &v, err) < 0 || check_tables(file, &v, err) < 0)
		return -1;
	*ret = v;
	return 0;
}
