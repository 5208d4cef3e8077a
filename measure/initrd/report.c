/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/initrd/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/limits.h"
#include "core/text.h"

/* --- gathering ---------------------------------------------------------------------------------- */

/* Modules are looked into one at a time, whole: their section headers are at the end. */
struct gathering {
	struct assay_modules *modules;
	uint8_t *p;
	size_t len, cap;
};

static bool wants(void *arg, size_t index, const struct assay_initrd_member *m)
{
	struct gathering *g = arg;
	const char *release;
	size_t n;

	(void)index;
	g->len = 0;
	return m->made != ASSAY_TREE_NONE && m->size > 0 && m->size <= ASSAY_MODULE_MAX &&
	       assay_module_path(m->name, &release, &n);
}

static int take(void *arg, size_t index, const uint8_t *p, size_t n, struct assay_err *err)
{
	struct gathering *g = arg;

	(void)index;
	if (n > g->cap - g->len) {
		size_t cap = g->cap ? g->cap : (size_t)256 << 10;

		while (cap - g->len < n)
			cap *= 2; /* a member is bounded by wants() */
		uint8_t *fresh = realloc(g->p, cap);

		if (!fresh)
			return assay_fail_mem(err);
		g->p = fresh;
		g->cap = cap;
	}
	memcpy(g->p + g->len, p, n);
	g->len += n;
	return 0;
}

static int module_end(void *arg, size_t index, const struct assay_initrd_member *m, struct assay_err *err)
{
	struct gathering *g = arg;

	(void)index;
	return assay_modules_add(g->modules, m->name, g->p, g->len, err);
}

/* By path alone; one that was not looked into is counted all the same. */
static int add_paths(struct assay_initrd_report *r, struct assay_err *err)
{
	for (size_t i = 0; i < r->files.n; i++)
		if (S_ISREG(r->files.f[i].file->mode) &&
		    assay_modules_add(&r->modules, r->files.f[i].path, NULL, 0, err) < 0)
			return -1;
	return 0;
}

static int digest_tree(struct assay_initrd_report *r, struct assay_err *err)
{
	struct assay_str text = { 0 };
	struct assay_digests d;
	int rc = assay_initrd_mtree(&r->files, &text, err);

	if (rc == 0)
		rc = assay_digest_mem(ASSAY_BANK_BIT(ASSAY_SHA256), text.p ? text.p : "", text.len, &d, err);
	if (rc == 0)
		memcpy(r->mtree, d.d[ASSAY_SHA256], sizeof(r->mtree));
	assay_str_clear(&text);
	return rc;
}

int assay_initrd_report_make(struct assay_src *src, bool contents, struct assay_initrd_report **ret,
			     struct assay_err *err)
{
	ASSAY_AUTO(assay_initrd_report) *r = calloc(1, sizeof(*r));
	struct gathering g = { 0 };
	const struct assay_initrd_watch watch = { &g, wants, take, module_end };
	const struct assay_initrd_opts opts = { .watch = contents ? &watch : NULL };
	int rc;

	if (!r)
		return assay_fail_mem(err);
	g.modules = &r->modules;
	rc = assay_initrd_read(src, &opts, &r->initrd, err);
	free(g.p);
	if (rc < 0 || assay_initrd_files(r->initrd, &r->files, err) < 0 || digest_tree(r, err) < 0)
		return -1;
	if (!contents && add_paths(r, err) < 0)
		return -1;
	assay_modules_sort(&r->modules);
	*ret = assay_steal(&r);
	return 0;
}

void assay_initrd_report_free(struct assay_initrd_report **p)
{
	struct assay_initrd_report *r = *p;

	if (!r)
		return;
	assay_initrd_list_clear(&r->files);
	assay_modules_clear(&r->modules);
	assay_initrd_free(&r->initrd);
	free(r);
	*p = NULL;
}

/* --- JSON --------------------------------------------------------------------------------------- */

static struct assay_json *json_archives(const struct assay_initrd *in)
{
	struct assay_json *list = assay_json_array();

	for (size_t i = 0; i < in->n_archives; i++) {
		const struct assay_initrd_archive *a = &in->archives[i];
		struct assay_json *o = assay_json_object();

		assay_json_set_int(o, "offset", a->offset);
		assay_json_set_int(o, "size", a->size);
		assay_json_set_str(o, "compression", assay_codec_name(a->codec));
		assay_json_set_int(o, "unpacked", a->unpacked);
		assay_json_set_int(o, "members", a->members);
		assay_json_set_int(o, "trailers", a->trailers);
		assay_json_set_bool(o, "early", a->early);
		assay_json_append(list, o);
	}
	return list;
}

