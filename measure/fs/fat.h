/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FAT12, FAT16 and FAT32, read as firmware does (Microsoft FAT specification, August 2005; where
 * it leaves room, EDK2's FatPkg/EnhancedFatDxe decides):
 *
 * - FAT32 is what has no 16-bit FAT size; the cluster count tells FAT12 from FAT16. A FAT32 volume
 *   of less than 65525 clusters is refused by name: EDK2 does not open it.
 * - The first FAT is read. A FAT32 volume whose mirroring is off is refused by name, as EDK2 does.
 * - A name matches when ASCII and Latin-1 letters agree but for their case and all else is equal
 *   (EDK2's English collation), or when its 8.3 form is the entry's. The first match counts.
 * - A long name counts when its entries stand in order directly before their 8.3 entry and carry
 *   its checksum; otherwise the 8.3 name does. Bytes above 0x7f in it are taken as Latin-1.
 */
#ifndef ASSAY_MEASURE_FS_FAT_H
#define ASSAY_MEASURE_FS_FAT_H

#include "core/cur.h"
#include "measure/fs/fs.h"

struct assay_fat_bpb {
	unsigned bits; /* 12, 16 or 32 */
	uint32_t sector_size;
	uint32_t cluster_size; /* bytes */
	uint32_t n_fats;
	uint32_t root_entries; /* 0 for FAT32 */
	uint32_t root_cluster; /* FAT32 */
	uint32_t n_clusters;   /* clusters are numbered 2 to n_clusters + 1 */
	uint64_t size;	       /* of the volume, bytes */
	uint64_t fat_off;      /* bytes from the volume's start: the first FAT */
	uint64_t fat_size;     /* bytes of one FAT */
	uint64_t root_off;     /* FAT12 and FAT16 */
	uint64_t data_off;     /* cluster 2 */
};

/* The boot sector's first 512 bytes, against the size of what holds the volume. */
int assay_fat_parse_bpb(struct assay_cur in, uint64_t holder, struct assay_fat_bpb *ret,
			struct assay_err *err) ASSAY_MUST;

/* Where its parts lie; NULL when it is no FAT. */
const struct assay_fat_bpb *assay_fat_shape(const struct assay_fs *fs);
/* The entries of a folder, as bytes. */
int assay_fat_folder(struct assay_fs *fs, const char *path, struct assay_src **ret,
		     struct assay_err *err) ASSAY_MUST;

/* The FAT's own sector size (which is not always the disk's), or 0 when it is no FAT. */
uint32_t assay_fat_sector_size(const struct assay_fs *fs);

#endif
