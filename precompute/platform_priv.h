/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that read, write and learn profiles share. */
#ifndef ASSAY_PRECOMPUTE_PLATFORM_PRIV_H
#define ASSAY_PRECOMPUTE_PLATFORM_PRIV_H

#include "precompute/platform.h"

/* A profile speaks of the PCRs that are predicted; 16 to 23 are never the platform's or the
 * image's. */
#define ASSAY_PLATFORM_N_PCRS 16

/* "line 12: MESSAGE", at the node's byte offset. Always -1. */
int assay_platform_fail_at(struct assay_err *err, const struct assay_yaml *node, const char *fmt,
			   ...) __attribute__((format(printf, 3, 4)));

/* Every key of the origin known, every digest of the right form. */
int assay_platform_check_origin(const struct assay_yaml *origin, struct assay_err *err) ASSAY_MUST;

/* What v->hashed says, digested in these banks. */
int assay_platform_value_digest(struct assay_platform_value *v, unsigned banks,
				struct assay_err *err) ASSAY_MUST;

/* Is this name (ASCII) the variable's? */
bool assay_platform_variable_is(const struct assay_event_variable *var, const char *name);

/* Sets p->secure_boot from the SecureBoot variable's event: -1 when there is none. */
void assay_platform_find_secure_boot(struct assay_platform *p);

#endif
