/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32 as GPT has it (UEFI 2.10, 5.3.2): reflected, polynomial 0xedb88320, ones at both ends. */
#ifndef ASSAY_MEASURE_DISK_CRC32_H
#define ASSAY_MEASURE_DISK_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Start with 0; feed the result back in to go on with the next piece. */
uint32_t assay_crc32(uint32_t crc, const void *p, size_t len);

/*
 * CRC-32C (polynomial 0x82f63b78, reflected) as Linux's filesystems have it: start with 0xffffffff; the result is not
 * inverted.
 */
uint32_t assay_crc32c(uint32_t crc, const void *p, size_t len);

#endif
