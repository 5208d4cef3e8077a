/* SPDX-License-Identifier: Apache-2.0 */
/* Small disk images in memory, one of each format: for unit tests, and as seeds. */
#ifndef ASSAY_TESTS_DISK_IMAGE_H
#define ASSAY_TESTS_DISK_IMAGE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/cur.h"
#include "measure/disk/crc32.h"
#include "measure/disk/format.h"

struct disk_image {
	uint8_t *p;
	size_t len;
};

static inline void put_be64(uint8_t *p, uint64_t v)
{
	assay_put_be32(p, (uint32_t)(v >> 32));
	assay_put_be32(p + 4, (uint32_t)v);
}

static inline struct disk_image image_of(size_t len)
{
	struct disk_image i = { calloc(1, len), len };

	if (!i.p)
		abort();
	return i;
}

/* A disk of 1000 bytes in clusters of 512: table at 512, second table at 1024, data at 1536 and 2048. */
static inline struct disk_image image_qcow2(void)
{
	struct disk_image i = image_of(2048 + 488);
	uint8_t *p = i.p;

	memcpy(p, "QFI\xfb", 4);
	assay_put_be32(p + 4, 3);
	assay_put_be32(p + 20, 9);
	put_be64(p + 24, 1000);
	assay_put_be32(p + 36, 1);
	put_be64(p + 40, 512);
	assay_put_be32(p + 96, 4);
	assay_put_be32(p + 100, 112);
	put_be64(p + 512, 1024 | 1ULL << 63);
	put_be64(p + 1024, 1536 | 1ULL << 63);
	put_be64(p + 1032, 2048 | 1ULL << 63);
	return i;
}

static inline void vhd_seal(uint8_t *p, size_t len, size_t at)
{
	uint32_t sum = 0;

	memset(p + at, 0, 4);
	for (size_t i = 0; i < len; i++)
		sum += p[i];
	assay_put_be32(p + at, ~sum);
}

static inline void vhd_footer(uint8_t *p, uint64_t size, uint32_t type)
{
	memset(p, 0, 512);
	memcpy(p, "conectix", 8);
	assay_put_be32(p + 12, 0x10000);
	put_be64(p + 16, type == 2 ? UINT64_MAX : 512);
	put_be64(p + 48, size);
	assay_put_be32(p + 60, type);
	vhd_seal(p, 512, 64);
}

/* Two blocks of 4096, the second one cut by the disk's end at 5120; the first at 2048, the second unused. */
static inline struct disk_image image_vhd(void)
{
	struct disk_image i = image_of(2048 + 512 + 4096 + 512);
	uint8_t *p = i.p;

	vhd_footer(p, 5120, 3);
	memcpy(p + 512, "cxsparse", 8);
	memset(p + 520, 0xff, 8);
	put_be64(p + 528, 1536);
	assay_put_be32(p + 536, 0x10000);
	assay_put_be32(p + 540, 2);
	assay_put_be32(p + 544, 4096);
	vhd_seal(p + 512, 1024, 36);
	assay_put_be32(p + 1536, 2048 / 512);
	assay_put_be32(p + 1540, 0xffffffff);
	p[2048] = 0xff;
	vhd_footer(p + i.len - 512, 5120, 3);
	return i;
}

static inline void vhdx_seal(uint8_t *p, size_t len)
{
	memset(p + 4, 0, 4);
	assay_put_le32(p + 4, ~assay_crc32c(0xffffffff, p, len));
}

#define VHDX_METADATA (512U << 10)
#define VHDX_BAT (576U << 10)

static inline void vhdx_item(uint8_t *p, unsigned nr, const char *guid, uint32_t off, uint32_t len)
{
	uint8_t *e = p + VHDX_METADATA + 32 + 32 * nr;

	memcpy(e, guid, 16);
	assay_put_le32(e + 16, off);
	assay_put_le32(e + 20, len);
	assay_put_le32(e + 24, 6);
}

/* A disk of 4096 bytes, in one block at 1 MiB. */
static inline struct disk_image image_vhdx(void)
{
	struct disk_image i = image_of((1U << 20) + 4096);
	uint8_t *p = i.p;

	memcpy(p, "vhdxfile", 8);
	for (unsigned n = 1; n <= 2; n++) {
		uint8_t *h = p + n * 65536;

		memcpy(h, "head", 4);
		assay_put_le64(h + 8, n);
		h[66] = 1;
		vhdx_seal(h, 4096);
	}
	for (unsigned n = 3; n <= 4; n++) {
		uint8_t *r = p + n * 65536;

		memcpy(r, "regi", 4);
		assay_put_le32(r + 8, 2);
		memcpy(r + 16, "\x66\x77\xc2\x2d\x23\xf6\x00\x42\x9d\x64\x11\x5e\x9b\xfd\x4a\x08", 16);
		assay_put_le64(r + 32, VHDX_BAT);
		assay_put_le32(r + 40, 4096);
		memcpy(r + 48, "\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e", 16);
		assay_put_le64(r + 64, VHDX_METADATA);
		assay_put_le32(r + 72, 65536);
		vhdx_seal(r, 65536);
	}
	memcpy(p + VHDX_METADATA, "metadata", 8);
	p[VHDX_METADATA + 10] = 3;
	vhdx_item(p, 0, "\x37\x67\xa1\xca\x36\xfa\x43\x4d\xb3\xb6\x33\xf0\xaa\x44\xe7\x6b", 4096, 8);
	vhdx_item(p, 1, "\x24\x42\xa5\x2f\x1b\xcd\x76\x48\xb2\x11\x5d\xbe\xd8\x3b\xf4\xb8", 4104, 8);
	vhdx_item(p, 2, "\x1d\xbf\x41\x81\x6f\xa9\x09\x47\xba\x47\xf2\x33\xa8\xfa\xab\x5f", 4112, 4);
	assay_put_le32(p + VHDX_METADATA + 4096, 1U << 20);
	assay_put_le64(p + VHDX_METADATA + 4104, 4096);
	assay_put_le32(p + VHDX_METADATA + 4112, 512);
	assay_put_le64(p + VHDX_BAT, 1U << 20 | 6);
	return i;
}

#define VMDK_TEXT                                                                                  \
	"# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"                            \
	"createType=\"monolithicSparse\"\n\nRW 9 SPARSE \"a.vmdk\"\nddb.adapterType = \"ide\"\n"

/* Nine sectors in grains of eight: descriptor at 512, directory at 1024, table at 1536, grains from 2048. */
static inline struct disk_image image_vmdk(void)
{
	struct disk_image i = image_of(2048 + 4096 + 512);
	uint8_t *p = i.p;

	memcpy(p, "KDMV\1\0\0\0\3", 9);
	assay_put_le64(p + 12, 9);
	assay_put_le64(p + 20, 8);
	assay_put_le64(p + 28, 1);
	assay_put_le64(p + 36, 1);
	assay_put_le32(p + 44, 4);
	assay_put_le64(p + 56, 2);
	memcpy(p + 73, "\n \r\n", 4);
	memcpy(p + 512, VMDK_TEXT, sizeof(VMDK_TEXT) - 1);
	assay_put_le32(p + 1024, 3);
	assay_put_le32(p + 1536, 4);
	assay_put_le32(p + 1540, 12);
	return i;
}

#endif
