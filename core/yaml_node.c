/* SPDX-License-Identifier: Apache-2.0 */
/* Building YAML nodes and looking into them. */
#include "core/yaml.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/num.h"
#include "core/text.h"
#include "core/yaml_priv.h"

void assay_yaml_free(struct assay_yaml **nodep)
{
	struct assay_yaml *node = nodep ? assay_steal(nodep) : NULL;

	if (!node)
		return;
	for (size_t i = 0; i < node->n; i++)
		assay_yaml_free(&node->items[i]);
	free(node->items);
	free(node->key);
	free(node->scalar);
	free(node);
}

/* --- building ----------------------------------------------------------------------------------
 */

static char *clean(const char *s)
{
	struct assay_str text = { 0 };

	assay_str_add_utf8(&text, s, strlen(s));
	return assay_str_steal(&text);
}

static struct assay_yaml *new_node(enum assay_yaml_kind kind)
{
	struct assay_yaml *node = calloc(1, sizeof(*node));

	if (node) {
		node->kind = kind;
		node->at = ASSAY_NO_OFFSET;
	}
	return node;
}

struct assay_yaml *assay_yaml_map(void)
{
	return new_node(ASSAY_YAML_MAP);
}

struct assay_yaml *assay_yaml_seq(void)
{
	return new_node(ASSAY_YAML_SEQ);
}

struct assay_yaml *assay_yaml_scalar(const char *s)
{
	ASSAY_AUTO(assay_yaml) *node = new_node(ASSAY_YAML_SCALAR);

	if (!node || !s)
		return NULL;
	node->scalar = clean(s);
	return node->scalar ? assay_steal(&node) : NULL;
}

int assay_yaml_push(struct assay_yaml *parent, struct assay_yaml *child)
{
	/* Room doubles whenever the number of items is a power of two. */
	if ((parent->n & (parent->n - 1)) == 0) {
		const size_t room = parent->n ? 2 * parent->n : 1;
		struct assay_yaml **items =
			realloc(parent->items, room * sizeof(struct assay_yaml *));

		if (!items) {
			assay_yaml_free(&child);
			return -1;
		}
		parent->items = items;
	}
	parent->items[parent->n++] = child;
	return 0;
}

int assay_yaml_set(struct assay_yaml *map, const char *key, struct assay_yaml *child)
{
	ASSAY_AUTO(assay_yaml) *owned = child;

	if (!map || !child || map->kind != ASSAY_YAML_MAP || child->key ||
	    strlen(key) > ASSAY_YAML_MAX_KEY)
		return -1;
	child->key = clean(key);
	/* Only now: two keys may differ in nothing but bytes that are no text. */
	if (!child->key || strlen(child->key) > ASSAY_YAML_MAX_KEY ||
	    assay_yaml_get(map, child->key))
		return -1;
	return assay_yaml_push(map, assay_steal(&owned));
}

int assay_yaml_set_str(struct assay_yaml *map, const char *key, const char *s)
{
	return assay_yaml_set(map, key, assay_yaml_scalar(s));
}

int assay_yaml_append(struct assay_yaml *seq, struct assay_yaml *child)
{
	ASSAY_AUTO(assay_yaml) *owned = child;

	if (!seq || !child || seq->kind != ASSAY_YAML_SEQ)
		return -1;
	return assay_yaml_push(seq, assay_steal(&owned));
}

/* --- reading -----------------------------------------------------------------------------------
 */

const struct assay_yaml *assay_yaml_get(const struct assay_yaml *map, const char *key)
{
	if (!map || map->kind != ASSAY_YAML_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++) {
		if (strcmp(map->items[i]->key, key) == 0)
			return map->items[i];
	}
	return NULL;
}

int assay_yaml_only(const struct assay_yaml *map, const char *const *keys, const char *what,
		    struct assay_err *err)
{
	if (map->kind != ASSAY_YAML_MAP)
		return assay_fail(err, ASSAY_E_CORRUPT, map->at,
				  "line %u: %s is to be a mapping, with 'key: value' lines",
				  map->line, what);
	for (size_t i = 0; i < map->n; i++) {
		const struct assay_yaml *item = map->items[i];
		const char *const *k = keys;

		while (*k && strcmp(*k, item->key) != 0)
			k++;
		if (!*k)
			return assay_fail(err, ASSAY_E_CORRUPT, item->at,
					  "line %u: unknown key '%s' in %s", item->line, item->key,
					  what);
	}
	return 0;
}

int assay_yaml_str(const struct assay_yaml *map, const char *key, bool required, const char **ret,
		   struct assay_err *err)
{
	const struct assay_yaml *item = assay_yaml_get(map, key);

	if (!item && required)
		return assay_fail(err, ASSAY_E_CORRUPT, map->at, "line %u: '%s' is missing",
				  map->line, key);
	if (item && item->kind != ASSAY_YAML_SCALAR)
		return assay_fail(err, ASSAY_E_CORRUPT, item->at,
				  "line %u: '%s' is to be a plain value", item->line, key);
	*ret = item ? item->scalar : NULL;
	return 0;
}

static bool parse_uint(const char *s, uint64_t *ret)
{
	const unsigned base = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10;
	uint64_t v = 0;

	if (base == 16)
		s += 2;
	if (*s == '\0')
		return false;
	for (; *s; s++) {
		unsigned digit;

		if (*s >= '0' && *s <= '9')
			digit = (unsigned)(*s - '0');
		else if (base == 16 && *s >= 'a' && *s <= 'f')
			digit = (unsigned)(*s - 'a') + 10;
		else if (base == 16 && *s >= 'A' && *s <= 'F')
			digit = (unsigned)(*s - 'A') + 10;
		else
			return false;
		if (assay_mul_overflows(v, base, &v) || assay_add_overflows(v, digit, &v))
			return false;
	}
	*ret = v;
	return true;
}

int assay_yaml_uint(const struct assay_yaml *map, const char *key, bool required, uint64_t max,
		    uint64_t *ret, struct assay_err *err)
{
	const char *text;
	uint64_t v;

	if (assay_yaml_str(map, key, required, &text, err) < 0)
		return -1;
	if (!text)
		return 0;
	if (!parse_uint(text, &v) || v > max) {
		const struct assay_yaml *item = assay_yaml_get(map, key);

		return assay_fail(err, ASSAY_E_CORRUPT, item->at,
				  "line %u: '%s' is to be a number from 0 to %" PRIu64 ", not '%s'",
				  item->line, key, max, text);
	}
	*ret = v;
	return 0;
}

int assay_yaml_bool(const struct assay_yaml *map, const char *key, bool required, bool *ret,
		    struct assay_err *err)
{
	const struct assay_yaml *item;
	const char *text;

	if (assay_yaml_str(map, key, required, &text, err) < 0)
		return -1;
	if (!text)
		return 0;
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
		*ret = text[0] == 't';
		return 0;
	}
	item = assay_yaml_get(map, key);
	return assay_fail(err, ASSAY_E_CORRUPT, item->at,
			  "line %u: '%s' is to be true or false, not '%s'", item->line, key, text);
}
