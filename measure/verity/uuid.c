/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs by UUIDs: the two ends of a root hash. */
#include <stdio.h>
#include <string.h>

#include "core/guid.h"
#include "measure/verity/pair_priv.h"

const struct assay_gpt_part *assay_verity_by_half(const struct assay_gpt *gpt,
						  const uint8_t half[16], const char **why)
{
	const struct assay_gpt_part *found = NULL;
	uint8_t guid[16];
	char hex[33], text[37];

	/* The text of the UUID has the bytes in their order, a GUID on the disk has not. */
	assay_hex(half, 16, hex);
	snprintf(text, sizeof(text), "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
		 hex + 20);
	*why = "no partition has";
	if (!assay_guid_parse(text, guid))
		return NULL;
	for (size_t i = 0; i < gpt->n_parts; i++) {
		if (memcmp(gpt->parts[i].guid, guid, 16) != 0)
			continue;
		if (found) {
			*why = "more than one partition has";
			return NULL;
		}
		found = &gpt->parts[i];
	}
	return found;
}

static void half_of(const uint8_t guid[16], uint8_t ret[16])
{
	char text[37], hex[33];
	size_t n = 0;

	assay_guid_text(guid, text);
	for (const char *p = text; *p; p++)
		if (*p != '-')
			hex[n++] = *p;
	(void)assay_unhex(hex, 32, ret, 16);
}

/* "Linux root verity (x86-64)" belongs to "Linux root (x86-64)". */
static bool belongs(const struct assay_gpt_part *hash, const struct assay_gpt_part *data, bool *usr)
{
	const char *h = assay_gpt_type_name(hash->type), *d = assay_gpt_type_name(data->type);
	static const char *const kinds[] = { "Linux root", "Linux /usr" };

	for (size_t i = 0; h && d && i < 2; i++) {
		const size_t n = strlen(kinds[i]);

		if (strncmp(h, kinds[i], n) == 0 && strncmp(h + n, " verity (", 9) == 0 &&
		    strncmp(d, kinds[i], n) == 0 && strcmp(h + n + 7, d + n) == 0) {
			*usr = i == 1;
			return true;
		}
	}
	return false;
}

static bool is_verity_type(const struct assay_gpt_part *part)
{
	const char *name = assay_gpt_type_name(part->type);

	return name && strstr(name, " verity (") != NULL;
}

/*
 * A digest of 256 bits is in the UUIDs whole. Of a longer one they have the ends, which the stored
 * tree's root has to have too.
 */
static int root_from_uuids(struct verity_search *s, const struct assay_gpt_part *hash,
			   const struct assay_gpt_part *data, struct assay_verity_pair *pair,
			   struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_verity_params params;
	uint8_t ends[32], root[ASSAY_MAX_DIGEST];

	half_of(data->guid, ends);
	half_of(hash->guid, ends + 16);
	if (assay_src_slice(s->disk, hash->offset, hash->size, &src, err) < 0 ||
	    assay_verity_open(src, 0, &params, err) < 0)
		return -1;
	const size_t size = assay_bank_size(params.bank);
	if (size == sizeof(ends)) {
		memcpy(pair->root_hash, ends, size);
		pair->root_hash_size = size;
		return 0;
	}
	if (assay_verity_tree_root(src, &params, root, err) < 0)
		return -1;
	if (memcmp(root, ends, 16) != 0 || memcmp(root + size - 16, ends + 16, 16) != 0)
		return assay_fail(err, ASSAY_E_NOTFOUND, assay_src_origin(src, params.hash_start),
				  "the stored tree's root hash has not the UUIDs of partitions %u "
				  "and %u at its ends",
				  data->index, hash->index);
	memcpy(pair->root_hash, root, size);
	pair->root_hash_size = size;
	return 0;
}

/* The stored tree's root hash; false when there is no tree that could be read. */
static bool stored_root(struct verity_search *s, const struct assay_gpt_part *hash,
			struct assay_verity_params *params, uint8_t root[ASSAY_MAX_DIGEST])
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_err err;

	return assay_src_slice(s->disk, hash->offset, hash->size, &src, &err) == 0 &&
	       assay_verity_open(src, 0, params, &err) == 0 &&
	       assay_verity_tree_root(src, params, root, &err) == 0;
}

