/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/initrd/tree.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/limits.h"
#include "core/text.h"

/* The first of several names that are one file: by device and inode of the machine that made the archive. */
struct assay_tree_link {
	uint32_t ino, major, minor, kind;
	char *name;
	size_t next; /* with the same hash, + 1; 0: none */
};
#define LINK_SLOTS 4096

enum { ROOT = 0 };

/* --- names and files ---------------------------------------------------------------------------- */

static uint64_t hash_name(size_t parent, const char *s, size_t len)
{
	uint64_t h = 0xcbf29ce484222325ULL ^ parent; /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)s[i]) * 0x100000001b3ULL;
	return h ^ h >> 29;
}

static bool is_name(const struct assay_tree_name *n, size_t parent, const char *s, size_t len)
{
	return n->parent == parent && strncmp(n->name, s, len) == 0 && n->name[len] == '\0';
}

/* Names that are gone keep their place, so that they are found again when they come back. */
static size_t child(const struct assay_tree *t, size_t parent, const char *s, size_t len, bool gone_too)
{
	for (size_t i = (size_t)(hash_name(parent, s, len) % t->n_slots); t->slots[i];
	     i = (i + 1) % t->n_slots) {
		const size_t n = t->slots[i] - 1;

		if (n != ROOT && is_name(&t->names[n], parent, s, len))
			return gone_too || !t->names[n].gone ? n : ASSAY_TREE_NONE;
	}
	return ASSAY_TREE_NONE;
}

static void place(struct assay_tree *t, size_t n)
{
	const struct assay_tree_name *name = &t->names[n];
	size_t i = (size_t)(hash_name(name->parent, name->name, strlen(name->name)) % t->n_slots);

	while (t->slots[i])
		i = (i + 1) % t->n_slots;
	t->slots[i] = n + 1;
}

static int grow_slots(struct assay_tree *t, struct assay_err *err)
{
	if (t->n_slots > 2 * (t->n_names + 1))
		return 0;
	const size_t n = t->n_slots ? 2 * t->n_slots : 256;
	size_t *fresh = calloc(n, sizeof(*fresh));

	if (!fresh)
		return assay_fail_mem(err);
	free(t->slots);
	t->slots = fresh;
	t->n_slots = n;
	for (size_t i = 0; i < t->n_names; i++)
		place(t, i);
	return 0;
}

static int grow(void *array, size_t n, size_t *cap, size_t size, struct assay_err *err)
{
	void **p = array;

	if (n < *cap)
		return 0;
	const size_t want = *cap ? 2 * *cap : 64;
	void *fresh = reallocarray(*p, want, size);

	if (!fresh)
		return assay_fail_mem(err);
	*p = fresh;
	*cap = want;
	return 0;
}

static int new_file(struct assay_tree *t, const struct assay_tree_member *m, size_t *ret,
		    struct assay_err *err)
{
	if (grow(&t->files, t->n_files, &t->cap_files, sizeof(*t->files), err) < 0)
		return -1;
	struct assay_tree_file *f = &t->files[t->n_files];

	*f = (struct assay_tree_file){ .mode = m->mode,
				       .uid = m->uid,
				       .gid = m->gid,
				       .mtime = m->mtime,
				       .rmajor = m->rmajor,
				       .rminor = m->rminor,
				       .data = ASSAY_TREE_NONE };
	if (m->target && !(f->target = assay_strdup(m->target)))
		return assay_fail_mem(err);
	*ret = t->n_files++;
	return 0;
}

static int new_name(struct assay_tree *t, size_t parent, const char *s, size_t len, size_t file,
		    size_t *ret, struct assay_err *err)
{
	size_t n;

	if (grow_slots(t, err) < 0)
		return -1;
	n = child(t, parent, s, len, true);
	if (n == ASSAY_TREE_NONE) {
		if (grow(&t->names, t->n_names, &t->cap_names, sizeof(*t->names), err) < 0)
			return -1;
		char *copy = strndup(s, len);

		if (!copy)
			return assay_fail_mem(err);
		n = t->n_names++;
		t->names[n] = (struct assay_tree_name){ .parent = parent, .name = copy };
		place(t, n);
	}
	t->names[n].gone = false;
	t->names[n].file = file;
	t->names[n].children = 0;
	t->names[n].member = ASSAY_TREE_NONE;
	t->files[file].names++;
	if (n != ROOT)
		t->names[parent].children++;
	*ret = n;
	return 0;
}

