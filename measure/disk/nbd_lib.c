/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/disk/nbd_lib.h"

#include "core/dl.h"

static struct assay_nbd_lib lib;
static const struct assay_dl_symbol symbols[] = {
#define SYMBOL(name, sym) { #sym, (void **)&lib.name },
	ASSAY_NBD_FUNCTIONS(SYMBOL)
#undef SYMBOL
};
static struct assay_dl dl = ASSAY_DL("libnbd.so.0", symbols);

int assay_nbd_lib_get(const struct assay_nbd_lib **ret, struct assay_err *err)
{
	if (assay_dl_get(&dl, err) < 0)
		return assay_wrap(err, "a disk in this format needs libnbd");
	*ret = &lib;
	return 0;
}
