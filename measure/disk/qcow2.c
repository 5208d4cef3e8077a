/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/disk/format.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/num.h"

/* Bits of incompatible_features. */
#define DIRTY 1U
#define CORRUPT 2U
#define DATA_FILE 4U
#define COMPRESSION_TYPE 8U
#define EXTENDED_L2 16U

#define EXT_END 0U
#define EXT_BACKING_FORMAT 0xe2792acaU
#define EXT_DATA_FILE 0x44415441U
#define EXT_ENCRYPTION 0x0537be77U

#define OFFSET_MASK 0x00fffffffffffe00ULL
#define COMPRESSED (1ULL << 62)
#define READS_ZERO 1ULL

#define HEAD (2U << 20) /* the largest cluster */

/* --- header ------------------------------------------------------------------------------------- */

static int check_features(uint64_t bits, uint64_t at, struct assay_err *err)
{
	const uint64_t unknown =
		bits & ~(uint64_t)(DIRTY | CORRUPT | DATA_FILE | COMPRESSION_TYPE | EXTENDED_L2);

	if (unknown)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at,
				  "qcow2 with unknown incompatible features 0x%" PRIx64, unknown);
	if (bits & CORRUPT)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at,
				  "qcow2 that is marked corrupt; qemu-img check -r all repairs it");
	if (bits & DIRTY)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at,
				  "qcow2 that was not closed; qemu-img check -r all repairs it");
	return 0;
}

static int copy_name(struct assay_cur *c, uint32_t len, char *ret, size_t size, const char *what,
		     struct assay_err *err)
{
	const uint64_t at = c->at;

	if (len >= size)
		return assay_fail(err, ASSAY_E_LIMIT, at, "qcow2: %s of %" PRIu32 " bytes", what, len);
	assay_cur_copy(c, ret, len);
	ret[len] = '\0';
	if (strlen(ret) != len && !c->bad)
		return assay_fail(err, ASSAY_E_CORRUPT, at, "qcow2: NUL inside the %s", what);
	return 0;
}

static int parse_extensions(struct assay_cur c, struct assay_qcow2 *q, struct assay_err *err)
{
	/* They end where the backing file's name begins, or the cluster does; each takes eight bytes or more. */
	while (c.left >= 8) {
		const uint64_t at = c.at;
		const uint32_t type = assay_cur_be32(&c);
		const uint32_t len = assay_cur_be32(&c);
		struct assay_cur data;

		if (type == EXT_END)
			return 0;
		data = assay_cur_sub(&c, len);
		if (c.bad)
			return assay_cur_done(&c, "qcow2 header extension", err);
		assay_cur_skip(&c, (8 - len % 8) % 8 < c.left ? (8 - len % 8) % 8 : c.left);
		if (type == EXT_ENCRYPTION)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "qcow2 that is encrypted");
		if (type == EXT_BACKING_FORMAT &&
		    copy_name(&data, len, q->backing_format, sizeof(q->backing_format),
			      "backing format", err) < 0)
			return -1;
		if (type == EXT_DATA_FILE && copy_name(&data, len, q->data_file, sizeof(q->data_file),
						       "data file's name", err) < 0)
			return -1;
	}
	return 0;
}

static int parse_features(struct assay_cur *c, struct assay_qcow2 *q, uint32_t *header_len,
			  struct assay_err *err)
{
	const uint64_t at = c->at;
	const uint64_t incompatible = assay_cur_be64(c);

	assay_cur_skip(c, 8 + 8 + 4); /* compatible, autoclear, refcount order */
	*header_len = assay_cur_be32(c);
	if (assay_cur_done(c, "qcow2 header", err) < 0)
		return -1;
	if (*header_len < 104 || *header_len % 8 != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 28, "qcow2 header of %" PRIu32 " bytes",
				  *header_len);
	if (check_features(incompatible, at, err) < 0)
		return -1;
	q->has_data_file = incompatible & DATA_FILE;
	q->extended_l2 = incompatible & EXTENDED_L2;
	if (*header_len > 104) {
		const uint8_t type = assay_cur_u8(c);

		if (type > 1)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, at + 32,
					  "qcow2 with compression of type %u", type);
		if ((type != 0) != ((incompatible & COMPRESSION_TYPE) != 0))
			return assay_fail(err, ASSAY_E_CORRUPT, at + 32,
					  "qcow2: compression type and feature bit disagree");
	} else if (incompatible & COMPRESSION_TYPE) {
		return assay_fail(err, ASSAY_E_CORRUPT, at, "qcow2: compression type is missing");
	}
	return 0;
}

