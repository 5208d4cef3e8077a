/* SPDX-License-Identifier: Apache-2.0 */
/* What is told about a dm-verity pair: for `assay verity`, and for the facts of a disk. */
#ifndef ASSAY_MEASURE_VERITY_REPORT_H
#define ASSAY_MEASURE_VERITY_REPORT_H

#include "core/json.h"
#include "measure/verity/pair.h"

struct assay_json *assay_verity_pair_json(const struct assay_verity_pair *pair);
/* Of a listed fault: "data block 17, 4096 bytes at byte 0x811000, in /usr/bin/x"; fresh memory, NULL: out of memory. */
char *assay_verity_fault_text(const struct assay_verity_pair *pair, size_t i);

#endif
