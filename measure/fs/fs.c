/* SPDX-License-Identifier: Apache-2.0 */
/* Filesystems: finding the row for some bytes, and names for those that have none. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "measure/fs/fs_priv.h"

static const struct assay_fs_ops *const rows[] = {
	&assay_fat_ops,
	&assay_erofs_ops,
	&assay_squashfs_ops,
	&assay_ext4_ops,
};

/* For the message only. Superblock magics as each format's own documentation has them. */
static const struct {
	uint32_t off;
	uint8_t len;
	char bytes[11];
	const char *what;
} known[] = {
	{ 0, 6, "LUKS\xba\xbe", "an encrypted filesystem (LUKS)" },
	{ 3, 8, "-FVE-FS-", "an encrypted filesystem (BitLocker)" },
	{ 3, 8, "NTFS    ", "NTFS" },
	{ 3, 8, "EXFAT   ", "exFAT" },
	{ 1080, 2, "\x53\xef", "ext2, ext3 or ext4" },
	{ 0, 4, "sqsh", "squashfs of a big-endian machine, before 4.0" },
	{ 0, 4, "XFSB", "XFS" },
	{ 65600, 8, "_BHRfS_M", "btrfs" },
	{ 1024, 4, "\x10\x20\xf5\xf2", "F2FS" },
	{ 32769, 5, "CD001", "ISO 9660" },
	{ 4086, 10, "SWAPSPACE2", "Linux swap" },
	{ 0, 8, "verity\0\0", "a dm-verity hash tree" },
	{ 536, 8, "LVM2 001", "an LVM physical volume" },
	{ 4096, 4, "\xfc\x4e\x2b\xa9", "a Linux RAID member" },
	{ 0, 4, "\x45\x3d\xcd\x28", "cramfs" },
};

/*
 * `strong`: signs that are long enough, and that stand where formats have their own headers, none
 * of which leaves what was there before.
 */
static const char *recognise(struct assay_src *src, bool strong)
{
	uint8_t b[16];

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strong && (known[i].len < 4 || known[i].off >= 4096))
			continue;
		if (assay_range_inside(known[i].off, known[i].len, assay_src_size(src)) &&
		    assay_src_read(src, known[i].off, b, known[i].len, NULL) == 0 &&
		    memcmp(b, known[i].bytes, known[i].len) == 0)
			return known[i].what;
	}
	return NULL;
}

static bool starts_with_zeros(struct assay_src *src)
{
	uint8_t b[4096];
	size_t len = assay_src_size(src) < sizeof(b) ? (size_t)assay_src_size(src) : sizeof(b);
	uint8_t any = 0;

	if (assay_src_read(src, 0, b, len, NULL) < 0)
		return false;
	for (size_t i = 0; i < len; i++)
		any |= b[i];
	return any == 0;
}

/* What would take these bytes: at most one row, or a format without one. */
struct taker {
	const struct assay_fs_ops *row;
	void *data; /* NULL when `why` says why the row does not open it */
	struct assay_err why;
	struct assay_err broken; /* of the first row that finds it damaged */
};

static int two_formats(const char *a, const char *b, uint64_t at, struct assay_err *err)
{
	return assay_fail(
		err, ASSAY_E_UNSUPPORTED, at,
		"ambiguous: this is %s, and it is %s as well; which one a machine takes is "
		"anybody's guess",
		a, b);
}

static int try_row(const struct assay_fs_ops *row, struct assay_src *src, struct taker *t,
		   struct assay_err *err)
{
	struct assay_err why = { 0 };
	void *data = NULL;

	if (row->open(src, &data, &why) < 0) {
		if (why.code == ASSAY_E_NOMEM || why.code == ASSAY_E_IO) {
			if (err)
				*err = why;
			return -1;
		}
		/* What contradicts itself is left over from earlier, or a boot sector that is like
		 * another's. */
		if (why.code == ASSAY_E_CORRUPT) {
			if (t->broken.code == ASSAY_OK)
				t->broken = why;
			return 0;
		}
	}
	if (t->row) {
		if (data)
			row->free(data);
		return two_formats(t->row->name, row->name, assay_src_origin(src, 0), err);
	}
	t->row = row;
	t->data = data;
	t->why = why;
	return 0;
}

static int find_taker(struct assay_src *src, struct taker *t, struct assay_err *err)
{
	const char *other;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i]->probe(src) && try_row(rows[i], src, t, err) < 0)
			return -1;
	if (!t->row)
		return 0;
	other = recognise(src, true);
	return other ? two_formats(t->row->name, other, assay_src_origin(src, 0), err) : 0;
}

static int name_others(struct assay_src *src, struct assay_err *err)
{
	const uint64_t at = assay_src_origin(src, 0);
	const char *what;

	if (assay_src_size(src) == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, at, "no filesystem: it is empty");
	what = recognise(src, false);
	if (what)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "unsupported: this is %s", what);
	if (starts_with_zeros(src))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at,
				  "unknown filesystem: it starts with zeros");
	return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "unknown filesystem");
}

bool assay_fs_probe(struct assay_src *src)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i]->probe(src))
			return true;
	return false;
}

int assay_fs_open(struct assay_src *src, struct assay_fs **ret, struct assay_err *err)
{
	struct taker t = { 0 };
	struct assay_fs *fs;

	if (find_taker(src, &t, err) < 0) {
		if (t.data)
			t.row->free(t.data);
		return -1;
	}
	if (!t.data) {
		if (!t.row && t.broken.code == ASSAY_OK)
			return name_others(src, err);
		if (err)
			*err = t.row ? t.why : t.broken;
		return -1;
	}
	fs = calloc(1, sizeof(*fs));
	if (!fs) {
		t.row->free(t.data);
		return assay_fail_mem(err);
	}
	fs->ops = t.row;
	fs->data = t.data;
	fs->src = assay_src_ref(src);
	*ret = fs;
	return 0;
}

