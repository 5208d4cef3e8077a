/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of every kind, made by their own libraries: where they end, what follows, each cut length, damage, ceilings,
 * and the forms that Linux does not read.
 */
#include "measure/unpack/unpack.h"
#include "core/cur.h"
#include "core/limits.h"
#include "core/text.h"
#include "tests/unit/alloc.h"

#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#define PLAIN 300000

static uint8_t plain[PLAIN];

static void make_plain(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < PLAIN; i++) {
		x = x * 1103515245 + 12345;
		plain[i] = i % 3 ? (uint8_t)"the quick brown fox"[i % 19] : (uint8_t)(x >> 24);
	}
}

static void pack_gzip(struct assay_str *out, size_t n, int window)
{
	static uint8_t buf[2 * PLAIN];
	z_stream z = { 0 };

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = plain;
	z.avail_in = (uInt)n;
	z.next_out = buf;
	z.avail_out = sizeof(buf);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	assay_str_add_n(out, buf, sizeof(buf) - z.avail_out);
	deflateEnd(&z);
}

static void pack_lzma(struct assay_str *out, size_t n, bool alone, lzma_check check)
{
	static uint8_t buf[2 * PLAIN];
	size_t len = 0;

	if (!alone) {
		assert_int_equal(lzma_easy_buffer_encode(1, check, NULL, plain, n, buf, &len, sizeof(buf)), LZMA_OK);
	} else {
		lzma_stream z = LZMA_STREAM_INIT;
		lzma_options_lzma o;

		assert_false(lzma_lzma_preset(&o, 1));
		assert_int_equal(lzma_alone_encoder(&z, &o), LZMA_OK);
		z.next_in = plain;
		z.avail_in = n;
		z.next_out = buf;
		z.avail_out = sizeof(buf);
		assert_int_equal(lzma_code(&z, LZMA_FINISH), LZMA_STREAM_END);
		len = sizeof(buf) - z.avail_out;
		lzma_end(&z);
	}
	assay_str_add_n(out, buf, len);
}

static void pack_lz4(struct assay_str *out, size_t n, size_t chunk)
{
	static char buf[2 * PLAIN];
	uint8_t le[4];

	assay_str_add_n(out, "\x02\x21\x4c\x18", 4);
	for (size_t at = 0; at < n; at += chunk) {
		const size_t part = n - at < chunk ? n - at : chunk;
		const int len = LZ4_compress_default((char *)plain + at, buf, (int)part, sizeof(buf));

		assert_true(len > 0);
		assay_put_le32(le, (uint32_t)len);
		assay_str_add_n(out, le, 4);
		assay_str_add_n(out, buf, (size_t)len);
	}
}

static void pack(struct assay_str *out, enum assay_codec codec, size_t n)
{
	static char buf[2 * PLAIN];
	unsigned len = sizeof(buf);
	size_t zn;

	switch (codec) {
	case ASSAY_CODEC_GZIP:
		pack_gzip(out, n, 16 + MAX_WBITS);
		break;
	case ASSAY_CODEC_BZIP2:
		assert_int_equal(BZ2_bzBuffToBuffCompress(buf, &len, (char *)plain, (unsigned)n, 1, 0, 0), BZ_OK);
		assay_str_add_n(out, buf, len);
		break;
	case ASSAY_CODEC_LZMA:
		pack_lzma(out, n, true, LZMA_CHECK_NONE);
		break;
	case ASSAY_CODEC_XZ:
		pack_lzma(out, n, false, LZMA_CHECK_CRC32);
		break;
	case ASSAY_CODEC_LZ4:
		pack_lz4(out, n, 100000);
		break;
	default:
		zn = ZSTD_compress(buf, sizeof(buf), plain, n, 3);
		assert_false(ZSTD_isError(zn));
		assay_str_add_n(out, buf, zn);
	}
}

