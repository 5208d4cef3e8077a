/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/initrd/elf.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "core/cur.h"
#include "core/limits.h"
#include "core/num.h"
#include "core/text.h"
#include "measure/initrd/modules.h"

struct elf {
	const uint8_t *p;
	size_t len;
	bool wide; /* 64 bits */
	uint64_t table;
	size_t entry_size, n, names;
};

struct section {
	uint32_t name, type;
	uint64_t offset, size;
};

enum { SHT_NOBITS = 8, SHN_XINDEX = 0xffff };

static struct assay_cur at(const struct elf *e, uint64_t off)
{
	struct assay_cur c = assay_cur_make(e->p, e->len, 0);

	assay_cur_skip(&c, off);
	return c;
}

static uint64_t word(const struct elf *e, struct assay_cur *c)
{
	return e->wide ? assay_cur_le64(c) : assay_cur_le32(c);
}

static int parse_header(struct elf *e, struct assay_err *err)
{
	struct assay_cur c = at(e, 0);
	uint8_t ident[16];

	assay_cur_copy(&c, ident, sizeof(ident));
	e->wide = ident[4] == 2;
	assay_cur_skip(&c, 2 + 2 + 4);
	(void)word(e, &c); /* entry */
	(void)word(e, &c); /* program headers */
	e->table = word(e, &c);
	assay_cur_skip(&c, 4 + 2 + 2 + 2);
	e->entry_size = assay_cur_le16(&c);
	e->n = assay_cur_le16(&c);
	e->names = assay_cur_le16(&c);
	if (assay_cur_done(&c, "ELF header", err) < 0)
		return -1;
	if (memcmp(ident, "\177ELF", 4) != 0)
		return assay_fail(err, ASSAY_E_CORRUPT, 0, "no ELF magic");
	if (ident[4] != 1 && ident[4] != 2)
		return assay_fail(err, ASSAY_E_CORRUPT, 4, "ELF class %u", ident[4]);
	if (ident[5] != 1)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, 5, "a big-endian ELF file");
	if (e->n == 0 || e->names == SHN_XINDEX || e->n > ASSAY_ELF_MAX_SECTIONS)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "an ELF file with %zu sections, or more than its header can say", e->n);
	if (e->entry_size < (e->wide ? 64U : 40U))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "ELF section headers of %zu bytes",
				  e->entry_size);
	if (e->names >= e->n || !assay_range_inside(e->table, (uint64_t)e->n * e->entry_size, e->len))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
				  "ELF section table of %zu entries at %" PRIu64 ": the file has %zu bytes",
				  e->n, e->table, e->len);
	return 0;
}

static int section(const struct elf *e, size_t i, struct section *ret, struct assay_err *err)
{
	struct assay_cur c = at(e, e->table + i * e->entry_size);
	struct section s;

	s.name = assay_cur_le32(&c);
	s.type = assay_cur_le32(&c);
	(void)word(e, &c); /* flags */
	(void)word(e, &c); /* address */
	s.offset = word(e, &c);
	s.size = word(e, &c);
	if (assay_cur_done(&c, "ELF section header", err) < 0)
		return -1;
	*ret = s;
	return 0;
}

static int check_inside(const struct elf *e, size_t i, const struct section *s, struct assay_err *err)
{
	if (s->type != SHT_NOBITS && assay_range_inside(s->offset, s->size, e->len))
		return 0;
	return assay_fail(err, ASSAY_E_CORRUPT, e->table + i * e->entry_size,
			  "ELF section %zu: %" PRIu64 " bytes at %" PRIu64 ", the file has %zu", i, s->size,
			  s->offset, e->len);
}

int assay_elf_section(const void *p, size_t len, const char *name, const uint8_t **ret, size_t *ret_len,
		      struct assay_err *err)
{
	struct elf e = { .p = p, .len = len };
	struct section names, s;
	const size_t want = strlen(name) + 1;

	if (parse_header(&e, err) < 0 || section(&e, e.names, &names, err) < 0 ||
	    check_inside(&e, e.names, &names, err) < 0)
		return -1;
	for (size_t i = 1; i < e.n; i++) {
		if (section(&e, i, &s, err) < 0)
			return -1;
		if (!assay_range_inside(s.name, want, names.size) ||
		    memcmp(e.p + names.offset + s.name, name, want) != 0)
			continue;
		if (check_inside(&e, i, &s, err) < 0)
			return -1;
		*ret = e.p + s.offset;
		*ret_len = (size_t)s.size;
		return 0;
	}
	return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no ELF section %s", name);
}

int assay_module_vermagic(const void *p, size_t len, char **ret, struct assay_err *err)
{
	static const char key[] = "vermagic=";
	const uint8_t *info;
	size_t n;

	if (assay_elf_section(p, len, ".modinfo", &info, &n, err) < 0)
		return -1;
	while (n > 0) {
		const size_t line = strnlen((const char *)info, n);

		if (line == n)
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
					  ".modinfo: a line without its NUL");
		if (line >= strlen(key) && memcmp(info, key, strlen(key)) == 0) {
			*ret = assay_strdup((const char *)info + strlen(key));
			return *ret ? 0 : assay_fail_mem(err);
		}
		info += line + 1;
		n -= line + 1;
	}
	return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, ".modinfo: no vermagic");
}
