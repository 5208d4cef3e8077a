/* SPDX-License-Identifier: Apache-2.0 */
/* What an event says, held against the shape of its kind (docs/PROOF.md). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base64.h"
#include "core/limits.h"
#include "core/text.h"
#include "tpm/runtime_priv.h"

enum form {
	TEXT,	/* not empty */
	HASH,	/* assay_runtime_hash() */
	SHA256, /* "sha256:<hex>" */
	COUNT,	/* an integer, not negative */
	NUMBER, /* integer or real, not negative */
	MEMBERS, /* an object with the fields of `sub` */
	OBJECT, /* any */
	END,
};

struct field {
	const char *name;
	enum form form;
	bool optional;
	const struct field *sub;
};

/* clang-format off */
static const struct field path_spec[] = { { "path", TEXT }, { NULL, END } };
static const struct field hashed[] = { { "hash", HASH }, { NULL, END } };
static const struct field one[] = { { "spec", MEMBERS, false, path_spec }, { "resolved", MEMBERS, false, hashed }, { NULL, END } };

static const struct field image_spec[] = { { "image_name", TEXT }, { NULL, END } };
static const struct field image_id[] = { { "id", SHA256 }, { NULL, END } };
static const struct field image[] = { { "spec", MEMBERS, false, image_spec }, { "resolved", MEMBERS, false, image_id }, { NULL, END } };

static const struct field tree_hash[] = { { "hash", SHA256 }, { "files", COUNT }, { NULL, END } };
static const struct field tree[] = { { "spec", MEMBERS, false, path_spec }, { "resolved", MEMBERS, false, tree_hash }, { NULL, END } };

static const struct field weights_hash[] = { { "hash", SHA256, true }, { "fsverity", SHA256, true }, { "files", COUNT }, { NULL, END } };
static const struct field weights[] = { { "spec", MEMBERS, false, path_spec }, { "resolved", MEMBERS, false, weights_hash }, { NULL, END } };

static const struct field file_hash[] = { { "hash", SHA256, true }, { "fsverity", SHA256, true }, { "size", COUNT }, { NULL, END } };
static const struct field file[] = { { "spec", MEMBERS, false, path_spec }, { "resolved", MEMBERS, false, file_hash }, { NULL, END } };

static const struct field proto[] = { { "resource_type", TEXT }, { "path", TEXT }, { "repo", TEXT, true }, { "hash", TEXT, true }, { NULL, END } };
static const struct field proto_spec[] = { { "resource_proto", MEMBERS, false, proto }, { NULL, END } };
static const struct field input[] = { { "spec", MEMBERS, false, proto_spec }, { "resolved", MEMBERS, false, hashed }, { NULL, END } };

static const struct field config_spec[] = { { "path", TEXT, true }, { "config_file", OBJECT, true }, { NULL, END } };
static const struct field config[] = { { "spec", MEMBERS, false, config_spec }, { "resolved", MEMBERS, false, hashed }, { NULL, END } };

static const struct field timing[] = { { "finetune_time", NUMBER }, { NULL, END } };
static const struct field compute[] = { { "total_flos", NUMBER }, { NULL, END } };
/* clang-format on */

static const struct shape {
	const struct field *fields; /* NULL: any object */
	bool array;		    /* of objects with these */
	const char *parent, *either, *or; /* exactly one of two members of parent */
} shapes[] = {
	[ASSAY_RUN_REQUEST] = { NULL },
	[ASSAY_RUN_CONTAINER] = { image },
	[ASSAY_RUN_CODE] = { tree },
	[ASSAY_RUN_WEIGHTS_FILE] = { file, .parent = "resolved", .either = "hash", .or = "fsverity" },
	[ASSAY_RUN_WEIGHTS_TREE] = { weights, .parent = "resolved", .either = "hash", .or = "fsverity" },
	[ASSAY_RUN_INPUT] = { input },
	[ASSAY_RUN_CONFIGURATION] = { config, .parent = "spec", .either = "path", .or = "config_file" },
	[ASSAY_RUN_OUTPUTS] = { one, .array = true },
	[ASSAY_RUN_TIMING] = { timing },
	[ASSAY_RUN_COMPUTE] = { compute },
};

/* A foreign name for a message, cut and without what upsets a terminal; *s is the caller's to clear. */
static const char *shown(struct assay_str *s, const char *name)
{
	assay_str_add_escaped(s, name, strnlen(name, 60));
	return s->p ? s->p : "";
}

