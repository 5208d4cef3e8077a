/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies where on a disk, from its first byte to its last, and whether a digest of the facts covers it.
 *
 * Whoever knows about some bytes claims them on a layer; a finer layer lies over a coarser one. In the end
 * they become one list without gaps.
 */
#ifndef ASSAY_MEASURE_REGIONS_H
#define ASSAY_MEASURE_REGIONS_H

#include "core/json.h"
#include "core/src.h"

enum assay_measured {
	ASSAY_MEASURED_NO,     /* no fact depends on it, but for the digest of the whole disk */
	ASSAY_MEASURED_PARTLY, /* some of its bits decide facts, others do not */
	ASSAY_MEASURED_YES,    /* other bits give other facts, or none: then the disk is refused */
};
const char *assay_measured_name(enum assay_measured measured); /* "no", "partly", "yes" */

enum assay_region_layer {
	ASSAY_LAYER_DISK,
	ASSAY_LAYER_PARTITION,
	ASSAY_LAYER_STRUCTURE, /* of a partition: superblock, tables, data */
	ASSAY_LAYER_FILE,
	ASSAY_LAYER_PART,   /* of a file: what firmware hashes */
	ASSAY_LAYER_DETAIL, /* of that: a section */
	ASSAY_N_LAYERS,
};

struct assay_regions;
int assay_regions_new(uint64_t disk_size, struct assay_regions **ret, struct assay_err *err) ASSAY_MUST;
void assay_regions_free(struct assay_regions **r);
ASSAY_DEFINE_AUTO(assay_regions)

/*
 * What some bytes are, in words, and what covers them: texts with '\n' between them; NULL: nothing. For
 * assay_regions_claim(); kept, so that a file in many pieces has one.
 */
int assay_regions_label(struct assay_regions *r, enum assay_measured measured, const char *by,
			unsigned *ret, struct assay_err *err, const char *fmt, ...)
	__attribute__((format(printf, 6, 7))) ASSAY_MUST;

/*
 * Bytes past the disk's end are cut off. Of two claims on one layer the one that starts first counts.
 * ASSAY_E_LIMIT after ASSAY_REGIONS_MAX: give up what is finer than a coarse claim that is true of all of it.
 */
int assay_regions_claim(struct assay_regions *r, enum assay_region_layer layer, uint64_t offset,
			uint64_t size, unsigned label, struct assay_err *err) ASSAY_MUST;
/* The same for bytes of a source that is cut out of `disk`; of any other nothing is claimed. */
int assay_regions_claim_src(struct assay_regions *r, enum assay_region_layer layer,
			    const struct assay_src *disk, const struct assay_src *src, uint64_t off,
			    uint64_t len, unsigned label, struct assay_err *err) ASSAY_MUST;
/* Forgets the claims inside a range that are on a finer layer than this. */
void assay_regions_drop(struct assay_regions *r, enum assay_region_layer layer, uint64_t offset,
			uint64_t size);

struct assay_region {
	uint64_t offset, size;
	unsigned label;
};
/* All of the disk, ascending, neighbours of one label joined; fresh memory. */
int assay_regions_list(struct assay_regions *r, struct assay_region **ret, size_t *ret_n,
		       struct assay_err *err) ASSAY_MUST;
enum assay_measured assay_regions_measured(const struct assay_regions *r, unsigned label);
const char *assay_regions_what(const struct assay_regions *r, unsigned label);
int assay_regions_json(struct assay_regions *r, struct assay_json **ret, struct assay_err *err) ASSAY_MUST;

#endif
