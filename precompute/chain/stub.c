/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd-stub: what a UKI measures between its start and the kernel's.
 *
 * The rules follow the source of the versions named in the table (src/boot/stub.c, cpio.c, measure.c of
 * systemd 257.13; src/boot/efi/ of 252.39). A version without a row is refused.
 */
#include "precompute/chain/chain.h"

#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "precompute/cpio.h"

#define BIT(s) (1U << ASSAY_UKI_##s)

struct stub_rules {
	unsigned major;
	/* sections measured into PCR 11, in the specification's order */
	unsigned measured;
	/* sections wrapped into a cpio archive behind the initrd, in the order they are appended */
	struct {
		enum assay_uki_section section;
		const char *name;
	} wrapped[4];
	bool ucode;	   /* .ucode is handed over before .initrd */
	bool profiles;	   /* knows multi-profile UKIs and "@N" */
	bool confext;	   /* *.confext.raw goes to .extra/confext, and not to .extra/sysext */
	bool addons;	   /* loads *.addon.efi */
	bool trims_front;  /* leading blanks of a command line are dropped, DEL is a blank */
	bool plain_counts; /* the drop-in folder's name leaves the boot counter out */
	/* The inner kernel goes through LoadImage, which measures it, unless Secure Boot is on: the stub then
	 * hooks the security protocol, and with it the measurement. */
	bool load_image;
};

static const struct stub_rules rows[] = {
	{
		.major = 252,
		.measured = BIT(LINUX) | BIT(OSREL) | BIT(CMDLINE) | BIT(INITRD) | BIT(SPLASH) |
			    BIT(DTB) | BIT(PCRPKEY),
		.wrapped = { { ASSAY_UKI_PCRSIG, "tpm2-pcr-signature.json" },
			     { ASSAY_UKI_PCRPKEY, "tpm2-pcr-public-key.pem" } },
		.load_image = true,
	},
	{
		.major = 257,
		.measured = BIT(LINUX) | BIT(OSREL) | BIT(CMDLINE) | BIT(INITRD) | BIT(UCODE) |
			    BIT(SPLASH) | BIT(DTB) | BIT(UNAME) | BIT(SBAT) | BIT(PCRPKEY) |
			    BIT(PROFILE) | BIT(DTBAUTO) | BIT(HWIDS),
		.wrapped = { { ASSAY_UKI_PCRSIG, "tpm2-pcr-signature.json" },
			     { ASSAY_UKI_PCRPKEY, "tpm2-pcr-public-key.pem" },
			     { ASSAY_UKI_OSREL, "os-release" },
			     { ASSAY_UKI_PROFILE, "profile" } },
		.ucode = true,
		.profiles = true,
		.confext = true,
		.addons = true,
		.trims_front = true,
		.plain_counts = true,
		.load_image = true,
	},
};

/* What one run of a stub works on. */
struct stub {
	struct assay_chain *c;
	const struct stub_rules *rules;
	struct assay_efi_file *uki;
	const struct assay_stub_args *args;
	struct assay_uki_view view;
	char *extra_dir;
	char *cmdline;		 /* as handed to the kernel; NULL: none */
	const char *cmdline_from; /* in words */
	struct assay_str tail;	 /* what is handed over behind .initrd */
	struct assay_str sidecars;
	struct pack {
		unsigned pcr;
		size_t start, len; /* in sidecars */
		size_t n;	   /* files */
		const char *folder, *what;
	} packs[4];
	size_t n_packs;
};

static int find_rules(const struct assay_chain *c, const struct assay_efi_file *uki,
		      const struct stub_rules **ret, struct assay_err *err)
{
	unsigned major = uki->info.major;
	unsigned assumed = 0;

	if (c->options->assume_stub)
		assumed = (unsigned)strtoul(c->options->assume_stub, NULL, 10);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].major == major) {
			*ret = &rows[i];
			return 0;
		}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].major == assumed) {
			*ret = &rows[i];
			return 0;
		}
	if (c->options->assume_stub)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%s: systemd-stub %s is not known, and neither is the version '%s' to "
				  "take it for; known are 252 and 257",
				  uki->path, uki->info.version ? uki->info.version : "(no version)",
				  c->options->assume_stub);
	return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
			  "%s: nobody has looked at what systemd-stub %s measures; known are 252 and "
			  "257 (--assume-stub VERSION takes it for one of them)",
			  uki->path, uki->info.version ? uki->info.version : "(no version)");
}

