/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ASSAY_MANIFEST_KEY_PRIV_H
#define ASSAY_MANIFEST_KEY_PRIV_H

#include <openssl/evp.h>

#include "core/ossl.h"
#include "manifest/key.h"

/*
 * The OpenSSL that checks: the default provider and no configuration, apart from everything that signs. Made once; NULL
 * when it cannot be.
 */
OSSL_LIB_CTX *assay_key_lib(void);

/* SHA-256 in it, as lower-case hex: nothing of OpenSSL but this need be set up. */
int assay_key_sha256(const void *p, size_t len, char ret[ASSAY_KEY_ID], struct assay_err *err) ASSAY_MUST;

/* How a kind signs, for EVP_Digest{Sign,Verify}Init_ex() and the context that comes out of it. */
const char *assay_key_digest_name(enum assay_key_kind kind);
bool assay_key_set_padding(EVP_PKEY_CTX *ctx, enum assay_key_kind kind);

/* Where a key lives: the OpenSSL that checks, or one of its own with the provider that its URI asks for. */
struct assay_key_home {
	OSSL_LIB_CTX *lib, *own;
	OSSL_PROVIDER *base, *extra;
	const char *properties; /* to fetch algorithms with */
};
void assay_key_home_clear(struct assay_key_home *home);

/* The one private (or public) key of a URI. The home must outlive it, and is to be cleared on failure, too. */
int assay_key_fetch(const char *uri, bool is_private, const struct assay_secret *secret, struct assay_key_home *ret_home,
		    EVP_PKEY **ret, struct assay_err *err) ASSAY_MUST;

#endif
