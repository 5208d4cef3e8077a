/* SPDX-License-Identifier: Apache-2.0 */
/* The facts about a disk as JSON: assay.facts/1 (docs/FORMATS.md). */
#include "measure/image.h"

#include <stdlib.h>
#include <string.h>

#include "core/guid.h"
#include "core/limits.h"
#include "core/text.h"
#include "measure/pe/report.h"

#define ASSAY_FACTS_SCHEMA "assay.facts/1"

struct walk {
	struct assay_image *image;
	unsigned banks;
	const char *boot;
	struct assay_json *programs;
	struct assay_json *files;
	size_t n;
};

static void set_guid(struct assay_json *o, const char *key, const uint8_t guid[16])
{
	char text[37];

	assay_json_set_str(o, key, assay_guid_text(guid, text));
}

static struct assay_json *partition_json(const struct assay_gpt_part *p)
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
	return o;
}

static struct assay_json *gpt_json(const struct assay_gpt *gpt)
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
	assay_json_set_str(o, "backup", backup[gpt->backup]);
	if (gpt->backup_why)
		assay_json_set_str(o, "backup_reason", gpt->backup_why);
	for (size_t i = 0; i < gpt->n_parts; i++)
		assay_json_append(parts, partition_json(&gpt->parts[i]));
	assay_json_set(o, "partitions", parts);
	return o;
}

/* --- the files of the ESP ----------------------------------------------------------------------- */

/* The text of a small section, up to its first NUL. */
static int section_text(const struct assay_pe *pe, const char *name, const char *key,
			struct assay_json *o, struct assay_err *err)
{
	const struct assay_pe_section *s = assay_pe_section(pe, name);
	ASSAY_AUTO_FREE uint8_t *text = NULL;
	size_t len;

	if (!s || assay_pe_section_size(s) > ASSAY_UKI_TEXT_MAX)
		return 0;
	if (assay_pe_section_read(pe, s, ASSAY_UKI_TEXT_MAX, &text, &len, err) < 0)
		return -1;
	assay_json_set(o, key, assay_json_string_n((const char *)text, strnlen((char *)text, len)));
	return 0;
}

static int program(struct walk *w, struct assay_src *src, const char *path, struct assay_err *err)
{
	ASSAY_AUTO(assay_pe_report) *r = NULL;

	if (assay_pe_report_make(src, w->banks, true, &r, err) < 0)
		return assay_wrap(err, "partition %u (ESP): %s", w->image->esp->index, path);
	struct assay_json *o = assay_pe_report_json(r, path);
	if (r->info.kind == ASSAY_EFI_UKI || r->info.kind == ASSAY_EFI_ADDON) {
		if (section_text(r->pe, ".cmdline", "cmdline", o, err) < 0 ||
		    section_text(r->pe, ".osrel", "os_release", o, err) < 0 ||
		    section_text(r->pe, ".uname", "uname", o, err) < 0) {
			assay_json_free(&o);
			return assay_wrap(err, "partition %u (ESP): %s", w->image->esp->index, path);
		}
	}
	assay_json_append(w->programs, o);
	return 0;
}

static bool is_program(struct assay_src *src)
{
	struct assay_err err;
	char magic[2];

	return assay_src_size(src) >= 2 && assay_src_read(src, 0, magic, 2, &err) == 0 &&
	       memcmp(magic, "MZ", 2) == 0;
}

static int file(struct walk *w, const char *path, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	struct assay_digests d;

	if (assay_fs_file(w->image->fs, path, &src, NULL, err) < 0)
		return assay_wrap(err, "partition %u (ESP)", w->image->esp->index);
	bool boot = w->boot && strcmp(path, w->boot) == 0;
	struct assay_json *o = assay_json_object();
	assay_json_set_str(o, "path", path);
	assay_json_set_int(o, "size", assay_src_size(src));
	if (boot || is_program(src)) {
		if (program(w, src, path, err) == 0) {
			assay_json_free(&o);
			return 0;
		}
		/* What boots must be readable; a broken file beside it is a fact. */
		if (boot || (err->code != ASSAY_E_CORRUPT && err->code != ASSAY_E_UNSUPPORTED &&
			     err->code != ASSAY_E_LIMIT)) {
			assay_json_free(&o);
			return -1;
		}
		assay_json_set_str(o, "error", err->msg);
	}
	if (assay_hash_src(src, w->banks, &d, err) < 0) {
		assay_json_free(&o);
		return assay_wrap(err, "partition %u (ESP): %s", w->image->esp->index, path);
	}
	assay_json_set(o, "digest", assay_json_digests(&d));
	assay_json_append(w->files, o);
	return 0;
}

