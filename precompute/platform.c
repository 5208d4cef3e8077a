/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Platform profiles out of YAML (docs/FORMATS.md, assay-platform(5)). Strict: a key that is not
 * known, a digest that is missing or too short, an event that no machine can have is refused with
 * its line.
 */
#include "precompute/platform.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/src.h"
#include "core/text.h"
#include "precompute/platform_priv.h"

int assay_platform_fail_at(struct assay_err *err, const struct assay_yaml *node, const char *fmt,
			   ...)
{
	char msg[sizeof(err->msg)] = "";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	return assay_fail(err, ASSAY_E_CORRUPT, node->at, "line %u: %s", node->line, msg);
}

static void value_clear(struct assay_platform_value *v)
{
	free(v->hashed);
	free(v->note);
}

static void event_clear(struct assay_platform_event *e)
{
	for (size_t i = 0; i < e->n_values; i++)
		value_clear(&e->values[i]);
	free(e->values);
	free(e->data);
	free(e->note);
}

void assay_platform_free(struct assay_platform **p)
{
	if (!p || !*p)
		return;
	for (size_t i = 0; i < (*p)->n; i++)
		event_clear(&(*p)->events[i]);
	free((*p)->events);
	for (size_t i = 0; i < ASSAY_N_PCRS; i++)
		free((*p)->unknown[i]);
	assay_yaml_free(&(*p)->origin);
	free((*p)->name);
	free((*p)->description);
	free((*p)->arch);
	free(*p);
	*p = NULL;
}

/* --- scalars ------------------------------------------------------------------------------------
 */

static int copy_str(const struct assay_yaml *map, const char *key, bool required, char **ret,
		    struct assay_err *err)
{
	const char *s;

	if (assay_yaml_str(map, key, required, &s, err) < 0)
		return -1;
	if (!s)
		return 0;
	if (*s == '\0')
		return assay_platform_fail_at(err, assay_yaml_get(map, key), "%s is empty", key);
	*ret = assay_strdup(s);
	return *ret ? 0 : assay_fail_mem(err);
}

static int expect_kind(const struct assay_yaml *node, enum assay_yaml_kind kind, const char *what,
		       struct assay_err *err)
{
	static const char *const names[] = { "a text", "a list", "a mapping" };

	if (node->kind == kind)
		return 0;
	return assay_platform_fail_at(err, node, "%s has to be %s", what, names[kind]);
}

/* A required list of 1 to max items. */
static int get_list(const struct assay_yaml *map, const char *key, size_t max,
		    const struct assay_yaml **ret, struct assay_err *err)
{
	const struct assay_yaml *list = assay_yaml_get(map, key);

	if (!list)
		return assay_platform_fail_at(err, map, "no '%s'", key);
	if (expect_kind(list, ASSAY_YAML_SEQ, key, err) < 0)
		return -1;
	if (list->n == 0)
		return assay_platform_fail_at(err, list, "'%s' is empty", key);
	if (list->n > max)
		return assay_fail(err, ASSAY_E_LIMIT, list->at,
				  "line %u: %zu items in '%s', limit %zu", list->line, list->n, key,
				  max);
	*ret = list;
	return 0;
}

static int unhex_new(const struct assay_yaml *node, const char *what, uint8_t **ret,
		     size_t *ret_len, struct assay_err *err)
{
	ASSAY_AUTO_FREE uint8_t *bytes = NULL;
	const size_t len = strlen(node->scalar);

	if (len / 2 > ASSAY_PLATFORM_MAX_DATA)
		return assay_fail(err, ASSAY_E_LIMIT, node->at,
				  "line %u: %s of %zu bytes, limit %d", node->line, what, len / 2,
				  ASSAY_PLATFORM_MAX_DATA);
	bytes = malloc(len / 2 + 1);
	if (!bytes)
		return assay_fail_mem(err);
	if (len % 2 != 0 || !assay_unhex(node->scalar, len, bytes, len / 2))
		return assay_platform_fail_at(err, node, "%s is not hex", what);
	*ret = assay_steal(&bytes);
	*ret_len = len / 2;
	return 0;
}

