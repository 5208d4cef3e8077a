/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GUID Partition Tables (UEFI 2.10, 5.3). The primary table is what firmware measures, so it is the
 * one that is read; the backup is compared and reported, never used instead.
 */
#ifndef ASSAY_MEASURE_DISK_GPT_H
#define ASSAY_MEASURE_DISK_GPT_H

#include <stdbool.h>

#include "core/cur.h"
#include "core/src.h"

struct assay_gpt_header {
	uint32_t header_size;
	uint32_t header_crc;
	uint64_t my_lba;
	uint64_t alternate_lba;
	uint64_t first_usable_lba;
	uint64_t last_usable_lba;
	uint8_t disk_guid[16];
	uint64_t entries_lba;
	uint32_t n_entries;
	uint32_t entry_size;
	uint32_t entries_crc;
};

/*
 * Decode one header. `in` spans the header's whole sector: signature, size against the sector, CRC,
 * revision and the size of the table are checked here, in this order; what needs the disk (own LBA,
 * usable range, entries) by assay_gpt_open(). Never writes *ret on error.
 */
int assay_gpt_parse_header(struct assay_cur in, struct assay_gpt_header *ret,
			   struct assay_err *err) ASSAY_MUST;

struct assay_gpt_part {
	unsigned index; /* from 1, as partition numbers are */
	uint8_t type[16];
	uint8_t guid[16];
	uint64_t first_lba;
	uint64_t last_lba; /* inclusive */
	uint64_t attributes;
	char *name;	 /* UTF-8 */
	uint64_t offset; /* bytes on the disk */
	uint64_t size;
};

enum assay_gpt_backup {
	ASSAY_GPT_BACKUP_SAME,
	ASSAY_GPT_BACKUP_DIFFERS, /* valid, and says something else */
	ASSAY_GPT_BACKUP_BROKEN,  /* missing, cut off, or a checksum is wrong */
};

struct assay_gpt {
	uint32_t sector_size; /* 512 or 4096, found by where the header is */
	struct assay_gpt_header header;
	uint8_t header_bytes[92];     /* as on the disk: what the firmware's event holds */
	uint8_t *entries;	      /* n_entries x entry_size bytes, as on the disk */
	struct assay_gpt_part *parts; /* the used ones, in table order */
	size_t n_parts;
	enum assay_gpt_backup backup;
	char *backup_why; /* NULL when it is the same */
	/* A record of type 0xEE that starts at LBA 1: EDK2 looks at the GPT only when it is there.
	 */
	bool protective_mbr;
};

/*
 * Reads the primary table: signature, size, CRC, own LBA, usable range, entries, their CRC, the
 * partitions' bounds, overlaps, in that order. Valid headers for both sector sizes on one disk are
 * refused: which of them counts is the drive's decision. ASSAY_E_NOTFOUND when the disk has no GPT
 * at either sector size, ASSAY_E_UNSUPPORTED when it is another format (qcow2, gzip, …).
 */
int assay_gpt_open(struct assay_src *disk, struct assay_gpt **ret,
		   struct assay_err *err) ASSAY_MUST;
void assay_gpt_free(struct assay_gpt **gpt);
ASSAY_DEFINE_AUTO(assay_gpt)

/* EFI System Partition: c12a7328-f81f-11d2-ba4b-00a0c93ec93b */
bool assay_gpt_is_esp(const struct assay_gpt_part *part);
/* Name of a well-known type GUID ("EFI System", "Linux root (x86-64)", …), or NULL. */
const char *assay_gpt_type_name(const uint8_t type[16]);

#endif
