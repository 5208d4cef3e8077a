/* SPDX-License-Identifier: Apache-2.0 */
/* gzip, bzip2, xz, lzma and zstd: thin rows over their own libraries, each loaded at its first stream. */
#include "measure/unpack/unpack_priv.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "core/dl.h"
#include "core/limits.h"

/* POSIX: a pointer from dlsym() may be stored through void **. */
#define FUNCTION(name) static __typeof__(&(name)) do_##name
#define SYMBOL(name) { #name, (void **)&do_##name }

static int damaged(struct assay_err *err, const char *why)
{
	return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "damaged: %s", why);
}

/* --- gzip --------------------------------------------------------------------------------------- */

FUNCTION(inflateInit2_);
FUNCTION(inflate);
FUNCTION(inflateEnd);
static const struct assay_dl_symbol zlib[] = { SYMBOL(inflateInit2_), SYMBOL(inflate), SYMBOL(inflateEnd) };
static struct assay_dl zlib_dl = ASSAY_DL("libz.so.1", zlib);

/* RFC 1952, 2.3.1 */
enum { GZIP_FTEXT = 0x01, GZIP_FNAME = 0x08 };

static int gzip_open(const uint8_t *head, size_t len, const struct assay_unpack_opts *opts, void **ret,
		     struct assay_err *err)
{
	z_stream *z;

	if (len < 10 || head[2] != 8)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "no header of deflate");
	/* lib/decompress_inflate.c steps over a name and nothing else. */
	if (!opts->lenient && (head[3] & ~(GZIP_FTEXT | GZIP_FNAME)))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "a header with flags 0x%02x: the kernel knows a file name only", head[3]);
	if (assay_dl_get(&zlib_dl, err) < 0)
		return -1;
	z = calloc(1, sizeof(*z));
	if (!z)
		return assay_fail_mem(err);
	if (do_inflateInit2_(z, 16 + MAX_WBITS, ZLIB_VERSION, (int)sizeof(*z)) != Z_OK) {
		free(z);
		return assay_fail_mem(err);
	}
	*ret = z;
	return 0;
}

static int gzip_step(void *state, struct unpack_step *s, struct assay_err *err)
{
	z_stream *z = state;

	z->next_in = (Bytef *)s->in;
	z->avail_in = (uInt)s->in_len;
	z->next_out = s->out;
	z->avail_out = (uInt)s->out_len;
	const int rc = do_inflate(z, Z_NO_FLUSH);
	s->used = s->in_len - z->avail_in;
	s->made = s->out_len - z->avail_out;
	s->done = rc == Z_STREAM_END;
	if (rc == Z_MEM_ERROR)
		return assay_fail_mem(err);
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return damaged(err, z->msg ? z->msg : "inflate failed");
	return 0;
}

static void gzip_close(void *state)
{
	do_inflateEnd(state);
	free(state);
}

const struct unpack_ops assay_unpack_gzip = { gzip_open, gzip_step, gzip_close };

/* --- bzip2 -------------------------------------------------------------------------------------- */

FUNCTION(BZ2_bzDecompressInit);
FUNCTION(BZ2_bzDecompress);
FUNCTION(BZ2_bzDecompressEnd);
static const struct assay_dl_symbol bz2[] = { SYMBOL(BZ2_bzDecompressInit), SYMBOL(BZ2_bzDecompress),
					      SYMBOL(BZ2_bzDecompressEnd) };
static struct assay_dl bz2_dl = ASSAY_DL("libbz2.so.1.0", bz2);

static int bzip2_open(const uint8_t *head, size_t len, const struct assay_unpack_opts *opts, void **ret,
		      struct assay_err *err)
{
	bz_stream *z;

	(void)opts;
	if (len < 4 || head[2] != 'h')
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "no header");
	if (assay_dl_get(&bz2_dl, err) < 0)
		return -1;
	z = calloc(1, sizeof(*z));
	if (!z)
		return assay_fail_mem(err);
	if (do_BZ2_bzDecompressInit(z, 0, 0) != BZ_OK) {
		free(z);
		return assay_fail_mem(err);
	}
	*ret = z;
	return 0;
}