/* --- values -------------------------------------------------------------------------------------
 */

int assay_platform_value_digest(struct assay_platform_value *v, unsigned banks,
				struct assay_err *err)
{
	static const uint8_t nul[2];
	ASSAY_AUTO_FREE uint8_t *bytes = NULL;
	struct assay_part parts[2] = { { v->hashed, strlen(v->hashed) }, { nul, 0 } };

	if (v->form == ASSAY_FORM_UTF16) {
		if (assay_utf8_to_utf16(v->hashed, parts[0].len, &bytes, &parts[0].len, err) < 0)
			return -1;
		parts[0].p = bytes;
		parts[1].len = sizeof(nul);
	} else if (v->form == ASSAY_FORM_HEX) {
		const size_t n = parts[0].len / 2;

		bytes = malloc(n + 1);
		if (!bytes)
			return assay_fail_mem(err);
		if (!assay_unhex(v->hashed, parts[0].len, bytes, n))
			return assay_fail(err, ASSAY_E_CORRUPT, ASSAY_NO_OFFSET, "'%s' is not hex",
					  v->hashed);
		parts[0].p = bytes;
		parts[0].len = n;
	}
	return assay_digest_parts(banks, parts, 2, &v->digests, err);
}

/* {sha1: ..., sha256: ...}: each bank of the profile, and no other. */
static int read_digests(const struct assay_yaml *map, unsigned banks, struct assay_digests *ret,
			struct assay_err *err)
{
	if (expect_kind(map, ASSAY_YAML_MAP, "digests", err) < 0)
		return -1;
	for (size_t i = 0; i < map->n; i++) {
		const struct assay_yaml *m = map->items[i];
		enum assay_bank bank;

		/* Names as we write them: "SHA-256" would be a second key for the same bank. */
		if (!assay_bank_from_name(m->key, &bank) ||
		    strcmp(m->key, assay_bank_name(bank)) != 0)
			return assay_platform_fail_at(err, m, "unknown key '%s' in digests",
						      m->key);
		if (!(banks & ASSAY_BANK_BIT(bank)))
			return assay_platform_fail_at(err, m, "%s is not in 'banks'", m->key);
		if (expect_kind(m, ASSAY_YAML_SCALAR, m->key, err) < 0)
			return -1;
		if (!assay_unhex(m->scalar, strlen(m->scalar), ret->d[bank], assay_bank_size(bank)))
			return assay_platform_fail_at(err, m, "%s digest is not %zu hex digits",
						      m->key, 2 * assay_bank_size(bank));
		ret->banks |= ASSAY_BANK_BIT(bank);
	}
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
		if ((banks & ~ret->banks) & ASSAY_BANK_BIT(b))
			return assay_platform_fail_at(err, map, "no %s digest", assay_bank_name(b));
	return 0;
}

static const struct {
	const char *key;
	enum assay_platform_form form;
} forms[] = {
	{ "digests", ASSAY_FORM_DIGESTS },
	{ "text", ASSAY_FORM_TEXT },
	{ "utf16", ASSAY_FORM_UTF16 },
	{ "hex", ASSAY_FORM_HEX },
};
#define N_FORMS (sizeof(forms) / sizeof(forms[0]))

static int read_hashed(const struct assay_yaml *node, unsigned banks,
		       struct assay_platform_value *v, struct assay_err *err)
{
	if (expect_kind(node, ASSAY_YAML_SCALAR, node->key, err) < 0)
		return -1;
	if (v->form == ASSAY_FORM_HEX) {
		ASSAY_AUTO_FREE uint8_t *bytes = NULL;
		size_t n;

		if (unhex_new(node, "hex", &bytes, &n, err) < 0)
			return -1;
		v->hashed = malloc(2 * n + 1);
		if (!v->hashed)
			return assay_fail_mem(err);
		assay_hex(bytes, n, v->hashed);
	} else {
		if (strlen(node->scalar) > ASSAY_PLATFORM_MAX_DATA)
			return assay_fail(err, ASSAY_E_LIMIT, node->at,
					  "line %u: %s of %zu bytes, limit %d", node->line,
					  node->key, strlen(node->scalar), ASSAY_PLATFORM_MAX_DATA);
		v->hashed = assay_strdup(node->scalar);
		if (!v->hashed)
			return assay_fail_mem(err);
	}
	return assay_platform_value_digest(v, banks, err);
}

