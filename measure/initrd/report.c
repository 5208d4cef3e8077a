/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/initrd/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/limits.h"

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
