/* SPDX-License-Identifier: Apache-2.0 */
/* What lies below a root hash, and below partitions that have none: assay_image_links(). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "measure/facts_priv.h"
#include "measure/links_priv.h"
#include "measure/owners.h"
#include "measure/verity/report.h"

struct job {
	struct assay_image *image;
	struct assay_regions *regions; /* or NULL */
	struct assay_links *links;
	struct assay_verity_pairs *pairs;
	struct assay_json *verity, *filesystems, *containers, *lists;
};

/* --- root hash and verity ----------------------------------------------------------------------- */

static int add_below(struct job *j, const struct assay_verity_pair *pair, enum assay_link_kind kind,
		     enum assay_link_state state, char *what, char *by, char *why, struct assay_err *err)
{
	const struct assay_link_place place = { .pair = pair };

	return assay_links_add_at(j->links, &place, kind, state, what, by, why, err);
}

static int root_hash_link(struct job *j, const struct assay_verity_pair *pair, bool found,
			  struct assay_err *err)
{
	char hex[ASSAY_HEX_MAX] = "";
	char *by = !pair->source ? assay_strdup("PCR 5: UUIDs of the partitions") :
		   pair->by_entry ? assay_asprintf("PCR 12: options of %s", pair->source) :
				    assay_asprintf("PCR 11: .cmdline of %s", pair->source);

	if (!by)
		return assay_fail_mem(err);
	assay_hex(pair->root_hash, pair->root_hash_size, hex);
	char *what = found ? assay_asprintf("%s=%s: partition %u, hash tree in partition %u",
					    pair->usr ? "usrhash" : "roothash", hex, pair->data,
					    pair->hash) :
			     assay_asprintf("%s=%s", pair->usr ? "usrhash" : "roothash", hex);
	return add_below(j, pair, ASSAY_LINK_ROOT_HASH, found ? ASSAY_LINK_OK : assay_link_state_of(&pair->err), what,
			 by, found ? NULL : assay_link_why(&pair->err), err);
}

static char *faults_text(const struct assay_verity_pair *pair)
{
	const struct assay_verity_report *r = &pair->report;
	ASSAY_AUTO_FREE char *first = assay_verity_fault_text(pair, 0);

	if (!first || r->n_faults == 1)
		return assay_steal(&first);
	return assay_asprintf("%s, and %" PRIu64 " more", first, r->n_faults - 1);
}

static int verity_link(struct job *j, const struct assay_verity_pair *pair, struct assay_err *err)
{
	const char *key = pair->usr ? "usrhash" : "roothash";
	char *by = assay_asprintf("%s=", key), *what, *why = NULL;
	enum assay_link_state state = ASSAY_LINK_OK;

	if (!by)
		return assay_fail_mem(err);
	if (!pair->checked) {
		state = assay_link_state_of(&pair->err);
		what = assay_asprintf("partition %u", pair->data);
		why = assay_link_why(&pair->err);
	} else {
		what = assay_asprintf("partition %u: %" PRIu64 " blocks of %" PRIu32 " bytes, %s", pair->data,
				      pair->params.data_blocks, pair->params.data_block_size,
				      assay_bank_name(pair->params.bank));
		if (!pair->report.verified) {
			state = ASSAY_LINK_BROKEN;
			why = faults_text(pair);
			if (!why) {
				free(what);
				free(by);
				return assay_fail_mem(err);
			}
		}
	}
	return add_below(j, pair, ASSAY_LINK_VERITY, state, what, by, why, err);
}

/* --- regions of a pair -------------------------------------------------------------------------- */

struct span {
	uint64_t size; /* from where the last ended */
	bool counts;
	const char *what;
};

