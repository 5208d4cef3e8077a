/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/fs/squashfs_lib.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sqfs/compressor.h>
#include <sqfs/error.h>

#include "core/dl.h"

/* The interface of Debian 12 and 13, and of the headers that this is built with. */
#define SONAME "libsquashfs.so.1"

static struct {
	__typeof__(&sqfs_compressor_config_init) config_init;
	__typeof__(&sqfs_compressor_create) create;
} lib;
/* POSIX: a pointer from dlsym() may be stored through void **. */
static const struct assay_dl_symbol symbols[] = {
	{ "sqfs_compressor_config_init", (void **)&lib.config_init },
	{ "sqfs_compressor_create", (void **)&lib.create },
};
static struct assay_dl dl = ASSAY_DL(SONAME, symbols);

const char *assay_sqfs_packer_name(unsigned id)
{
	static const char *const names[] = { NULL, "gzip", "lzma", "lzo", "xz", "lz4", "zstd" };

	return id < sizeof(names) / sizeof(names[0]) ? names[id] : NULL;
}

/* libsquashfs's objects hold state: one for each thread that unpacks just now, kept for the next.
 */
#define KEPT 32

struct assay_sqfs_packer {
	sqfs_compressor_config_t config;
	pthread_mutex_t lock; /* guards all below */
	sqfs_compressor_t *kept[KEPT];
	size_t n_kept;
};

static int new_object(const struct assay_sqfs_packer *p, sqfs_compressor_t **ret,
		      struct assay_err *err)
{
	const char *name = assay_sqfs_packer_name(p->config.id);
	const int rc = lib.create(&p->config, ret);

	if (rc == 0)
		return 0;
	if (rc == SQFS_ERROR_UNSUPPORTED)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "squashfs packed with %s, which libsquashfs cannot unpack",
				  name ? name : "an unknown compression");
	/* Nothing but memory is asked for. */
	return assay_fail_mem(err);
}

static int borrow(struct assay_sqfs_packer *p, sqfs_compressor_t **ret, struct assay_err *err)
{
	sqfs_compressor_t *c = NULL;

	pthread_mutex_lock(&p->lock);
	if (p->n_kept > 0)
		c = p->kept[--p->n_kept];
	pthread_mutex_unlock(&p->lock);
	if (!c)
		return new_object(p, ret, err);
	*ret = c;
	return 0;
}

static void give_back(struct assay_sqfs_packer *p, sqfs_compressor_t *c)
{
	pthread_mutex_lock(&p->lock);
	if (p->n_kept < KEPT) {
		p->kept[p->n_kept++] = c;
		c = NULL;
	}
	pthread_mutex_unlock(&p->lock);
	if (c)
		sqfs_destroy(c);
}

int assay_sqfs_packer_new(unsigned id, uint32_t block_size, struct assay_sqfs_packer **ret,
			  struct assay_err *err)
{
	struct assay_sqfs_packer *p;

	if (assay_dl_get(&dl, err) < 0)
		return assay_wrap(err, "squashfs needs libsquashfs");
	p = calloc(1, sizeof(*p));
	if (!p)
		return assay_fail_mem(err);
	pthread_mutex_init(&p->lock, NULL);
	ASSAY_AUTO(assay_sqfs_packer) *owned = p;
	if (lib.config_init(&p->config, (SQFS_COMPRESSOR)id, block_size,
			    SQFS_COMP_FLAG_UNCOMPRESS) != 0) {
		const char *name = assay_sqfs_packer_name(id);

		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "squashfs packed with %s, which libsquashfs does not know",
				  name ? name : "an unknown compression");
	}
	if (new_object(p, &p->kept[0], err) < 0)
		return -1;
	p->n_kept = 1;
	*ret = assay_steal(&owned);
	return 0;
}

void assay_sqfs_packer_free(struct assay_sqfs_packer **pp)
{
	struct assay_sqfs_packer *p = assay_steal(pp);

	if (!p)
		return;
	for (size_t i = 0; i < p->n_kept; i++)
		sqfs_destroy(p->kept[i]);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/*
 * libsquashfs believes the length in an LZMA header: of a stream that ends before that it returns
 * what happened to be in the buffer. That differs when something else was there before.
 */
static sqfs_s32 lzma_again(sqfs_compressor_t *c, const uint8_t *in, size_t len, uint8_t *out,
			   size_t max, sqfs_s32 n)
{
	ASSAY_AUTO_FREE uint8_t *other = malloc(max);

	if (!other)
		return SQFS_ERROR_ALLOC;
	for (size_t i = 0; i < max; i++)
		other[i] = (uint8_t)~out[i];
	if (c->do_block(c, in, (sqfs_u32)len, other, (sqfs_u32)max) != n ||
	    memcmp(out, other, (size_t)n) != 0)
		return SQFS_ERROR_CORRUPTED;
	return n;
}

/* The libraries below do not say that it was memory that they lacked; they want some hundred KiB.
 */
static bool no_memory(size_t max)
{
	ASSAY_AUTO_FREE void *p = malloc(max + (1U << 20));

	return !p;
}

int assay_sqfs_unpack(struct assay_sqfs_packer *p, const uint8_t *in, size_t len, uint8_t *out,
		      size_t max, size_t *ret_len, uint64_t at, struct assay_err *err)
{
	const char *name = assay_sqfs_packer_name(p->config.id);
	sqfs_compressor_t *c = NULL;
	sqfs_s32 n;

	if (borrow(p, &c, err) < 0)
		return -1;
	n = c->do_block(c, in, (sqfs_u32)len, out, (sqfs_u32)max);
	if (n > 0 && p->config.id == SQFS_COMP_LZMA)
		n = lzma_again(c, in, len, out, max, n);
	give_back(p, c);
	if (n == SQFS_ERROR_ALLOC || (n < 0 && no_memory(max)))
		return assay_fail_mem(err);
	/* 0: there is more of it than fits, or it ends too early. */
	if (n <= 0 || (size_t)n > max)
		return assay_fail(err, ASSAY_E_CORRUPT, at,
				  "%zu bytes of %s do not unpack into %zu bytes or less", len, name,
				  max);
	*ret_len = (size_t)n;
	return 0;
}
