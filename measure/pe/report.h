/* SPDX-License-Identifier: Apache-2.0 */
/* All that there is to tell about one UEFI program: for `assay pe`, and for the facts of a disk. */
#ifndef ASSAY_MEASURE_PE_REPORT_H
#define ASSAY_MEASURE_PE_REPORT_H

#include "core/json.h"
#include "measure/pe/uki.h"

/* All that is told about one file. */
struct assay_pe_report {
	struct assay_pe *pe;
	struct assay_efi_info info;
	struct assay_pe_certs certs;
	struct assay_digests authenticode;
	uint64_t gaps;
	bool full;
	/* with full: */
	uint32_t checksum;		/* computed, where one is stored */
	struct assay_digests *sections; /* of those of the UKI specification; else banks == 0 */
	struct assay_digests kernel;	/* of the PE file inside .linux */
	char *kernel_version;
	char *kernel_error;
};

/* Hashes the file; `full`: each section of a UKI, its inner kernel and the PE checksum too. */
int assay_pe_report_make(struct assay_src *src, unsigned banks, bool full,
			 struct assay_pe_report **ret, struct assay_err *err) ASSAY_MUST;
void assay_pe_report_free(struct assay_pe_report **r);
ASSAY_DEFINE_AUTO(assay_pe_report)

/* 1 the signature is over this very file, 0 it is not, -1 its bank was not asked for. */
int assay_pe_report_matches(const struct assay_pe_report *r, const struct assay_pe_cert *c);

struct assay_json *assay_pe_report_json(const struct assay_pe_report *r, const char *path);

#endif