/* Has the tree the root whose end this is? Tells apart several data partitions of one type. */
static bool root_has(struct verity_search *s, const struct assay_gpt_part *hash,
		     const struct assay_gpt_part *data)
{
	uint8_t half[16], root[ASSAY_MAX_DIGEST];
	struct assay_verity_params params;

	half_of(data->guid, half);
	return stored_root(s, hash, &params, root) && memcmp(root, half, 16) == 0;
}

static int add_pair(struct verity_search *s, const struct assay_gpt_part *hash,
		    const struct assay_gpt_part *data, bool usr, bool generic,
		    struct assay_err *err)
{
	struct assay_verity_pair *pair;

	if (assay_verity_new_pair(s, &pair, err) < 0)
		return -1;
	pair->usr = usr;
	pair->generic = generic;
	assay_verity_set_hash(pair, hash);
	if (data) {
		assay_verity_set_data(pair, data);
		if (root_from_uuids(s, hash, data, pair, &pair->err) < 0)
			assay_wrap(&pair->err, "partition %u", hash->index);
	}
	return 0;
}

/* A partition whose type says that it holds a tree. */
static int find_by_type(struct verity_search *s, const struct assay_gpt_part *hash,
			struct assay_err *err)
{
	const struct assay_gpt_part *only = NULL, *fit = NULL;
	size_t candidates = 0;
	bool usr = false;

	for (size_t j = 0; j < s->gpt->n_parts; j++) {
		const struct assay_gpt_part *data = &s->gpt->parts[j];

		if (!belongs(hash, data, &usr))
			continue;
		candidates++;
		only = data;
		if (root_has(s, hash, data))
			fit = data;
	}
	if (!fit && candidates == 1)
		fit = only;
	if (add_pair(s, hash, fit, usr, false, err) < 0)
		return -1;
	if (!fit)
		assay_fail(
			&s->pairs->p[s->pairs->n - 1].err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
			"none of %zu partitions of the type that belongs to it has the first half "
			"of its root hash as UUID",
			candidates);
	return 0;
}

/* On a data disk: the one partition of the tree's own type that could be its data. */
static const struct assay_gpt_part *by_size(struct verity_search *s,
					    const struct assay_gpt_part *hash,
					    const struct assay_verity_params *params)
{
	const struct assay_gpt_part *found = NULL;

	for (size_t i = 0; s->data_disk && i < s->gpt->n_parts; i++) {
		const struct assay_gpt_part *part = &s->gpt->parts[i];

		if (part == hash || memcmp(part->type, hash->type, 16) != 0 ||
		    params->data_blocks > part->size / params->data_block_size)
			continue;
		if (found)
			return NULL;
		found = part;
	}
	return found;
}

/*
 * systemd-repart gives these UUIDs whatever the types are: an application disk has two partitions
 * of "Linux filesystem". A superblock decides then, and the data's UUID; where the tree's own is
 * wrong it is still a pair, and one that does not verify.
 */
static int find_by_content(struct verity_search *s, const struct assay_gpt_part *hash,
			   struct assay_err *err)
{
	const struct assay_gpt_part *data;
	uint8_t root[ASSAY_MAX_DIGEST];
	struct assay_verity_params params;
	const char *why;

	if (!stored_root(s, hash, &params, root))
		return 0;
	data = assay_verity_by_half(s->gpt, root, &why);
	if (!data)
		data = by_size(s, hash, &params);
	return data && data != hash ? add_pair(s, hash, data, false, true, err) : 0;
}

int assay_verity_find_by_uuid(struct verity_search *s, struct assay_err *err)
{
	for (size_t i = 0; i < s->gpt->n_parts; i++) {
		const struct assay_gpt_part *hash = &s->gpt->parts[i];
		bool known = false;

		for (size_t j = 0; j < s->pairs->n; j++)
			known |= s->pairs->p[j].hash == hash->index;
		if (known)
			continue;
		if ((is_verity_type(hash) ? find_by_type : find_by_content)(s, hash, err) < 0)
			return -1;
	}
	return 0;
}
