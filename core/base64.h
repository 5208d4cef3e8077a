/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 with the standard alphabet and padding (RFC 4648, section 4), strict when it is read. */
#ifndef ASSAY_CORE_BASE64_H
#define ASSAY_CORE_BASE64_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

/* Fresh text with its NUL; NULL when there is no memory. */
char *assay_base64_encode(const void *p, size_t n);

/*
 * Fresh bytes, a NUL behind them; never NULL on success. ASSAY_E_CORRUPT on anything that assay_base64_encode() would
 * not have written: another character (white space too), missing padding, bits after the end. `at` is the offset in
 * the text.
 */
int assay_base64_decode(const char *text, size_t len, uint8_t **ret, size_t *ret_n,
			struct assay_err *err) ASSAY_MUST;

#endif