static int check_shape(const struct assay_qcow2 *q, uint64_t at, struct assay_err *err)
{
	const unsigned entry = q->extended_l2 ? 4 : 3;
	uint64_t per_l1, needed;

	if (q->cluster_bits < (q->extended_l2 ? 14U : 9U) || q->cluster_bits > 21)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at + 20,
				  "qcow2 with clusters of 2^%" PRIu32 " bytes", q->cluster_bits);
	if (q->size > ASSAY_DISK_MAX_SIZE)
		return assay_fail(err, ASSAY_E_LIMIT, at + 24,
				  "a disk of %" PRIu64 " bytes, limit %llu", q->size,
				  ASSAY_DISK_MAX_SIZE);
	if (q->l1_entries > ASSAY_QCOW2_MAX_L1)
		return assay_fail(err, ASSAY_E_LIMIT, at + 36,
				  "qcow2 with a first-level table of %" PRIu32 " entries, limit %u",
				  q->l1_entries, ASSAY_QCOW2_MAX_L1);
	per_l1 = 1ULL << (q->cluster_bits + q->cluster_bits - entry);
	needed = q->size / per_l1 + (q->size % per_l1 != 0);
	if (q->l1_entries < needed)
		return assay_fail(err, ASSAY_E_CORRUPT, at + 36,
				  "qcow2: first-level table of %" PRIu32 " entries, the disk needs %" PRIu64,
				  q->l1_entries, needed);
	return 0;
}

int assay_qcow2_parse(struct assay_cur in, struct assay_qcow2 *ret, struct assay_err *err)
{
	const struct assay_cur whole = in;
	struct assay_qcow2 q = { 0 };
	uint32_t header_len = 72;
	uint8_t magic[4];

	assay_cur_copy(&in, magic, sizeof(magic));
	q.version = assay_cur_be32(&in);
	q.backing_offset = assay_cur_be64(&in);
	q.backing_len = assay_cur_be32(&in);
	q.cluster_bits = assay_cur_be32(&in);
	q.size = assay_cur_be64(&in);
	const uint32_t crypt = assay_cur_be32(&in);
	q.l1_entries = assay_cur_be32(&in);
	q.l1_offset = assay_cur_be64(&in);
	assay_cur_skip(&in, 8 + 4 + 4 + 8); /* refcount table, internal snapshots: nobody's disk */
	if (assay_cur_done(&in, "qcow2 header", err) < 0)
		return -1;
	if (memcmp(magic, "QFI\xfb", 4) != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, whole.at, "no qcow2 magic");
	if (q.version != 2 && q.version != 3)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, whole.at + 4, "qcow version %" PRIu32,
				  q.version);
	if (crypt != 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, whole.at + 32, "qcow2 that is encrypted");
	if (q.version == 3 && parse_features(&in, &q, &header_len, err) < 0)
		return -1;
	if (check_shape(&q, whole.at, err) < 0)
		return -1;

	struct assay_cur ext = whole;

	assay_cur_skip(&ext, header_len);
	if (assay_cur_done(&ext, "qcow2 header", err) < 0)
		return -1;
	if (q.backing_offset != 0) {
		struct assay_cur name = whole;

		if (q.backing_offset < header_len ||
		    q.backing_offset > (1ULL << q.cluster_bits))
			return assay_fail(err, ASSAY_E_CORRUPT, whole.at + 8,
					  "qcow2: backing file's name at %" PRIu64, q.backing_offset);
		assay_cur_skip(&name, q.backing_offset);
		if (copy_name(&name, q.backing_len, q.backing, sizeof(q.backing),
			      "backing file's name", err) < 0 ||
		    assay_cur_done(&name, "qcow2 backing file's name", err) < 0)
			return -1;
		ext = assay_cur_make(ext.p, (size_t)(q.backing_offset - header_len), ext.at);
	}
	if (parse_extensions(ext, &q, err) < 0)
		return -1;
	*ret = q;
	return 0;
}

/* --- tables ------------------------------------------------------------------------------------- */

struct walk {
	struct assay_src *file;
	const struct assay_qcow2 *q;
	uint64_t cluster;
	uint64_t file_size;
	uint64_t data_size; /* of the file that clusters lie in */
	unsigned entry_size;
	uint8_t *table; /* one second-level table */
};

/* Bytes of the disk that a cluster shows, up to the disk's end. */
static uint64_t visible(const struct walk *w, uint64_t guest, uint64_t len)
{
	const uint64_t left = w->q->size - guest;

	return left < len ? left : len;
}

static int cut_short(uint64_t at, uint64_t guest, struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_CORRUPT, at,
			  "qcow2: what the disk has at %" PRIu64 " lies past the file's end: the file "
			  "is not whole",
			  guest);
}

