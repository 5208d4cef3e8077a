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
	uint32_t pcr;  /* CCEL: the measurement register index: 0 = MRTD, 1 to 4 = RTMR 0 to 3 */
	uint32_t type; /* tpm/event.h names them */
	struct assay_digests digests;
	const uint8_t *data; /* borrowed from the log's bytes; never NULL */
	uint32_t data_len;
	uint64_t at;	  /* byte offset of the event in the log */
	uint64_t data_at; /* and of its data */
};

struct assay_eventlog {
	enum assay_log_format format;
	unsigned banks;	   /* announced by the header, of those we know */
	unsigned carried;  /* banks of which at least one event (other than EV_NO_ACTION) has a
			      digest */
	bool other_banks;  /* the header announces algorithms that we do not know */
	unsigned locality; /* StartupLocality (4 with an H-CRTM); 0 when there is none */
	bool hcrtm;	   /* an EV_EFI_HCRTM_EVENT is there (PCR 0 then starts at 4) */
	const char *startup_unclear; /* why it is not known where PCR 0 starts, or NULL */
	struct assay_event *events;  /* all of them, EV_NO_ACTION too, in log order, header first */
	size_t n;
	uint64_t end; /* where the events end; what follows is padding (zeros or ff) */
	uint8_t *owned;
};

/*
 * `bytes` must outlive the result. Never writes *ret on error.
 *
 * The formats are told apart by what is in the log: a "Spec ID Event03" first makes it
 * crypto-agile. CCEL has the same framing; it is one when no event goes past register 4 (a PC
 * Client log has separators in 5, 6 and 7) and one of these holds: the first event is in register
 * 1, SHA-384 is all that is announced, a GPT event or a Secure Boot variable is in a register other
 * than 5 or 7.
 */
int assay_eventlog_parse(const uint8_t *bytes, size_t len, struct assay_eventlog **ret,
			 struct assay_err *err) ASSAY_MUST;
/* Reads a file (ceiling ASSAY_EVENTLOG_MAX; files of securityfs too) and keeps its bytes. */
int assay_eventlog_load(const char *path, struct assay_eventlog **ret,
			struct assay_err *err) ASSAY_MUST;
void assay_eventlog_free(struct assay_eventlog **log);
ASSAY_DEFINE_AUTO(assay_eventlog)

/* "tcg2", "tcg1.2", "ccel" */
const char *assay_log_format_name(enum assay_log_format format);

/*
 * Why a register has no value: one malloc'd text for each bank and PCR that was asked for and is
 * not in `have`, freed by assay_replay_reasons_free().
 */
struct assay_replay_reasons {
	char *why[ASSAY_N_BANKS][ASSAY_N_PCRS];
	/* Bit i: the only reason is that no event extends PCR i: it was at its reset value when the
	 * log ended. Whoever knows that nothing came after the log can fill it in. */
	uint32_t untouched[ASSAY_N_BANKS];
};

/*
 * Replay in each bank asked for. What cannot be known is left out of ret->have, and `reasons` (when
 * not NULL) says why: a PCR that no event extends (the OS may have: IMA's PCR 10), that an event
 * lacks the bank's digest for, PCR 0 when its start is unclear, PCRs 17–22 (a dynamic launch resets
 * them at a time that the log does not tell). A CCEL is refused: its registers are no PCRs.
 */
int assay_eventlog_replay(const struct assay_eventlog *log, unsigned banks, struct assay_pcrs *ret,
			  struct assay_replay_reasons *reasons, struct assay_err *err) ASSAY_MUST;
/* The same for a CCEL, and for it alone: indices 0 to 3 of *ret are RTMR 0 to 3. */
int assay_eventlog_replay_rtmrs(const struct assay_eventlog *log, unsigned banks,
				struct assay_pcrs *ret, struct assay_replay_reasons *reasons,
				struct assay_err *err) ASSAY_MUST;
void assay_replay_reasons_free(struct assay_replay_reasons *r);
#define ASSAY_N_RTMRS 4

#endif
