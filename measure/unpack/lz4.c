/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lz4's old form, the only one that Linux takes for an initrd (lib/decompress_unlz4.c): the magic
 * number, then blocks, each a size and as many bytes, which unpack to 8 MiB at most. Nothing marks
 * the end: a size of zero (padding behind it) does, and so does the file's.
 */
#include "measure/unpack/unpack_priv.h"

#include <inttypes.h>
#include <stdlib.h>

#include <lz4.h>

#include "core/cur.h"
#include "core/dl.h"

#define CHUNK (8 << 20)
#define MAGIC 0x184c2102U

static __typeof__(&LZ4_decompress_safe) decompress;
static const struct assay_dl_symbol symbols[] = { { "LZ4_decompress_safe", (void **)&decompress } };
static struct assay_dl dl = ASSAY_DL("liblz4.so.1", symbols);

static int next_word(struct assay_src *src, uint64_t off, uint32_t *ret, struct assay_err *err)
{
	uint8_t bytes[4];

	if (assay_src_read(src, off, bytes, sizeof(bytes), err) < 0)
		return -1;
	struct assay_cur c = assay_cur_make(bytes, sizeof(bytes), assay_src_origin(src, off));
	*ret = assay_cur_le32(&c);
	return assay_cur_done(&c, "lz4: block size", err);
}

static int block(struct assay_src *src, uint64_t off, uint32_t size, uint8_t *in, uint8_t *out,
		 const struct assay_unpack_opts *opts, uint64_t *made, struct assay_err *err)
{
	if (size > (uint32_t)LZ4_COMPRESSBOUND(CHUNK) || size > assay_src_size(src) - off)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(src, off - 4),
				  "lz4: a block of %" PRIu32 " bytes, %" PRIu64 " are left", size,
				  assay_src_size(src) - off);
	if (assay_src_read(src, off, in, size, err) < 0)
		return -1;
	const int n = decompress((const char *)in, (char *)out, (int)size, CHUNK);
	if (n < 0)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(src, off),
				  "lz4: damaged: a block that does not unpack to 8 MiB or less");
	return assay_unpack_give(opts, made, out, (size_t)n, err);
}

int assay_unpack_lz4(struct assay_src *src, uint64_t off, const struct assay_unpack_opts *opts,
		     uint64_t *ret_used, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *in = malloc(LZ4_COMPRESSBOUND(CHUNK));
	ASSAY_AUTO_FREE uint8_t *out = malloc(CHUNK);
	uint64_t at = off, made = 0;
	uint32_t word;

	if (!in || !out)
		return assay_fail_mem(err);
	if (assay_dl_get(&dl, err) < 0)
		return -1;
	if (assay_src_size(src) - at < 4)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "lz4: cut short");
	if (next_word(src, at, &word, err) < 0)
		return -1;
	if (word != MAGIC)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "lz4: magic 0x%08" PRIx32 ": the kernel knows the old form only (lz4 -l)",
				  word);
	for (at += 4; assay_src_size(src) - at >= 4;) {
		if (next_word(src, at, &word, err) < 0)
			return -1;
		if (word == 0)
			break;
		at += 4;
		if (word == MAGIC)
			continue;
		if (block(src, at, word, in, out, opts, &made, err) < 0)
			return -1;
		at += word;
	}
	*ret_used = at - off;
	return 0;
}
