/* SPDX-License-Identifier: Apache-2.0 */
/* cpio archives made in memory, right and wrong ones. */
#ifndef ASSAY_TESTS_CPIO_BUILD_H
#define ASSAY_TESTS_CPIO_BUILD_H

#include <sys/stat.h>

#include "core/text.h"

struct cpio_member {
	const char *name;
	const char *data; /* a string, or with len */
	size_t len;	  /* 0: strlen(data) */
	uint32_t mode;	  /* 0: a regular file, 0644 */
	uint32_t ino, nlink, uid, gid, mtime, rmajor, rminor;
	const char *magic; /* NULL: 070701 */
	uint32_t check;
	uint32_t name_size; /* 0: that of name, with its NUL */
};

static inline void cpio_pad(struct assay_str *s, size_t start)
{
	assay_str_add_n(s, "\0\0\0", (4 - (s->len - start) % 4) % 4);
}

/* start: where the archive begins in s, which padding counts from. */
static inline void cpio_add_at(struct assay_str *s, size_t start, struct cpio_member m)
{
	const size_t len = m.data ? (m.len ? m.len : strlen(m.data)) : m.len;
	const uint32_t name_size = m.name_size ? m.name_size : (uint32_t)strlen(m.name) + 1;

	assay_str_add(s, "%s%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		      m.magic ? m.magic : "070701", m.ino, m.mode ? m.mode : S_IFREG | 0644, m.uid, m.gid,
		      m.nlink ? m.nlink : 1, m.mtime, (unsigned)len, 0U, 0U, m.rmajor, m.rminor, name_size,
		      m.check);
	assay_str_add_n(s, m.name, strlen(m.name) + 1);
	for (size_t i = strlen(m.name) + 1; i < name_size; i++)
		assay_str_add_n(s, "", 1);
	cpio_pad(s, start);
	if (m.data)
		assay_str_add_n(s, m.data, len);
	cpio_pad(s, start);
}
#define cpio_add(s, ...) cpio_add_at(s, 0, (struct cpio_member){ __VA_ARGS__ })
#define cpio_trailer(s) cpio_add_at(s, 0, (struct cpio_member){ "TRAILER!!!", .mode = 1 })

#endif
