/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Linux EFI stub measures what it was handed into PCR 9: LOADED_IMAGE::LoadOptions (efi_convert_cmdline()) and,
 * when it comes by the LINUX_EFI_INITRD_MEDIA_GUID device path, the initrd (efi_load_initrd()):
 * drivers/firmware/efi/libstub/efi-stub-helper.c, the same in 6.1.176 and 6.12.107.
 */
#include "precompute/chain/chain.h"
#include "precompute/kernel.h"

#include <stdlib.h>
#include <string.h>

#include "core/text.h"

int assay_chain_check_kernel(struct assay_src *kernel, const char *path, struct assay_err *err)
{
	char magic[4];

	/* Documentation/arch/arm64: "zimg" at offset 4 (drivers/firmware/efi/libstub/zboot-header.S) */
	if (assay_src_size(kernel) < 8)
		return 0;
	if (assay_src_read(kernel, 4, magic, sizeof(magic), err) < 0)
		return assay_wrap(err, "%s", path);
	if (memcmp(magic, "zimg", sizeof(magic)) != 0)
		return 0;
	return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
			  "%s: a packed kernel (EFI zboot), which loads another: not predicted yet", path);
}

enum { COMMAND_LINE_SIZE = 2048 }; /* of x86 and arm64 */

int assay_chain_kernel(struct assay_chain *c, const char *version, const char *cmdline,
		       const struct assay_digests *initrd, const char *initrd_source,
		       const char *cmdline_source, struct assay_err *err)
{
	const struct assay_kernel_rules *rules =
		assay_kernel_rules_find(version, c->options->assume_kernel);
	ASSAY_AUTO_FREE uint8_t *u = NULL;
	size_t len = 0;

	if (version && !(c->kernel.version = assay_strdup(version)))
		return assay_fail_mem(err);
	if (cmdline && !(c->kernel.cmdline = assay_strdup(cmdline)))
		return assay_fail_mem(err);
	if (!rules) {
		char *why = assay_asprintf("nobody has looked at what the EFI stub of kernel %s measures "
					   "(--assume-kernel VERSION takes it for a known one)",
					   version ? version : "of unknown version");

		if (!why)
			return assay_fail_mem(err);
		c->no_value[9] = why;
		return 0;
	}
	/* The stub measures all of it, and then cuts it; which words are left, nobody is to guess. */
	if (cmdline && strlen(cmdline) >= COMMAND_LINE_SIZE)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%s: %zu bytes, and the kernel cuts its command line at %d", cmdline_source,
				  strlen(cmdline), COMMAND_LINE_SIZE - 1);
	if (cmdline) {
		if (assay_chain_utf16(cmdline, cmdline_source, &u, &len, err) < 0)
			return -1;
		if (assay_chain_measure(
			    c, 9, EV_EVENT_TAG, u, len, assay_strdup(cmdline_source),
			    assay_asprintf("LOADED_IMAGE::LoadOptions, the command line as UTF-16 with NUL: "
					   "\"%s\"",
					   cmdline),
			    err) < 0)
			return -1;
	}
	if (initrd && !(cmdline && assay_cmdline_has(cmdline, "noinitrd")) &&
	    assay_prediction_add(c->p, 9, EV_EVENT_TAG, initrd, true, assay_strdup(initrd_source),
				 assay_strdup("Linux initrd, as handed over"), err) < 0)
		return -1;
	return 0;
}