static int bzip2_step(void *state, struct unpack_step *s, struct assay_err *err)
{
	bz_stream *z = state;

	z->next_in = (char *)s->in;
	z->avail_in = (unsigned)s->in_len;
	z->next_out = (char *)s->out;
	z->avail_out = (unsigned)s->out_len;
	const int rc = do_BZ2_bzDecompress(z);
	s->used = s->in_len - z->avail_in;
	s->made = s->out_len - z->avail_out;
	s->done = rc == BZ_STREAM_END;
	if (rc == BZ_MEM_ERROR)
		return assay_fail_mem(err);
	if (rc != BZ_OK && rc != BZ_STREAM_END)
		return damaged(err, "a block's data or its CRC");
	return 0;
}

static void bzip2_close(void *state)
{
	do_BZ2_bzDecompressEnd(state);
	free(state);
}

const struct unpack_ops assay_unpack_bzip2 = { bzip2_open, bzip2_step, bzip2_close };

/* --- xz and lzma -------------------------------------------------------------------------------- */

FUNCTION(lzma_stream_decoder);
FUNCTION(lzma_alone_decoder);
FUNCTION(lzma_code);
FUNCTION(lzma_end);
static const struct assay_dl_symbol lzma[] = { SYMBOL(lzma_stream_decoder), SYMBOL(lzma_alone_decoder),
					       SYMBOL(lzma_code), SYMBOL(lzma_end) };
static struct assay_dl lzma_dl = ASSAY_DL("liblzma.so.5", lzma);

static int lzma_start(lzma_ret rc, lzma_stream *z, void **ret, struct assay_err *err)
{
	if (rc != LZMA_OK) {
		free(z);
		return assay_fail_mem(err);
	}
	*ret = z;
	return 0;
}

static int xz_open(const uint8_t *head, size_t len, const struct assay_unpack_opts *opts, void **ret,
		   struct assay_err *err)
{
	static const lzma_stream init = LZMA_STREAM_INIT;
	static const char *const checks[16] = { [LZMA_CHECK_CRC64] = "CRC64",
						[LZMA_CHECK_SHA256] = "SHA-256" };
	const unsigned check = head[7] & 0x0f;
	lzma_stream *z;

	if (len < 12)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "no header");
	/* xz_dec_stream.c without XZ_DEC_ANY_CHECK */
	if (!opts->lenient && check != LZMA_CHECK_NONE && check != LZMA_CHECK_CRC32)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "the check %s: the kernel knows CRC32 only (xz --check=crc32)",
				  checks[check] ? checks[check] : "of an unknown kind");
	if (assay_dl_get(&lzma_dl, err) < 0)
		return -1;
	z = malloc(sizeof(*z));
	if (!z)
		return assay_fail_mem(err);
	*z = init;
	return lzma_start(do_lzma_stream_decoder(z, ASSAY_UNPACK_MAX_MEMORY, 0), z, ret, err);
}

static int lzma_alone_open(const uint8_t *head, size_t len, const struct assay_unpack_opts *opts,
			   void **ret, struct assay_err *err)
{
	static const lzma_stream init = LZMA_STREAM_INIT;
	lzma_stream *z;

	(void)head;
	(void)opts;
	if (len < 13)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "no header");
	if (assay_dl_get(&lzma_dl, err) < 0)
		return -1;
	z = malloc(sizeof(*z));
	if (!z)
		return assay_fail_mem(err);
	*z = init;
	return lzma_start(do_lzma_alone_decoder(z, ASSAY_UNPACK_MAX_MEMORY), z, ret, err);
}

