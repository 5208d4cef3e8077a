/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers and section table (Microsoft PE Format, "MS-DOS Stub" to "Section Table"). What EDK2's
 * PeCoffLoaderGetPeHeader() refuses to load and would make a digest doubtful is refused here too.
 */
#include "measure/pe/pe.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/num.h"
#include "core/text.h"

#define DOS_HEADER 64
#define COFF_HEADER 24 /* with its signature */
#define SECTION_HEADER 40
#define SYMBOL 18
#define MAX_DIRECTORIES 16
#define CERT_DIRECTORY 4
#define MACHINE_IA64 0x0200

struct coff {
	uint16_t machine;
	uint16_t n_sections;
	uint32_t timestamp;
	uint32_t symbols_offset;
	uint32_t n_symbols;
	uint16_t optional_size;
};

/* *ret: where the PE header lies. */
static int parse_dos(struct assay_cur in, uint32_t *ret, struct assay_err *err)
{
	const uint64_t start = in.at;
	uint8_t magic[2];

	assay_cur_copy(&in, magic, sizeof(magic));
	assay_cur_skip(&in, 0x3c - sizeof(magic));
	uint32_t offset = assay_cur_le32(&in);
	if (assay_cur_done(&in, "DOS header", err) < 0)
		return -1;
	if (memcmp(magic, "MZ", sizeof(magic)) != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, start, "no PE file: no MZ signature");
	*ret = offset;
	return 0;
}

static int parse_coff(struct assay_cur in, struct coff *ret, struct assay_err *err)
{
	const uint64_t start = in.at;
	uint8_t magic[4];
	struct coff h;

	assay_cur_copy(&in, magic, sizeof(magic));
	h.machine = assay_cur_le16(&in);
	h.n_sections = assay_cur_le16(&in);
	h.timestamp = assay_cur_le32(&in);
	h.symbols_offset = assay_cur_le32(&in);
	h.n_symbols = assay_cur_le32(&in);
	h.optional_size = assay_cur_le16(&in);
	assay_cur_skip(&in, 2); /* characteristics */
	if (assay_cur_done(&in, "PE header", err) < 0)
		return -1;

	if (memcmp(magic, "PE\0\0", sizeof(magic)) != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, start, "no PE signature");
	if (h.n_sections == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, start + 6, "PE header: no sections");
	if (h.n_sections > ASSAY_PE_MAX_SECTIONS)
		return assay_fail(err, ASSAY_E_LIMIT, start + 6,
				  "PE header: %" PRIu16 " sections, limit %d", h.n_sections,
				  ASSAY_PE_MAX_SECTIONS);
	*ret = h;
	return 0;
}

/* `offset` is where the cursor lies in the file, `size` the header's own. Fills in what it finds.
 */
static int parse_optional(struct assay_cur in, uint64_t offset, size_t size, struct assay_pe *pe,
			  struct assay_err *err)
{
	const uint64_t start = in.at;

	uint16_t magic = assay_cur_le16(&in);
	if (!in.bad && magic != 0x10b && magic != 0x20b)
		return assay_fail(
			err, ASSAY_E_UNSUPPORTED, start,
			"optional header: magic 0x%04" PRIx16 " is neither PE32 nor PE32+", magic);
	const bool plus = magic == 0x20b;
	const unsigned fixed = plus ? 112 : 96;

	assay_cur_skip(&in, 44 - 2);
	pe->major_image_version = assay_cur_le16(&in);
	assay_cur_skip(&in, 56 - 46);
	pe->size_of_image = assay_cur_le32(&in);
	pe->size_of_headers = assay_cur_le32(&in);
	pe->checksum = assay_cur_le32(&in);
	pe->subsystem = assay_cur_le16(&in);
	assay_cur_skip(&in, fixed - 4 - 70);
	uint32_t n_dirs = assay_cur_le32(&in);
	if (assay_cur_done(&in, "optional header", err) < 0)
		return -1;

