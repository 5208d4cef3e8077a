/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filesystems: one ops row for each, over a source (a partition's slice, or anything else).
 * Paths are absolute with '/'. A file is a source made of its extents: no copy is made.
 */
#ifndef ASSAY_MEASURE_FS_FS_H
#define ASSAY_MEASURE_FS_FS_H

#include <stdbool.h>

#include "core/src.h"

struct assay_fs;
struct assay_fs_layout;

enum assay_fs_kind {
	ASSAY_FS_FILE,
	ASSAY_FS_DIR,
	ASSAY_FS_SYMLINK,
	ASSAY_FS_OTHER, /* devices, pipes, sockets */
};

struct assay_dirent {
	char *name; /* as on the disk: UTF-8 in FAT, any bytes but NUL and '/' elsewhere */
	enum assay_fs_kind kind;
	uint64_t size; /* of a file, where the directory is enough to know it (FAT); else 0 */
	uint64_t node; /* filesystems with nodes: what the name leads to */
};

struct assay_dir {
	struct assay_dirent *e; /* in the order of the disk, without "." and ".." */
	size_t n;
};

/* What lies under a path. FAT knows kind and size alone; the rest is 0 then. */
struct assay_fs_stat {
	enum assay_fs_kind kind;
	uint64_t size;	/* bytes; of a directory 0 */
	uint32_t mode;	/* type and permissions, as st_mode */
	uint32_t uid, gid;
	int64_t mtime;	/* seconds since 1970 */
	uint32_t mtime_nsec;
	uint32_t links; /* names that lead to it */
	uint32_t major, minor; /* of a device */
	uint64_t inode; /* its number, which hard links share */
};

/*
 * Filesystems whose names lead to nodes (inodes), each with a number of the row's own choice. A row looks at one node
 * at a time; paths, symbolic links and ".." are path.c's.
 */
struct assay_fs_nodes {
	uint64_t (*root)(const void *fs);
	int (*stat)(void *fs, uint64_t node, struct assay_fs_stat *ret, struct assay_err *err);
	/* Of a directory, with each entry's kind and node. */
	int (*list)(void *fs, uint64_t node, struct assay_dir *ret, struct assay_err *err);
	/* ASSAY_E_NOTFOUND. NULL: found by list. */
	int (*lookup)(void *fs, uint64_t dir, const char *name, uint64_t *ret, struct assay_err *err);
	/* Of a symbolic link: its target, NUL-terminated, fresh memory. */
	int (*readlink)(void *fs, uint64_t node, char **ret, struct assay_err *err);
	/* Of a file. The source keeps alive what it needs of fs. */
	int (*open)(void *fs, uint64_t node, struct assay_src **ret, struct assay_err *err);
	/* Of a file: where its bytes lie in the filesystem's source, packed or not; fresh memory. Blocks that it
	 * shares with others (fragments) are among them. */
	int (*extents)(void *fs, uint64_t node, struct assay_extent **ret, size_t *ret_n,
		       struct assay_err *err);
};

struct assay_fs_ops {
	const char *name; /* "vfat" */
	/* Does it look like one? Looks at magic bytes only. */
	bool (*probe)(struct assay_src *src);
	int (*open)(struct assay_src *src, void **ret, struct assay_err *err);
	const char *(*label)(const void *fs); /* "FAT32" */
	void (*free)(void *fs);
	/* For a map (map.h): where the filesystem's own structures lie, by assay_fs_layout_add(). Files need not be
	 * left out. NULL: nothing is known of them. */
	int (*layout)(void *fs, struct assay_fs_layout *to, struct assay_err *err);
	/* Either this, */
	const struct assay_fs_nodes *nodes;
	/* or these two. `ret_path`, when not NULL: the path as spelled on the disk; fresh memory. */
	int (*list)(void *fs, const char *path, struct assay_dir *ret, struct assay_err *err);
	int (*file)(void *fs, const char *path, struct assay_src **ret, char **ret_path,
		    struct assay_err *err);
};

extern const struct assay_fs_ops assay_fat_ops;
extern const struct assay_fs_ops assay_erofs_ops;
extern const struct assay_fs_ops assay_squashfs_ops;
extern const struct assay_fs_ops assay_ext4_ops;

/*
 * Finds the row that knows these bytes; ASSAY_E_UNSUPPORTED names what it is when we can tell
 * (LUKS, NTFS, exFAT, …), "unknown filesystem" otherwise. Bytes that two formats would take are refused too.
 */
int assay_fs_open(struct assay_src *src, struct assay_fs **ret, struct assay_err *err) ASSAY_MUST;
/* What firmware and boot loaders read: FAT, and nothing else. */
int assay_fs_open_fat(struct assay_src *src, struct assay_fs **ret, struct assay_err *err) ASSAY_MUST;
/* Do these bytes start like what a row knows? */
bool assay_fs_probe(struct assay_src *src);
void assay_fs_free(struct assay_fs **fs);
ASSAY_DEFINE_AUTO(assay_fs)
const char *assay_fs_name(const struct assay_fs *fs); /* "FAT32" */
/* Do its names lead to nodes, which have owners, modes and times, and may be symbolic links? */
bool assay_fs_has_nodes(const struct assay_fs *fs);
/* Of a node that a listing or a walk gave. */
int assay_fs_node_stat(struct assay_fs *fs, uint64_t node, struct assay_fs_stat *ret,
		       struct assay_err *err) ASSAY_MUST;
int assay_fs_node_readlink(struct assay_fs *fs, uint64_t node, char **ret,
			   struct assay_err *err) ASSAY_MUST;

/*
 * Symbolic links on the way are followed, inside the filesystem only: an absolute target starts at its root, and ".."
 * does not leave that. ASSAY_E_NOTFOUND when a component is missing or is not a directory, ASSAY_E_LIMIT after
 * ASSAY_FS_MAX_LINKS links. `ret_path`, when not NULL: the path without links, as spelled on the disk; fresh memory.
 */
int assay_fs_list(struct assay_fs *fs, const char *path, struct assay_dir *ret,
		  struct assay_err *err) ASSAY_MUST;
void assay_dir_clear(struct assay_dir *dir);
int assay_fs_file(struct assay_fs *fs, const char *path, struct assay_src **ret, char **ret_path,
		  struct assay_err *err) ASSAY_MUST;
/* The last component itself is not followed. */
int assay_fs_lstat(struct assay_fs *fs, const char *path, struct assay_fs_stat *ret,
		   struct assay_err *err) ASSAY_MUST;
int assay_fs_readlink(struct assay_fs *fs, const char *path, char **ret,
		      struct assay_err *err) ASSAY_MUST;

#endif
