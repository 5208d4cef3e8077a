/* SPDX-License-Identifier: Apache-2.0 */
/* FAT volumes: boot sector, cluster chains, and the row of operations. See fat.h for the rules. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "core/text.h"
#include "measure/fs/fat_priv.h"
#include "measure/fs/fs_priv.h"

#define BOOT_SECTOR 512
/* FAT specification, section 3.5: fewer clusters than these are FAT12 and FAT16. */
#define FAT12_CLUSTERS 4085
#define FAT16_CLUSTERS 65525
#define FAT32_CLUSTERS 0x0ffffff5

static bool power_of_two(uint32_t v)
{
	return v != 0 && (v & (v - 1)) == 0;
}

int assay_fat_parse_bpb(struct assay_cur in, uint64_t holder, struct assay_fat_bpb *ret,
			struct assay_err *err)
{
	const uint64_t start = in.at;
	struct assay_fat_bpb b = { 0 };

	uint8_t jump = assay_cur_u8(&in);
	assay_cur_skip(&in, 2 + 8); /* rest of the jump; OEM name */
	b.sector_size = assay_cur_le16(&in);
	uint32_t per_cluster = assay_cur_u8(&in);
	uint32_t reserved = assay_cur_le16(&in);
	b.n_fats = assay_cur_u8(&in);
	b.root_entries = assay_cur_le16(&in);
	uint32_t sectors = assay_cur_le16(&in);
	uint8_t media = assay_cur_u8(&in);
	uint32_t fat_sectors = assay_cur_le16(&in);
	assay_cur_skip(&in, 2 + 2 + 4); /* geometry, hidden sectors */
	uint32_t large_sectors = assay_cur_le32(&in);
	uint32_t large_fat_sectors = assay_cur_le32(&in);
	uint16_t flags = assay_cur_le16(&in);
	uint16_t version = assay_cur_le16(&in);
	b.root_cluster = assay_cur_le32(&in);
	assay_cur_skip(&in, 510 - 48);
	uint16_t mark = assay_cur_le16(&in);
	if (assay_cur_done(&in, "FAT boot sector", err) < 0)
		return -1;

