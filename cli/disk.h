/* SPDX-License-Identifier: Apache-2.0 */
/* How verbs open the disks they are given: all in the same way, with the same options. */
#ifndef ASSAY_CLI_DISK_H
#define ASSAY_CLI_DISK_H

#include <getopt.h>

#include "measure/disk/open.h"
#include "measure/image.h"

/* A row for a verb's table of options, and what getopt answers for it: o.disk.allow_backing = true. */
#define ASSAY_CLI_ALLOW_BACKING 0x1000
#define ASSAY_CLI_DISK_OPTION { "allow-backing", no_argument, NULL, ASSAY_CLI_ALLOW_BACKING }

/* A disk; opts may be NULL. */
int assay_cli_disk_open(const char *path, const struct assay_disk_opts *opts,
			struct assay_src **ret, struct assay_err *err) ASSAY_MUST;
/* An OS disk: with its partition table and its ESP, under the file's name without its folder. */
int assay_cli_image_open(const char *path, const struct assay_disk_opts *opts,
			 struct assay_image **ret, struct assay_err *err) ASSAY_MUST;

#endif
