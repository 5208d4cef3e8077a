/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of what is measured after the boot: records of the TCG's Canonical Event Log Format 1.0 in its JSON encoding
 * (CEL-JSON), with content of our own type "assay":
 *
 *   {"content":{"event":"…"},"content_type":"assay","digests":[{"digest":"<hex>","hashAlg":"sha256"}],"pcr":14,"recnum":0}
 *
 * recnum counts from 0 without a gap over the whole log. Each record has one digest for each active bank of the TPM, the
 * same banks in every record.
 */
#ifndef ASSAY_TPM_CEL_H
#define ASSAY_TPM_CEL_H

#include "tpm/pcr.h"
#include "tpm/runtime.h"

struct assay_cel_record {
	uint64_t recnum;
	unsigned pcr;
	struct assay_digests digests;
	struct assay_runtime_event event; /* its text is owned by the log */
};

struct assay_cel {
	unsigned banks; /* of every record; 0 when there is none */
	struct assay_cel_record *records;
	size_t n;
};

struct assay_cel *assay_cel_new(void);
void assay_cel_free(struct assay_cel **cel);
ASSAY_DEFINE_AUTO(assay_cel)

/* Computes the digests and appends; the event's text is copied. Borrowed until the next one in *ret (may be NULL). */
int assay_cel_add(struct assay_cel *cel, unsigned pcr, const struct assay_runtime_event *ev, unsigned banks,
		  const struct assay_cel_record **ret, struct assay_err *err) ASSAY_MUST;

/* Takes the last one back: it could not be kept. */
void assay_cel_drop_last(struct assay_cel *cel);

/*
 * An array of records. Each is checked: members, recnum, PCR below 24, banks, and that its digests are those of what it
 * carries (ASSAY_E_MISMATCH names the record and the bank). What the events say is not looked at here.
 */
int assay_cel_parse(const struct assay_json *records, struct assay_cel **ret, struct assay_err *err) ASSAY_MUST;
/* One record: {"content": …}; the line of a log file. Appended to `cel`. */
int assay_cel_parse_record(struct assay_cel *cel, const struct assay_json *record, struct assay_err *err) ASSAY_MUST;
struct assay_json *assay_cel_record_json(const struct assay_cel_record *record);
struct assay_json *assay_cel_json(const struct assay_cel *cel);

/*
 * Extends `pcrs` by the first n records, in the banks that both have. ASSAY_E_UNSUPPORTED when a PCR has no value to
 * begin with, or when a bank of pcrs that has the PCR is not in the log.
 */
int assay_cel_replay(const struct assay_cel *cel, size_t n, struct assay_pcrs *pcrs, struct assay_err *err) ASSAY_MUST;

#endif
