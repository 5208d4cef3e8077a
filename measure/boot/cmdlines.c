/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/boot/cmdlines.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/limits.h"
#include "core/text.h"
#include "measure/boot/loader.h"
#include "measure/pe/uki.h"

struct line {
	char *path;
	char *text;
};

struct lines {
	struct line *l;
	size_t n;
};

struct walk {
	struct assay_fs *fs;
	struct lines found; /* of UKIs and entries */
	struct lines addons;
	size_t n_files;
};

static void free_lines(struct lines *lines)
{
	for (size_t i = 0; i < lines->n; i++) {
		free(lines->l[i].path);
		free(lines->l[i].text);
	}
	free(lines->l);
}

/* `text` is handed over; NULL: out of memory. */
static int add(struct lines *to, const char *path, char *text, struct assay_err *err)
{
	struct line *grown = realloc(to->l, (to->n + 1) * sizeof(*grown));

	if (grown)
		to->l = grown;
	if (!grown || !text) {
		free(text);
		return assay_fail_mem(err);
	}
	grown[to->n] = (struct line){ .path = assay_strdup(path), .text = text };
	return grown[to->n++].path ? 0 : assay_fail_mem(err);
}

/* mangle_stub_cmdline(): control characters become blanks. Of 0x7f 252 makes none: it is left, as a
 * sign. */
static void mangle(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20)
			*text = ' ';
}

static int look_at_uki(struct walk *w, struct assay_src *src, const char *path,
		       struct assay_err *err)
{
	ASSAY_AUTO(assay_pe) *pe = NULL;
	struct assay_efi_info info;

	if (assay_pe_open(src, &pe, err) < 0 || assay_efi_identify(pe, &info, err) < 0)
		return -1;
	const enum assay_efi_kind kind = info.kind;
	const size_t n_profiles = info.n_profiles ? info.n_profiles : 1;
	assay_efi_info_clear(&info);
	if (kind != ASSAY_EFI_UKI && kind != ASSAY_EFI_ADDON)
		return 0;
	for (size_t i = 0; i < n_profiles; i++) {
		struct assay_uki_view view;
		uint8_t *text = NULL;
		size_t len;

		if (assay_uki_view(pe, i, &view, err) < 0)
			return -1;
		/* One without a command line of its own may get it from addons. */
		if (view.s[ASSAY_UKI_CMDLINE] &&
		    assay_pe_section_read(pe, view.s[ASSAY_UKI_CMDLINE], ASSAY_UKI_TEXT_MAX, &text,
					  &len, err) < 0)
			return -1;
		if (text)
			mangle((char *)text);
		if (add(kind == ASSAY_EFI_UKI ? &w->found : &w->addons, path,
			text ? (char *)text : assay_strdup(""), err) < 0)
			return -1;
	}
	return 0;
}

/* Entries of another architecture are some other machine's, and name what that boots. */
static int look_at_entry(struct walk *w, struct assay_src *src, const char *path, const char *name,
			 struct assay_err *err)
{
	static const char *const archs[] = { "x64", "aa64" };
	ASSAY_AUTO_FREE uint8_t *bytes = NULL;
	const uint64_t size = assay_src_size(src);

	if (assay_src_read_alloc(src, 0, size, ASSAY_LOADER_MAX_FILE, &bytes, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(archs) / sizeof(archs[0]); i++) {
		ASSAY_AUTO(assay_boot_entry) *e = NULL;
		const char *why;

		if (assay_boot_entry_type1(ASSAY_SDBOOT_257, name, bytes, (size_t)size, archs[i],
					   NULL, &e, &why, err) < 0)
			return -1;
		if (e)
			return e->options ? add(&w->found, path, assay_steal(&e->options), err) : 0;
	}
	return 0;
}

static int look_at_file(struct walk *w, const char *folder, const char *name, const char *path,
			struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	char magic[2] = { 0 };
	int rc = 0;

	if (++w->n_files > ASSAY_ESP_MAX_FILES)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "more than %d files",
				  ASSAY_ESP_MAX_FILES);
	if (assay_fs_file(w->fs, path, &src, NULL, err) < 0)
		return -1;
	if (assay_src_size(src) >= 2 && assay_src_read(src, 0, magic, 2, err) < 0)
		return -1;
	if (memcmp(magic, "MZ", 2) == 0)
		rc = look_at_uki(w, src, path, err);
	else if (strcasecmp(folder, "/loader/entries") == 0 &&
		 assay_boot_entry_name(ASSAY_SDBOOT_257, name, ".conf"))
		rc = look_at_entry(w, src, path, name, err);
	/* What no firmware or boot loader can start names nothing. */
	if (rc < 0 && (err->code == ASSAY_E_CORRUPT || err->code == ASSAY_E_UNSUPPORTED))
		return 0;
	return rc;
}

