/* SPDX-License-Identifier: Apache-2.0 */
/* JSON in: jansson parses, after a look at what it does not tell the place of (reals, depth). */
#include "core/json.h"

#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "core/json_arena.h"
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

/* Out of memory, jansson often says that the text is bad. What it cannot tell, its allocator can. */
static int fail_parse(const json_error_t *e, bool no_memory, struct assay_err *err)
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

/*
 * jansson takes each character apart. What it need not see is kept from it: indentation, and long texts of nothing but
 * printable ASCII (digests, a payload in Base64). In their places it reads a NUL and the text's number, as no other text of
 * the file may begin.
 */
#define LIFT_FROM 40
#define LIFT_MAX (1U << 18) /* three digits of 64 */
#define LIFT_MARK "\\u0000"
#define LIFT_DIGITS 3
struct lifted {
	struct lifted_text {
		const char *p;
		size_t len;
	} *texts;
	size_t n, cap;
};

static bool is_plain(const char *p, size_t n)
{
	bool plain = true;

	for (size_t i = 0; i < n; i++)
		plain &= p[i] >= 0x20 && p[i] < 0x7f && p[i] != '\\';
	return plain;
}

static bool lift_one(struct lifted *l, const char *p, size_t len)
{
	if (l->n == l->cap) {
		const size_t cap = l->cap ? 2 * l->cap : 64;
		struct lifted_text *more = cap <= LIFT_MAX ? realloc(l->texts, cap * sizeof(*more)) : NULL;

		if (!more)
			return false;
		l->texts = more;
		l->cap = cap;
	}
	l->texts[l->n++] = (struct lifted_text){ p, len };
	return true;
}

/* What stands between two strings: white space of any length is as good as one space. */
static char *copy_between(char *out, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const bool space = p[i] == ' ' || p[i] == '\n' || p[i] == '\t' || p[i] == '\r';

		*out = space ? ' ' : p[i];
		out += !(space && i > 0 && (p[i - 1] == ' ' || p[i - 1] == '\n' || p[i - 1] == '\t' || p[i - 1] == '\r'));
	}
	return out;
}

static char *write_mark(char *out, size_t k)
{
	memcpy(out, LIFT_MARK, strlen(LIFT_MARK));
	out += strlen(LIFT_MARK);
	/* '0' to 'o'; a backslash, which is among them, is written as '~'. */
	for (unsigned d = 0; d < LIFT_DIGITS; d++) {
		const char digit = (char)('0' + (k >> (6 * d) & 63));

		*out++ = digit == '\\' ? '~' : digit;
	}
	return out;
}

/* jansson takes no NUL in a key. */
static bool is_key(const char *text, size_t len, size_t after)
{
	while (after < len && (text[after] == ' ' || text[after] == '\n' || text[after] == '\t' || text[after] == '\r'))
		after++;
	return after < len && text[after] == ':';
}

/* The text without them; NULL when there is no memory, or a string does not end. */
static char *lift(const char *text, size_t len, struct lifted *l, size_t *ret_len)
{
	ASSAY_AUTO_FREE char *copy = malloc(len + 1);
	char *out = copy;
	size_t end;

	for (size_t i = 0; copy && i < len; i = end + 1) {
		const char *quote = memchr(text + i, '"', len - i);
		const size_t start = quote ? (size_t)(quote - text) + 1 : len;

		out = copy_between(out, text + i, start - i);
		if (!quote)
			break;
		end = string_end(text, len, start);
		if (end >= len)
			return NULL;
		if (end - start < LIFT_FROM || !is_plain(text + start, end - start) || is_key(text, len, end + 1)) {
			memcpy(out, text + start, end - start);
			out += end - start;
		} else if (lift_one(l, text + start, end - start)) {
			out = write_mark(out, l->n - 1);
		} else {
			return NULL;
		}
		*out++ = '"';
	}
	if (copy)
		*ret_len = (size_t)(out - copy);
	return assay_steal(&copy);
}

/* The text that a number stands for. */
static const struct lifted_text *lifted_text(const struct lifted *l, const char *s, size_t len)
{
	size_t k = 0;

	if (l->n == 0 || len != 1 + LIFT_DIGITS || s[0] != '\0')
		return NULL;
	for (unsigned d = LIFT_DIGITS; d > 0; d--)
		k = k << 6 | (unsigned)((s[d] == '~' ? '\\' : s[d]) - '0');
	return k < l->n ? &l->texts[k] : NULL;
}

