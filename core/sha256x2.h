/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 of two messages of one length at a time, on processors with the SHA extensions of x86.
 *
 * One stream of these instructions leaves the processor idle for more than a quarter of the time:
 * each round needs the one before it. Two streams that take turns fill the gaps. That pays for many
 * small blocks, as a hash tree has them, and for the layers of container images, which are many and
 * large. Everywhere else digests come from OpenSSL.
 */
#ifndef ASSAY_CORE_SHA256X2_H
#define ASSAY_CORE_SHA256X2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What all messages begin with: a salt. */
struct assay_sha256x2 {
	uint32_t state[8]; /* after its whole blocks of 64 bytes */
	uint8_t rest[64];
	size_t n_rest;
	uint64_t len;
};

/* false: this processor has no such instructions, and the function below must not be called. */
bool assay_sha256x2_init(struct assay_sha256x2 *ret, const void *prefix, size_t len);

/* The digests of prefix and a, and of prefix and b; both a and b have `len` bytes at any alignment.
 */
void assay_sha256x2(const struct assay_sha256x2 *prefix, const void *a, const void *b, size_t len,
		    uint8_t ret_a[32], uint8_t ret_b[32]);

/* --- messages that come in pieces --- */

struct assay_sha256_stream {
	uint32_t state[8];
	uint64_t len;
};

/* false: as above. */
bool assay_sha256_stream_init(struct assay_sha256_stream *ret);
/* `len` bytes of each of two messages, which may be at different places; whole blocks of 64 bytes.
 */
void assay_sha256_stream_two(struct assay_sha256_stream *a, const void *p_a,
			     struct assay_sha256_stream *b, const void *p_b, size_t len);
/* The same of one message alone. */
void assay_sha256_stream_one(struct assay_sha256_stream *s, const void *p, size_t len);
/* What is left, of any length. */
void assay_sha256_stream_end(struct assay_sha256_stream *s, const void *p, size_t len,
			     uint8_t ret[32]);

#endif
