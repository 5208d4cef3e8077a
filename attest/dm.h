/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel enforces on a dm-verity device, from the device-mapper itself. */
#ifndef ASSAY_ATTEST_DM_H
#define ASSAY_ATTEST_DM_H

#include <stddef.h>

#include "core/digest.h"

/*
 * The root digest, in lower-case hex, of the device that is called `name` (DM_TABLE_STATUS on /dev/mapper/control).
 * Refused: a device that is no single verity target, or one that is told to ignore what does not verify.
 */
int assay_dm_root_hash(const char *name, char ret[ASSAY_HEX_MAX], struct assay_err *err) ASSAY_MUST;
/* The same out of a target's table line (the kernel's Documentation/admin-guide/device-mapper/verity.rst). */
int assay_dm_verity_parse(const char *params, char ret[ASSAY_HEX_MAX], struct assay_err *err) ASSAY_MUST;

#endif
