/* SPDX-License-Identifier: Apache-2.0 */
/* Target function: assay_agent_config_parse. */
#include <stdlib.h>
#include <string.h>

#include "attest/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_agent_config) *c = NULL;
	struct assay_err err;

	if (assay_agent_config_parse((const char *)data, size, &c, &err) < 0)
		return 0;
	if (!c->tcti || c->log[0] != '/' || c->n_tls_names == 0 || c->banks == 0 || c->queue == 0 ||
	    c->pcrs[ASSAY_RUN_DISK] != c->pcrs[ASSAY_RUN_SENTINEL])
		abort();
	for (unsigned k = 0; k < ASSAY_N_RUNTIME_KINDS; k++)
		if (c->pcrs[k] > 15)
			abort();
	return 0;
}
