/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The usual JSON, read once, with the whole tree in one piece of memory. A proof is judged within some hundred
 * microseconds, of which jansson's tree and its copy took two thirds. What is unusual here ("\u", a number of 19 digits) or
 * wrong is left to the strict way of json.c, which also says what is wrong: this takes nothing that it does not take.
 */
#include <stdlib.h>
#include <string.h>

#include "core/json_priv.h"
#include "core/limits.h"
#include "core/text.h"

struct json_block {
	struct json_block *next;
	size_t size;
	max_align_t bytes[];
};

void assay_json_block_free(struct json_block *b)
{
	while (b) {
		struct json_block *next = b->next;

		free(b);
		b = next;
	}
}

static struct json_block *new_block(size_t size)
{
	struct json_block *b = size < SIZE_MAX / 2 ? malloc(sizeof(*b) + size) : NULL;

	if (b) {
		b->next = NULL;
		b->size = size;
	}
	return b;
}

struct maker {
	struct json_block *block; /* the newest first */
	char *at, *end;
	bool no_memory;
};

static void *take(struct maker *m, size_t size)
{
	const size_t align = _Alignof(struct assay_json);
	void *p;

	size = (size + align - 1) / align * align;
	if (size > (size_t)(m->end - m->at)) {
		size_t room = m->block ? 2 * m->block->size : 512;

		if (room < size)
			room = size;
		struct json_block *b = new_block(room);

		if (!b) {
			m->no_memory = true;
			return NULL;
		}
		b->next = m->block;
		m->block = b;
		m->at = (char *)b->bytes;
		m->end = m->at + room;
	}
	p = m->at;
	m->at += size;
	return p;
}

static struct assay_json *take_node(struct maker *m, enum json_kind kind)
{
	struct assay_json *node = take(m, sizeof(*node));

	if (node) {
		memset(node, 0, sizeof(*node));
		node->kind = kind;
		node->in_block = true;
		node->kids_in_block = true;
	}
	return node;
}

/* The tree's top, which the block goes with. */
static struct assay_json *take_over(struct maker *m, const struct assay_json *top)
{
	struct assay_json *root = top ? malloc(sizeof(*root)) : NULL;

	if (!root) {
		assay_json_block_free(m->block);
		return NULL;
	}
	*root = *top;
	root->in_block = false;
	root->text_in_block = true;
	root->block = m->block;
	return root;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct reader {
	struct maker m;
	const char *p, *end;
	unsigned depth;
	struct assay_json **kids; /* of the containers that are open */
	size_t n, cap;
};

static void skip_space(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r'))
		r->p++;
}

static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && c != '"' && c != '\\' && (unsigned char)c < 0x80;
}

/* Eight at a time: bytes below 0x20, above 0x7f, quotes and backslashes set their highest bit. */
static const char *plain_end(const char *p, const char *end)
{
	const uint64_t ones = 0x0101010101010101U, high = 0x8080808080808080U;

	while (end - p >= 8) {
		uint64_t w;

		memcpy(&w, p, 8);
		const uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');

		const uint64_t hits = ((w - ones * 0x20) | (quote - ones) | (slash - ones) | w) & high;

		/* A borrow may make the byte after a hit look like one; the first is right. */
		if (hits != 0) {
			if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
				return p + __builtin_ctzll(hits) / 8;
			break;
		}
		p += 8;
	}
	while (p < end && is_plain(*p))
		p++;
	return p;
}

static int escaped(char c)
{
	switch (c) {
	case '"':
	case '\\':
	case '/':
		return c;
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return -1;
	}
}

