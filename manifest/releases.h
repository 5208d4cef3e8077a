/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The releases that somebody has accepted, so that older ones are refused: a file of JSON (assay.releases/1) with the
 * highest of each image, and what was in it.
 */
#ifndef ASSAY_MANIFEST_RELEASES_H
#define ASSAY_MANIFEST_RELEASES_H

#include "manifest/verify.h"

#define ASSAY_RELEASES_SCHEMA "assay.releases/1"

/*
 * Holds a verified manifest against the file; refuses it in the verdict when it is below the image's highest release, or
 * is that release with another payload. Otherwise it is written down, before this returns. A verdict that refuses already
 * changes nothing. Several processes at once wait for each other (flock(2) on FILE.lock). A file that is not there is one
 * without releases; *ret_new says so.
 */
int assay_releases_accept(const char *path, struct assay_verdict *v, bool *ret_new, struct assay_err *err) ASSAY_MUST;

#endif
