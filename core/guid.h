/* SPDX-License-Identifier: Apache-2.0 */
/* EFI GUIDs: 16 bytes on the wire (first three fields little-endian) and their text. */
#ifndef ASSAY_CORE_GUID_H
#define ASSAY_CORE_GUID_H

#include <stdbool.h>
#include <stdint.h>

/* Lower case, 36 characters and NUL; returns dst. */
char *assay_guid_text(const uint8_t guid[16], char dst[37]);
bool assay_guid_parse(const char *text, uint8_t guid[16]);

#endif
