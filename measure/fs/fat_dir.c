/* SPDX-License-Identifier: Apache-2.0 */
/* FAT directories (FAT specification, sections 6 and 7): entries in order, and paths through them.
 */
#include <inttypes.h>
#include <string.h>

#include "core/cur.h"
#include "measure/fs/fat_priv.h"

#define CHUNK (64 * FAT_DIRENT)
#define DELETED 0xe5

/* A window over the entries: the one at hand and the 20 before it, nearest first. */
struct walk {
	uint8_t before[ASSAY_FAT_MAX_LFN_ENTRIES][FAT_DIRENT];
	size_t n_before;
};

static void remember(struct walk *w, const uint8_t *entry)
{
	if (w->n_before < ASSAY_FAT_MAX_LFN_ENTRIES)
		w->n_before++;
	memmove(w->before[1], w->before[0], (w->n_before - 1) * FAT_DIRENT);
	memcpy(w->before[0], entry, FAT_DIRENT);
}

static bool is_dots(const uint8_t *entry)
{
	return memcmp(entry, ".          ", FAT_SHORT) == 0 ||
	       memcmp(entry, "..         ", FAT_SHORT) == 0;
}

static int decode(const struct fat *fat, const struct walk *w, const uint8_t *entry, uint64_t at,
		  struct fat_entry *ret, struct assay_err *err)
{
	struct assay_cur c = assay_cur_make(entry, FAT_DIRENT, at);

	assay_cur_copy(&c, ret->short_name, sizeof(ret->short_name));
	ret->dir = (assay_cur_u8(&c) & FAT_ATTR_DIR) != 0;
	assay_cur_skip(&c, 8);
	uint32_t high = assay_cur_le16(&c);
	assay_cur_skip(&c, 4);
	uint32_t low = assay_cur_le16(&c);
	ret->size = assay_cur_le32(&c);
	if (assay_cur_done(&c, "directory entry", err) < 0)
		return -1;
	/* Not defined for FAT12 and FAT16; some systems keep other things there. */
	ret->cluster = fat->bpb.bits == 32 ? high << 16 | low : low;
	ret->at = at;
	assay_fat_entry_name(entry, w->before, w->n_before, &ret->name);
	return 0;
}

int assay_fat_entries(struct fat *fat, uint32_t cluster, struct assay_src **ret,
		      struct assay_err *err)
{
	if (cluster == 0 && fat->bpb.bits != 32)
		return assay_src_slice(fat->src, fat->bpb.root_off,
				       (uint64_t)fat->bpb.root_entries * FAT_DIRENT, ret, err);
	return assay_fat_chain(fat, cluster ? cluster : fat->bpb.root_cluster, true, 0, ret, err);
}

int assay_fat_visit(struct fat *fat, uint32_t cluster, fat_visit_fn *fn, void *arg,
		    struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *dir = NULL;
	struct walk w = { .n_before = 0 };
	struct fat_entry e;
	uint8_t chunk[CHUNK];

	if (assay_fat_entries(fat, cluster, &dir, err) < 0)
		return -1;

	const uint64_t size = assay_src_size(dir) / FAT_DIRENT * FAT_DIRENT;
	for (uint64_t off = 0; off < size; off += FAT_DIRENT) {
		const uint8_t *entry = chunk + off % CHUNK;
		const uint64_t at = assay_src_origin(dir, off);

		if (off % CHUNK == 0 &&
		    assay_src_read(dir, off, chunk,
				   size - off < CHUNK ? (size_t)(size - off) : CHUNK, err) < 0)
			return -1;
		if (entry[0] == 0) {
			/* The end. EDK2 reads on past an entry that is also marked as a label. */
			if (entry[11] & FAT_ATTR_VOLUME)
				return assay_fail(
					err, ASSAY_E_CORRUPT, at,
					"directory ends in an entry marked as volume label");
			return 0;
		}
		if (entry[0] != DELETED && !(entry[11] & FAT_ATTR_VOLUME) && !is_dots(entry)) {
			if (decode(fat, &w, entry, at, &e, err) < 0)
				return -1;
			int rc = fn(&e, arg, err);
			if (rc != 0)
				return rc < 0 ? -1 : 0;
		}
		remember(&w, entry);
	}
	return 0;
}
