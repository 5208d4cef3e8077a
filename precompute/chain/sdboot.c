/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd-boot: loader.conf into PCR 5 (257), then the entry that it starts: a UKI of EFI/Linux or a
 * Type 1 entry. The rules follow src/boot/boot.c of systemd 257.13 and 252.39 (config_load_defaults(),
 * image_start(), initrd_prepare()); which entry it is, measure/boot/order.h tells.
 */
#include "precompute/chain/chain.h"

#include <stdlib.h>
#include <string.h>

#include "core/guid.h"
#include "core/limits.h"
#include "core/text.h"
#include "measure/boot/initrds.h"
#include "measure/boot/order.h"

struct loader {
	struct assay_chain *c;
	struct assay_efi_file *boot;
	enum assay_sdboot rules;
	struct assay_loader_conf *conf; /* NULL: there is none */
	struct assay_boot_entry **entries;
	size_t n;
};

static int open_rules(struct loader *l, struct assay_err *err)
{
	const char *assume = l->c->options->assume_stub;

	if (assay_sdboot_rules(l->boot->info.major, &l->rules, err) == 0)
		return 0;
	if (assume && assay_sdboot_rules((unsigned)strtoul(assume, NULL, 10), &l->rules, err) == 0)
		return 0;
	return assay_wrap(err, "%s", l->boot->path);
}

/* --- what else systemd-boot would do ------------------------------------------------------------ */

/* Are there files with this suffix in the folder? */
static int folder_has(struct loader *l, const char *folder, const char *suffix, bool *ret,
		      struct assay_err *err)
{
	struct assay_dir dir = { 0 };

	*ret = false;
	if (assay_fs_list(l->c->image->fs, folder, &dir, err) < 0)
		return err->code == ASSAY_E_NOTFOUND ? 0 : -1;
	for (size_t i = 0; i < dir.n; i++) {
		size_t n = strlen(dir.e[i].name);
		size_t m = strlen(suffix);

		*ret |= dir.e[i].name[0] != '.' && n >= m &&
			strcasecmp(dir.e[i].name + n - m, suffix) == 0;
	}
	assay_dir_clear(&dir);
	return 0;
}

/* In setup mode it enrols the keys that it finds, and starts the machine anew. */
static int refuse_enrolment(struct loader *l, struct assay_err *err)
{
	const char *how = l->conf ? l->conf->secure_boot_enroll : NULL;
	struct assay_event_variable pk;
	bool keys;

	if (folder_has(l, "/loader/keys", "", &keys, err) < 0)
		return -1;
	if (!keys || l->c->secure_boot)
		return 0;
	if (how ? strcmp(how, "off") == 0 || strcmp(how, "manual") == 0 : l->rules == ASSAY_SDBOOT_252)
		return 0;
	if (assay_platform_variable(l->c->platform, "PK", &pk) && pk.data_len > 0)
		return 0; /* user mode: nothing is enrolled */
	return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
			  "/loader/keys: systemd-boot may enrol Secure Boot keys and start anew");
}

static int refuse_others(struct loader *l, struct assay_err *err)
{
	static const char xbootldr[] = "bc13c2ff-59e6-4262-a352-b275fd6f7172";
	const struct assay_gpt *gpt = l->c->image->gpt;
	uint8_t guid[16];
	bool drivers;

	if (!assay_guid_parse(xbootldr, guid))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "bad GUID %s", xbootldr);
	for (size_t i = 0; i < gpt->n_parts; i++)
		if (memcmp(gpt->parts[i].type, guid, sizeof(guid)) == 0)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "partition %u is an XBOOTLDR partition; its entries are not "
					  "looked at yet",
					  gpt->parts[i].index);
	if (folder_has(l, "/EFI/systemd/drivers", ".efi", &drivers, err) < 0)
		return -1;
	if (drivers)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "/EFI/systemd/drivers: drivers that systemd-boot loads are not predicted "
				  "yet");
	return refuse_enrolment(l, err);
}

/* --- loader.conf -------------------------------------------------------------------------------- */

static int load_conf(struct loader *l, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *bytes = NULL;
	size_t len;

	if (assay_image_read(l->c->image, "/loader/loader.conf", ASSAY_UKI_TEXT_MAX, &bytes, &len,
			     err) < 0)
		return err->code == ASSAY_E_NOTFOUND ? 0 : -1;
	if (assay_loader_conf_parse(l->rules, bytes, len, &l->conf, err) < 0)
		return assay_wrap(err, "/loader/loader.conf");
	if (l->rules == ASSAY_SDBOOT_252)
		return 0;
	return assay_chain_measure(l->c, 5, EV_EVENT_TAG, bytes, len,
				   assay_strdup("\\loader\\loader.conf"),
				   assay_asprintf("loader.conf, %zu bytes", len), err);
}

