/* SPDX-License-Identifier: Apache-2.0 */
/* ls and cat: looking into a disk image without mounting it. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/part.h"
#include "core/limits.h"
#include "core/out.h"
#include "core/src.h"
#include "core/text.h"
#include "measure/fs/tree.h"
#include "measure/fs/walk.h"

#define COPY_BLOCK (256U << 10)

enum { OPT_MTREE = 0x2000, OPT_DIGEST };

struct options {
	int part;
	bool details;
	bool recurse;
	bool mtree;
	bool digest;
	const char *out;
	const char *disk;
	const char *path; /* NULL: not given */
	struct assay_disk_opts disk_opts;
};

static int parse_options(const struct assay_verb *verb, const char *letters, int argc, char **argv,
			 struct options *ret)
{
	static const struct option opts[] = {
		ASSAY_CLI_DISK_OPTION,
		{ "part", required_argument, NULL, 'p' },
		{ "long", no_argument, NULL, 'l' },
		{ "recursive", no_argument, NULL, 'R' },
		{ "mtree", no_argument, NULL, OPT_MTREE },
		{ "digest", no_argument, NULL, OPT_DIGEST },
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	int c;

	*ret = (struct options){ .part = ASSAY_PART_DEFAULT, .out = "-" };
	while ((c = assay_cli_getopt(verb, argc, argv, letters, opts)) != -1) {
		if (c == 'p' && !assay_cli_part(optarg, &ret->part))
			return assay_cli_usage_msg(verb, "'%s' is no partition number", optarg);
		if (c == ASSAY_CLI_ALLOW_BACKING) {
			ret->disk_opts.allow_backing = true;
			continue;
		}
		if (c == OPT_MTREE || c == OPT_DIGEST) {
			if (!strchr(letters, 'R'))
				return assay_cli_usage(verb);
			*(c == OPT_MTREE ? &ret->mtree : &ret->digest) = true;
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
	if (ret->mtree && ret->digest)
		return assay_cli_usage_msg(verb, "--mtree and --digest exclude each other");
	if ((ret->mtree || ret->digest) && ret->details)
		return assay_cli_usage_msg(verb, "--long says nothing about an mtree listing");
	ret->disk = argv[optind];
	ret->path = argv[optind + 1];
	return ASSAY_EXIT_OK;
}

/* A name off a disk is not to steer the terminal: controls (C1 ones too) come out as \xNN, and so
 * does what is no UTF-8. */
static void print_name(const char *name)
{
	size_t left = strlen(name);

	while (left > 0) {
		uint32_t c;
		const size_t n = assay_utf8_next(name, left, &c);

		if (n == 0)
			printf("\\x%02x", (unsigned char)*name);
		else if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			printf("\\x%02" PRIx32, c);
		else
			fwrite(name, 1, n, stdout);
		name += n ? n : 1;
		left -= n ? n : 1;
	}
}

static char type_letter(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	case S_IFBLK:
		return 'b';
	case S_IFCHR:
		return 'c';
	case S_IFIFO:
		return 'p';
	case S_IFSOCK:
		return 's';
	default:
		return '-';
	}
}

/* As ls(1) has it, for one of owner, group and others. */
static void print_bits(uint32_t bits, bool special, char letter)
{
	const bool x = bits & 1;

	putchar(bits & 4 ? 'r' : '-');
	putchar(bits & 2 ? 'w' : '-');
	if (special)
		putchar(x ? letter : letter - 'a' + 'A');
	else
		putchar(x ? 'x' : '-');
}

static void print_details(const struct assay_fs *fs, const struct assay_fs_stat *st)
{
	char size[32] = "-";

	if (assay_fs_has_nodes(fs)) {
		putchar(type_letter(st->mode));
		print_bits(st->mode >> 6, st->mode & S_ISUID, 's');
		print_bits(st->mode >> 3, st->mode & S_ISGID, 's');
		print_bits(st->mode, st->mode & S_ISVTX, 't');
		printf(" %5" PRIu32 " %5" PRIu32 " ", st->uid, st->gid);
	}
	if (S_ISBLK(st->mode) || S_ISCHR(st->mode))
		snprintf(size, sizeof(size), "%" PRIu32 ",%" PRIu32, st->major, st->minor);
	else if (st->kind != ASSAY_FS_DIR)
		snprintf(size, sizeof(size), "%" PRIu64, st->size);
	printf("%12s  ", size);
}

static int print_entry(struct assay_fs *fs, const struct options *o, const char *name,
		       uint64_t node, const struct assay_fs_stat *st, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *target = NULL;

	if (o->details && st->kind == ASSAY_FS_SYMLINK &&
	    assay_fs_node_readlink(fs, node, &target, err) < 0)
		return assay_wrap(err, "%s", name);
	if (o->details)
		print_details(fs, st);
	print_name(name);
	if (target) {
		fputs(" -> ", stdout);
		print_name(target);
	}
	puts(st->kind == ASSAY_FS_DIR ? "/" : "");
	return 0;
}

/* One directory, or FAT's in the order of the disk. */
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
		ASSAY_AUTO_FREE char *name = assay_asprintf("%s%s", prefix, e->name);
		struct assay_fs_stat st = { .kind = e->kind, .size = e->size };

		if (!name)
			rc = assay_fail_mem(err);
		else if (o->details && assay_fs_has_nodes(fs))
			rc = assay_fs_node_stat(fs, e->node, &st, err);
		if (rc == 0)
			rc = print_entry(fs, o, name, e->node, &st, err);
		if (rc < 0 || !o->recurse || e->kind != ASSAY_FS_DIR)
			continue;
		ASSAY_AUTO_FREE char *sub = assay_asprintf(
			"%s%s%s", path, path[strlen(path) - 1] == '/' ? "" : "/", e->name);
		ASSAY_AUTO_FREE char *sub_prefix = assay_asprintf("%s/", name);
		rc = sub && sub_prefix ? list(fs, o, sub, sub_prefix, depth + 1, err)
				       : assay_fail_mem(err);
	}
	assay_dir_clear(&dir);
	return rc;
}

