/* SPDX-License-Identifier: Apache-2.0 */
/* The facts about a disk as JSON: assay.facts/1 (docs/FORMATS.md). */
#include "measure/image.h"

#include <stdlib.h>
#include <string.h>

#include "core/guid.h"
#include "measure/facts_priv.h"
#include "measure/links.h"
#include "measure/root_modules.h"
#include "measure/whole.h"

#define ASSAY_FACTS_SCHEMA "assay.facts/1"
#define ASSAY_DATA_SCHEMA "assay.data/1"

static void set_guid(struct assay_json *o, const char *key, const uint8_t guid[16])
{
	char text[37];

	assay_json_set_str(o, key, assay_guid_text(guid, text));
}

static struct assay_json *partition_json(const struct assay_gpt_part *p, const struct assay_digests *digests)
{
	struct assay_json *o = assay_json_object();
	const char *type = assay_gpt_type_name(p->type);
	char attributes[17];
	uint8_t be[8];

	for (int i = 0; i < 8; i++)
		be[i] = (uint8_t)(p->attributes >> (56 - 8 * i));
	assay_json_set_int(o, "index", p->index);
	set_guid(o, "type", p->type);
	if (type)
		assay_json_set_str(o, "type_name", type);
	set_guid(o, "guid", p->guid);
	assay_json_set_str(o, "name", p->name);
	assay_json_set_int(o, "first_lba", p->first_lba);
	assay_json_set_int(o, "last_lba", p->last_lba);
	assay_json_set_int(o, "offset", p->offset);
	assay_json_set_int(o, "size", p->size);
	assay_json_set_str(o, "attributes", assay_hex(be, sizeof(be), attributes));
	if (digests)
		assay_json_set(o, "digest", assay_json_digests(digests));
	return o;
}

static struct assay_json *gpt_json(const struct assay_gpt *gpt, const struct assay_digests *digests)
{
	static const char *const backup[] = {
		[ASSAY_GPT_BACKUP_SAME] = "same",
		[ASSAY_GPT_BACKUP_DIFFERS] = "differs",
		[ASSAY_GPT_BACKUP_BROKEN] = "broken",
	};
	struct assay_json *o = assay_json_object();
	struct assay_json *parts = assay_json_array();

	assay_json_set_int(o, "sector_size", gpt->sector_size);
	set_guid(o, "disk_guid", gpt->header.disk_guid);
	assay_json_set(o, "header", assay_json_hex(gpt->header_bytes, sizeof(gpt->header_bytes)));
	assay_json_set_bool(o, "protective_mbr", gpt->protective_mbr);
	assay_json_set_str(o, "backup", backup[gpt->backup]);
	if (gpt->backup_why)
		assay_json_set_str(o, "backup_reason", gpt->backup_why);
	for (size_t i = 0; i < gpt->n_parts; i++)
		assay_json_append(parts, partition_json(&gpt->parts[i], digests ? &digests[i] : NULL));
	assay_json_set(o, "partitions", parts);
	return o;
}

/* --- all of it ---------------------------------------------------------------------------------- */

static int boot_path(struct assay_image *image, const char *boot, char **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *found = NULL;

	if (!boot)
		return assay_image_boot_path(image, NULL, ret, err);
	if (assay_fs_file(image->fs, boot, &found, ret, err) < 0)
		return assay_wrap(err, "partition %u (ESP)", image->esp->index);
	return 0;
}

/* What does not need the disk as a whole. */
static int parts(struct assay_image *image, const struct assay_facts_options *options, struct assay_json *o,
		 struct assay_links **ret_links, struct assay_err *err)
{
	ASSAY_AUTO(assay_regions) *regions = NULL;
	ASSAY_AUTO_FREE char *path = NULL;
	struct assay_json *esp, *list;

	if (boot_path(image, options->boot, &path, err) < 0)
		return -1;
	assay_json_set_str(o, "boot", path);
	if (assay_regions_new(assay_src_size(image->disk), &regions, err) < 0 ||
	    assay_regions_gpt(regions, image->disk, image->gpt, image->esp, err) < 0 ||
	    assay_facts_esp(image, path, options->banks, regions, &esp, err) < 0)
		return -1;
	assay_json_set(o, "esp", esp);
	if (assay_image_links(image, o, regions, ret_links, err) < 0 ||
	    assay_root_modules_check(o, err) < 0 || assay_regions_json(regions, &list, err) < 0)
		return -1;
	assay_json_set(o, "regions", list);
	return 0;
}

