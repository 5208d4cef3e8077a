/* SPDX-License-Identifier: Apache-2.0 */
/* GPTs built here, each check broken in turn. What sfdisk and sgdisk write is in
 * tests/cli/disk.bats. */
#include "tests/unit/unit.h"

#include "core/cur.h"
#include "core/guid.h"
#include "core/limits.h"
#include "measure/disk/crc32.h"
#include "measure/disk/gpt.h"

struct disk {
	uint8_t *p;
	size_t size;
	uint32_t ss;
	uint64_t entries_lba;
	uint32_t n_entries;
	uint32_t entry_size;
	uint64_t table_sectors;
};

static uint8_t *sector(const struct disk *d, uint64_t lba)
{
	return d->p + lba * d->ss;
}

static uint8_t *entry(const struct disk *d, uint32_t i)
{
	return sector(d, d->entries_lba) + (size_t)i * d->entry_size;
}

static uint64_t last_lba(const struct disk *d)
{
	return d->size / d->ss - 1;
}

static uint64_t backup_entries_lba(const struct disk *d)
{
	return last_lba(d) - d->table_sectors;
}

/* Both checksums of a header, over the entries it points to and the size it says. */
static void seal(const struct disk *d, uint64_t lba)
{
	uint8_t *h = sector(d, lba);
	struct assay_cur c = assay_cur_make(h, 92, 0);

	assay_cur_skip(&c, 12);
	uint32_t header_size = assay_cur_le32(&c);
	assay_cur_skip(&c, 56);
	uint64_t entries = assay_cur_le64(&c);
	uint64_t bytes = (uint64_t)assay_cur_le32(&c) * assay_cur_le32(&c);

	if (entries <= last_lba(d) && bytes <= d->size - entries * d->ss)
		assay_put_le32(h + 88, assay_crc32(0, sector(d, entries), bytes));
	memset(h + 16, 0, 4);
	if (header_size <= d->ss)
		assay_put_le32(h + 16, assay_crc32(0, h, header_size));
}

static void write_header(struct disk *d, uint64_t lba, uint64_t other, uint64_t entries)
{
	uint8_t *h = sector(d, lba);

	memcpy(h, "EFI PART", 8);
	assay_put_le32(h + 8, 0x00010000);
	assay_put_le32(h + 12, 92);
	assay_put_le64(h + 24, lba);
	assay_put_le64(h + 32, other);
	assay_put_le64(h + 40, d->entries_lba + d->table_sectors);
	assay_put_le64(h + 48, backup_entries_lba(d) - 1);
	memset(h + 56, 0xd1, 16);
	assay_put_le64(h + 72, entries);
	assay_put_le32(h + 80, d->n_entries);
	assay_put_le32(h + 84, d->entry_size);
	seal(d, lba);
}

static void put_part(struct disk *d, uint32_t i, const char *type, uint64_t first, uint64_t last,
		     const char *name)
{
	uint8_t *e = entry(d, i);

	memset(e, 0, d->entry_size);
	assert_true(assay_guid_parse(type, e));
	memset(e + 16, (int)i + 1, 16);
	assay_put_le64(e + 32, first);
	assay_put_le64(e + 40, last);
	for (size_t k = 0; name[k] && k < 36; k++)
		assay_put_le16(e + 56 + 2 * k, (uint8_t)name[k]); /* Latin-1 */
}

/* Copy the primary's table to the backup and seal both. */
static void finish(struct disk *d)
{
	memcpy(sector(d, backup_entries_lba(d)), sector(d, d->entries_lba),
	       d->table_sectors * d->ss);
	write_header(d, 1, last_lba(d), d->entries_lba);
	write_header(d, last_lba(d), 1, backup_entries_lba(d));
}

#define ESP "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
#define LINUX "0fc63daf-8483-4772-8e79-3d69d8477de4"

static struct disk make_sized(uint32_t ss, uint32_t n_entries, uint32_t entry_size)
{
	struct disk d = {
		.ss = ss, .entries_lba = 2, .n_entries = n_entries, .entry_size = entry_size
	};
	const uint64_t bytes = (uint64_t)n_entries * entry_size;

