/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target functions: assay_initrd_read, assay_cpio_parse_header, assay_cpio_feed, assay_unpack, assay_tree_add,
 * assay_initrd_files, assay_initrd_mtree, assay_initrd_fate, assay_initrd_detect.
 *
 * The input is an initrd. What is read must hold together: archives in order and inside the file, each
 * member in one of them, each path of the list found again; and cut by a byte it must not be taken for more.
 */
#include <stdlib.h>
#include <string.h>

#include "measure/initrd/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_UNPACKED (4U << 20)

static void check(bool right)
{
	if (!right)
		abort();
}

static void check_archives(const struct assay_initrd *in)
{
	uint64_t end = 0, members = 0;

	for (size_t i = 0; i < in->n_archives; i++) {
		const struct assay_initrd_archive *a = &in->archives[i];

		check(a->offset >= end && a->size > 0 && a->size <= in->size - a->offset);
		end = a->offset + a->size;
		members += a->members;
	}
	check(members == in->n_members && in->unpacked <= MAX_UNPACKED);
	check(!in->has_bootconfig || end <= in->bootconfig_offset);
}

static void check_list(const struct assay_initrd *in, const struct assay_initrd_list *list)
{
	struct assay_err err;
	size_t member;

	for (size_t i = 0; i < list->n; i++) {
		const struct assay_initrd_file *f = &list->f[i];

		check(i == 0 || strcmp(list->f[i - 1].path, f->path) < 0);
		check(!f->data || f->data->size == f->file->size);
		/* What a path leads to is no link; where it is no link itself, it is this file. */
		if (strcmp(assay_initrd_kind(f->file->mode), "link") == 0)
			continue;
		check(in->tree.names[assay_tree_find(&in->tree, f->path)].file ==
		      in->tree.names[f->name].file);
		check((assay_initrd_find(in, f->path, &member, &err) == 0) ==
		      (strcmp(assay_initrd_kind(f->file->mode), "file") == 0));
	}
	for (size_t i = 0; i < in->n_members; i++) {
		size_t by;

		(void)assay_initrd_fate(in, i, &by);
		check(by == ASSAY_TREE_NONE || by > i);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct assay_initrd_opts opts = { .max_unpacked = MAX_UNPACKED };
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO(assay_initrd) *in = NULL;
	struct assay_initrd_list list = { 0 };
	struct assay_str text = { 0 };
	struct assay_err err;

	if (assay_src_from_mem(data, size, &src, &err) < 0)
		abort();
	const bool detected = assay_initrd_detect(src);
	if (assay_initrd_read(src, &opts, &in, &err) < 0) {
		check(err.code != ASSAY_OK && err.msg[0]);
		return 0;
	}
	/* Zeros in front are taken, and not looked past. */
	check(detected || data[0] == 0);
	check_archives(in);
	if (assay_initrd_files(in, &list, &err) < 0)
		abort();
	check_list(in, &list);
	if (assay_initrd_mtree(&list, &text, &err) < 0)
		abort();
	assay_str_clear(&text);
	assay_initrd_list_clear(&list);
	return 0;
}
