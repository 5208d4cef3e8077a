/* SPDX-License-Identifier: Apache-2.0 */
/* Target functions: assay_sigdb_parse, assay_cert_name. */
#include <stdlib.h>

#include "tpm/efi_sigdb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct assay_sigdb db;
	size_t bytes = 0;

	if (assay_sigdb_parse(data, size, 0, &db, NULL) < 0)
		return 0;
	for (size_t i = 0; i < db.n; i++) {
		const struct assay_sig *sig = &db.sigs[i];

		if (sig->raw != data + sig->at || sig->raw_len != sig->len + 16)
			abort();
		bytes += sig->raw_len;
		if (sig->kind == ASSAY_SIG_X509)
			free(assay_cert_name(sig->data, sig->len));
	}
	if (bytes > size)
		abort();
	assay_sigdb_free(&db);
	return 0;
}