	if (jump != 0xeb && jump != 0xe9)
		return assay_fail(err, ASSAY_E_CORRUPT, start, "FAT boot sector without a jump");
	if (mark != 0xaa55)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 510,
				  "FAT boot sector without its end mark 55 AA");
	if (!power_of_two(b.sector_size) || b.sector_size < 512 || b.sector_size > 4096)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 11,
				  "FAT sector size %" PRIu32 ", not 512, 1024, 2048 or 4096",
				  b.sector_size);
	if (!power_of_two(per_cluster))
		return assay_fail(err, ASSAY_E_CORRUPT, start + 13,
				  "FAT with %" PRIu32 " sectors in a cluster, not a power of two",
				  per_cluster);
	if (reserved == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 14, "FAT without reserved sectors");
	if (b.n_fats == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 16, "FAT filesystem without a FAT");
	if (media != 0xf0 && media < 0xf8)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 21, "FAT media byte 0x%02x", media);
	if (sectors == 0)
		sectors = large_sectors;
	if (sectors == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 32, "FAT of no sectors");

	b.bits = fat_sectors == 0 ? 32 : 0;
	if (b.bits == 32) {
		fat_sectors = large_fat_sectors;
		if (fat_sectors == 0)
			return assay_fail(err, ASSAY_E_CORRUPT, start + 36,
					  "FAT32 with a FAT of size 0");
		if (b.root_entries != 0)
			return assay_fail(err, ASSAY_E_CORRUPT, start + 17,
					  "FAT32 with %" PRIu32 " root entries", b.root_entries);
		if (version != 0)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, start + 42,
					  "FAT32 version 0x%04x", version);
		if (flags & 0x80)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, start + 40,
					  "FAT32 with mirroring off (FAT %d is active): "
					  "firmware does not open it",
					  flags & 0x0f);
	} else {
		b.root_cluster = 0;
		if (b.root_entries == 0)
			return assay_fail(err, ASSAY_E_CORRUPT, start + 17,
					  "FAT without root directory entries");
	}

	/* No sum or product here passes 2^49: sizes are 32 bits, times at most 4096. */
	b.size = (uint64_t)sectors * b.sector_size;
	b.cluster_size = per_cluster * b.sector_size;
	b.fat_off = (uint64_t)reserved * b.sector_size;
	b.fat_size = (uint64_t)fat_sectors * b.sector_size;
	b.root_off = b.fat_off + b.n_fats * b.fat_size;
	uint64_t root_size = (uint64_t)b.root_entries * FAT_DIRENT;
	b.data_off = b.root_off + (root_size + b.sector_size - 1) / b.sector_size * b.sector_size;
	if (b.size > holder)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 32,
				  "FAT of %" PRIu64 " bytes in %" PRIu64, b.size, holder);
	if (b.data_off > b.size)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 22,
				  "FAT's tables (%" PRIu64
				  " bytes) leave no room for data in %" PRIu64,
				  b.data_off, b.size);
	uint64_t clusters = (b.size - b.data_off) / b.cluster_size;
	if (clusters == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 32, "FAT without a cluster");

	/* EDK2, FatOpenDevice(), draws the same lines. */
	if (b.bits == 32 && clusters < FAT16_CLUSTERS)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, start + 36,
				  "FAT32 with %" PRIu64 " clusters, fewer than %d: "
				  "firmware does not open it",
				  clusters, FAT16_CLUSTERS);
	if (b.bits == 32 && clusters >= FAT32_CLUSTERS)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 32,
				  "FAT32 with %" PRIu64 " clusters", clusters);
	if (b.bits != 32 && clusters >= FAT16_CLUSTERS)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 22,
				  "FAT16 with %" PRIu64 " clusters, more than %d", clusters,
				  FAT16_CLUSTERS - 1);
	if (b.bits != 32)
		b.bits = clusters < FAT12_CLUSTERS ? 12 : 16;
	b.n_clusters = (uint32_t)clusters;
	if (((clusters + 2) * b.bits + 7) / 8 > b.fat_size)
		return assay_fail(err, ASSAY_E_CORRUPT, start + (b.bits == 32 ? 36 : 22),
				  "FAT of %" PRIu64 " bytes is too small for %" PRIu64 " clusters",
				  b.fat_size, clusters);
	if (b.bits == 32 && (b.root_cluster < 2 || b.root_cluster > b.n_clusters + 1))
		return assay_fail(err, ASSAY_E_CORRUPT, start + 44,
				  "FAT32 root directory at cluster %" PRIu32 " of %" PRIu32,
				  b.root_cluster, b.n_clusters + 1);
	*ret = b;
	return 0;
}

/* --- cluster chains ---- */

/* Where the FAT keeps the entry of a cluster, from the FAT's start. */
static uint64_t entry_place(const struct fat *fat, uint32_t cluster)
{
	return fat->bpb.bits == 12 ? (uint64_t)cluster + cluster / 2
				   : (uint64_t)cluster * (fat->bpb.bits / 8);
}

static uint64_t entry_at(const struct fat *fat, uint32_t cluster)
{
	return assay_src_origin(fat->src, fat->bpb.fat_off + entry_place(fat, cluster));
}

