/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of contents of a tar file.
 *
 * Only headers are read. What one tool would take for another file than the next tool is refused:
 * one name twice, names with "..", entries below a link or a file, sparse files, data after a link.
 */
#include "measure/container/tar_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/num.h"
#include "core/text.h"

#define BLOCK ASSAY_TAR_BLOCK

/* --- names -------------------------------------------------------------------------------------
 */

int assay_tar_long_name(uint64_t at, struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_LIMIT, at, "a name of more than %u bytes",
			  ASSAY_TAR_MAX_NAME);
}

/* Appends the parts of a path to out, which has room for what has been checked. */
static int clean_into(char *out, size_t *len, const char *path, size_t path_len, bool up,
		      uint64_t at, struct assay_err *err)
{
	size_t i = 0;

	while (i < path_len) {
		const char *part = path + i;
		size_t n = 0;

		while (i + n < path_len && part[n] != '/')
			n++;
		i += n + 1;
		if (n == 0 || (n == 1 && part[0] == '.'))
			continue;
		if (n == 2 && part[0] == '.' && part[1] == '.') {
			if (!up || *len == 0)
				return assay_fail(err, ASSAY_E_UNSUPPORTED, at,
						  "a path with \"..\" that %s",
						  up ? "leaves the archive" : "may lead anywhere");
			while (*len > 0 && out[*len - 1] != '/')
				(*len)--;
			*len -= *len > 0;
			continue;
		}
		if (*len > 0)
			out[(*len)++] = '/';
		memcpy(out + *len, part, n);
		*len += n;
	}
	return 0;
}

int assay_tar_clean(const char *base, size_t base_len, const char *path, bool up, uint64_t at,
		    char **ret, struct assay_err *err)
{
	const size_t path_len = strlen(path);
	ASSAY_AUTO_FREE char *out = NULL;
	size_t len = 0;

	if (base_len > ASSAY_TAR_MAX_NAME || path_len > ASSAY_TAR_MAX_NAME)
		return assay_tar_long_name(at, err);
	out = malloc(base_len + path_len + 2);
	if (!out)
		return assay_fail_mem(err);
	if (clean_into(out, &len, base, base_len, false, at, err) < 0 ||
	    clean_into(out, &len, path, path_len, up, at, err) < 0)
		return -1;
	if (len > ASSAY_TAR_MAX_NAME)
		return assay_tar_long_name(at, err);
	out[len] = '\0';
	*ret = assay_steal(&out);
	return 0;
}

/* --- the entries -------------------------------------------------------------------------------
 */

static int kind_of(const struct assay_tar_header *h, const char *name, uint64_t size, uint64_t at,
		   enum assay_tar_kind *ret, struct assay_err *err)
{
	const size_t len = strlen(name);

	switch (h->type) {
	case '0':
	case '\0':
	case '7': /* contiguous: a file to everybody today */
		if (len > 0 && name[len - 1] == '/') {
			*ret = ASSAY_TAR_FOLDER;
			break;
		}
		*ret = ASSAY_TAR_FILE;
		return 0;
	case '1':
		*ret = ASSAY_TAR_HARDLINK;
		break;
	case '2':
		*ret = ASSAY_TAR_SYMLINK;
		break;
	case '5':
		*ret = ASSAY_TAR_FOLDER;
		break;
	case '3':
	case '4':
	case '6':
		*ret = ASSAY_TAR_OTHER;
		break;
	case 'S':
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "a sparse file");
	default:
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "a tar entry of type 0x%02x",
				  h->type);
	}
	/* Some readers skip that many bytes here and some do not. */
	if (size != 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at,
				  "a folder, link or device with %" PRIu64 " bytes of data", size);
	return 0;
}

static int add_entry(struct assay_tar *tar, uint64_t header, uint64_t off,
		     const struct assay_tar_header *h, const struct assay_tar_extras *x,
		     struct assay_err *err)
{
	const uint64_t at = assay_src_origin(tar->src, header);
	const char *name = x->name ? x->name : h->name, *link = x->link ? x->link : h->link;
	struct assay_tar_entry e = { .header = at,
				     .off = off,
				     .size = x->has_size ? x->size : h->size };

