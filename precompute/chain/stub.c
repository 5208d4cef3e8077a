/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd-stub: what a UKI measures between its start and the kernel's.
 *
 * The rules follow the source of the versions named in the table (src/boot/stub.c, cpio.c, measure.c of
 * systemd 257.13; src/boot/efi/ of 252.39). A version without a row is refused.
 */
#include "precompute/chain/stub_priv.h"

#include <stdlib.h>
#include <string.h>

#include "core/limits.h"

#define BIT(s) (1U << ASSAY_UKI_##s)

static const struct assay_stub_rules rows[] = {
	{
		.major = 252,
		.measured = BIT(LINUX) | BIT(OSREL) | BIT(CMDLINE) | BIT(INITRD) | BIT(SPLASH) |
			    BIT(DTB) | BIT(PCRPKEY),
		.wrapped = { { ASSAY_UKI_PCRSIG, "tpm2-pcr-signature.json" },
			     { ASSAY_UKI_PCRPKEY, "tpm2-pcr-public-key.pem" } },
		.prefix_names = true,
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

static int find_rules(const struct assay_chain *c, const struct assay_efi_file *uki,
		      const struct assay_stub_rules **ret, struct assay_err *err)
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

bool assay_stub_has(const struct assay_stub *s, enum assay_uki_section which)
{
	return s->view.s[which] && s->view.s[which]->virtual_size > 0;
}

/* locate_sections() of 252 would take such a section for the one whose name its own begins with. */
static int check_prefix(const struct assay_stub *s, const char *name, struct assay_err *err)
{
	const struct assay_pe *pe = s->uki->pe;
	size_t n = strlen(name);

	for (size_t i = 0; i < pe->n_sections; i++)
		if (strncmp(pe->sections[i].name, name, n) == 0 && pe->sections[i].name[n])
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "%s: section %s, which systemd-stub %u takes for %s", s->uki->path,
					  pe->sections[i].name, s->rules->major, name);
	return 0;
}

/* Names that no assumption covers: the boot secret of 259 and later, more than one device tree, firmware. */
static int check_view(const struct assay_stub *s, struct assay_err *err)
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
		if (known && s->rules->prefix_names && check_prefix(s, assay_uki_section_name(
									      (enum assay_uki_section)i),
								    err) < 0)
			return -1;
		/* 252 starts multi-profile images without knowing it: harmless, but nobody has looked. */
		if (i == ASSAY_UKI_PROFILE && s->view.s[i] && !known)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
					  "%s: a .profile section with systemd-stub %u, which knows none",
					  s->uki->path, s->rules->major);
	}
	return 0;
}

int assay_stub_section(const struct assay_stub *s, enum assay_uki_section which, uint8_t **ret,
			 size_t *ret_len, struct assay_err *err)
{
	if (assay_pe_section_read(s->uki->pe, s->view.s[which], ASSAY_UKI_TEXT_MAX, ret, ret_len,
				  err) < 0)
		return assay_wrap(err, "%s: %s", s->uki->path, assay_uki_section_name(which));
	return 0;
}

/* --- PCR 11 ------------------------------------------------------------------------------------- */

static int measure_sections(const struct assay_stub *s, const struct assay_uki_hashes *h,
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

static bool is_blank(const struct assay_stub_rules *rules, unsigned char ch)
{
	return rules->trims_front ? ch <= 0x20 || ch == 0x7f : ch <= 0x1f || ch == ' ';
}

/* mangle_stub_cmdline() of either version, in place. */
static void mangle(const struct assay_stub_rules *rules, char *text)
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
static int settle_cmdline(struct assay_stub *s, struct assay_err *err)
{
	bool own = s->view.s[ASSAY_UKI_CMDLINE] && s->view.s[ASSAY_UKI_CMDLINE]->virtual_size > 0;

	if (s->options && !(s->c->secure_boot && own)) {
		s->cmdline = assay_strdup(s->options);
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
	if (assay_stub_section(s, ASSAY_UKI_CMDLINE, &bytes, &len, err) < 0)
		return -1;
	s->cmdline = assay_strdup((const char *)bytes); /* ends at a NUL, as the stub's conversion does */
	if (!s->cmdline)
		return assay_fail_mem(err);
	mangle(s->rules, s->cmdline);
	s->cmdline_from = ".cmdline";
	return 0;
}

enum { SUBSYSTEM_EFI_APPLICATION = 10 };

/* Only what the stub gives to LoadImage, and the firmware measures as an application, is predicted. */
static int check_kernel(const struct assay_stub *s, struct assay_src *kernel, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *path = assay_efi_path(s->uki->path, ".linux");
	ASSAY_AUTO(assay_pe) *pe = NULL;

	if (!path)
		return assay_fail_mem(err);
	if (assay_pe_open(kernel, &pe, err) < 0)
		return assay_wrap(err, "%s", path);
	if (pe->subsystem != SUBSYSTEM_EFI_APPLICATION || pe->machine != s->uki->pe->machine)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%s: subsystem %u, machine 0x%04x: not a kernel that this stub loads", path,
				  pe->subsystem, pe->machine);
	/* pe_kernel_info(): older ones (before 5.8) are started by the EFI handover protocol instead. */
	if (pe->major_image_version < 1)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%s: image version %u: a kernel too old to be given its initrd by LoadFile2",
				  path, pe->major_image_version);
	return assay_chain_check_kernel(kernel, path, err);
}