/* Behind the quote; up to and with the one that ends it. The text is never longer than what is read. */
static char *read_text(struct reader *r, size_t *ret_len)
{
	const char *from = r->p;
	size_t n = 0;
	char *text;

	r->p = plain_end(r->p, r->end);
	if (r->p < r->end && *r->p == '"') {
		n = (size_t)(r->p++ - from);
		text = take(&r->m, n + 1);
		if (!text)
			return NULL;
		memcpy(text, from, n);
		text[n] = '\0';
		*ret_len = n;
		return text;
	}
	const char *quote = r->p;
	while ((quote = plain_end(quote, r->end)) < r->end && *quote != '"')
		quote += *quote == '\\' && r->end - quote > 1 ? 2 : 1;
	if (quote >= r->end)
		return NULL;
	text = take(&r->m, (size_t)(quote - from) + 1);
	if (!text)
		return NULL;
	for (const char *p = from; p < quote;) {
		uint32_t c;
		const char *stop = plain_end(p, quote);
		size_t len = (size_t)(stop - p);

		memcpy(text + n, p, len);
		n += len;
		p = stop;
		if (p == quote)
			break;
		if (*p == '\\') {
			const int meant = escaped(p[1]);

			if (meant < 0)
				return NULL;
			text[n++] = (char)meant;
			p += 2;
			continue;
		}
		len = assay_utf8_next(p, (size_t)(quote - p), &c);
		if (len == 0 || (unsigned char)*p < 0x20)
			return NULL;
		memcpy(text + n, p, len);
		n += len;
		p += len;
	}
	text[n] = '\0';
	r->p = quote + 1;
	*ret_len = n;
	return text;
}

static struct assay_json *read_int(struct reader *r)
{
	const bool minus = *r->p == '-';
	const char *from = r->p + minus, *p = from;
	int64_t v = 0;

	while (p < r->end && *p >= '0' && *p <= '9' && p - from < 18)
		v = 10 * v + (*p++ - '0');
	/* What could go on is more than this: a real, a number that is too long. */
	if (p == from || (*from == '0' && p - from > 1) || (minus && v == 0) ||
	    (p < r->end && *p != ',' && *p != ']' && *p != '}' && *p != ' ' && *p != '\n' && *p != '\t' && *p != '\r'))
		return NULL;
	struct assay_json *node = take_node(&r->m, JSON_NODE_INT);

	if (node)
		node->integer = minus ? -v : v;
	r->p = p;
	return node;
}

static bool push(struct reader *r, struct assay_json *kid)
{
	if (r->n == r->cap) {
		const size_t cap = r->cap ? 2 * r->cap : 64;
		struct assay_json **more = realloc(r->kids, cap * sizeof(struct assay_json *));

		if (!more) {
			r->m.no_memory = true;
			return false;
		}
		r->kids = more;
		r->cap = cap;
	}
	r->kids[r->n++] = kid;
	return true;
}

