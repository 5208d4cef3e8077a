/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/curl_lib.h"

#include "core/dl.h"

static struct assay_curl_lib lib;
static const struct assay_dl_symbol symbols[] = {
#define SYMBOL(name, sym) { #sym, (void **)&lib.name },
	ASSAY_CURL_FUNCTIONS(SYMBOL)
#undef SYMBOL
};
static struct assay_dl dl = ASSAY_DL("libcurl.so.4", symbols);

int assay_curl_lib_get(const struct assay_curl_lib **ret, struct assay_err *err)
{
	if (assay_dl_get(&dl, err) < 0)
		return assay_wrap(err, "a connection needs libcurl");
	if (lib.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "libcurl does not begin");
	*ret = &lib;
	return 0;
}