/* unlink() or rmdir(); false when it is a folder with something in it. */
static bool take_away(struct assay_tree *t, size_t n)
{
	struct assay_tree_name *name = &t->names[n];

	if (name->children > 0 || n == ROOT)
		return false;
	name->gone = true;
	t->files[name->file].names--;
	t->names[name->parent].children--;
	return true;
}

static struct assay_tree_file *file_of(const struct assay_tree *t, size_t name)
{
	return &t->files[t->names[name].file];
}

/* --- paths -------------------------------------------------------------------------------------- */

struct walk {
	const struct assay_tree *t;
	struct assay_str rest; /* what is still to go, when a link has put itself in front */
	unsigned links;
};

static const char no_folder[] = "there is no folder for it";
static const char in_file[] = "what should be its folder is none";
static const char too_many[] = "too many symbolic links on its way";

/* A link's target goes in front of what is left. *path then lies in w->rest. */
static int through_link(struct walk *w, const char *target, const char **path, const char **ret_why,
			struct assay_err *err)
{
	struct assay_str joined = { 0 };

	if (++w->links > ASSAY_FS_MAX_LINKS) {
		*ret_why = too_many;
		return 0;
	}
	assay_str_add(&joined, "%s/%s", target, *path);
	assay_str_clear(&w->rest);
	w->rest = joined;
	if (joined.bad)
		return assay_fail_mem(err);
	*path = w->rest.p;
	return 0;
}

/*
 * Goes along `path` from the root, up to its last component and through links there too if `follow`.
 * *ret_dir is the folder, *ret_last and *ret_len the component: none for the root or a path that ends in "..".
 */
static int walk(struct walk *w, const char *path, bool follow, size_t *ret_dir, const char **ret_last,
		size_t *ret_len, const char **ret_why, struct assay_err *err)
{
	const struct assay_tree *t = w->t;
	size_t at = ROOT;

	*ret_why = NULL;
	for (;;) {
		if (*path == '/' && path == w->rest.p)
			at = ROOT; /* an absolute target */
		path += strspn(path, "/");
		const size_t len = strcspn(path, "/");
		const char *next = path + len;
		const bool last = next[strspn(next, "/")] == '\0';
		size_t n;

		if (len == 0) {
			*ret_dir = at;
			*ret_last = NULL;
			*ret_len = 0;
			return 0;
		}
		if (!S_ISDIR(file_of(t, at)->mode)) {
			*ret_why = in_file;
			return 0;
		}
		if ((len == 1 && path[0] == '.') || (len == 2 && path[0] == '.' && path[1] == '.')) {
			if (len == 2)
				at = t->names[at].parent;
			path = next;
			continue;
		}
		n = child(t, at, path, len, false);
		if (last && !(follow && n != ASSAY_TREE_NONE && S_ISLNK(file_of(t, n)->mode))) {
			*ret_dir = at;
			*ret_last = path;
			*ret_len = len;
			return 0;
		}
		if (n == ASSAY_TREE_NONE) {
			*ret_why = no_folder;
			return 0;
		}
		path = next;
		if (S_ISLNK(file_of(t, n)->mode)) {
			if (through_link(w, file_of(t, n)->target, &path, ret_why, err) < 0)
				return -1;
			if (*ret_why)
				return 0;
		} else {
			at = n;
		}
	}
}

size_t assay_tree_find(const struct assay_tree *t, const char *path)
{
	struct walk w = { .t = t };
	size_t dir = ROOT, len = 0, n = ASSAY_TREE_NONE;
	const char *last = NULL, *why = NULL;

	if (walk(&w, path, true, &dir, &last, &len, &why, NULL) == 0 && !why)
		n = last ? child(t, dir, last, len, false) : dir;
	assay_str_clear(&w.rest);
	return n;
}

