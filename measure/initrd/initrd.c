/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/initrd/initrd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#include "core/limits.h"
#include "core/text.h"
#include "measure/initrd/cpio.h"

#define BLOCK ((size_t)256 << 10)

struct reading {
	struct assay_src *src;
	uint64_t size; /* without bootconfig */
	const struct assay_initrd_opts *opts;
	uint64_t max_unpacked;
	struct assay_initrd *initrd;
	struct assay_cpio cpio;
	bool open;	    /* an archive that members belong to */
	bool packed;	    /* its bytes come out of a decompressor */
	bool packed_before; /* one of those came already */
	uint64_t base;	    /* of the cpio reader's positions, in the initrd */
	EVP_MD_CTX *md;
	bool watched; /* the member at hand */
};

static struct assay_initrd_archive *archive(struct reading *r)
{
	return &r->initrd->archives[r->initrd->n_archives - 1];
}

static struct assay_initrd_member *member(struct reading *r)
{
	return &r->initrd->members[r->initrd->n_members - 1];
}

static int fail_evp(struct assay_err *err)
{
	return assay_fail(err, ASSAY_E_CRYPTO, ASSAY_NO_OFFSET, "SHA-256 failed");
}

static int open_archive(struct reading *r, uint64_t offset, enum assay_codec codec, struct assay_err *err)
{
	struct assay_initrd *in = r->initrd;

	if (in->n_archives == ASSAY_INITRD_MAX_ARCHIVES)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "more than %u archives",
				  ASSAY_INITRD_MAX_ARCHIVES);
	if (in->n_archives == in->cap_archives) {
		const size_t cap = in->cap_archives ? 2 * in->cap_archives : 8;
		void *p = reallocarray(in->archives, cap, sizeof(*in->archives));

		if (!p)
			return assay_fail_mem(err);
		in->archives = p;
		in->cap_archives = cap;
	}
	in->archives[in->n_archives++] = (struct assay_initrd_archive){ .offset = offset, .codec = codec };
	r->open = true;
	return 0;
}

/* --- members ------------------------------------------------------------------------------------ */

static bool is_early(const char *name)
{
	static const char *const early[] = { "kernel/x86/microcode/", "kernel/firmware/acpi/" };

	for (size_t i = 0; i < sizeof(early) / sizeof(early[0]); i++)
		if (strncmp(name, early[i], strlen(early[i])) == 0)
			return true;
	return false;
}

static int new_member(struct reading *r, const struct assay_cpio_header *h, const char *name,
		      const char *target, struct assay_err *err)
{
	struct assay_initrd *in = r->initrd;
	const size_t len = strlen(name) + (target ? strlen(target) : 0);

	if (in->n_members == ASSAY_INITRD_MAX_MEMBERS)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "more than %u members",
				  ASSAY_INITRD_MAX_MEMBERS);
	if (len > ASSAY_INITRD_MAX_NAMES - in->names_len)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "more than %u bytes of names",
				  ASSAY_INITRD_MAX_NAMES);
	in->names_len += len;
	if (in->n_members == in->cap_members) {
		const size_t cap = in->cap_members ? 2 * in->cap_members : 256;
		void *p = reallocarray(in->members, cap, sizeof(*in->members));

		if (!p)
			return assay_fail_mem(err);
		in->members = p;
		in->cap_members = cap;
	}
	struct assay_initrd_member *m = &in->members[in->n_members++];

	*m = (struct assay_initrd_member){ .mode = h->mode,	.uid = h->uid,
					   .gid = h->gid,	.mtime = h->mtime,
					   .size = h->size,	.nlink = h->nlink,
					   .ino = h->ino,	.major = h->major,
					   .minor = h->minor,	.rmajor = h->rmajor,
					   .rminor = h->rminor, .archive = in->n_archives - 1,
					   .made = ASSAY_TREE_NONE };
	m->name = assay_strdup(name);
	if (target)
		m->target = assay_strdup(target);
	return m->name && (m->target || !target) ? 0 : assay_fail_mem(err);
}

static int into_tree(struct reading *r, struct assay_err *err)
{
	struct assay_initrd_member *m = member(r);
	const struct assay_tree_member view = { .name = m->name,     .target = m->target,
						.mode = m->mode,     .uid = m->uid,
						.gid = m->gid,	     .mtime = m->mtime,
						.size = m->size,     .ino = m->ino,
						.major = m->major,   .minor = m->minor,
						.nlink = m->nlink,   .rmajor = m->rmajor,
						.rminor = m->rminor };

	return assay_tree_add(&r->initrd->tree, &view, r->initrd->n_members - 1, &m->made, &m->why, err);
}