static int bad(struct assay_err *err, const char *where, const char *name, const char *what)
{
	struct assay_str s = { 0 };

	assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "%s: member '%s' %s", where, shown(&s, name), what);
	assay_str_clear(&s);
	return -1;
}

/* Numbers that are no integer come as text. */
static bool is_number(const struct assay_json *v)
{
	const char *text = assay_json_str(v);
	int64_t n;

	return text ? assay_json_is_number(text, strlen(text)) && text[0] != '-' :
		      assay_json_get_int(v, &n) && n >= 0;
}

static bool has_form(const struct assay_json *v, enum form form)
{
	const char *text = assay_json_str(v);
	char hex[ASSAY_HEX_MAX];
	enum assay_bank bank;
	int64_t n;

	switch (form) {
	case TEXT:
		return text && *text;
	case HASH:
		return text && assay_runtime_hash(text, &bank, hex);
	case SHA256:
		return text && strncmp(text, "sha256:", 7) == 0 && assay_runtime_hash(text, &bank, hex);
	case COUNT:
		return assay_json_get_int(v, &n) && n >= 0;
	case NUMBER:
		return is_number(v);
	case MEMBERS:
	case OBJECT:
		return assay_json_is_object(v);
	case END:
		break;
	}
	return false;
}

static const struct field *find(const struct field *fields, const char *name)
{
	while (fields->form != END && strcmp(fields->name, name) != 0)
		fields++;
	return fields->form == END ? NULL : fields;
}

struct known {
	const struct field *fields;
	const char *where;
	struct assay_err *err;
};

static int check_known(const char *key, const struct assay_json *value, void *arg)
{
	const struct known *k = arg;

	(void)value;
	return find(k->fields, key) ? 0 : bad(k->err, k->where, key, "is not known");
}

/* Down to the depth of the tables above: four. */
static int check(const struct assay_json *o, const struct field *fields, const char *where, struct assay_err *err)
{
	struct known known = { fields, where, err };

	for (const struct field *f = fields; f->form != END; f++) {
		const struct assay_json *v = assay_json_get(o, f->name);

		if (!v && f->optional)
			continue;
		if (!v)
			return bad(err, where, f->name, "is missing");
		if (!has_form(v, f->form))
			return bad(err, where, f->name, "is not what it has to be");
		if (f->form == MEMBERS && check(v, f->sub, f->name, err) < 0)
			return assay_wrap(err, "%s", where);
	}
	return assay_json_each(o, check_known, &known);
}

static int check_content(const struct assay_json *content, enum assay_runtime_kind kind, struct assay_err *err)
{
	const struct shape *s = &shapes[kind];
	const size_t n = s->array ? assay_json_len(content) : 1;

	if (s->array ? !assay_json_is_array(content) : !assay_json_is_object(content))
		return bad(err, "event", "content", s->array ? "is no array" : "is no object");
	if (n == 0 || n > ASSAY_RUNTIME_MAX_ITEMS)
		return assay_fail(err, n ? ASSAY_E_LIMIT : ASSAY_E_CORRUPT, ASSAY_NO_OFFSET,
				  "content: %zu items, 1 to %u are possible", n, ASSAY_RUNTIME_MAX_ITEMS);
	for (size_t i = 0; s->fields && i < n; i++)
		if (check(s->array ? assay_json_at(content, i) : content, s->fields, "content", err) < 0)
			return s->array ? assay_wrap(err, "item %zu", i) : -1;
	if (s->parent) {
		const struct assay_json *parent = assay_json_get(content, s->parent);

		if (!assay_json_get(parent, s->either) == !assay_json_get(parent, s->or))
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "content: %s: one of '%s' and '%s' has to be there",
					  s->parent, s->either, s->or);
	}
	return 0;
}

static const struct field event_fields[] = { { "event_type", TEXT }, { "content", MEMBERS }, { NULL, END } };

static int parse_event(const struct assay_runtime_event *ev, enum assay_runtime_kind *ret_kind,
		       struct assay_json **ret_content, struct assay_err *err)
{
	ASSAY_AUTO(assay_json) *top = NULL;
	ASSAY_AUTO(assay_json) *content = NULL;
	struct known known = { event_fields, "event", err };
	enum assay_runtime_kind kind;
	const char *type;

