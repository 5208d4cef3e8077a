/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boot chains: what each boot stage measures. One row for each first boot application (table in chain.c); a row's run()
 * adds its events to the prediction, from the boot application on until the kernel is entered.
 */
#ifndef ASSAY_PRECOMPUTE_CHAIN_CHAIN_H
#define ASSAY_PRECOMPUTE_CHAIN_CHAIN_H

#include "precompute/precompute.h"

struct assay_chain_kernel {
	char *version;	/* of the kernel that is entered; NULL when unknown */
	char *cmdline;	/* as handed over; NULL: none */
};

struct assay_chain {
	struct assay_image *image;
	const struct assay_platform *platform;
	const struct assay_precompute_options *options;
	struct assay_prediction *p;
	unsigned banks; /* hashed: those asked for and sha256, which IMA needs */
	bool secure_boot;

	/* what later stages need to know about the kernel */
	struct assay_chain_kernel kernel;
	/* why these PCRs cannot be given although the chain goes on; NULL where they can */
	char *no_value[ASSAY_PREDICTED_PCRS];
};

void assay_chain_clear(struct assay_chain *c);

/* Runs the row that fits the first boot application; ASSAY_E_UNSUPPORTED names one without a row. */
int assay_chain_run(struct assay_chain *c, struct assay_efi_file *boot,
		    struct assay_err *err) ASSAY_MUST;

/* The rows. */
int assay_chain_uki(struct assay_chain *c, struct assay_efi_file *boot,
		    struct assay_err *err) ASSAY_MUST;
int assay_chain_sdboot(struct assay_chain *c, struct assay_efi_file *boot,
		       struct assay_err *err) ASSAY_MUST;

/* --- what rows share ---------------------------------------------------------------------------- */

/* "\EFI\BOOT\BOOTX64.EFI" of "/EFI/BOOT/BOOTX64.EFI", with " WHAT" behind it; fresh memory. */
char *assay_efi_path(const char *path, const char *what);

/*
 * LoadImage of a UEFI application by the firmware: its signature is checked and vouched for when Secure
 * Boot is on (PCR 7), then its Authenticode digest is measured (PCR 4). `digest` is that digest.
 */
int assay_chain_load_image(struct assay_chain *c, const struct assay_pe *pe,
			   const struct assay_digests *digest, const char *path,
			   struct assay_err *err) ASSAY_MUST;

/* What a boot loader hands to a UKI's stub. */
struct assay_stub_args {
	const char *options; /* LoadOptions as UTF-8; NULL: none */
};
/* A UKI from LoadImage on: firmware, stub, kernel. */
int assay_chain_start_uki(struct assay_chain *c, struct assay_efi_file *uki,
			  const struct assay_stub_args *args, struct assay_err *err) ASSAY_MUST;

/* What systemd 252 makes of a command line, boot loader and stub alike, in place. */
void assay_chain_mangle_252(char *text);

/* The Linux EFI stub: the command line as handed over and the initrd (PCR 9). initrd NULL: none. */
int assay_chain_kernel(struct assay_chain *c, const char *version, const char *cmdline,
		       const struct assay_digests *initrd, const char *initrd_source,
		       const char *cmdline_source, struct assay_err *err) ASSAY_MUST;

/* Refuses kernels that do more than is known here: packed ones, which unpack and load another (EFI zboot). */
int assay_chain_check_kernel(struct assay_src *kernel, const char *path, struct assay_err *err) ASSAY_MUST;

/* One event: hashes data, takes source and detail over. */
int assay_chain_measure(struct assay_chain *c, unsigned pcr, uint32_t type, const void *data,
			size_t len, char *source, char *detail, struct assay_err *err) ASSAY_MUST;
/* EV_IPL over UTF-16 with its NUL, PCR 12: load options as boot loader and stub measure them. */
int assay_chain_load_options(struct assay_chain *c, const char *options, char *source,
			     struct assay_err *err) ASSAY_MUST;
/* UTF-16LE with NUL of a text that a boot stage converts; what it would drop is refused by name. */
int assay_chain_utf16(const char *text, const char *what, uint8_t **ret, size_t *ret_len,
		      struct assay_err *err) ASSAY_MUST;

#endif