	/* EDK2 reads this combination as PE32+, for the sake of an old boot loader. */
	if (!plus && pe->machine == MACHINE_IA64)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, start,
				  "optional header: PE32 for Itanium");
	if (n_dirs > MAX_DIRECTORIES)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, start + fixed - 4,
				  "optional header: %" PRIu32
				  " data directories, firmware takes %d",
				  n_dirs, MAX_DIRECTORIES);
	if (size - fixed < (size_t)n_dirs * 8)
		return assay_fail(err, ASSAY_E_CORRUPT, start + fixed - 4,
				  "optional header: %" PRIu32
				  " data directories do not fit into its %zu bytes",
				  n_dirs, size);
	pe->plus = plus;
	pe->checksum_offset = offset + 64;
	struct assay_cur dirs = assay_cur_sub(&in, (uint64_t)n_dirs * 8);
	if (assay_cur_done(&in, "data directories", err) < 0)
		return -1;
	if (n_dirs > CERT_DIRECTORY) {
		assay_cur_skip(&dirs, (uint64_t)CERT_DIRECTORY * 8);
		pe->cert_offset = assay_cur_le32(&dirs);
		pe->cert_size = assay_cur_le32(&dirs);
		pe->cert_dir_offset = offset + fixed + (uint64_t)CERT_DIRECTORY * 8;
	}
	return assay_cur_done(&dirs, "data directories", err);
}

static int parse_section(struct assay_cur *in, struct assay_pe_section *ret, struct assay_err *err)
{
	struct assay_pe_section s = { 0 };

	assay_cur_copy(in, s.name, 8);
	s.virtual_size = assay_cur_le32(in);
	s.virtual_address = assay_cur_le32(in);
	s.raw_size = assay_cur_le32(in);
	s.raw_offset = assay_cur_le32(in);
	assay_cur_skip(in, 12); /* relocations and line numbers */
	s.characteristics = assay_cur_le32(in);
	if (assay_cur_done(in, "section table", err) < 0)
		return -1;
	*ret = s;
	return 0;
}

/* Up to len bytes, fewer at the end of the file: the parsers say what is missing. */
static int read_window(struct assay_src *src, uint64_t off, uint64_t len, uint8_t **ret,
		       struct assay_cur *cur, struct assay_err *err)
{
	const uint64_t size = assay_src_size(src);

	if (off > size)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(src, size),
				  "cut short: headers go on at %" PRIu64
				  ", the file ends at %" PRIu64,
				  off, size);
	if (len > size - off)
		len = size - off;
	if (assay_src_read_alloc(src, off, len, len, ret, err) < 0)
		return -1;
	*cur = assay_cur_make(*ret, (size_t)len, assay_src_origin(src, off));
	return 0;
}

static int check_ranges(const struct assay_pe *pe, uint64_t table_end, struct assay_err *err)
{
	const uint64_t size = assay_src_size(pe->src);

	if (pe->size_of_headers < table_end)
		return assay_fail(err, ASSAY_E_CORRUPT,
				  assay_src_origin(pe->src, pe->checksum_offset - 4),
				  "optional header: %" PRIu32
				  " bytes of headers, the section table ends at %" PRIu64,
				  pe->size_of_headers, table_end);
	if (pe->size_of_headers > size)
		return assay_fail(err, ASSAY_E_CORRUPT,
				  assay_src_origin(pe->src, pe->checksum_offset - 4),
				  "headers cut short: %" PRIu32 " bytes, the file has %" PRIu64,
				  pe->size_of_headers, size);
	for (size_t i = 0; i < pe->n_sections; i++) {
		const struct assay_pe_section *s = &pe->sections[i];
		struct assay_str name = { 0 };

		if (s->raw_size == 0 || assay_range_inside(s->raw_offset, s->raw_size, size))
			continue;
		assay_str_add_escaped(&name, s->name, strlen(s->name));
		assay_fail(err, ASSAY_E_CORRUPT,
			   assay_src_origin(pe->src,
					    table_end - (pe->n_sections - i) * SECTION_HEADER),
			   "section %s cut short: %" PRIu32 " bytes at %" PRIu32
			   ", the file ends at %" PRIu64,
			   name.p ? name.p : "", s->raw_size, s->raw_offset, size);
		assay_str_clear(&name);
		return -1;
	}
	if (pe->cert_size != 0 && !assay_range_inside(pe->cert_offset, pe->cert_size, size))
		return assay_fail(err, ASSAY_E_CORRUPT,
				  assay_src_origin(pe->src, pe->cert_dir_offset),
				  "certificate table cut short: %" PRIu32 " bytes at %" PRIu32
				  ", the file ends at %" PRIu64,
				  pe->cert_size, pe->cert_offset, size);
	return 0;
}