/* --- entries ------------------------------------------------------------------------------------ */

static int add_entry(struct loader *l, struct assay_boot_entry *entry, struct assay_err *err)
{
	struct assay_boot_entry **grown;

	if (!entry)
		return 0;
	if (l->n >= ASSAY_LOADER_MAX_ENTRIES) {
		assay_boot_entry_free(&entry);
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "more than %u boot entries",
				  ASSAY_LOADER_MAX_ENTRIES);
	}
	grown = reallocarray(l->entries, l->n + 1, sizeof(struct assay_boot_entry *));
	if (!grown) {
		assay_boot_entry_free(&entry);
		return assay_fail_mem(err);
	}
	l->entries = grown;
	l->entries[l->n++] = entry;
	return 0;
}

static int text_section(const struct loader *l, const struct assay_efi_file *file, const struct assay_uki_view *view,
			enum assay_uki_section which, uint8_t **ret, size_t *ret_len,
			struct assay_err *err)
{
	*ret = NULL;
	*ret_len = 0;
	if (!view->s[which])
		return 0;
	/* 252 reads on into whatever follows in the file. */
	if (l->rules == ASSAY_SDBOOT_252 &&
	    assay_pe_section_size(view->s[which]) > assay_pe_section_file_size(view->s[which]))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%s: %s is larger than what the file holds of it", file->path,
				  assay_uki_section_name(which));
	if (assay_pe_section_read(file->pe, view->s[which], ASSAY_UKI_TEXT_MAX, ret, ret_len, err) < 0)
		return assay_wrap(err, "%s: %s", file->path, assay_uki_section_name(which));
	return 0;
}

static int add_uki_profile(struct loader *l, const char *name, const struct assay_efi_file *file,
			   size_t profile, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *osrel = NULL;
	ASSAY_AUTO_FREE uint8_t *prof = NULL;
	struct assay_boot_entry *entry = NULL;
	struct assay_uki_view view;
	size_t osrel_len, prof_len;

	if (assay_uki_view(file->pe, profile, &view, err) < 0)
		return assay_wrap(err, "%s", file->path);
	if (text_section(l, file, &view, ASSAY_UKI_OSREL, &osrel, &osrel_len, err) < 0 ||
	    text_section(l, file, &view, ASSAY_UKI_PROFILE, &prof, &prof_len, err) < 0)
		return -1;
	if (assay_boot_entry_uki(l->rules, name, osrel, osrel_len, (unsigned)profile, prof, prof_len,
				 &entry, NULL, err) < 0)
		return assay_wrap(err, "%s", file->path);
	return add_entry(l, entry, err);
}

static int add_uki(struct loader *l, const char *name, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *path = assay_asprintf("/EFI/Linux/%s", name);
	ASSAY_AUTO(assay_efi_file) *file = NULL;

	if (!path)
		return assay_fail_mem(err);
	if (assay_image_efi(l->c->image, path, &file, err) < 0) {
		/* systemd-boot passes over what is no PE file. */
		if (err->code == ASSAY_E_CORRUPT)
			return assay_wrap(err, "an entry that cannot be read");
		return -1;
	}
	size_t n = l->rules == ASSAY_SDBOOT_252 ? 1 : file->info.n_profiles;
	for (size_t i = 0; i < (n ? n : 1); i++)
		if (add_uki_profile(l, name, file, i, err) < 0)
			return -1;
	return 0;
}

static int add_type1(struct loader *l, const char *name, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *path = assay_asprintf("/loader/entries/%s", name);
	ASSAY_AUTO_FREE char *self = assay_efi_path(l->boot->path, "");
	ASSAY_AUTO_FREE uint8_t *bytes = NULL;
	ASSAY_AUTO_FREE char *target = NULL;
	ASSAY_AUTO(assay_boot_entry) *entry = NULL;
	ASSAY_AUTO(assay_src) *src = NULL;
	size_t len;

	if (!path || !self)
		return assay_fail_mem(err);
	if (assay_image_read(l->c->image, path, ASSAY_UKI_TEXT_MAX, &bytes, &len, err) < 0)
		return -1;
	if (assay_boot_entry_type1(l->rules, name, bytes, len,
				   strcmp(l->c->platform->arch, "aarch64") == 0 ? "aa64" : "x64", self,
				   &entry, NULL, err) < 0)
		return assay_wrap(err, "%s", path);
	if (!entry)
		return 0;
	if (assay_boot_path(entry->loader, &target, err) < 0)
		return assay_wrap(err, "%s", path);
	if (assay_fs_file(l->c->image->fs, target, &src, NULL, err) < 0)
		return err->code == ASSAY_E_NOTFOUND ? 0 : -1; /* no entry is made of it */
	return add_entry(l, assay_steal(&entry), err);
}

