/* SPDX-License-Identifier: Apache-2.0 */
/* Adding a signature to an envelope. */
#ifndef ASSAY_MANIFEST_SIGN_H
#define ASSAY_MANIFEST_SIGN_H

#include "manifest/cert.h"
#include "manifest/envelope.h"
#include "manifest/key.h"

/*
 * Signs what the envelope holds, which must be a manifest. Refused: an envelope with members that would be lost
 * (ASSAY_E_UNSUPPORTED), or with a signature of this key or one that claims to be (ASSAY_E_USAGE, ASSAY_E_CRYPTO). chain: the
 * signer's certificates, or NULL; of another key, or none to sign with, they are refused (ASSAY_E_USAGE). On failure the
 * envelope is as it was.
 */
int assay_manifest_sign(struct assay_envelope *env, struct assay_signer *signer, const struct assay_chain *chain,
			struct assay_err *err) ASSAY_MUST;

#endif