	if (kind_of(h, name, e.size, at, &e.kind, err) < 0)
		return -1;
	if (tar->n == tar->cap) {
		const size_t cap = tar->cap ? 2 * tar->cap : 64;
		struct assay_tar_entry *more = realloc(tar->entries, cap * sizeof(*more));

		if (!more)
			return assay_fail_mem(err);
		tar->entries = more;
		tar->cap = cap;
	}
	if (assay_tar_clean(NULL, 0, name, false, at, &e.name, err) < 0)
		return -1;
	if (e.kind == ASSAY_TAR_HARDLINK || e.kind == ASSAY_TAR_SYMLINK) {
		e.link = assay_strdup(link);
		if (!e.link) {
			free(e.name);
			return assay_fail_mem(err);
		}
	}
	tar->entries[tar->n++] = e;
	return 0;
}

static int read_header(struct assay_src *src, uint64_t off, struct assay_tar_header *ret,
		       struct assay_err *err)
{
	const uint64_t left = assay_src_size(src) - off;
	uint8_t block[BLOCK];
	const size_t len = left < BLOCK ? (size_t)left : BLOCK;

	if (assay_src_read(src, off, block, len, err) < 0)
		return -1;
	return assay_tar_parse_header(assay_cur_make(block, len, assay_src_origin(src, off)), ret,
				      err);
}

/* The end mark is two blocks of zeros; the file may end after the first. What follows does not
 * count. */
static int check_end(struct assay_src *src, uint64_t off, struct assay_err *err)
{
	struct assay_tar_header h;

	if (off == assay_src_size(src))
		return 0;
	if (read_header(src, off, &h, err) < 0)
		return -1;
	if (!h.zero)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, assay_src_origin(src, off),
				  "a single block of zeros between tar entries: readers differ");
	return 0;
}

static int read_entries(struct assay_tar *tar, struct assay_tar_extras *x, struct assay_err *err)
{
	const uint64_t size = assay_src_size(tar->src);
	uint64_t off = 0, next;

	for (unsigned n = 0;; n++) {
		struct assay_tar_header h;

		if (off == size)
			return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(tar->src, off),
					  "the tar file ends without its end mark");
		if (read_header(tar->src, off, &h, err) < 0)
			return -1;
		if (h.zero) {
			if (x->name || x->link || x->has_size)
				return assay_fail(err, ASSAY_E_CORRUPT,
						  assay_src_origin(tar->src, off),
						  "the tar file ends where an entry was announced");
			return check_end(tar->src, off + BLOCK, err);
		}
		if (n == ASSAY_TAR_MAX_ENTRIES)
			return assay_fail(err, ASSAY_E_LIMIT, assay_src_origin(tar->src, off),
					  "more than %u tar headers", ASSAY_TAR_MAX_ENTRIES);

		const bool extra = assay_tar_is_extra(&h);
		const uint64_t data = off + BLOCK;
		const uint64_t len = !extra && x->has_size ? x->size : h.size;

		if (assay_align_overflows(len, BLOCK, &next) ||
		    assay_add_overflows(next, data, &next) || next > size)
			return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(tar->src, off),
					  "tar entry cut short: %" PRIu64 " bytes wanted, %" PRIu64
					  " left",
					  next - data, size - data);
		if (extra) {
			if (assay_tar_read_extra(tar->src, data, &h, x, err) < 0)
				return -1;
		} else {
			if (add_entry(tar, off, data, &h, x, err) < 0)
				return -1;
			assay_tar_extras_clear(x);
		}
		off = next;
	}
}

static int compare_entries(const void *a, const void *b)
{
	const struct assay_tar_entry *x = a, *y = b;
	const int c = strcmp(x->name, y->name);

	return c ? c : (x->header > y->header) - (x->header < y->header);
}