static int add_folder(struct loader *l, const char *folder, const char *suffix,
		      int (*add)(struct loader *, const char *, struct assay_err *),
		      struct assay_err *err)
{
	struct assay_dir dir = { 0 };
	int rc = 0;

	if (assay_fs_list(l->c->image->fs, folder, &dir, err) < 0)
		return err->code == ASSAY_E_NOTFOUND ? 0 : -1;
	for (size_t i = 0; rc == 0 && i < dir.n; i++)
		if (dir.e[i].kind != ASSAY_FS_DIR && assay_boot_entry_name(l->rules, dir.e[i].name, suffix))
			rc = add(l, dir.e[i].name, err);
	assay_dir_clear(&dir);
	return rc;
}

/* --- starting one ------------------------------------------------------------------------------- */

static int start_uki(struct loader *l, const struct assay_boot_entry *entry,
		     struct assay_efi_file *file, struct assay_err *err)
{
	struct assay_stub_args args = { .options = NULL };
	ASSAY_AUTO_FREE char *options = NULL;
	ASSAY_AUTO_FREE char *source = assay_efi_path(l->boot->path, "(systemd-boot: LoadOptions)");

	if (entry->kind == ASSAY_ENTRY_UKI && l->rules == ASSAY_SDBOOT_257) {
		/* The embedded options are implied; only a profile has to be said. */
		if (entry->profile > 0 && !(options = assay_asprintf("@%u", entry->profile)))
			return assay_fail_mem(err);
	} else if (entry->kind == ASSAY_ENTRY_UKI) {
		ASSAY_AUTO_FREE uint8_t *text = NULL;
		struct assay_uki_view view;
		size_t len;

		if (assay_uki_view(file->pe, 0, &view, err) < 0)
			return assay_wrap(err, "%s", file->path);
		if (text_section(l, file, &view, ASSAY_UKI_CMDLINE, &text, &len, err) < 0)
			return -1;
		if (text && len > 0) {
			options = assay_strdup((const char *)text);
			if (!options)
				return assay_fail_mem(err);
			assay_chain_mangle_252(options);
		}
	} else if (entry->options) {
		options = assay_strdup(entry->options);
		if (!options)
			return assay_fail_mem(err);
	}
	if (!source)
		return assay_fail_mem(err);
	if (options && assay_chain_load_options(l->c, options, assay_steal(&source), err) < 0)
		return -1;
	args.options = options;
	return assay_chain_start_uki(l->c, file, &args, err);
}

/* Those of an `efi` entry are not heeded (initrd_prepare()). */
static size_t n_initrds(const struct assay_boot_entry *entry)
{
	return entry->kind == ASSAY_ENTRY_LINUX ? entry->n_initrds : 0;
}

/* "initrd=\a initrd=\b OPTIONS", or the options alone */
static char *type1_options(const struct assay_boot_entry *entry)
{
	struct assay_str s = { 0 };

	for (size_t i = 0; i < n_initrds(entry); i++)
		assay_str_add(&s, "%sinitrd=%s", i ? " " : "", entry->initrds[i]);
	if (entry->options)
		assay_str_add(&s, "%s%s", n_initrds(entry) ? " " : "", entry->options);
	return assay_str_steal(&s);
}

