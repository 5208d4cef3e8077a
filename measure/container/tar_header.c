/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers of tar files, one at a time: ustar, pax and GNU (POSIX.1-2017, pax, "ustar Interchange
 * Format" and "pax Extended Header"; GNU tar manual, "Basic Tar Format").
 */
#include "measure/container/tar_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/num.h"

#define BLOCK ASSAY_TAR_BLOCK

/* --- one header --------------------------------------------------------------------------------
 */

static uint32_t checksum(const uint8_t *p)
{
	uint32_t sum = 8 * ' ';

	for (size_t i = 0; i < BLOCK; i++)
		if (i < 148 || i >= 156)
			sum += p[i];
	return sum;
}

/* Octal digits, blanks before them, a blank or NUL behind; or GNU's base 256. */
static bool number(const uint8_t *p, size_t n, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i = 0, digits = 0;

	if (p[0] & 0x80) {
		if (p[0] != 0x80)
			return false; /* negative, or beyond 64 bits */
		for (i = 1; i < n; i++) {
			if (v >> 56)
				return false;
			v = v << 8 | p[i];
		}
		*ret = v;
		return true;
	}
	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++, digits++)
		v = v << 3 | (uint64_t)(p[i] - '0');
	for (; i < n; i++)
		if (p[i] != ' ' && p[i] != '\0')
			return false;
	*ret = v;
	return digits > 0;
}

static void text(char *dst, const uint8_t *p, size_t n)
{
	const size_t len = strnlen((const char *)p, n);

	memcpy(dst, p, len);
	dst[len] = '\0';
}

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

int assay_tar_parse_header(struct assay_cur in, struct assay_tar_header *ret, struct assay_err *err)
{
	const uint64_t start = in.at;
	const uint8_t *p = assay_cur_take(&in, BLOCK);
	struct assay_tar_header h = { 0 };
	uint64_t sum;

	if (assay_cur_done(&in, "tar header", err) < 0)
		return -1;
	if (all_zero(p, BLOCK)) {
		h.zero = true;
		*ret = h;
		return 0;
	}
	if (!number(p + 148, 8, &sum) || sum != checksum(p))
		return assay_fail(err, ASSAY_E_CORRUPT, start + 148,
				  "tar header: the checksum is not its own");
	if (!number(p + 124, 12, &h.size))
		return assay_fail(err, ASSAY_E_CORRUPT, start + 124,
				  "tar header: the size is no number");
	h.type = p[156];
	/* Prefix and name; GNU headers have other things in the prefix's place. */
	if (memcmp(p + 257, "ustar\0", 6) == 0 && p[345]) {
		text(h.name, p + 345, 155);
		strcat(h.name, "/");
	}
	text(h.name + strlen(h.name), p, 100);
	text(h.link, p + 157, 100);
	*ret = h;
	return 0;
}

/* --- what headers before a header say about it -------------------------------------------------
 */

bool assay_tar_is_extra(const struct assay_tar_header *h)
{
	return h->type && strchr("xgLK", h->type);
}

void assay_tar_extras_clear(struct assay_tar_extras *x)
{
	free(x->name);
	free(x->link);
	*x = (struct assay_tar_extras){ 0 };
}

static int set_once(char **dst, const uint8_t *p, size_t n, const char *what, uint64_t at,
		    struct assay_err *err)
{
	if (*dst)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "two %ss for one entry", what);
	if (n == 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "an empty %s", what);
	if (n > ASSAY_TAR_MAX_NAME)
		return assay_tar_long_name(at, err);
	if (memchr(p, '\0', n))
		return assay_fail(err, ASSAY_E_CORRUPT, at, "a NUL in a %s", what);
	*dst = strndup((const char *)p, n);
	return *dst ? 0 : assay_fail_mem(err);
}

static int decimal(const uint8_t *p, size_t n, uint64_t at, uint64_t *ret, struct assay_err *err)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		if (p[i] < '0' || p[i] > '9' || assay_mul_overflows(v, 10, &v) ||
		    assay_add_overflows(v, (uint64_t)(p[i] - '0'), &v))
			return assay_fail(err, ASSAY_E_CORRUPT, at, "pax header: no such number");
	if (n == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, at, "pax header: a number is missing");
	*ret = v;
	return 0;
}

static bool is_key(const uint8_t *key, size_t n, const char *want)
{
	return n == strlen(want) && memcmp(key, want, n) == 0;
}

/* One "KEY=VALUE\n". x is NULL in a global header. */
static int pax_record(const uint8_t *p, size_t n, uint64_t at, struct assay_tar_extras *x,
		      struct assay_err *err)
{
	const uint8_t *eq = memchr(p, '=', n);

	if (!eq || p[n - 1] != '\n')
		return assay_fail(err, ASSAY_E_CORRUPT, at, "pax header: a record without %s",
				  eq ? "its newline" : "an equals sign");
	const size_t key = (size_t)(eq - p), value = n - key - 2;
	const bool name = is_key(p, key, "path"), link = is_key(p, key, "linkpath"),
		   size = is_key(p, key, "size");

	if (key >= 11 && memcmp(p, "GNU.sparse.", 11) == 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "a sparse file");
	if (!x && (name || link || size))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at,
				  "a global pax header that names a path or size");
	if (name)
		return set_once(&x->name, eq + 1, value, "path", at, err);
	if (link)
		return set_once(&x->link, eq + 1, value, "link target", at, err);
	if (size) {
		if (x->has_size)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "two sizes for one entry");
		x->has_size = true;
		return decimal(eq + 1, value, at, &x->size, err);
	}
	return 0;
}

static int pax_header(const uint8_t *p, size_t len, uint64_t at, struct assay_tar_extras *x,
		      struct assay_err *err)
{
	size_t i = 0;

	while (i < len) {
		uint64_t n;
		size_t digits = 0;

		while (i + digits < len && digits < 8 && p[i + digits] >= '0' &&
		       p[i + digits] <= '9')
			digits++;
		if (decimal(p + i, digits, at + i, &n, err) < 0)
			return -1;
		/* The length counts itself, its blank, and the newline. */
		if (n > len - i || n < digits + 3 || p[i + digits] != ' ')
			return assay_fail(err, ASSAY_E_CORRUPT, at + i,
					  "pax header: a record of %" PRIu64 " bytes, %zu left", n,
					  len - i);
		if (pax_record(p + i + digits + 1, n - digits - 1, at + i, x, err) < 0)
			return -1;
		i += n;
	}
	return 0;
}

int assay_tar_read_extra(struct assay_src *src, uint64_t off, const struct assay_tar_header *h,
			 struct assay_tar_extras *x, struct assay_err *err)
{
	const uint64_t at = assay_src_origin(src, off);
	ASSAY_AUTO_FREE uint8_t *data = NULL;

	if (assay_src_read_alloc(src, off, h->size, ASSAY_TAR_MAX_PAX, &data, err) < 0)
		return assay_wrap(err, "tar header of type '%c'", h->type);
	switch (h->type) {
	case 'x':
		return pax_header(data, h->size, at, x, err);
	case 'g':
		return pax_header(data, h->size, at, NULL, err);
	case 'L':
		return set_once(&x->name, data, strnlen((char *)data, h->size), "path", at, err);
	default:
		return set_once(&x->link, data, strnlen((char *)data, h->size), "link target", at,
				err);
	}
}
