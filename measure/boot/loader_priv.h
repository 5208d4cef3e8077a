/* SPDX-License-Identifier: Apache-2.0 */
/* Shared inside measure/boot. */
#ifndef ASSAY_MEASURE_BOOT_LOADER_PRIV_H
#define ASSAY_MEASURE_BOOT_LOADER_PRIV_H

#include <stdbool.h>

/* Equal but for the case of ASCII letters. */
bool assay_boot_same_case(const char *a, const char *b);

#endif
