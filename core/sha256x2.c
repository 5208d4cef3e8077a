/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FIPS 180-4, 6.2. The instructions are those of Intel's Architectures Software Developer's Manual,
 * volume 2: SHA256RNDS2 does two rounds, SHA256MSG1 and SHA256MSG2 make four words of the message
 * schedule.
 */
#include "core/sha256x2.h"

#include <string.h>

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define SHA_NI __attribute__((target("sha,sse4.1")))
#define SHA_NI_INLINE static inline __attribute__((target("sha,sse4.1"), always_inline))

/* 4.2.2 */
static const uint32_t constants[64] __attribute__((aligned(16))) = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

/* 5.3.3 */
static const uint32_t initial[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

/* The eight words of a state as the instructions have them, and sixteen words of the schedule. */
struct stream {
	__m128i abef, cdgh;
	__m128i w[4];
};

SHA_NI_INLINE void load_state(struct stream *s, const uint32_t state[8])
{
	/* Memory has a to h in ascending order, so a register reads d c b a, h g f e from its top.
	 */
	const __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
	const __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);

	s->abef = _mm_alignr_epi8(cdab, efgh, 8);
	s->cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
}

SHA_NI_INLINE void store_state(const struct stream *s, uint32_t state[8])
{
	const __m128i feba = _mm_shuffle_epi32(s->abef, 0x1b);
	const __m128i dchg = _mm_shuffle_epi32(s->cdgh, 0xb1);

	_mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
	_mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/* The block's words are big-endian. */
SHA_NI_INLINE void load_block(struct stream *s, const uint8_t *block)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);

	for (int i = 0; i < 4; i++)
		s->w[i] =
			_mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(block + 16 * i)), swap);
}

/* Words 4i to 4i + 3 of the schedule, in the place of those sixteen words before them. */
SHA_NI_INLINE void schedule(struct stream *s, int i)
{
	const __m128i w = _mm_sha256msg1_epu32(s->w[i & 3], s->w[(i + 1) & 3]);
	const __m128i w_7 = _mm_alignr_epi8(s->w[(i + 3) & 3], s->w[(i + 2) & 3], 4);

	s->w[i & 3] = _mm_sha256msg2_epu32(_mm_add_epi32(w, w_7), s->w[(i + 3) & 3]);
}

SHA_NI_INLINE void four_rounds(struct stream *s, int i)
{
	const __m128i k = _mm_load_si128((const __m128i *)(constants + 4 * i));
	const __m128i wk = _mm_add_epi32(s->w[i & 3], k);

	s->cdgh = _mm_sha256rnds2_epu32(s->cdgh, s->abef, wk);
	s->abef = _mm_sha256rnds2_epu32(s->abef, s->cdgh, _mm_shuffle_epi32(wk, 0x0e));
}

/* Here the streams take turns. `i` is a constant where this is called: indexes become registers. */
SHA_NI_INLINE void step(struct stream *a, struct stream *b, int i)
{
	if (i >= 4) {
		schedule(a, i);
		schedule(b, i);
	}
	four_rounds(a, i);
	four_rounds(b, i);
}

SHA_NI_INLINE void step_one(struct stream *s, int i)
{
	if (i >= 4)
		schedule(s, i);
	four_rounds(s, i);
}

/* n blocks of 64 bytes of each. */
SHA_NI static void compress(uint32_t state_a[8], uint32_t state_b[8], const uint8_t *p_a,
			    const uint8_t *p_b, size_t n)
{
	struct stream a, b;

	load_state(&a, state_a);
	load_state(&b, state_b);
	for (; n > 0; n--, p_a += 64, p_b += 64) {
		const struct stream was_a = a, was_b = b;

		load_block(&a, p_a);
		load_block(&b, p_b);
		step(&a, &b, 0);
		step(&a, &b, 1);
		step(&a, &b, 2);
		step(&a, &b, 3);
		step(&a, &b, 4);
		step(&a, &b, 5);
		step(&a, &b, 6);
		step(&a, &b, 7);
		step(&a, &b, 8);
		step(&a, &b, 9);
		step(&a, &b, 10);
		step(&a, &b, 11);
		step(&a, &b, 12);
		step(&a, &b, 13);
		step(&a, &b, 14);
		step(&a, &b, 15);
		a.abef = _mm_add_epi32(a.abef, was_a.abef);
		a.cdgh = _mm_add_epi32(a.cdgh, was_a.cdgh);
		b.abef = _mm_add_epi32(b.abef, was_b.abef);
		b.cdgh = _mm_add_epi32(b.cdgh, was_b.cdgh);
	}
	store_state(&a, state_a);
	store_state(&b, state_b);
}

/* The same for one. */
SHA_NI static void compress_one(uint32_t state[8], const uint8_t *p, size_t n)
{
	struct stream s;

	load_state(&s, state);
	for (; n > 0; n--, p += 64) {
		const struct stream was = s;

		load_block(&s, p);
		step_one(&s, 0);
		step_one(&s, 1);
		step_one(&s, 2);
		step_one(&s, 3);
		step_one(&s, 4);
		step_one(&s, 5);
		step_one(&s, 6);
		step_one(&s, 7);
		step_one(&s, 8);
		step_one(&s, 9);
		step_one(&s, 10);
		step_one(&s, 11);
		step_one(&s, 12);
		step_one(&s, 13);
		step_one(&s, 14);
		step_one(&s, 15);
		s.abef = _mm_add_epi32(s.abef, was.abef);
		s.cdgh = _mm_add_epi32(s.cdgh, was.cdgh);
	}
	store_state(&s, state);
}

