/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GUID Partition Tables (UEFI 2.10, 5.3). The order of the checks is that of util-linux's libblkid
 * (superblocks before anything they point to); one message for each check.
 */
#include "measure/disk/gpt.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/guid.h"
#include "core/limits.h"
#include "core/num.h"
#include "core/text.h"
#include "measure/disk/crc32.h"
#include "measure/disk/gpt_priv.h"

#define HEADER_MIN 92
#define ENTRY_MIN 128
#define NAME_OFFSET 56
#define NAME_BYTES 72
#define SECTOR_MAX 4096

int assay_gpt_parse_header(struct assay_cur in, struct assay_gpt_header *ret, struct assay_err *err)
{
	const uint64_t start = in.at;
	const uint8_t *bytes = in.p;
	const size_t sector = in.left;
	static const uint8_t no_crc[4] = { 0 };
	struct assay_gpt_header h;
	uint8_t sig[8];

	assay_cur_copy(&in, sig, sizeof(sig));
	uint32_t revision = assay_cur_le32(&in);
	h.header_size = assay_cur_le32(&in);
	h.header_crc = assay_cur_le32(&in);
	assay_cur_skip(&in, 4); /* reserved */
	h.my_lba = assay_cur_le64(&in);
	h.alternate_lba = assay_cur_le64(&in);
	h.first_usable_lba = assay_cur_le64(&in);
	h.last_usable_lba = assay_cur_le64(&in);
	assay_cur_copy(&in, h.disk_guid, sizeof(h.disk_guid));
	h.entries_lba = assay_cur_le64(&in);
	h.n_entries = assay_cur_le32(&in);
	h.entry_size = assay_cur_le32(&in);
	h.entries_crc = assay_cur_le32(&in);
	if (assay_cur_done(&in, "GPT header", err) < 0)
		return -1;

	if (memcmp(sig, "EFI PART", sizeof(sig)) != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, start, "no GPT signature");
	if (h.header_size < HEADER_MIN || h.header_size > sector)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 12,
				  "GPT header size %" PRIu32
				  ", not between %d and the sector's %zu",
				  h.header_size, HEADER_MIN, sector);

	uint32_t crc = assay_crc32(0, bytes, 16);
	crc = assay_crc32(crc, no_crc, sizeof(no_crc));
	crc = assay_crc32(crc, bytes + 20, h.header_size - 20);
	if (crc != h.header_crc)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 16,
				  "GPT header's CRC is 0x%08" PRIx32 ", it says 0x%08" PRIx32, crc,
				  h.header_crc);

	if (revision >> 16 != 1)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, start + 8, "GPT revision 0x%08" PRIx32,
				  revision);
	if (h.entry_size < ENTRY_MIN || (h.entry_size & (h.entry_size - 1)) != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 84,
				  "GPT entry size %" PRIu32 ", not 128 times a power of two",
				  h.entry_size);
	if (h.entry_size > ASSAY_GPT_MAX_ENTRY_SIZE)
		return assay_fail(err, ASSAY_E_LIMIT, start + 84,
				  "GPT entry size %" PRIu32 ", limit %d", h.entry_size,
				  ASSAY_GPT_MAX_ENTRY_SIZE);
	if (h.n_entries == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 80, "GPT with room for no entry");
	if (h.n_entries > ASSAY_GPT_MAX_ENTRIES)
		return assay_fail(err, ASSAY_E_LIMIT, start + 80,
				  "%" PRIu32 " GPT entries, limit %d", h.n_entries,
				  ASSAY_GPT_MAX_ENTRIES);
	/* Both factors are limited above: the product fits. */
	if (h.n_entries * h.entry_size > ASSAY_GPT_MAX_TABLE)
		return assay_fail(err, ASSAY_E_LIMIT, start + 80,
				  "GPT entries of %" PRIu32 " bytes in all, limit %u",
				  h.n_entries * h.entry_size, ASSAY_GPT_MAX_TABLE);

	*ret = h;
	return 0;
}

/* Header at `lba`, and the entries it points to, both against the disk. */
static int read_table(struct assay_src *disk, uint32_t ss, uint64_t lba,
		      struct assay_gpt_header *ret, uint8_t *ret_bytes, uint8_t **ret_entries,
		      struct assay_err *err)
{
	const uint64_t sectors = assay_src_size(disk) / ss;
	const uint64_t start = assay_src_origin(disk, lba * ss); /* the caller checked lba */
	ASSAY_AUTO_FREE uint8_t *entries = NULL;
	struct assay_gpt_header h;
	uint8_t sector[SECTOR_MAX];
	uint64_t off, table_sectors;

