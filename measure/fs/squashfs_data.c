/* SPDX-License-Identifier: Apache-2.0 */
/* squashfs: a file's blocks, and the end that it may have in a block shared with others. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/num.h"
#include "measure/fs/squashfs_priv.h"

#define WORD_RAW (1U << 24) /* not packed */
#define WORD_SIZE (WORD_RAW - 1)
#define FRAGMENT 16
/* A block's place is the sum of the lengths before it: kept for each GROUP, added up from there. */
#define GROUP 64

struct file {
	struct squashfs *sq;
	uint64_t size;
	size_t n_blocks;
	uint32_t *words;  /* of each block: length on the disk, 0 for a hole, and WORD_RAW */
	uint64_t *places; /* of each GROUP-th block */
	uint64_t end;	  /* of the last one */
	uint32_t tail;	  /* bytes in the fragment */
	struct assay_block fragment;
	bool fragment_raw;
	uint32_t fragment_off;
	_Atomic uint64_t next; /* where a reader would go on */
};

static void file_free(void *data)
{
	struct file *f = data;

	if (!f)
		return;
	assay_sqfs_unref(f->sq);
	free(f->words);
	free(f->places);
	free(f);
}

static void file_free_auto(struct file **f)
{
	file_free(*f);
}

static int check_word(const struct squashfs *sq, uint32_t word, uint64_t at, struct assay_err *err)
{
	if (word & ~(WORD_RAW | WORD_SIZE) || (word & WORD_SIZE) > sq->super.block_size)
		return assay_fail(err, ASSAY_E_CORRUPT, at,
				  "data block of %" PRIu32 " packed bytes, limit %" PRIu32,
				  word & ~WORD_RAW, sq->super.block_size);
	return 0;
}

static int read_blocks(struct file *f, struct sqfs_inode *in, struct assay_err *err)
{
	struct squashfs *sq = f->sq;
	uint64_t at = in->start;
	uint8_t b[GROUP * 4];

	f->words = malloc((f->n_blocks + 1) * sizeof(*f->words));
	f->places = malloc((f->n_blocks / GROUP + 1) * sizeof(*f->places));
	if (!f->words || !f->places)
		return assay_fail_mem(err);
	for (size_t i = 0; i < f->n_blocks; i++) {
		if (i % GROUP == 0) {
			const size_t n = f->n_blocks - i < GROUP ? f->n_blocks - i : GROUP;

			f->places[i / GROUP] = at;
			if (assay_sqfs_meta_read(sq, &in->rest, b, n * 4, "block list", err) < 0)
				return -1;
		}
		struct assay_cur c = assay_cur_make(b + i % GROUP * 4, 4, in->at);

		f->words[i] = assay_cur_le32(&c);
		if (assay_cur_done(&c, "block list", err) < 0 ||
		    check_word(sq, f->words[i], in->at, err) < 0)
			return -1;
		const uint32_t len = f->words[i] & WORD_SIZE;

		if (len > 0 && !assay_range_inside(at, len, sq->super.size))
			return assay_fail(err, ASSAY_E_CORRUPT, in->at,
					  "block %zu, %" PRIu32 " bytes at %" PRIu64
					  ", leaves the filesystem of %" PRIu64,
					  i, len, at, sq->super.size);
		at += len;
	}
	f->end = at;
	return 0;
}

