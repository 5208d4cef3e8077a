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
	char name[9]; /* as it stands in the table: up to 8 bytes, cut at a NUL; any bytes */
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
	uint16_t major_image_version;
	uint32_t timestamp;
	uint32_t size_of_image;
	uint32_t size_of_headers;
	uint32_t checksum;	  /* as stored; 0 is common */
	uint64_t checksum_offset; /* in the file */
	uint64_t cert_dir_offset; /* of the data directory entry; 0 when there is none */
	uint32_t cert_offset;	  /* the attribute certificate table */
	uint32_t cert_size;	  /* 0: not signed */
	uint32_t symbols_offset;  /* COFF symbols, after which the names longer than 8 bytes lie */
	uint32_t n_symbols;
	struct assay_pe_section *sections; /* in table order */
	size_t n_sections;
};

int assay_pe_open(struct assay_src *src, struct assay_pe **ret, struct assay_err *err) ASSAY_MUST;
void assay_pe_free(struct assay_pe **pe);
ASSAY_DEFINE_AUTO(assay_pe)

const struct assay_pe_section *assay_pe_section(const struct assay_pe *pe, const char *name);
/* Its name, or the long one of the string table that "/123" stands for. Cut to size; returns dst.
 */
char *assay_pe_section_long_name(const struct assay_pe *pe, const struct assay_pe_section *s,
				 char *dst, size_t size);
/* "x86-64", "AArch64", … or NULL */
const char *assay_pe_machine_name(uint16_t machine);
/* "EFI application", … or NULL */
const char *assay_pe_subsystem_name(uint16_t subsystem);
/* Bytes that it has once loaded: its virtual size, or the raw one where that is 0. */
uint64_t assay_pe_section_size(const struct assay_pe_section *s);
/* How many of them the file holds; zeros follow. */
uint64_t assay_pe_section_file_size(const struct assay_pe_section *s);
/*
 * The content of a section, assay_pe_section_size() bytes. ASSAY_E_LIMIT past limit. Caller frees;
 * one NUL after the end.
 */
int assay_pe_section_read(const struct assay_pe *pe, const struct assay_pe_section *s,
			  uint64_t limit, uint8_t **ret, size_t *ret_len,
			  struct assay_err *err) ASSAY_MUST;
/* The PE checksum computed over the file, to compare with `checksum`. */
int assay_pe_checksum(const struct assay_pe *pe, uint32_t *ret, struct assay_err *err) ASSAY_MUST;

/*
 * What firmware hashes: the file less checksum, certificate directory entry and certificate table;
 * sections by ascending file offset, then what follows them. Unsigned files are hashed as they are,
 * without padding to 8 (as OVMF does). Refused: overlapping sections, sections that begin inside
 * the headers, a certificate table that does not end the file.
 *
 * Firmware counts the bytes that it hashed and takes what lies beyond that count for "what
 * follows". With gaps between the sections that begins before the last section's end, and those
 * bytes enter the digest twice, while the gaps may not enter it at all. `gaps` says how many bytes
 * of them there are; what follows is then in `tail` and to be hashed after the ranges (struct
 * assay_hash_job has the like).
 */
struct assay_authenticode_plan {
	struct assay_extent *ranges; /* ascending, disjoint */
	size_t n_ranges;
	uint64_t gaps;
	uint8_t *tail; /* NULL without gaps */
	size_t tail_len;
};
int assay_authenticode_plan(const struct assay_pe *pe, struct assay_authenticode_plan *ret,
			    struct assay_err *err) ASSAY_MUST;
void assay_authenticode_plan_clear(struct assay_authenticode_plan *plan);
/* The job that the plan is, to run beside others; the plan has to outlive it. */
struct assay_hash_job assay_authenticode_job(const struct assay_authenticode_plan *plan,
					     unsigned banks);
/* The digests out of the job, once it ran. */
const struct assay_digests *assay_authenticode_result(const struct assay_hash_job *job);
/* The digest alone, in each bank. */
int assay_authenticode(const struct assay_pe *pe, unsigned banks, struct assay_digests *ret,
		       struct assay_err *err) ASSAY_MUST;

/* One WIN_CERTIFICATE of the attribute certificate table. */
struct assay_pe_cert {
	uint16_t revision;
	uint16_t type;	 /* 0x0002: PKCS#7 SignedData */
	uint64_t offset; /* of its data, in the file */
	uint32_t size;
	uint8_t *data; /* fresh: what follows the 8-byte header */
	/* read out of the SignedData; all NULL or 0 when it is none that we can read */
	char *signer; /* subject of the signing certificate, one line; NULL when not found */
	char *issuer;
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

/* The bank in which firmware takes the image's digest for this signature; false: it passes over the signature. */
bool assay_pe_cert_bank(const struct assay_pe_cert *cert, enum assay_bank *ret);

/*
 * Would UEFI firmware accept this signature with this one trusted DER certificate in db, for an
 * image with these digests? As EDK2 does: the chain ends at that very certificate (which need not
 * be self-signed), times and purposes are ignored, the SpcIndirectDataContent digest must equal the
 * image's digest in its algorithm. *ret is the answer; an error is only for what could not be
 * decided (ASSAY_E_NOTFOUND: `image` lacks the bank that the signature is over). dbx is the
 * caller's.
 */
int assay_pe_cert_verify(const struct assay_pe_cert *cert, const struct assay_digests *image,
			 const uint8_t *trusted_der, size_t trusted_len, bool *ret,
			 struct assay_err *err) ASSAY_MUST;

#endif
