/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cbor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/cur.h"
#include "core/limits.h"
#include "core/text.h"

/* --- nodes -------------------------------------------------------------------------------------- */

/* As deep as the reader or the maker went: ASSAY_CBOR_MAX_DEPTH, or what a program of ours builds. */
void assay_cbor_free(struct assay_cbor **nodep)
{
	struct assay_cbor *node = nodep ? assay_steal(nodep) : NULL;

	if (!node)
		return;
	for (size_t i = 0; i < node->n_items; i++)
		assay_cbor_free(&node->items[i]);
	free(node->items);
	free(node->p);
	free(node);
}

static struct assay_cbor *new_node(enum assay_cbor_kind kind, uint64_t n)
{
	struct assay_cbor *node = calloc(1, sizeof(*node));

	if (node) {
		node->kind = kind;
		node->n = n;
	}
	return node;
}

static struct assay_cbor *new_string(enum assay_cbor_kind kind, const void *p, size_t len)
{
	ASSAY_AUTO(assay_cbor) *node = new_node(kind, 0);

	if (!node)
		return NULL;
	node->p = malloc(len + 1);
	if (!node->p)
		return NULL;
	memcpy(node->p, p, len);
	node->p[len] = '\0';
	node->len = len;
	return assay_steal(&node);
}

struct assay_cbor *assay_cbor_uint(uint64_t v)
{
	return new_node(ASSAY_CBOR_UINT, v);
}

struct assay_cbor *assay_cbor_int(int64_t v)
{
	return v < 0 ? new_node(ASSAY_CBOR_NINT, ~(uint64_t)v) : new_node(ASSAY_CBOR_UINT, (uint64_t)v);
}

struct assay_cbor *assay_cbor_bytes(const void *p, size_t len)
{
	return new_string(ASSAY_CBOR_BYTES, p, len);
}

struct assay_cbor *assay_cbor_text(const char *s)
{
	return new_string(ASSAY_CBOR_TEXT, s, strlen(s));
}

struct assay_cbor *assay_cbor_array(void)
{
	return new_node(ASSAY_CBOR_ARRAY, 0);
}

struct assay_cbor *assay_cbor_map(void)
{
	return new_node(ASSAY_CBOR_MAP, 0);
}

struct assay_cbor *assay_cbor_simple(uint8_t value)
{
	return new_node(ASSAY_CBOR_SIMPLE, value);
}

/* Room for one item more doubles at every power of two. */
static bool add_item(struct assay_cbor *node, struct assay_cbor *item)
{
	if ((node->n_items & (node->n_items - 1)) == 0) {
		struct assay_cbor **grown =
			reallocarray(node->items, node->n_items ? 2 * node->n_items : 1, sizeof(struct assay_cbor *));

		if (!grown)
			return false;
		node->items = grown;
	}
	node->items[node->n_items++] = item;
	return true;
}

void assay_cbor_append(struct assay_cbor *node, struct assay_cbor *item)
{
	if (!node) {
		assay_cbor_free(&item);
		return;
	}
	node->bad = node->bad || !item || item->bad;
	if (item && !add_item(node, item)) {
		node->bad = true;
		assay_cbor_free(&item);
	}
}

void assay_cbor_put(struct assay_cbor *map, struct assay_cbor *key, struct assay_cbor *value)
{
	assay_cbor_append(map, key);
	assay_cbor_append(map, value);
}

struct assay_cbor *assay_cbor_tag(uint64_t tag, struct assay_cbor *item)
{
	struct assay_cbor *node = new_node(ASSAY_CBOR_TAG, tag);

	assay_cbor_append(node, item);
	return node;
}

const struct assay_cbor *assay_cbor_get(const struct assay_cbor *map, uint64_t key)
{
	if (!map || map->kind != ASSAY_CBOR_MAP)
		return NULL;
	for (size_t i = 0; i + 1 < map->n_items; i += 2)
		if (map->items[i]->kind == ASSAY_CBOR_UINT && map->items[i]->n == key)
			return map->items[i + 1];
	return NULL;
}