char *assay_tree_path(const struct assay_tree *t, size_t name)
{
	size_t len = 0;

	if (name == ROOT)
		return assay_strdup(".");
	for (size_t n = name; n != ROOT; n = t->names[n].parent)
		len += strlen(t->names[n].name) + 1;
	char *path = malloc(len);

	if (!path)
		return NULL;
	path[--len] = '\0';
	for (size_t n = name; n != ROOT; n = t->names[n].parent) {
		const size_t part = strlen(t->names[n].name);

		len -= part;
		memcpy(path + len, t->names[n].name, part);
		if (len > 0)
			path[--len] = '/';
	}
	return path;
}

/* --- what a member does ------------------------------------------------------------------------- */

struct adding {
	struct assay_tree *t;
	const struct assay_tree_member *m;
	size_t index;
	size_t dir;
	const char *last;
	size_t len;
	size_t there; /* the name that has this path already */
};

static bool same_kind(uint32_t a, uint32_t b)
{
	return ((a ^ b) & S_IFMT) == 0;
}

/* clean_path(): what is of another kind goes, as far as it can. mode 0: whatever it is. */
static void clean(struct adding *a, uint32_t mode)
{
	if (a->there == ASSAY_TREE_NONE || same_kind(file_of(a->t, a->there)->mode, mode))
		return;
	if (take_away(a->t, a->there))
		a->there = ASSAY_TREE_NONE;
}

static void set_owner(struct adding *a, size_t name, bool mode_too)
{
	struct assay_tree_file *f = file_of(a->t, name);

	f->uid = a->m->uid;
	f->gid = a->m->gid;
	if (mode_too)
		f->mode = (f->mode & S_IFMT) | (a->m->mode & ~(uint32_t)S_IFMT);
}

static size_t link_slot(const struct assay_tree_member *m)
{
	const uint32_t words[] = { m->ino, m->major, m->minor };

	return (size_t)(hash_name(m->mode & S_IFMT, (const char *)words, sizeof(words)) % LINK_SLOTS);
}

/* The first name of this device, inode and kind; NULL: this is the first, and noted. */
static int find_link(struct adding *a, const char **ret, struct assay_err *err)
{
	struct assay_tree *t = a->t;
	const struct assay_tree_member *m = a->m;
	size_t *slot;

	*ret = NULL;
	if (!t->link_slots && !(t->link_slots = calloc(LINK_SLOTS, sizeof(*t->link_slots))))
		return assay_fail_mem(err);
	slot = &t->link_slots[link_slot(m)];
	for (size_t i = *slot; i; i = t->links[i - 1].next) {
		const struct assay_tree_link *l = &t->links[i - 1];

		if (l->ino == m->ino && l->major == m->major && l->minor == m->minor &&
		    same_kind(l->kind, m->mode)) {
			*ret = l->name;
			return 0;
		}
	}
	if (grow(&t->links, t->n_links, &t->cap_links, sizeof(*t->links), err) < 0)
		return -1;
	char *copy = assay_strdup(m->name);

	if (!copy)
		return assay_fail_mem(err);
	t->links[t->n_links] = (struct assay_tree_link){ m->ino, m->major, m->minor, m->mode & S_IFMT,
							 copy, *slot };
	*slot = ++t->n_links;
	return 0;
}

/* The name that `path` is, itself and not what a link there leads to. */
static int find_exact(struct assay_tree *t, const char *path, size_t *ret, struct assay_err *err)
{
	struct walk w = { .t = t };
	const char *last, *why;
	size_t dir, len;
	const int rc = walk(&w, path, false, &dir, &last, &len, &why, err);

	*ret = rc == 0 && !why && last ? child(t, dir, last, len, false) : ASSAY_TREE_NONE;
	assay_str_clear(&w.rest);
	return rc;
}

enum linked { NOT_LINKED, LINKED, LINK_LOST };

