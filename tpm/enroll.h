/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an attestation key gets a certificate of one's own CA (docs/PROOF.md, "A CA of one's own"): three small files of JSON
 * go between the machine and the CA.
 *
 *   assay.ak-request/1    machine → CA   the key, the TPM's endorsement key and its certificate
 *   assay.ak-challenge/1  CA → machine   a secret that only the TPM with both keys gives back
 *   assay.ak-answer/1     machine → CA   the secret
 */
#ifndef ASSAY_TPM_ENROLL_H
#define ASSAY_TPM_ENROLL_H

#include "core/json.h"
#include "tpm/quote.h"

#define ASSAY_ENROLL_SECRET 32 /* bytes: the shortest digest that an EK's name has in practice is SHA-256's */
#define ASSAY_ENROLL_ID 65     /* of a challenge: 64 hex digits and a NUL */

struct assay_enroll_request {
	uint8_t *ak_public; /* TPM2B_PUBLIC */
	size_t ak_public_len;
	struct assay_tpm_public ak; /* borrows from it */
	uint8_t ak_name[66];
	size_t ak_name_len;
	uint8_t *ek_public;
	size_t ek_public_len;
	struct assay_tpm_public ek;
	char *ek_certificate; /* PEM; NULL: the TPM has none */
};
/* Strict; the key's name is compared with the key (ASSAY_E_MISMATCH). Nothing else is judged. */
int assay_enroll_request_parse(const char *text, size_t len, struct assay_enroll_request **ret, struct assay_err *err) ASSAY_MUST;
void assay_enroll_request_free(struct assay_enroll_request **request);
ASSAY_DEFINE_AUTO(assay_enroll_request)
/* NULL for ek_certificate: none. */
int assay_enroll_request_json(const uint8_t *ak_public, size_t ak_public_len, const uint8_t *ek_public, size_t ek_public_len,
			      const char *ek_certificate, struct assay_json **ret, struct assay_err *err) ASSAY_MUST;

struct assay_enroll_challenge {
	char id[ASSAY_ENROLL_ID];
	enum assay_tpm_key ek; /* which of the TPM's endorsement keys it is for, and its name */
	uint8_t ek_name[66];
	size_t ek_name_len;
	uint8_t *blob, *seed;  /* TPM2B_ID_OBJECT, TPM2B_ENCRYPTED_SECRET */
	size_t blob_len, seed_len;
};
int assay_enroll_challenge_parse(const char *text, size_t len, struct assay_enroll_challenge **ret, struct assay_err *err) ASSAY_MUST;
void assay_enroll_challenge_free(struct assay_enroll_challenge **challenge);
ASSAY_DEFINE_AUTO(assay_enroll_challenge)
struct assay_json *assay_enroll_challenge_json(const struct assay_enroll_challenge *challenge);

struct assay_enroll_answer {
	char id[ASSAY_ENROLL_ID];
	uint8_t secret[ASSAY_ENROLL_SECRET];
};
int assay_enroll_answer_parse(const char *text, size_t len, struct assay_enroll_answer *ret, struct assay_err *err) ASSAY_MUST;
struct assay_json *assay_enroll_answer_json(const struct assay_enroll_answer *answer);

#endif