/* The one of digests, text, utf16 and hex that the mapping has. */
static int read_value(const struct assay_yaml *map, unsigned banks, struct assay_platform_value *v,
		      struct assay_err *err)
{
	const struct assay_yaml *node = NULL;

	for (size_t i = 0; i < N_FORMS; i++) {
		const struct assay_yaml *m = assay_yaml_get(map, forms[i].key);

		if (m && node)
			return assay_platform_fail_at(err, m, "both '%s' and '%s'", node->key,
						      m->key);
		if (m) {
			node = m;
			v->form = forms[i].form;
		}
	}
	if (!node)
		return assay_platform_fail_at(err, map, "no 'digests', 'text', 'utf16' or 'hex'");
	if (v->form == ASSAY_FORM_DIGESTS)
		return read_digests(node, banks, &v->digests, err);
	return read_hashed(node, banks, v, err);
}

static int read_accept(const struct assay_yaml *map, unsigned banks, struct assay_platform_event *e,
		       struct assay_err *err)
{
	static const char *const keys[] = { "digests", "text", "utf16", "hex", "note", NULL };
	const struct assay_yaml *list;

	if (get_list(map, "accept", ASSAY_PLATFORM_MAX_VALUES, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < N_FORMS; i++)
		if (assay_yaml_get(map, forms[i].key))
			return assay_platform_fail_at(err, list, "both 'accept' and '%s'",
						      forms[i].key);
	e->values = calloc(list->n, sizeof(*e->values));
	if (!e->values)
		return assay_fail_mem(err);
	e->n_values = list->n;
	for (size_t i = 0; i < list->n; i++) {
		struct assay_platform_value *v = &e->values[i];

		if (expect_kind(list->items[i], ASSAY_YAML_MAP, "an accepted value", err) < 0 ||
		    assay_yaml_only(list->items[i], keys, "an accepted value", err) < 0 ||
		    read_value(list->items[i], banks, v, err) < 0 ||
		    copy_str(list->items[i], "note", false, &v->note, err) < 0)
			return -1;
		for (size_t k = 0; k < i; k++)
			if (assay_digests_equal(&e->values[k].digests, &v->digests))
				return assay_platform_fail_at(err, list->items[i],
							      "the same value is accepted twice");
	}
	return 0;
}

/* --- events -------------------------------------------------------------------------------------
 */

static const char *const slot_names[] = {
	[ASSAY_SLOT_GPT] = "gpt",
	[ASSAY_SLOT_BOOT] = "boot",
	[ASSAY_SLOT_EXIT] = "exit",
};

static int read_slot(const struct assay_yaml *map, struct assay_platform_event *e,
		     struct assay_err *err)
{
	static const char *const keys[] = { "slot", "note", NULL };
	static const char *const boot_keys[] = { "slot", "tries", "note", NULL };
	const struct assay_yaml *node = assay_yaml_get(map, "slot");
	const char *name;
	uint64_t tries = 0;

	if (assay_yaml_str(map, "slot", true, &name, err) < 0)
		return -1;
	for (unsigned i = ASSAY_SLOT_GPT; i <= ASSAY_SLOT_EXIT; i++)
		if (strcmp(name, slot_names[i]) == 0)
			e->slot = (enum assay_slot)i;
	if (e->slot == ASSAY_SLOT_NONE)
		return assay_platform_fail_at(err, node, "slot '%s': gpt, boot or exit", name);
	if (assay_yaml_only(map, e->slot == ASSAY_SLOT_BOOT ? boot_keys : keys, "a slot", err) <
		    0 ||
	    assay_yaml_uint(map, "tries", false, ASSAY_PLATFORM_MAX_TRIES, &tries, err) < 0)
		return -1;
	e->tries = (unsigned)tries;
	return copy_str(map, "note", false, &e->note, err);
}

/* Data is kept to be believed: it has to be what the digests were made of. */
static int read_data(const struct assay_yaml *node, unsigned banks, struct assay_platform_event *e,
		     struct assay_err *err)
{
	struct assay_digests d;