/* The cluster is in range: the caller checked. */
static int read_entry(struct fat *fat, uint32_t cluster, uint32_t *ret, struct assay_err *err)
{
	const uint64_t place = entry_place(fat, cluster);
	const uint64_t base = place - place % FAT_WINDOW;

	if (fat->window_len == 0 || fat->window_at != base) {
		uint64_t len = fat->bpb.fat_size - base;

		if (len > sizeof(fat->window))
			len = sizeof(fat->window);
		fat->window_len = 0;
		if (assay_src_read(fat->src, fat->bpb.fat_off + base, fat->window, (size_t)len,
				   err) < 0)
			return -1;
		fat->window_at = base;
		fat->window_len = (size_t)len;
	}
	struct assay_cur c = assay_cur_make(fat->window, fat->window_len,
					    assay_src_origin(fat->src, fat->bpb.fat_off + base));
	assay_cur_skip(&c, place - base);
	if (fat->bpb.bits == 32) {
		*ret = assay_cur_le32(&c) & 0x0fffffff;
	} else {
		uint32_t v = assay_cur_le16(&c);

		if (fat->bpb.bits == 12)
			v = cluster & 1 ? v >> 4 : v & 0xfff;
		*ret = v;
	}
	return assay_cur_done(&c, "FAT", err);
}

struct runs {
	struct assay_extent *e;
	size_t n;
	size_t cap;
};

static int add_cluster(const struct fat *fat, struct runs *r, uint32_t cluster,
		       struct assay_err *err)
{
	const uint64_t off = fat->bpb.data_off + (uint64_t)(cluster - 2) * fat->bpb.cluster_size;

	if (r->n > 0 && r->e[r->n - 1].off + r->e[r->n - 1].len == off) {
		r->e[r->n - 1].len += fat->bpb.cluster_size;
		return 0;
	}
	if (r->n == ASSAY_FAT_MAX_RUNS)
		return assay_fail(err, ASSAY_E_LIMIT, entry_at(fat, cluster),
				  "file in more than %u pieces", ASSAY_FAT_MAX_RUNS);
	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 8;
		struct assay_extent *e = realloc(r->e, cap * sizeof(*e));

		if (!e)
			return assay_fail_mem(err);
		r->e = e;
		r->cap = cap;
	}
	r->e[r->n++] = (struct assay_extent){ .off = off, .len = fat->bpb.cluster_size };
	return 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct assay_extent *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

/*
 * A chain that comes back to a cluster. The walk stops early at a loop (see below); this finds also
 * one that the file's size cuts off before the walk notices.
 */
static int check_revisits(const struct fat *fat, const struct runs *r, uint32_t first,
			  struct assay_err *err)
{
	ASSAY_AUTO_FREE struct assay_extent *sorted = NULL;

	if (r->n < 2)
		return 0;
	sorted = malloc(r->n * sizeof(*sorted));
	if (!sorted)
		return assay_fail_mem(err);
	memcpy(sorted, r->e, r->n * sizeof(*sorted));
	qsort(sorted, r->n, sizeof(*sorted), by_offset);
	for (size_t i = 1; i < r->n; i++)
		if (sorted[i].off < sorted[i - 1].off + sorted[i - 1].len)
			return assay_fail(err, ASSAY_E_CORRUPT, entry_at(fat, first),
					  "cluster chain from %" PRIu32 " loops", first);
	return 0;
}

static int collect(struct fat *fat, uint32_t first, bool whole, uint32_t size, struct runs *r,
		   struct assay_err *err)
{
	const struct assay_fat_bpb *b = &fat->bpb;
	const uint32_t bad = b->bits == 12 ? 0xff7 : b->bits == 16 ? 0xfff7 : 0x0ffffff7;
	const uint64_t dir_max = (uint64_t)ASSAY_FAT_MAX_DIR_ENTRIES * FAT_DIRENT;
	const uint64_t want = ((uint64_t)size + b->cluster_size - 1) / b->cluster_size;
	uint32_t cluster = first, previous = 0;
	/* Brent's cycle finding: a tortoise that jumps to the hare at each power of two. */
	uint32_t tortoise = 0;
	uint64_t jump = 1, since = 0;