static bool hashed(const struct reading *r)
{
	return !r->opts->no_digests && S_ISREG(r->cpio.h.mode);
}

static int wrap_member(const struct reading *r, const char *name, struct assay_err *err)
{
	struct assay_str text = { 0 };

	(void)r;
	assay_str_add_escaped(&text, name, strlen(name));
	assay_wrap(err, "%s", text.p ? text.p : "");
	assay_str_clear(&text);
	return -1;
}

static int on_begin(void *arg, const struct assay_cpio_header *h, const char *name, const char *target,
		    uint64_t at, struct assay_err *err)
{
	struct reading *r = arg;

	if (!r->open && open_archive(r, r->base + at, ASSAY_CODEC_NONE, err) < 0)
		return -1;
	/* do_name() looks at no more than the name; a link's is do_symlink()'s, which does not look. */
	if (!target && strcmp(name, ASSAY_CPIO_TRAILER) == 0) {
		archive(r)->trailers++;
		assay_tree_trailer(&r->initrd->tree);
		r->watched = false;
		return 0;
	}
	if (new_member(r, h, name, target, err) < 0)
		return -1;
	archive(r)->members++;
	if (!r->packed_before && !r->packed && S_ISREG(h->mode) && is_early(name))
		archive(r)->early = true;
	if (into_tree(r, err) < 0)
		return wrap_member(r, name, err);
	if (hashed(r) && EVP_DigestInit_ex(r->md, EVP_sha256(), NULL) != 1)
		return fail_evp(err);
	const struct assay_initrd_watch *w = r->opts->watch;
	r->watched = w && S_ISREG(h->mode) && w->wants(w->arg, r->initrd->n_members - 1, member(r));
	return 0;
}

static bool is_trailer(const struct reading *r)
{
	return !S_ISLNK(r->cpio.h.mode) && strcmp(r->cpio.name, ASSAY_CPIO_TRAILER) == 0;
}

static int on_data(void *arg, const uint8_t *p, size_t n, struct assay_err *err)
{
	struct reading *r = arg;
	const struct assay_initrd_watch *w = r->opts->watch;

	if (is_trailer(r))
		return 0;
	if (hashed(r) && EVP_DigestUpdate(r->md, p, n) != 1)
		return fail_evp(err);
	return r->watched ? w->data(w->arg, r->initrd->n_members - 1, p, n, err) : 0;
}

static int on_end(void *arg, struct assay_err *err)
{
	struct reading *r = arg;
	const struct assay_initrd_watch *w = r->opts->watch;

	if (!r->packed) {
		const uint64_t end = (r->base + r->cpio.pos + 3) / 4 * 4;
		struct assay_initrd_archive *a = archive(r);

		a->size = (end < r->size ? end : r->size) - a->offset;
		a->unpacked = a->size;
		if (is_trailer(r))
			r->open = false;
	}
	if (is_trailer(r))
		return 0;
	if (hashed(r) && EVP_DigestFinal_ex(r->md, member(r)->sha256, NULL) != 1)
		return fail_evp(err);
	if (r->watched && w->end(w->arg, r->initrd->n_members - 1, member(r), err) < 0)
		return wrap_member(r, member(r)->name, err);
	return 0;
}

/* --- archives ----------------------------------------------------------------------------------- */

/* Plain members from `off` on, up to what is none. */
static int read_plain(struct reading *r, uint64_t *off, uint8_t *block, struct assay_err *err)
{
	r->base = *off;
	r->packed = false;
	r->open = false;
	assay_cpio_restart(&r->cpio);
	for (;;) {
		const uint64_t left = r->size - *off;
		const size_t n = left < BLOCK ? (size_t)left : BLOCK;
		size_t used;
		int rc = 0;

		if (n > 0 && assay_src_read(r->src, *off, block, n, err) < 0)
			return -1;
		rc = n > 0 ? assay_cpio_feed(&r->cpio, block, n, &used, err) :
			     assay_cpio_finish(&r->cpio, err);
		if (rc < 0) {
			if (err && err->at != ASSAY_NO_OFFSET)
				err->at = assay_src_origin(r->src, r->base + err->at);
			return -1;
		}
		if (n == 0)
			return 0;
		*off += used;
		if (used < n)
			break;
	}
	if (*off % 4 == 0)
		return 0;
	return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(r->src, *off),
			  "after a cpio archive, something at a byte that is no multiple of 4");
}

