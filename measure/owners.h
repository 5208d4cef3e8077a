/* SPDX-License-Identifier: Apache-2.0 */
/* Whose bytes the faulty blocks of a dm-verity pair are: the filesystem in the data, asked about
 * its blocks. */
#ifndef ASSAY_MEASURE_OWNERS_H
#define ASSAY_MEASURE_OWNERS_H

#include "measure/verity/pair.h"

/*
 * Fills pair->owners for the faults in data that are listed. What a filesystem with faults in it
 * says of itself may be wrong, and may be nothing at all: it is a help to look, and no fact. `data`
 * is the pair's data, from its first byte.
 */
void assay_verity_owners(struct assay_src *data, struct assay_verity_pair *pair);
/* The same, with the disk that the pair is on. */
void assay_verity_owners_on(struct assay_src *disk, struct assay_verity_pair *pair);

#endif
