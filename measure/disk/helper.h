/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qemu-nbd as a reader of one disk image: in a sandbox, without a name in any folder, gone when we are.
 *
 * Images are handed over as open files. What qemu is told (its "json:" description of a disk) names them as
 * /proc/self/fd/N: nothing that an image says becomes a name of a file.
 */
#ifndef ASSAY_MEASURE_DISK_HELPER_H
#define ASSAY_MEASURE_DISK_HELPER_H

#include <stddef.h>

#include "core/err.h"

struct assay_helper;

/* What /proc/self/fd/N is for file i of those that are handed over. */
#define ASSAY_HELPER_FD(i) (4 + (i))

/*
 * disk: qemu's description, a JSON object as text. The helper gets copies of fds. conns: as many connected sockets as asked
 * for, to speak NBD on; they are the caller's. The thread that calls this has to live as long as the helper: the kernel
 * ends it with that thread.
 */
int assay_helper_start(const char *disk, const int *fds, size_t n_fds, int *conns, size_t n_conns,
		       struct assay_helper **ret, struct assay_err *err) ASSAY_MUST;
/* Adds what the helper has said on its standard error, if anything, to the message. Always -1. */
int assay_helper_explain(struct assay_helper *helper, struct assay_err *err);
void assay_helper_free(struct assay_helper **helper);
ASSAY_DEFINE_AUTO(assay_helper)

#endif
