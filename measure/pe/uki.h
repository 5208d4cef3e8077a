/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kind of UEFI program a PE file is, and the parts of a Unified Kernel Image
 * (UAPI.5 UKI specification; systemd-stub(7)).
 */
#ifndef ASSAY_MEASURE_PE_UKI_H
#define ASSAY_MEASURE_PE_UKI_H

#include "measure/pe/pe.h"
#include "measure/pe/sbat.h"

enum assay_efi_kind {
	ASSAY_EFI_OTHER,
	ASSAY_EFI_UKI,	 /* systemd-stub with .linux */
	ASSAY_EFI_ADDON, /* systemd's addon stub: no .linux */
	ASSAY_EFI_SDBOOT,
	ASSAY_EFI_SHIM,
	ASSAY_EFI_GRUB,
	ASSAY_EFI_LINUX, /* a kernel with an EFI stub ("HdrS", or the arm64 header) */
};
const char *assay_efi_kind_name(enum assay_efi_kind kind); /* "uki", "addon", "systemd-boot", … */

/*
 * The sections of the specification, in the order in which the stub measures them: that of
 * systemd's enum UnifiedSection. 252 has linux, osrel, cmdline, initrd, splash, dtb, pcrsig,
 * pcrpkey alone; all that came later was put in between or after, so each version's order is part
 * of this one.
 */
enum assay_uki_section {
	ASSAY_UKI_LINUX,
	ASSAY_UKI_OSREL,
	ASSAY_UKI_CMDLINE,
	ASSAY_UKI_INITRD,
	ASSAY_UKI_UCODE,
	ASSAY_UKI_SPLASH,
	ASSAY_UKI_DTB,
	ASSAY_UKI_UNAME,
	ASSAY_UKI_SBAT,
	ASSAY_UKI_PCRSIG,
	ASSAY_UKI_PCRPKEY,
	ASSAY_UKI_PROFILE,
	ASSAY_UKI_DTBAUTO,
	ASSAY_UKI_HWIDS,
	ASSAY_UKI_EFIFW,
	ASSAY_UKI_N_SECTIONS,
};
const char *assay_uki_section_name(enum assay_uki_section s); /* ".linux" */

/*
 * One way to start a UKI: the base sections with one profile's laid over them. NULL where there is
 * no such section, or where it is empty: an empty section of a profile takes the base's away. Of
 * sections that may stand several times (.dtbauto, .efifw) it has the first; which one a machine
 * takes depends on the machine. They are counted over base and profile.
 */
struct assay_uki_view {
	const struct assay_pe_section *s[ASSAY_UKI_N_SECTIONS];
	size_t n_dtbauto, n_efifw;
};

struct assay_efi_info {
	enum assay_efi_kind kind;
	char *magic; /* text of .sdmagic without the hashes: "systemd-stub 257.9-1~deb13u1"; or NULL
		      */
	char *version;		/* of stub or boot loader: "257.9-1~deb13u1"; NULL when unknown */
	unsigned major;		/* 257; 0 when unknown */
	struct assay_sbat sbat; /* empty when there is none, or it cannot be read: */
	char *sbat_error;	/* then why */
	size_t n_profiles;
	char *kernel_version; /* kind LINUX: version string of the boot header, else NULL */
};

int assay_efi_identify(const struct assay_pe *pe, struct assay_efi_info *ret,
		       struct assay_err *err) ASSAY_MUST;
void assay_efi_info_clear(struct assay_efi_info *info);

/*
 * The view of profile `profile` (0 when there are none). ASSAY_E_NOTFOUND past the last profile.
 * Two sections of one name in the base, or in one profile, where it may stand once:
 * ASSAY_E_CORRUPT, for stub 252 takes the last of them and later ones the first.
 */
int assay_uki_view(const struct assay_pe *pe, size_t profile, struct assay_uki_view *ret,
		   struct assay_err *err) ASSAY_MUST;

/* Does this begin as a Linux kernel with an EFI stub does? Only a read error is an error. */
int assay_linux_detect(struct assay_src *kernel, bool *ret, struct assay_err *err) ASSAY_MUST;
/*
 * Version string of a Linux kernel image out of its boot header ("6.12.48+deb13-cloud-amd64 (…)
 * …"); NULL in *ret when it carries none (arm64). Boot protocol: Documentation/arch/x86/boot.rst.
 */
int assay_linux_version(struct assay_src *kernel, char **ret, struct assay_err *err) ASSAY_MUST;

/* What the header of a kernel image says; what it does not have is 0. */
struct assay_linux_header {
	const char *arch; /* "x86", "arm64", "riscv", "zboot": a packed EFI image of another machine */
	/* x86: */
	uint16_t protocol; /* 0x020f: 2.15 */
	uint8_t setup_sects;
	uint8_t loadflags;
	uint16_t xloadflags;
	bool relocatable;
	uint32_t cmdline_size, init_size;
	uint64_t syssize; /* bytes of protected-mode code */
	/* x86 and zboot: the packed kernel, in the file */
	uint64_t payload_offset, payload_size;
	char packing[33]; /* zboot: how it is packed, as it says itself */
	/* arm64, RISC-V: */
	uint64_t text_offset, image_size, flags;
};
/* ASSAY_E_UNSUPPORTED when the file has none of these headers. */
int assay_linux_header_read(struct assay_src *kernel, struct assay_linux_header *ret,
			    struct assay_err *err) ASSAY_MUST;

/*
 * The kernel inside, as stubs hand it to LoadImage: a slice of pe->src with the section's virtual
 * size. ASSAY_E_UNSUPPORTED when that size exceeds what the file holds.
 */
int assay_uki_kernel(const struct assay_pe *pe, const struct assay_pe_section *linux_sec,
		     struct assay_src **ret, struct assay_err *err) ASSAY_MUST;

/*
 * Every digest that a UKI's boot needs, out of one read of the file: its Authenticode digest, each
 * section of the view (virtual size), the inner kernel's Authenticode digest, and the initrd as
 * handed over.
 */
struct assay_uki_hashes {
	struct assay_digests authenticode;
	struct assay_digests section[ASSAY_UKI_N_SECTIONS]; /* banks == 0 where absent */
	struct assay_digests inner; /* of .linux as a PE of its own; banks == 0 when not asked */
	struct assay_digests initrd_tail; /* .initrd + tail; banks == 0 when not asked */
};
int assay_uki_hash(const struct assay_pe *pe, const struct assay_uki_view *view, unsigned banks,
		   bool inner, bool with_tail, const void *tail, size_t tail_len,
		   struct assay_uki_hashes *ret, struct assay_err *err) ASSAY_MUST;

/* The Authenticode digest and those of n sections (virtual size), out of one read of the file. */
int assay_pe_hash(const struct assay_pe *pe, unsigned banks,
		  const struct assay_pe_section *const *s, size_t n,
		  struct assay_digests *ret_authenticode, struct assay_digests *ret_sections,
		  struct assay_err *err) ASSAY_MUST;

#endif