/* cryptsetup, "Verity superblock format"; behind the names the parser looks no further. */
static int claim_superblock(struct job *j, const struct assay_verity_pair *pair, uint64_t gap,
			    struct assay_err *err)
{
	const uint64_t name = strlen(assay_bank_name(pair->params.bank)) + 1;
	const struct span spans[] = {
		{ 16, true, "dm-verity superblock" },
		{ 16, false, "dm-verity superblock: UUID" },
		{ name, true, "dm-verity superblock" },
		{ 32 - name, false, "dm-verity superblock: padding" },
		{ 18, true, "dm-verity superblock" },
		{ 6, false, "dm-verity superblock: padding" },
		{ pair->params.salt_size, true, "dm-verity superblock" },
		{ gap - 88 - pair->params.salt_size, false, "dm-verity superblock: padding" },
	};
	const char *measured = pair->report.verified ? "facts\nroot hash" : "facts";
	uint64_t at = pair->hash_offset;
	unsigned label;

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		if (assay_regions_label(j->regions, spans[i].counts ? ASSAY_MEASURED_YES : ASSAY_MEASURED_NO,
					spans[i].counts ? measured : NULL, &label, err, "partition %u: %s",
					pair->hash, spans[i].what) < 0 ||
		    assay_regions_claim(j->regions, ASSAY_LAYER_STRUCTURE, at, spans[i].size, label, err) < 0)
			return -1;
		at += spans[i].size;
	}
	return 0;
}

static int claim_part(struct job *j, unsigned part, uint64_t offset, uint64_t size,
		      enum assay_measured measured, const char *by, const char *what, struct assay_err *err)
{
	unsigned label;

	if (!j->regions)
		return 0;
	if (assay_regions_label(j->regions, measured, by, &label, err, "partition %u: %s", part, what) < 0)
		return -1;
	return assay_regions_claim(j->regions, ASSAY_LAYER_STRUCTURE, offset, size, label, err);
}

/* Bytes of a block that is at fault already may change without another word about it. */
static int claim_pair(struct job *j, const struct assay_verity_pair *pair, struct assay_err *err)
{
	const struct assay_verity_params *p = &pair->params;
	const bool ok = pair->checked && pair->report.verified;
	const enum assay_measured measured = ok ? ASSAY_MEASURED_YES : ASSAY_MEASURED_PARTLY;
	ASSAY_AUTO_FREE char *by = assay_asprintf("%s of partition %u", pair->usr ? "usrhash" : "roothash",
						  pair->data);

	if (!by)
		return assay_fail_mem(err);
	if (!j->regions)
		return 0;
	if (!pair->checked) {
		if (claim_part(j, pair->data, pair->data_offset, pair->data_size, measured, "facts",
			       "data that could not be checked", err) < 0)
			return -1;
		return claim_part(j, pair->hash, pair->hash_offset, pair->hash_size, measured, "facts",
				  "hash tree that could not be checked", err);
	}
	const uint64_t covered = p->data_blocks * p->data_block_size;
	const uint64_t tree = pair->report.tree_blocks * p->hash_block_size;
	if (claim_part(j, pair->data, pair->data_offset, covered, measured, ok ? by : "facts",
		       "data that its hash tree covers", err) < 0 ||
	    claim_part(j, pair->data, pair->data_offset + covered, pair->data_size - covered,
		       ASSAY_MEASURED_NO, NULL, "behind the data that its hash tree covers", err) < 0 ||
	    claim_part(j, pair->hash, pair->hash_offset + p->hash_start, tree, measured, ok ? by : "facts",
		       "hash tree", err) < 0 ||
	    claim_part(j, pair->hash, pair->hash_offset + p->hash_start + tree,
		       pair->hash_size - p->hash_start - tree, ASSAY_MEASURED_NO, NULL,
		       "behind the hash tree", err) < 0)
		return -1;
	return claim_superblock(j, pair, p->hash_start, err);
}

static int check_pair(struct job *j, struct assay_verity_pair *pair, struct assay_err *err)
{
	const bool found = pair->err.code == ASSAY_OK;

	if (!found && assay_link_is_ours(&pair->err))
		goto ours;
	if (root_hash_link(j, pair, found, err) < 0)
		return -1;
	if (found) {
		assay_verity_pair_check(j->image->disk, pair);
		assay_verity_owners_on(j->image->disk, pair);
		if (!pair->checked && assay_link_is_ours(&pair->err))
			goto ours;
		if (verity_link(j, pair, err) < 0 || claim_pair(j, pair, err) < 0)
			return -1;
	}
	assay_json_append(j->verity, assay_verity_pair_json(pair));
	return 0;
ours:
	if (err)
		*err = pair->err;
	return -1;
}

