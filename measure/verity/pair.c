/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/verity/pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/guid.h"
#include "core/limits.h"
#include "core/text.h"
#include "measure/fs/fs.h"
#include "measure/pe/uki.h"

struct search {
	struct assay_src *disk;
	struct assay_gpt *gpt;
	struct assay_verity_pairs *pairs;
	size_t n_files;
};

static int new_pair(struct search *s, bool usr, struct assay_verity_pair **ret,
		    struct assay_err *err)
{
	struct assay_verity_pair *grown;

	if (s->pairs->n >= ASSAY_VERITY_MAX_PAIRS)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "more than %d dm-verity root hashes", ASSAY_VERITY_MAX_PAIRS);
	grown = realloc(s->pairs->p, (s->pairs->n + 1) * sizeof(*grown));
	if (!grown)
		return assay_fail_mem(err);
	s->pairs->p = grown;
	*ret = &grown[s->pairs->n++];
	memset(*ret, 0, sizeof(**ret));
	(*ret)->usr = usr;
	(*ret)->err.at = ASSAY_NO_OFFSET;
	return 0;
}

static void set_data(struct assay_verity_pair *pair, const struct assay_gpt_part *part)
{
	pair->data = part->index;
	pair->data_offset = part->offset;
	pair->data_size = part->size;
}

static void set_hash(struct assay_verity_pair *pair, const struct assay_gpt_part *part)
{
	pair->hash = part->index;
	pair->hash_offset = part->offset;
	pair->hash_size = part->size;
}

/* --- command lines ------------------------------------------------------------------------------
 */

int assay_verity_cmdline_value(const char *p, const char *key, char **ret, struct assay_err *err)
{
	const size_t key_len = strlen(key);
	char *found = NULL;

	while (*p) {
		struct assay_str word = { 0 };
		char quote = 0;

		while (*p && strchr(" \t\n\r", *p))
			p++;
		for (; *p && (quote || !strchr(" \t\n\r", *p)); p++) {
			if (quote ? *p == quote : *p == '"' || *p == '\'')
				quote = quote ? 0 : *p;
			else
				assay_str_add_n(&word, p, 1);
		}
		char *text = assay_str_steal(&word);
		if (!text) {
			free(found);
			return assay_fail_mem(err);
		}
		const char *name = strncmp(text, "rd.", 3) == 0 ? text + 3 : text;
		if (strncmp(name, key, key_len) == 0 && name[key_len] == '=') {
			free(found);
			found = assay_strdup(name + key_len + 1);
			if (!found) {
				free(text);
				return assay_fail_mem(err);
			}
		}
		free(text);
	}
	*ret = found;
	return 0;
}

/* The partition of this UUID, whose text is these 32 hex digits. NULL: none, or two. */
static const struct assay_gpt_part *by_half(const struct search *s, const uint8_t half[16],
					    const char **why)
{
	const struct assay_gpt_part *found = NULL;
	uint8_t guid[16];
	char hex[33], text[37];

	assay_hex(half, 16, hex);
	snprintf(text, sizeof(text), "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
		 hex + 20);
	*why = "no partition has";
	if (!assay_guid_parse(text, guid))
		return NULL;
	for (size_t i = 0; i < s->gpt->n_parts; i++) {
		if (memcmp(s->gpt->parts[i].guid, guid, 16) != 0)
			continue;
		if (found) {
			*why = "more than one partition has";
			return NULL;
		}
		found = &s->gpt->parts[i];
	}
	return found;
}

static void locate(const struct search *s, struct assay_verity_pair *pair)
{
	const char *key = pair->usr ? "usrhash" : "roothash";
	const char *why;
	const struct assay_gpt_part *data = by_half(s, pair->root_hash, &why);

	if (!data) {
		assay_fail(&pair->err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
			   "%s the UUID that is the first half of %s=", why, key);
		return;
	}
	set_data(pair, data);
	const struct assay_gpt_part *hash =
		by_half(s, pair->root_hash + pair->root_hash_size - 16, &why);
	if (!hash)
		assay_fail(&pair->err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
			   "%s the UUID that is the last half of %s=", why, key);
	else
		set_hash(pair, hash);
}

static int add_named(struct search *s, const char *path, const char *cmdline, bool usr,
		     struct assay_err *err)
{
	static const char *const elsewhere[] = { "data", "hash", "options" };
	const char *key = usr ? "usrhash" : "roothash";
	ASSAY_AUTO_FREE char *value = NULL;
	struct assay_verity_pair *pair;
	uint8_t root[ASSAY_MAX_DIGEST];

