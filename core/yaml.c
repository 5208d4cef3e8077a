/* SPDX-License-Identifier: Apache-2.0 */
/* YAML in: a tree out of libyaml's events. */
#include "core/yaml.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "core/limits.h"
#include "core/src.h"
#include "core/yaml_priv.h"

struct loader {
	yaml_parser_t yaml;
	const char *text; /* behind a byte order mark of `mark` bytes */
	size_t len;
	size_t mark;
	/* libyaml counts characters; places only go forward, so bytes are counted along. */
	size_t chars, bytes;
	size_t n_nodes;
	struct assay_err *err;
};

static uint64_t byte_of(struct loader *l, const yaml_mark_t *mark)
{
	if (mark->index < l->chars)
		l->chars = l->bytes = 0;
	while (l->chars < mark->index && l->bytes < l->len) {
		l->bytes++;
		while (l->bytes < l->len && (l->text[l->bytes] & 0xc0) == 0x80)
			l->bytes++;
		l->chars++;
	}
	return l->mark + l->bytes;
}

static int fail_at(struct loader *l, enum assay_code code, const yaml_mark_t *mark,
		   const char *what)
{
	return assay_fail(l->err, code, byte_of(l, mark), "line %zu: %s", mark->line + 1, what);
}

static int fail_parser(struct loader *l)
{
	const yaml_parser_t *y = &l->yaml;
	const char *problem = y->problem ? y->problem : "not YAML";

	if (y->error == YAML_MEMORY_ERROR)
		return assay_fail_mem(l->err);
	if (y->error == YAML_READER_ERROR) {
		unsigned line = 1;

		for (size_t i = 0; i < y->problem_offset && i < l->len; i++)
			line += l->text[i] == '\n';
		return assay_fail(l->err, ASSAY_E_CORRUPT, l->mark + y->problem_offset,
				  "line %u: YAML: %s", line, problem);
	}
	return assay_fail(l->err, ASSAY_E_CORRUPT, byte_of(l, &y->problem_mark),
			  "line %zu: YAML: %s", y->problem_mark.line + 1, problem);
}

static int next_event(struct loader *l, yaml_event_t *ret)
{
	return yaml_parser_parse(&l->yaml, ret) ? 0 : fail_parser(l);
}

/* Anchors and tags are refused wherever they stand. */
static int check_plain(struct loader *l, const yaml_event_t *e, const yaml_char_t *anchor,
		       const yaml_char_t *tag)
{
	if (anchor)
		return fail_at(l, ASSAY_E_UNSUPPORTED, &e->start_mark, "YAML anchors are refused");
	if (tag)
		return fail_at(l, ASSAY_E_UNSUPPORTED, &e->start_mark, "YAML tags are refused");
	return 0;
}

static int copy_scalar(struct loader *l, const yaml_event_t *e, char **ret)
{
	const char *value = (const char *)e->data.scalar.value;
	char *copy;

	if (memchr(value, '\0', e->data.scalar.length))
		return fail_at(l, ASSAY_E_UNSUPPORTED, &e->start_mark, "text with a NUL in it");
	copy = strdup(value);
	if (!copy)
		return assay_fail_mem(l->err);
	*ret = copy;
	return 0;
}

static int load_node(struct loader *l, const yaml_event_t *e, unsigned depth,
		     struct assay_yaml **ret);

static int load_seq(struct loader *l, struct assay_yaml *seq, unsigned depth)
{
	for (;;) {
		struct assay_yaml *item = NULL;
		yaml_event_t e;
		int r;

		if (next_event(l, &e) < 0)
			return -1;
		if (e.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&e);
			return 0;
		}
		r = load_node(l, &e, depth + 1, &item);
		yaml_event_delete(&e);
		if (r < 0)
			return -1;
		if (assay_yaml_append(seq, item) < 0)
			return assay_fail_mem(l->err);
	}
}

