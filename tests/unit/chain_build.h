/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels, UKIs, boot loaders and a platform that are sound and as small as can be. */
#ifndef ASSAY_TESTS_CHAIN_BUILD_H
#define ASSAY_TESTS_CHAIN_BUILD_H

#include "tests/unit/disk_build.h"
#include "tests/unit/pe_build.h"

#define BUILD_DEBIAN_6_12 "6.12.48+deb13-amd64 (debian-kernel@lists.debian.org) #1 SMP Debian"
#define BUILD_DEBIAN_6_1 "6.1.0-40-amd64 (debian-kernel@lists.debian.org) #1 SMP Debian"

/* A PE file with the boot header of a kernel of this version. */
static inline void build_kernel(struct peb *b, const char *version)
{
	uint8_t *setup = calloc(1, 3072);

	if (!setup)
		abort();
	memcpy(setup + 2, "HdrS", 4);
	assay_put_le16(setup + 6, 0x020f);
	assay_put_le16(setup + 14, 0x200);
	snprintf((char *)setup + 0x200, 512, "%s", version);
	peb_start(b, true, 16, 1);
	assay_put_le16(b->p + PEB_OPT + 44, 1);
	peb_section(b, ".setup", setup, 3072);
	free(setup);
}

/* A program of systemd: "systemd-stub 257.9"; more sections are the caller's. */
static inline void build_systemd(struct peb *b, const char *what)
{
	char magic[128];

	snprintf(magic, sizeof(magic), "#### LoaderInfo: %s ####", what);
	peb_start(b, true, 16, 24);
	peb_text(b, ".sdmagic", magic);
}

/* A UKI with this kernel and command line (NULL: none) and a small initrd; the caller may add
 * sections. */
static inline void build_uki(struct peb *b, const char *stub, const char *version,
			     const char *cmdline)
{
	struct peb kernel;

	build_systemd(b, stub);
	peb_text(b, ".osrel", "ID=test\nNAME=Test\nVERSION_ID=1\n");
	if (cmdline)
		peb_text(b, ".cmdline", cmdline);
	peb_fill(b, ".initrd", 1001, 5);
	build_kernel(&kernel, version);
	peb_section(b, ".linux", kernel.p, kernel.len);
	peb_free(&kernel);
}

#define BUILD_SHA256_SEP "df3f619804a92fdb4057192dc43dd748ea778adc52bc498ce80524c014b81119"

/* One event in PCR 0, and the slots. */
static const char build_platform[] =
	"schema: assay.platform/1\nname: small\narch: x86-64\nbanks: [sha1, sha256, sha384]\n"
	"secure_boot: false\nevents:\n"
	"  - {pcr: 0, type: EV_S_CRTM_VERSION, text: v1}\n"
	"  - {slot: gpt}\n  - {slot: boot, tries: 0}\n  - {slot: exit}\n";

#endif
