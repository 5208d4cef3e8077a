/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An initrd as Linux unpacks it: cpio archives one after another, each plain or compressed, zeros
 * between them (init/initramfs.c, unpack_to_rootfs()). Read front to back once; memory depends on the
 * number of members, not on their sizes. What the kernel would stop at, or take in part, is refused by name.
 */
#ifndef ASSAY_MEASURE_INITRD_INITRD_H
#define ASSAY_MEASURE_INITRD_INITRD_H

#include "core/text.h"
#include "core/src.h"
#include "core/text.h"
#include "measure/initrd/tree.h"
#include "measure/unpack/unpack.h"

/* One compressed stream, or one plain archive up to its trailer. */
struct assay_initrd_archive {
	uint64_t offset; /* in the initrd */
	uint64_t size;	 /* there, without the zeros behind it */
	enum assay_codec codec;
	uint64_t unpacked;
	size_t members; /* trailers not counted */
	size_t trailers;
	/*
	 * The kernel looks for microcode and ACPI tables in what lies plain at the begin, long before it
	 * unpacks anything (lib/earlycpio.c): this archive has some.
	 */
	bool early;
};

struct assay_initrd_member {
	char *name;   /* as in the archive */
	char *target; /* of a symbolic link, else NULL */
	uint32_t mode, uid, gid, mtime, size, nlink;
	uint32_t ino, major, minor, rmajor, rminor;
	size_t archive;
	size_t made;	 /* the name of the tree that it made, or ASSAY_TREE_NONE */
	const char *why; /* why nothing, or not all, came of it; NULL */
	uint8_t sha256[32]; /* of the data of a regular file */
};

struct assay_initrd {
	uint64_t size; /* of all, bootconfig included */
	struct assay_initrd_archive *archives;
	size_t n_archives, cap_archives;
	struct assay_initrd_member *members;
	size_t n_members, cap_members;
	uint64_t unpacked; /* of all archives */
	size_t names_len;  /* bytes of names and targets */
	struct assay_tree tree;
	/* Documentation/admin-guide/bootconfig.rst: text behind the archives, which the kernel cuts off
	 * and may take for more command line. */
	bool has_bootconfig;
	uint64_t bootconfig_offset, bootconfig_size;
	char *bootconfig;
};

/* Contents as they come by, for those who want some of them. */
struct assay_initrd_watch {
	void *arg;
	bool (*wants)(void *arg, size_t index, const struct assay_initrd_member *m);
	int (*data)(void *arg, size_t index, const uint8_t *p, size_t n, struct assay_err *err);
	int (*end)(void *arg, size_t index, const struct assay_initrd_member *m, struct assay_err *err);
};

struct assay_initrd_opts {
	uint64_t max_unpacked; /* 0: ASSAY_INITRD_MAX_UNPACKED */
	bool no_digests;       /* sha256 stays zero */
	const struct assay_initrd_watch *watch; /* may be NULL */
};

int assay_initrd_read(struct assay_src *src, const struct assay_initrd_opts *opts,
		      struct assay_initrd **ret, struct assay_err *err) ASSAY_MUST;
void assay_initrd_free(struct assay_initrd **initrd);
ASSAY_DEFINE_AUTO(assay_initrd)

/* Does this begin as an initrd does: with a cpio header, plain or unpacked by what the kernel knows? */
bool assay_initrd_detect(struct assay_src *src);

/* --- the tree as a list ---- */

struct assay_initrd_file {
	char *path; /* "usr/bin/sh"; "." for the root */
	size_t name; /* of the tree */
	const struct assay_tree_file *file;
	/* whose data and digest it has; NULL: no regular file, or an empty one that was made so */
	const struct assay_initrd_member *data;
};
struct assay_initrd_list {
	struct assay_initrd_file *f; /* sorted by path, bytewise */
	size_t n;
};
/* All that the archives made; what the kernel has of its own is left out. */
int assay_initrd_files(const struct assay_initrd *initrd, struct assay_initrd_list *ret,
		       struct assay_err *err) ASSAY_MUST;
void assay_initrd_list_clear(struct assay_initrd_list *list);
/* "file", "dir", "link", "char", "block", "fifo", "socket": mtree(5)'s words. */
const char *assay_initrd_kind(uint32_t mode);
/*
 * One line for each file, in the form of mtree(5): path, uid, gid, mode, type, and size with digest,
 * link or device. Times are left out: not every kernel keeps them.
 */
int assay_initrd_mtree(const struct assay_initrd_list *list, struct assay_str *ret,
		       struct assay_err *err) ASSAY_MUST;

/*
 * The member that a path's data come from: through links, as a program in the initrd would find it.
 * ASSAY_E_NOTFOUND; ASSAY_E_UNSUPPORTED when it is no regular file. *ret is ASSAY_TREE_NONE for one without data.
 */
int assay_initrd_find(const struct assay_initrd *initrd, const char *path, size_t *ret,
		      struct assay_err *err) ASSAY_MUST;

/*
 * What became of a member: NULL when the tree has what it brought; else its `why`, or that another
 * took its place, which *ret_by then tells (ASSAY_TREE_NONE: none did, it went with its folder).
 */
const char *assay_initrd_fate(const struct assay_initrd *initrd, size_t member, size_t *ret_by);

#endif
