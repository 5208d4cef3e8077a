/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel and initrd of a UKI, and what facts say of them. */
#include "measure/initrd/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"

static int section_src(const struct assay_pe *pe, const struct assay_uki_view *view,
		       enum assay_uki_section which, struct assay_src **ret, struct assay_err *err)
{
	const struct assay_pe_section *s = view->s[which];

	if (assay_pe_section_file_size(s) != assay_pe_section_size(s))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, assay_src_origin(pe->src, s->raw_offset),
				  "section %s: larger than what the file holds of it",
				  assay_uki_section_name(which));
	return assay_src_slice(pe->src, s->raw_offset, assay_pe_section_size(s), ret, err);
}

int assay_uki_initrd(const struct assay_pe *pe, size_t profile, struct assay_src **ret,
		     struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *ucode = NULL;
	ASSAY_AUTO(assay_src) *zeros = NULL;
	ASSAY_AUTO(assay_src) *initrd = NULL;
	struct assay_src *parts[3];
	struct assay_uki_view view;
	size_t n = 0;

	if (assay_uki_view(pe, profile, &view, err) < 0)
		return -1;
	if (view.s[ASSAY_UKI_UCODE]) {
		if (section_src(pe, &view, ASSAY_UKI_UCODE, &ucode, err) < 0 ||
		    assay_src_from_mem("\0\0\0", (size_t)((4 - assay_src_size(ucode) % 4) % 4), &zeros,
				       err) < 0)
			return -1;
		parts[n++] = ucode;
		parts[n++] = zeros;
	}
	if (view.s[ASSAY_UKI_INITRD]) {
		if (section_src(pe, &view, ASSAY_UKI_INITRD, &initrd, err) < 0)
			return -1;
		parts[n++] = initrd;
	}
	if (n == 0)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no section .initrd");
	if (!ucode) {
		*ret = assay_steal(&initrd);
		return 0;
	}
	return assay_src_join(parts, n, ret, err);
}

/* --- the kernel --------------------------------------------------------------------------------- */

static bool fatal(const struct assay_err *err)
{
	return err->code == ASSAY_E_NOMEM || err->code == ASSAY_E_IO || err->code == ASSAY_E_CRYPTO;
}

static int tell(char **ret, const struct assay_err *err, struct assay_err *mem)
{
	*ret = assay_strdup(err->msg);
	return *ret ? 0 : assay_fail_mem(mem);
}

/* The release is the version's first word. */
static int set_release(struct assay_kernel_facts *k, const char *uname, struct assay_err *err)
{
	const char *from = k->version ? k->version : uname;

	if (uname && !(k->uname = assay_strdup(uname)))
		return assay_fail_mem(err);
	if (!from || !*from)
		return 0;
	k->release = strndup(from, strcspn(from, " \n"));
	return k->release ? 0 : assay_fail_mem(err);
}

int assay_kernel_facts(struct assay_src *src, const char *uname, struct assay_kernel_facts *ret,
		       struct assay_err *err)
{
	struct assay_kernel_facts k = { 0 };
	int rc = 0;

	if (assay_linux_header_read(src, &k.header, err) == 0)
		k.known = true;
	else
		rc = fatal(err) ? -1 : tell(&k.error, err, err);
	if (rc == 0 && assay_linux_version(src, &k.version, err) < 0)
		rc = fatal(err) ? -1 : k.error ? 0 : tell(&k.error, err, err);
	if (rc == 0)
		rc = set_release(&k, uname, err);
	if (rc < 0) {
		assay_kernel_facts_clear(&k);
		return -1;
	}
	*ret = k;
	return 0;
}

static int read_uname(const struct assay_pe *pe, const struct assay_uki_view *view, char **ret,
		      struct assay_err *err)
{
	uint8_t *text;
	size_t len;

	*ret = NULL;
	if (!view->s[ASSAY_UKI_UNAME])
		return 0;
	if (assay_pe_section_read(pe, view->s[ASSAY_UKI_UNAME], ASSAY_UKI_TEXT_MAX, &text, &len, err) < 0)
		return -1;
	text[strcspn((char *)text, "\n")] = '\0';
	*ret = (char *)text;
	return 0;
}

