/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output that is whole or absent: written to a temporary beside the target, synced, renamed over it
 * by assay_out_commit(). Freed without commit, the temporary goes and the target stays as it was.
 * The path "-" is stdout (buffered whole and written at commit).
 */
#ifndef ASSAY_CORE_OUT_H
#define ASSAY_CORE_OUT_H

#include <stddef.h>

#include "core/err.h"

struct assay_out;

int assay_out_open(const char *path, struct assay_out **ret, struct assay_err *err) ASSAY_MUST;
/* Into memory, for assay_out_steal() in the place of commit. */
int assay_out_memory(struct assay_out **ret, struct assay_err *err) ASSAY_MUST;
/* What was written, with a NUL after it; caller frees. Once. */
int assay_out_steal(struct assay_out *out, char **ret, size_t *ret_len,
		    struct assay_err *err) ASSAY_MUST;
/* Sticky: a failed write is remembered and reported by commit. */
void assay_out_write(struct assay_out *out, const void *p, size_t len);
void assay_out_printf(struct assay_out *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int assay_out_commit(struct assay_out *out, struct assay_err *err) ASSAY_MUST;
void assay_out_free(struct assay_out **out);
ASSAY_DEFINE_AUTO(assay_out)

#endif