static int compare_dirents(const void *a, const void *b)
{
	return strcmp(((const struct assay_dirent *)a)->name, ((const struct assay_dirent *)b)->name);
}

static int folder(struct walk *w, const char *path, unsigned depth, struct assay_err *err)
{
	struct assay_dir dir = { 0 };
	int rc = 0;

	if (depth > ASSAY_FS_MAX_DEPTH)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%s: folders deeper than %u",
				  path, ASSAY_FS_MAX_DEPTH);
	if (assay_fs_list(w->image->fs, path, &dir, err) < 0)
		return assay_wrap(err, "partition %u (ESP)", w->image->esp->index);
	if (dir.n)
		qsort(dir.e, dir.n, sizeof(*dir.e), compare_dirents);
	for (size_t i = 0; rc == 0 && i < dir.n; i++) {
		ASSAY_AUTO_FREE char *child =
			assay_asprintf("%s/%s", path[1] ? path : "", dir.e[i].name);

		if (!child)
			rc = assay_fail_mem(err);
		else if (++w->n > ASSAY_ESP_MAX_FILES)
			rc = assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
					"more than %d files and folders on the ESP", ASSAY_ESP_MAX_FILES);
		else
			rc = dir.e[i].kind == ASSAY_FS_DIR ? folder(w, child, depth + 1, err) : file(w, child, err);
	}
	assay_dir_clear(&dir);
	return rc;
}

int assay_image_facts(struct assay_image *image, const char *boot, unsigned banks,
		      struct assay_json **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *o = assay_json_object();
	ASSAY_AUTO_FREE char *path = NULL;
	ASSAY_AUTO(assay_src) *found = NULL;
	struct assay_json *disk = assay_json_object();
	struct assay_json *esp = assay_json_object();
	struct walk w = { .image = image, .banks = banks };
	struct assay_digests d;

	assay_json_set_str(o, "schema", ASSAY_FACTS_SCHEMA);
	assay_json_set(o, "image", disk);
	assay_json_set(o, "esp", esp);
	assay_json_set(o, "gpt", gpt_json(image->gpt));
	if (boot) {
		if (assay_fs_file(image->fs, boot, &found, &path, err) < 0)
			return assay_wrap(err, "partition %u (ESP)", image->esp->index);
	} else if (assay_image_boot_path(image, NULL, &path, err) < 0) {
		return -1;
	}
	assay_json_set_str(o, "boot", path);
	assay_json_set_int(esp, "partition", image->esp->index);
	assay_json_set_str(esp, "filesystem", assay_fs_name(image->fs));
	assay_json_set_int(esp, "system_partitions", image->n_esps);

	w.boot = path;
	w.programs = assay_json_array();
	w.files = assay_json_array();
	assay_json_set(esp, "programs", w.programs);
	assay_json_set(esp, "files", w.files);
	if (folder(&w, "/", 0, err) < 0)
		return -1;

	assay_json_set_str(disk, "name", image->name);
	assay_json_set_int(disk, "size", assay_src_size(image->disk));
	assay_json_set_str(disk, "format", image->file.format);
	assay_json_set_int(disk, "file_size", image->file.file_size);
	if (assay_hash_src(image->disk, banks | ASSAY_BANK_BIT(ASSAY_SHA256), &d, err) < 0)
		return -1;
	assay_json_set(disk, "digest", assay_json_digests(&d));
	*ret = assay_steal(&o);
	return 0;
}
