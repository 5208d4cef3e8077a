/* SPDX-License-Identifier: Apache-2.0 */
/* Shared between fat.c (volume, chains), fat_dir.c (directories) and fat_name.c (names). */
#ifndef ASSAY_MEASURE_FS_FAT_PRIV_H
#define ASSAY_MEASURE_FS_FAT_PRIV_H

#include "core/limits.h"
#include "measure/fs/fat.h"

#define FAT_WINDOW 32768
#define FAT_DIRENT 32
#define FAT_SHORT 11
#define FAT_LFN_UNITS 13
/* UTF-16 units of the longest name, without a NUL. */
#define FAT_NAME_MAX (ASSAY_FAT_MAX_LFN_ENTRIES * FAT_LFN_UNITS)

#define FAT_ATTR_VOLUME 0x08
#define FAT_ATTR_DIR 0x10
#define FAT_ATTR_LFN 0x0f

struct fat {
	struct assay_src *src;
	struct assay_fat_bpb bpb;
	/* One window of the FAT: chains mostly ascend. */
	uint64_t window_at; /* offset in the FAT */
	size_t window_len;
	uint8_t window[FAT_WINDOW +
		       4]; /* an entry may cross the window's end by up to three bytes */
};

struct fat_name {
	uint16_t u[FAT_NAME_MAX];
	size_t n;
};

struct fat_entry {
	struct fat_name name;
	uint8_t short_name[FAT_SHORT];
	bool dir;
	uint32_t cluster;
	uint32_t size;
	uint64_t at; /* of the 8.3 entry, in the outermost file */
};

/* --- fat.c --- */

/*
 * The clusters from `first` on as one source: of `size` bytes for a file; for a directory
 * (whole = true) up to the chain's end.
 */
int assay_fat_chain(struct fat *fat, uint32_t first, bool whole, uint32_t size,
		    struct assay_src **ret, struct assay_err *err) ASSAY_MUST;

/* --- fat_dir.c --- */

/* Calls fn for each file and directory of the directory at `cluster` (0: the root); fn returns 0 to
 * go on, 1 to stop (which is not an error), -1 on error. */
typedef int fat_visit_fn(const struct fat_entry *e, void *arg, struct assay_err *err);
int assay_fat_visit(struct fat *fat, uint32_t cluster, fat_visit_fn *fn, void *arg,
		    struct assay_err *err) ASSAY_MUST;

/* The entries as bytes. */
int assay_fat_entries(struct fat *fat, uint32_t cluster, struct assay_src **ret,
		      struct assay_err *err) ASSAY_MUST;

/* --- fat_name.c --- */

/* The name of an entry from its 8.3 entry and the (up to 20) entries before it, nearest first. */
void assay_fat_entry_name(const uint8_t *entry, const uint8_t (*before)[FAT_DIRENT],
			  size_t n_before, struct fat_name *ret);
/* A path component, as a long name, and as an 8.3 name if it can be one. */
struct fat_wanted {
	struct fat_name name;
	bool has_short;
	uint8_t short_name[FAT_SHORT];
};
/* false when no entry can have this name: too long, or empty, "." or "..". */
int assay_fat_wanted(const char *component, size_t len, struct fat_wanted *ret, bool *ret_possible,
		     struct assay_err *err) ASSAY_MUST;
bool assay_fat_matches(const struct fat_wanted *wanted, const struct fat_entry *e);
/* Fresh UTF-8. */
char *assay_fat_name_utf8(const struct fat_name *name);

#endif
