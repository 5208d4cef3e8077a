/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newc cpio archives that systemd-stub makes and hands to the kernel behind the initrd: inodes
 * from 1, times and owners 0, lower-case hex, everything padded to 4 bytes, one archive for each purpose
 * (systemd: src/boot/cpio.c; kernel: Documentation/driver-api/early-userspace/buffer-format.rst).
 */
#ifndef ASSAY_PRECOMPUTE_CPIO_H
#define ASSAY_PRECOMPUTE_CPIO_H

#include "core/err.h"
#include "core/text.h"

struct assay_cpio_file {
	const char *name;
	const void *data;
	size_t len;
};

/*
 * Appends one archive to `out`: the folders of `dir` (those above the last with mode 0555, the last with
 * dir_mode), the files in the given order with file_mode, the trailer. out->bad tells about memory.
 */
int assay_cpio_append(struct assay_str *out, const char *dir, unsigned dir_mode, unsigned file_mode,
		      const struct assay_cpio_file *files, size_t n, struct assay_err *err) ASSAY_MUST;

#endif