	if (assay_json_parse_reals(ev->text, ev->len, &top, err) < 0)
		return -1;
	type = assay_json_str(assay_json_get(top, "event_type"));
	if (!type)
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "an event without event_type");
	if (strcmp(type, "axolotl_configuration") == 0) {
		kind = ASSAY_RUN_CONFIGURATION;
	} else if (!assay_runtime_kind_from_name(type, &kind) || assay_runtime_carrier(kind) != ASSAY_CARRY_EVENT) {
		struct assay_str s = { 0 };

		assay_fail(err, ASSAY_E_UNSUPPORTED, ASSAY_NO_OFFSET, "event type '%s' is not known", shown(&s, type));
		assay_str_clear(&s);
		return -1;
	}
	if (!assay_json_get(top, "content"))
		return bad(err, "event", "content", "is missing");
	if (assay_json_each(top, check_known, &known) != 0)
		return -1;
	if (check_content(assay_json_get(top, "content"), kind, err) < 0)
		return assay_wrap(err, "%s", assay_runtime_kind_name(kind));
	if (ret_content) {
		content = assay_json_take(&top, "content");
		if (!content)
			return assay_fail_mem(err);
		*ret_content = assay_steal(&content);
	}
	*ret_kind = kind;
	return 0;
}

int assay_runtime_fingerprint(const struct assay_runtime_event *ev, uint8_t ret[32], struct assay_err *err)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
	ASSAY_AUTO_FREE char *packed = NULL;
	ASSAY_AUTO_FREE uint8_t *der = NULL;
	const size_t n_begin = sizeof(begin) - 1, n_end = sizeof(end) - 1;
	const char *stop, *p = ev->text;
	struct assay_digests d;
	struct assay_err why = { 0 };
	size_t n = 0, n_rest, der_len;

	if (ev->len <= n_begin || memcmp(p, begin, n_begin) != 0 || (p[n_begin] != '\n' && p[n_begin] != '\r'))
		return assay_fail(err, ASSAY_E_CORRUPT, 0, "a certificate that does not begin with %s", begin);
	stop = memmem(p, ev->len, end, n_end);
	/* A newline may follow, and nothing else: no second certificate, which nobody would look at. */
	n_rest = stop ? ev->len - (size_t)(stop - p) - n_end : 0;
	if (!stop || n_rest > 1 || (n_rest == 1 && stop[n_end] != '\n'))
		return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "a certificate that does not end with %s", end);
	packed = malloc(ev->len);
	if (!packed)
		return assay_fail_mem(err);
	for (p += n_begin; p < stop; p++)
		if (*p != '\n' && *p != '\r')
			packed[n++] = *p;
	if (n == 0 || assay_base64_decode(packed, n, &der, &der_len, &why) < 0)
		return why.code == ASSAY_E_NOMEM ? assay_fail_mem(err) : assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "a certificate that is not PEM");
	if (assay_digest_mem(ASSAY_BANK_BIT(ASSAY_SHA256), der, der_len, &d, err) < 0)
		return -1;
	memcpy(ret, d.d[ASSAY_SHA256], 32);
	return 0;
}

int assay_runtime_parse(const struct assay_runtime_event *ev, enum assay_runtime_kind *ret_kind,
			struct assay_json **ret_content, struct assay_err *err)
{
	enum assay_runtime_kind kind = ASSAY_RUN_DISK;
	ASSAY_AUTO(assay_json) *content = NULL;
	struct assay_digests d;
	uint8_t fingerprint[32];

	/* The rules of the carriers are those of what is extended. */
	if (assay_runtime_digests(ev, ASSAY_BANK_BIT(ASSAY_SHA256), &d, err) < 0)
		return -1;
	switch (ev->carrier) {
	case ASSAY_CARRY_EVENT:
		if (parse_event(ev, &kind, ret_content ? &content : NULL, err) < 0)
			return -1;
		break;
	case ASSAY_CARRY_CERTIFICATE:
		if (assay_runtime_fingerprint(ev, fingerprint, err) < 0)
			return -1;
		kind = ASSAY_RUN_TLS;
		break;
	case ASSAY_CARRY_SENTINEL:
		kind = ASSAY_RUN_SENTINEL;
		break;
	case ASSAY_CARRY_ROOT_HASH:
	default:
		break;
	}
	if (ret_kind)
		*ret_kind = kind;
	if (ret_content)
		*ret_content = assay_steal(&content);
	return 0;
}
