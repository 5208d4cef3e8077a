/* SPDX-License-Identifier: Apache-2.0 */
/* Building JSON nodes and looking into them. */
#include "core/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_priv.h"
#include "core/text.h"

static struct assay_json *new_node(enum json_kind kind)
{
	struct assay_json *node = calloc(1, sizeof(*node));

	if (node)
		node->kind = kind;
	return node;
}

struct assay_json *assay_json_object(void)
{
	return new_node(JSON_NODE_OBJECT);
}

struct assay_json *assay_json_array(void)
{
	return new_node(JSON_NODE_ARRAY);
}

struct assay_json *assay_json_null(void)
{
	return new_node(JSON_NODE_NULL);
}

struct assay_json *assay_json_bool(bool v)
{
	struct assay_json *node = new_node(JSON_NODE_BOOL);

	if (node)
		node->boolean = v;
	return node;
}

struct assay_json *assay_json_string_n(const char *s, size_t len)
{
	ASSAY_AUTO(assay_json) *node = new_node(JSON_NODE_STRING);
	struct assay_str text = { 0 };

	if (!node)
		return NULL;
	assay_str_add_utf8(&text, s, len);
	node->len = text.len;
	node->text = assay_str_steal(&text);
	return node->text ? assay_steal(&node) : NULL;
}

struct assay_json *assay_json_string(const char *s)
{
	return s ? assay_json_string_n(s, strlen(s)) : assay_json_null();
}

struct assay_json *assay_json_int(uint64_t v)
{
	struct assay_json *node;
	char text[24];

	if (v > INT64_MAX) {
		snprintf(text, sizeof(text), "%" PRIu64, v);
		return assay_json_string(text);
	}
	node = new_node(JSON_NODE_INT);
	if (node)
		node->integer = (int64_t)v;
	return node;
}

struct assay_json *assay_json_number(const char *text)
{
	struct assay_json *node;

	if (!assay_json_is_number(text, strlen(text)))
		return NULL;
	node = assay_json_string(text);
	if (node)
		node->kind = JSON_NODE_NUMBER;
	return node;
}

struct assay_json *assay_json_hex(const void *p, size_t n)
{
	ASSAY_AUTO(assay_json) *node = new_node(JSON_NODE_STRING);

	if (!node || n > SIZE_MAX / 4)
		return NULL;
	node->text = malloc(2 * n + 1);
	if (!node->text)
		return NULL;
	assay_hex(p, n, node->text);
	node->len = 2 * n;
	return assay_steal(&node);
}

struct assay_json *assay_json_digests(const struct assay_digests *d)
{
	struct assay_json *obj = assay_json_object();

	for (unsigned b = 0; b < ASSAY_N_BANKS; b++) {
		const enum assay_bank bank = (enum assay_bank)b;

		if (d->banks & ASSAY_BANK_BIT(b))
			assay_json_set(obj, assay_bank_name(bank),
				       assay_json_hex(d->d[b], assay_bank_size(bank)));
	}
	return obj;
}

void assay_json_free(struct assay_json **nodep)
{
	struct assay_json *node = nodep ? assay_steal(nodep) : NULL;

	if (!node)
		return;
	if (node->kids) {
		for (size_t i = 0; i < node->len; i++)
			assay_json_free(&node->kids[i]);
	}
	if (!node->kids_in_block)
		free(node->kids);
	if (node->in_block)
		return;
	free(node->key);
	if (!node->text_in_block)
		free(node->text);
	assay_json_block_free(node->block);
	free(node);
}

static bool make_room(struct assay_json *node)
{
	const size_t cap = node->cap ? 2 * node->cap : 4;
	struct assay_json **kids;

	if (node->len < node->cap)
		return true;
	if (cap > SIZE_MAX / sizeof(*kids) / 2)
		return false;
	kids = realloc(node->kids_in_block ? NULL : node->kids, cap * sizeof(struct assay_json *));
	if (!kids)
		return false;
	if (node->kids_in_block && node->len > 0)
		memcpy(kids, node->kids, node->len * sizeof(struct assay_json *));
	node->kids_in_block = false;
	node->kids = kids;
	node->cap = cap;
	return true;
}

