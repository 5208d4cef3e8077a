/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of files that Linux makes out of an initrd's members, one after another: what each of them
 * does to what is there already (init/initramfs.c: do_name(), clean_path(), maybe_link(),
 * do_symlink()). Paths go through symbolic links that earlier members made; members can take each
 * other's place, share their data, or come to nothing.
 */
#ifndef ASSAY_MEASURE_INITRD_TREE_H
#define ASSAY_MEASURE_INITRD_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

#define ASSAY_TREE_NONE SIZE_MAX

/* What a member brings; a borrowed view. */
struct assay_tree_member {
	const char *name;
	const char *target; /* of a symbolic link */
	uint32_t mode, uid, gid, mtime, size;
	uint32_t ino, major, minor, nlink;
	uint32_t rmajor, rminor;
};

/* A file, whatever its kind; hard links are names of the same one. */
struct assay_tree_file {
	uint32_t mode, uid, gid, mtime;
	uint64_t size;	       /* of a regular one */
	uint32_t rmajor, rminor;
	size_t data;	       /* the member whose data it has; ASSAY_TREE_NONE: none yet, it is empty */
	char *target;
	size_t names;	       /* how many lead to it */
};

struct assay_tree_name {
	size_t parent; /* index of another name; the root is its own */
	char *name;    /* one component */
	size_t file;
	size_t member; /* the last that made or changed it; ASSAY_TREE_NONE: the kernel's own */
	size_t children;
	bool gone;
};

struct assay_tree {
	struct assay_tree_name *names; /* names[0] is the root */
	size_t n_names, cap_names;
	struct assay_tree_file *files;
	size_t n_files, cap_files;
	struct assay_tree_link *links; /* since the last trailer */
	size_t n_links, cap_links;
	size_t *link_slots;
	size_t *slots; /* hash table of names; 0: free, else index + 1 */
	size_t n_slots;
};

/* With what a kernel has in its own initramfs unless it is built with another: /dev, /dev/console, /root. */
int assay_tree_init(struct assay_tree *t, struct assay_err *err) ASSAY_MUST;
void assay_tree_clear(struct assay_tree *t);

/*
 * Member number `index` comes. *ret_why is NULL when it was made, else says why nothing came of it
 * (static text), or that not all came of it; *ret_name is what it made, or ASSAY_TREE_NONE.
 * ASSAY_E_UNSUPPORTED for names with "..", which depend on what is there.
 */
int assay_tree_add(struct assay_tree *t, const struct assay_tree_member *m, size_t index,
		   size_t *ret_name, const char **ret_why, struct assay_err *err) ASSAY_MUST;
/* "TRAILER!!!": hard links do not reach over it. */
void assay_tree_trailer(struct assay_tree *t);

/* The path of a name without a leading '/', in fresh memory; "." for the root. */
char *assay_tree_path(const struct assay_tree *t, size_t name);
/* The name that a path leads to, through symbolic links on the way and at its end; ASSAY_TREE_NONE. */
size_t assay_tree_find(const struct assay_tree *t, const char *path);

#endif