int assay_uki_kernel_facts(const struct assay_pe *pe, size_t profile, struct assay_kernel_facts *ret,
			   struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE char *uname = NULL;
	struct assay_uki_view view;

	if (assay_uki_view(pe, profile, &view, err) < 0 || read_uname(pe, &view, &uname, err) < 0)
		return -1;
	if (!view.s[ASSAY_UKI_LINUX])
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no section .linux");
	if (assay_uki_kernel(pe, view.s[ASSAY_UKI_LINUX], &src, err) < 0)
		return -1;
	return assay_kernel_facts(src, uname, ret, err);
}

void assay_kernel_facts_clear(struct assay_kernel_facts *k)
{
	free(k->error);
	free(k->version);
	free(k->release);
	free(k->uname);
	*k = (struct assay_kernel_facts){ 0 };
}

static struct assay_json *hex_number(uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, v);
	return assay_json_string(text);
}

static void json_header(struct assay_json *o, const struct assay_linux_header *h)
{
	char protocol[16];

	assay_json_set_str(o, "format", h->arch);
	if (strcmp(h->arch, "x86") == 0) {
		snprintf(protocol, sizeof(protocol), "%u.%02u", h->protocol >> 8, h->protocol & 0xff);
		assay_json_set_str(o, "protocol", protocol);
		assay_json_set_int(o, "setup_sects", h->setup_sects);
		assay_json_set(o, "loadflags", hex_number(h->loadflags));
		assay_json_set(o, "xloadflags", hex_number(h->xloadflags));
		assay_json_set_bool(o, "relocatable", h->relocatable);
		assay_json_set_int(o, "cmdline_size", h->cmdline_size);
		assay_json_set_int(o, "init_size", h->init_size);
		assay_json_set_int(o, "code_size", h->syssize);
	} else if (strcmp(h->arch, "zboot") != 0) {
		assay_json_set_int(o, "text_offset", h->text_offset);
		assay_json_set_int(o, "image_size", h->image_size);
		assay_json_set(o, "flags", hex_number(h->flags));
	}
	if (h->payload_size) {
		assay_json_set_int(o, "payload_offset", h->payload_offset);
		assay_json_set_int(o, "payload_size", h->payload_size);
	}
	if (*h->packing)
		assay_json_set_str(o, "packing", h->packing);
}

struct assay_json *assay_kernel_facts_json(const struct assay_kernel_facts *k)
{
	struct assay_json *o = assay_json_object();

	assay_json_set_str(o, "version", k->version);
	assay_json_set_str(o, "release", k->release);
	if (k->known)
		json_header(o, &k->header);
	if (k->error)
		assay_json_set_str(o, "error", k->error);
	if (k->uname && k->release)
		assay_json_set_bool(o, "uname_matches", strcmp(k->uname, k->release) == 0);
	return o;
}

/* --- for facts ---------------------------------------------------------------------------------- */

static void set_error(struct assay_json *program, const char *key, const struct assay_err *err)
{
	struct assay_json *o = assay_json_object();

	assay_json_set_str(o, "error", err->msg);
	assay_json_set(program, key, o);
}

static int uki_initrd(const struct assay_pe *pe, const char *release, struct assay_json *program,
		      struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_initrd_report) *r = NULL;

	if (assay_uki_initrd(pe, 0, &src, err) < 0 && err->code == ASSAY_E_NOTFOUND)
		return 0;
	if (!src || assay_initrd_report_make(src, true, &r, err) < 0) {
		if (fatal(err))
			return -1;
		set_error(program, "initrd", err);
		return 0;
	}
	struct assay_json *initrd = assay_initrd_report_json(r, release, false);
	const int rc = assay_initrd_report_names(r, initrd, err);
	assay_json_set(program, "initrd", initrd);
	return rc;
}

int assay_initrd_facts(const struct assay_pe *pe, enum assay_efi_kind kind, bool unpack,
		       struct assay_json *program, struct assay_err *err)
{
	struct assay_kernel_facts k = { 0 };
	int rc;

	if (kind != ASSAY_EFI_UKI && kind != ASSAY_EFI_LINUX)
		return 0;
	rc = kind == ASSAY_EFI_UKI ? assay_uki_kernel_facts(pe, 0, &k, err) :
				     assay_kernel_facts(pe->src, NULL, &k, err);
	if (rc == 0)
		assay_json_set(program, "linux", assay_kernel_facts_json(&k));
	else if (fatal(err))
		return -1;
	else
		set_error(program, "linux", err);
	rc = unpack && kind == ASSAY_EFI_UKI ? uki_initrd(pe, k.release, program, err) : 0;
	assay_kernel_facts_clear(&k);
	return rc;
}
