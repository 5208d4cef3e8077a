/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel modules and the kernel that they are for: by the folder they lie in (lib/modules/RELEASE),
 * and by the vermagic that each carries in its ELF section .modinfo (scripts/mod/modpost.c).
 */
#ifndef ASSAY_MEASURE_INITRD_MODULES_H
#define ASSAY_MEASURE_INITRD_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/json.h"

struct assay_module_release {
	char *release;	/* of the folder: "6.12.48+deb13-amd64" */
	size_t modules;
	size_t checked; /* whose vermagic was read */
	/* of those, the ones that are for another release than the folder's: how many, and the first */
	size_t others;
	char *other_path, *other_vermagic;
	size_t unreadable;
	char *unreadable_path, *unreadable_why;
};
struct assay_modules {
	struct assay_module_release *r; /* sorted by release once assay_modules_sort() ran */
	size_t n;
};

/* Is this the path of a module, "[usr/]lib/modules/RELEASE/….ko[.gz|.xz|.zst]"? Where its release stands, and how long. */
bool assay_module_path(const char *path, const char **ret_release, size_t *ret_len);

/* A module by its path; others are let be. Its content, when it is not NULL, may be packed. */
int assay_modules_add(struct assay_modules *m, const char *path, const void *content, size_t len,
		      struct assay_err *err) ASSAY_MUST;
void assay_modules_sort(struct assay_modules *m);
void assay_modules_clear(struct assay_modules *m);

/* "vermagic=" of a module's .modinfo, in fresh memory. ELF, not packed. ASSAY_E_NOTFOUND when there is none. */
int assay_module_vermagic(const void *p, size_t len, char **ret, struct assay_err *err) ASSAY_MUST;

enum assay_modules_verdict {
	ASSAY_MODULES_NONE,    /* there are none */
	ASSAY_MODULES_UNKNOWN, /* the kernel's release is not known */
	ASSAY_MODULES_MATCH,
	ASSAY_MODULES_MISMATCH,
};
const char *assay_modules_verdict_name(enum assay_modules_verdict v); /* "match" */
/*
 * Are there modules of this kernel's release (NULL: not known), and none that carries another one's vermagic?
 * *ret_why says what is wrong, in fresh memory, else NULL.
 */
int assay_modules_check(const struct assay_modules *m, const char *release,
			enum assay_modules_verdict *ret, char **ret_why, struct assay_err *err) ASSAY_MUST;
/* {"verdict", "reason", "releases": […]} */
struct assay_json *assay_modules_json(const struct assay_modules *m, const char *release);

#endif
