/* SPDX-License-Identifier: Apache-2.0 */
/* The regions that a partition table makes: itself, its backup, and each partition as a whole. */
#include <string.h>

#include "core/limits.h"
#include "measure/facts_priv.h"

#define MBR_RECORDS 446
#define MBR_END 510
#define HEADER_EVENT 92 /* bytes of the header in the event that firmware measures */

static int one(struct assay_regions *r, enum assay_region_layer layer, uint64_t offset, uint64_t size,
	       enum assay_measured measured, const char *by, const char *what, struct assay_err *err)
{
	unsigned label;

	if (assay_regions_label(r, measured, by, &label, err, "%s", what) < 0)
		return -1;
	return assay_regions_claim(r, layer, offset, size, label, err);
}

static int claim_mbr(struct assay_regions *r, const struct assay_gpt *gpt, struct assay_err *err)
{
	const enum assay_region_layer l = ASSAY_LAYER_STRUCTURE;

	if (one(r, l, 0, MBR_RECORDS, ASSAY_MEASURED_NO, NULL, "protective MBR: boot code", err) < 0 ||
	    one(r, l, MBR_RECORDS, MBR_END - MBR_RECORDS, ASSAY_MEASURED_PARTLY, "facts",
		"protective MBR: partition records", err) < 0)
		return -1;
	return one(r, l, MBR_END, gpt->sector_size - MBR_END, ASSAY_MEASURED_NO, NULL,
		   "protective MBR: its end mark and the rest of the sector", err);
}

static int claim_primary(struct assay_regions *r, const struct assay_gpt *gpt, struct assay_err *err)
{
	static const uint8_t unused[16] = { 0 };
	const enum assay_region_layer l = ASSAY_LAYER_STRUCTURE;
	const struct assay_gpt_header *h = &gpt->header;
	const uint64_t at = (uint64_t)h->my_lba * gpt->sector_size;
	unsigned used, spare;

	if (one(r, l, at, HEADER_EVENT, ASSAY_MEASURED_YES, "PCR 5", "GPT header", err) < 0 ||
	    one(r, l, at + HEADER_EVENT, h->header_size - HEADER_EVENT, ASSAY_MEASURED_PARTLY,
		"CRC in the GPT header", "GPT header: what later versions keep there", err) < 0 ||
	    one(r, l, at + h->header_size, gpt->sector_size - h->header_size, ASSAY_MEASURED_NO, NULL,
		"rest of the GPT header's sector", err) < 0 ||
	    assay_regions_label(r, ASSAY_MEASURED_YES, "PCR 5", &used, err, "GPT entries") < 0 ||
	    assay_regions_label(r, ASSAY_MEASURED_PARTLY, "CRC in the GPT header", &spare, err,
				"GPT entries that are not used") < 0)
		return -1;
	for (uint32_t i = 0; i < h->n_entries; i++) {
		const uint64_t place = (uint64_t)i * h->entry_size;
		const bool free_entry = memcmp(gpt->entries + place, unused, sizeof(unused)) == 0;

		if (assay_regions_claim(r, l, h->entries_lba * gpt->sector_size + place, h->entry_size,
					free_entry ? spare : used, err) < 0)
			return -1;
	}
	return 0;
}

/* What look_at_backup() in disk/gpt.c reads: the header's sector and, when that is a header, its table. */
static int claim_backup(struct assay_regions *r, struct assay_src *disk, const struct assay_gpt *gpt,
			struct assay_err *err)
{
	/* It may lie anywhere: over whatever else is there. */
	const enum assay_region_layer l = ASSAY_LAYER_DETAIL;
	const uint64_t sectors = assay_src_size(disk) / gpt->sector_size;
	const uint64_t lba = gpt->header.alternate_lba, at = lba * gpt->sector_size;
	struct assay_gpt_header h;
	uint8_t sector[4096];
	struct assay_err why;

	if (lba >= sectors || lba <= gpt->header.my_lba)
		return 0;
	if (assay_src_read(disk, at, sector, gpt->sector_size, err) < 0)
		return -1;
	if (assay_gpt_parse_header(assay_cur_make(sector, gpt->sector_size, at), &h, &why) < 0)
		return one(r, l, at, gpt->sector_size, ASSAY_MEASURED_PARTLY, "facts",
			   "where the backup GPT header ought to be", err);
	if (one(r, l, at, h.header_size, ASSAY_MEASURED_YES, "facts", "backup GPT header", err) < 0 ||
	    one(r, l, at + h.header_size, gpt->sector_size - h.header_size, ASSAY_MEASURED_NO, NULL,
		"rest of the backup GPT header's sector", err) < 0)
		return -1;
	if (h.entries_lba >= sectors)
		return 0;
	return one(r, l, h.entries_lba * gpt->sector_size, (uint64_t)h.n_entries * h.entry_size,
		   ASSAY_MEASURED_PARTLY, "facts", "backup GPT entries", err);
}

int assay_regions_gpt(struct assay_regions *r, struct assay_src *disk, const struct assay_gpt *gpt,
		      const struct assay_gpt_part *esp_part, struct assay_err *err)
{
	if (claim_mbr(r, gpt, err) < 0 || claim_primary(r, gpt, err) < 0 ||
	    claim_backup(r, disk, gpt, err) < 0)
		return -1;
	for (size_t i = 0; i < gpt->n_parts; i++) {
		const struct assay_gpt_part *p = &gpt->parts[i];
		const char *type = assay_gpt_type_name(p->type);
		const bool esp = p == esp_part;
		unsigned label;

		if (assay_regions_label(r, esp ? ASSAY_MEASURED_PARTLY : ASSAY_MEASURED_NO,
					esp ? "facts" : NULL, &label, err, "partition %u (%s)%s", p->index,
					esp ? "ESP" : type ? type : "of unknown type",
					esp ? "" : ": nothing looks into it") < 0 ||
		    assay_regions_claim(r, ASSAY_LAYER_PARTITION, p->offset, p->size, label, err) < 0)
			return -1;
	}
	return 0;
}
