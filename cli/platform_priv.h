/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of `assay platform` share. */
#ifndef ASSAY_CLI_PLATFORM_PRIV_H
#define ASSAY_CLI_PLATFORM_PRIV_H

#include "cli/disk.h"
#include "precompute/learn.h"
#include "precompute/probelog.h"

/* A boot application that a log was taken with. */
struct assay_boot_app {
	struct assay_digests digests; /* Authenticode, every bank */
	const char *arch;	      /* as profiles have it */
};
/* The program itself. */
int assay_boot_app_read(const char *path, struct assay_boot_app *ret,
			struct assay_err *err) ASSAY_MUST;
/* The one that firmware starts from a disk: at its removable media path, or `boot` if not NULL. */
int assay_boot_app_of_disk(const char *path, const struct assay_disk_opts *opts, const char *boot,
			   struct assay_boot_app *ret, struct assay_err *err) ASSAY_MUST;

/* {kind: …, date: …}; the date is SOURCE_DATE_EPOCH's or today's (UTC). */
int assay_origin_new(const char *kind, struct assay_yaml **ret, struct assay_err *err) ASSAY_MUST;
/* KEY: {file: NAME, sha256: HEX}; name may be NULL. */
int assay_origin_set(struct assay_yaml *origin, const char *key, const char *name,
		     const struct assay_digests *d, struct assay_err *err) ASSAY_MUST;
/* The name of a profile that goes to `path`: without folder and ".yaml". Caller frees. */
char *assay_platform_name_of(const char *path);

/* An event log and, if it was taken by the probe, what the probe saw beside it. */
struct assay_taken_log {
	uint8_t *bytes;
	struct assay_digests digest; /* sha256 of the log */
	struct assay_eventlog *log;
	bool report; /* info is there */
	struct assay_probe_info info;
};
/* Takes text over: a log as it lay in memory, or a text with the probe's report in it. */
int assay_taken_log_read(uint8_t *text, size_t len, struct assay_taken_log *ret,
			 struct assay_err *err) ASSAY_MUST;
void assay_taken_log_clear(struct assay_taken_log *taken);

/*
 * Learns, checks the log against the PCRs that the probe read, and writes the profile whole or not
 * at all; returns an exit code. origin gets the log and the boot application, and is handed over.
 */
struct assay_learn_job {
	const struct assay_taken_log *taken;
	const struct assay_boot_app *app;
	const char *name, *description;	 /* may be NULL */
	const char *log_path, *app_path; /* log_path: NULL when there is no such file */
	const char *out_path;
};
int assay_platform_learn_to(const struct assay_learn_job *job, struct assay_yaml *origin);

#endif