/* --- filesystems -------------------------------------------------------------------------------- */

/* Is it meant to be mounted as root or /usr? */
static bool is_root_type(const struct assay_gpt_part *part)
{
	const char *name = assay_gpt_type_name(part->type);

	return name && !strstr(name, " verity") &&
	       (strncmp(name, "Linux root", 10) == 0 || strncmp(name, "Linux /usr", 10) == 0);
}

/* What dm-verity gives to the kernel ends with the data that the tree covers. */
static int open_data(struct job *j, const struct assay_gpt_part *part,
		     const struct assay_verity_pair *pair, struct assay_src **ret, struct assay_err *err)
{
	uint64_t size = part->size;

	if (pair && pair->checked)
		size = pair->params.data_blocks * pair->params.data_block_size;
	return assay_src_slice(j->image->disk, part->offset, size, ret, err);
}

/* The filesystem itself; *ret_root_hash: the one that is proved to cover it. */
static int filesystem_link(struct job *j, const struct assay_gpt_part *part,
			   const struct assay_verity_pair *pair, struct assay_fs *fs,
			   const struct assay_err *why, char **ret_root_hash, struct assay_err *err)
{
	struct assay_json *o = assay_json_object();
	enum assay_link_state state = fs ? ASSAY_LINK_OK : assay_link_state_of(why);
	char hex[ASSAY_HEX_MAX], *by = NULL;

	assay_json_append(j->filesystems, o);
	assay_json_set_int(o, "partition", part->index);
	if (fs)
		assay_json_set_str(o, "type", assay_fs_name(fs));
	else
		assay_json_set_str(o, "error", why->msg);
	if (pair && pair->checked && pair->report.verified) {
		*ret_root_hash = assay_strdup(assay_hex(pair->root_hash, pair->root_hash_size, hex));
		by = assay_asprintf("%s of partition %u", pair->usr ? "usrhash" : "roothash", part->index);
		if (!*ret_root_hash || !by) {
			free(by);
			return assay_fail_mem(err);
		}
		assay_json_set_str(o, "root_hash", *ret_root_hash);
	} else if (!pair && !fs) {
		state = ASSAY_LINK_OPEN; /* nobody said what ought to be there */
	}
	return add_below(j, pair, ASSAY_LINK_FILESYSTEM, state,
			 fs ? assay_asprintf("partition %u: %s", part->index, assay_fs_name(fs)) :
			      assay_asprintf("partition %u", part->index),
			 by, fs ? NULL : assay_link_why(why), err);
}

/* A partition that no root hash covers. */
static int open_link(struct job *j, const struct assay_gpt_part *part, bool readable, struct assay_err *err)
{
	if (claim_part(j, part->index, part->offset, part->size, ASSAY_MEASURED_PARTLY, "facts",
		       readable ? "a filesystem that no root hash covers" :
				  "what no root hash covers, and no filesystem that can be read",
		       err) < 0)
		return -1;
	if (!is_root_type(part))
		return 0;
	return add_below(j, NULL, ASSAY_LINK_VERITY, ASSAY_LINK_OPEN,
			 assay_asprintf("partition %u (%s)", part->index, assay_gpt_type_name(part->type)), NULL,
			 assay_strdup("no root hash covers it: nothing vouches for it"), err);
}

