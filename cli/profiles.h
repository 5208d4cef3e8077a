/* SPDX-License-Identifier: Apache-2.0 */
/* The platform profiles that a manifest was made with: given, or found beside it. */
#ifndef ASSAY_CLI_PROFILES_H
#define ASSAY_CLI_PROFILES_H

#include "cli/release.h"

struct assay_cli_profiles {
	struct assay_cli_profile {
		char *path;
		bool found; /* in the manifest's folder, by its digest */
	} *p; /* one for each of the release's platforms */
	size_t n;
};

/*
 * r->platforms are those of `given`. Adds to them, for each platform of the manifest that none of them is for, the
 * file *.yaml of the manifest's folder whose SHA-256 the manifest names, if there is one. Says on stderr what is wrong;
 * returns an exit code.
 */
int assay_cli_profiles_find(const char *manifest_path, const struct assay_manifest *m,
			    const struct assay_cli_paths *given, struct assay_cli_release *r,
			    struct assay_cli_profiles *ret);
void assay_cli_profiles_clear(struct assay_cli_profiles *profiles);

#endif
