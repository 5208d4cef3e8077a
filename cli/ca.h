/* SPDX-License-Identifier: Apache-2.0 */
/* What `assay ca` verbs share. */
#ifndef ASSAY_CLI_CA_H
#define ASSAY_CLI_CA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

/* A request, an answer: small files. Fresh, with a NUL; errors do not name it. */
int assay_cli_read_small(const char *path, char **ret, size_t *ret_len, struct assay_err *err) ASSAY_MUST;
/* "365": 1 to ASSAY_AKCA_MAX_DAYS. */
bool assay_cli_days(const char *text, unsigned *ret);
/* 3 when something was checked and refused. */
int assay_cli_refused(const char *path, const struct assay_err *err);

#endif
