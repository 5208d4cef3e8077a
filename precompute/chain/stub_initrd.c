/* SPDX-License-Identifier: Apache-2.0 */
/* The initrd as systemd-stub hands it to the kernel. */
#include "precompute/chain/stub_priv.h"

#include <stdlib.h>
#include <string.h>

#include "precompute/cpio.h"

int assay_stub_wrap_sections(struct assay_stub *s, struct assay_err *err)
{
	for (size_t i = 0; i < 4 && s->rules->wrapped[i].name; i++) {
		enum assay_uki_section which = s->rules->wrapped[i].section;
		ASSAY_AUTO_FREE uint8_t *bytes = NULL;
		struct assay_cpio_file file = { .name = s->rules->wrapped[i].name };

		if (!s->view.s[which] || s->view.s[which]->virtual_size == 0)
			continue;
		if (assay_stub_section(s, which, &bytes, &file.len, err) < 0)
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
int assay_stub_build_tail(struct assay_stub *s, struct assay_err *err)
{
	const struct assay_pe_section *initrd = s->view.s[ASSAY_UKI_INITRD];

	if (s->sidecars.len == 0 && !(s->rules->ucode && assay_stub_has(s, ASSAY_UKI_UCODE)))
		return 0;
	if (initrd)
		assay_str_add_n(&s->tail, "\0\0\0", (4 - initrd->virtual_size % 4) % 4);
	assay_str_add_n(&s->tail, s->sidecars.p, s->sidecars.len);
	return s->tail.bad ? assay_fail_mem(err) : 0;
}

/* A section as a source of its own; one that is longer than what the file holds of it is refused. */
static int section_src(const struct assay_stub *s, enum assay_uki_section which, struct assay_src **ret,
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
static int hash_with_ucode(const struct assay_stub *s, struct assay_digests *ret, struct assay_err *err)
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
	if (assay_stub_has(s, ASSAY_UKI_INITRD) || s->tail.len > 0)
		parts[n++] = zeros; /* alone it would be handed over as it is */
	if (assay_stub_has(s, ASSAY_UKI_INITRD)) {
		if (section_src(s, ASSAY_UKI_INITRD, &initrd, err) < 0)
			return -1;
		parts[n++] = initrd;
	}
	parts[n++] = tail;
	if (assay_src_join(parts, n, &all, err) < 0)
		return -1;
	return assay_hash_src(all, s->c->banks, ret, err);
}

int assay_stub_hand_over(struct assay_stub *s, const struct assay_uki_hashes *h, const char *version,
		     struct assay_err *err)
{
	bool initrd = assay_stub_has(s, ASSAY_UKI_INITRD);
	struct assay_digests other;
	const struct assay_digests *d = NULL;
	ASSAY_AUTO_FREE char *from = NULL;
	ASSAY_AUTO_FREE char *cmdline_from =
		assay_efi_path(s->uki->path, s->cmdline_from ? s->cmdline_from : "");

	if (s->rules->ucode && assay_stub_has(s, ASSAY_UKI_UCODE)) {
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
