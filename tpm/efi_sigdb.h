/* SPDX-License-Identifier: Apache-2.0 */
/* EFI signature databases: what db, dbx, KEK, PK and MokList hold (UEFI 2.10, 32.4.1). */
#ifndef ASSAY_TPM_EFI_SIGDB_H
#define ASSAY_TPM_EFI_SIGDB_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

enum assay_sig_kind {
	ASSAY_SIG_OTHER, /* a list type that we have no word for */
	ASSAY_SIG_SHA1,
	ASSAY_SIG_SHA224,
	ASSAY_SIG_SHA256,
	ASSAY_SIG_SHA384,
	ASSAY_SIG_SHA512,
	ASSAY_SIG_RSA2048,
	ASSAY_SIG_RSA2048_SHA1,
	ASSAY_SIG_RSA2048_SHA256,
	ASSAY_SIG_X509,
	ASSAY_SIG_X509_SHA256, /* hash of a certificate's to-be-signed part, and a time of
				  revocation */
	ASSAY_SIG_X509_SHA384,
	ASSAY_SIG_X509_SHA512,
	ASSAY_SIG_PKCS7,
	ASSAY_SIG_EXTERNAL, /* EFI_CERT_EXTERNAL_MANAGEMENT_GUID */
	ASSAY_N_SIG_KINDS,
};

/* One EFI_SIGNATURE_DATA. Pointers are borrowed from the database's bytes. */
struct assay_sig {
	uint8_t type[16]; /* the list's SignatureType, as on the wire */
	uint8_t owner[16];
	enum assay_sig_kind kind;
	unsigned list;	     /* number of the list, from 0 */
	const uint8_t *data; /* after the owner: a certificate, a hash */
	size_t len;
	const uint8_t *raw; /* owner and data: what EV_EFI_VARIABLE_AUTHORITY holds */
	size_t raw_len;
	uint64_t at; /* offset of raw in the outermost file */
};

struct assay_sigdb {
	struct assay_sig *sigs;
	size_t n;
	unsigned n_lists;
};

/*
 * An empty database is one without lists. Each list must be as long as it says, and its signatures
 * must fill it. `at` is where the bytes lie in the outermost file. Never writes *ret on error;
 * `bytes` must outlive the result.
 */
int assay_sigdb_parse(const uint8_t *bytes, size_t len, uint64_t at, struct assay_sigdb *ret,
		      struct assay_err *err) ASSAY_MUST;
void assay_sigdb_free(struct assay_sigdb *db);

/* "SHA-256 hash", "X.509 certificate" */
const char *assay_sig_kind_name(enum assay_sig_kind kind);

/*
 * Common name of a DER certificate's subject (or its organisation, where there is no common name)
 * as UTF-8 with control characters replaced; fresh memory. NULL when that cannot be had.
 */
char *assay_cert_name(const uint8_t *der, size_t len);

#endif
