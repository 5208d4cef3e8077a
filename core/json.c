/* SPDX-License-Identifier: Apache-2.0 */
/* JSON in: jansson parses, after a look at what it does not tell the place of (reals, depth). */
#include "core/json.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "core/json_priv.h"
#include "core/limits.h"
#include "core/src.h"

static unsigned line_of(const char *text, size_t at)
{
	unsigned line = 1;

	for (size_t i = 0; i < at; i++)
		line += text[i] == '\n';
	return line;
}

static bool in_number(char c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/*
 * Where the quote is that ends a string, whose text begins at `i`; at least len when there is none. A manifest in its
 * envelope is one string of some hundred thousand bytes.
 */
static size_t string_end(const char *text, size_t len, size_t i)
{
	size_t quote = 0;

	while (i < len) {
		if (quote < i) {
			const char *end = memchr(text + i, '"', len - i);

			quote = end ? (size_t)(end - text) : len;
		}
		const char *slash = memchr(text + i, '\\', quote - i);

		if (!slash)
			return quote;
		i = (size_t)(slash - text) + 2;
	}
	return i;
}

/*
 * One pass over the bytes, before anything is allocated: depth and reals, with their place. It need
 * not be right about anything else; what is not JSON, jansson refuses.
 */
static int scan(const char *text, size_t len, struct assay_err *err)
{
	unsigned depth = 0;

	for (size_t i = 0; i < len; i++) {
		const char c = text[i];

		if (c == '"') {
			i = string_end(text, len, i + 1);
		} else if (c == '{' || c == '[') {
			if (++depth > ASSAY_JSON_MAX_DEPTH)
				return assay_fail(err, ASSAY_E_LIMIT, i,
						  "line %u: JSON nested deeper than %u",
						  line_of(text, i), ASSAY_JSON_MAX_DEPTH);
		} else if (c == '}' || c == ']') {
			depth -= depth > 0;
		} else if (c == '-' || (c >= '0' && c <= '9')) {
			const size_t start = i;
			bool real = false;

			for (; i < len && in_number(text[i]); i++)
				real = real || text[i] == '.' || text[i] == 'e' || text[i] == 'E';
			if (real)
				return assay_fail(err, ASSAY_E_CORRUPT, start,
						  "line %u: JSON number that is no integer",
						  line_of(text, start));
			i--;
		}
	}
	return 0;
}

/*
 * Out of memory, jansson often says that the text is bad. What it cannot tell, its allocator can:
 * ours is malloc, and remembers for the thread that it failed.
 */
static _Thread_local bool no_memory;
static pthread_once_t watched = PTHREAD_ONCE_INIT;

static void *watched_malloc(size_t size)
{
	void *p = malloc(size);

	if (!p)
		no_memory = true;
	return p;
}

static void watch_jansson(void)
{
	json_set_alloc_funcs(watched_malloc, free);
}

static int fail_parse(const json_error_t *e, struct assay_err *err)
{
	char text[sizeof(e->text)];
	const uint64_t at = e->position >= 0 ? (uint64_t)e->position : ASSAY_NO_OFFSET;

	if (no_memory)
		return assay_fail_mem(err);
	/* Its text quotes the input, which may hold whatever upsets a terminal. */
	memcpy(text, e->text, sizeof(text));
	text[sizeof(text) - 1] = '\0';
	for (char *p = text; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
	return assay_fail(err, ASSAY_E_CORRUPT, at, "line %d: JSON: %s", e->line, text);
}

static int compare_keys(const void *a, const void *b)
{
	const struct assay_json *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

static struct assay_json *convert(json_t *j);

/* Sorted once at the end: setting a million members one by one would take quadratic time. */
static struct assay_json *convert_object(json_t *j)
{
	ASSAY_AUTO(assay_json) *node = assay_json_object();
	const size_t n = json_object_size(j);
	const char *key;
	json_t *kid;

	if (!node || n == 0)
		return assay_steal(&node);
	node->kids = calloc(n, sizeof(struct assay_json *));
	if (!node->kids)
		return NULL;
	node->cap = n;
	json_object_foreach(j, key, kid)
	{
		ASSAY_AUTO(assay_json) *child = convert(kid);

		if (!child)
			return NULL;
		child->key = strdup(key);
		if (!child->key)
			return NULL;
		node->kids[node->len++] = assay_steal(&child);
	}
	qsort(node->kids, node->len, sizeof(struct assay_json *), compare_keys);
	return assay_steal(&node);
}

static struct assay_json *convert_array(json_t *j)
{
	ASSAY_AUTO(assay_json) *node = assay_json_array();
	json_t *kid;
	size_t i;

	json_array_foreach(j, i, kid)
	{
		struct assay_json *child = convert(kid);

		assay_json_append(node, child);
		if (!child || !node || node->oom)
			return NULL;
	}
	return assay_steal(&node);
}

/* Depth is bounded by scan(). Keys come without NUL, texts as valid UTF-8. */
static struct assay_json *convert(json_t *j)
{
	struct assay_json *node;

	switch (json_typeof(j)) {
	case JSON_OBJECT:
		return convert_object(j);
	case JSON_ARRAY:
		return convert_array(j);
	case JSON_STRING:
		return assay_json_string_n(json_string_value(j), json_string_length(j));
	case JSON_INTEGER:
		node = assay_json_int(0);
		if (node)
			node->integer = json_integer_value(j);
		return node;
	case JSON_TRUE:
	case JSON_FALSE:
		return assay_json_bool(json_is_true(j));
	case JSON_NULL:
		return assay_json_null();
	case JSON_REAL: /* scan() has refused them */
		break;
	}
	return NULL;
}

int assay_json_parse(const char *text, size_t len, struct assay_json **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *node = NULL;
	json_error_t e;
	json_t *j;

	if (len > ASSAY_JSON_MAX_FILE)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "JSON of %zu bytes, limit %u", len, ASSAY_JSON_MAX_FILE);
	if (scan(text, len, err) < 0)
		return -1;
	pthread_once(&watched, watch_jansson);
	no_memory = false;
	j = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
	if (!j)
		return fail_parse(&e, err);
	node = convert(j);
	json_decref(j);
	if (!node)
		return assay_fail_mem(err);
	*ret = assay_steal(&node);
	return 0;
}

int assay_json_load(const char *path, struct assay_json **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *text = NULL;

	if (assay_src_open_file(path, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), ASSAY_JSON_MAX_FILE, &text, err) < 0)
		return -1;
	return assay_json_parse((const char *)text, (size_t)assay_src_size(src), ret, err);
}