static int take_unpacked(void *arg, const uint8_t *p, size_t n, struct assay_err *err)
{
	struct reading *r = arg;
	size_t used;

	archive(r)->unpacked += n;
	r->initrd->unpacked += n;
	int rc = assay_cpio_feed(&r->cpio, p, n, &used, err);
	if (rc == 0 && used < n)
		rc = assay_fail(err, ASSAY_E_CORRUPT, r->cpio.pos, "no cpio header");
	if (rc < 0 && err && err->at != ASSAY_NO_OFFSET) {
		const uint64_t at = err->at;

		err->at = ASSAY_NO_OFFSET;
		assay_wrap(err, "unpacked byte %" PRIu64, at);
	}
	return rc;
}

static int read_packed(struct reading *r, uint64_t *off, enum assay_codec codec, struct assay_err *err)
{
	const struct assay_unpack_opts opts = { .max_out = r->max_unpacked - r->initrd->unpacked,
						.take = take_unpacked,
						.arg = r };
	ASSAY_AUTO(assay_src) *all = NULL;
	uint64_t used;

	if (open_archive(r, *off, codec, err) < 0 ||
	    assay_src_slice(r->src, 0, r->size, &all, err) < 0)
		return -1;
	r->packed = true;
	assay_cpio_restart(&r->cpio);
	if (assay_unpack(all, *off, codec, &opts, &used, err) < 0)
		return -1;
	if (assay_cpio_finish(&r->cpio, err) < 0) {
		if (err) {
			err->at = assay_src_origin(r->src, *off);
			assay_wrap(err, "%s", assay_codec_name(codec));
		}
		return -1;
	}
	if (r->cpio.fresh)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(r->src, *off),
				  "%s: nothing in it, and nothing before it", assay_codec_name(codec));
	archive(r)->size = used;
	r->packed_before = true;
	*off += used;
	return 0;
}

static int read_archives(struct reading *r, uint8_t *block, struct assay_err *err)
{
	uint64_t off = 0;

	while (off < r->size) {
		const uint64_t left = r->size - off;
		const size_t n = left < BLOCK ? (size_t)left : BLOCK;
		size_t zeros = 0;

		if (assay_src_read(r->src, off, block, n, err) < 0)
			return -1;
		while (zeros < n && block[zeros] == 0)
			zeros++;
		off += zeros;
		if (zeros == n)
			continue;
		if (zeros > 0 && n - zeros < 2 && n < left)
			continue; /* both bytes of a magic number are wanted */
		if (block[zeros] == '0' && off % 4 == 0) {
			if (read_plain(r, &off, block, err) < 0)
				return -1;
			continue;
		}
		const enum assay_codec codec = assay_codec_of(block + zeros, n - zeros);

		if (codec == ASSAY_CODEC_NONE)
			return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(r->src, off),
					  "neither a cpio header nor a compression that the kernel knows "
					  "(0x%02x)",
					  block[zeros]);
		if (read_packed(r, &off, codec, err) < 0)
			return -1;
	}
	return 0;
}

/* --- bootconfig --------------------------------------------------------------------------------- */

/* init/main.c, get_boot_config_from_initrd(): it may have been padded to 4 bytes. */
static int find_bootconfig(struct reading *r, struct assay_err *err)
{
	static const char magic[12] = "#BOOTCONFIG\n";
	const uint64_t size = r->size;
	uint8_t tail[8 + sizeof(magic) + 3];
	uint32_t sum = 0;

	if (size < sizeof(tail))
		return 0;
	if (assay_src_read(r->src, size - sizeof(tail), tail, sizeof(tail), err) < 0)
		return -1;
	for (size_t pad = 0; pad < 4; pad++) {
		const uint8_t *hdr = tail + 3 - pad;
		const uint64_t at = size - pad - sizeof(magic) - 8;

		if (memcmp(hdr + 8, magic, sizeof(magic)) != 0)
			continue;
		struct assay_cur c = assay_cur_make(hdr, 8, assay_src_origin(r->src, at));
		const uint32_t len = assay_cur_le32(&c);
		const uint32_t want = assay_cur_le32(&c);

		if (len > at || len > ASSAY_BOOTCONFIG_MAX)
			return assay_fail(err, len > at ? ASSAY_E_CORRUPT : ASSAY_E_LIMIT,
					  assay_src_origin(r->src, at),
					  "bootconfig of %" PRIu32 " bytes, limit %u", len,
					  ASSAY_BOOTCONFIG_MAX);
		uint8_t *text;

		if (assay_src_read_alloc(r->src, at - len, len, ASSAY_BOOTCONFIG_MAX, &text, err) < 0)
			return -1;
		r->initrd->bootconfig = (char *)text;
		for (uint32_t i = 0; i < len; i++)
			sum += text[i];
		if (sum != want)
			return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(r->src, at),
					  "bootconfig: sum 0x%08" PRIx32 ", its trailer says 0x%08" PRIx32, sum,
					  want);
		r->initrd->has_bootconfig = true;
		r->initrd->bootconfig_offset = at - len;
		r->initrd->bootconfig_size = len;
		r->size = at - len;
		return 0;
	}
	return 0;
}

