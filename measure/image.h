/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OS disk, opened: partition table, EFI system partition, and the UEFI programs on it. Opening
 * reads headers only; what is costly (hashing) is done when it is asked for.
 */
#ifndef ASSAY_MEASURE_IMAGE_H
#define ASSAY_MEASURE_IMAGE_H

#include "core/json.h"
#include "measure/disk/gpt.h"
#include "measure/disk/open.h"
#include "measure/fs/fs.h"
#include "measure/pe/uki_memo.h"

struct assay_image {
	char *name; /* the file's name without its folder */
	struct assay_disk_info file; /* what the disk was in: "raw" until the opener says otherwise */
	struct assay_src *disk;
	struct assay_gpt *gpt;
	const struct assay_gpt_part *esp; /* the first EFI system partition */
	size_t n_esps;
	struct assay_fs *fs; /* of the ESP */
	struct assay_uki_memo *ukis; /* what UKIs were hashed to */
	bool initrds;	     /* for facts: unpack the initrds of UKIs and tell what is in them */
};

/* `name` is copied. A disk without an ESP: ASSAY_E_NOTFOUND. */
int assay_image_open(struct assay_src *disk, const char *name, struct assay_image **ret,
		     struct assay_err *err) ASSAY_MUST;
void assay_image_free(struct assay_image **image);
ASSAY_DEFINE_AUTO(assay_image)

/* A UEFI program of the ESP. */
struct assay_efi_file {
	char *path; /* with '/', as spelled on the disk: "/EFI/BOOT/BOOTX64.EFI" */
	struct assay_src *src;
	struct assay_pe *pe;
	struct assay_efi_info info;
};
int assay_image_efi(struct assay_image *image, const char *path, struct assay_efi_file **ret,
		    struct assay_err *err) ASSAY_MUST;
void assay_efi_file_free(struct assay_efi_file **file);
ASSAY_DEFINE_AUTO(assay_efi_file)

/*
 * Where firmware without a boot entry of its own for this disk starts: the removable media path of the
 * architecture (UEFI 2.10, 3.5.1.1): "/EFI/BOOT/BOOTX64.EFI". arch as in profiles; NULL: whichever of them is there.
 */
int assay_image_boot_path(struct assay_image *image, const char *arch, char **ret,
			  struct assay_err *err) ASSAY_MUST;

/* A small file of the ESP as bytes (NUL-terminated); ASSAY_E_NOTFOUND when it is not there. */
int assay_image_read(struct assay_image *image, const char *path, uint64_t limit, uint8_t **ret,
		     size_t *ret_len, struct assay_err *err) ASSAY_MUST;

struct assay_links; /* measure/links.h */

struct assay_facts_options {
	const char *boot; /* as in assay_precompute(): NULL for the firmware's rule */
	unsigned banks;
	bool no_image_digest; /* leave the digest of the whole disk out */
	bool partitions;      /* a digest of each partition, in the same pass; it is with the digest of the disk */
};
/*
 * Every fact about the disk: schema assay.facts/1. Hashes the disk, every file on the ESP, and what lies below root
 * hashes. What boots must be readable, a broken program beside it is a fact. A broken link of the chain is a fact,
 * too; the caller asks `ret_links`.
 */
int assay_image_facts(struct assay_image *image, const struct assay_facts_options *options,
		      struct assay_json **ret, struct assay_links **ret_links,
		      struct assay_err *err) ASSAY_MUST;
/* The same of a disk that nothing boots from, with a partition table or without: schema assay.data/1. */
int assay_data_facts(struct assay_src *disk, const char *name, const struct assay_disk_info *info,
		     const struct assay_facts_options *options, struct assay_json **ret,
		     struct assay_links **ret_links, struct assay_err *err) ASSAY_MUST;

#endif