	if (want > b->n_clusters)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
				  "size %" PRIu32 " needs %" PRIu64
				  " clusters, the volume has %" PRIu32,
				  size, want, b->n_clusters);
	for (uint64_t n = 0; whole || n < want; n++) {
		const uint64_t at = previous ? entry_at(fat, previous) : ASSAY_NO_OFFSET;

		if (cluster > bad && whole && n > 0)
			break;
		if (cluster > bad && !whole)
			return assay_fail(err, ASSAY_E_CORRUPT, at,
					  "cluster chain ends after %" PRIu64 " of %" PRIu64
					  " clusters",
					  n, want);
		if (cluster == bad)
			return assay_fail(err, ASSAY_E_CORRUPT, at,
					  "cluster chain leads to a bad cluster");
		if (cluster < 2 || cluster > b->n_clusters + 1)
			return assay_fail(err, ASSAY_E_CORRUPT, at,
					  "cluster chain leads to cluster %" PRIu32
					  ", there are 2 to %" PRIu32,
					  cluster, b->n_clusters + 1);
		if (cluster == tortoise)
			return assay_fail(err, ASSAY_E_CORRUPT, at,
					  "cluster chain from %" PRIu32 " loops", first);
		if (since == jump || n == 0) {
			tortoise = cluster;
			jump *= 2;
			since = 0;
		}
		since++;
		if (whole && n * b->cluster_size >= dir_max)
			return assay_fail(err, ASSAY_E_LIMIT, at,
					  "directory of more than %u entries",
					  ASSAY_FAT_MAX_DIR_ENTRIES);
		if (add_cluster(fat, r, cluster, err) < 0)
			return -1;
		previous = cluster;
		/* The link behind a file's last cluster is nobody's business: firmware reads by
		 * size. */
		if ((whole || n + 1 < want) && read_entry(fat, cluster, &cluster, err) < 0)
			return -1;
	}
	return check_revisits(fat, r, first, err);
}

int assay_fat_chain(struct fat *fat, uint32_t first, bool whole, uint32_t size,
		    struct assay_src **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *clusters = NULL;
	struct runs r = { 0 };

	if (collect(fat, first, whole, size, &r, err) < 0) {
		free(r.e);
		return -1;
	}
	if (!whole && r.n > 0) {
		/* Cut the last cluster to the file's size. */
		uint64_t rest = size % fat->bpb.cluster_size;

		if (rest)
			r.e[r.n - 1].len -= fat->bpb.cluster_size - rest;
	}
	int rc = assay_src_extents(fat->src, r.e, r.n, &clusters, err);
	free(r.e);
	if (rc < 0)
		return -1;
	*ret = assay_steal(&clusters);
	return 0;
}

/* --- paths ---- */

struct search {
	struct fat_wanted wanted;
	struct fat_entry found;
	bool hit;
};

static int search_visit(const struct fat_entry *e, void *arg, struct assay_err *err)
{
	struct search *s = arg;

	(void)err;
	if (!assay_fat_matches(&s->wanted, e))
		return 0;
	s->found = *e;
	s->hit = true;
	return 1;
}

struct place {
	bool dir;
	uint32_t cluster; /* 0: the root */
	uint32_t size;
};

/* Follow a path; `spelled` gets it as the disk has it. */
static int resolve(struct fat *fat, const char *path, struct place *ret, struct assay_str *spelled,
		   struct assay_err *err)
{
	struct place at = { .dir = true };
	struct search s;
	unsigned depth = 0;
	bool possible;

