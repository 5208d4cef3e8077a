/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime log as a file: its lock, its lines. What they mean is log.c's. */
#ifndef ASSAY_ATTEST_LOG_PRIV_H
#define ASSAY_ATTEST_LOG_PRIV_H

#include <stdint.h>

#include "attest/log.h"

struct assay_log_file {
	char *path;
	int lock, fd;	/* -1: not open */
	uint64_t size;	/* of its whole lines: where the next one goes */
	uint64_t found; /* bytes that were there; more than size: a torn line */
};

/* Makes the folder and LOG.lock where they are missing, and waits for the lock. */
int assay_log_file_lock(const char *path, struct assay_log_file **ret, struct assay_err *err) ASSAY_MUST;

/* *ret_text: its whole lines, with a NUL after them; fresh. ASSAY_E_NOTFOUND: there is no log. */
int assay_log_file_read(struct assay_log_file *file, char **ret_text, struct assay_err *err) ASSAY_MUST;
/* A new log that has this one line, whole or not at all. */
int assay_log_file_create(struct assay_log_file *file, const char *line, size_t len, struct assay_err *err) ASSAY_MUST;
/* Cuts a torn line off, and waits until the disk has the others. */
int assay_log_file_mend(struct assay_log_file *file, struct assay_err *err) ASSAY_MUST;
/* Appends a line and waits until the disk has it. On failure the file is as it was, or *ret_torn is set. */
int assay_log_file_append(struct assay_log_file *file, const char *line, size_t len, bool *ret_torn,
			  struct assay_err *err) ASSAY_MUST;
/* Takes the last `len` bytes back. */
int assay_log_file_take_back(struct assay_log_file *file, size_t len, struct assay_err *err) ASSAY_MUST;
/* Renames it to PATH.1, or whatever number is free; *ret_path is fresh. */
int assay_log_file_move(struct assay_log_file *file, char **ret_path, struct assay_err *err) ASSAY_MUST;

#endif
