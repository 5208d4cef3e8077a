/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A QEMU command line as a person wrote it, completed so that a probe can be booted on that
 * machine.
 *
 * Words are split as a shell would ('...', "...", backslash) and no shell is asked. Placeholders:
 * {disk} the disk's path, {tpm} the path of swtpm's control socket, {serial} the path of the file
 * that the first serial port writes to, {copy:PATH} a private copy of a file. What the line lacks
 * is added: -serial, -tpmdev with its device, a virtio disk, -display none, -monitor none,
 * -no-reboot. A flash drive that is not read-only is copied, so that a variable store stays as it
 * was.
 */
#ifndef ASSAY_CLI_QEMU_H
#define ASSAY_CLI_QEMU_H

#include "core/digest.h"
#include "core/err.h"

struct assay_qemu_paths {
	const char *folder; /* where private copies go */
	const char *disk;
	const char *tpm;
	const char *serial;
};

/* A file of firmware in the command line, as it was before the boot. */
struct assay_qemu_file {
	char *path; /* as given */
	uint64_t size;
	struct assay_digests digest; /* sha256 */
};

struct assay_qemu {
	char **shown; /* the completed line, one word each, placeholders kept, NULL at the end */
	char **real;  /* for execve, NULL at the end */
	size_t n;
	struct assay_qemu_file *files;
	size_t n_files;
	size_t n_copies;
	bool serial_added; /* the line has no -serial: the port was added, and is part of the
			      machine */
};

/* tpm_device: "tpm-crb", used when the line has no -tpmdev. Copies files into paths->folder. */
int assay_qemu_plan(const char *line, const struct assay_qemu_paths *paths, const char *tpm_device,
		    struct assay_qemu **ret, struct assay_err *err) ASSAY_MUST;
void assay_qemu_free(struct assay_qemu **q);
ASSAY_DEFINE_AUTO(assay_qemu)

/* A word as it has to be written to be split back into itself. Caller frees. */
char *assay_qemu_quote(const char *word);

/* Copies a regular file, keeping holes. */
int assay_copy_file(const char *from, const char *to, struct assay_err *err) ASSAY_MUST;

#endif
