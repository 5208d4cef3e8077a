/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dm-verity: a hash tree over the blocks of a device, bound by one root hash (Linux,
 * Documentation/admin-guide/device-mapper/verity.rst; cryptsetup, "Verity superblock format").
 *
 * The tree is made anew out of all data and compared with the stored one block by block. Levels are
 * counted from the data: the data blocks are level 0, the lowest of the tree is level 1, the block
 * that the root hash covers is level `levels`.
 */
#ifndef ASSAY_MEASURE_VERITY_VERITY_H
#define ASSAY_MEASURE_VERITY_VERITY_H

#include <stdbool.h>

#include "core/cur.h"
#include "core/digest.h"
#include "core/limits.h"
#include "core/src.h"

#define ASSAY_VERITY_SUPERBLOCK 512U
#define ASSAY_VERITY_MAX_SALT 256U

struct assay_verity_params {
	enum assay_bank bank;
	unsigned hash_type; /* 1; 0 as ChromeOS had it: salt behind the data, digests not padded */
	uint32_t data_block_size;
	uint32_t hash_block_size;
	uint64_t data_blocks;
	uint64_t hash_start; /* of the tree's first block, in bytes from the hash device's start */
	uint8_t salt[ASSAY_VERITY_MAX_SALT];
	size_t salt_size;
	bool superblock;
	uint8_t uuid[16]; /* of the superblock, in the order of its text; nothing covers it */
};

/*
 * Decode one superblock: signature, version, hash type, algorithm, block sizes, number of blocks,
 * salt, in this order. hash_start is left 0. Never writes *ret on error. ASSAY_E_NOTFOUND when the
 * signature is not there, ASSAY_E_UNSUPPORTED for an algorithm (SHA-1 among them: its collisions
 * let a block be exchanged), version or type that is not known.
 */
int assay_verity_parse(struct assay_cur in, struct assay_verity_params *ret,
		       struct assay_err *err) ASSAY_MUST;
/* The superblock at `offset` of a hash device; the tree begins at the next hash block. */
int assay_verity_open(struct assay_src *hash, uint64_t offset, struct assay_verity_params *ret,
		      struct assay_err *err) ASSAY_MUST;

/* Do these lead to a tree, and does the hash device hold it? Also for those made by hand. */
int assay_verity_params_check(struct assay_src *hash, const struct assay_verity_params *params,
			      struct assay_err *err) ASSAY_MUST;
/* Levels of the tree: 0 when there is one data block, whose digest then is the root hash. */
unsigned assay_verity_levels(const struct assay_verity_params *params);
/*
 * The root hash that the stored tree has: the digest of its topmost block, and no word about what
 * is below it. ASSAY_E_NOTFOUND when there is no tree.
 */
int assay_verity_tree_root(struct assay_src *hash, const struct assay_verity_params *params,
			   uint8_t ret[ASSAY_MAX_DIGEST], struct assay_err *err) ASSAY_MUST;

enum assay_verity_fault_kind {
	ASSAY_VERITY_BLOCK, /* its digest is not the one that the block above it has */
	ASSAY_VERITY_SPARE, /* a tree block with other than zeros beside its digests */
	ASSAY_VERITY_ROOT,  /* the root hash is that of neither the data nor the stored tree */
};

struct assay_verity_fault {
	enum assay_verity_fault_kind kind;
	unsigned level;
	uint64_t block;	 /* its number within the level */
	uint64_t offset; /* in the outermost file */
	uint64_t size;
};

/*
 * A block counts as faulty when the blocks above it lead to the root hash and it does not fit. What
 * is below a faulty tree block is still vouched for when the data gives the block that ought to be
 * there; else nobody can say which of it is right, and it is counted.
 */
struct assay_verity_report {
	bool verified;			     /* data and tree both lead to the root hash */
	uint8_t data_root[ASSAY_MAX_DIGEST]; /* made out of the data alone */
	uint8_t tree_root[ASSAY_MAX_DIGEST]; /* the stored tree's; without a tree the data's */
	unsigned levels;
	uint64_t tree_blocks;
	uint64_t n_faults; /* all of them; the first ones are listed, data before its tree block */
	struct assay_verity_fault faults[ASSAY_VERITY_MAX_FAULTS];
	uint64_t n_unjudged;
};

/*
 * root_hash has assay_bank_size(params->bank) bytes. 0 also when it does not verify: see the
 * report. -1 when it could not be checked: a device shorter than its parameters say, a failed read.
 */
int assay_verity_check(struct assay_src *data, struct assay_src *hash,
		       const struct assay_verity_params *params, const uint8_t *root_hash,
		       struct assay_verity_report *ret, struct assay_err *err) ASSAY_MUST;

#endif
