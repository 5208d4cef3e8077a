/* SPDX-License-Identifier: Apache-2.0 */
/* PCR banks and extend (TPM 2.0 Library, Part 1, 17). 24 registers of the PC Client profile. */
#ifndef ASSAY_TPM_PCR_H
#define ASSAY_TPM_PCR_H

#include <stdbool.h>

#include "core/digest.h"
#include "core/json.h"

#define ASSAY_N_PCRS 24
#define ASSAY_ALL_PCRS ((1U << ASSAY_N_PCRS) - 1U)

struct assay_pcrs {
	unsigned banks;		      /* which banks have values at all */
	uint32_t have[ASSAY_N_BANKS]; /* bit i: PCR i of that bank has a value */
	uint8_t v[ASSAY_N_BANKS][ASSAY_N_PCRS][ASSAY_MAX_DIGEST];
};

/* All 24 at their reset values: zeros, and ones for 17–22 (PC Client PTP, table of PCR attributes).
 */
void assay_pcrs_reset(struct assay_pcrs *pcrs, unsigned banks);

/* v = H(v || digest). A PCR without a value cannot be extended: ASSAY_E_UNSUPPORTED. */
int assay_pcr_extend(struct assay_pcrs *pcrs, enum assay_bank bank, unsigned index,
		     const uint8_t *digest, struct assay_err *err) ASSAY_MUST;
/* In every bank of pcrs; each must be in d, else ASSAY_E_UNSUPPORTED and nothing is extended. */
int assay_pcr_extend_all(struct assay_pcrs *pcrs, unsigned index, const struct assay_digests *d,
			 struct assay_err *err) ASSAY_MUST;

/* False too where there is no value. */
bool assay_pcr_is_zero(const struct assay_pcrs *pcrs, enum assay_bank bank, unsigned index);

/*
 * Lines "BANK INDEX HEX", any case, any amount of blanks, '#' comments and empty lines allowed; a
 * PCR given twice with other bytes is an error. Errors name the line. Ceiling ASSAY_PCRS_MAX_FILE.
 */
int assay_pcrs_parse(const char *text, size_t len, struct assay_pcrs *ret,
		     struct assay_err *err) ASSAY_MUST;

/* {"sha256": {"0": "<hex>", …}} of what is there. */
struct assay_json *assay_pcrs_json(const struct assay_pcrs *pcrs);

#endif
