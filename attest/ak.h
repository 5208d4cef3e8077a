/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attestation key of this machine and its certificates:
 *
 *   azure   persistent at 0x81000003, certificate in NV 0x01C101D0
 *   gcp     made by the template in NV 0x01C10001 (RSA) or 0x01C10003 (ECC), certificate in the index before it; RSA where
 *           there is one
 *   ek      persistent where the configuration says (0x81010010 by default): what `assay-agent key create` made under the
 *           endorsement key, with the certificate of one's own CA
 *   handle  any other persistent key, with a certificate
 *
 * The configuration's file of certificates has what leads to a CA; for ek and handle the key's own stands first in it.
 */
#ifndef ASSAY_ATTEST_AK_H
#define ASSAY_ATTEST_AK_H

#include "attest/config.h"
#include "attest/device.h"

#define ASSAY_AK_HANDLE_DEFAULT 0x81010010U

struct assay_ak {
	enum assay_ak_source source;
	struct assay_tpm_key_handle *key;
	uint8_t *public_area; /* TPM2B_PUBLIC */
	size_t public_len;
	struct assay_tpm_public public; /* borrows from it */
	char **certificates;		/* PEM, the key's first */
	size_t n_certificates;
};

/*
 * ASSAY_E_NOTFOUND: no key, no certificate; ASSAY_E_UNSUPPORTED: a key that is no restricted signing key which the TPM made
 * and keeps; ASSAY_E_MISMATCH: the first certificate is of another key. Who issued them, and whether they are valid, is for
 * the client to judge. To be freed before the TPM.
 */
int assay_ak_open(struct assay_tpm *tpm, const struct assay_agent_config *config, struct assay_ak **ret,
		  struct assay_err *err) ASSAY_MUST;
void assay_ak_free(struct assay_ak **ak);
ASSAY_DEFINE_AUTO(assay_ak)

/* One certificate in an NV index, in DER, whatever stands behind it; fresh PEM. ASSAY_E_CORRUPT when it is none. */
int assay_ak_nv_certificate(struct assay_tpm *tpm, uint32_t nv, char **ret, struct assay_err *err) ASSAY_MUST;
/* ASSAY_E_MISMATCH: the certificate is of another key than the TPM's; `what` names it. */
int assay_ak_match(const char *pem, const struct assay_tpm_public *public, const char *what, struct assay_err *err) ASSAY_MUST;

#endif
