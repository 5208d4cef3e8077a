/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a TPM signs about its PCRs, and the public half of the key it signs with (TPM 2.0 Library, Part 2: TPMS_ATTEST
 * 10.12.8, TPMS_QUOTE_INFO 10.12.1, TPMT_SIGNATURE 11.3.4, TPMT_PUBLIC 12.2.4). Bytes only; keys and checks of signatures
 * are the client's business (verify/quote.h).
 */
#ifndef ASSAY_TPM_QUOTE_H
#define ASSAY_TPM_QUOTE_H

#include "tpm/pcr.h"

#define ASSAY_QUOTE_MAX_SELECTIONS 16 /* HASH_COUNT of implementations is far below */
#define ASSAY_QUOTE_MAX_DATA 66	      /* TPM2B_DATA: the largest digest, and 2 bytes of algorithm */

struct assay_pcr_selection {
	uint16_t hash; /* TPM_ALG_ID; also of banks that are not known here */
	bool known;
	enum assay_bank bank; /* where known */
	uint32_t pcrs;	      /* bit i: PCR i */
};

struct assay_quote {
	uint8_t signer[66]; /* qualifiedSigner: TPM2B_NAME */
	size_t signer_len;
	uint8_t extra[ASSAY_QUOTE_MAX_DATA]; /* extraData */
	size_t extra_len;
	uint64_t clock; /* TPMS_CLOCK_INFO: milliseconds that the TPM has run */
	uint32_t reset_count, restart_count;
	bool safe;
	uint64_t firmware_version;
	struct assay_pcr_selection selections[ASSAY_QUOTE_MAX_SELECTIONS]; /* in the signed order */
	size_t n_selections;
	uint8_t pcr_digest[ASSAY_MAX_DIGEST];
	size_t pcr_digest_len;
};

/*
 * TPMS_ATTEST with the magic ff 54 43 47 and of type TPM_ST_ATTEST_QUOTE; every other type is ASSAY_E_UNSUPPORTED by name,
 * bytes left over are ASSAY_E_CORRUPT. PCRs past 23 in a selection are ASSAY_E_UNSUPPORTED, a bank twice ASSAY_E_CORRUPT.
 */
int assay_quote_parse(const uint8_t *p, size_t len, struct assay_quote *ret, struct assay_err *err) ASSAY_MUST;

/*
 * The digest of the PCRs that are selected, in the order of the selection, by `hash` (that of the signature's scheme).
 * ASSAY_E_NOTFOUND names a PCR that pcrs has no value of, or a bank that is not known.
 */
int assay_quote_digest(const struct assay_quote *quote, const struct assay_pcrs *pcrs, enum assay_bank hash, uint8_t *ret,
		       struct assay_err *err) ASSAY_MUST;

enum assay_sig_scheme { ASSAY_SIG_RSASSA, ASSAY_SIG_RSAPSS, ASSAY_SIG_ECDSA };
struct assay_tpm_signature {
	enum assay_sig_scheme scheme;
	enum assay_bank hash;
	const uint8_t *rsa; /* borrowed from the bytes */
	size_t rsa_len;
	const uint8_t *r, *s; /* ECDSA, big endian */
	size_t r_len, s_len;
};
int assay_tpm_signature_parse(const uint8_t *p, size_t len, struct assay_tpm_signature *ret,
			      struct assay_err *err) ASSAY_MUST;

/* TPMA_OBJECT, 8.3 */
#define ASSAY_TPMA_FIXED_TPM 0x00000002U
#define ASSAY_TPMA_FIXED_PARENT 0x00000010U
#define ASSAY_TPMA_SENSITIVE_DATA_ORIGIN 0x00000020U
#define ASSAY_TPMA_RESTRICTED 0x00010000U
#define ASSAY_TPMA_DECRYPT 0x00020000U
#define ASSAY_TPMA_SIGN 0x00040000U

enum assay_tpm_key { ASSAY_TPM_RSA, ASSAY_TPM_ECC };
struct assay_tpm_public {
	enum assay_tpm_key kind;
	uint16_t name_alg;   /* TPM_ALG_ID */
	uint32_t attributes; /* TPMA_OBJECT */
	const uint8_t *policy; /* authPolicy, borrowed */
	size_t policy_len;
	uint16_t symmetric; /* of a parent (a restricted decryption key): TPM_ALG_AES, else TPM_ALG_NULL */
	uint16_t symmetric_bits;
	uint16_t symmetric_mode; /* TPM_ALG_CFB */
	uint16_t scheme;	 /* TPM_ALG_ID of the scheme, or TPM_ALG_NULL (0x0010) */
	uint16_t scheme_hash;	 /* 0 where the scheme has none */
	unsigned bits;		 /* RSA: 1024, 2048, 3072, 4096; ECC: 256, 384, 521 */
	uint32_t exponent;	 /* RSA: 65537 where the structure has 0 */
	uint16_t curve;		 /* ECC: TPM_ECC_CURVE, 3 is NIST P-256 */
	const uint8_t *n;	 /* RSA modulus, big endian, borrowed; empty in a template, else bits / 8 bytes */
	size_t n_len;
	const uint8_t *x, *y; /* ECC: empty in a template, else at most as long as the curve's field */
	size_t x_len, y_len;
};
/*
 * TPMT_PUBLIC, or TPM2B_PUBLIC (its size in front): whichever it is. RSA, and ECC on NIST P-256, P-384 and P-521;
 * everything else is ASSAY_E_UNSUPPORTED by name.
 */
int assay_tpm_public_parse(const uint8_t *p, size_t len, struct assay_tpm_public *ret, struct assay_err *err) ASSAY_MUST;
/*
 * Whether a key of these attributes signs what its TPM made alone: restricted, for signing and nothing else, made by the
 * TPM and kept in it. ASSAY_E_UNSUPPORTED names what it is not.
 */
int assay_tpm_public_attests(const struct assay_tpm_public *public, struct assay_err *err) ASSAY_MUST;
/* TPM name of it: nameAlg, then its digest over the TPMT_PUBLIC (Part 1, 16). */
int assay_tpm_public_name(const uint8_t *p, size_t len, uint8_t ret[66], size_t *ret_len, struct assay_err *err) ASSAY_MUST;

/*
 * What `tpm2_quote --pcr FILE` writes by default ("serialized"): host structures, little endian; the layout is in
 * docs/FORMATS.md. Blocks are filled or not, as the TPM answered; bytes that the structures do not use are not looked at.
 */
int assay_serialized_pcrs_parse(const uint8_t *p, size_t len, struct assay_pcrs *ret, struct assay_err *err) ASSAY_MUST;
/*
 * The same bytes for the PCRs that a quote selects, each block full but the last; fresh memory. ASSAY_E_NOTFOUND names a
 * PCR that pcrs has no value of.
 */
int assay_serialized_pcrs_write(const struct assay_quote *quote, const struct assay_pcrs *pcrs, uint8_t **ret,
				size_t *ret_len, struct assay_err *err) ASSAY_MUST;

/*
 * extraData of assay.proof/1: SHA-256 over the client's nonce (none: no bytes; at most 64) and then 32 bytes: SHA-256 of the
 * TLS certificate in DER, or zeros where the machine serves without one.
 */
#define ASSAY_NONCE_MIN 8 /* what a server takes: 64 bits */
#define ASSAY_NONCE_MAX 64
int assay_quote_extra(const uint8_t *nonce, size_t nonce_len, const uint8_t tls_sha256[32], uint8_t ret[32],
		      struct assay_err *err) ASSAY_MUST;

#endif
