/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PE32 and PE32+ (Microsoft PE Format), as UEFI firmware reads them, and their Authenticode digest
 * (Windows Authenticode Portable Executable Signature Format 1.0; UEFI 2.10, 32.2.2).
 */
#ifndef ASSAY_MEASURE_PE_PE_H
#define ASSAY_MEASURE_PE_PE_H

#include <stdbool.h>

#include "core/cur.h"
#include "core/hash.h"
#include "core/src.h"

struct assay_pe_section {
	char name[9];
	uint32_t virtual_size;
	uint32_t virtual_address;
	uint32_t raw_size;
	uint32_t raw_offset;
	uint32_t characteristics;
};

struct assay_pe {
	struct assay_src *src; /* a reference of its own */
	bool plus;	       /* PE32+ */
	uint16_t machine;
	uint16_t subsystem;
	uint32_t timestamp;
	uint32_t size_of_image;
	uint32_t size_of_headers;
	uint32_t checksum;	   /* as stored; 0 is common */
	uint64_t checksum_offset;  /* in the file */
	uint64_t cert_dir_offset;  /* of the data directory entry; 0 when there is none */
	uint32_t cert_offset;	   /* the attribute certificate table */
	uint32_t cert_size;
	struct assay_pe_section *sections; /* in table order */
	size_t n_sections;
};

int assay_pe_open(struct assay_src *src, struct assay_pe **ret, struct assay_err *err) ASSAY_MUST;
void assay_pe_free(struct assay_pe **pe);
ASSAY_DEFINE_AUTO(assay_pe)

const struct assay_pe_section *assay_pe_section(const struct assay_pe *pe, const char *name);
/* "x86-64", "AArch64", … or NULL */
const char *assay_pe_machine_name(uint16_t machine);
/* What the file really holds of a section: min(virtual, raw) bytes, or raw when virtual is 0. */
uint64_t assay_pe_section_file_size(const struct assay_pe_section *s);
/* The content of a section with its virtual size: a slice where it lies in the file. ASSAY_E_LIMIT
 * past limit; zero-filled beyond the raw data. Caller frees; one NUL after the end. */
int assay_pe_section_read(const struct assay_pe *pe, const struct assay_pe_section *s, uint64_t limit,
			  uint8_t **ret, size_t *ret_len, struct assay_err *err) ASSAY_MUST;
/* The PE checksum computed over the file, to compare with `checksum`. */
int assay_pe_checksum(const struct assay_pe *pe, uint32_t *ret, struct assay_err *err) ASSAY_MUST;

/*
 * The ranges whose digest firmware measures: the file less checksum, certificate directory entry and
 * certificate table; sections by ascending file offset, then what follows them. Unsigned files are
 * hashed as they are, without padding to 8 (as OVMF does). Overlapping sections and sections past the
 * end are refused. At most ASSAY_AUTHENTICODE_MAX_RANGES; caller frees.
 */
int assay_authenticode_ranges(const struct assay_pe *pe, struct assay_extent **ret, size_t *ret_n,
			      struct assay_err *err) ASSAY_MUST;
/* The digest alone, in each bank. */
int assay_authenticode(const struct assay_pe *pe, unsigned banks, struct assay_digests *ret,
		       struct assay_err *err) ASSAY_MUST;

/* One WIN_CERTIFICATE of the attribute certificate table. */
struct assay_pe_cert {
	uint16_t revision;
	uint16_t type; /* 0x0002: PKCS#7 SignedData */
	uint64_t offset; /* of its data, in the file */
	uint32_t size;
	uint8_t *data; /* fresh: what follows the 8-byte header */
	/* read out of the SignedData, when it is one: */
	char *signer; /* subject of the signing certificate, one line; NULL when not found */
	char *digest_alg; /* "sha256", of the SpcIndirectDataContent; NULL when not found */
	uint8_t digest[ASSAY_MAX_DIGEST]; /* the digest that the signature vouches for */
	size_t digest_len;
};
struct assay_pe_certs {
	struct assay_pe_cert *c;
	size_t n;
};
int assay_pe_certs_read(const struct assay_pe *pe, struct assay_pe_certs *ret,
			struct assay_err *err) ASSAY_MUST;
void assay_pe_certs_clear(struct assay_pe_certs *certs);

/*
 * Would UEFI firmware accept this signature with this one trusted DER certificate in db, for an image
 * with these digests? As EDK2 does: the chain ends at that very certificate (which need not be
 * self-signed), times are ignored, the SpcIndirectDataContent digest must equal the image's digest in
 * its algorithm. *ret is the answer; an error is only for what could not be decided.
 */
int assay_pe_cert_verify(const struct assay_pe_cert *cert, const struct assay_digests *image,
			 const uint8_t *trusted_der, size_t trusted_len, bool *ret,
			 struct assay_err *err) ASSAY_MUST;

#endif