static int by_key(const void *a, const void *b)
{
	const struct assay_json *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

/* Those from `from` on are the container's; an object's are sorted, and each key is there once. */
static bool close_container(struct reader *r, struct assay_json *node, size_t from)
{
	const size_t n = r->n - from;
	struct assay_json **kids = r->kids ? r->kids + from : NULL; /* the first container may be empty */
	bool sorted = true;

	for (size_t i = 1; node->kind == JSON_NODE_OBJECT && i < n && sorted; i++)
		sorted = strcmp(kids[i - 1]->key, kids[i]->key) < 0;
	if (!sorted) {
		qsort(kids, n, sizeof(struct assay_json *), by_key);
		for (size_t i = 1; i < n; i++)
			if (strcmp(kids[i - 1]->key, kids[i]->key) == 0)
				return false;
	}
	if (n > 0) {
		node->kids = take(&r->m, n * sizeof(struct assay_json *));
		if (!node->kids)
			return false;
		memcpy(node->kids, kids, n * sizeof(struct assay_json *));
	}
	node->len = node->cap = n;
	r->n = from;
	return true;
}

static struct assay_json *read_value(struct reader *r);

/* Behind the bracket. */
static struct assay_json *read_container(struct reader *r, enum json_kind kind, char close)
{
	struct assay_json *node = r->depth < ASSAY_JSON_MAX_DEPTH ? take_node(&r->m, kind) : NULL;
	const size_t from = r->n;
	size_t len;

	if (!node)
		return NULL;
	r->depth++;
	skip_space(r);
	bool more = r->p < r->end && *r->p != close;
	while (more) {
		char *key = NULL;

		if (kind == JSON_NODE_OBJECT) {
			skip_space(r);
			if (r->p >= r->end || *r->p++ != '"' || !(key = read_text(r, &len)))
				return NULL;
			skip_space(r);
			if (r->p >= r->end || *r->p++ != ':')
				return NULL;
		}
		struct assay_json *kid = read_value(r);

		if (!kid || !push(r, kid))
			return NULL;
		kid->key = key;
		skip_space(r);
		more = r->p < r->end && *r->p == ',';
		r->p += more;
	}
	if (r->p >= r->end || *r->p++ != close || !close_container(r, node, from))
		return NULL;
	r->depth--;
	return node;
}

static struct assay_json *read_word(struct reader *r, const char *word, enum json_kind kind)
{
	const size_t n = strlen(word);
	struct assay_json *node;

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
		return NULL;
	r->p += n;
	node = take_node(&r->m, kind);
	if (node)
		node->boolean = word[0] == 't';
	return node;
}

/* Recursion ends at ASSAY_JSON_MAX_DEPTH. */
static struct assay_json *read_value(struct reader *r)
{
	struct assay_json *node;

	skip_space(r);
	if (r->p >= r->end)
		return NULL;
	switch (*r->p) {
	case '{':
		r->p++;
		return read_container(r, JSON_NODE_OBJECT, '}');
	case '[':
		r->p++;
		return read_container(r, JSON_NODE_ARRAY, ']');
	case '"':
		r->p++;
		node = take_node(&r->m, JSON_NODE_STRING);
		if (node && !(node->text = read_text(r, &node->len)))
			return NULL;
		return node;
	case 't':
		return read_word(r, "true", JSON_NODE_BOOL);
	case 'f':
		return read_word(r, "false", JSON_NODE_BOOL);
	case 'n':
		return read_word(r, "null", JSON_NODE_NULL);
	default:
		return read_int(r);
	}
}

struct assay_json *assay_json_parse_fast(const char *text, size_t len)
{
	struct reader r = { .p = text, .end = text + len };
	struct assay_json *top;

	skip_space(&r);
	/* Others are no file's whole content, and jansson has its own mind about them. */
	if (r.p >= r.end || (*r.p != '{' && *r.p != '['))
		return NULL;
	r.m.block = new_block(4 * len + 512);
	if (!r.m.block)
		return NULL;
	r.m.at = (char *)r.m.block->bytes;
	r.m.end = r.m.at + r.m.block->size;
	top = read_value(&r);
	skip_space(&r);
	free(r.kids);
	return take_over(&r.m, r.p == r.end ? top : NULL);
}

struct assay_json *assay_json_take(struct assay_json **top, const char *key)
{
	struct assay_json *root = *top, *kid = (struct assay_json *)(uintptr_t)assay_json_get(root, key);

	if (!kid || !kid->in_block || !root->block || !root->kids_in_block)
		return assay_json_copy(kid);
	/* The top becomes its member; the others lie in the same block, and so does all below them. */
	struct json_block *block = root->block;

	*root = *kid;
	root->key = NULL;
	root->in_block = false;
	root->text_in_block = true;
	root->block = block;
	*top = NULL;
	return root;
}

/* --- copying ------------------------------------------------------------------------------------ */

static char *copy_text(struct maker *m, const char *text, size_t len)
{
	char *copy = take(m, len + 1);

	if (copy) {
		memcpy(copy, text, len);
		copy[len] = '\0';
	}
	return copy;
}

/* As deep as the tree is that it copies. */
static struct assay_json *copy_node(struct maker *m, const struct assay_json *from, bool is_top)
{
	struct assay_json *node = from->oom ? NULL : take_node(m, from->kind);

	if (!node)
		return NULL;
	node->boolean = from->boolean;
	node->integer = from->integer;
	node->len = from->len;
	if (from->key && !is_top && !(node->key = copy_text(m, from->key, strlen(from->key))))
		return NULL;
	if (from->text)
		return (node->text = copy_text(m, from->text, from->len)) ? node : NULL;
	if (from->len == 0)
		return node;
	node->cap = from->len;
	node->kids = take(m, from->len * sizeof(struct assay_json *));
	for (size_t i = 0; node->kids && i < from->len; i++)
		if (!(node->kids[i] = copy_node(m, from->kids[i], false)))
			return NULL;
	return node->kids ? node : NULL;
}

struct assay_json *assay_json_copy(const struct assay_json *node)
{
	struct maker m = { 0 };

	return node ? take_over(&m, copy_node(&m, node, true)) : NULL;
}
