/* SPDX-License-Identifier: Apache-2.0 */
/* What a JSON node is made of: shared by json.c (in), json_write.c (out) and json_node.c (between).
 */
#ifndef ASSAY_CORE_JSON_PRIV_H
#define ASSAY_CORE_JSON_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/json.h"

struct json_block; /* memory of a whole tree (json_fast.c) */

enum json_kind {
	JSON_NODE_OBJECT,
	JSON_NODE_ARRAY,
	JSON_NODE_STRING,
	JSON_NODE_INT,
	JSON_NODE_NUMBER, /* of output: its text */
	JSON_NODE_BOOL,
	JSON_NODE_NULL
};

struct assay_json {
	enum json_kind kind;
	bool oom;     /* memory ran out here or below */
	bool boolean; /* BOOL */
	int64_t integer;
	char *key;		  /* as the member of an object; NUL-terminated */
	char *text;		  /* STRING, NUMBER: len bytes and a NUL */
	size_t len;		  /* of the text, or the number of kids */
	size_t cap;		  /* OBJECT, ARRAY: room in kids */
	struct assay_json **kids; /* OBJECT: sorted by key, byte by byte */
	/* What is in a block is not freed by itself: the node with key and text; only its text; the array of kids. */
	bool in_block, text_in_block, kids_in_block;
	struct json_block *block; /* of the tree whose top this is, or was before it got a parent; or NULL */
};

void assay_json_block_free(struct json_block *block);
/* The tree, when the text is the usual JSON; NULL: not so, or no memory, which the strict way finds out. */
struct assay_json *assay_json_parse_fast(const char *text, size_t len);
/* The strict way alone. */
int assay_json_parse_strict(const char *text, size_t len, struct assay_json **ret, struct assay_err *err) ASSAY_MUST;

#endif