	if (path[0] != '/')
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
				  "path does not start with '/'");
	if (strlen(path) > ASSAY_FS_MAX_PATH)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "path of %zu bytes, limit %u", strlen(path), ASSAY_FS_MAX_PATH);
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 0) {
			path++;
			continue;
		}
		if (++depth > ASSAY_FS_MAX_DEPTH)
			return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
					  "path of more than %u components", ASSAY_FS_MAX_DEPTH);
		if (!at.dir)
			return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
					  "%s: not a directory", spelled->p);
		if (assay_fat_wanted(path, len, &s.wanted, &possible, err) < 0)
			return -1;
		s.hit = false;
		if (possible && assay_fat_visit(fat, at.cluster, search_visit, &s, err) < 0)
			return assay_wrap(err, "directory %s", spelled->p ? spelled->p : "/");
		if (!s.hit)
			return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
					  "no such file: %s/%.*s", spelled->p ? spelled->p : "",
					  (int)len, path);
		ASSAY_AUTO_FREE char *name = assay_fat_name_utf8(&s.found.name);
		if (!name)
			return assay_fail_mem(err);
		assay_str_add(spelled, "/%s", name);
		if (spelled->bad)
			return assay_fail_mem(err);
		/* Cluster 0 would be the root (it is what ".." has there), and then a loop. */
		if (s.found.dir && s.found.cluster == 0)
			return assay_fail(err, ASSAY_E_CORRUPT, s.found.at,
					  "directory %s starts at cluster 0", spelled->p);
		at = (struct place){ s.found.dir, s.found.cluster, s.found.size };
		path += len;
		if (*path == '/' && !at.dir)
			return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
					  "%s: not a directory", spelled->p);
	}
	*ret = at;
	return 0;
}

struct listing {
	struct assay_dir dir;
	size_t cap;
};

static int list_visit(const struct fat_entry *e, void *arg, struct assay_err *err)
{
	struct listing *l = arg;

	/* Firmware would list it, nobody could name it in a path: do not pass over it in silence.
	 */
	for (size_t i = 0; i < e->name.n; i++)
		if (e->name.u[i] < 0x20 || e->name.u[i] == '/' || e->name.u[i] == '\\')
			return assay_fail(err, ASSAY_E_CORRUPT, e->at,
					  "directory entry with character 0x%02x in its name",
					  e->name.u[i]);
	if (l->dir.n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 16;
		struct assay_dirent *d = realloc(l->dir.e, cap * sizeof(*d));

		if (!d)
			return assay_fail_mem(err);
		l->dir.e = d;
		l->cap = cap;
	}
	char *name = assay_fat_name_utf8(&e->name);
	if (!name)
		return assay_fail_mem(err);
	l->dir.e[l->dir.n++] = (struct assay_dirent){ .name = name,
						      .kind = e->dir ? ASSAY_FS_DIR : ASSAY_FS_FILE,
						      .size = e->dir ? 0 : e->size };
	return 0;
}

static int fat_list(void *fs, const char *path, struct assay_dir *ret, struct assay_err *err)
{
	struct fat *fat = fs;
	struct assay_str spelled = { 0 };
	struct listing l = { 0 };
	struct place at;
	int rc = resolve(fat, path, &at, &spelled, err);

	if (rc == 0 && !at.dir)
		rc = assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "%s: not a directory",
				spelled.p);
	if (rc == 0 && assay_fat_visit(fat, at.cluster, list_visit, &l, err) < 0)
		rc = assay_wrap(err, "directory %s", spelled.p ? spelled.p : "/");
	assay_str_clear(&spelled);
	if (rc < 0) {
		assay_dir_clear(&l.dir);
		return -1;
	}
	*ret = l.dir;
	return 0;
}

static int fat_file(void *fs, const char *path, struct assay_src **ret, char **ret_path,
		    struct assay_err *err)
{
	struct fat *fat = fs;
	struct assay_str spelled = { 0 };
	ASSAY_AUTO(assay_src) *file = NULL;
	struct place at;
	int rc = resolve(fat, path, &at, &spelled, err);

