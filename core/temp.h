/* SPDX-License-Identifier: Apache-2.0 */
/* Temporary files without a name: gone with their descriptor, whatever happens to the program. */
#ifndef ASSAY_CORE_TEMP_H
#define ASSAY_CORE_TEMP_H

#include "core/err.h"

/* TMPDIR or /var/tmp: /tmp is memory on many machines. Not for a program with more rights than its
 * caller. */
const char *assay_temp_folder(void);
/* Open for reading and writing. Errors name the folder. */
int assay_temp_open(int *ret_fd, struct assay_err *err) ASSAY_MUST;

#endif