static const struct assay_tar_entry *lookup(const struct assay_tar *tar, const char *name,
					    size_t len)
{
	size_t lo = 0, hi = tar->n;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;
		const char *have = tar->entries[mid].name;
		int c = strncmp(have, name, len);

		if (c == 0 && have[len] == '\0')
			return &tar->entries[mid];
		if (c == 0)
			c = 1;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static int fail_name(struct assay_err *err, enum assay_code code, const struct assay_tar_entry *e,
		     const char *what)
{
	struct assay_str s = { 0 };

	assay_str_add_escaped(&s, e->name, strlen(e->name));
	assay_fail(err, code, e->header, "%.200s: %s", s.p ? s.p : "", what);
	assay_str_clear(&s);
	return -1;
}

/* One name, one file: for each reader the same. */
static int check_names(struct assay_tar *tar, struct assay_err *err)
{
	if (tar->n > 0)
		qsort(tar->entries, tar->n, sizeof(*tar->entries), compare_entries);
	for (size_t i = 0; i < tar->n; i++) {
		const struct assay_tar_entry *e = &tar->entries[i];

		if (i > 0 && strcmp(e[-1].name, e->name) == 0 &&
		    (e->kind != ASSAY_TAR_FOLDER || e[-1].kind != ASSAY_TAR_FOLDER))
			return fail_name(err, ASSAY_E_UNSUPPORTED, e,
					 "is in the tar file twice: readers differ");
		for (const char *p = strchr(e->name, '/'); p; p = strchr(p + 1, '/')) {
			const struct assay_tar_entry *up =
				lookup(tar, e->name, (size_t)(p - e->name));

			if (up && up->kind != ASSAY_TAR_FOLDER)
				return fail_name(err, ASSAY_E_UNSUPPORTED, e,
						 "lies below what is no folder: readers differ");
		}
	}
	return 0;
}

int assay_tar_open(struct assay_src *src, struct assay_tar **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_tar) *tar = calloc(1, sizeof(*tar));
	struct assay_tar_extras x = { 0 };

	if (!tar)
		return assay_fail_mem(err);
	tar->src = assay_src_ref(src);
	const int r = read_entries(tar, &x, err);

	assay_tar_extras_clear(&x);
	if (r < 0 || check_names(tar, err) < 0)
		return -1;
	*ret = assay_steal(&tar);
	return 0;
}

void assay_tar_free(struct assay_tar **tarp)
{
	struct assay_tar *tar = tarp ? assay_steal(tarp) : NULL;

	if (!tar)
		return;
	for (size_t i = 0; i < tar->n; i++) {
		free(tar->entries[i].name);
		free(tar->entries[i].link);
	}
	free(tar->entries);
	assay_src_free(&tar->src);
	free(tar);
}

int assay_tar_find(const struct assay_tar *tar, const char *name,
		   const struct assay_tar_entry **ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *path = NULL;

	if (assay_tar_clean(NULL, 0, name, false, ASSAY_NO_OFFSET, &path, err) < 0)
		return -1;
	for (unsigned hops = 0;; hops++) {
		const struct assay_tar_entry *e = lookup(tar, path, strlen(path));
		char *next = NULL;

		if (!e)
			return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
					  "is not in the archive");
		if (e->kind == ASSAY_TAR_FILE) {
			*ret = e;
			return 0;
		}
		if (e->kind != ASSAY_TAR_HARDLINK && e->kind != ASSAY_TAR_SYMLINK)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, e->header, "is no file");
		if (hops == ASSAY_TAR_MAX_LINKS)
			return assay_fail(err, ASSAY_E_LIMIT, e->header,
					  "leads through more than %u links", ASSAY_TAR_MAX_LINKS);
		if (e->kind == ASSAY_TAR_SYMLINK && e->link[0] == '/')
			return assay_fail(err, ASSAY_E_UNSUPPORTED, e->header,
					  "is a link that leaves the archive");
		/* A hard link counts from the top, a symbolic one from its folder. */
		const char *slash = e->kind == ASSAY_TAR_SYMLINK ? strrchr(e->name, '/') : NULL;

		if (assay_tar_clean(e->name, slash ? (size_t)(slash - e->name) : 0, e->link,
				    e->kind == ASSAY_TAR_SYMLINK, e->header, &next, err) < 0)
			return -1;
		free(path);
		path = next;
	}
}
