/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs-verity's file digest (the kernel's Documentation/filesystems/fsverity.rst, "File digest computation"): SHA-256 of a
 * descriptor that holds the root of a Merkle tree over the file. Blocks of 4096 bytes, no salt.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/fsverity.h>
#include <sys/ioctl.h>

#include "attest/files_priv.h"
#include "core/cur.h"
#include "core/digest.h"
#include "core/hash.h"
#include "core/sha256x2.h"

#define BLOCK 4096U
#define DIGEST 32U
#define FAN (BLOCK / DIGEST) /* hashes of one block: 128 */
#define GROUP ((size_t)BLOCK * FAN)
#define PIECE ((size_t)64 << 10) /* that is read at a time, and stays in the core's cache */

static int hash_block(const uint8_t *p, uint8_t ret[DIGEST], struct assay_err *err)
{
	const struct assay_part part = { p, BLOCK };

	return assay_digest_one(ASSAY_SHA256, &part, 1, ret, err);
}

/* n blocks one behind the other, into n digests. pair: NULL where the processor has no instructions for it. */
static int hash_blocks(const struct assay_sha256x2 *pair, const uint8_t *p, size_t n, uint8_t *ret, struct assay_err *err)
{
	size_t i = 0;

	for (; pair && i + 2 <= n; i += 2)
		assay_sha256x2(pair, p + i * BLOCK, p + (i + 1) * BLOCK, BLOCK, ret + i * DIGEST, ret + (i + 1) * DIGEST);
	for (; i < n; i++)
		if (hash_block(p + i * BLOCK, ret + i * DIGEST, err) < 0)
			return -1;
	return 0;
}

/* --- the lowest two levels, in parallel --------------------------------------------------------- */

struct tree {
	int fd;
	uint64_t size;
	uint8_t *digests; /* of the blocks of hashes, one for each group of 128 blocks of data */
	uint64_t n_groups;
	atomic_uint_fast64_t next;
	struct assay_shared_err failed;
};

/* One group: 512 KiB of the file to the digest of its block of hashes. */
static int hash_group(struct tree *t, const struct assay_sha256x2 *pair, uint64_t group, uint8_t *buf, struct assay_err *err)
{
	const uint64_t end = t->size - group * GROUP < GROUP ? t->size : (group + 1) * GROUP;
	uint8_t hashes[BLOCK] = { 0 }, *at = hashes;

	for (uint64_t off = group * GROUP; off < end; off += PIECE) {
		const size_t len = end - off < PIECE ? (size_t)(end - off) : PIECE, n = (len + BLOCK - 1) / BLOCK;
		size_t got;

		if (assay_read_at(t->fd, buf, len, off, &got, err) < 0)
			return -1;
		if (got != len)
			return assay_fail(err, ASSAY_E_IO, off + got, "it became shorter while it was read");
		memset(buf + len, 0, n * BLOCK - len);
		if (hash_blocks(pair, buf, n, at, err) < 0)
			return -1;
		at += n * DIGEST;
	}
	/* A file of one block has no block of hashes: its digest is the root. */
	if (t->size <= BLOCK)
		memcpy(t->digests, hashes, DIGEST);
	else if (hash_block(hashes, t->digests + group * DIGEST, err) < 0)
		return -1;
	return 0;
}

static void *run_worker(void *arg)
{
	struct tree *t = arg;
	ASSAY_AUTO_FREE uint8_t *buf = malloc(PIECE);
	/* Once: to ask the processor what it can is slow in a virtual machine. */
	struct assay_sha256x2 pair;
	const bool two = assay_sha256x2_init(&pair, NULL, 0);
	struct assay_err err;

	if (!buf) {
		assay_fail_mem(&err);
		assay_shared_fail(&t->failed, &err);
		return NULL;
	}
	while (!atomic_load(&t->failed.stop)) {
		const uint64_t group = atomic_fetch_add(&t->next, 1);

		if (group >= t->n_groups)
			break;
		if (hash_group(t, two ? &pair : NULL, group, buf, &err) < 0)
			assay_shared_fail(&t->failed, &err);
	}
	return NULL;
}

