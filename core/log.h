/* SPDX-License-Identifier: Apache-2.0 */
/* Progress and warnings, to a callback that the tool sets; silent by default. */
#ifndef ASSAY_CORE_LOG_H
#define ASSAY_CORE_LOG_H

#include <stdint.h>

enum assay_log_level { ASSAY_LOG_WARNING, ASSAY_LOG_INFO };

typedef void assay_log_fn(enum assay_log_level level, const char *text, void *arg);
typedef void assay_progress_fn(uint64_t done, uint64_t total, void *arg);

void assay_log_set(assay_log_fn *fn, assay_progress_fn *progress, void *arg);
void assay_log(enum assay_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Bytes hashed so far out of those to hash; cheap enough to call for every block. */
void assay_progress(uint64_t done, uint64_t total);

#endif
