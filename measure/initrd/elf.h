/* SPDX-License-Identifier: Apache-2.0 */
/* Sections of ELF files (Tool Interface Standard, ELF 1.2; System V gABI), as much as modules need. */
#ifndef ASSAY_MEASURE_INITRD_ELF_H
#define ASSAY_MEASURE_INITRD_ELF_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

/*
 * The first section of this name, borrowed. Little-endian files of 32 and 64 bits; big-endian ones are refused by name.
 * ASSAY_E_NOTFOUND when there is none.
 */
int assay_elf_section(const void *p, size_t len, const char *name, const uint8_t **ret, size_t *ret_len,
		      struct assay_err *err) ASSAY_MUST;

#endif
