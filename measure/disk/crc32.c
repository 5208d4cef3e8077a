/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/disk/crc32.h"

#include <pthread.h>

#define IEEE 0xedb88320
#define CASTAGNOLI 0x82f63b78

/* t[k][b]: the byte b with k zero bytes after it. Eight at a time: disks are checksummed whole. */
struct tables {
	uint32_t t[8][256];
};

static struct tables ieee, castagnoli;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill(struct tables *s, uint32_t polynomial)
{
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t crc = b;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
		s->t[0][b] = crc;
	}
	for (int k = 1; k < 8; k++)
		for (uint32_t b = 0; b < 256; b++)
			s->t[k][b] = s->t[k - 1][b] >> 8 ^ s->t[0][s->t[k - 1][b] & 0xff];
}

static void fill_all(void)
{
	fill(&ieee, IEEE);
	fill(&castagnoli, CASTAGNOLI);
}

static uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t update(const struct tables *s, uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	pthread_once(&once, fill_all);
	for (; len >= 8; len -= 8, p += 8) {
		const uint32_t low = crc ^ le32(p), high = le32(p + 4);

		crc = s->t[7][low & 0xff] ^ s->t[6][low >> 8 & 0xff] ^ s->t[5][low >> 16 & 0xff] ^
		      s->t[4][low >> 24] ^ s->t[3][high & 0xff] ^ s->t[2][high >> 8 & 0xff] ^
		      s->t[1][high >> 16 & 0xff] ^ s->t[0][high >> 24];
	}
	for (; len > 0; len--, p++)
		crc = crc >> 8 ^ s->t[0][(crc ^ *p) & 0xff];
	return crc;
}

uint32_t assay_crc32(uint32_t crc, const void *p, size_t len)
{
	return ~update(&ieee, ~crc, p, len);
}

uint32_t assay_crc32c(uint32_t crc, const void *p, size_t len)
{
	return update(&castagnoli, crc, p, len);
}
