/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of a disk on its way to people: what measure and precompute share. */
#ifndef ASSAY_CLI_LINKS_H
#define ASSAY_CLI_LINKS_H

#include "measure/links.h"

/*
 * Names each link that is broken or could not be checked on stderr; returns the exit code that this makes: 3, or 1 where
 * nobody can say whether data is what a root hash covers. What lies in verified data may be of an unknown kind.
 */
int assay_cli_links_judge(const char *path, const struct assay_links *links);
/* One line for each link, and one more for what is wrong with it. */
void assay_cli_links_print(const struct assay_links *links);

#endif
