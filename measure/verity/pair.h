/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dm-verity partitions of a disk. A pair is named by `roothash=` or `usrhash=` on the command
 * line of a UKI on the ESP, as systemd-veritysetup-generator(8) reads it; or, where no UKI does, by
 * the partitions' own UUIDs: the Discoverable Partitions Specification (UAPI.2) has the first 128
 * bits of the root hash as the data partition's UUID, and the last 128 bits as the verity
 * partition's.
 */
#ifndef ASSAY_MEASURE_VERITY_PAIR_H
#define ASSAY_MEASURE_VERITY_PAIR_H

#include "measure/disk/gpt.h"
#include "measure/verity/verity.h"

struct assay_verity_pair {
	bool usr;     /* what it is mounted on: /usr, or the root */
	char *source; /* path of the first UKI that names it; NULL: the UUIDs */
	uint8_t root_hash[ASSAY_MAX_DIGEST];
	size_t root_hash_size; /* 0: not known */
	unsigned data, hash;   /* partition numbers; 0: not found */
	uint64_t data_offset, data_size, hash_offset, hash_size;
	/* Filled by assay_verity_pair_check(). A pair that was not found has its error from the
	 * start. */
	bool checked;
	struct assay_err err; /* code ASSAY_OK unless it could not be checked */
	struct assay_verity_params params;
	struct assay_verity_report report;
};

struct assay_verity_pairs {
	struct assay_verity_pair *p; /* those of UKIs first, then in table order */
	size_t n;
};

/* Looks at headers and command lines only. ASSAY_E_NOTFOUND when the disk has neither. */
int assay_verity_pairs_find(struct assay_src *disk, struct assay_verity_pairs **ret,
			    struct assay_err *err) ASSAY_MUST;
void assay_verity_pairs_free(struct assay_verity_pairs **pairs);
ASSAY_DEFINE_AUTO(assay_verity_pairs)

/* Reads all of it. The outcome, and why it could not be had, goes into the pair. */
void assay_verity_pair_check(struct assay_src *disk, struct assay_verity_pair *pair);

/*
 * One parameter of a command line, the last that stands there, also with "rd." before it; quotes
 * are taken away as systemd does. NULL in *ret when it is not there, else fresh memory.
 */
int assay_verity_cmdline_value(const char *cmdline, const char *key, char **ret,
			       struct assay_err *err) ASSAY_MUST;

#endif
