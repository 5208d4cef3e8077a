/* SPDX-License-Identifier: Apache-2.0 */
/* UEFI device paths as text (UEFI 2.10, 10.3 for the nodes and 10.6 for the text). */
#ifndef ASSAY_TPM_DEVPATH_H
#define ASSAY_TPM_DEVPATH_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

/*
 * "PciRoot(0x0)/Pci(0x3,0x0)/HD(1,GPT,<guid>,0x800,0x3f800)/\EFI\BOOT\BOOTX64.EFI", fresh memory;
 * GUIDs in lower case. `at` is where the bytes lie in the outermost file: damage is said in its
 * place, with its offset. NULL only when out of memory.
 */
char *assay_devpath_text(const uint8_t *p, size_t len, uint64_t at);

#endif