static bool have_instructions(void)
{
	unsigned a, b, c, d;

	/* SSSE3 and SSE4.1; SHA */
	return __get_cpuid(1, &a, &b, &c, &d) && (c & (1U << 9)) && (c & (1U << 19)) &&
	       __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & (1U << 29));
}

bool assay_sha256x2_init(struct assay_sha256x2 *ret, const void *prefix, size_t len)
{
	const uint8_t *p = prefix;
	const size_t whole = len / 64;
	uint32_t twin[8];

	if (!have_instructions())
		return false;
	*ret = (struct assay_sha256x2){ .n_rest = len % 64, .len = len };
	memcpy(ret->state, initial, sizeof(initial));
	memcpy(twin, initial, sizeof(initial));
	if (whole > 0)
		compress(ret->state, twin, p, p, whole);
	if (ret->n_rest > 0)
		memcpy(ret->rest, p + 64 * whole, ret->n_rest);
	return true;
}

/* 5.1.1: behind the n bytes that are there a one, zeros, and the length in bits. Returns how many
 * blocks it now is. */
static size_t pad(uint8_t block[128], size_t n, uint64_t len)
{
	const size_t size = n + 9 <= 64 ? 64 : 128;

	block[n] = 0x80;
	memset(block + n + 1, 0, size - n - 1);
	for (size_t i = 0; i < 8; i++)
		block[size - 1 - i] = (uint8_t)(len * 8 >> (8 * i));
	return size / 64;
}

static void put_digest(const uint32_t state[8], uint8_t ret[32])
{
	for (size_t i = 0; i < 32; i++)
		ret[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

void assay_sha256x2(const struct assay_sha256x2 *prefix, const void *a, const void *b, size_t len,
		    uint8_t ret_a[32], uint8_t ret_b[32])
{
	const uint8_t *p_a = a, *p_b = b;
	const uint64_t total = prefix->len + len;
	uint8_t block_a[128], block_b[128];
	uint32_t state_a[8], state_b[8];
	size_t n = prefix->n_rest;

	memcpy(state_a, prefix->state, sizeof(state_a));
	memcpy(state_b, prefix->state, sizeof(state_b));
	memcpy(block_a, prefix->rest, n);
	memcpy(block_b, prefix->rest, n);
	if (n > 0 && len >= 64 - n) {
		const size_t fill = 64 - n;

		memcpy(block_a + n, p_a, fill);
		memcpy(block_b + n, p_b, fill);
		compress(state_a, state_b, block_a, block_b, 1);
		p_a += fill;
		p_b += fill;
		len -= fill;
		n = 0;
	}
	if (n == 0) {
		compress(state_a, state_b, p_a, p_b, len / 64);
		p_a += len / 64 * 64;
		p_b += len / 64 * 64;
		len %= 64;
	}
	if (len > 0) {
		memcpy(block_a + n, p_a, len);
		memcpy(block_b + n, p_b, len);
	}
	n += len;
	(void)pad(block_a, n, total);
	compress(state_a, state_b, block_a, block_b, pad(block_b, n, total));
	put_digest(state_a, ret_a);
	put_digest(state_b, ret_b);
}

bool assay_sha256_stream_init(struct assay_sha256_stream *ret)
{
	if (!have_instructions())
		return false;
	memcpy(ret->state, initial, sizeof(initial));
	ret->len = 0;
	return true;
}

void assay_sha256_stream_two(struct assay_sha256_stream *a, const void *p_a,
			     struct assay_sha256_stream *b, const void *p_b, size_t len)
{
	compress(a->state, b->state, p_a, p_b, len / 64);
	a->len += len;
	b->len += len;
}

void assay_sha256_stream_one(struct assay_sha256_stream *s, const void *p, size_t len)
{
	compress_one(s->state, p, len / 64);
	s->len += len;
}

void assay_sha256_stream_end(struct assay_sha256_stream *s, const void *p, size_t len,
			     uint8_t ret[32])
{
	const size_t whole = len / 64 * 64, rest = len - whole;
	uint8_t block[128];

	assay_sha256_stream_one(s, p, whole);
	if (rest > 0)
		memcpy(block, (const uint8_t *)p + whole, rest);
	compress_one(s->state, block, pad(block, rest, s->len + rest));
	put_digest(s->state, ret);
}

#else

bool assay_sha256x2_init(struct assay_sha256x2 *ret, const void *prefix, size_t len)
{
	(void)ret;
	(void)prefix;
	(void)len;
	return false;
}

void assay_sha256x2(const struct assay_sha256x2 *prefix, const void *a, const void *b, size_t len,
		    uint8_t ret_a[32], uint8_t ret_b[32])
{
	/* Nobody has a prefix to call this with. */
	(void)prefix;
	(void)a;
	(void)b;
	(void)len;
	memset(ret_a, 0, 32);
	memset(ret_b, 0, 32);
}

bool assay_sha256_stream_init(struct assay_sha256_stream *ret)
{
	(void)ret;
	return false;
}

void assay_sha256_stream_two(struct assay_sha256_stream *a, const void *p_a,
			     struct assay_sha256_stream *b, const void *p_b, size_t len)
{
	(void)a;
	(void)p_a;
	(void)b;
	(void)p_b;
	(void)len;
}

void assay_sha256_stream_one(struct assay_sha256_stream *s, const void *p, size_t len)
{
	(void)s;
	(void)p;
	(void)len;
}

void assay_sha256_stream_end(struct assay_sha256_stream *s, const void *p, size_t len,
			     uint8_t ret[32])
{
	(void)s;
	(void)p;
	(void)len;
	memset(ret, 0, 32);
}

#endif
