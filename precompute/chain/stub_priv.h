/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of systemd-stub's chain share: its rules, and one run of it. */
#ifndef ASSAY_PRECOMPUTE_CHAIN_STUB_PRIV_H
#define ASSAY_PRECOMPUTE_CHAIN_STUB_PRIV_H

#include "core/text.h"
#include "precompute/chain/chain.h"

struct assay_stub_rules {
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
	bool prefix_names; /* takes ".linuxes" for ".linux": compares no more bytes than its own name has */
	bool plain_counts; /* the drop-in folder's name leaves the boot counter out */
	/* The inner kernel goes through LoadImage, which measures it, unless Secure Boot is on: the stub then
	 * hooks the security protocol, and with it the measurement. */
	bool load_image;
};

/* What one run of a stub works on. */
struct assay_stub {
	struct assay_chain *c;
	const struct assay_stub_rules *rules;
	struct assay_efi_file *uki;
	const char *options; /* LoadOptions that the stub heeds, without "@N"; NULL: none */
	size_t profile;
	struct assay_uki_view view;
	char *extra_dir;
	char *cmdline;		 /* as handed to the kernel; NULL: none */
	const char *cmdline_from; /* in words */
	struct assay_str tail;	 /* what is handed over behind .initrd */
	struct assay_str sidecars;
	struct assay_stub_pack {
		unsigned pcr;
		size_t start, len; /* in sidecars */
		size_t n;	   /* files */
		const char *folder, *what;
	} packs[4];
	size_t n_packs;
};

/* Is there such a section, and is it not empty? */
bool assay_stub_has(const struct assay_stub *s, enum assay_uki_section which);
/* The content of a small section, with a NUL behind it. */
int assay_stub_section(const struct assay_stub *s, enum assay_uki_section which, uint8_t **ret,
		       size_t *ret_len, struct assay_err *err) ASSAY_MUST;

/* parse_number16(): a decimal number that fits, moving *p past it. */
bool assay_stub_number(const char **p, uint64_t *ret);
/* "/EFI/Linux/NAME+3-1.efi" without its boot counter; fresh memory. */
char *assay_stub_plain_name(const char *path);
/* stub_sidecar.c: files beside the UKI into s->sidecars and s->packs, and their events. */
int assay_stub_sidecars(struct assay_stub *s, struct assay_err *err) ASSAY_MUST;
int assay_stub_measure_sidecars(const struct assay_stub *s, struct assay_err *err) ASSAY_MUST;

/* stub_initrd.c: wrapped sections behind the sidecars, s->tail out of both, and the kernel's events. */
int assay_stub_wrap_sections(struct assay_stub *s, struct assay_err *err) ASSAY_MUST;
int assay_stub_build_tail(struct assay_stub *s, struct assay_err *err) ASSAY_MUST;
int assay_stub_hand_over(struct assay_stub *s, const struct assay_uki_hashes *h, const char *version,
			 struct assay_err *err) ASSAY_MUST;

#endif
