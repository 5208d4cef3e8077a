/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a tar file a container archive? One that has manifest.json or oci-layout at its top. What it
 * cannot tell from a damaged one it does not guess.
 *
 * Unlike tar.c this takes whatever tar files hold: it is asked about any tar file of a filesystem.
 */
#include "measure/container/find.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/num.h"
#include "measure/container/tar_priv.h"
#include "measure/container/unpack.h"

#define BLOCK ASSAY_TAR_BLOCK

/* Bytes in order: of a source, or of what it unpacks to. */
struct flow {
	struct assay_src *src; /* or */
	struct assay_unpack *u;
	uint64_t at;
	const uint8_t *p; /* what of the unpacked bytes has not been taken */
	size_t n;
};

static int fill(struct flow *f, struct assay_err *err)
{
	const void *p;

	if (f->n > 0)
		return 0;
	if (assay_unpack_next(f->u, &p, &f->n, err) < 0)
		return -1;
	f->p = p;
	return 0;
}

/* Fewer than n only at the end. */
static int take(struct flow *f, uint8_t *buf, size_t n, size_t *ret, struct assay_err *err)
{
	size_t got = 0;

	if (f->src) {
		const uint64_t left = assay_src_size(f->src) - f->at;

		got = left < n ? (size_t)left : n;
		if (assay_src_read(f->src, f->at, buf, got, err) < 0)
			return -1;
	} else {
		while (got < n) {
			if (fill(f, err) < 0)
				return -1;
			if (f->n == 0)
				break;
			const size_t part = f->n < n - got ? f->n : n - got;

			memcpy(buf + got, f->p, part);
			f->p += part;
			f->n -= part;
			got += part;
		}
	}
	f->at += got;
	*ret = got;
	return 0;
}

/* *ret false: it ends before. */
static int skip(struct flow *f, uint64_t n, bool *ret, struct assay_err *err)
{
	*ret = true;
	if (f->src) {
		*ret = n <= assay_src_size(f->src) - f->at;
		f->at += *ret ? n : 0;
		return 0;
	}
	while (n > 0) {
		if (fill(f, err) < 0)
			return -1;
		if (f->n == 0) {
			*ret = false;
			return 0;
		}
		const size_t part = f->n < n ? f->n : (size_t)n;

		f->p += part;
		f->n -= part;
		f->at += part;
		n -= part;
	}
	return 0;
}

static int broken(const struct flow *f, struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_CORRUPT, f->at, "the tar file is cut short");
}

/* The data of a header that speaks of the next one. */
static int extra(struct flow *f, const struct assay_tar_header *h, struct assay_tar_extras *x,
		 struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *data = NULL;
	ASSAY_AUTO(assay_src) *src = NULL;
	size_t n;

	if (h->size > ASSAY_TAR_MAX_PAX)
		return assay_fail(err, ASSAY_E_LIMIT, f->at, "a tar header of %" PRIu64 " bytes",
				  h->size);
	data = malloc(h->size + 1);
	if (!data)
		return assay_fail_mem(err);
	if (take(f, data, (size_t)h->size, &n, err) < 0 ||
	    assay_src_from_mem(data, n, &src, err) < 0)
		return -1;
	if (assay_tar_read_extra(src, 0, h, x, err) == 0)
		return 0;
	if (err->code != ASSAY_E_UNSUPPORTED)
		return -1;
	/* A sparse file, say: no list of images is one. */
	assay_tar_extras_clear(x);
	return 0;
}

/* GNU's own sparse files: the map goes on in blocks behind the header (GNU tar manual, "Basic Tar
 * Format"). */
static int skip_map(struct flow *f, const uint8_t *header, struct assay_err *err)
{
	uint8_t block[BLOCK];
	bool more = header[482];
	size_t n;

	while (more) {
		if (take(f, block, BLOCK, &n, err) < 0)
			return -1;
		if (n < BLOCK)
			return broken(f, err);
		more = block[504];
	}
	return 0;
}

static bool is_list(const char *name)
{
	while (strncmp(name, "./", 2) == 0)
		name += 2 + strspn(name + 2, "/");
	return strcmp(name, "manifest.json") == 0 || strcmp(name, "oci-layout") == 0;
}

/* One header and what belongs to it. *ret: goes on. */
static int step(struct flow *f, struct assay_tar_extras *x, bool *ret, bool *ret_list,
		struct assay_err *err)
{
	uint8_t block[BLOCK];
	struct assay_tar_header h;
	uint64_t len;
	size_t n;
	bool whole;

