/* SPDX-License-Identifier: Apache-2.0 */
/* A prediction on its way to people. */
#ifndef ASSAY_CLI_PREDICTION_H
#define ASSAY_CLI_PREDICTION_H

#include "precompute/prediction.h"

/* A table for each bank: PCR, value, what it covers, where it comes from. */
void assay_cli_prediction_print(const struct assay_prediction *p);

#endif