static int check_compressed(const struct walk *w, uint64_t entry, uint64_t at, uint64_t guest,
			    struct assay_err *err)
{
	const unsigned bits = 62 - (w->q->cluster_bits - 8);
	const uint64_t offset = entry & ((1ULL << bits) - 1);
	const uint64_t sectors = ((entry & (COMPRESSED - 1)) >> bits) + 1;
	const uint64_t len = sectors * 512 - offset % 512;

	if (!assay_range_inside(offset, len, w->file_size))
		return cut_short(at, guest, err);
	return 0;
}

static int check_entry(const struct walk *w, const uint8_t *p, uint64_t at, uint64_t guest,
		       struct assay_err *err)
{
	struct assay_cur c = assay_cur_make(p, w->entry_size, at);
	const uint64_t entry = assay_cur_be64(&c);
	const uint64_t offset = entry & OFFSET_MASK;
	uint64_t len = w->cluster;

	if (entry & COMPRESSED)
		return check_compressed(w, entry, at, guest, err);
	if (w->q->extended_l2) {
		const uint32_t allocated = (uint32_t)assay_cur_be64(&c);

		if (allocated == 0)
			return 0;
		len = w->cluster / 32 * (32 - (unsigned)__builtin_clz(allocated));
	} else if ((offset == 0 && !w->q->has_data_file) || entry & READS_ZERO || entry == 0) {
		return 0;
	}
	if (offset % w->cluster != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, at, "qcow2: cluster at %" PRIu64, offset);
	if (!assay_range_inside(offset, visible(w, guest, len), w->data_size))
		return cut_short(at, guest, err);
	return 0;
}

static int check_l2(const struct walk *w, uint64_t offset, uint64_t guest, uint64_t l1_at,
		    struct assay_err *err)
{
	const uint64_t n = w->cluster / w->entry_size;

	if (offset % w->cluster != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, l1_at, "qcow2: table at %" PRIu64, offset);
	if (!assay_range_inside(offset, w->cluster, w->file_size))
		return cut_short(l1_at, guest, err);
	if (assay_src_read(w->file, offset, w->table, (size_t)w->cluster, err) < 0)
		return -1;
	for (uint64_t i = 0; i < n && guest < w->q->size; i++, guest += w->cluster) {
		if (check_entry(w, w->table + i * w->entry_size, offset + i * w->entry_size, guest,
				err) < 0)
			return -1;
	}
	return 0;
}

static int check_tables(const struct walk *w, struct assay_err *err)
{
	const uint64_t per_l1 = w->cluster / w->entry_size * w->cluster;
	const uint64_t needed = w->q->size / per_l1 + (w->q->size % per_l1 != 0);

	if (needed > 0 && w->q->l1_offset % w->cluster != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, 40, "qcow2: table at %" PRIu64,
				  w->q->l1_offset);
	for (uint64_t i = 0; i < needed; i++) {
		uint8_t entry[8];
		uint64_t at, offset;

		if (assay_add_overflows(w->q->l1_offset, i * 8, &at) ||
		    !assay_range_inside(at, sizeof(entry), w->file_size))
			return cut_short(40, i * per_l1, err);
		if (assay_src_read(w->file, at, entry, sizeof(entry), err) < 0)
			return -1;
		struct assay_cur c = assay_cur_make(entry, sizeof(entry), at);

		offset = assay_cur_be64(&c) & OFFSET_MASK;
		if (offset != 0 && check_l2(w, offset, i * per_l1, at, err) < 0)
			return -1;
	}
	return 0;
}

int assay_qcow2_open(struct assay_src *file, struct assay_qcow2 *ret, struct assay_err *err)
{
	/* The header, its extensions and names: qemu keeps them in the first cluster. */
	const uint64_t size = assay_src_size(file);
	const size_t len = size < HEAD ? (size_t)size : HEAD;
	ASSAY_AUTO_FREE uint8_t *head = NULL;

	if (assay_src_read_alloc(file, 0, len, HEAD, &head, err) < 0)
		return -1;
	return assay_qcow2_parse(assay_cur_make(head, len, 0), ret, err);
}

int assay_qcow2_check(struct assay_src *file, const struct assay_qcow2 *q, uint64_t data_size,
		      struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *table = malloc((size_t)1 << q->cluster_bits);
	const struct walk w = { .file = file,
				.q = q,
				.cluster = 1ULL << q->cluster_bits,
				.file_size = assay_src_size(file),
				.data_size = q->has_data_file ? data_size : assay_src_size(file),
				.entry_size = q->extended_l2 ? 16 : 8,
				.table = table };

	return table ? check_tables(&w, err) : assay_fail_mem(err);
}