int assay_pe_open(struct assay_src *src, struct assay_pe **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_pe) *pe = calloc(1, sizeof(*pe));
	ASSAY_AUTO_FREE uint8_t *dos = NULL, *coff_bytes = NULL, *optional = NULL, *table = NULL;
	struct assay_cur cur;
	struct coff coff = { 0 };
	uint32_t at = 0;

	if (!pe)
		return assay_fail_mem(err);
	pe->src = assay_src_ref(src);
	if (read_window(src, 0, DOS_HEADER, &dos, &cur, err) < 0 || parse_dos(cur, &at, err) < 0)
		return -1;
	if (read_window(src, at, COFF_HEADER, &coff_bytes, &cur, err) < 0 ||
	    parse_coff(cur, &coff, err) < 0)
		return -1;
	pe->machine = coff.machine;
	pe->timestamp = coff.timestamp;
	pe->symbols_offset = coff.symbols_offset;
	pe->n_symbols = coff.n_symbols;

	const uint64_t optional_at = (uint64_t)at + COFF_HEADER;
	const uint64_t table_at = optional_at + coff.optional_size;
	const uint64_t table_size = (uint64_t)coff.n_sections * SECTION_HEADER;
	if (read_window(src, optional_at, coff.optional_size, &optional, &cur, err) < 0 ||
	    parse_optional(cur, optional_at, coff.optional_size, pe, err) < 0)
		return -1;
	if (read_window(src, table_at, table_size, &table, &cur, err) < 0)
		return -1;
	pe->sections = calloc(coff.n_sections, sizeof(*pe->sections));
	if (!pe->sections)
		return assay_fail_mem(err);
	for (; pe->n_sections < coff.n_sections; pe->n_sections++)
		if (parse_section(&cur, &pe->sections[pe->n_sections], err) < 0)
			return -1;
	if (check_ranges(pe, table_at + table_size, err) < 0)
		return -1;
	*ret = assay_steal(&pe);
	return 0;
}

void assay_pe_free(struct assay_pe **pe)
{
	if (!pe || !*pe)
		return;
	assay_src_free(&(*pe)->src);
	free((*pe)->sections);
	free(*pe);
	*pe = NULL;
}

const struct assay_pe_section *assay_pe_section(const struct assay_pe *pe, const char *name)
{
	for (size_t i = 0; i < pe->n_sections; i++)
		if (strcmp(pe->sections[i].name, name) == 0)
			return &pe->sections[i];
	return NULL;
}

char *assay_pe_section_long_name(const struct assay_pe *pe, const struct assay_pe_section *s,
				 char *dst, size_t size)
{
	struct assay_err ignored;
	uint64_t off = 0;
	size_t len;

	if (size == 0)
		return dst;
	len = strlen(s->name) < size - 1 ? strlen(s->name) : size - 1;
	memcpy(dst, s->name, len);
	dst[len] = '\0';
	if (s->name[0] != '/' || s->name[1] == '\0' || pe->symbols_offset == 0)
		return dst;
	for (const char *p = s->name + 1; *p; p++) {
		if (*p < '0' || *p > '9')
			return dst;
		off = off * 10 + (uint64_t)(*p - '0');
	}
	/* The string table follows the symbols; offsets count from its size field on. */
	off += pe->symbols_offset + (uint64_t)pe->n_symbols * SYMBOL;
	if (off >= assay_src_size(pe->src))
		return dst;
	len = size - 1;
	if (len > assay_src_size(pe->src) - off)
		len = (size_t)(assay_src_size(pe->src) - off);
	if (assay_src_read(pe->src, off, dst, len, &ignored) < 0)
		len = 0;
	dst[len] = '\0';
	return dst;
}