	if (assay_src_read(disk, lba * ss, sector, ss, err) < 0)
		return -1;
	if (assay_gpt_parse_header(assay_cur_make(sector, ss, start), &h, err) < 0)
		return -1;
	if (h.my_lba != lba)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 24,
				  "GPT header at LBA %" PRIu64 " says it is at LBA %" PRIu64, lba,
				  h.my_lba);
	if (h.last_usable_lba < h.first_usable_lba)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 40,
				  "GPT's usable range ends (LBA %" PRIu64
				  ") before it starts (LBA %" PRIu64 ")",
				  h.last_usable_lba, h.first_usable_lba);
	if (h.last_usable_lba >= sectors)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 48,
				  "GPT's usable range ends at LBA %" PRIu64
				  ", the disk at LBA %" PRIu64,
				  h.last_usable_lba, sectors - 1);
	if (h.first_usable_lba <= lba && lba <= h.last_usable_lba)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 40,
				  "GPT header (LBA %" PRIu64 ") lies in its own usable range", lba);

	const uint32_t bytes = h.n_entries * h.entry_size; /* limited: fits */
	if (assay_mul_overflows(h.entries_lba, ss, &off) ||
	    !assay_range_inside(off, bytes, sectors * ss))
		return assay_fail(err, ASSAY_E_CORRUPT, start + 72,
				  "GPT entries (LBA %" PRIu64 ", %" PRIu32
				  " bytes) reach past the disk's end (%" PRIu64 " sectors)",
				  h.entries_lba, bytes, sectors);
	table_sectors = (bytes + ss - 1) / ss;
	if (h.entries_lba < 1 || (h.entries_lba <= lba && lba < h.entries_lba + table_sectors))
		return assay_fail(err, ASSAY_E_CORRUPT, start + 72,
				  "GPT entries at LBA %" PRIu64 " lie over the %s", h.entries_lba,
				  h.entries_lba < 1 ? "MBR" : "header");
	if (h.entries_lba <= h.last_usable_lba &&
	    h.first_usable_lba < h.entries_lba + table_sectors)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 72,
				  "GPT entries at LBA %" PRIu64 " lie in the usable range",
				  h.entries_lba);
	if (assay_src_read_alloc(disk, off, bytes, ASSAY_GPT_MAX_TABLE, &entries, err) < 0)
		return -1;
	uint32_t crc = assay_crc32(0, entries, bytes);
	if (crc != h.entries_crc)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 88,
				  "GPT entries' CRC is 0x%08" PRIx32
				  ", the header says 0x%08" PRIx32,
				  crc, h.entries_crc);

	*ret = h;
	if (ret_bytes)
		memcpy(ret_bytes, sector, HEADER_MIN);
	*ret_entries = assay_steal(&entries);
	return 0;
}

static int parse_entries(struct assay_gpt *g, uint64_t at, struct assay_err *err)
{
	static const uint8_t unused[16] = { 0 };
	const struct assay_gpt_header *h = &g->header;
	uint32_t used = 0;

	for (uint32_t i = 0; i < h->n_entries; i++)
		if (memcmp(g->entries + (size_t)i * h->entry_size, unused, 16) != 0)
			used++;
	g->parts = calloc(used ? used : 1, sizeof(*g->parts));
	if (!g->parts)
		return assay_fail_mem(err);

	for (uint32_t i = 0; i < h->n_entries; i++) {
		const uint64_t entry_at = at + (uint64_t)i * h->entry_size;
		struct assay_cur c = assay_cur_make(g->entries + (size_t)i * h->entry_size,
						    h->entry_size, entry_at);
		uint8_t type[16];

		assay_cur_copy(&c, type, sizeof(type));
		if (memcmp(type, unused, 16) == 0)
			continue;
		struct assay_gpt_part *p = &g->parts[g->n_parts];
		memcpy(p->type, type, sizeof(type));
		assay_cur_copy(&c, p->guid, sizeof(p->guid));
		p->first_lba = assay_cur_le64(&c);
		p->last_lba = assay_cur_le64(&c);
		p->attributes = assay_cur_le64(&c);
		const uint8_t *name = assay_cur_take(&c, NAME_BYTES);
		if (assay_cur_done(&c, "GPT entry", err) < 0)
			return -1;

		p->index = i + 1;
		if (p->last_lba < p->first_lba)
			return assay_fail(err, ASSAY_E_CORRUPT, entry_at + 40,
					  "partition %u ends (LBA %" PRIu64
					  ") before it starts (LBA %" PRIu64 ")",
					  p->index, p->last_lba, p->first_lba);
		if (p->first_lba < h->first_usable_lba || p->last_lba > h->last_usable_lba)
			return assay_fail(err, ASSAY_E_CORRUPT, entry_at + 32,
					  "partition %u (LBA %" PRIu64 " to %" PRIu64
					  ") leaves the usable range (%" PRIu64 " to %" PRIu64 ")",
					  p->index, p->first_lba, p->last_lba, h->first_usable_lba,
					  h->last_usable_lba);
		/* The usable range lies on the disk, so these fit. */
		p->offset = p->first_lba * g->sector_size;
		p->size = (p->last_lba - p->first_lba + 1) * g->sector_size;
		p->name = assay_utf16_to_utf8(name, NAME_BYTES);
		g->n_parts++;
		if (!p->name)
			return assay_fail_mem(err);
	}
	return 0;
}