static bool present(const struct stub *s, enum assay_uki_section which)
{
	return s->view.s[which] && s->view.s[which]->virtual_size > 0;
}

/* Names that no assumption covers: the boot secret of 259 and later, more than one device tree, firmware. */
static int check_view(const struct stub *s, struct assay_err *err)
{
	if (s->uki->info.major >= 259)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%s: systemd-stub %s can hand a boot secret to the kernel, which nobody "
				  "can predict",
				  s->uki->path, s->uki->info.version);
	if (s->view.n_dtbauto > 0 || s->view.s[ASSAY_UKI_HWIDS] || s->view.n_efifw > 0)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%s: %s: which one is used depends on the machine's hardware IDs",
				  s->uki->path,
				  s->view.n_efifw ? ".efifw" : s->view.n_dtbauto ? ".dtbauto" : ".hwids");
	for (int i = 0; i < ASSAY_UKI_N_SECTIONS; i++) {
		bool known = s->rules->measured & (1U << i);

		for (size_t w = 0; w < 4 && s->rules->wrapped[w].name; w++)
			known |= s->rules->wrapped[w].section == (enum assay_uki_section)i;
		/* 252 starts multi-profile images without knowing it: harmless, but nobody has looked. */
		if (i == ASSAY_UKI_PROFILE && s->view.s[i] && !known)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "%s: a .profile section with systemd-stub %u, which knows none",
					  s->uki->path, s->rules->major);
	}
	return 0;
}

static int section_bytes(const struct stub *s, enum assay_uki_section which, uint8_t **ret,
			 size_t *ret_len, struct assay_err *err)
{
	if (assay_pe_section_read(s->uki->pe, s->view.s[which], ASSAY_UKI_TEXT_MAX, ret, ret_len,
				  err) < 0)
		return assay_wrap(err, "%s: %s", s->uki->path, assay_uki_section_name(which));
	return 0;
}

/* --- PCR 11 ------------------------------------------------------------------------------------- */

static int measure_sections(const struct stub *s, const struct assay_uki_hashes *h,
			    struct assay_err *err)
{
	for (int i = 0; i < ASSAY_UKI_N_SECTIONS; i++) {
		const char *name = assay_uki_section_name((enum assay_uki_section)i);

		if (!(s->rules->measured & (1U << i)) || !s->view.s[i] ||
		    s->view.s[i]->virtual_size == 0)
			continue;
		if (assay_chain_measure(s->c, 11, EV_IPL, name, strlen(name) + 1,
					assay_efi_path(s->uki->path, name),
					assay_asprintf("the section's name \"%s\" with its NUL", name),
					err) < 0)
			return -1;
		if (assay_prediction_add(
			    s->c->p, 11, EV_IPL, &h->section[i], true,
			    assay_efi_path(s->uki->path, name),
			    assay_asprintf("the section's content, %u bytes", s->view.s[i]->virtual_size),
			    err) < 0)
			return -1;
	}
	return 0;
}

/* --- the command line --------------------------------------------------------------------------- */

static bool is_blank(const struct stub_rules *rules, unsigned char ch)
{
	return rules->trims_front ? ch <= 0x20 || ch == 0x7f : ch <= 0x1f || ch == ' ';
}

/* mangle_stub_cmdline() of either version, in place. */
static void mangle(const struct stub_rules *rules, char *text)
{
	char *from = text;
	size_t end = 0;
	size_t n = 0;

	if (rules->trims_front)
		while (*from && is_blank(rules, (unsigned char)*from))
			from++;
	for (; *from; from++) {
		bool blank = is_blank(rules, (unsigned char)*from);

		text[n++] = blank ? ' ' : *from;
		if (!blank)
			end = n;
	}
	text[end] = '\0';
}

void assay_chain_mangle_252(char *text)
{
	mangle(&rows[0], text);
}

