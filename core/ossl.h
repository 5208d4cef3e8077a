/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenSSL that checks signatures and certificates, and its way of failing. */
#ifndef ASSAY_CORE_OSSL_H
#define ASSAY_CORE_OSSL_H

#include <openssl/types.h>

#include "core/err.h"

/*
 * The default provider and no configuration, apart from everything that signs: nothing here depends on the machine's
 * openssl.cnf. Made once; NULL when it cannot be. Thread-safe.
 */
OSSL_LIB_CTX *assay_ossl_lib(void);

/* With OpenSSL's last word on it; its queue is empty then. Always -1. */
int assay_fail_openssl(struct assay_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
