/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/unpack/unpack_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK ((size_t)128 << 10)

/* lib/decompress.c, compressed_formats[] */
static const struct {
	const char *name;
	uint8_t magic[2];
	const struct unpack_ops *ops;
} codecs[ASSAY_N_CODECS] = {
	[ASSAY_CODEC_NONE] = { "none", { 0, 0 }, NULL },
	[ASSAY_CODEC_GZIP] = { "gzip", { 0x1f, 0x8b }, &assay_unpack_gzip },
	[ASSAY_CODEC_BZIP2] = { "bzip2", { 'B', 'Z' }, &assay_unpack_bzip2 },
	[ASSAY_CODEC_LZMA] = { "lzma", { 0x5d, 0x00 }, &assay_unpack_lzma },
	[ASSAY_CODEC_XZ] = { "xz", { 0xfd, '7' }, &assay_unpack_xz },
	[ASSAY_CODEC_LZO] = { "lzo", { 0x89, 'L' }, NULL },
	[ASSAY_CODEC_LZ4] = { "lz4", { 0x02, 0x21 }, NULL },
	[ASSAY_CODEC_ZSTD] = { "zstd", { 0x28, 0xb5 }, &assay_unpack_zstd },
};

const char *assay_codec_name(enum assay_codec codec)
{
	return codec < ASSAY_N_CODECS ? codecs[codec].name : NULL;
}

enum assay_codec assay_codec_of(const uint8_t *p, size_t len)
{
	if (len < 2)
		return ASSAY_CODEC_NONE;
	for (unsigned c = ASSAY_CODEC_NONE + 1; c < ASSAY_N_CODECS; c++)
		if (memcmp(p, codecs[c].magic, 2) == 0)
			return c;
	return ASSAY_CODEC_NONE;
}

int assay_unpack_give(const struct assay_unpack_opts *opts, uint64_t *made, const uint8_t *p, size_t n,
		      struct assay_err *err)
{
	if (n > opts->max_out - *made)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "unpacks to more than %" PRIu64 " bytes", opts->max_out);
	*made += n;
	return n ? opts->take(opts->arg, p, n, err) : 0;
}

struct stream {
	struct assay_src *src;
	uint64_t off; /* of the next byte to read */
	uint8_t *in;
	size_t in_len, in_pos;
	uint8_t *out;
	uint64_t used, made;
};

static int refill(struct stream *s, struct assay_err *err)
{
	const uint64_t left = assay_src_size(s->src) - s->off;

	s->in_pos = 0;
	s->in_len = left < BLOCK ? (size_t)left : BLOCK;
	if (s->in_len == 0)
		return 0;
	if (assay_src_read(s->src, s->off, s->in, s->in_len, err) < 0)
		return -1;
	s->off += s->in_len;
	return 0;
}

static int cut_short(enum assay_codec codec, uint64_t used, struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
			  "%s: cut short, the file ends after %" PRIu64 " bytes of it",
			  codecs[codec].name, used);
}

static int run(struct stream *s, enum assay_codec codec, void *state,
	       const struct assay_unpack_opts *opts, struct assay_err *err)
{
	for (;;) {
		struct unpack_step step = { .in = s->in + s->in_pos,
					    .in_len = s->in_len - s->in_pos,
					    .out = s->out,
					    .out_len = BLOCK };

		if (codecs[codec].ops->step(state, &step, err) < 0)
			return assay_wrap(err, "%s", codecs[codec].name);
		s->in_pos += step.used;
		s->used += step.used;
		if (assay_unpack_give(opts, &s->made, s->out, step.made, err) < 0)
			return -1;
		if (step.done)
			return 0;
		if (step.used == 0 && step.made == 0 && step.in_len > 0)
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s: damaged: it goes nowhere",
					  codecs[codec].name);
		if (s->in_pos < s->in_len || step.made == BLOCK)
			continue;
		if (refill(s, err) < 0)
			return -1;
		if (s->in_len == 0 && step.made == 0)
			return cut_short(codec, s->used, err);
	}
}

static int unpack_stream(struct assay_src *src, uint64_t off, enum assay_codec codec,
			 const struct assay_unpack_opts *opts, uint64_t *ret_used,
			 struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *in = malloc(BLOCK);
	ASSAY_AUTO_FREE uint8_t *out = malloc(BLOCK);
	struct stream s = { .src = src, .off = off, .in = in, .out = out };
	uint8_t head[UNPACK_HEAD] = { 0 };
	void *state;

	if (!in || !out)
		return assay_fail_mem(err);
	if (refill(&s, err) < 0)
		return -1;
	memcpy(head, in, s.in_len < sizeof(head) ? s.in_len : sizeof(head));
	if (codecs[codec].ops->open(head, s.in_len < sizeof(head) ? s.in_len : sizeof(head), opts, &state,
				    err) < 0)
		return assay_wrap(err, "%s", codecs[codec].name);
	const int rc = run(&s, codec, state, opts, err);
	codecs[codec].ops->close(state);
	if (rc == 0)
		*ret_used = s.used;
	return rc;
}

int assay_unpack(struct assay_src *src, uint64_t off, enum assay_codec codec,
		 const struct assay_unpack_opts *opts, uint64_t *ret_used, struct assay_err *err)
{
	int rc;

	if (off > assay_src_size(src))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "a stream that begins past the end");
	if (codec == ASSAY_CODEC_LZ4)
		rc = assay_unpack_lz4(src, off, opts, ret_used, err);
	else if (codec < ASSAY_N_CODECS && codecs[codec].ops)
		rc = unpack_stream(src, off, codec, opts, ret_used, err);
	else
		rc = assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "packed with %s",
				codec < ASSAY_N_CODECS ? codecs[codec].name : "something unknown");
	if (rc < 0 && err && err->at == ASSAY_NO_OFFSET)
		err->at = assay_src_origin(src, off);
	return rc;
}
