/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/container/unpack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/cur.h"
#include "core/text.h"
#include "measure/archive_lib.h"

#define BLOCK ((size_t)256 << 10)
#define ZSTD_MAX_WINDOW (UINT64_C(128) << 20)

static const struct {
	const char *name;
	int filter;
} packings[] = {
	[ASSAY_PACKING_UNKNOWN] = { "unknown", -1 },
	[ASSAY_PACKING_NONE] = { "none", ARCHIVE_FILTER_NONE },
	[ASSAY_PACKING_GZIP] = { "gzip", ARCHIVE_FILTER_GZIP },
	[ASSAY_PACKING_ZSTD] = { "zstd", ARCHIVE_FILTER_ZSTD },
	[ASSAY_PACKING_XZ] = { "xz", ARCHIVE_FILTER_XZ },
	[ASSAY_PACKING_BZIP2] = { "bzip2", ARCHIVE_FILTER_BZIP2 },
};

const char *assay_packing_name(enum assay_packing packing)
{
	return packings[packing].name;
}

enum assay_packing assay_packing_of(const uint8_t *p, size_t len)
{
	if (len >= 3 && memcmp(p, "\x1f\x8b\x08", 3) == 0)
		return ASSAY_PACKING_GZIP;
	if (len >= 4 && memcmp(p, "\x28\xb5\x2f\xfd", 4) == 0)
		return ASSAY_PACKING_ZSTD;
	/* A zstd stream may begin with a skippable frame (RFC 8878, 3.1.2). */
	if (len >= 4 && (p[0] & 0xf0) == 0x50 && memcmp(p + 1, "\x2a\x4d\x18", 3) == 0)
		return ASSAY_PACKING_ZSTD;
	if (len >= 6 && memcmp(p, "\xfd\x37zXZ\0", 6) == 0)
		return ASSAY_PACKING_XZ;
	if (len >= 3 && memcmp(p, "BZh", 3) == 0)
		return ASSAY_PACKING_BZIP2;
	return ASSAY_PACKING_NONE;
}

int assay_packing_of_src(struct assay_src *src, enum assay_packing *ret, struct assay_err *err)
{
	uint8_t head[6];
	const uint64_t size = assay_src_size(src);
	const size_t n = size < sizeof(head) ? (size_t)size : sizeof(head);

	if (assay_src_read(src, 0, head, n, err) < 0)
		return -1;
	*ret = assay_packing_of(head, n);
	return 0;
}

struct assay_unpack {
	struct assay_src *src;
	uint64_t at;  /* in src */
	uint64_t got; /* unpacked */
	assay_unpack_seen *seen;
	void *arg;
	uint8_t *buf;
	struct archive *a;
	const struct assay_archive_lib *lib;
	char *damage;
	bool failed; /* in our own callback: err says why */
	struct assay_err err;
};

/* The next block of the file; 0 at its end, -1 with err. */
static ssize_t next_block(struct assay_unpack *u, struct assay_err *err)
{
	const uint64_t left = assay_src_size(u->src) - u->at;
	const size_t n = left < BLOCK ? (size_t)left : BLOCK;

	if (n == 0)
		return 0;
	if (assay_src_read(u->src, u->at, u->buf, n, err) < 0 ||
	    (u->seen && u->seen(u->arg, u->buf, n, err) < 0))
		return -1;
	u->at += n;
	return (ssize_t)n;
}

static la_ssize_t read_callback(struct archive *a, void *arg, const void **buf)
{
	struct assay_unpack *u = arg;
	const ssize_t n = next_block(u, &u->err);

	*buf = u->buf;
	if (n < 0) {
		u->failed = true;
		u->lib->set_error(a, EIO, "cannot read");
		return ARCHIVE_FATAL;
	}
	return n;
}

/* What libarchive could not do: the stream's fault, or not. Always -1. */
static int fail_archive(struct assay_unpack *u, struct assay_err *err)
{
	const uint64_t at = assay_src_origin(u->src, 0);
	const char *why = u->lib->error_string(u->a);
	/* A zstd window or xz dictionary beyond what is reasonable: not damaged, but not for us. */
	const bool memory = why && (strstr(why, "memory") || strstr(why, "Memory"));

	if (u->failed) {
		if (err)
			*err = u->err;
		return -1;
	}
	if (u->lib->error_number(u->a) == ENOMEM)
		return assay_fail_mem(err);
	if (memory)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "%s", why);
	/*
	 * A stream that breaks off before its first byte and one of no bytes look alike here:
	 * libarchive has no format for either, and with its format "empty" takes both for empty.
	 */
	if (!why || u->got == 0)
		why = "nothing can be unpacked";
	u->damage = assay_strdup(why);
	return u->damage ? assay_fail(err, ASSAY_E_CORRUPT, at, "%s", why) : assay_fail_mem(err);
}