struct listing {
	struct assay_fs *fs;
	const struct options *o;
	size_t skip; /* bytes of the paths that are the top's, and a slash */
};

static int print_walked(const struct assay_fs_entry *e, void *arg, struct assay_err *err)
{
	struct listing *l = arg;

	if (l->skip == 0) {
		l->skip = e->path[1] ? strlen(e->path) + 1 : 1;
		return 0;
	}
	return print_entry(l->fs, l->o, e->path + l->skip, e->node, &e->st, err);
}

static int write_line(const char *line, size_t len, void *arg, struct assay_err *err)
{
	(void)arg;
	return fwrite(line, 1, len, stdout) == len
		       ? 0
		       : assay_fail_sys(err, "cannot write to standard output");
}

static int list_mtree(struct assay_fs *fs, const struct options *o, struct assay_err *err)
{
	struct assay_fs_tree tree;
	char hex[ASSAY_HEX_MAX];

	if (assay_fs_tree_digest(fs, o->path, o->mtree ? write_line : NULL, NULL, &tree, err) < 0)
		return -1;
	if (o->digest)
		printf("%s\n", assay_hex(tree.sha256, sizeof(tree.sha256), hex));
	return 0;
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
	rc = assay_cli_part_open(o.disk, &o.disk_opts, o.part, &fs, &err);
	if (rc == 0 && (o.mtree || o.digest)) {
		rc = list_mtree(fs, &o, &err);
	} else if (rc == 0 && o.recurse && assay_fs_has_nodes(fs)) {
		struct listing l = { .fs = fs, .o = &o };

		rc = assay_fs_walk(fs, o.path, print_walked, &l, &err);
	} else if (rc == 0) {
		rc = list(fs, &o, o.path, "", 0, &err);
	}
	return rc < 0 ? assay_cli_fail(o.disk, &err) : ASSAY_EXIT_OK;
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
	if (assay_cli_part_open(o.disk, &o.disk_opts, o.part, &fs, &err) < 0 ||
	    assay_fs_file(fs, o.path, &file, NULL, &err) < 0)
		return assay_cli_fail(o.disk, &err);
	/* Standard output is written as the file is read: nobody wants a UKI buffered for it. */
	if (strcmp(o.out, "-") != 0 && assay_out_open(o.out, &out, &err) < 0)
		return assay_cli_fail(o.out, &err);
	if (copy(file, o.path, out, &err) < 0)
		return assay_cli_fail(o.disk, &err);
	return ASSAY_EXIT_OK;
}
