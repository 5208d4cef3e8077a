/* SPDX-License-Identifier: Apache-2.0 */
/* The EFI system partition's part of the facts: its programs, its other files, and where they lie. */
#include "measure/facts_priv.h"

#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "measure/fs/fat.h"
#include "measure/initrd/report.h"
#include "measure/pe/report.h"

struct walk {
	struct assay_image *image;
	struct assay_regions *regions;
	unsigned banks;
	const char *boot;
	struct assay_json *programs;
	struct assay_json *files;
	size_t n;
	unsigned part;
	bool coarse; /* too many regions: the partition is told about as a whole */
};

/* --- where things lie --------------------------------------------------------------------------- */

static int claim(struct walk *w, enum assay_region_layer layer, const struct assay_src *src,
		 uint64_t off, uint64_t len, unsigned label, struct assay_err *err)
{
	return assay_regions_claim_src(w->regions, layer, w->image->disk, src, off, len, label, err);
}

/* A map that is too large gives way to one region, the partition, which is "partly" measured. */
static int mapped(struct walk *w, int rc, struct assay_err *err)
{
	if (rc == 0 || err->code != ASSAY_E_LIMIT)
		return rc;
	w->coarse = true;
	assay_regions_drop(w->regions, ASSAY_LAYER_PARTITION, w->image->esp->offset,
			   w->image->esp->size);
	return 0;
}

/* The parts of the volume that are no file's. */
static int claim_volume(struct walk *w, struct assay_err *err)
{
	const struct assay_fat_bpb *b = assay_fat_shape(w->image->fs);
	const uint64_t at = w->image->esp->offset;
	unsigned boot, reserved, fat, copies, free_label, behind;

	if (!b || w->coarse)
		return 0;
	if (assay_regions_label(w->regions, ASSAY_MEASURED_PARTLY, "facts", &boot, err,
				"partition %u (ESP): boot sector", w->part) < 0 ||
	    assay_regions_label(w->regions, ASSAY_MEASURED_NO, NULL, &reserved, err,
				"partition %u (ESP): reserved sectors", w->part) < 0 ||
	    assay_regions_label(w->regions, ASSAY_MEASURED_PARTLY, "facts", &fat, err,
				"partition %u (ESP): allocation table", w->part) < 0 ||
	    assay_regions_label(w->regions, ASSAY_MEASURED_NO, NULL, &copies, err,
				"partition %u (ESP): copies of the allocation table", w->part) < 0 ||
	    assay_regions_label(w->regions, ASSAY_MEASURED_NO, NULL, &free_label, err,
				"partition %u (ESP): clusters of no file", w->part) < 0 ||
	    assay_regions_label(w->regions, ASSAY_MEASURED_NO, NULL, &behind, err,
				"partition %u (ESP): behind the file system", w->part) < 0)
		return -1;
	const uint64_t boot_size = 512;
	const enum assay_region_layer l = ASSAY_LAYER_STRUCTURE;
	if (assay_regions_claim(w->regions, l, at, boot_size, boot, err) < 0 ||
	    assay_regions_claim(w->regions, l, at + boot_size, b->fat_off - boot_size, reserved, err) < 0 ||
	    assay_regions_claim(w->regions, l, at + b->fat_off, b->fat_size, fat, err) < 0 ||
	    assay_regions_claim(w->regions, l, at + b->fat_off + b->fat_size,
				b->root_off - b->fat_off - b->fat_size, copies, err) < 0 ||
	    assay_regions_claim(w->regions, l, at + b->root_off, b->size - b->root_off, free_label,
				err) < 0 ||
	    assay_regions_claim(w->regions, l, at + b->size, w->image->esp->size - b->size, behind,
				err) < 0)
		return -1;
	return 0;
}

static int claim_folder(struct walk *w, const char *path, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *entries = NULL;
	unsigned label;

	if (!assay_fat_shape(w->image->fs) || w->coarse)
		return 0;
	if (assay_fat_folder(w->image->fs, path, &entries, err) < 0 ||
	    assay_regions_label(w->regions, ASSAY_MEASURED_PARTLY, "facts", &label, err,
				"partition %u (ESP): folder %s", w->part, path) < 0)
		return -1;
	return claim(w, ASSAY_LAYER_FILE, entries, 0, assay_src_size(entries), label, err);
}