static const enum assay_codec all[] = { ASSAY_CODEC_GZIP, ASSAY_CODEC_BZIP2, ASSAY_CODEC_LZMA,
					ASSAY_CODEC_XZ,	  ASSAY_CODEC_LZ4,   ASSAY_CODEC_ZSTD };
#define N_ALL (sizeof(all) / sizeof(all[0]))

struct got {
	size_t n;
	bool wrong;
};

static int take(void *arg, const uint8_t *p, size_t n, struct assay_err *err)
{
	struct got *g = arg;

	(void)err;
	if (n > PLAIN - g->n || memcmp(p, plain + g->n, n) != 0)
		g->wrong = true;
	g->n += n;
	return 0;
}

static int run_opts(const void *p, size_t n, uint64_t off, enum assay_codec codec, uint64_t max, bool lenient,
		    struct got *g, uint64_t *used, struct assay_err *err)
{
	const struct assay_unpack_opts opts = { .max_out = max, .lenient = lenient, .take = take, .arg = g };
	ASSAY_AUTO(assay_src) *src = NULL;

	*g = (struct got){ 0 };
	if (assay_src_from_mem(p, n, &src, err) < 0)
		return -1;
	return assay_unpack(src, off, codec, &opts, used, err);
}

static int run(const void *p, size_t n, uint64_t off, enum assay_codec codec, struct got *g, uint64_t *used,
	       struct assay_err *err)
{
	return run_opts(p, n, off, codec, PLAIN, false, g, used, err);
}

static void test_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ALL; i++) {
		static const size_t sizes[] = { 1, 100, 131072, PLAIN };

		for (size_t s = 0; s < 4; s++) {
			struct assay_str str = { 0 };
			struct assay_err err;
			struct got g;
			uint64_t used;

			assay_str_add(&str, "abc");
			pack(&str, all[i], sizes[s]);
			const size_t len = str.len - 3;
			assert_int_equal(assay_codec_of((uint8_t *)str.p + 3, len), all[i]);
			/* alone, before zeros, and before something else */
			for (int after = 0; after < 3; after++) {
				if (after == 1)
					assay_str_add_n(&str, "\0\0\0\0\0\0\0\0", 8);
				if (after == 2 && all[i] != ASSAY_CODEC_LZ4)
					pack(&str, all[i], 100);
				if (run(str.p, str.len, 3, all[i], &g, &used, &err) < 0)
					fail_msg("%s: %s", assay_codec_name(all[i]), err.msg);
				assert_int_equal(used, len);
				assert_int_equal(g.n, sizes[s]);
				assert_false(g.wrong);
			}
			assay_str_clear(&str);
		}
	}
}

/* Directly behind each other, too: libraries that read on would take both for one. */
static void test_one_stream_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ALL; i++) {
		struct assay_str str = { 0 };
		struct assay_err err;
		struct got g;
		uint64_t used;

		if (all[i] == ASSAY_CODEC_LZ4)
			continue; /* has no end, see below */
		pack(&str, all[i], 1000);
		const size_t len = str.len;
		pack(&str, all[i], 1000);
		assert_int_equal(run(str.p, str.len, 0, all[i], &g, &used, &err), 0);
		assert_int_equal(used, len);
		assert_int_equal(g.n, 1000);
		assay_str_clear(&str);
	}
}

static void test_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ALL; i++) {
		struct assay_str str = { 0 };
		size_t good = 0;

		pack(&str, all[i], 300);
		for (size_t n = 0; n < str.len; n++) {
			struct assay_err err;
			struct got g;
			uint64_t used;
			uint8_t *copy = malloc(n + 1);

			memcpy(copy, str.p, n);
			if (run(copy, n, 0, all[i], &g, &used, &err) == 0) {
				good++;
				assert_int_equal(all[i], ASSAY_CODEC_LZ4);
				assert_int_equal(g.n, 0); /* its magic number, and half a size */
			} else {
				assert_int_equal(err.code, ASSAY_E_CORRUPT);
				assert_int_equal(err.at == 0 || all[i] == ASSAY_CODEC_LZ4, 1);
			}
			assert_false(g.wrong);
			free(copy);
		}
		assert_int_equal(good, all[i] == ASSAY_CODEC_LZ4 ? 4 : 0);
		assay_str_clear(&str);
	}
}