	*ret = false;
	if (take(f, block, BLOCK, &n, err) < 0)
		return -1;
	if (assay_tar_parse_header(assay_cur_make(block, n, f->at - n), &h, err) < 0)
		return -1;
	if (h.zero)
		return 0;
	if (assay_tar_is_extra(&h)) {
		if (extra(f, &h, x, err) < 0)
			return -1;
		len = (BLOCK - h.size % BLOCK) % BLOCK;
	} else {
		*ret_list = is_list(x->name ? x->name : h.name);
		if (*ret_list)
			return 0;
		/* Folders, links and devices have no data, whatever the size says. */
		const uint64_t size = x->has_size ? x->size : h.size;
		const bool data = !h.type || !strchr("123456", h.type);

		assay_tar_extras_clear(x);
		if (h.type == 'S' && skip_map(f, block, err) < 0)
			return -1;
		if (assay_align_overflows(data ? size : 0, BLOCK, &len))
			return broken(f, err);
	}
	if (skip(f, len, &whole, err) < 0)
		return -1;
	if (!whole)
		return broken(f, err);
	*ret = true;
	return 0;
}

/* Neither a header that is right nor one that says what it is: another file that is called so.
 * Zeros alone would be an empty tar file, and are how many filesystems begin. */
static bool no_tar(const uint8_t *p, size_t n)
{
	struct assay_tar_header h;
	struct assay_err ignored;

	if (n == BLOCK && memcmp(p + 257, "ustar", 5) == 0)
		return false;
	return assay_tar_parse_header(assay_cur_make(p, n, 0), &h, &ignored) < 0 || h.zero;
}

static int scan(struct flow *f, bool *ret, struct assay_err *err)
{
	struct assay_tar_extras x = { 0 };
	bool more = true;
	int rc = 0;

	*ret = false;
	for (unsigned n = 0; more && rc == 0; n++) {
		if (n == ASSAY_SCAN_MAX_ENTRIES)
			rc = assay_fail(err, ASSAY_E_LIMIT, f->at,
					"more than %u tar headers before a list of images",
					ASSAY_SCAN_MAX_ENTRIES);
		else
			rc = step(f, &x, &more, ret, err);
	}
	assay_tar_extras_clear(&x);
	return rc;
}

/* *ret_packing: known also when this fails, or else UNKNOWN. */
static int open_flow(struct assay_src *src, struct flow *ret, enum assay_packing *ret_packing,
		     struct assay_err *err)
{
	*ret = (struct flow){ 0 };
	*ret_packing = ASSAY_PACKING_UNKNOWN;
	if (assay_packing_of_src(src, ret_packing, err) < 0)
		return -1;
	if (*ret_packing != ASSAY_PACKING_NONE)
		return assay_unpack_open(src, *ret_packing, NULL, NULL, &ret->u, err);
	ret->src = src;
	return 0;
}

static int close_flow(struct flow *f, enum assay_packing packing, int rc, struct assay_err *err)
{
	assay_unpack_free(&f->u);
	if (rc < 0 && packing != ASSAY_PACKING_UNKNOWN && packing != ASSAY_PACKING_NONE)
		assay_wrap(err, "unpacked (%s)", assay_packing_name(packing));
	return rc;
}

static int first_block(struct assay_src *src, uint8_t *block, size_t *ret, struct assay_err *err)
{
	enum assay_packing packing;
	struct flow f;
	int rc = open_flow(src, &f, &packing, err);

	if (rc == 0)
		rc = take(&f, block, BLOCK, ret, err);
	return close_flow(&f, packing, rc, err);
}

int assay_container_may_be(struct assay_src *src, bool *ret, struct assay_err *err)
{
	uint8_t block[BLOCK];
	size_t n;

	if (assay_src_size(src) == 0)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "is empty");
	if (first_block(src, block, &n, err) < 0)
		return -1;
	/* Google Cloud's disks: a tar file with this one member. */
	*ret = !no_tar(block, n) && strcmp((const char *)block, "disk.raw") != 0;
	return 0;
}

int assay_container_is(struct assay_src *src, bool *ret, struct assay_err *err)
{
	enum assay_packing packing;
	uint8_t block[BLOCK];
	struct flow f;
	size_t n;
	int rc;

	if (first_block(src, block, &n, err) < 0)
		return -1;
	if (no_tar(block, n)) {
		*ret = false;
		return 0;
	}
	rc = open_flow(src, &f, &packing, err);
	if (rc == 0)
		rc = scan(&f, ret, err);
	return close_flow(&f, packing, rc, err);
}