/* The version of the kernel inside, from its boot header or else from .uname. */
static int kernel_version(struct assay_stub *s, char **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *kernel = NULL;

	if (assay_uki_kernel(s->uki->pe, s->view.s[ASSAY_UKI_LINUX], &kernel, err) < 0)
		return assay_wrap(err, "%s", s->uki->path);
	if (check_kernel(s, kernel, err) < 0)
		return -1;
	if (assay_linux_version(kernel, ret, err) < 0)
		return assay_wrap(err, "%s: .linux", s->uki->path);
	if (*ret || !s->view.s[ASSAY_UKI_UNAME])
		return 0;
	uint8_t *text;
	size_t len;
	if (assay_stub_section(s, ASSAY_UKI_UNAME, &text, &len, err) < 0)
		return -1;
	*ret = (char *)text;
	return 0;
}

static int run(struct assay_stub *s, struct assay_uki_hashes *h, struct assay_err *err)
{
	struct assay_chain *c = s->c;
	ASSAY_AUTO_FREE char *version = NULL;
	bool inner = s->rules->load_image && !c->secure_boot;

	/* What goes behind the initrd is put together first, so that the UKI is read and hashed once. */
	if (assay_stub_sidecars(s, err) < 0 || assay_stub_wrap_sections(s, err) < 0 || assay_stub_build_tail(s, err) < 0)
		return -1;
	if (assay_uki_memo_hash(&c->image->ukis, s->uki->path, s->uki->pe, &s->view, c->banks, inner, s->tail.len > 0,
				s->tail.p, s->tail.len, h, err) < 0)
		return assay_wrap(err, "%s", s->uki->path);
	if (assay_chain_load_image(c, s->uki->pe, &h->authenticode, s->uki->path, err) < 0)
		return -1;
	if (s->profile > 0) {
		ASSAY_AUTO_FREE char *text = assay_asprintf("%zu", s->profile);
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
	    assay_stub_measure_sidecars(s, err) < 0)
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
	return assay_stub_hand_over(s, h, version, err);
}

/*
 * process_arguments(): options whose first character is no printable one are not heeded; 257 takes a profile's number
 * ("@1", and one blank) off their front.
 */
static void take_options(struct assay_stub *s, const char *options)
{
	const char *end;
	uint64_t number;

	if (!options || (unsigned char)*options <= 0x1f)
		return;
	s->options = options;
	if (!s->rules->profiles || *options != '@')
		return;
	end = options + 1;
	if (!assay_stub_number(&end, &number) || number > UINT32_MAX || (*end && *end != ' '))
		return;
	s->profile = (size_t)number;
	s->options = *end ? end + 1 : end;
}

int assay_chain_start_uki(struct assay_chain *c, struct assay_efi_file *uki,
			  const struct assay_stub_args *args, struct assay_err *err)
{
	struct assay_stub s = { .c = c, .uki = uki };
	ASSAY_AUTO_FREE struct assay_uki_hashes *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return assay_fail_mem(err);
	if (find_rules(c, uki, &s.rules, err) < 0)
		return -1;
	take_options(&s, args->options);
	if (assay_uki_view(uki->pe, s.profile, &s.view, err) < 0)
		return assay_wrap(err, "%s", uki->path);
	if (check_view(&s, err) < 0)
		return -1;
	ASSAY_AUTO_FREE char *plain =
		s.rules->plain_counts ? assay_stub_plain_name(uki->path) : assay_strdup(uki->path);
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
	const struct assay_stub_args args = { .options = NULL };

	return assay_chain_start_uki(c, boot, &args, err);
}
