/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What systemd 252 and 257 make of a command line: systemd-veritysetup-generator(8) sets the
 * devices up, systemd-fstab-generator(8) mounts them. Followed rule by rule as their sources have
 * it (FORMATS.md); what would leave the root hash without a say in what is mounted is refused by
 * name, and so is what is not followed.
 */
#ifndef ASSAY_MEASURE_VERITY_CMDLINE_H
#define ASSAY_MEASURE_VERITY_CMDLINE_H

#include <stdbool.h>

#include "core/digest.h"

struct assay_verity_named {
	bool usr; /* what is mounted: /usr, or the root */
	uint8_t root_hash[ASSAY_MAX_DIGEST];
	size_t root_hash_size; /* 0: not known */
	/* systemd.verity_root_data=, systemd.verity_root_hash=: NULL for the partitions whose UUIDs
	 * are the root hash's first and last 128 bits. */
	char *data, *hash;
	bool fec;		  /* forward error correction is asked for */
	struct assay_err refused; /* code ASSAY_OK unless it is */
};

/* *ret is NULL when no root hash for that is named. */
int assay_verity_cmdline(const char *cmdline, bool usr, struct assay_verity_named **ret,
			 struct assay_err *err) ASSAY_MUST;
void assay_verity_named_free(struct assay_verity_named **named);
ASSAY_DEFINE_AUTO(assay_verity_named)

#endif
