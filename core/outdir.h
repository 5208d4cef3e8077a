/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory of output files that is whole or absent, as core/out.h is for one file: made beside its place and renamed
 * by assay_outdir_commit(). What is there already is kept: only an empty directory is replaced.
 */
#ifndef ASSAY_CORE_OUTDIR_H
#define ASSAY_CORE_OUTDIR_H

#include <stddef.h>

#include "core/err.h"

struct assay_outdir;

/* ASSAY_E_USAGE when there is something at `path` other than an empty directory. */
int assay_outdir_open(const char *path, struct assay_outdir **ret, struct assay_err *err) ASSAY_MUST;
/* A file "NAME" or "DIR/NAME", whose directory is made when it is not there. Each name once. */
int assay_outdir_add(struct assay_outdir *dir, const char *name, const void *data, size_t len,
		     struct assay_err *err) ASSAY_MUST;
int assay_outdir_commit(struct assay_outdir *dir, struct assay_err *err) ASSAY_MUST;
void assay_outdir_free(struct assay_outdir **dir);
ASSAY_DEFINE_AUTO(assay_outdir)

#endif
