/* SPDX-License-Identifier: Apache-2.0 */
/* What a JSON node is made of: shared by json.c (in), json_write.c (out) and json_node.c (between).
 */
#ifndef ASSAY_CORE_JSON_PRIV_H
#define ASSAY_CORE_JSON_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/json.h"

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
};

#endif
