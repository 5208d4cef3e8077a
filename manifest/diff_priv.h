/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of a diff. Building is sticky: out of memory comes out of assay_diff_make(). */
#ifndef ASSAY_MANIFEST_DIFF_PRIV_H
#define ASSAY_MANIFEST_DIFF_PRIV_H

#include "manifest/diff.h"

/* The order in which changes are told. */
enum assay_diff_rank {
	ASSAY_DIFF_BOOT = 5,
	ASSAY_DIFF_KERNEL = 10,
	ASSAY_DIFF_CMDLINE,
	ASSAY_DIFF_VERSION, /* of stub and boot loader */
	ASSAY_DIFF_INITRD,
	ASSAY_DIFF_SECTION,
	ASSAY_DIFF_PROGRAM,
	ASSAY_DIFF_PACKAGES = 20,
	ASSAY_DIFF_CONTAINER,
	ASSAY_DIFF_FILES, /* of a filesystem */
	ASSAY_DIFF_VERITY,
	ASSAY_DIFF_CHAIN,
	ASSAY_DIFF_ESP = 30,
	ASSAY_DIFF_GPT,
	ASSAY_DIFF_DATA, /* added to the rank of what is on data disks */
	ASSAY_DIFF_OTHER_FACTS = 70,
	ASSAY_DIFF_PLATFORM,
	ASSAY_DIFF_EVENT,
	ASSAY_DIFF_UNMEASURED,
	ASSAY_DIFF_MANIFEST,
};

/* Which events a change accounts for; all of one side or the other. */
struct assay_diff_cause {
	/* Of both sides, with '\': a program or file of the ESP, borrowed from `owned`. */
	char *path[2];
	const char *section;  /* ".linux"; NULL: the file as a whole */
	bool not_whole;	      /* not in the digest of the program (its signatures) */
	bool program;	      /* no initrd of a Type 1 entry */
	bool structure;	      /* also events that only one side has */
	bool gpt;
	bool options;	      /* what the boot loader hands over, command lines included */
	const char *platform; /* the events of the platform of this name */
	unsigned root_hash_of; /* partition: it is under this root hash, and moves what it moves; 0: none */
	unsigned root_hash;    /* this is the root hash of that partition */
	bool other_events;     /* made for an event that nothing else accounts for */
};

struct assay_diff_item {
	struct assay_diff_change change; /* first: the one is the other */
	struct assay_diff_cause cause;
};

struct assay_diff_work {
	const struct assay_diff_side *sides;
	struct assay_diff *diff;
	struct assay_diff_item spare; /* written to when memory ran out */
	bool bad;
	/* While a data disk is compared: its name, and what is added to ranks. */
	const char *data_disk;
};

/* Adds a change; `what` and `text` are copied. Never NULL. */
struct assay_diff_item *assay_diff_add(struct assay_diff_work *w, int rank, const char *kind, const char *what,
				       const char *text);
void assay_diff_detail(struct assay_diff_work *w, struct assay_diff_item *item, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void assay_diff_note(struct assay_diff_work *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A path of the ESP as event sources have it, for item->cause.path[side]. */
void assay_diff_path(struct assay_diff_work *w, struct assay_diff_item *item, int side, const char *path);

/* fn for each key of the two, in order within a side; a or b is NULL where only the other has it. */
typedef void assay_diff_pair_fn(struct assay_diff_work *w, const char *key, const struct assay_json *a,
				const struct assay_json *b, void *arg);
void assay_diff_pairs(struct assay_diff_work *w, const struct assay_json *a, const struct assay_json *b,
		      assay_diff_pair_fn *fn, void *arg);

const char *assay_diff_str(const struct assay_json *o, const char *key); /* "" when it is not there */
int64_t assay_diff_int(const struct assay_json *o, const char *key);	 /* -1 */
bool assay_diff_same(const struct assay_json *a, const struct assay_json *b, const char *key);
/* The member of a list whose `key` is the same string; NULL. */
const struct assay_json *assay_diff_find(const struct assay_json *list, const char *key, const char *value);

/* diff_boot.c: programs and files of the ESP. */
void assay_diff_boot(struct assay_diff_work *w, const struct assay_json *a, const struct assay_json *b);
/* diff_initrd.c: item's text and details, out of "initrd" of the two. */
void assay_diff_initrd(struct assay_diff_work *w, const char *what, const struct assay_json *a,
		       const struct assay_json *b, struct assay_diff_item **ret);
/* diff_disk.c: partition table, filesystems and what is in them. */
int assay_diff_disk(struct assay_diff_work *w, const struct assay_json *a, const struct assay_json *b,
		    struct assay_src *const disks[2], struct assay_err *err) ASSAY_MUST;
/* diff_bytes.c: when every fact is the same. */
int assay_diff_bytes(struct assay_diff_work *w, const struct assay_json *a, const struct assay_json *b,
		     struct assay_src *const disks[2], struct assay_err *err) ASSAY_MUST;
/* diff_pcrs.c: predictions; changes get their PCRs. */
int assay_diff_pcrs(struct assay_diff_work *w, struct assay_err *err) ASSAY_MUST;

#endif
