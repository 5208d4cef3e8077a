/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the probe (image/probe) wrote, read back: out of a capture of a serial line, firmware's
 * screen and noise included, or out of its ASSAY.TXT. docs/PROBE.md has the format.
 */
#ifndef ASSAY_PRECOMPUTE_PROBELOG_H
#define ASSAY_PRECOMPUTE_PROBELOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "tpm/pcr.h"

#define ASSAY_PROBE_ABSENT (-1)	    /* firmware knows no such variable */
#define ASSAY_PROBE_UNREADABLE (-2) /* it is not one byte, or firmware would not say */

struct assay_probe_info {
	char arch[8];		  /* "x64", "aa64" */
	char source[8];		  /* "tcg2": a TCG2 log; "cc": a CCEL */
	char firmware_vendor[64]; /* printable ASCII */
	uint32_t firmware_revision;
	uint32_t uefi_revision; /* 0x00020046: 2.70 */
	int secure_boot;	/* the variables' values, or one of the above */
	int setup_mode;
	uint32_t supported_banks; /* firmware's bitmaps: bits as ASSAY_BANK_BIT, and 0x10 for SM3 */
	uint32_t active_banks;
	uint32_t manufacturer; /* of the TPM: four characters, first one lowest; cc: type and
				  subtype */
	bool truncated;	       /* firmware had no room for all events: the log replays to nothing */
	struct assay_pcrs
		pcrs; /* asked of the TPM by the probe; a bank it could not read is missing */
};

/*
 * The last report in the text counts; a later one that is not whole is an error, not a reason to
 * take an earlier one. Lines that came through damaged are missing, unless they are there again.
 * ASSAY_E_NOTFOUND: no report in it, or one that says that there is no log, and why.
 * The caller frees *ret_log. Ceilings: ASSAY_PROBELOG_MAX_TEXT, ASSAY_EVENTLOG_MAX.
 */
int assay_probelog_parse(const uint8_t *text, size_t len, uint8_t **ret_log, size_t *ret_len,
			 struct assay_probe_info *ret_info, struct assay_err *err) ASSAY_MUST;

#endif
