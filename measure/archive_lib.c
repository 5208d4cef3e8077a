/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/archive_lib.h"

#include "core/dl.h"

static struct assay_archive_lib lib;

/* POSIX: a pointer from dlsym() may be stored through void **. */
#define SYMBOL(name, symbol) { #symbol, (void **)&lib.name },
static const struct assay_dl_symbol symbols[] = { ASSAY_ARCHIVE_FUNCTIONS(SYMBOL) };
#undef SYMBOL

/* The major version of the interface in Debian 12 and 13, and of the headers that this is built
 * with. */
static struct assay_dl dl = ASSAY_DL("libarchive.so.13", symbols);

int assay_archive_lib_get(const struct assay_archive_lib **ret, struct assay_err *err)
{
	if (assay_dl_get(&dl, err) < 0)
		return assay_wrap(err, "unpacking needs libarchive");
	*ret = &lib;
	return 0;
}
