/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime log on the machine, and the PCRs that it is of. One file: a header
 *
 *   {"resetCount":N,"restartCount":N,"schema":"assay.runtime-log/1"}
 *
 * (TPM2_ReadClock: which boot it is of), then one record of CEL-JSON on each line (tpm/cel.h).
 *
 * To measure is to append a line, sync it, and extend. Whatever ends the agent between the two, the next
 * assay_agent_log_open() finds out by replaying the log over the TPM's PCRs, and completes the step: each event is
 * extended once. A handle holds a lock (LOG.lock), so that a log and what is read from the TPM meanwhile agree.
 */
#ifndef ASSAY_ATTEST_LOG_H
#define ASSAY_ATTEST_LOG_H

#include "attest/config.h"
#include "attest/device.h"
#include "tpm/cel.h"

struct assay_agent_log;

/*
 * The lock alone, for who connects to the TPM after it: there are TPMs that talk to one at a time (swtpm, /dev/tpm0), and
 * whoever has the connection and waits for the lock would wait for one who has the lock and waits for the connection.
 */
struct assay_log_file;
int assay_agent_log_lock(const struct assay_agent_config *config, struct assay_log_file **ret, struct assay_err *err) ASSAY_MUST;
void assay_log_file_free(struct assay_log_file **lock);
ASSAY_DEFINE_AUTO(assay_log_file)

/*
 * Waits some seconds for the lock; makes a log when there is none. Borrows config and tpm. Refused:
 *   ASSAY_E_MISMATCH     the PCRs are not those of the log: which PCR, which bank, expected and found; the same of a new
 *                        log when a PCR of the plan is not zero, with who usually extends that one
 *   ASSAY_E_UNSUPPORTED  a log of an earlier boot (assay_agent_log_set_aside() is for that)
 *   ASSAY_E_CORRUPT      a log that is none
 *   ASSAY_E_IO           also: somebody else has the lock for too long
 */
int assay_agent_log_open(const struct assay_agent_config *config, struct assay_tpm *tpm, struct assay_agent_log **ret,
			 struct assay_err *err) ASSAY_MUST;
/* The same with a lock that is handed over, on failure too. */
int assay_agent_log_open_locked(const struct assay_agent_config *config, struct assay_log_file **lock, struct assay_tpm *tpm,
				struct assay_agent_log **ret, struct assay_err *err) ASSAY_MUST;
/* Gives the lock back. */
void assay_agent_log_free(struct assay_agent_log **log);
ASSAY_DEFINE_AUTO(assay_agent_log)

/* What is in it; borrowed until the next call that measures. */
const struct assay_cel *assay_agent_log_cel(const struct assay_agent_log *log);
/* The TLS certificate that is in use: PEM of the last event of that kind; NULL: none. */
const char *assay_agent_log_certificate(const struct assay_agent_log *log);

/*
 * Logs and extends one event, in the PCR that the plan has for its kind. The event is checked first (assay_runtime_parse()).
 * ASSAY_E_USAGE: a disk, or another sentinel, after the sentinel. When it fails, nothing has been extended and nothing
 * is in the log, unless the message says that the next start finds out: then nobody can tell now.
 */
int assay_agent_measure(struct assay_agent_log *log, enum assay_runtime_kind kind, const struct assay_runtime_event *ev,
			struct assay_err *err) ASSAY_MUST;
/* The same of a kind that is carried as an "event", out of its content. */
int assay_agent_measure_content(struct assay_agent_log *log, enum assay_runtime_kind kind, const struct assay_json *content,
				struct assay_err *err) ASSAY_MUST;

/*
 * Moves a log out of the way, to LOG.1, LOG.2, …: one of an earlier boot, or one that no PCR of the plan knows of.
 * ASSAY_E_USAGE when it is of this boot, ASSAY_E_NOTFOUND when there is none.
 */
int assay_agent_log_set_aside(const struct assay_agent_config *config, struct assay_log_file **lock, struct assay_tpm *tpm,
			      char **ret_path, struct assay_err *err) ASSAY_MUST;

/* How a log stands to the TPM. */
enum assay_log_state {
	ASSAY_LOG_REPLAYS, /* all of it is extended, and nothing else */
	ASSAY_LOG_PENDING, /* but for its last event: the next one who opens it completes that */
	ASSAY_LOG_EARLIER, /* of an earlier boot */
	ASSAY_LOG_DIFFERS, /* the PCRs are not those of the log */
};
/*
 * Looks, and changes nothing. *ret_why: what is wrong, for EARLIER and DIFFERS. ASSAY_E_NOTFOUND when there is no log,
 * ASSAY_E_CORRUPT when it is none.
 */
int assay_agent_log_look(const struct assay_agent_config *config, struct assay_log_file **lock, struct assay_tpm *tpm,
			 struct assay_cel **ret, enum assay_log_state *ret_state, struct assay_err *ret_why,
			 struct assay_err *err) ASSAY_MUST;

#endif
