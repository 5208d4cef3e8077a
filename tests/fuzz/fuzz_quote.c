/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_quote_parse, assay_quote_digest, assay_tpm_signature_parse, assay_tpm_public_parse,
 * assay_tpm_public_name, assay_serialized_pcrs_parse, assay_serialized_pcrs_write. The first byte says which of them.
 */
#include <stdlib.h>
#include <string.h>

#include "tpm/quote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct assay_pcrs pcrs, back;

static void fuzz_attest(const uint8_t *p, size_t len)
{
	ASSAY_AUTO_FREE uint8_t *bytes = NULL;
	struct assay_quote q;
	struct assay_err err;
	uint8_t digest[ASSAY_MAX_DIGEST];
	size_t n;

	if (assay_quote_parse(p, len, &q, &err) < 0)
		return;
	assay_pcrs_reset(&pcrs, ASSAY_ALL_BANKS);
	(void)!assay_quote_digest(&q, &pcrs, ASSAY_SHA256, digest, &err);
	/* What we write for a quote we read, and it is the same for the quote. */
	if (assay_serialized_pcrs_write(&q, &pcrs, &bytes, &n, &err) == 0) {
		if (assay_serialized_pcrs_parse(bytes, n, &back, &err) < 0)
			abort();
		for (size_t i = 0; i < q.n_selections; i++)
			if (q.selections[i].pcrs && back.have[q.selections[i].bank] != q.selections[i].pcrs)
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct assay_tpm_signature sig;
	struct assay_tpm_public pub;
	struct assay_err err;
	uint8_t name[66];
	size_t len;

	if (size == 0)
		return 0;
	/* Exactly as large as what is parsed, so that a read past its end is seen. */
	const size_t n = size - 1;
	ASSAY_AUTO_FREE uint8_t *p = malloc(n ? n : 1);
	if (!p)
		return 0;
	memcpy(p, data + 1, n);
	switch (data[0]) {
	case 'a':
		fuzz_attest(p, n);
		break;
	case 's':
		(void)!assay_tpm_signature_parse(p, n, &sig, &err);
		break;
	case 'p':
		if (assay_tpm_public_parse(p, n, &pub, &err) == 0 && assay_tpm_public_name(p, n, name, &len, &err) == 0 && len < 22)
			abort();
		break;
	default:
		(void)!assay_serialized_pcrs_parse(p, n, &pcrs, &err);
		break;
	}
	return 0;
}