static int look_into(struct job *j, const struct assay_gpt_part *part,
		     const struct assay_verity_pair *pair, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_fs) *fs = NULL;
	ASSAY_AUTO_FREE char *root_hash = NULL;
	struct assay_err why = { .at = ASSAY_NO_OFFSET };

	if (open_data(j, part, pair, &src, err) < 0)
		return assay_wrap(err, "partition %u", part->index);
	if (assay_fs_open(src, &fs, &why) < 0 && assay_link_is_ours(&why)) {
		*err = why;
		return assay_wrap(err, "partition %u", part->index);
	}
	/* What is no filesystem, and not said to be one, is nobody's business. */
	if (!fs && !pair && !is_root_type(part) && why.code == ASSAY_E_UNSUPPORTED)
		return 0;
	if ((!pair && open_link(j, part, fs != NULL, err) < 0) ||
	    filesystem_link(j, part, pair, fs, &why, &root_hash, err) < 0)
		return -1;
	if (!fs)
		return 0;
	const struct assay_link_place place = { fs, part->index, pair, root_hash };
	if (assay_links_containers(j->links, &place, j->containers, j->lists, &why) == 0)
		return 0;
	if (assay_link_is_ours(&why)) {
		*err = why;
		return assay_wrap(err, "partition %u", part->index);
	}
	/* Its tree of folders cannot be walked. */
	return add_below(j, pair, ASSAY_LINK_FILESYSTEM, assay_link_state_of(&why),
			 assay_asprintf("partition %u: folders and files", part->index), NULL,
			 assay_link_why(&why), err);
}

static const struct assay_verity_pair *pair_of(const struct job *j, unsigned part, bool *ret_is_hash)
{
	const struct assay_verity_pair *found = NULL;

	*ret_is_hash = false;
	for (size_t i = 0; i < j->pairs->n; i++) {
		const struct assay_verity_pair *p = &j->pairs->p[i];

		*ret_is_hash |= p->hash == part;
		if (p->data == part && p->hash && (!found || (!found->report.verified && p->checked)))
			found = p;
	}
	return found;
}

static bool is_verity_type(const struct assay_gpt_part *part)
{
	const char *name = assay_gpt_type_name(part->type);

	return name && strstr(name, " verity") != NULL;
}

static int look_around(struct job *j, struct assay_err *err)
{
	const struct assay_gpt *gpt = j->image->gpt;
	bool root = false;

	for (size_t i = 0; i < gpt->n_parts; i++) {
		const struct assay_gpt_part *part = &gpt->parts[i];
		bool is_hash;
		const struct assay_verity_pair *pair = pair_of(j, part->index, &is_hash);

		if (assay_gpt_is_esp(part) || is_hash || is_verity_type(part))
			continue;
		root |= pair || is_root_type(part);
		if (look_into(j, part, pair, err) < 0)
			return -1;
	}
	if (root || j->pairs->n)
		return 0;
	return add_below(j, NULL, ASSAY_LINK_VERITY, ASSAY_LINK_OPEN, assay_strdup("the root filesystem"), NULL,
			 assay_strdup("no command line names a root hash, and no partition is said to be "
				      "one: nothing vouches for it"),
			 err);
}

/* --- the whole ---------------------------------------------------------------------------------- */

static int run(struct job *j, struct assay_err *err)
{
	if (assay_verity_pairs_find(j->image->disk, &j->pairs, err) < 0) {
		if (err->code != ASSAY_E_NOTFOUND)
			return -1;
		j->pairs = calloc(1, sizeof(*j->pairs));
		if (!j->pairs)
			return assay_fail_mem(err);
	}
	for (size_t i = 0; i < j->pairs->n; i++)
		if (check_pair(j, &j->pairs->p[i], err) < 0)
			return -1;
	return look_around(j, err);
}

int assay_image_links(struct assay_image *image, struct assay_json *facts, struct assay_regions *regions,
		      struct assay_links **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_links) *links = calloc(1, sizeof(*links));
	ASSAY_AUTO(assay_json) *own = facts ? NULL : assay_json_object();
	struct assay_json *to = facts ? facts : own;
	struct job j = { .image = image,
			 .regions = regions,
			 .links = links,
			 .verity = assay_json_array(),
			 .filesystems = assay_json_array(),
			 .containers = assay_json_array(),
			 .lists = assay_json_array() };

	assay_json_set(to, "verity", j.verity);
	assay_json_set(to, "filesystems", j.filesystems);
	assay_json_set(to, "containers", j.containers);
	assay_json_set(to, "container_measurements", j.lists);
	if (!links)
		return assay_fail_mem(err);
	const int rc = run(&j, err);
	assay_verity_pairs_free(&j.pairs);
	if (rc < 0)
		return -1;
	assay_json_set(to, "chain", assay_links_json(links));
	*ret = assay_steal(&links);
	return 0;
}
