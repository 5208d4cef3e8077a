/* SPDX-License-Identifier: Apache-2.0 */
/* The files of an initrd's tree in order, and what became of each member. */
#include "measure/initrd/initrd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/digest.h"
#include "core/text.h"

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct assay_initrd_file *)a)->path,
		      ((const struct assay_initrd_file *)b)->path);
}

int assay_initrd_files(const struct assay_initrd *initrd, struct assay_initrd_list *ret,
		       struct assay_err *err)
{
	const struct assay_tree *t = &initrd->tree;
	struct assay_initrd_list list = { .f = calloc(t->n_names, sizeof(*list.f)) };

	if (!list.f)
		return assay_fail_mem(err);
	for (size_t i = 0; i < t->n_names; i++) {
		if (t->names[i].gone || t->names[i].member == ASSAY_TREE_NONE)
			continue;
		struct assay_initrd_file *f = &list.f[list.n];

		f->path = assay_tree_path(t, i);
		if (!f->path) {
			assay_initrd_list_clear(&list);
			return assay_fail_mem(err);
		}
		f->name = i;
		f->file = &t->files[t->names[i].file];
		if (f->file->data != ASSAY_TREE_NONE)
			f->data = &initrd->members[f->file->data];
		list.n++;
	}
	if (list.n > 0)
		qsort(list.f, list.n, sizeof(*list.f), compare_paths);
	*ret = list;
	return 0;
}

void assay_initrd_list_clear(struct assay_initrd_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->f[i].path);
	free(list->f);
	*list = (struct assay_initrd_list){ 0 };
}

const char *assay_initrd_kind(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "dir";
	case S_IFLNK:
		return "link";
	case S_IFCHR:
		return "char";
	case S_IFBLK:
		return "block";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	default:
		return "unknown";
	}
}

/* As mtree(5) has them: what is not visible, and backslash and '#', in octal. */
static void add_path(struct assay_str *s, const char *path)
{
	for (const unsigned char *p = (const unsigned char *)path; *p; p++) {
		if (*p > 0x20 && *p < 0x7f && *p != '\\' && *p != '#')
			assay_str_add_n(s, p, 1);
		else
			assay_str_add(s, "\\%03o", *p);
	}
}

int assay_initrd_mtree(const struct assay_initrd_list *list, struct assay_str *ret, struct assay_err *err)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct assay_initrd_file *f = &list->f[i];
		const struct assay_tree_file *file = f->file;
		char hex[65];

		if (strcmp(f->path, ".") != 0)
			assay_str_add(ret, "./");
		add_path(ret, f->path);
		assay_str_add(ret, " uid=%" PRIu32 " gid=%" PRIu32 " mode=0%" PRIo32 " type=%s", file->uid,
			      file->gid, file->mode & 07777, assay_initrd_kind(file->mode));
		if (S_ISREG(file->mode) && f->data)
			assay_str_add(ret, " size=%" PRIu64 " sha256=%s", file->size,
				      assay_hex(f->data->sha256, 32, hex));
		if (S_ISREG(file->mode) && file->names > 1)
			assay_str_add(ret, " nlink=%zu", file->names);
		if (S_ISLNK(file->mode)) {
			assay_str_add(ret, " link=");
			add_path(ret, file->target);
		}
		if (S_ISCHR(file->mode) || S_ISBLK(file->mode))
			assay_str_add(ret, " device=linux,%" PRIu32 ",%" PRIu32, file->rmajor, file->rminor);
		assay_str_add(ret, "\n");
	}
	return ret->bad ? assay_fail_mem(err) : 0;
}

int assay_initrd_find(const struct assay_initrd *initrd, const char *path, size_t *ret,
		      struct assay_err *err)
{
	const struct assay_tree *t = &initrd->tree;
	const size_t n = assay_tree_find(t, path);

	if (n == ASSAY_TREE_NONE)
		return assay_fail(err, ASSAY_E_NOTFOUND, ASSAY_NO_OFFSET, "%s: not in the initrd", path);
	const struct assay_tree_file *f = &t->files[t->names[n].file];
	if (!S_ISREG(f->mode))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "%s: no regular file (%s)", path,
				  assay_initrd_kind(f->mode));
	*ret = f->data;
	return 0;
}

/* A folder that comes again, as in each of several archives, is nothing to speak of. */
static bool same_folder(const struct assay_initrd_member *a, const struct assay_initrd_member *b)
{
	return S_ISDIR(a->mode) && a->mode == b->mode && a->uid == b->uid && a->gid == b->gid;
}

const char *assay_initrd_fate(const struct assay_initrd *initrd, size_t member, size_t *ret_by)
{
	const struct assay_initrd_member *m = &initrd->members[member];

	*ret_by = ASSAY_TREE_NONE;
	if (m->why)
		return m->why;
	const struct assay_tree_name *name = &initrd->tree.names[m->made];
	if (name->gone)
		return "removed for a later member";
	if (name->member == member)
		return NULL;
	*ret_by = name->member;
	return same_folder(m, &initrd->members[name->member]) ? NULL : "replaced by a later member";
}
