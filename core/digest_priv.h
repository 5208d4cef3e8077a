/* SPDX-License-Identifier: Apache-2.0 */
/* What digest.c and hash.c share: the crypto library's view of a bank. */
#ifndef ASSAY_CORE_DIGEST_PRIV_H
#define ASSAY_CORE_DIGEST_PRIV_H

#include <openssl/evp.h>

#include "core/digest.h"

/* Fetched once in a process; NULL with *err set when the library has no such digest. */
const EVP_MD *assay_bank_md(enum assay_bank bank, struct assay_err *err);
/* ASSAY_E_CRYPTO "WHAT: <the library's reason>"; empties the library's error queue. */
int assay_fail_crypto(struct assay_err *err, const char *what);

#endif