const struct assay_cbor *assay_cbor_tagged(const struct assay_cbor *node, uint64_t tag)
{
	return node && node->kind == ASSAY_CBOR_TAG && node->n == tag && node->n_items == 1 ? node->items[0] : NULL;
}

static bool is_utf8(const uint8_t *p, size_t len)
{
	while (len > 0) {
		uint32_t c;
		const size_t n = assay_utf8_next((const char *)p, len, &c);

		if (n == 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

/* --- writing ------------------------------------------------------------------------------------ */

/* The major type of a kind, in the upper three bits (RFC 8949, 3.1). */
static const uint8_t major[] = {
	[ASSAY_CBOR_UINT] = 0 << 5,  [ASSAY_CBOR_NINT] = 1 << 5, [ASSAY_CBOR_BYTES] = 2 << 5, [ASSAY_CBOR_TEXT] = 3 << 5,
	[ASSAY_CBOR_ARRAY] = 4 << 5, [ASSAY_CBOR_MAP] = 5 << 5,	 [ASSAY_CBOR_TAG] = 6 << 5,   [ASSAY_CBOR_SIMPLE] = 7 << 5,
};

static void put_head(struct assay_str *s, uint8_t type, uint64_t n)
{
	uint8_t b[9];
	size_t size = n < 24 ? 0 : n <= UINT8_MAX ? 1 : n <= UINT16_MAX ? 2 : n <= UINT32_MAX ? 4 : 8;

	if (size == 0)
		b[0] = (uint8_t)(type | n);
	else
		b[0] = (uint8_t)(type | (size == 1 ? 24 : size == 2 ? 25 : size == 4 ? 26 : 27));
	for (size_t i = 0; i < size; i++)
		b[1 + i] = (uint8_t)(n >> 8 * (size - 1 - i));
	assay_str_add_n(s, b, 1 + size);
}

struct entry {
	struct assay_str key, value;
};

/* 4.2.1: bytewise lexicographic order of the encoded keys. */
static int by_key(const void *a, const void *b)
{
	const struct assay_str *x = &((const struct entry *)a)->key, *y = &((const struct entry *)b)->key;
	const int order = memcmp(x->p, y->p, x->len < y->len ? x->len : y->len);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static int put(struct assay_str *s, const struct assay_cbor *node, struct assay_err *err);

static int put_sorted(struct assay_str *s, const struct assay_cbor *map, struct entry *e, size_t n, struct assay_err *err)
{
	for (size_t i = 0; i < n; i++)
		if (put(&e[i].key, map->items[2 * i], err) < 0 || put(&e[i].value, map->items[2 * i + 1], err) < 0)
			return -1;
	for (size_t i = 0; i < n; i++)
		if (e[i].key.bad || e[i].value.bad)
			return assay_fail_mem(err);
	qsort(e, n, sizeof(*e), by_key);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && by_key(&e[i - 1], &e[i]) == 0)
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "CBOR: a map has a key twice");
		assay_str_add_n(s, e[i].key.p, e[i].key.len);
		assay_str_add_n(s, e[i].value.p, e[i].value.len);
	}
	return 0;
}

static int put_map(struct assay_str *s, const struct assay_cbor *map, struct assay_err *err)
{
	const size_t n = map->n_items / 2;
	struct entry *e = calloc(n ? n : 1, sizeof(*e));

	if (!e)
		return assay_fail_mem(err);
	put_head(s, major[ASSAY_CBOR_MAP], n);
	const int rc = put_sorted(s, map, e, n, err);
	for (size_t i = 0; i < n; i++) {
		assay_str_clear(&e[i].key);
		assay_str_clear(&e[i].value);
	}
	free(e);
	return rc;
}

/* As deep as the nodes are. */
static int put(struct assay_str *s, const struct assay_cbor *node, struct assay_err *err)
{
	if (node->bad)
		return assay_fail_mem(err);
	switch (node->kind) {
	case ASSAY_CBOR_UINT:
	case ASSAY_CBOR_NINT:
	case ASSAY_CBOR_SIMPLE:
		put_head(s, major[node->kind], node->n);
		return 0;
	case ASSAY_CBOR_TEXT:
		if (!is_utf8(node->p, node->len))
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "CBOR: a text is not UTF-8");
		/* fall through */
	case ASSAY_CBOR_BYTES:
		put_head(s, major[node->kind], node->len);
		assay_str_add_n(s, node->p, node->len);
		return 0;
	case ASSAY_CBOR_MAP:
		return put_map(s, node, err);
	case ASSAY_CBOR_ARRAY:
	case ASSAY_CBOR_TAG:
		put_head(s, major[node->kind], node->kind == ASSAY_CBOR_TAG ? node->n : node->n_items);
		for (size_t i = 0; i < node->n_items; i++)
			if (put(s, node->items[i], err) < 0)
				return -1;
		return 0;
	}
	return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "CBOR: a node of no kind");
}

