/* SPDX-License-Identifier: Apache-2.0 */
/* What lies below a root hash, and below partitions that have none: assay_image_links(). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "measure/facts_priv.h"
#include "measure/fs/tree.h"
#include "measure/links_priv.h"
#include "measure/owners.h"
#include "measure/packages/packages.h"
#include "measure/root_modules.h"
#include "measure/verity/report.h"

struct job {
	struct assay_src *disk;
	const struct assay_gpt *gpt; /* NULL: none, the disk is one device */
	bool vouched_only;	     /* leave partitions alone that no root hash covers */
	struct assay_regions *regions; /* or NULL */
	struct assay_links *links;
	struct assay_verity_pairs *pairs;
	struct assay_json *verity, *filesystems, *containers, *lists;
};

/* "partition 2", or "the disk" where it has none. */
struct name {
	char text[32];
};

static struct name name_of(unsigned part)
{
	struct name n = { "the disk" };

	if (part)
		snprintf(n.text, sizeof(n.text), "partition %u", part);
	return n;
}

static const char *key_of(const struct assay_verity_pair *pair)
{
	return pair->generic ? "root hash" : pair->usr ? "usrhash" : "roothash";
}

/* --- root hash and verity ----------------------------------------------------------------------- */

static int add_below(struct job *j, const struct assay_verity_pair *pair, enum assay_link_kind kind,
		     enum assay_link_state state, char *what, char *by, char *why, struct assay_err *err)
{
	const struct assay_link_place place = { .pair = pair };

	return assay_links_add_at(j->links, &place, kind, state, what, by, why, err);
}

static char *named_by(const struct assay_verity_pair *pair)
{
	if (pair->source)
		return pair->by_entry ? assay_asprintf("PCR 12: options of %s", pair->source) :
					assay_asprintf("PCR 11: .cmdline of %s", pair->source);
	return pair->generic ? assay_strdup("the disk's own word: what binds it is not on it") :
			       assay_strdup("PCR 5: UUIDs of the partitions");
}

static int root_hash_link(struct job *j, const struct assay_verity_pair *pair, bool found,
			  struct assay_err *err)
{
	char hex[ASSAY_HEX_MAX] = "";
	char *by = named_by(pair), *what;

	if (!by)
		return assay_fail_mem(err);
	assay_hex(pair->root_hash, pair->root_hash_size, hex);
	if (!found)
		what = assay_asprintf("%s=%s", key_of(pair), hex);
	else if (pair->data == pair->hash)
		what = assay_asprintf("%s=%s: %s, hash tree behind the data", key_of(pair), hex,
				      name_of(pair->data).text);
	else
		what = assay_asprintf("%s=%s: partition %u, hash tree in partition %u", key_of(pair), hex,
				      pair->data, pair->hash);
	return add_below(j, pair, ASSAY_LINK_ROOT_HASH, found ? ASSAY_LINK_OK : assay_link_state_of(&pair->err),
			 what, by, found ? NULL : assay_link_why(&pair->err), err);
}

static int open_data(struct job *j, const struct assay_verity_pair *pair, struct assay_src **ret,
		     struct assay_err *err)
{
	/* What dm-verity gives to the kernel ends with the data that the tree covers. */
	const uint64_t size = pair->checked ? pair->params.data_blocks * pair->params.data_block_size :
					      pair->data_size;

	return assay_src_slice(j->disk, pair->data_offset, size, ret, err);
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
	char *by = assay_asprintf("%s=", key_of(pair)), *what, *why = NULL;
	enum assay_link_state state = ASSAY_LINK_OK;