	if (assay_verity_cmdline_value(cmdline, key, &value, err) < 0)
		return -1;
	if (!value)
		return 0;
	const size_t size = strlen(value) / 2;
	const bool good =
		size >= 16 && size <= sizeof(root) && assay_unhex(value, strlen(value), root, size);
	for (size_t i = 0; good && i < s->pairs->n; i++) {
		const struct assay_verity_pair *p = &s->pairs->p[i];

		if (p->usr == usr && p->root_hash_size == size &&
		    memcmp(p->root_hash, root, size) == 0 && p->err.code != ASSAY_E_UNSUPPORTED)
			return 0;
	}
	if (new_pair(s, usr, &pair, err) < 0)
		return -1;
	pair->source = assay_strdup(path);
	if (!pair->source)
		return assay_fail_mem(err);
	if (!good) {
		assay_fail(&pair->err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s= is no root hash",
			   key);
		return 0;
	}
	memcpy(pair->root_hash, root, size);
	pair->root_hash_size = size;
	/* Then other partitions may be meant, or another shape of the tree. */
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
		char name[64];
		ASSAY_AUTO_FREE char *given = NULL;

		snprintf(name, sizeof(name), "systemd.verity_%s_%s", usr ? "usr" : "root",
			 elsewhere[i]);
		if (assay_verity_cmdline_value(cmdline, name, &given, err) < 0)
			return -1;
		if (given) {
			assay_fail(&pair->err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				   "%s= beside %s= is not followed", name, key);
			return 0;
		}
	}
	locate(s, pair);
	return 0;
}

static int look_at_uki(struct search *s, struct assay_src *src, const char *path,
		       struct assay_err *err)
{
	ASSAY_AUTO(assay_pe) *pe = NULL;
	struct assay_efi_info info;
	size_t n_profiles;

	if (assay_pe_open(src, &pe, err) < 0 || assay_efi_identify(pe, &info, err) < 0)
		return -1;
	const bool uki = info.kind == ASSAY_EFI_UKI || info.kind == ASSAY_EFI_ADDON;
	n_profiles = info.n_profiles ? info.n_profiles : 1;
	assay_efi_info_clear(&info);
	for (size_t i = 0; uki && i < n_profiles; i++) {
		ASSAY_AUTO_FREE uint8_t *text = NULL;
		struct assay_uki_view view;
		size_t len;

		if (assay_uki_view(pe, i, &view, err) < 0)
			return -1;
		if (!view.s[ASSAY_UKI_CMDLINE])
			continue;
		if (assay_pe_section_read(pe, view.s[ASSAY_UKI_CMDLINE], ASSAY_UKI_TEXT_MAX, &text,
					  &len, err) < 0 ||
		    add_named(s, path, (const char *)text, false, err) < 0 ||
		    add_named(s, path, (const char *)text, true, err) < 0)
			return -1;
	}
	return 0;
}

static int look_at_file(struct search *s, struct assay_fs *fs, const char *path,
			struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	char magic[2];

	if (++s->n_files > ASSAY_ESP_MAX_FILES)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "more than %d files",
				  ASSAY_ESP_MAX_FILES);
	if (assay_fs_file(fs, path, &src, NULL, err) < 0)
		return -1;
	if (assay_src_size(src) < 2)
		return 0;
	if (assay_src_read(src, 0, magic, 2, err) < 0)
		return -1;
	if (memcmp(magic, "MZ", 2) != 0 || look_at_uki(s, src, path, err) == 0)
		return 0;
	/* A program that no firmware can start names nothing. */
	return err->code == ASSAY_E_CORRUPT || err->code == ASSAY_E_UNSUPPORTED ? 0 : -1;
}

static int look_at_folder(struct search *s, struct assay_fs *fs, const char *path, unsigned depth,
			  struct assay_err *err)
{
	struct assay_dir dir = { 0 };
	int rc = 0;

	if (depth > ASSAY_FS_MAX_DEPTH)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%s: folders deeper than %u",
				  path, ASSAY_FS_MAX_DEPTH);
	if (assay_fs_list(fs, path, &dir, err) < 0)
		return -1;
	for (size_t i = 0; i < dir.n && rc == 0; i++) {
		ASSAY_AUTO_FREE char *sub =
			assay_asprintf("%s/%s", path[1] ? path : "", dir.e[i].name);

		if (!sub)
			rc = assay_fail_mem(err);
		else if (dir.e[i].kind == ASSAY_FS_DIR)
			rc = look_at_folder(s, fs, sub, depth + 1, err);
		else
			rc = look_at_file(s, fs, sub, err);
	}
	assay_dir_clear(&dir);
	return rc;
}

static int find_named(struct search *s, struct assay_err *err)
{
	for (size_t i = 0; i < s->gpt->n_parts; i++) {
		const struct assay_gpt_part *part = &s->gpt->parts[i];
		ASSAY_AUTO(assay_src) *src = NULL;
		ASSAY_AUTO(assay_fs) *fs = NULL;

		if (!assay_gpt_is_esp(part))
			continue;
		if (assay_src_slice(s->disk, part->offset, part->size, &src, err) < 0 ||
		    assay_fs_open(src, &fs, err) < 0 || look_at_folder(s, fs, "/", 0, err) < 0)
			return assay_wrap(err, "partition %u (ESP)", part->index);
	}
	return 0;
}

