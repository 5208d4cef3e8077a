/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Firmware event logs: TCG2 crypto-agile, TCG 1.2 (SHA-1 only) and CCEL
 * (TCG PC Client Platform Firmware Profile 1.06, 10; UEFI 2.10, 38 for CCEL).
 */
#ifndef ASSAY_TPM_EVENTLOG_H
#define ASSAY_TPM_EVENTLOG_H

#include "tpm/pcr.h"

enum assay_log_format { ASSAY_LOG_TCG12, ASSAY_LOG_TCG2, ASSAY_LOG_CCEL };

struct assay_event {
	uint32_t pcr;  /* CCEL: the measurement register index as logged */
	uint32_t type; /* tpm/event.h names them */
	struct assay_digests digests;
	const uint8_t *data; /* borrowed from the log's bytes */
	uint32_t data_len;
	uint64_t at; /* byte offset of the event in the log */
};

struct assay_eventlog {
	enum assay_log_format format;
	unsigned banks;		/* announced by the header, of those we know */
	bool other_banks;	/* the header announces algorithms that we do not know */
	unsigned locality;	/* StartupLocality; 0 when there is none */
	bool hcrtm;		/* an EV_EFI_HCRTM_EVENT is there (PCR 0 then starts at 4) */
	struct assay_event *events; /* all of them, EV_NO_ACTION too, in log order, header first */
	size_t n;
	uint64_t end; /* where the events end; what follows is padding (zeros or ff) */
	uint8_t *owned;
};

/* `bytes` must outlive the result. Never writes *ret on error. */
int assay_eventlog_parse(const uint8_t *bytes, size_t len, struct assay_eventlog **ret,
			 struct assay_err *err) ASSAY_MUST;
/* Reads a file (ceiling ASSAY_EVENTLOG_MAX) and keeps its bytes. */
int assay_eventlog_load(const char *path, struct assay_eventlog **ret,
			struct assay_err *err) ASSAY_MUST;
void assay_eventlog_free(struct assay_eventlog **log);
ASSAY_DEFINE_AUTO(assay_eventlog)

/*
 * Replay into fresh PCRs, in each bank asked for. A bank that the log does not carry, or that an
 * event lacks, leaves ret->have unset for the PCRs concerned, and `reasons` (when not NULL) says
 * why: one malloc'd text per PCR and bank, freed by assay_replay_reasons_free().
 */
struct assay_replay_reasons {
	char *why[ASSAY_N_BANKS][ASSAY_N_PCRS];
};
int assay_eventlog_replay(const struct assay_eventlog *log, unsigned banks, struct assay_pcrs *ret,
			  struct assay_replay_reasons *reasons, struct assay_err *err) ASSAY_MUST;
void assay_replay_reasons_free(struct assay_replay_reasons *r);

#endif
