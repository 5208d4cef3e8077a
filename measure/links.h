/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain below a command line, link by link: the root hash that it names, the data that this hash covers,
 * the filesystem in it, container archives in that, their image IDs, and the file that lists these.
 */
#ifndef ASSAY_MEASURE_LINKS_H
#define ASSAY_MEASURE_LINKS_H

#include "measure/image.h"
#include "measure/regions.h"

enum assay_link_kind {
	ASSAY_LINK_ROOT_HASH,	 /* a command line, or UUIDs, lead to partitions */
	ASSAY_LINK_VERITY,	 /* their data leads to the root hash */
	ASSAY_LINK_FILESYSTEM,	 /* what is in the data can be read */
	ASSAY_LINK_CONTAINER,	 /* an archive's layers are those of its image IDs */
	ASSAY_LINK_MEASUREMENTS, /* container_measurements.json names these images */
};
enum assay_link_state {
	ASSAY_LINK_OK,
	ASSAY_LINK_BROKEN,    /* checked: one end does not lead to the other */
	ASSAY_LINK_UNCHECKED, /* of a kind that cannot be checked; `why` names it */
	ASSAY_LINK_OPEN,      /* nothing is there to check it with */
};
const char *assay_link_kind_name(enum assay_link_kind kind);	/* "root hash", "verity", … */
const char *assay_link_state_name(enum assay_link_state state); /* "ok", "broken", … */

struct assay_link {
	enum assay_link_kind kind;
	enum assay_link_state state;
	char *what; /* in words: "partition 2: 32640 blocks under root hash 12ab…" */
	char *by;   /* what vouches for it: "root hash of partition 2"; NULL: nothing */
	char *why;  /* NULL when it is ok */
	/* The root hash that it hangs on; size 0: none. */
	bool usr;
	uint8_t root_hash[ASSAY_MAX_DIGEST];
	size_t root_hash_size;
};

struct assay_links {
	struct assay_link *l; /* from the command line downwards */
	size_t n;
};
void assay_links_free(struct assay_links **links);
ASSAY_DEFINE_AUTO(assay_links)

/*
 * Adds one; texts are handed over. No `what`, or no `why` of one that is not ok, counts as out of memory. *ret is
 * borrowed until the next.
 */
int assay_links_add(struct assay_links *links, enum assay_link_kind kind, enum assay_link_state state,
		    char *what, char *by, char *why, struct assay_link **ret,
		    struct assay_err *err) ASSAY_MUST;
struct assay_json *assay_links_json(const struct assay_links *links);

/*
 * Checks all of it, which reads every byte that a root hash covers, and what is in the filesystems. Adds to
 * `facts` (NULL: not wanted) the members verity, filesystems, containers, container_measurements, chain, and to
 * `regions` (NULL: not wanted) what each partition's bytes are. Without `facts` partitions that no root hash covers are
 * not looked into. 0 also when links are broken.
 */
int assay_image_links(struct assay_image *image, struct assay_json *facts,
		      struct assay_regions *regions, struct assay_links **ret,
		      struct assay_err *err) ASSAY_MUST;
/*
 * The same of a data disk: no command line, and what binds its root hash is not on it. gpt NULL: it has none, and is one
 * device.
 */
int assay_data_links(struct assay_src *disk, const struct assay_gpt *gpt, struct assay_json *facts,
		     struct assay_regions *regions, struct assay_links **ret,
		     struct assay_err *err) ASSAY_MUST;

#endif
