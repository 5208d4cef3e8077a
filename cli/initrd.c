/* SPDX-License-Identifier: Apache-2.0 */
/* assay initrd: the archives of an initrd, the files that a kernel makes of them, and their modules. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/initrd_find.h"
#include "core/text.h"

struct options {
	bool json, details, mtree, check;
	const char *cat;
	const char *out;
	char *boot;
	struct assay_disk_opts disk;
};

/* --- text --------------------------------------------------------------------------------------- */

static void print_archives(const struct assay_initrd *in)
{
	for (size_t i = 0; i < in->n_archives; i++) {
		const struct assay_initrd_archive *a = &in->archives[i];

		printf("archive  %zu: %" PRIu64 " bytes at %" PRIu64 ", ", i, a->size, a->offset);
		if (a->codec == ASSAY_CODEC_NONE)
			printf("plain");
		else
			printf("%s, %" PRIu64 " unpacked", assay_codec_name(a->codec), a->unpacked);
		printf(", %zu members%s%s\n", a->members, a->trailers ? "" : ", no trailer",
		       a->early ? ", looked into early: microcode or ACPI tables" : "");
	}
	if (in->has_bootconfig)
		printf("bootconfig  %" PRIu64 " bytes at %" PRIu64 "\n", in->bootconfig_size,
		       in->bootconfig_offset);
}

static void print_kernel(const struct assay_found_initrd *f)
{
	const struct assay_kernel_facts *k = &f->kernel;

	if (!f->has_kernel)
		return;
	fputs("kernel   ", stdout);
	assay_cli_print_foreign(k->version ? k->version : k->uname ? k->uname : "of unknown version");
	if (k->known && strcmp(k->header.arch, "x86") == 0)
		printf(", boot protocol %u.%02u", k->header.protocol >> 8, k->header.protocol & 0xff);
	else if (k->known)
		printf(", %s", k->header.arch);
	putchar('\n');
	if (k->uname && k->release && strcmp(k->uname, k->release) != 0) {
		fputs("but      .uname says ", stdout);
		assay_cli_print_foreign(k->uname);
		putchar('\n');
	}
	if (k->error)
		printf("but      %s\n", k->error);
}

static void print_modules(const struct assay_modules *m, enum assay_modules_verdict verdict,
			  const char *why)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct assay_module_release *r = &m->r[i];

		printf("modules  %zu for ", r->modules);
		assay_cli_print_foreign(r->release);
		if (r->unreadable) {
			printf(", %zu that cannot be read (", r->unreadable);
			assay_cli_print_foreign(r->unreadable_path);
			printf(": %s)", r->unreadable_why);
		}
		putchar('\n');
	}
	if (verdict != ASSAY_MODULES_MISMATCH)
		return;
	fputs("MISMATCH ", stdout);
	assay_cli_print_foreign(why);
	putchar('\n');
}

static void print_fates(const struct assay_initrd *in)
{
	for (size_t i = 0; i < in->n_members; i++) {
		size_t by;
		const char *why = assay_initrd_fate(in, i, &by);

		if (!why)
			continue;
		printf("but      ");
		assay_cli_print_foreign(in->members[i].name);
		printf(" of archive %zu: %s", in->members[i].archive, why);
		if (by != ASSAY_TREE_NONE)
			printf(", of archive %zu", in->members[by].archive);
		putchar('\n');
	}
}

/* The mode as ls(1) writes it. */
static const char *mode_text(uint32_t mode, char text[11])
{
	static const char kinds[] = "?pc?d?b?-?l?s???";
	static const char bits[] = "rwxrwxrwx";

	text[0] = kinds[mode >> 12 & 0xf];
	for (int i = 0; i < 9; i++)
		text[1 + i] = mode & (0400U >> i) ? bits[i] : '-';
	if (mode & S_ISUID)
		text[3] = mode & S_IXUSR ? 's' : 'S';
	if (mode & S_ISGID)
		text[6] = mode & S_IXGRP ? 's' : 'S';
	if (mode & S_ISVTX)
		text[9] = mode & S_IXOTH ? 't' : 'T';
	text[10] = '\0';
	return text;
}

