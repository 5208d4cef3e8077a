/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One QEMU machine with a TPM of its own (swtpm), booted once. Children are started without a
 * shell, each in its own process group, and are ended by their process id, also when a signal ends
 * assay.
 */
#ifndef ASSAY_CLI_MACHINE_H
#define ASSAY_CLI_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"

struct assay_machine;

/* A private folder, and signal handlers that lead to assay_machine_free(). One at a time. */
int assay_machine_new(struct assay_machine **ret, struct assay_err *err) ASSAY_MUST;
/* Ends what still runs, removes the folder; raises the signal that was caught, if there was one. */
void assay_machine_free(struct assay_machine **m);
ASSAY_DEFINE_AUTO(assay_machine)

const char *assay_machine_folder(const struct assay_machine *m);
const char *assay_machine_tpm_socket(const struct assay_machine *m);
const char *assay_machine_serial(const struct assay_machine *m);

/* A TPM that was never used, with these PCR banks ("sha1,sha256"), listening. */
int assay_machine_start_tpm(struct assay_machine *m, const char *banks,
			    struct assay_err *err) ASSAY_MUST;
/*
 * Runs QEMU until it ends or the time is over; *timed_out says which. ASSAY_E_TPM when QEMU failed,
 * with its last words.
 */
int assay_machine_boot(struct assay_machine *m, char *const argv[], unsigned timeout,
		       bool *timed_out, struct assay_err *err) ASSAY_MUST;
/* What the serial port has said so far; *ret has a NUL after its end; caller frees. */
int assay_machine_read_serial(const struct assay_machine *m, char **ret, size_t *ret_len,
			      struct assay_err *err) ASSAY_MUST;
/* Runs a program to its end; its first line on stdout, if ret is not NULL. */
int assay_machine_run(struct assay_machine *m, char *const argv[], char **ret,
		      struct assay_err *err) ASSAY_MUST;

#endif