	if (!by)
		return assay_fail_mem(err);
	if (!pair->checked) {
		state = assay_link_state_of(&pair->err);
		what = assay_strdup(name_of(pair->data).text);
		why = assay_link_why(&pair->err);
	} else {
		what = assay_asprintf("%s: %" PRIu64 " blocks of %" PRIu32 " bytes, %s",
				      name_of(pair->data).text, pair->params.data_blocks, pair->params.data_block_size,
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
static int claim_superblock(struct job *j, const struct assay_verity_pair *pair, uint64_t size,
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
		{ size - 88 - pair->params.salt_size, false, "dm-verity superblock: padding" },
	};
	const char *measured = pair->report.verified ? "facts\nroot hash" : "facts";
	uint64_t at = pair->hash_offset + pair->superblock;
	unsigned label;

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		if (assay_regions_label(j->regions, spans[i].counts ? ASSAY_MEASURED_YES : ASSAY_MEASURED_NO,
					spans[i].counts ? measured : NULL, &label, err, "%s: %s",
					name_of(pair->hash).text, spans[i].what) < 0 ||
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
	if (assay_regions_label(j->regions, measured, by, &label, err, "%s: %s", name_of(part).text,
				what) < 0)
		return -1;
	return assay_regions_claim(j->regions, ASSAY_LAYER_STRUCTURE, offset, size, label, err);
}

/* Bytes of a block that is at fault already may change without another word about it. */
static int claim_checked(struct job *j, const struct assay_verity_pair *pair, struct assay_err *err)
{
	const struct assay_verity_params *p = &pair->params;
	const bool ok = pair->report.verified, same = pair->data == pair->hash;
	const enum assay_measured measured = ok ? ASSAY_MEASURED_YES : ASSAY_MEASURED_PARTLY;
	const uint64_t covered = p->data_blocks * p->data_block_size;
	const uint64_t tree = pair->report.tree_blocks * p->hash_block_size;
	const uint64_t data_end = same ? pair->superblock : pair->data_size;
	ASSAY_AUTO_FREE char *by = assay_asprintf("%s of %s", key_of(pair), name_of(pair->data).text);

	if (!by)
		return assay_fail_mem(err);
	if (claim_part(j, pair->data, pair->data_offset, covered, measured, ok ? by : "facts",
		       "data that its hash tree covers", err) < 0 ||
	    claim_part(j, pair->data, pair->data_offset + covered, data_end - covered, ASSAY_MEASURED_NO, NULL,
		       "behind the data that its hash tree covers", err) < 0 ||
	    claim_part(j, pair->hash, pair->hash_offset + p->hash_start, tree, measured, ok ? by : "facts",
		       "hash tree", err) < 0 ||
	    claim_part(j, pair->hash, pair->hash_offset + p->hash_start + tree,
		       pair->hash_size - p->hash_start - tree, ASSAY_MEASURED_NO, NULL,
		       "behind the hash tree", err) < 0)
		return -1;
	if (!same && claim_part(j, pair->hash, pair->hash_offset, pair->superblock, ASSAY_MEASURED_NO, NULL,
				"before the dm-verity superblock", err) < 0)
		return -1;
	return claim_superblock(j, pair, p->hash_start - pair->superblock, err);
}

static int claim_pair(struct job *j, const struct assay_verity_pair *pair, struct assay_err *err)
{
	if (!j->regions)
		return 0;
	/* Other shapes than a superblock with a tree behind it are refused before they are checked. */
	if (pair->checked && pair->params.superblock && pair->params.hash_start >= pair->superblock + 512)
		return claim_checked(j, pair, err);
	if (claim_part(j, pair->data, pair->data_offset, pair->data_size, ASSAY_MEASURED_PARTLY, "facts",
		       "data that is not covered as usual", err) < 0)
		return -1;
	if (pair->data == pair->hash)
		return 0;
	return claim_part(j, pair->hash, pair->hash_offset, pair->hash_size, ASSAY_MEASURED_PARTLY, "facts",
			  "hash tree that is not as usual", err);
}

static int check_pair(struct job *j, struct assay_verity_pair *pair, struct assay_err *err)
{
	const bool found = pair->err.code == ASSAY_OK;

	if (!found && assay_link_is_ours(&pair->err))
		goto ours;
	if (root_hash_link(j, pair, found, err) < 0)
		return -1;
	if (found) {
		assay_verity_pair_check(j->disk, pair);
		assay_verity_owners_on(j->disk, pair);
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

/* A partition, or the disk as a whole. */
struct area {
	unsigned part;
	uint64_t offset, size;
	const char *root_type; /* of one that is meant to be mounted as root or /usr */
};

/* Every file is read for it; `why` is filled when one cannot be. FAT has none. */
static int add_tree(struct assay_fs *fs, struct assay_json *o, struct assay_err *why)
{
	struct assay_fs_tree tree;

	if (assay_fs_tree_digest(fs, "/", NULL, NULL, &tree, why) < 0)
		return why->code == ASSAY_E_UNSUPPORTED ? 0 : -1;
	struct assay_json *t = assay_json_object();
	assay_json_set(t, "sha256", assay_json_hex(tree.sha256, sizeof(tree.sha256)));
	assay_json_set_int(t, "names", tree.names);
	assay_json_set_int(t, "files", tree.files);
	assay_json_set_int(t, "bytes", tree.bytes);
	assay_json_set(o, "tree", t);
	return 0;
}

/* The filesystem itself; *ret_root_hash: the one that is proved to cover it. */
static int filesystem_link(struct job *j, const struct area *area,
			   const struct assay_verity_pair *pair, struct assay_fs *fs,
			   struct assay_err *why, char **ret_root_hash, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *o = assay_json_object();
	const bool good = fs && add_tree(fs, o, why) == 0 && assay_root_modules(fs, o, why) == 0 &&
			  assay_packages_facts(fs, o, why) == 0;
	enum assay_link_state state = good ? ASSAY_LINK_OK : assay_link_state_of(why);
	char hex[ASSAY_HEX_MAX], *by = NULL;

	if (area->part)
		assay_json_set_int(o, "partition", area->part);
	if (!good && assay_link_is_ours(why)) {
		*err = *why;
		return assay_wrap(err, "%s", name_of(area->part).text);
	}
	if (fs)
		assay_json_set_str(o, "type", assay_fs_name(fs));
	if (!good)
		assay_json_set_str(o, "error", why->msg);
	if (pair && pair->checked && pair->report.verified) {
		*ret_root_hash = assay_strdup(assay_hex(pair->root_hash, pair->root_hash_size, hex));
		by = assay_asprintf("%s of %s", key_of(pair), name_of(area->part).text);
		if (!*ret_root_hash || !by) {
			free(by);
			return assay_fail_mem(err);
		}
		assay_json_set_str(o, "root_hash", *ret_root_hash);
	} else if (!pair && !good) {
		state = ASSAY_LINK_OPEN; /* nobody said what ought to be there */
	}
	assay_json_append(j->filesystems, assay_steal(&o));
	return add_below(j, pair, ASSAY_LINK_FILESYSTEM, state,
			 fs ? assay_asprintf("%s: %s", name_of(area->part).text, assay_fs_name(fs)) :
			      assay_strdup(name_of(area->part).text),
			 by, good ? NULL : assay_link_why(why), err);
}

/* What no root hash covers. */
static int open_link(struct job *j, const struct area *area, bool readable, struct assay_err *err)
{
	if (claim_part(j, area->part, area->offset, area->size, ASSAY_MEASURED_PARTLY, "facts",
		       readable ? "a filesystem that no root hash covers" :
				  "what no root hash covers, and no filesystem that can be read",
		       err) < 0)
		return -1;
	if (!area->root_type)
		return 0;
	return add_below(j, NULL, ASSAY_LINK_VERITY, ASSAY_LINK_OPEN,
			 assay_asprintf("%s (%s)", name_of(area->part).text, area->root_type), NULL,
			 assay_strdup("no root hash covers it: nothing vouches for it"), err);
}

static int look_into(struct job *j, const struct area *area, const struct assay_verity_pair *pair,
		     struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_fs) *fs = NULL;
	ASSAY_AUTO_FREE char *root_hash = NULL;
	struct assay_err why = { .at = ASSAY_NO_OFFSET };

	if ((pair ? open_data(j, pair, &src, err) :
		    assay_src_slice(j->disk, area->offset, area->size, &src, err)) < 0)
		return assay_wrap(err, "%s", name_of(area->part).text);
	if (assay_fs_open(src, &fs, &why) < 0 && assay_link_is_ours(&why)) {
		*err = why;
		return assay_wrap(err, "%s", name_of(area->part).text);
	}
	/* What is no filesystem, and not said to be one, is nobody's business. */
	if (!fs && !pair && !area->root_type && why.code == ASSAY_E_UNSUPPORTED)
		return 0;
	if ((!pair && open_link(j, area, fs != NULL, err) < 0) ||
	    filesystem_link(j, area, pair, fs, &why, &root_hash, err) < 0)
		return -1;
	if (!fs)
		return 0;
	const struct assay_link_place place = { fs, area->part, pair, root_hash };
	if (assay_links_containers(j->links, &place, j->containers, j->lists, &why) == 0)
		return 0;
	if (assay_link_is_ours(&why)) {
		*err = why;
		return assay_wrap(err, "%s", name_of(area->part).text);
	}
	/* Its tree of folders cannot be walked. */
	return add_below(j, pair, ASSAY_LINK_FILESYSTEM, assay_link_state_of(&why),
			 assay_asprintf("%s: folders and files", name_of(area->part).text), NULL,
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

static int look_around(struct job *j, bool *ret_root, struct assay_err *err)
{
	for (size_t i = 0; i < j->gpt->n_parts; i++) {
		const struct assay_gpt_part *part = &j->gpt->parts[i];
		const struct area area = { part->index, part->offset, part->size,
					   is_root_type(part) ? assay_gpt_type_name(part->type) : NULL };
		bool is_hash;
		const struct assay_verity_pair *pair = pair_of(j, part->index, &is_hash);

		if (assay_gpt_is_esp(part) || is_hash || is_verity_type(part) || (!pair && j->vouched_only))
			continue;
		*ret_root |= pair || area.root_type;
		if (look_into(j, &area, pair, err) < 0)
			return -1;
	}
	return 0;
}

/* --- the whole ---------------------------------------------------------------------------------- */

static int check_pairs(struct job *j, struct assay_err *err)
{
	for (size_t i = 0; i < j->pairs->n; i++)
		if (check_pair(j, &j->pairs->p[i], err) < 0)
			return -1;
	return 0;
}

static int no_pairs(struct job *j, struct assay_err *err)
{
	if (err->code != ASSAY_E_NOTFOUND)
		return -1;
	j->pairs = calloc(1, sizeof(*j->pairs));
	return j->pairs ? 0 : assay_fail_mem(err);
}

static int run_os(struct job *j, struct assay_err *err)
{
	bool root = false;

	if ((assay_verity_pairs_find(j->disk, &j->pairs, err) < 0 && no_pairs(j, err) < 0) ||
	    check_pairs(j, err) < 0 || look_around(j, &root, err) < 0)
		return -1;
	if (root || j->pairs->n)
		return 0;
	return add_below(j, NULL, ASSAY_LINK_VERITY, ASSAY_LINK_OPEN, assay_strdup("the root filesystem"), NULL,
			 assay_strdup("no command line names a root hash, and no partition is said to be "
				      "one: nothing vouches for it"),
			 err);
}

static int run_data(struct job *j, struct assay_err *err)
{
	const struct area whole = { 0, 0, assay_src_size(j->disk), "no partition table" };
	bool root = false;

	if ((assay_verity_pairs_of_data(j->disk, ASSAY_NO_OFFSET, &j->pairs, err) < 0 && no_pairs(j, err) < 0) ||
	    check_pairs(j, err) < 0)
		return -1;
	return j->gpt ? look_around(j, &root, err) :
			look_into(j, &whole, j->pairs->n ? &j->pairs->p[0] : NULL, err);
}

static int links_of(struct job *j, int (*run)(struct job *j, struct assay_err *err),
		    struct assay_json *facts, struct assay_links **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_links) *links = calloc(1, sizeof(*links));
	/* Handed over when they are whole: what cannot be taken is freed. */
	ASSAY_AUTO(assay_json) *verity = assay_json_array();
	ASSAY_AUTO(assay_json) *filesystems = assay_json_array();
	ASSAY_AUTO(assay_json) *containers = assay_json_array();
	ASSAY_AUTO(assay_json) *lists = assay_json_array();

	if (!links)
		return assay_fail_mem(err);
	j->links = links;
	j->verity = verity;
	j->filesystems = filesystems;
	j->containers = containers;
	j->lists = lists;
	const int rc = run(j, err);
	assay_verity_pairs_free(&j->pairs);
	if (rc < 0)
		return -1;
	if (facts) {
		assay_json_set(facts, "verity", assay_steal(&verity));
		assay_json_set(facts, "filesystems", assay_steal(&filesystems));
		assay_json_set(facts, "containers", assay_steal(&containers));
		assay_json_set(facts, "container_measurements", assay_steal(&lists));
		assay_json_set(facts, "chain", assay_links_json(links));
	}
	*ret = assay_steal(&links);
	return 0;
}

int assay_image_links(struct assay_image *image, struct assay_json *facts, struct assay_regions *regions,
		      struct assay_links **ret, struct assay_err *err)
{
	struct job j = { .disk = image->disk, .gpt = image->gpt, .regions = regions, .vouched_only = !facts };

	return links_of(&j, run_os, facts, ret, err);
}

int assay_data_links(struct assay_src *disk, const struct assay_gpt *gpt, struct assay_json *facts,
		     struct assay_regions *regions, struct assay_links **ret, struct assay_err *err)
{
	struct job j = { .disk = disk, .gpt = gpt, .regions = regions };

	return links_of(&j, run_data, facts, ret, err);
}
