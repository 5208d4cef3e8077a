/* SPDX-License-Identifier: Apache-2.0 */
/* ls and cat: looking into a disk image without mounting it. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/disk.h"
#include "core/limits.h"
#include "core/out.h"
#include "core/src.h"
#include "core/text.h"

#define COPY_BLOCK (256U << 10)
#define PART_ESP (-1)
#define PART_WHOLE 0

struct options {
	int part; /* PART_ESP, PART_WHOLE, or a partition's number */
	bool details;
	bool recurse;
	const char *out;
	const char *disk;
	const char *path; /* NULL: not given */
	struct assay_disk_opts disk_opts;
};

static int parse_part(const char *text, int *ret)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (end == text || *end || v < 0 || v > (long)ASSAY_GPT_MAX_ENTRIES)
		return -1;
	*ret = (int)v;
	return 0;
}

static int parse_options(const struct assay_verb *verb, const char *letters, int argc, char **argv,
			 struct options *ret)
{
	static const struct option opts[] = {
		ASSAY_CLI_DISK_OPTION,
		{ "part", required_argument, NULL, 'p' },
		{ "long", no_argument, NULL, 'l' },
		{ "recursive", no_argument, NULL, 'R' },
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	int c;

	*ret = (struct options){ .part = PART_ESP, .out = "-" };
	while ((c = assay_cli_getopt(verb, argc, argv, letters, opts)) != -1) {
		if (c == 'p' && parse_part(optarg, &ret->part) < 0)
			return assay_cli_usage_msg(verb, "'%s' is no partition number", optarg);
		if (c == ASSAY_CLI_ALLOW_BACKING) {
			ret->disk_opts.allow_backing = true;
			continue;
		}
		/* The long form of another verb's option gets through getopt_long. */
		if (c == '?' || !strchr(letters, c))
			return assay_cli_usage(verb);
		if (c == 'l')
			ret->details = true;
		if (c == 'R')
			ret->recurse = true;
		if (c == 'o')
			ret->out = optarg;
	}
	if (argc - optind < 1 || argc - optind > 2)
		return assay_cli_usage(verb);
	ret->disk = argv[optind];
	ret->path = argv[optind + 1];
	return ASSAY_EXIT_OK;
}

static int find_part(struct assay_src *disk, int number, struct assay_src **ret,
		     struct assay_err *err)
{
	ASSAY_AUTO(assay_gpt) *gpt = NULL;
	const struct assay_gpt_part *found = NULL;
	unsigned esps = 0;

	if (number == PART_WHOLE) {
		*ret = assay_src_ref(disk);
		return 0;
	}
	if (assay_gpt_open(disk, &gpt, err) < 0)
		return -1;
	for (size_t i = 0; i < gpt->n_parts; i++) {
		const struct assay_gpt_part *p = &gpt->parts[i];

		if (number == PART_ESP && assay_gpt_is_esp(p)) {
			found = p;
			esps++;
		} else if (number != PART_ESP && p->index == (unsigned)number) {
			found = p;
		}
	}
	if (esps > 1)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "%u EFI System Partitions; say which with --part", esps);
	if (!found && number == PART_ESP)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET,
				  "no EFI System Partition among %zu partitions", gpt->n_parts);
	if (!found)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "no partition %d",
				  number);
	if (assay_src_slice(disk, found->offset, found->size, ret, err) < 0)
		return assay_wrap(err, "partition %u", found->index);
	return 0;
}

static int open_fs(const struct options *o, struct assay_fs **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *disk = NULL;
	ASSAY_AUTO(assay_src) *part = NULL;

	if (assay_cli_disk_open(o->disk, &o->disk_opts, &disk, err) < 0 ||
	    find_part(disk, o->part, &part, err) < 0)
		return -1;
	if (assay_fs_open(part, ret, err) < 0) {
		if (o->part == PART_WHOLE)
			return -1;
		return o->part == PART_ESP ? assay_wrap(err, "EFI System Partition")
					   : assay_wrap(err, "partition %d", o->part);
	}
	return 0;
}