/* settle_command_line(), use_load_options(): which command line the kernel gets, and what is measured. */
static int settle_cmdline(struct stub *s, struct assay_err *err)
{
	bool own = s->view.s[ASSAY_UKI_CMDLINE] && s->view.s[ASSAY_UKI_CMDLINE]->virtual_size > 0;
	const char *options = s->args->options;

	if (options && *options && (unsigned char)*options > 0x1f && !(s->c->secure_boot && own)) {
		s->cmdline = assay_strdup(options);
		if (!s->cmdline)
			return assay_fail_mem(err);
		mangle(s->rules, s->cmdline);
		s->cmdline_from = "the options that the boot loader handed over";
		/* 257 takes an empty one for none; 252 measures it all the same. */
		if (*s->cmdline || !s->rules->trims_front) {
			if (assay_chain_load_options(
				    s->c, s->cmdline,
				    assay_efi_path(s->uki->path, "(systemd-stub: LoadOptions)"), err) < 0)
				return -1;
			return 0;
		}
		free(assay_steal(&s->cmdline));
	}
	if (!own)
		return 0;
	ASSAY_AUTO_FREE uint8_t *bytes = NULL;
	size_t len;
	if (section_bytes(s, ASSAY_UKI_CMDLINE, &bytes, &len, err) < 0)
		return -1;
	s->cmdline = assay_strdup((const char *)bytes); /* ends at a NUL, as the stub's conversion does */
	if (!s->cmdline)
		return assay_fail_mem(err);
	mangle(s->rules, s->cmdline);
	s->cmdline_from = ".cmdline";
	return 0;
}

/* --- what lies beside the UKI ------------------------------------------------------------------- */

/* "NAME+3-1.efi" without its boot counter, as remove_boot_count() of 257 makes it. */
static char *without_counter(const char *path)
{
	char *copy = assay_strdup(path);
	char *plus = copy ? strrchr(copy, '+') : NULL;
	char *end;

	if (!plus || strchr(plus, '/'))
		return copy;
	end = plus + 1;
	if (*end < '0' || *end > '9')
		return copy;
	end += strspn(end, "0123456789");
	if (*end == '-' && end[1] >= '0' && end[1] <= '9')
		end += 1 + strspn(end + 1, "0123456789");
	if (*end != '.')
		return copy;
	memmove(plus, end, strlen(end) + 1);
	return copy;
}

