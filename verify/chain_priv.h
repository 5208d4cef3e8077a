/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ASSAY_VERIFY_CHAIN_PRIV_H
#define ASSAY_VERIFY_CHAIN_PRIV_H

#include <openssl/x509.h>

#include "verify/chain.h"

/* What is trusted, and what helps to find the way there, for certificates of other kinds. Borrowed. */
X509_STORE *assay_anchors_store(const struct assay_anchors *anchors);
STACK_OF(X509) *assay_anchors_helpers(const struct assay_anchors *anchors);

#endif
