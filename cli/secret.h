/* SPDX-License-Identifier: Apache-2.0 */
/* Passphrases and PINs: out of a file, the environment, or a person at a terminal. */
#ifndef ASSAY_CLI_SECRET_H
#define ASSAY_CLI_SECRET_H

#include "manifest/key.h"

/*
 * path: the file whose first line it is, or NULL. Without one ASSAY_PASSPHRASE of the environment, without that the
 * terminal is asked. path is borrowed for as long as the result is used.
 */
struct assay_secret assay_cli_secret(const char *path);

#endif
