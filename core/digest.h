/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digest banks: SHA-1, SHA-256, SHA-384 and SHA-512, as a TPM's PCR banks have them; one-shot
 * digests, hex, and comparison in constant time. Files and disks are hashed by core/hash.h.
 */
#ifndef ASSAY_CORE_DIGEST_H
#define ASSAY_CORE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

enum assay_bank {
	ASSAY_SHA1,
	ASSAY_SHA256,
	ASSAY_SHA384,
	ASSAY_SHA512,
	ASSAY_N_BANKS,
};

/* Sets of banks are bit masks. */
#define ASSAY_BANK_BIT(b) (1U << (b))
#define ASSAY_ALL_BANKS (ASSAY_BANK_BIT(ASSAY_N_BANKS) - 1U)
#define ASSAY_MAX_DIGEST 64

/* One digest in each bank of `banks`; the bytes of other banks are zero. */
struct assay_digests {
	unsigned banks;
	uint8_t d[ASSAY_N_BANKS][ASSAY_MAX_DIGEST];
};

const char *assay_bank_name(enum assay_bank bank);	/* "sha256" */
size_t assay_bank_size(enum assay_bank bank);		/* 32 */
uint16_t assay_bank_tcg_id(enum assay_bank bank);	/* TPM_ALG_ID: 0x000b */
bool assay_bank_from_tcg_id(uint16_t id, enum assay_bank *ret);
bool assay_bank_from_name(const char *name, enum assay_bank *ret); /* any case; "sha256", "SHA-256" */
/* "sha1,sha256" -> mask; ASSAY_E_USAGE names the unknown or repeated bank. */
int assay_bank_list(const char *list, unsigned *ret, struct assay_err *err) ASSAY_MUST;

/* Digest of one buffer in each bank of the mask. */
int assay_digest_mem(unsigned banks, const void *p, size_t len, struct assay_digests *ret,
		     struct assay_err *err) ASSAY_MUST;

struct assay_part {
	const void *p;
	size_t len;
};
/* Digest of several buffers, one after another. */
int assay_digest_parts(unsigned banks, const struct assay_part *parts, size_t n,
		       struct assay_digests *ret, struct assay_err *err) ASSAY_MUST;
/* One bank into `out` (assay_bank_size bytes); what PCR extends use, so it is fast. */
int assay_digest_one(enum assay_bank bank, const struct assay_part *parts, size_t n, uint8_t *out,
		     struct assay_err *err) ASSAY_MUST;

/* Same banks and same bytes? Constant time in the bytes. */
bool assay_digests_equal(const struct assay_digests *a, const struct assay_digests *b);
bool assay_bytes_equal(const void *a, const void *b, size_t n);

/* Lower-case hex with NUL into dst (2n + 1 bytes); returns dst. */
char *assay_hex(const void *p, size_t n, char *dst);
#define ASSAY_HEX_MAX (2 * ASSAY_MAX_DIGEST + 1)
/* Exactly n bytes out of 2n hex digits of any case and nothing else. */
bool assay_unhex(const char *hex, size_t len, uint8_t *dst, size_t n);

#endif
