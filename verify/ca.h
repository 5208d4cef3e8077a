/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CA for attestation keys, for machines whose cloud has none (docs/PROOF.md). A folder:
 *
 *   ca.pem             its certificate, the anchor for clients
 *   ca.key             its private key, PEM, for its owner alone
 *   challenges/ID.json what a challenge is about: digests of request and secret, and until when it can be answered
 *   issued/SERIAL.pem  every certificate that it has issued
 *
 * Any number of processes may work on one folder at a time: an answer is taken once, serial numbers are used once.
 */
#ifndef ASSAY_VERIFY_CA_H
#define ASSAY_VERIFY_CA_H

#include "core/json.h"
#include "verify/chain.h"

#define ASSAY_AKCA_DAYS 3650	  /* of a CA's certificate */
#define ASSAY_AKCA_ISSUE_DAYS 365 /* of a key's */
#define ASSAY_AKCA_MAX_DAYS 36500
#define ASSAY_AKCA_ANSWER_SECONDS 3600 /* how long a challenge can be answered */

/*
 * A new one, with a key on P-256. `dir` must not be there, or be empty (ASSAY_E_USAGE). Modes are as the umask says, so it
 * should be 077. cn: 1 to 64 characters.
 */
int assay_akca_init(const char *dir, const char *cn, int64_t now, unsigned days, struct assay_err *err) ASSAY_MUST;

/*
 * A challenge for a request (tpm/enroll.h). Refused, ASSAY_E_MISMATCH: no certificate of the endorsement key, one that does
 * not lead to an anchor at that time, is for something else, or is of another key; an attestation key that is none.
 */
int assay_akca_challenge(const char *dir, const char *request, size_t len, const struct assay_anchors *trust, int64_t now,
			 struct assay_json **ret, struct assay_err *err) ASSAY_MUST;

/*
 * The certificate, fresh PEM, when the answer has the secret of a challenge that this CA made for this very request.
 * ASSAY_E_MISMATCH when it has not, or the challenge has been answered already, or is too old.
 */
int assay_akca_issue(const char *dir, const char *request, size_t request_len, const char *answer, size_t answer_len, int64_t now,
		     unsigned days, char **ret, struct assay_err *err) ASSAY_MUST;

#endif
