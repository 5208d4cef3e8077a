/* SPDX-License-Identifier: Apache-2.0 */
/* Target functions: assay_chain_parse, assay_chain_key, assay_chain_check, assay_chain_names, assay_chain_text. */
#include <stdlib.h>

#include "manifest/cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_chain) *chain = NULL;
	ASSAY_AUTO(assay_key) *key = NULL;
	ASSAY_AUTO_FREE char *names = NULL, *text = NULL;
	struct assay_err err;

	if (assay_chain_parse((const char *)data, size, &chain, &err) < 0)
		return 0;
	(void)!assay_chain_key(chain, &key, &err);
	(void)!assay_chain_check(chain, &err);
	(void)assay_chain_is_of(chain, "a@example.com");
	names = assay_chain_names(chain);
	text = assay_chain_text(chain, true);
	return 0;
}
