/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dm-verity devices of a disk: data, a hash tree, and the root hash that binds them.
 *
 * On an OS disk a command line names the root hash (measure/verity/cmdline.h). A tree that none
 * names is paired by UUIDs: the Discoverable Partitions Specification (UAPI.2) and systemd-repart
 * give the data partition the first 128 bits of the root hash, and the tree's the last 128 bits. A
 * data disk has such a pair, or is one device without a partition table, its tree behind its data.
 */
#ifndef ASSAY_MEASURE_VERITY_PAIR_H
#define ASSAY_MEASURE_VERITY_PAIR_H

#include "measure/disk/gpt.h"
#include "measure/verity/verity.h"

/* Whose bytes a faulty block of data is. */
struct assay_verity_owner {
	const char *what; /* "data", "inode table", …; NULL: not known */
	char *path;	  /* of the first file that lies in it; NULL: of none */
	uint32_t more;	  /* files that lie in the same piece of it, packed together */
};

struct assay_verity_pair {
	bool usr;     /* what it is mounted on: /usr, or the root */
	bool generic; /* neither: data that the partitions' types say nothing about */
	/* Path of the first UKI or boot entry that names it; NULL: its root hash is the disk's own
	 * word. */
	char *source;
	bool by_entry; /* it is an entry: its options are in PCR 12, a UKI's command line in PCR 11
			*/
	uint8_t root_hash[ASSAY_MAX_DIGEST];
	size_t root_hash_size; /* 0: not known */
	unsigned data, hash;   /* partition numbers; 0: not found, or the whole disk */
	uint64_t data_offset, data_size, hash_offset, hash_size;
	uint64_t superblock; /* its offset from hash_offset */
	bool fec; /* error correction is asked for: it is not checked, and changes no digest */
	/* Filled by assay_verity_pair_check(). A pair that was not found has its error from the
	 * start. */
	bool checked;
	struct assay_err err; /* code ASSAY_OK unless it could not be checked */
	struct assay_verity_params params;
	struct assay_verity_report report;
	/* As many as report.faults, or NULL: filled by measure/owners.h, where a filesystem tells.
	 */
	struct assay_verity_owner *owners;
};

struct assay_verity_pairs {
	struct assay_verity_pair
		*p; /* those that a command line names first, then in table order */
	size_t n;
};

/* Looks at headers and command lines only. ASSAY_E_NOTFOUND when the disk has neither. */
int assay_verity_pairs_find(struct assay_src *disk, struct assay_verity_pairs **ret,
			    struct assay_err *err) ASSAY_MUST;
/*
 * The same of a data disk, which need not have a partition table: then there is one pair, with the
 * number 0 for both partitions. Its superblock is where superblock_offset says, or with
 * ASSAY_NO_OFFSET right behind the data: there it is looked for, and ASSAY_E_UNSUPPORTED when there
 * are two. Command lines are not looked at: what binds the disk is the caller's to know, root_hash
 * is what the disk itself says.
 */
int assay_verity_pairs_of_data(struct assay_src *disk, uint64_t superblock_offset,
			       struct assay_verity_pairs **ret, struct assay_err *err) ASSAY_MUST;
void assay_verity_pair_clear(struct assay_verity_pair *pair);
void assay_verity_pairs_free(struct assay_verity_pairs **pairs);
ASSAY_DEFINE_AUTO(assay_verity_pairs)

/* Reads all of it. The outcome, and why it could not be had, goes into the pair. */
void assay_verity_pair_check(struct assay_src *disk, struct assay_verity_pair *pair);

#endif
