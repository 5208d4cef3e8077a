/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_enroll_request_parse, assay_enroll_challenge_parse, assay_enroll_answer_parse (the first byte says
 * which), assay_credential_make, assay_tpm_public_key.
 */
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>

#include "tpm/credential.h"
#include "tpm/enroll.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_request(const char *p, size_t len)
{
	ASSAY_AUTO(assay_enroll_request) *r = NULL;
	ASSAY_AUTO(assay_json) *o = NULL;
	static const uint8_t secret[ASSAY_ENROLL_SECRET];
	struct assay_credential c;
	struct assay_err err;

	if (assay_enroll_request_parse(p, len, &r, &err) < 0)
		return;
	(void)!assay_tpm_public_attests(&r->ak, &err);
	EVP_PKEY_free(assay_tpm_public_key(&r->ak));
	if (assay_credential_make(&r->ek, r->ak_name, r->ak_name_len, secret, sizeof(secret), &c, &err) == 0 &&
	    (c.blob_len > sizeof(c.blob) || c.seed_len > sizeof(c.seed)))
		abort();
	/* What was taken is what we would write. */
	if (assay_enroll_request_json(r->ak_public, r->ak_public_len, r->ek_public, r->ek_public_len, r->ek_certificate, &o, &err) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_enroll_challenge) *c = NULL;
	struct assay_enroll_answer a;
	struct assay_err err;

	if (size == 0)
		return 0;
	switch (data[0]) {
	case 'c':
		(void)!assay_enroll_challenge_parse((const char *)data + 1, size - 1, &c, &err);
		break;
	case 'a':
		(void)!assay_enroll_answer_parse((const char *)data + 1, size - 1, &a, &err);
		break;
	default:
		fuzz_request((const char *)data + 1, size - 1);
		break;
	}
	return 0;
}
