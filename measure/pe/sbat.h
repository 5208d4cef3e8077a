/* SPDX-License-Identifier: Apache-2.0 */
/* SBAT: lines of component,generation,vendor,package,version,url (shim's SBAT.md). */
#ifndef ASSAY_MEASURE_PE_SBAT_H
#define ASSAY_MEASURE_PE_SBAT_H

#include <stddef.h>

#include "core/err.h"

struct assay_sbat_row {
	char *component;
	unsigned generation;
	char *vendor, *package, *version, *url;
};
struct assay_sbat {
	struct assay_sbat_row *rows;
	size_t n;
};
int assay_sbat_parse(const char *text, size_t len, uint64_t at, struct assay_sbat *ret,
		     struct assay_err *err) ASSAY_MUST;
void assay_sbat_clear(struct assay_sbat *sbat);

#endif
