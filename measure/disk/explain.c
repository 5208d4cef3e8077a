/* SPDX-License-Identifier: Apache-2.0 */
/* What a file is that has no GPT: for the message, never for a decision. */
#include "measure/disk/gpt_priv.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define HEAD 65536

struct magic {
	uint32_t off;
	uint8_t len;
	char bytes[15];
	const char *what;
};

/* Files that hold a disk in some other form. */
static const struct magic containers[] = {
	{ 0, 4, "QFI\xfb", "a qcow2 image" },
	{ 0, 8, "vhdxfile", "a VHDX image" },
	{ 0, 8, "conectix", "a dynamic VHD image" },
	{ 0, 4, "KDMV", "a VMDK image" },
	{ 0, 4, "COWD", "a VMDK image" },
	{ 0, 10, "# Disk Des", "a VMDK descriptor" },
	{ 64, 4, "\x7f\x10\xda\xbe", "a VDI image" },
	{ 0, 3, "QED", "a QED image" },
	{ 0, 4, "\x3a\xff\x26\xed", "an Android sparse image" },
	{ 0, 2, "\x1f\x8b", "a gzip-compressed file" },
	{ 0, 6,
	  "\xfd"
	  "7zXZ\0",
	  "an xz-compressed file" },
	{ 0, 4, "\x28\xb5\x2f\xfd", "a zstd-compressed file" },
	{ 0, 3, "BZh", "a bzip2-compressed file" },
	{ 0, 4, "\x04\x22\x4d\x18", "an lz4-compressed file" },
	{ 0, 4, "PK\x03\x04", "a zip archive" },
	{ 257, 5, "ustar", "a tar archive" },
};

/* Filesystems and the like on the bare disk. */
static const struct magic bare[] = {
	{ 3, 8, "NTFS    ", "an NTFS filesystem" },
	{ 3, 8, "EXFAT   ", "an exFAT filesystem" },
	{ 54, 5, "FAT12", "a FAT filesystem" },
	{ 54, 5, "FAT16", "a FAT filesystem" },
	{ 82, 5, "FAT32", "a FAT filesystem" },
	{ 0, 4, "hsqs", "a squashfs filesystem" },
	{ 0, 6, "LUKS\xba\xbe", "an encrypted filesystem (LUKS)" },
	{ 1024, 4, "\xe2\xe1\xf5\xe0", "an erofs filesystem" },
	{ 1080, 2, "\x53\xef", "an ext2, ext3 or ext4 filesystem" },
	{ 32769, 5, "CD001", "an ISO 9660 filesystem" },
	{ 0, 2, "MZ", "an EFI or DOS program" },
};

static const char *match(const struct magic *m, size_t n, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (m[i].off + m[i].len <= len && memcmp(p + m[i].off, m[i].bytes, m[i].len) == 0)
			return m[i].what;
	return NULL;
}

static bool has_mbr_partition(const uint8_t *p, size_t len, bool *protective)
{
	bool any = false;

	*protective = false;
	if (len < 512 || p[510] != 0x55 || p[511] != 0xaa)
		return false;
	for (int i = 0; i < 4; i++) {
		const uint8_t *rec = p + 446 + 16 * i;

		/* A record: the boot flag is 0 or 0x80 and the type is set. */
		if ((rec[0] & 0x7f) != 0)
			return false;
		any = any || rec[4] != 0;
		*protective = *protective || rec[4] == 0xee;
	}
	return any;
}

static bool has_backup(struct assay_src *disk)
{
	const uint64_t size = assay_src_size(disk);

	for (uint32_t ss = 512; ss <= 4096; ss *= 8) {
		uint8_t sig[8];

		if (size / ss > 1 &&
		    assay_src_read(disk, (size / ss - 1) * ss, sig, sizeof(sig), NULL) == 0 &&
		    memcmp(sig, "EFI PART", 8) == 0)
			return true;
	}
	return false;
}

int assay_disk_explain_no_gpt(struct assay_src *disk, struct assay_err *err)
{
	const uint64_t size = assay_src_size(disk);
	const uint64_t at = assay_src_origin(disk, 0);
	const size_t len = size < HEAD ? (size_t)size : HEAD;
	ASSAY_AUTO_FREE uint8_t *p = NULL;
	const char *what;
	size_t zeros = 0;
	bool protective;

	if (len == 0)
		return assay_fail(err, ASSAY_E_NOTFOUND, at, "no GPT: the file is empty");
	if (assay_src_read_alloc(disk, 0, len, HEAD, &p, err) < 0)
		return -1;
	what = match(containers, sizeof(containers) / sizeof(containers[0]), p, len);
	if (what)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "this is %s, not a raw disk", what);
	if (has_backup(disk))
		return assay_fail(err, ASSAY_E_NOTFOUND, at,
				  "no primary GPT; there is a backup at the disk's end, "
				  "which firmware would use and assay never does");
	what = match(bare, sizeof(bare) / sizeof(bare[0]), p, len);
	if (what)
		return assay_fail(err, ASSAY_E_NOTFOUND, at,
				  "no GPT: this is %s without a partition table", what);
	if (has_mbr_partition(p, len, &protective))
		return assay_fail(err, ASSAY_E_NOTFOUND, at,
				  protective ? "no GPT, only the protective MBR for one"
					     : "no GPT; an MBR partition table is there");
	while (zeros < len && p[zeros] == 0)
		zeros++;
	if (zeros == len && size == len)
		return assay_fail(err, ASSAY_E_NOTFOUND, at, "no GPT: the file is all zeros");
	if (zeros == len)
		return assay_fail(err, ASSAY_E_NOTFOUND, at,
				  "no GPT: the first %zu bytes are all zeros", len);
	if (size < 2 * 512)
		return assay_fail(err, ASSAY_E_NOTFOUND, at,
				  "no GPT: the file has %" PRIu64 " bytes, too few for one", size);
	return assay_fail(err, ASSAY_E_NOTFOUND, at,
			  "no GPT signature, neither with 512 nor with 4096-byte sectors");
}