/* A text of somebody's that begins as ours do would be taken for one. */
static bool ambiguous(const char *short_text, size_t len, size_t n)
{
	const char *p = short_text, *end = short_text + len;
	size_t found = 0;

	while ((p = memmem(p, (size_t)(end - p), LIFT_MARK, strlen(LIFT_MARK))) != NULL) {
		found++;
		p += strlen(LIFT_MARK);
	}
	return found != n;
}

static int compare_keys(const void *a, const void *b)
{
	const struct assay_json *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

static struct assay_json *convert(json_t *j, const struct lifted *l);

/* Sorted once at the end: setting a million members one by one would take quadratic time. */
static struct assay_json *convert_object(json_t *j, const struct lifted *l)
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
		ASSAY_AUTO(assay_json) *child = convert(kid, l);

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

static struct assay_json *convert_array(json_t *j, const struct lifted *l)
{
	ASSAY_AUTO(assay_json) *node = assay_json_array();
	json_t *kid;
	size_t i;

	json_array_foreach(j, i, kid)
	{
		struct assay_json *child = convert(kid, l);

		assay_json_append(node, child);
		if (!child || !node || node->oom)
			return NULL;
	}
	return assay_steal(&node);
}

/* jansson has seen to it that it is UTF-8. */
static struct assay_json *text_node(const char *s, size_t len, const struct lifted *l)
{
	const struct lifted_text *lifted = lifted_text(l, s, len);
	ASSAY_AUTO(assay_json) *node = assay_json_null();

	if (!node)
		return NULL;
	if (lifted) {
		len = lifted->len;
		s = lifted->p;
	}
	node->kind = JSON_NODE_STRING;
	node->text = malloc(len + 1);
	if (!node->text)
		return NULL;
	memcpy(node->text, s, len);
	node->text[len] = '\0';
	node->len = len;
	return assay_steal(&node);
}

/* Depth is bounded by scan(). Keys come without NUL, texts as valid UTF-8. */
static struct assay_json *convert(json_t *j, const struct lifted *l)
{
	struct assay_json *node;

	switch (json_typeof(j)) {
	case JSON_OBJECT:
		return convert_object(j, l);
	case JSON_ARRAY:
		return convert_array(j, l);
	case JSON_STRING:
		return text_node(json_string_value(j), json_string_length(j), l);
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

static int parse(const char *text, size_t len, struct lifted *lifted, struct assay_json_arena *arena,
		 struct assay_json **ret, struct assay_err *err)
{
	ASSAY_AUTO_FREE char *short_text = NULL;
	size_t short_len = 0;
	json_error_t e;
	json_t *j = NULL;

	short_text = lift(text, len, lifted, &short_len);
	if (short_text && !ambiguous(short_text, short_len, lifted->n))
		j = json_loadb(short_text, short_len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
	/* What is wrong is told by its place in the whole text. */
	if (!j) {
		lifted->n = 0;
		arena->failed = false;
		j = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
	}
	if (!j)
		return fail_parse(&e, arena->failed, err);
	*ret = convert(j, lifted);
	if (!assay_json_arena_used(arena)) /* else j goes with it */
		json_decref(j);
	return *ret ? 0 : assay_fail_mem(err);
}

int assay_json_parse_strict(const char *text, size_t len, struct assay_json **ret, struct assay_err *err)
{
	struct lifted lifted = { 0 };
	struct assay_json_arena arena;
	struct assay_json *node = NULL;
	int r;

	if (len > ASSAY_JSON_MAX_FILE)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "JSON of %zu bytes, limit %u", len, ASSAY_JSON_MAX_FILE);
	if (scan(text, len, err) < 0)
		return -1;
	assay_json_arena_begin(&arena);
	r = parse(text, len, &lifted, &arena, &node, err);
	assay_json_arena_end(&arena);
	free(lifted.texts);
	if (r == 0)
		*ret = node;
	return r;
}

int assay_json_parse(const char *text, size_t len, struct assay_json **ret, struct assay_err *err)
{
	struct assay_json *node = len <= ASSAY_JSON_MAX_FILE ? assay_json_parse_fast(text, len) : NULL;

	if (!node)
		return assay_json_parse_strict(text, len, ret, err);
	*ret = node;
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