static int look_at_folder(struct walk *w, const char *path, unsigned depth, struct assay_err *err)
{
	struct assay_dir dir = { 0 };
	int rc = 0;

	if (depth > ASSAY_FS_MAX_DEPTH)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%s: folders deeper than %u",
				  path, ASSAY_FS_MAX_DEPTH);
	if (assay_fs_list(w->fs, path, &dir, err) < 0)
		return -1;
	for (size_t i = 0; i < dir.n && rc == 0; i++) {
		ASSAY_AUTO_FREE char *sub =
			assay_asprintf("%s/%s", path[1] ? path : "", dir.e[i].name);

		if (!sub)
			rc = assay_fail_mem(err);
		else if (dir.e[i].kind == ASSAY_FS_DIR)
			rc = look_at_folder(w, sub, depth + 1, err);
		else if (dir.e[i].kind == ASSAY_FS_FILE)
			rc = look_at_file(w, path, dir.e[i].name, sub, err);
	}
	assay_dir_clear(&dir);
	return rc;
}

/*
 * Does the stub of this UKI look at that addon? It does in /loader/addons, and in the folder that
 * has the UKI's name and ".extra.d", where a boot counter in the name may be left out
 * (remove_boot_count()).
 */
static bool is_beside(const char *addon, const char *uki)
{
	static const char everywhere[] = "/loader/addons", suffix[] = ".extra.d";
	const char *slash = strrchr(addon, '/');
	const size_t folder = (size_t)(slash - addon);
	const size_t plus = strcspn(uki, "+");

	if (folder == strlen(everywhere) && strncasecmp(addon, everywhere, folder) == 0)
		return true;
	if (folder < strlen(suffix) ||
	    strncasecmp(slash - strlen(suffix), suffix, strlen(suffix)) != 0)
		return false;
	const size_t stem = folder - strlen(suffix);
	if (stem == strlen(uki) && strncasecmp(addon, uki, stem) == 0)
		return true;
	return uki[plus] != '\0' && plus <= stem && strncasecmp(addon, uki, plus) == 0 &&
	       memchr(addon + plus, '/', stem - plus) == NULL;
}

/* Several addons: which of them a machine takes depends on signatures and versions; here all, in
 * one order. */
static int with_addons(struct walk *w, const struct line *uki, assay_cmdline_fn *fn, void *data,
		       struct assay_err *err)
{
	struct assay_str all = { 0 };
	size_t n = 0;

	assay_str_add(&all, "%s", uki->text);
	for (size_t i = 0; i < w->addons.n; i++) {
		if (!is_beside(w->addons.l[i].path, uki->path))
			continue;
		assay_str_add(&all, "%s%s", all.len > 0 ? " " : "", w->addons.l[i].text);
		n++;
	}
	ASSAY_AUTO_FREE char *text = assay_str_steal(&all);
	if (!text)
		return assay_fail_mem(err);
	return n > 0 ? fn(data, uki->path, text, err) : 0;
}

bool assay_boot_is_entry(const char *path)
{
	const size_t n = strlen(path);

	return n > 5 && strcasecmp(path + n - 5, ".conf") == 0;
}

int assay_boot_cmdlines(struct assay_fs *fs, assay_cmdline_fn *fn, void *data,
			struct assay_err *err)
{
	struct walk w = { .fs = fs };
	int rc = look_at_folder(&w, "/", 0, err);

	for (size_t i = 0; i < w.found.n && rc == 0; i++) {
		const struct line *l = &w.found.l[i];

		rc = fn(data, l->path, l->text, err);
		if (rc == 0 && !assay_boot_is_entry(l->path))
			rc = with_addons(&w, l, fn, data, err);
	}
	free_lines(&w.found);
	free_lines(&w.addons);
	return rc;
}
