/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML in and out: a tree of scalars, sequences and mappings, each node with its place in the file.
 *
 * One document, no anchors or aliases, no tags, no duplicate keys, depth and node count limited.
 * Scalars stay text: `0012` is four characters. Keys keep their order.
 */
#ifndef ASSAY_CORE_YAML_H
#define ASSAY_CORE_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/out.h"

enum assay_yaml_kind { ASSAY_YAML_SCALAR, ASSAY_YAML_SEQ, ASSAY_YAML_MAP };

struct assay_yaml {
	enum assay_yaml_kind kind;
	char *key;    /* in a mapping: this member's key; else NULL */
	char *scalar; /* kind SCALAR */
	struct assay_yaml **items;
	size_t n;      /* sequence items or mapping members, in file order */
	uint64_t at;   /* byte offset in the file */
	unsigned line; /* counted from 1; 0 for a built node */
	bool flow;     /* written on one line, {a: 1, b: 2}; parsing tells what the file had */
	const char
		*comment; /* out: borrowed; a comment line above the node (members only), or NULL */
};

int assay_yaml_parse(const char *text, size_t len, struct assay_yaml **ret,
		     struct assay_err *err) ASSAY_MUST;
/* A whole file, with a ceiling of ASSAY_YAML_MAX_FILE. */
int assay_yaml_load(const char *path, struct assay_yaml **ret, struct assay_err *err) ASSAY_MUST;
void assay_yaml_free(struct assay_yaml **node);
ASSAY_DEFINE_AUTO(assay_yaml)

/* The member of a mapping, or NULL. */
const struct assay_yaml *assay_yaml_get(const struct assay_yaml *map, const char *key);
/*
 * Every key of the mapping must be in the NULL-terminated list: otherwise ASSAY_E_CORRUPT
 * "line 12: unknown key 'pcrs' in WHAT".
 */
int assay_yaml_only(const struct assay_yaml *map, const char *const *keys, const char *what,
		    struct assay_err *err) ASSAY_MUST;
/* A required or optional scalar member; a member of another kind is an error with its line. */
int assay_yaml_str(const struct assay_yaml *map, const char *key, bool required, const char **ret,
		   struct assay_err *err) ASSAY_MUST; /* *ret = NULL when absent */
int assay_yaml_uint(const struct assay_yaml *map, const char *key, bool required, uint64_t max,
		    uint64_t *ret, struct assay_err *err)
	ASSAY_MUST; /* decimal or 0x hex; untouched when absent */
int assay_yaml_bool(const struct assay_yaml *map, const char *key, bool required, bool *ret,
		    struct assay_err *err) ASSAY_MUST; /* true or false only */

/*
 * Building, for output. NULL on out of memory; adding NULL or to NULL is remembered by returning
 * -1. A child is handed over in either case. Bytes that are not UTF-8 become U+FFFD. A key that is
 * there already, or longer than ASSAY_YAML_MAX_KEY, is refused with -1.
 */
struct assay_yaml *assay_yaml_map(void);
struct assay_yaml *assay_yaml_seq(void);
struct assay_yaml *assay_yaml_scalar(const char *s);
int assay_yaml_set(struct assay_yaml *map, const char *key, struct assay_yaml *child) ASSAY_MUST;
int assay_yaml_set_str(struct assay_yaml *map, const char *key, const char *s) ASSAY_MUST;
int assay_yaml_append(struct assay_yaml *seq, struct assay_yaml *child) ASSAY_MUST;
/* Writes a document that assay_yaml_parse() reads back to the same tree; quoting where needed. */
void assay_yaml_write(const struct assay_yaml *node, struct assay_out *out);

#endif