/* --- UUIDs --------------------------------------------------------------------------------------
 */

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

/* The text of a UUID as bytes: half a root hash. */
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

static bool is_verity_type(const struct assay_gpt_part *part)
{
	const char *name = assay_gpt_type_name(part->type);

	return name && strstr(name, " verity (") != NULL;
}

/*
 * A digest of 256 bits is in the UUIDs whole. Of a longer one they have the ends, which the stored
 * tree's root has to have too.
 */
static int root_from_uuids(struct search *s, const struct assay_gpt_part *hash,
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

/* Has the tree the root whose ends these are? Tells apart several data partitions of one type. */
static bool root_has(struct search *s, const struct assay_gpt_part *hash,
		     const struct assay_gpt_part *data)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_verity_params params;
	uint8_t half[16], root[ASSAY_MAX_DIGEST];
	struct assay_err err;

	half_of(data->guid, half);
	return assay_src_slice(s->disk, hash->offset, hash->size, &src, &err) == 0 &&
	       assay_verity_open(src, 0, &params, &err) == 0 &&
	       assay_verity_tree_root(src, &params, root, &err) == 0 && memcmp(root, half, 16) == 0;
}

static int find_by_uuid(struct search *s, struct assay_err *err)
{
	for (size_t i = 0; i < s->gpt->n_parts; i++) {
		const struct assay_gpt_part *hash = &s->gpt->parts[i], *only = NULL, *fit = NULL;
		struct assay_verity_pair *pair;
		size_t candidates = 0;
		bool known = !is_verity_type(hash), usr = false;

		for (size_t j = 0; j < s->pairs->n; j++)
			known |= s->pairs->p[j].hash == hash->index;
		if (known)
			continue;
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
		if (new_pair(s, usr, &pair, err) < 0)
			return -1;
		set_hash(pair, hash);
		if (!fit) {
			assay_fail(&pair->err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				   "none of %zu partitions of the type that belongs to it has the "
				   "first half of its root hash as UUID",
				   candidates);
			continue;
		}
		set_data(pair, fit);
		if (root_from_uuids(s, hash, fit, pair, &pair->err) < 0)
			assay_wrap(&pair->err, "partition %u", hash->index);
	}
	return 0;
}

/* --- the disk -----------------------------------------------------------------------------------
 */

static int find(struct search *s, struct assay_err *err)
{
	if (assay_gpt_open(s->disk, &s->gpt, err) < 0 || find_named(s, err) < 0 ||
	    find_by_uuid(s, err) < 0)
		return -1;
	if (s->pairs->n == 0)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "no UKI names a root hash, and none of %zu partitions is for "
				  "dm-verity",
				  s->gpt->n_parts);
	return 0;
}

int assay_verity_pairs_find(struct assay_src *disk, struct assay_verity_pairs **ret,
			    struct assay_err *err)
{
	ASSAY_AUTO(assay_verity_pairs) *pairs = calloc(1, sizeof(*pairs));
	struct search s = { .disk = disk, .pairs = pairs };

	if (!pairs)
		return assay_fail_mem(err);
	const int rc = find(&s, err);
	assay_gpt_free(&s.gpt);
	if (rc < 0)
		return -1;
	*ret = assay_steal(&pairs);
	return 0;
}

void assay_verity_pairs_free(struct assay_verity_pairs **p)
{
	struct assay_verity_pairs *pairs = *p;

	*p = NULL;
	if (!pairs)
		return;
	for (size_t i = 0; i < pairs->n; i++)
		free(pairs->p[i].source);
	free(pairs->p);
	free(pairs);
}

void assay_verity_pair_check(struct assay_src *disk, struct assay_verity_pair *pair)
{
	ASSAY_AUTO(assay_src) *data = NULL;
	ASSAY_AUTO(assay_src) *hash = NULL;
	struct assay_err *err = &pair->err;

	if (err->code != ASSAY_OK)
		return;
	if (assay_src_slice(disk, pair->data_offset, pair->data_size, &data, err) < 0 ||
	    assay_src_slice(disk, pair->hash_offset, pair->hash_size, &hash, err) < 0)
		return;
	if (assay_verity_open(hash, 0, &pair->params, err) < 0) {
		assay_wrap(err, "partition %u", pair->hash);
		return;
	}
	if (assay_bank_size(pair->params.bank) != pair->root_hash_size) {
		assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
			   "partition %u: a tree of %s, and a root hash of %zu bytes", pair->hash,
			   assay_bank_name(pair->params.bank), pair->root_hash_size);
		return;
	}
	if (assay_verity_check(data, hash, &pair->params, pair->root_hash, &pair->report, err) <
	    0) {
		assay_wrap(err, "partitions %u and %u", pair->data, pair->hash);
		return;
	}
	pair->checked = true;
}
