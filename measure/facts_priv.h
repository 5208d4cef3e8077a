/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of assay.facts/1, each in its file. Each claims the regions that it knows. */
#ifndef ASSAY_MEASURE_FACTS_PRIV_H
#define ASSAY_MEASURE_FACTS_PRIV_H

#include "measure/image.h"
#include "measure/regions.h"

/* esp.c: {"partition", "filesystem", "system_partitions", "programs", "files"}; boot: path of what boots. */
int assay_facts_esp(struct assay_image *image, const char *boot, unsigned banks,
		    struct assay_regions *regions, struct assay_json **ret,
		    struct assay_err *err) ASSAY_MUST;

/* regions_gpt.c: the partition table and its backup, and each partition as a whole; esp: the one that is looked into. */
int assay_regions_gpt(struct assay_regions *regions, struct assay_src *disk, const struct assay_gpt *gpt,
		      const struct assay_gpt_part *esp, struct assay_err *err) ASSAY_MUST;

#endif