static int load_key(struct loader *l, const yaml_event_t *e, char **ret)
{
	if (e->type == YAML_ALIAS_EVENT)
		return fail_at(l, ASSAY_E_UNSUPPORTED, &e->start_mark, "YAML aliases are refused");
	if (e->type != YAML_SCALAR_EVENT)
		return fail_at(l, ASSAY_E_CORRUPT, &e->start_mark, "a key that is no plain text");
	if (check_plain(l, e, e->data.scalar.anchor, e->data.scalar.tag) < 0)
		return -1;
	if (e->data.scalar.length > ASSAY_YAML_MAX_KEY)
		return assay_fail(l->err, ASSAY_E_LIMIT, byte_of(l, &e->start_mark),
				  "line %zu: a key of %zu bytes, limit %d", e->start_mark.line + 1,
				  e->data.scalar.length, ASSAY_YAML_MAX_KEY);
	return copy_scalar(l, e, ret);
}

static int compare_members(const void *a, const void *b)
{
	const struct assay_yaml *const *x = a, *const *y = b;
	const int order = strcmp((*x)->key, (*y)->key);

	return order ? order : ((*x)->at > (*y)->at) - ((*x)->at < (*y)->at);
}

/* By sorting, as comparing each with each would take quadratic time. */
static int check_duplicates(struct loader *l, const struct assay_yaml *map)
{
	ASSAY_AUTO_FREE const struct assay_yaml **sorted = NULL;

	if (map->n < 2)
		return 0;
	sorted = malloc(map->n * sizeof(*sorted));
	if (!sorted)
		return assay_fail_mem(l->err);
	for (size_t i = 0; i < map->n; i++)
		sorted[i] = map->items[i];
	qsort(sorted, map->n, sizeof(*sorted), compare_members);
	for (size_t i = 1; i < map->n; i++) {
		if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
			return assay_fail(l->err, ASSAY_E_CORRUPT, sorted[i]->at,
					  "line %u: key '%s' given twice, first on line %u",
					  sorted[i]->line, sorted[i]->key, sorted[i - 1]->line);
	}
	return 0;
}

static int load_map(struct loader *l, struct assay_yaml *map, unsigned depth)
{
	for (;;) {
		ASSAY_AUTO(assay_yaml) *value = NULL;
		ASSAY_AUTO_FREE char *key = NULL;
		yaml_event_t e;
		int r;

		if (next_event(l, &e) < 0)
			return -1;
		if (e.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&e);
			return check_duplicates(l, map);
		}
		r = load_key(l, &e, &key);
		yaml_event_delete(&e);
		if (r < 0 || next_event(l, &e) < 0)
			return -1;
		r = load_node(l, &e, depth + 1, &value);
		yaml_event_delete(&e);
		if (r < 0)
			return -1;
		value->key = assay_steal(&key);
		if (assay_yaml_push(map, assay_steal(&value)) < 0)
			return assay_fail_mem(l->err);
	}
}

static int load_node(struct loader *l, const yaml_event_t *e, unsigned depth,
		     struct assay_yaml **ret)
{
	ASSAY_AUTO(assay_yaml) *node = NULL;

	if (e->type == YAML_ALIAS_EVENT)
		return fail_at(l, ASSAY_E_UNSUPPORTED, &e->start_mark, "YAML aliases are refused");
	if (depth > ASSAY_YAML_MAX_DEPTH)
		return assay_fail(l->err, ASSAY_E_LIMIT, byte_of(l, &e->start_mark),
				  "line %zu: YAML nested deeper than %d", e->start_mark.line + 1,
				  ASSAY_YAML_MAX_DEPTH);
	if (++l->n_nodes > ASSAY_YAML_MAX_NODES)
		return assay_fail(l->err, ASSAY_E_LIMIT, byte_of(l, &e->start_mark),
				  "line %zu: more than %d YAML nodes", e->start_mark.line + 1,
				  ASSAY_YAML_MAX_NODES);
	node = calloc(1, sizeof(*node));
	if (!node)
		return assay_fail_mem(l->err);
	node->at = byte_of(l, &e->start_mark);
	node->line = (unsigned)e->start_mark.line + 1;

