/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time as files have them: seconds since 1970 in UTC, written "2026-11-22T08:00:00Z" (RFC 3339). */
#ifndef ASSAY_CORE_CLOCK_H
#define ASSAY_CORE_CLOCK_H

#include <stdint.h>

#include "core/err.h"

#define ASSAY_CLOCK_MAX 253402300799 /* 9999-12-31T23:59:59Z, the last that RFC 3339 can write */
#define ASSAY_CLOCK_TEXT 21	     /* with its NUL */

/* Between 0 and ASSAY_CLOCK_MAX; returns dst. */
char *assay_clock_text(int64_t seconds, char dst[ASSAY_CLOCK_TEXT]);
/* Just what assay_clock_text() writes: UTC, no fractions. ASSAY_E_CORRUPT otherwise. */
int assay_clock_parse(const char *text, int64_t *ret, struct assay_err *err) ASSAY_MUST;
/*
 * What people write on a command line: RFC 3339 as above, a date alone (its first second), "@SECONDS", or "+Nd", "+Nh" from
 * `base`. ASSAY_E_USAGE otherwise.
 */
int assay_clock_option(const char *text, int64_t base, int64_t *ret, struct assay_err *err) ASSAY_MUST;
/* SOURCE_DATE_EPOCH of the environment (reproducible-builds.org). ASSAY_E_NOTFOUND when it is not set. */
int assay_clock_epoch(int64_t *ret, struct assay_err *err) ASSAY_MUST;
int64_t assay_clock_now(void);

#endif