	if (rc == 0 && at.dir)
		rc = assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "%s: is a directory",
				spelled.p ? spelled.p : "/");
	if (rc == 0 && assay_fat_chain(fat, at.cluster, false, at.size, &file, err) < 0)
		rc = assay_wrap(err, "file %s", spelled.p);
	if (rc == 0 && ret_path) {
		*ret_path = assay_str_steal(&spelled);
		if (!*ret_path)
			rc = assay_fail_mem(err);
	}
	assay_str_clear(&spelled);
	if (rc < 0)
		return -1;
	*ret = assay_steal(&file);
	return 0;
}

/* --- the row ---- */

static bool fat_probe(struct assay_src *src)
{
	uint8_t b[BOOT_SECTOR];

	if (assay_src_size(src) < sizeof(b) || assay_src_read(src, 0, b, sizeof(b), NULL) < 0)
		return false;
	if (memcmp(b + 3, "NTFS    ", 8) == 0 || memcmp(b + 3, "EXFAT   ", 8) == 0 ||
	    memcmp(b + 3, "-FVE-FS-", 8) == 0)
		return false;
	if (memcmp(b + 54, "FAT1", 4) == 0 || memcmp(b + 82, "FAT32", 5) == 0)
		return true;
	/* The strings are optional: a jump, the end mark, and a believable sector size will do. */
	return (b[0] == 0xeb || b[0] == 0xe9) && b[510] == 0x55 && b[511] == 0xaa && b[11] == 0 &&
	       (b[12] == 2 || b[12] == 4 || b[12] == 8 || b[12] == 16);
}

static void fat_free(void *fs)
{
	struct fat *fat = fs;

	if (!fat)
		return;
	assay_src_free(&fat->src);
	free(fat);
}

static int fat_open(struct assay_src *src, void **ret, struct assay_err *err)
{
	uint8_t boot[BOOT_SECTOR];
	struct assay_fat_bpb bpb;
	struct fat *fat;

	if (assay_src_size(src) < sizeof(boot))
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(src, 0),
				  "FAT boot sector cut short: %zu bytes wanted, %" PRIu64 " left",
				  sizeof(boot), assay_src_size(src));
	if (assay_src_read(src, 0, boot, sizeof(boot), err) < 0)
		return -1;
	if (assay_fat_parse_bpb(assay_cur_make(boot, sizeof(boot), assay_src_origin(src, 0)),
				assay_src_size(src), &bpb, err) < 0)
		return -1;
	fat = calloc(1, sizeof(*fat));
	if (!fat)
		return assay_fail_mem(err);
	fat->src = assay_src_ref(src);
	fat->bpb = bpb;
	*ret = fat;
	return 0;
}

static const char *fat_label(const void *fs)
{
	const struct fat *fat = fs;

	return fat->bpb.bits == 12 ? "FAT12" : fat->bpb.bits == 16 ? "FAT16" : "FAT32";
}

const struct assay_fs_ops assay_fat_ops = {
	.name = "vfat",
	.probe = fat_probe,
	.open = fat_open,
	.label = fat_label,
	.list = fat_list,
	.file = fat_file,
	.free = fat_free,
};

uint32_t assay_fat_sector_size(const struct assay_fs *fs)
{
	const struct fat *fat = fs->data;

	return fs->ops == &assay_fat_ops ? fat->bpb.sector_size : 0;
}

const struct assay_fat_bpb *assay_fat_shape(const struct assay_fs *fs)
{
	return fs->ops == &assay_fat_ops ? &((const struct fat *)fs->data)->bpb : NULL;
}

int assay_fat_folder(struct assay_fs *fs, const char *path, struct assay_src **ret,
		     struct assay_err *err)
{
	struct assay_str spelled = { 0 };
	struct place at;
	int rc;

	if (fs->ops != &assay_fat_ops)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "no FAT filesystem");
	rc = resolve(fs->data, path, &at, &spelled, err);
	if (rc == 0 && !at.dir)
		rc = assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "%s: not a directory",
				spelled.p);
	if (rc == 0)
		rc = assay_fat_entries(fs->data, at.cluster, ret, err);
	assay_str_clear(&spelled);
	return rc;
}