	switch (e->type) {
	case YAML_SCALAR_EVENT:
		node->kind = ASSAY_YAML_SCALAR;
		if (check_plain(l, e, e->data.scalar.anchor, e->data.scalar.tag) < 0 ||
		    copy_scalar(l, e, &node->scalar) < 0)
			return -1;
		break;
	case YAML_SEQUENCE_START_EVENT:
		node->kind = ASSAY_YAML_SEQ;
		node->flow = e->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
		if (check_plain(l, e, e->data.sequence_start.anchor, e->data.sequence_start.tag) <
			    0 ||
		    load_seq(l, node, depth) < 0)
			return -1;
		break;
	case YAML_MAPPING_START_EVENT:
		node->kind = ASSAY_YAML_MAP;
		node->flow = e->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
		if (check_plain(l, e, e->data.mapping_start.anchor, e->data.mapping_start.tag) <
			    0 ||
		    load_map(l, node, depth) < 0)
			return -1;
		break;
	default:
		return fail_at(l, ASSAY_E_CORRUPT, &e->start_mark, "YAML: not a node");
	}
	*ret = assay_steal(&node);
	return 0;
}

/* The next event, which must be of this type; its contents are of no interest. */
static int expect(struct loader *l, yaml_event_type_t type, const char *otherwise)
{
	yaml_event_t e;
	int r = 0;

	if (next_event(l, &e) < 0)
		return -1;
	if (e.type != type)
		r = fail_at(l, ASSAY_E_CORRUPT, &e.start_mark, otherwise);
	else if (type == YAML_DOCUMENT_START_EVENT &&
		 (e.data.document_start.version_directive ||
		  e.data.document_start.tag_directives.start !=
			  e.data.document_start.tag_directives.end))
		r = fail_at(l, ASSAY_E_UNSUPPORTED, &e.start_mark, "YAML directives are refused");
	yaml_event_delete(&e);
	return r;
}

static int load_document(struct loader *l, struct assay_yaml **ret)
{
	ASSAY_AUTO(assay_yaml) *node = NULL;
	yaml_event_t e;
	int r;

	if (expect(l, YAML_STREAM_START_EVENT, "YAML: no stream") < 0 ||
	    expect(l, YAML_DOCUMENT_START_EVENT, "an empty YAML file") < 0 || next_event(l, &e) < 0)
		return -1;
	r = load_node(l, &e, 1, &node);
	yaml_event_delete(&e);
	if (r < 0 || expect(l, YAML_DOCUMENT_END_EVENT, "YAML: the document goes on") < 0 ||
	    expect(l, YAML_STREAM_END_EVENT, "a second YAML document") < 0)
		return -1;
	*ret = assay_steal(&node);
	return 0;
}

int assay_yaml_parse(const char *text, size_t len, struct assay_yaml **ret, struct assay_err *err)
{
	/* libyaml counts a byte order mark as a column, and then wonders about the indentation. */
	const size_t mark = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	struct loader l = { .text = text + mark, .len = len - mark, .mark = mark, .err = err };
	int r;

	if (len > ASSAY_YAML_MAX_FILE)
		return assay_fail(err, ASSAY_E_LIMIT, ASSAY_NO_OFFSET,
				  "YAML of %zu bytes, limit %u", len, ASSAY_YAML_MAX_FILE);
	if (!yaml_parser_initialize(&l.yaml))
		return assay_fail_mem(err);
	/* Said outright, or another mark would switch to UTF-16. */
	yaml_parser_set_encoding(&l.yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l.yaml, (const unsigned char *)l.text, l.len);
	r = load_document(&l, ret);
	yaml_parser_delete(&l.yaml);
	return r;
}

int assay_yaml_load(const char *path, struct assay_yaml **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *text = NULL;

	if (assay_src_open_file(path, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), ASSAY_YAML_MAX_FILE, &text, err) < 0)
		return -1;
	return assay_yaml_parse((const char *)text, (size_t)assay_src_size(src), ret, err);
}
