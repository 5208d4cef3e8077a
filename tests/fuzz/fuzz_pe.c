/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_pe_open, assay_pe_checksum, assay_authenticode_plan, assay_pe_certs_read,
 * assay_pe_cert_verify, assay_efi_identify, assay_uki_view, assay_uki_hash, assay_linux_version.
 */
#include "core/hash.h"
#include "measure/pe/uki.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void certificates(const struct assay_pe *pe, const struct assay_digests *image)
{
	struct assay_pe_certs certs;
	struct assay_err err;
	bool good;

	if (assay_pe_certs_read(pe, &certs, &err) < 0)
		return;
	/* No real certificate, but it gets as far as comparing the digest. */
	for (size_t i = 0; i < certs.n; i++) {
		if (assay_pe_cert_verify(&certs.c[i], image, certs.c[i].data, certs.c[i].size,
					 &good, &err) == 0 &&
		    good)
			__builtin_trap();
	}
	assay_pe_certs_clear(&certs);
}

static void views(const struct assay_pe *pe, const struct assay_efi_info *info)
{
	struct assay_uki_hashes hashes;
	struct assay_uki_view view;
	struct assay_err err;

	for (size_t i = 0; i == 0 || (i < info->n_profiles && i < 3); i++) {
		if (assay_uki_view(pe, i, &view, &err) < 0)
			continue;
		uint64_t zeros = 0;
		for (unsigned w = 0; w < ASSAY_UKI_N_SECTIONS; w++)
			if (view.s[w])
				zeros += assay_pe_section_size(view.s[w]);
		if (zeros > 1 << 20)
			continue; /* right, and slow */
		if (assay_uki_hash(pe, &view, ASSAY_BANK_BIT(ASSAY_SHA1), true, true, "tail", 4,
				   &hashes, &err) < 0 &&
		    assay_uki_hash(pe, &view, ASSAY_BANK_BIT(ASSAY_SHA1), false, false, NULL, 0,
				   &hashes, &err) < 0)
			continue;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_pe) *pe = NULL;
	struct assay_efi_info info;
	struct assay_digests image;
	struct assay_err err;
	uint32_t sum;
	char name[20];

	assay_hash_set_threads(1);
	if (assay_src_from_mem(data, size, &src, &err) < 0 || assay_pe_open(src, &pe, &err) < 0)
		return 0;
	for (size_t i = 0; i < pe->n_sections && i < 8; i++)
		assay_pe_section_long_name(pe, &pe->sections[i], name, sizeof(name));
	if (assay_pe_checksum(pe, &sum, &err) < 0)
		__builtin_trap();
	if (assay_authenticode(pe, ASSAY_ALL_BANKS, &image, &err) == 0)
		certificates(pe, &image);
	if (assay_efi_identify(pe, &info, &err) == 0) {
		views(pe, &info);
		assay_efi_info_clear(&info);
	}
	return 0;
}