	if (expect_kind(node, ASSAY_YAML_SCALAR, "data", err) < 0 ||
	    unhex_new(node, "data", &e->data, &e->data_len, err) < 0)
		return -1;
	if (e->n_values != 1)
		return assay_platform_fail_at(err, node, "'data' and a set of accepted values");
	if (assay_digest_mem(banks, e->data, e->data_len, &d, err) < 0)
		return -1;
	if (!assay_digests_equal(&d, &e->values[0].digests))
		return assay_platform_fail_at(err, node, "the digests are not those of the data");
	return 0;
}

static int read_event(const struct assay_yaml *map, unsigned banks, struct assay_platform_event *e,
		      struct assay_err *err)
{
	static const char *const keys[] = { "pcr", "type",   "digests", "text", "utf16",
					    "hex", "accept", "data",	"note", NULL };
	const struct assay_yaml *data;
	const char *type;
	uint64_t pcr;

	if (expect_kind(map, ASSAY_YAML_MAP, "an event", err) < 0)
		return -1;
	if (assay_yaml_get(map, "slot"))
		return read_slot(map, e, err);
	if (assay_yaml_only(map, keys, "an event", err) < 0 ||
	    assay_yaml_uint(map, "pcr", true, ASSAY_PLATFORM_N_PCRS - 1, &pcr, err) < 0 ||
	    assay_yaml_str(map, "type", true, &type, err) < 0)
		return -1;
	e->pcr = (unsigned)pcr;
	if (!assay_event_type_from_name(type, &e->type))
		return assay_platform_fail_at(err, assay_yaml_get(map, "type"),
					      "unknown event type '%s'", type);
	if (e->type == EV_NO_ACTION)
		return assay_platform_fail_at(err, assay_yaml_get(map, "type"),
					      "EV_NO_ACTION extends nothing");
	if (assay_yaml_get(map, "accept")) {
		if (read_accept(map, banks, e, err) < 0)
			return -1;
	} else {
		e->values = calloc(1, sizeof(*e->values));
		if (!e->values)
			return assay_fail_mem(err);
		e->n_values = 1;
		if (read_value(map, banks, &e->values[0], err) < 0)
			return -1;
	}
	data = assay_yaml_get(map, "data");
	if (data && read_data(data, banks, e, err) < 0)
		return -1;
	return copy_str(map, "note", false, &e->note, err);
}

static int read_events(const struct assay_yaml *top, struct assay_platform *p,
		       struct assay_err *err)
{
	const struct assay_yaml *list;
	size_t last[ASSAY_SLOT_EXIT + 1] = { 0 }; /* position + 1 */

	if (get_list(top, "events", ASSAY_PLATFORM_MAX_EVENTS, &list, err) < 0)
		return -1;
	p->events = calloc(list->n, sizeof(*p->events));
	if (!p->events)
		return assay_fail_mem(err);
	p->n = list->n;
	for (size_t i = 0; i < list->n; i++) {
		struct assay_platform_event *e = &p->events[i];

		if (read_event(list->items[i], p->banks, e, err) < 0)
			return -1;
		if (e->slot == ASSAY_SLOT_NONE) {
			p->hcrtm |= e->pcr == 0 && e->type == EV_EFI_HCRTM_EVENT;
			continue;
		}
		if (last[e->slot])
			return assay_platform_fail_at(err, list->items[i], "a second slot '%s'",
						      slot_names[e->slot]);
		for (unsigned later = e->slot + 1; later <= ASSAY_SLOT_EXIT; later++)
			if (last[later])
				return assay_platform_fail_at(
					err, list->items[i], "slot '%s' after slot '%s'",
					slot_names[e->slot], slot_names[later]);
		last[e->slot] = i + 1;
	}
	for (unsigned s = ASSAY_SLOT_GPT; s <= ASSAY_SLOT_EXIT; s++)
		if (!last[s] && (s == ASSAY_SLOT_BOOT || !p->unknown[5]))
			return assay_platform_fail_at(
				err, list, "no slot '%s'%s", slot_names[s],
				s == ASSAY_SLOT_BOOT ? "" : ", and PCR 5 is not under 'unknown'");
	return 0;
}

/* --- the rest -----------------------------------------------------------------------------------
 */

static int read_unknown(const struct assay_yaml *top, struct assay_platform *p,
			struct assay_err *err)
{
	static const char *const keys[] = { "pcr", "reason", NULL };
	const struct assay_yaml *list;

