/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_dpkg_parse, assay_dpkg_sort.
 *
 * The first byte says which of the two forms. Names, versions and architectures hold nothing that would end them.
 */
#include <stdlib.h>
#include <string.h>

#include "measure/packages/dpkg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
	if (!right)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct assay_dpkg d = { 0 };
	struct assay_err err;

	if (size == 0)
		return 0;
	if (assay_dpkg_parse((const char *)data + 1, size - 1, data[0] & 1, &d, &err) == 0) {
		for (size_t i = 0; i < d.n; i++)
			check(*d.p[i].name && *d.p[i].version && !strpbrk(d.p[i].name, ": \n") &&
			      !strpbrk(d.p[i].version, " \n") && !strpbrk(d.p[i].arch, ": \n"));
		if (assay_dpkg_sort(&d, &err) == 0)
			for (size_t i = 1; i < d.n; i++)
				check(strcmp(d.p[i - 1].name, d.p[i].name) <= 0);
	} else {
		check(err.msg[0]);
	}
	assay_dpkg_clear(&d);
	return 0;
}