/* What the file is, and the disk in it; the digest is added when it is known. */
static struct assay_json *image_json(const char *name, const struct assay_src *disk,
				     const struct assay_disk_info *info)
{
	struct assay_json *o = assay_json_object();

	assay_json_set_str(o, "name", name);
	assay_json_set_int(o, "size", assay_src_size(disk));
	assay_json_set_str(o, "format", info->format);
	assay_json_set_int(o, "file_size", info->file_size);
	return o;
}

int assay_image_facts(struct assay_image *image, const struct assay_facts_options *options,
		      struct assay_json **ret, struct assay_links **ret_links, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *o = assay_json_object();
	ASSAY_AUTO(assay_json) *disk = image_json(image->name, image->disk, &image->file);
	ASSAY_AUTO(assay_links) *links = NULL;
	struct assay_whole whole = { 0 };

	assay_json_set_str(o, "schema", ASSAY_FACTS_SCHEMA);
	if (!options->no_image_digest)
		assay_whole_start(&whole, image->disk, options->partitions ? image->gpt : NULL,
				  options->banks | ASSAY_BANK_BIT(ASSAY_SHA256));
	const int rc = parts(image, options, o, &links, err);
	if (!options->no_image_digest) {
		if (assay_whole_finish(&whole, rc == 0, err) < 0) {
			assay_whole_clear(&whole);
			return -1;
		}
		assay_json_set(disk, "digest", assay_json_digests(&whole.digests));
	}
	assay_json_set(o, "gpt", gpt_json(image->gpt, whole.parts));
	assay_whole_clear(&whole);
	if (rc < 0)
		return -1;
	assay_json_set(o, "image", assay_steal(&disk));
	*ret = assay_steal(&o);
	*ret_links = assay_steal(&links);
	return 0;
}

/* --- data disks --------------------------------------------------------------------------------- */

static int data_parts(struct assay_src *disk, struct assay_json *o, struct assay_links **ret_links,
		      struct assay_err *err)
{
	ASSAY_AUTO(assay_regions) *regions = NULL;
	ASSAY_AUTO(assay_gpt) *gpt = NULL;
	struct assay_json *list;

	if (assay_gpt_open(disk, &gpt, err) < 0 && err->code != ASSAY_E_NOTFOUND)
		return -1;
	if (assay_regions_new(assay_src_size(disk), &regions, err) < 0)
		return -1;
	if (gpt) {
		assay_json_set(o, "gpt", gpt_json(gpt, NULL));
		if (assay_regions_gpt(regions, disk, gpt, NULL, err) < 0)
			return -1;
	}
	if (assay_data_links(disk, gpt, o, regions, ret_links, err) < 0 ||
	    assay_regions_json(regions, &list, err) < 0)
		return -1;
	assay_json_set(o, "regions", list);
	return 0;
}

int assay_data_facts(struct assay_src *disk, const char *name, const struct assay_disk_info *info,
		     const struct assay_facts_options *options, struct assay_json **ret,
		     struct assay_links **ret_links, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *o = assay_json_object();
	ASSAY_AUTO(assay_links) *links = NULL;
	ASSAY_AUTO(assay_json) *image = image_json(name, disk, info);
	struct assay_whole whole = { 0 };

	assay_json_set_str(o, "schema", ASSAY_DATA_SCHEMA);
	assay_whole_start(&whole, disk, NULL, options->banks | ASSAY_BANK_BIT(ASSAY_SHA256));
	const int rc = data_parts(disk, o, &links, err);
	if (assay_whole_finish(&whole, rc == 0, err) < 0)
		return -1;
	assay_json_set(image, "digest", assay_json_digests(&whole.digests));
	assay_json_set(o, "image", assay_steal(&image));
	*ret = assay_steal(&o);
	*ret_links = assay_steal(&links);
	return 0;
}
