/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What talks to a TPM, through the TPM2 software stack (ESYS): device.c, device_extend.c, device_key.c, device_ek.c and
 * nothing else.
 *
 * A TPM that is busy (TPM_RC_RETRY, TPM_RC_YIELDED, TPM_RC_TESTING), or whose resource manager is at its limits
 * (TPM_RC_*_MEMORY, TPM_RC_*_HANDLES), is asked again for some seconds. When the connection itself breaks while an extend
 * is under way, nobody knows whether it was done: ASSAY_E_TPM, and the one who called finds out by reading.
 */
#ifndef ASSAY_ATTEST_DEVICE_H
#define ASSAY_ATTEST_DEVICE_H

#include "tpm/pcr.h"
#include "tpm/quote.h"

struct assay_tpm;

/*
 * `tcti`: "device:/dev/tpmrm0" or "swtpm:path=SOCKET"; NULL: the kernel's resource manager. Other kinds are
 * refused: the one that starts programs has a heap overflow in tpm2-tss up to 4.1.3.
 */
int assay_tpm_open(const char *tcti, struct assay_tpm **ret, struct assay_err *err) ASSAY_MUST;
void assay_tpm_free(struct assay_tpm **tpm);
ASSAY_DEFINE_AUTO(assay_tpm)

/* All PCRs of every active bank that we know, of one moment (TPM2_GetCapability TPM_CAP_PCRS, TPM2_PCR_Read). */
int assay_tpm_read_pcrs(struct assay_tpm *tpm, struct assay_pcrs *ret, struct assay_err *err) ASSAY_MUST;

/* The banks that have PCRs. */
int assay_tpm_banks(struct assay_tpm *tpm, unsigned *ret, struct assay_err *err) ASSAY_MUST;
/* TPM2_PCR_Extend: one PCR, all banks of d in one command, so that all are extended or none. */
int assay_tpm_extend(struct assay_tpm *tpm, unsigned pcr, const struct assay_digests *d, struct assay_err *err) ASSAY_MUST;
/* TPM2_ReadClock: how often it was reset (a boot of the machine) and restarted. */
int assay_tpm_boot_count(struct assay_tpm *tpm, uint32_t *ret_reset, uint32_t *ret_restart, struct assay_err *err) ASSAY_MUST;

/* --- keys (device_key.c) ------------------------------------------------------------------------ */

struct assay_tpm_key_handle; /* a key that the TPM has at hand; flushed when freed, unless it is persistent */
void assay_tpm_key_free(struct assay_tpm_key_handle **key);
static inline void assay_tpm_key_handle_auto_(struct assay_tpm_key_handle **key)
{
	assay_tpm_key_free(key);
} /* ASSAY_AUTO(assay_tpm_key_handle) */

/* A persistent one: 0x81…. ASSAY_E_NOTFOUND when there is none. */
int assay_tpm_key_persistent(struct assay_tpm *tpm, uint32_t handle, struct assay_tpm_key_handle **ret,
			     struct assay_err *err) ASSAY_MUST;
/* TPM2_CreatePrimary in the endorsement hierarchy with the template of an NV index (TPMT_PUBLIC or TPM2B_PUBLIC). */
int assay_tpm_key_template(struct assay_tpm *tpm, uint32_t nv, struct assay_tpm_key_handle **ret,
			   struct assay_err *err) ASSAY_MUST;
/* TPM2B_PUBLIC, fresh. */
int assay_tpm_key_public(const struct assay_tpm_key_handle *key, uint8_t **ret, size_t *ret_len, struct assay_err *err) ASSAY_MUST;
/*
 * The whole of an NV index (TPM2_NV_ReadPublic, TPM2_NV_Read by its own or the owner's empty authorization); fresh.
 * ASSAY_E_NOTFOUND when there is none, or nothing has been written to it.
 */
int assay_tpm_nv_read(struct assay_tpm *tpm, uint32_t nv, uint8_t **ret, size_t *ret_len, struct assay_err *err) ASSAY_MUST;

/*
 * TPM2_Quote over these PCRs of each of the banks, by the scheme of the key. *ret_message: TPMS_ATTEST; *ret_signature:
 * TPMT_SIGNATURE; both fresh. pcrs: values of the very moment that was signed (their digest has been compared, a bounded
 * number of times). ASSAY_E_UNSUPPORTED: a bank that is not active.
 */
int assay_tpm_quote(struct assay_tpm *tpm, struct assay_tpm_key_handle *key, unsigned banks, uint32_t pcr_mask,
		    const uint8_t *extra, size_t extra_len, uint8_t **ret_message, size_t *ret_message_len,
		    uint8_t **ret_signature, size_t *ret_signature_len, struct assay_pcrs *ret_pcrs,
		    struct assay_err *err) ASSAY_MUST;

/* --- endorsement keys (device_ek.c) -------------------------------------------------------------- */

/* By the TCG's default templates (EK Credential Profile 2.5, B.3.3 "L-1": RSA-2048, B.3.4 "L-2": ECC NIST P-256). */
int assay_tpm_key_ek(struct assay_tpm *tpm, enum assay_tpm_key kind, struct assay_tpm_key_handle **ret,
		     struct assay_err *err) ASSAY_MUST;
/*
 * A restricted signing key under an endorsement key: RSASSA with RSA-2048, or ECDSA with NIST P-256, SHA-256. Made persistent
 * at `handle` (0x81…), where nothing may be: ASSAY_E_USAGE. Owner and endorsement have no authorization.
 */
int assay_tpm_key_create(struct assay_tpm *tpm, struct assay_tpm_key_handle *ek, enum assay_tpm_key kind, uint32_t handle,
			 struct assay_tpm_key_handle **ret, struct assay_err *err) ASSAY_MUST;
/* Takes a persistent key out of the TPM: it is gone for good. ASSAY_E_NOTFOUND when there is none. */
int assay_tpm_key_evict(struct assay_tpm *tpm, uint32_t handle, struct assay_err *err) ASSAY_MUST;
/*
 * TPM2_ActivateCredential: what was encrypted for this endorsement key and a key of this name. blob: TPM2B_ID_OBJECT, seed:
 * TPM2B_ENCRYPTED_SECRET, sizes in front. ASSAY_E_MISMATCH when it is for another endorsement key, or another name.
 */
int assay_tpm_key_activate(struct assay_tpm *tpm, struct assay_tpm_key_handle *key, struct assay_tpm_key_handle *ek,
			   const uint8_t *blob, size_t blob_len, const uint8_t *seed, size_t seed_len,
			   uint8_t ret_secret[ASSAY_MAX_DIGEST], size_t *ret_secret_len, struct assay_err *err) ASSAY_MUST;

#endif