static void print_file(const struct assay_initrd_file *f, bool details)
{
	const struct assay_tree_file *file = f->file;
	const time_t mtime = file->mtime;
	char mode[11], size[32], when[32] = "", hex[65];
	struct tm tm;

	if (gmtime_r(&mtime, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	if (S_ISCHR(file->mode) || S_ISBLK(file->mode))
		snprintf(size, sizeof(size), "%" PRIu32 ", %" PRIu32, file->rmajor, file->rminor);
	else
		snprintf(size, sizeof(size), "%" PRIu64,
			 S_ISLNK(file->mode) ? (uint64_t)strlen(file->target) : file->size);
	printf("%s %5" PRIu32 " %5" PRIu32 " %10s %s ", mode_text(file->mode, mode), file->uid, file->gid,
	       size, when);
	if (details)
		printf("%-64s ", S_ISREG(file->mode) && f->data ? assay_hex(f->data->sha256, 32, hex) : "-");
	assay_cli_print_foreign(f->path);
	if (S_ISLNK(file->mode)) {
		fputs(" -> ", stdout);
		assay_cli_print_foreign(file->target);
	}
	putchar('\n');
}

static void print_report(const struct assay_found_initrd *f, const struct assay_initrd_report *r,
			 enum assay_modules_verdict verdict, const char *why, const struct options *o)
{
	char hex[65];

	if (f->from) {
		fputs("from     ", stdout);
		assay_cli_print_foreign(f->from);
		putchar('\n');
	}
	print_kernel(f);
	print_archives(r->initrd);
	print_modules(&r->modules, verdict, why);
	print_fates(r->initrd);
	printf("tree     %zu files, sha256 %s\n", r->files.n, assay_hex(r->mtree, 32, hex));
	for (size_t i = 0; i < r->files.n; i++)
		print_file(&r->files.f[i], o->details);
}

/* --- other ways to tell ------------------------------------------------------------------------- */

static int print_mtree(const struct assay_initrd_report *r, const char *path)
{
	struct assay_str text = { 0 };
	struct assay_err err;

	if (assay_initrd_mtree(&r->files, &text, &err) < 0) {
		assay_str_clear(&text);
		return assay_cli_fail(path, &err);
	}
	if (text.p)
		fputs(text.p, stdout);
	assay_str_clear(&text);
	return ASSAY_EXIT_OK;
}

static int write_json(const struct assay_found_initrd *f, const struct assay_initrd_report *r,
		      const char *path)
{
	ASSAY_AUTO(assay_json) *o = assay_initrd_report_json(r, f->kernel.release, true);
	const char *slash = strrchr(path, '/');

	assay_json_set_str(o, "schema", ASSAY_INITRD_SCHEMA);
	assay_json_set_str(o, "file", slash ? slash + 1 : path);
	if (f->from)
		assay_json_set_str(o, "from", f->from);
	if (f->has_kernel)
		assay_json_set(o, "linux", assay_kernel_facts_json(&f->kernel));
	return assay_cli_write_json(o, "-");
}

struct copy {
	size_t member;
	struct assay_out *out; /* NULL: standard output, as it comes */
};

static bool wants(void *arg, size_t index, const struct assay_initrd_member *m)
{
	(void)m;
	return index == ((struct copy *)arg)->member;
}

static int copy_data(void *arg, size_t index, const uint8_t *p, size_t n, struct assay_err *err)
{
	struct copy *c = arg;

	(void)index;
	if (c->out)
		assay_out_write(c->out, p, n);
	else if (fwrite(p, 1, n, stdout) != n)
		return assay_fail_sys(err, "cannot write to standard output");
	return 0;
}

static int copy_end(void *arg, size_t index, const struct assay_initrd_member *m, struct assay_err *err)
{
	(void)arg;
	(void)index;
	(void)m;
	(void)err;
	return 0;
}

/* Twice through: which member's data they are is known at the end only. */
static int cat(struct assay_src *src, const struct options *o, const char *path)
{
	const struct assay_initrd_opts look = { .no_digests = true };
	struct copy copy = { 0 };
	const struct assay_initrd_watch watch = { &copy, wants, copy_data, copy_end };
	const struct assay_initrd_opts read = { .no_digests = true, .watch = &watch };
	ASSAY_AUTO(assay_initrd) *first = NULL;
	ASSAY_AUTO(assay_initrd) *second = NULL;
	ASSAY_AUTO(assay_out) *out = NULL;
	struct assay_err err;

	if (assay_initrd_read(src, &look, &first, &err) < 0 ||
	    assay_initrd_find(first, o->cat, &copy.member, &err) < 0)
		return assay_cli_fail(path, &err);
	if (o->out && strcmp(o->out, "-") != 0 && assay_out_open(o->out, &out, &err) < 0)
		return assay_cli_fail(o->out, &err);
	copy.out = out;
	if (copy.member != ASSAY_TREE_NONE && assay_initrd_read(src, &read, &second, &err) < 0)
		return assay_cli_fail(path, &err);
	if (out && assay_out_commit(out, &err) < 0)
		return assay_cli_fail(o->out, &err);
	return ASSAY_EXIT_OK;
}

/* --- the verb ----------------------------------------------------------------------------------- */

static int tell(const struct assay_found_initrd *f, const struct options *o, const char *path)
{
	ASSAY_AUTO(assay_initrd_report) *r = NULL;
	ASSAY_AUTO_FREE char *why = NULL;
	enum assay_modules_verdict verdict;
	struct assay_err err;
	int rc = ASSAY_EXIT_OK;

	if (assay_initrd_report_make(f->src, true, &r, &err) < 0 ||
	    assay_modules_check(&r->modules, f->kernel.release, &verdict, &why, &err) < 0)
		return assay_cli_fail(path, &err);
	if (o->check && verdict == ASSAY_MODULES_UNKNOWN) {
		assay_fail(&err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "which kernel goes with it is not known");
		return assay_cli_fail(path, &err);
	}
	if (o->mtree)
		rc = print_mtree(r, path);
	else if (o->json)
		rc = write_json(f, r, path);
	else
		print_report(f, r, verdict, why, o);
	return rc == ASSAY_EXIT_OK && o->check && verdict == ASSAY_MODULES_MISMATCH ? ASSAY_EXIT_MISMATCH : rc;
}

int assay_cmd_initrd(const struct assay_verb *verb, int argc, char **argv)
{
	static const struct option opts[] = {
		ASSAY_CLI_DISK_OPTION,
		{ "boot", required_argument, NULL, 'B' },
		{ "cat", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' },
		{ "json", no_argument, NULL, 'j' },
		{ "long", no_argument, NULL, 'l' },
		{ "mtree", no_argument, NULL, 'm' },
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	struct assay_found_initrd f;
	struct options o = { 0 };
	struct assay_err err;
	int c;

	while ((c = assay_cli_getopt(verb, argc, argv, "lo:", opts)) != -1) {
		switch (c) {
		case ASSAY_CLI_ALLOW_BACKING:
			o.disk.allow_backing = true;
			break;
		case 'B':
			o.boot = optarg;
			break;
		case 'c':
			o.cat = optarg;
			break;
		case 'k':
			o.check = true;
			break;
		case 'j':
			o.json = true;
			break;
		case 'l':
			o.details = true;
			break;
		case 'm':
			o.mtree = true;
			break;
		case 'o':
			o.out = optarg;
			break;
		default:
			return assay_cli_usage(verb);
		}
	}
	if (o.json + o.mtree + (o.cat != NULL) > 1)
		return assay_cli_usage_msg(verb, "--json, --mtree and --cat do not go together");
	if (o.out && !o.cat)
		return assay_cli_usage_msg(verb, "-o is for --cat");
	if (argc - optind != 1)
		return assay_cli_usage(verb);
	for (char *p = o.boot; p && *p; p++)
		if (*p == '\\')
			*p = '/';
	const char *path = argv[optind];
	if (assay_cli_initrd_find(path, o.boot, &o.disk, &f, &err) < 0)
		return assay_cli_fail(path, &err);
	const int rc = o.cat ? cat(f.src, &o, path) : tell(&f, &o, path);
	assay_found_initrd_clear(&f);
	return rc;
}
