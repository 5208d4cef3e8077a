/* SPDX-License-Identifier: Apache-2.0 */
/* A platform profile out of the event log of a real machine. */
#ifndef ASSAY_PRECOMPUTE_LEARN_H
#define ASSAY_PRECOMPUTE_LEARN_H

#include "precompute/platform.h"

/*
 * `boot` is the Authenticode digest of the boot application that the log was taken with (the probe, or a known
 * disk's), in at least the banks of the log. The event in PCR 4 with these digests becomes the boot slot, the
 * GPT event the GPT slot; what follows the boot application is the image's and left out, and so are
 * the EV_EFI_VARIABLE_AUTHORITY events that the boot application brought into PCR 7. ASSAY_E_NOTFOUND when the log has no such
 * event; an event in PCR 0-3 or 6 after it is refused by name.
 * `origin` is handed over (may be NULL).
 */
int assay_platform_learn(const struct assay_eventlog *log, const struct assay_digests *boot,
			 const char *name, const char *arch, struct assay_yaml *origin,
			 struct assay_platform **ret, struct assay_err *err) ASSAY_MUST;

#endif