static struct assay_json *json_file(const struct assay_initrd_file *f)
{
	struct assay_json *o = assay_json_object();
	const struct assay_tree_file *file = f->file;
	char mode[8];

	snprintf(mode, sizeof(mode), "%04" PRIo32, file->mode & 07777);
	assay_json_set_str(o, "path", f->path);
	assay_json_set_str(o, "type", assay_initrd_kind(file->mode));
	assay_json_set_str(o, "mode", mode);
	assay_json_set_int(o, "uid", file->uid);
	assay_json_set_int(o, "gid", file->gid);
	assay_json_set_int(o, "mtime", file->mtime);
	if (S_ISREG(file->mode)) {
		assay_json_set_int(o, "size", file->size);
		assay_json_set_int(o, "links", file->names);
		if (f->data)
			assay_json_set(o, "sha256", assay_json_hex(f->data->sha256, 32));
	}
	if (S_ISLNK(file->mode))
		assay_json_set_str(o, "target", file->target);
	if (S_ISCHR(file->mode) || S_ISBLK(file->mode)) {
		assay_json_set_int(o, "major", file->rmajor);
		assay_json_set_int(o, "minor", file->rminor);
	}
	return o;
}

static struct assay_json *json_remark(const struct assay_initrd *in, size_t i, const char *why, size_t by)
{
	struct assay_json *o = assay_json_object();

	assay_json_set_str(o, "name", in->members[i].name);
	assay_json_set_int(o, "member", i);
	assay_json_set_int(o, "archive", in->members[i].archive);
	assay_json_set_str(o, "why", why);
	if (by != ASSAY_TREE_NONE)
		assay_json_set_int(o, "by", by);
	return o;
}

static struct assay_json *json_bootconfig(const struct assay_initrd *in)
{
	struct assay_json *o = assay_json_object();

	assay_json_set_int(o, "offset", in->bootconfig_offset);
	assay_json_set_int(o, "size", in->bootconfig_size);
	assay_json_set(o, "text",
		       assay_json_string_n(in->bootconfig, strnlen(in->bootconfig, in->bootconfig_size)));
	return o;
}

struct assay_json *assay_initrd_report_json(const struct assay_initrd_report *r, const char *release,
					    bool files)
{
	const struct assay_initrd *in = r->initrd;
	struct assay_json *o = assay_json_object();
	struct assay_json *remarks = assay_json_array();
	size_t n_remarks = 0;

	assay_json_set_int(o, "size", in->size);
	assay_json_set(o, "archives", json_archives(in));
	if (in->has_bootconfig)
		assay_json_set(o, "bootconfig", json_bootconfig(in));
	for (size_t i = 0; i < in->n_members; i++) {
		size_t by;
		const char *why = assay_initrd_fate(in, i, &by);

		if (!why)
			continue;
		n_remarks++;
		if (files)
			assay_json_append(remarks, json_remark(in, i, why, by));
	}
	struct assay_json *tree = assay_json_object();
	assay_json_set_int(tree, "files", r->files.n);
	assay_json_set(tree, "sha256", assay_json_hex(r->mtree, sizeof(r->mtree)));
	/* Members that the tree does not have as they are. */
	assay_json_set_int(tree, "overridden", n_remarks);
	assay_json_set(o, "tree", tree);
	assay_json_set(o, "modules", assay_modules_json(&r->modules, release));
	if (files) {
		struct assay_json *list = assay_json_array();

		for (size_t i = 0; i < r->files.n; i++)
			assay_json_append(list, json_file(&r->files.f[i]));
		assay_json_set(o, "files", list);
		assay_json_set(o, "overridden", remarks);
	} else {
		assay_json_free(&remarks);
	}
	return o;
}

/* --- names, for facts --------------------------------------------------------------------------- */

static bool is_utf8(const char *s)
{
	for (size_t left = strlen(s), n; left > 0; s += n, left -= n) {
		uint32_t c;

		n = assay_utf8_next(s, left, &c);
		if (n == 0)
			return false;
	}
	return true;
}

/* Bytes that JSON cannot have: U+FFFD in their place could make one name of two. */
static const char *why_no_names(const struct assay_initrd_list *list)
{
	if (list->n > ASSAY_INITRD_MAX_TOLD)
		return "too many";
	for (size_t i = 0; i < list->n; i++)
		if (!is_utf8(list->f[i].path) || (list->f[i].file->target && !is_utf8(list->f[i].file->target)))
			return "one is not UTF-8";
	return NULL;
}