static int by_first_lba(const void *a, const void *b)
{
	const struct assay_gpt_part *x = *(const struct assay_gpt_part *const *)a;
	const struct assay_gpt_part *y = *(const struct assay_gpt_part *const *)b;

	if (x->first_lba != y->first_lba)
		return x->first_lba < y->first_lba ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int check_overlaps(const struct assay_gpt *g, uint64_t at, struct assay_err *err)
{
	ASSAY_AUTO_FREE const struct assay_gpt_part **order = NULL;

	if (g->n_parts < 2)
		return 0;
	order = calloc(g->n_parts, sizeof(*order));
	if (!order)
		return assay_fail_mem(err);
	for (size_t i = 0; i < g->n_parts; i++)
		order[i] = &g->parts[i];
	qsort(order, g->n_parts, sizeof(*order), by_first_lba);
	/* Neighbours in order of their start suffice: until the first overlap, the ends ascend too.
	 */
	for (size_t i = 1; i < g->n_parts; i++) {
		const struct assay_gpt_part *a = order[i - 1], *b = order[i];

		if (b->first_lba > a->last_lba)
			continue;
		if (a->index > b->index) {
			a = order[i];
			b = order[i - 1];
		}
		return assay_fail(err, ASSAY_E_CORRUPT,
				  at + (uint64_t)(b->index - 1) * g->header.entry_size + 32,
				  "partitions %u and %u overlap (LBA %" PRIu64 " to %" PRIu64
				  " and %" PRIu64 " to %" PRIu64 ")",
				  a->index, b->index, a->first_lba, a->last_lba, b->first_lba,
				  b->last_lba);
	}
	return 0;
}

/* The first difference between the primary and a valid backup, in words; NULL when there is none.
 */
static const char *backup_difference(const struct assay_gpt *g, const struct assay_gpt_header *b,
				     const uint8_t *entries)
{
	const struct assay_gpt_header *p = &g->header;

	if (b->alternate_lba != p->my_lba)
		return "names another LBA as the primary's";
	if (memcmp(b->disk_guid, p->disk_guid, sizeof(p->disk_guid)) != 0)
		return "has another disk GUID";
	if (b->first_usable_lba != p->first_usable_lba || b->last_usable_lba != p->last_usable_lba)
		return "has another usable range";
	if (b->n_entries != p->n_entries || b->entry_size != p->entry_size)
		return "has another table size";
	if (memcmp(entries, g->entries, (size_t)p->n_entries * p->entry_size) != 0)
		return "has other entries";
	return NULL;
}

/* Only memory running out is a failure here: all else is a fact about the disk. */
static int look_at_backup(struct assay_src *disk, struct assay_gpt *g, struct assay_err *err)
{
	const uint64_t sectors = assay_src_size(disk) / g->sector_size;
	const uint64_t lba = g->header.alternate_lba;
	ASSAY_AUTO_FREE uint8_t *entries = NULL;
	struct assay_gpt_header b;
	struct assay_err why;
	const char *diff;

	g->backup = ASSAY_GPT_BACKUP_BROKEN;
	if (lba >= sectors) {
		g->backup_why = assay_asprintf("the header places it at LBA %" PRIu64
					       ", and the disk ends at LBA %" PRIu64,
					       lba, sectors - 1);
	} else if (lba <= g->header.my_lba) {
		g->backup_why = assay_asprintf("the header places it at LBA %" PRIu64, lba);
	} else if (read_table(disk, g->sector_size, lba, &b, NULL, &entries, &why) < 0) {
		if (why.code == ASSAY_E_NOMEM)
			return assay_fail_mem(err);
		g->backup_why = assay_strdup(why.msg);
	} else {
		g->backup = ASSAY_GPT_BACKUP_DIFFERS;
		diff = backup_difference(g, &b, entries);
		if (diff) {
			g->backup_why = assay_asprintf("it %s", diff);
		} else if (lba != sectors - 1) {
			g->backup_why = assay_asprintf("it is at LBA %" PRIu64
						       ", not at the disk's last, %" PRIu64,
						       lba, sectors - 1);
		} else {
			g->backup = ASSAY_GPT_BACKUP_SAME;
			return 0;
		}
	}
	return g->backup_why ? 0 : assay_fail_mem(err);
}

/* EDK2, PartitionInstallGptChildHandles(): the record that makes it look for a GPT at all. */
static int look_at_mbr(struct assay_src *disk, struct assay_gpt *g, struct assay_err *err)
{
	uint8_t mbr[512];

	if (assay_src_read(disk, 0, mbr, sizeof(mbr), err) < 0)
		return -1;
	struct assay_cur c = assay_cur_make(mbr, sizeof(mbr), assay_src_origin(disk, 0));
	assay_cur_skip(&c, 446);
	for (int i = 0; i < 4; i++) {
		uint8_t flag = assay_cur_u8(&c);
		assay_cur_skip(&c, 3);
		uint8_t type = assay_cur_u8(&c);
		assay_cur_skip(&c, 3);
		uint32_t first = assay_cur_le32(&c);
		assay_cur_skip(&c, 4);
		if (flag == 0 && type == 0xee && first == 1)
			g->protective_mbr = true;
	}
	return assay_cur_done(&c, "MBR", err);
}

static int open_at(struct assay_src *disk, uint32_t ss, struct assay_gpt **ret,
		   struct assay_err *err)
{
	ASSAY_AUTO(assay_gpt) *g = calloc(1, sizeof(*g));
	uint64_t at;

	if (!g)
		return assay_fail_mem(err);
	g->sector_size = ss;
	if (read_table(disk, ss, 1, &g->header, g->header_bytes, &g->entries, err) < 0)
		return -1;
	at = assay_src_origin(disk, g->header.entries_lba * ss);
	if (parse_entries(g, at, err) < 0 || check_overlaps(g, at, err) < 0)
		return -1;
	if (look_at_backup(disk, g, err) < 0 || look_at_mbr(disk, g, err) < 0)
		return -1;
	*ret = assay_steal(&g);
	return 0;
}

static int has_signature(struct assay_src *disk, uint32_t ss, bool *ret, struct assay_err *err)
{
	uint8_t sig[8];

	*ret = false;
	if (assay_src_size(disk) < 2 * (uint64_t)ss)
		return 0;
	if (assay_src_read(disk, ss, sig, sizeof(sig), err) < 0)
		return -1;
	*ret = memcmp(sig, "EFI PART", sizeof(sig)) == 0;
	return 0;
}

int assay_gpt_open(struct assay_src *disk, struct assay_gpt **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_gpt) *small = NULL;
	ASSAY_AUTO(assay_gpt) *large = NULL;
	bool has_small, has_large;

	if (has_signature(disk, 512, &has_small, err) < 0 ||
	    has_signature(disk, 4096, &has_large, err) < 0)
		return -1;
	if (!has_small && !has_large)
		return assay_disk_explain_no_gpt(disk, err);
	if (!has_small)
		return open_at(disk, 4096, ret, err);
	if (!has_large)
		return open_at(disk, 512, ret, err);

	/* Both signatures: a leftover is fine, two valid tables are not. */
	struct assay_err small_err;
	int small_rc = open_at(disk, 512, &small, &small_err);
	if (open_at(disk, 4096, &large, err) < 0) {
		if (small_rc < 0 && err)
			*err = small_err;
		*ret = assay_steal(&small);
		return small_rc;
	}
	if (small_rc == 0)
		return assay_fail(
			err, ASSAY_E_UNSUPPORTED, assay_src_origin(disk, 512),
			"two valid GPTs, one for 512 and one for 4096-byte sectors: which "
			"of them counts is up to the drive");
	*ret = assay_steal(&large);
	return 0;
}

void assay_gpt_free(struct assay_gpt **gpt)
{
	struct assay_gpt *g = *gpt;

	*gpt = NULL;
	if (!g)
		return;
	for (size_t i = 0; i < g->n_parts; i++)
		free(g->parts[i].name);
	free(g->parts);
	free(g->entries);
	free(g->backup_why);
	free(g);
}
