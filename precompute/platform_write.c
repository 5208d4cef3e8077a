/* SPDX-License-Identifier: Apache-2.0 */
/* Platform profiles to YAML, and what the variables in their PCR 7 say. */
#include "precompute/platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "precompute/platform_priv.h"

/* Each of these gives -1 when out of memory, and takes child over whatever happens. */

static int set_number(struct assay_yaml *map, const char *key, unsigned v)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", v);
	return assay_yaml_set_str(map, key, text);
}

static int set_hex(struct assay_yaml *map, const char *key, const uint8_t *p, size_t n)
{
	ASSAY_AUTO_FREE char *text = malloc(2 * n + 1);

	return text ? assay_yaml_set_str(map, key, assay_hex(p, n, text)) : -1;
}

static int set_optional(struct assay_yaml *map, const char *key, const char *s)
{
	return s ? assay_yaml_set_str(map, key, s) : 0;
}

static int set_value(struct assay_yaml *map, const struct assay_platform_value *v)
{
	static const char *const keys[] = {
		[ASSAY_FORM_TEXT] = "text",
		[ASSAY_FORM_UTF16] = "utf16",
		[ASSAY_FORM_HEX] = "hex",
	};
	ASSAY_AUTO(assay_yaml) *digests = NULL;

	if (v->form != ASSAY_FORM_DIGESTS)
		return assay_yaml_set_str(map, keys[v->form], v->hashed);
	digests = assay_yaml_map();
	if (!digests)
		return -1;
	for (unsigned b = 0; b < ASSAY_N_BANKS; b++)
		if ((v->digests.banks & ASSAY_BANK_BIT(b)) &&
		    set_hex(digests, assay_bank_name(b), v->digests.d[b], assay_bank_size(b)) < 0)
			return -1;
	return assay_yaml_set(map, "digests", assay_steal(&digests));
}

static int set_accept(struct assay_yaml *map, const struct assay_platform_event *e)
{
	ASSAY_AUTO(assay_yaml) *list = assay_yaml_seq();

	if (!list)
		return -1;
	for (size_t i = 0; i < e->n_values; i++) {
		ASSAY_AUTO(assay_yaml) *item = assay_yaml_map();

		if (!item || set_value(item, &e->values[i]) < 0 ||
		    set_optional(item, "note", e->values[i].note) < 0 ||
		    assay_yaml_append(list, assay_steal(&item)) < 0)
			return -1;
	}
	return assay_yaml_set(map, "accept", assay_steal(&list));
}

static int set_slot(struct assay_yaml *map, const struct assay_platform_event *e)
{
	static const char *const names[] = {
		[ASSAY_SLOT_GPT] = "gpt",
		[ASSAY_SLOT_BOOT] = "boot",
		[ASSAY_SLOT_EXIT] = "exit",
	};

	if (assay_yaml_set_str(map, "slot", names[e->slot]) < 0)
		return -1;
	if (e->slot == ASSAY_SLOT_BOOT && set_number(map, "tries", e->tries) < 0)
		return -1;
	map->flow = !e->note;
	return set_optional(map, "note", e->note);
}

static int set_event(struct assay_yaml *map, const struct assay_platform_event *e)
{
	const char *type = assay_event_type_name(e->type);
	char number[16];

	if (e->slot != ASSAY_SLOT_NONE)
		return set_slot(map, e);
	snprintf(number, sizeof(number), "0x%08x", (unsigned)e->type);
	if (set_number(map, "pcr", e->pcr) < 0 ||
	    assay_yaml_set_str(map, "type", type ? type : number) < 0)
		return -1;
	/* One value has no note of its own: the event's says it. */
	if (e->n_values == 1 && !e->values[0].note ? set_value(map, &e->values[0]) < 0
						   : set_accept(map, e) < 0)
		return -1;
	if (e->data && set_hex(map, "data", e->data, e->data_len) < 0)
		return -1;
	return set_optional(map, "note", e->note);
}

static struct assay_yaml *events_node(const struct assay_platform *p)
{
	ASSAY_AUTO(assay_yaml) *list = assay_yaml_seq();

	for (size_t i = 0; list && i < p->n; i++) {
		ASSAY_AUTO(assay_yaml) *map = assay_yaml_map();

		if (!map || set_event(map, &p->events[i]) < 0 ||
		    assay_yaml_append(list, assay_steal(&map)) < 0)
			return NULL;
	}
	return assay_steal(&list);
}

static struct assay_yaml *unknown_node(const struct assay_platform *p)
{
	ASSAY_AUTO(assay_yaml) *list = assay_yaml_seq();

