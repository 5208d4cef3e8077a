/* SPDX-License-Identifier: Apache-2.0 */
/* The pairs of an OS disk: what its command lines name, then what they do not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/guid.h"
#include "core/text.h"
#include "measure/boot/cmdlines.h"
#include "measure/verity/cmdline.h"
#include "measure/verity/pair_priv.h"

/* --- which partition ----------------------------------------------------------------------------
 */

/* Characters that udev keeps in its links (encode_devnode_name()); others we do not follow. */
static bool is_plain(const char *name)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789#+-.:=@_";

	return name[0] != '\0' && strspn(name, plain) == strlen(name);
}

static const char *after(const char *text, const char *a, const char *b)
{
	if (strncmp(text, a, strlen(a)) == 0)
		return text + strlen(a);
	return strncmp(text, b, strlen(b)) == 0 ? text + strlen(b) : NULL;
}

/*
 * fstab_node_to_udev_node(): PARTUUID= and PARTLABEL= stand for udev's links, which have UUIDs in
 * lower case. Other names are those of a running machine.
 */
static const struct assay_gpt_part *by_name(const struct assay_gpt *gpt, const char *key,
					    const char *name, struct assay_err *err)
{
	const char *uuid = after(name, "PARTUUID=", "/dev/disk/by-partuuid/");
	const char *label = after(name, "PARTLABEL=", "/dev/disk/by-partlabel/");
	const struct assay_gpt_part *found = NULL;

	if (uuid ? !is_plain(uuid) : !label || !is_plain(label)) {
		assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
			   "%s=%.128s is not followed: only PARTUUID= and PARTLABEL= are", key,
			   name);
		return NULL;
	}
	for (size_t i = 0; i < gpt->n_parts; i++) {
		const struct assay_gpt_part *part = &gpt->parts[i];
		char text[37];

		assay_guid_text(part->guid, text);
		if (uuid ? strcmp(text, uuid) != 0 : strcmp(part->name, label) != 0)
			continue;
		if (found) {
			assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				   "%s=%.128s: more than one partition", key, name);
			return NULL;
		}
		found = part;
	}
	if (!found)
		assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "%s=%.128s: no such partition",
			   key, name);
	return found;
}

/* determine_device() of the generator. NULL: *err says why. */
static const struct assay_gpt_part *locate(const struct assay_gpt *gpt,
					   const struct assay_verity_named *n, bool tree,
					   struct assay_err *err)
{
	const char *name = tree ? n->hash : n->data;
	const uint8_t *half = tree ? n->root_hash + n->root_hash_size - 16 : n->root_hash;
	const struct assay_gpt_part *found;
	const char *why;

	if (name) {
		char key[32];

		snprintf(key, sizeof(key), "systemd.verity_%s_%s", n->usr ? "usr" : "root",
			 tree ? "hash" : "data");
		return by_name(gpt, key, name, err);
	}
	found = assay_verity_by_half(gpt, half, &why);
	if (!found)
		assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
			   "%s the UUID that is the %s half of %s=", why, tree ? "last" : "first",
			   n->usr ? "usrhash" : "roothash");
	return found;
}

/* --- command lines ------------------------------------------------------------------------------
 */

static bool same(const struct assay_verity_pair *a, const struct assay_verity_pair *b)
{
	return a->usr == b->usr && a->root_hash_size == b->root_hash_size &&
	       memcmp(a->root_hash, b->root_hash, a->root_hash_size) == 0 && a->data == b->data &&
	       a->hash == b->hash && a->fec == b->fec && strcmp(a->err.msg, b->err.msg) == 0;
}

static int add_named(struct verity_search *s, const char *path, const char *cmdline, bool usr,
		     struct assay_err *err)
{
	ASSAY_AUTO(assay_verity_named) *n = NULL;
	struct assay_verity_pair *pair;