	d.table_sectors = (bytes + ss - 1) / ss;
	d.size = (200 + 2 * d.table_sectors) * ss;
	d.p = calloc(1, d.size);
	assert_non_null(d.p);
	d.p[446 + 4] = 0xee;
	assay_put_le32(d.p + 446 + 8, 1);
	d.p[510] = 0x55;
	d.p[511] = 0xaa;
	const uint64_t first = d.entries_lba + d.table_sectors;
	put_part(&d, 0, ESP, first, first + 9, "ESP \xe4");
	if (n_entries > 3)
		put_part(&d, 3, LINUX, first + 10, first + 10, "root");
	finish(&d);
	return d;
}

static struct disk make(uint32_t ss)
{
	return make_sized(ss, 128, 128);
}

static int open_disk(const struct disk *d, struct assay_gpt **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;

	assert_int_equal(assay_src_from_mem(d->p, d->size, &src, err), 0);
	return assay_gpt_open(src, ret, err);
}

/* Opens and frees the disk; the message must hold `text`. */
static void refuse(struct disk *d, enum assay_code code, uint64_t at, const char *text)
{
	struct assay_gpt *g = (struct assay_gpt *)d;
	struct assay_err err;

	assert_int_equal(open_disk(d, &g, &err), -1);
	assert_ptr_equal(g, d); /* never written on error */
	if (!strstr(err.msg, text))
		fail_msg("'%s' is not in '%s'", text, err.msg);
	assert_int_equal(err.code, code);
	if (at != ASSAY_NO_OFFSET)
		assert_int_equal(err.at, at);
	free(d->p);
}