static bool ends_with_no_case(const char *name, const char *suffix)
{
	size_t n = strlen(name);
	size_t m = strlen(suffix);

	return n >= m && strcasecmp(name + n - m, suffix) == 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a folder of the ESP that the stub would pick up, sorted as it sorts them. */
static int pick(struct stub *s, const char *folder, const char *suffix, const char *but,
		char ***ret, size_t *ret_n, struct assay_err *err)
{
	struct assay_dir dir = { 0 };
	char **names;
	size_t n = 0;

	*ret = NULL;
	*ret_n = 0;
	if (assay_fs_list(s->c->image->fs, folder, &dir, err) < 0) {
		if (err->code == ASSAY_E_NOTFOUND)
			return 0;
		return -1;
	}
	names = calloc(dir.n + 1, sizeof(*names));
	for (size_t i = 0; names && i < dir.n; i++) {
		const char *name = dir.e[i].name;
		bool ascii = true;

		for (const char *p = name; *p; p++)
			ascii &= (unsigned char)*p < 0x80;
		if (dir.e[i].dir || name[0] == '.' || !ascii || !ends_with_no_case(name, suffix) ||
		    (but && ends_with_no_case(name, but)))
			continue;
		names[n++] = assay_steal(&dir.e[i].name);
	}
	assay_dir_clear(&dir);
	if (!names)
		return assay_fail_mem(err);
	qsort(names, n, sizeof(*names), compare_names);
	*ret = names;
	*ret_n = n;
	return 0;
}

static void free_names(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

/* pack_cpio(): files of one kind in one archive, to be measured into `pcr` and handed to the kernel. */
static int pack_sidecars(struct stub *s, const char *folder, const char *suffix, const char *but,
			 const char *dir, unsigned dir_mode, unsigned file_mode, unsigned pcr,
			 const char *what, struct assay_err *err)
{
	struct assay_cpio_file *files = NULL;
	char **names = NULL;
	size_t n = 0;
	size_t total = 0;
	int rc = -1;

	if (pick(s, folder, suffix, but, &names, &n, err) < 0)
		return -1;
	if (n == 0) {
		free_names(names, n);
		return 0;
	}
	files = calloc(n, sizeof(*files));
	if (!files) {
		assay_fail_mem(err);
		goto out;
	}
	for (size_t i = 0; i < n; i++) {
		ASSAY_AUTO_FREE char *path = assay_asprintf("%s/%s", folder, names[i]);
		uint8_t *bytes = NULL;

		if (!path) {
			assay_fail_mem(err);
			goto out;
		}
		if (assay_image_read(s->c->image, path, ASSAY_SIDECAR_MAX - total, &bytes,
				     &files[i].len, err) < 0)
			goto out;
		files[i].name = names[i];
		files[i].data = bytes;
		total += files[i].len;
	}
	size_t start = s->sidecars.len;
	if (assay_cpio_append(&s->sidecars, dir, dir_mode, file_mode, files, n, err) < 0)
		goto out;
	s->packs[s->n_packs++] = (struct pack){ .pcr = pcr,
						.start = start,
						.len = s->sidecars.len - start,
						.n = n,
						.folder = folder,
						.what = what };
	rc = 0;
out:
	for (size_t i = 0; files && i < n; i++)
		free((void *)(uintptr_t)files[i].data);
	free(files);
	free_names(names, n);
	return rc;
}

/* An addon is one more image through LoadImage, and more; until it has its own rules it is refused by name. */
static int refuse_addons(struct stub *s, const char *folder, struct assay_err *err)
{
	char **names;
	size_t n;
	int rc = 0;

	if (!s->rules->addons)
		return 0;
	if (pick(s, folder, ".addon.efi", NULL, &names, &n, err) < 0)
		return -1;
	if (n > 0)
		rc = assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				"%s/%s: addons beside a UKI are not predicted yet", folder, names[0]);
	free_names(names, n);
	return rc;
}

static int sidecars(struct stub *s, struct assay_err *err)
{
	if (refuse_addons(s, "/loader/addons", err) < 0 || refuse_addons(s, s->extra_dir, err) < 0)
		return -1;
	if (pack_sidecars(s, s->extra_dir, ".cred", NULL, ".extra/credentials", 0500, 0400, 12,
			  "credentials", err) < 0 ||
	    pack_sidecars(s, "/loader/credentials", ".cred", NULL, ".extra/global_credentials", 0500,
			  0400, 12, "global credentials", err) < 0 ||
	    pack_sidecars(s, s->extra_dir, ".raw", s->rules->confext ? ".confext.raw" : NULL,
			  ".extra/sysext", 0555, 0444, 13, "system extensions", err) < 0)
		return -1;
	if (s->rules->confext &&
	    pack_sidecars(s, s->extra_dir, ".confext.raw", NULL, ".extra/confext", 0555, 0444, 12,
			  "configuration extensions", err) < 0)
		return -1;
	return 0;
}

static int measure_sidecars(const struct stub *s, struct assay_err *err)
{
	for (size_t i = 0; i < s->n_packs; i++) {
		const struct pack *pack = &s->packs[i];

		if (assay_chain_measure(s->c, pack->pcr, EV_IPL, s->sidecars.p + pack->start, pack->len,
					assay_efi_path(pack->folder, ""),
					assay_asprintf("%s: a cpio archive of %zu files", pack->what,
						       pack->n),
					err) < 0)
			return -1;
	}
	return 0;
}

/* --- the initrd as handed over ------------------------------------------------------------------ */

static int wrap_sections(struct stub *s, struct assay_err *err)
{
	for (size_t i = 0; i < 4 && s->rules->wrapped[i].name; i++) {
		enum assay_uki_section which = s->rules->wrapped[i].section;
		ASSAY_AUTO_FREE uint8_t *bytes = NULL;
		struct assay_cpio_file file = { .name = s->rules->wrapped[i].name };

		if (!s->view.s[which] || s->view.s[which]->virtual_size == 0)
			continue;
		if (section_bytes(s, which, &bytes, &file.len, err) < 0)
			return -1;
		file.data = bytes;
		if (assay_cpio_append(&s->sidecars, ".extra", 0555, 0444, &file, 1, err) < 0)
			return -1;
	}
	return 0;
}

/*
 * Builds s->tail: the padding of .initrd to 4 bytes and the archives. Nothing at all when .initrd is the only part: it
 * is then handed over as it is, without padding.
 */
static int build_tail(struct stub *s, struct assay_err *err)
{
	const struct assay_pe_section *initrd = s->view.s[ASSAY_UKI_INITRD];

	if (s->sidecars.len == 0 && !(s->rules->ucode && present(s, ASSAY_UKI_UCODE)))
		return 0;
	if (initrd)
		assay_str_add_n(&s->tail, "\0\0\0", (4 - initrd->virtual_size % 4) % 4);
	assay_str_add_n(&s->tail, s->sidecars.p, s->sidecars.len);
	return s->tail.bad ? assay_fail_mem(err) : 0;
}

/* A section as a source of its own; one that is longer than what the file holds of it is refused. */
static int section_src(const struct stub *s, enum assay_uki_section which, struct assay_src **ret,
		       struct assay_err *err)
{
	const struct assay_pe_section *section = s->view.s[which];

	if (assay_pe_section_file_size(section) != section->virtual_size)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%s: %s is larger than what the file holds of it, beside .ucode",
				  s->uki->path, assay_uki_section_name(which));
	return assay_src_slice(s->uki->src, section->raw_offset, section->virtual_size, ret, err);
}