static int start_kernel(struct loader *l, const struct assay_boot_entry *entry,
			struct assay_efi_file *file, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *initrd = NULL;
	ASSAY_AUTO_FREE char *options = NULL;
	ASSAY_AUTO_FREE char *source = assay_asprintf("\\loader\\entries\\%s", entry->file);
	ASSAY_AUTO_FREE char *copy = source ? assay_strdup(source) : NULL;
	ASSAY_AUTO_FREE char *from = copy ? assay_asprintf("%s: initrd", source) : NULL;
	struct assay_digests d, digest;

	if (!source || !copy || !from)
		return assay_fail_mem(err);
	if (assay_chain_check_kernel(file->src, file->path, err) < 0)
		return -1;
	if (assay_authenticode(file->pe, l->c->banks, &d, err) < 0)
		return assay_wrap(err, "%s", file->path);
	if (assay_chain_load_image(l->c, file->pe, &d, file->path, err) < 0)
		return -1;
	if (n_initrds(entry) || entry->options) {
		options = type1_options(entry);
		if (!options)
			return assay_fail_mem(err);
		if (assay_chain_load_options(l->c, options, assay_steal(&copy), err) < 0)
			return -1;
	}
	if (n_initrds(entry)) {
		if (assay_boot_initrds(l->c->image->fs, l->rules, l->boot->info.version, entry, &initrd,
				       err) < 0 ||
		    assay_hash_src(initrd, l->c->banks, &digest, err) < 0)
			return -1;
	}
	bool there = initrd && assay_src_size(initrd) > 0;
	return assay_chain_kernel(l->c, file->info.kernel_version, options, there ? &digest : NULL, from,
				  source, err);
}

static int start(struct loader *l, const struct assay_boot_entry *entry, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *path = NULL;
	ASSAY_AUTO(assay_efi_file) *file = NULL;

	if (entry->devicetree && !l->c->secure_boot)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "entry %s: a device tree is not predicted yet", entry->id);
	if (assay_boot_path(entry->loader, &path, err) < 0 ||
	    assay_image_efi(l->c->image, path, &file, err) < 0)
		return assay_wrap(err, "entry %s", entry->id);
	if (file->info.kind == ASSAY_EFI_UKI) {
		if (n_initrds(entry))
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "entry %s: initrds beside a UKI are not predicted", entry->id);
		return start_uki(l, entry, file, err);
	}
	if (file->info.kind == ASSAY_EFI_LINUX)
		return start_kernel(l, entry, file, err);
	return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
			  "entry %s: %s is neither a UKI nor a kernel (%s)", entry->id, file->path,
			  assay_efi_kind_name(file->info.kind));
}

/* 252 keeps the counter in the name of the folder beside a UKI, and the name changes at each boot. */
static int check_counted(struct loader *l, const struct assay_boot_choice *choice,
			 struct assay_err *err)
{
	bool beside;

	if (!choice->counted || l->rules != ASSAY_SDBOOT_252)
		return 0;
	if (folder_has(l, "/EFI/Linux", ".extra.d", &beside, err) < 0)
		return -1;
	return beside ? assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				   "/EFI/Linux: files beside a UKI with a boot counter in its name are not "
				   "predicted for systemd 252") :
			0;
}

static int choose(struct loader *l, struct assay_boot_choice **ret, struct assay_err *err)
{
	const struct assay_boot_entry *const *entries =
		(const struct assay_boot_entry *const *)l->entries;

	if (l->c->options->entry)
		return assay_boot_choose_id(l->c->options->entry, entries, l->n, ret, err);
	return assay_boot_choose(l->conf, entries, l->n, ret, err);
}

static int run(struct loader *l, struct assay_err *err)
{
	ASSAY_AUTO(assay_boot_choice) *choice = NULL;
	struct assay_digests d;

	if (open_rules(l, err) < 0)
		return -1;
	if (assay_authenticode(l->boot->pe, l->c->banks, &d, err) < 0)
		return assay_wrap(err, "%s", l->boot->path);
	if (assay_chain_load_image(l->c, l->boot->pe, &d, l->boot->path, err) < 0)
		return -1;
	if (load_conf(l, err) < 0 || refuse_others(l, err) < 0)
		return -1;
	if (add_folder(l, "/EFI/Linux", ".efi", add_uki, err) < 0 ||
	    add_folder(l, "/loader/entries", ".conf", add_type1, err) < 0)
		return -1;
	if (choose(l, &choice, err) < 0 || check_counted(l, choice, err) < 0)
		return assay_wrap(err, "%s", l->boot->path);
	const struct assay_boot_entry *entry = l->entries[choice->chosen];
	assay_json_set_str(l->c->p->image, "entry", entry->id);
	assay_json_set_str(l->c->p->image, "entry_reason", choice->why);
	if (choice->counted)
		assay_json_set_bool(l->c->p->image, "entry_counted", true);
	return start(l, entry, err);
}

int assay_chain_sdboot(struct assay_chain *c, struct assay_efi_file *boot, struct assay_err *err)
{
	struct loader l = { .c = c, .boot = boot };
	int rc = run(&l, err);

	for (size_t i = 0; i < l.n; i++)
		assay_boot_entry_free(&l.entries[i]);
	free(l.entries);
	assay_loader_conf_free(&l.conf);
	return rc;
}
