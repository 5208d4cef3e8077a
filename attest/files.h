/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of the machine, hashed on all cores: weights, code, inputs, outputs. Two files at a time on each core, where
 * the processor has the instructions (core/sha256x2.h).
 */
#ifndef ASSAY_ATTEST_FILES_H
#define ASSAY_ATTEST_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

struct assay_file {
	char *path; /* from the top of the tree; of a single file: as it was named */
	uint64_t size;
	uint8_t digest[32];
};
struct assay_files {
	char *top; /* the tree's; NULL: the paths are whole */
	struct assay_file *files;
	size_t n;
	bool tree;
	bool fsverity; /* what the digests are */
};
void assay_files_free(struct assay_files **files);
ASSAY_DEFINE_AUTO(assay_files)

/*
 * A file, or all regular files below a folder in the order of their paths' bytes. Refused: symbolic links and special
 * files below it, paths that are not UTF-8 or hold a backslash or a control character (sha256sum would write them
 * otherwise), more files than ASSAY_RUNTIME_MAX_ITEMS, folders deeper than ASSAY_FS_MAX_DEPTH.
 */
int assay_files_list(const char *path, struct assay_files **ret, struct assay_err *err) ASSAY_MUST;

/*
 * SHA-256 of each; with `fsverity` its fs-verity digest (SHA-256, blocks of 4096, no salt): the kernel's where the file
 * has one of these parameters, computed otherwise. A file that changes its size meanwhile is ASSAY_E_IO.
 */
int assay_files_hash(struct assay_files *files, bool fsverity, struct assay_err *err) ASSAY_MUST;

/* SHA-256 over one line for each: its digest in hex, two blanks, its path, a newline (docs/PROOF.md). */
int assay_files_tree_digest(const struct assay_files *files, uint8_t ret[32], struct assay_err *err) ASSAY_MUST;

#endif