/* maybe_link() */
static int maybe_link(struct adding *a, enum linked *ret, const char **ret_why, struct assay_err *err)
{
	const char *old;
	size_t from;

	*ret = NOT_LINKED;
	if (a->m->nlink < 2)
		return 0;
	if (find_link(a, &old, err) < 0)
		return -1;
	if (!old)
		return 0;
	clean(a, 0);
	if (find_exact(a->t, old, &from, err) < 0)
		return -1;
	*ret = LINK_LOST;
	if (from == ASSAY_TREE_NONE || S_ISDIR(file_of(a->t, from)->mode))
		*ret_why = "what it is a hard link to is gone";
	else if (a->there != ASSAY_TREE_NONE)
		*ret_why = "a folder that is not empty has its name";
	else
		*ret = LINKED;
	if (*ret != LINKED)
		return 0;
	return new_name(a->t, a->dir, a->last, a->len, a->t->names[from].file, &a->there, err);
}

static int make(struct adding *a, struct assay_err *err)
{
	size_t file;

	if (new_file(a->t, a->m, &file, err) < 0)
		return -1;
	return new_name(a->t, a->dir, a->last, a->len, file, &a->there, err);
}

static int add_regular(struct adding *a, const char **ret_why, struct assay_err *err)
{
	enum linked linked;

	clean(a, a->m->mode);
	if (maybe_link(a, &linked, ret_why, err) < 0)
		return -1;
	if (linked == LINK_LOST)
		return 0;
	if (a->there == ASSAY_TREE_NONE) {
		if (make(a, err) < 0)
			return -1;
	} else if (S_ISDIR(file_of(a->t, a->there)->mode)) {
		*ret_why = "a folder that is not empty has its name";
		return 0;
	}
	struct assay_tree_file *f = file_of(a->t, a->there);

	set_owner(a, a->there, true);
	f->mtime = a->m->mtime;
	if (linked == NOT_LINKED || a->m->size > 0) {
		f->size = a->m->size;
		f->data = a->index;
	}
	return 0;
}

static int add_folder(struct adding *a, struct assay_err *err)
{
	clean(a, a->m->mode);
	if (a->there == ASSAY_TREE_NONE)
		return make(a, err);
	/* Its time stays: the kernel sets those of folders last, in reverse order. */
	set_owner(a, a->there, true);
	return 0;
}

static int add_node(struct adding *a, const char **ret_why, struct assay_err *err)
{
	enum linked linked;

	clean(a, a->m->mode);
	if (maybe_link(a, &linked, ret_why, err) < 0)
		return -1;
	if (linked != NOT_LINKED)
		return 0;
	if (a->there == ASSAY_TREE_NONE)
		return make(a, err);
	/* mknod() finds that it is there, and which device it is stays; the rest is set all the same. */
	set_owner(a, a->there, true);
	file_of(a->t, a->there)->mtime = a->m->mtime;
	if (!same_kind(file_of(a->t, a->there)->mode, a->m->mode))
		*ret_why = "a folder that is not empty has its name, and gets its mode and owner";
	else if (!S_ISFIFO(a->m->mode) && !S_ISSOCK(a->m->mode) &&
		 (file_of(a->t, a->there)->rmajor != a->m->rmajor ||
		  file_of(a->t, a->there)->rminor != a->m->rminor))
		*ret_why = "another device has its name, and stays";
	return 0;
}

static int add_symlink(struct adding *a, const char **ret_why, struct assay_err *err)
{
	clean(a, 0);
	if (a->there == ASSAY_TREE_NONE)
		return make(a, err);
	set_owner(a, a->there, false);
	*ret_why = "a folder that is not empty has its name, and gets its owner";
	return 0;
}

static bool has_dotdot(const char *name)
{
	for (const char *p = name; *p;) {
		const size_t len = strcspn(p, "/");

		if (len == 2 && p[0] == '.' && p[1] == '.')
			return true;
		p += len;
		p += strspn(p, "/");
	}
	return false;
}

