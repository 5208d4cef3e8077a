/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ASSAY_VERIFY_PROOF_PRIV_H
#define ASSAY_VERIFY_PROOF_PRIV_H

#include "verify/proof.h"

/* An object with just these members. */
int assay_proof_members(const struct assay_json *o, const char *what, const char *const *names, size_t n,
			struct assay_err *err) ASSAY_MUST;
/* 1 to `max` bytes; fresh. */
int assay_proof_base64(const struct assay_json *node, const char *what, size_t max, struct assay_proof_bytes *ret,
		       struct assay_err *err) ASSAY_MUST;
bool assay_proof_unhex(const char *hex, uint8_t *dst, size_t n);
bool assay_proof_pcr_number(const char *key, unsigned *ret);
/* p->certs for as many as the array has; then one after another. */
int assay_proof_room_for_certs(struct assay_proof *p, const struct assay_json *list, struct assay_err *err) ASSAY_MUST;
int assay_proof_add_pem(struct assay_proof *p, const struct assay_json *node, struct assay_err *err) ASSAY_MUST;

/* The older shapes; p->json is there. *ret_known: it is one of them, however malformed. */
int assay_proof_read_old(struct assay_proof *p, int log_pcr, bool *ret_known, struct assay_err *err) ASSAY_MUST;

#endif
