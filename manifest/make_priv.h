/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of assay_manifest_make(), for the audit, which goes on where making refuses. */
#ifndef ASSAY_MANIFEST_MAKE_PRIV_H
#define ASSAY_MANIFEST_MAKE_PRIV_H

#include "manifest/manifest.h"

/* Members that need no disk: schema, name, release, validity, tool, options. */
void assay_manifest_describe(const struct assay_manifest_input *in, struct assay_json *predicate);
/* assay.facts/1 without what the disk was packed in. Links may be broken. */
int assay_manifest_facts(struct assay_image *image, const char *boot, struct assay_json **ret,
			 struct assay_links **ret_links, struct assay_err *err) ASSAY_MUST;
/* The same of a data disk: assay.data/1. */
int assay_manifest_data_facts(const struct assay_manifest_data *data, struct assay_json **ret,
			      struct assay_links **ret_links, struct assay_err *err) ASSAY_MUST;
/* ASSAY_E_MISMATCH with the first broken link: a manifest is for disks whose chain holds. */
int assay_manifest_judge(const struct assay_links *links, const char *disk, struct assay_err *err) ASSAY_MUST;
/* assay.prediction/1; options' links and disk are those of facts. */
int assay_manifest_predict(struct assay_image *image, const struct assay_platform *platform,
			   const struct assay_precompute_options *options, const struct assay_links *links,
			   const struct assay_json *facts, struct assay_json **ret, struct assay_err *err) ASSAY_MUST;
/* From a predicate with facts, data and predictions: its other members, and the statement. The predicate is handed over. */
int assay_manifest_finish(struct assay_json *predicate, struct assay_json **ret, struct assay_err *err) ASSAY_MUST;

#endif
