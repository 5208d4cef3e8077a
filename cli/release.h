/* SPDX-License-Identifier: Apache-2.0 */
/* What a manifest is made of, as verbs are given it: an OS disk, data disks, platform profiles. */
#ifndef ASSAY_CLI_RELEASE_H
#define ASSAY_CLI_RELEASE_H

#include "cli/cli.h"
#include "measure/disk/open.h"
#include "manifest/manifest.h"

/* Paths of one kind of option, in the order of the command line; borrowed. */
struct assay_cli_paths {
	char **p;
	size_t n;
};
int assay_cli_paths_add(struct assay_cli_paths *paths, char *path, struct assay_err *err) ASSAY_MUST;
void assay_cli_paths_clear(struct assay_cli_paths *paths);

/* A release number as people write it: digits, from 1 on. */
bool assay_cli_release_number(const char *text, uint64_t *ret);

/* All that assay_manifest_make() needs, opened. */
struct assay_cli_release {
	struct assay_manifest_input in; /* points into what is below */
	struct assay_image *image;
	struct assay_manifest_data *data;
	size_t n_data;
	struct assay_platform **platforms;
	size_t n_platforms;
};

/*
 * Opens the disk, under its file's name or under `name`, the data disks and the profiles, and sets these members of
 * ret->in. Says on stderr which file cannot be opened; returns an exit code. Always to be cleared.
 */
int assay_cli_release_open(const char *disk, const char *name, const struct assay_cli_paths *data,
			   const struct assay_cli_paths *platforms, const struct assay_disk_opts *opts,
			   struct assay_cli_release *ret);
/* One kind each, into the members of this name; *ret begins as zeros. */
int assay_cli_release_data(const struct assay_cli_paths *paths, const struct assay_disk_opts *opts,
			   struct assay_cli_release *ret);
int assay_cli_release_platforms(const struct assay_cli_paths *paths, struct assay_cli_release *ret);
void assay_cli_release_clear(struct assay_cli_release *r);

#endif