	if (assay_verity_cmdline(cmdline, usr, &n, err) < 0)
		return -1;
	if (!n)
		return 0;
	if (assay_verity_new_pair(s, &pair, err) < 0)
		return -1;
	pair->usr = usr;
	pair->fec = n->fec;
	pair->err = n->refused;
	memcpy(pair->root_hash, n->root_hash, sizeof(pair->root_hash));
	pair->root_hash_size = n->root_hash_size;
	if (pair->err.code == ASSAY_OK) {
		const struct assay_gpt_part *data = locate(s->gpt, n, false, &pair->err);
		const struct assay_gpt_part *hash =
			data ? locate(s->gpt, n, true, &pair->err) : NULL;

		if (data)
			assay_verity_set_data(pair, data);
		if (hash)
			assay_verity_set_hash(pair, hash);
	}
	/* The same as another program's: that one's name stands for both. */
	for (size_t i = 0; i + 1 < s->pairs->n; i++) {
		if (same(&s->pairs->p[i], pair)) {
			s->pairs->n--;
			return 0;
		}
	}
	pair->by_entry = assay_boot_is_entry(path);
	pair->source = assay_strdup(path);
	return pair->source ? 0 : assay_fail_mem(err);
}

static int take_cmdline(void *data, const char *path, const char *cmdline, struct assay_err *err)
{
	struct verity_search *s = data;

	if (add_named(s, path, cmdline, false, err) < 0 ||
	    add_named(s, path, cmdline, true, err) < 0)
		return -1;
	return 0;
}

static bool is_xbootldr(const struct assay_gpt_part *part)
{
	const char *name = assay_gpt_type_name(part->type);

	return name && strcmp(name, "Linux extended boot") == 0;
}

static int find_named(struct verity_search *s, struct assay_err *err)
{
	for (size_t i = 0; i < s->gpt->n_parts; i++) {
		const struct assay_gpt_part *part = &s->gpt->parts[i];
		const bool esp = assay_gpt_is_esp(part);
		ASSAY_AUTO(assay_src) *src = NULL;
		ASSAY_AUTO(assay_fs) *fs = NULL;

		if (!esp && !is_xbootldr(part))
			continue;
		if (assay_src_slice(s->disk, part->offset, part->size, &src, err) < 0)
			return assay_wrap(err, "partition %u", part->index);
		/* Firmware reads FAT; with a driver for something else it could be anything. */
		if (assay_fs_open_fat(src, &fs, err) < 0) {
			if (!esp && err->code == ASSAY_E_UNSUPPORTED)
				continue;
			return assay_wrap(err, "partition %u (%s)", part->index,
					  esp ? "ESP" : "XBOOTLDR");
		}
		if (assay_boot_cmdlines(fs, take_cmdline, s, err) < 0)
			return assay_wrap(err, "partition %u (%s)", part->index,
					  esp ? "ESP" : "XBOOTLDR");
	}
	return 0;
}

/* --- the disk -----------------------------------------------------------------------------------
 */

static int find(struct verity_search *s, struct assay_err *err)
{
	if (assay_gpt_open(s->disk, &s->gpt, err) < 0 || find_named(s, err) < 0 ||
	    assay_verity_find_by_uuid(s, err) < 0)
		return -1;
	if (s->pairs->n == 0)
		return assay_fail(
			err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
			"no UKI or boot entry names a root hash, and none of %zu partitions "
			"is for dm-verity",
			s->gpt->n_parts);
	return 0;
}

int assay_verity_pairs_find(struct assay_src *disk, struct assay_verity_pairs **ret,
			    struct assay_err *err)
{
	ASSAY_AUTO(assay_verity_pairs) *pairs = calloc(1, sizeof(*pairs));
	struct verity_search s = { .disk = disk, .pairs = pairs };

	if (!pairs)
		return assay_fail_mem(err);
	const int rc = find(&s, err);
	assay_gpt_free(&s.gpt);
	if (rc < 0)
		return -1;
	*ret = assay_steal(&pairs);
	return 0;
}
