/* SPDX-License-Identifier: Apache-2.0 */
/* A platform profile out of the event log of a real machine. */
#ifndef ASSAY_PRECOMPUTE_LEARN_H
#define ASSAY_PRECOMPUTE_LEARN_H

#include "precompute/platform.h"

/*
 * `boot` is the Authenticode digest of the boot application that the log was taken with (the probe,
 * or a known disk's), in at least one bank of the log. The event in PCR 4 with these digests
 * becomes the boot slot, the GPT event the GPT slot; what follows the boot application is the
 * image's and left out, and so are the EV_EFI_VARIABLE_AUTHORITY events that the boot application
 * brought into PCR 7: firmware verifies an image right before it measures it (EDK2,
 * DxeSecurityManagementLib), so these lie between the last other event of PCR 4 and the boot
 * application's.
 *
 * Left out as well: EV_NO_ACTION, which extends nothing, and PCRs from 16 on. The exit slot is
 * always there, as a log may end before it. What the log cannot tell is `unknown` with the reason.
 *
 * ASSAY_E_NOTFOUND when the log has no event of the boot application; refused by name: one that is
 * there twice, an event in PCR 0-3 or 6 after it, an event without a digest in one of the log's
 * banks. `origin` is handed over, also on failure (may be NULL).
 */
int assay_platform_learn(const struct assay_eventlog *log, const struct assay_digests *boot,
			 const char *name, const char *arch, struct assay_yaml *origin,
			 struct assay_platform **ret, struct assay_err *err) ASSAY_MUST;

#endif
