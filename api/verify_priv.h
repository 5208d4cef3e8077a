/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ASSAY_API_VERIFY_PRIV_H
#define ASSAY_API_VERIFY_PRIV_H

#include "api/verify.h"

struct assay_api_manifest {
	struct assay_verdict *verdict; /* all else points into it */
	char *refused;		       /* "rolled-back: …", or NULL */
	char **names;
	struct assay_known_container *containers;
	size_t n_containers; /* and names */
	const char **disks;
	size_t n_disks;
};

struct assay_api_policy {
	struct assay_key **keys;
	size_t n_keys;
	struct assay_ca *ca;
	char **identities;
	size_t n_identities;
	uint64_t min_release;
	unsigned threshold; /* 0: 1 */
	char *name, *platform, *state, *phase;

	struct assay_api_manifest *manifests;
	size_t n_manifests;
	struct assay_pcrs *values;
	struct assay_expectation *boots; /* their lists are the manifests' */
	size_t n_boots;

	struct assay_expected *expected;
	size_t n_expected;
	struct assay_anchors *anchors;
	struct assay_proof_policy policy; /* what is set by itself: ignored, log_pcr */
};

#endif
