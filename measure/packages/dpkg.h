/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dpkg's database: /var/lib/dpkg/status, stanzas of fields (deb-control(5), dpkg's lib/dpkg/parse.c and fields.c), and
 * the single stanzas that images without dpkg have in /var/lib/dpkg/status.d.
 */
#ifndef ASSAY_MEASURE_PACKAGES_DPKG_H
#define ASSAY_MEASURE_PACKAGES_DPKG_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"

struct assay_dpkg_package {
	char *name;
	char *version;
	char *arch;	   /* "" where the database has none */
	const char *state; /* "unpacked", "half-configured", …; NULL: installed */
};
struct assay_dpkg {
	struct assay_dpkg_package *p;
	size_t n;
};

/*
 * Adds the packages that have files on the disk: neither not-installed nor config-files. `loose`: a file of status.d,
 * where no Status means installed, and the last line needs no end; in status it means not installed, as dpkg has it.
 * Errors name the line. On failure what was added stays: the caller clears it.
 */
int assay_dpkg_parse(const char *text, size_t len, bool loose, struct assay_dpkg *to, struct assay_err *err) ASSAY_MUST;
/* By name, then architecture; ASSAY_E_CORRUPT when one is there twice. */
int assay_dpkg_sort(struct assay_dpkg *packages, struct assay_err *err) ASSAY_MUST;
void assay_dpkg_clear(struct assay_dpkg *packages);

#endif
