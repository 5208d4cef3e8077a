/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* Set once by the tool before any work starts. */
static struct {
	assay_log_fn *log;
	assay_progress_fn *progress;
	void *arg;
} to;

void assay_log_set(assay_log_fn *fn, assay_progress_fn *progress, void *arg)
{
	to.log = fn;
	to.progress = progress;
	to.arg = arg;
}

void assay_log(enum assay_log_level level, const char *fmt, ...)
{
	char text[1024] = "";
	va_list ap;

	if (!to.log)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	to.log(level, text, to.arg);
}

void assay_progress(uint64_t done, uint64_t total)
{
	if (to.progress)
		to.progress(done, total, to.arg);
}