int assay_cbor_write(const struct assay_cbor *node, uint8_t **ret, size_t *ret_len, struct assay_err *err)
{
	struct assay_str s = { 0 };

	if (!node)
		return assay_fail_mem(err);
	if (put(&s, node, err) < 0) {
		assay_str_clear(&s);
		return -1;
	}
	const size_t len = s.len;
	char *p = assay_str_steal(&s);
	if (!p)
		return assay_fail_mem(err);
	*ret = (uint8_t *)p;
	*ret_len = len;
	return 0;
}

/* --- reading ------------------------------------------------------------------------------------ */

struct reader {
	struct assay_cur c;
	size_t nodes;
};

/* Initial byte and argument: the type's bits, and the number in its shortest form. */
static int take_head(struct reader *r, uint8_t *ret_type, uint64_t *ret_n, struct assay_err *err)
{
	const uint64_t at = r->c.at;
	const uint8_t first = assay_cur_u8(&r->c), info = first & 31;
	uint64_t n = info, least = 0;

	if (info == 24)
		n = assay_cur_u8(&r->c), least = 24;
	else if (info == 25)
		n = assay_cur_be16(&r->c), least = UINT8_MAX + 1ULL;
	else if (info == 26)
		n = assay_cur_be32(&r->c), least = UINT16_MAX + 1ULL;
	else if (info == 27)
		n = assay_cur_be64(&r->c), least = UINT32_MAX + 1ULL;
	if (assay_cur_done(&r->c, "CBOR", err) < 0)
		return -1;
	if (info == 31)
		return assay_fail(err, ASSAY_E_UNSUPPORTED, at, "CBOR: an indefinite length, or its end");
	if (info > 27)
		return assay_fail(err, ASSAY_E_CORRUPT, at, "CBOR: a reserved length %u", info);
	*ret_type = first & 0xe0;
	/* In major type 7 the longer ones are other values, not longer numbers. */
	if (*ret_type == major[ASSAY_CBOR_SIMPLE]) {
		if (info < 20 || info > 22)
			return assay_fail(err, ASSAY_E_UNSUPPORTED, at,
					  "CBOR: a float or simple value other than false, true and null");
	} else if (n < least) {
		return assay_fail(err, ASSAY_E_CORRUPT, at, "CBOR: %" PRIu64 " is not in its shortest form", n);
	}
	*ret_n = n;
	return 0;
}

static int take(struct reader *r, unsigned depth, struct assay_cbor **ret, struct assay_err *err);

static int take_string(struct reader *r, enum assay_cbor_kind kind, uint64_t len, struct assay_cbor **ret,
		       struct assay_err *err)
{
	const uint64_t at = r->c.at;
	const uint8_t *p = assay_cur_take(&r->c, len);

	if (assay_cur_done(&r->c, "CBOR", err) < 0)
		return -1;
	if (kind == ASSAY_CBOR_TEXT && !is_utf8(p, (size_t)len))
		return assay_fail(err, ASSAY_E_CORRUPT, at, "CBOR: a text is not UTF-8");
	*ret = new_string(kind, p, (size_t)len);
	return *ret ? 0 : assay_fail_mem(err);
}

/* Keys rise: this one's bytes against the last one's. */
static int check_order(const uint8_t *last, size_t last_len, const uint8_t *key, size_t len, uint64_t at,
		       struct assay_err *err)
{
	const int order = memcmp(last, key, last_len < len ? last_len : len);