/* The levels above, in place: 128 digests become one, until one is left. */
static int fold(uint8_t *digests, uint64_t n, struct assay_err *err)
{
	while (n > 1) {
		const uint64_t up = (n + FAN - 1) / FAN;

		for (uint64_t i = 0; i < up; i++) {
			const uint64_t here = n - i * FAN < FAN ? n - i * FAN : FAN;
			uint8_t block[BLOCK] = { 0 };

			memcpy(block, digests + i * BLOCK, here * DIGEST);
			if (hash_block(block, digests + i * DIGEST, err) < 0)
				return -1;
		}
		n = up;
	}
	return 0;
}

static int root_hash(int fd, uint64_t size, uint8_t ret[DIGEST], struct assay_err *err)
{
	struct tree t = { .fd = fd, .size = size, .failed = ASSAY_SHARED_ERR };
	ASSAY_AUTO_FREE uint8_t *digests = NULL;
	unsigned threads = assay_hash_threads();

	memset(ret, 0, DIGEST);
	if (size == 0)
		return 0;
	t.n_groups = (size - 1) / GROUP + 1;
	if (t.n_groups > SIZE_MAX / DIGEST)
		return assay_fail_mem(err);
	digests = calloc((size_t)t.n_groups, DIGEST);
	if (!digests)
		return assay_fail_mem(err);
	t.digests = digests;
	if (threads > t.n_groups)
		threads = (unsigned)t.n_groups;
	assay_in_parallel(threads, run_worker, &t);
	if (atomic_load(&t.failed.stop)) {
		if (err)
			*err = t.failed.err;
		return -1;
	}
	if (fold(digests, t.n_groups, err) < 0)
		return -1;
	memcpy(ret, digests, DIGEST);
	return 0;
}

/* --- the descriptor ----------------------------------------------------------------------------- */

/* struct fsverity_descriptor without a signature. */
static int descriptor_digest(uint64_t size, const uint8_t root[DIGEST], uint8_t ret[DIGEST], struct assay_err *err)
{
	uint8_t d[sizeof(struct fsverity_descriptor)] = { 1, FS_VERITY_HASH_ALG_SHA256, 12 };
	const struct assay_part part = { d, sizeof(d) };

	assay_put_le64(d + 8, size);
	memcpy(d + 16, root, DIGEST);
	return assay_digest_one(ASSAY_SHA256, &part, 1, ret, err);
}

/*
 * The kernel's, which it holds each read against. It may have been made with other blocks or a salt: then its
 * descriptor is not the one above, and nobody who has the file alone would come to this digest.
 */
static bool kernel_digest(int fd, uint64_t size, uint8_t ret[DIGEST])
{
	union {
		struct fsverity_digest head;
		uint8_t bytes[sizeof(struct fsverity_digest) + DIGEST];
	} measured = { .head = { .digest_size = DIGEST } };
	uint8_t d[sizeof(struct fsverity_descriptor)] = { 0 }, computed[DIGEST];
	struct fsverity_read_metadata_arg arg = {
		.metadata_type = FS_VERITY_METADATA_TYPE_DESCRIPTOR,
		.length = sizeof(d),
		.buf_ptr = (uintptr_t)d,
	};

	if (ioctl(fd, FS_IOC_MEASURE_VERITY, &measured) < 0 || measured.head.digest_algorithm != FS_VERITY_HASH_ALG_SHA256 ||
	    measured.head.digest_size != DIGEST || ioctl(fd, FS_IOC_READ_VERITY_METADATA, &arg) != (int)sizeof(d) ||
	    descriptor_digest(size, d + 16, computed, NULL) < 0 ||
	    !assay_bytes_equal(computed, measured.bytes + sizeof(struct fsverity_digest), DIGEST))
		return false;
	memcpy(ret, computed, DIGEST);
	return true;
}

int assay_fsverity_digest(int fd, uint64_t size, uint8_t ret[DIGEST], struct assay_err *err)
{
	uint8_t root[DIGEST];

	if (kernel_digest(fd, size, ret))
		return 0;
	return root_hash(fd, size, root, err) < 0 ? -1 : descriptor_digest(size, root, ret, err);
}
