/* SPDX-License-Identifier: Apache-2.0 */
/* Which packages a filesystem says that it has. What it says is not checked against its files. */
#ifndef ASSAY_MEASURE_PACKAGES_PACKAGES_H
#define ASSAY_MEASURE_PACKAGES_PACKAGES_H

#include "core/json.h"
#include "measure/fs/fs.h"

/*
 * Member "packages" of a filesystem's object, when there is a package database: [{"kind", "path"}], and of dpkg's
 * "installed", {"NAME:ARCHITECTURE": "VERSION"}, or "error". Other kinds are named and not read. Only memory and reading
 * are errors.
 */
int assay_packages_facts(struct assay_fs *fs, struct assay_json *filesystem, struct assay_err *err) ASSAY_MUST;

#endif