const char *assay_pe_machine_name(uint16_t machine)
{
	switch (machine) {
	case 0x014c:
		return "x86";
	case 0x0200:
		return "Itanium";
	case 0x01c0:
	case 0x01c2:
	case 0x01c4:
		return "ARM";
	case 0x0ebc:
		return "EFI byte code";
	case 0x5032:
		return "RISC-V 32";
	case 0x5064:
		return "RISC-V 64";
	case 0x6232:
		return "LoongArch 32";
	case 0x6264:
		return "LoongArch 64";
	case 0x8664:
		return "x86-64";
	case 0xaa64:
		return "AArch64";
	default:
		return NULL;
	}
}

const char *assay_pe_subsystem_name(uint16_t subsystem)
{
	switch (subsystem) {
	case 10:
		return "EFI application";
	case 11:
		return "EFI boot service driver";
	case 12:
		return "EFI runtime driver";
	case 13:
		return "EFI ROM";
	default:
		return NULL;
	}
}

uint64_t assay_pe_section_size(const struct assay_pe_section *s)
{
	return s->virtual_size ? s->virtual_size : s->raw_size;
}

uint64_t assay_pe_section_file_size(const struct assay_pe_section *s)
{
	const uint64_t size = assay_pe_section_size(s);

	return size < s->raw_size ? size : s->raw_size;
}

int assay_pe_section_read(const struct assay_pe *pe, const struct assay_pe_section *s,
			  uint64_t limit, uint8_t **ret, size_t *ret_len, struct assay_err *err)
{
	const uint64_t size = assay_pe_section_size(s);
	const uint64_t in_file = assay_pe_section_file_size(s);

	if (size > limit)
		return assay_fail(err, ASSAY_E_LIMIT, assay_src_origin(pe->src, s->raw_offset),
				  "section %.8s: %" PRIu64 " bytes, limit %" PRIu64, s->name, size,
				  limit);
	ASSAY_AUTO_FREE uint8_t *p = calloc(1, (size_t)size + 1);
	if (!p)
		return assay_fail_mem(err);
	if (in_file > 0 && assay_src_read(pe->src, s->raw_offset, p, (size_t)in_file, err) < 0)
		return assay_wrap(err, "section %.8s", s->name);
	*ret = assay_steal(&p);
	*ret_len = (size_t)size;
	return 0;
}

/*
 * The sum of 16-bit words with the carries added back, by way of wider ones: 2^32 and 2^16 are both
 * 1 modulo 0xffff (RFC 1071, 2). In the host's byte order; n is a multiple of 32, a few MiB at
 * most.
 */
static uint64_t sum_words(const uint8_t *p, size_t n)
{
	uint64_t lo[4] = { 0 }, hi[4] = { 0 };

	for (size_t i = 0; i < n; i += 32) {
		uint64_t v[4];

		memcpy(v, p + i, sizeof(v));
		for (unsigned j = 0; j < 4; j++) {
			lo[j] += v[j] & 0xffffffff;
			hi[j] += v[j] >> 32;
		}
	}
	return lo[0] + lo[1] + lo[2] + lo[3] + hi[0] + hi[1] + hi[2] + hi[3];
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* As CheckSumMappedFile() has it: the words' sum without the field itself, plus the file's length.
 */
int assay_pe_checksum(const struct assay_pe *pe, uint32_t *ret, struct assay_err *err)
{
	const size_t block = (size_t)256 << 10;
	const uint64_t size = assay_src_size(pe->src);
	ASSAY_AUTO_FREE uint8_t *buf = malloc(block);
	uint64_t sum = 0;
	uint8_t word[2];

	if (!buf)
		return assay_fail_mem(err);
	for (uint64_t off = 0; off < size; off += block) {
		const size_t n = size - off < block ? (size_t)(size - off) : block;

		if (assay_src_read(pe->src, off, buf, n, err) < 0)
			return -1;
		for (uint64_t i = 0; i < 4; i++) {
			const uint64_t field = pe->checksum_offset + i;

			if (field >= off && field < off + n)
				buf[field - off] = 0;
		}
		memset(buf + n, 0, (32 - n % 32) % 32);
		sum += fold(sum_words(buf, n + (32 - n % 32) % 32));
	}
	/* Folded, the bytes of the sum lie as those of the words do, whatever the host's order. */
	const uint16_t folded = fold(sum);
	memcpy(word, &folded, sizeof(word));
	*ret = (uint32_t)((word[0] | (uint32_t)word[1] << 8) + size);
	return 0;
}