/* Where the key is, or would be; *ret_found says which. */
static size_t find(const struct assay_json *obj, const char *key, bool *ret_found)
{
	size_t lo = 0, hi = obj->len;

	*ret_found = false;
	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;
		const char *have = obj->kids[mid]->key;
		/* The first letter alone tells most of them apart. */
		const int first = (unsigned char)have[0] - (unsigned char)key[0];
		const int order = first != 0 ? first : strcmp(have, key);

		if (order == 0) {
			*ret_found = true;
			return mid;
		}
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* A child that did not make it spoils its parent, and so everything up to the root. */
static void spoil(struct assay_json *parent, struct assay_json *child)
{
	if (parent)
		parent->oom = true;
	assay_json_free(&child);
}

void assay_json_set(struct assay_json *obj, const char *key, struct assay_json *child)
{
	struct assay_str text = { 0 };
	bool found;
	size_t at;

	if (!obj || !child || obj->kind != JSON_NODE_OBJECT || child->oom) {
		spoil(obj, child);
		return;
	}
	assay_str_add_utf8(&text, key, strlen(key));
	child->key = assay_str_steal(&text);
	if (!child->key) {
		spoil(obj, child);
		return;
	}
	at = find(obj, child->key, &found);
	if (found) {
		assay_json_free(&obj->kids[at]);
		obj->kids[at] = child;
		return;
	}
	if (!make_room(obj)) {
		spoil(obj, child);
		return;
	}
	memmove(&obj->kids[at + 1], &obj->kids[at], (obj->len - at) * sizeof(*obj->kids));
	obj->kids[at] = child;
	obj->len++;
}

void assay_json_remove(struct assay_json *obj, const char *key)
{
	bool found;
	size_t at;

	if (!assay_json_is_object(obj))
		return;
	at = find(obj, key, &found);
	if (!found)
		return;
	assay_json_free(&obj->kids[at]);
	obj->len--;
	memmove(&obj->kids[at], &obj->kids[at + 1], (obj->len - at) * sizeof(*obj->kids));
}

void assay_json_set_str(struct assay_json *obj, const char *key, const char *s)
{
	assay_json_set(obj, key, assay_json_string(s));
}

void assay_json_set_int(struct assay_json *obj, const char *key, uint64_t v)
{
	assay_json_set(obj, key, assay_json_int(v));
}

void assay_json_set_bool(struct assay_json *obj, const char *key, bool v)
{
	assay_json_set(obj, key, assay_json_bool(v));
}

void assay_json_append(struct assay_json *arr, struct assay_json *child)
{
	if (!arr || !child || arr->kind != JSON_NODE_ARRAY || child->oom || !make_room(arr)) {
		spoil(arr, child);
		return;
	}
	arr->kids[arr->len++] = child;
}

/* --- reading -----------------------------------------------------------------------------------
 */

const struct assay_json *assay_json_get(const struct assay_json *obj, const char *key)
{
	bool found;
	size_t at;

	if (!assay_json_is_object(obj))
		return NULL;
	at = find(obj, key, &found);
	return found ? obj->kids[at] : NULL;
}

const char *assay_json_str(const struct assay_json *node)
{
	if (!node || node->kind != JSON_NODE_STRING || strlen(node->text) != node->len)
		return NULL;
	return node->text;
}

bool assay_json_get_int(const struct assay_json *node, int64_t *ret)
{
	if (!node || node->kind != JSON_NODE_INT)
		return false;
	*ret = node->integer;
	return true;
}

bool assay_json_get_bool(const struct assay_json *node, bool *ret)
{
	if (!node || node->kind != JSON_NODE_BOOL)
		return false;
	*ret = node->boolean;
	return true;
}

const char *assay_json_text(const struct assay_json *node, size_t *ret_len)
{
	if (!node || node->kind != JSON_NODE_STRING)
		return NULL;
	*ret_len = node->len;
	return node->text;
}

bool assay_json_equal(const struct assay_json *a, const struct assay_json *b)
{
	if (!a || !b)
		return a == b;
	if (a->kind != b->kind || a->len != b->len || a->boolean != b->boolean || a->integer != b->integer)
		return false;
	if (a->kind == JSON_NODE_STRING || a->kind == JSON_NODE_NUMBER)
		return memcmp(a->text, b->text, a->len) == 0;
	for (size_t i = 0; i < a->len; i++)
		if ((a->kind == JSON_NODE_OBJECT && strcmp(a->kids[i]->key, b->kids[i]->key) != 0) ||
		    !assay_json_equal(a->kids[i], b->kids[i]))
			return false;
	return true;
}

bool assay_json_is_object(const struct assay_json *node)
{
	return node && node->kind == JSON_NODE_OBJECT;
}

bool assay_json_is_array(const struct assay_json *node)
{
	return node && node->kind == JSON_NODE_ARRAY;
}

size_t assay_json_len(const struct assay_json *node)
{
	return assay_json_is_object(node) || assay_json_is_array(node) ? node->len : 0;
}

const struct assay_json *assay_json_at(const struct assay_json *arr, size_t i)
{
	return assay_json_is_array(arr) && i < arr->len ? arr->kids[i] : NULL;
}

int assay_json_each(const struct assay_json *obj,
		    int (*fn)(const char *key, const struct assay_json *value, void *arg),
		    void *arg)
{
	if (!assay_json_is_object(obj))
		return 0;
	for (size_t i = 0; i < obj->len; i++) {
		const int r = fn(obj->kids[i]->key, obj->kids[i], arg);

		if (r != 0)
			return r;
	}
	return 0;
}
