/* SPDX-License-Identifier: Apache-2.0 */
#include "core/digest.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "core/digest_priv.h"

/* TPM_ALG_ID: TCG Algorithm Registry, table 3. */
static const struct bank {
	const char *name;
	const char *dashed;
	const char *md;
	size_t size;
	uint16_t tcg_id;
} banks_of[ASSAY_N_BANKS] = {
	[ASSAY_SHA1] = { "sha1", "sha-1", "SHA1", 20, 0x0004 },
	[ASSAY_SHA256] = { "sha256", "sha-256", "SHA256", 32, 0x000b },
	[ASSAY_SHA384] = { "sha384", "sha-384", "SHA384", 48, 0x000c },
	[ASSAY_SHA512] = { "sha512", "sha-512", "SHA512", 64, 0x000d },
};

const char *assay_bank_name(enum assay_bank bank)
{
	return banks_of[bank].name;
}

size_t assay_bank_size(enum assay_bank bank)
{
	return banks_of[bank].size;
}

uint16_t assay_bank_tcg_id(enum assay_bank bank)
{
	return banks_of[bank].tcg_id;
}

bool assay_bank_from_tcg_id(uint16_t id, enum assay_bank *ret)
{
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		if (banks_of[b].tcg_id == id) {
			*ret = (enum assay_bank)b;
			return true;
		}
	}
	return false;
}

static bool bank_from_name_n(const char *name, size_t len, enum assay_bank *ret)
{
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		const char *const names[] = { banks_of[b].name, banks_of[b].dashed };

		for (unsigned i = 0; i < 2; i++) {
			if (strlen(names[i]) == len && strncasecmp(names[i], name, len) == 0) {
				*ret = (enum assay_bank)b;
				return true;
			}
		}
	}
	return false;
}

bool assay_bank_from_name(const char *name, enum assay_bank *ret)
{
	return bank_from_name_n(name, strlen(name), ret);
}

int assay_bank_list(const char *list, unsigned *ret, struct assay_err *err)
{
	unsigned mask = 0;

	for (const char *p = list;; p++) {
		const size_t len = strcspn(p, ",");
		const int shown = len > 64 ? 64 : (int)len;
		enum assay_bank bank;

		if (!bank_from_name_n(p, len, &bank))
			return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
					  "no bank '%.*s': sha1, sha256, sha384 and sha512 exist",
					  shown, p);
		if (mask & ASSAY_BANK_BIT(bank))
			return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET,
					  "bank '%.*s' named twice", shown, p);
		mask |= ASSAY_BANK_BIT(bank);
		p += len;
		if (*p == '\0')
			break;
	}
	*ret = mask;
	return 0;
}

/* --- the crypto library ------------------------------------------------------------------------
 */

static pthread_once_t md_once = PTHREAD_ONCE_INIT;
static EVP_MD *md_of[ASSAY_N_BANKS];

static pthread_key_t ctx_key;
static bool have_ctx_key;

static void free_ctx(void *ctx)
{
	EVP_MD_CTX_free(ctx);
}

