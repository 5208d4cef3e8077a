/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpio archives as Linux unpacks an initrd: new ASCII format (070701) and the same with checksums
 * (070702), Documentation/driver-api/early-userspace/buffer-format.rst and init/initramfs.c. Bytes
 * are pushed in as they come; no member is held in memory.
 */
#ifndef ASSAY_MEASURE_INITRD_CPIO_H
#define ASSAY_MEASURE_INITRD_CPIO_H

#include <stdbool.h>

#include "core/cur.h"
#include "core/limits.h"

#define ASSAY_CPIO_HEADER 110
#define ASSAY_CPIO_TRAILER "TRAILER!!!"

struct assay_cpio_header {
	bool summed; /* 070702: `check` is the sum of the data's bytes */
	uint32_t ino, mode, uid, gid, nlink, mtime, size;
	uint32_t major, minor;	 /* of the device that it was archived from */
	uint32_t rmajor, rminor; /* that a device node stands for */
	uint32_t name_size;	 /* with its NUL */
	uint32_t check;
};

/* One header. Fields must be eight hex digits each; the kernel would read on over others. */
int assay_cpio_parse_header(struct assay_cur in, struct assay_cpio_header *ret,
			    struct assay_err *err) ASSAY_MUST;

struct assay_cpio_sink {
	void *arg;
	/*
	 * A member; `target` is a symbolic link's, else NULL. Both are borrowed. `at`: where its
	 * header begins, counted from the begin of these bytes. Trailers are members too.
	 */
	int (*begin)(void *arg, const struct assay_cpio_header *h, const char *name, const char *target,
		     uint64_t at, struct assay_err *err);
	int (*data)(void *arg, const uint8_t *p, size_t n, struct assay_err *err); /* of a regular file */
	int (*end)(void *arg, struct assay_err *err);
};

enum assay_cpio_state {
	ASSAY_CPIO_BETWEEN, /* members: zeros, or a header, or something that is not ours */
	ASSAY_CPIO_IN_HEADER,
	ASSAY_CPIO_IN_NAME,
	ASSAY_CPIO_IN_TARGET,
	ASSAY_CPIO_IN_DATA,
	ASSAY_CPIO_IN_PADDING,
};

struct assay_cpio {
	struct assay_cpio_sink sink;
	enum assay_cpio_state state;
	bool fresh; /* no member yet: the kernel then wants a header and no zeros in front of it */
	uint64_t pos; /* in these bytes */
	uint64_t member_at;
	struct assay_cpio_header h;
	uint32_t left; /* of the part that `state` names */
	uint32_t sum;
	size_t have; /* bytes in buf */
	char name[ASSAY_CPIO_MAX_NAME + 4];
	uint8_t buf[ASSAY_CPIO_MAX_NAME + 4]; /* header, or a link's target */
};

void assay_cpio_init(struct assay_cpio *c, const struct assay_cpio_sink *sink);
/* The bytes that come now count from 0 again: they are of another stream. */
void assay_cpio_restart(struct assay_cpio *c);
/*
 * Takes bytes until they are used up or one between members is neither a zero nor '0'; *ret_used
 * tells. In errors `at` counts as pos does; a sink's own pass through.
 */
int assay_cpio_feed(struct assay_cpio *c, const uint8_t *p, size_t n, size_t *ret_used,
		    struct assay_err *err) ASSAY_MUST;
/* No more bytes: ASSAY_E_CORRUPT inside a member. */
int assay_cpio_finish(const struct assay_cpio *c, struct assay_err *err) ASSAY_MUST;

#endif