static void accept(struct disk *d)
{
	ASSAY_AUTO(assay_gpt) *g = NULL;
	struct assay_err err;

	if (open_disk(d, &g, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(g->backup, ASSAY_GPT_BACKUP_SAME);
	free(d->p);
}

static void test_crc(void **state)
{
	(void)state;
	/* The check value of CRC-32/ISO-HDLC in every catalogue. */
	assert_int_equal(assay_crc32(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(assay_crc32(assay_crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
	assert_int_equal(assay_crc32(0, "", 0), 0);
	assert_int_equal(~assay_crc32c(UINT32_MAX, "123456789", 9), 0xe3069283);
}

static void test_good(void **state)
{
	(void)state;
	for (uint32_t ss = 512; ss <= 4096; ss *= 8) {
		struct disk d = make(ss);
		ASSAY_AUTO(assay_gpt) *g = NULL;
		struct assay_err err;

		assert_int_equal(open_disk(&d, &g, &err), 0);
		assert_int_equal(g->sector_size, ss);
		assert_memory_equal(g->header_bytes, sector(&d, 1), 92);
		assert_memory_equal(g->entries, entry(&d, 0), 128 * 128);
		assert_int_equal(g->header.n_entries, 128);
		assert_int_equal(g->header.alternate_lba, last_lba(&d));
		assert_int_equal(g->backup, ASSAY_GPT_BACKUP_SAME);
		assert_null(g->backup_why);
		assert_true(g->protective_mbr);
		assert_int_equal(g->n_parts, 2);
		assert_int_equal(g->parts[0].index, 1);
		assert_true(assay_gpt_is_esp(&g->parts[0]));
		assert_string_equal(g->parts[0].name, "ESP \xc3\xa4");
		assert_int_equal(g->parts[0].offset, (2 + d.table_sectors) * ss);
		assert_int_equal(g->parts[0].size, 10 * ss);
		assert_int_equal(g->parts[1].index, 4);
		assert_false(assay_gpt_is_esp(&g->parts[1]));
		assert_int_equal(g->parts[1].size, ss);
		assert_string_equal(assay_gpt_type_name(g->parts[1].type), "Linux filesystem");
		free(d.p);
	}
}

static void test_header_cut(void **state)
{
	struct disk d = make(512);
	struct assay_gpt_header h, untouched;
	struct assay_err err;

	(void)state;
	memset(&h, 0x5a, sizeof(h));
	untouched = h;
	for (size_t n = 0; n < 92; n++) {
		assert_int_equal(
			assay_gpt_parse_header(assay_cur_make(sector(&d, 1), n, 512), &h, &err),
			-1);
		assert_int_equal(err.code, ASSAY_E_CORRUPT);
		assert_non_null(strstr(err.msg, "GPT header cut short"));
		assert_memory_equal(&h, &untouched, sizeof(h));
	}
	assert_int_equal(assay_gpt_parse_header(assay_cur_make(sector(&d, 1), 92, 512), &h, &err),
			 0);
	free(d.p);
}

/* The disk cut off anywhere: refused, or a broken backup, never a crash or a backup in use. */
static void test_disk_cut(void **state)
{
	struct disk d = make(512);

	(void)state;
	for (size_t n = 0; n < d.size; n += 37) {
		ASSAY_AUTO(assay_gpt) *g = NULL;
		struct disk cut = d;
		struct assay_err err;

		cut.size = n;
		if (open_disk(&cut, &g, &err) == 0)
			assert_int_equal(g->backup, ASSAY_GPT_BACKUP_BROKEN);
		else
			assert_true(err.msg[0] != '\0');
	}
	free(d.p);
}

static void test_header_checks(void **state)
{
	struct disk d;

	(void)state;
#define BROKEN(at_, code_, text_, ...)                                                             \
	do {                                                                                       \
		d = make(512);                                                                     \
		uint8_t *h = sector(&d, 1);                                                        \
		__VA_ARGS__;                                                                       \
		(void)h;                                                                           \
		refuse(&d, code_, at_, text_);                                                     \
	} while (0)
#define SEALED(at_, code_, text_, ...) BROKEN(at_, code_, text_, __VA_ARGS__; seal(&d, 1))
	SEALED(512 + 12, ASSAY_E_CORRUPT, "header size 91", assay_put_le32(h + 12, 91));
	SEALED(512 + 12, ASSAY_E_CORRUPT, "header size 513", assay_put_le32(h + 12, 513));
	BROKEN(512 + 16, ASSAY_E_CORRUPT, "header's CRC is", h[60] ^= 1);
	/* The CRC covers what follows the 92 bytes too, when the header says it is larger. */
	BROKEN(512 + 16, ASSAY_E_CORRUPT, "header's CRC is", assay_put_le32(h + 12, 512);
	       seal(&d, 1); h[511] ^= 1);
	SEALED(512 + 8, ASSAY_E_UNSUPPORTED, "revision 0x00020000", assay_put_le32(h + 8, 0x20000));
	SEALED(512 + 24, ASSAY_E_CORRUPT, "says it is at LBA 2", assay_put_le64(h + 24, 2));
	SEALED(512 + 40, ASSAY_E_CORRUPT, "before it starts", assay_put_le64(h + 48, 33));
	SEALED(512 + 48, ASSAY_E_CORRUPT, "usable range ends at LBA",
	       assay_put_le64(h + 48, last_lba(&d) + 1));
	SEALED(512 + 48, ASSAY_E_CORRUPT, "usable range ends at LBA",
	       assay_put_le64(h + 48, UINT64_MAX));
	SEALED(512 + 40, ASSAY_E_CORRUPT, "in its own usable range", assay_put_le64(h + 40, 1));
	SEALED(512 + 72, ASSAY_E_CORRUPT, "reach past the disk's end",
	       assay_put_le64(h + 72, last_lba(&d) - 30));
	SEALED(512 + 72, ASSAY_E_CORRUPT, "reach past the disk's end",
	       assay_put_le64(h + 72, UINT64_MAX));
	SEALED(512 + 72, ASSAY_E_CORRUPT, "over the MBR", assay_put_le64(h + 72, 0));
	SEALED(512 + 72, ASSAY_E_CORRUPT, "over the header", assay_put_le64(h + 72, 1));
	SEALED(512 + 72, ASSAY_E_CORRUPT, "in the usable range", assay_put_le64(h + 72, 40));
	SEALED(512 + 80, ASSAY_E_CORRUPT, "room for no entry", assay_put_le32(h + 80, 0));
	SEALED(512 + 84, ASSAY_E_CORRUPT, "entry size 127", assay_put_le32(h + 84, 127));
	SEALED(512 + 84, ASSAY_E_CORRUPT, "entry size 64", assay_put_le32(h + 84, 64));
	SEALED(512 + 84, ASSAY_E_CORRUPT, "entry size 384", assay_put_le32(h + 84, 384));
	BROKEN(512 + 88, ASSAY_E_CORRUPT, "entries' CRC is", entry(&d, 0)[56] ^= 1);
	/* An unused entry counts too. */
	BROKEN(512 + 88, ASSAY_E_CORRUPT, "entries' CRC is", entry(&d, 127)[127] ^= 1);
}

static void test_ceilings(void **state)
{
	struct disk d;

	(void)state;
	d = make_sized(512, ASSAY_GPT_MAX_ENTRIES - 1, 128);
	accept(&d);
	d = make_sized(512, ASSAY_GPT_MAX_ENTRIES, 128);
	accept(&d);
	d = make_sized(512, ASSAY_GPT_MAX_ENTRIES + 1, 128);
	refuse(&d, ASSAY_E_LIMIT, 512 + 80, "4097 GPT entries");
	d = make_sized(512, 4, ASSAY_GPT_MAX_ENTRY_SIZE);
	accept(&d);
	d = make_sized(512, 4, 2 * ASSAY_GPT_MAX_ENTRY_SIZE);
	refuse(&d, ASSAY_E_LIMIT, 512 + 84, "entry size 8192");
	d = make_sized(512, ASSAY_GPT_MAX_TABLE / 4096, 4096);
	accept(&d);
	d = make_sized(512, ASSAY_GPT_MAX_TABLE / 4096 + 1, 4096);
	refuse(&d, ASSAY_E_LIMIT, 512 + 80, "GPT entries of 1052672 bytes");
	d = make(512);
	assay_put_le32(sector(&d, 1) + 12, 512);
	seal(&d, 1);
	accept(&d);
	d = make_sized(512, 1, 128);
	accept(&d);
}

static void test_partitions(void **state)
{
	struct disk d;
	uint64_t first, usable_end;

	(void)state;
#define PARTS(text_, at_entry_, ...)                                                               \
	do {                                                                                       \
		d = make(512);                                                                     \
		first = 2 + d.table_sectors;                                                       \
		usable_end = backup_entries_lba(&d) - 1;                                           \
		__VA_ARGS__;                                                                       \
		finish(&d);                                                                        \
		refuse(&d, ASSAY_E_CORRUPT, 1024 + at_entry_, text_);                              \
	} while (0)
	PARTS("partition 2 ends (LBA 49) before it starts (LBA 50)", 128 + 40,
	      put_part(&d, 1, LINUX, 50, 49, ""));
	PARTS("partition 1 (LBA 33 to 33) leaves the usable range", 32,
	      put_part(&d, 0, LINUX, first - 1, first - 1, ""));
	PARTS("leaves the usable range", 128 + 32,
	      put_part(&d, 1, LINUX, usable_end, usable_end + 1, ""));
	PARTS("leaves the usable range", 128 + 32, put_part(&d, 1, LINUX, 60, UINT64_MAX, ""));
	PARTS("partitions 1 and 2 overlap", 128 + 32,
	      put_part(&d, 1, LINUX, first + 9, first + 9, ""));
	PARTS("partitions 1 and 2 overlap", 128 + 32, put_part(&d, 1, LINUX, first, first + 9, ""));
	PARTS("partitions 4 and 8 overlap", 7 * 128 + 32,
	      put_part(&d, 7, LINUX, first + 10, first + 90, ""));
	/* One inside another, and a third behind the small one. */
	PARTS("partitions 2 and 3 overlap", 2 * 128 + 32,
	      put_part(&d, 1, LINUX, first + 20, first + 60, "");
	      put_part(&d, 2, LINUX, first + 30, first + 31, "");
	      put_part(&d, 4, LINUX, first + 61, first + 61, ""));

	/* Full to both ends, in reverse order on the disk: fine. */
	d = make(512);
	first = 2 + d.table_sectors;
	usable_end = backup_entries_lba(&d) - 1;
	put_part(&d, 0, LINUX, first + 50, usable_end, "b");
	put_part(&d, 1, ESP, first, first + 49, "a");
	memset(entry(&d, 3), 0, 128);
	finish(&d);
	accept(&d);
}

static void backup_is(struct disk *d, enum assay_gpt_backup want, const char *why)
{
	ASSAY_AUTO(assay_gpt) *g = NULL;
	struct assay_err err;

	if (open_disk(d, &g, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(g->backup, want);
	if (!strstr(g->backup_why, why))
		fail_msg("'%s' is not in '%s'", why, g->backup_why);
	free(d->p);
}

static void test_backup(void **state)
{
	struct disk d;

	(void)state;
#define BACKUP(want_, why_, ...)                                                                   \
	do {                                                                                       \
		d = make(512);                                                                     \
		uint8_t *b = sector(&d, last_lba(&d));                                             \
		(void)b;                                                                           \
		__VA_ARGS__;                                                                       \
		backup_is(&d, want_, why_);                                                        \
	} while (0)
	BACKUP(ASSAY_GPT_BACKUP_BROKEN, "no GPT signature", b[0] = 0);
	BACKUP(ASSAY_GPT_BACKUP_BROKEN, "header's CRC", b[60] ^= 1);
	BACKUP(ASSAY_GPT_BACKUP_BROKEN, "entries' CRC", sector(&d, backup_entries_lba(&d))[5] ^= 1);
	BACKUP(ASSAY_GPT_BACKUP_BROKEN, "disk ends at LBA", d.size -= 512;
	       assay_put_le64(sector(&d, 1) + 48, 100); seal(&d, 1));
	BACKUP(ASSAY_GPT_BACKUP_BROKEN, "places it at LBA 0", assay_put_le64(sector(&d, 1) + 32, 0);
	       seal(&d, 1));
	BACKUP(ASSAY_GPT_BACKUP_DIFFERS, "another disk GUID", b[56] ^= 1; seal(&d, last_lba(&d)));
	BACKUP(ASSAY_GPT_BACKUP_DIFFERS, "other entries",
	       sector(&d, backup_entries_lba(&d))[60] ^= 1;
	       seal(&d, last_lba(&d)));
	BACKUP(ASSAY_GPT_BACKUP_DIFFERS, "another LBA as the primary's", assay_put_le64(b + 32, 2);
	       seal(&d, last_lba(&d)));
	BACKUP(ASSAY_GPT_BACKUP_DIFFERS, "another usable range", assay_put_le64(b + 48, 101);
	       seal(&d, last_lba(&d)));
	BACKUP(ASSAY_GPT_BACKUP_DIFFERS, "another table size", assay_put_le32(b + 80, 127);
	       seal(&d, last_lba(&d)));

	/* An image on a larger disk: valid, equal, not at the end. */
	d = make(512);
	d.p = realloc(d.p, d.size + 4096);
	memset(d.p + d.size, 0, 4096);
	d.size += 4096;
	backup_is(&d, ASSAY_GPT_BACKUP_DIFFERS, "not at the disk's last");
}

/* A broken primary with a good backup: refused. */
static void test_backup_never_used(void **state)
{
	struct disk d = make(512);

	(void)state;
	memset(sector(&d, 1), 0, 512);
	refuse(&d, ASSAY_E_NOTFOUND, 0, "there is a backup");
}

static void test_both_sector_sizes(void **state)
{
	struct disk large = make(4096);
	struct disk small = make(512);
	ASSAY_AUTO(assay_gpt) *g = NULL;
	struct assay_err err;

	(void)state;
	/* A 512-byte header left in LBA 0 of a 4096-byte disk, whose CRC does not fit any more. */
	memcpy(large.p + 512, small.p + 512, 512);
	large.p[512 + 60] ^= 1;
	assert_int_equal(open_disk(&large, &g, &err), 0);
	assert_int_equal(g->sector_size, 4096);
	assay_gpt_free(&g);

	/* A stray signature where a 4096-byte header would be, on a good 512-byte disk. */
	struct disk stray = make(512);
	stray.entries_lba = 20;
	memset(stray.p + 1024, 0, 18 * 512);
	put_part(&stray, 0, ESP, 60, 69, "");
	finish(&stray);
	memcpy(stray.p + 4096, "EFI PART", 8);
	assert_int_equal(open_disk(&stray, &g, &err), 0);
	assert_int_equal(g->sector_size, 512);
	free(stray.p);

	/* Both valid: the table for 512 lies far behind, where the other has nothing. */
	struct disk both = large;
	uint8_t *h = both.p + 512;
	memcpy(h, small.p + 512, 512);
	assay_put_le64(h + 72, 100 * 8);
	memset(both.p + 100 * 4096, 0, 128 * 128);
	assay_put_le64(h + 40, 120 * 8);
	assay_put_le64(h + 48, 130 * 8);
	both.ss = 512;
	seal(&both, 1);
	free(small.p);
	refuse(&both, ASSAY_E_UNSUPPORTED, 512, "two valid GPTs");
}

static void test_not_protective(void **state)
{
	ASSAY_AUTO(assay_gpt) *g = NULL;
	struct disk d = make(512);
	struct assay_err err;

	(void)state;
	d.p[446 + 8] = 2;
	assert_int_equal(open_disk(&d, &g, &err), 0);
	assert_false(g->protective_mbr);
	free(d.p);
}

static void no_gpt(size_t size, uint32_t off, const void *magic, size_t len, enum assay_code code,
		   const char *text)
{
	struct disk d = { .p = calloc(1, size + 1), .size = size };

	memcpy(d.p + off, magic, len);
	refuse(&d, code, 0, text);
}

static void test_what_else_it_is(void **state)
{
	uint8_t mbr[66] = { [4] = 0x83, [64] = 0x55, [65] = 0xaa };

	(void)state;
	no_gpt(0, 0, "", 0, ASSAY_E_NOTFOUND, "the file is empty");
	no_gpt(1, 0, "", 0, ASSAY_E_NOTFOUND, "all zeros");
	no_gpt(65536, 0, "", 0, ASSAY_E_NOTFOUND, "the file is all zeros");
	no_gpt(1 << 20, 0, "", 0, ASSAY_E_NOTFOUND, "the first 65536 bytes are all zeros");
	no_gpt(1023, 7, "x", 1, ASSAY_E_NOTFOUND, "has 1023 bytes, too few");
	no_gpt(1 << 16, 7, "x", 1, ASSAY_E_NOTFOUND, "no GPT signature");
	no_gpt(1 << 16, 0, "QFI\xfb", 4, ASSAY_E_UNSUPPORTED,
	       "this is a qcow2 image, not a raw disk");
	no_gpt(1 << 16, 0, "vhdxfile", 8, ASSAY_E_UNSUPPORTED, "a VHDX image");
	no_gpt(1 << 16, 0, "conectix", 8, ASSAY_E_UNSUPPORTED, "a dynamic VHD image");
	no_gpt(1 << 16, 0, "KDMV", 4, ASSAY_E_UNSUPPORTED, "a VMDK image");
	no_gpt(1 << 16, 64, "\x7f\x10\xda\xbe", 4, ASSAY_E_UNSUPPORTED, "a VDI image");
	no_gpt(4, 0, "\x1f\x8b", 2, ASSAY_E_UNSUPPORTED, "a gzip-compressed file");
	no_gpt(1 << 16, 0,
	       "\xfd"
	       "7zXZ\0",
	       6, ASSAY_E_UNSUPPORTED, "an xz-compressed file");
	no_gpt(1 << 16, 0, "\x28\xb5\x2f\xfd", 4, ASSAY_E_UNSUPPORTED, "a zstd-compressed file");
	no_gpt(1 << 16, 446, mbr, sizeof(mbr), ASSAY_E_NOTFOUND, "an MBR partition table is there");
	mbr[4] = 0xee;
	no_gpt(1 << 16, 446, mbr, sizeof(mbr), ASSAY_E_NOTFOUND, "only the protective MBR");
	no_gpt(1 << 16, 82, "FAT32", 5, ASSAY_E_NOTFOUND, "a FAT filesystem without a partition");
	no_gpt(1 << 16, 0, "LUKS\xba\xbe", 6, ASSAY_E_NOTFOUND, "an encrypted filesystem (LUKS)");
	no_gpt(1 << 16, 32769, "CD001", 5, ASSAY_E_NOTFOUND, "an ISO 9660 filesystem");
}

/* Each type that sfdisk knows and we do has the same name. */
static void test_type_names(void **state)
{
	char line[256];
	int same = 0;

	(void)state;
	if (!unit_have("sfdisk") && access("/usr/sbin/sfdisk", X_OK) != 0)
		unit_skip("sfdisk is not there");
	FILE *f = popen("PATH=$PATH:/usr/sbin LC_ALL=C sfdisk --list-types -X gpt", "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		char *name = line + 36;
		uint8_t guid[16];

		line[strcspn(line, "\n")] = '\0';
		if (strlen(line) < 39 || *name != ' ')
			continue;
		*name = '\0';
		name += 1 + strspn(name + 1, " ");
		if (!assay_guid_parse(line, guid) || !assay_gpt_type_name(guid))
			continue;
		char *sign = strstr(name, "sign.");
		size_t n = sign ? (size_t)(sign - name) : strlen(name);
		assert_memory_equal(assay_gpt_type_name(guid), name, n);
		same++;
	}
	pclose(f);
	assert_true(same > 35);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_crc),
	cmocka_unit_test(test_good),
	cmocka_unit_test(test_header_cut),
	cmocka_unit_test(test_disk_cut),
	cmocka_unit_test(test_header_checks),
	cmocka_unit_test(test_ceilings),
	cmocka_unit_test(test_partitions),
	cmocka_unit_test(test_backup),
	cmocka_unit_test(test_backup_never_used),
	cmocka_unit_test(test_both_sector_sizes),
	cmocka_unit_test(test_not_protective),
	cmocka_unit_test(test_what_else_it_is),
	cmocka_unit_test(test_type_names),
};

UNIT_MAIN(tests)
