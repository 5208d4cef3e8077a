/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The face of this room: an opened image and a platform profile give a prediction.
 */
#ifndef ASSAY_PRECOMPUTE_PRECOMPUTE_H
#define ASSAY_PRECOMPUTE_PRECOMPUTE_H

#include "measure/links.h"
#include "precompute/platform.h"
#include "precompute/prediction.h"

struct assay_precompute_options {
	unsigned banks;		    /* 0: those of the platform */
	const char *boot;	    /* the boot file on the ESP; NULL: the firmware's removable media path */
	const char *entry;	    /* the boot loader entry; NULL: what the boot loader would choose */
	const char *assume_stub;    /* treat unknown systemd-stub and systemd-boot versions as this one */
	const char *assume_kernel;  /* treat unknown kernels as this one ("6.12") */
	bool skip_chain;	    /* do not check what hangs on the command line's root hash */
	bool no_image_digest;	    /* leave the digest of the whole disk out (it is not needed for PCRs) */
	/* What the caller knows about this disk already; NULL: it is found out. */
	const struct assay_links *links;   /* assay_image_facts(), assay_image_links() */
	const struct assay_digests *disk; /* of the whole disk, with the sha256 bank */
};

/*
 * ASSAY_E_MISMATCH, and no prediction, when a link of the chain below the command line is broken: root hash, verity,
 * filesystem, containers.
 */
int assay_precompute(struct assay_image *image, const struct assay_platform *platform,
		     const struct assay_precompute_options *options, struct assay_prediction **ret,
		     struct assay_err *err) ASSAY_MUST;

#endif
