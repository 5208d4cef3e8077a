/* SPDX-License-Identifier: Apache-2.0 */
/* Does the root hash on the command line that is predicted cover the disk's root, and what lies in it? */
#ifndef ASSAY_PRECOMPUTE_ROOT_H
#define ASSAY_PRECOMPUTE_ROOT_H

#include "core/json.h"
#include "measure/links.h"

/*
 * For the prediction's "image": {"checked", "root_hash", "usr_hash", "remark"}. A link of the chain that is broken:
 * ASSAY_E_MISMATCH, which names it; one that cannot be checked, ASSAY_E_UNSUPPORTED. `skip`: only says so. `links`: those of
 * this disk, when they have been checked already; or NULL.
 */
int assay_predict_root(struct assay_image *image, const char *cmdline, bool skip,
		       const struct assay_links *links, struct assay_json **ret, struct assay_err *err) ASSAY_MUST;

#endif
