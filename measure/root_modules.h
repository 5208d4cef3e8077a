/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel modules in the filesystems of a disk, against the kernels on its ESP. */
#ifndef ASSAY_MEASURE_ROOT_MODULES_H
#define ASSAY_MEASURE_ROOT_MODULES_H

#include "core/json.h"
#include "measure/fs/fs.h"

/* Member "modules" of a filesystem's object, when it has any: [{"release", "modules"}], by release. */
int assay_root_modules(struct assay_fs *fs, struct assay_json *filesystem,
		       struct assay_err *err) ASSAY_MUST;

/*
 * Member "modules" of the facts, out of their "esp" and "filesystems": for each kernel whose release is known, and each
 * filesystem with modules, whether modules of that release are there.
 */
int assay_root_modules_check(struct assay_json *facts, struct assay_err *err) ASSAY_MUST;

#endif
