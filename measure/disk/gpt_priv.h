/* SPDX-License-Identifier: Apache-2.0 */
/* Shared inside measure/disk. */
#ifndef ASSAY_MEASURE_DISK_GPT_PRIV_H
#define ASSAY_MEASURE_DISK_GPT_PRIV_H

#include "core/src.h"

/*
 * There is no GPT: say in words what is there instead, as far as the bytes tell (a qcow2 image, a
 * compressed file, an MBR, zeros, a backup table). ASSAY_E_NOTFOUND, or ASSAY_E_UNSUPPORTED for a
 * container format that would first have to be unpacked. Always -1.
 */
int assay_disk_explain_no_gpt(struct assay_src *disk, struct assay_err *err);

#endif