static int read_fragment(struct file *f, const struct sqfs_inode *in, struct assay_err *err)
{
	struct squashfs *sq = f->sq;
	uint8_t b[FRAGMENT];

	if (in->fragment >= sq->super.fragments)
		return assay_fail(err, ASSAY_E_CORRUPT, in->at,
				  "fragment %" PRIu32 " of a table of %" PRIu32, in->fragment,
				  sq->super.fragments);
	if (assay_sqfs_table_read(sq, sq->super.fragment_table, in->fragment, b, sizeof(b),
				  "fragment table", err) < 0)
		return -1;
	struct assay_cur c = assay_cur_make(b, sizeof(b), in->at);

	f->fragment.at = assay_cur_le64(&c);
	const uint32_t word = assay_cur_le32(&c);

	if (assay_cur_done(&c, "fragment table", err) < 0 || check_word(sq, word, in->at, err) < 0)
		return -1;
	f->fragment.packed = word & WORD_SIZE;
	f->fragment_raw = word & WORD_RAW;
	f->fragment_off = in->fragment_off;
	if (f->fragment.packed == 0 ||
	    !assay_range_inside(f->fragment.at, f->fragment.packed, sq->super.size))
		return assay_fail(err, ASSAY_E_CORRUPT, in->at,
				  "fragment %" PRIu32 ", %" PRIu32 " bytes at %" PRIu64
				  ", leaves the filesystem of %" PRIu64,
				  in->fragment, f->fragment.packed, f->fragment.at, sq->super.size);
	if (!assay_range_inside(in->fragment_off, f->tail, sq->super.block_size) ||
	    (f->fragment_raw && !assay_range_inside(in->fragment_off, f->tail, f->fragment.packed)))
		return assay_fail(err, ASSAY_E_CORRUPT, in->at,
				  "%" PRIu32 " bytes at %" PRIu32 " leave fragment %" PRIu32,
				  f->tail, in->fragment_off, in->fragment);
	return 0;
}

static int file_new(struct squashfs *sq, uint64_t node, struct file **ret, struct assay_err *err)
{
	__attribute__((cleanup(file_free_auto))) struct file *f = NULL;
	const uint32_t bs = sq->super.block_size;
	struct sqfs_inode in;

	if (assay_sqfs_inode(sq, node, &in, err) < 0)
		return -1;
	if (in.st.kind != ASSAY_FS_FILE)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "not a file");
	const uint64_t whole = in.st.size / bs;
	const uint32_t tail = (uint32_t)(in.st.size % bs);
	const bool fragment = tail > 0 && in.fragment != SQFS_NO_FRAGMENT;

	if (whole >= ASSAY_SQFS_MAX_BLOCKS)
		return assay_fail(err, ASSAY_E_LIMIT, in.at,
				  "file of %" PRIu64 " bytes, limit %u blocks of %" PRIu32,
				  in.st.size, ASSAY_SQFS_MAX_BLOCKS, bs);
	f = calloc(1, sizeof(*f));
	if (!f)
		return assay_fail_mem(err);
	f->sq = sq;
	atomic_fetch_add(&sq->refs, 1);
	f->size = in.st.size;
	f->n_blocks = (size_t)whole + (tail > 0 && !fragment);
	f->tail = fragment ? tail : 0;
	if (read_blocks(f, &in, err) < 0 || (fragment && read_fragment(f, &in, err) < 0))
		return -1;
	*ret = assay_steal(&f);
	return 0;
}

static uint64_t place(const struct file *f, size_t i)
{
	uint64_t at = f->places[i / GROUP];

	for (size_t j = i - i % GROUP; j < i; j++)
		at += f->words[j] & WORD_SIZE;
	return at;
}

int assay_sqfs_unpack_block(void *vol, const struct assay_block *b, uint8_t *out, size_t max,
			    size_t *ret_len, struct assay_err *err)
{
	struct squashfs *sq = vol;
	ASSAY_AUTO_FREE uint8_t *in = malloc(b->packed);

	if (!in)
		return assay_fail_mem(err);
	if (assay_src_read(sq->src, b->at, in, b->packed, err) < 0)
		return -1;
	return assay_sqfs_unpack(sq->packer, in, b->packed, out, max, ret_len,
				 assay_src_origin(sq->src, b->at), err);
}

/* Have blocks from `first` on unpacked that are wanted now or soon. */
static void read_ahead(struct file *f, size_t first)
{
	const size_t run = assay_blocks_run(f->sq->blocks);
	struct assay_block ahead[32];
	size_t n = 0;

	if (run == 0 || first >= f->n_blocks)
		return;
	uint64_t at = place(f, first);

	for (size_t i = first; i < f->n_blocks && i < first + run && n < 32; i++) {
		const uint32_t len = f->words[i] & WORD_SIZE;

		if (len > 0 && !(f->words[i] & WORD_RAW))
			ahead[n++] = (struct assay_block){ .at = at, .packed = len };
		at += len;
	}
	assay_blocks_ahead(f->sq->blocks, ahead, n);
}

