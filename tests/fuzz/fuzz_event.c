/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_event_describe, assay_devpath_text. The first byte and the second choose
 * the type (the second the class of EFI types), the rest is the data. One line comes out, without a
 * control character.
 */
#include <stdlib.h>

#include "tpm/devpath.h"
#include "tpm/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(char *text)
{
	if (!text)
		abort();
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			abort();
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct assay_event ev = { 0 };

	if (size < 2)
		return 0;
	ev.type = data[0] | (data[1] & 0x80 ? 0x80000000U : 0);
	ev.data = data + 2;
	ev.data_len = (uint32_t)(size - 2);
	check(assay_event_describe(&ev));
	check(assay_devpath_text(data, size, 0));
	return 0;
}