	if (order == 0 && last_len == len)
		return assay_fail(err, ASSAY_E_CORRUPT, at, "CBOR: a map has a key twice");
	if (order > 0 || (order == 0 && last_len > len))
		return assay_fail(err, ASSAY_E_CORRUPT, at, "CBOR: the keys of a map are not in order");
	return 0;
}

static int take_items(struct reader *r, struct assay_cbor *node, uint64_t n, unsigned depth, struct assay_err *err)
{
	const bool map = node->kind == ASSAY_CBOR_MAP;
	const uint8_t *last = NULL;
	size_t last_len = 0;

	for (uint64_t i = 0; i < n; i++) {
		const uint8_t *start = r->c.p;
		const uint64_t at = r->c.at;
		struct assay_cbor *item = NULL;

		if (take(r, depth + 1, &item, err) < 0)
			return -1;
		if (!add_item(node, item)) {
			assay_cbor_free(&item);
			return assay_fail_mem(err);
		}
		if (!map || i % 2 == 1)
			continue;
		const size_t len = (size_t)(r->c.p - start);
		if (last && check_order(last, last_len, start, len, at, err) < 0)
			return -1;
		last = start;
		last_len = len;
	}
	return 0;
}

static int take(struct reader *r, unsigned depth, struct assay_cbor **ret, struct assay_err *err)
{
	const uint64_t at = r->c.at;
	enum assay_cbor_kind kind;
	uint8_t type = 0;
	uint64_t n = 0;

	if (depth > ASSAY_CBOR_MAX_DEPTH)
		return assay_fail(err, ASSAY_E_LIMIT, at, "CBOR: more than %d levels", ASSAY_CBOR_MAX_DEPTH);
	if (++r->nodes > ASSAY_CBOR_MAX_NODES)
		return assay_fail(err, ASSAY_E_LIMIT, at, "CBOR: more than %d items", ASSAY_CBOR_MAX_NODES);
	if (take_head(r, &type, &n, err) < 0)
		return -1;
	kind = (enum assay_cbor_kind)(type >> 5); /* they are counted as the types are */
	if (kind == ASSAY_CBOR_BYTES || kind == ASSAY_CBOR_TEXT)
		return take_string(r, kind, n, ret, err);
	/* Each item has a byte at least: what says it has more is cut short, whatever follows. */
	if ((kind == ASSAY_CBOR_ARRAY && n > r->c.left) || (kind == ASSAY_CBOR_MAP && n > r->c.left / 2))
		return assay_fail(err, ASSAY_E_CORRUPT, at, "CBOR cut short: %" PRIu64 " items, %zu bytes left", n, r->c.left);

	ASSAY_AUTO(assay_cbor) *node = new_node(kind, n);
	if (!node)
		return assay_fail_mem(err);
	if (kind == ASSAY_CBOR_ARRAY || kind == ASSAY_CBOR_MAP || kind == ASSAY_CBOR_TAG) {
		if (kind != ASSAY_CBOR_TAG)
			node->n = 0;
		if (take_items(r, node, kind == ASSAY_CBOR_TAG ? 1 : kind == ASSAY_CBOR_MAP ? 2 * n : n, depth, err) < 0)
			return -1;
	}
	*ret = assay_steal(&node);
	return 0;
}

int assay_cbor_parse(const void *p, size_t len, struct assay_cbor **ret, struct assay_err *err)
{
	struct reader r = { .c = assay_cur_make(p, len, 0) };
	ASSAY_AUTO(assay_cbor) *node = NULL;

	if (len > ASSAY_CBOR_MAX_SIZE)
		return assay_fail(err, ASSAY_E_LIMIT, 0, "%zu bytes of CBOR, limit %u", len, ASSAY_CBOR_MAX_SIZE);
	if (take(&r, 0, &node, err) < 0)
		return -1;
	if (r.c.left > 0)
		return assay_fail(err, ASSAY_E_CORRUPT, r.c.at, "CBOR: %zu bytes behind its end", r.c.left);
	*ret = assay_steal(&node);
	return 0;
}
