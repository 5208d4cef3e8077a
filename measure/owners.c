/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/owners.h"

#include <stdlib.h>

#include "core/text.h"
#include "measure/fs/map.h"

static size_t n_listed(const struct assay_verity_report *r)
{
	return r->n_faults < ASSAY_VERITY_MAX_FAULTS ? (size_t)r->n_faults
						     : ASSAY_VERITY_MAX_FAULTS;
}

/* The first file that has some of these bytes; else what they are. */
static struct assay_verity_owner owner_of(const struct assay_fs_map *map, uint64_t off,
					  uint64_t len)
{
	const struct assay_fs_region *r = assay_fs_map_find(map, off), *first = r;

	if (!r)
		return (struct assay_verity_owner){ 0 };
	for (; r < map->r + map->n && r->off < off + len; r++)
		if (r->path)
			return (struct assay_verity_owner){ .what = r->what,
							    .path = assay_strdup(r->path),
							    .more = r->more };
	return (struct assay_verity_owner){ .what = first->what };
}

void assay_verity_owners(struct assay_src *data, struct assay_verity_pair *pair)
{
	const struct assay_verity_report *r = &pair->report;
	const uint64_t size = pair->params.data_block_size;
	ASSAY_AUTO(assay_fs_map) *map = NULL;
	ASSAY_AUTO(assay_src) *covered = NULL;
	ASSAY_AUTO(assay_fs) *fs = NULL;
	struct assay_err err;
	bool any = false;

	for (size_t i = 0; i < n_listed(r); i++)
		any |= r->faults[i].level == 0;
	if (!pair->checked || !any || pair->owners ||
	    assay_src_slice(data, 0, pair->params.data_blocks * size, &covered, &err) < 0 ||
	    assay_fs_open(covered, &fs, &err) < 0 || assay_fs_map_new(fs, &map, &err) < 0)
		return;
	pair->owners = calloc(ASSAY_VERITY_MAX_FAULTS, sizeof(*pair->owners));
	for (size_t i = 0; pair->owners && i < n_listed(r); i++)
		if (r->faults[i].level == 0)
			pair->owners[i] = owner_of(map, r->faults[i].block * size, size);
}

void assay_verity_owners_on(struct assay_src *disk, struct assay_verity_pair *pair)
{
	ASSAY_AUTO(assay_src) *data = NULL;
	struct assay_err err;

	if (pair->checked &&
	    assay_src_slice(disk, pair->data_offset, pair->data_size, &data, &err) == 0)
		assay_verity_owners(data, pair);
}
