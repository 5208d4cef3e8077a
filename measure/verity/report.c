/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/verity/report.h"

#include <inttypes.h>
#include <string.h>

#include "core/text.h"

static struct assay_json *fault_json(const struct assay_verity_pair *pair, size_t i)
{
	const struct assay_verity_fault *f = &pair->report.faults[i];
	static const char *const kinds[] = {
		[ASSAY_VERITY_BLOCK] = "digest",
		[ASSAY_VERITY_SPARE] = "spare",
		[ASSAY_VERITY_ROOT] = "root",
	};
	struct assay_json *o = assay_json_object();

	assay_json_set_str(o, "kind", kinds[f->kind]);
	assay_json_set_int(o, "level", f->level);
	assay_json_set_int(o, "block", f->block);
	assay_json_set_int(o, "offset", f->offset);
	assay_json_set_int(o, "size", f->size);
	if (pair->owners && pair->owners[i].what)
		assay_json_set_str(o, "what", pair->owners[i].what);
	if (pair->owners && pair->owners[i].path) {
		assay_json_set_str(o, "path", pair->owners[i].path);
		assay_json_set_int(o, "more", pair->owners[i].more);
	}
	return o;
}

struct assay_json *assay_verity_pair_json(const struct assay_verity_pair *pair)
{
	const struct assay_verity_params *p = &pair->params;
	const struct assay_verity_report *r = &pair->report;
	struct assay_json *o = assay_json_object();

	if (pair->data)
		assay_json_set_int(o, "partition", pair->data);
	if (pair->hash)
		assay_json_set_int(o, "hash_partition", pair->hash);
	if (pair->data || pair->hash || pair->source || pair->generic) {
		const bool device = !pair->data && !pair->hash;

		assay_json_set_str(o, "usage", pair->generic ? "data" : pair->usr ? "usr" : "root");
		assay_json_set_str(o, "source",
				   pair->source ? pair->source : device ? "tree" : "uuid");
	}
	if (pair->fec)
		assay_json_set_str(o, "fec", "not checked");
	if (pair->root_hash_size)
		assay_json_set(o, "root_hash",
			       assay_json_hex(pair->root_hash, pair->root_hash_size));
	assay_json_set_bool(o, "verified", pair->checked && r->verified);
	if (!pair->checked) {
		assay_json_set_str(o, "error", pair->err.msg);
		return o;
	}
	assay_json_set_str(o, "algorithm", assay_bank_name(p->bank));
	assay_json_set_int(o, "hash_type", p->hash_type);
	assay_json_set_int(o, "data_block_size", p->data_block_size);
	assay_json_set_int(o, "hash_block_size", p->hash_block_size);
	assay_json_set_int(o, "data_blocks", p->data_blocks);
	assay_json_set_bool(o, "superblock", p->superblock);
	assay_json_set(o, "salt", assay_json_hex(p->salt, p->salt_size));
	assay_json_set_int(o, "levels", r->levels);
	assay_json_set(o, "data_root_hash", assay_json_hex(r->data_root, assay_bank_size(p->bank)));
	if (!r->verified) {
		struct assay_json *faults = assay_json_array();

		for (size_t i = 0; i < r->n_faults && i < ASSAY_VERITY_MAX_FAULTS; i++)
			assay_json_append(faults, fault_json(pair, i));
		assay_json_set(o, "faults", faults);
		assay_json_set_int(o, "faults_total", r->n_faults);
		assay_json_set_int(o, "unjudged", r->n_unjudged);
	}
	return o;
}

/* ", in /usr/bin/x", or what it is of the filesystem; "" when nobody knows. */
static char *owner_text(const struct assay_verity_pair *pair, size_t i)
{
	const struct assay_verity_owner *owner = pair->owners ? &pair->owners[i] : NULL;
	struct assay_str text = { 0 };

	if (owner && owner->path) {
		assay_str_add(&text, ", in ");
		assay_str_add_escaped(&text, owner->path, strlen(owner->path));
		if (owner->more)
			assay_str_add(&text, " or %" PRIu32 " more", owner->more);
	} else if (owner && owner->what) {
		assay_str_add(&text, ", of the filesystem: %s", owner->what);
	}
	return assay_str_steal(&text);
}

char *assay_verity_fault_text(const struct assay_verity_pair *pair, size_t i)
{
	const struct assay_verity_fault *f = &pair->report.faults[i];
	const char *spare = f->kind == ASSAY_VERITY_SPARE ? ": not zeros beside its digests" : "";
	ASSAY_AUTO_FREE char *owner = owner_text(pair, i);

	if (!owner)
		return NULL;
	if (f->kind == ASSAY_VERITY_ROOT)
		return assay_strdup("the root hash is that of neither the data nor the stored tree");
	if (f->level == 0)
		return assay_asprintf("data block %" PRIu64 ", %" PRIu64 " bytes at byte 0x%" PRIx64 "%s",
				      f->block, f->size, f->offset, owner);
	return assay_asprintf("tree level %u, block %" PRIu64 ", %" PRIu64 " bytes at byte 0x%" PRIx64 "%s",
			      f->level, f->block, f->size, f->offset, spare);
}
