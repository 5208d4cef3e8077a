/* SPDX-License-Identifier: Apache-2.0 */
/* What is behind the types of include/assay.h. */
#ifndef ASSAY_API_PUBLIC_PRIV_H
#define ASSAY_API_PUBLIC_PRIV_H

#include <assay.h>
#include <stdatomic.h>

#include "api/verify.h"

struct assay_policy {
	atomic_uint users; /* who made it, and each result */
	struct assay_api_policy *api;
	bool sealed, has_key, has_ca, has_identity, has_trust, has_measurements, has_time;
	int64_t at;
	struct {
		char *p;
		size_t len;
	} *manifests; /* verified at the end, when all is known that they are judged by */
	size_t n_manifests;
	enum assay_status broken; /* what the first call that failed has answered, and said */
	char first_error[512];
	char error[512];
};

struct assay_policy *assay_policy_use(const struct assay_policy *policy);

#endif