/* With .ucode in front: .ucode and .initrd, each padded to 4, and the archives. One more read of both. */
static int hash_with_ucode(const struct stub *s, struct assay_digests *ret, struct assay_err *err)
{
	size_t pad = (4 - s->view.s[ASSAY_UKI_UCODE]->virtual_size % 4) % 4;
	ASSAY_AUTO(assay_src) *ucode = NULL;
	ASSAY_AUTO(assay_src) *zeros = NULL;
	ASSAY_AUTO(assay_src) *initrd = NULL;
	ASSAY_AUTO(assay_src) *tail = NULL;
	ASSAY_AUTO(assay_src) *all = NULL;
	struct assay_src *parts[4];
	size_t n = 0;

	if (section_src(s, ASSAY_UKI_UCODE, &ucode, err) < 0 ||
	    assay_src_from_mem("\0\0\0", pad, &zeros, err) < 0 ||
	    assay_src_from_mem(s->tail.p, s->tail.len, &tail, err) < 0)
		return -1;
	parts[n++] = ucode;
	if (present(s, ASSAY_UKI_INITRD) || s->tail.len > 0)
		parts[n++] = zeros; /* alone it would be handed over as it is */
	if (present(s, ASSAY_UKI_INITRD)) {
		if (section_src(s, ASSAY_UKI_INITRD, &initrd, err) < 0)
			return -1;
		parts[n++] = initrd;
	}
	parts[n++] = tail;
	if (assay_src_join(parts, n, &all, err) < 0)
		return -1;
	return assay_hash_src(all, s->c->banks, ret, err);
}

static int hand_over(struct stub *s, const struct assay_uki_hashes *h, const char *version,
		     struct assay_err *err)
{
	bool initrd = present(s, ASSAY_UKI_INITRD);
	struct assay_digests other;
	const struct assay_digests *d = NULL;
	ASSAY_AUTO_FREE char *from = NULL;
	ASSAY_AUTO_FREE char *cmdline_from =
		assay_efi_path(s->uki->path, s->cmdline_from ? s->cmdline_from : "");

	if (s->rules->ucode && present(s, ASSAY_UKI_UCODE)) {
		if (hash_with_ucode(s, &other, err) < 0)
			return -1;
		d = &other;
		from = assay_asprintf(".ucode%s and %zu bytes of padding and cpio archives made by "
				      "systemd-stub",
				      initrd ? ", .initrd" : "", s->tail.len);
	} else if (initrd && s->tail.len > 0) {
		d = &h->initrd_tail;
		from = assay_asprintf(".initrd and %zu bytes of cpio archives made by systemd-stub",
				      s->tail.len);
	} else if (initrd) {
		d = &h->section[ASSAY_UKI_INITRD];
		from = assay_strdup(".initrd");
	} else if (s->tail.len > 0) {
		if (assay_digest_mem(s->c->banks, s->tail.p, s->tail.len, &other, err) < 0)
			return -1;
		d = &other;
		from = assay_strdup("cpio archives made by systemd-stub");
	}
	if ((d && !from) || !cmdline_from)
		return assay_fail_mem(err);
	ASSAY_AUTO_FREE char *initrd_from = assay_efi_path(s->uki->path, from ? from : "");
	if (!initrd_from)
		return assay_fail_mem(err);
	return assay_chain_kernel(s->c, version, s->cmdline, d, initrd_from, cmdline_from, err);
}

