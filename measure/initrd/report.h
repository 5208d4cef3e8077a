/* SPDX-License-Identifier: Apache-2.0 */
/* All that there is to tell about an initrd and the kernel that it goes with: for `assay initrd`, and for facts. */
#ifndef ASSAY_MEASURE_INITRD_REPORT_H
#define ASSAY_MEASURE_INITRD_REPORT_H

#include "core/json.h"
#include "measure/initrd/initrd.h"
#include "measure/initrd/modules.h"
#include "measure/pe/uki.h"

#define ASSAY_INITRD_SCHEMA "assay.initrd/1"

struct assay_initrd_report {
	struct assay_initrd *initrd;
	struct assay_initrd_list files;
	uint8_t mtree[32]; /* SHA-256 of assay_initrd_mtree() */
	struct assay_modules modules;
};

/* `contents`: look into the modules for their vermagic too. */
int assay_initrd_report_make(struct assay_src *src, bool contents, struct assay_initrd_report **ret,
			     struct assay_err *err) ASSAY_MUST;
void assay_initrd_report_free(struct assay_initrd_report **r);
ASSAY_DEFINE_AUTO(assay_initrd_report)

/* The summary; with `files` each file and what came to nothing as well. release: the kernel's, or NULL. */
struct assay_json *assay_initrd_report_json(const struct assay_initrd_report *r, const char *release,
					    bool files);

/*
 * Members for facts: "names", by folder ("." is the top) what each of its names is, folders left out:
 * "[KIND] [mode=] [uid=] [gid=] [nlink=] [SHA256 | -> TARGET | device=MAJOR,MINOR]" without what is usual, so that most files
 * are their SHA-256 alone. Each folder has a member, and tells of itself under "." if it is not root's with mode 0755.
 * Or "names_left_out", why there are none.
 */
int assay_initrd_report_names(const struct assay_initrd_report *r, struct assay_json *initrd,
			      struct assay_err *err) ASSAY_MUST;

/* --- what a UKI brings ---- */

/*
 * The initrd in a UKI's profile, without what the stub adds to it: .ucode, padded to 4 bytes, and .initrd.
 * ASSAY_E_NOTFOUND when it has neither.
 */
int assay_uki_initrd(const struct assay_pe *pe, size_t profile, struct assay_src **ret,
		     struct assay_err *err) ASSAY_MUST;

/* A kernel as facts tell it: its header, its version and the release that modules go by. */
struct assay_kernel_facts {
	bool known; /* the header */
	struct assay_linux_header header;
	char *error;   /* why not */
	char *version; /* all of the version string; NULL */
	char *release; /* its first word, or what .uname says where the kernel says nothing; NULL */
	char *uname;   /* .uname; NULL */
};
/* src: the kernel image; uname: of the UKI, or NULL. Only memory and reading are errors. */
int assay_kernel_facts(struct assay_src *src, const char *uname, struct assay_kernel_facts *ret,
		       struct assay_err *err) ASSAY_MUST;
int assay_uki_kernel_facts(const struct assay_pe *pe, size_t profile, struct assay_kernel_facts *ret,
			   struct assay_err *err) ASSAY_MUST;
void assay_kernel_facts_clear(struct assay_kernel_facts *k);
struct assay_json *assay_kernel_facts_json(const struct assay_kernel_facts *k);

/*
 * For facts: member "linux" of a UKI's or kernel's object and, with `unpack`, "initrd" of a UKI's. What cannot be read is
 * told there; only memory and reading are errors.
 */
int assay_initrd_facts(const struct assay_pe *pe, enum assay_efi_kind kind, bool unpack,
		       struct assay_json *program, struct assay_err *err) ASSAY_MUST;

#endif
