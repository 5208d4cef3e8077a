/* SPDX-License-Identifier: Apache-2.0 */
/* Where a profile comes from: its 'origin', checked by one table, and as JSON. */
#include "precompute/platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "precompute/platform_priv.h"

enum field_kind { TEXT, KIND, DATE, SHA256, SIZE, TEXTS, MAP, MAPS };

struct field {
	const char *key;
	enum field_kind kind;
	bool required;
	const struct field *members; /* of MAP and MAPS */
};

static const struct field firmware_fields[] = {
	{ "file", TEXT, true },
	{ "sha256", SHA256, true },
	{ "size", SIZE },
	{ 0 },
};
static const struct field qemu_fields[] = {
	{ "version", TEXT, true },
	{ "arguments", TEXTS, true },
	{ 0 },
};
static const struct field log_fields[] = {
	{ "file", TEXT },
	{ "sha256", SHA256, true },
	{ 0 },
};
static const struct field probe_fields[] = {
	{ "file", TEXT },
	{ "sha256", SHA256, true }, /* Authenticode */
	{ 0 },
};
static const struct field origin_fields[] = {
	{ "kind", KIND, true },
	{ "date", DATE, true },
	{ "firmware", MAPS, false, firmware_fields },
	{ "qemu", MAP, false, qemu_fields },
	{ "log", MAP, false, log_fields },
	{ "probe", MAP, false, probe_fields },
	{ "sources", TEXTS },
	{ "note", TEXT },
	{ 0 },
};

static bool is_date(const char *s)
{
	static const char form[] = "dddd-dd-dd";

	if (strlen(s) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == 'd' ? (s[i] < '0' || s[i] > '9') : s[i] != form[i])
			return false;
	return true;
}

static bool is_kind(const char *s)
{
	return strcmp(s, "probe") == 0 || strcmp(s, "learned") == 0 || strcmp(s, "cited") == 0;
}

static int check_scalar(const struct assay_yaml *node, const char *key, enum field_kind kind,
			struct assay_err *err)
{
	uint8_t bytes[32];

	if (node->kind != ASSAY_YAML_SCALAR)
		return assay_platform_fail_at(err, node, "%s has to be a text", key);
	if (kind == KIND && !is_kind(node->scalar))
		return assay_platform_fail_at(err, node, "kind '%s': probe, learned or cited",
					      node->scalar);
	if (kind == DATE && !is_date(node->scalar))
		return assay_platform_fail_at(err, node, "date '%s': YYYY-MM-DD", node->scalar);
	if (kind == SHA256 &&
	    !assay_unhex(node->scalar, strlen(node->scalar), bytes, sizeof(bytes)))
		return assay_platform_fail_at(err, node, "%s digest is not 64 hex digits", key);
	if (kind == SIZE &&
	    (node->scalar[0] == '\0' || strspn(node->scalar, "0123456789") != strlen(node->scalar)))
		return assay_platform_fail_at(err, node, "size '%s' is no number", node->scalar);
	return 0;
}

static int check_map(const struct assay_yaml *map, const struct field *fields, const char *what,
		     struct assay_err *err);

static int check_field(const struct assay_yaml *node, const struct field *f, struct assay_err *err)
{
	if (f->kind == MAP)
		return check_map(node, f->members, f->key, err);
	if (f->kind != MAPS && f->kind != TEXTS)
		return check_scalar(node, f->key, f->kind, err);
	if (node->kind != ASSAY_YAML_SEQ)
		return assay_platform_fail_at(err, node, "%s has to be a list", f->key);
	for (size_t i = 0; i < node->n; i++) {
		const int r = f->kind == MAPS ? check_map(node->items[i], f->members, f->key, err)
					      : check_scalar(node->items[i], f->key, TEXT, err);

		if (r < 0)
			return -1;
	}
	return 0;
}

static const struct field *find_field(const struct field *fields, const char *key)
{
	for (const struct field *f = fields; f->key; f++)
		if (strcmp(f->key, key) == 0)
			return f;
	return NULL;
}

static int check_map(const struct assay_yaml *map, const struct field *fields, const char *what,
		     struct assay_err *err)
{
	if (map->kind != ASSAY_YAML_MAP)
		return assay_platform_fail_at(err, map, "%s has to be a mapping", what);
	for (size_t i = 0; i < map->n; i++) {
		const struct field *f = find_field(fields, map->items[i]->key);

		if (!f)
			return assay_platform_fail_at(err, map->items[i], "unknown key '%s' in %s",
						      map->items[i]->key, what);
		if (check_field(map->items[i], f, err) < 0)
			return -1;
	}
	for (const struct field *f = fields; f->key; f++)
		if (f->required && !assay_yaml_get(map, f->key))
			return assay_platform_fail_at(err, map, "no '%s' in %s", f->key, what);
	return 0;
}

int assay_platform_check_origin(const struct assay_yaml *origin, struct assay_err *err)
{
	return check_map(origin, origin_fields, "origin", err);
}

static struct assay_json *node_json(const struct assay_yaml *node)
{
	struct assay_json *json;

	if (node->kind == ASSAY_YAML_SCALAR)
		return assay_json_string(node->scalar);
	json = node->kind == ASSAY_YAML_MAP ? assay_json_object() : assay_json_array();
	for (size_t i = 0; i < node->n; i++) {
		if (node->kind == ASSAY_YAML_MAP)
			assay_json_set(json, node->items[i]->key, node_json(node->items[i]));
		else
			assay_json_append(json, node_json(node->items[i]));
	}
	return json;
}

struct assay_json *assay_platform_json(const struct assay_platform *p)
{
	struct assay_json *json = assay_json_object();

	assay_json_set_str(json, "schema", ASSAY_PLATFORM_SCHEMA);
	assay_json_set_str(json, "name", p->name);
	if (p->description)
		assay_json_set_str(json, "description", p->description);
	assay_json_set_str(json, "arch", p->arch);
	if (p->digest.banks)
		assay_json_set(json, "digest", assay_json_digests(&p->digest));
	assay_json_set(json, "secure_boot",
		       p->secure_boot < 0 ? assay_json_null() : assay_json_bool(p->secure_boot));
	if (p->origin)
		assay_json_set(json, "origin", node_json(p->origin));
	return json;
}