/* The version of the kernel inside, from its boot header or else from .uname. */
static int kernel_version(struct stub *s, char **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *kernel = NULL;
	const struct assay_pe_section *linux_section = s->view.s[ASSAY_UKI_LINUX];

	if (assay_src_slice(s->uki->src, linux_section->raw_offset,
			    assay_pe_section_file_size(linux_section), &kernel, err) < 0 ||
	    assay_linux_version(kernel, ret, err) < 0)
		return assay_wrap(err, "%s: .linux", s->uki->path);
	if (*ret || !s->view.s[ASSAY_UKI_UNAME])
		return 0;
	uint8_t *text;
	size_t len;
	if (section_bytes(s, ASSAY_UKI_UNAME, &text, &len, err) < 0)
		return -1;
	*ret = (char *)text;
	return 0;
}

static int run(struct stub *s, struct assay_uki_hashes *h, struct assay_err *err)
{
	struct assay_chain *c = s->c;
	ASSAY_AUTO_FREE char *version = NULL;
	bool inner = s->rules->load_image && !c->secure_boot;

	/* What goes behind the initrd is put together first, so that the UKI is read and hashed once. */
	if (sidecars(s, err) < 0 || wrap_sections(s, err) < 0 || build_tail(s, err) < 0)
		return -1;
	if (assay_uki_hash(s->uki->pe, &s->view, c->banks, inner, s->tail.len > 0, s->tail.p,
			   s->tail.len, h, err) < 0)
		return assay_wrap(err, "%s", s->uki->path);
	if (assay_chain_load_image(c, s->uki->pe, &h->authenticode, s->uki->path, err) < 0)
		return -1;
	if (s->args->profile > 0) {
		ASSAY_AUTO_FREE char *text = assay_asprintf("%zu", s->args->profile);
		ASSAY_AUTO_FREE uint8_t *u = NULL;
		size_t len;

		if (!text)
			return assay_fail_mem(err);
		if (assay_chain_utf16(text, "profile", &u, &len, err) < 0 ||
		    assay_chain_measure(c, 12, EV_EVENT_TAG, u, len,
					assay_efi_path(s->uki->path, "(systemd-stub: profile)"),
					assay_asprintf("the number of the profile, %s", text), err) < 0)
			return -1;
	}
	if (measure_sections(s, h, err) < 0 || settle_cmdline(s, err) < 0 ||
	    measure_sidecars(s, err) < 0)
		return -1;
	if (inner) {
		ASSAY_AUTO_FREE char *path = assay_efi_path(s->uki->path, ".linux");

		if (!path)
			return assay_fail_mem(err);
		if (assay_prediction_add(c->p, 4, EV_EFI_BOOT_SERVICES_APPLICATION, &h->inner, true,
					 assay_steal(&path),
					 assay_strdup("the inner kernel's Authenticode digest"), err) < 0)
			return -1;
	}
	if (kernel_version(s, &version, err) < 0)
		return -1;
	return hand_over(s, h, version, err);
}

int assay_chain_start_uki(struct assay_chain *c, struct assay_efi_file *uki,
			  const struct assay_stub_args *args, struct assay_err *err)
{
	struct stub s = { .c = c, .uki = uki, .args = args };
	ASSAY_AUTO_FREE struct assay_uki_hashes *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return assay_fail_mem(err);
	if (find_rules(c, uki, &s.rules, err) < 0)
		return -1;
	if (args->profile > 0 && !s.rules->profiles)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%s: profile %zu asked of systemd-stub %u, which knows none", uki->path,
				  args->profile, s.rules->major);
	if (assay_uki_view(uki->pe, args->profile, &s.view, err) < 0)
		return assay_wrap(err, "%s", uki->path);
	if (check_view(&s, err) < 0)
		return -1;
	ASSAY_AUTO_FREE char *plain =
		s.rules->plain_counts ? without_counter(uki->path) : assay_strdup(uki->path);
	s.extra_dir = plain ? assay_asprintf("%s.extra.d", plain) : NULL;
	if (!s.extra_dir)
		return assay_fail_mem(err);
	rc = run(&s, h, err);
	free(s.extra_dir);
	free(s.cmdline);
	assay_str_clear(&s.tail);
	assay_str_clear(&s.sidecars);
	return rc;
}

int assay_chain_uki(struct assay_chain *c, struct assay_efi_file *boot, struct assay_err *err)
{
	/* Firmware starts it by its file path, with no options: profile 0 (the removable media path has
	 * none; a Boot#### entry with options is not what the firmware's rule finds). */
	const struct assay_stub_args args = { .path = boot->path };

	return assay_chain_start_uki(c, boot, &args, err);
}