/*
 * The window that the first frame asks for (RFC 8878, 3.1.1.1). Beyond
 * ZSTD_WINDOWLOG_LIMIT_DEFAULT, 128 MiB, libzstd refuses, and through libarchive that looks like
 * damage.
 */
static uint64_t zstd_window(struct assay_cur c)
{
	static const uint8_t dict_bytes[] = { 0, 1, 2, 4 };

	if (assay_cur_le32(&c) != 0xfd2fb528)
		return 0; /* a skippable frame */
	const uint8_t head = assay_cur_u8(&c);

	if (!(head & 0x20)) {
		const uint8_t w = assay_cur_u8(&c);
		const uint64_t base = UINT64_C(1) << (10 + (w >> 3));

		return c.bad ? 0 : base + base / 8 * (w & 7);
	}
	assay_cur_skip(&c, dict_bytes[head & 3]);
	switch (head >> 6) { /* a window of the size of the content */
	case 2:
		return assay_cur_le32(&c);
	case 3:
		return assay_cur_le64(&c);
	default:
		return 0; /* some KiB at most */
	}
}

static int check_window(struct assay_src *src, struct assay_err *err)
{
	uint8_t head[18] = { 0 };
	const uint64_t size = assay_src_size(src), at = assay_src_origin(src, 0);
	const size_t n = size < sizeof(head) ? (size_t)size : sizeof(head);

	if (assay_src_read(src, 0, head, n, err) < 0)
		return -1;
	if (zstd_window(assay_cur_make(head, n, at)) > ZSTD_MAX_WINDOW)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at,
				  "zstd with a window of more than %" PRIu64 " bytes",
				  ZSTD_MAX_WINDOW);
	return 0;
}

static int start(struct assay_unpack *u, enum assay_packing packing, struct assay_err *err)
{
	struct archive_entry *entry;

	/* Anything but OK means: by an external program. */
	if (u->lib->read_append_filter(u->a, packings[packing].filter) != ARCHIVE_OK)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, assay_src_origin(u->src, 0),
				  "libarchive was built without %s", packings[packing].name);
	if (u->lib->read_support_format_raw(u->a) != ARCHIVE_OK ||
	    u->lib->read_set_callback_data(u->a, u) != ARCHIVE_OK ||
	    u->lib->read_set_read_callback(u->a, read_callback) != ARCHIVE_OK)
		return assay_fail_mem(err);
	if (u->lib->read_open1(u->a) != ARCHIVE_OK ||
	    u->lib->read_next_header(u->a, &entry) != ARCHIVE_OK)
		return fail_archive(u, err);
	return 0;
}

int assay_unpack_open(struct assay_src *src, enum assay_packing packing, assay_unpack_seen *seen,
		      void *arg, struct assay_unpack **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_unpack) *u = calloc(1, sizeof(*u));

	if (!u)
		return assay_fail_mem(err);
	u->src = src;
	u->seen = seen;
	u->arg = arg;
	u->buf = malloc(BLOCK);
	if (!u->buf)
		return assay_fail_mem(err);
	if (packing == ASSAY_PACKING_ZSTD && check_window(src, err) < 0)
		return -1;
	if (assay_archive_lib_get(&u->lib, err) < 0)
		return -1;
	u->a = u->lib->read_new();
	if (!u->a)
		return assay_fail_mem(err);
	/* Damage at the very start is told by the first assay_unpack_next(). */
	if (start(u, packing, err) < 0 && !u->damage)
		return -1;
	*ret = assay_steal(&u);
	return 0;
}

int assay_unpack_next(struct assay_unpack *u, const void **ret, size_t *ret_len,
		      struct assay_err *err)
{
	la_int64_t off;
	int rc;

	if (u->damage)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(u->src, 0), "%s",
				  u->damage);
	do
		rc = u->lib->read_data_block(u->a, ret, ret_len, &off);
	while (rc == ARCHIVE_OK && *ret_len == 0);
	if (rc == ARCHIVE_EOF) {
		*ret_len = 0;
		return 0;
	}
	if (rc != ARCHIVE_OK)
		return fail_archive(u, err);
	u->got += *ret_len;
	return 0;
}

const char *assay_unpack_damage(const struct assay_unpack *u)
{
	return u->damage;
}

int assay_unpack_drain(struct assay_unpack *u, struct assay_err *err)
{
	ssize_t n;

	while ((n = next_block(u, err)) > 0)
		;
	return (int)n;
}

void assay_unpack_free(struct assay_unpack **up)
{
	struct assay_unpack *u = up ? assay_steal(up) : NULL;

	if (!u)
		return;
	if (u->a)
		u->lib->read_free(u->a);
	free(u->damage);
	free(u->buf);
	free(u);
}
