/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/fs/erofs_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/limits.h"
#include "core/num.h"
#include "measure/disk/crc32.h"

#define MAGIC 0xe0f5e1e2
#define COMPAT_CHECKSUM 0x1
/* Compression, chunks, fragments and name prefixes: what they change shows at the inodes. */
#define INCOMPAT_KNOWN 0x7f
#define INCOMPAT_DEVICES 0x08 /* and a second compression algorithm */
#define INCOMPAT_48BIT 0x80
#define INCOMPAT_METABOX 0x100
#define MIN_BLOCK_BITS 9
#define MAX_BLOCK_BITS 16

#define SLOT 32 /* bytes of a compact inode; nids count these */
#define INODE_EXTENDED 64
#define FORMAT_EXTENDED 0x1
#define FORMAT_LAYOUT 0x0e
#define FORMAT_LAYOUT_SHIFT 1

static int check_features(uint32_t incompat, uint16_t devices, uint64_t at, struct assay_err *err)
{
	if (incompat & INCOMPAT_48BIT)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at,
				  "erofs with 48-bit block addresses is not supported");
	if (incompat & INCOMPAT_METABOX)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at,
				  "erofs with compressed metadata (metabox) is not supported");
	if (incompat & ~(uint32_t)INCOMPAT_KNOWN)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at,
				  "unknown incompatible features of erofs: 0x%" PRIx32,
				  incompat & ~(uint32_t)INCOMPAT_KNOWN);
	if ((incompat & INCOMPAT_DEVICES) && devices > 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at,
				  "erofs with %u further devices (blobs) is not supported",
				  devices);
	return 0;
}

int assay_erofs_parse_super(struct assay_cur in, struct assay_erofs_super *ret,
			    struct assay_err *err)
{
	const uint64_t start = in.at;
	struct assay_erofs_super sb;

	const uint32_t magic = assay_cur_le32(&in);
	sb.checksum = assay_cur_le32(&in);
	sb.has_checksum = assay_cur_le32(&in) & COMPAT_CHECKSUM;
	sb.block_bits = assay_cur_u8(&in);
	assay_cur_skip(&in, 1); /* slots behind the superblock */
	sb.root_nid = assay_cur_le16(&in);
	assay_cur_skip(&in, 8); /* number of inodes */
	sb.build_time = (int64_t)assay_cur_le64(&in);
	assay_cur_skip(&in, 4); /* nanoseconds */
	const uint32_t blocks = assay_cur_le32(&in);
	const uint32_t meta_block = assay_cur_le32(&in);
	assay_cur_skip(&in, 4 + 16 + 16); /* shared attributes, UUID, name */
	const uint32_t incompat = assay_cur_le32(&in);
	assay_cur_skip(&in, 2); /* compression algorithms */
	const uint16_t devices = assay_cur_le16(&in);
	assay_cur_skip(&in, 2); /* the device table's place */
	const uint8_t dir_block_bits = assay_cur_u8(&in);
	assay_cur_skip(&in, 37); /* name prefixes, packed inode, reserved */
	if (assay_cur_done(&in, "erofs superblock", err) < 0)
		return -1;

	if (magic != MAGIC)
		return assay_fail(err, ASSAY_E_CORRUPT, start, "no erofs superblock");
	if (sb.block_bits < MIN_BLOCK_BITS || sb.block_bits > MAX_BLOCK_BITS)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 12, "erofs blocks of 2^%u bytes",
				  sb.block_bits);
	if (check_features(incompat, devices, start + 80, err) < 0)
		return -1;
	if (dir_block_bits != 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, start + 90,
				  "erofs with directory blocks larger than its blocks");
	sb.meta_off = (uint64_t)meta_block << sb.block_bits;
	sb.size = (uint64_t)blocks << sb.block_bits;
	*ret = sb;
	return 0;
}

/* --- inodes ---- */

static void take_compact(struct assay_cur *in, int64_t now, struct assay_erofs_inode *ret)
{
	ret->st.mode = assay_cur_le16(in);
	ret->st.links = assay_cur_le16(in);
	ret->size = assay_cur_le32(in);
	assay_cur_skip(in, 4);
	ret->data = assay_cur_le32(in);
	assay_cur_skip(in, 4); /* a number for 32-bit stat() */
	ret->st.uid = assay_cur_le16(in);
	ret->st.gid = assay_cur_le16(in);
	assay_cur_skip(in, 4);
	ret->st.mtime = now;
}

static void take_extended(struct assay_cur *in, struct assay_erofs_inode *ret)
{
	ret->st.mode = assay_cur_le16(in);
	assay_cur_skip(in, 2);
	ret->size = assay_cur_le64(in);
	ret->data = assay_cur_le32(in);
	assay_cur_skip(in, 4);
	ret->st.uid = assay_cur_le32(in);
	ret->st.gid = assay_cur_le32(in);
	ret->st.mtime = (int64_t)assay_cur_le64(in);
	ret->st.mtime_nsec = assay_cur_le32(in);
	ret->st.links = assay_cur_le32(in);
	assay_cur_skip(in, 16);
}