/* --- all of it ---------------------------------------------------------------------------------- */

static int read_all(struct reading *r, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *block = malloc(BLOCK);
	const struct assay_cpio_sink sink = { r, on_begin, on_data, on_end };

	r->md = EVP_MD_CTX_new();
	if (!block || !r->md)
		return assay_fail_mem(err);
	assay_cpio_init(&r->cpio, &sink);
	if (assay_tree_init(&r->initrd->tree, err) < 0 || find_bootconfig(r, err) < 0 ||
	    read_archives(r, block, err) < 0)
		return -1;
	if (r->cpio.fresh)
		return assay_fail(err, ASSAY_E_CORRUPT, assay_src_origin(r->src, 0), "no archive in it");
	return 0;
}

int assay_initrd_read(struct assay_src *src, const struct assay_initrd_opts *opts,
		      struct assay_initrd **ret, struct assay_err *err)
{
	static const struct assay_initrd_opts none = { 0 };
	ASSAY_AUTO(assay_initrd) *initrd = calloc(1, sizeof(*initrd));
	/* Its buffers are for one name and one target: some KiB, not for a stack. */
	ASSAY_AUTO_FREE struct reading *r = calloc(1, sizeof(*r));
	int rc;

	if (!initrd || !r)
		return assay_fail_mem(err);
	r->src = src;
	r->size = initrd->size = assay_src_size(src);
	r->opts = opts ? opts : &none;
	r->max_unpacked = r->opts->max_unpacked ? r->opts->max_unpacked : ASSAY_INITRD_MAX_UNPACKED;
	r->initrd = initrd;
	rc = read_all(r, err);
	EVP_MD_CTX_free(r->md);
	if (rc == 0)
		*ret = assay_steal(&initrd);
	return rc;
}

void assay_initrd_free(struct assay_initrd **p)
{
	struct assay_initrd *initrd = *p;

	if (!initrd)
		return;
	for (size_t i = 0; i < initrd->n_members; i++) {
		free(initrd->members[i].name);
		free(initrd->members[i].target);
	}
	free(initrd->members);
	free(initrd->archives);
	free(initrd->bootconfig);
	assay_tree_clear(&initrd->tree);
	free(initrd);
	*p = NULL;
}

/* The first bytes of what a stream unpacks to; stops the unpacking when they are there. */
struct peek {
	uint8_t p[6];
	size_t len;
};

static int take_peek(void *arg, const uint8_t *p, size_t n, struct assay_err *err)
{
	struct peek *peek = arg;

	for (size_t i = 0; i < n && peek->len < sizeof(peek->p); i++)
		peek->p[peek->len++] = p[i];
	if (peek->len < sizeof(peek->p))
		return 0;
	return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "enough");
}

bool assay_initrd_detect(struct assay_src *src)
{
	struct peek peek = { .len = 0 };
	const struct assay_unpack_opts opts = { .max_out = UINT64_MAX, .lenient = true, .take = take_peek,
						.arg = &peek };
	struct assay_err err;
	uint64_t used;

	if (assay_src_size(src) < sizeof(peek.p) ||
	    assay_src_read(src, 0, peek.p, sizeof(peek.p), &err) < 0)
		return false;
	const enum assay_codec codec = assay_codec_of(peek.p, sizeof(peek.p));
	if (codec != ASSAY_CODEC_NONE) {
		memset(peek.p, 0, sizeof(peek.p));
		/* These hold disks too; a broken one is for those who read disks to tell about. */
		if (assay_unpack(src, 0, codec, &opts, &used, &err) < 0 && err.code != ASSAY_E_LIMIT)
			return codec != ASSAY_CODEC_GZIP && codec != ASSAY_CODEC_XZ &&
			       codec != ASSAY_CODEC_ZSTD;
	}
	return memcmp(peek.p, "07070", 5) == 0;
}
