/* SPDX-License-Identifier: Apache-2.0 */
/* A prediction on its way to people. */
#ifndef ASSAY_CLI_PREDICTION_H
#define ASSAY_CLI_PREDICTION_H

#include "manifest/manifest.h"

/*
 * Out of a file that is a prediction, or a manifest (an envelope, whose signatures nobody looks at here, or a statement)
 * with a prediction for `platform`; NULL: the only one.
 */
int assay_cli_prediction_load(const char *path, const char *platform, struct assay_prediction **ret,
			      struct assay_err *err) ASSAY_MUST;

/* The same with the manifest; NULL in *ret_manifest when the file is a prediction. */
int assay_cli_prediction_load_with(const char *path, const char *platform, struct assay_prediction **ret,
				   struct assay_manifest **ret_manifest, struct assay_err *err) ASSAY_MUST;

/* The file's one prediction, or the manifest that it is: one of the two is set. */
int assay_cli_prediction_open(const char *path, struct assay_prediction **ret, struct assay_manifest **ret_manifest,
			      struct assay_err *err) ASSAY_MUST;

/* Is it for that platform? NULL: any. ASSAY_E_NOTFOUND names the one it is for. */
int assay_cli_prediction_check(const struct assay_prediction *p, const char *platform,
			       struct assay_err *err) ASSAY_MUST;

/* A machine's registers, BANK INDEX HEX. */
int assay_cli_pcrs_load(const char *path, struct assay_pcrs *ret, struct assay_err *err) ASSAY_MUST;

/* A table for each bank: PCR, value, what it covers, where it comes from. */
void assay_cli_prediction_print(const struct assay_prediction *p);

#endif