/* A bit turned over: told, or in bytes that no check covers; never a crash, never more than was packed. */
static void test_flips(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ALL; i++) {
		struct assay_str str = { 0 };
		size_t told = 0;

		pack(&str, all[i], 300);
		for (size_t bit = 0; bit < 8 * str.len; bit++) {
			struct assay_err err;
			struct got g;
			uint64_t used;

			str.p[bit / 8] ^= (char)(1 << bit % 8);
			if (run(str.p, str.len, 0, all[i], &g, &used, &err) < 0)
				told++;
			else
				assert_true(used <= str.len);
			str.p[bit / 8] ^= (char)(1 << bit % 8);
		}
		/* lzma, lz4 and zstd as it is made here have no checksum */
		if (all[i] == ASSAY_CODEC_GZIP || all[i] == ASSAY_CODEC_BZIP2 || all[i] == ASSAY_CODEC_XZ)
			assert_true(told > 8 * str.len * 8 / 10);
		assay_str_clear(&str);
	}
}

static void test_ceiling(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ALL; i++) {
		struct assay_str str = { 0 };
		struct assay_err err;
		struct got g;
		uint64_t used;

		pack(&str, all[i], PLAIN);
		assert_int_equal(run_opts(str.p, str.len, 0, all[i], PLAIN + 1, false, &g, &used, &err), 0);
		assert_int_equal(run_opts(str.p, str.len, 0, all[i], PLAIN, false, &g, &used, &err), 0);
		assert_int_equal(run_opts(str.p, str.len, 0, all[i], PLAIN - 1, false, &g, &used, &err), -1);
		assert_int_equal(err.code, ASSAY_E_LIMIT);
		assert_true(g.n < PLAIN);
		assay_str_clear(&str);
	}
}

static void refused(const struct assay_str *s, enum assay_codec codec, bool lenient_takes, const char *words)
{
	struct assay_err err;
	struct got g;
	uint64_t used;

	assert_int_equal(run(s->p, s->len, 0, codec, &g, &used, &err), -1);
	if (err.code != ASSAY_E_UNSUPPORTED || !strstr(err.msg, words))
		fail_msg("%d: %s", (int)err.code, err.msg);
	assert_int_equal(run_opts(s->p, s->len, 0, codec, PLAIN, true, &g, &used, &err), lenient_takes ? 0 : -1);
	assert_int_equal(g.n, lenient_takes ? 1000 : 0);
}

