/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "measure/disk/gpt.h"

/* By what the Discoverable Partitions Specification says a partition is for. */
static const struct {
	const char *word;
	int part;
	const char *type; /* the type's name starts with this */
	const char *what;
} kinds[] = {
	{ "esp", ASSAY_PART_ESP, "EFI System", "EFI System Partition" },
	{ "root", ASSAY_PART_ROOT, "Linux root (", "root partition" },
	{ "usr", ASSAY_PART_USR, "Linux /usr (", "/usr partition" },
};

bool assay_cli_part(const char *text, int *ret)
{
	char *end;
	long v;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(text, kinds[i].word) == 0) {
			*ret = kinds[i].part;
			return true;
		}
	}
	v = strtol(text, &end, 10);
	if (end == text || *end || v < 0 || v > (long)ASSAY_GPT_MAX_ENTRIES)
		return false;
	*ret = (int)v;
	return true;
}

static size_t kind_of(int part)
{
	for (size_t i = 1; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].part == part)
			return i;
	return 0;
}

static bool is_kind(const struct assay_gpt_part *p, size_t kind)
{
	const char *name = assay_gpt_type_name(p->type);

	return name && strncmp(name, kinds[kind].type, strlen(kinds[kind].type)) == 0;
}

static int find(struct assay_src *disk, int part, struct assay_src **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_gpt) *gpt = NULL;
	const struct assay_gpt_part *found = NULL;
	const size_t kind = kind_of(part);
	unsigned n = 0;

	if (assay_gpt_open(disk, &gpt, err) < 0)
		return -1;
	for (size_t i = 0; i < gpt->n_parts; i++) {
		const struct assay_gpt_part *p = &gpt->parts[i];

		if (part > 0 ? p->index == (unsigned)part : is_kind(p, kind)) {
			found = p;
			n++;
		}
	}
	if (n > 1)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%u %ss; say which with --part", n, kinds[kind].what);
	if (!found && part > 0)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no partition %d", part);
	if (!found)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "no %s among %zu partitions", kinds[kind].what, gpt->n_parts);
	if (assay_src_slice(disk, found->offset, found->size, ret, err) < 0)
		return assay_wrap(err, "partition %u", found->index);
	return 0;
}

int assay_cli_part_open(const char *path, const struct assay_disk_opts *opts, int part,
			struct assay_fs **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *disk = NULL;
	ASSAY_AUTO(assay_src) *slice = NULL;

	if (assay_cli_disk_open(path, opts, &disk, err) < 0)
		return -1;
	if (part == ASSAY_PART_WHOLE)
		return assay_fs_open(disk, ret, err);
	if (find(disk, part, &slice, err) < 0) {
		if (part == ASSAY_PART_DEFAULT && err->code == ASSAY_E_NOTFOUND &&
		    assay_fs_probe(disk))
			return assay_fs_open(disk, ret, err);
		return -1;
	}
	if (assay_fs_open(slice, ret, err) == 0)
		return 0;
	return part > 0 ? assay_wrap(err, "partition %d", part)
			: assay_wrap(err, "%s", kinds[kind_of(part)].what);
}