/* A name off a disk is not to steer the terminal: controls (C1 ones too) come out as \xNN. */
static void print_name(const char *name)
{
	for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
		if (*p < 0x20 || *p == 0x7f) {
			printf("\\x%02x", *p);
		} else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) {
			printf("\\x%02x", p[1]);
			p++;
		} else {
			putchar(*p);
		}
	}
}

static int list(struct assay_fs *fs, const struct options *o, const char *path, const char *prefix,
		unsigned depth, struct assay_err *err)
{
	struct assay_dir dir = { 0 };
	int rc = 0;

	if (depth > ASSAY_FS_MAX_DEPTH)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET, "%s: more than %u levels",
				  path, ASSAY_FS_MAX_DEPTH);
	if (assay_fs_list(fs, path, &dir, err) < 0)
		return -1;
	for (size_t i = 0; i < dir.n && rc == 0; i++) {
		const struct assay_dirent *e = &dir.e[i];

		if (o->details && e->kind == ASSAY_FS_DIR)
			printf("%12s  ", "-");
		else if (o->details)
			printf("%12" PRIu64 "  ", e->size);
		print_name(prefix);
		print_name(e->name);
		puts(e->kind == ASSAY_FS_DIR ? "/" : "");
		if (!o->recurse || e->kind != ASSAY_FS_DIR)
			continue;
		ASSAY_AUTO_FREE char *sub = assay_asprintf(
			"%s%s%s", path, path[strlen(path) - 1] == '/' ? "" : "/", e->name);
		ASSAY_AUTO_FREE char *sub_prefix = assay_asprintf("%s%s/", prefix, e->name);
		rc = sub && sub_prefix ? list(fs, o, sub, sub_prefix, depth + 1, err)
				       : assay_fail_mem(err);
	}
	assay_dir_clear(&dir);
	return rc;
}

int assay_cmd_ls(const struct assay_verb *verb, int argc, char **argv)
{
	ASSAY_AUTO(assay_fs) *fs = NULL;
	struct options o;
	struct assay_err err;
	int rc = parse_options(verb, "p:lR", argc, argv, &o);

	if (rc != ASSAY_EXIT_OK)
		return rc;
	if (!o.path)
		o.path = "/";
	if (open_fs(&o, &fs, &err) < 0 || list(fs, &o, o.path, "", 0, &err) < 0)
		return assay_cli_fail(o.disk, &err);
	return ASSAY_EXIT_OK;
}

static int copy(struct assay_src *file, const char *path, struct assay_out *out,
		struct assay_err *err)
{
	const uint64_t size = assay_src_size(file);
	ASSAY_AUTO_FREE uint8_t *block = malloc(COPY_BLOCK);

	if (!block)
		return assay_fail_mem(err);
	for (uint64_t off = 0; off < size; off += COPY_BLOCK) {
		size_t len = size - off < COPY_BLOCK ? (size_t)(size - off) : COPY_BLOCK;

		if (assay_src_read(file, off, block, len, err) < 0)
			return assay_wrap(err, "%s", path);
		if (out)
			assay_out_write(out, block, len);
		else if (fwrite(block, 1, len, stdout) != len)
			return assay_fail_sys(err, "cannot write to standard output");
	}
	return out ? assay_out_commit(out, err) : 0;
}

int assay_cmd_cat(const struct assay_verb *verb, int argc, char **argv)
{
	ASSAY_AUTO(assay_fs) *fs = NULL;
	ASSAY_AUTO(assay_src) *file = NULL;
	ASSAY_AUTO(assay_out) *out = NULL;
	struct options o;
	struct assay_err err;
	int rc = parse_options(verb, "p:o:", argc, argv, &o);

	if (rc != ASSAY_EXIT_OK)
		return rc;
	if (!o.path)
		return assay_cli_usage(verb);
	if (open_fs(&o, &fs, &err) < 0 || assay_fs_file(fs, o.path, &file, NULL, &err) < 0)
		return assay_cli_fail(o.disk, &err);
	/* Standard output is written as the file is read: nobody wants a UKI buffered for it. */
	if (strcmp(o.out, "-") != 0 && assay_out_open(o.out, &out, &err) < 0)
		return assay_cli_fail(o.out, &err);
	if (copy(file, o.path, out, &err) < 0)
		return assay_cli_fail(o.disk, &err);
	return ASSAY_EXIT_OK;
}
