/* SPDX-License-Identifier: Apache-2.0 */
/* Which initrd and which kernel `assay initrd` is to look at. */
#ifndef ASSAY_CLI_INITRD_FIND_H
#define ASSAY_CLI_INITRD_FIND_H

#include "cli/disk.h"
#include "measure/initrd/report.h"

struct assay_found_initrd {
	struct assay_src *src;
	char *from; /* in words: "/EFI/BOOT/BOOTX64.EFI: .ucode, .initrd"; NULL: the file itself */
	bool has_kernel;
	struct assay_kernel_facts kernel;
};

/*
 * path: an initrd, a UKI or a disk. boot: what a disk starts with (a path of the ESP: a UKI, or an entry of
 * loader/entries), NULL for what the firmware starts. A systemd-boot with several entries to choose from is
 * ASSAY_E_UNSUPPORTED; so is a boot other than NULL for what is no disk.
 */
int assay_cli_initrd_find(const char *path, const char *boot, const struct assay_disk_opts *disk,
			  struct assay_found_initrd *ret, struct assay_err *err) ASSAY_MUST;
void assay_found_initrd_clear(struct assay_found_initrd *f);

#endif