int assay_erofs_parse_inode(struct assay_cur in, int64_t now, struct assay_erofs_inode *ret,
			    struct assay_err *err)
{
	const uint64_t start = in.at;
	struct assay_erofs_inode inode = { 0 };

	const uint16_t format = assay_cur_le16(&in);
	const uint16_t attributes = assay_cur_le16(&in);
	const bool extended = format & FORMAT_EXTENDED;
	if (extended)
		take_extended(&in, &inode);
	else
		take_compact(&in, now, &inode);
	if (assay_cur_done(&in, "erofs inode", err) < 0)
		return -1;

	const unsigned layout = (format & FORMAT_LAYOUT) >> FORMAT_LAYOUT_SHIFT;
	if (format & ~(FORMAT_EXTENDED | FORMAT_LAYOUT) || layout > ASSAY_EROFS_CHUNKS)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, start, "unknown inode format 0x%04x",
				  format);
	inode.layout = layout;
	if (assay_fs_kind_of(inode.st.mode, &inode.st.kind) < 0)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 4, "file type 0%o",
				  inode.st.mode & S_IFMT);
	if (inode.size > INT64_MAX)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 8, "a size of %" PRIu64 " bytes",
				  inode.size);
	inode.after = extended ? INODE_EXTENDED : SLOT;
	if (attributes > 0)
		inode.after += 12 + 4 * (uint32_t)(attributes - 1);
	if (inode.st.kind == ASSAY_FS_FILE || inode.st.kind == ASSAY_FS_SYMLINK)
		inode.st.size = inode.size;
	/* Linux's own encoding of device numbers: 12 bits of major in the midst of 20 of minor. */
	if (S_ISCHR(inode.st.mode) || S_ISBLK(inode.st.mode)) {
		inode.st.major = (inode.data >> 8) & 0xfff;
		inode.st.minor = (inode.data & 0xff) | ((inode.data >> 12) & 0xfff00);
	}
	*ret = inode;
	return 0;
}

int assay_erofs_inode(const struct erofs *fs, uint64_t nid, struct assay_erofs_inode *ret,
		      uint64_t *ret_off, struct assay_err *err)
{
	const uint64_t size = assay_src_size(fs->src);
	uint8_t b[INODE_EXTENDED];
	uint64_t off;

	if (assay_mul_overflows(nid, SLOT, &off) ||
	    assay_add_overflows(off, fs->sb.meta_off, &off) || !assay_range_inside(off, SLOT, size))
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(fs->src, 0),
				  "inode %" PRIu64 " lies outside the filesystem", nid);
	const size_t len = size - off < sizeof(b) ? (size_t)(size - off) : sizeof(b);
	const uint64_t at = assay_src_origin(fs->src, off);
	if (assay_src_read(fs->src, off, b, len, err) < 0 ||
	    assay_erofs_parse_inode(assay_cur_make(b, len, at), fs->sb.build_time, ret, err) < 0)
		return assay_wrap(err, "inode %" PRIu64, nid);
	ret->st.inode = nid;
	*ret_off = off;
	return 0;
}

/* --- the row ---- */

static bool erofs_probe(struct assay_src *src)
{
	uint8_t b[4];

	if (!assay_range_inside(ASSAY_EROFS_SUPER_AT, sizeof(b), assay_src_size(src)) ||
	    assay_src_read(src, ASSAY_EROFS_SUPER_AT, b, sizeof(b), NULL) < 0)
		return false;
	struct assay_cur c = assay_cur_make(b, sizeof(b), 0);
	return assay_cur_le32(&c) == MAGIC;
}

/* Over the superblock's block from the superblock on, or over a whole one where blocks are small.
 */
static int check_checksum(struct assay_src *src, const struct assay_erofs_super *sb,
			  struct assay_err *err)
{
	const uint64_t block = 1ULL << sb->block_bits;
	const uint64_t len = block > ASSAY_EROFS_SUPER_AT ? block - ASSAY_EROFS_SUPER_AT : block;
	ASSAY_AUTO_FREE uint8_t *p = NULL;
	uint32_t crc;

	if (assay_src_read_alloc(src, ASSAY_EROFS_SUPER_AT, len, 1U << MAX_BLOCK_BITS, &p, err) < 0)
		return -1;
	memset(p + 4, 0, 4);
	crc = assay_crc32c(UINT32_MAX, p, len);
	if (crc != sb->checksum)
		return assay_fail(
			err, ASSAY_E_CORRUPT, assay_src_origin(src, ASSAY_EROFS_SUPER_AT + 4),
			"the superblock's checksum is 0x%08" PRIx32 ", its bytes have 0x%08" PRIx32,
			sb->checksum, crc);
	return 0;
}

