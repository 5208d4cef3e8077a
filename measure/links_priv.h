/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by what makes links. */
#ifndef ASSAY_MEASURE_LINKS_PRIV_H
#define ASSAY_MEASURE_LINKS_PRIV_H

#include "measure/links.h"
#include "measure/verity/pair.h"

/* What could not be had for want of something on this machine says nothing about the disk. */
bool assay_link_is_ours(const struct assay_err *err);
/* BROKEN, or UNCHECKED for what is refused by name. */
enum assay_link_state assay_link_state_of(const struct assay_err *err);
/* The message with its offset; fresh memory. */
char *assay_link_why(const struct assay_err *err);

/* A filesystem, and what covers it. */
struct assay_link_place {
	struct assay_fs *fs;
	unsigned part;
	const struct assay_verity_pair *pair; /* NULL: none */
	const char *root_hash;		      /* hex; NULL: none that is proved */
};
/* Adds a link that hangs on the place's root hash; as assay_links_add(). */
int assay_links_add_at(struct assay_links *links, const struct assay_link_place *place,
		       enum assay_link_kind kind, enum assay_link_state state, char *what, char *by, char *why,
		       struct assay_err *err) ASSAY_MUST;

/* root_containers.c: the archives of a filesystem, and the file that lists their images. */
int assay_links_containers(struct assay_links *links, const struct assay_link_place *place,
			   struct assay_json *containers, struct assay_json *lists,
			   struct assay_err *err) ASSAY_MUST;

#endif