static uint32_t usual_mode(uint32_t mode)
{
	return S_ISDIR(mode) ? 0755 : S_ISLNK(mode) ? 0777 : 0644;
}

static char *describe(const struct assay_initrd_file *f)
{
	static const uint8_t of_nothing[32] = {
		0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
		0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
	};
	const struct assay_tree_file *file = f->file;
	const uint32_t mode = file->mode & 07777;
	struct assay_str s = { 0 };
	char hex[65];

	if (!S_ISREG(file->mode))
		assay_str_add(&s, " %s", assay_initrd_kind(file->mode));
	if (mode != usual_mode(file->mode))
		assay_str_add(&s, " mode=%04" PRIo32, mode);
	if (file->uid)
		assay_str_add(&s, " uid=%" PRIu32, file->uid);
	if (file->gid)
		assay_str_add(&s, " gid=%" PRIu32, file->gid);
	if (S_ISREG(file->mode) && file->names > 1)
		assay_str_add(&s, " nlink=%zu", file->names);
	if (S_ISREG(file->mode))
		assay_str_add(&s, " %s", assay_hex(f->data ? f->data->sha256 : of_nothing, 32, hex));
	if (S_ISLNK(file->mode))
		assay_str_add(&s, " -> %s", file->target);
	if (S_ISCHR(file->mode) || S_ISBLK(file->mode))
		assay_str_add(&s, " device=%" PRIu32 ",%" PRIu32, file->rmajor, file->rminor);
	return assay_str_steal(&s);
}

/* A name, and the folder whose member it is; a folder is its own, as ".". */
struct place {
	const char *path, *base;
	size_t dir; /* bytes of path that are the folder's */
	const struct assay_initrd_file *f;
};

static struct place place_of(const struct assay_initrd_file *f)
{
	const char *slash = strrchr(f->path, '/');

	if (S_ISDIR(f->file->mode) && strcmp(f->path, ".") != 0)
		return (struct place){ f->path, ".", strlen(f->path), f };
	if (!slash)
		return (struct place){ f->path, f->path, 0, f };
	return (struct place){ f->path, slash + 1, (size_t)(slash - f->path), f };
}

static int by_folder(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	const int d = memcmp(x->path, y->path, x->dir < y->dir ? x->dir : y->dir);

	if (d || x->dir != y->dir)
		return d ? d : x->dir < y->dir ? -1 : 1;
	return strcmp(x->base, y->base);
}

static bool one_folder(const struct place *a, const struct place *b)
{
	return a->dir == b->dir && memcmp(a->path, b->path, a->dir) == 0;
}

static void add_folder(struct assay_json *names, const struct place *first, size_t n)
{
	ASSAY_AUTO_FREE char *dir = first->dir ? strndup(first->path, first->dir) : assay_strdup(".");
	struct assay_json *o = assay_json_object();

	for (size_t i = 0; i < n; i++) {
		ASSAY_AUTO_FREE char *what = describe(first[i].f);
		const bool top = strcmp(first[i].path, ".") == 0;

		/* The top is not in every initrd. */
		if (what && strcmp(what, " dir") == 0 && !top)
			continue;
		assay_json_set(o, first[i].base, what ? assay_json_string(what + 1) : NULL);
	}
	/* Out of memory: the folder takes its parent with it. */
	assay_json_set(names, dir ? dir : ".", dir ? o : NULL);
	if (!dir)
		assay_json_free(&o);
}

int assay_initrd_report_names(const struct assay_initrd_report *r, struct assay_json *initrd, struct assay_err *err)
{
	const size_t n = r->files.n;
	const char *why = why_no_names(&r->files);

	if (why) {
		assay_json_set_str(initrd, "names_left_out", why);
		return 0;
	}
	ASSAY_AUTO_FREE struct place *places = calloc(n + 1, sizeof(*places));
	struct assay_json *names = assay_json_object();
	if (!places) {
		assay_json_free(&names);
		return assay_fail_mem(err);
	}
	for (size_t i = 0; i < n; i++)
		places[i] = place_of(&r->files.f[i]);
	qsort(places, n, sizeof(*places), by_folder);
	for (size_t i = 0, k; i < n; i = k) {
		for (k = i + 1; k < n && one_folder(&places[i], &places[k]); k++)
			;
		add_folder(names, &places[i], k - i);
	}
	assay_json_set(initrd, "names", names);
	return 0;
}
