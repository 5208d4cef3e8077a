/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_fs_open, assay_fs_list, assay_fs_file and all of measure/fs/fat*.c.
 *
 * The input is two pieces of a volume that is zeros elsewhere. Its first nine bytes, little-endian:
 * the volume's size (three bytes of sectors, one of bytes), the length of the first piece (two),
 * the sector where the second one lies (three). The whole tree is listed within bounds, and every
 * file opened and read.
 */
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "measure/fs/fat.h"

/* FAT32 has at least 65525 clusters: 36 MiB with the smallest. */
#define VOLUME_MAX (36U << 20)
#define CALLS 200
#define READ_MAX (1U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct walk {
	struct assay_fs *fs;
	unsigned calls;
};

static void read_file(struct walk *w, const char *path, uint64_t size)
{
	ASSAY_AUTO(assay_src) *file = NULL;
	ASSAY_AUTO_FREE char *spelled = NULL;
	static uint8_t buf[4096];
	struct assay_err err;

	if (assay_fs_file(w->fs, path, &file, &spelled, &err) < 0)
		return;
	/* Two entries may have one name: the first of them answers. */
	(void)size;
	for (uint64_t off = 0; off < assay_src_size(file) && off < READ_MAX; off += sizeof(buf)) {
		uint64_t left = assay_src_size(file) - off;

		if (assay_src_read(file, off, buf, left < sizeof(buf) ? (size_t)left : sizeof(buf),
				   &err) < 0)
			abort();
	}
}

static void list(struct walk *w, const char *path, unsigned depth)
{
	struct assay_dir dir;
	struct assay_err err;

	if (depth > 8 || w->calls++ > CALLS || assay_fs_list(w->fs, path, &dir, &err) < 0)
		return;
	for (size_t i = 0; i < dir.n && w->calls < CALLS; i++) {
		char *sub = assay_asprintf("%s/%s", path[1] ? path : "", dir.e[i].name);

		if (!sub)
			abort();
		if (dir.e[i].kind == ASSAY_FS_DIR) {
			list(w, sub, depth + 1);
		} else {
			w->calls++;
			read_file(w, sub, dir.e[i].size);
		}
		free(sub);
	}
	assay_dir_clear(&dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_fs) *fs = NULL;
	static uint8_t *volume;
	struct assay_err err;

	if (size < 9)
		return 0;
	/* One zeroed volume for all runs: what an input wrote is wiped after it. */
	if (!volume)
		volume = calloc(1, VOLUME_MAX);
	if (!volume)
		abort();
	size_t total = (size_t)(data[0] | data[1] << 8 | data[2] << 16) * 512 + data[3];
	size_t first = (size_t)(data[4] | data[5] << 8);
	size_t place = (size_t)(data[6] | data[7] << 8 | data[8] << 16) * 512;
	data += 9;
	size -= 9;
	if (total > VOLUME_MAX)
		total = VOLUME_MAX;
	first = first < size ? first : size;
	first = first < total ? first : total;
	place = place < total ? place : total;
	size_t second = size - first < total - place ? size - first : total - place;
	memcpy(volume, data, first);
	memcpy(volume + place, data + first, second);
	if (assay_src_from_mem(volume, total, &src, &err) == 0 &&
	    assay_fs_open(src, &fs, &err) == 0) {
		struct walk w = { .fs = fs };

		(void)assay_fs_name(fs);
		(void)assay_fat_sector_size(fs);
		list(&w, "/", 0);
		read_file(&w, "/EFI/BOOT/BOOTX64.EFI", 0);
	}
	memset(volume, 0, first);
	memset(volume + place, 0, second);
	return 0;
}