/* Fetched for the life of the process: fetching takes locks and some microseconds. */
static void init_once(void)
{
	/* What is predicted does not depend on the machine's openssl.cnf, and need not wait for it. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
		md_of[b] = EVP_MD_fetch(NULL, banks_of[b].md, NULL);
	have_ctx_key = pthread_key_create(&ctx_key, free_ctx) == 0;
}

int assay_fail_crypto(struct assay_err *err, const char *what)
{
	const unsigned long e = ERR_get_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;

	ERR_clear_error();
	return assay_fail(err, ASSAY_E_CRYPTO, ASSAY_NO_OFFSET, "%s: %s", what,
			  reason ? reason : "the crypto library gives no reason");
}

const EVP_MD *assay_bank_md(enum assay_bank bank, struct assay_err *err)
{
	pthread_once(&md_once, init_once);
	if (!md_of[bank])
		assay_fail_crypto(err, banks_of[bank].name);
	return md_of[bank];
}

/* One context a thread, kept: an extend must not pay for an allocation. Freed when the thread ends.
 */
static EVP_MD_CTX *thread_ctx(struct assay_err *err)
{
	EVP_MD_CTX *ctx = NULL;

	if (have_ctx_key)
		ctx = pthread_getspecific(ctx_key);
	if (ctx)
		return ctx;
	ctx = have_ctx_key ? EVP_MD_CTX_new() : NULL;
	if (!ctx || pthread_setspecific(ctx_key, ctx) != 0) {
		EVP_MD_CTX_free(ctx);
		assay_fail_mem(err);
		return NULL;
	}
	return ctx;
}

int assay_digest_one(enum assay_bank bank, const struct assay_part *parts, size_t n, uint8_t *out,
		     struct assay_err *err)
{
	const EVP_MD *md = assay_bank_md(bank, err);
	EVP_MD_CTX *ctx;

	if (!md)
		return -1;
	ctx = thread_ctx(err);
	if (!ctx)
		return -1;
	if (EVP_DigestInit_ex2(ctx, md, NULL) != 1)
		return assay_fail_crypto(err, banks_of[bank].name);
	for (size_t i = 0; i < n; i++) {
		if (parts[i].len != 0 && EVP_DigestUpdate(ctx, parts[i].p, parts[i].len) != 1)
			return assay_fail_crypto(err, banks_of[bank].name);
	}
	if (EVP_DigestFinal_ex(ctx, out, NULL) != 1)
		return assay_fail_crypto(err, banks_of[bank].name);
	return 0;
}

int assay_digest_parts(unsigned banks, const struct assay_part *parts, size_t n,
		       struct assay_digests *ret, struct assay_err *err)
{
	struct assay_digests d = { .banks = banks };

	if (banks & ~ASSAY_ALL_BANKS)
		return assay_fail(err, ASSAY_E_USAGE, ASSAY_NO_OFFSET, "no such banks: 0x%x",
				  banks);
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		if (!(banks & ASSAY_BANK_BIT(b)))
			continue;
		if (assay_digest_one((enum assay_bank)b, parts, n, d.d[b], err) < 0)
			return -1;
	}
	*ret = d;
	return 0;
}

int assay_digest_mem(unsigned banks, const void *p, size_t len, struct assay_digests *ret,
		     struct assay_err *err)
{
	const struct assay_part part = { p, len };

	return assay_digest_parts(banks, &part, 1, ret, err);
}

/* --- bytes -------------------------------------------------------------------------------------
 */

bool assay_bytes_equal(const void *a, const void *b, size_t n)
{
	return n == 0 || CRYPTO_memcmp(a, b, n) == 0;
}

bool assay_digests_equal(const struct assay_digests *a, const struct assay_digests *b)
{
	bool equal = a->banks == b->banks;

	for (unsigned i = 0; i < ASSAY_N_BANKS; i++) {
		if (a->banks & ASSAY_BANK_BIT(i))
			equal &= assay_bytes_equal(a->d[i], b->d[i], banks_of[i].size);
	}
	return equal;
}

char *assay_hex(const void *p, size_t n, char *dst)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = p;

	for (size_t i = 0; i < n; i++) {
		dst[2 * i] = digits[bytes[i] >> 4];
		dst[2 * i + 1] = digits[bytes[i] & 15];
	}
	dst[2 * n] = '\0';
	return dst;
}

/* 0x80: no digit. */
#define NO 0x80
#define NO8 NO, NO, NO, NO, NO, NO, NO, NO
#define NO16 NO8, NO8
static const uint8_t hex_value[256] = {
	NO16, NO16, NO16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, NO, NO, NO, NO, NO, NO, NO, 10, 11, 12, 13, 14, 15, NO, NO8, NO16,
	NO, 10, 11, 12, 13, 14, 15, NO, NO8, NO16, NO16, NO16, NO16, NO16, NO16, NO16, NO16, NO16,
};

bool assay_unhex(const char *hex, size_t len, uint8_t *dst, size_t n)
{
	if (len % 2 != 0 || len / 2 != n)
		return false;
	/* Nothing is written before all of it is known to be hex. */
	int bad = 0;

	for (size_t i = 0; i < len; i++)
		bad |= hex_value[(unsigned char)hex[i]];
	if (bad & 0x80)
		return false;
	for (size_t i = 0; i < n; i++)
		dst[i] = (uint8_t)(hex_value[(unsigned char)hex[2 * i]] << 4 | hex_value[(unsigned char)hex[2 * i + 1]]);
	return true;
}