	if (!assay_yaml_get(top, "unknown"))
		return 0;
	if (get_list(top, "unknown", ASSAY_PLATFORM_N_PCRS, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list->n; i++) {
		const struct assay_yaml *m = list->items[i];
		uint64_t pcr;

		if (expect_kind(m, ASSAY_YAML_MAP, "an item of 'unknown'", err) < 0 ||
		    assay_yaml_only(m, keys, "an item of 'unknown'", err) < 0 ||
		    assay_yaml_uint(m, "pcr", true, ASSAY_PLATFORM_N_PCRS - 1, &pcr, err) < 0)
			return -1;
		if (p->unknown[pcr])
			return assay_platform_fail_at(err, m, "PCR %" PRIu64 " is unknown twice",
						      pcr);
		if (copy_str(m, "reason", true, &p->unknown[pcr], err) < 0)
			return -1;
	}
	return 0;
}

static int read_banks(const struct assay_yaml *top, unsigned *ret, struct assay_err *err)
{
	const struct assay_yaml *list;
	unsigned banks = 0;

	if (get_list(top, "banks", ASSAY_N_BANKS, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list->n; i++) {
		const struct assay_yaml *m = list->items[i];
		enum assay_bank bank;

		if (expect_kind(m, ASSAY_YAML_SCALAR, "a bank", err) < 0)
			return -1;
		if (!assay_bank_from_name(m->scalar, &bank))
			return assay_platform_fail_at(err, m, "unknown bank '%s'", m->scalar);
		if (banks & ASSAY_BANK_BIT(bank))
			return assay_platform_fail_at(err, m, "bank %s given twice", m->scalar);
		banks |= ASSAY_BANK_BIT(bank);
	}
	*ret = banks;
	return 0;
}

static int read_secure_boot(const struct assay_yaml *top, struct assay_platform *p,
			    struct assay_err *err)
{
	const struct assay_yaml *node = assay_yaml_get(top, "secure_boot");
	bool on = false;

	assay_platform_find_secure_boot(p);
	if (!node)
		return 0;
	if (assay_yaml_bool(top, "secure_boot", true, &on, err) < 0)
		return -1;
	if (p->secure_boot >= 0 && p->secure_boot != (on ? 1 : 0))
		return assay_platform_fail_at(
			err, node, "secure_boot: the SecureBoot variable's event says %s",
			on ? "off" : "on");
	p->secure_boot = on ? 1 : 0;
	return 0;
}

/* The origin is kept as it was written: moved out of the tree. */
static struct assay_yaml *take_member(struct assay_yaml *map, const char *key)
{
	for (size_t i = 0; i < map->n; i++) {
		struct assay_yaml *m = map->items[i];

		if (strcmp(m->key, key) != 0)
			continue;
		memmove(&map->items[i], &map->items[i + 1], (map->n - i - 1) * sizeof(*map->items));
		map->n--;
		free(m->key);
		m->key = NULL;
		return m;
	}
	return NULL;
}

/* It names files and turns up in tables: "q35-ovmf-2025.02". */
static int check_name(const struct assay_yaml *node, struct assay_err *err)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

	if (strspn(node->scalar, allowed) != strlen(node->scalar))
		return assay_platform_fail_at(err, node,
					      "name '%s': letters, digits, '.', '_' and '-' only",
					      node->scalar);
	return 0;
}

static int read_schema(const struct assay_yaml *top, struct assay_err *err)
{
	const char *schema;

	if (assay_yaml_str(top, "schema", true, &schema, err) < 0)
		return -1;
	if (strcmp(schema, ASSAY_PLATFORM_SCHEMA) == 0)
		return 0;
	if (strncmp(schema, "assay.platform/", strlen("assay.platform/")) != 0)
		return assay_platform_fail_at(err, assay_yaml_get(top, "schema"),
					      "schema '%s' is no platform profile", schema);
	return assay_fail(err, ASSAY_E_UNSUPPORTED, assay_yaml_get(top, "schema")->at,
			  "line %u: schema '%s'; this assay reads %s",
			  assay_yaml_get(top, "schema")->line, schema, ASSAY_PLATFORM_SCHEMA);
}

static int read_top(struct assay_yaml *top, struct assay_platform *p, struct assay_err *err)
{
	static const char *const keys[] = {
		"schema",	    "name",	   "description", "arch",    "banks", "origin",
		"startup_locality", "secure_boot", "events",	  "unknown", NULL
	};
	const struct assay_yaml *origin;
	uint64_t locality = 0;

	if (expect_kind(top, ASSAY_YAML_MAP, "a platform profile", err) < 0 ||
	    read_schema(top, err) < 0 ||
	    assay_yaml_only(top, keys, "a platform profile", err) < 0 ||
	    copy_str(top, "name", true, &p->name, err) < 0 ||
	    check_name(assay_yaml_get(top, "name"), err) < 0 ||
	    copy_str(top, "description", false, &p->description, err) < 0 ||
	    copy_str(top, "arch", true, &p->arch, err) < 0)
		return -1;
	if (strcmp(p->arch, "x86-64") != 0 && strcmp(p->arch, "aarch64") != 0)
		return assay_platform_fail_at(err, assay_yaml_get(top, "arch"),
					      "arch '%s': x86-64 or aarch64", p->arch);
	if (read_banks(top, &p->banks, err) < 0 ||
	    assay_yaml_uint(top, "startup_locality", false, 4, &locality, err) < 0)
		return -1;
	/* TPM 2.0 Library, Part 3, 9.3: TPM2_Startup at locality 3 or 0; 4 is an H-CRTM's. */
	if (locality != 0 && locality != 3 && locality != 4)
		return assay_platform_fail_at(err, assay_yaml_get(top, "startup_locality"),
					      "startup_locality is 0, 3 or 4");
	p->locality = (unsigned)locality;
	if (read_unknown(top, p, err) < 0 || read_events(top, p, err) < 0 ||
	    read_secure_boot(top, p, err) < 0)
		return -1;
	origin = assay_yaml_get(top, "origin");
	if (origin && assay_platform_check_origin(origin, err) < 0)
		return -1;
	p->origin = take_member(top, "origin");
	return 0;
}

int assay_platform_parse(const char *text, size_t len, struct assay_platform **ret,
			 struct assay_err *err)
{
	ASSAY_AUTO(assay_platform) *p = NULL;
	ASSAY_AUTO(assay_yaml) *top = NULL;

	if (assay_yaml_parse(text, len, &top, err) < 0)
		return -1;
	p = calloc(1, sizeof(*p));
	if (!p)
		return assay_fail_mem(err);
	if (read_top(top, p, err) < 0 ||
	    assay_digest_mem(ASSAY_BANK_BIT(ASSAY_SHA256), text, len, &p->digest, err) < 0)
		return -1;
	*ret = assay_steal(&p);
	return 0;
}

int assay_platform_load(const char *path, struct assay_platform **ret, struct assay_err *err)
{
	ASSAY_AUTO(assay_src) *src = NULL;
	ASSAY_AUTO_FREE uint8_t *text = NULL;

	if (assay_src_open_file(path, &src, err) < 0 ||
	    assay_src_read_alloc(src, 0, assay_src_size(src), ASSAY_YAML_MAX_FILE, &text, err) < 0)
		return -1;
	return assay_platform_parse((const char *)text, (size_t)assay_src_size(src), ret, err);
}