	for (unsigned i = 0; list && i < ASSAY_PLATFORM_N_PCRS; i++) {
		ASSAY_AUTO(assay_yaml) *map = NULL;

		if (!p->unknown[i])
			continue;
		map = assay_yaml_map();
		if (!map || set_number(map, "pcr", i) < 0 ||
		    assay_yaml_set_str(map, "reason", p->unknown[i]) < 0 ||
		    assay_yaml_append(list, assay_steal(&map)) < 0)
			return NULL;
	}
	return assay_steal(&list);
}

static struct assay_yaml *banks_node(unsigned banks)
{
	ASSAY_AUTO(assay_yaml) *list = assay_yaml_seq();

	for (unsigned b = 0; list && b < ASSAY_N_BANKS; b++)
		if ((banks & ASSAY_BANK_BIT(b)) &&
		    assay_yaml_append(list, assay_yaml_scalar(assay_bank_name(b))) < 0)
			return NULL;
	if (list)
		list->flow = true;
	return assay_steal(&list);
}

static struct assay_yaml *copy_node(const struct assay_yaml *node)
{
	ASSAY_AUTO(assay_yaml) *copy = NULL;

	if (node->kind == ASSAY_YAML_SCALAR)
		return assay_yaml_scalar(node->scalar);
	copy = node->kind == ASSAY_YAML_MAP ? assay_yaml_map() : assay_yaml_seq();
	for (size_t i = 0; copy && i < node->n; i++) {
		struct assay_yaml *child = copy_node(node->items[i]);

		if ((node->kind == ASSAY_YAML_MAP ? assay_yaml_set(copy, node->items[i]->key, child)
						  : assay_yaml_append(copy, child)) < 0)
			return NULL;
	}
	return assay_steal(&copy);
}

static struct assay_yaml *profile_node(const struct assay_platform *p)
{
	ASSAY_AUTO(assay_yaml) *top = assay_yaml_map();
	bool any_unknown = false;

	for (unsigned i = 0; i < ASSAY_PLATFORM_N_PCRS; i++)
		any_unknown |= p->unknown[i] != NULL;
	if (!top || assay_yaml_set_str(top, "schema", ASSAY_PLATFORM_SCHEMA) < 0 ||
	    assay_yaml_set_str(top, "name", p->name) < 0 ||
	    set_optional(top, "description", p->description) < 0 ||
	    assay_yaml_set_str(top, "arch", p->arch) < 0 ||
	    assay_yaml_set(top, "banks", banks_node(p->banks)) < 0 ||
	    (p->locality && set_number(top, "startup_locality", p->locality) < 0) ||
	    (p->secure_boot >= 0 &&
	     assay_yaml_set_str(top, "secure_boot", p->secure_boot ? "true" : "false") < 0) ||
	    (p->origin && assay_yaml_set(top, "origin", copy_node(p->origin)) < 0) ||
	    assay_yaml_set(top, "events", events_node(p)) < 0 ||
	    (any_unknown && assay_yaml_set(top, "unknown", unknown_node(p)) < 0))
		return NULL;
	return assay_steal(&top);
}

int assay_platform_write(const struct assay_platform *p, struct assay_out *out,
			 struct assay_err *err)
{
	ASSAY_AUTO(assay_yaml) *top = profile_node(p);

	if (!top)
		return assay_fail_mem(err);
	assay_out_printf(out, "# SPDX-License-Identifier: Apache-2.0\n");
	assay_yaml_write(top, out);
	return 0;
}

/* --- the variables of PCR 7 ---------------------------------------------------------------------
 */

bool assay_platform_variable_is(const struct assay_event_variable *var, const char *name)
{
	const size_t n = strlen(name);

	if (var->name_len != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (var->name[2 * i] != (uint8_t)name[i] || var->name[2 * i + 1] != 0)
			return false;
	return true;
}

bool assay_platform_variable(const struct assay_platform *p, const char *name,
			     struct assay_event_variable *ret)
{
	struct assay_event_variable var;

	for (size_t i = 0; i < p->n; i++) {
		const struct assay_platform_event *e = &p->events[i];

		if (e->slot != ASSAY_SLOT_NONE || e->pcr != 7 ||
		    e->type != EV_EFI_VARIABLE_DRIVER_CONFIG || !e->data ||
		    assay_event_variable_parse(e->data, e->data_len, 0, &var, NULL) < 0 ||
		    !assay_platform_variable_is(&var, name))
			continue;
		*ret = var;
		return true;
	}
	return false;
}

void assay_platform_find_secure_boot(struct assay_platform *p)
{
	struct assay_event_variable var;

	p->secure_boot = -1;
	if (!assay_platform_variable(p, "SecureBoot", &var))
		return;
	/* OVMF 2025.02 measures a variable without data where Secure Boot is off, 2022.11 one zero
	 * byte. */
	if (var.data_len == 0)
		p->secure_boot = 0;
	else if (var.data_len == 1 && var.data[0] <= 1)
		p->secure_boot = var.data[0];
}
