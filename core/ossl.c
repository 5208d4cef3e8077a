/* SPDX-License-Identifier: Apache-2.0 */
#include "core/ossl.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>

int assay_fail_openssl(struct assay_err *err, const char *fmt, ...)
{
	const unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	char msg[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	const bool memory = ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
	ERR_clear_error();
	if (memory)
		return assay_fail_mem(err);
	return assay_fail(err, ASSAY_E_CRYPTO, ASSAY_NO_OFFSET, "%s%s%s", msg, reason ? ": " : "",
			  reason ? reason : "");
}

OSSL_LIB_CTX *assay_ossl_lib(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static OSSL_LIB_CTX *made;
	OSSL_LIB_CTX *lib;

	pthread_mutex_lock(&lock);
	if (!made) {
		OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
		made = OSSL_LIB_CTX_new();
		if (made && !OSSL_PROVIDER_load(made, "default")) {
			OSSL_LIB_CTX_free(made);
			made = NULL;
		}
	}
	lib = made;
	pthread_mutex_unlock(&lock);
	return lib;
}