static int lzma_step(void *state, struct unpack_step *s, struct assay_err *err)
{
	lzma_stream *z = state;

	z->next_in = s->in;
	z->avail_in = s->in_len;
	z->next_out = s->out;
	z->avail_out = s->out_len;
	const lzma_ret rc = do_lzma_code(z, LZMA_RUN);
	s->used = s->in_len - z->avail_in;
	s->made = s->out_len - z->avail_out;
	s->done = rc == LZMA_STREAM_END;
	switch (rc) {
	case LZMA_OK:
	case LZMA_STREAM_END:
	case LZMA_BUF_ERROR: /* nothing to read: the caller knows whether there is more */
		return 0;
	case LZMA_MEM_ERROR:
		return assay_fail_mem(err);
	case LZMA_MEMLIMIT_ERROR:
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "wants more than %llu bytes of memory", ASSAY_UNPACK_MAX_MEMORY);
	case LZMA_OPTIONS_ERROR:
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "a filter that is not known");
	default:
		return damaged(err, rc == LZMA_FORMAT_ERROR ? "its header" : "its data or a check");
	}
}

static void lzma_close(void *state)
{
	do_lzma_end(state);
	free(state);
}

const struct unpack_ops assay_unpack_xz = { xz_open, lzma_step, lzma_close };
const struct unpack_ops assay_unpack_lzma = { lzma_alone_open, lzma_step, lzma_close };

/* --- zstd --------------------------------------------------------------------------------------- */

FUNCTION(ZSTD_createDCtx);
FUNCTION(ZSTD_freeDCtx);
FUNCTION(ZSTD_DCtx_setParameter);
FUNCTION(ZSTD_decompressStream);
FUNCTION(ZSTD_isError);
FUNCTION(ZSTD_getErrorCode);
FUNCTION(ZSTD_getErrorName);
static const struct assay_dl_symbol zstd[] = { SYMBOL(ZSTD_createDCtx),	       SYMBOL(ZSTD_freeDCtx),
					       SYMBOL(ZSTD_DCtx_setParameter), SYMBOL(ZSTD_decompressStream),
					       SYMBOL(ZSTD_isError),	       SYMBOL(ZSTD_getErrorCode),
					       SYMBOL(ZSTD_getErrorName) };
static struct assay_dl zstd_dl = ASSAY_DL("libzstd.so.1", zstd);

static int zstd_open(const uint8_t *head, size_t len, const struct assay_unpack_opts *opts, void **ret,
		     struct assay_err *err)
{
	ZSTD_DCtx *z;

	(void)opts;
	if (len < 5 || head[2] != 0x2f || head[3] != 0xfd)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "no header");
	if (assay_dl_get(&zstd_dl, err) < 0)
		return -1;
	z = do_ZSTD_createDCtx();
	if (!z)
		return assay_fail_mem(err);
	if (do_ZSTD_isError(do_ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, ASSAY_UNPACK_MAX_WINDOW_LOG))) {
		do_ZSTD_freeDCtx(z);
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "the library has no limit");
	}
	*ret = z;
	return 0;
}

static int zstd_step(void *state, struct unpack_step *s, struct assay_err *err)
{
	ZSTD_inBuffer in = { s->in, s->in_len, 0 };
	ZSTD_outBuffer out = { s->out, s->out_len, 0 };
	const size_t rc = do_ZSTD_decompressStream(state, &out, &in);

	s->used = in.pos;
	s->made = out.pos;
	s->done = rc == 0;
	if (!do_ZSTD_isError(rc))
		return 0;
	switch (do_ZSTD_getErrorCode(rc)) {
	case ZSTD_error_memory_allocation:
		return assay_fail_mem(err);
	case ZSTD_error_frameParameter_windowTooLarge:
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "a window of more than %u bytes", 1U << ASSAY_UNPACK_MAX_WINDOW_LOG);
	case ZSTD_error_dictionary_wrong:
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "a dictionary is wanted");
	default:
		return damaged(err, do_ZSTD_getErrorName(rc));
	}
}

static void zstd_close(void *state)
{
	do_ZSTD_freeDCtx(state);
}

const struct unpack_ops assay_unpack_zstd = { zstd_open, zstd_step, zstd_close };