/* What is left of a file's last cluster. */
static int claim_slack(struct walk *w, struct assay_src *src, const char *path, struct assay_err *err)
{
	const struct assay_fat_bpb *b = assay_fat_shape(w->image->fs);
	const uint64_t size = assay_src_size(src);
	unsigned label;

	if (!b || size == 0 || size % b->cluster_size == 0 || !assay_src_within(src, w->image->disk))
		return 0;
	if (assay_regions_label(w->regions, ASSAY_MEASURED_NO, NULL, &label, err,
				"partition %u (ESP): behind the end of %s", w->part, path) < 0)
		return -1;
	return assay_regions_claim(w->regions, ASSAY_LAYER_FILE, assay_src_origin(src, size - 1) + 1,
				   b->cluster_size - size % b->cluster_size, label, err);
}

static int claim_file(struct walk *w, struct assay_src *src, const char *path, struct assay_err *err)
{
	unsigned label;

	if (w->coarse)
		return 0;
	if (assay_regions_label(w->regions, ASSAY_MEASURED_YES, "facts", &label, err,
				"partition %u (ESP): %s", w->part, path) < 0 ||
	    claim(w, ASSAY_LAYER_FILE, src, 0, assay_src_size(src), label, err) < 0)
		return -1;
	return claim_slack(w, src, path, err);
}

/* In PCR 11 whatever the version of systemd-stub: the table is in precompute/chain/stub.c. */
static bool in_pcr11(const char *section)
{
	static const char *const always[] = { ".linux",	 ".osrel", ".cmdline", ".initrd",
					      ".splash", ".dtb",   ".pcrpkey" };

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (strcmp(section, always[i]) == 0)
			return true;
	return false;
}

static int claim_sections(struct walk *w, const struct assay_pe_report *r, const char *path, bool boots,
			  struct assay_err *err)
{
	if (r->info.kind != ASSAY_EFI_UKI && r->info.kind != ASSAY_EFI_ADDON)
		return 0;
	for (size_t i = 0; i < r->pe->n_sections; i++) {
		const struct assay_pe_section *s = &r->pe->sections[i];
		unsigned label;

		if (!in_pcr11(s->name))
			continue;
		if (assay_regions_label(w->regions, ASSAY_MEASURED_YES,
					boots ? "PCR 4\nPCR 11" : "PCR 4 when it starts\nPCR 11 when it starts",
					&label, err, "partition %u (ESP): %s, section %s", w->part, path,
					s->name) < 0 ||
		    claim(w, ASSAY_LAYER_DETAIL, r->pe->src, s->raw_offset,
			  assay_pe_section_file_size(s), label, err) < 0)
			return -1;
	}
	return 0;
}

/* The bytes that firmware hashes, the sections among them; of the rest only some are told. */
static int claim_program(struct walk *w, const struct assay_pe_report *r, const char *path,
			 struct assay_err *err)
{
	const bool boots = w->boot && strcmp(path, w->boot) == 0;
	struct assay_authenticode_plan plan;
	unsigned whole, hashed;
	int rc = 0;

	if (w->coarse)
		return 0;
	if (assay_regions_label(w->regions, ASSAY_MEASURED_PARTLY, "facts", &whole, err,
				"partition %u (ESP): %s, its signatures and what they leave out", w->part,
				path) < 0 ||
	    assay_regions_label(w->regions, ASSAY_MEASURED_YES, boots ? "PCR 4" : "PCR 4 when it starts",
				&hashed, err, "partition %u (ESP): %s", w->part, path) < 0 ||
	    claim(w, ASSAY_LAYER_FILE, r->pe->src, 0, assay_src_size(r->pe->src), whole, err) < 0 ||
	    assay_authenticode_plan(r->pe, &plan, err) < 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < plan.n_ranges; i++)
		rc = claim(w, ASSAY_LAYER_PART, r->pe->src, plan.ranges[i].off, plan.ranges[i].len,
			   hashed, err);
	assay_authenticode_plan_clear(&plan);
	if (rc < 0 || claim_sections(w, r, path, boots, err) < 0)
		return -1;
	return claim_slack(w, r->pe->src, path, err);
}

/* --- programs and files ------------------------------------------------------------------------- */

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

static int program(struct walk *w, struct assay_src *src, const char *path, bool *ret_regions,
		   struct assay_err *err)
{
	ASSAY_AUTO(assay_pe_report) *r = NULL;

