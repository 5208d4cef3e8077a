/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_module_vermagic, assay_elf_section, assay_modules_add, assay_module_path.
 *
 * The input is a module, packed or not. Its vermagic must lie in it when it is not.
 */
#include <stdlib.h>
#include <string.h>

#include "measure/initrd/elf.h"
#include "measure/initrd/modules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct assay_modules m = { 0 };
	enum assay_modules_verdict verdict;
	struct assay_err err;
	const uint8_t *p;
	char *text = NULL;
	size_t n;

	if (assay_elf_section(data, size, ".modinfo", &p, &n, &err) == 0 &&
	    (p < data || n > size || (size_t)(p - data) > size - n))
		abort();
	if (assay_module_vermagic(data, size, &text, &err) == 0) {
		const size_t len = strlen(text);

		if (len > 0 && !memmem(data, size, text, len))
			abort();
		free(text);
		text = NULL;
	}
	if (assay_modules_add(&m, "lib/modules/6.1/x.ko", data, size, &err) < 0 || m.n != 1 ||
	    m.r[0].modules != 1 || m.r[0].checked + m.r[0].unreadable != 1 ||
	    assay_modules_check(&m, "6.1", &verdict, &text, &err) < 0)
		abort();
	if ((verdict == ASSAY_MODULES_MISMATCH) != (m.r[0].others == 1) || (text != NULL) != (m.r[0].others == 1))
		abort();
	free(text);
	assay_modules_clear(&m);
	return 0;
}
