/* SPDX-License-Identifier: Apache-2.0 */
/* Target functions: assay_linux_header_read, assay_linux_version, assay_linux_detect, assay_kernel_facts. */
#include <stdlib.h>
#include <string.h>

#include "measure/initrd/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_json) *o = NULL;
	struct assay_kernel_facts k;
	struct assay_err err;
	bool is;

	if (assay_src_from_mem(data, size, &src, &err) < 0 || assay_linux_detect(src, &is, &err) < 0 ||
	    assay_kernel_facts(src, "6.1", &k, &err) < 0)
		abort();
	if (k.known) {
		if (k.header.payload_size > size || k.header.payload_offset > size - k.header.payload_size)
			abort();
		if (strlen(k.header.packing) >= sizeof(k.header.packing))
			abort();
	} else if (!k.error) {
		abort();
	}
	if (k.version && (!k.release || strncmp(k.version, k.release, strlen(k.release)) != 0) && k.version[0])
		abort();
	o = assay_kernel_facts_json(&k);
	if (!o)
		abort();
	assay_kernel_facts_clear(&k);
	return 0;
}
