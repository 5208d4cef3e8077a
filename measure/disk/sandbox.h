/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the helper that reads disk images may do: open the files that it is given and its libraries, talk to the sockets
 * that it is given, and nothing else. Landlock for files, seccomp for the rest. What can fail is prepared in the parent;
 * the child, between fork and exec, makes system calls only.
 */
#ifndef ASSAY_MEASURE_DISK_SANDBOX_H
#define ASSAY_MEASURE_DISK_SANDBOX_H

#include <stddef.h>

#include "core/err.h"

/*
 * A Landlock ruleset: `program` may be read and run, the system's libraries and the files `fds` read. *ret is -1 where the
 * kernel has no Landlock: a line in the log says so.
 */
int assay_sandbox_prepare(const char *program, const int *fds, size_t n, int *ret,
			  struct assay_err *err) ASSAY_MUST;

/* In the child: never to be undone. 0, or what could not be done. Async-signal-safe. */
const char *assay_sandbox_enter(int ruleset) ASSAY_MUST;

#endif