int assay_fs_open_fat(struct assay_src *src, struct assay_fs **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_fs) *fs = NULL;

	if (assay_fs_open(src, &fs, err) < 0)
		return -1;
	if (fs->ops != &assay_fat_ops)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, assay_src_origin(src, 0),
				  "unsupported: this is %s; firmware reads FAT", assay_fs_name(fs));
	*ret = assay_steal(&fs);
	return 0;
}

void assay_fs_free(struct assay_fs **fs)
{
	struct assay_fs *f = *fs;

	*fs = NULL;
	if (!f)
		return;
	f->ops->free(f->data);
	assay_src_free(&f->src);
	free(f);
}

const char *assay_fs_name(const struct assay_fs *fs)
{
	return fs->ops->label(fs->data);
}

bool assay_fs_has_nodes(const struct assay_fs *fs)
{
	return fs->ops->nodes != NULL;
}

int assay_fs_node_stat(struct assay_fs *fs, uint64_t node, struct assay_fs_stat *ret,
		       struct assay_err *err)
{
	return fs->ops->nodes->stat(fs->data, node, ret, err);
}

int assay_fs_node_readlink(struct assay_fs *fs, uint64_t node, char **ret, struct assay_err *err)
{
	return fs->ops->nodes->readlink(fs->data, node, ret, err);
}

int assay_fs_list(struct assay_fs *fs, const char *path, struct assay_dir *ret,
		  struct assay_err *err)
{
	const struct assay_fs_nodes *nodes = fs->ops->nodes;
	struct assay_fs_stat st;
	uint64_t node;

	if (!nodes)
		return fs->ops->list(fs->data, path, ret, err);
	if (assay_fs_resolve(fs, path, true, &node, NULL, err) < 0)
		return -1;
	if (nodes->stat(fs->data, node, &st, err) < 0)
		return assay_wrap(err, "%s", path);
	if (st.kind != ASSAY_FS_DIR)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "%s: not a directory",
				  path);
	if (nodes->list(fs->data, node, ret, err) < 0)
		return assay_wrap(err, "%s", path);
	return 0;
}

void assay_dir_clear(struct assay_dir *dir)
{
	for (size_t i = 0; i < dir->n; i++)
		free(dir->e[i].name);
	free(dir->e);
	*dir = (struct assay_dir){ 0 };
}

int assay_fs_file(struct assay_fs *fs, const char *path, struct assay_src **ret, char **ret_path,
		  struct assay_err *err)
{
	const struct assay_fs_nodes *nodes = fs->ops->nodes;
	ASSAY_AUTO_FREE char *real = NULL;
	struct assay_fs_stat st;
	uint64_t node;

	if (!nodes)
		return fs->ops->file(fs->data, path, ret, ret_path, err);
	if (assay_fs_resolve(fs, path, true, &node, ret_path ? &real : NULL, err) < 0)
		return -1;
	if (nodes->stat(fs->data, node, &st, err) < 0)
		return assay_wrap(err, "%s", path);
	if (st.kind != ASSAY_FS_FILE)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "%s: not a file", path);
	if (nodes->open(fs->data, node, ret, err) < 0)
		return assay_wrap(err, "%s", path);
	if (ret_path)
		*ret_path = assay_steal(&real);
	return 0;
}

/* Where names lead to no nodes, a path is a directory if it can be listed, or else a file. */
static int plain_stat(struct assay_fs *fs, const char *path, struct assay_fs_stat *ret,
		      struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_dir dir = { 0 };

	if (fs->ops->list(fs->data, path, &dir, err) == 0) {
		assay_dir_clear(&dir);
		*ret = (struct assay_fs_stat){ .kind = ASSAY_FS_DIR };
		return 0;
	}
	if (fs->ops->file(fs->data, path, &src, NULL, err) < 0)
		return -1;
	*ret = (struct assay_fs_stat){ .kind = ASSAY_FS_FILE, .size = assay_src_size(src) };
	return 0;
}

int assay_fs_lstat(struct assay_fs *fs, const char *path, struct assay_fs_stat *ret,
		   struct assay_err *err)
{
	uint64_t node;

	if (!fs->ops->nodes)
		return plain_stat(fs, path, ret, err);
	if (assay_fs_resolve(fs, path, false, &node, NULL, err) < 0)
		return -1;
	if (fs->ops->nodes->stat(fs->data, node, ret, err) < 0)
		return assay_wrap(err, "%s", path);
	return 0;
}

int assay_fs_readlink(struct assay_fs *fs, const char *path, char **ret, struct assay_err *err)
{
	const struct assay_fs_nodes *nodes = fs->ops->nodes;
	struct assay_fs_stat st = { 0 };
	uint64_t node;

	if (nodes && (assay_fs_resolve(fs, path, false, &node, NULL, err) < 0 ||
		      nodes->stat(fs->data, node, &st, err) < 0))
		return -1;
	if (!nodes || st.kind != ASSAY_FS_SYMLINK)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "%s: not a symbolic link",
				  path);
	if (nodes->readlink(fs->data, node, ret, err) < 0)
		return assay_wrap(err, "%s", path);
	return 0;
}
