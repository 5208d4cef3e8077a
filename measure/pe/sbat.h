/* SPDX-License-Identifier: Apache-2.0 */
/* SBAT: lines of component,generation,vendor,package,version,url (shim's SBAT.md). */
#ifndef ASSAY_MEASURE_PE_SBAT_H
#define ASSAY_MEASURE_PE_SBAT_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

struct assay_sbat_row {
	char *component;
	uint32_t generation;
	char *vendor, *package, *version, *url;
};
struct assay_sbat {
	struct assay_sbat_row *rows;
	size_t n;
};
/*
 * As shim reads it: up to the first NUL, an optional UTF-8 mark at the start, six fields in each
 * line (more are ignored), empty lines skipped. `at` is where text lies in the outermost file.
 */
int assay_sbat_parse(const char *text, size_t len, uint64_t at, struct assay_sbat *ret,
		     struct assay_err *err) ASSAY_MUST;
/* The row of a component, or NULL. */
const struct assay_sbat_row *assay_sbat_find(const struct assay_sbat *sbat, const char *component);
void assay_sbat_clear(struct assay_sbat *sbat);

#endif
