/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON in and out; the only files that touch jansson are json.c and json_arena.c, which gives it memory.
 *
 * Strict in: duplicate keys, trailing bytes, reals, bad UTF-8 and depth beyond the limit are refused,
 * with the byte offset. Out: sorted keys, two spaces of indentation, newline at the end,
 * byte-identical for identical input.
 *
 * Building never fails half-way: out of memory is remembered in the node being built and comes out
 * of assay_json_write() or assay_json_dump(). Setting a child hands it over (NULL counts as out of memory).
 */
#ifndef ASSAY_CORE_JSON_H
#define ASSAY_CORE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/digest.h"
#include "core/err.h"
#include "core/out.h"

struct assay_json; /* a node: object, array, string, integer, boolean or null; built, also another number */

struct assay_json *assay_json_object(void);
struct assay_json *assay_json_array(void);
struct assay_json *assay_json_string(const char *s); /* NULL gives null; bad UTF-8 bytes become U+FFFD */
struct assay_json *assay_json_string_n(const char *s, size_t len); /* the same; NUL becomes U+0000 escaped */
struct assay_json *assay_json_int(uint64_t v);	     /* above INT64_MAX: a decimal string */
struct assay_json *assay_json_number(const char *text); /* as it stands; NULL when it is no number of JSON's */
struct assay_json *assay_json_bool(bool v);
struct assay_json *assay_json_null(void);
struct assay_json *assay_json_hex(const void *p, size_t n);
struct assay_json *assay_json_digests(const struct assay_digests *d); /* {"sha256": "<hex>", …} */

/* A key that is there already gets the new value. */
void assay_json_set(struct assay_json *obj, const char *key, struct assay_json *child);
void assay_json_set_str(struct assay_json *obj, const char *key, const char *s);
void assay_json_set_int(struct assay_json *obj, const char *key, uint64_t v);
void assay_json_set_bool(struct assay_json *obj, const char *key, bool v);
void assay_json_append(struct assay_json *arr, struct assay_json *child);

/* A copy of it all, for another parent; NULL when there is no memory, or none was when `node` was built. */
struct assay_json *assay_json_copy(const struct assay_json *node);
/*
 * A member of what was just parsed, without a copy where that can be: *top is NULL then, else it stays the caller's. NULL when
 * it is not there, or there is no memory.
 */
struct assay_json *assay_json_take(struct assay_json **top, const char *key);
/* Takes a member out of an object; nothing when it is not there. */
void assay_json_remove(struct assay_json *obj, const char *key);

void assay_json_free(struct assay_json **node);
ASSAY_DEFINE_AUTO(assay_json)

/* The text with its newline; *ret is NUL-terminated, caller frees. */
int assay_json_dump(const struct assay_json *node, char **ret, size_t *ret_len,
		    struct assay_err *err) ASSAY_MUST;
/* The same on one line, without a blank; with its newline. */
int assay_json_dump_line(const struct assay_json *node, char **ret, size_t *ret_len,
			 struct assay_err *err) ASSAY_MUST;
int assay_json_write(const struct assay_json *node, struct assay_out *out,
		     struct assay_err *err) ASSAY_MUST;

int assay_json_parse(const char *text, size_t len, struct assay_json **ret,
		     struct assay_err *err) ASSAY_MUST;
/* The same, but reals, and integers that are none of 64 bits, come as strings of their text. */
int assay_json_parse_reals(const char *text, size_t len, struct assay_json **ret,
			   struct assay_err *err) ASSAY_MUST;
/* Is this one number by JSON's grammar, real or integer? */
bool assay_json_is_number(const char *text, size_t len);
/* A whole file, with a ceiling of ASSAY_JSON_MAX_FILE. */
int assay_json_load(const char *path, struct assay_json **ret, struct assay_err *err) ASSAY_MUST;

/* Reading. Borrowed children; NULL (or false) when absent or of another kind. */
const struct assay_json *assay_json_get(const struct assay_json *obj, const char *key);
/* NULL also when the text holds a NUL: nobody is to compare half of it. */
const char *assay_json_str(const struct assay_json *node);
bool assay_json_get_int(const struct assay_json *node, int64_t *ret);
bool assay_json_get_bool(const struct assay_json *node, bool *ret);
/* The bytes of a string, NULs and all; NULL when it is none. */
const char *assay_json_text(const struct assay_json *node, size_t *ret_len);
/* Same kind, same value, same members; NULL equals NULL alone. */
bool assay_json_equal(const struct assay_json *a, const struct assay_json *b);
bool assay_json_is_object(const struct assay_json *node);
bool assay_json_is_array(const struct assay_json *node);
size_t assay_json_len(const struct assay_json *node); /* of an array or object */
const struct assay_json *assay_json_at(const struct assay_json *arr, size_t i);
/* Object members in sorted key order: calls fn for each until it returns non-zero, which it returns. */
int assay_json_each(const struct assay_json *obj,
		    int (*fn)(const char *key, const struct assay_json *value, void *arg), void *arg);

#endif