	*ret_regions = false;
	if (assay_pe_report_make(src, w->banks, true, &r, err) < 0)
		return assay_wrap(err, "partition %u (ESP): %s", w->part, path);
	struct assay_json *o = assay_pe_report_json(r, path);
	if (r->info.kind == ASSAY_EFI_UKI || r->info.kind == ASSAY_EFI_ADDON) {
		if (section_text(r->pe, ".cmdline", "cmdline", o, err) < 0 ||
		    section_text(r->pe, ".osrel", "os_release", o, err) < 0 ||
		    section_text(r->pe, ".uname", "uname", o, err) < 0) {
			assay_json_free(&o);
			return assay_wrap(err, "partition %u (ESP): %s", w->part, path);
		}
	}
	if (assay_initrd_facts(r->pe, r->info.kind, w->image->initrds, o, err) < 0) {
		assay_json_free(&o);
		return assay_wrap(err, "partition %u (ESP): %s", w->part, path);
	}
	assay_json_append(w->programs, o);
	*ret_regions = true;
	return mapped(w, claim_program(w, r, path, err), err);
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
	bool regions;

	if (assay_fs_file(w->image->fs, path, &src, NULL, err) < 0)
		return assay_wrap(err, "partition %u (ESP)", w->part);
	bool boot = w->boot && strcmp(path, w->boot) == 0;
	struct assay_json *o = assay_json_object();
	assay_json_set_str(o, "path", path);
	assay_json_set_int(o, "size", assay_src_size(src));
	if (boot || is_program(src)) {
		if (program(w, src, path, &regions, err) == 0) {
			assay_json_free(&o);
			return 0;
		}
		/* What boots must be readable; a broken file beside it is a fact. */
		if (regions || boot ||
		    (err->code != ASSAY_E_CORRUPT && err->code != ASSAY_E_UNSUPPORTED &&
		     err->code != ASSAY_E_LIMIT)) {
			assay_json_free(&o);
			return -1;
		}
		assay_json_set_str(o, "error", err->msg);
	}
	if (assay_hash_src(src, w->banks, &d, err) < 0) {
		assay_json_free(&o);
		return assay_wrap(err, "partition %u (ESP): %s", w->part, path);
	}
	assay_json_set(o, "digest", assay_json_digests(&d));
	assay_json_append(w->files, o);
	return mapped(w, claim_file(w, src, path, err), err);
}

static int compare_dirents(const void *a, const void *b)
{
	return strcmp(((const struct assay_dirent *)a)->name, ((const struct assay_dirent *)b)->name);
}

static int folder(struct walk *w, const char *path, unsigned depth, struct assay_err *err)
{
	struct assay_dir dir = { 0 };
	int rc;

	if (depth > ASSAY_FS_MAX_DEPTH)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%s: folders deeper than %u",
				  path, ASSAY_FS_MAX_DEPTH);
	if (assay_fs_list(w->image->fs, path, &dir, err) < 0)
		return assay_wrap(err, "partition %u (ESP)", w->part);
	rc = mapped(w, claim_folder(w, path, err), err);
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
			rc = dir.e[i].kind == ASSAY_FS_DIR ? folder(w, child, depth + 1, err) :
							     file(w, child, err);
	}
	assay_dir_clear(&dir);
	return rc;
}

int assay_facts_esp(struct assay_image *image, const char *boot, unsigned banks,
		    struct assay_regions *regions, struct assay_json **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *esp = assay_json_object();
	ASSAY_AUTO(assay_json) *programs = assay_json_array();
	ASSAY_AUTO(assay_json) *files = assay_json_array();
	struct walk w = { .image = image,
			  .regions = regions,
			  .banks = banks,
			  .boot = boot,
			  .programs = programs,
			  .files = files,
			  .part = image->esp->index };

	if (mapped(&w, claim_volume(&w, err), err) < 0 || folder(&w, "/", 0, err) < 0)
		return -1;
	assay_json_set(esp, "programs", assay_steal(&programs));
	assay_json_set(esp, "files", assay_steal(&files));
	assay_json_set_int(esp, "partition", image->esp->index);
	assay_json_set_str(esp, "filesystem", assay_fs_name(image->fs));
	assay_json_set_int(esp, "system_partitions", image->n_esps);
	*ret = assay_steal(&esp);
	return 0;
}
