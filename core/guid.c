/* SPDX-License-Identifier: Apache-2.0 */
#include "core/guid.h"

#include <stdio.h>
#include <string.h>

#include "core/digest.h"

/* Where byte i of the text's order lies on the wire (UEFI 2.10, appendix A). */
static const uint8_t wire[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };

char *assay_guid_text(const uint8_t guid[16], char dst[37])
{
	char *p = dst;

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		snprintf(p, 3, "%02x", guid[wire[i]]);
		p += 2;
	}
	*p = '\0';
	return dst;
}

bool assay_guid_parse(const char *text, uint8_t guid[16])
{
	uint8_t out[16];

	if (strlen(text) != 36)
		return false;
	for (int i = 0; i < 16; i++) {
		if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return false;
		if (!assay_unhex(text, 2, &out[wire[i]], 1))
			return false;
		text += 2;
	}
	memcpy(guid, out, sizeof(out));
	return true;
}