static int read_block(struct file *f, size_t i, size_t off, uint8_t *buf, size_t len,
		      struct assay_err *err)
{
	struct squashfs *sq = f->sq;
	const uint32_t bs = sq->super.block_size;
	const uint64_t begin = (uint64_t)i * bs;
	const size_t whole = f->size - begin < bs ? (size_t)(f->size - begin) : bs;
	const uint32_t packed = f->words[i] & WORD_SIZE;
	const struct assay_block b = { .at = place(f, i), .packed = packed };
	const uint64_t where = assay_src_origin(sq->src, b.at);

	if (packed == 0) {
		memset(buf, 0, len);
		return 0;
	}
	if (!(f->words[i] & WORD_RAW))
		return assay_blocks_read(sq->blocks, &b, whole, off, buf, len, where, err);
	if (packed != whole)
		return assay_fail(err, ASSAY_E_CORRUPT, where,
				  "a block of %zu bytes has %" PRIu32 " on the disk, not packed",
				  whole, packed);
	return assay_src_read(sq->src, b.at + off, buf, len, err);
}

static int read_tail(struct file *f, size_t off, uint8_t *buf, size_t len, struct assay_err *err)
{
	struct squashfs *sq = f->sq;

	off += f->fragment_off;
	if (f->fragment_raw)
		return assay_src_read(sq->src, f->fragment.at + off, buf, len, err);
	return assay_blocks_read(sq->blocks, &f->fragment, 0, off, buf, len,
				 assay_src_origin(sq->src, f->fragment.at), err);
}

static int file_read(void *data, uint64_t off, uint8_t *buf, size_t len, struct assay_err *err)
{
	struct file *f = data;
	const uint32_t bs = f->sq->super.block_size;
	const bool in_order = atomic_load(&f->next) == off && (off > 0 || len >= bs);

	atomic_store(&f->next, off + len);
	if (in_order)
		read_ahead(f, (size_t)(off / bs));
	while (len > 0) {
		const size_t i = (size_t)(off / bs), skip = (size_t)(off % bs);
		const size_t n = bs - skip < len ? bs - skip : len;
		const int rc = i < f->n_blocks ? read_block(f, i, skip, buf, n, err)
					       : read_tail(f, skip, buf, n, err);

		if (rc < 0)
			return assay_wrap(err, "block %zu", i);
		off += n;
		buf += n;
		len -= n;
	}
	return 0;
}

static const struct assay_src_ops file_ops = { .read = file_read, .free = file_free };

int assay_sqfs_open_file(void *fs, uint64_t node, struct assay_src **ret, struct assay_err *err)
{
	struct file *f = NULL;

	if (file_new(fs, node, &f, err) < 0)
		return -1;
	return assay_src_from_ops(&file_ops, f, f->size, ret, err);
}

int assay_sqfs_extents(void *fs, uint64_t node, struct assay_extent **ret, size_t *ret_n,
		       struct assay_err *err)
{
	__attribute__((cleanup(file_free_auto))) struct file *f = NULL;
	struct assay_extent *e;
	size_t n = 0;

	if (file_new(fs, node, &f, err) < 0)
		return -1;
	/* Blocks follow each other without gaps, holes have none. */
	e = calloc(2, sizeof(*e));
	if (!e)
		return assay_fail_mem(err);
	if (f->n_blocks > 0 && f->end > f->places[0])
		e[n++] = (struct assay_extent){ .off = f->places[0], .len = f->end - f->places[0] };
	if (f->tail > 0)
		e[n++] = (struct assay_extent){ .off = f->fragment.at, .len = f->fragment.packed };
	*ret = e;
	*ret_n = n;
	return 0;
}