static int add_at(struct adding *a, const char **ret_why, struct assay_err *err)
{
	const uint32_t mode = a->m->mode;

	if (!a->last) {
		/* The root, or a path that ends in a slash and leads to it. */
		a->there = a->dir;
		if (S_ISDIR(mode))
			set_owner(a, a->there, true);
		else
			*ret_why = "the root folder has its name";
		return 0;
	}
	a->there = child(a->t, a->dir, a->last, a->len, false);
	if (a->last[a->len] == '/' &&
	    (!S_ISDIR(mode) || (a->there != ASSAY_TREE_NONE && S_ISLNK(file_of(a->t, a->there)->mode))))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "a name that ends in a slash and is no folder's");
	if (S_ISREG(mode))
		return add_regular(a, ret_why, err);
	if (S_ISDIR(mode))
		return add_folder(a, err);
	if (S_ISLNK(mode))
		return add_symlink(a, ret_why, err);
	if (S_ISBLK(mode) || S_ISCHR(mode) || S_ISFIFO(mode) || S_ISSOCK(mode))
		return add_node(a, ret_why, err);
	clean(a, mode);
	*ret_why = "its mode is of no kind of file";
	return 0;
}

int assay_tree_add(struct assay_tree *t, const struct assay_tree_member *m, size_t index,
		   size_t *ret_name, const char **ret_why, struct assay_err *err)
{
	struct adding a = { .t = t, .m = m, .index = index, .there = ASSAY_TREE_NONE };
	struct walk w = { .t = t };
	int rc;

	*ret_name = ASSAY_TREE_NONE;
	if (has_dotdot(m->name))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "a name with \"..\" in it");
	if ((S_ISCHR(m->mode) || S_ISBLK(m->mode)) && (m->rmajor > 0xfff || m->rminor > 0xfffff))
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "a device number that does not fit into 12 and 20 bits");
	if (m->uid == UINT32_MAX || m->gid == UINT32_MAX)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET,
				  "an owner of -1, which the kernel does not set");
	if (!m->name[0]) {
		*ret_why = "its name is empty";
		return 0;
	}
	rc = walk(&w, m->name, false, &a.dir, &a.last, &a.len, ret_why, err);
	if (rc == 0 && !*ret_why)
		rc = add_at(&a, ret_why, err);
	if (rc == 0 && !*ret_why) {
		*ret_name = a.there;
		t->names[a.there].member = index;
	}
	assay_str_clear(&w.rest);
	return rc;
}

static void clear_links(struct assay_tree *t)
{
	for (size_t i = 0; i < t->n_links; i++)
		free(t->links[i].name);
	t->n_links = 0;
	if (t->link_slots)
		memset(t->link_slots, 0, LINK_SLOTS * sizeof(*t->link_slots));
}

void assay_tree_trailer(struct assay_tree *t)
{
	clear_links(t);
}

/* usr/default_cpio_list of the kernel's sources */
static const struct assay_tree_member own[] = {
	{ .name = "dev", .mode = S_IFDIR | 0755 },
	{ .name = "dev/console", .mode = S_IFCHR | 0600, .rmajor = 5, .rminor = 1 },
	{ .name = "root", .mode = S_IFDIR | 0700 },
};

int assay_tree_init(struct assay_tree *t, struct assay_err *err)
{
	static const struct assay_tree_member root = { .name = "", .mode = S_IFDIR | 0755 };
	size_t file, name;
	const char *why;

	memset(t, 0, sizeof(*t));
	if (new_file(t, &root, &file, err) < 0 || new_name(t, ROOT, "", 0, file, &name, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (assay_tree_add(t, &own[i], ASSAY_TREE_NONE, &name, &why, err) < 0)
			return -1;
	return 0;
}

void assay_tree_clear(struct assay_tree *t)
{
	for (size_t i = 0; i < t->n_names; i++)
		free(t->names[i].name);
	for (size_t i = 0; i < t->n_files; i++)
		free(t->files[i].target);
	clear_links(t);
	free(t->names);
	free(t->files);
	free(t->links);
	free(t->link_slots);
	free(t->slots);
	memset(t, 0, sizeof(*t));
}