static int erofs_open(struct assay_src *src, void **ret, struct assay_err *err)
{
	const uint64_t at = assay_src_origin(src, ASSAY_EROFS_SUPER_AT);
	struct assay_erofs_super sb;
	uint8_t b[ASSAY_EROFS_SUPER_SIZE];
	struct erofs *fs;

	if (assay_src_read(src, ASSAY_EROFS_SUPER_AT, b, sizeof(b), err) < 0 ||
	    assay_erofs_parse_super(assay_cur_make(b, sizeof(b), at), &sb, err) < 0 ||
	    (sb.has_checksum && check_checksum(src, &sb, err) < 0))
		return assay_wrap(err, "erofs");
	if (sb.size > assay_src_size(src))
		return assay_fail(err, ASSAY_E_CORRUPT, at + 36,
				  "erofs: cut short: its superblock tells of %" PRIu64
				  " bytes, there are %" PRIu64,
				  sb.size, assay_src_size(src));
	fs = calloc(1, sizeof(*fs));
	if (!fs)
		return assay_fail_mem(err);
	fs->src = assay_src_ref(src);
	fs->sb = sb;
	*ret = fs;
	return 0;
}

static void erofs_free(void *data)
{
	struct erofs *fs = data;

	assay_src_free(&fs->src);
	free(fs);
}

static const char *erofs_label(const void *data)
{
	(void)data;
	return "erofs";
}

static uint64_t erofs_root(const void *data)
{
	const struct erofs *fs = data;

	return fs->sb.root_nid;
}

static int erofs_stat(void *data, uint64_t nid, struct assay_fs_stat *ret, struct assay_err *err)
{
	struct assay_erofs_inode inode;
	uint64_t off;

	if (assay_erofs_inode(data, nid, &inode, &off, err) < 0)
		return -1;
	*ret = inode.st;
	return 0;
}

static int erofs_readlink(void *data, uint64_t nid, char **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *p = NULL;
	struct assay_erofs_inode inode;
	uint64_t off;

	if (assay_erofs_inode(data, nid, &inode, &off, err) < 0)
		return -1;
	if (inode.st.kind != ASSAY_FS_SYMLINK)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "inode %" PRIu64 " is no symbolic link", nid);
	if (assay_erofs_data(data, &inode, off, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, inode.size, ASSAY_FS_MAX_PATH, &p, err) < 0)
		return assay_wrap(err, "inode %" PRIu64, nid);
	if (memchr(p, 0, inode.size))
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(src, 0),
				  "inode %" PRIu64 ": a NUL in a symbolic link's target", nid);
	*ret = (char *)assay_steal(&p);
	return 0;
}

static int open_file(void *data, uint64_t nid, struct assay_erofs_inode *ret, uint64_t *ret_off,
		     struct assay_err *err)
{
	if (assay_erofs_inode(data, nid, ret, ret_off, err) < 0)
		return -1;
	if (ret->st.kind != ASSAY_FS_FILE)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "inode %" PRIu64 " is no file", nid);
	return 0;
}

static int erofs_file(void *data, uint64_t nid, struct assay_src **ret, struct assay_err *err)
{
	struct assay_erofs_inode inode;
	uint64_t off;

	if (open_file(data, nid, &inode, &off, err) < 0)
		return -1;
	if (assay_erofs_data(data, &inode, off, ret, err) < 0)
		return assay_wrap(err, "inode %" PRIu64, nid);
	return 0;
}

static int erofs_extents(void *data, uint64_t nid, struct assay_extent **ret, size_t *ret_n,
			 struct assay_err *err)
{
	struct assay_extents list = { 0 };
	struct assay_erofs_inode inode;
	uint64_t off;

	if (open_file(data, nid, &inode, &off, err) < 0)
		return -1;
	if (assay_erofs_map(data, &inode, off, &list, err) < 0) {
		free(list.e);
		return assay_wrap(err, "inode %" PRIu64, nid);
	}
	assay_extents_drop_holes(&list);
	*ret = list.e;
	*ret_n = list.n;
	return 0;
}

static const struct assay_fs_nodes nodes = {
	.root = erofs_root,
	.stat = erofs_stat,
	.list = assay_erofs_list,
	.lookup = assay_erofs_lookup,
	.readlink = erofs_readlink,
	.open = erofs_file,
	.extents = erofs_extents,
};

const struct assay_fs_ops assay_erofs_ops = {
	.name = "erofs",
	.probe = erofs_probe,
	.open = erofs_open,
	.label = erofs_label,
	.free = erofs_free,
	.layout = assay_erofs_layout,
	.nodes = &nodes,
};