static void test_not_for_linux(void **state)
{
	struct assay_str s = { 0 };

	(void)state;
	pack_lzma(&s, 1000, false, LZMA_CHECK_CRC64);
	refused(&s, ASSAY_CODEC_XZ, true, "CRC64");
	assay_str_clear(&s);
	pack_lzma(&s, 1000, false, LZMA_CHECK_SHA256);
	refused(&s, ASSAY_CODEC_XZ, true, "SHA-256");
	assay_str_clear(&s);
	/* gzip with a comment */
	struct assay_str raw = { 0 };
	pack_gzip(&raw, 1000, 16 + MAX_WBITS);
	raw.p[3] = 16;
	assay_str_add_n(&s, raw.p, 10);
	assay_str_add_n(&s, "c", 2);
	assay_str_add_n(&s, raw.p + 10, raw.len - 10);
	refused(&s, ASSAY_CODEC_GZIP, true, "flags 0x10");
	assay_str_clear(&s);
	/* and with a name, which is taken */
	struct assay_err err;
	struct got g;
	uint64_t used;

	raw.p[3] = 8;
	assay_str_add_n(&s, raw.p, 10);
	assay_str_add_n(&s, "c", 2);
	assay_str_add_n(&s, raw.p + 10, raw.len - 10);
	assert_int_equal(run(s.p, s.len, 0, ASSAY_CODEC_GZIP, &g, &used, &err), 0);
	assert_int_equal(g.n, 1000);
	assay_str_clear(&raw);
	assay_str_clear(&s);
	assay_str_add(&s, "\x89LZO and so on");
	refused(&s, ASSAY_CODEC_LZO, false, "packed with lzo");
	assay_str_clear(&s);
	assay_str_add_n(&s, "\x02\x21\x00\x00", 4);
	refused(&s, ASSAY_CODEC_LZ4, false, "old form");
	assay_str_clear(&s);
	/* zstd: a frame header that asks for a window of 256 MiB (RFC 8878, 3.1.1.1.2) */
	assay_str_add_n(&s, "\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00", 9);
	refused(&s, ASSAY_CODEC_ZSTD, false, "a window");
	s.p[5] = (char)0x88; /* 128 MiB */
	assert_int_equal(run(s.p, s.len, 0, ASSAY_CODEC_ZSTD, &g, &used, &err), 0);
	assay_str_clear(&s);
}

static void test_lz4_blocks(void **state)
{
	struct assay_str s = { 0 };
	struct assay_err err;
	struct got g;
	uint64_t used;

	(void)state;
	/* The magic number again between blocks, as `lz4 -l` of joined files has it, is stepped over. */
	pack_lz4(&s, 1000, 1000);
	assay_str_add_n(&s, "\x02\x21\x4c\x18", 4);
	assert_int_equal(run(s.p, s.len, 0, ASSAY_CODEC_LZ4, &g, &used, &err), 0);
	assert_int_equal(used, s.len);
	/* 1 to 3 bytes at the end are no size: left to who reads what follows */
	assay_str_add_n(&s, "\1\1\1", 3);
	assert_int_equal(run(s.p, s.len, 0, ASSAY_CODEC_LZ4, &g, &used, &err), 0);
	assert_int_equal(used, s.len - 3);
	assay_str_add_n(&s, "\1", 1);
	assert_int_equal(run(s.p, s.len, 0, ASSAY_CODEC_LZ4, &g, &used, &err), -1);
	assert_int_equal(err.code, ASSAY_E_CORRUPT);
	assert_int_equal(err.at, s.len - 4);
	assay_str_clear(&s);
}

static void test_names(void **state)
{
	(void)state;
	for (unsigned c = 0; c < ASSAY_N_CODECS; c++)
		assert_non_null(assay_codec_name(c));
	assert_null(assay_codec_name(ASSAY_N_CODECS));
	assert_int_equal(assay_codec_of((const uint8_t *)"\x1f", 1), ASSAY_CODEC_NONE);
	assert_int_equal(assay_codec_of((const uint8_t *)"07", 2), ASSAY_CODEC_NONE);
	assert_int_equal(assay_codec_of((const uint8_t *)"\x1f\x9e", 2), ASSAY_CODEC_NONE);
}

static struct assay_str sample;
static enum assay_codec sample_codec;

static int unpack_sample(struct assay_err *err)
{
	struct got g;
	uint64_t used;

	return run(sample.p, sample.len, 0, sample_codec, &g, &used, err);
}

static void test_memory(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ALL; i++) {
		pack(&sample, all[i], PLAIN);
		sample_codec = all[i];
		unit_alloc_each(unpack_sample, true);
		assay_str_clear(&sample);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),	cmocka_unit_test(test_one_stream_only),
		cmocka_unit_test(test_every_cut), cmocka_unit_test(test_flips),
		cmocka_unit_test(test_ceiling), cmocka_unit_test(test_not_for_linux),
		cmocka_unit_test(test_lz4_blocks), cmocka_unit_test(test_names),
		cmocka_unit_test(test_memory),
	};

	make_plain();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
